"""A client's transaction over two engines: Postgres's rules, each engine opened when first used.

States are Postgres's: none, a block the client opened, a failed block. Beside them there are two
implicit blocks, which look like no block from outside: several statements in one simple Query, and
everything between two Syncs of the extended protocol. COMMIT goes to Postgres first, then to
DuckDB; docs/architecture.md says what a crash between the two means.
"""

from __future__ import annotations

from enum import Enum

import structlog

from proxy.engines.duck import DuckSession
from proxy.engines.relay import Relay, Told
from proxy.errors import SqlError
from proxy.session_settings import SessionSettings
from proxy.sql.session_actions import Begin

log = structlog.get_logger()


class Block(Enum):
    NONE = "none"
    PIPELINE = "pipeline"  # until Sync; Postgres holds it open by itself
    MESSAGE = "message"  # until the end of a simple Query's statements
    EXPLICIT = "explicit"  # until COMMIT or ROLLBACK


class Transaction:
    def __init__(self, duck: DuckSession, relay: Relay, settings: SessionSettings) -> None:
        self._duck, self._relay, self._settings = duck, relay, settings
        self.block = Block.NONE
        self.failed = False
        self.duck_open = False
        self._modes = Begin()

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
        self.duck_open = True
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
        return " ".join(words)

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
        try:
            await self._relay.end("COMMIT")
        except (SqlError, Told):
            await self.rollback()
            raise
        if self.duck_open:
            self.duck_open = False
            try:
                await self._duck.call(self._duck.run, "COMMIT")
            except SqlError:
                self._settings.rollback()
                self._close()
                raise
        self._settings.commit()
        self._close()
        return True

    async def rollback(self) -> None:
        """Ends the block and everything in it, on both engines."""
        await self._undo()
        self._settings.rollback()
        self._close()

    async def fail(self) -> None:
        """A statement failed: the block is dead on both engines, and waits for the client to say so."""
        if self.block is Block.NONE:
            return
        await self._undo()
        if self.block is Block.EXPLICIT:
            self.failed = True
        else:
            self._settings.rollback()
            self._close()

    async def _undo(self) -> None:
        if self.duck_open:
            self.duck_open = False
            try:
                await self._duck.call(self._duck.run, "ROLLBACK")
            except SqlError as error:  # DuckDB had already given the transaction up
                log.debug("rollback", error=str(error))
        try:
            await self._relay.end("ROLLBACK")
        except (SqlError, Told) as error:
            log.warning("rollback on postgres failed", error=str(error))
            self._relay.close()

    def _close(self) -> None:
        self.block = Block.NONE
        self.failed = False
        self._modes = Begin()
