"""What a definition's text does to the tables that it names, from its tokens.

Why it exists: beside `known_tables`, which remembers what tables declare. A statement that leaves that as it
is, or says itself what it makes of it, is followed without a look at the catalog.

Promises: what is not understood changes anything. Texts are DuckDB's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlglot.tokens import Token, TokenType

from proxy.engines.declarations import PECULIAR, Declared, Known, Made
from proxy.engines.definition_names import DATABASE, TEMPORARY, name_at, parts_at
from proxy.engines.duck import c as duckdb_c
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB


@dataclass(frozen=True, slots=True)
class Change:
    """names: (schema or '', name) of what it may change; None: anything. does: what becomes of it."""

    names: tuple[tuple[str, str], ...] | None
    does: Callable[[Declared | None], Known | None] | None = None
    creates: bool = False
    drops: bool = False
    unless: bool = False  # there is one
    replaces: bool = False  # the one that there is
    renames: bool = False  # the first of the names to the second
    temporary: bool = False
    adds: str = ""  # a constraint, as the text says it


_ANYTHING = Change(None)
_NOTHING = Change(())


def read(sql: str) -> Change:
    tokens = DUCKDB.own_tokens(sql) if sql else []
    words = [token.text.upper() for token in tokens[:8]]
    reader = _READERS.get(words[0]) if words else None
    return reader(tokens, words, sql) if reader is not None else _ANYTHING


def _created(tokens: list[Token], words: list[str], sql: str) -> Change:
    at = 1
    temporary, replaces = False, words[1:3] == ["OR", "REPLACE"]
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
    if temporary or name[0] == TEMPORARY:
        return Change(
            (name[1:],), temporary=True, creates=not plain, unless=exists, replaces=replaces
        )
    made: Known = Declared() if plain else Made(sql)
    return Change((name[1:],), lambda _: made, creates=True, unless=exists, replaces=replaces)


def _dropped(tokens: list[Token], words: list[str], sql: str) -> Change:
    kind = words[1] if len(words) > 1 else ""
    if kind in _OF_NO_TABLE - {"SCHEMA"}:
        return _NOTHING
    if kind != "TABLE":
        return _ANYTHING
    name, after = name_at(tokens, 4 if words[2:4] == ["IF", "EXISTS"] else 2)
    alone = after >= len(tokens) or tokens[after].token_type != TokenType.COMMA
    return Change((name[1:],), drops=True) if name is not None and alone else _ANYTHING


def _altered(tokens: list[Token], words: list[str], sql: str) -> Change:
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
        return Change((name[1:], (name[1], new[2])), _renamed_to(name[2]), renames=True)
    what = [token.text.upper() for token in tokens[after : after + 6]]
    # ALTER [COLUMN] c SET|DROP DEFAULT|NOT NULL leaves constraints and comments as they are.
    if what[:1] == ["ALTER"]:
        how = what[3:5] if what[1:2] == ["COLUMN"] else what[2:4]
        if how in (["SET", "DEFAULT"], ["DROP", "DEFAULT"], ["SET", "NOT"], ["DROP", "NOT"]):
            return Change((name[1:],), lambda known: known)
        if how[:1] in (["TYPE"], ["SET"]):  # refused where a constraint is about the column
            return Change((name[1:],), _without_words)
    if what[:1] == ["DROP"]:
        return Change((name[1:],), _without_column(tokens, after + 1))
    if what[:1] == ["RENAME"]:
        return Change((name[1:],), _with_column_renamed(tokens, after + 1))
    if what[:3] == ["ADD", "PRIMARY KEY", "("]:
        adds = sql[tokens[after + 1].start : tokens[-1].end + 1]
        return Change((name[1:],), lambda known: known, adds=adds)
    # ADD [COLUMN] can have no constraint to DuckDB.
    plain = PECULIAR.isdisjoint(token.text.upper() for token in tokens)
    if what[:1] == ["ADD"] and plain and what[1:2] not in _ADDED_CONSTRAINTS:
        return Change((name[1:],), lambda known: known)
    return Change((name[1:],))


def _without_words(known: Declared | None) -> Known | None:
    return None if known is None or known.peculiar else known


def _without_column(tokens: list[Token], at: int) -> Callable[[Declared | None], Known | None]:
    """DROP [COLUMN] [IF EXISTS] c, which takes the checks of this column alone along."""
    at += tokens[at].text.upper() == "COLUMN" and tokens[at].token_type != TokenType.IDENTIFIER
    words = [token.text.upper() for token in tokens[at : at + 2]]
    parts, _ = parts_at(tokens, at + 2 if words == ["IF", "EXISTS"] else at)

    def does(known: Declared | None) -> Known | None:
        if len(parts) != 1 or known is None or known.peculiar:
            return None  # a part of a column, or it was the one with such words
        comments = {k: v for k, v in known.comments.items() if k != parts[0]}
        rows = [(row, [one.lower() for one in row[2]]) for row in known.constraints]
        if any(parts[0] in of and (row[0] != "CHECK" or len(of) > 1) for row, of in rows):
            return None
        kept = tuple(row for row, of in rows if parts[0] not in of)
        return replace(known, comments=comments, constraints=kept)

    return does


def _with_column_renamed(tokens: list[Token], at: int) -> Callable[[Declared | None], Known | None]:
    """RENAME [COLUMN] a TO b, which no constraint is about."""
    at += tokens[at].text.upper() == "COLUMN" and tokens[at].token_type != TokenType.IDENTIFIER
    parts, end = parts_at(tokens, at)

    def does(known: Declared | None) -> Known | None:
        if len(parts) != 1 or end + 2 != len(tokens) or known is None or known.peculiar:
            return None
        if any(parts[0] in (one.lower() for one in row[2]) for row in known.constraints):
            return None
        new = tokens[-1].text.lower()
        comments = {new if k == parts[0] else k: v for k, v in known.comments.items()}
        return replace(known, comments=comments)

    return does


def _renamed_to(old: str) -> Callable[[Declared | None], Known | None]:
    def does(known: Declared | None) -> Known | None:
        refers = known is not None and any(
            (row[4] or "").lower() == old.lower() for row in known.constraints
        )
        return None if refers else known

    return does


def _commented(tokens: list[Token], words: list[str], sql: str) -> Change:
    kind = words[2] if words[1:2] == ["ON"] and len(words) > 2 else ""
    if kind in _OF_NO_TABLE:
        return _NOTHING
    if kind not in ("TABLE", "COLUMN"):
        return _ANYTHING
    parts, after = parts_at(tokens, 3)
    column = parts.pop() if kind == "COLUMN" and parts else None
    if not parts or after + 1 >= len(tokens):
        return _ANYTHING
    value = tokens[after + 1]
    name = (parts[-2] if len(parts) > 1 else "", parts[-1])
    if value.token_type not in (TokenType.STRING, TokenType.NULL) or parts[0] == TEMPORARY:
        return Change((name,))
    text = value.text if value.token_type == TokenType.STRING else None

    def does(known: Declared | None) -> Known | None:
        if known is None:
            return None
        if column is None:
            return replace(known, comment=text)
        comments = {k: v for k, v in known.comments.items() if k != column}
        return replace(known, comments=comments if text is None else {**comments, column: text})

    return Change((name,), does)


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
_WORDS_OF_NO_TABLE = (
    "SET RESET USE VACUUM ANALYZE CHECKPOINT TRUNCATE SELECT WITH FROM INSERT UPDATE DELETE MERGE COPY SHOW "
    "DESCRIBE SUMMARIZE VALUES"
)


def _explained(tokens: list[Token], words: list[str], sql: str) -> Change:
    return _ANYTHING if "ANALYZE" in words else _NOTHING


def _no_table(tokens: list[Token], words: list[str], sql: str) -> Change:
    return _NOTHING


_READERS = {
    **dict.fromkeys(_WORDS_OF_NO_TABLE.split(), _no_table),
    "EXPLAIN": _explained,
    "CREATE": _created,
    "DROP": _dropped,
    "ALTER": _altered,
    "COMMENT": _commented,
}


LISTINGS = frozenset({"schemas", "views"})
"""Of what all is listed at once, since DuckDB gives one of them only so."""

_BEFORE_KINDS = frozenset({"OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE", "PERSISTENT"})
_LISTED = {
    **dict.fromkeys(_OF_NO_TABLE | {"TABLE"}, frozenset[str]()),
    "VIEW": frozenset({"views"}),
    "SCHEMA": LISTINGS,
}


def changed_listings(sql: str) -> frozenset[str]:
    """Which of `LISTINGS` a definition's text may change."""
    words = [token.text.upper() for token in DUCKDB.own_tokens(sql)[:6]] if sql else []
    if not words or words[0] not in ("CREATE", "DROP", "ALTER"):
        known = words and (words[0] == "COMMENT" or words[0] in _WORDS_OF_NO_TABLE.split())
        return frozenset() if known else LISTINGS
    kind = next((word for word in words[1:] if word not in _BEFORE_KINDS), "")
    return _LISTED.get(kind, LISTINGS)


def is_there(place: tuple[str, str, str], run: Callable[[str], list[tuple[Any, ...]]]) -> bool:
    """Whether there is a table or a view. place: its database, schema and name."""
    try:
        run(f"SELECT 1 FROM pragma_table_info({literal(quoted(*place))}) LIMIT 1")
    except duckdb_c.DuckError:
        return False
    return True


def has_keys(
    place: tuple[str, str, str],
    of: Callable[[str, str], Declared | None],
    run: Callable[[str], list[tuple[Any, ...]]],
) -> bool:
    """Whether there is a table with foreign keys. place: its database, schema and name. of: as
    `SessionTables.of`."""
    database, schema, name = place
    known = of(schema, name) if database == DATABASE else None
    if known is not None:
        return known.refers
    asked = (
        "SELECT 1 FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY' AND"
        f" database_name = {literal(database)} AND lower(schema_name) = lower({literal(schema)})"
    )
    return is_there(place, run) and bool(
        run(f"{asked} AND lower(table_name) = lower({literal(name)})")
    )
