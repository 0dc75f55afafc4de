"""The 22 queries are Snowflake's SQL, and they are all there."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import duckdb_extension_tpch
import pytest

from proxy.demo.tpch import QUERIES, Query

_EXTENSION = (
    Path(duckdb_extension_tpch.__file__).parent
    / f"extensions/v{duckdb.__version__}/tpch.duckdb_extension"
)


@pytest.fixture(scope="module")
def tpch() -> Iterator[duckdb.DuckDBPyConnection]:
    """TPC-H's tables without rows: enough for DuckDB to bind a query."""
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{_EXTENSION}'")
        connection.execute("CALL dbgen(sf = 0)")
        yield connection


def test_all_22_are_there_in_order_and_have_a_title() -> None:
    assert [query.number for query in QUERIES] == list(range(1, 23))
    assert all(query.title for query in QUERIES)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"q{query.number:02}")
def test_duckdb_refuses_it_as_it_stands(tpch: duckdb.DuckDBPyConnection, query: Query) -> None:
    with pytest.raises((duckdb.ParserException, duckdb.CatalogException, duckdb.BinderException)):
        tpch.execute(query.sql)
    tpch.execute(f"PRAGMA tpch({query.number})")
