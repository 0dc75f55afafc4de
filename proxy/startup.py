"""The first packets of a connection: what a client may ask before it is a session.

TLS is begun where the server has a certificate and declined elsewhere, a cancel request is acted on without an answer, protocol 3.2 and
later are negotiated down to 3.0, and the startup parameters become settings a session begins with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from proxy.errors import SqlError
from proxy.link import ClientLink
from proxy.session.settings import is_custom, known
from proxy.wire import messages as m


class Greeting(NamedTuple):
    """Who came and what for; settings as (name, value), to be judged by the session."""

    user: str
    database: str
    settings: tuple[tuple[str, str], ...]


async def greet(
    link: ClientLink, cancel: Callable[[int, bytes], Awaitable[None]]
) -> Greeting | None:
    """Reads packets up to the startup packet. None when there is nothing to start.

    Raises FATAL errors: 08P01 for garbage, 0A000 for another protocol, 28000 without a user.
    """
    declined: set[type] = set()
    while (packet := await link.startup_packet()) is not None:
        request = m.decode_startup(packet)
        if isinstance(request, m.SslRequest | m.GssEncRequest):
            if type(request) in declined:  # asked again it is no known version of the protocol
                return _read(link, m.Startup(1234, 5679, {}))
            begins = isinstance(request, m.SslRequest) and link.tls is not None and not link.secured
            link.write(b"S" if begins else b"N")
            if link.protocol.buffered:
                raise m.protocol_violation(
                    "received unencrypted data after SSL request", severity="FATAL"
                )
            if begins:
                link.secure()
            else:
                declined.add(type(request))
        elif isinstance(request, m.CancelRequest):
            await cancel(request.pid, request.key)
            return None
        else:
            return _read(link, request)
    return None


def _read(link: ClientLink, startup: m.Startup) -> Greeting:
    if startup.major != m.PROTOCOL_3:
        raise SqlError(
            "0A000",
            f"unsupported frontend protocol {startup.major}.{startup.minor}: "
            "server supports 3.0 to 3.0",
            severity="FATAL",
        )
    parameters = dict(startup.parameters)
    extensions = [name for name in parameters if name.startswith("_pq_.")]
    if startup.minor > 0 or extensions:
        link.write(m.negotiate_protocol_version(0, extensions))
    user = parameters.pop("user", "")
    if not user:
        raise SqlError(
            "28000", "no PostgreSQL user name specified in startup packet", severity="FATAL"
        )
    database = parameters.pop("database", "") or user
    if parameters.pop("replication", "false").lower() not in ("false", "off", "no", "0"):
        raise SqlError("0A000", "replication connections are not supported", severity="FATAL")
    options = _options(parameters.pop("options", ""))
    given = [
        (name, value)
        for name, value in parameters.items()
        # A driver's own start-up parameter that nobody knows is tolerated.
        if name not in extensions and (known(name) or is_custom(name))
    ]
    return Greeting(user, database, (*options, *given))


def _options(text: str) -> list[tuple[str, str]]:
    """`-c name=value --name=value`, blanks escaped by a backslash. Raises FATAL 42601."""
    settings = []
    words = iter(_words(text))
    for word in words:
        if word == "-c":
            word = next(words, "")
        elif word.startswith(("-c", "--")):
            word = word[2:]
        else:
            raise SqlError(
                "42601",
                f"invalid command-line argument for server process: {word}",
                severity="FATAL",
            )
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise SqlError("42601", f"-c {word} requires a value", severity="FATAL")
        settings.append((name.replace("-", "_"), value))
    return settings


def _words(text: str) -> list[str]:
    """Splits at blanks that no backslash precedes, as Postgres's pg_split_opts does."""
    words: list[str] = []
    word, escaped, started = [], False, False
    for character in text:
        if escaped or (character != "\\" and not character.isspace()):
            word.append(character)
            escaped, started = False, True
        elif character == "\\":
            escaped, started = True, True
        elif started:
            words.append("".join(word))
            word, started = [], False
    if started:
        words.append("".join(word))
    return words
