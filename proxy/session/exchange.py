"""The exchange that drivers send most, as one step: Bind, Execute and Sync of a prepared query.

Why it exists: each message by itself is small, but its way through the session costs as much as a
small query does in DuckDB. When all of an exchange has arrived, outside a transaction, and is a
query of DuckDB's that leaves nothing behind, its portal is nobody's but ours: it need not be named,
kept and closed, and the answer is written in one piece.

What is not certain to be that simple is left to `extended`, which does the same message by message;
nothing has been taken or answered before that is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from proxy.errors import SqlError
from proxy.session import portal as portals
from proxy.session.portal import Portal, PreparedStatement
from proxy.session.transaction import Block
from proxy.sql.statement import Route, Statement
from proxy.wire import messages as m

if TYPE_CHECKING:
    from proxy.session.session import Session

EXECUTE_AND_SYNC = m.frame(b"E", b"\0" + bytes(4)) + m.frame(b"S")
DESCRIBE_TOO = m.frame(b"D", b"P\0") + EXECUTE_AND_SYNC


class Step(NamedTuple):
    """plan: the bound statement's. described: whether the client has asked for its columns."""

    bound: Portal
    plan: Statement
    described: bool


def leaves_nothing(plan: Statement) -> bool:
    """Whether a plan is a query of DuckDB's alone, with nothing to do before it or after."""
    return plan.route is Route.DUCKDB and not (
        plan.tag != "SELECT"
        or plan.writes
        or plan.ddl
        or plan.then
        or plan.copies
        or plan.varies
        or plan.needs
        or plan.federated
        or plan.touched
        or plan.notice
        or plan.refused
    )


class Exchange:
    """One session's. `take` is offered each Bind that comes while nothing waits for a Sync."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._plan: Statement | None = None  # the last that was found to leave nothing

    def take(self, body: bytes) -> Step | None:
        """The step, its messages taken; None: nothing was done."""
        session = self._session
        open_portals = session.extended.portals
        if session.transaction.block is not Block.NONE or open_portals or body[:1] != b"\0":
            return None
        protocol = session.link.protocol
        described = protocol.next_is(b"D")
        rest = DESCRIBE_TOO if described else EXECUTE_AND_SYNC
        if not protocol.rest_is(rest) or not session.relay.idle:
            return None
        name = body[1 : body.find(0, 1)].decode("utf-8", "replace")
        statement = session.extended.statements.get(name)
        if statement is None or statement.plan is None or not self._fits(statement, statement.plan):
            return None
        bound = Portal(statement, bind=body)
        try:
            if not session.executor.bind_values(bound, m.decode(b"B", body)):
                return None
        except SqlError:
            return None
        protocol.take_rest()
        return Step(bound, statement.plan, described)

    def _fits(self, statement: PreparedStatement, plan: Statement) -> bool:
        duck, told = statement.duck, statement.told
        if duck is None or duck.outdated or statement.row_types is None:
            return False
        if told is not None and told is not statement.row_types:
            return False
        if plan is not self._plan:
            if not leaves_nothing(plan):
                return False
            self._plan = plan
        return True

    async def run(self, step: Step) -> None:
        """Answers it, ReadyForQuery included. Raises what `Executor.run` raises."""
        session, (bound, plan, described) = self._session, step
        extended, link = session.extended, session.link
        session.context.started(plan)
        description = extended.description(bound.statement, bound.formats) if described else b""
        link.write(m.BIND_COMPLETE + description)
        sent = await session.executor.run(bound, 0, bound.formats)
        link.write(portals.complete(plan.tag, sent))
        session.executor.ran(bound, plan, sent)
        session.at_once.learn(bound, plan, description)
        session.ready_for_query()
