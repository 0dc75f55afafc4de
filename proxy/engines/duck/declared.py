"""What DuckDB's catalog declares of columns, read for `proxy.sql.lengths`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy.sql.lengths import Declared

_CHECKS = """
    SELECT database_name, schema_name, table_name, constraint_column_names[1], expression
    FROM duckdb_constraints()
    WHERE constraint_type = 'CHECK' AND len(constraint_column_names) = 1
"""
_COLUMNS = """
    SELECT database_name, schema_name, table_name, list(column_name ORDER BY column_index)
    FROM duckdb_columns() WHERE NOT internal GROUP BY ALL
"""
_VIEWS = "SELECT database_name, schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal"


_NUMBERS = """
    SELECT database_name, schema_name, table_name, column_name, data_type
    FROM duckdb_columns() WHERE NOT internal AND data_type LIKE 'DECIMAL(%'
      AND NOT contains(data_type, '"')
"""


def read_declared(run: Callable[[str], list[tuple[Any, ...]]], numbers: bool = False) -> Declared:
    """Blocks. run: as `DuckSession.run`. All else is read only where there is a check or a number.

    numbers: whether DECIMALs are wanted too.
    """
    checks = run(_CHECKS)
    found = None
    if numbers:
        found = {
            ((db, schema, table), column): _sizes(kind)
            for db, schema, table, column, kind in run(_NUMBERS)
        }
    if not checks and not found:
        return Declared(numbers=found)
    database, schemas = run("SELECT current_database(), current_schemas(false)")[0]
    return Declared(
        database,
        (*schemas, "main"),  # where every search ends
        tuple(((db, schema, table), column, text) for db, schema, table, column, text in checks),
        {(db, schema, table): tuple(names) for db, schema, table, names in run(_COLUMNS)},
        {(db, schema, view): sql for db, schema, view, sql in run(_VIEWS)},
        found,
    )


def _sizes(kind: str) -> tuple[int, int]:
    """Of `DECIMAL(10,2)` or `DECIMAL(10,2)[]`."""
    precision, _, scale = kind.partition("(")[2].partition(")")[0].partition(",")
    return int(precision), int(scale)
