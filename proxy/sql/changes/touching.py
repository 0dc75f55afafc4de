"""The rows that a statement of DuckDB's will change, set to what they are.

Why it exists: beside `engines.row_changes`: columns that are set to themselves meet whoever sets them otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from proxy.sql import inference
from proxy.sql.changes.conflicting import conflicting
from proxy.sql.reading import write_duckdb


def touching(sql: str, columns: Iterable[str], table: Sequence[str]) -> str | None:
    """An UPDATE that sets these columns to themselves; None for a statement of which there is none.

    table: all of the table's columns, in their order.
    """
    tree = inference.read(sql)
    write = _WRITERS.get(type(tree))
    found = None if write is None else write(tree, table)
    if found is None:
        return None
    target = found.this.alias_or_name
    for column in columns:
        name = exp.to_identifier(column, quoted=True)
        value = exp.column(name.copy(), table=exp.to_identifier(target, quoted=True))
        found.append("expressions", exp.EQ(this=exp.Column(this=name), expression=value))
    return write_duckdb(found)


def _updated(tree: exp.Update, _: Sequence[str]) -> exp.Update:
    tree.set("expressions", [])
    tree.set("returning", None)
    return tree


def _deleted(tree: exp.Delete, _: Sequence[str]) -> exp.Update:
    others = tree.args.get("using") or []
    source = exp.From(this=others[0]) if others else None
    for other in others[1:]:
        source.this.append("joins", exp.Join(this=other, kind="CROSS"))
    parts = {key: tree.args.get(key) for key in ("this", "where", "with_")}
    return exp.Update(**parts, from_=source)


def _merged(tree: exp.Merge, _: Sequence[str]) -> exp.Update | None:
    condition = tree.args.get("on")
    if condition is None:
        return None
    parts = {"this": tree.this, "with_": tree.args.get("with_")}
    return exp.Update(
        **parts, from_=exp.From(this=tree.args["using"]), where=exp.Where(this=condition)
    )


def _upserted(tree: exp.Insert, table: Sequence[str]) -> exp.Update | None:
    found = conflicting(tree, table)
    return None if found is None else _updated(found, table)


_WRITERS = {
    exp.Update: _updated,
    exp.Delete: _deleted,
    exp.Merge: _merged,
    exp.Insert: _upserted,
}
