"""GRANT, REVOKE, OWNER and COMMENT on analytical tables act on what stands for them in Postgres."""

from __future__ import annotations

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
        "SELECT tableowner FROM pg_tables WHERE tablename = 't'"
    ).fetchone() == ("hd_agent",)
    connection.execute("GRANT OWNERSHIP ON TABLE t TO ROLE hatidata_users")
    assert connection.execute(
        "SELECT tableowner FROM pg_tables WHERE tablename = 't'"
    ).fetchone() == ("hatidata_users",)
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
        ("GRANT SELECT ON FUTURE TABLES IN SCHEMA scratch TO ROLE analyst", "0A000"),
        ("GRANT SELECT ON pg_authid TO analyst", "42501"),
        ("ALTER TABLE nowhere OWNER TO analyst", "42P01"),
    ],
)
def test_what_cannot_be_granted(connection: psycopg.Connection, text: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(text)
    assert caught.value.sqlstate == sqlstate
