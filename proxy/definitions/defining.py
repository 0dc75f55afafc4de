"""Definitions that take more than the one statement that DuckDB is given for a plan.

`run_rest` runs the other parts of a plan. CREATE TABLE ... CLONE and LIKE make a table after
another's definition, as that is now: DuckDB has neither, and CREATE TABLE AS would lose NOT NULL, defaults, keys and comments. So the
definition is read from DuckDB's catalog when the statement runs, and the statement is made of it: the
same text between its brackets, under the new name. An identity gets a sequence of its own, which
goes on where the source's stands (CLONE) or begins anew (LIKE).

ALTER TABLE ... RENAME TO of a view becomes ALTER VIEW, which DuckDB insists on; other ALTER TABLEs
may make a table anew (`proxy.definitions.rebuilding`).
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot.tokens import TokenType

from proxy.definitions.altered_tables import (
    Altering,
    dropped,
    keys_to,
    moved_view,
    rebuilt,
    renamed,
)
from proxy.definitions.dependents import (
    check_free,
    is_materialized,
    notice,
    views_over,
    views_renamed,
    views_without_columns,
)
from proxy.definitions.dropped_schemas import own_sequences, schema_dropped
from proxy.definitions.enumerated import enumeration_altered, enumeration_made, type_dropped
from proxy.definitions.following import claim_dropped, free_to_follow
from proxy.definitions.liking import made_like
from proxy.definitions.made_tables import bound
from proxy.definitions.made_views import added_columns, bound_text, bound_view
from proxy.definitions.materialized import check_table, check_target
from proxy.definitions.referred_keys import with_keys
from proxy.definitions.renamed_indexes import index_renamed
from proxy.definitions.set_sequences import restarted_with
from proxy.definitions.truncating import truncated
from proxy.engines.duck.names import Meant
from proxy.errors import SqlError
from proxy.mirror.session_mirror import schemas_named
from proxy.sql.definitions.edits import Rebuilds
from proxy.sql.definitions.identities import FREE, SCHEMA, UNIQUE
from proxy.sql.definitions.liking import Likes
from proxy.sql.definitions.touched import Touched
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB
from proxy.sql.statement import (
    Alters,
    AltersEnumeration,
    Copies,
    Drops,
    DropsType,
    MakesEnumeration,
    MakesView,
    Owns,
    RenamesIndex,
    Restarts,
    Statement,
    Truncates,
)

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session

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
       min_value, max_value, _sf.main.next_number_(sql)
FROM duckdb_sequences() WHERE database_name = {database} AND schema_name = {schema}
"""


def run_rest(duck: DuckSession, plan: Statement) -> list[tuple[str, int]]:
    """Blocks. Runs what comes after the first part of a definition of several.

    Gives what was run, and how many rows each part changed or gave.
    """
    if not plan.then:
        return []
    schema = duck.current_schema().replace('"', '""')
    word = secrets.token_hex(4)
    rest = [sql.replace(UNIQUE, word).replace(SCHEMA, schema) for sql in plan.then]
    rest = _freely_numbered(duck, rest)
    return [(sql, duck.start_text(sql).run_out()) for sql in rest]


def _freely_numbered(duck: DuckSession, statements: list[str]) -> list[str]:
    """Sequences whose names are taken get a number, as Postgres gives them one."""
    if not any(FREE in sql for sql in statements):
        return statements
    taken = {name for (name,) in duck.run("SELECT sequence_name FROM duckdb_sequences()")}
    wanted = [
        token.text
        for sql in statements
        for token in DUCKDB.own_tokens(sql)
        if token.token_type == TokenType.IDENTIFIER and token.text.endswith(FREE)
    ]
    numbers = itertools.chain([""], map(str, itertools.count(1)))
    number = next(n for n in numbers if not any(w.replace(FREE, n) in taken for w in wanted))
    return [sql.replace(FREE, number) for sql in statements]


def _found(query: str, name: tuple[str, ...]) -> str:
    """The query, which has places for a relation's {name} and its {place}, about `name`."""
    *places, last = name
    place = "NULL"
    if places:
        place = literal(f"{places[0] if len(places) > 1 else 'hatidata'}.{places[-1]}")
    return query.format(name=literal(last), place=place)


async def copied(session: Session, plan: Statement) -> Statement:
    """The plan with what the definition that it names makes of it; as it is for all others.

    Raises SqlError 0A000 for a table that would be made of itself.
    """
    await check_target(session, plan)
    await _check_place(session, plan)
    plan = await bound(session, plan)
    if plan.copies is not None:
        plan = await _made_of_it(session, plan)
    return await with_keys(session, plan)


async def _made_of_it(session: Session, plan: Statement) -> Statement:
    if isinstance(plan.copies, Rebuilds):
        cannot = session.transaction.cannot_alter
        written = await session.duck.compute(cannot, plan.copies.table[-1])
        plan = replace(plan, copies=replace(plan.copies, written=written))
    drops = isinstance(plan.copies, Drops) and plan.copies.cascades
    if drops:
        await session.services.claims.wait(session)
    made: list[str] | Altering | None
    if isinstance(plan.copies, AltersEnumeration):
        changed = session.transaction.has_changed_rows
        given = (enumeration_altered, session.duck, plan.copies, changed)
        made = await session.on_duck(*given, helped=False)
    else:
        made = await session.on_duck(_READERS[type(plan.copies)], session.duck, plan, helped=False)
    if made is None:
        return plan
    if isinstance(made, Altering):
        if drops:
            claim_dropped(session, made.beside)
        made = made.followed(await free_to_follow(session, made.following))
        beside = (Touched(schema, name, deep=True, event="") for schema, name in made.beside)
        anew = isinstance(plan.copies, Rebuilds)  # all of it may come out otherwise
        own = (replace(one, deep=True) if anew else one for one in plan.touched)
        plan = replace(plan, touched=(*own, *beside), cascaded=made.gone)
        made = made.statements
    if isinstance(plan.copies, MakesView) and plan.touched[0].source is not None:
        view, *others = plan.touched
        given = (bound_text, session.duck, plan.copies, view.source, plan.sql, made[0])
        view = replace(view, source=await session.on_duck(*given, helped=False))
        plan = replace(plan, touched=(view, *others))
    rest = () if isinstance(plan.copies, Rebuilds) else plan.then
    return replace(plan, sql=made[0], then=(*made[1:], *rest))


async def _check_place(session: Session, plan: Statement) -> None:
    """Raises SqlError 3F000 where the search_path has no schema for what is made without one's name."""
    if plan.kind not in _PLACED or session.dialect.name != "postgres":
        return
    searched = schemas_named(session.settings.get("search_path"))
    if "main" in searched or "pg_temp" in searched:
        return
    if any(one.name and one.schema is None and not one.temporary for one in plan.touched):
        there = await session.on_duck(session.duck.schemas)
        if not any(name in there.values() for name in searched):
            raise SqlError("3F000", "no schema has been selected to create in")


_PLACED = frozenset({"CREATE TABLE", "CREATE TABLE AS", "CREATE VIEW", "CREATE SEQUENCE"})


def _made(duck: DuckSession, plan: Statement) -> list[str] | None:
    """Blocks. DuckDB's statements; None where the source is no table."""
    copies = plan.copies
    assert isinstance(copies, Copies)
    found = duck.run(_found(_FOUND, copies.source))
    if not found:
        return None
    database, schema, table, definition, comment, current = found[0]
    target = copies.target
    its_schema = target[-2] if len(target) > 1 else current
    if (its_schema.lower(), target[-1].lower()) == (schema.lower(), table.lower()):
        raise SqlError("0A000", "a table cannot be replaced by its own clone")
    before, body = _body(duck, copies, (database, schema, table), its_schema, definition)
    made = [*before, f"{copies.opening} {quoted(*target)} {body}"]
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
    duck: DuckSession, copies: Copies, place: tuple[str, str, str], its_schema: str, sql: str
) -> tuple[list[str], str]:
    """The sequences that a definition needs first, and what is in its brackets."""
    tokens = DUCKDB.own_tokens(sql)
    start = next(t.start for t in tokens if t.token_type == TokenType.L_PAREN)
    sequences = {
        row[0]: row[1:]
        for row in duck.run(_SEQUENCES.format(database=literal(place[0]), schema=literal(place[1])))
    }
    *places, table = copies.target
    temporary = "TEMPORARY" in copies.opening
    before: list[str] = []
    written, at = "", start
    for token in tokens:
        name = token.text.rpartition('"."')[2].strip('"').replace('""', '"')
        if (
            token.token_type != TokenType.STRING
            or name not in sequences
            or not (name.endswith("_identity") or _is_serial(name, place[2]))
        ):
            continue
        first, step, least, most, following = sequences[name]
        own = f"{table}_{secrets.token_hex(4)}_identity"
        before.append(
            f"CREATE {'TEMP ' if temporary else ''}SEQUENCE {quoted(*places, own)} "
            f"INCREMENT BY {step} MINVALUE {least} MAXVALUE {most} "
            f"START WITH {following if copies.rows else first}"
        )
        place_of_own = () if temporary else (its_schema,)
        written += sql[at : token.start] + literal(quoted(*place_of_own, own))
        at = token.end + 1
    return before, (written + sql[at:]).rstrip().removesuffix(";")


def _is_serial(sequence: str, table: str) -> bool:
    """Whether a sequence has the name of one that a SERIAL column of the table is given."""
    return sequence.startswith(f"{table}_") and sequence.rstrip("0123456789").endswith("_seq")


def _altered(duck: DuckSession, plan: Statement) -> list[str] | Altering | None:
    """Blocks. ALTER VIEW in place of an ALTER TABLE of a view; a table's indexes step aside."""
    alters = plan.copies
    assert isinstance(alters, Alters)
    meant = duck.means(alters.table)
    if meant is None or meant.kind == "S" or (alters.view and meant.kind != "v"):
        return None
    database, schema = (to or its for to, its in zip(alters.place, meant, strict=False))
    if database.lower() != meant.database.lower():
        raise SqlError("3D000", f'database "{database}" does not exist')
    if meant.kind == "v":
        if schema.lower() != meant.schema.lower():
            return moved_view(duck, meant, schema, alters.new, following=alters.of_postgres)
        made: Altering | None = Altering([alters.of_view])
    else:
        made = renamed(duck, meant, alters.new, plan.sql, schema)
        if is_materialized(duck, meant):
            made = (made or Altering([plan.sql])).with_query(meant, alters.new)
    followed = views_renamed(duck, meant, alters.new) if alters.of_postgres else []
    if not followed:
        return made
    return replace(made or Altering([plan.sql]), following=tuple(followed))


def _rebuilt(duck: DuckSession, plan: Statement) -> Altering | None:
    """Blocks. What makes a table anew in place of an ALTER TABLE; None where DuckDB can alter it."""
    assert isinstance(plan.copies, Rebuilds)
    return rebuilt(duck, plan.copies, plan.sql)


def _dropped(duck: DuckSession, plan: Statement) -> list[str] | Altering | None:
    """Blocks. DROP TABLE, and the sequences that number its columns; None for a table without."""
    assert isinstance(plan.copies, Drops)
    name = plan.copies.table
    if plan.copies.schema:
        return schema_dropped(duck, name[-1], plan.sql, cascades=plan.copies.cascades)
    if plan.copies.view:
        meant = duck.means(name)
        if plan.copies.cascades:
            return _with_views(duck, meant, "v", Altering([plan.sql]))
        if meant is not None and meant.kind == "v":
            check_free(duck, meant, [])
        return None
    meant = duck.means(name)
    if meant is None or meant.kind != "r":
        return None
    check_table(duck, meant)
    if plan.copies.restricts:
        check_free(duck, meant, keys_to(duck, meant))
    own = duck.own_sequences(meant)
    made = [plan.sql, *(f"DROP SEQUENCE IF EXISTS {quoted(*sequence)}" for sequence in own)]
    drops = Altering(made, tuple((meant.schema, sequence[-1]) for sequence in own))
    if DUCKDB.own_tokens(plan.sql)[-1].text.upper() == "CASCADE":
        drops = dropped(duck, meant, drops)
        if plan.copies.cascades:
            return _with_views(duck, meant, "r", drops)
    return drops if len(drops.statements) > 1 else None


def _with_views(
    duck: DuckSession, meant: Meant | None, kind: str, drops: Altering
) -> Altering | None:
    """What drops a relation with the views over it; None where its own statement will do."""
    views = views_over(duck, meant) if meant is not None and meant.kind == kind else []
    if not views and len(drops.statements) == 1:
        return None
    return drops.with_views(duck, views)


async def defines(session: Session, plan: Statement) -> None:
    """To be called before a statement runs: what it defines is not what it was."""
    if not plan.touched:
        return
    await session.mirror.changing(plan.touched)
    drawn = session.duck.drawn
    for one in plan.touched if drawn is not None and plan.kind in _NUMBERED else ():
        drawn.forget(one.name or "")


def has_rows(plan: Statement) -> bool:
    """Whether a statement may read or write rows, so that it may take long; a definition alone does not."""
    return plan.kind not in _WITHOUT_ROWS or isinstance(plan.copies, _WITH_ROWS)


_WITH_ROWS = Copies | Rebuilds | Truncates | DropsType
_WITHOUT_ROWS = frozenset(
    f"{does} {what}"
    for does in ("CREATE", "DROP")
    for what in ("TABLE", "VIEW", "SEQUENCE", "SCHEMA", "TYPE")
) | {"COMMENT"}
_NUMBERED = frozenset({"CREATE TABLE", "DROP TABLE", "CREATE SEQUENCE", "DROP SEQUENCE"})


def tell_cascaded(session: Session, plan: Statement) -> None:
    """What a DROP that has run took along."""
    if isinstance(plan.copies, Truncates | AltersEnumeration):
        sqlstate = "00000" if isinstance(plan.copies, Truncates) else "42710"
        for what in plan.cascaded:
            session.notice(SqlError(sqlstate, what), "NOTICE")
    elif plan.cascaded:
        session.notice(notice(plan.cascaded), "NOTICE")


def _view_made(duck: DuckSession, plan: Statement) -> Altering | list[str] | None:
    """Blocks. The view with what it reads bound, and the views that keep the columns that they have of
    it; None where it is as it is written.

    Raises SqlError 42P16 for a view that would lose a column, or get others.
    """
    assert isinstance(plan.copies, MakesView)
    bound = bound_view(duck, plan.copies, plan.sql)
    if plan.copies.replaces and (added := added_columns(duck, plan.copies, plan.sql)) is not None:
        staying = views_without_columns(duck, *added) if added[1] else []
        if staying:
            return Altering([bound or plan.sql], following=tuple(staying))
    return None if bound is None else [bound]


def _truncated(duck: DuckSession, plan: Statement) -> Altering:
    """Blocks. What takes the rows of tables away."""
    assert isinstance(plan.copies, Truncates)
    return truncated(duck, plan.copies)


def _restarted(duck: DuckSession, plan: Statement) -> list[str] | Altering:
    """Blocks. What has a sequence count otherwise, or begin anew."""
    assert isinstance(plan.copies, Restarts)
    return restarted_with(duck, plan.copies)


def _liked(duck: DuckSession, plan: Statement) -> list[str]:
    """Blocks. What makes a table after others."""
    assert isinstance(plan.copies, Likes)
    return made_like(duck, plan.copies)


def _owned(duck: DuckSession, plan: Statement) -> None:
    """Blocks. Raises SqlError 42P01 where the sequence or the table is not there."""
    assert isinstance(plan.copies, Owns)
    sequence, table = plan.copies.sequence, plan.copies.table
    for name, kind in ((sequence, "S"), (table, "r")):
        meant = duck.means(name) if name else None
        if name and (meant is None or meant.kind != kind):
            raise SqlError("42P01", f'relation "{name[-1]}" does not exist')
        if not table and meant is not None and meant.name in own_sequences(duck, meant.schema):
            message = "ALTER SEQUENCE ... OWNED BY NONE of a column's own sequence is not supported"
            raise SqlError("0A000", message)


def _index_renamed(duck: DuckSession, plan: Statement) -> list[str]:
    """Blocks. What makes an index again under another name."""
    assert isinstance(plan.copies, RenamesIndex)
    return index_renamed(duck, plan.copies)


def _enumeration(duck: DuckSession, plan: Statement) -> list[str] | Altering | None:
    """Blocks. What makes or drops a type."""
    if isinstance(plan.copies, MakesEnumeration):
        return enumeration_made(duck, plan.copies)
    assert isinstance(plan.copies, DropsType)
    return type_dropped(duck, plan.copies, plan.sql)


_READERS = {
    MakesEnumeration: _enumeration,
    DropsType: _enumeration,
    Owns: _owned,
    Likes: _liked,
    Drops: _dropped,
    Copies: _made,
    Alters: _altered,
    Rebuilds: _rebuilt,
    MakesView: _view_made,
    Truncates: _truncated,
    Restarts: _restarted,
    RenamesIndex: _index_renamed,
}
