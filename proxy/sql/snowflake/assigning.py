"""Texts that Snowflake's SQL writes into columns of another type, as its casts read them.

Why it exists: DuckDB casts a text to the column's type by its own rules: of `'2020-01-01 foo'` it
takes the date, of a BINARY's hexadecimal digits the characters. An explicit cast is read as Snowflake
reads it; here a literal in an INSERT, UPDATE, DELETE or MERGE, and what is inserted out of a query, is
given that cast, once the columns' types are known (`proxy.session.typed`).

A VARIANT that is written into a VARCHAR column is its text, without the quotes that DuckDB would keep.
Where its query reads what it gives (DISTINCT, ORDER BY, QUALIFY, a union), a query around it does that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, time

from sqlglot import exp

from proxy.sql import snowflake
from proxy.sql.changes.written_columns import is_default, query_around
from proxy.sql.inference.expressions import bare
from proxy.sql.inference.names import Output, Scope
from proxy.sql.inference.signatures import Type
from proxy.sql.listing import Listing, listed
from proxy.sql.postgres.values import holds_aggregate
from proxy.sql.reading import write_duckdb
from proxy.sql.snowflake.coercions import Coercions
from proxy.sql.snowflake.in_force import changed
from proxy.sql.snowflake.types import cast_to

_D = exp.DType
_CASTS = {
    "date": _D.DATE,
    "time": _D.TIME,
    "timestamp": _D.TIMESTAMP,
    "timestamptz": _D.TIMESTAMPLTZ,
    "bool": _D.BOOLEAN,
    "bytea": _D.BINARY,
}


_WRITING = (exp.Insert, exp.Update, exp.Merge, exp.Delete)


def writes_texts(tree: exp.Expr, nodes: Listing) -> bool:
    """Whether a statement may write a text into a column of another type."""
    if isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Query):
        return True
    return isinstance(tree, _WRITING) and any(one.is_string for one in nodes.of(exp.Literal))


class Assigning(Coercions):
    """As `Typing`, for VARIANTs and for what is written alone; nothing is refused for its type."""

    integer = "int8"
    postgres = False

    def look(self) -> bool:
        self._written: list[tuple[exp.Expr, str]] = []
        self._documents_as_texts: list[exp.Expr] = []
        self._document_places: tuple[int, list[int]] | None = None
        return super().look()

    def apply(self, zone: str) -> str | None:
        made_over = self.coerce_values() | self.keep_digits()
        for literal, kind in self._literals.values() if isinstance(self._tree, _WRITING) else ():
            in_postgress_format = kind == "bytea" and literal.this.startswith("\\x")
            if kind in _CASTS and not (in_postgress_format or is_common(literal.this, kind)):
                literal.replace(_cast(literal, _CASTS[kind]))
                made_over = True
        for value, kind in self._written:
            if (made := cast_to(value.copy(), exp.DataType(this=_CASTS[kind]))) is not None:
                value.replace(made)
                made_over = True
        for value in self._documents_as_texts:
            value.replace(_text_of(value.copy()))
            made_over = True
        made_over = self.compare_documents() or made_over
        made_over = self.write_columns(given="SYSTEM", checks=False) or made_over
        if self._document_places is not None:
            self._tree.set("expression", _with_texts(self._tree.expression, *self._document_places))
            made_over = True
        return write_duckdb(self._tree.meta.get("made") or self._tree) if made_over else None

    def _row(self, row: exp.Expr, kinds: Sequence[Type], scope: Scope) -> None:
        if isinstance(self._tree, exp.Merge):
            self._names = [""] * len(kinds)  # of WHEN NOT MATCHED THEN INSERT
        super()._row(row, kinds, scope)

    def _coerce_outputs(self, outputs: Iterable[Output], kinds: Iterable[Type]) -> None:
        outputs, kinds = list(outputs), list(kinds)
        super()._coerce_outputs(outputs, kinds)
        query = self._tree.args.get("expression")
        if not isinstance(self._tree, exp.Insert) or not isinstance(query, exp.Query):
            return
        places = [
            place
            for place, (output, kind) in enumerate(zip(outputs, kinds, strict=False))
            if kind in _TEXTS and output.kind == self.document
        ]
        if places and not _is_plain(query):
            self._documents_as_texts.clear()
            self._document_places = len(outputs), places

    def _assigned(self, name: str, kind: Type, value: exp.Expr | None) -> None:
        """Snowflake casts what it can: a text, and what may be one."""
        value = bare(value)
        if value is not None and kind in _TEXTS and self._is_document(value):
            self._documents_as_texts.append(value)  # without its quotes, as a cast gives it
        if value is None or isinstance(value, _NO_TEXTS) or kind not in _CASTS:
            return
        if is_default(value):
            return
        if self._known(value) in (None, "text") and not holds_aggregate(value):
            self._written.append((value, kind))


_TEXTS = frozenset({"text", "varchar", "bpchar"})
_NO_TEXTS = (exp.Literal, exp.Null, exp.Cast, exp.TryCast, exp.Placeholder, exp.Parameter)


_FORMATS = {
    "date": "date_input_format",
    "time": "time_input_format",
    "timestamp": "timestamp_input_format",
}
_FIRST_YEAR = 1583  # of which all calendars are one


_READING_OUTPUTS = ("distinct", "group", "having", "order", "qualify", "windows")


def _is_plain(query: exp.Query) -> bool:
    """Whether nothing in a query reads what it gives, and all of that is written out."""
    return (
        isinstance(query, exp.Select)
        and not any(query.args.get(one) for one in _READING_OUTPUTS)
        and not any(one.is_star for one in query.expressions)
    )


def _text_of(document: exp.Expr) -> exp.Expr:
    """The text of a VARIANT, without quotes."""
    made = exp.Anonymous(this="to_json", expressions=[document])
    return exp.Anonymous(this="variant_text_", expressions=[made, exp.Literal.string("$")])


def _with_texts(query: exp.Query, width: int, places: Collection[int]) -> exp.Select:
    """A query over the query, whose VARIANTs at these places are texts."""
    return query_around(query.copy(), width, lambda n, c: _text_of(c) if n in places else c)


def is_common(text: str, kind: str) -> bool:
    """Whether DuckDB's own cast of a text to a type is Snowflake's: `2020-01-31`, `12:30:00`.

    Of a bulk insert's texts most are: a cast of Snowflake's takes DuckDB some milliseconds to bind.
    """
    if kind == "bool":
        return text in ("true", "false")
    if kind not in _FORMATS or changed(_FORMATS[kind]) or not text.isascii():
        return False
    try:
        if kind == "time":
            return len(text) == 8 and time.fromisoformat(text).isoformat() == text
        day, rest = text[:10], text[10:]
        if date.fromisoformat(day).isoformat() != day or int(day[:4]) < _FIRST_YEAR:
            return False
        if kind == "date" or not rest:
            return not rest
        clock, _, fraction = rest[1:].partition(".")
        return (
            rest[0] == " "
            and len(clock) == 8
            and time.fromisoformat(clock).isoformat() == clock
            and (rest[9:] == "" or (fraction.isdigit() and len(fraction) <= 6))
        )
    except ValueError:
        return False


def _cast(literal: exp.Literal, kind: exp.DType) -> exp.Expr:
    """The literal under a cast of Snowflake's, as DuckDB's."""
    select = exp.Select(expressions=[exp.Cast(this=literal.copy(), to=exp.DataType(this=kind))])
    return snowflake.rewrite(select, listed(select)).expressions[0].unalias()
