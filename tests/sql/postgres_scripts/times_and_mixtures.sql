-- sums of intervals
create table t (id int, g int, iv interval, ts timestamp);
insert into t values (1, 1, '1 day 02:03:04', '2024-02-29 12:34:56'), (2, 1, '-1 mon 30 days 26:03:04.5', '2024-01-29 01:00'), (3, 2, null, null);
select sum(iv), sum(ts - timestamp '2024-01-01'), sum(iv) filter (where id = 1) from t;
select g, sum(iv), avg(iv) from t group by g order by g;
select id, sum(iv) over (order by id) from t order by id;
-- dates in a time zone, bins of time
create table t (id int, d date, ts timestamp, tz timestamptz);
insert into t values (1, '2024-02-29', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+00'), (2, null, null, null);
select d at time zone 'America/New_York' as a, ts at time zone 'America/New_York' as b, tz at time zone 'America/New_York' as c from t order by id;
select date_bin('15 min', ts, '2001-01-01') as a, date_bin(interval '1 day', tz, '2001-01-01 00:00+00') as b, date_bin('7 days', ts, timestamp '2001-01-01 05:00') as c from t order by id;
select date_bin('6 hours', ts, '2001-01-01') as b, count(*) from t group by 1 order by 1;
-- || of a text and of what is none
create table t (id int, t text, by bytea, f8 float8, f4 float4, iv interval, d date);
insert into t values (1, 'x', '\x00ff', 1.5, 0.1, '1 day 02:03:04', '2024-02-29'), (2, 'y', '\x61', 1e20, 3e10, '-1 mon', null);
select t || by as a, by || t as b, t || f8 as c, f4 || t as d, t || iv as e, iv || t as f, t || id as g, t || d as h from t order by id;
select id || '-' || f8 || '-' || iv as a, by || by as b from t order by id;
-- substr from a place that is not known
create table t (n int);
insert into t values (null), (-1), (0), (3);
select substr('hello', n), substr('hello', n, 3), substring('hello' from n for 1) from t order by n;
