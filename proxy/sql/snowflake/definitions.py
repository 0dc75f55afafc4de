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
from proxy.sql.changes.written_columns import query_around, width_of
from proxy.sql.definitions.constraint_names import rules_of
from proxy.sql.definitions.identities import UNIQUE, bounds_of, folded, number, places, taken
from proxy.sql.quoting import quoted
from proxy.sql.snowflake.recorded_keys import only_record
from proxy.sql.snowflake.registry import sf, text, unsupported
from proxy.sql.statement import Copies

FOREIGN_KEY = "foreign key"
"""The key under which a foreign key's check keeps its name, in JSON."""


@dataclass(slots=True)
class Divided:
    """first: what is answered for. then: trees, yet to be rewritten, and DuckDB's SQL as text."""

    first: exp.Expr
    then: list[exp.Expr | str] = field(default_factory=list)
    tag: str = ""
    notice: str = ""
    copies: Copies | None = None


def divide(tree: exp.Expr, database: str, *, keys: bool = True) -> Divided:
    """The statements that make up a definition in Snowflake's dialect; `tree` is spent.

    database: the name of the one there is. keys: whether PRIMARY KEY and UNIQUE are to be enforced.
    """
    if isinstance(tree, exp.Create):
        is_database = tree.kind == "DATABASE" and tree.args.get("exists")
        if is_database and tree.this.name.lower() == database.lower():
            notice = f'database "{tree.this.name}" already exists, skipping'
            return Divided(exp.select("1").limit(0), notice=notice)
        if not keys:
            only_record(tree)
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
    if kind == "SEQUENCE":
        _bound(tree)
        properties = tree.args.get("properties")
    if kind == "TABLE":
        divided.copies = _copies(tree, table, properties)
    if schema is not None and kind == "TABLE":
        _columns(schema, table, _has(properties, exp.TemporaryProperty), divided)
        if tree.expression is not None and any(_is_typed(c) for c in schema.expressions):
            _insert_after(tree, schema, table, divided)
    elif schema is not None:
        _view_columns(tree, schema, table, divided)
    if properties is not None:
        for one in properties.expressions:
            if isinstance(one, exp.SchemaCommentProperty):
                divided.then.append(_comment(table.copy(), kind, one.this))
    return divided


def _copies(tree: exp.Create, table: exp.Expr, properties: exp.Properties | None) -> Copies | None:
    clone = tree.args.get("clone")
    like = properties.find(exp.LikeProperty) if properties is not None else None
    if clone is None and like is None:
        return None
    if clone is not None and clone.find(exp.HistoricalData) is not None:
        raise unsupported("CLONE of an earlier state", tree, "There is no time travel.")
    source = (clone or like).this
    words = ["CREATE"]
    words += ["OR REPLACE"] if tree.args.get("replace") else []
    words += ["TEMPORARY"] if _has(properties, exp.TemporaryProperty) else []
    words += ["TABLE", "IF NOT EXISTS"] if tree.args.get("exists") else ["TABLE"]
    names = [(*places(one), folded(one.this)) for one in (source, table)]
    return Copies(names[0], names[1], clone is not None, " ".join(words))


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
    typed = [column for column in schema.expressions if _is_typed(column)]
    names = [column.this.copy() for column in typed]
    texts = {n for n, one in enumerate(typed) if one.args["kind"].this in exp.DataType.TEXT_TYPES}
    if texts and width_of(query) in (len(typed), None):
        # A VARIANT's text is without quotes, a BINARY's its digits: DuckDB writes other ones.
        query = query_around(
            query, len(typed), lambda n, c: sf("to_varchar_", c) if n in texts else c
        )
    into = exp.Schema(this=table.copy(), expressions=names)
    divided.then.insert(0, exp.Insert(this=into, expression=query))
    divided.tag = "CREATE TABLE"


def _columns(schema: exp.Schema, table: exp.Expr, temporary: bool, divided: Divided) -> None:
    keys: list[exp.Expr] = []
    kept = []
    for item in schema.expressions:
        if isinstance(item, exp.ColumnDef):
            _column(item, table, temporary, divided, keys)
            kept.append(item)
            continue
        _key_options(item)
        foreign = _foreign_keys(item)
        keys.extend(foreign)
        if not foreign:
            kept.append(item)
    schema.set("expressions", kept)
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
    divided.then.extend(taken(column, table, temporary, snowflake=True))
    kept = []
    for constraint in column.args.get("constraints") or ():
        kind = constraint.args.get("kind")
        _key_options(kind)
        if isinstance(kind, exp.CommentColumnConstraint):
            divided.then.append(_comment(_column_of(table, column.this), "COLUMN", kind.this))
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


def _bound(tree: exp.Create) -> None:
    """CREATE SEQUENCE with its bounds."""
    properties = tree.args.get("properties")
    own = properties.find(exp.SequenceProperties) if properties is not None else None
    if own is None:
        own = exp.SequenceProperties()
        if properties is None:
            properties = exp.Properties(expressions=[])
            tree.set("properties", properties)
        properties.append("expressions", own)
    own.set("options", [o for o in own.args.get("options") or () if not _ordering(o)])
    if own.args.get("minvalue") is None and own.args.get("maxvalue") is None:
        start, step = (number(own.args.get(key)) for key in ("start", "increment"))
        for key, value in zip(("minvalue", "maxvalue"), bounds_of(start, step), strict=True):
            own.set(key, exp.Var(this=str(value)))


def _foreign_keys(item: exp.Expr) -> list[exp.Expr]:
    name = folded(item.this) if isinstance(item, exp.Constraint) else ""
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
    where = places(named)
    kept = {
        FOREIGN_KEY: name,
        "columns": [folded(column) for column in columns],
        "schema": where[-1] if where else "",
        "table": folded(named.this),
        "references": [folded(c) for c in target.expressions] if target is not named else [],
        **dict(rules_of(reference)),
    }
    said = exp.Is(this=text(json.dumps(kept)), expression=exp.Null())
    return exp.CheckColumnConstraint(this=exp.Not(this=said))


def _view_columns(tree: exp.Create, schema: exp.Schema, table: exp.Expr, divided: Divided) -> None:
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
    if divided.then:  # DuckDB finds a column to comment on by its name in the query alone
        query = exp.Subquery(
            this=tree.expression,
            alias=exp.TableAlias(this=exp.Identifier(this="query"), columns=names),
        )
        tree.set("expression", exp.Select(expressions=[exp.Star()], from_=exp.From(this=query)))
        tree.set("this", table)


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
    if not made or isinstance(made[0], str):  # at least it must be there
        if tree.args.get("exists"):
            raise unsupported(f"this form of ALTER {kind} IF EXISTS", tree)
        made.insert(0, exp.select("1").from_(tree.this.copy()).limit(0))
    first, *rest = made
    assert isinstance(first, exp.Expr)
    return Divided(first, rest)


def _nullable(table: exp.Expr, column: exp.Expr, nullable: bool) -> str:
    target = quoted(*places(table), folded(table.this))
    change = "DROP" if nullable else "SET"
    return f"ALTER TABLE {target} ALTER COLUMN {quoted(folded(column))} {change} NOT NULL"


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
        said = action.args["comment"]
        return [
            _comment(_column_of(table, action.this), "COLUMN", said if said.name else exp.Null())
        ]
    if isinstance(action, exp.Command):
        raise unsupported(f"ALTER {kind} {_said(action)}", tree)
    if isinstance(action, exp.AlterColumn) and action.args.get("allow_null") is not None:
        return [_nullable(table, action.this, bool(action.args["allow_null"]))]
    return [_one(tree, action)]


def _drops_clustering(action: exp.Expr) -> bool:
    return isinstance(action, exp.Command) and _said(action).upper() == "DROP CLUSTERING KEY"


def _said(command: exp.Command) -> str:
    return " ".join(f"{command.this} {command.expression}".split())


def _dropping(action: exp.Drop, one: exp.Expr) -> exp.Drop:
    made = action.copy()
    made.set("tables", [one.copy()])
    return made


def _swap(tree: exp.Alter, table: exp.Expr, other: exp.Expr) -> list[exp.Expr | str]:
    """Three renames; a renamed table keeps what depends on it."""
    where = places(table)
    if places(other) != where:
        raise unsupported("SWAP WITH a table of another schema", tree)
    mine, theirs = folded(table.this), folded(other.this)
    between = f"{mine}_{UNIQUE}"

    def rename(old: str, new: str) -> str:
        return f"ALTER TABLE {quoted(*where, old)} RENAME TO {quoted(new)}"

    return [rename(mine, between), rename(theirs, mine), rename(between, theirs)]


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
    if action.args.get("tag"):
        return made
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
                after.append(_nullable(table, column.this, False))
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
    "EXTERNAL": "Load the data with COPY INTO.",
    "ICEBERG": "Load the data with COPY INTO.",
    "UNDROP": "What is dropped is gone; there is no time travel.",
    "SCHEMA": "Clone its tables one by one.",
}
"""What to do in place of what is refused, by the kind of object."""


def hinted(error: SqlError, kind: str) -> SqlError:
    """The refusal of a statement about `kind`, with what to do instead."""
    if error.sqlstate == "0A000" and error.hint is None:
        error.hint = HINTS.get(kind.partition(" ")[0])
    return error
