"""setval: a sequence goes on from a number, as loaders, ORMs and pg_dump's data say it shall.

Why it exists: DuckDB has no such function. A sequence that is to count on forward, not too far, is asked for
the numbers between; any other is made anew where it shall go on, and the defaults that call it with it.

Promises: what the next nextval gives, anybody's, is what Postgres's would give. Asked for numbers, a
sequence keeps them whatever becomes of the transaction, as in Postgres; made anew, it is what it was once
that is rolled back. Raises SqlError 22003 for a number that is out of its bounds, 42P01 where it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlglot.tokens import TokenType

from proxy.engines.duck_names import Meant
from proxy.engines.duck_texts import called_sequence
from proxy.errors import SqlError
from proxy.sql.identities import start_of
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession
    from proxy.session import Session
    from proxy.sql.statement import Restarts, Statement

_STEPS = 1_000_000  # a tenth of a second
_ASKED = """
SELECT start_value::VARCHAR, min_value::VARCHAR, max_value::VARCHAR, increment_by::VARCHAR, cycle,
       last_value::VARCHAR, comment, temporary
FROM duckdb_sequences()
WHERE database_name = {database} AND schema_name = {schema} AND sequence_name = {name}
"""
_DEFAULTS = """
SELECT schema_name, table_name, column_name, column_default FROM duckdb_columns()
WHERE database_name = {database} AND starts_with(column_default, 'nextval(')
  AND contains(column_default, {name})
"""


class _Numbers(NamedTuple):
    """How a sequence counts. next: what it gives next; unsure: that may be the number before.

    DuckDB, opened anew, tells of a sequence that it stands at what it has still to give.
    """

    least: int
    most: int
    step: int
    cycles: bool
    next: int
    comment: str | None
    temporary: bool
    unsure: bool


def set_all(session: Session, plan: Statement, values: Sequence[tuple[int, Any]] = ()) -> None:
    """Blocks. What a statement's calls of setval do; values: of its parameters, (OID, value)."""
    duck = session.duck
    statement = duck.prepare(plan.setting)
    running = duck.start(statement, values)
    running.owns(statement)
    rows: list[tuple[Any, ...]] = []
    try:
        more = True
        while more:
            batch, more = running.fetch_batch()
            if batch is not None:
                rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    finally:
        running.close()
    for row in rows:
        for name, number, called in zip(row[::3], row[1::3], row[2::3], strict=True):
            if name is not None and number is not None and called is not None:
                _set(duck, name, number, called)
                session.transaction.wrote_once("setval")


def _set(duck: DuckSession, name: str, number: int, called: bool) -> None:
    parts = tuple(
        token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()
        for token in DUCKDB.own_tokens(name)
        if token.token_type != TokenType.DOT
    )
    meant = duck.means(parts) if parts else None
    if meant is None:
        raise SqlError("42P01", f'relation "{".".join(parts)}" does not exist')
    if meant.kind != "S":
        detail = (
            f"This operation is not supported for {'tables' if meant.kind == 'r' else 'views'}."
        )
        raise SqlError("42809", f'cannot open relation "{meant.name}"', detail=detail)
    numbers = _numbers(duck, meant)
    if not numbers.least <= number <= numbers.most:
        message = f'setval: value {number} is out of bounds for sequence "{meant.name}" '
        raise SqlError("22003", f"{message}({numbers.least}..{numbers.most})")
    following = number + numbers.step if called else number
    if called:
        duck.know_who_draws().hold(((meant.schema.lower(),), meant.name.lower()), number)
    if not numbers.least <= following <= numbers.most:
        raise SqlError("0A000", "setval to the last number of a sequence is not supported")
    steps, rest = divmod(following - numbers.next, numbers.step)
    if rest or numbers.unsure or not 0 <= steps <= _STEPS:
        _make_anew(duck, meant, numbers, following)
    elif steps:
        own = literal(quoted(meant.schema, meant.name))
        duck.run(f"SELECT max(system.main.nextval({own})) FROM range({steps})")


def _numbers(duck: DuckSession, meant: Meant) -> _Numbers:
    where = {
        "database": literal(meant.database),
        "schema": literal(meant.schema),
        "name": literal(meant.name),
    }
    ((start, least, most, step, cycles, last, comment, temporary),) = duck.run(
        _ASKED.format(**where)
    )
    following = int(start) if last is None else int(last) + int(step)
    bounds = int(least), int(most), int(step)
    unsure = last is not None and last == start
    own = cycles in (True, "true"), following, comment, temporary in (True, "true"), unsure
    return _Numbers(*bounds, *own)


def _make_anew(duck: DuckSession, meant: Meant, numbers: _Numbers, following: int) -> None:
    """In the session's transaction, or in one of its own."""
    inside = duck.in_block
    if not inside:
        duck.begin()
    try:
        for sql in _anew(duck, meant, numbers, following):
            duck.start_text(sql).finish()
    except BaseException:
        if not inside:
            duck.rollback()
        raise
    if not inside:
        duck.commit()


def restarted_with(duck: DuckSession, plan: Restarts) -> list[str]:
    """Blocks. The statements of an ALTER SEQUENCE ... RESTART."""
    meant = duck.means(plan.sequence)
    if meant is None:
        if plan.exists:
            return [_NOTHING]
        raise SqlError("42P01", f'relation "{plan.sequence[-1]}" does not exist')
    if meant.kind != "S":
        raise SqlError("42809", f'"{meant.name}" is not a sequence')
    if plan.number is None:
        return restarted(duck, meant) or [_NOTHING]
    numbers = _numbers(duck, meant)
    for beyond, bound, name in (
        (plan.number < numbers.least, numbers.least, "less than MINVALUE"),
        (plan.number > numbers.most, numbers.most, "greater than MAXVALUE"),
    ):
        if beyond:
            message = f"RESTART value ({plan.number}) cannot be {name} ({bound})"
            raise SqlError("22023", message)
    return _anew(duck, meant, numbers, plan.number)


_NOTHING = "SELECT 1 LIMIT 0"


def restarted(duck: DuckSession, meant: Meant) -> list[str]:
    """Blocks. What makes the sequence of a column begin anew; [] for one that has not begun."""
    numbers = _numbers(duck, meant)
    start = start_of(numbers.comment, (numbers.least, numbers.most, numbers.step))
    if numbers.next == start and not numbers.unsure:
        return []
    return _anew(duck, meant, numbers, start)


def _anew(duck: DuckSession, meant: Meant, numbers: _Numbers, following: int) -> list[str]:
    """The statements that make a sequence anew, and the defaults that call it."""
    if numbers.temporary:
        raise SqlError("0A000", "setting a temporary sequence to such a number is not supported")
    own = quoted(meant.schema, meant.name)
    columns = [
        (quoted(schema, table), quoted(column), default)
        for schema, table, column, default in duck.run(
            _DEFAULTS.format(database=literal(meant.database), name=literal(meant.name))
        )
        if _calls(duck, default, schema, meant)
    ]
    cycle = " CYCLE" if numbers.cycles else ""
    statements = [
        *(f"ALTER TABLE {table} ALTER {column} DROP DEFAULT" for table, column, _ in columns),
        f"DROP SEQUENCE {own}",
        f"CREATE SEQUENCE {own} INCREMENT BY {numbers.step} MINVALUE {numbers.least} "
        f"MAXVALUE {numbers.most} START WITH {following}{cycle}",
        *(
            f"ALTER TABLE {table} ALTER {column} SET DEFAULT {default}"
            for table, column, default in columns
        ),
    ]
    if numbers.comment is not None:
        statements.append(f"COMMENT ON SEQUENCE {own} IS {literal(numbers.comment)}")
    return statements


def _calls(duck: DuckSession, default: str, schema: str, meant: Meant) -> bool:
    called = called_sequence(default)
    if called is None:
        return False
    return (duck.means(called) or duck.means((meant.database, schema, called[-1]))) == meant
