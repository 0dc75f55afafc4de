"""json and jsonb: text that is checked, and for jsonb written anew as Postgres stores it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple

from proxy.errors import SqlError
from proxy.wire.decoders.values import insufficient, utf8

_JSONB_VERSION = 1


def json_text(text: str, _: str) -> str:
    """Valid JSON as it was written: spaces, order and repeated keys are kept."""
    _check(text)
    return text


def json_binary(raw: bytes) -> str:
    return json_text(utf8(raw), "")


def jsonb_text(text: str, _: str) -> str:
    """What Postgres writes for this document: keys by length and bytes, the last of equal ones.

    Raises 22P05 for a zero character, which jsonb cannot hold.
    """
    try:
        return "".join(_written(_read(text, _jsonb)))
    except RecursionError as error:
        raise _too_deep() from error


def jsonb_binary(raw: bytes) -> str:
    """A version byte, then the text."""
    if not raw:
        raise insufficient()
    if raw[0] != _JSONB_VERSION:
        raise SqlError("XX000", f"unsupported jsonb version number {raw[0]}")
    return jsonb_text(utf8(raw[1:]), "")


class _Number(NamedTuple):
    text: str


class _Object(NamedTuple):
    members: dict[str, Any]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


# Numbers stay text: neither their size nor their digits may be lost, and reading them costs.
_plain = json.JSONDecoder(parse_float=len, parse_int=len, parse_constant=_refuse_constant)
_jsonb = json.JSONDecoder(
    parse_float=_Number,
    parse_int=_Number,
    parse_constant=_refuse_constant,
    object_pairs_hook=lambda pairs: _Object(dict(pairs)),
)


def _check(text: str) -> None:
    _read(text, _plain)


def _read(text: str, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(text)
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        detail = f'Token "{rest.split(maxsplit=1)[0]}" is invalid.' if rest.strip() else None
        raise _invalid(detail or "The input string ended unexpectedly.") from error
    except ValueError as error:
        raise _invalid(f"{error}.") from error


def _invalid(detail: str) -> SqlError:
    return SqlError("22P02", "invalid input syntax for type json", detail=detail)


def _too_deep() -> SqlError:
    return SqlError("54001", "stack depth limit exceeded", hint="Nest the document less deeply.")


_LITERALS = {True: "true", False: "false", None: "null"}


def _written(node: Any) -> list[str]:
    out: list[str] = []
    _write(node, out.append)
    return out


def _write(node: Any, put: Any) -> None:
    if isinstance(node, str):
        put(_quoted(node))
    elif isinstance(node, _Number):
        put(_number(node.text))
    elif isinstance(node, _Object):
        # Keys are compared by their length in bytes, then byte by byte.
        keys = sorted((len(raw), raw, key) for key in node.members for raw in [_bytes(key)])
        between = "{"
        for _, _, key in keys:
            put(between + _quoted(key) + ": ")
            _write(node.members[key], put)
            between = ", "
        put("}" if keys else "{}")
    elif isinstance(node, list):
        between = "["
        for item in node:
            put(between)
            _write(item, put)
            between = ", "
        put("]" if node else "[]")
    else:
        put(_LITERALS[node])


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        high = 0xD800 <= ord(text[error.start]) < 0xDC00
        raise _invalid(
            "Unicode low surrogate must follow a high surrogate."
            if high or error.start == 0
            else "Unicode high surrogate must not follow a high surrogate."
        ) from error


_ESCAPES = {
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    '"': '\\"',
    "\\": "\\\\",
}
_TO_ESCAPE = re.compile(r'[\x00-\x1f"\\]')


def _quoted(text: str) -> str:
    _bytes(text)
    return '"' + _TO_ESCAPE.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\0":
        raise SqlError(
            "22P05",
            "unsupported Unicode escape sequence",
            detail="\\u0000 cannot be converted to text.",
        )
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


# Digits before and after the point of Postgres's numeric, which holds a jsonb's numbers.
_MOST_BEFORE, _MOST_AFTER = 131072, 16383


def _number(text: str) -> str:
    """A number without exponent, its digits kept."""
    if not ("e" in text or "E" in text):
        return "0" if text == "-0" else _without_sign_of_zero(text)
    mantissa, _, exponent = text.lower().partition("e")
    if len(exponent.lstrip("+-0")) > 6:
        if mantissa.strip("-0.") or len(exponent.lstrip("+-0")) > 9:
            raise SqlError("22003", "value overflows numeric format")
        exponent = "0"
    value = Decimal(f"{mantissa}e{exponent}")
    _, digits, scale = value.as_tuple()
    if value and (len(digits) + scale > _MOST_BEFORE or -scale > _MOST_AFTER):
        raise SqlError("22003", "value overflows numeric format")
    if not value and scale > 0:
        return "0"
    return _without_sign_of_zero(f"{value:f}")


def _without_sign_of_zero(number: str) -> str:
    return number if number.strip("-0.") else number.lstrip("-")
