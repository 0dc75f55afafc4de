"""Postgres's dialect on DuckDB, and what every dialect shares.

sqlglot reads Postgres and writes DuckDB well; the rules here mend what it leaves: division of
integers, `E'...'` strings, the schema `public` (another name for DuckDB's `main`), and constructs
that it would drop without a word, which are refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.errors import SqlError

Rule = Callable[[exp.Expr], exp.Expr | None]


def byte_string(node: exp.ByteString) -> exp.Expr:
    """`E'...'` is a string; the tokenizer has resolved its escapes."""
    return exp.Literal.string(node.this)


def public_is_main(node: exp.Table | exp.Column) -> None:
    """`public.t` is `main.t`."""
    schema = node.args.get("db")
    if (
        schema is not None
        and isinstance(schema, exp.Identifier)
        and schema.this.lower() == "public"
    ):
        schema.set("this", "main")


def refuse_lock(node: exp.Lock) -> None:
    """Row locks have no counterpart in DuckDB's optimistic transactions."""
    raise SqlError(
        "0A000",
        "SELECT ... FOR UPDATE or SHARE is not supported on analytical tables",
        hint="A conflicting transaction fails with 40001 at commit; retry it.",
    )


def _division(node: exp.Div) -> exp.Expr | None:
    if not node.args.get("typed"):
        return None
    return call("pg_div_", node.this, node.expression)


def _numeric_parameter(node: exp.Cast) -> exp.Expr | None:
    """`$1::numeric` keeps all digits; DuckDB's bare DECIMAL has three behind the point."""
    kind = element = node.args["to"]
    while isinstance(element, exp.DataType) and element.this == exp.DType.ARRAY:
        element = element.expressions[0] if element.expressions else None
    if (
        not isinstance(node.this, exp.Parameter)
        or not isinstance(element, exp.DataType)
        or element.this != exp.DType.DECIMAL
        or element.expressions
    ):
        return None
    one = exp.DataTypeParam(this=exp.Literal.number(1))
    element.set("expressions", [one, exp.DataTypeParam(this=exp.Literal.number(0))])
    # The wider of the two; a DECIMAL(1, 0) is the narrowest there is.
    return exp.Coalesce(this=node.this, expressions=[exp.Cast(this=exp.Null(), to=kind)])


def call(macro: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of one of the macros that the engine installs."""
    return exp.Anonymous(this=f"_sf.{macro}", expressions=list(arguments))


_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def any_of(node: exp.Any) -> None:
    """`x = ANY(array)` is NULL of an array that is NULL; DuckDB's is false."""
    brackets = node.this
    if isinstance(node.parent, _COMPARISONS) and isinstance(brackets, exp.Paren):
        brackets.set("this", _null_in_array(brackets.this))


def all_of(node: exp.Anonymous) -> None:
    """As ANY; the parser takes ALL of an array for a function."""
    name, arguments = node.this, node.expressions
    if isinstance(name, str) and name.upper() == "ALL" and len(arguments) == 1:
        node.set("expressions", [_null_in_array(arguments[0])])


def _null_in_array(array: exp.Expr) -> exp.Expr:
    """The array, `[NULL]` if there is none: compared with that, everything is NULL."""
    if isinstance(array, exp.Query | exp.Array):
        return array
    nothing = exp.Array(expressions=[exp.Null()])
    return exp.Coalesce(this=array, expressions=[nothing])


def values(values: exp.Values) -> exp.Expr | None:
    """The columns of VALUES are column1, column2, ..."""
    if not isinstance(values.parent, (exp.From, exp.Join, exp.Subquery)) and values.parent:
        return None
    rows = values.expressions
    width = len(rows[0].expressions) if rows and isinstance(rows[0], exp.Tuple) else 1
    names = [exp.Identifier(this=f"column{i}") for i in range(1, width + 1)]
    alias = values.args.get("alias")
    if values.parent is None or isinstance(values.parent, exp.Subquery):
        inner = exp.Values(
            expressions=rows,
            alias=exp.TableAlias(this=exp.Identifier(this="_values"), columns=names),
        )
        return exp.Select(expressions=[exp.Star()], from_=exp.From(this=inner))
    if alias is None:
        values.set("alias", exp.TableAlias(this=exp.Identifier(this="_values"), columns=names))
    elif not alias.columns:
        alias.set("columns", names)
    return None


def current_date(node: exp.CurrentDate) -> exp.Expr | None:
    """DuckDB reads `current_date AS current_date` as a column that refers to itself."""
    return exp.Anonymous(this="today") if node.this is None else None


def current_timestamp(node: exp.CurrentTimestamp) -> exp.Expr | None:
    """As `current_date`; the precision asked for is the one there is."""
    return None if node.args.get("sysdate") else exp.Anonymous(this="now")


def fold(identifier: exp.Identifier) -> None:
    """Unquoted names are lower case."""
    name = identifier.this
    if not name.islower() and not identifier.args.get("quoted"):
        identifier.set("this", name.lower())


RULES: dict[type, Rule] = {
    exp.Cast: _numeric_parameter,
    exp.Any: any_of,
    exp.Anonymous: all_of,
    exp.CurrentDate: current_date,
    exp.CurrentTimestamp: current_timestamp,
    exp.Identifier: fold,
    exp.Values: values,
    exp.ByteString: byte_string,
    exp.Table: public_is_main,
    exp.Column: public_is_main,
    exp.Lock: refuse_lock,
    exp.Div: _division,
}


def names_public(nodes: list[exp.Expr]) -> bool:
    """Whether a name is qualified by `public`."""
    for node in nodes:
        if node.__class__ in (exp.Table, exp.Column):
            schema = node.args.get("db")
            if isinstance(schema, exp.Identifier) and schema.this.lower() == "public":
                return True
    return False


def rewrite(tree: exp.Expr, nodes: list[exp.Expr]) -> exp.Expr:
    """The tree for DuckDB, changed in place; `nodes` are its nodes, parents first."""
    return apply(tree, nodes, RULES)


def apply(tree: exp.Expr, nodes: list[exp.Expr], rules: dict[type, Rule]) -> exp.Expr:
    """Run `rules` over `nodes`, children before parents; a rule returns a new node or None."""
    get = rules.get
    for node in reversed(nodes):
        rule = get(node.__class__)
        if rule is None:
            continue
        # The rule may put the node into a new one, which changes its parent: note it before.
        parent, key, index = node.parent, node.arg_key, node.index
        made = rule(node)
        if made is None or made is node:
            continue
        if parent is None:
            tree = made
            made.parent = None
        else:
            parent.set(key, made, index=index)
    return tree
