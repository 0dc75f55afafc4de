-- columns of queries in FROM and WITH are named as Postgres names them
create table t (a int, b int, s text, n numeric(6,2));
insert into t values (1, 2, 'x', 1.5), (1, 3, 'y', 2), (2, 5, 'z', null);
select max(count) from (select count(*) from t group by a) q;
select q.count from (select count(*) from t group by a) q order by 1;
with c as (select a, sum(b) from t group by a) select a, sum from c order by a;
with c (x) as (select a, sum(b) from t group by a) select x, sum from c order by x;
select * from (select a, max(b), lower(s) from t group by a, s) q order by 1, 2;
select q.coalesce, q."?column?" from (select coalesce(a, 0), a + b from t) q order by 1, 2;
select q."case" from (select case when a = 1 then 'x' else 'y' end from t) q order by 1;
select q.row_number, q.lag from (select row_number() over (order by b), lag(b) over (order by b) from t) q order by 1;
select exists from (select exists (select 1 from t)) q;
select x.count, y.count from (select count(*) from t) x, lateral (select count(*) from t where b > x.count) y;
select q.min from (select min(a) from t union select max(a) from t) q order by 1;
select q.s, lower from (select s, lower(s) from t order by lower(s)) q;
select date_part, numeric from (select date_part('year', date '2020-01-01'), '1.5'::numeric) q;
create view v as select * from (select a, count(*), avg(n) from t group by a) q;
select count, round(avg, 2) as r from v order by a;
