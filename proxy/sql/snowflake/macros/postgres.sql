-- Postgres's own arithmetic, for the postgres dialect.

-- DuckDB's // divides integers and rounds towards zero, and is plain division for other types; but
-- it gives NULL where Postgres raises.
CREATE OR REPLACE MACRO _sf.main.pg_div_(a, b) AS
  CASE WHEN b = 0 THEN error('division by zero') ELSE a // b END;
