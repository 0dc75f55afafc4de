"""COPY's options: one value of everything that changes its bytes, checked as Postgres checks it.

The order of the checks and their SQLSTATEs are those of ProcessCopyOptions in Postgres 15, because
a statement that is wrong twice must be refused for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from proxy.errors import SqlError

Given = Iterable[tuple[str, str | tuple[str, ...]]]
"""Options as they were written: name in lower case, value as text, `true` where only a name stood;
columns as a tuple, `("*",)` for all."""


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """format: 'text', 'csv' or 'binary'. delimiter, quote, escape: one byte each.

    null: the text of NULL. header: False, True or 'match'. force_*: names of columns, or None for
    all of them.
    """

    format: str = "text"
    delimiter: bytes = b"\t"
    null: bytes = b"\\N"
    quote: bytes = b'"'
    escape: bytes = b'"'
    header: bool | str = False
    force_quote: tuple[str, ...] | None = ()
    force_not_null: tuple[str, ...] = ()
    force_null: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        return self.format == "binary"

    @property
    def csv(self) -> bool:
        return self.format == "csv"

    def check_columns(
        self, names: Sequence[str], every: Sequence[str] = (), relation: str = ""
    ) -> None:
        """Raises 42P10 where FORCE_* names a column that is not copied, 42703 where there is none.

        names: of the columns that are copied. every: of all that the relation has.
        """
        of = f' of relation "{relation}"' if relation else ""
        for option, forced in (
            ("FORCE_QUOTE", self.force_quote or ()),
            ("FORCE_NOT_NULL", self.force_not_null),
            ("FORCE_NULL", self.force_null),
        ):
            for name in forced:
                if name not in (every or names):
                    raise SqlError("42703", f'column "{name}"{of} does not exist')
                if name not in names:
                    raise SqlError("42P10", f'{option} column "{name}" not referenced by COPY')


_FORMATS = ("text", "csv", "binary")
_BOOLEANS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


def _format(value: str, incoming: bool) -> str:
    if value not in _FORMATS:
        raise SqlError("22023", f'COPY format "{value}" not recognized')
    return value


def _header(value: str, incoming: bool) -> bool | str:
    word = value.lower()
    if word == "match":
        if not incoming:
            raise SqlError("0A000", f'cannot use "{value}" with HEADER in COPY TO')
        return word
    if word not in _BOOLEANS:
        raise SqlError("42601", 'header requires a Boolean value or "match"')
    return _BOOLEANS[word]


def _freeze(value: str, incoming: bool) -> bool:
    if value.lower() not in _BOOLEANS:
        raise SqlError("42601", "freeze requires a Boolean value")
    return _BOOLEANS[value.lower()]


_UTF8 = ("utf8", "unicode", "sqlascii")
_OTHER_ENCODINGS = ("latin", "iso", "win", "koi8", "euc", "sjis", "big5", "gb", "uhc", "johab")


def _encoding(value: str, incoming: bool) -> None:
    """SQL_ASCII is taken as what it is here: bytes that must be UTF-8."""
    plain = "".join(character for character in value.lower() if character.isalnum())
    if plain in _UTF8:
        return
    if plain.startswith(_OTHER_ENCODINGS) or plain in ("alt", "mule", "muleinternal", "shiftjis"):
        raise SqlError("0A000", f'COPY with encoding "{value}" is not supported', hint="Use UTF8.")
    raise SqlError("22023", 'argument to option "encoding" must be a valid encoding name')


def _text(value: str, incoming: bool) -> bytes:
    return value.encode()


_SCALARS: dict[str, Callable[[str, bool], object]] = {
    "format": _format,
    "header": _header,
    "freeze": _freeze,
    "encoding": _encoding,
    "delimiter": _text,
    "null": _text,
    "quote": _text,
    "escape": _text,
}
_LATER = {"default": None, "on_error": "stop", "log_verbosity": "default", "reject_limit": None}
"""Options of later versions, and what says no more than leaving them out."""
_LISTS = ("force_quote", "force_not_null", "force_null")


def copy_options(given: Given, *, incoming: bool) -> CopyOptions:
    """What the options of one COPY mean; incoming for COPY FROM.

    Raises SqlError 42601, 22023 or 0A000, as Postgres does.
    """
    read: dict[str, object] = {}
    forced: dict[str, tuple[str, ...]] = {}
    for name, value in given:
        if name in _LISTS:
            if not isinstance(value, tuple) or (value == ("*",) and name != "force_quote"):
                raise SqlError(
                    "22023", f'argument to option "{name}" must be a list of column names'
                )
            forced[name] = value
        elif name in _SCALARS:
            assert isinstance(value, str)
            read[name] = _SCALARS[name](value, incoming)
        elif name in _LATER:
            if value != _LATER[name]:
                raise SqlError("0A000", f'COPY with option "{name}" is not supported')
        else:
            raise SqlError("42601", f'option "{name}" not recognized')
    kind = str(read.get("format", "text"))
    csv = kind == "csv"
    if kind == "binary":
        for name in ("delimiter", "null"):
            if name in read:
                raise SqlError("42601", f"cannot specify {name.upper()} in BINARY mode")
    delimiter = _bytes(read, "delimiter", b"," if csv else b"\t")
    null = _bytes(read, "null", b"" if csv else b"\\N")
    quote = _bytes(read, "quote", b'"')
    escape = _bytes(read, "escape", quote)
    _check_separators(delimiter, null, csv)
    header = read.get("header", False)
    if kind == "binary" and header:
        raise SqlError("0A000", "cannot specify HEADER in BINARY mode")
    for name in ("quote", "escape"):
        if name in read and not csv:
            raise SqlError("0A000", f"COPY {name} available only in CSV mode")
    if csv and len(quote) != 1:
        raise SqlError("0A000", "COPY quote must be a single one-byte character")
    if csv and delimiter == quote:
        raise SqlError("22023", "COPY delimiter and quote must be different")
    if csv and len(escape) != 1:
        raise SqlError("0A000", "COPY escape must be a single one-byte character")
    _check_forced(forced, csv, incoming)
    if delimiter in null:
        raise SqlError("0A000", "COPY delimiter must not appear in the NULL specification")
    if csv and quote in null:
        raise SqlError("0A000", "CSV quote character must not appear in the NULL specification")
    quoted = forced.get("force_quote", ())
    return CopyOptions(
        kind,
        delimiter,
        null,
        quote,
        escape,
        header if isinstance(header, bool | str) else False,
        None if quoted == ("*",) else quoted,
        forced.get("force_not_null", ()),
        forced.get("force_null", ()),
    )


def _bytes(read: dict[str, object], name: str, default: bytes) -> bytes:
    value = read.get(name, default)
    assert isinstance(value, bytes)
    return value


def _check_separators(delimiter: bytes, null: bytes, csv: bool) -> None:
    if len(delimiter) != 1:
        raise SqlError("0A000", "COPY delimiter must be a single one-byte character")
    if delimiter in b"\r\n":
        raise SqlError("22023", "COPY delimiter cannot be newline or carriage return")
    if b"\r" in null or b"\n" in null:
        raise SqlError("22023", "COPY null representation cannot use newline or carriage return")
    if not csv and delimiter in b"\\.abcdefghijklmnopqrstuvwxyz0123456789":
        raise SqlError("22023", f'COPY delimiter cannot be "{delimiter.decode()}"')


def _check_forced(forced: dict[str, tuple[str, ...]], csv: bool, incoming: bool) -> None:
    """Which way each FORCE_* makes sense, and that it needs CSV."""
    for name, needs_incoming in zip(_LISTS, (False, True, True), strict=True):
        if name not in forced:
            continue
        words = name.replace("_", " ")
        if not csv:
            raise SqlError("0A000", f"COPY {words} available only in CSV mode")
        if incoming is not needs_incoming:
            way = "FROM" if needs_incoming else "TO"
            raise SqlError("0A000", f"COPY {words} only available using COPY {way}")
