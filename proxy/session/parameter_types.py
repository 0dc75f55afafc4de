"""Of what type each parameter of a statement of DuckDB's is, and what stands for its value.

The client's own word counts first; then what Postgres would infer (`proxy.sql.inference`); then what
DuckDB's binder infers where that has no answer; and text after all. Nothing is executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from proxy.engines.duck import values as duck_values
from proxy.engines.duck.c import DuckError
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.session import DuckSession
from proxy.engines.duck.texts import called_sequence
from proxy.errors import SqlError
from proxy.session.long_texts import is_long
from proxy.sql import inference
from proxy.sql.changes.written_columns import Columns as WrittenColumns
from proxy.sql.changes.written_columns import Declaration
from proxy.sql.definitions.identities import kind_of
from proxy.sql.digits import MOMENTS, MOST
from proxy.sql.inference.names import Called
from proxy.sql.lengths import OWN, length_of, modifier_of, moment_of
from proxy.sql.of_texts import inferred, only_cast
from proxy.sql.parameters import cast_parameters, parameter_places, renumber_parameters
from proxy.sql.postgres.literals import constant
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import write_duckdb
from proxy.sql.statement import Statement
from proxy.wire.types import BY_NAME, BY_OID, LISTS, DuckType, wire_type

if TYPE_CHECKING:
    from proxy.session.session import Session

_TEXT_OID = BY_NAME["text"].oid
_UNSAID = frozenset((0, BY_NAME["unknown"].oid))
TEXT_OIDS = frozenset(BY_NAME[name].oid for name in ("text", "varchar", "bpchar"))
_NUMERIC = BY_NAME["numeric"]
NUMERIC_OIDS = frozenset((_NUMERIC.oid, _NUMERIC.array_oid))

ANY_DIGITS = "DECIMAL(18,1)"
"""What stands for a numeric whose digits are not known yet."""

OTHER_DIGITS = ("DECIMAL(38,0)", "DECIMAL(38,38)")
"""Others that might come: a column that is of one type with all three is so whatever comes."""

# DuckDB's binder has no answer.
_UNKNOWN = frozenset(("INVALID", "SQLNULL", "ANY"))


async def numbered(
    session: Session, plan: Statement, oids: Sequence[int]
) -> tuple[Statement, tuple[int, ...]]:
    """The statement with parameters $1..$k, without a gap, and the numbers that they had.

    oids: as Parse gives them. Raises 42P02 for $0, 42P18 for a number that nothing gives a type.
    """
    places = await session.texts.of(plan.sql, parameter_places)
    numbers = tuple(sorted({n for n, _ in places}))
    if numbers[:1] == (0,):
        raise no_parameter(plan, 0)
    there = frozenset(numbers)
    for n in range(1, numbers[-1] if numbers else 0):
        if n not in there and (n > len(oids) or oids[n - 1] in _UNSAID):
            raise _indeterminate(n)
    for n in range(numbers[-1] + 1 if numbers else 1, len(oids) + 1):
        if oids[n - 1] in _UNSAID:
            raise _indeterminate(n)
    if numbers and numbers[-1] != len(numbers):
        plan = replace(plan, sql=await session.texts.of(plan.sql, renumber_parameters, numbers))
    return plan, numbers


def _indeterminate(n: int) -> SqlError:
    return SqlError("42P18", f"could not determine data type of parameter ${n}")


def no_parameter(plan: Statement, number: int) -> SqlError:
    """42P02 for a parameter that cannot have a value, with its place."""
    position = None
    with suppress(SqlError, StopIteration):  # another grammar's text: then without its place
        offset = next(start for n, start in parameter_places(plan.text) if n == number)
        position = plan.start + offset + 1
    return SqlError("42P02", f"there is no parameter ${number}", position=position)


async def read_as_cast(session: Session, plan: Statement, oids: Sequence[int]) -> list[int]:
    """`oids` of $1..$k with 0 for a text that is only ever cast to an array or to numeric.

    A text is sent as the cast's type would be; DuckDB's own cast reads other brackets, and fixes the
    digits of a numeric before it has seen the value.
    """
    texts = frozenset(n for n, oid in enumerate(oids, start=1) if oid in TEXT_OIDS)
    if not texts:
        return list(oids)
    texts = await session.texts.of(plan.sql, only_cast, texts)
    return [0 if n in texts else oid for n, oid in enumerate(oids, start=1)]


async def infer(session: Session, plan: Statement, oids: Sequence[int]) -> list[int]:
    """The OIDs of $1..$k. oids: what the client says of each, 0 where it says nothing."""
    found = {n: oid for n, oid in enumerate(oids, start=1) if oid not in _UNSAID}
    wanted = [n for n in range(1, len(oids) + 1) if n not in found]
    integer = "int8" if session.settings.get("hatidata.dialect") == "snowflake" else "int4"
    if wanted and is_long(plan.sql):
        given = (plan.sql, wanted, dict(found), integer)
        found |= await session.texts.aside(inferred, *given, ask=partial(ask_columns, session))
    elif wanted and (tree := inference.read(plan.sql)) is not None:
        found |= await session.on_duck(_infer, session.duck, tree, wanted, dict(found), integer)
    if len(found) < len(oids):
        types = {n: planned_as(oid) for n, oid in found.items()}
        with suppress(EngineError):  # it says so again when all have a type
            sql = await session.texts.of(plan.sql, cast_parameters, types)
            told = await session.on_duck(_parameters_of, session.duck, sql)
            for n, kind in enumerate(told, start=1):
                if kind.id not in _UNKNOWN:
                    with suppress(SqlError):  # no Postgres type: text, which DuckDB casts
                        found.setdefault(n, wire_type(kind).oid)
    return [found.get(n, _TEXT_OID) for n in range(1, len(oids) + 1)]


def _infer(
    duck: DuckSession, tree: exp.Expr, wanted: list[int], given: dict[int, int], integer: str
) -> dict[int, int]:
    """Blocks."""

    return inference.infer(tree, wanted, given, partial(relation_columns, duck), integer=integer)


async def ask_columns(session: Session, relation: inference.Relation) -> inference.Columns | None:
    """As `written_columns`, for what reads a long text elsewhere."""
    return await session.on_duck(written_columns, session.duck, relation)


def relation_columns(duck: DuckSession, relation: inference.Relation) -> inference.Columns | None:
    """Blocks. The columns of a table or view; None where there is none, as DuckDB will say itself."""
    if isinstance(relation, Called):
        call = f"{quoted(*relation.path)}({', '.join(['NULL'] * relation.arguments)})"
        asked = f"SELECT * FROM {call} LIMIT 0" if relation.rows else f"SELECT {call}"
    else:
        asked = f"SELECT * FROM {quoted(*relation)} LIMIT 0"
    try:
        return columns_of(duck, asked)
    except DuckError:
        return None


def written_columns(duck: DuckSession, relation: inference.Relation) -> inference.Columns | None:
    """Blocks. As `relation_columns`, with what else is declared of a table's columns."""
    columns = relation_columns(duck, relation)
    if columns is None or isinstance(relation, Called):
        return columns
    kinds = {name.lower(): kind.id for name, kind in columns}
    digits = digits_kept(duck, relation, columns)
    whole = not _WHOLE.isdisjoint(kinds.values())
    computed = duck.generated(tuple(relation))
    if not digits and not whole and not computed:
        return columns
    try:
        rows = duck.run(
            "SELECT name, CASE WHEN dflt_value <> 'NULL' THEN dflt_value END "
            f"FROM pragma_table_info({literal(quoted(*relation))})"
        )
    except DuckError:
        return columns
    declared = {}
    for name, default in rows:
        folded = name.lower()
        kept = digits.get(folded)
        counts = default is not None and default.startswith("nextval(")
        numbers = _identity(duck, default) if counts else None
        if folded in computed:
            declared[folded] = Declaration(name, computed=True)
        elif kept is not None or numbers:
            kind = BY_OID[wire_type(DuckType(kinds[folded])).oid].name
            more = {"always": numbers == "a", "identity": numbers is not None}
            declared[folded] = Declaration(name, digits=kept, kind=kind, default=default, **more)
    if not declared:
        return columns
    made = WrittenColumns(columns)
    made.declared = declared
    return made


def _identity(duck: DuckSession, default: str) -> str | None:
    """As `kind_of`, of what numbers a column."""
    called = called_sequence(default)
    if called is None:
        return None
    where = [f"sequence_name = {literal(called[-1])}"]
    where += [f"schema_name = {literal(schema)}" for schema in called[-2:-1]]
    found = duck.run(f"SELECT comment FROM duckdb_sequences() WHERE {' AND '.join(where)} LIMIT 1")
    return kind_of(found[0][0]) if found else None


def digits_kept(
    duck: DuckSession, relation: inference.Relation, columns: inference.Columns
) -> dict[str, int]:
    """Blocks. The digits of a second that columns of a table keep, by folded name, where not all are."""
    if not any(kind.id in MOMENTS for _, kind in columns):
        return {}
    checks = duck.declared().checks
    named = [(path, column, text) for path, column, text in checks if "epoch_us" in text]
    meant = duck.means(tuple(relation)) if named else None
    found = {}
    for path, column, text in named if meant is not None else ():
        if meant is not None and path == meant[:3]:
            length = length_of(text, column)
            if moment_of(MOST) < length < OWN:
                found[column.lower()] = modifier_of(length)
    return found


_WHOLE = frozenset(("SMALLINT", "INTEGER", "BIGINT"))


def _parameters_of(duck: DuckSession, sql: str) -> list[DuckType]:
    """Blocks. What DuckDB's binder infers for $1..$k."""
    statement = duck.prepare(sql)
    statement.close()
    return statement.parameters


def columns_of(duck: DuckSession, sql: str) -> list[tuple[str, DuckType]]:
    """Blocks. The result columns of a statement, which is bound and not run."""
    statement = duck.prepare(sql)
    statement.close()
    return statement.columns


def planned_as(oid: int, digits: str = ANY_DIGITS) -> str:
    """DuckDB's name of the type that a parameter has before its value is known."""
    if oid in NUMERIC_OIDS:
        return digits if oid == _NUMERIC.oid else digits + "[]"
    return duck_values.type_name(None, oid)


def constants(values: Mapping[int, tuple[int, Any]]) -> dict[int, str]:
    """DuckDB's SQL for each of the values, which are (OID, decoded value).

    On the thread that the readers belong to.
    """
    return {
        n: write_duckdb(constant(value, BY_OID[oid].name)) for n, (oid, value) in values.items()
    }


def without_digits(kind: DuckType) -> DuckType:
    """A result type whose digits depend on a value that is still to come."""
    if kind.id == "DECIMAL":
        return replace(kind, width=0, scale=0)
    if kind.id in LISTS:
        return replace(kind, children=tuple(map(without_digits, kind.children)))
    return kind
