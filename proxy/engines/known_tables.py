"""What is declared of each table, remembered: its constraints and comments.

Why it exists: DuckDB tells them by functions that list all tables, whatever is asked: 0.08 s each with
5,000 tables. Definitions that look at one table would cost that, whoever has many tables. So what was
listed is remembered, and what a statement makes of it is read from the statement.

Promises: `SessionTables.of` gives what DuckDB would list in the session's transaction, or None where
that is not sure. Every statement that defines anything passes here as DuckDB's text, before it runs; for
as long as it may not be committed, and where its text is not understood, nothing is known of the
tables that it names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot.tokens import Token, TokenType

from proxy.engines import duck_documents, duck_jsonb, duckdb_c
from proxy.sql.identities import literal, quoted
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
    """constraints: without NOT NULL. comments: of columns, by their names.

    peculiar: of COLLATE and GENERATED, what its columns have.
    """

    constraints: tuple[Row, ...] = ()
    comment: str | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    peculiar: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Made:
    """A table whose definition was not read yet: `sql` made it. others: make what it refers to."""

    sql: str
    others: tuple[str, ...] = ()


_Known = Declared | _Made

Announced = list[tuple[int, tuple[str, ...] | None]]
"""Changes: their numbers, and the names of tables, or None for any."""


@dataclass(frozen=True, slots=True)
class _Change:
    """names: (schema or '', name) of what it may change; None: anything. does: what becomes of it."""

    names: tuple[tuple[str, str], ...] | None
    does: Callable[[Declared | None], _Known | None] | None = None
    creates: bool = False
    unless: bool = False  # there is one
    renames: bool = False  # the first of the names to the second
    temporary: bool = False


_ANYTHING = _Change(None)
_NOTHING = _Change(())


class KnownTables:
    """What is committed; one for an engine. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._known: dict[Key, _Known] = {}
        self._changed: dict[str, int] = {}  # by name, in whatever schema: when it last was
        self._all_changed = 0
        self._missing: set[str] | None = (
            None  # names of which it is not known whether they are tables
        )
        self._under_way: dict[str, int] = {}
        self._all_under_way = 0

    def number(self) -> int:
        with self._lock:
            return self._number

    def begin(
        self, names: tuple[str, ...] | None, since: int | None
    ) -> tuple[int, dict[Key, _Known]]:
        """Something is about to change `names`, or anything: which change it is, and what was known.

        since: as for `get`; None outside a transaction.
        """
        with self._lock:
            since = self._number if since is None else since
            mine = set(names or ())
            settled = {name for name in mine if self._is_settled(name, since)}
            before = {key: known for key, known in self._known.items() if key[1] in settled}
            self._number += 1
            if names is None:
                self._all_under_way += 1
                self._known.clear()
            for name in names or ():
                self._under_way[name] = self._under_way.get(name, 0) + 1
            for key in [key for key in self._known if key[1] in mine]:
                del self._known[key]
            return self._number, before

    def end(self, announced: Announced, known: Mapping[Key, _Known | None]) -> None:
        """What was announced is there for all, or will not be; known: what that left."""
        with self._lock:
            if any(names is None for _, names in announced):
                known = {}
            alone = {
                name: number
                for number, names in reversed(announced)
                for name in names or ()
                if self._changed.get(name, 0) < number
            }
            self._number += 1
            for _, names in announced:
                if names is None:
                    self._all_under_way -= 1
                    self._all_changed = self._number
                    self._missing = None
                for name in names or ():
                    self._changed[name] = self._number
                    self._under_way[name] -= 1
                    if not self._under_way[name]:
                        del self._under_way[name]
            if self._all_under_way:
                self._missing = None
                return
            stored: set[str] = set()
            for key, found in known.items():
                begun = alone.get(key[1], 0)
                if (
                    found is not None
                    and begun > self._all_changed
                    and key[1] not in self._under_way
                ):
                    self._known[key] = found
                    stored.add(key[1])
            if self._missing is not None:
                changed = {name for _, names in announced for name in names or ()}
                self._missing = (self._missing | changed) - stored

    def _is_settled(self, name: str, since: int) -> bool:
        if self._all_under_way or self._all_changed > since:
            return False
        return name not in self._under_way and self._changed.get(name, 0) <= since

    def get(self, key: Key, since: int) -> _Known | None:
        """since: the number when the transaction began that asks."""
        with self._lock:
            return self._known.get(key) if self._is_settled(key[1], since) else None

    def put(self, found: Mapping[Key, Declared], since: int, everything: bool = False) -> None:
        """As listed in a transaction that began then. everything: there are no other tables."""
        with self._lock:
            for key, declared in found.items():
                if self._is_settled(key[1], since):
                    self._known[key] = declared
            if everything and not self._all_under_way and self._all_changed <= since:
                late = {name for name, number in self._changed.items() if number > since}
                self._missing = late

    def all(self, since: int) -> tuple[dict[Key, _Known], set[str]] | None:
        """All tables that are known, and names of which it is not; None where any may be missing."""
        with self._lock:
            if self._missing is None or self._all_under_way or self._all_changed > since:
                return None
            late = {name for name, number in self._changed.items() if number > since}
            missing = self._missing | late | self._under_way.keys()
            return {k: v for k, v in self._known.items() if k[1] not in missing}, missing


class SessionTables:
    """One session's part: what it asks, and what it changes. By the thread that works for it."""

    def __init__(self, tables: KnownTables, grammar: Grammar) -> None:
        self._tables, self._grammar = tables, grammar
        self._since: int | None = None  # outside a transaction
        self._announced: Announced = []
        self._own: dict[Key, _Known | None] = {}  # of the names in there, as the session sees them
        self._temporary: set[str] = set()
        self._declaring: set[str] = set()  # of them, what may have constraints
        self.schema = "main"  # in which it makes tables

    def of(self, schema: str, name: str) -> Declared | None:
        """What DuckDB would list of a table of the database that is kept; None where that is not sure."""
        key = (schema.lower(), name.lower())
        if any(names is None for _, names in self._announced):
            return None
        own = any(key[1] in (names or ()) for _, names in self._announced)
        since = self._tables.number() if self._since is None else self._since
        known = self._own.get(key) if own else self._tables.get(key, since)
        if isinstance(known, _Made):
            known = self._grammar.declared(known)
            if own:
                self._own[key] = known
            elif known is not None:
                self._tables.put({key: known}, since)
        return known

    def referring(
        self, schema: str, name: str, is_there: Callable[[str], bool]
    ) -> list[str] | None:
        """As the function of that name; None where a table is not known.

        is_there: whether there is a table of a name in the schema.
        """
        since = self._tables.number() if self._since is None else self._since
        found = self._tables.all(since)
        if found is None or any(names is None for _, names in self._announced):
            return None
        known, missing = found
        declared = {}
        for key, told in {**known, **self._own}.items():
            one = self.of(*key) if isinstance(told, _Made) else told
            if one is not None:
                declared[key] = one
        if any((schema.lower(), other) not in declared and is_there(other) for other in missing):
            return None
        return referring(declared, schema, name)

    def own_names(self) -> list[tuple[str, ...]]:
        """Names of the tables that are announced to change, as far as they are known."""
        named = {key[1] for key in self._own}
        others = {name for _, names in self._announced for name in names or ()} - named
        return [*self._own, *((name,) for name in sorted(others | self._declaring))]

    def listed(self, found: Mapping[Key, Declared]) -> None:
        """What DuckDB told of all tables, in the transaction that is open."""
        if self._since is not None:
            mine = {name for _, names in self._announced for name in names or ()}
            theirs = {key: told for key, told in found.items() if key[1] not in mine}
            self._tables.put(theirs, self._since, everything=not mine)

    # --- as `proxy.engines.freshness.Watch` is told ---------------------------------------------

    def begin(self) -> None:
        self._since = self._tables.number()

    def define(self, sql: str, run: Callable[[str], list[tuple[Any, ...]]]) -> None:
        """A definition is about to be made by this text. run: asks the engine."""
        change = _read(sql)
        names = None if change.names is None else tuple(name for _, name in change.names)
        if change.temporary or not self._temporary.isdisjoint(names or ()):
            self._temporary.update(names or ())  # it may be one of them that gets another name
        if change.temporary:
            self._declaring.update(names or () if change.creates else ())
            return
        if names == ():
            return
        number, before = self._tables.begin(names, self._since)
        self._announced.append((number, names))
        if change.names is None or change.does is None:
            return self._forget(names)
        if change.unless and _is_there(sql, run):
            return self._own.update(
                {key: known for key, known in before.items() if key not in self._own}
            )
        if change.renames:
            return self._rename(change, before)
        for schema, name in change.names:
            known = {k: v for k, v in {**before, **self._own}.items() if k[1] == name}
            place = self._place(schema, name, known, change.creates)
            if place is None:
                self._forget((name,))
                continue
            found = known.get(place)
            if isinstance(found, _Made) and not change.creates:
                found = self._grammar.declared(found)
            self._own.update(known)
            made = change.does(found)
            if isinstance(made, _Made):
                made = replace(made, others=_referenced(sql, run))
            self._own[place] = made

    def _rename(self, change: _Change, before: Mapping[Key, _Known]) -> None:
        assert change.names is not None
        assert change.does is not None
        (schema, old), (_, new) = change.names
        known = {k: v for k, v in {**before, **self._own}.items() if k[1] == old}
        place = self._place(schema, old, known, creates=False)
        self._forget((old, new))
        if place is None:
            return
        found = known.get(place)
        if isinstance(found, _Made):
            found = self._grammar.declared(found)
        self._own[place[0], new] = change.does(found)

    def _place(self, schema: str, name: str, known: Mapping[Key, Any], creates: bool) -> Key | None:
        """Which table a name means, where that is sure."""
        if schema and (creates or schema != "main" or name not in self._temporary):
            return schema, name
        if schema or (name in self._temporary and not creates):
            return None  # temporary tables are in a schema `main`, too
        own = self.schema.lower(), name
        return own if creates or self.schema == "main" or known.get(own) is not None else None

    def _forget(self, names: Iterable[str] | None) -> None:
        gone = None if names is None else set(names)
        for key in list(self._own):
            if gone is None or key[1] in gone:
                self._own[key] = None

    def failed(self) -> None:
        """What was announced last, or all that was where there is no transaction, does not come."""
        if self._announced:
            self._forget(self._announced[-1][1] if self._since is not None else None)

    def commit(self) -> None:
        self._since = None

    def rollback(self) -> None:
        self._since = None
        self._forget(None)
        self.over()

    def over(self) -> None:
        """What was changed outside of a transaction, or committed, is there for all."""
        if self._since is None and self._announced:
            self._tables.end(self._announced, self._own)
            self._announced, self._own = [], {}


_IN_MEMORY = CONSTRAINTS.format(database="'memory'") + " ORDER BY table_oid, constraint_index"
_LAST_TABLE = "SELECT sql FROM duckdb_tables() ORDER BY table_oid DESC LIMIT 1"


class Grammar:
    """Reads what a CREATE TABLE declares as DuckDB does: by a DuckDB that has nothing else in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        settings = {"threads": "1", "enable_external_access": "false", "errors_as_json": "true"}
        self._database = duckdb_c.Database(":memory:", settings)
        self._connection = self._database.connect()
        duck_jsonb.register(self._connection)
        duck_documents.register(self._connection)

    def declared(self, made: _Made) -> Declared | None:
        """None for what cannot be made alone: it needs a type, a function or a table of the database."""
        with self._lock:
            try:
                self._connection.run_script("BEGIN")
                try:
                    for other in made.others:
                        self._connection.run_script(other)
                    before = len(self._connection.run(_IN_MEMORY))
                    self._connection.run_script(_alone(made.sql))
                    rows = self._connection.run(_IN_MEMORY)[before:]
                    text = self._connection.run(_LAST_TABLE)[0][0]
                finally:
                    self._connection.run_script("ROLLBACK")
            except duckdb_c.DuckError:
                return None
        return Declared(tuple(as_row(row[2:]) for row in rows), peculiar=_peculiar(text))

    def close(self) -> None:
        self._connection.close()
        self._database.close()


_PECULIAR = frozenset({"COLLATE", "GENERATED"})


def _peculiar(sql: str) -> frozenset[str]:
    """Of DuckDB's own text of a CREATE TABLE."""
    return _PECULIAR & {
        token.text for token in DUCKDB.own_tokens(sql) if token.token_type != TokenType.IDENTIFIER
    }


def as_row(row: tuple[Any, ...]) -> Row:
    kind, text, columns, expression, other, theirs = row
    return kind, text, tuple(columns), expression, other, tuple(theirs or ())


def referring(told: Mapping[Key, Declared], schema: str, name: str) -> list[str]:
    """The names of the tables whose foreign keys refer to a table of their schema."""
    return [
        table
        for (place, table), declared in told.items()
        if place == schema.lower() and any(row[4] == name for row in declared.constraints)
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
        comments.setdefault((schema, table), {})[column] = text
    nothing = Declared()
    found = {}
    peculiar = " OR ".join(f"contains(sql, '{word}')" for word in sorted(_PECULIAR))
    for schema, table, comment, sql in run(
        f"SELECT schema_name, table_name, comment, CASE WHEN {peculiar} THEN sql END FROM duckdb_tables() {of_it}"
    ):
        own, of_columns = constraints.get((schema, table)), comments.get((schema, table))
        told = nothing
        if own or comment is not None or of_columns or sql:
            words = _peculiar(sql) if sql else frozenset()
            told = Declared(tuple(own or ()), comment, of_columns or {}, words)
        found[schema.lower(), table.lower()] = told
    return found


# --- what a definition does, from its tokens --------------------------------------------------------


def _read(sql: str) -> _Change:
    tokens = DUCKDB.own_tokens(sql) if sql else []
    words = [token.text.upper() for token in tokens[:8]]
    reader = _READERS.get(words[0]) if words else None
    return reader(tokens, words, sql) if reader is not None else _ANYTHING


def _created(tokens: list[Token], words: list[str], sql: str) -> _Change:
    at = 1
    temporary = False
    while words[at : at + 1] and words[at] in ("OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE"):
        temporary = temporary or words[at].startswith("TEMP")
        at += 1
    kind = words[at] if len(words) > at else ""
    if kind in _OF_NO_TABLE:
        return _NOTHING
    if kind != "TABLE":
        return _ANYTHING
    exists = words[at + 1 : at + 4] == ["IF", "NOT", "EXISTS"]
    name, after = name_at(tokens, at + (4 if exists else 1))
    if name is None:
        return _ANYTHING
    plain = after < len(tokens) and tokens[after].token_type == TokenType.ALIAS
    if temporary or name[0] == _TEMPORARY:
        return _Change((name[1:],), temporary=True, creates=not plain)
    made: _Known = Declared() if plain else _Made(sql)
    return _Change((name[1:],), lambda _: made, creates=True, unless=exists)


def _dropped(tokens: list[Token], words: list[str], sql: str) -> _Change:
    kind = words[1] if len(words) > 1 else ""
    if kind in _OF_NO_TABLE - {"SCHEMA"}:
        return _NOTHING
    if kind != "TABLE":
        return _ANYTHING
    name, after = name_at(tokens, 4 if words[2:4] == ["IF", "EXISTS"] else 2)
    alone = after >= len(tokens) or tokens[after].token_type != TokenType.COMMA
    return _Change((name[1:],)) if name is not None and alone else _ANYTHING


def _altered(tokens: list[Token], words: list[str], sql: str) -> _Change:
    if words[1:2] and words[1] in ("VIEW", "SEQUENCE"):
        return _NOTHING
    if words[1:2] != ["TABLE"]:
        return _ANYTHING
    name, after = name_at(tokens, 4 if words[2:4] == ["IF", "EXISTS"] else 2)
    if name is None:
        return _ANYTHING
    said = [token.text.upper() for token in tokens[after : after + 2]]
    if said == ["RENAME", "TO"]:
        new, _ = name_at(tokens, after + 2)
        if new is None:
            return _ANYTHING
        return _Change((name[1:], (name[1], new[2])), _renamed_to(name[2]), renames=True)
    what = [token.text.upper() for token in tokens[after : after + 6]]
    # ALTER [COLUMN] c SET|DROP DEFAULT|NOT NULL leaves constraints and comments as they are.
    if what[:1] == ["ALTER"]:
        how = what[3:5] if what[1:2] == ["COLUMN"] else what[2:4]
        if how in (["SET", "DEFAULT"], ["DROP", "DEFAULT"], ["SET", "NOT"], ["DROP", "NOT"]):
            return _Change((name[1:],), lambda known: known)
    # ADD [COLUMN] can have no constraint to DuckDB.
    plain = _PECULIAR.isdisjoint(token.text.upper() for token in tokens)
    if what[:1] == ["ADD"] and plain and what[1:2] not in _ADDED_CONSTRAINTS:
        return _Change((name[1:],), lambda known: known)
    return _Change((name[1:],))


def _renamed_to(old: str) -> Callable[[Declared | None], _Known | None]:
    def does(known: Declared | None) -> _Known | None:
        refers = known is not None and any(row[4] == old for row in known.constraints)
        return None if refers else known

    return does


def _commented(tokens: list[Token], words: list[str], sql: str) -> _Change:
    kind = words[2] if words[1:2] == ["ON"] and len(words) > 2 else ""
    if kind in _OF_NO_TABLE:
        return _NOTHING
    if kind not in ("TABLE", "COLUMN"):
        return _ANYTHING
    parts, after = _parts(tokens, 3)
    column = parts.pop() if kind == "COLUMN" and parts else None
    if not parts or after + 1 >= len(tokens):
        return _ANYTHING
    value = tokens[after + 1]
    name = (parts[-2] if len(parts) > 1 else "", parts[-1])
    if value.token_type not in (TokenType.STRING, TokenType.NULL) or parts[0] == _TEMPORARY:
        return _Change((name,))
    text = value.text if value.token_type == TokenType.STRING else None

    def does(known: Declared | None) -> _Known | None:
        if known is None:
            return None
        if column is None:
            return replace(known, comment=text)
        comments = {k: v for k, v in known.comments.items() if k.lower() != column}
        return replace(known, comments=comments if text is None else {**comments, column: text})

    return _Change((name,), does)


_ADDED_CONSTRAINTS = [
    [word]
    for word in (
        "CONSTRAINT",
        "PRIMARY KEY",
        "PRIMARY",
        "UNIQUE",
        "FOREIGN KEY",
        "FOREIGN",
        "CHECK",
    )
]
_OF_NO_TABLE = frozenset(
    {"VIEW", "INDEX", "SEQUENCE", "SCHEMA", "MACRO", "FUNCTION", "TYPE", "MACROTABLE", "SECRET"}
)
_TEMPORARY = "temp"
_WORDS_OF_NO_TABLE = (
    "SET RESET USE VACUUM ANALYZE CHECKPOINT TRUNCATE SELECT WITH FROM INSERT UPDATE DELETE MERGE COPY SHOW "
    "DESCRIBE SUMMARIZE VALUES"
)


def _explained(tokens: list[Token], words: list[str], sql: str) -> _Change:
    return _ANYTHING if "ANALYZE" in words else _NOTHING


def _no_table(tokens: list[Token], words: list[str], sql: str) -> _Change:
    return _NOTHING


_READERS = {
    **dict.fromkeys(_WORDS_OF_NO_TABLE.split(), _no_table),
    "EXPLAIN": _explained,
    "CREATE": _created,
    "DROP": _dropped,
    "ALTER": _altered,
    "COMMENT": _commented,
}


def _parts(tokens: list[Token], at: int) -> tuple[list[str], int]:
    """The parts of a name, folded, and where it ends."""
    parts: list[str] = []
    while at < len(tokens):
        parts.append(tokens[at].text.lower())
        at += 1
        if at >= len(tokens) or tokens[at].token_type != TokenType.DOT:
            break
        at += 1
    return parts, at


def name_at(tokens: list[Token], at: int) -> tuple[tuple[str, str, str] | None, int]:
    """Database, schema ('' where they are not said) and name, and where that ends."""
    parts, at = _parts(tokens, at)
    if not parts or len(parts) > 3:
        return None, at
    if len(parts) == 2 and parts[0] == _TEMPORARY:
        return (_TEMPORARY, "", parts[1]), at
    database, schema = ["", "", *parts[:-1]][-2:]
    return (database, schema, parts[-1]), at


def _is_there(sql: str, run: Callable[[str], list[tuple[Any, ...]]]) -> bool:
    """Whether there is what CREATE TABLE IF NOT EXISTS would make."""
    tokens = DUCKDB.own_tokens(sql)
    at = next(i for i, token in enumerate(tokens) if token.text.upper() == "EXISTS") + 1
    end = _parts(tokens, at)[1]
    name = sql[tokens[at].start : tokens[end - 1].end + 1]
    try:
        run(f"SELECT 1 FROM pragma_table_info({literal(name)}) LIMIT 1")
    except duckdb_c.DuckError:
        return False
    return True


_DEFAULT_ENDS = frozenset(
    {
        "NOT",
        "NULL",
        "CHECK",
        "PRIMARY",
        "UNIQUE",
        "REFERENCES",
        "COLLATE",
        "GENERATED",
        "CONSTRAINT",
    }
)


def _alone(sql: str) -> str:
    """A CREATE TABLE as another DuckDB can read it: without defaults, which may call its sequences,
    and with names that have no schema."""
    tokens = DUCKDB.own_tokens(sql)
    start = next(i for i, token in enumerate(tokens) if token.token_type == TokenType.L_PAREN)
    end = _parts(tokens, start - 1)[1]
    kept = f"CREATE TABLE {_written(tokens, end - 1, sql)} "
    at, depth, written = start, 0, tokens[start].start
    while at < len(tokens):
        token = tokens[at]
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        word = token.text.upper() if token.token_type != TokenType.IDENTIFIER else ""
        if word == "DEFAULT" and depth == 1:
            kept += sql[written : token.start]
            at = _after_default(tokens, at + 1)
            written = tokens[at].start
            continue
        if word == "REFERENCES":
            last = _parts(tokens, at + 1)[1] - 1
            kept += f"{sql[written : token.end + 1]} {_written(tokens, last, sql)}"
            written = tokens[last].end + 1
        at += 1
    return kept + sql[written : tokens[-1].end + 1]


def _after_default(tokens: list[Token], at: int) -> int:
    """Where the expression ends that begins there: with what its column says next, or with it."""
    depth = 0
    first = at
    while True:
        token = tokens[at]
        kind = token.token_type
        if kind == TokenType.L_PAREN:
            depth += 1
        elif depth and kind == TokenType.R_PAREN:
            depth -= 1
        elif not depth and (
            kind in (TokenType.R_PAREN, TokenType.COMMA)
            or (at > first and kind != TokenType.IDENTIFIER and token.text.upper() in _DEFAULT_ENDS)
        ):
            return at
        at += 1


def _written(tokens: list[Token], at: int, sql: str) -> str:
    return sql[tokens[at].start : tokens[at].end + 1]


def _referenced(sql: str, run: Callable[[str], list[tuple[Any, ...]]]) -> tuple[str, ...]:
    """What makes the tables that a CREATE TABLE refers to, as far as it does."""
    tokens = DUCKDB.own_tokens(sql)
    others: dict[str, list[str]] = {}
    for at, token in enumerate(tokens):
        if token.token_type == TokenType.IDENTIFIER or token.text.upper() != "REFERENCES":
            continue
        parts, end = _parts(tokens, at + 1)
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
            theirs, after = _parts(tokens, end + 1)
            while tokens[after].token_type == TokenType.COMMA:
                more, after = _parts(tokens, after + 1)
                theirs += more
            named = [quoted(column) for column in theirs]
            unique = f"UNIQUE ({', '.join(named)})"
            if named != [key.lower() for key in keys] and unique not in items:
                items.append(unique)
    return tuple(f"CREATE TABLE {quoted(name)} ({', '.join(it)})" for name, it in others.items())
