"""RETURNING of what UPDATE ... FROM or DELETE ... USING joins, as three statements of DuckDB's.

Why it exists: DuckDB's RETURNING knows the columns of the changed table alone. So what is joined is put aside
first, once for each row that changes, with the values that this row is to have; the rows are changed by what
was put aside; and what RETURNING says is a query of it.

Where several are joined to one row, Postgres leaves open which of them counts. Here it is the same one for the
change and for what is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.changes.changed_rows import ROW, changed_by
from proxy.sql.changes.written_columns import Declaration, is_default
from proxy.sql.compound import WithWrites
from proxy.sql.digits import rounded_as
from proxy.sql.reading import position_of, write_duckdb
from proxy.sql.statement import Route, Statement

Changing = exp.Update | exp.Delete
_CONSTANTS = (exp.Literal, exp.Placeholder, exp.Parameter, exp.Null, exp.Boolean)
_NUMBER = "r"


def names_joined(tree: exp.Expr, *, surely: bool = False) -> bool:
    """Whether RETURNING names more than the columns of the table that a statement changes.

    surely: not only where a column without a table's name is one of the joined.
    """
    if not isinstance(tree, Changing) or not _joined(tree):
        return False
    returning = tree.args.get("returning")
    if returning is None or not isinstance(tree.this, exp.Table):
        return False
    name = tree.this.alias_or_name
    columns = [column for one in returning.expressions for column in one.find_all(exp.Column)]
    stars = any(isinstance(one, exp.Star) for one in returning.expressions)
    others = {column.table for column in columns} - {name}
    return stars or bool(others - {""} if surely else others)


def as_one(plan: Statement) -> Statement:
    """The plan as one statement of DuckDB's, which has to do where the columns may be the table's."""
    action = plan.action
    if isinstance(action, WithWrites) and action.joined is not None and not action.surely:
        return action.joined
    return plan


def in_steps(plan: Statement, surely: bool) -> Statement:
    """The plan of a statement of which `names_joined` holds, surely or not."""
    kept = {"parameters": plan.parameters, "refused": plan.refused, "needs": plan.needs}
    return Statement(
        Route.SESSION,
        plan.kind,
        plan.text,
        plan.start,
        action=WithWrites(joined=plan, surely=surely),
        tag=plan.tag,
        writes=True,
        **kept,
    )


def only_joins(tree: Changing) -> None:
    """Raises SqlError 0A000 where its sources cannot be told from one another."""
    for item in _joined(tree):
        for join in item.args.get("joins") or ():
            if join.args.get("using") or join.args.get("method"):
                raise refused("beside a join USING", tree)


def refused(what: str, tree: exp.Expr) -> SqlError:
    verb = "UPDATE ... FROM" if isinstance(tree, exp.Update) else "DELETE ... USING"
    said = f"RETURNING of what {verb} joins{what and ' '}{what}"
    message = f"{said} is not supported on analytical tables"
    return SqlError("0A000", message, hint="Ask for it in a query.", position=position_of(tree))


def _joined(tree: Changing) -> list[exp.Expr]:
    source = tree.args.get("from_")
    return [source.this] if source is not None else list(tree.args.get("using") or ())


def sources(tree: Changing) -> Iterator[str]:
    """The names of all that is joined, the table that is changed first."""
    yield tree.this.alias_or_name
    for item in _joined(tree):
        yield item.alias_or_name
        for join in item.args.get("joins") or ():
            yield join.this.alias_or_name


def are_its_own(tree: Changing, columns: Mapping[str, Sequence[str]]) -> bool:
    """Whether all that RETURNING names is of the changed table, and of no other. columns: of each source."""
    if names_joined(tree, surely=True):
        return False
    own, *others = ({name.lower() for name in names} for names in columns.values())
    named = {
        one.name.lower() for one in tree.args["returning"].find_all(exp.Column) if not one.table
    }
    return named <= own.difference(*others)


def columns_asked(tree: Changing, source: str) -> str:
    """A query with the columns of one of the sources."""
    star = exp.Column(this=exp.Star(), table=exp.to_identifier(source, quoted=True))
    query = changed_by(tree, [star]).limit(0, copy=False)
    query.set("where", None)
    for value in list(query.find_all(exp.Placeholder, exp.Parameter)):
        value.replace(exp.Null())  # DuckDB does not tell the columns before it knows their types
    return write_duckdb(query)


@dataclass(frozen=True, slots=True)
class Apart:
    """DuckDB's SQL of the three. changes: the changing statement's tree."""

    aside: str
    changes: Changing
    returned: str


def apart(
    tree: Changing,
    columns: Mapping[str, Sequence[str]],
    declared: Mapping[str, Declaration],
    type_of: Callable[[str], exp.DataType],
    table: str,
) -> Apart:
    """columns: of each source. declared: of columns of the changed table, by folded name, what is more than their
    types. type_of: its columns. table: has what is put aside.

    Raises SqlError 0A000.
    """
    return _Parts(tree, columns, declared, type_of, table).made()


class _Parts:
    def __init__(
        self,
        tree: Changing,
        columns: Mapping[str, Sequence[str]],
        declared: Mapping[str, Declaration],
        type_of: Callable[[str], exp.DataType],
        table: str,
    ) -> None:
        self._tree, self._columns, self._declared = tree, columns, declared
        self._type_of, self._table = type_of, table
        self._returning = tree.args["returning"]
        self._target = tree.this.alias_or_name
        self._aside: list[exp.Expr] = [_named(_column(ROW, self._target), _NUMBER)]
        self._set = self._assigned()

    def made(self) -> Apart:
        parts = []
        for source, names in self._columns.items():
            shown = [name for name in names if self._is_returned(name)] or names[:1]
            part = exp.select(*(self._kept(source, name) for name in shown), copy=False)
            part.from_(exp.to_table(self._table), copy=False)
            parts.append(part.subquery(exp.to_identifier(source, quoted=True), copy=False))
        query = exp.select(*self._returning.expressions, copy=False)
        query.set("from_", exp.From(this=parts[0]))
        query.set("joins", [exp.Join(this=part, method="POSITIONAL") for part in parts[1:]])
        return Apart(self._put_aside(), self._change(), write_duckdb(query))

    def _put_aside(self) -> str:
        aside = changed_by(self._tree, self._aside)
        rank = exp.Window(
            this=exp.RowNumber(), partition_by=[_column(ROW, self._target)], over="OVER"
        )
        first = exp.EQ(this=rank, expression=exp.Literal.number(1))
        aside.set("qualify", exp.Qualify(this=first))
        aside = aside.order_by(_column(ROW, self._target), copy=False)
        return write_duckdb(aside)

    def _change(self) -> Changing:
        made = self._tree.copy()
        for key in ("returning", "with_"):
            made.set(key, None)
        table = exp.to_table(self._table)
        if isinstance(made, exp.Update):
            made.set("expressions", [one.copy() for one, _ in self._set.values()])
            made.set("from_", exp.From(this=table))
        else:
            made.set("using", [table])
        same = exp.EQ(this=_column(ROW, self._target), expression=_column(_NUMBER, self._table))
        made.set("where", exp.Where(this=same))
        return made

    def _assigned(self) -> dict[str, tuple[exp.Expr, exp.Expr]]:
        """What SET says of each column, by its folded name: the assignment, and its value of what is aside."""
        found: dict[str, tuple[exp.Expr, exp.Expr]] = {}
        for one in self._tree.expressions if isinstance(self._tree, exp.Update) else ():
            if not isinstance(one, exp.EQ) or not isinstance(one.this, exp.Column):
                raise refused("beside SET of several columns at once", self._tree)
            value = one.expression
            if not is_default(value) and not isinstance(value.unnest(), _CONSTANTS):
                name = f"v{len(self._aside)}"
                self._aside.append(_named(value.copy(), name))
                value = _column(name, self._table)
            assignment = exp.EQ(this=one.this.copy(), expression=value.copy())
            found[one.this.name.lower()] = assignment, value
        return found

    def _kept(self, source: str, name: str) -> exp.Expr:
        """A column of a source, as the change has left it, of what is aside."""
        folded = name.lower()
        if source == self._target:
            more = self._declared.get(folded)
            if folded in self._set:
                return _named(self._changed(folded, more), name)
            if more is not None and more.computed and self._set:
                raise refused(f'beside the generated column "{name}"', self._tree)
        place = f"c{len(self._aside)}"
        self._aside.append(_named(_column(name, source), place))
        return _named(exp.column(place, quoted=True), name)

    def _changed(self, folded: str, more: Declaration | None) -> exp.Expr:
        _, value = self._set[folded]
        kind = self._type_of(folded)
        if is_default(value):
            raise refused("beside DEFAULT", self._tree)
        if not isinstance(value, exp.Column):  # is read as one of the column's type
            never = exp.If(this=exp.false(), true=exp.Cast(this=exp.Null(), to=kind.copy()))
            value = exp.Case(ifs=[never], default=value.copy())
        made: exp.Expr = exp.Cast(this=value.copy(), to=kind)
        if more is not None and more.digits is not None:
            made = rounded_as(made, more.kind, more.digits)
        return made

    def _is_returned(self, name: str) -> bool:
        """Whether RETURNING may name a column of that name."""
        if any(one.is_star for one in self._returning.expressions):
            return True
        names = {one.name.lower() for one in self._returning.find_all(exp.Column)}
        return name.lower() in names or not names.isdisjoint(map(str.lower, self._columns))


def _named(value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(value, name, quoted=True, copy=False)


def _column(name: str, table: str) -> exp.Column:
    return exp.column(name, table, quoted=True)
