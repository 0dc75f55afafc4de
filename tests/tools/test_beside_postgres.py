"""What tools rely on, asked of our server in Postgres's dialect and of a real one: the same answers.

Each case was found with a tool: Rails sets IntervalStyle and has arrays with defaults, LangGraph's
checkpoints call functions by their names in FROM and store bytes of texts, libpqxx declares cursors FOR
READ ONLY.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.string import TextLoader

from ..protocol.targets import Target

_INTERVALS = """
0; 1 year; -1 year; 1 mon -3 days; -1 day +02:03:04.05; -00:00:00.5; 00:00:01; -1 sec; 1 min -5 sec
P1Y2M3DT4H5M6.5S; -1 mon 1 day; 1 year -1 sec; @ 1 year 2 mons ago; 100 hours; 13 mons; -13 mons
2 days 00:00:01.000001; -2 years -1 days -00:00:59.9; 178956970 years
""".replace("\n", ";").split(";")  # fmt: skip
_DEFAULTS = r"""
texts text[] DEFAULT '{}' | numbers int[] DEFAULT '{1,2}' | nothing text[] DEFAULT '{NULL,"NULL",""}'
quoted varchar[] DEFAULT '{"a b","c\"d","e\\f"}' | bytes bytea DEFAULT '\x01ff' | span interval DEFAULT 'P1D'
instant timestamptz DEFAULT '2024-01-01 00:00+02' | off bool DEFAULT 'off' | five int DEFAULT '5'
document jsonb DEFAULT '{"b":1, "a": 2}' | day date DEFAULT '2024-01-02' | clock time DEFAULT '10:11'
typed jsonb DEFAULT '{}'::jsonb | plain json DEFAULT '{"a": [1]}'::json | named text DEFAULT 'it''s'::text
since date DEFAULT ('2024-01-01'::date) | kind varchar(9) DEFAULT 'x'::varchar
float float8 DEFAULT '1e3' | id uuid DEFAULT '7B6B5E6E-9b6b-4e6e-8b6b-5e6e9b6b4e6e'
""".strip().replace("\n", "|").split("|")  # fmt: skip
_ASKED = (
    """
SELECT jsonb_each_text.key, jsonb_each_text.value FROM jsonb_each_text('{"a":1}'::jsonb)
SELECT x.j, jsonb_array_elements_text.value FROM (SELECT '["q"]'::jsonb j) x, jsonb_array_elements_text(x.j)
SELECT (SELECT array_agg(jsonb_each_text.key ORDER BY jsonb_each_text.key) FROM jsonb_each_text(x.j -> 'o')) \
FROM (SELECT '{"o":{"b":1,"a":2}}'::jsonb j) x
SELECT regexp_split_to_table.regexp_split_to_table FROM regexp_split_to_table('a b',' ')
SELECT jsonb_object_keys.jsonb_object_keys FROM jsonb_object_keys('{"a":1}')
SELECT generate_series.generate_series FROM generate_series(1,2)
SELECT convert_to(t, 'UTF8'), convert_from(convert_to(t, 'utf8'), 'UTF8') FROM (VALUES ('ä'), (NULL)) v(t)
SELECT array_agg(array[t::bytea, convert_to(t, 'UTF8')]) FROM (VALUES ('a')) v(t)
""".replace("\\\n", "")
    .strip()
    .splitlines()
)


@pytest.fixture(scope="module")
def both(server: Any, real_postgres: Target) -> Iterator[list[psycopg.Connection]]:
    """A session of ours in Postgres's dialect, and one of a real server's; intervals are texts."""
    there = real_postgres
    with (
        server.connect(options="-c hatidata.dialect=postgres") as ours,
        psycopg.connect(
            host=there.host,
            port=there.port,
            user=there.user,
            dbname=there.database,
            autocommit=True,
        ) as real,
    ):
        for one in (ours, real):
            one.adapters.register_loader("interval", TextLoader)
            one.execute("SET TimeZone = 'UTC'")
            one.execute("CREATE SCHEMA beside")
            one.execute("SET search_path = beside")
        yield [ours, real]
        for one in (ours, real):
            one.execute("RESET IntervalStyle")
            one.execute("DROP SCHEMA beside CASCADE")


def _same(both: list[psycopg.Connection], sql: str) -> list[Any]:
    ours, real = (one.execute(sql).fetchall() for one in both)
    assert ours == real, sql
    return ours


def test_intervals_in_the_styles_that_clients_set(both: list[psycopg.Connection]) -> None:
    for one in both:
        one.execute("CREATE TABLE spans (n int, i interval)")
        rows = [(n, text.strip()) for n, text in enumerate(_INTERVALS) if text.strip()]
        one.cursor().executemany("INSERT INTO spans VALUES (%s, %s::interval)", rows)
        one.execute("INSERT INTO spans VALUES (-1, NULL)")
    seen = set()
    for style in ("iso_8601", "postgres_verbose", "postgres"):
        for one in both:
            one.execute(f"SET IntervalStyle = {style}")
            assert one.info.parameter_status("IntervalStyle") == style
        rows = _same(both, "SELECT n, i, i::text, ARRAY[i]::text, to_json(i) FROM spans ORDER BY n")
        seen.add(rows[2][1])
    assert seen == {"P1Y", "@ 1 year", "1 year"}
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        both[0].execute("SET IntervalStyle = sql_standard")  # which would change what is read


def test_a_default_is_of_its_columns_type(both: list[psycopg.Connection]) -> None:
    names = [definition.split()[0] for definition in _DEFAULTS]
    for one in both:
        one.execute(f"CREATE TABLE made (n int, {','.join(_DEFAULTS)})")
        one.execute("CREATE TABLE altered (n int)")
        for definition in _DEFAULTS:
            one.execute(f"ALTER TABLE altered ADD COLUMN {definition}")
        one.execute("CREATE TABLE changed (LIKE made)")
        for definition in _DEFAULTS:
            name, default = definition.split()[0], definition.partition("DEFAULT ")[2]
            one.execute(f"ALTER TABLE changed ALTER COLUMN {name} SET DEFAULT {default}")
    for table in ("made", "altered", "changed"):
        for one in both:
            one.execute(f"INSERT INTO {table} (n) VALUES (1)")
        _same(both, f"SELECT {', '.join(names)} FROM {table}")
        _same(
            both,
            "SELECT attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef d JOIN pg_attribute a "
            "ON attrelid = adrelid AND attnum = adnum "
            f"WHERE adrelid = '{table}'::regclass AND attname <> 'quoted' ORDER BY attnum",
        )
    for one in both:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            one.execute("CREATE TABLE wrong (a bytea DEFAULT '\\x0')")


@pytest.mark.parametrize("sql", _ASKED)
def test_what_is_asked(both: list[psycopg.Connection], sql: str) -> None:
    assert _same(both, sql)


def test_a_cursor_for_read_only(both: list[psycopg.Connection]) -> None:
    for one in both:
        with one.transaction():
            one.execute(
                'DECLARE "c" NO SCROLL CURSOR FOR SELECT * FROM generate_series(1, 3) g FOR READ ONLY'
            )
            assert one.execute("FETCH ALL IN c").fetchall() == [(1,), (2,), (3,)]


def test_a_plan_is_drawn_from_the_same_members(both: list[psycopg.Connection]) -> None:
    for one in both:
        one.execute("CREATE TABLE planned (a int, b text)")
        one.execute("INSERT INTO planned VALUES (1, 'x'), (2, 'y')")
        for options in ("FORMAT JSON", "ANALYZE, FORMAT JSON", "FORMAT JSON, ANALYZE ON, COSTS ON"):
            query = "SELECT b, count(*) FROM planned WHERE a > 1 GROUP BY b ORDER BY 2"
            [[[document]]] = one.execute(f"EXPLAIN ({options}) {query}").fetchall()
            node = document["Plan"]
            ran = "ANALYZE" in options
            assert ("Execution Time" in document) == ran
            while "Plans" in node:
                assert {"Startup Cost", "Total Cost", "Plan Rows", "Plan Width"} <= node.keys()
                assert ("Actual Rows" in node) == ran
                (node,) = node["Plans"]
            assert node["Node Type"] == "Seq Scan"
            assert node["Relation Name"] == "planned"
        [[[document]]] = one.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) INSERT INTO planned VALUES (3, 'z')"
        ).fetchall()
        assert "Node Type" in document["Plan"]
        assert one.execute("SELECT count(*) FROM planned").fetchone() == (3,)


def test_a_change_does_not_take_defaults_again(both: list[psycopg.Connection]) -> None:
    for one in both:
        one.execute("CREATE TABLE numbered (id serial, at timestamp DEFAULT now(), n int)")
        one.execute("INSERT INTO numbered (n) VALUES (1), (2), (3)")
        with one.transaction():
            one.execute("UPDATE numbered SET n = 10 WHERE n = 1")
            one.execute("DELETE FROM numbered WHERE n = 2")
            one.execute("SAVEPOINT s")
            one.execute("DELETE FROM numbered")
            one.execute("ROLLBACK TO s")
    assert _same(both, "SELECT id, n FROM numbered ORDER BY id") == [(1, 10), (3, 3)]
    with both[0].transaction(force_rollback=True):  # the row would be given another moment
        both[0].execute("UPDATE numbered SET at = DEFAULT")
        both[0].execute("SAVEPOINT s")
        both[0].execute("DELETE FROM numbered")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            both[0].execute("ROLLBACK TO s")
