"""The rows that a block's INSERTs made, as they were made, so that they can be made again.

Why it exists: savepoints repeat writes (`proxy.savepoints`), and an INSERT whose rows draw on a sequence or a
clock would make others. Rows that a transaction has added have numbers of their own in DuckDB, in the order
in which they came; so at a SAVEPOINT the rows of such INSERTs are read back, and what is repeated later are
INSERTs of just these.

Promises: only where nothing else that the block has done can have changed or taken away rows of the table, and
where each value comes back from its text as it was. Otherwise the INSERT stays as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from proxy.engines.duck import DuckSession
from proxy.engines.duck_names import DATABASE, Meant
from proxy.engines.duckdb_c import DuckFailure
from proxy.errors import SqlError
from proxy.sql import inference
from proxy.sql.quoting import literal, quoted
from proxy.sql.written_columns import path_of

_FIRST = 36028797018960000  # the first row that a transaction adds: DuckDB's MAX_ROW_ID
_MOST = 10_000  # rows of one table


def inserts_into(sql: str) -> tuple[str, ...] | None:
    """The table that DuckDB's INSERT does nothing but add rows to; None for any other statement."""
    tree = inference.read(sql)
    if (
        not isinstance(tree, exp.Insert)
        or tree.args.get("conflict")
        or tree.args.get("alternative")
    ):
        return None
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return path_of(table) if isinstance(table, exp.Table) else None


def as_inserted(duck: DuckSession, meant: Meant, before: int, counts: Sequence[int]) -> list[str]:
    """Blocks. INSERTs of the rows that the transaction has added to a table, of so many each.

    before: how many rows it had added before these. None at all where they are others than the rows that
    there are, or cannot be written.
    """
    if meant.kind != "r" or meant.database != DATABASE or sum(counts) > _MOST:
        return []
    with contextlib.suppress(SqlError, DuckFailure):
        return _written(duck, meant, _FIRST + before, counts)
    return []


def _written(duck: DuckSession, meant: Meant, first: int, counts: Sequence[int]) -> list[str]:
    table = quoted(*meant[:3])
    computed = duck.told(meant.schema, meant.name).generated
    listed = duck.run(f"SELECT name, type FROM pragma_table_info({literal(table)})")
    columns = [(name, kind) for name, kind in listed if name.lower() not in computed]
    names = [quoted(name) for name, _ in columns]
    texts = [f"CAST({name} AS VARCHAR)" for name in names]
    same = [
        f"TRY_CAST({text} AS {kind}) IS NOT DISTINCT FROM {name}"
        for (_, kind), name, text in zip(columns, names, texts, strict=True)
    ]
    rows = duck.run(
        f"SELECT rowid - {first}, {' AND '.join(same)}, {', '.join(texts)} FROM {table}"
        f" WHERE rowid >= {first} ORDER BY rowid"
    )
    whole = len(rows) == sum(counts) and all(row[0] == n for n, row in enumerate(rows))
    if not whole or not all(row[1] for row in rows):
        return []
    values = ", ".join(
        f"CAST(CAST({name} AS VARCHAR) AS {kind})"
        for name, (_, kind) in zip(names, columns, strict=True)
    )
    head = f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM (VALUES "
    made, begin = [], 0
    for count in counts:
        tuples = ", ".join(map(_tuple, rows[begin : begin + count])) or _none(len(names))
        where = "" if count else " WHERE false"
        made.append(f"{head}{tuples}) AS _rows ({', '.join(names)}){where}")
        begin += count
    return made


def _tuple(row: Sequence[Any]) -> str:
    return f"({', '.join('NULL' if text is None else literal(text) for text in row[2:])})"


def _none(width: int) -> str:
    return f"({', '.join(['NULL'] * width)})"
