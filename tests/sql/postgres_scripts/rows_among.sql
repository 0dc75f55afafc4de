-- rows among rows, where values are NULL
create table l (a int, b int);
create table r (a int, b int);
insert into l values (1, 1), (1, null), (null, 1), (null, null), (2, 2), (7, 8);
insert into r values (1, 1), (null, 5), (2, null), (7, 9);
select a, b, (a, b) in (select a, b from r) as i, (a, b) not in (select a, b from r) as n from l order by 1, 2;
select a, b from l where (a, b) not in (select a, b from r) order by 1, 2;
select a, b from l where (a, b) in (select a, b from r) order by 1, 2;
select a, b from l where not ((a, b) in (select a, b from r where b is not null)) order by 1, 2;
select a, b from l where (a, b) not in (select a, b from r where false) order by 1, 2;
select a, b from l where (a + 1, b) not in (select r.a, r.b from r where r.b = l.b) order by 1, 2;
select a, b from l where (a, b) not in (values (1, 1), (null, 5)) order by 1, 2;
select a, b from l where (a, b) not in ((1, 1), (null, 5)) order by 1, 2;
select count(*) from l where (a, b) not in (select a, b from r) or a = 1;
delete from l where (a, b) not in (select a, b from r where a is not null and b is not null);
select a, b from l order by 1, 2;
