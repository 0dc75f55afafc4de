"""The names of the one database that there is, and of its schemas, as clients and as DuckDB say them."""

from __future__ import annotations

from proxy.errors import SqlError

ENGINE_DATABASE = "hatidata"
"""What DuckDB calls the database, whatever name the client asked for."""


def check_database(name: str, database: str) -> None:
    """Raises 3D000 for another database than the session's, which is the only one."""
    if name.lower() not in (database.lower(), ENGINE_DATABASE) and database:
        raise SqlError("3D000", f'database "{name}" does not exist')


def engine_schema(name: str) -> str:
    """DuckDB's name of a schema: `public` is `main`."""
    return "main" if name.lower() == "public" else name
