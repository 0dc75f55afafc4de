"""What Snowflake's worksheets and emulators' suites write, whose types the text does not show.

Functions of texts over numbers and dates, choices between texts and numbers, OBJECT_CONSTRUCT(*) over
every type: each statement over the tables below, and its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import set_json_loads

from tests.conftest import Running

_TABLES = (
    "create schema worksheets",
    "use schema worksheets",
    "create table t (i int, n number(10,2), d date, s varchar, b boolean, ts timestamp)",
    "insert into t values (5, 2.50, '2020-03-04', '007', true, '2020-03-04 05:06:07')",
    "create table w (v variant, s varchar, n number(10,2), i int, d date)",
    "insert into w select parse_json('{\"a\":5}'), '12', 1.5, null, null",
    "create table every (a array, b binary, d date, f float, j variant, k variant, n int,"
    " q number(10,2), t timestamp)",
    "insert into every select [1, 2], to_binary('ab', 'hex'), '2020-01-02', 1.5, parse_json('null'),"
    " null, null, 1.50, '2020-01-01 01:02:03.5'",
)


@pytest.fixture(scope="module")
def connection(server: Running) -> Iterator[psycopg.Connection]:
    with server.connect() as made:
        set_json_loads(lambda raw: raw if isinstance(raw, str) else raw.decode(), made)
        for text in _TABLES:
            made.execute(text)
        yield made
        made.execute("drop schema worksheets cascade")


_ANSWERS: list[tuple[str, list[tuple[Any, ...]]]] = [
    # Columns of both queries as arguments of one call, in a subquery.
    (
        "select (select coalesce(t.i, x.s) = 5 from w x), (select max(x.s) from w x where x.s > t.i),"
        " (select listagg(nvl(t.s, x.v:a), ',') from w x),"
        " (select case when x.s = '12' then t.i else x.s end = 5 from w x) from t",
        [(True, "12", "007", True)],
    ),
    # What is left out of an array is NULL alone: a JSON null is a value.
    (
        "select array_construct_compact(null, 1, null::variant, parse_json('null'), null::date),"
        " array_construct_compact(d, null, q)[1], array_size(array_construct_compact(j, k))"
        " from every",
        [("[1,null]", "1.5", 1)],
    ),
    # Functions of texts take what functions of numbers and dates give.
    (
        "select lpad(month(d), 2, '0'), lpad(date_part(mm, d), 3, '0'), rpad(i + 1, 3, 'x') from t",
        [("03", "003", "6xx")],
    ),
    (
        "select upper(year(d)), length(year(d)), left(year(d), 2), split_part(d, '-', 1),"
        " year(d) like '20%', replace(year(d), '0', 'x'), regexp_replace(hour(ts), '5', 'y') from t",
        [("2020", 4, "20", "2020", True, "2x2x", "y")],
    ),
    (
        "select concat(year(d), '-', lpad(quarter(d), 2, '0')), trim(dayofweek(d)),"
        " contains(datediff(day, '2020-01-01', d), '63'), md5(year(d)) = md5('2020') from t",
        [("2020-01", "3", True, True)],
    ),
    (
        "select lpad(count(*), 3, '0'), lpad((select max(i) from t), 2, '0'),"
        " lpad(dense_rank() over (order by 1), 2, '0'), upper(array_size([1, 2])) from t",
        [("001", "05", "01", "2")],
    ),
    (
        "select 'x' || seq4(), lpad(seq8() + 1, 3, '0'), to_char(seq4()) from t",
        [("x0", "001", "0")],
    ),
    # A choice between a text and a number or a date makes no number of another choice's texts.
    (
        "select coalesce(w.i, s), coalesce(s, 'zz') from w",
        [(Decimal("12"), "12")],
    ),
    (
        "select coalesce(d, '2020-01-01'), coalesce(t.i, t.s), nvl(t.s, 'zz'), greatest(t.s, t.i),"
        " greatest(t.s, '00') from t",
        [(date(2020, 3, 4), Decimal(5), "007", Decimal(7), "007")],
    ),
    (
        "select case when b then i else s end, case when b then s else 'x' end, iff(b, s, 'y'),"
        " iff(b, i, s), case when b then s else case when b then i else s end end from t",
        [(Decimal(5), "007", "007", Decimal(5), Decimal(7))],
    ),
    (
        "select sum(coalesce(i, s)), min(coalesce(s, 'zz')), coalesce(max(i), max(s)),"
        " coalesce(max(s), 'q') from w",
        [(Decimal(12), "12", Decimal(12), "12")],
    ),
    # OBJECT_CONSTRUCT(*): each column as the VARIANT that it is; a JSON null is no NULL.
    (
        "select object_construct(*) from every",
        [
            (
                '{"A":[1,2],"B":"AB","D":"2020-01-02","F":1.5,"J":null,"Q":1.5,'
                '"T":"2020-01-01 01:02:03.500"}',
            )
        ],
    ),
    (
        "select object_construct_keep_null(* exclude (a, b, d, f, q)) from every",
        [('{"J":null,"K":null,"N":null,"T":"2020-01-01 01:02:03.500"}',)],
    ),
    (
        "select array_agg(object_construct(e.*)):[0].T::timestamp from every e",
        [(datetime(2020, 1, 1, 1, 2, 3, 500000),)],
    ),
    # Keys of an object that is written are as they are written.
    (
        "select {'Key': {'Inner': 1}} o, o:Key.Inner::int, {'a': null, 'B': 2}",
        [('{"Key":{"Inner":1}}', 1, '{"B":2}')],
    ),
    ("select {'K1': {'K2': 1}} as col where col:K1:K2 > 0", [('{"K1":{"K2":1}}',)]),
]


@pytest.mark.parametrize(("text", "rows"), _ANSWERS, ids=[text for text, _ in _ANSWERS])
def test_it_has_its_rows(
    connection: psycopg.Connection, text: str, rows: list[tuple[Any, ...]]
) -> None:
    assert connection.execute(text).fetchall() == rows


_SCRIPTS: list[tuple[str, list[tuple[Any, ...]]]] = [
    (
        """create or replace table raw (j variant); insert into raw select parse_json('{"s":"c"}');"""
        " create or replace table kept (s varchar, d varchar, b varchar) as"
        " select distinct j:s, '2024-01-02 03:04:05'::timestamp, to_binary('ff') from raw union all"
        " select j, '2024-01-02'::date, null from raw; select * from kept order by s desc",
        [('{"s":"c"}', "2024-01-02 00:00:00.000", None), ("c", "2024-01-02 03:04:05.000", "FF")],
    ),
    # A text beside a moment that has a zone.
    (
        "create or replace table moments (s varchar, at timestamp_ltz, ntz timestamp_ntz);"
        " alter session set timezone = 'UTC'; insert into moments values"
        " ('2020-01-01 01:02:03', null, null), (null, '2020-01-02 00:00:00', '2020-01-02 00:00:00');"
        " select to_varchar(coalesce(s, at), 'YYYY-MM-DD HH24:MI:SS'), coalesce(at, s) = coalesce(s, ntz),"
        " case when s is null then at else s end = s from moments order by s",
        [("2020-01-01 01:02:03", True, True), ("2020-01-02 00:00:00", True, None)],
    ),
    (
        """create or replace table raw (j variant); insert into raw select parse_json('{"s":"c","i":1}');"""
        " create or replace table kept (s varchar(3), i int, v variant, d varchar) as"
        """ select j:s, j:i, j:s, parse_json('"x"') as z from raw;"""
        " insert into kept select f.value:k, 2, null, f.key from table(flatten(parse_json("
        """'{"a":{"k":"b"}}'))) f; select * from kept order by i""",
        [("c", 1, '"c"', "x"), ("b", 2, None, "a")],
    ),
    (
        """create or replace table raw (j variant); insert into raw select parse_json('{"s":"c","l":["q"]}');"""
        " create or replace table kept (i int, s varchar);"
        " insert into kept (i, s) select distinct 12, j:s from raw;"
        " insert into kept (i, s) select 13, j:l[0] v from raw qualify row_number() over (order by v) = 1;"
        " insert into kept (i, s) select * from (select 14, j:s from raw) order by 2;"
        " insert first when 1 = 1 then into kept (i, s) values (15, s) select j:s s from raw;"
        " insert overwrite into kept select i, s from kept union all select 16, 'x';"
        " insert into kept select 17, j:l from raw union select 18, j:s from raw;"
        " select * from kept order by i",
        [(12, "c"), (13, "q"), (14, "c"), (15, "c"), (16, "x"), (17, '["q"]'), (18, "c")],
    ),
    # A VARIANT in a VARCHAR column is its text, whichever way it comes there.
    (
        "create or replace table raw (j variant);"
        """ insert into raw select parse_json('{"i":3,"s":"c","n":"1.25","d":"2021-01-01","l":["q"]}');"""
        " create or replace table kept (i int, s varchar, n number(10,2), d date);"
        " insert into kept select j:i, j:s, j:n, j:d from raw;"
        " insert into kept (i, s) with x as (select j as k from raw) select 4, x.k:s from x;"
        " insert into kept (i, s) select 5, f.value from raw, lateral flatten(j:l) f;"
        " insert into kept (i, s) select 6, case when j:i = 3 then 'five' else j:s end from raw;"
        """ insert into kept (i, s) select 7, parse_json('null') union all select 8, j:l from raw;"""
        " merge into kept using (select 9 i, j, j:s vs from raw) x on kept.i = x.i"
        " when not matched then insert (i, s, n, d) values (x.i, x.j:s, x.j:n, x.j:d);"
        " merge into kept using (select 9 i, j:l[0] vs from raw) x on kept.i = x.i"
        " when matched then update set s = x.vs; update kept set s = r.j:d from raw r where i = 3;"
        " select * from kept order by i",
        [
            (3, "2021-01-01", Decimal("1.25"), date(2021, 1, 1)),
            (4, "c", None, None),
            (5, "q", None, None),
            (6, "five", None, None),
            (7, None, None, None),
            (8, '["q"]', None, None),
            (9, "q", Decimal("1.25"), date(2021, 1, 1)),
        ],
    ),
    # SET of a column to a VARIANT, as the column's type: no comparison of the two.
    (
        "create or replace table kept (i int, s varchar, n number(10,2), d date, v variant);"
        " insert into kept (i) values (1);"
        """ update kept set v = parse_json('{"a":"x"}'), s = parse_json('"y"'), i = parse_json('1.5'),"""
        """ n = parse_json('"2.5"'), d = parse_json('"2020-01-02"');"""
        " select * from kept",
        [(2, "y", Decimal("2.50"), date(2020, 1, 2), '{"a":"x"}')],
    ),
    (
        "create or replace table kept (i int, s varchar, v variant); insert into kept (i) values (1);"
        " merge into kept using (select 1 i, parse_json('[1]') v) x on kept.i = x.i"
        " when matched then update set v = parse_json('null'), s = x.v[0]; select * from kept",
        [(1, "1", "null")],
    ),
    (
        "create or replace table kept (i int, s varchar, v variant); insert into kept (i) values (1);"
        " update kept k set k.v = parse_json('2'), s = x.v from (select 1 i, parse_json('[1]') v) x"
        " where k.i = x.i; update worksheets.kept set v = parse_json('3') where v = 2; select * from kept",
        [(1, "[1]", "3")],
    ),
    (
        'create or replace table "Kept" (i int, "V" variant); insert into "Kept" (i) values (1);'
        ' merge into "Kept" k using (select 1 i, 2 v) x on k.i = x.i'
        ' when matched then update set k."V" = to_variant(5); select * from "Kept"',
        [(1, "5")],
    ),
    # A sequence by its name's text.
    (
        "create or replace sequence counted; set its_name = 'counted';"
        " create or replace table numbered (n int);"
        " insert into numbered values (identifier($its_name).nextval);"
        " insert into numbered select identifier('worksheets.counted').nextval + 10;"
        " select identifier('numbered').n from numbered order by 1",
        [(1,), (12,)],
    ),
    # A variable that one message sets names what the next statement of it is about.
    ("set s1 = 'worksheets'; use schema identifier($s1); select count(*) from t", [(1,)]),
    (
        "create or replace table one (a int); create or replace table two (b int); set s2 = 'one';"
        " desc table identifier($s2); set s2 = 'two'; desc table identifier($s2) ->> select"
        ' "name" from $1',
        [("b",)],
    ),
    (
        "create role if not exists of_worksheets; set me = current_user();"
        " grant role identifier('of_worksheets') to user identifier($me);"
        " grant usage on schema identifier('worksheets') to role of_worksheets;"
        " grant ownership on all tables in schema worksheets to role of_worksheets copy current grants;"
        " revoke role of_worksheets from user identifier($me); select 1",
        [(1,)],
    ),
    # SET column = DEFAULT is no column of that name.
    (
        "create or replace table d (a int default 5, b int); insert into d values (1, 1);"
        " update d set b = default, d.a = DEFAULT;"
        " merge into d t using (select 5 k) s on t.a = s.k when matched then update set t.b = default"
        " when not matched then insert (a, b) values (default, default);"
        " merge into d t using (select 6 k) s on t.a = s.k when matched then update set t.b = 1"
        " when not matched then insert (a, b) values (default, 3); select * from d order by b nulls first",
        [(5, None), (5, 3)],
    ),
    # A function's block, as an expression.
    (
        "create or replace function size_of(n int) returns varchar as $$ begin"
        " if (n > 1) then return 'big'; elseif (:n = 1) then return 'one'; end if; return 'small'; end $$;"
        " select size_of(4), size_of(1), size_of(0), size_of(null)",
        [("big", "one", "small", "small")],
    ),
    (
        "create or replace function total(a int, b int) returns number(10,2) as"
        " declare t number(10,2) default 0; label varchar; begin t := a + b;"
        " if (a > b) then label := 'a'; t := t * 2; else label := 'b'; end if;"
        " case (label) when 'a' then t := :t + 1; else t := t + 0.5; end case;"
        " begin let half number(10,2) := t / 2; t := half; end; return t; end;"
        " select total(3, 2), total(1, 2)",
        [(Decimal("5.50"), Decimal("1.75"))],
    ),
    (
        "create or replace user u comment = 'x'; create user if not exists u; drop user if exists u;"
        " select 1",
        [(1,)],
    ),
]


@pytest.mark.parametrize(("text", "rows"), _SCRIPTS, ids=[text for text, _ in _SCRIPTS])
def test_a_script_in_one_message(
    connection: psycopg.Connection, text: str, rows: list[tuple[Any, ...]]
) -> None:
    result = connection.execute(text)
    while result.nextset():
        pass
    assert result.fetchall() == rows


def test_a_variable_that_is_not_set_is_named(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedObject, match="NEVER_SET"):
        connection.execute("desc table identifier($never_set)")


@pytest.mark.parametrize(
    "body",
    [
        "begin while (n < 1) do n := n + 1; end while; return n; end",
        "begin return 1; exception when other then return 2; end",
        "begin insert into t values (1); return 1; end",
        "begin return (select 1); end",
    ],
)
def test_a_block_that_is_no_expression_is_refused(
    connection: psycopg.Connection, body: str
) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="block of a function"):
        connection.execute(
            f"create or replace function no_expression(n int) returns int as '{body}'"
        )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("create or replace snowflake.core.budget b()", "CREATE SNOWFLAKE.CORE.BUDGET"),
        ("drop snowflake.ml.forecast m", "DROP SNOWFLAKE.ML.FORECAST"),
        ("show snowflake.ml.forecast in account", "SHOW SNOWFLAKE.ML.FORECAST is"),
        ("call m!forecast(forecasting_periods => 3)", "CALL of an instance's method"),
        ("show terse dynamic tables like 'x'", "SHOW DYNAMIC TABLES is"),
        ("show row access policies in account", "SHOW ROW ACCESS POLICIES is"),
    ],
)
def test_what_lives_in_its_cloud_is_named(
    connection: psycopg.Connection, text: str, named: str
) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=named):
        connection.execute(text)


def test_a_key_twice_is_an_error_of_values(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="Duplicate field key 'i'"):
        connection.execute("select object_construct(*) from t a join t b on a.i = b.i")


@pytest.mark.parametrize(
    ("text", "values", "tag"),
    [
        ("insert into w (i, v) select %s, parse_json(%s)", (7, "[1]"), "INSERT 0 1"),
        ("insert into w (i, v) select %s, object_construct('k', %s)", (7, "a"), "INSERT 0 1"),
        ("insert into w (i) values (array_size(array_construct(%s)))", ("a",), "INSERT 0 1"),
        ("update w set v = parse_json(%s) where i = %s", ('{"a":6}', 0), "UPDATE 0"),
        ("update w set v = array_construct(%s) where i = 0", ("a",), "UPDATE 0"),
        ("delete from w where v = parse_json(%s)", ('"none"',), "DELETE 0"),
        (
            "merge into w using (select 0 i, parse_json(%s) v) x on w.i = x.i"
            " when matched then update set v = x.v",
            ("1",),
            "MERGE 0",
        ),
    ],
)
def test_a_write_of_a_parameter_of_any_type_gives_no_rows(
    connection: psycopg.Connection, text: str, values: tuple[Any, ...], tag: str
) -> None:
    with connection.transaction(force_rollback=True):
        for prepare in (False, True):
            made = connection.execute(text, values, prepare=prepare)
            assert (made.description, made.statusmessage) == (None, tag)


def test_a_table_of_a_query_declares_what_its_columns_do(connection: psycopg.Connection) -> None:
    """Its own name in the query, a view's, and a block's; a comment stays the new table's."""
    for text in (
        "create table sized (id int, v varchar(5))",
        "insert into sized values (1, 'abc'), (2, 'de')",
        "create or replace table sized comment = 'fewer' as select * from sized where id = 1",
        "create view over_sized as select v from sized",
        "create or replace table sized as select v, v::varchar(9) as w from over_sized",
        "execute immediate $$ begin create table of_block as select w from sized; return 1; end $$",
    ):
        connection.execute(text)
    described = "select column_name, character_maximum_length from information_schema.columns"
    found = connection.execute(f"{described} where table_name in ('sized', 'of_block') order by 1")
    assert found.fetchall() == [("v", 5), ("w", 9), ("w", 9)]
    assert connection.execute("select * from sized").fetchall() == [("abc", "abc")]
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        connection.execute("insert into of_block values ('0123456789')")
    temporary = "select count(*) from duckdb_tables() where temporary"
    assert connection.execute(temporary).fetchone() == (0,)
