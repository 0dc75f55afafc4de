-- a view that is replaced keeps its columns
create table t (id int, n int, s text);
create view v as select id, n from t;
create or replace view v as select id from t;
create or replace view v as select id, n as m from t;
create or replace view v as select id, n::bigint as n from t;
create or replace view v as select id, n, array[n] as more from t;
create or replace view v as select id, n, array[n::text] as more from t;
create or replace view v (a, b) as select id, n, array[n] as more from t;
create or replace view v (id, n) as select n, id, array[n] as more from t;
create or replace view t as select 1 as id;
create or replace view scripted.other as select id from t;
create or replace view scripted.other as select s as id from t;
begin;
create or replace view v as select id from t;
rollback;
select * from v;
