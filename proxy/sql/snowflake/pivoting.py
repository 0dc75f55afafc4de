"""PIVOT and UNPIVOT.

PIVOT is written as a grouping: DuckDB's compares values as texts and names columns its own way.
UNPIVOT gives the names of columns as data, which in Snowflake are in upper case. The columns of a
PIVOT over ANY or a subquery are known only once its values are read: `dynamic` says what to read;
the session then writes the values into the statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.sql.reading import position_of
from proxy.sql.snowflake.registry import number, unsupported


def reshape(pivot: exp.Expr) -> None:
    """Make a Snowflake PIVOT or UNPIVOT one of DuckDB's, in place."""
    for field in pivot.args.get("fields") or ():
        if isinstance(field, exp.In) and (
            not field.expressions or any(map(_is_dynamic, field.expressions))
        ):
            raise unsupported("PIVOT over ANY or a subquery here", pivot)
    if pivot.args.get("unpivot"):
        _name_in_upper_case(pivot)
        _name_outside(pivot)
    else:
        _group(pivot)


def _group(pivot: exp.Expr) -> None:
    """A PIVOT as what it is: a grouping by all other columns, one aggregate for each value."""
    source = pivot.parent
    fields = pivot.args.get("fields") or ()
    if source is None or len(fields) != 1:
        raise unsupported("this form of PIVOT", pivot)
    if len(pivot.expressions) != 1:
        raise unsupported("PIVOT with several aggregates", pivot, "UNION a PIVOT for each.")
    named = pivot.expressions[0]
    suffix = named.args["alias"] if isinstance(named, exp.Alias) else None
    aggregate = named.this if isinstance(named, exp.Alias) else named
    argument, by = aggregate.this, fields[0].this
    if not isinstance(aggregate, exp.AggFunc) or not isinstance(argument, exp.Expr):
        raise unsupported("PIVOT with this aggregate", pivot)
    default = pivot.args.get("default_on_null")
    made: list[exp.Expr] = []
    for value in fields[0].expressions:
        alias = value.args["alias"] if isinstance(value, exp.PivotAlias) else None
        value = value.this if alias is not None else value
        chosen = number(1) if isinstance(argument, exp.Star) else argument
        one = aggregate.copy()
        equal = exp.EQ(this=by.copy(), expression=value.copy())
        one.set("this", exp.Case(ifs=[exp.If(this=equal, true=chosen.copy())]))
        if default:
            one = exp.Coalesce(this=one, expressions=[default.copy()])
        made.append(exp.Alias(this=one, alias=_name(value, alias, suffix)))
    spent: dict[str, exp.Expr] = {}
    for column in (*argument.find_all(exp.Column), by):
        spent.setdefault(column.name.lower(), exp.Column(this=column.this.copy()))
    rows = exp.Select(expressions=[exp.Star(except_=list(spent.values())), *made])
    rows.set("group", exp.Group(all=True))
    _put_rows(pivot, rows)


def _name(value: exp.Expr, alias: exp.Expr | None, suffix: exp.Expr | None) -> exp.Identifier:
    """The name of a value's column: its alias, else its text as it was written; _ and the suffix."""
    ending = f"_{suffix.name}" if suffix is not None else ""
    if isinstance(alias, exp.Expr):
        quoted = bool(alias.args.get("quoted")) or not isinstance(alias, exp.Identifier)
        return exp.Identifier(this=alias.name + ending, quoted=quoted)
    if isinstance(value, exp.Literal) and value.is_string:
        return exp.Identifier(this=f"'{value.this}{ending}'", quoted=True)
    return exp.Identifier(this=value.sql("snowflake") + ending, quoted=True)


def _put_rows(pivot: exp.Expr, rows: exp.Select) -> None:
    """Put a query in the place of a source and its PIVOTs up to this one; later ones stay behind it."""
    source = pivot.parent
    pivots = source.args["pivots"]
    place = next(index for index, one in enumerate(pivots) if one is pivot)
    inner = source.copy()
    inner.set("pivots", [one.copy() for one in pivots[:place]] or None)
    alias = pivot.args.get("alias")
    if alias is None and source.alias_or_name:
        alias = exp.TableAlias(this=exp.to_identifier(source.alias_or_name))
    rows = rows.from_(inner, copy=False)
    later = pivots[place + 1 :]
    outer = exp.Subquery(this=rows, alias=alias)
    source.replace(outer)
    if later:
        outer.set("pivots", later)


def _name_in_upper_case(unpivot: exp.Expr) -> None:
    for field in unpivot.args.get("fields") or ():
        for index, column in enumerate(field.expressions):
            if isinstance(column, exp.PivotAlias):
                name, column = column.args["alias"], column.this
            else:
                name = column.this if isinstance(column, exp.Column) else None
            if isinstance(name, exp.Identifier):
                shown = name.this if name.args.get("quoted") else name.this.upper()
                alias = exp.PivotAlias(this=column, alias=exp.Literal.string(shown))
                field.set("expressions", alias, index=index)


def _name_outside(unpivot: exp.Expr) -> None:
    """Named columns of an UNPIVOT: written in its own alias, DuckDB would include NULLs."""
    alias = unpivot.args.get("alias")
    source = unpivot.parent
    if not isinstance(alias, exp.TableAlias) or not alias.columns or source is None:
        return
    if source.args["pivots"][-1] is not unpivot:
        raise unsupported("columns named between two PIVOTs", unpivot)
    unpivot.set("alias", None)
    rows = exp.Select(expressions=[exp.Star()]).from_(source.copy(), copy=False)
    source.replace(exp.Subquery(this=rows, alias=alias))


def _is_dynamic(value: exp.Expr) -> bool:
    return isinstance(value, (exp.PivotAny, exp.Query))


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A PIVOT whose values must be read: the query for them, and where they belong in the text."""

    values: exp.Expr
    start: int
    end: int


def dynamic(tree: exp.Expr, tokens: list[Token]) -> Dynamic | None:
    """The first PIVOT over ANY or a subquery in a statement; None where there is none.

    Once its values stand in the text, the next one is the first.
    """
    found = [
        field
        for pivot in tree.find_all(exp.Pivot)
        for field in pivot.args.get("fields") or ()
        if isinstance(field, exp.In) and any(map(_is_dynamic, field.expressions))
    ]
    if not found:
        return None
    places = _places(tokens)
    if len(found) != len(places):
        raise unsupported("this form of PIVOT over ANY or a subquery", found[0])
    field = min(found, key=lambda one: position_of(one) or 0)
    value = field.expressions[0]
    query = value.copy() if isinstance(value, exp.Query) else _distinct(field, value)
    before = [cte.copy() for cte in _known_before(field)]
    if before:
        own = query.args.get("with_")
        recursive = any(cte.parent.recursive for cte in _known_before(field))
        mine = list(own.expressions) if own is not None else []
        query.set("with_", exp.With(expressions=[*before, *mine], recursive=recursive))
    return Dynamic(query, *places[0])


def _known_before(node: exp.Expr) -> list[exp.Expr]:
    """The common table expressions that a place in a statement may read."""
    known: list[exp.Expr] = []
    query = node.parent
    while query is not None:
        with_ = query.args.get("with_")
        if with_ is not None:
            ctes = with_.expressions
            at = next((i for i, cte in enumerate(ctes) if _is_within(node, cte)), len(ctes))
            known = [*ctes[:at], *known]
        query = query.parent
    return known


def _is_within(node: exp.Expr | None, outer: exp.Expr) -> bool:
    while node is not None:
        if node is outer:
            return True
        node = node.parent
    return False


def _distinct(field: exp.Expr, any_: exp.Expr) -> exp.Expr:
    pivot = field.parent
    pivots = pivot.parent.args["pivots"]
    place = next(index for index, one in enumerate(pivots) if one is pivot)
    source = pivot.parent.copy()
    source.set("pivots", source.args["pivots"][:place] or None)
    order = any_.this
    query = exp.select(field.this.copy()).distinct().from_(source)
    if isinstance(order, exp.Order):
        query.set("order", order.copy())
        return query
    return query.order_by(exp.Literal.number(1))


def _places(tokens: list[Token]) -> list[tuple[int, int]]:
    """Where `IN (ANY ...)` and `IN (SELECT ...)` of a PIVOT hold their list, as offsets."""
    places = []
    for index, token in enumerate(tokens):
        if token.token_type != TokenType.PIVOT:
            continue
        depth = 0
        for at in range(index + 1, len(tokens) - 2):
            kind = tokens[at].token_type
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            if depth <= 0:
                break
            if (
                depth == 1
                and kind == TokenType.IN
                and tokens[at + 1].token_type == TokenType.L_PAREN
                and tokens[at + 2].text.upper() in ("ANY", "SELECT", "WITH")
            ):
                places.append((tokens[at + 2].start, _end(tokens, at + 1)))
    return places


def _end(tokens: list[Token], opening: int) -> int:
    depth = 0
    for token in tokens[opening:]:
        kind = token.token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            return token.start
    raise AssertionError("brackets were matched when the statement was read")
