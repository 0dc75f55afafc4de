-- Snowflake's INFORMATION_SCHEMA, with its columns in its order
-- (docs.snowflake.com/en/sql-reference/info-schema and the page of each view). Columns that the
-- reference calls "not applicable for Snowflake" are NULL there and here.

CREATE OR REPLACE VIEW _sf.information_schema_tables AS
SELECT database_name AS table_catalog, schema_name AS table_schema, name AS table_name,
       owner AS table_owner,
       CASE kind WHEN 'TABLE' THEN 'BASE TABLE' WHEN 'TEMPORARY' THEN 'TEMPORARY TABLE' ELSE 'VIEW'
         END AS table_type,
       CASE WHEN kind <> 'VIEW' THEN 'NO' END AS is_transient,
       CAST(NULL AS VARCHAR) AS clustering_key, rows AS row_count, bytes,
       CASE WHEN kind <> 'VIEW' THEN 0 END AS retention_time,
       CAST(NULL AS VARCHAR) AS self_referencing_column_name,
       CAST(NULL AS VARCHAR) AS reference_generation,
       CAST(NULL AS VARCHAR) AS user_defined_type_catalog,
       CAST(NULL AS VARCHAR) AS user_defined_type_schema,
       CAST(NULL AS VARCHAR) AS user_defined_type_name,
       CASE WHEN kind = 'VIEW' THEN 'NO' ELSE 'YES' END AS is_insertable_into, 'YES' AS is_typed,
       CAST(NULL AS VARCHAR) AS commit_action, created,
       altered AS last_altered, altered AS last_ddl,
       CAST(NULL AS VARCHAR) AS last_ddl_by, 'NO' AS auto_clustering_on, comment,
       CASE WHEN kind = 'TEMPORARY' THEN 'YES' ELSE 'NO' END AS is_temporary,
       'NO' AS is_iceberg, 'NO' AS is_dynamic, 'NO' AS is_immutable, 'NO' AS is_hybrid
FROM _sf.main.relations_;

CREATE OR REPLACE VIEW _sf.information_schema_columns AS
SELECT database_name AS table_catalog, schema_name AS table_schema, table_name, column_name,
       position AS ordinal_position, column_default,
       CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
       _sf.main.type_kind_(engine_type) AS data_type,
       CASE _sf.main.type_kind_(engine_type) WHEN 'TEXT' THEN _sf.main.text_length_(engine_type, length)
         WHEN 'BINARY' THEN 8388608 END AS character_maximum_length,
       CASE _sf.main.type_kind_(engine_type)
         WHEN 'TEXT' THEN least(4 * _sf.main.text_length_(engine_type, length), 16777216)
         WHEN 'BINARY' THEN 8388608 END AS character_octet_length,
       CASE WHEN _sf.main.type_kind_(engine_type) = 'NUMBER' THEN _sf.main.type_precision_(engine_type)
         END AS numeric_precision,
       CASE WHEN _sf.main.type_kind_(engine_type) = 'NUMBER' THEN 10 END AS numeric_precision_radix,
       CASE WHEN _sf.main.type_kind_(engine_type) = 'NUMBER' THEN _sf.main.type_scale_(engine_type)
         END AS numeric_scale,
       CASE WHEN _sf.main.type_kind_(engine_type) IN ('TIME', 'TIMESTAMP_NTZ', 'TIMESTAMP_LTZ') THEN 9
         END AS datetime_precision,
       CAST(NULL AS VARCHAR) AS interval_type, CAST(NULL AS BIGINT) AS interval_precision,
       CAST(NULL AS VARCHAR) AS character_set_catalog, CAST(NULL AS VARCHAR) AS character_set_schema,
       CAST(NULL AS VARCHAR) AS character_set_name, CAST(NULL AS VARCHAR) AS collation_catalog,
       CAST(NULL AS VARCHAR) AS collation_schema, CAST(NULL AS VARCHAR) AS collation_name,
       CAST(NULL AS VARCHAR) AS domain_catalog, CAST(NULL AS VARCHAR) AS domain_schema,
       CAST(NULL AS VARCHAR) AS domain_name, CAST(NULL AS VARCHAR) AS udt_catalog,
       CAST(NULL AS VARCHAR) AS udt_schema, CAST(NULL AS VARCHAR) AS udt_name,
       CAST(NULL AS VARCHAR) AS scope_catalog, CAST(NULL AS VARCHAR) AS scope_schema,
       CAST(NULL AS VARCHAR) AS scope_name, CAST(NULL AS BIGINT) AS maximum_cardinality,
       CAST(NULL AS VARCHAR) AS dtd_identifier, 'NO' AS is_self_referencing,
       CASE WHEN identity_start IS NULL THEN 'NO' ELSE 'YES' END AS is_identity,
       CASE WHEN identity_start IS NOT NULL THEN 'ALWAYS' END AS identity_generation,
       CAST(identity_start AS VARCHAR) AS identity_start,
       CAST(identity_step AS VARCHAR) AS identity_increment,
       CAST(NULL AS VARCHAR) AS identity_maximum, CAST(NULL AS VARCHAR) AS identity_minimum,
       CASE WHEN identity_start IS NOT NULL THEN 'NO' END AS identity_cycle,
       CASE WHEN identity_start IS NOT NULL THEN 'YES' END AS identity_ordered,
       CAST(NULL AS VARCHAR) AS schema_evolution_record, comment
FROM _sf.main.columns_;

CREATE OR REPLACE VIEW _sf.information_schema_views AS
SELECT database_name AS table_catalog, schema_name AS table_schema, name AS table_name,
       owner AS table_owner, text AS view_definition, 'NONE' AS check_option,
       'NO' AS is_updatable, 'NO' AS insertable_into, 'NO' AS is_secure,
       created, altered AS last_altered,
       altered AS last_ddl, CAST(NULL AS VARCHAR) AS last_ddl_by, comment
FROM _sf.main.relations_ WHERE kind = 'VIEW';

CREATE OR REPLACE VIEW _sf.information_schema_schemata AS
SELECT database_name AS catalog_name, schema_name, owner AS schema_owner,
       'NO' AS is_transient, 'NO' AS is_managed_access, 0 AS retention_time,
       CAST(NULL AS VARCHAR) AS default_character_set_catalog,
       CAST(NULL AS VARCHAR) AS default_character_set_schema,
       CAST(NULL AS VARCHAR) AS default_character_set_name, CAST(NULL AS VARCHAR) AS sql_path,
       created, altered AS last_altered, comment,
       CAST(NULL AS VARCHAR) AS object_visibility
FROM _sf.main.schemas_;

CREATE OR REPLACE VIEW _sf.information_schema_databases AS
SELECT _sf.main.database_() AS database_name, owner AS database_owner,
       'NO' AS is_transient, comment, created,
       altered AS last_altered, 0 AS retention_time, 'STANDARD' AS type,
       CAST(NULL AS VARCHAR) AS object_visibility
FROM (SELECT 1) one LEFT JOIN _sf.main.told_ ON told_schema = '' AND told_name = '';

CREATE OR REPLACE VIEW _sf.information_schema_table_constraints AS
SELECT DISTINCT database_name AS constraint_catalog, schema_name AS constraint_schema, constraint_name,
       database_name AS table_catalog, schema_name AS table_schema, table_name, constraint_type,
       'NO' AS is_deferrable, 'NO' AS initially_deferred,
       CASE WHEN enforced THEN 'YES' ELSE 'NO' END AS enforced,
       CAST(NULL AS VARCHAR) AS comment, CAST(NULL AS TIMESTAMPTZ) AS created,
       CAST(NULL AS TIMESTAMPTZ) AS last_altered, 'YES' AS rely
FROM _sf.main.keys_;

CREATE OR REPLACE VIEW _sf.information_schema_referential_constraints AS
SELECT DISTINCT fk_database_name AS constraint_catalog, fk_schema_name AS constraint_schema,
       fk_name AS constraint_name, pk_database_name AS unique_constraint_catalog,
       pk_schema_name AS unique_constraint_schema, pk_name AS unique_constraint_name,
       'FULL' AS match_option, update_rule, delete_rule, CAST(NULL AS VARCHAR) AS comment,
       CAST(NULL AS TIMESTAMPTZ) AS created, CAST(NULL AS TIMESTAMPTZ) AS last_altered
FROM _sf.main.show_imported_keys;

CREATE OR REPLACE VIEW _sf.information_schema_key_column_usage AS
SELECT database_name AS constraint_catalog, schema_name AS constraint_schema, constraint_name,
       database_name AS table_catalog, schema_name AS table_schema, table_name, column_name,
       position AS ordinal_position,
       CASE WHEN constraint_type = 'FOREIGN KEY' THEN position END AS position_in_unique_constraint
FROM _sf.main.keys_;

CREATE OR REPLACE VIEW _sf.information_schema_sequences AS
SELECT database_name AS sequence_catalog, schema_name AS sequence_schema, name AS sequence_name,
       owner AS sequence_owner, 'NUMBER' AS data_type, 64 AS numeric_precision,
       2 AS numeric_precision_radix, 0 AS numeric_scale, CAST(start_value AS VARCHAR) AS start_value,
       CAST(min_value AS VARCHAR) AS minimum_value, CAST(max_value AS VARCHAR) AS maximum_value,
       CAST(next_value AS VARCHAR) AS next_value, CAST(increment_by AS VARCHAR) AS "increment",
       CASE WHEN cycle THEN 'YES' ELSE 'NO' END AS cycle_option, created,
       altered AS last_altered, 'YES' AS ordered, comment
FROM _sf.main.sequences_;

CREATE OR REPLACE VIEW _sf.information_schema_functions AS
SELECT database_name AS function_catalog, schema_name AS function_schema, name AS function_name,
       owner AS function_owner,
       '(' || _sf.main.named_kinds_(parameters) || ')' AS argument_signature,
       result_kind AS data_type, CAST(NULL AS BIGINT) AS character_maximum_length,
       CAST(NULL AS BIGINT) AS character_octet_length, CAST(NULL AS BIGINT) AS numeric_precision,
       CAST(NULL AS BIGINT) AS numeric_precision_radix, CAST(NULL AS BIGINT) AS numeric_scale,
       'SQL' AS function_language, made ->> '$.body' AS function_definition,
       made ->> '$.volatility' AS volatility,
       CASE WHEN made ->> '$.strict' = 'true' THEN 'YES' ELSE 'NO' END AS is_null_call,
       CASE WHEN made ->> '$.secure' = 'true' THEN 'YES' ELSE 'NO' END AS is_secure,
       created, altered AS last_altered, comment,
       'NO' AS is_external, CAST(NULL AS VARCHAR) AS api_integration,
       CAST(NULL AS VARCHAR) AS context_headers, CAST(NULL AS BIGINT) AS max_batch_rows,
       CAST(NULL AS VARCHAR) AS compression, CAST(NULL AS VARCHAR) AS packages,
       CAST(NULL AS VARCHAR) AS runtime_version, CAST(NULL AS VARCHAR) AS installed_packages,
       CASE WHEN made ->> '$.memoizable' = 'true' THEN 'YES' ELSE 'NO' END AS is_memoizable
FROM _sf.main.functions_ WHERE kind = 'FUNCTION';

CREATE OR REPLACE VIEW _sf.information_schema_procedures AS
SELECT database_name AS procedure_catalog, schema_name AS procedure_schema, name AS procedure_name,
       owner AS procedure_owner,
       '(' || _sf.main.named_kinds_(parameters) || ')' AS argument_signature,
       result_kind AS data_type, CAST(NULL AS BIGINT) AS character_maximum_length,
       CAST(NULL AS BIGINT) AS character_octet_length, CAST(NULL AS BIGINT) AS numeric_precision,
       CAST(NULL AS BIGINT) AS numeric_precision_radix, CAST(NULL AS BIGINT) AS numeric_scale,
       'SQL' AS procedure_language, made ->> '$.body' AS procedure_definition,
       created, altered AS last_altered, comment
FROM _sf.main.functions_ WHERE kind = 'PROCEDURE';

-- What proxy/staging/catalog.py keeps; a macro's text is a literal.
CREATE OR REPLACE VIEW _sf.kept_ AS
SELECT _sf.main.schema_name_(schema_name) AS schema_name, _sf.main.database_() AS database_name,
       CASE WHEN starts_with(function_name, 'stage ') THEN 'STAGE' ELSE 'FILE FORMAT' END AS kind,
       CAST(replace(substr(macro_definition, 2, len(macro_definition) - 2), '''''', '''') AS JSON) AS kept
FROM duckdb_functions()
WHERE NOT internal AND function_type = 'macro' AND len(parameters) = 0
  AND (starts_with(function_name, 'stage ') OR starts_with(function_name, 'file format '))
  AND database_name NOT IN ('system', '_sf');

CREATE OR REPLACE VIEW _sf.information_schema_stages AS
SELECT database_name AS stage_catalog, schema_name AS stage_schema, kept ->> '$.name' AS stage_name,
       CAST(NULL AS VARCHAR) AS stage_url, CAST(NULL AS VARCHAR) AS stage_region,
       'Internal Named' AS stage_type, kept ->> '$.owner' AS stage_owner,
       nullif(kept ->> '$.comment', '') AS comment,
       to_timestamp(CAST(kept ->> '$.created' AS DOUBLE)) AS created,
       to_timestamp(CAST(kept ->> '$.created' AS DOUBLE)) AS last_altered,
       CAST(NULL AS VARCHAR) AS endpoint,
       CASE WHEN kept ->> '$.directory' = 'true' THEN 'YES' ELSE 'NO' END AS directory_enabled
FROM _sf.main.kept_ WHERE kind = 'STAGE';

CREATE OR REPLACE VIEW _sf.information_schema_file_formats AS
SELECT database_name AS file_format_catalog, schema_name AS file_format_schema,
       kept ->> '$.name' AS file_format_name, kept ->> '$.owner' AS file_format_owner,
       upper(coalesce(kept ->> '$.format.TYPE', 'CSV')) AS file_format_type,
       kept ->> '$.format.RECORD_DELIMITER' AS record_delimiter,
       kept ->> '$.format.FIELD_DELIMITER' AS field_delimiter,
       kept ->> '$.format.SKIP_HEADER' AS skip_header, kept ->> '$.format.DATE_FORMAT' AS date_format,
       kept ->> '$.format.TIME_FORMAT' AS time_format,
       kept ->> '$.format.TIMESTAMP_FORMAT' AS timestamp_format,
       kept ->> '$.format.BINARY_FORMAT' AS binary_format, kept ->> '$.format.ESCAPE' AS escape,
       kept ->> '$.format.ESCAPE_UNENCLOSED_FIELD' AS escape_unenclosed_field,
       kept ->> '$.format.TRIM_SPACE' AS trim_space,
       kept ->> '$.format.FIELD_OPTIONALLY_ENCLOSED_BY' AS field_optionally_enclosed_by,
       kept ->> '$.format.NULL_IF' AS null_if, kept ->> '$.format.COMPRESSION' AS compression,
       kept ->> '$.format.ERROR_ON_COLUMN_COUNT_MISMATCH' AS error_on_column_count_mismatch,
       to_timestamp(CAST(kept ->> '$.created' AS DOUBLE)) AS created,
       to_timestamp(CAST(kept ->> '$.created' AS DOUBLE)) AS last_altered,
       nullif(kept ->> '$.comment', '') AS comment
FROM _sf.main.kept_ WHERE kind = 'FILE FORMAT';

-- Rights and roles are what Postgres says of them (catalog/sql/8_privileges.sql), which keeps no times of them.
CREATE OR REPLACE VIEW _sf.information_schema_object_privileges AS
SELECT p.grantor, p.grantee, p.granted_to, _sf.main.database_() AS object_catalog,
       CASE WHEN p.kind NOT IN ('SCHEMA', 'DATABASE') THEN p.schema END AS object_schema,
       CASE p.kind WHEN 'DATABASE' THEN _sf.main.database_() ELSE p.name END AS object_name, p.kind AS object_type,
       p.privilege AS privilege_type, p.grantable AS is_grantable, CAST(NULL AS TIMESTAMPTZ) AS created
FROM (SELECT unnest(from_json(coalesce(CAST(getvariable('hatidata_rights') AS JSON) -> '$.privileges', CAST('[]' AS JSON)),
  '[{"grantor":"VARCHAR","grantee":"VARCHAR","granted_to":"VARCHAR","schema":"VARCHAR","name":"VARCHAR","kind":"VARCHAR","privilege":"VARCHAR","grantable":"VARCHAR"}]')) AS p);

CREATE OR REPLACE VIEW _sf.information_schema_table_privileges AS
SELECT grantor, grantee, granted_to, object_catalog AS table_catalog, object_schema AS table_schema,
       object_name AS table_name, privilege_type, is_grantable, CAST(NULL AS VARCHAR) AS with_hierarchy, created
FROM _sf.main.information_schema_object_privileges WHERE object_type IN ('TABLE', 'VIEW', 'MATERIALIZED VIEW');

CREATE OR REPLACE VIEW _sf.information_schema_usage_privileges AS
SELECT * FROM _sf.main.information_schema_object_privileges WHERE object_type = 'SEQUENCE';

CREATE OR REPLACE VIEW _sf.information_schema_applicable_roles AS
SELECT r.grantee, r.role AS role_name, r.owner AS role_owner, r.grantable AS is_grantable
FROM (SELECT unnest(from_json(coalesce(CAST(getvariable('hatidata_rights') AS JSON) -> '$.applicable', CAST('[]' AS JSON)),
  '[{"grantee":"VARCHAR","role":"VARCHAR","owner":"VARCHAR","grantable":"VARCHAR"}]')) AS r);

CREATE OR REPLACE VIEW _sf.information_schema_enabled_roles AS
SELECT r.role AS role_name, r.owner AS role_owner
FROM (SELECT unnest(from_json(coalesce(CAST(getvariable('hatidata_rights') AS JSON) -> '$.enabled', CAST('[]' AS JSON)),
  '[{"role":"VARCHAR","owner":"VARCHAR"}]')) AS r);
