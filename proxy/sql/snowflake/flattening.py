"""FLATTEN and SPLIT_TO_TABLE over the tables before them: SEQ, and the order of the rows.

Why it exists: a table macro does not know which row of the table before it it is given. Where SEQ
can be seen, that table is numbered, and the number is what SEQ becomes. Where it cannot be seen,
no number is made.

DuckDB joins a correlated table function back to its table by a hash of the arguments, in no order,
unless all that is unnested is a column. So the list of rows becomes a column of the table, which `*`
does not show: the elements then follow each other as they did in their array, at a tenth of the cost.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import cast, duck, number, sf, unsupported

SEQ_KEY = "seq"
"""Key of `node.meta` of a table function: the expression that SEQ is."""

LIST_KEY = "rows"
"""Key of `node.meta` of a table function: the column that holds its rows as a list."""

SPLITTING = (exp.Explode, exp.SplitToTable, exp.StrtokSplitToTable)


def number_split_rows(select: exp.Select) -> None:
    """Number the tables of a query before the functions that split their rows, in place."""
    from_ = select.args.get("from_")
    if from_ is None:
        return
    sources = [from_, *(select.args.get("joins") or ()), *(select.args.get("laterals") or ())]
    tables: list[exp.Expr] = []
    splits: list[exp.Expr] = []
    ready: dict[int, list[str]] = {}
    for holder in sources:
        source = holder if isinstance(holder, exp.Lateral) else holder.this
        if isinstance(source, (exp.Lateral, exp.TableFromRows)):
            if isinstance(source.this, SPLITTING):
                for index, table in enumerate(tables):
                    if isinstance(table, (exp.Subquery, exp.Values)) and not _name(table):
                        unnamed = exp.to_identifier(f"_source{index}")
                        table.set("alias", exp.TableAlias(this=unnamed))
                splits.append(source)
                ready[id(source)] = [_name(table) for table in tables]
        else:
            tables.append(source)
    correlated = [split for split in splits if split.this.find(exp.Column) is not None]
    if not correlated:
        return
    if _is_seen(select, correlated):
        _number_tables(tables, splits, correlated, ready, select)
    _keep_lists(select)


def _number_tables(
    tables: list[exp.Expr],
    splits: list[exp.Expr],
    correlated: list[exp.Expr],
    ready: dict[int, list[str]],
    select: exp.Select,
) -> None:
    names: dict[str, exp.Column] = {}
    for table in tables:
        name = _name(table)
        wanted = any(name in ready[id(split)] for split in correlated)
        if wanted and name and isinstance(table, (exp.Table, exp.Subquery, exp.Values)):
            names[name.lower()] = _number(select, table, len(names) + 1)
    for index, split in enumerate(splits):
        if split in correlated:
            before = [name.lower() for name in ready[id(split)]]
            seq = _seq(before, names, splits[:index])
            if seq is not None:
                split.meta[SEQ_KEY] = seq


# --- order ----------------------------------------------------------------------------------------


def _keep_lists(select: exp.Select) -> None:
    """Make the rows of splits columns of the tables that they split, where that is the same."""
    joins = select.args.get("joins") or ()
    if any(join.side in ("RIGHT", "FULL") for join in joins) or not _stars_can_hide(select):
        return
    if any(column.args.get("db") is not None for column in select.find_all(exp.Column)):
        return  # s.t.a would not find the subquery that t becomes
    before: dict[str, exp.Expr] = {}
    holders = [select.args["from_"], *joins, *(select.args.get("laterals") or ())]
    alone = True
    for index, holder in enumerate(holders):
        source = holder if isinstance(holder, exp.Lateral) else holder.this
        name = _name(source).lower()
        is_split = isinstance(source, (exp.Lateral, exp.TableFromRows)) and isinstance(
            source.this, SPLITTING
        )
        if is_split and not (isinstance(holder, exp.Join) and holder.side):
            of = _split_table(source, before, alone=alone)
            if of is not None:
                _keep_list(select, source, before, of, index)
        if index:
            alone = False
        if not name or name in before:
            return
        if is_split or isinstance(source, (exp.Table, exp.Subquery, exp.Values)):
            before[name] = source


def _stars_can_hide(select: exp.Select) -> bool:
    """Whether all stars are projections of their own, from which a column can be left out."""
    plain = {
        id(projection.this if isinstance(projection, exp.Column) else projection)
        for projection in select.expressions
    }
    return all(
        id(star) in plain or isinstance(star.parent, exp.Count)
        for star in select.find_all(exp.Star)
        if star.find_ancestor(exp.Select) is select
    )


def _split_table(split: exp.Expr, before: dict[str, exp.Expr], *, alone: bool) -> str | None:
    """The one table whose columns a split takes; None for several, and for what is not plain."""
    if split.this.find(exp.Query) is not None:
        return None
    names = {column.table.lower() for column in split.this.find_all(exp.Column)}
    if names == {""} and alone and len(before) == 1:
        return next(iter(before))
    if len(names) == 1 and (name := names.pop()) in before:
        return name
    return None


def _keep_list(
    select: exp.Select, split: exp.Expr, before: dict[str, exp.Expr], of: str, number_: int
) -> None:
    from proxy.sql.snowflake.select import rows_of  # that module's rules need this one's keys

    rows = rows_of(split.this)
    if rows is None:
        return
    seq = split.meta.get(SEQ_KEY)
    if seq is not None:
        if {column.table.lower() for column in seq.find_all(exp.Column)} != {of}:
            return
        del split.meta[SEQ_KEY]
        rows = sf(f"{rows.this.removeprefix('_sf.')}with_seq_", *rows.expressions, seq)
    table = before[of]
    hidden = f"_split{number_}"
    alias = table.args.get("alias")
    identifier = alias.this if isinstance(alias, exp.TableAlias) else table.this
    quoted = isinstance(identifier, exp.Identifier) and bool(identifier.args.get("quoted"))
    name = exp.Identifier(this=_name(table), quoted=quoted)
    inner = exp.Select(expressions=[exp.Star(), exp.alias_(rows, hidden, copy=False)])
    outer = exp.Lateral if isinstance(table, (exp.Lateral, exp.TableFromRows)) else None
    made = exp.Subquery(this=inner)
    held = exp.Lateral(this=made) if outer is not None else made
    held.set("alias", exp.TableAlias(this=name))
    table.replace(held)
    inner.set("from_", exp.From(this=table))
    before[of] = held
    for projection in select.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        qualified = isinstance(projection, exp.Column)
        if isinstance(star, exp.Star) and not (qualified and projection.table.lower() != of):
            kept = list(star.args.get("except_") or ())
            star.set("except_", [*kept, exp.Column(this=exp.to_identifier(hidden))])
    split.meta[LIST_KEY] = exp.Column(this=exp.to_identifier(hidden), table=name.copy())
    split.this.set("this", exp.Null())


# --- numbers --------------------------------------------------------------------------------------


def _name(source: exp.Expr) -> str:
    alias = source.args.get("alias")
    if isinstance(alias, exp.TableAlias):
        return alias.this.name if alias.this is not None else ""
    return source.alias_or_name


def _is_seen(select: exp.Select, splits: list[exp.Expr]) -> bool:
    """Whether a query can show SEQ: by its name or by `*`."""
    names = {_name(split).lower() for split in splits}
    for projection in select.expressions:
        if isinstance(projection, exp.Star):
            return True
        star = isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
        if star and projection.table.lower() in names:
            return True
    return any(column.name.lower() == "seq" for column in select.find_all(exp.Column))


def _number(select: exp.Select, table: exp.Expr, count: int) -> exp.Column:
    """Give a table a column of row numbers that `*` does not show."""
    hidden = f"_row{count}"
    name = _name(table)
    quoted = True
    identifier = table.args["alias"].this if table.args.get("alias") else table.this
    if isinstance(identifier, exp.Identifier):
        quoted = bool(identifier.args.get("quoted"))
    numbers = exp.Window(this=exp.RowNumber())
    named = exp.Alias(this=numbers, alias=exp.to_identifier(hidden))
    inner = exp.Select(expressions=[exp.Star(), named], from_=exp.From(this=table.copy()))
    alias = exp.TableAlias(this=exp.Identifier(this=name, quoted=quoted))
    table.replace(exp.Subquery(this=inner, alias=alias))
    for projection in select.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        if not isinstance(star, exp.Star):
            continue
        if isinstance(projection, exp.Column) and projection.table.lower() != name.lower():
            continue
        kept = list(star.args.get("except_") or ())
        star.set("except_", [*kept, exp.Column(this=exp.to_identifier(hidden))])
    return exp.Column(
        this=exp.to_identifier(hidden), table=exp.Identifier(this=name, quoted=quoted)
    )


def _seq(
    tables: list[str], numbers: dict[str, exp.Column], splits: list[exp.Expr]
) -> exp.Expr | None:
    """What tells apart the rows that tables and splits before this one make together."""
    parts: list[exp.Expr] = [numbers[name].copy() for name in tables if name in numbers]
    for split in splits:
        alias = split.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or alias.this is None:
            raise unsupported("SEQ after a table function without a name", split)
        parts.extend(_node_of(split, alias.this))
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    # A hash as a number that a BIGINT holds.
    mixed = exp.IntDiv(this=duck("hash", *parts), expression=number(2))
    return cast(mixed, exp.DType.BIGINT)


def _node_of(split: exp.Expr, table: exp.Expr) -> list[exp.Expr]:
    """What tells the rows of another split apart."""
    name = "path" if isinstance(split.this, exp.Explode) else "index"
    return [
        exp.Column(this=exp.to_identifier("seq"), table=table.copy()),
        exp.Column(this=exp.to_identifier(name), table=table.copy()),
    ]
