"""Statements that read from both engines, as SQL: what stands in for Postgres's relations.

Such a statement runs in DuckDB. Each relation of the control plane that it reads becomes a relation
of the session's own temporary schema, `temp."postgres:hd_runtime.tasks"`, which is there while the
statement runs and no longer (`proxy.federation` fills it). A view keeps that name in its text: for
another reader it is another relation, of what that reader may see.

Nothing is read or written here; what cannot run in both is refused by `proxy.sql.route`.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from proxy.sql.control_plane import CONTROL_SCHEMAS

Relation = tuple[str, str]
"""Schema and name, as Postgres has them."""

_PREFIX = "postgres:"

EXPLAIN, ANALYZE, AS_JSON = "EXPLAIN ", "EXPLAIN ANALYZE ", "(FORMAT JSON) "


def stand_in(relation: Relation) -> str:
    """The name of what stands for a relation, in the schema `temp.main`."""
    return f"{_PREFIX}{'.'.join(relation)}"


def stands_for(name: str) -> Relation | None:
    """The relation for which something of this name stands, if it does for one."""
    schema, dot, relation = name.removeprefix(_PREFIX).partition(".")
    there = name.startswith(_PREFIX) and dot and schema in CONTROL_SCHEMAS
    return (schema, relation) if there else None


def put_stand_ins(tables: Iterable[tuple[exp.Table, Relation]], nodes: Iterable[exp.Expr]) -> None:
    """Renames the control plane's relations in a tree whose nodes are `nodes`."""
    for table, relation in tables:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(relation[1], quoted=True)))
        table.set("this", exp.to_identifier(stand_in(relation), quoted=True))
        table.set("db", exp.to_identifier("main"))
        table.set("catalog", exp.to_identifier("temp"))
    for node in nodes:
        # `hd_runtime.tasks.id` is a column of what is called `tasks` now.
        if isinstance(node, exp.Column) and (schema := node.args.get("db")) is not None:
            name = schema.this if schema.args.get("quoted") else schema.this.lower()
            if name in CONTROL_SCHEMAS:
                node.set("db", None)
                node.set("catalog", None)


def without_explain(sql: str) -> tuple[str, str]:
    """EXPLAIN as the planner writes it (or ''), and the statement that it explains."""
    for opening in (ANALYZE, EXPLAIN):
        if sql.startswith(opening):
            rest = sql.removeprefix(opening)
            shape = AS_JSON if rest.startswith(AS_JSON) else ""
            return opening + shape, rest.removeprefix(shape)
    return "", sql
