"""Columns by number: `$1`, `t.$2`.

Why it exists: in Snowflake `$n` is the n-th column of what FROM names; for Postgres's clients it is
the n-th parameter. A statement in a simple Query has no parameters, so there it is a column; `t.$n`
is one everywhere. DuckDB counts columns too (`#1`), over all of FROM; beside other tables it is the field of
a row.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import duck, unsupported

STAGED = "_hd_staged_"
"""How the names begin of what stands for a stage: its columns are called `$1`, `$2`..."""


def number_columns(tree: exp.Expr, bare: bool) -> None:
    """Put columns in the place of `t.$n` and, where bare, of `$n`; in place.

    Raises 0A000 where FROM does not say which columns are meant.
    """
    for node in list(tree.find_all(exp.Parameter)):
        number = node.this
        if not isinstance(number, exp.Literal) or number.is_string or not number.name.isdigit():
            continue
        parent = node.parent
        qualified = isinstance(parent, exp.Column) and parent.this is node
        if not qualified and not bare:
            continue
        place = parent if qualified else node
        select = place.find_ancestor(exp.Select)
        if select is None:
            raise unsupported(f"${number.name} outside a query", place)
        column = _column(select, int(number.name), parent.table if qualified else "", place)
        if place.parent is select and place.arg_key == "expressions":
            name = exp.Identifier(this=f"${number.name}", quoted=True)
            place.replace(exp.Alias(this=column, alias=name))
        elif isinstance(place.parent, exp.Ordered):
            # DuckDB's #1 in ORDER BY is the first column of the result.
            place.replace(duck("coalesce", column))
        else:
            place.replace(column)


def _column(select: exp.Select, number: int, table: str, at: exp.Expr) -> exp.Expr:
    from_ = select.args.get("from_")
    if from_ is None:
        raise unsupported(f"${number} without FROM", at)
    alone = not select.args.get("joins") and not select.args.get("laterals")
    sources = [from_.this, *(join.this for join in select.args.get("joins") or ())]
    if not alone and not table:
        raise unsupported(f"${number} over several tables", at, "Qualify it: t.$1.")
    for source in sources:
        if table and source.alias_or_name.lower() != table.lower():
            continue
        name = _name(source, number)
        if name is not None:
            return exp.Column(this=name, table=exp.to_identifier(table) if table else None)
        if alone:
            return exp.Var(this=f"#{number}")
        row = exp.Column(this=exp.to_identifier(table))
        return duck("struct_extract_at", row, exp.Literal.number(number))
    raise unsupported(f"${number} of {table or 'this source'}", at, "Name the column.")


def _name(source: exp.Expr, number: int) -> exp.Identifier | None:
    """The name of a source's n-th column, where the statement itself says it."""
    alias = source.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.columns:
        return alias.columns[number - 1].copy() if number <= len(alias.columns) else None
    while isinstance(source, exp.Subquery):
        source = source.this
    if isinstance(source, exp.Table) and source.name.startswith(STAGED):
        return exp.Identifier(this=f"${number}", quoted=True)
    if isinstance(source, exp.Values):
        return exp.Identifier(this=f"column{number}")
    return None
