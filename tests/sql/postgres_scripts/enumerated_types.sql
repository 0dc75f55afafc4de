-- values are added where they are said to stand, and renamed
create type mood as enum ('sad', 'ok', 'it''s fine');
create table people (name text, state mood default 'ok', past mood[]);
insert into people values ('a', 'it''s fine', '{sad,ok}'), ('b', 'sad', null), ('c', default, '{}');
alter type mood add value 'glad';
alter type mood add value 'first' before 'sad';
alter type mood add value 'second' after 'first';
alter type mood add value 'ok';
alter type mood add value if not exists 'ok';
alter type mood add value 'x' after 'nope';
alter type mood add value 'x' before 'nope';
alter type nothing add value 'x';
alter type mood add value 'a label that is longer than any can be, of which there are 63 bytes';
insert into people values ('d', 'first', '{first,glad}'), ('e', 'glad', null), ('f', 'second', null);
select name, state::text, past::text from people order by state, name;
select name from people where state > 'ok' order by name;
select name from people where state <= 'second' order by name;
select max(state)::text, min(state)::text from people;
select state::text, count(*) from people group by state order by state desc;
alter type mood rename value 'ok' to 'fair';
alter type mood rename value 'ok' to 'x';
alter type mood rename value 'sad' to 'fair';
insert into people (name) values ('g');
select name, state::text, past::text from people order by state, name;
select enum_range(null::mood)::text, enum_first(null::mood)::text, enum_last(null::mood)::text;
select enum_range(state, null)::text from people where name = 'g';
select pg_typeof(state)::text, pg_typeof(past)::text from people limit 1;

-- a type gets another name, and another schema
create type mood as enum ('sad', 'ok');
create table people (name text, state mood default 'ok');
create view glad as select name, state from people where state = 'ok'::mood;
insert into people values ('a', 'sad');
alter type mood rename to humour;
alter type mood rename to other;
insert into people (name) values ('b');
select name, state::text from glad;
select 'ok'::humour::text;
create type mood as enum ('x');
alter type mood rename to humour;
alter type humour set schema nowhere;
create schema elsewhere;
alter type humour set schema elsewhere;
select name, state::text from glad;
insert into people values ('c', 'ok'::elsewhere.humour);
select name, state::text from people order by name;
drop table people cascade;
drop type elsewhere.humour;
drop schema elsewhere;

-- what is altered goes back with its transaction
create type mood as enum ('sad', 'ok');
create table people (name text primary key, state mood not null);
create index by_state on people (state);
insert into people values ('a', 'sad'), ('b', 'ok');
begin;
update people set state = 'ok' where name = 'a';
alter type mood rename value 'ok' to 'fair';
alter type mood rename to humour;
insert into people values ('c', 'fair');
select name, state::text from people order by state, name;
savepoint s;
alter type humour rename to other;
rollback to s;
select 'fair'::humour::text;
rollback;
select name, state::text from people order by name;
insert into people values ('c', 'ok');
insert into people values ('a', 'ok');
alter type mood add value 'between' before 'ok';
insert into people values ('d', 'between');
insert into people values ('d', 'sad');
select name from people order by state, name;

-- a type that columns are of is not dropped without them
create type mood as enum ('sad');
create table one (id int, state mood);
create table other (id int, states mood[]);
create view reading as select state from one;
create view casting as select 'sad'::mood as s;
create view over_it as select s from casting;
drop type mood;
drop type if exists nothing;
drop type nothing;
drop table other;
drop type mood cascade;
select * from one;
select * from reading;

-- a schema goes with the columns that are of its types
create schema of_types;
create type of_types.mood as enum ('a', 'b');
create table people (id int, state of_types.mood);
create view glad as select id, state from people;
insert into people values (1, 'a');
drop schema of_types cascade;
select * from people;
select * from glad;

-- two types of the same values are two types
create type one as enum ('a', 'b');
create type two as enum ('a', 'b');
create table both_of (x one, y two);
insert into both_of values ('a', 'b');
alter type one add value 'c' before 'b';
insert into both_of values ('c', 'c');
insert into both_of values ('c', 'a');
select x::text, y::text from both_of order by x;
alter type two rename value 'a' to 'z';
select x::text, y::text from both_of order by x;
drop type one;
drop type two;

-- tables that refer to each other, checks, views over views
create type state as enum ('new', 'done');
create table parents (id int primary key, s state not null default 'new', check (length(s::text) < 9));
create table children (id int primary key, parent int references parents on delete cascade, s state);
create view of_parents as select id, s from parents where s < 'done';
create view of_views as select p.id, c.s from of_parents p join children c on c.parent = p.id;
insert into parents (id) values (1), (2);
insert into children values (1, 1, 'done'), (2, 2, 'new');
alter type state add value 'begun' before 'done';
update parents set s = 'begun' where id = 2;
select id, s::text from of_parents order by s, id;
select id, s::text from of_views order by s, id;
delete from parents where id = 1;
select id, s::text from children order by id;
insert into children values (3, 9, 'new');

-- what stands beside a value of one is one, in its order
create type mood as enum ('z', 'm', 'a');
create table p (n int, s mood, l mood[]);
insert into p values (1, 'z', '{z}'), (2, 'm', '{m,a}'), (3, 'a', null);
select n from p where s > 'm';
select n from p where s between 'z' and 'm' order by n;
select n from p where s in ('m', 'a') order by s;
select n from p where s > any('{m}') order by s;
select n from p where s = any('{m,a}') order by s;
select n from p where l @> '{m}';
select n from p where 'm' = any(l);
select greatest(s, 'm')::text, least(s, 'm')::text from p order by n;
select max(coalesce(s, 'm'))::text from p;
select n from p where case when n = 1 then s else 'm' end > 'z' order by n;
select n from p where (s, n) > ('m', 0) order by n;
select n from p where s::text > 'm';
select n from p where s < 'nope';
select n::text::mood from p;
update p set s = 'nope';
insert into p values (4, 'nope');
insert into p values (4, 'm', '{nope}');
prepare above as select n from p where s > $1 order by n;
execute above('m');
prepare among as select n from p where s between $1 and $2 order by n;
execute among('z', 'm');
prepare of_them as select n from p where s > any($1) order by n;
execute of_them('{m}');
prepare chosen as select max(coalesce($1, s))::text from p;
execute chosen('m');

-- values in dollars, as node-pg-migrate writes them
create type painted as enum ($pga$r$pga$, $pga$g$pga$);
alter type painted add value $pga$b$pga$ after $pga$r$pga$;
alter type painted rename value $$g$$ to 'green';
select enum_range(null::painted)::text;
drop type ",";
