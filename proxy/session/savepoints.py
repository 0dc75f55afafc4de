"""Savepoints over an engine that has none: DuckDB's transaction is begun anew and its writes repeated.

DuckDB knows no SAVEPOINT, and most run-time errors end its transaction. What a client did in the
block up to a savepoint can be done again, though, when doing it again must give the same: the block
is READ COMMITTED, the writes are few, and no part of them draws on chance, clock or sequence - but the rows
that an INSERT has added, which a SAVEPOINT reads back (`proxy.session.inserted_rows`). Then
ROLLBACK TO rolls back, begins, repeats the writes before the savepoint and compares how many rows
each changed. Whatever does not fit is refused (0A000) or, where the repetition came out differently,
failed (40001); a row is never kept or lost in silence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from sqlglot.tokens import Token, TokenType

from proxy.engines.duck.c import DuckFailure
from proxy.engines.duck.session import DuckSession
from proxy.errors import SqlError
from proxy.session.inserted_rows import AddedRows, as_inserted, inserts_into
from proxy.sql.changes.written_columns import Path
from proxy.sql.control_plane import name_set
from proxy.sql.reading import DUCKDB
from proxy.sql.snowflake import macro_scripts
from proxy.sql.spelled_aliases import VOLATILE

_MOST_WRITES = 1000
_MOST_CHARACTERS = 4 << 20

# Names whose value changes from one execution to the next. A write that spells one of them, or that
# touches a table with such a DEFAULT, is not repeated.
_VOLATILE = VOLATILE | name_set(
    """
    now today get_current_time get_current_timestamp current_timestamp current_time current_date
    localtime localtimestamp transaction_timestamp statement_timestamp clock_timestamp
    txid_current current_localtimestamp current_localtime randstr uniform normal zipf seq1 seq2
    seq4 seq8 uuid_string read_csv read_parquet read_json reservoir bernoulli system sample
    tablesample using_sample
    """
)


@dataclass(frozen=True, slots=True)
class Write:
    """One statement that changed something: as DuckDB ran it, and how many rows it said it changed.

    again: the INSERT of just the rows that it added, where these were read back.
    settled: it is known to do the same again, whatever words and defaults are in it. gives_all: it leaves
    nothing to defaults.
    """

    sql: str
    values: Sequence[Any]
    rows: int
    again: str | None = None
    settled: bool = False
    gives_all: bool = False


def may_change_rows(log: WriteLog, table: str, since: int = 0) -> bool:
    """Blocks. Whether a write that changes rows, or takes them away, names the table; yes where it is not
    known. since: how many of the first are not looked at.
    """
    if log.refusal is not None:
        return True
    return any(table.lower() in _named(write, _CHANGING) for write in log.writes[since:])


def drops_indexes(log: WriteLog) -> bool:
    """Blocks. Whether a write takes an index away, which DuckDB holds against its table until COMMIT."""
    openings = (DUCKDB.own_tokens(write.sql)[:2] for write in log.writes)
    return any([token.text.upper() for token in one] == _DROPS_INDEX for one in openings)


def _named(write: Write, words: frozenset[str]) -> set[str]:
    """The names, folded, in a write that has any of the words; none in another."""
    tokens = DUCKDB.own_tokens(write.sql)
    if words.isdisjoint(token.text.upper() for token in tokens):
        return set()
    return {token.text.lower().rpartition('"."')[2].strip('"') for token in tokens}


_DROPS_INDEX = ["DROP", "INDEX"]
_CHANGING = frozenset({"UPDATE", "DELETE", "MERGE", "CONFLICT"})
_REMAKING = _CHANGING | {"ALTER"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a write is. into: as `inserts_into`. changes: the names, folded, of what else it may change.

    says_all: whether the rows of an INSERT are in its text and its parameters, but for defaults.
    """

    into: Path | None
    changes: set[str]
    says_all: bool


def _seen(write: Write) -> Seen:
    into = None if write.settled else inserts_into(write.sql)
    if into is None:
        return Seen(None, _named(write, _REMAKING), False)
    return Seen(into, set(), _says_all(write))


@dataclass(slots=True)
class WriteLog:
    """The writes of the open DuckDB transaction, in order. `refusal` says why they cannot be repeated."""

    writes: list[Write] = field(default_factory=list)
    refusal: str | None = None
    seen: list[Seen] = field(default_factory=list)  # of the first of them
    _characters: int = 0

    def add(self, sql: str, values: Sequence[Any], rows: int, **how: bool) -> None:
        self._characters += len(sql) + sum(len(str(value)) for value in values)
        if len(self.writes) >= _MOST_WRITES or self._characters > _MOST_CHARACTERS:
            self.refusal = "the transaction has written too much to repeat it"
        if self.refusal is None:
            self.writes.append(Write(sql, values, rows, **how))

    def forget(self, since: int) -> None:
        """What came behind the first so many is undone."""
        del self.writes[since:], self.seen[since:]

    def has_inserts(self) -> bool:
        """Whether there are INSERTs whose rows have not been read back, since it was asked."""
        read = len(self.seen)
        self.seen += map(_seen, self.writes[read:])
        return self.refusal is None and any(one.into for one in self.seen[read:])

    def add_unrepeatable(self, what: str) -> None:
        """A write that came from the client's stream, or from elsewhere, once."""
        self.refusal = self.refusal or f"{what} cannot be repeated"

    def __len__(self) -> int:
        return len(self.writes)


def hold_rows(duck: DuckSession, log: WriteLog, added: AddedRows) -> None:
    """Blocks. Reads back the rows of INSERTs, which might come out differently if they were repeated."""
    tables = {path: added.table(duck, path) for path in {one.into for one in log.seen} if path}
    waiting = {one.into for one, write in zip(log.seen, log.writes, strict=True) if not write.again}
    meant = {table.meant: table for path in waiting if path and (table := tables[path]) is not None}
    for table in meant.values():
        if any(table.meant.name.lower() in one.changes for one in log.seen):
            continue
        same = {path for path, one in tables.items() if one == table}
        places = [n for n, one in enumerate(log.seen) if one.into in same]
        fresh = [n for n in places if not log.writes[n].again]
        if all(log.seen[n].says_all for n in fresh) and all(map(_constant, table.defaults)):
            continue  # what was inserted comes out again
        before = sum(log.writes[n].rows for n in places) - sum(log.writes[n].rows for n in fresh)
        made = as_inserted(duck, table, before, [log.writes[n].rows for n in fresh])
        for n, again in zip(fresh, made, strict=False):
            log.writes[n] = replace(log.writes[n], again=again)


def _says_all(write: Write) -> bool:
    if any(token.token_type == TokenType.SELECT for token in DUCKDB.tokenize(write.sql)):
        return False
    try:
        repeatable([write])
    except SqlError:
        return False
    return True


def not_restorable(reason: str) -> SqlError:
    return SqlError(
        "0A000",
        f"cannot roll back to the savepoint: {reason}",
        hint="ROLLBACK the transaction. Savepoints on analytical tables are restored by repeating "
        "the writes before them.",
    )


def repeatable(writes: Sequence[Write]) -> set[str]:
    """The names that those of `writes` mention which may take a DEFAULT. Raises 0A000 for what would come
    out differently."""
    names: set[str] = set()
    volatile = _volatile()
    for write in writes:
        if write.again is not None or write.settled:
            continue
        mentioned = set[str]()
        tokens = DUCKDB.tokenize(write.sql)
        for token in tokens:
            word = token.text.casefold()
            if word in volatile and token.token_type not in _TEXTS:
                raise not_restorable(f'"{token.text}" gives something else each time')
            if _is_name(token):
                mentioned.add(word)
        takes_none = write.gives_all or (bool(tokens) and tokens[0].token_type in _NO_DEFAULTS)
        if not takes_none or "default" in mentioned:
            names |= mentioned
    return names


def _volatile() -> frozenset[str]:
    return using(_VOLATILE)


@lru_cache(maxsize=4)
def using(names: frozenset[str]) -> frozenset[str]:
    """`names`, and those of the dialect's macros whose bodies come to use one of them."""
    bodies: dict[str, set[str]] = {}
    for script in macro_scripts():
        words = [token.text.casefold() for token in DUCKDB.tokenize(script)]
        if "macro" in words[:5]:
            opening = words.index("(")
            bodies.setdefault(words[opening - 1], set()).update(words[opening:])
    found = set(names)
    while more := {name for name, body in bodies.items() if name not in found and body & found}:
        found |= more
    return frozenset(found)


_NO_DEFAULTS = frozenset((TokenType.UPDATE, TokenType.DELETE, TokenType.CREATE))
_TEXTS = frozenset((TokenType.STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING))
_NO_NAMES = _TEXTS | {TokenType.NUMBER}


def _is_name(token: Token) -> bool:
    return token.token_type not in _NO_NAMES and token.text[:1].isidentifier()


def defaults(duck: DuckSession) -> list[tuple[str, str]]:
    """Blocks. Gives the lost transaction up, and reads the (table, DEFAULT) pairs that were there before."""
    with contextlib.suppress(SqlError, DuckFailure):  # DuckDB may have given it up itself
        duck.rollback()
    return [(table, default) for table, default in duck.run(_DEFAULTS)]


def check_defaults(found: Sequence[tuple[str, str]], names: set[str]) -> None:
    """Raises 0A000 when a table among `names` has a DEFAULT that would differ."""
    for table, default in found:
        if table.casefold() in names and not _constant(default):
            raise not_restorable(
                f'table "{table}" has a DEFAULT that gives something else each time'
            )


def repeat(duck: DuckSession, begin: str, writes: Sequence[Write]) -> None:
    """Blocks. Begins DuckDB's transaction anew and repeats `writes` in it.

    Raises 40001 when a write changes another number of rows than it did.
    """
    duck.begin(begin)
    for write in writes:
        statement = duck.prepare(write.again or write.sql)
        values = () if write.again else write.values
        try:
            changed = duck.start(statement, values).run_out()
        finally:
            statement.close()
        if changed != write.rows:
            raise SqlError(
                "40001",
                "could not roll back to the savepoint: another transaction changed what it rests on",
                hint="Retry the transaction.",
            )


_DEFAULTS = (
    "SELECT table_name, column_default FROM duckdb_columns() WHERE column_default IS NOT NULL"
)


def _constant(default: str) -> bool:
    return all(
        token.text.casefold() not in _volatile() or token.token_type in _TEXTS
        for token in DUCKDB.tokenize(default)
    )
