"""Texts written into columns: which of them DuckDB's own cast reads as Snowflake's would."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from sqlglot import exp

from proxy.sql.reading import write_duckdb
from proxy.sql.snowflake.assigning import _CASTS, _cast, is_common
from proxy.sql.snowflake.in_force import planned_under
from tests.sql.cases import connect

_COMMON = {
    "date": ("2024-02-29", "1583-01-01", "9999-12-31", "1999-10-05"),
    "time": ("00:00:00", "23:59:59", "12:30:01"),
    "timestamp": (
        *("2024-02-29", "1583-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
        *("2024-03-10 02:30:00", "2024-01-02 03:04:05.6", "2024-01-02 03:04:05.000001"),
    ),
    "bool": ("true", "false"),
}
_OTHER = {
    "date": (
        *("2024-02-30", "2024-1-2", "20240102", "2024-W01-1", "01/02/2024", "1582-10-10", ""),
        *("2024-01-02 ", "2024-01-02 00:00:00", "0000-01-01", "31536000", "infinity", "2024-01-0٢"),
    ),
    "time": ("24:00:00", "12:30", "12:30:00.5", "1:2:3", "12:30:60", "now", "12.30.00"),
    "timestamp": (
        *("2024-01-02T03:04:05", "2024-01-02 03:04", "2024-01-02 03:04:05.", "2024-01-02 "),
        *("2024-01-02 03:04:05Z", "2024-01-02 03:04:05+01", "2024-01-02 03:04:05.1234567", "x"),
        *("2024-01-02 03:04:05.1a", "2024-01-02 24:00:00", "1700000000", "epoch"),
    ),
    "bool": ("TRUE", "t", "1", "yes", "truex"),
    "timestamptz": ("2024-01-02 03:04:05",),
    "bytea": ("00",),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect()
    yield connection
    connection.close()


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in _COMMON.items() for t in ts])
def test_a_common_text_is_the_same_to_both(
    engine: duckdb.DuckDBPyConnection, kind: str, text: str
) -> None:
    assert is_common(text, kind)
    type_ = exp.DataType(this=_CASTS[kind]).sql("duckdb")
    snowflakes = write_duckdb(_cast(exp.Literal.string(text), _CASTS[kind]))
    own = f"CAST('{text}' AS {type_})"
    (row,) = engine.execute(f"SELECT CAST({snowflakes} AS {type_}), {own}").fetchall()
    assert row[0] == row[1]


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in _OTHER.items() for t in ts])
def test_every_other_text_is_read_by_snowflakes_cast(kind: str, text: str) -> None:
    assert not is_common(text, kind)


def test_a_format_that_was_set_reads_all_texts() -> None:
    with planned_under((("date_input_format", "DD-MM-YYYY"),)):
        assert not is_common("2024-01-02", "date")
        assert is_common("12:30:00", "time")
