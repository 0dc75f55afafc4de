"""What Postgres answers to a COPY ... TO STDOUT of the session's own, sorted while it comes.

Its rows are for the session, an error too, and what Postgres says unasked is still the client's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_ROW, _ERROR, _UNASKED = ord("d"), ord("E"), frozenset(b"NAS")
_frame_length = struct.Struct("!I").unpack_from


class CopyAnswer:
    """Tells the frames of a COPY's answer, which come in slices, from what the client is to see."""

    def __init__(
        self,
        take: Callable[[bytes | memoryview], None],
        client: Callable[[bytes | memoryview], None],
        failed: Callable[[bytes], None],
    ) -> None:
        self._take, self._client, self._failed = take, client, failed
        self._left = 0  # of a frame of rows that came in part

    def __call__(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        at = kept = 0
        if self._left:
            at = min(self._left, len(view))
            self._left -= at
        while at < len(view):
            kind = view[at]
            end = at + 1 + _frame_length(view, at + 1)[0]
            if kind == _ROW:
                self._left, at = max(end - len(view), 0), min(end, len(view))
                continue
            # All other frames come whole.
            if kept < at:
                self._take(view[kept:at])
            if kind == _ERROR:
                self._failed(bytes(view[at + 5 : end]))
            elif kind in _UNASKED:
                self._client(view[at:end])
            at = kept = end
        if kept < at:
            self._take(view[kept:at])
