-- tables that refer to each other are made again by the names that they have
create table "Users" (id int primary key, "name" varchar(40) not null unique);
create table "Posts" (id int primary key, "UserId" int references "Users" (id) on delete cascade on update cascade);
create table "Tags" (id int primary key);
create table "PostTag" ("PostId" int references "Posts" on delete cascade, "TagId" int references "Tags", primary key ("PostId", "TagId"));
insert into "Users" values (1, 'a'), (2, 'b');
insert into "Posts" values (1, 1), (2, 2);
insert into "Tags" values (1);
insert into "PostTag" values (1, 1), (2, 1);
alter table "Users" add column "More" int not null default 3;
alter table "Users" alter column "name" type varchar(50);
alter table "Posts" add column title text not null default 'x';
select relname from pg_class where relname ilike any (array['users', 'posts', 'tags', 'posttag']) and relkind = 'r' and relnamespace = 'scripted'::regnamespace order by 1;
select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' and connamespace = 'scripted'::regnamespace order by 1, 2;
update "Users" set id = 11 where id = 1;
select * from "Posts" order by id;
delete from "Users" where id = 11;
select * from "PostTag" order by 1;
insert into "PostTag" values (9, 1);
truncate "Users";
truncate "Users" cascade;
select count(*) from "PostTag";

-- rows of an UPDATE are returned although others refer to them
create table parents (id serial primary key, n int, name varchar(40) unique);
create table children (id serial primary key, parent int references parents on update cascade);
insert into parents (n, name) values (1, 'a'), (2, 'b');
insert into children (parent) values (1), (1);
update parents set n = 6 where id = 1 returning *;
update parents set n = n + 1 where id = 1 returning n, id;
update parents set id = 11 where id = 1 returning *;
select * from children order by id;
with changed as (update parents set n = 70 where id = 11 returning id, n) select * from changed;
begin;
update parents set n = 8 where id = 11 returning n;
savepoint s;
update parents set n = 9, name = 'z' where id = 11 returning n, name;
rollback to s;
select * from parents order by id;
delete from parents where id = 11;
rollback;
select * from parents order by id;
delete from parents where id = 11;
update parents as p set n = 1 where p.id = 11 returning p.n;

-- a type of a schema that DuckDB calls otherwise, made as tools make it
create type public.capital_mood as enum ('a', 'b');
create table of_a_type (m public.capital_mood default 'a', n "public"."capital_mood"[]);
insert into of_a_type (n) values ('{a,b}');
select m, n, 'b'::public.capital_mood from of_a_type;
drop table of_a_type;
drop type public.capital_mood;
