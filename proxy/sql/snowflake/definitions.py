"""Definitions that are several statements to DuckDB: comments, identities, ALTERs of many actions.

What Snowflake says in one statement, DuckDB may need several for. They run in one transaction, in
order (`Statement.then`), so that all of it is there or nothing. Foreign keys, which are not enforced,
are kept in a check that is always true, where SHOW IMPORTED KEYS finds them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.snowflake.registry import text, unsupported

UNIQUE = "hatidata_unique_name"
"""Stands in `Statement.then` for a word that is another one each time that they are run."""

FOREIGN_KEY = "foreign key"
"""The key under which a foreign key's check keeps its name, in JSON."""


@dataclass(slots=True)
class Divided:
    """first: what is answered for. then: trees, yet to be rewritten, and DuckDB's SQL as text."""

    first: exp.Expr
    then: list[exp.Expr | str] = field(default_factory=list)
    tag: str = ""
    notice: str = ""


def divide(tree: exp.Expr) -> Divided:
    """The statements that make up a definition in Snowflake's dialect; `tree` is spent."""
    if isinstance(tree, exp.Create):
        return _create(tree)
    if isinstance(tree, exp.Alter):
        return _alter(tree)
    return Divided(tree)


# --- CREATE ---------------------------------------------------------------------------------------


def _create(tree: exp.Create) -> Divided:
    divided = Divided(tree)
    kind = str(tree.args.get("kind") or "").upper()
    if kind not in ("TABLE", "VIEW", "SEQUENCE"):
        return divided
    schema = tree.this if isinstance(tree.this, exp.Schema) else None
    table = schema.this if schema is not None else tree.this
    properties = tree.args.get("properties")
    if kind == "VIEW" and _has(properties, exp.MaterializedProperty):
        divided.notice = "a materialized view is a view here: it is computed when it is read"
    if schema is not None and kind == "TABLE":
        _columns(schema, table, _has(properties, exp.TemporaryProperty), divided)
        if tree.expression is not None and any(_is_typed(c) for c in schema.expressions):
            _insert_after(tree, schema, table, divided)
    elif schema is not None:
        _view_columns(schema, table, divided)
    if properties is not None:
        for one in properties.expressions:
            if isinstance(one, exp.SchemaCommentProperty):
                divided.then.append(_comment(table.copy(), kind, one.this))
            elif isinstance(one, exp.SequenceProperties):
                one.set("options", [o for o in one.args.get("options") or () if not _ordering(o)])
    return divided


def _has(properties: exp.Properties | None, kind: type) -> bool:
    return properties is not None and any(isinstance(p, kind) for p in properties.expressions)


def _ordering(option: exp.Expr) -> bool:
    """Sequences here are ordered always."""
    return option.name.upper() in ("ORDER", "NOORDER")


def _comment(what: exp.Expr, kind: str, said: exp.Expr) -> exp.Comment:
    return exp.Comment(this=what, kind=kind, expression=said.copy())


def _column_of(table: exp.Expr, column: exp.Identifier) -> exp.Column:
    parts = {"table": "this", "db": "db", "catalog": "catalog"}
    named = {key: table.args[part].copy() for key, part in parts.items() if table.args.get(part)}
    return exp.Column(this=column.copy(), **named)


def _is_typed(column: exp.Expr) -> bool:
    return isinstance(column, exp.ColumnDef) and column.args.get("kind") is not None


def _insert_after(tree: exp.Create, schema: exp.Schema, table: exp.Expr, divided: Divided) -> None:
    """CREATE TABLE with column types AS a query: first the table, then its rows."""
    query = tree.expression
    tree.set("expression", None)
    names = [column.this.copy() for column in schema.expressions if _is_typed(column)]
    into = exp.Schema(this=table.copy(), expressions=names)
    divided.then.insert(0, exp.Insert(this=into, expression=query))
    divided.tag = "CREATE TABLE"


def _columns(schema: exp.Schema, table: exp.Expr, temporary: bool, divided: Divided) -> None:
    keys: list[exp.Expr] = []
    for item in schema.expressions:
        if isinstance(item, exp.ColumnDef):
            _column(item, table, temporary, divided, keys)
        else:
            _key_options(item)
            keys.extend(_foreign_keys(item))
    for key in keys:
        schema.append("expressions", key)


def _column(
    column: exp.ColumnDef,
    table: exp.Expr,
    temporary: bool,
    divided: Divided,
    keys: list[exp.Expr] | None,
) -> None:
    """Takes out of a column's definition what becomes a statement of its own."""
    kept = []
    for constraint in column.args.get("constraints") or ():
        kind = constraint.args.get("kind")
        _key_options(kind)
        if isinstance(kind, exp.CommentColumnConstraint):
            divided.then.append(_comment(_column_of(table, column.this), "COLUMN", kind.this))
        elif isinstance(kind, exp.AutoIncrementColumnConstraint) or (
            isinstance(kind, exp.GeneratedAsIdentityColumnConstraint)
            and kind.args.get("expression") is None
        ):
            divided.then.extend(_identity(kind, table, column.this, temporary))
        elif isinstance(kind, exp.Reference) and keys is not None:
            keys.append(_kept_key("", [column.this], kind))
        else:
            kept.append(constraint)
    column.set("constraints", kept)


_OPTIONS = frozenset(
    {"RELY", "NORELY", "ENFORCED", "NOT ENFORCED", "ENABLE", "DISABLE", "VALIDATE", "NOVALIDATE"}
    | {"ENABLE VALIDATE", "ENABLE NOVALIDATE", "NOT DEFERRABLE", "INITIALLY IMMEDIATE"}
)


def _key_options(item: exp.Expr | None) -> None:
    """NOT ENFORCED, RELY and the like: keys are enforced here, whatever is said."""
    if item is None:
        return
    for node in (item, *getattr(item, "expressions", ())):
        if isinstance(node, exp.Expr) and node.args.get("options"):
            left = [o for o in node.args["options"] if str(o).upper() not in _OPTIONS]
            node.set("options", left or None)


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def _places(table: exp.Expr) -> list[str]:
    """The parts of a table's name, `public` being `main`."""
    found = [table.args[part] for part in ("catalog", "db") if table.args.get(part) is not None]
    return ["main" if part.name.lower() == "public" else _folded(part) for part in found]


def _folded(name: exp.Expr) -> str:
    return name.name if name.args.get("quoted") else name.name.lower()


def _identity(kind: exp.Expr, table: exp.Expr, column: exp.Expr, temporary: bool) -> list[str]:
    """A sequence of the column's own. Its name ends in `_identity`, by which it is known."""
    start, step = (_number(kind.args.get(key)) for key in ("start", "increment"))
    name = f"{_folded(table.this)}_{_folded(column)}_{UNIQUE}_identity"
    sequence = _quoted(*_places(table), name)
    target = _quoted(*_places(table), _folded(table.this))
    default = f"nextval({_literal(_quoted(name))})"
    # DuckDB's bounds are 1 and up unless said: a falling or negative start needs room.
    bounds = "" if step > 0 and start > 0 else f" MINVALUE {-(2**63)} MAXVALUE {2**63 - 1}"
    temp = "TEMP " if temporary else ""
    return [
        f"CREATE {temp}SEQUENCE {sequence} INCREMENT BY {step}{bounds} START WITH {start}",
        f"ALTER TABLE {target} ALTER COLUMN {_quoted(_folded(column))} SET DEFAULT {default}",
        f"ALTER SEQUENCE {sequence} OWNED BY {target}",
    ]


def _number(value: exp.Expr | None) -> int:
    if value is None:
        return 1
    negative = isinstance(value, exp.Neg)
    return int(value.this.name) * -1 if negative else int(value.name)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _foreign_keys(item: exp.Expr) -> list[exp.Expr]:
    name = item.name if isinstance(item, exp.Constraint) else ""
    parts = item.expressions if isinstance(item, exp.Constraint) else [item]
    return [
        _kept_key(name, part.expressions, part.args.get("reference"))
        for part in parts
        if isinstance(part, exp.ForeignKey)
    ]


def _kept_key(name: str, columns: list[exp.Expr], reference: exp.Expr | None) -> exp.Expr:
    """A check that is always true and holds a foreign key, as JSON."""
    target = reference.this if reference is not None else None
    named = target.this if isinstance(target, exp.Schema) else target
    if not isinstance(named, exp.Table):
        raise unsupported("this form of FOREIGN KEY", reference)
    places = _places(named)
    kept = {
        FOREIGN_KEY: name.lower(),
        "columns": [_folded(column) for column in columns],
        "schema": places[-1] if places else "",
        "table": _folded(named.this),
        "references": [_folded(c) for c in target.expressions] if target is not named else [],
    }
    said = exp.Is(this=text(json.dumps(kept)), expression=exp.Null())
    return exp.CheckColumnConstraint(this=exp.Not(this=said))


def _view_columns(schema: exp.Schema, table: exp.Expr, divided: Divided) -> None:
    names = []
    for item in schema.expressions:
        if not isinstance(item, exp.ColumnDef):
            names.append(item)
            continue
        _column(item, table, False, divided, None)
        if item.args.get("constraints") or item.args.get("kind") is not None:
            raise unsupported("this form of a view's column", item)
        names.append(item.this)
    schema.set("expressions", names)


# --- ALTER ----------------------------------------------------------------------------------------

_NOTHING = (exp.ClusterProperty, exp.Cluster)
_NOTHING_SET = frozenset(
    {
        *("data_retention_time_in_days", "max_data_extension_time_in_days", "change_tracking"),
        *("default_ddl_collation", "enable_schema_evolution"),
    }
)


def _alter(tree: exp.Alter) -> Divided:
    kind = str(tree.args.get("kind") or "TABLE").upper()
    made: list[exp.Expr | str] = []
    for action in tree.args.get("actions") or ():
        made.extend(_action(tree, kind, action))
    if not made:  # nothing to do, but to a table that must be there
        made.append(exp.select("1").from_(tree.this.copy()).limit(0))
    first, *rest = made
    if not isinstance(first, exp.Expr):
        raise unsupported("this form of ALTER TABLE", tree)
    return Divided(first, rest)


def _one(tree: exp.Alter, action: exp.Expr) -> exp.Alter:
    altered = tree.copy()
    altered.set("actions", [action.copy()])
    return altered


def _action(tree: exp.Alter, kind: str, action: exp.Expr) -> list[exp.Expr | str]:
    table = tree.this
    if isinstance(action, _NOTHING) or _drops_clustering(action):
        return []
    if isinstance(action, exp.SwapTable):
        return _swap(tree, table, action.this)
    if isinstance(action, exp.AlterSet):
        return _set(tree, kind, table, action)
    if isinstance(action, exp.Set):
        return _unset(tree, kind, table, action)
    if isinstance(action, exp.ColumnDef):
        return _add_column(tree, table, action)
    if isinstance(action, exp.Drop) and len(action.args.get("tables") or ()) > 1:
        return [_one(tree, _dropping(action, one)) for one in action.args["tables"]]
    if isinstance(action, exp.AddConstraint):
        if action.find(exp.ForeignKey) is not None:
            hint = "Name it in CREATE TABLE."
            raise unsupported("ALTER TABLE ... ADD FOREIGN KEY", action, hint)
        for item in action.expressions:
            _key_options(item)
        return [_one(tree, action)]
    if isinstance(action, exp.AlterColumn) and action.args.get("comment") is not None:
        return [_comment(_column_of(table, action.this), "COLUMN", action.args["comment"])]
    if isinstance(action, exp.Command):
        raise unsupported(f"ALTER {kind} {action.this} {action.expression}", tree)
    return [_one(tree, action)]


def _drops_clustering(action: exp.Expr) -> bool:
    said = f"{action.this} {action.expression}" if isinstance(action, exp.Command) else ""
    return said.upper() == "DROP CLUSTERING KEY"


def _dropping(action: exp.Drop, one: exp.Expr) -> exp.Drop:
    made = action.copy()
    made.set("tables", [one.copy()])
    return made


def _swap(tree: exp.Alter, table: exp.Expr, other: exp.Expr) -> list[exp.Expr | str]:
    """Three renames; a renamed table keeps what depends on it."""
    places = _places(table)
    if _places(other) != places:
        raise unsupported("SWAP WITH a table of another schema", tree)
    mine, theirs = _folded(table.this), _folded(other.this)
    between = f"{mine}_{UNIQUE}"

    def rename(old: str, new: str) -> str:
        return f"ALTER TABLE {_quoted(*places, old)} RENAME TO {_quoted(new)}"

    there = exp.select("1").from_(table.copy(), copy=False).limit(0)
    return [there, rename(mine, between), rename(theirs, mine), rename(between, theirs)]


def _set(tree: exp.Alter, kind: str, table: exp.Expr, action: exp.AlterSet) -> list[exp.Expr | str]:
    made: list[exp.Expr | str] = []
    for group in action.expressions:
        for one in group.expressions if isinstance(group, exp.Properties) else [group]:
            if isinstance(one, exp.SchemaCommentProperty):
                made.append(_comment(table.copy(), kind, one.this))
            elif isinstance(one, exp.SecureProperty):
                continue
            elif one.name.lower() not in _NOTHING_SET:
                raise unsupported(f"ALTER {kind} SET {one.name.upper()}", tree)
    return made


def _unset(tree: exp.Alter, kind: str, table: exp.Expr, action: exp.Set) -> list[exp.Expr | str]:
    made: list[exp.Expr | str] = []
    for one in action.expressions:
        name = one.name.lower()
        if name == "comment":
            made.append(_comment(table.copy(), kind, exp.Null()))
        elif name not in _NOTHING_SET and name != "secure":
            raise unsupported(f"ALTER {kind} UNSET {name.upper()}", tree)
    return made


def _add_column(tree: exp.Alter, table: exp.Expr, column: exp.ColumnDef) -> list[exp.Expr | str]:
    """DuckDB adds a column with a default, and nothing else said of it."""
    column = column.copy()
    divided = Divided(tree)
    _column(column, table, False, divided, None)
    after: list[exp.Expr | str] = []
    kept = []
    for constraint in column.args.get("constraints") or ():
        if isinstance(constraint.args.get("kind"), exp.NotNullColumnConstraint):
            if not constraint.args["kind"].args.get("allow_null"):
                changed = exp.AlterColumn(this=column.this.copy(), allow_null=False)
                after.append(_one(tree, changed))
        elif isinstance(constraint.args.get("kind"), exp.DefaultColumnConstraint):
            kept.append(constraint)
        else:
            raise unsupported("a column added with this constraint", tree)
    if column.args.get("exists") and (after or divided.then):
        raise unsupported("ADD COLUMN IF NOT EXISTS with more than a default", tree)
    column.set("constraints", kept)
    return [_one(tree, column), *after, *divided.then]


HINTS: dict[str, str] = {
    "DATABASE": "There is one database; make a schema in it.",
    "WAREHOUSE": "The server itself computes; USE WAREHOUSE takes any name.",
    "STREAM": "Keep a column with the time of a change.",
    "TASK": "Let a scheduler outside send the statement.",
    "PIPE": "Send COPY FROM STDIN.",
    "TAG": "Use COMMENT.",
    "DYNAMIC": "Make a view.",
    "EXTERNAL": "Load the data with COPY FROM STDIN.",
    "ICEBERG": "Load the data with COPY FROM STDIN.",
    "HYBRID": "Make a table with a PRIMARY KEY.",
    "UNDROP": "What is dropped is gone; there is no time travel.",
    "SCHEMA": "Clone its tables one by one.",
}
"""What to do in place of what is refused, by the kind of object."""


def hinted(error: SqlError, kind: str) -> SqlError:
    """The refusal of a statement about `kind`, with what to do instead."""
    if error.sqlstate == "0A000" and error.hint is None:
        error.hint = HINTS.get(kind.partition(" ")[0])
    return error
