"""ALTER TABLE where DuckDB needs more than the one statement: of views, and of tables with indexes.

ALTER TABLE ... RENAME TO of a view becomes ALTER VIEW, which DuckDB insists on. It changes next to
nothing of a table that has an index. So the indexes are dropped, and made again when it is done: in
the same transaction, under their own names, as Postgres has them then. A column that is indexed
cannot change its type or go in the transaction that drops its index, and a unique index cannot come
back in it under its name: there a copy takes the table's place, and gets the indexes. So it is with
a new name: after DROP INDEX, RENAME and a later DROP TABLE, DuckDB's list of indexes fails in other
sessions for a moment.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp

from proxy.defining import literal, made_after, quoted
from proxy.engines.duck import DATABASE, TEMPORARY, Entry
from proxy.sql.reading import DUCKDB, write_duckdb
from proxy.sql.statement import Alters, Copies, Statement

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession
    from proxy.session import Session

_INDEXES = """
SELECT database_name, schema_name, table_name, index_name, is_unique, sql FROM duckdb_indexes()
WHERE database_name = {} AND lower(schema_name) = lower({}) AND table_name = {}
"""


_SCHEMAS = f"SELECT schema_name FROM duckdb_schemas() WHERE database_name = '{DATABASE}'"


class _Index(NamedTuple):
    database: str
    schema: str
    table: str
    name: str
    unique: bool
    sql: str


async def copied(session: Session, plan: Statement) -> Statement:
    """The plan with what the definition that it names makes of it; as it is for all others.

    Raises SqlError 0A000 for a table that would be made of itself.
    """
    if plan.copies is None:
        return plan
    if isinstance(plan.copies, Alters):
        return await _altered(session, plan, plan.copies)
    made = await session.on_duck(made_after, session.duck, plan.copies)
    return plan if made is None else replace(plan, sql=made[0], then=(*made[1:], *plan.then))


async def _altered(session: Session, plan: Statement, alters: Alters) -> Statement:
    """The plan as the relation that it alters takes it. Raises `SqlError`."""
    view, indexes, before, done = await session.on_duck(_look, session.duck, alters)
    if view:
        return replace(plan, sql=alters.of_view)
    if not indexes:
        return plan
    own = [] if done else [plan.sql, *plan.then]
    made = [sql for index in indexes if (sql := _again(index, alters))]
    first, *others = [*before, *own, *made]
    return replace(plan, sql=first, then=tuple(others))


def _look(duck: DuckSession, alters: Alters) -> tuple[bool, list[_Index], list[str], bool]:
    """Blocks. Whether it is a view; a table's indexes; what rids it of them; whether that is all."""
    found = _found(duck, alters.table)
    if found is None:
        return False, [], [], False
    database, schema, entry = found
    if entry.kind == "v" and alters.of_view:
        return True, [], [], False
    listed = _INDEXES.format(*map(literal, (database, schema, entry.name)))
    indexes = [_Index(*row) for row in duck.run(listed)]
    moved = alters.renamed or alters.dropped or alters.retyped
    if indexes and (moved or any(index.unique for index in indexes)):
        return False, indexes, _replaced(duck, alters, indexes[0]), bool(alters.renamed)
    return False, indexes, [_dropped(index) for index in indexes], False


def _found(duck: DuckSession, parts: tuple[str, ...]) -> tuple[str, str, Entry] | None:
    """Blocks. What a name means: its database and schema, and what it is; None for nothing."""
    *places, name = parts
    if not places:
        ((path,),) = duck.run("SELECT array_to_string(current_schemas(false), chr(0))")
        searched = [(TEMPORARY, "main"), *((DATABASE, schema) for schema in path.split("\0"))]
    elif places[-1].lower() == TEMPORARY or places[0].lower() == TEMPORARY:
        searched = [(TEMPORARY, "main")]
    else:
        searched = [(DATABASE, places[-1])]
    there = {schema.casefold() for (schema,) in duck.run(_SCHEMAS)}
    for database, schema in searched:
        if schema.casefold() in there:
            entry = duck.entry(schema, name, database)
            if entry is not None:
                return database, schema, entry
    return None


def _dropped(index: _Index) -> str:
    return f"DROP INDEX {quoted(index.database, index.schema, index.name)}"


def _replaced(duck: DuckSession, alters: Alters, index: _Index) -> list[str]:
    """Blocks. A copy in the place of the index's table, under its new name if it gets one."""
    database, schema, table = index[:3]
    name = alters.renamed or f"hd_{secrets.token_hex(8)}"
    opening = "CREATE TEMPORARY TABLE" if database == "temp" else "CREATE TABLE"
    copies = Copies((database, schema, table), (database, schema, name), True, opening)
    copy = made_after(duck, copies)
    assert copy is not None
    made = [*copy, f"DROP TABLE {quoted(database, schema, table)}"]
    if not alters.renamed:
        made.append(f"ALTER TABLE {quoted(database, schema, name)} RENAME TO {quoted(table)}")
    return made


def _again(index: _Index, alters: Alters) -> str:
    """What makes the index of the table as it is then; '' where a column of it has gone."""
    renamed = {old.casefold(): new for old, new in alters.columns}
    dropped = {name.casefold() for name in alters.dropped}
    tree = DUCKDB.parse(index.sql, DUCKDB.tokenize(index.sql))
    columns = list(tree.this.args["params"].find_all(exp.Column))
    if any(column.name.casefold() in dropped for column in columns):
        return ""
    for column in columns:
        if (new := renamed.get(column.name.casefold())) is not None:
            column.set("this", exp.Identifier(this=new, quoted=True))
    table = exp.table_(alters.renamed or index.table, index.schema, index.database, quoted=True)
    tree.this.set("table", table)
    return write_duckdb(tree)
