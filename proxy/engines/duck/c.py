"""DuckDB's C API, as the `duckdb` wheel exports it: connections, prepared statements and results.

Why not the Python DB-API: it executes to learn result types, pays 0.1-0.9 ms a statement and hands
out Python objects. Why not ADBC: it cannot tell the types of parameters and takes no functions of
ours. The C API has all of it - prepare without executing, types of columns and of parameters,
streaming chunks into Arrow, interrupt - and releases the GIL around every call that can take long.

Promises: every handle is closed once, in any order of use; a call that fails raises `DuckError`, one
that is cancelled `Interrupted`, with DuckDB's own structured error (`SET errors_as_json`); nothing here
knows SQLSTATEs, sessions or the wire. A connection is used by one thread at a time; `interrupt` alone may come from another.
"""

from __future__ import annotations

import ctypes as c
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from proxy.engines.definition_names import DATABASE
from proxy.engines.duck import values as duck_values
from proxy.engines.duck.api import (
    TYPE_NAMES,
    VERSION,
    DuckError,
    DuckFailure,
    Interrupted,
    ResultStruct,
    api,
    check_error_data,
    failure,
    owned_text,
    ptr,
    text,
)
from proxy.engines.duck.types import Shape, shape, type_of
from proxy.engines.small import compiled as small
from proxy.wire.decoders.values import Value
from proxy.wire.types import DuckType

__all__ = [
    "TYPE_NAMES",
    "VERSION",
    "Connection",
    "Database",
    "DuckError",
    "DuckFailure",
    "Interrupted",
    "Prepared",
    "Result",
]

# `duckdb_statement_type`, as far as anyone asks: what reads alone, and what changes rows alone.
_SELECT, _CHANGE_ROWS = 1, frozenset((2, 3, 5, 30))  # INSERT, UPDATE, DELETE, MERGE

# `duckdb_catalog_entry_type`: looked up as a table, a view is found too.
_TABLE_ENTRY, _INDEX_ENTRY, _SEQUENCE_ENTRY = 1, 4, 6
_ENTRY_KINDS = {1: "r", 3: "v", 4: "i", 6: "S"}

_TEXT = 25  # Postgres's number of the type

RETURNS_ROWS, RETURNS_COUNT, RETURNS_NOTHING = 3, 1, 2  # `duckdb_result_type`


class Database:
    """One open database file (or `:memory:`): one per process."""

    def __init__(self, path: str, settings: dict[str, str] | None = None) -> None:
        """Raises `DuckError` when the file is locked, damaged, or a setting is unknown."""
        self._handle = ptr()
        config = ptr()
        api.create_config(c.byref(config))
        try:
            for name, value in (settings or {}).items():
                if api.set_config(config, name.encode(), value.encode()):
                    raise DuckError(f"Settings Error: unknown setting {name} = {value}")
            error = ptr()
            if api.open_ext(path.encode(), c.byref(self._handle), config, c.byref(error)):
                raise DuckError(owned_text(error.value) or "cannot open " + path)
        finally:
            api.destroy_config(c.byref(config))

    def connect(self) -> Connection:
        handle = ptr()
        if api.connect(self._handle, c.byref(handle)):
            raise DuckError("Connection Error: DuckDB refused a connection")
        return Connection(handle)

    def tasks(self) -> Tasks:
        """What a thread lends itself to this database by."""
        return Tasks(api.create_task_state(self._handle))

    def close(self) -> None:
        """Writes the checkpoint; every connection must be closed before."""
        api.close(c.byref(self._handle))


class Tasks:
    """A time in which threads of ours work for the database. Any thread may call anything."""

    def __init__(self, state: int) -> None:
        self._state = state

    def execute(self) -> None:
        """Blocks until `finish`, and works on what there is."""
        api.execute_tasks_state(self._state)

    def finish(self) -> None:
        """`execute` returns as soon as it can, in every thread, also where it is called later."""
        api.finish_execution(self._state)

    def close(self) -> None:
        """Once nobody uses it any more."""
        api.destroy_task_state(self._state)


class Connection:
    """One session's connection: its transaction, its settings, one running statement."""

    def __init__(self, handle: c.c_void_p) -> None:
        self._handle = handle
        self._kept: dict[str, Prepared] = {}
        self._interrupting = threading.Lock()
        self._transacts = False

    @property
    def handle(self) -> c.c_void_p:
        """`duckdb_connection`, for what else of this package is bound to the C API."""
        return self._handle

    def prepare(self, sql: str) -> Prepared:
        """One statement, bound but not run. Raises `DuckError`; several statements are an error."""
        handle = ptr()
        if api.prepare(self._handle, sql.encode(), c.byref(handle)):
            message = text(api.prepare_error(handle))
            api.destroy_prepare(c.byref(handle))
            raise failure(message)
        return Prepared(handle)

    def syntax_error(self, sql: str) -> DuckError | None:
        """What DuckDB's grammar, which is Postgres's, says of a text; nothing is bound or run."""
        extracted = ptr()
        try:
            if api.extract_statements(self._handle, sql.encode(), c.byref(extracted)):
                return None
            return DuckError(text(api.extract_statements_error(extracted)))
        finally:
            api.destroy_extracted(c.byref(extracted))

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs our own small statement and gives its rows as Python values; not for results of clients.

        It is bound and run in one transaction: `pragma_table_info` holds the table's entry from the
        one to the other, and DuckDB frees what another session has dropped in between.
        """
        return self._query(sql).values()

    def listed(self, sql: str, names: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """As `run`, of a query that comes again and whose plan rests on nothing in the database.

        Such a query reads DuckDB's listings of its catalog alone. names: its parameters.
        """
        prepared = self._kept.get(sql)
        if prepared is None:
            prepared = self._kept[sql] = self.prepare(sql)
        if names:
            prepared.bind([(_TEXT, name) for name in names])
        return prepared.rows()

    def run_script(self, script: str) -> None:
        """Runs statements of our own, as many as there are, for no result; never a client's text."""
        self._query(script).close()

    def _query(self, sql: str) -> Result:
        """All of it, in memory. Raises `DuckError`."""
        struct = ResultStruct()
        if api.query(self._handle, sql.encode(), c.byref(struct)):
            message = text(api.result_error(c.byref(struct)))
            api.destroy_result(c.byref(struct))
            raise failure(message)
        return Result(struct, Prepared(ptr()))

    def take_snapshot(self) -> None:
        """What others commit from here on is not seen. In a transaction only."""
        self.entry(DATABASE, "main", "")

    def entry(self, database: str, schema: str, name: str) -> tuple[str, str] | None:
        """The name as stored and the kind ('r' table, 'v' view, 'S' sequence) of what has a name.

        None where nothing has it, and where there is no such schema. In a transaction only.
        """
        return self._entry_of(database, schema, name, (_TABLE_ENTRY, _SEQUENCE_ENTRY))

    def _entry_of(
        self, database: str, schema: str, name: str, numbers: tuple[int, ...]
    ) -> tuple[str, str] | None:
        context = ptr()
        api.connection_get_client_context(self._handle, c.byref(context))
        catalog = ptr(api.client_context_get_catalog(context, database.encode()))
        try:
            for number in numbers if catalog else ():
                found = ptr(
                    api.catalog_get_entry(catalog, context, number, schema.encode(), name.encode())
                )
                if found:
                    kind = _ENTRY_KINDS.get(api.catalog_entry_get_type(found))
                    stored = text(api.catalog_entry_get_name(found))
                    api.destroy_catalog_entry(c.byref(found))
                    return (stored, kind) if kind is not None else None
            return None
        finally:
            api.destroy_catalog(c.byref(catalog))
            api.destroy_client_context(c.byref(context))

    def transact(self, sql: str) -> None:
        """BEGIN, COMMIT, ROLLBACK, which nothing interrupts: DuckDB would say so once they are done."""
        with self._interrupting:
            self._transacts = True
        try:
            self.run_script(sql)
        finally:
            self._transacts = False

    def interrupt(self) -> None:
        """Stops what this connection runs, from any thread; it then raises `Interrupted`."""
        with self._interrupting:
            if self._handle and not self._transacts:
                api.interrupt(self._handle)

    def entry_of_index(self, database: str, schema: str, name: str) -> bool:
        """Whether there is an index of that name. In a transaction only."""
        return self._entry_of(database, schema, name, (_INDEX_ENTRY,)) is not None

    def close(self) -> None:
        for prepared in self._kept.values():
            prepared.close()
        self._kept.clear()
        if self._handle:
            api.disconnect(c.byref(self._handle))


class Prepared:
    """A prepared statement: types are known, nothing has run."""

    def __init__(self, handle: c.c_void_p) -> None:
        self._handle = handle
        self._schema: pa.Schema | None = None  # of the last result, whose columns were of `_shapes`
        self._shapes: list[Shape | None] = []
        # Their numbers, and the widths and scales of decimals, where those say all.
        self._numbers: list[int] = []
        self._decimals: list[tuple[int, int, int]] = []

    @property
    def columns(self) -> list[tuple[str, DuckType]]:
        """Name and type of each result column, without executing."""
        handle = self._handle
        return [
            (
                owned_text(api.prepared_statement_column_name(handle, i)) or "",
                type_of(api.prepared_statement_column_logical_type(handle, i)),
            )
            for i in range(api.prepared_statement_column_count(handle))
        ]

    @property
    def changes(self) -> str:
        """What running it may change: '' nothing, 'rows', or 'definitions' for all else."""
        kind = api.prepared_statement_type(self._handle)
        if kind == _SELECT:
            return ""
        return "rows" if kind in _CHANGE_ROWS else "definitions"

    @property
    def parameters(self) -> list[DuckType]:
        """The type that DuckDB's binder inferred for each of $1..$n; `INVALID` where it could not."""
        handle = self._handle
        return [type_of(api.param_logical_type(handle, i + 1)) for i in range(api.nparams(handle))]

    def bind(self, values: Sequence[tuple[int, Value]]) -> None:
        """(OID of the type, value) for each of $1..$n, as `duck.values.make` takes them."""
        for index, (oid, value) in enumerate(values, start=1):
            made = ptr(duck_values.make(value, oid))
            failed = api.bind_value(self._handle, index, made)
            api.destroy_value(c.byref(made))
            if failed:
                raise failure(text(api.prepare_error(self._handle)))

    def execute(self) -> Result:
        """Starts it; rows stream as they are fetched. Raises `DuckError`. Blocks: call in a thread."""
        return self.pend().execute()

    def rows(self) -> list[tuple[Any, ...]]:
        """Runs it; its rows as Python values. Raises `DuckError`. Blocks."""
        return self.execute().values()

    def pend(self) -> Pending:
        """Readies it on the snapshot that it will run on. Raises `DuckError`. Blocks.

        From here on the engine's other threads may run it, too.
        """
        pending = ptr()
        if api.pending_prepared_streaming(self._handle, c.byref(pending)):
            try:
                raise failure(text(api.pending_error(pending)))
            finally:
                api.destroy_pending(c.byref(pending))
        return Pending(self, pending)

    def pend_small(self, values: Sequence[tuple[int, Value]]) -> int | None:
        """`bind` and `pend` by `small`; None where they have to be done in the long way. Blocks."""
        return small.pend(self._handle.value, values)

    def drop_small(self, pending: int) -> None:
        """Blocks. What is pending does not run."""
        small.drop(pending)

    def answer_small(self, pending: int, layout: bytes) -> tuple[bytes, int] | Result:
        """The DataRow messages of all rows and their number, or the result that is not so small.

        Raises `DuckError`. Blocks.
        """
        found = small.answer(pending, layout)
        if isinstance(found, bytes):
            raise failure(text(found))
        if len(found) == 2:
            return found
        struct, first, second, ended = found
        chunks = [Chunk(handle) for handle in (first, second) if handle]
        return Result(ResultStruct.from_buffer_copy(struct), self, chunks, ended)

    def schema(self, result: ResultStruct, options: Callable[[], c.c_void_p]) -> pa.Schema:
        """The Arrow schema of a result of this statement: the same object for the same types.

        Needs `SET arrow_lossless_conversion`, or hugeint and uuid lose their type.
        """
        by_reference = c.byref(result)
        if self._as_before(by_reference):
            assert self._schema is not None
            return self._schema
        count = api.column_count(by_reference)
        types = (ptr * count)(*(api.column_logical_type(by_reference, i) for i in range(count)))
        try:
            shapes = [shape(handle) for handle in types]
            if self._schema is None or None in shapes or self._shapes != shapes:
                names = (c.c_char_p * count)(
                    *(api.column_name(by_reference, i) for i in range(count))
                )
                room = c.create_string_buffer(_ARROW_SCHEMA_SIZE)
                check_error_data(
                    api.to_arrow_schema(options(), types, names, count, c.addressof(room))
                )
                self._schema = pa.Schema._import_from_c(c.addressof(room))
                self._shapes = shapes
                told = [shape for shape in shapes if shape is not None and shape[1] is None]
                plain = len(told) == len(shapes)
                self._numbers = [shape[0] for shape in told] if plain else []
                self._decimals = [(i, *shape[2:]) for i, shape in enumerate(told) if shape[2]]
        finally:
            for handle in types:
                api.destroy_logical_type(c.byref(ptr(handle)))
        return self._schema

    def _as_before(self, result: Any) -> bool:
        """Whether the result's columns are of the last schema's types, as far as that is told fast."""
        numbers = self._numbers
        if not numbers or numbers != [api.column_type(result, i) for i in range(len(numbers))]:
            return False
        for index, width, scale in self._decimals:
            handle = ptr(api.column_logical_type(result, index))
            found = api.decimal_width(handle), api.decimal_scale(handle)
            api.destroy_logical_type(c.byref(handle))
            if found != (width, scale):
                return False
        return True

    def close(self) -> None:
        if self._handle:
            api.destroy_prepare(c.byref(self._handle))

    __del__ = close


class Pending:
    """A statement about to run, or run by other threads already: its snapshot is taken."""

    def __init__(self, prepared: Prepared, handle: c.c_void_p) -> None:
        self._prepared, self._handle = prepared, handle

    def execute(self) -> Result:
        """Raises `DuckError`. Blocks."""
        result = ResultStruct()
        try:
            if api.execute_pending(self._handle, c.byref(result)):
                message = text(api.result_error(c.byref(result)))
                api.destroy_result(c.byref(result))
                raise failure(message)
        finally:
            self.close()
        return Result(result, self._prepared)

    def close(self) -> None:
        """Blocks. Without `execute`, what it has changed is rolled back, but within a transaction."""
        if self._handle:
            api.destroy_pending(c.byref(self._handle))

    __del__ = close


class Chunk:
    """Rows as DuckDB has them: flat vectors."""

    def __init__(self, handle: int) -> None:
        self.handle = ptr(handle)
        self.rows: int = api.data_chunk_get_size(self.handle)

    def vector(self, index: int) -> tuple[int, int | None]:
        """Addresses of a column's values and of its validity mask, None where nothing is NULL."""
        vector = api.data_chunk_get_vector(self.handle, index)
        return api.vector_get_data(vector), api.vector_get_validity(vector)

    def close(self) -> None:
        if self.handle:
            api.destroy_data_chunk(c.byref(self.handle))

    __del__ = close


class Result:
    """An iterator of Arrow record batches of at most 2,048 rows each, DuckDB's own chunks."""

    def __init__(
        self,
        result: ResultStruct,
        prepared: Prepared,
        taken: Iterable[Chunk] = (),
        at_end: bool = False,
    ) -> None:
        """taken: the first chunks, where they have been fetched; at_end: those are all."""
        self._result: ResultStruct | None = result
        self._prepared = prepared
        self._taken = deque(taken)
        self._options: c.c_void_p | None = None
        self._schema: pa.Schema | None = None
        self._at_end = at_end
        self.returns = api.result_return_type(result)

    @property
    def rows_changed(self) -> int:
        assert self._result is not None
        return api.rows_changed(c.byref(self._result))

    @property
    def columns(self) -> list[tuple[str, DuckType]]:
        """Name and type of each column, also where preparing could not tell."""
        assert self._result is not None
        result = c.byref(self._result)
        return [
            (text(api.column_name(result, i)), type_of(api.column_logical_type(result, i)))
            for i in range(api.column_count(result))
        ]

    @property
    def schema(self) -> pa.Schema:
        """Of the batches."""
        if self._schema is None:
            assert self._result is not None
            self._schema = self._prepared.schema(self._result, self._arrow_options)
        return self._schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        chunk = self.next_chunk()
        if chunk is None:
            raise StopIteration
        return self.batch(chunk)

    def next_chunk(self) -> Chunk | None:
        """Up to 2,048 rows, as DuckDB has them; None after the last. Raises `DuckError`. Blocks."""
        if self._taken:
            return self._taken.popleft()
        if self._result is None or self._at_end:
            return None
        handle = api.fetch_chunk(self._result)
        if handle:
            return Chunk(handle)
        self._at_end = True  # asked once more, DuckDB would call it an error
        if message := api.result_error(c.byref(self._result)):
            raise failure(text(message))
        return None

    def values(self) -> list[tuple[Any, ...]]:
        """All rows as Python values; closes it. Raises `DuckError`. Blocks."""
        try:
            return [tuple(row.values()) for batch in self for row in batch.to_pylist()]
        finally:
            self.close()

    def batch(self, chunk: Chunk) -> pa.RecordBatch:
        """The chunk's rows in Arrow's form; closes it."""
        schema = self.schema
        room = c.create_string_buffer(_ARROW_ARRAY_SIZE)
        try:
            check_error_data(
                api.data_chunk_to_arrow(self._arrow_options(), chunk.handle, c.addressof(room))
            )
        finally:
            chunk.close()
        return pa.RecordBatch._import_from_c(c.addressof(room), schema)

    def close(self) -> None:
        """Ends the stream; a statement still producing rows is dropped."""
        if self._result is not None:
            self._taken.clear()
            api.destroy_result(c.byref(self._result))
            self._result = None
            if self._options is not None:
                api.destroy_arrow_options(c.byref(self._options))

    def _arrow_options(self) -> c.c_void_p:
        if self._options is None:
            self._options = ptr(api.result_get_arrow_options(c.byref(self._result)))
        return self._options


# sizeof(struct ArrowSchema) and sizeof(struct ArrowArray) of the Arrow C data interface.
_ARROW_SCHEMA_SIZE = 72
_ARROW_ARRAY_SIZE = 80
