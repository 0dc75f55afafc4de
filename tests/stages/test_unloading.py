"""COPY INTO a stage: the files that are made, and that they give back what went in."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import psycopg
import pyarrow.parquet as pq
import pytest

from tests.stages.conftest import fetched

Rows = Callable[[str], list[tuple]]
PLAIN = "FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE)"


@pytest.fixture(autouse=True)
def table(rows: Rows) -> None:
    rows("CREATE STAGE s")
    rows("CREATE TABLE t (id INT, name VARCHAR, day DATE)")
    rows(
        "INSERT INTO t VALUES (1, 'plain', '2024-01-02'), (2, NULL, NULL), (3, '', '2024-05-06'),"
        " (4, 'a,b\"c\\\\d\n', '2025-01-01')"
    )


def test_a_table_becomes_one_packed_file(db: psycopg.Connection, rows: Rows) -> None:
    cursor = db.execute("COPY INTO @s/out FROM t")
    assert [column.name for column in cursor.description or ()] == [
        *("rows_unloaded", "input_bytes", "output_bytes"),
    ]
    ((count, size, stored),) = cursor.fetchall()
    ((name, listed, _, _),) = rows("LIST @s")
    assert (name, listed, count) == ("s/out_0_0_0.csv.gz", stored, 4)
    data = gzip.decompress(fetched(db, "@s/out_0_0_0.csv.gz"))
    assert len(data) == size
    assert data == b'1,plain,2024-01-02\n2,\\N,\\N\n3,,2024-05-06\n4,a\\,b"c\\\\d\\\n,2025-01-01\n'


def test_names_of_files(rows: Rows) -> None:
    rows(f"COPY INTO @s FROM t {PLAIN}")
    rows(f"COPY INTO @s/dir/ FROM t {PLAIN}")
    rows(f"COPY INTO @s/dir/stem FROM t {PLAIN}")
    rows(f"COPY INTO @s/one.txt FROM t {PLAIN} SINGLE = TRUE")
    rows("COPY INTO @s/p FROM t FILE_FORMAT = (TYPE = PARQUET)")
    rows(
        "COPY INTO @s/e FROM t FILE_FORMAT = (TYPE = CSV FILE_EXTENSION = 'tsv' COMPRESSION = ZSTD)"
    )
    assert [row[0] for row in rows("LIST @s")] == [
        *("s/data_0_0_0.csv", "s/dir/data_0_0_0.csv", "s/dir/stem_0_0_0.csv"),
        *("s/e_0_0_0.tsv.zst", "s/one.txt", "s/p_0_0_0.snappy.parquet"),
    ]


def test_what_is_there_is_not_replaced_unasked(rows: Rows) -> None:
    rows("COPY INTO @s/out FROM t")
    with pytest.raises(psycopg.errors.DuplicateFile, match="already existing"):
        rows("COPY INTO @s/out FROM t")
    rows("COPY INTO @s/out FROM (SELECT 1) OVERWRITE = TRUE")
    assert rows("SELECT $1 FROM @s/out") == [("1",)]


@pytest.mark.parametrize(
    "options",
    [
        "",
        "FIELD_OPTIONALLY_ENCLOSED_BY = '\"'",
        "FIELD_OPTIONALLY_ENCLOSED_BY = '\"' ESCAPE = '\\\\' COMPRESSION = BZ2",
        "FIELD_DELIMITER = '|' RECORD_DELIMITER = ';' NULL_IF = ('nil') EMPTY_FIELD_AS_NULL = FALSE",
        "FIELD_DELIMITER = '||' COMPRESSION = DEFLATE",
    ],
)
def test_csv_gives_back_what_went_in(rows: Rows, options: str) -> None:
    rows(f"CREATE FILE FORMAT f TYPE = CSV {options}")
    rows("COPY INTO @s/out FROM t FILE_FORMAT = f")
    rows("CREATE TABLE back LIKE t")
    rows("COPY INTO back FROM @s/out FILE_FORMAT = f")
    before, after = (rows(f"SELECT * FROM {name} ORDER BY id") for name in ("t", "back"))
    if "ENCLOSED" not in options and "AS_NULL" not in options:
        before = [(row[0], row[1] or None, row[2]) for row in before]  # '' is an empty field
    assert after == before


def test_header_and_enclosing(db: psycopg.Connection, rows: Rows) -> None:
    rows(
        'COPY INTO @s/h FROM (SELECT id, name AS "The Name" FROM t WHERE id < 3) FILE_FORMAT ='
        " (TYPE = CSV COMPRESSION = NONE FIELD_OPTIONALLY_ENCLOSED_BY = '\"' NULL_IF = ('')) HEADER = TRUE"
    )
    assert fetched(db, "@s/h_0_0_0.csv") == b'"id","The Name"\n1,"plain"\n2,\n'


def test_a_file_ends_where_it_is_large_enough(rows: Rows) -> None:
    rows("CREATE TABLE many AS SELECT seq8() AS n FROM TABLE(GENERATOR(ROWCOUNT => 100000))")
    rows(f"COPY INTO @s/m FROM many {PLAIN} MAX_FILE_SIZE = 100000")
    names = [row[0] for row in rows("LIST @s/m")]
    assert len(names) > 2
    assert rows("SELECT count(*), sum($1::INT) FROM @s/m") == [(100_000, 4_999_950_000)]
    rows(f"COPY INTO @s/m FROM many {PLAIN} OVERWRITE = TRUE")
    assert len(rows("LIST @s/m")) == 1


def test_partitions(rows: Rows) -> None:
    rows(f"COPY INTO @s/p FROM t PARTITION BY ('year=' || TO_VARCHAR(day, 'YYYY')) {PLAIN}")
    directories = [row[0].rpartition("/")[0] for row in rows("LIST @s/p")]
    assert directories == ["s/p/__NULL__", "s/p/year=2024", "s/p/year=2025"]
    assert rows("SELECT $1 FROM @s/p/year=2024 ORDER BY 1") == [("1",), ("3",)]


def test_json(db: psycopg.Connection, rows: Rows) -> None:
    rows(
        "COPY INTO @s/j FROM (SELECT OBJECT_CONSTRUCT('id', id, 'name', name) FROM t WHERE id < 3)"
        " FILE_FORMAT = (TYPE = JSON COMPRESSION = NONE)"
    )
    assert fetched(db, "@s/j_0_0_0.json") == b'{"id":1,"name":"plain"}\n{"id":2}\n'
    with pytest.raises(psycopg.errors.DatatypeMismatch, match="one column"):
        rows("COPY INTO @s/j FROM t FILE_FORMAT = (TYPE = JSON)")


def test_parquet(db: psycopg.Connection, rows: Rows) -> None:
    rows(
        "COPY INTO @s/t.parquet FROM (SELECT *, 1.5::NUMBER(10, 2) AS n, true AS ok,"
        " OBJECT_CONSTRUCT('a', 1) AS o FROM t) FILE_FORMAT = (TYPE = PARQUET) SINGLE = TRUE"
    )
    table = pq.read_table(io.BytesIO(fetched(db, "@s/t.parquet")))
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert types == {
        "id": "int64",
        "name": "string",
        "day": "date32[day]",
        "n": "decimal128(10, 2)",
        "ok": "bool",
        "o": "string",
    }
    assert table.column("id").to_pylist() == [1, 2, 3, 4]
    rows("CREATE TABLE back LIKE t")
    rows(
        "COPY INTO back FROM @s/t.parquet FILE_FORMAT = (TYPE = PARQUET)"
        " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    )
    assert rows("SELECT * FROM back ORDER BY id") == rows("SELECT * FROM t ORDER BY id")


def test_detailed_output(rows: Rows) -> None:
    ((name, size, count),) = rows(f"COPY INTO @s/d/x FROM t {PLAIN} DETAILED_OUTPUT = TRUE")
    assert (name, count) == ("x_0_0_0.csv", 4)
    assert size == rows("LIST @s/d")[0][1]


def test_no_rows_are_no_files(rows: Rows) -> None:
    assert rows("COPY INTO @s/none FROM (SELECT * FROM t WHERE false)") == [(0, 0, 0)]
    assert rows("LIST @s") == []


def test_an_error_leaves_no_file(rows: Rows) -> None:
    with pytest.raises(psycopg.Error):
        rows(f"COPY INTO @s/x FROM (SELECT 1 / (id - 4) FROM t ORDER BY id) {PLAIN}")
    assert rows("LIST @s") == []


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("COPY INTO @nosuch FROM t", "42704"),
        ("COPY INTO @s FROM nosuch", "42P01"),
        ("COPY INTO @s FROM t NOSUCH = 1", "22023"),
        ("COPY INTO @s FROM t MAX_FILE_SIZE = 0", "22023"),
        ("COPY INTO 's3://bucket/' FROM t", "0A000"),
        ("COPY INTO @s FROM t PARTITION BY (name) SINGLE = TRUE", "22023"),
        ("COPY INTO @s FROM (DELETE FROM t)", "0A000"),
    ],
)
def test_what_cannot_be_unloaded(rows: Rows, sql: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        rows(sql)
    assert caught.value.sqlstate == sqlstate
    assert rows("SELECT count(*) FROM t") == [(4,)]
