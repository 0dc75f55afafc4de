"""The rows that a block's INSERTs made, as they were made, so that they can be made again.

Why it exists: savepoints repeat writes (`proxy.session.savepoints`), and an INSERT whose rows draw on a sequence or a
clock would make others. Rows that a transaction has added have numbers of their own in DuckDB, in the order
in which they came; so at a SAVEPOINT the rows of such INSERTs are read back, and what is repeated later are
INSERTs of just these.

Promises: only where nothing else that the block has done can have changed or taken away rows of the table, and
where each value comes back from its text as it was. Otherwise the INSERT stays as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from typing import Any

from sqlglot import exp

from proxy.engines.duck.c import DuckFailure
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.duck.session import DuckSession
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.sql import inference
from proxy.sql.changes.written_columns import Path, path_of, target_of
from proxy.sql.quoting import literal, quoted

_FIRST = 36028797018960000  # the first row that a transaction adds: DuckDB's MAX_ROW_ID
_MOST = 10_000  # rows of one table
_MOST_OWN = 500  # ... which refers to itself: one by one


def inserts_into(sql: str) -> Path | None:
    """The table that DuckDB's INSERT does nothing but add rows to; None for any other statement."""
    tree = inference.read(sql)
    if (
        not isinstance(tree, exp.Insert)
        or tree.args.get("conflict")
        or tree.args.get("alternative")
    ):
        return None
    table = target_of(tree)
    return path_of(table) if table is not None else None


@dataclass(frozen=True, slots=True)
class _Table:
    """query: its rows from a number on, each with its place, whether its texts give it again, and these.

    defaults: those of its columns. own: it refers to itself, so that one row may have to be there before another.
    """

    meant: Meant
    query: str
    insert: str
    names: str
    width: int
    defaults: tuple[str, ...]
    own: bool


class AddedRows:
    """One session's part: what it knows of tables, for as long as nothing is defined."""

    def __init__(self) -> None:
        self._known: tuple[Stamp, dict[Path, _Table | None]] | None = None

    def table(self, duck: DuckSession, path: Path) -> _Table | None:
        """Blocks. The table of that name, None where its rows cannot be read back."""
        if self._known is None or not duck.same_definitions(self._known[0]):
            self._known = duck.definitions(), {}
        known = self._known[1]
        if path not in known:
            meant = duck.means(path)
            plain = meant is not None and meant.kind == "r" and meant.database == DATABASE
            known[path] = _table(duck, meant) if meant is not None and plain else None
        return known[path]


def as_inserted(duck: DuckSession, table: _Table, before: int, counts: Sequence[int]) -> list[str]:
    """Blocks. INSERTs of the rows that the transaction has added to a table, of so many each.

    before: how many rows it had added before these. None at all where they are others than the rows that
    there are, or do not come back.
    """
    if sum(counts) > (_MOST_OWN if table.own else _MOST):
        return []
    with contextlib.suppress(SqlError, DuckFailure):
        rows = sorted(duck.run(table.query.format(first=_FIRST + before)), key=itemgetter(0))
        whole = len(rows) == sum(counts) and all(row[0] == n for n, row in enumerate(rows))
        if whole and all(row[1] for row in rows):
            ends = list(accumulate(counts))
            return [
                _insert(table, rows[end - count : end])
                for end, count in zip(ends, counts, strict=True)
            ]
    return []


def _table(duck: DuckSession, meant: Meant) -> _Table:
    table, computed = quoted(*meant[:3]), duck.told(meant.schema, meant.name).generated
    listed = duck.run(f"SELECT name, type, dflt_value FROM pragma_table_info({literal(table)})")
    kinds = {quoted(name): kind for name, kind, _ in listed if name.lower() not in computed}
    same = " AND ".join(
        f"TRY_CAST(CAST({name} AS VARCHAR) AS {kind}) IS NOT DISTINCT FROM {name}"
        for name, kind in kinds.items()
    )
    texts = ", ".join(f"CAST({name} AS VARCHAR)" for name in kinds)
    body = f"{same}, {texts} FROM {table}".replace("{", "{{").replace("}", "}}")
    values = ", ".join(f"CAST(CAST({name} AS VARCHAR) AS {kinds[name]})" for name in kinds)
    names = ", ".join(kinds)
    return _Table(
        meant,
        f"SELECT rowid - {{first}}, {body} WHERE rowid >= {{first}}",
        f"INSERT INTO {table} ({names}) SELECT {values} FROM (VALUES ",
        names,
        len(kinds),
        tuple(default for *_, default in listed if default is not None),
        meant.name in duck.referring(meant.schema, meant.name),
    )


def _insert(table: _Table, rows: Sequence[Sequence[Any]]) -> str:
    between = " UNION ALL VALUES " if table.own else ", "
    tuples = between.join(map(_tuple, rows)) or f"({', '.join(['NULL'] * table.width)})"
    return f"{table.insert}{tuples}) AS _rows ({table.names}){'' if rows else ' WHERE false'}"


def _tuple(row: Sequence[Any]) -> str:
    return f"({', '.join('NULL' if text is None else literal(text) for text in row[2:])})"
