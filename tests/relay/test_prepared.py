"""Prepared statements over a pool: renamed, prepared where needed, and never a stale answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import errors
from psycopg.pq import DiagnosticField, ExecStatus

from tests.relay.pooled import Pooled


@pytest.fixture
def clients(pool: Pooled) -> Iterator[list[Any]]:
    connections = [pool.connect(prepare_threshold=0) for _ in range(4)]
    yield connections
    for connection in connections:
        connection.close()


@pytest.fixture
def table(pool: Pooled) -> Iterator[str]:
    pool.as_admin(
        "CREATE TABLE hd_runtime.changing AS SELECT 1 AS a, 'x'::text AS b; "
        "GRANT ALL ON hd_runtime.changing TO hd_agent"
    )
    yield "hd_runtime.changing"
    pool.as_admin("DROP TABLE IF EXISTS hd_runtime.changing")


def _spread(clients: list[Any], run: Any) -> list[Any]:
    """Runs something by each client while another holds a backend, so that both backends serve."""
    answers = []
    for holder in (clients[0], None):
        if holder is not None:
            holder.execute("BEGIN")
            holder.execute("SELECT count(*) FROM hd_runtime.notes")
        answers += [run(client) for client in clients[1:] for _ in range(3)]
        if holder is not None:
            holder.execute("COMMIT")
    return answers


def test_clients_of_one_name_mean_their_own_statement(clients: list[Any]) -> None:
    """Drivers name by counting, so all clients use the same names for different texts."""
    for _ in range(3):
        for number, client in enumerate(clients):
            sql = f"SELECT id + {number} FROM hd_runtime.notes WHERE id = %s"
            assert client.execute(sql, [10], prepare=True).fetchone() == (10 + number,)


def test_statements_are_prepared_on_whichever_backend_runs_them(clients: list[Any]) -> None:
    sql = "SELECT note FROM hd_runtime.notes WHERE id = %s"
    found = _spread(clients, lambda client: client.execute(sql, [3], prepare=True).fetchone())
    assert set(found) == {("note 3",)}


def test_many_more_statements_than_a_backend_keeps(pool: Pooled) -> None:
    with pool.connect(prepare_threshold=0) as client:
        client.prepared_max = None
        for _ in range(2):
            for number in range(450):
                sql = f"SELECT {number} + id FROM hd_runtime.notes WHERE id = %s"
                assert client.execute(sql, [1], prepare=True).fetchone() == (number + 1,)
    prepared = "SELECT count(*) FROM pg_prepared_statements"
    with pool.connect() as client:
        assert client.execute(prepared).fetchone()[0] <= 200


def test_a_result_that_ddl_changed_is_an_error_and_then_prepared_anew(
    pool: Pooled, clients: list[Any], table: str
) -> None:
    sql = f"SELECT * FROM {table}"
    assert {row for row in _spread(clients, lambda c: c.execute(sql, prepare=True).fetchone())} == {
        (1, "x")
    }
    pool.as_admin(f"ALTER TABLE {table} ADD COLUMN c int DEFAULT 7")
    client = clients[1]
    with pytest.raises(errors.FeatureNotSupported, match="cached plan must not change"):
        client.execute(sql, prepare=True)
    client.prepare_threshold = 0
    client._prepared.clear()  # what psycopg does after DEALLOCATE ALL
    client.execute("DEALLOCATE ALL")
    assert client.execute(sql, prepare=True).fetchone() == (1, "x", 7)
    # One who comes after the change has never been told anything else.
    with pool.connect(prepare_threshold=0) as late:
        for _ in range(6):
            assert late.execute(sql, prepare=True).fetchone() == (1, "x", 7)


def test_a_backend_that_never_prepared_it_does_not_answer_with_other_columns(
    pool: Pooled, clients: list[Any], table: str
) -> None:
    """The client was told (int, text) by one backend; the other prepares it after the change."""
    sql = f"SELECT * FROM {table}"
    told = clients[0]
    assert told.execute(sql, prepare=True).fetchone() == (1, "x")
    pool.as_admin(f"ALTER TABLE {table} ALTER COLUMN a TYPE text USING 'one'")
    for _ in range(2):
        with clients[1].transaction():
            clients[1].execute("SELECT 1 FROM hd_runtime.notes")
            with pytest.raises(errors.FeatureNotSupported):
                told.execute(sql, prepare=True)


def test_deallocate_and_discard_forget(clients: list[Any]) -> None:
    one, two = clients[:2]
    sql = b"SELECT id FROM hd_runtime.notes WHERE id = 5"
    for client in (one, two):
        assert client.pgconn.prepare(b"mine", sql).status == 1  # PGRES_COMMAND_OK
    one.execute("DEALLOCATE mine")
    assert one.pgconn.exec_prepared(b"mine", []).error_field(67) == b"26000"
    assert two.pgconn.exec_prepared(b"mine", []).get_value(0, 0) == b"5"
    two.execute("DISCARD ALL")
    assert two.pgconn.exec_prepared(b"mine", []).error_field(67) == b"26000"
    assert one.pgconn.prepare(b"mine", sql).status == 1
    assert one.pgconn.prepare(b"mine", sql).error_field(67) == b"42P05"
    assert one.pgconn.exec_prepared(b"mine", []).get_value(0, 0) == b"5"


def test_the_unnamed_statement_is_still_there_after_another_client(clients: list[Any]) -> None:
    one, two = clients[:2]
    for client, number in ((one, 1), (two, 2)):
        sql = f"SELECT {number} FROM hd_runtime.notes WHERE id = 1"
        client.pgconn.prepare(b"", sql.encode())
    for client, number in ((one, b"1"), (two, b"2"), (one, b"1")):
        assert client.pgconn.exec_prepared(b"", []).get_value(0, 0) == number


def test_a_statement_that_fails_to_prepare_says_so_and_is_not_kept(clients: list[Any]) -> None:
    for client in clients * 2:
        with pytest.raises(errors.UndefinedColumn) as caught:
            client.execute("SELECT no FROM hd_runtime.notes WHERE id = %s", [1], prepare=True)
        assert caught.value.diag.statement_position == "8"


def test_asyncpg_with_its_cache(pool: Pooled) -> None:
    async def work(number: int) -> None:
        connection = await asyncpg.connect(pool.url, ssl=False)
        try:
            for n in range(20):
                id_ = 1 + (number + n) % 100
                note = await connection.fetchval(
                    "SELECT note FROM hd_runtime.notes WHERE id = $1", id_
                )
                assert note == f"note {id_}"
        finally:
            await connection.close()

    async def main() -> None:
        await asyncio.gather(*(work(number) for number in range(8)))

    asyncio.run(main())


def test_asyncpg_prepares_anew_after_ddl(pool: Pooled, table: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(pool.url, ssl=False)
        try:
            for _ in range(3):
                assert tuple(await connection.fetchrow(f"SELECT * FROM {table}")) == (1, "x")
            alter = f"ALTER TABLE {table} ADD COLUMN c int DEFAULT 7"
            await asyncio.to_thread(pool.as_admin, alter)
            for _ in range(3):
                assert tuple(await connection.fetchrow(f"SELECT * FROM {table}")) == (1, "x", 7)
        finally:
            await connection.close()

    asyncio.run(main())


def test_prepared_statements_of_both_engines_in_one_pipeline(pool: Pooled) -> None:
    with pool.connect(prepare_threshold=0) as connection, connection.pipeline():
        answers = [
            connection.execute(
                "SELECT id FROM hd_runtime.notes WHERE id = %s" if n % 2 else "SELECT %s::int", [n]
            )
            for n in range(1, 30)
        ]
        assert [answer.fetchone()[0] for answer in answers] == list(range(1, 30))


def test_copy_in_and_out(pool: Pooled, table: str) -> None:
    with pool.connect() as connection:
        with connection.cursor().copy(f"COPY {table} (a, b) FROM STDIN") as copy:
            for n in range(2, 500):
                copy.write_row((n, "y" * 100))
        with connection.cursor().copy(f"COPY (SELECT a FROM {table} ORDER BY a) TO STDOUT") as copy:
            assert [int(row[0]) for row in copy.rows()] == list(range(1, 500))
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            connection.cursor().copy(f"COPY {table} (a, b) FROM STDIN") as copy,
        ):
            copy.write("one\n")
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (499,)


def test_execute_of_what_the_protocol_prepared_is_refused_by_name(pool: Pooled) -> None:
    with pool.connect() as connection:
        connection.pgconn.prepare(b"mine", b"SELECT id FROM hd_runtime.notes")
        with pytest.raises(errors.FeatureNotSupported, match="mine"):
            connection.execute("EXECUTE mine")


def test_a_wrong_number_of_parameters_is_told_of_the_clients_own_statement(pool: Pooled) -> None:
    """On the backend it has another name, or none just after its Parse."""
    told = 'bind message supplies 2 parameters, but prepared statement "{}" requires 1'
    with pool.connect() as client:
        raw = client.pgconn
        for name in ("mine", ""):
            made = raw.prepare(
                name.encode(), b"SELECT note FROM hd_runtime.notes WHERE id = $1::int"
            )
            assert made.status == ExecStatus.COMMAND_OK
            for _ in range(3):
                failed = raw.exec_prepared(name.encode(), [b"1", b"2"])
                assert failed.error_field(DiagnosticField.SQLSTATE) == b"08P01"
                message = failed.error_field(DiagnosticField.MESSAGE_PRIMARY) or b""
                assert message.decode() == told.format(name)
                if name:
                    found = raw.exec_prepared(b"mine", [b"3"])
                    assert found.get_value(0, 0) == b"note 3"


def test_what_postgres_refused_to_parse_is_no_statement(clients: list[Any]) -> None:
    one = clients[0]
    wrong = b"SELECT nosuch FROM hd_runtime.notes"
    assert one.pgconn.prepare(b"wrong", wrong).error_field(67) == b"42703"
    assert one.pgconn.exec_prepared(b"wrong", []).error_field(67) == b"26000"
    assert one.pgconn.describe_prepared(b"wrong").error_field(67) == b"26000"
    right = b"SELECT id FROM hd_runtime.notes WHERE id = 5"
    assert one.pgconn.prepare(b"wrong", right).status == 1  # PGRES_COMMAND_OK
    assert one.pgconn.exec_prepared(b"wrong", []).get_value(0, 0) == b"5"
