"""Which columns of a result are varchar(n) or numeric(p,s): those that surely are declared so.

Why it exists: DuckDB's VARCHAR has no length. `varchar(20)` is kept there by a CHECK, and its n would
be lost to RowDescription, where drivers read the size of a column. A DECIMAL always has precision and
scale, while Postgres's numeric has none where it was computed. Here the tree of a statement is
followed from its output columns down to the tables, through `*`, aliases, subqueries, WITH and views.

What it promises: a length is given only for what is that column's value or NULL. What is not
understood - a function, a name of which there could be two - has none. Nothing is read here: what is
declared comes from the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError

from proxy.errors import SqlError
from proxy.sql.digits import MOST, cast_digits, checked_digits
from proxy.sql.digits import at_most as at_most_digits
from proxy.sql.postgres.values import at_most
from proxy.sql.reading import DUCKDB, write_duckdb

Path = tuple[str, str, str]
"""Database, schema and name of a relation, as DuckDB's catalog has them."""

_TEMPORARY = "temp"
_DEEPEST = 16  # views upon views


@dataclass(frozen=True, slots=True)
class Declared:
    """What DuckDB's catalog says, as it says it.

    checks: (relation, column, expression) of CHECKs on one column. columns: of every relation, in
    order, where there are checks at all. views: their CREATE VIEW. numbers: precision and scale of
    the columns of tables that are DECIMALs or lists of them; None where nobody asked for them.
    """

    database: str = ""
    schemas: tuple[str, ...] = ()  # those of the search path
    checks: tuple[tuple[Path, str, str], ...] = ()
    columns: Mapping[Path, tuple[str, ...]] | None = None
    views: Mapping[Path, str] | None = None
    numbers: Mapping[tuple[Path, str], tuple[int, int]] | None = None


Outputs = list[tuple[str, int]]
"""Name in lower case and length of each column of a query: 0 for none, of a number `number_of`, of what
says its digits (timestamp(3)) `moment_of`."""

OWN = -1
"""The length of what is as its type says."""

UNBOUNDED = (38, 16)
"""Precision and scale of a DECIMAL that is declared as numeric, without any."""

# What the rules of the dialects put into a cast that nobody wrote.
_CAST_BY_RULES = frozenset(
    (
        "date_part",
        "pg_epoch_date_part_",
        "pg_long_part_",
        "pg_part_",
        "pg_whole_quotient_",
        "pg_seconds_",
        "pg_milliseconds_",
        "pg_numeric_",
        "round",
    )
)


def number_of(precision: int, scale: int) -> int:
    """numeric(precision, scale) as one number below zero: the modifier of Postgres's, negated."""
    if (precision, scale) == UNBOUNDED:
        return 0
    return -(((precision << 16) | scale) + 4)


def moment_of(digits: int) -> int:
    """timestamp(digits) and its kin as one number below `OWN`."""
    return OWN - 1 - digits


def modifier_of(length: int) -> int:
    """Postgres's modifier of what `number_of` or `moment_of` gave."""
    return OWN - 1 - length if length >= moment_of(MOST) else -length


def check_of(name: str, length: int) -> str:
    """The CHECK of a column that is declared so; '' for nothing, and for what its type says."""
    column = exp.to_identifier(name, quoted=True)
    if length > 0:
        return write_duckdb(at_most(column, length))
    if moment_of(MOST) <= length <= moment_of(0):
        return write_duckdb(at_most_digits(column, modifier_of(length)))
    return ""


class Lengths:
    """The lengths of what is declared. On the thread that the readers belong to."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self._lengths: dict[Path, dict[str, int]] = {}
        for path, column, expression in declared.checks:
            if length := length_of(expression, column):
                self._lengths.setdefault(_folded(path), {})[column.lower()] = length
        for (path, column), sizes in (declared.numbers or {}).items():
            self._lengths.setdefault(_folded(path), {})[column.lower()] = number_of(*sizes)
        self._columns = {_folded(p): found for p, found in (declared.columns or {}).items()}
        self._views = {_folded(p): sql for p, sql in (declared.views or {}).items()}
        self._outputs: dict[Path, Outputs | None] = {}

    def __bool__(self) -> bool:
        return bool(self._lengths)

    def of(self, sql: str, names: Sequence[str]) -> tuple[int, ...] | None:
        """The lengths of the result columns of DuckDB's SQL; None where there is not one.

        names: as the engine calls the columns; where the tree gives others, nothing is sure.
        """
        try:
            tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
            outputs = self._statement(tree)
        except (SqlError, RecursionError):
            return None
        if outputs is None or [name for name, _ in outputs] != [name.lower() for name in names]:
            return None
        found = tuple(length for _, length in outputs)
        return found if any(found) else None

    def _statement(self, tree: exp.Expr) -> Outputs | None:
        if isinstance(tree, exp.Query):
            return _Query(self).outputs(tree)
        returning = tree.args.get("returning")
        if returning is None or tree.args.get("with_") is not None:
            return None
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        others = tree.args.get("from_") or tree.args.get("using") or isinstance(tree, exp.Merge)
        if not isinstance(target, exp.Table) or others:
            return None
        query = _Query(self)
        query.add(target)
        return query.targets(returning.expressions)

    def relation(self, path: Sequence[str], depth: int, view: Path | None) -> Outputs | None:
        """The columns of a table or view, None where there is none.

        view: in which it is named: DuckDB looks in that one's schema first.
        """
        found = self._find([part.lower() for part in path], view)
        if found is None or depth > _DEEPEST:
            return None
        if found not in self._outputs:
            self._outputs[found] = self._look(found, depth)
        return self._outputs[found]

    def _find(self, path: list[str], view: Path | None) -> Path | None:
        *within, name = path
        if len(within) == 2:
            exact = (within[0], within[1], name)
            return exact if exact in self._columns else None
        if within:
            places = [(self.declared.database, within[0]), (within[0], "main")]
        else:
            places = [] if view is None else [view[:2]]
            places.append((_TEMPORARY, "main"))
            places += [(self.declared.database, schema) for schema in self.declared.schemas]
        candidates = [(db.lower(), schema.lower(), name) for db, schema in places]
        there = [one for one in candidates if one in self._columns]
        return there[0] if there else None

    def _look(self, path: Path, depth: int) -> Outputs | None:
        if (sql := self._views.get(path)) is not None:
            return self._view(path, sql, depth)
        lengths = self._lengths.get(path, {})
        return [(name.lower(), lengths.get(name.lower(), 0)) for name in self._columns[path]]

    def _view(self, path: Path, sql: str, depth: int) -> Outputs | None:
        self._outputs[path] = None  # a view of itself would not end
        try:
            tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
        except SqlError:
            return None
        if not isinstance(tree, exp.Create) or not isinstance(tree.expression, exp.Query):
            return None
        found = _Query(self, depth + 1, view=path).outputs(tree.expression)
        names = [name.lower() for name in self._columns[path]]
        if found is None or len(found) != len(names):
            return None
        return [(name, length) for name, (_, length) in zip(names, found, strict=True)]


def _folded(path: Path) -> Path:
    database, schema, name = path
    return database.lower(), schema.lower(), name.lower()


def length_of(expression: str, column: str) -> int:
    """As `checked_length`, of a CHECK's text. On any thread."""
    try:
        tree = DUCKDB.dialect.parse(expression)[0]
    except (SqlglotError, RecursionError):
        return 0
    return checked_length(tree, column) if tree is not None else 0


def checked_length(check: exp.Expr, column: str) -> int:
    """n of `length(column) <= n`, `moment_of` the digits of a second, 0 for any other CHECK."""
    tree = check.unnest()
    if (digits := checked_digits(check, column)) is not None:
        return moment_of(digits)
    if not isinstance(tree, exp.LTE) or not isinstance(tree.this, exp.Length):
        return 0
    about, limit = tree.this.this, tree.expression
    same = isinstance(about, exp.Column) and about.name.lower() == column.lower()
    return _written(limit) if same else 0


class _Query:
    """One query's sources, and what its output columns are of them."""

    def __init__(
        self,
        lengths: Lengths,
        depth: int = 0,
        view: Path | None = None,
        ctes: Mapping[str, Outputs | None] | None = None,
    ) -> None:
        self._all = lengths
        self._depth, self._view = depth, view
        self._ctes = dict(ctes or {})
        self._sources: list[tuple[str, Outputs | None]] = []
        self._schemas: set[tuple[str, str]] = (
            set()
        )  # (schema, table) that stand there by their names
        self._stars = True  # whether `*` is all columns of all sources in order

    def outputs(self, node: exp.Expr) -> Outputs | None:
        self._with(node)
        if isinstance(node, exp.Subquery) and not node.args.get("joins"):
            inner = self._inner().outputs(node.this) if not node.args.get("pivots") else None
            return _renamed(inner, node.args.get("alias"))
        if isinstance(node, exp.SetOperation):
            return self._united(node)
        if not isinstance(node, exp.Select):
            return None
        if (from_ := node.args.get("from_")) is not None:
            self.add(from_.this)
        for join in node.args.get("joins") or ():
            self._stars = self._stars and not (
                join.args.get("using")
                or join.method not in ("", "POSITIONAL")
                or join.kind in ("SEMI", "ANTI")
            )
            self.add(join.this)
        if node.args.get("laterals"):
            self._sources.append(("", None))
        return self.targets(node.expressions)

    def _inner(self) -> _Query:
        return _Query(self._all, self._depth, self._view, self._ctes)

    def _with(self, node: exp.Expr) -> None:
        with_ = node.args.get("with_")
        for one in with_.expressions if with_ is not None else ():
            alias = one.args["alias"]
            own = None if with_.args.get("recursive") else self._inner().outputs(one.this)
            self._ctes[alias.name.lower()] = _renamed(own, alias)

    def _united(self, node: exp.SetOperation) -> Outputs | None:
        left, right = self._inner().outputs(node.this), self._inner().outputs(node.expression)
        if left is None or right is None or len(left) != len(right) or node.args.get("by_name"):
            return None
        return [
            (name, length if length == other else 0)
            for (name, length), (_, other) in zip(left, right, strict=True)
        ]

    # --- FROM ---------------------------------------------------------------------------------

    def add(self, node: exp.Expr) -> None:
        """Adds what stands in FROM."""
        alias = node.args.get("alias")
        name = alias.name if alias is not None else node.name if isinstance(node, exp.Table) else ""
        plain = not any(node.args.get(key) for key in ("pivots", "joins", "laterals"))
        columns: Outputs | None = None
        if plain and isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            columns = self._table(node)
            if alias is None and node.db:
                self._schemas.add((node.db.lower(), name.lower()))
        elif plain and isinstance(node, exp.Subquery):
            columns = self._inner().outputs(node.this)
        self._sources.append((name.lower(), _renamed(columns, alias)))

    def _table(self, node: exp.Table) -> Outputs | None:
        parts = [part for key in ("catalog", "db", "this") if (part := node.args.get(key))]
        path = [part.name for part in parts]
        if len(path) == 1 and path[0].lower() in self._ctes:
            return self._ctes[path[0].lower()]
        return self._all.relation(path, self._depth, self._view)

    # --- the select list ----------------------------------------------------------------------

    def targets(self, nodes: Iterable[exp.Expr]) -> Outputs | None:
        found: Outputs = []
        for node in nodes:
            if node.is_star:
                every = self._star(node)
                if every is None:
                    return None
                found += every
                continue
            value = node.this if isinstance(node, exp.Alias) else node
            while isinstance(value, exp.Paren):
                value = value.this
            length = self._value(value)
            name = node.alias if isinstance(node, exp.Alias) else value.alias_or_name
            found.append((name.lower(), length))
        return found

    def _star(self, node: exp.Expr) -> Outputs | None:
        star = node.this if isinstance(node, exp.Column) else node
        if any(star.args.values()):  # EXCLUDE, REPLACE, RENAME
            return None
        if not isinstance(node, exp.Column):
            chosen = self._sources if self._stars else []
        else:
            chosen = [one for one in self._sources if one[0] == node.table.lower()]
            chosen = chosen if len(chosen) == 1 else []
        if not chosen or any(columns is None for _, columns in chosen):
            return None
        return [column for _, columns in chosen for column in columns or ()]

    def _value(self, value: exp.Expr | None) -> int:
        """What an expression's value is declared as: a column's, a cast's or what all branches are."""
        while isinstance(value, exp.Paren):
            value = value.this
        if isinstance(value, exp.Column):
            return self._column(value)
        if isinstance(value, exp.Cast):
            return _cast_to(value)
        own = value.expression if isinstance(value, exp.Dot) else value
        if isinstance(own, exp.Anonymous) and own.name.lower() == _CHECKED:
            return _written(own.expressions[-1])
        if isinstance(value, exp.Nullif):
            return self._value(value.this)
        if isinstance(value, exp.Subquery):
            inner = self._inner()
            inner._sources = []
            outputs = inner.outputs(value.this)
            return outputs[0][1] if outputs is not None and len(outputs) == 1 else 0
        branches: list[exp.Expr | None] = []
        if isinstance(value, (exp.Coalesce, exp.Greatest, exp.Least)):
            branches = [value.this, *value.expressions]
        elif isinstance(value, exp.Case):
            branches = [one.args["true"] for one in value.args["ifs"]]
            branches.append(value.args.get("default"))
        elif isinstance(value, exp.Array):
            branches = list(value.expressions)
        found = {self._value(branch) for branch in branches}
        return found.pop() if len(found) == 1 else 0

    def _column(self, column: exp.Column) -> int:
        schema = column.args.get("db")
        if schema is not None and (schema.name.lower(), column.table.lower()) not in self._schemas:
            return 0  # a field of a struct
        name, table = column.name.lower(), column.table.lower()
        sources = [columns for alias, columns in self._sources if not table or alias == table]
        if not sources or any(columns is None for columns in sources):
            return 0
        lengths = {length for columns in sources for own, length in columns or () if own == name}
        return lengths.pop() if len(lengths) == 1 else 0


def _cast_to(cast: exp.Cast) -> int:
    """What a cast declares; that of a literal in brackets to just its own digits nobody wrote."""
    to = cast.to
    while to.this == exp.DType.ARRAY and to.expressions:
        to = to.expressions[0]
    if (digits := cast_digits(cast)) is not None:
        return moment_of(digits)
    if to.this == exp.DType.TEXT and isinstance(cast.this, exp.Left):
        return _written(cast.this.expression)
    if to.this != exp.DType.DECIMAL or len(to.expressions) != 2:
        return 0
    precision, scale = (int(size.name) for size in to.expressions)
    inner = cast.this
    if isinstance(inner, exp.Dot):
        inner = inner.expression
    if isinstance(inner, exp.Func) and _called(inner) in _CAST_BY_RULES:
        return 0
    if isinstance(inner, exp.Paren) and isinstance(inner.this, exp.Literal):
        whole, _, part = inner.this.this.lstrip("-+").partition(".")
        if (len(whole.lstrip("0")) + len(part) or 1, len(part)) == (precision, scale):
            return 0
    return number_of(precision, scale)


def _written(size: exp.Expr) -> int:
    return int(size.name) if isinstance(size, exp.Literal) and size.is_int else 0


_CHECKED = "checked_length_"


def may_cut(sql: str) -> bool:
    """Whether DuckDB's SQL may cast to varchar(n): a quick look, as `digits.may_round`."""
    return "LEFT(" in sql or _CHECKED.upper() in sql


def _called(function: exp.Func) -> str:
    name = function.this if isinstance(function, exp.Anonymous) else function.sql_name()
    return str(name).lower()


def _renamed(outputs: Outputs | None, alias: exp.Expr | None) -> Outputs | None:
    """The columns under the names that an alias gives them, as far as it does."""
    names = [] if alias is None else [name.name.lower() for name in alias.columns]
    if outputs is None or len(names) > len(outputs):
        return None
    names += [name for name, _ in outputs[len(names) :]]
    return [(name, length) for name, (_, length) in zip(names, outputs, strict=True)]
