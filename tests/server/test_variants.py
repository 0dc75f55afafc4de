"""VARIANT columns of tables: compared, sorted, grouped and united by their values, wherever they are read."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import set_json_loads

from tests.conftest import Running

ROWS = """
    (1, '3', '1', 1, 'a'), (2, '10', '10.0', 10, 'b'), (3, '1', '1.0', 1, 'c'),
    (4, '1.0', '"a"', 2, 'a'), (5, '"a"', '"b"', 5, 'z'), (6, 'null', 'true', 6, 'q'),
    (7, null, null, null, null)
"""
SETUP = (
    "CREATE SCHEMA variants",
    "SET search_path = variants",
    "CREATE TABLE t (id int, v variant, w variant, n int, s varchar)",
    "INSERT INTO t SELECT column1, parse_json(column2), parse_json(column3), column4, column5"
    f" FROM VALUES {ROWS}",
    "CREATE VIEW distinct_v AS SELECT DISTINCT v FROM t",
    "CREATE TABLE counted AS SELECT v, count(*) c FROM t GROUP BY v",
    "CREATE TABLE o (id int, a array, b object)",
    "INSERT INTO o SELECT 1, [1, 2.0], {'x': 1, 'y': 'b'}",
    """INSERT INTO o SELECT 2, [1.0, 2], parse_json('{"y":"b", "x":1.00}')""",
    "INSERT INTO o SELECT 3, [1, 10], {'x': 2}",
)
V = "('1', '3', '10', '\"a\"', 'null', None)"


@pytest.fixture(scope="module")
def connection(server: Running) -> Iterator[psycopg.Connection]:
    made = server.connect()
    set_json_loads(_text, made)
    for statement in SETUP:
        made.execute(statement)
    yield made
    made.execute("DROP SCHEMA variants CASCADE")
    made.close()


def _text(raw: str | bytes) -> str:
    return raw if isinstance(raw, str) else raw.decode()


ANSWERS: tuple[tuple[str, list[Any]], ...] = (
    # Order: numbers by value, truth values, strings, JSON null, and NULL.
    ("select v from t order by v, id", ["1", "1.0", "3", "10", '"a"', "null", None]),
    ("select id from t order by v desc, id", [7, 6, 5, 2, 1, 3, 4]),
    ("select id from t order by 1 desc limit 1", [7]),
    ("select id from t order by v nulls first, id limit 2", [7, 3]),
    ("select max(v), min(v) from t where id < 5", [("10", "1")]),
    ("select max(v) filter (where id < 3), max(distinct v) from t", [("10", "null")]),
    ("select min_by(id, v), max_by(id, v) from t where id < 6 and id <> 4", [(3, 5)]),
    ("select greatest(v, w), least(v, n) from t where id in (1, 4)", [("3", "1"), ('"a"', "1.0")]),
    ("select rank() over (order by v desc) from t where id < 5 order by id", [2, 1, 3, 3]),
    ("select max(v) over (order by id) from t where id < 4", ["3", "10", "10"]),
    ("select id from t order by iff(v = 1, 0, 1), v desc, id limit 3", [3, 4, 7]),
    # Comparison: with a number by value, with a text as one, with a VARIANT as one.
    ("select id from t where v = 1.0 order by id", [3, 4]),
    ("select id from t where v in (1, 10) order by id", [2, 3, 4]),
    ("select id from t where iff(id < 5, v, null) between 1 and 3 order by id", [1, 3, 4]),
    ("select id from t where not v <> 3", [1]),
    ("select v = 1, v <> 1, iff(id = 5, 1, v) > 1, v is distinct from 1 from t where id in (5, 6) order by id", [(False, True, False, True), (None, None, None, True)]),
    ("select id from t where v = 'a'", [5]),
    ("select id from t where v in ('a', 'x')", [5]),
    ("select id from t where v > '2' order by id", [1, 5]),
    ("select id from t where v = '1.0' or v in ('3.5', '10') order by id", [2, 4]),
    ("select id from t where v in (1, 'a') order by id", [3, 4, 5]),
    ("select id from t where v = n order by id", [2, 3]),
    ("select id from t where s = w order by id", [4]),
    ("select id from t where w = true", [6]),
    ("select id from t where v = w order by id", [2, 3]),
    ("select id from t where v is distinct from w order by id", [1, 4, 5, 6]),
    ("select equal_null(v, w), nullif(v, w) from t where id in (3, 7)", [(True, None), (True, None)]),
    ("select decode(v, 1, 'one', 'a', 'A') from t order by id", [None, None, "one", "one", "A", None, None]),
    ("select case v when 1 then 'x' when 10 then 'y' end from t where id < 4", [None, "y", "x"]),
    ("select nvl(v, 5), iff(id = 7, 'x', v) from t where id > 5", [("null", "null"), ("5", '"x"')]),
    ("select hash(v) = hash(w) from t where id = 3", [True]),
    ("select -v, v + 1 from t where id in (1, 6) order by id", [(-3.0, 4.0), (None, None)]),
    # Joins and subqueries.
    ("select a.id, b.id from t a join t b on a.v = b.w where a.id < 3", [(2, 2)]),
    ("select a.id, b.id from t a join t b on a.v = b.n where a.id > 3", [(4, 1), (4, 3)]),
    ("select id from t where v in (select w from t) order by id", [2, 3, 4, 5]),
    ("select id from t where v in (select n from t) order by id", [2, 3, 4]),
    ("select id from t where n in (select v from t) order by id", [1, 2, 3]),
    ("select id from t where (v, n) in (select w, n from t) order by id", [2, 3]),
    ("select id from t a where exists (select 1 from t b where b.w = a.v) order by id", [2, 3, 4, 5]),
    ("select x.y from (select iff(id < 5, v, null) y from t) x where x.y > 1 and x.y <= 10 order by x.y", ["3", "10"]),
    ("with c as (select v x from t) select x from c group by x having count(*) > 1", ["1"]),
    # Groups.
    ("select v, count(*) from t group by v order by v", [("1", 2), ("3", 1), ("10", 1), ('"a"', 1), ("null", 1), (None, 1)]),
    ("select v, count(*) c from t group by all having c > 1", [("1", 2)]),
    ("select v as x, sum(n)::int from t group by x order by x limit 1", [("1", 3)]),
    ("select count(*), v from t group by 2 order by 2 limit 1", [(2, "1")]),
    ("select grouping(v), v, count(*) from t group by cube(v) order by 1 desc, 2 limit 2", [(1, None, 7), (0, "1", 2)]),
    ("select v, w, count(*) from t where id in (3, 4) group by rollup (v, w) order by v, w", [("1", "1", 1), ("1", '"a"', 1), ("1", None, 2), (None, None, 2)]),
    ("select count(distinct v), count(distinct v, n), approx_count_distinct(v) from t", [(4, 6, 5)]),
    ("select array_size(array_agg(distinct v)), array_size(array_unique_agg(v)) from t", [(5, 5)]),
    ("select listagg(v, ',') within group (order by id) from t", ["3,10,1,1.0,a"]),
    ("select mode(v) from t", ["1"]),
    ("select row_number() over (partition by v order by id) r from t qualify r > 1", [2]),
    ("select sum(distinct v), array_size(approx_top_k(v, 9)) from t where id < 5", [(14.0, 3)]),
    ("select * from (select v, n, id from t where id < 5) pivot (max(id) for n in (1, 2)) order by v", [("1", 3, 4), ("3", 1, None), ("10", None, None)]),
    ("select * from (select v, n from t) pivot (max(v) for n in (1, 10))", [("3", "10")]),
    ("select * from (select v, id from t where id > 3) pivot (max(id) for v in (1, 'a'))", [(4, 5)]),
    ("select conditional_change_event(v) over (order by id) from t where id < 5", [0, 1, 2, 2]),
    ("select greatest_ignore_nulls(v, null), div0(v, 2), width_bucket(v, 0, 10, 5) from t where id = 1", [("3", 1.5, 2)]),
    ("select [1, 2] = [1.0, 2], {'a': 1, 'b': 2} = parse_json('{\"b\":2.0,\"a\":1}')", [(True, True)]),
    ("select id from t, table(flatten([1])) f where f.value = t.v order by id", [3, 4]),
    ("select s.k, count(*) from (select v from t) as s(k) group by s.k order by s.k limit 1", [("1", 2)]),
    # Sets.
    ("select distinct v from t order by v", ["1", "3", "10", '"a"', "null", None]),
    ("select v from t union select w from t order by 1 limit 3", ["1", "3", "10"]),
    ("select v from (select v from t intersect select w from t) order by v", ["1", "10", '"a"', None]),
    ("select v from (select v from t minus select w from t) order by v", ["3", "null"]),
    ("select v from distinct_v order by v limit 2", ["1", "3"]),
    ("select c from counted where v = 1.00", [2]),
    ("with recursive r as (select 1 i, v from t where id = 3 union all select i + 1, v from r where i < 3) select v, max(i) from r group by v", [("1", 3)]),
    # Numbers keep their digits and their type.
    ("select v:a, v:b, v:a::number(38, 3), v:b::int, typeof(v:b), v:b::varchar from (select parse_json('{\"a\":12345678901234567890.123, \"b\":1.912e2}') v)", [("12345678901234567890.123", "1.912e2", Decimal("12345678901234567890.123"), 191, "DOUBLE", "191.2")]),
    ("select array_append(v, 1), array_slice(v, 0, 1), object_construct('k', v) from (select parse_json('[1.0000000000000000001, 2e3]') v)", [("[1.0000000000000000001,2e3,1]", "[1.0000000000000000001]", '{"k":[1.0000000000000000001,2e3]}')]),
    ("select f.value, f.value::number(38, 19) from table(flatten(parse_json('[1.0000000000000000001]'))) f", [("1.0000000000000000001", Decimal("1.0000000000000000001"))]),
    # Paths and FLATTEN's columns.
    ("select b:x, count(*) from o group by b:x order by 1", [("1", 2), ("2", 1)]),
    ("select f.value, count(*) from o, lateral flatten(a) f group by f.value order by 1", [("1", 3), ("2", 2), ("10", 1)]),
    ("select max(f.value) from o, table(flatten(input => a)) f", ["10"]),
    ("select parse_json('{\"a\":5.4}'):a = 5, parse_json('{\"a\":-5.4}'):a = -5", [(False, False)]),
    ("select parse_json('{\"a\":9007199254740993}'):a = 9007199254740992", [False]),
    ("select parse_json('{\"a\":\"x\"}'):a = 5", [False]),
    # Arrays and objects: elements are equal whatever their spelling, keys in any order.
    ("select count(distinct a), count(distinct b) from o", [(2, 2)]),
    ("select x.id, y.id from o x join o y on x.b = y.b where x.id < y.id", [(1, 2)]),
    ("select id from o where array_contains(10::variant, a) or array_position(2::variant, a) = 2", [3]),
    ("select array_distinct(array_cat(a, [1.0, 2])) from o where id = 1", ["[1,2]"]),
    ("select id from o order by a, id", [1, 2, 3]),
)  # fmt: skip


@pytest.mark.parametrize("query", [query for query, _ in ANSWERS])
def test_a_query_goes_by_the_values(connection: psycopg.Connection, query: str) -> None:
    want = dict(ANSWERS)[query]
    rows = connection.execute(query).fetchall()
    assert [row if len(row) > 1 else row[0] for row in rows] == want


def test_the_order_of_a_text_and_a_number_is_not_guessed(connection: psycopg.Connection) -> None:
    for query in ("SELECT v > 1 FROM t WHERE id = 5", "SELECT v BETWEEN 1 AND n FROM t"):
        with pytest.raises(psycopg.DataError, match='Failed to cast variant value "a" to FIXED'):
            connection.execute(query)


def test_parameters_scripts_and_copy_compare_them_as_queries_do(
    connection: psycopg.Connection,
) -> None:
    ids = "SELECT id FROM t WHERE v = %s ORDER BY id"
    assert connection.execute(ids, ("a",)).fetchall() == [(5,)]
    assert connection.execute(ids, (1,)).fetchall() == [(3,), (4,)]
    script = "BEGIN LET c INT := (SELECT count(*) FROM t WHERE v = 1); RETURN c; END"
    assert connection.execute(script).fetchall() == [(2,)]
    with connection.cursor() as cursor:
        query = "COPY (SELECT v, count(*) FROM t GROUP BY v ORDER BY v LIMIT 2) TO STDOUT"
        with cursor.copy(query) as copied:
            assert b"".join(copied) == b"1\t2\n3\t1\n"


def test_what_changes_rows_finds_them_by_value(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        merge = (
            "MERGE INTO t USING (SELECT parse_json('1.00') k) u ON t.v = u.k"
            " WHEN MATCHED THEN UPDATE SET n = 99"
        )
        assert connection.execute(merge).rowcount == 2
        assert connection.execute("UPDATE t SET n = 5 WHERE v = 10.0").rowcount == 1
        assert connection.execute("DELETE FROM t WHERE v = 'a'").rowcount == 1


def test_a_plan_is_made_anew_when_a_name_means_another_table(
    connection: psycopg.Connection,
) -> None:
    query = "SELECT id FROM later WHERE v = '1' ORDER BY id"
    connection.execute("CREATE TABLE later (id int, v varchar)")
    connection.execute("INSERT INTO later VALUES (1, '1.0'), (2, '1')")
    assert connection.execute(query, prepare=True).fetchall() == [(2,)]
    connection.execute("CREATE OR REPLACE TABLE later (id int, v variant)")
    connection.execute("INSERT INTO later SELECT id, v FROM t")
    assert connection.execute(query, prepare=True).fetchall() == [(3,)]
    connection.execute("DROP TABLE later")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM t a JOIN t b USING (v)",
        "SELECT array_agg(DISTINCT v) WITHIN GROUP (ORDER BY v) FROM t",
    ],
)
def test_what_cannot_go_by_the_values_is_refused(
    connection: psycopg.Connection, query: str
) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute(query)
