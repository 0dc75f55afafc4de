"""What a statement's own text adds to an error of the engine's: the place, and the exact class.

DuckDB complains about the SQL that it was given, in classes of its own. Where the client's text shows
more - which clause was negative, that a value was assigned and not cast - it is told here, at the end
of every statement's way.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot.tokens import TokenType

from proxy.changes.view_writes import on_its_table
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.session import DuckSession
from proxy.engines.duck.wordings import NO_VIEW
from proxy.errors import SqlError
from proxy.session import savepoints
from proxy.session.constraints import read_named
from proxy.session.long_texts import SessionTexts
from proxy.session.parameter_types import columns_of
from proxy.sql import control_plane, inference
from proxy.sql.changes.inserting import (
    conflict_constraint,
    target,
    with_columns,
    with_conflict_columns,
    without_conflict,
)
from proxy.sql.definitions.enumerated import only_type
from proxy.sql.grouping import grouped_tables, with_settled_columns
from proxy.sql.inner_limits import REFUSALS, with_numbered_rows
from proxy.sql.positions import casts, clause_at, source_position
from proxy.sql.postgres.upkeep import named
from proxy.sql.reading import POSTGRES, SyntaxFailure
from proxy.sql.spelled_aliases import VOLATILE, complained_of, spelled_out
from proxy.sql.statement import Statement
from proxy.sql.texts_as_values import TOO_MANY_FORMS, bound_late, with_values

if TYPE_CHECKING:
    from proxy.session.session import Session

_LIMITS = frozenset((TokenType.LIMIT, TokenType.OFFSET, TokenType.FETCH))
_ASSIGN = frozenset(("INSERT", "UPDATE", "MERGE"))


async def located(
    texts: SessionTexts, error: EngineError, plan: Statement, sql: str, dialect: str
) -> EngineError:
    """The error with the position of what it complains about in the client's text.

    sql: what DuckDB was given.
    """
    error.sql = sql
    if error.sqlstate == "2201W":
        clause = None
        if error.offset is not None:
            clause = await texts.of(sql, clause_at, error.offset, _LIMITS)
        if clause == TokenType.OFFSET:
            error.sqlstate, error.message = "2201X", "OFFSET must not be negative"
        else:
            error.message = "LIMIT must not be negative"
    elif error.sqlstate == "42846" and plan.kind in _ASSIGN:
        if not await texts.of(plan.text, casts, dialect):
            error.sqlstate = "42804"
    elif error.sqlstate == "42P01" and error.hint is None:
        error.hint = control_plane.hint_for_missing(error.message)
    elif error.sqlstate == "42601" and dialect == "postgres":
        _name(error, plan)
    elif error.sqlstate == "25006":
        what = "nextval()" if plan.kind == "SELECT" else plan.kind
        error.message = f"cannot execute {what} in a read-only transaction"
    elif error.message.startswith(_NO_LABEL):
        name = await texts.of(sql, only_type, error.message)
        of_it = f" {name}:" if name is not None else ":"
        error.message = f"{_NO_LABEL[:-1]}{of_it}{error.message.removeprefix(_NO_LABEL)}"
    if error.offset is not None and error.position is None:
        place = await texts.of(sql, source_position, error.offset, plan.text, dialect)
        error.position = place + plan.start if place is not None else None
    return error


def _name(error: EngineError, plan: Statement) -> None:
    """What Postgres's grammar has and DuckDB's has not is no mistake of the client's."""
    construct = named(POSTGRES.own_tokens(plan.text))
    if error.message.startswith(_ONE_COLUMN) and plan.kind in _ASSIGN:
        construct = "SET (...) = (SELECT ...)"
        error.hint = "Write UPDATE ... FROM, or a subquery for each column."
    if construct is not None:
        error.sqlstate = "0A000"
        error.message = f"{construct} is not supported on analytical tables"


_NO_LABEL = "invalid input value for enum:"
_ONE_COLUMN = "subquery must return only one column"
_NO_KEY = "There are no UNIQUE/PRIMARY KEY constraints that refer to this table"
_TOO_FEW = re.compile(
    r"table .* has (?P<columns>\d+) columns but (?P<values>\d+) values were supplied"
)


async def put_otherwise(session: Session, plan: Statement, error: EngineError) -> Statement | None:
    """What DuckDB has refused to prepare, in words that it takes; None where there are none.

    In any dialect a LIMIT of an inner query that is no number. In Postgres's an INSERT that gives fewer
    values than there are columns, or that was to do nothing on a conflict and is of a table where none
    can be, and a query that is grouped by primary keys. In Snowflake's, a statement that names an alias where DuckDB knows none.
    """
    dialect = session.settings.get("hatidata.dialect")
    if any(refusal in error.message for refusal in REFUSALS):
        tree = inference.read(plan.sql)
        sql = None if tree is None else with_numbered_rows(tree)
        return None if sql is None else replace(plan, sql=sql)
    if dialect == "snowflake":
        sql = in_other_words(plan.sql, error)
        return None if sql is None else replace(plan, sql=sql)
    if dialect != "postgres":
        return None
    if error.sqlstate == "42883" and error.message.startswith("function "):
        await session.calls.tell(plan, error)
    if error.sqlstate == "42803":
        sql = await _with_settled_columns(session, plan.sql)
        return None if sql is None else replace(plan, sql=sql)
    if error.hint == NO_VIEW:
        return await session.on_duck(on_its_table, session.duck, plan)
    if plan.kind != "INSERT":
        return None
    texts = session.texts
    if (named := await texts.of(plan.sql, conflict_constraint)) is not None:
        columns = await session.on_duck(_key_columns, session.duck, *named)
        return replace(plan, sql=await texts.of(plan.sql, with_conflict_columns, columns))
    if error.message.startswith(_NO_KEY):
        sql = await texts.of(plan.sql, without_conflict)
        return None if sql is None else replace(plan, sql=sql)
    found = _TOO_FEW.fullmatch(error.message)
    if found is None:
        return None
    given = int(found["values"])
    table = await texts.of(plan.sql, target)
    if table is None or given >= int(found["columns"]):
        return None
    columns = await session.on_duck(columns_of, session.duck, f"SELECT * FROM {table} LIMIT 0")
    names = [name for name, _ in columns[:given]]
    return replace(plan, sql=await texts.of(plan.sql, with_columns, names))


def in_other_words(sql: str, error: EngineError) -> str | None:
    """DuckDB's SQL of a statement of Snowflake's that names an alias where DuckDB knows none, or has a
    text where DuckDB wants another type.

    None where that is not what it was refused for.
    """
    if len(sql) > _PARSED_AGAIN:
        return None
    again = _in_other_words(sql, error)
    return None if again == sql else again


def _in_other_words(sql: str, error: EngineError) -> str | None:
    if TOO_MANY_FORMS in error.message:
        return bound_late(sql)
    name = complained_of(error.sqlstate, error.message)
    if not name:
        return with_values(sql, error.said) if error.said else None
    return spelled_out(sql, name, savepoints.using(VOLATILE))


def _key_columns(duck: DuckSession, table: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Blocks. The columns of the key of a table's that has this name; raises SqlError 42704."""
    for constraints in read_named(duck, table, referring=False).tables.values():
        for one in constraints:
            if one.name == name and one.kind in ("PRIMARY KEY", "UNIQUE"):
                return one.columns
    raise SqlError("42704", f'constraint "{name}" for table "{table[-1]}" does not exist')


async def _with_settled_columns(session: Session, sql: str) -> str | None:
    tree = inference.read(sql)
    if tree is None:
        return None
    names = grouped_tables(tree)
    duck = session.duck
    tables = await session.on_duck(lambda: {name: duck.columns_of_table(name) for name in names})
    return with_settled_columns(tree, tables)


_PARSED_AGAIN = 1 << 16  # characters: longer texts keep the place that was found first
# Where one of these cannot stand in Postgres's grammar, it cannot in Snowflake's.
_NEVER_THERE = frozenset(("from", "where", "and", "or", "having", "group", "order", ",", ")"))


def better_placed(
    failure: SyntaxFailure, text: str, dialect: str, duck: DuckSession
) -> SyntaxFailure:
    """A syntax error where Postgres would see it: sqlglot reads on, and complains later.

    DuckDB's grammar is Postgres's. Of another dialect's text it decides only what is beyond doubt.
    """
    found = duck.syntax_error(text) if len(text) <= _PARSED_AGAIN else None
    place = found.fields.get("position", "") if found is not None else ""
    if found is None or found.kind != "Parser" or not place.isdigit():
        return failure
    offset = len(text.encode()[: int(place)].decode(errors="ignore"))
    word = found.message.partition('"')[2].rpartition('"')[0].casefold()
    if dialect == "snowflake" and not (offset < failure.offset and word in _NEVER_THERE):
        return failure
    return SyntaxFailure(found.message, offset)
