"""Between a script's words and the protocol's bytes: how each message is written in a script.

`encode` turns a `>` line into bytes, `spell` turns a message that arrived into the tokens that a
`<` line would have, and `matches` compares the two. Numbers that a reader would have to look up
(type OIDs, typmods, protocol versions) have names here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from . import client
from .client import Column, Message
from .script import WILD, ScriptError, Token

TYPES: dict[str, tuple[int, int]] = {
    "bool": (16, 1),
    "bytea": (17, -1),
    "name": (19, 64),
    "int8": (20, 8),
    "int2": (21, 2),
    "int4": (23, 4),
    "text": (25, -1),
    "oid": (26, 4),
    "json": (114, -1),
    "float4": (700, 4),
    "float8": (701, 8),
    "unknown": (705, -2),
    "bpchar": (1042, -1),
    "varchar": (1043, -1),
    "date": (1082, 4),
    "time": (1083, 8),
    "timestamp": (1114, 8),
    "timestamptz": (1184, 8),
    "interval": (1186, 16),
    "timetz": (1266, 12),
    "bit": (1560, -1),
    "varbit": (1562, -1),
    "numeric": (1700, -1),
    "void": (2278, 4),
    "uuid": (2950, 16),
    "jsonb": (3802, -1),
    "bool[]": (1000, -1),
    "bytea[]": (1001, -1),
    "int2[]": (1005, -1),
    "int4[]": (1007, -1),
    "text[]": (1009, -1),
    "varchar[]": (1015, -1),
    "int8[]": (1016, -1),
    "float4[]": (1021, -1),
    "float8[]": (1022, -1),
    "timestamp[]": (1115, -1),
    "date[]": (1182, -1),
    "timestamptz[]": (1185, -1),
    "numeric[]": (1231, -1),
    "uuid[]": (2951, -1),
    "jsonb[]": (3807, -1),
}
"""Name -> (OID, typlen)."""

OIDS = {name: oid for name, (oid, _) in TYPES.items()} | {"unspecified": 0}
_BY_OID = {oid: (name, size) for name, (oid, size) in TYPES.items()}
_HEADED = {1042, 1043, 1015}
_SECTIONS = {"statement": b"S", "portal": b"P"}
_COPY_FORMATS = {0: b"text", 1: b"binary"}
_FIELDS = {
    "M": "message",
    "D": "detail",
    "H": "hint",
    "P": "position",
    "W": "where",
    "s": "schema",
    "t": "table",
    "c": "column",
    "d": "datatype",
    "n": "constraint",
}

# ---- sent


def _number(token: Token) -> int:
    return int(_bytes(token))


def _bytes(token: Token) -> bytes:
    if not isinstance(token, bytes):
        raise ScriptError(f"a value is needed, not {token!r}")
    return token


def _oid(token: Token) -> int:
    word = _bytes(token).decode()
    return OIDS[word] if word in OIDS else int(word)


def _version(token: Token) -> int:
    major, minor = _bytes(token).split(b".")
    return int(major) << 16 | int(minor)


def _bind(portal: Token, statement: Token, *rest: Token) -> bytes:
    codes: dict[bytes, list[int]] = {b"formats": [], b"results": []}
    values: list[bytes | None] = []
    for token in rest:
        name, equals, listed = (
            token.partition(b"=") if isinstance(token, bytes) else (b"", b"", b"")
        )
        if equals and name in codes:
            codes[name] = [int(code) for code in listed.split(b",")]
        else:
            values.append(None if token is None else _bytes(token))
    return client.bind(
        _bytes(portal), _bytes(statement), values, codes[b"formats"], codes[b"results"]
    )


def _startup(version: Token, *rest: Token) -> bytes:
    pairs = [_bytes(token).decode().partition("=") for token in rest]
    return client.startup([(name, value) for name, _, value in pairs], _version(version))


def _section(encoder: Callable[[bytes, bytes], bytes]) -> Callable[[Token, Token], bytes]:
    return lambda what, name: encoder(_SECTIONS[_bytes(what).decode()], _bytes(name))


ENCODERS: dict[str, Callable[..., bytes]] = {
    "Query": lambda *sql: client.query(b"".join(_bytes(part) for part in sql)),
    "Parse": lambda name, sql, *types: client.parse(
        _bytes(name), _bytes(sql), [_oid(token) for token in types]
    ),
    "Bind": _bind,
    "Describe": _section(client.describe),
    "Close": _section(client.close),
    "Execute": lambda portal, limit=b"0": client.execute(_bytes(portal), _number(limit)),
    "Flush": client.flush,
    "Sync": client.sync,
    "Terminate": client.terminate,
    "CopyData": lambda *data: client.copy_data(b"".join(_bytes(part) for part in data)),
    "CopyDone": client.copy_done,
    "CopyFail": lambda reason: client.copy_fail(_bytes(reason)),
    "Startup": _startup,
    "SSLRequest": client.ssl_request,
    "GSSENCRequest": client.gssenc_request,
    "CancelRequest": lambda pid, secret: client.cancel_request(_number(pid), _bytes(secret)),
    "Message": lambda kind, *payload: client.message(
        _bytes(kind), b"".join(_bytes(part) for part in payload)
    ),
    "Bytes": lambda *parts: b"".join(_bytes(part) for part in parts),
}


def fill(tokens: Sequence[Token], names: Mapping[str, str]) -> list[Token]:
    """The tokens with {user} and {database} replaced."""
    filled = list(tokens)
    for name, value in names.items():
        marker = b"{%s}" % name.encode()
        filled = [t.replace(marker, value.encode()) if isinstance(t, bytes) else t for t in filled]
    return filled


def encode(kind: str, tokens: Sequence[Token], names: Mapping[str, str]) -> bytes:
    """The bytes of a `>` line; `names` replaces {user} and {database}."""
    if kind not in ENCODERS:
        raise ScriptError(f"no frontend message {kind!r}")
    return ENCODERS[kind](*fill(tokens, names))


# ---- received


def _column_type(oid: int, size: int, typmod: int) -> str:
    name, known_size = _BY_OID.get(oid, (f"oid{oid}", size))
    if size != known_size:
        name += f"!size={size}"
    if typmod == -1:
        return name
    if oid in (1700, 1231):
        return f"{name}({typmod - 4 >> 16},{typmod - 4 & 0xFFFF})"
    return f"{name}({typmod - 4 if oid in _HEADED else typmod})"


def _column(column: Column) -> bytes:
    kind = _column_type(column.type_oid, column.typlen, column.typmod)
    suffix = f"/{column.format}" if column.format else ""
    return f"{column.name}:{kind}{suffix}".encode()


def _fields(fields: Mapping[str, str]) -> list[Token]:
    named = [f"{_FIELDS[code]}={text}".encode() for code, text in fields.items() if code in _FIELDS]
    return [fields["S"].encode(), fields["C"].encode(), *named]


def _version_word(version: int) -> bytes:
    return f"{version >> 16}.{version & 0xFFFF}".encode()


def _copy(formats: client.CopyInResponse | client.CopyOutResponse) -> list[Token]:
    return [_COPY_FORMATS[formats.format], *(str(code).encode() for code in formats.columns)]


SPELLINGS: dict[type, Callable[..., list[Token]]] = {
    client.Authentication: lambda m: [str(m.code).encode()],
    client.BackendKeyData: lambda m: [],
    client.ParameterStatus: lambda m: [m.name.encode(), m.value.encode()],
    client.NegotiateProtocolVersion: lambda m: [
        _version_word(m.version),
        *(option.encode() for option in m.options),
    ],
    client.ReadyForQuery: lambda m: [m.status.encode()],
    client.RowDescription: lambda m: [_column(column) for column in m.columns],
    client.DataRow: lambda m: list(m.values),
    client.CommandComplete: lambda m: [m.tag.encode()],
    client.ErrorResponse: lambda m: _fields(m.fields),
    client.NoticeResponse: lambda m: _fields(m.fields),
    client.NotificationResponse: lambda m: [m.channel.encode(), m.payload.encode()],
    client.ParameterDescription: lambda m: [
        _BY_OID.get(oid, (str(oid), 0))[0].encode() for oid in m.type_oids
    ],
    client.CopyInResponse: _copy,
    client.CopyOutResponse: _copy,
    client.CopyBothResponse: _copy,
    client.CopyData: lambda m: [m.data],
    client.FunctionCallResponse: lambda m: [m.value],
    client.Byte: lambda m: [m.value],
}


def spell(message: Message) -> tuple[str, list[Token]]:
    """A message as the kind and the tokens of a `<` line."""
    tokens = SPELLINGS.get(type(message), lambda _: [])(message)
    return type(message).__name__, tokens


def matches(kind: str, expected: Sequence[Token], message: Message) -> bool:
    """Whether a `<` line describes this message."""
    actual_kind, actual = spell(message)
    if kind != actual_kind:
        return False
    if kind in ("ErrorResponse", "NoticeResponse"):
        named = actual[2:]
        return _same(expected[:2], actual[:2]) and all(token in named for token in expected[2:])
    if expected and expected[-1] is WILD and len(actual) >= len(expected) - 1:
        expected, actual = expected[:-1], actual[: len(expected) - 1]
    return _same(expected, actual)


def _same(expected: Sequence[Token], actual: Sequence[Token]) -> bool:
    return len(expected) == len(actual) and all(
        want is WILD or want == got for want, got in zip(expected, actual, strict=True)
    )


def show_token(token: Token) -> str:
    """A token as a script would write it."""
    if token is None or token is WILD:
        return "NULL" if token is None else "*"
    assert isinstance(token, bytes)
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return "0x" + token.hex()
    if any(char < " " and char not in "\n\t\r" for char in text):
        return "0x" + token.hex()
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(char, escape)
    return f'"{text}"'


_BARE = {
    "RowDescription",
    "ParameterDescription",
    "ReadyForQuery",
    "CopyInResponse",
    "CopyOutResponse",
    "Authentication",
    "NegotiateProtocolVersion",
    "Byte",
}


def show(message: Message, fields: Collection[Token] | None = None) -> str:
    """A message as the `<` line that would expect it; of an error only these `fields`, or all."""
    kind, tokens = spell(message)
    if kind in ("ErrorResponse", "NoticeResponse"):
        shown = [token.decode() for token in tokens[:2] if isinstance(token, bytes)]
        for token in tokens[2:]:
            assert isinstance(token, bytes)
            name, _, value = token.partition(b"=")
            if fields is None or name in fields:
                shown.append(f"{name.decode()}={show_token(value)}")
    else:
        shown = [_show_bare(token) if kind in _BARE else show_token(token) for token in tokens]
    return " ".join([kind, *shown])


def _show_bare(token: Token) -> str:
    quoted = show_token(token)
    bare = quoted[1:-1]
    plain = quoted.startswith('"') and bare and not any(c in ' "\\' for c in bare)
    return bare if plain else quoted
