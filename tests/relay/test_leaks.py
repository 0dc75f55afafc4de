"""What one client leaves on a backend never reaches the next, and what it may keep stays its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.relay.pooled import OPTIONS, Pooled, pooled, wait_until


@pytest.fixture(scope="module")
def single() -> Iterator[Pooled]:
    """A pool of one: whoever comes next gets the backend that the client before had."""
    with pooled(*OPTIONS, "--pool-size", "1") as running:
        yield running


@pytest.fixture
def ana(single: Pooled) -> Iterator[psycopg.Connection]:
    with single.connect() as connection:
        yield connection


@pytest.fixture
def ben(single: Pooled) -> Iterator[psycopg.Connection]:
    with single.connect() as connection:
        yield connection


def _one(connection: Any, sql: str, *values: Any) -> Any:
    (value,) = connection.execute(sql, values or None).fetchone()
    return value


def _backend(connection: Any) -> int:
    return _one(connection, "SELECT pg_backend_pid()")


def test_two_clients_share_one_backend(ana: Any, ben: Any) -> None:
    assert _backend(ana) == _backend(ben)


def test_a_setting_stays_with_its_client(ana: Any, ben: Any) -> None:
    default = _one(ben, "SHOW work_mem")
    ana.execute("SET work_mem = '7MB'")
    assert _one(ben, "SHOW work_mem") == default
    assert _one(ana, "SHOW work_mem") == "7MB"
    assert _backend(ana) == _backend(ben)
    ana.execute("RESET work_mem")
    assert _one(ana, "SHOW work_mem") == default


@pytest.mark.parametrize("name", ["work_mem", "app.user"])
@pytest.mark.parametrize("bound", [False, True])
def test_a_setting_of_set_config_stays_with_its_client(
    ana: Any, ben: Any, name: str, bound: bool
) -> None:
    read = f"SELECT current_setting('{name}', true)"
    before = _one(ben, read)
    if bound:
        _one(ana, "SELECT set_config(%s, %s, false)", name, "9MB")
    else:
        _one(ana, f"SELECT set_config('{name}', '9MB', false)")
    assert _one(ben, read) in (before, "")
    assert _one(ana, read) == "9MB"
    assert _backend(ana) == _backend(ben)


def test_search_path_stays_with_its_client(ana: Any, ben: Any) -> None:
    default = _one(ben, "SELECT current_setting('search_path')")
    ana.execute("SET search_path = hd_runtime")
    assert _one(ana, "SELECT current_setting('search_path')") == "hd_runtime"
    assert _one(ben, "SELECT current_setting('search_path')") == default
    assert _one(ana, "SELECT current_setting('search_path')") == "hd_runtime"


def test_a_client_own_setting_is_seen_by_postgres_and_by_nobody_else(ana: Any, ben: Any) -> None:
    ana.execute("SET app.tenant = 'a'")
    assert _one(ana, "SELECT current_setting('app.tenant', true)") == "a"
    assert _one(ben, "SELECT current_setting('app.tenant', true)") in (None, "")


def test_a_setting_that_is_rolled_back_is_gone(ana: Any, ben: Any) -> None:
    for end, expected in (("ROLLBACK", "UTC"), ("COMMIT", "Asia/Tokyo")):
        ana.execute("BEGIN")
        ana.execute("SET TimeZone = 'Asia/Tokyo'")
        assert _one(ana, "SELECT current_setting('TimeZone')") == "Asia/Tokyo"
        ana.execute(end)
        assert _one(ana, "SELECT current_setting('TimeZone')") == expected
        assert _one(ben, "SELECT current_setting('TimeZone')") == "UTC"


def test_a_prepared_literal_means_what_its_client_settings_say(ana: Any, ben: Any) -> None:
    """Literals are read when a statement is prepared: statements are not shared across settings."""
    text = "SELECT extract(epoch FROM '2024-01-01 00:00'::timestamptz)::int8 FROM pg_class LIMIT 1"
    ana.execute("SET TimeZone = 'Asia/Tokyo'")
    for _ in range(3):
        assert ana.execute(text, prepare=True).fetchone() == (1704034800,)
        assert ben.execute(text, prepare=True).fetchone() == (1704067200,)


@pytest.fixture
def pair(pool: Pooled) -> Iterator[tuple[Any, Any]]:
    with pool.connect() as ana, pool.connect() as ben:
        yield ana, ben


def test_an_advisory_lock_keeps_its_backend(pair: tuple[Any, Any]) -> None:
    ana, ben = pair
    ana.execute("SELECT pg_advisory_lock(7)")
    assert _one(ben, "SELECT pg_try_advisory_lock(7)") is False
    assert _backend(ana) != _backend(ben)
    assert _one(ana, "SELECT pg_advisory_unlock(7)") is True
    assert _one(ben, "SELECT pg_try_advisory_lock(7)") is True
    ben.close()  # with which its lock ends
    wait_until(lambda: _one(ana, "SELECT pg_try_advisory_lock(7)"), "the lock is free")
    ana.execute("SELECT pg_advisory_unlock_all()")


def test_a_lock_that_a_function_takes_keeps_its_backend(pair: tuple[Any, Any]) -> None:
    ana, ben = pair
    assert _one(ana, "SELECT hd_runtime.hold(11)") is True
    assert _one(ben, "SELECT hd_runtime.hold(11)") is False
    assert _one(ana, "SELECT pg_advisory_unlock(11)") is True
    assert _one(ben, "SELECT hd_runtime.hold(11)") is True
    assert _one(ben, "SELECT pg_advisory_unlock(11)") is True


def test_a_setting_that_a_function_makes_does_not_leak(pair: tuple[Any, Any]) -> None:
    ana, ben = pair
    assert _one(ana, "SELECT hd_runtime.remember('secret')") == "secret"
    for _ in range(3):
        assert _one(ben, "SELECT current_setting('app.remembered', true)") in (None, "")


def test_a_temporary_table_keeps_its_backend_until_it_is_dropped(pair: tuple[Any, Any]) -> None:
    ana, ben = pair
    ana.execute("SELECT hd_runtime.scribble()")
    assert _one(ana, "SELECT hd_runtime.scribbled()") == 1
    with pytest.raises(errors.UndefinedTable):
        ben.execute("SELECT hd_runtime.scribbled()")
    assert _backend(ana) != _backend(ben)
    ana.execute("DISCARD ALL")
    with pytest.raises(errors.UndefinedTable):
        ana.execute("SELECT hd_runtime.scribbled()")


def test_a_temporary_table_ends_with_its_client(pool: Pooled) -> None:
    with pool.connect() as ana:
        ana.execute("SELECT hd_runtime.scribble()")
    with pool.connect() as ana, pool.connect() as ben:
        for connection in (ana, ben):
            connection.execute("BEGIN")
            with pytest.raises(errors.UndefinedTable):
                connection.execute("SELECT hd_runtime.scribbled()")


def test_a_statement_prepared_in_sql_is_its_client_own(pair: tuple[Any, Any]) -> None:
    ana, ben = pair
    ana.execute("PREPARE q AS SELECT count(*) FROM hd_runtime.notes")
    assert _one(ana, "EXECUTE q") == 100
    with pytest.raises(errors.InvalidSqlStatementName):
        ben.execute("EXECUTE q")
    ben.execute("PREPARE q AS SELECT min(id) FROM hd_runtime.notes")
    assert (_one(ana, "EXECUTE q"), _one(ben, "EXECUTE q")) == (100, 1)
    for connection in pair:
        connection.execute("DEALLOCATE ALL")
        with pytest.raises(errors.InvalidSqlStatementName):
            connection.execute("EXECUTE q")


def test_listening_keeps_a_backend_and_hears_until_it_stops(pair: tuple[Any, Any]) -> None:
    ana, ben = pair
    ana.execute("LISTEN work")
    ben.execute("NOTIFY work, 'one'")
    assert [note.payload for note in ana.notifies(timeout=10, stop_after=1)] == ["one"]
    assert _backend(ana) != _backend(ben)
    ana.execute("UNLISTEN *")
    ben.execute("NOTIFY work, 'two'")
    assert list(ana.notifies(timeout=0.2)) == []


def test_a_cursor_with_hold_keeps_its_backend(pair: tuple[Any, Any]) -> None:
    ana, ben = pair
    ana.execute("BEGIN")
    ana.execute("DECLARE c CURSOR WITH HOLD FOR SELECT id FROM hd_runtime.notes ORDER BY id")
    ana.execute("COMMIT")
    assert ana.execute("FETCH 2 FROM c").fetchall() == [(1,), (2,)]
    assert _backend(ben) != _backend(ana)
    with pytest.raises(errors.InvalidCursorName):
        ben.execute("FETCH 1 FROM c")
    ana.execute("CLOSE c")


def test_an_open_transaction_ends_with_its_client(pool: Pooled) -> None:
    with pool.connect() as ana:
        ana.execute("BEGIN")
        ana.execute("DELETE FROM hd_runtime.notes")
        ana.close()
    with pool.connect() as ben:
        assert _one(ben, "SELECT count(*) FROM hd_runtime.notes") == 100


def test_a_client_that_goes_amid_a_statement_leaves_no_work_behind(pool: Pooled) -> None:
    ana = pool.connect()
    ana.pgconn.send_query(b"SELECT pg_sleep(600)")
    ana.pgconn.flush()
    wait_until(lambda: "active" in [state for _, state in pool.backends()], "it runs")
    ana.close()
    wait_until(lambda: "active" not in [state for _, state in pool.backends()], "it was stopped")


def test_no_client_becomes_another_role(pool: Pooled) -> None:
    with pool.connect() as ana, pool.connect(user="other") as other:
        for connection, name in ((ana, "tester"), (other, "other"), (ana, "tester")):
            row = connection.execute("SELECT current_user, session_user").fetchone()
            assert row == (name, name)
            with pytest.raises(psycopg.Error):
                connection.execute("SET ROLE postgres")
