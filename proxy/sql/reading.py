"""From text to tokens to a tree, in three grammars, with Postgres's own syntax errors.

sqlglot's compiled parsers are used as they are; this module adds what a server needs of them:
tokens of the whole message with their offsets (so that statements are slices of what the client
sent), no fall-back to an opaque command, and errors that say `syntax error at or near "x"` with
the position in the message. A reader keeps one tokenizer and one parser: they are reset by each
use, so a reader belongs to one thread.

The Snowflake grammar is a little wider than Snowflake's: it also reads `E'...'` strings,
dollar-quoting with a tag and RETURNING, which Postgres clients send without thinking.
"""

from __future__ import annotations

import logging
import threading
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects import DuckDB, Postgres, Snowflake
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.generator import Generator
from sqlglot.tokens import Token, Tokenizer, TokenType

from proxy.errors import SqlError
from proxy.sql.listing import compiled, with_derived

# sqlglot warns about statements it does not know and about what a generator drops; both are
# errors of ours, raised where they are met.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

MAX_NESTING = 400
"""Brackets within brackets; deeper, the parsers would run out of stack."""


class _SnowflakeDialect(Snowflake):
    class Tokenizer(Snowflake.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()
        BYTE_STRINGS: ClassVar[list[tuple[str, str]]] = [("e'", "'"), ("E'", "'")]
        HEREDOC_STRINGS: ClassVar[list[str]] = ["$"]
        HEREDOC_TAG_IS_IDENTIFIER = True
        HEREDOC_STRING_ALTERNATIVE = TokenType.PARAMETER
        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            **Snowflake.Tokenizer.KEYWORDS,
            "RETURNING": TokenType.RETURNING,
            "SESSION_USER": TokenType.VAR,
            # Snowflake's integers are one type; Postgres's spellings keep the width they name.
            **dict.fromkeys(
                ("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT", "MEDIUMINT"),
                TokenType.BIGINT,
            ),
            "INT2": TokenType.SMALLINT,
            "INT4": TokenType.INT,
            "INT8": TokenType.BIGINT,
        }


class _PlainSnowflakeDialect(_SnowflakeDialect):
    """With standard_conforming_strings on: a backslash in '...' is a backslash."""

    class Tokenizer(_SnowflakeDialect.Tokenizer):
        STRING_ESCAPES: ClassVar[list[str]] = ["'"]


class _PostgresDialect(Postgres):
    # Subscripts stay as they are written: whether one is a whole number's type, and so shifted, the
    # reader and the writer would not always agree.
    INDEX_OFFSET = 0

    class Tokenizer(Postgres.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()


class _DuckDialect(DuckDB):
    # As the engine is set, and as `_WrittenDuckDB` writes.
    NULL_ORDERING = "nulls_are_large"

    class Tokenizer(DuckDB.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()


# sqlglot reads `$1,$` in `($1,$2)` as the opening of a string with the tag `1,`. Where that happens
# the text is tokenized without tagged dollar-quoting: parameters and tags do not occur together.
class _UntaggedSnowflake(_SnowflakeDialect):
    class Tokenizer(_SnowflakeDialect.Tokenizer):
        HEREDOC_STRINGS: ClassVar[list[str]] = []


class _UntaggedPlainSnowflake(_PlainSnowflakeDialect):
    class Tokenizer(_PlainSnowflakeDialect.Tokenizer):
        HEREDOC_STRINGS: ClassVar[list[str]] = []


class _UntaggedPostgres(_PostgresDialect):
    class Tokenizer(_PostgresDialect.Tokenizer):
        HEREDOC_STRINGS: ClassVar[list[str]] = []
        RAW_STRINGS: ClassVar[list[str]] = ["$$"]
        SINGLE_TOKENS: ClassVar[dict[str, TokenType]] = {
            **_PostgresDialect.Tokenizer.SINGLE_TOKENS,
            "$": TokenType.PARAMETER,
        }


class _UntaggedDuck(_DuckDialect):
    class Tokenizer(_DuckDialect.Tokenizer):
        HEREDOC_STRINGS: ClassVar[list[str]] = []
        RAW_STRINGS: ClassVar[list[str]] = ["$$"]
        SINGLE_TOKENS: ClassVar[dict[str, TokenType]] = {
            **_DuckDialect.Tokenizer.SINGLE_TOKENS,
            "$": TokenType.PARAMETER,
        }


class SyntaxFailure(SqlError):
    """A syntax error; `offset` (0-based) lets two grammars' complaints be compared."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__("42601", message, position=offset + 1)
        self.offset = offset


def too_complex() -> SqlError:
    """The error for a statement that is nested deeper than the parsers can follow."""
    return SqlError(
        "54001",
        "stack depth limit exceeded",
        hint=f"Brackets may be nested {MAX_NESTING} deep.",
    )


def at_or_near(text: str, token: Token | None) -> SyntaxFailure:
    """Postgres's complaint about a token of `text`, or about its end where there is none."""
    if token is None:
        return SyntaxFailure("syntax error at end of input", len(text))
    word = text[token.start : token.end + 1]
    return SyntaxFailure(f'syntax error at or near "{word}"', token.start)


_UNTERMINATED = (
    ("/*", "unterminated /* comment"),
    ('"', "unterminated quoted identifier"),
    ("$", "unterminated dollar-quoted string"),
)


class _Own(threading.local):
    """One thread's tokenizers and parser."""

    def __init__(self, dialect: SqlglotDialect, untagged: SqlglotDialect) -> None:
        self.tokenizer = dialect.tokenizer()
        self.untagged = untagged.tokenizer()
        self.parser = dialect.parser()


class Reader:
    """One grammar: its tokenizer, its parser, their errors."""

    __slots__ = ("_own", "dialect", "name")

    def __init__(self, name: str, dialect: SqlglotDialect, untagged: SqlglotDialect) -> None:
        self.name = name
        self.dialect = dialect
        self._own = _Own(dialect, untagged)

    def own_tokens(self, text: str) -> list[Token]:
        """Tokens from a tokenizer made for this call: from any thread, of any depth. Raises 42601."""
        return self._tokens(text, self.dialect.tokenizer())

    def tokenize(self, text: str) -> list[Token]:
        """Tokens of `text`, with inclusive 0-based offsets; raises 42601, or 54001 for depth."""
        found = self._tokens(text, self._own.tokenizer)
        if len(found) <= MAX_NESTING or sum(map(text.count, "([{")) <= MAX_NESTING:
            return found
        depth = 0
        for token in found:
            kind = token.token_type
            if kind in _OPENING:
                depth += 1
                if depth > MAX_NESTING:
                    raise too_complex()
            elif kind in _CLOSING:
                depth -= 1
        return found

    def _tokens(self, text: str, tokenizer: Tokenizer) -> list[Token]:
        try:
            found = tokenizer.tokenize(text)
        except TokenError:
            return self._tokens_untagged(text)
        if "$" not in text:
            return found
        for token in found:
            if (
                token.token_type == TokenType.HEREDOC_STRING
                and text[token.start + 1 : token.start + 2].isdigit()
            ):
                return self._tokens_untagged(text)
        return found

    def _tokens_untagged(self, text: str) -> list[Token]:
        tokenizer = self._own.untagged
        try:
            return tokenizer.tokenize(text)
        except TokenError as error:
            start = tokenizer._core._start
            complaint = next(
                (what for opening, what in _UNTERMINATED if text.startswith(opening, start)),
                "unterminated quoted string",
            )
            raise SyntaxFailure(f'{complaint} at or near "{text[start:]}"', start) from error

    def parse(self, text: str, found: list[Token]) -> exp.Expr:
        """The tree of one statement, whose tokens are `found` in `text`.

        Raises SyntaxFailure; `exp.Command`, the parser's way to give up, is returned for the
        caller to judge.
        """
        parser = self._own.parser
        try:
            trees = parser.parse(found, text)
        except ParseError as error:
            token = parser._curr
            raise at_or_near(text, token if token else None) from error
        except RecursionError as error:
            raise too_complex() from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # Its builders take for granted what a wrong statement does not have.
            raise at_or_near(text, parser._curr or None) from error
        tree = trees[0] if trees else None
        if tree is None or len(trees) > 1:
            raise at_or_near(text, found[0] if found else None)
        return tree


_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})

# Postgres has no lambdas: among arguments too, `doc -> 'a'` takes a member out of a document.
_PARSER = _PostgresDialect.parser_class
_PARSER.LAMBDAS = {
    token: read for token, read in _PARSER.LAMBDAS.items() if token != TokenType.ARROW
}

SNOWFLAKE = Reader("snowflake", _SnowflakeDialect(), _UntaggedSnowflake())
PLAIN_SNOWFLAKE = Reader("snowflake", _PlainSnowflakeDialect(), _UntaggedPlainSnowflake())
POSTGRES = Reader("postgres", _PostgresDialect(), _UntaggedPostgres())
DUCKDB = Reader("duckdb", _DuckDialect(), _UntaggedDuck())

READERS: dict[str, Reader] = {reader.name: reader for reader in (SNOWFLAKE, POSTGRES, DUCKDB)}


class _WrittenDuckDB(DuckDB):
    # The engine's default_null_order is Postgres's; what differs from it must be written out.
    NULL_ORDERING = "nulls_are_large"

    def can_quote(self, identifier: exp.Identifier, identify: str | bool = "safe") -> bool:
        """Names are quoted where they were. Asked of each name, and interpreted in sqlglot too."""
        return False


_generator = _WrittenDuckDB().generator(comments=False)
# A type of ours, which sqlglot would write as JSON. Its compiled generator has no heirs.
_generator.TYPE_MAPPING[exp.DType.JSONB] = "JSONB"
# Unquoted it is no name, but what SET takes for a value.
_generator.RESERVED_KEYWORDS.discard("default")
_transformed = _generator._dispatch[exp.Select]


def _select_sql(generator: Generator, select: exp.Select) -> str:
    """sqlglot's own changes of a query concern CONNECT BY and GENERATOR alone."""
    args = select.args
    source = args.get("from_")
    if args.get("connect") or (source is not None and isinstance(source.this, exp.TableFromRows)):
        return _transformed(generator, select)
    write = generator.select_sql  # a bound one, which does not count as a further call in depth
    return write(select)


# The table of methods is one for all generators of a kind: this is the table of ours.
_generator._dispatch = {**_generator._dispatch, exp.Select: _select_sql}


def _type_names(generator: Generator) -> dict[exp.DType, str]:
    """Of the types that DuckDB has."""
    named = {kind: generator.generate(exp.DataType(this=kind)) for kind in exp.DType}
    return {kind: name for kind, name in named.items() if kind not in generator.UNSUPPORTED_TYPES}


def _write_ordinary_nodes(generator: Generator) -> None:
    """What is ordinary is written by the compiled writer, all else by the generator's own methods."""
    own = generator._dispatch
    ways = {
        exp.Identifier: ("name", ""),
        exp.Column: ("column", ""),
        exp.Literal: ("literal", ""),
        exp.Paren: ("brackets", ""),
        exp.Alias: ("alias", ""),
        exp.Table: ("table", ""),
        exp.Anonymous: ("call", ""),
        exp.DataType: ("type", ""),
        exp.Cast: ("cast", ""),
        exp.Select: ("select", ""),
        exp.From: ("clause", " FROM "),
        exp.Where: ("clause", " WHERE "),
        exp.Having: ("clause", " HAVING "),
        exp.Not: ("clause", "NOT "),
        exp.EQ: ("operation", " = "),
        exp.NEQ: ("operation", " <> "),
        exp.GT: ("operation", " > "),
        exp.GTE: ("operation", " >= "),
        exp.LT: ("operation", " < "),
        exp.LTE: ("operation", " <= "),
        exp.Add: ("operation", " + "),
        exp.Sub: ("operation", " - "),
        exp.Mul: ("operation", " * "),
        exp.And: ("operation", " AND "),
        exp.Or: ("operation", " OR "),
    }
    ordinary = {kind: (way, own[kind], word, ()) for kind, (way, word) in ways.items()}
    fallback = type(generator).function_fallback_sql
    for kind in with_derived(exp.Func) - own.keys() - {exp.Func}:
        ordinary[kind] = ("function", fallback, kind.sql_name().upper(), tuple(kind.arg_types))
    compiled.writers(
        ordinary,
        own,
        _type_names(generator),
        generator.RESERVED_KEYWORDS,
        exp.DType.DECIMAL,
        *(exp.TableAlias, exp.Dot, exp.DataTypeParam, exp.TableFromRows, exp.Limit),
    )
    own.update(dict.fromkeys(ordinary, compiled.node_sql))


if compiled is not None:
    _write_ordinary_nodes(_generator)


class _OwnGenerator(threading.local):
    """One thread's: what it has written so far is its own."""

    def __init__(self) -> None:
        self.generator = _WrittenDuckDB().generator(comments=False)
        self.generator._dispatch = _generator._dispatch


_own = _OwnGenerator()
_NAMED = {
    "partitionedbyproperty": "PARTITION BY",
    "partitionedofproperty": "PARTITION OF",
    "inheritsproperty": "INHERITS",
}
"""What the generator calls properties that it cannot write, and what Postgres does."""


def write_duckdb(tree: exp.Expr) -> str:
    """The tree as DuckDB's SQL. The tree is spent: the generator may change it."""
    generator = _own.generator
    try:
        written = generator.generate(tree, copy=False)
    except RecursionError as error:
        raise too_complex() from error
    except (SqlglotError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SqlError("0A000", "this statement cannot be translated", detail=str(error)) from error
    if generator.unsupported_messages:
        # The generator would leave out what it cannot write.
        reason = "; ".join(generator.unsupported_messages)
        for part, written in _NAMED.items():
            if part in reason:
                raise SqlError("0A000", f"{written} is not supported on analytical tables")
        raise SqlError("0A000", f"this statement cannot be translated: {reason}")
    return written


def position_of(node: exp.Expr) -> int | None:
    """1-based offset of a node in the message, where the parser noted it."""
    for found in node.walk():
        start = found._meta.get("start") if found._meta else None
        if start is not None:
            return start + 1
    return None


__all__ = [
    "DUCKDB",
    "POSTGRES",
    "READERS",
    "SNOWFLAKE",
    "Reader",
    "SyntaxFailure",
    "at_or_near",
    "position_of",
    "write_duckdb",
]
