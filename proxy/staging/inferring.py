"""INFER_SCHEMA and CREATE TABLE ... USING TEMPLATE: a table's columns from the files it will hold.

A column's type is the narrowest that holds all its values, of all the files; all records are looked at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.errors import SqlError
from proxy.sql.quoting import quoted
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.staging import filling, places
from proxy.staging.directory import Staged
from proxy.wire.types import DuckType

if TYPE_CHECKING:
    from proxy.session.compound import Answer
    from proxy.staging.statements import Stages

SCHEMA = (
    *(("column_name", "VARCHAR"), ("type", "VARCHAR"), ("nullable", "BOOLEAN")),
    *(("expression", "VARCHAR"), ("filenames", "VARCHAR"), ("order_id", "BIGINT")),
)

_OF_PARQUET = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "NUMBER(38, 0)"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), "NUMBER(38, 0)"),
    "DOUBLE": "REAL",
    "FLOAT": "REAL",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP_NTZ",
    "TIMESTAMP_TZ": "TIMESTAMP_LTZ",
    "BLOB": "BINARY",
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMP_NTZ"),
    "LIST": "ARRAY",
    "ARRAY": "ARRAY",
    "STRUCT": "OBJECT",
    "MAP": "OBJECT",
}
_OF_JSON = {
    **dict.fromkeys(("BIGINT", "UBIGINT", "HUGEINT"), "NUMBER(38, 0)"),
    "DOUBLE": "REAL",
    "BOOLEAN": "BOOLEAN",
    "ARRAY": "ARRAY",
    "OBJECT": "OBJECT",
}


class _Found(NamedTuple):
    """A column of one file."""

    name: str
    type: str
    nullable: bool
    file: str


async def infer(
    stages: Stages, table: act.StageTable, place: places.Place, format_: FileFormat
) -> list[tuple[Any, ...]]:
    """The rows of INFER_SCHEMA. Raises 58P01 where there is no file."""
    files = await stages.apart(places.files_at, stages.service, place, table.pattern, table.files)
    if not files:
        raise SqlError("58P01", "there is no file to infer a schema from")
    found: list[_Found] = []
    for staged in files:
        read = _of_parquet if format_.type == "PARQUET" else _of_texts
        found += await stages.on_duck(read, stages, place, format_, staged)
    if table.ignore_case:
        found = [one._replace(name=one.name.upper()) for one in found]
    rows: list[tuple[Any, ...]] = []
    for order, name in enumerate(dict.fromkeys(one.name for one in found)):
        same = [one for one in found if one.name == name]
        types = {one.type for one in same if one.type}
        kind = types.pop() if len(types) == 1 else _wider(types)
        nullable = any(one.nullable for one in same) or len(same) < len(files)
        value = f"${order + 1}" if format_.type == "CSV" else f"$1:{name}"
        listed = ", ".join(one.file for one in same)
        rows.append((name, kind, nullable, f"{value}::{kind}", listed, order))
    return rows


def _wider(types: set[str]) -> str:
    """What holds the values of several types."""
    numbers = [_number(kind) for kind in types if kind.startswith("NUMBER")]
    if types and len(numbers) == len(types):
        scale = max(scale for _, scale in numbers)
        whole = max(width - scale for width, scale in numbers)
        return f"NUMBER({min(whole + scale, 38)}, {scale})"
    if types and all(kind.startswith("NUMBER") or kind == "REAL" for kind in types):
        return "REAL"
    return "TEXT"


def _number(kind: str) -> tuple[int, int]:
    width, scale = kind.removeprefix("NUMBER(").removesuffix(")").split(", ")
    return int(width), int(scale)


def _of_parquet(
    stages: Stages, place: places.Place, format_: FileFormat, staged: Staged
) -> list[_Found]:
    """Blocks."""
    service = stages.service
    with service.files.read(place.directory, staged.path) as file:
        columns = service.parquet.columns(file, staged.path, format_["BINARY_AS_TEXT"])
    return [_Found(name, _parquet_type(kind), True, staged.path) for name, kind in columns]


def _parquet_type(kind: DuckType) -> str:
    if kind.id == "DECIMAL":
        return f"NUMBER({kind.width}, {kind.scale})"
    return _OF_PARQUET.get(kind.id, "TEXT")


def _of_texts(
    stages: Stages, place: places.Place, format_: FileFormat, staged: Staged
) -> list[_Found]:
    """Blocks. Of a CSV or JSON file, by looking at every value."""
    duck, service = stages.session.duck, stages.service
    raw = stages.querying.new_name("_hd_raw_")
    width = 1
    if format_.type == "CSV":
        with service.files.read(place.directory, staged.path) as file:
            width = filling.widest(file, staged.path, format_)
    filling.make(duck, raw, width)
    into = filling.Filling(duck, raw, width, service.parquet)
    try:
        with service.files.read(place.directory, staged.path) as file:
            into.add(file, staged.path, 0, format_, stages.check)
        into.refuse_wrong(staged.path)
    finally:
        into.close()
    try:
        if format_.type == "JSON":
            return _members(duck.run(_JSON_MEMBERS.format(raw=raw)), staged.path)
        names = into.header or [f"c{n}" for n in range(1, width + 1)]
        cells = ", ".join(_TYPE_OF.format(c=f"c{n}") for n in range(1, len(names) + 1))
        found = duck.run(f"SELECT {cells} FROM {raw}")[0]
    finally:
        stages.querying.drop_now([f"TABLE {raw}"])
    return [
        _Found(name, found[2 * n] or "TEXT", bool(found[2 * n + 1]), staged.path)
        for n, name in enumerate(names)
    ]


# The first type that every value has; digits before and after the point make a NUMBER's.
_TYPE_OF = """
CASE
  WHEN count({c}) = 0 THEN 'TEXT'
  WHEN bool_and(regexp_full_match(trim({c}), '[+-]?[0-9]+([.][0-9]+)?')) FILTER ({c} IS NOT NULL)
   AND max(length(replace(ltrim(trim({c}), '+-'), '.', ''))) <= 38
  THEN 'NUMBER(' || least(38, max(length(split_part(ltrim(trim({c}), '+-'), '.', 1)))
       + max(length(split_part({c}, '.', 2)))) || ', ' || max(length(split_part({c}, '.', 2))) || ')'
  WHEN bool_and(TRY_CAST({c} AS DOUBLE) IS NOT NULL AND NOT contains({c}, '_'))
       FILTER ({c} IS NOT NULL) THEN 'REAL'
  WHEN bool_and(lower({c}) IN ('true', 'false')) FILTER ({c} IS NOT NULL) THEN 'BOOLEAN'
  WHEN bool_and(regexp_full_match({c}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')
       AND TRY_CAST({c} AS DATE) IS NOT NULL) FILTER ({c} IS NOT NULL) THEN 'DATE'
  WHEN bool_and(regexp_full_match({c}, '[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}([.][0-9]+)?')
       AND TRY_CAST({c} AS TIME) IS NOT NULL) FILTER ({c} IS NOT NULL) THEN 'TIME'
  WHEN bool_and(regexp_full_match({c}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}([.][0-9]+)?)?')
       AND TRY_CAST({c} AS TIMESTAMP) IS NOT NULL) FILTER ({c} IS NOT NULL) THEN 'TIMESTAMP_NTZ'
  ELSE 'TEXT'
END, count({c}) < count(*)"""

_JSON_MEMBERS = """
SELECT j.key, list(DISTINCT j.type) AS types, count(*) FILTER (j.type <> 'NULL') AS there,
       (SELECT count(*) FROM {raw}) AS of_
FROM {raw} AS r, json_each(r.c1) AS j GROUP BY j.key ORDER BY min(r.n), min(j.id)
"""


def _members(rows: list[tuple[Any, ...]], file: str) -> list[_Found]:
    found: list[_Found] = []
    for key, types, there, of in rows:
        kinds = {_OF_JSON.get(kind, "TEXT") for kind in types if kind != "NULL"}
        kind = kinds.pop() if len(kinds) == 1 else _wider(kinds)
        found.append(_Found(key, kind, there < of, file))
    return found


async def template(stages: Stages, action: act.Template) -> Answer:
    """CREATE TABLE of the columns that the query's array of objects describes."""
    text = await _array(stages, action.query)
    try:
        columns = [{k.lower(): v for k, v in one.items()} for one in json.loads(text or "")]
        listed = [
            f"{quoted(str(one['column_name']))} {_type(one['type'])}"
            + ("" if one.get("nullable", True) else " NOT NULL")
            for one in columns
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SqlError(
            "22023",
            "the template is no array of objects with COLUMN_NAME and TYPE",
            hint="SELECT ARRAY_AGG(OBJECT_CONSTRUCT(*)) FROM TABLE(INFER_SCHEMA(...)) makes one.",
        ) from None
    if not listed:
        raise SqlError("22023", "the template has no columns")
    return await stages.compound.answer(
        stages.compound.plan(f"{action.head} ({', '.join(listed)})")
    )


async def _array(stages: Stages, query: str) -> str | None:
    """The template's query's only value, as text."""
    plan = stages.compound.plan(query)
    if isinstance(plan.action, act.StageQuery):
        plan = stages.compound.plan(await stages.querying.read(plan.action))
    stages.session.admit(plan)
    if plan.kind != "SELECT" or plan.action is not None or not plan.sql:
        raise SqlError("0A000", "USING TEMPLATE of this kind of query is not supported")
    stages.session.context.refresh(plan.needs)
    rows = await stages.on_duck(
        stages.session.duck.run, f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({plan.sql}) LIMIT 2"
    )
    if len(rows) != 1 or len(rows[0]) != 1:
        raise SqlError("22023", "the template's query must give one value")
    return rows[0][0]


def _type(said: str) -> str:
    """A type's name, taken apart, so that nothing else comes in with it. Raises ValueError."""
    name, bracket, rest = said.partition("(")
    digits = rest.removesuffix(")").replace(",", "").replace(" ", "")
    if not name.strip().replace("_", "").isalnum() or (bracket and not digits.isdigit()):
        raise ValueError(said)
    return said
