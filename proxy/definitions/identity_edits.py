"""ALTER TABLE ... ALTER COLUMN ... ADD GENERATED AS IDENTITY, and DROP IDENTITY, of a table that is there.

Why it exists: pg_dump writes every identity so, after its table. What numbers a column is a sequence and a
default (`proxy.sql.definitions.identities`), and neither needs the table to be made anew.

Promises: raises SqlError as Postgres does for a column that cannot become one, or is none, and for what
ALTER COLUMN may not do to one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.engines.duck.texts import called_sequence
from proxy.errors import SqlError
from proxy.sql.definitions.edits import AddIdentity, DropIdentity, SetDefault, SetNull, SetType
from proxy.sql.definitions.identities import MARKS, kind_of, numbered, numbering_of
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from proxy.definitions.rebuilding import Table
    from proxy.definitions.table_parts import Column
    from proxy.engines.duck.session import DuckSession

_MOST = {"SMALLINT": 2**15 - 1, "INTEGER": 2**31 - 1, "BIGINT": 2**63 - 1}
_COMMENT = """
SELECT comment FROM duckdb_sequences()
WHERE database_name = {database} AND schema_name = {schema} AND sequence_name = {name}
"""
_NOTHING = "SELECT 1 LIMIT 0"


def add_identity(table: Table, edit: AddIdentity, duck: DuckSession) -> None:
    """Blocks."""
    column = table.column(edit.name)
    what = f'column "{column.name}" of relation "{table.name}"'
    most = _MOST.get(column.kind)
    if most is None:
        raise SqlError("22023", "identity column type must be smallint, integer, or bigint")
    if not column.not_null:
        raise SqlError("55000", f"{what} must be declared NOT NULL before identity can be added")
    if _sequence_of(duck, table, column) is not None:
        raise SqlError("55000", f"{what} is already an identity column")
    if column.default is not None:
        raise SqlError("55000", f"{what} already has a default value")
    mark = next(text for text, kind in MARKS.items() if (kind == "a") == edit.always)
    counted = numbering_of(dict(edit.options), most)
    place = (table.new,) if table.temporary else (table.new_schema, table.new)
    table.after.append(_NOTHING)  # in the first statement no name is chosen
    table.after += numbered(place, column.name, table.temporary, mark, counted)


def drop_identity(table: Table, edit: DropIdentity, duck: DuckSession) -> None:
    """Blocks."""
    column = table.column(edit.name)
    sequence = _sequence_of(duck, table, column)
    if sequence is not None:
        own = quoted(table.database, table.schema, sequence)
        name = f"ALTER TABLE {table.target} ALTER COLUMN {quoted(column.name)}"
        table.after += [f"{name} DROP DEFAULT", f"DROP SEQUENCE {own}"]
    elif not edit.exists:
        what = f'column "{column.name}" of relation "{table.name}"'
        raise SqlError("55000", f"{what} is not an identity column")


def check_kept(table: Table, edit: SetNull | SetDefault | SetType, duck: DuckSession) -> None:
    """Blocks. Raises SqlError where an identity would get another default or type, or take NULL."""
    column = table.column(edit.name)
    if isinstance(edit, SetNull) and not edit.nullable:
        return
    if _sequence_of(duck, table, column) is None:
        return
    if isinstance(edit, SetType):
        [(kind,)] = duck.run(f"SELECT typeof(CAST(NULL AS {edit.kind}))")
        if kind not in _MOST:
            raise SqlError("22023", "identity column type must be smallint, integer, or bigint")
        return
    drops = isinstance(edit, SetDefault) and edit.sql is None
    message = f'column "{column.name}" of relation "{table.name}" is an identity column'
    hint = "Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead." if drops else None
    raise SqlError("42601", message, hint=hint)


def _sequence_of(duck: DuckSession, table: Table, column: Column) -> str | None:
    """The sequence that makes a column an identity."""
    called = called_sequence(column.default) if column.default is not None else None
    if called is None:
        return None
    query = _COMMENT.format(
        database=literal(table.database), schema=literal(table.schema), name=literal(called[-1])
    )
    return called[-1] if any(kind_of(comment) for (comment,) in duck.run(query)) else None
