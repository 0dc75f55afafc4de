-- types by the names that the catalog has for them
create table ct (a _int4, b pg_catalog.int4, c "pg_catalog"."_text");
insert into ct values ('{1,2}', 3, array['x'::"pg_catalog"."text"]::"pg_catalog"."_text");
select *, '2020-01-01'::pg_catalog."timestamptz" at time zone 'UTC' as t, '1 day'::"pg_catalog"."interval" as i from ct;
select a[2]::"pg_catalog"."int8" as x, c::pg_catalog._text as y, '{"k": 1}'::"pg_catalog"."jsonb" as j from ct;
select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'scripted.ct'::regclass and attnum > 0 order by attnum;
