"""Snowflake Scripting: what a block is made of.

Why it exists: sqlglot has no grammar for blocks. The statements and expressions inside them are left
as fragments of the text: each is planned as a statement of its own when its turn comes, once its
variables are known. `proxy.sql.scripting.reader` makes the tree, `proxy.scripting.blocks` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.tokens import Token


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of the block's text with its tokens, whose offsets are the whole text's."""

    text: str
    tokens: tuple[Token, ...]

    @property
    def source(self) -> str:
        if not self.tokens:
            return ""
        return self.text[self.tokens[0].start : self.tokens[-1].end + 1]


@dataclass(frozen=True, slots=True)
class Variable:
    """`name [type] [{DEFAULT|:=} value]`; type '' where not said."""

    name: str
    type: str
    value: Fragment | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """`name CURSOR FOR {query|resultset}`."""

    name: str
    query: Fragment


@dataclass(frozen=True, slots=True)
class ResultSet:
    """`name RESULTSET [{DEFAULT|:=} [ASYNC] (query)]`."""

    name: str
    query: Fragment | None
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Exception_:
    """`name EXCEPTION [(number, 'message')]`."""

    name: str
    number: int
    message: str


@dataclass(frozen=True, slots=True)
class Procedure:
    """`name PROCEDURE (parameters) RETURNS returns AS block`, within a block.

    parameters, columns: (name, type); columns: of RETURNS TABLE, where `returns` is 'TABLE'.
    """

    name: str
    parameters: tuple[tuple[str, str], ...]
    returns: str
    columns: tuple[tuple[str, str], ...]
    block: Block


Declaration = Variable | Cursor | ResultSet | Exception_ | Procedure


@dataclass(frozen=True, slots=True)
class Assign:
    """apart: whether the query of a RESULTSET is ASYNC."""

    name: str
    value: Fragment
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Let:
    declaration: Declaration


@dataclass(frozen=True, slots=True)
class If:
    """branches: (condition, statements); the condition of ELSE is None."""

    branches: tuple[tuple[Fragment | None, tuple[Statement, ...]], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """As `If`; operand: what the values of a simple CASE are compared with."""

    operand: Fragment | None
    branches: tuple[tuple[Fragment | None, tuple[Statement, ...]], ...]


@dataclass(frozen=True, slots=True)
class For:
    """Over the rows of a cursor or RESULTSET."""

    name: str
    over: str
    body: tuple[Statement, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Count:
    """`FOR name IN [REVERSE] first TO last`."""

    name: str
    first: Fragment
    last: Fragment
    reverse: bool
    body: tuple[Statement, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Loop:
    """WHILE and LOOP: while `condition`; REPEAT: until `until`, which is looked at afterwards."""

    condition: Fragment | None
    until: Fragment | None
    body: tuple[Statement, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Leave:
    """BREAK, EXIT (again: CONTINUE, ITERATE), of the loop of that label or the innermost."""

    again: bool
    label: str


@dataclass(frozen=True, slots=True)
class Open:
    name: str
    using: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class FetchInto:
    name: str
    into: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Close:
    name: str


@dataclass(frozen=True, slots=True)
class Return:
    """value: an expression; table: what stands in `TABLE(...)`; both None for NULL."""

    value: Fragment | None
    table: Fragment | None


@dataclass(frozen=True, slots=True)
class Raise:
    """name '': the exception being handled."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Immediate:
    """EXECUTE IMMEDIATE."""

    value: Fragment
    using: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement of SQL. into: the variables of SELECT ... INTO."""

    statement: Fragment
    into: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """`ASYNC (statement)`."""

    statement: Fragment


@dataclass(frozen=True, slots=True)
class Await:
    """AWAIT, or CANCEL, of a RESULTSET's job; name '': ALL."""

    name: str
    cancel: bool


@dataclass(frozen=True, slots=True)
class Null:
    pass


@dataclass(frozen=True, slots=True)
class Handler:
    """`WHEN name [OR name ...] [CONTINUE] THEN`; names folded; 'other' catches all."""

    names: tuple[str, ...]
    body: tuple[Statement, ...]
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """text: what the block was read from."""

    declarations: tuple[Declaration, ...]
    body: tuple[Statement, ...]
    handlers: tuple[Handler, ...]
    text: str = ""

    def may_say(self, word: str) -> bool:
        """Whether a word may be in the block; word: folded."""
        return word in self.text.casefold()


Statement = (
    Assign
    | Let
    | If
    | Case
    | For
    | Count
    | Loop
    | Leave
    | Open
    | FetchInto
    | Close
    | Return
    | Raise
    | Immediate
    | Sql
    | Apart
    | Await
    | Null
    | Block
)
