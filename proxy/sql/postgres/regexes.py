"""Postgres's regular expressions in RE2's spelling, as far as RE2 can match them.

Why it exists: `\\y` is RE2's `\\b`, and the beginning and end of a word (`\\m`, `\\M`) are too where a letter
stands beside them. What RE2 never has, since its time would not be bounded, is refused by its name:
references back to a group, and what looks ahead or behind. Of constants alone Postgres answers.
"""

from __future__ import annotations

import re

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of

_LETTERS = r"(?:\w|\\[wd]\+?)+"
_WORD = rf"\((?:\?:)?{_LETTERS}(?:\|{_LETTERS})*\)|(?<!\\)\w|\\[wd]|(?<!\\)\[[\w-]+\]"
_BEGINS = re.compile(rf"(?:{_WORD})(?![*?{{])")
_ENDS = re.compile(rf"(?:{_WORD})\+?$")
_PLAIN = {"y": r"\b", "Y": r"\B"}
_LOOKING = {"(?=": "lookahead", "(?!": "lookahead", "(?<=": "lookbehind", "(?<!": "lookbehind"}


def _refused(what: str, pattern: exp.Expr) -> SqlError:
    message = f"{what} in a regular expression is not supported on analytical tables"
    return SqlError("0A000", message, position=position_of(pattern))


def for_re2(pattern: exp.Expr | None) -> exp.Expr | None:
    """A literal pattern as RE2 spells it; any other node as it is. Raises SqlError 0A000."""
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        return pattern
    text = pattern.this
    if "\\" not in text and "(?" not in text:
        return pattern
    made, at = [], 0
    while at < len(text):
        if text[at] == "[":
            end = _end_of_class(text, at)
            made.append(text[at:end])
            at = end
        elif text[at] == "(":
            for opening, what in _LOOKING.items():
                if text.startswith(opening, at):
                    raise _refused(f"a {what}", pattern)
            made.append("(")
            at += 1
        elif text[at] == "\\" and at + 1 < len(text):
            made.append(_escape(text, at, pattern))
            at += 2
        else:
            made.append(text[at])
            at += 1
    written = exp.Literal.string("".join(made))
    written.meta.update(pattern.meta)
    return written


_SIMILAR = {"%": ".*", "_": ".", ".": "\\.", "^": "\\^", "$": "\\$"}


def of_similar(pattern: str, escaping: str) -> str | None:
    """A pattern of SIMILAR TO; None for what has none in RE2's spelling here. escaping: '' for none."""
    made, letters = [], iter(pattern)
    for letter in letters:
        if letter == escaping:
            following = next(letters, None)
            if following is None or following.isalnum() or following == '"':
                return None
            made.append(re.escape(following))
        elif letter in "[\\":
            return None
        else:
            made.append(_SIMILAR.get(letter, letter))
    return "".join(made)


def _end_of_class(text: str, at: int) -> int:
    """Behind the bracket that closes `[...]`; `]` as its first is one of it, as are those of [:alpha:]."""
    at += 2 if text.startswith("[^", at) else 1
    at += text.startswith("]", at)
    while at < len(text) and text[at] != "]":
        if text.startswith("[:", at):
            at = max(text.find(":]", at) + 1, at)
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _escape(text: str, at: int, pattern: exp.Expr) -> str:
    letter = text[at + 1]
    if letter in _PLAIN:
        return _PLAIN[letter]
    if letter.isdigit() and letter != "0":
        raise _refused("a back reference", pattern)
    if (letter == "m" and _BEGINS.match(text, at + 2)) or (
        letter == "M" and _ENDS.search(text[:at])
    ):
        return r"\b"
    if letter in "mM":
        raise _refused("the beginning or end of a word beside what may be no letter", pattern)
    return text[at : at + 2]
