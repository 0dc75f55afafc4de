"""What a text of DuckDB's says of an enumerated type, after that was altered: in views, defaults and checks.

Why it exists: DuckDB has no such type but as the values that were written out, or as a name that is looked
up anew. In Postgres a view, a default or a check knows the type and its values by their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from proxy.sql.definitions.view_reads import edited, in_types
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB
from proxy.wire.enumerations import labels_of, name_of


def written(values: Sequence[str]) -> str:
    """A type, by its values."""
    return f"ENUM({', '.join(map(literal, values))})"


def with_names(sql: str) -> str:
    """A text in which types that are written out, and have a name, are named."""
    if _WRITTEN_OUT not in sql:
        return sql
    tokens = DUCKDB.own_tokens(sql)
    found: dict[int, tuple[int, str]] = {}
    for at, token in enumerate(tokens):
        if token.text.upper() != "ENUM":
            continue
        ends = (n for n in range(at, len(tokens)) if tokens[n].token_type == TokenType.R_PAREN)
        end = next(ends, at)
        if name := name_of([tokens[end - 1].text]):
            found[token.start] = (tokens[end].end + 1, quoted(name))
    return edited(sql, found)


def only_type(sql: str, message: str) -> str | None:
    """The name of the one type that a statement of DuckDB's casts to and that may be what an error is about.

    None where there are none, or several.
    """
    try:
        tree = DUCKDB.dialect.parse(sql)[0]
    except (SqlglotError, RecursionError):
        return None
    names = set()
    for kind in tree.find_all(exp.DataType) if tree is not None else ():
        if kind.this == exp.DType.USERDEFINED:
            names.add(str(kind.args.get("kind") or "").strip('"'))
        elif kind.this == exp.DType.ENUM:
            values = [one.name for one in kind.expressions]
            if not any(message.endswith(f' "{label}"') for label in labels_of(values)):
                names.add(name_of(values))
    return names.pop() if len(names) == 1 else None


_WRITTEN_OUT = '"ENUM"('  # as in DuckDB's texts of views


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A type. values: with the one that tells it from others. is_it: whether a name in a text means it."""

    values: tuple[str, ...]
    is_it: Callable[[tuple[str, ...]], bool]

    def is_in(self, sql: str) -> bool:
        """Whether a text casts to it."""
        return next(self.places(DUCKDB.own_tokens(sql)), None) is not None

    def places(self, tokens: Sequence[Token]) -> Iterator[tuple[int, int, bool]]:
        """Where it begins and ends, and whether it is named there and not written out."""
        for at in range(len(tokens)):
            if end := self._written_out(tokens, at):
                yield at, end, False
        for at in in_types(tokens):
            end = at
            while tokens[end + 1].token_type == TokenType.DOT:
                end += 2
            if self.is_it(tuple(token.text for token in tokens[at : end + 1 : 2])):
                yield at, end, True

    def _written_out(self, tokens: Sequence[Token], at: int) -> int:
        """Where it ends, if it begins here with ENUM; 0 if it does not."""
        if tokens[at].text.upper() != "ENUM":
            return 0
        end = at + 2 * len(self.values) + 1
        values = tuple(token.text for token in tokens[at + 2 : end : 2])
        closed = len(tokens) > end and tokens[end].token_type == TokenType.R_PAREN
        return end if closed and values == self.values else 0


@dataclass(frozen=True, slots=True)
class Altered:
    """old: the type as it was. values: it has now. path: its schema and name; moved: that is another schema.

    renamed: one of its values, and what that is now.
    """

    old: Enumeration
    values: tuple[str, ...]
    path: tuple[str, str]
    moved: bool = False
    renamed: tuple[str, str] | None = None

    def followed(self, sql: str) -> str:
        """The text, as it means the same."""
        return self._read(sql)[0]

    def is_named_in(self, sql: str) -> bool:
        """Whether the renamed value stands in the text where nothing says of which type it is."""
        return self._read(sql)[1]

    def _read(self, sql: str) -> tuple[str, bool]:
        tokens = DUCKDB.own_tokens(sql)
        found: dict[int, tuple[int, str]] = {}
        settled: set[int] = set()
        old, new = self.renamed or ("", "")
        for at, end, named in self.old.places(tokens):
            path = self.path if self.moved else self.path[-1:]
            start = end if named and not self.moved else at
            text = quoted(*path) if named else written(self.values)
            found[tokens[start].start] = (tokens[end].end + 1, text)
            settled.update(range(at, end))
            before = tokens[max(at - 3, 0) : at]
            if [one.token_type for one in before] == _CAST_OF_TEXT:
                settled.add(at - 2)
                if self.renamed is not None and before[1].text == old:
                    found[before[1].start] = (before[1].end + 1, literal(new))
        left = self.renamed is not None and any(
            token.token_type == TokenType.STRING and token.text == old and at not in settled
            for at, token in enumerate(tokens)
        )
        return edited(sql, found), left


_CAST_OF_TEXT = [TokenType.L_PAREN, TokenType.STRING, TokenType.ALIAS]
