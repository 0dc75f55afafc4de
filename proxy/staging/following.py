"""What is kept of a table beside it - what was loaded, its stage - follows what becomes of the table.

DROP, CREATE OR REPLACE and TRUNCATE end what is remembered of loads, RENAME and SWAP WITH take it along.
It is worked out before the statement, when the name still means the table, and done after it, in the
same transaction. Where nothing is kept of any table of such a name, it costs a look into a set.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.statement import Statement
from proxy.sql.words import Words
from proxy.staging import catalog, places

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.transaction import Block
    from proxy.staging.statements import Stages

_KINDS = frozenset(
    {"DROP TABLE", "TRUNCATE TABLE", "CREATE TABLE", "CREATE TABLE AS", "ALTER TABLE"}
)
_KEPT = (catalog.LOADS, catalog.TABLE_STAGE)
_Place = tuple[str, str, str]
After = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Change:
    """how: 'drop', 'truncate', 'rename' or 'swap'; other: the new name, or the other table's."""

    how: str
    name: tuple[str, ...]
    other: tuple[str, ...] = ()


def changes(text: str) -> list[Change]:
    """What a statement does to tables that it ends, empties or renames. On the loop's thread."""
    try:
        return _read(Words(text, SNOWFLAKE.tokenize(text)))
    except SqlError:
        return []  # of another grammar, or none of these


def _read(words: Words) -> list[Change]:
    if words.accept("CREATE"):
        if not words.accept("OR", "REPLACE"):
            return []
        while not words.accept("TABLE"):
            words.step()
        return [Change("drop", words.dotted())]
    if words.accept("TRUNCATE"):
        words.accept("TABLE")
        words.accept("IF", "EXISTS")
        words.accept("ONLY")
        return [Change("truncate", name) for name in _names(words)]
    if words.accept("DROP", "TABLE"):
        words.accept("IF", "EXISTS")
        return [Change("drop", name) for name in _names(words)]
    words.expect("ALTER", "TABLE")
    words.accept("IF", "EXISTS")
    words.accept("ONLY")
    name = words.dotted()
    if words.accept("RENAME", "TO"):
        return [Change("rename", name, words.dotted())]
    if words.accept("SWAP", "WITH"):
        return [Change("swap", name, words.dotted())]
    return []


def _names(words: Words) -> list[tuple[str, ...]]:
    names = [words.dotted()]
    while words.accept(","):
        names.append(words.dotted())
    return names


async def ahead(stages: Stages, plan: Statement, block: Block | None) -> After | None:
    """What is to be done once `plan` has run; None for nothing.

    block: what to open, where no transaction is, so that both happen or neither.
    """
    known = stages.service.tables
    if not known or plan.kind not in _KINDS:
        return None
    found = [
        change
        for change in changes(plan.text)
        if change.name[-1].lower() in known or (change.other and change.other[-1].lower() in known)
    ]
    if not found:
        return None
    if block is not None:
        stages.session.transaction.open(block)
    duck = stages.session.duck
    steps = [step for step in [await stages.on_duck(_step, duck, c) for c in found] if step]
    for change in found:
        if change.other:
            known.add(change.other[-1].lower())
    if not steps:
        return None

    async def after() -> None:
        stages.session.transaction.wrote_once("a change of what was loaded")
        for step in steps:
            await stages.on_duck(step)

    return after


def _step(duck: DuckSession, change: Change) -> Callable[[], None] | None:
    """Blocks. What to do after the statement."""
    try:
        table = places.table_of(duck, change.name)
        other: _Place | None = None
        if change.how == "swap":
            other = places.table_of(duck, change.other)
    except SqlError:
        return None  # there is no such table
    kinds = _KEPT if change.how != "truncate" else (catalog.LOADS,)
    there = [(kind, catalog.at(duck, kind, table[:2], table[2])) for kind in kinds]
    theirs = [
        (kind, catalog.at(duck, kind, other[:2], other[2]) if other is not None else None)
        for kind in kinds
    ]
    if not any(kept for _, kept in (*there, *theirs)):
        return None

    def step() -> None:
        for _, kept in (*there, *theirs):
            if kept is not None:
                catalog.drop(duck, kept)
        if change.how == "rename":
            _put(duck, there, (*table[:2], change.other[-1]))
        elif other is not None:
            _put(duck, there, other)
            _put(duck, theirs, table)

    return step


def _put(duck: DuckSession, kept: list[tuple[str, catalog.Kept | None]], table: _Place) -> None:
    for kind, one in kept:
        if one is not None:
            catalog.put(duck, kind, table[:2], table[2], one.document | {"name": table[2]})
