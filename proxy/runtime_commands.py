"""`hatidata runtime ...`: what an operator does to the agent runtime from a shell.

Why it exists: migrations, checks and archives must be possible without a client, before the first
start and while a server runs. Each command works on the Postgres that `--postgres` (or
HATIDATA_POSTGRES) names, else on the embedded one under the data directory: over its socket while a
server runs it, else started for the command and stopped again.

Exit code 0: done, up to date, sound. 1: not so, or it could not be done; the reason is on standard
error. 2: the command line is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import psycopg
import typer

import runtime_sql
from catalog import roles
from proxy import config, data_directory

app = typer.Typer(help="Look after the agent runtime, hd_runtime.", no_args_is_help=True)

_Postgres = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        envvar="HATIDATA_POSTGRES",
        help="DSN of the Postgres that holds hd_runtime. Default: the embedded one.",
    ),
]
_DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="HATIDATA_DATA_DIR", help="Data directory of the embedded Postgres."
    ),
]
_DEFAULT_DIRECTORY: Path = config.Settings.model_fields["data_dir"].default


class _Failure(Exception):
    """The command cannot be done; the text is for the person who gave it."""


@app.command()
def migrate(
    postgres: _Postgres = None,
    data_dir: _DataDir = _DEFAULT_DIRECTORY,
    search_path: Annotated[
        bool,
        typer.Option(
            help="Also set the database's search_path, so that functions need no schema name."
        ),
    ] = True,
) -> None:
    """Bring hd_runtime up to date. Safe at any time, from any number of places at once."""
    with _database(postgres, data_dir, create=True) as conninfo:
        report = runtime_sql.migrate(conninfo, set_search_path=search_path)
    print(report)
    for name in (*report.migrations, *report.definitions):
        print(f"  {name}")


@app.command()
def status(postgres: _Postgres = None, data_dir: _DataDir = _DEFAULT_DIRECTORY) -> None:
    """Say what is applied. Exit code 0 only if nothing is left to migrate."""
    with _database(postgres, data_dir) as conninfo:
        found = runtime_sql.status(conninfo)
    version = f"Postgres {found.server_version // 10000}.{found.server_version % 10000}"
    state = "up to date" if found.up_to_date else "not up to date"
    print(f"hd_runtime in database {found.database} ({version}): ", end="")
    print(state if found.installed else "not installed")
    migrations = [file for file in found.files if file.name.startswith("migrations/")]
    for what, files in (
        ("migrations", migrations),
        ("definitions", [file for file in found.files if file not in migrations]),
    ):
        applied = sum(file.state == "applied" for file in files)
        print(f"  {what}: {applied} of {len(files)} applied")
    if found.installed:
        print(f"  search_path: {found.search_path}")
        for file in found.files:
            if file.state != "applied":
                print(f"  {file.name} is {file.state}")
    if found.problem:
        print(f"hatidata: {found.problem}", file=sys.stderr)
    if not found.up_to_date:
        raise typer.Exit(1)


@app.command()
def check(
    postgres: _Postgres = None,
    data_dir: _DataDir = _DEFAULT_DIRECTORY,
    events: Annotated[
        bool,
        typer.Option(
            "--events",
            help="Also recompute every event's hash, outside the database, archived months included.",
        ),
    ] = False,
) -> None:
    """Look for whatever is wrong with hd_runtime. Writes nothing; a line for each problem."""
    with _database(postgres, data_dir) as conninfo:
        problems = runtime_sql.check(conninfo)
        if events and not problems:
            problems = runtime_sql.verify_trail(conninfo)
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)
    print("hd_runtime is sound")


@app.command()
def archive(
    before: Annotated[
        str,
        typer.Option(
            "--before", metavar="DATE", help="Months that ended before this day (2026-01-31)."
        ),
    ],
    postgres: _Postgres = None,
    data_dir: _DataDir = _DEFAULT_DIRECTORY,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="Directory of the Parquet files. Default: archive, in the data directory."
        ),
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Also drop the detached tables; the files remain.")
    ] = False,
) -> None:
    """Write old months of the audit trail to Parquet, verify them, and take them out of the table."""
    day = _day(before)
    with _database(postgres, data_dir) as conninfo:
        months = runtime_sql.archive(conninfo, day, to or data_dir / "archive", drop=drop)
    for month in months:
        print(f"{month.month:%Y-%m}: {month.events:,} events, {month.path} sha256:{month.sha256}")
    if not months:
        print(f"no month of events that ended before {day} is left in the table")


@app.command()
def operator(
    name: Annotated[str, typer.Argument(help="The user name that the operator connects with.")],
    postgres: _Postgres = None,
    data_dir: _DataDir = _DEFAULT_DIRECTORY,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make them an agent again.")] = False,
) -> None:
    """Let a user cancel, recover and decide reviews (role hd_operator), from the next statement on."""
    with _database(postgres, data_dir) as conninfo:
        roles.set_operator(conninfo, name, operator=not revoke, create=postgres is None)
    print(f"{name} is {'an agent' if revoke else 'an operator'}")


def _day(text: str) -> date:
    for form in ("%Y-%m-%d", "%Y-%m"):
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise typer.BadParameter(
        f"{text!r} is not a day: write 2026-01-31, or 2026-01 for the first of that month",
        param_hint="--before",
    )


@contextmanager
def _database(postgres: str | None, directory: Path, create: bool = False) -> Iterator[str]:
    """The database's connection string; what goes wrong becomes a line and exit code 1.

    create: an embedded Postgres that is not there yet is made.
    """
    try:
        if postgres is not None:
            yield postgres
        else:
            with _embedded(directory.resolve(), create) as conninfo:
                yield conninfo
    except (
        _Failure,
        OSError,
        RuntimeError,
        psycopg.Error,
        roles.RoleRefused,
        runtime_sql.ArchiveError,
        runtime_sql.MigrationError,
    ) as error:
        print(f"hatidata: {str(error).strip()}", file=sys.stderr)
        raise typer.Exit(1) from None


@contextmanager
def _embedded(directory: Path, create: bool) -> Iterator[str]:
    from proxy.engines.embedded import EmbeddedPostgres, own_database, running_conninfo

    if not create and not (directory / "postgres").is_dir():
        raise _Failure(
            f"there is no embedded Postgres in {directory}:"
            " name another data directory, or a server with --postgres"
        )
    try:
        held = data_directory.hold(directory)
    except data_directory.DirectoryInUse as error:
        conninfo = running_conninfo(directory / "postgres")
        if conninfo is None:
            raise _Failure(
                f"the server with pid {error.holder} has no embedded Postgres running in"
                f" {directory}: it is starting, or was given one with --postgres; do so here too"
            ) from None
        yield conninfo
        return
    with held:
        server = EmbeddedPostgres(directory / "postgres")
        try:
            yield own_database(server.conninfo)
        finally:
            server.stop()
