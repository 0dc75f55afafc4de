-- nextval comes behind ORDER BY and LIMIT
create sequence s;
create table t (a int, b text);
insert into t select (i * 37) % 101, 'r' || i from generate_series(1, 100) i;
select a, nextval('s') from t order by a limit 3;
select nextval('s');
select 'N-' || nextval('s') as number, b from t order by a desc limit 2;
select nextval('s') as n, a + 1 as more from t order by more limit 2;
select *, nextval('s') from t order by a limit 2;
select a % 3 as m, count(*), nextval('s') from t group by a % 3 order by m;
select distinct on (a % 2) a % 2 as m, a, nextval('s') from t order by a % 2, a desc;
select a, nextval('s') as n from t where a < 3 order by n desc;
select currval('s');
-- ... also where the rows are kept
create sequence s;
create table t (a int);
insert into t select (i * 7919) % 5000 from generate_series(1, 4999) i;
create table numbered as select nextval('s') as n, a from t order by a desc;
select * from numbered order by n limit 3;
select count(*) from (select a - lag(a) over (order by n) as d from numbered) x where d >= 0;
create table ranked (id bigint, a int);
insert into ranked (id, a) select nextval('s'), a from t order by a limit 4;
select * from ranked order by id;
create view w as select a, nextval('s') as n from t order by a limit 2;
select * from w order by n;
