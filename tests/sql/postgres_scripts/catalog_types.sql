-- types by the names that the catalog has for them
create table ct (a _int4, b pg_catalog.int4, c "pg_catalog"."_text");
insert into ct values ('{1,2}', 3, array['x'::"pg_catalog"."text"]::"pg_catalog"."_text");
select *, '2020-01-01'::pg_catalog."timestamptz" at time zone 'UTC' as t, '1 day'::"pg_catalog"."interval" as i from ct;
select a[2]::"pg_catalog"."int8" as x, c::pg_catalog._text as y, '{"k": 1}'::"pg_catalog"."jsonb" as j from ct;
select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'scripted.ct'::regclass and attnum > 0 order by attnum;
-- types of the catalog with their sizes
create table t (a pg_catalog.varchar(5), b pg_catalog.numeric(6,2), c pg_catalog.timestamptz(3), d pg_catalog.timestamp(0), e pg_catalog.int4, h pg_catalog._int4, i pg_catalog.time(1), n pg_catalog.numeric(3));
insert into t values ('abcde', 1.234, '2024-01-02 03:04:05.123456+00', '2024-01-02 03:04:05.6', 7, '{1,2}', '10:11:12.36', 1.6);
select * from t;
insert into t (a) values ('abcdef');
select 1.239::pg_catalog.numeric(6,2) as n, '2024-01-02 03:04:05.6789+00'::pg_catalog.timestamptz(1) as t;
select cast('1.5' as pg_catalog.numeric(4,1)) as n, cast('12' as pg_catalog.int2) as i, 'abcdef'::pg_catalog.varchar(3) || '' as v;
select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 't'::regclass and attnum > 0 order by attnum;
alter table t add column k pg_catalog.numeric(4,1);
alter table t alter column b type pg_catalog.numeric(8,3);
select b, k from t;
-- as a column's type whose default is a literal
create table t (id int, a pg_catalog.varchar(5) default 'abc', c pg_catalog.timestamptz(3) not null default '2024-01-02 03:04:05.123456+00', d pg_catalog.date default '2024-01-02');
insert into t (id) values (1);
select * from t;
-- expressions of defaults and generated columns
create table t (id uuid default gen_random_uuid(), made text default now()::text, code text default substr(md5(random()::text), 1, 5), at timestamp default timezone('utc', now()), until timestamptz default now() + interval '1 day', name varchar(10), n int, loud text generated always as (name || '!') stored, shown text generated always as (n::text) stored, big text generated always as (upper(name)) stored, twice int generated always as (n * 2) stored);
select a.attname, pg_get_expr(d.adbin, d.adrelid) from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum where a.attrelid = 't'::regclass and a.attname not in ('code') order by a.attnum;
