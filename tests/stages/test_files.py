"""Files into a stage and out of it: PUT, GET, LIST, REMOVE, and COPY through the connection."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from proxy.demo.server import ServerProcess
from tests.stages.conftest import fetched

Rows = Callable[[str], list[tuple]]
Send = Callable[[str, bytes], None]


def test_put_packs_a_file_and_says_so(db: psycopg.Connection, rows: Rows, allowed: Path) -> None:
    (allowed / "plain.csv").write_bytes(b"1,x\n2,y\n")
    rows("CREATE STAGE s")

    cursor = db.execute(f"PUT file://{allowed}/plain.csv @s")

    assert [column.name for column in cursor.description or ()] == [
        *("source", "target", "source_size", "target_size"),
        *("source_compression", "target_compression", "status", "message"),
    ]
    (row,) = cursor.fetchall()
    assert row[:3] == ("plain.csv", "plain.csv.gz", 8)
    assert row[4:7] == ("NONE", "GZIP", "UPLOADED")
    assert gzip.decompress(fetched(db, "@s/plain.csv.gz")) == b"1,x\n2,y\n"


def test_put_again_is_skipped_unless_it_overwrites(rows: Rows, allowed: Path) -> None:
    (allowed / "again.csv").write_bytes(b"1\n")
    rows("CREATE STAGE s")
    put = f"PUT file://{allowed}/again.csv @s AUTO_COMPRESS = FALSE"

    assert rows(put)[0][6] == "UPLOADED"
    assert rows(put)[0][6] == "SKIPPED"
    (allowed / "again.csv").write_bytes(b"12\n")
    assert rows(put)[0][6] == "SKIPPED"
    assert rows("LIST @s")[0][1] == 2
    assert rows(put + " OVERWRITE = TRUE")[0][6] == "UPLOADED"
    assert rows("LIST @s")[0][1] == 3


def test_put_leaves_packed_files_as_they_are(rows: Rows, allowed: Path) -> None:
    (allowed / "packed.csv.gz").write_bytes(gzip.compress(b"1\n"))
    rows("CREATE STAGE s")
    (row,) = rows(f"PUT file://{allowed}/packed.csv.gz @s")
    assert (row[1], row[4], row[5]) == ("packed.csv.gz", "GZIP", "GZIP")


def test_put_takes_wildcards_and_a_path(rows: Rows, allowed: Path) -> None:
    for name in ("w1.txt", "w2.txt", "w3.csv"):
        (allowed / name).write_bytes(b"x")
    rows("CREATE STAGE s")
    rows(f"PUT 'file://{allowed}/w*.txt' @s/in/2024 AUTO_COMPRESS=FALSE")
    assert [row[0] for row in rows("LS @s")] == ["s/in/2024/w1.txt", "s/in/2024/w2.txt"]


def test_list_tells_size_digest_and_moment(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    send("@s/a.bin", b"abc")
    ((name, size, md5, modified),) = rows("LIST @s")
    assert (name, size) == ("s/a.bin", 3)
    assert md5 == hashlib.md5(b"abc").hexdigest()
    assert modified.endswith(" GMT")


def test_list_by_prefix_and_pattern(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    for path in ("a/1.csv", "a/2.json", "ab.csv", "b/1.csv"):
        send(f"@s/{path}", b"x")
    assert [r[0] for r in rows("LIST @s/a")] == ["s/a/1.csv", "s/a/2.json", "s/ab.csv"]
    assert [r[0] for r in rows("LIST @s/a/")] == ["s/a/1.csv", "s/a/2.json"]
    assert [r[0] for r in rows("LIST @s PATTERN = '.*[.]json'")] == ["s/a/2.json"]
    assert rows("LIST @s/none") == []


def test_remove_by_prefix_and_pattern(rows: Rows, send: Send) -> None:
    rows("CREATE STAGE s")
    for path in ("a/1.csv", "a/2.json", "b.csv"):
        send(f"@s/{path}", b"x")
    assert rows("RM @s PATTERN = '.*csv'") == [("s/a/1.csv", "removed"), ("s/b.csv", "removed")]
    assert rows("REMOVE @s/a/2.json") == [("s/a/2.json", "removed")]
    assert rows("LIST @s") == []


def test_get_writes_into_an_allowed_directory(rows: Rows, send: Send, allowed: Path) -> None:
    rows("CREATE STAGE s")
    send("@s/deep/got.bin", b"\x00\xff bytes")
    (allowed / "target").mkdir()
    assert rows(f"GET @s/deep file://{allowed}/target/") == [("got.bin", 8, "DOWNLOADED", "")]
    assert (allowed / "target" / "got.bin").read_bytes() == b"\x00\xff bytes"


def test_the_users_and_a_tables_stage(rows: Rows, send: Send) -> None:
    rows("CREATE TABLE t (a INT)")
    send("@~/mine.csv", b"1\n")
    send("@%t/its.csv", b"2\n")
    assert "mine.csv" in [r[0] for r in rows("LIST @~")]
    assert [r[0] for r in rows("LIST @%t")] == ["its.csv"]
    rows("RM @~/mine.csv")
    rows("DROP TABLE t")
    rows("CREATE TABLE t (a INT)")
    assert rows("LIST @%t") == []


def test_a_table_without_a_stage_yet_has_no_files(rows: Rows) -> None:
    rows("CREATE TABLE t (a INT)")
    assert rows("LIST @%t") == []
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows("LIST @%nosuch")


def test_bytes_go_through_the_connection_as_they_are(
    db: psycopg.Connection, rows: Rows, send: Send
) -> None:
    data = bytes(range(256)) * 20_000 + b"\\.\n"
    rows("CREATE STAGE s")
    send("@s/a/b.bin", data)
    assert fetched(db, "@s/a/b.bin") == data
    send("@s/a/b.bin", b"new")
    assert fetched(db, "@s/a/b.bin") == b"new"
    send("@s/empty", b"")
    assert fetched(db, "@s/empty") == b""


def test_a_copy_that_fails_leaves_no_file(db: psycopg.Connection, rows: Rows) -> None:
    rows("CREATE STAGE s")
    with (
        pytest.raises(ValueError, match="gives up"),
        db.cursor().copy("COPY @s/half FROM STDIN") as copy,
    ):
        copy.write(b"half")
        raise ValueError("the client gives up")
    assert rows("LIST @s") == []
    assert rows("SELECT 1") == [(1,)]


def test_psql_sends_and_fetches_files(
    rows: Rows, db: psycopg.Connection, stage_server: ServerProcess, tmp_path: Path
) -> None:
    schema = rows("SELECT current_schema()")[0][0]
    rows("CREATE STAGE s")
    (tmp_path / "local.csv").write_bytes(b"1,x\n\\.\n\x00\xff\n")
    script = (
        f"\\copy \"@{schema}.s/sent here.csv\" from '{tmp_path}/local.csv'\n"
        f"SET search_path = {schema};\n"
        f"\\copy @s/sent.csv from '{tmp_path}/local.csv'\n"
        f"\\copy @s/sent.csv to '{tmp_path}/back.csv'\n"
    )
    url = stage_server.url.replace("://", "://ana@")
    done = subprocess.run(
        ["psql", url, "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back.csv").read_bytes() == b"1,x\n\\.\n\x00\xff\n"


def test_a_file_that_is_not_there(db: psycopg.Connection, rows: Rows, allowed: Path) -> None:
    rows("CREATE STAGE s")
    with pytest.raises(psycopg.errors.UndefinedFile):
        rows(f"PUT file://{allowed}/nosuch.csv @s")
    with pytest.raises(psycopg.errors.UndefinedFile):
        fetched(db, "@s/nosuch")
    with pytest.raises(psycopg.errors.UndefinedObject, match='stage "nosuch" does not exist'):
        rows("LIST @nosuch")
