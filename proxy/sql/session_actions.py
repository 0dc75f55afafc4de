"""What a statement asks of the session itself, as values.

Transactions, settings, prepared statements and cursors are not an engine's business: the session
keeps them. This module only says *what* was asked; `proxy.sql.utility` makes these values out of
tokens, and the session carries them out. Names and arguments follow Postgres's own grammar, with
Snowflake's spellings (`ALTER SESSION`, `USE WAREHOUSE`) mapped onto the nearest action.

Names are folded as Postgres folds them: unquoted to lower case, quoted kept.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransactionModes:
    """`ISOLATION LEVEL ...`, `READ ONLY|WRITE`, `[NOT] DEFERRABLE`; None where not said.

    isolation: one of 'serializable', 'repeatable read', 'read committed', 'read uncommitted'.
    """

    isolation: str | None = None
    read_only: bool | None = None
    deferrable: bool | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """`BEGIN [WORK|TRANSACTION] [modes]`, `START TRANSACTION [modes]`."""

    isolation: str | None = None
    read_only: bool | None = None
    deferrable: bool | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """`COMMIT`, `END`; chain: `AND CHAIN`."""

    chain: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    """`ROLLBACK`, `ABORT`; chain: `AND CHAIN`."""

    chain: bool = False


@dataclass(frozen=True, slots=True)
class Savepoint:
    name: str


@dataclass(frozen=True, slots=True)
class RollbackTo:
    name: str


@dataclass(frozen=True, slots=True)
class Release:
    name: str


@dataclass(frozen=True, slots=True)
class SetTransaction:
    """`SET TRANSACTION modes`; with characteristics, `SET SESSION CHARACTERISTICS AS ...`."""

    modes: TransactionModes
    characteristics: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """`SET [SESSION|LOCAL] name {TO|=} value [, ...]`.

    name: folded to lower case. value: None for DEFAULT; a list of values is joined by ', '.
    `values` holds the same values one by one, for settings that are lists (`search_path`).
    """

    name: str
    value: str | None
    local: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetVariables:
    """Snowflake's `SET x = e` and `SET (x, y) = (e, f)`.

    names: folded to lower case. query: the SELECT that gives their values, as text.
    """

    names: tuple[str, ...]
    query: str


@dataclass(frozen=True, slots=True)
class UnsetVariables:
    """Snowflake's `UNSET x` and `UNSET (x, y)`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetRole:
    """`SET [SESSION|LOCAL] ROLE {name|NONE|DEFAULT}`; name None for NONE and DEFAULT."""

    name: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class SetSessionAuthorization:
    """`SET [SESSION|LOCAL] SESSION AUTHORIZATION {name|DEFAULT}`; name None for DEFAULT."""

    name: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class SetConstraints:
    """`SET CONSTRAINTS {ALL|names} {DEFERRED|IMMEDIATE}`. names: as written, () for ALL."""

    deferred: bool
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reset:
    """`RESET name`; name None for `RESET ALL`."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Show:
    """`SHOW name`; name None for `SHOW ALL`."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Discard:
    """`DISCARD what`; what is 'ALL', 'PLANS', 'SEQUENCES' or 'TEMP'."""

    what: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """`PREPARE name [(types)] AS statement`; the statement as text, with its 0-based offset."""

    name: str
    types: tuple[str, ...]
    statement_text: str
    statement_start: int


@dataclass(frozen=True, slots=True)
class Execute:
    """`EXECUTE name [(arguments)]`; each argument as the text of its expression."""

    name: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateAsExecute:
    """`CREATE TABLE ... AS EXECUTE ...`; head: what is written before EXECUTE."""

    head: str
    execute: Execute


@dataclass(frozen=True, slots=True)
class CreateUntilCommit:
    """`CREATE TEMP TABLE ... ON COMMIT DROP`, or DELETE ROWS: the statement without these words, and the
    table's name."""

    statement: str
    name: str
    drops: bool


@dataclass(frozen=True, slots=True)
class DropSeveral:
    """`DROP TABLE a, b`: a statement for each, all or none of which happen."""

    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunDo:
    """A DO block: its statements, and the SQLSTATEs of errors that undo it and are not told."""

    statements: tuple[str, ...]
    ignored: frozenset[str]


@dataclass(frozen=True, slots=True)
class Deallocate:
    """`DEALLOCATE [PREPARE] name`; name None for ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Declare:
    """`DECLARE name [BINARY] [[NO] SCROLL] CURSOR [WITH HOLD] FOR query`.

    scroll: None where not said. query_start: 0-based offset of the query in the message.
    """

    name: str
    query: str
    query_start: int
    binary: bool = False
    scroll: bool | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """`FETCH direction FROM cursor`.

    direction: 'forward', 'backward', 'absolute' or 'relative'; count: rows (or the position),
    None for ALL. NEXT is forward 1, PRIOR backward 1, FIRST absolute 1, LAST absolute -1.
    """

    cursor: str
    direction: str = "forward"
    count: int | None = 1


@dataclass(frozen=True, slots=True)
class Move:
    """`MOVE direction IN cursor`: as `Fetch`, without the rows."""

    cursor: str
    direction: str = "forward"
    count: int | None = 1


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """`CLOSE name`; name None for ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Use:
    """`USE [kind] name`.

    kind: 'SCHEMA', 'DATABASE', 'WAREHOUSE', 'ROLE', 'SECONDARY ROLES' or '' where not said
    (Snowflake: a database or `database.schema`). name: the parts, unquoted.
    """

    kind: str
    name: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlterSession:
    """`ALTER SESSION {SET k = v ... | UNSET k, ...}`; names folded to lower case."""

    set: tuple[tuple[str, str], ...] = ()
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyStatement:
    """`COPY {table [(columns)] | (query)} {FROM STDIN | TO STDOUT} [options]`.

    table: the parts of the name, folded, or None for a query. query: the SQL for DuckDB.
    direction: 'FROM' or 'TO'. options: names in lower case, values as text ('true' where only the
    name was given); `force_quote`, `force_not_null`, `force_null` hold lists of columns, and
    ('*',) for all.
    """

    table: tuple[str, ...] | None
    columns: tuple[str, ...]
    query: str | None
    direction: str
    options: tuple[tuple[str, str | tuple[str, ...]], ...] = ()

    def option(self, name: str) -> str | tuple[str, ...] | None:
        """The value of an option, None where it was not given."""
        return dict(self.options).get(name)


SessionAction = (
    Begin
    | Commit
    | Rollback
    | Savepoint
    | RollbackTo
    | Release
    | SetTransaction
    | Set
    | SetVariables
    | UnsetVariables
    | SetRole
    | SetSessionAuthorization
    | SetConstraints
    | Reset
    | Show
    | Discard
    | Prepare
    | Execute
    | CreateAsExecute
    | CreateUntilCommit
    | DropSeveral
    | RunDo
    | Deallocate
    | Declare
    | Fetch
    | Move
    | CloseCursor
    | Use
    | AlterSession
    | CopyStatement
)
