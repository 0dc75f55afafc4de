"""A client's transaction over two engines: Postgres's rules, each engine opened when first used.

States are Postgres's: none, a block the client opened, a failed block. Beside them there are two
implicit blocks, which look like no block from outside: several statements in one simple Query, and
everything between two Syncs of the extended protocol. COMMIT goes to Postgres first, then to
DuckDB; docs/architecture.md says what a crash between the two means.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog

from proxy.engines.duck.c import DuckFailure
from proxy.engines.duck.session import DuckSession
from proxy.engines.loan import Told
from proxy.engines.relay import Relay
from proxy.errors import SqlError
from proxy.session import savepoints
from proxy.session.inserted_rows import AddedRows
from proxy.session.on_commit import OnCommit
from proxy.session.savepoints import WriteLog
from proxy.session.settings import SessionSettings
from proxy.sql.definitions.touched import Touched
from proxy.sql.quoting import quoted
from proxy.sql.session_actions import Begin

log = structlog.get_logger()


class Block(Enum):
    NONE = "none"
    PIPELINE = "pipeline"  # until Sync; Postgres holds it open by itself
    MESSAGE = "message"  # until the end of a simple Query's statements
    EXPLICIT = "explicit"  # until COMMIT or ROLLBACK


@dataclass(slots=True)
class Savepoint:
    """writes: how many of the log's were there; None while DuckDB's transaction was not open."""

    name: str
    writes: int | None
    settings: tuple[dict[str, str], dict[str, str]]
    mirrored: tuple[int, int]


class Transaction:
    """ended: told of each block's end, whether it was committed, and whether by Postgres alone."""

    def __init__(self, duck: DuckSession, relay: Relay, settings: SessionSettings) -> None:
        self._duck, self._relay, self._settings = duck, relay, settings
        self.block = Block.NONE
        self.failed = False
        self.duck_open = False
        self._added = AddedRows()
        self._renewed: dict[str, int] = {}  # tables made again, after how many writes
        self.duck_since = 0.0  # before it was opened, by the monotonic clock
        self._only_read = True  # by nothing but queries, as far as it is open
        self.ended: Callable[[bool, bool], Awaitable[None]] = _unheard
        # Asked at each SAVEPOINT, and told of each ROLLBACK TO.
        self.mark: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.went_back: Callable[[tuple[int, int]], None] = lambda _: None
        self._modes = Begin()
        self._savepoints: list[Savepoint] = []
        self.on_commit = OnCommit()
        self._log = WriteLog()

    @property
    def status(self) -> str:
        """As ReadyForQuery says it."""
        if self.block is not Block.EXPLICIT:
            return "I"
        return "E" if self.failed else "T"

    @property
    def modes(self) -> Begin:
        return self._modes

    @property
    def isolation(self) -> str:
        return self._modes.isolation or self._settings.get("default_transaction_isolation")

    @property
    def is_serial(self) -> bool:
        return self.isolation == "serializable"

    @property
    def read_only(self) -> bool:
        if self._modes.read_only is not None:
            return self._modes.read_only
        return self._settings.get("default_transaction_read_only") == "on"

    def check(self) -> None:
        """Raises 25P02 in a failed transaction."""
        if self.failed:
            raise SqlError(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            )

    # --- what to send before a statement ------------------------------------------------------

    def duck_begin(self) -> str | None:
        """The statement that opens DuckDB's transaction, when the next one needs it opened."""
        if self.block is Block.NONE or self.duck_open:
            return None
        self.duck_open, self.duck_since = True, time.monotonic()
        return self._duck_begin_text()

    def _duck_begin_text(self) -> str:
        return "BEGIN TRANSACTION READ ONLY" if self.read_only else "BEGIN TRANSACTION"

    def postgres_begin(self) -> str | None:
        if self.block not in (Block.MESSAGE, Block.EXPLICIT):
            return None
        modes = self._modes
        words = ["BEGIN"]
        if modes.isolation:
            words.append(f"ISOLATION LEVEL {modes.isolation.upper()}")
        if modes.read_only is not None:
            words.append("READ ONLY" if modes.read_only else "READ WRITE")
        if modes.deferrable is not None:
            words.append("DEFERRABLE" if modes.deferrable else "NOT DEFERRABLE")
        marks = (f"; SAVEPOINT {quoted(mark.name)}" for mark in self._savepoints)
        return " ".join(words) + "".join(marks)

    # --- moves --------------------------------------------------------------------------------

    def open(self, block: Block) -> None:
        """Enters an implicit block, unless a block is open already."""
        if self.block is Block.NONE:
            self.block = block
            self._settings.begin()

    def begin(self, modes: Begin) -> SqlError | None:
        """BEGIN: an implicit block becomes the client's own. Returns the warning, if one is due."""
        warning = None
        if self.block is Block.EXPLICIT:
            warning = SqlError("25001", "there is already a transaction in progress")
        self.open(Block.EXPLICIT)
        self.block = Block.EXPLICIT
        if warning is None:
            self._modes = modes
        return warning

    def set_modes(self, modes: Begin) -> None:
        """SET TRANSACTION, before either engine is in use."""
        if self.duck_open or self._relay.in_transaction:
            raise SqlError("25001", "SET TRANSACTION must be called before any query")
        now = self._modes
        self._modes = Begin(
            modes.isolation or now.isolation,
            now.read_only if modes.read_only is None else modes.read_only,
            now.deferrable if modes.deferrable is None else modes.deferrable,
        )

    async def commit(self) -> bool:
        """Ends the block, Postgres first. False when it had failed and was rolled back instead.

        Raises `SqlError` or `Told` when an engine refuses; then nothing is left open.
        """
        if self.failed:
            await self.rollback()
            return False
        used_postgres = self._relay.in_transaction
        try:
            for statement in self.on_commit.statements() if self._writes_duck else ():
                await self._duck.call(self._duck.run_privately, statement)
            if used_postgres and self.duck_open and self.is_serial:
                await self._duck.call(self._duck.check_serial)
            await self._relay.end("COMMIT")
        except (SqlError, Told):
            await self.rollback()
            raise
        if self.duck_open:
            self.duck_open = False
            try:
                await self._duck.call(self._duck.commit)
            except SqlError as error:
                self._settings.rollback()
                self._close()
                await self.ended(False, True)
                if used_postgres:
                    raise _half_committed(error) from error
                raise
        self._settings.commit()
        self._close(committed=True)
        await self.ended(True, False)
        return True

    @property
    def _writes_duck(self) -> bool:
        return self.duck_open and not self.read_only

    async def rollback(self) -> None:
        """Ends the block and everything in it, on both engines."""
        await self._undo()
        self._settings.rollback()
        self._close()
        await self.ended(False, False)

    async def fail(self) -> None:
        """A statement failed: the block is dead on both engines, and waits for the client to say so."""
        if self.block is Block.NONE:
            return
        if self._savepoints:  # the client may still go back to one
            self.failed = True
            return
        await self._undo()
        if self.block is Block.EXPLICIT:
            self.failed = True
        else:
            self._settings.rollback()
            self._close()
            await self.ended(False, False)

    @property
    def given_up(self) -> bool:
        """Whether it has failed, and the client cannot go back to a savepoint."""
        return self.failed and not self._savepoints

    async def _undo(self) -> None:
        if self.duck_open:
            self.duck_open = False
            try:
                await self._duck.call(self._duck.rollback)
            except SqlError as error:  # DuckDB had already given the transaction up
                log.debug("rollback", error=str(error))
        try:
            await self._relay.end("ROLLBACK")
        except (SqlError, Told) as error:
            log.warning("rollback on postgres failed", error=str(error))
            self._relay.close()

    def _close(self, *, committed: bool = False) -> None:
        self.block = Block.NONE
        self.failed = False
        self._modes = Begin()
        self._savepoints.clear()
        self.on_commit.ended(committed)
        self._log = WriteLog()
        self._only_read = True
        self._renewed.clear()

    # --- savepoints ---------------------------------------------------------------------------

    def wrote(self, sql: str, values: Sequence[Any], rows: int, **how: bool) -> None:
        """A statement of DuckDB's changed something inside a block, which BEGIN may yet take in.

        how: settled, gives_all, as in `Write`.
        """
        if self.block is not Block.NONE:
            self._log.add(sql, values, rows, **how)

    def has_changed_rows(self, table: str) -> bool:
        """Blocks. Whether the block may have updated or deleted rows of a table of this name."""
        since = self._renewed.get(table, 0)
        return self.block is not Block.NONE and savepoints.may_change_rows(self._log, table, since)

    def cannot_alter(self, table: str) -> bool:
        """Blocks. Whether DuckDB may not alter a table of this name within the block, for what was done in it."""
        dropped = self.block is not Block.NONE and savepoints.drops_indexes(self._log)
        return dropped or self.has_changed_rows(table)

    def renewed(self, tables: Iterable[str]) -> None:
        """The block has just made these tables again: what it changed before counts no more."""
        self._renewed |= dict.fromkeys(tables, len(self._log))

    def at_commit(self, name: str, *, drops: bool) -> None:
        """A temporary table of this name is about to be made, to be dropped or emptied then."""
        self.on_commit.made(name, drops, len(self._log))

    def defined(self, kind: str, touched: Iterable[Touched]) -> None:
        """The statement that was noted last is a definition of this kind."""
        self.on_commit.wrote(kind, touched, len(self._log))

    async def about_to(self, *, read: bool) -> None:
        """Before a statement for DuckDB, which does nothing but read, or may do more.

        In READ COMMITTED a query sees what others have committed until then, as long as the block has only read.
        """
        if self.block is Block.NONE:
            return
        if not read or not self._only_read:
            self._only_read = False
        elif self.block is Block.EXPLICIT and self.duck_open and not self._duck.is_current:
            await self.look_again()

    async def look_again(self) -> bool:
        """Whether DuckDB's next statement has a new snapshot, as each has in READ COMMITTED: the old one is
        given up, if there is one and nothing was written in it."""
        if not self.duck_open:
            return True
        weak = self.isolation in ("read committed", "read uncommitted")
        if not weak or len(self._log) or self._log.refusal is not None or self._duck.has_own:
            return False
        self.duck_open = False
        await self._duck.call(self._duck.rollback)
        return True

    def wrote_once(self, what: str) -> None:
        """... and cannot be repeated."""
        if self.block is not Block.NONE:
            self._log.add_unrepeatable(what)

    async def savepoint(self, name: str, *, own: bool = False) -> None:
        """own: of ours, which may stand in any block."""
        self._in_block("SAVEPOINT", own)
        if self._relay.in_transaction:
            await self._relay.execute(f"SAVEPOINT {quoted(name)}")
        writes = len(self._log) if self.duck_open else None
        if writes and not self.failed and self._log.has_inserts():
            await self._duck.call(savepoints.hold_rows, self._duck, self._log, self._added)
        self._savepoints.append(Savepoint(name, writes, self._settings.savepoint(), self.mark()))

    async def release(self, name: str, *, own: bool = False) -> None:
        self._in_block("RELEASE SAVEPOINT", own)
        index = self._find(name)
        if self._relay.in_transaction:
            await self._relay.execute(f"RELEASE SAVEPOINT {quoted(name)}")
        del self._savepoints[index:]

    async def rollback_to(self, name: str, *, own: bool = False) -> None:
        """Back to the savepoint on both engines. Raises 0A000, 40001 when DuckDB cannot go back."""
        self._in_block("ROLLBACK TO SAVEPOINT", own)
        index = self._find(name)
        mark = self._savepoints[index]
        if self.duck_open:
            await self._restore_duck(mark)
        if self._relay.in_transaction:
            await self._relay.execute(f"ROLLBACK TO SAVEPOINT {quoted(name)}")
        del self._savepoints[index + 1 :]
        self.on_commit.back_to(mark.writes or 0)
        self._settings.rollback_to(mark.settings)
        self.failed = False
        self.went_back(mark.mirrored)

    async def _restore_duck(self, mark: Savepoint) -> None:
        duck, log = self._duck, self._log
        if mark.writes is None:
            await duck.call(savepoints.defaults, duck)
            self.duck_open, self._log = False, WriteLog()
            return
        untouched = len(log) == mark.writes and log.refusal is None
        if untouched and await duck.call(_healthy, duck):
            return
        if self.isolation not in ("read committed", "read uncommitted"):
            raise savepoints.not_restorable(f"the transaction is {self.isolation.upper()}")
        if log.refusal is not None:
            raise savepoints.not_restorable(log.refusal)
        kept = log.writes[: mark.writes]
        names = savepoints.repeatable(kept)
        found = await duck.call(savepoints.defaults, duck)
        savepoints.check_defaults(found, names)
        await duck.call(savepoints.repeat, duck, self._duck_begin_text(), kept)
        log.forget(mark.writes)
        self._renewed.clear()

    def _find(self, name: str) -> int:
        for index in reversed(range(len(self._savepoints))):
            if self._savepoints[index].name == name:
                return index
        raise SqlError("3B001", f'savepoint "{name}" does not exist')

    def _in_block(self, what: str, own: bool) -> None:
        if self.block is not Block.EXPLICIT and not own:
            raise SqlError("25P01", f"{what} can only be used in transaction blocks")


def _half_committed(error: SqlError) -> SqlError:
    """DuckDB refused its COMMIT after Postgres had made its own: the client must know of both."""
    told = "The control plane's part of the transaction was committed, the analytical part was not."
    return SqlError(
        error.sqlstate,
        error.message,
        detail=f"{error.detail}\n{told}" if error.detail else told,
        hint="Repeat the analytical part only, or find the other by its work_item_key.",
    )


async def _unheard(committed: bool, half: bool) -> None:
    return None


def _healthy(duck: DuckSession) -> bool:
    """Blocks. Whether DuckDB's transaction outlived the error."""
    try:
        duck.run("SELECT 1")
    except (SqlError, DuckFailure):
        return False
    return True
