"""Rights and roles as Snowflake's INFORMATION_SCHEMA and SHOW GRANTS tell of them.

docs.snowflake.com/en/sql-reference/info-schema: object_privileges, table_privileges, usage_privileges,
applicable_roles, enabled_roles; docs.snowflake.com/en/sql-reference/sql/show-grants.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from .conftest import DATABASE, Ask, columns

_OBJECT = """
    grantor grantee granted_to object_catalog object_schema object_name object_type privilege_type
    is_grantable created
"""
COLUMNS = {
    "OBJECT_PRIVILEGES": _OBJECT,
    "USAGE_PRIVILEGES": _OBJECT,
    "TABLE_PRIVILEGES": """
        grantor grantee granted_to table_catalog table_schema table_name privilege_type is_grantable
        with_hierarchy created
    """,
    "APPLICABLE_ROLES": "grantee role_name role_owner is_grantable",
    "ENABLED_ROLES": "role_name role_owner",
}
GRANTED = """
    created_on privilege granted_on name granted_to grantee_name grant_option granted_by
"""
ROLES = "created_on role granted_to grantee_name granted_by"
FUTURE = "created_on privilege grant_on name grant_to grantee_name grant_option"
SHOWN = {
    "SHOW GRANTS": ROLES,
    "SHOW GRANTS TO USER tester": ROLES,
    "SHOW GRANTS OF ROLE surveyor": ROLES,
    "SHOW GRANTS TO ROLE surveyor": GRANTED,
    "SHOW GRANTS ON TABLE t": GRANTED,
    "SHOW GRANTS ON SCHEMA hatidata.work": GRANTED,
    "SHOW GRANTS ON DATABASE hatidata": GRANTED,
    "SHOW GRANTS ON ROLE surveyor": GRANTED,
    "SHOW GRANTS ON ACCOUNT LIMIT 3": GRANTED,
    "SHOW FUTURE GRANTS IN SCHEMA work": FUTURE,
    "SHOW FUTURE GRANTS IN DATABASE hatidata": FUTURE,
    "SHOW FUTURE GRANTS TO ROLE surveyor": FUTURE,
}


@pytest.fixture
def granted(snow: psycopg.Connection) -> Iterator[None]:
    """surveyor may read t and the numbers, chief is a surveyor."""
    for role in ("surveyor", "chief"):
        snow.execute(f"CREATE OR REPLACE ROLE {role}")
    snow.execute("CREATE TABLE t (i INT)")
    snow.execute("CREATE VIEW v AS SELECT i FROM t")
    snow.execute("CREATE SEQUENCE numbers")
    snow.execute("GRANT SELECT ON TABLE t TO ROLE surveyor WITH GRANT OPTION")
    snow.execute("GRANT USAGE ON SEQUENCE numbers TO ROLE surveyor")
    snow.execute("GRANT USAGE ON SCHEMA work TO ROLE surveyor")
    snow.execute("GRANT ROLE surveyor TO ROLE chief")
    yield
    snow.execute("ROLLBACK")
    for role in ("surveyor", "chief"):
        snow.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("view", COLUMNS)
def test_a_view_has_snowflakes_columns(snow: psycopg.Connection, view: str) -> None:
    assert columns(snow, f"SELECT * FROM INFORMATION_SCHEMA.{view}") == COLUMNS[view].split()


@pytest.mark.parametrize("statement", SHOWN)
def test_what_show_grants_has_for_columns(
    snow: psycopg.Connection, granted: None, statement: str
) -> None:
    assert columns(snow, statement) == SHOWN[statement].split()


def test_an_owner_has_ownership_and_others_what_they_were_given(ask: Ask, granted: None) -> None:
    rows = ask(
        "SELECT grantee, granted_to, table_catalog, table_name, privilege_type, is_grantable "
        "FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES WHERE table_schema = 'work' ORDER BY 4, 5"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("tester", "ROLE", DATABASE, "t", "OWNERSHIP", "YES"),
        ("surveyor", "ROLE", DATABASE, "t", "SELECT", "YES"),
        ("tester", "ROLE", DATABASE, "v", "OWNERSHIP", "YES"),
    ]
    rows = ask(
        "SELECT object_schema, object_name, object_type, privilege_type "
        "FROM INFORMATION_SCHEMA.OBJECT_PRIVILEGES WHERE grantee = 'surveyor' ORDER BY 2"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("work", "numbers", "SEQUENCE", "USAGE"),
        ("work", "t", "TABLE", "SELECT"),
        (None, "work", "SCHEMA", "USAGE"),
    ]
    rows = ask(
        "SELECT grantee, privilege_type FROM INFORMATION_SCHEMA.USAGE_PRIVILEGES "
        "WHERE object_schema = 'work' ORDER BY 1"
    )
    assert [tuple(r.values()) for r in rows] == [("surveyor", "USAGE"), ("tester", "OWNERSHIP")]


def test_roles_that_apply(ask: Ask, granted: None) -> None:
    rows = ask("SELECT * FROM INFORMATION_SCHEMA.APPLICABLE_ROLES WHERE role_name = 'surveyor'")
    assert {(row["grantee"], row["is_grantable"]) for row in rows} == {
        ("tester", "YES"),
        ("chief", "NO"),
    }
    assert {row["role_owner"] for row in rows} == {"tester"}
    enabled = {row["role_name"] for row in ask("SELECT * FROM INFORMATION_SCHEMA.ENABLED_ROLES")}
    assert {"tester", "surveyor", "chief", "PUBLIC"} <= enabled


def test_what_an_open_transaction_grants_is_its_own(ask: Ask, granted: None) -> None:
    question = (
        "SELECT count(*) AS n FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES WHERE grantee = 'chief'"
    )
    ask("BEGIN")
    ask("GRANT SELECT ON TABLE t TO ROLE chief")
    assert ask(question) == [{"n": 1}]
    ask("ROLLBACK")
    assert ask(question) == [{"n": 0}]


def test_grants_on_things(ask: Ask, granted: None) -> None:
    def told(statement: str) -> set[tuple[str, str, str]]:
        return {(r["privilege"], r["name"], r["grantee_name"]) for r in ask(statement)}

    name = f"{DATABASE}.work"
    assert told("SHOW GRANTS ON TABLE t") == {
        ("OWNERSHIP", f"{name}.t", "tester"),
        ("SELECT", f"{name}.t", "surveyor"),
    }
    assert told("SHOW GRANTS ON SCHEMA work") == {
        ("OWNERSHIP", name, "tester"),
        ("USAGE", name, "surveyor"),
    }
    assert told("SHOW GRANTS ON DATABASE hatidata") == {("OWNERSHIP", DATABASE, "tester")}
    assert told("SHOW GRANTS ON ROLE surveyor") == {("OWNERSHIP", "surveyor", "tester")}
    assert told("SHOW GRANTS TO ROLE chief") == {("USAGE", "surveyor", "chief")}
    assert len(told("SHOW GRANTS TO ROLE surveyor")) == 3
    assert len(ask("SHOW GRANTS TO ROLE surveyor LIMIT 2")) == 2
    of_role = {(r["granted_to"], r["grantee_name"]) for r in ask("SHOW GRANTS OF ROLE surveyor")}
    assert of_role == {("USER", "tester"), ("ROLE", "chief")}


def test_grants_of_what_is_yet_to_be_made(ask: Ask, granted: None) -> None:
    ask("ALTER DEFAULT PRIVILEGES IN SCHEMA work GRANT SELECT ON TABLES TO surveyor")
    [row] = ask("SHOW FUTURE GRANTS IN SCHEMA work")
    assert (row["privilege"], row["grant_on"], row["name"], row["grantee_name"]) == (
        "SELECT",
        "TABLE",
        f"{DATABASE}.work.<TABLE>",
        "surveyor",
    )
    assert ask("SHOW FUTURE GRANTS TO ROLE surveyor") == [row]
    assert ask("SHOW FUTURE GRANTS TO ROLE chief") == []


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("SHOW GRANTS ON SCHEMA nowhere", "3F000"),
        ("SHOW GRANTS ON TABLE other.public.t", "3D000"),
        ("SHOW GRANTS TO ROLE nobody", "42704"),
        ("SHOW GRANTS OF SHARE s", "0A000"),
        ("SHOW GRANTS IN SCHEMA work", "42601"),
    ],
)
def test_what_cannot_be_shown(snow: psycopg.Connection, statement: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        snow.execute(statement)
    assert raised.value.sqlstate == sqlstate


def test_postgres_own_views_are_there_too(snow: psycopg.Connection, granted: None) -> None:
    question = "SELECT grantee, privilege_type FROM information_schema.table_privileges WHERE table_name = 't'"
    assert ("surveyor", "SELECT") in snow.execute(question).fetchall()
