"""CREATE OR REPLACE VIEW in Postgres's dialect: a view keeps the columns that it has.

Why it exists: DuckDB, like Snowflake, makes of it whatever the new query gives. In Postgres others may
rely on a view's columns: each stays, with its name and type, and new ones come after them.

Promises: raises SqlError 42P16 as Postgres does, before anything is done. The modifiers of types are not
compared, since DuckDB computes them otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.engines.duckdb_c import DuckError
from proxy.errors import SqlError
from proxy.parameter_types import columns_of
from proxy.sql.postgres_typing import LONG_NAMES
from proxy.sql.quoting import quoted
from proxy.wire.types import BY_OID, DuckType, wire_type

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession
    from proxy.sql.statement import ReplacesView

_RENAMING = "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."


def check_columns(duck: DuckSession, plan: ReplacesView) -> None:
    """Blocks. Raises SqlError where a view is there that would lose or change a column."""
    meant = duck.means(plan.view)
    if meant is None or meant.kind != "v" or (meant.database == "temp") != plan.temporary:
        return
    try:
        before = columns_of(duck, f"SELECT * FROM {quoted(*meant[:3])} LIMIT 0")
        after = columns_of(duck, plan.query)
    except DuckError:
        return  # a view that fails may become any; what the new one lacks DuckDB says
    names = [*plan.columns, *(name for name, _ in after[len(plan.columns) :])]
    if len(after) < len(before):
        raise SqlError("42P16", "cannot drop columns from view")
    for (old, kind), new, (_, other) in zip(before, names, after, strict=False):
        if old != new:
            message = f'cannot change name of view column "{old}" to "{new}"'
            raise SqlError("42P16", message, hint=_RENAMING)
        if (was := _called(kind)) != (becomes := _called(other)):
            message = f'cannot change data type of view column "{old}" from {was} to {becomes}'
            raise SqlError("42P16", message)


def _called(kind: DuckType) -> str:
    """As Postgres calls a type, without its modifier."""
    found = BY_OID[wire_type(kind).oid]
    if found.element_oid:
        found = BY_OID[found.element_oid]
        return f"{LONG_NAMES.get(found.name, found.name)}[]"
    return LONG_NAMES.get(found.name, found.name)
