"""What a statement needs of Postgres's relations, read from the plan that DuckDB makes of it.

DuckDB's optimizer moves filters to the relations and drops columns that nothing reads: through views,
CTEs, subqueries and outer joins, and from one side of an equality to the other. It plans the
statement over relations without rows or statistics (`proxy.engines.stand_ins`), EXPLAIN says what
it would read, and the conditions that mean the same in Postgres go there.

Promise: what is pushed down is never stronger than the statement's own filter, which DuckDB applies
all the same. A condition that is not understood, or might be judged otherwise there (collations,
enums' order, floats of four bytes, JSON), stays behind.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlglot import exp

from proxy.engines.foreign import Column, Foreign, Wanted
from proxy.errors import SqlError
from proxy.sql.quoting import escaped_literal
from proxy.sql.reading import DUCKDB

FUNCTION = "hatidata_postgres"
"""The table function that stands for a relation in DuckDB's plan; its columns are `column_name`'s."""


def wanted(plan: str, foreign: Sequence[Foreign]) -> dict[int, Wanted]:
    """What a plan reads of each relation. plan: EXPLAIN (FORMAT JSON)'s; absent: it is not read."""
    found: dict[int, Wanted] = {}
    for name, filters in _scans(json.loads(plan), []):
        if not name:  # it counts rows, of which relation is not said
            return {n: _everything(one) for n, one in enumerate(foreign)}
        numbers = [_numbers(column) for column in name]
        n = numbers[0][0]
        want = found.setdefault(n, Wanted())
        want.columns.update(column for _, column in numbers)
        condition = _condition(filters, foreign[n].columns)
        if condition is None:
            want.conditions = None
        elif want.conditions is not None and condition not in want.conditions:
            want.conditions.append(condition)
    return found


def everything(foreign: Sequence[Foreign]) -> dict[int, Wanted]:
    """All rows and columns, for a statement whose plan DuckDB does not tell."""
    return {n: _everything(one) for n, one in enumerate(foreign)}


def _everything(one: Foreign) -> Wanted:
    return Wanted(set(range(len(one.columns))), None)


def column_name(relation: int, column: int) -> str:
    return f"{_PREFIX}{relation}c{column}"


def _numbers(name: str) -> tuple[int, int]:
    relation, _, column = name.removeprefix(_PREFIX).partition("c")
    return int(relation), int(column)


# EXPLAIN names a column by this or, within a cast, by an alias: nobody else calls one so.
_PREFIX = "_pg_r"


def _scans(nodes: list[Any], filters: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """For each scan of a relation the names of the columns that it gives, and the filters on it."""
    for node in nodes:
        name, extra = node.get("name", "").strip(), node.get("extra_info", {})
        if name == FUNCTION.upper():
            yield _listed(extra.get("Projections")), filters
        above = [*filters, *_listed(extra.get("Expression"))] if name == "FILTER" else []
        yield from _scans(node.get("children", []), above)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


# --- conditions -----------------------------------------------------------------------------------


def _condition(filters: Sequence[str], columns: Sequence[Column]) -> str | None:
    """All filters in Postgres's SQL, as far as they can be; None: nothing of them can."""
    parts: list[str] = []
    for text in filters:
        try:
            tree = DUCKDB.parse(f"SELECT {text}", DUCKDB.tokenize(f"SELECT {text}"))
        except SqlError:
            continue
        assert isinstance(tree, exp.Select)
        for conjunct in tree.expressions[0].flatten() if _is_and(tree) else tree.expressions:
            written = _Conditions(columns).write(conjunct)
            if written is not None:
                parts.append(written)
    return f"({' AND '.join(parts)})" if parts else None


def _is_and(tree: exp.Select) -> bool:
    tree.expressions[0].replace(tree.expressions[0].unnest())
    return isinstance(tree.expressions[0], exp.And)


class _Conditions:
    """Writes one relation's conditions for Postgres; None for what does not mean the same there."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def write(self, node: exp.Expr) -> str | None:
        node = node.unnest()
        write = _WRITERS.get(type(node))
        return write(self, node) if write is not None else None

    def _column(self, node: exp.Expr | None) -> Column | None:
        node = node.unnest() if node is not None else None
        if not isinstance(node, exp.Column) or node.args.get("table") is not None:
            return None
        if not node.name.startswith(_PREFIX):
            return None
        try:
            _, number = _numbers(node.name)
            return self._columns[number]
        except (ValueError, IndexError):
            return None

    def _operand(self, node: exp.Expr | None) -> tuple[str, str, str] | None:
        """How a column is compared: its family, and what is written for = and for an order."""
        column = self._column(node)
        if column is None or not column.family:
            return None
        if column.family == "text":
            # An index serves =, and any collation's = is true where the bytes are equal.
            return "text", column.sent, f'{column.sent} COLLATE "C"'
        return column.family, column.own, column.own

    def connected(self, node: exp.Expr) -> str | None:
        parts = [self.write(part) for part in node.flatten()]
        if isinstance(node, exp.And):
            parts = [part for part in parts if part is not None]
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts):
            return None
        return f"({(' AND ' if isinstance(node, exp.And) else ' OR ').join(known)})"

    def compared(self, node: exp.Expr) -> str | None:
        operator = _OPERATORS[type(node)]
        left, right = node.this, node.expression
        found = self._operand(left)
        if found is None and (found := self._operand(right)) is not None:
            operator, right = _FLIPPED.get(operator, operator), left
        if found is None:
            return None
        family, equal, ordered = found
        value = _value(family, right)
        if value is None:
            return None
        return f"{equal if operator == '=' else ordered} {operator} {value}"

    def among(self, node: exp.Expr) -> str | None:
        found = self._operand(node.this)
        if found is None or not node.expressions:
            return None
        values = [_value(found[0], value) for value in node.expressions]
        known = [value for value in values if value is not None]
        return f"{found[1]} IN ({', '.join(known)})" if len(known) == len(values) else None

    def between(self, node: exp.Expr) -> str | None:
        """EXPLAIN does not say which bounds are exclusive: it is at least this, and never negated."""
        found = self._operand(node.this)
        if found is None:
            return None
        low, high = _value(found[0], node.args["low"]), _value(found[0], node.args["high"])
        return f"{found[2]} BETWEEN {low} AND {high}" if low and high else None

    def is_null(self, node: exp.Expr) -> str | None:
        column = self._column(node.this)
        if column is None or not isinstance(node.expression, exp.Null):
            return None
        return f"{column.own} IS NULL"

    def negated(self, node: exp.Expr) -> str | None:
        """NOT, moved down to where the condition has a negation of its own."""
        inner = node.this.unnest()
        if isinstance(inner, exp.Is):
            written = self.is_null(inner)
            return f"{written.removesuffix('NULL')}NOT NULL" if written else None
        if isinstance(inner, exp.Column):
            written = self.bare(inner)
            return f"NOT {written}" if written else None
        if isinstance(inner, exp.And | exp.Or):
            other = exp.Or if isinstance(inner, exp.And) else exp.And
            parts = [exp.Not(this=part.copy()) for part in inner.flatten()]
            return self.connected(functools.reduce(lambda a, b: other(this=a, expression=b), parts))
        opposite = _OPPOSITES.get(type(inner))
        if opposite is None:
            return None
        return self.compared(opposite(this=inner.this.copy(), expression=inner.expression.copy()))

    def bare(self, node: exp.Expr) -> str | None:
        column = self._column(node)
        return column.own if column is not None and column.family == "boolean" else None

    def starts(self, node: exp.Expr) -> str | None:
        text, opening = (node.this, node.expression)
        if isinstance(node, exp.Anonymous):
            if node.name.lower() != "prefix" or len(node.expressions) != 2:
                return None
            text, opening = node.expressions
        found, value = self._operand(text), _value("text", opening)
        if found is None or found[0] != "text" or value is None:
            return None
        return f"pg_catalog.starts_with({found[1]}, {value})"


_OPERATORS: dict[type, str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_OPPOSITES: dict[type, type] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WRITERS: dict[type, Callable[[_Conditions, Any], str | None]] = {
    exp.And: _Conditions.connected,
    exp.Or: _Conditions.connected,
    **dict.fromkeys(_OPERATORS, _Conditions.compared),
    exp.In: _Conditions.among,
    exp.Between: _Conditions.between,
    exp.Is: _Conditions.is_null,
    exp.Not: _Conditions.negated,
    exp.Column: _Conditions.bare,
    exp.Anonymous: _Conditions.starts,
    exp.StartsWith: _Conditions.starts,
}


def _value(family: str, node: exp.Expr) -> str | None:
    """A constant of DuckDB's in Postgres's SQL; None if it is not one of the family."""
    node = node.unnest()
    if type(node) is exp.Cast:
        inner = node.this
        if family in _QUOTED and isinstance(inner, exp.Literal) and inner.is_string:
            return _QUOTED[family](inner.this)
        return None
    if family == "boolean":
        return str(node.this).lower() if isinstance(node, exp.Boolean) else None
    if family == "text":
        is_text = isinstance(node, exp.Literal) and node.is_string
        return f"{escaped_literal(node.this)}::pg_catalog.text" if is_text else None
    if family not in _NUMBERS:
        return None
    sign = ""
    if isinstance(node, exp.Neg):
        sign, node = "-", node.this.unnest()
    if not isinstance(node, exp.Literal) or node.is_string:
        return None
    digits = f"{sign}{node.this}"
    return f"'{digits}'::pg_catalog.float8" if family == "float" else f"({digits})"


_NUMBERS = frozenset({"integer", "decimal", "float"})


def _as(kind: str, check: Callable[[str], Any]) -> Callable[[str], str | None]:
    def written(text: str) -> str | None:
        try:
            good = check(text)
        except ValueError:
            return None
        return f"{escaped_literal(text)}::pg_catalog.{kind}" if good else None

    return written


def _moment(text: str, *, zoned: bool) -> bool:
    return (datetime.fromisoformat(text).tzinfo is not None) == zoned


_QUOTED: dict[str, Callable[[str], str | None]] = {
    "uuid": _as("uuid", uuid.UUID),
    "date": _as("date", date.fromisoformat),
    "timestamp": _as("timestamp", lambda text: _moment(text, zoned=False)),
    "timestamptz": _as("timestamptz", lambda text: _moment(text, zoned=True)),
}
