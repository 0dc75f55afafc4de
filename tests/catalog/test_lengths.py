"""The n of varchar(n) is the same in the catalog and in RowDescription."""

from __future__ import annotations

import psycopg

_SHAPE = """
    SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = 'measured'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


def test_a_length_is_mirrored_and_outlives_other_changes(connection: psycopg.Connection) -> None:
    connection.execute("SET hatidata.dialect = postgres")
    connection.execute(
        "CREATE OR REPLACE TABLE measured (id int, name varchar(20), code varchar(9), note varchar)"
    )

    def shape() -> list[tuple[str, str]]:
        return connection.execute(_SHAPE).fetchall()

    first = [
        ("id", "integer"),
        ("name", "character varying(20)"),  # a name that DuckDB writes in quotes, and one not
        ("code", "character varying(9)"),
        ("note", "text"),
    ]
    assert shape() == first
    described = connection.execute("SELECT name FROM measured").description
    assert described is not None
    assert described[0].type_display == "varchar(20)"
    connection.execute("ALTER TABLE measured ADD COLUMN more int")
    assert shape() == [*first, ("more", "integer")]
    connection.execute("INSERT INTO measured VALUES (1, 'a', 'b', 'c', 2)")
    connection.execute("COMMENT ON TABLE measured IS 'with lengths'")
    assert shape() == [*first, ("more", "integer")]
    checks = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'measured'::regclass"
    assert connection.execute(checks).fetchone() == (0,)
    connection.execute("DROP TABLE measured")


def test_other_checks_are_not_taken_for_lengths(connection: psycopg.Connection) -> None:
    connection.execute("SET hatidata.dialect = postgres")
    connection.execute(
        "CREATE OR REPLACE TABLE measured (a varchar CHECK (length(a) < 20), b int, "
        "CHECK (1 > 0), CHECK (length(a) <= b))"
    )
    assert connection.execute(_SHAPE).fetchall() == [("a", "text"), ("b", "integer")]
    connection.execute("DROP TABLE measured")
