"""Protocol scripts: what a client sends and what must come back, as text that a person reads.

A file under `scripts/` is one topic; a line `== title` starts a case. Each case runs on sessions
of its own, is first proven against a real Postgres and then demanded of our server.

    == a portal with a row limit is suspended and resumed
    tables: limits
    setup: create table limits (n int4)
    > Parse "" "select n from limits order by n"
    > Bind "" ""
    > Execute "" 2
    > Sync
    < ParseComplete
    < BindComplete
    < 2 DataRow *
    < PortalSuspended
    < ReadyForQuery I

Lines of a case
    `> Message arguments`   sent. Consecutive lines go out in one piece: a pipeline.
    `< Message arguments`   must be the next message that arrives.
    `< 3 Message ...`       must arrive three times in a row.
    `<? Message ...`        may be the next message: versions of Postgres differ there.
    `<* Message ...`        any number of such messages, none included.
    `b> ...`, `b< ...`      the same on a second session (any letter; `a` where none is given).
    `send`                  what is pending goes out now, in a piece of its own.
    `cancel a`              CancelRequests with a's key until a has an error or is ready.
    `cancel a wrong-key`    one CancelRequest with a changed secret: closed without an answer.
    `tables: t u`           dropped before and after the case, on a session apart.
    `clean: sql`            run before and after the case, where a table is not all there is to drop.
    `setup: sql`            run before the case, on a session apart.
    `only: hatidata`        the whole case is for one target (and the reason stands beside it).
    `connect: none`         sessions begin with the socket alone: nothing is sent for them.
    `[postgres<18] > ...`   the line counts for that target (and server version) alone.
    `# ...`                 a comment.
A session opens at its first line with an ordinary startup, answered up to ReadyForQuery. When the
case ends, every session that waits for a query must be idle: a Sync is answered by ReadyForQuery
and by nothing that was left over.

Arguments are words, "strings" (escapes \\n \\t \\r \\0 \\\\ \\" \\xNN), bytes 0x00ff, NULL, and `*`,
which as an expectation is any value and as the last one is any number of further values.
"ab"*3 repeats. {user} and {database} stand for the target's.

Sent
    Query sql... (joined) | Parse name sql [type...] | Bind portal statement [value...] [formats=0,1]
    [results=1] | Describe statement|portal name | Execute portal [limit] | Close
    statement|portal name | Flush | Sync | Terminate | CopyData bytes... | CopyDone | CopyFail reason |
    Startup 3.0 [name=value...] | SSLRequest | GSSENCRequest | CancelRequest pid secret |
    Message type payload... | Bytes bytes... | Hangup (closes the socket)
Expected
    RowDescription name:type[(typmod)][/format]...   type size is checked with the type; table oids
                            and column numbers legitimately differ and are not
    ParameterDescription type... | DataRow value... | CommandComplete tag | ReadyForQuery I|T|E
    ErrorResponse ERROR 42P01 [message="..."] [detail=...] [hint=...] [position=...]
    NoticeResponse WARNING 25P01 [...]     only the fields that are named are compared
    ParameterStatus name value | NegotiateProtocolVersion 3.0 [option...] | Authentication code |
    CopyInResponse|CopyOutResponse text|binary format... | CopyData bytes | CopyDone |
    ParseComplete | BindComplete | CloseComplete | NoData | PortalSuspended | EmptyQueryResponse
    Started                 Authentication 0 ... ReadyForQuery I, with any ParameterStatus between
    Status name value       no message: what the last ParameterStatus of that name said
    CopyStream bytes        all CopyData up to CopyDone, joined: where rows are cut is free
    Byte N | Closed
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

WILD = object()
"""The token `*`."""

Token = bytes | None | object

_TOKEN = re.compile(
    rb"""\s*(?:
      (?P<prefix>[A-Za-z_]+=)?"(?P<string>(?:[^"\\]|\\.)*)"(?:\*(?P<times>\d+))?
    | 0x(?P<hex>[0-9a-fA-F]*)(?=\s|$)
    | (?P<word>[^\s"]+)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0", b"\\": b"\\", b'"': b'"'}
_STEP = re.compile(
    r"(?:\[(?P<target>\w+)(?:(?P<op><|>=)(?P<version>\d+))?\]\s*)?"
    r"(?P<session>[a-z])?(?P<way>>|<[?*]?)\s+(?:(?P<count>\d+)\s+)?(?P<kind>[\w?]+)(?P<rest>.*)"
)
_DIRECTIVES = ("tables", "clean", "setup", "only", "connect")


class ScriptError(ValueError):
    """The script itself is malformed."""


@dataclass(frozen=True)
class Step:
    """One line. `way` is `>` (send), `<` (expect), `<?` (optional), `<*` (any number), `send` or `cancel`."""

    line: int
    text: str
    session: str
    way: str
    kind: str
    tokens: tuple[Token, ...] = ()
    count: int = 1
    target: str | None = None
    version: tuple[str, int] | None = None

    def applies(self, target: str, version: int) -> bool:
        if self.target is not None and self.target != target:
            return False
        if self.version is None:
            return True
        operator, bound = self.version
        return version < bound if operator == "<" else version >= bound


@dataclass
class Case:
    """One `==` section of a script."""

    path: Path
    title: str
    line: int
    steps: list[Step] = field(default_factory=list)
    clean: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    only: str | None = None
    connect: bool = True

    @property
    def id(self) -> str:
        return f"{self.path.stem}/{re.sub(r'[^a-z0-9]+', '_', self.title.lower()).strip('_')}"


def unescape(raw: bytes) -> bytes:
    """The bytes that a quoted token stands for."""

    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1] == b"x" and len(code) == 3:
            return bytes([int(code[1:], 16)])
        if code not in _PLAIN:
            raise ScriptError(f"unknown escape \\{code.decode()}")
        return _PLAIN[code]

    return _ESCAPE.sub(one, raw)


def tokens(text: str) -> tuple[Token, ...]:
    """The arguments of one line."""
    raw, at, found = text.strip().encode(), 0, []
    while at < len(raw):
        match = _TOKEN.match(raw, at)
        if match is None:
            raise ScriptError(f"cannot read {raw[at:].decode()!r}")
        at = match.end()
        if match["string"] is not None:
            value = unescape(match["string"]) * int(match["times"] or 1)
            found.append((match["prefix"] or b"") + value)
        elif match["hex"] is not None:
            found.append(bytes.fromhex(match["hex"].decode()))
        else:
            found.append({b"*": WILD, b"NULL": None}.get(match["word"], match["word"]))
    return tuple(found)


def _step(line: int, text: str) -> Step:
    if text == "send":
        return Step(line, text, "", "send", "")
    if text.startswith("cancel "):
        session, *flags = text.split()[1:]
        return Step(line, text, session, "cancel", flags[0] if flags else "key")
    match = _STEP.fullmatch(text)
    if match is None:
        raise ScriptError(f"line {line}: neither a step nor a directive: {text!r}")
    version = (match["op"], int(match["version"])) if match["op"] else None
    return Step(
        line,
        text,
        match["session"] or "a",
        match["way"],
        match["kind"],
        tokens(match["rest"]),
        int(match["count"] or 1),
        match["target"],
        version,
    )


def _directive(case: Case, name: str, value: str) -> None:
    match name:
        case "tables":
            case.clean += [f"drop table if exists {table}" for table in value.split()]
        case "clean":
            case.clean.append(value)
        case "setup":
            case.setup.append(value)
        case "only":
            case.only = value.split()[0]
        case "connect":
            if value != "none":
                raise ScriptError(f"connect: {value}?")
            case.connect = False


def read(path: Path) -> Iterator[Case]:
    """The cases of a file. Raises ScriptError with the line for anything it cannot read."""
    case: Case | None = None
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        text = raw.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("== "):
            if case is not None:
                yield case
            case = Case(path, text[3:], number)
            continue
        if case is None:
            raise ScriptError(f"{path.name}:{number}: a line before the first case: {text!r}")
        name, colon, value = text.partition(":")
        try:
            if colon and name in _DIRECTIVES:
                _directive(case, name, value.strip())
            else:
                case.steps.append(_step(number, text))
        except ScriptError as error:
            raise ScriptError(f"{path.name}:{number}: {error}") from error
    if case is not None:
        yield case
