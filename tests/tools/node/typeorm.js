const { DataSource, EntitySchema } = require('typeorm');
const Maker = new EntitySchema({
  name: 'Maker',
  tableName: 'makers',
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: String, length: 50, unique: true },
    born: { type: 'timestamp', createDate: true },
  },
  relations: { things: { type: 'one-to-many', target: 'Thing', inverseSide: 'maker' } },
});
const Thing = new EntitySchema({
  name: 'Thing',
  tableName: 'things',
  columns: { id: { type: 'uuid', primary: true, generated: 'uuid' }, title: { type: 'text' } },
  relations: { maker: { type: 'many-to-one', target: 'Maker', joinColumn: true } },
});
const source = new DataSource({
  type: 'postgres', url: process.argv[2], schema: 'scratch', entities: [Maker, Thing],
});
(async () => {
  await source.initialize();
  await source.synchronize();
  await source.getRepository('Maker').save({ name: 'x' });
  await source.getRepository('Thing').save({ title: 't', maker: { id: 1 } });
  const [found] = await source.getRepository('Maker').find({ relations: { things: true } });
  const changes = await source.driver.createSchemaBuilder().log();
  console.log(JSON.stringify({
    name: found.name,
    titles: found.things.map((one) => one.title),
    changes: changes.upQueries.map((one) => one.query),
  }));
  await source.destroy();
})();
