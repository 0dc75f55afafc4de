-- a subquery in FROM sees the query around it, and not what stands before it
create table t (q1 int, q2 int);
insert into t values (1, 2), (3, 4);
select *, (select r from (select q1 as q2) x, (select q2 as r) y) from t order by 1;
select *, (select r from (select q1 as q2) x, lateral (select q2 as r) y) from t order by 1;
select *, (select sum(r) from (select 10 as q2, 5 as z) x cross join (select q2 + 1 as r) y) from t order by 1;
select *, (select max(r) from (select 10 as q2) x join (select v.w as r from (values (7)) v(w) where q2 > 2) y on true) from t order by 1;
select *, exists (select 1 from (values (9)) x(q2), (select q2 as r) y where r = 2) from t order by 1;
select *, (select max(r) from (select 10 as q2) x join (select q2 as r from t b where b.q1 = 1) y on true) from t order by 1;
select a.q1, (select max(y.r) from (select 'x' as q1) s, (select a.q1 + q2 as r) y) from t a order by 1;
