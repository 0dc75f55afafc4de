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


def ordered(values: pa.Array) -> pa.Array:
    """Valid JSON texts, minified, with sorted keys; a trailing comma goes. NULL of NULL.

    Raises ValueError for a text that is not JSON.
    """
    texts = pc.replace_substring_regex(values, _STRING + r"|,(\s*[\]}])", r"\1\2")
    texts = pc.replace_substring_regex(texts, f"{_STRING}|{_NUMBER}", rf"\1{_OPEN}\2{_SHUT}")
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
    made = pc.replace_substring_regex(made, rf"{_OPEN}(-?[0-9]+\.[0-9]+?)0+{_SHUT}", r"\1")
    made = pc.replace_substring_regex(made, f"{_OPEN}([^n]*){_SHUT}", r"\1")
    return pc.if_else(values.is_valid(), made, pa.scalar(None, values.type))
