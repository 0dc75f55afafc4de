"""Scalar queries that are executed again, answered within the socket's own callback.

Why it exists: `SELECT $1::int + 1` costs DuckDB less than it costs to wake the session's task, decode
three messages and keep a portal. Where Bind, Execute and Sync (with or without a Describe, as drivers
have it) of a prepared scalar query have arrived whole, in the very form in which `exchange` took them
before, only the values can be others: they are read, the compiled way (`engines.small`) runs and
writes, and the answer leaves.

What is not certain to be that simple, errors included, is left to the session; nothing has happened
then. A scalar query has no effects (`sql.scalar`), so it may be run again there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.engines.duck.statement import DuckStatement
from proxy.session import portal as portals
from proxy.session.exchange import DESCRIBE_TOO, EXECUTE_AND_SYNC
from proxy.session.portal import Portal, PreparedStatement
from proxy.session.transaction import Block
from proxy.sql.statement import Statement
from proxy.wire import messages as m
from proxy.wire.rows import TextStyle

if TYPE_CHECKING:
    from proxy.session.session import Session

_length = struct.Struct("!i").unpack_from
_NAME = 6  # where the statement's name begins, behind an unnamed portal
_LONGEST = 4096  # bytes of an exchange


class NotHere(Exception):
    """This value is for the session to read."""


def _integer(digits: int) -> Callable[[bytes], int]:
    """Reads the plain digits of a number that has fewer than the type's largest."""

    def read(raw: bytes) -> int:
        if len(raw) > digits or not raw.isdigit():
            raise NotHere
        return int(raw)

    return read


def _text(raw: bytes) -> str:
    if 0 in raw:
        raise NotHere
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise NotHere from None


def _binary(code: str) -> Callable[[bytes], Any]:
    one = struct.Struct("!" + code)

    def read(raw: bytes) -> Any:
        if len(raw) != one.size:
            raise NotHere
        return one.unpack(raw)[0]

    return read


# (OID, format) -> what reads a value.
_READERS: dict[tuple[int, int], Callable[[bytes], Any]] = {
    (21, 0): _integer(4),
    (23, 0): _integer(9),
    (20, 0): _integer(18),
    (21, 1): _binary("h"),
    (23, 1): _binary("i"),
    (20, 1): _binary("q"),
    (701, 1): _binary("d"),
    (25, 0): _text,
    (25, 1): _text,
    (1043, 0): _text,
    (1043, 1): _text,
}


class Shape(NamedTuple):
    """What is the same in every such exchange of one statement.

    head: Bind's body up to the first value. tail: all behind the last one; rest: behind Bind.
    readers: (OID, what reads it) for each value. before: what comes before the rows. layout: of the
    columns, for `style`.
    """

    head: bytes
    tail: bytes
    rest: bytes
    before: bytes
    readers: tuple[tuple[int, Callable[[bytes], Any]], ...]
    plan: Statement
    duck: DuckStatement
    style: TextStyle
    layout: bytes


def shape_of(bound: Portal, plan: Statement, style: TextStyle, description: bytes) -> Shape | None:
    """The shape of the exchange that has just run a portal; None where values may change its plan.

    description: the RowDescription that was asked for with it, if it was.
    """
    statement, body = bound.statement, bound.bind
    oids, duck = statement.read_oids, statement.duck
    layout = duck.layout(bound.formats, style) if duck is not None else None
    if duck is None or layout is None or bound.sql or statement.hides_nulls:
        return None
    if oids != statement.parameter_oids or statement.inner is not None or statement.returned:
        return None
    if tuple(statement.parameter_numbers) != tuple(range(1, len(oids) + 1)):
        return None
    message = m.decode(b"B", body)
    assert isinstance(message, m.Bind)
    codes = portals.result_formats(message.parameter_formats, len(oids))
    readers = tuple(
        (oid, reader)
        for oid, code in zip(oids, codes, strict=True)
        if (reader := _READERS.get((oid, code))) is not None
    )
    if len(readers) != len(oids) or not oids:
        return None
    # Two names, each with its end, two counts, and the formats.
    head = len(message.statement.encode()) + 2 + 4 + 2 * len(message.parameter_formats)
    results = 2 + 2 * len(message.result_formats)
    rest = DESCRIBE_TOO if description else EXECUTE_AND_SYNC
    tail, before = body[len(body) - results :] + rest, m.BIND_COMPLETE + description
    return Shape(body[:head], tail, rest, before, readers, plan, duck, style, layout)


class AtOnce:
    """One session's. `take` is offered what arrives while the session waits for its client."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def learn(self, bound: Portal, plan: Statement, description: bytes) -> None:
        """An exchange of this portal has been answered: the next may be taken here."""
        if plan.scalar and bound.statement.shape is None:
            style = self._session.style()
            bound.statement.shape = shape_of(bound, plan, style, description) or False

    def take(self, data: bytes) -> bool:
        """Answers `data`, all that has arrived; False: nothing was done."""
        if len(data) > _LONGEST or not data.endswith(EXECUTE_AND_SYNC):
            return False
        session = self._session
        statement = session.extended.statements.get(
            data[_NAME : data.find(0, _NAME)].decode("utf-8", "replace")
        )
        if statement is None or not (shape := statement.shape):
            return False
        if not data.startswith(shape.head, 5) or not data.endswith(shape.tail):
            return False
        if _length(data, 1)[0] + 1 + len(shape.rest) != len(data) or not self._free():
            return False
        answer = None
        if shape.rest is EXECUTE_AND_SYNC:
            answer = session.extended.constants.find(data[5 : -len(EXECUTE_AND_SYNC)])
        if answer is None and (answer := self._run(data, statement, shape)) is None:
            return False
        session.context.started(shape.plan)
        session.compound.lost()
        session.link.send(answer + m.READY["I"])
        return True

    def _free(self) -> bool:
        """Whether the session is in no block, and has nothing else to do or to say."""
        session = self._session
        return (
            session.transaction.block is Block.NONE
            and not session.extended.portals
            and session.unhurried
            and session.reported
            and session.relay.idle
        )

    def _run(self, data: bytes, statement: PreparedStatement, shape: Shape) -> bytes | None:
        session = self._session
        duck = shape.duck
        if statement.duck is not duck or session.style() is not shape.style:
            statement.shape = None
            return None
        if statement.told is not None and statement.told is not statement.row_types:
            return None
        if not session.duck_at_once(duck):
            return None
        values, at = [], 5 + len(shape.head)
        try:
            for oid, read in shape.readers:
                size = _length(data, at)[0]
                if size < 0:
                    return None
                values.append((oid, read(data[at + 4 : at + 4 + size])))
                at += 4 + size
        except NotHere:
            return None
        if at != len(data) - len(shape.tail):
            return None
        found = duck.scalar_answer(values, shape.layout)
        if found is None:
            return None
        rows, count = found
        return b"".join((shape.before, rows, portals.complete(shape.plan.tag, count)))
