"""UPDATE ... FROM and DELETE ... USING whose RETURNING names what they join, as steps of one transaction.

Why it exists: whether what RETURNING names is of the changed table hangs on what there is, and so do the types
that a changed row's values have. `proxy.sql.changes.joined_returning` writes the statements; `proxy.changes.with_writes`
runs them, as it does the parts of a WITH.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from proxy.engines.duck.session import DuckSession
from proxy.session.parameter_types import columns_of, written_columns
from proxy.sql import inference
from proxy.sql.changes.changed_rows import ROW
from proxy.sql.changes.joined_returning import (
    apart,
    are_its_own,
    columns_asked,
    only_joins,
    refused,
    sources,
)
from proxy.sql.changes.with_writes import relations, stand_in
from proxy.sql.changes.written_columns import Columns, columns_set, path_of
from proxy.sql.compound import Step
from proxy.sql.reading import write_duckdb
from proxy.wire.types import spelled

if TYPE_CHECKING:
    from proxy.sql.statement import Statement

_ASIDE = 1  # the number of the step that puts what is joined aside


def steps_of(duck: DuckSession, plan: Statement) -> tuple[Step, ...]:
    """Blocks. The steps of a statement of that kind. Raises SqlError 0A000, and what DuckDB raises."""
    tree = inference.read(plan.sql)
    assert isinstance(tree, exp.Update | exp.Delete)
    path = path_of(tree.this)
    meant = duck.means(path)
    target = written_columns(duck, path) or []
    names = {
        name: [n for n, _ in columns_of(duck, columns_asked(tree, name))] for name in sources(tree)
    }
    if are_its_own(tree, names):
        return (Step(plan, 0, path, tuple(dict.fromkeys(path_of(one) for one in relations(tree)))),)
    only_joins(tree)
    if meant is not None and meant.kind != "r":
        raise refused("with a view", tree)
    if ROW in (name.lower() for name, _ in target):
        raise refused(f'of a table with a column "{ROW}"', tree)
    kinds = {name.lower(): kind for name, kind in target}
    declared = target.declared if isinstance(target, Columns) else {}

    def type_of(name: str) -> exp.DataType:
        return exp.DataType.build(spelled(kinds[name]), dialect="duckdb")

    made = apart(tree, names, declared, type_of, stand_in(_ASIDE))
    reads = tuple(dict.fromkeys([path, *(path_of(one) for one in relations(tree))]))
    # Its text is another: no place in it is one in the client's.
    query = {
        "kind": "SELECT",
        "text": "",
        "deletes": (),
        "updates": (),
        "changes": frozenset(),
    }
    locks = plan.locks
    aside = replace(plan, sql=made.aside, tag="SELECT", writes=locks is not None, **query)
    changes = columns_set(made.changes) if isinstance(made.changes, exp.Update) else frozenset()
    change = replace(plan, sql=write_duckdb(made.changes), changes=changes, locks=None)
    returned = replace(plan, sql=made.returned, writes=False, locks=None, **query)
    into = ((stand_in(_ASIDE),),)
    return (
        Step(aside, _ASIDE, (), reads),
        Step(change, 0, path, into),
        Step(returned, 0, (), into),
    )
