"""Words of Postgres's that tools write whatever they are connected to, in both dialects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest


@pytest.fixture(params=["snowflake", "postgres"])
def connection(server: Any, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    with server.connect(options=f"-c hatidata.dialect={request.param}") as connection:
        yield connection


def test_select_into_makes_a_table(connection: psycopg.Connection, schema: str) -> None:
    """As Tableau tries whether it can."""
    made = connection.execute('SELECT * INTO TEMPORARY TABLE "#T" FROM (SELECT 1 AS "COL") AS "X"')
    assert (made.statusmessage, made.description) == ("SELECT 1", None)
    assert connection.execute('SELECT "COL" FROM "#T"').fetchall() == [(1,)]
    connection.execute("WITH q AS (SELECT 1 AS a) SELECT a INTO kept FROM q UNION ALL SELECT 2")
    found = connection.execute("SELECT relkind FROM pg_class WHERE oid = 'scratch.kept'::regclass")
    assert found.fetchall() == [("r",)]
    assert connection.execute("SELECT a FROM kept ORDER BY a").fetchall() == [(1,), (2,)]


def test_local_temporary_tables_keep_their_rows(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute('CREATE LOCAL TEMPORARY TABLE "#C" ("A" INT4) ON COMMIT PRESERVE ROWS')
        connection.execute('INSERT INTO "#C" VALUES (1)')
    assert connection.execute('SELECT "A" FROM "#C"').fetchall() == [(1,)]
    connection.execute("CREATE GLOBAL TEMP TABLE g ON COMMIT PRESERVE ROWS AS SELECT 2 AS a")
    assert connection.execute("SELECT a FROM g").fetchall() == [(2,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="DELETE ROWS"):
        connection.execute("CREATE TABLE gone (a INT4) ON COMMIT DELETE ROWS")


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE TABLE t (a INT4) WITH (fillfactor=70)",
        "CREATE TABLE t (a INT4) WITH (autovacuum_enabled=false, toast.autovacuum_enabled=false)",
        "CREATE TABLE t (a INT4) WITH (oids=false)",
        "CREATE TABLE t (a INT4) TABLESPACE pg_default",
        "CREATE TABLE t (a INT4) USING heap",
        "CREATE UNLOGGED TABLE t (a INT4)",
        "CREATE TABLE t WITH (fillfactor=50) AS SELECT CAST(1 AS INT4) AS a",
    ],
)
def test_what_is_said_of_storage_means_nothing(
    connection: psycopg.Connection, schema: str, definition: str
) -> None:
    connection.execute(definition)
    connection.execute(
        "CREATE INDEX t_a ON t USING btree (a) WITH (fillfactor=50) TABLESPACE pg_default"
    )
    connection.execute("INSERT INTO t VALUES (7)")
    assert connection.execute("SELECT a FROM t WHERE a = 7").fetchall() == [(7,)]


@pytest.mark.parametrize("words", ["WITH (nothing=1)", "TABLESPACE fast", "USING columnar"])
def test_other_words_about_storage_are_refused(
    connection: psycopg.Connection, schema: str, words: str
) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute(f"CREATE TABLE t (a INT4) {words}")


def test_stars_may_have_a_schema(connection: psycopg.Connection, schema: str) -> None:
    """As Objection's queries."""
    connection.execute("CREATE TABLE t (a INT4, b TEXT)")
    given = connection.execute('INSERT INTO scratch.t VALUES (1, \'x\') RETURNING "scratch"."t".*')
    assert given.fetchall() == [(1, "x")]
    query = "SELECT scratch.t.*, other.a FROM scratch.t JOIN scratch.t AS other ON other.a = t.a"
    assert connection.execute(query).fetchall() == [(1, "x", 1)]
    with pytest.raises(psycopg.Error):  # the table's own name means nothing there
        connection.execute("SELECT scratch.t.* FROM scratch.t AS other")


def test_a_varchar_of_a_qualified_column_has_its_length(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE t (a VARCHAR(20))")
    cursor = connection.execute('SELECT "scratch"."t"."a" FROM "scratch"."t"')
    assert cursor.description is not None
    assert (cursor.description[0].type_code, cursor.description[0].display_size) == (1043, 20)


def test_limit_all_is_no_limit(connection: psycopg.Connection) -> None:
    query = "SELECT a FROM (VALUES (1), (2), (3)) AS v (a) ORDER BY a LIMIT ALL OFFSET 1"
    assert connection.execute(query).fetchall() == [(2,), (3,)]


def test_a_time_filter_of_supersets(connection: psycopg.Connection) -> None:
    query = (
        "SELECT TO_TIMESTAMP('2020-01-02 03:04:05.678901', 'YYYY-MM-DD HH24:MI:SS.US'), "
        "to_char(TIMESTAMP '2020-01-02 03:04:05.678901', 'HH24:MI:SS.US SS.MS')"
    )
    (read, written), *_ = connection.execute(query).fetchall()
    assert (read.second, read.microsecond) == (5, 678901)
    assert written == "03:04:05.678901 05.678"


@pytest.mark.parametrize("source", ["(VALUES (1)) AS v", "pg_class LIMIT 1"])
@pytest.mark.parametrize("conforming", ["off", "on"])
def test_backslashes_are_read_as_the_session_says(
    server: Any, source: str, conforming: str
) -> None:
    """psql asks for `'search\\\\_%'` where it is told that backslashes escape."""
    with server.connect(options="-c hatidata.dialect=snowflake") as connection:
        connection.execute(f"SET standard_conforming_strings = {conforming}")
        query = f"SELECT 'a\\\\b', 'it''s \\\\', E'c\\\\d' FROM {source}"
        escaped, plain = ("a\\b", "it's \\", "c\\d"), ("a\\\\b", "it's \\\\", "c\\d")
        found = connection.execute(query).fetchone()
        assert found == (escaped if conforming == "off" else plain)


def test_arrays_of_object_identifiers(connection: psycopg.Connection) -> None:
    """As Drizzle asks which columns number their rows."""
    query = "SELECT 'int8'::regtype = ANY ('{int,int8,int2}'::regtype[]), '{1,2}'::oid[]"
    assert connection.execute(query).fetchall() == [(True, [1, 2])]


def test_a_session_takes_its_own_role_and_no_other(connection: psycopg.Connection) -> None:
    for words in ("ROLE NONE", "ROLE tester", "SESSION AUTHORIZATION DEFAULT"):
        connection.execute(f"SET {words}")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="another role"):
        connection.execute("SET ROLE postgres")


def test_a_role_has_no_settings(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="ALTER ROLE"):
        connection.execute("ALTER ROLE tester SET search_path = scratch")
    connection.execute("ALTER ROLE tester PASSWORD 'set'")
    connection.execute("ALTER ROLE tester RESET ALL")


@pytest.mark.parametrize("local", [False, True])
def test_a_path_that_a_function_sets_is_there_with_the_next_statement(
    connection: psycopg.Connection, schema: str, local: bool
) -> None:
    """As Ibis sets its schema. Many times: the backend is asked while the client goes on."""
    connection.execute("CREATE TABLE t (a INT4)")
    connection.execute("SET search_path = public")
    for _ in range(20):
        with connection.transaction():
            connection.execute("SELECT set_config('search_path', %s, %s)", ["scratch", local])
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        path = connection.execute("SHOW search_path").fetchone()
        assert path == ("public" if local else "scratch",)
        connection.execute("SET search_path = public")


def test_a_server_may_begin_in_another_dialect(start_server: Callable[..., Any]) -> None:
    server = start_server("--dialect", "postgres")
    with server.connect() as connection:
        assert connection.execute("SHOW hatidata.dialect").fetchone() == ("postgres",)
        assert connection.execute("SELECT 5 / 2").fetchone() == (2,)
        connection.execute("SET hatidata.dialect = 'snowflake'")
        connection.execute("RESET ALL")
        assert connection.execute("SHOW hatidata.dialect").fetchone() == ("postgres",)
    with server.connect(options="-c hatidata.dialect=snowflake") as connection:
        assert connection.execute("SHOW standard_conforming_strings").fetchone() == ("off",)


@pytest.mark.parametrize(
    ("precision", "kind"),
    [(1, "real"), (24, "real"), (25, "double precision"), (53, "double precision")],
)
def test_float_of_so_many_bits(
    connection: psycopg.Connection, schema: str, precision: int, kind: str
) -> None:
    """As SQLAlchemy writes its Float(precision=53)."""
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute(f"CREATE TABLE t (a FLOAT({precision}))")
    found = connection.execute(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'scratch.t'::regclass AND attnum = 1"
    )
    assert found.fetchone() == (kind,)
    cast = connection.execute(f"SELECT pg_typeof(1.5::float({precision}))::text")
    assert cast.fetchone() == (kind,)


@pytest.mark.parametrize("precision", [0, 54])
def test_float_of_too_few_or_too_many(
    connection: psycopg.Connection, schema: str, precision: int
) -> None:
    connection.execute("SET hatidata.dialect = 'postgres'")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="precision for type float"):
        connection.execute(f"CREATE TABLE t (a FLOAT({precision}))")


def test_a_document_is_assigned_what_was_made_of_it(
    connection: psycopg.Connection, schema: str
) -> None:
    """As SQLAlchemy writes to a column of type json, with the table's name before it."""
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE t (id INT PRIMARY KEY, d JSON)")
    connection.execute("INSERT INTO t VALUES (1, '{\"a\":1}')")
    made = "CAST(jsonb_set(CAST({}d AS JSONB), '{{b}}', to_jsonb('x'::text)) AS JSON)"
    connection.execute(
        f"UPDATE scratch.t SET d = {made.format('scratch.t.')} WHERE scratch.t.id = 1"
    )
    again = f"ON CONFLICT (id) DO UPDATE SET d = {made.format('t.')}"
    connection.execute(f"INSERT INTO scratch.t VALUES (1) {again}".encode())
    assert connection.execute("SELECT d FROM t").fetchone() == ({"a": 1, "b": "x"},)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="comparing json"):
        connection.execute("SELECT 1 FROM t WHERE d = '{}'::json")
