"""Clauses of a query: FROM, joins, table functions, WITH."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.transforms import eliminate_join_marks

from proxy.errors import SqlError
from proxy.sql.listing import Listing
from proxy.sql.postgres.dialect import public_is_main, values
from proxy.sql.reading import position_of
from proxy.sql.snowflake.aggregate import counted_if
from proxy.sql.snowflake.documents import left_out
from proxy.sql.snowflake.flattening import LIST_KEY, SEQ_KEY
from proxy.sql.snowflake.registry import NODES, node, number, sf, text, unsupported
from proxy.sql.snowflake.semistructured import VARIANT_KEY
from proxy.sql.snowflake.stars import is_star, unpacked

NODES[exp.Values] = values


def without_join_marks(tree: exp.Expr) -> exp.Expr:
    """The tree with outer joins in place of `a.x = b.x (+)`."""
    queries: dict[int, exp.Select] = {}
    for mark in [c for c in tree.find_all(exp.Column) if c.args.get("join_mark")]:
        query = mark.find_ancestor(exp.Select)
        if query is not None:
            queries[id(query)] = query
    for query in queries.values():
        _spell_out_star(query)
        for join in query.args.get("joins") or ():
            if join.args.get("on") is not None or join.args.get("using"):
                raise unsupported("(+) beside JOIN", join, "Write LEFT JOIN.")
    try:
        made = eliminate_join_marks(tree)
    except (AssertionError, SqlglotError) as error:
        hint = "Qualify the columns, or write LEFT JOIN."
        raise unsupported("this use of (+)", tree, hint) from error
    for query in queries.values():
        _order_joins(query)
    return made


def _order_joins(query: exp.Select) -> None:
    """Put each outer join behind the tables that its condition names."""
    first = query.args["from_"].this.alias_or_name.lower()
    # A table that has become the first one may stand among the others still.
    waiting = [
        join
        for join in query.args.get("joins") or ()
        if join.this.alias_or_name.lower() != first or join.args.get("on") is not None
    ]
    there = {first}
    ordered: list[exp.Expr] = []
    while waiting:
        plain = [join for join in waiting if join.args.get("on") is None]
        chosen = next((j for j in plain or waiting if _needs(j) <= there), waiting[0])
        waiting.remove(chosen)
        ordered.append(chosen)
        there.add(chosen.this.alias_or_name.lower())
    query.set("joins", ordered)


def _needs(join: exp.Expr) -> set[str]:
    on = join.args.get("on")
    named = on.find_all(exp.Column) if on is not None else ()
    return {column.table.lower() for column in named} - {join.this.alias_or_name.lower()}


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
def _count(count: exp.Count) -> exp.Expr | None:
    """COUNT(t.*) counts the rows of t none of whose columns is NULL, COUNT(a, b) those without a NULL
    in a and b."""
    argument = count.this
    distinct = isinstance(argument, exp.Distinct)
    one = argument.expressions[0] if distinct and argument.expressions else argument
    if one is None or not is_star(one):
        if distinct or not count.expressions:
            return None
        there = [
            exp.Not(this=exp.Is(this=value, expression=exp.Null()))
            for value in (argument, *count.expressions)
        ]
        return counted_if(exp.and_(*there, copy=False))
    star = one.this if isinstance(one, (exp.Column, exp.ILike)) else one
    if not distinct and one is star and not any(star.args.values()):
        return None
    if distinct or star.args.get("replace") or star.args.get("rename"):
        raise unsupported("this form of COUNT(t.*)", count)
    # FORMAT, which takes values of all types, is NULL where one of them is.
    count.set("this", exp.Format(this=text(""), expressions=[unpacked(one)]))
    return None


@node(exp.Table)
def _table(table: exp.Table) -> None:
    args = table.args
    if args.get("db") is not None:
        public_is_main(table)
    elif _is_dual(table):
        table.set("db", exp.to_identifier("main"))
        table.set("catalog", exp.to_identifier("_sf"))
    when = args.get("when")
    if when is not None:
        if not _is_now(when):
            raise unsupported("time travel (AT, BEFORE)", table, "There is no history.")
        table.set("when", None)
    if args.get("changes") is not None:
        raise unsupported("CHANGES", table)


def _is_dual(table: exp.Table) -> bool:
    """DUAL, the table of one row, unless a WITH has a table of that name."""
    if table.name.lower() != "dual":
        return False
    if not isinstance(table.parent, (exp.From, exp.Join)):
        return False
    query = table.parent_select
    while query is not None:
        if any(cte.alias.lower() == "dual" for cte in query.ctes):
            return False
        query = query.parent_select
    return True


def _is_now(when: exp.Expr) -> bool:
    """AT (OFFSET => 0) and AT (TIMESTAMP => CURRENT_TIMESTAMP): the table as it is."""
    if str(when.this).upper() != "AT":
        return False
    moment = when.args.get("expression")
    kind = str(when.args.get("kind")).upper()
    if kind == "OFFSET":
        return isinstance(moment, exp.Literal) and not moment.is_string and float(moment.this) == 0
    return kind == "TIMESTAMP" and isinstance(moment, exp.CurrentTimestamp)


_METHODS = {"ROW": "BERNOULLI", "BLOCK": "SYSTEM"}


@node(exp.TableSample)
def _sample(sample: exp.TableSample) -> None:
    """A number of rows is drawn by a reservoir; ROW and BLOCK are other words for the methods."""
    method = sample.args.get("method")
    name = method.name.upper() if method is not None else "BERNOULLI"
    if sample.args.get("size") is not None:
        if name in ("SYSTEM", "BLOCK"):
            raise unsupported(f"SAMPLE {name} of a number of rows", sample, "Say SAMPLE ROW.")
        if sample.args.get("seed") is not None:
            raise unsupported("SEED with a number of rows", sample, "Give a percentage.")
        sample.set("method", exp.Var(this="RESERVOIR"))
        return
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


def mark_recursive(nodes: Listing) -> None:
    """RECURSIVE need not be said: a query of WITH that reads itself is."""
    named: dict[str, list[exp.CTE]] = {}
    for query in nodes.of(exp.CTE):
        named.setdefault(query.alias.lower(), []).append(query)
    for table in nodes.of(exp.Table):
        if table.args.get("db") is None:
            _mark_around(table, named.get(table.name.lower(), ()))


def _mark_around(table: exp.Table, queries: Sequence[exp.CTE]) -> None:
    around: exp.Expr | None = table if queries else None
    while around is not None:
        if around.__class__ is exp.CTE and any(around is one for one in queries):
            with_ = around.parent
            if isinstance(with_, exp.With) and not with_.recursive:
                with_.set("recursive", True)
        around = around.parent


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


def spell_out_using(join: exp.Expr) -> bool:
    """ASOF JOIN ... USING (a) as ON, in place; the other table's `a` is not shown by `*`.

    False where there is no such thing.
    """
    args = join.args
    using, select = args.get("using"), join.parent
    if not using or args.get("match_condition") is None or not isinstance(select, exp.Select):
        return False
    left = select.args["from_"].this.alias_or_name
    right = join.this.alias_or_name
    names = {column.name.lower() for column in using}
    joins = select.args["joins"]
    before = joins[: next(index for index, one in enumerate(joins) if one is join)]
    # After other joins by the same columns these are the first table's.
    same = all(names <= (one.meta.get(_USED) or set()) for one in before)
    if not same or not left or not right:
        raise unsupported("ASOF JOIN ... USING after another join", join, "Write ON.")
    for column in list(select.find_all(exp.Column)):
        bare = isinstance(column.this, exp.Identifier) and not column.table
        if bare and column.name.lower() in names and column.find_ancestor(exp.Select) is select:
            column.set("table", exp.to_identifier(left))
    for projection in select.expressions:
        if isinstance(projection, exp.Star):
            hidden = [_of(right, column) for column in using]
            projection.set("except_", [*(projection.args.get("except_") or ()), *hidden])
    equal = [exp.EQ(this=_of(left, column), expression=_of(right, column)) for column in using]
    join.set("using", None)
    join.set("on", exp.and_(*equal, copy=False))
    join.meta[_USED] = names
    return True


_USED = "used"
"""Key of `Join.meta`: the columns that its USING named."""


def _of(table: str, column: exp.Expr) -> exp.Column:
    return exp.Column(this=exp.to_identifier(column.name), table=exp.to_identifier(table))


@node(exp.Join)
def _join(join: exp.Join) -> None:
    args = join.args
    condition, on = args.get("match_condition"), args.get("on")
    if condition is None:
        if args.get("side") and not (on or args.get("using") or args.get("method")):
            join.set("on", exp.Boolean(this=True))  # else it would be written as an inner join
        return
    _check_sides(join, condition)
    join.set("match_condition", None)
    join.set("on", condition if on is None else exp.And(this=on, expression=condition))
    join.set("side", "LEFT")


def _check_sides(join: exp.Join, condition: exp.Expr) -> None:
    """MATCH_CONDITION compares a column of the left side with one of the right, in this order."""
    right = join.this.alias_or_name.lower()
    comparison = condition.unnest()
    sides = [comparison.args.get("this"), comparison.args.get("expression")]
    for side, wanted in zip(sides, (False, True), strict=True):
        for column in side.find_all(exp.Column) if side is not None else ():
            if right and column.table and (column.table.lower() == right) is not wanted:
                message = (
                    "MATCH_CONDITION: the left side is to name the left table's columns alone, "
                )
                message += "and the right side the right table's"
                raise SqlError("42601", message, position=position_of(column))


def named(arguments: list[exp.Expr], *names: str) -> dict[str, exp.Expr]:
    """Arguments by name, given by position or as `name => value`."""
    found: dict[str, exp.Expr] = {}
    for index, argument in enumerate(arguments):
        if isinstance(argument, exp.Kwarg):
            found[argument.this.name.lower()] = argument.expression
        else:
            found[names[index]] = argument
    return found


def _flag(given: dict[str, exp.Expr], name: str) -> bool:
    value = given.get(name)
    if value is not None and not isinstance(value, exp.Boolean):
        raise unsupported(f"FLATTEN with {name.upper()} that is neither TRUE nor FALSE", value)
    return value is not None and bool(value.this)


_FLATTENS = ("input", "path", "outer", "recursive", "mode")
_MODES = ("BOTH", "OBJECT", "ARRAY")


@dataclass(frozen=True, slots=True)
class _Split:
    """A call of a table function that splits its input: `macro` gives its rows, as a table.

    rows: the macro that gives them as a list, '' where there is none.
    """

    macro: str
    rows: str
    arguments: tuple[exp.Expr, ...]


def _flatten(arguments: list[exp.Expr]) -> _Split:
    given = named(arguments, *_FLATTENS)
    if "input" not in given or not given.keys() <= set(_FLATTENS):
        wrong = next((name for name in given if name not in _FLATTENS), "without INPUT")
        raise SqlError("42601", f"FLATTEN: invalid argument {wrong}")
    source = given["input"]
    path = given.get("path")
    outer = exp.Boolean(this=_flag(given, "outer"))
    mode = given.get("mode")
    modes = text(mode.name.upper() if mode is not None else "BOTH")
    if modes.name not in _MODES:
        raise SqlError("22023", f"FLATTEN: invalid mode {modes.name}")
    prefix: exp.Expr = text("")
    if path is not None and not isinstance(path, (exp.Literal, exp.Null)):
        raise unsupported("FLATTEN with a path that is not a literal", path)
    if path is not None and path.name:
        source, prefix = sf("get_path_", source, path), text(path.name)
    if _flag(given, "recursive"):
        return _Split("flatten_deep_", "", (source, prefix, outer, modes))
    return _Split("flatten_", "flat_", (source, prefix, outer, modes))


def _split_to_table(arguments: list[exp.Expr]) -> _Split:
    return _Split("split_to_table_", "split_list_", tuple(arguments))


def _strtok_split_to_table(arguments: list[exp.Expr]) -> _Split:
    separator = arguments[1] if len(arguments) > 1 else text(" ")
    return _Split("strtok_split_to_table_", "strtok_split_list_", (arguments[0], separator))


_TABLE_FUNCTIONS = {
    exp.Explode: _flatten,
    exp.SplitToTable: _split_to_table,
    exp.StrtokSplitToTable: _strtok_split_to_table,
}


def rows_of(call: exp.Expr) -> exp.Expr | None:
    """The list of a splitting call's rows, as an expression; None where it has no such form."""
    split = _TABLE_FUNCTIONS[call.__class__](_arguments(call))
    if _left_out(call, split.arguments):
        return None
    if not split.rows or (split.rows == "flat_" and split.arguments[2].this):
        return None
    return sf(split.rows, *(argument.copy() for argument in split.arguments))


def _rows(lateral: exp.Expr) -> exp.Expr:
    """The source of a splitting call's rows."""
    list_ = (lateral._meta or {}).get(LIST_KEY)
    if list_ is not None:
        depth = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=number(2))
        row = exp.Anonymous(this="unnest", expressions=[list_, depth])
        return exp.Subquery(this=exp.Select(expressions=[row]))
    call = lateral.this
    split = _TABLE_FUNCTIONS[call.__class__](_arguments(call))
    missing = _left_out(call, split.arguments)
    rows = exp.Table(this=sf(split.macro, *split.arguments))
    if not missing:
        return rows
    there = exp.column("index").isin(*missing)
    kept = exp.Or(this=exp.Not(this=there), expression=exp.column("index").is_(exp.Null()))
    return exp.Subquery(this=exp.select("*").from_(rows).where(kept))


def _left_out(call: exp.Expr, arguments: list[exp.Expr]) -> list[int]:
    """The places of elements that PARSE_JSON('[1, ,77]') leaves out: FLATTEN makes no rows of them."""
    if not isinstance(call, exp.Explode):
        return []
    document, options = arguments[0], len(_arguments(call)) > 1
    for parse in document.find_all(exp.Anonymous):
        written = parse.expressions[0] if parse.this == "_sf.parse_json" else None
        if not isinstance(written, exp.Literal) or "," not in written.this:
            continue
        missing = left_out(written.this)
        if missing is None or (missing and (options or parse is not document)):
            raise unsupported("FLATTEN of an array that leaves elements out", call)
        return missing
    return []


_FLATTEN_COLUMNS = ["SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"]


def mark_flattened(nodes: Listing) -> list[exp.Column]:
    """Note which columns are FLATTEN's VALUE and THIS: they are VARIANTs, as no table says.

    Returns those that rules would not look at otherwise.
    """
    names = set()
    for found in nodes:
        if isinstance(found, (exp.Lateral, exp.TableFromRows)) and isinstance(
            found.this, exp.Explode
        ):
            alias = found.args.get("alias")
            if alias is not None and alias.this is not None:
                names.add(alias.this.name.lower())
    marked = [one for one in nodes.columns if _is_flattened(one, names)]
    for found in (*marked, *nodes):
        if found.__class__ is exp.Column and _is_flattened(found, names):
            found.meta[VARIANT_KEY] = True
    return marked


def _is_flattened(column: exp.Column, names: set[str]) -> bool:
    table = column.args.get("table")
    asked = table is not None and column.name.lower() in ("value", "this")
    return asked and table.name.lower() in names


def _arguments(call: exp.Expr) -> list[exp.Expr]:
    found = [call.this, call.args.get("expression"), *(call.args.get("expressions") or ())]
    return [argument for argument in found if argument is not None]


@node(exp.Lateral, exp.TableFromRows)
def _table_function(lateral: exp.Lateral | exp.TableFromRows) -> exp.Expr | None:
    call = lateral.this
    alias = lateral.args.get("alias")
    if lateral.args.get("sample") is not None:
        raise unsupported("SAMPLE of a table function", lateral, "Sample a query over it.")
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
    rows = _rows(lateral)
    seq = (lateral._meta or {}).get(SEQ_KEY)
    if seq is None:
        if isinstance(rows, exp.Subquery):
            return exp.Lateral(this=rows, alias=alias)
        rows.set("alias", alias)
        return rows
    star = exp.Star(replace=[exp.alias_(seq, "seq", copy=False)])
    numbered = exp.Select(expressions=[star]).from_(rows, copy=False)
    return exp.Lateral(this=exp.Subquery(this=numbered), alias=alias)


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
    """NULL and the empty string are no limit, nor is ALL, as Postgres's clients write it."""
    given = limit.expression
    every = isinstance(given, exp.Column) and not given.table and not given.this.args.get("quoted")
    if isinstance(given, exp.Null) or _is_empty(given) or (every and given.name.upper() == "ALL"):
        limit.set("expression", number(9_223_372_036_854_775_807))


@node(exp.Offset)
def _offset(offset: exp.Offset) -> None:
    if _is_empty(offset.expression):
        offset.set("expression", number(0))


def _is_empty(value: exp.Expr | None) -> bool:
    raw = isinstance(value, exp.RawString)
    return (raw or (isinstance(value, exp.Literal) and value.is_string)) and not value.name
