"""What the relay's shortest way costs in Python alone: microseconds of CPU for one exchange.

    python -m bench.shortcut [--count 100000] [--rounds 5]

`bench.relay` measures the whole, with sockets, the loop and Postgres, and so also what else the
machine does. Here a client's bytes and Postgres's answer are given to the two ends of the shortcut
by calls, over transports that drop what is written; the time is the process's own. What remains of a
relayed statement's cost is the loop's and the kernel's.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from proxy.engines.backend import Backend
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.pool import Limits, Login, Pools
from proxy.engines.postgres import ControlPlane
from proxy.engines.prepared import RelayedStatement
from proxy.link import ClientLink
from proxy.session.long_texts import LongTexts
from proxy.session.portal import PreparedStatement
from proxy.session.services import Services
from proxy.session.session import Session
from proxy.sql.plan import PlanCache
from proxy.staging.service import StageService
from proxy.wire import messages as m

_BACKENDS = 8
_SQL = "SELECT abalance FROM hd_runtime.pgbench_accounts WHERE aid = {}"
_DESCRIBED = m.frame(b"T", b"\0\1abalance\0" + bytes(18))
_ROWS = m.frame(b"D", b"\0\1\0\0\0\1" + b"0") + m.frame(b"C", b"SELECT 1\0") + m.READY["I"]


class _Drop:
    """A transport whose peer takes everything; written: how many writes there were."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, data: bytes) -> None:
        self.written += 1

    def set_write_buffer_limits(self, high: int) -> None:
        return None

    def is_closing(self) -> bool:
        return True  # the compiled way would take the socket over


def _transport() -> Any:
    return cast(Any, _Drop())


def _backend(pools: Pools) -> Backend:
    backend = Backend()
    backend.connection_made(_transport())
    backend._startup = None
    backend.profile = pools.profiles.base
    return backend


def _simple() -> tuple[list[bytes], bytes]:
    texts = [_SQL.format(n).encode() for n in range(10_000, 20_000)]
    return [m.frame(b"Q", text + b"\0") for text in texts], _DESCRIBED + _ROWS


def _prepared() -> tuple[list[bytes], bytes]:
    end = m.frame(b"D", b"P\0") + m.frame(b"E", bytes(5)) + m.frame(b"S")
    values = [str(n).encode() for n in range(10_000, 20_000)]
    binds = [b"\0P0\0\0\0\0\1\0\0\0\5" + value + b"\0\0" for value in values]
    answer = m.frame(b"2") + _DESCRIBED + _ROWS
    return [m.frame(b"B", bind) + end for bind in binds], answer


async def _measure(directory: Path, count: int, rounds: int) -> None:
    duck = DuckEngine(directory / "bench.duckdb")
    pools = Pools(ControlPlane(str(directory), 1, "bench"), Limits())
    services = Services(
        duck,
        pools,
        PlanCache(),
        LongTexts(),
        cast(Any, None),
        {},
        cast(Any, None),
        cast(Any, None),
        cast(Any, None),
        {},
        tuple,
        None,
        "",
        StageService(directory / "stages", duck),
        "snowflake",
    )
    pool = pools.of(Login("bench", None))
    client = _transport()
    link = ClientLink(lambda link: None)
    session = Session(services, link)
    link.connection_made(client)
    link.protocol.ready()
    link.shortcut = session.shortcut
    session.relay.pool = pool
    session.relay.known_profile = pools.profiles.base
    pool.idle.extend(_backend(pools) for _ in range(_BACKENDS))
    session.plans.of_short(_SQL.format(1))
    (plan,) = session.plans.of_short(_SQL.format(10_000))
    statement = PreparedStatement("P0", plan)
    statement.relayed = relayed = RelayedStatement(_SQL.format("$1").encode() + bytes(3))
    relayed.result = (b"abalance",)
    text = session.relay.text(relayed)
    text.result = relayed.result
    session.extended.statements["P0"] = statement
    for backend in pool.idle:
        backend.prepared[text.name] = text
    link._arrival = asyncio.get_running_loop().create_future()
    for name, (requests, answer) in (("simple", _simple()), ("prepared", _prepared())):
        best = float("inf")
        for _ in range(rounds):
            before = client.written
            begun = time.process_time()
            for n in range(count):
                link.data_received(requests[n % 10_000])
                assert session.relay.backend is not None, "not taken by the shortcut"
                session.relay.backend.data_received(answer)
            best = min(best, time.process_time() - begun)
            if client.written - before != count:
                raise SystemExit(f"{name}: {client.written - before} answers of {count}")
        print(f"{name:10} {1e6 * best / count:5.2f} us an exchange")
    duck.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hdb") as directory:
        asyncio.run(_measure(Path(directory), args.count, args.rounds))


if __name__ == "__main__":
    main()
