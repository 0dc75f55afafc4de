"""Statements and queries: which clauses there are, in which order Postgres analyses them.

FROM and its conditions, the select list, WHERE, HAVING, ORDER BY, GROUP BY, DISTINCT, OFFSET, LIMIT;
of an UPDATE the assignments come last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlglot import exp

from proxy.sql.inference.expressions import Expressions, bare
from proxy.sql.inference.names import (
    Columns,
    Output,
    Relation,
    Scope,
    Source,
    columns_of,
    renamed,
    type_in,
)
from proxy.sql.inference.signatures import UNKNOWN, Type, common, element_of


class Statements(Expressions):
    """width: how many columns the query of an INSERT has, None while that is not known."""

    width: int | None = None

    def __init__(
        self,
        wanted: frozenset[int],
        given: Mapping[int, Type],
        columns: Callable[[Relation], Columns | None],
        integer: str,
    ) -> None:
        super().__init__(wanted, given, integer)
        self._columns_of = columns

    def statement(self, tree: exp.Expr) -> None:
        scope = Scope()
        visit = _VISITS.get(tree.__class__)
        if visit is not None:
            self._with(tree, scope)
            visit(self, tree, scope)
        elif isinstance(tree, exp.Query | exp.Values):
            self.settle(self.query(tree, scope))
        else:
            self.visit_children(tree, scope)

    # --- statements that change something -----------------------------------------------------

    def _create(self, tree: exp.Create, scope: Scope) -> None:
        if isinstance(tree.expression, exp.Query):
            self.settle(self.query(tree.expression, scope))

    def _insert(self, tree: exp.Insert, scope: Scope) -> None:
        schema = tree.this
        named = isinstance(schema, exp.Schema)
        target = self._source(schema.this if named else schema, Scope(scope))
        columns = target.columns
        kinds = [column.kind for column in columns or ()]
        if named:
            kinds = _types_in(columns, schema.expressions)
        rows = tree.expression
        if isinstance(rows, exp.Values):
            for row in rows.expressions:
                self._row(row, kinds, scope)
        elif rows is not None:
            found = self.query(rows, scope)
            self.width = None if found is None else len(found)
            outputs = found or []
            if tree.args.get("by_name"):
                kinds = [type_in(columns, output.name) for output in outputs]
            self._coerce_outputs(outputs, kinds)
        if (conflict := tree.args.get("conflict")) is not None:
            proposed = Scope(scope, [target, Source("excluded", columns)])
            self._assign(conflict.expressions, columns, proposed)
            self._where(conflict, proposed)
        self._returning(tree, Scope(scope, [target]))

    def _row(self, row: exp.Expr, kinds: Sequence[Type], scope: Scope) -> None:
        """A row of values for columns of these types."""
        items = row.expressions if isinstance(row, exp.Tuple) else [row]
        for item in items:
            self.kind_of(item, scope)
        for item, kind in zip(items, kinds, strict=False):
            self.coerce(item, kind)

    def _coerce_outputs(self, outputs: Iterable[Output], kinds: Iterable[Type]) -> None:
        for output, kind in zip(outputs, kinds, strict=False):
            self.coerce(output.node, kind)

    def _update(self, tree: exp.Update, scope: Scope) -> None:
        inner = Scope(scope)
        target = self._join(tree.this, inner)
        if (from_ := tree.args.get("from_")) is not None:
            self._join(from_.this, inner)
        self._where(tree, inner)
        self._returning(tree, inner)
        self._assign(tree.expressions, target.columns, inner)

    def _assign(
        self, assignments: Iterable[exp.Expr], columns: list[Output] | None, scope: Scope
    ) -> None:
        """Each is `column = value` or `(columns) = (values)`."""
        for assignment in assignments:
            to, value = assignment.this, bare(assignment.args.get("expression"))
            if not isinstance(assignment, exp.EQ):
                self.kind_of(assignment, scope)
            elif not isinstance(to, exp.Tuple):
                self.kind_of(value, scope)
                self.coerce(value, type_in(columns, to.name.lower()))
            elif isinstance(value, exp.Query):
                outputs = self.query(value, scope) or []
                self._coerce_outputs(outputs, _types_in(columns, to.expressions))
            elif value is not None:
                self._row(value, _types_in(columns, to.expressions), scope)

    def _delete(self, tree: exp.Delete, scope: Scope) -> None:
        inner = Scope(scope)
        self._join(tree.this, inner)
        for source in tree.args.get("using") or ():
            self._join(source, inner)
        self._where(tree, inner)
        self._returning(tree, inner)

    def _merge(self, tree: exp.Merge, scope: Scope) -> None:
        inner = Scope(scope)
        target = self._join(tree.this, inner)
        self._join(tree.args["using"], inner)
        self.condition(tree.args.get("on"), inner)
        whens = tree.args.get("whens")
        for when in whens.expressions if whens is not None else ():
            self.condition(when.args.get("condition"), inner)
            then = when.args.get("then")
            if isinstance(then, exp.Update):
                self._assign(then.expressions, target.columns, inner)
            elif isinstance(then, exp.Insert) and then.expression is not None:
                kinds = [column.kind for column in target.columns or ()]
                if isinstance(then.this, exp.Tuple):
                    kinds = _types_in(target.columns, then.this.expressions)
                self._row(then.expression, kinds, inner)
        self._returning(tree, inner)

    def _returning(self, tree: exp.Expr, scope: Scope) -> None:
        if (returning := tree.args.get("returning")) is not None:
            self.settle(self._targets(returning.expressions, scope))

    # --- queries ------------------------------------------------------------------------------

    def _with(self, tree: exp.Expr, scope: Scope) -> None:
        with_ = tree.args.get("with_")
        for one in with_.expressions if with_ is not None else ():
            name, alias, body = one.alias.lower(), one.args.get("alias"), bare(one.this)
            inner = Scope(scope)
            if with_.args.get("recursive") and isinstance(body, exp.SetOperation):
                # What it reads of itself has the types of its first branch.
                self._with(body, inner)
                first = self.query(body.this, inner)
                scope.queries[name] = renamed(first, alias)
                outputs = self._united(body, first, inner)
            else:
                outputs = self.query(body, inner)
            self.settle(outputs)
            scope.queries[name] = renamed(outputs, alias)

    def query(self, node: exp.Expr, scope: Scope) -> list[Output] | None:
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        inner = Scope(scope)
        self._with(node, inner)
        if isinstance(node, exp.Values):
            return self._values(node, inner)
        if isinstance(node, exp.SetOperation):
            outputs = self._united(node, self.query(node.this, inner), inner)
        elif isinstance(node, exp.Subquery | exp.Paren):
            outputs = self.query(node.this, inner)
        elif isinstance(node, exp.Table):
            outputs = self._source(node, inner).columns
        else:
            self.visit_children(node, inner)
            return None
        inner.aliases.update((output.name, output.kind) for output in outputs or ())
        self._after(node, inner)
        return outputs

    def _united(
        self, node: exp.SetOperation, left: list[Output] | None, scope: Scope
    ) -> list[Output] | None:
        """The columns of UNION and its kind, whose left branch has been visited."""
        right = self.query(node.expression, scope)
        if left is None or right is None or node.args.get("by_name"):
            self.settle(left)
            self.settle(right)
            return None
        outputs = []
        for one, other in zip(left, right, strict=False):
            kind = common((one.kind, other.kind))
            self._coerce_outputs((one, other), (kind, kind))
            outputs.append(Output(one.name, kind))
        return outputs

    def _values(self, node: exp.Values, scope: Scope) -> list[Output]:
        rows = [
            row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions
        ]
        outputs = []
        for index, column in enumerate(zip(*rows, strict=False)):
            if len(rows) == 1:
                outputs.append(Output(f"col{index}", self.kind_of(column[0], scope), column[0]))
            else:
                outputs.append(Output(f"col{index}", self.siblings(column, scope)))
        return renamed(outputs, node.args.get("alias")) or []

    def _select(self, node: exp.Select, outer: Scope) -> list[Output] | None:
        scope = Scope(outer)
        self._with(node, scope)
        if (from_ := node.args.get("from_")) is not None:
            self._join(from_.this, scope)
        self._joins(node, scope)
        outputs = self._targets(node.expressions, scope)
        self._where(node, scope)
        for clause in ("having", "qualify"):
            if (part := node.args.get(clause)) is not None:
                self.condition(part.this, scope)
        self._after(node, scope)
        return outputs

    def _after(self, node: exp.Expr, scope: Scope) -> None:
        """The clauses behind a query."""
        for clause in ("order", "group", "distinct"):
            if isinstance(part := node.args.get(clause), exp.Expr):  # UNION has a mere flag
                self.visit_children(part, scope)
        for clause in ("offset", "limit"):
            if (part := node.args.get(clause)) is not None:
                self.visit_children(part, scope)
                self.coerce(part.args.get("expression") or part.args.get("count"), "int8")
        for window in node.args.get("windows") or ():
            self.visit_children(window, scope)

    def _where(self, node: exp.Expr, scope: Scope) -> None:
        if (where := node.args.get("where")) is not None:
            self.condition(where.this, scope)

    def _targets(self, nodes: Iterable[exp.Expr], scope: Scope) -> list[Output] | None:
        """The columns of a select list; their names mean something to what comes behind it."""
        outputs: list[Output] = []
        countable = True
        for node in nodes:
            if node.is_star:
                expanded = self._star(node, scope)
                countable = countable and expanded is not None
                outputs.extend(expanded or ())
                continue
            kind = self.kind_of(node, scope)
            name = node.alias_or_name.lower()
            scope.aliases.setdefault(name, kind if kind != UNKNOWN else None)
            outputs.append(Output(name, kind, node))
        if countable:
            return outputs
        self.settle(outputs)
        return None

    def _star(self, node: exp.Expr, scope: Scope) -> list[Output] | None:
        table = node.args.get("table")
        star = node.this if isinstance(node, exp.Column) else node
        if any(star.args.values()):  # EXCLUDE, REPLACE
            self.visit_children(star, scope)
            return None
        expanded: list[Output] = []
        for source in scope.sources:
            if table is None or source.name == table.name.lower():
                if source.columns is None:
                    return None
                expanded += [Output(column.name, column.kind) for column in source.columns]
        if table is None and scope.merged:
            return _merged(expanded, scope.merged)
        return expanded

    # --- FROM ---------------------------------------------------------------------------------

    def _join(self, node: exp.Expr, scope: Scope) -> Source:
        """Adds what stands in FROM, with all that is joined to it."""
        source = self._source(node, scope)
        scope.sources.append(source)
        self._joins(node, scope)
        return source

    def _joins(self, node: exp.Expr, scope: Scope) -> None:
        for join in (*(node.args.get("joins") or ()), *(node.args.get("laterals") or ())):
            if isinstance(join, exp.Join):
                before = list(scope.sources)
                source = self._join(join.this, scope)
                self._merge_columns(join, before, source, scope)
                self.condition(join.args.get("on"), scope)
                self.condition(join.args.get("match_condition"), scope)
            else:
                self._join(join, scope)

    def _merge_columns(
        self, join: exp.Join, before: Sequence[Source], source: Source, scope: Scope
    ) -> None:
        """Two columns become one by USING, or by NATURAL."""
        names = [column.name.lower() for column in join.args.get("using") or ()]
        if join.args.get("method") == "NATURAL":
            names = [column.name for column in source.columns or ()]
        for name in names:
            found = [kind for one in (*before, source) for kind in one.find(name)[:1]]
            if len(found) > 1:
                scope.merged[name] = common(found)

    def _source(self, node: exp.Expr, scope: Scope) -> Source:
        alias = node.args.get("alias")
        name = alias.name.lower() if alias is not None else ""
        columns: list[Output] | None = None
        if node.args.get("pivots"):
            self.visit_children(node, scope)
        elif isinstance(node, exp.Lateral):
            columns = self._source(node.this, scope).columns
        elif isinstance(node, exp.Table):
            name = name or node.name.lower()
            columns = self._table(node, scope)
        elif isinstance(node, exp.Unnest):
            kinds = [self.kind_of(item, scope) for item in node.expressions]
            columns = [Output("unnest", element_of(kind)) for kind in kinds]
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            inside = Scope(scope)
            self._join(node.this, inside)
            scope.sources.extend(inside.sources)
            columns = []
        elif isinstance(node, exp.Query | exp.Values):
            columns = self.query(node, scope)
            self.settle(columns)
        else:
            self.kind_of(node, scope)
        return Source(name, renamed(columns, alias))

    def _table(self, node: exp.Table, scope: Scope) -> list[Output] | None:
        if isinstance(node.this, exp.GenerateSeries):
            kind = element_of(self.kind_of(node.this, scope))
            return [Output("generate_series", kind)]
        if not isinstance(node.this, exp.Identifier):
            self.kind_of(node.this, scope)
            return None
        path = tuple(part.name for key in ("catalog", "db", "this") if (part := node.args.get(key)))
        if len(path) == 1:
            defined, outputs = scope.query(path[0].lower())
            if defined:
                return outputs
        return columns_of(self._columns_of(path))


def _merged(outputs: Iterable[Output], merged: Mapping[str, Type]) -> list[Output]:
    """The columns of `*`, of which those of USING stand once."""
    found: dict[str, Output] = {}
    for index, output in enumerate(outputs):
        once = output.name in merged
        kind = merged[output.name] if once else output.kind
        found.setdefault(output.name if once else f" {index}", Output(output.name, kind))
    return list(found.values())


def _types_in(columns: list[Output] | None, named: Iterable[exp.Expr]) -> list[Type]:
    return [type_in(columns, column.name.lower()) for column in named]


_VISITS: dict[type, Callable[..., None]] = {
    exp.Create: Statements._create,
    exp.Insert: Statements._insert,
    exp.Update: Statements._update,
    exp.Delete: Statements._delete,
    exp.Merge: Statements._merge,
}
