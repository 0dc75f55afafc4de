"""Errors about constraints name what ORMs read from them: as Postgres's own do."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Running

from ..sql.test_postgres_answers import both

__all__ = ["both"]

Both = tuple[psycopg.Connection, psycopg.Connection]

TABLES = (
    "drop table if exists child, parent, longer",
    "create table parent (id int primary key, u text unique, c int check (c > 0), n int not null)",
    "create table child (id int primary key, pid int references parent(id), a int, b text,"
    " unique (a, b))",
    f"create table longer ({'x' * 40} int, {'y' * 40} int, unique ({'x' * 40}, {'y' * 40}))",
    "insert into parent values (1, 'a', 1, 1), (3, 'b', 1, 1)",
    "insert into child values (1, 1, 1, 'x, b: y')",
    "insert into longer values (1, 2)",
)
STATEMENTS = (
    "insert into parent values (1, 'z', 1, 1)",
    "insert into parent values (2, 'a', 1, 1)",
    "insert into parent values (2, 'z', -1, 1)",
    "insert into parent values (2, 'z', 1, null)",
    "insert into parent (id, u, c, n) select null, 'z', 1, 1",
    "update parent set id = 1 where id = 3",
    "update parent set u = 'a' where id = 3",
    "update parent set c = -5",
    "insert into child values (2, 5, 2, 'y')",
    "insert into child values (2, 3, 1, 'x, b: y')",
    "update child set pid = 77",
    "delete from parent where id = 1",
    "insert into longer values (1, 2)",
)


def told(connection: psycopg.Connection, text: str) -> tuple[str | None, ...]:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(text)
    diag = caught.value.diag
    fields = (diag.schema_name, diag.table_name, diag.column_name, diag.constraint_name)
    # The row that fails is not known here.
    detail = diag.message_detail if diag.sqlstate in ("23505", "23503") else None
    return diag.sqlstate, diag.message_primary, detail, *fields


@pytest.fixture(scope="module")
def tables(both: Both) -> Iterator[Both]:
    for connection in both:
        for statement in TABLES:
            connection.execute(statement)
    yield both
    for connection in both:
        connection.execute(TABLES[0])


@pytest.mark.parametrize("text", STATEMENTS)
def test_an_error_names_the_constraint(tables: Both, text: str) -> None:
    own, ours = (told(connection, text) for connection in tables)
    assert ours == own


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_prepared_statement_says_the_same(tables: Both, text: str) -> None:
    own, ours = tables
    for connection in tables:
        connection.prepare_threshold = 0
    try:
        assert told(ours, text) == told(own, text)
    finally:
        for connection in tables:
            connection.prepare_threshold = 5


def test_a_table_of_the_same_transaction_is_known(both: Both) -> None:
    seen = []
    for connection in both:
        connection.execute("begin")
        connection.execute("create table fresh (k int primary key)")
        connection.execute("insert into fresh values (1)")
        seen.append(told(connection, "insert into fresh values (1)"))
        connection.execute("rollback")
    assert seen[0] == seen[1]


def test_a_unique_index_is_named(both: Both) -> None:
    seen = []
    for connection in both:
        connection.execute("create table indexed (k int)")
        connection.execute("create unique index by_k on indexed (k)")
        connection.execute("insert into indexed values (1)")
        seen.append(told(connection, "insert into indexed values (1)"))
        connection.execute("drop table indexed")
    assert seen[0] == seen[1]


def test_copy_names_the_constraint(tables: Both) -> None:
    seen = []
    for connection in tables:
        with (
            pytest.raises(psycopg.errors.UniqueViolation) as caught,
            connection.cursor().copy("copy parent from stdin") as copy,
        ):
            copy.write_row((1, "z", 1, 1))
        diag = caught.value.diag
        seen.append((diag.table_name, diag.constraint_name, diag.message_detail))
    assert seen[0] == seen[1]


def test_a_name_in_public_is_shown_as_there(server: Running) -> None:
    with server.connect(options="-c hatidata.dialect=postgres") as connection:
        connection.execute("create table public.shown (k int primary key)")
        connection.execute("insert into public.shown values (1)")
        fields = told(connection, "insert into public.shown values (1)")
        connection.execute("drop table public.shown")
    assert fields[3:] == ("public", "shown", None, "shown_pkey")
