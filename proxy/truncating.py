"""TRUNCATE of Postgres's: several tables at once, those that refer to them, the sequences of their columns.

Why it exists: DuckDB truncates one table, and none that has rows referring to its own, not even together
with these. Tables between which there are references are made anew without their rows instead; their
sequences are made anew where they shall begin again.

Promises: all statements are for one transaction. Raises SqlError as Postgres does where a table is referred
to by one that keeps its rows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from proxy.altered_tables import Altering, referring_tables
from proxy.engines.duck_names import Meant
from proxy.engines.duck_texts import called_sequence, is_own
from proxy.errors import SqlError
from proxy.rebuilding import Table
from proxy.set_sequences import restarted
from proxy.sql.quoting import literal, quoted
from proxy.sql.statement import Truncates

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession

CASCADES = "truncate cascades to table"
_DEFAULTS = """
SELECT name, dflt_value FROM pragma_table_info({name}) WHERE starts_with(dflt_value, 'nextval(')
"""


def truncated(duck: DuckSession, plan: Truncates) -> Altering:
    """Blocks. DuckDB's statements, and what goes beside."""
    named = list(dict.fromkeys(_table(duck, name) for name in plan.tables))
    tables, more = list(named), list[Meant]()
    for one in named:
        for other in referring_tables(duck, one):
            if other in tables:
                continue
            if not plan.cascades:
                raise _referred(duck, named)
            tables.append(other)
            more.append(other)
    anew = [one for one in tables if referring_tables(duck, one)]
    together = _in_order(duck, anew)
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


def _in_order(duck: DuckSession, anew: list[Meant]) -> list[Meant]:
    """The tables that are referred to, and those that refer to them, each after what it refers to."""
    found: dict[Meant, None] = {}
    for one in anew:
        if one not in found:
            found[one] = None
        for other in referring_tables(duck, one):
            found.pop(other, None)
            found[other] = None
    return list(found)


def _without_rows(one: Meant) -> str:
    return f"TRUNCATE {quoted(*one[:3])}"


def _sequences(duck: DuckSession, table: Meant) -> list[Meant]:
    """Those that were made for its columns."""
    found = []
    defaults_of = partial(duck.counting_defaults, table.database, table.schema)
    for column, default in duck.run(_DEFAULTS.format(name=literal(quoted(*table[:3])))):
        called = called_sequence(default)
        if called is not None and is_own(called[-1], table.name, column, defaults_of):
            where = table.schema if len(called) < 2 else called[-2]
            meant = duck.means((table.database, where, called[-1]))
            found += [meant] if meant is not None and meant.kind == "S" else []
    return found
