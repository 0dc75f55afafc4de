"""The PATTERN of a MATCH_RECOGNIZE: from its tokens to a tree, and to the program that matches rows.

Why it exists: sqlglot keeps a row pattern as text. Here it is read as Snowflake's reference has it:
symbols, `^` and `$`, concatenation, `|` (which binds tighter than concatenation), brackets,
`{- -}`, PERMUTE, and quantifiers, greedy or reluctant.

A pattern is a nested list, as JSON carries it to `row_matching`:
["symbol", number, excluded], ["sequence", [...]], ["either", [...]],
["repeat", pattern, least, most or None, greedy], ["start"], ["end"].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError

Pattern = list[Any]

MOST_STEPS = 2_000
"""Symbols in a pattern, each counted as often as its quantifiers demand; more are refused."""

_PERMUTED = 6  # 720 orders

_NO_SYMBOLS = frozenset({TokenType.STRING, TokenType.NUMBER, TokenType.PARAMETER})


@dataclass(slots=True)
class RowPattern:
    """A pattern as it was read.

    symbols: names in their order; a symbol is known by its number. subsets: the symbols of each
    SUBSET by its name. excludes: whether there is a `{- -}`.
    """

    tree: Pattern
    symbols: list[str] = field(default_factory=list)
    subsets: dict[str, tuple[int, ...]] = field(default_factory=dict)
    excludes: bool = False

    def numbers(self, name: str) -> tuple[int, ...]:
        """The symbols that a name stands for; () for a name that is none."""
        if name in self.symbols:
            return (self.symbols.index(name),)
        return self.subsets.get(name, ())

    def may_be_empty(self) -> bool:
        """Whether the pattern matches no rows at all."""
        return _may_be_empty(self.tree)


def symbol_name(token: Token) -> str:
    """A symbol as CLASSIFIER shows it: in upper case unless quoted."""
    return token.text if token.token_type == TokenType.IDENTIFIER else token.text.upper()


def read_pattern(tokens: list[Token]) -> RowPattern:
    """The pattern that `tokens`, those between PATTERN's brackets, spell.

    Behind the pattern's own closing bracket `SUBSET name = (symbol, ...), ...` may follow. Raises
    SqlError 42601 for what is no pattern, 54001 for one of too many steps.
    """
    reader = _Reader(tokens)
    found = reader.pattern
    found.tree = reader.sequence()
    if reader.kind is TokenType.R_PAREN and reader.word_at(1) == "SUBSET":
        reader.step(2)
        reader.subsets()
    if reader.at < len(tokens):
        raise reader.fail()
    if _steps(found.tree) > MOST_STEPS:
        raise SqlError("54001", f"a PATTERN of more than {MOST_STEPS} steps")
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.excluded = False
        self.pattern = RowPattern([])

    @property
    def kind(self) -> TokenType | None:
        return self.tokens[self.at].token_type if self.at < len(self.tokens) else None

    def kind_at(self, ahead: int) -> TokenType | None:
        at = self.at + ahead
        return self.tokens[at].token_type if at < len(self.tokens) else None

    def word_at(self, ahead: int) -> str:
        at = self.at + ahead
        return self.tokens[at].text.upper() if at < len(self.tokens) else ""

    def step(self, count: int = 1) -> None:
        self.at += count

    def fail(self) -> SqlError:
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            near = f'syntax error at or near "{token.text}" in a PATTERN'
            return SqlError("42601", near, position=token.start + 1)
        return SqlError("42601", "syntax error at the end of a PATTERN")

    def expect(self, kind: TokenType) -> None:
        if self.kind is not kind:
            raise self.fail()
        self.step()

    def sequence(self) -> Pattern:
        parts: list[Pattern] = []
        while self.kind not in _CLOSING and not self.closes_exclusion():
            parts.append(self.either())
        if not parts:
            raise self.fail()
        return parts[0] if len(parts) == 1 else ["sequence", parts]

    def closes_exclusion(self) -> bool:
        return self.kind is TokenType.DASH and self.kind_at(1) is TokenType.R_BRACE

    def either(self) -> Pattern:
        parts = [self.repeated()]
        while self.kind is TokenType.PIPE:
            self.step()
            parts.append(self.repeated())
        return parts[0] if len(parts) == 1 else ["either", parts]

    def repeated(self) -> Pattern:
        made = self.primary()
        bounds = self.bounds()
        if bounds is None:
            return made
        least, most, greedy = bounds
        if self.kind is TokenType.PLACEHOLDER:
            greedy = False
            self.step()
        return ["repeat", made, least, most, greedy]

    def bounds(self) -> tuple[int, int | None, bool] | None:
        kind = self.kind
        if kind in _QUANTIFIERS:
            self.step()
            return _QUANTIFIERS[kind]
        if kind is not TokenType.L_BRACE or self.kind_at(1) is TokenType.DASH:
            return None
        self.step()
        least = self.count()
        if self.kind is TokenType.COMMA:
            self.step()
            most = self.count()
        elif least is None:
            raise self.fail()
        else:
            most = least
        if most is not None and most < (least or 0):
            raise self.fail()
        self.expect(TokenType.R_BRACE)
        return least or 0, most, True

    def count(self) -> int | None:
        if self.kind is not TokenType.NUMBER:
            return None
        spelled = self.tokens[self.at].text
        if not spelled.isdecimal():
            raise self.fail()
        self.step()
        return int(spelled)

    def primary(self) -> Pattern:
        kind = self.kind
        if kind is TokenType.CARET or kind is TokenType.PARAMETER:
            self.step()
            return ["start"] if kind is TokenType.CARET else ["end"]
        if kind is TokenType.L_PAREN:
            self.step()
            inner = self.sequence()
            self.expect(TokenType.R_PAREN)
            return inner
        if kind is TokenType.L_BRACE and self.kind_at(1) is TokenType.DASH:
            return self.exclusion()
        if self.word_at(0) == "PERMUTE" and self.kind_at(1) is TokenType.L_PAREN:
            return self.permuted()
        return ["symbol", self.symbol(), self.excluded]

    def exclusion(self) -> Pattern:
        self.step(2)
        outer, self.excluded = self.excluded, True
        self.pattern.excludes = True
        inner = self.sequence()
        self.excluded = outer
        self.expect(TokenType.DASH)
        self.expect(TokenType.R_BRACE)
        return inner

    def permuted(self) -> Pattern:
        opening = self.tokens[self.at]
        self.step(2)
        parts = [self.sequence()]
        while self.kind is TokenType.COMMA:
            self.step()
            parts.append(self.sequence())
        self.expect(TokenType.R_PAREN)
        if len(parts) > _PERMUTED:
            what = f"PERMUTE of more than {_PERMUTED} patterns is not supported"
            raise SqlError("0A000", what, position=opening.start + 1)
        return ["either", [["sequence", list(order)] for order in permutations(parts)]]

    def symbol(self) -> int:
        if self.kind is None or self.kind in _NO_SYMBOLS or not self.named():
            raise self.fail()
        name = symbol_name(self.tokens[self.at])
        self.step()
        symbols = self.pattern.symbols
        if name not in symbols:
            symbols.append(name)
        return symbols.index(name)

    def named(self) -> bool:
        token = self.tokens[self.at]
        return token.token_type == TokenType.IDENTIFIER or token.text.replace("_", "a").isalnum()

    def subsets(self) -> None:
        while True:
            if self.kind is None or not self.named():
                raise self.fail()
            name = symbol_name(self.tokens[self.at])
            self.step()
            self.expect(TokenType.EQ)
            self.expect(TokenType.L_PAREN)
            members = [self.member()]
            while self.kind is TokenType.COMMA:
                self.step()
                members.append(self.member())
            self.expect(TokenType.R_PAREN)
            self.pattern.subsets[name] = tuple(members)
            if self.kind is not TokenType.COMMA:
                break
            self.step()

    def member(self) -> int:
        known, place = len(self.pattern.symbols), self.at
        found = self.symbol()
        if found >= known:
            self.at = place
            raise self.fail()
        return found


_CLOSING = (None, TokenType.R_PAREN, TokenType.COMMA)
_QUANTIFIERS: dict[TokenType | None, tuple[int, int | None, bool]] = {
    TokenType.STAR: (0, None, True),
    TokenType.PLUS: (1, None, True),
    TokenType.PLACEHOLDER: (0, 1, True),
    TokenType.DQMARK: (0, 1, False),
}


def _steps(tree: Pattern) -> int:
    match tree:
        case ["symbol", *_]:
            return 1
        case ["sequence" | "either", parts]:
            return sum(map(_steps, parts)) + 1
        case ["repeat", inner, least, most, _]:
            return (_steps(inner) + 1) * max(1, least, most or 0)
    return 1


def _may_be_empty(tree: Pattern) -> bool:
    match tree:
        case ["symbol", *_]:
            return False
        case ["sequence", parts]:
            return all(map(_may_be_empty, parts))
        case ["either", parts]:
            return any(map(_may_be_empty, parts))
        case ["repeat", inner, least, _, _]:
            return least == 0 or _may_be_empty(inner)
    return True
