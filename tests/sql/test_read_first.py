"""Statements that read something before it is known what they are: PIVOT over ANY, RESULT_SCAN."""

from __future__ import annotations

import psycopg
import pytest


@pytest.fixture
def sales(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("create table sales (who int, amount int, quarter text)")
    connection.execute("insert into sales values (1, 10, 'q1'), (1, 20, 'q2'), (2, 5, 'q1')")
    return connection


_PIVOT = (
    "select * from sales pivot (sum(amount) for quarter in (any order by quarter)) order by who"
)


def test_a_pivot_over_any_can_be_described(sales: psycopg.Connection) -> None:
    result = sales.execute(_PIVOT, prepare=True)
    assert [column.name for column in result.description or ()] == ["who", "'q1'", "'q2'"]
    assert result.fetchall() == [(1, 10, 20), (2, 5, None)]


def test_a_prepared_pivot_over_any_refuses_columns_that_the_client_does_not_know(
    sales: psycopg.Connection,
) -> None:
    assert len(sales.execute(_PIVOT, prepare=True).fetchall()) == 2
    sales.execute("insert into sales values (2, 7, 'q3')")
    with pytest.raises(psycopg.Error):
        sales.execute(_PIVOT, prepare=True).fetchall()


def test_one_pivot_over_any_may_follow_another(sales: psycopg.Connection) -> None:
    text = (
        "select * from (select who, amount, quarter from sales)"
        " pivot (sum(amount) for quarter in (any order by quarter))"
        " pivot (max(\"'q2'\") for who in (any order by who))"
    )
    result = sales.execute(text)
    assert [column.name for column in result.description or ()] == ["'q1'", "1", "2"]
    assert sorted(result.fetchall()) == [(5, None, None), (10, 20, None)]


def _scan(back: int = -1) -> str:
    return f"table(result_scan(last_query_id({back})))"


def test_scanning_one_result_leaves_the_others(sales: psycopg.Connection) -> None:
    sales.execute("select amount as a from sales")
    sales.execute("select 3 as b")
    assert sales.execute(f"select b from {_scan()}").fetchall() == [(3,)]
    assert sales.execute(f"select sum(a) from {_scan(-3)}").fetchall() == [(35,)]
    assert sales.execute(f"select sum(a) from {_scan(-4)}").fetchall() == [(35,)]


def test_what_was_scanned_may_be_scanned_again(sales: psycopg.Connection) -> None:
    sales.execute("select 3 as b")
    assert sales.execute(f"select b + 1 as b from {_scan()}").fetchall() == [(4,)]
    assert sales.execute(f"select b + 1 as b from {_scan()}").fetchall() == [(5,)]


def test_several_results_may_be_scanned_in_one_statement(sales: psycopg.Connection) -> None:
    sales.execute("select 1 as a")
    sales.execute("select 2 as b")
    text = f"select * from {_scan(-2)}, {_scan(-1)}"
    assert sales.execute(text).fetchall() == [(1, 2)]


def test_a_result_that_was_scanned_outlives_its_rows(sales: psycopg.Connection) -> None:
    sales.execute("select amount as a from sales")
    assert sales.execute(f"select count(*) from {_scan()}").fetchall() == [(3,)]
    sales.execute("delete from sales")
    assert sales.execute(f"select sum(a) from {_scan(-3)}").fetchall() == [(35,)]


def test_a_result_that_was_not_scanned_does_not_outlive_its_rows(sales: psycopg.Connection) -> None:
    sales.execute("select amount as a from sales")
    sales.execute("delete from sales")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="gives something else now"):
        sales.execute(f"select sum(a) from {_scan(-2)}")


def test_a_table_that_makes_room_takes_what_was_read_from_it_along(
    sales: psycopg.Connection,
) -> None:
    sales.execute("select 1 as a")
    sales.execute(f"select a from {_scan()}")
    for _ in range(17):
        sales.execute("select 7 as other")
        sales.execute(f"select other from {_scan()}")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        sales.execute(f"select a from {_scan(-35)}")
    assert sales.execute(f"select other from {_scan(-2)}").fetchall() == [(7,)]


def test_a_result_scan_can_be_described(sales: psycopg.Connection) -> None:
    sales.execute("select amount as a from sales order by 1")
    result = sales.execute(f"select a from {_scan()} order by a", prepare=True)
    assert [column.name for column in result.description or ()] == ["a"]
    assert result.fetchall() == [(5,), (10,), (20,)]
