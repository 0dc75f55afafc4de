"""What each kind of message of DuckDB becomes: the names of types, arguments and constraints in it, in Postgres's words.

Why it exists: the table of messages (`engines.duck.wordings`) says which; here is how those are put together whose
parts have to be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from proxy.sql.quoting import name_as_needed


class Wording(NamedTuple):
    """What the client is told. objects: see `SqlError`; key, is_referenced: see `EngineError`."""

    sqlstate: str
    message: str
    detail: str | None = None
    hint: str | None = None
    objects: tuple[tuple[str, str], ...] = ()
    key: str = ""
    is_referenced: bool = False


# DuckDB's names of types, the physical ones too, in Postgres's words.
_TYPES = {
    "BOOL": "boolean",
    "BOOLEAN": "boolean",
    "INT8": "smallint",
    "TINYINT": "smallint",
    "INT16": "smallint",
    "SMALLINT": "smallint",
    "INT32": "integer",
    "INTEGER": "integer",
    "INTEGER_LITERAL": "integer",
    "INT64": "bigint",
    "BIGINT": "bigint",
    "INT128": "uuid",
    "HUGEINT": "numeric",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "STRING_LITERAL": "unknown",
    '"NULL"': "unknown",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "TIME WITH TIME ZONE": "time with time zone",
    "INTERVAL": "interval",
    "UUID": "uuid",
    "JSON": "json",
    "JSONB": "jsonb",
    "BIT": "bit varying",
}


def pg_name(duck: str) -> str:
    """DuckDB's name of a type as Postgres spells it; what has no counterpart stays."""
    if duck.endswith("[]"):
        return pg_name(duck[:-2]) + "[]"
    if duck.startswith("DECIMAL("):
        return "numeric"
    return _TYPES.get(duck, duck)


_CASTS = "You might need to add explicit type casts."


NO_FUNCTION = f"No function matches the given name and argument types. {_CASTS}"


_NO_OPERATOR = f"No operator matches the given name and argument types. {_CASTS}"


_NO_CHOICE = "Could not choose a best candidate {}. " + _CASTS


_OPERATORS = {"~~": "~~", "!~~": "!~~", "**": "^", "//": "/"}


def _arguments(text: str) -> list[str]:
    """The types in `(A, DECIMAL(4,2), B)`."""
    found, depth, start = [], 0, 0
    for at, mark in enumerate(text):
        depth += (mark in "([{") - (mark in ")]}")
        if mark == "," and depth == 0:
            found.append(text[start:at])
            start = at + 1
    found.append(text[start:])
    return [pg_name(kind.strip()) for kind in found if kind.strip()]


def _called(name: str, types: list[str]) -> tuple[bool, str]:
    """Whether it is an operator, and the call in Postgres's words."""
    if name[:1].isalnum() or name[:1] in '_"':
        return False, f"{name.strip(chr(34))}({', '.join(types)})"
    sign = _OPERATORS.get(name, name)
    return True, f"{types[0]} {sign} {types[1]}" if len(types) == 2 else f"{sign} {types[-1]}"


def no_match(found: re.Match[str]) -> Wording:
    """No function or operator takes these arguments."""
    if found["name"] == "array_extract":
        kind = _arguments(found["types"])[0]
        return Wording(
            "42804", f"cannot subscript type {kind} because it does not support subscripting"
        )
    operator, call = _called(found["name"], _arguments(found["types"]))
    if operator:
        return Wording("42883", f"operator does not exist: {call}", hint=_NO_OPERATOR)
    return Wording("42883", f"function {call} does not exist", hint=NO_FUNCTION)


def no_choice(found: re.Match[str]) -> Wording:
    """Several would do."""
    operator, call = _called(found["name"], _arguments(found["types"]))
    what = "operator" if operator else "function"
    spelled = f"{what} is not unique: {call}" if operator else f"{what} {call} is not unique"
    return Wording("42725", spelled, hint=_NO_CHOICE.format(what))


_WHOLE = re.compile(r"\s*[+-]?\d+\s*")


_WHOLE_TYPES = ("smallint", "integer", "bigint")


def not_converted(found: re.Match[str]) -> Wording:
    """A text is no value of the type."""
    if found["type"] in _POSITIONS:
        return Wording("22P02", f'invalid input value for enum: "{found["value"]}"')
    value, kind = found["value"], pg_name(found["type"])
    if kind in _WHOLE_TYPES and _WHOLE.fullmatch(value):
        return Wording("22003", f'value "{value}" is out of range for type {kind}')
    if kind == "uuid" and _WHOLE.fullmatch(value):  # a HUGEINT, which is a numeric to the client
        return Wording("22003", f'value "{value}" is out of range for type numeric')
    sqlstate = "22007" if kind == "interval" else "22P02"
    return Wording(sqlstate, f'invalid input syntax for type {kind}: "{value}"')


_POSITIONS = frozenset({"UINT8", "UINT16", "UINT32"})  # as which DuckDB keeps values of enums


def beyond(found: re.Match[str]) -> Wording:
    """A value does not fit the type."""
    kind = pg_name(found["type"])
    if kind in ("numeric", "uuid"):
        return Wording("22003", "numeric field overflow")
    return Wording("22003", f"{kind} out of range")


def not_cast(found: re.Match[str]) -> Wording:
    """There is no cast from the one type to the other."""
    return Wording("42846", f"cannot cast type {pg_name(found['from'])} to {pg_name(found['to'])}")


def malformed_array(found: re.Match[str]) -> Wording:
    """A text is no array."""
    return Wording("22P02", f'malformed array literal: "{found["value"]}"')


def no_list(found: re.Match[str]) -> Wording:
    """An array was expected."""
    call = f"unnest({pg_name(found['type'])})"
    return Wording("42883", f"function {call} does not exist", hint=NO_FUNCTION)


_TAKEN = "duplicate key value violates unique constraint"


def duplicate(found: re.Match[str]) -> Wording:
    """DuckDB does not say of which table; of several columns it says too little to take them apart."""
    key = found["key"]
    name, colon, value = key.partition(": ")
    if colon and ", " not in value:
        return Wording("23505", _TAKEN, f"Key ({name})=({value}) already exists.", key=key)
    return Wording("23505", _TAKEN, f"Key {key} already exists.", key=key)


def null(found: re.Match[str]) -> Wording:
    """A NULL where none may be."""
    table, column = found["table"], found["column"]
    return Wording(
        "23502",
        f'null value in column "{column}" of relation "{table}" violates not-null constraint',
        objects=(("t", table), ("c", column)),
    )


def check(found: re.Match[str]) -> Wording:
    """A CHECK is violated, which the length of a varchar(n) is too."""
    expression = found["expression"]
    if limit := _LENGTH.fullmatch(expression):
        return Wording("22001", f"value too long for type character varying({limit['limit']})")
    table = found["table"]
    return Wording(
        "23514",
        f'new row for relation "{table}" violates check constraint',
        f"The constraint is {expression}.",
        objects=(("t", table),),
        key=expression,
    )


_LENGTH = re.compile(r"CHECK\(\(length\(.*\) <= (?P<limit>\d+)\)\)", re.S)


def unreferenced(found: re.Match[str]) -> Wording:
    """A foreign key refers to nothing."""
    name, _, value = found["key"].partition(": ")
    return Wording(
        "23503",
        "insert or update violates foreign key constraint",
        f"Key ({name})=({value}) is not present in the referenced table.",
        key=found["key"],
    )


def referenced(found: re.Match[str]) -> Wording:
    """A row that others refer to."""
    name, _, value = found["key"].partition(": ")
    return Wording(
        "23503",
        "update or delete violates foreign key constraint of another table",
        f"Key ({name})=({value}) is still referenced.",
        key=found["key"],
        is_referenced=True,
    )


def wrong_kind(found: re.Match[str]) -> Wording:
    """A view where a table is wanted, and the like."""
    wanted = found["wanted"].lower()
    article = "an" if wanted[:1] in "aeiou" else "a"
    return Wording("42809", f'"{found["name"]}" is not {article} {wanted}')


def plain(sqlstate: str, message: str, hint: str | None = None) -> Callable[..., Wording]:
    """A message in which `{name}` is what the pattern found under that name."""

    def wording(found: re.Match[str]) -> Wording:
        return Wording(sqlstate, message.format(**found.groupdict()), hint=hint)

    return wording


_DEPENDS = re.compile(r'(\w+) "(.*?)" depends on (\w+) "(.*?)"\.')


_DEPENDED_ON = {"index": "sequence"}  # what DuckDB calls it


def depended_on(found: re.Match[str]) -> Wording:
    """Of a schema that is not empty, or a sequence that a default calls."""
    lines = _DEPENDS.findall(found["lines"])
    kind = _DEPENDED_ON.get(lines[-1][2], lines[-1][2]) if lines else ""
    what = f"{kind} {name_as_needed(found['name'])}".lstrip()
    place = f"{name_as_needed(found['name'])}." if kind == "schema" else ""
    # As DuckDB has them, the last one that was made comes first.
    detail = "\n".join(
        f"{_DEPENDED_ON.get(one, one)} {place}{name_as_needed(name)} depends on {what}"
        for one, name, _, _ in reversed(lines)
    )
    message = f"cannot drop {what} because other objects depend on it"
    hint = "Use DROP ... CASCADE to drop the dependent objects too."
    return Wording("2BP01", message, detail=detail or None, hint=hint)
