# Ruby's pg and Sequel over it: arguments host, port, schema; PGOPTIONS names the dialect.
require 'json'
require 'sequel'

host, port, schema = ARGV
db = Sequel.connect("postgres://tester@#{host}:#{port}/hatidata")
goods, orders = Sequel[schema.to_sym][:goods], Sequel[schema.to_sym][:orders]
db.create_table(goods) do
  primary_key :id
  String :name, null: false
  BigDecimal :price, size: [8, 2]
  index :name
end
db.alter_table(goods) { add_column :extra, Integer }
db.alter_table(goods) { drop_column :extra }
db.create_table(orders) do
  primary_key :id
  foreign_key :goods_id, goods
end
found = {}
found[:inserted] = db[goods].insert(name: 'a', price: 1.5)
db[goods].multi_insert([{ name: 'b' }, { name: 'c' }])
found[:updated] = db[goods].where(name: 'b').update(price: 2)
found[:sum] = db[goods].sum(:price).to_s('F')
found[:paged] = db[goods].paged_each.to_a.size
found[:upserted] = db[goods].insert_conflict(target: :id, update: { name: 'z' }).insert(id: 1, name: 'q')
found[:deleted] = db[goods].returning(:name).where(id: 3).delete
db.transaction(savepoint: true) do
  db.transaction(savepoint: true) do
    db[goods].insert(name: 'n')
    raise Sequel::Rollback
  end
end
found[:names] = db[goods].order(:id).select_map(:name)
found[:tables] = db.tables(schema: schema.to_sym).sort
found[:columns] = db.schema(goods).map { |name, about| [name, about[:db_type], about[:primary_key]] }
found[:indexes] = db.indexes(goods).values.map { |index| index[:columns] }
found[:references] = db.foreign_key_list(orders).map { |key| [key[:columns], key[:key]] }
db.synchronize do |connection|
  connection.copy_data("COPY #{schema}.goods (id, name) FROM STDIN") { connection.put_copy_data("9\tcopied\n") }
end
found[:copied] = db[goods].where(id: 9).get(:name)
puts found.to_json
