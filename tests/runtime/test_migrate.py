"""Bringing hd_runtime into a database: once, again, many at a time, changed, newer, broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import runtime_sql
from runtime_sql import MigrationError, sources


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's SQL, which the test may change and `migrate` then reads."""
    copy = tmp_path / "runtime_sql"
    shutil.copytree(sources._root(), copy)
    monkeypatch.setattr(sources, "_root", lambda: copy)
    return copy


def test_an_empty_database_gets_everything_and_a_second_time_nothing(empty):
    conninfo = empty.server.conninfo(empty.database)
    first = runtime_sql.migrate(conninfo)
    assert first.migrations[0] == "0001_work.sql"
    assert first.definitions[-1] == "grants.sql"
    assert first.search_path == '"$user", public, hd_runtime'
    assert "migrations" in str(first)

    second = runtime_sql.migrate(conninfo)
    assert not second.changed
    assert "up to date" in str(second)
    assert runtime_sql.status(conninfo).up_to_date
    assert runtime_sql.check(conninfo) == []


def test_functions_can_be_called_without_the_schemas_name(empty):
    conninfo = empty.server.conninfo(empty.database)
    runtime_sql.migrate(conninfo)
    with psycopg.connect(conninfo) as conn:
        conn.execute("SELECT create_task(default_project(), 'builder', 'code')")
        assert len(conn.execute("SELECT * FROM claim_next_task('agent-1')").fetchall()) == 1


def test_the_search_path_is_left_alone_on_request(empty):
    conninfo = empty.server.conninfo(empty.database)
    report = runtime_sql.migrate(conninfo, set_search_path=False)
    assert report.search_path is None
    with psycopg.connect(conninfo) as conn:
        assert conn.execute("SHOW search_path").fetchone() == ('"$user", public',)
    assert any("search_path" in problem for problem in runtime_sql.check(conninfo))


def test_ten_processes_at_once_leave_one_runtime(empty):
    conninfo = empty.server.conninfo(empty.database)
    code = f"import runtime_sql; print(len(runtime_sql.migrate({conninfo!r}).migrations))"
    root = Path(runtime_sql.__file__).parents[1]
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(10)
    ]
    applied = [int(process.communicate(timeout=60)[0]) for process in running]
    assert [process.returncode for process in running] == [0] * 10
    assert sorted(applied) == [0] * 9 + [len(sources.migrations())]
    assert runtime_sql.check(conninfo) == []


def test_an_applied_migration_that_was_changed_is_an_error(rt, package):
    with (package / "migrations" / "0001_work.sql").open("a") as file:
        file.write("\n-- an afterthought\n")
    with pytest.raises(MigrationError, match=r"0001_work\.sql was changed after it was applied"):
        runtime_sql.migrate(rt.conninfo())
    found = runtime_sql.status(rt.conninfo())
    assert not found.up_to_date
    assert "0001_work.sql" in found.problem


def test_a_database_of_a_newer_version_is_an_error(rt):
    rt.rows(
        "INSERT INTO hd_runtime.schema_migrations (number, name, checksum)"
        " VALUES (99, '0099_future.sql', 'x') RETURNING 1"
    )
    with pytest.raises(MigrationError, match=r"newer version.*0099_future\.sql"):
        runtime_sql.migrate(rt.conninfo())


def test_a_migration_that_fails_leaves_nothing_and_names_file_and_line(rt, package):
    last = len(sources.migrations())
    name = f"{last + 1:04}_broken.sql"
    (package / "migrations" / name).write_text(
        "CREATE TABLE hd_runtime.half_done (id int);\n\nSELECT * FROM no_such_table;\n"
    )
    with pytest.raises(MigrationError, match=rf"{name}, line 3: .*no_such_table"):
        runtime_sql.migrate(rt.conninfo())
    assert rt.value("SELECT to_regclass('hd_runtime.half_done')") is None
    assert f"migrations/{name} is pending" in runtime_sql.check(rt.conninfo())


def test_a_changed_function_is_replaced(rt, package):
    file = package / "functions" / "default_project.sql"
    file.write_text(file.read_text().replace("-000000000001'::uuid", "-00000000000a'::uuid"))
    report = runtime_sql.migrate(rt.conninfo())
    assert set(report.definitions) == {"functions/default_project.sql", "grants.sql"}
    assert str(rt.value("SELECT default_project()")).endswith("0a")


def test_a_function_with_another_signature_replaces_the_old_one(rt, package):
    file = package / "functions" / "default_project.sql"
    file.write_text(
        file.read_text().replace("default_project()", "default_project(tenant text DEFAULT '')", 1)
        .replace("FUNCTION hd_runtime.default_project()", "FUNCTION hd_runtime.default_project")
    )  # fmt: skip
    runtime_sql.migrate(rt.conninfo())
    signatures = rt.rows(
        "SELECT oid::regprocedure::text AS s FROM pg_proc WHERE proname = 'default_project'"
    )
    assert [row["s"] for row in signatures] == ["default_project(text)"]
    assert runtime_sql.check(rt.conninfo()) == []


def test_a_function_with_another_result_replaces_the_old_one(rt, package):
    file = package / "functions" / "default_project.sql"
    text = file.read_text().replace("RETURNS uuid", "RETURNS text").replace("'::uuid", "'::text")
    file.write_text(text)
    runtime_sql.migrate(rt.conninfo())
    assert isinstance(rt.value("SELECT default_project()"), str)
    assert runtime_sql.check(rt.conninfo()) == []


def test_a_definition_that_is_gone_is_dropped(rt, package):
    (package / "views" / "reward_signals.sql").unlink()
    report = runtime_sql.migrate(rt.conninfo())
    assert "views/reward_signals.sql (dropped)" in report.definitions
    assert rt.value("SELECT to_regclass('hd_runtime.reward_signals')") is None


def test_a_view_with_other_columns_replaces_the_old_one(rt, package):
    (package / "views" / "review_queue.sql").write_text(
        "CREATE OR REPLACE VIEW hd_runtime.review_queue AS SELECT 1 AS nothing;"
        " COMMENT ON VIEW hd_runtime.review_queue IS 'x'"
    )
    runtime_sql.migrate(rt.conninfo())
    assert rt.value("SELECT nothing FROM review_queue") == 1


def test_what_the_user_built_on_a_view_is_never_dropped(rt, package):
    rt.conn.execute("CREATE VIEW public.mine AS SELECT title FROM hd_runtime.review_queue")
    (package / "views" / "review_queue.sql").write_text(
        "CREATE OR REPLACE VIEW hd_runtime.review_queue AS SELECT 1 AS nothing"
    )
    with pytest.raises(MigrationError, match="mine depends on view"):
        runtime_sql.migrate(rt.conninfo())
    assert rt.rows("SELECT * FROM public.mine") == []


def test_a_function_that_does_not_compile_changes_nothing(rt, package):
    file = package / "functions" / "heartbeat.sql"
    file.write_text(file.read_text().replace("IF NOT FOUND THEN", "IF NOT FOUND THEEN"))
    with pytest.raises(MigrationError, match=r"heartbeat.*does not compile"):
        runtime_sql.migrate(rt.conninfo())
    attempt = rt.claim_new()
    assert rt.call1("heartbeat", attempt["attempt_id"], attempt["lease_token"])["lease_expires"]


def test_check_finds_what_was_switched_off(rt):
    rt.conn.execute("ALTER TABLE hd_runtime.task_attempts DISABLE TRIGGER record_transition")
    rt.conn.execute("GRANT UPDATE ON hd_runtime.tasks TO hd_agent")
    rt.conn.execute("GRANT EXECUTE ON FUNCTION hd_runtime.cancel_task TO PUBLIC")
    problems = "\n".join(runtime_sql.check(rt.conninfo()))
    assert "trigger record_transition on task_attempts is disabled" in problems
    assert "hd_agent may UPDATE tasks" in problems
    assert "everybody may call cancel_task" in problems


def test_check_finds_rows_that_contradict_each_other(rt):
    task = rt.create()
    rt.conn.execute("UPDATE hd_runtime.tasks SET status = 'done' WHERE id = %s", [task["task_id"]])
    problems = runtime_sql.check(rt.conninfo())
    assert problems == [f"task {task['task_id']} is done, but its last attempt is queued"]


def test_an_empty_database_is_said_to_be_empty(empty):
    conninfo = empty.server.conninfo(empty.database)
    assert runtime_sql.check(conninfo) == ["hd_runtime is not installed"]
    found = runtime_sql.status(conninfo)
    assert not found.installed
    assert {file.state for file in found.files} == {"pending"}


def test_every_file_is_part_of_an_installed_package():
    """What importlib.resources sees is what setuptools' settings put into a wheel."""
    from setuptools import find_namespace_packages

    root = Path(runtime_sql.__file__).parents[1]
    packages = set(find_namespace_packages(str(root), include=["runtime_sql*"]))
    folders = {p.parent for p in (root / "runtime_sql").rglob("*.sql")}
    assert {".".join(folder.relative_to(root).parts) for folder in folders} <= packages


def test_the_table_of_functions_is_what_the_database_has_and_grants(rt):
    found = {
        row["proname"]: row
        for row in rt.rows(
            "SELECT proname, provolatile = 'v' AS effects,"
            " has_function_privilege('hd_agent', oid, 'EXECUTE') AS agent,"
            " has_function_privilege('hd_operator', oid, 'EXECUTE') AS operator,"
            " prosecdef OR NOT provolatile = 'v' AS safe"
            " FROM pg_proc WHERE pronamespace = 'hd_runtime'::regnamespace"
        )
    }
    public = {name: row for name, row in found.items() if row["operator"]}
    assert {name: row["effects"] for name, row in public.items()} == dict(runtime_sql.FUNCTIONS)
    assert all(row["safe"] for row in public.values())
    assert all(name.startswith("_") for name in found.keys() - public.keys())
    assert {name for name, row in public.items() if not row["agent"]} == {
        "add_dependency", "cancel_task", "decide_release", "decide_review", "define_gate",
        "define_task_class", "ensure_event_partitions", "housekeep", "recover_attempt",
    }  # fmt: skip


def test_the_table_of_relations_is_what_the_database_has(rt):
    found = rt.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'hd_runtime'::regnamespace"
        " AND relkind IN ('r', 'p', 'v') AND NOT relispartition"
    )
    assert {row["relname"] for row in found} == runtime_sql.RELATIONS


def test_everything_has_a_comment(rt):
    undocumented = rt.rows(
        """
        SELECT c.oid::regclass::text AS what FROM pg_class c
        WHERE c.relnamespace = 'hd_runtime'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'c')
          AND obj_description(c.oid, 'pg_class') IS NULL
          AND NOT EXISTS (SELECT FROM pg_type t WHERE t.typrelid = c.oid AND c.relkind = 'c'
                          AND obj_description(t.oid, 'pg_type') IS NOT NULL)
        UNION ALL
        SELECT format('%s.%s', a.attrelid::regclass, a.attname) FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'hd_runtime'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'c')
          AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
          AND col_description(a.attrelid, a.attnum) IS NULL
        UNION ALL
        SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'hd_runtime'::regnamespace AND NOT c.relispartition
          AND obj_description(c.oid, 'pg_class') IS NULL
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
        UNION ALL
        SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('hd_agent', 'hd_operator')
          AND shobj_description(r.oid, 'pg_authid') IS NULL
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'hd_runtime'::regnamespace
          AND obj_description(p.oid, 'pg_proc') IS NULL
        """
    )
    assert undocumented == []
