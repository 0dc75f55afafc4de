"""What blocks start and call: handlers that go on, jobs, OUT arguments, procedures of their own,
and results that later statements read. Most of it is from Snowflake's documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.conftest import Running

SETUP = (
    "create table sales (id int, amount number(12, 2))",
    "insert into sales values (1, 500), (2, 225)",
    "create table log (kind varchar, message varchar)",
    """create procedure doubled(x out number) returns string language sql as
       begin x := x * 2; return 'Done'; end""",
    """create procedure several(p_in number, p_out out number, q_out output varchar) returns number
       language sql as begin p_in := p_in + 1; p_out := p_out + 1; q_out := q_out || ' hi';
       return 1; end""",
    """create procedure fails() returns int language sql as
       declare e exception (-20006, 'deep'); begin raise e; end""",
    """create procedure listed() returns table(a int) language sql as
       declare res resultset default (select id from sales order by id); begin return table(res); end""",
    """create function of_ids(wanted array) returns table(id int) as
       'select id from sales where id in (** wanted)'""",
    """create procedure ids_in(wanted array) returns table(id int) language sql as
       declare r resultset; begin r := (select id from sales where id in (** :wanted));
       return table(r); end""",
    """create procedure by_name(name varchar) returns table(a int) language sql as
       declare res resultset; query varchar default 'select id from identifier(?) where id > ?';
       begin res := (execute immediate :query using(name, 1)); return table(res); end""",
)


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[psycopg.Connection]:
    with server.connect() as connection:
        connection.execute("DROP SCHEMA IF EXISTS calls CASCADE")
        connection.execute("CREATE SCHEMA calls")
        connection.execute("SET search_path = calls")
        for text in SETUP:
            connection.execute(text)
        yield connection
        connection.execute("RESET search_path")
        connection.execute("DROP SCHEMA calls CASCADE")


def answer(client: psycopg.Connection, text: str) -> Any:
    """The one value of a result, or its rows."""
    rows = client.execute(text).fetchall()
    return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else rows


GOES_ON: list[tuple[str, Any]] = [
    # After the IF that a RAISE stands in.
    (
        """declare e exception (-20001, 'Catch and continue');
        begin let n := 0; if (true) then raise e; end if; n := n + 10; return 'n ' || n;
        exception when e continue then n := n + 1; end""",
        "n 11",
    ),
    # With the next round of a loop, after an IF within it, after a loop whose condition fails, after
    # a block within the block.
    (
        """declare a int default 0; b int default 0;
        begin
          for i in 1 to 3 do
            if (i = 2) then a := 1/0; b := b + 100; end if;
            b := b + 1;
          end for;
          for i in 0 to 5 do a := 10/i; end for;
          while (1/0 > b) do b := 5; end while;
          b := b + 1000 * a;
          begin a := 'x'::int; b := 0; end;
          return b;
        exception when other continue then a := a + 1;
        end""",
        3003,
    ),
    # A handler that fails is no handler of its own failure; RAISE raises the same again.
    (
        """declare e exception (-20005, 'msg');
        begin
          begin raise e; exception when e continue then raise; end;
          return 'no';
        exception when e then return 'outer ' || sqlerrm; end""",
        "outer msg",
    ),
    # What an inner block declares under the same name is another exception.
    (
        """declare e exception (-20001, 'one');
        begin
          declare e exception (-20002, 'two'); begin raise e; end;
        exception when e then return 'mine'; when other then return 'another ' || sqlcode; end""",
        "another -20002",
    ),
    # What a procedure raised is a statement that failed to its caller.
    (
        """declare e exception (-20006, 'deep');
        begin call fails();
        exception when e then return 'mine'; when statement_error then return sqlcode; end""",
        -20006,
    ),
    # Handlers are for what stands between BEGIN and EXCEPTION.
    (
        """begin
          declare x int := 1/0; begin return 1; exception when other then return 2; end;
        exception when other then return 3; end""",
        3,
    ),
]

JOBS: list[tuple[str, Any]] = [
    (
        """declare total int default 0; r resultset default async (select amount from sales);
        begin
          await r; let c cursor for r; open c;
          for one in c do total := total + one.amount; end for;
          return total;
        end""",
        725,
    ),
    (
        """begin
          create or replace table made (a int);
          async (insert into made values (1)); async (insert into made select :sqlrowcount + 1);
          await all; return (select sum(a) from made);
        end""",
        3,
    ),
    # An error is told when it is awaited, and not before.
    (
        """declare x int default 0;
        begin
          let r resultset := async (select * from nowhere); x := 1; await r; x := 2; return x;
        exception when statement_error then return x || ' ' || sqlcode; end""",
        "1 2003",
    ),
    (
        "declare r resultset; begin r := async (insert into log values ('a', 'b')); await r;"
        " return sqlrowcount; end",
        1,
    ),
]

CALLS: list[tuple[str, Any]] = [
    ("begin let x := 1; call doubled(:x); call doubled(:x); return x; end", 4),
    (
        "begin let a float := 500.662; call doubled(:a);"
        " return a || ' (Type ' || system$typeof(a) || ')'; end",
        "1002 (Type FLOAT[DOUBLE])",
    ),
    (
        """begin
          let i int := 1; let o int := 1; let t varchar := 'hello';
          call several(:i, :o, :t); call several(:i, :o, :t); return i || ' ' || o || ' ' || t;
        end""",
        "1 3 hello hi hi",
    ),
    (
        """declare counter number := 0;
          add procedure(n number) returns number as begin counter := counter + n; return counter; end;
          twice procedure() returns varchar as 'begin call add(10); let r := (call add(5)); return r; end';
        begin
          let n := 100;
          for i in 1 to 2 do let n := 7; call twice(); end for;
          let r varchar := (call twice());
          return counter || ' ' || r || ' ' || n;
        end""",
        "45 45 100",
    ),
    (
        """declare n int := 0;
          fact procedure(k int) returns int as begin
            n := n + 1; if (k <= 1) then return 1; end if; let r int := (call fact(k - 1)); return k * r;
          end;
        begin let r int := (call fact(5)); return r || '/' || n; end""",
        "120/5",
    ),
    (
        """declare res resultset;
          rows_of procedure() returns table() as
            declare r resultset; begin r := (select id from sales order by 1); return table(r); end;
        begin res := (call rows_of()); return table(res); end""",
        [(1,), (2,)],
    ),
    ("call by_name('sales')", 2),
    (
        "with p as procedure (a int, b int default 5) returns int language sql as"
        " 'begin return a + b; end' call p(2)",
        7,
    ),
]

SPREAD: list[tuple[str, Any]] = [
    ("select * from table(of_ids([1, 3]))", 1),
    ("call ids_in([2, 4])", 2),
]

RESULTS: list[tuple[str, Any]] = [
    (
        "begin show tables; return (select count(*) from table(result_scan(last_query_id()))"
        " where \"name\" = 'sales'); end",
        1,
    ),
    (
        """begin
          select id from sales; let q varchar := sqlid; let same := q = last_query_id(); select 100;
          let r resultset := (select sum(id) s, :same from table(result_scan(:q))); return table(r);
        end""",
        [(3, True)],
    ),
    (
        "begin call listed(); let n int; select sum(a) into :n from table(result_scan(last_query_id()));"
        " return n; end",
        3,
    ),
    ("show tables like 'sales' ->> select \"name\" from $1", "sales"),
    ("call listed() ->> select a from $1 where a > 1", 2),
    (
        "select 7 as a ->> insert into log select a, 'x' from $1 ->> "
        "select count(*) from log where kind = '7' ->> select * from $1 cross join $3",
        [(1, 7)],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [*GOES_ON, *JOBS, *CALLS, *SPREAD, *RESULTS])
def test_a_block_returns(client: psycopg.Connection, text: str, expected: Any) -> None:
    assert answer(client, text) == expected


WRONG = [
    ("begin let x := 1; call doubled(:x + 2); return x; end", "42601"),
    ("call doubled(1)", "42601"),
    ("declare x int := 1/0; begin return 1; exception when other then return 2; end", "22012"),
    (
        "declare p procedure (a int) returns int as begin return a; end; begin call p(); end",
        "42883",
    ),
    ("begin let r resultset := async (select 1); return table(r); end", "24000"),
    ("begin return (select count(*) from table(result_scan(last_query_id()))); end", "0A000"),
]


@pytest.mark.parametrize(("text", "state"), WRONG)
def test_what_is_wrong_is_an_error(client: psycopg.Connection, text: str, state: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        client.execute(text)
    assert caught.value.sqlstate == state


def test_a_result_is_found_by_its_id(client: psycopg.Connection) -> None:
    client.execute("select id from sales")
    client.execute("set scanned = last_query_id()")
    client.execute("select 5")
    assert answer(client, "select sum(id) from table(result_scan($scanned))") == 3
    ident = answer(client, "select $scanned")
    assert answer(client, f"select max(id) from table(result_scan('{ident}'))") == 2
    client.execute("call listed()")
    assert answer(client, "select sum(a) from table(result_scan(-1))") == 3
    client.execute("show tables like 'sales'")
    assert answer(client, 'select "name" from table(result_scan())') == "sales"
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        client.execute("select * from table(result_scan('01b71944-0001-b181-0000-0129032279f6'))")
    client.execute("begin select 1; select 2; end")
    assert answer(client, "select last_query_id(-2) is not null") is True


def test_a_procedure_shows_which_of_its_arguments_are_out(client: psycopg.Connection) -> None:
    shown = client.execute("show procedures like 'several'").fetchall()
    assert "several(NUMBER, OUT NUMBER, OUT VARCHAR) RETURN NUMBER" in shown[0]
