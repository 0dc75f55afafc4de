"""CREATE [OR REPLACE] VIEW in Postgres's dialect: what it reads is bound, and its columns stay.

Why it exists: DuckDB looks the names in a view up when it is read, in the view's own schema and then in
its reader's search_path; in Postgres they mean for ever what they meant to the view's author. And DuckDB,
like Snowflake, makes of a view that is replaced whatever the new query gives. In Postgres others may rely
on its columns: each stays, with its name and type, and new ones come after them.

Promises: raises SqlError 42P16 as Postgres does, before anything is done. The modifiers of types are not
compared, since DuckDB computes them otherwise.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlglot.errors import SqlglotError

from proxy.engines.duck.c import DuckError
from proxy.engines.duck.names import DATABASE
from proxy.errors import SqlError
from proxy.session.parameter_types import columns_of
from proxy.sql.definitions.view_reads import (
    as_written_with_schemas,
    query_of_view,
    with_schemas,
    with_types,
)
from proxy.sql.postgres.typing import LONG_NAMES
from proxy.sql.quoting import quoted
from proxy.wire.types import BY_OID, DuckType, wire_type

if TYPE_CHECKING:
    from proxy.engines.duck.names import Meant
    from proxy.engines.duck.session import DuckSession
    from proxy.sql.statement import MakesView

_RENAMING = "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."


def bound_view(duck: DuckSession, plan: MakesView, sql: str) -> str | None:
    """Blocks. DuckDB's `sql` of the statement, with schemas where names without would mean others.

    None where none would. What is the session's alone stays as it is written.
    """
    own, searched = _place(duck, plan)
    if set(searched) == {own}:
        return None
    schema_of = partial(_schema_of, duck, own)

    try:
        bound = with_schemas(sql, schema_of)
        return with_types(bound or sql, partial(_schema_of_type, duck, own)) or bound
    except (SqlglotError, RecursionError):
        return None


def bound_text(duck: DuckSession, plan: MakesView, query: str, sql: str, bound: str) -> str | None:
    """Blocks. The query as its author wrote it, with the schemas that `bound_view` puts in, as Postgres
    calls them; None where it cannot be read.

    sql, bound: what that was given and gave, whose query it is where types need schemas too.
    """
    own, _ = _place(duck, plan)
    if with_types(sql, partial(_schema_of_type, duck, own)) is not None:
        return query_of_view(bound)

    def schema_of(name: str) -> str | None:
        schema = _schema_of(duck, own, name)
        return "public" if schema == "main" else schema

    try:
        return as_written_with_schemas(query, schema_of) or query
    except (SqlglotError, RecursionError):
        return None


def _place(duck: DuckSession, plan: MakesView) -> tuple[str | None, list[str]]:
    """The schema that a view will be in, None for a temporary one, and those in which names are looked up."""
    ((path,),) = duck.run("SELECT current_schemas(false)")
    searched = [*path, "main"]  # where every search ends
    own = plan.view[-2] if len(plan.view) > 1 else searched[0]
    return None if plan.temporary else own, searched


def _schema_of(duck: DuckSession, own: str | None, name: str) -> str | None:
    """The schema to be put before a name; None where it is found without."""
    meant = duck.means((name,))
    if meant is None or meant.database != DATABASE or meant.schema == own:
        return None
    return meant.schema


def _schema_of_type(duck: DuckSession, own: str | None, name: str) -> str | None:
    meant = duck.type_schema(name)
    return None if meant == own else meant


def added_columns(duck: DuckSession, plan: MakesView, sql: str) -> tuple[Meant, list[str]] | None:
    """Blocks. A view that is there, and the columns that it gets; None where there is none.

    sql: DuckDB's of the statement, in which the view's columns have their types. Raises SqlError where
    it would lose or change a column.
    """
    meant = duck.means(plan.view)
    if meant is None or meant.kind != "v" or (meant.database == "temp") != plan.temporary:
        return None
    query = query_of_view(sql)
    if query is None:
        return None
    try:
        before = columns_of(duck, f"SELECT * FROM {quoted(*meant[:3])} LIMIT 0")
        after = columns_of(duck, query)
    except DuckError:
        return None  # a view that fails may become any; what the new one lacks DuckDB says
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
    return meant, names[len(before) :]


def _called(kind: DuckType) -> str:
    """As Postgres calls a type, without its modifier."""
    found = BY_OID[wire_type(kind).oid]
    if found.element_oid:
        found = BY_OID[found.element_oid]
        return f"{LONG_NAMES.get(found.name, found.name)}[]"
    return LONG_NAMES.get(found.name, found.name)
