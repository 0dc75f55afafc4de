// Sequelize's own way with a schema: made, made again, compared and altered; rows that refer to others.
const { Sequelize, DataTypes, Op } = require("sequelize");

async function main(url) {
  const db = new Sequelize(url, {
    dialect: "postgres", logging: false,
    dialectOptions: { options: "-c hatidata.dialect=postgres" },
  });
  const User = db.define("User", {
    name: { type: DataTypes.STRING(40), allowNull: false, unique: true },
    role: DataTypes.ENUM("a", "b"),
    meta: DataTypes.JSONB,
    tags: DataTypes.ARRAY(DataTypes.STRING),
    score: DataTypes.DECIMAL(10, 2),
  }, { timestamps: false, indexes: [{ fields: ["score"] }] });
  const Post = db.define("Post", { title: DataTypes.STRING }, { timestamps: false });
  const Tag = db.define("Tag", { label: DataTypes.STRING }, { timestamps: false });
  User.hasMany(Post, { onDelete: "CASCADE" });
  Post.belongsTo(User);
  Post.belongsToMany(Tag, { through: "PostTag", timestamps: false });
  Tag.belongsToMany(Post, { through: "PostTag", timestamps: false });
  const found = {};
  await db.sync({ force: true });
  await db.sync();
  await db.sync({ alter: true });
  const ann = await User.create({ name: "ann", role: "b", meta: { a: 1 }, tags: ["x"], score: "1.50" });
  await User.bulkCreate([{ name: "bob", role: "a" }, { name: "cy" }]);
  const post = await ann.createPost({ title: "t" });
  await post.addTag(await Tag.create({ label: "l" }));
  found.nested = (await User.findAll({ include: [{ model: Post, include: [Tag] }], order: [["id", "ASC"]] }))
    .map((user) => user.Posts.map((one) => one.Tags.length));
  [found.changed] = await User.update({ score: 7 }, { where: { id: [1, 2] }, returning: true });
  await User.increment({ score: 2 }, { where: { id: 1 } });
  found.upserted = (await User.upsert({ id: 3, name: "cy", role: "a" }))[0].role;
  found.patterns = await User.count({ where: { name: { [Op.like]: { [Op.any]: ["a%", "b%"] } } } });
  found.overlapping = await User.count({ where: { tags: { [Op.overlap]: ["x", "z"] } } });
  found.locked = await db.transaction(async (transaction) =>
    (await User.findOne({ where: { id: 1 }, lock: true, skipLocked: true, transaction })).score);
  const schema = db.getQueryInterface();
  await schema.addColumn("Users", "extra", { type: DataTypes.INTEGER, defaultValue: 3, allowNull: false });
  await schema.changeColumn("Users", "role", { type: DataTypes.ENUM("a", "b") });
  await schema.renameColumn("Users", "extra", "more");
  found.columns = Object.entries(await schema.describeTable("Users")).map(([name, is]) => `${name} ${is.type}`);
  found.tables = (await schema.showAllTables()).filter((name) => /^(Users|Posts|Tags|PostTag)$/.test(name)).sort();
  await User.destroy({ where: { id: 1 } });
  found.left = [await Post.count(), await Tag.count()];
  await db.query('DROP TABLE "PostTag", "Posts", "Tags", "Users"; DROP TYPE "enum_Users_role"');
  await db.close();
  return found;
}

main(process.argv[2]).then((found) => console.log(JSON.stringify(found)));
