"""When what is in the catalog was made and altered: what statements say of that, for the mirror to keep.

Why it exists: DuckDB knows no times of its definitions, and a look at what there is does not tell whether a
table was made anew. So each definition's statement is an event with its time; the mirror is told them in
their order, with what it shows (`catalog/sql/1_moments.sql`).

Promises: an event goes the way of its definition - undone with its transaction, or with the part of it
behind a savepoint - and costs no look at DuckDB.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.mirror import Document
from proxy.engines.catalog_reading import mirrored_schema
from proxy.sql.definitions.materialized import name_of_query
from proxy.sql.definitions.touched import Touched


@dataclass(frozen=True, slots=True)
class Event:
    """what: as `Touched.event` has it, or 'renamed', 'swapped'. path: DuckDB's schemas in which it may be,
    the first one first. name: None for the schema itself. to: what it becomes; None as schema: where it is.
    """

    what: str
    path: tuple[str, ...]
    name: str | None
    at: datetime.datetime
    to: tuple[str | None, str] | None = None
    comment: str | None = None

    def document(self) -> Document:
        document: Document = {
            "kind": "moment",
            "event": self.what,
            "path": [mirrored_schema(schema) for schema in self.path],
            "schema": mirrored_schema(self.path[0]),
            "name": self.name or "",
            "at": self.at.isoformat(),
        }
        if self.to is not None:
            schema, name = self.to
            document |= {"to": name, "into": schema and mirrored_schema(schema)}
        if self.comment is not None:
            document |= {"comment": self.comment}
        return document


def events_of(touched: Iterable[Touched], path: Sequence[str]) -> list[Event]:
    """What statements that have just run say. path: DuckDB's schemas for names without one."""
    now = datetime.datetime.now(datetime.UTC)
    events = []
    for item in touched:
        if item.everything or item.index or item.types or item.rows or not item.event:
            continue
        where = (item.schema,) if item.schema is not None else tuple(path)
        where = tuple("main" if schema == "public" else schema for schema in where)
        name = item.name and (name_of_query(item.name) or item.name)
        if item.becomes is not None:
            what = "swapped" if item.swaps else "renamed"
            events.append(Event(what, where, name, now, item.becomes))
        else:
            events.append(Event(item.event, where, name, now, comment=item.schema_comment))
    return events
