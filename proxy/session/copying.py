"""COPY between a client and DuckDB's tables, for both protocols.

Why it is apart from the session: while a COPY runs the protocol is another one, and bytes arrive
faster than statements ever do. Frames are gathered on the loop while a worker thread parses the
ones before and appends their rows, so neither waits for the other and memory holds two chunks.

Promises: a COPY is done or it is not - alone it is a transaction, within a block it fails with the
block. Blocking work runs in the session's worker alone.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from proxy.definitions.materialized import check_target
from proxy.engines.definition_names import TEMPORARY
from proxy.engines.duck.appender import Appender
from proxy.engines.duck.c import DuckError
from proxy.engines.duck.errors import EngineError, sql_error
from proxy.engines.duck.portal import DuckPortal
from proxy.engines.duck.session import DuckSession
from proxy.errors import SqlError
from proxy.session import portal as portals
from proxy.session.parameter_types import written_columns
from proxy.session.transaction import Block
from proxy.sql.changes.written_columns import rounding
from proxy.sql.quoting import quoted
from proxy.sql.session_actions import CopyStatement
from proxy.sql.statement import Statement
from proxy.wire import messages as m
from proxy.wire.copy import CopyOptions, CopyReader, CopyWriter, Piece, copy_options
from proxy.wire.types import DuckType

if TYPE_CHECKING:
    from proxy.session.session import Session

_CANCELED = "canceling statement due to user request"


@dataclass(slots=True)
class _Target:
    """sql: the relation as DuckDB's SQL names it. columns: those that are copied, in order."""

    sql: str
    name: str
    schema: str = ""
    columns: list[tuple[str, DuckType]] = field(default_factory=list)

    @property
    def column_list(self) -> str:
        return ", ".join(quoted(name) for name, _ in self.columns)


@dataclass(slots=True)
class _Load:
    """A COPY FROM under way. rows: inserted so far."""

    target: _Target
    options: CopyOptions
    reader: CopyReader
    appender: Appender
    rows: int = 0

    def append(self, piece: Piece) -> None:
        """Blocks. Inserts the rows before the first error, then raises that."""
        if piece.rows.num_rows:
            try:
                self.appender.append(piece.rows)
            except DuckError as error:
                told = _located(sql_error(error), piece)
                # Keys are checked last: Postgres reads on before it inserts a batch of rows.
                if piece.error is None or told.sqlstate != "23505":
                    raise told from error
            self.rows += piece.rows.num_rows
        if piece.error is not None:
            raise piece.error


class _Pipeline:
    """Chunks of bytes in, rows into the table: one chunk is parsed while those before are inserted."""

    def __init__(self, duck: DuckSession, load: _Load) -> None:
        self._duck, self._load = duck, load
        self._parsing: asyncio.Task[Piece] | None = None
        self._appending: asyncio.Task[None] | None = None

    async def put(self, chunk: list[bytes], last: bool = False) -> None:
        """Waits until the chunk before has been parsed. Raises what is wrong with earlier ones."""
        await self._advance()
        parse = self._duck.compute(self._load.reader.feed, chunk, last)
        self._parsing = asyncio.ensure_future(parse)

    async def finish(self, chunk: list[bytes]) -> None:
        """The last chunk, and the end of all work."""
        await self.put(chunk, last=True)
        await self._advance()
        await self._appended()

    async def stop(self) -> None:
        """Ends what is still at work, and waits for that."""
        for task in (self._parsing, self._appending):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, SqlError):
                    await task

    async def _advance(self) -> None:
        """What has been parsed is inserted next."""
        if self._parsing is None:
            return
        piece = await self._parsing
        self._parsing = None
        await self._appended()
        self._appending = asyncio.ensure_future(self._duck.call(self._load.append, piece))
        if piece.error is not None:
            await self._appended()

    async def _appended(self) -> None:
        if self._appending is not None:
            await self._appending
            self._appending = None


class Copying:
    """One session's COPY, of which there is never more than one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running = self._cancelled = False

    def cancel(self) -> None:
        """Ends a running COPY with 57014, also where no engine runs that could be interrupted."""
        self._cancelled = self._running

    async def run(self, plan: Statement) -> None:
        """A COPY and its whole answer, CommandComplete included. Raises SqlError."""
        action = plan.action
        assert isinstance(action, CopyStatement)
        await check_target(self._session, plan)
        transaction = self._session.transaction
        alone = transaction.block is Block.NONE
        if alone:
            transaction.open(Block.PIPELINE if plan.federated else Block.MESSAGE)
        self._running, self._cancelled = True, False
        try:
            rows = await (self._from if action.direction == "FROM" else self._to)(plan, action)
        except EngineError as error:
            error.table = action.table or error.table
            raise
        finally:
            self._running = False
        if alone:
            await transaction.commit()
        self._session.link.write(portals.complete("COPY", rows))

    def _check_cancelled(self) -> None:
        if self._cancelled:
            raise SqlError("57014", _CANCELED)

    # --- the relation -----------------------------------------------------------------------------

    def _resolve(self, action: CopyStatement) -> tuple[_Target, CopyOptions]:
        """Blocks. The table that is copied, and how. Raises 42P01, 42809, 42703, 42701..."""
        assert action.table is not None
        duck, incoming = self._session.duck, action.direction == "FROM"
        *places, name = action.table
        places = [TEMPORARY if place == "pg_temp" else place for place in places]
        target = _Target(quoted(*places, name), name, *places[-1:])
        self._check_is_table(target, incoming)
        if incoming and self._session.transaction.read_only:
            raise SqlError("25006", "cannot execute COPY FROM in a read-only transaction")
        options = copy_options(action.options, incoming=incoming)
        every = duck.prepare(f"SELECT * FROM {target.sql}")
        try:
            target.columns = self._chosen(target, every.columns, action.columns)
            there = [name for name, _ in every.columns]
        finally:
            every.close()
        options.check_columns([name for name, _ in target.columns], there, target.name)
        return target, options

    def _check_is_table(self, target: _Target, incoming: bool) -> None:
        """Blocks. An INSERT is planned only for tables, and never opens a file of that name."""
        try:
            self._session.duck.prepare(f"INSERT INTO {target.sql} DEFAULT VALUES").close()
        except DuckError as error:
            if "does not exist because schema" in error.message:
                raise SqlError("3F000", f'schema "{target.schema}" does not exist') from None
            if "is not an table" not in error.message:
                raise
            raise SqlError(
                "42809",
                f'cannot copy {"to" if incoming else "from"} view "{target.name}"',
                hint=None if incoming else "Try the COPY (SELECT ...) TO variant.",
            ) from None

    def _chosen(
        self, target: _Target, every: list[tuple[str, DuckType]], wanted: tuple[str, ...]
    ) -> list[tuple[str, DuckType]]:
        """Blocks. The columns that are named, or all but the generated ones."""
        if not wanted:
            if self._insertable(target, [name for name, _ in every]):
                return every
            return [column for column in every if self._insertable(target, [column[0]])]
        exact = dict(every)
        folded = {name.lower(): (name, duck) for name, duck in every}
        chosen: list[tuple[str, DuckType]] = []
        for name in wanted:
            found = (name, exact[name]) if name in exact else folded.get(name.lower())
            if found is None:
                raise SqlError(
                    "42703", f'column "{name}" of relation "{target.name}" does not exist'
                )
            if found in chosen:
                raise SqlError("42701", f'column "{name}" specified more than once')
            if not self._insertable(target, [found[0]]):
                raise SqlError(
                    "42P10",
                    f'column "{name}" is a generated column',
                    detail="Generated columns cannot be used in COPY.",
                )
            chosen.append(found)
        return chosen

    def _insertable(self, target: _Target, names: list[str]) -> bool:
        """Blocks. Whether none of these columns is generated: only the binder knows."""
        columns, nulls = ", ".join(map(quoted, names)), ", ".join(["NULL"] * len(names))
        sql = f"INSERT INTO {target.sql} ({columns}) VALUES ({nulls})"
        try:
            self._session.duck.prepare(sql).close()
        except DuckError as error:
            if "generated column" in error.message:
                return False
            raise
        return True

    # --- COPY TO ----------------------------------------------------------------------------------

    async def _to(self, plan: Statement, action: CopyStatement) -> int:
        federation = self._session.federation
        plan = await self._session.typed.of(plan)
        if not plan.federated:
            try:
                return await self._send(plan, action)
            except EngineError as error:
                plan = federation.widened(plan, error)
        try:
            return await self._send(await federation.open(plan, plan.sql), action)
        finally:
            await federation.close()

    async def _send(self, plan: Statement, action: CopyStatement) -> int:
        session = self._session
        try:
            running, writer, piece = await session.on_duck(self._start_out, plan, action)
        except EngineError as error:
            if action.table is None:
                error = await session.located(error, plan, plan.sql)
            raise error from None
        try:
            answer = m.copy_response(b"H", writer.binary, len(running.columns))
            session.link.write(answer + writer.head())
            sent = 0
            while True:
                data, rows, more = piece
                session.link.write(data)
                sent += rows
                if not more:
                    break
                piece = await self._next_piece(running, writer)
            session.link.write(writer.tail() + _COPY_DONE)
            session.wrote(plan, plan.sql, (), sent)
            return sent
        finally:
            await session.end_duck(running)

    async def _next_piece(self, running: DuckPortal, writer: CopyWriter) -> Any:
        """The next piece, made while the client reads the one before."""
        duck = self._session.duck
        piece = asyncio.ensure_future(duck.call(running.fetch, writer))
        try:
            await self._session.link.drain()
            self._check_cancelled()
        except BaseException:
            piece.cancel()
            with suppress(asyncio.CancelledError, SqlError):
                await piece
            raise
        return await piece

    def _start_out(
        self, plan: Statement, action: CopyStatement
    ) -> tuple[DuckPortal, CopyWriter, Any]:
        """Blocks. Up to the first rows, so that an error at the start comes before any answer."""
        duck = self._session.duck
        if action.table is not None:
            target, options = self._resolve(action)
            sql = f"SELECT {target.column_list} FROM {target.sql}"
        else:
            options, sql = copy_options(action.options, incoming=False), plan.sql
        statement = duck.prepare(sql)
        if portals.row_types_of(plan, statement) is None:
            raise SqlError("0A000", "COPY query must have a RETURNING clause")
        if action.table is None:
            options.check_columns([name for name, _ in statement.columns])
        running = duck.start(statement)
        running.owns(statement)
        try:
            writer = CopyWriter(running.columns, options, self._session.style())
            return running, writer, running.fetch(writer)
        except BaseException:
            running.close()
            raise

    # --- COPY FROM --------------------------------------------------------------------------------

    async def _from(self, plan: Statement, action: CopyStatement) -> int:
        session = self._session
        session.draws = True
        load = await session.on_duck(self._start_in, action)
        try:
            columns = len(load.target.columns)
            session.link.write(m.copy_response(b"G", load.options.binary, columns))
            session.link.protocol.copy_in()
            await self._receive(load)
            session.link.protocol.ready()
        except BaseException:
            await self._give_up(load)
            raise
        await session.duck.call(load.appender.close)
        if load.rows:
            session.transaction.wrote_once("COPY FROM STDIN")
        return load.rows

    def _start_in(self, action: CopyStatement) -> _Load:
        """Blocks. Everything that can be wrong before any data has come."""
        target, options = self._resolve(action)
        zone = self._session.settings.get("TimeZone")
        reader = CopyReader(target.name, target.columns, options, zone)
        duck = self._session.duck
        sql = f"INSERT INTO {target.sql} ({target.column_list}) SELECT * FROM copied"
        sql = rounding(sql, partial(written_columns, duck))
        appender = duck.appender(sql, reader.schema, reader.carriers)
        return _Load(target, options, reader, appender)

    async def _receive(self, load: _Load) -> None:
        """Takes frames up to CopyDone and loads them, chunk by chunk."""
        link = self._session.link
        pipeline = _Pipeline(self._session.duck, load)
        chunk: list[bytes] = []
        size = 0
        try:
            while True:
                frame = link.protocol.next_frame() or await link.next_frame()
                self._check_cancelled()
                if frame is None:
                    raise ConnectionResetError("the client has gone")
                kind, body = frame
                if kind != b"d":
                    break
                chunk.append(body)
                size += len(body)
                if size >= load.reader.wants:
                    await pipeline.put(chunk)
                    chunk, size = [], 0
            if kind != b"c":
                raise self._ended(kind, body)
            await pipeline.finish(chunk)
            self._check_cancelled()
        finally:
            await pipeline.stop()

    def _ended(self, kind: bytes, body: bytes) -> SqlError:
        """What a frame means that is neither data nor its end."""
        if kind == b"f":
            message = m.decode(kind, body)
            assert isinstance(message, m.CopyFail)
            return SqlError("57014", f"COPY from stdin failed: {message.reason}")
        # Where the data ends and the next statement begins nobody can tell any more.
        error = m.protocol_violation(
            f"unexpected message type 0x{kind[0]:02X} during COPY from stdin"
        )
        self._session.link.write(m.error_response(error))
        return m.protocol_violation(
            "terminating connection because protocol synchronization was lost", severity="FATAL"
        )

    async def _give_up(self, load: _Load) -> None:
        """Leaves nothing of it: also where a savepoint keeps the transaction open."""
        session = self._session
        await session.duck.call(load.appender.close)
        if load.rows:
            with suppress(SqlError):
                await session.duck.call(session.duck.run, "SELECT error('COPY failed')")


def _located(error: EngineError, piece: Piece) -> EngineError:
    """The error with the line of the first NULL where none may be; other rows DuckDB does not name."""
    if error.sqlstate == "23502":
        for name in piece.names:
            if f'"{name}"' in error.message or error.message.endswith(f".{name}"):
                error.where = piece.located_null(name)
    return error


_COPY_DONE = m.frame(b"c")
