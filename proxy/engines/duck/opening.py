"""Opening DuckDB's file, also after a crash that left it in a state that DuckDB cannot open by itself.

What was written since the last checkpoint stands in a log that is replayed when the file is opened.
DuckDB 1.5 cannot replay an ALTER TABLE of a table where a default or a check calls a function (the
length of a varchar(n) does, nextval does) when it opens the file as its first database: names are
looked up before there is one to look in. It also fills a column that was added with its default, and
casts to types of ours (`engines.duck.jsonb`) are not known yet. Attached to an instance that has all that, the
same file replays rightly. So `opened` lets such an instance write the checkpoint before it opens the file.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proxy.engines.duck import any as duck_any
from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck import documents as duck_documents
from proxy.engines.duck import jsonb as duck_jsonb
from proxy.engines.duck import macros as duck_macros
from proxy.engines.duck import sequences as duck_sequences
from proxy.engines.duck.functions import Body, Functions
from proxy.errors import SqlError
from proxy.sql.quoting import literal


@dataclass(frozen=True, slots=True)
class Furniture:
    """What an instance has besides its file: extensions, functions, and the database `_sf`."""

    extensions: tuple[str, ...]
    macros: tuple[str, ...]
    functions: tuple[tuple[str, tuple[str, ...], str, Body, bool], ...]
    table_functions: tuple[Callable[[duckdb_c.Connection], None], ...]

    def put_into(
        self, calling: duckdb_c.Connection, connection: duckdb_c.Connection, directory: Path
    ) -> Functions:
        """Blocks. calling: the connection that functions are registered on; it stays open.

        directory: where `_sf` is kept.
        """
        duck_jsonb.register(connection)
        duck_documents.register(connection)
        duck_sequences.register(connection)
        functions = Functions(calling)
        for function in self.functions:
            functions.register(*function)
        duck_any.register(functions)
        for register in self.table_functions:
            register(connection)
        for name in self.extensions:
            connection.run(f"LOAD '{_extension_file(name)}'")
        signatures = [function[:3] for function in self.functions]
        duck_macros.attach(connection, self.macros, signatures, directory)
        return functions


def opened(path: Path, settings: dict[str, str], furniture: Furniture) -> duckdb_c.Database:
    """Blocks. The open file. Raises DuckError."""
    if path.with_name(f"{path.name}.wal").exists():
        with suppress(duckdb_c.DuckError):  # what is wrong with the file, opening it says
            _checkpoint(path, settings, furniture)
    return duckdb_c.Database(str(path), settings)


def _checkpoint(path: Path, settings: dict[str, str], furniture: Furniture) -> None:
    """Replays the file's log in an instance that has a database already, and writes it."""
    database = duckdb_c.Database(":memory:", settings)
    try:
        connection, calling = database.connect(), database.connect()
        try:
            furniture.put_into(calling, connection, path.parent)
            connection.run(f"ATTACH {literal(str(path))} AS {path.stem}")
            connection.run(f"CHECKPOINT {path.stem}")
            connection.run(f"DETACH {path.stem}")
        finally:
            calling.close()
            connection.close()
    finally:
        database.close()


def _extension_file(name: str) -> Path:
    """The extension file inside the wheel `duckdb-extension-<name>`; nothing is downloaded."""
    package = f"duckdb_extension_{name}"
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise SqlError(
            "58P01",
            f'DuckDB extension "{name}" is not installed',
            hint=f"pip install duckdb-extension-{name}=={duckdb_c.VERSION.removeprefix('v')}",
        )
    version = duckdb_c.VERSION
    return Path(spec.origin).parent / "extensions" / version / f"{name}.duckdb_extension"
