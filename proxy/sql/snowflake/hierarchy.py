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
    for column in _own(select, (exp.Column,)):
        if column.name.lower() in _NOT_SNOWFLAKES and not column.table:
            raise unsupported(column.name.upper(), column)
    from_ = select.args.get("from_")
    if from_ is None:
        raise unsupported("CONNECT BY without FROM", clause)
    carried = [_LEVEL]
    if select.args.get("joins") or select.args.get("laterals"):
        carried += _join_first(select, clause)
        from_ = select.args["from_"]
    source = from_.this
    name = source.alias_or_name
    if not name:
        name = "_source"
        source.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    select.set("connect", None)
    first = exp.Select(expressions=[exp.Star()], from_=exp.From(this=source.copy()))
    start = clause.args.get("start")
    if start is not None:
        first = first.where(start.copy(), copy=False)
    parent = exp.Table(
        this=exp.to_identifier(_ROWS), alias=exp.TableAlias(this=exp.to_identifier(_PARENT))
    )
    next_ = exp.Select(
        expressions=[exp.Column(this=exp.Star(), table=exp.to_identifier(name))]
    ).from_(parent, copy=False)
    condition = _for_child(clause.args["connect"].copy(), name)
    next_ = next_.join(source.copy(), on=condition, join_type="inner", copy=False)
    _carry(first, number(1), _LEVEL)
    step = exp.Add(this=_of_parent(_LEVEL), expression=number(1))
    _carry(next_, step, _LEVEL)
    known: dict[str, str] = {}
    for node in _own(select, (exp.ConnectByRoot, exp.Anonymous)):
        kind = _PSEUDO.get(node.__class__ if isinstance(node, exp.ConnectByRoot) else _name(node))
        if kind is None:
            continue
        spelled = node.sql("snowflake").lower()
        column = known.get(spelled)
        if column is None:
            column = known[spelled] = f"_carried{len(carried)}"
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
    found = exp.From(this=exp.Table(this=exp.to_identifier(_ROWS)))
    rows = exp.Select(expressions=[exp.Star()], from_=found)
    rows.set("with_", exp.With(expressions=[cte], recursive=True))
    alias = exp.TableAlias(this=exp.Identifier(this=name, quoted=_quoted(source)))
    select.set("from_", exp.From(this=exp.Subquery(this=rows, alias=alias)))


_NOT_SNOWFLAKES = ("connect_by_isleaf", "connect_by_iscycle")
_JOINED = "_joined"


def _join_first(select: exp.Select, clause: exp.Expr) -> list[str]:
    """Join the tables of a query before they are connected, in place; the columns that hold them.

    Each table is one column more, a row: `t.a` is then the field of it. Conditions of WHERE that join
    tables belong to the join, all others come after CONNECT BY.
    """
    joins = select.args.get("joins") or []
    sources = [select.args["from_"].this, *(join.this for join in joins)]
    names = [source.alias_or_name.lower() for source in sources]
    if select.args.get("laterals") or "" in names or len(set(names)) < len(names):
        raise unsupported("CONNECT BY over these tables", clause, "Join them in a subquery.")
    rows = {name: f"_row_{name}" for name in names}
    merged = any(join.args.get("using") or join.args.get("method") for join in joins)
    inner = exp.Select(
        expressions=[
            exp.alias_(exp.Column(this=exp.to_identifier(name)), row, copy=False)
            for name, row in rows.items()
        ]
    )
    for shown in [exp.Star()] if merged else _unqualified(select):
        inner.append("expressions", shown)
    inner.set("from_", select.args["from_"])
    inner.set("joins", joins)
    select.set("joins", None)
    _divide_where(select, inner, set(names))
    for column in _own(select, (exp.Column,)):
        row = rows.get(column.table.lower())
        if row is not None:
            column.set("table", exp.to_identifier(row))
    if not merged:
        _show_each(select, list(rows.values()))
    alias = exp.TableAlias(this=exp.to_identifier(_JOINED))
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
    return list(rows.values())


def _unqualified(select: exp.Select) -> list[exp.Expr]:
    """The columns that a query names without their table: they must be of one table only."""
    aliases = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias)}
    shown: dict[str, exp.Expr] = {}
    for column in _own(select, (exp.Column,)):
        name = column.name.lower()
        if column.table or _is_level(column) or isinstance(column.this, exp.Star):
            continue
        if name not in aliases or column.find_ancestor(exp.Connect, exp.Where) is not None:
            shown.setdefault(name, exp.Column(this=column.this.copy()))
    return list(shown.values())


def _show_each(select: exp.Select, rows: list[str]) -> None:
    """`*` as the columns of each table, which may be of the same names."""
    shown: list[exp.Expr] = []
    for projection in select.expressions:
        if type(projection) is not exp.Star:
            shown.append(projection)
            continue
        if any(projection.args.values()):
            raise unsupported("* with EXCLUDE, REPLACE or RENAME over joined tables", projection)
        stars = (exp.Column(this=exp.Star(), table=exp.to_identifier(row)) for row in rows)
        shown.extend(stars)
    select.set("expressions", shown)


def _divide_where(select: exp.Select, inner: exp.Select, tables: set[str]) -> None:
    where = select.args.get("where")
    if where is None:
        return
    joining: list[exp.Expr] = []
    after: list[exp.Expr] = []
    for condition in (
        list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    ):
        columns = [c for c in condition.find_all(exp.Column) if not _is_level(c)]
        used = {column.table.lower() for column in columns}
        if len(columns) > 1 and "" in used:
            hint = "Qualify the columns, or write JOIN ... ON."
            raise unsupported(
                "CONNECT BY with such a condition over several tables", condition, hint
            )
        (joining if len(used & tables) > 1 else after).append(condition)
    if joining:
        inner.set("where", exp.Where(this=exp.and_(*joining, copy=False)))
    select.set("where", exp.Where(this=exp.and_(*after, copy=False)) if after else None)


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
        else:
            _set_table(column, source, source)
    return holder.this


def _set_table(column: exp.Column, table: str, source: str) -> None:
    """Make a column of the source that of a row of `table`; one of a joined table is a field of it."""
    if not column.table or column.table.lower() == source.lower():
        column.set("table", exp.to_identifier(table))
    elif source == _JOINED:
        column.set("db", exp.to_identifier(table))


def _for_child(condition: exp.Expr, source: str) -> exp.Expr:
    for prior in list(condition.find_all(exp.Prior)):
        _refuse_queries(prior)
        for column in list(prior.find_all(exp.Column)):
            if _is_level(column):
                column.replace(_of_parent(_LEVEL))
            else:
                _set_table(column, _PARENT, source)
    holder = exp.Paren(this=condition)
    for column in list(holder.find_all(exp.Column)):
        if column.find_ancestor(exp.Prior, exp.Query) is not None:
            continue
        if _is_level(column):
            column.replace(exp.Paren(this=exp.Add(this=_of_parent(_LEVEL), expression=number(1))))
        else:
            _set_table(column, source, source)
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
        if isinstance(projection, exp.Column) and projection.table in columns:
            continue  # the columns of a joined table
        star = projection.this if isinstance(projection, exp.Column) else projection
        if isinstance(star, exp.Star):
            hidden = [exp.Column(this=exp.to_identifier(name)) for name in columns]
            star.set("except_", [*(star.args.get("except_") or ()), *hidden])
