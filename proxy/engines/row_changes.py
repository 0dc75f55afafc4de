"""Changes of one table's rows in DuckDB's two ways, which do not see each other: the later goes the other's way.

Why it exists: DuckDB writes what an UPDATE sets in its place, or deletes the row and adds it anew: under
RETURNING, and where it sets a column that is in an index, or of a nested type. Of two changes of one row in
the same way the later one fails, as it must. Of two in different ways both are committed, and one is lost.
So whoever changes rows of a table on which another transaction is at it in the other way, or has been since
this one's snapshot,

- deletes and adds them as well, where the others do: it is given a RETURNING;
- and first sets, to what they are, the columns that the others set in their place: `touched`.

Both meet every change of the same row, and no other row's: DuckDB itself says so.

An index is made beside no such change, and where no rows are kept for an older snapshot than the last one's
commit: of rows that were deleted then it would know nothing, and DuckDB ends the process where it is to forget them.

Promises: none of two changes of one row is lost, whatever their statements look like; what cannot be touched
(`sql.changes.touching`) is refused (40001).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlglot.tokens import Token, TokenType

from proxy.engines.crossings import SessionCrossings, met
from proxy.engines.definition_names import TEMPORARY, name_at
from proxy.errors import SqlError
from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB
from proxy.sql.words import CLOSING, OPENING

if TYPE_CHECKING:
    from proxy.engines.duck.c import Connection


class RowChange(NamedTuple):
    """How a statement changes rows. schema: '' where it says none.

    columns: that it sets without having to delete and add the rows, as far as its text says, folded; None for
    any. anew: whether it deletes rows, to add them anew or not.
    """

    schema: str
    name: str
    columns: frozenset[str] | None
    anew: bool

    @property
    def whole(self) -> bool:
        """Whether it deletes, or adds anew, every row that it changes."""
        return self.columns == _NONE


_NONE: frozenset[str] = frozenset()


class IndexMade(NamedTuple):
    """An index of a table is being made."""

    schema: str
    name: str


RowStep = RowChange | IndexMade


def alone(step: RowStep, beside: set[RowStep]) -> RowStep:
    """The step, where none of the other kind is beside it. Raises SqlError 40001."""
    if any(type(other) is not type(step) for other in beside):
        raise _collided(
            step, "One transaction makes an index on the table whose rows another one changes."
        )
    return step


def _collided(step: RowStep, detail: str) -> SqlError:
    error = met(step, detail)
    error.collided = True
    return error


class Way(NamedTuple):
    """What a statement must do beside others' changes. touched: columns, of these of the table. anew: it is to
    delete and add the rows."""

    touched: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    anew: bool = False


AS_IT_IS = Way()


def way_of(change: RowChange, session: SessionCrossings[RowStep], connection: Connection) -> Way:
    """Blocks. Notes the change with all sessions, and says how it is to be made."""
    table: _Table | None = None
    found = AS_IT_IS

    def settle(mine: RowStep, beside: set[RowStep]) -> RowStep:
        nonlocal found
        found = AS_IT_IS
        alone(mine, beside)
        if all(other[2:] == mine[2:] for other in beside):
            return mine  # all go one way
        if table is None:
            raise _Unknown
        found = table.way(change, {other for other in beside if isinstance(other, RowChange)})
        return change._replace(columns=_NONE, anew=True) if found.anew else change

    try:
        session.take(change, settle)
    except _Unknown:
        table = _table(change, connection)
        session.take(change, settle)
    return found


def cannot_go(change: RowChange) -> SqlError:
    """What a statement gets that cannot go the others' way."""
    return _collided(
        change,
        "Another transaction changes rows of the table in a way that this statement cannot take.",
    )


class _Unknown(Exception):
    """Nothing was asked of the table yet."""


class _Table(NamedTuple):
    """columns: as they are spelled, by their folded names. special: those of which one that is set has the
    whole row added anew. unsure: those that may be such."""

    columns: dict[str, str]
    special: frozenset[str]
    unsure: frozenset[str]

    def way(self, mine: RowChange, beside: set[RowChange]) -> Way:
        in_place = [other for other in beside if self._in_place(other)]
        anew = any(self._anew(other) for other in beside)
        if not (anew and self._in_place(mine)) and not (in_place and self._anew(mine)):
            return AS_IT_IS
        touched = {
            stored
            for other in in_place
            for name, stored in self.columns.items()
            if (other.columns is None or name in other.columns) and name not in self.special
        }
        return Way(tuple(sorted(touched)), tuple(self.columns.values()), anew=True)

    def _in_place(self, change: RowChange) -> bool:
        if change.columns is None:
            return True
        return bool(change.columns) and self.special.isdisjoint(change.columns)

    def _anew(self, change: RowChange) -> bool:
        if change.anew or change.columns is None:
            return True
        return not (self.special | self.unsure).isdisjoint(change.columns)


_INDEXES = "SELECT expressions::VARCHAR[] FROM duckdb_indexes() WHERE lower(table_name) = $1"
_KEYS = """
SELECT DISTINCT lower(unnest(constraint_column_names)) FROM duckdb_constraints()
WHERE lower(table_name) = $1 AND constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')
"""
_REWRITTEN = frozenset({"LIST", "ARRAY", "MAP", "UNION"})
_MAY_BE_REWRITTEN = frozenset({"STRUCT", "VARIANT", "GEOMETRY", "INVALID"})


def _table(change: RowChange, connection: Connection) -> _Table:
    asked = connection.prepare(f"SELECT * FROM {quoted(*filter(None, change[:2]))}")
    try:
        columns = asked.columns
    finally:
        asked.close()
    special = {key for (key,) in connection.listed(_KEYS, (change.name,))}
    unsure: set[str] = set()
    for (expressions,) in connection.listed(_INDEXES, (change.name,)):
        for expression in expressions:
            words = [token.text.lower() for token in DUCKDB.own_tokens(expression)]
            (special if len(words) == 1 else unsure).update(words)
    for column, kind in columns:
        if kind.id in _REWRITTEN:
            special.add(column.lower())
        elif kind.id in _MAY_BE_REWRITTEN:
            unsure.add(column.lower())
    return _Table(
        {name.lower(): name for name, _ in columns}, frozenset(special), frozenset(unsure)
    )


_VERBS = frozenset({"UPDATE", "DELETE", "INSERT", "MERGE", "TRUNCATE"})
_BEFORE_NAME = frozenset({"INTO", "FROM", "TABLE", "OR", "REPLACE", "IGNORE"})


def change_of(sql: str) -> RowChange | None:
    """What a statement's text does to rows; None for one that adds some at most."""
    said = sql.upper()
    if said.startswith("INSERT") and "UPDATE" not in said and "REPLACE" not in said:
        return None  # no token is one of these words
    tokens = DUCKDB.own_tokens(sql)
    depth, verb = 0, ""
    name = None
    columns: set[str] | None = set()
    deletes = returns = updates = False
    for at, token in enumerate(tokens):
        depth += (token.token_type in OPENING) - (token.token_type in CLOSING)
        if depth:
            continue
        word = "" if token.token_type in _NO_WORDS else token.text.upper()
        if not verb:
            if word in _VERBS:
                verb = word
                deletes = word in ("DELETE", "TRUNCATE")
                updates = word == "UPDATE"
        elif name is None:
            if word == "REPLACE":
                updates, columns = True, None
            elif word not in _BEFORE_NAME:
                name, _ = name_at(tokens, at)
        elif word == "RETURNING":
            returns = True
        elif word == "DELETE" and verb == "MERGE":
            deletes = True
        elif word == "UPDATE" and verb in ("MERGE", "INSERT"):
            updates = True
            if _text(tokens, at + 1) != "SET":
                columns = None
        elif word in ("SET", ",") and columns is not None:
            set_to, after = name_at(tokens, at + 1)
            if set_to is not None and _text(tokens, after) == "=":
                columns.add(set_to[-1])
            elif word == "SET":
                columns = None
    if name is None or name[0] == TEMPORARY or not (updates or deletes):
        return None
    # Under RETURNING all of it is added anew.
    set_in_place = (
        _NONE if returns or not updates else columns if columns is None else frozenset(columns)
    )
    return RowChange(name[1], name[2], set_in_place, anew=deletes or returns)


def _text(tokens: list[Token], at: int) -> str:
    return tokens[at].text.upper() if at < len(tokens) else ""


_NO_WORDS = {TokenType.IDENTIFIER, TokenType.STRING}
