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
