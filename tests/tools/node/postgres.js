const sql = require('postgres')(process.argv[2], { max: 1 });
(async () => {
  const out = {};
  await sql`SET search_path = scratch`;
  await sql`CREATE TABLE kept (id serial PRIMARY KEY, name text, tags text[])`;
  const rows = [{ name: 'a', tags: ['x', 'y'] }, { name: 'b', tags: [] }];
  out.inserted = await sql`INSERT INTO kept ${sql(rows, 'name', 'tags')} RETURNING *`;
  out.found = await sql`SELECT name FROM kept WHERE id = ANY(${[1, 2]}) ORDER BY id`;
  out.cursor = 0;
  await sql`SELECT * FROM generate_series(1, 1000) g(x)`.cursor(100, (some) => {
    out.cursor += some.length;
  });
  out.code = await sql`SELECT nope FROM kept`.catch((e) => e.code);
  out.rolledBack = await sql
    .begin(async (own) => {
      await own`DELETE FROM kept`;
      throw new Error('no');
    })
    .catch((e) => e.message);
  out.left = (await sql`SELECT count(*)::int4 AS n FROM kept`)[0].n;
  console.log(JSON.stringify(out));
  await sql.end();
})();
