"""CREATE TABLE ... (LIKE other), carried out: a definition made of another's.

As in Postgres, columns come with their types and NOT NULL; defaults, checks, keys with indexes, and
comments where they are asked for; foreign keys never. Checks keep their names, keys and indexes get new
ones. A default that counts goes on counting where the other table's does; an identity gets a sequence of
its own, or is none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.definitions.rebuilding import Table
from proxy.definitions.table_parts import Column, Constraint, definition_of, is_length
from proxy.engines.duck.texts import CONSTRAINT, called_sequence, held_key, plain_name
from proxy.errors import SqlError
from proxy.sql.definitions.identities import MARKS, Numbering, kind_of, numbered, start_of
from proxy.sql.definitions.liking import Like, Likes
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession


def made_like(duck: DuckSession, plan: Likes) -> list[str]:
    """Blocks. DuckDB's statements. Raises SqlError 42P01, 42809 where the other is no table."""
    target = quoted(*plan.target)
    parts: list[str] = []
    after: list[str] = []
    for item in plan.items:
        if isinstance(item, str):
            parts.append(item)
        else:
            table = _table(duck, item)
            identities = _identities(duck, table)
            own, then = _taken(table, item.wanted, plan.target[-1], target, identities)
            if "IDENTITY" in item.wanted:
                temporary = "TEMPORARY" in plan.opening
                for column, numbering in identities.items():
                    then += numbered(plan.target, column, temporary, *numbering)
            parts += own
            after += then
    # DuckDB has a table's columns before what is declared of several.
    parts.sort(key=lambda part: part.startswith(_OF_SEVERAL))
    return [f"{plan.opening} {target} ({', '.join(parts)})", *after]


_OF_SEVERAL = ("CHECK", "PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CONSTRAINT")


def _table(duck: DuckSession, like: Like) -> Table:
    meant = duck.means(like.source)
    if meant is None:
        name = ".".join(like.source)
        raise SqlError("42P01", f'relation "{name}" does not exist')
    if meant.kind != "r":
        raise SqlError("0A000", f'LIKE of "{meant.name}", which is no table, is not supported')
    return Table(duck, meant)


_SEQUENCES = """
SELECT sequence_name, comment, CASE WHEN increment_by > 0 THEN min_value ELSE max_value END,
       increment_by, min_value, max_value, cycle
FROM duckdb_sequences()
WHERE database_name = {database} AND schema_name = {schema} AND sequence_name IN ({names})
"""


def _identities(duck: DuckSession, table: Table) -> dict[str, tuple[str, Numbering]]:
    """The table's columns that are identities: the mark of the sequence, and how it counts."""
    called = {
        sequence[-1]: column.name
        for column in table.columns
        if column.default is not None and column.default.startswith("nextval(")
        if (sequence := called_sequence(column.default)) is not None
    }
    if not called:
        return {}
    query = _SEQUENCES.format(
        database=literal(table.database),
        schema=literal(table.schema),
        names=", ".join(map(literal, called)),
    )
    return {
        called[name]: (text, (start_of(mark, (least, most, step)), step, least, most, cycle))
        for name, mark, _, step, least, most, cycle in duck.run(query)
        for text, kind in MARKS.items()
        if kind == kind_of(mark)
    }


def _taken(
    table: Table, wanted: frozenset[str], name: str, target: str, identities: Collection[str]
) -> tuple[list[str], list[str]]:
    """What stands in the list, and the statements that follow it. identities: columns."""
    if "COLLATE" in table.peculiar:
        raise SqlError("0A000", "LIKE of a table with collations is not supported")
    parts = [definition_of(_wanted(one, wanted, identities)) for one in table.columns]
    for constraint in table.constraints:
        if _is_wanted(constraint, wanted):
            parts += _as_copied(table, constraint).statements()
    after: list[str] = []
    if "INDEXES" in wanted:
        for index in table.indexes:
            listed = ", ".join(index.expressions)
            if index.comment == CONSTRAINT:
                parts.append(f"UNIQUE ({listed})")
                continue
            middle = "_".join(plain_name(one) for one in index.expressions if "(" not in one)
            own = quoted(f"{name}_{middle or 'expr'}_idx")
            unique = "UNIQUE " if index.unique else ""
            after.append(f"CREATE {unique}INDEX {own} ON {target} ({listed})")
    if "COMMENTS" in wanted:
        for column in table.columns:
            if column.comment is not None:
                named = f"{target}.{quoted(column.name)}"
                after.append(f"COMMENT ON COLUMN {named} IS {literal(column.comment)}")
    return parts, after


def _wanted(column: Column, wanted: frozenset[str], identities: Collection[str]) -> Column:
    """A column as it is copied."""
    if "GENERATED" not in wanted:
        column = replace(column, generated="")
    has_default = "DEFAULTS" in wanted and column.name not in identities
    return column if has_default else replace(column, default=None)


def _is_wanted(constraint: Constraint, wanted: frozenset[str]) -> bool:
    if constraint.kind in ("PRIMARY KEY", "UNIQUE"):
        return "INDEXES" in wanted
    if constraint.kind != "CHECK" or held_key(constraint.expression) is not None:
        return False
    return "CONSTRAINTS" in wanted or any(
        is_length(constraint, column) for column in constraint.columns
    )


def _as_copied(table: Table, constraint: Constraint) -> Constraint:
    """Checks keep their names, those that they were given by nobody too; keys do not."""
    if constraint.kind != "CHECK":
        constraint.name = ""
    elif not any(is_length(constraint, column) for column in constraint.columns):
        constraint.name = table.name_of(constraint)
    return constraint
