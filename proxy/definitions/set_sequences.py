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

from proxy.definitions.altered_tables import Altering
from proxy.engines.duck.names import Meant
from proxy.engines.duck.texts import called_sequence
from proxy.errors import SqlError
from proxy.sql.definitions.identities import kind_of, start_of, started
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Restarts, Statement

_STEPS = 1_000_000  # a tenth of a second
_ASKED = """
SELECT start_value::VARCHAR, min_value::VARCHAR, max_value::VARCHAR, increment_by::VARCHAR, cycle,
       _sf.main.next_number_(sql)::VARCHAR, last_value IS NOT NULL, comment, temporary
FROM duckdb_sequences()
WHERE database_name = {database} AND schema_name = {schema} AND sequence_name = {name}
"""
_DEFAULTS = """
SELECT schema_name, table_name, column_name, column_default FROM duckdb_columns()
WHERE database_name = {database} AND starts_with(column_default, 'nextval(')
  AND contains(column_default, {name})
"""


class _Numbers(NamedTuple):
    """How a sequence counts. next: what it gives next. start: where DuckDB began it. begun: whether it has
    given a number since.
    """

    least: int
    most: int
    step: int
    cycles: bool
    next: int
    comment: str | None
    temporary: bool
    start: int
    begun: bool


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
    if rest or not 0 <= steps <= _STEPS:
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
    ((start, least, most, step, cycles, following, begun, comment, temporary),) = duck.run(
        _ASKED.format(**where)
    )
    bounds = int(least), int(most), int(step)
    own = cycles in (True, "true"), int(following), comment, temporary in (True, "true")
    return _Numbers(*bounds, *own, int(start), begun in (True, "true"))


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


def restarted_with(duck: DuckSession, plan: Restarts) -> list[str] | Altering:
    """Blocks. The statements of an ALTER SEQUENCE. Raises SqlError 22023 for what is no way to count."""
    meant = duck.means(plan.sequence)
    if meant is None:
        if plan.exists:
            return [_NOTHING]
        raise SqlError("42P01", f'relation "{plan.sequence[-1]}" does not exist')
    if plan.column:
        meant = _of_column(duck, meant, plan.column)
    if meant.kind != "S":
        raise SqlError("42809", f'"{meant.name}" is not a sequence')
    before, options = _numbers(duck, meant), dict(plan.options)
    numbers = _counting(before, options)
    following = _following(before, numbers, options)
    if "RESTART" in options or following < numbers.least or following > numbers.most:
        _check(numbers, "RESTART value", following)
    if numbers == before and "RESTART" not in options:
        return [_NOTHING]
    if numbers == before and options["RESTART"] is None:
        return restarted(duck, meant) or [_NOTHING]
    statements = _anew(duck, meant, numbers, following)
    if numbers == before:
        return statements
    tables = ((schema, table) for schema, table, *_ in _called_by(duck, meant))
    return Altering(statements, ((meant.schema, meant.name), *tables))


def _of_column(duck: DuckSession, table: Meant, column: str) -> Meant:
    """The sequence that makes a column an identity."""
    listed = f"SELECT name, dflt_value FROM pragma_table_info({literal(quoted(*table[:3]))})"
    defaults = dict(duck.run(listed))
    if column not in defaults:
        message = f'column "{column}" of relation "{table.name}" does not exist'
        raise SqlError("42703", message)
    called = called_sequence(defaults[column] or "")
    sequence = duck.means((table.schema, called[-1])) if called is not None else None
    if sequence is None or kind_of(_numbers(duck, sequence).comment) is None:
        message = f'column "{column}" of relation "{table.name}" is not an identity column'
        raise SqlError("55000", message)
    return sequence


def _counting(before: _Numbers, options: dict[str, int | None]) -> _Numbers:
    """How a sequence counts with these options."""
    step = options.get("INCREMENT") or (0 if "INCREMENT" in options else before.step)
    if not step:
        raise SqlError("22023", "INCREMENT must not be zero")
    bound = next((one for one in _BOUNDS if one in (before.most, -before.least - 1)), _MOST)
    down = -bound - (bound < _MOST)
    least, most = options.get("MINVALUE", before.least), options.get("MAXVALUE", before.most)
    least = (1 if step > 0 else down) if least is None else least
    most = (bound if step > 0 else -1) if most is None else most
    if least >= most:
        raise SqlError("22023", f"MINVALUE ({least}) must be less than MAXVALUE ({most})")
    comment = before.comment
    own = kind_of(comment) is not None
    start = start_of(comment, before[:3]) if own else before.start
    wanted = options.get("START")
    if wanted is None or wanted == start or (not own and wanted == before.least):
        wanted = start
    elif not own:
        raise SqlError(
            "0A000", "ALTER SEQUENCE ... START of a sequence of no identity is not supported"
        )
    cycles = bool(options.get("CYCLE", before.cycles))
    if own and (wanted, least, most) != (start, before.least, before.most):
        comment = started(comment or "", wanted, (least, most, step))
    numbers = before._replace(least=least, most=most, step=step, cycles=cycles, comment=comment)
    if own or before.begun:
        _check(numbers, "START value", wanted)
    return numbers


def _following(before: _Numbers, numbers: _Numbers, options: dict[str, int | None]) -> int:
    """What it gives next: of one that setval has set it is not known whether that counts as given."""
    if "RESTART" in options:
        number = options["RESTART"]
        return start_of(numbers.comment, numbers[:3]) if number is None else number
    if numbers.step == before.step:
        return before.next
    if not before.begun:
        if before.next != (before.least if before.step > 0 else before.most):
            raise SqlError("0A000", "ALTER SEQUENCE ... INCREMENT behind setval is not supported")
        return before.next
    return before.next - before.step + numbers.step


def _check(numbers: _Numbers, what: str, number: int) -> None:
    for beyond, bound, name in (
        (number < numbers.least, numbers.least, "less than MINVALUE"),
        (number > numbers.most, numbers.most, "greater than MAXVALUE"),
    ):
        if beyond:
            raise SqlError("22023", f"{what} ({number}) cannot be {name} ({bound})")


_MOST = 2**63 - 1
_BOUNDS = (2**15 - 1, 2**31 - 1)
"""Of the types of sequences."""
_NOTHING = "SELECT 1 LIMIT 0"


def restarted(duck: DuckSession, meant: Meant) -> list[str]:
    """Blocks. What makes the sequence of a column begin anew; [] for one that has not begun."""
    numbers = _numbers(duck, meant)
    start = start_of(numbers.comment, (numbers.least, numbers.most, numbers.step))
    if numbers.next == start:
        return []
    return _anew(duck, meant, numbers, start)


def _anew(duck: DuckSession, meant: Meant, numbers: _Numbers, following: int) -> list[str]:
    """The statements that make a sequence anew, and the defaults that call it."""
    if numbers.temporary:
        raise SqlError("0A000", "setting a temporary sequence to such a number is not supported")
    own = quoted(meant.schema, meant.name)
    columns = [
        (quoted(schema, table), quoted(column), default)
        for schema, table, column, default in _called_by(duck, meant)
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


def _called_by(duck: DuckSession, meant: Meant) -> list[tuple[str, str, str, str]]:
    """Schema, table and column of each default that calls a sequence, and that."""
    query = _DEFAULTS.format(database=literal(meant.database), name=literal(meant.name))
    return [one for one in duck.run(query) if _calls(duck, one[3], one[0], meant)]


def _calls(duck: DuckSession, default: str, schema: str, meant: Meant) -> bool:
    called = called_sequence(default)
    if called is None:
        return False
    return (duck.means(called) or duck.means((meant.database, schema, called[-1]))) == meant
