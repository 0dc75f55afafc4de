"""COPY through the drivers that people use, each as it comes: psycopg, psycopg2, asyncpg, psql."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pg8000.dbapi
import psycopg
import psycopg2
import pytest
from psycopg import errors

from tests.copying.both import Both, Side

COLUMNS = """
    i int4, b int8, f float8, n numeric(18,4), s text, t timestamp, z timestamptz, d date, u uuid,
    y bytea, o bool, v interval, a int4[]
"""
TYPES = "int4 int8 float8 numeric text timestamp timestamptz date uuid bytea bool interval int4[]"
ROWS: list[tuple[Any, ...]] = [
    (
        number,
        number * 10**12,
        number / 3,
        Decimal(number) / 8,
        f"row {number}\twith\n'marks' \"é\\",
        datetime(2024, 2, 29, 12, 30, number % 60, number),
        datetime(2024, 7, 1, 12, 0, number % 60, tzinfo=UTC),
        date(2024, 1, 1) + timedelta(days=number),
        UUID(int=number),
        bytes([number % 256, 0, 255]),
        number % 2 == 0,
        timedelta(days=number, seconds=number),
        [number, None, -number],
    )
    for number in range(300)
] + [(None,) * 13]


@pytest.fixture
def copied(both: Both) -> Both:
    both.table("copied", COLUMNS)
    return both


# --- psycopg --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "binary"])
def test_psycopg_writes_rows(copied: Both, form: str) -> None:
    def write(side: Side) -> list[tuple[Any, ...]]:
        with side.connection.cursor().copy(f"COPY copied FROM STDIN (FORMAT {form})") as copy:
            if form == "binary":
                copy.set_types(TYPES.split())
            for row in ROWS:
                copy.write_row(row)
        return side.rows("SELECT * FROM copied ORDER BY i")

    assert copied.same(write) == ROWS


@pytest.mark.parametrize("form", ["text", "binary"])
def test_psycopg_reads_rows(copied: Both, form: str) -> None:
    fill(copied)

    def read(side: Side) -> list[tuple[Any, ...]]:
        sql = f"COPY (SELECT * FROM copied ORDER BY i) TO STDOUT (FORMAT {form})"
        with side.connection.cursor().copy(sql) as copy:
            copy.set_types(TYPES.split())
            return list(copy.rows())

    assert copied.same(read) == ROWS


def fill(both: Both) -> None:
    for side in (both.ours, both.theirs):
        with side.connection.cursor().copy("COPY copied FROM STDIN") as copy:
            for row in ROWS:
                copy.write_row(row)


class Mine(Exception):
    """What a client's own code may raise inside a COPY."""


def test_psycopg_gives_up_with_its_own_error(copied: Both) -> None:
    for side in (copied.ours, copied.theirs):
        with (
            pytest.raises(Mine),
            side.connection.cursor().copy("COPY copied (i) FROM STDIN") as copy,
        ):
            copy.write_row((1,))
            raise Mine
        assert side.rows("SELECT count(*) FROM copied") == [(0,)]


def test_psycopg_copies_from_one_server_to_the_other(copied: Both) -> None:
    fill(copied)
    copied.ours.connection.execute("DELETE FROM copied")
    for form in ("text", "csv", "binary"):
        with (
            copied.theirs.connection.cursor().copy(f"COPY copied TO STDOUT (FORMAT {form})") as out,
            copied.ours.connection.cursor().copy(f"COPY copied FROM STDIN (FORMAT {form})") as into,
        ):
            for piece in out:
                into.write(piece)
        assert copied.ours.rows("SELECT * FROM copied ORDER BY i") == ROWS
        copied.ours.connection.execute("DELETE FROM copied")


def test_a_read_that_is_left_early_leaves_a_usable_session(both: Both) -> None:
    sql = "COPY (SELECT n::int4 AS n FROM generate_series(1, 300000) AS g(n)) TO STDOUT"
    for side in (both.ours, both.theirs):
        with pytest.raises(Mine), side.connection.cursor().copy(sql) as copy:
            copy.read()
            raise Mine
        assert side.rows("SELECT 1::int4") == [(1,)]


# --- cancelling -----------------------------------------------------------------------------------


def test_a_copy_out_is_cancelled(both: Both) -> None:
    sql = "COPY (SELECT n::int8 AS n FROM generate_series(1, 1000000000) AS g(n)) TO STDOUT"
    connection = both.ours.connection
    with pytest.raises(errors.QueryCanceled), connection.cursor().copy(sql) as copy:
        copy.read()
        connection.cancel()
        for _ in copy:
            pass
    assert both.ours.rows("SELECT 1::int4") == [(1,)]


def test_a_copy_in_is_cancelled(both: Both) -> None:
    both.table("copied", "i int4, s text")
    connection = both.ours.connection
    line = b"1\t" + b"x" * 10_000 + b"\n"
    cancelled = threading.Event()

    def cancel() -> None:
        connection.cancel()
        cancelled.set()

    with (
        pytest.raises(errors.QueryCanceled),
        connection.cursor().copy("COPY copied FROM STDIN") as copy,
    ):
        copy.write(line * 1000)
        canceller = threading.Thread(target=cancel)
        canceller.start()
        assert cancelled.wait(30)
        canceller.join()
        copy.write(line * 1000)
    assert both.ours.rows("SELECT count(*) FROM copied") == [(0,)]


def test_a_client_that_dies_leaves_nothing(both: Both) -> None:
    """Half of it sent and loaded, then the socket is gone."""
    both.table("copied", "i int4, s text")
    dying = psycopg.connect(both.ours.url, autocommit=True)
    cursor = dying.cursor()
    with pytest.raises(psycopg.OperationalError), cursor.copy("COPY copied FROM STDIN") as copy:
        for number in range(3000):
            copy.write(b"%d\t%s\n" % (number, b"x" * 10_000))
        os.close(dying.fileno())
        copy.write(b"1\tlast\n" * 1_000_000)
    assert both.ours.rows("SELECT count(*) FROM copied") == [(0,)]
    with both.ours.connection.transaction():
        assert both.ours.load("COPY copied FROM STDIN", b"1\tx\n") == 1


# --- asyncpg --------------------------------------------------------------------------------------


def on_both(copied: Both, act: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
    async def one(side: Side) -> Any:
        settings = {"hatidata.dialect": "postgres"} if side is copied.ours else {}
        connection = await asyncpg.connect(side.url, server_settings=settings)
        try:
            return await act(connection)
        finally:
            await connection.close()

    return copied.same(lambda side: asyncio.run(one(side)))


def test_asyncpg_copies_records_to_a_table(copied: Both) -> None:
    async def act(connection: asyncpg.Connection) -> tuple[str, list[tuple[Any, ...]]]:
        status = await connection.copy_records_to_table("copied", records=ROWS)
        rows = await connection.fetch("SELECT * FROM copied ORDER BY i")
        return status, [tuple(row) for row in rows]

    assert on_both(copied, act) == ("COPY 301", ROWS)


def test_asyncpg_copies_some_columns(copied: Both) -> None:
    async def act(connection: asyncpg.Connection) -> list[tuple[Any, ...]]:
        records = [(f"name {number}", number) for number in range(10)]
        await connection.copy_records_to_table("copied", records=records, columns=["s", "i"])
        rows = await connection.fetch("SELECT i, s, f FROM copied ORDER BY i")
        return [tuple(row) for row in rows]

    assert on_both(copied, act)[9] == (9, "name 9", None)


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_asyncpg_copies_out_and_in(copied: Both, form: str) -> None:
    fill(copied)

    async def act(connection: asyncpg.Connection) -> tuple[Any, ...]:
        whole, part = io.BytesIO(), io.BytesIO()
        out = await connection.copy_from_table("copied", output=whole, format=form)
        query = "SELECT i, s FROM copied WHERE i < $1 ORDER BY i"
        asked = await connection.copy_from_query(query, 5, output=part, format=form)
        await connection.execute("DELETE FROM copied")
        whole.seek(0)
        back = await connection.copy_to_table("copied", source=whole, format=form)
        rows = await connection.fetch("SELECT * FROM copied ORDER BY i")
        return out, asked, part.getvalue(), back, [tuple(row) for row in rows]

    out, asked, _, back, rows = on_both(copied, act)
    assert (out, asked, back) == ("COPY 301", "COPY 5", "COPY 301")
    assert rows == ROWS


def test_asyncpg_is_told_what_is_wrong(copied: Both) -> None:
    async def act(connection: asyncpg.Connection) -> tuple[Any, ...]:
        with pytest.raises(asyncpg.PostgresError) as raised:
            await connection.copy_to_table(
                "copied", columns=["i"], source=io.BytesIO(b"1\nx\n"), format="csv"
            )
        return raised.value.sqlstate, await connection.fetchval("SELECT count(*) FROM copied")

    assert on_both(copied, act) == ("22P02", 0)


# --- psycopg2 -------------------------------------------------------------------------------------


def test_psycopg2_copies_by_its_three_ways(copied: Both) -> None:
    def act(side: Side) -> tuple[Any, ...]:
        with psycopg2.connect(side.url) as connection, connection.cursor() as cursor:
            data = io.StringIO("1,one\n2,\n3,three\n")
            cursor.copy_expert("COPY copied (i, s) FROM STDIN WITH CSV", data)
            first = cursor.rowcount
            cursor.copy_from(io.StringIO("4|four\n5|\\N\n"), "copied", sep="|", columns=("i", "s"))
            text, csv = io.StringIO(), io.StringIO()
            cursor.copy_to(text, "copied", columns=("i", "s"), null="-")
            sql = "COPY (SELECT i, s FROM copied ORDER BY i DESC) TO STDOUT WITH CSV HEADER"
            cursor.copy_expert(sql, csv)
            connection.rollback()
            return first, text.getvalue(), csv.getvalue()

    first, text, csv = copied.same(act)
    assert first == 3
    assert text == "1\tone\n2\t-\n3\tthree\n4\tfour\n5\t-\n"
    assert csv == "i,s\n5,\n4,four\n3,three\n2,\n1,one\n"


# --- pg8000 ---------------------------------------------------------------------------------------


def test_pg8000_copies_streams(both: Both) -> None:
    both.table("copied", COLUMNS)
    parts = urlsplit(both.ours.url)
    with pg8000.dbapi.connect(
        parts.username, host=parts.hostname, port=parts.port, database=parts.path.lstrip("/")
    ) as connection:
        cursor = connection.cursor()
        data = io.BytesIO(b"1,one\n2,\n")
        cursor.execute("COPY copied (i, s) FROM STDIN WITH (FORMAT csv)", stream=data)
        assert cursor.rowcount == 2
        out = io.BytesIO()
        cursor.execute("COPY (SELECT i, s FROM copied ORDER BY i) TO STDOUT", stream=out)
        assert out.getvalue() == b"1\tone\n2\t\\N\n"
        with pytest.raises(pg8000.DatabaseError, match="22P02"):
            cursor.execute("COPY copied (i) FROM STDIN", stream=io.BytesIO(b"x\n"))
        connection.rollback()
        cursor.execute("SELECT count(*) FROM copied")
        assert cursor.fetchone() == [0]


# --- psql -----------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_copies_files_and_its_own_input(copied: Both, tmp_path: Any) -> None:
    source = tmp_path / "in.csv"
    source.write_text('i,s\n1,"one, ""quoted"""\n2,\n3,"two\nlines"\n')

    def act(side: Side) -> tuple[str, str]:
        target = tmp_path / "out.txt"
        script = f"""
            \\copy copied (i, s) from '{source}' with (format csv, header)
            \\copy copied (i, s) to '{target}' csv header
            \\copy (select i, s from copied order by i desc) to stdout
copy copied (i, s) from stdin;
4\tfour
5\t\\N
\\.
            select i, s from copied order by i;
        """
        done = subprocess.run(
            ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", side.url],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, target.read_text()

    said, wrote = copied.same(act)
    assert "4|four" in said
    assert wrote == source.read_text()
