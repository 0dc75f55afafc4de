"""INSERTs that Postgres takes and DuckDB does not, as DuckDB takes them.

Of fewer values than the table has columns: the last columns get their defaults. With ON CONFLICT DO
NOTHING into a table without a key: there is nothing to conflict with.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.changes.written_columns import path_of, target_of
from proxy.sql.definitions.identities import folded
from proxy.sql.reading import DUCKDB, write_duckdb


def target(sql: str) -> str | None:
    """The table of an INSERT of DuckDB's that names no columns, as SQL; None for anything else."""
    tree = _read(sql)
    return tree.this.sql(dialect="duckdb") if tree is not None else None


def with_columns(sql: str, names: Sequence[str]) -> str:
    """The INSERT, naming its columns."""
    tree = _read(sql)
    assert tree is not None
    columns = [exp.to_identifier(name, quoted=True) for name in names]
    tree.set("this", exp.Schema(this=tree.this, expressions=columns))
    return write_duckdb(tree)


def without_conflict(sql: str) -> str | None:
    """An INSERT of DuckDB's without its ON CONFLICT DO NOTHING; None for anything else."""
    tree = read_insert(sql)
    clause = tree.args.get("conflict") if tree is not None else None
    if tree is None or clause is None or clause.args.get("conflict_keys"):
        return None
    if clause.args.get("action") is None or clause.args["action"].name.upper() != "DO NOTHING":
        return None
    tree.set("conflict", None)
    return write_duckdb(tree)


def upserts(tree: exp.Insert) -> tuple[str, ...]:
    """The name of the table whose keys decide what becomes of rows in conflict; () for none."""
    clause, table = tree.args.get("conflict"), target_of(tree)
    return () if clause is None or table is None else path_of(table)


def several_rows(tree: exp.Insert) -> bool:
    """Whether it may add more than one row."""
    source = tree.expression
    return isinstance(source, exp.Query) or (
        isinstance(source, exp.Values) and len(source.expressions) > 1
    )


def conflict_constraint(sql: str) -> tuple[tuple[str, ...], str] | None:
    """The parts of the table's name and the constraint of ON CONFLICT ON CONSTRAINT; None without."""
    tree = read_insert(sql)
    clause = tree.args.get("conflict") if tree is not None else None
    named = clause.args.get("constraint") if clause is not None else None
    if tree is None or not isinstance(named, exp.Identifier):
        return None
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return tuple(part.name for part in table.parts), folded(named)


def with_conflict_columns(sql: str, columns: Sequence[str]) -> str:
    """The INSERT with the columns of that constraint in its place."""
    tree = read_insert(sql)
    assert tree is not None
    clause = tree.args["conflict"]
    clause.set("constraint", None)
    clause.set("conflict_keys", [exp.to_identifier(name, quoted=True) for name in columns])
    return write_duckdb(tree)


def _read(sql: str) -> exp.Insert | None:
    tree = read_insert(sql)
    return tree if tree is not None and isinstance(tree.this, exp.Table) else None


def read_insert(sql: str) -> exp.Insert | None:
    """DuckDB's INSERT; None for anything else."""
    try:
        tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
    except SqlError:
        return None
    return tree if isinstance(tree, exp.Insert) else None
