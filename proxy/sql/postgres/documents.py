"""jsonb as Postgres compares it: in ORDER BY, `=`, `<`, DISTINCT, GROUP BY, IN, joins and windows.

Why it exists: a jsonb is a text to the engine, and texts are compared there: `1.0` and `1.00` are equal
as jsonb, and an array comes before an object whatever their texts are. Where the types of a statement's
columns show that jsonb are compared, `jsonb_key_` of them is compared instead: bytes that sort as
Postgres sorts. What cannot be written so is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.inference.expressions import bare
from proxy.sql.inference.names import Output, Scope
from proxy.sql.inference.signatures import Type
from proxy.sql.inference.statements import Statements
from proxy.sql.reading import position_of

_JSONB = "jsonb"
_UNORDERED = {"jsonb": "jsonb", "json": "json", "bool": "boolean", "uuid": "uuid"}
"""Types without min() and max()."""


def distinct_on(
    values: Sequence[exp.Expr], documents: Sequence[bool], key_of: Callable[[exp.Expr], exp.Expr]
) -> list[exp.Expr]:
    """What rows are told apart by: of documents their keys. A literal there would name a place."""
    return [
        key_of(value) if document else value
        for value, document in zip(values, documents, strict=True)
        if document or not isinstance(value, exp.Literal)
    ]


class Documents(Statements):
    """Notes what compares jsonb while a statement is visited; `compare_documents` changes it.

    document, key: the type of what is compared, and the function of its key; shown: its name.
    """

    document = _JSONB
    key = "jsonb_key_"
    shown = "jsonb"

    def begin(self) -> None:
        self._compared: dict[int, exp.Expr] = {}
        self._grouped: list[tuple[exp.Select, exp.Expr, exp.Expr]] = []
        self._distinguished: list[tuple[exp.Select, list[exp.Expr]]] = []
        self._uniting: list[tuple[exp.SetOperation, dict[str, bool]]] = []
        self._nullifs: list[exp.Nullif] = []

    def _refused(self, what: str, at: exp.Expr | None = None) -> SqlError:
        position = position_of(at) if at is not None else None
        return SqlError("0A000", f"{what} of {self.shown} is not supported", position=position)

    def _known(self, node: exp.Expr | None) -> Type:
        """What was found of a part that has been visited."""
        raise NotImplementedError

    def _is_document(self, node: exp.Expr | None) -> bool:
        return self._known(node) == self.document

    # --- what is noted ------------------------------------------------------------------------

    def _compare(self, left: exp.Expr, kind: Type, right: exp.Expr, scope: Scope) -> None:
        super()._compare(left, kind, right, scope)
        if not (self._is_document(left) or self._is_document(right)):
            return
        if isinstance(left.parent, exp.Nullif):
            self._nullifs.append(left.parent)
            return
        for side in (left, right):
            if not isinstance(bare(side), exp.Null):
                self._compared[id(side)] = side

    def _compare_with_query(self, left: Sequence[exp.Expr], query: exp.Expr, scope: Scope) -> None:
        super()._compare_with_query(left, query, scope)
        select = query.unnest() if isinstance(query, exp.Subquery) else query
        for index, one in enumerate(left):
            if not self._is_document(one):
                continue
            outputs = select.expressions if isinstance(select, exp.Select) else []
            if index >= len(outputs) or any(output.is_star for output in outputs):
                raise self._refused("IN (SELECT ...)", one)
            self._compared[id(one)] = one
            value = outputs[index].this if isinstance(outputs[index], exp.Alias) else outputs[index]
            self._compared[id(value)] = value

    def _compare_with_array(self, left: exp.Expr, array: exp.Expr, scope: Scope) -> None:
        super()._compare_with_array(left, array, scope)
        if self._is_document(left):
            raise self._refused("= ANY (array)", left)

    def _in_list(self, left: exp.Expr, items: list[exp.Expr], scope: Scope) -> None:
        super()._in_list(left, items, scope)
        if self._is_document(left):
            for one in (left, *items):
                self._compared[id(one)] = one

    def kind_of(self, node: exp.Expr | None, scope: Scope) -> Type:
        kind = super().kind_of(node, scope)
        if isinstance(node, exp.Distinct):
            self._look_at_distinct_values(node)
        elif kind == self.document and isinstance(node, exp.Greatest | exp.Least):
            self._choose(node)
        elif isinstance(node, exp.Order):
            for one in node.expressions:
                part = one.this if isinstance(one, exp.Ordered) else one
                if self._is_document(part):
                    self._compared[id(part)] = part
        return kind

    def _choose(self, node: exp.Greatest | exp.Least) -> None:
        raise self._refused(node.key.upper(), node)

    def _look_at_distinct_values(self, node: exp.Distinct) -> None:
        for one in node.expressions:
            if not self._is_document(one):
                continue
            if not isinstance(node.parent, exp.Count):
                raise self._refused("DISTINCT in an aggregate", one)
            self._compared[id(one)] = one

    def visit_children(self, node: exp.Expr, scope: Scope, but: exp.Expr | None = None) -> None:
        super().visit_children(node, scope, but)
        parts: Iterable[exp.Expr] = ()
        if isinstance(node, exp.Window):
            parts = node.args.get("partition_by") or ()
        elif isinstance(node, exp.Order):
            parts = [one.this for one in node.expressions if isinstance(one, exp.Ordered)]
            if isinstance(node.parent, exp.Select | exp.SetOperation | exp.Subquery):
                return  # where names mean the select list: `_after`
            if isinstance(node.parent, exp.WithinGroup) and any(map(self._is_document, parts)):
                raise self._refused("WITHIN GROUP (ORDER BY ...)", node)
        for part in parts:
            if self._is_document(part):
                self._compared[id(part)] = part

    def _merge_columns(self, join: exp.Join, *others: object) -> None:
        super()._merge_columns(join, *others)  # type: ignore[arg-type]
        scope = others[-1]
        names = [column.name.lower() for column in join.args.get("using") or ()]
        assert isinstance(scope, Scope)
        if join.args.get("method") == "NATURAL":
            names = list(scope.merged)
        if any(scope.merged.get(name) == self.document for name in names):
            raise self._refused("JOIN ... USING", join)

    def _call(self, name: str, arguments: Sequence[exp.Expr | None], scope: Scope) -> Type:
        kind = super()._call(name, arguments, scope)
        if name in ("min", "max") and kind in _UNORDERED:
            raise SqlError(
                "42883",
                f"function {name}({_UNORDERED[kind]}) does not exist",
                hint="No function matches the given name and argument types. You might need to add"
                " explicit type casts.",
            )
        return kind

    def _select(self, node: exp.Select, outer: Scope) -> list[Output] | None:
        outputs = super()._select(node, outer)
        if outputs is not None and any(output.kind == self.document for output in outputs):
            self._look_at_distinct(node, outputs)
        self._look_at_order(node, outputs)
        self._look_at_groups(node, outputs)
        return outputs

    def _look_at_distinct(self, node: exp.Select, outputs: list[Output]) -> None:
        distinct = node.args.get("distinct")
        if not isinstance(distinct, exp.Distinct):
            return
        if distinct.args.get("on") is not None:
            for part in _listed(distinct.args["on"]):
                if self._is_document(part):
                    self._compared[id(part)] = part
            return
        if any(projection.is_star for projection in node.expressions):
            if len({output.name for output in outputs}) < len(outputs):
                raise self._refused("SELECT DISTINCT * of columns of one name", node)
            values: list[exp.Expr] = [exp.column(one.name, quoted=True) for one in outputs]
        else:
            values = [
                one.this.copy() if isinstance(one, exp.Alias) else one.copy()
                for one in node.expressions
            ]
        documents = [output.kind == self.document for output in outputs]
        on = distinct_on(values, documents, self._key)
        self._distinguished.append((node, on))

    def _look_at_order(self, node: exp.Select, outputs: list[Output] | None) -> None:
        order = node.args.get("order")
        for one in order.expressions if order is not None else ():
            value = bare(one.this)
            if isinstance(value, exp.Literal) and not value.is_string:
                index = int(value.this) - 1 if value.this.isdecimal() else -1
                if outputs is None or not 0 <= index < len(outputs):
                    continue
                if outputs[index].kind == self.document and index < len(node.expressions):
                    if any(projection.is_star for projection in node.expressions):
                        made: exp.Expr = exp.column(outputs[index].name, quoted=True)
                    else:
                        made = _value(node.expressions[index]).copy()
                    one.set("this", made)
                    self._compared[id(made)] = made
            elif self._is_document(one.this):
                self._compared[id(one.this)] = one.this

    def _look_at_groups(self, node: exp.Select, outputs: list[Output] | None) -> None:
        group = node.args.get("group")
        if group is None:
            return
        for place, one in enumerate(group.expressions):
            value, written = bare(one), one
            if isinstance(value, exp.Literal) and value.this.isdecimal():
                index = int(value.this) - 1
                if 0 <= index < len(node.expressions):
                    value = _value(node.expressions[index])
            elif isinstance(value, exp.Column) and not value.table:
                aliased = (p for p in node.expressions if isinstance(p, exp.Alias))
                named = [p.this for p in aliased if p.alias == value.name]
                own = [c.name for one in named for c in one.find_all(exp.Column)]
                if len(named) == 1 and value.name not in own:
                    value = named[0]
            if value is not None and self._is_document(value):
                if written is not value:
                    copied = value.copy()
                    group.expressions[place].replace(copied)
                    written = copied
                self._grouped.append((node, written, value.copy()))
        for key in ("grouping_sets", "cube", "rollup"):
            for part in group.args.get(key) or ():
                if any(self._is_document(one) for one in part.find_all(exp.Column)):
                    raise self._refused("GROUPING SETS", part)

    def _united(
        self, node: exp.SetOperation, left: list[Output] | None, scope: Scope
    ) -> list[Output] | None:
        outputs = super()._united(node, left, scope)
        documents = {output.name: output.kind == self.document for output in outputs or ()}
        if not any(documents.values()):
            return outputs
        plain = isinstance(node, exp.Union) and len(documents) == len(outputs or ())
        if not plain and (node.args.get("distinct") or not isinstance(node, exp.Union)):
            raise self._refused(node.key.upper(), node)
        if node.args.get("distinct") or node.args.get("order") is not None:
            if not plain:
                raise self._refused("ORDER BY behind UNION", node)
            self._uniting.append((node, documents))
        return outputs

    # --- what is changed ----------------------------------------------------------------------

    def compare_documents(self) -> bool:
        """Whether anything was to be changed."""
        for part in self._compared.values():
            self._wrap(part)
        for node, written, value in self._grouped:
            self._group(node, written, value)
        for nullif in self._nullifs:
            same = exp.EQ(
                this=self._key(nullif.this.copy()), expression=self._key(nullif.expression.copy())
            )
            either = exp.If(this=same, true=exp.Null())
            nullif.replace(exp.Case(ifs=[either], default=nullif.this.copy()))
        for node, on in self._distinguished:
            node.set("distinct", exp.Distinct(on=exp.Tuple(expressions=on)))
        for union, documents in self._uniting:
            _distinguish_union(union, documents, self._key)
        noted = (self._grouped, self._compared, self._nullifs, self._distinguished, self._uniting)
        return any(noted)

    def _key(self, value: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this=self.key, expressions=[value])

    def _wrap(self, part: exp.Expr) -> None:
        put_around(part, self._key)

    def _group(self, node: exp.Select, written: exp.Expr, value: exp.Expr) -> None:
        """GROUP BY the key; elsewhere the document is that of one of the group's rows."""
        order = node.args.get("order")
        parts = [*node.expressions, node.args.get("having"), node.args.get("qualify"), order]
        for part in parts:
            for one in list(outside_aggregates(part)) if part is not None else ():
                if one is not written and same(one, value) and one.parent is not None:
                    first: exp.Expr = exp.Anonymous(this="first", expressions=[one.copy()])
                    if one.parent is node and isinstance(one, exp.Column):
                        first = exp.alias_(first, one.name, quoted=True)
                    one.replace(first)
        self._wrap(written)


def _value(projection: exp.Expr) -> exp.Expr:
    return projection.this if isinstance(projection, exp.Alias) else projection


def _listed(node: exp.Expr) -> list[exp.Expr]:
    return node.expressions if isinstance(node, exp.Tuple) else [node]


def put_around(part: exp.Expr, call: Callable[[exp.Expr], exp.Expr]) -> None:
    """Puts a call of a part in its place."""
    parent, key, index = part.parent, part.arg_key, part.index
    if parent is not None and key is not None:
        parent.set(key, call(part), index=index)


def outside_aggregates(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.AggFunc | exp.Query):
        return
    yield node
    for child in list(node.iter_expressions()):
        yield from outside_aggregates(child)


def same(one: exp.Expr, other: exp.Expr) -> bool:
    if isinstance(one, exp.Column) and isinstance(other, exp.Column):
        tables = {one.table.lower(), other.table.lower()} - {""}
        return one.name.lower() == other.name.lower() and len(tables) <= 1
    return one == other


def _distinguish_union(
    union: exp.SetOperation, documents: dict[str, bool], made_key: Callable[[exp.Expr], exp.Expr]
) -> None:
    """UNION is UNION ALL of which one row is taken for each of those that are equal."""
    distinct = bool(union.args.get("distinct"))
    names = list(documents)
    order = union.args.get("order")
    for one in order.expressions if order is not None else ():
        value = bare(one.this)
        index = int(value.this) - 1 if isinstance(value, exp.Literal) else -1
        name = names[index] if 0 <= index < len(names) else one.this.name.lower()
        if name in documents:
            column = exp.column(name, quoted=True)
            one.set("this", made_key(column) if documents[name] else column)
    around = {key: union.args.get(key) for key in ("with_", "order", "limit", "offset")}
    parent, key, index = union.parent, union.arg_key, union.index
    inner = union.copy()
    inner.set("distinct", False)
    for one in around:
        inner.set(one, None)
    columns = {name: exp.column(name, quoted=True) for name in names}
    on = [made_key(columns[name]) if documents[name] else columns[name] for name in names]
    made = exp.Select(
        expressions=[exp.Star()],
        distinct=exp.Distinct(on=exp.Tuple(expressions=on)) if distinct else None,
        from_=exp.From(
            this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("_united")))
        ),
        **{name: value for name, value in around.items() if value is not None},
    )
    if parent is not None and key is not None:
        parent.set(key, made, index=index)
    else:
        union.meta["made"] = made
