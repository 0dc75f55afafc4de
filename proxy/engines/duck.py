"""The analytical engine: DuckDB in this process, driven from worker threads, never from the loop.

One database, one connection a session. Everything here that touches DuckDB blocks and says so; a
session calls it through `DuckSession.call`, which runs it in a thread (DuckDB and Arrow release the
GIL). A thread fetches *and* encodes, so what comes back to the loop is bytes ready for the socket,
a bounded piece at a time: memory does not grow with a result, and a slow client stops the scan.
All that depends on DuckDB's version is here and in `duckdb_c`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from proxy.engines import duckdb_c
from proxy.engines.duck_appender import Appender
from proxy.engines.duck_errors import sql_error
from proxy.engines.workers import Workers
from proxy.errors import SqlError
from proxy.wire.rows import RowEncoder
from proxy.wire.types import DuckType

T = TypeVar("T")

# One piece of a result: enough rows to make the kernels worth their call, few enough to bound memory.
_PIECE_ROWS = 1 << 16
_PIECE_BYTES = 1 << 22
_PIECE_SECONDS = 0.02  # a slow statement's rows are not held back longer for the sake of more

# Set on the instance before any client is let in. External access goes last: it cannot come back.
_INSTANCE_SETTINGS = (
    "SET GLOBAL errors_as_json = true",
    "SET GLOBAL arrow_lossless_conversion = true",
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL allow_community_extensions = false",
    "SET GLOBAL default_null_order = 'nulls_last_on_asc_first_on_desc'",
    "SET GLOBAL TimeZone = 'UTC'",
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
        memory_limit: str | None = None,
    ) -> None:
        """Opens or creates the file and closes the doors. Blocks. Raises `SqlError`.

        macros: SQL scripts that fill the attached in-memory database `_sf`.
        """
        settings = {"temp_directory": str(path.parent / "spill")}
        if memory_limit:
            settings["memory_limit"] = memory_limit
        try:
            self._database = duckdb_c.Database(str(path), settings)
            connection = self._database.connect()
            try:
                connection.run("ATTACH ':memory:' AS _sf")
                for name in extensions:
                    connection.run(f"LOAD '{_extension_file(name)}'")
                for script in (*macros, *_INSTANCE_SETTINGS):
                    connection.run_script(script)
            finally:
                connection.close()
        except duckdb_c.DuckError as error:
            raise sql_error(error) from error
        self._workers = Workers("duck")

    def session(self) -> DuckSession:
        return DuckSession(self._database.connect(), self._workers)

    def close(self) -> None:
        """Waits for what runs, writes the checkpoint. Every session must be closed before."""
        self._workers.close()
        self._database.close()


def _extension_file(name: str) -> Path:
    """The extension file inside the wheel `duckdb-extension-<name>`; nothing is downloaded."""
    package = f"duckdb_extension_{name}"
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise SqlError(
            "58P01",
            f'DuckDB extension "{name}" is not installed',
            hint=f"pip install duckdb-extension-{name}=={duckdb_c.VERSION.removeprefix('v')}",
        )
    version = duckdb_c.VERSION
    return Path(spec.origin).parent / "extensions" / version / f"{name}.duckdb_extension"


class DuckSession:
    """One client's connection to the engine. Its blocking methods are for `call` alone."""

    def __init__(self, connection: duckdb_c.Connection, workers: Workers) -> None:
        self._connection = connection
        self._workers = workers
        self._running = 0
        self._closed = False
        self._streaming: DuckPortal | None = None

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs a blocking function of this session in a worker thread. One at a time.

        If the caller is cancelled the statement is interrupted and its end awaited, so that no
        thread is left working on a connection that somebody else believes idle.
        """
        future = self._workers.submit(self._translate, function, *arguments)
        self._running += 1
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                self.interrupt()
                await asyncio.wait([future], timeout=0.05)
            if not future.cancelled():
                future.exception()
            raise
        finally:
            self._running -= 1

    async def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs in a worker thread what leaves the connection alone, beside what runs on it.

        If the caller is cancelled it goes on to its end, for nobody.
        """
        future = self._workers.submit(self._translate, function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    @staticmethod
    def _translate(function: Callable[..., T], *arguments: Any) -> T:
        try:
            return function(*arguments)
        except duckdb_c.DuckError as error:
            raise sql_error(error) from error
        except pa.ArrowMemoryError as error:
            raise SqlError("53200", "out of memory") from error

    def interrupt(self) -> None:
        """Stops the running statement (57014), if there is one. From any thread."""
        if self._running:
            self._connection.interrupt()

    # A connection streams one result at a time: whatever else it is asked to do would end the
    # stream, so the rows still to come are taken into memory first.

    def _detach(self) -> None:
        if self._streaming is not None:
            self._streaming.detach()
            self._streaming = None

    def prepare(self, sql: str) -> DuckStatement:
        """Blocks. Binds without running."""
        self._detach()
        return DuckStatement(self._connection.prepare(sql), sql)

    def start(self, statement: DuckStatement, values: Sequence[Any] = ()) -> DuckPortal:
        """Blocks. Runs it up to its first rows. values: (OID, value) for each of $1..$n."""
        self._detach()
        self._streaming = statement.start(values)
        return self._streaming

    def appender(self, sql: str, schema: pa.Schema, types: Sequence[DuckType]) -> Appender:
        """Blocks. Runs `sql` over batches of rows, to which it is the relation `copied`."""
        self._detach()
        return Appender(self._connection, sql, schema, types)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Blocks. For statements of our own: BEGIN, COMMIT, SET..."""
        self._detach()
        return self._connection.run(sql)

    def has(self, kind: str, name: tuple[str, ...]) -> bool:
        """Blocks. Whether there is a table, view, schema... of this name, `public` being `main`."""
        table, column = _CATALOG[kind]
        schemas = ["main" if part == "public" else part for part in name[:-1][-1:]]
        where = [f"lower({column}) = lower({_literal(name[-1])})"]
        if kind == "SCHEMA":
            where = [f"{column} = {_literal('main' if name[-1] == 'public' else name[-1])}"]
        elif schemas:
            where.append(f"lower(schema_name) = lower({_literal(schemas[0])})")
        else:
            where.append("schema_name IN (SELECT unnest(current_schemas(true)))")
        return bool(self.run(f"SELECT 1 FROM {table}() WHERE {' AND '.join(where)} LIMIT 1"))

    def drop_temporary(self) -> None:
        """Blocks. Drops the session's temporary tables and views."""
        for kind, name in self.run(_TEMPORARY):
            self.run(f'DROP {kind} IF EXISTS temp."{name.replace(chr(34), chr(34) * 2)}"')

    def apply(self, name: str, value: str) -> None:
        """Blocks. Sets on DuckDB what a session's setting of this name means there."""
        if name == "TimeZone":
            self.run(f"SET TimeZone = {_literal(value)}")
        elif name == "search_path":
            self.run(f"SET search_path = {_literal(self._search_path(value))}")

    def _search_path(self, value: str) -> str:
        """The schemas of a Postgres search_path that DuckDB has; `public` is DuckDB's `main`."""
        there = {row[0] for row in self.run(_SCHEMAS)}
        wanted = [name.strip().strip('"') for name in value.split(",")]
        names = ["main" if name == "public" else name for name in wanted]
        return ",".join(name for name in names if name in there) or "main"

    def close(self) -> None:
        """Blocks. Rolls back what is open."""
        if not self._closed:
            self._closed = True
            if self._streaming is not None:
                self._streaming.close()
            self._connection.close()


_CATALOG = {
    "TABLE": ("duckdb_tables", "table_name"),
    "VIEW": ("duckdb_views", "view_name"),
    "SCHEMA": ("duckdb_schemas", "schema_name"),
    "SEQUENCE": ("duckdb_sequences", "sequence_name"),
    "INDEX": ("duckdb_indexes", "index_name"),
    "TYPE": ("duckdb_types", "type_name"),
}
_TEMPORARY = (
    "SELECT 'VIEW', view_name FROM duckdb_views() WHERE temporary AND NOT internal "
    "UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary"
)
_SCHEMAS = (
    "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() "
    "AND NOT internal OR schema_name = 'main'"
)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class DuckStatement:
    """A prepared statement and what is known of it without running it."""

    def __init__(self, prepared: duckdb_c.Prepared, sql: str) -> None:
        self._prepared = prepared
        self.sql = sql
        self._executed = False
        self.columns: list[tuple[str, DuckType]] = prepared.columns
        self.parameters: list[DuckType] = prepared.parameters

    def start(self, values: Sequence[Any] = ()) -> DuckPortal:
        """Blocks. See `DuckSession.start`, the way to call it."""
        if values:
            self._prepared.bind(values)
        result = self._prepared.execute()
        if self._executed or any(kind.id == "INVALID" for _, kind in self.columns):
            # DuckDB plans anew, without a word, for tables that changed since.
            return DuckPortal(result, result.columns)
        self._executed = True
        return DuckPortal(result, self.columns)

    def close(self) -> None:
        self._prepared.close()


class DuckPortal:
    """A running statement's rows, handed out as encoded DataRow messages, a piece at a time."""

    def __init__(self, result: duckdb_c.Result, columns: list[tuple[str, DuckType]]) -> None:
        self._result = result
        self._rest: pa.RecordBatch | None = None
        self._taken: list[pa.RecordBatch] | None = None  # once detached: the rows still to come
        self._owned: DuckStatement | None = None
        self.done = False
        self.columns = columns
        self.returns_rows = result.returns == duckdb_c.RETURNS_ROWS
        self.rows_changed = result.rows_changed if result.returns == duckdb_c.RETURNS_COUNT else 0

    def fetch(self, encoder: RowEncoder, max_rows: int = 0) -> tuple[Any, int, bool]:
        """Blocks. The next piece: (DataRow bytes, rows in it, whether more may follow).

        At most `max_rows` rows (0: no limit). A portal that has given its last row closes itself.
        """
        batch, more = self._next_piece(max_rows)
        data = encoder.encode(batch) if batch is not None else b""
        if not more:
            self.close()
        return data, batch.num_rows if batch is not None else 0, more

    def _next_piece(self, max_rows: int) -> tuple[pa.RecordBatch | None, bool]:
        """Chunks until there are enough rows or bytes, or until it takes too long to wait for more."""
        limit = min(max_rows, _PIECE_ROWS) if max_rows else _PIECE_ROWS
        batches: list[pa.RecordBatch] = []
        rows = size = 0
        more = True
        if self._rest is not None:
            batches, rows, size = [self._rest], self._rest.num_rows, self._rest.nbytes
            self._rest = None
        patience = time.monotonic() + _PIECE_SECONDS
        while rows < limit and size < _PIECE_BYTES:
            batch = self._next_batch()
            if batch is None:
                more = False
                break
            if batch.num_rows:
                batches.append(batch)
                rows += batch.num_rows
                size += batch.nbytes
                if time.monotonic() > patience:
                    break
        if not batches:
            return None, False
        whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        fit = min(limit, rows)
        if size > 2 * _PIECE_BYTES:
            fit = max(1, min(fit, rows * _PIECE_BYTES // size))
        if fit < rows:
            self._rest, whole, more = whole.slice(fit), whole.slice(0, fit), True
        return whole, more

    def _next_batch(self) -> pa.RecordBatch | None:
        if self._taken is None:
            return next(self._result, None)
        return self._taken.pop(0) if self._taken else None

    def detach(self) -> None:
        """Blocks. Takes the rows still to come into memory and frees the connection."""
        if not self.done and self._taken is None:
            self._taken = list(self._result)
            self._result.close()

    def finish(self) -> None:
        """Blocks. Runs a statement without rows to its end; `CREATE TABLE AS` counts its rows too."""
        for batch in self._result:
            if batch.schema.names == ["Count"]:
                self.rows_changed = batch.column(0)[0].as_py()
        self.close()

    def column_texts(self, index: int) -> list[str]:
        """Blocks. All of one text column, for results that are few and ours."""
        texts = [text for batch in self._result for text in batch.column(index).to_pylist()]
        self.close()
        return texts

    def run_out(self) -> int:
        """Blocks. Runs it to its end without its rows; how many rows it changed or gave."""
        rows = sum(batch.num_rows for batch in self._result) if self.returns_rows else 0
        self.finish()
        return rows if self.returns_rows else self.rows_changed

    def owns(self, statement: DuckStatement) -> None:
        """The statement is this portal's alone, and is closed with it."""
        self._owned = statement

    def close(self) -> None:
        """Blocks briefly. Ends the stream; what it has not produced is not produced."""
        if not self.done:
            self.done = True
            self._rest, self._taken = None, []
            self._result.close()
            if self._owned is not None:
                self._owned.close()
