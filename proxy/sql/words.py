"""A cursor over one statement's tokens, for what is read without a parser.

Words, names and values are taken one by one; whatever does not fit is Postgres's syntax error at
the token where reading stopped.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import at_or_near

STRINGS = frozenset(
    {
        TokenType.STRING,
        TokenType.RAW_STRING,
        TokenType.HEREDOC_STRING,
        TokenType.BYTE_STRING,
        TokenType.NATIONAL_STRING,
        TokenType.UNICODE_STRING,
    }
)
OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_PUNCTUATION = frozenset("(),.;=+-*/<>[]{}:%^!|&~#@?$")


class Words:
    """A cursor over one statement's tokens.

    session_variables: whether `SET x = 1` of an unknown name makes one (Snowflake's dialect).
    """

    __slots__ = ("_at", "session_variables", "text", "tokens")

    def __init__(self, text: str, found: list[Token], *, session_variables: bool = False) -> None:
        self.text = text
        self.tokens = found
        self.session_variables = session_variables
        self._at = 0

    @property
    def token(self) -> Token | None:
        """The token ahead, None at the end."""
        return self.tokens[self._at] if self._at < len(self.tokens) else None

    @property
    def word(self) -> str:
        """The keyword ahead in upper case; '' for strings, quoted identifiers and the end."""
        return self.word_at(0)

    def word_at(self, ahead: int) -> str:
        index = self._at + ahead
        if index >= len(self.tokens):
            return ""
        token = self.tokens[index]
        if token.token_type in STRINGS or token.token_type == TokenType.IDENTIFIER:
            return ""
        return token.text.upper()

    def fail(self) -> SqlError:
        """The syntax error at this point."""
        return at_or_near(self.text, self.token)

    def step(self) -> Token:
        token = self.token
        if token is None:
            raise self.fail()
        self._at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Step over `words` if they come next, all of them."""
        for ahead, word in enumerate(words):
            if self.word_at(ahead) != word:
                return False
        self._at += len(words)
        return True

    def accept_any(self, *words: str) -> str:
        """Step over one of `words`; '' where none comes next."""
        word = self.word
        if word and word in words:
            self._at += 1
            return word
        return ""

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.accept(word):
                raise self.fail()

    def end(self) -> None:
        if self.token is not None:
            raise self.fail()

    def until(self, *ends: str) -> list[Token]:
        """The tokens before one of `ends` outside brackets, or before the end."""
        found: list[Token] = []
        depth = 0
        while self.token is not None and (depth or self.word not in ends):
            kind = self.token.token_type
            depth += (kind in OPENING) - (kind in CLOSING)
            if depth < 0:
                break
            found.append(self.step())
        if not found:
            raise self.fail()
        return found

    def is_string(self) -> bool:
        token = self.token
        return token is not None and token.token_type in STRINGS

    def string(self) -> str:
        if not self.is_string():
            raise self.fail()
        return self.step().text

    def name(self) -> str:
        """An identifier, folded as Postgres folds it."""
        token = self.token
        if token is None or token.token_type in STRINGS:
            raise self.fail()
        if token.token_type == TokenType.IDENTIFIER:
            self._at += 1
            return token.text
        if token.text in _PUNCTUATION or token.token_type == TokenType.NUMBER:
            raise self.fail()
        self._at += 1
        return token.text.lower()

    def dotted(self) -> tuple[str, ...]:
        """A name of several parts."""
        parts = [self.name()]
        while self.accept("."):
            parts.append(self.name())
        return tuple(parts)

    def integer(self) -> int:
        negative = bool(self.accept("-")) or (self.accept("+") and False)
        token = self.token
        if token is None or token.token_type != TokenType.NUMBER or not token.text.isdigit():
            raise self.fail()
        self._at += 1
        return -int(token.text) if negative else int(token.text)

    def rest(self, *without: str) -> tuple[str, int]:
        """The remaining text and its 0-based offset; the cursor goes to the end.

        without: words that are left out if it ends with them.
        """
        if self.token is None:
            raise self.fail()
        left = self.tokens[self._at :]
        ends = [token.text.upper() for token in left[-len(without) :]] if without else None
        if ends == [*without] and len(left) > len(without):
            left = left[: -len(without)]
        start = left[0].start
        end = left[-1].end + 1
        self._at = len(self.tokens)
        return self.text[start:end], start

    def list_in_brackets(self) -> tuple[str, ...]:
        """`(a, b(c, d), ...)` as the texts between the commas at its own level."""
        self.expect("(")
        items: list[str] = []
        if self.accept(")"):
            return ()
        first = last = self.token
        depth = 0
        while True:
            token = self.step()
            kind = token.token_type
            if depth == 0 and kind in (TokenType.COMMA, TokenType.R_PAREN):
                if first is token:
                    raise at_or_near(self.text, token)
                items.append(self.text[first.start : last.end + 1])
                if kind == TokenType.R_PAREN:
                    return tuple(items)
                first = self.token
            elif kind in (TokenType.L_PAREN, TokenType.L_BRACKET):
                depth += 1
            elif kind in (TokenType.R_PAREN, TokenType.R_BRACKET):
                depth -= 1
            last = token
