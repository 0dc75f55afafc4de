"""TRUNCATE of Postgres's: several tables at once, those that refer to them, the sequences of their columns.

Why it exists: DuckDB truncates one table, and none that has rows referring to its own, not even together
with these. Tables between which there are references are made anew without their rows instead; their
sequences are made anew where they shall begin again.

Promises: all statements are for one transaction. Raises SqlError as Postgres does where a table is referred
to by one that keeps its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from proxy.definitions.altered_tables import Altering, referring_tables
from proxy.definitions.materialized import check_table
from proxy.definitions.rebuilding import Table
from proxy.definitions.set_sequences import restarted
from proxy.engines.duck.names import Meant
from proxy.errors import SqlError
from proxy.sql.quoting import quoted
from proxy.sql.statement import Truncates

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession

CASCADES = "truncate cascades to table"


def truncated(duck: DuckSession, plan: Truncates) -> Altering:
    """Blocks. DuckDB's statements, and what goes beside."""
    named = list(dict.fromkeys(_table(duck, name) for name in plan.tables))
    referring = {one: referring_tables(duck, one) for one in named}
    found = dict.fromkeys(chain.from_iterable(referring.values()))
    more = [other for other in found if other not in referring]
    if more and not plan.cascades:
        raise _referred(duck, named)
    tables = [*named, *more]
    referring |= {one: referring_tables(duck, one) for one in more}
    together = _each(*([one, *others] for one, others in referring.items() if others))
    statements = [_without_rows(one) for one in tables if one not in together]
    made = [Table(duck, one) for one in together]
    statements += [f"DROP TABLE {quoted(*one[:3])}" for one in reversed(together)]
    statements += [sql for table in made for sql in table.made_empty()]
    if plan.restarts:
        statements += [
            sql
            for one in tables
            for sequence in _sequences(duck, one)
            for sql in restarted(duck, sequence)
        ]
    gone = tuple(f'{CASCADES} "{one.name}"' for one in more)
    return Altering(statements, tuple((one.schema, one.name) for one in together), gone)


def _table(duck: DuckSession, name: tuple[str, ...]) -> Meant:
    meant = duck.means(name)
    if meant is None:
        raise SqlError("42P01", f'relation "{name[-1]}" does not exist')
    if meant.kind != "r":
        raise SqlError("42809", f'"{meant.name}" is not a table')
    check_table(duck, meant)
    return meant


def _referred(duck: DuckSession, named: list[Meant]) -> SqlError:
    for one in named:
        for other in duck.referring(one.schema, one.name):
            if all(table[:3] != (one.database, one.schema, other) for table in named):
                return SqlError(
                    "0A000",
                    "cannot truncate a table referenced in a foreign key constraint",
                    detail=f'Table "{other}" references "{one.name}".',
                    hint=f'Truncate table "{other}" at the same time, or use TRUNCATE ... CASCADE.',
                )
    return SqlError("0A000", "cannot truncate a table referenced in a foreign key constraint")


def _each(*lists: Iterable[Meant]) -> list[Meant]:
    """The tables of all lists, each after those before it in any of them."""
    found: dict[Meant, None] = {}
    for some in lists:
        for one in some:
            found.pop(one, None)
            found[one] = None
    return list(found)


def _without_rows(one: Meant) -> str:
    return f"TRUNCATE {quoted(*one[:3])}"


def _sequences(duck: DuckSession, table: Meant) -> list[Meant]:
    """Those that were made for its columns."""
    places = [(table.schema, *one)[-2:] for one in duck.own_sequences(table)]
    found = [duck.means((table.database, *place)) for place in places]
    return [meant for meant in found if meant is not None and meant.kind == "S"]
