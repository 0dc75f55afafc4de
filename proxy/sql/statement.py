"""What a plan is made of: the values that the session reads."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from proxy.errors import SqlError
from proxy.sql.changes.row_locks import Locks
from proxy.sql.definitions.edits import Rebuilds
from proxy.sql.definitions.liking import Likes
from proxy.sql.definitions.touched import Touched
from proxy.sql.federated import Relation
from proxy.sql.session_actions import SessionAction
from proxy.sql.traces import Trace

if TYPE_CHECKING:
    from proxy.sql.snowflake.type_signs import Signs


class Route(StrEnum):
    """Who answers a statement."""

    DUCKDB = "duckdb"
    POSTGRES = "postgres"
    FEDERATED = "federated"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Copies:
    """CREATE TABLE ... CLONE or LIKE. source, target: the parts of the names, as DuckDB has them.

    rows: CLONE. opening: the statement's words up to the new name.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    rows: bool
    opening: str


@dataclass(frozen=True, slots=True)
class Alters:
    """ALTER TABLE ... RENAME TO. table: the parts of its name; of_view: the statement for a view.

    new: the name that it gets. of_postgres: views follow it. view: it is ALTER VIEW. place: the
    database and the schema into which it goes, '' for its own.
    """

    table: tuple[str, ...]
    of_view: str
    new: str
    of_postgres: bool = False
    view: bool = False
    place: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Owns:
    """ALTER SEQUENCE ... OWNED BY what its name says already: both have to be there, and that is all.

    table: () for OWNED BY NONE of what nothing owns.
    """

    sequence: tuple[str, ...]
    table: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drops:
    """DROP TABLE, or CREATE OR REPLACE, which the sequences of the table's own follow. table: its name.

    view: it is DROP VIEW; schema: DROP SCHEMA. cascades: the views over it go, too, as in Postgres. restricts: it is
    refused while something depends on the relation.
    """

    table: tuple[str, ...]
    view: bool = False
    cascades: bool = False
    restricts: bool = False
    schema: bool = False


@dataclass(frozen=True, slots=True)
class Restarts:
    """ALTER SEQUENCE ... of how it counts, or ALTER TABLE ... ALTER COLUMN of an identity, `sequence` being the table.

    options: by their words, each with its number; None for RESTART alone and for NO MINVALUE and NO MAXVALUE, and
    1 or 0 for CYCLE.
    """

    sequence: tuple[str, ...]
    exists: bool
    options: tuple[tuple[str, int | None], ...]
    column: str = ""


@dataclass(frozen=True, slots=True)
class RenamesIndex:
    """ALTER INDEX ... RENAME TO. index: the parts of its name, as DuckDB has them."""

    index: tuple[str, ...]
    exists: bool
    new: str


@dataclass(frozen=True, slots=True)
class MakesEnumeration:
    """CREATE TYPE ... AS ENUM in Postgres's dialect. type: the parts of its name, as DuckDB has them."""

    type: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddsValue:
    """ADD VALUE. neighbour: the one BEFORE or AFTER which it stands; None at the end."""

    label: str
    exists: bool
    neighbour: str | None = None
    before: bool = False


@dataclass(frozen=True, slots=True)
class RenamesValue:
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class AltersEnumeration:
    """ALTER TYPE. change: a str is the name that it gets, a tuple its schema's."""

    type: tuple[str, ...]
    change: AddsValue | RenamesValue | str | tuple[str]


@dataclass(frozen=True, slots=True)
class DropsType:
    """DROP TYPE in Postgres's dialect. cascades: columns of the type go, too."""

    type: tuple[str, ...]
    cascades: bool


@dataclass(frozen=True, slots=True)
class Truncates:
    """TRUNCATE in Postgres's dialect. tables: the parts of each name, as DuckDB has them.

    restarts: the sequences of their columns begin anew. cascades: so do the tables that refer to them.
    """

    tables: tuple[tuple[str, ...], ...]
    restarts: bool
    cascades: bool


@dataclass(frozen=True, slots=True)
class MakesView:
    """CREATE [OR REPLACE] VIEW in Postgres's dialect. view: the parts of its name, as DuckDB has them.

    columns: the names that it says.
    """

    view: tuple[str, ...]
    columns: tuple[str, ...]
    temporary: bool
    replaces: bool


Deferred = (
    Copies
    | Alters
    | Rebuilds
    | Drops
    | Likes
    | Owns
    | Restarts
    | MakesView
    | RenamesIndex
    | Truncates
    | MakesEnumeration
    | AltersEnumeration
    | DropsType
)
"""What becomes statements of DuckDB's once it is known what there is when it runs (`proxy.definitions.defining`)."""


@dataclass(frozen=True, init=False)
class Statement:
    """One statement of a message.

    kind: its leading words in upper case ('SELECT', 'CREATE TABLE', 'CREATE TABLE AS', ...).
    text: the slice of the client's text, unchanged; start: its 0-based offset in the message.
    sql: what DuckDB runs, '' on other routes. action: what the session does on route SESSION.
    tag: Postgres's command tag without the row count ('SELECT', 'INSERT 0', 'CREATE TABLE', ...).
    writes: it may change data or schema; ddl: it may change the schema; touched: what of it.
    parameters: the highest n among its $n.
    refused: the error it meets when its turn comes, None if it can run. Plans are shared: raise it
    `with_traceback(None)`, or it collects a traceback with every raise.
    relayed: what Postgres is given in place of `text`.
    scalar: it only combines a few values (`proxy.sql.scalar`).
    copies: the table that it is made after, or alters, whose definition is read when it runs.
    notice: what the client is told when it runs, '' for nothing. cascaded: what it drops beside.
    trace: what it may leave on a Postgres connection, if it has one (`proxy.sql.traces`). sets: the settings that
    its set_config calls name, by name or by the number of the parameter that does.
    then: what DuckDB runs after `sql`, in the same transaction, for no result: a definition of
    several parts. needs: what of the session the engine's connection must know before it runs
    (`proxy.session.context`). varies: it was planned with the session's variables, or the listing
    before it, and is planned anew when they change.
    federated: the control plane's relations that `sql` reads, by what stands in for them.
    numbers: it asks for what was drawn from sequences, or draws.
    upserts: the table into which it inserts ON CONFLICT; computed: the unique indexes over expressions that it was
    made for. locks: whose rows it locks. deletes: the table that it deletes rows of. updates: the table whose rows it
    changes; changes: in these columns, folded; `EVERY` among them where whole rows are written. inserts: the
    table into which it inserts what may be several rows. through: the views by which it writes a table, and
    their texts, as they were when it was made so.
    asks_catalog: on route POSTGRES, it may be about anything that the catalog tells of.
    asks_positions: ... and where sequences stand. reads_alone: the one relation that a SELECT reads, which may be
    a sequence.
    typed: what `sql` means hangs on the types of columns and parameters (`proxy.session.typed`). typed_over: ...
    only if these relations have columns that `typed_by` looks for, () if it does anyway.
    portable: it reads no relation and is in Postgres's dialect: what DuckDB has not, Postgres may have.
    overriding: SYSTEM or USER, where it says OVERRIDING ... VALUE. setting: DuckDB's query of what setval is called with, to be
    done just before (`proxy.definitions.sequences`). calls: functions that are not known here, in lower case, which a client may
    have made.
    """

    route: Route
    kind: str
    text: str
    start: int
    sql: str = ""
    action: SessionAction | None = None
    tag: str = ""
    writes: bool = False
    ddl: bool = False
    touched: tuple[Touched, ...] = ()
    parameters: int = 0
    refused: SqlError | None = None
    scalar: bool = False
    copies: Deferred | None = None
    notice: str = ""
    notice_code: str = "00000"
    cascaded: tuple[str, ...] = ()
    trace: Trace = Trace.ANYTHING
    sets: tuple[str | int, ...] = ()
    then: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    varies: bool = False
    federated: tuple[Relation, ...] = ()
    relayed: str | None = None
    asks_catalog: bool = True
    asks_positions: bool = False
    reads_alone: tuple[str, ...] = ()
    typed: bool = False
    typed_over: tuple[tuple[str, ...], ...] = ()
    typed_by: Signs | None = None
    portable: bool = False
    overriding: str = ""
    setting: str = ""
    numbers: bool = False
    upserts: tuple[str, ...] = ()
    computed: tuple[tuple[str, ...], ...] = ()
    locks: Locks | None = None
    deletes: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    changes: frozenset[str] = frozenset()
    inserts: tuple[str, ...] = ()
    through: tuple[tuple[tuple[str, ...], str], ...] = ()
    calls: tuple[str, ...] = ()

    def __init__(self, route: Route, kind: str, text: str, start: int, **others: Any) -> None:
        # A frozen class's own __init__ sets each of the many fields by a call. What is not given is
        # the class's.
        others["route"], others["kind"], others["text"], others["start"] = route, kind, text, start
        _set(self, "__dict__", others)


_set = object.__setattr__

Variable = tuple[str, str, str | None]
"""A session variable: its name in lower case, DuckDB's type of its value, the value as text."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The settings of a session that change plans: a part of the cache's key.

    name: 'snowflake', 'postgres' or 'duckdb'. transpile: False sends the text to DuckDB as it is
    (it is still routed and guarded). backslashes: whether they escape in Snowflake's '...', which
    standard_conforming_strings turns off. keys: whether tables that are made enforce PRIMARY KEY and
    UNIQUE (Snowflake's do not). numbered: whether `$1` is a column, as in a statement that
    cannot have parameters. parameters: session parameters that change results. database: the name
    that the client asked for. variables: the session's, where the text may use them. last_listing:
    the SHOW or DESCRIBE just before, as DuckDB's SQL and its `needs`.
    """

    name: str = "snowflake"
    transpile: bool = True
    backslashes: bool = True
    keys: bool = True
    numbered: bool = False
    parameters: tuple[tuple[str, str], ...] = ()
    database: str = ""
    variables: tuple[Variable, ...] = ()
    last_listing: tuple[str, frozenset[str]] | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Every statement of a session is looked up by it.
        known = (self.name, self.transpile, self.backslashes, self.keys, self.numbered)
        named = (self.parameters, self.database, self.variables, self.last_listing)
        object.__setattr__(self, "_hash", hash((known, named)))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Dialect], tuple[Any, ...]]:
        # Made anew in another process, where texts have other hashes.
        return Dialect, tuple([getattr(self, one.name) for one in fields(self) if one.init])
