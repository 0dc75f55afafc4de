"""SELECT from a stage, in every statement that may, and what its files look like from there."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable

import asyncpg
import psycopg
import pytest

from proxy.demo.server import ServerProcess

Rows = Callable[[str], list[tuple]]
Send = Callable[[str, bytes], None]


@pytest.fixture(autouse=True)
def stage(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    rows("CREATE FILE FORMAT h TYPE = CSV SKIP_HEADER = 1")
    rows("CREATE FILE FORMAT j TYPE = JSON")
    send("@s/a/1.csv", b"id,name\n1,x\n2,y\n")
    send("@s/a/2.csv", b"id,name\n3,\n")
    send("@s/b/1.json", b'{"k": {"n": 1}, "l": [1, 2]}\n{"k": {"n": 2}}\n')


def test_columns_are_texts_and_as_many_as_are_asked_for(rows: Rows) -> None:
    assert rows("SELECT $1, t.$2, $7 FROM @s/a/1 t") == [
        ("id", "name", None),
        ("1", "x", None),
        ("2", "y", None),
    ]


def test_a_file_format_by_name(rows: Rows) -> None:
    assert rows("SELECT count(*) FROM @s/a (FILE_FORMAT => h)") == [(3,)]
    assert rows("SELECT count(*) FROM @s/a (FILE_FORMAT => 'h', PATTERN => '.*2.csv')") == [(1,)]
    with pytest.raises(psycopg.errors.UndefinedObject):
        rows("SELECT $1 FROM @s (FILE_FORMAT => nosuch)")


def test_metadata(rows: Rows) -> None:
    found = rows(
        "SELECT METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, $1,"
        " METADATA$FILE_LAST_MODIFIED, METADATA$FILE_CONTENT_KEY FROM @s/a (FILE_FORMAT => h)"
    )
    assert [row[:3] for row in found] == [
        ("a/1.csv", 1, "1"),
        ("a/1.csv", 2, "2"),
        ("a/2.csv", 1, "3"),
    ]
    assert isinstance(found[0][3], datetime.datetime)
    assert len(found[0][4]) == 32


def test_documents(rows: Rows) -> None:
    assert rows("SELECT $1:k.n::INT, $1:l[0] FROM @s/b (FILE_FORMAT => j)") == [(1, 1), (2, None)]
    assert rows(
        "SELECT f.value::INT FROM @s/b (FILE_FORMAT => j) t, LATERAL FLATTEN(t.$1:l) f ORDER BY 1"
    ) == [(1,), (2,)]


def test_quoted_locations(rows: Rows, send: Send) -> None:
    send('"@s/with blank/x.csv"', b"1\n")
    assert rows("SELECT $1 FROM '@s/with blank/x.csv'") == [("1",)]
    assert [row[0] for row in rows("LIST '@s/with blank'")] == ["s/with blank/x.csv"]


def test_joins_subqueries_and_ctes(rows: Rows) -> None:
    assert rows(
        "SELECT l.$2, r.$2 FROM @s/a (FILE_FORMAT => h) l JOIN @s/a (FILE_FORMAT => h) r"
        " ON l.$1 = r.$1 ORDER BY l.$1"
    ) == [("x", "x"), ("y", "y"), (None, None)]
    assert rows(
        "WITH q AS (SELECT t.$1 AS c FROM @s/a (FILE_FORMAT => h) t) SELECT max(c) FROM q"
    ) == [("3",)]
    assert rows("SELECT 1 WHERE '3' IN (SELECT t.$1 FROM @s/a t)") == [(1,)]


def test_insert_create_merge_update_delete(rows: Rows) -> None:
    rows("CREATE TABLE t AS SELECT t.$1::INT AS id, t.$2 AS name FROM @s/a (FILE_FORMAT => h) t")
    rows("INSERT INTO t SELECT $1::INT + 10, $2 FROM @s/a (FILE_FORMAT => h)")
    assert rows("SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,), (11,), (12,), (13,)]
    rows(
        "MERGE INTO t USING (SELECT $1::INT AS id FROM @s/a/1 (FILE_FORMAT => h)) s ON t.id = s.id"
        " WHEN MATCHED THEN DELETE"
    )
    rows("DELETE FROM t WHERE id IN (SELECT s.$1::INT + 10 FROM @s/a (FILE_FORMAT => h) s)")
    assert rows("SELECT id FROM t") == [(3,)]


def test_every_place_of_a_column(rows: Rows) -> None:
    rows("CREATE TABLE t (a VARCHAR, b VARCHAR)")
    rows("INSERT OVERWRITE INTO t SELECT $1, $2 FROM @s/a (FILE_FORMAT => h)")
    assert rows("SELECT * FROM t ORDER BY a") == [("1", "x"), ("2", "y"), ("3", None)]
    assert rows("SELECT DISTINCT $1 FROM @s/a WHERE $2 LIKE 'x%' ORDER BY $1") == [("1",)]
    assert rows("SELECT $1, count(*) FROM @s/a/2 GROUP BY $1 ORDER BY 1") == [("3", 1), ("id", 1)]
    assert rows("SELECT * FROM (SELECT $1 AS q, $2 AS r FROM @s/a/2) ORDER BY q") == [
        ("3", None),
        ("id", "name"),
    ]
    assert rows("WITH q AS (SELECT $1 AS c FROM @s/a) SELECT count(c) FROM q") == [(5,)]
    assert rows("SELECT x.$1, t.b FROM @s/a/1 x, t WHERE x.$1 = t.a ORDER BY 1") == [
        ("1", "x"),
        ("2", "y"),
    ]


def test_what_stands_for_a_stage_is_not_shown(rows: Rows) -> None:
    rows("SELECT $1 FROM @s/a")
    for kind in ("TABLES", "VIEWS"):
        assert not [row[1] for row in rows(f"SHOW {kind}") if row[1].startswith("_hd_")]


def test_within_a_transaction(rows: Rows) -> None:
    rows("BEGIN")
    rows("CREATE TABLE t AS SELECT t.$1 AS a FROM @s/a/2 t")
    assert rows("SELECT count(*) FROM t") == [(2,)]
    rows("ROLLBACK")
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows("SELECT * FROM t")


def test_no_files_are_no_rows(rows: Rows) -> None:
    assert rows("SELECT $1 FROM @s/none") == []
    assert rows("SELECT count(*) FROM @~/nosuch/path") == [(0,)]


def test_a_wrong_record_is_an_error(rows: Rows, send: Send) -> None:
    rows("CREATE FILE FORMAT q TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"'")
    send("@s/q.csv", b'1\n"a"b\n')
    with pytest.raises(psycopg.Error, match="closing quote") as caught:
        rows("SELECT $1 FROM @s/q.csv (FILE_FORMAT => q)")
    assert 'File "q.csv", row 2' in (caught.value.diag.message_detail or "")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM @s",
        "CREATE VIEW v AS SELECT t.$1 FROM @s t",
        "EXPLAIN SELECT t.$1 FROM @s t",
        "DECLARE c CURSOR FOR SELECT t.$1 FROM @s t",
        "PREPARE p AS SELECT t.$1 FROM @s t",
    ],
)
def test_what_is_refused(rows: Rows, sql: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        rows(sql)


def test_columns_are_described_before_they_are_read(
    rows: Rows, db: psycopg.Connection, stage_server: ServerProcess
) -> None:
    schema = rows("SELECT current_schema()")[0][0]
    cursor = db.execute(
        "SELECT t.$1::INT AS n, t.$2 FROM @s/a (FILE_FORMAT => h) t ORDER BY 1", prepare=True
    )
    assert cursor.fetchall() == [(1, "x"), (2, "y"), (3, None)]

    async def ask() -> list[tuple]:
        connection = await asyncpg.connect(stage_server.url, user="ana")
        try:
            await connection.execute(f"SET search_path = {schema}")
            found = []
            for sql in (
                "SELECT t.$1::INT AS n FROM @s/a (FILE_FORMAT => h) t ORDER BY 1",
                "LIST @s/a",
                "SHOW STAGES",
                "DESCRIBE STAGE s",
                "SELECT column_name FROM TABLE(INFER_SCHEMA(LOCATION => '@s/b', FILE_FORMAT => 'j'))",
            ):
                found.append(tuple((await connection.fetch(sql))[0])[:1])
            await connection.execute("CREATE TABLE t (a INT, b VARCHAR)")
            loaded = await connection.fetch("COPY INTO t FROM @s/a FILE_FORMAT = h")
            return [*found, *(tuple(row)[:2] for row in loaded)]
        finally:
            await connection.close()

    found = asyncio.run(ask())
    assert found[:2] == [(1,), ("s/a/1.csv",)]
    assert found[4:] == [("k",), ("s/a/1.csv", "LOADED"), ("s/a/2.csv", "LOADED")]


def test_infer_schema_and_template(rows: Rows, send: Send) -> None:
    rows("CREATE FILE FORMAT p TYPE = CSV PARSE_HEADER = TRUE")
    send("@s/i.csv", b"id,price,day,ok,note\n1,2.50,2024-01-02,true,x\n22,10,2024-01-03,false,\n")
    found = rows(
        "SELECT column_name, type, nullable FROM TABLE(INFER_SCHEMA(LOCATION => '@s/i.csv',"
        " FILE_FORMAT => 'p')) ORDER BY order_id"
    )
    assert found == [
        ("id", "NUMBER(2, 0)", False),
        ("price", "NUMBER(4, 2)", False),
        ("day", "DATE", False),
        ("ok", "BOOLEAN", False),
        ("note", "TEXT", True),
    ]
    rows(
        "CREATE OR REPLACE TABLE made USING TEMPLATE (SELECT ARRAY_AGG(OBJECT_CONSTRUCT(*)) WITHIN"
        " GROUP (ORDER BY order_id) FROM TABLE(INFER_SCHEMA(LOCATION => '@s/i.csv',"
        " FILE_FORMAT => 'p')))"
    )
    rows(
        "COPY INTO made FROM @s/i.csv FILE_FORMAT = (FORMAT_NAME = 'p')"
        " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    )
    assert rows("SELECT id, day, ok, note FROM made ORDER BY id") == [
        (1, datetime.date(2024, 1, 2), True, "x"),
        (22, datetime.date(2024, 1, 3), False, None),
    ]


def test_a_template_brings_nothing_but_columns(rows: Rows) -> None:
    for kind in ("INT); DROP TABLE x; --", "INT DEFAULT 1", "INT)", ""):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            rows(
                "CREATE TABLE made USING TEMPLATE"
                f" (SELECT ARRAY_CONSTRUCT(OBJECT_CONSTRUCT('COLUMN_NAME', 'a', 'TYPE', '{kind}')))"
            )


def test_the_directory_of_a_stage(rows: Rows) -> None:
    found = rows("SELECT RELATIVE_PATH, SIZE FROM DIRECTORY(@s) WHERE SIZE < 12 ORDER BY 1")
    assert found == [("a/2.csv", 11)]
