-- what no float is
create table t (f float8, n numeric, k int);
insert into t values (-1, 3, 2), (0, -3, -1);
select power(f, 0.5) from t where k = 2;
select power(-2, 0.5);
select power(0, -1);
select power(f, k) from t order by k;
select f ^ 2, power(2, k), power(f - 1, 3) from t order by k;
select power('-infinity'::float8, 0.5), power('nan'::float8, 2), power(null, 2), power(2, 10);
select power(f, 'nan'::float8) from t where k = 2;
select power(max(k), 2), power(2, min(k)) from t;
select power(min(f), 0.5) from t;
-- texts that are no json
create table t (x text);
insert into t values ('[1,2,]'), ('{"a":1,}'), ('NaN'), ('[Infinity]'), ('{"a":"nan,]"}'), (' [1, 2] ');
select x::json ->> 'a' from t where x like '%nan%';
select x::json from t where x like ' %';
select '{"b": 1.50}'::json, null::json;
-- parts of years before Christ, and of moments without end
create table t (d date, ts timestamp, tz timestamptz);
insert into t values ('0044-03-15 BC', '0101-01-01 10:00 BC', '2020-02-03 04:05:06+00'), ('infinity', '-infinity', 'infinity');
select extract(year from d), extract(decade from d), extract(isoyear from d), extract(century from d), extract(millennium from d), extract(month from d), extract(dow from d) from t where isfinite(d);
select extract(year from ts), extract(decade from ts), extract(century from ts), extract(year from tz), extract(epoch from tz) from t where isfinite(ts);
select date_part('year', d), date_part('decade', ts), date_part('month', d) from t where isfinite(d);
select date_part('year', d), date_part('epoch', ts), date_part('century', tz), date_part('month', d), date_part('hour', ts) from t where not isfinite(d);
select extract(month from d), extract(hour from ts) from t where not isfinite(d);
select extract(year from interval '-5 years 3 months'), extract(decade from interval '25 years'), extract(hour from time '10:11'), date_part('year', interval '5 years');
select extract(year from date 'infinity'), extract(epoch from timestamp '-infinity');
select extract(year from max(d)), extract(century from min(d)), date_part('year', min(d)), date_part('decade', max(ts)) from t where isfinite(d);
select extract(year from d), extract(year from max(d) over ()), date_part('month', max(d)) from t where isfinite(d) group by d;
-- casts of casts are bound once each, however many there are
create table ch (t timestamp, i int, v text);
insert into ch values ('2024-01-02 03:04:05', 7, '2024-05-06'), (null, null, null);
select t::text::date::text::date::text::date::text::date::text::date from ch;
select sum(i), max(t::text::date::text::date::text::date) from ch where i = '7' and v > '2024' and t::text::date::text::date::text::date = '2024-01-02';
select i::text::float8::text::float8::text::float8::text::float8::text from ch;
select coalesce(coalesce(coalesce(t::date::text, 'x')::date::text, 'x')::date::text, 'y')::date from ch where i = 7;
select v::text::date::text::date::text::date::text::date + 1 as d, count(*) from ch group by v::text::date::text::date::text::date::text::date + 1 order by 1;
create view w as select t::text::date::text::date::text::date as d from ch;
select * from w;
create table cd (i int check (i::text::int::text::int > 0), d date default '2024-01-01'::text::date);
insert into cd values (1);
select * from cd;
