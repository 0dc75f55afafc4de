"""What DuckDB refuses in words of its own is refused with the state and the words of Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

POSTGRES = "-c hatidata.dialect=postgres -c search_path=refused"


@pytest.fixture
def connection(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA refused")
    try:
        with server.connect(options=POSTGRES) as connection:
            connection.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT)")
            connection.execute("INSERT INTO t VALUES (1, 1), (2, 1)")
            connection.execute("CREATE VIEW v AS SELECT * FROM t")
            yield connection
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA refused CASCADE")


@pytest.mark.parametrize(
    ("sql", "sqlstate", "said"),
    [
        ("CREATE UNIQUE INDEX u ON t (n)", "23505", "could not create unique index"),
        ("CREATE TABLE c (tid BIGINT REFERENCES t)", "0A000", 'columns "tid" and "id"'),
        ("SELECT * FROM pragma_table_info('t')", "42501", "pragma_table_info is not allowed"),
    ],
)
def test_refusals(connection: psycopg.Connection, sql: str, sqlstate: str, said: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.encode())
    assert caught.value.sqlstate == sqlstate
    assert said in (caught.value.diag.message_primary or "")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_checkpoint_in_a_transaction_that_has_written(
    connection: psycopg.Connection, server: Any
) -> None:
    with (
        server.connect(options=POSTGRES) as other,
        pytest.raises(psycopg.errors.ActiveSqlTransaction),
        other.transaction(),
    ):
        other.execute("INSERT INTO t VALUES (3, 3)")
        other.execute("CHECKPOINT")
    assert connection.execute("CHECKPOINT").statusmessage == "CHECKPOINT"
