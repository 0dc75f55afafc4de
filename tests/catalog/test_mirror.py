"""DuckDB's tables and views, as a real Postgres tells of them."""

from __future__ import annotations

import psycopg
import pytest

COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def columns(connection: psycopg.Connection, table: str) -> list[tuple]:
    return connection.execute(COLUMNS, [table]).fetchall()


def names(connection: psycopg.Connection, table: str) -> list[str]:
    return [row[0] for row in columns(connection, table)]


def relations(connection: psycopg.Connection, schema: str) -> dict[str, str]:
    rows = connection.execute(
        "SELECT c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'v', 'S')",
        [schema],
    )
    return dict(rows.fetchall())


def keys(connection: psycopg.Connection, table: str) -> list[str]:
    rows = connection.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'f', 'c') ORDER BY 1",
        [table],
    )
    return [row[0] for row in rows]


@pytest.fixture
def duckdb_dialect(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("SET hatidata.dialect = 'duckdb'")
    return connection


TYPES = """
    a BOOLEAN, b TINYINT, c SMALLINT, d INTEGER, e BIGINT, f HUGEINT, g UTINYINT, h UINTEGER,
    i UBIGINT, j FLOAT, k DOUBLE, l DECIMAL(12,3), m VARCHAR, n BLOB, o DATE, p TIME, q TIMESTAMP,
    r TIMESTAMP_NS, s TIMESTAMPTZ, t INTERVAL, u UUID, v BIT, w JSON, x INTEGER[], y DECIMAL(5,2)[],
    z STRUCT(q INTEGER), aa MAP(VARCHAR, INTEGER), bb ENUM('x', 'y'), cc STRUCT(q INTEGER)[], dd TIMETZ
"""


def test_the_type_of_a_column_is_the_type_of_its_values(
    duckdb_dialect: psycopg.Connection,
) -> None:
    duckdb_dialect.execute(f"CREATE TABLE types ({TYPES})")
    duckdb_dialect.execute("CREATE VIEW seen AS SELECT * FROM types")
    result = duckdb_dialect.execute("SELECT * FROM types").pgresult
    assert result is not None
    sent = [
        ((result.fname(i) or b"").decode(), result.ftype(i), result.fmod(i))
        for i in range(result.nfields)
    ]
    for relation in ("types", "seen"):
        rows = duckdb_dialect.execute(
            "SELECT attname, atttypid::int4, atttypmod FROM pg_attribute "
            f"WHERE attrelid = '{relation}'::regclass AND attnum > 0 ORDER BY attnum"
        ).fetchall()
        assert rows == sent
    said = {name: kind for name, kind, *_ in columns(duckdb_dialect, "types")}
    assert said["l"] == "numeric(12,3)"
    assert said["y"] == "numeric(5,2)[]"
    assert (said["f"], said["z"], said["bb"], said["x"]) == (
        "numeric",
        "jsonb",
        "text",
        "integer[]",
    )


def test_a_table_has_its_constraints_defaults_and_comments(
    duckdb_dialect: psycopg.Connection,
) -> None:
    execute = duckdb_dialect.execute
    execute("CREATE SEQUENCE numbers START 7 INCREMENT 2")
    execute(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, code VARCHAR UNIQUE NOT NULL, "
        "n INTEGER DEFAULT nextval('numbers'), made TIMESTAMP DEFAULT now(), t VARCHAR DEFAULT 'it''s', "
        "u UUID DEFAULT uuid(), list INTEGER[] DEFAULT [1, 2], price DECIMAL(8,2) DEFAULT 1.5, "
        "CHECK (price > 0), UNIQUE (n, made))"
    )
    execute("CREATE TABLE child (id INTEGER REFERENCES parent (id), x INTEGER)")
    execute("CREATE INDEX by_x ON child (x)")
    execute("COMMENT ON TABLE parent IS 'the parents'")
    execute("COMMENT ON COLUMN parent.code IS 'what it is called'")
    assert columns(duckdb_dialect, "parent") == [
        ("id", "integer", True, None, None),
        ("code", "text", True, None, "what it is called"),
        ("n", "integer", False, "nextval('numbers'::regclass)", None),
        ("made", "timestamp without time zone", False, "now()", None),
        ("t", "text", False, "'it''s'::text", None),
        ("u", "uuid", False, "gen_random_uuid()", None),
        ("list", "integer[]", False, "'{1,2}'::integer[]", None),
        ("price", "numeric(8,2)", False, "1.5", None),
    ]
    assert keys(duckdb_dialect, "parent") == [
        "CHECK ((price > (0)::numeric))",
        "PRIMARY KEY (id)",
        "UNIQUE (code)",
        "UNIQUE (n, made)",
    ]
    assert keys(duckdb_dialect, "child") == ["FOREIGN KEY (id) REFERENCES parent(id)"]
    assert execute("SELECT obj_description('parent'::regclass, 'pg_class')").fetchall() == [
        ("the parents",)
    ]
    assert execute(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'scratch' AND tablename = 'child'"
    ).fetchall() == [("CREATE INDEX by_x ON scratch.child USING btree (x)",)]
    assert execute(
        "SELECT start_value, increment_by FROM pg_sequences WHERE sequencename = 'numbers'"
    ).fetchall() == [(7, 2)]
    execute("DROP TABLE child")
    execute("DROP TABLE parent")
    execute("DROP SEQUENCE numbers")
    assert relations(duckdb_dialect, "scratch") == {}


def test_what_alter_does_is_seen_and_keeps_the_relation(duckdb_dialect: psycopg.Connection) -> None:
    execute = duckdb_dialect.execute
    execute("CREATE TABLE t (a INTEGER, b VARCHAR, c DATE)")
    (oid,) = execute("SELECT 't'::regclass::oid").fetchone()  # type: ignore[misc]
    execute("ALTER TABLE t ADD COLUMN d DECIMAL(9,4) DEFAULT 2")
    assert columns(duckdb_dialect, "t")[3][:4] == ("d", "numeric(9,4)", False, "2")
    execute("ALTER TABLE t RENAME b TO bb")
    execute("ALTER TABLE t ALTER a SET NOT NULL")
    execute("ALTER TABLE t ALTER c TYPE TIMESTAMP")
    execute("ALTER TABLE t ALTER d SET DEFAULT 3")
    assert columns(duckdb_dialect, "t") == [
        ("a", "integer", True, None, None),
        ("bb", "text", False, None, None),
        ("c", "timestamp without time zone", False, None, None),
        ("d", "numeric(9,4)", False, "3", None),
    ]
    execute("ALTER TABLE t ALTER a DROP NOT NULL")
    execute("ALTER TABLE t DROP COLUMN bb")
    execute("ALTER TABLE t ALTER d DROP DEFAULT")
    assert columns(duckdb_dialect, "t") == [
        ("a", "integer", False, None, None),
        ("c", "timestamp without time zone", False, None, None),
        ("d", "numeric(9,4)", False, None, None),
    ]
    execute("ALTER TABLE t RENAME TO u")
    execute("ALTER TABLE u ADD PRIMARY KEY (a)")
    assert keys(duckdb_dialect, "u") == ["PRIMARY KEY (a)"]
    assert execute("SELECT 'u'::regclass::oid").fetchone() == (oid,)
    with pytest.raises(psycopg.errors.UndefinedTable):
        execute("SELECT 't'::regclass")


def test_a_table_that_is_replaced_has_the_new_columns(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE t (a INT, b INT, c INT)")
    connection.execute("CREATE OR REPLACE TABLE t (b INT, x VARCHAR, c INT)")
    assert names(connection, "t") == ["b", "x", "c"]
    connection.execute("CREATE OR REPLACE TABLE t AS SELECT 1 AS c, 'x' AS b")
    assert names(connection, "t") == ["c", "b"]
    connection.execute("DROP TABLE t")
    connection.execute("CREATE VIEW t AS SELECT 2 AS v")
    assert relations(connection, "scratch") == {"t": "v"}


def test_a_view_shows_the_text_that_its_author_wrote(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE orders (id INT, amount NUMBER(10, 2))")
    query = "SELECT id, IFF(amount > 1, 'big', 'small') AS size, amount FROM orders QUALIFY ROW_NUMBER() OVER (ORDER BY id) = 1"
    connection.execute(f"CREATE OR REPLACE VIEW big COMMENT = 'the big ones' AS {query}")
    assert [row[:2] for row in columns(connection, "big")] == [
        ("id", "bigint"),
        ("size", "text"),
        ("amount", "numeric(10,2)"),
    ]
    for question in (
        "SELECT pg_get_viewdef('big'::regclass)",
        "SELECT pg_get_viewdef('big'::regclass, true)",
        "SELECT pg_catalog.pg_get_viewdef('scratch.big')",
        "SELECT view_definition FROM information_schema.views WHERE table_name = 'big'",
        "SELECT definition FROM pg_views WHERE viewname = 'big'",
    ):
        assert connection.execute(question).fetchall() == [(f"{query};",)], question
    own = connection.execute("SELECT pg_get_viewdef('pg_roles'::regclass)").fetchone()
    assert own is not None
    assert "pg_authid" in own[0]
    connection.execute("ALTER TABLE orders ADD COLUMN note VARCHAR")
    connection.execute("CREATE OR REPLACE VIEW big (n) AS SELECT id FROM orders")
    assert names(connection, "big") == ["n"]


def test_rows_of_the_mirror_are_out_of_reach(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    connection.execute("INSERT INTO t VALUES (1), (2)")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)
    for attempt in (
        "SELECT hatidata_catalog.apply('x', '[]', true)",
        "SELECT hatidata_catalog.apply('x', '[]', true) FROM pg_class",
        "SELECT * FROM hatidata_catalog.keys",
        "SELECT * FROM hatidata_catalog.keys, pg_class",
        "SELECT query_to_xml('SELECT hatidata_catalog.apply(''x'', ''[]'', true)', true, true, '') FROM pg_class LIMIT 1",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(attempt)


def test_names_are_kept_as_they_were_written(connection: psycopg.Connection, schema: str) -> None:
    connection.execute('CREATE TABLE "Mixed Case" ("Ünï ""x""" INT, "select" INT)')
    assert names(connection, '"Mixed Case"') == ['Ünï "x"', "select"]
    connection.execute('ALTER TABLE "MIXED CASE" ADD COLUMN more INT')
    assert names(connection, '"Mixed Case"') == ['Ünï "x"', "select", "more"]
    connection.execute('DROP TABLE "mixed case"')
    assert relations(connection, "scratch") == {}


def test_what_cannot_be_mirrored_does_not_fail(connection: psycopg.Connection, schema: str) -> None:
    long = "x" * 70
    connection.execute(f"CREATE TABLE {long} (a INT)")
    connection.execute("CREATE TABLE beside (a INT)")
    assert connection.execute(f"SELECT count(*) FROM {long}").fetchone() == (0,)
    assert relations(connection, "scratch") == {"beside": "r"}
    connection.execute("CREATE SCHEMA pg_mine")
    connection.execute("CREATE TABLE pg_mine.t (a INT)")
    connection.execute("DROP SCHEMA pg_mine CASCADE")


def test_schemas_come_and_go(connection: psycopg.Connection) -> None:
    connection.execute("CREATE SCHEMA stage_one")
    connection.execute("CREATE TABLE stage_one.t (a INT)")
    question = "SELECT schema_name, catalog_name FROM information_schema.schemata WHERE schema_name LIKE 'stage%'"
    assert connection.execute(question).fetchall() == [("stage_one", "hatidata")]
    connection.execute("DROP SCHEMA stage_one CASCADE")
    assert connection.execute(question).fetchall() == []


def test_main_is_public(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE main.in_main (a INT)")
    try:
        assert connection.execute("SELECT 'public.in_main'::regclass::text").fetchone() == (
            "in_main",
        )
        connection.execute("SET search_path = main")
        assert connection.execute("SELECT 'in_main'::regclass::text").fetchone() == ("in_main",)
    finally:
        connection.execute("DROP TABLE public.in_main")
    assert connection.execute("SELECT to_regclass('public.in_main')").fetchone() == (None,)


def test_what_a_statement_leaves_alone_stays(duckdb_dialect: psycopg.Connection) -> None:
    execute = duckdb_dialect.execute
    execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER, UNIQUE (b), CHECK (b > 0))")
    execute("CREATE INDEX by_b ON t (b)")
    execute("COMMENT ON TABLE t IS 'said'")
    execute("COMMENT ON COLUMN t.b IS 'of b'")
    execute("CREATE TABLE IF NOT EXISTS t (x INTEGER)")
    execute("CREATE VIEW v AS SELECT 1 AS one")
    execute("CREATE VIEW IF NOT EXISTS v AS SELECT 2 AS two")
    assert execute("SELECT pg_get_viewdef('v'::regclass)").fetchone() == ("SELECT 1 AS one;",)
    execute("DROP INDEX by_b")
    execute("ALTER TABLE t RENAME TO u")
    assert keys(duckdb_dialect, "u") == ["CHECK ((b > 0))", "PRIMARY KEY (a)", "UNIQUE (b)"]
    assert columns(duckdb_dialect, "u")[1][4] == "of b"
    said = "SELECT obj_description('u'::regclass, 'pg_class')"
    assert execute(said).fetchone() == ("said",)
    execute("DROP TABLE IF EXISTS t")
    execute("CREATE TABLE t (c INTEGER)")
    assert execute("SELECT obj_description('t'::regclass, 'pg_class')").fetchone() == (None,)
    execute("BEGIN; CREATE TABLE new (k INTEGER PRIMARY KEY, UNIQUE (k)); DROP TABLE u")
    execute("ALTER TABLE new RENAME TO u")
    execute("COMMIT")
    assert keys(duckdb_dialect, "u") == ["PRIMARY KEY (k)", "UNIQUE (k)"]
    assert execute(said).fetchone() == (None,)


def test_an_index_is_mirrored_until_it_is_dropped(duckdb_dialect: psycopg.Connection) -> None:
    execute = duckdb_dialect.execute
    execute("CREATE TABLE t (a INTEGER, b VARCHAR)")
    execute("CREATE UNIQUE INDEX one ON t (a, lower(b))")
    question = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'scratch' AND tablename = 't'"
    assert execute(question).fetchall() == [
        ("CREATE UNIQUE INDEX one ON scratch.t USING btree (a, lower(b))",)
    ]
    execute("DROP INDEX one")
    assert execute(question).fetchall() == []


def test_a_view_follows_what_it_is_about(duckdb_dialect: psycopg.Connection) -> None:
    execute = duckdb_dialect.execute
    execute("CREATE TABLE t (a INTEGER)")
    execute("CREATE VIEW v AS SELECT * FROM t")
    execute("ALTER TABLE t ADD COLUMN b DATE")
    assert names(duckdb_dialect, "v") == [
        c.name for c in execute("SELECT * FROM v").description or ()
    ]
    execute("BEGIN")
    execute("DROP TABLE t")
    assert names(duckdb_dialect, "v") == ["a", "b"]
    execute("CREATE OR REPLACE TABLE t (z INTEGER)")
    execute("CREATE VIEW other AS SELECT 1 AS x")
    assert names(duckdb_dialect, "other") == ["x"]
    execute("COMMIT")
    assert names(duckdb_dialect, "t") == ["z"]


def test_analyze_tells_how_many_rows_there_are(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t AS SELECT 1 AS a UNION ALL SELECT 2")
    question = "SELECT reltuples::int FROM pg_class WHERE oid = 'scratch.t'::regclass"
    for statement, rows in (
        ("ANALYZE scratch.t", 2),
        ("INSERT INTO t VALUES (3)", 2),
        ("ANALYZE", 3),
    ):
        connection.execute(statement)
        assert connection.execute(question).fetchone() == (rows,)


def test_comments_follow_their_relations_through_a_block(
    connection: psycopg.Connection, schema: str
) -> None:
    """What is told from the statement alone, between other changes, and where a name is twice there."""
    said = "SELECT obj_description('t'::regclass), col_description('t'::regclass, 1)"
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE first (a INT, b INT)")
    connection.execute("COMMENT ON TABLE first IS 'one'")
    connection.execute("COMMENT ON COLUMN scratch.first.a IS 'of a'")
    connection.execute("ALTER TABLE first RENAME TO t")
    connection.execute("COMMENT ON TABLE scratch.t IS 'two'")
    connection.execute("COMMENT ON TABLE scratch.t IS 'one'")
    connection.execute("COMMENT ON TABLE scratch.t IS 'two'")
    assert connection.execute(said).fetchone() == ("two", "of a")
    connection.execute("COMMENT ON TABLE scratch.t IS 'three'")
    connection.execute("CREATE INDEX i ON t (a)")
    connection.execute("COMMIT")
    assert connection.execute(said).fetchone() == ("three", "of a")
    connection.execute("CREATE TABLE public.t (a INT)")
    connection.execute("COMMENT ON COLUMN t.a IS 'of the first'")
    connection.execute("COMMENT ON TABLE t IS NULL")
    assert connection.execute(said).fetchone() == (None, "of the first")
    assert connection.execute(said.replace("'t'", "'public.t'")).fetchone() == (None, None)
    connection.execute("DROP TABLE public.t")
    connection.execute("COMMENT ON TABLE scratch.t IS 'four'")
    connection.execute("CREATE OR REPLACE TABLE t (a INT)")
    assert connection.execute(said).fetchone() == (None, None)
