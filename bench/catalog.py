"""What the catalog's mirror costs: DDL with it and without it, and finding back to the truth.

    python -m bench.catalog [definitions|reconciling ...] [--tables N] [--each N]

CPU is what the proxy and all processes of its Postgres have used, from /proc, per statement: the
machine may do something else meanwhile.

definitions  one statement of each kind, alone ("with": its mirror is made before it is answered) and
             in a block that is rolled back ("without": the mirror never hears of it), in a database
             without tables and in one of --tables tables of ten columns with keys. Shall not depend
             on how many tables there are, and be a few milliseconds more than without.
reconciling  --tables tables of ten columns, at the first start and at one after which nothing has
             changed, beside a psql-like script of one connection that makes the same tables in
             another database of the same Postgres. The first shall be near the script, the second
             about a second for 5,000 tables.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
from psycopg.conninfo import make_conninfo

import runtime_sql
from catalog import mirror as catalog_mirror
from proxy.demo.server import ServerProcess
from proxy.engines.duck import DuckEngine
from proxy.engines.duck_names import DATABASE
from proxy.engines.embedded import EmbeddedPostgres, own_database
from proxy.mirroring import Mirror

COLUMNS = ", ".join(
    f"c{number} {kind}"
    for number, kind in enumerate(
        ("INTEGER", "VARCHAR NOT NULL", "BIGINT DEFAULT 0", "DATE", "TIMESTAMP", "BOOLEAN",
         "DECIMAL(18, 2)", "DOUBLE", "UUID", "VARCHAR DEFAULT 'x'")
    )
)  # fmt: skip

DEFINITIONS: tuple[tuple[str, str, str, str], ...] = (
    # name, what is run before, the statement, what is run after: {n} is another number each time
    ("CREATE TABLE", "", "CREATE TABLE d{n} (a int, b text)", "DROP TABLE d{n}"),
    (
        "CREATE TABLE with keys",
        "",
        "CREATE TABLE d{n} (a int PRIMARY KEY, b varchar(20) UNIQUE, c int CHECK (c > 0))",
        "DROP TABLE d{n}",
    ),
    ("CREATE TABLE, serial", "", "CREATE TABLE d{n} (a serial PRIMARY KEY)", "DROP TABLE d{n}"),
    ("CREATE TABLE AS", "", "CREATE TABLE d{n} AS SELECT 1 AS a, 'x' AS b", "DROP TABLE d{n}"),
    ("DROP TABLE", "CREATE TABLE d{n} (a int)", "DROP TABLE d{n}", ""),
    ("CREATE VIEW", "", "CREATE VIEW d{n} AS SELECT 1 AS a", "DROP VIEW d{n}"),
    ("CREATE OR REPLACE VIEW", "", "CREATE OR REPLACE VIEW d AS SELECT 1 AS a", ""),
    ("CREATE SEQUENCE", "", "CREATE SEQUENCE d{n}", "DROP SEQUENCE d{n}"),
    ("CREATE INDEX", "CREATE TABLE d{n} (a int)", "CREATE INDEX i{n} ON d{n} (a)", "DROP TABLE d{n}"),
    (
        "DROP INDEX",
        "CREATE TABLE d{n} (a int); CREATE INDEX i{n} ON d{n} (a)",
        "DROP INDEX i{n}",
        "DROP TABLE d{n}",
    ),
    ("COMMENT ON TABLE", "", "COMMENT ON TABLE fixed IS 'no {n}'", ""),
    ("COMMENT ON COLUMN", "", "COMMENT ON COLUMN fixed.a IS 'no {n}'", ""),
    ("RENAME TABLE", "CREATE TABLE d{n} (a int)", "ALTER TABLE d{n} RENAME TO e{n}", "DROP TABLE e{n}"),
    ("ADD COLUMN", "CREATE TABLE d{n} (a int)", "ALTER TABLE d{n} ADD COLUMN b int", "DROP TABLE d{n}"),
    (
        "ADD CONSTRAINT",
        "CREATE TABLE d{n} (a int)",
        "ALTER TABLE d{n} ADD CONSTRAINT p{n} CHECK (a > 0)",
        "DROP TABLE d{n}",
    ),
    ("CREATE SCHEMA", "", "CREATE SCHEMA s{n}", "DROP SCHEMA s{n}"),
)  # fmt: skip


def cpu(*trees: int) -> float:
    """Seconds of CPU of these processes and all that they started, the ended ones included."""
    parents: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            fields = (process / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(process.name))
        used[int(process.name)] = sum(int(field) for field in fields[11:15])
    ticks, left = 0, list(trees)
    while left:
        process_id = left.pop()
        ticks += used.get(process_id, 0)
        left += parents.get(process_id, [])
    return ticks / os.sysconf("SC_CLK_TCK")


def postmaster(directory: Path) -> int:
    found = next(directory.rglob("postmaster.pid"))
    return int(found.read_text().splitlines()[0])


def many_tables(path: Path, count: int) -> None:
    """A DuckDB file as a server leaves it, with `count` tables of ten columns, and one more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("BEGIN")
        for number in range(count):
            connection.execute(f"CREATE TABLE t{number} ({COLUMNS}, PRIMARY KEY (c0))")
        connection.execute("CREATE TABLE fixed (a INTEGER)")
        connection.execute("COMMIT")


# --- definitions ----------------------------------------------------------------------------------


def _measured(
    connection: psycopg.Connection,
    pids: tuple[int, int],
    kind: tuple[str, ...],
    each: int,
    block: bool,
) -> float:
    """Milliseconds of CPU a statement."""
    _, before, statement, after = kind
    names = iter(range(_measured.used, _measured.used + each))  # type: ignore[attr-defined]
    _measured.used += each  # type: ignore[attr-defined]
    total = 0.0
    numbers = list(names)

    def run(script: str, number: int) -> None:
        for part in filter(None, script.split("; ")):
            connection.execute(part.format(n=number).encode())

    for number in numbers:
        run(before, number)
    began = cpu(*pids)
    for number in numbers:
        if block:
            connection.execute("BEGIN")
        run(statement, number)
        if block:
            connection.execute("ROLLBACK")
    total += cpu(*pids) - began
    for number in numbers:
        run(
            before.replace("CREATE TABLE", "DROP TABLE IF EXISTS").partition(" (")[0]
            if block
            else after,
            number,
        )
    return total / each * 1000


_measured.used = 0  # type: ignore[attr-defined]


@contextmanager
def _serving(tables: int) -> Iterator[tuple[psycopg.Connection, tuple[int, int]]]:
    with tempfile.TemporaryDirectory(prefix="hdbench") as name:
        directory = Path(name)
        many_tables(directory / "data" / f"{DATABASE}.duckdb", tables)
        with (
            ServerProcess(directory) as server,
            psycopg.connect(f"{server.url}?user=bench", autocommit=True) as connection,
        ):
            connection.execute("SET hatidata.dialect = 'postgres'")
            yield connection, (server.pid, postmaster(directory))


def definitions(tables: int, each: int) -> None:
    print(f"definitions: ms of CPU a statement, {each} of each; with the mirror and without")
    print(f"  {'':24} {'no tables':>17}   {f'{tables:,} tables':>17}")
    with _serving(0) as few, _serving(tables) as many:
        for kind in DEFINITIONS:
            costs = [
                _measured(*served, kind, each, block)
                for served in (few, many)
                for block in (False, True)
            ]
            print(
                f"  {kind[0]:24} {costs[0]:8.2f} {costs[1]:8.2f}   {costs[2]:8.2f} {costs[3]:8.2f}"
                f"   {costs[2] - costs[3]:+7.2f} ms",
                flush=True,
            )


# --- reconciling ----------------------------------------------------------------------------------


def _plainly(conninfo: str, tables: int) -> None:
    """The floor: one connection makes the same tables in a database of their own."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE DATABASE floor")
    with psycopg.connect(make_conninfo(conninfo, dbname="floor"), autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        columns = COLUMNS.replace("DOUBLE", "DOUBLE PRECISION").replace("VARCHAR", "text")
        for first in range(0, tables, 200):
            with connection.transaction():
                for number in range(first, min(first + 200, tables)):
                    connection.execute(
                        f"CREATE TABLE t{number} ({columns}, PRIMARY KEY (c0))".encode()
                    )


def reconciling(tables: int, each: int) -> None:
    with tempfile.TemporaryDirectory(prefix="hdbench") as name:
        directory = Path(name)
        path = directory / f"{DATABASE}.duckdb"
        many_tables(path, tables)
        postgres = EmbeddedPostgres(directory / "postgres")
        try:
            conninfo = own_database(postgres.conninfo)
            runtime_sql.migrate(conninfo)
            secret = catalog_mirror.install(conninfo, own_server=True)
            pids = os.getpid(), postmaster(directory)
            duck = DuckEngine(path)

            def spent(what: Callable[[], None]) -> tuple[float, float]:
                """Of both, and of ours alone."""
                before, own = cpu(*pids), cpu(pids[0])
                what()
                return cpu(*pids) - before, cpu(pids[0]) - own

            floor, _ = spent(lambda: _plainly(conninfo, tables))
            mirror = Mirror(duck, conninfo, secret)
            first, first_own = spent(mirror.reconcile)
            again, again_own = spent(mirror.reconcile)
            mirror.close()
            duck.close()
            print(f"reconciling: {tables:,} tables of ten columns, s of CPU (of it in the proxy)")
            print(f"  a script of CREATE TABLEs   {floor:6.2f}")
            print(
                f"  the first start             {first:6.2f} ({first_own:.2f})   {first / floor:.2f}x"
            )
            print(
                f"  nothing has changed         {again:6.2f} ({again_own:.2f})   {again / floor:.2f}x"
            )
        finally:
            postgres.stop()


def main() -> None:
    parts: dict[str, Callable[[int, int], None]] = {
        "definitions": definitions,
        "reconciling": reconciling,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(parts))
    parser.add_argument("--tables", type=int, default=5_000)
    parser.add_argument("--each", type=int, default=40)
    arguments = parser.parse_args()
    for name in arguments.parts:
        parts[name](arguments.tables, arguments.each)


if __name__ == "__main__":
    main()
