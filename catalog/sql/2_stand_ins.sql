-- What stands in the definitions of mirrored relations where only DuckDB could evaluate.

CREATE OR REPLACE FUNCTION hatidata_catalog.duckdb_view(query text) RETURNS SETOF record
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION 'this view''s rows are in DuckDB' USING ERRCODE = '0A000', DETAIL = query;
END
$$;
COMMENT ON FUNCTION hatidata_catalog.duckdb_view IS 'The query of a mirrored view; it is run by DuckDB.';

CREATE OR REPLACE FUNCTION hatidata_catalog.duckdb(expression text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION 'this expression is DuckDB''s' USING ERRCODE = '0A000', DETAIL = expression;
END
$$;
COMMENT ON FUNCTION hatidata_catalog.duckdb IS 'A default that Postgres cannot read; it is evaluated by DuckDB.';

-- Not called, since its second argument is NULL: Postgres would compute it when it makes the column.
CREATE OR REPLACE FUNCTION hatidata_catalog.duckdb_generated(expression text, of_type anyelement) RETURNS anyelement
LANGUAGE sql IMMUTABLE STRICT AS 'SELECT of_type';
COMMENT ON FUNCTION hatidata_catalog.duckdb_generated IS 'What a generated column is that Postgres cannot read; it is evaluated by DuckDB.';

CREATE OR REPLACE FUNCTION hatidata_catalog.view_query(view oid, otherwise text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    -- With the semicolon that Postgres's own definitions end in, and pg_dump cuts off unseen.
    SELECT CASE WHEN position('hatidata_catalog.duckdb_view(' IN otherwise) = 0 THEN otherwise ELSE coalesce((SELECT rtrim(r.source, E' \t\r\n;') || CASE WHEN r.source LIKE '%--%' THEN E'\n;' ELSE ';' END
                     FROM hatidata_catalog.relations r
                     WHERE r.relid = view AND r.kind IN ('v', 'm')), otherwise) END
$$;
COMMENT ON FUNCTION hatidata_catalog.view_query IS 'The query of a mirrored view as its author wrote it, otherwise what is given.';
