"""SHA-224, SHA-384 and SHA-512 over columns: DuckDB has SHA-256 alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pyarrow as pa

from proxy.wire.encoders.cells import binary_parts


def _digests(values: pa.Array, algorithm: Callable[[Any], Any]) -> pa.Array:
    """Of an array of binaries; NULL of NULL."""
    offsets, data = binary_parts(values)
    raw = memoryview(data)
    made = pa.array(
        [algorithm(raw[a:b]).digest() for a, b in pairwise(offsets.tolist())], pa.binary()
    )
    return pa.compute.if_else(values.is_valid(), made, pa.scalar(None, pa.binary()))


def sha224(values: pa.Array) -> pa.Array:
    """Digests of 28 bytes."""
    return _digests(values, hashlib.sha224)


def sha384(values: pa.Array) -> pa.Array:
    """Digests of 48 bytes."""
    return _digests(values, hashlib.sha384)


def sha512(values: pa.Array) -> pa.Array:
    """Digests of 64 bytes."""
    return _digests(values, hashlib.sha512)
