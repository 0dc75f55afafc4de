-- a row that was not found is NULL
create table a (id int, x int);
create table b (id int, c text);
insert into a values (1, 1), (2, 2), (3, null);
insert into b values (1, 'x'), (null, null);
select count(b.*), count(b), count(*) from a left join b on a.id = b.id;
select a.id, b is null as n, b is not null as nn from a left join b on a.id = b.id order by 1;
select a.id from a left join b on a.id = b.id where b.* is null order by 1;
select a.id, to_json(b) as j, row_to_json(b) as r from a left join b on a.id = b.id order by 1;
select a.id, json_agg(b) filter (where b is not null) as j from a left join b on a.id = b.id group by 1 order by 1;
select a.id, coalesce(to_json(b)::text, 'none') as j from a left join b on a.id = b.id order by 1;
select count(b.*) from a left join b using (id);
select count(b) from a left join b on ((a.id = b.id) and a.x > 0);
select count(a), count(b) from b right join a on b.id = a.id;
select a.id, count(l) from a left join lateral (select c from b where b.id = a.id) l on true group by 1 order by 1;
with w as (select * from b) select a.id, to_json(w) as j from a left join w on w.id = a.id order by 1;
-- a row IS NULL where all its columns are, and IS NOT NULL where none is
create table b (id int, c text);
insert into b values (1, 'x'), (null, null), (2, null);
select b is null as n, b is not null as nn, not (b is null) as no from b order by id;
select s is null as n, s is not null as nn from (select 1 as a, null as b) s;
select count(*) from b where b is not null;
-- a name is a column first, and a function's result has the name of its alias
create table nm (nm text, x int);
insert into nm values ('q', 1), (null, 2);
select nm, nm is null as n from nm order by x;
select count(nm) from nm;
select g, g is null as n from generate_series(1, 2) g;
select count(g) from generate_series(1, 2) g;
select x is null as n, count(x) from (values (1), (null)) v (x) group by 1 order by 1;
