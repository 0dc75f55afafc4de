"""`hatidata demo` as a user runs it: in a process of its own, leaving nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import proxy
from proxy.demo.server import ServerError, ServerProcess

_DEMO = [sys.executable, "-m", "proxy.cli", "demo"]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """An empty directory with a short name: a unix socket's path in it must fit in 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="hd-") as directory:
        yield Path(directory)


def _environment(scratch: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(Path(proxy.__file__).parents[1]),
        "COLUMNS": "120",
    }


def _processes_of(scratch: Path) -> list[str]:
    """Command lines of all processes that have the directory as an argument or as TMPDIR."""
    wanted = str(scratch).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if wanted in command or wanted in (process / "environ").read_bytes():
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended, or it is somebody else's
            continue
    return found


def _assert_nothing_left(scratch: Path) -> None:
    assert list(scratch.iterdir()) == []
    assert _processes_of(scratch) == []


def test_it_ends_with_22_of_22_right_and_every_task_done(scratch: Path) -> None:
    """And settings of the user's own server do not reach it."""
    environment = _environment(scratch) | {
        "HATIDATA_POSTGRES": "host=127.0.0.1 port=1 dbname=production",
        "HATIDATA_DATA_DIR": "/nonexistent",
    }
    demo = subprocess.run(
        _DEMO, cwd=scratch, env=environment, capture_output=True, text=True, timeout=300
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "✓ 22 of 22 TPC-H answers right" in demo.stdout
    assert "✓ 6 tasks done, each by one agent" in demo.stdout
    assert "✓ server stopped with exit code 0" in demo.stdout
    _assert_nothing_left(scratch)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_behind(scratch: Path, sent: signal.Signals) -> None:
    # A shell that runs the tests in the background has SIGINT ignored, and children inherit that.
    run_with_default_signals = [
        sys.executable,
        "-c",
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        "os.execv(sys.argv[1], sys.argv[1:])",
        *_DEMO,
    ]
    with subprocess.Popen(
        run_with_default_signals,
        cwd=scratch,
        env=_environment(scratch),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        assert any("Server ready" in line for line in demo.stdout)
        demo.send_signal(sent)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, output
    _assert_nothing_left(scratch)


def test_a_server_that_does_not_start_says_why_and_leaves_no_process(scratch: Path) -> None:
    with (
        pytest.raises(ServerError, match="no_such_extension"),
        ServerProcess(scratch, "--extensions", "no_such_extension"),
    ):
        pass
    assert _processes_of(scratch) == []


def test_a_killed_server_does_not_leave_its_postgres_running(scratch: Path) -> None:
    with ServerProcess(scratch) as server:
        os.kill(server.pid, signal.SIGKILL)
    assert server.exit_code == -signal.SIGKILL
    assert _processes_of(scratch) == []
