"""The table of rules that make DuckDB's tree of Snowflake's.

A rule is registered for a node type or for a function's name, by the family file it belongs to. One
walk applies them, children before parents. A function that has a rule, or a macro of its own name,
is taken out of sqlglot's table of Snowflake functions: the parser then leaves its call as it was
written, and nothing of its arguments is lost before the rule sees it. (That table is sqlglot's own
and shared by the process; a compiled parser cannot be subclassed.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlglot import exp
from sqlglot.dialects import Snowflake

from proxy.errors import SqlError
from proxy.sql.reading import position_of

NodeRule = Callable[[exp.Expr], exp.Expr | None]
FunctionRule = Callable[[list[exp.Expr]], exp.Expr]

NODES: dict[type, NodeRule] = {}
"""Node type -> rule. A rule returns the node that takes its place, or None to leave it."""

FUNCTIONS: dict[str, FunctionRule] = {}
"""Function name, upper case -> rule over its arguments."""


def node(*types: type) -> Callable[[NodeRule], NodeRule]:
    """Register a rule for node types."""

    def register(rule: NodeRule) -> NodeRule:
        for kind in types:
            NODES[kind] = rule
        return rule

    return register


def function(*names: str) -> Callable[[FunctionRule], FunctionRule]:
    """Register a rule for function names."""

    def register(rule: FunctionRule) -> FunctionRule:
        for name in names:
            FUNCTIONS[name] = rule
            Snowflake.Parser.FUNCTIONS.pop(name, None)
            Snowflake.Parser.FUNCTION_PARSERS.pop(name, None)
        return rule

    return register


def renamed(names: dict[str, str]) -> None:
    """Functions that are another one under another name, with the same arguments.

    The other name is a macro's where it begins with `_sf.`, DuckDB's otherwise.
    """
    for name, other in names.items():
        function(name)(_call(other))


def _call(name: str) -> FunctionRule:
    return lambda arguments: _called(name, arguments)


def _called(name: str, arguments: list[exp.Expr]) -> exp.Anonymous:
    made = exp.Anonymous(this=name, expressions=arguments)
    if name in OVERLOADED:
        calls.overloaded.append(made)
    if name in WEIGHTS:
        calls.heavy.append(made)
    return made


OVERLOADED: set[str] = set()
"""Macros of several forms, as rules call them: `_sf.` and the name."""

WEIGHTS: dict[str, int] = {}
"""How often DuckDB binds an argument of a macro; of those that have it bound more than a few times."""


class _Calls(threading.local):
    """The calls of such macros that rules have made in a thread since these lists were last cleared."""

    def __init__(self) -> None:
        self.overloaded: list[exp.Anonymous] = []
        self.heavy: list[exp.Anonymous] = []

    def clear(self) -> None:
        self.overloaded.clear()
        self.heavy.clear()


calls = _Calls()


_BY_TYPE = frozenset(
    {
        *("to_varchar_", "to_timestamp_", "to_date_", "to_time_", "to_timestamptz_", "zoned_"),
        *("date_text_", "fraction_text_", "offset_of_", "number_", "text_", "unquoted_"),
    }
)
"""Macros of several forms, one of which DuckDB chooses by the type of the first argument."""
_UNTYPED = frozenset({exp.Null, exp.Parameter, exp.Placeholder})
_VARCHAR = exp.DType.VARCHAR


def sf(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a macro."""
    given = list(arguments)
    if name in _BY_TYPE and given:
        first = given[0]
        while (kind := first.__class__) is exp.Paren:
            first = first.this
        if kind in _UNTYPED or (kind is exp.Literal and first.is_string):
            given[0] = cast(first, _VARCHAR)
    return _called(f"_sf.{name}", given)


def duck(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a function of DuckDB's, whatever sqlglot would make of the name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def text(value: str) -> exp.Literal:
    """A string literal."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Literal:
    """A number literal."""
    return exp.Literal.number(value)


def data_type(kind: exp.DType, *parameters: int) -> exp.DataType:
    """A type with its parameters, as in DECIMAL(38, 0)."""
    sizes = [exp.DataTypeParam(this=number(p)) for p in parameters] if parameters else []
    return exp.DataType(this=kind, expressions=sizes)


def cast(value: exp.Expr, kind: exp.DType, *parameters: int) -> exp.Cast:
    """DuckDB's own CAST, to be left as it is by the rule for Snowflake's."""
    made = exp.Cast(this=value, to=data_type(kind, *parameters))
    made._meta = {"plain": True}
    return made


def unsupported(what: str, at: exp.Expr | None = None, hint: str | None = None) -> SqlError:
    """The refusal of a construct, with its position where the tree knows it."""
    position = position_of(at) if at is not None else None
    return SqlError("0A000", f"{what} is not supported", hint=hint, position=position)
