"""A length of a column is enforced, whenever it was said."""

from __future__ import annotations

import psycopg
import pytest

from tests.conftest import Running

_CHANGES = (
    "alter table grown add column b varchar(3)",
    "alter table grown add column b char(1)",
    "alter table grown alter column a type varchar(3)",
)


@pytest.mark.parametrize("dialect", ["postgres", "snowflake"])
@pytest.mark.parametrize("change", _CHANGES)
def test_a_length_for_a_table_that_is_there_holds(
    server: Running, schema: str, dialect: str, change: str
) -> None:
    with server.connect(options=f"-c hatidata.dialect={dialect}") as client:
        client.execute(f"set search_path = {schema}")
        client.execute("create table grown (a text)")
        client.execute(change)
        column = "b" if " b " in change else "a"
        with pytest.raises(psycopg.errors.StringDataRightTruncation):
            client.execute(f"insert into grown ({column}) values ('much too long')")


@pytest.mark.parametrize("kind", ["varchar", "text", "varchar(16777216)"])
def test_a_text_without_a_limit_is_added(
    connection: psycopg.Connection, schema: str, kind: str
) -> None:
    connection.execute("create table grown (a int)")
    connection.execute(f"alter table grown add column b {kind}")
    connection.execute("insert into grown values (1, 'as long as it gets')")
    assert connection.execute("select b from grown").fetchall() == [("as long as it gets",)]
