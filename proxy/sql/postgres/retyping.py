"""What is changed in a statement's tree once the types of its parts are known (`sql.postgres.typing`).

Why it exists: to note what a part is and to put another in its place are two things. Each function here
does one change, where its caller has found that Postgres's meaning wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.inference.expressions import bare
from proxy.sql.inference.signatures import EnumType
from proxy.sql.postgres.floats import finite
from proxy.sql.postgres.literals import cast, duck_type, literal_of
from proxy.sql.postgres.values import call
from proxy.sql.reading import position_of
from proxy.wire.enumerations import labels_of, name_of

_PLAIN = (exp.Literal, exp.Null, exp.Boolean, exp.Placeholder, exp.Star)


def widen(side: exp.Expr, kind: str) -> bool:
    """Casts a side of an operator; whether it could."""
    return _put(side, lambda: cast(side, kind))


def put_into(value: exp.Expr, macro: str) -> bool:
    """Puts a call of a macro around a value; whether it could."""
    return _put(value, lambda: call(macro, value))


def _put(node: exp.Expr, make: Callable[[], exp.Expr]) -> bool:
    """Puts what is made of a node into its place; whether it has one. Making it may move the node."""
    parent, key, index = node.parent, node.arg_key, node.index
    if parent is None or key is None:
        return False
    parent.set(key, make(), index=index)
    return True


def is_checked(node: exp.Expr) -> bool:
    """Whether a node stands in a check already, which the text alone has called for."""
    outer = stands_in(node)
    return isinstance(outer, exp.Anonymous) and outer.name.lower() == "pg_finite_"


def check(node: exp.Expr) -> None:
    """Has an overflow raise that a calculation may end in."""
    inner = node.expression if isinstance(node, exp.Dot) else node
    sides = (
        inner.expressions if isinstance(inner, exp.Anonymous) else [inner.this, inner.expression]
    )
    _put(node, lambda: finite(node, list(sides)))


def as_written(literal: exp.Literal) -> exp.Literal:
    """With the era where Postgres has it: DuckDB's stands behind the date."""
    date, era, rest = literal.this.partition(" (BC)")
    if not era:
        return literal
    made = exp.Literal.string(f"{date}{rest} BC")
    made.meta.update(literal.meta)
    return made


def of_enum(literal: exp.Literal, kind: EnumType, zone: str) -> exp.Expr:
    """A text beside an enum is one of its values: DuckDB would compare the two as texts."""
    made = literal_of(literal, str(kind), zone) if kind.startswith("_") else literal.copy()
    labels = labels_of(kind.values)
    for one in made.find_all(exp.Literal):
        if one.this not in labels:
            name = f" {name_of(kind.values)}".rstrip()
            message = f'invalid input value for enum{name}: "{one.this}"'
            raise SqlError("22P02", message, position=position_of(literal))
    return exp.Cast(this=made, to=_written_out(kind))


def put_into_enum(parameter: exp.Placeholder, kind: EnumType) -> bool:
    """A parameter beside an enum, likewise; whether it could."""
    return _put(parameter, lambda: exp.Cast(this=parameter, to=_written_out(kind)))


def _written_out(kind: EnumType) -> exp.DataType:
    values = [exp.Literal.string(value) for value in kind.values]
    made = exp.DataType(this=exp.DType.ENUM, expressions=values, nested=False)
    if not kind.startswith("_"):
        return made
    return exp.DataType(this=exp.DType.ARRAY, expressions=[made], nested=True)


def branches(node: exp.Expr | None) -> Iterator[exp.Select]:
    """The SELECTs whose rows a set operation puts together."""
    if isinstance(node, exp.Select):
        yield node
    elif isinstance(node, exp.SetOperation):
        yield from branches(node.this)
        yield from branches(node.expression)
    elif isinstance(node, exp.Subquery):
        yield from branches(node.this)


def give_type(select: exp.Select | exp.Returning, index: int, kind: str) -> bool:
    """Casts an output; what has no name of its own would lose the one that the engine gives it."""
    if index >= len(select.expressions):
        return False
    projection = select.expressions[index]
    if isinstance(projection, exp.Column) and _reads_more_than_tables(select):
        alias = exp.Alias(this=projection, alias=exp.to_identifier(projection.name, quoted=True))
        select.set("expressions", alias, index=index)
        projection = alias
    if not isinstance(projection, exp.Alias):
        return False
    value = bare(projection.this)
    if isinstance(value, _PLAIN) or (isinstance(value, exp.Neg) and isinstance(value.this, _PLAIN)):
        return False
    if isinstance(value, exp.Column) and not _reads_more_than_tables(select):
        return False
    to = duck_type(kind)
    if isinstance(value, exp.Cast) and value.to == to:
        return False
    projection.set("this", cast(projection.this, kind))
    return True


def _reads_more_than_tables(select: exp.Select | exp.Returning) -> bool:
    """Whether a column may be one that a function or an unnamed expression made."""
    from_ = select.args.get("from_")
    sources = [from_.this] if from_ is not None else []
    sources += [join.this for join in select.args.get("joins") or ()]
    sources += select.args.get("laterals") or ()
    return any(
        not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier)
        for source in sources
    )


def stands_in(node: exp.Expr) -> exp.Expr | None:
    """What an expression stands in, brackets aside."""
    outer = node.parent
    while isinstance(outer, exp.Paren):
        outer = outer.parent
    return outer


def operation(side: exp.Expr) -> exp.Expr | None:
    """What a value is a side of: a node of its own, or a call of a macro."""
    node = side.parent
    return (
        node.parent
        if isinstance(node, exp.Anonymous) and isinstance(node.parent, exp.Dot)
        else node
    )


def is_zero(value: exp.Expr) -> bool:
    return isinstance(value, exp.Literal) and not value.is_string and not value.this.strip("0.")


def is_part_of_date(value: exp.Expr) -> bool:
    """Whether a value is what `extract` is made of, whose cast nobody wrote."""
    inner = bare(value)
    inner = inner.expression if isinstance(inner, exp.Dot) else inner
    return isinstance(inner, exp.Anonymous) and inner.name.lower().endswith(
        ("date_part", "pg_epoch_date_part_")
    )


def is_piped(inner: exp.Expr | None) -> bool:
    return isinstance(inner, exp.Dot) and inner.expression.name.lower() == "pg_pipe_"


def unprinted(side: exp.Expr) -> exp.Expr:
    """What is made a text because it stands beside one."""
    inner = bare(side)
    if isinstance(inner, exp.Dot) and inner.expression.name.lower() == "pg_joined_":
        return inner.expression.expressions[0]
    return side


def is_quotient_of_aggregates(node: exp.Dot) -> bool:
    return node.expression.name.lower() == "pg_div_of_aggregates_"
