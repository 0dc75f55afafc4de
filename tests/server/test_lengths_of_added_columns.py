"""ALTER TABLE that gives a table what DuckDB gives to new tables only: lengths, checks, keys."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Running

from ..sql.test_postgres_answers import both

__all__ = ["both"]

Both = tuple[psycopg.Connection, psycopg.Connection]

BEFORE = (
    "create table grown (id int primary key, a text default 'x, (y)', b varchar(10) not null)",
    "create index by_a on grown (a)",
    "comment on column grown.a is 'said'",
    "insert into grown (id, b) values (1, 'one'), (2, 'two')",
)
CHANGES = (
    "alter table grown add column c varchar(3)",
    "alter table grown add column c varchar(3) not null default 'abc', add column d int default 5",
    "alter table grown alter column b type varchar(3)",
    "alter table grown alter column b type varchar(20)",
    "alter table grown alter column b type text",
    "alter table grown alter column id type varchar(3)",
    "alter table grown alter column b type varchar(4) using b || '!'",
    "alter table grown add constraint positive check (id > 0)",
    "alter table grown add unique (b)",
    "alter table grown alter column b drop not null",
    "alter table grown add column e int, add column f date",
    "alter table grown alter column a type varchar(2)",
    "alter table grown alter column nope type varchar(2)",
    "alter table grown add constraint small check (id < 2)",
    "alter table grown add constraint same unique (a)",
)
AFTER = (
    "select * from grown order by 1",
    "insert into grown (id, b) values (3, 'four')",
    "insert into grown (id, b) values (4, 'twelve chars')",
    "insert into grown (id, b) values (5, 'one')",
    "insert into grown (id, b) values (-1, 'neg')",
    "insert into grown (id, b) values (1, 'dup')",
    "select * from grown order by 1",
)


@pytest.fixture
def tables(both: Both) -> Iterator[Both]:
    for connection in both:
        for statement in BEFORE:
            connection.execute(statement)
    yield both
    for connection in both:
        connection.execute("drop table grown")


def outcome(connection: psycopg.Connection, text: str) -> object:
    try:
        cursor = connection.execute(text)
    except psycopg.Error as error:
        return error.sqlstate
    return cursor.fetchall() if cursor.description else cursor.statusmessage


def mirrored(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "select attname, format_type(atttypid, atttypmod), attnotnull,"
        " col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = 'grown'::regclass and attnum > 0 and not attisdropped order by attnum"
    ).fetchall()


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_is_changed_as_in_postgres(tables: Both, change: str) -> None:
    own, ours = tables
    for text in (change, *AFTER):
        assert outcome(ours, text) == outcome(own, text), text
    assert mirrored(ours) == mirrored(own)
    assert outcome(ours, "drop index by_a") == "DROP INDEX"


def test_a_change_is_undone_with_its_transaction(tables: Both) -> None:
    _, ours = tables
    ours.execute("begin")
    ours.execute("alter table grown add column c varchar(3)")
    ours.execute("rollback")
    assert ours.execute("select * from grown where id = 1").fetchall() == [(1, "x, (y)", "one")]


def test_a_foreign_key_is_added(tables: Both) -> None:
    for connection in tables:
        connection.execute("create table other (gid int, v varchar(5))")
        connection.execute("insert into other values (1, 'a')")
        connection.execute(
            "alter table other add constraint fk foreign key (gid) references grown(id)"
        )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("insert into other values (7, 'a')")
        with pytest.raises(psycopg.errors.StringDataRightTruncation):
            connection.execute("insert into other values (1, 'abcdef')")
        connection.execute("drop table other")


def test_a_table_that_others_refer_to_is_left_as_it_is(tables: Both) -> None:
    _, ours = tables
    ours.execute("create table other (gid int references grown(id))")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        ours.execute("alter table grown add column c varchar(3)")
    assert outcome(ours, "insert into other values (1)") == "INSERT 0 1"
    ours.execute("drop table other")


@pytest.mark.parametrize("dialect", ["postgres", "snowflake"])
@pytest.mark.parametrize("temporary", ["", "temporary"])
def test_a_length_holds_in_every_dialect(
    server: Running, schema: str, dialect: str, temporary: str
) -> None:
    with server.connect(options=f"-c hatidata.dialect={dialect}") as client:
        client.execute(f"set search_path = {schema}")
        client.execute(f"create {temporary} table shrunk (a varchar)")
        client.execute("insert into shrunk values ('ab')")
        client.execute("alter table shrunk add column b varchar(3)")
        client.execute("alter table shrunk alter column a type varchar(2)")
        client.execute("insert into shrunk values ('cd', 'abc')")
        for text in ("values ('ab', 'abcd')", "values ('abc', 'a')"):
            with pytest.raises(psycopg.errors.StringDataRightTruncation):
                client.execute(f"insert into shrunk {text}")
        rows = client.execute("select * from shrunk order by a").fetchall()
        assert rows == [("ab", None), ("cd", "abc")]


@pytest.mark.parametrize("kind", ["varchar", "text", "varchar(16777216)"])
def test_a_text_without_a_limit_is_added(
    connection: psycopg.Connection, schema: str, kind: str
) -> None:
    connection.execute("create table grown (a int)")
    connection.execute(f"alter table grown add column b {kind}")
    connection.execute("insert into grown values (1, 'as long as it gets')")
    assert connection.execute("select b from grown").fetchall() == [("as long as it gets",)]
