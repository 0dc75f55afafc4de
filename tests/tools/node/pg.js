const { Client } = require('pg');
(async () => {
  const client = new Client({ connectionString: process.argv[2] });
  await client.connect();
  const one = await client.query('SELECT $1::int + 1 AS n, $2::text AS s', [41, 'x']);
  const named = { name: 'kept', text: 'SELECT id, note FROM scratch.sold WHERE id = $1' };
  const first = await client.query({ ...named, values: [1] });
  const second = await client.query({ ...named, values: [2] });
  const code = await client.query('SELECT nothing FROM scratch.sold').catch((e) => e.code);
  const tables = await client.query(
    'SELECT table_name FROM information_schema.tables WHERE table_schema = $1', ['scratch']);
  console.log(JSON.stringify([one.rows, first.rows, second.rows, code, tables.rows]));
  await client.end();
})();
