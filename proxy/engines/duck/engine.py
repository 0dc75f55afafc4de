"""The analytical engine: DuckDB in this process. One database, one connection a session (`session`).

Opens the file and closes the doors: what a client must not reach is shut before any is let in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from proxy.engines.crew import Crew
from proxy.engines.crossings import Crossings, Definition, SessionCrossings
from proxy.engines.declarations import Grammar
from proxy.engines.definition_texts import LISTINGS
from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck.errors import sql_error
from proxy.engines.duck.functions import Body
from proxy.engines.duck.opening import Furniture, opened
from proxy.engines.duck.session import DuckSession
from proxy.engines.freshness import Changes, Listing, Watch
from proxy.engines.known_tables import KnownTables, SessionTables
from proxy.engines.row_changes import RowStep
from proxy.engines.serial import SerialCommits
from proxy.engines.workers import Workers
from proxy.errors import SqlError

# Set on the instance before any client is let in. External access goes last: it cannot come back.
_INSTANCE_SETTINGS = (
    "SET GLOBAL errors_as_json = true",
    "SET GLOBAL arrow_lossless_conversion = true",
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL allow_community_extensions = false",
    "SET GLOBAL default_null_order = 'nulls_last_on_asc_first_on_desc'",
    "SET GLOBAL TimeZone = 'UTC'",
    # It unpacks all texts of a segment for one row of it: a point query took twice as long.
    "SET GLOBAL disabled_compression_methods = 'dict_fsst'",
    "SET GLOBAL enable_external_access = false",
)


class DuckEngine:
    """The open database of this process."""

    def __init__(
        self,
        path: Path,
        *,
        extensions: Iterable[str] = (),
        macros: Iterable[str] = (),
        functions: Iterable[tuple[str, tuple[str, ...], str, Body, bool]] = (),
        table_functions: Iterable[Callable[[duckdb_c.Connection], None]] = (),
        memory_limit: str | None = None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Opens or creates the file and closes the doors. Blocks. Raises `SqlError`.

        macros: SQL scripts that fill the attached database `_sf`.
        functions: what `Functions.register` takes, for each function that the macros call.
        table_functions: what adds one to the database.
        failed: told, on any thread, that an error has made the database useless until it is opened anew.
        """
        # Only from that format on may macros of one name differ in their parameters' types; a file
        # that is there keeps its own.
        settings = {
            "temp_directory": str(path.parent / "spill"),
            "storage_compatibility_version": "v1.4.0",
        }
        if memory_limit:
            settings["memory_limit"] = memory_limit
        given = (extensions, macros, functions, table_functions)
        furniture = Furniture(*map(tuple, given))
        try:
            self._database = opened(path, settings, furniture)
            connection = self._database.connect()
            self._calling = self._database.connect()
            try:
                self._functions = furniture.put_into(self._calling, connection, path.parent)
                for script in _INSTANCE_SETTINGS:
                    connection.run_script(script)
                if not memory_limit:
                    _leave_memory(connection)
                threads = connection.run("SELECT current_setting('threads')")[0][0]
                connection.run_script(f"SET GLOBAL external_threads = {threads}")
            finally:
                connection.close()
        except duckdb_c.DuckError as error:
            raise sql_error(error) from error
        except OSError as error:  # where the macros are kept
            raise SqlError("58030", str(error)) from error
        self._failed = failed
        self._workers = Workers("duck")
        self._crew = Crew(self._database, threads - 1)
        self._rows, self._definitions = Changes(), Changes()
        self._tables, self._grammar = KnownTables(), Grammar()
        self._crossings: Crossings[Definition] = Crossings()
        self._row_changes: Crossings[RowStep] = Crossings()
        self._serial_commits = SerialCommits()
        self._listings = {kind: Listing() for kind in LISTINGS}

    def session(self) -> DuckSession:
        tables = SessionTables(self._tables, self._grammar)
        watch = Watch(
            self._rows,
            self._definitions,
            tables,
            SessionCrossings(self._crossings),
            SessionCrossings(self._row_changes),
            self._listings,
        )
        return DuckSession(
            self._database.connect(),
            self._workers,
            self._crew,
            watch,
            self._serial_commits,
            self._failed,
        )

    def close(self) -> None:
        """Waits for what runs, writes the checkpoint. Every session must be closed before."""
        self._workers.close()
        self._crew.close()
        self._grammar.close()
        self._calling.close()
        self._database.close()


def _leave_memory(connection: duckdb_c.Connection) -> None:
    """DuckDB takes 80 % of the machine for itself alone; Postgres and what reads results need theirs."""
    ((limit,),) = connection.run("SELECT current_setting('memory_limit')")
    number, unit = limit.split()
    connection.run(f"SET GLOBAL memory_limit = '{float(number) * 0.75:.2f} {unit}'")
