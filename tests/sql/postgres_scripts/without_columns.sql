-- rows without columns
create table t (id int);
insert into t select generate_series(1, 100);
select;
select from t;
select from t where id < 4;
select from t where false;
select where false;
select from t limit 2;
select from t union all select from t where id = 1;
select union select;
select from t order by id;
select from generate_series(1, 3);
-- what counts them
create table t (id int);
insert into t values (1), (2);
select count(*) from (select from t) s;
select exists (select from t), exists (select from t where id = 3), not exists (select);
select id from t where exists (select from t u where u.id = t.id + 1);
with w as (select from t) select count(*) from w;
select 1 as x from (select from t) s;
-- columns on one side only
create table t (id int);
select from t union all select 1;
select 1 union all select;
-- cursors and prepared statements over them
create table t (id int);
insert into t values (1), (2), (3);
prepare p as select from t where id > 1;
execute p;
begin;
declare c cursor for select from t;
fetch 2 from c;
fetch all from c;
commit;
