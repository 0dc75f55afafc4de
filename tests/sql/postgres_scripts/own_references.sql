-- rows of one INSERT that refer to each other, in any order
create table n (id int primary key, p int references n (id), s text default 'x');
insert into n values (1, null), (2, 1);
insert into n (p, id) values (3, 4), (2, 3), (4, 5), (null, 6);
select * from n order by id;
insert into n values (7, 99), (8, 7);
select count(*) from n;
insert into n values (7, 6), (8, 7) returning id, p, s;

-- of a query, with fewer columns, in a WITH
create table n (id bigint primary key, p bigint references n, s text default 'x');
insert into n select g, case when g > 1 then g / 2 end from generate_series(9000, 1, -1) as g;
select count(*), count(p), sum(p), min(s) from n;
with x as (select 20000 as a)
insert into n select a + i, case i when 0 then 20002 when 2 then 1 end from x, generate_series(0, 3) as t(i);
select id, p from n where id >= 20000 order by id;
with x as (insert into n values (30001, 30002), (30002, 1) returning *) select count(*) from x;

-- keys of several columns, and several keys
create table m (a int, b int, c int, primary key (a, b), foreign key (c, b) references m (a, b));
insert into m values (1, 2, 3), (3, 2, 4), (4, 2, null);
select * from m order by a;
create table k (id text primary key, up text references k, beside text references k);
insert into k values ('a', 'b', 'c'), ('b', null, 'c'), ('c', null, null), ('d', 'a', 'b');
select * from k order by id;

-- in a transaction, and back
create table n (id serial primary key, p int references n (id));
begin;
insert into n values (101, 102), (102, null);
savepoint a;
insert into n values (103, 104), (104, 101);
rollback to a;
insert into n values (105, 101), (106, 105);
insert into n (p) values (101);
savepoint b;
insert into n values (107, 101), (108, 107);
rollback to b;
commit;
select * from n order by id;
begin;
insert into n values (201, 202), (202, 203), (203, 101);
rollback;
select count(*) from n;
