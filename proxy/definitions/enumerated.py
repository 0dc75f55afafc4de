"""CREATE, ALTER and DROP TYPE of enumerated types, in Postgres's dialect.

Why it exists: DuckDB's cannot be altered, and its columns know their values alone. So a type is made with
a last value that tells it from others (`proxy.wire.enumerations`), and altered by making it, and the tables with
columns of it, anew: the order of values is that in which the type has them. Views, defaults and checks
follow (`proxy.sql.definitions.enumerated`).

Promises: all statements are for one transaction. A value that is renamed and stands in a text without a cast is
refused (0A000). Temporary tables of other sessions stay as they are, of a type that has no name any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.definitions.altered_tables import Altering, alters_alone, made_anew
from proxy.definitions.dependents import (
    View,
    depends,
    described,
    refusal,
    views_made_over,
    views_over,
)
from proxy.definitions.rebuilding import Table
from proxy.definitions.table_parts import Column
from proxy.engines.duck.names import DATABASE, Meant
from proxy.errors import SqlError
from proxy.sql.definitions import edits
from proxy.sql.definitions.enumerated import Altered, Enumeration
from proxy.sql.definitions.enumerated import written as _written_out
from proxy.sql.quoting import literal, name_as_needed, quoted
from proxy.sql.statement import (
    AddsValue,
    AltersEnumeration,
    DropsType,
    MakesEnumeration,
    RenamesValue,
)
from proxy.wire.enumerations import LONGEST, identity, labels_of, number_of

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession

_NOTHING = Altering(["SELECT 1 LIMIT 0"])
_ALL = f"""
SELECT schema_name, type_name, labels FROM duckdb_types()
WHERE database_name = '{DATABASE}' AND NOT internal AND logical_type = 'ENUM'"""
_FOUND = f"{_ALL} AND lower(type_name) = lower($1)"
_COLUMNS = """
SELECT database_name, schema_name, table_name, column_name, data_type FROM duckdb_columns()
WHERE NOT internal AND contains(data_type, $1) ORDER BY table_oid, column_index
"""


@dataclass(frozen=True, slots=True)
class _Type:
    schema: str
    name: str
    values: tuple[str, ...]

    @property
    def number(self) -> str:
        return number_of(self.values)


def enumeration_made(duck: DuckSession, plan: MakesEnumeration) -> list[str]:
    """Blocks. DuckDB's statement. Raises SqlError for labels that are none."""
    seen: set[str] = set()
    for label in plan.labels:
        _check_label(label)
        if label in seen:
            raise SqlError("42710", f'enum label "{label}" used more than once')
        seen.add(label)
    last = identity(secrets.token_hex(32), plan.type[-1])
    return [f"CREATE TYPE {quoted(*plan.type)} AS {_written_out((*plan.labels, last))}"]


def enumeration_altered(
    duck: DuckSession, plan: AltersEnumeration, written: Callable[[str], bool]
) -> Altering:
    """Blocks. What alters it, and all that is of it. Raises SqlError as Postgres does.

    written: whether the transaction has changed rows of a table of this name.
    """
    old = _meant(duck, plan.type)
    labels = list(labels_of(old.values))
    schema, name = old.schema, old.name
    renamed = None
    match plan.change:
        case AddsValue() as adds:
            if not _add(labels, adds):
                said = f'enum label "{adds.label}" already exists, skipping'
                return replace(_NOTHING, gone=(said,))
        case RenamesValue() as renames:
            _rename(labels, renames)
            renamed = (renames.old, renames.new)
        case (place,):
            if place != schema and not duck.has("SCHEMA", (place,)):
                raise SqlError("3F000", f'schema "{place}" does not exist')
            if place == schema:
                return _NOTHING
            schema = place
            _check_free(duck, schema, name, f' in schema "{schema}"')
        case str(new):
            name = new
            _check_free(duck, schema, name, "")
    number = old.number or secrets.token_hex(32)
    values = (*labels, identity(number, name))

    moved = schema != old.schema
    altered = Altered(_in_texts(duck, old), values, (schema, name), moved, renamed)
    texts = {(place, view): sql for place, view, sql in duck.views()}
    made = Altering(
        [
            f"DROP TYPE {quoted(old.schema, old.name)}",
            f"CREATE TYPE {quoted(schema, name)} AS {_written_out(values)}",
        ]
    )
    for table, columns in _tables(duck, old):
        done = _with_table(duck, table, columns, altered, written(table.name))
        made = _joined(made, done, table)
        for view in _views_of(duck, table, columns) if renamed is not None else ():
            _check_named(altered, texts[view.schema, view.name], described(duck, view))
    return made.followed(views_made_over(duck, lambda sql: _followed(sql, altered)))


def type_dropped(duck: DuckSession, plan: DropsType, sql: str) -> Altering | None:
    """Blocks. What drops a type, with CASCADE after the columns that are of it; None where DuckDB's
    own statement will do. Raises SqlError 2BP01 where there are any, without."""
    old = _found(duck, plan.type)
    if old is None or not old.number:
        return None
    tables = list(_tables(duck, old))
    what = _described(duck, old)
    casting = _views_that_cast(duck, old, what)
    if not tables and not casting:
        return None
    if not plan.cascades:
        lines = [*_dependents(duck, tables, what), *(depends(duck, one) for one in casting)]
        seen: dict[str, str] = {}  # each is told of once
        for line in lines:
            seen.setdefault(line.partition(" depends on ")[0], line)
        raise refusal(what, list(seen.values()))
    dropped = Altering([f"DROP TYPE {quoted(old.schema, old.name)}"])
    of_columns = [view for meant, columns in tables for view in _views_of(duck, meant, columns)]
    casting = [one for one in casting if one.view not in of_columns]
    return _without(duck, dropped, tables).with_views(duck, casting)


def _in_texts(duck: DuckSession, of: _Type) -> Enumeration:
    def is_it(parts: tuple[str, ...]) -> bool:
        if parts[-1].lower() != of.name.lower():
            return False
        found = _found(duck, parts)
        return found is not None and (found.schema, found.name) == (of.schema, of.name)

    return Enumeration(of.values, is_it)


def _views_that_cast(duck: DuckSession, of: _Type, what: str) -> list[View]:
    """The views whose texts cast to a type, and those that read them, each after what it reads."""
    its = _in_texts(duck, of)
    found: dict[Meant, View] = {}
    for schema, name, sql in duck.views():
        if its.is_in(sql):
            view = Meant(DATABASE, schema, name, "v")
            found.setdefault(view, View(view, what))
            for one in views_over(duck, view):
                found.setdefault(one.view, one)
    return list(found.values())


def _without(duck: DuckSession, made: Altering, tables: list[tuple[Meant, list[str]]]) -> Altering:
    """... after these columns of tables, and the views that read them, have been dropped."""
    dropped: list[Meant] = []
    for meant, columns in tables:
        table = Table(duck, meant)
        over = [one for name in columns for one in views_over(duck, meant, name)]
        views = [one for one in over if one.view not in dropped]
        dropped += [one.view for one in views]
        for column in columns:
            table.drop_column(edits.DropColumn(column, exists=False, cascades=True))
        if not table.columns:
            what = f"dropping all columns of {described(duck, meant)}"
            raise SqlError("0A000", f"{what} is not supported on analytical tables")
        going = tuple(described(duck, meant, column) for column in columns)
        done = made_anew(duck, meant, table)
        done = replace(done, gone=(*going, *done.gone)).with_views(duck, views)
        made = _joined(made, done, meant)
    return made


def types_in(duck: DuckSession, schema: str) -> list[str]:
    """Blocks. The enumerated types of a schema, each as Postgres describes it."""
    return [_described(duck, one) for one in _all_in(duck, schema)]


def without_types_in(duck: DuckSession, schema: str, made: Altering) -> Altering:
    """Blocks. ... after the columns of other schemas' tables that are of types in this one."""
    tables = [
        (meant, columns)
        for one in _all_in(duck, schema)
        if one.number
        for meant, columns in _tables(duck, one)
        if meant.schema != schema
    ]
    return _without(duck, made, tables)


def _all_in(duck: DuckSession, schema: str) -> list[_Type]:
    rows = duck.run(f"{_ALL} AND schema_name = {literal(schema)} ORDER BY type_oid")
    return [_Type(its, name, tuple(values)) for its, name, values in rows]


def _dependents(
    duck: DuckSession, tables: list[tuple[Meant, list[str]]], what: str
) -> Iterator[str]:
    """What the refusal says of columns of a type, and of the views that read them."""
    for meant, columns in reversed(tables):
        arrays = {one.name for one in Table(duck, meant).columns if one.kind.endswith("[]")}
        for column in columns:
            kind = f"{what}[]" if column in arrays else what
            yield f"{described(duck, meant, column)} depends on {kind}"
            yield from (depends(duck, one) for one in views_over(duck, meant, column))


def _meant(duck: DuckSession, name: tuple[str, ...]) -> _Type:
    found = _found(duck, name)
    if found is None:
        said = ".".join("public" if part == "main" else part for part in name)
        raise SqlError("42704", f'type "{said}" does not exist')
    return found


def _found(duck: DuckSession, name: tuple[str, ...]) -> _Type | None:
    schema = name[-2] if len(name) > 1 else duck.type_schema(name[-1])
    for its, own, values in duck.listed(_FOUND, name[-1]):
        if schema is not None and its.lower() == schema.lower():
            return _Type(its, own, tuple(values))
    return None


def _described(duck: DuckSession, kind: _Type) -> str:
    """As Postgres describes it: with its schema where its name alone does not mean it."""
    name = name_as_needed(kind.name)
    if duck.type_schema(kind.name) == kind.schema:
        return f"type {name}"
    schema = "public" if kind.schema == "main" else kind.schema
    return f"type {name_as_needed(schema)}.{name}"


def _check_free(duck: DuckSession, schema: str, name: str, where: str) -> None:
    if duck.has("TYPE", (schema, name)):
        raise SqlError("42710", f'type "{name}" already exists{where}')


def _check_label(label: str) -> None:
    if len(label.encode()) > LONGEST:
        detail = f"Labels must be {LONGEST} bytes or less."
        raise SqlError("42602", f'invalid enum label "{label}"', detail=detail)


def _add(labels: list[str], adds: AddsValue) -> bool:
    """Whether the value is new; it is put into its place."""
    _check_label(adds.label)
    if adds.label in labels:
        message = f'enum label "{adds.label}" already exists'
        if not adds.exists:
            raise SqlError("42710", message)
        return False
    if adds.neighbour is not None and adds.neighbour not in labels:
        raise SqlError("22023", f'"{adds.neighbour}" is not an existing enum label')
    at = len(labels)
    if adds.neighbour is not None:
        at = labels.index(adds.neighbour) + (not adds.before)
    labels.insert(at, adds.label)
    return True


def _rename(labels: list[str], renames: RenamesValue) -> None:
    _check_label(renames.new)
    if renames.old not in labels:
        raise SqlError("22023", f'"{renames.old}" is not an existing enum label')
    if renames.new in labels:
        raise SqlError("42710", f'enum label "{renames.new}" already exists')
    labels[labels.index(renames.old)] = renames.new


def _tables(duck: DuckSession, of: _Type) -> Iterator[tuple[Meant, list[str]]]:
    """The tables that have columns of a type, or of arrays of it. Raises SqlError 0A000 for others."""
    kind = _written_out(of.values)
    found: dict[Meant, list[str]] = {}
    for database, schema, relation, column, its in duck.listed(_COLUMNS, kind):
        meant = duck.means((database, schema, relation))
        if meant is None or meant.kind != "r":
            continue
        if its.rstrip("[]") != kind.rstrip("[]"):
            what = f"altering a type within the {described(duck, meant, column)}"
            raise SqlError("0A000", f"{what} is not supported on analytical tables")
        found.setdefault(meant, []).append(column)
    yield from found.items()


def _views_of(duck: DuckSession, meant: Meant, columns: list[str]) -> list[Meant]:
    """The views that read them."""
    return [one.view for name in columns for one in views_over(duck, meant, name)]


def _with_table(
    duck: DuckSession, meant: Meant, columns: list[str], altered: Altered, written: bool
) -> Altering:
    """What alters a table's columns, which are of the type; by DuckDB itself, where it can and a restart can."""
    table = Table(duck, meant)
    old = _written_out(altered.old.values)
    plain = _follow(duck, meant, table, altered)
    for column in table.columns:
        if column.name in columns:
            depth = (len(column.kind) - len(old)) // len("[]")
            plain = plain and not depth
            column.value = _value(quoted(column.name), depth, altered.renamed)
            column.kind = _written_out(altered.values) + "[]" * depth
    changes = tuple(edits.SetType(name, "", (), "", using=True) for name in columns)
    if plain and not written and alters_alone(duck, meant, table, changes):
        return Altering([sql for one in table.columns for sql in _natively(table, one, columns)])
    table.anew = True
    return made_anew(duck, meant, table)


def _natively(table: Table, column: Column, columns: list[str]) -> Iterator[str]:
    if column.name not in columns:
        return
    # Without a cast to the type: to replay it, a restart would look for it in no database.
    alters = f"ALTER TABLE {table.target} ALTER COLUMN {quoted(column.name)}"
    yield f"{alters} TYPE {column.kind} USING {column.value}"
    if column.default is not None:
        yield f"{alters} SET DEFAULT {column.default}"


def _follow(duck: DuckSession, meant: Meant, table: Table, altered: Altered) -> bool:
    """Defaults, checks and indexes follow; whether they are what they were, but for defaults of columns
    of the type."""
    same = True
    its = described(duck, meant)
    old_text, new_text = map(literal, altered.renamed or ("", ""))
    for column in table.columns:
        of_type = column.kind == _written_out(altered.old.values)
        if altered.renamed and of_type and column.default == old_text:
            column.default = new_text
        for text in filter(None, (column.default or "", column.generated)):
            _check_named(altered, text, f"a default of {its}")
            same = same and (altered.followed(text) == text or of_type)
        if column.default is not None:
            column.default = altered.followed(column.default)
        column.generated = altered.followed(column.generated) if column.generated else ""
    for constraint in table.constraints:
        if constraint.kind == "CHECK":
            _check_named(altered, constraint.expression, f"a constraint of {its}")
            text = altered.followed(constraint.expression)
            same = same and text == constraint.expression
            constraint.expression, constraint.sql = text, f"CHECK ({text})"
    for index in table.indexes:
        for text in index.expressions:
            _check_named(altered, text, f"an index of {its}")
        index.expressions = [altered.followed(text) for text in index.expressions]
    return same


def _value(column: str, depth: int, renamed: tuple[str, str] | None) -> str:
    """What a column's value becomes, as texts."""
    if renamed is None:
        return f"CAST({column} AS VARCHAR{'[]' * depth})"
    old, new = map(literal, renamed)
    value = "CASE CAST({0} AS VARCHAR) WHEN {1} THEN {2} ELSE CAST({0} AS VARCHAR) END"
    made = value.format("x0" if depth else column, old, new)
    for level in range(depth):
        inner = column if level == depth - 1 else f"x{level + 1}"
        made = f"list_transform({inner}, lambda x{level}: {made})"
    return made


def _followed(sql: str, altered: Altered) -> str | None:
    """A view's text that follows; None for one that says nothing of the type."""
    text = altered.followed(sql)
    if text == sql:
        return None
    _check_named(altered, sql, "a view")
    return text


def _check_named(altered: Altered, sql: str, where: str) -> None:
    if altered.renamed is not None and altered.is_named_in(sql):
        what = f'ALTER TYPE ... RENAME VALUE of "{altered.renamed[0]}", which {where} names,'
        raise SqlError(
            "0A000",
            f"{what} is not supported on analytical tables",
            hint="Drop what names it, rename the value, and make that again.",
        )


def _joined(made: Altering, first: Altering, meant: Meant) -> Altering:
    return replace(
        made,
        statements=[*first.statements, *made.statements],
        beside=(*first.beside, (meant.schema, meant.name), *made.beside),
        gone=(*made.gone, *first.gone),
    )
