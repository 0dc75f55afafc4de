"""TABLE(GETNEXTVAL(sequence)): a table of one row and one column, NEXTVAL, for each row before it.

Alone it is a query of one row. After other tables it is a number for each of their rows: the column
becomes the call itself, which is right as long as it is asked for once and no table follows.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import duck, text, unsupported


def _call(holder: exp.Expr) -> exp.Anonymous | None:
    """The GETNEXTVAL that a source of a query is, None for other sources."""
    source = holder.this
    if isinstance(source, exp.Table) and isinstance(source.this, exp.TableFromRows):
        source = source.this
    if not isinstance(source, exp.TableFromRows):
        return None
    call = source.this
    named = isinstance(call, exp.Anonymous) and str(call.this).upper() == "GETNEXTVAL"
    return call if named else None


def number_rows(select: exp.Select) -> None:
    """Put the numbers in the places of such tables, in place."""
    from_ = select.args.get("from_")
    if from_ is None:
        return
    joins = list(select.args.get("joins") or ())
    if (call := _call(from_)) is not None:
        from_.set("this", _alone(from_.this, call))
    for place, join in enumerate(joins):
        if (call := _call(join)) is None:
            continue
        if place < len(joins) - 1 or select.args.get("laterals"):
            raise unsupported("GETNEXTVAL before another table", call)
        _after(select, join, call)


def _path(call: exp.Anonymous) -> str:
    (name,) = call.expressions
    if not isinstance(name, exp.Column):
        raise unsupported("GETNEXTVAL of what is not a name", call)
    return ".".join(part.sql("duckdb") for part in name.parts)


def _alias(source: exp.Expr) -> exp.TableAlias | None:
    alias = source.args.get("alias")
    if alias is None and isinstance(source.this, exp.Expr):
        alias = source.this.args.get("alias")
    return alias


def _alone(source: exp.Expr, call: exp.Anonymous) -> exp.Expr:
    number = exp.alias_(duck("nextval", text(_path(call))), "nextval")
    alias = _alias(source) or exp.TableAlias(this=exp.to_identifier("getnextval"))
    return exp.Subquery(this=exp.Select(expressions=[number]), alias=alias.copy())


def _after(select: exp.Select, join: exp.Expr, call: exp.Anonymous) -> None:
    alias = _alias(join.this)
    name = alias.name.lower() if alias is not None else ""
    asked = [
        column
        for column in select.find_all(exp.Column)
        if column.name.lower() == "nextval" and column.table.lower() in ("", name)
    ]
    if len(asked) != 1 or any(isinstance(one, exp.Star) for one in select.expressions):
        raise unsupported("GETNEXTVAL whose NEXTVAL is not asked for exactly once", call)
    made: exp.Expr = duck("nextval", text(_path(call)))
    if asked[0].parent is select:
        made = exp.alias_(made, "nextval")
    asked[0].replace(made)
    select.set("joins", [one for one in select.args["joins"] if one is not join])
