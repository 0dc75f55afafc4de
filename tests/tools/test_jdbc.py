"""JDBC, where its driver and a compiler are on the machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

_JAR = Path("/usr/share/java/postgresql.jar")


@pytest.mark.skipif(
    not (_JAR.exists() and shutil.which("javac")), reason="no JDBC driver, or no javac"
)
def test_jdbc(server: Any, connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute("SET hatidata.dialect = 'duckdb'")
    connection.execute("CREATE SCHEMA jdbc")
    try:
        connection.execute(
            "CREATE TABLE jdbc.orders "
            "(id INTEGER PRIMARY KEY, total DECIMAL(12,2) NOT NULL, placed TIMESTAMP)"
        )
        connection.execute(
            "CREATE TABLE jdbc.lines (order_id INTEGER REFERENCES jdbc.orders (id), n INTEGER)"
        )
        connection.execute("CREATE VIEW jdbc.dear AS SELECT id FROM jdbc.orders")
        source = Path(__file__).with_name("Metadata.java")
        subprocess.run(["javac", "-d", str(tmp_path), str(source)], check=True, timeout=120)
        url = f"jdbc:postgresql://{server.host}:{server.port}/hatidata"
        done = subprocess.run(
            ["java", "-cp", f"{tmp_path}:{_JAR}", "Metadata", url],
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        connection.execute("DROP TABLE IF EXISTS jdbc.lines")
        connection.execute("DROP SCHEMA jdbc CASCADE")
    assert done.returncode == 0, done.stdout + done.stderr
    assert dict(line.split("=", 1) for line in done.stdout.splitlines()) == {
        "product": "PostgreSQL",
        "tables": "lines,TABLE;orders,TABLE;dear,VIEW",
        "columns": "id,int4,10,0;total,numeric,12,0;placed,timestamp,29,1",
        "key": "id",
        "imported": "orders,order_id",
        "index": "id",
        "types": "true",
        "schemas": "true",
        "batch": "1000",
        "fetched": "990,999,1.50,2024-01-02 03:04:05.0",
        "error": "42703",
    }
