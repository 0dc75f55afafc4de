"""MERGE, where two rows of the source match one row of the target.

Why it exists: Postgres and Snowflake raise then; DuckDB takes one of the two. The source is made to
look first: a subquery that depends on nothing outside counts the matches of each target row, once a
statement, and raises where one that would be changed has two.
"""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.listing import copied

_MESSAGE = "MERGE command cannot affect row a second time"


def raise_on_second_match(merge: exp.Merge) -> None:
    """Guard a MERGE in place. Raises 0A000 where the target or the source has no name."""
    for when in merge.args["whens"].expressions:
        then = when.args.get("then")
        if isinstance(then, exp.Insert) and _is_of_defaults(then):
            raise SqlError(
                "0A000",
                "INSERT DEFAULT VALUES in MERGE is not supported on analytical tables",
                hint="Name a column: INSERT (a) VALUES (DEFAULT).",
            )
    condition = _changing(merge)
    if condition is None:
        return
    target, source = merge.this, merge.args["using"]
    name = target.alias_or_name
    if isinstance(source, exp.Subquery) and not source.alias:
        source.set("alias", exp.TableAlias(this=exp.to_identifier("_source")))
    if not name or not source.alias_or_name:
        raise SqlError("0A000", "MERGE from a source without a name is not supported")
    row = exp.Column(this=exp.Identifier(this="rowid"), table=exp.to_identifier(name))
    number = exp.Alias(this=exp.Count(this=exp.Star()), alias=exp.Identifier(this="n"))
    matches = exp.Select(
        expressions=[number],
        from_=exp.From(this=copied(target)),
        joins=[exp.Join(this=copied(source), on=copied(merge.args["on"]))],
        where=None if condition is True else exp.Where(this=condition),
        group=exp.Group(expressions=[row]),
    )
    most = exp.Max(this=exp.column("n"))
    raised = exp.Anonymous(this="error", expressions=[exp.Literal.string(_MESSAGE)])
    checked = exp.Case(
        ifs=[exp.If(this=exp.GT(this=most, expression=exp.Literal.number(1)), true=raised)],
        default=exp.Boolean(this=True),
    )
    found = exp.From(this=matches.subquery("_matches", copy=False))
    checks = exp.Subquery(this=exp.Select(expressions=[checked], from_=found))
    once = exp.EQ(this=checks, expression=exp.Boolean(this=True))
    guarded = exp.Select(
        expressions=[exp.Star()], from_=exp.From(this=source), where=exp.Where(this=once)
    )
    merge.set("using", guarded.subquery(source.alias_or_name, copy=False))


def _is_of_defaults(insert: exp.Insert) -> bool:
    """INSERT DEFAULT VALUES, of which the parser makes a column without values."""
    columns = insert.this.expressions if isinstance(insert.this, exp.Tuple) else ()
    return insert.expression is None and len(columns) == 1 and columns[0].name.upper() == "DEFAULT"


def _changing(merge: exp.Merge) -> exp.Expr | bool | None:
    """The condition under which a match changes the row: True for always, None for never."""
    conditions: list[exp.Expr] = []
    for when in merge.args["whens"].expressions:
        then = when.args.get("then")
        if not when.args.get("matched") or then is None or then.name.upper() == "DO NOTHING":
            continue
        condition = when.args.get("condition")
        if condition is None:
            return True
        conditions.append(exp.Paren(this=copied(condition)))
    if not conditions:
        return None
    return reduce(lambda left, right: exp.Or(this=left, expression=right), conditions)
