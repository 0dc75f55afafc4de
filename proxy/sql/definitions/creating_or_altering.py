"""CREATE OR ALTER TABLE, read from tokens.

Why it exists: it says what a table is to be, not what is to be done. What that comes to hangs on the table
that there is, so the statement is taken apart here, and compared when it runs
(`proxy.definitions.creating_or_altering`).
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.compound import CreateOrAlter, NewColumn
from proxy.sql.control_plane import name_set
from proxy.sql.words import CLOSING, OPENING, Words

Read = tuple[str, CreateOrAlter] | None

_KINDS = ("LOCAL", "GLOBAL", "TEMP", "TEMPORARY", "TRANSIENT")
_TEMPORARY = frozenset(("TEMP", "TEMPORARY"))
_OTHER_SOURCES = ("AS", "LIKE", "CLONE", "USING")
_OF_SEVERAL = frozenset(
    {"CONSTRAINT", "PRIMARY", "PRIMARY KEY", "UNIQUE", "FOREIGN", "FOREIGN KEY", "CHECK"}
)
_BEHIND_TYPE = name_set(
    "NOT NULL DEFAULT AUTOINCREMENT IDENTITY COMMENT CONSTRAINT UNIQUE REFERENCES COLLATE WITH"
    " MASKING PROJECTION TAG AS GENERATED FOREIGN CHECK PRIMARY"
)


def create_or_alter_table(words: Words) -> Read:
    """CREATE OR ALTER [TEMPORARY | TRANSIENT] TABLE name (...) [properties]; None for other statements."""
    if not words.accept("CREATE", "OR", "ALTER"):
        return None
    temporary = False
    while (kind := words.accept_any(*_KINDS)) != "":
        temporary = temporary or kind in _TEMPORARY
    if not words.accept("TABLE"):
        return None
    start = words.token.start if words.token is not None else 0
    name = words.dotted()
    if words.word in _OTHER_SOURCES:
        raise _refused(f"CREATE OR ALTER TABLE ... {words.word}", words.token)
    parts = _items(words)
    comment = _comment(words)
    written = words.text[start : words.tokens[-1].end + 1]
    columns = tuple(_column(words.text, part) for part in parts if not _is_of_several(part))
    keys = tuple(_text(words.text, part) for part in parts if _is_of_several(part))
    refers = any(token.token_type in _REFERENCES for part in parts for token in part)
    return "CREATE TABLE", CreateOrAlter(name, temporary, written, columns, keys, comment, refers)


_REFERENCES = (TokenType.FOREIGN_KEY, TokenType.REFERENCES)


def _items(words: Words) -> list[list[Token]]:
    """The tokens of each item between the brackets ahead."""
    words.expect("(")
    items: list[list[Token]] = []
    while True:
        items.append(words.until(",", ")"))
        if words.accept(")"):
            return items
        words.expect(",")


def _comment(words: Words) -> str | None:
    """The table's comment, among properties that have no effect. Raises SqlError 0A000 for AS and its kin."""
    comment = None
    while words.token is not None:
        if words.word in _OTHER_SOURCES:
            raise _refused(f"CREATE OR ALTER TABLE ... {words.word}", words.token)
        if words.accept("COMMENT"):
            words.accept("=")
            comment = words.string()
        else:
            words.step()
    return comment


def _is_of_several(part: list[Token]) -> bool:
    plain = part[0].token_type != TokenType.IDENTIFIER
    return plain and " ".join(part[0].text.upper().split()) in _OF_SEVERAL


def _column(text: str, part: list[Token]) -> NewColumn:
    name = Words(text, part[:1]).name()
    depth, end = 0, 1
    for end in range(1, len(part) + 1):
        if end == len(part):
            break
        token = part[end]
        depth += (token.token_type in OPENING) - (token.token_type in CLOSING)
        word = token.text.upper().split()[:1] if token.token_type != TokenType.IDENTIFIER else []
        if end > 1 and depth == 0 and word and word[0] in _BEHIND_TYPE:
            break
    return NewColumn(name, _text(text, part[1:end]), _text(text, part))


def _text(text: str, tokens: list[Token]) -> str:
    return text[tokens[0].start : tokens[-1].end + 1] if tokens else ""


def _refused(what: str, token: Token | None) -> SqlError:
    position = token.start + 1 if token is not None else None
    hint = "List the columns, or CREATE OR REPLACE TABLE."
    return SqlError("0A000", f"{what} is not supported", hint=hint, position=position)
