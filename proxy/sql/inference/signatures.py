"""What Postgres's operators and functions take and give: the facts that parameter types follow from.

Why it exists: DuckDB types an expression as it likes, and a client expects the types that Postgres
would infer. The rules are those of Postgres's parser (`parse_oper.c`, `parse_func.c`,
`select_common_type`), as tables, for as much of its operators and functions as leaves a parameter
no choice. Pure: nothing of trees or engines in here.

A type is its name in pg_type (`int4`, `_text`). UNKNOWN is what a string literal, NULL or a parameter
has before anything decides; None is a type that is not known here, from which nothing follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from proxy.wire.types import BY_NAME, BY_OID

Type = str | None

UNKNOWN = "unknown"

INTEGERS = ("int2", "int4", "int8")
_NUMBERS = (*INTEGERS, "numeric", "float4", "float8")
# Each widens to those behind it, without a cast.
_WIDENING: tuple[tuple[str, ...], ...] = (
    _NUMBERS,
    ("date", "timestamp", "timestamptz"),
    ("time", "timetz"),
    ("varchar", "text"),
    ("json", "jsonb"),
)
_RANK: dict[str, tuple[int, int]] = {
    name: (family, rank)
    for family, names in enumerate(_WIDENING)
    for rank, name in enumerate(names)
}


class EnumType(str):
    """The type of an enum, or of an array of it; on the wire a text. values: in order."""

    values: tuple[str, ...]

    def __new__(cls, values: tuple[str, ...], name: str = "text") -> EnumType:
        made = super().__new__(cls, name)
        made.values = values
        return made


def array_of(kind: Type) -> Type:
    """The type of an array of `kind`; Postgres's arrays have any number of dimensions."""
    if kind is None or kind.startswith("_"):
        return kind
    if isinstance(kind, EnumType):
        return EnumType(kind.values, "_text")
    return "_" + kind if "_" + kind in BY_NAME else None


def element_of(kind: Type) -> Type:
    """The type of an array's elements, None for what is no array."""
    if kind is None or not kind.startswith("_"):
        return None
    return EnumType(kind.values) if isinstance(kind, EnumType) else kind.removeprefix("_")


def name_of(oid: int) -> Type:
    found = BY_OID.get(oid)
    return found.name if found is not None else None


def common(kinds: Iterable[Type]) -> Type:
    """The one type of siblings (UNION, CASE, COALESCE, VALUES, IN): text if none of them has any.

    None where one of them is not known here, or where they have nothing in common.
    """
    chosen: Type = UNKNOWN
    for kind in kinds:
        if kind is None:
            return None
        if kind in (UNKNOWN, chosen):
            if isinstance(kind, EnumType):
                chosen = kind  # to which a parameter beside it, so far a text, is cast
            continue
        if chosen == UNKNOWN:
            chosen = kind
            continue
        one, other = _RANK.get(chosen), _RANK.get(kind)
        if one is None or other is None or one[0] != other[0]:
            return None
        if other > one:
            chosen = kind
    return "text" if chosen == UNKNOWN else chosen


# --- operators -----------------------------------------------------------------------------------

_ARITHMETIC = frozenset((*_NUMBERS, "interval", "date", "time", "timestamp", "timestamptz"))
_JOINED = frozenset(("bytea", "json", "jsonb", "bit", "varbit"))

# (operator, the side that is known) -> what the unknown side is. It is of the same type where
# nothing else is said: that is Postgres's first guess, and it holds if there is such an operator.
_OTHER_SIDE: dict[tuple[str, str], str] = {
    ("+", "timestamp"): "interval",
    ("+", "timestamptz"): "interval",
    ("+", "time"): "interval",
    (
        "+",
        "date",
    ): "int4",  # Postgres leaves the choice open; a number of days is what both engines add
    ("*", "interval"): "float8",
    ("/", "interval"): "float8",
    **{("^", kind): "float8" for kind in (*INTEGERS, "float4")},
    **{(shift, kind): "int4" for shift in ("<<", ">>") for kind in INTEGERS},
}

# Results of what is not a number with a number.
_RESULTS: dict[tuple[str, str, str], str] = {
    ("-", "date", "date"): "int4",
    ("-", "time", "time"): "interval",
    ("-", "timestamp", "timestamp"): "interval",
    ("-", "timestamptz", "timestamptz"): "interval",
    ("+", "date", "time"): "timestamp",
    ("+", "interval", "interval"): "interval",
    ("-", "interval", "interval"): "interval",
    **{(op, "date", kind): "date" for op in "+-" for kind in INTEGERS},
    **{("+", kind, "date"): "date" for kind in INTEGERS},
    **{
        (op, kind, "interval"): "timestamp" if kind == "date" else kind
        for op in "+-"
        for kind in ("date", "time", "timestamp", "timestamptz")
    },
    **{
        ("+", "interval", kind): "timestamp" if kind == "date" else kind
        for kind in ("date", "time", "timestamp", "timestamptz")
    },
    **{
        (op, span, kind): "interval"
        for op in "*/"
        for span in ("interval", "time")
        for kind in _NUMBERS
    },
    **{("*", kind, span): "interval" for span in ("interval", "time") for kind in _NUMBERS},
    **{
        (op, kind, "time"): "timestamp" if kind == "date" else kind
        for op in "+-"
        for kind in ("date", "timestamp", "timestamptz")
    },
    **{("+", "time", kind): kind for kind in ("timestamp", "timestamptz")},
    ("+", "time", "date"): "timestamp",
}


def _is_enum(kind: Type) -> bool:
    return isinstance(kind, EnumType)


def compared(left: Type, right: Type) -> tuple[Type, Type]:
    """What the sides of a comparison become; text if neither has a type, or one cannot be compared."""
    if left is None or right is None:
        return left, right
    if left == right and (enum := next(filter(_is_enum, (left, right)), None)):
        return enum, enum
    if left == UNKNOWN:
        left = _BESIDE.get(right, right)
    return left, _BESIDE.get(left, left) if right == UNKNOWN else right


_BESIDE = {UNKNOWN: "text", "json": "text"}
"""What a value without a type is beside one of these, where it is not of the same type."""


def calculated(operator: str, left: Type, right: Type) -> tuple[Type, Type, Type]:
    """What the sides of `+ - * / % ^ & | # << >> ||` become, and the type of the result.

    UNKNOWN stays where Postgres would find no operator, or several.
    """
    if left is None or right is None:
        return left, right, None
    if left == right == UNKNOWN:
        return ("text", "text", "text") if operator == "||" else (left, right, None)
    if UNKNOWN in (left, right):
        known = right if left == UNKNOWN else left
        other = _opposite(operator, known)
        left, right = (other, right) if left == UNKNOWN else (left, other)
    return left, right, _result(operator, left, right)


def _opposite(operator: str, known: str) -> str:
    if (operator, known) == ("-", "jsonb"):
        return "text"
    if operator == "||":
        return known if known in _JOINED or element_of(known) else "text"
    if known not in _ARITHMETIC:
        return UNKNOWN
    return _OTHER_SIDE.get((operator, known), known)


def _result(operator: str, left: str, right: str) -> Type:
    if operator == "-" and left == "jsonb":
        return "jsonb"
    if operator == "||":
        if "jsonb" in (left, right) and left != right:
            return "text"
        kept = next((kind for kind in (left, right) if kind in _JOINED or element_of(kind)), None)
        return kept or "text"
    if left in _NUMBERS and right in _NUMBERS:
        if operator in ("<<", ">>"):
            return left
        wide = common((left, right))
        if wide == "float4" and left != right:
            wide = "float8"  # there is no operator for a float4 and another type
        return "float8" if operator == "^" and wide != "numeric" else wide
    return _RESULTS.get((operator, left, right))


# --- functions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signature:
    """arguments: what a parameter in that place becomes, None where that is left open.

    result: a type; or `=`, that of the argument `of`; or the name of a row of `_RESULT_OF`.
    """

    arguments: tuple[Type, ...]
    repeated: bool
    result: str
    of: int = 0

    def expected(self) -> Iterator[Type]:
        """The type for each argument, without end."""
        last = self.arguments[-1] if self.repeated else None
        return chain(self.arguments, repeat(last))

    def result_for(self, arguments: Sequence[Type]) -> Type:
        kind = arguments[self.of] if len(arguments) > self.of else None
        if self.result == "=":
            return kind if kind != UNKNOWN else None
        if self.result in _RESULT_OF:
            return _RESULT_OF[self.result].get(kind or "")
        return self.result


_RESULT_OF: dict[str, dict[str, str]] = {
    "sum": {
        **dict.fromkeys(("int2", "int4"), "int8"),
        **dict.fromkeys(("int8", "numeric"), "numeric"),
        **{kind: kind for kind in ("float4", "float8", "interval")},
        "time": "interval",
    },
    "avg": {
        **dict.fromkeys((*INTEGERS, "numeric"), "numeric"),
        **dict.fromkeys(("float4", "float8"), "float8"),
        **dict.fromkeys(("interval", "time"), "interval"),
    },
    "rounded": {
        **dict.fromkeys((*INTEGERS, "float4", "float8"), "float8"),
        "numeric": "numeric",
    },
    "trunc": {kind: kind for kind in ("timestamp", "timestamptz", "interval")},
    "pg_trunc": {"timestamp": "timestamp", "interval": "interval"}
    | dict.fromkeys(("date", "timestamptz"), "timestamptz"),
    "in_zone": {
        "timestamp": "timestamptz",
        **dict.fromkeys(("timestamptz", "date"), "timestamp"),
        "timetz": "timetz",
    },
    "array": {name: "_" + name for name in BY_NAME if "_" + name in BY_NAME},
}

# By the parser's name of the node or, for a function that it does not know, by the function's own,
# with the number of arguments where that matters; arguments in the order of the node. `_` leaves a
# place open, `*` repeats the last. `= 2` is the type of the second argument.
_FUNCTIONS = """
upper lower reverse md5 initcap trim btrim unaccent: text * -> text
substring: text int4 int4 -> text
left right: text int4 -> text
pad: text int4 text -> text
repeat: text int4 -> text
replace translate: text * -> text
splitpart split_part: text text int4 -> text
regexpreplace regexp_replace: text text text text -> text
regexpextract: text text int4 -> text
regexplike regexpilike regexp_matches: text * -> bool
startswith endswith: text text -> bool
strposition bitlength: text text -> int4
length octet_length bit_length ascii unicode levenshtein: text text -> int4
typeof: text -> text
chr: int4 -> text
concat concatws format printf: _ -> text
groupconcat: text text -> text
split regexpsplit: text text -> _text
arraytostring: _ text text -> text
abs: float8 -> =
round/2 trunc/2: numeric int4 -> =
round trunc: float8 -> rounded
ceil ceiling floor sign: float8 -> rounded
pg_whole_quotient_: numeric numeric -> numeric
gcd lcm: int4 int4 -> =
bitcount bit_count: _ -> int8
sqrt cbrt exp ln log radians degrees sin cos tan asin acos atan: float8 -> float8
random rand pi: -> float8
sum: _ -> sum
avg: _ -> avg
count countif approxdistinct rownumber rank denserank: _ -> int8
ntile: int4 -> int4
percentrank cumedist: -> float8
min max: text -> =
anyvalue first last firstvalue lastvalue mode: _ -> =
lag lead: _ int4 -> =
nthvalue: _ int4 -> =
arrayagg: _ -> array
logicaland logicalor: bool -> bool
arraysize cardinality: _ int4 -> int4
timestamptrunc datetrunc: _ -> trunc
timetostr: _ text -> text
strtotime: text text -> timestamp
unixtotime: float8 -> timestamptz
extract: _ -> numeric
date_part pg_date_part_ pg_epoch_date_part_: _ -> float8
pg_long_part_: _ -> int8
pg_part_: _ -> =
pg_average_: _ _ -> numeric
regexpcount regexp_count regexpinstr regexp_instr: text text -> int4
json_array_length jsonarraylength array_length array_position array_upper array_lower: _ _ -> int4
grouping: _ -> int4
bitwiseandagg bitwiseoragg bitwisexoragg bit_and bit_or bit_xor: _ -> =
now currenttimestamp: -> timestamptz
currentdate today: -> date
localtimestamp currentdatetime: -> timestamp
currenttime: -> timetz
currentuser currentschema currentcatalog currentdatabase version: -> text
uuid gen_random_uuid: -> uuid
jsonextract json_extract variant_path_: _ text -> json
variant_text_: _ text -> text
json_member_: _ text -> =
pg_finite_moment_: _ text -> =
json_member_text_: _ text -> text
json_path_: _ _text -> =
json_path_text_: _ _text -> text
jsonb_set_ jsonb_insert_: jsonb _text jsonb bool -> jsonb
jsonb_delete_path_: jsonb _text -> jsonb
jsonb_strip_nulls_: jsonb -> jsonb
jsonb_pretty_: jsonb -> text
pg_json_of_ pg_json_read_: _ -> json
pg_sign_: float8 -> rounded
pg_octet_length_ pg_array_ndims_ pg_scale_ pg_min_scale_: _ -> int4
pg_overlay_: text text int4 int4 -> text
pg_justify_hours_ pg_justify_days_ pg_justify_interval_: interval -> interval
pg_span_: time -> interval
pg_interval_text_: interval text -> text
pg_make_interval_: int4 int4 int4 int4 int4 int4 float8 -> interval
pg_array_replace_ pg_trim_array_: _ -> =
pg_array_dims_: _ -> text
pg_array_to_string_: _ text -> text
pg_flat_: _ -> =
pg_char_number_: _ text -> text
pg_at_offset_: _ interval -> in_zone
pg_moved_: timestamptz interval -> timestamptz
pg_split_part_: text text int4 -> text
pg_lpad_ pg_rpad_: text int4 text -> text
pg_truth_: _ -> =
pg_date_bin_: interval _ timestamptz -> = 2
pg_interval_of_: _ _ _ -> interval
jsonextractscalar json_extract_string: _ text -> text
pg_text_ pg_joined_ pg_printed_ to_varchar_: text -> text
pg_substring_: text int4 int4 -> text
pg_string_to_array_: text text -> _text
pg_round_: float8 -> rounded
pg_numeric_ pg_seconds_ pg_milliseconds_: _ -> numeric
pg_bytea_: bytea -> bytea
pg_whole_ pg_float_ pg_real_ pg_json_value_: _ -> =
pg_finite_: float8 bool -> float8
pg_date_ pg_timestamp_ pg_timestamptz_ pg_time_: _ -> =
sum_ difference_: _ _ -> =
pg_date_trunc_: _ _ -> pg_trunc 2
date_trunc_: _ _ -> = 2
to_int_: _ -> int8
to_date_: _ -> date
to_timestamp_: _ -> timestamp
to_timestamptz_: _ -> timestamptz
to_boolean: _ -> bool
text_: text -> text
number_: _ -> =
left_ right_: text int8 -> =
substr_: text int8 int8 -> =
lpad_ rpad_: text int8 text -> =
reverse_: text -> =
insert_: text int8 int8 text -> =
place_: text text int8 -> int8
contains_ startswith_ endswith_: text text -> bool
sha2_224_ sha2_384_ sha2_512_: text -> text
to_variant: text -> json
to_binary try_to_binary: text text -> bytea
try_to_int_: text -> int8
try_to_boolean: text -> bool
"""


def _read_table(table: str) -> Iterator[tuple[str, Signature]]:
    for line in table.strip().splitlines():
        names, _, rest = line.partition(":")
        arguments, _, result = (part.strip() for part in rest.partition("->"))
        words = arguments.split()
        result, _, of = result.partition(" ")
        signature = Signature(
            tuple(None if word == "_" else word for word in words if word != "*"),
            "*" in words,
            result,
            int(of) - 1 if of else 0,
        )
        for name in names.split():
            yield name, signature


FUNCTIONS: dict[str, Signature] = dict(_read_table(_FUNCTIONS))


def signature(name: str, arguments: int) -> Signature | None:
    """Of a function, by its name in lower case and the number of its arguments."""
    return FUNCTIONS.get(f"{name}/{arguments}") or FUNCTIONS.get(name)
