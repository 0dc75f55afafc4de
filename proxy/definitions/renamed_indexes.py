"""ALTER INDEX ... RENAME TO: DuckDB renames none, so the index is made again under the other name.

What bears a constraint's name is the constraint's: DuckDB has no index of its own for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.sql.quoting import literal, quoted
from proxy.sql.statement import RenamesIndex

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession

_FOUND = """
SELECT database_name, schema_name, table_name, index_name, is_unique, expressions::VARCHAR[], comment
FROM duckdb_indexes()
WHERE lower(index_name) = lower($1)
  AND CASE WHEN $2 = '' THEN list_contains(current_schemas(true), schema_name)
           ELSE lower(schema_name) = lower($2) END
ORDER BY database_name <> 'temp', list_position(current_schemas(true), schema_name) LIMIT 1
"""
_NOTHING = "SELECT 1 LIMIT 0"


def index_renamed(duck: DuckSession, plan: RenamesIndex) -> list[str]:
    """Blocks. DuckDB's statements. Raises SqlError 42P01 where there is no such index."""
    *places, name = plan.index
    found = duck.listed(_FOUND, name, places[-1] if places else "")
    if not found:
        if plan.exists:
            return [_NOTHING]
        hint = "The index of a constraint is renamed with it: ALTER TABLE ... RENAME CONSTRAINT."
        raise SqlError("42P01", f'relation "{name}" does not exist', hint=hint)
    [(database, schema, table, old, unique, expressions, comment)] = found
    if duck.means((schema, plan.new)) is not None:
        raise SqlError("42P07", f'relation "{plan.new}" already exists')
    place = quoted(database, schema)
    made = [
        f"DROP INDEX {place}.{quoted(old)}",
        f"CREATE {'UNIQUE ' if unique else ''}INDEX {quoted(plan.new)}"
        f" ON {quoted(database, schema, table)} ({', '.join(expressions)})",
    ]
    if comment is not None:
        made.append(f"COMMENT ON INDEX {place}.{quoted(plan.new)} IS {literal(comment)}")
    return made
