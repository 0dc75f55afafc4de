"""What Postgres is given in place of a client's text, where it would not understand that.

Two reasons, both small. Rights may be written as Snowflake writes them (`TO ROLE r`, `ON VIEW v`,
`GRANT OWNERSHIP`), and DuckDB's `main` is `public` there. And an older client, a psql of last year
say, asks for system columns that Postgres has renamed since. Words are changed where they stand;
the rest of the text, and with it the place of everything before, stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError

Change = tuple[int, int, str]  # start and end in the message, and what stands there instead


def rights(tokens: list[Token], text: str) -> str | None:
    """GRANT and REVOKE as Postgres writes them; None: as it is.

    Raises SqlError 0A000 for rights that Postgres does not have.
    """
    words = [_word(token) for token in tokens]
    if "FUTURE" in words:
        raise SqlError(
            "0A000",
            "GRANT ON FUTURE is not supported",
            hint="ALTER DEFAULT PRIVILEGES is Postgres's, and not for analytical tables.",
        )
    if words[1:4] == ["OWNERSHIP", "ON", "TABLE"] or words[1:4] == ["OWNERSHIP", "ON", "VIEW"]:
        return _ownership(tokens, words, text)
    return _changed(tokens, text, [*_main(tokens), *_snowflake_words(tokens, words)])


def named_main(tokens: list[Token], text: str) -> str | None:
    """A statement about relations with `public` for `main`; None: as it is."""
    return _changed(tokens, text, list(_main(tokens)))


def _snowflake_words(tokens: list[Token], words: list[str]) -> Iterator[Change]:
    for index, word in enumerate(words[:-1]):
        token, after = tokens[index], words[index + 1]
        if word in ("ROLE", "USER") and words[index - 1] in ("TO", "FROM", ",") and _names(after):
            yield token.start, token.end + 1, ""
        elif word == "VIEW" and words[index - 1] == "ON" and _names(after):
            yield token.start, token.end + 1, "TABLE"
        elif word == "VIEWS" and words[index - 1] == "ALL":
            yield token.start, token.end + 1, "TABLES"


def _ownership(tokens: list[Token], words: list[str], text: str) -> str:
    to = len(words) - 1 - words[::-1].index("TO") if "TO" in words else 0
    name = tokens[3:to][1:]
    grantee = tokens[to + 1 :]
    if grantee and _word(grantee[0]) == "ROLE" and len(grantee) > 1:
        grantee = grantee[1:]
    if words[0] != "GRANT" or not name or len(grantee) != 1:
        raise SqlError("0A000", "this form of GRANT OWNERSHIP is not supported")
    relation = _changed(name, text, list(_main(name)))
    relation = text[name[0].start : name[-1].end + 1] if relation is None else relation
    return f"ALTER {words[3]} {relation} OWNER TO {text[grantee[0].start : grantee[0].end + 1]}"


def _main(tokens: list[Token]) -> Iterator[Change]:
    """`main` where a schema stands: before a dot, or after SCHEMA."""
    for index, token in enumerate(tokens):
        quoted = token.token_type == TokenType.IDENTIFIER
        if (token.text if quoted else token.text.lower()) != "main":
            continue
        before_dot = index + 1 < len(tokens) and tokens[index + 1].token_type == TokenType.DOT
        if before_dot or (index and _word(tokens[index - 1]) == "SCHEMA"):
            yield token.start, token.end + 1, "public"


def _word(token: Token) -> str:
    plain = token.token_type not in (TokenType.IDENTIFIER, TokenType.STRING)
    return token.text.upper() if plain else '"'


def _names(word: str) -> bool:
    return word not in (",", ";", "WITH", "GRANTED", "CASCADE", "RESTRICT")


def _changed(tokens: list[Token], text: str, changes: list[Change]) -> str | None:
    if not changes:
        return None
    start, end = tokens[0].start, tokens[-1].end + 1
    out = text[start:end]
    for first, last, new in sorted(changes, reverse=True):
        out = out[: first - start] + new + out[last - start :]
    return out


# Column -> its name since Postgres 17, and the relation that has it.
_RENAMED_COLUMNS = {
    "daticulocale": ("datlocale", "pg_database"),
    "colliculocale": ("colllocale", "pg_collation"),
}


def renamed_columns(tokens: list[Token], text: str) -> str | None:
    """A catalog question of an older client in today's names; None: as it is."""
    found = [token for token in tokens if token.text in _RENAMED_COLUMNS]
    if not found:
        return None
    there = {token.text for token in tokens}
    return _changed(
        tokens,
        text,
        [
            # Blanks keep the positions in Postgres's errors true.
            (token.start, token.end + 1, f"{new:<{token.end + 1 - token.start}}")
            for token in found
            for new, relation in [_RENAMED_COLUMNS[token.text]]
            if relation in there
        ],
    )
