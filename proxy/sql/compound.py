"""Statements that take more than one step on the engine, as values for the session.

`proxy.sql.planning` makes them, `proxy.session.compound` carries them out. Each is asked of the session
(route SESSION), because what comes second depends on what the first step found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.sql.definitions.materialized import MaterializedAction
from proxy.sql.functions.function_actions import FunctionAction
from proxy.sql.scripting.script import Block
from proxy.sql.snowflake.stage_actions import StageAction

if TYPE_CHECKING:
    from proxy.sql.statement import Statement

Path = tuple[str, ...]
"""A relation's name, as it is written."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Statements of DuckDB's that are one to the client: all in one transaction.

    counted: the positions of those whose rows the command tag counts.
    """

    statements: tuple[str, ...]
    counted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PivotValues:
    """A PIVOT whose values must be read first: they go between `before` and `after`.

    values: DuckDB's query for them, of one column.
    """

    values: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RunBlock:
    """An anonymous block of Snowflake Scripting."""

    block: Block


@dataclass(frozen=True, slots=True)
class ExecuteImmediate:
    """EXECUTE IMMEDIATE of a text. literal: the text, None where it is an expression's value.

    expression: its text in Snowflake's SQL. using: the names after USING.
    """

    literal: str | None
    expression: str
    using: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of a function or procedure: its name, its type as it was written, its default or None.

    out: whether a procedure gives its value back to the caller's variable. kind: of a function in Postgres's
    dialect, the name of its type there.
    """

    name: str
    type: str
    default: str | None = None
    out: bool = False
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class CreateProcedure:
    """name: its parts, folded. returns: the type, or 'TABLE', of these columns if they are said.

    body: the block's text.
    """

    name: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    returns: str
    columns: tuple[Parameter, ...]
    body: str
    replace: bool
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropProcedure:
    name: tuple[str, ...]
    arity: int
    if_exists: bool


@dataclass(frozen=True, slots=True)
class Call:
    """CALL. arguments: (name or '', text of the expression); into: a variable of the block or ''.

    procedure: what WITH ... AS PROCEDURE says of it, None for one that is kept.
    """

    name: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    into: str = ""
    procedure: CreateProcedure | None = None


@dataclass(frozen=True, slots=True)
class CreateFunction:
    """A SQL function as a macro. columns: of RETURNS TABLE, None for a scalar function.

    body: the text between the quotes. strict: whether an argument that is NULL makes the result NULL.
    secure, memoizable, volatility, comment: are shown again, and have no effect. made: the macro's text, of a
    function in Postgres's dialect; said: what else is kept of that (`proxy.functions.client_functions`). created,
    altered: in seconds since 1970, None where that is about to be known.
    """

    name: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    returns: str
    columns: tuple[Parameter, ...] | None
    body: str
    replace: bool
    if_not_exists: bool
    strict: bool = False
    secure: bool = False
    memoizable: bool = False
    volatility: str | None = None
    comment: str | None = None
    made: str | None = None
    said: dict[str, Any] | None = None
    created: float | None = None
    altered: float | None = None


@dataclass(frozen=True, slots=True)
class DropFunction:
    """types: those of its parameters, which tell it from others of its name."""

    name: tuple[str, ...]
    types: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True, slots=True)
class AlterFunction:
    """rename: the new name, () for the same; changes: of what `CreateFunction` keeps to show it."""

    name: tuple[str, ...]
    types: tuple[str, ...]
    if_exists: bool
    rename: tuple[str, ...] = ()
    changes: tuple[tuple[str, str | bool | None], ...] = ()


@dataclass(frozen=True, slots=True)
class AlterProcedure:
    """rename: the new name, () where nothing changes that is kept. arity: as for `DropProcedure`."""

    name: tuple[str, ...]
    arity: int
    if_exists: bool
    rename: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlterSequence:
    """What changes of a sequence. rename: the new name, (); increment, comment: None for no change."""

    name: tuple[str, ...]
    if_exists: bool
    rename: tuple[str, ...] = ()
    increment: int | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class NewColumn:
    """Of a definition. type: as it is written, '' for none; definition: all that is said of it."""

    name: str
    type: str
    definition: str


@dataclass(frozen=True, slots=True)
class CreateOrAlter:
    """CREATE OR ALTER TABLE. written: from its name on. keys: what is declared of several columns.

    refers: whether a foreign key is among its constraints.
    """

    name: tuple[str, ...]
    temporary: bool
    written: str
    columns: tuple[NewColumn, ...]
    keys: tuple[str, ...]
    comment: str | None
    refers: bool


@dataclass(frozen=True, slots=True)
class ResultScan:
    """TABLE(RESULT_SCAN(...)): its place in the text, and which statement's result it asks for.

    back: the last one is -1, the session's first is 1. ident: a query's id, in place of `back`.
    """

    text: str
    start: int
    end: int
    back: int
    ident: str | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Statements with `->>` between them. links: (text, (start, end, back) of each `$n` in it)."""

    links: tuple[tuple[str, tuple[tuple[int, int, int], ...]], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a WITH that changes data. number: of the table of its rows, 0 where nobody reads them.

    into: the relation that it writes into, () for a query. reads: the others that it names. upserts: it may
    update rows that it meets. calls: functions that are not known here, in lower case.
    """

    plan: Statement
    number: int
    into: Path = ()
    reads: tuple[Path, ...] = ()
    upserts: bool = False
    calls: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WithWrites:
    """WITH of statements that change data. steps: in their order, the main statement last.

    joined: instead of them, a statement whose RETURNING names what it joins (`proxy.sql.changes.joined_returning`);
    surely: or may do so, by a column without a table's name.
    """

    steps: tuple[Step, ...] = ()
    joined: Statement | None = None
    surely: bool = True


CompoundAction = (
    Chain
    | WithWrites
    | Steps
    | PivotValues
    | RunBlock
    | ExecuteImmediate
    | CreateProcedure
    | DropProcedure
    | Call
    | CreateFunction
    | DropFunction
    | AlterFunction
    | AlterProcedure
    | AlterSequence
    | CreateOrAlter
    | ResultScan
    | StageAction
    | MaterializedAction
    | FunctionAction
)

WITHOUT_ROWS = (
    *(Steps, CreateProcedure, DropProcedure, CreateFunction, DropFunction, AlterFunction),
    AlterSequence,
    CreateOrAlter,
    MaterializedAction,
    FunctionAction,
    AlterProcedure,
)
"""The actions that answer with a tag alone."""
