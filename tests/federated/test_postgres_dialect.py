"""A statement over both engines in Postgres's dialect gives what it gives over Postgres alone.

The statements are in `statements.txt`, one a line: FA stands for a relation of Postgres's, FB for an
analytical table; with both in Postgres the relayed statement says what is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.federated.both_engines import superuser

STATEMENTS = (Path(__file__).parent / "statements.txt").read_text().splitlines()

_COLUMNS = """
    id int PRIMARY KEY, u uuid, j jsonb, a int[], ta text[], ts timestamptz, t timestamp, d date,
    n numeric(12, 4), nn numeric, f float8, b bytea, s text, vc text, bo bool, i interval, ti time,
    bi bigint, si smallint, r real"""
_ROWS = """
    SELECT g, md5(g::text)::uuid,
           jsonb_build_object('k', g, 's', 'x' || g, 'l', jsonb_build_array(g, NULL)),
           ARRAY[g, NULL, g + 1], ARRAY['a' || g, NULL, 'q"x'],
           timestamptz '2024-03-30 22:00+00' + g * interval '7 hours',
           timestamp '2024-02-27 12:00' + g * interval '1 day', date '2024-02-27' + g,
           g * 1.5, g * 1000000000000.123456789, g / 3.0, decode(md5(g::text), 'hex'),
           CASE WHEN g % 5 = 0 THEN NULL ELSE 'name ' || (g % 7) END, 'v' || g, g % 2 = 0,
           g * interval '1 day 2 hours', time '10:00' + g * interval '1 minute',
           g * 10000000000, g, g * 0.1
      FROM generate_series({}, {}) AS g"""


@pytest.fixture(scope="module")
def rows(server: Any) -> Iterator[Any]:
    with superuser(server) as admin, psycopg.connect(server.url, autocommit=True) as connection:
        for name, first, last in (("fa", 1, 40), ("fb", 11, 50)):
            admin.execute(f"CREATE TABLE hd_runtime.{name} ({_COLUMNS})")
            admin.execute(f"INSERT INTO hd_runtime.{name} {_ROWS.format(first, last)}")
            admin.execute(f"GRANT SELECT ON hd_runtime.{name} TO hd_agent")
        connection.execute("SET hatidata.dialect = 'postgres'")
        connection.execute(f"CREATE TABLE fb_here ({_COLUMNS})")
        connection.execute("INSERT INTO fb_here SELECT * FROM hd_runtime.fb")
        yield connection
        connection.execute("DROP TABLE fb_here")
        admin.execute("DROP TABLE hd_runtime.fa, hd_runtime.fb")


def _answer(connection: psycopg.Connection, sql: str, binary: bool) -> Any:
    with connection.cursor(binary=binary) as cursor:
        cursor.execute(sql)
        assert cursor.description is not None
        return [(each.name, each.type_code) for each in cursor.description], cursor.fetchall()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_both_engines_answer_as_postgres_alone(rows: Any, statement: str) -> None:
    over_postgres = statement.replace("FA", "hd_runtime.fa").replace("FB", "hd_runtime.fb")
    over_both = statement.replace("FA", "hd_runtime.fa").replace("FB", "fb_here")
    for binary in (False, True):
        assert _answer(rows, over_both, binary) == _answer(rows, over_postgres, binary)


def test_a_view_over_both_has_its_columns_types(rows: Any) -> None:
    """What the view reads of Postgres is not known before it is bound."""
    rows.execute(
        "CREATE VIEW over_both AS SELECT a.j, a.d, b.f FROM hd_runtime.fa a JOIN fb_here b USING (id)"
    )
    sql = "SELECT j || '[2]', d - date '2024-01-01' FROM {} WHERE f > 13 ORDER BY d"
    over_postgres = "(SELECT a.j, a.d, b.f FROM hd_runtime.fa a JOIN hd_runtime.fb b USING (id)) v"
    for binary in (False, True):
        expected = _answer(rows, sql.format(over_postgres), binary)
        assert _answer(rows, sql.format("over_both"), binary) == expected
    rows.execute("DROP VIEW over_both")


def test_columns_that_change_in_postgres_are_seen(rows: Any, admin: Any, relation: Any) -> None:
    relation("changing", "AS SELECT 11 AS id, date '2024-01-02' AS v")
    sql = "SELECT c.v - date '2024-01-01' FROM hd_runtime.changing c JOIN fb_here USING (id)"
    (((_, kind),), found) = _answer(rows, sql, False)
    assert (kind, found) == (23, [(1,)])
    admin.execute("ALTER TABLE hd_runtime.changing ALTER v TYPE timestamp")
    (((_, kind),), found) = _answer(rows, sql, False)
    assert kind == 1186
    assert [str(value) for (value,) in found] == ["1 day, 0:00:00"]
