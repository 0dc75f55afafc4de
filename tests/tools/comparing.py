"""Whether two servers answer the same: how the recorded statements of tools are judged.

An answer is what libpq sees of it, in text format: the columns' names, types and modifiers, and the
rows as their bytes. Two things differ between any two Postgres servers, and are not compared by value:

- numbers that a server gives as it goes (oids, transaction ids). Those that initdb gave are the same
  everywhere; of all others only whether there is one counts.
- schemas of temporary tables, which come and go with sessions.
- columns that a statement's header names as varying: owners, sizes, the text of a view, which
  Postgres prints in its own way and we as its author wrote it.
- the precision of a computed numeric, of which Postgres says nothing and we may.

Rows are compared without their order, which few of the statements define.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq

_FIRST_OID_OF_USERS = 16384
_OIDS = {26: "oid", 1028: "oid[]", 30: "oidvector", 2205: "regclass"}
_OF_THE_SERVER = {28: "xid", 5069: "xid8", 1034: "aclitem[]"}
"""Types whose values are each server's own: transactions, and rights, which name its roles."""
_PASSING = (b"pg_temp_", b"pg_toast_temp_")
_NUMERIC = 1700
_NAMES = {19: 25, 1003: 1009}
"""name and name[], as text and text[]."""


@dataclass(frozen=True)
class Recorded:
    """One statement of a tool's. parameters: for `$1` and on, a text, or what `oids` has a number for,
    as `schema` and `orders:oid`; in the text these stand in braces."""

    name: str
    sql: str
    parameters: tuple[str, ...] = ()
    varying: frozenset[str] = field(default_factory=frozenset)
    more: bool = False
    """Whether our server rightly has rows that a plain one has not: it has the runtime's relations."""
    postgres: bool = False
    """Whether it means this in Postgres's dialect only."""


def read(path: Path) -> Iterator[Recorded]:
    """The statements of a file: each below a line `--: name | parameters: a b | varying: c | more | postgres`."""
    header, lines = "", list[str]()
    for line in [*path.read_text().splitlines(), "--: "]:
        if line.startswith("--: "):
            if header:
                yield _recorded(header, "\n".join(lines).strip())
            header, lines = line.removeprefix("--: "), []
        elif header:
            lines.append(line)


def _recorded(header: str, sql: str) -> Recorded:
    name, *options = (part.strip() for part in header.split("|"))
    given = dict(part.partition(":")[::2] for part in options)
    unknown = set(given) - {"parameters", "varying", "more", "postgres"}
    assert not unknown, f"{name}: {unknown}"
    return Recorded(
        name,
        sql,
        tuple(given.get("parameters", "").split()),
        frozenset(given.get("varying", "").split()),
        "more" in given,
        "postgres" in given,
    )


@dataclass(frozen=True)
class Answer:
    """columns: (name, type's oid, modifier) of each; rows: how often each row was there; tag: the
    command's tag where there are no columns."""

    columns: tuple[tuple[str, int, int], ...]
    rows: Counter[tuple[Any, ...]]
    tag: str


def ask(connection: psycopg.Connection, statement: Recorded, oids: Mapping[str, int]) -> Answer:
    """What the connection's server answers. oids: what stands for the names among the parameters.
    Raises psycopg.Error as the server does."""
    server = connection.pgconn
    given = [str(oids.get(one, one)) for one in statement.parameters]
    sql, *parameters = (_numbered(text, oids).encode() for text in (statement.sql, *given))
    result = server.exec_params(sql, parameters)
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise psycopg.errors.error_from_result(result, encoding="utf-8")
    columns = tuple(
        ((result.fname(n) or b"").decode(), result.ftype(n), result.fmod(n))
        for n in range(result.nfields)
    )
    rows = Counter(
        tuple(
            _comparable(value, column, statement)
            for value, column in zip(row, columns, strict=True)
        )
        for row in _rows(result)
        if not any(value is not None and value.startswith(_PASSING) for value in row)
    )
    return Answer(columns, rows, "" if columns else (result.command_status or b"").decode())


def _numbered(text: str, oids: Mapping[str, int]) -> str:
    for name, oid in oids.items():
        text = text.replace(f"{{{name}}}", str(oid))
    return text


def _rows(result: pq.PGresult) -> Iterator[list[bytes | None]]:
    for row in range(result.ntuples):
        yield [result.get_value(row, n) for n in range(result.nfields)]


def _comparable(value: bytes | None, column: tuple[str, int, int], statement: Recorded) -> Any:
    name, type_, _ = column
    if name in statement.varying or "*" in statement.varying:
        return "(any)"
    if value is None:
        return None
    text = value.decode()
    if type_ in _OF_THE_SERVER:
        return "(some)"
    if type_ not in _OIDS:
        return text
    return " ".join(map(_number, text.strip("{}").replace(",", " ").split()))


def _as_text(column: tuple[str, int, int]) -> tuple[str, int, int]:
    name, type_, modifier = column
    return name, _NAMES.get(type_, type_), modifier


def _number(text: str) -> str:
    fixed = text.isdecimal() and int(text) < _FIRST_OID_OF_USERS
    return text if fixed else "(given)"


def differences(
    ours: Answer, real: Answer, statement: Recorded, *, names_are_texts: bool
) -> list[str]:
    """What ours has not as the real one has it, a line for each; empty if the answers are the same.

    names_are_texts: whether `name` may be `text`, as it is where Snowflake's SQL asks who it is.
    """
    found = []
    if names_are_texts:
        real = replace(real, columns=tuple(map(_as_text, real.columns)))
        ours = replace(ours, columns=tuple(map(_as_text, ours.columns)))
    if ours.columns != real.columns:
        found += [
            f"columns: {left} here, {right} there"
            for left, right in zip(ours.columns, real.columns, strict=False)
            if left != right and (right[1:] != (_NUMERIC, -1) or left[:2] != right[:2])
        ]
        if len(ours.columns) != len(real.columns):
            found.append(f"{len(ours.columns)} columns here, {len(real.columns)} there")
    if ours.tag != real.tag:
        found.append(f"{ours.tag} here, {real.tag} there")
    found += [f"missing: {row}" for row in (real.rows - ours.rows)]
    if not statement.more:
        found += [f"too much: {row}" for row in (ours.rows - real.rows)]
    return found
