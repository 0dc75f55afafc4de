"""Snowflake's spellings that sqlglot's grammar cannot read, said in tokens that it can.

Why it exists: a compiled parser cannot be subclassed, and text is not to be edited. So where a
definition has words that sqlglot does not know, its tokens are put otherwise before they are parsed.
All made tokens stand at the place of one of the text, so that errors still point into it.

What has no meaning here is left out by decision (tags, MANAGED ACCESS, HYBRID); what would be a lie
if it were left out is refused (COLLATE, policies).
"""

from __future__ import annotations

from itertools import pairwise

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake.alter_spelling import one_by_one
from proxy.sql.snowflake.flow import chained
from proxy.sql.snowflake.key_spelling import without_properties
from proxy.sql.snowflake.row_pattern_spelling import respelled_patterns
from proxy.sql.snowflake.spreading import spread
from proxy.sql.statement import Variable


def respelled(tokens: list[Token], said: str, variables: tuple[Variable, ...] = ()) -> list[Token]:
    """The tokens of one statement, as sqlglot reads them; the same list where nothing is to do.

    said: the statement's text in upper case. variables: the session's.

    Raises SqlError 0A000 for what Snowflake has and this server does not.
    """
    if not tokens:
        return tokens
    if "->>" in said:
        tokens = chained(tokens)
    if ".." in said or ". ." in said:
        tokens = _in_public(tokens)
    kind = tokens[0].token_type
    if "MATCH_RECOGNIZE" in said and kind in _HOLDS_QUERIES and not _defines_routine(tokens):
        tokens = respelled_patterns(tokens)
    if "RESAMPLE" in said and kind in _HOLDS_QUERIES and not _defines_routine(tokens):
        _resampled(tokens)
    if "**" in said and not _defines_routine(tokens):
        tokens = spread(tokens)
    if "'::" in said:
        tokens = _literals_first(tokens)
    if kind in _QUERIES and "VALUES" in said:
        tokens = _values_in_brackets(tokens)
    if kind in _QUERIES:
        if "INFORMATION_SCHEMA" in said:
            _table_functions(tokens)
        if "SEMANTIC_VIEW" in said:
            _semantic_views(tokens)
        return _stars(tokens) if "ILIKE" in said else tokens
    if "IDENTIFIER" in said and kind not in _NAMED_IN_TREES:
        tokens = _named(tokens, variables)
    start = _STARTS.get(kind)
    if start is None:
        return tokens
    if "TABLE" in said:
        tokens = without_properties(tokens, said)
    return start(tokens)


def _in_public(tokens: list[Token]) -> list[Token]:
    """`db..t` is `db.public.t`."""
    made = tokens[:1]
    for one, token in pairwise(tokens):
        if one.token_type == token.token_type == TokenType.DOT:
            made.append(_at(token, TokenType.VAR, "public"))
        made.append(token)
    return made


_MOMENTS = frozenset(
    {
        *(TokenType.DATE, TokenType.TIME, TokenType.TIMESTAMP, TokenType.TIMESTAMPNTZ),
        *(TokenType.TIMESTAMPLTZ, TokenType.TIMESTAMPTZ),
    }
)


def _literals_first(tokens: list[Token]) -> list[Token]:
    """`DATE '2020-01-01'::VARCHAR` with brackets around the literal: sqlglot casts its text first."""
    texts = [
        at
        for at, token in enumerate(tokens)
        if token.token_type is _DCOLON
        and at > 1
        and tokens[at - 1].token_type is TokenType.STRING
        and tokens[at - 2].token_type in _MOMENTS
    ]
    if not texts:
        return tokens
    made = list(tokens)
    for at in reversed(texts):
        made.insert(at, _at(tokens[at - 1], TokenType.R_PAREN, ")"))
        made.insert(at - 2, _at(tokens[at - 2], TokenType.L_PAREN, "("))
    return made


_DCOLON = TokenType.DCOLON


def _defines_routine(tokens: list[Token]) -> bool:
    """Whether this is CREATE FUNCTION or PROCEDURE, whose body is planned by itself."""
    return any(_word(tokens, at) in ("FUNCTION", "PROCEDURE") for at in range(1, 6))


_NAMED_IN_TREES = frozenset(
    {
        *(TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.INSERT),
        *(TokenType.UPDATE, TokenType.DELETE, TokenType.MERGE, TokenType.L_PAREN),
    }
)
"""What begins a statement whose IDENTIFIER(...) is in the tree (`context`)."""
_HOLDS_QUERIES = _NAMED_IN_TREES | {TokenType.CREATE}

_ALWAYS_IN_TOKENS = frozenset({"USE", "DESCRIBE", "DESC", "CALL", "SHOW", "GRANT", "REVOKE"})


def _named(tokens: list[Token], variables: tuple[Variable, ...]) -> list[Token]:
    """The tokens with the name that IDENTIFIER('a.b') or IDENTIFIER($x) spells in place of it."""
    for at in range(1, len(tokens) - 3):
        if _word(tokens, at) != "IDENTIFIER" or tokens[at + 1].token_type != TokenType.L_PAREN:
            continue
        close = close_of(tokens, at + 1)
        spelled = None
        if tokens[at + 2].token_type == TokenType.STRING and close == at + 3:
            spelled = tokens[at + 2].text
        elif close == at + 4 and _word(tokens, 0) in _ALWAYS_IN_TOKENS:
            name = tokens[at + 3].text.lower()  # behind the $
            spelled = next((one[2] for one in variables if one[0] == name), None)
            if spelled is None:
                message = f"session variable '${name.upper()}' does not exist"
                raise SqlError("42704", message, position=tokens[at + 2].start + 1)
        if spelled is not None:
            parts = [
                _at(tokens[at], one.token_type, one.text) for one in SNOWFLAKE.tokenize(spelled)
            ]
            return _named([*tokens[:at], *parts, *tokens[close + 1 :]], variables)
    return tokens


def is_named_by_variable(tokens: list[Token]) -> bool:
    """Whether `IDENTIFIER($x)` stands in a statement that is read without a tree of it."""
    if _word(tokens, 0) not in _ALWAYS_IN_TOKENS:
        return False
    return any(
        _word(tokens, at) == "IDENTIFIER" and tokens[at + 2].token_type == TokenType.PARAMETER
        for at in range(1, len(tokens) - 3)
    )


def written(tokens: list[Token]) -> str:
    """A statement in the words of its tokens."""
    return " ".join(map(_spelled, tokens))


def _spelled(token: Token) -> str:
    if token.token_type == TokenType.IDENTIFIER:
        return quoted(token.text)
    return literal(token.text) if token.token_type == TokenType.STRING else token.text


def _word(tokens: list[Token], at: int) -> str:
    token = tokens[at] if 0 <= at < len(tokens) else None
    if token is None or token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
        return ""
    return token.text.upper()


def _at(place: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, place.line, place.col, place.start, place.end)


def _refused(what: str, place: Token, hint: str) -> SqlError:
    return SqlError("0A000", f"{what} is not supported", hint=hint, position=place.start + 1)


def close_of(tokens: list[Token], opening: int) -> int:
    """The index of the bracket that closes the one at `opening`; the end where none does."""
    depth = 0
    for at in range(opening, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            return at
    return len(tokens) - 1


_MODIFIERS = frozenset(
    {"OR", "REPLACE", "SECURE", "TEMP", "TEMPORARY", "TRANSIENT", "LOCAL", "GLOBAL"}
)


def _create(tokens: list[Token]) -> list[Token]:
    if _word(tokens, 1) == "OR" and _word(tokens, 2) == "ALTER":
        if _kind_altered(tokens) == "TABLE":
            return tokens  # taken apart as it is written
        tokens = _replacing(tokens)
    tokens = _without_linear(_temporary(tokens))
    at = 1
    while _word(tokens, at) in _MODIFIERS or _word(tokens, at) == "RECURSIVE":
        at += 1
    word = _word(tokens, at)
    if word == "VIEW" and any(_word(tokens, i) == "RECURSIVE" for i in range(1, at)):
        return _recursive_view(
            [t for i, t in enumerate(tokens) if _word(tokens, i) != "RECURSIVE" or i > at]
        )
    if word == "HYBRID" and _word(tokens, at + 1) == "TABLE":
        tokens = _without_indexes(tokens[:at] + tokens[at + 1 :])
        word = "TABLE"
    if word == "SCHEMA" and len(tokens) > at + 1:
        return _schema(tokens, at)
    if word == "DYNAMIC" and _word(tokens, at + 1) == "TABLE":
        return _dynamic_table(tokens, at)
    if word == "TABLE":
        tokens = _without_virtual(tokens)
    if word in ("TABLE", "VIEW", "MATERIALIZED"):
        return _without_tags(tokens)
    return tokens


def _without_virtual(tokens: list[Token]) -> list[Token]:
    """`a INT GENERATED ALWAYS AS (b + 1) VIRTUAL` is `a INT AS (b + 1)`."""
    words = [_word(tokens, at) for at in range(len(tokens))]
    left_out: set[int] = set()
    for at, word in enumerate(words[:-1]):
        if word == "GENERATED" and words[at + 1 : at + 4] == ["ALWAYS", "AS", "("]:
            left_out |= {at, at + 1}
        elif word == "VIRTUAL" and words[at - 1] == ")":
            left_out.add(at)
    return [token for at, token in enumerate(tokens) if at not in left_out]


def _replacing(tokens: list[Token]) -> list[Token]:
    """CREATE OR ALTER VIEW as CREATE OR REPLACE; raises 0A000 for what would lose what it holds."""
    if _word(tokens, 3) in ("VIEW", "SECURE"):
        made = _at(tokens[2], TokenType.REPLACE, "REPLACE")
        return [*tokens[:2], made, *tokens[3:]]
    kind = _kind_altered(tokens)
    hint = f"CREATE {kind} IF NOT EXISTS, then ALTER {kind}."
    raise _refused(f"CREATE OR ALTER {kind}", tokens[0], hint)


def _kind_altered(tokens: list[Token]) -> str:
    """What CREATE OR ALTER is of."""
    kinds = (_word(tokens, at) for at in range(3, len(tokens)))
    return next((word for word in kinds if word not in _MODIFIERS), "")


def _without_linear(tokens: list[Token]) -> list[Token]:
    """`CLUSTER BY LINEAR(a)` is `CLUSTER BY (a)`."""
    return [
        token
        for at, token in enumerate(tokens)
        if not (_word(tokens, at) == "LINEAR" and tokens[at - 1].token_type == TokenType.CLUSTER_BY)
    ]


def _without_indexes(tokens: list[Token]) -> list[Token]:
    """A hybrid table's definition without `INDEX name (columns)`, which changes no answer."""
    kept: list[Token] = []
    index = depth = 0
    while index < len(tokens):
        kind = tokens[index].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 1 and kind == TokenType.COMMA and _word(tokens, index + 1) == "INDEX":
            index = close_of(tokens, index + 3) + 1
            if _word(tokens, index) == "INCLUDE":
                index = close_of(tokens, index + 1) + 1
        else:
            kept.append(tokens[index])
            index += 1
    return kept


def _table_functions(tokens: list[Token]) -> None:
    """Raises 0A000 for TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) and its kin.

    Not for Postgres's own functions there, `_pg_expandarray` and the like: JDBC asks them for keys.
    """
    for at in range(1, len(tokens) - 3):
        if (
            _word(tokens, at) == "INFORMATION_SCHEMA"
            and tokens[at + 1].token_type == TokenType.DOT
            and tokens[at + 3].token_type == TokenType.L_PAREN
            and not tokens[at + 2].text.startswith("_")
        ):
            name = f"INFORMATION_SCHEMA.{tokens[at + 2].text.upper()}"
            raise _refused(f"table function {name}", tokens[at], "No history is kept.")


def _resampled(tokens: list[Token]) -> None:
    """Raises 0A000 for `FROM t RESAMPLE (USING c INCREMENT BY ...)`."""
    for at in range(1, len(tokens) - 2):
        opened = tokens[at + 1].token_type == TokenType.L_PAREN
        if opened and _word(tokens, at) == "RESAMPLE" and _word(tokens, at + 2) == "USING":
            hint = "Join a GENERATOR of the times with the table, and fill the gaps."
            raise _refused("RESAMPLE", tokens[at], hint)


def _semantic_views(tokens: list[Token]) -> None:
    """Raises 0A000 for SEMANTIC_VIEW(v METRICS ...)."""
    for at in range(len(tokens) - 1):
        opened = tokens[at + 1].token_type == TokenType.L_PAREN
        if opened and _word(tokens, at) == "SEMANTIC_VIEW":
            raise _refused("SEMANTIC_VIEW", tokens[at], "Query the tables, or a view of them.")


def _dynamic_table(tokens: list[Token], at: int) -> list[Token]:
    """A materialized view: what is computed when it is read lags behind nothing."""
    head = [t for i, t in enumerate(tokens[:at]) if _word(tokens, i) != "TRANSIENT"]
    made = [
        _at(tokens[at], TokenType.VAR, "MATERIALIZED"),
        _at(tokens[at + 1], TokenType.VIEW, "VIEW"),
    ]
    name, as_ = _name_and_query(tokens, at + 1)
    if as_ < 0:
        return tokens
    end = name + 1
    if tokens[end].token_type == TokenType.L_PAREN:
        end = close_of(tokens, end) + 1
    return [*head, *made, *tokens[at + 2 : end], *tokens[as_:]]


def _name_and_query(tokens: list[Token], kind: int) -> tuple[int, int]:
    """Where a name ends and where AS stands in CREATE ... VIEW, -1 without; `kind`: where VIEW is."""
    name = kind + 1
    if _word(tokens, name) == "IF":
        name += 3
    while name + 2 < len(tokens) and tokens[name + 1].token_type == TokenType.DOT:
        name += 2
    depth = 0
    for at in range(name, len(tokens) - 1):
        depth += (tokens[at].token_type == TokenType.L_PAREN) - (
            tokens[at].token_type == TokenType.R_PAREN
        )
        if depth == 0 and tokens[at].token_type == TokenType.ALIAS:
            return name, at
    return name, -1


def _temporary(tokens: list[Token]) -> list[Token]:
    """CREATE LOCAL TEMP, GLOBAL TEMPORARY and VOLATILE are TEMPORARY in Snowflake."""
    at = 3 if _word(tokens, 1) == "OR" else 1
    words = [_word(tokens, at), _word(tokens, at + 1)]
    if words[0] in ("LOCAL", "GLOBAL") and words[1] in ("TEMP", "TEMPORARY"):
        return tokens[:at] + tokens[at + 1 :]
    if words[0] == "VOLATILE":
        made = _at(tokens[at], TokenType.TEMPORARY, "TEMPORARY")
        return [*tokens[:at], made, *tokens[at + 1 :]]
    return tokens


def _recursive_view(tokens: list[Token]) -> list[Token]:
    """`CREATE VIEW v (a) AS q`, q reading v, is `CREATE VIEW v (a) AS WITH RECURSIVE v (a) AS (q) ...`."""
    view = next(i for i in range(len(tokens)) if _word(tokens, i) == "VIEW")
    name, as_ = _name_and_query(tokens, view)
    if as_ < 0:
        return tokens
    columns: list[Token] = []
    if tokens[name + 1].token_type == TokenType.L_PAREN:
        columns = tokens[name + 1 : close_of(tokens, name + 1) + 1]
    first, last = tokens[as_ + 1], tokens[-1]
    opened = [
        _at(first, TokenType.WITH, "WITH"),
        _at(first, TokenType.RECURSIVE, "RECURSIVE"),
        tokens[name],
        *columns,
        _at(first, TokenType.ALIAS, "AS"),
        _at(first, TokenType.L_PAREN, "("),
    ]
    closed = [
        _at(last, TokenType.R_PAREN, ")"),
        _at(last, TokenType.SELECT, "SELECT"),
        _at(last, TokenType.STAR, "*"),
        _at(last, TokenType.FROM, "FROM"),
        _at(last, tokens[name].token_type, tokens[name].text),
    ]
    return [*tokens[: as_ + 1], *opened, *tokens[as_ + 1 :], *closed]


_SCHEMA_WORDS = frozenset(
    {"DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "DEFAULT_DDL_COLLATION"}
    | {"LOG_LEVEL", "TRACE_LEVEL", "REPLACE_INVALID_CHARACTERS"}
)


def _schema(tokens: list[Token], at: int) -> list[Token]:
    """CREATE [TRANSIENT] SCHEMA: its properties have no meaning here, but a comment, which the mirror keeps."""
    head = [t for i, t in enumerate(tokens[:at]) if _word(tokens, i) != "TRANSIENT"]
    kept: list[Token] = []
    rest = tokens[at:]
    index = 0
    while index < len(rest):
        word = _word(rest, index)
        if word == "WITH" and _word(rest, index + 1) == "MANAGED":
            index += 3
        elif (word == "WITH" and _word(rest, index + 1) == "TAG") or word == "TAG":
            index += 1 + (word == "WITH")
            index = close_of(rest, index) + 1
        elif word in _SCHEMA_WORDS and index > 1 and rest[index + 1].token_type == TokenType.EQ:
            index += 3
        else:
            kept.append(rest[index])
            index += 1
    return head + kept


def _without_tags(tokens: list[Token]) -> list[Token]:
    """A table's or view's definition without `[WITH] TAG (...)`.

    Raises 0A000 for COLLATE and for policies, which would change what queries give.
    """
    words = {token.text.upper() for token in tokens}
    if words.isdisjoint(("TAG", "COLLATE", "POLICY", "POLICIES")):
        return tokens
    kept: list[Token] = []
    index = depth = 0
    while index < len(tokens):
        word = _word(tokens, index)
        kind = tokens[index].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0 and kind == TokenType.ALIAS:
            return kept + tokens[index:]  # a query, which has COLLATE of its own
        after = tokens[index + 1].token_type if index + 1 < len(tokens) else None
        if word == "COLLATE" and after == TokenType.STRING:
            if tokens[index + 1].text.lower() not in ("", "utf8"):
                hint = "Compare with UPPER or ILIKE where case is not to matter."
                raise _refused("COLLATE", tokens[index], hint)
            index += 2
        elif word in ("POLICY", "POLICIES") and (policy := _policy(tokens, index)):
            hint = "Show a view in place of the table."
            raise _refused(policy, tokens[index - 1], hint)
        elif word == "TAG" and after == TokenType.L_PAREN:
            if kept and kept[-1].text.upper() == "WITH":
                kept.pop()
            index = close_of(tokens, index + 1) + 1
        else:
            kept.append(tokens[index])
            index += 1
    return kept


_POLICIES = frozenset({"MASKING", "PROJECTION", "AGGREGATION", "JOIN", "PRIVACY", "LIFECYCLE"})


def _policy(tokens: list[Token], at: int) -> str:
    """What kind of policy is named before the word POLICY, '' for none."""
    before = _word(tokens, at - 1)
    if before == "ACCESS" and _word(tokens, at - 2) == "ROW":
        return "ROW ACCESS POLICY"
    return f"{before} POLICY" if before in _POLICIES else ""


def _drop(tokens: list[Token]) -> list[Token]:
    """DROP DYNAMIC TABLE drops the view that it is, DROP HYBRID TABLE the table."""
    if _word(tokens, 1) == "HYBRID" and _word(tokens, 2) == "TABLE":
        return [tokens[0], *tokens[2:]]
    if _word(tokens, 1) == "DYNAMIC" and _word(tokens, 2) == "TABLE":
        return [tokens[0], _at(tokens[2], TokenType.VIEW, "VIEW"), *tokens[3:]]
    return tokens


def _values_in_brackets(tokens: list[Token]) -> list[Token]:
    """`FROM VALUES (1), (2), LATERAL ...` as `FROM (VALUES (1), (2)), LATERAL ...`: sqlglot would take
    what follows the comma for a row."""
    for at in range(1, len(tokens) - 2):
        if (
            tokens[at].token_type != TokenType.VALUES
            or tokens[at + 1].token_type != TokenType.L_PAREN
            or tokens[at - 1].token_type not in (TokenType.FROM, TokenType.COMMA)
        ):
            continue
        end = close_of(tokens, at + 1)
        while _is_row(tokens, end + 2) and tokens[end + 1].token_type == TokenType.COMMA:
            end = close_of(tokens, end + 2)
        if end + 1 < len(tokens) and tokens[end + 1].token_type == TokenType.COMMA:
            opened = _at(tokens[at], TokenType.L_PAREN, "(")
            closed = _at(tokens[end], TokenType.R_PAREN, ")")
            return _values_in_brackets(
                [*tokens[:at], opened, *tokens[at : end + 1], closed, *tokens[end + 1 :]]
            )
    return tokens


def _is_row(tokens: list[Token], at: int) -> bool:
    """Whether a row of VALUES begins here, not a subquery."""
    if at + 1 >= len(tokens) or tokens[at].token_type != TokenType.L_PAREN:
        return False
    return tokens[at + 1].token_type not in _QUERIES


_STAR_WORDS = frozenset({"EXCLUDE", "REPLACE", "RENAME"})


def _stars(tokens: list[Token]) -> list[Token]:
    """`* ILIKE 'p' RENAME ...` as `* RENAME ... ILIKE 'p'`, which sqlglot reads."""
    for at in range(len(tokens) - 3):
        if (
            tokens[at].token_type == TokenType.STAR
            and _word(tokens, at + 1) == "ILIKE"
            and tokens[at + 2].token_type == TokenType.STRING
            and _word(tokens, at + 3) in _STAR_WORDS
        ):
            end = at + 3
            while _word(tokens, end) in _STAR_WORDS:
                end += 1
                if end < len(tokens) and tokens[end].token_type == TokenType.L_PAREN:
                    end = close_of(tokens, end) + 1
                else:  # RENAME a AS b, EXCLUDE a
                    end += 3 if _word(tokens, end + 1) == "AS" else 1
            moved = [*tokens[: at + 1], *tokens[at + 3 : end], *tokens[at + 1 : at + 3]]
            return _stars([*moved, *tokens[end:]])
    return tokens


def _alter(tokens: list[Token]) -> list[Token]:
    """Policies of a column are refused by `one_by_one`, those of a table and of a new column here."""
    tokens = one_by_one(_without_linear(tokens))
    return _without_tags(tokens) if _word(tokens, 1) in ("TABLE", "VIEW") else tokens


def _comment(tokens: list[Token]) -> list[Token]:
    """COMMENT ON DYNAMIC TABLE and MATERIALIZED VIEW are about the view that they are."""
    at = 3 if _word(tokens, 1) == "IF" else 1
    if _word(tokens, at) != "ON" or _word(tokens, at + 2) not in ("TABLE", "VIEW"):
        return tokens
    kind = _word(tokens, at + 1)
    if kind == "HYBRID":
        return [*tokens[: at + 1], *tokens[at + 2 :]]
    if kind in ("DYNAMIC", "MATERIALIZED"):
        view = _at(tokens[at + 2], TokenType.VIEW, "VIEW")
        return [*tokens[: at + 1], view, *tokens[at + 3 :]]
    return tokens


_STARTS = {
    TokenType.COMMENT: _comment,
    TokenType.ALTER: _alter,
    TokenType.CREATE: _create,
    TokenType.DROP: _drop,
}
_QUERIES = frozenset({TokenType.SELECT, TokenType.WITH})
