"""No path of a client's leads out of its stage, and no other file of the server's is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proxy.demo.server import ServerProcess
from proxy.errors import SqlError
from proxy.staging.columnar import ParquetFiles
from proxy.staging.directory import StageDirectory, encoded, parts_of
from tests.stages.conftest import fetched

Rows = Callable[[str], list[tuple]]
Send = Callable[[str, bytes], None]

HOSTILE = ["..", "../x", "a/../../x", "a/..", "./x", "a/./x", "a//../x", "\0", "a/\0b", "x" * 256]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_path_is_none(path: str) -> None:
    with pytest.raises(SqlError):
        parts_of(path)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "\0", "A", "é", "..%2f"])
def test_a_users_name_is_one_part_of_a_path(name: str) -> None:
    directory = encoded("user", name)
    assert "/" not in directory
    assert directory not in (".", "..")
    assert "\0" not in directory


@pytest.mark.parametrize(
    "location",
    ["@s/../../hatidata.duckdb", "@s/..", "'@s/a/../../../x'", "@~/../x", "@s/./x", "@s/a/../x"],
)
def test_a_hostile_location_is_refused(
    db: psycopg.Connection, rows: Rows, send: Send, location: str
) -> None:
    rows("CREATE STAGE s")
    rows("CREATE TABLE t (a VARCHAR)")
    plain = location.strip("'")
    for sql in (
        f"LIST {location}",
        f"RM {location}",
        f"SELECT $1 FROM {location}",
        f"COPY INTO t FROM {location}",
        f"COPY INTO {location} FROM t OVERWRITE = TRUE",
        f"COPY INTO {location} FROM t SINGLE = TRUE OVERWRITE = TRUE",
    ):
        with pytest.raises(psycopg.Error) as caught:
            rows(sql)
        assert caught.value.sqlstate in ("22023", "42601"), sql
    with pytest.raises(psycopg.Error):
        send(plain, b"x")
    with pytest.raises(psycopg.Error):
        fetched(db, plain)


def test_files_of_copy_stay_within_the_stage(rows: Rows) -> None:
    rows("CREATE STAGE s")
    rows("CREATE TABLE t (a VARCHAR)")
    for name in ("../x", "/etc/passwd", "a/../../x"):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            rows(f"COPY INTO t FROM @s FILES = ('{name}')")


def test_a_partition_stays_within_the_stage(rows: Rows) -> None:
    rows("CREATE STAGE s")
    rows("CREATE TABLE t AS SELECT 1 AS a")
    for name in ("../../x", "..", "/tmp/x", ""):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            rows(f"COPY INTO @s FROM t PARTITION BY ('{name}')")
    assert rows("LIST @s") == []


@pytest.mark.parametrize("path", ["/etc/passwd", "/", "/etc/*", "/proc/self/environ"])
def test_put_reads_allowed_directories_only(rows: Rows, path: str) -> None:
    rows("CREATE STAGE s")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not touch") as caught:
        rows(f"PUT 'file://{path}' @s")
    assert "COPY @stage/file FROM STDIN" in (caught.value.diag.message_hint or "")


def test_put_does_not_follow_links_out(rows: Rows, allowed: Path) -> None:
    rows("CREATE STAGE s")
    (allowed / "link").symlink_to("/etc/passwd")
    (allowed / "dirlink").symlink_to("/etc")
    for path in (f"{allowed}/link", f"{allowed}/dirlink/passwd", f"{allowed}/../../etc/passwd"):
        with pytest.raises(psycopg.Error) as caught:
            rows(f"PUT 'file://{path}' @s")
        assert caught.value.sqlstate in ("42501", "58P01")
    assert rows("LIST @s") == []


def test_get_writes_allowed_directories_only(rows: Rows, send: Send, allowed: Path) -> None:
    rows("CREATE STAGE s")
    send("@s/f", b"x")
    for path in ("/tmp/", f"{allowed}/../"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(f"GET @s 'file://{path}'")
    (allowed / "f").symlink_to("/tmp/hatidata-must-not-be-made")
    with pytest.raises(psycopg.Error):
        rows(f"GET @s 'file://{allowed}/'")
    assert not os.path.exists("/tmp/hatidata-must-not-be-made")
    (allowed / "f").unlink()


def test_links_within_a_stage_lead_nowhere(
    db: psycopg.Connection, rows: Rows, send: Send, stage_server: ServerProcess
) -> None:
    rows("CREATE STAGE s")
    send("@s/marker_of_this_test", b"1\n")
    (stage,) = stage_server.data_directory.glob("stages/*/marker_of_this_test")
    (stage.parent / "link.csv").symlink_to("/etc/passwd")
    (stage.parent / "dir").symlink_to("/etc")
    os.mkfifo(stage.parent / "pipe.csv")
    rows("CREATE TABLE t (a VARCHAR)")

    assert [r[0] for r in rows("LIST @s")] == ["s/marker_of_this_test"]
    assert rows("SELECT $1 FROM @s") == [("1",)]
    for path in ("link.csv", "dir/passwd", "pipe.csv"):
        assert rows(f"SELECT $1 FROM @s/{path}") == []
        with pytest.raises(psycopg.errors.UndefinedFile):
            rows(f"COPY INTO t FROM @s FILES = ('{path}')")
        with pytest.raises(psycopg.errors.UndefinedFile):
            fetched(db, f"@s/{path}")
    with pytest.raises(psycopg.Error):
        send("@s/dir/new", b"x")
    assert not os.path.exists("/etc/new")


def test_clearing_a_stage_removes_links_not_what_they_lead_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    stages = StageDirectory(tmp_path / "stages")
    with stages.writing("one", "a/b") as file:
        file.write(b"x")
    (tmp_path / "stages" / "one" / "link").symlink_to(outside)
    stages.clear("one")
    assert (outside / "kept").exists()
    assert stages.stages() == []


def test_a_definition_made_by_hand_leads_nowhere(rows: Rows) -> None:
    for place in ("../..", "/etc", "user-ana", ""):
        document = json.dumps({"id": place, "name": "evil"})
        rows("SET hatidata.dialect = 'duckdb'")
        rows(f"CREATE OR REPLACE MACRO \"stage evil\"() AS '{document}'")
        rows("SET hatidata.dialect = 'snowflake'")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="damaged"):
            rows("LIST @evil")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('{stages}/x')",
        "SELECT * FROM glob('{stages}/*')",
        "COPY (SELECT 1) TO '{stages}/x.csv'",
        "SELECT $1 FROM 's3://bucket/file'",
        "COPY INTO t FROM '/etc/passwd'",
        "COPY INTO t FROM 'file:///etc/passwd'",
        "COPY INTO '/tmp/x' FROM t",
    ],
)
def test_no_other_file_is_read_or_written(
    rows: Rows, stage_server: ServerProcess, sql: str
) -> None:
    rows("CREATE TABLE t (a VARCHAR)")
    for dialect in ("snowflake", "duckdb"):
        rows(f"SET hatidata.dialect = '{dialect}'")
        with pytest.raises(psycopg.Error):
            rows(sql.format(stages=stage_server.data_directory / "stages"))


def test_one_users_stage_is_not_anothers(
    rows: Rows, send: Send, stage_server: ServerProcess
) -> None:
    send("@~/secret", b"x")
    with stage_server.connect("bob") as other:
        assert other.execute("LIST @~").fetchall() == []
    rows("RM @~/secret")


def test_a_pattern_cannot_keep_the_server_busy(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    send("@s/" + "a" * 60, b"x")
    assert rows("LIST @s PATTERN = '(a+)+b'") == []
    with pytest.raises(psycopg.Error) as caught:
        rows("LIST @s PATTERN = '('")
    assert caught.value.sqlstate == "2201B"


def test_the_reader_of_parquet_reads_below_the_stages_alone(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    table = pa.table({"a'\"\n;": [1]})
    for place in (tmp_path, tmp_path / "stages"):
        pq.write_table(table, place / "x.parquet")
    reader = ParquetFiles(tmp_path / "stages")
    with (tmp_path / "stages" / "x.parquet").open("rb") as file:
        (documents,) = reader.documents(file, "x", True)
        assert json.loads(documents[0].as_py()) == {"a'\"\n;": 1}
    with (tmp_path / "x.parquet").open("rb") as file, pytest.raises(SqlError, match="Parquet"):
        reader.columns(file, "x", True)
    reader.close()
