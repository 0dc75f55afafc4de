-- GET_DDL: statements that make an object again, as Snowflake words them.

CREATE OR REPLACE MACRO _sf.ddl_path_(schema, name, whole) AS
  CASE WHEN whole THEN _sf.main.ddl_name_(_sf.main.database_()) || '.' || _sf.main.ddl_name_(schema) || '.'
       ELSE '' END || _sf.main.ddl_name_(name);
CREATE OR REPLACE MACRO _sf.ddl_text_(s) AS '''' || replace(s, '''', '''''') || '''';
CREATE OR REPLACE MACRO _sf.ddl_list_(names) AS
  list_aggregate(list_transform(names, lambda n: _sf.main.ddl_name_(n)), 'string_agg', ', ');
-- What DuckDB keeps of a DEFAULT is in its own words. Of one that cannot be put in Snowflake's, a mark is left:
-- the lines of all tables are written before one of them is chosen.
CREATE OR REPLACE MACRO _sf.ddl_default_(d) AS CASE
  WHEN d IS NULL THEN ''
  WHEN regexp_full_match(d, 'CAST\(''([^'']|'''')*'' AS [A-Z ]+\)') THEN ' DEFAULT ' || regexp_extract(d, '''.*''')
  WHEN d IN ('now()', '(now())') THEN ' DEFAULT CURRENT_TIMESTAMP()'
  WHEN d IN ('today()', '(today())') THEN ' DEFAULT CURRENT_DATE()'
  WHEN regexp_full_match(d, '(''([^'']|'''')*''|-?[0-9.eE+]+|true|false|NULL)') THEN ' DEFAULT ' || d
  WHEN regexp_full_match(d, '\(?nextval\(''[^'']*''\)\)?')
    THEN ' DEFAULT ' || replace(regexp_extract(d, '''([^'']*)''', 1), '"', '') || '.NEXTVAL'
  ELSE chr(1) || d || chr(1) END;
CREATE OR REPLACE MACRO _sf.ddl_checked_(lines) AS
  list_transform(lines, lambda l: CASE WHEN contains(l, chr(1))
    THEN error('GET_DDL of the DEFAULT ' || split_part(l, chr(1), 2) || ' is not supported') ELSE l END);
CREATE OR REPLACE MACRO _sf.ddl_comment_(c) AS
  CASE WHEN coalesce(c, '') = '' THEN '' ELSE ' COMMENT ' || _sf.main.ddl_text_(c) END;

CREATE OR REPLACE VIEW _sf.ddl_lines_ AS
SELECT engine_database, engine_schema, table_name, 0 AS part, position,
       chr(9) || _sf.main.ddl_name_(column_name) || ' ' || _sf.main.type_text_(engine_type, length)
       || CASE WHEN is_nullable THEN '' ELSE ' NOT NULL' END
       || CASE WHEN identity_start IS NULL THEN _sf.main.ddl_default_(column_default)
               ELSE ' autoincrement start ' || identity_start || ' increment ' || identity_step || ' order' END
       || _sf.main.ddl_comment_(comment) AS line
FROM _sf.main.columns_
UNION ALL
SELECT engine_database, engine_schema, table_name,
       CASE constraint_type WHEN 'PRIMARY KEY' THEN 1 WHEN 'UNIQUE' THEN 2 ELSE 3 END, min(position),
       chr(9) || coalesce('constraint ' || _sf.main.ddl_name_(any_value(given)) || ' ', '')
       || CASE constraint_type WHEN 'PRIMARY KEY' THEN 'primary key (' WHEN 'UNIQUE' THEN 'unique ('
                 ELSE 'foreign key (' END
       || string_agg(_sf.main.ddl_name_(column_name), ', ' ORDER BY position) || ')'
       || CASE WHEN constraint_type = 'FOREIGN KEY'
               THEN ' references ' || _sf.main.ddl_name_(any_value(referenced_table))
                    || coalesce('(' || string_agg(_sf.main.ddl_name_(referenced_column), ', ' ORDER BY position) || ')', '')
               ELSE '' END
FROM _sf.main.keys_
GROUP BY engine_database, engine_schema, table_name, constraint_type, constraint_name;

CREATE OR REPLACE VIEW _sf.ddl_tables_ AS
SELECT r.engine_database, r.engine_schema, r.schema_name, r.name, r.kind, r.comment,
       list(l.line ORDER BY l.part, l.position) AS lines
FROM _sf.main.relations_ r JOIN _sf.main.ddl_lines_ l
  ON l.engine_database = r.engine_database AND l.engine_schema = r.engine_schema AND l.table_name = r.name
WHERE r.kind <> 'VIEW' GROUP BY ALL;
CREATE OR REPLACE MACRO _sf.ddl_table_(schema_name, name, kind, comment, lines, whole) AS
  'create or replace ' || CASE kind WHEN 'TEMPORARY' THEN 'TEMPORARY TABLE ' ELSE 'TABLE ' END
  || _sf.main.ddl_path_(schema_name, name, whole) || ' (' || chr(10)
  || list_aggregate(_sf.main.ddl_checked_(lines), 'string_agg', ',' || chr(10)) || chr(10) || ')'
  || CASE WHEN coalesce(comment, '') = '' THEN '' ELSE 'COMMENT=' || _sf.main.ddl_text_(comment) || chr(10) END
  || ';';
CREATE OR REPLACE MACRO _sf.ddl_of_table_(place, table_, whole) AS coalesce((
  SELECT _sf.main.ddl_table_(schema_name, name, kind, comment, lines, whole) FROM _sf.main.ddl_tables_
  WHERE lower(engine_database || '.' || engine_schema) = lower(place) AND lower(name) = lower(table_)),
  CAST(error('Table ''' || table_ || ''' does not exist or not authorized.') AS VARCHAR));

CREATE OR REPLACE MACRO _sf.ddl_sequence_(schema_name, name, start_value, increment_by, comment, whole) AS
  'create or replace sequence ' || _sf.main.ddl_path_(schema_name, name, whole)
  || ' start with ' || start_value || ' increment by ' || increment_by || ' order'
  || CASE WHEN coalesce(comment, '') = '' THEN '' ELSE ' comment=' || _sf.main.ddl_text_(comment) END || ';';
CREATE OR REPLACE MACRO _sf.ddl_of_sequence_(place, sequence_, whole) AS coalesce((
  SELECT _sf.main.ddl_sequence_(schema_name, name, coalesce(start_value, next_value), increment_by, comment, whole)
  FROM _sf.main.sequences_ WHERE lower(name) = lower(sequence_)
    AND CASE WHEN place IS NULL THEN list_contains(current_schemas(true), engine_schema)
             ELSE lower(engine_database || '.' || engine_schema) = lower(place) END LIMIT 1),
  CAST(error('Sequence ''' || sequence_ || ''' does not exist or not authorized.') AS VARCHAR));

CREATE OR REPLACE MACRO _sf.ddl_parameters_(parameters) AS
  coalesce(list_aggregate(list_transform(parameters, lambda p: _sf.main.ddl_name_(p ->> '$.name') || ' '
    || CASE WHEN p ->> '$.out' = 'true' THEN 'OUT ' ELSE '' END || upper(p ->> '$.type') || coalesce(' DEFAULT ' || (p ->> '$.default'), '')), 'string_agg', ', '), '');
CREATE OR REPLACE MACRO _sf.ddl_routine_(kind, schema_name, name, made, parameters, columns, whole) AS
  'CREATE OR REPLACE ' || CASE WHEN made ->> '$.secure' = 'true' THEN 'SECURE ' ELSE '' END || kind || ' '
  || CASE WHEN whole THEN _sf.main.ddl_path_(schema_name, name, true) ELSE '"' || replace(name, '"', '""') || '"' END
  || '(' || _sf.main.ddl_parameters_(parameters) || ')' || chr(10) || 'RETURNS '
  || CASE WHEN len(columns) > 0 THEN 'TABLE (' || _sf.main.ddl_parameters_(columns) || ')'
          ELSE upper(made ->> '$.returns') END || chr(10) || 'LANGUAGE SQL' || chr(10)
  || CASE WHEN made ->> '$.strict' = 'true' THEN 'STRICT' || chr(10) ELSE '' END
  || CASE WHEN made ->> '$.volatility' IS NULL THEN '' ELSE (made ->> '$.volatility') || chr(10) END
  || CASE WHEN made ->> '$.memoizable' = 'true' THEN 'MEMOIZABLE' || chr(10) ELSE '' END
  || CASE WHEN coalesce(made ->> '$.comment', '') = '' THEN ''
          ELSE 'COMMENT=' || _sf.main.ddl_text_(made ->> '$.comment') || chr(10) END
  || CASE kind WHEN 'PROCEDURE' THEN 'EXECUTE AS OWNER' || chr(10) ELSE '' END
  || 'AS ' || _sf.main.ddl_text_(made ->> '$.body') || ';';
CREATE OR REPLACE MACRO _sf.ddl_of_routine_(kind_, place, routine, kinds_, whole) AS coalesce((
  SELECT _sf.main.ddl_routine_(kind, schema_name, name, made, parameters, columns, whole)
  FROM _sf.main.functions_ WHERE kind = kind_ AND lower(name) = lower(routine)
    AND list_aggregate(list_transform(parameters, lambda p: p ->> '$.kind'), 'string_agg', ', ')
        IS NOT DISTINCT FROM kinds_
    AND CASE WHEN place IS NULL THEN list_contains(current_schemas(true), engine_schema)
             ELSE lower(engine_database || '.' || engine_schema) = lower(place) END LIMIT 1),
  CAST(error(kind_ || ' ''' || routine || ''' does not exist or not authorized.') AS VARCHAR));

CREATE OR REPLACE MACRO _sf.ddl_of_schema_(schema_, whole) AS (
  SELECT CASE
    WHEN NOT EXISTS (SELECT 1 FROM _sf.main.schemas_ WHERE lower(schema_name) = lower(schema_))
      THEN error('Schema ''' || schema_ || ''' does not exist or not authorized.')
    WHEN EXISTS (SELECT 1 FROM _sf.main.relations_ WHERE kind = 'VIEW' AND lower(schema_name) = lower(schema_))
      THEN error('GET_DDL of a schema with views is not supported')
    ELSE 'create or replace schema ' || _sf.main.ddl_name_(schema_) || ';' || coalesce((
      SELECT string_agg(chr(10) || chr(10) || ddl, '' ORDER BY part, name) FROM (
        SELECT 1 AS part, name, _sf.main.ddl_sequence_(schema_name, name, coalesce(start_value, next_value), increment_by, comment, whole) AS ddl
        FROM _sf.main.sequences_ WHERE lower(schema_name) = lower(schema_)
        UNION ALL SELECT 2, name, _sf.main.ddl_table_(schema_name, name, kind, comment, lines, whole)
        FROM _sf.main.ddl_tables_ WHERE lower(schema_name) = lower(schema_)
        UNION ALL SELECT 3, name, _sf.main.ddl_routine_(kind, schema_name, name, made, parameters, columns, whole)
        FROM _sf.main.functions_ WHERE lower(schema_name) = lower(schema_))), '') END);

CREATE OR REPLACE MACRO _sf.describe_routine_(kind_, place, routine, kinds_) AS TABLE
SELECT unnest(['signature', 'returns', 'language', 'null handling', 'volatility', 'body']) AS property,
       unnest(['(' || _sf.main.named_kinds_(parameters) || ')',
         CASE WHEN len(columns) > 0 THEN 'TABLE (' || _sf.main.named_kinds_(columns) || ')'
              ELSE upper(made ->> '$.returns') END, 'SQL',
         CASE WHEN made ->> '$.strict' = 'true' THEN 'RETURNS NULL ON NULL INPUT'
              ELSE 'CALLED ON NULL INPUT' END,
         coalesce(made ->> '$.volatility', 'VOLATILE'), made ->> '$.body']) AS value
FROM (SELECT 1) one LEFT JOIN _sf.main.functions_ ON kind = kind_
  AND lower(name) = lower(routine)
  AND list_aggregate(list_transform(parameters, lambda p: p ->> '$.kind'), 'string_agg', ', ')
      IS NOT DISTINCT FROM kinds_
  AND CASE WHEN place IS NULL THEN list_contains(current_schemas(true), engine_schema)
           ELSE lower(engine_database || '.' || engine_schema) = lower(place) END
WHERE CASE WHEN name IS NULL THEN error(kind_ || ' ''' || routine || ''' does not exist or not authorized.')
           ELSE true END;
