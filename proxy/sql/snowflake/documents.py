"""JSON texts as Snowflake keeps them: keys sorted at every depth, numbers as they were written.

Whole columns at a time: the rows become one JSON array, which C code reads, sorts and writes, and
which is then cut at marks that no row can hold. Numbers pass through as marked strings, so that
none is rounded to a double on the way.
"""

from __future__ import annotations

import json
import secrets

import pyarrow as pa
import pyarrow.compute as pc

_MARK = secrets.token_hex(16)
_BETWEEN = f',"{_MARK}",'
_OPEN, _SHUT = f'"{_MARK}n', f'n{_MARK}"'
_STRING = r'("(?:[^"\\]|\\.)*")'
_NUMBER = r"(-?[0-9][0-9.eE+-]*)"


def ordered(values: pa.Array, *, twice: bool = False) -> pa.Array:
    """Valid JSON texts, minified, with sorted keys. NULL of NULL.

    twice: whether an object may have a key twice; the last value counts. Raises ValueError for a
    text that is not JSON, or in which an object has a key twice though it may not.
    """
    texts = pc.replace_substring_regex(values, f"{_STRING}|{_NUMBER}", rf"\1{_OPEN}\2{_SHUT}")
    texts = pc.replace_substring(texts, _OPEN + _SHUT, "")
    texts = pc.fill_null(texts, "null")
    rows = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    joined = pc.binary_join(rows, _BETWEEN)[0].as_py()
    sorted_ = json.dumps(
        json.loads(f"[{joined}]", strict=False),
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    parts = pc.split_pattern(pa.array([sorted_[1:-1]], values.type), _BETWEEN)
    made = parts.flatten()
    if not twice and not _keys(made).equals(_keys(texts)):
        raise ValueError("a key stands twice in an object")
    made = pc.replace_substring_regex(made, rf"{_OPEN}(-?[0-9]+\.[0-9]+?)0+{_SHUT}", r"\1")
    made = pc.replace_substring_regex(made, f"{_OPEN}([^n]*){_SHUT}", r"\1")
    return pc.if_else(values.is_valid(), made, pa.scalar(None, values.type))


def _keys(texts: pa.Array) -> pa.Array:
    """How many keys the objects of each document have: the colons outside of strings."""
    bare = pc.replace_substring_regex(texts, _STRING, "")
    return pc.count_substring(bare, ":")


_KEY = _STRING + r"|([{,]\s*)([A-Za-z_$][A-Za-z0-9_$]*)(\s*:)"
_SINGLE = _STRING + r"|'([^'\"\\]*)'"


_LAST_COMMA = _STRING + r"|,(\s*\})"
_GAPS = (_STRING + r"|([\[,]\s*)(,)", _STRING + r"|([\[,]\s*)(,)", _STRING + r"|(,\s*)(\])")
"""What leaves out an element; two of one kind, since gaps that meet overlap."""


def _filled(texts: pa.Array, filling: str = "null") -> pa.Array:
    """Elements of arrays that are left out, at the end too, are nulls; an object's last comma goes."""
    texts = pc.replace_substring_regex(texts, _LAST_COMMA, r"\1\2")
    for gap in _GAPS:
        texts = pc.replace_substring_regex(texts, gap, "\\1\\2\x01\\3")
        texts = pc.replace_substring(texts, '"\x01', '"')
        texts = pc.replace_substring(texts, "\x01", filling)
    return texts


def left_out(text: str) -> list[int] | None:
    """The places of the elements that an array leaves out, as in '[1, ,77]'; [] where it has all.

    None where an array within it leaves one out.
    """
    try:
        filled = _filled(pa.array([text]), f'"{_MARK}"')[0].as_py()
        if _MARK not in filled:
            return []
        document = json.loads(filled, strict=False)
    except ValueError:
        return []
    if not isinstance(document, list) or filled.count(_MARK) > document.count(_MARK):
        return None
    return [place for place, element in enumerate(document) if element == _MARK]


def _relaxed(texts: pa.Array) -> pa.Array:
    """Keys without quotes get them, strings in single quotes double ones, gaps in arrays nulls."""
    texts = pc.replace_substring_regex(texts, _SINGLE, "\\1\x01\\2\x02")
    texts = pc.replace_substring(texts, "\x01\x02", "")
    texts = _filled(pc.replace_substring_regex(texts, "[\x01\x02]", '"'))
    texts = pc.replace_substring_regex(texts, _KEY, "\\1\\2\x01\\3\x01\\4")
    texts = pc.replace_substring(texts, "\x01\x01", "")
    texts = pc.replace_substring_regex(texts, r"(?i)^null$", "null")
    return pc.replace_substring(texts, "\x01", '"')


def _halved(texts: pa.Array, *, strict: bool, twice: bool) -> pa.Array:
    """`ordered`; what is not JSON is found by halves, so that one bad row does not cost them all."""
    try:
        return ordered(texts, twice=twice)
    except ValueError:
        if len(texts) > 1:
            middle = len(texts) // 2
            parts = (texts[:middle], texts[middle:])
            return pa.concat_arrays([_halved(part, strict=strict, twice=twice) for part in parts])
    try:
        return ordered(_relaxed(texts), twice=twice)
    except ValueError as error:
        if strict:
            raise ValueError(f"Error parsing JSON: {texts[0].as_py()}") from error
        return pa.nulls(1, texts.type)


def _parsed(values: pa.Array, *, strict: bool, twice: bool = False) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(values)
    written = pc.fill_null(pc.greater(pc.binary_length(trimmed), 0), False)
    texts = trimmed.filter(written)
    if len(texts) == 0:
        return pa.nulls(len(values), values.type)
    made = _halved(texts, strict=strict, twice=twice)
    return pc.replace_with_mask(pa.nulls(len(values), values.type), written, made)


def parsed(values: pa.Array) -> pa.Array:
    """PARSE_JSON of texts: NULL of NULL and of blanks. Raises ValueError for what is not JSON."""
    return _parsed(values, strict=True)


def tried(values: pa.Array) -> pa.Array:
    """TRY_PARSE_JSON: NULL of what is not JSON."""
    return _parsed(values, strict=False)


def parsed_twice(values: pa.Array) -> pa.Array:
    """PARSE_JSON(s, 'd'): of a key that stands twice in an object the last value counts."""
    return _parsed(values, strict=True, twice=True)


def tried_twice(values: pa.Array) -> pa.Array:
    """TRY_PARSE_JSON(s, 'd')."""
    return _parsed(values, strict=False, twice=True)
