-- Numbers with Snowflake's result types.
--
-- A macro does not know the types of its arguments when it is written. Two functions that DuckDB
-- resolves when it binds let one body serve them all: cast_to_type(x, t) casts to the type of `t`
-- (which is never evaluated), and typeof(x), a constant, chooses a branch of a CASE.

-- The type of a / b: FLOAT if one of them is, else NUMBER of scale
-- greatest(s1, least(s1 + 6, 12)), 38 digits wide.
CREATE OR REPLACE MACRO _sf.main.div_type(a, b) AS
  coalesce(round(a * CAST(1 AS DECIMAL(31, 6)), 12), a, trunc(b));

CREATE OR REPLACE MACRO _sf.main.is_float(x) AS typeof(x) IN ('DOUBLE', 'FLOAT');

-- The quotient without the check for zero. NUMBER is exact, rounded half away from zero: a first
-- quotient comes from floating point, then what remains of `a` is divided again.
CREATE OR REPLACE MACRO _sf.main.quotient(a, b) AS
  cast_to_type(a / b, _sf.main.div_type(a, b))
  + CASE WHEN _sf.main.is_float(_sf.main.div_type(a, b)) THEN 0
         ELSE cast_to_type(
                (a - cast_to_type(a / b, _sf.main.div_type(a, b)) * b) / b,
                _sf.main.div_type(a, b)) END;

CREATE OR REPLACE MACRO _sf.main.div(a, b) AS
  CASE WHEN b = 0 THEN error('division by zero') ELSE _sf.main.quotient(a, b) END;
