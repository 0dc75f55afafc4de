"""The nodes of a tree, listed once: what passes see of it, and what they are told by its kinds."""

from __future__ import annotations

import pytest
from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.listing import Listing, listed
from proxy.sql.plan import Dialect, plan_message
from proxy.sql.reading import SNOWFLAKE
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
