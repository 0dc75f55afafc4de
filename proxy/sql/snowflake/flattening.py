"""SEQ of FLATTEN and SPLIT_TO_TABLE: a number for each row that was split.

Why it exists: a table macro does not know which row of the table before it it is given. Where SEQ
can be seen, that table is numbered, and the number is what SEQ becomes. Where it cannot be seen,
nothing is changed.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import cast, duck, number, unsupported

SEQ_KEY = "seq"
"""Key of `node.meta` of a table function: the expression that SEQ is."""

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
                splits.append(source)
                ready[id(source)] = [_name(table) for table in tables]
        else:
            tables.append(source)
    correlated = [split for split in splits if split.this.find(exp.Column) is not None]
    if not correlated or not _is_seen(select, correlated):
        return
    names: dict[str, exp.Column] = {}
    for table in tables:
        name = _name(table)
        wanted = any(name in ready[id(split)] for split in correlated)
        if wanted and name and isinstance(table, (exp.Table, exp.Subquery)):
            names[name.lower()] = _number(select, table, len(names) + 1)
    for index, split in enumerate(splits):
        if split in correlated:
            before = [name.lower() for name in ready[id(split)]]
            seq = _seq(before, names, splits[:index])
            if seq is not None:
                split.meta[SEQ_KEY] = seq


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
    inner = exp.select("*", exp.alias_(numbers, hidden)).from_(table.copy())
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
