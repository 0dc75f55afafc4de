-- search and cycle
create table g (f int, t int, w text);
insert into g values (1, 2, 'a'), (1, 3, null), (2, 4, 'c'), (3, 4, 'd'), (4, 1, 'e'), (2, 5, 'f');
with recursive s(f, t) as (select f, t from g where f = 1 union all select g.f, g.t from g join s on g.f = s.t where s.f < 4 and g.f < 4) search depth first by f, t set o select f, t from s order by o;
with recursive s(f, t) as (select f, t from g where f = 1 union all select g.f, g.t from g join s on g.f = s.t where s.f < 4 and g.f < 4) search breadth first by f, t set o select f, t from s order by o;
with recursive s as (select f, t from g where f = 1 union all select g.f, g.t from g, s where g.f = s.t) cycle f, t set c using p select f, t, c from s order by p;
with recursive s as (select f, t from g where f = 1 union all select g.f, g.t from g, s as r where g.f = r.t) cycle f set c to 'Y' default 'N' using p select f, t, c from s where f < 9 order by p, t;
with recursive s as (select f, t from g where f = 1 union all select g.f, g.t from g, s where g.f = s.t) search depth first by t set o cycle f set c to 'Y' default 'N' using p select f, t, c from s where c = 'N' order by o;
with recursive s as (select f, w from g where f < 3 union select g.f, g.w from g, s where g.f = s.f + 1) search breadth first by w set o select f, w from s order by o, f;
with recursive s as (select f, w, t from g where f = 1 union all select g.f, g.w, g.t from g, s where g.f = s.t) cycle w set c using p select f, w, c from s order by f, w, c;
with recursive s as (select f, t from g where f = 1 union all select g.f, g.t from g, s where g.f = s.t) cycle x set c using p select f from s;
with recursive s (a, b) as not materialized (select f, t from g where f = 1 union all select g.f, g.t from g, s where g.f = s.b) cycle a set c using p, n as (select count(*) k from s where not c) select k from n;
select * from (with recursive s as (select f, t from g where f = 1 union all select g.f, g.t from g, s where g.f = s.t) cycle f set c using p select f, t, c from s) q order by 1, 2, 3;
create view v as with recursive s as (select f, t from g where f = 1 union all select g.f, g.t from g, s where g.f = s.t) cycle f set c using p select f, c from s;
select * from v order by 1, 2;
with recursive n(a) as (select 1 union all select a + 1 from n where a < 3) search depth first by a set o select * from n;
create table search (cycle int);
insert into search values (1);
with recursive s(cycle) as (select cycle from search union all select cycle + 1 from s where cycle < 2) select * from s order by cycle;
-- what a recursive term may not do
with recursive x(n) as (select 1 union all select sum(n) from x) select * from x;
with recursive x(n) as (select 1 union all select n from x group by n having count(*) > 0) select * from x;
with recursive x(n) as (select 1 union all select (select n from x) from x where n < 5) select * from x;
with recursive x(n) as (select 1 union all select n + 1 from x where n in (select n from x)) select * from x;
with recursive x(n) as (select 1 union all select y.m from (select n + 1 as m from x where n < 5) y) select sum(n) from x;
with recursive x(n) as (select 1::bigint union all select n + row_number() over () from x where n < 4) select * from x order by n;
