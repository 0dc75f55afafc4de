"""From a location (`@stage/path`) to a directory and a prefix: whose it is, and what it is called.

All of it blocks, within the session's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from proxy.engines.duck.session import DuckSession
from proxy.errors import SqlError
from proxy.sql.quoting import literal
from proxy.sql.snowflake import file_formats
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.sql.snowflake.stage_actions import Format, Location, Value
from proxy.staging import catalog
from proxy.staging.directory import Staged, encoded, parts_of
from proxy.staging.service import StageService

_TABLE = """
SELECT t.database_name, t.schema_name, t.table_name FROM duckdb_tables() t
WHERE lower(t.table_name) = lower({name}) AND NOT t.internal
  AND t.database_name || '.' || t.schema_name = coalesce({place}, _sf.main.schema_of_(t.table_name))
"""


@dataclass(frozen=True, slots=True)
class Place:
    """directory: of the stage; prefix: the path in it; label: what its files' names begin with.

    format: what the stage says of its files.
    """

    directory: str
    prefix: str
    label: str
    format: Format


def table_of(duck: DuckSession, name: tuple[str, ...]) -> tuple[str, str, str]:
    """Database, schema and name of a table. Raises 42P01."""
    schema = catalog.engine_schema(name)
    place = "NULL"
    if schema is not None:
        place = literal(f"hatidata.{schema}")
    rows = duck.run(_TABLE.format(name=literal(name[-1]), place=place))
    if not rows:
        raise SqlError("42P01", f'relation "{".".join(name)}" does not exist')
    return rows[0][0], rows[0][1], rows[0][2]


def place_of(
    duck: DuckSession, service: StageService, location: Location, user: str, *, make: bool = False
) -> Place:
    """Where a location is. make: a table's stage may have to be made. Raises 42704, 42P01."""
    path = location.path
    parts_of(path.rstrip("/"))
    if location.kind == "user":
        return Place(encoded("user", user), path, "", Format())
    if location.kind == "table":
        database, schema, table = table_of(duck, location.name)
        kept = catalog.at(duck, catalog.TABLE_STAGE, (database, schema), table)
        if kept is None:
            document: dict[str, Any] = {"id": catalog.new_id(), "name": table}
            if make:
                place = (database, schema)
                catalog.put(duck, catalog.TABLE_STAGE, place, table, document)
                service.tables.add(table.lower())
            return Place(document["id"], path, "", Format())
        return Place(catalog.id_of(kept.document), path, "", Format())
    kept = catalog.find(duck, catalog.STAGE, location.name)
    if kept is None:
        raise catalog.absent(catalog.STAGE, location.name)
    label = location.name[-1].lower() + "/"
    return Place(catalog.id_of(kept.document), path, label, stage_format(kept.document))


def stage_format(document: dict[str, Any]) -> Format:
    """The file format in a stage's definition."""
    name = document.get("format_name")
    parts = tuple(map(str, name)) if isinstance(name, list) else ()
    return Format(parts, options_of(document))


def options_of(document: dict[str, Any]) -> dict[str, Value]:
    """The options in a definition."""
    given = document.get("format")
    return file_formats.from_documents(given) if isinstance(given, dict) else {}


def format_of(duck: DuckSession, *given: Format) -> FileFormat:
    """The first that says anything, CSV's defaults where none does. Raises 42704, 22023, 0A000."""
    for format_ in given:
        if format_.name:
            kept = catalog.find(duck, catalog.FORMAT, format_.name)
            if kept is None:
                raise catalog.absent(catalog.FORMAT, format_.name)
            return file_formats.resolve(options_of(kept.document))
        if format_.options:
            return file_formats.resolve(format_.options)
    return file_formats.resolve({})


def files_at(
    service: StageService, place: Place, pattern: str | None, files: tuple[str, ...] = ()
) -> list[Staged]:
    """The files of a place: those that are named, or all whose paths begin so and match.

    pattern: a regular expression over the whole path, as Snowflake takes it. Raises 58P01, 2201B.
    """
    if files:
        joined = place.prefix + ("/" if place.prefix and not place.prefix.endswith("/") else "")
        found = []
        for name in files:
            path = joined + name
            about = service.files.about(place.directory, path)
            if about is None:
                raise SqlError("58P01", f'there is no file "{path}" in the stage')
            found.append(about)
    else:
        found = service.files.listing(place.directory, place.prefix)
    if pattern is None:
        return found
    # RE2: no pattern of a client's takes longer than the names are long.
    names = [(staged.path, place.label + staged.path) for staged in found]
    flat = pa.array([name for pair in names for name in pair], pa.string())
    try:
        matches = pc.match_substring_regex(flat, f"^(?:{pattern})$").to_pylist()
    except pa.ArrowInvalid as error:
        raise SqlError("2201B", f'invalid regular expression "{pattern}"') from error
    return [staged for n, staged in enumerate(found) if matches[2 * n] or matches[2 * n + 1]]
