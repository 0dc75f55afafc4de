"""VARIANTs as Snowflake compares them, where only the columns' types show that there are any.

Why it exists: a VARIANT is DuckDB's JSON, a text there: `1.0` and `1` differ, `'3'` comes after `'10'`,
and `v = 'a'` is never true. What the text of a statement shows to be a VARIANT (a path, a cast) its
rules have seen to; here the tree of DuckDB's SQL is followed with the types of the tables' columns in
hand (`proxy.session.typed`), through CTEs, subqueries, joins and select lists, and then

- VARIANTs are compared, sorted, joined and partitioned by `variant_key_` of them;
- grouped, made distinct and united as `variant_plain_`, one document for all that are equal;
- what stands beside one is made one, as Snowflake does: a number, and what is neither that nor a text;
  beside a text a VARIANT is its text, beside a date or a truth value it is cast to that;
- MIN, MAX, MIN_BY, GREATEST, NULLIF, CASE, DECODE, COUNT(DISTINCT) and their kin go by the same order.

Where a type is not known, nothing is changed; what cannot be written so is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from sqlglot import exp

from proxy.sql.inference.expressions import bare
from proxy.sql.inference.names import Output, Scope, Source
from proxy.sql.inference.signatures import UNKNOWN, Type, common, compared
from proxy.sql.inference.statements import Statements
from proxy.sql.postgres.documents import put_around, same
from proxy.sql.postgres.typing import Typing
from proxy.sql.snowflake.variant_forms import (
    Way,
    aggregates,
    as_variant,
    cast_as,
    change_outputs,
    chosen,
    digits_of,
    key_beside,
    key_of,
    key_of_other,
    make_distinct,
    number_of,
    order_beside,
    outside_queries,
    parts_of_group,
    plain,
    plain_text_of,
    text_of,
    truth_of,
    unchanged,
    unite,
    value_of,
)

_VARIANT = "json"
_ROWS_OF_FLATTEN = "rows of FLATTEN"
"""What the type of a list of FLATTEN's rows is called here."""

_FLATTENED = (
    *(("seq", "int8"), ("key", "text"), ("path", "text"), ("index", "int8")),
    *(("value", _VARIANT), ("this", _VARIANT)),
)
_TEXTS = frozenset({UNKNOWN, "text", "varchar", "bpchar", "name"})
_CAST = frozenset({"date", "time", "timetz", "timestamp", "timestamptz", "interval", "bytea"})
"""Types that a VARIANT beside them is cast to."""

GIVING = frozenset(
    {
        *("parse_json", "try_parse_json", "parse_json_twice_", "try_parse_json_twice_"),
        *("to_variant", "variant_of_", "zoned_variant_", "get_", "get_path_", "get_ignore_case_"),
        *("object_of_", "object_agg_", "object_with_nulls_", "object_of_row_", "to_object"),
        *("object_of_row_with_nulls_", "object_insert", "object_delete_", "object_pick_"),
        *("object_keys", "map_keys", "map_entries", "map_cat_", "map_as_", "with_keys_"),
        *("arrays_to_object", "as_array", "as_object", "strip_null_value", "to_array"),
        *("array_append", "array_prepend", "array_cat", "array_compact", "array_distinct"),
        *("array_reverse", "array_except", "array_intersection", "array_insert", "array_remove"),
        *("array_remove_at", "array_slice", "array_flatten", "array_generate_range", "array_sort"),
        *(
            "array_max",
            "array_min",
            "array_repeat_",
            "array_of_",
            "array_made_",
            "array_made_compact_",
            "union_of_",
            "zipped_",
        ),
        *("split", "strtok_to_array", "list_json_", "parse_xml", "try_parse_xml", "xmlget"),
        *("parse_xml_", "try_parse_xml_", "xmlget_", "parse_url", "parse_ip", "h3_grid_disk"),
        *("h3_grid_path", "h3_cell_to_children", "h3_cell_to_children_string", "h3_compact_cells"),
        *("h3_compact_cells_strings", "h3_uncompact_cells", "h3_uncompact_cells_strings"),
        *("h3_polygon_to_cells", "h3_polygon_to_cells_strings", "h3_coverage"),
        "h3_coverage_strings",
    }
)
"""Macros that give a VARIANT, an OBJECT or an ARRAY."""

_OF_DUCKDB = frozenset(
    {
        "to_json",
        "json_array",
        "variant_path_",
        "json_object",
        "variant_plain_",
        "variant_object_",
        "variant_list_",
    }
)
_OF_FIRST = frozenset(
    {"argmax", "argmin", "arg_max", "arg_min", "first", "last", "try", "counted_"}
)
_OVER_LISTS = frozenset({"top_k_", "distinct_of_", "changes_"})
_OF_NUMBERS = frozenset(
    {
        *("div0", "div0_", "div0null", "div0null_", "width_bucket", "square", "haversine", "trunc"),
        *("factorial", "zeroifnull", "nullifzero", "bitshiftleft_", "bitshiftright_"),
    }
)
"""Macros and functions that look at no types, though their arguments are numbers."""

_CASTING = frozenset({"typed_as_", "variant_beside_"})
_COUNTING = frozenset({"counted_", "as_its_kind_"})
"""Macros that see by its type whether a column is a text beside a number; a VARIANT is none."""
_FLAT = frozenset({"flat_", "flat_with_seq_"})


class Variants(Typing):
    """Notes what compares VARIANTs while a statement is visited; `compare_documents` changes it."""

    document = _VARIANT
    shown = "VARIANT"

    def begin(self) -> None:
        super().begin()
        self._ways: dict[int, tuple[exp.Expr, Way]] = {}
        self._pairs: dict[int, tuple[exp.Nullif, Way, Way]] = {}
        self._queries: dict[int, tuple[exp.Expr, list[Way | None]]] = {}
        self._extremes: dict[int, exp.Expr] = {}
        self._chosen: dict[int, exp.Expr] = {}
        self._groups: list[tuple[exp.Select, exp.Expr, exp.Expr]] = []
        self._singles: list[tuple[exp.Select, list[str], list[bool]]] = []
        self._unions: list[tuple[exp.SetOperation, list[str], list[bool]]] = []

    # --- types --------------------------------------------------------------------------------

    def _anonymous(self, node: exp.Anonymous, scope: Scope) -> Type:
        kind = super()._anonymous(node, scope)
        self._note_called(node)
        name = node.name.lower()
        own = isinstance(node.parent, exp.Dot)
        if own and name in _FLAT:
            return _ROWS_OF_FLATTEN
        if name in (GIVING if own else _OF_DUCKDB):
            return _VARIANT
        if name in _OF_FIRST and node.expressions:
            return self._known(node.expressions[0])
        if name in _CASTING and len(node.expressions) == 2:
            return self._known(node.expressions[1])
        return kind

    def _call(self, name: str, arguments: Sequence[exp.Expr | None], scope: Scope) -> Type:
        kind = Statements._call(self, name, arguments, scope)
        if name in _OF_NUMBERS:
            for one in arguments:
                if self._is_document(one):
                    self._note(bare(one), number_of)
        if name == "jsonarray":
            return _VARIANT
        return self._known(arguments[0]) if name in _OF_FIRST and arguments else kind

    def _table(self, node: exp.Table, scope: Scope) -> list[Output] | None:
        columns = super()._table(node, scope)
        called = node.this
        if isinstance(called, exp.Anonymous) and called.name.lower() in (
            "flatten_",
            "flatten_deep_",
        ):
            return _flattened()
        return columns

    def _source(self, node: exp.Expr, scope: Scope) -> Source:
        source = super()._source(node, scope)
        query = node.this if isinstance(node, exp.Lateral) else node
        inner = query.this if isinstance(query, exp.Subquery) else None
        if isinstance(inner, exp.Select) and len(inner.expressions) == 1:
            rows = inner.expressions[0]
            if isinstance(rows, exp.Explode) and self._known(rows.this) == _ROWS_OF_FLATTEN:
                return Source(source.name, _flattened())
        return source

    def _star(self, node: exp.Expr, scope: Scope) -> list[Output] | None:
        star = node.this if isinstance(node, exp.Column) else node
        left_out = star.args.get("except_")
        if not left_out or any(v for k, v in star.args.items() if k != "except_"):
            return super()._star(node, scope)
        whole = exp.Column(this=exp.Star(), table=node.args.get("table"))
        outputs = super()._star(whole if node.args.get("table") else exp.Star(), scope)
        names = {one.name.lower() for one in left_out}
        return None if outputs is None else [one for one in outputs if one.name not in names]

    def _known(self, node: exp.Expr | None) -> Type:
        found = super()._known(node)
        if found is None and isinstance(node := bare(node), exp.Order | exp.Distinct):
            return self._known(node.this or node.expressions[0])
        return found

    # --- what is noted ------------------------------------------------------------------------

    def kind_of(self, node: exp.Expr | None, scope: Scope) -> Type:
        if isinstance(node, exp.Lambda):
            return None  # its variables may have the names of columns
        kind = super().kind_of(node, scope)
        noted = _NOTED.get(node.__class__)
        if noted is not None and node is not None:
            noted(self, node)
        return kind

    def condition(self, node: exp.Expr | None, scope: Scope) -> None:
        super().condition(node, scope)
        if self._is_document(node):
            self._note(node, truth_of)

    def coerce(self, node: exp.Expr | None, kind: Type) -> None:
        if kind != _VARIANT:  # a text beside a VARIANT is a text
            super().coerce(node, kind)

    def _note(self, node: exp.Expr | None, way: Way) -> None:
        if node is not None:
            self._ways[id(node)] = node, way

    def _align(self, values: Sequence[exp.Expr | None]) -> None:
        """Values that are compared with one another."""
        present = [value for value in map(bare, values) if not isinstance(value, exp.Null)]
        for value, way in self._aligned([value for value in present if value is not None]):
            self._note(value, way)

    def _aligned(self, values: list[exp.Expr]) -> list[tuple[exp.Expr, Way]]:
        paths = {id(value): path for value in values if (path := self._path(value)) is not None}
        documents = [v for v in values if self._is_document(v) or id(v) in paths]
        if not documents:
            return []
        others = [value for value in values if value not in documents]
        told = {id(value): text for value in others if (text := self._told(value)) is not None}
        kinds = {"text" if id(value) in told else self._known(value) for value in others}
        if others and kinds <= _TEXTS:
            found = [(one, self._whole(one, paths, text_of)) for one in documents]
            return found + [(one, self._whole(one, told, unchanged)) for one in others]
        if others and kinds <= _CAST:
            way = partial(cast_as, others[0])
            return [(one, way) for one in documents if id(one) not in paths]
        if others and None in kinds and any(id(one) in paths for one in documents):
            return []  # the type is seen when it is bound
        way = key_of
        if others:
            place = values[0].parent
            way = order_beside if isinstance(place, _ORDERING) else key_beside
        return [(one, self._whole(one, paths, way)) for one in documents] + [
            (one, self._whole(one, told, key_of_other)) for one in others
        ]

    def _whole(self, value: exp.Expr, paths: dict[int, exp.Expr], way: Way) -> Way:
        path = paths.get(id(value))
        return way if path is None else lambda _: way(path)

    def _path(self, value: exp.Expr) -> exp.Expr | None:
        """The VARIANT that a rule has cast to the type of what stands beside it."""
        call = value.expression if isinstance(value, exp.Dot) else None
        if isinstance(call, exp.Anonymous) and call.name.lower() in _CASTING | _COUNTING:
            inner = call.expressions[0]
            return inner if self._is_document(inner) else None
        return None

    def _told(self, value: exp.Expr) -> exp.Expr | None:
        """The text that a rule reads as what it stands beside, which is a VARIANT."""
        call = value.expression if isinstance(value, exp.Dot) else None
        if isinstance(call, exp.Anonymous) and call.name.lower() == "as_its_kind_":
            return call.expressions[0] if self._is_document(call.expressions[1]) else None
        return None

    def _compare(self, left: exp.Expr, kind: Type, right: exp.Expr, scope: Scope) -> None:
        Statements._compare(self, left, kind, right, scope)
        if not isinstance(left.parent, exp.Nullif):
            self._align([left, right])
            return
        ways = {id(one): way for one, way in self._aligned([left, right])}
        if ways:
            same_ = ways.get(id(left), unchanged), ways.get(id(right), unchanged)
            self._pairs[id(left.parent)] = left.parent, *same_

    def _between(self, node: exp.Between, scope: Scope) -> Type:
        parts = [node.this, node.args["low"], node.args["high"]]
        self._visit_together(parts, scope)
        self._align(parts)
        return "bool"

    def _in_list(self, left: exp.Expr, items: list[exp.Expr], scope: Scope) -> None:
        self._visit_together([left, *items], scope)
        self._align([left, *items])

    def _visit_together(self, nodes: Sequence[exp.Expr], scope: Scope) -> None:
        kinds = [self.kind_of(node, scope) for node in nodes]
        shared = common(kinds)
        self._coerce_all(nodes, shared)
        if shared is None:
            for node, kind in zip(nodes[1:], kinds[1:], strict=True):
                left, right = compared(kinds[0], kind)
                self.coerce(nodes[0], left)
                self.coerce(node, right)

    def _compare_with_query(self, left: Sequence[exp.Expr], query: exp.Expr, scope: Scope) -> None:
        columns = self.settle(self.query(query, scope))
        ways: list[Way | None] = [None] * len(columns)
        for index, one in enumerate(left):
            kind = self.kind_of(one, scope)
            if index >= len(columns):
                if kind == _VARIANT:
                    raise self._refused("IN (SELECT ...) of columns that are not known", one)
                continue
            other = columns[index].kind
            self.coerce(one, other)
            if kind != _VARIANT and other != _VARIANT:
                continue
            if kind == _VARIANT and other == _VARIANT:
                here, there = key_of, key_of
            elif other in _TEXTS or kind in _TEXTS:
                here, there = (text_of, None) if kind == _VARIANT else (None, text_of)
            else:
                here = key_of if kind == _VARIANT else key_of_other
                there = key_of if other == _VARIANT else key_of_other
            if here is not None:
                self._note(one, here)
            ways[index] = there
        if any(ways):
            self._queries[id(query)] = query, ways

    def _case(self, node: exp.Case, scope: Scope) -> Type:
        operand = node.this
        whens = [one.this for one in node.args["ifs"]]
        if operand is not None:
            self._visit_together([operand, *whens], scope)
            self._align([operand, *whens])
        else:
            for one in whens:
                self.condition(one, scope)
        results = [one.args["true"] for one in node.args["ifs"]]
        if (default := node.args.get("default")) is not None:
            results.append(default)
        return self.siblings(results, scope)

    def siblings(self, nodes: Sequence[exp.Expr], scope: Scope) -> Type:
        """Of values that become one, what stands beside a VARIANT is made one."""
        kinds = [self.kind_of(node, scope) for node in nodes]
        if _VARIANT not in kinds:
            kind = common(kinds)
            self._coerce_all(nodes, kind)
            return kind
        for node, kind in zip(nodes, kinds, strict=True):
            if kind != _VARIANT and not isinstance(bare(node), exp.Null):
                self._note(bare(node), as_variant)
        return _VARIANT

    def _choose(self, node: exp.Greatest | exp.Least) -> None:
        self._chosen[id(node)] = node

    def _look_at_distinct_values(self, node: exp.Distinct) -> None:
        way = _OF_DISTINCT.get(node.parent.__class__, plain)
        for one in node.expressions:
            if self._is_document(one):
                if isinstance(node.parent, exp.Order):
                    raise self._refused("DISTINCT with an order in an aggregate", one)
                self._note(one, way)

    def _note_extreme(self, node: exp.Max | exp.Min) -> None:
        if self._is_document(node.this):
            self._extremes[id(node)] = node

    def _note_negated(self, node: exp.Neg) -> None:
        if self._is_document(node.this):
            self._note(bare(node.this), number_of)

    def _note_cast(self, node: exp.Cast) -> None:
        if node.to.this == exp.DType.DECIMAL and self._is_document(node.this):
            self._note(bare(node.this), digits_of)

    def _note_ranked(self, node: exp.ArgMax | exp.ArgMin) -> None:
        if self._is_document(node.expression):
            self._note(node.expression, key_of)

    def _note_counted(self, node: exp.ApproxDistinct) -> None:
        if self._is_document(node.this):
            self._note(node.this, key_of)

    def _note_present(self, node: exp.Count) -> None:
        if not isinstance(node.this, exp.Distinct) and self._is_document(node.this):
            self._note(node.this, text_of)  # JSON null is NULL to COUNT

    def _note_called(self, node: exp.Anonymous) -> None:
        name = node.name.lower()
        if name == "number_" and node.expressions and self._is_document(node.expressions[0]):
            self._note(node.expressions[0], text_of)  # JSON null is NULL to arithmetic
        elif name == "hash":
            self._note_plain(node)
        elif name in _OVER_LISTS:
            for one in node.expressions[0].find_all(exp.ArrayAgg):
                if self._is_document(one.this):
                    self._note(one.this, plain)

    def _note_plain(self, node: exp.Expr) -> None:
        for one in [node.this] if isinstance(node, exp.Mode) else node.expressions:
            if self._is_document(one):
                self._note(one, plain)

    def _note_listed(self, node: exp.GroupConcat) -> None:
        value = node.this.this if isinstance(node.this, exp.Order) else node.this
        if isinstance(value, exp.Distinct):
            value = value.expressions[0]
            way = plain_text_of
        else:
            way = text_of
        if self._is_document(value):
            self._note(value, way)

    # --- clauses ------------------------------------------------------------------------------

    def _look_at_distinct(self, node: exp.Select, outputs: list[Output]) -> None:
        distinct = node.args.get("distinct")
        if not isinstance(distinct, exp.Distinct):
            return
        if distinct.args.get("on") is not None:
            super()._look_at_distinct(node, outputs)
            return
        names = [output.name for output in outputs]
        if any(one.is_star for one in node.expressions) and len(set(names)) < len(names):
            raise self._refused("SELECT DISTINCT * of columns of one name", node)
        self._singles.append((node, names, [one.kind == _VARIANT for one in outputs]))

    def _look_at_groups(self, node: exp.Select, outputs: list[Output] | None) -> None:
        group = node.args.get("group")
        if group is None:
            return
        if group.args.get("all"):
            self._spell_star_out(node, outputs)
            kept = [value_of(one) for one in node.expressions]
            keys = [one for one in kept if not aggregates(one)]
            if not any(map(self._is_document, keys)) or any(one.is_star for one in keys):
                return
            group.set("all", None)
            group.set("expressions", [one.copy() for one in keys])
            self._groups += [
                (node, one, value) for one, value in zip(group.expressions, keys, strict=True)
            ]
            return
        parts = [(one, self._meant(one, node)) for one in parts_of_group(group)]
        if any(self._is_document(value) for _, value in parts):
            self._groups += [(node, one, value) for one, value in parts if value is not None]

    def _spell_star_out(self, node: exp.Select, outputs: list[Output] | None) -> None:
        """The columns of `*`, if that is one of the projections and VARIANTs are among them."""
        places = [index for index, one in enumerate(node.expressions) if one.is_star]
        if len(places) != 1 or outputs is None:
            return
        start = places[0]
        end = len(outputs) - (len(node.expressions) - start - 1)
        expanded = outputs[start:end]
        names = [output.name for output in expanded]
        if not any(output.kind == _VARIANT for output in expanded) or len(set(names)) < len(names):
            return
        columns = [exp.column(name, quoted=True) for name in names]
        for column, output in zip(columns, expanded, strict=True):
            self._kinds[id(column)] = output.kind
        before, after = node.expressions[:start], node.expressions[start + 1 :]
        node.set("expressions", [*before, *columns, *after])

    def _meant(self, one: exp.Expr, node: exp.Select) -> exp.Expr | None:
        """What a part of GROUP BY is: a projection by its number or alias, or what is written."""
        value = bare(one)
        if isinstance(value, exp.Literal) and value.this.isdecimal():
            index = int(value.this) - 1
            if 0 <= index < len(node.expressions):
                return value_of(node.expressions[index])
        elif isinstance(value, exp.Column) and not value.table:
            named = [
                projection.this
                for projection in node.expressions
                if isinstance(projection, exp.Alias)
                and projection.alias.lower() == value.name.lower()
            ]
            own = {c.name.lower() for made in named for c in made.find_all(exp.Column)}
            if len(named) == 1 and value.name.lower() not in own:
                return named[0]
        return value

    def _united(
        self, node: exp.SetOperation, left: list[Output] | None, scope: Scope
    ) -> list[Output] | None:
        names, self._names = self._names, ()
        outputs = Statements._united(self, node, left, scope)
        self._names = names
        variants = [output.kind == _VARIANT for output in outputs or ()]
        if any(variants) and (node.args.get("distinct") or node.args.get("order") is not None):
            self._unions.append((node, [output.name for output in outputs or ()], variants))
        return outputs

    # --- what is changed ----------------------------------------------------------------------

    def _key(self, value: exp.Expr) -> exp.Expr:
        return key_of(value)

    def _group(self, node: exp.Select, written: exp.Expr, value: exp.Expr) -> None:
        """GROUP BY the plain document, which is then what the query knows of it."""
        parts = [*node.expressions, *map(node.args.get, ("having", "qualify", "order"))]
        for part in parts:
            for one in list(outside_queries(part)) if part is not None else ():
                if one is written or one.parent is None or not same(one, value):
                    continue
                made: exp.Expr = plain(one.copy())
                if one.parent is node and isinstance(one, exp.Column):
                    made = exp.alias_(made, one.name, quoted=True)
                one.replace(made)
        put_around(written, plain)

    def compare_documents(self) -> bool:
        """Whether anything was to be changed."""
        noted = (self._ways, self._pairs, self._queries, self._extremes, self._chosen)
        changed = any((*noted, self._singles, self._unions))
        for part, way in self._ways.values():
            put_around(part, way)
        for node in self._extremes.values():
            value = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
            made = exp.ArgMax if isinstance(node, exp.Max) else exp.ArgMin
            node.replace(made(this=value, expression=key_of(value.copy())))
        for node in self._chosen.values():
            node.replace(chosen(node))
        for nullif, left, right in self._pairs.values():
            sides = left(nullif.this.copy()), right(nullif.expression.copy())
            either = exp.If(this=exp.EQ(this=sides[0], expression=sides[1]), true=exp.Null())
            nullif.replace(exp.Case(ifs=[either], default=nullif.this.copy()))
        for select, one, value in self._groups:
            written = bare(one)
            if value is not written and written is not None:
                written = value.copy()
                one.replace(written)
            if self._is_document(value):
                self._grouped.append((select, written or one, value.copy()))
        changed = super().compare_documents() or changed
        for query, ways in self._queries.values():
            change_outputs(query, ways)
        for select, names, variants in self._singles:
            make_distinct(select, names, variants)
        for union, names, variants in reversed(self._unions):
            unite(union, names, variants)
        return changed


def _flattened() -> list[Output]:
    return [Output(name, kind) for name, kind in _FLATTENED]


Variants._visits = {
    **Variants._visits,
    exp.Anonymous: Variants._anonymous,
    exp.Between: Variants._between,
    exp.Case: Variants._case,
}

_ORDERING = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)

_OF_DISTINCT: dict[type, Way] = {exp.Count: key_beside, exp.Sum: number_of, exp.Avg: number_of}

_NOTED: dict[type, Callable[..., None]] = {
    exp.Max: Variants._note_extreme,
    exp.Min: Variants._note_extreme,
    exp.Cast: Variants._note_cast,
    exp.Neg: Variants._note_negated,
    exp.ArgMax: Variants._note_ranked,
    exp.ArgMin: Variants._note_ranked,
    exp.ApproxDistinct: Variants._note_counted,
    exp.Count: Variants._note_present,
    exp.Mode: Variants._note_plain,
    exp.GroupConcat: Variants._note_listed,
}
