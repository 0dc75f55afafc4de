"""Texts where DuckDB wants numbers, dates or times, as Snowflake reads them.

Why it exists: Snowflake casts a text that is counted with, or that is compared with a value of
another type; DuckDB refuses it when it binds the statement. What it names in its refusal is then cast
and the statement bound again: the arguments of a function, the sides of a comparison, the values of a
COALESCE. A statement that DuckDB takes is never looked at here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql import snowflake
from proxy.sql.reading import DUCKDB, write_duckdb

TOO_MANY_FORMS = "has multiple overloads that match the supplied arguments"
"""What DuckDB says of a macro of several forms over what it cannot bind."""
_NO_FUNCTION = "No function matches the given name and argument types '"
_NO_CHOICE = 'Could not choose a best candidate function for the function call "'
_BETWEEN_TYPES = (
    "Cannot compare values of type ",
    "Cannot mix values of type ",
    "Cannot combine types of ",
)
_TEXT = frozenset({"VARCHAR", "JSON"})
_DATED = {"DATE": "dated_", "TIME": "timed_", "TIMESTAMP": "stamped_"}
_DATED |= {"TIMESTAMP WITH TIME ZONE": "stamped_with_zone_"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_OPERATORS: dict[str, tuple[type[exp.Expr], ...]] = {
    "+": (exp.Add,),
    "-": (exp.Sub, exp.Neg),
    "*": (exp.Mul,),
    "/": (exp.Div,),
    "%": (exp.Mod,),
}


@lru_cache(maxsize=256)
def with_values(sql: str, complaint: str) -> str | None:
    """DuckDB's SQL with the texts cast that it complains of; None where there are none to cast.

    complaint: what DuckDB said, in its own words. On the loop's thread.
    """
    read = _called(complaint) or _mixed(complaint)
    if read is None:
        return None
    try:
        tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
    except SqlError:
        return None
    if isinstance(tree, exp.Command) or not (read(tree) or _within_macros(tree)):
        return None
    return write_duckdb(snowflake.bound_late(tree))


@lru_cache(maxsize=256)
def bound_late(sql: str) -> str | None:
    """DuckDB's SQL with its calls of macros of several forms bound after their arguments.

    None where that was done before. DuckDB finds every form fitting a column that is not there: it then
    says which one that is. On the loop's thread.
    """
    if snowflake.LATE in sql:
        return None
    try:
        tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
    except SqlError:
        return None
    if isinstance(tree, exp.Command):
        return None
    for call in list(tree.find_all(exp.Dot)):
        name, called = call.this, call.expression
        if isinstance(name, exp.Identifier) and isinstance(called, exp.Anonymous):
            call.replace(
                exp.Anonymous(
                    this=f"{name.name.lower()}.{called.name.lower()}",
                    expressions=called.expressions,
                )
            )
    made = write_duckdb(snowflake.bound_late(tree, every=True))
    return made if snowflake.LATE in made else None


_Edit = Callable[[exp.Expr], bool]

_DAYS = {"+": "sum_", "-": "difference_"}
_WHOLE = frozenset({"BIGINT", "HUGEINT", "UBIGINT"})


def _counting_days(tree: exp.Expr) -> bool:
    """`date + (days + 1)`: DuckDB adds 32 bits alone to a DATE."""
    changed = False
    for node in list(tree.find_all(exp.Add, exp.Sub)):
        sides = node.this, node.expression
        if not any(isinstance(side, exp.Literal | exp.Interval) for side in sides):
            name = _DAYS["+" if isinstance(node, exp.Add) else "-"]
            node.replace(exp.Anonymous(this=f"_sf.{name}", expressions=list(sides)))
            changed = True
    return changed


def _between_dates(tree: exp.Expr) -> bool:
    """`date - '2024-01-01'`: the days between two dates."""
    changed = False
    for operation in tree.find_all(exp.Sub):
        for side in (operation.this, operation.expression):
            if isinstance(side, exp.Literal) and side.is_string:
                changed |= _put(side, "dated_", literal=True)
    return changed


def _called(complaint: str) -> _Edit | None:
    """`No function matches ... 'corr(BIGINT, VARCHAR)'`."""
    _, found, signature = complaint.partition(_NO_FUNCTION)
    texts = _TEXT
    if not found:  # of a literal it knows less
        _, found, signature = complaint.partition(_NO_CHOICE)
        texts = _TEXT | {"STRING_LITERAL"}
    name, opened, rest = signature.partition("(")
    if not found or not opened:
        return None
    kinds = _split(rest.partition(")'")[0] if texts is _TEXT else rest.partition(')"')[0])
    if name == "-" and "DATE" in kinds and "STRING_LITERAL" in kinds:
        return _between_dates
    if name in _DAYS and "DATE" in kinds and not _WHOLE.isdisjoint(kinds):
        return _counting_days
    if (wanted := _OF_TEXTS.get(name)) is not None:
        return _spelled(name, wanted, kinds)
    places = [place for place, kind in enumerate(kinds) if kind in texts]
    if not places:
        return None

    def edit(tree: exp.Expr) -> bool:
        changed = False
        if (types := _OPERATORS.get(name)) is not None:
            for operation in tree.find_all(*types):
                sides = [operation.this, operation.args.get("expression")]
                for place in places:
                    side = sides[place] if len(sides) > place else None
                    changed |= side is not None and _put(side, "number_")
            return changed
        for call in tree.find_all(exp.Func):
            given = _arguments(call, name)
            if given is not None and len(given) == len(kinds):
                for place in places:
                    changed |= _put(given[place], "number_", literal=texts is not _TEXT)
        return changed

    return edit


_OF_TEXTS: dict[str, str] = {
    **dict.fromkeys(("upper", "lower", "reverse", "length", "strlen", "ascii", "unicode"), "t"),
    **dict.fromkeys(("md5", "sha1", "sha256", "encode"), "t"),
    **dict.fromkeys(("trim", "ltrim", "rtrim", "contains", "starts_with", "ends_with"), "tt"),
    **dict.fromkeys(("strpos", "instr", "levenshtein", "suffix", "prefix"), "tt"),
    **dict.fromkeys(("left", "right", "repeat"), "tn"),
    **dict.fromkeys(("substr", "substring"), "tnn"),
    **dict.fromkeys(("lpad", "rpad"), "tnt"),
    **dict.fromkeys(("replace", "translate"), "ttt"),
    **dict.fromkeys(("regexp_matches", "regexp_full_match"), "ttt"),
    "regexp_replace": "tttt",
    "regexp_extract": "ttnt",
    "split_part": "ttn",
}
"""DuckDB's functions of texts -> what each argument is: a text, or a whole number."""
_NO_TEXTS = ("DATE", "TIME", "DECIMAL", "BOOLEAN", "DOUBLE", "FLOAT")
_FRACTIONS = ("DECIMAL", "DOUBLE", "FLOAT")


def _spelled(name: str, wanted: str, kinds: list[str]) -> _Edit | None:
    """`upper(date)`, `repeat(text, 2.7)`: what is no text is written as one, a fraction rounded."""
    texts = [
        place
        for place, (want, kind) in enumerate(zip(wanted, kinds, strict=False))
        if want == "t" and (kind.startswith(_NO_TEXTS) or kind.endswith("INT") or kind == "INTEGER")
    ]
    numbers = [
        place
        for place, (want, kind) in enumerate(zip(wanted, kinds, strict=False))
        if want == "n" and kind.startswith(_FRACTIONS)
    ]
    if not texts and not numbers:
        return None

    def edit(tree: exp.Expr) -> bool:
        changed = False
        for call in list(tree.find_all(exp.Func)):
            given = _arguments(call, name)
            if given is None or len(given) != len(kinds):
                continue
            for place in texts:
                value = given[place]
                changed |= _write_out(value)
            for place in numbers:
                if not isinstance(given[place], exp.Cast):
                    given[place].replace(exp.cast(given[place].copy(), exp.DType.BIGINT))
                    changed = True
        return changed or _within_text_macros(tree)

    return edit


def _write_out(value: exp.Expr) -> bool:
    """Puts what writes a value as its text around it; False where it is a text."""
    if isinstance(value, (*_PLAIN, exp.Cast)) or f"_sf.{_WRITTEN}(" in value.sql().lower():
        return False
    if isinstance(value, exp.Literal) and value.is_string:
        return False
    value.replace(exp.Anonymous(this=f"_sf.{_WRITTEN}", expressions=[value.copy()]))
    return True


_WRITTEN = "text_"
_OVER_TEXTS = frozenset(
    {
        *("substr_", "left_", "right_", "insert_", "lpad_", "rpad_", "initcap_", "split_part_"),
        *("charindex_", "strtok_", "strtok", "position_", "regexp_substr_", "regexp_replace_"),
        *("regexp_count_", "regexp_instr_", "regexp_like_", "contains_", "split_", "repeat_"),
    }
)
"""Macros whose first argument is a text: what they call is not in the statement, only they are."""


def _within_text_macros(tree: exp.Expr) -> bool:
    changed = False
    for path in list(tree.find_all(exp.Dot)):
        call = path.expression
        if path.this.name.lower() != "_sf" or not isinstance(call, exp.Anonymous):
            continue
        if str(call.this).lower() in _OVER_TEXTS and call.expressions:
            changed |= _write_out(call.expressions[0])
    return changed


def _arguments(call: exp.Func, name: str) -> list[exp.Expr] | None:
    """The arguments of a call of a function of DuckDB's of that name, None of another."""
    if isinstance(call, exp.Anonymous):
        return call.expressions if str(call.this).lower() == name else None
    spelled = write_duckdb(call.copy()).partition("(")[0].strip().lower()
    if spelled != name:
        return None
    held = [one for value in call.args.values() for one in _listed(value)]
    return [one.this if isinstance(one, exp.Distinct) else one for one in held]


def _listed(value: object) -> list[exp.Expr]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, exp.Expr)]


def _split(signature: str) -> list[str]:
    """The types of a signature: `DECIMAL(10,2), VARCHAR`."""
    kinds = [""]
    depth = 0
    for letter in signature:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            kinds.append("")
        else:
            kinds[-1] += letter
    return [kind.strip() for kind in kinds]


_COUNTING = frozenset(
    {
        *("div_", "div0_", "div0null_", "mod_", "product_", "zeroifnull", "nullifzero", "finer_"),
        *("bitand_", "bitor_", "bitxor_", "bitnot_", "bitshiftleft_", "bitshiftright_", "getbit"),
        *("square", "cot", "haversine", "width_bucket"),
    }
)
"""Macros that take numbers alone: what they call is not in the statement, only they are."""


def _within_macros(tree: exp.Expr) -> bool:
    changed = False
    for path in tree.find_all(exp.Dot):
        call = path.expression
        if path.this.name.lower() != "_sf" or not isinstance(call, exp.Anonymous):
            continue
        if str(call.this).lower() in _COUNTING:
            for value in call.expressions:
                changed |= _put(value, "number_")
    return changed


def _mixed(complaint: str) -> _Edit | None:
    """`Cannot compare values of type VARCHAR and type DATE`, and its kin."""
    words = next((words for words in _BETWEEN_TYPES if words in complaint), None)
    if words is None:
        return None
    said = complaint.partition(words)[2].partition(" - ")[0]
    first, _, rest = said.partition(" and ")
    second, _, clause = rest.removeprefix("type ").partition(" in ")
    kinds = {first, second}
    if len(kinds & _TEXT) != 1:
        return None
    [other] = kinds - _TEXT
    macro = _DATED.get(other, "number_")
    for word, edit in _CLAUSES.items():
        if clause.startswith(word):
            return lambda tree: edit(tree, macro)
    return _compared if words == _BETWEEN_TYPES[0] else _extremes


def _compared(tree: exp.Expr) -> bool:
    changed = False
    for node in tree.find_all(*_COMPARISONS):
        left, right = node.this, node.expression
        if isinstance(node.parent, (exp.Update, exp.OnConflict)) or _settled(left, right):
            continue
        node.set("this", _beside(left, right))
        node.set("expression", _beside(right, left))
        changed = True
    return changed


def _settled(left: exp.Expr, right: exp.Expr) -> bool:
    """Whether neither side can be a text beside something else: the sides are cast already."""
    return any(
        isinstance(side, exp.Query)
        or _is_macro(side, "as_its_kind_")
        or isinstance(side, exp.Tuple)
        for side in (left, right)
    )


def _between(tree: exp.Expr, macro: str) -> bool:
    changed = False
    for node in tree.find_all(exp.Between):
        this, low, high = node.this, node.args["low"], node.args["high"]
        if not _settled(this, low):
            node.set("this", _beside(this, low))
            node.set("low", _beside(low, this))
            node.set("high", _beside(high, this))
            changed = True
    return changed


def _among(tree: exp.Expr, macro: str) -> bool:
    """`text IN (SELECT number ...)`, and the other way round.

    Which one of several DuckDB complains of it does not say, and a text is no number elsewhere: there,
    each side is put beside the other.
    """
    found = []
    for node in tree.find_all(exp.In):
        query = node.args.get("query")
        query = query.this if isinstance(query, exp.Subquery) else query
        if isinstance(query, exp.Select) and len(query.expressions) == 1:
            found.append((node.this, query))
    changed = False
    for this, query in found:
        one = query.expressions[0].unalias()
        if len(found) == 1:
            changed |= _put(this, macro)
            changed |= _put(one, macro)
            continue
        seen = _as_seen_within(this, query)
        if seen is None or _settled(this, one):
            continue
        of_its_type = exp.Subquery(this=query.copy().limit(0))
        one.replace(_beside(one, seen))
        this.replace(_beside(this, of_its_type))
        changed = True
    return changed


def _as_seen_within(value: exp.Expr, query: exp.Select) -> exp.Expr | None:
    """A column of the query around another one, or a literal, in words that mean the same in that one."""
    if isinstance(value, exp.Literal):
        return value
    around = value.find_ancestor(exp.Select)
    sources = _sources(around) if around is not None else []
    if not isinstance(value, exp.Column) or not (value.table or len(sources) == 1):
        return None
    table = value.table or sources[0]
    if not table or table.lower() in map(str.lower, _sources(query)):
        return None
    return exp.column(value.this.copy(), table=table)


def _sources(query: exp.Select) -> list[str]:
    joined = [join.this for join in query.args.get("joins") or ()]
    first = query.args.get("from_")
    return [one.alias_or_name for one in ([first.this] if first else []) + joined]


def _coalesced(tree: exp.Expr, macro: str) -> bool:
    return _each_choice(tree, exp.Coalesce)


def _extremes(tree: exp.Expr) -> bool:
    return _each_choice(tree, exp.Greatest, exp.Least)


def _chosen(tree: exp.Expr, macro: str) -> bool:
    return _each_choice(tree, exp.Case)


def _each_choice(tree: exp.Expr, *kinds: type[exp.Expr]) -> bool:
    """Every choice of these kinds, those within others first."""
    changed = False
    for node in reversed(list(tree.find_all(*kinds))):
        changed |= _chosen_of(_choices(node))
    return changed


def _choices(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Case):
        values = [
            *(branch.args.get("true") for branch in node.args["ifs"]),
            node.args.get("default"),
        ]
        return [value for value in values if value is not None]
    return [node.this, *node.expressions]


def _chosen_of(values: list[exp.Expr]) -> bool:
    """Puts each value beside each other one, one of which it is to be: texts beside texts stay.

    The complaint may be of another choice of the same statement, whose types are not these.
    """
    changed = False
    kinds = [value for value in values if not _tells_no_type(value)]
    copies = [value.copy() for value in kinds]
    for value in kinds:
        if isinstance(value, (exp.Literal, *_PLAIN)) or _is_macro(value, "as_its_kind_"):
            continue
        made = value.copy()
        for kind, other in zip(kinds, copies, strict=True):
            if kind is not value:
                made = exp.Anonymous(this="_sf.as_its_kind_", expressions=[made, other.copy()])
                changed = True
        value.replace(made)
    return changed


def _tells_no_type(value: exp.Expr) -> bool:
    if isinstance(value, exp.Anonymous):
        return str(value.this).lower() == "error"
    return isinstance(value, exp.Null) or (isinstance(value, exp.Literal) and value.is_string)


_CLAUSES: dict[str, Callable[[exp.Expr, str], bool]] = {
    "BETWEEN": _between,
    "IN/ANY/ALL": _among,
    "COALESCE": _coalesced,
    "CASE": _chosen,
}


def _is_macro(value: exp.Expr, name: str) -> bool:
    return isinstance(value, exp.Dot) and value.sql().lower().startswith(f"_sf.{name}(")


_PLAIN = (exp.Null, exp.Boolean, exp.Query, exp.Star, exp.Interval)


def _put(value: exp.Expr, macro: str, *, literal: bool = False) -> bool:
    """Puts a macro that casts texts, and leaves all else, around a value; False where one is.

    literal: a text that is written there is one.
    """
    if literal and isinstance(value, exp.Literal) and value.is_string:
        given: exp.Expr = exp.cast(value.copy(), exp.DType.VARCHAR)
    elif isinstance(value, (exp.Literal, *_PLAIN)) or _is_macro(value, macro):
        return False
    else:
        given = value.copy()
    value.replace(exp.Anonymous(this=f"_sf.{macro}", expressions=[given]))
    return True


def _beside(value: exp.Expr, other: exp.Expr) -> exp.Expr:
    if isinstance(value, _PLAIN) or (isinstance(value, exp.Literal) and not value.is_string):
        return value
    return exp.Anonymous(this="_sf.as_its_kind_", expressions=[value.copy(), other.copy()])
