"""`*` with several modifiers, which DuckDB takes one after the other only.

Why it exists: Snowflake applies ILIKE, EXCLUDE, REPLACE and RENAME of one `*` in that order, and lets
REPLACE and RENAME name the same column. Where DuckDB does not, the query becomes two, one around the
other, with a modifier each.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import unsupported


def reshape(star: exp.Expr) -> bool:
    """Divide the query whose `*` has modifiers that DuckDB does not take together, in place.

    False where it takes them.
    """
    match = star.parent
    named = isinstance(match, exp.ILike) and isinstance(match.parent, exp.Alias)
    if named:
        match.parent.replace(match)  # it was given a name, as an expression is
    liked = isinstance(match, exp.ILike) and isinstance(match.parent, exp.Select)
    select = match.parent if liked and match is not None else star.parent
    if not isinstance(select, exp.Select):
        return named
    replaced, renamed = star.args.get("replace") or [], star.args.get("rename") or []
    both = {one.alias.lower() for one in replaced} & {one.this.name.lower() for one in renamed}
    if not (both or (liked and (replaced or renamed or star.args.get("except_")))):
        return named
    if len(select.expressions) != 1 or select.args.get("distinct") is not None:
        raise unsupported("* with these modifiers beside other columns", select)
    inner = select.copy()
    inner.set("with_", None)
    kept = inner.expressions[0]
    own = kept.this if liked else kept
    outer = exp.Star(replace=replaced or None, rename=renamed or None)
    if liked:
        outer.set("except_", star.args.get("except_"))
        own.set("except_", None)
        own.set("replace", None)
    else:
        outer.set("replace", None)
    own.set("rename", None)
    for one in outer.find_all(exp.Column):
        one.set("table", None)
    for key in [key for key in select.args if key != "with_"]:
        select.set(key, None)
    rows = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("_rows")))
    select.set("expressions", [outer])
    select.set("from_", exp.From(this=rows))
    if liked and both:
        reshape(outer)
    return True


def unpacked(star: exp.Expr) -> exp.Columns:
    """The columns that `*` or `t.*` means, as the arguments of a function of DuckDB's.

    Of a `*` with an ILIKE the columns whose names are like that; t. goes, it says no more then.
    """
    if isinstance(star, exp.ILike):
        star, pattern = star.this, star.expression
    else:
        inner = star.this if isinstance(star, exp.Column) else star
        pattern = inner.args.get("ilike")
    if pattern is None:
        return exp.Columns(this=star.copy(), unpack=True)
    inner = star.this if isinstance(star, exp.Column) else star
    if any(value for key, value in inner.args.items() if key != "ilike"):
        raise unsupported("* with ILIKE and EXCLUDE as a function's argument", star)
    name = exp.Identifier(this="_name")
    like = exp.ILike(this=exp.Column(this=name), expression=pattern.copy())
    return exp.Columns(this=exp.Lambda(this=like, expressions=[name.copy()]), unpack=True)


def is_star(value: exp.Expr) -> bool:
    """Whether a function's argument is `*` or `t.*`, with an ILIKE or without."""
    return value.is_star or (isinstance(value, exp.ILike) and value.this.is_star)
