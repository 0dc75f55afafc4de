"""A jsonb is Postgres's to every client: its OID, its text, its binary form, wherever it comes from."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import psycopg
import psycopg2
import pytest
from psycopg.types.json import Json, Jsonb

from tests.conftest import Running

JSON, JSONB, JSONB_ARRAY = 114, 3802, 3807
DIALECTS = pytest.mark.parametrize("dialect", ["snowflake", "postgres"])


def _connect(server: Running, dialect: str = "postgres") -> psycopg.Connection:
    connection = server.connect()
    connection.execute(f"SET hatidata.dialect = '{dialect}'")
    return connection


def _described(
    connection: psycopg.Connection, query: str, *values: object, binary: bool = False
) -> tuple[list[int], list[tuple[object, ...]]]:
    cursor = connection.execute(query, values, binary=binary)
    assert cursor.description is not None
    return [column.type_code for column in cursor.description], cursor.fetchall()


def _texts(connection: psycopg.Connection, query: str, binary: bool = False) -> list[bytes | None]:
    """The bytes of the first row's values."""
    cursor = connection.execute(query, binary=binary)
    assert cursor.pgresult is not None
    return [cursor.pgresult.get_value(0, i) for i in range(cursor.pgresult.nfields)]


WRITTEN = '{"bb": 1e2,  "a":1.50, "é":"\\u00e9", "a" : [1,{ }]}'
KEPT = '{"a": [1, {}], "bb": 100, "é": "é"}'


@DIALECTS
def test_a_column_keeps_documents_as_postgres_does(server: Running, dialect: str) -> None:
    with _connect(server, dialect) as connection:
        connection.execute("CREATE TEMP TABLE d (id int, doc jsonb, plain json)")
        connection.execute(f"INSERT INTO d VALUES (1, '{WRITTEN}', '{WRITTEN}')")
        assert _texts(connection, "SELECT doc FROM d") == [KEPT.encode()]
        assert _texts(connection, "SELECT doc FROM d", binary=True) == [b"\1" + KEPT.encode()]
        assert _texts(connection, "SELECT doc::text FROM d") == [KEPT.encode()]
        types, _ = _described(connection, "SELECT doc FROM d")
        assert types == [JSONB]
        if dialect == "postgres":
            assert _described(connection, "SELECT plain FROM d")[0] == [JSON]
            assert _texts(connection, "SELECT plain FROM d") == [WRITTEN.encode()]


@pytest.mark.parametrize("binary", [False, True])
def test_what_comes_of_a_jsonb_is_one(server: Running, binary: bool) -> None:
    with _connect(server) as connection:
        connection.execute("CREATE TEMP TABLE d (id int, doc jsonb, docs jsonb[])")
        connection.execute(
            """INSERT INTO d VALUES (1, '{"b":1,"a":2}', ARRAY['{"b":1,"a":2}', NULL]::jsonb[])"""
        )
        connection.execute("CREATE TEMP VIEW w AS SELECT doc AS x FROM d")
        for query in (
            "SELECT x FROM w",
            "SELECT coalesce(doc, '{}') FROM d",
            "SELECT CASE WHEN id = 1 THEN doc END FROM d",
            "SELECT y FROM (SELECT doc AS y FROM d UNION ALL SELECT '[]'::jsonb) s",
            "WITH c AS (SELECT * FROM d) SELECT doc FROM c",
            "SELECT (SELECT doc FROM d)",
            "SELECT docs[1] FROM d",
            "SELECT doc FROM d GROUP BY doc",
            "SELECT DISTINCT doc FROM d",
            "UPDATE d SET id = 1 RETURNING doc",
            """SELECT '{"b":1,"a":2}'::jsonb""",
            """SELECT '{"b":1,"a":2}'::json::jsonb""",
            "SELECT to_jsonb(doc) FROM d",
            "SELECT jsonb_build_object('b', 1, 'a', 2)",
            "SELECT jsonb_object_agg(k, v) FROM (VALUES ('b', 1), ('a', 2)) AS t(k, v)",
            "SELECT jsonb_extract_path(jsonb_build_object('x', doc), 'x') FROM d",
            "SELECT jsonb_array_elements(jsonb_build_array(doc)) FROM d",
            "SELECT value FROM d, jsonb_each(jsonb_build_object('x', doc))",
        ):
            types, rows = _described(connection, query, binary=binary)
            assert types == [JSONB], query
            assert rows[0] == ({"a": 2, "b": 1},), query
            (raw, *_) = _texts(connection, query, binary=binary)
            assert raw == (b"\1" if binary else b"") + b'{"a": 2, "b": 1}', query
        types, rows = _described(connection, "SELECT docs, array_agg(doc) FROM d GROUP BY 1")
        assert types == [JSONB_ARRAY, JSONB_ARRAY]
        assert rows == [([{"a": 2, "b": 1}, None], [{"a": 2, "b": 1}])]


def test_equal_documents_are_equal_however_they_were_written(server: Running) -> None:
    with _connect(server) as connection:
        connection.execute("CREATE TEMP TABLE d (doc jsonb)")
        connection.execute("""INSERT INTO d VALUES ('{"b":1,"a":2}'), ('{"a":2, "b":1, "b":1}')""")
        _, rows = _described(connection, "SELECT doc, count(*) FROM d GROUP BY doc")
        assert rows == [({"a": 2, "b": 1}, 2)]
        count = "SELECT count(*) FROM d WHERE doc = "
        assert _described(connection, count + """'{"b" :1,"a":2}'""")[1] == [(2,)]
        assert _described(connection, count + "%s", Jsonb({"b": 1, "a": 2}))[1] == [(2,)]
        assert _described(connection, count + "%s::jsonb", '{"b":1}')[1] == [(0,)]


@DIALECTS
def test_parameters_are_documents_in_both_formats(server: Running, dialect: str) -> None:
    with _connect(server, dialect) as connection:
        connection.execute("CREATE TEMP TABLE d (id int, doc jsonb)")
        with connection.cursor() as cursor:
            for form in ("%s", "%b", "%t"):
                cursor.execute(f"INSERT INTO d VALUES (1, {form})", [Jsonb({"bb": 1, "a": [None]})])
        cursor = connection.execute("SELECT DISTINCT doc FROM d")
        assert cursor.fetchall() == [({"a": [None], "bb": 1},)]
        connection.execute("INSERT INTO d VALUES (2, %s)", [Json({"j": 1})])
        assert _described(connection, "SELECT doc FROM d WHERE id = 2")[1] == [({"j": 1},)]


@pytest.mark.parametrize(
    ("text", "sqlstate"), [("{", "22P02"), ('"\\u0000"', "22P05"), ("NaN", "22P02")]
)
def test_what_is_no_document_is_refused(server: Running, text: str, sqlstate: str) -> None:
    with _connect(server) as connection:
        connection.execute("CREATE TEMP TABLE d (doc jsonb)")
        for query in (f"SELECT '{text}'::jsonb", f"INSERT INTO d VALUES ('{text}')"):
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(query)
            assert caught.value.sqlstate == sqlstate
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("INSERT INTO d VALUES (%s::jsonb)", [text])
        assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy_brings_documents_in_and_out(server: Running, form: str) -> None:
    with _connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE d (id int, doc jsonb)")
        cursor.execute(f"INSERT INTO d SELECT i, '{WRITTEN}' FROM generate_series(1, 100) AS g(i)")
        cursor.execute("INSERT INTO d VALUES (101, NULL)")
        with cursor.copy(f"COPY d TO STDOUT (FORMAT {form})") as out:
            data = b"".join(out)
        cursor.execute("CREATE TEMP TABLE e (id int, doc jsonb)")
        with cursor.copy(f"COPY e FROM STDIN (FORMAT {form})") as into:
            into.write(data)
        with cursor.copy(f"COPY e TO STDOUT (FORMAT {form})") as out:
            assert b"".join(out) == data
        assert _described(connection, "SELECT DISTINCT doc FROM e WHERE id < 101")[1] == [
            (json.loads(KEPT),)
        ]
        assert (b"\1" + KEPT.encode() in data) == (form == "binary")


def test_a_copied_text_is_written_anew(server: Running) -> None:
    with _connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE d (doc jsonb)")
        with cursor.copy("COPY d FROM STDIN") as into:
            into.write('{"b":1,"a":1.50}\n')
        assert _texts(connection, "SELECT doc FROM d") == [b'{"a": 1.50, "b": 1}']


def test_asyncpg_and_psycopg2_know_the_type(server: Running) -> None:
    async def ask() -> tuple[object, object, str]:
        connection = await asyncpg.connect(server.url)
        try:
            await connection.set_type_codec(
                "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
            )
            await connection.execute("CREATE TEMP TABLE d (doc jsonb)")
            await connection.execute("INSERT INTO d VALUES ($1)", {"b": 1, "a": [1.5]})
            prepared = await connection.prepare("SELECT doc FROM d WHERE doc = $1::jsonb")
            kinds = [one.type.name for one in prepared.get_attributes()]
            kinds += [one.name for one in prepared.get_parameters()]
            return await prepared.fetchval({"a": [1.5], "b": 1}), None, " ".join(kinds)
        finally:
            await connection.close()

    assert asyncio.run(ask()) == ({"a": [1.5], "b": 1}, None, "jsonb jsonb")

    with psycopg2.connect(server.url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE d (doc jsonb)")
        cursor.execute("INSERT INTO d VALUES (%s)", ['{"b":1,"a":2}'])
        cursor.execute("SELECT doc FROM d")
        assert cursor.description is not None
        assert cursor.description[0].type_code == JSONB
        assert cursor.fetchall() == [({"a": 2, "b": 1},)]
    connection.close()


@DIALECTS
def test_the_catalog_says_jsonb(server: Running, dialect: str) -> None:
    with _connect(server, dialect) as connection:
        connection.execute("CREATE TABLE documents (id int, doc jsonb, docs jsonb[])")
        try:
            connection.execute("ALTER TABLE documents ADD COLUMN more jsonb DEFAULT '{\"b\":  1}'")
            connection.execute("CREATE VIEW seen AS SELECT doc AS x FROM documents")
            query = (
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
            )
            found = connection.execute(query, ["documents"]).fetchall()
            assert found[1:] == [("doc", "jsonb"), ("docs", "jsonb[]"), ("more", "jsonb")]
            assert connection.execute(query, ["seen"]).fetchall() == [("x", "jsonb")]
        finally:
            connection.execute("DROP TABLE documents CASCADE")
            connection.execute("DROP VIEW IF EXISTS seen")


def test_snowflakes_functions_take_a_jsonb_as_a_variant(server: Running) -> None:
    with _connect(server, "snowflake") as connection:
        connection.execute("CREATE TEMP TABLE d (doc jsonb)")
        connection.execute("""INSERT INTO d VALUES ('{"b":1,"a":{"x":"y"}}')""")
        _, rows = _described(
            connection,
            "SELECT doc:a.x::varchar, doc:b::int, TYPEOF(doc), OBJECT_KEYS(doc), ARRAY_AGG(doc),"
            " OBJECT_CONSTRUCT('k', doc), ARRAY_SIZE(ARRAY_CONSTRUCT(doc)) FROM d GROUP BY doc",
        )
        document = {"a": {"x": "y"}, "b": 1}
        assert rows == [("y", 1, "OBJECT", ["a", "b"], [document], {"k": document}, 1)]
        assert _described(connection, "SELECT {'b': 1, 'a': 2}::jsonb")[0] == [JSONB]
        assert _described(connection, "SELECT PARSE_JSON('{}')")[0] == [JSON]
        _, rows = _described(connection, "SELECT OBJECT_CONSTRUCT(*) FROM d")
        assert rows == [({"DOC": document},)]


def test_a_row_as_json_holds_its_documents(server: Running) -> None:
    with _connect(server) as connection:
        connection.execute(
            'CREATE TEMP TABLE d (id int, "a ""b" numeric(9,2), doc jsonb, docs jsonb[], plain json)'
        )
        connection.execute(
            """INSERT INTO d VALUES (1, 2.5, '{"b":"x\\"y","a":2}', ARRAY['1', NULL]::jsonb[], '[1]'),
               (2, NULL, NULL, NULL, NULL)"""
        )
        whole = {"id": 1, 'a "b': 2.5, "doc": {"a": 2, "b": 'x"y'}, "docs": [1, None], "plain": [1]}
        empty = {"id": 2, 'a "b': None, "doc": None, "docs": None, "plain": None}
        assert _described(connection, "SELECT row_to_json(d) FROM d ORDER BY id")[1] == [
            (whole,),
            (empty,),
        ]
        assert _described(connection, "SELECT json_agg(d ORDER BY id) FROM d")[1] == [
            ([whole, empty],)
        ]


def test_what_is_no_text_is_not_cast(server: Running) -> None:
    with _connect(server) as connection:
        connection.execute("CREATE TEMP TABLE d AS SELECT 1 AS n")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("SELECT n::jsonb FROM d")
        assert caught.value.sqlstate == "42846"
        assert "cannot cast type integer to jsonb" in str(caught.value)


def test_what_is_taken_out_of_a_jsonb_is_one(server: Running) -> None:
    with _connect(server) as connection:
        connection.execute("CREATE TEMP TABLE d (doc jsonb, plain json)")
        row = '{"b": {"z":[1,2], "a":"x"}}'
        connection.execute(f"INSERT INTO d VALUES ('{row}', '{row}')")
        taken = "SELECT doc -> 'b', doc -> 'b' -> 'z', doc #> '{b,z}', d.doc -> 'b' ->> 'a' FROM d"
        assert _texts(connection, taken) == [b'{"a": "x", "z": [1, 2]}', *[b"[1, 2]"] * 2, b"x"]
        assert _described(connection, taken)[0] == [JSONB, JSONB, JSONB, 25]
        types, _ = _described(connection, "SELECT plain -> 'b' FROM d")
        assert types == [JSON]
        grouped = (
            "SELECT doc -> 'b', count(*) FROM d WHERE doc -> 'b' ->> 'a' = 'x' GROUP BY doc -> 'b'"
        )
        assert connection.execute(grouped).fetchall() == [({"a": "x", "z": [1, 2]}, 1)]
        found = connection.execute("SELECT jsonb_typeof(doc -> 'b' -> 'z') FROM d").fetchone()
        assert found == ("array",)


@pytest.mark.parametrize("text", ["[1,2,]", '{"a":1,}', "NaN", "[Infinity]", "[1,2,\n ]"])
def test_a_text_that_is_no_json_is_not_cast_to_one(server: Running, text: str) -> None:
    with _connect(server) as connection:
        connection.execute("CREATE TEMP TABLE texts AS SELECT %s AS x", [text])
        for asked in ("x::json FROM texts", f"'{text}'::json", f"json '{text}'"):
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                connection.execute(f"SELECT {asked}".encode())
