"""Definitions that take more than the one statement that DuckDB is given for a plan.

`run_rest` runs the other parts of a plan. CREATE TABLE ... CLONE and LIKE make a table after
another's definition, as that is now: DuckDB has neither, and CREATE TABLE AS would lose NOT NULL, defaults, keys and comments. So the
definition is read from DuckDB's catalog when the statement runs, and the statement is made of it: the
same text between its brackets, under the new name. An identity gets a sequence of its own, which
goes on where the source's stands (CLONE) or begins anew (LIKE).

What ALTER TABLE needs is in `proxy.redefining`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.reading import DUCKDB
from proxy.sql.snowflake.definitions import SCHEMA, UNIQUE
from proxy.sql.statement import Copies, Statement

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession

_FOUND = """
SELECT t.database_name, t.schema_name, t.table_name, t.sql, t.comment, current_schema()
FROM duckdb_tables() t
WHERE lower(t.table_name) = lower({name})
  AND t.database_name || '.' || t.schema_name =
      coalesce({place}, _sf.main.schema_of_(t.table_name))
"""
_COMMENTS = """
SELECT column_name, comment FROM duckdb_columns()
WHERE database_name = {database} AND schema_name = {schema} AND table_name = {table}
  AND comment IS NOT NULL
"""
_SEQUENCES = """
SELECT sequence_name, CASE WHEN increment_by > 0 THEN min_value ELSE max_value END, increment_by,
       min_value, max_value,
       CASE WHEN last_value IS NULL THEN start_value ELSE last_value + increment_by END
FROM duckdb_sequences() WHERE database_name = {database} AND schema_name = {schema}
"""


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def named(query: str, name: tuple[str, ...]) -> str:
    """The query, which has places for a relation's {name} and its {place}, about `name`."""
    *places, last = name
    place = "NULL"
    if places:
        database = places[0] if len(places) > 1 else "hatidata"
        place = literal("temp.main" if places[-1] == "temp" else f"{database}.{places[-1]}")
    return query.format(name=literal(last), place=place)


def run_rest(duck: DuckSession, plan: Statement) -> list[str]:
    """Blocks. Runs what comes after the first part of a definition of several; gives what was run."""
    if not plan.then:
        return []
    schema = duck.run("SELECT current_schema()")[0][0].replace('"', '""')
    word = secrets.token_hex(4)
    rest = [sql.replace(UNIQUE, word).replace(SCHEMA, schema) for sql in plan.then]
    for sql in rest:
        duck.start_text(sql).finish()
    return rest


def made_after(duck: DuckSession, copies: Copies) -> list[str] | None:
    """Blocks. DuckDB's statements that make a table after another; None where that is none."""
    found = duck.run(named(_FOUND, copies.source))
    if not found:
        return None
    database, schema, table, definition, comment, current = found[0]
    target = copies.target
    its_schema = target[-2] if len(target) > 1 else current
    if (its_schema.lower(), target[-1].lower()) == (schema.lower(), table.lower()):
        raise SqlError("0A000", "a table cannot be replaced by its own clone")
    before, owned, body = _body(duck, copies, (database, schema), its_schema, definition)
    made = [*before, f"{copies.opening} {quoted(*target)} {body}", *owned]
    if copies.rows:
        made.append(
            f"INSERT INTO {quoted(*target)} SELECT * FROM {quoted(database, schema, table)}"
        )
    if comment is not None:
        made.append(f"COMMENT ON TABLE {quoted(*target)} IS {literal(comment)}")
    of_columns = duck.run(
        _COMMENTS.format(database=literal(database), schema=literal(schema), table=literal(table))
    )
    for column, said in of_columns:
        made.append(f"COMMENT ON COLUMN {quoted(*target, column)} IS {literal(said)}")
    return made


def _body(
    duck: DuckSession, copies: Copies, place: tuple[str, str], its_schema: str, sql: str
) -> tuple[list[str], list[str], str]:
    """The sequences that a definition needs first, whose they are then, and what is in its brackets."""
    tokens = DUCKDB.own_tokens(sql)
    start = next(t.start for t in tokens if t.token_type == TokenType.L_PAREN)
    sequences = {
        row[0]: row[1:]
        for row in duck.run(_SEQUENCES.format(database=literal(place[0]), schema=literal(place[1])))
    }
    *places, table = copies.target
    temporary = "TEMPORARY" in copies.opening
    before: list[str] = []
    owned: list[str] = []
    written, at = "", start
    for token in tokens:
        name = token.text.rpartition('"."')[2].strip('"').replace('""', '"')
        if (
            token.token_type != TokenType.STRING
            or not token.text.endswith('_identity"')
            or name not in sequences
        ):
            continue
        first, step, least, most, following = sequences[name]
        own = f"{table}_{secrets.token_hex(4)}_identity"
        before.append(
            f"CREATE {'TEMP ' if temporary else ''}SEQUENCE {quoted(*places, own)} "
            f"INCREMENT BY {step} MINVALUE {least} MAXVALUE {most} "
            f"START WITH {following if copies.rows else first}"
        )
        if not temporary:
            owner = quoted(its_schema, table)
            owned.append(f"ALTER SEQUENCE {quoted(*places, own)} OWNED BY {owner}")
        place_of_own = () if temporary else (its_schema,)
        written += sql[at : token.start] + literal(quoted(*place_of_own, own))
        at = token.end + 1
    return before, owned, (written + sql[at:]).rstrip().removesuffix(";")
