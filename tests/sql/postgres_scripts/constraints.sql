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
