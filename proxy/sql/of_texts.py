"""What is found of a text of DuckDB's with the types of its columns, as functions of the text alone.

Why it exists: of a long text it is found in another process (`proxy.session.long_texts`), which has no engine:
it asks for the columns of the relations that it meets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sqlglot import exp

from proxy.sql import inference
from proxy.sql.inference import Columns, Relation
from proxy.sql.postgres.typing import Typing
from proxy.sql.snowflake.in_force import planned_under
from proxy.sql.uncollected import uncollected

Ask = Callable[[Relation], Columns | None]


def meant(
    sql: str,
    kind: type[Typing],
    oids: Mapping[int, int],
    zone: str,
    parameters: tuple[tuple[str, str], ...],
    given: bool,
    columns: Ask,
) -> str | None:
    """The SQL that `sql` means (see `proxy.session.typed`); None where it is the same, or cannot be followed.

    oids: of its parameters. zone: the session's TimeZone. parameters: those of its dialect. given: it says
    OVERRIDING SYSTEM VALUE. Raises SqlError for a literal that is none of its type, with its place in `sql`.
    """
    with uncollected():
        tree = inference.read(sql)
        if tree is None:
            return None
        typing = kind(tree, oids, columns)
        typing.given = given
        if not typing.look():
            return None
        with planned_under(parameters):
            return typing.apply(zone)


def inferred(
    sql: str, wanted: Collection[int], given: Mapping[int, int], integer: str, columns: Ask
) -> dict[int, int]:
    """As `inference.infer`, of a text; {} where it cannot be read."""
    with uncollected():
        tree = inference.read(sql)
        if tree is None:
            return {}
        return inference.infer(tree, wanted, given, columns, integer=integer)


def only_cast(sql: str, numbers: frozenset[int]) -> frozenset[int]:
    """Those of the parameters that are only ever cast to an array or to numeric; of what cannot be read none."""
    tree = inference.read(sql) if numbers else None
    if tree is None:
        return frozenset()
    return numbers - {
        int(node.name)
        for node in tree.find_all(exp.Placeholder, exp.Parameter)
        if node.name.isdecimal() and not _is_read_by_cast(node.parent)
    }


def _is_read_by_cast(place: exp.Expr | None) -> bool:
    if isinstance(place, exp.Cast):
        return isinstance(place.to, exp.DataType) and place.to.this in (
            exp.DType.ARRAY,
            exp.DType.LIST,
        )
    if not isinstance(place, exp.Coalesce) or len(place.expressions) != 1:
        return False
    other = place.expressions[0]
    return isinstance(other, exp.Cast) and isinstance(other.this, exp.Null)
