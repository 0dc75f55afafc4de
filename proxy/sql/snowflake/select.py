"""Clauses of a query: FROM, joins, table functions, WITH."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.transforms import eliminate_join_marks

from proxy.sql.postgres import public_is_main, values
from proxy.sql.snowflake.flattening import SEQ_KEY
from proxy.sql.snowflake.registry import NODES, node, number, sf, text, unsupported
from proxy.sql.snowflake.semistructured import VARIANT_KEY

NODES[exp.Values] = values


def without_join_marks(tree: exp.Expr) -> exp.Expr:
    """The tree with outer joins in place of `a.x = b.x (+)`."""
    for mark in [c for c in tree.find_all(exp.Column) if c.args.get("join_mark")]:
        query = mark.find_ancestor(exp.Select)
        if query is not None:
            _spell_out_star(query)
    try:
        return eliminate_join_marks(tree)
    except (AssertionError, SqlglotError) as error:
        hint = "Qualify the columns, or write LEFT JOIN."
        raise unsupported("this use of (+)", tree, hint) from error


def _spell_out_star(query: exp.Select) -> None:
    """`*` of the tables in their order, which outer joins would change."""
    if not any(type(projection) is exp.Star for projection in query.expressions):
        return
    sources = [query.args["from_"].this, *(join.this for join in query.args.get("joins") or ())]
    projections: list[exp.Expr] = []
    for projection in query.expressions:
        if type(projection) is not exp.Star:
            projections.append(projection)
            continue
        if any(projection.args.values()) or not all(source.alias_or_name for source in sources):
            raise unsupported("* with EXCLUDE, REPLACE or RENAME over (+)", projection)
        projections.extend(
            exp.Column(this=exp.Star(), table=exp.to_identifier(source.alias_or_name))
            for source in sources
        )
    query.set("expressions", projections)


@node(exp.Count)
def _count(count: exp.Count) -> None:
    argument = count.this
    if isinstance(argument, exp.Column) and isinstance(argument.this, exp.Star):
        raise unsupported("COUNT(t.*)", count, "Count the rows whose columns are not NULL.")


@node(exp.Table)
def _table(table: exp.Table) -> None:
    public_is_main(table)
    if table.args.get("when") is not None:
        raise unsupported("time travel (AT, BEFORE)", table)
    if table.args.get("changes") is not None:
        raise unsupported("CHANGES", table)


@node(exp.MatchRecognize)
def _match_recognize(clause: exp.MatchRecognize) -> None:
    raise unsupported("MATCH_RECOGNIZE", clause)


_METHODS = {"ROW": "BERNOULLI", "BLOCK": "SYSTEM"}


@node(exp.TableSample)
def _sample(sample: exp.TableSample) -> None:
    """A number of rows is drawn by a reservoir; ROW and BLOCK are other words for the methods."""
    if sample.args.get("size") is not None:
        sample.set("method", exp.Var(this="RESERVOIR"))
        return
    method = sample.args.get("method")
    name = method.name.upper() if method is not None else "BERNOULLI"
    sample.set("method", exp.Var(this=_METHODS.get(name, name)))


@node(exp.Not)
def _not(not_: exp.Not) -> None:
    """`x NOT LIKE ALL (p, q)`: the reference says both that none may match and that one may."""
    like = not_.this.unnest()
    if (
        isinstance(like, (exp.Like, exp.ILike))
        and isinstance(like.expression, exp.All)
        and len(like.expression.this.expressions) > 1
    ):
        raise unsupported("NOT LIKE ALL of several patterns", not_, "Write the patterns with AND.")


@node(exp.With)
def _with(with_: exp.With) -> None:
    """RECURSIVE need not be said."""
    for cte in with_.expressions:
        name = cte.alias.lower()
        if not with_.recursive and any(
            table.name.lower() == name and table.args.get("db") is None
            for table in cte.this.find_all(exp.Table)
        ):
            with_.set("recursive", True)


@node(exp.Ordered)
def _ordered(ordered: exp.Ordered) -> None:
    column = ordered.this
    if (
        isinstance(column, exp.Column)
        and column.name.lower() == "all"
        and column.args.get("table") is None
        and not column.this.args.get("quoted")
    ):
        ordered.set("this", exp.Var(this="ALL"))


@node(exp.Join)
def _join(join: exp.Join) -> None:
    condition = join.args.get("match_condition")
    if condition is None:
        return
    on = join.args.get("on")
    if join.args.get("using"):
        raise unsupported("ASOF JOIN ... USING", join, "Write ON.")
    join.set("match_condition", None)
    join.set("on", condition if on is None else exp.And(this=on, expression=condition))
    join.set("side", "LEFT")


def named(arguments: list[exp.Expr], *names: str) -> dict[str, exp.Expr]:
    """Arguments by name, given by position or as `name => value`."""
    found: dict[str, exp.Expr] = {}
    for index, argument in enumerate(arguments):
        if isinstance(argument, exp.Kwarg):
            found[argument.this.name.lower()] = argument.expression
        else:
            found[names[index]] = argument
    return found


def _flag(value: exp.Expr | None) -> bool:
    return isinstance(value, exp.Boolean) and bool(value.this)


def _flatten(arguments: list[exp.Expr]) -> exp.Expr:
    given = named(arguments, "input", "path", "outer", "recursive", "mode")
    source = given["input"]
    path = given.get("path")
    outer = exp.Boolean(this=_flag(given.get("outer")))
    mode = given.get("mode")
    modes = text(mode.name.upper() if mode is not None else "BOTH")
    prefix: exp.Expr = text("")
    if path is not None and path.name:
        if not isinstance(path, exp.Literal):
            raise unsupported("FLATTEN with a path that is not a literal", path)
        source, prefix = sf("get_path_", source, path), text(path.name)
    name = "flatten_deep_" if _flag(given.get("recursive")) else "flatten_"
    return sf(name, source, prefix, outer, modes)


def _split_to_table(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("split_to_table_", *arguments)


def _strtok_split_to_table(arguments: list[exp.Expr]) -> exp.Expr:
    separator = arguments[1] if len(arguments) > 1 else text(" ")
    return sf("strtok_split_to_table_", arguments[0], separator)


_TABLE_FUNCTIONS = {
    exp.Explode: _flatten,
    exp.SplitToTable: _split_to_table,
    exp.StrtokSplitToTable: _strtok_split_to_table,
}
_FLATTEN_COLUMNS = ["SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"]


def mark_flattened(nodes: list[exp.Expr]) -> None:
    """Note which columns are FLATTEN's VALUE and THIS: they are VARIANTs, as no table says."""
    names = set()
    for found in nodes:
        if isinstance(found, (exp.Lateral, exp.TableFromRows)) and isinstance(
            found.this, exp.Explode
        ):
            alias = found.args.get("alias")
            if alias is not None and alias.this is not None:
                names.add(alias.this.name.lower())
    for found in nodes:
        if found.__class__ is exp.Column and found.name.lower() in ("value", "this"):
            table = found.args.get("table")
            if table is not None and table.name.lower() in names:
                found.meta[VARIANT_KEY] = True


def _arguments(call: exp.Expr) -> list[exp.Expr]:
    found = [call.this, call.args.get("expression"), *(call.args.get("expressions") or ())]
    return [argument for argument in found if argument is not None]


@node(exp.Lateral, exp.TableFromRows)
def _table_function(lateral: exp.Lateral | exp.TableFromRows) -> exp.Expr | None:
    call = lateral.this
    alias = lateral.args.get("alias")
    rule = _TABLE_FUNCTIONS.get(call.__class__)
    if rule is None and isinstance(lateral, exp.TableFromRows) and isinstance(call, exp.Literal):
        return _named_table(call, alias)
    if rule is None:
        if isinstance(lateral, exp.TableFromRows) and isinstance(call, exp.Anonymous):
            name = call.this if isinstance(call.this, str) else call.name
            if name.lower() == "result_scan":
                raise unsupported("RESULT_SCAN", lateral)
            return exp.Table(this=call, alias=alias)
        return None
    if alias is not None:
        columns = alias.columns
        if [column.name.upper() for column in columns] == _FLATTEN_COLUMNS:
            alias.set("columns", None)
        if alias.this is not None and alias.this.name == "_flattened":
            alias = None
    seq = (lateral._meta or {}).get(SEQ_KEY)
    if seq is None:
        return exp.Table(this=rule(_arguments(call)), alias=alias)
    star = exp.Star(replace=[exp.alias_(seq, "seq", copy=False)])
    rows = exp.Select(expressions=[star]).from_(exp.Table(this=rule(_arguments(call))), copy=False)
    return exp.Lateral(this=exp.Subquery(this=rows), alias=alias)


def _named_table(name: exp.Literal, alias: exp.Expr | None) -> exp.Expr:
    """TABLE('t') is t."""
    try:
        table = exp.to_table(name.this, dialect="snowflake")
    except SqlglotError as error:
        raise unsupported("TABLE of this name", name) from error
    public_is_main(table)
    if alias is not None:
        table.set("alias", alias)
    return table


@node(exp.Limit)
def _limit(limit: exp.Limit) -> None:
    if isinstance(limit.expression, exp.Null):
        limit.set("expression", number(9_223_372_036_854_775_807))
