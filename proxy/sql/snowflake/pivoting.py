"""PIVOT and UNPIVOT.

DuckDB's are close to Snowflake's. What is left: UNPIVOT gives the names of columns as data, which in
Snowflake are in upper case; DEFAULT ON NULL; and PIVOT over ANY or a subquery, whose columns are
known only once its values are read. `dynamic` says what to read; the session then writes the values
into the statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.sql.snowflake.registry import unsupported


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
    elif pivot.args.get("default_on_null"):
        _default(pivot)
    elif not all(isinstance(_aggregate(one), _SIMPLE) for one in pivot.expressions):
        _group(pivot)


_SIMPLE = (exp.Sum, exp.Min, exp.Max, exp.Count)
"""What DuckDB's PIVOT can be given. Others become expressions, which it does not take."""


def _aggregate(one: exp.Expr) -> exp.Expr:
    return one.this if isinstance(one, exp.Alias) else one


def _group(pivot: exp.Expr) -> None:
    """A PIVOT as what it is: a grouping by all other columns, one aggregate for each value."""
    source = pivot.parent
    names = pivot.args.get("columns") or ()
    fields = pivot.args.get("fields") or ()
    plain = source is not None and len(source.args.get("pivots") or ()) == 1
    if not plain or len(pivot.expressions) != 1 or len(fields) != 1 or source is None:
        raise unsupported("this form of PIVOT with this aggregate", pivot)
    aggregate, by = _aggregate(pivot.expressions[0]), fields[0].this
    values = fields[0].expressions
    argument = aggregate.this
    if not isinstance(argument, exp.Column) or len(names) != len(values):
        raise unsupported("this form of PIVOT with this aggregate", pivot)
    alias = pivot.args.get("alias")
    source.set("pivots", None)
    made: list[exp.Expr] = []
    for name, value in zip(names, values, strict=True):
        if isinstance(value, exp.PivotAlias):
            value = value.this
        chosen = exp.Case(
            ifs=[exp.If(this=exp.EQ(this=by.copy(), expression=value.copy()), true=argument.copy())]
        )
        one = aggregate.copy()
        one.set("this", chosen)
        made.append(exp.alias_(one, name.copy(), copy=False))
    spent = [exp.Column(this=column.this.copy()) for column in (argument, by)]
    rows = exp.Select(expressions=[exp.Star(except_=spent), *made])
    rows = rows.from_(source.copy(), copy=False)
    rows.set("group", exp.Group(all=True))
    outer = exp.Subquery(this=rows, alias=alias)
    if alias is None and source.alias_or_name:
        outer.set("alias", exp.TableAlias(this=exp.to_identifier(source.alias_or_name)))
    source.replace(outer)


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


def _default(pivot: exp.Expr) -> None:
    """DEFAULT ON NULL (v): v in place of NULL in the columns that PIVOT makes."""
    default = pivot.args["default_on_null"]
    source = pivot.parent
    columns = pivot.args.get("columns") or ()
    if source is None or not columns or len(source.args.get("pivots") or ()) != 1:
        raise unsupported("this form of PIVOT with DEFAULT ON NULL", pivot)
    pivot.set("default_on_null", None)
    alias = pivot.args.get("alias")
    pivot.set("alias", None)
    shown = [name.copy() for name in columns]
    replaced = [
        exp.alias_(
            exp.Coalesce(this=exp.Column(this=name.copy()), expressions=[default.copy()]),
            name.copy(),
            copy=False,
        )
        for name in shown
    ]
    star = exp.Star(replace=replaced)
    rows = exp.Select(expressions=[star]).from_(source.copy(), copy=False)
    made = exp.Subquery(this=rows, alias=alias)
    if alias is None and isinstance(source, exp.Table):
        made.set("alias", exp.TableAlias(this=exp.to_identifier(source.alias_or_name)))
    source.replace(made)


def _is_dynamic(value: exp.Expr) -> bool:
    return isinstance(value, (exp.PivotAny, exp.Query))


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A PIVOT whose values must be read: the query for them, and where they belong in the text."""

    values: exp.Expr
    start: int
    end: int


def dynamic(tree: exp.Expr, tokens: list[Token]) -> Dynamic | None:
    """The PIVOT over ANY or a subquery in a statement. Raises 0A000 where there are several."""
    found = [
        field
        for pivot in tree.find_all(exp.Pivot)
        for field in pivot.args.get("fields") or ()
        if isinstance(field, exp.In) and any(map(_is_dynamic, field.expressions))
    ]
    if not found:
        return None
    places = _places(tokens)
    if len(found) > 1 or len(places) != 1:
        raise unsupported("several PIVOTs over ANY or a subquery in one statement", found[0])
    field = found[0]
    value = field.expressions[0]
    if isinstance(value, exp.Query):
        query: exp.Expr = value.copy()
    else:
        query = _distinct(field, value)
    with_ = tree.args.get("with_")
    if with_ is not None and query.args.get("with_") is None:
        query.set("with_", with_.copy())
    return Dynamic(query, *places[0])


def _distinct(field: exp.Expr, any_: exp.Expr) -> exp.Expr:
    source = field.parent.parent.copy()
    source.set("pivots", None)
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
