-- FILTER comes before what the aggregate is given
create table t (id int, n int, s text);
insert into t values (1, 0, 'x'), (2, 5, '7'), (3, 2, '8'), (4, null, null);
select sum(10 / n) filter (where n <> 0), count(*) filter (where n > 0) from t;
select sum(s::int) filter (where s ~ '^[0-9]+$'), max(n % (id - 1)) filter (where id > 1) from t;
select array_agg(10 / n) filter (where n <> 0) from t where id < 4;
select sum(10 / n) from t;
-- DISTINCT beside ORDER BY of a cast
create table t (id int, s varchar(10), b bool);
insert into t values (2, 'x', true), (10, 'y', false), (2, 'x', true);
select string_agg(distinct id::text, ',' order by id::text), string_agg(distinct id::text, ',') from t;
select array_agg(distinct s::text order by s::text desc), array_agg(distinct b::text order by b::text) from t;
-- lag and lead are of the type of their default too
create table t (d date, i int, b bigint, f float8, s text);
insert into t values ('2020-01-01', 1, 10, 1.5, 'x'), ('2020-01-02', 2, 20, 2.5, 'y');
select lag(i, 1, 0.5::float8) over (order by d), lead(i, 1, b) over (order by d), lag(i, 1, 0) over (order by d) from t order by d;
select lag(s, 1, 'none') over (order by d), lag(d, 1, '2019-12-31') over (order by d), lead(f, 1, i) over (order by d) from t order by d;
select lag(i, 1, 0.7) over (order by d) > 0.6 as above from t order by d;
-- RANGE with an offset in quotes
create table t (d date, m timestamp, i int);
insert into t values ('2020-01-01', '2020-01-01 10:00', 1), ('2020-01-03', '2020-01-01 10:30', 2), ('2020-01-09', '2020-01-01 12:00', 3);
select sum(i) over (order by d range between '7 days' preceding and current row) from t order by d;
select sum(i) over (order by d desc range between '2 days' preceding and '1 day' following) from t order by d;
select sum(i) over (order by m range '45 min' preceding), count(*) over (order by m groups between 1 preceding and 1 following) from t order by m;
-- ORDER BY with an operator
create table t (a int, b int);
insert into t values (1, 2), (2, null), (1, 1);
select * from t order by a using >, b using < nulls first;
select row_number() over (order by a using >, b using <) as n, a, b from t order by b using >;
-- percentiles of numerics are not rounded to their digits
create table t (g int, n numeric(10, 1), i int, f float8);
insert into t values (1, 1.1, 1, 1.1), (1, 1.2, 2, 1.2), (2, 5, 5, 5);
select percentile_cont(0.5) within group (order by n), percentile_cont(0.25) within group (order by n desc), percentile_cont(array[0.25, 0.5]) within group (order by n) from t;
select g, percentile_cont(0.5) within group (order by n) as a, percentile_cont(0.5) within group (order by i) as b, percentile_cont(0.5) within group (order by f) as c, percentile_disc(0.5) within group (order by n) as d from t group by g order by g;
select percentile_cont(0.5) within group (order by n + i) filter (where g = 1) from t;
