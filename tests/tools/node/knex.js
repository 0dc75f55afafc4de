const knex = require('knex')({ client: 'pg', connection: process.argv[2], searchPath: ['scratch'] });
(async () => {
  const out = {};
  await knex.schema.createTable('makers', (t) => {
    t.increments('id');
    t.string('name', 50).notNullable().unique();
    t.decimal('price', 8, 2).defaultTo(0);
    t.timestamps(true, true);
    t.enu('color', ['r', 'g']);
  });
  await knex.schema.createTable('things', (t) => {
    t.bigIncrements('id');
    t.integer('maker_id').unsigned().references('id').inTable('makers').onDelete('CASCADE');
    t.text('note').index();
  });
  out.there = [await knex.schema.hasTable('makers'), await knex.schema.hasColumn('makers', 'nothing')];
  out.inserted = await knex('makers').insert([{ name: 'x' }, { name: 'y' }]).returning('id');
  await knex('things').insert({ maker_id: 1, note: 'n' });
  out.joined = await knex('makers').leftJoin('things', 'makers.id', 'things.maker_id')
    .select('makers.id', 'name', 'price', 'note').orderBy('makers.id');
  out.merged = await knex('makers').insert({ name: 'x', price: 5 }).onConflict('name')
    .merge(['price']).returning(['id', 'price']);
  out.counted = await knex.transaction(async (own) => {
    await own('things').insert({ maker_id: 2 });
    return (await own('things').count('* as n'))[0].n;
  });
  await knex.schema.alterTable('makers', (t) => {
    t.string('extra', 10);
    t.index(['name', 'price'], 'makers_by_price');
  });
  await knex.schema.alterTable('makers', (t) => t.renameColumn('extra', 'more'));
  await knex.schema.alterTable('makers', (t) => t.dropColumn('more'));
  await knex.schema.alterTable('makers', (t) => t.text('name').notNullable().alter());
  const info = await knex('makers').columnInfo();
  out.columns = Object.entries(info).map(([name, one]) => [name, one.type, one.nullable]);
  console.log(JSON.stringify(out));
  await knex.destroy();
})();
