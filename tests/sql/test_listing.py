"""The nodes of a tree, listed once: what passes see of it, and what they are told by its kinds."""

from __future__ import annotations

import gc

import pytest
from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql import listing
from proxy.sql.listing import Listing, listed, take_apart
from proxy.sql.plan import Dialect, plan_message
from proxy.sql.postgres import dialect as postgres
from proxy.sql.reading import SNOWFLAKE, _WrittenDuckDB, write_duckdb
from proxy.sql.snowflake import overloads, registry, rewrite
from tests.sql.cases import read_cases, read_lines


def _read(text: str) -> exp.Expr:
    return SNOWFLAKE.parse(text, SNOWFLAKE.tokenize(text))


def _all(nodes: Listing) -> set[int]:
    return {id(node) for node in (*nodes.every(), *nodes.names)}


def test_every_node_is_listed_once_and_parents_come_first() -> None:
    tree = _read(
        "with w as (select A, t.b as c, 'x' from t) select count(*), w.* from w where a > 1"
    )
    nodes = listed(tree)
    assert _all(nodes) == {id(node) for node in tree.dfs()}
    assert len(nodes) + len(nodes.columns) + len(nodes.names) == sum(1 for _ in tree.dfs())
    seen: set[int] = set()
    for node in nodes:
        assert node is tree or id(node.parent) in seen or isinstance(node.parent, exp.Column)
        seen.add(id(node))


def test_plain_columns_are_apart_and_others_are_not() -> None:
    nodes = listed(_read("select a, T.B, s.t.c, t.*, t.$1, current_role, seq.nextval from t"))
    assert [column.sql() for column in nodes.columns] == ["a", "T.B"]
    others = {node.sql() for node in nodes.of(exp.Column)}
    assert others == {"s.t.c", "t.*", "t.@1", "current_role", "seq.nextval"}


def test_kinds_are_those_of_the_nodes() -> None:
    nodes = listed(_read("select a + 1, 'x', f(a) from t"))
    assert nodes.kinds == {type(node) for node in nodes}
    assert [call.this for call in nodes.of(exp.Anonymous)] == ["f"]
    assert nodes.of(exp.Cast) == ()
    assert {id(node) for _, found in nodes.by_kind() for node in found} == {id(n) for n in nodes}


@pytest.mark.parametrize("terms", [10, 5000])
def test_a_chain_of_any_length_is_listed(terms: int) -> None:
    tree = _read("select " + " + ".join(f"A{n}" for n in range(terms)) + " from t")
    nodes = listed(tree)
    assert len(nodes.of(exp.Add)) == terms - 1
    assert _all(nodes) == {id(node) for node in tree.dfs()}
    (plan,) = plan_message("select 1 from t where " + " and ".join(["A"] * terms), Dialect())
    assert plan.sql.endswith(" WHERE " + " AND ".join(["a"] * terms))


def _in_order(nodes: Listing) -> list[list[int]]:
    kinds = [[id(kind), *map(id, found)] for kind, found in nodes.by_kind()]
    return [[id(node) for node in some] for some in (nodes, nodes.names, nodes.columns)] + kinds


compiled = pytest.mark.skipif(listing.compiled is None, reason="no compiler was there")


@compiled
def test_the_compiled_list_is_that_of_python() -> None:
    texts = [case["sql"] for case in read_cases()]
    texts += ["select " + "+".join("aB" for _ in range(5000)), 'select current_user, "A", t."é"']
    read = 0
    for text in texts:
        try:
            tree = _read(text)
        except SqlError:
            continue
        read += 1
        nodes = listed(tree)
        assert _in_order(nodes) == _in_order(listing._listed(tree)), text
        assert listing.uncommon([]) == []
        unlike = {id(name) for name in listing.uncommon(nodes.names)}
        upper = {id(name) for name in nodes.names if name.this.lower() != name.this}
        assert upper <= unlike, text
    assert read > 400


@compiled
def test_rules_are_applied_as_python_applies_them() -> None:
    applied = 0
    for case in read_cases():
        try:
            first, second = _read(case["sql"]), _read(case["sql"])
            made = postgres.apply(first, listed(first), postgres.RULES)
        except SqlError:
            continue
        nodes = listed(second)
        postgres.fold_all(nodes.names)
        assert made.sql() == postgres._apply(second, nodes, postgres.RULES).sql(), case["sql"]
        applied += 1
    assert applied > 300


@compiled
@pytest.mark.parametrize(
    "name", ["a", "A", "_a1", "1a", "select", "notnull", "a b", 'a"b', "é", "a$b", "", "\ud800"]
)
@pytest.mark.parametrize("quoted", [True, False])
def test_names_are_written_as_sqlglot_writes_them(name: str, quoted: bool) -> None:
    def column() -> exp.Column:
        def identifier() -> exp.Identifier:
            return exp.Identifier(this=name, quoted=quoted)

        return exp.Column(this=identifier(), table=identifier())

    assert write_duckdb(column().this) == _OWN.generate(column().this)
    assert write_duckdb(column()) == _OWN.generate(column())


@compiled
@pytest.mark.parametrize("text", ["", "a", "it's", "''", "a\nb", "\\", "é", "12.5", "\ud800"])
def test_literals_are_written_as_sqlglot_writes_them(text: str) -> None:
    for literal in (exp.Literal.string(text), exp.Literal.number(text)):
        assert write_duckdb(literal.copy()) == _OWN.generate(literal)


def _written_by_sqlglot(tree: exp.Expr) -> str | None:
    try:
        written = _OWN.generate(tree)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return None if _OWN.unsupported_messages else written


@compiled
def test_what_is_ordinary_is_written_as_sqlglot_writes_it() -> None:
    texts = [case["sql"] for case in read_cases()]
    texts += [case["sql"] for case in read_lines("snowflake_queries.jsonl")]
    texts += [
        "with w as (select 1 as a) select distinct w.a, t.* from w, s.t as t, d.s.t u(x, y)",
        "select -a, not b, (a + (b - c) * 2) / 3, a and b or not (c or d), a = b <> c from t",
        "select count(distinct a, b), coalesce(a), sum(a) over (partition by b), f(), F(a, 'é') from t",
        "select a::decimal(10, 2), a::varchar(3), a::time(3), a::number, try_cast(a as date) from t",
        "select top 3 a from t where a > 1 group by all having b qualify c limit 3 offset 1",
        "select a from t at(offset => 0) sample (10) order by a fetch first 3 rows only",
    ]
    compared = 0
    for text in texts:
        for rules in (False, True):
            try:
                tree = _read(text)
                tree = rewrite(tree, listed(tree)) if rules else tree
                made = write_duckdb(tree.copy())
            except SqlError:
                continue
            assert _written_by_sqlglot(tree) in (made, None)
            compared += 1
    assert compared > 500


def test_a_tree_that_is_too_deep_to_be_written_is_refused() -> None:
    tree = _read("select a from t").expressions[0]
    for _ in range(50_000):
        tree = exp.Not(this=tree)
    with pytest.raises(SqlError) as raised:
        write_duckdb(tree)
    assert raised.value.sqlstate == "54001"
    take_apart(tree)


@pytest.mark.parametrize("given", [None, True, "x", [None], ["x"]])
def test_a_function_of_what_is_no_node_is_written_as_sqlglot_writes_it(given: object) -> None:
    calls = [exp.Sum(this=given), exp.Coalesce(this=exp.Null(), expressions=given)]
    if given is None or isinstance(given, list):
        calls.append(exp.Anonymous(this="f", expressions=given))
    for call in calls:
        assert write_duckdb(call.copy()) == _OWN.generate(call)


_OWN = _WrittenDuckDB().generator(comments=False)


def _selects() -> int:
    return sum(isinstance(one, exp.Select) for one in gc.get_objects())


@compiled
def test_the_tree_of_a_plan_is_freed_at_once() -> None:
    text = "select a + 1, count(*) from t where b = 'x' group by 1"
    plan_message(text, Dialect())
    gc.collect()
    gc.disable()
    try:
        before = _selects()
        plan_message(text, Dialect())
        assert _selects() == before
        kept = _read(text)
        assert _selects() == before + 1
        del kept
    finally:
        gc.enable()


@pytest.mark.parametrize("terms", [10, 50_000])
def test_a_tree_of_any_depth_is_taken_apart(terms: int) -> None:
    tree = _read("select 1")
    for _ in range(terms):
        tree = exp.Paren(this=tree)
    inner = tree.this
    take_apart(tree)
    assert (inner.parent is None) == (listing.compiled is not None)


def test_no_macro_of_several_forms_is_left_over_what_is_bound_late() -> None:
    """Rules note the calls that they make; one that were not noted would be bound too early."""
    texts = [case["sql"] for case in read_cases()]
    texts += [case["sql"] for case in read_lines("snowflake_functions.jsonl")]
    late = 0
    for text in texts:
        try:
            tree = _read(text)
            nodes = listed(tree)
            made = rewrite(tree, nodes)
        except SqlError:
            continue
        calls = [
            node
            for node in made.dfs()
            if isinstance(node, exp.Anonymous) and node.this in registry.OVERLOADED
        ]
        late += made.find(exp.Lambda) is not None
        assert not overloads.bind_too_late(calls, nodes), text
    assert late > 10
