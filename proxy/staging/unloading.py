"""COPY INTO a stage: a query's rows as files of CSV, JSON or Parquet.

Of CSV and JSON each row becomes one text in DuckDB, so that a batch's values, one behind the other, are
the file's bytes; here they are packed and written, and a new file begins where one is large enough.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from proxy.errors import SqlError
from proxy.sql.quoting import literal, quoted
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.sql.snowflake.stage_actions import Unload
from proxy.staging.packing import ENDINGS, Packed
from proxy.staging.places import Place
from proxy.wire.types import DuckType

if TYPE_CHECKING:
    from proxy.engines.duck.portal import DuckPortal
    from proxy.session.compound import Answer
    from proxy.staging.statements import Stages

UNLOADED = (("rows_unloaded", "BIGINT"), ("input_bytes", "BIGINT"), ("output_bytes", "BIGINT"))
_DETAILED = (("FILE_NAME", "VARCHAR"), ("FILE_SIZE", "BIGINT"), ("ROW_COUNT", "BIGINT"))
_FLAGS = frozenset({"OVERWRITE", "SINGLE", "HEADER", "INCLUDE_QUERY_ID", "DETAILED_OUTPUT"})
_LARGEST = 16 * 1024 * 1024  # bytes of a file, where MAX_FILE_SIZE does not say
_NO_PARTITION = "__NULL__"
_PARTITIONS = 1000  # files open at once
_NUMBERS = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT"),
        *("UINTEGER", "UBIGINT", "DECIMAL", "DOUBLE", "FLOAT", "BOOLEAN"),
    }
)


@dataclass(frozen=True, slots=True)
class _Options:
    flags: frozenset[str]
    largest: int


@dataclass(slots=True)
class _Run:
    """Files that are being written. names: of the partitions; query: what tells this run's files."""

    stages: Stages
    place: Place
    format: FileFormat
    options: _Options
    ending: str
    written: list[tuple[str, int]] = field(default_factory=list)  # path and rows
    size: int = 0  # bytes before they were packed
    query: str = field(default_factory=lambda: secrets.token_hex(8))


async def unload(stages: Stages, place: Place, action: Unload) -> Answer:
    """Raises 58P02 where there are such files already and OVERWRITE does not say to replace them."""
    format_ = await stages.format(action.format, place.format)
    run = _Run(stages, place, format_, _options(action.options), _ending(format_))
    if action.partition and run.options.flags & {"SINGLE", "OVERWRITE"}:
        raise SqlError("22023", "PARTITION BY excludes SINGLE and OVERWRITE")
    plan = stages.compound.plan(action.query)
    stages.session.admit(plan)
    if plan.kind != "SELECT" or plan.federated or plan.action is not None or not plan.sql:
        raise SqlError("0A000", f"COPY INTO a stage from this kind of query ({plan.kind})")
    stages.session.context.refresh(plan.needs)
    from proxy.session.parameter_types import columns_of

    columns = await stages.on_duck(columns_of, stages.session.duck, plan.sql)
    sql = _rows(stages, plan.sql, columns, run, action.partition)
    await stages.apart(_make_room, run, action)
    total = await stages.on_duck(_write, run, sql, columns)
    stored = [stages.service.files.about(place.directory, path) for path, _ in run.written]
    sizes = [found.size if found is not None else 0 for found in stored]
    if "DETAILED_OUTPUT" in run.options.flags:
        listed = zip(run.written, sizes, strict=True)
        rows = [(_said(place, path), size, count) for (path, count), size in listed]
        return await stages.rows(_DETAILED, rows)
    return await stages.rows(UNLOADED, [(total, run.size, sum(sizes))])


def _said(place: Place, path: str) -> str:
    prefix = place.prefix if place.prefix.endswith("/") else place.prefix.rpartition("/")[0] + "/"
    return path.removeprefix(prefix)


def columns_of(action: Unload) -> tuple[tuple[str, str], ...]:
    """The columns of the answer, before it runs."""
    detailed = str(action.options.get("DETAILED_OUTPUT", "FALSE")).upper() == "TRUE"
    return _DETAILED if detailed else UNLOADED


def _options(given: Mapping[str, Any]) -> _Options:
    largest = _LARGEST
    flags: set[str] = set()
    for name, value in given.items():
        text = str(value).upper()
        if name == "MAX_FILE_SIZE":
            if not text.isdigit() or int(text) == 0:
                raise SqlError("22023", "MAX_FILE_SIZE must be a number of bytes")
            largest = int(text)
        elif name in _FLAGS:
            if text not in ("TRUE", "FALSE"):
                raise SqlError("22023", f"{name} must be TRUE or FALSE")
            flags |= {name} if text == "TRUE" else set()
        elif name == "VALIDATION_MODE":
            raise SqlError("0A000", "VALIDATION_MODE of an unload is not supported")
        else:
            raise SqlError("22023", f"{name} is no option of COPY INTO a stage")
    return _Options(frozenset(flags), largest)


def _ending(format_: FileFormat) -> str:
    said = format_.options.get("FILE_EXTENSION")
    if format_.type == "PARQUET":
        packs = format_["COMPRESSION"] != "NONE" and format_["SNAPPY_COMPRESSION"]
        return ".snappy.parquet" if packs else ".parquet"
    base = f".{said.removeprefix('.')}" if said is not None else f".{format_.type.lower()}"
    return base + ENDINGS[_packing(format_)]


def _packing(format_: FileFormat) -> str:
    packing = format_["COMPRESSION"]
    return "GZIP" if packing == "AUTO" else packing


# --- rows as texts --------------------------------------------------------------------------------


def _rows(
    stages: Stages,
    query: str,
    columns: list[tuple[str, DuckType]],
    run: _Run,
    partition: str,
) -> str:
    """DuckDB's query: `p`, the partition, and a row's text, or for Parquet its columns."""
    names = [f"c{n}" for n in range(len(columns))]
    said = ", ".join(
        f"{name} AS {quoted(column)}" for name, (column, _) in zip(names, columns, strict=True)
    )
    texts = ", ".join(
        f"{_shown(name, kind)} AS t{name}" for name, (_, kind) in zip(names, columns, strict=True)
    )
    path = f"({partition})::VARCHAR" if partition else "NULL::VARCHAR"
    plan = stages.compound.plan(
        f"SELECT {', '.join(names)}, {texts}, {path} AS p FROM "
        f"(SELECT {', '.join(names)}, {said} FROM _hd_rows)"
    )
    source = f"WITH _hd_rows({', '.join(names)}) AS ({query}) {plan.sql}"
    if run.format.type == "PARQUET":
        cells = ", ".join(
            f"{_for_parquet(name, kind)} AS {quoted(column)}"
            for name, (column, kind) in zip(names, columns, strict=True)
        )
        return f"SELECT p, {cells} FROM ({source})"
    if run.format.type == "JSON":
        if len(columns) != 1 or not columns[0][1].is_document:
            raise SqlError(
                "42804",
                "a JSON file needs one column of type variant, object, or array",
                hint="SELECT OBJECT_CONSTRUCT(*) FROM t makes one.",
            )
        return f"SELECT p, coalesce(CAST(c0 AS VARCHAR), 'null') || chr(10) AS d FROM ({source})"
    delimiter = literal(run.format["FIELD_DELIMITER"] or "")
    record = literal(run.format["RECORD_DELIMITER"] or "")
    fields = f" || {delimiter} || ".join(
        _field(f"tc{n}", kind, run.format) for n, (_, kind) in enumerate(columns)
    )
    return f"SELECT p, {fields} || {record} AS d FROM ({source})"


def _shown(name: str, kind: DuckType) -> str:
    """Snowflake's text of a value."""
    if kind.id == "VARCHAR" and kind.alias is None:
        return name
    return f"TO_VARCHAR({name})" if not kind.is_document else f"{name}::VARCHAR"


def _field(text: str, kind: DuckType, format_: FileFormat) -> str:
    """DuckDB's expression for a field as CSV has it."""
    nulls = format_["NULL_IF"]
    null = literal(nulls[0] if nulls else "")
    quote = format_["FIELD_OPTIONALLY_ENCLOSED_BY"]
    escape = format_["ESCAPE"]
    if quote is not None:
        if kind.id in _NUMBERS:
            return f"coalesce({text}, {null})"
        inner = text
        if escape is not None and escape != quote:
            inner = f"replace({inner}, {literal(escape)}, {literal(escape * 2)})"
            inner = f"replace({inner}, {literal(quote)}, {literal(escape + quote)})"
        else:
            inner = f"replace({inner}, {literal(quote)}, {literal(quote * 2)})"
        return f"coalesce({literal(quote)} || {inner} || {literal(quote)}, {null})"
    escape = escape or format_["ESCAPE_UNENCLOSED_FIELD"]
    inner = text
    if escape is not None and kind.id not in _NUMBERS:
        inner = f"replace({inner}, {literal(escape)}, {literal(escape * 2)})"
        for delimiter in (format_["FIELD_DELIMITER"], format_["RECORD_DELIMITER"]):
            if delimiter:
                inner = f"replace({inner}, {literal(delimiter)}, {literal(escape + delimiter)})"
    return f"coalesce({inner}, {null})"


def _for_parquet(name: str, kind: DuckType) -> str:
    """A column as a Parquet file holds it: what has no type there is text."""
    if kind.is_document or kind.id in ("UUID", "INTERVAL", "TIME_TZ"):
        return f"CAST({name} AS VARCHAR)"
    if kind.id in ("HUGEINT", "UHUGEINT"):
        return f"CAST({name} AS DECIMAL(38, 0))"
    return name


# --- files ----------------------------------------------------------------------------------------


def _make_room(run: _Run, action: Unload) -> None:
    """Blocks. Removes what OVERWRITE replaces; refuses to mix with what is there."""
    files = run.stages.service.files
    single = "SINGLE" in run.options.flags
    if single:
        there = [staged for staged in [files.about(run.place.directory, _single(run))] if staged]
    elif action.partition or "INCLUDE_QUERY_ID" in run.options.flags:
        return  # their names are this statement's own
    else:
        stem = _stem(run, None)
        there = files.listing(run.place.directory, stem + "_")
    if there and "OVERWRITE" not in run.options.flags:
        raise SqlError(
            "58P02",
            f'Files already existing at the unload destination: "{there[0].path}"',
            hint="Use overwrite option to force unloading.",
        )
    if not single:
        for staged in there:
            files.remove(run.place.directory, staged.path)


def _single(run: _Run) -> str:
    path = run.place.prefix
    return path + "data" if not path or path.endswith("/") else path


def _stem(run: _Run, partition: str | None) -> str:
    """A file's path up to its numbers."""
    prefix = run.place.prefix
    if partition is not None:
        directory = prefix.rstrip("/") + "/" if prefix else ""
        return f"{directory}{partition}/data_{run.query}"
    stem = f"{prefix}data" if not prefix or prefix.endswith("/") else prefix
    return f"{stem}_{run.query}" if "INCLUDE_QUERY_ID" in run.options.flags else stem


class _Output:
    """The files of one partition, one after the other. Blocks."""

    def __init__(self, run: _Run, partition: str | None, header: bytes) -> None:
        self._run, self._partition, self._header = run, partition, header
        self._number = 0
        self._open: ExitStack | None = None
        self.path = ""
        self._file: IO[bytes] | None = None
        self._sink: Any = None
        self._size = self._rows = 0

    def _next(self) -> None:
        run = self._run
        if "SINGLE" in run.options.flags:
            self.path = _single(run)
        else:
            stem = _stem(run, self._partition)
            self.path = f"{stem}_0_{self._number}_0{run.ending}"
        self._number += 1
        self._open = ExitStack()
        files = run.stages.service.files
        self._file = self._open.enter_context(files.writing(run.place.directory, self.path))
        self._size = self._rows = 0

    def text(self, data: pa.Buffer, rows: int) -> None:
        """Some rows' bytes."""
        if self._open is None:
            self._next()
            assert self._open is not None
            assert self._file is not None
            packed = Packed(self._file, _packing(self._run.format))
            self._sink = self._open.enter_context(packed)
            if self._header:
                self._sink.write(self._header)
        self._sink.write(data)
        self._count(data.size, rows)

    def batch(self, batch: pa.RecordBatch) -> None:
        """Some rows of a Parquet file."""
        if self._open is None:
            self._next()
            assert self._open is not None
            assert self._file is not None
            format_ = self._run.format
            packs = format_["COMPRESSION"] != "NONE" and format_["SNAPPY_COMPRESSION"]
            writer = pq.ParquetWriter(
                self._file, batch.schema, compression="snappy" if packs else "none"
            )
            self._sink = self._open.enter_context(writer)
        self._sink.write_batch(batch)
        self._count(batch.nbytes, batch.num_rows)

    def _count(self, size: int, rows: int) -> None:
        self._size += size
        self._rows += rows
        self._run.size += size
        if self._size >= self._run.options.largest and "SINGLE" not in self._run.options.flags:
            self.close()

    def close(self) -> None:
        """Ends the file that is open: it is there."""
        if self._open is not None:
            self._open.close()
            self._open = None
            self._run.written.append((self.path, self._rows))

    def give_up(self, error: BaseException) -> None:
        """Leaves nothing of the file that is open."""
        if self._open is not None:
            opened, self._open = self._open, None
            opened.__exit__(type(error), error, error.__traceback__)


def _write(run: _Run, sql: str, columns: list[tuple[str, DuckType]]) -> int:
    """Blocks. Runs the query and writes what it gives; how many rows."""
    duck = run.stages.session.duck
    running = duck.start_once(sql)
    header = _header(run, columns)
    outputs: dict[str | None, _Output] = {}
    rows = 0
    try:
        for batch in _batches(running):
            run.stages.check()
            rows += batch.num_rows
            for partition, some in _partitioned(batch):
                output = outputs.get(partition)
                if output is None:
                    if len(outputs) >= _PARTITIONS:
                        raise SqlError("54000", f"more than {_PARTITIONS} partitions")
                    output = outputs[partition] = _Output(run, partition, header)
                if run.format.type == "PARQUET":
                    output.batch(_plain(some))
                else:
                    output.text(*_bytes(some.column(1)))
        for output in outputs.values():
            output.close()
    except BaseException as error:
        for output in outputs.values():
            output.give_up(error)
        for path, _ in run.written:
            run.stages.service.files.remove(run.place.directory, path)
        raise
    finally:
        running.close()
    return rows


def _batches(running: DuckPortal) -> Iterator[pa.RecordBatch]:
    more = True
    while more:
        batch, more = running.fetch_batch()
        if batch is not None:
            yield batch


def _partitioned(batch: pa.RecordBatch) -> Iterator[tuple[str | None, pa.RecordBatch]]:
    """The rows of each partition; all at once where there is none."""
    names = batch.column(0)
    if names.null_count == len(names) and not pc.any(names.is_valid()).as_py():
        yield None, batch
        return
    filled = pc.fill_null(names, _NO_PARTITION)
    for name in pc.unique(filled).to_pylist():
        yield name, batch.filter(pc.equal(filled, name))


def _bytes(texts: pa.Array) -> tuple[pa.Buffer, int]:
    """The texts one behind the other."""
    whole = pa.concat_arrays([texts]).cast(pa.large_string()) if texts.offset else texts
    whole = whole.cast(pa.large_binary())
    offsets = pa.Array.from_buffers(
        pa.int64(), len(whole) + 1, [None, whole.buffers()[1]], offset=whole.offset
    )
    start, end = offsets[0].as_py(), offsets[len(whole)].as_py()
    return whole.buffers()[2].slice(start, end - start), len(whole)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without the partition, and without Arrow's extension types."""
    arrays, fields = [], []
    for index in range(1, batch.num_columns):
        column = batch.column(index)
        if isinstance(column.type, pa.Bool8Type):
            column = column.storage.cast(pa.bool_())
        elif isinstance(column.type, pa.BaseExtensionType):
            raise SqlError("0A000", f"Parquet columns of type {column.type} are not supported")
        arrays.append(column)
        fields.append(pa.field(batch.schema.names[index], column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _header(run: _Run, columns: list[tuple[str, DuckType]]) -> bytes:
    if "HEADER" not in run.options.flags or run.format.type != "CSV":
        return b""
    quote = run.format["FIELD_OPTIONALLY_ENCLOSED_BY"] or ""
    names = [
        quote + name.replace(quote, quote * 2) + quote if quote else name for name, _ in columns
    ]
    joined = (run.format["FIELD_DELIMITER"] or "").join(names)
    return (joined + (run.format["RECORD_DELIMITER"] or "")).encode()
