"""Columns that number their rows: SERIAL, GENERATED AS IDENTITY, AUTOINCREMENT.

DuckDB has none of them, but it has sequences, defaults that call them and sequences that go with a
table. So such a column becomes what Postgres makes of SERIAL: a sequence of its own, NOT NULL, and a
default. DuckDB lets a sequence be owned, but cannot replay its log after a crash where the table of such
a one was dropped: so no sequence is, and what drops a table drops its own (`proxy.definitions.defining`).
SERIAL's sequence has the name that Postgres gives it, `table_column_seq`, since clients build
that name themselves; Snowflake's identities are known by theirs, which ends in `_identity`.

That a column is an identity and no SERIAL, its sequence's comment says (`MARKS`), since DuckDB has no
other place for it.

What a GENERATED ALWAYS column may not be given is refused where it is written (`written_columns`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import position_of

UNIQUE = "hatidata_unique_name"
"""Stands in `Statement.then` for a word that is another one each time that they are run."""

SCHEMA = "hatidata_current_schema"
"""Stands in `Statement.then` for the name of the current schema."""

FREE = "hatidata_free_number"
"""Stands in `Statement.then` for the first of '', '1', '2', ... with which a sequence's name is free."""

ALWAYS = "hatidata: identity always"

MARKS = {ALWAYS: "a", "hatidata: identity by default": "d"}
"""Comments of the sequences of Postgres's identities, and what pg_attribute calls these.

Behind one may stand where the sequence starts (`_START`), since DuckDB forgets that.
"""

_START = ", starts with "

Numbering = tuple[int, int, int, int, bool]
"""start, step, least, most, cycle of a sequence."""

_D = exp.DType
_SERIALS: dict[exp.DType, tuple[exp.DType, int]] = {
    _D.SMALLSERIAL: (_D.SMALLINT, 2**15 - 1),
    _D.SERIAL: (_D.INT, 2**31 - 1),
    _D.BIGSERIAL: (_D.BIGINT, 2**63 - 1),
}
_SPELLED = {
    **dict.fromkeys(("smallserial", "serial2"), _D.SMALLSERIAL),
    **dict.fromkeys(("serial", "serial4"), _D.SERIAL),
    **dict.fromkeys(("bigserial", "serial8"), _D.BIGSERIAL),
}
_MOST = {_D.SMALLINT: 2**15 - 1, _D.INT: 2**31 - 1}


def taken(
    column: exp.ColumnDef, table: exp.Expr, temporary: bool, *, snowflake: bool
) -> Iterator[str]:
    """Takes what numbers a column out of its definition; the statements that do it instead.

    They are DuckDB's, for after the table is there: CREATE SEQUENCE, and the default.
    snowflake: identities as Snowflake has them, which may be NULL and have no name. Raises SqlError
    42601 for a column that is numbered twice, or has a default besides.
    """
    kept, found = [], []
    for constraint in column.args.get("constraints") or ():
        kind = constraint.args.get("kind")
        (found if _numbers(kind) else kept).append(constraint)
    serial = _serial(column.args.get("kind"))
    if serial is None and not found:
        return
    others = [c for c in kept if isinstance(c.args.get("kind"), exp.DefaultColumnConstraint)]
    if len(found) + len(others) + (serial is not None) > 1:
        message = f'multiple default values specified for column "{column.name}"'
        raise SqlError("42601", message, position=position_of(column.this))
    column.set("constraints", kept)
    if serial is not None:
        kind, most = _SERIALS[serial]
        column.set("kind", exp.DataType(this=kind))
        _not_null(column)
        yield from _statements(table, column.this, temporary, f"{FREE}", (1, 1, 1, most, False))
    elif snowflake:
        start, step = (number(found[0].args["kind"].args.get(key)) for key in _COUNTED)
        bounds = (start, step, *bounds_of(start, step), False)
        yield from _statements(table, column.this, temporary, None, bounds)
    else:
        if any(_takes_null(one.args.get("kind")) for one in kept):
            name = f'column "{column.name}" of table "{table.name}"'
            message = f"conflicting NULL/NOT NULL declarations for {name}"
            raise SqlError("42601", message)
        _not_null(column)
        if column.args["kind"].this not in _WHOLE:
            raise SqlError("22023", "identity column type must be smallint, integer, or bigint")
        identity = found[0].args["kind"]
        counted = _counted(identity, column.args["kind"])
        always = isinstance(identity, exp.GeneratedAsIdentityColumnConstraint) and identity.this
        mark = next(text for text, kind in MARKS.items() if (kind == "a") == bool(always))
        named = [*places(table), folded(table.this)]
        yield from numbered(named, folded(column.this), temporary, mark, counted)


_WHOLE = (_D.SMALLINT, _D.INT, _D.BIGINT, _D.USERDEFINED)


def _takes_null(constraint: exp.Expr | None) -> bool:
    """NULL, where NOT NULL might stand."""
    if not isinstance(constraint, exp.NotNullColumnConstraint):
        return False
    return bool(constraint.args.get("allow_null"))


def take_all(tree: exp.Expr) -> list[str]:
    """As `taken`, of all columns of a CREATE TABLE of Postgres's; [] for all other statements."""
    if not isinstance(tree, exp.Create) or str(tree.args.get("kind")).upper() != "TABLE":
        return []
    if not isinstance(tree.this, exp.Schema):
        return []
    temporary = tree.find(exp.TemporaryProperty) is not None
    return [
        statement
        for column in tree.this.expressions
        if isinstance(column, exp.ColumnDef)
        for statement in taken(column, tree.this.this, temporary, snowflake=False)
    ]


def kind_of(comment: str | None) -> str | None:
    """'a' or 'd' for the sequence of a GENERATED ALWAYS or BY DEFAULT column by its comment; None for others."""
    return MARKS.get((comment or "").partition(_START)[0])


def start_of(comment: str | None, counted: tuple[int, int, int]) -> int:
    """Where a sequence starts that has a column. counted: least, most, step."""
    least, most, step = counted
    said = (comment or "").partition(_START)[2]
    return int(said) if said else least if step > 0 else most


def started(comment: str, start: int, counted: tuple[int, int, int]) -> str:
    """The comment of an identity's sequence that starts there. counted: least, most, step."""
    mark, (least, most, step) = comment.partition(_START)[0], counted
    return mark if start == (least if step > 0 else most) else f"{mark}{_START}{start}"


_COUNTED = ("start", "increment")


def _numbers(kind: exp.Expr | None) -> bool:
    return isinstance(kind, exp.AutoIncrementColumnConstraint) or (
        isinstance(kind, exp.GeneratedAsIdentityColumnConstraint)
        and kind.args.get("expression") is None
    )


def _serial(kind: exp.Expr | None) -> exp.DType | None:
    if not isinstance(kind, exp.DataType):
        return None
    if kind.this in _SERIALS:
        return kind.this
    spelled = kind.args.get("kind") if kind.this == _D.USERDEFINED else None
    if isinstance(spelled, exp.Dot) and spelled.this.name == "pg_catalog":
        spelled = spelled.expression
    name = spelled.name if isinstance(spelled, exp.Identifier) else spelled
    return _SPELLED.get(name.lower()) if isinstance(name, str) else None


def _not_null(column: exp.ColumnDef) -> None:
    constraints = column.args["constraints"]
    if not any(isinstance(c.args.get("kind"), exp.NotNullColumnConstraint) for c in constraints):
        kind = exp.NotNullColumnConstraint()
        column.append("constraints", exp.ColumnConstraint(kind=kind))


def _counted(kind: exp.Expr, of: exp.DataType) -> Numbering:
    """How an identity counts as Postgres has it."""
    step = number(kind.args.get("increment"))
    bound = _MOST.get(of.this, 2**63 - 1)
    least, most = (1, bound) if step > 0 else (-bound - (bound < 2**63 - 1), -1)
    least, most = (
        number(kind.args[key]) if kind.args.get(key) is not None else other
        for key, other in (("minvalue", least), ("maxvalue", most))
    )
    first = least if step > 0 else most
    start = number(kind.args["start"]) if kind.args.get("start") is not None else first
    return start, step, least, most, bool(kind.args.get("cycle"))


def numbering_of(options: Mapping[str, int], most: int) -> Numbering:
    """How an identity counts of which these options were said. most: that its column can hold."""
    step = options.get("INCREMENT", 1)
    least, last = (1, most) if step > 0 else (-most - (most < 2**63 - 1), -1)
    least, last = options.get("MINVALUE", least), options.get("MAXVALUE", last)
    start = options.get("START", least if step > 0 else last)
    return start, step, least, last, "CYCLE" in options


def _statements(
    table: exp.Expr,
    column: exp.Expr,
    temporary: bool,
    number_of: str | None,
    counted: Numbering,
) -> Iterator[str]:
    where = places(table) or ([] if temporary else [SCHEMA])
    name = _name(folded(table.this), folded(column), number_of)
    yield from _counting([*where, folded(table.this)], folded(column), name, temporary, counted)


def numbered(
    table: Sequence[str], column: str, temporary: bool, mark: str, counted: Numbering
) -> Iterator[str]:
    """The statements that make a column of a table that is there an identity. mark: of `MARKS`."""
    places = table[:-1] or ([] if temporary else [SCHEMA])
    name = _name(table[-1], column, FREE)
    yield from _counting([*places, table[-1]], column, name, temporary, counted)
    start, step, least, most, _ = counted
    said = started(mark, start, (least, most, step))
    yield f"COMMENT ON SEQUENCE {quoted(*places, name)} IS {literal(said)}"


def _counting(
    table: list[str], column: str, name: str, temporary: bool, counted: Numbering
) -> Iterator[str]:
    start, step, least, most, cycle = counted
    *where, _ = table
    default = f"nextval({literal(quoted(*where[-1:], name))})"
    yield (
        f"CREATE {'TEMP ' if temporary else ''}SEQUENCE {quoted(*where, name)} INCREMENT BY {step} "
        f"MINVALUE {least} MAXVALUE {most} START WITH {start}{' CYCLE' if cycle else ''}"
    )
    yield f"ALTER TABLE {quoted(*table)} ALTER COLUMN {quoted(column)} SET DEFAULT {default}"


def _name(table: str, column: str, number_of: str | None) -> str:
    """Of what numbers a column. number_of: None for Snowflake's."""
    ending = f"{UNIQUE}_identity" if number_of is None else f"seq{number_of}"
    return f"{table}_{column}_{ending}"


def bounds_of(start: int, step: int) -> tuple[int, int]:
    """Between which numbers a sequence counts: from where it starts, and almost without end.

    DuckDB forgets where a sequence has started once it has been used, and keeps this.
    """
    return (start, 2**63 - 2) if step > 0 else (-(2**63) + 1, start)


def number(value: exp.Expr | None) -> int:
    """An integer as it is written, with its sign; 1 where there is none."""
    if value is None:
        return 1
    negative = isinstance(value, exp.Neg)
    return int(value.this.name) * -1 if negative else int(value.name)


def places(table: exp.Expr) -> list[str]:
    """The parts of a table's name before its own, `public` being `main`."""
    found = [table.args[part] for part in ("catalog", "db") if table.args.get(part) is not None]
    return ["main" if part.name.lower() == "public" else folded(part) for part in found]


def folded(name: exp.Expr) -> str:
    """An identifier as it is looked for."""
    return name.name if name.args.get("quoted") else name.name.lower()
