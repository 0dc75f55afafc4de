"""CONNECT BY as a recursive common table expression.

Why it exists: DuckDB has no CONNECT BY. The source of the query becomes a recursive query that
carries LEVEL and, for each CONNECT_BY_ROOT and SYS_CONNECT_BY_PATH, a column; WHERE and all later
clauses are then applied to what the recursion found, as in Snowflake, where CONNECT BY is a part of
FROM.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import number, unsupported

_ROWS, _PARENT, _LEVEL = "_rows", "_parent", "_level"


def connect(select: exp.Select) -> None:
    """Replace the CONNECT BY of a query, in place. Raises 0A000 for forms that Snowflake lacks."""
    clause = select.args["connect"]
    if clause.args.get("nocycle"):
        raise unsupported("CONNECT BY NOCYCLE", clause)
    from_ = select.args.get("from_")
    if from_ is None or select.args.get("joins") or select.args.get("laterals"):
        raise unsupported("CONNECT BY over several tables", clause, "Join them in a subquery.")
    source = from_.this
    name = source.alias_or_name
    if not name:
        raise unsupported("CONNECT BY over a source without a name", clause)
    select.set("connect", None)
    first = exp.select("*").from_(source.copy())
    start = clause.args.get("start")
    if start is not None:
        _refuse_queries(start)
        first = first.where(start.copy(), copy=False)
    parent = exp.Table(
        this=exp.to_identifier(_ROWS), alias=exp.TableAlias(this=exp.to_identifier(_PARENT))
    )
    next_ = exp.Select(
        expressions=[exp.Column(this=exp.Star(), table=exp.to_identifier(name))]
    ).from_(parent, copy=False)
    condition = _for_child(clause.args["connect"].copy(), name)
    next_ = next_.join(source.copy(), on=condition, join_type="inner", copy=False)
    carried = [_LEVEL]
    _carry(first, number(1), _LEVEL)
    step = exp.Add(this=_of_parent(_LEVEL), expression=number(1))
    _carry(next_, step, _LEVEL)
    for node in _own(select, (exp.ConnectByRoot, exp.Anonymous)):
        kind = _PSEUDO.get(node.__class__ if isinstance(node, exp.ConnectByRoot) else _name(node))
        if kind is None:
            continue
        column = f"_carried{len(carried)}"
        carried.append(column)
        base, step = kind(node, name, column)
        _carry(first, base, column)
        _carry(next_, step, column)
        made = exp.Column(this=exp.to_identifier(column), table=exp.to_identifier(name))
        node.replace(_named(node, made))
    _set_level(select, name)
    _hide(select, carried)
    union = exp.Union(this=first, expression=next_, distinct=False)
    cte = exp.CTE(this=union, alias=exp.TableAlias(this=exp.to_identifier(_ROWS)))
    rows = exp.select("*").from_(exp.to_identifier(_ROWS))
    rows.set("with_", exp.With(expressions=[cte], recursive=True))
    alias = exp.TableAlias(this=exp.Identifier(this=name, quoted=_quoted(source)))
    select.set("from_", exp.From(this=exp.Subquery(this=rows, alias=alias)))


def _quoted(source: exp.Expr) -> bool:
    alias = source.args.get("alias")
    identifier = alias.this if isinstance(alias, exp.TableAlias) else source.this
    return isinstance(identifier, exp.Identifier) and bool(identifier.args.get("quoted"))


def _name(node: exp.Expr) -> str:
    return node.this.upper() if isinstance(node.this, str) else node.name.upper()


def _root(node: exp.Expr, source: str, column: str) -> tuple[exp.Expr, exp.Expr]:
    value = node.this.unnest()
    _refuse_queries(value)
    return value.copy(), _of_parent(column)


def _path(node: exp.Expr, source: str, column: str) -> tuple[exp.Expr, exp.Expr]:
    if len(node.expressions) != 2:
        raise unsupported("SYS_CONNECT_BY_PATH with these arguments", node)
    value, separator = node.expressions
    _refuse_queries(value)
    text = exp.Cast(this=value.copy(), to=exp.DataType(this=exp.DType.TEXT))
    below = exp.Cast(this=_qualified(value.copy(), source), to=exp.DataType(this=exp.DType.TEXT))
    base = exp.DPipe(this=separator.copy(), expression=_or_empty(text))
    added = exp.DPipe(this=separator.copy(), expression=_or_empty(below))
    return base, exp.DPipe(this=_of_parent(column), expression=added)


def _or_empty(value: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=value, expressions=[exp.Literal.string("")])


_PSEUDO = {exp.ConnectByRoot: _root, "SYS_CONNECT_BY_PATH": _path}


def _of_parent(column: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(column), table=exp.to_identifier(_PARENT))


def _carry(select: exp.Select, value: exp.Expr, name: str) -> None:
    select.append("expressions", exp.alias_(value, name, copy=False))


def _named(node: exp.Expr, column: exp.Column) -> exp.Expr:
    """A projection keeps the name that it had."""
    if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
        shown = "connect_by_root" if isinstance(node, exp.ConnectByRoot) else "sys_connect_by_path"
        return exp.alias_(column, shown, copy=False)
    return column


def _refuse_queries(value: exp.Expr) -> None:
    if value.find(exp.Query) is not None:
        raise unsupported("CONNECT BY with a subquery in its conditions", value)


def _own(select: exp.Select, kinds: tuple[type, ...]) -> list[exp.Expr]:
    """The nodes of a query that are neither its FROM's nor a subquery's."""
    return [
        node
        for node in select.find_all(*kinds)
        if node.find_ancestor(exp.Select, exp.From) is select
    ]


def _is_level(column: exp.Column) -> bool:
    return (
        column.name.lower() == "level" and not column.table and not column.this.args.get("quoted")
    )


def _qualified(value: exp.Expr, source: str) -> exp.Expr:
    """`value` with its columns those of the new row; LEVEL is the new row's too."""
    holder = exp.Paren(this=value)
    for column in list(holder.find_all(exp.Column)):
        if _is_level(column):
            column.replace(exp.Paren(this=exp.Add(this=_of_parent(_LEVEL), expression=number(1))))
        elif not column.table:
            column.set("table", exp.to_identifier(source))
    return holder.this


def _for_child(condition: exp.Expr, source: str) -> exp.Expr:
    _refuse_queries(condition)
    for prior in list(condition.find_all(exp.Prior)):
        for column in list(prior.find_all(exp.Column)):
            if _is_level(column):
                column.replace(_of_parent(_LEVEL))
            else:
                column.set("table", exp.to_identifier(_PARENT))
    holder = exp.Paren(this=condition)
    for column in list(holder.find_all(exp.Column)):
        if column.find_ancestor(exp.Prior) is not None:
            continue
        if _is_level(column):
            column.replace(exp.Paren(this=exp.Add(this=_of_parent(_LEVEL), expression=number(1))))
        elif not column.table:
            column.set("table", exp.to_identifier(source))
    for prior in list(holder.find_all(exp.Prior)):
        prior.replace(prior.this)
    return holder.this


def _set_level(select: exp.Select, source: str) -> None:
    for column in _own(select, (exp.Column,)):
        if not _is_level(column):
            continue
        level = exp.Column(this=exp.to_identifier(_LEVEL), table=exp.to_identifier(source))
        if column.parent is select and column.arg_key == "expressions":
            column.replace(exp.alias_(level, "level", copy=False))
        elif not _means_alias(select, column):
            column.replace(level)


def _means_alias(select: exp.Select, column: exp.Column) -> bool:
    return any(
        e.alias.lower() == "level" for e in select.expressions if isinstance(e, exp.Alias)
    ) and (column.find_ancestor(exp.Order) is not None)


def _hide(select: exp.Select, columns: list[str]) -> None:
    """`*` does not show what is carried."""
    for projection in select.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        if isinstance(star, exp.Star):
            hidden = [exp.Column(this=exp.to_identifier(name)) for name in columns]
            star.set("except_", [*(star.args.get("except_") or ()), *hidden])
