-- functions of texts
create table t (id int, s text, b text, t bool, a int[], y bytea);
insert into t values (1, 'foo bar', 'yes', true, '{1,2}', '\x01ff'), (2, 'a-b-c', ' on ', false, '{3,null}', '\xaa'), (3, null, 'f', null, null, null), (4, '', 'FALSE', true, '{}', '\x');
select concat_ws('#', id, t, s, a) from t order by id;
select concat(variadic a), concat_ws('-', variadic a), concat(t, id) from t order by id;
select split_part(s, '', 1), split_part(s, '', -1), split_part(s, '', 2), split_part(s, '-', -1), split_part(s, s, 1) from t order by id;
select split_part(s, '-', id - 2) from t where id = 2;
select lpad(s, 4, ''), rpad(s, 9, ''), lpad(s, -1, ''), lpad(s, 9, 'xy') from t order by id;
select b::boolean, bool(b), float8(id), text(id) from t order by id;
select (b || 'x')::boolean from t where id = 1;
select encode(y, 'hex'), encode('\x1234', 'hex'), encode('\x1234', 'base64') from t order by id;
select regexp_substr(s, 'o+'), regexp_instr(s, 'o'), regexp_instr(s, '-b'), regexp_count(s, '[ao]') from t order by id;
-- the edges of words
create table t (id int, s text);
insert into t values (1, 'foo bar'), (2, 'foobar'), (3, 'a foo'), (4, null);
select s ~ '\mfoo\M', s ~ '\yfoo\y', s ~ '\m(foo|bar)\M', s ~ '\Yb', s ~* '\mBAR$', s !~ 'oo\M' from t order by id;
select regexp_replace(s, '\mfoo\M', '<\&>'), substring(s from '\m\w+$'), regexp_match(s, '(\w+)\M') from t order by id;
select s from t where s similar to '%(bar|foo)' order by id;
-- numbers as a model says
create table t (id int, n numeric(12, 3), f float8, i int);
insert into t values (1, 1234.5, 0.125, 7), (2, -0.004, -1e3, -12345), (3, 0, 0, 0), (4, null, null, null), (5, 999999.999, 2.5, 100);
select to_char(n, '999,999.99') as a, to_char(n, 'FM999,999,990.00') as b, to_char(n, '0009.9') as c, to_char(n, 'S9,999') as d, to_char(n, 'FM9.99') as e, to_char(n, '$99,990.00MI') as f from t order by id;
select to_char(f, '9990.99') as a, to_char(f, 'FM990.099') as b, to_char(f, '999S') as c from t order by id;
select to_char(i, '99999') as a, to_char(i, '9,999') as b, to_char(i, 'FM000000') as c, to_char(i, '"no. "999') as d, to_char(i, '9G999D9') as e from t order by id;
