"""The statements that a session answers itself: transactions, settings, names it keeps.

One table from action to method. Each returns an `Outcome` for the client, or raises. Nothing here
reaches an engine but through the transaction and the settings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proxy import console
from proxy.definitions.dependents import HINT, refusal_of_several
from proxy.errors import SqlError
from proxy.session import do_blocks
from proxy.session.explaining import as_postgres
from proxy.session.if_exists import existence_notice
from proxy.session.named import Named, Rows, oid_named
from proxy.session.portal import Outcome, Portal, PreparedStatement
from proxy.session.relaying import reads_sequence
from proxy.session.settings import known
from proxy.session.transaction import Block
from proxy.sql import compound, traces
from proxy.sql import session_actions as act
from proxy.sql.federated import ANALYZED, AS_JSON, without_explain
from proxy.sql.portable import handed_over
from proxy.sql.quoting import name_as_needed
from proxy.sql.snowflake.one_database import check_database
from proxy.sql.snowflake.parameters import PARAMETERS
from proxy.sql.statement import Route, Statement
from proxy.sql.traces import Trace
from proxy.wire.types import DuckType, wire_type

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN of a statement of DuckDB's, answered in the shape of Postgres's."""

    sql: str


_EXPLAIN = ("QUERY PLAN",)
_JSON = DuckType("VARCHAR", "JSON")
_JSON_OID = wire_type(_JSON).oid
_WITH_INNER = (Explain, act.Declare)
_NAMED = (act.Execute, act.Deallocate, act.Fetch, act.Move, act.CloseCursor)
_ENDS = (act.Commit, act.Rollback, act.RollbackTo)
_SETTINGS = (act.Set, act.Reset, act.Show)


def not_supported(what: str, hint: str | None = None) -> SqlError:
    return SqlError("0A000", f"{what} is not supported", hint=hint)


def is_postgres_setting(plan: Statement) -> bool:
    """SET, RESET or SHOW of a name that only Postgres can judge: such a statement is relayed."""
    action = plan.action
    return isinstance(action, _SETTINGS) and action.name is not None and not known(action.name)


class SessionStatements:
    def __init__(self, session: Session) -> None:
        self._session = session
        self.named = Named(session)
        self._over_sequences: set[str] = set()  # names of what Postgres has prepared

    @staticmethod
    def ends_transaction(plan: Statement) -> bool:
        """What a failed transaction still accepts."""
        return isinstance(plan.action, _ENDS)

    def row_types(self, plan: Statement) -> list[tuple[str, DuckType]] | None:
        """The result columns of a statement that returns rows, without running it."""
        action = plan.action
        if (other := self.rows_of(plan)) is not None:
            return other.row_types
        if isinstance(action, act.Show):
            if action.name is None:
                return _texts(_SHOW_ALL)
            return _texts(console.columns(action.name) or (_shown(action.name),))
        if isinstance(action, Explain):
            as_json = without_explain(action.sql)[0] in AS_JSON
            return [(_EXPLAIN[0], _JSON)] if as_json else _texts(_EXPLAIN)
        return None

    def rows_of(self, plan: Statement) -> PreparedStatement | None:
        """The statement whose rows EXECUTE and FETCH give."""
        action, extended = plan.action, self._session.extended
        if isinstance(action, act.Execute):
            return extended.statement(action.name)
        if isinstance(action, act.Fetch):
            return extended.cursor(action.cursor).statement
        return None

    def inner(self, plan: Statement) -> Statement | None:
        """The statement inside DECLARE and EXPLAIN, whose parameters are theirs."""
        if isinstance(plan.action, act.Declare):
            query = self.named.one(plan.action.query)
            if isinstance(query.action, compound.WithWrites):
                what = "DECLARE CURSOR must not contain data-modifying statements in WITH"
                raise SqlError("0A000", what)
            return query
        if isinstance(plan.action, Explain):
            return replace(plan, route=Route.DUCKDB, action=None)
        return None

    async def run(self, plan: Statement, inner: Portal | None = None) -> Outcome | Rows:
        """inner: what Bind made of `inner(plan)`; without it there are no parameters."""
        assert plan.route is Route.SESSION
        action = plan.action
        if isinstance(action, _WITH_INNER):
            if isinstance(action, act.Declare):
                query = self.inner(plan)
                assert query is not None
                if query.locks is not None:
                    raise not_supported("DECLARE CURSOR over a query that locks rows")
                if query.writes:
                    raise SqlError("42601", "DECLARE CURSOR needs a query")
                if isinstance(query.action, compound.CompoundAction):
                    raise not_supported("DECLARE CURSOR over what takes several steps")
            if inner is None:
                statement = PreparedStatement("")
                statement.plan = self.inner(plan)
                assert statement.plan is not None
                await self._session.preparation.prepare(statement, statement.plan, ())
                inner = Portal(statement)
            if isinstance(action, Explain):
                return await self._explain(inner)
            await self.named.declare(action, inner)
            return Outcome(plan.tag)
        if isinstance(action, compound.CompoundAction):
            self._session.context.refresh(plan.needs)
            return await self._session.compound.run(plan, action, inner)
        step = _STEPS.get(type(action))
        if step is None:
            raise not_supported(plan.kind or type(action).__name__.upper())
        answer = await step(self, action)
        return answer if answer is not None else Outcome(plan.tag)

    async def placed(self, plan: Statement) -> Statement:
        """As `resolve`; PREPARE and DECLARE of a query that DuckDB cannot take go where the query would."""
        action = plan.action
        if not isinstance(action, act.Prepare | act.Declare):
            return self.resolve(plan)
        text = action.statement_text if isinstance(action, act.Prepare) else action.query
        queries = self._session.plans.of_short(text)
        query = queries[0] if len(queries) == 1 else None
        if query is None or query.route is Route.POSTGRES or query.refused is not None:
            positions = query is not None and query.asks_positions
            relayed = False
        else:
            positions = await reads_sequence(self._session, query)
            relayed = positions or (query.portable and not await self._takes(query, action))
        if isinstance(action, act.Prepare):
            (self._over_sequences.add if positions else self._over_sequences.discard)(action.name)
        if relayed:
            return replace(plan, route=Route.POSTGRES, asks_positions=positions)
        return replace(self.resolve(plan), asks_positions=positions)

    async def _takes(self, query: Statement, action: act.Prepare | act.Declare) -> bool:
        """Whether DuckDB can prepare a query that reads no relation."""
        oids = tuple(map(oid_named, action.types)) if isinstance(action, act.Prepare) else ()
        try:
            await self._session.preparation.prepare(PreparedStatement(""), query, oids)
        except SqlError as error:
            with suppress(SqlError):
                handed_over(query, error)
                return False
        return True

    def resolve(self, plan: Statement) -> Statement:
        """Where a statement belongs that names something only this session knows."""
        action, extended = plan.action, self._session.extended
        if isinstance(action, act.Prepare | act.Declare):
            text = action.statement_text if isinstance(action, act.Prepare) else action.query
            relayed = all(
                inner.route is Route.POSTGRES for inner in self._session.plans.of_short(text)
            )
        elif isinstance(action, act.Execute | act.Deallocate):
            if action.name in self._over_sequences:
                plan = replace(plan, asks_positions=True)
            relayed = action.name is not None and action.name not in extended.statements
        elif isinstance(action, act.Fetch | act.Move):
            relayed = action.cursor not in extended.portals
        elif isinstance(action, act.CloseCursor):
            relayed = action.name is not None and action.name not in extended.portals
        else:
            if plan.kind == "EXPLAIN" and plan.route in (Route.DUCKDB, Route.FEDERATED):
                return replace(plan, route=Route.SESSION, action=Explain(plan.sql))
            return plan
        if not relayed or (isinstance(action, _NAMED) and not self._session.relay.connected):
            return plan
        return replace(plan, route=Route.POSTGRES)

    def trace(self, plan: Statement) -> Trace:
        """What a statement that is relayed may leave on its backend."""
        if (action := plan.action) is None:
            return plan.trace
        if isinstance(action, act.Prepare | act.Declare):
            text = action.statement_text if isinstance(action, act.Prepare) else action.query
            inner = max(
                (each.trace for each in self._session.plans.of_short(text)), default=Trace.NOTHING
            )
            return traces.of_action(action, inner)
        return traces.of_action(action, Trace.NOTHING)

    async def _explain(self, inner: Portal) -> Outcome:
        texts = await self._session.executor.plan_texts(inner)
        plan = inner.statement.plan
        opening = without_explain(plan.sql)[0] if plan is not None else ""
        if opening in AS_JSON:
            documents = [as_postgres(text, analyzed=opening in ANALYZED) for text in texts]
            return Outcome("EXPLAIN", _EXPLAIN, [(text,) for text in documents], _JSON_OID)
        lines = [line for text in texts for line in text.rstrip().split("\n")]
        return Outcome("EXPLAIN", _EXPLAIN, [(line,) for line in lines])

    # --- transactions -------------------------------------------------------------------------

    async def _begin(self, action: act.Begin) -> None:
        warning = self._session.transaction.begin(action)
        if warning is None:
            self._session.context.began()
        if warning is not None:
            self._session.notice(warning)

    async def _commit(self, action: act.Commit) -> Outcome | None:
        return await self._end(action.chain, self._session.transaction.commit, rolled_back=False)

    async def _rollback(self, action: act.Rollback) -> Outcome | None:
        return await self._end(action.chain, self._session.transaction.rollback, rolled_back=True)

    async def _end(
        self, chain: bool, end: Callable[[], Awaitable[bool | None]], *, rolled_back: bool
    ) -> Outcome | None:
        """COMMIT or ROLLBACK; what had failed answers ROLLBACK to either."""
        transaction = self._session.transaction
        if transaction.block is not Block.EXPLICIT:
            if chain:
                raise SqlError("25P01", "COMMIT AND CHAIN can only be used in transaction blocks")
            self._session.notice(SqlError("25P01", "there is no transaction in progress"))
        modes = transaction.modes
        committed = not rolled_back and not transaction.failed
        await self._session.extended.close_portals(committed=committed)
        done = await end()
        if chain:
            transaction.begin(modes)
        return Outcome("ROLLBACK") if done is False else None

    async def _savepoint(self, action: act.Savepoint) -> None:
        await self._session.transaction.savepoint(action.name)

    async def _release(self, action: act.Release) -> None:
        await self._session.transaction.release(action.name)

    async def _rollback_to(self, action: act.RollbackTo) -> None:
        await self._session.extended.close_portals()
        await self._session.transaction.rollback_to(action.name)
        self._session.compound.stages.forget_pending()

    async def _set_transaction(self, action: act.SetTransaction) -> None:
        modes, settings = action.modes, self._session.settings
        if action.characteristics:
            if modes.isolation:
                settings.set("default_transaction_isolation", modes.isolation)
            if modes.read_only is not None:
                settings.set("default_transaction_read_only", "on" if modes.read_only else "off")
            if modes.deferrable is not None:
                settings.set("default_transaction_deferrable", "on" if modes.deferrable else "off")
            return
        if self._session.transaction.block is not Block.EXPLICIT:
            self._session.notice(
                SqlError("25P01", "SET TRANSACTION can only be used in transaction blocks")
            )
            return
        self._session.transaction.set_modes(
            act.Begin(modes.isolation, modes.read_only, modes.deferrable)
        )

    async def _set_constraints(self, action: act.SetConstraints) -> None:
        """All are checked at once, and none is deferrable."""
        if action.names:
            raise SqlError("42809", f'constraint "{action.names[0]}" is not deferrable')
        if self._session.transaction.block is not Block.EXPLICIT:
            message = "SET CONSTRAINTS can only be used in transaction blocks"
            self._session.notice(SqlError("25P01", message))

    # --- settings -----------------------------------------------------------------------------

    async def _set(self, action: act.Set) -> None:
        session = self._session
        if action.name == "transaction_isolation" and action.value is not None:
            session.transaction.set_modes(act.Begin(isolation=action.value))
        if action.local and session.transaction.block is Block.NONE:
            session.notice(SqlError("25P01", "SET LOCAL can only be used in transaction blocks"))
            return
        if (
            action.name == "standard_conforming_strings"
            and session.settings.get("hatidata.dialect") != "snowflake"
            and (action.value or "on").casefold() in ("off", "false", "no", "0")
        ):
            raise not_supported("standard_conforming_strings = off in this dialect")
        session.settings.set(action.name, action.value, action.local)

    async def _set_role(self, action: act.SetRole | act.SetSessionAuthorization) -> None:
        """A session has one role, its own: to it, and back to it, there is nothing to do."""
        if action.name not in (None, self._session.context.role, self._session.user):
            words = "ROLE" if isinstance(action, act.SetRole) else "SESSION AUTHORIZATION"
            raise not_supported(f"SET {words} of another role", "Connect as that role.")

    async def _reset(self, action: act.Reset) -> None:
        if action.name is None:
            self._session.settings.reset_all()
        elif action.name not in ("session_authorization", "role"):  # which a client cannot change
            self._session.settings.set(action.name, None)

    async def _show(self, action: act.Show) -> Outcome:
        session = self._session
        if action.name is None:
            rows = [(name, value, "") for name, value in session.settings.show_all()]
            return Outcome("SHOW", _SHOW_ALL, rows)
        if (columns := console.columns(action.name)) is not None:
            return Outcome("SHOW", columns, console.rows(action.name, session.services))
        if action.name in ("transaction_isolation", "transaction isolation level"):
            value = session.transaction.isolation
        elif action.name == "transaction_read_only":
            value = "on" if session.transaction.read_only else "off"
        else:
            value = session.settings.get(action.name)
        return Outcome("SHOW", (_shown(action.name),), [(value,)])

    async def _alter_session(self, action: act.AlterSession) -> None:
        """All of it or nothing: every value is judged before the first is taken."""
        context, settings = self._session.context, self._session.settings
        ours = frozenset(name for name, _ in action.set if name not in PARAMETERS and known(name))
        checked = [
            (name, value if name in ours else context.check_parameter(name, value))
            for name, value in action.set
        ]
        for name in action.unset:
            if name not in PARAMETERS and not known(name):
                context.check_parameter(name, "")
        for name, value in (*checked, *((name, None) for name in action.unset)):
            if name in PARAMETERS:
                context.set_parameter(name, value)
            else:
                settings.set(name, value)

    async def _set_variables(self, action: act.SetVariables) -> None:
        session = self._session
        plan = self.named.one(action.query)
        if plan.route is not Route.DUCKDB:
            raise not_supported("a session variable from the control plane")
        session.admit(plan)
        session.context.refresh(plan.needs)
        values = await session.on_duck(_typed_row, session.duck, plan.sql, len(action.names))
        for name, (kind, value) in zip(action.names, values, strict=True):
            session.context.set_variable(name, kind, value)

    async def _unset_variables(self, action: act.UnsetVariables) -> None:
        for name in action.names:
            self._session.context.unset_variable(name)

    async def _use(self, action: act.Use) -> None:
        """Snowflake's, where it means something here.

        Warehouses are but names: any will do. There is one database, and a session has one role,
        its own, with all that it inherits.
        """
        session, name = self._session, action.name
        if action.kind == "WAREHOUSE":
            session.context.warehouse = name[-1]
        elif action.kind == "ROLE":
            if name[-1] not in (session.context.role, session.context.role.lower(), "public"):
                hint = "Connect as that role."
                raise not_supported("USE ROLE of another role than the session's", hint)
        elif action.kind == "SECONDARY ROLES":
            if name != ("all",):
                raise not_supported("USE SECONDARY ROLES but ALL")
        else:
            if action.kind == "DATABASE" or len(name) > 1 or not action.kind:
                check_database(name[0], session.database)
            schema = name[-1] if action.kind == "SCHEMA" or len(name) > 1 else "public"
            if not await session.on_duck(session.duck.has, "SCHEMA", (schema,)):
                raise SqlError("3F000", f'schema "{schema}" does not exist')
            session.settings.set("search_path", name_as_needed(schema))

    async def _drop_several(self, action: act.DropSeveral) -> None:
        session = self._session
        alone = session.transaction.block is Block.NONE
        if alone:
            session.transaction.open(Block.MESSAGE)
        left, refused = list(action.statements), list[SqlError]()
        while left:  # what depends on another of them goes before it
            waiting, refused = [], []
            for text in left:
                try:
                    await self._drop_one(text)
                except SqlError as error:
                    if error.sqlstate != "2BP01" or error.hint != HINT:
                        raise
                    waiting.append(text)
                    refused.append(error)
            if len(waiting) == len(left):
                raise refusal_of_several(refused)
            left = waiting
        if alone:
            await session.transaction.commit()

    async def _drop_one(self, text: str) -> None:
        plan = self.named.one(text)
        statement = PreparedStatement("", plan)
        if not await existence_notice(self._session, plan):
            await self._session.preparation.prepare(statement, plan, ())
            await self._session.executor.run(Portal(statement), 0)

    # --- names --------------------------------------------------------------------------------

    async def _discard(self, action: act.Discard) -> None:
        session = self._session
        if action.what == "ALL":
            if session.transaction.block is not Block.NONE:
                raise SqlError("25001", "DISCARD ALL cannot run inside a transaction block")
            await session.extended.close_portals(kept=True)
            await session.extended.forget_statements()
            session.settings.reset_all()
            session.context.forget()
        if action.what in ("ALL", "SEQUENCES") and session.duck.drawn is not None:
            session.duck.drawn.forget_all()
        if action.what in ("ALL", "TEMP"):
            await session.on_duck(session.duck.drop_temporary)
            session.mirror.temporary.discarded()
            session.transaction.on_commit.forget()
        if action.what in ("ALL", "PLANS", "SEQUENCES", "TEMP"):
            await session.relay.discard(f"DISCARD {action.what}")

    async def _deallocate(self, action: act.Deallocate) -> Outcome:
        extended = self._session.extended
        if action.name is None:
            await extended.forget_statements()
            await self._session.relay.discard("DEALLOCATE ALL")
            return Outcome("DEALLOCATE ALL")
        extended.statement(action.name)
        await extended.forget_statement(action.name)
        return Outcome("DEALLOCATE")


_SHOW_ALL = ("name", "setting", "description")


def _shown(name: str) -> str:
    """What SHOW calls its column."""
    return {
        "time zone": "TimeZone",
        "timezone": "TimeZone",
        "datestyle": "DateStyle",
        "intervalstyle": "IntervalStyle",
        "transaction isolation level": "transaction_isolation",
        "session authorization": "session_authorization",
    }.get(name, name)


def _typed_row(duck: DuckSession, sql: str, width: int) -> list[tuple[str, str | None]]:
    """Blocks. DuckDB's type and the text of each value of the only row of a query."""
    statement = duck.prepare(sql)
    found = len(statement.columns)
    statement.close()
    if found != width:
        raise SqlError("42601", f"{found} values for {width} session variables")
    names = [f"c{n}" for n in range(width)]
    wanted = ", ".join(f"typeof({name}), CAST({name} AS VARCHAR)" for name in names)
    listed = ", ".join(f"{part} AS v{n}" for n, part in enumerate(wanted.split(", ")))
    rows = duck.run(f"SELECT {listed} FROM ({sql}) AS q({', '.join(names)}) LIMIT 2")
    if len(rows) != 1:
        raise SqlError("21000", "the values of session variables are not one row")
    cells = rows[0]
    return [(cells[2 * n].strip('"'), cells[2 * n + 1]) for n in range(width)]


def _texts(names: Sequence[str]) -> list[tuple[str, DuckType]]:
    return [(name, DuckType("VARCHAR")) for name in names]


_STEPS: dict[type, Callable[[SessionStatements, Any], Awaitable[Outcome | Rows | None]]] = {
    act.Prepare: lambda own, action: own.named.prepare(action),
    act.Execute: lambda own, action: own.named.execute(action),
    act.CreateAsExecute: lambda own, action: own.named.create_as_execute(action),
    act.CreateUntilCommit: lambda own, action: own.named.create_until_commit(action),
    act.Fetch: lambda own, action: own.named.fetch(action),
    act.Move: lambda own, action: own.named.move(action),
    act.CloseCursor: lambda own, action: own.named.close_cursor(action),
    act.Begin: SessionStatements._begin,
    act.Commit: SessionStatements._commit,
    act.Rollback: SessionStatements._rollback,
    act.Savepoint: SessionStatements._savepoint,
    act.Release: SessionStatements._release,
    act.RollbackTo: SessionStatements._rollback_to,
    act.SetTransaction: SessionStatements._set_transaction,
    act.SetConstraints: SessionStatements._set_constraints,
    act.SetRole: SessionStatements._set_role,
    act.SetSessionAuthorization: SessionStatements._set_role,
    act.Set: SessionStatements._set,
    act.SetVariables: SessionStatements._set_variables,
    act.UnsetVariables: SessionStatements._unset_variables,
    act.Reset: SessionStatements._reset,
    act.Show: SessionStatements._show,
    act.AlterSession: SessionStatements._alter_session,
    act.Use: SessionStatements._use,
    act.Discard: SessionStatements._discard,
    act.DropSeveral: SessionStatements._drop_several,
    act.RunDo: lambda own, action: do_blocks.run(own._session, action),
    act.Deallocate: SessionStatements._deallocate,
}
