-- a temporary table until COMMIT
begin;
create temp table passing (i int primary key) on commit drop;
insert into passing values (1), (2);
select * from passing order by i;
select relname, relkind from pg_class where relname = 'passing';
commit;
select * from passing;
select relname from pg_class where relname = 'passing';

-- made of a query, with a name in quotes
begin;
create temporary table if not exists "A b" on commit drop as select 1 as x union all select 2;
select * from "A b" order by x;
create table stays as select * from "A b";
commit;
select * from stays order by x;
select * from "A b";

-- outside of a transaction it is gone at once
create temp table passing on commit drop as select 5 as n;
select * from passing;

-- what ROLLBACK TO takes away is not dropped again
begin;
savepoint s;
create temp table passing (i int) on commit drop;
rollback to s;
create temp table passing (i int);
commit;
select * from passing;

-- one that is there already stays
create temp table passing (i int);
insert into passing values (7);
begin;
create temp table if not exists passing (i int) on commit drop;
insert into passing values (8);
commit;
select * from passing order by i;

-- with a savepoint behind it
begin;
create temp table passing (i int) on commit drop;
insert into passing values (1);
savepoint s;
insert into passing values (2);
rollback to s;
select * from passing;
commit;
select * from passing;
