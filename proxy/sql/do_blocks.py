"""DO blocks of the kind that migrations write: statements, and errors that do not matter.

Why it exists: Postgres has no CREATE TYPE IF NOT EXISTS and no ADD CONSTRAINT IF NOT EXISTS, so ORMs write
`DO $$ BEGIN CREATE TYPE ...; EXCEPTION WHEN duplicate_object THEN NULL; END $$`. Such a body is statements one
after another, which the session can run (`proxy.session.do_blocks`); everything else of PL/pgSQL is not read.

Promises: what is not just that is None.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.control_plane import name_set
from proxy.sql.reading import POSTGRES
from proxy.sql.session_actions import RunDo

_STATEMENTS = name_set("CREATE ALTER DROP INSERT UPDATE DELETE COMMENT TRUNCATE")
_CONDITIONS = {
    "duplicate_object": "42710",
    "duplicate_table": "42P07",
    "duplicate_column": "42701",
    "duplicate_schema": "42P06",
    "invalid_table_definition": "42P16",
    "undefined_table": "42P01",
    "undefined_object": "42704",
    "undefined_column": "42703",
    "invalid_schema_name": "3F000",
    "unique_violation": "23505",
    "foreign_key_violation": "23503",
    "check_violation": "23514",
    "not_null_violation": "23502",
}
EVERY = ""
"""In `RunDo.ignored`: WHEN OTHERS."""


def read(body: str) -> RunDo | None:
    """What the body of a DO says; None where it is more than statements and errors to ignore."""
    try:
        tokens = POSTGRES.own_tokens(body)
    except SqlError:
        return None
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens = tokens[:-1]
    words = [_word(token) for token in tokens]
    if len(words) < 3 or words[0] != "BEGIN" or words[-1] != "END":
        return None
    pieces = _split(tokens[1:-1])
    at = next((n for n, piece in enumerate(pieces) if _word(piece[0]) == "EXCEPTION"), len(pieces))
    ignored = _handlers(pieces[at:])
    statements = pieces[:at]
    if ignored is None or not statements:
        return None
    if any(_word(piece[0]) not in _STATEMENTS for piece in statements):
        return None
    texts = tuple(body[piece[0].start : piece[-1].end + 1] for piece in statements)
    return RunDo(texts, ignored)


def _word(token: Token) -> str:
    return "" if token.token_type == TokenType.IDENTIFIER else token.text.upper()


def _split(tokens: list[Token]) -> list[list[Token]]:
    """At semicolons."""
    pieces: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if piece]


def _handlers(pieces: list[list[Token]]) -> frozenset[str] | None:
    """The errors of EXCEPTION WHEN a OR b THEN NULL; WHEN c THEN NULL; None where more is done."""
    found: set[str] = set()
    for number, piece in enumerate(pieces):
        words = [_word(token) for token in piece]
        if number == 0 and words[:1] == ["EXCEPTION"]:
            words = words[1:]
        if len(words) < 4 or words[0] != "WHEN" or words[-2:] != ["THEN", "NULL"]:
            return None
        for place, name in enumerate(words[1:-2]):
            if place % 2:
                if name != "OR":
                    return None
            elif name == "OTHERS":
                found.add(EVERY)
            elif (state := _CONDITIONS.get(name.lower())) is not None:
                found.add(state)
            else:
                return None
    return frozenset(found)
