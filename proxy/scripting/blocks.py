"""Runs a block of Snowflake Scripting.

Why it exists: a block's statements go through the session one by one, as if the client had sent them,
so that routing, guards, transactions and settings hold inside a block as outside. Outside a
transaction each statement commits by itself, as in Snowflake.

A handler that CONTINUEs goes on after the statement that failed: after an IF, a CASE or a loop where
that is what failed or what it stands in, and with the next round of a loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from proxy.engines.duck.c import DuckFailure
from proxy.errors import SqlError
from proxy.scripting.calls import MAX_DEPTH, Calls, Returned
from proxy.scripting.engine import RETURNED
from proxy.scripting.errors import (
    EXPRESSION,
    STATEMENT,
    ScriptError,
    failed,
    kind_of,
    left_procedure,
    may_be_caught,
    told,
)
from proxy.scripting.scope import Name
from proxy.session.transaction import Block
from proxy.sql.quoting import quoted
from proxy.sql.scripting import script as s
from proxy.sql.words import Words

if TYPE_CHECKING:
    from proxy.session.compound import Answer, Compound


class _Leave(Exception):
    def __init__(self, label: str, again: bool) -> None:
        self.label, self.again = label, again


class _Running:
    """One run of a block's statements."""

    __slots__ = ("block",)

    def __init__(self, block: s.Block) -> None:
        self.block = block


class Script(Calls):
    """One run of a block, or of a procedure's. depth: how many procedures have called each other."""

    def __init__(self, compound: Compound, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise SqlError("54001", "procedures call each other too deep")
        super().__init__(compound, f"hd{depth}")
        self.depth = depth
        self._caught: list[SqlError] = []
        self._blocks: list[_Running | None] = []  # None: of the innermost, a handler runs
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
        if block.may_say("sqlid"):
            await self.assign(
                self.scope.declare("sqlid", Name("value", type="VARCHAR")),
                "SELECT CAST(NULL AS VARCHAR)",
            )
        self._scans = block.may_say("result_scan")
        kept = None
        number = self._session.context.enter_script()
        try:
            kept = await self._run_to_end(block)
        except SqlError as error:
            left_procedure(error)
            raise
        except _Leave:
            raise SqlError("42601", "BREAK or CONTINUE outside a loop") from None
        finally:
            self._session.context.leave_script(number)
            self._compound.leftover.extend(t for t in self._tables if t == kept)
            await self._drop([t for t in self._tables if t != kept])
        self.table = kept
        if kept is not None:
            return await self._compound.query(f"SELECT * FROM {kept}")
        return await self._compound.query(f"SELECT {self.returned} AS {quoted(title)}")

    # --- blocks -------------------------------------------------------------------------------

    async def _block(self, block: s.Block) -> None:
        self.scope.enter()
        try:
            for declaration in block.declarations:
                await self._declare(declaration)
            self._blocks.append(_Running(block))
            try:
                await self._run_all(block.body, each=True)
            except SqlError as error:
                handler = self._handler(error)
                if handler is None:
                    raise
                await self._handle(handler, error)
            finally:
                self._blocks.pop()
        finally:
            self.scope.leave()

    def _handler(self, error: SqlError) -> s.Handler | None:
        """The innermost block's handler of an error; none of them catches what one of them raised."""
        running = self._blocks[-1]
        kind = kind_of(error)
        if running is None or kind is None or not may_be_caught(error):
            return None
        if getattr(error, "raised_in", None) is running:
            return None
        for handler in running.block.handlers:
            for name in handler.names:
                own = self.scope.find(name)
                if own is not None and own.kind == "exception":
                    if isinstance(error, ScriptError) and error.declared is own:
                        return handler
                elif name == "other" or (name == kind and not self._is_own(error)):
                    return handler
        return None

    def _is_own(self, error: SqlError) -> bool:
        """Whether a block of this procedure raised it, by RAISE."""
        return isinstance(error, ScriptError) and not getattr(error, "from_procedure", False)

    async def _goes_on(self, error: SqlError) -> bool:
        """Whether the innermost block's handler of an error CONTINUEs; it was run then."""
        handler = self._handler(error)
        if handler is None or not handler.goes_on:
            return False
        await self._handle(handler, error)
        return True

    async def _recover(self, error: SqlError) -> None:
        """A transaction must have outlived the error, or the script cannot go on in it."""
        transaction = self._session.transaction
        if transaction.block is Block.NONE or not transaction.duck_open:
            return
        try:
            await self._rows("SELECT 1")
        except (SqlError, DuckFailure):
            raise SqlError(
                "0A000",
                "an exception caught inside a transaction is not supported",
                detail=str(error),
            ) from error

    async def _handle(self, handler: s.Handler, error: SqlError) -> None:
        await self._recover(error)
        self.scope.enter()
        self._caught.append(error)
        self._blocks.append(None)
        try:
            known = told(error)
            for name in ("sqlcode", "sqlstate", "sqlerrm"):
                if name in known:
                    made = self.scope.declare(name, Name("value"))
                    await self.assign(made, f"SELECT {known[name]}")
                else:
                    self.scope.declare(name, Name("unknown"))
            await self._run_all(handler.body)
        except SqlError as raised:
            raised.raised_in = self._blocks[-2]  # type: ignore[attr-defined]
            raise
        finally:
            self._blocks.pop()
            self._caught.pop()
            self.scope.leave()

    async def _run_all(self, statements: tuple[s.Statement, ...], each: bool = False) -> None:
        """Runs one after the other. each: whether what a handler continues with is the next one."""
        for statement in statements:
            if self._compound.cancelled:
                raise SqlError("57014", "canceling statement due to user request")
            try:
                await _RUN[type(statement)](self, statement)
            except SqlError as error:
                failed(error, STATEMENT if isinstance(statement, _SQL) else EXPRESSION)
                if not (each or isinstance(statement, _CONSTRUCTS)):
                    raise
                if not await self._goes_on(error):
                    raise

    async def _declare(self, declaration: s.Declaration) -> None:
        scope = self.scope
        if isinstance(declaration, s.Variable):
            made = Name("value", type=declaration.type)
            if (call := _call_in(declaration.value)) is not None:
                await self._run(self.scope.bound(call, bare=True))
                await self._take(scope.declare(declaration.name, made), f"SELECT {self.returned}")
                return
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
            if declaration.apart and declaration.query is not None:
                await self._rows_apart(made, declaration.query)
            elif declaration.query is not None:
                made.table, made.columns = await self._rows_of(declaration.query)
            scope.declare(declaration.name, made)
        elif isinstance(declaration, s.Procedure):
            scope.declare_procedure(declaration)
        else:
            made = Name("exception", number=declaration.number, message=declaration.message)
            scope.declare(declaration.name, made)

    # --- statements ---------------------------------------------------------------------------

    async def _let(self, statement: s.Let) -> None:
        await self._declare(statement.declaration)

    async def _assign(self, statement: s.Assign) -> None:
        name = self.scope.get(statement.name, "value", "resultset")
        if name.kind == "resultset" and statement.apart:
            await self._rows_apart(name, statement.value)
            return
        if name.kind == "resultset":
            name.table, name.columns = await self._rows_of(statement.value)
            return
        if statement.apart:
            raise SqlError("42601", "ASYNC is for the query of a RESULTSET")
        if (call := _call_in(statement.value)) is not None:
            await self._run(self.scope.bound(call, bare=True))
            await self._take(name, f"SELECT {self.returned}")
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
        failure = None
        try:
            await self._run_all(body)
        except _Leave as leave:
            if leave.label and leave.label != label:
                raise
            return leave.again
        except SqlError as error:
            failure = error
        finally:
            self.scope.leave()
        if failure is not None and not await self._goes_on(failure):
            raise failure
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
        cursor.table, cursor.columns = await self._rows_of(query, using)

    async def _open_cursor(self, statement: s.Open) -> None:
        cursor = self.scope.get(statement.name, "cursor")
        await self._open(cursor, self._using(statement.using))

    async def _fetch(self, statement: s.FetchInto) -> None:
        cursor = self.scope.get(statement.name, "cursor")
        if cursor.table is None:
            raise SqlError("24000", f'cursor "{statement.name}" is not open')
        # What one side has more than the other is left alone.
        for target, (column, _) in zip(statement.into, cursor.columns, strict=False):
            name = self.scope.get(target, "value")
            row = f"SELECT {quoted(column)} FROM {cursor.table} WHERE rowid = {cursor.at}"
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
            raise Returned(await self._returned_table(statement.table))
        if statement.value is None:
            await self._keep("SELECT CAST(NULL AS VARCHAR)")
        else:
            kind = self._returns if self._returns != "TABLE" else ""
            await self._keep(await self._expression(statement.value, kind))
        raise Returned(None)

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
            raise self._caught[-1]
        found = self.scope.get(statement.name, "exception")
        raise ScriptError(statement.name, found, statement.line)

    async def _immediate(self, statement: s.Immediate) -> None:
        text, using = await self._immediate_text(statement)
        await self._run(await self.bound_text(text, using))

    async def _sql(self, statement: s.Sql) -> None:
        if statement.into and statement.statement.tokens[0].text.upper() == "CALL":
            await self._call_into(statement)
            return
        if statement.into:
            await self._select_into(statement)
            return
        await self._run(self._text_of(statement))

    def _text_of(self, statement: s.Sql) -> str:
        """The arguments of a CALL are expressions."""
        call = statement.statement.tokens[0].text.upper() == "CALL"
        return self.scope.bound(statement.statement, bare=call)

    async def _call_into(self, statement: s.Sql) -> None:
        await self._run(self._text_of(statement))
        if len(statement.into) != 1:
            raise SqlError("42601", "CALL gives one value")
        target = self.scope.get(statement.into[0], "value")
        await self._take(target, f"SELECT {self.returned}")

    async def _select_into(self, statement: s.Sql) -> None:
        table, columns = await self._rows_of(statement.statement)
        if len(columns) != len(statement.into):
            raise SqlError("42601", f"SELECT of {len(columns)} columns INTO others")
        rows = (await self._rows(f"SELECT count(*) FROM {table}"))[0][0]
        if rows > 1:
            raise SqlError("21000", "SELECT INTO gave more than one row")
        for target, (column, _) in zip(statement.into, columns, strict=True):
            name = self.scope.get(target, "value")
            await self._take(name, f"SELECT {quoted(column)} FROM {table} WHERE rowid = 0")

    async def _null(self, statement: s.Null) -> None:
        pass


def _call_in(value: s.Fragment | None) -> s.Fragment | None:
    """The CALL whose value a variable is given, with brackets around it or not."""
    if value is None:
        return None
    tokens = value.tokens
    if tokens[0].text == "(" and tokens[-1].text == ")":
        tokens = tokens[1:-1]
    called = tokens and tokens[0].text.upper() == "CALL"
    return s.Fragment(value.text, tokens) if called else None


_SQL = (s.Sql, s.Immediate, s.Open, s.Apart, s.Await)
_CONSTRUCTS = (s.If, s.Case, s.Loop, s.Count, s.For)
"""After which a handler goes on that CONTINUEs, wherever they stand."""

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
    s.Apart: Script._apart,
    s.Await: Script._await,
    s.Block: Script._block,
}
