"""What is written into columns of which more is declared than a type: identities, digits of a second.

Why it exists: DuckDB takes any value for a column that GENERATED ALWAYS numbers, none with more
digits than a timestamp(3) keeps (`proxy.sql.digits`), and passes generated columns over where values have
no names. Once it is known which columns a statement writes into, what Postgres refuses is refused, the
digits are rounded - values where they stand, rows of a query around it, and defaults where they will be
taken - and DEFAULT for a generated column is left out.

Promises: only INSERT, UPDATE and MERGE are changed, and only for such columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError

from proxy.errors import SqlError
from proxy.sql.digits import rounded_as
from proxy.sql.reading import DUCKDB, write_duckdb

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """Of one column. name: as it is stored. always: it is GENERATED ALWAYS AS IDENTITY. identity: or BY DEFAULT.

    digits: of a second, None for all. kind: Postgres's name of its type. default: DuckDB's SQL, None for none.
    computed: it is GENERATED ALWAYS AS an expression.
    """

    name: str
    always: bool = False
    digits: int | None = None
    kind: str = ""
    default: str | None = None
    computed: bool = False
    identity: bool = False


class Columns(list[tuple[str, object]]):
    """The columns of a table, as `inference.Columns`. declared: what is more, by folded name."""

    declared: Mapping[str, Declaration] = {}


def target_of(tree: exp.Expr) -> exp.Table | None:
    """The table that a statement writes into."""
    if not isinstance(tree, (exp.Insert, exp.Update, exp.Merge)):
        return None
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    plain = isinstance(target, exp.Table) and isinstance(target.this, exp.Identifier)
    return target if plain else None


def path_of(table: exp.Table) -> Path:
    """The parts of its name, as it is written."""
    return tuple(part.name for key in ("catalog", "db", "this") if (part := table.args.get(key)))


EVERY = "*"
"""Among the columns that an UPDATE sets: DuckDB writes whole rows where some of them are returned."""


def columns_set(tree: exp.Update | exp.OnConflict) -> frozenset[str]:
    """The columns, folded, that SET names."""
    targets = [one.this if isinstance(one, exp.EQ) else one for one in tree.expressions]
    names = (name.name.casefold() for target in targets for name in target.find_all(exp.Identifier))
    return frozenset(names) | ({EVERY} if tree.args.get("returning") else frozenset())


def put_around(
    tree: exp.Expr,
    columns_of: Callable[[Path], object],
    *,
    given: str,
    checks: bool,
    width: int | None = None,
) -> bool:
    """Rounds what a statement of DuckDB's writes, in place; whether anything was changed.

    columns_of: of the table, as `Columns` where more is declared. given: the word in OVERRIDING ... VALUE, ''.
    checks: identities are Postgres's. width: how many columns its query has, where its text alone does not
    show it. Raises SqlError 428C9 for a value that such a column does not take.
    """
    target = target_of(tree)
    if target is None:
        return False
    columns = columns_of(path_of(target))
    if not isinstance(columns, Columns) or not columns.declared:
        return False
    names = [name.lower() for name, _ in columns]
    writing = _Writing(names, columns.declared, checks)
    if isinstance(tree, exp.Insert):
        writing.insert(tree, given, width)
    elif isinstance(tree, exp.Update):
        writing.update(tree)
    else:
        writing.merge(tree)
    return writing.changed


def rounding(sql: str, columns_of: Callable[[Path], object]) -> str:
    """An INSERT of DuckDB's that rounds what it writes. Values of identities are taken as they are.

    What cannot be read stays as it is: the CHECK sees to it. On any thread.
    """
    try:
        tree = DUCKDB.dialect.parse(sql)[0]
    except (SqlglotError, RecursionError):
        return sql
    changed = tree is not None and put_around(tree, columns_of, given="SYSTEM", checks=False)
    return write_duckdb(tree) if tree is not None and changed else sql


def query_around(
    query: exp.Expr, width: int, value_of: Callable[[int, exp.Column], exp.Expr]
) -> exp.Select:
    """A query over a query of so many columns. value_of: what stands for one, by its number."""
    places = [exp.to_identifier(f"c{number}", quoted=True) for number in range(width)]
    values = [value_of(n, exp.Column(this=place.copy())) for n, place in enumerate(places)]
    alias = exp.TableAlias(this=exp.to_identifier("written", quoted=True), columns=places)
    source = exp.From(this=exp.Subquery(this=query, alias=alias))
    return exp.Select(expressions=values, from_=source)


class _Writing:
    def __init__(self, names: list[str], declared: Mapping[str, Declaration], checks: bool) -> None:
        self._names = names
        self._declared = declared
        self._checks = checks
        self.changed = False

    # --- INSERT ---------------------------------------------------------------------------------

    def insert(self, tree: exp.Insert, given: str, width: int | None) -> None:
        rows = tree.expression
        named = isinstance(tree.this, exp.Schema)
        into = [one.name.lower() for one in tree.this.expressions] if named else self._names
        if isinstance(rows, exp.Values):
            self._rows(tree, rows, into, given)
        elif isinstance(rows, exp.Query) and not tree.args.get("by_name"):
            width = None if named else width if width is not None else width_of(rows)
            self._query(tree, rows, into if width is None else into[:width], given)
        elif tree.args.get("default"):
            self._defaults_only(tree)
        if (conflict := tree.args.get("conflict")) is not None:
            self.update(conflict)

    def _rows(self, tree: exp.Insert, rows: exp.Values, into: Sequence[str], given: str) -> None:
        tuples = [one for one in rows.expressions if isinstance(one, exp.Tuple)]
        if len(tuples) != len(rows.expressions) or not tuples:
            return
        width = max(len(one.expressions) for one in tuples)
        into = into[:width]
        for name, *items in zip(into, *(one.expressions for one in tuples), strict=False):
            if not all(map(is_default, items)) and not self._passes_over(name, given):
                self._check_generated(name, given)
        for one in tuples:
            for index, (name, item) in enumerate(zip(into, one.expressions, strict=False)):
                if self._passes_over(name, given):
                    one.set("expressions", exp.Var(this="DEFAULT"), index=index)
                    self.changed = True
                elif (made := self._value(name, item)) is not None:
                    one.set("expressions", made, index=index)
        computed = [index for index, name in enumerate(into) if self._is_computed(name)]
        for one in tuples if computed else ():
            kept = [item for n, item in enumerate(one.expressions) if n not in computed]
            one.set("expressions", kept)
        into = [name for n, name in enumerate(into) if n not in computed]
        if computed and not into:
            into = [self._any()]
            for one in tuples:
                one.set("expressions", [exp.Var(this="DEFAULT")])
        left = self._left_out(into)
        for one in tuples if left else ():
            for _, value in left:
                one.append("expressions", value.copy())
        self._name(tree, into, left, anew=bool(computed))

    def _query(self, tree: exp.Insert, rows: exp.Query, into: Sequence[str], given: str) -> None:
        kept = [n for n, name in enumerate(into) if not self._passes_over(name, given)]
        for n in kept:
            self._check_generated(into[n], given)
        left = self._left_out(into)
        fewer = len(kept) < len(into)
        if not left and not fewer and not any(self._rounds(name) for name in into):
            return
        made = query_around(rows, len(into), lambda n, c: self._value(into[n], c) or c)
        values = [made.expressions[n] for n in kept] + [value for _, value in left]
        if not values:
            message = "OVERRIDING USER VALUE of a query that gives nothing else"
            raise SqlError("0A000", f"{message} is not supported", hint="INSERT DEFAULT VALUES.")
        made.set("expressions", values)
        tree.set("expression", made)
        self.changed = True
        self._name(tree, [into[n] for n in kept], left, anew=fewer)

    def _defaults_only(self, tree: exp.Insert) -> None:
        left = self._left_out(())
        if left:
            tree.set("default", False)
            items = [value for _, value in left]
            tree.set("expression", exp.Values(expressions=[exp.Tuple(expressions=items)]))
            self._name(tree, (), left)

    def _left_out(self, into: Sequence[str]) -> list[tuple[str, exp.Expr]]:
        """The columns whose defaults will be taken, and these, where they are to be rounded."""
        return [
            (name, self._default(name))
            for name in self._names
            if name not in into and self._rounds(name) and self._declared[name].default is not None
        ]

    def _name(
        self,
        tree: exp.Insert,
        into: Sequence[str],
        left: Sequence[tuple[str, exp.Expr]],
        *,
        anew: bool = False,
    ) -> None:
        if not left and not anew:
            return
        table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        names = [exp.to_identifier(name, quoted=True) for name in (*into, *(n for n, _ in left))]
        tree.set("this", exp.Schema(this=table, expressions=names))
        self.changed = True

    # --- UPDATE, MERGE --------------------------------------------------------------------------

    def update(self, tree: exp.Update | exp.OnConflict, table: str | None = None) -> None:
        """table: by what name its columns are known where others may have theirs."""
        self.assignments(tree.expressions)
        kept = [one for one in tree.expressions if not self._leaves(one)]
        if len(kept) < len(tree.expressions):
            self.changed = True
            name = exp.column(self._any(), quoted=True)
            itself = exp.column(self._any(), table, quoted=True)
            tree.set("expressions", kept or [exp.EQ(this=name, expression=itself)])

    def _leaves(self, one: exp.Expr) -> bool:
        """Whether it says DEFAULT of a generated column, which is that anyway."""
        assigned = isinstance(one, exp.EQ) and isinstance(one.this, exp.Column)
        return assigned and self._is_computed(one.this.name.lower()) and is_default(one.expression)

    def _any(self) -> str:
        """A column that is not generated."""
        return next(name for name in self._names if not self._is_computed(name))

    def assignments(self, assigned: Sequence[exp.Expr]) -> None:
        for one in assigned:
            if not isinstance(one, exp.EQ):
                continue
            to, value = one.this, one.expression
            if isinstance(to, exp.Tuple):
                self._several(to, value)
                continue
            name = to.name.lower()
            if not is_default(value):
                self._check_updated(name)
            if (made := self._value(name, value)) is not None:
                one.set("expression", made)

    def _several(self, to: exp.Tuple, value: exp.Expr) -> None:
        names = [one.name.lower() for one in to.expressions]
        items = value.expressions if isinstance(value, exp.Tuple) else []
        for index, name in enumerate(names):
            item = items[index] if index < len(items) else None
            if item is None or not is_default(item):
                self._check_updated(name)
            if item is not None and (made := self._value(name, item)) is not None:
                value.set("expressions", made, index=index)

    def merge(self, tree: exp.Merge) -> None:
        whens = tree.args.get("whens")
        for when in whens.expressions if whens is not None else ():
            then = when.args.get("then")
            if isinstance(then, exp.Update):
                self.update(then, tree.this.alias_or_name)
            elif isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
                self._merged(then)

    def _merged(self, then: exp.Insert) -> None:
        named = isinstance(then.this, exp.Tuple)
        into = [one.name.lower() for one in then.this.expressions] if named else self._names
        row = then.expression
        into = into[: len(row.expressions)]
        for index, (name, item) in enumerate(zip(into, row.expressions, strict=False)):
            if not is_default(item):
                self._check_generated(name, given=False)
            if (made := self._value(name, item)) is not None:
                row.set("expressions", made, index=index)
        values = list(zip(into, row.expressions, strict=False))
        kept = [(name, item) for name, item in values if not self._is_computed(name)]
        left = self._left_out(into)
        if (left or len(kept) < len(into)) and len(values) == len(row.expressions):
            made = [*kept, *left] or [(self._any(), exp.Var(this="DEFAULT"))]
            names = [exp.column(name, quoted=True) for name, _ in made]
            then.set("this", exp.Tuple(expressions=names))
            then.set("expression", exp.Tuple(expressions=[item for _, item in made]))
            self.changed = True

    # --- one value ------------------------------------------------------------------------------

    def _rounds(self, name: str) -> bool:
        found = self._declared.get(name)
        return found is not None and found.digits is not None

    def _value(self, name: str, value: exp.Expr) -> exp.Expr | None:
        """What stands in a value's place; None for itself."""
        if is_default(value):
            if isinstance(value, exp.Column):  # read as one of that name
                self.changed = True
                if not self._rounds(name) or self._declared[name].default is None:
                    return exp.Var(this="DEFAULT")
            if not self._rounds(name) or self._declared[name].default is None:
                return None
            self.changed = True
            return self._default(name)
        if not self._rounds(name) or isinstance(value, exp.Null):
            return None
        digits = self._declared[name].digits
        if isinstance(value, exp.Literal) and _fraction(value.this) <= (digits or 0):
            return None  # most are: a macro around each would take DuckDB long to bind
        self.changed = True
        return self._rounded(name, value.copy())

    def _default(self, name: str) -> exp.Expr:
        text = self._declared[name].default
        assert text is not None
        tree = DUCKDB.dialect.parse(f"SELECT {text}")[0]
        assert tree is not None
        return self._rounded(name, tree.expressions[0].unalias())

    def _rounded(self, name: str, value: exp.Expr) -> exp.Expr:
        declared = self._declared[name]
        assert declared.digits is not None
        return rounded_as(value, declared.kind, declared.digits)

    def _passes_over(self, name: str, given: str) -> bool:
        """Whether the column numbers its rows whatever it is given."""
        found = self._declared.get(name)
        return given == "USER" and found is not None and found.identity

    def _check_generated(self, name: str, given: str) -> None:
        if self._is_computed(name):
            raise _computed(
                'cannot insert a non-DEFAULT value into column "{}"', self._declared[name]
            )
        if not given and self._always(name):
            name = self._declared[name].name
            raise SqlError(
                "428C9",
                f'cannot insert a non-DEFAULT value into column "{name}"',
                detail=_ALWAYS.format(name),
                hint="Use OVERRIDING SYSTEM VALUE to override.",
            )

    def _check_updated(self, name: str) -> None:
        if self._is_computed(name):
            raise _computed('column "{}" can only be updated to DEFAULT', self._declared[name])
        if self._always(name):
            name = self._declared[name].name
            message = f'column "{name}" can only be updated to DEFAULT'
            raise SqlError("428C9", message, detail=_ALWAYS.format(name))

    def _is_computed(self, name: str) -> bool:
        found = self._declared.get(name)
        return self._checks and found is not None and found.computed

    def _always(self, name: str) -> bool:
        found = self._declared.get(name)
        return self._checks and found is not None and found.always


def _computed(message: str, column: Declaration) -> SqlError:
    detail = f'Column "{column.name}" is a generated column.'
    return SqlError("428C9", message.format(column.name), detail=detail)


_ALWAYS = 'Column "{}" is an identity column defined as GENERATED ALWAYS.'


def is_default(value: exp.Expr) -> bool:
    """Whether a value is the word DEFAULT, which DuckDB's grammar reads as a column in some places."""
    if isinstance(value, exp.Var):
        return value.name.upper() == "DEFAULT"
    return (
        isinstance(value, exp.Column)
        and not value.table
        and value.name.lower() == "default"
        and not value.this.args.get("quoted")
    )


def _fraction(text: str) -> int:
    """How many digits a literal has behind its last point."""
    _, point, rest = text.rpartition(".")
    return len(rest) - len(rest.lstrip("0123456789")) if point else 0


def width_of(query: exp.Query) -> int | None:
    """How many columns a query has; None where its text does not show it."""
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    if not isinstance(query, exp.Select) or any(one.is_star for one in query.expressions):
        return None
    return len(query.expressions)
