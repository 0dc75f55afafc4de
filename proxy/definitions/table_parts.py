"""The parts of a table's definition: columns, constraints, indexes, as DuckDB's catalog has them.

Why it exists: beside `rebuilding`, which makes a table anew of them: what each is in a CREATE TABLE, and what
becomes of it when a column gets another name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from proxy.engines.duck.texts import held_key
from proxy.errors import SqlError
from proxy.sql.definitions.constraint_names import NamedKey, check_of, name_of_check, named_check
from proxy.sql.lengths import checked_length
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB, write_duckdb
from proxy.sql.snowflake.definitions import FOREIGN_KEY

if TYPE_CHECKING:
    from proxy.engines.duck.names import Meant
    from proxy.engines.duck.session import DuckSession

_INDEXES = """
SELECT index_name, is_unique, expressions::VARCHAR[], comment FROM duckdb_indexes()
WHERE database_name = $1 AND schema_name = $2 AND table_name = $3
"""


@dataclass(slots=True)
class Column:
    name: str
    kind: str
    default: str | None
    not_null: bool
    comment: str | None
    value: str = ""  # what it is in terms of the old table's columns, where that is not itself
    sql: str = ""  # its whole definition, for a new one
    generated: str = ""  # the expression that it always is


@dataclass(slots=True)
class Constraint:
    """kind: 'CHECK', 'PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY', or '' for one that is added.

    name: that it was given, '' for none. named: its columns, where its name is kept beside it.
    other, schema: what a foreign key refers to, and where that is; '' where the search path says it.
    """

    kind: str
    sql: str
    columns: list[str] = field(default_factory=list)
    expression: str = ""
    name: str = ""
    named: list[str] = field(default_factory=list)
    other: str = ""
    theirs: list[str] = field(default_factory=list)
    rules: tuple[tuple[str, str], ...] = ()
    schema: str = ""

    def statements(self) -> list[str]:
        """As in CREATE TABLE."""
        sql = self.sql
        if self.kind in ("PRIMARY KEY", "UNIQUE", "FOREIGN KEY"):
            sql = f"{self.kind} ({', '.join(map(quoted, self.columns))})"
        if self.kind == "FOREIGN KEY":
            other = quoted(*filter(None, (self.schema, self.other)))
            sql += f" REFERENCES {other} ({', '.join(map(quoted, self.theirs))})"
        if not self.name and not self.rules:
            return [sql]
        if self.kind == "CHECK":
            _, expression = name_of_check(self.expression) or ("", self.expression)
            return [named_check(self.name, expression)]
        key = NamedKey(self.name, self.kind, tuple(self.named), self.other, self.rules)
        return [sql, check_of(key)]

    def rename(self, old: str, new: str) -> None:
        """A column has another name in the table that is made."""
        self.columns = [new if one == old else one for one in self.columns]
        if self.kind == "CHECK":
            self.expression = renamed_in(self.expression, old, new)
            self.sql = f"CHECK ({self.expression})"


@dataclass(slots=True)
class Index:
    name: str
    unique: bool
    expressions: list[str]
    comment: str | None

    @property
    def computes(self) -> bool:
        """Whether it is over more than columns."""
        return any("(" in one for one in self.expressions)


def refers(part: str) -> bool:
    """Whether a column's or a constraint's definition is a reference to DuckDB."""
    kinds = {token.token_type for token in DUCKDB.own_tokens(part)}
    return not kinds.isdisjoint((TokenType.FOREIGN_KEY, TokenType.REFERENCES))


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of a definition. columns: its own, () where it is a column's. theirs: () for the primary key."""

    columns: tuple[str, ...]
    table: tuple[str, ...]
    theirs: tuple[str, ...]


def references(sql: str) -> list[Reference]:
    """The foreign keys in a definition of DuckDB's, with names as it has them."""
    tokens = DUCKDB.own_tokens(sql)
    found, columns = list[Reference](), tuple[str, ...]()
    for at, token in enumerate(tokens):
        if token.token_type == TokenType.FOREIGN_KEY:
            columns = _listed(tokens[at + 1 :])
        elif token.token_type == TokenType.REFERENCES:
            parts = list(takewhile(_is_name, tokens[at + 1 :]))
            listed = _listed(tokens[at + 1 + len(parts) :])
            found.append(Reference(columns, tuple(_names(parts)), listed))
            columns = ()
    return found


def _is_name(token: Token) -> bool:
    return token.token_type not in (TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA)


def _listed(tokens: list[Token]) -> tuple[str, ...]:
    """The names in the brackets that the tokens begin with."""
    if not tokens or tokens[0].token_type != TokenType.L_PAREN:
        return ()
    return tuple(_names(takewhile(lambda one: one.token_type != TokenType.R_PAREN, tokens[1:])))


def _names(tokens: Iterable[Token]) -> Iterator[str]:
    marks = (TokenType.DOT, TokenType.COMMA)
    return (token.text for token in tokens if token.token_type not in marks)


def own_references(sql: str, own: str) -> list[int]:
    """Where a definition of the table `own` refers to itself, by its name alone."""
    tokens = DUCKDB.own_tokens(sql)
    return [
        name.start
        for word, name, after in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False)
        if word.token_type == TokenType.REFERENCES
        and name.text.lower() == own.lower()
        and (after is None or after.token_type != TokenType.DOT)
    ]


def indexes_of(duck: DuckSession, meant: Meant) -> list[Index]:
    found = duck.listed(_INDEXES, meant.database, meant.schema, meant.name)
    return [Index(*one) for one in found]


def unable(what: str) -> SqlError:
    return SqlError("0A000", f"{what} is not supported on analytical tables")


def definition_of(column: Column) -> str:
    parts = [quoted(column.name), column.kind]
    if column.generated:
        return " ".join([*parts, f"GENERATED ALWAYS AS ({column.generated})"])
    if column.default is not None:
        parts.append(f"DEFAULT ({column.default})")
    return " ".join([*parts, "NOT NULL"] if column.not_null else parts)


def _parsed(expression: str) -> exp.Expr | None:
    try:
        return DUCKDB.dialect.parse(expression)[0]
    except (SqlglotError, RecursionError):
        return None


def key_in(constraint: Constraint) -> tuple[str, str, list[str]]:
    """The kind, name and columns of a constraint, of a check that keeps a key those of the key.

    The name is '' where it was given none.
    """
    key = held_key(constraint.expression) if constraint.kind in ("CHECK", "") else None
    if key is None:
        return constraint.kind, constraint.name, constraint.columns
    return key.get("key", "FOREIGN KEY"), key["name"], key["columns"]


def rename_in_key(constraint: Constraint, old: str, new: str) -> None:
    """A check that keeps a foreign key is a text, in which DuckDB renames nothing."""
    key = held_key(constraint.expression) if constraint.kind == "CHECK" else None
    if key is None or old not in key["columns"]:
        return
    key["columns"] = [new if name == old else name for name in key["columns"]]
    keep_key(constraint, key)


def keep_key(constraint: Constraint, key: dict[str, Any]) -> None:
    kept = key if "key" in key else {FOREIGN_KEY: key.pop("name"), **key}
    constraint.expression = f"NOT ({literal(json.dumps(kept))} IS NULL)"
    constraint.sql = f"CHECK ({constraint.expression})"


def is_length(constraint: Constraint, column: str) -> bool:
    """Whether a check is what a varchar's length or a timestamp's digits are to DuckDB."""
    if constraint.kind != "CHECK" or constraint.columns != [column]:
        return False
    check = _parsed(constraint.expression)
    return check is not None and checked_length(check, column) != 0


def reads(expressions: list[str], column: str) -> bool:
    trees = [_parsed(one) for one in expressions]
    return any(
        node.name.lower() == column.lower()
        for tree in trees
        if tree is not None
        for node in tree.find_all(exp.Column)
    )


def renamed_in(expression: str, old: str, new: str) -> str:
    """The expression of a check or an index after a column got another name."""
    tree = _parsed(expression)
    if tree is None or not reads([expression], old):
        return expression
    for column in tree.find_all(exp.Column):
        if column.name.lower() == old.lower():
            column.set("this", exp.to_identifier(new, quoted=True))
    return write_duckdb(tree)
