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

-- emptied by every transaction
create temp table passing (i int primary key, t text default 'x') on commit delete rows;
insert into passing values (1), (2);
select * from passing;
begin;
insert into passing values (1), (2);
select * from passing order by i;
savepoint a;
insert into passing values (3);
rollback to a;
select count(*) from passing;
commit;
select count(*) from passing;
insert into passing values (1) returning *;
begin;
insert into passing values (1);
rollback;
select relname, relkind from pg_class where relname = 'passing';
begin;
alter table passing rename to gone;
insert into gone values (1);
rollback;
begin;
insert into passing values (1);
alter table passing rename to emptied;
commit;
select count(*) from emptied;
insert into emptied values (5);
select count(*) from emptied;
drop table emptied;
create temp table emptied (i int);
insert into emptied values (1);
select * from emptied;
drop table emptied;
create temp table emptied on commit delete rows as select 1 as i;
select * from emptied;
begin;
create temp table other (i int) on commit delete rows;
rollback;
create temp table other (i int);
insert into other values (1);
select * from other;

-- dropped before, and made again without it
begin;
create temp table passing (i int) on commit drop;
drop table passing;
create temp table passing (i int);
insert into passing values (1);
commit;
select * from passing;
drop table passing;
begin;
create temp table passing (i int) on commit drop;
savepoint a;
drop table passing;
rollback to a;
insert into passing values (2);
alter table passing rename to renamed;
select * from renamed;
commit;
select * from renamed;
select * from passing;
