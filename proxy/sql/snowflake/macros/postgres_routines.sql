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
    ELSE lower(t) END END;
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
