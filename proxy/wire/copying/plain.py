"""Readers of the types whose texts are taken as they are, or nearly: bool, text, json, enum, bytea,
uuid and bit strings.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.copying.columns import (
    ColumnReader,
    Slices,
    Unusual,
    bitmap,
    fixed,
    no_kernel,
    strings,
    usual,
)
from proxy.wire.decoders import documents, plain
from proxy.wire.decoders.values import Bits, Uuid
from proxy.wire.encoders.cells import binary_from, binary_parts, null_mask, padded
from proxy.wire.enumerations import labels_of, name_of
from proxy.wire.types import DuckType

_VARCHAR = DuckType("VARCHAR")


def boolean(duck: DuckType) -> ColumnReader:
    """A column has few spellings of truth, and each is read once: the exact decoder is enough."""

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        truth = pa.array(slices.at(0, "u1") != 0, mask=slices.nulls)
        return truth, slices.sized(1)

    return ColumnReader(
        duck,
        pa.bool_(),
        lambda text: plain.bool_text(text, ""),
        plain.bool_binary,
        lambda found: pa.array(found, pa.bool_()),
        binary_kernel=binary_kernel,
    )


# --- text -----------------------------------------------------------------------------------------


def _sound(slices: Slices) -> tuple[pa.Array, Unusual]:
    """Binary values as strings; unusual are those that may not be UTF-8 or hold a zero byte."""
    raw = slices.gathered()
    array = strings(raw, slices.nulls)
    _, data = binary_parts(raw)
    plain_bytes = data.tobytes()
    if plain_bytes.isascii() and b"\0" not in plain_bytes:
        return array, None
    odd = np.zeros(len(data) + 1, "i8")
    np.cumsum((data >= 0x80) | (data == 0), out=odd[1:])
    offsets, _ = binary_parts(raw)
    return array, odd[offsets[1:]] != odd[offsets[:-1]]


def text(duck: DuckType) -> ColumnReader:
    return ColumnReader(
        _VARCHAR,
        pa.string(),
        lambda text: text,
        plain.plain_binary,
        lambda found: pa.array(found, pa.string()),
        lambda texts: (texts, None),
        _sound,
    )


def enum(duck: DuckType) -> ColumnReader:
    labels = labels_of(duck.names)
    members = pa.array(labels, pa.string())
    known = frozenset(labels)

    def checked(text: str) -> str:
        if text not in known:
            raise SqlError("22P02", f'invalid input value for enum {name_of(duck.names)}: "{text}"')
        return text

    def kernel(texts: pa.Array) -> tuple[pa.Array, Unusual]:
        inside = pc.is_in(texts, value_set=members).to_numpy(zero_copy_only=False)
        return texts, ~inside & texts.is_valid().to_numpy(zero_copy_only=False)

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        array, unsound = _sound(slices)
        if unsound is not None:
            return array, ~slices.nulls
        return kernel(array)

    return ColumnReader(
        _VARCHAR,
        pa.string(),
        checked,
        lambda raw: checked(plain.plain_binary(raw)),
        lambda found: pa.array(found, pa.string()),
        kernel,
        binary_kernel,
    )


# --- json -----------------------------------------------------------------------------------------


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


# Numbers are only looked at, never made.
_decoder = json.JSONDecoder(parse_float=len, parse_int=len, parse_constant=_refuse_constant)


# So much is parsed in one go: other threads wait meanwhile.
_AT_ONCE = 1 << 18


def _all_json(texts: pa.Array) -> bool:
    """Whether every text is a JSON document."""
    texts = texts.drop_null()
    step = max(1, len(texts) * _AT_ONCE // max(texts.nbytes, 1))
    slices = (texts.slice(start, step) for start in range(0, len(texts), step))
    return all(_parse_as_one(piece.to_pylist()) for piece in slices)


def _parse_as_one(documents: list[str]) -> bool:
    """Whether each is a JSON document, found out by parsing them together.

    Between any two stands a word that no client can know: where a text does not end its own
    value, or holds more than one, the words are not every second element of the whole.
    """
    word = secrets.token_hex(16)
    try:
        found = _decoder.decode("[" + f',"{word}",'.join(documents) + "]")
    except (ValueError, RecursionError):
        return False
    words = found[1::2]
    return len(found) == 2 * len(documents) - 1 and words.count(word) == len(words)


def document(duck: DuckType) -> ColumnReader:
    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        return (texts, None) if _all_json(texts) else no_kernel(texts)

    def binary_kernel(slices: Slices) -> tuple[pa.Array | None, Unusual]:
        array, unsound = _sound(slices)
        if unsound is not None or not _all_json(array):
            return None, ~slices.nulls
        return array, None

    return ColumnReader(
        _VARCHAR,
        pa.string(),
        lambda text: documents.json_text(text, ""),
        documents.json_binary,
        lambda found: pa.array(found, pa.string()),
        kernel,
        binary_kernel,
    )


def binary_document(duck: DuckType) -> ColumnReader:
    """jsonb, whose binary form has a version byte; the cast into the table's column writes it anew."""
    as_json = document(duck)

    def binary_kernel(slices: Slices) -> tuple[pa.Array | None, Unusual]:
        there = ~slices.nulls
        lengths = np.where(there, slices.lengths, 1)
        if not (lengths > 0).all() or (slices.at(0, "u1")[there] != 1).any():
            return None, there
        text = Slices(slices.data, slices.starts + there, lengths - 1, slices.nulls)
        return as_json.binary_kernel(text)

    return replace(
        as_json,
        text=lambda text: documents.jsonb_text(text, ""),
        binary=documents.jsonb_binary,
        binary_kernel=binary_kernel,
    )


# --- bytea ----------------------------------------------------------------------------------------

_NO_DIGIT = 255
_HEX = np.full(256, _NO_DIGIT, "u1")
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEX[list(_digits)] = np.arange(16)


def blob(duck: DuckType) -> ColumnReader:
    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        """`\\x6162`, without spaces, in all values or in none."""
        offsets, data = binary_parts(texts)
        lengths = np.diff(offsets)
        nulls = null_mask(texts)
        begin = padded(texts, 2)
        wrong = (lengths < 2) | (lengths % 2 != 0)
        wrong |= (begin[:, 0] != ord("\\")) | (begin[:, 1] != ord("x"))
        if nulls is not None:
            wrong = np.where(nulls, lengths > 0, wrong)
        if wrong.any():
            return no_kernel(texts)
        digits = _HEX[data[offsets[0] : offsets[-1]]].reshape(-1, 2)
        starts = (offsets - offsets[0]) // 2
        keep = np.ones(len(digits), bool)
        keep[starts[:-1][lengths > 0]] = False
        digits = digits[keep]
        if (digits == _NO_DIGIT).any():
            return no_kernel(texts)
        raw = digits[:, 0] << 4 | digits[:, 1]
        ends = (starts - np.concatenate([[0], np.cumsum(lengths > 0)])).astype("i4")
        buffers = [bitmap(nulls), *binary_from(ends, raw).buffers()[1:]]
        return pa.Array.from_buffers(pa.binary(), len(texts), buffers), None

    return ColumnReader(
        duck,
        pa.binary(),
        lambda text: plain.bytea_text(text, ""),
        plain.bytea_binary,
        lambda found: pa.array(found, pa.binary()),
        kernel,
        lambda slices: (slices.gathered(), None),
    )


# --- uuid -----------------------------------------------------------------------------------------

# Where the 32 digits stand in the 36 characters, and where the dashes.
_DASHES = [8, 13, 18, 23]
_DIGITS = [at for at in range(36) if at not in _DASHES]


def uuid(duck: DuckType) -> ColumnReader:
    storage = pa.binary(16)

    def kernel(texts: pa.Array) -> tuple[pa.Array, Unusual]:
        offsets, _ = binary_parts(texts)
        written = padded(texts, 36)
        digits = _HEX[written[:, _DIGITS]].reshape(-1, 16, 2)
        wrong = (np.diff(offsets) != 36) | (digits == _NO_DIGIT).any(axis=(1, 2))
        wrong |= (written[:, _DASHES] != ord("-")).any(axis=1)
        nulls = null_mask(texts)
        if nulls is not None:
            wrong &= ~nulls
        return fixed(storage, digits[:, :, 0] << 4 | digits[:, :, 1], nulls), wrong

    def pack(found: Sequence[Uuid | None]) -> pa.Array:
        raw = [None if value is None else value.bits.to_bytes(16, "big") for value in found]
        return pa.array(raw, storage)

    return ColumnReader(
        duck,
        storage,
        lambda text: plain.uuid_text(text, ""),
        plain.uuid_binary,
        pack,
        kernel,
        lambda slices: (fixed(storage, slices.at(0, "V16"), slices.nulls), slices.sized(16)),
        extension=pa.uuid(),
    )


# --- bit ------------------------------------------------------------------------------------------


def bits(duck: DuckType) -> ColumnReader:
    def kernel(texts: pa.Array) -> tuple[pa.Array, Unusual]:
        return texts, ~usual(texts, "^[01]+$") & texts.is_valid().to_numpy(zero_copy_only=False)

    def written(value: Bits) -> str:
        if not value.count:
            raise SqlError(
                "0A000",
                "an empty bit string is not supported",
                detail="DuckDB's BIT holds at least one bit.",
            )
        number = int.from_bytes(value.data, "big") >> (-value.count % 8)
        return f"{number:0{value.count}b}"

    return ColumnReader(
        _VARCHAR,
        pa.string(),
        lambda text: written(plain.bit_text(text, "")),
        lambda raw: written(plain.bit_binary(raw)),
        lambda found: pa.array(found, pa.string()),
        kernel,
    )


READERS: dict[str, Callable[[DuckType], ColumnReader]] = {
    "BOOLEAN": boolean,
    "VARCHAR": text,
    "JSON": document,
    "JSONB": binary_document,
    "ENUM": enum,
    "BLOB": blob,
    "UUID": uuid,
    "BIT": bits,
}
