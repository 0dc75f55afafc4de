-- SHOW's answers: one view each, with the columns and their order as Snowflake's reference has
-- them (docs.snowflake.com/en/sql-reference/sql/show-tables and its neighbours). What this engine
-- does not know is NULL, what it does not have is said so: OFF, N.

CREATE OR REPLACE VIEW _sf.show_tables AS
SELECT created AS created_on, name, database_name, schema_name, kind,
       coalesce(comment, '') AS comment, '' AS cluster_by, rows, bytes,
       owner, '0' AS retention_time, 'OFF' AS automatic_clustering,
       'OFF' AS change_tracking, 'OFF' AS search_optimization,
       CAST(NULL AS VARCHAR) AS search_optimization_progress,
       CAST(NULL AS BIGINT) AS search_optimization_bytes, 'N' AS is_external,
       'N' AS enable_schema_evolution, CASE WHEN owner IS NOT NULL THEN 'ROLE' END AS owner_role_type, 'N' AS is_event,
       CAST(NULL AS VARCHAR) AS budget, 'N' AS is_hybrid, 'N' AS is_iceberg, 'N' AS is_dynamic,
       'N' AS is_immutable
FROM _sf.main.relations_ WHERE kind <> 'VIEW';

CREATE OR REPLACE VIEW _sf.show_views AS
SELECT created AS created_on, name, '' AS reserved, database_name, schema_name,
       owner, coalesce(comment, '') AS comment, text, 'false' AS is_secure,
       'false' AS is_materialized, CASE WHEN owner IS NOT NULL THEN 'ROLE' END AS owner_role_type, 'OFF' AS change_tracking
FROM _sf.main.relations_ WHERE kind = 'VIEW';

CREATE OR REPLACE VIEW _sf.show_objects AS
SELECT created AS created_on, name, database_name, schema_name, kind,
       coalesce(comment, '') AS comment, '' AS cluster_by, rows, bytes,
       owner, CASE WHEN kind <> 'VIEW' THEN '0' END AS retention_time,
       CASE WHEN owner IS NOT NULL THEN 'ROLE' END AS owner_role_type, 'N' AS is_hybrid, 'N' AS is_dynamic,
       'N' AS is_iceberg
FROM _sf.main.relations_;

CREATE OR REPLACE VIEW _sf.show_schemas AS
SELECT created AS created_on, schema_name AS name, 'N' AS is_default,
       CASE WHEN engine_schema = current_schema() THEN 'Y' ELSE 'N' END AS is_current, database_name,
       owner, coalesce(comment, '') AS comment, '' AS options,
       '0' AS retention_time, CASE WHEN owner IS NOT NULL THEN 'ROLE' END AS owner_role_type
FROM _sf.main.schemas_;

CREATE OR REPLACE VIEW _sf.show_databases AS
SELECT created AS created_on, _sf.main.database_() AS name, 'N' AS is_default,
       'Y' AS is_current, '' AS origin, owner, coalesce(comment, '') AS comment, '' AS options,
       '0' AS retention_time, 'STANDARD' AS kind, CAST(NULL AS VARCHAR) AS budget,
       CASE WHEN owner IS NOT NULL THEN 'ROLE' END AS owner_role_type, CAST(NULL AS VARCHAR) AS object_visibility
FROM (SELECT 1) one LEFT JOIN _sf.main.told_ ON told_schema = '' AND told_name = '';

CREATE OR REPLACE VIEW _sf.show_columns AS
SELECT table_name, schema_name, column_name,
       -- As Snowflake writes it: a JSON object with the type's name and its properties.
       CASE _sf.main.type_kind_(engine_type)
         WHEN 'NUMBER' THEN '{"type":"FIXED","precision":' || _sf.main.type_precision_(engine_type)
              || ',"scale":' || _sf.main.type_scale_(engine_type) || ',"nullable":' || is_nullable || '}'
         WHEN 'TEXT' THEN '{"type":"TEXT","length":' || _sf.main.text_length_(engine_type, length)
              || ',"byteLength":' || least(4 * _sf.main.text_length_(engine_type, length), 16777216)
              || ',"nullable":' || is_nullable || ',"fixed":false}'
         WHEN 'FLOAT' THEN '{"type":"REAL","nullable":' || is_nullable || '}'
         WHEN 'BINARY' THEN '{"type":"BINARY","length":8388608,"byteLength":8388608,"nullable":'
              || is_nullable || ',"fixed":true}'
         WHEN 'TIME' THEN '{"type":"TIME","precision":0,"scale":9,"nullable":' || is_nullable || '}'
         WHEN 'TIMESTAMP_NTZ' THEN '{"type":"TIMESTAMP_NTZ","precision":0,"scale":9,"nullable":'
              || is_nullable || '}'
         WHEN 'TIMESTAMP_LTZ' THEN '{"type":"TIMESTAMP_LTZ","precision":0,"scale":9,"nullable":'
              || is_nullable || '}'
         ELSE '{"type":"' || _sf.main.type_kind_(engine_type) || '","nullable":' || is_nullable || '}'
       END AS data_type,
       CASE WHEN is_nullable THEN 'true' ELSE 'NOT_NULL' END AS "null?",
       coalesce(column_default, '') AS "default", 'COLUMN' AS kind, '' AS expression,
       coalesce(comment, '') AS comment, database_name,
       coalesce(_sf.main.identity_(identity_start, identity_step), '') AS autoincrement,
       CAST(NULL AS VARCHAR) AS schema_evolution_record, position AS position_
FROM _sf.main.columns_;

CREATE OR REPLACE VIEW _sf.show_sequences AS
SELECT name, database_name, schema_name, next_value, increment_by AS "interval",
       created AS created_on, owner,
       coalesce(comment, '') AS comment, CASE WHEN owner IS NOT NULL THEN 'ROLE' END AS owner_role_type, 'Y' AS ordered
FROM _sf.main.sequences_;

CREATE OR REPLACE VIEW _sf.show_primary_keys AS
SELECT CAST(NULL AS TIMESTAMPTZ) AS created_on, database_name, schema_name, table_name, column_name,
       position AS key_sequence, constraint_name, 'true' AS rely, CAST(NULL AS VARCHAR) AS comment
FROM _sf.main.keys_ WHERE constraint_type = 'PRIMARY KEY';

CREATE OR REPLACE VIEW _sf.show_unique_keys AS
SELECT CAST(NULL AS TIMESTAMPTZ) AS created_on, database_name, schema_name, table_name, column_name,
       position AS key_sequence, constraint_name, 'true' AS rely, CAST(NULL AS VARCHAR) AS comment
FROM _sf.main.keys_ WHERE constraint_type = 'UNIQUE';

CREATE OR REPLACE VIEW _sf.show_imported_keys AS
SELECT CAST(NULL AS TIMESTAMPTZ) AS created_on, f.database_name AS pk_database_name,
       f.referenced_schema AS pk_schema_name, f.referenced_table AS pk_table_name,
       f.referenced_column AS pk_column_name, f.database_name AS fk_database_name,
       f.schema_name AS fk_schema_name, f.table_name AS fk_table_name,
       f.column_name AS fk_column_name, f.position AS key_sequence, f.update_rule,
       f.delete_rule, f.constraint_name AS fk_name, p.constraint_name AS pk_name,
       'NOT DEFERRABLE' AS deferrability, 'true' AS rely, CAST(NULL AS VARCHAR) AS comment
FROM _sf.main.keys_ f
LEFT JOIN _sf.main.keys_ p
  ON p.constraint_type IN ('PRIMARY KEY', 'UNIQUE') AND p.schema_name = f.referenced_schema
 AND p.table_name = f.referenced_table AND p.column_name = f.referenced_column
WHERE f.constraint_type = 'FOREIGN KEY';

CREATE OR REPLACE VIEW _sf.show_routines_ AS
SELECT created AS created_on, name, schema_name, 'N' AS is_builtin,
       'N' AS is_aggregate, 'N' AS is_ansi,
       len(list_filter(parameters, lambda p: p ->> '$.default' IS NULL)) AS min_num_arguments,
       len(parameters) AS max_num_arguments,
       name || '(' || kinds || ') RETURN ' || result_kind AS arguments,
       coalesce(comment, CASE kind WHEN 'FUNCTION' THEN 'user-defined function'
                         ELSE 'user-defined procedure' END) AS description,
       database_name AS catalog_name,
       CASE WHEN kind = 'FUNCTION' AND is_table THEN 'Y' ELSE 'N' END AS is_table_function,
       'N' AS valid_for_clustering,
       CASE WHEN made ->> '$.secure' = 'true' THEN 'Y' ELSE 'N' END AS is_secure, '' AS secrets,
       '' AS external_access_integrations, 'N' AS is_external_function, 'SQL' AS language,
       CASE WHEN made ->> '$.memoizable' = 'true' THEN 'Y' ELSE 'N' END AS is_memoizable,
       'N' AS is_data_metric, kind
FROM _sf.main.functions_;
CREATE OR REPLACE VIEW _sf.show_functions AS
SELECT * EXCLUDE (kind) FROM _sf.main.show_routines_ WHERE kind = 'FUNCTION';
CREATE OR REPLACE VIEW _sf.show_procedures AS
SELECT created_on, name, schema_name, is_builtin, is_aggregate, is_ansi, min_num_arguments,
       max_num_arguments, arguments, description, catalog_name, is_table_function,
       valid_for_clustering, is_secure
FROM _sf.main.show_routines_ WHERE kind = 'PROCEDURE';

CREATE OR REPLACE VIEW _sf.show_parameters AS
SELECT p.key, p.value, p."default", p.level, p.description, p.type FROM (
  SELECT unnest(from_json(CAST(getvariable('hatidata_parameters') AS VARCHAR),
    '[{"key":"VARCHAR","value":"VARCHAR","default":"VARCHAR","level":"VARCHAR","description":"VARCHAR","type":"VARCHAR"}]')) AS p
);

CREATE OR REPLACE VIEW _sf.show_variables AS
SELECT CAST(getvariable('hatidata_session') AS VARCHAR) AS session_id, CAST(v.created_on AS TIMESTAMPTZ) AS created_on,
       CAST(v.updated_on AS TIMESTAMPTZ) AS updated_on, v.name, v.value, v.type, '' AS comment FROM (
  SELECT unnest(from_json(CAST(getvariable('hatidata_variables') AS VARCHAR),
    '[{"created_on":"VARCHAR","updated_on":"VARCHAR","name":"VARCHAR","value":"VARCHAR","type":"VARCHAR"}]')) AS v
);

-- The one that USE WAREHOUSE has named, if it has.
CREATE OR REPLACE VIEW _sf.show_warehouses AS
SELECT CAST(getvariable('hatidata_warehouse') AS VARCHAR) AS name, 'STARTED' AS state,
       'STANDARD' AS type, CAST(NULL AS VARCHAR) AS size, 1 AS min_cluster_count,
       1 AS max_cluster_count, 1 AS started_clusters, CAST(NULL AS BIGINT) AS running,
       CAST(NULL AS BIGINT) AS queued, 'N' AS is_default, 'Y' AS is_current,
       CAST(NULL AS BIGINT) AS auto_suspend, 'false' AS auto_resume,
       CAST(NULL AS VARCHAR) AS available, CAST(NULL AS VARCHAR) AS provisioning,
       CAST(NULL AS VARCHAR) AS quiescing, CAST(NULL AS VARCHAR) AS other,
       CAST(NULL AS TIMESTAMPTZ) AS created_on, CAST(NULL AS TIMESTAMPTZ) AS resumed_on,
       CAST(NULL AS TIMESTAMPTZ) AS updated_on, CAST(NULL AS VARCHAR) AS owner, '' AS comment,
       'false' AS enable_query_acceleration, 0 AS query_acceleration_max_scale_factor,
       'null' AS resource_monitor, CAST(NULL AS VARCHAR) AS actives, CAST(NULL AS VARCHAR) AS pendings,
       CAST(NULL AS VARCHAR) AS failed, CAST(NULL AS VARCHAR) AS suspended,
       CAST(NULL AS VARCHAR) AS uuid, 'STANDARD' AS scaling_policy, CAST(NULL AS VARCHAR) AS budget,
       CAST(NULL AS VARCHAR) AS owner_role_type
WHERE getvariable('hatidata_warehouse') IS NOT NULL;

CREATE OR REPLACE MACRO _sf.describe_(place, relation) AS TABLE
WITH found AS MATERIALIZED (
  SELECT CASE WHEN _sf.main.relation_there_(coalesce(place, _sf.main.schema_of_(relation)), relation)
         THEN lower(coalesce(place, _sf.main.schema_of_(relation))) END AS at_
), own AS MATERIALIZED (
  SELECT c.* FROM _sf.main.columns_ c, found
  WHERE lower(c.engine_database || '.' || c.engine_schema) = at_ AND lower(c.table_name) = lower(relation)
), keyed AS MATERIALIZED (
  SELECT k.column_name, bool_or(k.constraint_type = 'PRIMARY KEY') AS is_primary,
         bool_or(k.constraint_type = 'UNIQUE') AS is_unique
  FROM _sf.main.keys_ k, found
  WHERE lower(k.engine_database || '.' || k.engine_schema) = at_ AND lower(k.table_name) = lower(relation)
  GROUP BY k.column_name
)
SELECT column_name AS name, _sf.main.type_text_(engine_type, length) AS type, 'COLUMN' AS kind,
       CASE WHEN is_nullable THEN 'Y' ELSE 'N' END AS "null?",
       coalesce(_sf.main.identity_(identity_start, identity_step), column_default) AS "default",
       CASE WHEN is_primary THEN 'Y' ELSE 'N' END AS "primary key",
       CASE WHEN is_unique THEN 'Y' ELSE 'N' END AS "unique key",
       CAST(NULL AS VARCHAR) AS "check", CAST(NULL AS VARCHAR) AS expression, comment,
       CAST(NULL AS VARCHAR) AS "policy name", CAST(NULL AS VARCHAR) AS "privacy domain"
FROM own LEFT JOIN keyed USING (column_name)
ORDER BY position;

CREATE OR REPLACE MACRO _sf.describe_schema_(place) AS TABLE
SELECT created AS created_on, name,
       CASE WHEN kind = 'VIEW' THEN 'VIEW' ELSE 'TABLE' END AS kind
FROM _sf.main.relations_
WHERE _sf.main.schema_there_(place) AND lower(engine_schema) = lower(place)
ORDER BY name;

CREATE OR REPLACE VIEW _sf.describe_database AS
SELECT created AS created_on, schema_name AS name, 'SCHEMA' AS kind
FROM _sf.main.schemas_ ORDER BY name;

-- What cannot be made here is listed as nothing, in the columns that it would have.
CREATE OR REPLACE VIEW _sf.show_streams AS
SELECT CAST(NULL AS TIMESTAMPTZ) AS created_on, CAST(NULL AS VARCHAR) AS name,
       CAST(NULL AS VARCHAR) AS database_name, CAST(NULL AS VARCHAR) AS schema_name,
       CAST(NULL AS VARCHAR) AS owner, CAST(NULL AS VARCHAR) AS comment,
       CAST(NULL AS VARCHAR) AS table_name, CAST(NULL AS VARCHAR) AS source_type,
       CAST(NULL AS VARCHAR) AS base_tables, CAST(NULL AS VARCHAR) AS type,
       CAST(NULL AS VARCHAR) AS stale, CAST(NULL AS VARCHAR) AS mode,
       CAST(NULL AS TIMESTAMPTZ) AS stale_after,
       CAST(NULL AS VARCHAR) AS invalid_reason,
       CAST(NULL AS VARCHAR) AS owner_role_type
WHERE false;
CREATE OR REPLACE VIEW _sf.show_tasks AS
SELECT CAST(NULL AS TIMESTAMPTZ) AS created_on, CAST(NULL AS VARCHAR) AS name,
       CAST(NULL AS VARCHAR) AS id, CAST(NULL AS VARCHAR) AS database_name,
       CAST(NULL AS VARCHAR) AS schema_name, CAST(NULL AS VARCHAR) AS owner,
       CAST(NULL AS VARCHAR) AS comment, CAST(NULL AS VARCHAR) AS warehouse,
       CAST(NULL AS VARCHAR) AS schedule, CAST(NULL AS VARCHAR) AS predecessors,
       CAST(NULL AS VARCHAR) AS state, CAST(NULL AS VARCHAR) AS definition,
       CAST(NULL AS VARCHAR) AS condition,
       CAST(NULL AS VARCHAR) AS allow_overlapping_execution,
       CAST(NULL AS VARCHAR) AS error_integration,
       CAST(NULL AS TIMESTAMPTZ) AS last_committed_on,
       CAST(NULL AS TIMESTAMPTZ) AS last_suspended_on,
       CAST(NULL AS VARCHAR) AS owner_role_type, CAST(NULL AS VARCHAR) AS config,
       CAST(NULL AS VARCHAR) AS last_suspended_reason,
       CAST(NULL AS VARCHAR) AS task_relations
WHERE false;
CREATE OR REPLACE VIEW _sf.show_pipes AS
SELECT CAST(NULL AS TIMESTAMPTZ) AS created_on, CAST(NULL AS VARCHAR) AS name,
       CAST(NULL AS VARCHAR) AS database_name, CAST(NULL AS VARCHAR) AS schema_name,
       CAST(NULL AS VARCHAR) AS definition, CAST(NULL AS VARCHAR) AS owner,
       CAST(NULL AS VARCHAR) AS notification_channel,
       CAST(NULL AS VARCHAR) AS comment, CAST(NULL AS VARCHAR) AS integration,
       CAST(NULL AS VARCHAR) AS pattern, CAST(NULL AS VARCHAR) AS error_integration,
       CAST(NULL AS VARCHAR) AS owner_role_type,
       CAST(NULL AS VARCHAR) AS invalid_reason, CAST(NULL AS VARCHAR) AS kind
WHERE false;
