-- pg_get_viewdef() and all that calls it (psql's \sv, information_schema.views, pg_views) tell the query
-- of a mirrored view as its author wrote it. For the embedded Postgres alone, whose system functions
-- are ours to change: the planner puts the body of a function in SQL in place of its call, also of a
-- built-in one's, and the built-in code stays reachable under another name.

CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(oid) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(oid, boolean) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_ext';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(oid, int) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_wrap';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(text) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_name';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(text, boolean) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_name_ext';

CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(oid) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query($1, hatidata_catalog._viewdef($1))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(oid, boolean) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query($1, hatidata_catalog._viewdef($1, $2))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(oid, int) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query($1, hatidata_catalog._viewdef($1, $2))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query(to_regclass($1), hatidata_catalog._viewdef($1))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(text, boolean) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query(to_regclass($1), hatidata_catalog._viewdef($1, $2))';

GRANT EXECUTE ON FUNCTION hatidata_catalog._viewdef(oid), hatidata_catalog._viewdef(oid, boolean),
    hatidata_catalog._viewdef(oid, int), hatidata_catalog._viewdef(text), hatidata_catalog._viewdef(text, boolean) TO PUBLIC;
