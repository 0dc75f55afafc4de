"""Libraries of columns and mappers, over the drivers that they use themselves."""

from __future__ import annotations

import asyncio
import importlib.metadata
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.demo.server import ServerProcess


@pytest.fixture
def sold(connection: psycopg.Connection, schema: str) -> str:
    connection.execute("CREATE TABLE sold (id INT PRIMARY KEY, price DECIMAL(10,2), note TEXT)")
    connection.execute("INSERT INTO sold VALUES (1, 10.50, 'x'), (2, NULL, NULL)")
    return "scratch.sold"


def test_adbc_reads_and_describes(server: Any, sold: str) -> None:
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi")
    with adbc.connect(server.url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id, note FROM {sold} ORDER BY id")
        assert cursor.fetch_arrow_table().to_pydict() == {"id": [1, 2], "note": ["x", None]}
        cursor.execute(f"SELECT price FROM {sold} WHERE id = $1", (1,))
        assert [Decimal(row[0]) for row in cursor.fetchall()] == [Decimal("10.50")]
        columns = connection.adbc_get_table_schema("sold", db_schema_filter="scratch").names
        assert columns == ["id", "price", "note"]
        [catalog] = (
            connection.adbc_get_objects(
                depth="all", catalog_filter="hatidata", db_schema_filter="scratch"
            )
            .read_all()
            .to_pylist()
        )
        [found] = catalog["catalog_db_schemas"]
        [table] = found["db_schema_tables"]
        assert (table["table_name"], len(table["table_columns"])) == ("sold", 3)


def test_adbc_ingests(server: Any, schema: str) -> None:
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi")
    pyarrow = pytest.importorskip("pyarrow")
    rows = pyarrow.table({"a": [1, None], "b": ["x", None], "c": [1.5, None]})
    with adbc.connect(server.url) as connection, connection.cursor() as cursor:
        assert cursor.adbc_ingest("taken", rows, mode="create", db_schema_name=schema) == 2
        cursor.executemany("INSERT INTO scratch.taken VALUES ($1, $2, $3)", [(5, "z", 1.0)])
        connection.commit()
        cursor.execute("SELECT * FROM scratch.taken ORDER BY a NULLS LAST")
        assert cursor.fetchall() == [(1, "x", 1.5), (5, "z", 1.0), (None, None, None)]
        assert cursor.adbc_ingest("briefly", rows, mode="create", temporary=True) == 2
        cursor.execute("SELECT count(*) FROM briefly")
        assert cursor.fetchall() == [(2,)]


def test_polars_over_adbc(server: Any, schema: str) -> None:
    polars = pytest.importorskip("polars")
    pytest.importorskip("adbc_driver_postgresql")
    frame = polars.DataFrame({"a": [1, 2], "s": ["x", None]})
    frame.write_database("scratch.frame", server.url, engine="adbc", if_table_exists="replace")
    read = polars.read_database_uri(
        "SELECT * FROM scratch.frame ORDER BY a", server.url, engine="adbc"
    )
    assert read.to_dict(as_series=False) == {"a": [1, 2], "s": ["x", None]}


def test_pandas_over_sqlalchemy(server: Any, schema: str) -> None:
    pandas = pytest.importorskip("pandas")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(server.url.replace("postgresql", "postgresql+psycopg"))
    days = pandas.to_datetime(["2024-01-01", "2024-02-01"])
    frame = pandas.DataFrame({"a": [1, 2], "s": ["x", None], "d": days})
    frame.to_sql("frame", engine, schema=schema, index=False)
    frame.to_sql("frame", engine, schema=schema, index=False, if_exists="append", method="multi")
    read = pandas.read_sql_table("frame", engine, schema=schema)
    assert sorted(read["a"]) == [1, 1, 2, 2]
    assert set(read["d"]) == set(days)
    query = sqlalchemy.text("SELECT a, COUNT(*) AS n FROM scratch.frame WHERE a > :low GROUP BY a")
    counted = pandas.read_sql_query(query, engine, params={"low": 1})
    assert counted.to_dict("list") == {"a": [2], "n": [2]}
    engine.dispose()


def test_sqlalchemy_over_asyncpg(server: Any, schema: str) -> None:
    pytest.importorskip("greenlet")
    pytest.importorskip("asyncpg")
    sa = pytest.importorskip("sqlalchemy")
    from sqlalchemy.ext.asyncio import create_async_engine

    table = sa.Table(
        "mapped",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(20)),
        sa.Column("price", sa.Numeric(10, 2)),
    )

    async def use() -> None:
        engine = create_async_engine(server.url.replace("postgresql", "postgresql+asyncpg"))
        async with engine.begin() as connection:
            await connection.run_sync(table.metadata.create_all)
            rows = [
                {"id": 1, "name": "a", "price": Decimal("1.50")},
                {"id": 2, "name": None, "price": None},
            ]
            await connection.execute(table.insert(), rows)
        async with engine.connect() as connection:
            found = (await connection.execute(sa.select(table).where(table.c.id == 1))).all()
            assert found == [(1, "a", Decimal("1.50"))]
            names = await connection.run_sync(
                lambda one: [c["name"] for c in sa.inspect(one).get_columns("mapped", schema)]
            )
            assert names == ["id", "name", "price"]
            keys = await connection.run_sync(
                lambda one: sa.inspect(one).get_pk_constraint("mapped", schema)
            )
            assert keys["constrained_columns"] == ["id"]
        await engine.dispose()

    asyncio.run(use())


@contextmanager
def duckdb_at(url: str) -> Iterator[Any]:
    """DuckDB in this process, with the endpoint attached as `hd`."""
    duckdb = pytest.importorskip("duckdb")
    files = importlib.metadata.files("duckdb-extension-postgres-scanner") or []
    [extension] = [one.locate() for one in files if one.suffix == ".duckdb_extension"]
    with duckdb.connect() as local:
        local.execute(f"LOAD '{extension}'")
        local.execute(f"ATTACH '{url}' AS hd (TYPE postgres)")
        yield local


def test_duckdb_attaches(server: Any, sold: str) -> None:
    with duckdb_at(server.url) as local:
        rows = local.execute("SELECT id, price, note FROM hd.scratch.sold ORDER BY id").fetchall()
        assert rows == [(1, Decimal("10.50"), "x"), (2, None, None)]
        assert local.execute("SELECT note FROM hd.scratch.sold WHERE id = 1").fetchall() == [("x",)]
        local.execute("CREATE TABLE hd.scratch.taken AS SELECT range AS i FROM range(10)")
        local.execute("INSERT INTO hd.scratch.taken VALUES (100)")
        count = "SELECT COUNT(*), MAX(i) FROM hd.scratch.taken"
        assert local.execute(count).fetchone() == (11, 100)
        query = "SELECT n FROM postgres_query('hd', 'SELECT COUNT(*) AS n FROM scratch.sold')"
        assert local.execute(query).fetchone() == (2,)
        assert local.execute("SELECT COUNT(*) >= 0 FROM hd.hd_runtime.tasks").fetchone() == (True,)


def test_duckdb_reads_a_table_whose_rows_are_counted() -> None:
    """It divides a table that has pages by `ctid`, which analytical tables do not have."""
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        with ServerProcess(Path(directory)) as first, psycopg.connect(first.url) as connection:
            connection.execute("CREATE TABLE counted AS SELECT range AS i FROM range(1000)")
        with ServerProcess(Path(directory)) as second, duckdb_at(second.url) as local:
            asked = "SELECT reltuples::int FROM pg_class WHERE relname = ''counted''"
            rows = local.execute(f"SELECT * FROM postgres_query('hd', '{asked}')").fetchall()
            assert rows == [(1000,)]
            assert local.execute("SELECT SUM(i) FROM hd.public.counted").fetchone() == (499500,)
