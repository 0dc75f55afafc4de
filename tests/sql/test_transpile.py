"""`hatidata transpile` as a shell calls it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
from typer.testing import CliRunner

from proxy.cli import app


@dataclass
class _Done:
    returncode: int
    stdout: str
    stderr: str


def transpile(*arguments: str, given: str = "") -> _Done:
    """The command within this process: to start one costs more than what it does."""
    done = CliRunner().invoke(app, ["transpile", *arguments], input=given)
    return _Done(done.exit_code, done.stdout, done.stderr)


def test_it_is_a_command() -> None:
    command = [sys.executable, "-m", "proxy.cli", "transpile", "-"]
    done = subprocess.run(
        command, input="selec 1", capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("-:1:1: 42601: ")


def test_it_shows_what_duckdb_is_given() -> None:
    done = transpile("select column1 as a from values (3), (4) order by 1; select 5")
    assert done.returncode == 0, done.stderr
    first, second = filter(None, map(str.strip, done.stdout.split(";")))
    assert duckdb.sql(first).fetchall() == [(3,), (4,)]
    assert duckdb.sql(second).fetchall() == [(5,)]


def test_it_reads_standard_input_and_files(tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    file.write_text("select 1 as in_file;\n")
    assert "in_file" in transpile("--file", str(file)).stdout
    assert "as typed" in transpile(given='select 1 as "as typed"').stdout.lower()
    assert "as typed" in transpile("-", given='select 1 as "as typed"').stdout.lower()


def test_what_is_refused_is_named_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    file.write_text("select 1;\nselect *\n  from t at (timestamp => 'x'::timestamp);\nselect 2;\n")
    done = transpile("--file", str(file))
    assert done.returncode == 1
    assert f"{file}:3:" in done.stderr
    assert "0A000" in done.stderr
    assert len(done.stdout.splitlines()) == 2  # the others are shown all the same


def test_a_syntax_error_has_its_line_and_column() -> None:
    done = transpile(given="select 1;\n  selec 2")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0].startswith("-:2:3: 42601: ")
    assert done.stderr.splitlines()[2] == "      ^"


def test_explain_says_who_answers() -> None:
    shown = transpile(
        "--explain",
        "select 1; insert all into a into b select 1; select * from hd_runtime.tasks; set x = 5",
    ).stdout
    assert "-- 1:1 SELECT\n-- answered by: DuckDB\n" in shown
    assert "DuckDB, in " in shown
    assert "answered by: Postgres" in shown
    assert "answered by: the session itself (SetVariables)" in shown


def test_other_dialects_can_be_named() -> None:
    written = transpile("--dialect", "postgres", "select 7/2").stdout
    assert written != transpile("select 7/2").stdout
    assert transpile("--dialect", "oracle", "select 1").returncode == 2
    assert transpile("--file", "/no/such/file").returncode == 2
