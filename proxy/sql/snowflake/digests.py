"""SHA-224, SHA-384 and SHA-512 over columns: DuckDB has SHA-256 alone.

The rows of a column are hashed side by side, a round at a time over all of them (FIPS 180-4), so
that the work is numpy's. Rows are taken in groups of the same number of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
import pyarrow as pa

Words = np.ndarray[Any, np.dtype[Any]]


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root(value: int) -> int:
    """The largest integer whose cube is not above `value`."""
    low, high = 0, 1 << (value.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle - 1)
    return low


@dataclass(frozen=True, slots=True)
class _Family:
    """What SHA-2 of one word size is made of: FIPS 180-4, sections 4.1 and 4.2."""

    bits: int
    rounds: int
    big: tuple[tuple[int, int, int], tuple[int, int, int]]
    small: tuple[tuple[int, int, int], tuple[int, int, int]]

    def constants(self) -> list[int]:
        """The first bits of the fractional parts of cube roots of primes."""
        mask = (1 << self.bits) - 1
        return [_cube_root(prime << (3 * self.bits)) & mask for prime in _primes(self.rounds)]


_SHA32 = _Family(32, 64, ((2, 13, 22), (6, 11, 25)), ((7, 18, 3), (17, 19, 10)))
_SHA64 = _Family(64, 80, ((28, 34, 39), (14, 18, 41)), ((1, 8, 7), (19, 61, 6)))


def _roots(primes: list[int], bits: int) -> list[int]:
    """The first bits of the fractional parts of square roots."""
    return [isqrt(prime << (2 * bits)) & ((1 << bits) - 1) for prime in primes]


_START_512 = _roots(_primes(8), 64)
_START_384 = _roots(_primes(16)[8:], 64)
# SHA-224 begins with the second halves of what SHA-384 begins with.
_START_224 = [word & 0xFFFFFFFF for word in _START_384]


def _rotated(words: Words, by: int, bits: int) -> Words:
    kind = words.dtype.type
    return (words >> kind(by)) | (words << kind(bits - by))


def _compressed(state: list[Words], block: Words, family: _Family, constants: list[int]) -> None:
    """One block of every row (rows x 16 words) into `state`."""
    kind, bits = block.dtype.type, family.bits
    schedule = [block[:, i].copy() for i in range(16)]
    (a1, b1, c1), (a2, b2, c2) = family.small
    for i in range(16, family.rounds):
        x, y = schedule[i - 15], schedule[i - 2]
        first = _rotated(x, a1, bits) ^ _rotated(x, b1, bits) ^ (x >> kind(c1))
        second = _rotated(y, a2, bits) ^ _rotated(y, b2, bits) ^ (y >> kind(c2))
        schedule.append(schedule[i - 16] + first + schedule[i - 7] + second)
    (a1, b1, c1), (a2, b2, c2) = family.big
    a, b, c, d, e, f, g, h = state
    for word, constant in zip(schedule, constants, strict=True):
        big = _rotated(e, a2, bits) ^ _rotated(e, b2, bits) ^ _rotated(e, c2, bits)
        one = h + big + ((e & f) ^ (~e & g)) + kind(constant) + word
        big = _rotated(a, a1, bits) ^ _rotated(a, b1, bits) ^ _rotated(a, c1, bits)
        two = big + ((a & b) ^ (a & c) ^ (b & c))
        a, b, c, d, e, f, g, h = one + two, a, b, c, d + one, e, f, g
    for i, word in enumerate((a, b, c, d, e, f, g, h)):
        state[i] = state[i] + word


def _digest(values: pa.Array, family: _Family, start: list[int], size: int) -> pa.Array:
    """The digests, of `size` bytes, of an array of binaries; NULL of NULL."""
    count = len(values)
    _, offset_buffer, data = values.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[values.offset : values.offset + count + 1]
    raw = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    lengths = (offsets[1:] - offsets[:-1]).astype(np.int64)
    width = family.bits * 2  # bytes of a block
    blocks = (lengths + 1 + width // 8 + width - 1) // width
    out = np.zeros((count, size), np.uint8)
    constants, word = family.constants(), np.dtype(f">u{family.bits // 8}")
    for number in np.unique(blocks):
        rows = np.flatnonzero(blocks == number)
        padded = np.zeros((len(rows), int(number) * width), np.uint8)
        columns = np.arange(padded.shape[1])
        inside = columns < lengths[rows, None]
        places = offsets[rows, None].astype(np.int64) + columns
        padded[inside] = raw[places[inside]]
        padded[np.arange(len(rows)), lengths[rows]] = 0x80
        padded[:, -8:] = (lengths[rows] * 8).astype(">u8").view(np.uint8).reshape(-1, 8)
        words = padded.view(word).astype(word.newbyteorder("="))
        state = [np.full(len(rows), value, words.dtype) for value in start]
        for block in range(int(number)):
            _compressed(state, words[:, block * 16 : block * 16 + 16], family, constants)
        joined = np.stack(state, axis=1).astype(word)
        out[rows] = np.ascontiguousarray(joined).view(np.uint8)[:, :size]
    starts = np.arange(0, (count + 1) * size, size, dtype=np.int32)
    made = pa.Array.from_buffers(
        pa.binary(), count, [None, pa.py_buffer(starts), pa.py_buffer(out.tobytes())]
    )
    return pa.compute.if_else(values.is_valid(), made, pa.scalar(None, pa.binary()))


def sha224(values: pa.Array) -> pa.Array:
    """Digests of 28 bytes."""
    return _digest(values, _SHA32, _START_224, 28)


def sha384(values: pa.Array) -> pa.Array:
    """Digests of 48 bytes."""
    return _digest(values, _SHA64, _START_384, 48)


def sha512(values: pa.Array) -> pa.Array:
    """Digests of 64 bytes."""
    return _digest(values, _SHA64, _START_512, 64)
