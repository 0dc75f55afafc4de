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
