"""File formats: the options of CSV, JSON and PARQUET, their defaults, and which are honoured.

Why it exists: an option that is taken and then not followed gives other rows than Snowflake's. So one
table says of each option what it may be; whatever the reading and the writing of files do not follow
is refused (0A000) unless it says what is done anyway.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.errors import SqlError
from proxy.sql.snowflake.stage_actions import Value

_COMPRESSIONS = (
    *("AUTO", "GZIP", "BZ2", "BROTLI", "ZSTD", "DEFLATE", "RAW_DEFLATE", "NONE", "SNAPPY", "LZO"),
)
_LEAST_HEX = 4  # characters of '0x5e' and '\x5e'


@dataclass(frozen=True, slots=True)
class FileFormat:
    """type: 'CSV', 'JSON' or 'PARQUET'; options: every option of that type, by name."""

    type: str
    options: Mapping[str, Any]
    given: frozenset[str] = frozenset()  # those that were said

    def __getitem__(self, name: str) -> Any:
        return self.options[name]


def _flag(value: Value) -> bool:
    text = str(value).upper()
    if text not in ("TRUE", "FALSE"):
        raise ValueError("TRUE or FALSE")
    return text == "TRUE"


def _count(value: Value) -> int:
    if not str(value).isdigit():
        raise ValueError("a number")
    return int(str(value))


def _none(value: Value) -> bool:
    return isinstance(value, str) and value.upper() == "NONE"


def _characters(value: Value) -> str | None:
    """A delimiter: the characters themselves, or an escape that stands for one."""
    if _none(value):
        return None
    if not isinstance(value, str) or not value:
        raise ValueError("characters, or NONE")
    return _unescaped(value)


def _unescaped(value: str) -> str:
    named = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\", "\\r\\n": "\r\n", "\\f": "\f"}
    if value in named:
        return named[value]
    hexadecimal = value[2:] if value[:2].lower() in ("0x", "\\x") else ""
    try:
        if len(value) >= _LEAST_HEX and hexadecimal:
            return bytes.fromhex(hexadecimal).decode()
        if value[0] == "\\" and value[1:].isdigit() and len(value) == _LEAST_HEX:
            return chr(int(value[1:], 8))
    except ValueError:
        raise ValueError("characters, or their code") from None
    return value


def _character(value: Value) -> str | None:
    found = _characters(value)
    if found is not None and (len(found) != 1 or not found.isascii()):
        raise ValueError("one ASCII character, or NONE")
    return found


def _enclosing(value: Value) -> str | None:
    if value == "":
        return None
    found = _character(value)
    if found not in (None, '"', "'"):
        raise ValueError("a single or a double quote, or NONE")
    return found


def _texts(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _model(value: Value) -> str:
    return str(value)


def _encoding(value: Value) -> str:
    name = str(value).upper().replace("-", "").replace("_", "")
    known = {"UTF8": "utf-8", "UTF16": "utf-16", "UTF32": "utf-32", "UTF16BE": "utf-16-be"}
    known |= {"UTF16LE": "utf-16-le", "UTF32BE": "utf-32-be", "UTF32LE": "utf-32-le"}
    try:
        return known.get(name) or codecs.lookup(str(value)).name
    except LookupError:
        raise ValueError("an encoding") from None


def _one_of(*names: str) -> Callable[[Value], str]:
    def read(value: Value) -> str:
        if str(value).upper() not in names:
            raise ValueError("one of " + ", ".join(names))
        return str(value).upper()

    return read


@dataclass(frozen=True, slots=True)
class _Option:
    """only: the value that is followed; any other is refused. None: all are."""

    default: Any
    read: Callable[[Value], Any]
    only: Any = None


_ALL = {
    "TRIM_SPACE": _Option(False, _flag),
    "DATE_FORMAT": _Option("AUTO", _model),
    "TIME_FORMAT": _Option("AUTO", _model),
    "TIMESTAMP_FORMAT": _Option("AUTO", _model),
    "BINARY_FORMAT": _Option("HEX", _one_of("HEX", "BASE64", "UTF8", "UTF-8")),
    "MULTI_LINE": _Option(True, _flag, only=True),
    "FILE_EXTENSION": _Option(None, lambda value: None if _none(value) else str(value)),
    "REPLACE_INVALID_CHARACTERS": _Option(False, _flag),
    "SKIP_BYTE_ORDER_MARK": _Option(True, _flag, only=True),
}
_PACKED = _Option("AUTO", _one_of(*_COMPRESSIONS[:8]))

_TYPES: dict[str, dict[str, _Option]] = {
    "CSV": {
        **_ALL,
        "COMPRESSION": _PACKED,
        "RECORD_DELIMITER": _Option("\n", _characters),
        "FIELD_DELIMITER": _Option(",", _characters),
        "PARSE_HEADER": _Option(False, _flag),
        "SKIP_HEADER": _Option(0, _count),
        "SKIP_BLANK_LINES": _Option(False, _flag),
        "ESCAPE": _Option(None, _character),
        "ESCAPE_UNENCLOSED_FIELD": _Option("\\", _character),
        "FIELD_OPTIONALLY_ENCLOSED_BY": _Option(None, _enclosing),
        "NULL_IF": _Option(("\\N",), _texts),
        "ERROR_ON_COLUMN_COUNT_MISMATCH": _Option(True, _flag),
        "EMPTY_FIELD_AS_NULL": _Option(True, _flag),
        "ENCODING": _Option("utf-8", _encoding),
        "VALIDATE_UTF8": _Option(True, _flag, only=True),
    },
    "JSON": {
        **_ALL,
        "TRIM_SPACE": _Option(False, _flag, only=False),
        "COMPRESSION": _PACKED,
        "NULL_IF": _Option((), _texts, only=()),
        "ENABLE_OCTAL": _Option(False, _flag, only=False),
        "ALLOW_DUPLICATE": _Option(False, _flag, only=False),
        "STRIP_OUTER_ARRAY": _Option(False, _flag),
        "STRIP_NULL_VALUES": _Option(False, _flag, only=False),
        "IGNORE_UTF8_ERRORS": _Option(False, _flag),
    },
    "PARQUET": {
        "COMPRESSION": _Option("AUTO", _one_of("AUTO", "SNAPPY", "NONE")),
        "SNAPPY_COMPRESSION": _Option(True, _flag),
        "BINARY_AS_TEXT": _Option(True, _flag),
        "USE_LOGICAL_TYPE": _Option(True, _flag, only=True),
        "USE_VECTORIZED_SCANNER": _Option(False, _flag),
        "TRIM_SPACE": _Option(False, _flag, only=False),
        "REPLACE_INVALID_CHARACTERS": _Option(False, _flag, only=False),
        "NULL_IF": _Option((), _texts, only=()),
    },
}


def resolve(given: Mapping[str, Value]) -> FileFormat:
    """The format that these options say; CSV where they say no type.

    Raises 22023 for an option or a value that there is not, 0A000 for what is not followed.
    """
    name = str(given.get("TYPE", "CSV")).upper()
    known = _TYPES.get(name)
    if known is None:
        if name in ("AVRO", "ORC", "XML", "CUSTOM"):
            raise SqlError("0A000", f"file format type {name} is not supported")
        raise SqlError("22023", f'invalid file format type "{name}"')
    options = {option: about.default for option, about in known.items()}
    for option, value in given.items():
        if option == "TYPE":
            continue
        about = known.get(option)
        if about is None:
            raise SqlError("22023", f"{option} is no option of the file format type {name}")
        options[option] = _value(name, option, about, value)
    made = FileFormat(name, options, frozenset(given) - {"TYPE"})
    _check(made)
    return made


def _value(type_: str, option: str, about: _Option, value: Value) -> Any:
    try:
        read = about.read(value)
    except ValueError as error:
        raise SqlError("22023", f"{option} must be {error}, not {value!r}") from None
    if about.only is not None and read != about.only:
        raise SqlError("0A000", f"{option} = {value} of {type_} files is not supported")
    return read


def _check(made: FileFormat) -> None:
    if made.type != "CSV":
        return
    if made["PARSE_HEADER"] and made["SKIP_HEADER"]:
        raise SqlError("22023", "SKIP_HEADER and PARSE_HEADER exclude each other")
    record, field = made["RECORD_DELIMITER"], made["FIELD_DELIMITER"]
    if record is not None and field is not None and (record in field or field in record):
        raise SqlError("22023", "RECORD_DELIMITER and FIELD_DELIMITER must not contain each other")
    quote = made["FIELD_OPTIONALLY_ENCLOSED_BY"]
    for delimiter in (record, field):
        if delimiter and quote and quote in delimiter:
            raise SqlError("22023", "a delimiter must not contain the enclosing character")
        for escape in (made["ESCAPE"], made["ESCAPE_UNENCLOSED_FIELD"]):
            if delimiter and escape and escape in delimiter:
                raise SqlError("22023", "a delimiter must not contain the escape character")


def shown(given: Mapping[str, Value]) -> list[tuple[str, str, str, str]]:
    """Name, type, value and default of every option, as DESCRIBE FILE FORMAT has them."""
    made = resolve(given)
    rows = [("TYPE", "String", made.type, "CSV")]
    for option, about in _TYPES[made.type].items():
        kinds: dict[Any, str] = {_flag: "Boolean", _count: "Integer", _texts: "List"}
        rows.append(
            (
                option,
                kinds.get(about.read, "String"),
                _text(made[option]),
                _text(about.default),
            )
        )
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(value) + "]"
    if value is None:
        return "NONE"
    named = {"\n": "\\n", "\r\n": "\\r\\n", "\t": "\\t", "\\": "\\\\", "utf-8": "UTF8"}
    return named.get(value, str(value))


def as_documents(given: Mapping[str, Value]) -> dict[str, Any]:
    """The options as JSON can hold them."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in given.items()}


def from_documents(kept: Mapping[str, Any]) -> dict[str, Value]:
    """The options that `as_documents` made."""
    return {str(name): tuple(map(str, v)) if isinstance(v, list) else v for name, v in kept.items()}


def as_text(given: Mapping[str, Any]) -> str:
    """The options as SHOW FILE FORMATS has them: a JSON object."""
    return json.dumps(given)


def documented() -> tuple[tuple[str, str], ...]:
    """Of each type, its options."""
    return tuple(
        (
            type_,
            ", ".join(
                name if about.only is None else f"[{name}]" for name, about in sorted(known.items())
            ),
        )
        for type_, known in _TYPES.items()
    )
