"""What a name without a schema means in Postgres's dialect: where it is made, and ever after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

_IN_POSTGRES = "-c hatidata.dialect=postgres"
_SCHEMAS = ("one", "two")


@pytest.fixture
def pg(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect(options=_IN_POSTGRES) as connection:
        yield connection
        connection.execute("RESET search_path")
        for name in _SCHEMAS:
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
        connection.execute("DROP SEQUENCE IF EXISTS numbers CASCADE")


def tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and name, of those that the tests make."""
    sql = "SELECT schemaname, tablename FROM pg_tables WHERE tablename LIKE 'made%' ORDER BY 1, 2"
    return connection.execute(sql.encode()).fetchall()


def test_a_schema_is_found_that_comes_after_the_path_was_set(
    server: Any, pg: psycopg.Connection
) -> None:
    """As where migrations begin with CREATE SCHEMA IF NOT EXISTS on a connection that names it."""
    with server.connect(options=f"{_IN_POSTGRES} -c search_path=two,one") as other:
        pg.execute("SET search_path = one")
        pg.execute("CREATE SCHEMA IF NOT EXISTS one")
        pg.execute("CREATE TABLE made (a int)")
        other.execute("INSERT INTO made VALUES (1)")
        pg.execute("CREATE SCHEMA two")
        other.execute("CREATE TABLE made (a int)")
        assert tables(pg) == [("one", "made"), ("two", "made")]
        assert pg.execute("SELECT a FROM made").fetchall() == [(1,)]
        assert other.execute("SELECT a FROM made").fetchall() == []
        pg.execute("DROP SCHEMA two CASCADE")
        assert other.execute("SELECT a FROM made").fetchall() == [(1,)]


def test_one_that_is_rolled_back_is_not(pg: psycopg.Connection) -> None:
    pg.execute("SET search_path = one, two")
    pg.execute("CREATE SCHEMA two")
    with pg.transaction(force_rollback=True):
        pg.execute("CREATE SCHEMA one")
        pg.execute("CREATE TABLE made1 (a int)")
        assert tables(pg) == [("one", "made1")]
    pg.execute("CREATE TABLE made2 (a int)")
    assert tables(pg) == [("two", "made2")]


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE TABLE made (a int)",
        "CREATE TABLE IF NOT EXISTS made (a serial)",
        "CREATE TABLE made AS SELECT 1 AS a",
        "CREATE VIEW made AS SELECT 1 AS a",
        "CREATE SEQUENCE made",
    ],
)
@pytest.mark.parametrize("path", ["nowhere", "''", "nowhere, elsewhere"])
def test_without_a_schema_nothing_is_made(
    pg: psycopg.Connection, path: str, definition: str
) -> None:
    pg.execute(f"SET search_path = {path}".encode())
    with pytest.raises(errors.InvalidSchemaName, match="no schema has been selected to create in"):
        pg.execute(definition.encode())
    pg.execute("CREATE SCHEMA one")
    pg.execute(definition.replace("made", "one.made").encode())
    pg.execute(definition.replace("CREATE", "CREATE TEMPORARY").encode())


def test_a_default_counts_by_the_sequence_that_its_author_meant(pg: psycopg.Connection) -> None:
    pg.execute("CREATE SCHEMA one; CREATE SCHEMA two; CREATE SEQUENCE two.numbers START 20")
    pg.execute('CREATE SEQUENCE numbers START 10; CREATE SEQUENCE two."Odd" START 30')
    pg.execute("SET search_path = one, two, public")
    pg.execute(
        """CREATE TABLE made (a int DEFAULT nextval('numbers'), b int DEFAULT nextval('"Odd"'),
                              c serial, d int)"""
    )
    pg.execute("ALTER TABLE made ALTER COLUMN d SET DEFAULT nextval('numbers'::regclass)")
    pg.execute("RESET search_path")
    pg.execute("CREATE TABLE two.made (a int DEFAULT nextval('numbers'))")
    pg.execute("CREATE TABLE made (a int DEFAULT nextval('numbers'))")
    pg.execute("SET search_path = two")
    told = pg.execute("INSERT INTO one.made DEFAULT VALUES RETURNING a, b, c, d").fetchall()
    assert told == [(20, 30, 1, 21)]
    assert pg.execute("INSERT INTO made DEFAULT VALUES RETURNING a").fetchall() == [(10,)]
    assert pg.execute("INSERT INTO public.made DEFAULT VALUES RETURNING a").fetchall() == [(11,)]
    defaults = pg.execute(
        "SELECT column_default FROM information_schema.columns "
        "WHERE table_schema = 'one' AND table_name = 'made' ORDER BY ordinal_position"
    ).fetchall()
    assert defaults == [
        ("nextval('numbers'::regclass)",),
        ("nextval('\"Odd\"'::regclass)",),
        ("nextval('one.made_c_seq'::regclass)",),
        ("nextval('numbers'::regclass)",),
    ]
    with pytest.raises(errors.DependentObjectsStillExist):
        pg.execute("DROP SEQUENCE two.numbers")
    pg.execute("DROP TABLE public.made")


def test_a_views_types_are_those_that_its_author_meant(pg: psycopg.Connection) -> None:
    pg.execute("CREATE SCHEMA one; CREATE SCHEMA two; CREATE TYPE two.mood AS ENUM ('sad', 'ok')")
    pg.execute("SET search_path = one, two")
    pg.execute("CREATE TABLE made (m mood)")
    pg.execute("INSERT INTO made VALUES ('ok')")
    pg.execute("CREATE VIEW seen AS SELECT 'sad'::mood AS mood, CAST(ARRAY['ok'] AS mood[]) AS l")
    pg.execute("CREATE VIEW of_table AS SELECT m FROM made WHERE m = CAST('ok' AS mood)")
    pg.execute("RESET search_path")
    assert pg.execute("SELECT mood, l FROM one.seen").fetchall() == [("sad", ["ok"])]
    assert pg.execute("SELECT m FROM one.of_table").fetchall() == [("ok",)]


def test_duckdbs_listings_stand_beside_postgress_catalog(pg: psycopg.Connection) -> None:
    pg.execute("CREATE SCHEMA one")
    pg.execute("CREATE TABLE one.made (a int PRIMARY KEY); CREATE VIEW one.seen AS SELECT 1 AS a")
    found = pg.execute(
        "SELECT d.table_name, c.relkind FROM duckdb_tables() d "
        "JOIN pg_class c ON c.relname = d.table_name WHERE d.schema_name = 'one'"
    ).fetchall()
    assert found == [("made", "r")]
    found = pg.execute(
        "SELECT view_name FROM duckdb_views() WHERE view_name IN (SELECT viewname FROM pg_views) "
        "AND schema_name = 'one'"
    ).fetchall()
    assert found == [("seen",)]


def test_money_is_refused_by_its_name(pg: psycopg.Connection) -> None:
    with pytest.raises(errors.FeatureNotSupported, match="the type money") as caught:
        pg.execute("CREATE TABLE made (a int, b money)")
    assert caught.value.diag.message_hint is not None
    assert "numeric(19, 2)" in caught.value.diag.message_hint


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree)",
        'CREATE TABLE "Tree" (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES "Tree" (id))',
        "CREATE TABLE one.tree (id int PRIMARY KEY, up int REFERENCES tree (id), note text)",
        "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES one.tree (id))",
    ],
)
def test_a_table_may_refer_to_itself(pg: psycopg.Connection, sql: str) -> None:
    pg.execute("CREATE SCHEMA one")
    pg.execute("SET search_path = one")
    pg.execute(sql.encode())
    name = '"Tree"' if '"' in sql else "tree"
    pg.execute("RESET search_path")
    pg.execute(f"INSERT INTO one.{name} VALUES (1, NULL)".encode())
    pg.execute(f"INSERT INTO one.{name} VALUES (2, 1)".encode())
    with pytest.raises(errors.ForeignKeyViolation):
        pg.execute(f"INSERT INTO one.{name} VALUES (3, 9)".encode())
    found = pg.execute(
        "SELECT confrelid::regclass = conrelid::regclass FROM pg_constraint WHERE contype = 'f'"
        " AND connamespace = 'one'::regnamespace"
    )
    assert found.fetchall() == [(True,)]
