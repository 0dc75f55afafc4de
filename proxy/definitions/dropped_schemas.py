"""DROP SCHEMA in Postgres's dialect: refused while there is something in it, or told what went along.

Why it exists: DuckDB counts other things than Postgres does among what is in the way, and says nothing of what
CASCADE drops. Views in other schemas, which read what is gone, would stay.

Promises: what a table has of its own (the sequences that number it) goes with it and is not told of. Blocks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from proxy.definitions.altered_tables import Altering
from proxy.definitions.dependents import Look, View, depends, described, refusal
from proxy.definitions.enumerated import types_in, without_types_in
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.duck.texts import called_sequence, is_own
from proxy.sql.definitions.materialized import name_of_query
from proxy.sql.quoting import literal, name_as_needed

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession

_SCHEMA = f"""
SELECT schema_name FROM duckdb_schemas()
WHERE database_name = '{DATABASE}' AND lower(schema_name) = lower({{name}})
"""
_CONTENTS = f"""
SELECT kind, name FROM (
    SELECT 'r' AS kind, table_name AS name, table_oid AS oid FROM duckdb_tables()
    WHERE database_name = '{DATABASE}' AND schema_name = {{schema}}
    UNION ALL SELECT 'v', view_name, view_oid FROM duckdb_views()
    WHERE database_name = '{DATABASE}' AND schema_name = {{schema}} AND NOT internal
    UNION ALL SELECT 'S', sequence_name, sequence_oid FROM duckdb_sequences()
    WHERE database_name = '{DATABASE}' AND schema_name = {{schema}})
ORDER BY oid
"""
_DEFAULTS = f"""
SELECT table_name, column_name, column_default FROM duckdb_columns()
WHERE database_name = '{DATABASE}' AND schema_name = {{schema}} AND starts_with(column_default, 'nextval(')
"""


def schema_dropped(duck: DuckSession, name: str, sql: str, *, cascades: bool) -> Altering | None:
    """What drops a schema with what depends on it; None where its own statement will do.

    Raises SqlError 2BP01 for one that is not empty, unless it cascades.
    """
    found = duck.run(_SCHEMA.format(name=literal(name)))
    if not found:
        return None
    ((schema,),) = found
    place = literal(schema)
    own = own_sequences(duck, schema)
    contents = [
        Meant(DATABASE, schema, one, kind)
        for kind, one in duck.run(_CONTENTS.format(schema=place))
        if (kind != "S" or one not in own) and (kind != "v" or name_of_query(one) is None)
    ]
    types = types_in(duck, schema)
    if not contents and not types:
        return None
    look = Look(duck)
    views: dict[Meant, View] = {}
    for one in contents:
        if one.kind != "S":
            views |= {view.view: view for view in look.over(one)}
    elsewhere = [view for view in views.values() if view.view.schema != schema]
    if not cascades:
        what = f"schema {name_as_needed(schema)}"
        lines = [f"{described(duck, one)} depends on {what}" for one in contents]
        lines += [f"{one} depends on {what}" for one in types]
        lines += [depends(duck, one) for one in elsewhere]
        raise refusal(what, lines)
    gone = (*(described(duck, one) for one in contents), *types)
    dropped = Altering([sql], gone=gone).with_views(duck, elsewhere)
    return without_types_in(duck, schema, dropped) if types else dropped


def own_sequences(duck: DuckSession, schema: str) -> set[str]:
    """Blocks. The sequences of a schema that number columns, and were made for them."""
    own = set()
    for table, column, default in duck.run(_DEFAULTS.format(schema=literal(schema))):
        sequence = called_sequence(default)
        if sequence is not None and is_own(
            sequence[-1], table, column, partial(duck.counting_defaults, DATABASE, schema)
        ):
            own.add(sequence[-1])
    return own
