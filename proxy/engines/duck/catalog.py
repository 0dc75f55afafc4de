"""What DuckDB's catalog holds, as documents for the mirror (`catalog.mirror.Document`).

Two ways to look: at everything, with one query for each kind of object, and at a few names, where
the way by DuckDB's own catalog functions is too long (they list everything, with its SQL, before a
WHERE is looked at: 0.1 s with 5,000 tables). For those, C functions say what a name is and
`pragma_table_info` what columns it has; constraints, comments and indexes are listed only when a
statement may have touched them (`deep`).

Blocks, all of it: for a worker's thread. Types become Postgres's by `wire.types`, as on the wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.mirror import Document, has_references
from proxy.engines.catalog_reading import (
    ASPECTS,
    Reading,
    State,
    double,
    mirrored_schema,
)
from proxy.engines.declared_functions import declared
from proxy.engines.definition_names import TEMPORARY
from proxy.engines.duck.names import DATABASE
from proxy.engines.duck.session import DuckSession
from proxy.sql.definitions.materialized import name_of_query
from proxy.wire.enumerations import labels_of, number_of


@dataclass(frozen=True, slots=True)
class Target:
    """A name that a statement may have changed, as the statement spells it.

    schema: DuckDB's. name: None for the schema itself. deep: its constraints, indexes or comments
    may have changed. kept: they have not; without either, it has none; with both, nobody knows of
    them, but a view's query is what it was. views: the columns of views
    on it may have changed. rows: how many it has is to be told. renamed: it was given this name. source: a view's query, as written; native: in
    Postgres's dialect. index: the name is
    an index's. indexed, commented: only its indexes or comments may have changed. constrained: it is new, and has
    constraints. comment: only this has changed (`sql.definitions.Touched`). types: the schema's types have.
    """

    schema: str
    name: str | None = None
    deep: bool = False
    kept: bool = False
    views: bool = False
    rows: bool = False
    renamed: str | None = None
    source: str | None = None
    native: bool = False
    index: bool = False
    indexed: bool = False
    commented: bool = False
    constrained: bool = False
    comment: tuple[str | None, str | None] | None = None
    types: bool = False


def everything(duck: DuckSession) -> tuple[list[Document], list[str]]:
    """All tables, views and sequences, and the names of all schemas. Raises `SqlError`."""
    schemas = [mirrored_schema(name) for name in duck.schemas().values()]
    documents = Reading(duck).documents(None)
    return documents, schemas


def types(duck: DuckSession, schemas: Iterable[str] | None = None) -> list[Document]:
    """The enumerated types of these of DuckDB's schemas, or of all. Raises `SqlError`."""
    found: dict[str, dict[str, Any]] = {
        schema: {} for schema in duck.schemas().values() if schemas is None or schema in schemas
    }
    for schema, name, values in duck.run(_TYPES):
        if schema in found:
            found[schema][name] = {"labels": labels_of(values), "number": number_of(values)}
    return [
        {"kind": "schema", "name": mirrored_schema(schema), "types": its}
        for schema, its in found.items()
    ]


def functions(duck: DuckSession, schemas: Iterable[str] | None = None) -> list[Document]:
    """The functions of Postgres's dialect of these of DuckDB's schemas, or of all. Raises `SqlError`."""
    found: dict[str, list[Document]] = {
        schema: [] for schema in duck.schemas().values() if schemas is None or schema in schemas
    }
    for schema, key in duck.run(_FUNCTIONS):
        if schema in found:
            ((kept,),) = duck.run(f'SELECT "{double(schema)}"."{double(key)}"()')
            name = key.removeprefix("function ")
            found[schema] += [declared(name, one) for one in json.loads(kept) if one.get("made")]
    return [
        {"kind": "functions", "name": mirrored_schema(schema), "functions": its}
        for schema, its in found.items()
    ]


def temporary(duck: DuckSession, names: Mapping[str, bool] | None) -> list[Document]:
    """What the session's own part of the mirror must be told of its temporary relations.

    names: of those to look at, and whether constraints, indexes or comments may have changed; None
    for all there are. In a transaction only: it reads what that transaction sees. Raises `SqlError`.
    """
    if names is None:
        found = (name for (name,) in duck.run(_ALL_TEMPORARY))
        names = {name: True for name in found if not name.startswith(_OWN_NAMES)}
    documents: list[Document] = []
    wanted: list[tuple[str, str, str, State]] = []
    for name, deep in names.items():
        entry = duck.entry("main", name, TEMPORARY)
        if entry is None:
            documents.append({"kind": "gone", "schema": "pg_temp", "name": name})
        else:
            state = State(entry.name, deep=ASPECTS if deep else frozenset())
            wanted.append(("main", entry.name, entry.kind, state))
    if wanted:
        documents += Reading(duck, TEMPORARY).documents(wanted)
    return documents


def rows(duck: DuckSession) -> list[Document]:
    """How many rows each table has, about."""
    return [
        {"kind": "rows", "schema": mirrored_schema(schema), "name": name, "rows": count}
        for schema, name, count in duck.run(_ROWS)
    ]


def positions(duck: DuckSession) -> list[Document]:
    """Where each sequence stands: the last number that it gave, or the first that it will give."""
    return [
        {
            "kind": "position",
            "schema": mirrored_schema(schema),
            "name": name,
            "last": int(last),
            "called": called in (True, "true"),
        }
        for schema, name, last, called in duck.run(_POSITIONS)
    ]


def changes(duck: DuckSession, targets: Iterable[Target]) -> list[Document]:
    """What the mirror must be told after statements that may have changed `targets`.

    In a transaction only: it reads what that transaction sees. Raises `SqlError`.
    """
    targets = list(targets)
    schemas = duck.schemas()
    documents: list[Document] = [
        {
            "kind": "schema",
            "name": mirrored_schema(schemas.get(t.schema.lower(), t.schema)),
            "gone": t.schema.lower() not in schemas,
        }
        for t in targets
        if t.name is None
    ]
    if changed := {schemas.get(t.schema.lower(), t.schema) for t in targets if t.types}:
        documents += types(duck, changed)
    documents += _indexes_gone(duck, [t for t in targets if t.index])
    states: dict[tuple[str, str], State] = {}
    for target in targets:
        if (
            target.name is None
            or target.index
            or (schema := schemas.get(target.schema.lower())) is None
        ):
            continue
        if target.renamed is not None:
            # Whatever became of both names since: relation by relation, the rest sets that right.
            rename = {"kind": "rename", "name": target.name, "new": target.renamed}
            documents.append(rename | {"schema": mirrored_schema(schema)})
        _note(states, schema, target)
    reading = Reading(duck)
    for schema, name in views_on(duck, targets):
        states.setdefault((schema, name.casefold()), State(name, kept=ASPECTS))
    _note_materialized(states)
    wanted: list[tuple[str, str, str, State]] = []
    comments: list[Document] = []
    for (schema, _), state in states.items():
        entry = duck.entry(schema, state.name)
        if entry is not None and state.said:
            comments += _said(schema, entry.name, state)
            if state.only_said:
                continue
        if entry is None:
            gone = {"kind": "gone", "schema": mirrored_schema(schema), "name": state.name}
            documents.append(gone)
        else:
            wanted.append((schema, entry.name, entry.kind, state))
    if wanted:
        documents += reading.documents(wanted)
    counted = {t.name.casefold() for t in targets if t.rows and t.name is not None}
    documents += [
        _counted(duck, schema, name)
        for schema, name, kind, _ in wanted
        if kind == "r" and name.casefold() in counted
    ]
    if changed:
        comments += functions(duck, changed)
    references = [d | {"kind": "references"} for d in documents if has_references(d)]
    return documents + references + comments


def _note(states: dict[tuple[str, str], State], schema: str, target: Target) -> None:
    assert target.name is not None
    key = (schema, target.name.casefold())
    before = states.get(key)
    if target.renamed is not None:
        moved = before or State(target.renamed, kept=ASPECTS)
        moved = replace(moved, name=target.renamed, only_said=False)
        left = State(target.name)
        if target.deep:
            moved = replace(moved, deep=ASPECTS, kept=frozenset(), said=())
            left = replace(left, deep=ASPECTS)
        states[key] = left
        states[schema, target.renamed.casefold()] = moved  # the same where only capitals differ
    elif target.deep:
        source = before.source if before is not None and target.kept else target.source
        native = before.native if before is not None and target.kept else target.native
        states[key] = State(target.name, deep=ASPECTS, source=source, native=native)
    elif target.comment is not None:
        before = before or State(target.name, kept=ASPECTS, only_said=True)
        states[key] = replace(before, said=(*before.said, target.comment))
    elif target.indexed or target.commented:
        before = before or State(target.name, kept=ASPECTS)
        aspect = {"indexes" if target.indexed else "comments"}
        deep, kept = before.deep | aspect, before.kept - aspect
        states[key] = replace(before, deep=deep, kept=kept, only_said=False)
    elif target.constrained:
        states[key] = State(target.name, deep=frozenset({"constraints"}))
    elif not target.kept:
        states[key] = State(target.name, source=target.source, native=target.native)
    elif before is None:
        states[key] = State(target.name, kept=ASPECTS)
    else:
        states[key] = replace(before, only_said=False)


def _note_materialized(states: dict[tuple[str, str], State]) -> None:
    """What was done to the view of a materialized view's query was done to the latter."""
    for (schema, key), state in list(states.items()):
        if (name := name_of_query(state.name)) is None:
            continue
        del states[schema, key]
        kept = states.get((schema, name.casefold()))
        source = state.source if state.source is not None or kept is None else kept.source
        native = state.native if state.source is not None or kept is None else kept.native
        states[schema, name.casefold()] = State(name, ASPECTS, source=source, native=native)


def _said(schema: str, name: str, state: State) -> list[Document]:
    """The comments that were made on a relation since the rest of it was looked at, in order."""
    if "comments" in state.deep:
        return []
    document = {"kind": "comment", "schema": mirrored_schema(schema), "name": name}
    return [document | {"column": column, "comment": text} for column, text in state.said]


def _indexes_gone(duck: DuckSession, targets: Sequence[Target]) -> list[Document]:
    """Those of `targets`, which name indexes, that are no more."""
    return [
        {"kind": "unindexed", "schema": mirrored_schema(target.schema), "name": target.name}
        for target in targets
        if not duck.has_index(target.schema, target.name or "")
    ]


def _counted(duck: DuckSession, schema: str, name: str) -> Document:
    ((count,),) = duck.run(f'SELECT count(*) FROM {DATABASE}."{double(schema)}"."{double(name)}"')
    return {"kind": "rows", "schema": mirrored_schema(schema), "name": name, "rows": count}


def views_on(duck: DuckSession, targets: Iterable[Target]) -> list[tuple[str, str]]:
    """Blocks. The views that `targets` may change: whose text has such a name, as (schema, name)."""
    names = [(target.name or "").lower() for target in targets if target.views]
    if not names:
        return []
    return [
        (schema, name)
        for schema, name, sql in duck.views()
        if any(wanted in sql.lower() for wanted in names)
    ]


_KEPT = f"database_name = '{DATABASE}'"
_OWN_NAMES = ("_hd_", "postgres:", "postgres ")  # of temporary relations that are not the client's
_ALL_TEMPORARY = (
    "SELECT table_name FROM duckdb_tables() WHERE temporary UNION ALL "
    "SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal UNION ALL "
    "SELECT sequence_name FROM duckdb_sequences() WHERE temporary"
)
_TYPES = (
    "SELECT schema_name, type_name, labels FROM duckdb_types() "
    f"WHERE logical_type = 'ENUM' AND {_KEPT} AND NOT internal"
)
_FUNCTIONS = (
    "SELECT DISTINCT schema_name, function_name FROM duckdb_functions() WHERE NOT internal "
    f"AND {_KEPT} AND starts_with(function_name, 'function ')"
)
_POSITIONS = f"""
SELECT schema_name, sequence_name,
       _sf.main.next_number_(sql) - CASE WHEN last_value IS NULL THEN 0 ELSE increment_by END,
       last_value IS NOT NULL
FROM duckdb_sequences() WHERE {_KEPT}
"""
_ROWS = f"SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE {_KEPT}"
