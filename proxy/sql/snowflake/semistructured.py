"""VARIANT, OBJECT and ARRAY: paths, literals, and what their place makes of them.

A path into a VARIANT is a VARIANT. Where it stands in a place that wants a text, a number or a
truth value, Snowflake casts it; DuckDB would compare and concatenate JSON text. So the rule for a
path looks at its parent and casts accordingly; what is compared with a typed value takes that
value's type.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.snowflake.registry import (
    FUNCTIONS,
    cast,
    duck,
    function,
    node,
    sf,
    text,
    unsupported,
)
from proxy.sql.snowflake.zoned import has_offset

_VARIANT_NODES = (exp.JSONExtract, exp.GetExtract, exp.Bracket)
XML_CALLS = frozenset({"_sf.parse_xml", "_sf.try_parse_xml", "_sf.xmlget"})
"""Calls that give XML, which is an object to all that looks into it, and XML where it is a text."""

_VARIANT_CALLS = frozenset(
    {
        *("variant_path_", "_sf.get_", "_sf.get_path_", "_sf.get_ignore_case_", "_sf.parse_json"),
        *("_sf.parse_json_twice_", "_sf.try_parse_json_twice_"),
        *("_sf.try_parse_json", "_sf.to_variant", "_sf.sort_key_"),
        *("_sf.key_beside_", "_sf.order_beside_"),
        *("PARSE_JSON", "TRY_PARSE_JSON", "TO_VARIANT"),
        *XML_CALLS,
    }
)

_MADE = frozenset(
    {
        *(
            "json_array",
            "to_json",
            "_sf.array_made_",
            "_sf.object_of_",
            "_sf.object_with_nulls_",
            "_sf.to_variant",
        ),
        *("_sf.array_compact", "_sf.array_made_compact_", "_sf.array_of_", "variant_text_"),
    }
)
"""Calls that give JSON, or a text, already."""

_TEXT_PLACES = (
    exp.DPipe,
    exp.Concat,
    exp.ConcatWs,
    exp.Like,
    exp.ILike,
    exp.RegexpLike,
    exp.Upper,
    exp.Lower,
    exp.Trim,
    exp.Length,
    exp.Substring,
    exp.Left,
    exp.Right,
    exp.Replace,
    exp.StartsWith,
    exp.EndsWith,
    exp.Contains,
    exp.StrPosition,
    exp.SplitPart,
    exp.Initcap,
    exp.Reverse,
    exp.Pad,
    exp.GroupConcat,
)
_NUMBER_PLACES = (
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Mod,
    exp.Div,
    exp.Neg,
    exp.Sum,
    exp.Avg,
    exp.Abs,
    exp.Round,
    exp.Floor,
    exp.Ceil,
    exp.Sqrt,
    *(exp.Cbrt, exp.Exp, exp.Ln, exp.Log, exp.Pow, exp.Sign, exp.Degrees, exp.Radians),
    *(exp.Sin, exp.Cos, exp.Tan, exp.Asin, exp.Acos, exp.Atan, exp.Atan2),
    *(exp.Sinh, exp.Cosh, exp.Tanh, exp.Asinh, exp.Acosh, exp.Atanh),
)
_TRUTH_PLACES = (exp.Where, exp.And, exp.Or, exp.Not, exp.Having, exp.Qualify)
_COMPARISONS = (
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
)


VARIANT_KEY = "variant"
"""Key of `node.meta` of a column that is known to be a VARIANT."""


def is_marked(value: exp.Expr | None) -> bool:
    """Whether a column is known to be a VARIANT."""
    return isinstance(value, exp.Column) and bool(value._meta and value._meta.get(VARIANT_KEY))


def is_variant(value: exp.Expr | None) -> bool:
    """Whether the syntax alone says that a value is a VARIANT."""
    while isinstance(value, exp.Paren):
        value = value.this
    if isinstance(value, exp.Anonymous):
        name = value.this
        return name in _VARIANT_CALLS or str(name).upper() in _VARIANT_CALLS
    if isinstance(value, exp.Cast):
        return value.to.this == exp.DType.VARIANT
    return isinstance(value, _VARIANT_NODES) or is_marked(value)


def variants_together(values: list[exp.Expr | None]) -> None:
    """Of values that become one, string literals beside a VARIANT are VARIANTs too; in place."""
    if any(is_variant(value) for value in values):
        for value in values:
            if isinstance(value, exp.Literal) and value.is_string:
                value.replace(duck("to_json", value.copy()))


def placed(made: exp.Expr, call: exp.Expr) -> exp.Expr:
    """What a rule made of a call or cast, as the place of that wants it if it is a VARIANT."""
    if isinstance(made, exp.Anonymous) and made.this in _MADE_VARIANT:
        return in_place(made, call.parent, call.arg_key)
    return made


_MADE_VARIANT = frozenset(
    {
        *("_sf.parse_json", "_sf.try_parse_json", "_sf.to_variant"),
        *("_sf.parse_json_twice_", "_sf.try_parse_json_twice_"),
    }
)


def in_place(value: exp.Anonymous, parent: exp.Expr | None, key: str | None) -> exp.Expr:
    """A VARIANT as the place that it stands in wants it; `key` is its argument's name there."""
    if isinstance(parent, _TEXT_PLACES):
        return as_text(value, parent)
    if isinstance(parent, _NUMBER_PLACES):
        return cast(value, exp.DType.DOUBLE)
    if isinstance(parent, _TRUTH_PLACES):
        return sf("variant_truth_", value)
    if isinstance(parent, (exp.If, exp.Join)) and key in ("this", "on"):
        if isinstance(parent.parent, exp.Case) and parent.parent.this is not None:
            return as_text(value)
        return sf("variant_truth_", value)
    if isinstance(parent, exp.Case) and key == "this" and parent.args.get("ifs"):
        return _typed_as(value, parent.args["ifs"][0].this)
    if isinstance(parent, exp.Ordered):
        return sf("sort_key_", value)
    if isinstance(parent, exp.EQ) and isinstance(parent.parent, (exp.Update, exp.OnConflict)):
        return sf("typed_as_", value, _assigned(parent))
    if isinstance(parent, _COMPARISONS):
        other = parent.expression if key == "this" else parent.this
        if is_variant(other):
            return sf("sort_key_", value)
        return _beside(value, parent, "expression" if key == "this" else "this")
    if isinstance(parent, exp.Between) and key == "this":
        return _beside(value, parent, "low", "high")
    if isinstance(parent, exp.In) and key == "this" and parent.expressions:
        return _beside(value, parent, "expressions")
    return value


def _assigned(assignment: exp.EQ) -> exp.Expr:
    """The column of SET column = value, as the table's: what it is changed from may have its name."""
    column = assignment.this.copy()
    written = assignment.find_ancestor(exp.Merge) or assignment.find_ancestor(exp.Update)
    table = written.this if written is not None else None
    if isinstance(column, exp.Column) and isinstance(table, exp.Table):
        return exp.column(column.this, table=table.alias_or_name)
    return column


def _beside(value: exp.Anonymous, parent: exp.Expr, *keys: str) -> exp.Expr:
    """A VARIANT beside other arguments of its parent: numbers are made VARIANTs, in place."""
    found = [parent.args[key] for key in keys]
    others = [
        one for several in found for one in (several if isinstance(several, list) else [several])
    ]
    if not all(map(_is_number, others)):
        return _typed_as(value, others[0])
    for key, one in zip(keys, found, strict=True):
        made = [sf("sort_key_", each) for each in one] if isinstance(one, list) else None
        parent.set(key, made or sf("sort_key_", one))
    return sf("order_beside_" if isinstance(parent, _ORDERING) else "key_beside_", value)


_ORDERING = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)


_NUMBERS = frozenset((*exp.DataType.NUMERIC_TYPES, exp.DType.DECIMAL))


def _is_number(value: exp.Expr) -> bool:
    """Whether a value is a number or a truth value, by its syntax."""
    while isinstance(value, (exp.Paren, exp.Neg)):
        value = value.this
    if isinstance(value, exp.Cast):
        return value.to.this in _NUMBERS
    return isinstance(value, exp.Boolean) or (
        isinstance(value, exp.Literal) and not value.is_string
    )


def _typed_as(value: exp.Anonymous, other: exp.Expr) -> exp.Expr:
    if isinstance(other, exp.Literal):
        return as_text(value) if other.is_string else cast(value, exp.DType.DOUBLE)
    return sf("variant_beside_", value, other.copy())


def is_grouped_by(value: exp.Expr, place: exp.Expr | None) -> bool:
    """Whether a query groups by a path, which must then stay as it is for DuckDB to know it."""
    query = place.find_ancestor(exp.Select, exp.Group) if place is not None else None
    group = query.args.get("group") if isinstance(query, exp.Select) else None
    return group is not None and any(one == value for one in group.expressions)


def as_text(value: exp.Anonymous, place: exp.Expr | None = None) -> exp.Expr:
    """The text of a VARIANT, without quotes; NULL for JSON null. XML's is XML.

    place: where the value will stand, for one that has no parent yet.
    """
    if value.this in XML_CALLS:
        return duck("xml_of_", cast(value, exp.DType.VARCHAR))
    if value.this == "variant_path_" and not is_grouped_by(value, place or value.parent):
        value.set("this", "variant_text_")
        return value
    return duck("variant_text_", value, text("$"))


def scalar_text(value: exp.Expr) -> exp.Expr:
    """An argument that must be a text: a VARIANT's is taken out of it, a number's is written."""
    if isinstance(value, exp.Anonymous) and value.this in _VARIANT_CALLS:
        return as_text(value)
    if isinstance(value, exp.Null):
        return cast(value, exp.DType.VARCHAR)
    return text_place(value)


def unquoted(value: exp.Expr) -> exp.Expr:
    """A VARIANT that the syntax shows as its text; all else stays as it is."""
    if isinstance(value, exp.Anonymous) and value.this in _VARIANT_CALLS:
        return as_text(value)
    return duck("variant_text_", value, text("$")) if is_marked(value) else value


_PERHAPS_NO_TEXT = (
    *(exp.Column, exp.Cast, exp.Unary, exp.Binary, exp.Func, exp.Window, exp.Boolean),
    *(exp.In, exp.Between, exp.Exists, exp.Subquery),
)
# What surely is a text (or a binary, where it was given one), and needs no look at its type.
_TEXTS = (
    *(exp.Upper, exp.Lower, exp.Concat, exp.ConcatWs, exp.Trim, exp.Replace, exp.Initcap),
    *(exp.Repeat, exp.SplitPart, exp.Strtok, exp.Translate, exp.MD5, exp.SHA, exp.Chr),
)
_TEXT_CALLS = frozenset(
    {
        *("_sf.text_", "_sf.left_", "_sf.right_", "_sf.substr_", "_sf.lpad_", "_sf.rpad_"),
        *("_sf.reverse_", "_sf.insert_", "_sf.to_varchar_", "variant_text_", "concat_ws"),
        *("regexp_replace", "strftime", "getvariable", "upper", "lower", "replace"),
    }
)
_DEFINED = (exp.Index, exp.ColumnDef, exp.Constraint, exp.ColumnConstraint, exp.Check)


def text_place(value: exp.Expr) -> exp.Expr:
    """What may be a VARIANT, a number or a date, where a function wants a text or a binary."""
    if isinstance(value, _PERHAPS_NO_TEXT) or (
        isinstance(value, exp.Literal) and not value.is_string
    ):
        if isinstance(value, exp.Column) and isinstance(value.this, exp.Star):
            return value
        if isinstance(value, exp.Cast) and value.to.this in (exp.DType.VARCHAR, exp.DType.TEXT):
            return value
        if isinstance(value, (exp.DPipe, *_TEXTS)):
            return value
        if isinstance(value, exp.Anonymous) and value.this in _TEXT_CALLS:
            return value
        if value.find_ancestor(*_DEFINED) is not None:
            return value  # indexes and constraints take no macro that looks at types
        return sf("text_", value)
    return value


_OF_64_BITS = (exp.Length, exp.StrPosition, exp.Placeholder, exp.Parameter, exp.Null)


def whole(value: exp.Expr) -> exp.Expr:
    """A number where DuckDB takes a BIGINT alone: a NUMBER, as a quotient is, is rounded to one."""
    bare = value.this if isinstance(value, exp.Neg) else value
    if isinstance(bare, exp.Literal) and bare.this.isdigit() and not bare.is_string:
        return value
    return value if isinstance(value, _OF_64_BITS) else cast(unquoted(value), exp.DType.BIGINT)


_OF_TEXTS: dict[type, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *(exp.Upper, exp.Lower, exp.Length),
            *(exp.Repeat, exp.Ascii, exp.Unicode, exp.RtrimmedLength),
            *(exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA1Digest),
        ),
        ("this",),
    ),
    **dict.fromkeys((exp.Like, exp.ILike, exp.RegexpLike), ("this", "expression")),
    exp.Trim: ("this", "expression"),
    exp.SplitPart: ("this", "delimiter"),
    exp.Strtok: ("this", "delimiter"),
    exp.Translate: ("this", "from_", "to"),
    exp.Replace: ("this", "expression", "replacement"),
}


@node(*_OF_TEXTS)
def _of_texts(call: exp.Expr) -> None:
    for key in _OF_TEXTS[call.__class__]:
        value = call.args.get(key)
        if value is not None:
            call.set(key, scalar_text(value))
    if (place := _PLACES.get(call.__class__)) is not None and call.args.get(place) is not None:
        call.set(place, whole(call.args[place]))


_PLACES: dict[type, str] = {
    exp.SplitPart: "part_index",
    exp.Strtok: "part_index",
    exp.Repeat: "times",
}


_OF_NUMBERS = tuple(
    kind
    for kind in _NUMBER_PLACES
    if issubclass(kind, exp.Func) and not issubclass(kind, exp.AggFunc)
)


@node(*_OF_NUMBERS)
def _of_numbers(call: exp.Expr) -> None:
    """A column that is calculated with may hold texts, and a literal may be one."""
    for key in ("this", "expression"):
        value = call.args.get(key)
        text_itself = isinstance(value, exp.Literal) and value.is_string
        if text_itself or (isinstance(value, exp.Column) and not call.find_ancestor(*_DEFINED)):
            call.set(key, sf("number_", value))


@node(exp.ConcatWs)
def _concat_ws(call: exp.ConcatWs) -> None:
    call.set("expressions", [scalar_text(value) for value in call.expressions])


def path_text(path: exp.JSONPath) -> str:
    """A path as DuckDB's JSON functions read it."""
    parts = ["$"]
    for part in path.expressions:
        if isinstance(part, exp.JSONPathKey) and isinstance(part.this, str):
            key = part.this.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'."{key}"')
        elif isinstance(part, exp.JSONPathSubscript) and isinstance(part.this, int):
            parts.append(f"[{part.this}]")
        elif not isinstance(part, exp.JSONPathRoot):
            raise unsupported("this path into a VARIANT", path)
    return "".join(parts)


FIELDS_KEY = "fields"
"""Key of `node.meta` of a structured value made on the spot: the name of a field to a cast to its
type, or None as a name for that of all elements of an ARRAY or MAP."""


def _field(value: exp.Expr, name: object, element: exp.Expr) -> exp.Expr | None:
    """A field of a structured OBJECT, ARRAY or MAP has the type that is declared for it."""
    while isinstance(value, exp.Paren):
        value = value.this
    fields = value._meta.get(FIELDS_KEY) if value._meta else None
    convert = fields.get(name, fields.get(None)) if fields else None
    return convert(element) if convert is not None else None


def _fields(value: exp.Expr, path: exp.JSONPath) -> exp.Expr | None:
    """A field, or a field's field, of structured values."""
    typed: exp.Expr | None = value
    for part in path.expressions[1:]:
        step = exp.JSONPath(expressions=[path.expressions[0].copy(), part.copy()])
        element = duck("variant_path_", typed, text(path_text(step)))
        typed = _field(typed, part.this, element)
        if typed is None:
            return None
    return typed


@node(exp.JSONExtract)
def _json_extract(extract: exp.JSONExtract) -> exp.Expr | None:
    path = extract.expression
    if isinstance(path, exp.JSONPath):
        made = duck("variant_path_", extract.this, text(path_text(path)))
        if (typed := _fields(extract.this, path)) is not None:
            return typed
    elif extract.args.get("variant_extract"):
        raise unsupported("this path into a VARIANT", extract)
    else:
        made = sf("get_path_", extract.this, path)
    return in_place(made, extract.parent, extract.arg_key)


@node(exp.JSONExtractScalar)
def _json_extract_scalar(extract: exp.JSONExtractScalar) -> exp.Expr | None:
    """JSON_EXTRACT_PATH_TEXT along a path that is known when it runs, as GET_PATH reads it."""
    if isinstance(extract.expression, exp.JSONPath):
        return None
    document = cast(extract.this, exp.DType.JSON)
    return as_text(sf("get_path_", document, extract.expression))


def _element(value: exp.Expr, index: exp.Expr) -> exp.Anonymous:
    if isinstance(index, exp.Literal):
        if index.is_string:
            key = index.this.replace("\\", "\\\\").replace('"', '\\"')
            return duck("variant_path_", value, text(f'$."{key}"'))
        if index.this.isdigit():
            return duck("variant_path_", value, text(f"$[{index.this}]"))
    return sf("get_", value, index)


@node(exp.Bracket)
def _bracket(bracket: exp.Bracket) -> exp.Expr:
    keys = bracket.expressions
    if len(keys) != 1 or isinstance(keys[0], exp.Slice):
        raise unsupported("a slice of an array", bracket, "Use ARRAY_SLICE.")
    element = _element(bracket.this, keys[0])
    key = keys[0].name if isinstance(keys[0], exp.Literal) else None
    typed = _field(bracket.this, key, element)
    return typed or in_place(element, bracket.parent, bracket.arg_key)


@node(exp.GetExtract)
def _get(get: exp.GetExtract) -> exp.Expr:
    return in_place(_element(get.this, get.expression), get.parent, get.arg_key)


def _parse(name: str) -> None:
    @function(name.upper())
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        """PARSE_JSON(s [, 'd' or 's']): whether an object may have a key twice."""
        value, *options = arguments
        if not options:
            return sf(name, value)
        (option,) = options
        if not isinstance(option, exp.Literal) or option.name not in ("d", "s"):
            raise unsupported(f"this parameter of {name.upper()}", option)
        return sf(f"{name}_twice_" if option.name == "d" else name, value)


_parse("parse_json")
_parse("try_parse_json")


@node(exp.Array)
def _array(array: exp.Array) -> exp.Expr:
    return _of_elements(array.expressions)


@node(exp.Struct)
def _object(struct: exp.Struct) -> exp.Expr:
    pairs: list[tuple[exp.Expr, exp.Expr]] = []
    if len(struct.expressions) == 1 and struct.expressions[0].is_star:
        return FUNCTIONS["OBJECT_CONSTRUCT"](struct.expressions)
    for item in struct.expressions:
        if not isinstance(item, exp.PropertyEQ):
            raise unsupported("this form of object", struct)
        key = item.this
        if isinstance(key, exp.Identifier):
            key = text(key.this)
        pairs.append((key, item.expression))
    return object_of(pairs)


def object_of(pairs: list[tuple[exp.Expr, exp.Expr]]) -> exp.Expr:
    """An OBJECT of keys and values; a pair with a NULL is left out."""
    if not pairs:
        return cast(text("{}"), exp.DType.JSON)
    entries = [sf("entry_", key, variant(value)) for key, value in pairs]
    return sf("object_of_", duck("list_value", *entries))


@function("ARRAY_CONSTRUCT")
def _array_construct(arguments: list[exp.Expr]) -> exp.Expr:
    return _of_elements(arguments)


def _of_elements(values: list[exp.Expr]) -> exp.Anonymous:
    made = [variant(value) for value in values]
    if all(map(_is_written_out, made)):
        return duck("json_array", *made)
    # DuckDB's json_array rounds the numbers in documents.
    return sf("array_made_", duck("list_value", *(duck("to_json", value) for value in made)))


_PLAIN = (exp.Literal, exp.Null, exp.Boolean)


def _is_written_out(value: exp.Expr) -> bool:
    """Whether a value is a literal, or one behind a sign."""
    return isinstance(value.this if isinstance(value, exp.Neg) else value, _PLAIN)


@function("ARRAY_REPEAT")
def _array_repeat(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("array_repeat_", variant(arguments[0]), arguments[1])


@function("ARRAY_CONSTRUCT_COMPACT")
def _array_construct_compact(arguments: list[exp.Expr]) -> exp.Expr:
    made = [duck("to_json", variant(value)) for value in arguments]
    return sf("array_made_compact_", duck("list_value", *made))


def variant(value: exp.Expr) -> exp.Expr:
    """What a value is inside an ARRAY; JSON's own functions write timestamps otherwise."""
    plain = _is_written_out(value)
    if plain and isinstance(
        bare := value.this if isinstance(value, exp.Neg) else value, exp.Literal
    ):
        if not bare.is_string and "." in bare.this and bare.this.replace(".", "").isdigit():
            bare.set("this", bare.this.rstrip("0").rstrip(".") or "0")
        return value
    made = isinstance(value, exp.Anonymous) and value.this in _MADE
    if plain or made or is_variant(value):
        return value
    if has_offset(value):
        return TO_VARIANT[0](value)
    return sf("to_variant", value)


TO_VARIANT: list[Callable[[exp.Expr], exp.Expr]] = []
"""Makes a VARIANT of a TIMESTAMP_TZ; `types`, which needs this module, puts it here."""


def keys_of(arguments: list[exp.Expr]) -> exp.Expr:
    """The keys of OBJECT_DELETE and OBJECT_PICK: one by one, or as one array."""
    if len(arguments) == 2 and not isinstance(arguments[1], exp.Literal):
        return sf("texts_", sf("to_array", arguments[1]))
    return duck("list_value", *arguments[1:])


@function("OBJECT_INSERT")
def _object_insert(arguments: list[exp.Expr]) -> exp.Expr:
    value, key, *rest = arguments
    return sf("object_insert", value, scalar_text(key), *map(variant, rest[:1]), *rest[1:])


@function("OBJECT_DELETE")
def _object_delete(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("object_delete_", arguments[0], keys_of(arguments))


@function("OBJECT_PICK")
def _object_pick(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("object_pick_", arguments[0], keys_of(arguments))


@function("TYPEOF")
def _typeof(arguments: list[exp.Expr]) -> exp.Expr:
    value = _without_to_variant(arguments[0])
    return _unless_null(value, text("TIMESTAMP_TZ")) if has_offset(value) else sf("typeof", value)


def _unless_null(value: exp.Expr, then: exp.Expr) -> exp.Expr:
    present = exp.Not(this=exp.Is(this=value, expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=present, true=then)])


def _without_to_variant(value: exp.Expr) -> exp.Expr:
    """What was made a VARIANT on the spot still has its SQL type to tell."""
    made = ("_sf.to_variant", "_sf.zoned_variant_")
    if isinstance(value, exp.Anonymous) and value.this in made:
        return value.expressions[0]
    return value


def _of_type(name: str) -> None:
    @function(name.upper())
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        value = _without_to_variant(arguments[0])
        if has_offset(value) and name.startswith("is_"):
            return _unless_null(value, exp.Boolean(this=name == "is_timestamp_tz"))
        return sf(name, value, *arguments[1:])


for _name in (
    *("array", "object", "boolean", "varchar", "char", "integer", "double", "real", "date", "time"),
    *("timestamp_ntz",),
):
    _of_type(f"is_{_name}")
    _of_type(f"as_{_name}")
for _name in (
    *("is_decimal", "is_date_value", "is_binary", "is_timestamp_ltz", "is_timestamp_tz"),
    *("as_binary", "as_timestamp_ltz", "as_timestamp_tz"),
):
    _of_type(_name)


@function("AS_DECIMAL", "AS_NUMBER")
def _as_decimal(arguments: list[exp.Expr]) -> exp.Expr:
    sizes = [int(argument.name) for argument in arguments[1:]]
    precision, scale = (*sizes, 0)[:2] if sizes else (38, 0)
    number = sf("as_number_", _without_to_variant(arguments[0]))
    return cast(number, exp.DType.DECIMAL, precision, scale)


@node(exp.GetIgnoreCase)
def _get_ignore_case(call: exp.GetIgnoreCase) -> exp.Expr:
    made = sf("get_ignore_case_", call.this, call.expression)
    return in_place(made, call.parent, call.arg_key)


@function("ARRAYS_ZIP")
def _arrays_zip(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("zipped_", duck("list_value", *(sf("elements_", array) for array in arguments)))


def show_markup(query: exp.Expr) -> None:
    """Columns of a result that the syntax shows to be XML are its text, an element a line; in place."""
    for output in query.args.get("expressions", ()):
        value = output.this if isinstance(output, exp.Alias) else output
        if isinstance(value, exp.Anonymous) and value.this in XML_CALLS:
            value.replace(duck("pretty_xml_of_", cast(value.copy(), exp.DType.VARCHAR)))
