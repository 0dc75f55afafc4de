-- times of day that are intervals
create table t (id int, a time, b time, d date, iv interval, z timetz, ts timestamp, tz timestamptz);
insert into t values (1, '10:00', '12:30:15.5', '2024-02-29', '1 day 15:00', '10:00+02', '2024-02-29 10:11:12', '2024-02-29 10:11:12Z'), (2, '23:59:59', '00:00', '2024-12-31', '-11:00', '23:30-05:30', '2024-02-29 00:00', '2024-02-29 00:00Z'), (3, null, null, null, null, null, null, null), (4, '24:00', '00:00:01', '0044-03-15 BC', '1 mon 2 days 00:00:01', '00:00+15', 'infinity', '-infinity');
select id, a - b as x, b - a as y, (a - b)::text as t from t order by id;
select id, a + iv as x, a - iv as y, iv + a as z from t order by id;
select id, d + a as x, a + d as y from t order by id;
select id, z + iv as x, z - iv as y, iv + z as w from t order by id;
select id, d + z as x, z + d as w from t order by id;
select id, a::interval as x, iv::time as y, a::timetz::text is not null as w, z::time as v from t order by id;
select id, ts::time as x from t where id < 4 order by id;
select id, a + interval '1 hour' as x, a - interval '25 hours' as y, a + '02:00' as z, a - '02:00' as w, a - time '01:00' as v, '12:00' - a as u from t order by id;
select id, sum(a - b) over (order by id) as s, a - b > interval '0' as g, abs(extract(epoch from a - b)) as e from t order by id;
select id, extract(epoch from z) as e, date_part('epoch', z) as p, extract(epoch from a) as a, extract(timezone from z) as zo from t order by id;
select max(a) as m, min(b) as n, sum(a) as s, avg(b) as v from t;
select d > '2024-03-01' as g, sum(a) as s, sum(b) filter (where id = 1) as f from t group by 1 order by 1;
select id, ts - a as x, ts + a as y, d - a as z, a + ts as w from t order by id;
select id, tz - a as x, tz + a as y, tz - a > ts as z from t where id < 4 order by id;
select id, a * 2 as x, 0.5 * a as y, a / 4 as z from t order by id;
select id from t where b - a > '02:00' order by id;
update t set iv = b - a where id = 1;
select iv from t where id = 1;
-- to_char of intervals and times
create table t (id int, a time, iv interval);
insert into t values (1, '10:05:06.789', '1 year 2 months 3 days 04:05:06.789'), (2, '23:59:59', '-14 months -2 days -30:04:05.25'), (3, null, null), (4, '00:00', '100 days 123:00'), (5, '12:00', '00:30');
select id, to_char(iv, 'HH24:MI:SS') as a, to_char(iv, 'YYYY-MM-DD HH24:MI:SS.MS') as b, to_char(iv, 'DD "days" FMHH24 "hours"') as c from t order by id;
select id, to_char(a, 'HH24:MI') as a, to_char(a, 'HH12:MI AM') as b, to_char(a, 'HH24:MI:SS.US') as c, to_char(a - '01:00', 'HH24:MI') as d from t order by id;
select id, to_char(iv, 'HH12:MI PM') as a, to_char(iv, 'DDD') as b, to_char(iv, 'FMMI') as c from t order by id;
select to_char(sum(iv), 'DD HH24:MI') as s, to_char(max(iv) - min(iv), 'HH24') as d from t where id in (1, 5);
-- string_agg of bytea
create table t (g int, b bytea, s bytea);
insert into t values (1, '\x00ff', ','), (1, '\x61', ','), (1, null, ','), (2, '\x', ','), (2, 'b', ','), (2, 'b', ','), (3, null, ',');
select g, string_agg(b, ',' order by b) as a, string_agg(b, '\x00'::bytea order by b desc) as z, string_agg(b, '' order by b) as e from t group by g order by g;
select g, string_agg(distinct b, ',') as a, string_agg(b, '-' order by b) filter (where b > '\x60') as f from t group by g order by g;
select g, octet_length(string_agg(b, ', ')) as n from t group by g order by g;
-- the rank of what is not there
create table t (g int, x int, y numeric, s text);
insert into t values (1, 1, 1.5, 'a'), (1, 3, 2.5, 'b'), (1, 3, 3.5, 'c'), (1, null, null, null), (2, 10, 0, 'z'), (2, null, 1, 'q');
select g, rank(3) within group (order by x) as r, dense_rank(4) within group (order by x) as d, percent_rank(3) within group (order by x) as p, cume_dist(3) within group (order by x) as c from t group by g order by g;
select rank(3) within group (order by x desc) as r, dense_rank(2) within group (order by x desc) as d, percent_rank(3) within group (order by x desc) as p, cume_dist(3) within group (order by x desc) as c from t;
select rank(2.5) within group (order by y) as r, rank('b') within group (order by s) as s, rank(3) within group (order by x nulls first) as n, dense_rank(3) within group (order by x nulls first) as m from t;
select rank(3) within group (order by x) filter (where g = 1) as r, cume_dist(3) within group (order by x) filter (where g > 5) as c, percent_rank(3) within group (order by x) filter (where g > 5) as p from t;
select rank(null) within group (order by x) as r, dense_rank(null) within group (order by x desc) as d, cume_dist(null) within group (order by x nulls first) as c, cume_dist(null) within group (order by x) as e, percent_rank(null::int) within group (order by x) as p from t;
select percentile_cont(0.5) within group (order by x) as c, rank(0) within group (order by x) + 1 as r from t;
-- aggregates of an outer query
create table o (x int, g int, t text);
create table i (y int, x int);
insert into o values (1, 1, 'a'), (2, 1, 'b'), (10, 2, 'c'), (null, 2, 'd');
insert into i values (1, 100), (3, 200), (10, 300), (20, 400);
select (select sum(o.x)) from o;
select g, (select sum(o.x)) from o group by g order by g;
select g from o group by g having exists (select 1 from i where i.y = sum(o.x)) order by g;
select g, (select max(i.y) from i where i.y <= sum(o.x)) as m from o group by g order by g;
select (select sum(o.x + i.y) from i) as s from o order by 1;
select (select count(o.x)) as c, (select sum(g)) as s, (select avg(o.x)) as a from o;
select (select array_agg(o.x order by o.x desc)) as a, (select string_agg(o.t, ',' order by o.t)) as s from o;
select (select sum(o.x) filter (where o.g = 1)) as s from o;
select g, (select sum(o.x) + min(i.y) from i) as s from o group by g order by g;
select g, array(select y from i where y <= max(o.x) order by y) as e, max(o.x) in (select y from i) as n from o group by g order by g;
select g from o where (select sum(o.x)) > 1;
