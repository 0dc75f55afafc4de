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


def _described(connection: psycopg.Connection, table: str) -> list[tuple[str | None, ...]]:
    """Name, type, whether it may be NULL, default, whether it is of the primary key, comment."""
    rows = connection.execute(f"DESCRIBE TABLE {table}").fetchall()
    return [(row[0], row[1], row[3], row[4], row[5], row[9]) for row in rows]


def test_create_or_alter_makes_a_table_and_alters_it(
    connection: psycopg.Connection, schema: str
) -> None:
    identity = "IDENTITY START 1 INCREMENT 1 ORDER"
    first = (
        "CREATE OR ALTER TABLE t (id INT AUTOINCREMENT, a VARCHAR(5) NOT NULL DEFAULT 'q' COMMENT 'one',"
        " b NUMBER(8, 2))"
    )
    for _ in range(2):
        connection.execute(first)
        assert _described(connection, "t") == [
            ("id", "NUMBER(38,0)", "Y", identity, "N", None),
            ("a", "VARCHAR(5)", "N", "'q'", "N", "one"),
            ("b", "NUMBER(8,2)", "Y", None, "N", None),
        ]
    connection.execute("INSERT INTO t (a, b) VALUES ('x', 1.5), ('y', 2)")
    connection.execute(
        "CREATE OR ALTER TABLE t (id INT AUTOINCREMENT, a VARCHAR(50), b NUMBER(12, 2) NOT NULL,"
        " c DATE, d VARCHAR DEFAULT 'z' COMMENT 'two', PRIMARY KEY (id)) COMMENT = 'said'"
    )
    assert _described(connection, "t") == [
        ("id", "NUMBER(38,0)", "N", identity, "Y", None),
        ("a", "VARCHAR(50)", "Y", None, "N", None),
        ("b", "NUMBER(12,2)", "N", None, "N", None),
        ("c", "DATE", "Y", None, "N", None),
        ("d", "VARCHAR(16777216)", "Y", "'z'", "N", "two"),
    ]
    shown = connection.execute(
        f"SHOW TABLES LIKE 't' IN SCHEMA {schema} ->> SELECT \"comment\" FROM $1"
    )
    assert shown.fetchall() == [("said",)]
    connection.execute("CREATE OR ALTER TABLE t (id INT AUTOINCREMENT, b NUMBER(12, 2), d VARCHAR)")
    assert [row[0] for row in _described(connection, "t")] == ["id", "b", "d"]
    assert not _names(connection, "PRIMARY", "t")
    rows = connection.execute("SELECT id, b::INT, d FROM t ORDER BY id").fetchall()
    assert rows == [(1, 2, "z"), (2, 2, "z")]


def test_create_or_alter_is_all_or_nothing(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (a INT, b INT)")
    connection.execute("INSERT INTO t VALUES (1, NULL)")
    assert _state(connection, "CREATE OR ALTER TABLE t (b INT NOT NULL, c INT)") == "23502"
    assert _columns(connection, "t") == ["a", "b"]
    connection.execute("BEGIN")
    connection.execute("CREATE OR ALTER TABLE t (a INT, d INT)")
    connection.execute("ROLLBACK")
    assert _columns(connection, "t") == ["a", "b"]
    connection.execute("CREATE VIEW v AS SELECT 1 AS a")
    assert _state(connection, "CREATE OR ALTER TABLE v (a INT)") == "42809"
    connection.execute("CREATE OR ALTER TEMPORARY TABLE t (z INT)")
    assert _columns(connection, "t") == ["z"]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("ALTER TABLE t ADD b INT MASKING POLICY p USING (a, a > 1)", "MASKING POLICY"),
        ("ALTER TABLE t ADD ROW ACCESS POLICY p ON (a)", "ROW ACCESS POLICY"),
        ("ALTER TABLE t SET CONTACT STEWARD = a", "ALTER TABLE ... SET CONTACT"),
        ("ALTER SCHEMA scratch RENAME TO other", "ALTER SCHEMA ... RENAME TO"),
        ("CREATE OR ALTER TABLE t (b INT, a INT)", "adds columns elsewhere"),
        ("CREATE OR ALTER TABLE t (a INT DEFAULT 1)", 'gives column "a" another default'),
        ("CREATE OR ALTER TABLE t (a INT REFERENCES t (a))", "has foreign keys"),
        ("CREATE OR ALTER TABLE t AS SELECT 1 a", "CREATE OR ALTER TABLE ... AS"),
        ("CREATE OR ALTER TABLE t LIKE t", "CREATE OR ALTER TABLE ... LIKE"),
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
