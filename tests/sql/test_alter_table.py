"""Snowflake's ALTER TABLE: keys by their names and kinds, several columns at once, and what is refused."""

from __future__ import annotations

import psycopg
import pytest


def _names(connection: psycopg.Connection, kind: str, table: str) -> set[str]:
    column = "fk_name" if kind == "IMPORTED" else "constraint_name"
    cursor = connection.execute(f"SHOW {kind} KEYS IN TABLE {table}")
    place = [one.name for one in cursor.description or ()].index(column)
    return {row[place] for row in cursor.fetchall()}


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    return [one.name for one in connection.execute(f"SELECT * FROM {table}").description or ()]


def _state(connection: psycopg.Connection, statement: str) -> str | None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    return caught.value.sqlstate


@pytest.fixture
def keyed(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("CREATE TABLE other (k INT PRIMARY KEY)")
    connection.execute(
        "CREATE TABLE t (a INT, b INT, c INT,"
        " CONSTRAINT pk PRIMARY KEY (a) NOT ENFORCED NOVALIDATE RELY,"
        " CONSTRAINT uq UNIQUE (a, b),"
        " CONSTRAINT fk FOREIGN KEY (c) REFERENCES other (k) MATCH FULL NOT DEFERRABLE)"
    )
    return connection


def test_keys_keep_the_names_that_they_were_given(keyed: psycopg.Connection) -> None:
    assert _names(keyed, "PRIMARY", "t") == {"pk"}
    assert _names(keyed, "UNIQUE", "t") == {"uq"}
    assert _names(keyed, "IMPORTED", "t") == {"fk"}
    assert (
        "constraint pk primary key (a)"
        in (keyed.execute("SELECT lower(GET_DDL('TABLE', 't'))").fetchone() or ("",))[0]
    )


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP CONSTRAINT pk", "DROP CONSTRAINT uq", "DROP CONSTRAINT fk"),
        ("DROP PRIMARY KEY", "DROP UNIQUE (b, a) CASCADE", "DROP FOREIGN KEY (c)"),
    ],
)
def test_keys_are_dropped_by_name_and_by_kind(
    keyed: psycopg.Connection, statements: tuple[str, ...]
) -> None:
    keyed.execute("INSERT INTO t VALUES (1, 1, 1)")
    for statement in statements:
        keyed.execute(f"ALTER TABLE t {statement}")
    assert not any(_names(keyed, kind, "t") for kind in ("PRIMARY", "UNIQUE", "IMPORTED"))
    keyed.execute("INSERT INTO t VALUES (1, 1, 1)")
    assert _state(keyed, "ALTER TABLE t DROP PRIMARY KEY") == "42704"


def test_keys_are_added_renamed_and_changed(keyed: psycopg.Connection) -> None:
    for statement in (
        "DROP PRIMARY KEY",
        "ADD CONSTRAINT again PRIMARY KEY (a) ENFORCED VALIDATE RELY",
        "RENAME CONSTRAINT again TO main_key",
        "MODIFY CONSTRAINT main_key NOT ENFORCED",
        "ALTER UNIQUE (a, b) NOVALIDATE NORELY",
        "ADD CONSTRAINT more UNIQUE (b) NOT ENFORCED",
        "ADD FOREIGN KEY (b) REFERENCES other NOT ENFORCED NOT DEFERRABLE",
    ):
        keyed.execute(f"ALTER TABLE t {statement}")
    assert _names(keyed, "PRIMARY", "t") == {"main_key"}
    assert _names(keyed, "UNIQUE", "t") == {"uq", "more"}
    assert _names(keyed, "IMPORTED", "t") == {"fk", "t_b_fkey"}
    assert _state(keyed, "ALTER TABLE t MODIFY CONSTRAINT uq ENFORCED") == "0A000"
    assert _state(keyed, "ALTER TABLE t MODIFY CONSTRAINT nosuch RELY") == "42704"


def test_keys_that_are_only_written_down_are_altered_too(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("SET hatidata.enforce_keys = off")
    try:
        connection.execute("CREATE TABLE t (a INT, b INT, CONSTRAINT pk PRIMARY KEY (a))")
        connection.execute("ALTER TABLE t ADD CONSTRAINT uq UNIQUE (b)")
        assert _names(connection, "UNIQUE", "t") == {"uq"}
        connection.execute("INSERT INTO t VALUES (1, 1), (1, 1)")
        assert _state(connection, "ALTER TABLE t ADD PRIMARY KEY (b)") == "42P16"
        connection.execute("ALTER TABLE t DROP CONSTRAINT pk")
        connection.execute("ALTER TABLE t ADD PRIMARY KEY (b)")
        assert _names(connection, "PRIMARY", "t") == {"t_pkey"}
    finally:
        connection.execute("RESET hatidata.enforce_keys")


def test_several_columns_are_added_and_dropped_at_once(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    connection.execute("ALTER TABLE t ADD (b INT, c VARCHAR(3) DEFAULT 'x')")
    connection.execute("ALTER TABLE t ADD COLUMN d INT, e INT NOT NULL")
    connection.execute("ALTER TABLE t ADD COLUMN IF NOT EXISTS d INT, f INT")
    assert _columns(connection, "t") == ["a", "b", "c", "d", "e", "f"]
    connection.execute("ALTER TABLE t DROP b, c")
    connection.execute("ALTER TABLE t DROP COLUMN IF EXISTS nosuch, IF EXISTS d")
    connection.execute("ALTER TABLE IF EXISTS nosuch DROP a")
    assert _columns(connection, "t") == ["a", "e", "f"]
    connection.execute("ALTER TABLE t ALTER COLUMN a COMMENT 'said'")
    connection.execute("ALTER TABLE t MODIFY COLUMN a UNSET COMMENT")
    (first, *_) = connection.execute("DESCRIBE TABLE t").fetchall()
    assert first[9] is None


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("ALTER TABLE t ADD b INT MASKING POLICY p USING (a, a > 1)", "MASKING POLICY"),
        ("ALTER TABLE t ADD ROW ACCESS POLICY p ON (a)", "ROW ACCESS POLICY"),
        ("ALTER TABLE t SET CONTACT STEWARD = a", "ALTER TABLE ... SET CONTACT"),
        ("ALTER SCHEMA scratch RENAME TO other", "ALTER SCHEMA ... RENAME TO"),
        ("CREATE OR ALTER TABLE t (b INT)", "CREATE OR ALTER TABLE"),
        ("CREATE OR ALTER SCHEMA scratch", "CREATE OR ALTER SCHEMA"),
        ("CREATE EXTERNAL TABLE e (a INT AS (VALUE:c1::INT)) LOCATION = @x", "EXTERNAL TABLE"),
        ("COMMENT ON PIPE p IS 'x'", "COMMENT ON PIPE"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    connection: psycopg.Connection, schema: str, statement: str, message: str
) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == "0A000"
    assert message in str(caught.value)
    assert _columns(connection, "t") == ["a"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT LENGTH(nosuch) FROM t",
        "SELECT CAST(nosuch AS INT) FROM t",
        "SELECT COUNT(*) FROM t WHERE nosuch LIKE 'x%'",
        "SELECT TO_DATE(t.nosuch) FROM t",
    ],
)
def test_a_column_that_is_not_there_is_said_to_be_so(
    connection: psycopg.Connection, schema: str, query: str
) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    assert _state(connection, query) == "42703"
