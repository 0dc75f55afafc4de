"""The analytical engine: DuckDB in this process, driven from worker threads, never from the loop.

One database, one connection a session. Everything here that touches DuckDB blocks and says so; a
session calls it through `DuckSession.call`, which runs it in a thread (DuckDB and Arrow release the
GIL). A thread fetches *and* encodes, so what comes back to the loop is bytes ready for the socket,
a bounded piece at a time: memory does not grow with a result, and a slow client stops the scan.
All that depends on DuckDB's version is here and in `duckdb_c`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from proxy.engines import duckdb_c, small
from proxy.engines.crew import Crew
from proxy.engines.duck_appender import Appender
from proxy.engines.duck_declared import read_declared
from proxy.engines.duck_errors import sql_error
from proxy.engines.duck_functions import Body
from proxy.engines.duck_opening import Furniture, opened
from proxy.engines.duck_vectors import FewRows, few_rows
from proxy.engines.freshness import Changes, Stamp, Watch
from proxy.engines.known_tables import Declared as Told
from proxy.engines.known_tables import (
    Grammar,
    Key,
    KnownTables,
    SessionTables,
    read_told,
    referring,
)
from proxy.engines.workers import Workers
from proxy.errors import SqlError
from proxy.sql.lengths import Declared
from proxy.wire.encoders.few import FEW_ROWS
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import DuckType

T = TypeVar("T")
Columns = list[tuple[str, DuckType]]
Accept = Callable[[Columns], None]
Look = Callable[[Columns], bool]
"""Is told a statement's columns; returns whether it has asked the engine anything."""
Piece = tuple[Any, int, bool]  # DataRow bytes, rows in them, whether more may follow

# One piece of a result: enough rows to make the kernels worth their call, few enough to bound memory.
# The first is smaller, so that the client has something to do while the next is made.
_FIRST_ROWS = 1 << 11
_PIECE_ROWS = 1 << 14
_PIECE_BYTES = 1 << 20
_ENCODED_AT_ONCE = 2  # pieces of one result
_PIECE_SECONDS = 0.02  # a slow statement's rows are not held back longer for the sake of more

# Texts that a session runs again and again stay prepared: so many, of at most this length.
_KEPT = 8
_KEPT_LENGTH = 4096
_ENCODERS = 4  # of one statement, for other formats and styles

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


DATABASE = "hatidata"
"""DuckDB's name of the database that is kept: its file's."""

TEMPORARY = "temp"
"""... and of the one in which each session has its temporary relations, in a schema `main`."""


class Entry(NamedTuple):
    """name: as stored. kind: 'r' table, 'v' view, 'S' sequence."""

    name: str
    kind: str


class Meant(NamedTuple):
    """A relation. name: as stored. kind: as `Entry`'s."""

    database: str
    schema: str
    name: str
    kind: str


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
    ) -> None:
        """Opens or creates the file and closes the doors. Blocks. Raises `SqlError`.

        macros: SQL scripts that fill the attached in-memory database `_sf`.
        functions: what `Functions.register` takes, for each function that the macros call.
        table_functions: what adds one to the database.
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
                self._functions = furniture.put_into(self._calling, connection)
                for script in _INSTANCE_SETTINGS:
                    connection.run_script(script)
                threads = connection.run("SELECT current_setting('threads')")[0][0]
                connection.run_script(f"SET GLOBAL external_threads = {threads}")
            finally:
                connection.close()
        except duckdb_c.DuckError as error:
            raise sql_error(error) from error
        self._workers = Workers("duck")
        self._crew = Crew(self._database, threads - 1)
        self._rows, self._definitions = Changes(), Changes()
        self._tables, self._grammar = KnownTables(), Grammar()

    def session(self) -> DuckSession:
        tables = SessionTables(self._tables, self._grammar)
        watch = Watch(self._rows, self._definitions, tables)
        return DuckSession(self._database.connect(), self._workers, self._crew, watch)

    def close(self) -> None:
        """Waits for what runs, writes the checkpoint. Every session must be closed before."""
        self._workers.close()
        self._crew.close()
        self._grammar.close()
        self._calling.close()
        self._database.close()


class DuckSession:
    """One client's connection to the engine. Its blocking methods are for `call` alone."""

    def __init__(
        self, connection: duckdb_c.Connection, workers: Workers, crew: Crew, watch: Watch
    ) -> None:
        self._connection = connection
        self._workers = workers
        self._crew = crew
        self._watch = watch
        self._running = 0
        self._ahead: asyncio.Task[None] | None = None  # rows that nobody has asked for yet
        self._overtaken = False  # a cancel came while a call waited for them
        self._closed = False
        self._streaming: DuckPortal | None = None
        self._kept: OrderedDict[str, DuckStatement] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()  # run once, not kept yet
        self._declared: Declared | None = None
        self._declared_at = watch.stamp()

    def runs_at_once(self, statement: DuckStatement | str) -> bool:
        """Whether a statement that is scalar, or its text, needs no preparing and no other's end."""
        busy = self._running or self._ahead is not None
        if busy or (self._streaming is not None and not self._streaming.done):
            return False
        if isinstance(statement, str):
            kept = self._kept.get(statement)
            return kept is not None and kept.is_prepared
        return statement.is_prepared

    def at_once(self, function: Callable[..., T], *arguments: Any) -> T:
        """On the loop, without a thread: only what is scalar and `runs_at_once`."""
        return self._translate(function, *arguments)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs a blocking function of this session in a worker thread. One at a time.

        If the caller is cancelled the statement is interrupted and its end awaited, so that no
        thread is left working on a connection that somebody else believes idle.
        """
        self._running += 1
        try:
            while self._ahead is not None:
                await asyncio.wait([self._ahead])
            if self._overtaken:
                self._overtaken = False
                raise SqlError("57014", "canceling statement due to user request")
            return await self._work(function, *arguments)
        finally:
            self._running -= 1

    async def _work(self, function: Callable[..., T], *arguments: Any) -> T:
        job = self._workers.submit(self._translate, function, *arguments)
        self._crew.starts(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            while not job.ended:
                self._connection.interrupt()
                await asyncio.wait([job.again()], timeout=0.05)
            if job.future.done() and not job.future.cancelled():
                job.future.exception()
            raise
        finally:
            self._crew.ends(job)

    def fetch_ahead(self, running: DuckPortal, encoder: RowEncoder, limit: int) -> None:
        """Begins with the next rows of a portal while its client reads the last ones.

        The rows, or the error, are the portal's, and what is called meanwhile waits for them.
        """

        async def fetch() -> None:
            try:
                await self._work(running.fetch_ahead, encoder, limit)
            finally:
                self._ahead = None

        self._ahead = asyncio.create_task(fetch())

    async def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs in a worker thread what leaves the connection alone, beside what runs on it.

        If the caller is cancelled it goes on to its end, for nobody.
        """
        return await self._workers.submit(self._translate, function, *arguments).future

    async def rest(
        self, running: DuckPortal, encoder: RowEncoder, limit: int = 0
    ) -> AsyncGenerator[tuple[Any, int], None]:
        """What a portal still has to give, at most `limit` rows: DataRow bytes and rows in them.

        While pieces are encoded and sent, the next one is fetched. To be closed (`aclosing`).
        """
        while limit and limit <= running.piece_rows:  # too few for two threads
            data, rows, more = await self.call(running.fetch, encoder, limit)
            if rows:
                yield data, rows
            limit -= rows
            if not more or not limit:
                return
        encoding: deque[tuple[asyncio.Task[Any], int]] = deque()  # pieces, rows in them
        ahead: asyncio.Task[tuple[pa.RecordBatch | None, bool]] | None
        ahead = asyncio.create_task(self.call(running.fetch_batch, limit))
        try:
            while ahead is not None or encoding:
                if ahead is not None and len(encoding) < _ENCODED_AT_ONCE:
                    batch, more = await ahead
                    ahead = None
                    if batch is None:
                        continue
                    if limit:
                        limit -= batch.num_rows
                        more = more and limit > 0
                    if more:
                        ahead = asyncio.create_task(self.call(running.fetch_batch, limit))
                    piece = asyncio.create_task(self.compute(encoder.encode, batch))
                    encoding.append((piece, batch.num_rows))
                else:
                    piece, rows = encoding.popleft()
                    yield await piece, rows
        finally:
            left = [piece for piece, _ in encoding] + ([ahead] if ahead is not None else [])
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    @staticmethod
    def _translate(function: Callable[..., T], *arguments: Any) -> T:
        try:
            return function(*arguments)
        except duckdb_c.DuckError as error:
            raise sql_error(error) from error
        except pa.ArrowMemoryError as error:
            raise SqlError("53200", "out of memory") from error

    def drop_ahead(self) -> None:
        """The client has gone: what is fetched ahead is for nobody."""
        if self._ahead is not None:
            self._connection.interrupt()

    def interrupt(self) -> None:
        """Stops the running statement (57014), if there is one."""
        if self._running:
            self._overtaken = self._ahead is not None
            self._connection.interrupt()

    # A connection streams one result at a time: whatever else it is asked to do would end the
    # stream, so the rows still to come are taken into memory first.

    def _detach(self) -> None:
        if self._streaming is not None:
            self._streaming.detach()
            self._streaming = None

    def prepare(self, sql: str, scalar: bool = False) -> DuckStatement:
        """Blocks. Binds without running. scalar: it rests on nothing but its own text and values."""
        self._detach()
        return DuckStatement(self._connection, sql, self._watch, scalar)

    def start(
        self, statement: DuckStatement, values: Sequence[Any] = (), accept: Accept | None = None
    ) -> DuckPortal:
        """Blocks. Runs it up to its first rows. values: (OID, value) for each of $1..$n.

        accept: given the result columns where the statement had to be planned anew; it raises
        where they are not to the client's liking, and then nothing has run.
        """
        self._detach()
        self._streaming = statement.start(values, accept=accept)
        return self._streaming

    def answer(
        self,
        statement: DuckStatement,
        values: Sequence[Any],
        accept: Accept | None,
        formats: tuple[int, ...],
        style: TextStyle,
    ) -> tuple[DuckPortal, Piece | None]:
        """Blocks. `start`, and the first piece too where that is all of a few rows."""
        self._detach()
        running, piece = statement.answer(values, accept, formats, style)
        self._streaming = running
        return running, piece

    def start_text(self, sql: str, scalar: bool = False, look: Look | None = None) -> DuckPortal:
        """Blocks. `prepare` and `start` in one, for a statement without parameters.

        A query that comes again is kept prepared. look: what has to be asked of the engine about
        the columns before there are rows: any other question would take them all into memory.
        """
        self._detach()
        if (kept := self._kept.pop(sql, None)) is not None:
            if look is not None:
                look(kept.columns)
            self._streaming = kept.start()
            self._kept[sql] = kept
            return self._streaming
        statement = DuckStatement(self._connection, sql, self._watch, scalar)
        try:
            asked = look is not None and look(statement.columns)
            self._streaming = running = statement.start(just_made=not asked)
        except BaseException:
            statement.close()
            raise
        if sql in self._seen:
            del self._seen[sql]
            self._keep(statement)
        else:
            running.owns(statement)
            if not statement.changes and len(sql) <= _KEPT_LENGTH:
                self._seen[sql] = None
                if len(self._seen) > _KEPT:
                    self._seen.popitem(last=False)
        return running

    def start_once(
        self, sql: str, values: Sequence[Any] = (), look: Look | None = None
    ) -> DuckPortal:
        """Blocks. As `start_text`, for a text that means something else the next time."""
        statement = self.prepare(sql)
        try:
            if look is not None:
                look(statement.columns)
            running = self.start(statement, values)
        except BaseException:
            statement.close()
            raise
        running.owns(statement)
        return running

    def _keep(self, statement: DuckStatement) -> None:
        self._kept[statement.sql] = statement
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)[1].close()

    def appender(self, sql: str, schema: pa.Schema, types: Sequence[DuckType]) -> Appender:
        """Blocks. Runs `sql` over batches of rows, to which it is the relation `copied`.

        In a transaction only: what it changes is known from the transaction's end.
        """
        self._detach()
        self._watch.change_in_block()
        return Appender(self._connection, sql, schema, types)

    def filler(self, sql: str, schema: pa.Schema, types: Sequence[DuckType]) -> Appender:
        """Blocks. As `appender`, for a temporary table of ours: others' plans are not concerned."""
        self._detach()
        return Appender(self._connection, sql, schema, types)

    # --- transactions: each blocks, and takes nothing of a client's but its modes ----------------

    def begin(self, sql: str = "BEGIN TRANSACTION") -> None:
        self._detach()
        self._watch.begin()
        self._connection.run_script(sql)

    def commit(self) -> None:
        self._detach()
        self._watch.commit()
        try:
            self._connection.run_script("COMMIT")
        except BaseException:
            self._watch.failed()
            raise
        finally:
            self._watch.over()

    def rollback(self) -> None:
        self._detach()
        self._watch.rollback()
        self._connection.run_script("ROLLBACK")

    def syntax_error(self, sql: str) -> duckdb_c.DuckError | None:
        """Briefly, on any thread while nothing runs: what DuckDB's grammar says of a text."""
        return self._connection.syntax_error(sql)

    # --- what is declared ---------------------------------------------------------------------

    @property
    def has_own_definitions(self) -> bool:
        """Whether the open transaction has defined what no other sees."""
        return self._watch.has_own_definitions

    def definitions(self) -> Stamp:
        """Names what is defined now, as this session sees it."""
        return self._watch.stamp()

    def same_definitions(self, stamp: Stamp) -> bool:
        """Whether nothing was defined since, and no setting changed."""
        return self._watch.holds(stamp, rows=False)

    @property
    def known_declared(self) -> Declared | None:
        """As `declared`, without asking; None where it may have changed."""
        if self._declared is None or not self._watch.holds(self._declared_at, rows=False):
            return None
        return self._declared

    @property
    def last_declared(self) -> Declared | None:
        """What `declared` gave last."""
        return self._declared

    def declared(self, numbers: bool = False) -> Declared:
        """Blocks. What the catalog declares, as this session sees it: the same object while it is so.

        numbers: whether the sizes of DECIMALs are wanted; once they were, they are always read.
        """
        known = self.known_declared
        if known is not None and (known.numbers is not None or not numbers):
            return known
        numbers = numbers or (self._declared is not None and self._declared.numbers is not None)
        self._declared_at = self._watch.stamp()
        found = read_declared(self.run, numbers)
        if found != self._declared:
            self._declared = found
        assert self._declared is not None
        return self._declared

    def told(self, schema: str, name: str, database: str = DATABASE) -> Told:
        """Blocks. The constraints and comments of a table; empty for one that is not there."""
        if database == DATABASE and (known := self._watch.tables.of(schema, name)) is not None:
            return known
        found = read_told(self.run, database)
        if database == DATABASE:
            self._watch.tables.listed(found)
        return found.get((schema.lower(), name.lower()), Told())

    def all_told(self) -> dict[Key, Told]:
        """Blocks. As `told`, of all tables, and by one look at the catalog. In a transaction only."""
        found = read_told(self.run, DATABASE)
        self._watch.tables.listed(found)
        return found

    def columns_of_table(self, name: Sequence[str]) -> dict[str, bool] | None:
        """Blocks. A table's columns, and whether its primary key has them; None for what is no table."""
        meant = self.means(name)
        if meant is None or meant.kind != "r":
            return None
        table = _literal(_quoted(meant[:3]))
        return dict(self.run(f"SELECT name, pk FROM pragma_table_info({table})"))

    def referring(self, schema: str, name: str) -> list[str]:
        """Blocks. The tables with foreign keys that refer to one of the database that is kept."""
        found = self._watch.tables.referring(
            schema, name, lambda other: self.means((DATABASE, schema, other)) is not None
        )
        if found is None:
            told = read_told(self.run, DATABASE)
            self._watch.tables.listed(told)
            found = referring(told, schema, name)
        return found

    @property
    def in_block(self) -> bool:
        """Whether a transaction is open."""
        return self._watch.in_block

    def own_tables(self) -> list[Meant]:
        """Blocks. The tables that the open transaction may have defined."""
        found = [self.means(name) for name in self._watch.tables.own_names()]
        return [meant for meant in found if meant is not None and meant.kind == "r"]

    def means(self, name: Sequence[str]) -> Meant | None:
        """Blocks. The table, view or sequence that a name of one to three parts means; None for none.

        `public` is `main`.
        """
        *places, last = name
        schemas = ["main" if place == "public" else place for place in places[-1:]]
        database = places[-2] if len(places) > 1 else DATABASE
        if schemas == [TEMPORARY]:
            database, schemas = TEMPORARY, ["main"]
        wanted = [(database, schema) for schema in schemas]
        if not schemas:
            ((path,),) = self.run("SELECT current_schemas(false)")
            searched = dict.fromkeys([*path, "main"])  # where every search ends
            wanted = [(TEMPORARY, "main"), *((DATABASE, schema) for schema in searched)]
        elif database == DATABASE:
            there = {schema.lower(): schema for (schema,) in self.run(_SCHEMAS)}
            wanted = [
                (DATABASE, there[schema.lower()]) for schema in schemas if schema.lower() in there
            ]
        inside = self._watch.in_block
        if not inside:
            self.run("BEGIN TRANSACTION")
        try:
            for base, schema in wanted:
                if (entry := self.entry(schema, last, base)) is not None:
                    return Meant(base, schema, entry.name, entry.kind)
            return None
        finally:
            if not inside:
                self.run("ROLLBACK")

    # --- statements of our own -----------------------------------------------------------------

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Blocks. A query of our own."""
        self._detach()
        return self._connection.run(sql)

    def run_privately(self, sql: str) -> None:
        """Blocks. A statement of ours whose effects only this session can see: a variable, a
        temporary table. Plans of this session that were made before are made anew."""
        self._watch.set()
        self.run(sql)

    def unchanged(self, moment: Stamp) -> bool:
        """Blocks. Whether a query gives now what it gave then: `DuckStatement.moment` when it ran."""
        return self._watch.holds(moment, rows=True)

    def now(self) -> Stamp:
        """Blocks. The state of the database, to be held against `unchanged` later."""
        return self._watch.stamp()

    def has(self, kind: str, name: tuple[str, ...]) -> bool:
        """Blocks. Whether there is a table, view, schema... of this name, `public` being `main`."""
        if kind in _RELATIONS:
            found = self.means(name)
            return found is not None and found.kind == _RELATIONS[kind]
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

    def set_variable(self, name: str, literal: str) -> None:
        """Blocks. Sets a variable of this connection alone."""
        self._watch.set()
        self._detach()
        self._connection.run_script(f"SET VARIABLE {name} = {literal}")

    def row_counts(self) -> str:
        """Blocks. The rows of every table, as DuckDB's text of a map from its full name.

        What the engine's own catalog says is not reduced by DELETE, nor by what is not committed.
        A table that goes away meanwhile takes the counts of its neighbours with it: NULL.
        """
        tables = self.run(_TABLES)
        counts: list[tuple[str, int]] = []
        for start in range(0, len(tables), _COUNTED_AT_ONCE):
            some = tables[start : start + _COUNTED_AT_ONCE]
            selects = " UNION ALL ".join(
                f"SELECT {_literal('.'.join(name))}, count(*) FROM {_quoted(name)}" for name in some
            )
            with suppress(duckdb_c.DuckError):
                counts.extend(self.run(selects))
        listed = ", ".join(f"{_literal(name)}: {rows}" for name, rows in counts)
        return f"CAST(MAP {{{listed}}} AS MAP(VARCHAR, BIGINT))"

    def entry(self, schema: str, name: str, database: str = DATABASE) -> Entry | None:
        """Blocks. What is called so in a schema, None for nothing.

        database: the one that is kept, or `TEMPORARY`. In a transaction only.
        """
        self._detach()
        found = self._connection.entry(database, schema, name)
        return Entry(*found) if found is not None else None

    def drop_temporary(self) -> None:
        """Blocks. Drops the session's temporary tables and views."""
        for kind, name in self.run(_TEMPORARY):
            self._watch.change(definitions=True)
            try:
                self.run(f'DROP {kind} IF EXISTS temp."{name.replace(chr(34), chr(34) * 2)}"')
            finally:
                self._watch.over()

    def apply(self, name: str, value: str) -> None:
        """Blocks. Sets on DuckDB what a session's setting of this name means there."""
        self._watch.set()
        if name == "TimeZone":
            self.run(f"SET TimeZone = {_literal(value)}")
        elif name == "search_path":
            path = self._search_path(value)
            self._watch.tables.schema = path.partition(",")[0]
            self.run(f"SET search_path = {_literal(path)}")

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
            for kept in self._kept.values():
                kept.close()
            self._connection.close()
            self._watch.over()


_RELATIONS = {"TABLE": "r", "VIEW": "v", "SEQUENCE": "S"}
_CATALOG = {
    "SCHEMA": ("duckdb_schemas", "schema_name"),
    "INDEX": ("duckdb_indexes", "index_name"),
    "TYPE": ("duckdb_types", "type_name"),
}
_TEMPORARY = (
    "SELECT 'VIEW', view_name FROM duckdb_views() WHERE temporary AND NOT internal "
    "UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary"
)
_TABLES = (
    "SELECT database_name, schema_name, table_name FROM duckdb_tables() "
    "WHERE NOT internal AND database_name NOT IN ('system', '_sf')"
)
_COUNTED_AT_ONCE = 100  # tables
_SCHEMAS = (
    "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() "
    "AND NOT internal OR schema_name = 'main'"
)


def _quoted(name: Sequence[str]) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class DuckStatement:
    """A prepared statement and what is known of it without running it.

    It may be run any number of times: where its plan may have gone stale it is prepared anew, and
    `columns` may then be others.
    """

    def __init__(
        self, connection: duckdb_c.Connection, sql: str, watch: Watch, scalar: bool = False
    ) -> None:
        self._connection, self._watch = connection, watch
        self._scalar = scalar
        self._encoders: dict[tuple[Any, ...], _Encoders] = {}
        self.sql = sql
        self._prepared: duckdb_c.Prepared | None = None
        self._prepare()

    def _prepare(self) -> None:
        self.close()
        self._stamp = self._watch.stamp()
        self._prepared = prepared = self._connection.prepare(self.sql)
        self.changes = prepared.changes
        self.columns: Columns = prepared.columns
        self.parameters: list[DuckType] = prepared.parameters
        self.unsure = any(kind.id == "INVALID" for _, kind in self.columns)

    def start(
        self, values: Sequence[Any] = (), just_made: bool = False, accept: Accept | None = None
    ) -> DuckPortal:
        """Blocks. See `DuckSession.start`, the way to call it. just_made: in the same breath."""
        if self.changes != "definitions":
            return self._start(values, just_made, accept)
        self._watch.define(self.sql, self._connection.run)
        try:
            return self._start(values, just_made, accept)
        except BaseException:
            self._watch.failed()
            self._watch.over()
            raise

    def _start(self, values: Sequence[Any], just_made: bool, accept: Accept | None) -> DuckPortal:
        if not just_made and not self._fresh():
            self._renew(accept)
            just_made = True
        pending = self._pend(values)
        if not just_made and not self._fresh():  # now that it has its snapshot
            pending.close()
            self._renew(accept)
            pending = self._pend(values)
        if self.changes:
            self._watch.change(self.changes == "definitions")
        try:
            result = pending.execute()
        except BaseException:
            if self.changes == "definitions":
                self._watch.failed()
            self._watch.over()
            raise
        return DuckPortal(result, self)

    def answer(
        self,
        values: Sequence[Any],
        accept: Accept | None,
        formats: tuple[int, ...],
        style: TextStyle,
    ) -> tuple[DuckPortal, Piece | None]:
        """Blocks. See `DuckSession.answer`, the way to call it."""
        known = self._encoders.get((formats, style))
        if known is None or known.layout is None or not self._fresh():
            return self.start(values, accept=accept), None
        assert self._prepared is not None
        pending = self._prepared.pend_small(values)
        if pending is None:
            return self.start(values, accept=accept), None
        if not self._fresh():  # now that it has its snapshot
            self._prepared.drop_small(pending)
            return self.start(values, accept=accept), None
        found = self._prepared.answer_small(pending, known.layout)
        if isinstance(found, duckdb_c.Result):
            return DuckPortal(found, self), None
        data, rows = found
        return DuckPortal(None, self), (data, rows, False)

    def scalar_answer(self, values: Sequence[Any], layout: bytes) -> tuple[bytes, int] | None:
        """On the loop: the rows of a scalar query that `runs_at_once`, and their number.

        None where it is for `answer`; then nothing has happened.
        """
        assert self._prepared is not None
        pending = self._prepared.pend_small(values)
        if pending is None:
            return None
        try:
            found = self._prepared.answer_small(pending, layout)
        except duckdb_c.DuckError:
            return None
        if isinstance(found, duckdb_c.Result):
            found.close()
            return None
        return found

    def layout(self, formats: tuple[int, ...], style: TextStyle) -> bytes | None:
        """Of the columns, where `small` can write them: known once it has answered."""
        known = self._encoders.get((formats, style))
        return None if known is None else known.layout

    def _fresh(self) -> bool:
        if self._prepared is None:
            return False
        if self._scalar:
            return self._watch.same_settings(self._stamp)
        # With parameters, DuckDB plans whatever reads a table anew.
        return self._watch.holds(self._stamp, rows=not self.parameters)

    def still_has(self, columns: Columns) -> bool:
        """Whether preparing it now would say the same as when it had these very columns."""
        return (
            self._prepared is not None
            and self.columns is columns
            and self._watch.holds(self._stamp, rows=False)
        )

    @property
    def moment(self) -> Stamp:
        """The state of the database that it was planned on, and, once it runs, that it runs on."""
        return self._stamp

    @property
    def is_prepared(self) -> bool:
        return self._prepared is not None and self._watch.same_settings(self._stamp)

    @property
    def outdated(self) -> bool:
        """Whether a definition that it rests on may have changed, or is gone."""
        if self._prepared is None or self._scalar:
            return self._prepared is None
        return not self._watch.holds(self._stamp, rows=False)

    def renew(self, accept: Accept | None) -> None:
        """Blocks. Prepares it anew. accept: as `DuckSession.start` takes it."""
        self._renew(accept)

    def _renew(self, accept: Accept | None) -> None:
        self._prepare()
        if accept is not None:
            accept(self.columns)

    def _pend(self, values: Sequence[Any]) -> duckdb_c.Pending:
        assert self._prepared is not None
        if values:
            self._prepared.bind(values)
        return self._prepared.pend()

    def encoders(
        self, result: duckdb_c.Result, formats: tuple[int, ...], style: TextStyle
    ) -> _Encoders:
        """What encodes the rows of this result: the same the next time that they are of its types."""
        schema = result.schema
        found = self._encoders.get((formats, style))
        if found is None or found.schema is not schema:
            if len(self._encoders) >= _ENCODERS:
                self._encoders.clear()
            types = [kind for _, kind in self.columns]
            few = layout = None
            if types == [kind for _, kind in result.columns]:
                few = few_rows(types, formats, style)
                if not self.changes and not self.unsure:
                    layout = small.layout(types, formats, style)
            found = _Encoders(schema, RowEncoder(types, formats, style), few, layout)
            self._encoders[formats, style] = found
        return found

    def ended(self) -> None:
        """Blocks. What a run of it has changed without a transaction is there for all."""
        if self.changes:
            self._watch.over()

    def close(self) -> None:
        """Blocks briefly. Run again, it is prepared again."""
        if self._prepared is not None:
            self._prepared.close()
            self._prepared = None


class _Encoders(NamedTuple):
    """For results of one schema: of any number of rows, and of a few.

    layout: what `small` is told of the columns, if it can write them.
    """

    schema: pa.Schema
    all: RowEncoder
    few: FewRows | None
    layout: bytes | None


class _Early(NamedTuple):
    """A piece that was fetched before it was asked for; with an error, its rows are not encoded."""

    encoder: RowEncoder
    limit: int
    batch: pa.RecordBatch | None
    data: Any
    rows: int
    more: bool
    error: Exception | None


class DuckPortal:
    """A running statement's rows, handed out as encoded DataRow messages, a piece at a time.

    Without a result it has given all of them.
    """

    def __init__(self, result: duckdb_c.Result | None, statement: DuckStatement) -> None:
        self.statement = statement
        self._rest: pa.RecordBatch | None = None
        self._taken: list[pa.RecordBatch] | None = None  # once detached: the rows still to come
        self._ahead: list[duckdb_c.Chunk] = []  # looked at, and to be given yet
        self._early: _Early | None = None  # the next piece, if it was fetched ahead
        self._encoders: _Encoders | None = None
        self._owned: DuckStatement | None = None
        self.piece_rows = _FIRST_ROWS  # the most that the next piece will have
        self.columns = statement.columns
        self.done = result is None
        self.returns_rows = True
        self.rows_changed = 0
        if result is None:
            return
        self._result = result
        if statement.unsure:
            self.columns = result.columns
        self.returns_rows = result.returns == duckdb_c.RETURNS_ROWS
        if result.returns == duckdb_c.RETURNS_COUNT:
            self.rows_changed = result.rows_changed

    @property
    def is_streaming(self) -> bool:
        """Whether it is neither at its end nor in memory."""
        return not self.done and self._taken is None

    def encoder(self, formats: tuple[int, ...], style: TextStyle) -> RowEncoder:
        """Blocks briefly. What `fetch` takes, for these formats (0 text, 1 binary) of the columns."""
        if self.statement.unsure or self.done or self._taken is not None:
            return RowEncoder([kind for _, kind in self.columns], formats, style)
        self._encoders = self.statement.encoders(self._result, formats, style)
        return self._encoders.all

    def fetch(self, encoder: RowEncoder, max_rows: int = 0) -> Piece:
        """Blocks. The next piece.

        At most `max_rows` rows (0: no limit). A portal that has given its last row closes itself.
        """
        if self._early is not None:
            early, self._early = self._early, None
            if early.encoder is encoder and early.limit == max_rows:
                if early.error is not None:
                    raise early.error
                if not early.more:
                    self.close()
                return early.data, early.rows, early.more
            self._give_back(early)
        few = self._encoders.few if self._encoders and self._encoders.all is encoder else None
        if few is not None and (piece := self._only_piece(few, max_rows)) is not None:
            return piece
        batch, more = self.fetch_batch(max_rows)
        if batch is None:
            return b"", 0, more
        return encoder.encode(batch), batch.num_rows, more

    def fetch_batch(self, max_rows: int = 0) -> tuple[pa.RecordBatch | None, bool]:
        """Blocks. `fetch` before its rows are encoded; None where there are no more."""
        if self._early is not None:
            early, self._early = self._early, None
            self._give_back(early)
        batch, more = self._next_piece(max_rows)
        if not more:
            self.close()
        whole = batch is not None and max_rows and batch.num_rows >= max_rows
        # After the whole of what was asked for comes another request.
        self.piece_rows = _FIRST_ROWS if whole else min(4 * self.piece_rows, _PIECE_ROWS)
        return batch, more

    def fetch_ahead(self, encoder: RowEncoder, limit: int) -> None:
        """Blocks. Readies what the next `fetch` will give, if it asks for the same."""
        self.piece_rows = _PIECE_ROWS
        try:
            batch, more = self._next_piece(limit)
        except Exception as error:
            self._early = _Early(encoder, limit, None, b"", 0, False, error)
            return
        try:
            data = encoder.encode(batch) if batch is not None else b""
        except Exception as error:
            self._early = _Early(encoder, limit, batch, b"", 0, more, error)
            return
        rows = batch.num_rows if batch is not None else 0
        self._early = _Early(encoder, limit, batch, data, rows, more, None)

    def _give_back(self, early: _Early) -> None:
        """Its rows are the next ones again."""
        if early.batch is not None:
            rest = [self._rest] if self._rest is not None else []
            self._rest = pa.concat_batches([early.batch, *rest])
        elif early.error is not None:
            raise early.error

    def _only_piece(self, few: FewRows, max_rows: int) -> Piece | None:
        """All of a result of a few rows, if that is what is to come."""
        if self._rest is not None or self._taken is not None or self._ahead:
            return None
        first = self._result.next_chunk()
        if first is None:
            self.close()
            return b"", 0, False
        self._ahead = [first]
        if first.rows > FEW_ROWS or (max_rows and first.rows >= max_rows):
            return None
        second = self._result.next_chunk()
        if second is not None:
            self._ahead.append(second)
            return None
        data = few.encode(first)
        if data is None:
            return None
        rows = first.rows
        first.close()
        self.close()
        return data, rows, False

    def _next_piece(self, max_rows: int) -> tuple[pa.RecordBatch | None, bool]:
        """Chunks until there are enough rows or bytes, or until it takes too long to wait for more."""
        limit = min(max_rows or self.piece_rows, self.piece_rows)
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
        if self._ahead:
            return self._result.batch(self._ahead.pop(0))
        if self._taken is None:
            return next(self._result, None)
        return self._taken.pop(0) if self._taken else None

    def detach(self) -> None:
        """Blocks. Takes the rows still to come into memory and frees the connection."""
        if not self.done and self._taken is None:
            self._taken = [*map(self._result.batch, self._ahead), *self._result]
            self._ahead = []
            self._end()

    def take(self) -> list[pa.RecordBatch]:
        """Blocks. All rows still to come, and the portal's end."""
        self.detach()
        taken = self._taken or []
        self.close()
        return taken

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
            self._rest, self._taken, self._ahead, self._early = None, [], [], None
            self._end()
            if self._owned is not None:
                self._owned.close()

    def _end(self) -> None:
        self._result.close()
        self.statement.ended()
