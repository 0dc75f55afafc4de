"""DuckDB's messages in Postgres's words: what clients show to people, and some read.

Why it exists: an ORM takes the constraint's columns from the detail of a 23505, people know
`relation "t" does not exist` by heart, and "INT32" or a page of candidate functions says nothing to
someone who wrote `integer`. One line of a table for each message of DuckDB's that clients meet often;
what has no line keeps DuckDB's own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy.engines.duck.c import DuckFailure
from proxy.engines.duck.wording_parts import (
    NO_FUNCTION,
    Wording,
    beyond,
    check,
    depended_on,
    duplicate,
    malformed_array,
    no_choice,
    no_list,
    no_match,
    not_cast,
    not_converted,
    null,
    plain,
    referenced,
    unreferenced,
    wrong_kind,
)

_Rule = tuple[str, re.Pattern[str], Callable[[re.Match[str]], Wording]]


def _rule(kind: str, pattern: str, wording: Callable[[re.Match[str]], Wording]) -> _Rule:
    return kind, re.compile(pattern, re.S), wording


NO_VIEW = "Write to the table that it reads."
_NO_COLUMN = "Drop those columns first."

# (exception type, the whole message) -> what is told of it; the first that fits.
_RULES: tuple[_Rule, ...] = (
    _rule(
        "Catalog",
        r'Table with name "?(?P<name>.*?)"? does not exist because schema "(?P<schema>.*?)".*',
        plain("42P01", 'relation "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r'Index with name "?(?P<name>.*?)"? does not exist!.*',
        plain("42704", 'index "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r'Type with name "?(?P<name>.*?)"? is not in the catalog, but it exists in the .*',
        plain("0A000", 'type "{name}" is not supported', "A column of text holds its values."),
    ),
    *(
        _rule(
            kind,
            r"Cannot write to database .* - transaction is launched in read-only mode.*",
            plain("25006", "cannot write in a read-only transaction"),
        )
        for kind in ("Invalid Input", "TransactionContext")
    ),
    _rule(
        "Catalog",
        r'(Table|View|Index|Sequence) with name "?(?P<name>.*?)"? already exists!.*',
        plain("42P07", 'relation "{name}" already exists'),
    ),
    *(
        _rule(
            kind,
            r'Catalog (with name )?"?(?P<name>.*?)"? does not exist!.*',
            plain("3D000", 'database "{name}" does not exist', "There is one database here."),
        )
        for kind in ("Catalog", "Binder")
    ),
    _rule(
        "Binder",
        r'Column "(?P<name>.*?)" referenced that exists in the SELECT clause.*',
        plain("42703", 'column "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r'Schema with name "?(?P<name>.*?)"? already exists!.*',
        plain("42P06", 'schema "{name}" already exists'),
    ),
    _rule(
        "Catalog",
        r'Type with name "?(?P<name>.*?)"? already exists!.*',
        plain("42710", 'type "{name}" already exists'),
    ),
    _rule(
        "Catalog",
        r'Schema with name "?(?P<name>.*?)"? does not exist!.*',
        plain("3F000", 'schema "{name}" does not exist'),
    ),
    _rule(
        "Binder",
        r'Macro "?(?P<name>.*?)"?\(\) does not support the supplied arguments.*',
        plain("42883", "function {name} does not exist", NO_FUNCTION),
    ),
    _rule(
        "Catalog",
        r'(Scalar |Aggregate |Table |Table Macro |Macro )?Function with name "?(?P<name>.*?)"? does not exist!.*',
        plain("42883", "function {name} does not exist", NO_FUNCTION),
    ),
    _rule(
        "Catalog",
        r'Type with name "?(?P<name>.*?)"? does not exist!.*',
        plain("42704", 'type "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r'Could not rename ".*" to "(?P<name>.*)": another entry with this name already exists!.*',
        plain("42P07", 'relation "{name}" already exists'),
    ),
    _rule(
        "Catalog",
        r'Sequence with name "?(?P<name>.*?)"? does not exist!.*',
        plain("42P01", 'relation "{name}" does not exist'),
    ),
    _rule(
        "Catalog",
        r"Column with name (?P<name>.*) already exists!.*",
        plain("42701", 'column "{name}" specified more than once'),
    ),
    _rule(
        "Catalog",
        r'Existing object "?(?P<name>.*?)"? is of type (?P<is>\w+), trying to \w+ (with )?type '
        r"(?P<wanted>\w+).*",
        wrong_kind,
    ),
    _rule(
        "Catalog",
        r"Could not drop the table because this table is main key table of the table "
        r'"(?P<other>.*)"',
        plain("2BP01", 'cannot drop the table because table "{other}" depends on it'),
    ),
    _rule(
        "Dependency",
        r'Cannot drop entry "(?P<name>.*?)" because there are entries that depend on it\.(?P<lines>.*)',
        depended_on,
    ),
    _rule(
        "Binder",
        r'Ambiguous reference to table "(?P<name>.*?)".*',
        plain("42712", 'table name "{name}" specified more than once'),
    ),
    _rule(
        "Binder",
        r'Ambiguous reference to column name "(?P<name>.*?)" .*',
        plain("42702", 'column reference "{name}" is ambiguous'),
    ),
    _rule(
        "Binder",
        r'Table "(?P<table>.*?)" does not have a column named "(?P<name>.*?)".*',
        plain("42703", "column {table}.{name} does not exist"),
    ),
    _rule(
        "Binder",
        r'Referenced update column "?(?P<name>.*?)"? not found in table!.*',
        plain("42703", 'column "{name}" does not exist'),
    ),
    _rule(
        "Binder",
        r'Duplicate struct entry name "(?P<name>.*)"',
        plain("22023", "Duplicate field key '{name}'"),
    ),
    _rule(
        "Binder",
        r'Referenced table "(?P<name>.*?)" not found!.*',
        plain("42P01", 'missing FROM-clause entry for table "{name}"'),
    ),
    _rule(
        "Binder",
        r'Column "(?P<name>.*?)" does not exist on (?P<side>left|right) side of join!.*',
        plain("42703", 'column "{name}" specified in USING clause does not exist in {side} table'),
    ),
    _rule(
        "Binder",
        r'Duplicate column name "(?P<name>.*)" in INSERT',
        plain("42701", 'column "{name}" specified more than once'),
    ),
    _rule(
        "Binder",
        r"UNNEST\(\) can only be applied to lists, structs and NULL, not (?P<type>.+)",
        no_list,
    ),
    _rule(
        "Binder",
        r"(?P<clause>ORDER|GROUP BY) term out of range.*",
        plain("42P10", "{clause} position is not in select list"),
    ),
    *(
        _rule(
            kind,
            r'Table "(?P<table>.*?)" does not have a column with name "(?P<name>.*?)".*',
            plain("42703", 'column "{name}" of relation "{table}" does not exist'),
        )
        for kind in ("Binder", "Catalog")
    ),
    *(
        _rule("Binder", text, plain("42803", "aggregate functions are not allowed in WHERE"))
        for text in (
            r"WHERE clause cannot contain aggregates.*",
            r"Aggregate with only constant parameters has to be bound in the root subquery.*",
        )
    ),
    _rule(
        "Binder",
        r"aggregate function calls cannot be nested.*",
        plain("42803", "aggregate function calls cannot be nested"),
    ),
    _rule(
        "Binder",
        r"The specified columns as conflict target are not referenced by .*",
        plain(
            "42P10",
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
        ),
    ),
    _rule(
        "Binder",
        r'column "?(?P<name>.*?)"? must appear in the GROUP BY clause or .*',
        plain(
            "42803",
            'column "{name}" must appear in the GROUP BY clause or be used in an aggregate function',
        ),
    ),
    _rule(
        "Binder",
        r"Subquery returns \d+ columns - expected 1.*",
        plain("42601", "subquery must return only one column"),
    ),
    _rule(
        "Binder",
        r"Set operations can only apply to expressions with the same number of result columns",
        plain("42601", "each UNION query must have the same number of columns"),
    ),
    _rule(
        "Invalid type",
        r"Invalid Type \[(?P<type>.*)\]: Invalid type for index key\.",
        plain("0A000", "an index or a key of type {type} is not supported on analytical tables"),
    ),
    *(
        _rule(
            "Binder",
            rf"No function matches the given name and argument types '{call}.*",
            plain("0A000", f"{what} is not supported on analytical tables", hint),
        )
        for call, what, hint in (  # what our own calls are made for
            (r"strftime\(INTERVAL", "to_char of an interval", "Cast it to text."),
            (r"list_resize\(JSONB?,", "SET of a member", "Use jsonb_set."),
        )
    ),
    _rule(
        "Binder",
        r"No function matches the given name and argument types '(?P<name>[^(]+)\((?P<types>.*?)\)'\..*",
        no_match,
    ),
    _rule(
        "Binder",
        r'Could not choose a best candidate function for the function call "(?P<name>[^(]+)'
        r'\((?P<types>.*?)\)"\..*',
        no_choice,
    ),
    _rule(
        "Conversion",
        r"Could not convert string (['\"])(?P<value>.*)\1 to (?P<type>.+)",
        not_converted,
    ),
    _rule(
        "Conversion",
        r"Type (?P<from>.+?) with value .* can't be cast because the value is out of range for the "
        r"destination type (?P<type>.+)",
        beyond,
    ),
    _rule(
        "Conversion",
        r"Type VARCHAR with value '(?P<value>.*)' can't be cast to the destination type .*\[\]",
        malformed_array,
    ),
    _rule("Conversion", r"Could not cast value .* to (?P<type>.+?)!?", beyond),
    _rule(
        "Conversion",
        r'Casting value ".*" to type (?P<type>.+) failed: value is out of range!',
        beyond,
    ),
    _rule("Conversion", r"Unimplemented type for cast \((?P<from>.+) -> (?P<to>.+)\)", not_cast),
    _rule(
        "Conversion",
        r"Malformed JSON at .*Input: (?P<value>.*)",
        plain("22P02", "invalid input syntax for type json", None),
    ),
    _rule(
        "Invalid Input",
        r"Values were not provided for the following prepared statement parameters: (?P<n>\d+).*",
        plain("42P02", "there is no parameter ${n}"),
    ),
    _rule(
        "Binder",
        r"Unexpected prepared parameter\. .*",
        plain(
            "0A000",
            "a parameter is not supported here",
            "RETURNING takes no parameters: let the client add what it knows.",
        ),
    ),
    _rule(
        "Conversion",
        r'invalid (?P<kind>date|time|timestamp) field format: "(?P<value>.*)", expected format is .*',
        plain("22007", 'invalid input syntax for type {kind}: "{value}"'),
    ),
    _rule(
        "Conversion",
        r'timestamp field value "(?P<value>.*)" has a timestamp that is not UTC\..*',
        plain("22007", 'invalid input syntax for type timestamp: "{value}"'),
    ),
    _rule(
        "Conversion",
        r'(date|time|timestamp) field value out of range: "(?P<value>.*?)"(, expected .*)?',
        plain("22008", 'date/time field value out of range: "{value}"'),
    ),
    _rule(
        "Conversion",
        r'extract specifier "(?P<unit>.*)" not recognized',
        plain("22023", 'unit "{unit}" not recognized'),
    ),
    _rule(
        "Not implemented",
        r"Unknown TimeZone '(?P<zone>.*?)'.*",
        plain("22023", 'time zone "{zone}" not recognized'),
    ),
    _rule(
        "Invalid Input",
        r"More than one row returned by a subquery used as an expression.*",
        plain("21000", "more than one row returned by a subquery used as an expression"),
    ),
    _rule(
        "Invalid Input",
        r'Could not parse string "(?P<value>.*?)" according to format specifier "(?P<format>.*?)".*',
        plain("22007", 'invalid value "{value}" for "{format}"'),
    ),
    *(
        _rule("Out of Range", wording, plain(sqlstate, told))
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
        _rule(kind, wording, plain(sqlstate, told))
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
    _rule(
        "Binder",
        r'Failed to create foreign key: incompatible types between column "(?P<key>.*?)" \(".*"\) and column '
        r'"(?P<name>.*?)" \(".*"\)',
        plain(
            "0A000",
            'a foreign key of columns "{name}" and "{key}", which are of different types, is not supported',
            "Give both columns the same type.",
        ),
    ),
    _rule(
        "Binder",
        r'Failed to create foreign key: referenced table "(?P<name>.*)" does not have a primary key or unique .*',
        plain(
            "42830",
            'there is no unique constraint matching given keys for referenced table "{name}"',
        ),
    ),
    _rule(
        "TransactionContext",
        r"Cannot CHECKPOINT: the current transaction .*",
        plain("25001", "CHECKPOINT cannot run in a transaction that has written"),
    ),
    _rule(
        "TransactionContext",
        r"Cannot CHECKPOINT: there are other write transactions active.*",
        plain(
            "55006",
            "cannot checkpoint beside transactions that write, or see what has been changed since",
            "Repeat it afterwards.",
        ),
    ),
    _rule(
        "Catalog",
        r'"?(?P<name>.*?)"? is not an table',
        plain("0A000", 'cannot insert into view "{name}"', NO_VIEW),
    ),
    *(
        _rule("Binder", rf"Can only {word} base table!?", plain("0A000", told, NO_VIEW))
        for word, told in (
            ("update", "updating a view is not supported"),
            ("delete from", "deleting from a view is not supported"),
        )
    ),
    _rule(
        "Binder",
        r"Can only merge into base tables!?",
        plain("0A000", "MERGE INTO a view is not supported", "Write to the table that it reads."),
    ),
    _rule(
        "Binder",
        r'This column is referenced by the generated column "(?P<name>.*)", so its type can not be changed',
        plain("0A000", 'cannot alter type of a column used by generated column "{name}"'),
    ),
    _rule(
        "Catalog",
        r"Cannot drop column: column is a dependency of 1 or more generated column\(s\)",
        plain("2BP01", "cannot drop the column because generated columns depend on it", _NO_COLUMN),
    ),
    _rule(
        "Constraint",
        r"Data contains duplicates on indexed column\(s\)",
        plain("23505", "could not create unique index", "Rows of the table have the same key."),
    ),
    _rule("Out of Range", r"Overflow in \w+ of (?P<type>\w+) .*", beyond),
    _rule("Constraint", r"Incorrect value .* : Overflow in \w+ of (?P<type>\w+) .*", beyond),
    _rule("Out of Range", r"Date out of range", plain("22008", "date out of range")),
    _rule(
        "Conversion",
        r"Date and time not in timestamp range",
        plain("22008", "timestamp out of range"),
    ),
    _rule("Constraint", r"NOT NULL constraint failed: (?P<table>.+)\.(?P<column>[^.]+)", null),
    _rule(
        "Constraint",
        r"CHECK constraint failed on table (?P<table>.+?) with expression (?P<expression>.*)",
        check,
    ),
    _rule(
        "Constraint",
        r'Duplicate key "(?P<key>.*)" violates (primary key|unique) constraint.*',
        duplicate,
    ),
    *(
        _rule(
            kind,
            r'.*PRIMARY KEY or UNIQUE constraint violation: duplicate key "(?P<key>.*)".*',
            duplicate,
        )
        for kind in ("Constraint", "TransactionContext")
    ),
    _rule(
        "Constraint",
        r'Violates foreign key constraint because key "(?P<key>.*)" does not exist in the .*',
        unreferenced,
    ),
    _rule(
        "Constraint",
        r'Violates foreign key constraint because key "(?P<key>.*)" is still referenced .*',
        referenced,
    ),
)


def wording(error: DuckFailure) -> Wording | None:
    """The error in Postgres's words, None where it keeps its own."""
    for kind, pattern, told in _RULES:
        if kind == error.kind and (found := pattern.fullmatch(error.message)):
            return told(found)
    return None
