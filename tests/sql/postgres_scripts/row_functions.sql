-- what a function gives is grouped
create table t (id int, a int[], s text, n int);
insert into t values (1, '{1,2}', 'x,y', 2), (2, '{3,1}', 'y', 3), (3, null, null, 1), (4, '{}', '', 0);
select unnest(a) x, count(*) from t group by unnest(a) order by 1;
select unnest(a) x, count(*) from t group by x order by 1;
select unnest(a), count(*) from t group by 1 order by 1;
select unnest(string_to_array(s, ',')) as tag, count(*) as c, sum(id) from t where n > 0 group by tag order by c desc, tag;
select unnest(string_to_array(s, ',')) as tag, count(*) from t group by 1 having count(*) > 1;
select id, unnest(a) as x, count(*) from t group by id, x order by 1, 2;
select generate_series(1, n) g, count(*) from t group by 1 order by 1;
select regexp_split_to_table(s, ',') w, count(*) from t group by w order by 1;
select jsonb_array_elements_text('["a","b"]'::jsonb) e, count(*) from t group by e order by e;
select u.id, unnest(a) x, count(*) from t u left join t v on v.id = u.id + 1 group by u.id, x order by 1, 2;
select id, count(*), generate_series(1, 2) from t group by id order by 1, 3;
-- the rows of one row stay together
create table t (id int, a int[], n int);
insert into t select g, array[3, 1, 2], g % 3 from generate_series(1, 40) g;
select id, unnest(a) x from t order by id desc limit 8;
select id, generate_series(1, n) g, n + 1 as m from t order by id desc offset 2 limit 5;
select id, unnest(a) + n as x, generate_series(1, 4) as g from t where n > 0 order by 1 limit 6;
select n, count(*), unnest(array['a', 'b']) from t group by n order by n desc;
with w as (select id, n from t) select w.id, generate_series(n, 2) from w order by w.id limit 4;
select distinct on (n) n, id, unnest(a) x from t order by n, id desc;
select distinct unnest(a) as x from t order by x;
select distinct on (unnest(a)) unnest(a) x, id from t order by unnest(a), id;
select id, unnest(a) x from t order by x desc, id limit 3;
select count(*) from (select distinct on (n) n, unnest(a) x from t) q;
