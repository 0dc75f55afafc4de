"""The wire's speed beside its peers: one command, one run, a table of ratios.

    python -m bench.wire [--rounds 5] [--only text,simple] [--slow]

Everything runs on this machine, in turns, with the same rows in every server. bench/README.md says
what each line means and what its numbers can be trusted for.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb

from bench import measures, peers
from bench.measures import MEASURES, Bench, Note, Row
from bench.peers import Peer, Unavailable
from proxy.engines.duck import c as duckdb_c

_LINE = "{:58} {:>12} {:>12}  {:15} {:>9} {:>11}  {}"


def _text(value: float, unit: str) -> str:
    return f"{value:,.{2 if value < 10 else 0}f} {unit}"


def _line(row: Row) -> str:
    relative = bool(row.theirs) and not row.absolute and not row.over
    judged = f"{row.judged:.2f}x" if relative else _text(row.judged, row.unit)
    limit = verdict = ""
    if row.most is not None:
        limit = f"<= {row.most:g}x" if relative else f"<= {row.most:g} {row.unit}"
        verdict = "ok" if row.judged <= row.most else "NOT"
    theirs = _text(statistics.median(row.theirs), row.unit) if row.theirs else ""
    shown = f"+{judged}" if row.over and row.judged >= 0 else judged
    ours = _text(statistics.median(row.ours), row.unit)
    return _LINE.format(row.what, ours, theirs, row.peer, shown, limit, verdict).rstrip()


def _prepare(stack: ExitStack, rounds: int, slow: bool) -> Bench:
    """Starts the servers and fills their tables."""
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hatidata-bench-")))
    root.chmod(0o755)  # Postgres is another user when root starts it

    def directory(name: str) -> Path:
        (root / name).mkdir()
        return root / name

    csv, file = root / "wide.csv", root / "in_process.duckdb"
    duck = duckdb.connect(str(file))
    duck.execute(f"create table wide as {measures.ROWS_OF}")
    duck.execute(f"copy wide to '{csv}' (format csv, header false)")
    beside = directory("buenavista") / "wide.duckdb"
    duck.execute(f"attach '{beside}' as beside")
    duck.execute("create table beside.wide as from wide")
    duck.execute("detach beside")
    ours = stack.enter_context(peers.hatidata(directory("hatidata")))
    others = [stack.enter_context(peers.postgres(directory("postgres")))]
    for peer in (ours, *others):
        measures.create(peer, duck, csv)
    try:
        others.append(stack.enter_context(peers.buenavista(beside.parent, beside)))
    except Unavailable as error:
        print(f"without buenavista: {error}")
    # One process cannot open a file by both of DuckDB's APIs: the C API gets a copy.
    copy = root / "c_api.duckdb"
    duck.execute("checkpoint")
    duck.execute(f"attach '{copy}' as copied")
    duck.execute("create table copied.wide as from wide")
    duck.execute("detach copied")
    database = duckdb_c.Database(str(copy))
    stack.callback(database.close)
    stack.callback(duck.close)
    return Bench(ours, others, duck, database, csv, rounds, slow)


def _measured(bench: Bench, names: list[str]) -> Iterator[Row | Note]:
    for name in names:
        try:
            yield from MEASURES[name](bench)
        except (Unavailable, OSError) as error:
            yield Note(name, str(error) or type(error).__name__)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; the exit code is 0 when every limit was kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.wire", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement")
    parser.add_argument("--only", help=f"some of: {','.join(MEASURES)}")
    parser.add_argument("--slow", action="store_true", help="the result of 50 million rows, too")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else list(MEASURES)
    if unknown := set(names) - set(MEASURES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    kept = True
    with ExitStack() as stack:
        try:
            bench = _prepare(stack, options.rounds, options.slow)
        except Unavailable as error:
            print(f"cannot measure: {error}", file=sys.stderr)
            return 2
        print(_about(bench.servers, options.rounds))
        print(_LINE.format("what", "ours", "peer", "", "ratio", "must reach", ""))
        for row in _measured(bench, names):
            if isinstance(row, Note):
                print(f"{row.what:58} skipped: {row.why}", flush=True)
                continue
            print(_line(row), flush=True)
            kept &= row.most is None or row.judged <= row.most
    return 0 if kept else 1


def _about(servers: list[Peer], rounds: int) -> str:
    names = ", ".join(peer.name for peer in servers)
    load = os.getloadavg()[0]
    return (
        f"{names}, DuckDB {duckdb.__version__}; {os.cpu_count()} CPUs, load {load:.1f}; "
        f"median of {rounds} rounds in turns"
    )


if __name__ == "__main__":
    sys.exit(main())
