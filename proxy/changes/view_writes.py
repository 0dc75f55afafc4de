"""Statements that write a view: found out when DuckDB has refused them, and put on the table that it shows.

Why it exists: which table a view shows, and which of its columns, hangs on what there is. `proxy.sql.changes.view_writes`
makes the statement over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from proxy.engines.duck.names import DATABASE, Meant
from proxy.errors import SqlError
from proxy.session.parameter_types import relation_columns
from proxy.sql import inference
from proxy.sql.changes.view_writes import (
    Shown,
    not_updatable,
    outputs_of,
    refused,
    shown_rows,
    source_of,
    written_through,
)
from proxy.sql.changes.written_columns import path_of
from proxy.sql.definitions.view_reads import query_of_view
from proxy.sql.parameters import parameter_places, renumber_parameters
from proxy.sql.reading import write_duckdb

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.sql.statement import Statement

_TEXT = "SELECT sql FROM duckdb_views() WHERE database_name = $1 AND schema_name = $2 AND view_name = $3"
_VERBS = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}


def on_its_table(duck: DuckSession, plan: Statement) -> Statement | None:
    """Blocks. The plan of the same on the view's table; None where it writes no view.

    Raises SqlError 55000, 0A000 for a view that cannot be written.
    """
    tree = inference.read(plan.sql)
    if not isinstance(tree, (exp.Insert, exp.Update, exp.Delete)):
        return None
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    meant = duck.means(path_of(target)) if isinstance(target, exp.Table) else None
    if meant is None or meant.kind != "v":
        return None
    texts: dict[tuple[str, ...], str] = {}
    shown = _shown(duck, meant, _VERBS[type(tree)], meant.name, texts)
    changes, rows = written_through(tree, shown)
    if rows is not None:
        asked = write_duckdb(rows)
        numbers = sorted({n for n, _ in parameter_places(asked)})
        duck.prepare(renumber_parameters(asked, numbers)).close()
    path = shown.table
    flags = {
        "updates": path if isinstance(tree, exp.Update) else (),
        "deletes": path if isinstance(tree, exp.Delete) else (),
        "inserts": path if plan.inserts else (),
        "through": tuple(texts.items()),
    }
    return replace(
        plan, sql=write_duckdb(tree), changes=changes, typed=True, typed_over=(), **flags
    )


def still_so(duck: DuckSession, plan: Statement) -> bool:
    """Blocks. Whether the views by which it writes are what they were."""
    return all(duck.listed(_TEXT, *path) == [(text,)] for path, text in plan.through)


def check(duck: DuckSession, plan: Statement) -> None:
    """Blocks. Raises SqlError 40001 where they are not."""
    if not still_so(duck, plan):
        message = "could not write through a view: another transaction has changed it"
        raise SqlError("40001", message, hint="Retry the transaction.")


def _shown(
    duck: DuckSession, meant: Meant, verb: str, view: str, texts: dict[tuple[str, ...], str]
) -> Shown:
    """texts: gets those of the views."""
    if meant.database != DATABASE:
        raise SqlError("0A000", f'{verb} of temporary view "{view}" is not supported')
    ((text,),) = duck.listed(_TEXT, *meant[:3])
    texts[meant[:3]] = text
    written = query_of_view(text)
    query = inference.read(written) if written is not None else None
    if (reason := not_updatable(query)) or not isinstance(query, exp.Select):
        raise refused(verb, view, reason)
    path = path_of(source_of(query))
    below = duck.means((meant.schema, *path)) if len(path) == 1 else None
    below = below or duck.means(path)
    if below is None or below.kind not in ("r", "v") or below.database != DATABASE:
        raise refused(verb, view, "Views that do not select from a single table or view")
    inner = _shown(duck, below, verb, view, texts) if below.kind == "v" else None
    columns = (
        list(inner.columns) if inner else [n for n, _ in relation_columns(duck, below[:3]) or []]
    )
    kinds = {name: str(kind) for name, kind in relation_columns(duck, meant[:3]) or []}
    names = list(kinds)
    stored = outputs_of(query, columns)
    if len(stored) != len(names):
        raise SqlError(
            "0A000",
            f'{verb} of view "{view}", whose table has other columns by now, is not supported',
        )
    if inner is not None:
        stored = [inner.columns[name] if name else None for name in stored]
    if not any(stored) and verb != "DELETE":
        raise refused(verb, view, "Views that have no updatable columns")
    table = inner.table if inner else below[1:3]
    return Shown(
        view, table, dict(zip(names, stored, strict=True)), kinds, shown_rows(query, inner)
    )
