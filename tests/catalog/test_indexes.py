"""Indexes: made, listed, dropped, and no obstacle to what becomes of their table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

LISTED = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'scratch' ORDER BY 1"


@pytest.fixture(params=["postgres", "snowflake"])
def author(request: pytest.FixtureRequest, server: Any, schema: str) -> Iterator[Any]:
    with server.connect() as connection:
        connection.execute("SET search_path = scratch")
        connection.execute(f"SET hatidata.dialect = '{request.param}'")
        connection.execute("CREATE TABLE t (a INT, b TEXT, c NUMERIC(8, 2), d DATE)")
        connection.execute("INSERT INTO t VALUES (1, 'x', 1.5, NULL), (2, 'y', 2.5, NULL)")
        yield connection


def listed(connection: psycopg.Connection) -> dict[str, str]:
    rows = connection.execute(LISTED).fetchall()
    return {name: definition.partition("USING btree ")[2] for name, definition in rows}


def test_what_postgres_says_of_an_index_is_taken(author: psycopg.Connection) -> None:
    author.execute("CREATE INDEX ON t (a)")
    author.execute("CREATE INDEX IF NOT EXISTS one ON scratch.t USING btree (a, b)")
    author.execute("CREATE INDEX IF NOT EXISTS one ON t USING hash (a)")
    author.execute("CREATE INDEX CONCURRENTLY two ON t USING hash (b)")
    author.execute("CREATE INDEX three ON t (b DESC NULLS LAST) INCLUDE (c) WHERE a > 1")
    author.execute("CREATE INDEX four ON t (b text_pattern_ops) WITH (fillfactor = 70)")
    author.execute("CREATE UNIQUE INDEX five ON t (c)")
    assert listed(author) == {
        "t_a_idx": "(a)",
        "one": "(a, b)",
        "two": "",
        "three": "(b DESC NULLS LAST) INCLUDE (c) WHERE (a > 1)",
        "four": "(b text_pattern_ops)",
        "five": "(c)",
    }


def test_a_method_that_there_is_not_is_told(author: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedObject):
        author.execute("CREATE INDEX i ON t USING nothing (b)")


def test_an_index_over_some_of_the_rows_is_a_rule_for_them(author: psycopg.Connection) -> None:
    author.execute("CREATE UNIQUE INDEX one ON t (b) WHERE a > 1 AND c > 0")
    author.execute("CREATE UNIQUE INDEX two ON t (a, lower(b)) WHERE d IS NULL")
    assert listed(author) == {
        "one": "(b) WHERE ((a > 1) AND (c > (0)::numeric))",
        "two": "(a, lower(b)) WHERE (d IS NULL)",
    }
    for free in (
        "(1, 'z', 3, NULL)",
        "(3, 'y', NULL, NULL)",
        "(3, NULL, 3, NULL)",
        "(3, NULL, 3, NULL)",
    ):
        author.execute(f"INSERT INTO t VALUES {free}")
    with pytest.raises(psycopg.errors.UniqueViolation, match='constraint "one"') as caught:
        author.execute("INSERT INTO t VALUES (4, 'y', 3, '2024-01-01')")
    assert caught.value.diag.message_detail == "Key (b)=(y) already exists."
    with pytest.raises(psycopg.errors.UniqueViolation, match='constraint "two"') as caught:
        author.execute("INSERT INTO t VALUES (2, 'Y', NULL, NULL)")
    assert caught.value.diag.message_detail == "Key (a, lower(b))=(2, y) already exists."
    with pytest.raises(psycopg.errors.UniqueViolation):
        author.execute("UPDATE t SET a = 5, c = 5 WHERE b = 'y'")
    author.execute("UPDATE t SET d = '2024-01-01' WHERE a = 2")
    author.execute("INSERT INTO t VALUES (2, 'Y', NULL, NULL)")


@pytest.mark.parametrize(
    ("index", "row", "detail"),
    [
        ("one ON t (lower(b))", "5, 'X'", "Key (lower(b))=(x) already exists."),
        ("one ON t ((a % 4))", "5, 'z'", None),
        ("one ON t (a, upper(b))", "1, 'x'", "Key (a, upper(b))=(1, X) already exists."),
        ("one ON t ((a + 1)) WHERE a < 9", "2, 'z'", None),
    ],
)
def test_an_index_over_expressions_is_told_by_its_name(
    author: psycopg.Connection, index: str, row: str, detail: str | None
) -> None:
    author.execute(f"CREATE UNIQUE INDEX {index}")
    with pytest.raises(psycopg.errors.UniqueViolation, match='constraint "one"') as caught:
        author.execute(f"INSERT INTO t (a, b) VALUES ({row})")
    if detail is not None:
        assert caught.value.diag.message_detail == detail
    assert caught.value.diag.constraint_name == "one"


def test_an_index_over_some_of_the_rows_follows_its_table(author: psycopg.Connection) -> None:
    author.execute("CREATE UNIQUE INDEX one ON t (b) WHERE d IS NULL")
    author.execute("ALTER TABLE t RENAME COLUMN d TO gone")
    author.execute("ALTER TABLE t RENAME COLUMN b TO name")
    author.execute("ALTER TABLE t ADD COLUMN e INT")
    author.execute("ALTER TABLE t RENAME TO u")
    assert listed(author) == {"one": "(name) WHERE (gone IS NULL)"}
    with pytest.raises(psycopg.errors.UniqueViolation, match='constraint "one"'):
        author.execute("INSERT INTO u (name) VALUES ('x')")
    author.execute("ALTER TABLE u DROP COLUMN gone")
    assert listed(author) == {}
    author.execute("INSERT INTO u (name) VALUES ('x')")


@pytest.mark.parametrize("index", ["t (lower(b))", "t (b) WHERE a > 1"])
def test_such_an_index_is_no_key(author: psycopg.Connection, index: str) -> None:
    author.execute("SET hatidata.dialect = 'postgres'")
    author.execute(f"CREATE UNIQUE INDEX one ON {index}")
    with pytest.raises(psycopg.errors.WrongObjectType, match="one"):
        author.execute("ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX one")


@pytest.mark.parametrize("kind", ["", "UNIQUE"])
def test_the_indexes_of_a_table_that_is_renamed_go_with_it(
    author: psycopg.Connection, kind: str
) -> None:
    author.execute(f"CREATE {kind} INDEX one ON t (a)")
    author.execute("CREATE INDEX two ON t (b)")
    author.execute("COMMENT ON TABLE t IS 'said'")
    author.execute("COMMENT ON COLUMN t.b IS 'said too'")
    author.execute("ALTER TABLE t RENAME TO u")
    assert listed(author) == {"one": "(a)", "two": "(b)"}
    author.execute("INSERT INTO u (a) VALUES (3)")
    if kind:
        with pytest.raises(psycopg.errors.UniqueViolation):
            author.execute("INSERT INTO u (a) VALUES (3)")
    author.execute("DROP INDEX scratch.one")
    assert listed(author) == {"two": "(b)"}
    author.execute("INSERT INTO u (a) VALUES (3)")
    assert author.execute("SELECT a FROM u ORDER BY a").fetchall() == [(1,), (2,), (3,), (3,)]
    assert author.execute(
        "SELECT obj_description('u'::regclass), col_description('u'::regclass, 2)"
    ).fetchone() == ("said", "said too")


@pytest.mark.parametrize("kind", ["", "UNIQUE"])
@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("ALTER TABLE t ADD COLUMN e INT", {"one": "(b)", "two": "(c)"}),
        ("ALTER TABLE t ADD COLUMN e INT, DROP COLUMN a", {"one": "(b)", "two": "(c)"}),
        ("ALTER TABLE t DROP COLUMN a, DROP COLUMN b", {"two": "(c)"}),
        ("ALTER TABLE t DROP COLUMN b", {"two": "(c)"}),
        ("ALTER TABLE t RENAME COLUMN b TO z", {"one": "(z)", "two": "(c)"}),
        ("ALTER TABLE t ALTER COLUMN c TYPE NUMERIC(10, 3)", {"one": "(b)", "two": "(c)"}),
        ("ALTER TABLE t ALTER COLUMN b SET NOT NULL", {"one": "(b)", "two": "(c)"}),
        ("ALTER TABLE t ALTER COLUMN b SET DEFAULT 'z'", {"one": "(b)", "two": "(c)"}),
    ],
)
def test_what_changes_in_a_table_with_indexes(
    author: psycopg.Connection, kind: str, sql: str, left: dict[str, str]
) -> None:
    author.execute("CREATE INDEX one ON t (b)")
    author.execute(f"CREATE {kind} INDEX two ON t (c)")
    author.execute(sql)
    assert listed(author) == left
    assert author.execute("SELECT c FROM t ORDER BY c").fetchall() == [(1.5,), (2.5,)]
    if kind:
        with pytest.raises(psycopg.errors.UniqueViolation):
            author.execute("INSERT INTO t (c) SELECT c FROM t")


def test_dbt_builds_beside_renames_and_drops_a_table_with_indexes(
    author: psycopg.Connection, connection: psycopg.Connection
) -> None:
    author.execute("CREATE UNIQUE INDEX before ON t (a)")
    for turn in range(2):
        author.execute("BEGIN")
        author.execute("CREATE TABLE t__dbt_tmp AS (SELECT * FROM t)")
        author.execute(f'CREATE UNIQUE INDEX IF NOT EXISTS "new{turn}" ON t__dbt_tmp (a)')
        author.execute(f'CREATE INDEX IF NOT EXISTS "other{turn}" ON t__dbt_tmp (b)')
        author.execute("ALTER TABLE t RENAME TO t__dbt_backup")
        author.execute("ALTER TABLE t__dbt_tmp RENAME TO t")
        assert {f"new{turn}", f"other{turn}"} < set(listed(author))
        author.execute("COMMIT")
        author.execute("DROP TABLE IF EXISTS t__dbt_backup CASCADE")
        assert set(listed(connection)) == {f"new{turn}", f"other{turn}"}
    with pytest.raises(psycopg.errors.UniqueViolation):
        author.execute("INSERT INTO t (a) VALUES (1)")


def test_several_changes_of_one_statement_are_all_made_or_none(author: psycopg.Connection) -> None:
    author.execute("ALTER TABLE t ADD COLUMN e INT, ADD COLUMN f TEXT, DROP COLUMN d")
    with pytest.raises(psycopg.Error):
        author.execute("ALTER TABLE t ADD COLUMN g INT, DROP COLUMN nowhere")
    found = author.execute("SELECT * FROM t").description
    assert [column.name for column in found or ()] == ["a", "b", "c", "e", "f"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("(a DESC, b NULLS FIRST)", "btree (a DESC, b NULLS FIRST)"),
        ('("C" DESC NULLS LAST)', 'btree ("C" DESC NULLS LAST)'),
        ("USING brin (a)", "brin (a)"),
        ("USING hash (b)", "hash (b)"),
        ("(lower(b) text_pattern_ops)", "btree (lower(b) text_pattern_ops)"),
        (
            '(a) INCLUDE (b, "C") WHERE "C" > 5 AND a < 9',
            'btree (a) INCLUDE (b, "C") WHERE (("C" > 5) AND (a < 9))',
        ),
        ("USING gist (a)", "btree (a)"),  # which Postgres has no operators for
    ],
)
def test_the_catalog_shows_what_tunes_an_index(
    author: psycopg.Connection, written: str, shown: str
) -> None:
    def definition() -> str:
        found = author.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'tuned'")
        (text,) = found.fetchone() or ("",)
        return text.partition(" USING ")[2]

    author.execute('CREATE TABLE tuned_t (a int, b text, "C" int)')
    author.execute(f"CREATE INDEX tuned ON tuned_t {written}".encode())
    assert definition() == shown
    author.execute("ALTER TABLE tuned_t ADD COLUMN z int NOT NULL DEFAULT 1")  # is made anew
    assert definition() == shown
    author.execute('ALTER TABLE tuned_t RENAME TO "TUNED_T"')
    assert definition() == shown
    author.execute('ALTER TABLE "TUNED_T" RENAME COLUMN "C" TO "c"')
    assert definition() == shown.replace('"C"', "c")


def test_an_index_over_documents(author: psycopg.Connection) -> None:
    author.execute("SET hatidata.dialect = postgres")
    author.execute("CREATE TABLE documents (d jsonb)")
    author.execute("CREATE INDEX found ON documents USING gin (d jsonb_path_ops)")
    rows = author.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'found'").fetchall()
    assert rows == [("CREATE INDEX found ON scratch.documents USING gin (d jsonb_path_ops)",)]


def test_an_index_of_columns_in_capitals(author: psycopg.Connection) -> None:
    author.execute('CREATE TABLE loud ("A" int, "B" text)')
    author.execute('CREATE UNIQUE INDEX one ON loud ("A") WHERE "B" > \'x\'')
    author.execute('CREATE INDEX two ON loud ("B", "A")')
    assert listed(author) == {"one": """("A") WHERE ("B" > 'x'::text)""", "two": '("B", "A")'}


def test_names_that_differ_in_capitals_alone(author: psycopg.Connection) -> None:
    author.execute("CREATE INDEX one ON t (b)")
    author.execute("CREATE VIEW v AS SELECT b FROM t")
    author.execute('ALTER TABLE t RENAME TO "T"')
    author.execute('ALTER TABLE "T" RENAME COLUMN b TO "B"')
    author.execute('ALTER VIEW v RENAME TO "V"')
    names = "SELECT relname FROM pg_class WHERE relnamespace = 'scratch'::regnamespace ORDER BY 1"
    assert [name for (name,) in author.execute(names)] == ["T", "V", "one"]
    columns = """SELECT attname FROM pg_attribute WHERE attrelid = '"T"'::regclass AND attnum = 2"""
    assert author.execute(columns).fetchone() == ("B",)
    assert listed(author) == {"one": '("B")'}
    assert author.execute('SELECT count(*) FROM "T"').fetchone() == (2,)
