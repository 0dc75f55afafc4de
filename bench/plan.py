"""What a plan costs: a miss against bare sqlglot, a hit against nothing.

The peer is sqlglot itself (`sqlglot.transpile`, compiled, from Snowflake's to DuckDB's), which takes turns
with us on the same statements in the same process: every statement of the Snowflake case file that
becomes one of DuckDB's, TPC-H, and TPC-DS. A miss is what a session does for a text that the cache does
not have, up to the plan: the cache, tokens, readers of words, the parser, what the session settles, the
route, rules, the generator, names of outputs. It should cost at most 1.3 times as much as the peer on
the median statement, a hit at most 10 microseconds. Times are the thread's own (CPU), so that what else
the machine does counts little.

Not in it is what a session does once for a statement that writes literals into columns, or that is
Postgres's: it asks DuckDB for the columns' types (`proxy.session.typed`), which is no plan's but a session's.

    python -m bench.plan [rounds]
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import sqlglot

from proxy.errors import SqlError
from proxy.sql.plan import Dialect, PlanCache

_CASES = Path(__file__).parent.parent / "tests" / "data" / "snowflake_cases.jsonl"
_TPCH = Path(__file__).parent.parent / "proxy" / "demo" / "tpch"
_DIALECT = Dialect(database="hatidata")


def _tpcds() -> list[str]:
    """The 99 queries, which DuckDB's extension has; [] where its wheel is not installed."""
    spec = importlib.util.find_spec("duckdb_extension_tpcds")
    if spec is None or spec.origin is None:
        return []
    [file] = Path(spec.origin).parent.rglob("tpcds.duckdb_extension")
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{file}'")
        return [query for _, query in connection.execute("FROM tpcds_queries()").fetchall()]


def _taken(work: Callable[[], object]) -> int:
    """Nanoseconds of this thread."""
    start = time.thread_time_ns()
    work()
    return time.thread_time_ns() - start


def _both(statement: str, rounds: int) -> tuple[float, float] | None:
    """Microseconds of a miss and of the peer; None where either cannot read the statement."""
    cache = PlanCache(capacity=0)
    try:
        if any(plan.refused or not plan.sql for plan in cache.plan(statement, _DIALECT)):
            return None
        sqlglot.transpile(statement, read="snowflake", write="duckdb")
    except (SqlError, sqlglot.errors.SqlglotError, ValueError):
        return None
    ours, peer = [], []
    for _ in range(rounds):
        ours.append(_taken(lambda: cache.plan(statement, _DIALECT)))
        peer.append(_taken(lambda: sqlglot.transpile(statement, read="snowflake", write="duckdb")))
    return statistics.median(ours) / 1e3, statistics.median(peer) / 1e3


def _report(name: str, statements: Iterable[str], rounds: int) -> None:
    pairs = [pair for statement in statements if (pair := _both(statement, rounds))]
    if not pairs:
        return
    ratios = [ours / peer for ours, peer in pairs]
    print(
        f"{name:8} {len(pairs):4} statements   miss {statistics.median(o for o, _ in pairs):7.0f} us"
        f"   sqlglot {statistics.median(p for _, p in pairs):7.0f} us"
        f"   median ratio {statistics.median(ratios):.2f}   worst {max(ratios):.2f}"
    )


def main(rounds: int = 15) -> None:
    """Print the ratios."""
    cases = map(json.loads, _CASES.read_text().splitlines())
    _report("cases", (case["sql"] for case in cases), rounds)
    _report("tpch", (path.read_text() for path in sorted(_TPCH.glob("*.sql"))), rounds)
    _report("tpcds", _tpcds(), rounds)
    cache = PlanCache()
    text = "select l_returnflag, sum(l_quantity) from lineitem where l_shipdate < current_date"
    cache.plan(text, _DIALECT)
    hits = 100_000
    taken = _taken(lambda: [cache.plan(text, _DIALECT) for _ in range(hits)])
    print(f"hit      {taken / hits / 1e3:.2f} us")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
