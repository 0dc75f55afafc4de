"""CREATE TABLE ... (LIKE other), as Postgres has it: read from the tree.

What the other table is, its definition says when the statement runs (`proxy.definitions.liking`): here is read what
of it is wanted, and what stands beside it in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.definitions.identities import folded, places
from proxy.sql.reading import position_of, write_duckdb

_ALL = frozenset({"DEFAULTS", "CONSTRAINTS", "INDEXES", "COMMENTS", "IDENTITY", "GENERATED"})
_NOTHING_HERE = frozenset({"STORAGE", "COMPRESSION", "STATISTICS"})


@dataclass(frozen=True, slots=True)
class Like:
    """source: the parts of the other table's name. wanted: the words after INCLUDING."""

    source: tuple[str, ...]
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Likes:
    """A CREATE TABLE with such items. opening: its words up to the name. target: the name's parts.

    items: in order, as DuckDB's SQL where they are the statement's own.
    """

    opening: str
    target: tuple[str, ...]
    items: tuple[Like | str, ...]


def likes(tree: exp.Expr, rewrite: Callable[[exp.Expr], exp.Expr]) -> Likes | None:
    """What a CREATE TABLE of Postgres's takes of others; None where it takes nothing.

    rewrite: makes a tree DuckDB's. Raises SqlError 42601 for an option that there is not.
    """
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        return None
    items = tree.this.expressions
    if not any(isinstance(item, exp.LikeProperty) for item in items):
        return None
    table = tree.this.this
    words = ["CREATE"]
    temporary = tree.find(exp.TemporaryProperty) is not None
    words += ["TEMPORARY"] if temporary else []
    words += ["TABLE", "IF NOT EXISTS"] if tree.args.get("exists") else ["TABLE"]
    own = [item for item in items if not isinstance(item, exp.LikeProperty)]
    made: Iterator[exp.Expr] = iter(())
    if own:
        schema = exp.Schema(this=table.copy(), expressions=[item.copy() for item in own])
        made = iter(rewrite(exp.Create(this=schema, kind="TABLE")).this.expressions)
    found: list[Like | str] = []
    for item in items:
        if isinstance(item, exp.LikeProperty):
            name = (*places(item.this), folded(item.this.this))
            found.append(Like(name, _wanted(item)))
        else:
            found.append(write_duckdb(next(made)))
    return Likes(" ".join(words), (*places(table), folded(table.this)), tuple(found))


def _wanted(item: exp.LikeProperty) -> frozenset[str]:
    wanted: frozenset[str] = frozenset()
    for option in item.expressions:
        said = option.args["value"].name
        word = said.upper()
        named = _ALL if word == "ALL" else frozenset({word}) - _NOTHING_HERE
        if not named <= _ALL:
            raise SqlError(
                "42601", f'syntax error at or near "{said}"', position=position_of(option)
            )
        wanted = wanted - named if option.name.upper() == "EXCLUDING" else wanted | named
    return wanted
