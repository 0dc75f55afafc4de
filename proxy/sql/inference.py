"""The types of a statement's parameters, inferred as Postgres's parser infers them.

Why it exists: DuckDB types each place of a parameter by itself, and gives up on the whole statement
where one place says nothing (`$1 + 1`, `= ANY($1)`, a parameter that stands twice). Drivers ask for
the types before they send values, and send what Postgres would have answered.

What it promises, over the tree of a statement that is already DuckDB's SQL: the clauses are visited
in the order in which Postgres analyses them, and the first place that says of what type a parameter
is, decides. A place that is not understood decides nothing. Nothing is read and nothing runs here:
the columns of tables are asked of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql import signatures
from proxy.sql.reading import DUCKDB
from proxy.sql.signatures import UNKNOWN, Type
from proxy.wire.types import BY_NAME, DuckType, wire_type

Columns = Sequence[tuple[str, DuckType]]
"""Name and type of each column of a relation, in order."""

Relation = tuple[str, ...]
"""A relation's name as the statement spells it: table, schema.table or database.schema.table."""


def read(sql: str) -> exp.Expr | None:
    """The tree of one statement of DuckDB's SQL; None for what the parser cannot read.

    On the thread that the readers belong to.
    """
    try:
        tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
    except SqlError:
        return None
    return None if isinstance(tree, exp.Command) else tree


def infer(
    tree: exp.Expr,
    wanted: Collection[int],
    given: Mapping[int, int],
    columns: Callable[[Relation], Columns | None],
    *,
    integer: str = "int4",
) -> dict[int, int]:
    """OIDs of those of the parameters `wanted` whose type follows from the statement.

    given: OIDs of the others. columns: of a table or view, None if there is none of that name.
    integer: the type of a whole literal that fits it.
    """
    inference = _Inference(wanted, given, columns, integer)
    try:
        inference.statement(tree)
    except RecursionError:  # what was decided before holds all the same
        pass
    return {n: BY_NAME[kind].oid for n, kind in inference.decided.items()}


@dataclass(slots=True)
class _Output:
    """One column of a query. node: what a type may still be given to."""

    name: str
    kind: Type
    node: exp.Expr | None = None


@dataclass(slots=True)
class _Source:
    """What stands in FROM. columns: None if they are not known."""

    name: str
    columns: list[_Output] | None

    def find(self, name: str) -> list[Type]:
        return [column.kind for column in self.columns or () if column.name == name]


@dataclass(slots=True)
class _Scope:
    """What the names of one query mean."""

    outer: _Scope | None = None
    sources: list[_Source] = field(default_factory=list)
    queries: dict[str, list[_Output] | None] = field(default_factory=dict)  # of WITH
    aliases: dict[str, Type] = field(default_factory=dict)  # of its own output

    def column(self, name: str, table: str) -> Type:
        scope: _Scope | None = self
        while scope is not None:
            sources = [s for s in scope.sources if not table or s.name == table]
            found = [kind for source in sources for kind in source.find(name)]
            if found:
                return found[0]
            if not table and name in scope.aliases:
                return scope.aliases[name]
            if any(source.columns is None for source in sources):
                return None
            scope = scope.outer
        return None

    def query(self, name: str) -> tuple[bool, list[_Output] | None]:
        """Whether WITH defines it, and its columns."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.queries:
                return True, scope.queries[name]
            scope = scope.outer
        return False, None


class _Inference:
    def __init__(
        self,
        wanted: Collection[int],
        given: Mapping[int, int],
        columns: Callable[[Relation], Columns | None],
        integer: str,
    ) -> None:
        self.decided: dict[int, str] = {}
        self._wanted = frozenset(wanted)
        self._given = {n: signatures.name_of(oid) for n, oid in given.items()}
        self._columns = columns
        self._integer = integer

    # --- deciding -----------------------------------------------------------------------------

    def _coerce(self, node: exp.Expr | None, kind: Type) -> None:
        """`node` must be of this type: if it is a parameter without one, now it has one."""
        if kind is None or kind == UNKNOWN:
            return
        node = _bare(node)
        if isinstance(node, exp.Placeholder):
            n = _number(node)
            if n in self._wanted and n not in self.decided:
                self.decided[n] = kind

    def _settle(self, outputs: Iterable[_Output] | None) -> None:
        """The end of a query: what has no type yet is text."""
        for output in outputs or ():
            if output.kind == UNKNOWN:
                self._coerce(output.node, "text")
                output.kind = "text"

    def _coerce_all(self, nodes: Iterable[exp.Expr], kind: Type) -> None:
        for node in nodes:
            self._coerce(node, kind)

    def _condition(self, node: exp.Expr | None, scope: _Scope) -> None:
        if node is not None:
            self.kind_of(node, scope)
            self._coerce(node, "bool")

    # --- statements ---------------------------------------------------------------------------

    def statement(self, tree: exp.Expr) -> None:
        scope = _Scope()
        visit = _STATEMENTS.get(tree.__class__)
        if visit is not None:
            visit(self, tree, scope)
        elif isinstance(tree, exp.Query | exp.Values):
            self._settle(self._query(tree, scope))
        else:
            self._visit_children(tree, scope)

    def _create(self, tree: exp.Create, scope: _Scope) -> None:
        if isinstance(tree.expression, exp.Query):
            self._settle(self._query(tree.expression, scope))

    def _insert(self, tree: exp.Insert, scope: _Scope) -> None:
        self._with(tree, scope)
        schema = tree.this
        named = isinstance(schema, exp.Schema)
        table = schema.this if named else schema
        target = self._source(table, _Scope(scope))
        columns = target.columns
        kinds = [column.kind for column in columns or ()]
        if named:
            kinds = [_kind_in(columns, _identifier(column)) for column in schema.expressions]
        self._insert_rows(tree, kinds, columns, scope)
        inner = _Scope(scope, [target])
        conflict = tree.args.get("conflict")
        if conflict is not None:
            proposed = _Scope(scope, [target, _Source("excluded", columns)])
            for assignment in conflict.expressions:
                self._assign(assignment, columns, proposed)
            where = conflict.args.get("where")
            self._condition(where.this if where is not None else None, proposed)
        self._returning(tree, inner)

    def _insert_rows(
        self,
        tree: exp.Insert,
        kinds: list[Type],
        columns: list[_Output] | None,
        scope: _Scope,
    ) -> None:
        rows = tree.expression
        if isinstance(rows, exp.Values):
            for row in rows.expressions:
                self._row(row, kinds, scope)
        elif rows is not None:
            outputs = self._query(rows, scope) or []
            if tree.args.get("by_name"):
                kinds = [_kind_in(columns, output.name) for output in outputs]
            for output, kind in zip(outputs, kinds, strict=False):
                self._coerce(output.node, kind)

    def _row(self, row: exp.Expr, kinds: Sequence[Type], scope: _Scope) -> None:
        """A row of values for columns of these types."""
        items = row.expressions if isinstance(row, exp.Tuple) else [row]
        for index, item in enumerate(items):
            self.kind_of(item, scope)
            if index < len(kinds):
                self._coerce(item, kinds[index])

    def _update(self, tree: exp.Update, scope: _Scope) -> None:
        self._with(tree, scope)
        inner = _Scope(scope)
        target = self._join(tree.this, inner)
        if (from_ := tree.args.get("from_")) is not None:
            self._join(from_.this, inner)
        self._where(tree, inner)
        self._returning(tree, inner)
        for assignment in tree.expressions:
            self._assign(assignment, target.columns, inner)

    def _assign(self, assignment: exp.Expr, columns: list[_Output] | None, scope: _Scope) -> None:
        """`column = value`, or `(columns) = (values)`."""
        if not isinstance(assignment, exp.EQ):
            self.kind_of(assignment, scope)
            return
        to, value = assignment.this, _bare(assignment.expression)
        if not isinstance(to, exp.Tuple):
            self.kind_of(value, scope)
            self._coerce(value, _kind_in(columns, to.name.lower()))
            return
        kinds = [_kind_in(columns, column.name.lower()) for column in to.expressions]
        if isinstance(value, exp.Query):
            outputs = self._query(value, scope) or []
            for output, kind in zip(outputs, kinds, strict=False):
                self._coerce(output.node, kind)
        else:
            self._row(value, kinds, scope)

    def _delete(self, tree: exp.Delete, scope: _Scope) -> None:
        self._with(tree, scope)
        inner = _Scope(scope)
        self._join(tree.this, inner)
        for source in tree.args.get("using") or ():
            self._join(source, inner)
        self._where(tree, inner)
        self._returning(tree, inner)

    def _merge(self, tree: exp.Merge, scope: _Scope) -> None:
        self._with(tree, scope)
        inner = _Scope(scope)
        target = self._join(tree.this, inner)
        self._join(tree.args["using"], inner)
        self._condition(tree.args.get("on"), inner)
        whens = tree.args.get("whens")
        for when in whens.expressions if whens is not None else ():
            self._condition(when.args.get("condition"), inner)
            then = when.args.get("then")
            if isinstance(then, exp.Update):
                for assignment in then.expressions:
                    self._assign(assignment, target.columns, inner)
            elif isinstance(then, exp.Insert):
                kinds = [column.kind for column in target.columns or ()]
                if isinstance(then.this, exp.Tuple):
                    named = then.this.expressions
                    kinds = [_kind_in(target.columns, column.name.lower()) for column in named]
                if then.expression is not None:
                    self._row(then.expression, kinds, inner)
        self._returning(tree, inner)

    def _returning(self, tree: exp.Expr, scope: _Scope) -> None:
        returning = tree.args.get("returning")
        if returning is not None:
            self._settle(self._targets(returning.expressions, scope))

    # --- queries ------------------------------------------------------------------------------

    def _with(self, tree: exp.Expr, scope: _Scope) -> None:
        with_ = tree.args.get("with_")
        for one in with_.expressions if with_ is not None else ():
            name, body = one.alias.lower(), _bare(one.this)
            renamed = one.args["alias"].columns
            if with_.args.get("recursive") and isinstance(body, exp.SetOperation):
                # What it reads of itself has the types of its first branch.
                first = self._query(body.this, _Scope(scope))
                scope.queries[name] = _renamed(first, renamed)
            outputs = self._query(body, _Scope(scope))
            self._settle(outputs)
            scope.queries[name] = _renamed(outputs, renamed)

    def _query(self, node: exp.Expr, scope: _Scope) -> list[_Output] | None:
        """The columns of a query, None if they cannot be counted; not settled yet."""
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        inner = _Scope(scope)
        self._with(node, inner)
        if isinstance(node, exp.Values):
            return self._values(node, inner)
        if isinstance(node, exp.SetOperation):
            outputs = self._set_operation(node, inner)
        elif isinstance(node, exp.Subquery | exp.Paren):
            outputs = self._query(node.this, inner)
        elif isinstance(node, exp.Table):
            outputs = self._source(node, inner).columns
        else:
            self._visit_children(node, inner)
            return None
        self._after(node, inner, outputs)
        return outputs

    def _set_operation(self, node: exp.SetOperation, scope: _Scope) -> list[_Output] | None:
        left, right = self._query(node.this, scope), self._query(node.expression, scope)
        if left is None or right is None or node.args.get("by_name"):
            return None
        outputs = []
        for one, other in zip(left, right, strict=False):
            kind = signatures.common((one.kind, other.kind))
            self._coerce(one.node, kind)
            self._coerce(other.node, kind)
            outputs.append(_Output(one.name, kind))
        return outputs

    def _values(self, node: exp.Values, scope: _Scope) -> list[_Output]:
        rows = [
            row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions
        ]
        kinds = [[self.kind_of(item, scope) for item in row] for row in rows]
        outputs = []
        for index in range(min(map(len, rows), default=0)):
            if len(rows) == 1:
                outputs.append(_Output(f"col{index}", kinds[0][index], rows[0][index]))
                continue
            kind = signatures.common(row[index] for row in kinds)
            self._coerce_all((row[index] for row in rows), kind)
            outputs.append(_Output(f"col{index}", kind))
        alias = node.args.get("alias")
        return _renamed(outputs, alias.columns if alias is not None else ()) or []

    def _select(self, node: exp.Select, outer: _Scope) -> list[_Output] | None:
        scope = _Scope(outer)
        self._with(node, scope)
        if (from_ := node.args.get("from_")) is not None:
            self._join(from_.this, scope)
        self._joins(node, scope)
        outputs = self._targets(node.expressions, scope)
        self._where(node, scope)
        for clause in ("having", "qualify"):
            if (part := node.args.get(clause)) is not None:
                self._condition(part.this, scope)
        self._after(node, scope, None)
        return outputs

    def _after(self, node: exp.Expr, scope: _Scope, outputs: list[_Output] | None) -> None:
        """The clauses behind a query."""
        if outputs is not None:
            scope.aliases.update((output.name, output.kind) for output in outputs)
        for clause in ("order", "group", "distinct"):
            if (part := node.args.get(clause)) is not None:
                self._visit_children(part, scope)
        for clause in ("offset", "limit"):
            if (part := node.args.get(clause)) is not None:
                value = part.args.get("expression") or part.args.get("count")
                self._visit_children(part, scope)
                self._coerce(value, "int8")
        for window in node.args.get("windows") or ():
            self._visit_children(window, scope)

    def _where(self, node: exp.Expr, scope: _Scope) -> None:
        if (where := node.args.get("where")) is not None:
            self._condition(where.this, scope)

    def _targets(self, nodes: Iterable[exp.Expr], scope: _Scope) -> list[_Output] | None:
        """The columns of a select list; their names mean something to what comes behind it."""
        outputs: list[_Output] = []
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
            outputs.append(_Output(name, kind, node))
        if not countable:
            self._settle(outputs)
            return None
        return outputs

    def _star(self, node: exp.Expr, scope: _Scope) -> list[_Output] | None:
        table = node.args.get("table")
        star = node.this if isinstance(node, exp.Column) else node
        if not isinstance(star, exp.Star) or any(star.args.values()):
            self._visit_children(node, scope)
            return None
        expanded: list[_Output] = []
        for source in scope.sources:
            if table is None or source.name == table.name.lower():
                if source.columns is None:
                    return None
                expanded += [_Output(column.name, column.kind) for column in source.columns]
        return expanded

    # --- FROM ---------------------------------------------------------------------------------

    def _join(self, node: exp.Expr, scope: _Scope) -> _Source:
        """Adds what stands in FROM, with all that is joined to it."""
        source = self._source(node, scope)
        scope.sources.append(source)
        self._joins(node, scope)
        return source

    def _joins(self, node: exp.Expr, scope: _Scope) -> None:
        for join in (*(node.args.get("joins") or ()), *(node.args.get("laterals") or ())):
            if not isinstance(join, exp.Join):
                self._join(join, scope)
                continue
            self._join(join.this, scope)
            self._condition(join.args.get("on"), scope)
            if (match := join.args.get("match_condition")) is not None:
                self._condition(match, scope)

    def _source(self, node: exp.Expr, scope: _Scope) -> _Source:
        alias = node.args.get("alias")
        name = alias.name.lower() if alias is not None else ""
        renamed = alias.columns if alias is not None else ()
        if node.args.get("pivots"):
            self._visit_children(node, scope)
            return _Source(name, None)
        if isinstance(node, exp.Lateral):
            columns = self._source(node.this, scope).columns
        elif isinstance(node, exp.Table):
            name = name or node.name.lower()
            columns = self._table(node, scope)
        elif isinstance(node, exp.Unnest):
            kinds = [self.kind_of(item, scope) for item in node.expressions]
            columns = [_Output("unnest", signatures.element_of(kind)) for kind in kinds]
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            inside = _Scope(scope)
            self._join(node.this, inside)
            scope.sources.extend(inside.sources)
            return _Source(name, [])
        elif isinstance(node, exp.Query | exp.Values):
            columns = self._query(node, scope)
            self._settle(columns)
        else:
            self._visit_children(node, scope)
            columns = None
        return _Source(name, _renamed(columns, renamed))

    def _table(self, node: exp.Table, scope: _Scope) -> list[_Output] | None:
        if isinstance(node.this, exp.GenerateSeries):
            kind = self.kind_of(node.this, scope)
            return [_Output(node.this.sql_name().lower(), signatures.element_of(kind))]
        if not isinstance(node.this, exp.Identifier):
            self.kind_of(node.this, scope)
            return None
        path = tuple(part.name for key in ("catalog", "db", "this") if (part := node.args.get(key)))
        if len(path) == 1:
            defined, outputs = scope.query(path[0].lower())
            if defined:
                return outputs
        columns = self._columns(path)
        if columns is None:
            return None
        return [_Output(column.lower(), _kind_of_duck(kind)) for column, kind in columns]

    # --- expressions --------------------------------------------------------------------------

    def kind_of(self, node: exp.Expr | None, scope: _Scope) -> Type:
        """The type of an expression; whatever decides a parameter inside it, has."""
        if node is None:
            return None
        visit = _EXPRESSIONS.get(node.__class__)
        if visit is not None:
            return visit(self, node, scope)
        if isinstance(node, exp.Query | exp.Values):
            return self._scalar(node, scope)
        if isinstance(node, exp.Func):
            return self._call(node.key, _arguments(node), scope)
        self._visit_children(node, scope)
        return None

    def _visit_children(self, node: exp.Expr, scope: _Scope) -> None:
        for child in node.iter_expressions():
            self.kind_of(child, scope)

    def _placeholder(self, node: exp.Placeholder, scope: _Scope) -> Type:
        n = _number(node)
        return self._given[n] if n in self._given else self.decided.get(n, UNKNOWN)

    def _column(self, node: exp.Column, scope: _Scope) -> Type:
        if isinstance(node.this, exp.Star):
            return None
        return scope.column(node.name.lower(), node.table.lower())

    def _literal(self, node: exp.Literal, scope: _Scope) -> Type:
        if node.is_string:
            return UNKNOWN
        written = node.this
        if not written.isdecimal():
            return "numeric"
        number = int(written)
        if number < 1 << 31:
            return self._integer
        return "int8" if number < 1 << 63 else "numeric"

    def _inside(self, node: exp.Expr, scope: _Scope) -> Type:
        """Brackets, aliases and what else changes no type."""
        kind = self.kind_of(node.this, scope)
        for child in node.iter_expressions():
            if child is not node.this:
                self.kind_of(child, scope)
        return kind

    def _scalar(self, node: exp.Expr, scope: _Scope) -> Type:
        outputs = self._query(node, scope)
        self._settle(outputs)
        return outputs[0].kind if outputs else None

    def _cast(self, node: exp.Cast, scope: _Scope) -> Type:
        kind = _kind_of_cast(node.args.get("to"))
        value = _bare(node.this)
        if isinstance(value, exp.Array) and (element := signatures.element_of(kind)):
            for item in value.expressions:
                self.kind_of(item, scope)
                self._coerce(item, element)
        else:
            self.kind_of(value, scope)
            self._coerce(value, kind)
        return kind

    def _connector(self, node: exp.Expr, scope: _Scope) -> Type:
        waiting, operands = [node], []
        while waiting:  # long chains are deep trees
            one = waiting.pop()
            if isinstance(one, exp.And | exp.Or):
                waiting += (one.expression, one.this)
            else:
                operands.append(one)
        for operand in operands:
            self._condition(operand, scope)
        return "bool"

    def _not(self, node: exp.Not, scope: _Scope) -> Type:
        self._condition(node.this, scope)
        return "bool"

    def _is(self, node: exp.Is, scope: _Scope) -> Type:
        self.kind_of(node.this, scope)
        if isinstance(node.expression, exp.Boolean):
            self._coerce(node.this, "bool")
        return "bool"

    def _comparison(self, node: exp.Binary, scope: _Scope) -> Type:
        left, right = _bare(node.this), _bare(node.expression)
        operand = _quantified(right)
        if operand is None:
            self._compare(left, right, scope)
        elif isinstance(operand, exp.Query):
            self._compare_with_query([left], operand, scope)
        else:
            self._compare_with_array(left, operand, scope)
        return "bool"

    def _compare(self, left: exp.Expr, right: exp.Expr, scope: _Scope) -> None:
        left, right = _bare(left), _bare(right)
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            for one, other in zip(left.expressions, right.expressions, strict=False):
                self._compare(one, other, scope)
            return
        kinds = self.kind_of(left, scope), self.kind_of(right, scope)
        self._coerce_both(left, right, signatures.compared(*kinds))

    def _coerce_both(self, left: exp.Expr, right: exp.Expr, kinds: tuple[Type, Type]) -> None:
        self._coerce(left, kinds[0])
        self._coerce(right, kinds[1])

    def _compare_with_query(self, left: Sequence[exp.Expr], query: exp.Expr, scope: _Scope) -> None:
        outputs = self._query(query, scope)
        self._settle(outputs)
        for one, output in zip(left, outputs or (), strict=False):
            self.kind_of(one, scope)
            self._coerce(one, output.kind)

    def _compare_with_array(self, left: exp.Expr, array: exp.Expr, scope: _Scope) -> None:
        one, many = self.kind_of(left, scope), self.kind_of(array, scope)
        if many == UNKNOWN:
            one, element = signatures.compared(one, UNKNOWN)
            many = signatures.array_of(element if element != UNKNOWN else None)
        elif one == UNKNOWN:
            one = signatures.element_of(many)
        self._coerce_both(left, array, (one, many))

    def _between(self, node: exp.Between, scope: _Scope) -> Type:
        for bound in ("low", "high"):
            self._compare(node.this, node.args[bound], scope)
        return "bool"

    def _in(self, node: exp.In, scope: _Scope) -> Type:
        left = _bare(node.this)
        if (query := node.args.get("query")) is not None:
            several = left.expressions if isinstance(left, exp.Tuple) else [left]
            self._compare_with_query(several, _bare(query), scope)
        elif node.expressions:
            self._in_list(left, node.expressions, scope)
        else:
            self._visit_children(node, scope)
        return "bool"

    def _in_list(self, left: exp.Expr, items: list[exp.Expr], scope: _Scope) -> None:
        if not isinstance(left, exp.Tuple):
            plain = [item for item in items if item.find(exp.Column) is None]
            if len(plain) > 1:
                kinds = [self.kind_of(left, scope), *(self.kind_of(i, scope) for i in plain)]
                self._coerce_all(plain, signatures.common(kinds))
        for item in items:
            self._compare(left, item, scope)

    def _pattern(self, node: exp.Binary, scope: _Scope) -> Type:
        for side in (node.this, node.expression):
            self.kind_of(side, scope)
            self._coerce(side, "text")
        return "bool"

    def _arithmetic(self, node: exp.Binary, scope: _Scope) -> Type:
        return self._calculate(_OPERATORS[node.__class__], node.this, node.expression, scope)

    def _calculate(self, operator: str, left: exp.Expr, right: exp.Expr, scope: _Scope) -> Type:
        kinds = self.kind_of(left, scope), self.kind_of(right, scope)
        one, other, result = signatures.calculated(operator, *kinds)
        self._coerce_both(left, right, (one, other))
        return result

    def _division(self, node: exp.Div, scope: _Scope) -> Type:
        """DuckDB's own `/`, of integers too, is a double."""
        result = self._arithmetic(node, scope)
        return "float8" if result in ("int2", "int4", "int8") else result

    def _siblings(self, nodes: Sequence[exp.Expr], scope: _Scope) -> Type:
        kind = signatures.common([self.kind_of(node, scope) for node in nodes])
        self._coerce_all(nodes, kind)
        return kind

    def _coalesce(self, node: exp.Func, scope: _Scope) -> Type:
        return self._siblings([node.this, *node.expressions], scope)

    def _nullif(self, node: exp.Nullif, scope: _Scope) -> Type:
        self._compare(node.this, node.expression, scope)
        return self.kind_of(node.this, scope)

    def _array(self, node: exp.Array, scope: _Scope) -> Type:
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
            return signatures.array_of(self._scalar(node.expressions[0], scope))
        return signatures.array_of(self._siblings(node.expressions, scope))

    def _case(self, node: exp.Case, scope: _Scope) -> Type:
        kinds = []
        for one in node.args["ifs"]:
            if node.this is not None:
                self._compare(node.this, one.this, scope)
            else:
                self._condition(one.this, scope)
            kinds.append(self.kind_of(one.args["true"], scope))
        default = node.args.get("default")
        if default is not None:
            kinds.append(self.kind_of(default, scope))
        kind = signatures.common(kinds)
        self._coerce(default, kind)
        self._coerce_all((one.args["true"] for one in node.args["ifs"]), kind)
        return kind

    def _if(self, node: exp.If, scope: _Scope) -> Type:
        self._condition(node.this, scope)
        branches = [node.args.get("true"), node.args.get("false")]
        return self._siblings([branch for branch in branches if branch is not None], scope)

    def _exists(self, node: exp.Exists, scope: _Scope) -> Type:
        self._settle(self._query(node.this, scope))
        return "bool"

    def _filter(self, node: exp.Filter, scope: _Scope) -> Type:
        kind = self.kind_of(node.this, scope)
        self._condition(node.expression.this, scope)
        return kind

    def _interval(self, node: exp.Interval, scope: _Scope) -> Type:
        self._visit_children(node, scope)
        return "interval"

    def _at_time_zone(self, node: exp.AtTimeZone, scope: _Scope) -> Type:
        kind = self.kind_of(node.this, scope)
        self.kind_of(node.args["zone"], scope)
        self._coerce(node.args["zone"], "text")
        return {"timestamp": "timestamptz", "timestamptz": "timestamp"}.get(kind or "")

    def _bracket(self, node: exp.Bracket, scope: _Scope) -> Type:
        element = signatures.element_of(self.kind_of(node.this, scope))
        for index in node.expressions:
            self.kind_of(index, scope)
            if element is not None:
                self._coerce(index, "int4")
        return None if any(isinstance(i, exp.Slice) for i in node.expressions) else element

    def _unnest(self, node: exp.Expr, scope: _Scope) -> Type:
        kind = self.kind_of(node.this, scope)
        self._visit_children(node, scope)
        return signatures.element_of(kind)

    def _array_contains(self, node: exp.Binary, scope: _Scope) -> Type:
        self._compare_with_array(node.expression, node.this, scope)
        return "bool"

    def _series(self, node: exp.GenerateSeries, scope: _Scope) -> Type:
        ends = [node.args["start"], node.args["end"]]
        kind = self._siblings(ends, scope)
        step = node.args.get("step")
        self.kind_of(step, scope)
        self._coerce(step, "interval" if kind in ("date", "timestamp", "timestamptz") else kind)
        return signatures.array_of(kind)

    def _dot(self, node: exp.Dot, scope: _Scope) -> Type:
        """A function of a schema: one of our macros."""
        call = node.expression
        if not isinstance(call, exp.Anonymous):
            self._visit_children(node, scope)
            return None
        if (macro := _MACROS.get(call.name.lower())) is not None and len(call.expressions) == 2:
            kind = self._calculate("/", *call.expressions, scope)
            return kind if macro.exact else None
        return self._call(call.name.lower(), call.expressions, scope)

    def _anonymous(self, node: exp.Anonymous, scope: _Scope) -> Type:
        return self._call(node.name.lower(), node.expressions, scope)

    def _call(self, name: str, arguments: Sequence[exp.Expr | None], scope: _Scope) -> Type:
        kinds = [self.kind_of(argument, scope) for argument in arguments]
        count = sum(argument is not None for argument in arguments)
        found = signatures.signature(name, count)
        if found is None:
            return None
        for index, wanted in zip(range(len(kinds)), found.expected(), strict=False):
            if kinds[index] == UNKNOWN and wanted is not None:
                self._coerce(arguments[index], wanted)
                kinds[index] = wanted
        return found.result_for(kinds)


# --- reading nodes -------------------------------------------------------------------------------


def _bare(node: exp.Expr | None) -> exp.Expr | None:
    """Without brackets and aliases."""
    while isinstance(node, exp.Paren | exp.Alias):
        node = node.this
    return node


def _number(node: exp.Placeholder) -> int:
    return int(node.this) if isinstance(node.this, str) and node.this.isdecimal() else 0


def _identifier(node: exp.Expr) -> str:
    return node.name.lower()


def _kind_in(columns: list[_Output] | None, name: str) -> Type:
    return next((column.kind for column in columns or () if column.name == name), None)


def _renamed(outputs: list[_Output] | None, names: Sequence[exp.Expr]) -> list[_Output] | None:
    """The columns under the names of an alias, as far as it has any."""
    if outputs is None:
        return None
    told = [_identifier(name) for name in names]
    told += [output.name for output in outputs[len(told) :]]
    return [
        _Output(name, output.kind, output.node) for name, output in zip(told, outputs, strict=False)
    ]


def _quantified(node: exp.Expr | None) -> exp.Expr | None:
    """What stands in ANY(...) or ALL(...), without the guard against NULL."""
    if isinstance(node, exp.Any | exp.All):
        operand = _bare(node.this)
    elif isinstance(node, exp.Anonymous) and node.name.lower() in ("any", "all", "some"):
        operand = _bare(node.expressions[0]) if len(node.expressions) == 1 else None
    else:
        return None
    while isinstance(operand, exp.Subquery) and isinstance(operand.this, exp.Subquery):
        operand = operand.this
    return _bare(operand.this) if isinstance(operand, exp.Coalesce) else operand


def _arguments(node: exp.Func) -> list[exp.Expr | None]:
    """Of a function that the parser knows, in its order; None where an optional one is left out."""
    found: list[exp.Expr | None] = []
    for key in node.arg_types:
        value = node.args.get(key)
        if isinstance(value, list):
            found.extend(value)
        else:
            found.append(value if isinstance(value, exp.Expr) else None)
    return found


_D = exp.DType

_CAST_TYPES: dict[exp.DType, str] = {
    _D.BOOLEAN: "bool",
    _D.TINYINT: "int2",
    _D.UTINYINT: "int2",
    _D.SMALLINT: "int2",
    _D.USMALLINT: "int4",
    _D.INT: "int4",
    _D.UINT: "int8",
    _D.BIGINT: "int8",
    _D.UBIGINT: "numeric",
    _D.INT128: "numeric",
    _D.UINT128: "numeric",
    _D.DECIMAL: "numeric",
    _D.FLOAT: "float4",
    _D.DOUBLE: "float8",
    _D.TEXT: "text",
    _D.VARCHAR: "text",
    _D.CHAR: "text",
    _D.VARBINARY: "bytea",
    _D.DATE: "date",
    _D.TIME: "time",
    _D.TIMETZ: "timetz",
    _D.TIMESTAMP: "timestamp",
    _D.TIMESTAMPNTZ: "timestamp",
    _D.TIMESTAMP_S: "timestamp",
    _D.TIMESTAMP_MS: "timestamp",
    _D.TIMESTAMP_NS: "timestamp",
    _D.TIMESTAMPTZ: "timestamptz",
    _D.INTERVAL: "interval",
    _D.UUID: "uuid",
    _D.JSON: "json",
    _D.BIT: "varbit",
}


def _kind_of_cast(to: exp.Expr | None) -> Type:
    if not isinstance(to, exp.DataType):
        return None
    if to.this in (_D.ARRAY, _D.LIST):
        return signatures.array_of(_kind_of_cast(to.expressions[0])) if to.expressions else None
    return _CAST_TYPES.get(to.this)


def _kind_of_duck(kind: DuckType) -> Type:
    try:
        return signatures.name_of(wire_type(kind).oid)
    except SqlError:
        return None


# --- tables of visits ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Division:
    """exact: whether its result is of its operands' type."""

    exact: bool


_MACROS: dict[str, _Division] = {"pg_div_": _Division(True), "div_": _Division(False)}

_OPERATORS: dict[type, str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "/",
    exp.Mod: "%",
    exp.Pow: "^",
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseXor: "#",
    exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
    exp.DPipe: "||",
}

_STATEMENTS: dict[type, Callable[..., None]] = {
    exp.Create: _Inference._create,
    exp.Insert: _Inference._insert,
    exp.Update: _Inference._update,
    exp.Delete: _Inference._delete,
    exp.Merge: _Inference._merge,
}

_EXPRESSIONS: dict[type, Callable[..., Type]] = {
    exp.Placeholder: _Inference._placeholder,
    exp.Column: _Inference._column,
    exp.Literal: _Inference._literal,
    exp.Null: lambda self, node, scope: UNKNOWN,
    exp.RawString: lambda self, node, scope: UNKNOWN,
    exp.Boolean: lambda self, node, scope: "bool",
    **dict.fromkeys(
        (
            *(exp.Paren, exp.Alias, exp.Neg, exp.BitwiseNot, exp.Collate, exp.Window),
            *(exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls, exp.Ordered, exp.Order),
        ),
        _Inference._inside,
    ),
    exp.Cast: _Inference._cast,
    exp.TryCast: _Inference._cast,
    **dict.fromkeys((exp.And, exp.Or, exp.Xor), _Inference._connector),
    exp.Not: _Inference._not,
    exp.Is: _Inference._is,
    **dict.fromkeys(
        (
            *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
            *(exp.NullSafeEQ, exp.NullSafeNEQ),
        ),
        _Inference._comparison,
    ),
    **dict.fromkeys((exp.Like, exp.ILike, exp.SimilarTo, exp.Glob), _Inference._pattern),
    **dict.fromkeys(_OPERATORS, _Inference._arithmetic),
    exp.Div: _Inference._division,
    exp.Between: _Inference._between,
    exp.In: _Inference._in,
    **dict.fromkeys((exp.Coalesce, exp.Greatest, exp.Least), _Inference._coalesce),
    exp.Nullif: _Inference._nullif,
    exp.Array: _Inference._array,
    exp.Case: _Inference._case,
    exp.If: _Inference._if,
    exp.Exists: _Inference._exists,
    exp.Filter: _Inference._filter,
    exp.Interval: _Inference._interval,
    exp.AtTimeZone: _Inference._at_time_zone,
    exp.Bracket: _Inference._bracket,
    exp.Explode: _Inference._unnest,
    exp.ArrayContains: _Inference._array_contains,
    exp.GenerateSeries: _Inference._series,
    exp.Dot: _Inference._dot,
    exp.Anonymous: _Inference._anonymous,
}
