-- Tools that ask the catalog in ways of their own: Excel's and Google Sheets' connectors of Devart,
-- QuickSight, Sigma, MicroStrategy, Postico, Holistics, LangChain, Superset's SQLAlchemy 1.4
-- (github.com/cube-js/cube, test_introspection.rs), Hasura's and PostgREST's caches of the schema
-- (their sources), Looker over the JDBC driver.

--: Excel: tables | varying: database definer acl rownumber | more
SELECT 'db' as Database, ns.nspname as Schema, relname as Name, CASE WHEN ns.nspname Like E'pg\\_catalog' then 'Catalog' WHEN ns.nspname Like E'information\\_schema' then 'Information' WHEN relkind = 'f' then 'Foreign' ELSE 'User' END as TableType, pg_get_userbyid(relowner) AS definer, rel.oid as Oid, relacl as ACL, true as HasOids, relhassubclass as HasSubtables, reltuples as RowNumber, description as Comment, relnatts as ColumnNumber, relhastriggers as TriggersNumber, conname as Constraint, conkey as ColumnConstrainsIndexes
FROM pg_class rel INNER JOIN pg_namespace ns ON relnamespace = ns.oid
LEFT OUTER JOIN pg_description des ON des.objoid = rel.oid AND des.objsubid = 0
LEFT OUTER JOIN pg_constraint c ON c.conrelid = rel.oid AND c.contype = 'p'
WHERE ((relkind = 'r') OR (relkind = 's') OR (relkind = 'f')) AND NOT ns.nspname LIKE E'pg\\_temp\\_%%' AND NOT ns.nspname like E'pg\\_%' AND NOT ns.nspname like E'information\\_schema' AND ns.nspname::varchar like E'tool' AND relname::varchar like '%' AND pg_get_userbyid(relowner)::varchar like '%'
ORDER BY relname
--: Excel: columns of a table
SELECT a.attname as fieldname, a.attnum  as fieldordinal, a.atttypid as datatype, a.atttypmod as fieldmod, a.attnotnull as isnull, c.relname as tablename, n.nspname as schema,
CASE WHEN exists(select null from pg_constraint c1 where c1.conrelid = c.oid and c1.contype = 'p' and a.attnum = ANY (c1.conkey)) THEN true ELSE false END as iskey,
CASE WHEN exists(select null from pg_constraint c1 where c1.conrelid = c.oid and c1.contype = 'u' and a.attnum = ANY (c1.conkey)) THEN true ELSE false END as isunique,
CAST(pg_get_expr(d.adbin, d.adrelid) AS varchar) as defvalue,
CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END as basetype,
CASE WHEN a.attidentity = 'a' THEN true ELSE false END as IsAutoIncrement,
CASE WHEN t.typname Like 'bit' OR t.typname Like 'varbit' and a.atttypmod > 0 THEN a.atttypmod WHEN t.typname Like 'interval' OR t.typname Like 'timestamp' OR t.typname Like 'timestamptz' OR t.typname Like 'time' OR t.typname Like 'timetz' THEN -1 WHEN a.atttypmod > 0 THEN a.atttypmod - 4 ELSE a.atttypmod END as Length,
(information_schema._pg_numeric_precision(information_schema._pg_truetypid(a .*, t.*), information_schema._pg_truetypmod(a .*, t.*)))::information_schema.cardinal_number AS Precision,
(information_schema._pg_numeric_scale(information_schema._pg_truetypid(a .*, t.*), information_schema._pg_truetypmod(a .*, t.*)))::information_schema.cardinal_number AS Scale,
(information_schema._pg_datetime_precision(information_schema._pg_truetypid(a .*, t.*), information_schema._pg_truetypmod(a .*, t.*)))::information_schema.cardinal_number AS DatetimePrecision
FROM pg_namespace n INNER JOIN pg_class c ON c.relnamespace = n.oid INNER JOIN pg_attribute a on c.oid = a.attrelid
LEFT JOIN pg_attrdef d on d.adrelid = a.attrelid and d.adnum =a.attnum
LEFT JOIN pg_type t on t.oid = a.atttypid
WHERE a.attisdropped = false AND ((c.relkind = 'r') OR (c.relkind = 's') OR (c.relkind = 'v') OR (c.relkind = 'm') OR (c.relkind = 'f')) AND a.attnum > 0 AND ((c.relname LIKE 'orders' AND n.nspname LIKE 'tool'))
ORDER BY tablename, fieldordinal
--: Excel: keys
SELECT a.conname as Name, ns.nspname as Schema, mycl.relname as Table, b.conname as ReferencedKey, frns.nspname as ReferencedSchema, frcl.relname as ReferencedTable, a.oid as Oid, a.conkey as ColumnIndexes, a.confkey as ForeignColumnIndexes, a.confupdtype as UpdateActionCode, a.confdeltype as DeleteActionCode, a.confmatchtype as ForeignKeyMatchType, a.condeferrable as IsDeferrable, a.condeferred as Iscondeferred
FROM pg_constraint a inner join pg_constraint b on (a.confrelid = b.conrelid AND a.confkey = b.conkey)
INNER JOIN pg_namespace ns ON a.connamespace = ns.oid INNER JOIN pg_class mycl ON a.conrelid = mycl.oid LEFT OUTER JOIN pg_class frcl ON a.confrelid = frcl.oid INNER JOIN pg_namespace frns ON frcl.relnamespace = frns.oid
WHERE a.contype = 'f' AND (b.contype = 'p' OR b.contype = 'u') AND a.oid::varchar like '%' AND a.conname like '%' AND ns.nspname like E'tool' AND mycl.relname like E'lines' AND frns.nspname like '%' AND frcl.relname like '%'
ORDER BY 1
--: Google Sheets: columns
SELECT cl.relname as Table, att.attname AS Name, att.attnum as Position, CASE WHEN att.attnotnull = 'f' THEN 'true' ELSE 'false' END as Nullable, CASE WHEN cs.relname IS NULL THEN 'false' ELSE 'true' END as IsAutoIncrement, CASE WHEN ty.typname = 'bpchar' THEN 'char' WHEN ty.typname = '_bpchar' THEN '_char' ELSE ty.typname END as TypeName
FROM pg_attribute att JOIN pg_type ty ON ty.oid = atttypid JOIN pg_namespace tn ON tn.oid = ty.typnamespace
JOIN pg_class cl ON cl.oid = attrelid AND ((cl.relkind = 'r') OR (cl.relkind = 's') OR (cl.relkind = 'v') OR (cl.relkind = 'm') OR (cl.relkind = 'f'))
JOIN pg_namespace na ON na.oid = cl.relnamespace
LEFT OUTER JOIN (pg_depend JOIN pg_class cs ON objid = cs.oid AND cs.relkind = 'S' AND classid = 'pg_class'::regclass::oid) ON refobjid = attrelid AND refobjsubid = attnum
LEFT JOIN pg_database db ON db.datname = current_database()
WHERE attnum > 0 AND attisdropped IS FALSE AND na.nspname = 'tool' AND cl.relname = 'customers' ORDER BY attnum
--: QuickSight: schemas | more
SELECT nspname AS schema_name FROM pg_namespace WHERE (has_schema_privilege(current_user, nspname, 'USAGE') = TRUE OR has_schema_privilege(current_user, nspname, 'CREATE') = TRUE) AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg_toast%' AND nspname NOT LIKE 'pg_temp_%'
--: QuickSight: keys
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (i.keys).n AS KEY_SEQ, ci.relname AS PK_NAME FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN ( SELECT i.indexrelid, i.indrelid, i.indisprimary, information_schema._pg_expandarray(i.indkey) AS keys FROM pg_catalog.pg_index i) i ON (a.attnum = (i.keys).x AND a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND n.nspname = 'tool' AND ct.relname = 'lines' AND i.indisprimary ORDER BY table_name, pk_name, key_seq
--: Sigma: schemas | more
select distinct table_schema from information_schema.tables where table_type IN ('BASE TABLE', 'VIEW', 'FOREIGN', 'FOREIGN TABLE') and table_schema NOT IN ('pg_catalog', 'information_schema') and table_schema ilike '%'
--: Sigma: tables
SELECT table_name FROM (select table_name from information_schema.tables where table_type IN ('BASE TABLE', 'VIEW', 'FOREIGN', 'FOREIGN TABLE') and table_schema = 'tool' UNION select matviewname as table_name from pg_catalog.pg_matviews where schemaname = 'tool') t ORDER BY table_name ASC
--: Sigma: foreign keys
select cl.relname as "source_table", array(select (select attname::text from pg_attribute where attrelid = con.conrelid and attnum = con.conkey[i]) from generate_series(array_lower(con.conkey, 1), array_upper(con.conkey, 1)) i) as "source_keys", (select nspname from pg_namespace ns2 join pg_class cl2 on ns2.oid = cl2.relnamespace where cl2.oid = con.confrelid) as "target_schema", (select relname from pg_class where oid = con.confrelid) as "target_table", array(select (select attname::text from pg_attribute where attrelid = con.confrelid and attnum = con.confkey[i]) from generate_series(array_lower(con.confkey, 1), array_upper(con.confkey, 1)) i) as "target_keys" from pg_class cl join pg_namespace ns on cl.relnamespace = ns.oid join pg_constraint con on con.conrelid = cl.oid where ns.nspname = 'tool' and cl.relname >= 'A' and cl.relname <= 'z' and con.contype = 'f' order by "source_table", con.conname
--: Sigma: columns
with nsp as (select oid from pg_catalog.pg_namespace where nspname = 'tool'), tbl as (select oid from pg_catalog.pg_class where relname = 'orders' and relnamespace = (select oid from nsp)) select attname, typname, description from pg_attribute a join pg_type on atttypid = pg_type.oid left join pg_description on attrelid = objoid and attnum = objsubid where attnum > 0 and attrelid = (select oid from tbl) order by attnum
--: MicroStrategy: a type by the path
SELECT t.oid FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON t.typnamespace = n.oid WHERE t.typname = 'citext' AND (n.nspname = (SELECT current_schema()) OR n.nspname = 'public')
--: Postico: schemas | varying: is_on_search_path | more
SELECT oid, nspname, nspname = ANY (current_schemas(true)) AS is_on_search_path, oid = pg_my_temp_schema() AS is_my_temp_schema, pg_is_other_temp_schema(oid) AS is_other_temp_schema FROM pg_namespace
--: Superset's SQLAlchemy 1.4: columns | parameters: orders:oid
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), ( SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef ) AS DEFAULT, a.attnotnull, a.attrelid as table_oid, pgd.description as comment, a.attgenerated as generated, (SELECT json_build_object( 'always', a.attidentity = 'a', 'start', s.seqstart, 'increment', s.seqincrement, 'minvalue', s.seqmin, 'maxvalue', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle) FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c on s.seqrelid = c."oid" WHERE c.relkind = 'S' AND a.attidentity != '' AND s.seqrelid = pg_catalog.pg_get_serial_sequence( a.attrelid::regclass::text, a.attname )::regclass::oid ) as identity_options FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_description pgd ON ( pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum) WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
--: Superset's SQLAlchemy 1.4: identities | parameters: kinds:oid
SELECT a.attname, (SELECT json_build_object( 'always', a.attidentity = 'a', 'start', s.seqstart, 'increment', s.seqincrement, 'minvalue', s.seqmin, 'maxvalue', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle) FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c on s.seqrelid = c."oid" WHERE c.relkind = 'S' AND a.attidentity != '' AND s.seqrelid = pg_catalog.pg_get_serial_sequence( a.attrelid::regclass::text, a.attname )::regclass::oid ) as identity_options FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
--: Superset's SQLAlchemy 1.4: primary key | parameters: lines:oid
SELECT a.attname FROM pg_attribute a JOIN ( SELECT unnest(ix.indkey) attnum, generate_subscripts(ix.indkey, 1) ord FROM pg_index ix WHERE ix.indrelid = $1 AND ix.indisprimary ) k ON a.attnum=k.attnum WHERE a.attrelid = $1 ORDER BY k.ord
--: Superset's SQLAlchemy 1.4: foreign keys | parameters: lines:oid
SELECT r.conname, pg_catalog.pg_get_constraintdef(r.oid, true) as condef, n.nspname as conschema FROM  pg_catalog.pg_constraint r, pg_namespace n, pg_class c WHERE r.conrelid = $1 AND r.contype = 'f' AND c.oid = confrelid AND n.oid = c.relnamespace ORDER BY 1
--: Superset's SQLAlchemy 1.4: indexes | parameters: orders:oid
SELECT i.relname as relname, ix.indisunique, ix.indexprs, a.attname, a.attnum, c.conrelid, ix.indkey::varchar, ix.indoption::varchar, i.reloptions, am.amname, pg_get_expr(ix.indpred, ix.indrelid), ix.indnkeyatts as indnkeyatts FROM pg_class t join pg_index ix on t.oid = ix.indrelid join pg_class i on i.oid = ix.indexrelid left outer join pg_attribute a on t.oid = a.attrelid and a.attnum = ANY(ix.indkey) left outer join pg_constraint c on (ix.indrelid = c.conrelid and ix.indexrelid = c.conindid and c.contype in ('p', 'u', 'x')) left outer join pg_am am on i.relam = am.oid WHERE t.relkind IN ('r', 'v', 'f', 'm', 'p') and t.oid = $1 and ix.indisprimary = 'f' ORDER BY t.relname, i.relname
--: Superset's SQLAlchemy 1.4: enums | more
SELECT t.typname as "name", pg_catalog.pg_type_is_visible(t.oid) as "visible", n.nspname as "schema", e.enumlabel as "label" FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_catalog.pg_enum e ON t.oid = e.enumtypid WHERE t.typtype = 'e' ORDER BY "schema", "name", e.oid
--: Superset's SQLAlchemy 1.4: domains | more
SELECT t.typname as "name", pg_catalog.format_type(t.typbasetype, t.typtypmod) as "attype", not t.typnotnull as "nullable", t.typdefault as "default", pg_catalog.pg_type_is_visible(t.oid) as "visible", n.nspname as "schema" FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd'
--: rust's driver: a type | parameters: 1009
SELECT t.typname, t.typtype, t.typelem, r.rngsubtype, t.typbasetype, n.nspname, t.typrelid FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid INNER JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1
--: Looker: what runs, to be stopped
SELECT pid FROM pg_stat_activity WHERE usename = current_user AND query LIKE '%' || 'looker:nothing-of-this-name' || '%' AND pid <> pg_backend_pid()
--: Looker: the table of its derived ones | varying: *
SELECT 1 FROM information_schema.tables WHERE table_schema = 'tool' AND table_name IN ('orders', 'connection_reg_r3')
--: Looker: columns
select table_schema, table_name, column_name, data_type, ordinal_position, character_maximum_length, numeric_precision, numeric_scale from information_schema.columns where table_schema = 'tool' order by table_name, ordinal_position
--: Looker: a question
SELECT customers.name  AS "customers.name", COALESCE(SUM(orders.total ), 0) AS "orders.total", COUNT(DISTINCT orders.id ) AS "orders.count" FROM tool.orders  AS orders LEFT JOIN tool.customers  AS customers ON orders.customer_id = customers.id WHERE ((( orders.placed  ) >= ((SELECT TIMESTAMP '2001-01-01 00:00')))) GROUP BY 1 ORDER BY 2 DESC LIMIT 500
--: LangChain: a table's create statement | parameters: orders:oid
SELECT conname, pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint WHERE conrelid = $1 ORDER BY conname
