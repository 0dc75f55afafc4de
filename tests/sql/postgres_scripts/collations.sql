-- of columns, as session stores and dumps write them
create table session (sid varchar(20) not null collate "default", sess json not null, expire timestamp(6) not null) with (oids=false);
alter table session add constraint session_pkey primary key (sid) not deferrable initially immediate;
create index idx_session_expire on session (expire);
insert into session values ('a', '{}', '2026-01-01'), ('B', '{}', '2026-01-02');
select sid from session order by sid collate pg_catalog."C";
create table t (a text collate pg_catalog."default" not null default 'x', b varchar(5) collate "POSIX" unique, c text collate ucs_basic);
alter table t add column d text collate "default", add constraint k primary key (a), alter column b type varchar(9) collate "C";
insert into t values ('b', 'b', 'b', 'b'), ('A', 'A', 'A', 'A');
select a, b, c, d from t order by a;
create index on t (a collate pg_catalog."C", b collate "C" desc);
-- of expressions
select 'a' collate "C" < 'B' as one, 'a' collate pg_catalog."C" < 'B' collate pg_catalog."C" as two;
create table t (a text);
insert into t values ('b'), ('A'), ('a');
select a collate "C" as x from t where a collate pg_catalog."C" > 'B' order by a collate "POSIX" desc;
create view v as select a collate "C" as x from t;
select x from v order by x collate ucs_basic;
select max(a collate "C") as m from t;
