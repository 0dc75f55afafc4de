"""What a plan costs: a miss against bare sqlglot, a hit against a dict.

The peer is sqlglot itself (`parse_one(...).sql("duckdb")`, compiled), on the same statements in the
same run: every statement of the Snowflake case file, and TPC-H in Snowflake's dialect. A miss does
more than the peer (splitting, routing, guarding, rewriting) and should cost at most 1.3 times as
much on the median statement; a hit should stay under 10 microseconds.

    python -m bench.plan [rounds]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import sqlglot

from proxy.errors import SqlError
from proxy.sql.plan import Dialect, PlanCache, plan_message
from tests.sql.cases import read_cases

_TPCH = Path(__file__).parent.parent / "proxy" / "demo" / "tpch"


def _microseconds(work: Callable[[], object], rounds: int) -> float:
    """The median time of `work` in microseconds."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


def _both(statement: str, rounds: int) -> tuple[float, float] | None:
    """Microseconds of a miss and of the peer; None where either cannot read the statement."""
    dialect = Dialect()
    try:
        if any(plan.refused or not plan.sql for plan in plan_message(statement, dialect)):
            return None
        sqlglot.transpile(statement, read="snowflake", write="duckdb")
    except (SqlError, sqlglot.errors.SqlglotError, ValueError):
        return None
    ours = _microseconds(lambda: plan_message(statement, dialect), rounds)
    peer = _microseconds(
        lambda: sqlglot.transpile(statement, read="snowflake", write="duckdb"), rounds
    )
    return ours, peer


def _report(name: str, statements: Iterable[str], rounds: int) -> None:
    pairs = [pair for statement in statements if (pair := _both(statement, rounds))]
    ratios = [ours / peer for ours, peer in pairs]
    print(
        f"{name:12} {len(pairs):4} statements   miss {statistics.median(o for o, _ in pairs):7.0f} us"
        f"   sqlglot {statistics.median(p for _, p in pairs):7.0f} us"
        f"   median ratio {statistics.median(ratios):.2f}   worst {max(ratios):.2f}"
    )


def main(rounds: int = 15) -> None:
    """Print the ratios."""
    _report("cases", (case["sql"] for case in read_cases()), rounds)
    _report("tpch", (path.read_text() for path in sorted(_TPCH.glob("*.sql"))), rounds)
    cache, dialect = PlanCache(), Dialect()
    text = "select l_returnflag, sum(l_quantity) from lineitem where l_shipdate < current_date"
    cache.plan(text, dialect)
    start = time.perf_counter()
    for _ in range(100_000):
        cache.plan(text, dialect)
    print(f"hit          {(time.perf_counter() - start) * 10:.2f} us")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
