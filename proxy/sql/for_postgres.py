"""What Postgres is given in place of a client's text, where it would not understand that.

Four reasons, all small. Rights may be written as Snowflake writes them (`TO ROLE r`, `ON VIEW v`,
`GRANT OWNERSHIP`). DuckDB's `main` is `public` there, also where a question about the catalog
compares a schema's name with it. And an older client, a psql of last year say, asks for system
columns that Postgres has renamed since. And where the session's strings have backslash escapes, as
it tells its clients (`standard_conforming_strings`), Postgres is told so of each. Words are changed where they stand;
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
    if words[1:3] == ["OWNERSHIP", "ON"] and words[3] in ("TABLE", "VIEW", "SCHEMA", "SEQUENCE"):
        return _ownership(tokens, words, text)
    return _changed(tokens, text, [*_main(tokens), *_snowflake_words(tokens, words)])


def named_main(tokens: list[Token], text: str) -> str | None:
    """A statement about relations with `public` for `main`; None: as it is."""
    return _changed(tokens, text, list(_main(tokens)))


def default_rights(tokens: list[Token], text: str) -> str | None:
    """ALTER DEFAULT PRIVILEGES about what clients make, which belongs to all of them."""
    end = tokens[2].end + 1
    ours = () if _word(tokens[3]) == "FOR" else ((end, end, f" FOR ROLE {_OWNER}"),)
    return _changed(tokens, text, [*_main(tokens), *ours])


_OWNER = "hatidata_users"


def _snowflake_words(tokens: list[Token], words: list[str]) -> Iterator[Change]:
    yield from _creations(tokens, words)
    for index, word in enumerate(words[:-1]):
        token, after = tokens[index], words[index + 1]
        if word in ("ROLE", "USER") and words[index - 1] in ("TO", "FROM", ",") and _names(after):
            yield token.start, token.end + 1, ""
        elif word == "VIEW" and words[index - 1] == "ON" and _names(after):
            yield token.start, token.end + 1, "TABLE"
        elif word == "SCHEMA" and words[index + 2 : index + 3] == ["."]:
            database = tokens[index + 1]
            if database.text.lower() != "hatidata":
                raise SqlError("3D000", f'database "{database.text}" does not exist')
            yield database.start, tokens[index + 2].end + 1, ""
        elif word == "VIEWS" and words[index - 1] == "ALL":
            yield token.start, token.end + 1, "TABLES"


def _creations(tokens: list[Token], words: list[str]) -> Iterator[Change]:
    """CREATE TABLE, CREATE VIEW on a schema: CREATE is one right in Postgres."""
    end = words.index("ON") if "ON" in words else 0
    for index in range(1, end):
        last = index
        while words[index] == "CREATE" and words[last + 1] not in (",", "ON"):
            last += 1
        if last > index:
            yield tokens[index + 1].start, tokens[last].end + 1, ""


def _ownership(tokens: list[Token], words: list[str], text: str) -> str:
    if words[-2:] == ["CURRENT", "GRANTS"] and words[-3] in ("COPY", "REVOKE"):
        tokens, words = tokens[:-3], words[:-3]  # who has which rights changes with no owner here
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
_RENAMED_RELATIONS = frozenset(relation for _, relation in _RENAMED_COLUMNS.values())


# The columns of information_schema and pg_catalog that hold the name of a schema.
_SCHEMA_COLUMNS = frozenset(
    {
        *("table_schema", "schema_name", "constraint_schema", "view_schema", "sequence_schema"),
        *("routine_schema", "specific_schema", "trigger_schema", "udt_schema", "domain_schema"),
        *("unique_constraint_schema", "nspname", "schemaname"),
    }
)
_COMPARED = frozenset({TokenType.EQ, TokenType.NEQ})


def catalog_question(tokens: list[Token], text: str, *, escapes: bool) -> str | None:
    """A question about the catalog in the names that Postgres has today; None: as it is.

    escapes: whether backslashes escape in the text's plain strings.
    """
    changes = [*_renamed_columns(tokens), *_compared_main(tokens)]
    return _changed(tokens, text, [*changes, *(_escaped(tokens, text) if escapes else ())])


def escaped(tokens: list[Token], text: str) -> str | None:
    """A statement in whose plain strings backslashes escape, as Postgres reads them too."""
    return _changed(tokens, text, list(_escaped(tokens, text)))


def _escaped(tokens: list[Token], text: str) -> Iterator[Change]:
    """`E` before each plain string with a backslash."""
    for token in tokens:
        if token.token_type != TokenType.STRING or text[token.start] != "'":
            continue
        prefixed = token.start > 0 and (
            text[token.start - 1].isalnum() or text[token.start - 1] == "&"
        )
        if not prefixed and "\\" in text[token.start : token.end + 1]:
            yield token.start, token.start, "E"


def _compared_main(tokens: list[Token]) -> Iterator[Change]:
    """`'main'` where the name of a schema is compared with it, alone or in a list."""
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.STRING or token.text.lower() not in _SCHEMA_COLUMNS:
            continue
        for value in _compared_with(tokens[index + 1 :]):
            if value.text == "main":
                yield value.start, value.end + 1, "'public'"


def _compared_with(after: list[Token]) -> Iterator[Token]:
    """The strings that what stands before `after` is compared with."""
    kinds = [token.token_type for token in after[:3]]
    if len(kinds) > 1 and kinds[0] in _COMPARED and kinds[1] == TokenType.STRING:
        yield after[1]
        return
    opening = 2 if kinds[:1] == [TokenType.NOT] else 1
    if kinds[opening - 1 : opening + 1] != [TokenType.IN, TokenType.L_PAREN]:
        return
    for token in after[opening + 1 :]:
        if token.token_type == TokenType.STRING:
            yield token
        elif token.token_type != TokenType.COMMA:
            return


def _renamed_columns(tokens: list[Token]) -> Iterator[Change]:
    there = {token.text for token in tokens if token.text in _RENAMED_RELATIONS}
    for token in tokens:
        new, relation = _RENAMED_COLUMNS.get(token.text, ("", ""))
        if relation in there:
            # Blanks keep the positions in Postgres's errors true.
            yield token.start, token.end + 1, f"{new:<{token.end + 1 - token.start}}"
