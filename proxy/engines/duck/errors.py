"""DuckDB's errors as Postgres's: one table from its exception types to SQLSTATE.

A client decides by SQLSTATE what to do next (retry, create the table, give up), so the class must
be right; the message is DuckDB's own without the engine's noise, its suggestions become the HINT.
"""

from __future__ import annotations

from proxy.engines.duck.c import DuckFailure, Interrupted
from proxy.engines.duck.functions import MARK
from proxy.engines.duck.wordings import wording
from proxy.errors import SqlError

# (exception type, error_subtype or catalog entry type) -> SQLSTATE; the pair is looked up before
# the type alone.
_SQLSTATES: dict[tuple[str, str], str] = {
    ("Parser", ""): "42601",
    ("Syntax", ""): "42601",
    ("Catalog", ""): "42704",
    ("Catalog", "Table"): "42P01",
    ("Catalog", "View"): "42P01",
    ("Catalog", "Schema"): "3F000",
    ("Catalog", "Scalar Function"): "42883",
    ("Catalog", "Aggregate Function"): "42883",
    ("Catalog", "Table Function"): "42883",
    ("Catalog", "Macro Function"): "42883",
    ("Catalog", "Table Macro Function"): "42883",
    ("Catalog", "ENTRY_ALREADY_EXISTS"): "42710",
    ("Catalog", "ENTRY_ALREADY_EXISTS Table"): "42P07",
    ("Catalog", "ENTRY_ALREADY_EXISTS View"): "42P07",
    ("Catalog", "ENTRY_ALREADY_EXISTS Index"): "42P07",
    ("Catalog", "ENTRY_ALREADY_EXISTS Schema"): "42P06",
    ("Binder", ""): "42601",
    ("Binder", "COLUMN_NOT_FOUND"): "42703",
    ("Binder", "NO_MATCHING_FUNCTION"): "42883",
    ("Conversion", ""): "22P02",
    ("Out of Range", ""): "22003",
    ("Divide by Zero", ""): "22012",
    ("Decimal", ""): "22003",
    ("Mismatch Type", ""): "42804",
    ("Invalid type", ""): "42704",
    ("Object Size", ""): "54000",
    ("Constraint", ""): "23000",
    ("TransactionContext", ""): "25000",
    ("Serialization", ""): "40001",
    ("Not implemented", ""): "0A000",
    ("Invalid Input", ""): "22023",
    ("INTERRUPT", ""): "57014",
    ("Out of Memory", ""): "53200",
    ("Permission", ""): "42501",
    ("IO", ""): "58030",
    ("FATAL", ""): "XX000",
    ("INTERNAL", ""): "XX000",
    ("Dependency", ""): "2BP01",
    ("Sequence", ""): "55000",
    ("Settings", ""): "22023",
    ("Parameter Not Resolved", ""): "42P18",
    ("Parameter Not Allowed", ""): "42P02",
    ("Missing Extension", ""): "0A000",
    ("Extension Autoloading", ""): "0A000",
    ("Expression", ""): "42601",
    ("Connection", ""): "08000",
}

# Where DuckDB has one type for what Postgres tells apart and gives no subtype, its wording decides:
# (exception type, opening or part of the message) -> SQLSTATE.
_WORDINGS: tuple[tuple[str, str, str], ...] = (
    ("Constraint", "NOT NULL constraint failed", "23502"),
    ("Constraint", "CHECK constraint failed", "23514"),
    ("Constraint", "Duplicate key", "23505"),
    ("Constraint", "violates primary key constraint", "23505"),
    ("Constraint", "violates unique constraint", "23505"),
    ("Constraint", "PRIMARY KEY or UNIQUE constraint violation", "23505"),
    ("Constraint", "oreign key", "23503"),
    ("Binder", "does not have a column with name", "42703"),
    ("Binder", "LIMIT/OFFSET cannot be negative", "2201W"),
    ("Binder", "Cannot insert into a generated column", "428C9"),
    ("Binder", "because it is a generated column", "428C9"),
    ("Binder", "Constraints on generated columns", "0A000"),
    ("Parser", "TO MONTH is not supported", "0A000"),  # an interval's fields
    ("Parser", "TO HOUR is not supported", "0A000"),
    ("Parser", "TO MINUTE is not supported", "0A000"),
    ("Parser", "TO SECOND is not supported", "0A000"),
    ("Parser", "Increment must not be zero", "22023"),
    ("Parser", "must be less than MAXVALUE", "22023"),
    ("Parser", "START value (", "22023"),
    ("Constraint", "Overflow in", "22003"),  # of what a generated column computes
    ("Constraint", "Incorrect value for generated column", "22000"),
    ("Binder", "Duplicate alias", "42712"),
    ("Binder", "Ambiguous reference to column", "42702"),
    ("Binder", "must appear in the GROUP BY clause", "42803"),
    ("Binder", "aggregate", "42803"),
    ("Binder", "Referenced table", "42P01"),
    ("Binder", "does not have a column named", "42703"),
    ("Binder", "not found in FROM clause", "42703"),
    ("Binder", "Cannot mix values of type", "42804"),
    ("Binder", "Cannot compare values of type", "42883"),
    ("Catalog", "Column with name", "42701"),
    ("Catalog", "because schema", "3F000"),
    ("Catalog", "Schema with name", "3F000"),
    ("Binder", "Referenced update column", "42703"),
    ("Conversion", "out of range for the destination type", "22003"),
    ("Conversion", "value is out of range", "22003"),
    ("Conversion", "Unimplemented type for cast", "42846"),
    ("Conversion", "out of range: ", "22008"),
    ("Conversion", "invalid date field", "22007"),
    ("Conversion", "invalid timestamp field", "22007"),
    ("Conversion", "Could not cast value", "22003"),
    ("Invalid Input", "More than one row returned by a subquery", "21000"),
    *(
        ("Invalid Input", complaint, "2201B")  # RE2's
        for complaint in (
            "missing )",
            "missing ]",
            "unexpected )",
            "trailing \\",
            "no argument for repetition",
            "bad repetition operator",
            "invalid escape sequence",
            "invalid character class",
            "invalid perl operator",
            "invalid repetition",
            "invalid named capture",
        )
    ),
    # What our own macros raise, in Postgres's and Snowflake's words.
    ("Invalid Input", "invalid input syntax for type date", "22007"),
    ("Invalid Input", "invalid input syntax for type time", "22007"),
    ("Invalid Input", "invalid input syntax for type", "22P02"),
    ("Invalid Input", 'relation "', "42P01"),
    ("Invalid Input", 'schema "', "3F000"),
    ("Invalid Input", "out of range", "22003"),
    ("Invalid Input", "is not recognized", "22P02"),
    ("Invalid Input", "cannot affect row a second time", "21000"),
    ("Invalid Input", "negative substring length", "22011"),
    ("Invalid Input", "raised to a", "2201F"),
    ("Invalid Input", "LIMIT must not be negative", "2201W"),
    ("Invalid Input", "OFFSET must not be negative", "2201X"),
    ("Invalid Input", "cannot cast type", "42846"),
    ("Invalid Input", "is not supported", "0A000"),
    ("Invalid Input", "needs a cast", "0A000"),
    ("Invalid Input", "Failed to cast", "22P02"),
    ("Invalid Input", "too long", "22001"),
    ("Invalid Input", "read-only mode", "25006"),
    ("Invalid Input", "division by zero", "22012"),
    ("Invalid Input", "no SQL/JSON item found", "22035"),
    ("Invalid Input", "JSON path expression in JSON_VALUE", "2203F"),
    ("Invalid Input", "JSON path expression in JSON_QUERY", "22034"),
    ("Invalid Input", "cannot use type", "42804"),
    ("Invalid Input", "Division by zero", "22012"),
    ("TransactionContext", "onflict", "40001"),
    ("TransactionContext", "another transaction has", "40001"),
    ("TransactionContext", "No space left on device", "53100"),
    ("TransactionContext", "Could not write file", "58030"),
    ("IO", "No space left on device", "53100"),
    ("FATAL", "No space left on device", "53100"),
    ("TransactionContext", "Could not commit", "40001"),  # what another has made depends on it
    ("TransactionContext", "read-only mode", "25006"),
    ("TransactionContext", "Current transaction is aborted", "25P02"),
    ("TransactionContext", "Cannot start a transaction within", "25001"),
    ("TransactionContext", "no transaction is active", "25P01"),
    ("TransactionContext", "PRIMARY KEY or UNIQUE constraint violation", "23505"),
    ("Catalog", "write-write conflict", "40001"),
)


class EngineError(SqlError):
    """An error of DuckDB's. offset: bytes into the SQL that DuckDB was given, where it said so.

    missing: the name of the relation that there is not. key: of one about a constraint, what DuckDB
    says of the key or the check; is_referenced: it is that of a row which another table refers to.
    sql, table: the statement of DuckDB's, or the table, that met it. said: DuckDB's own words, of a
    statement that it does not bind.
    """

    offset: int | None = None
    missing: str = ""
    key: str = ""
    is_referenced: bool = False
    sql: str = ""
    table: tuple[str, ...] = ()
    said: str = ""


def sql_error(error: DuckFailure) -> EngineError:
    """What the client is told; the position in the client's own text is for the caller to find."""
    if isinstance(error, Interrupted):
        return EngineError("57014", "canceling statement due to user request")
    if error.message.startswith(MARK):
        _, sqlstate, message, detail, *_ = error.message.split(MARK)
        told = EngineError(sqlstate, message, detail=detail or None)
    elif (worded := wording(error)) is not None:
        told = EngineError(
            worded.sqlstate,
            worded.message,
            detail=worded.detail,
            hint=worded.hint,
            objects=dict(worded.objects),
        )
        told.key, told.is_referenced = worded.key, worded.is_referenced
    else:
        message, hint = _split_hint(error)
        told = EngineError(_sqlstate(error), message, hint=hint)
    if error.kind == "Binder":
        told.said = error.message
    told.collided = error.kind == "TransactionContext" and told.sqlstate in ("40001", "55006")
    if error.fields.get("error_subtype") == "MISSING_ENTRY":
        told.missing = error.fields.get("name", "")
    if (offset := error.fields.get("position", "")).isdigit():
        told.offset = int(offset)
    return told


def is_fatal(error: DuckFailure) -> bool:
    """Whether the database gives nothing but this error until it is opened anew."""
    return error.kind == "FATAL"


def _sqlstate(error: DuckFailure) -> str:
    taken = error.fields.get("error_subtype") == "ENTRY_ALREADY_EXISTS"
    for kind, part, sqlstate in _WORDINGS:
        if kind == error.kind and part in error.message and not taken:
            return sqlstate
    subtype, entry = error.fields.get("error_subtype", ""), error.fields.get("type", "")
    for key in (f"{subtype} {entry}", entry if subtype == "MISSING_ENTRY" else subtype, ""):
        if sqlstate := _SQLSTATES.get((error.kind, key)):
            return sqlstate
    return "XX000"


def _split_hint(error: DuckFailure) -> tuple[str, str | None]:
    """DuckDB's first line is the message; its suggestions, where they help a client, the hint."""
    message, _, rest = (error.message or "DuckDB gave no reason").partition("\n")
    if error.fields.get("error_subtype") == "MISSING_ENTRY" and error.fields.get("type") in (
        "Table",
        "View",
    ):
        # DuckDB names whatever is nearest, however far; Postgres says nothing here either.
        return f'relation "{error.fields.get("name", "")}" does not exist', None
    if error.fields.get("error_subtype") == "COLUMN_NOT_FOUND":
        message = f'column "{error.fields.get("name", "")}" does not exist'
        candidates = error.fields.get("candidates", "")
        return message, f"Perhaps you meant {candidates}." if candidates else None
    return message, rest.strip() or None
