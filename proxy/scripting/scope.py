"""The names of a script, and their places in its statements and expressions.

Why it exists: a script's variables are DuckDB variables of the session, so that their values keep
their types and never leave the engine. In a statement `:name` is a variable, in an expression `name`
is one too; both become `script_variable('...')`, token by token, before the text is planned.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.quoting import literal
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.scripting.script import Fragment, Procedure

_STRINGS = frozenset({TokenType.STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING})
_AFTER_VALUE = frozenset(
    {
        *(TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET),
        *(TokenType.STRING, TokenType.R_BRACE),
    }
)


PARAMETER = "hd_parameter_"
"""What the variables are called, with their numbers, that hold the parameters of a CALL."""


@dataclass(slots=True)
class Name:
    """What a name of a script stands for.

    kind: 'value', 'row', 'cursor', 'resultset', 'exception', 'procedure', or 'unknown' for what must
    not be read. seen: the names that a procedure may use, by block; home: of the block it is in.
    variable: DuckDB's name of the value
    or of the row, a STRUCT. type: as declared, '' where inferred; engine_type: DuckDB's, of the
    value. table: the rows of an open cursor or of a RESULTSET, None without any; columns: theirs,
    and a row's, as (name, DuckDB's type). text: a value's, where it is a VARCHAR.
    """

    kind: str
    variable: str = ""
    type: str = ""
    engine_type: str = ""
    query: Fragment | None = None
    table: str | None = None
    columns: list[tuple[str, str]] = field(default_factory=list)
    at: int = 0
    number: int = 0
    message: str = ""
    text: str | None = None
    procedure: Procedure | None = None
    seen: list[dict[str, Name]] = field(default_factory=list)
    home: dict[str, Name] = field(default_factory=dict)

    def value(self) -> str:
        """Snowflake's SQL for the value."""
        return _typed(f"script_variable('{self.variable}')", self.engine_type)

    def column(self, name: str) -> str:
        """Snowflake's SQL for one column of a row. Raises 42703."""
        for column, kind in self.columns:
            if column.lower() == name.lower():
                key = column.replace("\\", "\\\\").replace("'", "''")
                return _typed(f"struct_extract(script_variable('{self.variable}'), '{key}')", kind)
        raise SqlError("42703", f'column "{name}" does not exist')


def _typed(sql: str, engine_type: str) -> str:
    return f"parse_json({sql})" if engine_type == "JSON" else sql


class Scope:
    """Names by block, innermost last. named: what IDENTIFIER(?) names, by the places in a text."""

    def __init__(self, prefix: str, named: Sequence[str | None] = ()) -> None:
        self._prefix = prefix
        self._named = named
        self._names: list[dict[str, Name]] = []

    def enter(self) -> None:
        self._names.append({})

    def leave(self) -> None:
        self._names.pop()

    def declare(self, name: str, made: Name) -> Name:
        """Raises 42712 for a name that the block has already."""
        block = self._names[-1]
        block[name] = made
        if not made.variable:
            plain = "".join(c if c.isalnum() else "_" for c in name)
            made.variable = f"{self._prefix}_{len(self._names)}_{plain}"
        return made

    def declare_procedure(self, procedure: Procedure) -> None:
        """It sees what was declared before it, and the block's other procedures."""
        home = self._names[-1]
        seen = [*self._names[:-1], dict(home)]
        self.declare(procedure.name, Name("procedure", procedure=procedure, seen=seen, home=home))

    @contextmanager
    def within(self, own: Name, calls: int) -> Iterator[None]:
        """A block of its own among the names that a procedure sees, while it runs.

        calls: how many procedures run within each other: the values of each have names of their own.
        """
        before = self._names, self._prefix
        others = {name: made for name, made in own.home.items() if made.kind == "procedure"}
        self._names = [*own.seen[:-1], {**others, **own.seen[-1]}, {}]
        self._prefix = f"{before[1]}p{calls}"
        try:
            yield
        finally:
            self._names, self._prefix = before

    def of_value(self, sql: str) -> Name | None:
        """The variable whose `Name.value` is that text."""
        named = (made for block in reversed(self._names) for made in block.values())
        return next((m for m in named if m.kind == "value" and m.value() == sql), None)

    def find(self, name: str) -> Name | None:
        for block in reversed(self._names):
            if name in block:
                return block[name]
        return None

    def get(self, name: str, *kinds: str) -> Name:
        """The name, which must be of one of these kinds. Raises 42704."""
        found = self.find(name)
        if found is None or found.kind not in kinds:
            raise SqlError("42704", f'{" or ".join(kinds)} "{name}" is not declared')
        return found

    # --- text ---------------------------------------------------------------------------------

    def bound(self, fragment: Fragment, bare: bool, using: tuple[str, ...] = ()) -> str:
        """The fragment's text with its variables in place.

        bare: whether names stand for variables without a colon, as in expressions. using: SQL for
        `?` and `:1`, in order. Raises 07001 where it is too short.
        """
        tokens = fragment.tokens
        if not tokens:
            return ""
        text, at, pieces = fragment.text, tokens[0].start, []
        for start, end, made in self._replaced(tokens, bare, using):
            pieces += [text[at:start], made]
            at = end
        pieces.append(text[at : tokens[-1].end + 1])
        return "".join(pieces)

    def _replaced(
        self, tokens: tuple[Token, ...], bare: bool, using: tuple[str, ...]
    ) -> Iterator[tuple[int, int, str]]:
        queries: list[bool] = []  # of each open bracket: whether a query began in it
        asked = 0
        index = 0
        while index < len(tokens):
            token = tokens[index]
            kind = token.token_type
            after = tokens[index + 1] if index + 1 < len(tokens) else None
            if kind == TokenType.L_PAREN:
                word = after.text.upper() if after is not None else ""
                queries.append(word in ("SELECT", "WITH") or (bool(queries) and queries[-1]))
            elif kind == TokenType.R_PAREN and queries:
                queries.pop()
            elif (named := self._named_object(tokens, index)) is not None:
                made, used = named
                yield token.start, tokens[index + used - 1].end + 1, made
                index += used - 1
            elif self._named and _is_named_place(tokens, index):
                named_now = self._named[asked] if asked < len(self._named) else None
                yield token.start, tokens[index + 3].end + 1, _checked_name(named_now)
                asked += 1
                index += 3
            elif kind == TokenType.PLACEHOLDER and using:
                yield token.start, token.end + 1, _nth(using, asked)
                asked += 1
            elif kind == TokenType.COLON and after is not None and _is_bind(tokens, index):
                if after.token_type == TokenType.NUMBER and using:
                    yield token.start, after.end + 1, _nth(using, int(after.text) - 1)
                    index += 1
                elif (found := self._at(tokens, index + 1)) is not None:
                    made, used = found
                    if used == 1 and _is_literal(tokens, index, bare):
                        made = self._spelled(after.text) or made
                    yield token.start, tokens[index + used].end + 1, made
                    index += used
            elif (
                bare
                and not (queries and queries[-1])
                and _may_name(tokens, index)
                and (found := self._at(tokens, index)) is not None
            ):
                made, used = found
                yield token.start, tokens[index + used - 1].end + 1, made
                index += used - 1
            index += 1

    def _named_object(self, tokens: tuple[Token, ...], index: int) -> tuple[str, int] | None:
        """The name that IDENTIFIER(:x) and TABLE(:x) stand for, and how many tokens say so."""
        if tokens[index].text.upper() not in ("IDENTIFIER", "TABLE"):
            return None
        inner = index + 2
        if [token.text for token in tokens[index + 1 : inner]] != ["("]:
            return None
        colon = inner < len(tokens) and tokens[inner].token_type == TokenType.COLON
        inner += colon
        if inner + 1 >= len(tokens) or tokens[inner + 1].token_type != TokenType.R_PAREN:
            return None
        found = self.find(tokens[inner].text.lower())
        if found is None or found.kind != "value":
            return None
        return _checked_name(found.text), inner + 2 - index

    def _spelled(self, name: str) -> str | None:
        """A variable's text as a literal, None for one that has none."""
        found = self.find(name.lower())
        return None if found is None or found.text is None else literal(found.text)

    def _at(self, tokens: tuple[Token, ...], index: int) -> tuple[str, int] | None:
        """SQL for the variable named here, and how many tokens name it."""
        token = tokens[index]
        if token.token_type in _STRINGS or token.token_type == TokenType.NUMBER:
            return None
        quoted = token.token_type == TokenType.IDENTIFIER
        found = self.find(token.text if quoted else token.text.lower())
        if found is None:
            return None
        if found.kind == "unknown":
            what = token.text.upper()
            raise SqlError("0A000", f"{what} of this error, as Snowflake has it, is not supported")
        if found.kind == "value":
            return found.value(), 1
        dotted = index + 2 < len(tokens) and tokens[index + 1].token_type == TokenType.DOT
        if found.kind == "row" and dotted:
            return found.column(tokens[index + 2].text), 3
        return None


def with_parameters(text: str, known: int) -> str:
    """An argument's text, with the variables that hold parameters in the places of `$1`, `$2`...

    known: how many there are. Raises 42P02 for others.
    """
    pieces, at = [], 0
    tokens = SNOWFLAKE.tokenize(text)
    for sign, number in itertools.pairwise(tokens):
        if sign.token_type == TokenType.PARAMETER and number.token_type == TokenType.NUMBER:
            if not 1 <= int(number.text) <= known:
                raise SqlError("42P02", f"there is no parameter ${number.text}")
            pieces += [text[at : sign.start], f"script_variable('{PARAMETER}{number.text}')"]
            at = number.end + 1
    return "".join([*pieces, text[at:]])


def _is_named_place(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether `IDENTIFIER(?)` stands there."""
    if tokens[index].text.upper() != "IDENTIFIER" or index + 3 >= len(tokens):
        return False
    opening, place, closing = (token.token_type for token in tokens[index + 1 : index + 4])
    return (opening, closing) == (TokenType.L_PAREN, TokenType.R_PAREN) and (
        place == TokenType.PLACEHOLDER
    )


def _checked_name(text: str | None) -> str:
    """A name of one or more parts, as it was written. Raises 42602 for what is none."""
    parts = SNOWFLAKE.tokenize(text or "")
    if not parts or any(
        (part.token_type == TokenType.DOT) != bool(at % 2) or part.token_type in _STRINGS
        for at, part in enumerate(parts)
    ):
        raise SqlError("42602", f'"{text}" is not a name')
    return text or ""


def _nth(using: tuple[str, ...], index: int) -> str:
    if not 0 <= index < len(using):
        raise SqlError("07001", "USING has fewer values than the statement has places for them")
    return using[index]


# Their properties are literals: `COMMENT = :x`, `ON_ERROR = :x`, COPY INTO t FROM :stage.
_HAVE_PROPERTIES = frozenset({"CREATE", "ALTER", "COPY", "COMMENT"})


def _is_literal(tokens: tuple[Token, ...], index: int, bare: bool) -> bool:
    """Whether a text must stand here as a literal: a property's, or the id that RESULT_SCAN takes.

    Where an expression stands after a property's name, a literal means the same.
    """
    if [token.text.upper() for token in tokens[max(index - 2, 0) : index]] == ["RESULT_SCAN", "("]:
        return True
    if bare:
        return False
    verb, before = tokens[0].text.upper(), tokens[index - 1]
    if verb not in _HAVE_PROPERTIES:
        return False
    return verb == "COPY" or before.token_type in (TokenType.EQ, TokenType.IS)


def _is_bind(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether a colon begins a variable, and not a path into a VARIANT."""
    token, after = tokens[index], tokens[index + 1]
    if after.start != token.end + 1:
        return False
    if index == 0:
        return True
    before = tokens[index - 1]
    adjacent = before.end + 1 == token.start
    return not (adjacent and before.token_type in _AFTER_VALUE)


def _may_name(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether a name here can be a variable: not a part of another name, nor a function's."""
    token = tokens[index]
    if token.token_type in _STRINGS:
        return False
    before = tokens[index - 1].token_type if index else None
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    if before in (TokenType.DOT, TokenType.DCOLON, TokenType.COLON):
        return False
    return after is None or after.token_type not in (TokenType.L_PAREN, TokenType.FARROW)
