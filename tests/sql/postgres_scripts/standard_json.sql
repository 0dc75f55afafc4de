-- JSON_VALUE over a table
create table t (id int, d jsonb, j json, s text);
insert into t values (0, null, null, null), (1, '{"a": 1, "b": {"c": "x"}, "l": [1, 2.50, "three", null, true], "n": null, "d": "2024-05-06"}', '{"a" : 1.50, "a": "second"}', '{"a": " 7 "}'), (2, '[{"a": 5}, {"a": 6}]', '[1]', '[]'), (3, '"text"', 'null', '1'), (5, '{"a": "no number", "b": []}', '{}', '{"a": "t"}');
select id, json_value(d, '$.a') as a, json_value(d, '$.b.c') as c, json_value(d, 'lax $.l[1]') as l, json_value(d, '$.n') as n, json_value(d, '$') as whole from t order by id;
select id, json_value(d, '$.l[4]') as truth, json_value(d, '$."a"') as quoted, json_value(d, '$.l[9]' default 'none' on empty) as e, json_value(d, '$.b' default 'bad' on error) as f from t order by id;
select id, json_value(d, '$.a' returning int) as i, json_value(d, '$.a' returning int default -1 on empty default -2 on error) as j, json_value(d, '$[1].a' returning bigint) as k from t order by id;
select id, json_value(d, '$.l[1]' returning numeric(6, 1)) as n, json_value(d, '$.l[1]' returning float8) as f, json_value(d, '$.l[4]' returning boolean) as b, json_value(d, '$.l[2]' returning text) as x from t order by id;
select id, json_value(j, '$.a') as j, json_value(s, '$.a' returning int) as s, json_value(s, '$.a' returning boolean) as b from t order by id;
select json_value(d, '$.b' error on error) from t where id = 1;
select json_value(d, '$.zz' error on empty) from t where id = 1;
select json_value(d, '$.a' error on empty error on error) from t where id = 1;
select id from t where json_value(d, '$.a') = '1' and json_value(d, '$.a' returning int) < 2 order by id;
create table n (id int, s text);
insert into n values (1, '[1, "yes", "off", 0, 2]'), (2, '[1e100, 1e400, "NaN", "-Infinity", 1.5e3]'), (3, '["12.50", "x", " 7 ", "1e-3", 99999999999]');
select id, json_value(s, '$[0]' returning boolean) as a, json_value(s, '$[1]' returning boolean) as b, json_value(s, '$[2]' returning boolean) as c, json_value(s, '$[3]' returning boolean) as d, json_value(s, '$[4]' returning boolean) as e from n where id = 1;
select id, json_value(s, '$[0]' returning float8) as a, json_value(s, '$[1]' returning float8) as b, json_value(s, '$[2]' returning float8) as c, json_value(s, '$[3]' returning float8) as d, json_value(s, '$[4]' returning float8) as e from n order by id;
select id, json_value(s, '$[0]' returning numeric(8, 3)) as a, json_value(s, '$[1]' returning numeric(8, 3)) as b, json_value(s, '$[3]' returning numeric(8, 3)) as d, json_value(s, '$[4]' returning int) as e from n where id <> 2 order by id;
select json_value(d, '$.b.c'), count(*) from t group by 1 order by 1 nulls last;
-- JSON_QUERY and JSON_EXISTS over a table
create table t (id int, d jsonb, s text);
insert into t values (0, null, null), (1, '{"a": 1, "b": {"c": "x", "e": []}, "l": [1, 2.50, "three", null, {"a": 2}]}', '{"k": [1, 2]}'), (2, '[{"a": 5}, {"a": 6}]', '{}'), (3, '"text"', '"x"');
select id, json_query(d, '$.b') as b, json_query(d, '$.l[2]') as three, json_query(d, '$.a') as a, json_query(d, '$') as whole from t order by id;
select id, json_query(d, '$.a' with wrapper) as w, json_query(d, '$.a' with conditional wrapper) as c, json_query(d, '$.l[*]' with unconditional array wrapper) as l from t order by id;
select id, json_query(d, '$.zz' empty array on empty) as a, json_query(d, '$.zz' empty object on empty) as o, json_query(d, '$.a' empty array on error) as e, json_query(s, '$.k') as k from t order by id;
select id, json_query(d, '$.b' returning json) as j, json_query(d, '$.l[4].a' without wrapper) as n from t order by id;
select json_query(d, '$.zz' error on empty) from t where id = 2;
select id, json_exists(d, '$.a') as a, json_exists(d, '$.b.e') as e, json_exists(d, '$.b.e[0]') as f, json_exists(d, '$[1]') as s, json_exists(d, '$[0][0]') as z from t order by id;
select id from t where json_exists(d, '$.l[3]') or json_exists(s, '$') order by id;
update t set s = json_value(d, '$.l[2]') where json_exists(d, '$.l');
select id, s from t order by id;
-- IS JSON over a table
create table t (id int, s text, d jsonb, n int);
insert into t values (1, '{"a": 1}', '{}', 1), (2, '[1,]', '[]', 2), (3, ' 12 ', '1', 3), (4, 'nan', null, 4), (5, null, null, 5), (6, '', null, 6), (7, '[1, {}]', null, 7), (8, '{"a": 1, "a": 2}', null, 8);
select id, s is json as j, s is json value as v, s is json object as o, s is json array as a, s is json scalar as c, s is not json as n, d is json object as d from t order by id;
select id from t where s is json and s is not json scalar order by id;
select n is json from t;
-- what a path of jsonb leads to
create table t (id int, d jsonb);
insert into t values (1, '{"a": 1, "b": {"c": "x", "e": []}, "l": [1, 2.50, "three", null, {"a": 2}]}'), (2, '[{"a": 5}, {"a": 6}]'), (3, '"text"'), (4, null);
select id, d @? '$.a' as a, d @? '$.b.e[0]' as e, jsonb_path_exists(d, '$.l[4].a') as l, jsonb_path_exists(d, 'lax $[1]'::jsonpath) as s from t order by id;
select id, jsonb_path_query_first(d, '$.a') as f, jsonb_path_query_array(d, '$.a') as a, jsonb_path_query_array(d, '$.l[*]') as l, jsonb_path_query_first(d, '$.zz') as z from t order by id;
select id from t where d @? '$.l' or not jsonb_path_exists(d, '$.a') order by id;
select t.id, q.v from t, jsonb_path_query(t.d, '$.a') as q (v) order by 1, 2;
select id, jsonb_path_query(d, '$.l[*]') as v from t order by id, 2;
select id, (jsonb_path_query_first(d, '$.a'))::int + 1 as n, jsonb_path_query_first(d, '$.b.c') #>> '{}' as c from t where id <> 3 order by id;
