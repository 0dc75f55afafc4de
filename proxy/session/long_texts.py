"""What is done with long texts, in a process of its own.

Why it exists: sqlglot reads about a megabyte a second, and its compiled readers keep the interpreter to
themselves meanwhile. An INSERT of ten thousand rows, as dbt's seeds and dumps have them, would so keep
every client waiting for a second, whichever thread read it.

What it promises: a function of a text gives what it gives here, errors included, while the loop serves
others. The process starts with the first long text, does one thing at a time in the order in which it
was asked, and ends when it has had nothing to do for a while, with the server, or with the client that
no longer waits for it.
"""

from __future__ import annotations

import asyncio
import copyreg
import pickle
import signal
import socket
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Sequence
from struct import Struct
from typing import Any, ParamSpec, TypeVar

from sqlglot.tokens import Token

from proxy.errors import SqlError

LONG = 16 * 1024
"""Characters from which on a text is long: some 20 ms of the loop's time."""

_IDLE = 120.0  # seconds
_SIZE = Struct("!Q")

P = ParamSpec("P")
T = TypeVar("T")
Ask = Callable[[Any], Awaitable[Any]]
Call = tuple[Callable[..., object], tuple[Any, ...]]


def is_long(text: str) -> bool:
    """Whether to read it would keep the loop from others."""
    return len(text) >= LONG


class LongTexts:
    """The server's one process for them. Belongs to the loop."""

    def __init__(self, prepared: Sequence[Call] = ()) -> None:
        """prepared: what the process calls first, so that it knows what this one was told."""
        self._prepared = prepared
        self._turn = asyncio.Lock()
        self._process: _Process | None = None
        self._end: asyncio.TimerHandle | None = None

    async def call(self, function: Callable[..., T], *arguments: Any, ask: Ask | None = None) -> T:
        """`function(*arguments)`, a function of a module's.

        ask: answers the questions of the function, which gets a way to ask as its last argument.
        Raises what the function raises; SqlError 53200 where the process ends over it.
        """
        async with self._turn:
            if self._end is not None:
                self._end.cancel()
                self._end = None
            try:
                outcome, value = await self._asked(function, arguments, ask)
            except (OSError, EOFError) as error:
                self.close()
                raise SqlError(
                    "53200",
                    "the statement is too long to be read",
                    detail="The process that reads long statements has ended over it.",
                ) from error
            except BaseException:  # what it would still say is for nobody
                self.close()
                raise
            self._end = asyncio.get_running_loop().call_later(_IDLE, self.close)
        if outcome == "raised":
            raise value
        if outcome == "failed":
            raise RuntimeError(value)
        if outcome == "unsaid":  # a value that no other process can be given
            return function(*arguments)
        return value

    async def _asked(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], ask: Ask | None
    ) -> tuple[str, Any]:
        if self._process is None:
            self._process = await _started(self._prepared)
        process = self._process
        process.say((function, arguments, ask is not None))
        while True:
            outcome, value = await process.heard()
            if outcome != "asks" or ask is None:
                return outcome, value
            process.say(await ask(value))

    def close(self) -> None:
        """Ends the process, if there is one, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.end()


# A token's own way to another process forgets of what kind it is.
_KEPT = ("token_type", "text", "line", "col", "start", "end", "comments")
copyreg.pickle(Token, lambda token: (Token, tuple([getattr(token, name) for name in _KEPT])))


class _Process:
    def __init__(
        self, process: subprocess.Popen[bytes], reader: StreamReader, writer: StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer

    def say(self, message: object) -> None:
        data = pickle.dumps(message)
        self._writer.write(_SIZE.pack(len(data)))
        self._writer.write(data)

    async def heard(self) -> Any:
        (size,) = _SIZE.unpack(await self._reader.readexactly(_SIZE.size))
        data = await self._reader.readexactly(size)
        try:
            return pickle.loads(data)
        except (TypeError, AttributeError, LookupError, pickle.UnpicklingError):
            return "unsaid", None

    def end(self) -> None:
        self._writer.close()
        self._process.kill()
        asyncio.get_running_loop().run_in_executor(None, self._process.wait)


_MAIN = "import sys; sys.path[:] = {!r}; from proxy.session.long_texts import serve; serve()"


async def _started(prepared: Sequence[Call]) -> _Process:
    process, channel = _spawned()
    made = _Process(process, *await asyncio.open_connection(sock=channel, limit=1 << 20))
    made.say(prepared)
    return made


def _spawned() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A process that serves the other end of a socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-P", "-c", _MAIN.format(sys.path)]
        return subprocess.Popen(command, stdin=theirs, stdout=subprocess.DEVNULL), ours


class SessionTexts:
    """One session's use of it."""

    def __init__(self, shared: LongTexts) -> None:
        self._shared = shared
        self._asked: asyncio.Task[Any] | None = None
        self._cancelled = False

    async def of(self, text: str, function: Callable[..., T], *others: Any) -> T:
        """`function(text, *others)`, here where the text is short. Raises 57014 when cancelled."""
        if is_long(text):
            return await self.aside(function, text, *others)
        return function(text, *others)

    async def aside(self, function: Callable[..., T], *arguments: Any, ask: Ask | None = None) -> T:
        """As `LongTexts.call`. Raises 57014 when cancelled."""
        self._cancelled = False
        self._asked = asyncio.ensure_future(self._shared.call(function, *arguments, ask=ask))
        try:
            return await self._asked
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            raise SqlError("57014", "canceling statement due to user request") from None
        finally:
            self._asked = None

    def cancel(self) -> None:
        if self._asked is not None:
            self._cancelled = True
            self._asked.cancel()


# --- in the process ------------------------------------------------------------------------------


def serve() -> None:
    """Does what the other end of standard input asks for, until that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's, which means the server
    with socket.socket(fileno=0) as stream, stream.makefile("rwb") as channel:

        def say(message: object) -> None:
            data = pickle.dumps(message)
            channel.write(_SIZE.pack(len(data)) + data)
            channel.flush()

        def heard() -> Any:
            (size,) = _SIZE.unpack(_exactly(channel, _SIZE.size))
            return pickle.loads(_exactly(channel, size))

        def ask(question: object) -> Any:
            say(("asks", question))
            return heard()

        try:
            for function, arguments in heard():
                function(*arguments)
            while True:
                function, arguments, asks = heard()
                answer: tuple[str, object]
                try:
                    answer = "given", function(*arguments, *([ask] if asks else ()))
                except SqlError as error:
                    answer = "raised", error
                except (EOFError, ConnectionError):
                    return
                except Exception as error:
                    answer = "failed", f"{type(error).__name__}: {error}"
                try:
                    say(answer)
                except (pickle.PicklingError, TypeError, AttributeError):
                    say(("unsaid", None))
        except (EOFError, ConnectionError):
            return


def _exactly(channel: Any, size: int) -> bytes:
    data = channel.read(size)
    if len(data) < size:
        raise EOFError
    return data
