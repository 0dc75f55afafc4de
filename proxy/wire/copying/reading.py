"""Which reader a column has: one table, from DuckDB's name of its type."""

from __future__ import annotations

from proxy.errors import SqlError
from proxy.wire.copying import lists, moments, numbers, plain
from proxy.wire.copying.columns import ColumnReader
from proxy.wire.types import LISTS, DuckType


def column_reader(duck: DuckType, time_zone: str) -> ColumnReader:
    """The reader of a column of this type; time_zone: the session's.

    Raises SqlError 0A000 for a type whose values cannot be read faithfully.
    """
    if duck.id in LISTS:
        return lists.array(duck, lambda element: column_reader(element, time_zone))
    if duck.id in moments.READERS:
        return moments.READERS[duck.id](duck, time_zone)
    name = duck.alias if duck.is_document else duck.id
    build = numbers.READERS.get(name) or plain.READERS.get(name)
    if build is None:
        raise SqlError(
            "0A000",
            f"COPY FROM into a column of type {duck} is not supported",
            hint="Copy into a JSON column of another table and INSERT from there.",
        )
    return build(duck)
