-- Postgres's own arithmetic, texts and times, for the postgres dialect. Macros may be overloaded by
-- the types of their arguments; a body without types serves all others.

CREATE OR REPLACE MACRO _sf.main.pg_zero_(b) AS
  CASE WHEN b = 0 THEN error('division by zero') ELSE 0 END;

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
  (a INTEGER, b INTEGER) AS CASE WHEN b = 0 THEN error('division by zero') ELSE a // b END,
  (a BIGINT, b BIGINT) AS CASE WHEN b = 0 THEN error('division by zero') ELSE a // b END,
  (a HUGEINT, b HUGEINT) AS CASE WHEN b = 0 THEN error('division by zero') ELSE a // b END,
  (a INTERVAL, b DOUBLE) AS CASE WHEN b = 0 THEN error('division by zero') ELSE a / b END,
  (a, b) AS CASE WHEN b = 0 THEN error('division by zero') ELSE _sf.main.pg_quotient_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.pg_div_of_aggregates_(a, b) AS
  CASE WHEN b = 0 THEN error('division by zero') ELSE a // b END;
CREATE OR REPLACE MACRO _sf.main.pg_mod_(a, b) AS
  CASE WHEN b = 0 THEN error('division by zero') ELSE a % b END;

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

-- x::numeric: a float is taken as it is printed.
CREATE OR REPLACE MACRO _sf.main.pg_numeric_
  (x BIGINT) AS x,
  (x HUGEINT) AS x,
  (x DOUBLE) AS CAST(x AS VARCHAR),
  (x FLOAT) AS CAST(x AS VARCHAR),
  (x VARCHAR) AS x,
  (x DECIMAL(38, 16)) AS x;

-- x::text
CREATE OR REPLACE MACRO _sf.main.pg_float_text_(s) AS
  CASE s WHEN 'nan' THEN 'NaN' WHEN 'inf' THEN 'Infinity' WHEN '-inf' THEN '-Infinity'
    ELSE CASE WHEN ends_with(s, '.0') AND length(ltrim(s, '-')) > 17
                THEN error('the text of so large a float is not supported')
              WHEN ends_with(s, '.0') THEN s[:-3] ELSE s END END;
CREATE OR REPLACE MACRO _sf.main.pg_text_(x) AS
  CASE
    WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN _sf.main.pg_float_text_(CAST(x AS VARCHAR))
    WHEN typeof(x) = 'BLOB' THEN '\x' || lower(hex(TRY_CAST(x AS BLOB)))
    WHEN typeof(x) = 'INTERVAL' THEN replace(CAST(x AS VARCHAR), 'month', 'mon')
    WHEN typeof(x) LIKE '%]' OR typeof(x) LIKE 'STRUCT%'
      THEN error('the text of an array or a row is not supported')
    ELSE CAST(x AS VARCHAR) END;
-- A value beside || and in concat().
CREATE OR REPLACE MACRO _sf.main.pg_joined_(x) AS
  CASE WHEN typeof(x) = 'JSON' THEN error('|| of json documents is not supported')
    ELSE _sf.main.pg_text_(x) END;
CREATE OR REPLACE MACRO _sf.main.pg_pipe_(a, b) AS
  CASE WHEN typeof(a) = 'JSON' OR typeof(b) = 'JSON'
         THEN error('|| of json documents is not supported')
       WHEN typeof(a) IN ('DOUBLE', 'FLOAT') OR typeof(b) IN ('DOUBLE', 'FLOAT')
         THEN error('|| of a float needs a cast to text')
       ELSE a || b END;
CREATE OR REPLACE MACRO _sf.main.pg_printed_(x) AS
  CASE typeof(x) WHEN 'BOOLEAN' THEN left(CAST(x AS VARCHAR), 1) ELSE _sf.main.pg_text_(x) END;

-- x::bytea, of a text in hex format or without any backslash.
CREATE OR REPLACE MACRO _sf.main.pg_bytea_
  (x BLOB) AS x,
  (x VARCHAR) AS CASE
    WHEN starts_with(x, '\x') THEN unhex(substr(x, 3))
    WHEN contains(x, '\') THEN error('bytea in escape format is not supported')
    ELSE encode(x) END;

CREATE OR REPLACE MACRO _sf.main.pg_substring_
  (s, a) AS substring(s, greatest(a, 1)),
  (s, a, n) AS CASE WHEN n < 0 THEN error('negative substring length not allowed')
    ELSE substring(s, greatest(a, 1), greatest(n + least(a - 1, 0), 0)) END;
CREATE OR REPLACE MACRO _sf.main.pg_string_to_array_(s, d) AS
  CASE WHEN s IS NULL THEN NULL WHEN s = '' THEN [] WHEN d IS NULL THEN string_split(s, '')
       WHEN d = '' THEN [s] ELSE string_split(s, d) END;

-- Parts of a time with their fractions; DuckDB's 'microsecond' holds the seconds too.
CREATE OR REPLACE MACRO _sf.main.pg_seconds_(x) AS date_part('microsecond', x) * 0.000001;
CREATE OR REPLACE MACRO _sf.main.pg_milliseconds_(x) AS date_part('microsecond', x) * 0.001;
CREATE OR REPLACE MACRO _sf.main.pg_date_trunc_
  (u, x DATE) AS CAST(date_trunc(u, x) AS TIMESTAMPTZ),
  (u, x TIMESTAMP) AS date_trunc(u, x),
  (u, x TIMESTAMPTZ) AS date_trunc(u, x),
  (u, x INTERVAL) AS CASE WHEN u IN ('hour', 'minute', 'second', 'milliseconds', 'microseconds')
    THEN error('date_trunc of an interval within the day is not supported')
    ELSE date_trunc(u, x) END;
