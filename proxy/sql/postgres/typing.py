"""What a statement means once the types of its columns are known, as Postgres has it.

Why it exists: a literal without a cast takes its type from what stands beside it, `s + 1` is an
integer where s is a smallint, `sum` of integers is a bigint, and a sum of two float columns may
overflow. None of that shows in the text alone. The tree of DuckDB's SQL is followed with the columns
of its tables in hand (`proxy.sql.inference`), and then:

- a literal is read as Postgres reads one of its type (`proxy.sql.postgres.literals`);
- float arithmetic raises where it overflows, and is in double precision where Postgres's is;
- avg of whole and numeric values is exact;
- what the outermost query returns has the type that it has in Postgres;
- a value that Postgres does not assign to a column's type, or compare with it, is refused.

Where a type is not known, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.changes.written_columns import put_around
from proxy.sql.inference.expressions import bare
from proxy.sql.inference.names import Columns, Output, Relation, Scope, Source, type_in
from proxy.sql.inference.neighbours import is_shut_off, meant
from proxy.sql.inference.signatures import INTEGERS, UNKNOWN, EnumType, Type, element_of, name_of
from proxy.sql.listing import Listing
from proxy.sql.postgres.documents import Documents
from proxy.sql.postgres.floats import may_be_doubled
from proxy.sql.postgres.forms import (
    add_intervals,
    interpolate,
    join_bytes,
    make_exact,
    make_narrow,
    spell_out,
    unite_with_default,
)
from proxy.sql.postgres.json import path_of_subscript
from proxy.sql.postgres.literals import cast, is_read, literal_of
from proxy.sql.postgres.records import put_members
from proxy.sql.postgres.retyping import (
    as_written,
    branches,
    check,
    give_type,
    is_checked,
    is_part_of_date,
    is_piped,
    is_quotient_of_aggregates,
    is_zero,
    of_enum,
    operation,
    put_into,
    put_into_enum,
    stands_in,
    unprinted,
    widen,
)
from proxy.sql.postgres.spans import Place, argument_to_span, sides_to_span
from proxy.sql.postgres.values import call, refused
from proxy.sql.postgres.whole_rows import WholeRow, whole_row
from proxy.sql.reading import position_of, write_duckdb

_FLOATS = ("float4", "float8")
_NUMBERS = frozenset((*INTEGERS, "numeric", *_FLOATS))
_STRINGS = frozenset(("text", "varchar", "bpchar", "name"))
LONG_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "varbit": "bit varying",
}
"""What Postgres calls the types whose names in its catalog are others."""

# Types whose values Postgres assigns to and compares with one another.
_FAMILIES = (
    _NUMBERS,
    _STRINGS,
    frozenset(("date", "timestamp", "timestamptz")),
    frozenset(("time", "timetz")),
    *(frozenset((kind,)) for kind in ("bool", "bytea", "uuid", "interval")),
)
_FAMILY: dict[str, int] = {kind: number for number, kinds in enumerate(_FAMILIES) for kind in kinds}
# Assigned all the same: a time of day is taken from a moment.
_ASSIGNED = frozenset(
    [(source, to) for source in ("timestamp", "timestamptz") for to in ("time", "timetz")]
    + [("time", "interval"), ("interval", "time")]
)

# What is sure to be of the type that the inference says.
_SURE = (exp.Column, exp.Cast, exp.Boolean, exp.Literal, exp.Placeholder)

_OPERATORS = frozenset("+-*/")
_SPELLED: dict[type, str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
# The types that an output is cast to, whatever DuckDB's own function gave.
_GIVEN = frozenset((*INTEGERS, *_FLOATS, "date", "timestamptz"))
# Whose texts are Postgres's where DuckDB's own cast writes them.
_AS_DUCKDB_PRINTS = frozenset((*INTEGERS, *_STRINGS, "bool", "uuid"))
# Whose texts are others where DuckDB's || writes them.
_SPELLED_OTHERWISE = frozenset((*_FLOATS, "interval", "bytea"))
# An array's type does not say how many dimensions it has: only of these it is sure.
_FLAT_ARRAYS = (exp.ArrayAgg,)


def needs_types(tree: exp.Expr, nodes: Listing) -> bool:
    """Whether the types of a statement's parts can decide anything about it."""
    if not isinstance(tree, _TYPED) and not (
        isinstance(tree, exp.Create) and isinstance(tree.expression, exp.Query)
    ):
        return False
    return any(issubclass(kind, _DECIDING) for kind in nodes.kinds) or any(
        literal.is_string for literal in nodes.of(exp.Literal)
    )


_TYPED = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge)


_DECIDING = (
    *(exp.Func, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.DPipe, exp.Bracket),
    *(exp.Insert, exp.Update, exp.Merge, exp.Predicate),
    *(exp.Ordered, exp.Group, exp.Distinct, exp.SetOperation, exp.Window, exp.Join),
)


_IN_CHAINS = (exp.DPipe, exp.Dot, exp.Anonymous)


class Typing(Documents):
    """One statement of DuckDB's, whose types are noted by `look` and acted upon by `apply`.

    given: OIDs of the parameters. columns: of a table or view, None if there is none of that name.
    """

    integer = "int4"  # the type of a whole literal that fits it
    given = ""  # SYSTEM or USER, where an INSERT says OVERRIDING ... VALUE
    postgres = True  # whether names and aggregates mean what they mean in Postgres

    def __init__(
        self,
        tree: exp.Expr,
        given: Mapping[int, int],
        columns: Callable[[Relation], Columns | None],
    ) -> None:
        told = {n: name_of(oid) for n, oid in given.items()}
        super().__init__(frozenset(), told, columns, self.integer)
        self._tree = tree
        self._kinds: dict[int, Type] = {}
        self._literals: dict[int, tuple[exp.Literal, str]] = {}
        self._of_enums: dict[int, tuple[exp.Placeholder, EnumType]] = {}
        self._operations: dict[int, tuple[exp.Expr, exp.Expr, exp.Expr, Type]] = {}
        self._averages: list[exp.Avg] = []
        self._totals: list[exp.Sum] = []
        self._unseen: list[Scope] = []
        self._renamed: list[tuple[exp.Column, str]] = []
        self._printed: list[exp.Dot] = []
        self._dates: list[exp.Expr] = []
        self._beside_texts: list[exp.Expr] = []
        self._percentiles: list[exp.PercentileCont] = []
        self._shifts: list[exp.Lag | exp.Lead] = []
        self._moments: list[exp.Cast] = []
        self._series: list[exp.Table] = []
        self._joined_stars: list[tuple[exp.Star, Scope]] = []
        self._from_floats: list[tuple[exp.Cast, Type]] = []
        self._to_whole: list[exp.Cast] = []
        self._whole_parts: list[exp.Cast] = []
        self._of_documents: list[exp.Cast] = []
        self._outputs: list[tuple[exp.Select | exp.Returning, int, str]] = []
        self._rows: list[WholeRow] = []
        self._names: Sequence[str] = ()
        self._reads_rows = False
        self._spans: list[tuple[Place, str]] = []
        self._pictures: list[exp.TimeToStr] = []
        self._bytes: list[exp.GroupConcat] = []
        self._unjoined: list[tuple[exp.Expr, exp.Expr]] = []
        self._added: list[tuple[exp.Expr, str, list[exp.Expr]]] = []
        self.begin()

    def look(self) -> bool:
        """Visits the tree; False where it is deeper than can be followed. Asks for columns.

        Raises 42883 for a comparison, 42804 for an assignment that Postgres does not know.
        """
        try:
            self._reads_rows = self.postgres and put_members(self._tree, self._columns_of)
            self.statement(self._tree)
        except RecursionError:
            return False
        return True

    def apply(self, zone: str) -> str | None:
        """The statement as it is meant; None where nothing is to be changed.

        zone: the session's TimeZone. Raises what a literal raises; its position is one in the tree's
        own text. On the thread that the readers belong to.
        """
        changed = self._reads_rows
        for wrapper, inner in self._unjoined:
            wrapper.replace(inner)
            changed = True
        for node, name, sides in reversed(self._added):  # the outer before what stands in it
            own = name.startswith("pg_")
            made = call(name, *sides) if own else exp.Anonymous(this=name, expressions=sides)
            node.replace(made)
            changed = True
        for column, table in self._renamed:
            column.set("table", exp.to_identifier(table, quoted=True))
            changed = True
        for row in self._rows:
            changed = row.apply() or changed
        changed = self.compare_documents() or changed
        for literal, kind in self._literals.values():
            if isinstance(kind, EnumType):
                literal.replace(of_enum(literal, kind, zone))
                changed = True
            elif is_read(kind):
                literal.replace(literal_of(literal, kind, zone))
                changed = True
        for place, macro in self._spans:
            changed = place.put(macro) or changed
        for shown in self._pictures:
            shown.replace(call("pg_interval_text_", shown.this, shown.args["format"]))
            changed = True
        for joined in self._bytes:
            join_bytes(joined)
            changed = True
        for node, enum in self._of_enums.values():
            changed = put_into_enum(node, enum) or changed
        for moment in self._moments:
            if isinstance(moment.this, exp.Literal) and moment.this.is_string:
                moment.set("this", literal_of(as_written(moment.this), "timestamptz", zone))
                changed = True
        for node, left, right, kind in self._operations.values():
            changed = self._calculated(node, left, right, kind) or changed
        for star, scope in self._joined_stars:
            changed = spell_out(star, scope) or changed
        for made, kind in self._from_floats:
            model = exp.Literal.string("%.15g" if kind == "float8" else "%.6g")
            made.set("this", exp.Anonymous(this="printf", expressions=[model, made.this]))
            changed = True
        for made in self._to_whole:
            # DuckDB looks at the range before it rounds.
            digits = [made.this, exp.Literal.number(0)]
            made.set("this", exp.Anonymous(this="round_even", expressions=digits))
            changed = True
        for part in self._whole_parts:
            sizes = (exp.DataTypeParam(this=exp.Literal.number(size)) for size in (20, 0))
            part.to.set("expressions", list(sizes))
            changed = True
        for made in self._of_documents:
            inner = made.this.expression if isinstance(made.this, exp.Dot) else made.this
            if isinstance(inner, exp.Anonymous) and inner.name.lower() == "pg_whole_":
                made.set("this", call("pg_whole_of_document_", *inner.expressions))
                changed = True
        for printed in self._printed:
            # Plain casts are equal to each other, in DISTINCT and ORDER BY.
            printed.replace(cast(printed.expression.expressions[0], "text"))
            changed = True
        for shifted in self._shifts:
            unite_with_default(shifted)
            changed = True
        for value in self._beside_texts:
            changed = put_into(value, "pg_text_") or changed
        for date in self._dates:
            changed = widen(date, "timestamptz") or changed
        for percentile in self._percentiles:
            interpolate(percentile)
            changed = True
        for average in self._averages:
            make_exact(average)
            changed = True
        for total in self._totals:
            add_intervals(total)
            changed = True
        for table in self._series:
            make_narrow(table)
            changed = True
        for select, index, kind in self._outputs:
            changed = give_type(select, index, kind) or changed
        changed = self.write_columns(given=self.given, checks=True) or changed
        return write_duckdb(self._tree.meta.get("made") or self._tree) if changed else None

    def write_columns(self, *, given: str, checks: bool) -> bool:
        """As `put_around` in `written_columns`."""
        columns_of, width = self._columns_of, self.width
        return put_around(self._tree, columns_of, given=given, checks=checks, width=width)

    # --- what is noted ------------------------------------------------------------------------

    def kind_of(self, node: exp.Expr | None, scope: Scope) -> Type:
        if isinstance(node, _IN_CHAINS) and id(node) in self._kinds:
            return self._kinds[id(node)]  # a side of || is asked twice, one of its own four times
        kind = super().kind_of(node, scope)
        if node is not None:
            self._kinds[id(node)] = kind
            if self.postgres and self._known(node.this) in ("time", "interval"):
                self._spanned(node, kind)
            if self._unseen and (source := meant(node, scope, self._unseen)) is not None:
                self._renamed.append((node, source.name))
                self._kinds[id(node)] = kind = source.find(node.name.lower())[0]
            if isinstance(node, exp.Column) and kind is None:
                if (row := whole_row(node, scope)) is not None:
                    self._rows.append(row)
            elif isinstance(node, exp.Avg) and kind == "numeric":
                self._averages.append(node)
            elif isinstance(node, exp.Sum) and kind == "interval":
                if not isinstance(node.this, exp.Distinct):
                    self._totals.append(node)
            elif isinstance(node, exp.Cast) and kind == "numeric" and is_part_of_date(node.this):
                unit, of = _date_part(node.this)
                if self._known(of) == "date" and unit in ("epoch", "julian"):
                    self._whole_parts.append(node)
            elif isinstance(node, exp.PercentileCont):
                if self._known(node.this) in ("numeric", "float4"):
                    self._percentiles.append(node)
            elif isinstance(node, exp.AtTimeZone) and self._known(node.this) == "date":
                self._dates.append(node.this)
            elif isinstance(node, exp.Mode) and self.postgres:
                if any(self._known(one.this) == "jsonb" for one in node.find_all(exp.Ordered)):
                    raise refused("mode() of jsonb", node)
            elif isinstance(node, (exp.Lag, exp.Lead)):
                own, default = self._known(node.this), self._known(node.args.get("default"))
                if default not in (None, UNKNOWN, own) and own != kind:
                    self._shifts.append(node)
            elif isinstance(node, exp.Dot) and node.expression.name.lower() == "pg_text_":
                if self._known(node.expression.expressions[0]) in _AS_DUCKDB_PRINTS:
                    self._printed.append(node)
            elif isinstance(node, exp.GroupConcat) and self.postgres:
                if self._known(node.this) == "bytea":
                    self._bytes.append(node)
                    kind = self._kinds[id(node)] = "bytea"
            elif isinstance(node, exp.Cast) and kind == "numeric":
                if self._known(node.this) in _FLOATS and not is_part_of_date(node.this):
                    self._from_floats.append((node, self._known(node.this)))
            elif isinstance(node, exp.Cast) and kind in INTEGERS:
                if self._known(node.this) in ("json", "jsonb"):
                    self._of_documents.append(node)
                elif self._known(node.this) in _FLOATS and not is_part_of_date(node.this):
                    self._to_whole.append(node)
            elif isinstance(node, exp.Cast) and kind == "timestamptz":
                self._moments.append(node)
            elif isinstance(node, exp.Bracket) and self._known(node.this) == "jsonb":
                kind = self._kinds[id(node)] = "jsonb"
                path = path_of_subscript(_subscript(node))
                self._added.append((node, "json_path_", [node.this, path]))
            elif isinstance(node, exp.ArrayContainsAll) and element_of(self._known(node.this)):
                # DuckDB's looks past the NULLs among what is looked for.
                self._added.append((node, "pg_array_contains_", [node.this, node.expression]))
        return kind

    def _spanned(self, node: exp.Expr, kind: Type) -> None:
        """Notes a time of day that is an interval to Postgres where it is given, and what becomes one."""
        own = self._known(node.this)
        if isinstance(node, exp.TimeToStr):
            self._pictures.append(node)
        elif not isinstance(node, exp.Sum | exp.Avg | exp.Cast) or kind == own:
            return
        macro = {("time", "interval"): "pg_span_", ("interval", "time"): "pg_time_of_span_"}
        to = "interval" if isinstance(node, exp.TimeToStr) else kind
        if (own, to) in macro and (place := argument_to_span(node)) is not None:
            self._spans.append((place, macro[own, to]))

    def _known(self, node: exp.Expr | None) -> Type:
        """What was found of a part that has been visited."""
        node = bare(node)
        if node is None:
            return None
        if id(node) in self._literals:
            return self._literals[id(node)][1]
        return self._kinds.get(id(node))

    def coerce(self, node: exp.Expr | None, kind: Type) -> None:
        super().coerce(node, kind)
        node = bare(node)
        if isinstance(node, exp.Placeholder) and isinstance(kind, EnumType):
            if not isinstance(stands_in(node), exp.Cast | exp.TryCast):
                self._of_enums.setdefault(id(node), (node, kind))
            return
        if not isinstance(node, exp.Literal) or not node.is_string or kind in (None, UNKNOWN):
            return
        if not isinstance(stands_in(node), exp.Cast | exp.TryCast):
            self._literals.setdefault(id(node), (node, kind))

    def _now(self, node: exp.Expr | None, kind: Type) -> Type:
        if isinstance(node, exp.Literal) and id(node) in self._literals:
            return self._literals[id(node)][1]
        return super()._now(node, kind)

    def _calculate(self, operator: str, left: exp.Expr, right: exp.Expr, scope: Scope) -> Type:
        if operator == "||" and (inner := self._unprinted(left, right, scope)) is not None:
            result = super()._calculate(operator, *inner, scope)
            self._element_added(operation(left), *inner)
            return result
        result = super()._calculate(operator, left, right, scope)
        if operator == "+" and is_zero(right) and self._known(left) == "float4":
            return "float4"  # what `proxy.sql.unifying` adds to a branch
        kinds = self._known(left), self._known(right)
        if operator == "||":
            self._element_added(operation(left), left, right)
            for side, own, other in zip((left, right), kinds, reversed(kinds), strict=True):
                if own in _SPELLED_OTHERWISE and other in _STRINGS:
                    self._beside_texts.append(side)
        if self.postgres and "time" in kinds:
            places = sides_to_span(operator, (left, right), kinds)
            self._spans += [(place, "pg_span_") for place in places]
        if operator in "+-" and set(kinds) == {"timestamptz", "interval"}:
            moment, by = (left, right) if kinds[1] == "interval" else (right, left)
            self._moved(moment, by, operator)
        if operator in _OPERATORS and (node := operation(left)) is not None:
            self._operations[id(node)] = node, left, right, result
        return result

    def _moved(self, moment: exp.Expr, by: exp.Expr, operator: str) -> None:
        """timestamptz + interval: months first, then days, then the time. DuckDB goes the other way where
        one of them is negative, as all are that are subtracted."""
        node, inner = operation(by), bare(by)
        if node is None or (isinstance(inner, exp.Cast) and _has_one_unit(inner.this)):
            return
        way = exp.Neg(this=exp.Paren(this=by)) if operator == "-" else by
        self._added.append((node, "pg_moved_", [moment, way]))

    def _element_added(self, node: exp.Expr | None, left: exp.Expr, right: exp.Expr) -> None:
        """`array || element`: DuckDB's || takes two arrays. NULL beside one is an array."""
        kinds = self._known(left), self._known(right)
        nulls = [isinstance(bare(side), exp.Null) for side in (left, right)]
        if node is None or None in kinds or (UNKNOWN in kinds and not any(nulls)):
            return
        lists = [element_of(kind) is not None for kind in kinds]
        if any(lists):
            lists = [one or null for one, null in zip(lists, nulls, strict=True)]
        if lists == [True, False]:
            self._added.append((node, "list_append", [left, right]))
        elif lists == [False, True]:
            self._added.append((node, "list_prepend", [left, right]))
        elif lists == [True, True]:
            self._added.append((node, "pg_array_cat_", [left, right]))

    def _unprinted(
        self, left: exp.Expr, right: exp.Expr, scope: Scope
    ) -> tuple[exp.Expr, exp.Expr] | None:
        """The sides of || without what makes them texts, where a jsonb stands beside a literal, or an
        array beside anything."""
        sides = [unprinted(side) for side in (left, right)]
        kinds = [self.kind_of(side, scope) for side in sides]
        documents = "jsonb" in kinds and all(kind in ("jsonb", UNKNOWN) for kind in kinds)
        if not documents and not any(element_of(kind) is not None for kind in kinds):
            return None
        self._unjoined += [
            (wrapper, inner)
            for wrapper, inner in zip((left, right), sides, strict=True)
            if inner is not wrapper
        ]
        return sides[0], sides[1]

    def _compare(self, left: exp.Expr, kind: Type, right: exp.Expr, scope: Scope) -> None:
        super()._compare(left, kind, right, scope)
        left, right = bare(left), bare(right)
        operator = _SPELLED.get(left.parent.__class__)
        kinds = self._known(left), self._known(right)
        if operator is None or not isinstance(left, _SURE) or not isinstance(right, _SURE):
            return
        if kinds[0] is None or kinds[1] is None or UNKNOWN in kinds or _akin(*kinds):
            return
        names = [LONG_NAMES.get(kind, kind) for kind in kinds]
        raise SqlError(
            "42883",
            f"operator does not exist: {names[0]} {operator} {names[1]}",
            hint="No operator matches the given name and argument types. You might need to add"
            " explicit type casts.",
        )

    def statement(self, tree: exp.Expr) -> None:
        if isinstance(tree, exp.Insert):
            named = isinstance(tree.this, exp.Schema)
            columns = tree.this.expressions if named else self._source(tree.this, Scope()).columns
            self._names = [column.name for column in columns or ()]
        super().statement(tree)

    def _row(self, row: exp.Expr, kinds: Sequence[Type], scope: Scope) -> None:
        super()._row(row, kinds, scope)
        items = row.expressions if isinstance(row, exp.Tuple) else [row]
        for name, kind, item in zip(self._names, kinds, items, strict=False):
            self._assigned(name, kind, item)

    def _coerce_outputs(self, outputs: Iterable[Output], kinds: Iterable[Type]) -> None:
        outputs, kinds = list(outputs), list(kinds)
        super()._coerce_outputs(outputs, kinds)
        for name, kind, output in zip(self._names, kinds, outputs, strict=False):
            if output.node is not None:
                self._assigned(name, kind, output.node)

    def _assign(
        self, assignments: Iterable[exp.Expr], columns: list[Output] | None, scope: Scope
    ) -> None:
        assignments = list(assignments)
        for one in assignments:
            several = isinstance(one.this, exp.Tuple)
            self._names = [column.name for column in one.this.expressions] if several else ()
            super()._assign([one], columns, scope)
            if isinstance(one, exp.EQ) and not several:
                name = one.this.name
                self._assigned(name, type_in(columns, name.lower()), one.expression)

    def _assigned(self, name: str, kind: Type, value: exp.Expr | None) -> None:
        """Raises 42804 for a value that Postgres does not assign to such a column."""
        value = bare(value)
        given = self._known(value)
        if not isinstance(value, _SURE) or kind is None or given in (None, UNKNOWN):
            return
        if kind in _STRINGS or _akin(given, kind) or (given, kind) in _ASSIGNED:
            return
        raise SqlError(
            "42804",
            f'column "{name}" is of type {LONG_NAMES.get(kind, kind)} but expression is of type'
            f" {LONG_NAMES.get(given, given)}",
            hint="You will need to rewrite or cast the expression.",
            position=position_of(value),
        )

    def _star(self, node: exp.Expr, scope: Scope) -> list[Output] | None:
        if isinstance(node, exp.Star) and scope.merged and not any(node.args.values()):
            self._joined_stars.append((node, scope))
        return super()._star(node, scope)

    def _select(self, node: exp.Select, outer: Scope) -> list[Output] | None:
        outputs = super()._select(node, outer)
        for index, projection in enumerate(node.expressions):
            kind = self._known(projection)
            inner = bare(projection)
            text = kind == "text" and (isinstance(inner, exp.DPipe) or is_piped(inner))
            flat = isinstance(inner, _FLAT_ARRAYS) and element_of(kind) in _GIVEN
            if kind is not None and (kind in _GIVEN or text or flat):
                self._outputs.append((node, index, kind))
        return outputs

    def _returning(self, tree: exp.Expr, scope: Scope) -> None:
        super()._returning(tree, scope)
        returning = tree.args.get("returning")
        for index, output in enumerate(returning.expressions if returning is not None else ()):
            kind = self._known(output)
            if kind in _GIVEN:
                self._outputs.append((returning, index, kind))

    def _source(self, node: exp.Expr, scope: Scope) -> Source:
        if not self.postgres or not is_shut_off(node, scope):
            return super()._source(node, scope)
        self._unseen.append(scope)
        try:
            return super()._source(node, scope)
        finally:
            self._unseen.pop()

    def _table(self, node: exp.Table, scope: Scope) -> list[Output] | None:
        columns = super()._table(node, scope)
        if isinstance(node.this, exp.GenerateSeries) and columns and columns[0].kind == "int4":
            self._series.append(node)
        return columns

    def _united(
        self, node: exp.SetOperation, left: list[Output] | None, scope: Scope
    ) -> list[Output] | None:
        names, self._names = self._names, ()  # its branches are not what is assigned
        outputs = super()._united(node, left, scope)
        self._names = names
        for index, output in enumerate(outputs or ()):
            if output.kind in _GIVEN:
                self._outputs += [(branch, index, output.kind) for branch in branches(node)]
        return outputs

    # --- what is changed ----------------------------------------------------------------------

    def _calculated(self, node: exp.Expr, left: exp.Expr, right: exp.Expr, kind: Type) -> bool:
        """Arithmetic in Postgres's width, which raises where a float overflows."""
        kinds = self._known(left), self._known(right)
        changed = False
        if "float4" in kinds and kind == "float8":
            for side, own in zip((left, right), kinds, strict=True):
                if own == "float4":
                    changed = widen(side, "float8") or changed
        elif "int2" in kinds and kind in ("int4", "int8"):
            for side, own in zip((left, right), kinds, strict=True):
                if own == "int2":
                    changed = widen(side, kind) or changed
        if kind == "numeric" and isinstance(node, exp.Dot) and is_quotient_of_aggregates(node):
            node.expression.set("this", "pg_exact_quotient_")
            changed = True
        if kind == "interval" and isinstance(node, exp.Dot) and is_quotient_of_aggregates(node):
            node.expression.set("this", "pg_interval_part_")
            changed = True
        if kind in _FLOATS and not is_checked(node) and may_be_doubled(node):
            changed = True
            check(node)
        return changed


def _subscript(node: exp.Bracket) -> exp.Expr:
    """A subscript as it was written: of an array's element, what is below 1 has been taken away, and
    DuckDB's reader counts a literal from 0."""
    (key,) = node.expressions
    inner = key.this if isinstance(key, exp.Neg) else key
    if isinstance(inner, exp.Literal) and inner.is_int:
        number = int(inner.this) * (1 if inner is key else -1) + 1
        made = exp.Literal.number(abs(number))
        return exp.Neg(this=made) if number < 0 else made
    return key.this if isinstance(key, exp.Greatest) else key


def _has_one_unit(written: exp.Expr) -> bool:
    """Whether an interval that is read here, `0 months 1 days 0 microseconds`, has no more than one."""
    words = written.this.split() if isinstance(written, exp.Literal) else ()
    return len(words) == 6 and words[::2].count("0") > 1


def _date_part(value: exp.Expr) -> tuple[str, exp.Expr | None]:
    """The unit and the operand of what `extract` is made of."""
    inner = bare(value)
    inner = inner.expression if isinstance(inner, exp.Dot) else inner
    unit, of = [*inner.expressions, None, None][:2] if inner is not None else (None, None)
    return (unit.name if isinstance(unit, exp.Literal) else "", of)


def _akin(one: str, other: str) -> bool:
    families = _FAMILY.get(one), _FAMILY.get(other)
    return None in families or families[0] == families[1]
