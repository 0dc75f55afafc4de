"""INSERTs of rows that refer to each other, into a table that refers to itself.

Why it exists: DuckDB looks for a row that is referred to among those that were there before the chunk of rows
which it is adding. Postgres looks at the statement's end. So the rows of such an INSERT are added level by level,
in one statement: those that refer to none of the others, then those that refer to these, and so on. How many
levels there are is asked first; most INSERTs have one, and stay as they are.

Promises: a row is never left out. Rows in a circle, or one that refers to itself, are refused (0A000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from proxy.changes.levels import MOST
from proxy.definitions.altered_tables import foreign_keys_to
from proxy.engines.duck.names import DATABASE
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.session.parameter_types import columns_of, relation_columns
from proxy.sql import inference
from proxy.sql.changes.written_columns import Path
from proxy.sql.parameters import part_with
from proxy.sql.quoting import quoted
from proxy.sql.reading import write_duckdb

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_NUMBER, _LEVEL = '"_number"', '"_level"'


@dataclass(frozen=True, slots=True)
class _Own:
    """A table that refers to itself. columns: their types, in order; keys: what refers, and what to."""

    name: str
    columns: dict[str, str]
    keys: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


class OwnInserts:
    """One session's part."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: tuple[Stamp, dict[Path, _Own | None]] | None = None

    async def in_levels(
        self, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()
    ) -> str:
        """An INSERT as DuckDB takes it. sql, values: as it would run."""
        session, known = self._session, self._known
        in_step = known is not None and session.duck_in_step
        holds = known is not None and in_step and session.duck.same_definitions(known[0])
        if known is not None and holds and known[1].get(plan.inserts, ...) is None:
            return sql
        return await session.on_duck(self._written, session.duck, plan.inserts, sql, values)

    def _written(
        self, duck: DuckSession, path: Path, sql: str, values: Sequence[tuple[int, Any]]
    ) -> str:
        """Blocks."""
        if self._known is None or not duck.same_definitions(self._known[0]):
            self._known = duck.definitions(), {}
        if path not in self._known[1]:
            self._known[1][path] = _own(duck, path)
        own = self._known[1][path]
        tree = inference.read(sql) if own is not None else None
        if own is None or not isinstance(tree, exp.Insert):
            return sql
        rows = _rows(tree)
        if rows is None:
            return sql
        names = _names(tree, own)[: len(columns_of(duck, part_with(rows, values)[0]))]
        levels = _levels(rows, names, own)
        if levels is None:
            return sql
        asked = f'SELECT max({_LEVEL}), count(*) - count({_LEVEL}) FROM "_leveled"'
        running = duck.start_once(*part_with(f"{levels} {asked}", values))
        batch, more = running.fetch_batch()
        while more:
            _, more = running.fetch_batch()
        assert batch is not None
        deepest, unplaced = (column[0].as_py() for column in batch.columns)
        if unplaced or (deepest or 0) >= MOST:
            message = f'rows of "{own.name}" that refer to each other in circles, or in more than'
            raise SqlError("0A000", f"inserting {message} {MOST} levels, is not supported")
        if not deepest:
            return sql
        listed = ", ".join(map(quoted, names))
        parts = (
            f'SELECT {listed} FROM "_leveled" WHERE {_LEVEL} {">=" if last else "="} {level}'
            for level in range(deepest + 1)
            for last in (level == deepest,)
        )
        query = inference.read(f"{levels} {' UNION ALL '.join(parts)}")
        assert query is not None
        tree.set("expression", query)
        tree.set("with_", None)
        return write_duckdb(tree)


def _own(duck: DuckSession, path: Path) -> _Own | None:
    meant = duck.means(path)
    if meant is None or meant.kind != "r" or meant.database != DATABASE:
        return None
    if not duck.referring(meant.schema, meant.name):
        return None
    keys = tuple(
        (tuple(key.columns), tuple(key.theirs))
        for of, _, key in foreign_keys_to(duck, meant)
        if of == meant
    )
    columns = {name: str(kind) for name, kind in relation_columns(duck, meant[:3]) or []}
    return _Own(meant.name, columns, keys) if keys else None


def _names(tree: exp.Insert, own: _Own) -> list[str]:
    """The columns that the INSERT gives, as the table has them."""
    if not isinstance(tree.this, exp.Schema):
        return list(own.columns)
    spelled = {name.lower(): name for name in own.columns}
    return [spelled.get(one.name.lower(), one.name) for one in tree.this.expressions]


def _rows(tree: exp.Insert) -> str | None:
    """The rows of an INSERT as a query; None where one leaves a value to its column, which no query can."""
    source = tree.expression
    if isinstance(source, exp.Values):
        cells = (cell for row in source.expressions for cell in row.expressions)
        if any(isinstance(cell, exp.Column | exp.Var) for cell in cells):
            return None
    rows = write_duckdb(source.copy())
    around = tree.args.get("with_")
    return rows if around is None else f"{write_duckdb(around.copy())} {rows}"


def _levels(rows: str, names: Sequence[str], own: _Own) -> str | None:
    """The opening of a query over the rows of an INSERT with their levels; None where they refer to none."""
    keys = [pair for pair in own.keys if {*pair[0], *pair[1]} <= set(names)]
    if not keys:
        return None
    met = " OR ".join(f"({_meets(own, key)})" for key in keys)
    listed = ", ".join(map(quoted, names))
    return (
        f'WITH RECURSIVE "_given" ({listed}) AS ({rows}),'
        f' "_rows" AS MATERIALIZED (SELECT *, row_number() OVER () AS {_NUMBER} FROM "_given"),'
        f' "_met" AS MATERIALIZED (SELECT o.{_NUMBER} AS o, p.{_NUMBER} AS p'
        f' FROM "_rows" AS o JOIN "_rows" AS p ON {met}),'
        f' "_placed" AS (SELECT {_NUMBER}, 0 AS {_LEVEL} FROM "_rows"'
        f' WHERE {_NUMBER} NOT IN (SELECT o FROM "_met")'
        f' UNION SELECT m.o, {_LEVEL} + 1 FROM "_placed" AS d JOIN "_met" AS m ON m.p = d.{_NUMBER}'
        f" WHERE {_LEVEL} < {MOST}),"
        f' "_leveled" AS MATERIALIZED (SELECT o.*, l.{_LEVEL} FROM "_rows" AS o LEFT JOIN'
        f' (SELECT {_NUMBER}, max({_LEVEL}) AS {_LEVEL} FROM "_placed" GROUP BY {_NUMBER}) AS l'
        f" USING ({_NUMBER}))"
    )


def _meets(own: _Own, key: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    def cell(row: str, name: str, kind: str) -> str:
        return f"TRY_CAST({quoted(row, name)} AS {kind})"

    return " AND ".join(
        f"{cell('o', one, own.columns[one])} = {cell('p', their, own.columns[their])}"
        for one, their in zip(*key, strict=True)
    )
