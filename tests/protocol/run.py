"""Runs one case of a protocol script against one server and says where they part.

The runner does what the script says and nothing besides: it sends each pipeline in one piece,
compares message by message, and on the first difference raises `Mismatch` with everything that
was said on every session until then. It never waits for time to pass, only for an answer.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import client
from .client import Message, Wire
from .script import Case, ScriptError, Step, Token
from .spell import encode, fill, matches, show, show_token

CANCEL_INTERVAL = 0.2
"""Seconds to wait for the effect of one CancelRequest before the next: one that arrives before
the statement has begun is rightly ignored by the server."""


@dataclass(frozen=True)
class Target:
    """A server to test: where it is, whom to be there, and how its sessions start.

    `host` is a host name or the directory of a unix socket. `settings` are sent by every session
    that a test opens, as startup options. `version` is the major version of a real Postgres, 0
    for ours.
    """

    name: str
    host: str
    port: int
    user: str
    database: str
    version: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> str:
        """The settings as libpq's `options`."""
        return " ".join(f"-c {name}={value}" for name, value in self.settings.items())

    @property
    def names(self) -> dict[str, str]:
        return {"user": self.user, "database": self.database}


class Mismatch(AssertionError):
    """The server answered something else than the script says."""


def open_session(target: Target) -> Wire:
    """An ordinary session, started and waiting for its first query."""
    wire = Wire.connect(target.host, target.port)
    parameters = dict(target.names)
    if target.settings:
        parameters["options"] = target.options
    wire.send(client.startup(parameters))
    answers = wire.read_until(client.ReadyForQuery, client.ErrorResponse)
    if not isinstance(answers[-1], client.ReadyForQuery):
        raise Mismatch(f"no session: {answers[-1]}")
    return wire


def execute(target: Target, statements: list[str]) -> None:
    """Runs statements on a session of their own, each by itself; raises on the first error."""
    if not statements:
        return
    with open_session(target) as wire:
        for sql in statements:
            wire.send(client.query(sql))
            for answer in wire.read_until(client.ReadyForQuery):
                if isinstance(answer, client.ErrorResponse | client.Closed):
                    raise Mismatch(f"{sql}: {answer}")
        wire.send(client.terminate())


class Run:
    """The sessions of one case, and what was said on them."""

    def __init__(self, case: Case, target: Target) -> None:
        self.case = case
        self.target = target
        self.sessions: dict[str, Wire] = {}
        self.pending: dict[str, bytes] = {}
        self.arrived: defaultdict[str, deque[Message]] = defaultdict(deque)
        self.last: dict[str, Message] = {}
        self.transcript: list[str] = []

    def run(self) -> None:
        try:
            for step in self.case.steps:
                if step.applies(self.target.name, self.target.version):
                    WAYS[step.way](self, step)
            self.flush()
            self.check_idle()
        except client.BrokenMessage as error:
            raise self.mismatch(f"not a message of the protocol: {error}") from error
        finally:
            for wire in self.sessions.values():
                wire.close()

    def session(self, name: str) -> Wire:
        if name not in self.sessions:
            wire = (
                open_session(self.target)
                if self.case.connect
                else Wire.connect(self.target.host, self.target.port)
            )
            self.sessions[name] = wire
        return self.sessions[name]

    def send(self, step: Step) -> None:
        if any(name != step.session for name in self.pending):
            self.flush()
        self.transcript.append(f"    {step.text}")
        if step.kind == "Hangup":
            self.flush()
            self.session(step.session).close()
            del self.sessions[step.session]
            return
        self.session(step.session)
        encoded = encode(step.kind, step.tokens, self.target.names) * step.count
        self.pending[step.session] = self.pending.get(step.session, b"") + encoded

    def flush(self) -> None:
        for name, data in self.pending.items():
            self.session(name).send(data)
            self.last.pop(name, None)
        self.pending.clear()

    def receive(self, step: Step) -> Message:
        if self.arrived[step.session]:
            return self.arrived[step.session].popleft()
        return self.read(step)

    def read(self, step: Step) -> Message:
        wire = self.session(step.session)
        try:
            message = wire.read_byte() if step.kind == "Byte" else wire.read()
        except TimeoutError as error:
            raise self.mismatch("nothing came", step) from error
        self.last[step.session] = message
        self.transcript.append(f"    {step.session}< {show(message)}")
        return message

    def expect(self, step: Step) -> None:
        self.flush()
        if step.kind in SPECIAL:
            SPECIAL[step.kind](self, step)
            return
        for _ in range(step.count):
            message = self.receive(step)
            if not matches(step.kind, step.tokens, message):
                raise self.mismatch(f"came: {show(message)}", step)

    def allow(self, step: Step) -> None:
        self.flush()
        message = self.receive(step)
        if not matches(step.kind, step.tokens, message):
            self.arrived[step.session].appendleft(message)

    def allow_any(self, step: Step) -> None:
        self.flush()
        while matches(step.kind, step.tokens, message := self.receive(step)):
            pass
        self.arrived[step.session].appendleft(message)

    def expect_started(self, step: Step) -> None:
        authentication = self.receive(step)
        if authentication != client.Authentication(0, b""):
            raise self.mismatch(f"came: {show(authentication)}", step)
        while not isinstance(message := self.receive(step), client.ReadyForQuery):
            if not isinstance(message, client.ParameterStatus | client.BackendKeyData):
                raise self.mismatch(f"came: {show(message)}", step)
        if message.status != "I" or self.session(step.session).key is None:
            raise self.mismatch("no BackendKeyData, or not idle", step)

    def expect_status(self, step: Step) -> None:
        name, *wanted = fill(step.tokens, self.target.names)
        assert isinstance(name, bytes)
        value = self.session(step.session).statuses.get(name.decode())
        if value is None or not matches("CopyData", wanted, client.CopyData(value.encode())):
            raise self.mismatch(f"last reported: {value!r}", step)

    def expect_copy_stream(self, step: Step) -> None:
        data: list[Token] = []
        while not isinstance(message := self.receive(step), client.CopyDone):
            if not isinstance(message, client.CopyData):
                raise self.mismatch(f"came: {show(message)}", step)
            data.append(message.data)
        joined = b"".join(part for part in data if isinstance(part, bytes))
        wanted = b"".join(token for token in step.tokens if isinstance(token, bytes))
        if joined != wanted:
            raise self.mismatch(f"came: CopyStream {show_token(joined)}", step)

    def cancel(self, step: Step) -> None:
        self.flush()
        wire = self.session(step.session)
        assert wire.key is not None
        self.transcript.append(f"    {step.text}")
        if step.kind == "wrong-key":
            secret = bytes([wire.key.secret[0] ^ 0xFF]) + wire.key.secret[1:]
            self.request_cancel(step, secret)
            return
        while True:
            self.request_cancel(step, wire.key.secret)
            while wire.readable(CANCEL_INTERVAL):
                message = self.read(step)
                self.arrived[step.session].append(message)
                if isinstance(message, client.ErrorResponse | client.ReadyForQuery):
                    return

    def request_cancel(self, step: Step, secret: bytes) -> None:
        answer = self.session(step.session).cancel(secret)
        if answer != client.Closed():
            raise self.mismatch(f"came: {show(answer)}", step)

    def check_idle(self) -> None:
        """Nothing is left over: a Sync is answered by ReadyForQuery at once."""
        for name, wire in self.sessions.items():
            if self.arrived[name]:
                raise self.mismatch(f"left over on {name}: {show(self.arrived[name][0])}")
            if isinstance(self.last.get(name), client.ReadyForQuery):
                wire.send(client.sync())
                message = wire.read()
                if not isinstance(message, client.ReadyForQuery):
                    raise self.mismatch(f"left over on {name}: {show(message)}")
                wire.send(client.terminate())

    def mismatch(self, what: str, step: Step | None = None) -> Mismatch:
        where = f"{self.case.path.name}:{step.line if step else self.case.line}"
        wanted = f"wanted: {step.text}\n" if step else ""
        said = "\n".join(self.transcript[-60:])
        return Mismatch(f"{where} on {self.target.name}\n{wanted}{what}\nwas said:\n{said}")


WAYS = {
    ">": Run.send,
    "<": Run.expect,
    "<?": Run.allow,
    "<*": Run.allow_any,
    "send": lambda run, _: run.flush(),
    "cancel": Run.cancel,
}
SPECIAL = {
    "Started": Run.expect_started,
    "Status": Run.expect_status,
    "CopyStream": Run.expect_copy_stream,
}


def run_case(case: Case, target: Target) -> None:
    """Runs a case. Raises Mismatch where the server and the script part."""
    if not any(step.way != ">" for step in case.steps):
        raise ScriptError(f"{case.id} expects nothing")
    execute(target, case.clean + case.setup)
    try:
        Run(case, target).run()
    finally:
        execute(target, case.clean)
