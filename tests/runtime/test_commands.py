"""`hatidata runtime ...` as a shell sees it: what it prints, where, and its exit code."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from proxy.cli import app
from proxy.engines.embedded import running_conninfo

from .test_archive import AGE

_ROOT = Path(__file__).parents[2]


@dataclass
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run(*arguments: str, **environment: str) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "proxy.cli", "runtime", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=_ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore", **environment},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def within(*arguments: str, **environment: str) -> Ended:
    """As `run`, in this process, on a Postgres that is given: a start costs more than the command."""
    done = CliRunner().invoke(app, ["runtime", *arguments], env=environment)
    return Ended(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hdcli") as name:
        yield Path(name)


def test_a_new_directory_is_migrated_once(directory: Path) -> None:
    option = ("--data-dir", str(directory))
    nothing = run("status", *option)
    assert (nothing.code, nothing.out) == (1, "")
    assert "there is no embedded Postgres in" in nothing.err

    first = run("migrate", *option)
    assert (first.code, first.err) == (0, "")
    assert "  0001_work.sql\n" in first.out
    second = run("migrate", *option)
    assert (second.code, second.out) == (0, "hd_runtime in database hatidata is up to date\n")
    # What the command has started it has stopped.
    assert running_conninfo(directory / "postgres") is None

    status = run("status", *option)
    assert status.code == 0
    assert ": up to date\n" in status.out
    sound = run("check", "--events", *option)
    assert (sound.code, sound.out) == (0, "hd_runtime is sound\n")


def test_it_works_beside_a_running_server(start_server: Callable[..., Any]) -> None:
    server = start_server()
    option = ("--data-dir", str(server.process.data_directory))
    with server.connect() as client:
        client.execute("SELECT create_task(default_project(), 'worker', 'code')")
        for arguments in (["migrate"], ["status"], ["check"], ["archive", "--before", "2020-01"]):
            done = run(*arguments, *option)
            assert (done.code, done.err) == (0, ""), done
        # The server still has its Postgres.
        assert client.execute("SELECT count(*) FROM claim_next_task('a')").fetchone() == (1,)


def test_an_operator_is_made_and_unmade(start_server: Callable[..., Any]) -> None:
    server = start_server()
    option = ("--data-dir", str(server.process.data_directory))
    with server.connect() as client:
        [task] = client.execute(
            "SELECT task_id FROM create_task(default_project(), 'worker', 'code')"
        ).fetchone()
        cancel = "SELECT cancel_task(%s)"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute(cancel, [task])
        done = run("operator", "tester", *option)
        assert (done.code, done.out) == (0, "tester is an operator\n")
        assert client.execute(cancel, [task]).fetchone() == ("cancelled",)
        assert run("operator", "tester", "--revoke", *option).code == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute(cancel, [task])
    refused = run("operator", "postgres", *option)
    assert (refused.code, refused.out) == (1, "")
    assert 'may not act as role "postgres"' in refused.err


def test_nobody_is_made_up_on_a_server_that_is_given(rt: Any) -> None:
    done = within("operator", "nobody_there", "--postgres", rt.conninfo())
    assert done.code == 1
    assert 'there is no role "nobody_there"' in done.err


def test_what_is_not_up_to_date_is_said(empty: Any) -> None:
    conninfo = empty.server.conninfo(empty.database)
    pending = within("status", "--postgres", conninfo)
    assert pending.code == 1
    assert "not installed" in pending.out
    assert within("check", "--postgres", conninfo).out == "hd_runtime is not installed\n"
    # The environment names it as well as the flag does.
    assert within("migrate", HATIDATA_POSTGRES=conninfo).code == 0
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute("UPDATE hd_runtime.schema_migrations SET checksum = 'x' WHERE number = 1")
        admin.execute("UPDATE hd_runtime.schema_files SET checksum = 'x' WHERE name = 'grants.sql'")
    status = within("status", "--postgres", conninfo)
    assert status.code == 1
    assert "  grants.sql is changed\n" in status.out
    assert "0001_work.sql was changed after it was applied" in status.err
    refused = within("migrate", "--postgres", conninfo)
    assert (refused.code, refused.out) == (1, "")
    assert "0001_work.sql was changed after it was applied" in refused.err


def test_a_month_is_archived_and_the_whole_trail_verified(rt: Any, directory: Path) -> None:
    rt.rows(
        "SELECT hd_runtime._make_event_partition(date_trunc('month', now(), 'UTC')"
        " - make_interval(months => 2))"
    )
    task = rt.create()
    claimed = rt.claim("one")
    rt.call("release_attempt", claimed["attempt_id"], claimed["lease_token"])
    month = rt.value(
        "SELECT to_char(date_trunc('month', now(), 'UTC') - interval '2 months', 'YYYY-MM')"
    )
    rt.conn.execute(AGE.format(task=task["task_id"], attempts=1, ago="2 months"))
    option = ("--postgres", rt.conninfo())
    assert within("check", "--events", *option).code == 0

    before = rt.value("SELECT to_char(now(), 'YYYY-MM-DD')")
    done = within("archive", "--before", before, "--to", str(directory), *option)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{month}: 3 events, {directory}/workflow_events_")
    again = within("archive", "--before", before, "--to", str(directory), *option)
    assert (again.code, again.out.split(" left")[0][:15]) == (0, "no month of eve")
    assert within("check", "--events", *option).out == "hd_runtime is sound\n"

    # Tampering with either half is found from outside.
    [path] = directory.glob("*.parquet")
    path.rename(directory / "moved")
    missing = within("check", "--events", *option)
    assert (missing.code, f"{month}: its archive is not at" in missing.out) == (1, True)
    path.write_bytes((directory / "moved").read_bytes()[:-1])
    changed = within("check", "--events", *option)
    assert (changed.code, "is not the file that was written" in changed.out) == (1, True)


def test_a_tampered_trail_is_found_from_outside(rt: Any) -> None:
    story = rt.claim_new()
    rt.call("complete_attempt", story["attempt_id"], story["lease_token"])
    partition = rt.value("SELECT DISTINCT tableoid::regclass::text FROM workflow_events")
    option = ("check", "--events", "--postgres", rt.conninfo())
    for statement, words in (
        ("UPDATE {} SET actor = 'somebody' WHERE seq = 2", "hash does not match"),
        ("DELETE FROM {} WHERE seq = 2", "prev_hash is not the hash"),
        ("DELETE FROM {} WHERE seq = 1", "first event is missing"),
        ("DELETE FROM {} WHERE seq = 3", "its last event is 2, its head says 3"),
        ("DELETE FROM {}", "has no events"),
    ):
        with psycopg.connect(rt.conninfo()) as admin:
            admin.execute(f"ALTER TABLE hd_runtime.{partition} DISABLE TRIGGER USER")
            admin.execute(f"CREATE TABLE kept AS SELECT * FROM hd_runtime.{partition}")
            admin.execute(statement.format(f"hd_runtime.{partition}"))
            admin.execute(f"ALTER TABLE hd_runtime.{partition} ENABLE ALWAYS TRIGGER append_only")
            admin.execute(
                f"ALTER TABLE hd_runtime.{partition} ENABLE ALWAYS TRIGGER append_only_statement"
            )
        found = within(*option)
        assert found.code == 1
        assert words in found.out, (statement, found.out)
        with psycopg.connect(rt.conninfo()) as admin:
            admin.execute(f"ALTER TABLE hd_runtime.{partition} DISABLE TRIGGER USER")
            admin.execute(f"DELETE FROM hd_runtime.{partition}")
            admin.execute(f"INSERT INTO hd_runtime.{partition} SELECT * FROM kept")
            admin.execute("DROP TABLE kept")
            admin.execute(f"ALTER TABLE hd_runtime.{partition} ENABLE ALWAYS TRIGGER append_only")
            admin.execute(
                f"ALTER TABLE hd_runtime.{partition} ENABLE ALWAYS TRIGGER append_only_statement"
            )
    assert within(*option).code == 0


@pytest.mark.parametrize("day", ["yesterday", "2026-13", "31.12.2026", ""])
def test_a_day_that_is_none_is_a_wrong_command_line(day: str) -> None:
    done = within("archive", "--before", day)
    assert done.code == 2
    assert "is not a day" in done.err


def test_a_server_that_is_not_there_is_an_error_in_a_line(directory: Path) -> None:
    done = run("status", "--postgres", f"host={directory} port=1")
    assert (done.code, done.out) == (1, "")
    assert "Traceback" not in done.err


def test_two_commands_do_not_share_a_directory_without_a_server(directory: Path) -> None:
    from proxy import data_directory

    with data_directory.hold(directory):
        done = run("migrate", "--data-dir", str(directory))
    assert done.code == 1
    assert "has no embedded Postgres running" in done.err
