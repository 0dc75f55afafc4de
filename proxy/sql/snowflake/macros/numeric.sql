-- Numbers with Snowflake's result types.
--
-- A macro with typed parameters is chosen by the types of its arguments, and casts them to those
-- types. Where only the choice is wanted, an argument `t` of its own makes it: it is not used, so
-- it is not evaluated. DuckDB checks a macro's body when it is created, without knowing types, and
-- would find a choice ambiguous: so the caller is created against a placeholder of the chooser,
-- which is then replaced.

CREATE OR REPLACE MACRO _sf.main.div_(t, a, b) AS a / b;

-- a / b; a divisor of zero raises.
CREATE OR REPLACE MACRO _sf.main.div(a, b) AS
  CASE WHEN b = 0 THEN error('division by zero')
       ELSE _sf.main.div_(coalesce(a * 1.0, b * 1.0), a, b) END;

-- The type of NUMBER(p1, s1) / NUMBER(p2, s2): scale greatest(s1, least(s1 + 6, 12)).
CREATE OR REPLACE MACRO _sf.main.div_type(a) AS
  coalesce(round(a * CAST(1 AS DECIMAL(31, 6)), 12), a);

-- The exact quotient: a first one from floating point, then what remains of `a` divided again.
CREATE OR REPLACE MACRO _sf.main.div_exact(a, b) AS
  cast_to_type(a / b, _sf.main.div_type(a))
  + cast_to_type((a - cast_to_type(a / b, _sf.main.div_type(a)) * b) / b, _sf.main.div_type(a));

CREATE OR REPLACE MACRO _sf.main.div_
  (t DECIMAL(1, 0), a, b) AS _sf.main.div_exact(a, b),
  (t DOUBLE, a, b) AS a / b;
