"""Whose INFORMATION_SCHEMA a question is about: Snowflake's or Postgres's.

Both exist, under one name, with different columns and different words for types. In Snowflake's
dialect a statement reads Snowflake's if it

1. names a view that only Snowflake has (DATABASES, FUNCTIONS), or
2. names a column that only Snowflake's views have (ROW_COUNT, CREATED, COMMENT...), or
3. writes schema and view in capitals, as Snowflake's documents do (INFORMATION_SCHEMA.TABLES), or
4. puts the database before it without quotes (db.information_schema.tables), or
5. joins one with tables of the engine's, or uses what only Snowflake's SQL has (QUALIFY),

and names nothing of Postgres's own besides: no pg_catalog, no regclass, no other view of
information_schema. All else goes to Postgres as it is: what drivers, ORMs and dbt ask in lower case.
In the other dialects everything does.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql import control_plane

VIEWS: dict[str, frozenset[str]] = {
    "applicable_roles": frozenset({"role_owner"}),
    "columns": frozenset({"comment", "schema_evolution_record", "identity_ordered"}),
    "databases": frozenset(),
    "enabled_roles": frozenset({"role_owner"}),
    "functions": frozenset(),
    "procedures": frozenset(),
    "stages": frozenset(),
    "file_formats": frozenset(),
    "object_privileges": frozenset(),
    "table_privileges": frozenset({"granted_to", "created"}),
    "usage_privileges": frozenset({"granted_to", "created"}),
    "key_column_usage": frozenset(),
    "referential_constraints": frozenset({"comment", "created", "last_altered"}),
    "schemata": frozenset(
        {
            "is_transient",
            "is_managed_access",
            "retention_time",
            "created",
            "last_altered",
            "comment",
        }
    ),
    "sequences": frozenset(
        {"sequence_owner", "next_value", "created", "last_altered", "ordered", "comment"}
    ),
    "table_constraints": frozenset({"comment", "created", "last_altered", "rely"}),
    "tables": frozenset(
        {
            *("table_owner", "is_transient", "clustering_key", "row_count", "bytes"),
            *("retention_time", "created", "last_altered", "last_ddl", "last_ddl_by"),
            *("auto_clustering_on", "comment", "is_temporary", "is_iceberg", "is_dynamic"),
            *("is_immutable", "is_hybrid"),
        }
    ),
    "views": frozenset(
        {"table_owner", "is_secure", "created", "last_altered", "last_ddl", "comment"}
    ),
}
"""Snowflake's views that there are here -> their columns that Postgres's view does not have."""

_OWNED = ("table", "schema", "database", "sequence", "function", "procedure")
_ONLY_SNOWFLAKES = frozenset(
    {"databases", "functions", "procedures", "stages", "file_formats", "object_privileges"}
)


def is_snowflakes(tables: list[exp.Table], nodes: list[exp.Expr]) -> bool:
    """tables: those of `nodes`, a whole statement's, that are in information_schema."""
    names = {table.name.lower() for table in tables}
    if not names <= VIEWS.keys():
        return False
    others = [
        node for node in nodes if isinstance(node, exp.Table) and node.name and node not in tables
    ]
    if any(_is_postgres(table) for table in others) or any(map(_asks_postgres, nodes)):
        return False
    if names & _ONLY_SNOWFLAKES or any(map(_in_snowflakes_hand, tables)):
        return True
    own = frozenset().union(*(VIEWS[name] for name in names))
    bound = {node.alias.lower() for node in nodes if isinstance(node, exp.CTE)}
    return (
        any(isinstance(node, exp.Column) and node.name.lower() in own for node in nodes)
        or any(isinstance(node, exp.Qualify) for node in nodes)
        or any(table.name.lower() not in bound for table in others)
    )


def _in_snowflakes_hand(table: exp.Table) -> bool:
    catalog, schema, name = table.args.get("catalog"), table.args["db"], table.this
    if isinstance(catalog, exp.Identifier) and not catalog.args.get("quoted"):
        return True
    written = f"{schema.this}{name.name}"
    return written.isupper()


def _is_postgres(table: exp.Table) -> bool:
    schema = table.args.get("db")
    if schema is not None:
        return schema.name.lower() in control_plane.CONTROL_SCHEMAS
    return table.name.lower() in control_plane.SYSTEM_RELATIONS


def _asks_postgres(node: exp.Expr) -> bool:
    if isinstance(node, exp.ObjectIdentifier):
        return True
    if not isinstance(node, exp.Anonymous) or not isinstance(node.this, str):
        return False
    return control_plane.is_system_function(node.this.lower())


def use_snowflakes(tables: list[exp.Table], nodes: list[exp.Expr]) -> set[str]:
    """Puts the engine's views in the places of Snowflake's; what of the session they need."""
    names = {table.name.lower() for table in tables}
    for table in tables:
        name = table.name.lower()
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.Identifier(this=name, quoted=False)))
        table.set("this", exp.Identifier(this=f"information_schema_{name}", quoted=False))
        table.set("db", exp.Identifier(this="main", quoted=False))
        table.set("catalog", exp.Identifier(this="_sf", quoted=False))
        table.meta["own"] = True
    for node in nodes:
        schema = node.args.get("db") if isinstance(node, exp.Column) else None
        if schema is not None and schema.name.lower() == "information_schema":
            node.set("db", None)
            node.set("catalog", None)
    rights = {"rights"} if names & _RIGHTS else set()
    return (
        {"database"}
        | rights
        | {
            need
            for need, (views, columns) in _DEAR.items()
            if not names.isdisjoint(views) and _reads(nodes, columns)
        }
    )


_RIGHTS = frozenset(
    {
        "applicable_roles",
        "enabled_roles",
        "object_privileges",
        "table_privileges",
        "usage_privileges",
    }
)
_TIMES = frozenset({"created", "last_altered", "last_ddl"})
_KNOWN = _TIMES | {"comment"} | {f"{of}_owner" for of in _OWNED}
_DEAR = {
    "rows": (frozenset({"tables"}), frozenset({"row_count"})),
    "bytes": (frozenset({"tables"}), frozenset({"bytes"})),
    "told": (frozenset({"tables", "views", "sequences"}), _KNOWN),
    "places": (frozenset({"schemata", "databases", "functions", "procedures"}), _KNOWN),
    "texts": (frozenset({"views"}), frozenset({"view_definition"})),
}
"""What costs a look into every table, or a question to Postgres: which columns of which views need it."""


def _reads(nodes: list[exp.Expr], columns: frozenset[str]) -> bool:
    return any(
        isinstance(node, exp.Star)
        or (isinstance(node, exp.Column) and node.name.lower() in columns)
        for node in nodes
    )
