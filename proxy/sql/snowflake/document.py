"""Writes docs/snowflake.md from the tables that the translation runs on.

Why it exists: a page written by hand would soon say something else than the code. The names come
from the registry and the macros; what differs or is refused by decision is the two tables below.

`python -m proxy.sql.snowflake.document > docs/snowflake.md`
"""

from __future__ import annotations

from proxy.sql.snowflake import registry

DIFFERENT: tuple[tuple[str, str], ...] = (
    ("unquoted names", "are lower case, as Postgres clients expect"),
    ("unnamed columns", "have Postgres's names: `count`, not `COUNT(*)`"),
    ("INT and its kin", "are 64-bit integers; a value that does not fit raises"),
    ("timestamps", "have microseconds; nanoseconds are cut"),
    (
        "TIMESTAMP_TZ",
        "keeps the instant, not the offset: a column's dates, hours and texts are those of the"
        " session's zone; what would show the offset of one made on the spot is refused",
    ),
    ("numbers in a VARIANT", "lose trailing zeros; their exponents once taken out of a path"),
    (
        "VARIANT columns",
        "are grouped, made distinct, ordered and compared by their JSON text, unless they are paths,"
        " FLATTEN's columns or cast",
    ),
    ("UNION of columns", "of NUMBER(38, s) with different s takes the fraction of the shorter"),
    ("PRIMARY KEY and UNIQUE", "are enforced; FOREIGN KEY is not"),
    ("DML", "reports its row count in the command tag, not as a row"),
)
REFUSED: tuple[tuple[str, str], ...] = (
    (
        "HASH, HASH_AGG",
        "whose values are Snowflake's own, unless they are only compared or counted",
    ),
    ("seeded RANDOM", "its values are Snowflake's own"),
    ("COMPRESS, ENCRYPT and their inverses", "the engine has neither"),
    ("XML: PARSE_XML, CHECK_XML, TO_XML, XMLGET", "no type carries it"),
    ("number formats with EE, TM or %", "no counterpart yet"),
    ("MINHASH, HLL_EXPORT and HLL_IMPORT", "their states are Snowflake's own"),
    ("CONDITIONAL_CHANGE_EVENT of NULL", "raises"),
    ("MATCH_RECOGNIZE", "no faithful form yet"),
    ("PIVOT over ANY twice in a statement", "its values are read before it is planned"),
    ("NOT LIKE ALL of several patterns", "the reference says two things"),
    ("COUNT(t.*)", "counts rows without NULLs"),
    ("WHEN NOT MATCHED BY SOURCE", "is not Snowflake's"),
    ("COLLATE", "comparisons would need it everywhere"),
    ("AT, BEFORE, UNDROP, CHANGES", "there is no history"),
    ("AUTOINCREMENT", "use a sequence: DEFAULT s.NEXTVAL"),
    ("GEOGRAPHY but points, GEOMETRY, FILE, DECFLOAT", "no type carries them"),
    ("CREATE STAGE, STREAM, TASK, DYNAMIC TABLE", "not yet"),
    ("functions and procedures in other languages than SQL", "write them in SQL"),
    ("functions of a built-in function's name", "calls would reach the built-in one"),
    ("ASYNC, AWAIT, handlers that CONTINUE, procedures within blocks", "not yet"),
    ("SQLERRM, SQLCODE and SQLSTATE of errors whose Snowflake text is not known", "when read"),
    ("an exception caught inside a transaction that it ended", "outside one, it is caught"),
    ("RESULT_SCAN of what gives something else now", "results are read again, not kept"),
    (
        "describing PIVOT over ANY, RESULT_SCAN and blocks whose columns hang on what runs",
        "send them as simple queries",
    ),
    ("RESULT_SCAN within a script", "assign the query to a RESULTSET"),
    ("an inferred variable given a value of another type", "declare its type"),
)
POSTGRES: tuple[tuple[str, str], ...] = (
    ("numeric / numeric", "has 16 decimals"),
    ("numeric without precision", "is numeric(38,16)"),
    ("avg, stddev, sqrt, power of numeric", "and quotients of aggregates are float8"),
    ("a float that overflows", "is Infinity"),
    ("char(n)", "is not padded in a column; a cast to it is refused"),
    ("json columns", "are compared by their text; jsonb is json, in the order it was written"),
    ("rows", "`row(1, 'a')` and `SELECT t FROM t` are shown as JSON"),
    ("alternatives in regexp_replace", "the first that fits wins, not the longest"),
    ("to_char of numbers, format, to_number, SIMILAR TO with brackets", "are refused"),
)


def _table(rows: tuple[tuple[str, str], ...]) -> list[str]:
    return ["| what | how |", "| --- | --- |", *(f"| {what} | {how} |" for what, how in rows), ""]


def page() -> str:
    """The page, in Markdown."""
    names = ", ".join(sorted(registry.FUNCTIONS))
    lines = [
        "# Snowflake's SQL here",
        "",
        "Written by `python -m proxy.sql.snowflake.document`; do not edit.",
        "",
        "What cannot be done as Snowflake does it is refused with 0A000, before anything runs. What",
        "follows is the exception: done, and different by decision.",
        "",
        "## Differs",
        "",
        *_table(DIFFERENT),
        "## Refused",
        "",
        *_table(REFUSED),
        "## Functions with rules of their own",
        "",
        "All others are sqlglot's translation, or DuckDB's function of that name.",
        "",
        names,
        "",
        "## The postgres dialect",
        "",
        "Compared with Postgres statement by statement in `tests/sql/test_postgres_answers.py`.",
        "",
        *_table(POSTGRES),
    ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
