"""Session statements, read from tokens."""

from __future__ import annotations

import pytest

from proxy.errors import SqlError
from proxy.sql import session_actions as act
from proxy.sql.plan import Dialect, Statement, plan_message


def plan(text: str, dialect: str = "snowflake") -> Statement:
    (statement,) = plan_message(text, Dialect(dialect))
    return statement


SERIALIZABLE = act.TransactionModes("serializable", read_only=True)

ACTIONS: list[tuple[str, act.SessionAction]] = [
    ("begin", act.Begin()),
    ("BEGIN WORK", act.Begin()),
    ("begin transaction read only", act.Begin(read_only=True)),
    ("begin isolation level repeatable read, read write", act.Begin("repeatable read", False)),
    ("start transaction isolation level serializable", act.Begin("serializable")),
    ("begin not deferrable", act.Begin(deferrable=False)),
    ("commit", act.Commit()),
    ("end transaction", act.Commit()),
    ("commit and chain", act.Commit(chain=True)),
    ("commit and no chain", act.Commit()),
    ("rollback work", act.Rollback()),
    ("abort", act.Rollback()),
    ("rollback and chain", act.Rollback(chain=True)),
    ("savepoint A", act.Savepoint("a")),
    ('savepoint "A b"', act.Savepoint("A b")),
    ("rollback to a", act.RollbackTo("a")),
    ("rollback transaction to savepoint a", act.RollbackTo("a")),
    ("release savepoint a", act.Release("a")),
    ("release a", act.Release("a")),
    (
        "set search_path to Foo, \"Bar\", '$user'",
        act.Set("search_path", 'foo, "Bar", "$user"', False, ("foo", "Bar", "$user")),
    ),
    ("set local statement_timeout = 0", act.Set("statement_timeout", "0", True, ("0",))),
    ("set session extra_float_digits to -1", act.Set("extra_float_digits", "-1", False, ("-1",))),
    ("set DateStyle = ISO", act.Set("datestyle", "iso", False, ("iso",))),
    ("set application_name = DEFAULT", act.Set("application_name", None)),
    ("set hatidata.dialect = 'duckdb'", act.Set("hatidata.dialect", "duckdb", False, ("duckdb",))),
    ("set hatidata_agent_id = 'a1'", act.Set("hatidata_agent_id", "a1", False, ("a1",))),
    (
        "set standard_conforming_strings = on",
        act.Set("standard_conforming_strings", "on", False, ("on",)),
    ),
    ("set time zone 'Europe/Rome'", act.Set("timezone", "Europe/Rome", False, ("Europe/Rome",))),
    ("set time zone -7", act.Set("timezone", "-7", False, ("-7",))),
    ("set time zone local", act.Set("timezone", None)),
    ("set time zone default", act.Set("timezone", None)),
    ("set names 'utf8'", act.Set("client_encoding", "utf8", False, ("utf8",))),
    ("set schema 's'", act.Set("search_path", "s", False, ("s",))),
    ("set role none", act.SetRole(None)),
    ("set local role bob", act.SetRole("bob", local=True)),
    ("set session authorization bob", act.SetSessionAuthorization("bob")),
    ("set constraints all deferred", act.SetConstraints(deferred=True)),
    ("set transaction isolation level serializable, read only", act.SetTransaction(SERIALIZABLE)),
    (
        "set session characteristics as transaction isolation level serializable read only",
        act.SetTransaction(SERIALIZABLE, characteristics=True),
    ),
    ("reset all", act.Reset(None)),
    ("reset timezone", act.Reset("timezone")),
    ("reset session authorization", act.Reset("session_authorization")),
    ("show all", act.Show(None)),
    ("show TimeZone", act.Show("timezone")),
    ("show time zone", act.Show("timezone")),
    ("show transaction isolation level", act.Show("transaction_isolation")),
    ("show hatidata.pools", act.Show("hatidata.pools")),
    ("discard all", act.Discard("ALL")),
    ("discard temporary", act.Discard("TEMP")),
    ("deallocate p", act.Deallocate("p")),
    ("deallocate prepare all", act.Deallocate(None)),
    ("prepare p as select $1", act.Prepare("p", (), "select $1", 13)),
    (
        "prepare p (int, numeric(10, 2)) as select $1",
        act.Prepare("p", ("int", "numeric(10, 2)"), "select $1", 35),
    ),
    ("execute p", act.Execute("p", ())),
    ("execute p (1, 'a,b', f(2, 3))", act.Execute("p", ("1", "'a,b'", "f(2, 3)"))),
    ("declare c cursor for select 1", act.Declare("c", "select 1", 21)),
    (
        "declare c binary no scroll cursor with hold for select 1",
        act.Declare("c", "select 1", 48, binary=True, scroll=False, hold=True),
    ),
    ("fetch c", act.Fetch("c")),
    ("fetch next from c", act.Fetch("c")),
    ("fetch 10 from c", act.Fetch("c", "forward", 10)),
    ("fetch forward 10 in c", act.Fetch("c", "forward", 10)),
    ("fetch all c", act.Fetch("c", "forward", None)),
    ("fetch forward all from c", act.Fetch("c", "forward", None)),
    ("fetch backward 2 from c", act.Fetch("c", "backward", 2)),
    ("fetch -2 from c", act.Fetch("c", "backward", 2)),
    ("fetch first from c", act.Fetch("c", "absolute", 1)),
    ("fetch last from c", act.Fetch("c", "absolute", -1)),
    ("fetch absolute -3 from c", act.Fetch("c", "absolute", -3)),
    ("fetch relative 0 from c", act.Fetch("c", "relative", 0)),
    ("fetch next", act.Fetch("next")),
    ("move 5 in c", act.Move("c", "forward", 5)),
    ("close c", act.CloseCursor("c")),
    ("close all", act.CloseCursor(None)),
    ("use schema Foo", act.Use("SCHEMA", ("foo",))),
    ("use a.b", act.Use("", ("a", "b"))),
    ("use warehouse w", act.Use("WAREHOUSE", ("w",))),
    ("use secondary roles all", act.Use("SECONDARY ROLES", ("all",))),
    (
        "alter session set timezone = 'UTC', query_tag = 'x'",
        act.AlterSession(set=(("timezone", "UTC"), ("query_tag", "x"))),
    ),
    ("alter session unset a, b", act.AlterSession(unset=("a", "b"))),
]


@pytest.mark.parametrize(("text", "action"), ACTIONS, ids=[text for text, _ in ACTIONS])
def test_a_session_statement_becomes_its_action(text: str, action: act.SessionAction) -> None:
    statement = plan(f"/* c */ {text} -- d")
    assert statement.route == "session"
    assert statement.refused is None
    if isinstance(action, (act.Prepare, act.Declare)):
        shifted = plan(text).action
        assert shifted == action
    else:
        assert statement.action == action


@pytest.mark.parametrize(
    "text",
    [
        "show shares",
        "show tables history",
        "prepare transaction 'x'",
        "commit prepared 'x'",
        "set transaction snapshot 'x'",
    ],
)
def test_what_a_session_cannot_do_is_refused(text: str) -> None:
    refused = plan(text).refused
    assert refused is not None
    assert refused.sqlstate == "0A000"


def test_session_variables_are_snowflakes_alone() -> None:
    assert plan("set x = 1", "postgres").action == act.Set("x", "1", False, ("1",))


@pytest.mark.parametrize("text", ["set", "fetch", "close", "savepoint", "begin foo = 1", "use"])
def test_half_a_session_statement_is_a_syntax_error(text: str) -> None:
    with pytest.raises(SqlError) as caught:
        plan_message(text, Dialect("postgres"))
    assert caught.value.sqlstate == "42601"


COPIES: list[tuple[str, act.CopyStatement]] = [
    ("copy t from stdin", act.CopyStatement(("t",), (), None, "FROM")),
    ('copy S.t (a, "B") from stdin', act.CopyStatement(("s", "t"), ("a", "B"), None, "FROM")),
    ("copy public.t to stdout", act.CopyStatement(("main", "t"), (), None, "TO")),
    (
        "copy t from stdin with (format csv, header, delimiter ';', null '')",
        act.CopyStatement(
            ("t",),
            (),
            None,
            "FROM",
            (("format", "csv"), ("header", "true"), ("delimiter", ";"), ("null", "")),
        ),
    ),
    (
        "copy t to stdout (format csv, force_quote *)",
        act.CopyStatement(("t",), (), None, "TO", (("format", "csv"), ("force_quote", ("*",)))),
    ),
    (
        "copy t from stdin (force_not_null (a, b), force_null (c))",
        act.CopyStatement(
            ("t",), (), None, "FROM", (("force_not_null", ("a", "b")), ("force_null", ("c",)))
        ),
    ),
    (
        "copy t from stdin csv header",
        act.CopyStatement(("t",), (), None, "FROM", (("format", "csv"), ("header", "true"))),
    ),
    (
        "copy t from stdin with delimiter as ',' null as 'x' csv quote '''' force not null a, b",
        act.CopyStatement(
            ("t",),
            (),
            None,
            "FROM",
            (
                ("delimiter", ","),
                ("null", "x"),
                ("format", "csv"),
                ("quote", "'"),
                ("force_not_null", ("a", "b")),
            ),
        ),
    ),
    (
        "copy binary t from stdin",
        act.CopyStatement(("t",), (), None, "FROM", (("format", "binary"),)),
    ),
    (
        "copy t to stdout with binary",
        act.CopyStatement(("t",), (), None, "TO", (("format", "binary"),)),
    ),
]


@pytest.mark.parametrize(("text", "action"), COPIES, ids=[text for text, _ in COPIES])
def test_copy_is_read_in_both_spellings(text: str, action: act.CopyStatement) -> None:
    statement = plan(text)
    assert (statement.route, statement.kind, statement.action) == ("duckdb", "COPY", action)
    assert statement.writes == (action.direction == "FROM")


def test_copy_of_a_query_holds_its_duckdb_sql() -> None:
    action = plan("copy (select iff(a > 1, 'x', 'y') as b from t) to stdout").action
    assert isinstance(action, act.CopyStatement)
    assert action.query == "SELECT CASE WHEN a > 1 THEN 'x' ELSE 'y' END AS b FROM t"


@pytest.mark.parametrize(
    "text", ["copy t from stdin (foo 1)", "copy t stdin", "copy (select 1) from stdin"]
)
def test_a_wrong_copy_is_a_syntax_error(text: str) -> None:
    with pytest.raises(SqlError) as caught:
        plan(text)
    assert caught.value.sqlstate == "42601"
