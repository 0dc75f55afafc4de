-- a row as a text
create table t (id int, s text, b boolean, n numeric(6,2), d date, ts timestamptz, a int[], f float8, u uuid, by bytea, iv interval, j jsonb);
insert into t values (1, 'a', true, 1.5, '2024-01-02', '2024-01-02 03:04:05+00', '{1,NULL,3}', 1.5e100, '00000000-0000-0000-0000-00000000000a', '\x01ff', '1 day 02:00', '{"k": [1, "x y"]}'), (2, null, null, null, null, null, null, null, null, null, null, null), (3, '', false, -0.05, '0044-03-15 BC', 'infinity', '{}', 'NaN', null, '\x', '-1 mon', 'null');
select t::text from t order by id;
select (t)::text as x, t.*::text as y, cast(t as text) as z from t where id = 1;
select t::text as x, id from t where t::text like '(1,%';
select id from t order by t::text;
select length(t::text) from t where id = 2;
-- what record_out puts in quotes
create table q (a text, b text);
insert into q values ('a b', 'a,b'), ('(', ')'), ('"', '\'), ('a"b\c', null), ('', ' '), ('null', 'NULL'), (E'a\tb', E'a\nb'), ('{x}', 'é''x'), ('plain', 'a.b:c-d');
select q::text from q order by a, b;
select array_agg(q order by a)::text from q where a in ('a b', '"', '');
-- rows within rows and arrays
create table o (id int, tags text[]);
insert into o values (1, '{a,"b c"}'), (2, null);
select row(1, 'a')::text as r;
select row(1, null, true, 'x y', 1.50, date '2024-01-01')::text as r;
select row(row(1, 'a b'), 2)::text as r, row('"')::text as s, row(row('"'))::text as n;
select (select x from (select 1 as a, 'b c' as b) x)::text as r;
select x::text from (select id, tags from o order by id) x;
select row(array[1, 2], array['a', 'b c'], array[row(1, 'a')])::text as r;
select array(select o from o order by id)::text as r;
select (case when o is null then null else o end)::text as r from o order by id;
-- a row in what makes texts
create table t (id int, s text, b boolean);
insert into t values (1, 'a b', true), (2, null, false);
select format('%s', t) as f, format('[%s] %s', t.id, t) as g from t order by id;
select concat(t) as a, concat('x', t, 1) as b, concat_ws('-', t, t.id) as c from t order by id;
select 'x' || t::text as a from t order by id;
select 'x' || t as a from t order by id;
select string_agg(t::text, ';' order by id) as a from t;
select md5(t::text) as m, left(t::text, 3) as l from t order by id;
select distinct t::text as x from t order by 1;
select t::text as x, count(*) from t group by t::text order by 1;
select count(*) from t a join t b on a::text = b::text;
select quote_literal(t::text) as q from t order by id;
-- a row that was not found is no text
create table a (id int);
create table b (id int, c text);
insert into a values (1), (2);
insert into b values (1, 'x');
select a.id, b::text from a left join b on a.id = b.id order by 1;
select a.id, coalesce(b::text, 'none') as x, concat(b) as y from a left join b on a.id = b.id order by 1;
-- rows that a change gives
create table t (id int primary key, s text, n numeric(5,1) default 2);
with new as (insert into t (id, s) values (1, 'a b') returning *) select (new)::text from new;
with new as (insert into t (id, s) values (2, null) returning *) select (((case when new is null then null else new end)))::text as x from new;
with new as (update t set n = n + 1 returning *) select new::text from new order by id;
with gone as (delete from t returning *) select array_agg(gone::text order by id) from gone;
-- rows of columns, and rows that RETURNING gives
create table t (id int, s text);
insert into t values (1, 'a'), (2, null), (3, 'c');
select row(t.*)::text as z, row(t.*, 1)::text as y, row(0, t.*)::text as w from t order by id;
select to_json(row(t.*)) as z from t order by id;
select row(t.*) = row(1, 'a') as z from t order by id;
select t.id from t where row(t.*) = row(1, 'a');
select (t.*)::text as z, count(t.*) from t group by t.* order by 1;
insert into t as q values (4, 'd') returning q::text as x, q.*::text as y;
insert into t values (5, 'e') returning t::text as x, t.*::text as y, to_json(t) as j;
update t as q set s = 'z' where id = 1 returning q::text as x, q.*::text as y;
update t set s = 'y' where id = 1 returning t::text as x, t.*::text as y;
delete from t as q where id = 2 returning q::text as x, q.*::text as y;
delete from t where id = 3 returning t.*::text as x, t::text as y;
delete from t using (values (4, 'k')) v (a, b) where t.id = v.a returning t::text, v::text, t.*::text as u, row(t.*, v.*)::text as w;
select row(a.*, b.*)::text as x from t a join t b on a.id = b.id;
select row(a.*)::text as x from (values (1, 'a')) a (x, y);
insert into t as q values (9, null) returning q is null as n, q is not null as nn, q.* is null as m;
update t set s = null where id = 9 returning t is null as n, t is not null as nn;
