"""What one COPY INTO a table works with, and what it says of each file.

Why it exists: a load, a transformation and a validation judge files alike and report them alike; how a
wrong record is named in an error is Snowflake's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from proxy.errors import SqlError
from proxy.sql.quoting import literal, quoted
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.staging import catalog, places
from proxy.staging.converting import Column
from proxy.staging.directory import Staged
from proxy.staging.load_options import CONTINUE, LoadOptions


@dataclass(slots=True)
class Run:
    """What one statement needs for each of its files."""

    action: act.Load
    options: LoadOptions
    place: places.Place
    format: FileFormat
    table: tuple[str, str, str]
    columns: list[Column]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def target(self) -> str:
        """The table's name as SQL."""
        return quoted(*self.table)


@dataclass(slots=True)
class Judged:
    """What was found of a file. error, line, row, column: of the first wrong record."""

    parsed: int
    wrong: int
    error: str | None = None
    line: int | None = None
    row: int | None = None
    column: str | None = None


def remembered(kept: catalog.Kept | None) -> dict[str, list[Any]]:
    """What is remembered: of each file its digest and when it was loaded."""
    files = kept.document.get("files") if kept is not None else None
    if not isinstance(files, dict):
        return {}
    return {
        name: about
        for name, about in files.items()
        if isinstance(about, list) and len(about) == 2 and isinstance(about[1], int)
    }


def key_of(run: Run, staged: Staged) -> str:
    """What a file is remembered by."""
    return f"{run.place.directory}/{staged.path}"


def member(column: Column, document: str) -> str:
    """A member of a document as text, by a column's name whatever its case."""
    name = literal(column.name)
    if column.duck.is_document:
        return f"TO_JSON(GET_IGNORE_CASE({document}, {name}))"
    return f"GET_IGNORE_CASE({document}, {name})::VARCHAR"


def column_name(run: Run, place: int | None) -> str | None:
    """As Snowflake names a column in an error: `"T"["A":1]`."""
    if not place:
        return None
    table = run.table[2]
    if place > len(run.columns):
        return f'"{table}"[{place}]'
    return f'"{table}"["{run.columns[place - 1].name}":{place}]'


def failed(run: Run, staged: Staged, judged: Judged) -> SqlError:
    """The error of a file with a wrong record: 22P02 of a value, 22P04 of a record."""
    where = f"File '{run.place.label}{staged.path}'"
    if judged.line is not None:
        where += f", line {judged.line}"
    detail = where
    if judged.row is not None:
        detail += f"\nRow {judged.row}"
        if judged.column:
            detail += f", column {judged.column}"
    return SqlError(
        "22P02" if judged.column else "22P04",
        judged.error or "a record cannot be loaded",
        detail=detail,
        hint="ON_ERROR = CONTINUE or SKIP_FILE goes on with what can be loaded.",
    )


def report_row(
    run: Run, staged: Staged, judged: Judged, loaded: int, keep: bool
) -> tuple[Any, ...]:
    status = "LOADED"
    if judged.wrong:
        status = "PARTIALLY_LOADED" if keep and loaded else "LOAD_FAILED"
    on_error = run.options.on_error
    limit = judged.parsed if on_error == CONTINUE else run.options.limit
    if run.options.percent:
        limit = judged.parsed * run.options.limit // 100
    return (
        run.place.label + staged.path,
        status,
        judged.parsed,
        loaded,
        max(limit, 1),
        judged.wrong,
        judged.error,
        judged.line,
        None,
        judged.column,
    )
