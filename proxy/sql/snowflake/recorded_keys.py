"""PRIMARY KEY and UNIQUE as Snowflake has them: written down, not enforced.

Why it exists: Postgres's clients count on keys, so tables enforce them unless the session says
`SET hatidata.enforce_keys = off`. A table that is made then holds each key in a check that is always
true, as JSON, where SHOW PRIMARY KEYS and the catalog's mirror find it. NOT NULL holds in both.
"""

from __future__ import annotations

import json

from sqlglot import exp

from proxy.sql.snowflake.registry import text

_KIND = "key"
_KINDS = {
    exp.PrimaryKeyColumnConstraint: "PRIMARY KEY",
    exp.PrimaryKey: "PRIMARY KEY",
    exp.UniqueColumnConstraint: "UNIQUE",
}


def only_record(tree: exp.Create) -> None:
    """Put records in place of the keys of a CREATE TABLE."""
    schema = tree.this
    if not isinstance(schema, exp.Schema):
        return
    recorded: list[exp.Expr] = []
    needed: set[str] = set()
    kept: list[exp.Expr] = []
    for item in schema.expressions:
        if isinstance(item, exp.ColumnDef):
            for kind, name in _taken_out(item):
                recorded.append(_record(kind, name, [item.this]))
                needed.update([item.name.lower()] if kind == "PRIMARY KEY" else ())
        parts = item.expressions if isinstance(item, exp.Constraint) else [item]
        found = [part for part in parts if type(part) in _KINDS]
        for part in found:
            named = part.this if isinstance(part, exp.UniqueColumnConstraint) else part
            columns = [_identifier(column) for column in named.expressions]
            name = item.name if isinstance(item, exp.Constraint) else ""
            recorded.append(_record(_KINDS[type(part)], name, columns))
            if isinstance(part, exp.PrimaryKey):
                needed.update(column.name.lower() for column in columns)
        if not found:
            kept.append(item)
    for item in kept:
        if isinstance(item, exp.ColumnDef) and item.name.lower() in needed:
            not_null = exp.ColumnConstraint(kind=exp.NotNullColumnConstraint())
            item.append("constraints", not_null)
    schema.set("expressions", [*kept, *recorded])


def _taken_out(column: exp.ColumnDef) -> list[tuple[str, str]]:
    """The keys that a column's definition names, as (kind, name); they are gone from it."""
    constraints = column.args.get("constraints") or []
    kinds = [_KINDS.get(type(constraint.args.get("kind"))) for constraint in constraints]
    found = [(k, c.name) for c, k in zip(constraints, kinds, strict=True) if k is not None]
    if found:
        left = [c for c, k in zip(constraints, kinds, strict=True) if k is None]
        column.set("constraints", left)
    return found


def _identifier(column: exp.Expr) -> exp.Expr:
    return column.find(exp.Identifier) or column


def _record(kind: str, name: str, columns: list[exp.Expr]) -> exp.Expr:
    names = [c.name if c.args.get("quoted") else c.name.lower() for c in columns]
    kept = {_KIND: kind, "name": name.lower(), "columns": names}
    said = exp.Is(this=text(json.dumps(kept)), expression=exp.Null())
    return exp.CheckColumnConstraint(this=exp.Not(this=said))
