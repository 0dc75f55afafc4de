# Rails's mapper (Debian's ruby-activerecord): migrations, models, upserts, its view of the schema.
require 'active_record'
require 'json'

host, port, schema, dialect = ARGV
ActiveRecord::Base.establish_connection(
  adapter: 'postgresql', host: host, port: port.to_i, username: 'tester', database: 'hatidata',
  schema_search_path: schema, min_messages: 'warning'
)
ActiveRecord::Migration.verbose = false
connection = ActiveRecord::Base.connection

class Made < ActiveRecord::Migration[6.1]
  def change
    create_table :authors do |t|
      t.string :name, null: false, limit: 40
      t.string :email
      t.integer :age, default: 0
      t.jsonb :settings, default: {}, null: false
      t.string :tags, array: true, default: []
      t.decimal :balance, precision: 10, scale: 2
      t.interval :spent
      t.binary :photo
    end
    add_index :authors, :email, unique: true
    create_table :posts do |t|
      t.bigint :author_id, null: false
      t.string :title, default: 'untitled'
      t.integer :status, default: 0, null: false
    end
  end
end

class Changed < ActiveRecord::Migration[6.1]
  def change
    add_column :posts, :views, :bigint, default: 0, null: false
    rename_column :posts, :title, :heading
    change_column_default :posts, :heading, from: 'untitled', to: 'none'
  end
end

class Author < ActiveRecord::Base
  attribute :spent, :string
  has_many :posts
end

class Post < ActiveRecord::Base
  belongs_to :author
  enum status: { draft: 0, live: 1 }
end

Made.migrate(:up)
Changed.migrate(:up)
found = {}
author = Author.create!(name: "it's \\ Ann", email: 'a@x', settings: { 'k' => { 'n' => 1 } },
                        tags: ['a', 'b c'], balance: '12.50', spent: 'PT1H30M', photo: "\x00\xff".b)
author.reload
found['row'] = [author.id, author.name, author.settings, author.tags, author.balance.to_s('F'), author.spent, author.photo.bytes]
found['defaults'] = Author.create!(name: 'B').reload.then { |one| [one.age, one.settings, one.tags] }
2.times { |n| author.posts.create!(heading: "p#{n}") }
author.posts.order(:id).first.live!
found['posts'] = Post.group(:status).count.sort
found['joined'] = Author.joins(:posts).where(posts: { status: 1 }).distinct.pluck(:email)
found['loaded'] = Author.eager_load(:posts).order('authors.id').map { |one| one.posts.size }
found['created'] = [Author.find_or_create_by(email: 'z@x') { |one| one.name = 'Z' }.name, Author.find_or_create_by(email: 'z@x').name]
found['inserted'] = Author.insert_all([{ name: 'I', email: 'i@x' }, { name: 'J', email: 'z@x' }], unique_by: :email, returning: %w[name]).rows
Author.upsert_all([{ name: 'Y', email: 'z@x' }, { name: 'U', email: 'u@x' }], unique_by: :email)
found['upserted'] = Author.where.not(email: nil).order(:email).pluck(:email, :name)
begin
  Author.transaction { Author.create!(name: 'Q', email: 'a@x') }
rescue ActiveRecord::RecordNotUnique => e
  found['twice'] = e.class.name
end
Author.transaction do
  Author.where(email: 'u@x').delete_all
  raise ActiveRecord::Rollback
end
found['batches'] = Author.in_batches(of: 2).map(&:count)
found['json'] = Author.where("settings->'k'->>'n' = ?", '1').count
found['any'] = Author.where("'a' = ANY(tags)").count
found['tables'] = connection.tables.sort
found['key'] = [connection.primary_key('authors'), *connection.pk_and_sequence_for('authors').map(&:to_s)]
found['indexes'] = connection.indexes('authors').map { |one| [one.name, one.columns, one.unique] }
found['columns'] = connection.columns('posts').map { |one| [one.name, one.sql_type, one.null, one.default] }
found['locked'] = [connection.get_advisory_lock(4242), connection.release_advisory_lock(4242)]
Changed.migrate(:down)
found['back'] = connection.columns('posts').map(&:name)
puts JSON.generate(found)
