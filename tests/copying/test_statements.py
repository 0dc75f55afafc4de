"""What COPY statements mean: which columns, which options, which tables, in which transaction."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from tests.copying.both import Both, Failure

# --- options --------------------------------------------------------------------------------------

_FROM_OPTIONS = """
    (format text) | (format csv) | (format binary) | (format nonsense) | (format 'CSV') | csv | binary
    (format csv, format csv) | (delimiter '|', delimiter ',') | csv csv | (nonsense) | (format)
    (delimiter '') | (delimiter '||') | (delimiter 'é') | (delimiter E'\\n') | (delimiter 'a')
    (delimiter '.') | (delimiter E'\\\\') | (delimiter 'A') | (format csv, delimiter 'a')
    (format csv, delimiter '"') | (format csv, delimiter ';') | (format binary, delimiter ',')
    (null E'a\\nb') | (null E'a\\tb') | (null 'x') | (format binary, null 'x') | (null 'x', null 'y')
    (format csv, null '"') | (format csv, null ',') | (format csv, null 'NULL')
    (header) | (header true) | (header 1) | (header 0) | (header match) | (header 'MATCH')
    (header maybe) | (header 2) | (format csv, header off) | (format binary, header)
    (format binary, header false) | csv header | header
    (quote '"') | (format csv, quote '') | (format csv, quote 'ab') | (format csv, quote '''')
    (escape '"') | (format csv, escape '') | (format csv, escape 'ab') | (format csv, escape E'\\\\')
    (force_quote *) | (format csv, force_quote *) | (format csv, force_quote (a))
    (force_not_null (a)) | (format csv, force_not_null (a)) | (format csv, force_not_null (b))
    (format csv, force_not_null (nonsense)) | (format csv, force_not_null a)
    (force_null (a)) | (format csv, force_null (a)) | (format csv, force_null (nonsense))
    csv force null a | csv force not null a, b | csv force quote a
    (encoding 'UTF8') | (encoding 'utf-8') | (encoding 'nonsense') | delimiters '|' | delimiter as '|'
    with delimiter '|' null as 'x' | csv quote as '''' escape as E'\\\\' | (freeze false)
    (format csv, quote ',', delimiter ',') | (null '')
"""
_TO_OPTIONS = """
    (format csv, force_quote *) | (format csv, force_quote (a)) | (format csv, force_quote (b, a))
    (format csv, force_quote (nonsense)) | (force_quote (a)) | csv force quote a | csv force quote *
    (format csv, force_not_null (a)) | (format csv, force_null (a)) | (header match) | (header)
    (format csv, header) | (format binary, header) | (format csv, delimiter 'é') | (null 'N')
"""


def _listed(options: str) -> list[str]:
    return [option.strip() for line in options.strip().splitlines() for option in line.split(" | ")]


# Since version 17 Postgres calls these invalid; before, not supported, which is what we say.
_NOW_INVALID = frozenset(
    {
        "(null E'a\\tb')",
        "(format csv, null '\"')",
        "(format csv, null ',')",
        "(format csv, force_not_null (a))",
        "(format csv, force_null (a))",
    }
)


@pytest.mark.parametrize("options", _listed(_FROM_OPTIONS))
def test_options_of_copy_from_are_taken_and_refused_as_by_postgres(
    both: Both, options: str
) -> None:
    both.table("copied", "a text, b int4")

    def outcome(side: object) -> object:
        return _told(side.load(f"COPY copied FROM STDIN {options}", b""), options)

    both.same(outcome)


@pytest.mark.parametrize("options", _listed(_TO_OPTIONS))
def test_options_of_copy_to_are_taken_and_refused_as_by_postgres(both: Both, options: str) -> None:
    both.table("copied", "a text, b int4")
    both.execute("INSERT INTO copied VALUES ('x', 1), (NULL, 2), ('', NULL)")

    def outcome(side: object) -> object:
        return _told(side.unload(f"COPY copied TO STDOUT {options}"), options)

    both.same(outcome)


def _told(answer: object, options: str) -> object:
    if not isinstance(answer, Failure):
        return answer
    if options in _NOW_INVALID:
        assert answer.sqlstate in ("0A000", "22023")
        return None
    return answer.sqlstate


# --- what is copied -------------------------------------------------------------------------------

_TARGETS = [
    "COPY copied FROM STDIN",
    "COPY public.copied FROM STDIN",
    'COPY "copied" ("a", b) FROM STDIN',
    "COPY copied (b, a) FROM STDIN",
    "COPY copied (a) FROM STDIN",
    "COPY copied (a, a) FROM STDIN",
    "COPY copied (nonsense) FROM STDIN",
    "COPY copied () FROM STDIN",
    "COPY nonsense FROM STDIN",
    "COPY nonsense.copied FROM STDIN",
    "COPY (SELECT 1) FROM STDIN",
    "COPY copied FROM STDOUT",
    "COPY copied FROM",
    "COPY copied",
    "COPY copied_view FROM STDIN",
]
_SOURCES = [
    "COPY copied TO STDOUT",
    "COPY public.copied TO STDOUT",
    "COPY copied (b, a) TO STDOUT",
    "COPY copied (b, b) TO STDOUT",
    "COPY copied (nonsense) TO STDOUT",
    "COPY nonsense TO STDOUT",
    "COPY copied_view TO STDOUT",
    "COPY (SELECT * FROM copied_view) TO STDOUT",
    "COPY (TABLE copied) TO STDOUT",
    "COPY (VALUES (1, 'x'), (2, NULL)) TO STDOUT",
    "COPY (WITH w AS (SELECT a FROM copied) SELECT * FROM w ORDER BY 1) TO STDOUT",
    "COPY (SELECT a FROM copied ORDER BY b DESC LIMIT 1) TO STDOUT",
    "COPY (SELECT nonsense FROM copied) TO STDOUT",
    "COPY (SELECT * FROM nonsense) TO STDOUT",
    "COPY (CREATE TABLE nonsense (a int4)) TO STDOUT",
    "COPY (INSERT INTO copied VALUES ('new', 9) RETURNING b, a) TO STDOUT",
    "COPY (INSERT INTO copied VALUES ('new', 9)) TO STDOUT",
    "COPY (UPDATE copied SET b = b + 1 WHERE b = 1 RETURNING *) TO STDOUT",
    "COPY (DELETE FROM copied WHERE b = 2 RETURNING a) TO STDOUT",
    "COPY (DELETE FROM copied) TO STDOUT",
    "COPY (SELECT $1) TO STDOUT",
    "COPY (SELECT 1; SELECT 2) TO STDOUT",
    "COPY () TO STDOUT",
    "COPY (SELECT 1) TO STDOUT x",
    "COPY (SELECT 1) (a) TO STDOUT",
    "COPY copied TO STDIN",
]


@pytest.fixture
def copied(both: Both) -> Both:
    both.table("copied", "a text, b int4 DEFAULT 7")
    both.execute("INSERT INTO copied VALUES ('one', 1), ('two', 2)")
    both.execute("DROP VIEW IF EXISTS copied_view")
    both.execute("CREATE VIEW copied_view AS SELECT * FROM copied")
    return both


@pytest.mark.parametrize("sql", _TARGETS)
def test_what_copy_from_writes(copied: Both, sql: str) -> None:
    """A view is refused by both, but Postgres asks for the data first."""
    data = b"3\tx\n" if "(b, a)" in sql else b"x\n" if "(a)" in sql else b"x\t3\n"

    def outcome(side: object) -> object:
        answer = side.load(sql, data)
        if isinstance(answer, Failure):
            answer = "42809" if "view" in sql and answer.sqlstate == "0A000" else answer.sqlstate
        return answer, side.rows("SELECT * FROM copied ORDER BY b, a")

    try:
        copied.same(outcome)
    finally:
        copied.execute("DROP VIEW copied_view")


@pytest.mark.parametrize("sql", _SOURCES)
def test_what_copy_to_reads(copied: Both, sql: str) -> None:
    def outcome(side: object) -> object:
        answer = side.unload(sql)
        if isinstance(answer, Failure):
            answer = answer.sqlstate
        return answer, side.rows("SELECT * FROM copied ORDER BY b, a")

    try:
        copied.same(outcome)
    finally:
        copied.execute("DROP VIEW copied_view")


def test_files_and_programs_are_out_of_reach(both: Both) -> None:
    both.table("copied", "a text")
    for target in ("'/etc/passwd'", "PROGRAM 'id'"):
        for sql in (f"COPY copied FROM {target}", f"COPY copied TO {target}"):
            with pytest.raises(errors.InsufficientPrivilege):
                both.ours.connection.execute(sql)


def test_a_table_named_like_a_file_is_a_table_or_nothing(both: Both) -> None:
    for sql in ('COPY "/etc/passwd" TO STDOUT', 'COPY "data.csv" TO STDOUT'):
        answer = both.ours.unload(sql)
        assert isinstance(answer, Failure)
        assert answer.sqlstate in ("42P01", "42501")


def test_defaults_fill_what_is_not_copied(both: Both) -> None:
    both.execute("DROP SEQUENCE IF EXISTS copied_numbers CASCADE")
    both.execute("CREATE SEQUENCE copied_numbers")
    both.table("copied", "n int8 DEFAULT nextval('copied_numbers'), a text, b text DEFAULT 'none'")

    both.same(lambda side: side.load("COPY copied (a) FROM STDIN", b"x\ny\nz\n"))

    assert both.same(lambda side: side.rows("SELECT * FROM copied ORDER BY a")) == [
        (1, "x", "none"),
        (2, "y", "none"),
        (3, "z", "none"),
    ]


def test_generated_columns_are_neither_read_nor_written(both: Both) -> None:
    connection = both.ours.connection
    connection.execute("SET hatidata.dialect = 'duckdb'")
    connection.execute("CREATE OR REPLACE TABLE copied_made (a INTEGER, b INTEGER AS (a * 2))")

    assert both.ours.load("COPY copied_made FROM STDIN", b"1\n2\n") == 2

    assert both.ours.rows("SELECT * FROM copied_made ORDER BY a") == [(1, 2), (2, 4)]
    assert both.ours.unload("COPY copied_made TO STDOUT") == b"1\n2\n"
    answer = both.ours.load("COPY copied_made (b) FROM STDIN", b"1\n")
    assert isinstance(answer, Failure)
    assert answer.sqlstate == "42P10"
    connection.execute("DROP TABLE copied_made")


def test_a_table_is_found_by_the_search_path(both: Both) -> None:
    both.execute("DROP SCHEMA IF EXISTS elsewhere CASCADE")
    both.execute("CREATE SCHEMA elsewhere")
    both.execute("CREATE TABLE elsewhere.copied_there (a int4)")
    both.execute("SET search_path = elsewhere, public")

    both.same(lambda side: side.load("COPY copied_there FROM STDIN", b"1\n"))

    assert both.same(lambda side: side.unload("COPY elsewhere.copied_there TO STDOUT")) == b"1\n"
    both.execute("RESET search_path")
    both.execute("DROP SCHEMA elsewhere CASCADE")


def test_a_temporary_table_is_found_by_its_schema(both: Both) -> None:
    both.execute("CREATE TEMP TABLE briefly (a int4)")

    both.same(lambda side: side.load("COPY pg_temp.briefly FROM STDIN", b"1\n"))

    assert both.same(lambda side: side.unload("COPY pg_temp.briefly TO STDOUT")) == b"1\n"
    both.execute("DROP TABLE briefly")


# --- constraints and transactions -----------------------------------------------------------------


def test_constraints_hold_and_nothing_is_half_loaded(both: Both) -> None:
    both.table("copied", "id int4 PRIMARY KEY, n int4 NOT NULL, c int4 CHECK (c > 0)")
    both.execute("INSERT INTO copied VALUES (1, 1, 1)")
    cases = {
        b"2\t\\N\t1\n": "23502",
        b"1\t1\t1\n": "23505",
        b"2\t1\t1\n2\t1\t1\n": "23505",
        b"2\t1\t0\n": "23514",
        b"2\t1\t1\n3\tx\t1\n": "22P02",
        # What is wrong first is told: the NULL of line 1, not the number of line 2. Keys come last.
        b"2\t\\N\t1\n3\tx\t1\n": "23502",
        b"2\t1\t0\n3\tx\t1\n": "23514",
        b"1\t1\t1\n3\tx\t1\n": "22P02",
    }
    for data, sqlstate in cases.items():

        def outcome(side: object, data: bytes = data) -> object:
            answer = side.load("COPY copied FROM STDIN", data)
            assert isinstance(answer, Failure)
            return answer.sqlstate, side.rows("SELECT * FROM copied")

        assert both.same(outcome) == (sqlstate, [(1, 1, 1)])


def test_the_line_of_a_null_where_none_may_be_is_told(both: Both) -> None:
    both.table("copied", "id int4, n int4 NOT NULL")

    answer = both.ours.load("COPY copied FROM STDIN", b"1\t1\n2\t2\n3\t\\N\n4\t\\N\n")

    assert isinstance(answer, Failure)
    assert answer.sqlstate == "23502"
    assert answer.where == "COPY copied, line 3"


def test_many_chunks_are_one_statement(both: Both) -> None:
    """An error at the end of what was loaded chunk by chunk takes all of it back."""
    both.table("copied", "id int4, s text")
    line = b"%d\t" + b"x" * 1000 + b"\n"
    data = b"".join(line % number for number in range(20_000))

    answer = both.ours.load("COPY copied FROM STDIN", [data, b"wrong\tx\n"])

    assert isinstance(answer, Failure)
    assert answer.where == 'COPY copied, line 20001, column id: "wrong"'
    assert both.ours.rows("SELECT count(*) FROM copied") == [(0,)]
    assert both.ours.load("COPY copied FROM STDIN", data) == 20_000
    assert both.ours.rows("SELECT count(*), sum(id) FROM copied") == [(20_000, 199_990_000)]


def test_a_row_longer_than_a_chunk_is_a_row(both: Both) -> None:
    both.table("copied", "id int4, s text")
    value = b"0123456789" * 1_200_000

    both.same(lambda side: side.load("COPY copied FROM STDIN", b"1\t" + value + b"\n2\tshort\n"))

    assert both.same(lambda side: side.rows("SELECT id, length(s) FROM copied ORDER BY id")) == [
        (1, 12_000_000),
        (2, 5),
    ]
    assert both.same(lambda side: side.unload("COPY copied TO STDOUT")).startswith(b"1\t" + value)


def test_a_copy_belongs_to_its_transaction(both: Both) -> None:
    both.table("copied", "id int4")
    both.execute("BEGIN")
    both.same(lambda side: side.load("COPY copied FROM STDIN", b"1\n2\n"))
    assert both.same(lambda side: side.unload("COPY copied TO STDOUT")) == b"1\n2\n"
    both.execute("ROLLBACK")
    assert both.same(lambda side: side.unload("COPY copied TO STDOUT")) == b""


def test_a_failed_copy_after_a_savepoint_is_taken_back_to_it(both: Both) -> None:
    """Also where some of its chunks had been inserted already."""
    both.table("copied", "id int4, s text")
    good = b"".join(b"%d\t%s\n" % (number, b"x" * 1000) for number in range(10_000))

    def outcome(side: object) -> object:
        connection = side.connection
        connection.execute("BEGIN")
        connection.execute("INSERT INTO copied VALUES (-1, 'before')")
        connection.execute("SAVEPOINT here")
        answer = side.load("COPY copied FROM STDIN", good + b"wrong\tx\n")
        assert isinstance(answer, Failure)
        connection.execute("ROLLBACK TO here")
        connection.execute("INSERT INTO copied VALUES (-2, 'after')")
        connection.execute("COMMIT")
        return side.rows("SELECT id, s FROM copied ORDER BY id")

    assert both.same(outcome) == [(-2, "after"), (-1, "before")]


def test_a_copy_is_not_taken_back_in_silence(both: Both) -> None:
    """Its data came from the client and cannot be repeated: ROLLBACK TO says so."""
    both.table("copied", "id int4")
    connection = both.ours.connection
    connection.execute("BEGIN")
    connection.execute("INSERT INTO copied VALUES (0)")
    connection.execute("SAVEPOINT here")
    both.ours.load("COPY copied FROM STDIN", b"1\n")
    with pytest.raises(psycopg.Error) as raised:
        connection.execute("ROLLBACK TO here")
        connection.execute("COMMIT")
    assert raised.value.sqlstate in ("0A000", "40001")
    connection.execute("ROLLBACK")
    assert both.ours.rows("SELECT count(*) FROM copied") == [(0,)]


def test_a_read_only_transaction_takes_no_copy(both: Both) -> None:
    both.table("copied", "id int4")
    both.execute("BEGIN READ ONLY")
    answer = both.same(lambda side: side.load("COPY copied FROM STDIN", b"1\n"))
    assert answer.sqlstate == "25006"
    both.execute("ROLLBACK")
    both.execute("BEGIN READ ONLY")
    assert both.same(lambda side: side.unload("COPY copied TO STDOUT")) == b""
    both.execute("ROLLBACK")


def test_a_failed_transaction_takes_no_copy(both: Both) -> None:
    both.table("copied", "id int4")
    both.execute("BEGIN")
    for side in (both.ours, both.theirs):
        with pytest.raises(psycopg.Error):
            side.connection.execute("SELECT nonsense")
    assert both.same(lambda side: side.load("COPY copied FROM STDIN", b"1\n")).sqlstate == "25P02"
    both.execute("ROLLBACK")
