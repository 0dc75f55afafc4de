"""TPC-DS: each of the 99 queries, in Snowflake's dialect, gives DuckDB's own answer."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from proxy.demo.server import ServerProcess

pytest.importorskip("duckdb_extension_tpcds", reason="comes with pip install '.[test]'")

_SCALE = 0.1
"""Gigabytes, about; enough for rows in most answers."""

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def tpcds() -> Iterator[psycopg.Connection]:
    with (
        tempfile.TemporaryDirectory(prefix="hd") as directory,
        ServerProcess(Path(directory), "--extensions", "tpcds") as up,
    ):
        place = urlsplit(up.url)
        url = f"postgresql://tester@{place.netloc}{place.path}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CALL dsdgen(sf={_SCALE})")
            yield connection


def _queries(connection: psycopg.Connection) -> dict[int, str]:
    connection.execute("SET hatidata.dialect = 'duckdb'")
    return dict(connection.execute("SELECT query_nr, query FROM tpcds_queries()").fetchall())


def _comparable(row: Row) -> Row:
    """Numbers to the six decimals that Snowflake's quotients and averages have at least."""
    return tuple(
        f"{value:.4e}" if isinstance(value, (float, Decimal)) and value else value for value in row
    )


def _close(mine: Any, theirs: Any) -> bool:
    numbers = (int, float, Decimal)
    if isinstance(mine, numbers) and isinstance(theirs, numbers):
        return abs(float(mine) - float(theirs)) <= 1e-6 + 1e-6 * abs(float(theirs))
    return bool(mine == theirs)


def _same(mine: list[Row], theirs: list[Row]) -> bool:
    if len(mine) != len(theirs):
        return False
    if all(all(map(_close, a, b)) for a, b in zip(mine, theirs, strict=True)):
        return True
    # Rows that ORDER BY does not tell apart may come in another order.
    return Counter(map(_comparable, mine)) == Counter(map(_comparable, theirs))


def test_all_99_queries_agree_with_duckdb(tpcds: psycopg.Connection) -> None:
    queries = _queries(tpcds)
    assert sorted(queries) == list(range(1, 100))
    others, filled = [], 0
    for number, text in queries.items():
        tpcds.execute("SET hatidata.dialect = 'duckdb'")
        theirs = tpcds.execute(text).fetchall()
        tpcds.execute("SET hatidata.dialect = 'snowflake'")
        mine = tpcds.execute(text).fetchall()
        filled += bool(theirs)
        if not _same(mine, theirs):
            others.append(number)
    assert others == []
    assert filled > 75  # an empty answer shows little
