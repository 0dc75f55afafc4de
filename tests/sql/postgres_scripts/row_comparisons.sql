-- rows compared with rows, where values are NULL
create table t (a int, b int, s text, d date);
insert into t values (1, 2, 'a', '2020-01-01'), (1, null, 'b', '2020-01-02'), (2, 1, 'c', '2020-01-03'), (null, 1, 'a', '2020-01-05');
select a, b, (a, b) < (1, 3) as l, (a, b) > (1, 1) as g, (a, b) <= (1, 2) as le, (a, b) >= (1, 2) as ge from t order by d;
select a, b, (a, b) = (1, 2) as e, (a, b) <> (1, 2) as n, (a, b) is distinct from (1, null) as d from t order by d;
select a, b from t where (a, b) > (1, 1) order by 1, 2;
select a, b from t where (d, a) > ('2020-01-01', 1) order by d limit 2;
select a, b from t where not (a, b, s) < (1, 2, 'zz') order by d;
select row(1, 2) < row(1, null) as a, row(1, null) < row(2, 0) as b, row(1, null) = row(1, null) as c;
select row(1, null) <> row(2, null) as a, row(1, null) is not distinct from row(1, null) as b;
-- a row compared with the row of a query
create table t (a int, s text);
insert into t values (1, 'x'), (2, 'y'), (3, null);
select a from t where (a, s) = (select 1, 'x') order by a;
select a, (a, s) >= (select a, s from t where a = 2) as g from t order by a;
select a, (a, s) = (select a, s from t where a = 9) as none from t order by a;
select a from t where (a, s) = (select a, s from t);
-- rows that are NULL, and rows that hold none
create table t (a int, s text);
insert into t values (1, null), (null, null), (2, 'x');
select a, (a, s) is null as n, row(a, s) is null as r, (a, s) is not null as nn, not (a, s) is null as d, not (a, s) is not null as dn from t order by a;
select * from t where (a, s) is null;
select * from t where (a, s) is not null;
select count(*) filter (where (a, s) is null) as none, sum(a) filter (where row(a, s) is not null) as whole from t;
select x.a, y.a as next from t x left join t y on y.a = x.a + 1 where (y.a, y.s) is null order by x.a;
select a, t is null as n, t is not null as nn, not t is null as d, not t is not null as dn from t order by a;
select row(null, null) is null as a, row(1, null) is null as b, row(row(null)) is null as c;
