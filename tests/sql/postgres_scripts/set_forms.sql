-- SET of a row that a query gives
create table t (id int primary key, a int, b text default 'none');
create table u (id int, n int, w text);
insert into t values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
insert into u values (1, 10, 'one'), (2, 20, 'two'), (2, 21, 'deux');
update t set (a, b) = (select n, w from u where u.id = t.id and n <> 21);
select * from t order by id;
update t set (a, b) = (select n, w from u order by w desc limit 1) where id = 3;
update t set (a, b) = (select distinct on (id) n, w from u where u.id = t.id order by id, n desc) where id = 2;
update t set (a) = (select max(n) from u), b = 'm' where id = 1;
update t set (a, b) = row (7, default) where id = 1;
update t set (a, b) = (8, b || '!') where id = 2 returning *;
select * from t order by id;
update t set (a, b) = (select n, w from u where u.id = t.id) where id = 2;
merge into t using u on t.id = u.id and u.n = 10 when matched then update set (a, b) = (select 5, u.w);
select * from t order by id;
-- SET of an element of an array
create table t (id int, a int[], s text[]);
insert into t values (1, '{1,2,3}', '{x,y}'), (2, '{5}', null), (3, null, null);
update t set a[2] = 9 where id < 3;
update t set a[1] = 4, s[1] = 'z' where id = 3;
update t set s[1] = 'first', a[id + 3] = id where id < 3;
select * from t order by id;
-- DEFAULT beside what is computed
create table t (id int primary key, b int default 7, s text, d date default '2020-01-01');
insert into t values (1, 2, 'A', null);
update t set s = lower(s), b = default, d = default returning t.*, id + b as n;
-- ON CONFLICT DO UPDATE that asks a query, or compares whole rows
create table t (id int primary key, b int default 7, s text);
create table u (id int, w text);
insert into t values (1, 2, 'a'), (2, null, 'b');
insert into u values (1, 'one'), (2, 'two'), (5, 'five');
insert into t (id, s) values (1, 'x') on conflict (id) do update set s = (select w from u where u.id = excluded.id);
insert into t (id, s) values (1, 'y') on conflict (id) do update set s = excluded.s || (select max(w) from u) where t.b < (select count(*) from u) returning *;
insert into t (id, s) values (1, 'x'), (9, 'n') on conflict (id) do update set (s, b) = (select w, 1 from u where u.id = t.id) returning *;
insert into t (id, b, s) values (1, 1, 'one'), (2, 1, 'z') on conflict (id) do update set s = excluded.s, b = 0 where t.* is distinct from excluded.* returning *;
select * from t order by id;
-- RETURNING by an alias
create table t (id int primary key, b int default 7);
insert into t as z (id) values (5) returning z.*, z.id + 1 as y, b;
insert into t as z (id) values (5) on conflict (id) do update set b = z.b + 1 where z.id > 3 returning z.id, b;
create table u (id int);
insert into u values (5);
update t x set b = 1 from u where x.id = u.id returning x.*, x.id + 1 as y, b;
delete from t using u where t.id = u.id returning t.*;
