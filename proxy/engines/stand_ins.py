"""What stands in DuckDB for Postgres's relations while a statement over both runs.

Before its rows are known a relation is a table function without rows: enough to bind the statement,
to tell its types, and for DuckDB to plan what it would read. Then it is a temporary table of just
those rows and columns, which spills to disk like any other. A column that the plan said nothing
would read raises if something does read it, and so does a relation: never a missing value.

One session's; all of it blocks and runs in the session's worker.
"""

from __future__ import annotations

import ctypes as c
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from proxy.engines import pushdown
from proxy.engines.duck.api import Api, api, owned_text, ptr
from proxy.engines.duck.appender import Appender, logical_type
from proxy.engines.duck.c import Connection, DuckError
from proxy.engines.duck.session import DuckSession
from proxy.engines.foreign import Foreign, Layout, Wanted
from proxy.sql.federated import stand_in
from proxy.sql.quoting import quoted
from proxy.wire.copying.sent import SentRows
from proxy.wire.types import DuckType

_call = c.CFUNCTYPE(None, ptr)
_call_with_chunk = c.CFUNCTYPE(None, ptr, ptr)

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "create_table_function": (ptr, ()),
    "table_function_set_name": (None, (ptr, c.c_char_p)),
    "table_function_add_parameter": (None, (ptr, ptr)),
    "table_function_set_bind": (None, (ptr, _call)),
    "table_function_set_init": (None, (ptr, _call)),
    "table_function_set_function": (None, (ptr, _call_with_chunk)),
    "table_function_supports_projection_pushdown": (None, (ptr, c.c_bool)),
    "register_table_function": (c.c_int, (ptr, ptr)),
    "destroy_table_function": (None, (c.POINTER(ptr),)),
    "bind_get_parameter": (ptr, (ptr, c.c_uint64)),
    "get_varchar": (ptr, (ptr,)),
    "bind_add_result_column": (None, (ptr, c.c_char_p, ptr)),
    "bind_set_error": (None, (ptr, c.c_char_p)),
    "function_set_error": (None, (ptr, c.c_char_p)),
}
_api = Api(_SIGNATURES)

_shapes: dict[str, list[tuple[str, DuckType]]] = {}  # of all sessions, by a key that is used once
_keys = itertools.count()


@_call
def _bind(info: int) -> None:
    value = ptr(_api.bind_get_parameter(info, 0))
    shape = _shapes.get(owned_text(_api.get_varchar(value)) or "")
    api.destroy_value(c.byref(value))
    if shape is None:
        _api.bind_set_error(info, b"there is no such relation")
        return
    for name, duck in shape:
        kind = ptr(logical_type(duck))
        _api.bind_add_result_column(info, name.encode(), kind)
        api.destroy_logical_type(c.byref(kind))


@_call
def _init(info: int) -> None:
    return None


@_call_with_chunk
def _execute(info: int, chunk: int) -> None:
    _api.function_set_error(info, b"reading the control plane in this statement is not supported")


def register(connection: Connection) -> None:
    """Makes the table function known to a database, once. Raises `DuckError`."""
    function, text = ptr(_api.create_table_function()), ptr(logical_type(DuckType("VARCHAR")))
    try:
        _api.table_function_set_name(function, pushdown.FUNCTION.encode())
        _api.table_function_add_parameter(function, text)
        _api.table_function_set_bind(function, _bind)
        _api.table_function_set_init(function, _init)
        _api.table_function_set_function(function, _execute)
        _api.table_function_supports_projection_pushdown(function, True)
        if _api.register_table_function(connection.handle, function):
            raise DuckError(f"Catalog Error: {pushdown.FUNCTION} cannot be registered")
    finally:
        api.destroy_logical_type(c.byref(text))
        _api.destroy_table_function(c.byref(function))


_NOT_EXPLAINED = frozenset({"Parser", "Binder", "Not implemented"})
"""How DuckDB refuses to tell the plan of a statement that it takes without EXPLAIN."""


class StandIns:
    """One session's relations of Postgres's, as far as they are in DuckDB now."""

    def __init__(self, duck: DuckSession) -> None:
        self._duck = duck
        self._views: dict[str, None] = {}
        self._macros: dict[str, None] = {}
        self._tables: list[str] = []
        self._keys: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._views or self._tables or self._macros)

    def show(self, foreign: Sequence[Foreign]) -> None:
        """Puts the relations in place without rows."""
        self.forget()
        for n, one in enumerate(foreign):
            self._shape(n, one)

    def define(self, calls: Mapping[str, str]) -> None:
        """Puts the values of calls in place: DuckDB's SQL for each call's text."""
        for text, value in calls.items():
            name = f"temp.main.{quoted(stand_in(('', text)))}"
            self._macros[name] = None
            self._duck.run(f"CREATE OR REPLACE TEMP MACRO {name}() AS {value}")

    def _shape(self, n: int, one: Foreign) -> None:
        key = str(next(_keys))
        names = [pushdown.column_name(n, number) for number in range(len(one.columns))]
        _shapes[key] = [
            (name, _plain(column.duck)) for name, column in zip(names, one.columns, strict=True)
        ]
        self._keys.append(key)
        cells = (
            f"{name}::{column.sql_type} AS {quoted(column.name)}"
            if "JSON" in column.sql_type
            else f"{name} AS {quoted(column.name)}"
            for name, column in zip(names, one.columns, strict=True)
        )
        self._view(one, f"SELECT {', '.join(cells)} FROM {pushdown.FUNCTION}('{key}')")

    def _view(self, one: Foreign, query: str) -> None:
        name = f"temp.main.{quoted(stand_in(one.relation))}"
        self._views[name] = None
        self._duck.run(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")

    def wanted(
        self, sql: str, values: Sequence[Any], foreign: Sequence[Foreign]
    ) -> dict[int, Wanted]:
        """What a statement reads of the relations, which are in place. Raises `DuckError`."""
        self._duck.prepare(sql).close()  # its errors are the client's, with their places
        try:
            running = self._duck.start_once(f"EXPLAIN (FORMAT JSON) {sql}", values)
        except DuckError as error:
            if error.kind not in _NOT_EXPLAINED:
                raise
            return pushdown.everything(foreign)
        return pushdown.wanted(running.column_texts(1)[0], foreign)

    def filling(self, foreign: Sequence[Foreign], layout: Layout, zone: str) -> Filling:
        """Makes a table for each relation; their rows come next."""
        return Filling(self._duck, foreign, layout, self._table, zone)

    def _table(self, columns: Sequence[tuple[str, str]]) -> str:
        name = f'temp.main."postgres {next(_keys)}"'
        cells = ", ".join(f"{column} {kind}" for column, kind in columns)
        self._tables.append(name)
        self._duck.run(f"CREATE TEMP TABLE {name} ({cells})")
        return name

    def replace(self, foreign: Sequence[Foreign], filling: Filling) -> None:
        """Puts the relations in place with the rows that have come."""
        for n, one in enumerate(foreign):
            there, table = set(filling.layout[n]), filling.tables[n]
            if not there:  # nothing reads it: should something, the function raises
                continue
            cells = (
                f"c{number} AS {quoted(column.name)}"
                if number in there
                else f"CAST(error('a column was read that was not asked for') AS "
                f"{column.sql_type}) AS {quoted(column.name)}"
                for number, column in enumerate(one.columns)
            )
            self._view(one, f"SELECT {', '.join(cells)} FROM {table}")

    def forget(self) -> None:
        """What this process keeps of the relations outside of DuckDB."""
        for key in self._keys:
            _shapes.pop(key, None)
        self._keys.clear()

    def drop(self) -> None:
        """Takes everything away; what a rolled-back transaction has taken already is no error."""
        left = (("VIEW", self._views), ("TABLE", self._tables), ("MACRO", self._macros))
        for kind, names in left:
            for name in list(names):
                with suppress(DuckError):
                    self._duck.run(f"DROP {kind} IF EXISTS {name}")
        self._views.clear()
        self._macros.clear()
        self._tables.clear()
        self.forget()


class Filling:
    """Rows as COPY's binary format has them, into the tables of their relations."""

    def __init__(
        self,
        duck: DuckSession,
        foreign: Sequence[Foreign],
        layout: Layout,
        make: Callable[[Sequence[tuple[str, str]]], str],
        zone: str,
    ) -> None:
        self.layout = layout
        self.tables: list[str] = []
        self._appenders: list[Appender | None] = []
        sent = [(n, number) for n, numbers in enumerate(layout) for number in numbers]
        columns = [
            (foreign[n].columns[number].name, foreign[n].columns[number].duck) for n, number in sent
        ]
        self._reader = SentRows([("r", DuckType("SMALLINT")), *columns], zone)
        self._places = [
            [1 + place for place, (of, _) in enumerate(sent) if of == n] for n in range(len(layout))
        ]
        carriers, schema = self._reader.carriers, self._reader.schema
        try:
            for n, numbers in enumerate(layout):
                kinds = [(f"c{number}", foreign[n].columns[number].sql_type) for number in numbers]
                self.tables.append(make(kinds) if numbers else "")
                if numbers:
                    self._appenders.append(
                        duck.filler(
                            f"INSERT INTO {self.tables[n]} SELECT * FROM copied",
                            pa.schema([schema.field(place) for place in self._places[n]]),
                            [carriers[place] for place in self._places[n]],
                        )
                    )
                else:
                    self._appenders.append(None)
        except BaseException:
            self.close()
            raise

    def append(self, messages: bytes) -> bytes:
        """Takes the rows of CopyData messages; returns what is not whole yet. Raises SqlError."""
        rows, rest = self._reader.feed(messages)
        for n, (places, appender) in enumerate(zip(self._places, self._appenders, strict=True)):
            if appender is None or rows is None:
                continue
            mine = rows
            if len(self.layout) > 1:
                mine = rows.filter(pc.equal(rows.column(0), n))
            if mine.num_rows:
                appender.append(mine.select(places))
        return rest

    def close(self) -> None:
        for appender in self._appenders:
            if appender is not None:
                appender.close()


def _plain(duck: DuckType) -> DuckType:
    """The type without its name: JSON is a VARCHAR."""
    return DuckType("VARCHAR") if duck.alias else duck
