"""DuckDB's own catalog functions, asked in information_schema's words.

`duckdb_tables()` and its kin call a schema's name `schema_name`; clients written for HatiData's
endpoint ask them for `table_schema`. A statement that names that column gets it beside the
function's own, with the same value; every other statement is left as it is.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.listing import Listing, look_at

_FUNCTIONS = frozenset({"duckdb_tables", "duckdb_views", "duckdb_columns"})


_ASKED = "table_schema"
look_at((_ASKED,))


def name_schemas(nodes: Listing) -> bool:
    """Gives the functions a column table_schema where it is asked for; whether any was given.

    nodes: a whole statement's. Other relations may have a column of that name, so that the
    functions must be the only ones.
    """
    if not any(column.name.lower() == _ASKED for column in nodes.of(exp.Column)):
        return False
    tables = nodes.of(exp.Table)
    if not tables or not all(map(_is_asked, tables)):
        return False
    for table in tables:
        alias = table.args.get("alias")
        named = exp.TableAlias(this=exp.to_identifier(table.this.name.lower()))
        asked = exp.Table(this=table.this.copy())
        every = [exp.Star(), exp.alias_(exp.column("schema_name"), "table_schema")]
        query = exp.Select(expressions=every).from_(asked)
        table.replace(exp.Subquery(this=query, alias=alias.copy() if alias else named))
    return True


def _is_asked(table: exp.Table) -> bool:
    alias = table.args.get("alias")
    return (
        isinstance(table.this, exp.Anonymous)
        and table.this.name.lower() in _FUNCTIONS
        and not (alias and alias.args.get("columns"))
        and table.args.keys() - {"this", "alias"} <= {k for k, v in table.args.items() if not v}
    )
