"""Runs a block of Snowflake Scripting.

Why it exists: a block's statements go through the session one by one, as if the client had sent them,
so that routing, guards, transactions and settings hold inside a block as outside. Outside a
transaction each statement commits by itself, as in Snowflake.

What a handler may catch is an error of the data or an exception of the script's own. What this
server refuses (0A000, 42501) is never caught: a script would otherwise go on with a wrong answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from proxy.engines.duckdb_c import DuckError
from proxy.errors import SqlError
from proxy.if_exists import existence_notice
from proxy.named import Rows
from proxy.portal import Outcome
from proxy.scope import Name, Scope
from proxy.sql import compound as act
from proxy.sql import script as s
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.script_reader import BlockReader
from proxy.sql.session_actions import CopyStatement
from proxy.sql.snowflake.literals import literal
from proxy.sql.statement import Route, Statement
from proxy.sql.words import Words
from proxy.transaction import Block

if TYPE_CHECKING:
    from proxy.compound import Answer, Compound

MAX_DEPTH = 16
"""Procedures within procedures."""

RETURNED = "hd_returned"
"""The variable that holds what the last block returned."""
_EXPRESSION, _STATEMENT = "expression_error", "statement_error"
_CATCHABLE = ("22", "23", "P0")
_CATCHABLE_STATES = frozenset({"42P01", "42P07", "02000"})
_KNOWN: dict[str, dict[str, str]] = {
    "22012": {"sqlcode": "100051", "sqlstate": "'22012'", "sqlerrm": "'Division by zero'"},
    "42P01": {"sqlcode": "2003", "sqlstate": "'42S02'"},
}
"""SQLSTATE here -> what Snowflake says of such an error, where that is known, as literals."""


class ScriptError(SqlError):
    """An exception that a script raised; name folded."""

    def __init__(self, name: str, number: int, message: str, line: int) -> None:
        shown = f"Uncaught exception of type '{name.upper()}' on line {line}"
        super().__init__("P0001", f"{shown} : {message}" if message else shown)
        self.name, self.number, self.text = name, number, message


class _Leave(Exception):
    def __init__(self, label: str, again: bool) -> None:
        self.label, self.again = label, again


class _Return(Exception):
    """table: of the rows returned; None where a value was."""

    def __init__(self, table: str | None) -> None:
        self.table = table


class Script:
    """One run of a block, or of a procedure's. depth: how many procedures have called each other."""

    def __init__(self, compound: Compound, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise SqlError("54001", "procedures call each other too deep")
        self._compound = compound
        self._session = compound._session
        self.depth = depth
        self.scope = Scope(f"hd{depth}")
        self._caught: list[tuple[str, SqlError]] = []
        self._tables: list[str] = []
        self.parameters = 0  # of the client's, that a CALL may use
        self.table: str | None = None  # of the rows that it returned

    async def run(self, block: s.Block, title: str, returns: str = "") -> Answer:
        """Runs it to its end. title: the name of the column of what it returns; returns: its type."""
        self._returns = returns
        if self.depth == 0:
            await self._drop(self._compound.leftover)
        self.scope.enter()
        for name in ("sqlrowcount", "sqlfound", "sqlnotfound"):
            await self.assign(
                self.scope.declare(name, Name("value")), "SELECT CAST(NULL AS BIGINT)"
            )
        kept = None
        try:
            await self._block(block)
            await self._keep("SELECT CAST(NULL AS VARCHAR)")
        except _Return as returned:
            kept = returned.table
        except _Leave:
            raise SqlError("42601", "BREAK or CONTINUE outside a loop") from None
        finally:
            self._compound.leftover.extend(t for t in self._tables if t == kept)
            await self._drop([t for t in self._tables if t != kept])
        self.table = kept
        if kept is not None:
            return await self._compound.query(f"SELECT * FROM {kept}")
        name = title.replace('"', '""')
        return await self._compound.query(f"SELECT getvariable('{RETURNED}') AS \"{name}\"")

    async def _drop(self, tables: list[str]) -> None:
        for table in list(tables):
            with suppress(SqlError):
                await self._privately(f"DROP TABLE IF EXISTS {table}")
        tables.clear()

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
            raise SqlError("0A000", "RESULT_SCAN in a script is not supported")
        if plan.federated:
            raise SqlError("0A000", "a statement over both engines in a script is not supported")
        self._session.context.refresh(plan.needs)
        return plan

    def _query(self, text: str) -> str:
        """DuckDB's query for a text of Snowflake's that asks the engine alone."""
        plan = self._planned(text)
        if plan.route is not Route.DUCKDB or plan.kind != "SELECT":
            raise SqlError("0A000", f"{plan.kind} over {plan.route} in a script is not supported")
        return plan.sql

    def _expression(self, fragment: s.Fragment, kind: str = "") -> str:
        value = self.scope.bound(fragment, bare=True)
        return self._query(f"SELECT CAST(({value}) AS {kind})" if kind else f"SELECT ({value})")

    async def _truth(self, fragment: s.Fragment) -> bool:
        sql = self._expression(fragment)
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
            return await self._result_of(self._bound_text(text, using))
        return await self._result_of(self.scope.bound(inner, bare=False, using=using))

    async def _result_of(self, text: str) -> str:
        plan = self._session.resolve(self._planned(text))
        if plan.route is Route.DUCKDB and plan.tag == "SELECT" and not plan.ddl:
            return plan.sql
        answer = await self._answered(plan)
        if isinstance(answer, Rows):
            statement = answer.portal.statement
            if statement.row_types is None or statement.plan is None:
                rows = await self._finish(statement.plan)
                return f'SELECT {rows} AS "number of rows"'
            return statement.plan.sql
        if not answer.columns:
            return f"SELECT {literal(answer.tag)} AS status"
        return _values(answer)

    async def _answered(self, plan: Statement) -> Answer:
        if isinstance(plan.action, act.Call):
            return await self._compound.routines.call(plan.action, self)
        return await self._compound.answer(plan)

    async def _finish(self, plan: Statement | None) -> int:
        """Runs a statement of DuckDB's to its end."""
        assert plan is not None
        follow = await self._compound.stages.ahead(plan, None)
        if plan.touched:
            self._session.mirror.changing(plan.touched)
        if plan.then:
            async with self._compound.one_transaction():
                rows = await self._compound.execute(plan.sql)
                for part in plan.then:
                    await self._compound.execute(part)
        else:
            rows = await self._compound.execute(plan.sql)
        if follow is not None:
            await follow()
        if plan.touched:
            await self._session.mirror.changed(plan.touched)
        if plan.writes:
            self._session.transaction.wrote_once("a statement of a script")
        return rows

    async def _statement(self, text: str) -> None:
        """Runs a statement for its effects."""
        plan = self._session.resolve(self._planned(text))
        if plan.route is Route.DUCKDB and not isinstance(plan.action, CopyStatement):
            nothing_to_do = await existence_notice(self._session, plan)
            rows = await self._finish(plan)
            if plan.kind in ("INSERT", "UPDATE", "DELETE", "MERGE") and not nothing_to_do:
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
            assert found is not None
            found.engine_type = ""
            await self.assign(found, f"SELECT {value}")

    # --- blocks -------------------------------------------------------------------------------

    async def _block(self, block: s.Block) -> None:
        self.scope.enter()
        try:
            try:
                for declaration in block.declarations:
                    await self._declare(declaration)
                await self._run_all(block.body)
            except SqlError as error:
                handler = self._handler(block, error)
                if handler is None:
                    raise
                await self._recover(error)
                await self._handle(handler, error)
        finally:
            self.scope.leave()

    def _handler(self, block: s.Block, error: SqlError) -> s.Handler | None:
        kind = getattr(error, "script_kind", None)
        if not isinstance(error, ScriptError):
            caught = error.sqlstate[:2] in _CATCHABLE or error.sqlstate in _CATCHABLE_STATES
            if not caught or kind is None:
                return None
        names = {"other", error.name if isinstance(error, ScriptError) else kind}
        for handler in block.handlers:
            if names & set(handler.names):
                return handler
        return None

    async def _recover(self, error: SqlError) -> None:
        """A transaction must have outlived the error, or the script cannot go on in it."""
        transaction = self._session.transaction
        if transaction.block is Block.NONE or not transaction.duck_open:
            return
        try:
            await self._rows("SELECT 1")
        except (SqlError, DuckError):
            raise SqlError(
                "0A000",
                "an exception caught inside a transaction is not supported",
                detail=str(error),
            ) from error

    async def _handle(self, handler: s.Handler, error: SqlError) -> None:
        self.scope.enter()
        self._caught.append(("", error))
        try:
            known = _KNOWN.get(error.sqlstate, {})
            if isinstance(error, ScriptError):
                message = error.text.replace("'", "''")
                known = {"sqlcode": str(error.number), "sqlerrm": f"'{message}'"}
                known["sqlstate"] = "'P0001'"
            for name in ("sqlcode", "sqlstate", "sqlerrm"):
                if name in known:
                    made = self.scope.declare(name, Name("value"))
                    await self.assign(made, f"SELECT {known[name]}")
                else:
                    self.scope.declare(name, Name("unknown"))
            await self._run_all(handler.body)
        finally:
            self._caught.pop()
            self.scope.leave()

    async def _run_all(self, statements: tuple[s.Statement, ...]) -> None:
        for statement in statements:
            if self._compound.cancelled:
                raise SqlError("57014", "canceling statement due to user request")
            kind = _STATEMENT if isinstance(statement, _SQL) else _EXPRESSION
            try:
                await _RUN[type(statement)](self, statement)
            except SqlError as error:
                if not hasattr(error, "script_kind"):
                    error.script_kind = kind  # type: ignore[attr-defined]
                raise

    async def _declare(self, declaration: s.Declaration) -> None:
        scope = self.scope
        if isinstance(declaration, s.Variable):
            made = Name("value", type=declaration.type)
            if declaration.value is None:
                sql = self._query(f"SELECT CAST(NULL AS {declaration.type})")
            else:
                sql = self._expression(declaration.value, declaration.type)
            # The value may name an outer variable of the same name: it is read first.
            await self.assign(scope.declare(declaration.name, made), sql)
        elif isinstance(declaration, s.Cursor):
            scope.declare(declaration.name, Name("cursor", query=declaration.query))
        elif isinstance(declaration, s.ResultSet):
            made = Name("resultset")
            if declaration.query is not None:
                made.table, made.columns = await self._table(await self._result(declaration.query))
            scope.declare(declaration.name, made)
        else:
            made = Name("exception", number=declaration.number, message=declaration.message)
            scope.declare(declaration.name, made)

    # --- statements ---------------------------------------------------------------------------

    async def _let(self, statement: s.Let) -> None:
        await self._declare(statement.declaration)

    async def _assign(self, statement: s.Assign) -> None:
        name = self.scope.get(statement.name, "value", "resultset")
        if name.kind == "resultset":
            name.table, name.columns = await self._table(await self._result(statement.value))
            return
        words = [token.text.upper() for token in statement.value.tokens]
        if words[:2] == ["(", "CALL"] and words[-1] == ")":
            inner = s.Fragment(statement.value.text, statement.value.tokens[1:-1])
            await self._statement(self.scope.bound(inner, bare=True))
            await self._take(name, f"SELECT getvariable('{RETURNED}')")
            return
        await self.assign(name, self._expression(statement.value, name.type))

    async def _if(self, statement: s.If) -> None:
        for condition, body in statement.branches:
            if condition is None or await self._truth(condition):
                await self._run_all(body)
                return

    async def _case(self, statement: s.Case) -> None:
        if statement.operand is None:
            await self._if(s.If(statement.branches))
            return
        operand = self.scope.bound(statement.operand, bare=True)
        for value, body in statement.branches:
            if value is not None:
                other = self.scope.bound(value, bare=True)
                sql = self._query(f"SELECT ({operand}) = ({other})")
                if (await self._rows(sql))[0][0] is not True:
                    continue
            await self._run_all(body)
            return

    async def _loop_body(self, body: tuple[s.Statement, ...], label: str) -> bool:
        """Runs the body once. False when the loop is to end."""
        self.scope.enter()
        try:
            await self._run_all(body)
        except _Leave as leave:
            if leave.label and leave.label != label:
                raise
            return leave.again
        finally:
            self.scope.leave()
        return True

    async def _loop(self, statement: s.Loop) -> None:
        while statement.condition is None or await self._truth(statement.condition):
            if not await self._loop_body(statement.body, statement.label):
                return
            if statement.until is not None and await self._truth(statement.until):
                return
            if self._compound.cancelled:
                raise SqlError("57014", "canceling statement due to user request")

    async def _count_loop(self, statement: s.Count) -> None:
        bounds = []
        for fragment in (statement.first, statement.last):
            sql = self._expression(fragment)
            bounds.append((await self._rows(f"SELECT CAST(({sql}) AS BIGINT)"))[0][0])
        if None in bounds:
            raise SqlError("22004", "a bound of FOR is NULL")
        numbers = range(bounds[0], bounds[1] + 1)
        self.scope.enter()
        try:
            counter = self.scope.declare(statement.name, Name("value"))
            for number in reversed(numbers) if statement.reverse else numbers:
                await self.assign(counter, f"SELECT CAST({number} AS BIGINT)")
                if not await self._loop_body(statement.body, statement.label):
                    return
        finally:
            self.scope.leave()

    async def _for(self, statement: s.For) -> None:
        over = self.scope.get(statement.over, "cursor", "resultset")
        if over.table is None:
            await self._open(over, ())
        table, columns, start = over.table, over.columns, over.at
        self.scope.enter()
        try:
            row = self.scope.declare(statement.name, Name("row", columns=columns))
            total = (await self._rows(f"SELECT count(*) FROM {table}"))[0][0]
            for number in range(start, total):
                await self._read_row(row.variable, table, number)
                if not await self._loop_body(statement.body, statement.label):
                    break
        finally:
            self.scope.leave()
        if over.kind == "cursor":
            over.table = None

    async def _read_row(self, variable: str, table: str | None, number: int) -> None:
        await self._privately(
            f'SET VARIABLE "{variable}" = (SELECT _r FROM {table} AS _r WHERE rowid = {number})'
        )

    async def _leave(self, statement: s.Leave) -> None:
        raise _Leave(statement.label, statement.again)

    async def _open(self, cursor: Name, using: tuple[str, ...]) -> None:
        query = cursor.query
        if query is None:
            raise SqlError("24000", "a RESULTSET without rows")
        cursor.at = 0
        if len(query.tokens) == 1:
            over = self.scope.get(Words(query.text, list(query.tokens)).name(), "resultset")
            if over.table is None:
                raise SqlError("24000", "a RESULTSET without rows")
            cursor.table, cursor.columns = over.table, over.columns
            return
        cursor.table, cursor.columns = await self._table(await self._result(query, using))

    async def _open_cursor(self, statement: s.Open) -> None:
        cursor = self.scope.get(statement.name, "cursor")
        await self._open(cursor, self._using(statement.using))

    def _using(self, values: tuple[s.Fragment, ...]) -> tuple[str, ...]:
        return tuple(f"({self.scope.bound(value, bare=True)})" for value in values)

    async def _fetch(self, statement: s.FetchInto) -> None:
        cursor = self.scope.get(statement.name, "cursor")
        if cursor.table is None:
            raise SqlError("24000", f'cursor "{statement.name}" is not open')
        if len(statement.into) != len(cursor.columns):
            raise SqlError("42601", f"FETCH of {len(cursor.columns)} columns into others")
        for target, (column, _) in zip(statement.into, cursor.columns, strict=True):
            name = self.scope.get(target, "value")
            quoted = column.replace('"', '""')
            row = f'SELECT "{quoted}" FROM {cursor.table} WHERE rowid = {cursor.at}'
            await self._take(name, row)
        cursor.at += 1

    async def _take(self, name: Name, sql: str) -> None:
        """Assign what is not an expression of the script's, as the variable's declared type."""
        if not name.type:
            await self.assign(name, sql)
            return
        raw = Name("value", variable=f"{name.variable}_raw")
        await self.assign(raw, sql)
        await self.assign(name, self._query(f"SELECT CAST({raw.value()} AS {name.type})"))

    async def _close(self, statement: s.Close) -> None:
        cursor = self.scope.get(statement.name, "cursor")
        if cursor.table is None:
            raise SqlError("24000", f'cursor "{statement.name}" is not open')
        cursor.table = None

    async def _keep(self, sql: str) -> None:
        await self._privately(f"SET VARIABLE {RETURNED} = ({sql})")

    async def _return(self, statement: s.Return) -> None:
        if statement.table is not None:
            raise _Return(await self._returned_table(statement.table))
        if statement.value is None:
            await self._keep("SELECT CAST(NULL AS VARCHAR)")
        else:
            kind = self._returns if self._returns != "TABLE" else ""
            await self._keep(self._expression(statement.value, kind))
        raise _Return(None)

    async def _returned_table(self, fragment: s.Fragment) -> str:
        tokens = list(fragment.tokens)
        words = [token.text.upper() for token in tokens]
        if len(words) == 4 and words[0] == "RESULTSET_FROM_CURSOR":
            cursor = self.scope.get(Words(fragment.text, tokens[2:3]).name(), "cursor")
            if cursor.table is None:
                await self._open(cursor, ())
            assert cursor.table is not None
            return cursor.table
        if len(tokens) == 1:
            result = self.scope.get(Words(fragment.text, tokens).name(), "resultset")
            if result.table is None:
                raise SqlError("24000", "RETURN TABLE of a RESULTSET without rows")
            return result.table
        table, _ = await self._table(await self._result(fragment))
        return table

    async def _raise(self, statement: s.Raise) -> None:
        if not statement.name:
            if not self._caught:
                raise SqlError("42601", "RAISE without an exception being handled")
            raise self._caught[-1][1]
        found = self.scope.get(statement.name, "exception")
        raise ScriptError(statement.name, found.number, found.message, statement.line)

    async def _immediate_text(self, statement: s.Immediate) -> tuple[str, tuple[str, ...]]:
        sql = self._expression(statement.value, "VARCHAR")
        text = (await self._rows(sql))[0][0]
        if text is None:
            raise SqlError("22004", "EXECUTE IMMEDIATE of NULL")
        return text, self._using(statement.using)

    def _bound_text(self, text: str, using: tuple[str, ...]) -> str:
        """A text made at run time has no variables, only places for values."""
        if not using:
            return text
        return Scope("").bound(s.Fragment(text, tuple(SNOWFLAKE.tokenize(text))), False, using)

    async def _immediate(self, statement: s.Immediate) -> None:
        text, using = await self._immediate_text(statement)
        await self._statement(self._bound_text(text, using))

    async def _sql(self, statement: s.Sql) -> None:
        if statement.into and statement.statement.tokens[0].text.upper() == "CALL":
            await self._call_into(statement)
            return
        if statement.into:
            await self._select_into(statement)
            return
        await self._statement(self._text_of(statement))

    def _text_of(self, statement: s.Sql) -> str:
        """The arguments of a CALL are expressions."""
        call = statement.statement.tokens[0].text.upper() == "CALL"
        return self.scope.bound(statement.statement, bare=call)

    async def _call_into(self, statement: s.Sql) -> None:
        await self._statement(self._text_of(statement))
        if len(statement.into) != 1:
            raise SqlError("42601", "CALL gives one value")
        target = self.scope.get(statement.into[0], "value")
        await self._take(target, f"SELECT getvariable('{RETURNED}')")

    async def _select_into(self, statement: s.Sql) -> None:
        table, columns = await self._table(await self._result(statement.statement))
        if len(columns) != len(statement.into):
            raise SqlError("42601", f"SELECT of {len(columns)} columns INTO others")
        rows = (await self._rows(f"SELECT count(*) FROM {table}"))[0][0]
        if rows > 1:
            raise SqlError("21000", "SELECT INTO gave more than one row")
        for target, (column, _) in zip(statement.into, columns, strict=True):
            quoted = column.replace('"', '""')
            name = self.scope.get(target, "value")
            await self._take(name, f'SELECT "{quoted}" FROM {table} WHERE rowid = 0')

    async def _null(self, statement: s.Null) -> None:
        pass


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
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in outcome.columns)
    rows = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in outcome.rows)
    if not rows:
        nulls = ", ".join(["CAST(NULL AS VARCHAR)"] * len(outcome.columns))
        return f"SELECT * FROM (SELECT {nulls}) AS _t({names}) WHERE FALSE"
    return f"SELECT * FROM (VALUES {rows}) AS _t({names})"


_SQL = (s.Sql, s.Immediate, s.Open)

_RUN: dict[type, Callable[[Script, Any], Awaitable[None]]] = {
    s.Let: Script._let,
    s.Assign: Script._assign,
    s.If: Script._if,
    s.Case: Script._case,
    s.Loop: Script._loop,
    s.Count: Script._count_loop,
    s.For: Script._for,
    s.Leave: Script._leave,
    s.Open: Script._open_cursor,
    s.FetchInto: Script._fetch,
    s.Close: Script._close,
    s.Return: Script._return,
    s.Raise: Script._raise,
    s.Immediate: Script._immediate,
    s.Sql: Script._sql,
    s.Null: Script._null,
    s.Block: Script._block,
}
