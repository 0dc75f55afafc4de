"""What docs/agents.md shows is what happens: its texts are run as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

_GUIDE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def fresh(start_server: Any) -> Any:
    return start_server()


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_prints_what_it_says(fresh: Any) -> None:
    statements, printed = _blocks("sql"), _blocks("text")
    assert len(statements) == len(printed) == 3
    psql = subprocess.run(
        ["psql", "-X", fresh.url.replace("tester@", "ana@")],
        # A marker between the blocks, so that each is compared by itself.
        input="\\echo -- next\n".join(statements),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert psql.stdout.split("-- next\n") == printed


def test_agents_of_its_text_do_all_tasks_once_each(fresh: Any, tmp_path: Path) -> None:
    [script] = _blocks("python")
    file = tmp_path / "agent.py"
    file.write_text(script)
    with fresh.connect() as connection:
        create = "SELECT create_task(default_project(), 'adder', 'research', %s)"
        for n in range(20):
            connection.execute(create, [f'{{"numbers": [{n}, 1]}}'])
        connection.execute(create, ['{"no numbers": true}'])
        agents = [
            subprocess.Popen(
                [sys.executable, str(file), fresh.url, f"agent-{number}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for number in (1, 2)
        ]
        # The one who waits is told of what comes later.
        done = "SELECT count(*) FROM hd_runtime.tasks WHERE status = 'done'"
        while connection.execute(done).fetchone()[0] < 20:
            pass
        connection.execute(create, ['{"numbers": [100, 1]}'])
        said = [agent.communicate(timeout=60)[0] for agent in agents]
        assert said == ["", ""]
        assert [agent.returncode for agent in agents] == [0, 0]
        sums = connection.execute(
            "SELECT (result ->> 'sum')::int FROM hd_runtime.task_attempts"
            " WHERE status = 'completed_verified'"
        ).fetchall()
        assert sorted(s for (s,) in sums) == [*range(1, 21), 101]
        assert connection.execute(
            "SELECT failure_kind, next_level FROM hd_runtime.attempt_chain"
            " WHERE failure_kind IS NOT NULL"
        ).fetchall() == [("test_failed", "L3"), ("test_failed", "L4")]


def test_the_table_of_errors_is_that_of_the_functions(server: Any) -> None:
    told = set(re.findall(r"^\| `(HD\d{3})` \|", _GUIDE, re.MULTILINE))
    with server.connect() as connection:
        raised: set[str] = set()
        for (source,) in connection.execute(
            "SELECT prosrc FROM pg_proc WHERE pronamespace = 'hd_runtime'::regnamespace"
        ):
            raised.update(re.findall(r"ERRCODE = '(HD\d{3})'", source))
    assert told == raised


def test_the_table_of_levels_is_that_of_the_database(server: Any) -> None:
    with server.connect() as connection:
        for kind, level in connection.execute(
            "SELECT kind, first_level FROM hd_runtime.failure_kinds WHERE kind <> 'lease_expired'"
        ):
            [row] = [line for line in _GUIDE.splitlines() if line.startswith(f"| {level} |")]
            assert f"`{kind}`" in row


def test_psycopg_raises_errors_that_carry_the_sqlstate(fresh: Any) -> None:
    with fresh.connect() as connection:
        connection.execute("SELECT create_task(default_project(), 'adder', 'research')")
        [attempt] = connection.execute("SELECT attempt_id FROM claim_next_task('a')").fetchone()
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("SELECT heartbeat(%s, %s)", [attempt, "not the token"])
        assert caught.value.sqlstate == "HD001"
        assert caught.value.diag.message_detail
        assert caught.value.diag.message_hint
