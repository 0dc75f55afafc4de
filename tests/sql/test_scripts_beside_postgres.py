"""The postgres dialect against Postgres itself: scripts of statements that define and change, on both.

A file of `postgres_scripts` holds scripts, each below a line `-- name`. Of each statement everything
that a client sees is the same: command tags, columns with their types and modifiers, rows in their
order, notices, and of errors all that `psql` shows. A statement behind `@2` is a second session's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from pprint import pformat
from typing import Any

import psycopg
import pytest

from tests.conftest import Running

HERE = Path(__file__).parent / "postgres_scripts"
_SCHEMA = "scripted"
_ERROR = (
    "sqlstate",
    "message_primary",
    "message_detail",
    "message_hint",
    "statement_position",
    "constraint_name",
    "table_name",
)


def scripts() -> Iterator[Any]:
    for path in sorted(HERE.glob("*.sql")):
        for part in f"\n{path.read_text()}".split("\n-- ")[1:]:
            name, _, text = part.partition("\n")
            yield pytest.param(text, id=f"{path.stem}: {name}")


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Which session's, and the statement: each ends with a line that ends with a semicolon."""
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(line)
        if line.endswith(";"):
            statement = "\n".join(lines).strip()
            lines = []
            second = statement.startswith("@2 ")
            yield int(second), statement.removeprefix("@2 ").removesuffix(";")


class Side:
    """Two sessions of one server, and the notices that the first got."""

    def __init__(self, connections: list[psycopg.Connection]) -> None:
        self.connections = connections
        self.notices: list[tuple[Any, ...]] = []
        for one in connections:
            one.add_notice_handler(
                lambda told: self.notices.append(
                    (told.severity, told.sqlstate, told.message_primary, told.message_detail)
                )
            )

    def begin(self) -> None:
        first = self.connections[0]
        first.execute(f"drop schema if exists {_SCHEMA} cascade")
        first.execute(f"create schema {_SCHEMA}")
        for one in self.connections:
            one.execute(f"set search_path = {_SCHEMA}")

    def end(self) -> None:
        for one in self.connections:
            one.rollback()
        self.connections[0].execute(f"drop schema {_SCHEMA} cascade")

    def seen(self, session: int, text: str) -> Any:
        self.notices.clear()
        try:
            result = self.connections[session].execute(text.encode()).pgresult
        except psycopg.Error as error:
            return tuple(getattr(error.diag, field) for field in _ERROR)
        assert result is not None
        fields = range(result.nfields)
        columns = [(result.fname(n), result.ftype(n), result.fmod(n)) for n in fields]
        rows = [tuple(result.get_value(row, n) for n in fields) for row in range(result.ntuples)]
        return result.command_status, columns, rows, list(self.notices)


@pytest.fixture(scope="module")
def both(server: Running) -> Iterator[tuple[Side, Side]]:
    socket = next(server.process.data_directory.rglob(".s.PGSQL.*[0-9]"))
    where = {"host": str(socket.parent), "user": "postgres", "dbname": "postgres"}
    with ExitStack() as stack:
        own = [stack.enter_context(psycopg.connect(**where, autocommit=True)) for _ in "12"]
        ours = [
            stack.enter_context(server.connect(options="-c hatidata.dialect=postgres"))
            for _ in "12"
        ]
        for one in (*own, *ours):
            one.execute("set timezone = 'UTC'")
        yield Side(own), Side(ours)


@pytest.mark.parametrize("text", list(scripts()))
def test_a_script_is_answered_as_by_postgres(both: tuple[Side, Side], text: str) -> None:
    for side in both:
        side.begin()
    try:
        different: list[tuple[str, Any, Any]] = []
        for session, statement in statements(text):
            expected, found = (side.seen(session, statement) for side in both)
            if expected != found:
                different.append((statement, expected, found))
        assert not different, pformat(different, width=200)
    finally:
        for side in both:
            side.end()


@pytest.mark.parametrize("form", ["text", "binary"])
def test_what_is_copied_in_keeps_the_digits_of_its_column(
    both: tuple[Side, Side], form: str
) -> None:
    moment = datetime(2024, 1, 1, 10, 11, 12, 987654, UTC)
    found = []
    for side in both:
        side.begin()
        first = side.connections[0]
        first.execute(
            "create table t (id int generated always as identity, a timestamptz(3), "
            "b timestamptz(0) default '2024-01-01 10:11:12.5+00', n int)"
        )
        with first.cursor().copy(f"copy t (id, a, n) from stdin (format {form})") as copy:
            copy.set_types(["int4", "timestamptz", "int4"])
            copy.write_row((7, moment, 1))
            copy.write_row((8, None, 2))
        found.append(first.execute("select * from t order by id").fetchall())
        side.end()
    assert found[0] == found[1]
    assert found[1][0][1] == moment.replace(microsecond=988000)
