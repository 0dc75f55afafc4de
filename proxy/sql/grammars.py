"""Which grammar reads a statement, and what becomes of one that none of them reads.

The session's grammar is tried first and Postgres's after it, so that what Postgres clients send
unasked (psql's catalog queries, ORMs' casts) works in every dialect. The complaint that is raised is
the one of the grammar that got further.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import administration
from proxy.sql.classify import Slice, highest_parameter, kind_and_tag
from proxy.sql.control_plane import name_set
from proxy.sql.definitions.identity_options import of_sequence, ordered
from proxy.sql.for_postgres import catalog_question
from proxy.sql.postgres import grammar as postgres_grammar
from proxy.sql.postgres.functions import DATE_PART
from proxy.sql.postgres.upkeep import named
from proxy.sql.postgres.words import without_upkeep
from proxy.sql.reading import POSTGRES, Reader, SyntaxFailure, at_or_near
from proxy.sql.snowflake.definitions import hinted
from proxy.sql.statement import Dialect, Route, Statement


def own_functions(tokens: list[Token], reader: Reader) -> list[Token]:
    """The tokens with those changed that sqlglot's grammar of Postgres would mix up.

    It makes an EXTRACT of date_part, reads one number of what is in an interval's quotes, the options
    of an identity in one order, and knows no ORDER BY ... USING <, no LOCAL TEMPORARY, no NOT DEFERRABLE, no OVERRIDING SYSTEM
    VALUE and no arrays of regtype.
    """
    if reader is not POSTGRES:
        return tokens
    made: list[Token] = []
    if _is_temporary(tokens):
        tokens = [tokens[0], *tokens[2:]]
    if tokens[0].token_type in _DEFINING:
        tokens = without_upkeep(tokens)
    defines = tokens[0].token_type in (TokenType.CREATE, TokenType.ALTER)
    inserts = any(token.token_type == TokenType.INSERT for token in tokens)
    if defines:
        tokens = of_sequence(ordered(tokens))
    for index, token in enumerate(tokens):
        if defines and _is_not_deferrable(tokens, index):
            continue
        if inserts and _is_overriding(tokens, index) is not None:
            continue  # `overriding` tells
        if token.token_type == TokenType.USING and (order := _direction(tokens, index)):
            made.append(_like(token, order, order.name))
        elif (
            index
            and tokens[index - 1].token_type == TokenType.USING
            and _direction(tokens, index - 1)
        ):
            continue
        elif _is_call_of_date_part(tokens, index):
            made.append(_like(token, TokenType.VAR, DATE_PART))
        elif _is_array_of_objects(tokens, index):
            continue
        elif token.token_type == TokenType.STRING and _is_whole_interval(tokens, index):
            opening = made.pop()
            made += [_like(opening, TokenType.VAR, "CAST"), _like(opening, TokenType.L_PAREN, "(")]
            made += [token, _like(token, TokenType.ALIAS, "AS")]
            made += [_like(token, TokenType.INTERVAL, "INTERVAL")]
            made += [_like(token, TokenType.R_PAREN, ")")]
        else:
            made.append(token)
    return made


_DIRECTIONS = {TokenType.LT: TokenType.ASC, TokenType.GT: TokenType.DESC}


def _direction(tokens: list[Token], at: int) -> TokenType | None:
    """ASC or DESC, which ORDER BY may say with an operator: USING < or USING >."""
    return _DIRECTIONS.get(tokens[at + 1].token_type) if at + 1 < len(tokens) else None


_DEFINING = frozenset({TokenType.CREATE, TokenType.ALTER, TokenType.DROP})


def _is_call_of_date_part(tokens: list[Token], at: int) -> bool:
    token, after = tokens[at], tokens[at + 1 : at + 2]
    if token.token_type != TokenType.VAR or token.text.lower() != "date_part":
        return False
    return bool(after) and after[0].token_type == TokenType.L_PAREN


def _is_not_deferrable(tokens: list[Token], at: int) -> bool:
    """A word of NOT DEFERRABLE, which is what every constraint is."""
    first = at if tokens[at].token_type == TokenType.NOT else at - 1
    return (
        0 < first < len(tokens) - 1
        and tokens[first].token_type == TokenType.NOT
        and tokens[first + 1].token_type == TokenType.VAR
        and tokens[first + 1].text.upper() == "DEFERRABLE"
    )


_OVERRIDING = (("OVERRIDING",), ("SYSTEM", "USER"), ("VALUE",))


def overriding(tokens: list[Token]) -> str:
    """SYSTEM or USER, where an INSERT says OVERRIDING ... VALUE; '' where it does not."""
    for index in range(1, len(tokens) - 1):
        if _is_overriding(tokens, index) == 1:
            return tokens[index].text.upper()
    return ""


def _is_overriding(tokens: list[Token], at: int) -> int | None:
    """Which word of OVERRIDING SYSTEM VALUE it is, behind the columns or the name of INSERT."""
    for place, word in enumerate(_OVERRIDING):
        first = at - place
        if first > 0 and tokens[at].text.upper() in word:
            three = [t.text.upper() for t in tokens[first : first + 3] if t.token_type != _QUOTED]
            if len(three) == 3 and all(map(tuple.__contains__, _OVERRIDING, three)):
                return place
    return None


_QUOTED = TokenType.IDENTIFIER


def _is_array_of_objects(tokens: list[Token], at: int) -> bool:
    """A bracket of `regtype[]`, of which the grammar knows regtype; both are Postgres's to read."""
    first = at if tokens[at].token_type == TokenType.L_BRACKET else at - 1
    return (
        0 < first < len(tokens) - 1
        and tokens[first].token_type == TokenType.L_BRACKET
        and tokens[first - 1].token_type == TokenType.OBJECT_IDENTIFIER
        and tokens[first + 1].token_type == TokenType.R_BRACKET
    )


def _is_temporary(tokens: list[Token]) -> bool:
    """CREATE LOCAL TEMP and GLOBAL TEMPORARY, whose first word means nothing."""
    create, scope, temporary = (*(token.text.upper() for token in tokens[:3]), "", "", "")[:3]
    return (create, scope) in (("CREATE", "LOCAL"), ("CREATE", "GLOBAL")) and (
        temporary in ("TEMP", "TEMPORARY")
    )


_UNITS = name_set("YEAR MONTH DAY HOUR MINUTE SECOND")


def _is_whole_interval(tokens: list[Token], index: int) -> bool:
    """Whether a string is an interval without a unit behind it."""
    before = tokens[index - 1] if index else None
    if before is None or before.token_type != TokenType.INTERVAL:
        return False
    return index + 1 == len(tokens) or tokens[index + 1].text.upper() not in _UNITS


def _like(token: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, token.line, token.col, token.start, token.end)


def read(text: str, piece: Slice, reader: Reader) -> tuple[exp.Expr, Reader] | None:
    """The tree and the grammar that read it; None for what only Postgres can read.

    A tree may be `exp.Command`: known by its first words and by nothing else.
    """
    failure: SyntaxFailure | None = None
    tree: exp.Expr | None = None
    try:
        tree = reader.parse(text, own_functions(piece.tokens, reader))
        if reader is POSTGRES:
            postgres_grammar.check(text, piece.tokens, tree)
        if kind_and_tag(tree) is not None:
            return tree, reader
        if not isinstance(tree, exp.Command):
            failure = at_or_near(text, piece.tokens[0])
    except SyntaxFailure as error:
        failure = error
    if reader is not POSTGRES:
        # Blanks in place of what comes before keep the offsets those of the message.
        alone = " " * piece.start + text[piece.start : piece.end]
        try:
            again = POSTGRES.parse(alone, POSTGRES.tokenize(alone))
            if kind_and_tag(again) is not None:
                return again, POSTGRES
        except SyntaxFailure as error:
            if failure is not None and error.offset > failure.offset:
                failure = error
        if piece.tokens[0].token_type == TokenType.ALTER and (
            (again := _respelled(alone, piece.tokens)) is not None
        ):
            return again, POSTGRES
    if administration.concerns_only_control_plane(piece.tokens):
        return None
    if failure is not None:
        rest = text[piece.end :]
        semicolon = len(text) - len(rest.lstrip())
        if failure.offset == len(text) and text[semicolon : semicolon + 1] == ";":
            raise SyntaxFailure('syntax error at or near ";"', semicolon)
        raise failure
    return tree, reader


def _respelled(text: str, tokens: list[Token]) -> exp.Expr | None:
    """An ALTER whose tokens were put otherwise, by Postgres's grammar: it reads several changes."""
    try:
        tree = POSTGRES.parse(text, tokens)
    except SyntaxFailure:
        return None
    return tree if kind_and_tag(tree) is not None else None


_CHANGING = frozenset(
    {
        *(TokenType.INSERT, TokenType.UPDATE, TokenType.DELETE, TokenType.MERGE),
        *(TokenType.CREATE, TokenType.DROP, TokenType.ALTER, TokenType.TRUNCATE),
    }
)


def for_postgres(text: str, piece: Slice, dialect: Dialect) -> Statement:
    """A statement that only Postgres can read, about nothing but its own relations."""
    word = piece.tokens[0].text.upper()
    kind = "SELECT" if word == "WITH" else word
    escapes = dialect.name == "snowflake" and dialect.backslashes
    return Statement(
        Route.POSTGRES,
        kind,
        text[piece.start : piece.end],
        piece.start,
        tag=kind,
        relayed=catalog_question(piece.tokens, text, escapes=escapes),
        writes=any(token.token_type in _CHANGING for token in piece.tokens),
        parameters=highest_parameter(piece.tokens),
    )


_OBJECT_STARTS = name_set("CREATE ALTER DROP")


_QUALIFIERS = name_set(
    """
    OR REPLACE TEMP TEMPORARY TRANSIENT VOLATILE LOCAL GLOBAL UNLOGGED UNIQUE RECURSIVE SECURE
    MATERIALIZED FOREIGN EXTERNAL DYNAMIC HYBRID ICEBERG PERSISTENT EVENT ACCESS DEFAULT TEXT USER
    CONSTRAINT TRUSTED PROCEDURAL TABLE READ ONLY INTERACTIVE
    """
)


_OBJECTS = name_set(
    """
    ACCESS ACCOUNT AGGREGATE ALERT API APPLICATION AUTHENTICATION CAST CATALOG COLLATION COMPUTE
    CONNECTION CONVERSION DATABASE DATASET DEFAULT DOMAIN EVENT EXTENSION EXTERNAL FAILOVER FILE
    FOREIGN FUNCTION GIT GROUP IMAGE INDEX INTEGRATION LANGUAGE LARGE MACRO MANAGED MASKING
    MATERIALIZED MODEL NETWORK NOTEBOOK NOTIFICATION OPERATOR ORGANIZATION OWNED PACKAGES PASSWORD
    PIPE POLICY PRIVILEGES PROCEDURE PROJECTION PUBLICATION REPLICATION RESOURCE ROLE ROUTINE ROW
    RULE SCHEMA SECRET SECURITY SEMANTIC SEQUENCE SERVER SERVICE SESSION SHARE STAGE STATISTICS
    STORAGE STREAM STREAMLIT SUBSCRIPTION SYSTEM TABLE TABLESPACE TAG TASK TEXT TRANSFORM TRIGGER
    TYPE USER VIEW WAREHOUSE
    """
)


def _no_object(tokens: list[Token]) -> Token | None:
    """What stands where a kind of object should."""
    for token in tokens[1:]:
        word = token.text.upper()
        if word in _OBJECTS:
            return None
        if word not in _QUALIFIERS:
            return token
    return None


def _change(tokens: list[Token]) -> str:
    """What an ALTER says behind the name: its first words, as many as are words."""
    at = 2 + (2 if tokens[2].text.upper() == "IF" else 0)
    while at + 1 < len(tokens) and tokens[at + 1].token_type == TokenType.DOT:
        at += 2
    if at + 1 < len(tokens) and tokens[at + 1].token_type == TokenType.L_PAREN:  # a routine's types
        while at < len(tokens) and tokens[at].token_type != TokenType.R_PAREN:
            at += 1
    words, after = [], tokens[at + 1 :]
    if after and after[0].token_type == TokenType.ALTER:
        column = 1 + (len(after) > 1 and after[1].token_type == TokenType.COLUMN)
        words, after = ["ALTER", "COLUMN"], after[column + 1 :]
    for token in after[:3]:
        if not token.text[:1].isalpha() or token.token_type in (_QUOTED, TokenType.STRING):
            break
        words.append(token.text.upper())
    return " ".join(words) or "this"


_UNSUPPORTED_STARTS = name_set("CREATE ALTER DROP COMMENT GRANT REVOKE DESCRIBE DESC")


def refused(text: str, piece: Slice, construct: str) -> Statement:
    """A statement with something of Postgres's in it that nobody reads here."""
    message = f"{construct} is not supported on analytical tables"
    error = SqlError("0A000", message, position=piece.start + 1)
    kind = piece.tokens[0].text.upper()
    source = text[piece.start : piece.end]
    return Statement(Route.DUCKDB, kind, source, piece.start, tag=kind, writes=True, refused=error)


def unknown(text: str, piece: Slice) -> Statement:
    """A statement of which only the first words are known."""
    words = [token.text.upper() for token in piece.tokens[:3]]
    if words[0] not in _UNSUPPORTED_STARTS:
        raise at_or_near(text, piece.tokens[0])
    if words[0] in _OBJECT_STARTS and (wrong := _no_object(piece.tokens)) is not None:
        raise at_or_near(text, wrong)
    said = [token.text.upper() for token in piece.tokens[:8]]
    kept = [word for word in said if word not in ("OR", "REPLACE")]
    kind = " ".join(kept[:2])
    form = named(piece.tokens) or f"this form of {kind}"
    if words[0] == "ALTER" and len(kept) > 3:
        form = f"{kind} ... {_change(piece.tokens)}"
    refused = SqlError("0A000", f"{form} is not supported", position=piece.start + 1)
    hinted(refused, kind.partition(" ")[2])
    source = text[piece.start : piece.end]
    return Statement(
        Route.DUCKDB, kind, source, piece.start, tag=kind, writes=True, ddl=True, refused=refused
    )
