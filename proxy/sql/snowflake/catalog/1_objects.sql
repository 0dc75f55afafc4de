-- What there is in the database, in Snowflake's words: the ground that SHOW, DESCRIBE and
-- INFORMATION_SCHEMA stand on. The database has the name that the client asked for, and DuckDB's
-- schema `main` is `public`. Times and owners are what the catalog's mirror in Postgres knows.

CREATE OR REPLACE MACRO _sf.schema_name_(name) AS CASE WHEN name = 'main' THEN 'public' ELSE name END;

CREATE OR REPLACE MACRO _sf.database_() AS CAST(getvariable('hatidata_database') AS VARCHAR);

-- kind: 'NUMBER', 'TEXT'... as in INFORMATION_SCHEMA.COLUMNS.DATA_TYPE.
CREATE OR REPLACE MACRO _sf.type_kind_(t) AS CASE
  WHEN t LIKE 'FLOAT[%' AND t <> 'FLOAT[]' THEN 'VECTOR'
  WHEN t LIKE '%]' THEN 'ARRAY'
  WHEN t LIKE 'DECIMAL(%' THEN 'NUMBER'
  WHEN t IN ('BIGINT', 'INTEGER', 'SMALLINT', 'TINYINT', 'HUGEINT', 'UBIGINT', 'UINTEGER',
             'USMALLINT', 'UTINYINT', 'UHUGEINT') THEN 'NUMBER'
  WHEN t IN ('DOUBLE', 'FLOAT') THEN 'FLOAT'
  WHEN t IN ('VARCHAR', 'UUID') OR t LIKE 'ENUM(%' THEN 'TEXT'
  WHEN t = 'BLOB' THEN 'BINARY'
  WHEN t IN ('JSON', 'JSONB') THEN 'VARIANT'
  WHEN t IN ('TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS') THEN 'TIMESTAMP_NTZ'
  WHEN t = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ'
  WHEN t LIKE 'STRUCT(%' OR t LIKE 'MAP(%' THEN 'OBJECT'
  ELSE t END;

CREATE OR REPLACE MACRO _sf.text_length_(t, length) AS
  coalesce(length, CASE WHEN t = 'UUID' THEN 36 ELSE 16777216 END);

CREATE OR REPLACE MACRO _sf.type_precision_(t) AS CASE
  WHEN t LIKE 'DECIMAL(%' THEN CAST(split_part(substr(t, 9), ',', 1) AS BIGINT) ELSE 38 END;

CREATE OR REPLACE MACRO _sf.type_scale_(t) AS CASE
  WHEN t LIKE 'DECIMAL(%' THEN CAST(rtrim(split_part(t, ',', 2), ')') AS BIGINT) ELSE 0 END;

-- As SHOW COLUMNS' and DESCRIBE's type: 'NUMBER(38,0)', 'VARCHAR(16777216)'...
CREATE OR REPLACE MACRO _sf.type_text_(t, length) AS CASE _sf.main.type_kind_(t)
  WHEN 'NUMBER' THEN 'NUMBER(' || _sf.main.type_precision_(t) || ',' || _sf.main.type_scale_(t) || ')'
  WHEN 'TEXT' THEN 'VARCHAR(' || _sf.main.text_length_(t, length) || ')'
  WHEN 'BINARY' THEN 'BINARY(8388608)'
  WHEN 'TIME' THEN 'TIME(9)'
  WHEN 'TIMESTAMP_NTZ' THEN 'TIMESTAMP_NTZ(9)'
  WHEN 'TIMESTAMP_LTZ' THEN 'TIMESTAMP_LTZ(9)'
  WHEN 'VECTOR' THEN 'VECTOR(FLOAT, ' || rtrim(substr(t, 7), ']') || ')'
  ELSE _sf.main.type_kind_(t) END;

CREATE OR REPLACE MACRO _sf.ddl_name_(name) AS
  CASE WHEN regexp_full_match(name, '[a-z_][a-z0-9_$]*') THEN name
       ELSE '"' || replace(name, '"', '""') || '"' END;
CREATE OR REPLACE MACRO _sf.ddl_columns_(database_, schema_, view_) AS (
  SELECT E'(\n\t' || string_agg(_sf.main.ddl_name_(column_name), E',\n\t' ORDER BY column_index) || E'\n)'
  FROM duckdb_columns()
  WHERE database_name = database_ AND schema_name = schema_ AND table_name = view_);

-- What the mirror tells (catalog/sql/1_moments.sql), asked just before the statement; nothing while it is away.
-- A schema's own has no name, the database's no schema either.
CREATE OR REPLACE VIEW _sf.told_ AS
SELECT lower(t.schema) AS told_schema, lower(t.name) AS told_name, CAST(t.created AS TIMESTAMPTZ) AS created,
       CAST(t.altered AS TIMESTAMPTZ) AS altered, t.owner, t.comment, t.text
FROM (SELECT unnest(from_json(coalesce(CAST(getvariable('hatidata_told') AS VARCHAR), '[]'),
  '[{"schema":"VARCHAR","name":"VARCHAR","created":"VARCHAR","altered":"VARCHAR","owner":"VARCHAR","comment":"VARCHAR","text":"VARCHAR"}]')) AS t);
CREATE OR REPLACE MACRO _sf.owner_() AS (SELECT owner FROM _sf.main.told_ WHERE told_schema = '' AND told_name = '');

CREATE OR REPLACE VIEW _sf.schemas_ AS
SELECT s.schema_name AS engine_schema, _sf.main.schema_name_(s.schema_name) AS schema_name,
       _sf.main.database_() AS database_name, coalesce(t.comment, s.comment) AS comment, t.created,
       t.altered, t.owner
FROM duckdb_schemas() s
LEFT JOIN _sf.main.told_ t ON t.told_schema = lower(_sf.main.schema_name_(s.schema_name)) AND t.told_name = ''
WHERE s.database_name NOT IN ('system', 'temp', '_sf')
UNION ALL
SELECT 'information_schema', 'information_schema', _sf.main.database_(),
       'Views describing the contents of schemas in this database', created, created, NULL
FROM (SELECT 1) one LEFT JOIN _sf.main.told_ ON told_schema = '' AND told_name = '';

-- Tables and views. A temporary one answers to `public`, where it can be found by that name.
CREATE OR REPLACE MACRO _sf.measured_(name, path) AS
  CAST(map_extract(CAST(getvariable(name) AS MAP(VARCHAR, BIGINT)), path)[1] AS BIGINT);
CREATE OR REPLACE VIEW _sf.relations_ AS
SELECT d.*, CASE WHEN d.kind <> 'TEMPORARY' THEN t.created END AS created,
       CASE WHEN d.kind <> 'TEMPORARY' THEN t.altered END AS altered,
       coalesce(CASE WHEN d.kind <> 'TEMPORARY' THEN t.owner END, _sf.main.owner_()) AS owner,
       CASE WHEN d.kind = 'VIEW' THEN coalesce('create or replace view ' || _sf.main.ddl_name_(d.name) || _sf.main.ddl_columns_(d.engine_database, d.engine_schema, d.name) || ' as ' || t.text || ';', d.sql) END AS text
FROM (
  SELECT database_name AS engine_database, schema_name AS engine_schema,
         _sf.main.schema_name_(schema_name) AS schema_name, _sf.main.database_() AS database_name,
         table_name AS name, CASE WHEN temporary THEN 'TEMPORARY' ELSE 'TABLE' END AS kind, comment,
         _sf.main.measured_('hatidata_rows', database_name || '.' || schema_name || '.' || table_name) AS rows,
         CASE WHEN estimated_size = 0 THEN 0
              ELSE _sf.main.measured_('hatidata_bytes', database_name || '.' || schema_name || '.' || table_name) END AS bytes,
         CAST(NULL AS VARCHAR) AS sql
  FROM duckdb_tables()
  WHERE NOT internal AND database_name NOT IN ('system', '_sf')
    AND NOT (temporary AND starts_with(table_name, '_hd_'))
  UNION ALL
  SELECT database_name, schema_name, _sf.main.schema_name_(schema_name), _sf.main.database_(),
         view_name, 'VIEW', comment, NULL, NULL, sql
  FROM duckdb_views()
  WHERE NOT internal AND database_name NOT IN ('system', '_sf')
    AND NOT (temporary AND starts_with(view_name, '_hd_'))
    AND NOT starts_with(view_name, 'materialized view ')  -- the query of a table that Postgres's dialect made
) d
LEFT JOIN _sf.main.told_ t
  ON t.told_schema = lower(d.schema_name) AND t.told_name = lower(d.name) AND d.engine_database <> 'temp';

-- The sequence of an identity, by its name or as Postgres's dialect marks it (proxy.sql.definitions.identities).
CREATE OR REPLACE MACRO _sf.is_identity_(name, comment) AS
  ends_with(name, '_identity') OR starts_with(coalesce(comment, ''), 'hatidata: identity ');

-- VARCHAR(n) is kept as a check of the column's length, an identity as a sequence of its own.
CREATE OR REPLACE VIEW _sf.columns_ AS
SELECT c.database_name AS engine_database, c.schema_name AS engine_schema,
       _sf.main.schema_name_(c.schema_name) AS schema_name, _sf.main.database_() AS database_name,
       c.table_name, c.column_name, c.column_index AS position, c.data_type AS engine_type,
       CAST(l.length AS BIGINT) AS length, c.is_nullable, c.comment,
       CASE WHEN i.sequence_name IS NULL THEN c.column_default END AS column_default,
       coalesce(i.said, CASE WHEN i.increment_by > 0 THEN i.min_value ELSE i.max_value END) AS identity_start, i.increment_by AS identity_step
FROM duckdb_columns() c
LEFT JOIN (
  SELECT database_name, schema_name, table_name, constraint_column_names[1] AS column_name,
         min(CAST(regexp_extract(expression, '^\(length\(.*\) <= ([0-9]+)\)$', 1) AS BIGINT)) AS length
  FROM duckdb_constraints()
  WHERE constraint_type = 'CHECK' AND regexp_matches(expression, '^\(length\(("[^"]*"|\w+)\) <= [0-9]+\)$')
  GROUP BY ALL
) l USING (database_name, schema_name, table_name, column_name)
LEFT JOIN (
  SELECT database_name, schema_name, sequence_name, min_value, max_value, increment_by,
         TRY_CAST(split_part(comment, ', starts with ', 2) AS BIGINT) AS said
  FROM duckdb_sequences() WHERE _sf.main.is_identity_(sequence_name, comment)
) i ON i.database_name = c.database_name AND i.schema_name = c.schema_name
   AND c.column_default IN (
     'nextval(''"' || replace(i.schema_name || '"."' || i.sequence_name, '''', '''''') || '"'')',
     'nextval(''"' || replace(i.sequence_name, '''', '''''') || '"'')')
WHERE NOT c.internal AND c.database_name NOT IN ('system', '_sf')
  AND NOT (c.database_name = 'temp' AND starts_with(c.table_name, '_hd_'))
  AND NOT starts_with(c.table_name, 'materialized view ');

CREATE OR REPLACE MACRO _sf.identity_(start, step) AS
  'IDENTITY START ' || start || ' INCREMENT ' || step || ' ORDER';

-- Foreign keys are not enforced: a check that is always true holds each, as JSON.
CREATE OR REPLACE VIEW _sf.foreign_keys_ AS
SELECT database_name, schema_name, table_name, kept ->> '$."foreign key"' AS constraint_name,
       from_json(kept -> '$.columns', '["VARCHAR"]') AS constraint_column_names,
       nullif(kept ->> '$.schema', '') AS referenced_schema, kept ->> '$.table' AS referenced_table,
       from_json(kept -> '$.references', '["VARCHAR"]') AS referenced_column_names
FROM (
  SELECT database_name, schema_name, table_name,
         CAST(replace(regexp_extract(expression, '({"foreign key".*})', 1), '''''', '''') AS JSON) AS kept
  FROM duckdb_constraints()
  WHERE constraint_type = 'CHECK' AND expression LIKE '%{"foreign key"%'
);

-- Keys that are not enforced (hatidata.enforce_keys) are held alike.
CREATE OR REPLACE VIEW _sf.recorded_keys_ AS
SELECT database_name, schema_name, table_name, kept ->> '$.key' AS constraint_type,
       kept ->> '$.name' AS constraint_name,
       from_json(kept -> '$.columns', '["VARCHAR"]') AS constraint_column_names
FROM (
  SELECT database_name, schema_name, table_name,
         CAST(replace(regexp_extract(expression, '({"key".*})', 1), '''''', '''') AS JSON) AS kept
  FROM duckdb_constraints()
  WHERE constraint_type = 'CHECK' AND expression LIKE '%{"key"%'
);

-- The names that keys were given are kept in checks beside them (proxy.sql.definitions.constraint_names).
CREATE OR REPLACE VIEW _sf.key_names_ AS
SELECT database_name, schema_name, table_name, constraint_type, any_value(given) AS given, folded,
       any_value(update_rule) AS update_rule, any_value(delete_rule) AS delete_rule
FROM (
  SELECT database_name, schema_name, table_name, kept ->> '$.kind' AS constraint_type,
         nullif(kept ->> '$."key name"', '') AS given, kept ->> '$.update' AS update_rule,
         kept ->> '$.delete' AS delete_rule,
         from_json(lower(kept ->> '$.columns'), '["VARCHAR"]') AS folded
  FROM (
    SELECT database_name, schema_name, table_name,
           CAST(replace(regexp_extract(expression, '({"key name".*})', 1), '''''', '''') AS JSON) AS kept
    FROM duckdb_constraints()
    WHERE constraint_type = 'CHECK' AND expression LIKE '%{"key name"%'
  )
)
GROUP BY database_name, schema_name, table_name, constraint_type, folded;

-- One row for each column of a key. A foreign key that names no columns means the primary key's. A
-- UNIQUE that was added to a table is an index with this comment.
CREATE OR REPLACE VIEW _sf.keys_ AS
SELECT database_name AS engine_database, schema_name AS engine_schema,
       _sf.main.schema_name_(schema_name) AS schema_name, _sf.main.database_() AS database_name,
       table_name, constraint_type, given,
       coalesce(given, table_name || '_' || CASE constraint_type WHEN 'PRIMARY KEY' THEN 'pkey'
         ELSE list_aggregate(constraint_column_names, 'string_agg', '_')
           || CASE constraint_type WHEN 'UNIQUE' THEN '_key' ELSE '_fkey' END END) AS constraint_name,
       position, enforced, coalesce(update_rule, 'NO ACTION') AS update_rule,
       coalesce(delete_rule, 'NO ACTION') AS delete_rule,
       constraint_column_names[position] AS column_name,
       _sf.main.schema_name_(coalesce(referenced_schema, schema_name)) AS referenced_schema,
       referenced_table, referenced_column_names[position] AS referenced_column
FROM (
  SELECT *, unnest(range(1, len(constraint_column_names) + 1)) AS position FROM (
    SELECT c.database_name, c.schema_name, c.table_name, c.constraint_type, n.given,
           c.constraint_column_names, CAST(NULL AS VARCHAR) AS referenced_schema, c.referenced_table,
           c.referenced_column_names, c.constraint_type <> 'FOREIGN KEY' AS enforced, n.update_rule,
           n.delete_rule
    FROM duckdb_constraints() c
    LEFT JOIN _sf.main.key_names_ n
      ON n.database_name = c.database_name AND n.schema_name = c.schema_name
     AND n.table_name = c.table_name AND n.constraint_type = c.constraint_type
     AND n.folded = list_transform(c.constraint_column_names, lambda one: lower(one))
    WHERE c.constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')
      AND c.database_name NOT IN ('system', '_sf')
    UNION ALL
    SELECT database_name, schema_name, table_name, 'UNIQUE', index_name,
           list_transform(CAST(expressions AS VARCHAR[]), lambda e: replace(e, '"', '')), NULL, NULL, NULL,
           true, NULL, NULL
    FROM duckdb_indexes() WHERE comment = 'hatidata: constraint'
    UNION ALL
    SELECT f.database_name, f.schema_name, f.table_name, 'FOREIGN KEY',
           nullif(f.constraint_name, ''),
           f.constraint_column_names, f.referenced_schema, f.referenced_table,
           CASE WHEN len(f.referenced_column_names) > 0 THEN f.referenced_column_names
                ELSE p.constraint_column_names END, false, NULL, NULL
    FROM _sf.main.foreign_keys_ f
    LEFT JOIN duckdb_constraints() p
      ON p.constraint_type = 'PRIMARY KEY' AND p.database_name = f.database_name
     AND p.schema_name = coalesce(f.referenced_schema, f.schema_name)
     AND lower(p.table_name) = lower(f.referenced_table)
    UNION ALL
    SELECT database_name, schema_name, table_name, constraint_type, nullif(constraint_name, ''),
           constraint_column_names, NULL, NULL, NULL, false, NULL, NULL
    FROM _sf.main.recorded_keys_ WHERE database_name NOT IN ('system', '_sf')
  )
);

-- What a sequence gives next. Of one that was opened anew last_value is that very number, and not the one
-- before; the end of its text, which is DuckDB's own, tells it in any case.
CREATE OR REPLACE MACRO _sf.main.next_number_(sql) AS
  CAST(regexp_extract(sql, ' START (-?[0-9]+) (?:NO )?CYCLE;$', 1) AS BIGINT);

CREATE OR REPLACE VIEW _sf.sequences_ AS
SELECT s.database_name AS engine_database, s.schema_name AS engine_schema,
       _sf.main.schema_name_(s.schema_name) AS schema_name, _sf.main.database_() AS database_name,
       -- Where it has started is known by the bounds that Snowflake's CREATE SEQUENCE gives it.
       sequence_name AS name, t.created, t.altered, coalesce(t.owner, _sf.main.owner_()) AS owner,
       CASE WHEN increment_by > 0 AND max_value = 9223372036854775806 THEN min_value
            WHEN increment_by < 0 AND min_value = -9223372036854775807 THEN max_value END AS start_value,
       min_value, max_value, increment_by, cycle, s.comment,
       _sf.main.next_number_(s.sql) AS next_value
FROM duckdb_sequences() s
LEFT JOIN _sf.main.told_ t
  ON t.told_schema = lower(_sf.main.schema_name_(s.schema_name)) AND t.told_name = lower(s.sequence_name) AND NOT s.temporary
WHERE NOT _sf.main.is_identity_(sequence_name, s.comment) AND s.database_name NOT IN ('system', '_sf');

-- What functions and procedures of the client's own were made of (proxy/functions/routines.py): one row for each
-- of the functions of a name. A macro's text is a literal.
CREATE OR REPLACE VIEW _sf.routines_ AS
SELECT database_name AS engine_database, schema_name AS engine_schema,
       _sf.main.schema_name_(schema_name) AS schema_name, _sf.main.database_() AS database_name,
       kind, name, made,
       CAST(made -> '$.parameters[*]' AS JSON[]) AS parameters,
       to_timestamp(CAST(made ->> '$.created' AS DOUBLE)) AS created,
       to_timestamp(CAST(coalesce(made ->> '$.altered', made ->> '$.created') AS DOUBLE)) AS altered,
       _sf.main.owner_() AS owner,
       CASE json_type(made, '$.columns') WHEN 'ARRAY' THEN CAST(made -> '$.columns[*]' AS JSON[]) END AS columns
FROM (
  SELECT database_name, schema_name, 'FUNCTION' AS kind, substr(function_name, 10) AS name,
         unnest(CAST(CAST(replace(substr(macro_definition, 2, len(macro_definition) - 2), '''''', '''')
           AS JSON) -> '$[*]' AS JSON[])) AS made
  FROM duckdb_functions()
  WHERE NOT internal AND function_type = 'macro' AND len(parameters) = 0
    AND starts_with(function_name, 'function ') AND database_name NOT IN ('system', '_sf')
  UNION ALL
  SELECT database_name, schema_name, 'PROCEDURE', regexp_replace(substr(function_name, 11), '/[0-9]+$', ''),
         CAST(replace(substr(macro_definition, 2, len(macro_definition) - 2), '''''', '''') AS JSON)
  FROM duckdb_functions()
  WHERE NOT internal AND function_type = 'macro' AND len(parameters) = 0
    AND starts_with(function_name, 'procedure ') AND database_name NOT IN ('system', '_sf')
);

-- 'NUMBER, DEFAULT VARCHAR' and 'A NUMBER, B VARCHAR'.
CREATE OR REPLACE MACRO _sf.kinds_of_(parameters) AS
  coalesce(list_aggregate(list_transform(parameters, lambda p:
    CASE WHEN p ->> '$.out' = 'true' THEN 'OUT ' WHEN p ->> '$.default' IS NULL THEN ''
         ELSE 'DEFAULT ' END || (p ->> '$.kind')),
    'string_agg', ', '), '');
CREATE OR REPLACE MACRO _sf.named_kinds_(parameters) AS
  coalesce(list_aggregate(list_transform(parameters, lambda p: (p ->> '$.name') || ' ' || (p ->> '$.kind')),
    'string_agg', ', '), '');
CREATE OR REPLACE MACRO _sf.result_kind_(made, columns) AS
  CASE WHEN len(columns) > 0 THEN 'TABLE (' || _sf.main.named_kinds_(columns) || ')'
       ELSE made ->> '$.kind' END;
CREATE OR REPLACE VIEW _sf.functions_ AS
SELECT *, columns IS NOT NULL AS is_table, made ->> '$.comment' AS comment,
       _sf.main.kinds_of_(parameters) AS kinds, _sf.main.result_kind_(made, columns) AS result_kind
FROM _sf.main.routines_;

-- The schema in which an unqualified name is found, as the session's search path has it.
CREATE OR REPLACE MACRO _sf.schema_of_(relation) AS (
  SELECT engine_database || '.' || engine_schema FROM _sf.main.relations_
  WHERE lower(name) = lower(relation) AND list_contains(current_schemas(true), engine_schema)
  ORDER BY engine_database <> 'temp', list_position(current_schemas(true)[2:], engine_schema)
  LIMIT 1);

CREATE OR REPLACE MACRO _sf.sequence_there_(schema, sequence) AS coalesce((
  SELECT schema_name FROM _sf.main.sequences_
  WHERE lower(name) = lower(sequence)
    AND CASE WHEN schema IS NULL THEN list_contains(current_schemas(true), engine_schema)
             ELSE lower(schema_name) = lower(schema) END
  ORDER BY list_position(current_schemas(true)[2:], engine_schema)
  LIMIT 1), error('relation "' || sequence || '" does not exist'));

CREATE OR REPLACE MACRO _sf.schema_there_(schema) AS
  CASE WHEN EXISTS (SELECT 1 FROM _sf.main.schemas_ WHERE lower(engine_schema) = lower(schema)) THEN true
       ELSE error('schema "' || _sf.main.schema_name_(schema) || '" does not exist') END;

CREATE OR REPLACE MACRO _sf.relation_there_(engine_place, relation) AS
  CASE WHEN EXISTS (
    SELECT 1 FROM _sf.main.relations_
    WHERE lower(engine_database || '.' || engine_schema) = lower(engine_place)
      AND lower(name) = lower(relation)
  ) THEN true ELSE error('relation "' || relation || '" does not exist') END;

-- The session's n-th statement, or the n-th back from this one.
CREATE OR REPLACE MACRO _sf.query_id_(n) AS CASE
  WHEN n > 0 AND n < CAST(getvariable('hatidata_query') AS BIGINT)
    THEN CAST(getvariable('hatidata_query_prefix') AS VARCHAR) || printf('%012x', n)
  WHEN n <= 0 AND CAST(getvariable('hatidata_query') AS BIGINT) + n > 0 AND n < 0
    THEN CAST(getvariable('hatidata_query_prefix') AS VARCHAR)
         || printf('%012x', CAST(getvariable('hatidata_query') AS BIGINT) + n) END;

-- Snowflake's table of one row.
CREATE OR REPLACE VIEW _sf.main.dual AS SELECT 'X' AS dummy;
