"""A file's blocks as whole records: what a block cuts off is read with the next one.

Both readers of text, `delimited` and `documents`, know where a record ends; neither needs to know that
a file comes in blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from proxy.errors import SqlError

T = TypeVar("T")

_LONGEST = 1 << 28  # bytes of one record


def whole_records(
    blocks: Iterator[bytes], cut: Callable[[bytes, bool], tuple[T | None, bytes]], what: str
) -> Iterator[T]:
    """What `cut` finds in the blocks.

    cut: given some bytes and whether they are the file's last, the records in them, None for none,
    and the bytes of a record that has not ended. what: a record's name in the error.

    Raises SqlError 54000 where one does not end.
    """
    kept: list[bytes] = []
    size = wanted = 0
    for block in blocks:
        kept.append(block)
        size += len(block)
        if size < wanted:
            continue
        found, rest = cut(b"".join(kept), False)
        if len(rest) > _LONGEST:
            raise SqlError("54000", f"a {what} of the file is longer than 256 MB")
        # What has no end yet is not read again with each block.
        wanted = 2 * len(rest) if len(rest) == size else 0
        kept, size = [rest], len(rest)
        if found is not None:
            yield found
    found, _ = cut(b"".join(kept), True)
    if found is not None:
        yield found
