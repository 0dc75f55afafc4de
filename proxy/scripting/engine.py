"""What a script asks of its session: values, rows, statements.

Why it exists: each expression and statement of a block is Snowflake's SQL with names of the block's in it,
which are variables of DuckDB's when it runs. This is all that a block has of the engine and the session;
`proxy.scripting.blocks` says in which order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxy.changes.before_writes import MAKES_OF_QUERY, as_it_runs, just_after
from proxy.definitions.defining import copied, defines, run_rest, tell_cascaded
from proxy.errors import SqlError
from proxy.scripting.scope import Name, Scope
from proxy.session.if_exists import existence_notice, needs_its_object
from proxy.session.named import Rows
from proxy.session.portal import Outcome
from proxy.sql import compound as act
from proxy.sql.quoting import quoted
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.scripting import script as s
from proxy.sql.scripting.reader import BlockReader
from proxy.sql.session_actions import CopyStatement
from proxy.sql.snowflake.literals import literal
from proxy.sql.statement import Route, Statement

if TYPE_CHECKING:
    from proxy.session.compound import Answer, Compound


RETURNED = "hd_returned"
"""The variable that holds what the last block returned."""


class Evaluation:
    """The engine's side of one run of a block. prefix: of the variables of its names."""

    returned = f"getvariable('{RETURNED}')"

    def __init__(self, compound: Compound, prefix: str) -> None:
        self._compound = compound
        self._session = compound._session
        self.scope = Scope(prefix)
        self._tables: list[str] = []
        self._scans = False  # whether RESULT_SCAN may ask for what statements gave
        self._ran: dict[int, str] = {}  # the tables of rows of statements, by their numbers

    # --- the engine ---------------------------------------------------------------------------

    async def _privately(self, sql: str) -> None:
        await self._session.on_duck_in_words(self._session.duck.run_privately, sql)

    async def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return await self._session.on_duck_in_words(self._session.duck.run, sql)

    async def assign(self, name: Name, sql: str) -> None:
        """Give a variable the value of DuckDB's query `sql`; its type stays what it was."""
        await self._privately(f'SET VARIABLE "{name.variable}" = ({sql})')
        value = f"getvariable('{name.variable}')"
        text = f"CASE typeof({value}) WHEN 'VARCHAR' THEN CAST({value} AS VARCHAR) END"
        ((found, name.text),) = await self._rows(f"SELECT typeof({value}), {text}")
        if not name.type and name.engine_type not in ("", '"NULL"', found):
            await self._keep_type(name, found)
            return
        name.engine_type = found

    async def _keep_type(self, name: Name, found: str) -> None:
        """A variable whose type was inferred takes values of that type only."""
        before = name.engine_type
        if _is_integral(found) and _is_integral(before):
            name.engine_type = found  # both are NUMBER(38, 0)
            return
        if found == '"NULL"' or _fits(found, before) or await self._is_whole(name, found):
            variable = name.variable
            await self._privately(
                f"SET VARIABLE \"{variable}\" = CAST(getvariable('{variable}') AS {before})"
            )
            return
        raise SqlError(
            "0A000",
            f"a value of type {found} for a variable that began as {before} is not supported",
            hint="Declare the variable with its type.",
        )

    async def _is_whole(self, name: Name, found: str) -> bool:
        """Whether a float, which arithmetic with a VARIANT gives, is an integer's value."""
        if found != "DOUBLE" or name.engine_type not in _INTEGERS:
            return False
        value = f"getvariable('{name.variable}')"
        sql = f"SELECT trunc({value}) = {value} AND abs({value}) < 9007199254740992"
        return (await self._rows(sql))[0][0] is True

    def _planned(self, text: str) -> Statement:
        plan = self._compound.plan(text)
        self._session.admit(plan)
        if isinstance(plan.action, act.ResultScan):
            return self._planned(self._scanned(plan.action))
        if plan.federated:
            raise SqlError("0A000", "a statement over both engines in a script is not supported")
        self._session.context.refresh(plan.needs)
        return plan

    def _scanned(self, action: act.ResultScan) -> str:
        """A text with the table in it that the result is in which it asks for."""
        context = self._session.context
        if action.ident is not None:
            number = context.number_of(action.ident)
        else:
            number = context.number + action.back if action.back < 0 else None
        table = None if number is None else self._ran.get(number)
        if table is None:
            raise SqlError("0A000", "RESULT_SCAN of what this script has not run is not supported")
        return action.text[: action.start] + table + action.text[action.end :]

    def _began(self) -> None:
        """A statement of the script's begins to run: it has an id."""
        self._session.context.step()

    async def _ended(self, table: str | None = None) -> None:
        """The statement that began last has run. table: of the rows that it gave."""
        context = self._session.context
        if table is not None:
            self._ran[context.number] = table
        ident = self.scope.find("sqlid")
        if ident is not None:
            await self.assign(ident, f"SELECT {literal(context.ident)}")

    async def _rows_of(
        self, fragment: s.Fragment, using: tuple[str, ...] = ()
    ) -> tuple[str, list[tuple[str, str]]]:
        """The rows of a statement of the script's, as `_table` has them."""
        self._began()
        table, columns = await self._table(await self._result(fragment, using))
        await self._ended(table)
        return table, columns

    async def _run(self, text: str) -> None:
        """Runs a statement of the script's for its effects, and for RESULT_SCAN."""
        self._began()
        table = None
        if self._scans:
            plan = self._planned(text)
            if isinstance(plan.action, act.Call) or plan.kind.split()[0] in _GIVE_ROWS:
                table, _ = await self._table(await self._result_of(text))
                await self._ended(table)
                return
        await self.statement(text)
        await self._ended()

    async def _query(self, text: str) -> str:
        """DuckDB's query for a text of Snowflake's that asks the engine alone."""
        context = self._session.context
        context.step()  # to LAST_QUERY_ID() an expression stands after the statement that ran last
        try:
            plan = self._planned(text)
        finally:
            context.step(-1)
        if plan.route is not Route.DUCKDB or plan.kind != "SELECT":
            raise SqlError("0A000", f"{plan.kind} over {plan.route} in a script is not supported")
        return (await self._session.typed.of(plan)).sql

    async def _expression(self, fragment: s.Fragment, kind: str = "") -> str:
        value = self.scope.bound(fragment, bare=True)
        return await self._query(
            f"SELECT CAST(({value}) AS {kind})" if kind else f"SELECT ({value})"
        )

    async def _truth(self, fragment: s.Fragment) -> bool:
        sql = await self._expression(fragment)
        return (await self._rows(f"SELECT CAST(({sql}) AS BOOLEAN)"))[0][0] is True

    async def _table(self, sql: str) -> tuple[str, list[tuple[str, str]]]:
        """The rows of DuckDB's query `sql`, kept: a temporary table and its columns."""
        self._compound.tables += 1
        table = f"temp.main._hd_rows_{self._compound.tables}"
        self._tables.append(table)
        await self._privately(f"CREATE OR REPLACE TEMP TABLE {table} AS {sql}")
        described = await self._rows(f"DESCRIBE {table}")
        return table, [(row[0], row[1]) for row in described]

    # --- results ------------------------------------------------------------------------------

    async def _result(self, fragment: s.Fragment, using: tuple[str, ...] = ()) -> str:
        """DuckDB's query for the rows that a statement gives; what changes something is run."""
        tokens = fragment.tokens
        while tokens and tokens[0].text == "(" and tokens[-1].text == ")":
            tokens = tokens[1:-1]
        inner = s.Fragment(fragment.text, tokens)
        words = [token.text.upper() for token in tokens[:2]]
        if words == ["EXECUTE", "IMMEDIATE"]:
            reader = BlockReader(fragment.text, list(tokens))
            made = reader._immediate()
            text, using = await self._immediate_text(made)
            return await self._result_of(await self.bound_text(text, using))
        return await self._result_of(self.scope.bound(inner, bare=False, using=using))

    async def _result_of(self, text: str) -> str:
        plan = self._session.resolve(self._planned(text))
        if plan.route is Route.DUCKDB and plan.tag == "SELECT" and not plan.ddl:
            return (await self._session.typed.of(plan)).sql
        answer = await self._answered(plan)
        if isinstance(answer, Rows):
            statement = answer.portal.statement
            if statement.row_types is None or statement.plan is None:
                rows = await self._finish(statement.plan)
                if statement.plan is not None and statement.plan.kind in _COUNTED:
                    await self._count(rows)
                return f'SELECT {rows} AS "number of rows"'
            return statement.plan.sql
        if not answer.columns:
            return f"SELECT {literal(answer.tag)} AS status"
        return _values(answer)

    async def _answered_own(self, action: act.Call, own: Name) -> Answer:
        """Calls a procedure that the block declares."""
        raise NotImplementedError

    async def _answered(self, plan: Statement) -> Answer:
        if isinstance(plan.action, act.Call):
            own = self.scope.find(plan.action.name[-1])
            if own is not None and own.kind == "procedure" and len(plan.action.name) == 1:
                return await self._answered_own(plan.action, own)
            answer = await self._compound.routines.call(plan.action, self)
            self._session.context.step()  # the id of the CALL is later than those within
            return answer
        return await self._compound.answer(plan)

    async def _finish(self, plan: Statement | None) -> int:
        """Runs a statement of DuckDB's to its end."""
        assert plan is not None
        follow = await self._compound.stages.ahead(plan, None)
        await defines(self._session, plan)
        if plan.then or plan.kind == MAKES_OF_QUERY:
            async with self._compound.one_transaction():
                sql = await as_it_runs(self._session, plan, plan.sql)
                rows = await self._compound.execute(sql)
                await self._session.on_duck(run_rest, self._session.duck, plan)
                await self._session.on_duck(just_after, self._session, plan)
        else:
            rows = await self._compound.execute(plan.sql)
        if follow is not None:
            await follow()
        if plan.touched:
            await self._session.mirror.changed(plan.touched)
            tell_cascaded(self._session, plan)
        if plan.writes:
            self._session.transaction.wrote_once("a statement of a script")
        return rows

    async def statement(self, text: str) -> None:
        """Runs a statement for its effects."""
        plan = self._session.resolve(self._planned(text))
        if plan.route is Route.DUCKDB and not isinstance(plan.action, CopyStatement):
            nothing_to_do = await existence_notice(self._session, plan)
            if nothing_to_do and needs_its_object(plan):
                return
            plan = replace(plan, then=()) if nothing_to_do else await copied(self._session, plan)
            rows = await self._finish(await self._session.typed.of(plan))
            if plan.kind in _COUNTED and not nothing_to_do:
                await self._count(rows)
            return
        answer = await self._answered(plan)
        if isinstance(answer, Rows):
            inner = answer.portal.statement.plan
            rows = await self._finish(inner)
            if inner is not None and inner.tag in ("INSERT 0", "UPDATE", "DELETE", "MERGE"):
                await self._count(rows)
        elif plan.kind == "INSERT":
            await self._count(int(answer.tag.split()[-1]))

    async def _count(self, rows: int) -> None:
        scope = self.scope
        for name, value in (
            ("sqlrowcount", str(rows)),
            ("sqlfound", str(rows > 0)),
            ("sqlnotfound", str(rows == 0)),
        ):
            found = scope.find(name)
            if found is None:  # a chain of statements has no names
                return
            found.engine_type = ""
            await self.assign(found, f"SELECT {value}")

    def _using(self, values: tuple[s.Fragment, ...]) -> tuple[str, ...]:
        return tuple(f"({self.scope.bound(value, bare=True)})" for value in values)

    async def _immediate_text(self, statement: s.Immediate) -> tuple[str, tuple[str, ...]]:
        sql = await self._expression(statement.value, "VARCHAR")
        text = (await self._rows(sql))[0][0]
        if text is None:
            raise SqlError("22004", "EXECUTE IMMEDIATE of NULL")
        return text, self._using(statement.using)

    async def bound_text(self, text: str, using: tuple[str, ...]) -> str:
        """A text made at run time has no variables, only places for values, and for names."""
        if not using:
            return text
        tokens = tuple(SNOWFLAKE.tokenize(text))
        names: list[str | None] = []
        if any(token.text.upper() == "IDENTIFIER" for token in tokens):
            for value in using:
                sql = await self._query(f"SELECT CAST({value} AS VARCHAR)")
                names.append((await self._rows(sql))[0][0])
        return Scope("", names).bound(s.Fragment(text, tokens), False, using)


_GIVE_ROWS = ("SELECT", "SHOW", "DESC", "DESCRIBE", "VALUES")
_COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE")
"""Whose rows SQLROWCOUNT tells."""


def _is_integral(kind: str) -> bool:
    return kind in _INTEGERS or (kind.startswith("DECIMAL(") and kind.endswith(",0)"))


def _fits(found: str, before: str) -> bool:
    """Whether values of a type become those of another one without losing digits."""
    base, _, rest = found.partition("(")
    other, _, other_rest = before.partition("(")
    if base == "DECIMAL" and other == "DECIMAL":
        return int(rest.rstrip(")").split(",")[1]) <= int(other_rest.rstrip(")").split(",")[1])
    return base == other or (base in _INTEGERS and (other in _INTEGERS or other == "DECIMAL"))


_INTEGERS = frozenset(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT"))


def _values(outcome: Outcome) -> str:
    """DuckDB's query for rows that the session itself gave."""
    names = ", ".join(map(quoted, outcome.columns))
    rows = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in outcome.rows)
    if not rows:
        nulls = ", ".join(["CAST(NULL AS VARCHAR)"] * len(outcome.columns))
        return f"SELECT * FROM (SELECT {nulls}) AS _t({names}) WHERE FALSE"
    return f"SELECT * FROM (VALUES {rows}) AS _t({names})"
