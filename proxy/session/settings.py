"""What a session has SET: one table of settings, and their values as transactions come and go.

Both engines, the plan cache and the encoders read their part of it: a setting's `scope` says whom a
change concerns. Names that this table does not know are Postgres's to judge; names with a dot, and
those that begin with `hatidata_`, are the client's own, kept and shown but never interpreted.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Flag, auto

from proxy.errors import SqlError
from proxy.wire.decoders.zones import name_of_hours, posix_offset


class Scope(Flag):
    """Whom a change concerns."""

    SESSION = 0
    DUCKDB = auto()  # set on the DuckDB connection before its next statement
    POSTGRES = auto()  # set on the session's Postgres backend
    PLAN = auto()  # changes what becomes of a statement's text


@dataclass(frozen=True, slots=True)
class Setting:
    """name: as SHOW and ParameterStatus spell it. check: a given value -> the value kept, or 22023.

    reported: ParameterStatus at start-up and at each change. fixed: cannot be SET (55P02).
    """

    name: str
    default: str
    check: Callable[[str, str], str]
    scope: Scope = Scope.SESSION
    reported: bool = False
    fixed: bool = False


def invalid(name: str, value: str, hint: str | None = None) -> SqlError:
    return SqlError("22023", f'invalid value for parameter "{name}": "{value}"', hint=hint)


def _any(name: str, value: str) -> str:
    return value


def _choice(*choices: str) -> Callable[[str, str], str]:
    by_folded = {choice.casefold(): choice for choice in choices}

    def check(name: str, value: str) -> str:
        if (found := by_folded.get(value.casefold())) is None:
            raise invalid(name, value, f"Available values: {', '.join(choices)}.")
        return found

    return check


_SWITCH = {"on": "on", "true": "on", "yes": "on", "1": "on", "t": "on", "y": "on"} | {
    "off": "off", "false": "off", "no": "off", "0": "off", "f": "off", "n": "off"
}  # fmt: skip


def _switch(name: str, value: str) -> str:
    if (found := _SWITCH.get(value.casefold())) is None:
        raise SqlError("22023", f'parameter "{name}" requires a Boolean value')
    return found


def _integer(low: int, high: int) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        try:
            number = int(value)
        except ValueError:
            raise invalid(name, value) from None
        if not low <= number <= high:
            raise SqlError(
                "22023",
                f'{number} is outside the valid range for parameter "{name}" ({low} .. {high})',
            )
        return str(number)

    return check


_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(name: str, value: str) -> str:
    """A duration in Postgres's units (`5s`, `100ms`, `2min`; a bare number is milliseconds)."""
    text = value.strip()
    number = text.rstrip("usminhd ")
    unit = text[len(number) :].strip() or "ms"
    try:
        amount = round(float(number) * _MILLISECONDS[unit])
    except (ValueError, KeyError):
        raise invalid(
            name, value, 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".'
        ) from None
    if not 0 <= amount <= 2_147_483_647:
        raise SqlError(
            "22023",
            f'{amount} ms is outside the valid range for parameter "{name}" (0 ms .. 2147483647 ms)',
        )
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if amount and amount % size == 0:
            return f"{amount // size}{unit}"
    return f"{amount}ms" if amount else "0"


def in_milliseconds(value: str) -> int:
    """The number of milliseconds in a value that `milliseconds` gave."""
    number = value.rstrip("usminhd")
    return int(number) * int(_MILLISECONDS[value[len(number) :] or "ms"])


def _time_zone(name: str, value: str) -> str:
    """An IANA name, or an offset: a number is of hours east of Greenwich, POSIX counts them west."""
    if value.casefold() in ("local", "default"):
        return "UTC"
    with suppress(ValueError, OverflowError):
        east = int(float(value) * 3600)
        if abs(east) >= 7 * 86_400:
            error = invalid(name, value)
            error.detail = "UTC timezone offset is out of range."
            raise error
        return _of_offset(east, value)
    for known in (value, *_zones_by_folded().get(value.casefold(), ())):
        try:
            return zoneinfo.ZoneInfo(known).key
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            continue
    east = posix_offset(value)
    if east is None:
        raise invalid(name, value)
    return _of_offset(east, value)


def _of_offset(east: int, value: str) -> str:
    zone = name_of_hours(east)
    if zone is None:
        hint = "Use an IANA name, or AT TIME ZONE, which knows such offsets."
        raise SqlError("0A000", f"time zone {value} is not supported for a session", hint=hint)
    return zone


def _zones_by_folded() -> dict[str, tuple[str, ...]]:
    if not _zones:
        _zones.update({zone.casefold(): (zone,) for zone in zoneinfo.available_timezones()})
    return _zones


_zones: dict[str, tuple[str, ...]] = {}

_DATE_ORDERS = {"mdy": "MDY", "us": "MDY", "noneuropean": "MDY", "dmy": "DMY", "euro": "DMY",
                "european": "DMY", "ymd": "YMD"}  # fmt: skip


def _date_style(name: str, value: str) -> str:
    order = "MDY"
    for word in value.split(","):
        folded = word.strip().casefold()
        if folded in _DATE_ORDERS:
            order = _DATE_ORDERS[folded]
        elif folded in ("sql", "postgres", "german"):
            raise SqlError("0A000", f"DateStyle {word.strip()} is not supported", hint="Use ISO.")
        elif folded not in ("iso", "default"):
            raise invalid(name, value)
    return f"ISO, {order}"


def _encoding(name: str, value: str) -> str:
    folded = "".join(filter(str.isalnum, value.casefold()))  # as Postgres reads such names
    if folded in ("utf8", "unicode"):
        return "UTF8"
    if folded == "sqlascii":
        return "SQL_ASCII"
    if folded not in _OTHER_ENCODINGS and not folded.startswith(("latin", "iso8859", "win")):
        raise invalid(name, value)
    raise SqlError(
        "0A000", f'client encoding "{value}" is not supported', hint="Use UTF8 or SQL_ASCII."
    )


_OTHER_ENCODINGS = frozenset(
    [
        "big5",
        "euccn",
        "eucjis2004",
        "eucjp",
        "euckr",
        "euctw",
        "gb18030",
        "gbk",
        "johab",
        "koi8",
        "koi8r",
        "koi8u",
        "muleinternal",
        "shiftjis2004",
        "sjis",
        "mskanji",
        "shiftjis",
        "uhc",
        "abc",
        "alt",
        "tcvn",
        "tcvn5712",
        "vscii",
    ]
)


_ISOLATION = _choice("serializable", "repeatable read", "read committed", "read uncommitted")
_BOTH = Scope.DUCKDB | Scope.POSTGRES

_TABLE: tuple[Setting, ...] = (
    Setting("server_version", "", _any, fixed=True, reported=True),
    Setting("server_version_num", "", _any, fixed=True),
    Setting("server_encoding", "UTF8", _any, fixed=True, reported=True),
    Setting("integer_datetimes", "on", _any, fixed=True, reported=True),
    Setting("in_hot_standby", "off", _any, fixed=True, reported=True),
    Setting("is_superuser", "off", _any, fixed=True, reported=True),
    Setting("session_authorization", "", _any, fixed=True, reported=True),
    Setting("client_encoding", "UTF8", _encoding, Scope.POSTGRES, reported=True),
    Setting("application_name", "", _any, Scope.POSTGRES, reported=True),
    Setting("DateStyle", "ISO, MDY", _date_style, Scope.POSTGRES, reported=True),
    # sql_standard would change how texts are read, too.
    Setting("IntervalStyle", "postgres", _choice("postgres", "iso_8601", "postgres_verbose"),
            _BOTH, reported=True),
    Setting("TimeZone", "UTC", _time_zone, _BOTH, reported=True),
    # Snowflake's strings have backslash escapes; libpq and its kind must know, or they quote wrongly.
    Setting("standard_conforming_strings", "off", _switch, Scope.PLAN, reported=True),
    Setting("default_transaction_read_only", "off", _switch, Scope.POSTGRES, reported=True),
    Setting("default_transaction_isolation", "read committed", _ISOLATION, Scope.POSTGRES),
    Setting("default_transaction_deferrable", "off", _switch, Scope.POSTGRES),
    Setting("transaction_isolation", "read committed", _ISOLATION),
    Setting("transaction_read_only", "off", _switch),
    Setting("transaction_deferrable", "off", _switch),
    Setting("extra_float_digits", "1", _integer(-15, 3), Scope.POSTGRES),
    Setting("bytea_output", "hex", _choice("hex", "escape"), Scope.POSTGRES),
    Setting("search_path", '"$user", public', _any, _BOTH),
    Setting("statement_timeout", "0", milliseconds, Scope.POSTGRES),
    Setting("idle_in_transaction_session_timeout", "0", milliseconds),
    Setting("lock_timeout", "0", milliseconds, Scope.POSTGRES),
    Setting("client_min_messages", "notice",
            _choice("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning",
                    "error"), Scope.POSTGRES),
    Setting("hatidata.dialect", "snowflake", _choice("snowflake", "postgres", "duckdb"), Scope.PLAN),
    Setting("hatidata.transpile", "on", _switch, Scope.PLAN),
    Setting("hatidata.enforce_keys", "on", _switch, Scope.PLAN),
)  # fmt: skip

_BY_NAME: dict[str, Setting] = {setting.name.lower(): setting for setting in _TABLE}

# Postgres reports these once more when they change; SHOW knows them under a second name.
_OTHER_NAMES = {"time zone": "timezone", "names": "client_encoding"}


def known(name: str) -> bool:
    """Whether the session itself answers for this name; otherwise Postgres does."""
    folded = name.lower()
    return _OTHER_NAMES.get(folded, folded) in _BY_NAME or is_custom(name)


def is_custom(name: str) -> bool:
    """The client's own name: `app.user`, `hatidata_agent_id`."""
    folded = name.lower()
    return folded not in _BY_NAME and ("." in name or folded.startswith("hatidata_"))


def _for_postgres(name: str) -> bool:
    """Whether Postgres too takes it for a client's own setting."""
    parts = name.split(".")
    return len(parts) > 1 and parts[0] != "hatidata" and all(map(str.isidentifier, parts))


@dataclass(slots=True)
class SessionSettings:
    """The values of one session. `changed` is told the table's entry and the new value."""

    changed: Callable[[Setting, str], None] = lambda setting, value: None
    _initial: dict[str, str] = field(default_factory=dict)  # what RESET goes back to
    _values: dict[str, str] = field(default_factory=dict)
    _before: dict[str, str] | None = None  # the values when the transaction began
    _lasting: dict[str, str] = field(default_factory=dict)  # ... and what outlives SET LOCAL

    def get(self, name: str) -> str:
        """Raises 42704 for a name that was never given a value."""
        folded = self._fold(name)
        if (value := self._values.get(folded)) is not None:
            return value
        if (setting := _BY_NAME.get(folded)) is not None:
            return setting.default
        raise unrecognized(name)

    def start(self, name: str, value: str) -> None:
        """A value that the session begins with: RESET comes back to it. Raises 22023, 55P02."""
        folded = self._fold(name)
        self._initial[folded] = checked = self._checked(folded, name, value)
        self._assign(folded, checked)

    def fix(self, name: str, value: str) -> None:
        """Sets what a client may only read."""
        self._values[name] = self._initial[name] = value

    def set(self, name: str, value: str | None, local: bool = False) -> None:
        """value None is DEFAULT. Raises 22023, 55P02 (fixed), 42704 (unknown)."""
        folded = self._fold(name)
        if value is None:
            checked = self._initial.get(folded, self._default(folded))
            self._checked_fixed(folded)
        else:
            checked = self._checked(folded, name, value)
        if not local and self._before is not None:
            self._lasting[folded] = checked
        self._assign(folded, checked)

    def adopt(self, name: str, value: str) -> Scope:
        """Takes over what Postgres reports of itself; says whom else that concerns."""
        folded = self._fold(name)
        setting = _BY_NAME.get(folded)
        if setting is None or setting.fixed or self.get(name) == value:
            return Scope.SESSION
        self._values[folded] = value
        return setting.scope

    def follow(self, name: str, value: str) -> None:
        """A value that hangs on another setting: it is what RESET goes back to, too."""
        self._values[name] = self._initial[name] = value

    def reset_all(self) -> None:
        for name in [name for name in self._values if name not in self._initial]:
            self.set(name, None)
        for name, value in list(self._initial.items()):
            if self._values.get(name) != value:
                self.set(name, None)

    def show_all(self) -> Iterator[tuple[str, str]]:
        names = {setting.name for setting in _TABLE} | {
            name for name in self._values if name not in _BY_NAME
        }
        for name in sorted(names, key=str.lower):
            yield name, self.get(name)

    def reported(self) -> Iterator[tuple[str, str]]:
        return ((s.name, self.get(s.name)) for s in _TABLE if s.reported)

    def in_scope(self, scope: Scope) -> Iterable[tuple[str, str]]:
        """(name, value) of the settings that concern `scope` and differ from their default."""
        for folded, value in self._values.items():
            setting = _BY_NAME.get(folded)
            if setting is not None and scope in setting.scope and value != setting.default:
                yield setting.name, value
            elif setting is None and Scope.POSTGRES in scope and _for_postgres(folded):
                yield folded, value

    # --- transactions -------------------------------------------------------------------------

    def begin(self) -> None:
        if self._before is None:
            self._before, self._lasting = dict(self._values), {}

    def commit(self) -> None:
        """SET LOCAL ends here, SET stays."""
        self._restore(self._lasting)

    def rollback(self) -> None:
        self._restore({})

    def savepoint(self) -> tuple[dict[str, str], dict[str, str]]:
        """The values now, for `rollback_to`."""
        return dict(self._values), dict(self._lasting)

    def rollback_to(self, saved: tuple[dict[str, str], dict[str, str]]) -> None:
        self._go_back(saved[0])
        self._lasting = dict(saved[1])

    def _restore(self, lasting: dict[str, str]) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        self._go_back(before | lasting)

    def _go_back(self, target: dict[str, str]) -> None:
        for name in set(self._values) | set(target):
            if (value := target.get(name, self._default(name))) != self._values.get(name):
                self._assign(name, value)
            if name not in target:
                self._values.pop(name, None)

    # ------------------------------------------------------------------------------------------

    @staticmethod
    def _fold(name: str) -> str:
        folded = name.lower()
        return _OTHER_NAMES.get(folded, folded)

    @staticmethod
    def _default(folded: str) -> str:
        setting = _BY_NAME.get(folded)
        return setting.default if setting is not None else ""

    @staticmethod
    def _checked_fixed(folded: str) -> None:
        setting = _BY_NAME.get(folded)
        if setting is not None and setting.fixed:
            raise SqlError("55P02", f'parameter "{setting.name}" cannot be changed')

    def _checked(self, folded: str, name: str, value: str) -> str:
        self._checked_fixed(folded)
        setting = _BY_NAME.get(folded)
        if setting is None:
            if not is_custom(name):
                raise unrecognized(name)
            return value
        return setting.check(setting.name, value)

    def _assign(self, folded: str, value: str) -> None:
        self._values[folded] = value
        if (setting := _BY_NAME.get(folded)) is not None:
            self.changed(setting, value)
        elif _for_postgres(folded):
            self.changed(Setting(folded, "", _any, Scope.POSTGRES), value)


def unrecognized(name: str) -> SqlError:
    return SqlError("42704", f'unrecognized configuration parameter "{name}"')
