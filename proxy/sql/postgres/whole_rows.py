"""A row as a value: `to_json(t)`, `count(t.*)`, `t IS NOT NULL`, where t is what stands in FROM.

Why it exists: of a row that an outer join did not find DuckDB makes a value all the same, one of NULLs, and
no row IS NULL to it. In Postgres the row is NULL; and one that is there IS NULL where all its columns are,
and IS NOT NULL where none is.

What is not there is known by a column that the join's condition compares, which is never NULL where a
row was found. A FULL JOIN, or one ON TRUE, compares none: there a row is none where all its columns are
NULL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from proxy.sql.inference.names import Scope, Source


@dataclass(frozen=True, slots=True)
class WholeRow:
    """node: where it is named. columns: its own, in lower case."""

    node: exp.Column
    name: str
    columns: tuple[str, ...]

    def apply(self) -> bool:
        """Writes it as it is meant; False where it is meant as it stands."""
        if _is_in_row(self.node):
            return self._spread()
        around = self.node.find_ancestor(exp.Select, exp.Returning)
        if isinstance(around, exp.Returning) and self.name not in self.columns:
            return self._returned()
        select = self.node.find_ancestor(exp.Select)
        while select is not None and self.name not in (_name(one) for one, _ in _joined(select)):
            select = select.find_ancestor(exp.Select)
        if select is None or not _has_rows(select, self.name):
            return False
        test, is_null = _tested(self.node)
        if test is not None:
            test.replace(exp.Paren(this=self._all(is_null)))
            return True
        row: exp.Expr = exp.column(exp.to_identifier(self.name, quoted=True))
        missing, key = _may_be_missing(select, self.name)
        if missing:
            there = _is_null(key, False) if key is not None else exp.Not(this=self._none())
            row = exp.Case(ifs=[exp.If(this=there, true=row)])
            if isinstance(self.node.parent, exp.Select) and self.node.arg_key == "expressions":
                row = exp.alias_(row, self.name, quoted=True)
        elif not isinstance(self.node.this, exp.Star):
            return False
        self.node.replace(row)
        return True

    def _spread(self) -> bool:
        """row(t.*, 1) is a row of the columns."""
        row = self.node.parent
        assert row is not None
        items: list[exp.Expr] = []
        for one in row.expressions:
            items += self._each() if one is self.node else [one]
        row.set("expressions", items)
        return True

    def _returned(self) -> bool:
        """In RETURNING: INSERT knows its table by the table's own name."""
        insert = self.node.find_ancestor(exp.Insert)
        target = insert.find(exp.Table) if insert is not None else None
        name = self.name if target is None else target.name
        test, is_null = _tested(self.node)
        if test is not None:
            test.replace(exp.Paren(this=self._all(is_null, name)))
            return True
        if not isinstance(self.node.this, exp.Star) and name.lower() == self.name:
            return False
        self.node.replace(exp.column(exp.to_identifier(name, quoted=True)))
        return True

    def _each(self, table: str = "") -> list[exp.Expr]:
        return [exp.column(name, table or self.name, quoted=True) for name in self.columns]

    def _all(self, is_null: bool, table: str = "") -> exp.Expr:
        tests = (_is_null(one, is_null) for one in self._each(table))
        return exp.and_(*tests, copy=False, wrap=False)

    def _none(self) -> exp.Expr:
        return exp.Paren(this=self._all(True))


def whole_row(node: exp.Column, scope: Scope) -> WholeRow | None:
    """What a name without a column of that name means, `t`, and `t.*` within an expression."""
    star = isinstance(node.this, exp.Star)
    if star and (not node.table or any(node.this.args.values()) or _is_listed(node)):
        return None
    name = (node.table if star else node.name).lower()
    if not star and (node.table or (name in scope.aliases and _is_of_output(node))):
        return None
    source = _source(name, scope, star)
    if source is None or not source.columns:
        return None
    columns = tuple(column.name for column in source.columns)
    return WholeRow(node, name, columns) if len(set(columns)) == len(columns) else None


def _source(name: str, scope: Scope | None, star: bool) -> Source | None:
    while scope is not None:
        if not star and (name in scope.merged or any(one.find(name) for one in scope.sources)):
            return None
        found = [one for one in scope.sources if one.name == name]
        if found or any(one.columns is None for one in scope.sources):
            return found[0] if len(found) == 1 else None
        scope = scope.outer
    return None


def _is_listed(star: exp.Column) -> bool:
    """Whether it stands for columns: in a select list, in RETURNING, in a row of values."""
    return isinstance(star.parent, exp.Select | exp.Returning | exp.Tuple | exp.Alias)


def _is_in_row(node: exp.Column) -> bool:
    """Whether it is `t.*` in row(...)."""
    row = node.parent
    called = isinstance(row, exp.Anonymous) and row.name.lower() == "row"
    return called and isinstance(node.this, exp.Star)


def _is_of_output(node: exp.Column) -> bool:
    return isinstance(node.parent, exp.Ordered | exp.Group | exp.Order | exp.Distinct)


def _tested(node: exp.Column) -> tuple[exp.Expr | None, bool]:
    """What asks whether it is NULL, and whether it asks for that or for the contrary."""
    test = node.parent
    if not isinstance(test, exp.Is) or not isinstance(test.expression, exp.Null):
        return None, True
    return (test.parent, False) if isinstance(test.parent, exp.Not) else (test, True)


def _is_null(column: exp.Expr, is_null: bool) -> exp.Expr:
    test = exp.Is(this=column.copy(), expression=exp.Null())
    return test if is_null else exp.Not(this=test)


def _has_rows(select: exp.Select, name: str) -> bool:
    """Whether it is a relation, and no function's result, whose name is that of its only column."""
    source = next(one for one, _ in _joined(select) if _name(one) == name)
    source = source.this if isinstance(source, exp.Lateral) else source
    if isinstance(source, exp.Table):
        return isinstance(source.this, exp.Identifier)
    return isinstance(source, exp.Query | exp.Values)


def _may_be_missing(select: exp.Select, name: str) -> tuple[bool, exp.Expr | None]:
    """Whether an outer join may not find it, and a column that is NULL exactly then, where one is known."""
    missing, key, seen = False, None, False
    for source, join in _joined(select):
        side = join.side if join is not None else ""
        if _name(source) == name:
            seen = True
            missing = side in ("LEFT", "FULL")
            key = _compared(join, name) if side == "LEFT" else None
        elif seen and side in ("RIGHT", "FULL"):
            key = key if missing or side == "FULL" else _compared(join, name)
            missing = True
    return missing, key


def _name(source: exp.Expr) -> str:
    return source.alias_or_name.lower()


def _joined(select: exp.Select) -> Iterator[tuple[exp.Expr, exp.Join | None]]:
    from_ = select.args.get("from_")
    if from_ is not None:
        yield from_.this, None
    for join in select.args.get("joins") or ():
        yield join.this, join


def _compared(join: exp.Join | None, name: str) -> exp.Expr | None:
    """A column of it that a row which was found has a value in."""
    if join is None:
        return None
    for column in join.args.get("using") or ():
        return exp.column(column.name, name, quoted=True)
    condition = join.args.get("on")
    while isinstance(condition, exp.Paren):
        condition = condition.this
    for one in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        if isinstance(one, exp.EQ):
            for side in (one.this, one.expression):
                column = side.this if isinstance(side, exp.Cast) else side
                if isinstance(column, exp.Column) and column.table.lower() == name:
                    return column.copy()
    return None
