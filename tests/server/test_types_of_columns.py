"""What Snowflake's SQL makes of columns by their types: of tables, subqueries, CTEs, views and functions."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import set_json_loads

from tests.conftest import Running

SETUP = (
    "CREATE SCHEMA typed",
    "SET search_path = typed",
    "CREATE TABLE t (id int, s varchar, i int, n number(10, 2))",
    "INSERT INTO t VALUES (1, '1.5', 2, 1.5), (2, '2.0', 2, 2), (3, ' 4 ', 4, 4), (4, '1e1', 10, 7)",
    "CREATE VIEW v AS SELECT id, s AS spelled, i FROM t",
    "CREATE TABLE b (id int, x binary, h varchar)",
    "INSERT INTO b SELECT 1, to_binary('48C3', 'HEX'), '48C3'",
    "INSERT INTO b SELECT 2, to_binary('FF', 'HEX'), 'FF'",
    "INSERT INTO b SELECT 3, null, null",
    "CREATE TABLE d (w number(38, 0), f number(38, 10), q number(38, 20), p number(10, 2), i int)",
    "INSERT INTO d VALUES (7, 1.0123456789, 0.12345678901234567890, 10.25, 3)",
    "CREATE TABLE days (d date, t time, n timestamp_ntz, s varchar, k int)",
    "INSERT INTO days VALUES ('2024-02-29', '10:20:30', '2024-02-29 10:20:30', '2024-03-01', 5)",
    # Named as the variables of lambdas in the dialect's macros are, or were.
    "CREATE TABLE e (e varchar, k varchar, v variant, i int, l array)",
    """INSERT INTO e SELECT 'a', 'b', parse_json('{"a": 1, "b": 2}'), 7, ['a', 'b', 'c']""",
    "CREATE FUNCTION doc(x varchar) RETURNS variant AS 'parse_json(x)'",
    "CREATE FUNCTION same(x binary) RETURNS binary AS 'x'",
    "CREATE FUNCTION docs() RETURNS TABLE (v variant) AS $$ SELECT parse_json('1.0') $$",
)


@pytest.fixture(scope="module")
def connection(server: Running) -> Iterator[psycopg.Connection]:
    made = server.connect()
    set_json_loads(lambda raw: raw if isinstance(raw, str) else bytes(raw).decode(), made)
    for statement in SETUP:
        made.execute(statement)
    yield made
    made.execute("DROP SCHEMA typed CASCADE")
    made.close()


def D(text: str) -> Decimal:
    return Decimal(text)


TEXTS_AND_NUMBERS: tuple[tuple[str, list[Any]], ...] = (
    ("select id from t where s = i order by id", [2, 3, 4]),
    ("select id from t where i <> s", [1]),
    ("select a.id from t a join t b on a.s = b.i and a.id = b.id order by 1", [2, 3, 4]),
    ("select id from t where i in (s, '77') order by id", [2, 3, 4]),
    ("select count(*) from t where i in (select s from t where id = 1)", [0]),
    ("select count(*) from t where s in (select i from t)", [3]),
    ("select count(*) from t where i not in (select s from t)", [0]),
    ("select id from t where s between i and i + 1 order by id", [2, 3, 4]),
    ("select case i when s then 'y' else 'n' end from t order by id", ["n", "y", "y", "y"]),
    ("select decode(i, s, 'y', 'n') from t where id < 3 order by id", ["n", "y"]),
    ("select nullif(i, s) from t order by id", [2, None, None, None]),
    ("select equal_null(i, s), i is distinct from s from t where id = 1", [(False, True)]),
    ("select id from t where (s, id) = (i, id) order by id", [2, 3, 4]),
    ("select id from v where spelled = i order by id", [2, 3, 4]),
    (
        "with x as (select s as i, id from t) select x.id from x join t on x.i = t.i"
        " and x.id = t.id order by 1",
        [2, 3, 4],
    ),
    ("select id from t where upper(trim(s)) = i order by id", [2, 3, 4]),
    (
        "select id from t where i = (select max(o.s) from t o where o.id = t.id) order by id",
        [2, 3, 4],
    ),
    ("select max(s) = max(i) from t group by id order by id", [False, True, True, True]),
    ("select i from t where id = 1 union all select ' -7 '", [2, -7]),
    ("select i from t where id = 1 union all select '1.5'", [D("2.0"), D("1.5")]),
)
BINARIES: tuple[tuple[str, list[Any]], ...] = (
    ("select x || x from b order by id", [b"\x48\xc3\x48\xc3", b"\xff\xff", None]),
    ("select concat(x, x, x) from b where id = 2", [b"\xff\xff\xff"]),
    ("select x || x'00' || x from b where id = 2", [b"\xff\x00\xff"]),
    ("with c as (select x as y from b) select y || y from c where y = x'FF'", [b"\xff\xff"]),
    ("select p.x || q.x from b p join b q on p.id = q.id - 1 where p.id = 1", [b"\x48\xc3\xff"]),
    ("select coalesce(x, x'00') || iff(id = 3, x'01', x) from b where id > 1 order by id",
     [b"\xff\xff", b"\x00\x01"]),
    ("select length(x || x), hex_encode(x || x), (x || x)::varchar from b where id = 1",
     [(4, "48C348C3", "48C348C3")]),
    ("select left(x || x, 3), md5(x || x) = md5(to_binary('48C348C3')) from b where id = 1",
     [(b"\x48\xc3\x48", True)]),
    ("select x || h, h || h from b where id = 2", [("FFFF", "FFFF")]),
    ("select listagg(x, '-') within group (order by id) from b", ["48C3-FF"]),
    ("select same(x) || x from b where id = 2", [b"\xff\xff"]),
    ("select nvl(x, x'') from b where id = 3", [b""]),
)  # fmt: skip
DIGITS: tuple[tuple[str, list[Any]], ...] = (
    ("select w from d union all select f from d", [D("7.0000000000"), D("1.0123456789")]),
    ("select f from d union select q from d union select null order by 1",
     [D("0.12345678901234567890"), D("1.01234567890000000000"), None]),
    ("select sum(p) from d union all select avg(p) from d", [D("10.25000000"), D("10.25000000")]),
    ("select sum(p) as \"Total\" from d union all select p / i from d",
     [D("10.25000000"), D("3.41666667")]),
    ("select * from (select w from d) union all select * from (select p from d)",
     [D("7.00"), D("10.25")]),
    ("with c as (select w x from d union all select f from d) select sum(x) from c",
     [D("8.0123456789")]),
    ("select w from d union all select median(p) from d",
     [D("7.00000"), D("10.25000")]),
    ("select coalesce(w, p), iff(i = 3, p, w), greatest(w, f), nvl2(q, f, w) from d",
     [(D("7.00"), D("10.25"), D("7.0000000000"), D("1.0123456789"))]),
    ("select case i when 3 then w else f end, decode(i, 3, f, w) from d",
     [(D("7.0000000000"), D("1.0123456789"))]),
    ("select f * f, f * p, p * p * p * p from d",
     [(D("1.024843773588"), D("10.376543208725"), D("11038.12890625"))]),
    ("select p / i * (p / i) from d", [D("11.673611133889")]),
    ("select ceil(p, 1), floor(-p, 1), ceil(i, -1) = 10, floor(p, -1), ceil(w, -2) from d",
     [(D("10.3"), D("-10.3"), True, D("10"), D("100"))]),
    ("select bitshiftleft(-i, 2) from d", [D("-12")]),
    ("select w % f, mod(f, 3), w % 2.5, i % 2 from d",
     [(D("0.9259259266"), D("1.0123456789"), D("2.0"), 1)]),
)  # fmt: skip
DAYS: tuple[tuple[str, list[Any]], ...] = (
    ("select (d + k * 2)::varchar, (d - (k + 1))::varchar, (k + 1 + d)::varchar from days",
     [("2024-03-10", "2024-02-23", "2024-03-06")]),
    ("select (d + sum(k) over ())::varchar from days", ["2024-03-05"]),
    ("select nvl(n, d)::varchar, coalesce(d, s)::varchar from days",
     [("2024-02-29 10:20:30.000", "2024-02-29")]),
    ("select greatest(n, d)::varchar, greatest(d, s)::varchar from days",
     [("2024-02-29 10:20:30.000", "2024-03-01")]),
    ("select timediff(hour, t, '12:00:00'), timediff(minute, '09:00', t) from days", [(2, 80)]),
    ("select d from days union all select '29-FEB-2024'", ["2024-02-29", "2024-02-29"]),
)  # fmt: skip
NAMES: tuple[tuple[str, list[Any]], ...] = (
    ("select object_construct('e', e, 'k', k) from e", ['{"e":"a","k":"b"}']),
    ("select object_construct(e, i, k, v) from e", ['{"a":7,"b":{"a":1,"b":2}}']),
    ("select object_delete(v, e), object_pick(v, k) from e", [('{"b":2}', '{"b":2}')]),
    ("select object_insert(v, k || e, i), get_ignore_case(v, upper(e)) from e",
     [('{"a":1,"b":2,"ba":7}', "1")]),
    ("select array_remove(l, e), array_position(e::variant, l) from e", [('["b","c"]', 0)]),
    ("select object_agg(e, i), object_keys(v) from e group by v", [('{"a":7}', '["a","b"]')]),
)  # fmt: skip
FUNCTIONS: tuple[tuple[str, list[Any]], ...] = (
    ("select doc('1.0') = doc('1'), doc('10') > doc('9'), doc('\"a\"') = 'a'", [(True,) * 3]),
    ("select count(distinct doc(s)) from values ('1.0'), ('1'), ('10') x (s)", [2]),
    ("select max(doc(s)) from values ('9'), ('10') x (s)", ["10"]),
    ("select typed.doc(s) y, count(*) from values ('2'), ('2.0') x (s) group by 1", [("2", 2)]),
    ("select count(distinct v) from (select v from table(docs()) union all select doc('1'))", [1]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("query", "rows"), [*TEXTS_AND_NUMBERS, *BINARIES, *DIGITS, *DAYS, *NAMES, *FUNCTIONS]
)
def test_the_types_of_columns_decide(
    connection: psycopg.Connection, query: str, rows: list[Any]
) -> None:
    found = [row[0] if len(row) == 1 else row for row in connection.execute(query).fetchall()]
    if query.startswith("select d from"):
        found = [str(value) for value in found]
    assert found == rows
    assert str(found) == str(rows)  # the digits behind the point, too


def test_what_is_united_keeps_its_names(connection: psycopg.Connection) -> None:
    done = connection.execute('select sum(p) as "Total" from d union all select avg(p) from d')
    assert [column.name for column in done.description or ()] == ["Total"]
    done = connection.execute("select w from d union all select f from d")
    assert [column.name for column in done.description or ()] == ["w"]


@pytest.mark.parametrize(
    ("query", "sqlstate"),
    [
        ("select id from t join (select s as i from t) x using (i)", "0A000"),
        ("select * from (select i as k from t) natural join (select s as k from t)", "0A000"),
        ("select i from t union all select s from t", "0A000"),
        ("select d from days union all select s from days", "0A000"),
        ("select i from t union all select 'total'", "22P02"),
        ("select id from t where i = s and s = 'x' or i = concat(s, 'x')", "22P02"),
    ],
)
def test_what_is_not_known_to_be_the_same_is_refused(
    connection: psycopg.Connection, query: str, sqlstate: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(query)
    assert caught.value.sqlstate == sqlstate


def test_what_is_written_is_what_a_query_would_show(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("UPDATE b SET x = x || x'01' WHERE id = 2")
        connection.execute("INSERT INTO b (id, x) SELECT 9, x || x FROM b WHERE id = 1")
        connection.execute("CREATE VIEW joined AS SELECT x || x AS y FROM b WHERE id = 1")
        connection.execute("CREATE TABLE united AS SELECT w FROM d UNION ALL SELECT f FROM d")
        connection.execute("DELETE FROM t WHERE i <> s")
        connection.execute(
            "MERGE INTO t USING (SELECT ' 4 ' AS k) m ON t.i = m.k WHEN MATCHED THEN DELETE"
        )
        rows = connection.execute("SELECT x FROM b WHERE id IN (2, 9) ORDER BY id").fetchall()
        assert rows == [(b"\xff\x01",), (b"\x48\xc3\x48\xc3",)]
        assert connection.execute("SELECT y FROM joined").fetchall() == [(b"\x48\xc3\x48\xc3",)]
        united = connection.execute("SELECT max(w), min(w) FROM united").fetchone()
        assert str(united) == str((D("7.0000000000"), D("1.0123456789")))
        assert connection.execute("SELECT id FROM t ORDER BY id").fetchall() == [(2,), (4,)]


def test_parameters_and_a_type_that_changes_are_followed(connection: psycopg.Connection) -> None:
    query = "SELECT count(*) FROM t WHERE s = i AND id > %s"
    for _ in range(6):  # prepared at the fifth
        assert connection.execute(query, (2,)).fetchone() == (2,)
    connection.execute("CREATE TABLE turns (a int, b int)")
    connection.execute("INSERT INTO turns VALUES (2, 2)")
    compared = "SELECT count(*) FROM turns WHERE a = b"
    assert connection.execute(compared).fetchone() == (1,)
    connection.execute("CREATE OR REPLACE TABLE turns (a varchar, b int)")
    connection.execute("INSERT INTO turns VALUES ('1.5', 2)")
    assert connection.execute(compared).fetchone() == (0,)
    connection.execute("DROP TABLE turns")
