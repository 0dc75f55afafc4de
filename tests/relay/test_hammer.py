"""Fifty clients on two backends, everything at once, while Postgres is restarted under them.

Each client writes rows of its own and remembers which commits were acknowledged; whatever it reads
carries its own number. So a lost commit, or an answer that reached the wrong client, is seen.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.relay.pooled import OBJECTS, OPTIONS, Pooled, control_of, pooled

_CLIENTS = 50
_ROUNDS = 24
_AWAY = {"08006", "57P01", "57P02", "57P03", "53300", "25P02"}
_LEDGER = """
CREATE TABLE hd_runtime.ledger (client int, n int, PRIMARY KEY (client, n));
GRANT SELECT, INSERT ON hd_runtime.ledger TO hd_agent;
"""


@dataclass
class Client:
    number: int
    connection: Any
    acknowledged: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    n: int = 0

    def next(self) -> int:
        self.n += 1
        self.tried.add(self.n)
        return self.n

    async def transaction(self) -> None:
        rows = [self.next() for _ in range(3)]
        async with self.connection.transaction():
            for n in rows:
                sql = "INSERT INTO hd_runtime.ledger VALUES (%s, %s) RETURNING client, n"
                cursor = await self.connection.execute(sql, [self.number, n])
                assert await cursor.fetchone() == (self.number, n)
        self.acknowledged.update(rows)

    async def rolled_back(self) -> None:
        n = self.n = self.n + 1  # and never tried: it must not be there
        async with self.connection.transaction(force_rollback=True):
            sql = "INSERT INTO hd_runtime.ledger VALUES (%s, %s)"
            await self.connection.execute(sql, [self.number, n])

    async def prepared(self) -> None:
        note = random.randint(1, 100)
        sql = "SELECT %s::int, note FROM hd_runtime.notes WHERE id = %s"
        cursor = await self.connection.execute(sql, [self.number, note], prepare=True)
        assert await cursor.fetchone() == (self.number, f"note {note}")

    async def simple(self) -> None:
        sql = f"SELECT {self.number}, count(*) FROM hd_runtime.notes"
        cursor = await self.connection.execute(sql)
        assert await cursor.fetchone() == (self.number, 100)

    async def copy_in(self) -> None:
        rows = [self.next() for _ in range(20)]
        sql = "COPY hd_runtime.ledger FROM STDIN"
        async with self.connection.cursor() as cursor, cursor.copy(sql) as copy:
            for n in rows:
                await copy.write_row((self.number, n))
        self.acknowledged.update(rows)

    async def copy_out(self) -> None:
        sql = f"COPY (SELECT {self.number}, id FROM hd_runtime.notes ORDER BY id) TO STDOUT"
        found = []
        async with self.connection.cursor() as cursor, cursor.copy(sql) as copy:
            async for row in copy.rows():
                found.append(tuple(map(int, row)))
        assert found == [(self.number, n) for n in range(1, 101)]

    async def failing(self) -> None:
        name = f"nothing_{self.number}"
        with pytest.raises(errors.UndefinedTable, match=name):
            await self.connection.execute(f"SELECT * FROM hd_runtime.{name}")

    async def cancelled(self) -> None:
        running = asyncio.ensure_future(self.connection.execute("SELECT pg_sleep(30)"))
        await asyncio.sleep(random.random() / 20)
        while not running.done():
            await self.connection.cancel_safe()
            await asyncio.wait([running], timeout=0.2)
        with pytest.raises(errors.QueryCanceled):
            await running

    async def set_and_read(self) -> None:
        await self.connection.execute(f"SET work_mem = '{1025 + self.number}kB'")
        cursor = await self.connection.execute("SELECT current_setting('work_mem')")
        assert await cursor.fetchone() == (f"{1025 + self.number}kB",)

    async def analytical(self) -> None:
        cursor = await self.connection.execute("SELECT %s::int + 1", [self.number])
        assert await cursor.fetchone() == (self.number + 1,)

    async def work(self, url: str) -> None:
        steps = [
            *(self.transaction, self.transaction, self.rolled_back, self.prepared, self.prepared),
            *(self.simple, self.copy_in, self.copy_out, self.failing, self.cancelled),
            *(self.set_and_read, self.analytical),
        ]
        self.connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
        try:
            for _ in range(_ROUNDS):
                step = random.choice(steps)
                try:
                    await step()
                    self.done[step.__name__] += 1
                except psycopg.Error as error:
                    if error.sqlstate not in _AWAY:
                        raise
                    self.done["away"] += 1
                    await self.connection.rollback()
        finally:
            await self.connection.close()


async def _hammer(pool: Pooled) -> list[Client]:
    clients = [Client(number, None) for number in range(_CLIENTS)]
    work = [asyncio.create_task(client.work(pool.url)) for client in clients]
    control = control_of(pool)
    for portion, mode in ((0.25, "fast"), (0.6, "immediate")):
        while sum(client.done.total() for client in clients) < portion * _CLIENTS * _ROUNDS:
            if any(task.done() and task.exception() for task in work):
                break
            await asyncio.sleep(0.02)
        await asyncio.to_thread(control, "restart", "-m", mode)
    for done in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(done, BaseException):
            raise done
    return clients


def test_nothing_is_lost_and_nothing_goes_astray() -> None:
    with pooled(*OPTIONS, "--pool-wait", "30") as pool:
        pool.as_admin(OBJECTS + _LEDGER)
        clients = asyncio.run(_hammer(pool))
        kept: dict[int, set[int]] = {client.number: set() for client in clients}
        for number, n in pool.as_admin("SELECT client, n FROM hd_runtime.ledger"):
            kept[number].add(n)
        for client in clients:
            assert client.acknowledged <= kept[client.number]
            assert kept[client.number] <= client.tried
        done: Counter[str] = sum((client.done for client in clients), Counter())
        assert done["away"] > 0
        assert all(done[step] for step in ("transaction", "copy_in", "cancelled", "prepared"))
        assert len(pool.backends()) <= 2
