"""COPY INTO a table: what is loaded, what is said of it, what is remembered, what is undone."""

from __future__ import annotations

import datetime
import decimal
import gzip
import io
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proxy.demo.server import ServerProcess
from tests.conftest import Running

Rows = Callable[[str], list[tuple]]
Send = Callable[[str, bytes], None]

COLUMNS = [
    *("file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen"),
    *("first_error", "first_error_line", "first_error_character", "first_error_column_name"),
]
NOTHING = (None, "Copy executed with 0 files processed.", *[None] * 8)


@pytest.fixture
def table(rows: Rows, send: Send) -> None:
    """A table `t` of a number, a short text and a date, and a stage `s` with two files for it."""
    rows("CREATE TABLE t (id INT, name VARCHAR(5), born DATE)")
    rows("CREATE STAGE s FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1)")
    send("@s/good.csv", b"id,name,born\n1,ann,2001-02-03\n2,,2002-03-04\n")
    send("@s/bad.csv", b"id,name,born\n3,bob,2003-04-05\nfour,dan,2004-05-06\n5,eve\n6,fey,soon\n")


@pytest.mark.usefixtures("table")
def test_a_good_file(db: psycopg.Connection, rows: Rows) -> None:
    cursor = db.execute("COPY INTO t FROM @s/good.csv")
    assert [column.name for column in cursor.description or ()] == COLUMNS
    assert cursor.fetchall() == [("s/good.csv", "LOADED", 2, 2, 1, 0, None, None, None, None)]
    assert rows("SELECT * FROM t ORDER BY id") == [
        (1, "ann", datetime.date(2001, 2, 3)),
        (2, None, datetime.date(2002, 3, 4)),
    ]


@pytest.mark.usefixtures("table")
def test_a_bad_value_stops_the_statement_and_is_named(rows: Rows) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught:
        rows("COPY INTO t FROM @s")
    diag = caught.value.diag
    assert diag.message_primary == "Numeric value 'four' is not recognized"
    assert diag.message_detail == 'File \'s/bad.csv\', line 3\nRow 2, column "t"["id":1]'
    assert "ON_ERROR" in (diag.message_hint or "")
    assert rows("SELECT * FROM t") == []


@pytest.mark.usefixtures("table")
def test_on_error_continue_loads_the_good_records(rows: Rows) -> None:
    bad, good = rows("COPY INTO t FROM @s ON_ERROR = CONTINUE")
    assert bad[:6] == ("s/bad.csv", "PARTIALLY_LOADED", 4, 1, 4, 3)
    assert bad[6:8] == ("Numeric value 'four' is not recognized", 3)
    assert good[:2] == ("s/good.csv", "LOADED")
    assert [row[0] for row in rows("SELECT id FROM t ORDER BY id")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("on_error", "loaded"),
    [
        ("SKIP_FILE", [1, 2]),
        ("SKIP_FILE_3", [1, 2]),
        ("SKIP_FILE_4", [1, 2, 3]),
        ("'SKIP_FILE_75%'", [1, 2]),
        ("SKIP_FILE_76%", [1, 2, 3]),
    ],
)
@pytest.mark.usefixtures("table")
def test_on_error_skip_file(rows: Rows, on_error: str, loaded: list[int]) -> None:
    found = rows(f"COPY INTO t FROM @s ON_ERROR = {on_error}")
    assert found[0][1] == ("PARTIALLY_LOADED" if 3 in loaded else "LOAD_FAILED")
    assert [row[0] for row in rows("SELECT id FROM t ORDER BY id")] == loaded


@pytest.mark.usefixtures("table")
def test_the_number_of_fields(rows: Rows, send: Send) -> None:
    send("@s/few.csv", b"id,name,born\n1,x\n2,y,2001-01-01,more\n")
    with pytest.raises(psycopg.Error, match=r"Number of columns in file \(2\) does not match"):
        rows("COPY INTO t FROM @s/few.csv")
    rows(
        "COPY INTO t FROM @s/few.csv FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1"
        " ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE)"
    )
    assert rows("SELECT id, born FROM t ORDER BY id") == [
        (1, None),
        (2, datetime.date(2001, 1, 1)),
    ]


@pytest.mark.usefixtures("table")
def test_what_was_loaded_is_not_loaded_again(rows: Rows, send: Send) -> None:
    copy = "COPY INTO t FROM @s/good.csv"
    assert rows(copy)[0][1] == "LOADED"
    assert rows(copy) == [NOTHING]
    assert rows(copy + " FORCE = TRUE")[0][1] == "LOADED"
    send("@s/good.csv", b"id,name,born\n9,new,2009-09-09\n")
    assert rows(copy)[0][3] == 1
    rows("CREATE TABLE other LIKE t")
    assert rows("COPY INTO other FROM @s/good.csv")[0][3] == 1


@pytest.mark.parametrize(
    ("change", "loaded", "again"),
    [
        (["TRUNCATE TABLE t"], "t", True),
        (["DROP TABLE t", "CREATE TABLE t (id INT, name VARCHAR, born DATE)"], "t", True),
        (["CREATE OR REPLACE TABLE t (id INT, name VARCHAR, born DATE)"], "t", True),
        (["CREATE OR REPLACE TABLE t AS SELECT * FROM t WHERE false"], "t", True),
        (["DELETE FROM t"], "t", False),
        (["ALTER TABLE t RENAME TO u"], "u", False),
        (["ALTER TABLE t RENAME TO u", "CREATE TABLE t LIKE u"], "t", True),
        (["CREATE TABLE u LIKE t", "ALTER TABLE t SWAP WITH u"], "u", False),
        (["CREATE TABLE u LIKE t", "ALTER TABLE t SWAP WITH u"], "t", True),
        (["BEGIN", "TRUNCATE TABLE t", "ROLLBACK"], "t", False),
        (["BEGIN", "DROP TABLE t", "ROLLBACK"], "t", False),
    ],
)
@pytest.mark.usefixtures("table")
def test_what_was_loaded_follows_the_table(
    rows: Rows, change: list[str], loaded: str, again: bool
) -> None:
    rows("COPY INTO t FROM @s/good.csv")
    for sql in change:
        rows(sql)
    found = rows(f"COPY INTO {loaded} FROM @s/good.csv")
    assert (found[0][1] == "LOADED") is again


def test_a_temporary_table_made_anew_has_nothing_loaded(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    send("@s/a.csv", b"1\n")
    for _ in range(2):
        rows("CREATE OR REPLACE TEMPORARY TABLE t (a INT)")
        assert rows("COPY INTO t FROM @s")[0][1] == "LOADED"
        assert rows("COPY INTO t FROM @s") == [NOTHING]


@pytest.mark.usefixtures("table")
def test_a_load_is_undone_with_its_transaction(db: psycopg.Connection, rows: Rows) -> None:
    rows("BEGIN")
    rows("COPY INTO t FROM @s/good.csv")
    assert rows("SELECT count(*) FROM t") == [(2,)]
    rows("ROLLBACK")
    assert rows("SELECT count(*) FROM t") == [(0,)]
    assert rows("COPY INTO t FROM @s/good.csv")[0][1] == "LOADED"


@pytest.mark.usefixtures("table")
def test_files_and_pattern(rows: Rows, send: Send) -> None:
    send("@s/more/good2.csv", b"h\n7,g,2007-01-01\n")
    found = rows("COPY INTO t FROM @s FILES = ('good.csv', 'more/good2.csv')")
    assert [row[0] for row in found] == ["s/good.csv", "s/more/good2.csv"]
    found = rows("COPY INTO t FROM @s PATTERN = '.*good[0-9]?[.]csv' FORCE = TRUE")
    assert [row[0] for row in found] == ["s/good.csv", "s/more/good2.csv"]
    with pytest.raises(psycopg.errors.UndefinedFile):
        rows("COPY INTO t FROM @s FILES = ('nosuch.csv')")


@pytest.mark.usefixtures("table")
def test_purge_removes_what_was_loaded(rows: Rows) -> None:
    rows("COPY INTO t FROM @s ON_ERROR = SKIP_FILE PURGE = TRUE")
    assert [row[0] for row in rows("LIST @s")] == ["s/bad.csv"]


@pytest.mark.parametrize(
    ("end", "left"), [("COMMIT", []), ("ROLLBACK", ["s/bad.csv", "s/good.csv"])]
)
@pytest.mark.usefixtures("table")
def test_purge_waits_for_commit(rows: Rows, end: str, left: list[str]) -> None:
    rows("BEGIN")
    rows("COPY INTO t FROM @s ON_ERROR = CONTINUE PURGE = TRUE")
    assert len(rows("LIST @s")) == 2
    rows(end)
    assert [row[0] for row in rows("LIST @s")] == left


@pytest.mark.usefixtures("table")
def test_what_a_savepoint_undoes_is_not_purged(rows: Rows) -> None:
    rows("BEGIN")
    rows("SAVEPOINT before")
    rows("COPY INTO t FROM @s/good.csv PURGE = TRUE")
    rows("DROP STAGE s")
    rows("ROLLBACK TO before")
    rows("COMMIT")
    assert len(rows("LIST @s")) == 2


def test_size_limit_stops_before_the_next_file(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a INT)")
    rows("CREATE STAGE s")
    for n in range(3):
        send(f"@s/{n}.csv", b"1\n2\n")
    assert len(rows("COPY INTO t FROM @s SIZE_LIMIT = 5")) == 2
    assert len(rows("COPY INTO t FROM @s SIZE_LIMIT = 5")) == 1


def test_columns_lengths_nulls_and_defaults(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a INT NOT NULL, b VARCHAR(3), c VARCHAR DEFAULT 'none')")
    rows("CREATE STAGE s")
    send("@s/a.csv", b"x,1\nlong,2\nnull,\n")
    found = rows("COPY INTO t (b, a) FROM @s ON_ERROR = CONTINUE")
    assert found[0][1:6] == ("PARTIALLY_LOADED", 3, 1, 3, 2)
    assert found[0][6] == "User character length limit (3) exceeded by string 'long'"
    assert found[0][9] == '"t"["b":1]'
    assert rows("SELECT * FROM t") == [(1, "x", "none")]
    rows("COPY INTO t (b, a) FROM @s FORCE = TRUE ON_ERROR = CONTINUE TRUNCATECOLUMNS = TRUE")
    assert rows("SELECT b FROM t WHERE a = 2") == [("lon",)]
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught:
        rows("COPY INTO t (b, a) FROM @s FORCE = TRUE ENFORCE_LENGTH = FALSE")
    assert "non-nullable" in str(caught.value)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        rows("COPY INTO t (nosuch) FROM @s")


def test_every_type(rows: Rows, send: Send) -> None:
    rows(
        "CREATE TABLE t (b BOOLEAN, n NUMBER(10, 2), f FLOAT, d DATE, t TIME, ts TIMESTAMP_NTZ,"
        " tz TIMESTAMP_TZ, x BINARY, v VARIANT, s VARCHAR)"
    )
    rows("CREATE STAGE s")
    send(
        "@s/a.csv",
        b"yes|12.345|1e3|2024-02-29|12:34:56|2024-01-02 03:04:05.6|2024-01-02 03:04:05 +0200"
        b'|4142|{"a": [1]}|\xc3\xa9\n',
    )
    rows("COPY INTO t FROM @s FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = '|')")
    (row,) = rows("SELECT * FROM t")
    assert row[:6] == (
        *(True, decimal.Decimal("12.35"), 1000.0, datetime.date(2024, 2, 29)),
        *(datetime.time(12, 34, 56), datetime.datetime(2024, 1, 2, 3, 4, 5, 600_000)),
    )
    assert row[6] == datetime.datetime(2024, 1, 2, 1, 4, 5, tzinfo=datetime.UTC)
    assert row[7:] == (b"AB", {"a": [1]}, "é")


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("INT", "1_000", "Numeric value '1_000' is not recognized"),
        ("NUMBER(3, 0)", "12345", "Numeric value '12345' is out of range"),
        ("BOOLEAN", "maybe", "Boolean value 'maybe' is not recognized"),
        ("DATE", "2024-02-30", "Date '2024-02-30' is not recognized"),
        ("TIMESTAMP_NTZ", "never", "Timestamp 'never' is not recognized"),
        ("TIME", "25:00", "Time '25:00' is not recognized"),
        ("BINARY", "xyz", "Binary value 'xyz' is not recognized"),
        ("VARIANT", "{", "Error parsing JSON: {"),
    ],
)
def test_bad_values(rows: Rows, send: Send, kind: str, value: str, message: str) -> None:
    rows(f"CREATE TABLE t (a {kind})")
    rows("CREATE STAGE s")
    send("@s/a.csv", value.encode() + b"\n")
    with pytest.raises(psycopg.Error) as caught:
        rows("COPY INTO t FROM @s")
    assert caught.value.diag.message_primary == message


def test_formats_of_dates_and_times(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (d DATE, ts TIMESTAMP_NTZ)")
    rows("CREATE STAGE s")
    send("@s/a.csv", b"31.12.2023,31/12/2023 23-59\n")
    rows(
        "COPY INTO t FROM @s FILE_FORMAT = (TYPE = CSV DATE_FORMAT = 'DD.MM.YYYY'"
        " TIMESTAMP_FORMAT = 'DD/MM/YYYY HH24-MI')"
    )
    assert rows("SELECT * FROM t") == [
        (datetime.date(2023, 12, 31), datetime.datetime(2023, 12, 31, 23, 59))
    ]


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (gzip.compress(b"1,\xc3\xa9\n", mtime=0), ""),
        (gzip.compress(b"1,\xc3\xa9\n", mtime=0), "COMPRESSION = GZIP"),
        ("1,é\n".encode("iso-8859-1"), "ENCODING = 'ISO-8859-1'"),
        ("1,é\n".encode("utf-16"), "ENCODING = 'UTF16'"),
        (b"\xef\xbb\xbf1,\xc3\xa9\n", ""),
    ],
)
def test_packings_and_encodings(rows: Rows, send: Send, data: bytes, options: str) -> None:
    rows("CREATE TABLE t (a INT, b VARCHAR)")
    rows("CREATE STAGE s")
    send("@s/file", data)
    rows(f"COPY INTO t FROM @s FILE_FORMAT = (TYPE = CSV {options})")
    assert rows("SELECT * FROM t") == [(1, "é")]


def test_bytes_that_are_no_text(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a VARCHAR)")
    rows("CREATE STAGE s")
    send("@s/file", b"\xff\n")
    with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
        rows("COPY INTO t FROM @s")
    rows("COPY INTO t FROM @s FILE_FORMAT = (TYPE = CSV REPLACE_INVALID_CHARACTERS = TRUE)")
    assert rows("SELECT a FROM t") == [("\ufffd",)]
    send("@s/packed", gzip.compress(b"x\n" * 100)[:-12])
    with pytest.raises(psycopg.Error) as caught:
        rows("COPY INTO t FROM @s/packed")
    assert caught.value.sqlstate == "22P04"


# --- other formats --------------------------------------------------------------------------------


def test_json_into_a_variant_and_by_name(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE v (v VARIANT)")
    rows("CREATE TABLE t (id INT, name VARCHAR, tags ARRAY, absent DATE)")
    rows("CREATE STAGE s FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE)")
    send("@s/a.json", b'[{"ID": 1, "name": "x", "tags": [1, "a"]},\n {"id": 2, "name": null}]')
    rows("COPY INTO v FROM @s")
    assert rows("SELECT v:name::VARCHAR FROM v ORDER BY 1") == [("x",), (None,)]
    rows("COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    assert rows("SELECT * FROM t ORDER BY id") == [(1, "x", [1, "a"], None), (2, None, None, None)]
    with pytest.raises(psycopg.errors.DatatypeMismatch, match="one and only one column"):
        rows("COPY INTO t FROM @s FORCE = TRUE")


def test_json_that_is_none(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE v (v VARIANT)")
    rows("CREATE STAGE s FILE_FORMAT = (TYPE = JSON)")
    send("@s/a.json", b'{"a": 1}\n{"a": }\n{"a": 3}\n')
    with pytest.raises(psycopg.Error, match="Error parsing JSON") as caught:
        rows("COPY INTO v FROM @s")
    assert "line 2" in (caught.value.diag.message_detail or "")
    assert rows("COPY INTO v FROM @s ON_ERROR = CONTINUE")[0][1:4] == ("PARTIALLY_LOADED", 3, 2)


def _parquet() -> bytes:
    table = pa.table(
        {
            "id": [1, 2],
            "wide": pa.array([decimal.Decimal("12345678901234567890.12"), None]),
            "at": [datetime.datetime(2020, 1, 2, 3, 4, 5), None],
            "list": [[1, None], []],
            "inner": [{"a": 1, "b": "q"}, {"a": None, "b": 'w"'}],
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def test_parquet(rows: Rows, send: Send) -> None:
    rows(
        "CREATE TABLE t (id INT, wide NUMBER(38, 2), at TIMESTAMP_NTZ, list ARRAY, inner_ VARIANT)"
    )
    rows("CREATE FILE FORMAT p TYPE = PARQUET")
    rows("CREATE STAGE s FILE_FORMAT = p")
    send("@s/a.parquet", _parquet())
    rows("COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    wide, at = decimal.Decimal("12345678901234567890.12"), datetime.datetime(2020, 1, 2, 3, 4, 5)
    assert rows("SELECT * FROM t ORDER BY id") == [
        (1, wide, at, [1, None], None),
        (2, None, None, [], None),
    ]
    assert rows("SELECT $1:inner FROM @s ORDER BY $1:id::INT") == [
        ({"a": 1, "b": "q"},),
        ({"b": 'w"'},),
    ]
    send("@s/b.parquet", b"PAR1 but not really")
    with pytest.raises(psycopg.Error) as caught:
        rows("SELECT $1 FROM @s/b.parquet")
    assert caught.value.sqlstate == "22P04"


def test_csv_by_the_names_in_its_header(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a INT, b VARCHAR, c INT)")
    rows("CREATE STAGE s")
    send("@s/a.csv", b"B,other,A\nx,y,1\n")
    rows(
        "COPY INTO t FROM @s FILE_FORMAT = (TYPE = CSV PARSE_HEADER = TRUE)"
        " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    )
    assert rows("SELECT * FROM t") == [(1, "x", None)]


# --- transformations ------------------------------------------------------------------------------


@pytest.mark.usefixtures("table")
def test_a_transformation(rows: Rows) -> None:
    rows("CREATE TABLE u (n NUMBER(10, 1), s VARCHAR, f VARCHAR, r INT, d DATE)")
    rows(
        "COPY INTO u FROM (SELECT t.$1::INT * 1.5, upper(t.$2), METADATA$FILENAME,"
        " METADATA$FILE_ROW_NUMBER, t.$3 FROM @s/good t)"
    )
    assert rows("SELECT * FROM u ORDER BY n") == [
        (decimal.Decimal("1.5"), "ANN", "good.csv", 1, datetime.date(2001, 2, 3)),
        (decimal.Decimal("3.0"), None, "good.csv", 2, datetime.date(2002, 3, 4)),
    ]
    with pytest.raises(psycopg.Error):
        rows("COPY INTO u (n) FROM (SELECT $1 FROM @s/bad) ON_ERROR = CONTINUE")
    with pytest.raises(psycopg.Error, match="2 columns"):
        rows("COPY INTO u (n) FROM (SELECT $1, $2 FROM @s/good) FORCE = TRUE")


def test_a_transformation_of_documents(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a INT, b VARCHAR, c VARIANT, d DATE)")
    rows("CREATE FILE FORMAT j TYPE = JSON")
    rows("CREATE STAGE s")
    send("@s/a.json", b'{"a": 7, "b": {"c": "x"}, "d": "2024-01-02"}\n')
    rows("COPY INTO t FROM (SELECT $1:a, $1:b.c, $1:b, $1:d FROM @s (FILE_FORMAT => 'j'))")
    assert rows("SELECT * FROM t") == [(7, "x", {"c": "x"}, datetime.date(2024, 1, 2))]


# --- validation -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("table")
def test_validation_mode_loads_nothing(rows: Rows) -> None:
    found = rows("COPY INTO t FROM @s VALIDATION_MODE = RETURN_ALL_ERRORS")
    assert [(row[0][:14], row[1], row[2], row[9]) for row in found] == [
        ("Numeric value ", "s/bad.csv", 3, 2),
        ("Number of colu", "s/bad.csv", 4, 3),
        ("Date 'soon' is", "s/bad.csv", 5, 4),
    ]
    assert rows("COPY INTO t FROM @s/good.csv VALIDATION_MODE = RETURN_1_ROWS") == [
        (1, "ann", datetime.date(2001, 2, 3))
    ]
    with pytest.raises(psycopg.Error, match="four"):
        rows("COPY INTO t FROM @s/bad.csv VALIDATION_MODE = RETURN_10_ROWS")
    assert rows("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("COPY INTO t FROM @nosuch", "42704"),
        ("COPY INTO nosuch FROM @s", "42P01"),
        ("COPY INTO t FROM @s FILE_FORMAT = (FORMAT_NAME = nosuch)", "42704"),
        ("COPY INTO t FROM @s NOSUCH = 1", "22023"),
        ("COPY INTO t FROM @s ON_ERROR = PERHAPS", "22023"),
        ("COPY INTO t FROM @s FORCE = 7", "22023"),
        ("COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_SENSITIVE", "0A000"),
        ("COPY INTO t FROM 's3://bucket/x'", "0A000"),
        ("COPY INTO t FROM @s FILE_FORMAT = (TYPE = AVRO)", "0A000"),
        ("COPY INTO t FROM", "42601"),
        ("COPY INTO t FROM @other.public.s", "3D000"),
    ],
)
@pytest.mark.usefixtures("table")
def test_what_cannot_be_copied(rows: Rows, sql: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        rows(sql)
    assert caught.value.sqlstate == sqlstate


# --- with others, and after a restart ---------------------------------------------------------------


def test_two_who_load_the_same_file_load_it_once(
    connect: Callable[[], psycopg.Connection], rows: Rows, send: Send
) -> None:
    rows("CREATE TABLE t (a INT)")
    rows("CREATE STAGE s")
    for n in range(4):
        send(f"@s/{n}.csv", b"1\n" * 5000)
    sessions = [connect() for _ in range(4)]
    together = threading.Barrier(len(sessions))
    statuses: list[str] = []

    def load(session: psycopg.Connection) -> None:
        together.wait()
        statuses.extend(row[1] for row in session.execute("COPY INTO t FROM @s").fetchall())

    threads = [threading.Thread(target=load, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count("LOADED") == 4
    assert rows("SELECT count(*) FROM t") == [(20_000,)]


def test_stages_formats_and_loads_survive_a_restart(
    start_server: Callable[..., Running], tmp_path: Path
) -> None:
    first = start_server()
    with first.connect() as db:
        db.execute("CREATE TABLE t (a INT)")
        db.execute("CREATE FILE FORMAT f TYPE = CSV SKIP_HEADER = 1")
        db.execute("CREATE STAGE s FILE_FORMAT = f")
        db.execute("CREATE STAGE gone")
        for stage in ("s", "gone"):
            with db.cursor().copy(f"COPY @{stage}/a.csv FROM STDIN") as copy:
                copy.write(b"h\n1\n")
        db.execute("COPY INTO t FROM @s")
        directory = first.process.data_directory
        db.execute("BEGIN")
        db.execute("DROP STAGE gone")
        assert len(list(directory.glob("stages/*/a.csv"))) == 2
        db.execute("COMMIT")
        assert len(list(directory.glob("stages/*/a.csv"))) == 1
        (directory / "stages" / "of_no_stage").mkdir()
        (directory / "stages" / "of_no_stage" / "a.csv").touch()
    first.process.__exit__(None, None, None)
    with ServerProcess(directory.parent) as again, again.connect("tester") as db:
        assert db.execute("COPY INTO t FROM @s").fetchall() == [NOTHING]
        assert db.execute("SELECT $1 FROM @s").fetchall() == [("1",)]
        assert len(list(directory.glob("stages/*/a.csv"))) == 1


def test_a_script_loads(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a INT)")
    rows("CREATE STAGE s")
    send("@s/a.csv", b"1\n2\n")
    (found,) = rows(
        "EXECUTE IMMEDIATE $$ BEGIN COPY INTO t FROM @s;"
        " LET n INT := (SELECT sum(a) FROM t); RETURN n; END $$"
    )
    assert found == (3,)


def test_the_result_can_be_scanned(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a INT)")
    rows("CREATE STAGE s")
    send("@s/a.csv", b"1\n2\n")
    rows("COPY INTO t FROM @s")
    found = rows('SELECT "file", "rows_loaded" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))')
    assert found == [("s/a.csv", 2)]
