"""`hatidata serve`: how it starts, whom it refuses, how it stops, and what a crash leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

StartServer = Callable[..., Any]


def _serve(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `hatidata serve` where it is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "proxy.cli", "serve", *options],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_second_server_on_the_same_data_directory_is_refused(start_server: StartServer) -> None:
    first = start_server()
    directory = str(first.process.data_directory)
    second = _serve("--port", "0", "--data-dir", directory)
    assert second.returncode == 1
    assert "in use by another server" in second.stderr
    assert second.stdout == ""
    assert first.connect().execute("SELECT 1").fetchone() == (1,)


def test_taken_port_is_refused_before_anything_is_started(
    start_server: StartServer, tmp_path: Path
) -> None:
    first = start_server()
    directory = tmp_path / "other"
    second = _serve("--port", str(first.port), "--data-dir", str(directory))
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{first.port}" in second.stderr
    assert not (directory / "postgres").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org"])
def test_listening_beyond_loopback_is_refused(host: str, tmp_path: Path) -> None:
    ended = _serve("--host", host, "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 1
    assert "not authenticated" in ended.stderr


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    """Each source names another address that is refused, so the message tells who won."""
    file = tmp_path / "settings.toml"
    file.write_text('host = "10.0.0.1"\n')
    by_file = _serve("--config", str(file))
    by_environment = _serve("--config", str(file), HATIDATA_HOST="10.0.0.2")
    by_flag = _serve("--config", str(file), "--host", "10.0.0.3", HATIDATA_HOST="10.0.0.2")
    for ended, address in (
        (by_file, "10.0.0.1"),
        (by_environment, "10.0.0.2"),
        (by_flag, "10.0.0.3"),
    ):
        assert ended.returncode == 1
        assert f"refusing to listen on {address}" in ended.stderr


def test_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("prot = 5439\n")
    ended = _serve("--config", str(file))
    assert ended.returncode == 1
    assert "prot" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_everything_with_exit_code_0(start_server: StartServer, number: int) -> None:
    running = start_server()
    running.connect().execute("SELECT count(*) FROM hd_runtime.tasks")
    os.kill(running.pid, number)
    assert running.process.wait() == 0
    assert not list(running.process.data_directory.rglob("postmaster.pid"))


def test_running_statement_ends_before_the_server_stops(start_server: StartServer) -> None:
    running = start_server()
    connection = running.connect()
    connection.execute("CREATE TABLE done (n int)")
    results: list[object] = []

    def work() -> None:
        query = "SELECT sum(a.i * b.i) FROM range(60000) a(i), range(3000) b(i)"
        results.append(connection.execute(query).fetchone())

    thread = threading.Thread(target=work)
    thread.start()
    watcher = running.connect()
    while not watcher.execute("SELECT 1").fetchone():
        pass
    os.kill(running.pid, signal.SIGTERM)
    thread.join()
    assert results
    assert results[0] is not None
    assert running.process.wait() == 0


def test_committed_rows_survive_kill_9_on_both_engines(start_server: StartServer) -> None:
    first = start_server()
    connection = first.connect()
    connection.execute("CREATE TABLE kept (n int)")
    connection.execute("INSERT INTO kept SELECT i FROM range(1000) t(i)")
    project = connection.execute("SELECT id FROM hd_runtime.projects LIMIT 1").fetchone()
    assert project is not None
    task = connection.execute(
        "SELECT task_id FROM create_task(%s, 'builder', 'code')", [project[0]]
    ).fetchone()
    assert task is not None
    other = first.connect(autocommit=False)
    other.execute("INSERT INTO kept VALUES (-1)")
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    second = start_server("--data-dir", str(first.process.data_directory))
    again = second.connect()
    assert again.execute("SELECT count(*), min(n) FROM kept").fetchone() == (1000, 0)
    assert again.execute(
        "SELECT count(*) FROM hd_runtime.tasks WHERE id = %s", [task[0]]
    ).fetchone() == (1,)


def test_one_client_too_many_gets_53300(start_server: StartServer) -> None:
    running = start_server("--max-connections", "2")
    kept = [running.connect(), running.connect()]
    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        running.connect()
    kept.pop().close()
    while True:  # the place is free once the server has noticed
        try:
            running.connect()
        except psycopg.OperationalError:
            continue
        break


def test_the_environment_of_psql_does_not_steer_the_embedded_postgres(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "5439")
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")
    monkeypatch.setenv("PGUSER", "somebody")
    with start_server().connect() as connection:
        assert connection.execute("SELECT count(*) FROM hd_runtime.tasks").fetchone() == (0,)
