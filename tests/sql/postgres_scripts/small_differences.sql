-- a text in FROM is one row
create table t (a text, n int);
insert into t values ('x', 2), ('yz', 3), (null, 1);
select * from repeat('ab', 3);
select s from repeat('ab', 3) s;
select t.n, r from t, lateral repeat(t.a, t.n) as r order by t.n;
select t.n, part from t, repeat('-', 4) as r(part) order by t.n;
-- DISTINCT ON and ORDER BY begin with the same
create table t (a int, b int, c text);
insert into t values (1, 5, 'p'), (1, 4, 'q'), (2, 9, 'r');
select distinct on (a) a, b from t order by b;
select distinct on (a, c) a, b, c from t order by a, b;
select distinct on (a) a, b from t order by a, b;
select distinct on (a, b) a, b from t order by b, a;
select distinct on (x) a as x, b from t order by 1 desc, b;
select distinct on (t.a) a, b from t order by a, b desc;
select distinct on (1) b, a from t order by b;
-- what a number is not followed by
create table t (a int);
insert into t values (1);
select 12ab from t;
select 1.5x from t;
select a as "1x", 1 as x1 from t where a in (1)and a = 1;
-- SIMILAR TO with ESCAPE
create table t (s text);
insert into t values ('a_b'), ('axb'), ('a%'), ('(c)'), (null);
select s, s similar to 'a#_b' escape '#' as one, s not similar to 'a#_b' escape '#' as other from t order by s;
select s from t where s similar to '(a#%|#(_#))' escape '#' order by s;
select s from t where s similar to '\(%' order by s;
select s from t where s similar to 'a_b' escape '' order by s;
-- ALL of rows that are written out
create table t (a int);
insert into t values (1), (2), (3), (null);
select a from t where a <> all (values (2), (3));
select a, a > any (values (1), (2)) as more, a >= all (values (1), (2)) as most from t order by a;
-- names of types as functions
create table t (a numeric(5, 2), s text);
insert into t values (2.5, '12'), (-1.5, '7');
select int4(a), int8(a), int2(a), float8(a), int4(s::numeric), text(a) from t order by a;
-- versions of uuids
create table t (u uuid);
insert into t values ('11111111-1111-4111-8111-111111111111'), ('11111111-1111-7111-b111-111111111111'), ('11111111-1111-1111-1111-111111111111');
select u, uuid_extract_version(u) from t order by u;
-- all values of an enumerated type, and those from one on
create type mood as enum ('low', 'fair', 'high');
select enum_range(null::mood, null)::text[] as all, enum_range('fair'::mood, null)::text[] as some, enum_range(null, 'fair'::mood)::text[] as others;
-- an object of keys and values
create table t (k text, v int);
insert into t values ('a', 1), ('b', null);
select json_object('k': k, 'v': v) from t order by k;
select json_object(k: v, 'more': json_object('x': k)) from t order by k;
select json_object(), json_object('{a,1}') from t limit 1;
select json_object(array[k], array['z']) from t order by k;
-- what a generated column cannot hold
create table t (a int primary key, b int generated always as (a * 2) stored);
insert into t values (2000000000);
insert into t values (20) returning *;
-- options of sequences that do not fit
create sequence bad minvalue 20 maxvalue 10;
create sequence bad start 10 maxvalue 5;
create sequence bad start 1 minvalue 5;
