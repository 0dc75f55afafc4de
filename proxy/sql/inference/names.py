"""What a name means inside a query: its sources, what WITH defines, its own output columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.inference.signatures import EnumType, Type, array_of, name_of
from proxy.wire.types import DuckType, wire_type

Columns = Sequence[tuple[str, DuckType]]
"""Name and type of each column of a relation, in order."""

Relation = tuple[str, ...]
"""A relation's name as the statement spells it: table, schema.table or database.schema.table."""


class Called(NamedTuple):
    """A function of a client's, asked about as a relation is: the columns that a call of it gives.

    path: its name, with its schema. arguments: how many. rows: it stands in FROM.
    """

    path: tuple[str, ...]
    arguments: int
    rows: bool


@dataclass(slots=True)
class Output:
    """One column of a query; name in lower case. node: what a type may still be given to."""

    name: str
    kind: Type
    node: exp.Expr | None = None


@dataclass(slots=True)
class Source:
    """What stands in FROM. columns: None if they are not known."""

    name: str
    columns: list[Output] | None

    def find(self, name: str) -> list[Type]:
        return [column.kind for column in self.columns or () if column.name == name]


@dataclass(slots=True)
class Scope:
    """One query's names, inside those of the queries around it."""

    outer: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    queries: dict[str, list[Output] | None] = field(default_factory=dict)
    aliases: dict[str, Type] = field(default_factory=dict)
    merged: dict[str, Type] = field(default_factory=dict)  # columns of USING

    def column(self, name: str, table: str) -> Type:
        """The type of a column, None if that is not known; table: '' if the name has none."""
        scope: Scope | None = self
        while scope is not None:
            if not table and name in scope.merged:
                return scope.merged[name]
            sources = [s for s in scope.sources if not table or s.name == table]
            for source in sources:
                if found := source.find(name):
                    return found[0]
            if not table and name in scope.aliases:
                return scope.aliases[name]
            if any(source.columns is None for source in sources):
                return None
            scope = scope.outer
        return None

    def query(self, name: str) -> tuple[bool, list[Output] | None]:
        """Whether WITH defines it, and its columns."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.queries:
                return True, scope.queries[name]
            scope = scope.outer
        return False, None


def columns_of(columns: Columns | None) -> list[Output] | None:
    """A relation's columns as Postgres's types."""
    if columns is None:
        return None
    return [Output(name.lower(), _type_of(kind)) for name, kind in columns]


class Decimal(str):
    """A numeric whose digits are known. whole, scale: before and behind the point."""

    whole: int
    scale: int

    def __new__(cls, whole: int, scale: int) -> Decimal:
        made = super().__new__(cls, "numeric")
        made.whole, made.scale = whole, scale
        return made


def _type_of(kind: DuckType) -> Type:
    if kind.id == "ENUM" and kind.names:
        return EnumType(kind.names)
    if kind.id == "LIST" and kind.children and kind.children[0].id == "ENUM":
        return array_of(EnumType(kind.children[0].names))
    if kind.id == "DECIMAL" and kind.width:
        return Decimal(kind.width - kind.scale, kind.scale)
    try:
        return name_of(wire_type(kind).oid)
    except SqlError:  # it has none: nothing follows from it
        return None


def type_in(columns: list[Output] | None, name: str) -> Type:
    """The type of the column of that name."""
    return next((column.kind for column in columns or () if column.name == name), None)


def renamed(outputs: list[Output] | None, alias: exp.Expr | None) -> list[Output] | None:
    """The columns under the names that an alias gives them, as far as it does."""
    if outputs is None or alias is None:
        return outputs
    names = [name.name.lower() for name in alias.columns]
    names += [output.name for output in outputs[len(names) :]]
    return [
        Output(name, output.kind, output.node) for name, output in zip(names, outputs, strict=False)
    ]
