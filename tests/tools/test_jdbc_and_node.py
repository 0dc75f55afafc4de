"""Drivers of other languages, where they are on the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

_JAR = Path("/usr/share/java/postgresql.jar")
_NODE_MODULES = os.environ.get("HATIDATA_TEST_NODE_MODULES", "")


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


_SCRIPT = """
const { Client } = require('pg');
(async () => {
  const client = new Client({ connectionString: process.argv[1] });
  await client.connect();
  const one = await client.query('SELECT $1::int + 1 AS n, $2::text AS s', [41, 'x']);
  const named = { name: 'kept', text: 'SELECT id, note FROM scratch.sold WHERE id = $1' };
  const first = await client.query({ ...named, values: [1] });
  const second = await client.query({ ...named, values: [2] });
  const code = await client.query('SELECT nothing FROM scratch.sold').catch((e) => e.code);
  const tables = await client.query(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = $1", ['scratch']);
  console.log(JSON.stringify([one.rows, first.rows, second.rows, code, tables.rows]));
  await client.end();
})();
"""


@pytest.mark.skipif(
    not (shutil.which("node") and (Path(_NODE_MODULES) / "pg").is_dir()),
    reason="no node, or no pg in HATIDATA_TEST_NODE_MODULES",
)
def test_node(server: Any, connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE sold (id INT, note TEXT)")
    connection.execute("INSERT INTO sold VALUES (1, 'x'), (2, NULL)")
    done = subprocess.run(
        ["node", "-e", _SCRIPT, server.url],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"NODE_PATH": _NODE_MODULES},
    )
    assert done.returncode == 0, done.stderr
    one, first, second, code, tables = json.loads(done.stdout)
    # node's pg leaves 64-bit integers as text, and `int` has 64 bits in Snowflake's dialect.
    assert one == [{"n": "42", "s": "x"}]
    assert (first, second) == ([{"id": "1", "note": "x"}], [{"id": "2", "note": None}])
    assert (code, tables) == ("42703", [{"table_name": "sold"}])
