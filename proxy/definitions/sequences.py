"""Sequences that are altered: each is made anew, to go on where it has come to.

DuckDB alters no sequence, and drops none that a column's default reads: such a one is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.session.portal import Outcome
from proxy.sql.compound import AlterSequence
from proxy.sql.definitions.touched import Touched
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from proxy.session.session import Session

_ASKED = (
    "SELECT schema_name, sequence_name, _sf.main.next_number_(sql), increment_by, "
    "min_value, max_value, cycle, coalesce(comment, ''), temporary FROM duckdb_sequences() "
    "WHERE database_name IN (current_database(), 'temp') AND lower(sequence_name) = lower({name}) "
    "AND schema_name IN ({schemas}) ORDER BY temporary DESC, "
    "list_position(current_schemas(true), schema_name) LIMIT 1"
)


async def alter(session: Session, action: AlterSequence) -> Outcome:
    """Raises 42P01 where there is none, 0A000 for one that something depends on."""
    schemas = "SELECT unnest(current_schemas(true))"
    if len(action.name) > 1:
        schemas = literal("main" if action.name[-2] == "public" else action.name[-2])
    asked = _ASKED.format(name=literal(action.name[-1]), schemas=schemas)
    rows = await session.on_duck(session.duck.run, asked)
    if not rows:
        if action.if_exists:
            return Outcome("ALTER SEQUENCE")
        raise SqlError("42P01", f'relation "{action.name[-1]}" does not exist')
    schema, name, start, step, least, most, cycles, comment, temporary = rows[0]
    if action.increment == 0:
        raise SqlError("22023", "INCREMENT must not be zero")
    increment = int(step) if action.increment is None else action.increment
    if action.increment is not None:
        start = str(int(start) - int(step) + increment)
        if (increment < 0) != (int(step) < 0):
            least, most = "-9223372036854775807", "9223372036854775806"
    if temporary in (True, "true"):
        raise SqlError("0A000", "ALTER SEQUENCE of a temporary sequence is not supported")
    place = (schema, name)
    if action.rename:
        given = action.rename[-2:-1]
        place = (
            (("main" if given[0] == "public" else given[0]) if given else schema),
            action.rename[-1],
        )
    said = comment if action.comment is None else action.comment
    cycle = " CYCLE" if cycles in (True, "true") else ""
    create = (
        f"CREATE SEQUENCE {quoted(*place)} INCREMENT BY {increment} MINVALUE {least} "
        f"MAXVALUE {most} START WITH {start}{cycle}"
    )
    touched = tuple(Touched(*one, event="") for one in {(schema, name), place})
    await session.mirror.changing(touched)
    async with session.compound.one_transaction():
        if action.increment is not None or action.rename:
            try:
                await session.compound.execute(f"DROP SEQUENCE {quoted(schema, name)}")
            except SqlError as error:
                hint = "A column's default reads it: give the column another default first."
                message = "ALTER SEQUENCE of a sequence that is in use is not supported"
                raise SqlError("0A000", message, detail=error.message, hint=hint) from error
            await session.compound.execute(create)
        comment_sql = literal(said) if said else "NULL"
        await session.compound.execute(f"COMMENT ON SEQUENCE {quoted(*place)} IS {comment_sql}")
        session.transaction.wrote_once("a change of a sequence")
    await session.mirror.changed(touched)
    return Outcome("ALTER SEQUENCE")
