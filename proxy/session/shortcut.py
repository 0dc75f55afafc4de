"""The shortest way through: an exchange that is Postgres's alone passes without waking the session.

Most of what agents send is one statement for Postgres, outside a transaction, that leaves nothing
behind. When such an exchange arrives whole - a simple Query, or Bind, Describe, Execute and Sync -
at a session that has nothing else to do, the socket's callback sends it to a backend itself, and the
backend's callback sends the answer to the client. No task is woken and no message is decoded.

What is not certain to be that simple is left to the session, which is asked first for every text:
a text passes here only after `learn` was told that the session relayed it. Texts that differ only in
the digits of number literals count as one; which digits those are, the tokenizer has said.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from proxy.engines.backend import Backend
from proxy.engines.lane import Texts
from proxy.engines.prepared import RelayedStatement
from proxy.engines.profile import Profile
from proxy.errors import SqlError
from proxy.session.portal import PreparedStatement
from proxy.session.transaction import Block
from proxy.sql.reading import READERS
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.traces import Trace
from proxy.wire import messages as m
from proxy.wire.protocol import State

if TYPE_CHECKING:
    from proxy.session.session import Session

_length = struct.Struct("!I").unpack_from
_frame = struct.Struct("!cI").pack
_QUERY, _PARSE, _BIND, _DESCRIBE, _EXECUTE, _SYNC, _PORTAL = b"QPBDESP"
_MASK = bytes.maketrans(b"123456789", b"000000000")
_MOST_TEXTS = 4096
_LONGEST = 16384
# What next to digits would make them a part of something else than a number.
_JOINED = frozenset("_$:'\"@#")


def passes(plan: Statement) -> bool:
    """Whether a statement is Postgres's alone and leaves nothing on the backend."""
    return (
        plan.route is Route.POSTGRES
        and not plan.calls
        and plan.trace is Trace.NOTHING
        and plan.refused is None
        and plan.action is None
        and plan.kind != "COPY"
        and not plan.sets
        and not plan.varies
        and plan.relayed is None
        and not plan.asks_positions
    )


class KnownTexts:
    """Texts that pass, under one dialect. Keys have their digits masked."""

    def __init__(self) -> None:
        self._free: dict[bytes, tuple[tuple[int, int], ...]] = {}
        self._plans: dict[bytes, Statement] = {}
        self._whole: dict[bytes, Statement] = {}  # texts whose digits are all free
        self.table = Texts() if Texts is not None else None  # the same, for the compiled way

    def find(self, text: bytes) -> Statement | None:
        masked = text.translate(_MASK)
        if (plan := self._whole.get(masked)) is not None:
            return plan
        free = self._free.get(masked)
        if free is None:
            return None
        for start, end in free:
            text = text[:start] + masked[start:end] + text[end:]
        return self._plans.get(text)

    def learn(self, text: bytes, plan: Statement, dialect: Dialect, again: bool) -> None:
        """again: the very text has been seen before. A text that may never come again is not kept."""
        if len(text) > _LONGEST or not text.isascii():
            return
        masked = text.translate(_MASK)
        if (free := self._free.get(masked)) is None:
            free = _numbers(text.decode(), dialect)
        if not (free or again):
            return
        if len(self._free) >= _MOST_TEXTS or len(self._plans) >= _MOST_TEXTS:
            self._free.clear()
            self._plans.clear()
            self._whole.clear()
            if self.table is not None:
                self.table.clear()
        self._free[masked] = free
        if masked.count(b"0") == sum(end - start for start, end in free):
            self._whole[masked] = plan
        for start, end in free:
            text = text[:start] + masked[start:end] + text[end:]
        self._plans[text] = plan
        if self.table is not None and not plan.asks_catalog:
            self.table.learn(text, free, plan)


def _numbers(text: str, dialect: Dialect) -> tuple[tuple[int, int], ...]:
    """Where the number literals are that stand by themselves; raises nothing: the text was planned."""
    reader = READERS[dialect.name if dialect.transpile else "duckdb"]
    spans = []
    for token in reader.tokenize(text):
        start, end = token.start, token.end + 1
        if not text[start:end].isdecimal():
            continue
        around = text[start - 1 : start] + text[end : end + 1]
        if not any(each.isalnum() or each in _JOINED for each in around):
            spans.append((start, end))
    return tuple(spans)


class Shortcut:
    """One session's. `take` is offered what arrives while the session waits for its client."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: KnownTexts | None = None
        self._dialect: Dialect | None = None
        self.pending = False  # an exchange is under way here: what arrives has to wait
        self.waiting = False  # ... and waits for a backend
        self._data = b""
        # The places of the client's names for statements: start, end of the name, end of the frame.
        self._names: list[tuple[int, int, int, RelayedStatement]] = []
        self._parsed: PreparedStatement | None = None

    def known(self) -> KnownTexts:
        dialect = self._session.dialect
        if self._dialect is not dialect or self._known is None:
            self._dialect = dialect
            self._known = self._session.services.known_texts.setdefault(dialect, KnownTexts())
        return self._known

    def take(self, data: bytes) -> bool:
        """Whether `data`, all that has arrived, is dealt with here. False: nothing was done."""
        session = self._session
        if data[0] == _BIND and session.at_once.take(data):
            return True
        profile, pool = session.relay.known_profile, session.relay.pool
        if profile is None or pool is None or len(data) < 6:
            return False
        if not self._free(profile) or not session.mirror.quiet:
            return False
        first = data[0]
        if first == _QUERY:
            if len(data) != 1 + _length(data, 1)[0]:
                return False
            plan = self.known().find(data[5:-1])
            if plan is None:
                return False
            session.context.started(plan)
            if (statements := session.extended.statements) and "" in statements:
                del statements[""]
        elif first in (_BIND, _PARSE):
            if not self._read_batch(data, profile.matter):
                return False
        else:
            return False
        self._data = data
        self.pending = self.waiting = session.busy = True
        try:
            pool.request(self)
        except SqlError as error:
            self.refuse(error)
        return True

    def _free(self, profile: Profile) -> bool:
        """Whether the session, asleep, has nothing else to do or to keep."""
        session = self._session
        return (
            profile.proven
            and session.relay.idle
            and session.transaction.block is Block.NONE
            and session.link.protocol.state is State.READY
            and not session.extended.portals
            and session.unhurried
            and session.context.plain
        )

    # --- past Python --------------------------------------------------------------------------

    def arm(self) -> None:
        """The session sleeps: exchanges may pass without Python (`_lane.cpp`).

        What `_free` found does not change until `unfold`. The catalog's mirror may; so what asks the
        catalog never passes that way.
        """
        session = self._session
        link, pool, profile = session.link, session.relay.pool, session.relay.known_profile
        if (
            profile is not None
            and pool is not None
            and link.fd >= 0
            and link.sleeping
            and not link.protocol.buffered
            and not link.ended
            and self._free(profile)
        ):
            link.flush()
            statements = session.extended.statements
            link.arm(profile, profile.matter, pool.end, self.known().table, statements)

    def unfold(self) -> None:
        """What passes without Python goes on as if it had been begun here; from now on none does."""
        session = self._session
        link = session.link
        if passed := link.take_passed():
            session.context.passed(passed)
        if (left := link.leave()) is None:
            return
        self._data, backend, self._parsed = left
        self.pending = session.busy = True
        if backend is not None:
            session.relay.take(backend)
            backend.expect(self._finish)
            return
        self.waiting = True
        profile, pool = session.relay.known_profile, session.relay.pool
        assert profile is not None
        assert pool is not None
        if self._data[0] == _QUERY:
            session.context.passed(1)
            session.extended.statements.pop("", None)
        elif not self._read_batch(self._data, profile.matter):
            pool.withdraw(self)
            self._leave_to_session()

    def _read_batch(self, data: bytes, matter: object) -> bool:
        """Whether these are whole messages that all pass, one Sync at their end."""
        statements = self._session.extended.statements
        names: list[tuple[int, int, int, RelayedStatement]] = []
        parsed: PreparedStatement | None = None
        statement: RelayedStatement | None = None
        plan: Statement | None = None
        plans: list[Statement] = []
        at, size = 0, len(data)
        while size - at >= 5:
            kind = data[at]
            end = at + 1 + _length(data, at + 1)[0]
            if end > size:
                return False
            if kind == _BIND:
                if data[at + 5]:
                    return False
                name_end = data.find(0, at + 6, end)
                if name_end < 0:
                    return False
                if name_end == at + 6:
                    if parsed is None:
                        return False
                    statement, plan = parsed.relayed, parsed.plan
                else:
                    found = statements.get(data[at + 6 : name_end].decode("utf-8", "replace"))
                    if found is None or found.relayed is None or found.plan is None:
                        return False
                    statement, plan = found.relayed, found.plan
                    text = statement.text
                    if text is not None and (
                        text.retired
                        or statement.text_profile is not matter
                        or (text.result is not None and text.result != statement.result)
                    ):
                        return False
                    if plan is not found.passing:
                        if not passes(plan):
                            return False
                        found.passing = None if plan.asks_catalog else plan
                    names.append((at, name_end, end, statement))
            elif kind == _DESCRIBE:
                if data[at + 5] != _PORTAL or data[at + 6] or statement is None:
                    return False
                if statement.result is None and (parsed is None or statement is not parsed.relayed):
                    return False
            elif kind == _EXECUTE:
                if data[at + 5] or statement is None or plan is None:
                    return False
                plans.append(plan)
            elif kind == _PARSE:
                if data[at + 5] or parsed is not None:
                    return False
                text_end = data.find(0, at + 6, end)
                known = self.known().find(data[at + 6 : text_end]) if text_end > 0 else None
                if known is None:
                    return False
                parsed = PreparedStatement("", known)
                parsed.relayed = RelayedStatement(data[at + 6 : end])
            elif kind == _SYNC and end == size and at:
                self._names, self._parsed = names, parsed
                for plan in plans:
                    self._session.context.started(plan)
                return True
            else:
                return False
            at = end
        return False

    # --- as a borrower ------------------------------------------------------------------------

    def lend(self, backend: Backend) -> None:
        self.unfold()
        session = self._session
        relay = session.relay
        if not self.waiting:  # it was left to the session after all
            assert relay.pool is not None
            relay.pool.give_back(backend)
            return
        self.waiting = False
        relay.take(backend)
        data = self._data
        if backend.profile is not relay.known_profile:
            relay.bring_in_step_at_once(backend)
        if self._names:
            renamed = self._renamed(backend)
            if renamed is None:  # the session prepares what is missing
                self._leave_to_session()
                return
            data = renamed
        if data[0] != _BIND:
            backend.unnamed = None
        backend.run(data, self._finish)

    def _renamed(self, backend: Backend) -> bytes | None:
        """The exchange with the backend's names for its statements; None where it lacks one."""
        data, pieces, kept = self._data, [], 0
        for start, name_end, end, statement in self._names:
            text, name = statement.text, b""
            if backend.unnamed is not statement or self._parsed is not None:
                if text is None or not backend.knows(text):
                    return None
                backend.used(text)
                name = text.name
            size = end - start - 1 - (name_end - start - 6) + len(name)
            pieces += (data[kept:start], _frame(b"B", size), b"\0", name)
            kept = name_end
        pieces.append(data[kept:])
        return b"".join(pieces)

    def _leave_to_session(self) -> None:
        data = self._data
        self._clear()
        self._session.link.take_back(data)

    def refuse(self, error: SqlError) -> None:
        self.unfold()
        if not self.pending:  # it was left to the session after all
            return
        self._clear()
        link = self._session.link
        link.write(m.error_response(error))
        link.write(m.READY["I"])
        self._end()

    def _finish(self) -> None:
        """The backend has answered, or is gone."""
        session, parsed = self._session, self._parsed
        relay = session.relay
        if parsed is None and relay.release_plain():
            self.pending = session.busy = False
            self._data = b""
            if self._names:
                self._names = []
            self._end()
            return
        backend = relay.backend
        assert backend is not None
        alive = backend.alive
        if parsed is not None:
            if alive and not backend.failed:
                session.extended.statements[""] = parsed
                backend.unnamed = parsed.relayed
            else:
                session.extended.statements.pop("", None)
        complete = not alive and self._data[0] == _QUERY and backend.has_completed(1)
        self._clear()
        torn, error = backend.torn, None if alive else backend.error
        relay.release()
        if complete:  # but for the ReadyForQuery
            session.link.write(m.READY["I"])
            error = None
        if error is not None:
            if torn:
                session.abandon()
                return
            session.link.write(m.error_response(error))
            session.link.write(m.READY["I"])
        self._end()

    def _clear(self) -> None:
        self.pending = self.waiting = self._session.busy = False
        self._data, self._parsed = b"", None
        if self._names:
            self._names = []

    def _end(self) -> None:
        session = self._session
        link = session.link
        if not session.unhurried:
            session.shortcut_ended()
        if link.ended or link.protocol.buffered:
            link.go_on()
        else:
            link.take_over()
            self.arm()

    def cancel(self) -> bool:
        """Ends the waiting for a backend, if that is what it does."""
        self.unfold()
        pool = self._session.relay.pool
        if not self.waiting or pool is None or not pool.withdraw(self):
            return False
        self.refuse(SqlError("57014", "canceling statement due to user request"))
        return True

    def close(self) -> None:
        self.unfold()
        pool = self._session.relay.pool
        if self.waiting and pool is not None:
            pool.withdraw(self)
        self.waiting = False
