"""Parquet files, read by a DuckDB that no client can speak to.

Why a second one: the clients' is locked away from files, and shall stay so. This one lives in memory,
runs nothing but the query below, and is given a file that is open already, so that no path of a
client's is ever opened by it.

A row becomes the text of a JSON object, as Snowflake makes a VARIANT of it: fields that are NULL are
left out, numbers keep all their digits, dates and timestamps are texts.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from proxy.engines.duck.c import Connection, Database, DuckError
from proxy.errors import SqlError
from proxy.wire.types import DuckType

_NUMBERS = frozenset(
    [
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "DECIMAL",
    ]
)
_WIDE = frozenset({"DECIMAL", "HUGEINT", "UHUGEINT"})
_EXACT_DIGITS = 15
_OPEN_FILES = "/proc/self/fd"
_DATABASE_SETTINGS = """
SET GLOBAL allowed_directories = ['{root}/'];
SET GLOBAL enable_external_access = false;
"""
_SETTINGS = "SET threads = 1; SET TimeZone = 'UTC'; SET arrow_lossless_conversion = true;"
_PLAIN = {"TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP", "TIMESTAMP_TZ", "DATE"}
_PLAIN |= {"TIME", "TIME_TZ", "TIME_NS", "UUID", "ENUM", "INTERVAL"}


class ParquetFiles:
    """Of the process: its database is made when it is first needed. It reads below `root` alone."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._database: Database | None = None
        self._locked = False
        self._lock = threading.Lock()

    def _connect(self) -> Connection:
        with self._lock:
            if self._database is None:
                self._database = Database(":memory:", {"autoinstall_known_extensions": "false"})
            connection = self._database.connect()
            if not self._locked:
                root = str(self._root).replace("'", "''")
                connection.run_script(_DATABASE_SETTINGS.format(root=root))
                self._locked = True
        connection.run_script(_SETTINGS)
        return connection

    def close(self) -> None:
        if self._database is not None:
            self._database.close()

    def columns(self, file: IO[bytes], name: str, text: bool) -> list[tuple[str, DuckType]]:
        """Blocks. Names and types of a file's columns. text: binary columns without a type are text."""
        connection = self._connect()
        try:
            prepared = connection.prepare(f"SELECT * FROM {_source(file, text)}")
            found = prepared.columns
            prepared.close()
            return found
        except DuckError as error:
            raise _damaged(name, error) from error
        finally:
            connection.close()

    def documents(self, file: IO[bytes], name: str, text: bool) -> Iterator[pa.Array]:
        """Blocks. The rows of a file, each as the text of a JSON object."""
        columns = self.columns(file, name, text)
        connection = self._connect()
        try:
            sql = f"SELECT {_object(columns, '')} AS d FROM {_source(file, text)}"
            prepared = connection.prepare(sql)
            try:
                result = prepared.execute()
                for batch in result:
                    yield batch.column(0).cast(pa.string())
                result.close()
            finally:
                prepared.close()
        except DuckError as error:
            raise _damaged(name, error) from error
        finally:
            connection.close()


def _source(file: IO[bytes], text: bool) -> str:
    # A path of the kernel's for what is open: it holds neither wildcards nor links of anybody's.
    path = f"{_OPEN_FILES}/{file.fileno()}"
    assert os.path.exists(path)
    return f"read_parquet('{path}', binary_as_string={str(text).lower()})"


def _damaged(name: str, error: DuckError) -> SqlError:
    return SqlError("22P04", f'the file "{name}" cannot be read as Parquet', detail=error.message)


def _object(columns: list[tuple[str, DuckType]], of: str) -> str:
    members = [
        f"""'{_key(name)}:' || {_json(f'{of}"{name.replace(chr(34), chr(34) * 2)}"', kind)}"""
        for name, kind in columns
    ]
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'" if members else "'{}'"


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False).replace("'", "''")


def _json(value: str, kind: DuckType) -> str:
    """An expression for a value's JSON text, NULL for NULL."""
    if kind.id in _WIDE:
        # Where JSON's numbers would lose digits, a text keeps them: it casts to the same number.
        text = f"CAST({value} AS VARCHAR)"
        short = f"length(replace(replace({text}, '.', ''), '-', '')) <= {_EXACT_DIGITS}"
        return f"CASE WHEN {short} THEN {text} ELSE '\"' || {text} || '\"' END"
    if kind.id in _NUMBERS or kind.id == "BOOLEAN":
        return f"CAST({value} AS VARCHAR)"
    if kind.id in ("DOUBLE", "FLOAT"):
        text = f"CAST({value} AS VARCHAR)"
        return f"CASE WHEN isfinite({value}) THEN {text} ELSE '\"' || {text} || '\"' END"
    if kind.id == "BLOB":
        return f"'\"' || hex({value}) || '\"'"
    if kind.id == "STRUCT":
        names = list(zip(kind.names, kind.children, strict=True))
        return f"CASE WHEN {value} IS NOT NULL THEN {_object(names, value + '.')} END"
    if kind.id in ("LIST", "ARRAY"):
        element = _json("_e", kind.children[0])
        each = f"list_transform({value}, lambda _e: coalesce({element}, 'null'))"
        return f"'[' || array_to_string({each}, ',') || ']'"
    if kind.id == "VARCHAR" or kind.id in _PLAIN:
        return f"CASE WHEN {value} IS NOT NULL THEN CAST(to_json(CAST({value} AS VARCHAR)) AS VARCHAR) END"
    raise SqlError("0A000", f"Parquet columns of type {kind} are not supported")
