"""Writes docs/snowflake.md from the tables that the translation runs on.

Why it exists: a page written by hand would soon say something else than the code. The names come
from the registry and the macros; what differs or is refused by decision is the two tables below.

`python -m proxy.sql.snowflake.document > docs/snowflake.md`
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from proxy.sql.snowflake import (
    accepted,
    definitions,
    file_formats,
    information_schema,
    registry,
    show,
)
from proxy.sql.snowflake.context import CONTEXT_FUNCTIONS
from proxy.sql.snowflake.parameters import PARAMETERS

DIFFERENT: tuple[tuple[str, str], ...] = (
    ("unquoted names", "are lower case, as Postgres clients expect"),
    ("unnamed columns", "have Postgres's names: `count`, not `COUNT(*)`"),
    ("INT and its kin", "are 64-bit integers; a value that does not fit raises"),
    (
        "timestamps",
        "have microseconds; more digits are kept of one that is cast from a literal, until something"
        " is calculated with it",
    ),
    (
        "TIMESTAMP_TZ",
        "keeps its offset within a statement that shows where it was made (a cast, TO_TIMESTAMP_TZ,"
        " CONVERT_TIMEZONE, DATEADD of these); a column keeps the instant: its dates, hours and texts"
        " are those of the session's zone",
    ),
    (
        "numbers in a VARIANT",
        "lose trailing zeros; one with an exponent is shown as it was written. Of what is grouped by"
        " a VARIANT, or united, numbers are shown in full: 2e3 as 2000, a DECIMAL to TYPEOF",
    ),
    (
        "VARIANTs of different types",
        "have an order that Snowflake does not document: numbers, truth values, strings, arrays,"
        " objects, JSON null, and NULL last. A number or a truth value beside a VARIANT is made one,"
        " and is neither less nor greater than a text, an array or an object, which raises; JSON null"
        " beside it is unknown. Beside a text a VARIANT is its text, beside a date or time it is cast",
    ),
    (
        "a text beside a number",
        "is read as a number of 26 digits before the point, more of which raise, and 12 behind it",
    ),
    (
        "PRIMARY KEY and UNIQUE",
        "are enforced, since Postgres's clients count on it, unless the session says"
        " `SET hatidata.enforce_keys = off` before it makes a table; FOREIGN KEY is not",
    ),
    ("DML", "reports its row count in the command tag, not as a row"),
    ("the schema PUBLIC", "is `main` to DuckDB's own functions, and `public` everywhere else"),
    (
        "SHOW, DESCRIBE and INFORMATION_SCHEMA",
        "show names in lower case. Rows and bytes are counted when they are asked for, table by table."
        " All timestamps and times are shown with precision 9, VARIANT, OBJECT and ARRAY as VARIANT,"
        " TIMESTAMP_TZ as LTZ, a default as DuckDB writes it, a view's text as GET_DDL gives it",
    ),
    (
        "CREATED, LAST_ALTERED, LAST_DDL and created_on",
        "are of the statements that defined a thing: a rename keeps CREATED, CREATE OR REPLACE does not."
        " LAST_ALTERED is LAST_DDL: rows that change do not change it. What was defined before times were"
        " kept, or while Postgres was away, has that of when it was found; those of temporary tables,"
        " keys, roles and grants are NULL, and so is LAST_DDL_BY",
    ),
    (
        "BYTES",
        "are the blocks of DuckDB's file that a table lies in, which small tables share, and until a"
        " checkpoint the widths of its values; `pg_total_relation_size` is about the empty relation that"
        " stands for it in the catalog",
    ),
    (
        "owners",
        "what is all clients' is the asking one's; owner_role_type is ROLE",
    ),
    (
        "SHOW GRANTS, and the views over rights",
        "tell what Postgres keeps: an owner has OWNERSHIP, a client is a role and a user at once."
        " SHOW FUTURE GRANTS lists ALTER DEFAULT PRIVILEGES",
    ),
    (
        "FOREIGN KEY",
        "is listed (SHOW IMPORTED KEYS), not enforced; its columns keep their old names",
    ),
    ("DROP SCHEMA", "of what is not empty asks for CASCADE, as Postgres does"),
    ("MATERIALIZED VIEW, DYNAMIC TABLE", "are views, with a notice"),
    ("USE SCHEMA", "is where all names are looked for; PUBLIC is not looked into beside it"),
    ("USE WAREHOUSE", "takes any name: the server itself computes"),
    ("USE ROLE", "takes the session's own role; USE SECONDARY ROLES takes ALL"),
    ("CURRENT_ACCOUNT, CURRENT_REGION, CURRENT_VERSION", "are this server's"),
    (
        "RESULT_SCAN(LAST_QUERY_ID(-n))",
        "asks the statement again, and is refused where that would give something else; what was"
        " scanned once is kept",
    ),
    ("CLONE", "copies the rows; LIKE and CLONE keep defaults, keys, comments and identities"),
    (
        "TIMESTAMP(n) and TIME(n) of columns, BINARY(n)",
        "keep six digits and any length, whatever n is; a cast to TIMESTAMP(0), TIMESTAMP(3), TIME(0)"
        " or TIME(3) cuts the digits, and is refused for other n below six",
    ),
    (
        "dates, times and timestamps in a VARIANT column",
        "are texts there: TYPEOF says VARCHAR, IS_DATE and its kin false; before they are stored they"
        " keep their type",
    ),
    ("AS_TIMESTAMP_TZ of TO_VARIANT of a TIMESTAMP_TZ", "gives the instant, its offset lost"),
    (
        "a text column beside an INT column of a VALUES or of a query of literals",
        "is compared as DuckDB casts it, `'1.4' = 1` being true; beside tables' columns as in Snowflake",
    ),
    (
        "a field within a field of a structured OBJECT's cast",
        "is a VARIANT, whose text it shows",
    ),
    ("intervals", "are shown as Postgres shows them, and have no precision"),
    (
        "a DATE plus INTERVAL '3' DAY",
        "is a DATE, as it is with INTERVAL '3 days'; in Snowflake a TIMESTAMP",
    ),
    ("COALESCE and its kin of a BOOLEAN and a number", "give a number"),
    (
        "elements that an array leaves out (`[1, ,2]`), and SQL's NULL in one",
        "are JSON nulls, of which IS NULL says no; FLATTEN makes no row of one where the array is a literal",
    ),
    (
        "CREATE, ALTER, DROP",
        "are part of the transaction that they stand in; they do not commit it",
    ),
    (
        "TIMEZONE",
        "is UTC until the session or the server's settings say otherwise, not America/Los_Angeles",
    ),
    (
        "sequences whose names end in `_identity`",
        "are those of AUTOINCREMENT and IDENTITY columns, and not listed",
    ),
    (
        "CLUSTER BY, TRANSIENT, COPY GRANTS, SECURE, RELY, DATA_RETENTION_TIME_IN_DAYS",
        "are accepted and have no effect",
    ),
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
    ("HLL_EXPORT and HLL_IMPORT", "their states are Snowflake's own"),
    ("LAG, LEAD within CONDITIONAL_TRUE_EVENT", "compute them in a subquery"),
    (
        "in MATCH_RECOGNIZE: columns of symbols, FIRST and aggregates without a frame in DEFINE; PREV,"
        " NEXT, LAG and LEAD of a symbol's column, RANK and its kin, windows within windows",
        "as the reference's table of limitations has it",
    ),
    (
        "MATCH_SEQUENCE_NUMBER and plain columns as measures of a pattern that may match no rows",
        "what they are at an empty match is not documented; say OMIT EMPTY MATCHES",
    ),
    (
        "PERCENTILE_DISC OVER in descending order, TIME_SLICE to a START or END that is no literal",
        "compute the one in a subquery with GROUP BY, write the other in a CASE",
    ),
    ("PIVOT with several aggregates", "as in the reference: UNION a PIVOT for each"),
    (
        "CONNECT BY NOCYCLE, CONNECT_BY_ISLEAF, CONNECT_BY_ISCYCLE",
        "the reference says that Snowflake lacks them",
    ),
    ("SAMPLE SYSTEM of a number of rows, SEED with a number of rows", "errors in Snowflake too"),
    (
        "JOIN ... USING and NATURAL JOIN over VARIANT columns, or over a text and a number",
        "write ON; DISTINCT with an order inside an aggregate is refused for VARIANTs too",
    ),
    (
        "UNION of a column of texts and one of numbers or dates",
        "Snowflake casts the texts; cast one of them. A literal beside numbers or dates is one",
    ),
    ("NOT LIKE ALL of several patterns", "the reference says two things"),
    ("COUNT(DISTINCT t.*)", "no faithful form"),
    ("ALL BY NAME in MERGE, RESAMPLE", "name the columns; join a GENERATOR of the times"),
    (
        "CREATE OR ALTER TABLE",
        "that moves columns, adds them elsewhere than at the end, changes defaults, checks or foreign"
        " keys, or is of a query; of other objects than tables and views",
    ),
    ("WHEN NOT MATCHED BY SOURCE", "is not Snowflake's"),
    (
        "COLLATE outside of a comparison, order by a language's, accents, columns with one",
        "every comparison to come would need it",
    ),
    ("AT (but of now), BEFORE, UNDROP, CHANGES", "there is no history"),
    ("GEOGRAPHY but points, GEOMETRY, FILE, DECFLOAT", "no type carries them"),
    (
        "CREATE ROLE, DROP ROLE, GRANT ROLE",
        "roles without a login, in Postgres; whoever made one grants it on and drops it",
    ),
    (
        "GRANT, REVOKE on tables, views, schemas, sequences",
        "Postgres keeps them; nothing enforces them on analytical tables yet. Rights on warehouses, "
        "functions, the database and what is yet to be made are taken with a notice",
    ),
    (
        "XML that is read from a column",
        "shows as the object that it is, with $ and @; a cast to VARCHAR and TO_XML write it as XML",
    ),
    (
        "ENCRYPT and DECRYPT",
        "have a layout of their own: what Snowflake has encrypted is not read; the RAW forms are AES's",
    ),
    (
        "ST_CONTAINS and its kin",
        "are for a polygon and a point; two shapes that extend, and points on an edge, are refused",
    ),
    ("a function whose block loops, catches or queries", "write an expression, or a procedure"),
    ("functions and procedures in other languages than SQL", "write them in SQL"),
    ("functions of a built-in function's name", "calls would reach the built-in one"),
    ("SQLERRM, SQLCODE and SQLSTATE of errors whose Snowflake text is not known", "when read"),
    ("an exception caught inside a transaction that it ended", "outside one, it is caught"),
    ("RESULT_SCAN of what gives something else now", "results are read again, not kept"),
    (
        "describing blocks whose columns hang on what runs",
        "send them as simple queries",
    ),
    ("RESULT_SCAN within a script", "of a statement that the script itself has not run"),
    ("an inferred variable given a value of another type", "declare its type"),
    ("ALTER TABLE ... SWAP WITH another schema's table", "no faithful form"),
    ("CLONE of a schema or of an earlier state", "there is no history"),
    ("IDENTIFIER, $x and RESULT_SCAN with relations of hd_runtime", "Postgres reads these itself"),
)
STAGES: tuple[tuple[str, str], ...] = (
    (
        "stages",
        "are directories of the server's: named ones, `@~`, `@%table`; external ones (URL) are refused",
    ),
    (
        "PUT and GET",
        "run in the server, not in the client, and touch only directories that it was started with"
        " (`--allow-directory`); through the connection go `COPY @stage/file FROM STDIN` and"
        " `COPY @stage/file TO STDOUT`, in psql `\\copy @stage/file from 'file'`",
    ),
    (
        "files",
        "are not part of a transaction: one that was put, removed or unloaded stays so after"
        " ROLLBACK; what PURGE and DROP STAGE remove is removed at COMMIT",
    ),
    (
        "COPY INTO a table",
        "is part of the transaction, and so is what it remembers of the files; where nothing was to"
        " be loaded, the row that says so has all the columns; `first_error_character` is NULL",
    ),
    ("METADATA$FILE_ROW_NUMBER", "counts records from 1, after the header"),
    (
        "Parquet",
        "fields that are NULL are absent in `$1`; numbers of more than 15 digits are texts",
    ),
    ("column names in files", "that are unloaded are lower case where they were not quoted"),
    ("TYPE", "AVRO, ORC and XML are refused"),
    ("MATCH_BY_COLUMN_NAME = CASE_SENSITIVE", "is refused: unquoted names are lower case here"),
    ("SELECT *, views, streams and external tables over a stage", "are refused"),
    ("COPY_OPTIONS of a stage, VALIDATION_MODE of an unload or a transformation", "are refused"),
    (
        "INFER_SCHEMA",
        "looks at all records; GET_PRESIGNED_URL and other functions over URLs do not exist",
    ),
)
POSTGRES: tuple[tuple[str, str], ...] = (
    ("numeric / numeric", "has 16 decimals"),
    ("numeric without precision", "is numeric(38,16)"),
    ("stddev, sqrt, power of numeric", "are float8"),
    ("a sum or avg of floats that overflows", "is Infinity"),
    ("char(n)", "is not padded in a column; a cast to it is refused"),
    (
        "json columns",
        "are compared by their text; jsonb's as Postgres writes it, where 1.0 is not 1.00; ORDER BY"
        " goes by the text",
    ),
    ("rows", "`row(1, 'a')` and `SELECT t FROM t` are shown as JSON"),
    ("alternatives in regexp_replace", "the first that fits wins, not the longest"),
    (
        "to_char of numbers in words or exponents, to_number, SIMILAR TO with brackets",
        "are refused",
    ),
    ("jsonb_set, jsonb_path_..., #-, || of documents", "are refused: documents are not changed"),
    ("@>", "of documents nested deeper than four levels raises"),
    ("WITH of a statement that changes data", "is refused"),
)


def _table(rows: tuple[tuple[str, str], ...]) -> list[str]:
    return ["| what | how |", "| --- | --- |", *(f"| {what} | {how} |" for what, how in rows), ""]


def _rule(text: str) -> list[str]:
    """A module's words on what it decides, without their first line."""
    return text.strip().splitlines()[2:]


def _cases(tests: Path) -> list[str]:
    """How many of the documented cases are right, by area, and what is with the others."""
    areas: dict[str, str] = {}
    for line in (tests / "data" / "snowflake_cases.jsonl").read_text().splitlines():
        case = json.loads(line)
        areas[case["id"]] = case["area"]
    others = []
    for line in (tests / "sql" / "not_right.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            others.append(line.split(maxsplit=2))
    all_, missed = Counter(areas.values()), Counter(areas[name] for name, _, _ in others)
    lines = ["| area | cases | right |", "| --- | --- | --- |"]
    lines += [f"| {area} | {all_[area]} | {all_[area] - missed[area]} |" for area in sorted(all_)]
    lines += [f"| all | {all_.total()} | {all_.total() - missed.total()} |", ""]
    lines += ["| case | area | what | why |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {areas[name]} | {_SAID[how]} | {why} |" for name, how, why in others]
    return [*lines, ""]


_SAID = {"refused": "refused, 0A000", "wrong": "differs", "error": "an error"}


def page(tests: Path) -> str:
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
        "## The documented cases",
        "",
        "`tests/sql/test_cases.py` runs them through the server. What is not right:",
        "",
        *_cases(tests),
        "## About Snowflake's cloud",
        "",
        "CREATE, ALTER and DROP of these are taken with a notice, and nothing is done:",
        "",
        *_table(tuple(accepted.TAKEN.items())),
        "Of these they are refused, with what to do instead:",
        "",
        *_table(tuple(accepted.REFUSED.items())),
        "## The catalog",
        "",
        "SHOW lists: " + ", ".join(show.LISTED) + ", STAGES, FILE FORMATS.",
        "",
        "SHOW refuses what begins with: " + ", ".join(show.NOT_LISTED) + ".",
        "",
        "DESCRIBE knows tables, views, schemas, databases, sequences, stages and file formats.",
        "",
        "INFORMATION_SCHEMA has: " + ", ".join(map(str.upper, information_schema.VIEWS)) + ".",
        "",
        *_rule(information_schema.__doc__ or ""),
        "",
        "What is refused comes with what to do instead:",
        "",
        *_table(tuple(definitions.HINTS.items())),
        "## Stages and files",
        "",
        *_table(STAGES),
        "Options of a file format, by TYPE; those in brackets are taken only with the value that",
        "they have without being said:",
        "",
        *_table(file_formats.documented()),
        "## The session",
        "",
        "Context functions: " + ", ".join(CONTEXT_FUNCTIONS) + ".",
        "",
        "`SET x = e` makes a session variable unless `x` is a setting of Postgres's or of this server.",
        "`$x` is its value; `$1` is a parameter. Variables are not undone by ROLLBACK.",
        "",
        "ALTER SESSION SET takes these with any value:",
        ", ".join(name.upper() for name, one in PARAMETERS.items() if not one.fixed) + ".",
        "",
        "And these with the value that they have, which is what answers are made for:",
        "",
        *_table(
            tuple(
                (name.upper(), f"`{one.default}`" if one.default else "unset")
                for name, one in sorted(PARAMETERS.items())
                if one.fixed
            )
        ),
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
    print(page(Path("tests")), end="")
