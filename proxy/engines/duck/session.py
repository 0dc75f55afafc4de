"""One session's connection to DuckDB, driven from worker threads, never from the loop.

What touches DuckDB here blocks and says so; a session calls it through `DuckSession.call`, which runs it in
a thread (DuckDB and Arrow release the GIL). A thread fetches *and* encodes, so what comes back to the loop is
bytes ready for the socket, a bounded piece at a time: memory does not grow with a result, and a slow client stops
the scan.
All that depends on DuckDB's version is here and in `duck.c`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from enum import Enum, auto
from typing import Any, TypeVar

import pyarrow as pa

from proxy.engines.crew import Crew
from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck.appender import Appender
from proxy.engines.duck.errors import is_fatal, sql_error
from proxy.engines.duck.names import DuckNames
from proxy.engines.duck.portal import DuckPortal, Piece
from proxy.engines.duck.sequences import Drawn
from proxy.engines.duck.statement import Accept, DuckStatement, Look
from proxy.engines.freshness import Stamp, Watch
from proxy.engines.serial import SerialCommits
from proxy.engines.workers import Job, Workers
from proxy.errors import SqlError
from proxy.sql.lengths import Declared
from proxy.sql.quoting import literal, names_listed
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import DuckType

T = TypeVar("T")
_ENCODED_AT_ONCE = 2  # pieces of one result
_AGAIN = 0.05  # seconds until what goes on is interrupted again
# Texts that a session runs again and again stay prepared: so many, of at most this length.
_KEPT = 8
_KEPT_LENGTH = 4096


class _Told(Enum):
    """Whether the connection's macros say who draws; IN_BLOCK: until the open transaction is undone."""

    NOT = auto()
    IN_BLOCK = auto()
    FOR_EVER = auto()


class DuckSession(DuckNames):
    """One client's connection to the engine. Its blocking methods are for `call` alone."""

    def __init__(
        self,
        connection: duckdb_c.Connection,
        workers: Workers,
        crew: Crew,
        watch: Watch,
        serial_commits: SerialCommits,
        failed: Callable[[], None],
    ) -> None:
        self._connection, self._failed = connection, failed
        self._serial_commits = serial_commits
        self.has_own = False  # something of ours in the transaction, which ends with it
        self._serial: int | None = None  # their number when the transaction began, if it is one
        self._workers = workers
        self._crew = crew
        self._watch = watch
        self._running = 0
        self._job: Job[Any] | None = None  # what is done now
        self._ahead: asyncio.Task[None] | None = None  # rows that nobody has asked for yet
        self._overtaken = False  # a cancel came while a call waited for them
        self.unwanted = False  # what runs was told to stop: for who waits there for others
        self._closed = False
        self._streaming: DuckPortal | None = None
        self._kept: OrderedDict[str, DuckStatement] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()  # run once, not kept yet
        self._declared: Declared | None = None
        self._declared_at = watch.stamp()
        self._searched = ""  # the search_path, where it was set; and as DuckDB has it
        self._path = ""
        self._schemas_searched: dict[str, str] = {}  # all that there were then
        self.drawn: Drawn | None = None
        self._tells = _Told.NOT

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

    async def call(self, function: Callable[..., T], *arguments: Any, helped: bool = True) -> T:
        """Runs a blocking function of this session in a worker thread. One at a time.

        helped: by the engine's crew, if it takes long; which costs what has nothing to share.

        If the caller is cancelled the statement is interrupted and its end awaited, so that no
        thread is left working on a connection that somebody else believes idle.
        """
        self._running += 1
        if not self._is_streaming:
            self._watch.row_changes.looks()
        try:
            while self._ahead is not None:
                await asyncio.wait([self._ahead])
            if self._overtaken:
                self._overtaken = False
                raise SqlError("57014", "canceling statement due to user request")
            return await self._work(function, *arguments, helped=helped)
        finally:
            self._running -= 1
            if not self._running and not self._is_streaming:
                self._watch.row_changes.has_looked()

    @property
    def _is_streaming(self) -> bool:
        """Whether it may have a snapshot though it does nothing."""
        return self._streaming is not None and self._streaming.is_streaming

    async def _work(self, function: Callable[..., T], *arguments: Any, helped: bool = True) -> T:
        self.unwanted = False
        job = self._job = self._workers.submit(self._translate, function, *arguments)
        if helped:
            self._crew.starts(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            self.unwanted = True
            self._interrupt(job)
            while not job.ended:
                await asyncio.wait([job.again()])
            if job.future.done() and not job.future.cancelled():
                job.future.exception()
            raise
        finally:
            self._crew.ends(job)
            self._job = None

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

    def _translate(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return function(*arguments)
        except duckdb_c.DuckFailure as error:
            if is_fatal(error):
                self._failed()
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
            self.unwanted = True
            self._interrupt(self._job)

    def _interrupt(self, job: Job[Any] | None) -> None:
        """Until it has ended: DuckDB forgets what comes before it has begun."""
        if job is not None and not job.ended:
            self._connection.interrupt()
            asyncio.get_running_loop().call_later(_AGAIN, self._interrupt, job)

    # A connection streams one result at a time: whatever else it is asked to do would end the
    # stream, so the rows still to come are taken into memory first.

    def _detach(self) -> None:
        if self.drawn is not None:
            self.drawn.begin()
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
                look(kept.refreshed().columns)
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
        self.has_own = True
        return Appender(self._connection, sql, schema, types)

    # --- transactions: each blocks, and takes nothing of a client's but its modes ----------------

    def begin(self, sql: str = "BEGIN TRANSACTION", serial: bool = False) -> None:
        """serial: it is SERIALIZABLE."""
        self._detach()
        self.has_own = False
        self._serial = self._serial_commits.number() if serial else None
        self._watch.begin()
        self._connection.transact(sql)

    @property
    def changes_of_others(self) -> int | None:
        """Another number once another session has committed a change; None while any is at it.

        Outside of transactions.
        """
        return self._watch.changes_of_others

    @property
    def is_current(self) -> bool:
        """Whether nobody else has changed anything since the transaction began."""
        return self._watch.is_current

    def check_serial(self) -> None:
        """Blocks. Raises SqlError 40001 where `commit` would."""
        if self._serial is not None and self._watch.wrote:
            self._serial_commits.check(self._serial)

    def commit(self) -> None:
        """Raises SqlError, 40001 where others were committed that it may not be committed beside."""
        self._detach()
        since = self._serial if self._watch.wrote else None
        try:
            with self._serial_commits.commit(since):
                self._commit()
        except SqlError:
            self.rollback()
            raise

    def _commit(self) -> None:
        self._watch.commit()
        try:
            self._connection.transact("COMMIT")
        except BaseException:
            self._told(_Told.NOT)
            self._watch.failed()
            raise
        else:
            self._told(_Told.FOR_EVER)
        finally:
            self._watch.over()

    def rollback(self) -> None:
        self._detach()
        self._watch.rollback()
        self._told(_Told.NOT)
        self._connection.transact("ROLLBACK")

    def _told(self, since: _Told) -> None:
        """A transaction has ended, and what was told in it is so, or not, from here on."""
        if self._tells is _Told.IN_BLOCK:
            self._tells = since

    def syntax_error(self, sql: str) -> duckdb_c.DuckError | None:
        """Briefly, on any thread while nothing runs: what DuckDB's grammar says of a text."""
        return self._connection.syntax_error(sql)

    # --- statements of our own -----------------------------------------------------------------

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Blocks. A query of our own."""
        self._detach()
        return self._connection.run(sql)

    def listed(self, sql: str, *names: str) -> list[tuple[Any, ...]]:
        """Blocks. A query of our own over DuckDB's listings of its catalog, which is planned once.

        names: its parameters.
        """
        self._detach()
        return self._connection.listed(sql, names)

    def run_privately(self, sql: str) -> None:
        """Blocks. A statement of ours whose effects only this session can see: a variable, a
        temporary table. Plans of this session that were made before are made anew."""
        self._watch.set()
        self.has_own = True
        self.run(sql)

    def unchanged(self, moment: Stamp) -> bool:
        """Blocks. Whether a query gives now what it gave then: `DuckStatement.moment` when it ran."""
        return self._watch.holds(moment, rows=True)

    def now(self) -> Stamp:
        """Blocks. The state of the database, to be held against `unchanged` later."""
        return self._watch.stamp()

    def know_who_draws(self) -> Drawn:
        """Blocks, once. currval and lastval are this session's own from here on.

        It costs as much as a few statements: for sessions that may draw numbers or ask for them.
        """
        if self.drawn is None:
            self.drawn = Drawn()
        if self._tells is _Told.NOT:
            with self._in_transaction(keeps=True):
                self._connection.run_script(self.drawn.macros())
            self._tells = _Told.IN_BLOCK if self._watch.in_block else _Told.FOR_EVER
        return self.drawn

    def set_variable(self, name: str, literal: str, *, moves: bool = False) -> None:
        """Blocks. Sets a variable of this connection alone.

        moves: whether it is another with each statement, so that nothing that reads it is asked again.
        """
        if not moves:
            self._watch.set()
        self._detach()
        self._connection.run_script(f"SET VARIABLE {name} = {literal}")

    def apply(self, name: str, value: str) -> None:
        """Blocks. Sets on DuckDB what a session's setting of this name means there."""
        self._watch.set()
        if name == "TimeZone":
            self.run(f"SET TimeZone = {literal(value)}")
        elif name == "IntervalStyle":
            self.run(f"SET VARIABLE hatidata_intervals = {literal(value)}")
        elif name == "search_path":
            self._searched = value
            self._search()

    def follow_schemas(self) -> None:
        """Blocks. What the search_path names may have come since it was set, or have gone."""
        quiet = self._streaming is None or self._streaming.done
        if self._searched and quiet and self.schemas() is not self._schemas_searched:
            self._search()

    def _search(self) -> None:
        there = self.schemas()
        path = self.search_path_there(self._searched)
        if path != self._path:
            self._watch.set()
            self._watch.tables.schema = names_listed(path)[0]
            self.run(f"SET search_path = {literal(path)}")
        self._path, self._schemas_searched = path, there

    def close(self) -> None:
        """Blocks. Rolls back what is open."""
        if not self._closed:
            self._closed = True
            if self._streaming is not None:
                self._streaming.close()
            for kept in self._kept.values():
                kept.close()
            self._connection.close()
            self._watch.rollback()
            self._watch.over()
