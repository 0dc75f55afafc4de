"""The members of a row's text, `(1,"a b",)`, as Postgres's record_in reads them.

Quotes may open and close anywhere in a member; in them `""` is a quote, and a backslash makes a plain character
of what follows. A member of nothing is NULL.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.errors import SqlError

_MISSING = "Missing left parenthesis."
_JUNK = "Junk after right parenthesis."
_ENDED = "Unexpected end of input."
_SPACE = " \t\n\r\v\f"


def members(text: str, count: int) -> list[str | None]:
    """Those of a row that is to have so many. Raises SqlError 22P02."""
    found: list[str | None] = []
    for member in _read(text):
        if len(found) == count:
            raise _malformed(text, "Too many columns.")
        found.append(member)
    if len(found) < count:
        raise _malformed(text, "Too few columns.")
    return found


def _read(text: str) -> Iterator[str | None]:
    inside = text.lstrip(_SPACE)
    if not inside.startswith("("):
        raise _malformed(text, _MISSING)
    at, member, quoted, empty = 1, "", False, True
    while at < len(inside):
        mark, at = inside[at], at + 1
        if mark == "\\" or (quoted and mark == '"' and inside.startswith('"', at)):
            member += inside[at : at + 1]
            if at == len(inside):
                break
            at, empty = at + 1, False
        elif mark == '"':
            quoted, empty = not quoted, False
        elif mark in ",)" and not quoted:
            yield None if empty else member
            if mark == ")":
                if inside[at:].strip(_SPACE):
                    raise _malformed(text, _JUNK)
                return
            member, empty = "", True
        else:
            member, empty = member + mark, False
    raise _malformed(text, _ENDED)


def _malformed(text: str, detail: str) -> SqlError:
    return SqlError("22P02", f'malformed record literal: "{text}"', detail=detail)
