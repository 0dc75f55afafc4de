"""Query constructs through the real server: the reference's examples, and what follows from its text.

The cases are `tests/data/snowflake_queries.jsonl`: `sql` over the tables that `over` names (`_TABLES`
below), and what comes of it: `expected` rows (in order where `ordered`), in the notation of
`snowflake_cases.jsonl`, and their columns' names (`cols`); `refused`, a part of the message of a 0A000;
or `error`, a SQLSTATE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import set_json_loads

from tests.conftest import Running

from .cases import judged, read_lines

_TABLES = {
    "": (),
    "stocks": (
        "create table stock_price_history (company text, price_date date, price int)",
        "insert into stock_price_history select column1, '2020-10-01'::date + column2, column3"
        " from values ('ABCD', 0, 50), ('XYZ', 0, 89), ('ABCD', 1, 36), ('XYZ', 1, 24),"
        " ('ABCD', 2, 39), ('XYZ', 2, 37), ('ABCD', 3, 42), ('XYZ', 3, 63), ('ABCD', 4, 30),"
        " ('XYZ', 4, 65), ('ABCD', 5, 47), ('XYZ', 5, 56), ('ABCD', 6, 71), ('XYZ', 6, 50),"
        " ('ABCD', 7, 80), ('XYZ', 7, 54), ('ABCD', 8, 75), ('XYZ', 8, 30), ('ABCD', 9, 63),"
        " ('XYZ', 9, 32)",
    ),
    "sales": (
        "create table quarterly_sales (empid int, amount int, quarter text)",
        "insert into quarterly_sales values (1, 10000, '2023_Q1'), (1, 400, '2023_Q1'),"
        " (2, 4500, '2023_Q1'), (2, 35000, '2023_Q1'), (1, 5000, '2023_Q2'), (1, 3000, '2023_Q2'),"
        " (2, 200, '2023_Q2'), (2, 90500, '2023_Q2'), (1, 6000, '2023_Q3'), (1, 5000, '2023_Q3'),"
        " (2, 2500, '2023_Q3'), (2, 9500, '2023_Q3'), (3, 2700, '2023_Q3'), (1, 8000, '2023_Q4'),"
        " (1, 10000, '2023_Q4'), (2, 800, '2023_Q4'), (2, 4500, '2023_Q4'), (3, 2700, '2023_Q4'),"
        " (3, 16000, '2023_Q4'), (3, 10200, '2023_Q4')",
        "create table emp_manager (empid int, managerid int)",
        "insert into emp_manager values (1, 7), (2, 8), (3, 9)",
        "create table ad_campaign_types_by_quarter (quarter varchar, television boolean)",
        "insert into ad_campaign_types_by_quarter values ('2023_Q1', true), ('2023_Q2', false),"
        " ('2023_Q3', false), ('2023_Q4', true)",
        "create table monthly_sales (empid int, dept text, jan int, feb int, mar int, apr int)",
        "insert into monthly_sales values (1, 'electronics', 100, 200, 300, 100),"
        " (2, 'clothes', 100, 300, 150, 200), (3, 'cars', 200, 400, 100, 50),"
        " (4, 'appliances', 100, null, 100, 50)",
    ),
    "employees": (
        "create table employees (title varchar, employee_id int, manager_id int)",
        "insert into employees values ('President', 1, null), ('Vice President Engineering', 10, 1),"
        " ('Programmer', 100, 10), ('QA Engineer', 101, 10), ('Vice President HR', 20, 1),"
        " ('Health Insurance Analyst', 200, 20)",
        "create table dept (employee_id int, dname varchar)",
        "insert into dept values (1, 'top'), (10, 'eng'), (100, 'eng'), (101, 'eng'), (20, 'hr'),"
        " (200, 'hr')",
        "create table components (description varchar, quantity int, component_id int,"
        " parent_component_id int)",
        "insert into components values ('car', 1, 1, 0), ('wheel', 4, 11, 1), ('tire', 1, 111, 11),"
        " ('#112 bolt', 5, 112, 11), ('brake', 1, 113, 11), ('brake pad', 1, 1131, 113),"
        " ('engine', 1, 12, 1), ('piston', 4, 121, 12), ('cylinder block', 1, 122, 12),"
        " ('#112 bolt', 16, 112, 12)",
    ),
    "weather": (
        "create table raintime (observed time(9), location varchar(40), state varchar(2))",
        "insert into raintime values ('14:42:59.230', 'Ahwahnee', 'CA'),"
        " ('14:42:59.001', 'Oakhurst', 'CA'), ('14:42:44.435', 'Reno', 'NV')",
        "create table preciptime (observed time(9), location varchar(40), state varchar(2))",
        "insert into preciptime values ('14:42:59.230', 'Ahwahnee', 'CA'),"
        " ('14:42:59.001', 'Oakhurst', 'CA'), ('14:41:44.435', 'Las Vegas', 'NV'),"
        " ('14:42:44.435', 'Reno', 'NV'), ('14:40:34.000', 'Bozeman', 'MT')",
        "create table snowtime (observed time(9), location varchar(40), state varchar(2))",
        "insert into snowtime values ('14:42:59.199', 'Fish Camp', 'CA'),"
        " ('14:42:44.435', 'Reno', 'NV'), ('14:43:01.000', 'Lake Tahoe', 'CA'),"
        " ('14:42:45.000', 'Bozeman', 'MT')",
    ),
    "events": (
        "create table ev (user_id int, ts timestamp, kind varchar, amount number(10, 2))",
        "insert into ev values (1, '2024-01-01 10:00:00', 'view', 1.50),"
        " (1, '2024-01-01 10:05:00', 'buy', 20.25), (2, '2024-01-02 11:00:00', 'view', null),"
        " (1, '2024-01-03 09:00:00', 'view', 3)",
    ),
    "small": (
        "create table t (a int, b int, c varchar, d date)",
        "insert into t values (1, 2, 'x', '2020-01-01'), (2, 2, 'y', '2020-01-02'),"
        " (3, 4, 'z', '2020-01-03')",
    ),
}


@pytest.fixture(scope="module")
def connections(server: Running) -> Iterator[dict[str, psycopg.Connection]]:
    """A session for each set of tables, in a schema of its own."""
    made: dict[str, psycopg.Connection] = {}
    for name, setup in _TABLES.items():
        connection = made[name] = server.connect()
        set_json_loads(lambda raw: raw if isinstance(raw, str) else raw.decode(), connection)
        connection.execute(f"drop schema if exists queries_{name} cascade")
        connection.execute(f"create schema queries_{name}")
        connection.execute(f"use schema queries_{name}")
        for text in setup:
            connection.execute(text)
    yield made
    for name, connection in made.items():
        connection.execute(f"drop schema queries_{name} cascade")
        connection.close()


@pytest.mark.parametrize(
    "case", list(read_lines("snowflake_queries.jsonl")), ids=lambda case: case["id"]
)
def test_queries(connections: dict[str, psycopg.Connection], case: dict[str, Any]) -> None:
    connection = connections[case.get("over", "")]
    for text in case.get("setup", ()):
        connection.execute(text)
    if "expected" not in case:
        state = case.get("error", "0A000")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(case["sql"]).fetchall()
        assert caught.value.sqlstate == state, caught.value
        assert case.get("refused", "") in str(caught.value)
        return
    result = connection.execute(case["sql"])
    while result.nextset():
        pass
    names = [column.name for column in result.description or ()]
    outcome = judged(case, names, result.fetchall())
    assert outcome.verdict == "right", outcome.seen
