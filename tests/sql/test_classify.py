"""Where statements begin and end, of what kind they are, and what is no statement at all."""

from __future__ import annotations

import pytest

from proxy.errors import SqlError
from proxy.sql.plan import Dialect, PlanCache, Statement, plan_message


def plan(text: str, dialect: str = "snowflake") -> tuple[Statement, ...]:
    return plan_message(text, Dialect(dialect))


@pytest.mark.parametrize("text", ["", "  \n", ";", " ; ;; ", "-- nothing", "/* nothing */ ;"])
def test_a_message_without_a_statement_is_empty(text: str) -> None:
    assert plan(text) == ()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("select 1; select 2", ["select 1", "select 2"]),
        (" select 1 ;; select 2 ; ", ["select 1", "select 2"]),
        ("select ';'; select 2", ["select ';'", "select 2"]),
        ('select 1 as ";"; select 2', ['select 1 as ";"', "select 2"]),
        ("select 1 -- ; no\n; select 2", ["select 1 -- ; no", "select 2"]),
        ("/* ; */ select 1; select 2", ["/* ; */ select 1", "select 2"]),
        ("select $$a;b$$; select 2", ["select $$a;b$$", "select 2"]),
        ("select $q$a;b$q$; select 2", ["select $q$a;b$q$", "select 2"]),
        ("select E'a\\';b'; select 2", ["select E'a\\';b'", "select 2"]),
        ("/* x /* y */ z ; */ select 1; select 2", ["/* x /* y */ z ; */ select 1", "select 2"]),
    ],
)
def test_statements_are_slices_of_the_text_between_semicolons(text: str, pieces: list[str]) -> None:
    statements = plan(text)
    assert [statement.text for statement in statements] == pieces
    for statement in statements:
        assert text[statement.start :].startswith(statement.text)


@pytest.mark.parametrize(
    ("text", "kind", "tag"),
    [
        ("select 1", "SELECT", "SELECT"),
        ("with a as (select 1) select * from a", "SELECT", "SELECT"),
        ("(select 1) union all select 2", "SELECT", "SELECT"),
        ("values (1)", "SELECT", "SELECT"),
        ("table t", "SELECT", "SELECT"),
        ("insert into t values (1)", "INSERT", "INSERT 0"),
        ("update t set a = 1", "UPDATE", "UPDATE"),
        ("delete from t", "DELETE", "DELETE"),
        ("merge into t using s on t.a = s.a when matched then delete", "MERGE", "MERGE"),
        ("create table t (a int)", "CREATE TABLE", "CREATE TABLE"),
        ("create or replace table t (a int)", "CREATE TABLE", "CREATE TABLE"),
        ("create table t as select 1 as a", "CREATE TABLE AS", "SELECT"),
        ("create temp table t (a int)", "CREATE TABLE", "CREATE TABLE"),
        ("create view v as select 1 as a", "CREATE VIEW", "CREATE VIEW"),
        ("create schema s", "CREATE SCHEMA", "CREATE SCHEMA"),
        ("create index i on t (a)", "CREATE INDEX", "CREATE INDEX"),
        ("drop table if exists t", "DROP TABLE", "DROP TABLE"),
        ("drop view v", "DROP VIEW", "DROP VIEW"),
        ("alter table t add column b int", "ALTER TABLE", "ALTER TABLE"),
        ("truncate table t", "TRUNCATE TABLE", "TRUNCATE TABLE"),
        ("comment on table t is 'x'", "COMMENT", "COMMENT"),
        ("explain select 1", "EXPLAIN", "EXPLAIN"),
        ("begin", "BEGIN", "BEGIN"),
        ("start transaction", "START TRANSACTION", "START TRANSACTION"),
        ("end", "COMMIT", "COMMIT"),
        ("abort", "ROLLBACK", "ROLLBACK"),
        ("deallocate all", "DEALLOCATE ALL", "DEALLOCATE ALL"),
        ("discard all", "DISCARD ALL", "DISCARD ALL"),
        ("declare c cursor for select 1", "DECLARE CURSOR", "DECLARE CURSOR"),
        ("close c", "CLOSE", "CLOSE CURSOR"),
    ],
)
def test_kind_and_command_tag(text: str, kind: str, tag: str) -> None:
    (statement,) = plan(text)
    assert (statement.kind, statement.tag) == (kind, tag)
    assert statement.refused is None


@pytest.mark.parametrize(
    ("text", "writes", "ddl"),
    [
        ("select 1", False, False),
        ("select * from t", False, False),
        ("select s.nextval", False, False),
        ("insert into t values (1)", True, False),
        ("create table t (a int)", True, True),
        ("drop table t", True, True),
        ("explain insert into t values (1)", False, False),
        ("explain analyze insert into t values (1)", True, False),
    ],
)
def test_what_may_change_data_or_schema_says_so(text: str, writes: bool, ddl: bool) -> None:
    (statement,) = plan(text)
    assert (statement.writes, statement.ddl) == (writes, ddl)


@pytest.mark.parametrize(
    ("text", "highest"),
    [
        ("select 1", 0),
        ("select $1", 1),
        ("select $2::int + $1", 2),
        ("select '$9', $1", 1),
        ("insert into t values ($1, $2, $10)", 10),
        ("select $$ $3 $$, $1", 1),
    ],
)
@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "duckdb"])
def test_the_highest_parameter_is_counted(text: str, highest: int, dialect: str) -> None:
    (statement,) = plan(text, dialect)
    assert statement.parameters == highest


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("selec 1", 'syntax error at or near "selec"', 1),
        ("select * from t where a = = 1", 'syntax error at or near "="', 27),
        ("select 1 1", 'syntax error at or near "1"', 10),
        ("select (1", "syntax error at end of input", 10),
        ("select 1 +", "syntax error at end of input", 11),
        ("select 1;\nselect 2 )", 'syntax error at or near ")"', 20),
        ("select 1 + ; select 2", 'syntax error at or near ";"', 12),
        ("select 'abc", 'unterminated quoted string at or near "\'abc"', 8),
        ('select "abc', 'unterminated quoted identifier at or near ""abc"', 8),
        ("select 1 /* abc", 'unterminated /* comment at or near "/* abc"', 10),
        ("begin isolation", "syntax error at end of input", 16),
        ("fetch forward from", "syntax error at end of input", 19),
        ("set a b", 'syntax error at or near "b"', 7),
        ("foo bar", 'syntax error at or near "foo"', 1),
    ],
)
def test_a_syntax_error_names_its_token_and_place(text: str, message: str, position: int) -> None:
    with pytest.raises(SqlError) as caught:
        plan(text)
    assert (caught.value.sqlstate, caught.value.message) == ("42601", message)
    assert caught.value.position == position


def test_a_syntax_error_anywhere_fails_the_whole_message() -> None:
    with pytest.raises(SqlError):
        plan("create table t (a int); selec 1")


def test_brackets_nested_too_deep_are_an_error_not_a_crash() -> None:
    for text in ("(" * 20_000 + "1" + ")" * 20_000, "select " + "not " * 5_000 + "true"):
        with pytest.raises(SqlError) as caught:
            plan(text if text.startswith("select") else f"select {text}")
        assert caught.value.sqlstate == "54001"


@pytest.mark.parametrize(
    "text",
    [
        "begin let x := 1; return x; end",
        "begin return 1; end; ",
        "declare v int; begin return v; end",
        "execute immediate 'select 1'",
    ],
)
def test_scripting_is_one_statement_of_the_sessions(text: str) -> None:
    (statement,) = plan(text)
    assert statement.refused is None
    assert statement.route == "session"


def test_a_block_ends_where_it_ends() -> None:
    first, second, third = plan("begin let x := 1; return x; end; select 1; begin; ")
    assert (first.kind, second.kind, third.kind) == ("CALL", "SELECT", "BEGIN")


def test_a_block_is_known_to_be_incomplete() -> None:
    with pytest.raises(SqlError) as raised:
        plan("begin let x := 1")
    assert raised.value.sqlstate == "42601"


def test_a_refusal_does_not_stop_the_statements_before_it() -> None:
    first, second = plan("select 1; select * from t match_recognize (pattern (a) define a as true)")
    assert first.refused is None
    assert second.refused is not None


def test_what_only_postgres_grammar_reads_is_read() -> None:
    (statement,) = plan("select array[1, 2] as a, x ~ 'y' as b from t where x = any(array['a'])")
    assert statement.route == "duckdb"
    assert statement.refused is None


def test_a_plan_is_kept_by_text_and_dialect() -> None:
    cache = PlanCache(capacity=2)
    first = cache.plan("select 1", Dialect())
    assert cache.plan("select 1", Dialect()) is first
    assert cache.plan("select 1", Dialect("postgres")) is not first
    assert (cache.hits, cache.misses) == (1, 2)
    cache.plan("select 2", Dialect())
    assert len(cache) == 2
    assert cache.plan("select 1", Dialect()) is not first


def test_long_texts_are_planned_and_not_kept() -> None:
    cache = PlanCache()
    cache.plan(f"select '{'x' * PlanCache.MAX_TEXT}'", Dialect())
    assert len(cache) == 0


def test_kept_texts_are_bounded_in_size() -> None:
    cache = PlanCache(max_bytes=100)
    for number in range(20):
        cache.plan(f"select {number:030}", Dialect())
    assert len(cache) <= 3
