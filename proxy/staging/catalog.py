"""Stages, file formats and what has been loaded, kept in DuckDB beside the tables.

Why macros: as procedures are (`proxy.functions.routines`), each is a macro without parameters whose value is its
definition, under a name that no function of a client's has: `stage s`, `file format f`, `loads t`,
`table stage t`. So they live in schemas, are found by the search path, come and go with transactions
and with their schema, survive a restart, and the temporary ones end with the session. The catalog's
mirror does not show them.

A client may make such a macro by hand: what is read is not believed. A stage's `id`, which names its
directory, counts only as 32 hexadecimal digits.

All of it blocks, within the session's transaction.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from proxy.engines.duck.session import DuckSession
from proxy.errors import SqlError
from proxy.sql.quoting import literal, quoted

STAGE, FORMAT = "STAGE", "FILE FORMAT"
LOADS, TABLE_STAGE = "LOADS", "TABLE STAGE"
_TEMPORARY = "temp"
_ID_DIGITS = frozenset("0123456789abcdef")
_ID_LENGTH = 32

_FOUND = """
SELECT database_name, schema_name, function_name
FROM duckdb_functions()
WHERE function_type = 'macro' AND NOT internal AND len(parameters) = 0
  AND database_name IN ('temp', current_database())
  AND {condition}
ORDER BY database_name <> 'temp', list_position(current_schemas(true), schema_name), schema_name,
         function_name
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """database, schema: where it is, as DuckDB has them. key: the macro's name."""

    database: str
    schema: str
    key: str
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return quoted(self.database, self.schema, self.key)

    @property
    def temporary(self) -> bool:
        return self.database == _TEMPORARY

    @property
    def name(self) -> str:
        return str(self.document.get("name", ""))

    @property
    def shown_schema(self) -> str:
        return "public" if self.schema == "main" else self.schema


def key_of(kind: str, name: str) -> str:
    return f"{kind.lower()} {name.lower()}"


def engine_schema(name: tuple[str, ...]) -> str | None:
    """The schema that a name says, as DuckDB calls it; None where it says none."""
    if len(name) > 3:
        raise SqlError("42601", f'improper name "{".".join(name)}"')
    if len(name) == 1:
        return None
    return "main" if name[-2].lower() == "public" else name[-2]


def find(duck: DuckSession, kind: str, name: tuple[str, ...]) -> Kept | None:
    """What a name means: a temporary one first, then by the search path."""
    schema = engine_schema(name)
    conditions = [f"lower(function_name) = {literal(key_of(kind, name[-1]))}"]
    if schema is None:
        conditions.append(
            "(database_name = 'temp' OR schema_name IN (SELECT unnest(current_schemas(true))))"
        )
    else:
        conditions.append(
            f"(database_name = 'temp' OR lower(schema_name) = lower({literal(schema)}))"
        )
    return next(iter(_read(duck, " AND ".join(conditions))), None)


def at(duck: DuckSession, kind: str, place: tuple[str, str], name: str) -> Kept | None:
    """What stands in one schema (database and schema, as DuckDB has them) alone."""
    condition = (
        f"lower(function_name) = {literal(key_of(kind, name))} AND database_name = {literal(place[0])} "
        f"AND schema_name = {literal(place[1])}"
    )
    return next(iter(_read(duck, condition)), None)


def every(duck: DuckSession, kind: str) -> list[Kept]:
    """All of a kind that the session can see."""
    return _read(duck, f"starts_with(function_name, {literal(kind.lower() + ' ')})")


def _read(duck: DuckSession, condition: str) -> list[Kept]:
    found: list[Kept] = []
    for database, schema, key in duck.run(_FOUND.format(condition=condition)):
        kept = Kept(database, schema, key)
        (value,) = duck.run(f"SELECT CAST({kept.place}() AS VARCHAR)")[0]
        document = _document(value)
        if document is not None:
            found.append(Kept(database, schema, key, document))
    return found


def _document(value: Any) -> dict[str, Any] | None:
    try:
        document = json.loads(value)
    except (TypeError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def place_for(duck: DuckSession, name: tuple[str, ...], temporary: bool) -> tuple[str, str]:
    """Where something new of this name goes. Raises 3F000."""
    if temporary:
        return _TEMPORARY, "main"
    schema = engine_schema(name)
    database, current = duck.run("SELECT current_database(), current_schema()")[0]
    if schema is None:
        return database, current
    condition = (
        f"database_name = {literal(database)} AND lower(schema_name) = lower({literal(schema)})"
    )
    rows = duck.run(f"SELECT schema_name FROM duckdb_schemas() WHERE {condition}")
    if not rows:
        raise SqlError("3F000", f'schema "{name[-2]}" does not exist')
    return database, rows[0][0]


def put(
    duck: DuckSession, kind: str, place: tuple[str, str], name: str, document: dict[str, Any]
) -> None:
    """Makes it, or puts it in the place of what is there."""
    kept = Kept(*place, key_of(kind, name))
    temporary = "TEMP " if kept.temporary else ""
    value = literal(json.dumps(document, separators=(",", ":")))
    duck.start_text(f"CREATE OR REPLACE {temporary}MACRO {kept.place}() AS {value}").finish()


def drop(duck: DuckSession, kept: Kept) -> None:
    duck.start_text(f"DROP MACRO {kept.place}").finish()


def new_id() -> str:
    return secrets.token_hex(_ID_LENGTH // 2)


def id_of(document: dict[str, Any]) -> str:
    """A stage's id. Raises 55000 for what none of ours can be."""
    found = document.get("id")
    if not isinstance(found, str) or len(found) != _ID_LENGTH or not _ID_DIGITS.issuperset(found):
        raise SqlError("55000", "the stage's definition is damaged")
    return found


def absent(kind: str, name: tuple[str, ...]) -> SqlError:
    return SqlError("42704", f'{kind.lower()} "{".".join(name)}" does not exist')
