"""Snowflake Scripting, functions, procedures and statements of several steps, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.conftest import Running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[psycopg.Connection]:
    with server.connect() as connection:
        connection.execute("DROP SCHEMA IF EXISTS scripts CASCADE")
        connection.execute("CREATE SCHEMA scripts")
        connection.execute("SET search_path = scripts")
        yield connection
        connection.execute("RESET search_path")
        connection.execute("DROP SCHEMA scripts CASCADE")


def answer(client: psycopg.Connection, text: str) -> Any:
    """The one value of the last result, or its rows; the tag where it has none."""
    result = client.execute(text)
    while result.nextset():
        pass
    if result.description is None:
        return result.statusmessage
    rows = result.fetchall()
    return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else rows


BLOCKS: list[tuple[str, Any]] = [
    # The first declaration may be a cursor: Postgres's DECLARE begins like that too.
    (
        "declare c cursor for select column1 a from values (1), (2); t int default 0;"
        " begin for r in c do t := t + r.a; end for; return t; end",
        3,
    ),
    (
        "declare c cursor for select column1 from values (1), (2) order by 1;"
        " begin open c; return table(resultset_from_cursor(c)); end",
        [(1,), (2,)],
    ),
    (
        "declare t int default 0; c cursor for select column1 a from values (1), (2);"
        " begin open c; for r in c do t := t + r.a; end for; close c; return t; end",
        3,
    ),
    (
        "begin let c cursor for select 5; let x int; open c; fetch c into x; close c; return x; end",
        5,
    ),
    (
        "begin let s := 0; let a := [1, 2]; for i in 0 to 1 do s := s + a[i]; end for; return s; end",
        3,
    ),
    ("begin return 1 + 2; end", 3),
    ("execute immediate $$ declare v int default 5; begin return v * 2; end; $$", 10),
    ("begin null; end", None),
    ("declare x number(10,2); begin x := 1.555; return x; end", Decimal("1.56")),
    ("begin let x := 1; begin let x := 2; end; return x; end", 1),
    ("begin let x := 3; let y := x * 2 + 1; return :y || 'a'; end", "7a"),
    ('begin let x variant := parse_json(\'{"a":{"b":2}}\'); return x:a.b::int + 1; end', 3),
    (
        "begin let x int := 3; if (x > 5) then return 'b'; elseif (x > 2) then return 'm'; end if; end",
        "m",
    ),
    ("begin case (3) when 1 then return 'a'; when 3 then return 'c'; end case; end", "c"),
    ("begin let x := 3; case when x = 1 then return 'a'; else return 'z'; end; end", "z"),
    (
        "begin let c := 0; while (c < 5) do c := c + 1; if (c = 3) then break; end if; end while; return c; end",
        3,
    ),
    ("begin let c := 0; repeat c := c + 1; until (c >= 4) end repeat; return c; end", 4),
    (
        "begin let c := 0; loop c := c + 1; if (c < 5) then continue; end if; break; end loop; return c; end",
        5,
    ),
    ("begin let s := ''; for i in reverse 1 to 3 do s := s || i; end for; return s; end", "321"),
    (
        "begin let s := 0; for i in 1 to 3 do for j in 1 to 3 loop if (j = 2) then continue outer_; end if; s := s + 1; end loop inner_; end for outer_; return s; end",
        3,
    ),
    (
        "declare rs resultset; begin rs := (select 1 as a union all select 2 order by 1); return table(rs); end",
        [(1,), (2,)],
    ),
    (
        "declare t int default 0; c cursor for select column1 as a from values (1), (2); begin for r in c do t := t + r.a; end for; return t; end",
        3,
    ),
    (
        "declare x int; c cursor for select column1 from values (1), (2) where column1 > ?; begin open c using (1); fetch c into x; close c; return x; end",
        2,
    ),
    ("declare n int; begin select count(*) into :n from values (1), (2); return n; end", 2),
    (
        "begin let q := 'select ? + 1 as n'; let v := 2; let r resultset := (execute immediate :q using (v)); return table(r); end",
        3,
    ),
    ("begin let x := 1/0; return x; exception when other then return 'caught'; end", "caught"),
    (
        "begin let x := 1/0; exception when expression_error then return sqlcode || sqlerrm || sqlstate; end",
        "100051Division by zero22012",
    ),
    ("begin select * from nosuch; exception when statement_error then return 'st'; end", "st"),
    (
        "declare e exception (-20002, 'my message'); begin raise e; exception when e then return sqlcode || sqlerrm; end",
        "-20002my message",
    ),
    (
        "declare e exception; begin begin raise e; exception when other then raise; end; exception when e then return 'outer'; end",
        "outer",
    ),
]


@pytest.mark.parametrize(("text", "expected"), BLOCKS)
def test_a_block_returns(client: psycopg.Connection, text: str, expected: Any) -> None:
    assert answer(client, text) == expected


def test_an_anonymous_block_answers_with_one_named_column(client: psycopg.Connection) -> None:
    result = client.execute("begin return 1; end")
    assert [column.name for column in result.description] == ["anonymous block"]


def test_statements_of_a_block_change_tables_and_count_rows(client: psycopg.Connection) -> None:
    client.execute("create or replace table d (a int)")
    client.execute("begin insert into d values (1); let x := 5; insert into d values (:x); end")
    assert answer(client, "begin update d set a = a + 1; return sqlrowcount; end") == 2
    assert answer(client, "begin delete from d where a = 99; return sqlfound; end") is False
    assert answer(client, "select * from d order by 1") == [(2,), (6,)]


def test_a_name_in_a_variable_names_a_table(client: psycopg.Connection) -> None:
    client.execute("create or replace table named as select 7 as a")
    text = "begin let t := 'named'; let r resultset := (select a from identifier(:t)); return table(r); end"
    assert answer(client, text) == 7


def test_a_block_may_hold_a_transaction(client: psycopg.Connection) -> None:
    client.execute("create or replace table held (a int)")
    client.execute("begin begin transaction; insert into held values (1); rollback; end")
    assert answer(client, "select count(*) from held") == 0


def test_what_came_before_a_caught_error_stays(client: psycopg.Connection) -> None:
    client.execute("create or replace table kept (a int)")
    text = (
        "begin insert into kept values (1); let x := 1/0; exception when other then return 'c'; end"
    )
    assert answer(client, text) == "c"
    assert answer(client, "select count(*) from kept") == 1


def test_an_uncaught_exception_is_an_error(client: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="Uncaught exception of type 'E'"):
        client.execute("declare e exception (-20001, 'no'); begin raise e; end")


REFUSED = [
    "begin let x := 1; x := 1.5; return x; end",
    "begin let x := 'abc'::int; exception when other then return sqlerrm; end",
    "begin select * from t before (offset => -60); exception when other then return 1; end",
    "create function js(x float) returns float language javascript as 'return X;'",
    "create function sqrt(x float) returns float as 'x'",
    "select * from table(result_scan('01b2'))",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_done_faithfully_is_refused(client: psycopg.Connection, text: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        client.execute(text)


def test_describing_a_block_does_not_run_it(client: psycopg.Connection) -> None:
    client.execute("create or replace table undescribed (a int)")
    text = (
        "begin insert into undescribed values (1); if (true) then return 1; end if; return 'x'; end"
    )
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        client.execute(text, prepare=True)
    assert answer(client, "select count(*) from undescribed") == 0


def test_functions(client: psycopg.Connection) -> None:
    client.execute("create or replace table fd as select column1 as a from values (1), (2)")
    client.execute("create function area(r float) returns float as $$ pi() * r * r $$")
    assert answer(client, "select round(area(2), 4)") == 12.5664
    client.execute("create function most(n int) returns int as 'select max(a) from fd where a < n'")
    assert answer(client, "select a, most(a), most(n => a + 1) from fd order by 1") == [
        (1, None, 1),
        (2, 1, 2),
    ]
    client.execute("create function plus(x int, y int default 10) returns int as 'x + y'")
    assert answer(client, "select plus(1), plus(1, 2)") == [(11, 3)]
    with pytest.raises(psycopg.errors.DuplicateFunction):
        client.execute("create function plus(x int, y int) returns int as 'x - y'")
    client.execute("drop function plus(int, int)")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        client.execute("select plus(1, 2)")


def test_table_functions_see_the_rows_beside_them(client: psycopg.Connection) -> None:
    client.execute("create or replace table td as select column1 as a from values (1), (2)")
    client.execute(
        "create or replace function upto(n int) returns table (x int, y varchar) "
        "as $$ select a, 'v' || a from td where a <= n $$"
    )
    assert answer(client, "select * from table(upto(1))") == [(1, "v1")]
    text = "select td.a, u.y from td, table(upto(td.a)) u order by 1, 2"
    assert answer(client, text) == [(1, "v1"), (2, "v1"), (2, "v2")]


def test_an_argument_with_the_name_of_a_column_is_refused(client: psycopg.Connection) -> None:
    client.execute("create or replace table cd as select 1 as a")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="name of a column"):
        client.execute("create function bad(a int) returns int as 'select max(a) from cd'")


def test_procedures(client: psycopg.Connection) -> None:
    client.execute(
        "create or replace procedure fact(n int) returns int language sql as $$ "
        "declare m int; begin if (n <= 1) then return 1; end if; "
        "call fact(n - 1) into :m; return n * m; end $$"
    )
    assert answer(client, "call fact(5)") == 120
    client.execute(
        "create or replace procedure joined(a int, b varchar default 'z') returns varchar as "
        "begin return b || a; end"
    )
    assert answer(client, "call joined(1, 'q')") == "q1"
    assert answer(client, "call joined(a => 3)") == "z3"
    client.execute(
        "create or replace procedure rows_() returns table (a int) as "
        "'declare r resultset default (select 1 as a union all select 2 order by 1); "
        "begin return table(r); end'"
    )
    assert answer(client, "call rows_()") == [(1,), (2,)]
    assert answer(client, "select sum(a) from table(result_scan(last_query_id()))") == 3
    client.execute("drop procedure joined(int, varchar)")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        client.execute("call joined(1)")


def test_an_insert_into_several_tables(client: psycopg.Connection) -> None:
    client.execute("create or replace table m1 (a int); create or replace table m2 (a int)")
    source = "select column1 as n from values (1), (5), (null)"
    text = f"insert all into m1 values (n) into m2 {source}"
    assert answer(client, text) == "INSERT 0 6"
    text = f"insert overwrite first when n > 3 then into m1 values (n) else into m2 values (n) {source}"
    assert answer(client, text) == "INSERT 0 3"
    assert answer(client, "select * from m1") == 5
    assert answer(client, "select * from m2 order by 1") == [(1,), (None,)]
    assert answer(client, "insert overwrite into m1 select 9") == "INSERT 0 1"
    assert answer(client, "select * from m1") == 9


def test_pivot_reads_its_values_first(client: psycopg.Connection) -> None:
    client.execute(
        "create or replace table qs as select column1 as e, column2 as amount, column3 as q "
        "from values (1, 10, 'Q1'), (1, 5, 'Q2'), (2, 4, 'Q1')"
    )
    result = client.execute(
        "select * from qs pivot (sum(amount) for q in (any order by q)) order by e"
    )
    assert [column.name for column in result.description] == ["e", "'Q1'", "'Q2'"]
    assert result.fetchall() == [(1, 10, 5), (2, 4, None)]
    text = "select * from qs pivot (sum(amount) for q in (select q from qs where e = 2)) order by e"
    assert answer(client, text) == [(1, 10), (2, 4)]


def test_result_scan(client: psycopg.Connection) -> None:
    client.execute("create or replace table rs as select column1 as a from values (1), (2)")
    client.execute("select a as v from rs")
    assert answer(client, "select * from table(result_scan(last_query_id())) where v > 1") == 2
    client.execute("select a as v from rs")
    client.execute("insert into rs values (3)")
    assert answer(client, "select * from table(result_scan(last_query_id()))") == 1
    with pytest.raises(psycopg.errors.FeatureNotSupported):  # the rows are others now
        client.execute("select * from table(result_scan(last_query_id(-3)))")


def test_result_scan_is_of_the_statement_before_whatever_it_was(
    client: psycopg.Connection,
) -> None:
    client.execute("create or replace table wh as select column1 as a from values (1), (2)")
    client.execute("select a from wh")
    client.execute("select 5 as a")
    assert answer(client, "select a from table(result_scan(last_query_id()))") == 5
    client.execute("select a from wh where a > %s", (1,), prepare=True)
    with pytest.raises(psycopg.errors.FeatureNotSupported):  # its parameters are not known any more
        client.execute("select * from table(result_scan(last_query_id()))")
    with pytest.raises(psycopg.errors.UndefinedTable):
        client.execute("select * from nosuch")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        client.execute("select * from table(result_scan(last_query_id()))")


def test_a_call_takes_parameters(client: psycopg.Connection) -> None:
    client.execute(
        "create or replace procedure said(a varchar, n int) returns varchar as "
        "'begin return a || n; end'"
    )
    assert client.execute("call said(%s, %s + 1)", ("x", 1)).fetchall() == [("x2",)]
    with pytest.raises(psycopg.errors.UndefinedParameter):
        client.execute("call said($1, 1)")


DESCRIBED = [
    ("begin return 1 + 2; end", 3),
    ("begin let x := 'a'; return x || 'b'; end", "ab"),
    (
        "declare t int default 0; r resultset default (select 1 a); begin for i in r do t := t + i.a; end for; return t; end",
        1,
    ),
    (
        "execute immediate $$ declare r resultset default (select 5 a); begin return table(r); end $$",
        5,
    ),
    ("begin let x := 1/0; exception when other then return sqlerrm; end", "Division by zero"),
]


@pytest.mark.parametrize(("text", "expected"), DESCRIBED)
def test_a_block_is_described_without_running(
    client: psycopg.Connection, text: str, expected: Any
) -> None:
    assert client.execute(text, prepare=True).fetchall() == [(expected,)]


def test_insert_overwrite_may_read_its_own_table(client: psycopg.Connection) -> None:
    client.execute("create or replace table own as select column1 as a from values (1), (7)")
    client.execute("insert overwrite into own select a + 1 from own where a < 5")
    assert answer(client, "select * from own") == 2


def test_definitions_of_a_block_are_what_they_are_outside_of_it(client: psycopg.Connection) -> None:
    client.execute(
        """execute immediate $$ begin
             create or replace table made (id int autoincrement, a int);
             insert into made (a) values (5), (6);
             alter table made add column b varchar(5) not null default 'x';
             alter table made alter column a set not null;
             alter table made add column c date default current_date;
             create or replace table like_made like made;
             insert into like_made (a) values (7);
             create or replace table copy_made clone made;
             insert into copy_made (a) values (8);
           end; $$"""
    )
    rows = client.execute("select id, a, b, c = current_date from made order by id").fetchall()
    assert rows == [(1, 5, "x", True), (2, 6, "x", True)]
    assert client.execute("select id, a, b from like_made").fetchall() == [(1, 7, "x")]
    rows = client.execute("select id, a, b from copy_made where a = 8").fetchall()
    assert rows == [(3, 8, "x")]
    with pytest.raises(psycopg.errors.NotNullViolation):
        client.execute("insert into made (b) values ('y')")


def test_execute_immediate_takes_values_outside_of_blocks(client: psycopg.Connection) -> None:
    client.execute("set (bound, text) = (5, 'select ? + :2 as r, ?')")
    rows = client.execute("execute immediate $text using ($bound, 2, 'x')").fetchall()
    assert rows == [(7, 2)]
    client.execute("create or replace table taken (a int)")
    client.execute(
        "execute immediate 'insert into identifier(?) values (?)' using ('taken', $bound)"
    )
    assert client.execute("select a from taken").fetchall() == [(5,)]
    with pytest.raises(psycopg.Error) as caught:
        client.execute("execute immediate 'select ?, ?' using (1)")
    assert caught.value.sqlstate == "07001"
