"""Where one statement ends and the next begins, and what kind each is.

Statements are slices of the client's text between semicolon *tokens*: strings, comments and
dollar quotes are the tokenizer's business. A Snowflake Scripting block contains semicolons of its
own; it is recognised by its first words and kept in one piece.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.scripting.reader import block_length, routine_length


@dataclass(slots=True)
class Slice:
    """One statement: its tokens, and its place in the message (end exclusive).

    said: its text in upper case. A word that is not in it is no token's, so that none has to be looked
    at; whether one that is in it means anything, only the tokens say.
    """

    tokens: list[Token]
    start: int
    end: int
    said: str
    block: str = ""


_TRANSACTION_WORDS = frozenset(
    {"TRANSACTION", "WORK", "TRAN", "ISOLATION", "READ", "NOT", "DEFERRABLE", "NAME", ","}
)
_BLOCK_WORDS = frozenset({"BEGIN", "DECLARE"})
_CURSOR_OPTIONS = frozenset({"BINARY", "INSENSITIVE", "ASENSITIVE", "NO", "SCROLL"})


def _word(tokens: list[Token], index: int) -> str:
    if index >= len(tokens) or tokens[index].token_type == TokenType.SEMICOLON:
        return ""
    token = tokens[index]
    return "" if token.token_type == TokenType.IDENTIFIER else token.text.upper()


def _block_at(tokens: list[Token], index: int) -> str:
    """'BEGIN' or 'DECLARE' if a scripting block begins at this token, '' if not."""
    first = _word(tokens, index)
    if first == "BEGIN":
        after = index + 1
        if after < len(tokens) and tokens[after].token_type != TokenType.SEMICOLON:
            return "" if _word(tokens, after) in _TRANSACTION_WORDS else "BEGIN"
    elif first == "DECLARE":
        after = index + 2
        while _word(tokens, after) in _CURSOR_OPTIONS:
            after += 1
        is_cursor = _word(tokens, after) == "CURSOR"
        return "" if is_cursor and not _begins_later(tokens, after) else "DECLARE"
    return ""


def _begins_later(tokens: list[Token], index: int) -> bool:
    """Whether a block's BEGIN follows the declarations of which a cursor is the first."""
    return any(
        token.token_type == TokenType.SEMICOLON and _block_at(tokens, at + 1) == "BEGIN"
        for at, token in enumerate(tokens[index:-1], start=index)
        if _word(tokens, at + 1) == "BEGIN"
    )


def split(tokens: list[Token], text: str, *, scripting: bool) -> list[Slice]:
    """The statements of a message; statements without a token are dropped.

    A slice reaches from the end of the one before, white space trimmed, so that a leading comment
    stays with its statement. scripting: whether blocks are recognised (Snowflake's dialect).
    """
    if not tokens:
        return []
    may_be_block = scripting and tokens[0].text.upper() in _BLOCK_WORDS
    if ";" not in text and not (may_be_block and _block_at(tokens, 0)):
        return [_slice(text, tokens, 0, len(text))]
    slices: list[Slice] = []
    start = first = 0
    for end in (*_ends(tokens, text), len(tokens)):
        if scripting and first < len(tokens):
            word = _word(tokens, first)
            block = _block_at(tokens, first) if word in _BLOCK_WORDS else ""
            length = block_length(text, tokens[first:]) if block else 0
            if not length and word == "CREATE":
                length = routine_length(text, tokens[first:])
            if length:
                slices.extend(_with_block(text, tokens, first, start, length, block))
                return slices
        stop = tokens[end].start if end < len(tokens) else len(text)
        if end > first:
            slices.append(_slice(text, tokens[first:end], start, stop))
        first, start = end + 1, stop + 1
    return slices


def _ends(tokens: list[Token], text: str) -> Iterator[int]:
    """Where the semicolons are: those in strings and comments begin no token.

    Within the body of a function in SQL (BEGIN ATOMIC ... END) they end no statement.
    """
    at, after = text.find(";", tokens[0].start), 0
    while at >= 0:
        index = bisect_left(tokens, at, key=_START)
        if index >= after and index < len(tokens) and tokens[index].start == at:
            body = _end_of_body(tokens, after, index)
            if not body:
                yield index
            after = body or index + 1
        at = text.find(";", at + 1)


def _end_of_body(tokens: list[Token], start: int, semicolon: int) -> int:
    """The place behind the body that a semicolon is in, 0 if it is in none. start: of its statement."""
    if _word(tokens, start) != "CREATE":
        return 0
    opening = next(
        (
            at
            for at in range(start + 1, semicolon)
            if _word(tokens, at) == "ATOMIC" and _word(tokens, at - 1) == "BEGIN"
        ),
        0,
    )
    if not opening:
        return 0
    depth = 1
    for at in range(opening + 1, len(tokens)):
        depth += (_word(tokens, at) == "CASE") - (_word(tokens, at) == "END")
        if not depth:
            return at + 1 if at > semicolon else 0
    return 0


_START = attrgetter("start")


def _with_block(
    text: str, tokens: list[Token], first: int, start: int, length: int, block: str
) -> list[Slice]:
    """A statement of `length` tokens, with semicolons in them, and what comes after it."""
    end = first + length
    rest = tokens[end:]
    if rest and rest[0].token_type != TokenType.SEMICOLON:
        end, rest = len(tokens), []  # not a block: reading it will say where not
    stop = rest[0].start if rest else len(text)
    slices = [_slice(text, tokens[first:end], start, stop, block)]
    if len(rest) > 1:
        after = split(rest[1:], text, scripting=True)
        slices.extend(_after(text, piece, rest[0].end + 1) for piece in after)
    return slices


def _after(text: str, piece: Slice, start: int) -> Slice:
    """A slice of what comes after a block, which does not reach back before it."""
    if piece.start >= start:
        return piece
    return _slice(text, piece.tokens, start, piece.end, piece.block)


def _slice(text: str, tokens: list[Token], start: int, end: int, block: str = "") -> Slice:
    piece = text[start:end].rstrip()
    end = start + len(piece)
    piece = piece.lstrip()
    return Slice(tokens, end - len(piece), end, piece.upper(), block)


def highest_parameter(tokens: list[Token]) -> int:
    """The highest n among `$n`, 0 without any; `t.$n` is a column."""
    highest = 0
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.PARAMETER and index + 1 < len(tokens):
            if index and tokens[index - 1].token_type == TokenType.DOT:
                continue
            number = tokens[index + 1]
            if number.token_type == TokenType.NUMBER and number.start == token.end + 1:
                if not number.text.isdecimal():
                    message = f'trailing junk after parameter at or near "${number.text}"'
                    raise SqlError("42601", message, position=token.start + 1)
                highest = max(highest, int(number.text))
    return highest


_QUERY = ("SELECT", "SELECT")
_KINDS: dict[type, tuple[str, str]] = {
    exp.Select: _QUERY,
    exp.Values: _QUERY,
    exp.Insert: ("INSERT", "INSERT 0"),
    exp.Update: ("UPDATE", "UPDATE"),
    exp.Delete: ("DELETE", "DELETE"),
    exp.Merge: ("MERGE", "MERGE"),
    exp.MultitableInserts: ("INSERT", "INSERT 0"),
    exp.Comment: ("COMMENT", "COMMENT"),
    exp.TruncateTable: ("TRUNCATE TABLE", "TRUNCATE TABLE"),
    exp.Describe: ("DESCRIBE", "SELECT"),
    exp.Summarize: ("SUMMARIZE", "SELECT"),
    exp.Pivot: ("PIVOT", "SELECT"),
}
_SCHEMA_CHANGES = (exp.Create, exp.Drop, exp.Alter, exp.Comment)


def kind_and_tag(tree: exp.Expr) -> tuple[str, str] | None:
    """The kind of a statement and its command tag; None for a tree that is no statement."""
    found = _KINDS.get(tree.__class__)
    if found is not None:
        return found
    if isinstance(tree, exp.Query):
        return _QUERY
    if isinstance(tree, exp.Create):
        kind = f"CREATE {_object(tree)}"
        if tree.kind == "TABLE" and isinstance(tree.expression, (exp.Query, exp.Values)):
            return "CREATE TABLE AS", "SELECT"
        return kind, kind
    if isinstance(tree, exp.Drop):
        kind = f"DROP {_object(tree)}"
        return kind, kind
    if isinstance(tree, exp.Alter):
        kind = f"ALTER {_object(tree)}"
        return kind, kind
    return None


def _object(tree: exp.Expr) -> str:
    kind = str(tree.args.get("kind") or "").upper()
    if tree.args.get("materialized") or (
        kind == "VIEW" and tree.find(exp.MaterializedProperty) is not None
    ):
        return f"MATERIALIZED {kind}"
    return kind


def is_ddl(tree: exp.Expr) -> bool:
    """Whether a tree changes the schema."""
    return isinstance(tree, _SCHEMA_CHANGES)
