"""GROUP BY of a primary key, which settles all other columns of its table.

Why it exists: Postgres lets `GROUP BY c.id` stand for all columns of c where id is its primary key, and
ORMs write just that; DuckDB wants every column named. Which columns a key has, the engine is asked; here
is read which tables a statement groups, and the columns that it uses of them are added to its GROUP BY.
They are the same in all rows of a group, so the groups stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from proxy.sql.reading import write_duckdb

Columns = dict[str, bool]
"""Names of a table's columns, and whether the primary key has them."""


@dataclass(frozen=True, slots=True)
class _Source:
    """alias: as expressions name it. columns: folded names, and whether they are of the key."""

    alias: exp.Identifier
    columns: dict[str, tuple[str, bool]]


def grouped_tables(tree: exp.Expr) -> set[tuple[str, ...]]:
    """The names of the tables whose keys decide what a statement's GROUP BYs settle."""
    return {name for select, _ in _grouped(tree) for _, name in _named(select, _common(tree))}


def with_settled_columns(
    tree: exp.Expr, tables: Mapping[tuple[str, ...], Columns | None]
) -> str | None:
    """DuckDB's SQL with what primary keys settle in its GROUP BYs; None where that changes nothing.

    tree: DuckDB's, changed in place. tables: None for a name that is no table's.
    """
    changed = False
    for select, group in list(_grouped(tree)):
        sources = []
        for alias, name in _named(select, _common(tree)):
            columns = tables.get(name) or {}
            folded = {column.lower(): (column, in_key) for column, in_key in columns.items()}
            sources.append(_Source(alias, folded))
        changed = _settle(select, group, sources) or changed
    return write_duckdb(tree) if changed else None


def _grouped(tree: exp.Expr) -> Iterator[tuple[exp.Select, exp.Group]]:
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        if isinstance(group, exp.Group) and not any(group.args.get(kind) for kind in _SETS):
            yield select, group


def _common(tree: exp.Expr) -> set[str]:
    return {cte.alias.lower() for cte in tree.find_all(exp.CTE)}


_SETS = ("grouping_sets", "cube", "rollup", "all", "totals")


def _named(
    select: exp.Select, common: set[str]
) -> Iterator[tuple[exp.Identifier, tuple[str, ...]]]:
    """How a query calls the relations that it reads by their names, and the names."""
    from_ = select.args.get("from_")
    nodes = [from_.this] if from_ is not None else []
    nodes += [join.this for join in select.args.get("joins") or ()]
    for node in nodes:
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            continue
        name = tuple(part.name for part in node.parts)
        alias = node.args.get("alias")
        if alias is not None and alias.args.get("columns"):
            continue
        if len(name) > 1 or name[0].lower() not in common:
            yield (alias or node).this, name


def _settle(select: exp.Select, group: exp.Group, sources: list[_Source]) -> bool:
    grouped = {
        found for node in group.expressions if (found := _column(_meant(node, select), sources))
    }
    settled = [
        number
        for number, source in enumerate(sources)
        if (key := {name for name, (_, in_key) in source.columns.items() if in_key})
        and all((number, name) in grouped for name in key)
    ]
    if not settled:
        return False
    wanted: dict[tuple[int, str], None] = {}
    for node in _own_nodes(select):
        for number in settled:
            if _is_star_of(node, sources[number]):
                wanted.update(dict.fromkeys((number, name) for name in sources[number].columns))
        if isinstance(node, exp.Column) and (found := _column(node, sources)) is not None:
            wanted[found] = None
    added = [
        exp.Column(
            this=exp.to_identifier(sources[number].columns[name][0], quoted=True),
            table=sources[number].alias.copy(),
        )
        for number, name in wanted
        if number in settled and (number, name) not in grouped
    ]
    for column in added:
        group.append("expressions", column)
    return bool(added)


def _meant(node: exp.Expr, select: exp.Select) -> exp.Expr:
    """What an item of GROUP BY is: a number or an alias stands for an output."""
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        place = int(node.name) - 1
        outputs = select.expressions
        return outputs[place].unalias() if 0 <= place < len(outputs) else node
    return node


def _column(node: exp.Expr, sources: list[_Source]) -> tuple[int, str] | None:
    """Of which source a column is, and its name; None where that is not sure."""
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        return None
    name, table = node.name.lower(), node.table.lower()
    found = [
        number
        for number, source in enumerate(sources)
        if name in source.columns and (not table or source.alias.name.lower() == table)
    ]
    return (found[0], name) if len(found) == 1 else None


def _is_star_of(node: exp.Expr, source: _Source) -> bool:
    if isinstance(node, exp.Star):
        return not isinstance(node.parent, (exp.Column, exp.Count))
    return (
        isinstance(node, exp.Column)
        and isinstance(node.this, exp.Star)
        and node.table.lower() == source.alias.name.lower()
    )


def _own_nodes(select: exp.Select) -> Iterator[exp.Expr]:
    """Outputs, HAVING and ORDER BY, but for what aggregates take. With the queries in them."""
    parts = [*select.expressions, select.args.get("having"), select.args.get("order")]
    for part in parts:
        if part is not None:
            yield from part.walk(prune=lambda node: isinstance(node, exp.AggFunc))
