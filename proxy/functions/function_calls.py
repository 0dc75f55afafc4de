"""Calls of functions in Postgres's dialect, put as the macros take them that these are.

Why it exists: DuckDB chooses a macro by the types of its arguments alone. A literal without a type, a
parameter of the client's, arguments by their names and a function in FROM that gives one value mean
something only once it is known which functions there are. Only statements that call what has the name of such
a function are looked at (`Statement.calls`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from proxy.engines.duck.errors import EngineError
from proxy.errors import SqlError
from proxy.session.parameter_types import planned_as
from proxy.session.savepoints import using
from proxy.sql import compound as act
from proxy.sql import inference
from proxy.sql.functions.choice import chosen, spelled
from proxy.sql.functions.client_functions import type_of
from proxy.sql.parameters import cast_parameters
from proxy.sql.postgres.literals import is_read, literal_of
from proxy.sql.quoting import literal
from proxy.sql.reading import position_of, write_duckdb
from proxy.sql.spelled_aliases import VOLATILE
from proxy.sql.statement import Statement
from proxy.wire.types import DuckType, pg_type

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session

_NAMES = (
    "SELECT DISTINCT lower(substr(function_name, 10)) FROM duckdb_functions() WHERE NOT internal "
    f"AND starts_with(function_name, {literal('function ')})"
)
_TEXTS = frozenset({"text", "varchar", "bpchar"})
_NO_CHOICE = (
    "Could not choose a best candidate function. You might need to add explicit type casts."
)


class FunctionNames:
    """The names of all functions that clients have made since the server's start, and before."""

    def __init__(self) -> None:
        self.known: frozenset[str] | None = None  # None until someone asks. Replaced, never changed
        self._made: frozenset[str] = frozenset()  # since then, committed or not

    def add(self, name: str) -> None:
        self._made = self._made | {name.lower()}
        if self.known is not None:
            self.known = self.known | self._made

    def look(self, duck: DuckSession) -> None:
        """Blocks. What there is from before."""
        self.known = frozenset(name for (name,) in duck.run(_NAMES)) | self._made


class FunctionCalls:
    """One session's."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def concern(self, plan: Statement) -> bool:
        """Whether a statement may call a client's function."""
        if not plan.calls:
            return False
        session = self._session
        names = session.services.functions
        if names.known is None:
            await session.on_duck(names.look, session.duck)
        return names.known is not None and not names.known.isdisjoint(plan.calls)

    async def check(self, plan: Statement) -> None:
        """Raises SqlError 0A000 where Postgres would run a client's function: it has none of our rows."""
        if await self.concern(plan):
            found = [name for name in plan.calls if await self._forms((name,))]
            if found:
                raise SqlError(
                    "0A000",
                    f"the function {found[0]} over relations of the catalog is not supported",
                    hint="Ask the two sides one after the other.",
                )

    async def of(self, plan: Statement, oids: Mapping[int, int] | None = None) -> Statement:
        """The plan with its calls put so. Raises SqlError for a call that means none of the functions."""
        if not plan.calls or not plan.sql or not await self.concern(plan):
            return plan
        tree = inference.read(plan.sql)
        if tree is None:
            return plan
        changed = False
        for call in reversed(list(tree.find_all(exp.Anonymous))):  # those within others first
            forms = await self._forms(_path(call))
            if any(one.made is not None for one in forms):
                try:
                    changed |= await self._settle(tree, call, forms, oids or {})
                except SqlError as error:
                    raise await self._session.typed.placed(error, plan) from None
        done = replace(plan, calls=())
        return replace(done, sql=write_duckdb(tree), typed=True) if changed else done

    async def _forms(self, path: tuple[str, ...]) -> tuple[act.CreateFunction, ...]:
        return (await self._session.compound.routines.functions(path)).forms

    async def _settle(
        self,
        tree: exp.Expr,
        call: exp.Anonymous,
        forms: tuple[act.CreateFunction, ...],
        oids: Mapping[int, int],
    ) -> bool:
        given, named = _arguments(call)
        fitting = [one for one in forms if _takes(one, len(given), tuple(named))]
        if not fitting:
            return False  # DuckDB says of which types there is none
        before, form = call.expressions, fitting[0]
        several = len([one for one in forms if one.made is not None]) > 1
        if several:
            one = await self._chosen(tree, call, fitting, oids)
            if one is None:
                return False
            form = one
        _put(call, form, given, named, cast=several)
        self._check_place(call, form)
        changed = before != call.expressions or len(before) != len(call.expressions)
        return _in_from(call, form) or changed

    async def _chosen(
        self,
        tree: exp.Expr,
        call: exp.Anonymous,
        fitting: list[act.CreateFunction],
        oids: Mapping[int, int],
    ) -> act.CreateFunction | None:
        """The one that Postgres would choose; None for none. Raises SqlError 42725."""
        kinds = await self._kinds(call, oids)
        found = chosen(fitting, *kinds)
        if len(found) > 1:
            message = f"function {_shown(call, kinds)} is not unique"
            raise SqlError("42725", message, hint=_NO_CHOICE, position=position_of(call))
        return found[0] if found else None

    async def _kinds(
        self, call: exp.Anonymous, oids: Mapping[int, int]
    ) -> tuple[list[str | None], dict[str, str | None]]:
        """The types of a call's arguments as they are known without the function, None for unknown."""
        given, named = _arguments(call)
        given = [one for one in given if not isinstance(one, exp.Star)]
        values = [*given, *named.values()]
        sql = write_duckdb(_selected(call, values))
        types = {n: planned_as(oid) for n, oid in oids.items() if oid}
        try:
            session = self._session
            statement = await session.on_duck(session.duck.prepare, cast_parameters(sql, types))
        except SqlError:
            columns = [DuckType("SQLNULL")] * len(values)
        else:
            columns = [kind for _, kind in statement.columns]
            statement.close()
        kinds = [
            None if _is_unknown(one) or kind.id in ("SQLNULL", "INVALID") else pg_type(kind).name
            for one, kind in zip(values, columns, strict=True)
        ]
        return kinds[: len(given)], dict(zip(named, kinds[len(given) :], strict=True))

    async def tell(self, plan: Statement, error: EngineError) -> None:
        """Puts the arguments' types into the complaint about a call that fits no function."""
        name = error.message.removeprefix("function ").removesuffix(" does not exist")
        tree = inference.read(plan.sql)
        for call in tree.find_all(exp.Anonymous) if tree is not None else ():
            if call.name.lower() == name.lower() and _source(call) is None:
                kinds = await self._kinds(call, {})
                error.message = f"function {_shown(call, kinds)} does not exist"
                return

    def _check_place(self, call: exp.Anonymous, form: act.CreateFunction) -> None:
        said = form.said or {}
        source = _source(call)
        if source is None and said.get("rows"):
            message = f"{form.name[-1]}, which gives a set, in this place is not supported"
            raise SqlError("0A000", message, hint="Call it in FROM.")
        if source is None and said.get("reads"):
            volatile = using(VOLATILE)
            for one in call.expressions:
                for node in one.find_all(exp.Func):
                    name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
                    if name.lower() in volatile or isinstance(node, (exp.Rand, exp.Uuid)):
                        message = (
                            f"{name.lower()}() as an argument of {form.name[-1]}, which reads rows,"
                        )
                        raise SqlError("0A000", f"{message} is not supported")


def _path(call: exp.Anonymous) -> tuple[str, ...]:
    parent = call.parent
    name = str(call.this).lower() if isinstance(call.this, str) else call.this.name
    if isinstance(parent, exp.Dot) and parent.expression is call:
        return (parent.this.name, name)
    if isinstance(parent, exp.Table) and parent.args.get("db") is not None:
        return (parent.args["db"].name, name)
    return (name,)


def _arguments(call: exp.Anonymous) -> tuple[list[exp.Expr], dict[str, exp.Expr]]:
    """Those in their order, and those by their names. Raises SqlError 42601."""
    given: list[exp.Expr] = []
    named: dict[str, exp.Expr] = {}
    for one in call.expressions:
        if isinstance(one, (exp.Kwarg, exp.PropertyEQ)):
            name = one.this.name
            if name in named:
                message = f'argument name "{name}" used more than once'
                raise SqlError("42601", message, position=position_of(one.this))
            named[name] = one.expression
        elif named:
            message = "positional argument cannot follow named argument"
            raise SqlError("42601", message, position=position_of(one))
        else:
            given.append(one)
    return given, named


def _takes(form: act.CreateFunction, given: int, named: tuple[str, ...]) -> bool:
    if form.made is None or given + len(named) > len(form.parameters):
        return False
    left = form.parameters[given:]
    if not set(named) <= {one.name for one in left}:
        return False
    return all(one.default is not None or one.name in named for one in left)


def _is_unknown(node: exp.Expr) -> bool:
    """Whether a value is of no type of its own yet."""
    return (isinstance(node, exp.Literal) and node.is_string) or isinstance(
        node, (exp.Parameter, exp.Placeholder)
    )


def _selected(call: exp.Anonymous, values: list[exp.Expr]) -> exp.Select:
    """A query of what the arguments are, where the call is."""
    around = call.find_ancestor(exp.Select)
    made = exp.Select() if around is None or _source(call) is not None else around.copy()
    for key in ("group", "having", "order", "distinct", "limit", "offset", "qualify", "where"):
        made.set(key, None)
    made.set("expressions", [one.copy() for one in values])
    node = around.parent if around is not None else None
    while node is not None:
        with_ = node.args.get("with_")
        if with_ is not None:
            own = made.args.get("with_")
            made.set("with_", with_.copy())
            for cte in own.expressions if own is not None else ():
                made.args["with_"].append("expressions", cte)
        node = node.parent
    return made


def _shown(call: exp.Anonymous, kinds: tuple[list[str | None], dict[str, str | None]]) -> str:
    given, named = kinds
    types = [_spelled(kind) for kind in given]
    types += [f"{name} => {_spelled(kind)}" for name, kind in named.items()]
    return f"{call.name.lower()}({', '.join(types)})"


def _spelled(kind: str | None) -> str:
    return "unknown" if kind is None else spelled(kind)


def _put(
    call: exp.Anonymous,
    form: act.CreateFunction,
    given: list[exp.Expr],
    named: Mapping[str, exp.Expr],
    *,
    cast: bool,
) -> None:
    """The arguments in the order of the parameters, up to the last that is said; literals of their types.

    cast: the others too.
    """
    said: list[exp.Expr] = []
    defaults = (form.said or {}).get("defaults", [])
    last = max((n for n, one in enumerate(form.parameters) if one.name in named), default=-1)
    for n, parameter in enumerate(form.parameters):
        if n < len(given):
            value = given[n]
        elif parameter.name in named:
            value = named[parameter.name]
        elif n < last:
            value = exp.maybe_parse(defaults[n], dialect="duckdb")
        else:
            break
        if _is_unknown(value) or (cast and n < len(given) and parameter.kind != "numeric"):
            value = _of_type(value, parameter.kind or "text")
        said.append(value)
    call.set("expressions", said)


def _of_type(value: exp.Expr, kind: str) -> exp.Expr:
    if isinstance(value, exp.Literal) and is_read(kind):
        return literal_of(value, kind)
    if isinstance(value, exp.Literal) and kind in _TEXTS:
        return value
    name = planned_as(type_of(kind).oid)
    return exp.Cast(this=value, to=exp.DataType.build(name, dialect="duckdb", udt=True))


def _source(call: exp.Anonymous) -> exp.Table | exp.Lateral | None:
    """What it stands in FROM as."""
    parent = call.parent
    if isinstance(parent, exp.Dot) and isinstance(parent.parent, exp.Lateral):
        return parent.parent
    sourced = isinstance(parent, (exp.Table, exp.Lateral)) and parent.this is call
    return parent if sourced else None


def _in_from(call: exp.Anonymous, form: act.CreateFunction) -> bool:
    """A function in FROM: the columns of its alias, and a row where it gives a value."""
    source, said = _source(call), form.said or {}
    if source is None:
        return False
    alias = source.args.get("alias")
    name = alias.name if alias is not None and alias.name else form.name[-1]
    columns = list(alias.columns) if alias is not None else []
    if not said.get("named") and not columns:
        columns = [exp.to_identifier(name, quoted=True)]
    own = exp.TableAlias(this=exp.to_identifier(name, quoted=True), columns=columns or None)
    if said.get("rows"):
        source.set("alias", own)
        return True
    value: exp.Expr = source.this.copy()
    if (schema := source.args.get("db")) is not None:
        value = exp.Dot(this=schema.copy(), expression=value)
    query = exp.Subquery(this=exp.Select(expressions=[value]))
    if isinstance(source, exp.Lateral):
        source.set("this", query)
        source.set("alias", own)
        return True
    query.set("alias", own)
    if source.args.get("joins"):
        query.set("joins", source.args["joins"])
    source.replace(query)
    return True
