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
from proxy.scope import Name
from proxy.script_engine import Evaluation
from proxy.sql import script as s
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


class Script(Evaluation):
    """One run of a block, or of a procedure's. depth: how many procedures have called each other."""

    def __init__(self, compound: Compound, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise SqlError("54001", "procedures call each other too deep")
        super().__init__(compound, f"hd{depth}")
        self.depth = depth
        self._caught: list[tuple[str, SqlError]] = []
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
                sql = await self._query(f"SELECT CAST(NULL AS {declaration.type})")
            else:
                sql = await self._expression(declaration.value, declaration.type)
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
        await self.assign(name, await self._expression(statement.value, name.type))

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
                sql = await self._query(f"SELECT ({operand}) = ({other})")
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
            sql = await self._expression(fragment)
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
        opened_before = over.table is not None
        if not opened_before:
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
        if over.kind == "cursor" and opened_before:
            over.at = total  # CLOSE is still to come
        elif over.kind == "cursor":
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
        await self.assign(name, await self._query(f"SELECT CAST({raw.value()} AS {name.type})"))

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
            await self._keep(await self._expression(statement.value, kind))
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
