"""Query clauses that DuckDB lacks or understands otherwise, with Snowflake's answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from proxy.errors import SqlError
from proxy.sql.plan import Dialect, plan_message

from .cases import Runner

SETUP = [
    "create table t (a int, b varchar, c int)",
    "insert into t values (1, 'x', 10), (2, 'y', 20), (3, 'z', 30)",
    "create table u (a int, d varchar)",
    "insert into u values (1, 'p'), (2, 'q'), (9, 'r')",
    "create table staff (title varchar, id int, boss int)",
    "insert into staff values ('P', 1, null), ('V', 10, 1), ('W', 20, 1), ('E', 100, 10)",
    "create table v (id int, x variant)",
    'insert into v select 1, parse_json(\'[{"a":[1,2]},{"a":[3]}]\')',
    "insert into v select 2, parse_json('[{\"a\":[1,2]}]')",
    "create table m (id int, jan int, feb int)",
    "insert into m values (1, 100, 200), (2, 300, null)",
    "create table q (e int, amount int, q varchar)",
    "insert into q values (1, 10, 'Q1'), (1, 5, 'Q2'), (2, 4, 'Q1')",
    "create table words (w varchar)",
    "insert into words values ('a.b'), ('c')",
    "create table k (id int, v varchar)",
    "insert into k values (1, 'a')",
]
UNDER_P = "from staff start with boss is null connect by prior id = boss"


@pytest.fixture(scope="module")
def runner() -> Runner:
    made = Runner()
    made.fresh()
    for text in SETUP:
        made.run(text)
    return made


ANSWERS: list[tuple[str, list[tuple[Any, ...]]]] = [
    # Columns by number: of VALUES, tables, subqueries; in every clause.
    ("select $1, $2 from values (1, 'one') ", [(1, "one")]),
    ("select t.$2 from t order by $1 desc", [("z",), ("y",), ("x",)]),
    ("select $2, sum($3) from t where $1 > 1 group by $2 order by 1", [("y", 20), ("z", 30)]),
    ("select p.$1, r.$2 from (values (1, 2)) p, (values (3, 4)) r", [(1, 4)]),
    # Rows among rows: one that differs in some value is not there, whatever is NULL beside.
    ("select (1, 0) not in (select c1, 5 from (values (1), (null)) s (c1))", [(True,)]),
    ("select (1, 5) not in (select c1, 5 from (values (2), (null)) s (c1))", [(None,)]),
    ("select (1, 5) in (select c1, 5 from (values (1), (null)) s (c1))", [(True,)]),
    ("select a from t where (a, c) not in (select id, feb from m) order by 1", [(1,), (3,)]),
    # CONNECT BY.
    (f"select id, level {UNDER_P} order by id", [(1, 1), (10, 2), (20, 2), (100, 3)]),
    (f"select * {UNDER_P} and level <= 2 order by 2", [("P", 1, None), ("V", 10, 1), ("W", 20, 1)]),
    (
        f"select sys_connect_by_path(title, '/'), connect_by_root id r {UNDER_P} order by 1",
        [("/P", 1), ("/P/V", 1), ("/P/V/E", 1), ("/P/W", 1)],
    ),
    (
        "select title from staff where level = 3 start with id = 1 connect by boss = prior id",
        [("E",)],
    ),
    (f"select level, count(*) {UNDER_P} group by level order by level", [(1, 1), (2, 2), (3, 1)]),
    (f"select id from (select id, level l {UNDER_P}) where l = 3", [(100,)]),
    # FLATTEN: SEQ is one number for each row that was flattened.
    (
        "select id, f.seq, f.index from v, lateral flatten(x) f order by 1, 3",
        [(1, 1, 0), (1, 1, 1), (2, 2, 0)],
    ),
    (
        "select count(distinct g.seq) from v, lateral flatten(x) f, lateral flatten(f.value:a) g",
        [(3,)],
    ),
    (
        "select * from words, lateral split_to_table(w, '.') order by seq, index",
        [("a.b", 1, 1, "a"), ("a.b", 1, 2, "b"), ("c", 2, 1, "c")],
    ),
    (
        "select f.value from table(flatten(parse_json('[{\"x\":[7]}]'), path => '[0].x')) f",
        [("7",)],
    ),
    # PIVOT and UNPIVOT.
    (
        "select * from q pivot (sum(amount) for q in ('Q1', 'Q2') default on null (0)) order by e",
        [(1, 10, 5), (2, 4, 0)],
    ),
    (
        "select * from m unpivot (s for month in (jan, feb)) order by 1, 2",
        [(1, "FEB", 200), (1, "JAN", 100), (2, "JAN", 300)],
    ),
    (
        "select * from m unpivot (s for month in (jan as j, feb)) as p (i, mo, s) order by 1, 2",
        [(1, "FEB", 200), (1, "J", 100), (2, "J", 300)],
    ),
    # Samples.
    ("select count(*) from t sample (2 rows)", [(2,)]),
    ("select count(*) from t sample row (100)", [(3,)]),
    ("select count(*) from t sample block (100) seed (1)", [(3,)]),
    # UNION BY NAME goes by the names that the columns have.
    ("select count(*) from t union all by name select count(*) from u", [(3,), (3,)]),
    (
        "select a, b from t where a = 1 union all by name select d, a from u where a = 9",
        [(1, "x", None), (9, None, "r")],
    ),
    ("select * from table('t') order by a limit 1", [(1, "x", 10)]),
    # FLATTEN gives elements in the order of their array, row by row.
    (
        "select v.id, f.index, g.value::int from v, lateral flatten(x) f,"
        " lateral flatten(input => f.value:a) g",
        [(1, 0, 1), (1, 0, 2), (1, 1, 3), (2, 0, 1), (2, 0, 2)],
    ),
    (
        "select w, s.seq, s.index, s.value from words, lateral split_to_table(w, '.') s",
        [("a.b", 1, 1, "a"), ("a.b", 1, 2, "b"), ("c", 2, 1, "c")],
    ),
    (
        "select id, array_agg(f.index) from v, lateral flatten(x) f group by id order by id",
        [(1, "[0,1]"), (2, "[0]")],
    ),
    (
        'select path from table(flatten(parse_json(\'{"a":[5,{"b":6}],"c":7}\'), recursive => true))',
        [("a",), ("a[0]",), ("a[1]",), ("a[1].b",), ("c",)],
    ),
    # An outer join without a condition keeps what it does not find.
    (
        "select v.id, f.value:a from v left join lateral flatten(v.x:nothing) f order by 1",
        [(1, None), (2, None)],
    ),
    ("select t.a from t left join (select 1 where false) on true order by 1", [(1,), (2,), (3,)]),
    ("select t.a from t left join (select 1 x where false) z order by 1", [(1,), (2,), (3,)]),
    # ASOF JOIN by a column of the same name.
    (
        "select * from t asof join u match_condition (t.c >= u.a) using (a) order by a",
        [(1, "x", 10, "p"), (2, "y", 20, "q"), (3, "z", 30, None)],
    ),
    (
        "select a, u.d from t asof join u match_condition (t.c >= u.a) using (a) where a < 3 order by 1",
        [(1, "p"), (2, "q")],
    ),
    # A query may group by a path and show its text.
    (
        "select x:k::string s, count(*) from (select parse_json(column1) x"
        ' from values (\'{"k":"a"}\'), (\'{"k":"a"}\')) group by x:k order by x:k',
        [("a", 2)],
    ),
    # Modifiers of * that DuckDB does not take together.
    ("select * ilike '%a%' rename jan as first from m where id = 1", [(100,)]),
    ("select * ilike '%a%' replace (jan + 1 as jan) from m where id = 1", [(101,)]),
    (
        "select * replace ('J' || jan as jan) rename jan as j from m where id = 1",
        [(1, "J100", 200)],
    ),
    # DUAL; the table as it is now.
    ("select 1 from dual", [(1,)]),
    ("with dual as (select 5 a) select a from dual", [(5,)]),
    ("select level from dual connect by level <= 3 order by 1", [(1,), (2,), (3,)]),
    ("select count(*) from t at (offset => 0)", [(3,)]),
    # PIVOT with an aggregate that is more than one of DuckDB's.
    (
        "select * from q pivot (avg(amount) for q in ('Q1', 'Q2' as second)) as p order by e",
        [(1, Decimal("10.000000"), Decimal("5.000000")), (2, Decimal("4.000000"), None)],
    ),
]


@pytest.mark.parametrize(("text", "rows"), ANSWERS)
def test_snowflakes_answer(runner: Runner, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert runner.run(text)[1] == rows


def test_outer_joins_by_mark_keep_the_order_of_the_tables(runner: Runner) -> None:
    columns, rows = runner.run("select * from t, u where t.a (+) = u.a order by u.a desc limit 1")
    assert columns == ["a", "b", "c", "a", "d"]
    assert rows == [(None, None, None, 9, "r")]


def test_star_does_not_show_what_was_added(runner: Runner) -> None:
    columns, _ = runner.run("select * from v, lateral flatten(x)")
    assert columns == ["id", "x", "seq", "key", "path", "index", "value", "this"]
    columns, _ = runner.run(f"select * {UNDER_P}")
    assert columns == ["title", "id", "boss"]


def test_set_may_name_its_table(runner: Runner) -> None:
    runner.run("update k x set x.v = 'b' where x.id = 1")
    runner.run(
        "merge into k using (select 1 id, 'c' v) s on k.id = s.id when matched then update set k.v = s.v"
    )
    assert runner.run("select v from k")[1] == [("c",)]


def test_a_number_of_a_driver_is_a_parameter() -> None:
    (statement,) = plan_message("select a from t where a = $1", Dialect())
    assert statement.parameters == 1
    (statement,) = plan_message("select t.$1 from t", Dialect())
    assert statement.parameters == 0


REFUSED = [
    "select * from t at (offset => -60)",
    "select * from t before (statement => last_query_id())",
    "create table w (a varchar collate 'en-ci')",
    "create table w (a varchar masking policy p)",
    "create table w (a int) with row access policy p on (a)",
    "select count(distinct t.*) from t",
    "select a from t where b not like all ('x', 'y')",
    "select a from t start with a = 1 connect by nocycle prior a = b",
    "select a, connect_by_isleaf from t start with a = 1 connect by prior a = b",
    "select t.a from t, u where a = b start with t.a = 1 connect by prior t.a = t.b",
    "merge into t using u on t.a = u.a when not matched by source then delete",
    "select $1 from t join u on t.a = u.a",
    "create view w as select * from q pivot (sum(amount) for q in (any))",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_faithful_form_is_refused(text: str) -> None:
    (statement,) = plan_message(text, Dialect(numbered=True))
    assert isinstance(statement.refused, SqlError)
    assert statement.refused.sqlstate == "0A000"
