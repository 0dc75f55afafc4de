"""One session, two engines: routing, transactions over both, and what the relay passes on."""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def table(connection: Any) -> Any:
    connection.execute("CREATE OR REPLACE TABLE two_engines (n int)")
    yield "two_engines"
    connection.rollback()
    connection.execute("DROP TABLE two_engines")


def _new_task(connection: Any, key: str | None = None) -> Any:
    row = connection.execute(
        "SELECT task_id FROM create_task(default_project(), 'builder', 'code', NULL, NULL, %s)",
        [key],
    ).fetchone()
    return row[0]


def _exists(connection: Any, task: Any) -> bool:
    found = connection.execute("SELECT 1 FROM hd_runtime.tasks WHERE id = %s", [task]).fetchone()
    return found is not None


def _rows(connection: Any) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM two_engines ORDER BY n").fetchall()]


def test_the_shortest_calls_of_the_runtime(server: Any) -> None:
    with server.connect() as connection:
        task = _new_task(connection)
        claimed = connection.execute(
            "SELECT attempt_id, lease_token, lease_epoch FROM claim_task(%s, 'agent-1')", [task]
        ).fetchone()
        attempt, token, epoch = claimed
        assert epoch == 1
        beat = connection.execute("SELECT * FROM heartbeat(%s, %s)", [attempt, token]).fetchone()
        assert beat[1] is False
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("SELECT * FROM hd_runtime.heartbeat(%s, 'another')", [attempt])
        assert caught.value.sqlstate == "HD001"
        connection.execute("SELECT complete_attempt(%s, %s, %s)", [attempt, token, '{"ok": true}'])
        assert connection.execute(
            "SELECT status FROM hd_runtime.tasks WHERE id = %s", [task]
        ).fetchone() == ("done",)
        events = connection.execute(
            "SELECT type FROM hd_runtime.workflow_events WHERE task_id = %s ORDER BY seq", [task]
        ).fetchall()
        assert [kind for (kind,) in events] == [
            "task.created", "attempt.claimed", "attempt.completed"
        ]  # fmt: skip


def test_commit_keeps_both_sides(connection: Any, table: str) -> None:
    with connection.transaction():
        connection.execute("INSERT INTO two_engines VALUES (1)")
        task = _new_task(connection)
        connection.execute("INSERT INTO two_engines VALUES (2)")
    assert _rows(connection) == [1, 2]
    assert _exists(connection, task)


def test_rollback_undoes_both_sides(connection: Any, table: str) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("INSERT INTO two_engines VALUES (1)")
        task = _new_task(connection)
        assert _exists(connection, task)
        assert _rows(connection) == [1]
    assert _rows(connection) == []
    assert not _exists(connection, task)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("SELECT 1 / 0", errors.DivisionByZero),
        ("SELECT * FROM hd_runtime.no_such_table", errors.UndefinedTable),
    ],
)
def test_an_error_on_either_side_undoes_both(
    connection: Any, table: str, wrong: str, error: type[Exception]
) -> None:
    connection.execute("BEGIN")
    connection.execute("INSERT INTO two_engines VALUES (1)")
    task = _new_task(connection)
    with pytest.raises(error):
        connection.execute(wrong)
    for statement in ("SELECT 1", "SELECT count(*) FROM hd_runtime.tasks"):
        with pytest.raises(errors.InFailedSqlTransaction):
            connection.execute(statement)
    assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    assert _rows(connection) == []
    assert not _exists(connection, task)


@pytest.mark.parametrize("wrong", ["SELECT 1 / 0", "SELECT * FROM hd_runtime.no_such_table"])
def test_an_error_in_a_pipeline_undoes_both_sides(connection: Any, table: str, wrong: str) -> None:
    key = f"pipeline {wrong}"

    def run() -> None:
        with connection.pipeline():
            connection.execute("INSERT INTO two_engines VALUES (%s)", [1])
            connection.execute(
                "SELECT * FROM create_task(default_project(), 'builder', 'code', NULL, NULL, %s)",
                [key],
            )
            connection.execute(wrong)

    with pytest.raises(psycopg.Error):
        run()
    assert _rows(connection) == []
    found = connection.execute("SELECT 1 FROM hd_runtime.tasks WHERE work_item_key = %s", [key])
    assert found.fetchone() is None


def test_a_pipeline_over_both_engines_answers_in_order(connection: Any, table: str) -> None:
    with connection.pipeline():
        answers = [
            connection.execute("SELECT %s::int", [1]),
            connection.execute("SELECT version()"),
            connection.execute("SELECT %s::int", [2]),
            connection.execute("SELECT count(*) FROM pg_catalog.pg_class"),
            connection.execute("SELECT %s::int", [3]),
        ]
        values = [answer.fetchone()[0] for answer in answers]
    assert values[0::2] == [1, 2, 3]
    assert values[1].startswith("PostgreSQL")
    assert values[3] > 100


def test_several_statements_of_both_engines_in_one_message(connection: Any, table: str) -> None:
    """Each with its own result; the failing one undoes them all and its position is the message's."""
    message = (
        "INSERT INTO two_engines VALUES (7); SELECT 1 FROM pg_class LIMIT 1; SELECT 2 FROM pg_clas"
    )
    with pytest.raises(errors.UndefinedTable) as caught:
        connection.execute(message)
    assert caught.value.diag.statement_position == str(message.rindex("pg_clas") + 1)
    assert _rows(connection) == []


def test_listen_and_notify_go_through(server: Any) -> None:
    with server.connect() as listener, server.connect() as notifier:
        listener.execute("LISTEN hd_test")
        notifier.execute("NOTIFY hd_test, 'there is work'")
        for note in listener.notifies(timeout=30, stop_after=1):
            assert (note.channel, note.payload) == ("hd_test", "there is work")
            break
        else:
            pytest.fail("no notification came")


def test_notices_of_postgres_reach_the_client(connection: Any) -> None:
    heard: list[str] = []
    connection.add_notice_handler(lambda diagnostic: heard.append(diagnostic.sqlstate or ""))
    connection.execute("LISTEN twice; UNLISTEN never_listened")
    connection.execute("ROLLBACK")
    assert heard == ["25P01"]


def test_settings_reach_both_engines_and_new_backends(server: Any) -> None:
    with server.connect(options="-c TimeZone=Asia/Tokyo -c hatidata_agent_id=a7") as connection:
        (moment,) = connection.execute("SELECT '2024-01-01 00:00:00+00'::timestamptz").fetchone()
        assert (moment.hour, moment.utcoffset().total_seconds()) == (9, 9 * 3600)
        assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == (
            "Asia/Tokyo",
        )
        connection.execute("SET TimeZone = 'UTC'")
        assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
        assert connection.execute("SHOW hatidata_agent_id").fetchone() == ("a7",)
        connection.execute("SET work_mem = '7MB'")
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hd_runtime.tasks SET status = 'done'",
        "DELETE FROM hd_runtime.workflow_events",
        "CREATE TABLE hd_runtime.mine (n int)",
        "SELECT * FROM hatidata_private.credentials",
        "CREATE ROLE stronger SUPERUSER",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
    ],
)
def test_a_client_is_no_more_than_an_agent(connection: Any, statement: str) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute(statement)
    assert connection.execute("SELECT current_user").fetchone() == ("tester",)
    superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    assert connection.execute(superuser).fetchone() == (False,)


@pytest.mark.parametrize("user", ["postgres", "hd_operator", "pg_read_server_files", "u" * 64])
def test_stronger_and_impossible_names_are_refused(server: Any, user: str) -> None:
    url = server.url.replace("tester@", f"{user}@")
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(errors.InvalidAuthorizationSpecification):
            connection.execute("SELECT count(*) FROM hd_runtime.tasks")


@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "duckdb"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "COPY two_engines FROM '/etc/passwd'",
        "ATTACH '/tmp/other.db' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET GLOBAL threads = 1",
        "EXPORT DATABASE '/tmp/export'",
        "CREATE SECRET s (TYPE s3)",
    ],
)
def test_sql_does_not_reach_the_machine(server: Any, dialect: str, statement: str) -> None:
    options = f"-c hatidata.dialect={dialect}"
    with server.connect(options=options) as connection, pytest.raises(psycopg.Error):
        connection.execute(statement)
    with server.connect(options=options + " -c hatidata.transpile=off") as connection:
        with pytest.raises(psycopg.Error):
            connection.execute(statement)
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
@pytest.mark.parametrize("setting", ["memory_limit = '1GB'", "enable_external_access = true"])
def test_sql_does_not_change_the_engines_settings(server: Any, dialect: str, setting: str) -> None:
    options = f"-c hatidata.dialect={dialect}"
    with server.connect(options=options) as connection, pytest.raises(psycopg.Error):
        connection.execute(f"SET {setting}")


def test_snowflakes_set_makes_a_variable_and_leaves_the_engine_alone(server: Any) -> None:
    with server.connect() as connection:
        connection.execute("SET enable_external_access = true")
        assert connection.execute("SELECT $enable_external_access").fetchone() == (True,)
        connection.execute("SET hatidata.dialect = duckdb")
        found = connection.execute(
            "SELECT value FROM duckdb_settings() WHERE name = 'enable_external_access'"
        )
        assert found.fetchone() == ("false",)


def test_two_agents_never_claim_the_same_task(server: Any) -> None:
    with server.connect() as connection:
        tasks = {
            connection.execute(
                "SELECT task_id FROM create_task(default_project(), 'builder', 'code', %s)",
                [json.dumps({"n": n})],
            ).fetchone()[0]
            for n in range(20)
        }
    claimed: list[Any] = []

    def work(name: str) -> None:
        with server.connect() as agent:
            while rows := agent.execute(
                "SELECT task_id, attempt_id, lease_token FROM claim_next_task(%s)", [name]
            ).fetchall():
                for task, attempt, token in rows:
                    claimed.append(task)
                    agent.execute("SELECT complete_attempt(%s, %s)", [attempt, token])

    agents = [threading.Thread(target=work, args=(f"agent-{n}",)) for n in range(4)]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join()
    assert len(claimed) == len(set(claimed))
    assert tasks <= set(claimed)
