"""bool, text and its kin, bytea, uuid, bit strings."""

from __future__ import annotations

import re
import struct

from proxy.errors import SqlError
from proxy.wire.decoders.values import (
    SPACES,
    Bits,
    Uuid,
    bad_syntax,
    insufficient,
    sized,
    utf8,
)

# --- bool ----------------------------------------------------------------------------------------

# Any prefix of a word that cannot begin another will do; `o` alone can.
_BOOLS: dict[str, bool] = {
    word[:length]: truth
    for word, truth, least in (
        ("true", True, 1),
        ("false", False, 1),
        ("yes", True, 1),
        ("no", False, 1),
        ("on", True, 2),
        ("off", False, 2),
        ("1", True, 1),
        ("0", False, 1),
    )
    for length in range(least, len(word) + 1)
}


def bool_text(text: str, _: str) -> bool:
    value = _BOOLS.get(text.strip(SPACES).lower())
    if value is None:
        raise bad_syntax("boolean", text)
    return value


def bool_binary(raw: bytes) -> bool:
    return _one_byte(raw) != 0


def _one_byte(raw: bytes) -> int:
    if not raw:
        raise SqlError("08P01", "no data left in message")
    return sized(raw, 1)[0]


# --- text ----------------------------------------------------------------------------------------


def plain_text(text: str, _: str) -> str:
    return text


def plain_binary(raw: bytes) -> str:
    return utf8(raw)


_NAME_BYTES = 63


def name_text(text: str, _: str) -> str:
    """A name is cut after 63 bytes, between characters, as namein does."""
    raw = text.encode()
    return text if len(raw) <= _NAME_BYTES else raw[:_NAME_BYTES].decode(errors="ignore")


def name_binary(raw: bytes) -> str:
    text = utf8(raw)
    if len(raw) > _NAME_BYTES:
        raise SqlError(
            "42622",
            "identifier too long",
            detail=f"Identifier must be less than {_NAME_BYTES + 1} characters.",
        )
    return text


_OCTAL = re.compile(r"\\([0-7])([0-7])([0-7])")


def char_text(text: str, _: str) -> str:
    """pg_type's "char", one byte: the first one of the text, or `\\ooo`."""
    if found := _OCTAL.fullmatch(text):
        return _byte(int("".join(found.groups()), 8) & 0xFF)
    return _byte(text.encode()[0]) if text else ""


def char_binary(raw: bytes) -> str:
    return _byte(_one_byte(raw))


def _byte(value: int) -> str:
    """What charout writes: nothing for zero, an escape for what is no ASCII."""
    if value >= 0x80:
        return f"\\{value:03o}"
    return chr(value) if value else ""


# --- bytea ---------------------------------------------------------------------------------------

_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_ESCAPES = re.compile(rb"\\(?:\\|([0-3][0-7][0-7]))")


def bytea_text(text: str, _: str) -> bytes:
    """`\\x6162`, or the older form with `\\\\` and `\\ooo`."""
    if text.startswith("\\x"):
        return _hex(text[2:])
    raw = text.encode()
    if b"\\" not in raw:
        return raw
    done = _ESCAPES.sub(b"", raw)
    if b"\\" in done:
        raise bad_syntax_bytea()
    return _ESCAPES.sub(lambda m: bytes([int(m[1], 8)]) if m[1] else b"\\", raw)


def bad_syntax_bytea() -> SqlError:
    """bytea's complaint alone does not show the text."""
    return SqlError("22P02", "invalid input syntax for type bytea")


def _hex(digits: str) -> bytes:
    try:
        if " " not in digits:
            return bytes.fromhex(digits)
    except ValueError:
        pass
    return _hex_with_spaces(digits)


def _hex_with_spaces(digits: str) -> bytes:
    """Spaces are allowed between bytes, not within; each complaint is about the first fault."""
    out = bytearray()
    at = 0
    while at < len(digits):
        if digits[at] in " \n\t\r":
            at += 1
            continue
        pair = digits[at : at + 2]
        for digit in pair:
            if digit not in _HEX_DIGITS:
                raise SqlError("22023", f'invalid hexadecimal digit: "{digit}"')
        if len(pair) == 1:
            raise SqlError("22023", "invalid hexadecimal data: odd number of digits")
        out.append(int(pair, 16))
        at += 2
    return bytes(out)


def bytea_binary(raw: bytes) -> bytes:
    return raw


# --- uuid ----------------------------------------------------------------------------------------

# A dash may follow any four digits, braces may be around.
_UUID = re.compile(r"(\{)?[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}(?(1)\})", re.ASCII)
_NOT_DIGITS = str.maketrans("", "", "{}-")


def uuid_text(text: str, _: str) -> Uuid:
    if _UUID.fullmatch(text) is None:
        raise bad_syntax("uuid", text)
    return Uuid(int(text.translate(_NOT_DIGITS), 16))


def uuid_binary(raw: bytes) -> Uuid:
    return Uuid(int.from_bytes(sized(raw, 16), "big"))


# --- bit -----------------------------------------------------------------------------------------


def bit_text(text: str, _: str) -> Bits:
    """`0101`, `b0101` or `x1f`."""
    kind, digits = (text[:1].lower(), text[1:]) if text[:1] in "bBxX" and text else ("b", text)
    alphabet, width = ("01", 1) if kind == "b" else ("0123456789abcdefABCDEF", 4)
    for digit in digits:
        if digit not in alphabet:
            name = "binary" if kind == "b" else "hexadecimal"
            raise SqlError("22P02", f'"{digit}" is not a valid {name} digit')
    count = len(digits) * width
    spelled = digits if kind == "b" else "".join(f"{int(digit, 16):04b}" for digit in digits)
    size = (count + 7) // 8
    return Bits(count, int(spelled.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big"))


def bit_binary(raw: bytes) -> Bits:
    """int32 count of bits, then the bits from the left; what pads the last byte is ignored."""
    if len(raw) < 4:
        raise insufficient()
    (count,) = struct.unpack_from(">i", raw)
    if count < 0:
        raise SqlError("22P03", "invalid length in external bit string")
    size = (count + 7) // 8
    data = bytearray(sized(raw[4:], size))
    if count % 8:
        data[-1] &= 0xFF << (8 - count % 8) & 0xFF
    return Bits(count, bytes(data))
