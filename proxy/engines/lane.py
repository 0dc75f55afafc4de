"""The two ends of an exchange that passes without Python (`_lane.cpp`), where that was built.

Why it exists: the relay is measured beside PgBouncer, whose whole work on an exchange costs less
than a dozen calls of Python. `ClientEnd` and `BackendEnd` are what the compiled way must know of a
client's connection and of a backend; `PoolEnd` and `Counters` what it must know of the pool,
`StatementEnd` and `TextEnd` of prepared statements, `Texts` of the texts that pass. Where there is no
compiler they are plain Python and nothing passes that way: `proxy.session.shortcut` does the same, message by
message.

An end that was taken over reads and writes its socket itself, through a descriptor of its own. Its
transport stays: for whatever the socket does not take at once, and for closing. Half of the process's
descriptors are left to those who connect; ends beyond that go on as they are.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

try:
    import resource

    from proxy.engines import _lane as compiled
except ImportError:  # no compiler was there, or no such system
    compiled = None


_length = struct.Struct("!I").unpack_from


@dataclass(slots=True)
class _Counters:
    """What a pool has done since the server started. waited: seconds, summed over the sessions."""

    lent: int = 0
    exchanges: int = 0
    opened: int = 0
    failed: int = 0
    waits: int = 0
    waited: float = 0.0


class _PoolEnd:
    """alarmed: somebody will look after those who wait too long."""

    def __init__(self, *what: object) -> None:
        self.alarmed = False


class _ClientEnd:
    fd = -1
    armed = False
    unsent = True

    def leave(self) -> tuple[bytes, Any, Any] | None:
        return None

    def take_passed(self) -> int:
        return 0


class _BackendEnd:
    """client: whose exchange it has. pool: whose it is. bulk_left, buffer: of frames that are not
    whole yet. recent: the prepared text that was used last. The rest is `Backend`'s.
    """

    fd = -1
    client: Any = None
    unsent = True


class _TextEnd:
    __slots__ = ("body", "name", "result", "retired")


class _StatementEnd:
    __slots__ = ("body", "result", "text", "text_profile")


def _past_frames(data: bytes, at: int, kind: int) -> int:
    """Where the frames of this kind end that begin at `at`; past the data's end where the last one
    is not whole.
    """
    last = len(data) - 5
    while at < last and data[at] == kind:
        at += 1 + _length(data, at + 1)[0]
    return at


if TYPE_CHECKING or compiled is None:
    Counters, PoolEnd, ClientEnd, BackendEnd = _Counters, _PoolEnd, _ClientEnd, _BackendEnd
    TextEnd, StatementEnd = _TextEnd, _StatementEnd
    Texts: Any = None
    past_frames = _past_frames
else:
    past_frames = compiled.past_frames
    Counters, PoolEnd = compiled.Counters, compiled.PoolEnd
    TextEnd, StatementEnd = compiled.TextEnd, compiled.StatementEnd
    ClientEnd, BackendEnd, Texts = compiled.ClientEnd, compiled.BackendEnd, compiled.Texts


_pollers: dict[asyncio.AbstractEventLoop, Any] = {}  # one, but where tests run several loops


def _poller() -> Any:
    """What watches the ends for the running loop."""
    loop = asyncio.get_running_loop()
    if (found := _pollers.get(loop)) is None:
        for other in [each for each in _pollers if each.is_closed()]:
            del _pollers[other]
        found = _pollers[loop] = compiled.Poller()
        loop.add_reader(found.fd, found.turn)
    return found


@lru_cache
def _most_descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def take_over(end: Any, transport: asyncio.Transport) -> None:
    """From here on `end` reads its socket itself, if it can: not through TLS."""
    if compiled is None or end.fd >= 0 or transport.is_closing():
        return
    if transport.get_extra_info("sslcontext") is not None:
        return
    try:
        fd = os.dup(transport.get_extra_info("socket").fileno())
    except OSError:  # none is left
        return
    if fd > _most_descriptors() // 2:
        os.close(fd)
        return
    end.open(fd, transport.write, transport.get_write_buffer_size)
    transport.pause_reading()
    end.watch(_poller())


def let_go(end: Any) -> None:
    """Its connection is about to be closed, or has been."""
    if end.fd >= 0:
        end.shut()


def pause_reading(end: Any, transport: asyncio.Transport) -> None:
    if end.fd >= 0:
        end.ignore()
    else:
        transport.pause_reading()


def resume_reading(end: Any, transport: asyncio.Transport) -> None:
    if end.fd >= 0:
        end.watch(_poller())
    else:
        transport.resume_reading()
