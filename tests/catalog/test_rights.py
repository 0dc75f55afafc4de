"""GRANT, REVOKE, OWNER and COMMENT on analytical tables act on what stands for them in Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from .test_mirror import names


@pytest.fixture(autouse=True)
def analyst(server: Any) -> None:
    """A user is a role once they have been here."""
    with server.connect(user="analyst") as connection:
        connection.execute("SELECT version()")


def access(connection: psycopg.Connection, relation: str) -> str | None:
    row = connection.execute(
        "SELECT relacl::text FROM pg_class WHERE oid = %s::regclass", [relation]
    ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    "spelling",
    [
        "SELECT, INSERT ON t {} analyst",
        "SELECT, INSERT ON TABLE scratch.t {} ROLE analyst",
        'SELECT, INSERT ON "hatidata"."scratch"."t" {} analyst',
        "SELECT, INSERT ON ALL TABLES IN SCHEMA scratch {} ROLE analyst",
    ],
)
def test_grants_are_kept_and_taken_back(
    connection: psycopg.Connection, schema: str, spelling: str
) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    connection.execute("GRANT " + spelling.format("TO"))
    assert "analyst=ar/hatidata_users" in (access(connection, "t") or "")
    connection.execute("ALTER TABLE t ADD COLUMN b INT")
    connection.execute("CREATE OR REPLACE TABLE t (c INT, d INT)")
    assert names(connection, "t") == ["c", "d"]
    assert "analyst=ar/hatidata_users" in (access(connection, "t") or "")
    connection.execute("REVOKE " + spelling.format("FROM"))
    assert "analyst" not in (access(connection, "t") or "")


def test_views_schemas_and_main_are_granted_on(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE VIEW v AS SELECT 1 AS a")
    connection.execute("GRANT SELECT ON VIEW v TO ROLE analyst")
    assert "analyst=r/hatidata_users" in (access(connection, "v") or "")
    connection.execute("GRANT USAGE ON SCHEMA scratch TO analyst")
    assert connection.execute(
        "SELECT has_schema_privilege('analyst', 'scratch', 'usage')"
    ).fetchone() == (True,)
    connection.execute("CREATE TABLE main.granted (a INT)")
    try:
        connection.execute("GRANT SELECT ON main.granted TO analyst")
        assert "analyst=r/" in (access(connection, "public.granted") or "")
    finally:
        connection.execute("DROP TABLE main.granted")


def test_a_grant_is_part_of_its_block(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE old (a INT)")
    with server.connect(autocommit=False) as author:
        author.execute("CREATE TABLE scratch.new (a INT)")
        author.execute("GRANT SELECT ON scratch.new, scratch.old TO analyst")
        assert access(connection, "old") is None
        author.commit()
    assert "analyst=r/" in (access(connection, "new") or "")


def test_a_table_that_someone_grants_on_is_mirrored_once_it_is_free(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE VIEW v AS SELECT 1 AS a")
    with server.connect(autocommit=False) as holder:
        holder.execute("GRANT SELECT ON scratch.v TO analyst")
        connection.execute("CREATE OR REPLACE VIEW v AS SELECT 1 AS b, 2 AS c")
        assert names(connection, "v") == ["a"]
        holder.commit()
    assert names(connection, "v") == ["b", "c"]


def test_who_may_is_answered(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    assert connection.execute(
        "SELECT has_table_privilege('t', 'SELECT, INSERT'), has_table_privilege('analyst', 't', 'select'), "
        "has_column_privilege('t', 'a', 'update')"
    ).fetchone() == (True, True, True)


def test_a_table_is_handed_over(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    connection.execute("ALTER TABLE scratch.t OWNER TO hd_agent")
    assert connection.execute(
        "SELECT tableowner FROM pg_tables WHERE schemaname = 'scratch' AND tablename = 't'"
    ).fetchone() == ("hd_agent",)
    connection.execute("GRANT OWNERSHIP ON TABLE t TO ROLE hatidata_users")
    assert connection.execute(
        "SELECT tableowner FROM pg_tables WHERE schemaname = 'scratch' AND tablename = 't'"
    ).fetchone() == ("tester",)
    connection.execute("ALTER TABLE t ADD COLUMN b INT")
    assert names(connection, "t") == ["a", "b"]


def test_comments_are_both_engines(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    connection.execute("COMMENT ON TABLE t IS 'a table'")
    connection.execute("COMMENT ON COLUMN t.a IS 'the first'")
    assert connection.execute(
        "SELECT obj_description('t'::regclass, 'pg_class'), col_description('t'::regclass, 1)"
    ).fetchone() == ("a table", "the first")
    connection.execute("COMMENT ON TABLE t IS NULL")
    connection.execute("COMMENT ON COLUMN t.a IS 'changed'")
    assert connection.execute(
        "SELECT obj_description('t'::regclass, 'pg_class'), col_description('t'::regclass, 1)"
    ).fetchone() == (None, "changed")
    connection.execute("COMMENT ON SCHEMA scratch IS 'for tests'")
    assert connection.execute(
        "SELECT obj_description('scratch'::regnamespace, 'pg_namespace')"
    ).fetchone() == ("for tests",)


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ("GRANT SELECT ON nowhere TO analyst", "42P01"),
        ("GRANT SELECT ON ALL TABLES IN DATABASE hatidata TO ROLE analyst", "0A000"),
        ("GRANT SELECT ON pg_authid TO analyst", "42501"),
        ("ALTER TABLE nowhere OWNER TO analyst", "42P01"),
    ],
)
def test_what_cannot_be_granted(connection: psycopg.Connection, text: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(text)
    assert caught.value.sqlstate == sqlstate


def roles(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}


def test_a_role_is_made_granted_on_and_dropped(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE t (a INT)")
    connection.execute("CREATE ROLE IF NOT EXISTS reader COMMENT = 'reads'")
    connection.execute("CREATE ROLE IF NOT EXISTS reader")
    connection.execute("CREATE OR REPLACE ROLE reader")
    with pytest.raises(psycopg.errors.DuplicateObject):
        connection.execute("CREATE ROLE reader")
    connection.execute("GRANT SELECT, INSERT ON TABLE t TO ROLE reader")
    assert "reader=ar/hatidata_users" in (access(connection, "t") or "")
    connection.execute("REVOKE INSERT ON TABLE t FROM ROLE reader")
    assert "reader=r/hatidata_users" in (access(connection, "t") or "")
    connection.execute("CREATE ROLE outer_reader")
    connection.execute("GRANT ROLE reader TO ROLE outer_reader")
    connection.execute("GRANT ROLE outer_reader TO USER analyst")
    member = "SELECT pg_has_role('analyst', 'reader', 'MEMBER')"
    assert connection.execute(member).fetchone() == (True,)
    shown = connection.execute("SHOW GRANTS TO ROLE reader").fetchall()
    name = "hatidata.scratch.t"
    assert [row[1:6] for row in shown] == [("SELECT", "TABLE", name, "ROLE", "reader")]
    on_table = connection.execute("SHOW GRANTS ON TABLE t").fetchall()
    assert shown[0] in on_table
    of_role = connection.execute("SHOW GRANTS OF ROLE outer_reader").fetchall()
    assert ("outer_reader", "USER", "analyst") in [row[1:4] for row in of_role]
    connection.execute("REVOKE ROLE reader FROM ROLE outer_reader")
    assert connection.execute(member).fetchone() == (False,)
    connection.execute("GRANT USAGE, CREATE TABLE, CREATE VIEW ON SCHEMA scratch TO ROLE reader")
    connection.execute("GRANT OWNERSHIP ON TABLE t TO ROLE reader COPY CURRENT GRANTS")
    with server.connect(user="analyst") as other, pytest.raises(psycopg.Error) as caught:
        other.execute("DROP ROLE reader")
    assert caught.value.sqlstate == "42501"
    connection.execute("DROP ROLE reader")
    connection.execute("DROP ROLE IF EXISTS reader")
    connection.execute("DROP ROLE outer_reader")
    assert not roles(connection) & {"reader", "outer_reader"}
    connection.execute("DROP TABLE t")


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ("CREATE ROLE hd_admins", "42939"),
        ("DROP ROLE nobody_here", "42704"),
        ("DROP ROLE hd_agent", "42501"),
        ("DROP ROLE analyst", "42501"),
        ("GRANT ROLE hd_operator TO USER analyst", "42501"),
    ],
)
def test_roles_that_are_not_a_clients_stay(
    connection: psycopg.Connection, text: str, sqlstate: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(text)
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize(
    "text",
    [
        "GRANT SELECT ON FUTURE TABLES IN SCHEMA scratch TO ROLE analyst",
        "GRANT USAGE ON DATABASE hatidata TO ROLE analyst",
        "GRANT USAGE, OPERATE ON WAREHOUSE w TO ROLE analyst",
        "GRANT USAGE ON FUNCTION f(INT) TO ROLE analyst",
        "GRANT CREATE DATABASE ON ACCOUNT TO ROLE analyst",
    ],
)
def test_rights_that_nothing_here_has_are_taken_with_a_notice(
    connection: psycopg.Connection, text: str
) -> None:
    heard: list[str] = []
    connection.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
    connection.execute(text)
    assert len(heard) == 1


@pytest.fixture
def plain(server: Any, schema: str) -> Iterator[psycopg.Connection]:
    """In Postgres's dialect, with two roles of its own that hold rights."""
    with server.connect(options="-c hatidata.dialect=postgres") as connection:
        connection.execute("SET search_path = scratch")
        connection.execute('DROP ROLE IF EXISTS readers, "the writers"')
        connection.execute("CREATE ROLE readers")
        connection.execute('CREATE ROLE "the writers" WITH NOLOGIN INHERIT')
        yield connection
        connection.rollback()
        connection.execute('DROP OWNED BY readers, "the writers"')
        connection.execute('DROP ROLE readers, "the writers"')


def test_roles_of_postgress_dialect(plain: psycopg.Connection) -> None:
    assert {"readers", "the writers"} <= roles(plain)
    for refused, sqlstate in (
        ("CREATE ROLE readers", "42710"),
        ("CREATE ROLE mighty SUPERUSER", "42501"),
        ("CREATE ROLE who LOGIN", "42501"),
        ("DROP ROLE hd_agent", "42501"),
        ("DROP OWNED BY hd_agent", "42501"),
        ("DROP ROLE nobody_here", "42704"),
    ):
        with pytest.raises(psycopg.Error) as caught:
            plain.execute(refused)
        assert caught.value.sqlstate == sqlstate, refused
    plain.execute("CREATE TABLE t (a int)")
    plain.execute("GRANT SELECT ON t TO readers")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        plain.execute("DROP ROLE readers")
    plain.execute("DROP OWNED BY readers")
    assert "readers" not in (access(plain, "t") or "")


def test_who_made_a_role_grants_and_revokes_as_the_owner(plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (a int, b int)")
    plain.execute("GRANT UPDATE ON t TO readers WITH GRANT OPTION")
    plain.execute('GRANT UPDATE ON t TO "the writers"')
    assert "readers=w*/hatidata_users" in (access(plain, "t") or "")
    assert 'the writers\\"=w/hatidata_users' in (access(plain, "t") or "")
    plain.execute("REVOKE GRANT OPTION FOR UPDATE ON t FROM readers")
    assert "readers=w/hatidata_users" in (access(plain, "t") or "")


def test_default_privileges_act_on_what_is_made_from_then_on(plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE before (a int)")
    defaults = "ALTER DEFAULT PRIVILEGES IN SCHEMA scratch"
    plain.execute(f"{defaults} GRANT SELECT ON TABLES TO readers")
    plain.execute(f'{defaults} GRANT INSERT ON TABLES TO "the writers" WITH GRANT OPTION')
    plain.execute(f"{defaults} GRANT USAGE ON SEQUENCES TO readers")
    plain.execute("CREATE TABLE t (id serial)")
    plain.execute("CREATE TABLE made AS SELECT 1 AS a")
    plain.execute("CREATE VIEW v AS SELECT 1 AS a")
    for relation in ("t", "made", "v"):
        acl = access(plain, relation) or ""
        assert "readers=r/hatidata_users" in acl
        assert 'the writers\\"=a*/hatidata_users' in acl
    assert "readers=U/hatidata_users" in (access(plain, "t_id_seq") or "")
    assert access(plain, "before") is None
    plain.execute("ALTER TABLE t ADD COLUMN b int DEFAULT 1")
    assert "readers=r/hatidata_users" in (access(plain, "t") or "")
    plain.execute(f"{defaults} REVOKE SELECT ON TABLES FROM readers")
    plain.execute("CREATE TABLE later (a int)")
    assert "readers" not in (access(plain, "later") or "")
    plain.execute("DROP TABLE before, t, made, later")
