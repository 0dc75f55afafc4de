"""What is declared of tables: as DuckDB lists it, and as the text that makes a table says it.

Why it exists: DuckDB tells constraints and comments by listing those of all tables, and reads a CREATE TABLE
by itself alone. So the text of one is given to a DuckDB that has nothing else in it (`Grammar`), and
what that then lists is what the table declares.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot.tokens import Token, TokenType

from proxy.engines.definition_names import parts_at
from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck import documents as duck_documents
from proxy.engines.duck import jsonb as duck_jsonb
from proxy.sql.definitions.default_texts import after_default
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB

Row = tuple[str, str, tuple[str, ...], str | None, str | None, tuple[str, ...]]
"""As `duckdb_constraints()` tells it: type, text, columns, expression, the other table, its columns."""

Key = tuple[str, str]
"""A schema and the name of a table in it, both folded."""

CONSTRAINTS = """
SELECT schema_name, table_name, constraint_type, constraint_text, constraint_column_names, expression,
       referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE database_name = {database} AND constraint_type <> 'NOT NULL'
"""
"""In the order in which they were declared."""


@dataclass(frozen=True, slots=True)
class Declared:
    """constraints: without NOT NULL. comments: of columns, by their folded names.

    peculiar: of COLLATE and GENERATED, what its columns have. generated: which columns are, folded.
    """

    constraints: tuple[Row, ...] = ()
    comment: str | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    peculiar: frozenset[str] = frozenset()
    generated: frozenset[str] = frozenset()

    @property
    def refers(self) -> bool:
        """Whether there are foreign keys among the constraints."""
        return any(kind == "FOREIGN KEY" for kind, *_ in self.constraints)


@dataclass(frozen=True, slots=True)
class Made:
    """A table whose definition was not read yet: `sql` made it. others: make what it refers to."""

    sql: str
    others: tuple[str, ...] = ()


Known = Declared | Made

GONE = Declared()
"""In place of what was declared of a table that was dropped."""

_IN_MEMORY = """
SELECT table_oid, constraint_index, constraint_type, constraint_text, constraint_column_names, expression,
       referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE constraint_type <> 'NOT NULL'
"""  # DuckDB takes longer to put them in order
_LAST_TABLE = "SELECT sql FROM duckdb_tables() ORDER BY table_oid DESC LIMIT 1"


def _place(row: tuple[Any, ...]) -> tuple[int, int]:
    return row[0], row[1]


class Grammar:
    """Reads what a CREATE TABLE declares as DuckDB does: by a DuckDB that has nothing else in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        settings = {"threads": "1", "enable_external_access": "false", "errors_as_json": "true"}
        self._database = duckdb_c.Database(":memory:", settings)
        self._connection = self._database.connect()
        duck_jsonb.register(self._connection)
        duck_documents.register(self._connection)

    def declared(self, made: Made) -> Declared | None:
        """None for what cannot be made alone: it needs a type, a function or a table of the database."""
        with self._lock:
            try:
                self._connection.run_script("BEGIN")
                try:
                    for other in made.others:
                        self._connection.run_script(other)
                    before = len(self._connection.listed(_IN_MEMORY)) if made.others else 0
                    self._connection.run_script(_alone(made.sql))
                    rows = sorted(self._connection.listed(_IN_MEMORY), key=_place)[before:]
                    text = ""
                    if _may_be_peculiar(made.sql):
                        text = self._connection.listed(_LAST_TABLE)[0][0]
                finally:
                    self._connection.run_script("ROLLBACK")
            except duckdb_c.DuckError:
                return None
        return Declared(
            tuple(as_row(row[2:]) for row in rows),
            peculiar=_peculiar(text),
            generated=_generated(text),
        )

    def with_constraint(
        self, known: Declared, text: str, table: Key, run: Callable[[str], list[tuple[Any, ...]]]
    ) -> Declared | None:
        """What a table declares once it has one more; None as for `declared`. run: asks the engine."""
        try:
            info = run(f"SELECT name, type FROM pragma_table_info({literal(quoted(*table))})")
        except duckdb_c.DuckError:
            return None
        columns = [f"{quoted(name)} {kind}" for name, kind in info]
        alone = self.declared(Made(f"CREATE TABLE made ({', '.join([*columns, text])})"))
        if alone is None:
            return None
        return replace(known, constraints=(*known.constraints, *alone.constraints))

    def close(self) -> None:
        self._connection.close()
        self._database.close()


PECULIAR = frozenset({"COLLATE", "GENERATED"})


def _may_be_peculiar(sql: str) -> bool:
    """Of a CREATE TABLE as it was written: whether its columns may have what `Declared` calls so."""
    words = {token.text.upper() for token in DUCKDB.own_tokens(sql)}
    return not words.isdisjoint(PECULIAR | {"AS"})


def _peculiar(sql: str) -> frozenset[str]:
    """Of DuckDB's own text of a CREATE TABLE."""
    return PECULIAR & {
        token.text for token in DUCKDB.own_tokens(sql) if token.token_type != TokenType.IDENTIFIER
    }


def _generated(sql: str) -> frozenset[str]:
    """The columns of DuckDB's own text of a CREATE TABLE that are generated."""
    found: set[str] = set()
    depth, column, starts = 0, "", False
    for token in DUCKDB.own_tokens(sql):
        kind = token.token_type
        if starts:
            column, starts = token.text.lower(), False
        elif depth == 1 and kind != TokenType.IDENTIFIER and token.text.upper() == "GENERATED":
            found.add(column)
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        starts = depth == 1 and kind in (TokenType.L_PAREN, TokenType.COMMA)
    return frozenset(found)


def as_row(row: tuple[Any, ...]) -> Row:
    kind, text, columns, expression, other, theirs = row
    return kind, text, tuple(columns), expression, other, tuple(theirs or ())


def referring(told: Mapping[Key, Declared], schema: str, name: str) -> list[str]:
    """The folded names of the tables whose foreign keys refer to a table of their schema."""
    folded = name.lower()
    return [
        table
        for (place, table), declared in told.items()
        if place == schema.lower()
        and any((row[4] or "").lower() == folded for row in declared.constraints)
    ]


def read_told(run: Callable[[str], list[tuple[Any, ...]]], database: str) -> dict[Key, Declared]:
    """Of all tables, from DuckDB. run: as `DuckSession.run`."""
    of_it = f"WHERE database_name = {literal(database)}"
    constraints: dict[tuple[str, str], list[Row]] = {}
    for schema, table, *row in run(CONSTRAINTS.format(database=literal(database))):
        constraints.setdefault((schema, table), []).append(as_row(tuple(row)))
    comments: dict[tuple[str, str], dict[str, str]] = {}
    said = f"SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() {of_it}"
    for schema, table, column, text in run(f"{said} AND comment IS NOT NULL"):
        comments.setdefault((schema, table), {})[column.lower()] = text
    nothing = Declared()
    found = {}
    peculiar = " OR ".join(f"contains(sql, '{word}')" for word in sorted(PECULIAR))
    for schema, table, comment, sql in run(
        f"SELECT schema_name, table_name, comment, CASE WHEN {peculiar} THEN sql END FROM duckdb_tables() {of_it}"
    ):
        own, of_columns = constraints.get((schema, table)), comments.get((schema, table))
        told = nothing
        if own or comment is not None or of_columns or sql:
            words = _peculiar(sql) if sql else frozenset()
            computed = _generated(sql) if sql else frozenset()
            told = Declared(tuple(own or ()), comment, of_columns or {}, words, computed)
        found[schema.lower(), table.lower()] = told
    return found


def _alone(sql: str) -> str:
    """A CREATE TABLE as another DuckDB can read it: without defaults, which may call its sequences,
    and with names that have no schema."""
    tokens = DUCKDB.own_tokens(sql)
    start = next(i for i, token in enumerate(tokens) if token.token_type == TokenType.L_PAREN)
    end = parts_at(tokens, start - 1)[1]
    kept = f"CREATE TABLE {_written(tokens, end - 1, sql)} "
    at, depth, written = start, 0, tokens[start].start
    while at < len(tokens):
        token = tokens[at]
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        word = token.text.upper() if token.token_type != TokenType.IDENTIFIER else ""
        if word == "DEFAULT" and depth == 1:
            kept += sql[written : token.start]
            at = after_default(tokens, at + 1)
            written = tokens[at].start
            continue
        if word == "REFERENCES":
            last = parts_at(tokens, at + 1)[1] - 1
            kept += f"{sql[written : token.end + 1]} {_written(tokens, last, sql)}"
            written = tokens[last].end + 1
        at += 1
    return kept + sql[written : tokens[-1].end + 1]


def _written(tokens: list[Token], at: int, sql: str) -> str:
    return sql[tokens[at].start : tokens[at].end + 1]


def referenced(sql: str, run: Callable[[str], list[tuple[Any, ...]]]) -> tuple[str, ...]:
    """What makes the tables that a CREATE TABLE refers to, as far as it does."""
    tokens = DUCKDB.own_tokens(sql)
    others: dict[str, list[str]] = {}
    for at, token in enumerate(tokens):
        if token.token_type == TokenType.IDENTIFIER or token.text.upper() != "REFERENCES":
            continue
        parts, end = parts_at(tokens, at + 1)
        name = sql[tokens[at + 1].start : tokens[end - 1].end + 1]
        try:
            columns = run(f"SELECT name, type, pk FROM pragma_table_info({literal(name)})")
        except duckdb_c.DuckError:
            continue  # itself
        keys = [quoted(column) for column, _, in_key in columns if in_key]
        items = others.get(parts[-1])
        if items is None:
            items = [f"{quoted(column)} {kind}" for column, kind, _ in columns]
            items += [f"PRIMARY KEY ({', '.join(keys)})"] if keys else []
            others[parts[-1]] = items
        if end < len(tokens) and tokens[end].token_type == TokenType.L_PAREN:
            theirs, after = parts_at(tokens, end + 1)
            while tokens[after].token_type == TokenType.COMMA:
                more, after = parts_at(tokens, after + 1)
                theirs += more
            named = [quoted(column) for column in theirs]
            unique = f"UNIQUE ({', '.join(named)})"
            if named != [key.lower() for key in keys] and unique not in items:
                items.append(unique)
    return tuple(f"CREATE TABLE {quoted(name)} ({', '.join(it)})" for name, it in others.items())
