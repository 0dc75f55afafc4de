"""Stages and file formats: made, altered, shown, dropped; temporary, in schemas, in transactions."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from proxy.demo.server import ServerProcess

Rows = Callable[[str], list[tuple]]
Send = Callable[[str, bytes], None]


def test_a_stage_is_there_once(db: psycopg.Connection, rows: Rows) -> None:
    notices: list[str] = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    rows("CREATE STAGE s")
    with pytest.raises(psycopg.errors.DuplicateObject):
        rows("CREATE STAGE S")
    rows("CREATE STAGE IF NOT EXISTS s")
    assert notices == ['stage "s" already exists, skipping']
    rows("DROP STAGE s")
    with pytest.raises(psycopg.errors.UndefinedObject):
        rows("DROP STAGE s")
    rows("DROP STAGE IF EXISTS s")


def test_a_stage_made_anew_is_empty(rows: Rows, send: Send) -> None:
    for change in (["CREATE OR REPLACE STAGE s"], ["DROP STAGE s", "CREATE STAGE s"]):
        rows("CREATE STAGE IF NOT EXISTS s")
        send("@s/a", b"x")
        for sql in change:
            rows(sql)
        assert rows("LIST @s") == []


def test_a_dropped_stages_files_are_gone(
    rows: Rows, send: Send, stage_server: ServerProcess
) -> None:
    rows("CREATE STAGE s")
    send("@s/of_the_dropped", b"x")
    rows("DROP STAGE s")
    assert list(stage_server.data_directory.glob("stages/*/of_the_dropped")) == []


def test_properties_are_kept_and_shown(db: psycopg.Connection, rows: Rows) -> None:
    rows(
        "CREATE STAGE s ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') DIRECTORY = (ENABLE = TRUE)"
        " FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = '|') COMMENT = 'what''s new'"
    )
    cursor = db.execute("SHOW STAGES LIKE 's%'")
    names = [column.name for column in cursor.description or ()]
    (row,) = (dict(zip(names, row, strict=True)) for row in cursor)
    assert row["name"] == "s"
    assert (row["comment"], row["type"], row["owner"]) == ("what's new", "INTERNAL", "ana")
    assert row["directory_enabled"] == "Y"
    described = {row[1]: row[3] for row in rows("DESC STAGE s")}
    assert described["FIELD_DELIMITER"] == "|"
    assert described["ENABLE"] == "true"
    rows("ALTER STAGE s SET COMMENT = 'other' FILE_FORMAT = (TYPE = JSON)")
    assert {row[1]: row[3] for row in rows("DESCRIBE STAGE s")}["TYPE"] == "JSON"
    rows("ALTER STAGE IF EXISTS nosuch SET COMMENT = ''")
    assert db.execute("COMMENT ON STAGE s IS 'last'").statusmessage == "COMMENT"
    assert rows("SHOW STAGES LIKE 's'")[0][8] == "last"
    rows("COMMENT IF EXISTS ON FILE FORMAT nosuch IS 'x'")


def test_renaming_keeps_the_files(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    send("@s/a", b"x")
    rows("ALTER STAGE s RENAME TO other")
    assert [row[0] for row in rows("LIST @other")] == ["other/a"]
    with pytest.raises(psycopg.errors.UndefinedObject):
        rows("LIST @s")


def test_file_formats(rows: Rows) -> None:
    rows("CREATE FILE FORMAT f TYPE = 'CSV' SKIP_HEADER = 1, NULL_IF = ('a', 'b') COMMENT = 'c'")
    with pytest.raises(psycopg.errors.DuplicateObject):
        rows("CREATE FILE FORMAT f TYPE = JSON")
    shown = {row[0]: row[2] for row in rows("DESCRIBE FILE FORMAT f")}
    assert (shown["TYPE"], shown["SKIP_HEADER"], shown["NULL_IF"]) == ("CSV", "1", "[a, b]")
    rows("ALTER FILE FORMAT f SET SKIP_HEADER = 2 COMMENT = 'd'")
    assert {row[0]: row[2] for row in rows("DESC FILE FORMAT f")}["SKIP_HEADER"] == "2"
    ((_, name, _, _, kind, _, comment, *_),) = rows("SHOW FILE FORMATS LIKE 'F'")
    assert (name, kind, comment) == ("f", "CSV", "d")
    rows("ALTER FILE FORMAT f RENAME TO g")
    rows("CREATE OR REPLACE FILE FORMAT g TYPE = JSON")
    rows("DROP FILE FORMAT g")
    rows("DROP FILE FORMAT IF EXISTS g")
    with pytest.raises(psycopg.errors.UndefinedObject):
        rows("DESC FILE FORMAT g")


def test_a_stage_follows_its_named_format(rows: Rows, send: Send) -> None:
    rows("CREATE FILE FORMAT f TYPE = CSV")
    rows("CREATE STAGE s FILE_FORMAT = (FORMAT_NAME = 'f')")
    send("@s/a", b"h\n1\n")
    assert len(rows("SELECT $1 FROM @s")) == 2
    rows("ALTER FILE FORMAT f SET SKIP_HEADER = 1")
    assert rows("SELECT $1 FROM @s") == [("1",)]


def test_names_with_schemas(rows: Rows, send: Send) -> None:
    schema = rows("SELECT current_schema()")[0][0]
    rows(f"CREATE SCHEMA {schema}_other")
    rows(f"CREATE STAGE {schema}_other.s")
    send(f"@{schema}_other.s/a.csv", b"1\n")
    rows(f"CREATE FILE FORMAT {schema}_other.f TYPE = CSV")
    with pytest.raises(psycopg.errors.UndefinedObject):
        rows("LIST @s")
    assert rows(f"SELECT $1 FROM @{schema}_other.s (FILE_FORMAT => {schema}_other.f)") == [("1",)]
    assert rows(f"SELECT $1 FROM @hatidata.{schema}_other.s/a") == [("1",)]
    assert [row[1] for row in rows(f"SHOW STAGES IN SCHEMA {schema}_other")] == ["s"]
    assert rows("SHOW STAGES") == []
    assert "s" in [row[1] for row in rows("SHOW STAGES IN ACCOUNT")]
    rows("CREATE STAGE s")
    send("@s/a.csv", b"mine\n")
    assert rows("SELECT $1 FROM @s") == [("mine",)]
    with pytest.raises(psycopg.errors.InvalidSchemaName):
        rows("CREATE STAGE nowhere.s")
    with pytest.raises(psycopg.errors.InvalidCatalogName):
        rows("LIST @elsewhere.public.s")


def test_quoted_names(rows: Rows, send: Send) -> None:
    rows('CREATE STAGE "My Stage"')
    send('@"My Stage"/a', b"1\n")
    assert rows('SELECT $1 FROM @"My Stage"/a') == [("1",)]
    rows('DROP STAGE "My Stage"')


def test_a_temporary_stage_ends_with_its_session(
    connect: Callable[[], psycopg.Connection], stage_server: ServerProcess
) -> None:
    first, second = connect(), connect()
    first.execute("CREATE TEMPORARY STAGE s FILE_FORMAT = (TYPE = CSV)")
    first.execute("CREATE TEMP FILE FORMAT f TYPE = JSON")
    with first.cursor().copy("COPY @s/of_the_temporary FROM STDIN") as copy:
        copy.write(b"1\n")
    assert first.execute("SHOW STAGES").fetchone()[10] == "INTERNAL TEMPORARY"
    for sql in ("LIST @s", "DESC FILE FORMAT f"):
        with pytest.raises(psycopg.errors.UndefinedObject):
            second.execute(sql)
    assert len(list(stage_server.data_directory.glob("stages/*/of_the_temporary"))) == 1
    first.close()
    for _ in range(10_000):  # until the server has seen it
        if not list(stage_server.data_directory.glob("stages/*/of_the_temporary")):
            break
        second.execute("SELECT 1")
    assert list(stage_server.data_directory.glob("stages/*/of_the_temporary")) == []
    assert connect().execute("SHOW STAGES").fetchall() == []


def test_definitions_are_part_of_the_transaction(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE kept")
    send("@kept/a", b"1\n")
    rows("BEGIN")
    rows("CREATE STAGE s")
    rows("CREATE FILE FORMAT f TYPE = CSV")
    rows("DROP STAGE kept")
    rows("ROLLBACK")
    for sql in ("LIST @s", "DESC FILE FORMAT f"):
        with pytest.raises(psycopg.errors.UndefinedObject):
            rows(sql)
    assert rows("SELECT $1 FROM @kept") == [("1",)]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("CREATE STAGE s URL = 's3://bucket/path/'", "0A000"),
        ("CREATE STAGE s STORAGE_INTEGRATION = x", "0A000"),
        ("CREATE STAGE s FILE_FORMAT = (TYPE = XML)", "0A000"),
        ("CREATE STAGE s FILE_FORMAT = (TYPE = CSV NOSUCH = 1)", "22023"),
        ("CREATE STAGE s COPY_OPTIONS = (ON_ERROR = CONTINUE)", "0A000"),
        ("CREATE STAGE s NOSUCH = 1", "42601"),
        ("CREATE STAGE", "42601"),
        ("CREATE FILE FORMAT f TYPE = ORC", "0A000"),
        ("CREATE FILE FORMAT f TYPE = CSV SKIP_HEADER = -1", "42601"),
        ("CREATE FILE FORMAT f TYPE = CSV TYPE = JSON", "42601"),
        ("LIST s", "42601"),
        ("LIST @s PATTERN", "42601"),
    ],
)
def test_what_cannot_be_defined(rows: Rows, sql: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        rows(sql)
    assert caught.value.sqlstate == sqlstate


def test_nothing_is_written_in_a_read_only_transaction(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    rows("CREATE TABLE t (a INT)")
    send("@s/a", b"1\n")
    for sql in (
        "CREATE STAGE other",
        "DROP STAGE s",
        "RM @s",
        "COPY INTO t FROM @s",
        "COPY INTO @s/out FROM t",
    ):
        rows("BEGIN READ ONLY")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            rows(sql)
        rows("ROLLBACK")
    assert [row[0] for row in rows("LIST @s")] == ["s/a"]


def test_the_catalog_does_not_show_them(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    rows("CREATE TABLE t (a INT)")
    send("@s/a", b"1\n")
    rows("COPY INTO t FROM @s")
    schema = rows("SELECT current_schema()")[0][0]
    assert rows(f"SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace") == [
        ("t",)
    ]
    assert rows("SHOW USER FUNCTIONS") == []
    assert rows("SHOW PROCEDURES") == []
