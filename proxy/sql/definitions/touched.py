"""Which definitions a statement may change, from its tree: what the catalog's mirror looks at after it.

A name too many costs a look, a name too few leaves the mirror wrong: whatever is not known here by
its kind is taken to change everything. No catalog is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp
from sqlglot.tokens import Token, TokenType


@dataclass(frozen=True, slots=True)
class Touched:
    """schema: as the statement says it, None where it does not; name: None for the schema itself.

    deep: not only its columns, but constraints, indexes or comments. kept: nothing but its columns
    or its name. indexed: nothing but its indexes. constrained: it is new, with constraints.
    comment: nothing but this one, of a column or (None) of the relation: its text. views: and the
    columns of views on it. renamed: its new name. source: the text of a view's query. rows: how many
    it has is to be told. temporary: it is the session's alone, whatever the schema. index: it is an
    index's name. types: the schema's types alone. everything: any relation at all; the rest says nothing.

    event: what that is to it: it is 'made', made 'unless' it is there, 'dropped' or 'altered'; '' for
    nothing. becomes: the schema (None: where it is) and the name that it is given; swaps: what has that
    name gets its own. schema_comment: of the schema that is made.
    """

    schema: str | None = None
    name: str | None = None
    deep: bool = False
    kept: bool = False
    views: bool = False
    rows: bool = False
    renamed: str | None = None
    source: str | None = None
    temporary: bool = False
    index: bool = False
    indexed: bool = False
    constrained: bool = False
    comment: tuple[str | None, str | None] | None = None
    types: bool = False
    everything: bool = False
    event: str = "altered"
    becomes: tuple[str | None, str] | None = None
    swaps: bool = False
    schema_comment: str | None = None


EVERYTHING = (Touched(everything=True),)

_COPIED = (
    exp.CommentColumnConstraint,
    exp.SchemaCommentProperty,
    exp.Clone,
    exp.LikeProperty,
)
_DEEP = (
    *_COPIED,
    exp.UniqueColumnConstraint,
    exp.PrimaryKey,
    exp.ForeignKey,
    exp.Reference,
    exp.Check,
    exp.CheckColumnConstraint,
    exp.ComputedColumnConstraint,
    exp.Constraint,
)
_OF_COLUMNS = (exp.ColumnDef, exp.AlterColumn)  # not DROP, which may take constraints along
_TEMPORARY = frozenset(
    {"pg_temp", "temp"}
)  # what Postgres and DuckDB call the session's own schema
_RELATIONS = frozenset({"TABLE", "VIEW", "SEQUENCE"})
_NOT_MIRRORED = frozenset({"FUNCTION", "MACRO", "PROCEDURE", "STAGE", "SECRET"})


def touched(tree: exp.Expr, tokens: list[Token], text: str) -> tuple[Touched, ...]:
    """What `tree`, which may change the schema, may change. text: the message of `tokens`."""
    reader = _READERS.get(type(tree))
    found = reader(tree) if reader is not None else EVERYTHING
    if isinstance(tree, exp.Create) and tree.kind == "SCHEMA":
        comment = tree.find(exp.SchemaCommentProperty)
        said = "" if tree.args.get("replace") else None
        said = comment.name if comment is not None else said
        return tuple(replace(one, schema_comment=said) for one in found)
    if isinstance(tree, exp.Create) and tree.kind == "VIEW" and len(found) == 1:
        (only,) = found
        if only.name is not None and not tree.args.get("exists"):
            return (replace(only, source=_after_as(tokens, text)),)
    return tuple(found)


def _create(tree: exp.Create) -> Iterable[Touched]:
    kind = str(tree.kind or "").upper()
    this = tree.this
    if kind in _NOT_MIRRORED:
        return ()
    if kind == "INDEX":
        table = this.args.get("table") if isinstance(this, exp.Index) else None
        return (_name(table, indexed=True),) if isinstance(table, exp.Table) else EVERYTHING
    table = this.this if isinstance(this, exp.Schema) else this
    if kind == "TYPE" and isinstance(table, exp.Table):
        return (_types(table),)
    if not isinstance(table, exp.Table) or kind not in _RELATIONS | {"SCHEMA"}:
        return EVERYTHING
    # What IF NOT EXISTS leaves alone is what it was, not what is written here.
    deep = bool(tree.args.get("exists")) or tree.find(*_COPIED) is not None
    new = kind == "TABLE" and not deep  # a query's columns may be declared as anything
    constrained = new and (
        tree.expression is not None or tree.find(*_DEEP) is not None or _has_length(tree)
    )
    replaces = bool(tree.args.get("replace"))
    event = "unless" if tree.args.get("exists") else "made"
    found = _name(table, deep=deep, constrained=constrained, views=replaces, event=event)
    if tree.find(exp.TemporaryProperty) is not None:
        found = replace(found, temporary=True)
    return (found,)


def _has_length(tree: exp.Expr) -> bool:
    """Whether a column is a varchar(n) or a timestamp(n), whose n is a constraint to DuckDB."""
    kinds = tree.find_all(exp.DataType)
    return any(kind.expressions and kind.this in _SIZED for kind in kinds)


# One that is named with its schema, pg_catalog.varchar(5), is nobody's own to the parser.
_SIZED = exp.DataType.TEXT_TYPES | exp.DataType.TEMPORAL_TYPES | {exp.DType.USERDEFINED}


def _drop(tree: exp.Drop) -> Iterable[Touched]:
    kind = str(tree.args.get("kind") or "").upper()
    if kind in _NOT_MIRRORED:
        return ()
    named = [tree.this] if tree.this is not None else tree.args.get("tables") or ()
    if kind not in _RELATIONS | {"SCHEMA", "INDEX", "TYPE"}:
        return EVERYTHING
    if not all(isinstance(table, exp.Table) for table in named):
        return EVERYTHING
    if kind == "TYPE":
        return [_types(table) for table in named]
    return [_name(table, index=kind == "INDEX", event="dropped") for table in named]


def _alter(tree: exp.Alter) -> Iterable[Touched]:
    if not isinstance(tree.this, exp.Table):
        return EVERYTHING
    actions = tree.args.get("actions") or ()
    renamed = [action.this for action in actions if isinstance(action, exp.AlterRename)]
    column = tree.args.get("options")  # RENAME a TO b, without the word COLUMN
    if len(actions) == 1 and renamed and isinstance(renamed[0], exp.Table) and not column:
        if renamed[0].db and renamed[0].db.lower() != tree.this.db.lower():  # it may go there
            moved = _name(tree.this, deep=True, becomes=(renamed[0].db, renamed[0].name))
            return moved, _name(renamed[0], deep=True, event="")
        becomes = (None, renamed[0].name)
        return (_name(tree.this, kept=True, renamed=renamed[0].name, becomes=becomes),)
    swapped = [action.this for action in actions if isinstance(action, exp.SwapTable)]
    kept = tree.find(*_DEEP) is None and all(isinstance(action, _OF_COLUMNS) for action in actions)
    others = [_name(table, deep=True, event="") for table in swapped]
    becomes = (None, swapped[0].name) if swapped else None
    own = _name(
        tree.this, deep=not kept, kept=kept, views=True, becomes=becomes, swaps=bool(swapped)
    )
    return (own, *others)


def _comment(tree: exp.Comment) -> Iterable[Touched]:
    kind = str(tree.args.get("kind") or "").upper()
    this, said = tree.this, tree.expression
    literal = isinstance(said, (exp.Literal, exp.RawString)) and "\\" not in said.name
    text = said.name if literal else None
    if kind == "COLUMN" and isinstance(this, exp.Column):
        table = exp.Table(this=this.args.get("table"), db=this.args.get("db"))
        column: str | None = this.name
    elif kind in _RELATIONS and isinstance(this, exp.Table):
        table, column = this, None
    else:
        return EVERYTHING
    if not literal and not isinstance(said, exp.Null):
        return (_name(table, deep=True),)
    return (_name(table, comment=(column, text)),)


_READERS: dict[type, Callable[..., Iterable[Touched]]] = {
    exp.Create: _create,
    exp.Drop: _drop,
    exp.Alter: _alter,
    exp.Comment: _comment,
}


def _name(table: exp.Table, **how: Any) -> Touched:
    schema = table.args.get("db")
    name = schema.name if schema is not None else None
    temporary = name is not None and name.lower() in _TEMPORARY
    return Touched(name, table.name or None, temporary=temporary, **how)


def _types(name: exp.Table) -> Touched:
    return replace(_name(name), name=None, types=True)


def _after_as(tokens: list[Token], text: str) -> str | None:
    """The query of CREATE VIEW: what follows the first AS outside brackets."""
    depth = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if kind == TokenType.ALIAS and not depth:
            return text[token.end + 1 : tokens[-1].end + 1].strip()
    return None
