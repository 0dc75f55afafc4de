"""DROP and TRUNCATE of several objects: one statement to Postgres, one for each object to DuckDB."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.sql.classify import Slice
from proxy.sql.session_actions import DropSeveral
from proxy.sql.utility import Utility


def several_dropped(
    text: str, piece: Slice, tree: exp.Drop | exp.TruncateTable, kind: str
) -> Utility | None:
    """`DROP TABLE a, b CASCADE` as `DROP TABLE a CASCADE` and `DROP TABLE b CASCADE`; TRUNCATE too.

    None for one object.
    """
    named = tree.expressions if isinstance(tree, exp.TruncateTable) else tree.args.get("tables")
    if len(named or ()) < 2:
        return None
    return each_dropped(text, piece, kind)


def each_dropped(text: str, piece: Slice, kind: str) -> Utility:
    """As `several_dropped`, of a statement that names more than one."""
    tokens = piece.tokens
    commas = [i for i, token in enumerate(tokens) if token.token_type == TokenType.COMMA]
    first = _start(tokens, commas[0] - 1)
    last = _end(tokens, commas[-1] + 1)
    head = text[piece.start : tokens[first].start]
    tail = text[tokens[last].end + 1 : piece.end]
    starts = [first, *(comma + 1 for comma in commas)]
    ends = [*(comma - 1 for comma in commas), last]
    names = [text[tokens[a].start : tokens[b].end + 1] for a, b in zip(starts, ends, strict=True)]
    return Utility(kind, kind, DropSeveral(tuple(f"{head}{name}{tail}" for name in names)))


def _start(tokens: list[Token], at: int) -> int:
    """The first token of the name that ends at `at`."""
    while tokens[at - 1].token_type == TokenType.DOT:
        at -= 2
    return at


def _end(tokens: list[Token], at: int) -> int:
    """The last token of the name that starts at `at`."""
    while at + 1 < len(tokens) and tokens[at + 1].token_type == TokenType.DOT:
        at += 2
    return at
