-- DBeaver: what it asks when it connects (a server's log, in
-- github.com/datafusion-contrib/datafusion-postgres, issue 135) and when a schema and a table are opened
-- (github.com/dbeaver/dbeaver, org.jkiss.dbeaver.ext.postgresql.model: PostgreDatabase, PostgreSchema,
-- PostgreDataTypeCache).

--: name of the program
SET application_name = 'DBeaver 25.1.5 - Main <hatidata>'
--: where it is | varying: current_schema session_user
SELECT current_schema(),session_user
--: path | varying: search_path
SHOW search_path
--: schemas | varying: nspowner nspacl | more
SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass
 ORDER BY nspname
--: a type's name, as its driver asks | parameters: 1034
SELECT n.nspname = ANY(current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1
--: a type's kind, as its driver asks | parameters: _aclitem
SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid   FROM pg_catalog.pg_type   LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r           from pg_namespace as ns           join ( select s.r, (current_schemas(false))[s.r] as nspname                    from generate_series(1, array_upper(current_schemas(false), 1)) as s(r) ) as r          using ( nspname )        ) as sp     ON sp.nspoid = typnamespace  WHERE typname = $1  ORDER BY sp.r, pg_type.oid DESC
--: database | varying: oid datname datdba datfrozenxid datminmxid datcollate datctype datlocale datcollversion datacl encoding datlocprovider
SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datname=current_database()
--: databases | varying: oid datname datdba datfrozenxid datminmxid datcollate datctype datlocale datcollversion datacl encoding datlocprovider | more
SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate OR db.datname =current_database() ORDER BY db.datname
--: a setting | varying: sourcefile
SELECT * FROM pg_catalog.pg_settings where name='standard_conforming_strings'
--: keywords
SELECT string_agg(word, ',' ) from pg_catalog.pg_get_keywords() where word <> ALL ('{a,abs,absolute,action,ada,add,admin,after,all,allocate,alter,always}'::text[])
--: are there enums
SELECT * FROM pg_catalog.pg_enum WHERE 1<>1 LIMIT 1
--: are there types of rows
SELECT reltype FROM pg_catalog.pg_class WHERE 1<>1 LIMIT 1
--: types | varying: typowner | more
SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description
FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid
WHERE t.typname IS NOT NULL
AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')
--: types of the schema | parameters: schema | varying: typowner
SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description
FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid
WHERE t.typname IS NOT NULL
AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')
AND t.typnamespace=$1
--: tables | parameters: schema | varying: relfilenode relowner relpages reltuples relallvisible relallfrozen relacl relminmxid
SELECT c.oid,c.*,d.description,pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr,  pg_catalog.pg_get_partkeydef(c.oid) as partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass
WHERE c.relnamespace=$1 AND c.relkind not in ('i','I','c')
--: tables and their parents | parameters: schema orders | varying: relfilenode relowner relpages reltuples relallvisible relallfrozen relacl relminmxid
SELECT c.oid,c.*,d.description,(select array_agg(i.inhparent) from pg_catalog.pg_inherits i where i.inhrelid = c.oid) parents
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0
WHERE c.relnamespace=$1 AND c.relkind not in ('i','c') AND relname=$2
--: sizes | parameters: schema | varying: total_rel_size rel_size
select c.oid,pg_catalog.pg_total_relation_size(c.oid) as total_rel_size,pg_catalog.pg_relation_size(c.oid) as rel_size
FROM pg_class c
WHERE c.relnamespace=$1
--: columns | parameters: orders:oid
SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum and dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND c.relkind not in ('i','I','c') AND c.oid=$1
ORDER BY a.attnum
--: columns of all kinds | parameters: kinds:oid
SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)
WHERE NOT a.attisdropped AND c.relkind not in ('i','I','c') AND c.oid=$1
ORDER BY a.attnum
--: constraints | parameters: schema | varying: conbin
SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid=c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_constraint'::regclass
WHERE t.relnamespace=$1
ORDER BY c.oid
--: indexes | parameters: schema | varying: relfilenode indexrelid indrelid scans
SELECT i.*,i.indkey as keys,c.relname,c.relnamespace,c.relam,c.reltablespace,tc.relname as tabrelname,dsc.description,pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,pg_catalog.pg_stat_get_numscans(i.indexrelid) as scans
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid=i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid=dsc.objoid
WHERE c.relnamespace=$1
ORDER BY tabrelname, c.relname
--: routines | parameters: schema
SELECT p.oid,p.*,d.description
FROM pg_catalog.pg_proc p
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=p.oid
WHERE p.pronamespace=$1
ORDER BY p.proname
--: roles | varying: oid rolname | more
SELECT a.oid,a.* FROM pg_catalog.pg_roles a WHERE rolname = 'pg_monitor'
ORDER BY a.rolname
--: access methods
SELECT am.oid,am.* FROM pg_catalog.pg_am am
ORDER BY am.oid
--: encodings
SELECT c.contoencoding as encid,pg_catalog.pg_encoding_to_char(c.contoencoding) as encname
FROM pg_catalog.pg_conversion c
GROUP BY c.contoencoding
ORDER BY 2
--: languages | varying: lanacl
SELECT l.oid,l.* FROM pg_catalog.pg_language l
ORDER BY l.oid
--: wrappers
SELECT l.oid,l.*,p.pronamespace as handler_schema_id
FROM pg_catalog.pg_foreign_data_wrapper l
LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid=l.fdwhandler
ORDER BY l.fdwname
--: tablespaces
SELECT t.oid,t.*,pg_tablespace_location(t.oid) loc FROM pg_catalog.pg_tablespace t
ORDER BY t.oid
--: extensions of a schema | parameters: 11
SELECT e.oid,e.* FROM pg_catalog.pg_extension e
WHERE e.extnamespace=$1
ORDER BY e.oid
--: a view's text | parameters: dear:oid | varying: definition
SELECT pg_catalog.pg_get_viewdef($1::oid, true) as definition
--: rules | parameters: orders:oid
SELECT r.oid,r.* FROM pg_catalog.pg_rewrite r
WHERE r.ev_class=$1 AND r.rulename <> '_RETURN'::name
--: triggers | parameters: orders:oid
SELECT x.oid,x.*,p.pronamespace as func_schema_id,d.description,pg_catalog.pg_get_triggerdef(x.oid) as triggerdef
FROM pg_catalog.pg_trigger x
LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid=x.tgfoid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=x.oid AND d.objsubid=0
WHERE x.tgrelid=$1 AND NOT x.tgisinternal
--: dependencies of a view | parameters: dear:oid | varying: refobjid objid | more
SELECT DISTINCT dep.deptype, dep.classid, cl.relkind, attr.attname,cl.relname
FROM pg_catalog.pg_depend dep
LEFT JOIN pg_catalog.pg_class cl ON dep.objid = cl.oid
LEFT JOIN pg_catalog.pg_attribute attr ON dep.objid = attr.attrelid AND dep.objsubid = attr.attnum
WHERE dep.refobjid=$1 AND dep.deptype = 'i'
--: who else is there | varying: * | more
SELECT sa.*,pg_catalog.pg_blocking_pids(sa.pid) as blocked FROM pg_catalog.pg_stat_activity sa WHERE sa.pid = pg_catalog.pg_backend_pid()
--: a table opened in the editor
SELECT id, customer_id, total, note, paid FROM tool.orders o LIMIT 200
