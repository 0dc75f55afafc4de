-- Functions of Postgres's that DuckDB lacks, for the postgres dialect.

CREATE OR REPLACE MACRO _sf.main.pg_each_alone_(list_) AS list_transform(list_, lambda e: [e]);
CREATE OR REPLACE MACRO _sf.main.pg_cardinality_(a) AS
  CASE WHEN typeof(a) LIKE '%][]' THEN error('cardinality of nested arrays is not supported')
       ELSE CAST(len(a) AS INTEGER) END;
CREATE OR REPLACE MACRO _sf.main.pg_array_upper_(a) AS
  CASE WHEN len(a) > 0 THEN CAST(len(a) AS INTEGER) END;
CREATE OR REPLACE MACRO _sf.main.pg_array_lower_(a) AS CASE WHEN len(a) > 0 THEN 1 END;
CREATE OR REPLACE MACRO _sf.main.pg_array_replace_(a, old, new) AS
  list_transform(a, lambda e: CASE WHEN e IS NOT DISTINCT FROM old THEN new ELSE e END);
CREATE OR REPLACE MACRO _sf.main.pg_array_positions_(a, x) AS
  CASE WHEN a IS NOT NULL THEN list_transform(
    list_filter(range(1, len(a) + 1), lambda i: a[i] IS NOT DISTINCT FROM x), lambda i: CAST(i AS INTEGER)) END;
CREATE OR REPLACE MACRO _sf.main.pg_trim_array_(a, n) AS
  CASE WHEN n < 0 OR n > len(a) THEN error('number of elements to trim must be between 0 and ' || len(a))
       ELSE list_slice(a, 1, len(a) - n) END;
CREATE OR REPLACE MACRO _sf.main.pg_stride_(a) AS
  CASE WHEN date_part('year', a) <> 0 OR date_part('month', a) <> 0
       THEN error('timestamps cannot be binned into intervals containing months or years')
       WHEN a <= INTERVAL 0 SECOND THEN error('stride must be greater than zero') ELSE a END;
CREATE OR REPLACE MACRO _sf.main.pg_date_bin_
  (a, x DATE, origin) AS timezone('UTC', time_bucket(_sf.main.pg_stride_(a),
    timezone('UTC', CAST(x AS TIMESTAMPTZ)), timezone('UTC', CAST(origin AS TIMESTAMPTZ)))),
  (a, x TIMESTAMPTZ, origin) AS timezone('UTC', time_bucket(_sf.main.pg_stride_(a),
    timezone('UTC', x), timezone('UTC', CAST(origin AS TIMESTAMPTZ)))),
  (a, x TIMESTAMP, origin) AS time_bucket(_sf.main.pg_stride_(a), x, CAST(origin AS TIMESTAMP));
-- decode(x, 'base64'), which is in lines.
CREATE OR REPLACE MACRO _sf.main.pg_from_base64_(x) AS
  from_base64(translate(x, chr(9) || chr(10) || chr(13) || ' ', ''));
CREATE OR REPLACE MACRO _sf.main.pg_split_part_(s, mark, n) AS
  CASE WHEN n = 0 THEN error('field position must not be zero')
       WHEN mark = '' THEN CASE WHEN abs(n) = 1 THEN s ELSE CASE WHEN s IS NOT NULL THEN '' END END
       ELSE split_part(s, mark, n) END;
CREATE OR REPLACE MACRO _sf.main.pg_lpad_(s, n, fill) AS
  CASE WHEN fill = '' THEN left(s, greatest(n, 0)) ELSE lpad(s, n, fill) END;
CREATE OR REPLACE MACRO _sf.main.pg_rpad_(s, n, fill) AS
  CASE WHEN fill = '' THEN left(s, greatest(n, 0)) ELSE rpad(s, n, fill) END;
-- What x::boolean takes of a text; other types are left as they are.
CREATE OR REPLACE MACRO _sf.main.pg_truth_
  (x VARCHAR) AS CASE
    WHEN lower(trim(x)) IN ('t', 'tr', 'tru', 'true', 'y', 'ye', 'yes', 'on', '1') THEN true
    WHEN lower(trim(x)) IN ('f', 'fa', 'fal', 'fals', 'false', 'n', 'no', 'of', 'off', '0') THEN false
    WHEN x IS NOT NULL THEN error('invalid input syntax for type boolean: "' || x || '"') END,
  (x) AS x;
CREATE OR REPLACE MACRO _sf.main.pg_with_element_(a, n, x) AS
  CASE WHEN n IS NULL THEN error('array subscript in assignment must not be null')
       WHEN n < 1 OR (n > 1 AND coalesce(len(a), 0) = 0)
         THEN error('an array that does not begin with its first element is not supported')
       ELSE list_concat(list_resize(coalesce(a, []), n - 1), [x], coalesce(list_slice(a, n + 1, len(a)), [])) END;
CREATE OR REPLACE MACRO _sf.main.pg_quote_ident_(x) AS
  CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(CAST(x AS VARCHAR), '[a-z_][a-z0-9_]*')
         AND NOT list_contains(['all', 'and', 'any', 'array', 'as', 'asc', 'both', 'case', 'cast', 'check',
           'collate', 'column', 'constraint', 'create', 'default', 'desc', 'distinct', 'do', 'else', 'end',
           'except', 'false', 'fetch', 'for', 'foreign', 'from', 'grant', 'group', 'having', 'in', 'initially',
           'intersect', 'into', 'lateral', 'leading', 'limit', 'not', 'null', 'offset', 'on', 'only', 'or',
           'order', 'placing', 'primary', 'references', 'returning', 'select', 'some', 'symmetric', 'table',
           'then', 'to', 'trailing', 'true', 'union', 'unique', 'user', 'using', 'variadic', 'when', 'where',
           'window', 'with', 'analyse', 'analyze', 'asymmetric', 'deferrable', 'current_date', 'current_role',
           'current_time', 'current_timestamp', 'current_user', 'localtime', 'localtimestamp', 'session_user',
           'between', 'bigint', 'bit', 'boolean', 'char', 'character', 'coalesce', 'dec', 'decimal', 'exists',
           'extract', 'float', 'greatest', 'grouping', 'inout', 'int', 'integer', 'interval', 'least',
           'national', 'nchar', 'none', 'nullif', 'numeric', 'out', 'overlay', 'position', 'precision', 'real',
           'row', 'setof', 'smallint', 'substring', 'time', 'timestamp', 'treat', 'trim', 'values', 'varchar',
           'authorization', 'binary', 'concurrently', 'cross', 'current_catalog', 'current_schema', 'freeze',
           'full', 'ilike', 'inner', 'is', 'isnull', 'join', 'left', 'like', 'natural', 'notnull', 'outer',
           'overlaps', 'right', 'similar', 'tablesample', 'verbose'], CAST(x AS VARCHAR))
       THEN CAST(x AS VARCHAR) ELSE '"' || replace(CAST(x AS VARCHAR), '"', '""') || '"' END;
CREATE OR REPLACE MACRO _sf.main.pg_quote_literal_(x) AS
  CASE WHEN contains(CAST(x AS VARCHAR), '\') THEN 'E' ELSE '' END
    || '''' || replace(replace(_sf.main.pg_text_(x), '''', ''''''), '\', '\\') || '''';
CREATE OR REPLACE MACRO _sf.main.pg_quote_nullable_(x) AS coalesce(_sf.main.pg_quote_literal_(x), 'NULL');
CREATE OR REPLACE MACRO _sf.main.pg_overlaps_(a, b, c, d) AS
  CASE WHEN least(a, b) = least(c, d) THEN true
       WHEN least(a, b) < least(c, d) THEN least(c, d) < greatest(a, b)
       ELSE least(a, b) < greatest(c, d) END;
CREATE OR REPLACE MACRO _sf.main.pg_type_name_(t) AS
  CASE WHEN t LIKE 'DECIMAL%' THEN 'numeric' WHEN t LIKE 'STRUCT%' THEN 'record' ELSE
  CASE t WHEN 'VARCHAR' THEN 'text' WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'timestamp with time zone'
    WHEN 'TIMESTAMP' THEN 'timestamp without time zone' WHEN 'TIME' THEN 'time without time zone'
    WHEN 'DOUBLE' THEN 'double precision' WHEN 'FLOAT' THEN 'real' WHEN 'BLOB' THEN 'bytea'
    WHEN 'JSON' THEN 'json' WHEN 'JSONB' THEN 'jsonb' WHEN 'HUGEINT' THEN 'numeric' WHEN '"NULL"' THEN 'unknown'
    ELSE CASE WHEN t LIKE 'ENUM(%' THEN replace(regexp_extract(t, '''[0-9a-f]{64} ((?:[^'']|'''')*)''\)$', 1), '''''', '''')
      ELSE lower(t) END END END;
CREATE OR REPLACE MACRO _sf.main.pg_typeof_(x) AS
  _sf.main.pg_type_name_(regexp_replace(typeof(x), '(\[\])+$', ''))
    || CASE WHEN ends_with(typeof(x), '[]') THEN '[]' ELSE '' END;
-- A line of base64 has 76 characters.
CREATE OR REPLACE MACRO _sf.main.pg_base64_(x) AS
  rtrim(regexp_replace(to_base64(x), '(.{76})', '\1' || chr(10), 'g'), chr(10));
-- The bounds may come in either order.
CREATE OR REPLACE MACRO _sf.main.pg_width_bucket_(x, low, high, n) AS
  CASE WHEN low = high THEN error('lower bound cannot equal upper bound')
       WHEN low < high THEN _sf.main.width_bucket(x, low, high, n)
       ELSE _sf.main.width_bucket(-x, -low, -high, n) END;
-- What a cast to jsonb is of.
CREATE OR REPLACE MACRO _sf.main.pg_document_(x) AS
  CASE WHEN typeof(x) IN ('VARCHAR', 'JSON', 'JSONB', '"NULL"') THEN x
    ELSE error('cannot cast type ' || _sf.main.pg_typeof_(x) || ' to jsonb') END;

CREATE OR REPLACE MACRO _sf.main.pg_overlay_
  (s, r, a) AS CASE WHEN a < 1 THEN error('negative substring length not allowed')
    ELSE substring(s, 1, a - 1) || r || substring(s, a + length(r)) END,
  (s, r, a, n) AS CASE WHEN a < 1 THEN error('negative substring length not allowed')
    WHEN a + n < 1 THEN substring(s, 1, a - 1) || r || s
    ELSE substring(s, 1, a - 1) || r || substring(s, a + n) END;
CREATE OR REPLACE MACRO _sf.main.pg_octet_length_
  (x BLOB) AS CAST(octet_length(x) AS INTEGER),
  (x) AS CAST(strlen(x) AS INTEGER);
CREATE OR REPLACE MACRO _sf.main.pg_sign_(x) AS
  CASE WHEN typeof(x) LIKE 'DECIMAL%' THEN CAST(sign(x) AS DECIMAL(1, 0)) ELSE sign(x) END;
CREATE OR REPLACE MACRO _sf.main.pg_make_interval_(y, mo, w, d, h, mi, s) AS
  to_months(CAST(y * 12 + mo AS INTEGER)) + to_days(CAST(w * 7 + d AS INTEGER))
  + to_hours(h) + to_minutes(mi) + to_microseconds(CAST(round(s * 1000000) AS BIGINT));

-- The three parts of an interval: months, days, and microseconds.
CREATE OR REPLACE MACRO _sf.main.pg_months_of_(x) AS date_part('year', x) * 12 + date_part('month', x);
CREATE OR REPLACE MACRO _sf.main.pg_days_of_(x) AS date_part('day', x);
CREATE OR REPLACE MACRO _sf.main.pg_micros_of_(x) AS
  date_part('hour', x) * 3600000000 + date_part('minute', x) * 60000000 + date_part('microsecond', x);
CREATE OR REPLACE MACRO _sf.main.pg_interval_of_(m, d, u) AS
  to_months(CAST(m AS INTEGER)) + to_days(CAST(d AS INTEGER)) + to_microseconds(CAST(u AS BIGINT));
-- Only those of RFC 9562's variant have a version.
CREATE OR REPLACE MACRO _sf.main.pg_uuid_version_(x) AS
  CASE WHEN CAST(x AS VARCHAR)[20] IN ('8', '9', 'a', 'b') THEN CAST(uuid_extract_version(x) AS SMALLINT) END;
CREATE OR REPLACE MACRO _sf.main.pg_down_to_(field, x) AS CASE field
  WHEN 'year' THEN _sf.main.pg_interval_of_(_sf.main.pg_months_of_(x) // 12 * 12, 0, 0)
  WHEN 'month' THEN _sf.main.pg_interval_of_(_sf.main.pg_months_of_(x), 0, 0)
  WHEN 'day' THEN _sf.main.pg_interval_of_(_sf.main.pg_months_of_(x), _sf.main.pg_days_of_(x), 0)
  ELSE _sf.main.pg_interval_of_(_sf.main.pg_months_of_(x), _sf.main.pg_days_of_(x),
    _sf.main.pg_micros_of_(x) - _sf.main.pg_micros_of_(x) % CASE field WHEN 'hour' THEN 3600000000 ELSE 60000000 END) END;
-- Whole units are carried upwards, and both parts get one sign.
CREATE OR REPLACE MACRO _sf.main.pg_carried_(high, low, unit) AS
  CASE WHEN high + low // unit > 0 AND low % unit < 0 THEN -1
       WHEN high + low // unit < 0 AND low % unit > 0 THEN 1 ELSE 0 END;
CREATE OR REPLACE MACRO _sf.main.pg_high_(high, low, unit) AS
  high + low // unit + _sf.main.pg_carried_(high, low, unit);
CREATE OR REPLACE MACRO _sf.main.pg_low_(high, low, unit) AS
  low % unit - _sf.main.pg_carried_(high, low, unit) * unit;
CREATE OR REPLACE MACRO _sf.main.pg_justify_hours_(x) AS _sf.main.pg_interval_of_(
  _sf.main.pg_months_of_(x),
  _sf.main.pg_high_(_sf.main.pg_days_of_(x), _sf.main.pg_micros_of_(x), 86400000000),
  _sf.main.pg_low_(_sf.main.pg_days_of_(x), _sf.main.pg_micros_of_(x), 86400000000));
CREATE OR REPLACE MACRO _sf.main.pg_justify_days_(x) AS _sf.main.pg_interval_of_(
  _sf.main.pg_high_(_sf.main.pg_months_of_(x), _sf.main.pg_days_of_(x), 30),
  _sf.main.pg_low_(_sf.main.pg_months_of_(x), _sf.main.pg_days_of_(x), 30),
  _sf.main.pg_micros_of_(x));
CREATE OR REPLACE MACRO _sf.main.pg_justify_interval_(x) AS
  CASE WHEN (_sf.main.pg_months_of_(x) >= 0 AND _sf.main.pg_days_of_(x) >= 0 AND _sf.main.pg_micros_of_(x) >= 0)
         OR (_sf.main.pg_months_of_(x) <= 0 AND _sf.main.pg_days_of_(x) <= 0 AND _sf.main.pg_micros_of_(x) <= 0)
       THEN _sf.main.pg_justify_days_(_sf.main.pg_justify_hours_(x))
       WHEN x IS NULL THEN NULL
       ELSE error('justify_interval of an interval of two signs is not supported') END;

CREATE OR REPLACE MACRO _sf.main.pg_array_ndims_(a) AS
  CASE WHEN len(a) = 0 THEN NULL WHEN a IS NOT NULL THEN
    CAST(length(typeof(a)) - length(rtrim(typeof(a), '[]')) AS INTEGER) // 2 END;
CREATE OR REPLACE MACRO _sf.main.pg_array_dims_(a) AS
  CASE WHEN ends_with(typeof(a), '[][]') THEN error('array_dims of several dimensions is not supported')
    WHEN len(a) > 0 THEN '[1:' || len(a) || ']' END;
CREATE OR REPLACE MACRO _sf.main.pg_array_fill_(x, ns) AS
  CASE WHEN len(ns) <> 1 THEN error('array_fill of several dimensions is not supported')
    ELSE list_transform(range(ns[1]), lambda i: x) END;

CREATE OR REPLACE MACRO _sf.main.pg_scale_(x) AS
  CASE WHEN typeof(x) LIKE '%,16)' THEN error('scale of a numeric without any is not supported')
    WHEN x IS NOT NULL THEN CAST(length(split_part(CAST(x AS VARCHAR), '.', 2)) AS INTEGER) END;
CREATE OR REPLACE MACRO _sf.main.pg_min_scale_(x) AS
  CASE WHEN x IS NOT NULL THEN CAST(length(rtrim(split_part(CAST(x AS VARCHAR), '.', 2), '0')) AS INTEGER) END;
CREATE OR REPLACE MACRO _sf.main.pg_array_remove_(a, x) AS
  list_filter(a, lambda e: e IS DISTINCT FROM x);
CREATE OR REPLACE MACRO _sf.main.pg_array_cat_(a, b) AS
  CASE WHEN a IS NOT NULL OR b IS NOT NULL THEN list_concat(a, b) END;
-- a @> b: what is NULL in b is in no array.
CREATE OR REPLACE MACRO _sf.main.pg_array_contains_(a, b) AS
  CASE WHEN len(b) = list_count(b) THEN list_has_all(a, b)
       WHEN a IS NOT NULL AND b IS NOT NULL THEN false END;
-- timestamptz + interval, in Postgres's order.
CREATE OR REPLACE MACRO _sf.main.pg_moved_(x, i) AS
  x + to_months(CAST(_sf.main.pg_months_of_(i) AS INTEGER)) + to_days(CAST(_sf.main.pg_days_of_(i) AS INTEGER))
    + to_microseconds(CAST(_sf.main.pg_micros_of_(i) AS BIGINT));

-- SQL/JSON of the standard: what a path is followed in, and what has been found there.
CREATE OR REPLACE MACRO _sf.main.pg_json_context_(x) AS
  CASE WHEN typeof(x) = 'VARCHAR' THEN CAST(CAST(CAST(x AS VARCHAR) AS JSONB) AS VARCHAR)
    WHEN typeof(x) IN ('JSON', 'JSONB') THEN CAST(x AS VARCHAR)
    ELSE error('cannot cast type ' || _sf.main.pg_typeof_(x) || ' to jsonb') END;
CREATE OR REPLACE MACRO _sf.main.pg_json_is_scalar_(items) AS
  len(items) = 1 AND left(items[1], 1) NOT IN ('{', '[');
CREATE OR REPLACE MACRO _sf.main.pg_json_scalar_(items) AS CASE items[1] WHEN 'true' THEN 't' WHEN 'false' THEN 'f'
  ELSE json_path_text_(CAST(items[1] AS JSON), []) END;
-- Whether a float is not what its text says.
CREATE OR REPLACE MACRO _sf.main.pg_is_beyond_(x, said) AS
  x IS NULL OR (isinf(x) AND NOT contains(lower(said), 'inf'));
CREATE OR REPLACE MACRO _sf.main.pg_is_json_(x, kind) AS
  CASE WHEN typeof(x) IN ('VARCHAR', 'JSON', 'JSONB') THEN json_is_(CAST(x AS VARCHAR), kind) = 1
    ELSE error('cannot use type ' || _sf.main.pg_typeof_(x) || ' in IS JSON predicate') END;

-- x AT TIME ZONE an offset for which there is no zone.
CREATE OR REPLACE MACRO _sf.main.pg_at_offset_
  (x DATE, east) AS timezone('UTC', CAST(x AS TIMESTAMPTZ)) + east,
  (x TIMESTAMPTZ, east) AS timezone('UTC', x) + east,
  (x TIMESTAMP, east) AS timezone('UTC', x - east),
  (x TIMETZ, east) AS timezone(east, x);

-- A time of day as how long after midnight it is.
CREATE OR REPLACE MACRO _sf.main.pg_span_(x) AS to_microseconds(epoch_us(x));
CREATE OR REPLACE MACRO _sf.main.pg_time_of_span_(x) AS TIME '00:00:00' + x;
CREATE OR REPLACE MACRO _sf.main.pg_interval_text_(x, model) AS interval_picture_(
  CAST(_sf.main.pg_months_of_(x) AS BIGINT), CAST(_sf.main.pg_days_of_(x) AS BIGINT),
  CAST(_sf.main.pg_micros_of_(x) AS BIGINT), model);
