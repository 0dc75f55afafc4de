"""Prepared statements and portals of one session: what was parsed, what was bound, who runs it.

A statement belongs to one engine; its portal is a running (or not yet started) execution of it. The
session keeps both by name, as the extended protocol does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from proxy.engines.duck.portal import DuckPortal
from proxy.engines.duck.scroll import GivenRows, ScrollRows
from proxy.engines.duck.statement import DuckStatement
from proxy.engines.freshness import Stamp
from proxy.engines.prepared import RelayedStatement
from proxy.errors import SqlError
from proxy.sql.lengths import OWN, modifier_of
from proxy.sql.plan import Statement
from proxy.wire import messages as m
from proxy.wire.types import DuckType, varchar, wire_type


@dataclass(slots=True)
class PreparedStatement:
    """plan: None for an empty query. Exactly one of `duck` and `relayed` for an engine's statement."""

    name: str
    plan: Statement | None = None
    parameter_oids: tuple[int, ...] = ()
    read_oids: tuple[int, ...] = ()  # what their values are read as
    parameter_numbers: tuple[int, ...] = ()  # of those that the text has: DuckDB's $1, $2...
    sql: str = ""  # what DuckDB was given for it
    duck: DuckStatement | None = None  # planned for `parameter_types`
    parameter_types: tuple[str, ...] = ()  # DuckDB's names
    variants: dict[str, DuckStatement] = field(default_factory=dict)  # for others, by their text
    returned: Statement | None = None  # with parameters behind RETURNING: the plan that has them
    hides_nulls: bool = False  # seen while the statement is bound, NULL would change its columns
    relayed: RelayedStatement | None = None
    passing: Statement | None = None  # its plan, once found to pass without asking the catalog
    asked: Statement | None = None  # the plan as the text gave it
    as_of: Stamp | None = None  # when its table had the indexes that it was made for
    oids: tuple[int, ...] = ()  # as Parse gave them
    told: list[tuple[str, DuckType]] | None = None  # the columns that Describe has named
    inner: PreparedStatement | None = None  # of DECLARE and EXPLAIN: what carries the parameters
    row_types: list[tuple[str, DuckType]] | None = None  # None: it returns no rows
    lengths: tuple[int, ...] | None = None  # n of columns that are varchar(n)
    description: tuple[Any, Any, Any, bytes] | None = (
        None  # columns, lengths, formats, RowDescription
    )
    shape: Any = None  # `at_once.Shape`, once it is known; False: it has none

    @property
    def changes_by_itself(self) -> bool:
        """Whether its text may mean something else the next time."""
        return self.asked is not None and (self.asked.varies or self.asked.copies is not None)

    def close_plans(self) -> None:
        """Blocks. Frees what DuckDB holds for it."""
        for plan in (self.duck, *self.variants.values()):
            if plan is not None:
                plan.close()


@dataclass(slots=True)
class Portal:
    statement: PreparedStatement
    values: Sequence[tuple[int, Any]] = ()  # (OID, value)
    types: tuple[str, ...] = ()  # DuckDB's types of the values
    sql: str = ""  # the statement's text for those types, where it must be planned anew
    bind: bytes = b""  # the body of the Bind that made it, where it has no name
    size: int = 0  # of the values, in bytes as Bind brought them
    formats: tuple[int, ...] = ()
    running: DuckPortal | GivenRows | None = None
    scroll: ScrollRows | None = None  # of a SCROLL cursor: all its rows
    failure: SqlError | None = None  # what a cursor's query met at DECLARE, told at FETCH
    rows: int = 0  # given so far
    finished: bool = False
    hold: bool = False  # a cursor WITH HOLD
    kept: bool = False  # ... whose transaction has committed
    binary: bool = False  # a BINARY cursor
    idle: bool = False  # IF [NOT] EXISTS leaves it nothing to do
    inner: Portal | None = None  # bound, of DECLARE and EXPLAIN
    given: m.Bind | None = None  # as it came, for the steps of a statement of several
    answer: Any = None  # what the session's own statement answered: `Outcome` or `Rows`
    left: int = 0  # of a FETCH: rows that it has still to give


@dataclass(slots=True)
class Outcome:
    """What a session's own statement answers: a tag, and rows of texts where it returns any."""

    tag: str
    columns: Sequence[str] = ()
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    oid: int = 25  # of every column

    def row_description(self) -> bytes:
        return m.row_description([m.Column(name, self.oid, -1, -1) for name in self.columns])

    def data_rows(self) -> bytes:
        return b"".join(map(_data_row, self.rows))


def _data_row(values: Sequence[str | None]) -> bytes:
    cells = b"".join(
        b"\xff\xff\xff\xff" if raw is None else len(raw).to_bytes(4, "big") + raw
        for raw in (None if value is None else value.encode() for value in values)
    )
    return m.frame(b"D", len(values).to_bytes(2, "big") + cells)


def columns_of(
    row_types: Sequence[tuple[str, DuckType]],
    formats: Sequence[int],
    lengths: Sequence[int] | None = None,
) -> list[m.Column]:
    """The fields of RowDescription for a DuckDB result. lengths: as `Described.lengths` gives them."""
    columns = []
    for (name, duck), code in zip(row_types, formats, strict=True):
        length = lengths[len(columns)] if lengths else OWN
        wire = varchar(length) if length > 0 else wire_type(duck)
        if length <= 0 and length != OWN:
            wire = replace(wire, modifier=modifier_of(length) if length else -1)
        columns.append(m.Column(name, wire.oid, wire.size, wire.modifier, code))
    return columns


@lru_cache(maxsize=256)
def row_description(
    row_types: tuple[tuple[str, DuckType], ...],
    formats: tuple[int, ...],
    lengths: tuple[int, ...] | None = None,
) -> bytes:
    """RowDescription of a DuckDB result."""
    return m.row_description(columns_of(row_types, formats, lengths))


def result_formats(given: Sequence[int], count: int) -> tuple[int, ...]:
    """Bind's result formats spread over the columns. Raises 08P01 when they do not fit."""
    if len(given) == count:
        return tuple(given)
    if len(given) <= 1:
        return tuple(given or (0,)) * count
    raise m.protocol_violation(
        f"bind message has {len(given)} result formats but query has {count} columns"
    )


# What DuckDB calls the result of a statement that returns no rows.
_NO_ROWS = ([("Count", DuckType("BIGINT"))], [("Success", DuckType("BOOLEAN"))])
_CHANGES_ROWS = frozenset(("INSERT 0", "UPDATE", "DELETE", "MERGE"))


def row_types_of(plan: Statement, statement: DuckStatement) -> list[tuple[str, DuckType]] | None:
    """The result columns, or None for a statement that only reports a count or nothing."""
    if plan.ddl or not (statement.columns or plan.tag == "SELECT"):
        return None
    return shown(plan, statement.columns)


def shown(
    plan: Statement, columns: list[tuple[str, DuckType]]
) -> list[tuple[str, DuckType]] | None:
    """The columns, or None for those of a count. DuckDB may tell only from the parameters' values."""
    return None if plan.tag != "SELECT" and columns in _NO_ROWS else columns


# CREATE TABLE IF NOT EXISTS ... AS counts no rows when the table is there.
IDLE_TAGS = {"CREATE TABLE AS": "CREATE TABLE AS"}

_COUNTED = _CHANGES_ROWS | {"SELECT", "FETCH", "MOVE", "COPY"}


def complete(tag: str, rows: int) -> bytes:
    """CommandComplete, with the number of rows where Postgres's tag has one."""
    return m.command_complete(f"{tag} {rows}" if tag in _COUNTED else tag)
