"""Snowflake's SQL on DuckDB.

sqlglot's compiled parser reads a statement, one walk over the tree applies the rules of the family
files (`registry`), and sqlglot's compiled generator writes it. Functions that need a body are
DuckDB macros in `macros/*.sql`, which the engine keeps in an attached
database called `_sf` (`engines.duck.macros`), so that every cursor sees them whatever its schema. SHOW, DESCRIBE
and INFORMATION_SCHEMA are views beside them, in `catalog/*.sql`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.listing import Listing, listed
from proxy.sql.postgres import dialect as postgres
from proxy.sql.postgres.dialect import apply
from proxy.sql.snowflake import (
    aggregate,
    collation,
    comparing,
    conversion,
    core,
    datetime,
    ddl,
    flattening,
    get_ddl,
    getnextval,
    hierarchy,
    higher_order,
    intervals,
    match_recognize,
    nesting,
    overloads,
    pivoting,
    recursion,
    regex,
    registry,
    scripts,
    select,
    semistructured,
    stars,
    strings,
    structured,
    types,
)

core.STEPPED.append(intervals.stepped)

MACRO_DATABASE = "_sf"
"""The attached database that holds the macros."""

_LIGHT = 2  # bindings of a macro's argument that do not count

_FAMILIES = (
    aggregate,
    collation,
    comparing,
    conversion,
    core,
    datetime,
    ddl,
    get_ddl,
    higher_order,
    pivoting,
    regex,
    select,
    semistructured,
    strings,
    structured,
    types,
)


def macro_scripts() -> list[str]:
    """The statements that create the macros and the catalog's views, one each, to be run in order.

    They name the database `_sf`, which must be attached.
    """
    made = [statement for macro in scripts.macros() for statement in macro.statements]
    return [*made, *scripts.catalog()]


def _register_macros() -> None:
    """Every macro whose name does not end in _ is the Snowflake function of its name."""
    for macro in scripts.macros():
        name = f"_sf.{macro.name}"
        if macro.weight > _LIGHT:
            registry.WEIGHTS[name] = macro.weight
        if macro.overloaded:
            registry.OVERLOADED.add(name)
            if macro.has_twin:
                ddl.TWINS[name] = f"{name}_"
        if not macro.name.endswith("_") and macro.name.upper() not in registry.FUNCTIONS:
            registry.renamed({macro.name.upper(): name})


_register_macros()
registry.renamed(
    {f"QUOTE_{of.upper()}": f"_sf.pg_quote_{of}_" for of in ("ident", "literal", "nullable")}
)
registry.renamed({"UUID_GENERATE_V4": "uuid"})  # what mappers for Postgres write in a default


def rewrite(tree: exp.Expr, nodes: list[exp.Expr]) -> exp.Expr:
    """The tree for DuckDB, changed in place; nodes: its `Listing`, made anew where it is none.

    Raises SqlError 0A000 for what has no faithful form.
    """
    if nodes.__class__ is not Listing:
        nodes = listed(tree)
    kinds = nodes.kinds
    if exp.Column in kinds and any("join_mark" in one.args for one in nodes.of(exp.Column)):
        tree = select.without_join_marks(tree)
        nodes = listed(tree)
        kinds = nodes.kinds
    if not _RESHAPED_KINDS.isdisjoint(kinds) and _reshape(nodes):
        nodes = listed(tree)
    if exp.Explode in kinds:
        nodes.extend(select.mark_flattened(nodes))
    if exp.With in kinds:
        select.mark_recursive(nodes)
        for query in nodes.of(exp.CTE):
            if query.parent.args.get("recursive"):
                recursion.fit(query)
    calls = registry.calls
    calls.clear()
    made = apply(tree, nodes, registry.NODES)
    if exp.Anonymous in kinds and tree.__class__ is exp.Select:
        semistructured.show_markup(made)
    if len(calls.heavy) > 1:
        made = nesting.lightened(made, calls.heavy)
    if calls.overloaded and overloads.bind_too_late(calls.overloaded, nodes):
        return overloads.bind_late(made, registry.OVERLOADED)
    return made


def bound_late(tree: exp.Expr, *, every: bool = False) -> exp.Expr:
    """A tree of DuckDB's, changed in place: macros of several forms over what DuckDB binds late.

    every: over every column.
    """
    return overloads.bind_late(tree, registry.OVERLOADED, every=every)


LATE = overloads.LATE


def _reshape(nodes: Listing) -> bool:
    """Whether it changed anything."""
    changed = False
    for kind, reshape in _RESHAPED:
        for node in nodes.of(kind):
            if reshape(node) is not False:
                changed = True
    return changed


def _around(reshape: Callable[[exp.Select], None]) -> Callable[[exp.Expr], None]:
    """`reshape` for the query that a node belongs to, once."""

    def visit(node: exp.Expr) -> None:
        query = node.find_ancestor(exp.Select)
        if query is not None and reshape.__name__ not in query.meta:
            query.meta[reshape.__name__] = True
            reshape(query)

    return visit


# What changes the shape of a query is done before the rules look at its nodes. What returns False has
# changed nothing.
_RESHAPED: tuple[tuple[type, Callable[[exp.Expr], bool | None]], ...] = (
    (exp.Connect, _around(hierarchy.connect)),
    *((kind, _around(flattening.number_split_rows)) for kind in flattening.SPLITTING),
    (exp.Join, select.spell_out_using),
    (exp.Pivot, pivoting.reshape),
    (exp.Star, stars.reshape),
    (exp.MatchRecognize, match_recognize.reshape),
    (exp.TableFromRows, _around(getnextval.number_rows)),
)

_RESHAPED_KINDS = frozenset(kind for kind, _ in _RESHAPED)


def _column_of_postgres(column: exp.Expr) -> exp.Expr | None:
    """`s.nextval` is Snowflake's, whichever grammar read it."""
    if isinstance(column, exp.Column) and column.name.lower() == "nextval" and column.table:
        return core.next_value(column)
    rule = postgres.RULES.get(exp.Column)
    return rule(column) if rule is not None else None


_OVER_POSTGRES = {
    **postgres.RULES,
    exp.Div: registry.NODES[exp.Div],
    exp.Column: _column_of_postgres,
    exp.Dot: postgres.called_in_public,
}


def rewrite_postgres(tree: exp.Expr, nodes: Listing) -> exp.Expr:
    """As `rewrite`, of a tree that only Postgres's grammar could read: 7 / 2 is 3.5 here too."""
    return apply(tree, nodes, _OVER_POSTGRES)
