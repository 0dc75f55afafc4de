"""RETURNING: its parameters, the names and the types of what it gives, as Postgres has them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ..sql.test_postgres_answers import both

__all__ = ["both"]

Both = tuple[psycopg.Connection, psycopg.Connection]

CASES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("insert into told values (%s, '2020-01-01', 'a') returning i + %s, %s::text", (1, 2, "x")),
    ("insert into told (t) values (%s) returning %s", ("it's", "it's")),
    ("insert into told (t) values ('q') returning upper(t) || %s, length(t), %s::text", ("!", None)),
    ("update told set i = i + %s where i = %s returning %s::int as was, i", (5, 7, 7)),
    ("update told set n = %s returning n * %s, %s::numeric", ("1.25", 2, "3.5")),
    ("delete from told where i = 7 returning *, %s::date, d - %s::date", ("2020-05-06",) * 2),
    ("delete from told where i = 99 returning %s::int", (5,)),
    ("update told set i = 5 returning coalesce(t, %s), case when i > %s then 'b' else 's' end",
     ("zz", 1)),
    ("insert into told (i) values (1), (2) returning i * %s, array[i, %s]", (10, 3)),
    ("update told set i = i + %s from (values (7, 'x')) v (k, w) where i = k returning i, w || %s",
     (1, "!")),
    ("update told set n = %s, t = %s from (values (7, 'x')) v (k, w) where i = k and w = %s returning *",
     ("1.256", "q", "x")),
    ("delete from told using (values (7, 'x')) v (k, w) where i = k returning told.*, %s::int, w",
     (3,)),
    ("insert into told (i) values (%s) returning %s::int[], %s::timestamptz",
     (1, [1, 2], datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))),
)  # fmt: skip


@pytest.fixture
def tables(both: Both) -> Iterator[Both]:
    for connection in both:
        connection.execute("create table told (i int, d date, t text, n numeric(10,2))")
        connection.execute("insert into told values (7, '2020-01-02', null, 2)")
    yield both
    for connection in both:
        connection.execute("drop table told")


def answered(
    connection: psycopg.Connection, text: str, values: tuple[Any, ...], binary: bool
) -> Any:
    cursor = connection.cursor(binary=binary)
    cursor.execute(text, values, prepare=True)
    columns = [(column.name, column.type_code) for column in cursor.description or ()]
    return columns, cursor.fetchall(), cursor.statusmessage


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("text", "values"), CASES)
def test_returning_takes_parameters(
    tables: Both, text: str, values: tuple[Any, ...], binary: bool
) -> None:
    own, ours = (answered(connection, text, values, binary) for connection in tables)
    assert ours == own


def test_a_prepared_statement_returns_the_values_of_each_run(tables: Both) -> None:
    for connection in tables:
        text = "update told set i = %s returning i, %s::text"
        rows = [connection.execute(text, (n, str(n)), prepare=True).fetchone() for n in range(3)]
        assert rows == [(0, "0"), (1, "1"), (2, "2")]
