"""REGEXP_ functions with all their arguments.

Both sides match with RE2, so a pattern means the same; what DuckDB's functions lack (a position, an
occurrence, the place of a group) is made of lists of matches in `macros/regex.sql`. Parameters
become flags in front of the pattern. They must be literals, as must a pattern whose groups count.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.snowflake.registry import cast, duck, function, number, sf, text, unsupported
from proxy.sql.snowflake.semistructured import scalar_text

_FLAGS = frozenset("cimse")


def _argument(arguments: list[exp.Expr], index: int, default: int) -> exp.Expr:
    if len(arguments) <= index:
        return number(default)
    given = arguments[index]
    return given if isinstance(given, exp.Literal) else cast(given, exp.DType.BIGINT)


def _parameters(arguments: list[exp.Expr], index: int) -> str:
    if len(arguments) <= index:
        return ""
    given = arguments[index]
    if not isinstance(given, exp.Literal) or not given.is_string:
        raise unsupported("a regular expression's parameters that are not a literal", given)
    unknown = set(given.this) - _FLAGS
    if unknown:
        raise SqlError("22023", f"Invalid regular expression parameter '{min(unknown)}'")
    return given.this


def _flagged(pattern: exp.Expr, parameters: str) -> exp.Expr:
    letters = {letter for letter in parameters if letter in "ms"}
    if parameters.rfind("i") > parameters.rfind("c"):
        letters.add("i")
    if not letters:
        return pattern
    flags = f"(?{''.join(sorted(letters))})"
    if isinstance(pattern, exp.Literal):
        return text(flags + pattern.this)
    return exp.Paren(this=exp.DPipe(this=text(flags), expression=pattern))


def _groups(pattern: str) -> list[tuple[int, int, int]]:
    """(start, end, depth) of each capturing group of a pattern, in the order of their numbers."""
    found: list[list[int]] = []
    open_: list[int | None] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\":
            at += 2
            continue
        if letter == "[":
            at = _after_class(pattern, at)
            continue
        if letter == "(":
            plain = pattern[at + 1 : at + 2] != "?" or pattern.startswith("?P<", at + 1)
            if plain:
                found.append([at, at, len(open_)])
            open_.append(len(found) - 1 if plain else None)
        elif letter == ")" and open_:
            group = open_.pop()
            if group is not None:
                found[group][1] = at + 1
        at += 1
    return [(start, end, depth) for start, end, depth in found]


def _after_class(pattern: str, at: int) -> int:
    """The index behind a bracket expression that begins at `at`."""
    at += 1
    if pattern.startswith("^", at):
        at += 1
    if pattern.startswith("]", at):
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        if pattern.startswith("[:", at):
            at = pattern.find(":]", at) + 1
        elif pattern[at] == "\\":
            at += 1
        at += 1
    return at + 1


def _group(arguments: list[exp.Expr], parameters: str, index: int) -> int:
    """The number of the group that is asked for; 0 is the whole match."""
    if len(arguments) > index:
        given = arguments[index]
        if not isinstance(given, exp.Literal) or not given.this.isdigit():
            raise unsupported("a group number that is not a literal", given)
        return int(given.this)
    if "e" not in parameters:
        return 0
    pattern = arguments[1]
    if isinstance(pattern, exp.Literal) and not _groups(pattern.this):
        return 0
    return 1


def _texts(arguments: list[exp.Expr]) -> list[exp.Expr]:
    return [scalar_text(argument) for argument in arguments]


@function("REGEXP_LIKE", "RLIKE", "REGEXP")
def _like(arguments: list[exp.Expr]) -> exp.Expr:
    subject, pattern = _texts(arguments[:2])
    return duck("regexp_full_match", subject, _flagged(pattern, _parameters(arguments, 2)))


@function("REGEXP_COUNT")
def _count(arguments: list[exp.Expr]) -> exp.Expr:
    subject, pattern = _texts(arguments[:2])
    flagged = _flagged(pattern, _parameters(arguments, 3))
    return sf("regexp_count_", subject, flagged, _argument(arguments, 2, 1))


@function("REGEXP_SUBSTR")
def _substr(arguments: list[exp.Expr]) -> exp.Expr:
    return _extracted("regexp_substr_", arguments)


@function("REGEXP_SUBSTR_ALL", "REGEXP_EXTRACT_ALL")
def _substr_all(arguments: list[exp.Expr]) -> exp.Expr:
    return _extracted("regexp_substr_all_", arguments)


def _extracted(macro: str, arguments: list[exp.Expr]) -> exp.Expr:
    subject, pattern = _texts(arguments[:2])
    parameters = _parameters(arguments, 4)
    group = _group(arguments, parameters, 5)
    position, occurrence = _argument(arguments, 2, 1), _argument(arguments, 3, 1)
    return sf(macro, subject, _flagged(pattern, parameters), position, occurrence, number(group))


@function("REGEXP_INSTR")
def _instr(arguments: list[exp.Expr]) -> exp.Expr:
    subject, pattern = _texts(arguments[:2])
    parameters = _parameters(arguments, 5)
    group = _group(arguments, parameters, 6)
    places = [_argument(arguments, 2, 1), _argument(arguments, 3, 1), _argument(arguments, 4, 0)]
    flagged = _flagged(pattern, parameters)
    if group == 0:
        return sf("regexp_instr_", subject, flagged, *places)
    parts = _flagged(text(_before_and(pattern, group)), parameters)
    return sf("regexp_instr_group_", subject, flagged, *places, parts)


def _before_and(pattern: exp.Expr, group: int) -> str:
    """A pattern of two groups: what comes before a group, and the group."""
    if isinstance(pattern, exp.Literal):
        groups = _groups(pattern.this)
        if group <= len(groups):
            start, end, depth = groups[group - 1]
            once = pattern.this[end : end + 1] not in ("*", "+", "?", "{")
            if depth == 0 and once and "|" not in pattern.this[:start]:
                return f"^({_uncaptured(pattern.this[:start])}){pattern.this[start:]}"
    raise unsupported("the place of this group of a regular expression", pattern)


def _uncaptured(pattern: str) -> str:
    """A pattern whose groups capture nothing."""
    for start, _, _ in reversed(_groups(pattern)):
        after = start + 1
        if pattern.startswith("?P<", after):
            after = pattern.index(">", after) + 1
        pattern = f"{pattern[:start]}(?:{pattern[after:]}"
    return pattern


@function("REGEXP_REPLACE")
def _replace(arguments: list[exp.Expr]) -> exp.Expr:
    subject, pattern = _texts(arguments[:2])
    replacement = scalar_text(arguments[2]) if len(arguments) > 2 else text("")
    flagged = _flagged(pattern, _parameters(arguments, 5))
    position, occurrence = _argument(arguments, 3, 1), _argument(arguments, 4, 0)
    if not isinstance(occurrence, exp.Literal):
        raise unsupported("REGEXP_REPLACE of an occurrence that is not a literal", occurrence)
    if occurrence.this != "0":
        return sf("regexp_replace_nth_", subject, flagged, replacement, position, occurrence)
    if position.name != "1" or not isinstance(position, exp.Literal):
        return sf("regexp_replace_from_", subject, flagged, replacement, position)
    return duck("regexp_replace", subject, flagged, replacement, text("g"))
