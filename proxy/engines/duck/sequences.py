"""currval and lastval: the numbers that a session has drawn from sequences, and no other's.

Why it exists: DuckDB's currval is the last number that anybody drew. A script that inserts an order and then
its lines with `currval('orders_id_seq')` would give them to the order of whoever came between. So each
connection has a macro `nextval` of its own that also says who draws: DuckDB looks there first, also for
what defaults and views call, whose texts stay what they were.

Promises: a number is remembered whatever becomes of the transaction, as in Postgres. Of many that one
statement draws it is the last in the sequence's order. DuckDB computes column by column and defaults last,
Postgres row by row: where that would make another number of it, 0A000. A sequence that was named without
its schema is known by the search_path of then; where it may be either of two, currval is refused (0A000).
"""

from __future__ import annotations

import ctypes as c
import itertools
from functools import lru_cache
from weakref import WeakValueDictionary

from sqlglot.tokens import TokenType

from proxy.engines.duck.api import Api, api, ptr
from proxy.engines.duck.c import Connection
from proxy.engines.duck.functions import register_at, scalar, text_at
from proxy.errors import SqlError
from proxy.sql.reading import DUCKDB

Key = tuple[tuple[str, ...], str]
"""Where a sequence is, a schema or several of which it is in one (a search_path), and its name; folded."""

_MACROS = """
CREATE OR REPLACE TEMP MACRO nextval(sequence) AS
    drawn_(system.main.nextval(sequence), sequence, current_setting('search_path'), {session});
CREATE OR REPLACE TEMP MACRO currval(sequence) AS CASE
    WHEN false THEN system.main.currval(sequence)  -- is looked up: there has to be one
    ELSE held_(sequence, current_setting('search_path'), {session}) END;
CREATE OR REPLACE TEMP MACRO lastval() AS last_held_({session});
"""
_sessions = itertools.count(1)


class Drawn:
    """The numbers that one session holds. Its methods may be called on any thread."""

    def __init__(self) -> None:
        self._session = next(_sessions)
        self._held: dict[Key, int] = {}
        self._last: Key | None = None
        self._read: set[Key] = set()  # by the statement that runs
        self._many: set[Key] = set()  # of which it has drawn several at once
        _ALL[self._session] = self

    def macros(self) -> str:
        """What a connection runs to be this session's, in a transaction."""
        return _MACROS.format(session=self._session)

    def begin(self) -> None:
        """A statement is about to run."""
        self._read.clear()
        self._many.clear()

    def draw(self, key: Key, first: int, last: int, rows: int) -> None:
        """nextval gave so many numbers, from `first` on, `last` being the last of them."""
        key = self._as_known(key)
        if key in self._read:
            raise _both(key)
        if rows > 1:
            self._many.add(key)
        self._last = key
        before = self._held.get(key, last)
        # Several threads of one statement do not end in order.
        beyond = last < before if last > first else last > before
        if first == last or not beyond:
            self._held[key] = last

    def _as_known(self, key: Key) -> Key:
        """The key that the session has of the same sequence, which may know better where it is."""
        where, name = key
        if len(where) > 1:
            return (where[:1], name) if (where[:1], name) in self._held else key
        for known in list(self._held):
            if known[1] == name and known[0] != where and known[0][:1] == where:
                self._held[key] = self._held.pop(known)
        return key

    def hold(self, key: Key, number: int) -> None:
        """setval: what currval gives from here on."""
        self._held[key] = number

    def forget_all(self) -> None:
        """DISCARD SEQUENCES."""
        self._held.clear()
        self._last = None

    def forget(self, name: str) -> None:
        """A sequence or table of this name is made, or gone: what it numbered is another."""
        folded = name.lower()
        for key in list(self._held):
            if key[1] == folded or key[1].startswith(f"{folded}_"):
                del self._held[key]

    def current(self, sequence: str, path: str) -> int:
        """currval. Raises SqlError 55000 before the session has drawn a number, 0A000 as promised above."""
        places, name = _key(sequence, path)
        held = [key for key in list(self._held) if key[1] == name]
        found = [key for key in held if not set(places).isdisjoint(key[0])]
        found = [key for key in found if key[0] == places[:1]] or found
        if len(found) > 1:
            raise SqlError(
                "0A000",
                f'currval of "{name}" is not known: sequences of several schemas are called so',
                hint="Name the sequence with its schema, in nextval too.",
            )
        if not found:
            message = f'currval of sequence "{name}" is not yet defined in this session'
            raise SqlError("55000", message)
        return self._of(found[0])

    def last(self) -> int:
        """lastval. Raises SqlError as `current`."""
        if self._last not in self._held:
            raise SqlError("55000", "lastval is not yet defined in this session")
        return self._of(self._last)

    def _of(self, key: Key) -> int:
        if key in self._many:
            raise _both(key)
        self._read.add(key)
        return self._held[key]


def _both(key: Key) -> SqlError:
    message = f'a statement that draws from sequence "{key[1]}" and asks for its current number'
    hint = "INSERT ... RETURNING gives the numbers that rows were given."
    return SqlError("0A000", f"{message} is not supported", hint=hint)


_ALL: WeakValueDictionary[int, Drawn] = WeakValueDictionary()


@lru_cache(maxsize=1024)
def _key(sequence: str, path: str) -> Key:
    parts = _names(sequence)
    where = parts[-2:-1] or _names(path) or ["main"]
    return tuple(where), parts[-1]


def _names(text: str) -> list[str]:
    apart = (TokenType.DOT, TokenType.COMMA)
    words = [token.text for token in DUCKDB.own_tokens(text) if token.token_type not in apart]
    return ["main" if word == "public" else word.lower() for word in words]


_api = Api({"data_chunk_get_column_count": (c.c_uint64, (ptr,))})


def _arguments(chunk: int) -> list[int]:
    """Where the values of each argument lie."""
    count = _api.data_chunk_get_column_count(chunk)
    return [api.vector_get_data(api.data_chunk_get_vector(chunk, i)) for i in range(count)]


def _number(data: int, row: int) -> int:
    return c.c_int64.from_address(data + 8 * row).value


@scalar
def _drawn(chunk: int, output: int) -> None:
    """The numbers of a chunk as they are, the last of which the session holds."""
    given = api.data_chunk_get_vector(chunk, 0)
    rows = api.data_chunk_get_size(chunk)
    if rows and not api.vector_get_validity(given):  # nextval(NULL) is NULL
        numbers, names, paths, sessions = _arguments(chunk)
        session = _ALL.get(_number(sessions, 0))
        if session is not None:
            key = _key(text_at(names, 0), text_at(paths, 0))
            session.draw(key, _number(numbers, 0), _number(numbers, rows - 1), rows)
    api.vector_reference_vector(output, given)


@scalar
def _held(chunk: int, output: int) -> None:
    names, paths, sessions = _arguments(chunk)
    for row in range(api.data_chunk_get_size(chunk)):
        session = _ALL[_number(sessions, row)]
        _put(output, row, session.current(text_at(names, row), text_at(paths, row)))


@scalar
def _last_held(chunk: int, output: int) -> None:
    (sessions,) = _arguments(chunk)
    for row in range(api.data_chunk_get_size(chunk)):
        _put(output, row, _ALL[_number(sessions, row)].last())


def _put(output: int, row: int, number: int) -> None:
    c.c_int64.from_address(api.vector_get_data(output) + 8 * row).value = number


_FUNCTIONS = (
    ("drawn_", ("BIGINT", "VARCHAR", "VARCHAR", "BIGINT"), _drawn),
    ("held_", ("VARCHAR", "VARCHAR", "BIGINT"), _held),
    ("last_held_", ("BIGINT",), _last_held),
)


def register(connection: Connection) -> None:
    """Makes the functions known to a database, once. Raises `DuckError`."""
    for name, arguments, function in _FUNCTIONS:
        register_at(connection, name, arguments, "BIGINT", c.cast(function, ptr), volatile=True)
