"""INSERT, UPDATE and DELETE of a view, as statements on the table that it shows.

Why it exists: Postgres writes through a view that shows rows of one table; DuckDB writes into tables alone. What a
statement says of the view's rows is asked of the view's query, beside the numbers of the table's rows, so that
names in it mean what they mean to who wrote it; then the table's rows of these numbers are changed.

Promises: reads and writes DuckDB's SQL. What Postgres refuses is refused in its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.changes.changed_rows import ROW
from proxy.sql.changes.written_columns import Path, is_default, width_of

_NUMBER = "_row"
_UNTYPED = (exp.Parameter, exp.Placeholder, exp.Literal, exp.Null)
_TARGET, _NEW = "_written", "_new"
_CLAUSES = {
    "distinct": "DISTINCT",
    "group": "GROUP BY",
    "having": "HAVING",
    "with_": "WITH",
    "limit": "LIMIT or OFFSET",
    "offset": "LIMIT or OFFSET",
}
_ONE_TABLE = "Views that do not select from a single table or view"
_COMPUTED = "View columns that are not columns of their base relation are not updatable."


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows. table: whose rows; columns: the table's for each of the view's, None for what is computed.

    kinds: DuckDB's types of the view's columns. query: of the numbers of the table's rows, and then of these.
    """

    view: str
    table: Path
    columns: dict[str, str | None]
    kinds: dict[str, str]
    query: exp.Query


def not_updatable(query: exp.Expr | None) -> str:
    """Why rows of such a query cannot be written, in Postgres's words; '' where they can."""
    if not isinstance(query, exp.Select):
        return "Views containing UNION, INTERSECT, or EXCEPT"
    for key, what in _CLAUSES.items():
        if query.args.get(key):
            return f"Views containing {what}"
    source = query.args.get("from_")
    table = source.this if source is not None else None
    if query.args.get("joins") or not isinstance(table, exp.Table) or table.args.get("joins"):
        return _ONE_TABLE
    if not isinstance(table.this, exp.Identifier):
        return _ONE_TABLE
    if table.args.get("sample") or query.args.get("sample"):
        return "Views containing TABLESAMPLE"
    for kinds, what in _OUTPUTS:
        if any(output.find(*kinds) for output in query.expressions):
            return f"Views that return {what}"
    return ""


_OUTPUTS: Sequence[tuple[tuple[type[exp.Expr], ...], str]] = (
    ((exp.Window,), "window functions"),
    ((exp.UDTF, exp.Explode, exp.GenerateSeries), "set-returning functions"),
    ((exp.AggFunc,), "aggregate functions"),
)


def refused(verb: str, view: str, detail: str) -> SqlError:
    """55000, as Postgres has it. verb: INSERT, UPDATE or DELETE."""
    doing, done = _DOING[verb]
    return SqlError(
        "55000",
        f'cannot {done} view "{view}"',
        detail=f"{detail} are not automatically updatable.",
        hint=f"To enable {doing} the view, provide an INSTEAD OF {verb} trigger"
        f" or an unconditional ON {verb} DO INSTEAD rule.",
    )


_DOING = {
    "INSERT": ("inserting into", "insert into"),
    "UPDATE": ("updating", "update"),
    "DELETE": ("deleting from", "delete from"),
}


def source_of(query: exp.Select) -> exp.Table:
    return query.args["from_"].this


def outputs_of(query: exp.Select, below: Iterable[str]) -> list[str | None]:
    """What each column of a view's query is of the relation that it reads; None for what is computed.

    below: the columns of that.
    """
    spelled = {name.lower(): name for name in below}
    found: list[str | None] = []
    for output in query.expressions:
        if output.is_star:
            found += spelled.values()
            continue
        value = output.unalias()
        found.append(spelled.get(value.name.lower()) if isinstance(value, exp.Column) else None)
    return found


def shown_rows(query: exp.Select, below: Shown | None) -> exp.Select:
    """A view's query with the numbers of the table's rows before its columns. below: of the view that it reads."""
    query = query.copy()
    table = source_of(query)
    alias = table.alias_or_name
    number = ROW if below is None else _NUMBER
    if below is not None:
        table.replace(_as_relation(below, alias))
    row = exp.Column(this=exp.Identifier(this=number), table=_name(alias))
    query.set("expressions", [row, *query.expressions])
    return query


def written_through(
    tree: exp.Insert | exp.Update | exp.Delete, shown: Shown
) -> tuple[frozenset[str], exp.Select | None]:
    """Puts the statement on the table. The columns, folded, that it sets, and the query that it asks for rows,
    which has to stand by itself: DuckDB would find what it lacks in the table around it.

    Raises SqlError 0A000, 42703, 42P01.
    """
    if isinstance(tree, exp.Insert):
        _insert(tree, shown)
        return frozenset(), None
    alias = tree.this.alias_or_name
    _return(tree, shown, alias)
    row = exp.column(_NUMBER, table=alias, quoted=True)
    rows = exp.select(row, copy=False).from_(_as_relation(shown, alias), copy=False)
    source = tree.args.get("from_")
    for other in [source.this] if source is not None else tree.args.get("using") or ():
        rows = rows.join(other.copy(), join_type="cross", copy=False)
    rows.set("where", tree.args.get("where"))
    if isinstance(tree, exp.Delete):
        tree.set("this", _table(shown))
        tree.set("using", None)
        found = exp.In(this=exp.Column(this=exp.Identifier(this=ROW)), query=rows.subquery())
        tree.set("where", exp.Where(this=found))
        return frozenset(), _by_itself(rows, tree)
    changes = []
    for name, value in _assigned(tree, shown):
        if is_default(value):
            value = exp.Null()  # a view's column has none
        else:
            place = f"_v{len(changes)}"
            rows.append("expressions", exp.alias_(value, _name(place)))
            value = exp.column(place, table=_NEW, quoted=True)
        changes.append(exp.EQ(this=exp.Column(this=_name(name)), expression=value))
    tree.set("this", exp.alias_(_table(shown), _name(_TARGET), table=True))
    tree.set("expressions", changes)
    tree.set("from_", exp.From(this=rows.subquery(_name(_NEW))))
    own = exp.Column(this=exp.Identifier(this=ROW), table=_name(_TARGET))
    theirs = exp.column(_NUMBER, table=_NEW, quoted=True)
    tree.set("where", exp.Where(this=exp.EQ(this=own, expression=theirs)))
    return frozenset(one.this.name.lower() for one in changes), _by_itself(rows, tree)


def _by_itself(rows: exp.Select, tree: exp.Update | exp.Delete) -> exp.Select:
    rows = rows.copy()
    if (around := tree.args.get("with_")) is not None:
        rows.set("with_", around.copy())
    return rows


def _insert(tree: exp.Insert, shown: Shown) -> None:
    if tree.args.get("conflict") is not None:
        raise SqlError("0A000", f'INSERT ... ON CONFLICT into view "{shown.view}" is not supported')
    target, rows = tree.this, tree.expression
    if isinstance(target, exp.Schema):
        names = [one.name for one in target.expressions]
        target = target.this
    else:
        names = list(shown.columns)
        if isinstance(rows, exp.Values):
            names = names[: len(rows.expressions[0].expressions)]
        elif isinstance(rows, exp.Query):
            names = names[: width_of(rows) or len(names)]
    into = [_name(_stored(name, shown, 'insert into column "{}" of view "{}"')) for name in names]
    _return(tree, shown, target.alias_or_name)
    tree.set("this", _table(shown))
    if not tree.args.get("default"):
        tree.set("this", exp.Schema(this=_table(shown), expressions=into))


def _assigned(tree: exp.Update, shown: Shown) -> Iterable[tuple[str, exp.Expr]]:
    told = 'update column "{}" of view "{}"'
    for one in tree.expressions:
        to, value = one.this, one.expression
        if not isinstance(to, exp.Tuple):
            yield _stored(to.name, shown, told), _as_column(to.name, value, shown)
            continue
        if not isinstance(value, exp.Tuple):
            raise SqlError("0A000", "SET (...) = (SELECT ...) of a view is not supported")
        for name, item in zip(to.expressions, value.expressions, strict=True):
            yield _stored(name.name, shown, told), _as_column(name.name, item, shown)


def _as_column(name: str, value: exp.Expr, shown: Shown) -> exp.Expr:
    """A value that is of no type by itself as one of the column's."""
    if not isinstance(value, _UNTYPED) or value.is_number:
        return value
    kind = next(kind for own, kind in shown.kinds.items() if own.lower() == name.lower())
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


def _stored(name: str, shown: Shown, told: str) -> str:
    """The table's column that a column of the view is."""
    found = _column(name, shown)
    if found is None:
        message = told.format(name, shown.view)
        raise SqlError("0A000", f"cannot {message}", detail=_COMPUTED)
    return found


def _column(name: str, shown: Shown) -> str | None:
    for own, stored in shown.columns.items():
        if own.lower() == name.lower():
            return stored
    raise SqlError("42703", f'column "{name}" of relation "{shown.view}" does not exist')


def _return(tree: exp.Expr, shown: Shown, alias: str) -> None:
    """Puts the table's columns into RETURNING in place of the view's, under the view's names."""
    returning = tree.args.get("returning")
    if returning is None:
        return
    told = 'return column "{}" of view "{}", which is computed: it is not supported'
    outputs: list[exp.Expr] = []
    for output in returning.expressions:
        if output.is_star:
            outputs += [exp.column(name, quoted=True) for name in shown.columns]
        else:
            outputs.append(output)
    made = []
    for output in outputs:
        named = output
        if isinstance(output, exp.Column):
            named = exp.alias_(output, _name(output.name), copy=False)
        for column in list(named.find_all(exp.Column)):
            if column.table and column.table.lower() != alias.lower():
                raise SqlError("42P01", f'missing FROM-clause entry for table "{column.table}"')
            column.replace(exp.Column(this=_name(_stored(column.name, shown, told))))
        made.append(named)
    returning.set("expressions", made)


def _as_relation(shown: Shown, alias: str) -> exp.Subquery:
    columns = [_name(name) for name in (_NUMBER, *shown.columns)]
    named = exp.TableAlias(this=_name(alias), columns=columns)
    return exp.Subquery(this=shown.query.copy(), alias=named)


def _table(shown: Shown) -> exp.Table:
    *above, name = map(_name, shown.table)
    return exp.Table(this=name, db=above[-1] if above else None)


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
