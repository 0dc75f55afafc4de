-- Materialized views: as views, but that Postgres replaces none. One is dropped and made again, with what was
-- granted on it; whatever reads it lets go meanwhile. Nobody fills it: its rows are in DuckDB.

-- Whether pg_matviews says that there are rows; on the embedded Postgres, where that is ours to say.
CREATE OR REPLACE FUNCTION hatidata_catalog._populated(p_relid oid) RETURNS void
LANGUAGE sql AS 'SELECT';

CREATE OR REPLACE FUNCTION hatidata_catalog._make_materialized(p_relid oid, p_target text, p_document jsonb, p_reads boolean) RETURNS oid
LANGUAGE plpgsql AS $$
DECLARE
    v_source text := p_document ->> 'source';
    v_native boolean := coalesce((p_document ->> 'native')::boolean, false);
    v_made boolean := false;
    v_granted aclitem[];
    v_right record;
    v_relid oid;
    v_views oid[] := '{}';
BEGIN
    IF p_relid IS NOT NULL THEN
        SELECT relacl INTO v_granted FROM pg_class WHERE oid = p_relid;
        v_views := hatidata_catalog._let_go(p_relid);
        EXECUTE format('DROP MATERIALIZED VIEW %s', p_relid::regclass);
    END IF;
    IF p_reads AND v_native AND position(';' IN v_source) = 0 THEN
        BEGIN
            EXECUTE format('CREATE MATERIALIZED VIEW %s (%s) AS ', p_target,
                    (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place) FROM hatidata_catalog._columns(p_document) c))
                || v_source || E'\nWITH NO DATA';
            IF EXISTS (SELECT FROM hatidata_catalog._attributes(p_target::regclass) a
                       JOIN hatidata_catalog._columns(p_document) c USING (place)
                       WHERE a.type_oid <> c.type_oid AND NOT (a.type_oid = 1043 AND c.type_oid = 25)) THEN
                RAISE EXCEPTION 'other types' USING ERRCODE = '42P17';
            END IF;
            v_made := true;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation THEN
            RAISE;
        WHEN OTHERS THEN
            NULL;
        END;
    END IF;
    IF NOT v_made THEN
        EXECUTE concat('CREATE MATERIALIZED VIEW ', p_target, ' AS ', hatidata_catalog._view_body(p_document),
                       CASE WHEN p_reads AND v_native THEN hatidata_catalog._reading(p_document) END, ' WITH NO DATA');
    END IF;
    EXECUTE format('ALTER MATERIALIZED VIEW %s OWNER TO hatidata_users', p_target);
    v_relid := p_target::regclass;
    FOR v_right IN SELECT a.privilege_type, a.is_grantable, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
                   FROM aclexplode(v_granted) a WHERE a.grantee <> 'hatidata_users'::regrole LOOP
        EXECUTE format('GRANT %s ON %s TO %s%s', v_right.privilege_type, p_target, v_right.grantee,
                       CASE WHEN v_right.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
    PERFORM hatidata_catalog._make_indexes(v_relid, p_document);
    PERFORM hatidata_catalog._set_comments(v_relid, p_document);
    PERFORM hatidata_catalog._populated(v_relid);
    UPDATE hatidata_catalog.relations SET relid = v_relid WHERE relid = p_relid;
    IF v_views <> '{}' THEN
        PERFORM hatidata_catalog._hold(v_views);
    END IF;
    RETURN v_relid;
END
$$;
