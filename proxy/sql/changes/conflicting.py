"""INSERT ... ON CONFLICT DO UPDATE as the UPDATE that it is of the rows that are there already.

Why it exists: which rows it will change, and what to, is asked before it runs, as of any UPDATE.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

_PROPOSED = "excluded"


def conflicting(tree: exp.Expr | None, table: Sequence[str]) -> exp.Update | None:
    """That UPDATE; the tree is taken apart for it. None where the INSERT names no keys, or gives a DEFAULT.

    tree: the INSERT, or the MERGE that stands for it (`upserting`). table: all of the table's columns, in
    their order.
    """
    if isinstance(tree, exp.Merge):
        return _merged(tree)
    return _inserted(tree, table) if isinstance(tree, exp.Insert) else None


def _merged(tree: exp.Merge) -> exp.Update | None:
    changes = [when for when in tree.args["whens"].expressions if when.args.get("matched")]
    if len(changes) != 1 or not isinstance(changes[0].args["then"], exp.Update):
        return None
    (when,) = changes
    holds = [tree.args["on"], when.args.get("condition")]
    sets, source = when.args["then"].expressions, tree.args["using"]
    _leave_out_unread(source, [*filter(None, holds), *sets])
    return exp.Update(
        this=tree.this,
        with_=tree.args.get("with_"),
        expressions=sets,
        from_=exp.From(this=source),
        where=exp.Where(this=exp.and_(*filter(None, holds))),
    )


def _leave_out_unread(source: exp.Expr, readers: Sequence[exp.Expr]) -> None:
    """What of the proposed rows is only inserted: a number that a sequence gives, maybe."""
    read = {column.name for part in (source, *readers) for column in part.find_all(exp.Column)}
    for select in list(source.find_all(exp.Select)):
        kept = [one for one in select.expressions if not one.alias or one.alias in read]
        select.set("expressions", kept or select.expressions)


def _inserted(tree: exp.Insert, table: Sequence[str]) -> exp.Update | None:
    conflict, target, source = tree.args.get("conflict"), tree.this, tree.expression
    keys = conflict.args.get("conflict_keys") if conflict is not None else None
    keys = [key.find(exp.Column) for key in keys or ()]
    if not keys or None in keys or source is None or tree.args.get("by_name"):
        return None
    if any(word.name == "DEFAULT" for word in source.find_all(exp.Var)):
        return None
    if isinstance(target, exp.Schema):
        named, target = target.expressions, target.this
    elif isinstance(source, exp.Values):
        named = table[: len(source.expressions[0].expressions)]
    elif not source.is_star:
        named = table[: len(source.selects)]
    else:
        return None
    columns = [exp.to_identifier(name, quoted=True) for name in map(_spelled, named)]
    alias = exp.TableAlias(this=exp.to_identifier(_PROPOSED, quoted=True), columns=columns)
    if isinstance(source, exp.Values):
        source.set("alias", alias)
    else:
        source = exp.Subquery(this=source, alias=alias)
    own = exp.to_identifier(target.alias_or_name, quoted=True)
    holds: list[exp.Expr] = [
        exp.EQ(
            this=exp.column(key.copy(), table=own.copy()),
            expression=exp.column(key.copy(), table=_PROPOSED, quoted=True),
        )
        for key in (exp.to_identifier(one.name, quoted=True) for one in keys)
    ]
    if (where := conflict.args.get("where")) is not None:
        holds.append(exp.paren(_of_target(where.this, own), copy=False))
    return exp.Update(
        this=target,
        with_=tree.args.get("with_"),
        expressions=[_of_target(one, own) for one in conflict.expressions],
        from_=exp.From(this=source),
        where=exp.Where(this=exp.and_(*holds)),
    )


def _of_target(tree: exp.Expr, own: exp.Identifier) -> exp.Expr:
    """With the columns that are nobody's by their names given to the table."""
    for column in list(tree.find_all(exp.Column)):
        set_to = isinstance(column.parent, (exp.EQ, exp.Tuple)) and _is_set(column)
        if not column.table and not set_to and column.find_ancestor(exp.Query) is None:
            column.set("table", own.copy())
    return tree


def _is_set(column: exp.Column) -> bool:
    """Whether it is what an assignment sets."""
    parent, child = column.parent, column
    if isinstance(parent, exp.Tuple):
        parent, child = parent.parent, parent
    return (
        isinstance(parent, exp.EQ)
        and isinstance(parent.parent, exp.OnConflict)
        and parent.this is child
    )


def _spelled(name: str | exp.Identifier) -> str:
    return name if isinstance(name, str) else name.name
