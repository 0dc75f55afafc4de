-- a key that others refer to is dropped with them
create table p (id int constraint pkey_p primary key, u int unique, parent int references p);
create table c (pid int constraint cfk references p(id), u int references p(u));
alter table p drop constraint pkey_p;
alter table p drop constraint p_u_key;
alter table p drop constraint pkey_p cascade;
insert into p values (1, 1), (1, 2);
insert into c values (99, null);
insert into c values (1, 7);
alter table p drop constraint nosuch;
alter table p drop constraint p_u_key cascade;
insert into c values (1, 7);
select conname from pg_constraint where connamespace = 'scripted'::regnamespace order by 1;
-- a column that others refer to is dropped with them
create table p (id int primary key, u int);
create table c (pid int references p);
create view v as select * from p;
alter table p drop column id;
alter table p drop column id cascade;
select * from c;

-- indexes over joined texts, of several, and with NULLS DISTINCT
create table ix (a int, b text, c text);
create unique index ix_a on ix (a) nulls distinct;
create index ix_bc on ix ((b || c));
create index ix_bac on ix ((b || ' ' || c), a);
insert into ix values (1, 'x', 'y'), (null, 'x', null), (null, null, 'z');
select * from ix where b || c = 'xy';
drop index ix_a, ix_bc;
drop index if exists ix_bac, ix_a;
drop index ix_bac;
create view ix_v with (security_invoker = true) as select a from ix;
create or replace view ix_v with (security_barrier) as select a from ix;
drop table ix cascade;
-- a change of a key that failed is not gone on with
create table p (id int primary key, n int unique);
create table c (id int primary key, p int references p (id) on delete cascade);
insert into p values (1, 10), (2, 20);
insert into c values (1, 1), (2, 2);
update p set n = 20 where id = 1 returning n;
drop table c;
create table t (id int, n int);
insert into t values (1, 1);
update t set n = 5 returning *;
