-- Numbers with Snowflake's result types.
--
-- A macro does not know the types of its arguments when it is written. Two functions that DuckDB
-- resolves when it binds let one body serve them all: cast_to_type(x, t) casts to the type of `t`
-- (which is never evaluated), and typeof(x), a constant, chooses a branch of a CASE.
--
-- A macro whose name ends in _ is a part of other macros and rules; every other macro is the
-- Snowflake function of its name.

-- The type of a / b: FLOAT if one of them is, else NUMBER of scale
-- greatest(s1, least(s1 + 6, 12)), 38 digits wide.
CREATE OR REPLACE MACRO _sf.main.quotient_type_(a, b) AS
  round(a * CAST(1 AS DECIMAL(31, 6)), 12) + a + trunc(b);

CREATE OR REPLACE MACRO _sf.main.is_float_(x) AS typeof(x) IN ('DOUBLE', 'FLOAT');

-- The quotient without the check for zero. NUMBER is exact, rounded half away from zero: a first
-- quotient comes from floating point, then what remains of `a` is divided again.
CREATE OR REPLACE MACRO _sf.main.quotient_(a, b) AS
  cast_to_type(a / b, _sf.main.quotient_type_(a, b))
  + CASE WHEN _sf.main.is_float_(_sf.main.quotient_type_(a, b)) THEN 0
         ELSE cast_to_type(
                (a - cast_to_type(a / b, _sf.main.quotient_type_(a, b)) * b) / b,
                _sf.main.quotient_type_(a, b)) END;

CREATE OR REPLACE MACRO _sf.main.div_(a, b) AS
  CASE WHEN b = 0 THEN error('division by zero') ELSE _sf.main.quotient_(a, b) END;

-- (Of a DECIMAL of 38 digits and one of another scale DuckDB's own remainder is a DOUBLE.)
CREATE OR REPLACE MACRO _sf.main.remainder_(a, b) AS cast_to_type(a, a + b) % cast_to_type(b, a + b);
-- AVG over a window: NUMBER of scale s + 3, whose further digits are cut off. The rounded quotient is
-- taken back by one in the last place where it is too much.
CREATE OR REPLACE MACRO _sf.main.window_type_(a) AS round(a * CAST(1 AS DECIMAL(34, 3)), 12) + a;
CREATE OR REPLACE MACRO _sf.main.last_place_(x) AS
  cast_to_type(power(10, -CAST(coalesce(nullif(regexp_extract(typeof(x), ',(\d+)', 1), ''), '0') AS INTEGER)), x);
CREATE OR REPLACE MACRO _sf.main.toward_zero_(rounded, a, n) AS
  rounded - CASE WHEN abs(rounded * n) > abs(a)
                 THEN cast_to_type(sign(a) * _sf.main.last_place_(rounded), rounded) ELSE 0 END;
CREATE OR REPLACE MACRO _sf.main.window_average_(a, n) AS
  CASE WHEN _sf.main.is_float_(a) THEN cast_to_type(a / n, _sf.main.window_type_(a))
       ELSE _sf.main.toward_zero_(
              cast_to_type(_sf.main.quotient_(a, n), _sf.main.window_type_(a)), a, n) END;

CREATE OR REPLACE MACRO _sf.main.mod_(a, b) AS
  CASE WHEN b = 0 THEN error('division by zero')
       ELSE _sf.main.remainder_(a, b) END;

-- CEIL(x, -n) and FLOOR(x, -n); p: 10 to the power of n.
CREATE OR REPLACE MACRO _sf.main.ceil_to_(x, p) AS ceil(x - _sf.main.remainder_(x, p)
  + CASE WHEN _sf.main.remainder_(x, p) > 0 THEN p ELSE 0 END);
CREATE OR REPLACE MACRO _sf.main.floor_to_(x, p) AS floor(x - _sf.main.remainder_(x, p)
  - CASE WHEN _sf.main.remainder_(x, p) < 0 THEN p ELSE 0 END);

-- ROUND(x, n) and TRUNC(x, n) where n is no constant: a NUMBER keeps its scale. p: the place of digit n.
CREATE OR REPLACE MACRO _sf.main.wide_type_(x) AS x + CAST(0 AS DECIMAL(38, 0));
CREATE OR REPLACE MACRO _sf.main.place_of_(n) AS
  CASE WHEN n > 12 THEN error('rounding to more than 12 digits, but not to all, is not supported')
       ELSE CAST(power(10, -greatest(n, -25)) AS DECIMAL(38, 12)) END;
CREATE OR REPLACE MACRO _sf.main.keeps_all_(x, n) AS
  n >= CAST(coalesce(nullif(regexp_extract(typeof(x), ',(\d+)', 1), ''), '0') AS INTEGER);
CREATE OR REPLACE MACRO _sf.main.cut_at_(x, p) AS cast_to_type(x - x % p, _sf.main.wide_type_(x));
CREATE OR REPLACE MACRO _sf.main.rounded_at_(x, p) AS cast_to_type(
  x - x % p + CASE WHEN abs(x % p) * 2 >= p THEN sign(x) * p ELSE 0 END, _sf.main.wide_type_(x));
CREATE OR REPLACE MACRO _sf.main.round_(x, n) AS
  CASE WHEN n IS NULL THEN NULL
       WHEN _sf.main.is_float_(x)
         THEN cast_to_type(round(CAST(x AS DOUBLE), CAST(n AS INTEGER)), _sf.main.wide_type_(x))
       WHEN _sf.main.keeps_all_(x, n) THEN cast_to_type(x, _sf.main.wide_type_(x))
       ELSE _sf.main.rounded_at_(x, _sf.main.place_of_(n)) END;
CREATE OR REPLACE MACRO _sf.main.trunc_(x, n) AS
  CASE WHEN n IS NULL THEN NULL
       WHEN _sf.main.is_float_(x)
         THEN cast_to_type(trunc(CAST(x AS DOUBLE), CAST(n AS INTEGER)), _sf.main.wide_type_(x))
       WHEN _sf.main.keeps_all_(x, n) THEN cast_to_type(x, _sf.main.wide_type_(x))
       ELSE _sf.main.cut_at_(x, _sf.main.place_of_(n)) END;

CREATE OR REPLACE MACRO _sf.main.div0_(a, b) AS
  CASE WHEN a IS NULL OR b IS NULL THEN NULL
       WHEN b = 0 THEN 0 ELSE _sf.main.quotient_(a, b) END;
CREATE OR REPLACE MACRO _sf.main.div0null_(a, b) AS
  CASE WHEN a IS NULL THEN NULL
       WHEN coalesce(b, 0) = 0 THEN 0 ELSE _sf.main.quotient_(a, b) END;

CREATE OR REPLACE MACRO _sf.main.zeroifnull(x) AS coalesce(x, 0);
CREATE OR REPLACE MACRO _sf.main.nullifzero(x) AS nullif(x, 0);
CREATE OR REPLACE MACRO _sf.main.square(x) AS CAST(x AS DOUBLE) * CAST(x AS DOUBLE);
-- DuckDB's is off by one place for cubes: of 27 it is 3.0000000000000004.
CREATE OR REPLACE MACRO _sf.main.cube_root_(x) AS
  CASE WHEN isfinite(cbrt(x)) AND x <> 0
       THEN cbrt(x) - (cbrt(x) * cbrt(x) * cbrt(x) - x) / (3 * cbrt(x) * cbrt(x))
       ELSE cbrt(x) END;
CREATE OR REPLACE MACRO _sf.main.cot(x) AS 1 / tan(x);
CREATE OR REPLACE MACRO _sf.main.atanh(x) AS
  CASE WHEN abs(x) >= 1 THEN error('Invalid floating point operation: atanh(' || x || ')')
       ELSE atanh(x) END;
CREATE OR REPLACE MACRO _sf.main.acosh(x) AS
  CASE WHEN x < 1 THEN error('Invalid floating point operation: acosh(' || x || ')')
       ELSE acosh(x) END;
CREATE OR REPLACE MACRO _sf.main.haversine(lat1, lon1, lat2, lon2) AS
  2 * 6371 * asin(sqrt(pow(sin(radians(lat2 - lat1) / 2), 2)
    + cos(radians(lat1)) * cos(radians(lat2)) * pow(sin(radians(lon2 - lon1) / 2), 2)));
CREATE OR REPLACE MACRO _sf.main.width_bucket(x, low, high, n) AS
  CASE WHEN n < 1 OR low = high THEN error('Invalid bounds or number of buckets of WIDTH_BUCKET')
       WHEN x < low THEN 0 WHEN x >= high THEN n + 1
       ELSE CAST(floor(CAST(x - low AS DOUBLE) * n / CAST(high - low AS DOUBLE)) AS BIGINT) + 1 END;

CREATE OR REPLACE MACRO _sf.main.getbit(x, n) AS (CAST(x AS HUGEINT) >> CAST(n AS HUGEINT)) & 1;
-- Any 64-bit integer.
CREATE OR REPLACE MACRO _sf.main.random_() AS
  CAST(floor((random() - 0.5) * 18446744073709549568.0) AS BIGINT);

-- Whether a common type of decimals of these types, of 38 digits, would cut a fraction.
CREATE OR REPLACE MACRO _sf.main.scales_(types) AS
  list_transform(list_filter(types, lambda t: t LIKE 'DECIMAL%'),
    lambda t: CAST(regexp_extract(t, ',(\d+)', 1) AS INTEGER));
CREATE OR REPLACE MACRO _sf.main.whole_digits_(types) AS
  list_transform(list_filter(types, lambda t: t LIKE 'DECIMAL%'),
    lambda t: CAST(regexp_extract(t, '\((\d+)', 1) AS INTEGER)
              - CAST(regexp_extract(t, ',(\d+)', 1) AS INTEGER));
CREATE OR REPLACE MACRO _sf.main.cuts_(types) AS
  coalesce(list_max(_sf.main.scales_(types)) + list_max(_sf.main.whole_digits_(types)) > 38, false)
  AND NOT list_contains(types, 'DOUBLE') AND NOT list_contains(types, 'FLOAT');

-- SYSTEM$TYPEOF: a NUMBER is stored in as few bytes as its digits need.
CREATE OR REPLACE MACRO _sf.main.bytes_of_digits_(p) AS
  CASE WHEN p <= 2 THEN 1 WHEN p <= 4 THEN 2 WHEN p <= 9 THEN 4 WHEN p <= 18 THEN 8 ELSE 16 END;
CREATE OR REPLACE MACRO _sf.main.number_typeof_(t) AS
  'NUMBER' || substr(t, 8) || '[SB'
  || _sf.main.bytes_of_digits_(CAST(regexp_extract(t, '(\d+),', 1) AS INTEGER)) || ']';
CREATE OR REPLACE MACRO _sf.main.element_typeof_(t) AS
  CASE t WHEN 'BIGINT' THEN 'NUMBER(38,0)' WHEN 'VARCHAR' THEN 'VARCHAR(16777216)'
    WHEN 'DOUBLE' THEN 'FLOAT' WHEN 'BOOLEAN' THEN 'BOOLEAN' WHEN 'DATE' THEN 'DATE'
    ELSE CASE WHEN t LIKE 'DECIMAL(%)' THEN replace(t, 'DECIMAL', 'NUMBER')
              ELSE error('SYSTEM$TYPEOF of an ARRAY of these is not supported') END END;
CREATE OR REPLACE MACRO _sf.main.system_typeof_(x) AS
  CASE typeof(x)
    WHEN 'VARCHAR' THEN 'VARCHAR(16777216)[LOB]' WHEN 'DOUBLE' THEN 'FLOAT[DOUBLE]'
    WHEN 'BOOLEAN' THEN 'BOOLEAN[SB1]' WHEN 'DATE' THEN 'DATE[SB4]'
    WHEN 'TIMESTAMP' THEN 'TIMESTAMP_NTZ(9)[SB16]' WHEN 'TIME' THEN 'TIME(9)[SB8]'
    WHEN 'BLOB' THEN 'BINARY(8388608)[LOB]' WHEN '"NULL"' THEN 'NULL[LOB]'
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ(9)[SB16]'
    ELSE CASE WHEN typeof(x) LIKE '%[]'
                THEN 'ARRAY(' || _sf.main.element_typeof_(left(typeof(x), -2)) || ')[LOB]'
              WHEN typeof(x) LIKE 'DECIMAL%' THEN _sf.main.number_typeof_(typeof(x))
              ELSE error('SYSTEM$TYPEOF of this type is not supported') END END;

-- What the recursive term of a query gives, which its anchor's type must hold (recursion.py).
CREATE OR REPLACE MACRO _sf.main.digits_of_type_(t) AS
  CASE WHEN starts_with(t, 'DECIMAL') THEN CAST(replace(split_part(t, ',', 2), ')', '') AS INTEGER)
       WHEN t IN ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT') THEN 0
       WHEN t IN ('FLOAT', 'DOUBLE') THEN 100
       WHEN t = 'DATE' THEN 200 WHEN starts_with(t, 'TIMESTAMP') THEN 201 END;
CREATE OR REPLACE MACRO _sf.main.recursive_(x, kept) AS
  CASE WHEN _sf.main.digits_of_type_(typeof(x)) > _sf.main.digits_of_type_(typeof(kept))
         AND (_sf.main.digits_of_type_(typeof(x)) < 200 OR _sf.main.digits_of_type_(typeof(kept)) >= 200)
       THEN error('a recursive term of another type than the anchor (' || typeof(x) || ', '
                  || typeof(kept) || ') is not supported; cast both to one type') ELSE x END;
