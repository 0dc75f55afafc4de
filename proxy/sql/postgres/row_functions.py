"""Functions that give rows in a select list, where DuckDB takes or orders them otherwise.

Why it exists: `SELECT unnest(tags), count(*) ... GROUP BY 1` groups what the function gives, which DuckDB
cannot: it becomes an item of FROM. ORDER BY that does not name such a function, and DISTINCT ON with it, come
before it in Postgres, so that the rows of one row stay together and in their order: they go into a query below.
So do they, and LIMIT, where nextval is called: its numbers are in the order of the rows that are given.

Promise: a query without such a function is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from proxy.sql.control_plane import name_set
from proxy.sql.listing import Listing
from proxy.sql.postgres.routines import ROW_NAME
from proxy.sql.rows_among import ROWS

_BY_KIND = (exp.Explode, exp.ExplodingGenerateSeries)
_BY_NAME = name_set(
    """
    regexp_split_to_table string_to_table regexp_matches json_object_keys jsonb_object_keys
    json_array_elements json_array_elements_text jsonb_array_elements jsonb_array_elements_text
    """
)
_NUMBERS = frozenset({"nextval"})
_ONCE = (exp.AggFunc, exp.Window, exp.Query)
_AROUND = ("with_",)
_COUNTED = ("limit", "offset")

Finder = Callable[[exp.Expr], Iterator[exp.Expr]]


def may_hold(nodes: Listing) -> bool:
    """Whether there is a function that gives rows, to go by the kinds and names of a tree's nodes."""
    if not nodes.kinds.isdisjoint(_BY_KIND):
        return True
    called = {str(node.this).lower() for node in nodes.of(exp.Anonymous)}
    return not (called.isdisjoint(_BY_NAME) and called.isdisjoint(_NUMBERS))


def settle(tree: exp.Expr) -> None:
    """Puts such functions where they belong, in a tree whose other parts are DuckDB's already."""
    for select in list(tree.find_all(exp.Select)):
        group = select.args.get("group")
        parts = [*select.expressions, *([] if group is None else [group])]
        if not any(True for one in parts for _ in _functions(one)):
            if select.args.get("order") is not None and any(map(_has_number, parts)):
                _order(select, _numbers, _AROUND)
            continue
        if group is not None:
            _group(select)
        if select.args.get("order") is not None:
            _order(select, _functions, (*_AROUND, *_COUNTED))


def _functions(node: exp.Expr) -> Iterator[exp.Expr]:
    """The functions that give rows within a projection."""
    for one in node.walk(prune=lambda found: isinstance(found, exp.Query)):
        if isinstance(one, _BY_KIND) or (one._meta and ROW_NAME in one._meta):
            yield one


def _numbers(node: exp.Expr) -> Iterator[exp.Expr]:
    """The calls of nextval within a projection."""
    for one in node.walk(prune=lambda found: isinstance(found, exp.Query)):
        if isinstance(one, exp.Anonymous) and str(one.this).lower() in _NUMBERS:
            yield one


def _has_number(node: exp.Expr) -> bool:
    return any(True for _ in _numbers(node))


def _is_distinct_on(select: exp.Select) -> bool:
    distinct = select.args.get("distinct")
    return distinct is not None and distinct.args.get("on") is not None


def _projection(select: exp.Select, key: exp.Expr) -> exp.Expr | None:
    """The one that a key of GROUP BY or ORDER BY names, by its number or its alias."""
    if isinstance(key, exp.Literal) and not key.is_string and key.this.isdigit():
        place = int(key.this) - 1
        return select.expressions[place] if 0 <= place < len(select.expressions) else None
    if not isinstance(key, exp.Column) or key.table:
        return None
    return next((one for one in select.expressions if one.alias == key.name), None)


# --- GROUP BY -------------------------------------------------------------------------------------


def _group(select: exp.Select) -> None:
    found: list[exp.Expr] = []
    for key in select.args["group"].expressions:
        named = _projection(select, key)
        read = named.this.find_all(exp.Column) if isinstance(key, exp.Column) and named else ()
        if any(column.name == key.name for column in read):
            continue  # a column of FROM goes before an alias: what the function reads is one
        found += [one for one in _functions(named or key) if one not in found]
    if not found:
        return
    columns = [exp.to_identifier(f"{ROWS}_{number}") for number in range(len(found))]
    given = exp.Select(expressions=[one.copy() for one in found])
    alias = exp.TableAlias(this=exp.to_identifier(ROWS), columns=columns)
    rows = exp.Lateral(this=exp.Subquery(this=given), alias=alias)
    for part in [*select.expressions, select.args["group"], select.args.get("order")]:
        for one in list(_functions(part)) if part is not None else ():
            if one in found:
                one.replace(exp.column(columns[found.index(one)].copy(), ROWS))
    if select.args.get("from_") is None:
        select.set("from_", exp.From(this=exp.Subquery(this=given, alias=alias)))
    else:
        select.append("joins", exp.Join(this=rows))


# --- ORDER BY and DISTINCT ON -----------------------------------------------------------------------


def _order(select: exp.Select, functions: Finder, around: tuple[str, ...]) -> None:
    """functions: what finds those that come behind ORDER BY; around: which clauses come behind them."""
    distinct, order = select.args.get("distinct"), select.args.get("order")
    if distinct is not None and not _is_distinct_on(select):
        return
    keys = [one.this for one in order.expressions]
    if distinct is not None:
        on = distinct.args["on"]
        keys += on.expressions if isinstance(on, exp.Tuple) else [on]
    for key in keys:
        if any(True for _ in functions(_projection(select, key) or key)):
            return
    if any(one.is_star for one in select.expressions):
        _behind_star(select, functions, around)
        return
    giving = [one for one in select.expressions if any(True for _ in functions(one))]
    if any(one.find(*_ONCE) is not None for one in giving):
        return
    below: list[exp.Expr] = []
    above: list[exp.Expr] = []

    def column(value: exp.Expr) -> exp.Column:
        """What stands above for a value that is computed below."""
        below.append(value)
        return exp.column(f"{ROWS}_{len(below) - 1}", ROWS)

    for one in select.expressions:
        if not any(one is other for other in giving):
            named = exp.to_identifier(one.alias_or_name, quoted=True)
            above.append(exp.Alias(this=column(one), alias=named))
        else:
            above.append(one)
            column(exp.Null())  # so that those behind it keep their numbers
    for one in above:
        for read in list(one.find_all(exp.Column)):
            if read.table != ROWS:
                read.replace(column(read.copy()))
    inner = exp.Select(**{key: part for key, part in select.args.items() if key not in around})
    inner.set("expressions", below)
    kept = {key: select.args[key] for key in around if select.args.get(key) is not None}
    columns = [exp.to_identifier(f"{ROWS}_{number}") for number in range(len(below))]
    alias = exp.TableAlias(this=exp.to_identifier(ROWS), columns=columns)
    select.args.clear()
    select.set("expressions", above)
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
    for key, part in kept.items():
        select.set(key, part)


def _behind_star(select: exp.Select, functions: Finder, around: tuple[str, ...]) -> None:
    """As `_order`, where `*` stands before what reads no columns: `SELECT *, nextval('s') FROM t ORDER BY x`."""
    others = [one for one in select.expressions if not any(True for _ in functions(one))]
    giving = select.expressions[len(others) :]
    named = all(one.is_star or isinstance(one, exp.Column | exp.Alias) for one in others)
    plain = named and not any(select.args.get(key) for key in ("joins", "laterals", *_COUNTED[1:]))
    if not plain or any(one.find(exp.Column, *_ONCE) is not None for one in giving):
        return
    if not all(any(True for _ in functions(one)) for one in giving):
        return
    inner = exp.Select(**{key: part for key, part in select.args.items() if key not in around})
    inner.set("expressions", others)
    kept = {key: select.args[key] for key in around if select.args.get(key) is not None}
    alias = exp.TableAlias(this=exp.to_identifier(ROWS))
    select.args.clear()
    select.set("expressions", [exp.Star(), *giving])
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
    for key, part in kept.items():
        select.set(key, part)
