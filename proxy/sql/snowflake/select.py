"""Clauses of a query: FROM, joins, table functions, WITH."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.transforms import eliminate_join_marks

from proxy.sql.postgres import public_is_main, values
from proxy.sql.snowflake.registry import NODES, node, number, sf, text, unsupported
from proxy.sql.snowflake.semistructured import VARIANT_KEY

NODES[exp.Values] = values


def without_join_marks(tree: exp.Expr) -> exp.Expr:
    """The tree with outer joins in place of `a.x = b.x (+)`."""
    try:
        return eliminate_join_marks(tree)
    except (AssertionError, SqlglotError) as error:
        hint = "Qualify the columns, or write LEFT JOIN."
        raise unsupported("this use of (+)", tree, hint) from error


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


@node(exp.Connect)
def _connect(clause: exp.Connect) -> None:
    raise unsupported("CONNECT BY", clause, "Use a recursive common table expression.")


@node(exp.Pivot)
def _pivot(pivot: exp.Pivot) -> None:
    for field in pivot.args.get("fields") or ():
        if isinstance(field, exp.In) and not field.expressions:
            raise unsupported("PIVOT over ANY or a subquery", pivot)
        for value in getattr(field, "expressions", ()):
            if isinstance(value, exp.PivotAny):
                raise unsupported("PIVOT over ANY", pivot)
    if pivot.args.get("default_on_null"):
        raise unsupported("PIVOT with DEFAULT ON NULL", pivot)


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
    return exp.Table(this=rule(_arguments(call)), alias=alias)


@node(exp.Limit)
def _limit(limit: exp.Limit) -> None:
    if isinstance(limit.expression, exp.Null):
        limit.set("expression", number(9_223_372_036_854_775_807))
