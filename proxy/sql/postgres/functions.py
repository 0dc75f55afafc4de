"""Postgres's functions, where DuckDB's of the same name answer otherwise.

Why it exists: DuckDB knows most of Postgres's functions by name, and some of them mean something
else there: `to_char` takes other formats, `substring` counts from the end, `extract(second ...)`
drops the fraction. What has a rule here gives Postgres's value or is refused; sqlglot's own
readings of these names are taken out of its tables, which would drop what they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp
from sqlglot.dialects import Postgres

from proxy.sql.number_pictures import is_picture, picture
from proxy.sql.postgres import json as postgres_json
from proxy.sql.postgres import routines as postgres_routines
from proxy.sql.postgres.literals import literal_of
from proxy.sql.postgres.models import model, written_as
from proxy.sql.postgres.operators import in_zone
from proxy.sql.postgres.regexes import for_re2
from proxy.sql.postgres.standard_json import PATH_FUNCTIONS
from proxy.sql.postgres.values import (
    bytes_of,
    call,
    duck,
    holds_aggregate,
    is_text,
    last_field,
    refused,
    typed_call,
)

_D = exp.DType

_AS_WRITTEN = ("TO_CHAR", "TO_DATE", "TO_TIMESTAMP", "TO_NUMBER", "ENCODE", "DECODE", "FORMAT")
_AS_WRITTEN += ("DATE_BIN",)
for _name in _AS_WRITTEN:
    Postgres.Parser.FUNCTIONS.pop(_name, None)
    Postgres.Parser.FUNCTION_PARSERS.pop(_name, None)


# --- dates and times --------------------------------------------------------------------------


def _to_char(arguments: list[exp.Expr]) -> exp.Expr:
    value, written = arguments
    if is_text(written) and is_picture(written.this):
        picture(written.this)
        return call("pg_char_number_", value, written)
    if is_text(written) and not written.this:
        return exp.cast(exp.Null(), _D.TEXT)
    return written_as(value, written)


def _read(what: str, to: exp.DType, arguments: list[exp.Expr]) -> exp.Expr:
    value, written = arguments
    spelled = exp.Literal.string(model(written, what))
    made = exp.Cast(this=duck("strptime", value, spelled), to=exp.DataType(this=to))
    made.meta["plain"] = True
    return made


def _to_timestamp(arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) == 1:
        return duck("to_timestamp", arguments[0])
    return _read("to_timestamp", _D.TIMESTAMPTZ, arguments)


def interval_of_fields(node: exp.Cast) -> exp.Expr | None:
    """`x::interval day to hour` keeps nothing below the last of its fields."""
    to = node.args["to"]
    fields = to.this if isinstance(to, exp.DataType) else None
    if not isinstance(fields, exp.Interval):
        return None
    value = literal_of(node.this, "interval") if is_text(node.this) else node.this
    whole = exp.Cast(this=value, to=exp.DataType(this=_D.INTERVAL))
    last = last_field(fields)
    return whole if last == "second" else call("pg_down_to_", exp.Literal.string(last), whole)


DATE_PART = "_date_part"
"""What the parser is given for `date_part`, of which it would make an EXTRACT."""

_EXACT_PARTS = {"second": "pg_seconds_", "seconds": "pg_seconds_"}
_EXACT_PARTS |= {"millisecond": "pg_milliseconds_", "milliseconds": "pg_milliseconds_"}


def extract(node: exp.Extract) -> exp.Expr:
    """A part is numeric; those that have a fraction keep it."""
    part = node.this.name.lower()
    exact = _EXACT_PARTS.get(part)
    if exact is not None:
        return call(exact, node.expression)
    value = typed_call(node.expression, lambda moment: _part(part, moment))
    sizes = [exp.DataTypeParam(this=exp.Literal.number(n)) for n in _WIDTHS.get(part, (18, 0))]
    made = exp.Cast(this=value, to=exp.DataType(this=_D.DECIMAL, expressions=sizes))
    made.meta["plain"] = True
    return made


def _part(part: str, moment: exp.Expr) -> exp.Expr:
    name = exp.Literal.string(part)
    if part in _OF_YEARS:
        return call("pg_long_part_", name, moment)
    if part == "epoch":
        return call("pg_epoch_date_part_", name, moment)
    if part in _ENDLESS:
        moment = call("pg_finite_moment_", moment, name.copy())
    return duck("date_part", name, moment)


_OF_YEARS = frozenset({"year", "years", "decade", "decades", "isoyear"})
_ENDLESS = frozenset({"century", "centuries", "millennium", "millennia", "epoch", "julian"})
"""Parts of an infinite moment that are infinite."""

# Digits of the parts of a time that are not whole numbers of few digits.
_WIDTHS = {"epoch": (20, 6), "julian": (24, 12)}


def _date_part(arguments: list[exp.Expr]) -> exp.Expr:
    """date_part(part, x) is a float; DuckDB's of a part that is known only later has no fraction."""
    part, value = arguments
    return typed_call(value, lambda moment: call("pg_date_part_", part, moment))


def _date_bin(arguments: list[exp.Expr]) -> exp.Expr:
    stride, value, origin = arguments
    if is_text(stride):
        stride = literal_of(stride, "interval")
    return call("pg_date_bin_", stride, value, origin)


def date_trunc(node: exp.TimestampTrunc) -> exp.Expr | None:
    """A DATE becomes a timestamptz; DuckDB's answer for parts of an interval's day is another."""
    if node.args.get("zone") is not None:
        raise refused("date_trunc with a time zone", node)
    if holds_aggregate(node.this):
        return None
    unit = node.args["unit"]
    if isinstance(unit, (exp.Literal, exp.Var)):
        unit = exp.Literal.string(unit.name.lower())
    return call("pg_date_trunc_", unit, node.this)


def _read_trunc(arguments: list[exp.Expr]) -> exp.Expr:
    """A unit that is a column stays one: the parser would take its name."""
    unit, *others = arguments
    given = exp.Paren(this=unit) if isinstance(unit, exp.Column) else unit
    return exp.TimestampTrunc.from_arg_list([others[0], given, *others[1:]])


Postgres.Parser.FUNCTIONS["DATE_TRUNC"] = _read_trunc


def _of_year(function: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    """A date from its parts: -44 is the year 44 before Christ, and there is no year 0."""

    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        year, *others = arguments
        return duck(function, year if _plain_number(year, 1) else call("pg_year_", year), *others)

    return rule


def moment_of_parts(node: exp.TimestampFromParts) -> exp.Expr:
    parts = [node.args[key] for key in ("year", "month", "day", "hour", "min", "sec")]
    return _of_year("make_timestamp")(parts)


def _is_date(node: exp.Expr | None) -> bool:
    if isinstance(node, exp.Cast):
        return isinstance(node.to, exp.DataType) and node.to.this == _D.DATE
    return isinstance(node, exp.CurrentDate)


def _read_series(arguments: list[exp.Expr]) -> exp.Expr:
    """A quoted step beside moments is an interval, of as many units as it says."""
    if len(arguments) > 3:
        return exp.Anonymous(this="generate_series", expressions=arguments)
    numbers = any(isinstance(one, exp.Literal) and not one.is_string for one in arguments)
    if len(arguments) == 3 and is_text(arguments[2]) and not numbers:
        arguments = [*arguments[:2], exp.Interval(this=arguments[2])]
    return exp.ExplodingGenerateSeries.from_arg_list(arguments)


Postgres.Parser.FUNCTIONS["GENERATE_SERIES"] = _read_series


def _series_in_zone(arguments: list[exp.Expr]) -> exp.Expr:
    raise refused("generate_series with a time zone", arguments[-1])


_SERIES = (exp.GenerateSeries, exp.ExplodingGenerateSeries)


def unquote_bounds(node: exp.GenerateSeries) -> None:
    """A quoted bound is of the other's type."""
    bounds = [node.args[key] for key in ("start", "end", "step") if node.args.get(key) is not None]
    if any(isinstance(bound, exp.Literal) and not bound.is_string for bound in bounds):
        for bound in filter(is_text, bounds):
            whole = exp.Cast(this=bound.copy(), to=exp.DataType(this=_D.BIGINT))
            whole.meta["plain"] = True
            bound.replace(whole)


def generate_series(node: exp.GenerateSeries) -> None:
    """A series of dates is one of timestamptz."""
    unquote_bounds(node)
    for key in ("start", "end"):
        if _is_date(node.args.get(key)):
            value = exp.Cast(this=node.args[key], to=exp.DataType(this=_D.TIMESTAMPTZ))
            value.meta["plain"] = True
            node.set(key, value)


_ROW_FUNCTIONS = frozenset({"regexp_split_to_table", "string_to_table"})


def name_functions(tables: Iterable[exp.Table]) -> None:
    """`FROM jsonb_each(doc)` is called `jsonb_each`, also where DuckDB's function has another name."""
    for table in tables:
        called = table.this
        if isinstance(called, exp.Anonymous) and isinstance(called.this, str):
            name = called.this.lower()
            if table.args.get("alias") is None and not table.args.get("ordinality"):
                table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))


def repeated_in_from(table: exp.Table | exp.Lateral) -> exp.Expr | None:
    """`FROM repeat('x', 3)` is one text; DuckDB's function of this name in FROM gives rows."""
    if not isinstance(table.this, exp.Repeat):
        return None
    given = table.args.get("alias")
    name = given.this if given is not None and given.this is not None else None
    columns = given.columns if given is not None else ()
    name = name or exp.to_identifier("repeat")
    alias = exp.TableAlias(this=name, columns=columns or [name.copy()])
    query = exp.Subquery(this=exp.Select(expressions=[table.this]))
    if isinstance(table, exp.Lateral):
        return exp.Lateral(this=query, alias=alias)
    query.set("alias", alias)
    for key in ("joins", "laterals"):
        if table.args.get(key):
            query.set(key, table.args[key])
    return query


def function_in_from(table: exp.Table | exp.Unnest | exp.Lateral) -> None:
    """The alias of a function that gives one column names that column too."""
    if isinstance(table, exp.Table) and table.args.get("ordinality"):
        raise refused("WITH ORDINALITY of this function", table, "Use it with unnest().")
    alias = table.args.get("alias")
    if alias is None or alias.this is None or alias.columns:
        return
    if isinstance(table, exp.Unnest):
        if len(table.expressions) > 1 or table.args.get("offset"):
            return
    elif isinstance(table.this, exp.Unnest):  # LATERAL unnest(...)
        if len(table.this.expressions) > 1 or table.this.args.get("offset"):
            return
    elif not isinstance(table.this, _SERIES):
        call_ = table.this
        name = (call_._meta or {}).get(postgres_routines.ROW_NAME)
        if name is not None:
            column = exp.to_identifier(name) if name else alias.this.copy()
            alias.set("columns", [column])
            if name and name != alias.name:
                _whole_is_column(table, alias.name, name)
            return
        known = isinstance(call_, exp.Anonymous) and str(call_.this).lower() in _ROW_FUNCTIONS
        if not known:
            return
    alias.set("columns", [alias.this.copy()])


def _whole_is_column(table: exp.Expr, alias: str, name: str) -> None:
    """`SELECT e FROM jsonb_array_elements(...) e`: the row of a function is its one value."""
    select = table.find_ancestor(exp.Select)
    for column in select.find_all(exp.Column) if select is not None else ():
        if column.name == alias and not column.table:
            column.set("table", exp.to_identifier(alias))
            column.set("this", exp.to_identifier(name))
            if column.parent is select and column.arg_key == "expressions":
                column.replace(exp.alias_(column.copy(), alias, quoted=True))


# --- numbers and texts ------------------------------------------------------------------------


def round_(node: exp.Round) -> exp.Expr | None:
    """A float is rounded half to even, a numeric half away from zero."""
    return call("pg_round_", node.this) if node.args.get("decimals") is None else None


def _plain_number(node: exp.Expr | None, least: int) -> bool:
    """Whether a node is a whole literal of at least that."""
    return (
        isinstance(node, exp.Literal)
        and not node.is_string
        and node.this.isdigit()
        and int(node.this) >= least
    )


def substring(node: exp.Substring) -> exp.Expr | None:
    """Positions before the first character exist; DuckDB counts them from the end."""
    start, length = node.args.get("start"), node.args.get("length")
    if is_text(start) and length is not None:
        raise refused(
            "substring by a pattern of SIMILAR TO", node, "Use substring(text from regex)."
        )
    if is_text(start):
        return postgres_routines.substring_of_pattern(node.this, start)
    if start is not None and not _plain_number(start, 1):
        arguments = [node.this, start] + ([length] if length is not None else [])
        return call("pg_substring_", *arguments)
    if length is not None and not _plain_number(length, 0):
        return call("pg_substring_", node.this, start or exp.Literal.number(1), length)
    return None


def hexadecimal(node: exp.Hex) -> exp.Expr:
    """to_hex gives lower case, and of a negative number as many digits as its type has."""
    return call("pg_to_hex_", node.this)


def regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    """The dot matches a newline; \\& is the whole match."""
    replacement, modifiers = node.args.get("replacement"), node.args.get("modifiers")
    for key in ("position", "occurrence", "parameters"):
        if node.args.get(key) is not None:
            raise refused("regexp_replace with a position", node)
    letters = ""
    if modifiers is not None:
        if not is_text(modifiers) or set(modifiers.this) - set("gi"):
            raise refused("regexp_replace with these flags", node)
        letters = modifiers.this
    if is_text(replacement):
        replacement = exp.Literal.string(replacement.this.replace("\\&", "\\0"))
    pattern = for_re2(node.expression)
    arguments = [node.this, pattern, replacement or exp.Literal.string("")]
    return duck("regexp_replace", *arguments, exp.Literal.string(letters + "s"))


def regexp_substr(node: exp.RegexpSubstr) -> exp.Expr:
    """What matches first."""
    if any(node.args.get(key) for key in node.args if key not in ("this", "expression")):
        raise refused("regexp_substr with a position", node)
    return postgres_routines.matching_part(node.this, node.expression)


def regexp_instr(node: exp.RegexpInstr) -> exp.Expr:
    """Where the first match begins."""
    if any(node.args.get(key) for key in node.args if key not in ("this", "expression")):
        raise refused("regexp_instr with a position", node)
    options = exp.Literal.string("s")
    text, pattern = node.this, for_re2(node.expression)
    before = duck("list_extract", duck("string_split_regex", text, pattern, options), _number(1))
    place = exp.Add(this=duck("length", before), expression=_number(1))
    found = duck("regexp_matches", text.copy(), pattern.copy(), options.copy())
    none = exp.Case(ifs=[exp.If(this=exp.Not(this=found.copy()), true=_number(0))])
    made = exp.Case(ifs=[exp.If(this=found, true=place)], default=none)
    whole = exp.Cast(this=made, to=exp.DataType(this=_D.INT))
    whole.meta["plain"] = True
    return whole


def _number(value: int) -> exp.Literal:
    return exp.Literal.number(value)


def split_part(node: exp.SplitPart) -> exp.Expr | None:
    """Without anything between them the whole text is the one part; there is none of number 0."""
    between, place = node.args.get("delimiter"), node.args.get("part_index")
    plain = is_text(between) and between.this and _plain_number(place, 1)
    return None if plain else call("pg_split_part_", node.this, between, place)


def pad(node: exp.Pad) -> exp.Expr | None:
    """Filled with nothing, a text is only cut."""
    fill = node.args.get("fill_pattern")
    if fill is None or (is_text(fill) and fill.this):
        return None
    side = "pg_lpad_" if node.args.get("is_left") else "pg_rpad_"
    return call(side, node.this, node.expression, fill)


def string_to_array(node: exp.StringToArray) -> exp.Expr:
    """Of an empty text it is empty, and NULL separates every character."""
    null = node.args.get("null")
    given = [node.this, node.expression] + ([null] if null is not None else [])
    return call("pg_string_to_array_", *given)


def _encode(arguments: list[exp.Expr]) -> exp.Expr:
    value, form = arguments
    named = form.this.lower() if is_text(form) else ""
    if is_text(value):
        value = duck("unhex", exp.Literal.string(bytes_of(value).hex()))
    if named == "hex":
        return exp.Lower(this=duck("hex", value))
    if named == "base64":
        return call("pg_base64_", value)
    raise refused("encode with this format", form)


def _decode(arguments: list[exp.Expr]) -> exp.Expr:
    value, form = arguments
    named = form.this.lower() if is_text(form) else ""
    if named == "hex":
        return duck("unhex", value)
    if named == "base64":
        return call("pg_from_base64_", value)
    raise refused("decode with this format", form)


def _in_utf8(name: str, function: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    """convert_to and convert_from: the bytes of a text, and the text of bytes."""

    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        value, encoding = arguments
        if not is_text(encoding) or encoding.this.casefold() not in ("utf8", "utf-8", "unicode"):
            raise refused(f"{name} of this encoding", encoding)
        if function == "encode":
            value = exp.cast(value, _D.TEXT)
        return duck(function, value)

    return rule


def _timezone(arguments: list[exp.Expr]) -> exp.Expr:
    """timezone(zone, x) is x AT TIME ZONE zone."""
    if len(arguments) != 2:
        raise refused("timezone of the session", arguments[0], "Say which time zone.")
    zone, moment = arguments
    return in_zone(exp.Paren(this=moment), zone)


def _no_counterpart(name: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        raise refused(f"function {name}", arguments[0] if arguments else exp.Null())

    return rule


def _of_columns(name: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    """A function that is done here in part: of constants alone it is Postgres's."""

    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        if not any(argument.find(exp.Column) for argument in arguments):
            raise refused(
                f"function {name} of constants", arguments[0] if arguments else exp.Null()
            )
        return call(f"pg_{name}_", *arguments)

    return rule


def _to_json(arguments: list[exp.Expr]) -> exp.Expr:
    (value,) = arguments
    return call("pg_json_of_", value)


FUNCTIONS: dict[str, Callable[[list[exp.Expr]], exp.Expr]] = {
    DATE_PART: _date_part,
    "date_bin": _date_bin,
    "make_date": _of_year("make_date"),
    "to_char": _to_char,
    "to_date": lambda arguments: _read("to_date", _D.DATE, arguments),
    "to_timestamp": _to_timestamp,
    "encode": _encode,
    "decode": _decode,
    "convert_to": _in_utf8("convert_to", "encode"),
    "convert_from": _in_utf8("convert_from", "decode"),
    "to_json": _to_json,
    "row_to_json": _to_json,
    "array_to_json": _to_json,
    "to_jsonb": lambda arguments: postgres_json.as_jsonb(_to_json(arguments)),
    **{
        name: _of_columns(name)
        for name in (
            *("octet_length", "trim_array"),
            *("array_ndims", "array_dims", "array_replace", "array_positions", "array_fill"),
            *("scale", "min_scale"),
        )
    },
    "uuid_generate_v4": lambda arguments: duck("uuid", *arguments),
    "timezone": _timezone,
    "to_number": _no_counterpart("to_number"),
    "generate_series": _series_in_zone,
    **postgres_json.FUNCTIONS,
    **postgres_routines.FUNCTIONS,
    **PATH_FUNCTIONS,
}


def anonymous(node: exp.Anonymous) -> exp.Expr | None:
    """A function by its name."""
    name = node.this
    rule = FUNCTIONS.get(name.lower()) if isinstance(name, str) else None
    if rule is None:
        return postgres_json.by_place(node)
    try:
        return rule(node.expressions)
    except ValueError as error:
        raise refused(f"function {name} with these arguments", node) from error


def fetch(node: exp.Fetch) -> None:
    """WITH TIES and PERCENT would be dropped."""
    options = node.args.get("limit_options")
    ties = options is not None and options.args.get("with_ties")
    if ties and isinstance(node.parent, exp.Select):
        return  # `operators.with_ties`
    if ties or (options is not None and options.args.get("percent")):
        raise refused("FETCH FIRST ... WITH TIES or PERCENT", node)
