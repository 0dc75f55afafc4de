"""`hatidata transpile`: what becomes of a statement, without a server.

Why it exists: whoever moves a project over wants to see, before anything runs, which statements are
taken as they are, what DuckDB is given in place of the others, and where in the file what is refused
stands. It prints what the server's own planner decides, so the two cannot differ.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proxy.errors import SqlError
from proxy.sql.compound import PivotValues, Steps
from proxy.sql.plan import Dialect, Route, Statement, plan_message

_DIALECTS = ("snowflake", "postgres", "duckdb")


@dataclass(frozen=True, slots=True)
class Source:
    """A text and what it is called in messages, '' for one from the command line."""

    name: str
    text: str

    def place(self, offset: int) -> str:
        """`name:line:column` of a 0-based offset; lines and columns count from 1."""
        before = self.text[:offset]
        line = before.count("\n") + 1
        column = offset - (before.rfind("\n") + 1) + 1
        return ":".join(filter(None, (self.name, str(line), str(column))))

    def complaint(self, error: SqlError, start: int = 0) -> Iterator[str]:
        """The lines that say what is wrong, with the line of the text and a mark under the place."""
        offset = error.position - 1 if error.position is not None else start
        yield f"{self.place(offset)}: {error.sqlstate}: {error.message}"
        line_start = self.text.rfind("\n", 0, offset) + 1
        line = self.text[line_start:].partition("\n")[0]
        yield f"    {line}"
        yield (
            "    " + "".join("\t" if c == "\t" else " " for c in line[: offset - line_start]) + "^"
        )
        if error.detail:
            yield f"  detail: {error.detail}"
        if error.hint:
            yield f"  hint: {error.hint}"


def _pieces(statement: Statement) -> list[str]:
    """What is run for a statement, in order."""
    action = statement.action
    if isinstance(action, Steps):
        return list(action.statements)
    if isinstance(action, PivotValues):
        return [action.values, f"{action.before}...{action.after}"]
    if statement.route is Route.DUCKDB and statement.sql:
        return [statement.sql, *statement.then]
    if statement.route is Route.FEDERATED:
        return [statement.sql]
    return [statement.relayed or statement.text]


_ANSWERED_BY = {
    Route.DUCKDB: "DuckDB",
    Route.POSTGRES: "Postgres, as it is",
    Route.FEDERATED: "DuckDB, over rows that Postgres is asked for",
    Route.SESSION: "the session itself",
}


def _explained(source: Source, statement: Statement) -> Iterator[str]:
    """Comments before a statement: where it stands, what it is, who answers it."""
    yield f"-- {source.place(statement.start)} {statement.kind}"
    if isinstance(statement.action, Steps):
        yield f"-- answered by: DuckDB, in {len(statement.action.statements)} steps"
    elif isinstance(statement.action, PivotValues):
        yield "-- answered by: DuckDB, once the values of the first query are known"
    elif statement.route is Route.SESSION:
        yield f"-- answered by: the session itself ({type(statement.action).__name__})"
    else:
        yield f"-- answered by: {_ANSWERED_BY[statement.route]}"
    if statement.writes:
        yield "-- writes"
    if statement.parameters:
        yield f"-- parameters: {statement.parameters}"
    if statement.needs:
        yield f"-- asks the session for: {', '.join(sorted(statement.needs))}"
    for relation in statement.federated:
        yield f"-- reads from Postgres: {relation}"
    if statement.notice:
        yield f"-- notice: {statement.notice}"


def transpile(source: Source, dialect: str, *, explain: bool) -> tuple[list[str], list[str]]:
    """The lines for standard output, and those about what is refused or cannot be read."""
    shown: list[str] = []
    complaints: list[str] = []
    try:
        plans = plan_message(source.text, Dialect(dialect, database="hatidata"))
    except SqlError as error:
        return shown, list(source.complaint(error))
    for statement in plans:
        if explain:
            shown.extend(_explained(source, statement))
        if statement.refused is not None:
            lines = list(source.complaint(statement.refused, statement.start))
            complaints.extend(lines)
            if explain:
                shown.extend(["-- refused: " + lines[0].partition(" ")[2], ""])
            continue
        shown.extend(f"{piece.rstrip()};" for piece in _pieces(statement))
        if explain:
            shown.append("")
    return shown, complaints


def _sources(texts: list[str], files: list[Path]) -> Iterator[Source]:
    for text in texts:
        yield Source("-", sys.stdin.read()) if text == "-" else Source("", text)
    for file in files:
        yield Source(str(file), file.read_text("utf-8"))
    if not texts and not files:
        yield Source("-", sys.stdin.read())


def run(texts: list[str], files: list[Path], dialect: str, *, explain: bool) -> int:
    """Print what becomes of the texts, of the files, or else of standard input.

    What is refused goes to standard error. The exit status: 0 if all statements are taken, 1 if one is
    refused or cannot be read, 2 for a dialect or a file that there is not.
    """
    if dialect not in _DIALECTS:
        print(f"hatidata: --dialect is one of {', '.join(_DIALECTS)}", file=sys.stderr)
        return 2
    failed = False
    try:
        for source in _sources(texts, files):
            shown, complaints = transpile(source, dialect, explain=explain)
            for line in shown:
                print(line)
            sys.stdout.flush()
            for line in complaints:
                print(line, file=sys.stderr)
            failed = failed or bool(complaints)
    except (OSError, UnicodeDecodeError) as error:
        print(f"hatidata: {error}", file=sys.stderr)
        return 2
    return 1 if failed else 0
