"""What the catalog's mirror costs: DDL with it and without it, and finding back to the truth.

    python -m bench.catalog [definitions|reconciling ...] [--tables N] [--each N]

CPU is what the proxy and all processes of its Postgres have used, from /proc, per statement: the
machine may do something else meanwhile.

definitions  one statement of each kind, alone ("with") and in a block that is rolled back
             ("without": the mirror never hears of it), in both dialects, in a database without tables
             and in one of --tables tables of ten columns with keys. Shall not depend on how many
             tables there are, nor on what was rolled back before. The client waits for little of it:
             "later" is how much longer the median statement is until it is answered, one after
             another without a pause, and shall be a few ms at most.
reconciling  --tables tables of ten columns, at the first start and at one after which nothing has
             changed, beside a psql-like script of one connection that makes the same tables in
             another database of the same Postgres. The first shall be near the script, the second
             about a second for 5,000 tables.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
import psycopg
from psycopg.conninfo import make_conninfo

import runtime_sql
from catalog import mirror as catalog_mirror
from proxy.demo.server import ServerProcess
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.duck.names import DATABASE
from proxy.engines.embedded import EmbeddedPostgres, own_database
from proxy.mirror.mirroring import Mirror

COLUMNS = ", ".join(
    f"c{number} {kind}"
    for number, kind in enumerate(
        ("INTEGER", "VARCHAR NOT NULL", "BIGINT DEFAULT 0", "DATE", "TIMESTAMP", "BOOLEAN",
         "DECIMAL(18, 2)", "DOUBLE", "UUID", "VARCHAR DEFAULT 'x'")
    )
)  # fmt: skip


class Definition(NamedTuple):
    """{n} in the texts is another number each time; several statements stand with `; ` between them.

    before: makes what the statement needs. after: takes away what is there once it was made; undo: what
    is there once it was rolled back. dialect: the only one that has it, '' for both.
    """

    name: str
    statement: str
    after: str = ""
    before: str = ""
    undo: str = ""
    dialect: str = ""


_TABLE = {"before": "CREATE TABLE d{n} (a int, b int)", "undo": "DROP TABLE d{n}"}
_ALTERED = {**_TABLE, "after": "DROP TABLE d{n}"}
_READ = {
    "before": f"{_TABLE['before']}; CREATE VIEW w{{n}} AS SELECT a FROM d{{n}}",
    "after": "DROP VIEW w{n}; DROP TABLE d{n}",
    "undo": "DROP VIEW w{n}; DROP TABLE d{n}",
}
_VIEW = {"before": "CREATE VIEW d{n} AS SELECT 1 AS a", "undo": "DROP VIEW d{n}"}

DEFINITIONS: tuple[Definition, ...] = (
    Definition("CREATE TABLE", "CREATE TABLE d{n} (a int, b text)", "DROP TABLE d{n}"),
    Definition(
        "CREATE TABLE, keys",
        "CREATE TABLE d{n} (a int PRIMARY KEY, b varchar(20) UNIQUE, c int CHECK (c > 0))",
        "DROP TABLE d{n}",
        dialect="postgres",
    ),
    Definition(
        "CREATE TABLE, keys",
        "CREATE TABLE d{n} (a int PRIMARY KEY, b varchar(20) UNIQUE, c int NOT NULL)",
        "DROP TABLE d{n}",
        dialect="snowflake",
    ),
    Definition(
        "CREATE TABLE, foreign key",
        "CREATE TABLE d{n} (a int PRIMARY KEY, b int REFERENCES parents (a))",
        "DROP TABLE d{n}",
    ),
    Definition(
        "CREATE TABLE, serial",
        "CREATE TABLE d{n} (a serial PRIMARY KEY)",
        "DROP TABLE d{n}",
        dialect="postgres",
    ),
    Definition(
        "CREATE TABLE, identity",
        "CREATE TABLE d{n} (a int GENERATED ALWAYS AS IDENTITY, b text)",
        "DROP TABLE d{n}",
        dialect="postgres",
    ),
    Definition(
        "CREATE TABLE, identity",
        "CREATE TABLE d{n} (a int AUTOINCREMENT, b text)",
        "DROP TABLE d{n}",
        dialect="snowflake",
    ),
    Definition(
        "CREATE TABLE AS", "CREATE TABLE d{n} AS SELECT 1 AS a, 'x' AS b", "DROP TABLE d{n}"
    ),
    Definition("DROP TABLE", "DROP TABLE d{n}", **_TABLE),
    Definition("CREATE VIEW", "CREATE VIEW d{n} AS SELECT a FROM fixed", "DROP VIEW d{n}"),
    Definition(
        "CREATE OR REPLACE VIEW", "CREATE OR REPLACE VIEW d AS SELECT a, {n} AS b FROM fixed"
    ),
    Definition("DROP VIEW", "DROP VIEW d{n}", **_VIEW),
    Definition("RENAME VIEW", "ALTER VIEW d{n} RENAME TO e{n}", "DROP VIEW e{n}", **_VIEW),
    Definition("CREATE SEQUENCE", "CREATE SEQUENCE d{n}", "DROP SEQUENCE d{n}"),
    Definition("CREATE INDEX", "CREATE INDEX i{n} ON d{n} (a)", **_ALTERED, dialect="postgres"),
    Definition(
        "DROP INDEX",
        "DROP INDEX i{n}",
        "DROP TABLE d{n}",
        "CREATE TABLE d{n} (a int); CREATE INDEX i{n} ON d{n} (a)",
        "DROP TABLE d{n}",
        dialect="postgres",
    ),
    Definition("COMMENT ON TABLE", "COMMENT ON TABLE fixed IS 'no {n}'"),
    Definition("COMMENT ON COLUMN", "COMMENT ON COLUMN fixed.a IS 'no {n}'"),
    Definition("RENAME TABLE", "ALTER TABLE d{n} RENAME TO e{n}", "DROP TABLE e{n}", **_TABLE),
    Definition("RENAME COLUMN", "ALTER TABLE d{n} RENAME COLUMN a TO c", **_ALTERED),
    Definition("ADD COLUMN", "ALTER TABLE d{n} ADD COLUMN c int", **_ALTERED),
    Definition("ADD COLUMN, under a view", "ALTER TABLE d{n} ADD COLUMN c int", **_READ),
    Definition(
        "ADD COLUMN, with default", "ALTER TABLE d{n} ADD COLUMN c int DEFAULT 1", **_ALTERED
    ),
    Definition("DROP COLUMN", "ALTER TABLE d{n} DROP COLUMN b", **_ALTERED),
    Definition(
        "ALTER COLUMN, type",
        "ALTER TABLE d{n} ALTER COLUMN a TYPE bigint",
        **_ALTERED,
        dialect="postgres",
    ),
    Definition(
        "ALTER COLUMN, not null", "ALTER TABLE d{n} ALTER COLUMN a SET NOT NULL", **_ALTERED
    ),
    Definition(
        "ADD CONSTRAINT, check",
        "ALTER TABLE d{n} ADD CONSTRAINT p{n} CHECK (a > 0)",
        **_ALTERED,
        dialect="postgres",
    ),
    Definition("ADD PRIMARY KEY", "ALTER TABLE d{n} ADD PRIMARY KEY (a)", **_ALTERED),
    Definition(
        "ADD CONSTRAINT, unique", "ALTER TABLE d{n} ADD CONSTRAINT u{n} UNIQUE (a)", **_ALTERED
    ),
    Definition("CREATE SCHEMA", "CREATE SCHEMA s{n}", "DROP SCHEMA s{n}"),
)


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
    """A DuckDB file as a server leaves it, with `count` tables of ten columns, and two more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("BEGIN")
        for number in range(count):
            connection.execute(f"CREATE TABLE t{number} ({COLUMNS}, PRIMARY KEY (c0))")
        connection.execute("CREATE TABLE fixed (a INTEGER)")
        connection.execute("CREATE TABLE parents (a INTEGER PRIMARY KEY)")
        connection.execute("COMMIT")


# --- definitions ----------------------------------------------------------------------------------


_SETTLED = "SELECT FROM pg_class LIMIT 1"  # who asks the catalog waits until the mirror is there


def _measured(
    connection: psycopg.Connection,
    pids: tuple[int, int],
    kind: Definition,
    numbers: range,
    mirrored: bool,
) -> tuple[float, float]:
    """Milliseconds a statement: of CPU, and until it is answered. mirrored: else in a block of its own,
    which is rolled back."""

    def run(script: str, number: int) -> None:
        for part in filter(None, script.split("; ")):
            connection.execute(part.format(n=number).encode())

    answered = []
    for number in numbers:
        run(kind.before, number)
    connection.execute(_SETTLED)
    began = cpu(*pids)
    for number in numbers:
        if not mirrored:
            connection.execute("BEGIN")
        sent = time.perf_counter()
        run(kind.statement, number)
        answered.append(time.perf_counter() - sent)
        if not mirrored:
            connection.execute("ROLLBACK")
    connection.execute(_SETTLED)
    spent = cpu(*pids) - began
    for number in numbers:
        run(kind.after if mirrored else kind.undo, number)
    return spent / len(numbers) * 1000, statistics.median(answered) * 1000


@contextmanager
def _serving(tables: int) -> Iterator[tuple[psycopg.Connection, tuple[int, int]]]:
    with tempfile.TemporaryDirectory(prefix="hdbench") as name:
        directory = Path(name)
        many_tables(directory / "data" / f"{DATABASE}.duckdb", tables)
        with (
            ServerProcess(directory) as server,
            psycopg.connect(f"{server.url}?user=bench", autocommit=True) as connection,
        ):
            yield connection, (server.pid, postmaster(directory))


def definitions(tables: int, each: int) -> None:
    numbers = itertools.count()
    with _serving(0) as few, _serving(tables) as many:
        for dialect in ("postgres", "snowflake"):
            print(f"definitions, {dialect}: ms of CPU a statement, {each} of each, with the mirror")
            print("  and without it, what the mirror adds, and by how much later it is answered")
            print(
                f"  {'':25} {'no tables':>24} {'later':>8}  {f'{tables:,} tables':>24} {'later':>8}"
            )
            for connection, _ in (few, many):
                connection.execute(f"SET hatidata.dialect = '{dialect}'".encode())
            for kind in DEFINITIONS:
                if kind.dialect not in ("", dialect):
                    continue
                told = f"  {kind.name:25}"
                for served in (few, many):
                    costs = []
                    for mirrored in (True, False):
                        first = next(numbers) * each
                        costs.append(_measured(*served, kind, range(first, first + each), mirrored))
                    (made, answered), (plain, at_once) = costs
                    told += f" {made:8.2f} {plain:6.2f} {made - plain:+8.2f} {answered - at_once:+8.2f}  "
                print(told.rstrip(), flush=True)


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
