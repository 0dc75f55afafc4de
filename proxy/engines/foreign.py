"""Postgres's relations as DuckDB is to see them: their columns, their types, and how to ask for rows.

A value must mean in DuckDB what it means on the wire of a relayed statement. Types that both
engines have keep theirs; json is JSON and jsonb JSONB; what DuckDB lacks (enums, inet, regclass,
ranges, vectors...) is the text that Postgres writes for it. A numeric without precision is
DECIMAL(38, 18), and a value of more digits is an error: nothing is rounded.

All rows that a statement needs are asked for in one statement, and so come from one snapshot.
Everything here is text and values; who runs it is `proxy.session.federation`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxy.errors import SqlError
from proxy.sql.federated import Relation
from proxy.sql.quoting import escaped_literal, quoted
from proxy.wire.types import DuckType


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a relation.

    duck: its type in DuckDB; sql_type: DuckDB's name of that. sent: the expression that Postgres
    gives it by, and own: the column itself, quoted; null: a NULL of the same type as `sent`.
    family: how its values may be compared in Postgres with DuckDB's outcome ('' if not at all).
    """

    name: str
    duck: DuckType
    sql_type: str
    sent: str
    own: str
    null: str
    family: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A relation of Postgres's with its columns."""

    relation: Relation
    columns: tuple[Column, ...]


@dataclass(slots=True)
class Wanted:
    """What a statement reads of a relation: columns by number, and conditions that all rows meet.

    conditions: Postgres's SQL; one of them holds for every row that is needed, none given: all are.
    """

    columns: set[int] = field(default_factory=set)
    conditions: list[str] | None = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kind:
    duck: str
    sql: str
    family: str = ""
    sent: str = "{}"


_TEXT = _Kind("VARCHAR", "VARCHAR", "text")
_AS_TEXT = _Kind("VARCHAR", "VARCHAR", "text", "{}::pg_catalog.text")

_Documents = Mapping[str, _Kind]

_JSON = _Kind("VARCHAR", "JSON")
_DOCUMENTS: _Documents = {"json": _JSON, "jsonb": _Kind("VARCHAR", "JSONB")}
_VARIANTS: _Documents = {
    "json": _JSON,
    "jsonb": _Kind("VARCHAR", "JSON", "", "{}::pg_catalog.text"),
}

# Names of pg_catalog; any other type is text.
_KINDS: dict[str, _Kind] = {
    "bool": _Kind("BOOLEAN", "BOOLEAN", "boolean"),
    "int2": _Kind("SMALLINT", "SMALLINT", "integer"),
    "int4": _Kind("INTEGER", "INTEGER", "integer"),
    "int8": _Kind("BIGINT", "BIGINT", "integer"),
    "oid": _Kind("BIGINT", "BIGINT", "integer", "{}::pg_catalog.int8"),
    "float4": _Kind("FLOAT", "FLOAT"),
    "float8": _Kind("DOUBLE", "DOUBLE", "float"),
    "text": _TEXT,
    "varchar": _TEXT,
    "bpchar": _Kind("VARCHAR", "VARCHAR"),  # whose blanks Postgres does not compare
    "bytea": _Kind("BLOB", "BLOB"),
    "uuid": _Kind("UUID", "UUID", "uuid"),
    "date": _Kind("DATE", "DATE", "date"),
    "time": _Kind("TIME", "TIME"),
    "timetz": _Kind("TIME_TZ", "TIME WITH TIME ZONE"),
    "timestamp": _Kind("TIMESTAMP", "TIMESTAMP", "timestamp"),
    "timestamptz": _Kind("TIMESTAMP_TZ", "TIMESTAMP WITH TIME ZONE", "timestamptz"),
    "interval": _Kind("INTERVAL", "INTERVAL"),
}
_AS_ELEMENT = frozenset(_KINDS) - {"oid", "bpchar"}
_MOST_DIGITS, _DIGITS_BEHIND = 38, 18

_COLUMNS = """\
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
           r.n - 1, a.attname, {own}, coalesce({element}, ''),
           CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END,
           pg_catalog.format_type(a.atttypid, NULL)) ORDER BY r.n, a.attnum), '[]')::pg_catalog.text
  FROM ROWS FROM (pg_catalog.unnest(ARRAY[{relations}])) WITH ORDINALITY AS r (oid, n)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
  LEFT JOIN pg_catalog.pg_type e ON e.typarray = coalesce(b.oid, t.oid)"""


def _name_of(space: str, name: str, missing: str) -> str:
    """A type's name if it is Postgres's own: another of the same name is another type."""
    own = f"{space} = 'pg_catalog'::pg_catalog.regnamespace"
    return f"CASE WHEN {missing} IS NULL THEN NULL WHEN {own} THEN {name} ELSE 'another' END"


def columns_query(relations: Sequence[Relation]) -> str:
    """One row of one text: the columns of the relations, as `read_columns` reads them."""
    names = (escaped_literal(_name(relation)) + "::pg_catalog.regclass" for relation in relations)
    return _COLUMNS.format(
        relations=", ".join(names),
        own=_name_of(
            "coalesce(b.typnamespace, t.typnamespace)", "coalesce(b.typname, t.typname)", "t.oid"
        ),
        element=_name_of("e.typnamespace", "e.typname", "e.oid"),
    )


def read_columns(
    relations: Sequence[Relation], answer: str, variants: bool = False
) -> list[Foreign]:
    """The relations with their columns. Raises SqlError 0A000 for one without any.

    variants: a jsonb is to be what VARIANT is, JSON.
    """
    documents = _VARIANTS if variants else _DOCUMENTS
    found: list[list[Column]] = [[] for _ in relations]
    for n, name, kind, element, modifier, type_name in json.loads(answer):
        found[n].append(_column(name, kind, element, modifier, type_name, documents))
    for relation, columns in zip(relations, found, strict=True):
        if not columns:
            raise SqlError("0A000", f'relation "{".".join(relation)}" has no columns')
    return [
        Foreign(relation, tuple(columns))
        for relation, columns in zip(relations, found, strict=True)
    ]


def _column(
    name: str, kind: str, element: str, modifier: int, type_name: str, documents: _Documents
) -> Column:
    own = quoted(name)
    if kind == "numeric":
        return _numeric(name, modifier)
    if element:
        return _array(name, element, modifier, type_name, documents)
    found = documents.get(kind) or _KINDS.get(kind, _AS_TEXT)
    duck = DuckType(found.duck, found.sql if kind in documents else "")
    sent = found.sent.format(own)
    null = found.sent.format("NULL") if found.sent != "{}" else f"NULL::{type_name}"
    return Column(name, duck, found.sql, sent, own, null, found.family)


def _numeric(name: str, modifier: int) -> Column:
    own, null = quoted(name), "NULL::pg_catalog.numeric"
    precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    if modifier >= 4 and precision <= _MOST_DIGITS and scale <= precision:
        duck = DuckType("DECIMAL", width=precision, scale=scale)
        return Column(name, duck, str(duck), own, own, null, "decimal")
    duck = DuckType("DECIMAL", width=_MOST_DIGITS, scale=_DIGITS_BEHIND)
    # A value that would be rounded is made one that Postgres cannot read: 22P02, with the value.
    sent = (
        f"(CASE WHEN pg_catalog.min_scale({own}) > {_DIGITS_BEHIND} THEN {own}::pg_catalog.text "
        f"OPERATOR(pg_catalog.||) ' has more than {_DIGITS_BEHIND} digits behind the point' "
        f"ELSE {own}::pg_catalog.text END)::pg_catalog.numeric"
    )
    return Column(name, duck, str(duck), sent, own, null, "decimal")


def _array(name: str, element: str, modifier: int, type_name: str, documents: _Documents) -> Column:
    own = quoted(name)
    if element == "numeric":
        scalar = _numeric(name, modifier)
        if scalar.sent == scalar.own:
            duck = DuckType("LIST", children=(scalar.duck,))
            return Column(name, duck, f"{scalar.duck}[]", own, own, f"NULL::{type_name}", "")
    kind = _KINDS.get(element) if element in _AS_ELEMENT else None
    if kind is not None:
        duck = DuckType("LIST", children=(DuckType(kind.duck),))
        return Column(name, duck, f"{kind.sql}[]", own, own, f"NULL::{type_name}", "")
    duck = DuckType("LIST", children=(DuckType("VARCHAR"),))
    sql_type = f"{documents[element].sql}[]" if element in documents else "VARCHAR[]"
    sent, null = f"{own}::pg_catalog.text[]", "NULL::pg_catalog.text[]"
    return Column(name, duck, sql_type, sent, own, null, "")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function of Postgres's, and of what type its value is in DuckDB."""

    text: str
    sql_type: str


_CALLS = """\
SELECT pg_catalog.json_build_array(
    (SELECT p.proname FROM pg_catalog.pg_proc p
      WHERE p.proname = ANY (ARRAY[{names}]::pg_catalog.name[]) AND (p.provolatile = 'v' OR p.proretset)
      LIMIT 1),
    (SELECT pg_catalog.json_agg(coalesce((SELECT {own} FROM pg_catalog.pg_type t
             WHERE t.oid = c.type), 'another') ORDER BY c.n)
       FROM (VALUES {calls}) AS c (n, type)))::pg_catalog.text"""
_VALUES = "SELECT pg_catalog.json_build_array({})::pg_catalog.text"
_NO_VALUES = frozenset({"interval", "timetz", "bytea"})


def calls_query(calls: Sequence[str], names: Sequence[str]) -> str:
    """One row of one text: what `read_calls` reads. names: of all functions in the calls.

    Nothing is called: a subquery without rows tells its type.
    """
    typed = (
        f"({n}, pg_catalog.pg_typeof((SELECT {call} WHERE false)))" for n, call in enumerate(calls)
    )
    return _CALLS.format(
        names=", ".join(map(escaped_literal, names)),
        own=_name_of("t.typnamespace", "t.typname", "t.oid"),
        calls=", ".join(typed),
    )


def read_calls(calls: Sequence[str], answer: str) -> list[Call]:
    """Raises SqlError 0A000 for a function that may change something, or gives rows or arrays."""
    changing, kinds = json.loads(answer)
    if changing is not None:
        raise SqlError(
            "0A000",
            f"{changing} may not be called in a statement over analytical relations",
            detail="It may change something, or gives another value at each call.",
            hint="Call it in a statement of its own.",
        )
    found = []
    for call, kind in zip(calls, kinds, strict=True):
        if kind in _NO_VALUES or kind.startswith("_"):
            raise SqlError("0A000", f"a value of type {kind} cannot be used here: {call}")
        sql_type = f"DECIMAL({_MOST_DIGITS}, {_DIGITS_BEHIND})"
        if kind != "numeric":
            sql_type = _KINDS.get(kind, _AS_TEXT).sql
        found.append(Call(call, sql_type))
    return found


def values_query(calls: Sequence[Call]) -> str:
    """One row of one text, a JSON array: the values of the calls as texts."""
    return _VALUES.format(", ".join(f"(SELECT {call.text})::pg_catalog.text" for call in calls))


def duck_value(call: Call, value: str | None) -> str:
    """A call's value as DuckDB's SQL. Raises SqlError 22003 for more digits than DuckDB keeps."""
    if value is None:
        return f"CAST(NULL AS {call.sql_type})"
    if call.sql_type.startswith("DECIMAL") and len(value.partition(".")[2]) > _DIGITS_BEHIND:
        raise SqlError("22003", f"{value} has more than {_DIGITS_BEHIND} digits behind the point")
    escaped = value.replace("'", "''")
    return f"CAST('{escaped}' AS {call.sql_type})"


Layout = list[tuple[int, ...]]
"""For each relation the numbers of its columns, in the order in which they are sent."""


def rows_query(foreign: Sequence[Foreign], wanted: Mapping[int, Wanted]) -> tuple[str, Layout]:
    """One query for the rows of all relations, each with the number of its relation (int2) first.

    Behind that come the columns of the first relation, those of the second...; a row has NULLs in
    those of the others. A relation that is not wanted is named all the same, for its permissions.
    """
    nothing = Wanted(conditions=["false"])
    asked = [wanted.get(n, nothing) for n in range(len(foreign))]
    layout = [tuple(sorted(one.columns)) for one in asked]
    branches = []
    for n, (one, want) in enumerate(zip(foreign, asked, strict=True)):
        cells = [f"{n}::pg_catalog.int2"]
        for other, numbers in enumerate(layout):
            columns = (foreign[other].columns[number] for number in numbers)
            cells += (column.sent if other == n else column.null for column in columns)
        branch = f"SELECT {', '.join(cells)} FROM {_name(one.relation)}"
        if want.conditions:
            branch += f" WHERE {' OR '.join(want.conditions)}"
        branches.append(branch)
    return " UNION ALL ".join(branches), layout


def copy_binary(query: str) -> str:
    """The query as a COPY whose rows come in the binary format."""
    return f"COPY ({query}) TO STDOUT (FORMAT binary)"


def _name(relation: Relation) -> str:
    return quoted(*relation)
