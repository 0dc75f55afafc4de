"""The rows of a table that refers to itself, in an order in which DuckDB takes them.

Why it exists: DuckDB looks for a row that is referred to among those of earlier statements. So such a table
is filled level by level: first the rows that refer to none, then those that refer to these, and so on.

Promises: a row is never left out in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.errors import SqlError
from proxy.sql.parameters import part_with
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from proxy.engines.duck.names import Meant
    from proxy.engines.duck.session import DuckSession

MOST = 1000
Ran = list[tuple[str, int]]
"""Statements that were run, and how many rows each changed."""
LEVEL = "_level"
_LOST = "rows of a table that refers to itself in circles: making it again is not supported"


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A foreign key by which a table refers to itself."""

    columns: tuple[str, ...]
    theirs: tuple[str, ...]

    def is_null(self, row: str) -> str:
        return f"({' OR '.join(f'{quoted(row, one)} IS NULL' for one in self.columns)})"

    def meets(self, row: str, other: str) -> str:
        """Whether one row refers to another."""
        pairs = zip(self.columns, self.theirs, strict=True)
        met = (f"{quoted(row, one)} = {quoted(other, their)}" for one, their in pairs)
        return f"({' AND '.join(met)})"


def levels_of(table: str, keys: Sequence[OwnKey]) -> str:
    """A query of the `_row` of each row, and its level: 0 for one that refers to no other."""
    theirs = {name: None for key in keys for name in key.theirs}
    listed = ", ".join(quoted("o", name) for name in theirs)
    roots = " AND ".join(key.is_null("o") for key in keys)
    met = " OR ".join(key.meets("o", "p") for key in keys)
    return (
        f'WITH RECURSIVE placed AS (SELECT o.rowid AS "_row", 0 AS "{LEVEL}", {listed}'
        f' FROM {table} AS o WHERE {roots} UNION ALL SELECT o.rowid, p."{LEVEL}" + 1, {listed}'
        f' FROM {table} AS o JOIN placed AS p ON {met} WHERE p."{LEVEL}" < {MOST})'
        f' SELECT "_row", max("{LEVEL}") AS "{LEVEL}" FROM placed GROUP BY "_row"'
    )


def with_levels(table: str, keys: Sequence[OwnKey]) -> str:
    """A query of the rows with their levels, NULL for one that has none."""
    return (
        f'SELECT o.*, l."{LEVEL}" FROM {table} AS o'
        f' LEFT JOIN ({levels_of(table, keys)}) AS l ON l."_row" = o.rowid'
    )


def depth_of(table: str, keys: Sequence[OwnKey]) -> str:
    """A query of how many levels there are."""
    return f'SELECT coalesce(max("{LEVEL}"), 0) + 1 FROM ({levels_of(table, keys)})'


def filled(insert: str, source: str, depth: int) -> list[str]:
    """The INSERT of what `with_levels` gave, by levels. insert: up to the source's name."""
    made = [f'{insert} {source} WHERE "{LEVEL}" = {level}' for level in range(depth)]
    lost = f'"{LEVEL}" IS NULL OR "{LEVEL}" >= {depth}'
    return [
        *made,
        f"SELECT CASE WHEN true THEN error({literal(_LOST)}) END FROM {source} WHERE {lost}",
    ]


def run_out(duck: DuckSession, sql: str, values: Sequence[tuple[int, Any]] = ()) -> int:
    """Blocks. Runs a statement to its end; how many rows it changed. values: of its parameters."""
    statement = duck.prepare(sql)
    try:
        return duck.start(statement, values).run_out()
    finally:
        statement.close()


def counted(duck: DuckSession, query: str, values: Sequence[tuple[int, Any]] = ()) -> int:
    """Blocks. What a query of one number gives. values: of the statement's parameters that it is made of."""
    query, values = part_with(query, values)
    running = duck.start(duck.prepare(f"SELECT ({query})::VARCHAR"), values)
    running.owns(running.statement)
    return int(running.column_texts(0)[0])


def check_met(duck: DuckSession, meant: Meant, of: Meant, name: str, key: OwnKey) -> None:
    """Blocks. Raises SqlError 23503 where a row refers by this key to one that is not there any more.

    meant: the table that is referred to, by `of`, which may be the same.
    """
    for values in duck.run(_unmet(quoted(*of[:3]), key, quoted(*meant[:3]))):
        raise violated(meant, of, name, key, values)


def check_refers(duck: DuckSession, meant: Meant, name: str, key: OwnKey) -> None:
    """Blocks. Raises SqlError 23503 where a row of a table refers to none of it by a key that is added."""
    table = quoted(*meant[:3])
    for values in duck.run(_unmet(table, key, table)):
        raise SqlError(
            "23503",
            f'insert or update on table "{meant.name}" violates foreign key constraint "{name}"',
            detail=f"Key ({', '.join(key.columns)})=({', '.join(values)}) is not present in table "
            f'"{meant.name}".',
            objects={"s": meant.schema, "t": meant.name, "n": name},
        )


def violated(
    meant: Meant,
    of: Meant,
    name: str,
    key: OwnKey,
    values: Sequence[str],
    *,
    restricts: bool = False,
) -> SqlError:
    """As Postgres says it. restricts: by a RESTRICT, which looks at the old values."""
    setting, still = ("RESTRICT setting of ", "is") if restricts else ("", "is still")
    their = f"Key ({', '.join(key.theirs)})=({', '.join(values)})"
    return SqlError(
        "23001" if restricts else "23503",
        f'update or delete on table "{meant.name}" violates {setting}foreign key constraint'
        f' "{name}" on table "{of.name}"',
        detail=f'{their} {still} referenced from table "{of.name}".',
        objects={"s": of.schema, "t": of.name, "n": name},
    )


def _unmet(table: str, key: OwnKey, other: str) -> str:
    """A query of the values by which a row refers to one of another table, or the same, that is not there."""
    listed = ", ".join(f"{quoted('o', one)}::VARCHAR" for one in key.columns)
    return (
        f"SELECT {listed} FROM {table} AS o WHERE NOT {key.is_null('o')}"
        f" AND NOT EXISTS (SELECT 1 FROM {other} AS p WHERE {key.meets('o', 'p')}) LIMIT 1"
    )
