-- Postgres's own arithmetic, texts and times, for the postgres dialect. Macros may be overloaded by
-- the types of their arguments; a body without types serves all others.

-- A default, and what it is to the catalog.
CREATE OR REPLACE MACRO _sf.main.pg_said_(x, said) AS x;

-- numeric / numeric: exact to 16 decimals, rounded half away from zero. A first quotient comes from
-- floating point, then what remains of `a` is divided again. A float makes it a float.
CREATE OR REPLACE MACRO _sf.main.pg_quotient_type_(a, b) AS CAST(0 AS DECIMAL(38, 16)) + a + b;
CREATE OR REPLACE MACRO _sf.main.pg_quotient_(a, b) AS
  cast_to_type(a / b, _sf.main.pg_quotient_type_(a, b))
  + CASE WHEN typeof(_sf.main.pg_quotient_type_(a, b)) IN ('DOUBLE', 'FLOAT') THEN 0
         ELSE cast_to_type(
                (a - cast_to_type(a / b, _sf.main.pg_quotient_type_(a, b)) * b) / b,
                _sf.main.pg_quotient_type_(a, b)) END;

-- DuckDB's // divides integers and rounds towards zero; of zero it makes NULL.
CREATE OR REPLACE MACRO _sf.main.pg_div_
  (a INTEGER, b INTEGER) AS CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE a // b END,
  (a BIGINT, b BIGINT) AS CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE a // b END,
  (a HUGEINT, b HUGEINT) AS CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE a // b END,
  (a INTERVAL, b DOUBLE) AS CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE a / b END,
  (a, b) AS CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE _sf.main.pg_quotient_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_exact_quotient_(a, b) AS
  CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE _sf.main.pg_quotient_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_div_of_aggregates_(a, b) AS
  CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE a // b END;
CREATE OR REPLACE MACRO _sf.main.pg_interval_part_(a, b) AS
  CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE a / CAST(b AS DOUBLE) END;
-- div(a, b)
CREATE OR REPLACE MACRO _sf.main.pg_whole_quotient_(a, b) AS
  CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero')
    ELSE CAST(_sf.main.pg_quotient_(a - a % b, b) AS DECIMAL(38, 0)) END;
-- avg of whole and numeric values: their sum by their number.
CREATE OR REPLACE MACRO _sf.main.pg_average_(total, n) AS
  CASE WHEN n = 0 THEN NULL ELSE _sf.main.pg_quotient_(total, n) END;
CREATE OR REPLACE MACRO _sf.main.pg_mod_(a, b) AS
  CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE a % b END;

-- round(x): a float half to even, others half away from zero.
CREATE OR REPLACE MACRO _sf.main.pg_round_(x) AS
  round(x) - CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT') AND abs(x - trunc(x)) = 0.5
                       AND round(x) % 2 <> 0
                  THEN sign(x) ELSE 0 END;

-- What x::int takes of a text; other types are left as they are.
CREATE OR REPLACE MACRO _sf.main.pg_whole_
  (x VARCHAR) AS CASE WHEN x IS NULL OR regexp_full_match(trim(x), '[+-]?[0-9]+') THEN trim(x)
    ELSE error('invalid input syntax for type integer: "' || x || '"') END,
  (x) AS x;

-- ... and of a number in a jsonb, which is rounded.
CREATE OR REPLACE MACRO _sf.main.pg_whole_of_document_(x) AS
  CASE WHEN x IS NULL OR regexp_full_match(x, '-?[0-9]+') THEN x WHEN x = 'null' THEN NULL
    WHEN regexp_full_match(x, '-?[0-9.eE+-]+')
      THEN CAST(round(CAST(x AS DECIMAL(38, 16))) AS VARCHAR)
    ELSE error('cannot cast jsonb to an integer') END;

-- A float that overflows raises; infinity stays infinite.
CREATE OR REPLACE MACRO _sf.main.pg_float_
  (x VARCHAR) AS CASE WHEN isinf(TRY_CAST(x AS DOUBLE)) AND NOT contains(lower(x), 'inf')
    THEN error('"' || x || '" is out of range for type double precision') ELSE x END,
  (x) AS x;
CREATE OR REPLACE MACRO _sf.main.pg_real_
  (x VARCHAR) AS CASE WHEN isinf(TRY_CAST(x AS FLOAT)) AND NOT contains(lower(x), 'inf')
    THEN error('"' || x || '" is out of range for type real') ELSE x END,
  (x) AS x;
CREATE OR REPLACE MACRO _sf.main.pg_is_infinite_(x) AS coalesce(isinf(TRY_CAST(x AS DOUBLE)), false);
-- Whether a row of that number is among those that LIMIT n OFFSET skipped leave.
CREATE OR REPLACE MACRO _sf.main.within_limit_(number, n, skipped) AS CASE
  WHEN n < 0 THEN error('LIMIT must not be negative')
  WHEN skipped < 0 THEN error('OFFSET must not be negative')
  ELSE number > coalesce(skipped, 0) AND coalesce(number - coalesce(skipped, 0) <= n, true) END;
-- What power(x, y) is computed of.
CREATE OR REPLACE MACRO _sf.main.pg_base_(x, y) AS CASE
  WHEN x = 0 AND y < 0 THEN error('zero raised to a negative power is undefined')
  WHEN x < 0 AND y <> trunc(y)
  THEN error('a negative number raised to a non-integer power yields a complex result') ELSE x END;
CREATE OR REPLACE MACRO _sf.main.pg_finite_(made, allowed) AS
  CASE WHEN isinf(TRY_CAST(made AS DOUBLE)) AND NOT allowed
    THEN error('value out of range: overflow') ELSE made END;

-- x::numeric: of a float 15 digits, and 6 of a real.
CREATE OR REPLACE MACRO _sf.main.pg_numeric_
  (x BIGINT) AS x,
  (x HUGEINT) AS x,
  (x DOUBLE) AS printf('%.15g', x),
  (x FLOAT) AS printf('%.6g', x),
  (x VARCHAR) AS x,
  (x DECIMAL(38, 16)) AS x;

-- x::date and its kin, of a text: what Postgres and DuckDB read alike, with `(BC)` where DuckDB wants
-- it; DuckDB would read past whatever follows. Other types are left as they are.
CREATE OR REPLACE MACRO _sf.main.pg_moment_(s, kind, model) AS
  CASE WHEN s IS NULL THEN NULL
    WHEN regexp_full_match(s, model) THEN trim(s)
    WHEN regexp_full_match(s, '(?i)' || model || '(bc|ad)\s*')
      THEN regexp_replace(trim(s), '(?i)^([0-9]+-[0-9]+-[0-9]+)(.*?)\s*(?:(bc)|ad)$',
                          CASE WHEN regexp_matches(s, '(?i)bc\s*$') THEN '\1 (BC)\2' ELSE '\1\2' END)
    WHEN lower(trim(s)) IN ('infinity', '-infinity', 'epoch') AND kind <> 'time' THEN lower(trim(s))
    WHEN regexp_matches(s, '(?i)[0-9](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|am|pm)|^\s*(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|now|today|tomorrow|yesterday)|^\s*[0-9]+[/.][0-9]+[/.][0-9]+|^\s*[0-9]{6,}|^\s*[0-9]{1,3}-|^\s*allballs|[a-z]/[a-z]|[.][0-9]{7,}|[0-9]\s*([+-][0-9:]+|z|utc|gmt)\s*$')
      THEN error('the format of the ' || kind || ' "' || s || '" is not supported')
    ELSE error('invalid input syntax for type ' || kind || ': "' || s || '"') END;
-- DuckDB reads an offset only after seconds.
CREATE OR REPLACE MACRO _sf.main.pg_offset_(s) AS
  regexp_replace(s, '([ T][0-9]{1,2}:[0-9]{2})(\s*(?:z|Z|utc|UTC|[+-]))', '\1:00\2');
CREATE OR REPLACE MACRO _sf.main.pg_with_seconds_(s, kind, model) AS
  _sf.main.pg_offset_(_sf.main.pg_moment_(s, kind, model));
CREATE OR REPLACE MACRO _sf.main.pg_date_of_text_(s) AS
  _sf.main.pg_moment_(s, 'date', '\s*[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}([ T]+([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?)?\s*(z|Z|utc|UTC|[+-][0-9]{1,2}(:?[0-9]{2})?)?\s*');
CREATE OR REPLACE MACRO _sf.main.pg_timestamptz_of_text_(s) AS
  _sf.main.pg_with_seconds_(s, 'timestamp with time zone', '\s*[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}([ T]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?\s*(z|Z|utc|UTC|[+-][0-9]{1,2}(:?[0-9]{2})?)?)?\s*');
CREATE OR REPLACE MACRO _sf.main.pg_timestamp_of_text_(s) AS
  _sf.main.pg_moment_(s, 'timestamp', '\s*[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}([ T]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)?\s*');
CREATE OR REPLACE MACRO _sf.main.pg_time_of_text_(s) AS
  _sf.main.pg_moment_(s, 'time', '\s*[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?\s*');
CREATE OR REPLACE MACRO _sf.main.pg_date_ (x VARCHAR) AS _sf.main.pg_date_of_text_(x), (x) AS x;
CREATE OR REPLACE MACRO _sf.main.pg_timestamp_
  (x VARCHAR) AS _sf.main.pg_timestamp_of_text_(x), (x) AS x;
CREATE OR REPLACE MACRO _sf.main.pg_timestamptz_
  (x VARCHAR) AS _sf.main.pg_timestamptz_of_text_(x), (x) AS x;
CREATE OR REPLACE MACRO _sf.main.pg_time_ (x VARCHAR) AS _sf.main.pg_time_of_text_(x),
  (x TIMESTAMPTZ) AS CAST(x AS TIMESTAMP), (x) AS x;
-- Of aggregates, where no overload can be chosen: all by way of their texts.
CREATE OR REPLACE MACRO _sf.main.pg_date_of_aggregate_(x) AS
  CASE typeof(x) WHEN 'VARCHAR' THEN _sf.main.pg_date_of_text_(CAST(x AS VARCHAR))
    ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.pg_timestamp_of_aggregate_(x) AS
  CASE typeof(x) WHEN 'VARCHAR' THEN _sf.main.pg_timestamp_of_text_(CAST(x AS VARCHAR))
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN CAST(TRY_CAST(TRY_CAST(x AS TIMESTAMPTZ) AS TIMESTAMP) AS VARCHAR)
    ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.pg_timestamptz_of_aggregate_(x) AS
  CASE typeof(x) WHEN 'VARCHAR' THEN _sf.main.pg_timestamptz_of_text_(CAST(x AS VARCHAR))
    ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE MACRO _sf.main.pg_time_of_aggregate_(x) AS
  CASE typeof(x) WHEN 'VARCHAR' THEN _sf.main.pg_time_of_text_(CAST(x AS VARCHAR))
    WHEN 'TIMESTAMP' THEN CAST(TRY_CAST(TRY_CAST(x AS TIMESTAMP) AS TIME) AS VARCHAR)
    ELSE CAST(x AS VARCHAR) END;

-- timestamp(p) and its kin: `places` are the digits of a microsecond that go. Postgres counts from 2000.
CREATE OR REPLACE MACRO _sf.main.pg_micros_(t, places) AS
  round(t - 946684800000000, -places) + 946684800000000;
CREATE OR REPLACE MACRO _sf.main.pg_timestamp_digits_(x, places) AS
  CASE WHEN isinf(x) THEN x ELSE make_timestamp(_sf.main.pg_micros_(epoch_us(x), places)) END;
CREATE OR REPLACE MACRO _sf.main.pg_timestamptz_digits_(x, places) AS
  CASE WHEN isinf(x) THEN x ELSE make_timestamptz(_sf.main.pg_micros_(epoch_us(x), places)) END;
CREATE OR REPLACE MACRO _sf.main.pg_time_digits_(x, places) AS
  CASE WHEN round(epoch_us(x), -places) = 86400000000 THEN TIME '24:00:00'
    ELSE CAST(make_timestamp(round(epoch_us(x), -places)) AS TIME) END;

-- x::text
CREATE OR REPLACE MACRO _sf.main.pg_era_text_(s) AS
  CASE WHEN contains(s, ' (BC)') THEN replace(s, ' (BC)', '') || ' BC' ELSE s END;
-- What text_of_ needs to know of the session: its zone, and its IntervalStyle once it has set one.
CREATE OR REPLACE MACRO _sf.main.pg_style_() AS
  current_setting('TimeZone') || coalesce(' ' || CAST(getvariable('hatidata_intervals') AS VARCHAR), '');
CREATE OR REPLACE MACRO _sf.main.pg_text_(x) AS
  CASE
    WHEN typeof(x) IN ('DOUBLE', 'FLOAT', 'INTERVAL', 'BLOB', 'TIME WITH TIME ZONE', 'TIMESTAMP WITH TIME ZONE')
         OR typeof(x) LIKE '%]' OR typeof(x) LIKE 'STRUCT(%' OR typeof(x) LIKE 'MAP(%'
      THEN text_of_(x, _sf.main.pg_style_())
    WHEN typeof(x) IN ('DATE', 'TIMESTAMP') THEN _sf.main.pg_era_text_(CAST(x AS VARCHAR))
    ELSE CAST(x AS VARCHAR) END;
-- A value beside || and in concat().
CREATE OR REPLACE MACRO _sf.main.pg_joined_(x) AS
  CASE WHEN typeof(x) IN ('JSON') THEN error('|| of json documents is not supported')
    ELSE _sf.main.pg_text_(x) END;
CREATE OR REPLACE MACRO _sf.main.pg_pipe_(a, b) AS
  CASE WHEN typeof(a) = 'JSON' OR typeof(b) = 'JSON' THEN error('|| of json documents is not supported')
       WHEN typeof(a) IN ('DOUBLE', 'FLOAT', 'INTERVAL') OR typeof(b) IN ('DOUBLE', 'FLOAT', 'INTERVAL')
         THEN error('|| of a float or an interval needs a cast to text')
       ELSE a || b END;
CREATE OR REPLACE MACRO _sf.main.pg_printed_(x) AS
  CASE typeof(x) WHEN 'BOOLEAN' THEN left(CAST(x AS VARCHAR), 1) ELSE _sf.main.pg_text_(x) END;

-- x LIKE ANY (patterns), x LIKE ALL (patterns)
CREATE OR REPLACE MACRO _sf.main.pg_likes_(x, ps) AS list_transform(ps, lambda p: x LIKE p ESCAPE '\');
CREATE OR REPLACE MACRO _sf.main.pg_ilikes_(x, ps) AS list_transform(ps, lambda p: x ILIKE p ESCAPE '\');
CREATE OR REPLACE MACRO _sf.main.pg_some_(xs) AS
  CASE WHEN list_contains(xs, true) THEN true WHEN list_count(xs) = len(xs) THEN false END;
CREATE OR REPLACE MACRO _sf.main.pg_every_(xs) AS
  CASE WHEN list_contains(xs, false) THEN false WHEN list_count(xs) = len(xs) THEN true END;

-- What text[] can be made of.
CREATE OR REPLACE MACRO _sf.main.pg_flat_(xs) AS
  CASE WHEN typeof(xs) LIKE '%][]' THEN error('a cast of an array of arrays to text[] is not supported')
       ELSE xs END;
CREATE OR REPLACE MACRO _sf.main.pg_array_to_string_(xs, d) AS
  CASE WHEN d IS NULL THEN NULL
       ELSE array_to_string(list_transform(xs, lambda e: _sf.main.pg_printed_(e)), d) END;

-- to_char(x, '9,999.00')
CREATE OR REPLACE MACRO _sf.main.pg_char_number_(x, picture) AS
  CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT') OR typeof(x) LIKE 'DECIMAL(%'
    THEN number_picture_(CAST(x AS VARCHAR), typeof(x), picture)
    ELSE error('to_char with the format "' || picture || '" is not supported') END;

-- x::bytea, of a text in hex format or without any backslash.
CREATE OR REPLACE MACRO _sf.main.pg_bytea_
  (x BLOB) AS x,
  (x VARCHAR) AS CASE
    WHEN starts_with(x, '\x') THEN unhex(substr(x, 3))
    WHEN contains(x, '\') THEN error('bytea in escape format is not supported')
    ELSE encode(x) END;

CREATE OR REPLACE MACRO _sf.main.pg_substring_
  (s, a) AS substring(s, CASE WHEN a < 1 THEN 1 ELSE a END),
  (s, a, n) AS CASE WHEN n < 0 THEN error('negative substring length not allowed')
    WHEN a < 1 THEN substring(s, 1, CASE WHEN n + a < 1 THEN 0 ELSE n + a - 1 END)
    ELSE substring(s, a, n) END;
CREATE OR REPLACE MACRO _sf.main.pg_split_(s, d) AS
  CASE WHEN s IS NULL THEN NULL WHEN s = '' THEN [] WHEN d IS NULL THEN string_split(s, '')
       WHEN d = '' THEN [s] ELSE string_split(s, d) END;
CREATE OR REPLACE MACRO _sf.main.pg_string_to_array_
  (s, d) AS _sf.main.pg_split_(s, d),
  (s, d, n) AS list_transform(_sf.main.pg_split_(s, d), lambda e: nullif(e, n));

-- Parts that grow without end. There is no year 0: y is DuckDB's, which counts on from 1 to 0 and -1.
CREATE OR REPLACE MACRO _sf.main.pg_part_of_year_(part, y) AS CASE
  WHEN part IN ('decade', 'decades') THEN CASE WHEN y >= 0 THEN y // 10 ELSE -((9 - y) // 10) END
  ELSE CASE WHEN y > 0 THEN y ELSE y - 1 END END;
CREATE OR REPLACE MACRO _sf.main.pg_year_part_(part, x) AS
  _sf.main.pg_part_of_year_(part, date_part(CASE part WHEN 'isoyear' THEN part ELSE 'year' END, x));
CREATE OR REPLACE MACRO _sf.main.pg_part_(x) AS x;
CREATE OR REPLACE MACRO _sf.main.pg_no_end_(part) AS
  error('extract(' || part || ') of an infinite moment is not supported');
CREATE OR REPLACE MACRO _sf.main.pg_long_part_
  (part, x DATE) AS CASE WHEN isinf(x) THEN _sf.main.pg_no_end_(part) ELSE _sf.main.pg_year_part_(part, x) END,
  (part, x TIMESTAMP) AS CASE WHEN isinf(x) THEN _sf.main.pg_no_end_(part) ELSE _sf.main.pg_year_part_(part, x) END,
  (part, x TIMESTAMPTZ) AS CASE WHEN isinf(x) THEN _sf.main.pg_no_end_(part) ELSE _sf.main.pg_year_part_(part, x) END,
  (part, x) AS date_part(part, x);
CREATE OR REPLACE MACRO _sf.main.pg_finite_moment_
  (x DATE, part) AS CASE WHEN isinf(x) THEN _sf.main.pg_no_end_(part) ELSE x END,
  (x TIMESTAMP, part) AS CASE WHEN isinf(x) THEN _sf.main.pg_no_end_(part) ELSE x END,
  (x TIMESTAMPTZ, part) AS CASE WHEN isinf(x) THEN _sf.main.pg_no_end_(part) ELSE x END,
  (x, part) AS x;

-- A time in a zone is so long after midnight in Greenwich.
CREATE OR REPLACE MACRO _sf.main.pg_epoch_date_part_
  (part, x DATE) AS date_part(part, _sf.main.pg_finite_moment_(x, part)),
  (part, x TIMESTAMP) AS date_part(part, _sf.main.pg_finite_moment_(x, part)),
  (part, x TIMESTAMPTZ) AS date_part(part, _sf.main.pg_finite_moment_(x, part)),
  (part, x TIMETZ) AS date_part(part, x) - date_part('timezone', x),
  (part, x) AS date_part(part, x);

-- Parts of a time with their fractions; DuckDB's 'microsecond' holds the seconds too.
CREATE OR REPLACE MACRO _sf.main.pg_seconds_(x) AS date_part('microsecond', x) * 0.000001;
CREATE OR REPLACE MACRO _sf.main.pg_plain_part_(part, x) AS
  CAST(CASE WHEN part IN ('second', 'seconds') THEN date_part('microsecond', x) / 1000000
            WHEN part IN ('millisecond', 'milliseconds') THEN date_part('microsecond', x) / 1000
            WHEN part = 'epoch' THEN date_part('epoch', x)
            ELSE date_part(part, x) END AS DOUBLE);
CREATE OR REPLACE MACRO _sf.main.pg_is_endless_(part) AS part IN
  ('year', 'years', 'decade', 'decades', 'century', 'centuries', 'millennium', 'millennia', 'epoch', 'julian', 'isoyear');
CREATE OR REPLACE MACRO _sf.main.pg_is_of_years_(part) AS part IN ('year', 'years', 'decade', 'decades', 'isoyear');
CREATE OR REPLACE MACRO _sf.main.pg_date_part_
  (part, x DATE) AS CASE WHEN isinf(x) AND _sf.main.pg_is_endless_(lower(part)) THEN CASE WHEN x > DATE '2000-01-01' THEN 'inf'::DOUBLE ELSE '-inf'::DOUBLE END
    WHEN _sf.main.pg_is_of_years_(lower(part)) THEN CAST(_sf.main.pg_year_part_(lower(part), x) AS DOUBLE)
    ELSE _sf.main.pg_plain_part_(lower(part), x) END,
  (part, x TIMESTAMP) AS CASE WHEN isinf(x) AND _sf.main.pg_is_endless_(lower(part)) THEN CASE WHEN x > TIMESTAMP '2000-01-01' THEN 'inf'::DOUBLE ELSE '-inf'::DOUBLE END
    WHEN _sf.main.pg_is_of_years_(lower(part)) THEN CAST(_sf.main.pg_year_part_(lower(part), x) AS DOUBLE)
    ELSE _sf.main.pg_plain_part_(lower(part), x) END,
  (part, x TIMESTAMPTZ) AS CASE WHEN isinf(x) AND _sf.main.pg_is_endless_(lower(part)) THEN CASE WHEN x > TIMESTAMPTZ '2000-01-01 00:00:00+00' THEN 'inf'::DOUBLE ELSE '-inf'::DOUBLE END
    WHEN _sf.main.pg_is_of_years_(lower(part)) THEN CAST(_sf.main.pg_year_part_(lower(part), x) AS DOUBLE)
    ELSE _sf.main.pg_plain_part_(lower(part), x) END,
  (part, x TIMETZ) AS CASE lower(part) WHEN 'epoch' THEN _sf.main.pg_epoch_date_part_('epoch', x)
    ELSE _sf.main.pg_plain_part_(lower(part), x) END,
  (part, x) AS _sf.main.pg_plain_part_(lower(part), x);
CREATE OR REPLACE MACRO _sf.main.pg_milliseconds_(x) AS date_part('microsecond', x) * 0.001;
-- Elements of to_char that strftime has not.
CREATE OR REPLACE MACRO _sf.main.pg_char_quarter_(x) AS CAST(date_part('quarter', x) AS VARCHAR);
CREATE OR REPLACE MACRO _sf.main.pg_char_week_(x) AS CAST((date_part('doy', x) - 1) // 7 + 1 AS VARCHAR);
CREATE OR REPLACE MACRO _sf.main.pg_char_week_of_month_(x) AS CAST((date_part('day', x) - 1) // 7 + 1 AS VARCHAR);
CREATE OR REPLACE MACRO _sf.main.pg_char_day_of_week_(x) AS CAST(date_part('dow', x) + 1 AS VARCHAR);
CREATE OR REPLACE MACRO _sf.main.pg_char_julian_(x) AS CAST(CAST(julian(CAST(x AS DATE)) AS BIGINT) AS VARCHAR);
CREATE OR REPLACE MACRO _sf.main.pg_char_century_(x) AS CAST((date_part('year', x) + 99) // 100 AS VARCHAR);
CREATE OR REPLACE MACRO _sf.main.pg_char_seconds_(x) AS
  CAST(date_part('hour', x) * 3600 + date_part('minute', x) * 60 + date_part('microsecond', x) // 1000000 AS VARCHAR);
-- The first century, and the first millennium, began with the year 1.
CREATE OR REPLACE MACRO _sf.main.pg_trunc_(u, x) AS CASE
  WHEN u IN ('century', 'centuries', 'millennium', 'millenniums', 'millennia')
  THEN date_trunc(u, x - INTERVAL 1 YEAR) + INTERVAL 1 YEAR ELSE date_trunc(u, x) END;
CREATE OR REPLACE MACRO _sf.main.pg_date_trunc_
  (u, x DATE) AS CAST(_sf.main.pg_trunc_(u, x) AS TIMESTAMPTZ),
  (u, x TIMESTAMP) AS _sf.main.pg_trunc_(u, x),
  (u, x TIMESTAMPTZ) AS _sf.main.pg_trunc_(u, x),
  (u, x INTERVAL) AS CASE WHEN u IN ('hour', 'minute', 'second', 'milliseconds', 'microseconds')
    THEN error('date_trunc of an interval within the day is not supported')
    ELSE date_trunc(u, x) END;

-- Years before Christ count from the year 1; DuckDB has a year 0 between them.
CREATE OR REPLACE MACRO _sf.main.pg_year_(y) AS
  CASE WHEN y = 0 THEN error('date field value out of range: 0') WHEN y < 0 THEN y + 1 ELSE y END;

CREATE OR REPLACE MACRO _sf.main.pg_to_hex_
  (x INTEGER) AS lower(hex(CASE WHEN x < 0 THEN CAST(x AS BIGINT) + 4294967296 ELSE CAST(x AS BIGINT) END)),
  (x BIGINT) AS lower(hex(x));

-- Where a query that locks rows is in a statement (proxy.sql.changes.row_locks).
CREATE OR REPLACE MACRO _sf.main.row_locks_(query) AS true;
