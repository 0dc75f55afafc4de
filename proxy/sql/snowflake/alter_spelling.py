"""ALTER TABLE and ALTER VIEW of several columns, in tokens that sqlglot can read.

Why it exists: Snowflake says `ALTER [COLUMN] a COMMENT 'x', [COLUMN] b DROP NOT NULL` once for all of
them, in brackets or without, and `MODIFY a NUMBER NOT NULL` for two changes of one: dbt comments on
columns that way. sqlglot reads a list of changes, each with its own verb.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError

_VERBS = frozenset({"ALTER", "MODIFY"})
_ACTIONS = frozenset({"SET", "DROP", "COMMENT", "TYPE", "UNSET", "NOT"})
_OTHERS = frozenset({"ADD", "DROP", "RENAME", "SET", "UNSET", "CLUSTER", "SWAP", "OWNER"})
"""How changes begin that are not of a column that there is."""
_POLICIES = frozenset({"MASKING", "PROJECTION", "TAG"})


def one_by_one(tokens: list[Token]) -> list[Token]:
    """The tokens of an ALTER; of other forms as they are. Raises 0A000 for policies and tags."""
    at = _behind_name(tokens)
    if at is None:
        return tokens
    if word_at(tokens, at) == "DROP":
        return [*tokens[:at], *_dropped(tokens[at:])]
    if word_at(tokens, at) == "ADD":
        return [*tokens[:at], *_added(tokens[at:])]
    if word_at(tokens, at) not in _VERBS or word_at(tokens, at + 1) in _NO_COLUMNS:
        return tokens
    verb, rest = tokens[at], tokens[at + 1 :]
    if (
        rest
        and rest[0].token_type == TokenType.L_PAREN
        and rest[-1].token_type == TokenType.R_PAREN
    ):
        rest = rest[1:-1]
    if any(word_at(rest, i) in _POLICIES for i in range(len(rest))):
        for item in _items(rest):
            for place in range(1, min(4, len(item))):
                _check(item[place:])
    bracketed = len(rest) < len(tokens) - at - 1
    items = _items(rest)
    if any(word_at(item, 0) in _OTHERS for item in items):
        return tokens
    if not bracketed and all(_is_read(item, first=item is items[0]) for item in items):
        return tokens
    made: list[Token] = []
    for item in items:
        if word_at(item, 0) in _VERBS and _is_verb(item):
            item = item[1:]
        if word_at(item, 0) == "COLUMN" and len(item) > 2:
            item = item[1:]
        if len(item) < 2:
            return tokens
        name, change = item[0], item[1:]
        for one in _changes(change):
            if made:
                made.append(_at(name, TokenType.COMMA, ","))
            made += [
                _at(verb, TokenType.ALTER, "ALTER"),
                _at(verb, TokenType.COLUMN, "COLUMN"),
                name,
                *one,
            ]
    return [*tokens[:at], *made]


_NO_COLUMNS = frozenset(
    {"CONSTRAINT", "PRIMARY KEY", "FOREIGN KEY", "UNIQUE", "PRIMARY", "FOREIGN", "ROW", "ALL"}
    | {"CLUSTERING", "SEARCH", "STORAGE", "AGGREGATION", "JOIN"}
)
"""What may be altered or dropped of a table beside its columns."""


def _dropped(tokens: list[Token]) -> list[Token]:
    """`DROP [COLUMN] [IF EXISTS] a, [IF EXISTS] b` with a DROP COLUMN for each of them."""
    verb = tokens[0]
    rest = tokens[2:] if word_at(tokens, 1) == "COLUMN" and len(tokens) > 2 else tokens[1:]
    items = _items(rest)
    bare = [item[2:] if _is_lax(item) else item for item in items]
    if word_at(rest, 0) in _NO_COLUMNS or any(len(item) != 1 for item in bare):
        return tokens
    lax = _is_lax(items[0])
    made: list[Token] = []
    for item in items:
        if made:
            made.append(_at(item[0], TokenType.COMMA, ","))
        made += [verb, _at(verb, TokenType.COLUMN, "COLUMN")]
        if lax and not _is_lax(item):
            made += items[0][:2]
        made += item
    return made


def _is_lax(item: list[Token]) -> bool:
    return len(item) > 2 and word_at(item, 0) == "IF" and word_at(item, 1) == "EXISTS"


def _added(tokens: list[Token]) -> list[Token]:
    """`ADD [COLUMN] (a INT, b INT)` without its brackets."""
    at = 2 if word_at(tokens, 1) == "COLUMN" else 1
    rest = tokens[at:]
    if (
        rest
        and rest[0].token_type == TokenType.L_PAREN
        and rest[-1].token_type == TokenType.R_PAREN
    ):
        return [*tokens[:at], *rest[1:-1]]
    return tokens


def _is_read(item: list[Token], *, first: bool) -> bool:
    """Whether sqlglot reads a change: it has its own verb, and says what it does."""
    if word_at(item, -2) == "UNSET":
        return False
    verbless = not first and word_at(item, 0) not in _VERBS
    return not verbless and not (word_at(item, -1) == "NULL" and word_at(item, -3) not in _ACTIONS)


def _behind_name(tokens: list[Token]) -> int | None:
    """Where the changes begin: behind `ALTER {TABLE | VIEW} [IF EXISTS] name`."""
    if word_at(tokens, 1) not in ("TABLE", "VIEW"):
        return None
    at = 4 if word_at(tokens, 2) == "IF" else 2
    while at + 1 < len(tokens) and tokens[at + 1].token_type == TokenType.DOT:
        at += 2
    return at + 1 if at + 2 < len(tokens) else None


def _is_verb(item: list[Token]) -> bool:
    """Whether an item begins with its own verb, which is no column's name."""
    return word_at(item, 1) not in _ACTIONS or len(item) > 3


def _items(tokens: list[Token]) -> list[list[Token]]:
    items: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if kind == TokenType.COMMA and depth == 0:
            items.append([])
        else:
            items[-1].append(token)
    return items


def _changes(change: list[Token]) -> list[list[Token]]:
    """`NOT NULL`, `NUMBER NOT NULL` and `NUMBER` as changes that say what they do."""
    set_ = _at(change[0], TokenType.SET, "SET")
    if word_at(change, 0) == "UNSET" and word_at(change, 1) == "COMMENT":
        return [[change[1], _at(change[1], TokenType.STRING, "")]]
    if word_at(change, 0) == "NOT":
        return [[set_, *change]]
    if word_at(change, 0) in _ACTIONS:
        return [change]
    type_ = _at(change[0], TokenType.VAR, "TYPE")
    if word_at(change, -2) != "NOT":
        return [[type_, *change]]
    return [[type_, *change[:-2]], [set_, *change[-2:]]]


def _check(change: list[Token]) -> None:
    verb, what = word_at(change, 0), word_at(change, 1)
    if verb in ("SET", "UNSET") and what in _POLICIES:
        kind = what if what == "TAG" else f"{what} POLICY"
        raise SqlError(
            "0A000",
            f"{verb} {kind} of a column is not supported",
            hint="Tags and policies are not kept; show a view in place of the table.",
            position=change[0].start + 1,
        )


def word_at(tokens: list[Token], at: int) -> str:
    """A word in upper case, which may be of two words; '' for a name in quotes, a text, and nothing."""
    token = tokens[at] if -len(tokens) <= at < len(tokens) else None
    if token is None or token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
        return ""
    return " ".join(token.text.upper().split())


def _at(place: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, place.line, place.col, place.start, place.end)
