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
-- fields of intervals
create table t (i interval, s text);
insert into t values ('1 year 2 months 3 days 04:05:06.789', '13 months 25:00:01'), ('-14 months -2 days -03:04:05', '90 min'), (null, null);
select (i::interval year)::text as y, (i::interval month)::text as m, (i::interval day)::text as d from t order by i;
select (i::interval hour)::text as h, (i::interval day to minute)::text as m, (i::interval minute to second)::text as whole from t order by i;
select cast(s as interval day)::text as d, (s::interval year to month)::text as m from t order by s;
select ('1 year 40 days 10:11:12'::interval day to hour)::text as h from t limit 1;
-- moments as ctime() and date(1) write them
set timezone = 'UTC';
create table t (a timestamp, b timestamptz, c date);
insert into t values ('Sat Feb 10 17:32:01 2024', 'Sat Feb 10 17:32:01 EST 2024', 'Sat Feb 10 17:32:01 2024');
insert into t values ('March 3 04:05 2021', 'Mar 03 04:05:06.5 2021 -0800', 'Mar 3 04:05 2021');
insert into t values ('Feb 30 17:32:01 2024', null, null);
select * from t order by a;
-- years before Christ, and units that are columns
create table t (y int, u text, m timestamp);
insert into t values (-44, 'month', '2024-05-17 10:11:12'), (2024, 'hour', '2024-05-17 10:11:12');
select make_date(y, 3, 15) as d, make_timestamp(y, 3, 15, 12, 30, 15.5) as m from t order by y;
select u, date_trunc(u, m) from t order by u;
select make_date(-44, 3, 15) as d from t limit 1;
