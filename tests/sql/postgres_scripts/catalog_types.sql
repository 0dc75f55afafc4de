-- types by the names that the catalog has for them
create table ct (a _int4, b pg_catalog.int4, c "pg_catalog"."_text");
insert into ct values ('{1,2}', 3, array['x'::"pg_catalog"."text"]::"pg_catalog"."_text");
select *, '2020-01-01'::pg_catalog."timestamptz" at time zone 'UTC' as t, '1 day'::"pg_catalog"."interval" as i from ct;
select a[2]::"pg_catalog"."int8" as x, c::pg_catalog._text as y, '{"k": 1}'::"pg_catalog"."jsonb" as j from ct;
select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'scripted.ct'::regclass and attnum > 0 order by attnum;
-- expressions of defaults and generated columns
create table t (id uuid default gen_random_uuid(), made text default now()::text, code text default substr(md5(random()::text), 1, 5), at timestamp default timezone('utc', now()), until timestamptz default now() + interval '1 day', name varchar(10), n int, loud text generated always as (name || '!') stored, shown text generated always as (n::text) stored, big text generated always as (upper(name)) stored, twice int generated always as (n * 2) stored);
select a.attname, pg_get_expr(d.adbin, d.adrelid) from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum where a.attrelid = 't'::regclass and a.attname not in ('code') order by a.attnum;
