"""Statements about the session, read from tokens.

sqlglot keeps most of these as opaque commands, and what it does parse it parses as another
dialect's. They are small: each is read here by a function of its own from a table keyed by the
leading word, over the same tokens that split the message, so quoting and comments cannot confuse
it. Both spellings are accepted, Postgres's and Snowflake's.

A reader returns a `Utility`; what it cannot read is a syntax error at the token where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql import control_plane
from proxy.sql.control_plane import name_set
from proxy.sql.quoting import name_as_needed
from proxy.sql.session_actions import (
    AlterSession,
    Begin,
    CloseCursor,
    Commit,
    Deallocate,
    Declare,
    Discard,
    Execute,
    Fetch,
    Move,
    Prepare,
    Release,
    Reset,
    Rollback,
    RollbackTo,
    Savepoint,
    SessionAction,
    Set,
    SetConstraints,
    SetRole,
    SetSessionAuthorization,
    SetTransaction,
    SetVariables,
    Show,
    TransactionModes,
    UnsetVariables,
    Use,
)
from proxy.sql.words import Words
from proxy.wire.params import TEXT, decode
from proxy.wire.types import BY_NAME


@dataclass(slots=True)
class Utility:
    """A statement that is not an engine's query: its name, what to do, or why not."""

    kind: str
    tag: str = ""
    action: SessionAction | None = None
    refused: SqlError | None = None

    def __post_init__(self) -> None:
        self.tag = self.tag or self.kind


_ISOLATION = {
    ("SERIALIZABLE",): "serializable",
    ("REPEATABLE", "READ"): "repeatable read",
    ("READ", "COMMITTED"): "read committed",
    ("READ", "UNCOMMITTED"): "read uncommitted",
}


def _modes(words: Words) -> TransactionModes:
    isolation: str | None = None
    read_only: bool | None = None
    deferrable: bool | None = None
    while words.token is not None:
        if words.accept("ISOLATION"):
            words.expect("LEVEL")
            for spelled, level in _ISOLATION.items():
                if words.accept(*spelled):
                    isolation = level
                    break
            else:
                raise words.fail()
        elif words.accept("READ"):
            read_only = words.accept("ONLY")
            if not read_only:
                words.expect("WRITE")
        elif words.accept("NOT", "DEFERRABLE"):
            deferrable = False
        elif words.accept("DEFERRABLE"):
            deferrable = True
        else:
            raise words.fail()
        words.accept(",")
    return TransactionModes(isolation, read_only, deferrable)


def _begin(words: Words) -> Utility:
    words.step()
    words.accept_any("WORK", "TRANSACTION", "TRAN")
    if words.accept("NAME"):
        words.name()
    return _begun("BEGIN", words)


def _start(words: Words) -> Utility:
    words.expect("START", "TRANSACTION")
    if words.accept("NAME"):
        words.name()
    return _begun("START TRANSACTION", words)


def _begun(kind: str, words: Words) -> Utility:
    modes = _modes(words)
    return Utility(kind, "", Begin(modes.isolation, modes.read_only, modes.deferrable))


def _chain(words: Words) -> bool:
    words.accept_any("WORK", "TRANSACTION")
    chain = not words.accept("AND", "NO", "CHAIN") and words.accept("AND", "CHAIN")
    words.end()
    return chain


def _commit(words: Words) -> Utility:
    words.step()
    if words.accept("PREPARED"):
        return _no_two_phase("COMMIT PREPARED")
    return Utility("COMMIT", "", Commit(_chain(words)))


def _rollback(words: Words) -> Utility:
    words.step()
    if words.accept("PREPARED"):
        return _no_two_phase("ROLLBACK PREPARED")
    words.accept_any("WORK", "TRANSACTION")
    if words.accept("TO"):
        words.accept("SAVEPOINT")
        name = words.name()
        words.end()
        return Utility("ROLLBACK", "", RollbackTo(name))
    return Utility("ROLLBACK", "", Rollback(_chain(words)))


def _no_two_phase(kind: str) -> Utility:
    return Utility(kind, refused=SqlError("0A000", f"{kind} is not supported"))


def _savepoint(words: Words) -> Utility:
    words.step()
    name = words.name()
    words.end()
    return Utility("SAVEPOINT", "", Savepoint(name))


def _release(words: Words) -> Utility:
    words.step()
    words.accept("SAVEPOINT")
    name = words.name()
    words.end()
    return Utility("RELEASE", "", Release(name))


def _setting_value(words: Words) -> str:
    if words.is_string():
        return words.string()
    sign = words.accept_any("-", "+").replace("+", "")
    token = words.token
    if token is not None and token.token_type == TokenType.NUMBER:
        return sign + words.step().text
    if sign:
        raise words.fail()
    return words.name()


def _setting_values(words: Words) -> tuple[str, ...]:
    values = [_setting_value(words)]
    while words.accept(","):
        values.append(_setting_value(words))
    words.end()
    return tuple(values)


def _set_to(name: str, words: Words, local: bool) -> Utility:
    if words.accept("DEFAULT"):
        words.end()
        return Utility("SET", "", Set(name, None, local))
    whole = words.is_string()  # a list in one text is taken for the list
    values = listed = _setting_values(words)
    if name == "search_path" and not (whole and "," in values[0]):
        listed = tuple(map(name_as_needed, values))  # SET takes what SHOW gives
    return Utility("SET", "", Set(name, ", ".join(listed), local, values))


def _time_zone(words: Words, local: bool) -> Utility:
    if words.accept("LOCAL"):
        words.end()
        return Utility("SET", "", Set("timezone", None, local))
    if words.accept("INTERVAL"):
        value = words.string()
        unit = ""
        if words.accept("HOUR"):
            unit = "minute" if words.accept("TO", "MINUTE") else "hour"
        words.end()
        hours = str(_hours_east(f"{value} {unit}" if value.isdecimal() else value))
        return Utility("SET", "", Set("timezone", hours, local, (hours,)))
    return _set_to("timezone", words, local)


def _hours_east(interval: str) -> float:
    """Raises SqlError 22023 for an interval that is not of hours, minutes and seconds alone."""
    months, days, micros = decode(interval.encode(), TEXT, BY_NAME["interval"].oid)
    for unit, count in (("months", months), ("days", days)):
        if count:
            message = f'invalid value for parameter "TimeZone": "INTERVAL \'{interval}\'"'
            detail = f"Cannot specify {unit} in time zone interval."
            raise SqlError("22023", message, detail=detail)
    return micros / 3_600_000_000


def _set(words: Words) -> Utility:
    words.step()
    if words.word == "(" and words.session_variables:
        return _session_variables(words)
    scope = words.accept_any("SESSION", "LOCAL", "GLOBAL") if words.word_at(1) != "=" else ""
    local = scope == "LOCAL"
    if scope == "SESSION" and words.accept("CHARACTERISTICS", "AS", "TRANSACTION"):
        return Utility("SET", "", SetTransaction(_modes(words), characteristics=True))
    if words.accept("AUTHORIZATION") or words.accept("SESSION", "AUTHORIZATION"):
        name = None if words.accept("DEFAULT") else _setting_value(words)
        words.end()
        return Utility("SET", "", SetSessionAuthorization(name, local))
    if words.accept("TRANSACTION"):
        if words.accept("SNAPSHOT"):
            refused = SqlError("0A000", "SET TRANSACTION SNAPSHOT is not supported")
            return Utility("SET", refused=refused)
        return Utility("SET", "", SetTransaction(_modes(words)))
    if words.accept("TIME", "ZONE"):
        return _time_zone(words, local)
    if words.word_at(1) not in ("=", "TO", "."):
        special = _SPECIAL_SETS.get(words.word)
        if special is not None:
            words.step()
            return special(words, local)
    name = ".".join(words.dotted())
    if words.accept("TO"):
        return _set_to(name, words, local)
    words.expect("=")
    # Snowflake spells a session variable as Postgres spells a setting; only the name tells.
    if words.session_variables and not scope and not control_plane.is_setting(name):
        return _variables((name,), words)
    return _set_to(name, words, local)


def _set_names(words: Words, local: bool) -> Utility:
    if words.token is None or words.accept("DEFAULT"):
        words.end()
        return Utility("SET", "", Set("client_encoding", None, local))
    value = words.string()
    words.end()
    return Utility("SET", "", Set("client_encoding", value, local, (value,)))


def _set_schema(words: Words, local: bool) -> Utility:
    value = words.string()
    words.end()
    return Utility("SET", "", Set("search_path", value, local, (value,)))


def _set_role(words: Words, local: bool) -> Utility:
    name = None if words.accept_any("NONE", "DEFAULT") else _setting_value(words)
    words.end()
    return Utility("SET", "", SetRole(name, local))


def _set_constraints(words: Words, local: bool) -> Utility:
    names = []
    if not words.accept("ALL"):
        names.append(words.dotted()[-1])
        while words.accept(","):
            names.append(words.dotted()[-1])
    when = words.accept_any("DEFERRED", "IMMEDIATE")
    if not when:
        raise words.fail()
    words.end()
    return Utility("SET CONSTRAINTS", "", SetConstraints(when == "DEFERRED", tuple(names)))


_SPECIAL_SETS: dict[str, Callable[[Words, bool], Utility]] = {
    "NAMES": _set_names,
    "SCHEMA": _set_schema,
    "ROLE": _set_role,
    "CONSTRAINTS": _set_constraints,
}


def _variable_names(words: Words) -> tuple[str, ...]:
    words.expect("(")
    names = [words.name().lower()]
    while words.accept(","):
        names.append(words.name().lower())
    words.expect(")")
    return tuple(names)


def _session_variables(words: Words) -> Utility:
    names = _variable_names(words)
    words.expect("=")
    return _variables(names, words)


def _variables(names: tuple[str, ...], words: Words) -> Utility:
    """The rest is an expression; for several names a list of them, or a query, in brackets."""
    several = len(names) > 1
    if words.word in ("SELECT", "WITH"):
        raise words.fail()
    if several and words.word != "(":
        raise words.fail()
    is_query = several and words.word_at(1) in ("SELECT", "WITH")
    text, _ = words.rest()
    if is_query:
        text = text.removeprefix("(").removesuffix(")")
    elif several:
        text = f"SELECT {text.removeprefix('(').removesuffix(')')}"
    else:
        text = f"SELECT {text}"
    return Utility("SET", "", SetVariables(names, text))


def _unset(words: Words) -> Utility:
    words.step()
    names = _variable_names(words) if words.word == "(" else (words.name().lower(),)
    words.end()
    return Utility("UNSET", "", UnsetVariables(names))


def _setting_name(words: Words) -> str | None:
    """The name in RESET and SHOW, with Postgres's names of several words; None for ALL."""
    for spelled, name in _LONG_NAMES.items():
        if words.accept(*spelled):
            words.end()
            return name
    if words.word == "ALL" and words.word_at(1) == "":
        words.step()
        words.end()
        return None
    name = ".".join(words.dotted())
    words.end()
    return name


_LONG_NAMES = {
    ("TRANSACTION", "ISOLATION", "LEVEL"): "transaction_isolation",
    ("SESSION", "AUTHORIZATION"): "session_authorization",
    ("TIME", "ZONE"): "timezone",
}


def _reset(words: Words) -> Utility:
    words.step()
    return Utility("RESET", "", Reset(_setting_name(words)))


_SNOWFLAKE_SHOW = name_set(
    """
    TABLES VIEWS SCHEMAS DATABASES COLUMNS OBJECTS PRIMARY IMPORTED EXPORTED UNIQUE SEQUENCES
    STAGES FILE FUNCTIONS PROCEDURES WAREHOUSES USERS ROLES GRANTS PARAMETERS STREAMS TASKS PIPES
    TRANSACTIONS LOCKS VARIABLES REGIONS SHARES TAGS USER EXTERNAL MATERIALIZED DYNAMIC MASKING
    NETWORK INTEGRATIONS ORGANIZATION RESOURCE TERSE ICEBERG EVENT ALERTS SECRETS CONNECTIONS
    """
)


def _show(words: Words) -> Utility:
    words.step()
    word = words.word
    if word in _SNOWFLAKE_SHOW and words.word_at(1) != ".":
        words.rest()
        message = f"SHOW {word} is not supported yet"
        hint = "Query information_schema or pg_catalog instead."
        return Utility("SHOW", refused=SqlError("0A000", message, hint=hint))
    return Utility("SHOW", "", Show(_setting_name(words)))


def _discard(words: Words) -> Utility:
    words.step()
    what = words.accept_any("ALL", "PLANS", "SEQUENCES", "TEMP", "TEMPORARY")
    if not what:
        raise words.fail()
    words.end()
    what = "TEMP" if what == "TEMPORARY" else what
    return Utility(f"DISCARD {what}", "", Discard(what))


def _prepare(words: Words) -> Utility:
    words.step()
    if words.accept("TRANSACTION"):
        return _no_two_phase("PREPARE TRANSACTION")
    name = words.name()
    types = words.list_in_brackets() if words.word == "(" else ()
    words.expect("AS")
    text, start = words.rest()
    return Utility("PREPARE", "", Prepare(name, types, text, start))


def _execute(words: Words) -> Utility:
    words.step()
    name = words.name()
    args = words.list_in_brackets() if words.word == "(" else ()
    words.end()
    return Utility("EXECUTE", "", Execute(name, args))


def _deallocate(words: Words) -> Utility:
    words.step()
    words.accept("PREPARE")
    if words.accept("ALL"):
        words.end()
        return Utility("DEALLOCATE ALL", "", Deallocate(None))
    name = words.name()
    words.end()
    return Utility("DEALLOCATE", "", Deallocate(name))


def _declare(words: Words) -> Utility:
    words.step()
    name = words.name()
    binary, scroll, hold = False, None, False
    while not words.accept("CURSOR"):
        if words.accept("BINARY"):
            binary = True
        elif words.accept("NO", "SCROLL"):
            scroll = False
        elif words.accept("SCROLL"):
            scroll = True
        elif not words.accept_any("INSENSITIVE", "ASENSITIVE"):
            raise words.fail()
    if words.accept("WITH", "HOLD"):
        hold = True
    else:
        words.accept("WITHOUT", "HOLD")
    words.expect("FOR")
    query, start = words.rest("FOR", "READ", "ONLY")
    action = Declare(name, query, start, binary, scroll, hold)
    return Utility("DECLARE CURSOR", "", action)


_DIRECTIONS: dict[str, tuple[str, int]] = {
    "NEXT": ("forward", 1),
    "PRIOR": ("backward", 1),
    "FIRST": ("absolute", 1),
    "LAST": ("absolute", -1),
}


def _direction(words: Words) -> tuple[str, int | None]:
    # A cursor may be called `next`: a direction is one only if something follows it.
    if words.word_at(1) or (words.token is not None and words.word in ("-", "+")):
        if words.word in _DIRECTIONS:
            return _DIRECTIONS[words.accept_any(*_DIRECTIONS)]
        how = words.accept_any("ABSOLUTE", "RELATIVE")
        if how:
            return how.lower(), words.integer()
        if words.accept("ALL"):
            return "forward", None
        how = words.accept_any("FORWARD", "BACKWARD").lower() or "forward"
        if words.accept("ALL"):
            return how, None
        token = words.token
        if token is not None and (token.token_type == TokenType.NUMBER or words.word in ("-", "+")):
            count = words.integer()
            if count < 0:
                return ("backward" if how == "forward" else "forward"), -count
            return how, count
        return how, 1
    return "forward", 1


def _fetch(words: Words) -> Utility:
    kind = words.step().text.upper()
    direction, count = _direction(words)
    words.accept_any("FROM", "IN")
    cursor = words.name()
    words.end()
    action = Fetch if kind == "FETCH" else Move
    return Utility(kind, "", action(cursor, direction, count))


def _close(words: Words) -> Utility:
    words.step()
    if words.accept("ALL"):
        words.end()
        return Utility("CLOSE", "CLOSE CURSOR ALL", CloseCursor(None))
    name = words.name()
    words.end()
    return Utility("CLOSE", "CLOSE CURSOR", CloseCursor(name))


def _use(words: Words) -> Utility:
    words.step()
    kind = ""
    if words.accept("SECONDARY", "ROLES"):
        kind = "SECONDARY ROLES"
    elif words.word_at(1):
        kind = words.accept_any("SCHEMA", "DATABASE", "CATALOG", "WAREHOUSE", "ROLE")
    elif words.token is not None and words.word in ("SCHEMA", "DATABASE", "WAREHOUSE", "ROLE"):
        kind = words.accept_any("SCHEMA", "DATABASE", "WAREHOUSE", "ROLE")
    kind = "DATABASE" if kind == "CATALOG" else kind
    parts = [words.string()] if words.is_string() else list(words.dotted())
    while words.accept(","):
        parts.append(words.name())
    words.end()
    return Utility("USE", "", Use(kind, tuple(parts)))


def _alter_session(words: Words) -> Utility:
    words.expect("ALTER", "SESSION")
    if words.accept("UNSET"):
        names = [words.name()]
        while words.token is not None:
            words.accept(",")
            names.append(words.name())
        return Utility("ALTER SESSION", "", AlterSession(unset=tuple(names)))
    words.expect("SET")
    pairs: list[tuple[str, str]] = []
    while words.token is not None:
        name = words.name()
        words.expect("=")
        pairs.append((name, _setting_value(words)))
        words.accept(",")
    if not pairs:
        raise words.fail()
    return Utility("ALTER SESSION", "", AlterSession(set=tuple(pairs)))


PARSERS: dict[str, Callable[[Words], Utility]] = {
    "BEGIN": _begin,
    "START": _start,
    "COMMIT": _commit,
    "END": _commit,
    "ROLLBACK": _rollback,
    "ABORT": _rollback,
    "SAVEPOINT": _savepoint,
    "RELEASE": _release,
    "SET": _set,
    "UNSET": _unset,
    "RESET": _reset,
    "SHOW": _show,
    "DISCARD": _discard,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "DEALLOCATE": _deallocate,
    "DECLARE": _declare,
    "FETCH": _fetch,
    "MOVE": _fetch,
    "CLOSE": _close,
    "USE": _use,
    "ALTER SESSION": _alter_session,
}
"""Leading word -> reader; `ALTER SESSION` is the one statement that needs two."""
