"""Postgres's literals, casts and operators, where DuckDB's of the same spelling answer otherwise.

Why it exists: DuckDB reads `'2.5'::int` as 3, `'\\xff00'::bytea` as five bytes and `7 % 0` as NULL,
and cuts no text to `varchar(n)`. Each rule here gives Postgres's value or its error. A cast stays a
cast around the mended value, so that what reads types off the tree still finds them.
"""

from __future__ import annotations

import binascii
import re
import threading
from collections.abc import Callable
from contextlib import suppress

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.definitions.default_literals import typed
from proxy.sql.digits import at_most as at_most_digits
from proxy.sql.digits import digits_of, rounded
from proxy.sql.postgres.arrays import element_added, literal_array, read_array
from proxy.sql.postgres.literals import NAMES, literal_of, read_literal
from proxy.sql.postgres.regexes import for_re2, of_similar
from proxy.sql.postgres.row_comparisons import compared
from proxy.sql.reading import position_of

_D = exp.DType

WHOLE = frozenset({_D.SMALLINT, _D.INT, _D.BIGINT})
TEXTS = frozenset({_D.TEXT, _D.VARCHAR, _D.CHAR, _D.BPCHAR, _D.NAME})
MOMENTS = (_D.DATE, _D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.TIMESTAMPTZ, _D.TIMESTAMPLTZ, _D.DATETIME)
UNBOUNDED_NUMERIC = (38, 16)
"""Precision and scale of NUMERIC without any: Postgres's own has no limit."""


class _Calls(threading.local):
    """The calls that rules have made in a thread since the list was last begun; None where nobody asks."""

    made: list[exp.Anonymous] | None = None


calls = _Calls()


def call(macro: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of one of the macros that the engine installs."""
    made = exp.Anonymous(this=f"_sf.{macro}", expressions=list(arguments))
    if calls.made is not None:
        calls.made.append(made)
    return made


def duck(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a function of DuckDB's."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def refused(what: str, at: exp.Expr, hint: str | None = None) -> SqlError:
    """The refusal of a construct."""
    message = f"{what} is not supported on analytical tables"
    return SqlError("0A000", message, hint=hint, position=position_of(at))


def is_text(node: exp.Expr | None) -> bool:
    """Whether a node is a string literal."""
    return isinstance(node, exp.Literal) and bool(node.is_string)


def unwrapped(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def holds_aggregate(*nodes: exp.Expr) -> bool:
    """Whether an aggregate is among the nodes: DuckDB cannot choose an overload of a macro then."""
    return any(node.find(exp.AggFunc, exp.Window) is not None for node in nodes)


# --- casts ------------------------------------------------------------------------------------

_WHOLE_TEXT = re.compile(r"\s*[+-]?\d+\s*")
_NUMBER_TEXT = re.compile(r"\s*[+-]?(\d*)\.?(\d*)\s*")
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True}
_TRUTHS |= {"false": False, "no": False, "off": False, "0": False}


def _invalid(kind: str, value: exp.Expr) -> SqlError:
    message = f'invalid input syntax for type {kind}: "{value.this}"'
    return SqlError("22P02", message, position=position_of(value))


_MAY_BE_TEXTS = (exp.Column, exp.Anonymous, exp.Cast)


def _to_whole(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    if is_text(value):
        if not _WHOLE_TEXT.fullmatch(value.this):
            names = {_D.SMALLINT: "smallint", _D.INT: "integer"}
            raise _invalid(names.get(to.this, "bigint"), value)
        return None
    inner = unwrapped(value)
    if isinstance(inner, _MAY_BE_TEXTS) and not holds_aggregate(inner):
        return call("pg_whole_", value)
    return None


def _to_truth(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    if not is_text(value):
        inner = unwrapped(value)
        texts = isinstance(inner, _MAY_BE_TEXTS) and not holds_aggregate(inner)
        return call("pg_truth_", value) if texts else None
    word = value.this.strip().lower()
    found = {truth for name, truth in _TRUTHS.items() if word and name.startswith(word)}
    if len(found) != 1 or word == "o":
        raise _invalid("boolean", value)
    return exp.Boolean(this=found.pop())


def _length(to: exp.DataType) -> int | None:
    """n of varchar(n) and char(n); char alone is char(1)."""
    if to.expressions:
        size = to.expressions[0].name
        if not size.isdigit() or int(size) == 0:
            raise SqlError("22023", "length for type varchar must be at least 1")
        return int(size)
    return 1 if to.this == _D.CHAR else None


TEXT_CALLS = frozenset(("json_member_text_", "json_path_text_"))
"""Functions of the engine's that give a text."""


def _gives_text(inner: exp.Expr) -> bool:
    if isinstance(inner, exp.Anonymous):
        return inner.this in TEXT_CALLS
    return isinstance(inner, TEXT_NODES)


TEXT_NODES = (exp.DPipe, exp.Concat, exp.Upper, exp.Lower, exp.Trim, exp.Substring)


def as_text(value: exp.Expr) -> exp.Expr:
    """A value as Postgres prints it; what is a text already is left."""
    inner = unwrapped(value)
    plain = (exp.Literal, exp.Null, exp.Placeholder, exp.Parameter)
    if isinstance(inner, plain) or _gives_text(inner):
        return value
    if isinstance(inner, exp.Cast) and inner.to.this in TEXTS:
        return value
    return call("pg_text_", value)


def _to_text(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    length = _length(to)
    if to.this in (_D.CHAR, _D.BPCHAR) and (length or 0) > 1:
        raise refused("a cast to char(n), which pads with blanks,", to, "Cast to varchar(n).")
    made = as_text(value)
    if length is not None:
        to.set("expressions", None)
        to.set("this", _D.TEXT)
        return duck("left", made, exp.Literal.number(length))
    return None if made is value else made


def typed_call(value: exp.Expr, made: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """What a macro of several forms makes of a value: one over an aggregate is given it in a lambda."""
    if not holds_aggregate(value):
        return made(value)
    name = exp.to_identifier("_part")
    within = exp.Lambda(this=made(name.copy()), expressions=[name])
    found = duck("list_transform", duck("list_value", value), within)
    return call("pg_part_", duck("list_extract", found, exp.Literal.number(1)))


def bytes_of(value: exp.Expr) -> bytes:
    """What a bytea literal means, in Postgres's hex or escape format."""
    spelled = value.this
    if spelled.startswith("\\x"):
        digits = "".join(spelled[2:].split())
        try:
            return binascii.unhexlify(digits)
        except (binascii.Error, ValueError):
            wrong = "odd number of digits" if len(digits) % 2 else "not a digit"
            message = f"invalid hexadecimal data: {wrong}"
            raise SqlError("22023", message, position=position_of(value)) from None
    made = bytearray()
    at = 0
    while at < len(spelled):
        if spelled[at] != "\\":
            made += spelled[at].encode()
            at += 1
        elif spelled[at + 1 : at + 2] == "\\":
            made += b"\\"
            at += 2
        elif re.fullmatch(r"[0-3][0-7]{2}", spelled[at + 1 : at + 4]):
            made.append(int(spelled[at + 1 : at + 4], 8))
            at += 4
        else:
            raise _invalid("bytea", value)
    return bytes(made)


def _to_bytes(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    if is_text(value):
        return duck("unhex", exp.Literal.string(bytes_of(value).hex()))
    if isinstance(unwrapped(value), (exp.Placeholder, exp.Parameter, exp.Null)):
        return None
    return call("pg_bytea_", value)


def _bounded(to: exp.DataType, precision: int, scale: int) -> None:
    """Give NUMERIC a precision and a scale: DuckDB's without any is DECIMAL(18, 3)."""
    sizes = (precision, scale)
    to.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(n)) for n in sizes])


def _to_numeric(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    if to.expressions:
        if len(to.expressions) == 1:
            _bounded(to, int(to.expressions[0].name), 0)
        return None
    if isinstance(value, exp.Literal):
        found = _NUMBER_TEXT.fullmatch(value.this)
        if found and len(found[1]) + len(found[2]) in range(1, 39):
            _bounded(to, max(len(found[1]) + len(found[2]), 1), len(found[2]))
            value.replace(exp.Paren(this=value.copy()))  # shows that nobody wrote these sizes
            return None
    _bounded(to, *UNBOUNDED_NUMERIC)
    if isinstance(unwrapped(value), (exp.Literal, exp.Placeholder, exp.Parameter, exp.Null)):
        return None
    if holds_aggregate(value):
        return exp.cast(value, _D.TEXT)
    return call("pg_numeric_", value)


def to_moment(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """A literal date or time before Christ: DuckDB's `(BC)` follows the date, and it reads past BC."""
    if not is_text(value):
        return None
    date, *rest = value.this.split() or [""]
    era = rest.pop().upper() if rest and rest[-1].upper() in _ERAS else None
    if era is None:
        stray = rest and to.this == _D.DATE and not rest[0][:1].isdigit()
        if stray and value.this.strip().lower() not in _SPECIAL_DATES:
            message = f'invalid input syntax for type date: "{value.this}"'
            raise SqlError("22007", message, position=position_of(value))
        return None
    return exp.Literal.string(" ".join([f"{date} (BC)" if era == "BC" else date, *rest]))


def _may_follow_a_date(word: str) -> bool:
    """Whether a word may be a time, an offset or a zone: `12:00`, `+02`, `UTC`, `PM`."""
    return word[:1] in "0123456789+-" or word.upper() in _ZONES or "/" in word


_ZONES = frozenset({"UTC", "GMT", "Z", "ZULU", "AM", "PM", "T"})
_STRICT = {
    _D.DATE: "pg_date_",
    _D.TIMESTAMPTZ: "pg_timestamptz_",
    _D.TIMESTAMPLTZ: "pg_timestamptz_",
}
_STRICT |= dict.fromkeys((_D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.DATETIME), "pg_timestamp_")
_STRICT |= {_D.TIME: "pg_time_"}
_MOMENT_NAMES = dict.fromkeys((_D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.DATETIME), "timestamp")
_MOMENT_NAMES |= dict.fromkeys((_D.TIMESTAMPTZ, _D.TIMESTAMPLTZ), "timestamp with time zone")
_MOMENT_NAMES |= {_D.DATE: "date", _D.TIME: "time"}
_NO_TEXTS = (exp.Null, exp.Placeholder, exp.Parameter, exp.CurrentDate, exp.CurrentTimestamp)


def _read_strictly(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """What may be a text when the statement runs: DuckDB reads past BC and whatever else follows."""
    inner = unwrapped(value)
    if isinstance(inner, _NO_TEXTS):
        return None
    if isinstance(inner, exp.Cast) and inner.to.this not in TEXTS:
        return None
    macro = _STRICT[to.this]
    return call(f"{macro}of_aggregate_" if holds_aggregate(inner) else macro, value)


def _moment(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    if not is_text(value):
        return _read_strictly(value, to)
    made = to_moment(value, to)
    if to.this in (_D.TIMESTAMPTZ, _D.TIMESTAMPLTZ):
        literal_of(value, "timestamptz")  # which raises; its value hangs on the session's zone
        return made
    first, *rest = value.this.split() or [""]
    dated = made is None and first.replace("-", "").isdigit()
    if dated and any(not _may_follow_a_date(word) for word in rest):
        message = f'invalid input syntax for type {_MOMENT_NAMES[to.this]}: "{value.this}"'
        raise SqlError("22007", message, position=position_of(value))
    if made is None and to.this in (_D.TIMESTAMPTZ, _D.TIMESTAMPLTZ) and value.this.count(":") == 1:
        return call("pg_offset_", value)  # the one colon may be the time's, without seconds
    return made


def to_time(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """DuckDB reads past what follows a time."""
    if not is_text(value):
        return _read_strictly(value, to)
    if any(not _may_follow_a_date(word) for word in value.this.split()):
        message = f'invalid input syntax for type time: "{value.this}"'
        raise SqlError("22007", message, position=position_of(value))
    return None


_ERAS = ("BC", "AD")
_SPECIAL_DATES = frozenset({"infinity", "-infinity", "epoch"})


def _to_array(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """To DuckDB an array within an array that is cast to text[] is a text."""
    made = literal_array(value, to)
    inner = unwrapped(value)
    parts = inner.find_all(exp.Array) if isinstance(inner, exp.Array) else ()
    items = [item for part in parts for item in part.expressions] or [inner]
    known = (exp.Literal, exp.Array, exp.Cast, exp.Null, exp.Placeholder, exp.Parameter)
    plain = all(isinstance(item, known) for item in items)
    if made is not None or plain or to.expressions[0].this not in TEXTS:
        return made
    return call("pg_flat_", value)


def _to_bits(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """bit(n) cuts and fills; DuckDB's BIT is as long as its value."""
    length = int(to.expressions[0].name) if to.expressions else None
    if is_text(value) and (length is None or len(value.this) == length):
        return None
    if length is None and not isinstance(unwrapped(value), exp.Literal):
        return None
    raise refused("a cast to bit(n) of another length", to)


def _to_jsonb(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """Only texts and documents become a jsonb by a cast: DuckDB would cast the text of anything."""
    inner = unwrapped(value)
    if isinstance(inner, (exp.Placeholder, exp.Parameter, exp.Null)) or is_text(inner):
        return None
    if isinstance(inner, exp.Cast) and inner.to.this in (*TEXTS, *_JSON):
        return None
    return call("pg_document_", value)


def _to_json(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """DuckDB takes some texts that are no JSON."""
    if isinstance(value, exp.Null):
        return None
    if isinstance(unwrapped(value), (exp.Placeholder, exp.Parameter)):
        value = exp.Cast(this=value, to=to.copy())  # which says what it is
    return call("pg_json_read_", value)


def json_literal(node: exp.ParseJSON) -> exp.Expr:
    """json '...'"""
    made = exp.Cast(this=call("pg_json_read_", node.this), to=exp.DataType(this=_D.JSON))
    made.meta["plain"] = True
    return made


_JSON = (_D.JSON, _D.JSONB)
_CASTS: dict[exp.DType, Callable[[exp.Expr, exp.DataType], exp.Expr | None]] = {
    **dict.fromkeys(WHOLE, _to_whole),
    **dict.fromkeys(TEXTS, _to_text),
    _D.BOOLEAN: _to_truth,
    _D.VARBINARY: _to_bytes,
    _D.BINARY: _to_bytes,
    _D.DECIMAL: _to_numeric,
    _D.ARRAY: _to_array,
    **dict.fromkeys(MOMENTS, _moment),
    _D.TIME: to_time,
    _D.BIT: _to_bits,
    _D.JSONB: _to_jsonb,
    _D.JSON: _to_json,
}


# What a literal is cast to and read as here; a literal of a zone waits for the session's.
_LITERALS = {**NAMES, _D.DECIMAL: "numeric"}


def literal_cast(node: exp.Cast) -> exp.Expr | None:
    """`'...'::type` as Postgres reads it; None for what is no such literal."""
    value, to = node.this, node.args["to"]
    if not is_text(value) or not isinstance(to, exp.DataType) or isinstance(node, exp.TryCast):
        return None
    if (node._meta and node._meta.get("plain")) or to.this not in _LITERALS:
        return None
    made = literal_of(value, _LITERALS[to.this])
    if to.this == _D.DECIMAL and to.expressions:
        if len(to.expressions) == 1:
            _bounded(to, int(to.expressions[0].name), 0)
        node.set("this", made)
        node.meta["plain"] = True
        return node
    if (digits := digits_of(to)) is not None:
        node.set("this", rounded(made, to, digits))
        node.meta["plain"] = True
        return node
    return made


def interval(node: exp.Interval) -> exp.Expr | None:
    """`interval '1 mon'`, which the parser has taken apart."""
    value, unit = node.this, node.args.get("unit")
    if not is_text(value) or not (unit is None or isinstance(unit, exp.Var)):
        return None
    whole = exp.Literal.string(value.this if unit is None else f"{value.this} {unit.name}")
    whole.meta.update(value.meta)
    return literal_of(whole, "interval")


def last_field(fields: exp.Interval) -> str:
    """`hour` of `day to hour`."""
    unit = fields.args["unit"]
    return (unit.expression if isinstance(unit, exp.IntervalSpan) else unit).name.lower()


def cast(node: exp.Cast) -> None:
    """A cast as Postgres does it; DuckDB's own where that is the same."""
    to = node.args["to"]
    how = _CASTS.get(to.this) if isinstance(to, exp.DataType) else None
    if how is None or (node._meta and node._meta.get("plain")):
        return
    digits = digits_of(to)
    made = how(node.this, to)
    if digits is not None:
        made = rounded(node.this if made is None else made, to, digits)
    if made is not None:
        node.set("this", made)


def at_most(name: exp.Expr, length: int) -> exp.ColumnConstraint:
    """CHECK (length(name) <= n): DuckDB's VARCHAR has no limit of its own."""
    size = exp.Length(this=exp.Column(this=name.copy()))
    limit = exp.LTE(this=size, expression=exp.Literal.number(length))
    return exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=limit))


def added_length(at: exp.Expr) -> SqlError:
    """The refusal of a length that nothing would keep: DuckDB adds no CHECK to a table there is."""
    hint = "Leave the length out, or give it where the table is created."
    return refused("a length for a column of a table that there is already", at, hint)


def altered(alter: exp.Alter) -> None:
    """ALTER COLUMN ... TYPE varchar(n)"""
    for action in alter.args.get("actions") or ():
        kind = action.args.get("dtype") if isinstance(action, exp.AlterColumn) else None
        if isinstance(kind, exp.DataType) and kind.this in TEXTS and _length(kind) is not None:
            raise added_length(action)


def column_definition(column: exp.ColumnDef) -> None:
    """varchar(n) is checked, DuckDB's VARCHAR has no limit; so is timestamp(p); numeric has a scale."""
    kind = column.args.get("kind")
    if not isinstance(kind, exp.DataType):
        return
    if column.name in _SYSTEM_COLUMNS:
        message = f'column name "{column.name}" conflicts with a system column name'
        raise SqlError("42701", message)
    if kind.this == _D.MONEY:
        raise refused("the type money", column, "numeric(19, 2) has room for all that it can be.")
    for constraint in column.args.get("constraints") or ():
        default = constraint.args.get("kind")
        if isinstance(default, exp.DefaultColumnConstraint) and is_text(default.this):
            default.set("this", typed(default.this, kind))
    if isinstance(kind.this, exp.Interval):
        if last_field(kind.this) != "second":
            raise refused("a column of an interval's fields", column, "Leave the fields out.")
        column.set("kind", exp.DataType(this=_D.INTERVAL))
        return
    if kind.this in TEXTS:
        length = _length(kind)
        if length is not None and isinstance(column.parent, exp.Alter):
            raise added_length(column)
        if length is not None and isinstance(column.parent, exp.Schema):
            constraints = column.args.get("constraints") or ()
            column.set("constraints", [*constraints, at_most(column.this, length)])
    elif (digits := digits_of(kind)) is not None:
        kind.set("expressions", None)
        if isinstance(column.parent, exp.Schema):
            constraints = column.args.get("constraints") or ()
            column.set("constraints", [*constraints, at_most_digits(column.this, digits)])
    elif kind.this == _D.DECIMAL:
        if not kind.expressions:
            _bounded(kind, *UNBOUNDED_NUMERIC)
        elif len(kind.expressions) == 1:
            _bounded(kind, int(kind.expressions[0].name), 0)


_SYSTEM_COLUMNS = frozenset(("tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"))


# --- operators and literals ---------------------------------------------------------------------


def division(node: exp.Div) -> exp.Expr | None:
    """Integers are divided towards zero, numeric exactly; zero raises.

    Of aggregates, a quotient of numeric is a float.
    """
    if not node.args.get("typed"):
        return None
    if holds_aggregate(node):
        return call("pg_div_of_aggregates_", node.this, node.expression)
    return call("pg_div_", node.this, node.expression)


def whole_quotient(node: exp.IntDiv) -> exp.Expr:
    """div(x, y), which the parser puts into a cast to numeric."""
    outer = node.parent
    if isinstance(outer, exp.Cast) and not outer.to.expressions:
        _bounded(outer.to, 38, 0)
    return call("pg_whole_quotient_", node.this, node.expression)


def remainder(node: exp.Mod) -> exp.Expr | None:
    """DuckDB's x % 0 is NULL."""
    by = unwrapped(node.expression)
    if isinstance(by, exp.Literal) and by.name.strip("0."):
        return None
    return call("pg_mod_", node.this, node.expression)


def concatenation(pipe: exp.DPipe) -> exp.Expr | None:
    """With a text, everything becomes text as Postgres prints it."""
    sides = [pipe.this, pipe.expression]
    bare = [unwrapped(side) for side in sides]
    if any(isinstance(side, (exp.Array, exp.Bracket)) for side in bare):
        return element_added(*bare)
    # A column beside a parameter may be an array, to which another is added.
    if pipe.find_ancestor(exp.Index) is not None:
        return None  # what may raise cannot be indexed
    known = any(isinstance(side, (exp.Placeholder, exp.Parameter)) for side in bare)
    known = known and not any(isinstance(side, exp.Column) for side in bare)
    if not known and not any(_says_text(side) for side in sides):
        return call("pg_pipe_", *sides)
    for key in ("this", "expression"):
        side = pipe.args[key]
        if as_text(side) is not side:
            pipe.set(key, call("pg_joined_", side))
    return None


def _says_text(side: exp.Expr) -> bool:
    inner = unwrapped(side)
    if isinstance(inner, exp.Cast):
        return isinstance(inner.to, exp.DataType) and inner.to.this in TEXTS
    return is_text(inner) or _gives_text(inner)


def concat(node: exp.Concat | exp.ConcatWs) -> exp.Expr | None:
    """concat() prints truth values as t and f."""
    plain = (exp.Literal, exp.Null)
    if (made := joined(node)) is not None:
        return made
    node.set(
        "expressions",
        [v if isinstance(v, plain) else call("pg_printed_", v) for v in node.expressions],
    )
    return None


def joined(node: exp.Concat | exp.ConcatWs) -> exp.Expr | None:
    """concat(VARIADIC a) and concat_ws(',', VARIADIC a); None where no VARIADIC is in it."""
    last = node.expressions[-1] if node.expressions else None
    if not isinstance(last, exp.Variadic):
        return None
    between: exp.Expr = exp.Literal.string("")
    if isinstance(node, exp.ConcatWs) and len(node.expressions) == 2:
        between = node.expressions[0]
    elif len(node.expressions) > 1:
        raise refused("VARIADIC behind other arguments", last)
    return call("pg_array_to_string_", last.this, between)


def array_to_string(node: exp.ArrayToString) -> exp.Expr | None:
    """Its elements are printed as Postgres prints them, and NULL between them makes it NULL."""
    if node.args.get("null") is not None:
        return None
    return call("pg_array_to_string_", node.this, node.expression)


def like(node: exp.Like | exp.ILike) -> exp.Expr | None:
    """Backslash escapes in a pattern, unless ESCAPE says otherwise."""
    if isinstance(node.parent, exp.Escape):
        return None
    pattern = node.expression
    if isinstance(pattern, (exp.Any, exp.All)):
        return _like_several(node, pattern)
    if isinstance(pattern, exp.Tuple) or (
        isinstance(pattern, exp.Literal) and "\\" not in pattern.this
    ):
        return None
    return exp.Escape(this=node, expression=exp.Literal.string("\\"))


def _like_several(node: exp.Like | exp.ILike, patterns: exp.Any | exp.All) -> exp.Expr:
    """`x LIKE ANY (array)`. Raises SqlError 0A000 for a query's patterns."""
    array = patterns.this.this if isinstance(patterns.this, exp.Paren) else patterns.this
    any_ = isinstance(patterns, exp.Any)
    if isinstance(array, (exp.Query, exp.Subquery)):
        what = f"{'I' if isinstance(node, exp.ILike) else ''}LIKE {'ANY' if any_ else 'ALL'} of a query"
        raise refused(what, node, "Give the patterns in an array: ARRAY(SELECT ...).")
    if isinstance(array, exp.Literal):
        array = read_array(array, None)
    texts = exp.Cast(this=array, to=exp.DataType.build("VARCHAR[]", dialect="duckdb"))
    each = call("pg_ilikes_" if isinstance(node, exp.ILike) else "pg_likes_", node.this, texts)
    negated = bool(node.args.get("negate"))
    found = call("pg_some_" if any_ != negated else "pg_every_", each)
    return exp.Not(this=found) if negated else found


def similar(node: exp.SimilarTo) -> exp.Expr | None:
    """SIMILAR TO a literal, as a regular expression over the whole text."""
    return None if isinstance(node.parent, exp.Escape) else _similar(node, "\\")


def escape(node: exp.Escape) -> exp.Expr | None:
    """SIMILAR TO ... ESCAPE; that of LIKE is DuckDB's."""
    if not isinstance(node.this, exp.SimilarTo):
        return None
    if not is_text(node.expression) or len(node.expression.this) > 1:
        raise refused("SIMILAR TO with this ESCAPE", node)
    return _similar(node.this, node.expression.this)


def _similar(node: exp.SimilarTo, escaping: str) -> exp.Expr:
    """escaping: the character before one that stands for itself; '' for none."""
    pattern = node.expression
    written = of_similar(pattern.this, escaping) if is_text(pattern) else None
    if written is None:
        raise refused("SIMILAR TO with this pattern", node, "Use LIKE or ~.")
    return duck("regexp_full_match", node.this, exp.Literal.string(written), _options("s"))


def _options(letters: str) -> exp.Literal:
    return exp.Literal.string(letters)


def matches(node: exp.RegexpLike) -> exp.Expr:
    """In Postgres's regular expressions the dot matches a newline too."""
    pattern = for_re2(node.expression)
    letters = "is" if isinstance(node, exp.RegexpILike) else "s"
    flags = node.args.get("flag")
    if flags is not None:
        if not is_text(flags) or set(flags.this) - set("ics"):
            raise refused("regexp_like with these flags", node)
        # The last of them counts.
        letters = "".join(["i" if flags.this.rfind("i") > flags.this.rfind("c") else "", "s"])
    return duck("regexp_matches", node.this, pattern, _options(letters))


def no_bits(node: exp.BitString | exp.HexString) -> None:
    """B'101', X'1F': DuckDB's BIT is another type, and 0x1F a number in Postgres."""
    raise refused("a bit string or hexadecimal literal", node)


_UNDERSCORED = re.compile(r"_\d+(_\d+)*|o[0-7_]+", re.IGNORECASE)


def alias(node: exp.Alias) -> None:
    """1_000 is read as `1 AS _000`, 0o17 as `0 AS o17`, and `12abc`, which is nothing, as `12 AS abc`."""
    name, number = node.args.get("alias"), node.this
    while isinstance(number, exp.Neg):
        number = number.this
    if (
        not isinstance(number, exp.Literal)
        or number.is_string
        or not isinstance(name, exp.Identifier)
        or name.args.get("quoted")
    ):
        return
    if _UNDERSCORED.fullmatch(name.this):
        raise refused("a number with underscores or in octal", node)
    ended = number.meta.get("end")
    if ended is not None and name.meta.get("start") == ended + 1:
        message = f'trailing junk after numeric literal at or near "{number.name}{name.name}"'
        raise SqlError("42601", message, position=position_of(number))


def literal(node: exp.Literal) -> exp.Expr | None:
    """More than 38 digits would become a float, and so does `1e3`, which is numeric in Postgres."""
    if node.is_string:
        return None
    if "e" in node.this.lower():
        return _with_exponent(node)
    if len(node.this.replace(".", "").lstrip("0")) > 38:
        raise refused("a number of more than 38 digits", node)
    return None


def _with_exponent(node: exp.Literal) -> exp.Expr | None:
    """None where a DECIMAL does not hold it: a float then, as DuckDB has it."""
    with suppress(SqlError):
        return read_literal(node.this, "numeric")
    return None


def equality(node: exp.EQ | exp.NEQ) -> exp.Expr | None:
    """Rows are compared value by value; documents are not."""
    made = compared(node)
    if made is None and not isinstance(node.parent, (exp.Update, exp.OnConflict)):
        _refuse_documents(node)
    return made


def _refuse_documents(node: exp.EQ | exp.NEQ) -> None:
    """Equal documents may differ as texts."""
    for side in (unwrapped(node.this), unwrapped(node.expression)):
        if isinstance(side, exp.Cast) and side.to.this == _D.JSON:
            raise refused("comparing json documents", node, "Compare values taken out with ->>.")
