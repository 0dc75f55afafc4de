"""DuckDB's messages in Postgres's words: what clients show to people, and some read.

Why it exists: an ORM takes the constraint's columns from the detail of a 23505, people know
`relation "t" does not exist` by heart, and "INT32" or a page of candidate functions says nothing to
someone who wrote `integer`. One line of a table for each message of DuckDB's that clients meet often;
what has no line keeps DuckDB's own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from proxy.engines.duckdb_c import DuckError
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
_NO_FUNCTION = f"No function matches the given name and argument types. {_CASTS}"
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


def _no_match(found: re.Match[str]) -> Wording:
    if found["name"] == "array_extract":
        kind = _arguments(found["types"])[0]
        return Wording(
            "42804", f"cannot subscript type {kind} because it does not support subscripting"
        )
    operator, call = _called(found["name"], _arguments(found["types"]))
    if operator:
        return Wording("42883", f"operator does not exist: {call}", hint=_NO_OPERATOR)
    return Wording("42883", f"function {call} does not exist", hint=_NO_FUNCTION)


def _no_choice(found: re.Match[str]) -> Wording:
    operator, call = _called(found["name"], _arguments(found["types"]))
    what = "operator" if operator else "function"
    spelled = f"{what} is not unique: {call}" if operator else f"{what} {call} is not unique"
    return Wording("42725", spelled, hint=_NO_CHOICE.format(what))


_WHOLE = re.compile(r"\s*[+-]?\d+\s*")
_WHOLE_TYPES = ("smallint", "integer", "bigint")


def _not_converted(found: re.Match[str]) -> Wording:
    value, kind = found["value"], pg_name(found["type"])
    if kind in _WHOLE_TYPES and _WHOLE.fullmatch(value):
        return Wording("22003", f'value "{value}" is out of range for type {kind}')
    if kind == "uuid" and _WHOLE.fullmatch(value):  # a HUGEINT, which is a numeric to the client
        return Wording("22003", f'value "{value}" is out of range for type numeric')
    sqlstate = "22007" if kind == "interval" else "22P02"
    return Wording(sqlstate, f'invalid input syntax for type {kind}: "{value}"')


def _beyond(found: re.Match[str]) -> Wording:
    kind = pg_name(found["type"])
    if kind in ("numeric", "uuid"):
        return Wording("22003", "numeric field overflow")
    return Wording("22003", f"{kind} out of range")


def _not_cast(found: re.Match[str]) -> Wording:
    return Wording("42846", f"cannot cast type {pg_name(found['from'])} to {pg_name(found['to'])}")


def _malformed_array(found: re.Match[str]) -> Wording:
    return Wording("22P02", f'malformed array literal: "{found["value"]}"')


def _no_list(found: re.Match[str]) -> Wording:
    call = f"unnest({pg_name(found['type'])})"
    return Wording("42883", f"function {call} does not exist", hint=_NO_FUNCTION)


_TAKEN = "duplicate key value violates unique constraint"


def _duplicate(found: re.Match[str]) -> Wording:
    """DuckDB does not say of which table; of several columns it says too little to take them apart."""
    key = found["key"]
    name, colon, value = key.partition(": ")
    if colon and ", " not in value:
        return Wording("23505", _TAKEN, f"Key ({name})=({value}) already exists.", key=key)
    return Wording("23505", _TAKEN, f"Key {key} already exists.", key=key)


def _null(found: re.Match[str]) -> Wording:
    table, column = found["table"], found["column"]
    return Wording(
        "23502",
        f'null value in column "{column}" of relation "{table}" violates not-null constraint',
        objects=(("t", table), ("c", column)),
    )


def _check(found: re.Match[str]) -> Wording:
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


def _unreferenced(found: re.Match[str]) -> Wording:
    name, _, value = found["key"].partition(": ")
    return Wording(
        "23503",
        "insert or update violates foreign key constraint",
        f"Key ({name})=({value}) is not present in the referenced table.",
        key=found["key"],
    )


def _referenced(found: re.Match[str]) -> Wording:
    name, _, value = found["key"].partition(": ")
    return Wording(
        "23503",
        "update or delete violates foreign key constraint of another table",
        f"Key ({name})=({value}) is still referenced.",
        key=found["key"],
        is_referenced=True,
    )


def _wrong_kind(found: re.Match[str]) -> Wording:
    wanted = found["wanted"].lower()
    article = "an" if wanted[:1] in "aeiou" else "a"
    return Wording("42809", f'"{found["name"]}" is not {article} {wanted}')


def _plain(sqlstate: str, message: str, hint: str | None = None) -> Callable[..., Wording]:
    """A message in which `{name}` is what the pattern found under that name."""

    def wording(found: re.Match[str]) -> Wording:
        return Wording(sqlstate, message.format(**found.groupdict()), hint=hint)

    return wording


_DEPENDS = re.compile(r'(\w+) "(.*?)" depends on (\w+) "(.*?)"\.')
_DEPENDED_ON = {"index": "sequence"}  # what DuckDB calls it


def _depended_on(found: re.Match[str]) -> Wording:
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


_Rule = tuple[str, re.Pattern[str], Callable[[re.Match[str]], Wording]]


def _rule(kind: str, pattern: str, wording: Callable[[re.Match[str]], Wording]) -> _Rule:
    return kind, re.compile(pattern, re.S), wording


# (exception type, the whole message) -> what is told of it; the first that fits.
_RULES: tuple[_Rule, ...] = (
    _rule(
        "Catalog",
        r'Table with name "?(?P<name>.*?)"? does not exist because schema "(?P<schema>.*?)".*',
        _plain("42P01", 'relation "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r'(Table|View|Index) with name "?(?P<name>.*?)"? already exists!.*',
        _plain("42P07", 'relation "{name}" already exists'),
    ),
    *(
        _rule(
            kind,
            r'Catalog (with name )?"?(?P<name>.*?)"? does not exist!.*',
            _plain("3D000", 'database "{name}" does not exist', "There is one database here."),
        )
        for kind in ("Catalog", "Binder")
    ),
    _rule(
        "Catalog",
        r'Schema with name "?(?P<name>.*?)"? already exists!.*',
        _plain("42P06", 'schema "{name}" already exists'),
    ),
    _rule(
        "Catalog",
        r'Schema with name "?(?P<name>.*?)"? does not exist!.*',
        _plain("3F000", 'schema "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r'(Scalar |Aggregate |Table )?Function with name "?(?P<name>.*?)"? does not exist!.*',
        _plain("42883", "function {name} does not exist", _NO_FUNCTION),
    ),
    _rule(
        "Catalog",
        r'Type with name "?(?P<name>.*?)"? does not exist!.*',
        _plain("42704", 'type "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r'Sequence with name "?(?P<name>.*?)"? does not exist!.*',
        _plain("42P01", 'relation "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r"Column with name (?P<name>.*) already exists!.*",
        _plain("42701", 'column "{name}" specified more than once'),
    ),
    _rule(
        "Catalog",
        r'Existing object "?(?P<name>.*?)"? is of type (?P<is>\w+), trying to \w+ (with )?type '
        r"(?P<wanted>\w+).*",
        _wrong_kind,
    ),
    _rule(
        "Catalog",
        r"Could not drop the table because this table is main key table of the table "
        r'"(?P<other>.*)"',
        _plain("2BP01", 'cannot drop the table because table "{other}" depends on it'),
    ),
    _rule(
        "Dependency",
        r'Cannot drop entry "(?P<name>.*?)" because there are entries that depend on it\.(?P<lines>.*)',
        _depended_on,
    ),
    _rule(
        "Binder",
        r'Ambiguous reference to table "(?P<name>.*?)".*',
        _plain("42712", 'table name "{name}" specified more than once'),
    ),
    _rule(
        "Binder",
        r'Ambiguous reference to column name "(?P<name>.*?)" .*',
        _plain("42702", 'column reference "{name}" is ambiguous'),
    ),
    _rule(
        "Binder",
        r'Table "(?P<table>.*?)" does not have a column named "(?P<name>.*?)".*',
        _plain("42703", "column {table}.{name} does not exist"),
    ),
    _rule(
        "Binder",
        r'Referenced update column "?(?P<name>.*?)"? not found in table!.*',
        _plain("42703", 'column "{name}" does not exist'),
    ),
    _rule(
        "Binder",
        r'Referenced table "(?P<name>.*?)" not found!.*',
        _plain("42P01", 'missing FROM-clause entry for table "{name}"'),
    ),
    _rule(
        "Binder",
        r'Column "(?P<name>.*?)" does not exist on (?P<side>left|right) side of join!.*',
        _plain("42703", 'column "{name}" specified in USING clause does not exist in {side} table'),
    ),
    _rule(
        "Binder",
        r'Duplicate column name "(?P<name>.*)" in INSERT',
        _plain("42701", 'column "{name}" specified more than once'),
    ),
    _rule(
        "Binder",
        r"UNNEST\(\) can only be applied to lists, structs and NULL, not (?P<type>.+)",
        _no_list,
    ),
    _rule(
        "Binder",
        r"(?P<clause>ORDER|GROUP BY) term out of range.*",
        _plain("42P10", "{clause} position is not in select list"),
    ),
    *(
        _rule(
            kind,
            r'Table "(?P<table>.*?)" does not have a column with name "(?P<name>.*?)".*',
            _plain("42703", 'column "{name}" of relation "{table}" does not exist'),
        )
        for kind in ("Binder", "Catalog")
    ),
    _rule(
        "Binder",
        r"WHERE clause cannot contain aggregates.*",
        _plain("42803", "aggregate functions are not allowed in WHERE"),
    ),
    _rule(
        "Binder",
        r"aggregate function calls cannot be nested.*",
        _plain("42803", "aggregate function calls cannot be nested"),
    ),
    _rule(
        "Binder",
        r"The specified columns as conflict target are not referenced by .*",
        _plain(
            "42P10",
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
        ),
    ),
    _rule(
        "Binder",
        r'column "?(?P<name>.*?)"? must appear in the GROUP BY clause or .*',
        _plain(
            "42803",
            'column "{name}" must appear in the GROUP BY clause or be used in an aggregate function',
        ),
    ),
    _rule(
        "Binder",
        r"Subquery returns \d+ columns - expected 1.*",
        _plain("42601", "subquery must return only one column"),
    ),
    _rule(
        "Binder",
        r"Set operations can only apply to expressions with the same number of result columns",
        _plain("42601", "each UNION query must have the same number of columns"),
    ),
    _rule(
        "Binder",
        r"No function matches the given name and argument types '(?P<name>[^(]+)\((?P<types>.*?)\)'\..*",
        _no_match,
    ),
    _rule(
        "Binder",
        r'Could not choose a best candidate function for the function call "(?P<name>[^(]+)'
        r'\((?P<types>.*?)\)"\..*',
        _no_choice,
    ),
    _rule(
        "Conversion",
        r"Could not convert string (['\"])(?P<value>.*)\1 to (?P<type>.+)",
        _not_converted,
    ),
    _rule(
        "Conversion",
        r"Type (?P<from>.+?) with value .* can't be cast because the value is out of range for the "
        r"destination type (?P<type>.+)",
        _beyond,
    ),
    _rule(
        "Conversion",
        r"Type VARCHAR with value '(?P<value>.*)' can't be cast to the destination type .*\[\]",
        _malformed_array,
    ),
    _rule("Conversion", r"Could not cast value .* to (?P<type>.+?)!?", _beyond),
    _rule(
        "Conversion",
        r'Casting value ".*" to type (?P<type>.+) failed: value is out of range!',
        _beyond,
    ),
    _rule("Conversion", r"Unimplemented type for cast \((?P<from>.+) -> (?P<to>.+)\)", _not_cast),
    _rule(
        "Conversion",
        r"Malformed JSON at .*Input: (?P<value>.*)",
        _plain("22P02", "invalid input syntax for type json", None),
    ),
    _rule(
        "Invalid Input",
        r"Values were not provided for the following prepared statement parameters: (?P<n>\d+).*",
        _plain("42P02", "there is no parameter ${n}"),
    ),
    _rule(
        "Binder",
        r"Unexpected prepared parameter\. .*",
        _plain(
            "0A000",
            "a parameter is not supported here",
            "RETURNING takes no parameters: let the client add what it knows.",
        ),
    ),
    _rule(
        "Conversion",
        r'invalid (?P<kind>date|time|timestamp) field format: "(?P<value>.*)", expected format is .*',
        _plain("22007", 'invalid input syntax for type {kind}: "{value}"'),
    ),
    _rule(
        "Conversion",
        r'timestamp field value "(?P<value>.*)" has a timestamp that is not UTC\..*',
        _plain("22007", 'invalid input syntax for type timestamp: "{value}"'),
    ),
    _rule(
        "Conversion",
        r'(date|time|timestamp) field value out of range: "(?P<value>.*?)"(, expected .*)?',
        _plain("22008", 'date/time field value out of range: "{value}"'),
    ),
    _rule(
        "Conversion",
        r'extract specifier "(?P<unit>.*)" not recognized',
        _plain("22023", 'unit "{unit}" not recognized'),
    ),
    _rule(
        "Not implemented",
        r"Unknown TimeZone '(?P<zone>.*?)'.*",
        _plain("22023", 'time zone "{zone}" not recognized'),
    ),
    _rule(
        "Invalid Input",
        r"More than one row returned by a subquery used as an expression.*",
        _plain("21000", "more than one row returned by a subquery used as an expression"),
    ),
    _rule(
        "Invalid Input",
        r'Could not parse string "(?P<value>.*?)" according to format specifier "(?P<format>.*?)".*',
        _plain("22007", 'invalid value "{value}" for "{format}"'),
    ),
    *(
        _rule("Out of Range", wording, _plain(sqlstate, told))
        for wording, sqlstate, told in (
            (r"cannot take logarithm of zero", "2201E", "cannot take logarithm of zero"),
            (
                r"cannot take logarithm of a negative number",
                "2201E",
                "cannot take logarithm of a negative number",
            ),
            (
                r"cannot take square root of a negative number",
                "2201F",
                "cannot take square root of a negative number",
            ),
        )
    ),
    *(
        _rule(kind, wording, _plain(sqlstate, told))
        for kind, wording, sqlstate, told in (
            (
                "Syntax",
                r"Like pattern must not end with escape character!",
                "22025",
                "LIKE pattern must not end with escape character",
            ),
            (
                "Parser",
                r"Sample sample_size .* out of range, must be between 0 and 100",
                "2202H",
                "sample percentage must be between 0 and 100",
            ),
            (
                "Parser",
                r'window "(?P<name>.*)" does not exist',
                "42704",
                'window "{name}" does not exist',
            ),
            (
                "Parser",
                r'Duplicate CTE name "(?P<name>.*)"',
                "42712",
                'WITH query name "{name}" specified more than once',
            ),
        )
    ),
    _rule("Out of Range", r"Overflow in \w+ of (?P<type>\w+) .*", _beyond),
    _rule("Out of Range", r"Date out of range", _plain("22008", "date out of range")),
    _rule(
        "Conversion",
        r"Date and time not in timestamp range",
        _plain("22008", "timestamp out of range"),
    ),
    _rule("Constraint", r"NOT NULL constraint failed: (?P<table>.+)\.(?P<column>[^.]+)", _null),
    _rule(
        "Constraint",
        r"CHECK constraint failed on table (?P<table>.+?) with expression (?P<expression>.*)",
        _check,
    ),
    _rule(
        "Constraint",
        r'Duplicate key "(?P<key>.*)" violates (primary key|unique) constraint.*',
        _duplicate,
    ),
    *(
        _rule(
            kind,
            r'.*PRIMARY KEY or UNIQUE constraint violation: duplicate key "(?P<key>.*)".*',
            _duplicate,
        )
        for kind in ("Constraint", "TransactionContext")
    ),
    _rule(
        "Constraint",
        r'Violates foreign key constraint because key "(?P<key>.*)" does not exist in the .*',
        _unreferenced,
    ),
    _rule(
        "Constraint",
        r'Violates foreign key constraint because key "(?P<key>.*)" is still referenced .*',
        _referenced,
    ),
)


def wording(error: DuckError) -> Wording | None:
    """The error in Postgres's words, None where it keeps its own."""
    for kind, pattern, told in _RULES:
        if kind == error.kind and (found := pattern.fullmatch(error.message)):
            return told(found)
    return None
