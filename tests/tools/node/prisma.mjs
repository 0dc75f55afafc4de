// Prisma's own introspection, as its engine is published for where no binary can be downloaded. Its
// adapter for Postgres does not know the type "char", which it asks the catalog for: told here.
import fs from 'fs';
import { createRequire } from 'module';
import { PrismaPg } from '@prisma/adapter-pg';
import { ColumnTypeEnum, bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as engines from './node_modules/@prisma/schema-engine-wasm/schema_engine_bg.js';

const [CHAR, TEXT] = [18, 25];
const chars = new Set();
const Result = createRequire(import.meta.url)('pg/lib/result.js');
const addFields = Result.prototype.addFields;
Result.prototype.addFields = function (fields) {
  for (const field of fields) {
    if (field.dataTypeID !== CHAR) continue;
    field.dataTypeID = TEXT;
    chars.add(field.name);
  }
  return addFields.call(this, fields);
};

const factory = new PrismaPg({ connectionString: process.argv[2] }, { schema: 'scratch' });
const connect = factory.connect.bind(factory);
factory.connect = async () => {
  const adapter = await connect();
  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (query) => {
    const result = await queryRaw(query);
    result.columnTypes = result.columnTypes.map(
      (type, i) => (chars.has(result.columnNames[i]) ? ColumnTypeEnum.Character : type));
    return result;
  };
  return adapter;
};

globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) };
const file = './node_modules/@prisma/schema-engine-wasm/schema_engine_bg.wasm';
const bytes = fs.readFileSync(new URL(file, import.meta.url));
const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': engines });
engines.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start?.();

const content = 'datasource db {\n  provider = "postgresql"\n}\n';
const bound = bindMigrationAwareSqlAdapterFactory(factory);
const options = { datamodels: [['schema.prisma', content]] };
const engine = await engines.SchemaEngine.new(options, () => {}, bound);
const found = await engine.introspect({
  schema: { files: [{ path: 'schema.prisma', content }] },
  baseDirectoryPath: '.',
  force: true,
  compositeTypeDepth: 0,
  namespaces: null,
});
console.log(JSON.stringify(found.schema.files[0].content));
process.exit(0);
