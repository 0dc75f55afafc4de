"""What Snowflake's SQL may ask of a session: who, where, its variables, parameters and statements.

The session keeps all that. What a statement on the engine asks of it is read there from variables of
DuckDB's connection called `hatidata_*`: `refresh` brings up to date those that a plan needs, just
before it runs and only where they have changed. Variables that clients SET are put into the plan
instead, with their values, so that types are known and names can be made of them.

Like Snowflake's, none of this is undone by ROLLBACK.
"""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.session.settings import in_milliseconds
from proxy.session.transaction import Block
from proxy.sql.snowflake.parameters import PARAMETERS, check
from proxy.sql.statement import Dialect, Route, Statement, Variable

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session

_MOST_BYTES = 256  # of a variable, as Snowflake has it
_LISTINGS = ("SHOW ", "DESCRIBE ")
_KEPT = frozenset({"VARCHAR", "BOOLEAN", "DOUBLE", "FLOAT", "DATE", "TIME", "BLOB", "NULL"})
_SHOWN_TYPES = {"VARCHAR": "text", "BOOLEAN": "boolean", "DOUBLE": "real", "DATE": "date"}


_ID_DIGITS = 12
"""Of a query's id, that say which of the session's it was."""
_MOVING = frozenset({"query", "query_prefix"})
_IN_SCRIPTS = 1 << 40
"""Above it are the numbers of statements of scripts."""


class SessionContext:
    """One session's. Its values are read on the loop, `apply` runs in the engine's thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.warehouse = "hatidata"
        self._parameters: dict[str, str] = {}
        self._variables: dict[str, Variable] = {}
        self._moments: dict[str, tuple[str, str]] = {}  # of variables: made, changed
        self._in_scripts = _IN_SCRIPTS  # the last number of a script's statement
        self._number = 0  # of the statement that runs, or ran last
        self._transactions = 0
        self._in_block = False
        random = secrets.token_hex(10)
        self._prefix = f"{random[:8]}-{random[8:12]}-{random[12:16]}-{random[16:]}-"
        self._listing: tuple[str, frozenset[str]] | None = None
        self._told: dict[str, str] = {}  # to DuckDB's connection
        self._pending: dict[str, str] = {}
        self._measured: list[str] = []  # what is to be told of all tables
        self._asks: set[str] = set()  # what Postgres is to be asked for
        self._lent: set[str] = set()  # variables with what it said, for one statement

    @property
    def role(self) -> str:
        """What the session is in Postgres: its user and its role at once."""
        return self._session.services.shared_role or self._session.user

    # --- planning -----------------------------------------------------------------------------

    @property
    def plain(self) -> bool:
        """No plan depends on the session's variables."""
        return not self._variables

    def dialect(self, base: Dialect, text: str) -> Dialect:
        """The dialect that `text` is planned in: with what of the session it might use.

        Plans that use none of it stay shared: whether a text might is judged by what it must hold.
        """
        if base.name != "snowflake":
            return base
        folded = text.casefold() if self._variables or self._listing else ""
        if self._variables and ("$" in text or "getvariable" in folded):
            base = replace(base, variables=tuple(self._variables.values()))
        if self._listing is not None and "result_scan" in folded:
            base = replace(base, last_listing=self._listing)
        return base

    def started(self, plan: Statement) -> None:
        """A statement begins to run: LAST_QUERY_ID() is about the one before it."""
        self._number += 1
        listing = plan.route is Route.DUCKDB and plan.kind.startswith(_LISTINGS)
        self._listing = (plan.sql, plan.needs) if listing else None

    @property
    def number(self) -> int:
        """Of the statement that runs, or ran last, in the session."""
        return self._number

    @property
    def ident(self) -> str:
        """The id of that statement."""
        return f"{self._prefix}{self._number:0{_ID_DIGITS}x}"

    def enter_script(self) -> int:
        """From now on the statements are a script's, whose numbers are of their own."""
        before = self._number
        if before < _IN_SCRIPTS:
            self._number = self._in_scripts
        return before

    def leave_script(self, before: int) -> None:
        """before: what `enter_script` gave."""
        if before < _IN_SCRIPTS:
            self._in_scripts, self._number = self._number, before

    def step(self, statements: int = 1) -> None:
        """A statement of a script begins to run, or as many."""
        self._number += statements

    def number_of(self, ident: str) -> int | None:
        """Of the statement that LAST_QUERY_ID() gave this id; None for another session's."""
        digits = ident.removeprefix(self._prefix)
        if digits == ident or len(digits) != _ID_DIGITS:
            return None
        try:
            return int(digits, 16)
        except ValueError:
            return None

    def passed(self, statements: int) -> None:
        """As many statements that Postgres answered have run meanwhile."""
        self._number += statements
        self._listing = None

    # --- what the engine is told --------------------------------------------------------------

    def refresh(self, needs: Iterable[str]) -> None:
        """Notes what the engine must be told before a statement that needs this."""
        while self._lent:  # a view that reads it later knows nothing, rather than what was
            self._note(self._lent.pop(), "[]")
        for need in needs:
            if need in _MEASURES and need not in self._measured:
                self._measured.append(need)
            elif need in _ASKED:
                self._asks.add(need)
            for name, value in _VALUES[need](self) if need in _VALUES else ():
                self._note(name, value)

    def _note(self, name: str, value: str | None) -> None:
        literal = "NULL" if value is None else "'" + value.replace("'", "''") + "'"
        if self._told.get(name) != literal:
            self._pending[name] = literal
        else:
            self._pending.pop(name, None)

    @property
    def stale(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._pending or self._measured or self._asks)

    @property
    def asks(self) -> bool:
        """Whether `ask` comes before `apply`."""
        return bool(self._asks)

    async def ask(self) -> None:
        """Asks Postgres for what the catalog's mirror knows and DuckDB does not."""
        asks, self._asks = self._asks, set()
        if "texts" in asks:
            asks -= {"told", "places"}
        elif "told" in asks:
            asks.discard("places")
        for need in asks:
            variable, question = _ASKED[need]
            told: str | None = None
            try:
                told = await self._session.federation.told_alone(question)
            except SqlError as error:
                if not error.sqlstate.startswith(_AWAY):
                    raise
            self._note(variable, told)
            self._lent.add(variable)

    def apply(self, duck: DuckSession) -> None:
        """Blocks. Tells the engine's connection."""
        while self._pending:
            name, literal = next(iter(self._pending.items()))
            duck.set_variable(f"hatidata_{name}", literal, moves=name in _MOVING)
            self._told[name] = literal
            del self._pending[name]
        while self._measured:
            need = self._measured.pop()
            duck.set_variable(f"hatidata_{need}", _MEASURES[need](duck))

    def _transaction(self) -> tuple[tuple[str, str | None], ...]:
        explicit = self._session.transaction.block is Block.EXPLICIT
        return (("transaction", str(self._transactions) if explicit else None),)

    def _last_transaction(self) -> tuple[tuple[str, str | None], ...]:
        explicit = self._session.transaction.block is Block.EXPLICIT
        last = self._transactions - explicit
        return (("last_transaction", str(last) if last else None),)

    def began(self) -> None:
        """A transaction block was opened."""
        self._transactions += 1

    def _shown_parameters(self) -> str:
        rows = []
        for name, parameter in sorted(PARAMETERS.items()):
            value = self.parameter(name)
            rows.append(
                {
                    "key": name.upper(),
                    "value": value,
                    "default": parameter.default,
                    "level": "SESSION" if value != parameter.default else "",
                    "description": "",
                    "type": parameter.type,
                }
            )
        return json.dumps(rows)

    def _shown_variables(self) -> str:
        rows = []
        for name, (_, kind, value) in self._variables.items():
            made, changed = self._moments[name]
            shown = _SHOWN_TYPES.get(kind, "fixed" if _is_number(kind) else kind.lower())
            rows.append(
                {
                    "name": name.upper(),
                    "value": value,
                    "type": shown,
                    "created_on": made,
                    "updated_on": changed,
                }
            )
        return json.dumps(rows)

    # --- variables ----------------------------------------------------------------------------

    def set_variable(self, name: str, kind: str, value: str | None) -> None:
        """kind: DuckDB's type of the value. Raises 0A000 for a type that none can have, 22001."""
        if kind not in _KEPT and not _is_number(kind) and not kind.startswith("TIMESTAMP"):
            raise SqlError("0A000", f"a session variable of type {kind} is not supported")
        if value is not None and len(value.encode()) > _MOST_BYTES:
            size = len(value.encode())
            raise SqlError(
                "22001",
                f"assignment to '{name.upper()}' not done because value exceeds size limit for "
                f"variables: its size is {size}, the limit is {_MOST_BYTES}",
            )
        now = datetime.datetime.now(datetime.UTC).isoformat()
        self._moments[name] = (self._moments.get(name, (now, now))[0], now)
        self._variables[name] = (name, kind, value)

    def unset_variable(self, name: str) -> None:
        self._variables.pop(name, None)
        self._moments.pop(name, None)

    def forget(self) -> None:
        """DISCARD ALL."""
        self._variables.clear()
        self._moments.clear()
        self._parameters.clear()
        self._replan()

    # --- parameters ---------------------------------------------------------------------------

    def parameter(self, name: str) -> str:
        """The value of one of Snowflake's parameters."""
        parameter = PARAMETERS[name]
        if not parameter.setting:
            return self._parameters.get(name, parameter.default)
        value = self._session.settings.get(parameter.setting)
        return str(in_milliseconds(value) // 1000) if parameter.unit == "s" else value

    def check_parameter(self, name: str, value: str) -> str:
        """Raises 42704 for no parameter's name, 22023 and 0A000 for values that it cannot have."""
        if name not in PARAMETERS:
            raise SqlError("42704", f'invalid session parameter "{name.upper()}"')
        return check(PARAMETERS[name], value)

    def set_parameter(self, name: str, value: str | None) -> None:
        """value None is UNSET."""
        parameter = PARAMETERS[name]
        if parameter.setting:
            given = None if value is None else f"{value}{parameter.unit}"
            self._session.settings.set(parameter.setting, given)
            return
        if value is None:
            self._parameters.pop(name, None)
        else:
            self._parameters[name] = value
        if parameter.planned:
            self._replan()

    @property
    def planned(self) -> tuple[tuple[str, str], ...]:
        """The parameters that plans depend on, where they are not the defaults."""
        return tuple(
            (name, value)
            for name, value in sorted(self._parameters.items())
            if PARAMETERS[name].planned and value != PARAMETERS[name].default
        )

    def _replan(self) -> None:
        """Plans to come are made under what is in force now, prepared statements at their Bind."""
        session = self._session
        if session.dialect.parameters == self.planned:
            return
        session.dialect = replace(session.dialect, parameters=self.planned)
        for prepared in session.extended.statements.values():
            if prepared.plan is not None:
                prepared.plan = replace(prepared.plan, varies=True)


def _is_number(kind: str) -> bool:
    return kind.startswith("DECIMAL") or kind.endswith("INT") or kind == "INTEGER"


def _client(context: SessionContext) -> str:
    return context._session.settings.get("application_name") or "unknown"


def _version() -> str:
    try:
        return version("hatidata")
    except PackageNotFoundError:  # run from its sources
        return "development"


# Need -> a variable, and what Postgres is asked for it.
_ASKED = {
    "places": ("told", "SELECT hatidata_catalog.told(false, false)"),
    "told": ("told", "SELECT hatidata_catalog.told(true, false)"),
    "texts": ("told", "SELECT hatidata_catalog.told(true, true)"),
    "rights": ("rights", "SELECT hatidata_catalog.rights_told()"),
}
_AWAY = ("08", "57P")  # Postgres: what it knows is NULL then
_MEASURES: dict[str, Callable[[DuckSession], str]] = {
    "rows": lambda duck: duck.row_counts(),
    "bytes": lambda duck: duck.sizes(),
}
# Need -> the variables of DuckDB's connection that fulfil it, without their prefix.
_VALUES = {
    "client": lambda own: (("client", _client(own)),),
    "database": lambda own: (("database", own._session.database),),
    "ip": lambda own: (("ip", own._session.link.host),),
    "last_transaction": SessionContext._last_transaction,
    "parameters": lambda own: (("parameters", own._shown_parameters()),),
    "query": lambda own: (("query", str(own._number)), ("query_prefix", own._prefix)),
    "role": lambda own: (("role", own.role),),
    "session": lambda own: (("session", str(own._session.pid)),),
    "transaction": SessionContext._transaction,
    "user": lambda own: (("user", own.role),),
    "variables": lambda own: (
        ("variables", own._shown_variables()),
        ("session", str(own._session.pid)),
    ),
    "version": lambda own: (("version", _version()),),
    "warehouse": lambda own: (("warehouse", own.warehouse),),
}
