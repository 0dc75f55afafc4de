"""What DROP ... CASCADE takes along: the views over what is dropped, and the keys that refer to it.

Why it exists: DuckDB's views know what they read by its name alone, and stay when it is gone; every use of
one fails then. In Postgres CASCADE drops them, and says so.

Promises: a view is taken along only where its text reads the relation for certain: names are looked up as
DuckDB does, in the view's own schema and then in `main`; a text that cannot be read stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError

from proxy.engines.duck_names import DATABASE, Meant
from proxy.errors import SqlError
from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession

_VIEWS = f"""
SELECT schema_name, view_name, sql FROM duckdb_views()
WHERE database_name = '{DATABASE}' AND NOT internal ORDER BY view_oid
"""


def views_over(duck: DuckSession, meant: Meant) -> list[Meant]:
    """Blocks. The views that read a relation, and those that read them, each after what it reads."""
    if meant.database != DATABASE:
        return []
    views = [
        (Meant(DATABASE, schema, name, "v"), _read(duck, schema, sql))
        for schema, name, sql in duck.run(_VIEWS)
    ]
    found = {_key(meant.schema, meant.name): meant}
    grows = True
    while grows:
        grows = False
        for view, reads in views:
            key = _key(view.schema, view.name)
            if key not in found and not reads.isdisjoint(found):
                found[key], grows = view, True
    return list(found.values())[1:]


def notice(dropped: tuple[str, ...]) -> SqlError:
    """What Postgres says of them. dropped: each as in 'view v'."""
    lines = [f"drop cascades to {what}" for what in dropped]
    if len(lines) == 1:
        return SqlError("00000", lines[0])
    message = f"drop cascades to {len(lines)} other objects"
    return SqlError("00000", message, detail="\n".join(lines))


def drop_view(view: Meant) -> str:
    return f"DROP VIEW {quoted(view.database, view.schema, view.name)}"


def _key(schema: str, name: str) -> tuple[str, str]:
    return schema.lower(), name.lower()


def _read(duck: DuckSession, schema: str, sql: str) -> set[tuple[str, str]]:
    """The relations of the database that is kept that a view's text reads."""
    try:
        tree = DUCKDB.dialect.parse(sql)[0]
    except (SqlglotError, RecursionError):
        return set()
    query = tree.expression if isinstance(tree, exp.Create) else None
    if query is None:
        return set()
    own = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    found = set()
    for table in query.find_all(exp.Table):
        *places, name = (part.name for part in table.parts)
        if not places and name.lower() in own:
            continue  # what WITH calls so
        meant = duck.means((DATABASE, schema, name)) if not places else None
        meant = meant or duck.means((*places, name) if places else (DATABASE, "main", name))
        if meant is not None and meant.database == DATABASE:
            found.add(_key(meant.schema, meant.name))
    return found
