"""Texts beside numbers, and BINARYs that are joined, where only the columns' types show them.

Why it exists: DuckDB reads a text beside a whole number as a whole number, rounding it (`'1.5' = 2`), and
keeps a UNION of a text and a number as texts; Snowflake makes the text a number, exactly. `a || b` is
written by the dialect's rules as a text of each side, since a plan does not know columns; of two BINARYs
Snowflake makes a BINARY. Here both are put right with the types in hand (`proxy.session.typed`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.inference.expressions import bare
from proxy.sql.inference.names import Called, Decimal, Output, Scope, Source, columns_of
from proxy.sql.inference.signatures import INTEGERS, UNKNOWN, Type
from proxy.sql.postgres.documents import put_around
from proxy.sql.reading import position_of
from proxy.sql.snowflake.digits import Digits
from proxy.sql.snowflake.registry import cast, duck, sf
from proxy.sql.snowflake.variant_forms import change_outputs

_BINARY = "bytea"
_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
_NUMBERS = frozenset({*INTEGERS, "numeric", "float4", "float8"})
_TO_TEXT = frozenset({"to_varchar_", "text_", "text_by_type_", "base64_text_"})
_DATES = {"date": "to_date_", "timestamp": "to_timestamp_", "time": "to_time_"}
_DATED = {"date": "any_date_", "timestamp": "any_timestamp_", "time": "any_time_"}
"""Of what a column or an aggregate gives: macros of one form, since DuckDB chooses none over aggregates."""

_SURE = (exp.Column, exp.Cast, exp.DPipe, exp.Concat, exp.Upper, exp.Lower, exp.Trim)


_NOT_OF_NULLS = {
    *(("cast_to_type", 2), ("replace_type", 3), ("regexp_matches", 3), ("regexp_full_match", 3)),
    *(("regexp_extract", 4), ("regexp_extract_all", 4), ("regexp_split_to_array", 3)),
    *(("string_split_regex", 3), ("str_split_regex", 3), ("struct_insert", 2)),
    *(("struct_concat", 2), ("struct_update", 2)),
}
"""Functions of DuckDB's, and how many arguments, that cannot be asked about with NULLs: it gives a transaction
up where one is bound."""


class Coercions(Digits):
    """Notes such values while a statement is visited; `coerce_values` changes it."""

    def begin(self) -> None:
        super().begin()
        self._counted: dict[int, exp.Expr] = {}
        self._dated: dict[int, tuple[exp.Expr, str]] = {}
        self._joined: dict[int, tuple[exp.Expr, list[exp.Expr]]] = {}
        self._texts_in_queries: list[tuple[exp.Expr, list[str]]] = []
        self._shown: dict[int, exp.Expr] = {}
        self._functions: dict[Called, list[Output] | None] = {}
        self._written_texts: dict[int, tuple[exp.Literal, Type]] = {}
        self._measured: dict[int, exp.Expr] = {}

    # --- texts beside numbers -----------------------------------------------------------------

    def _is_text(self, node: exp.Expr | None) -> bool:
        inner = bare(node)
        return self._known(inner) in _TEXTS and not isinstance(inner, exp.Literal)

    def _count_texts(self, values: Sequence[exp.Expr]) -> None:
        """Of values that are compared, the texts where another one is a number, a date or a time."""
        kinds = {self._known(value) for value in values}
        macro = next((_DATED[kind] for kind in ("timestamp", "date", "time") if kind in kinds), "")
        if not macro and kinds.isdisjoint(_NUMBERS):
            return
        for value in values:
            inner = bare(value)
            if inner is None or not self._is_text(inner) or _is_counted(inner):
                continue
            if kinds.isdisjoint(_NUMBERS):
                self._dated[id(inner)] = inner, macro
            else:
                self._counted[id(inner)] = inner

    def _align(self, values: Sequence[exp.Expr | None]) -> None:
        super()._align(values)
        self._count_texts([value for value in values if value is not None])

    def _compare(self, left: exp.Expr, kind: Type, right: exp.Expr, scope: Scope) -> None:
        super()._compare(left, kind, right, scope)
        if isinstance(left.parent, exp.Nullif):
            self._count_texts([left, right])

    def _compare_with_query(self, left: Sequence[exp.Expr], query: exp.Expr, scope: Scope) -> None:
        super()._compare_with_query(left, query, scope)
        columns = self._outputs_of.get(id(query)) or []
        ways: list[str] = [""] * len(columns)
        for index, (one, column) in enumerate(zip(left, columns, strict=False)):
            if column.kind in _NUMBERS:
                self._count_texts([one, _NUMBER])
            elif column.kind in _DATES and self._is_text(one):
                inner = bare(one)
                assert inner is not None
                self._dated[id(inner)] = inner, _DATED[column.kind]
            elif column.kind in _TEXTS and self._known(one) in _NUMBERS:
                ways[index] = "counted_text_"
            elif column.kind in _TEXTS:
                ways[index] = _DATED.get(str(self._known(one)), "")
        if any(ways):
            self._texts_in_queries.append((query, ways))

    def _known(self, node: exp.Expr | None) -> Type:
        return "numeric" if node is _NUMBER else super()._known(node)

    def _merge_columns(
        self, join: exp.Join, before: Sequence[Source], source: Source, scope: Scope
    ) -> None:
        super()._merge_columns(join, before, source, scope)
        names = [column.name.lower() for column in join.args.get("using") or ()]
        if join.args.get("method") == "NATURAL":
            names = [column.name for column in source.columns or ()]
        for name in names:
            kinds = {kind for one in (*before, source) for kind in one.find(name)[:1]}
            if kinds & _TEXTS and kinds & _NUMBERS:
                raise SqlError(
                    "0A000",
                    f'JOIN ... USING of a text and a number ("{name}") is not supported',
                    hint="Write ON, with a cast of the text.",
                    position=position_of(join),
                )

    def _united(
        self, node: exp.SetOperation, left: list[Output] | None, scope: Scope
    ) -> list[Output] | None:
        outputs = super()._united(node, left, scope)
        leaves = self._leaves.get(id(node), ())
        for index, output in enumerate(outputs or ()):
            kinds = {columns[index].kind for _, columns in leaves if index < len(columns)}
            others = kinds & (_NUMBERS | _DATES.keys())
            if not others:
                continue
            for query, columns in leaves:
                if columns[index].kind == UNKNOWN:
                    columns[index].kind = self._read_text(query, index, sorted(others)[0])
            if not kinds & _TEXTS:
                continue
            for query, columns in leaves:
                if columns[index].kind in _TEXTS:
                    self._refuse_text(query, index, sorted(others)[0])
            output.kind = None
        return outputs

    def _read_text(self, query: exp.Expr, index: int, kind: str) -> Type:
        """A literal in a SELECT that others' numbers or dates are united with is one, too."""
        written = query.expressions[index] if isinstance(query, exp.Select) else None
        value = bare(written)
        if not isinstance(value, exp.Literal) or not value.is_string:
            return UNKNOWN
        self._literals.pop(id(value), None)
        if kind in _DATES:
            self._written_texts[id(value)] = value, kind
            return kind
        _, spelled = _signed(value.this.strip())
        whole, _, fraction = spelled.partition(".")
        if not (whole + fraction).isdecimal() or not (whole + fraction).isascii():
            raise SqlError(
                "22P02",
                f"Numeric value '{value.this}' is not recognized",
                position=position_of(value),
            )
        self._written_texts[id(value)] = value, "numeric"
        return Decimal(len(whole), len(fraction))

    def _refuse_text(self, query: exp.Expr, index: int, kind: str) -> None:
        """Snowflake casts the text to the number or date: what it then is, is the client's to say."""
        written = query.expressions[index] if isinstance(query, exp.Select) else None
        value = bare(written) if written is not None else None
        if isinstance(value, _SURE):
            shown = "number" if kind in _NUMBERS else kind
            raise SqlError(
                "0A000",
                f"UNION of a text and a {shown} is not supported",
                hint="Cast one of them to the type of the other.",
                position=position_of(value),
            )

    # --- functions of a client's -------------------------------------------------------------

    def _anonymous(self, node: exp.Anonymous, scope: Scope) -> Type:
        kind = super()._anonymous(node, scope)
        if kind is None:
            columns = self._columns_given(node, rows=False)
            return columns[0].kind if columns else None
        return kind

    def _table(self, node: exp.Table, scope: Scope) -> list[Output] | None:
        columns = super()._table(node, scope)
        if columns is None and isinstance(node.this, exp.Anonymous):
            return self._columns_given(node.this, rows=True)
        return columns

    def _columns_given(self, call: exp.Anonymous, *, rows: bool) -> list[Output] | None:
        """The columns of what a call gives, as DuckDB tells them; None where they hang on arguments."""
        schema = call.parent.this if isinstance(call.parent, exp.Dot) else None
        if schema is not None and schema.name.lower() == "_sf":
            return None
        path = (schema.name, call.name) if schema is not None else (call.name,)
        asked = Called(path, len(call.expressions), rows)
        if (call.name.lower(), asked.arguments) in _NOT_OF_NULLS:
            return None
        if asked not in self._functions:
            self._functions[asked] = columns_of(self._columns_of(asked))
        return self._functions[asked]

    # --- BINARYs ------------------------------------------------------------------------------

    def kind_of(self, node: exp.Expr | None, scope: Scope) -> Type:
        kind = super().kind_of(node, scope)
        if isinstance(node, exp.DPipe | exp.Concat):
            return self._look_at_joined(node, kind)
        if node.__class__ in _BINARIES or _is_call(node, _GIVE_BINARIES):
            return self._noted(node, _BINARY)
        if isinstance(node, exp.Length) and self._known(node.this) == _BINARY:
            self._measured[id(node)] = node
        if isinstance(node, exp.GroupConcat):
            listed = node.this.this if isinstance(node.this, exp.Order) else node.this
            value = listed.expressions[0] if isinstance(listed, exp.Distinct) else listed
            if self._known(value) == _BINARY:
                self._shown[id(value)] = value
        return kind

    def _look_at_joined(self, node: exp.DPipe | exp.Concat, kind: Type) -> Type:
        pipe = isinstance(node, exp.DPipe)
        sides = [node.this, node.expression] if pipe else node.expressions
        inner = [_without_text(side) for side in sides]
        if not inner or any(self._known(one) != _BINARY for one in inner):
            return kind
        self._joined[id(node)] = node, inner
        return self._noted(node, _BINARY)

    def _noted(self, node: exp.Expr, kind: str) -> str:
        self._kinds[id(node)] = kind
        return kind

    # --- what is changed ----------------------------------------------------------------------

    def coerce_values(self) -> bool:
        """Whether anything was to be changed."""
        noted = (self._counted, self._dated, self._joined, self._texts_in_queries, self._shown)
        for node in self._measured.values():
            node.replace(duck("octet_length", node.this.pop()))
        for literal, kind in self._written_texts.values():
            literal.replace(_read(literal, kind))
        for value in self._counted.values():
            put_around(value, lambda one: sf("counted_text_", one))
        for value, macro in self._dated.values():
            put_around(value, lambda one, name=macro: _dated(name, one))
        for value in self._shown.values():
            put_around(value, lambda one: sf("to_varchar_", one))
        for node, values in reversed(self._joined.values()):
            for value in values:
                value.pop()
            made = reduce(lambda one, other: sf("joined_bytes_", one, other), values)
            node.replace(made)
        for query, names in self._texts_in_queries:
            ways = [(lambda one, name=name: _dated(name, one)) if name else None for name in names]
            change_outputs(query, ways)
        return any((*noted, self._measured, self._written_texts))


Coercions._visits = {**Digits._visits, exp.Anonymous: Coercions._anonymous}

_NUMBER = exp.Literal.number(0)
"""Stands for a number whose place is in another query."""

_COUNTED = frozenset({"counted_text_", "counted_", "as_its_kind_", "number_"})


def _is_counted(value: exp.Expr) -> bool:
    return _is_call(value, _COUNTED)


def _signed(spelled: str) -> tuple[str, str]:
    return (spelled[0], spelled[1:]) if spelled[:1] in ("-", "+") else ("", spelled)


def _dated(macro: str, value: exp.Expr) -> exp.Expr:
    return sf(macro, cast(value, exp.DType.VARCHAR))


def _read(literal: exp.Literal, kind: Type) -> exp.Expr:
    """A literal text as a number, or as Snowflake's cast makes a date of it."""
    if kind in _DATES:
        return _dated(_DATES[kind], literal.copy())
    sign, spelled = _signed(literal.this.strip())
    number = exp.Literal.number(spelled)
    return exp.Neg(this=number) if sign == "-" else number


_BINARIES = frozenset({exp.Unhex, exp.HexString, exp.FromBase64})
_GIVE_BINARIES = frozenset(
    {
        *("to_binary", "try_to_binary", "hex_decode_binary", "base64_decode_binary", "unhex"),
        *("try_hex_decode_binary", "try_base64_decode_binary", "joined_bytes_", "from_base64"),
        *("md5_binary", "sha1_binary", "sha2_binary", "from_hex"),
    }
)


def _is_call(node: exp.Expr | None, names: Collection[str]) -> bool:
    call = node.expression if isinstance(node, exp.Dot) else node
    return isinstance(call, exp.Anonymous) and call.name.lower() in names


def _without_text(side: exp.Expr) -> exp.Expr:
    """What the dialect's rule for || makes a text of."""
    inner = bare(side)
    call = inner.expression if isinstance(inner, exp.Dot) else None
    if isinstance(call, exp.Anonymous) and call.name.lower() in _TO_TEXT:
        return _without_text(call.expressions[0])
    return inner if inner is not None else side
