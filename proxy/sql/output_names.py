"""Names of the columns that a query gives without saying so.

Snowflake calls the column of `SELECT COUNT(*)` COUNT(*), DuckDB count_star(), Postgres count. The
clients here are Postgres clients, and code written for them reads `row["count"]`; so in Snowflake's
and in Postgres's dialect unnamed columns are named as Postgres names them:

- a function: its name (`count`, `iff`), the last part of a qualified one;
- a cast: the name of what is cast, or the type's Postgres name (`int4`) if that has none;
- CASE: the name of its ELSE if that is a column, or `case`;
- a path into a VARIANT (`v:a.b`): its last key;
- a scalar subquery: the name of its column; EXISTS, ARRAY and a few more: their keyword;
- everything else: `?column?`.

The outermost query is named, that of a view or a table made of one, or what RETURNING gives, in Postgres's
dialect also those in FROM and WITH, and of a UNION only the first branch. The name is added as an alias. Where ORDER BY, GROUP BY, HAVING or QUALIFY of the same query use that very name, they must
go on meaning the column it names: it is qualified by the query's one source, and if there are
several, the output column keeps DuckDB's name. (Postgres's ORDER BY means the output column.)
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.definitions.indexing import keys_without_name
from proxy.sql.listing import Listing

UNNAMED = "?column?"

_TYPE_NAMES: dict[exp.DType, str] = {
    exp.DType.TINYINT: "int2",
    exp.DType.SMALLINT: "int2",
    exp.DType.INT: "int4",
    exp.DType.BIGINT: "int8",
    exp.DType.DECIMAL: "numeric",
    exp.DType.FLOAT: "float4",
    exp.DType.DOUBLE: "float8",
    exp.DType.CHAR: "bpchar",
    exp.DType.BPCHAR: "bpchar",
    exp.DType.NCHAR: "bpchar",
    exp.DType.BOOLEAN: "bool",
    exp.DType.DATETIME: "timestamp",
    exp.DType.TIMESTAMPNTZ: "timestamp",
    exp.DType.TIMESTAMPLTZ: "timestamptz",
    exp.DType.BINARY: "bytea",
    exp.DType.VARBINARY: "bytea",
}
_CASTS = frozenset({"cast", "try_cast", "safe_cast", "convert"})
_SPELLED_OTHERWISE = {
    "trim": "btrim",
    "str_position": "position",
    "group_concat": "string_agg",
    "j_s_o_n_array_agg": "json_agg",
    "j_s_o_n_object": "json_object",
}
_IN_SNOWFLAKE = {
    "string_agg": "listagg",
    "arg_max": "max_by",
    "arg_min": "min_by",
    "decode_case": "decode",
}
# Functions to the parser, which notes no name where the text has an operator.
_WRITTEN_AS_OPERATORS = (
    exp.Pow,
    exp.ArrayContainsAll,
    exp.ArrayContainedBy,
    exp.ArrayOverlaps,
    exp.JSONBContains,
    exp.JSONBContainsTopKey,
    exp.JSONBContainsAllTopKeys,
    exp.JSONBContainsAnyTopKeys,
    exp.JSONBDeleteAtPath,
)

# What is an operator in symbols and a function by its name, which then is noted.
_SYMBOLS = (exp.RegexpLike, exp.RegexpILike, exp.Sqrt, exp.Cbrt, exp.Abs)

# Strength, as in Postgres's FigureColnameInternal: 2 a real name, 1 a type's or a keyword.
Named = tuple[str, int]


def _function(node: exp.Expr, text: str) -> Named | None:
    meta = node._meta
    start = meta.get("start") if meta else None
    if start is None:
        if isinstance(node, _SYMBOLS):
            return None
        if isinstance(node, exp.Func):
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
            return _SPELLED_OTHERWISE.get(name.lower(), name.lower()), 2
        return None
    word = text[start : meta["end"] + 1]
    if word[:1] == '"':
        return word[1:-1].replace('""', '"'), 2
    word = word.lower()
    return _SPELLED_OTHERWISE.get(word, word), 2


def _cast(node: exp.Expr, text: str) -> Named:
    written = _function(node, text) if node._meta and "start" in node._meta else None
    if written is not None and written[0] not in _CASTS:
        return written
    inner = _figure(node.this, text)
    if inner is not None and inner[1] > 1:
        return inner
    to = node.args.get("to")
    if isinstance(to, exp.DataType):
        if to.this == exp.DType.ARRAY and to.expressions:
            to = to.expressions[0]
        kind = exp.DType.INTERVAL if isinstance(to.this, exp.Interval) else to.this
        return _TYPE_NAMES.get(kind) or str(getattr(kind, "value", kind)).lower(), 1
    return (to.name.lower() if to is not None else UNNAMED), 1


def _case(node: exp.Expr, text: str) -> Named:
    default = node.args.get("default")
    inner = _figure(default, text) if default is not None else None
    return inner if inner is not None and inner[1] > 1 else ("case", 1)


def _column(node: exp.Expr, text: str) -> Named | None:
    this = node.this
    if isinstance(this, exp.Identifier):
        return (this.this if this.args.get("quoted") else this.this.lower()), 2
    return None


def _path(node: exp.Expr, text: str) -> Named | None:
    if not node.args.get("variant_extract") and not (node._meta and "start" in node._meta):
        return None  # the operator ->
    path = node.args.get("expression")
    if isinstance(path, exp.JSONPath):
        for part in reversed(path.expressions):
            if isinstance(part, exp.JSONPathKey) and isinstance(part.this, str):
                return part.this if part.args.get("quoted") else part.this.lower(), 2
    return _figure(node.this, text)


_TRIMS = {"LEADING": "ltrim", "TRAILING": "rtrim"}


def _trim(node: exp.Expr, text: str) -> Named | None:
    side = _TRIMS.get(str(node.args.get("position") or "").upper())
    return (side, 2) if side is not None else _function(node, text)


def _inner(node: exp.Expr, text: str) -> Named | None:
    return _figure(node.this, text)


def _subquery(node: exp.Expr, text: str) -> Named | None:
    query = node.this
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    if not isinstance(query, exp.Select) or not query.expressions:
        return None
    first = query.expressions[0]
    return (first.alias, 2) if first.alias else _figure(first, text)


def _keyword(word: str) -> Callable[[exp.Expr, str], Named]:
    def named(node: exp.Expr, text: str) -> Named:
        return word, 2

    return named


_SUBSCRIPT = "subscript"
"""Key of `node.meta`: a subscript of Postgres's, which names nothing; Snowflake's is a path's last step."""


def _bracket(node: exp.Expr, text: str) -> Named | None:
    keys, subscript = node.expressions, node._meta and _SUBSCRIPT in node._meta
    if len(keys) == 1 and isinstance(keys[0], exp.Literal) and keys[0].is_string and not subscript:
        return keys[0].this, 2
    return _figure(node.this, text)


def _dot(node: exp.Expr, text: str) -> Named | None:
    return _figure(node.args.get("expression"), text)


def _identifier(node: exp.Expr, text: str) -> Named:
    return (node.this if node.args.get("quoted") else node.this.lower()), 2


_Figure = Callable[[exp.Expr, str], Named | None]

_FIGURES: dict[type, _Figure | None] = {
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Case: _case,
    exp.Column: _column,
    exp.JSONExtract: _path,
    exp.JSONExtractScalar: _path,
    exp.JSONBExtract: _path,
    exp.JSONBExtractScalar: _path,
    exp.Paren: _inner,
    exp.Window: _inner,
    exp.Filter: _inner,
    exp.WithinGroup: _inner,
    exp.IgnoreNulls: _inner,
    exp.RespectNulls: _inner,
    exp.Collate: _inner,
    exp.Subquery: _subquery,
    exp.Exists: _keyword("exists"),
    exp.Array: _keyword("array"),
    exp.Interval: _keyword("interval"),
    exp.AtTimeZone: _keyword("timezone"),
    exp.Trim: _trim,
    exp.Tuple: _keyword("row"),
    exp.Bracket: _bracket,
    exp.Overlaps: _keyword("overlaps"),
    exp.Dot: _dot,
    exp.Identifier: _identifier,
}


def _figure(node: exp.Expr | None, text: str) -> Named | None:
    if node is None:
        return None
    kind = node.__class__
    try:
        figure = _FIGURES[kind]
    except KeyError:
        figure = _FIGURES[kind] = _figure_of(kind)
    return figure(node, text) if figure is not None else None


def _figure_of(kind: type) -> _Figure | None:
    """What names the nodes of a type that was not met before."""
    if issubclass(kind, _WRITTEN_AS_OPERATORS):
        return _written_as_function
    if issubclass(kind, exp.Func) and not issubclass(kind, (exp.And, exp.Or)):
        return _function
    return _written_as_function if issubclass(kind, exp.Binary) else None


def _written_as_function(node: exp.Expr, text: str) -> Named | None:
    """The function's name, where the text has one and not an operator."""
    return _function(node, text) if node._meta and "start" in node._meta else None


def outermost_select(tree: exp.Expr) -> exp.Select | None:
    """The SELECT whose projections name a query's columns: the first branch of a UNION.

    None for UNION BY NAME, whose branches all do.
    """
    node = tree
    while isinstance(node, (exp.SetOperation, exp.Subquery)):
        if node.args.get("by_name"):
            return None  # its branches are matched by the names that the engine gives
        node = node.this
    return node if isinstance(node, exp.Select) else None


_CLAUSES = ("order", "group", "having", "qualify")
_CLAUSE_SET = frozenset(_CLAUSES)


def _used_in_clauses(select: exp.Select, order_means_output: bool) -> dict[str, list[exp.Column]]:
    """Bare column names in the clauses after FROM, with the places where they stand."""
    used: dict[str, list[exp.Column]] = {}
    args = select.args
    if _CLAUSE_SET.isdisjoint(args):
        return used
    for clause in _CLAUSES[1:] if order_means_output else _CLAUSES:
        part = args.get(clause)
        if part is not None:
            for column in part.find_all(exp.Column):
                if column.args.get("table") is None:
                    used.setdefault(column.name.lower(), []).append(column)
    return used


def _one_source(select: exp.Select) -> str | None:
    """The name of the only thing in FROM."""
    from_ = select.args.get("from_")
    if from_ is None or select.args.get("joins") or select.args.get("laterals"):
        return None
    return from_.this.alias_or_name or None


def name_columns(tree: exp.Expr, text: str, *, postgres: bool = False) -> None:
    """Give the unnamed columns of a query their names, in place.

    postgres: whether a bare name in ORDER BY means an output column first, as in Postgres.
    """
    returning = tree.args.get("returning")
    if isinstance(returning, exp.Returning):
        _name_returned(returning, text)
        return
    if isinstance(tree, exp.Create) and isinstance(tree.expression, exp.Query):
        tree = tree.expression  # of a view, or of a table that is made of it
    select = outermost_select(tree)
    if select is not None:
        _name_select(select, text, postgres)


def name_index(create: exp.Create, text: str) -> None:
    """Gives an index without a name Postgres's, in place: `orders_lower_idx`."""
    if keys := keys_without_name(create):
        found = (_figure(key, text) for key in keys)
        words = [one[0] if one is not None else "expr" for one in found]
        index = create.this
        name = "_".join([index.args["table"].name, *words, "idx"])
        index.set("this", exp.Identifier(this=name, quoted=True))


def name_inner_columns(nodes: Listing, text: str) -> bool:
    """As `name_columns`, of the queries in FROM and in WITH, whose columns other parts may name.

    nodes: of a tree in Postgres's dialect. Whether any was named.
    """
    named = False
    for node in (*nodes.of(exp.Subquery), *nodes.of(exp.CTE)):
        if node.__class__ is exp.CTE or isinstance(node.parent, _IN_FROM):
            select = outermost_select(node.this)
            named = (select is not None and _name_select(select, text, True)) or named
    return named


_IN_FROM = (exp.From, exp.Join, exp.Lateral)


def _name_select(select: exp.Select, text: str, postgres: bool) -> bool:
    named = False
    used: dict[str, list[exp.Column]] | None = None
    projections = select.expressions
    if postgres and "[" in text:
        for one in projections:
            for bracket in one.find_all(exp.Bracket):
                bracket.meta[_SUBSCRIPT] = True
    for index, projection in enumerate(projections):
        kind = projection.__class__
        if kind in _ALREADY or projection.is_star:
            if kind is exp.Alias and "group" in select.args and _is_row(select, projection.alias):
                _by_number(select, projection.this, index)
            continue
        if kind is exp.DynamicIdentifier and not projection.args.get("expressions"):
            continue  # IDENTIFIER(...) that is no call becomes a column
        figured = _figure(projection, text)
        name = figured[0] if figured is not None else UNNAMED
        if not postgres:
            name = _as_written(name, text)
        if used is None:
            used = _used_in_clauses(select, postgres or bool(select.args.get("distinct")))
            if used:
                chosen = {e.alias.lower() for e in projections if isinstance(e, exp.Alias)}
        places = used.get(name.lower()) if used else None
        if places:
            source = _one_source(select)
            if source is None or name.lower() in chosen:
                continue
            if _is_row(select, name):
                _by_number(select, projection, index)
            else:
                for column in places:
                    column.set("table", exp.Identifier(this=source, quoted=True))
            del used[name.lower()]
        alias = exp.Alias(this=projection, alias=exp.Identifier(this=name, quoted=True))
        select.set("expressions", alias, index=index)
        named = True
    return named


def _is_row(select: exp.Select, name: str) -> bool:
    source = _one_source(select)
    return source is not None and source.lower() == name.lower()


def _by_number(select: exp.Select, output: exp.Expr, index: int) -> None:
    """Where the rows are grouped or sorted by an output, that is told by its place: no name means a row, and not
    the output that is called so."""
    if any(one.is_star for one in select.expressions):
        return
    for clause in ("group", "order"):
        part = select.args.get(clause)
        for one in part.expressions if part is not None else ():
            key = one.this if isinstance(one, exp.Ordered) else one
            if key == output:
                key.replace(exp.Literal.number(index + 1))


def _name_returned(returning: exp.Returning, text: str) -> None:
    for index, output in enumerate(returning.expressions):
        if output.__class__ not in _ALREADY and not output.is_star:
            figured = _figure(output, text)
            name = exp.Identifier(this=figured[0] if figured else UNNAMED, quoted=True)
            returning.set("expressions", exp.Alias(this=output, alias=name), index=index)


def _as_written(name: str, text: str) -> str:
    """The name that Snowflake's dialect has for a function, unless it is nowhere in the text."""
    other = _IN_SNOWFLAKE.get(name, "")
    return other if other and other.upper() in text.upper() else name


_ALREADY = frozenset({exp.Alias, exp.Aliases, exp.Column, exp.Star})
