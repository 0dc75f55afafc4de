"""A session's settings, in force wherever they count: planner, encoders, DuckDB, Postgres, client.

Why it exists: SET, the startup packet, a function on the Postgres side or a rollback may change a
setting, and each engine and the client have to know it before they next matter, not at once: DuckDB's
connection before its next statement, a backend when it is next taken, the client at ReadyForQuery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.mirror.session_mirror import in_postgres
from proxy.session.settings import Scope, Setting, in_milliseconds, is_custom, known
from proxy.sql.statement import Dialect
from proxy.wire import messages as m
from proxy.wire.rows import TextStyle

if TYPE_CHECKING:
    from proxy.session.session import Session

_ESCAPES = "standard_conforming_strings"
_TIMEOUTS = ("statement_timeout", "idle_in_transaction_session_timeout")


class SettingsInStep:
    """One session's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.passthrough: dict[str, str] = {}  # settings that only Postgres knows
        self.timeouts: dict[str, float] = {}  # in seconds, those that are not off
        self._for_duck: dict[str, str] = {}  # to be set before the next statement there
        self._style: TextStyle | None = None
        self._to_report: set[str] = set()  # those that changed since ReadyForQuery
        self._reported: dict[str, str] = {}  # what the client was last told of them

    def changed(self, setting: Setting, value: str) -> None:
        """The session has set it."""
        session = self._session
        self._values_change()
        if Scope.PLAN in setting.scope:
            get = session.settings.get
            if setting.name == "hatidata.dialect":
                # Snowflake's strings have backslash escapes unless the client says otherwise.
                session.settings.follow(_ESCAPES, "off" if value == "snowflake" else "on")
                self._to_report.add(_ESCAPES)
            session.dialect = Dialect(
                name=get("hatidata.dialect"),
                transpile=get("hatidata.transpile") == "on",
                keys=get("hatidata.enforce_keys") == "on",
                backslashes=get(_ESCAPES) == "off",
                parameters=session.context.planned,
                database=session.database,
            )
        if setting.name in _TIMEOUTS:
            self.timeouts[setting.name] = in_milliseconds(value) / 1000
        if Scope.DUCKDB in setting.scope:
            self._for_duck[setting.name] = value
        if Scope.POSTGRES in setting.scope:
            session.relay.settings_changed()
        if setting.reported:
            self._to_report.add(setting.name)

    def _values_change(self) -> None:
        """What a value looks like, and so what a constant's answer is."""
        self._style = None
        self._session.forget_constants()

    # --- Postgres -------------------------------------------------------------------------------

    def of_postgres(self) -> dict[str, str]:
        """What a backend must have to be in step with the session."""
        settings = self._session.settings.in_scope(Scope.POSTGRES)
        return {name: in_postgres(name, value) for name, value in settings} | self.passthrough

    def told_by_postgres(self, name: str, value: str) -> None:
        """A function on the Postgres side changed a setting (`set_config`), and the client knows."""
        self._reported[name] = value  # the relay has passed it on
        self._values_change()
        self._adopt(name, value)

    def left_in_postgres(self, changed: dict[str, str | None]) -> None:
        """A statement on the Postgres side has set these (None: reset them): they stay set."""
        settings = self._session.settings
        for name, value in changed.items():
            if not known(name):
                if value is None:
                    self.passthrough.pop(name, None)
                else:
                    self.passthrough[name] = value
            elif value is None:
                settings.set(name, None)
            elif is_custom(name):
                settings.set(name, value)
            else:
                self._style = None
                self._adopt(name, value)

    def _adopt(self, name: str, value: str) -> None:
        if self._session.settings.adopt(name, value) & Scope.DUCKDB:
            self._for_duck[name] = value

    # --- DuckDB ---------------------------------------------------------------------------------

    @property
    def duck_is(self) -> bool:
        """Whether DuckDB's connection has the session's settings."""
        return not self._for_duck

    def bring_duck(self) -> None:
        """Blocks. Gives DuckDB's connection the session's settings."""
        while self._for_duck:
            name, value = next(iter(self._for_duck.items()))
            self._session.duck.apply(name, value)
            del self._for_duck[name]
        self._session.duck.follow_schemas()

    def style(self) -> TextStyle:
        """How values become text, as the settings have it now."""
        if self._style is None:
            get = self._session.settings.get
            self._style = TextStyle(
                time_zone=get("TimeZone"),
                extra_float_digits=int(get("extra_float_digits")),
                bytea_output=get("bytea_output"),
                interval_style=get("IntervalStyle"),
            )
        return self._style

    # --- the client -----------------------------------------------------------------------------

    def first_report(self) -> bytes:
        """ParameterStatus of all settings that drivers follow."""
        self._reported = dict(self._session.settings.reported())
        return b"".join(m.parameter_status(*pair) for pair in self._reported.items())

    @property
    def reported(self) -> bool:
        """Whether the client knows all that it is told of."""
        return not self._to_report

    def report(self) -> bytes:
        """ParameterStatus of those that have changed since."""
        told = b""
        while self._to_report:
            name = self._to_report.pop()
            if (value := self._session.settings.get(name)) != self._reported.get(name):
                self._reported[name] = value
                told += m.parameter_status(name, value)
        return told
