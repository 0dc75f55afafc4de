"""Text and regular expressions: where DuckDB's function of that name, or sqlglot's, differs."""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of
from proxy.sql.snowflake.registry import (
    FunctionRule,
    cast,
    duck,
    function,
    node,
    number,
    sf,
    text,
    unsupported,
)
from proxy.sql.snowflake.semistructured import scalar_text, unquoted, whole
from proxy.sql.snowflake.stars import is_star, unpacked
from proxy.sql.snowflake.types import as_text


@node(exp.HexString)
def _hexadecimal(value: exp.HexString) -> None:
    if len(value.this) % 2:
        message = f"'{value.this}' is not a legal hex-encoded string"
        raise SqlError("22P02", message, position=position_of(value))


@node(exp.DPipe)
def _concatenation(pipe: exp.DPipe) -> exp.Expr | None:
    """What is no text yet becomes one as a cast makes it: 1.0::FLOAT is '1'. Binaries stay such."""
    left, right = pipe.args["this"], pipe.args["expression"]
    if _is_binary(left) and _is_binary(right):
        return _joined(left, right)
    for key in ("this", "expression"):
        pipe.set(key, as_text(pipe.args[key]))
    return None


@node(exp.Concat)
def _concat(call: exp.Concat) -> exp.Expr | None:
    if all(map(_is_binary, call.expressions)):
        return reduce(_joined, call.expressions)
    call.set("expressions", [as_text(value) for value in call.expressions])
    return None


def _joined(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return sf("joined_bytes_", left, right)


_GIVE_BINARIES = frozenset(
    {
        *("_sf.to_binary", "_sf.hex_decode_binary", "_sf.base64_decode_binary", "unhex"),
        *(
            "_sf.joined_bytes_",
            "_sf.md5_binary",
            "_sf.sha1_binary",
            "_sf.sha2_binary",
            "from_base64",
            "encode",
        ),
    }
)


def _is_binary(value: exp.Expr) -> bool:
    """Whether the syntax shows a BINARY."""
    if isinstance(value, exp.Paren):
        return _is_binary(value.this)
    if isinstance(value, exp.Cast):
        return value.to.this in (exp.DType.BINARY, exp.DType.VARBINARY)
    if isinstance(value, exp.Anonymous):
        return value.this in _GIVE_BINARIES
    return isinstance(value, exp.HexString)


def _number_or_null(value: exp.Expr) -> exp.Expr:
    return cast(value, exp.DType.BIGINT) if isinstance(value, exp.Null) else unquoted(value)


def _text_function(macro: str, *texts: int, places: tuple[int, ...] = ()) -> FunctionRule:
    """A macro; which of its arguments are texts or binaries, and which are places or lengths."""

    def taken(index: int, value: exp.Expr) -> exp.Expr:
        if index in texts:
            return scalar_text(value)
        value = _number_or_null(value)
        return whole(value) if index in places else value

    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        return sf(macro, *(taken(index, value) for index, value in enumerate(arguments)))

    return rule


function("LEFT")(_text_function("left_", 0, places=(1,)))
function("RIGHT")(_text_function("right_", 0, places=(1,)))
function("SUBSTR", "SUBSTRING", "MID")(_text_function("substr_", 0, places=(1, 2)))
function("LPAD")(_text_function("lpad_", 0, 2, places=(1,)))
function("RPAD")(_text_function("rpad_", 0, 2, places=(1,)))
function("REVERSE")(_text_function("reverse_", 0))
function("INSERT")(_text_function("insert_", 0, 3, places=(1, 2)))
function("CONTAINS")(_text_function("contains_", 0, 1))
function("STARTSWITH")(_text_function("startswith_", 0, 1))
function("SPLIT")(_text_function("split", 0, 1))
for _name in (
    *("BASE64_ENCODE", "BASE64_DECODE_STRING", "BASE64_DECODE_BINARY", "BIT_LENGTH"),
    *("TRY_BASE64_DECODE_STRING", "TRY_BASE64_DECODE_BINARY", "HEX_DECODE_STRING"),
    *("HEX_DECODE_BINARY", "TRY_HEX_DECODE_STRING", "TRY_HEX_DECODE_BINARY", "CHECK_JSON"),
    *("MD5_NUMBER", "MD5_NUMBER_LOWER64", "MD5_NUMBER_UPPER64", "SOUNDEX", "SOUNDEX_P123"),
    *("PARSE_IP", "PARSE_URL"),
):
    function(_name)(_text_function(_name.lower(), 0))
function("JAROWINKLER_SIMILARITY")(_text_function("jarowinkler_similarity", 0, 1))
function("HEX_ENCODE")(_text_function("hex_encode", 0))
function("EDITDISTANCE")(_text_function("editdistance", 0, 1))
function("STRTOK_TO_ARRAY")(_text_function("strtok_to_array", 0, 1))


def _of_xml(macro: str) -> FunctionRule:
    """A text, and whether its numbers stay texts; both by place or both by name."""

    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        named = {a.this.name.upper(): a.expression for a in arguments if isinstance(a, exp.Kwarg)}
        if named:
            arguments = [
                named.pop("STR"),
                *(named.pop(name) for name in _XML_OPTIONS & named.keys()),
            ]
            if named:
                raise KeyError(*named)
        subject, *plain = arguments
        return sf(macro, scalar_text(subject), *plain)

    return rule


_XML_OPTIONS = frozenset({"DISABLE_AUTO_CONVERT"})
for _name in ("PARSE_XML", "TRY_PARSE_XML", "CHECK_XML"):
    function(_name)(_of_xml(_name.lower()))
for _name in ("ENCRYPT", "DECRYPT", "TRY_DECRYPT"):
    function(_name)(_text_function(_name.lower(), 1, 2, 3))
function("ENDSWITH")(_text_function("endswith_", 0, 1))


@function("CHARINDEX")
def _charindex(arguments: list[exp.Expr]) -> exp.Expr:
    found, subject, *start = arguments
    place = whole(start[0]) if start else number(1)
    return sf("place_", scalar_text(found), scalar_text(subject), place)


@node(exp.StrPosition)
def _position(call: exp.StrPosition) -> exp.Expr:
    start = whole(call.args.get("position") or number(1))
    return sf("place_", scalar_text(call.args["substr"]), scalar_text(call.this), start)


_SEARCHES = {"OR": "search_any_", "AND": "search_all_", "PHRASE": "search_phrase_"}


@function("SEARCH")
def _search(arguments: list[exp.Expr]) -> exp.Expr:
    positional = [argument for argument in arguments if not isinstance(argument, exp.Kwarg)]
    named = {a.this.name.upper(): a.expression for a in arguments if isinstance(a, exp.Kwarg)}
    if len(positional) > 2 or named.keys() - {"SEARCH_MODE", "ANALYZER"}:
        raise unsupported("this form of SEARCH", arguments[-1])
    analyzer = named["ANALYZER"].name.upper() if "ANALYZER" in named else "DEFAULT_ANALYZER"
    if analyzer not in ("DEFAULT_ANALYZER", "NO_OP_ANALYZER"):
        raise unsupported("this ANALYZER of SEARCH", named["ANALYZER"])
    mode = named["SEARCH_MODE"].name.upper() if "SEARCH_MODE" in named else "OR"
    macro = _SEARCHES.get(mode)
    if macro is None:
        raise unsupported(f"SEARCH_MODE {mode}", named["SEARCH_MODE"])
    data, terms = positional
    if (row := _row_of(data)) is not None:
        if analyzer == "NO_OP_ANALYZER":
            raise unsupported("this ANALYZER of all columns", data)
        return sf(macro, sf("texts_of_row_", row), terms)
    columns = data.expressions if isinstance(data, exp.Tuple) else [data]
    if analyzer == "NO_OP_ANALYZER":
        return exp.In(this=terms, expressions=[scalar_text(column) for column in columns])
    joined: exp.Expr = scalar_text(columns[0])
    if len(columns) > 1:
        joined = duck("concat_ws", text(" "), *map(scalar_text, columns))
    return sf(macro, joined, terms)


def _row_of(data: exp.Expr) -> exp.Expr | None:
    """The columns that `*` or `t.*` means, as a struct; None where SEARCH names its columns."""
    while isinstance(data, exp.Paren) or (
        isinstance(data, exp.Tuple) and len(data.expressions) == 1
    ):
        data = data.this if isinstance(data, exp.Paren) else data.expressions[0]
    return duck("struct_pack", unpacked(data)) if is_star(data) else None


_DIGESTS = {
    "0": "sha256",
    "224": "_sf.sha2_224_",
    "256": "sha256",
    "384": "_sf.sha2_384_",
    "512": "_sf.sha2_512_",
}


def _sha2(arguments: list[exp.Expr]) -> exp.Expr:
    """The digest as hexadecimal. DuckDB has SHA-256; the others are `vectorised` functions."""
    size = arguments[1] if len(arguments) > 1 else number(256)
    if not isinstance(size, exp.Literal):
        raise unsupported("SHA2 of a digest size that is not a literal", size)
    if size.name not in _DIGESTS:
        raise SqlError("22023", f"Invalid digest size {size.name} of SHA2")
    return duck(_DIGESTS[size.name], scalar_text(arguments[0]))


function("SHA2", "SHA2_HEX")(_sha2)


@function("SHA2_BINARY")
def _sha2_binary(arguments: list[exp.Expr]) -> exp.Expr:
    return duck("unhex", _sha2(arguments))


for _name in ("ST_MAKEPOINT", "ST_POINT"):
    function(_name)(lambda arguments: sf("point_", *arguments))


def _refused(name: str, hint: str | None = None) -> None:
    @function(name)
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        raise unsupported(name, arguments[0] if arguments else None, hint)


for _name in (
    "SEARCH_IP",
    "INTERPOLATE_LINEAR",
    *("HLL_EXPORT", "HLL_IMPORT"),
):
    _refused(_name)


for _name in ("BITAND", "BITOR", "BITXOR", "BITNOT", "BITSHIFTLEFT", "BITSHIFTRIGHT"):
    function(_name, f"BIT_{_name[3:]}")(_text_function(f"{_name.lower()}_"))


@function("OCTET_LENGTH")
def _octet_length(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("octet_length_", scalar_text(arguments[0]))


@function("RANDOM")
def _random(arguments: list[exp.Expr]) -> exp.Expr:
    if arguments:
        raise unsupported("RANDOM with a seed", arguments[0])
    return sf("random_")


@node(exp.Initcap)
def _initcap(call: exp.Initcap) -> exp.Expr | None:
    """Of no delimiters, which a column may give, the text is one word."""
    call.set("this", scalar_text(call.this))
    delimiters = call.expression
    if delimiters is not None:
        call.set("expression", delimiters := scalar_text(delimiters))
    if delimiters is None or isinstance(delimiters, exp.Literal):
        return None
    head, tail = (
        duck("left", call.this.copy(), number(1)),
        duck("substr", call.this.copy(), number(2)),
    )
    word = exp.DPipe(this=duck("upper", head), expression=duck("lower", tail))
    empty = exp.EQ(this=delimiters.copy(), expression=text(""))
    call.set(
        "expression", exp.Nullif(this=delimiters, expression=text(""))
    )  # of a constant, read first
    return exp.Case(ifs=[exp.If(this=empty, true=exp.Paren(this=word))], default=call)
