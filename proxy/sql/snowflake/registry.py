"""The table of rules that make DuckDB's tree of Snowflake's.

A rule is registered for a node type or for a function's name, by the family file it belongs to. One
walk applies them, children before parents. A function that has a rule, or a macro of its own name,
is taken out of sqlglot's table of Snowflake functions: the parser then leaves its call as it was
written, and nothing of its arguments is lost before the rule sees it. (That table is sqlglot's own
and shared by the process; a compiled parser cannot be subclassed.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp
from sqlglot.dialects import Snowflake

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
            _as_written(name)
        return rule

    return register


def _as_written(name: str) -> None:
    Snowflake.Parser.FUNCTIONS.pop(name, None)
    Snowflake.Parser.FUNCTION_PARSERS.pop(name, None)


def macros(names: Iterable[str], prefix: str = "") -> None:
    """Names whose calls become calls of the macro of the same name, `_sf.name`."""
    for name in names:
        function(name.upper())(_macro_call(prefix + name.lower()))


def renamed(names: dict[str, str]) -> None:
    """Functions that DuckDB has under another name, with the same arguments and meaning."""
    for name, other in names.items():
        function(name.upper())(_call(other))


def _macro_call(name: str) -> FunctionRule:
    qualified = f"_sf.{name}"
    return lambda arguments: exp.Anonymous(this=qualified, expressions=arguments)


def _call(name: str) -> FunctionRule:
    return lambda arguments: exp.Anonymous(this=name, expressions=arguments)


def sf(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a macro."""
    return exp.Anonymous(this=f"_sf.{name}", expressions=list(arguments))


def duck(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a function of DuckDB's, whatever sqlglot would make of the name."""
    return exp.Anonymous(this=name, expressions=list(arguments))
