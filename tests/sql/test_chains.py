"""Chains of operators: each link is looked at a few times, however long the chain is."""

from __future__ import annotations

import pytest
from sqlglot import exp

from proxy.sql import inference
from proxy.sql.inference.names import Scope
from proxy.sql.inference.signatures import Type
from proxy.sql.plan import Dialect, plan_message
from proxy.sql.postgres.typing import Typing


class _Counting(Typing):
    asked = 0

    def kind_of(self, node: exp.Expr | None, scope: Scope) -> Type:
        self.asked += 1
        return super().kind_of(node, scope)


@pytest.mark.parametrize("link", ["a", "'x'", "upper(a)", "'{}'::jsonb", "1"])
def test_a_chain_is_typed_in_steps_of_its_length(link: str) -> None:
    length = 16
    text = f"select {' || '.join([link] * length)} from t"
    (plan,) = plan_message(text, Dialect(name="postgres"))
    assert plan.sql
    tree = inference.read(plan.sql)
    assert tree is not None
    typing = _Counting(tree, {}, lambda relation: None)
    assert typing.look()
    assert typing.asked < 20 * length
