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

from proxy.engines.duck_errors import EngineError
from proxy.errors import SqlError
from proxy.parameter_types import planned_as
from proxy.savepoints import using
from proxy.sql import compound as act
from proxy.sql import inference
from proxy.sql.client_functions import type_of
from proxy.sql.parameters import cast_parameters
from proxy.sql.postgres_literals import is_read, literal_of
from proxy.sql.quoting import literal
from proxy.sql.reading import write_duckdb
from proxy.sql.spelled_aliases import VOLATILE
from proxy.sql.statement import Statement

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession
    from proxy.session import Session

_NAMES = (
    "SELECT DISTINCT lower(substr(function_name, 10)) FROM duckdb_functions() WHERE NOT internal "
    f"AND starts_with(function_name, {literal('function ')})"
)
_TEXTS = frozenset({"text", "varchar", "bpchar"})


class FunctionNames:
    """The names of all functions that clients have made since the server's start, and before."""

    def __init__(self) -> None:
        self.known: frozenset[str] | None = None  # None until someone asks. Replaced, never changed

    def add(self, name: str) -> None:
        if self.known is not None:
            self.known = self.known | {name.lower()}

    def look(self, duck: DuckSession) -> None:
        """Blocks. What there is from before."""
        self.known = frozenset(name for (name,) in duck.run(_NAMES))


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
                changed |= await self._settle(tree, call, forms, oids or {})
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
        before = call.expressions
        if len(fitting) > 1:
            fitting = await self._chosen(tree, call, fitting, oids)
        (form,) = fitting[:1]
        _put(call, form, given, named)
        self._check_place(call, form)
        changed = before != call.expressions or len(before) != len(call.expressions)
        return _in_from(call, form) or changed

    async def _chosen(
        self,
        tree: exp.Expr,
        call: exp.Anonymous,
        fitting: list[act.CreateFunction],
        oids: Mapping[int, int],
    ) -> list[act.CreateFunction]:
        """Those of the functions that take the arguments: of several, those to which a literal is a text."""
        given, named = _arguments(call)
        unknown = [n for n, one in enumerate(given) if _is_unknown(one)]
        if not unknown and not named:
            return fitting[:1] if _same(fitting) else [_as_they_are(fitting[0], given)]
        before = [one.copy() for one in call.expressions]
        found = []
        for form in fitting:
            _put(call, form, [one.copy() for one in given], {k: v.copy() for k, v in named.items()})
            types = {n: planned_as(oid) for n, oid in oids.items()}
            sql = cast_parameters(write_duckdb(tree), types)
            try:
                statement = await self._session.on_duck(self._session.duck.prepare, sql)
                statement.close()
                found.append(form)
            except EngineError as error:
                if error.sqlstate not in ("42883", "22P02", "22007"):
                    found.append(form)
        call.set("expressions", before)
        if len(found) > 1:
            texts = [
                one
                for one in found
                if any(_kinds(one)[n] in _TEXTS for n in unknown if n < len(one.parameters))
            ]
            found = texts if len(texts) == 1 else found
        if len(found) > 1:
            shown = ", ".join(["unknown" if _is_unknown(one) else "?" for one in given])
            hint = "Could not choose a best candidate function. You might need to add explicit type casts."
            message = f"function {call.name.lower()}({shown}) is not unique"
            raise SqlError("42725", message, hint=hint)
        return found or fitting

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


def _kinds(form: act.CreateFunction) -> list[str]:
    return [one.kind or one.type for one in form.parameters]


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
                raise SqlError("42601", f'argument name "{name}" used more than once')
            named[name] = one.expression
        elif named:
            raise SqlError("42601", "positional argument cannot follow named argument")
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


def _same(forms: list[act.CreateFunction]) -> bool:
    return len(forms) == 1


def _as_they_are(form: act.CreateFunction, given: list[exp.Expr]) -> act.CreateFunction:
    """A form for arguments that have types: DuckDB chooses, and is given them as they are."""
    parameters = tuple(replace(one, type="", kind="") for one in form.parameters[: len(given)])
    return replace(form, parameters=parameters)


def _put(
    call: exp.Anonymous,
    form: act.CreateFunction,
    given: list[exp.Expr],
    named: Mapping[str, exp.Expr],
) -> None:
    """The arguments in the order of the parameters, up to the last that is said; literals of their types."""
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
        if _is_unknown(value) and parameter.kind:
            value = _of_type(value, parameter.kind)
        said.append(value)
    call.set("expressions", said)


def _of_type(value: exp.Expr, kind: str) -> exp.Expr:
    if isinstance(value, exp.Literal) and is_read(kind):
        return literal_of(value, kind)
    if isinstance(value, exp.Literal) and kind in _TEXTS:
        return value
    name = planned_as(type_of(kind).oid)
    return exp.Cast(this=value, to=exp.DataType.build(name, dialect="duckdb", udt=True))


def _source(call: exp.Anonymous) -> exp.Table | None:
    """What it stands in FROM as."""
    parent = call.parent
    if isinstance(parent, exp.Lateral):
        return None
    return parent if isinstance(parent, exp.Table) and parent.this is call else None


def _in_from(call: exp.Anonymous, form: act.CreateFunction) -> bool:
    """A function in FROM: the columns of its alias, and a row where it gives a value."""
    table, said = _source(call), form.said or {}
    if table is None:
        return False
    alias = table.args.get("alias")
    name = alias.name if alias is not None and alias.name else form.name[-1]
    columns = list(alias.columns) if alias is not None else []
    if not said.get("table") and not columns:
        columns = [exp.to_identifier(name, quoted=True)]
    own = exp.TableAlias(this=exp.to_identifier(name, quoted=True), columns=columns or None)
    if said.get("rows"):
        table.set("alias", own)
        return True
    table.args.pop("alias", None)
    path = table.args.get("db")
    value: exp.Expr = call.copy()
    if path is not None:
        value = exp.Dot(this=path.copy(), expression=value)
    made = exp.Subquery(this=exp.Select(expressions=[value]), alias=own)
    for key in ("joins",):
        if table.args.get(key):
            made.set(key, table.args[key])
    table.replace(made)
    return True
