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


def read_declared(run: Callable[[str], list[tuple[Any, ...]]]) -> Declared:
    """Blocks. run: as `DuckSession.run`. All but the checks is read only where there is one."""
    checks = run(_CHECKS)
    if not checks:
        return Declared()
    database, schemas = run("SELECT current_database(), current_schemas(true)")[0]
    return Declared(
        database,
        tuple(schemas),
        tuple(((db, schema, table), column, text) for db, schema, table, column, text in checks),
        {(db, schema, table): tuple(names) for db, schema, table, names in run(_COLUMNS)},
        {(db, schema, view): sql for db, schema, view, sql in run(_VIEWS)},
    )
