"""ALTER TABLE that DuckDB cannot do to a table that is there: read from the tree as edits.

DuckDB adds no constraint but a primary key to a table, no column with more than a default, and alters
little of a table that has an index. What it cannot alter it can make anew, so such a statement becomes
edits of the table's definition, which `proxy.definitions.rebuilding` applies to the definition that there is when
the statement runs. Promises: only statements all of whose actions are known become edits; nothing is
read from a catalog here.

A UNIQUE constraint that is added becomes a unique index, which keeps its name. One that says
DEFERRABLE is checked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

from proxy.sql.definitions.default_texts import with_text
from proxy.sql.definitions.identities import folded
from proxy.sql.digits import checked_digits, rounded
from proxy.sql.quoting import quoted
from proxy.sql.reading import write_duckdb

Rewrite = Callable[[exp.Expr], exp.Expr]
"""Makes a dialect's tree DuckDB's."""

Define = Callable[[exp.Create], tuple[exp.Expr, list[str]]]
"""A CREATE TABLE as DuckDB has it, and the statements that have to follow it."""


@dataclass(frozen=True, slots=True)
class AddColumn:
    """sql: its definition. counter: what numbers it (`proxy.sql.definitions.identities`), () for nothing.

    value: what it is in the rows that there are, '' for its default.
    plain: it has nothing that DuckDB's ADD COLUMN does not know. names: of its constraints.
    """

    name: str
    sql: str
    exists: bool
    plain: bool
    counter: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    value: str = ""


@dataclass(frozen=True, slots=True)
class AddConstraint:
    """sql: as in CREATE TABLE. primary: it is a primary key. names: what it says that it is called.

    recorded: it is a key that is written down alone (`proxy.sql.snowflake.recorded_keys`). refers: to
    tables of these names.
    """

    sql: tuple[str, ...]
    primary: bool
    names: tuple[str, ...] = ()
    recorded: bool = False
    refers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddUnique:
    """name: '' for the one that Postgres would give. columns: as they are looked for."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DropConstraint:
    name: str
    exists: bool
    cascades: bool = False


@dataclass(frozen=True, slots=True)
class DropKey:
    """kind: 'PRIMARY KEY', 'UNIQUE' or 'FOREIGN KEY'. columns: folded; () for a primary key's, whichever."""

    kind: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindKey:
    """A change of properties that nothing here goes by: the key has to be there, as for `DropKey`."""

    kind: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RenameConstraint:
    name: str
    new: str


@dataclass(frozen=True, slots=True)
class ValidateConstraint:
    """Constraints are checked when they are added: it has to be there, and that is all."""

    name: str


@dataclass(frozen=True, slots=True)
class UseIndex:
    """ADD CONSTRAINT ... USING INDEX. name: '' for the index's. primary: it is a primary key."""

    name: str
    index: str
    primary: bool


@dataclass(frozen=True, slots=True)
class SetSchema:
    schema: str


@dataclass(frozen=True, slots=True)
class AddIdentity:
    """ALTER COLUMN ... ADD GENERATED AS IDENTITY. options: as `identity_options.numbering` has them."""

    name: str
    always: bool
    options: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class DropIdentity:
    name: str
    exists: bool


@dataclass(frozen=True, slots=True)
class DropColumn:
    name: str
    exists: bool
    cascades: bool = False


@dataclass(frozen=True, slots=True)
class RenameColumn:
    name: str
    new: str


@dataclass(frozen=True, slots=True)
class SetType:
    """kind: DuckDB's type. checks: of its length. value: what the column's value becomes; using: as the
    statement says."""

    name: str
    kind: str
    checks: tuple[str, ...]
    value: str
    using: bool


@dataclass(frozen=True, slots=True)
class SetNull:
    """ALTER COLUMN ... DROP NOT NULL, or SET."""

    name: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class SetDefault:
    """sql: None for none. text: of a string literal, which is of the column's type."""

    name: str
    sql: str | None
    text: str | None = None


Edit = (
    AddColumn
    | AddConstraint
    | AddUnique
    | DropConstraint
    | DropKey
    | FindKey
    | DropColumn
    | RenameColumn
    | SetType
    | SetNull
    | SetDefault
    | RenameConstraint
    | ValidateConstraint
    | UseIndex
    | AddIdentity
    | DropIdentity
    | SetSchema
)


@dataclass(frozen=True, slots=True)
class Rebuilds:
    """An ALTER TABLE as edits. table: the parts of its name; exists: IF EXISTS.

    native: DuckDB may be able to do each by itself, as a statement of its own. of_postgres: views that
    read a column are in the way of its end, or go with it. view: it is ALTER VIEW. written: the transaction
    has changed rows of the table, of which DuckDB alters no column afterwards.
    """

    table: tuple[str, ...]
    edits: tuple[Edit, ...]
    exists: bool
    native: bool
    of_postgres: bool = False
    view: bool = False
    written: bool = False


def name_renamed_column(tree: exp.Expr) -> None:
    """`RENAME a TO b`, without the word COLUMN, which sqlglot reads as a table's; in place."""
    if not isinstance(tree, exp.Alter):
        return
    actions, options = tree.args.get("actions") or (), tree.args.get("options") or ()
    if len(actions) != 1 or not isinstance(actions[0], exp.AlterRename) or len(options) != 1:
        return
    old, new = actions[0].this, options[0].this
    if isinstance(old, exp.Table) and isinstance(new, exp.Table):
        columns = [exp.Column(this=one.this.copy()) for one in (old, new)]
        tree.set("actions", [exp.RenameColumn(this=columns[0], to=columns[1])])
        tree.set("options", None)


def rebuilds(
    tree: exp.Expr, rewrite: Rewrite, define: Define, *, records: bool = False
) -> Rebuilds | None:
    """The edits of an ALTER TABLE; None where not all that it does is known. `tree` stays as it is.

    records: keys are written down, and not enforced. Raises SqlError for what an edit may not say.
    """
    kind = str(tree.args.get("kind") or "").upper()
    if not isinstance(tree, exp.Alter) or kind not in ("TABLE", "VIEW"):
        return None
    actions = tree.args.get("actions") or ()
    if kind == "VIEW" and not all(isinstance(one, exp.RenameColumn) for one in actions):
        return None
    if not isinstance(tree.this, exp.Table) or not actions or tree.args.get("options"):
        return None
    reading = _Reading(tree.this, rewrite, define, records)
    edits: list[Edit] = []
    for action in actions:
        reader = _READERS.get(type(action))
        found = reader(reading, action) if reader is not None else None
        if found is None:
            return None
        edits += found
    name = tuple(folded(part) for part in tree.this.parts)
    where = tuple("main" if part == "public" else part for part in name[:-1])
    native = all(map(_is_native, edits)) and kind == "TABLE"
    exists = bool(tree.args.get("exists"))
    path = (*where, name[-1])
    return Rebuilds(path, tuple(edits), exists, native, view=kind == "VIEW")


def _is_native(edit: Edit) -> bool:
    match edit:
        case AddColumn():
            return edit.plain and not edit.counter
        case AddConstraint():
            return edit.primary and len(edit.sql) == 1 and not edit.recorded
        case SetType():
            return not edit.checks
        case SetDefault():
            return edit.text is None
        case _:
            return isinstance(edit, _NATIVE)


def nullability(plan: Rebuilds) -> str | None:
    """DuckDB's statement for SET or DROP NOT NULL alone; None for all others."""
    if len(plan.edits) != 1 or not isinstance(plan.edits[0], SetNull) or plan.exists:
        return None
    (edit,) = plan.edits
    change = "DROP" if edit.nullable else "SET"
    return f"ALTER TABLE {quoted(*plan.table)} ALTER COLUMN {quoted(edit.name)} {change} NOT NULL"


_NATIVE = (DropColumn, RenameColumn, SetNull)


def _is_plain(column: exp.ColumnDef) -> bool:
    """Whether a column has nothing that DuckDB's ADD COLUMN does not know."""
    plain = (exp.DefaultColumnConstraint, exp.CommentColumnConstraint)
    kind = column.args.get("kind")
    if isinstance(kind, exp.DataType) and kind.expressions and kind.this in _TEXTS:
        return False
    constraints = [one.args.get("kind") for one in column.args.get("constraints") or ()]
    if not all(map(_is_constant, constraints)):
        return False
    if any(isinstance(one, plain[0]) for one in constraints) and _is_read_first(kind):
        return False
    return all(
        isinstance(one, plain)
        or (isinstance(one, exp.NotNullColumnConstraint) and bool(one.args.get("allow_null")))
        for one in constraints
    )


def _is_constant(constraint: exp.Expr | None) -> bool:
    """Of a default: what DuckDB adds in one step. Another it makes several statements of."""
    if not isinstance(constraint, exp.DefaultColumnConstraint):
        return True
    value = constraint.this.this if isinstance(constraint.this, exp.Neg) else constraint.this
    return isinstance(value, (exp.Literal, exp.Null))


def _is_read_first(kind: exp.Expr | None) -> bool:
    """Whether a text that is the default of such a column becomes more than a literal."""
    return isinstance(kind, exp.DataType) and kind.this in _READ_FIRST


_READ_FIRST = (exp.DType.ARRAY, exp.DType.VARBINARY, exp.DType.BINARY, exp.DType.BOOLEAN)
_TEXTS = exp.DataType.TEXT_TYPES


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the actions of one statement have in common."""

    table: exp.Table
    rewrite: Rewrite
    define: Define
    records: bool = False

    def defined(self, *items: exp.Expr) -> tuple[list[exp.Expr], list[str]]:
        """What a CREATE TABLE makes of `items` of its list, and the statements that follow it."""
        schema = exp.Schema(this=self.table.copy(), expressions=[one.copy() for one in items])
        made, then = self.define(exp.Create(this=schema, kind="TABLE"))
        return list(made.this.expressions), then

    def add_column(self, column: exp.ColumnDef) -> list[Edit]:
        exists, plain = bool(column.args.get("exists")), _is_plain(column)
        column = column.copy()
        column.set("exists", None)
        unique, kept = [], []
        for constraint in column.args.get("constraints") or ():
            kind = constraint.args.get("kind")
            is_unique = isinstance(kind, exp.UniqueColumnConstraint) and not self.records
            (unique if is_unique else kept).append(constraint)
        column.set("constraints", kept)
        for one in kept:
            _checked_at_once(one)
        (made, *keys), then = self.defined(column)
        kinds = [one.args.get("kind") for one in made.args.get("constraints") or ()]
        plain = plain and not any(isinstance(one, exp.CheckColumnConstraint) for one in kinds)
        counter, more = then, []
        if then and not then[0].startswith("CREATE"):
            counter, more = [], then
        elif then:
            counter, more = then[:2], then[2:]
        name = folded(column.this)
        sql = write_duckdb(made)
        names = tuple(folded(one.this) for one in kept if isinstance(one.this, exp.Identifier))
        value = _rounded_default(made)
        edits: list[Edit] = [
            AddColumn(name, sql, exists, plain, tuple(counter), tuple(more), names, value)
        ]
        if keys:
            refers = _referred(column)
            edits.append(AddConstraint(tuple(map(write_duckdb, keys)), False, refers=refers))
        for one in unique:
            called = folded(one.this) if isinstance(one.this, exp.Identifier) else ""
            edits.append(AddUnique(called, (name,)))
        return edits

    def add_constraint(self, action: exp.AddConstraint) -> list[Edit] | None:
        edits: list[Edit] = []
        for item in action.expressions:
            parts = item.expressions if isinstance(item, exp.Constraint) else [item]
            if len(parts) != 1:
                return None
            (part,) = parts
            if isinstance(part, exp.UniqueColumnConstraint) and not self.records:
                columns = part.this.expressions if isinstance(part.this, exp.Schema) else []
                if not columns or not all(isinstance(one, exp.Identifier) for one in columns):
                    return None
                name = folded(item.this) if isinstance(item, exp.Constraint) else ""
                edits.append(AddUnique(name, tuple(map(folded, columns))))
                continue
            item = item.copy()
            _checked_at_once(item)
            made, _ = self.defined(item)
            primary = isinstance(part, exp.PrimaryKey)
            names = (folded(item.this),) if isinstance(item.this, exp.Identifier) else ()
            sql = tuple(map(write_duckdb, made))
            edits.append(AddConstraint(sql, primary, names, self.records, _referred(item)))
        return edits

    def drop(self, action: exp.Drop) -> list[Edit] | None:
        kind = str(action.args.get("kind") or "").upper()
        edit = {"COLUMN": DropColumn, "CONSTRAINT": DropConstraint}.get(kind)
        named = action.args.get("tables") or ([action.this] if action.this is not None else [])
        if edit is None or not all(isinstance(one, (exp.Table, exp.Column)) for one in named):
            return None
        exists = bool(action.args.get("exists"))
        cascades = bool(action.args.get("cascade"))
        return [edit(folded(one.this), exists, cascades) for one in named]

    def rename_column(self, action: exp.RenameColumn) -> list[Edit] | None:
        if action.args.get("exists"):
            return None
        return [RenameColumn(folded(action.this.this), folded(action.args["to"].this))]

    def alter_column(self, action: exp.AlterColumn) -> list[Edit] | None:
        name, said = folded(action.this), action.args
        if said.get("comment") is not None or said.get("visible") is not None:
            return None
        if isinstance(said.get("dtype"), exp.DataType):
            if said.get("collate"):
                return None
            column = exp.ColumnDef(this=action.this.copy(), kind=said["dtype"].copy())
            (made, *_), _ = self.defined(column)
            checks = [one.args["kind"] for one in made.args.get("constraints") or ()]
            kind = write_duckdb(made.args["kind"])
            using = said.get("using")
            digits = _digits_kept(checks, name)
            current: exp.Expr = exp.column(name, quoted=True)
            if isinstance(using, exp.Expr):
                query = exp.select(using.copy()).from_(self.table.copy())
                rewritten = self.rewrite(query)
                current = rewritten.expressions[0].unalias()
            value = write_duckdb(current)
            if digits is not None:
                value = write_duckdb(rounded(current, made.args["kind"].copy(), digits))
            elif not isinstance(using, exp.Expr):
                value = f"CAST({value} AS {kind})"
            told = isinstance(using, exp.Expr)
            return [SetType(name, kind, tuple(map(write_duckdb, checks)), value, told)]
        if said.get("allow_null") is not None:
            return [SetNull(name, bool(said["allow_null"]))]
        if said.get("default") is not None:
            query = exp.select(said["default"].copy())
            rewritten = self.rewrite(query)
            sql = write_duckdb(with_text(action, rewritten.expressions[0].unalias()))
            literal = isinstance(said["default"], exp.Literal) and said["default"].is_string
            return [SetDefault(name, sql, said["default"].this if literal else None)]
        return [SetDefault(name, None)] if said.get("drop") else None


_READERS: dict[type, Callable[[_Reading, exp.Expr], list[Edit] | None]] = {
    exp.ColumnDef: _Reading.add_column,
    exp.AddConstraint: _Reading.add_constraint,
    exp.Drop: _Reading.drop,
    exp.RenameColumn: _Reading.rename_column,
    exp.AlterColumn: _Reading.alter_column,
}


def _referred(tree: exp.Expr) -> tuple[str, ...]:
    """The names of the tables that its foreign keys refer to."""
    tables = (one.find(exp.Table) for one in tree.find_all(exp.Reference))
    return tuple(folded(table.this) for table in tables if table is not None)


def _rounded_default(column: exp.Expr) -> str:
    """The default of a column of DuckDB's that keeps few digits of a second, with so many; '' without."""
    name, kind = folded(column.this), column.args.get("kind")
    constraints = [one.args["kind"] for one in column.args.get("constraints") or ()]
    digits = _digits_kept(constraints, name)
    defaults = [one.this for one in constraints if isinstance(one, exp.DefaultColumnConstraint)]
    if digits is None or not defaults or not isinstance(kind, exp.DataType):
        return ""
    return write_duckdb(rounded(defaults[0].copy(), kind.copy(), digits))


def _digits_kept(constraints: Iterable[exp.Expr], column: str) -> int | None:
    """The digits of a second that the checks of a column's definition keep; None for all."""
    checks = (one.this for one in constraints if isinstance(one, exp.CheckColumnConstraint))
    kept = (checked_digits(check, column) for check in checks)
    return next((digits for digits in kept if digits is not None), None)


_DEFERRED = frozenset({"DEFERRABLE", "INITIALLY DEFERRED", "NOT DEFERRABLE", "INITIALLY IMMEDIATE"})


def _checked_at_once(item: exp.Expr) -> None:
    for node in item.walk():
        if node.args.get("options"):
            left = [one for one in node.args["options"] if str(one).upper() not in _DEFERRED]
            node.set("options", left or None)
