"""CREATE, ALTER, DROP: what is kept, what has no meaning here and is left out, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlglot import exp

from proxy.sql.definitions.default_literals import typed
from proxy.sql.definitions.indexing import plain_index
from proxy.sql.postgres.values import added_length, at_most
from proxy.sql.snowflake.registry import cast, duck, node, sf, text, unsupported
from proxy.sql.snowflake.types import TEXTS, carrier, length_of

_CREATED = frozenset({"TABLE", "VIEW", "SCHEMA", "SEQUENCE", "INDEX"})
_DROPPED = _CREATED | {"COLUMN", "CONSTRAINT", "FUNCTION", "MACRO", "TYPE", ""}

_LEFT_OUT = (
    exp.TransientProperty,
    exp.ClusterProperty,
    exp.Cluster,
    exp.SchemaCommentProperty,
    exp.CopyGrantsProperty,
    exp.SecureProperty,
    exp.MaterializedProperty,
    exp.Tags,
    exp.UnloggedProperty,
)
_LEFT_OUT_NAMES = frozenset(
    {
        *("data_retention_time_in_days", "max_data_extension_time_in_days", "change_tracking"),
        *("default_ddl_collation", "enable_schema_evolution", "comment"),
    }
)
_KEPT = (
    exp.TemporaryProperty,
    exp.SequenceProperties,
    exp.LikeProperty,
)


# Macros of several forms, and the one form that finds the type out when it runs.
ONE_FORM = {
    "_sf.to_varchar_": "_sf.any_text_",
    "_sf.text_": "_sf.any_text_",
    "_sf.number_": "_sf.any_number_",
    "_sf.counted_": "_sf.any_counted_",
    "_sf.as_its_kind_": "_sf.any_as_its_kind_",
    "_sf.to_timestamp_": "_sf.any_timestamp_",
    "_sf.to_timestamptz_": "_sf.any_timestamptz_",
    "_sf.to_date_": "_sf.any_date_",
    "_sf.to_time_": "_sf.any_time_",
    "_sf.to_variant": "_sf.variant_of_",
}
# A DEFAULT holds no lambda either. Its texts are constants, which may as well be read twice.
_IN_DEFINITIONS = {
    **ONE_FORM,
    "_sf.to_timestamp_": "_sf.fixed_timestamp_",
    "_sf.to_date_": "_sf.fixed_date_",
    "_sf.to_time_": "_sf.fixed_time_",
}
TWINS: dict[str, str] = {}
"""Macros of several forms, and the one that has only the forms that look at no types."""


def _name_one_form(defined: exp.Expr | None) -> None:
    """In constraints, defaults and indexes DuckDB chooses no form: columns have no types there yet."""
    if isinstance(defined, (exp.Schema, exp.Index, exp.ColumnDef)):
        for call in list(defined.find_all(exp.Anonymous)):
            other = _IN_DEFINITIONS.get(call.this) or TWINS.get(call.this)
            if other is not None:
                call.set("this", other)


def _instant(call: exp.Anonymous) -> exp.Expr | None:
    """A TIMESTAMP_TZ that goes into a column, which keeps the instant."""
    pair = call.expressions[0]
    if isinstance(pair, exp.Anonymous) and pair.this in ("_sf.pair_in_", "_sf.zoned_"):
        return sf("any_timestamptz_", pair.expressions[0])
    return None


def _clock(call: exp.Anonymous) -> exp.Expr | None:
    """What the clock shows in a zone."""
    pair, field = call.expressions
    if field.name == "t" and isinstance(pair, exp.Anonymous) and pair.this == "_sf.pair_in_":
        moment, zone = pair.expressions
        return duck("timezone", zone, moment)
    return None


def _constant_object(call: exp.Anonymous) -> exp.Expr | None:
    """An OBJECT of constants is one itself."""
    made: dict[str, object] = {}
    entries = call.expressions[0].expressions
    for entry in entries:
        key, value = entry.expressions if isinstance(entry, exp.Anonymous) else (None, None)
        if not isinstance(key, exp.Literal) or not isinstance(value, (exp.Literal, exp.Boolean)):
            return None
        plain = value.this if isinstance(value, exp.Boolean) or value.is_string else None
        made[key.name] = json.loads(value.name) if plain is None else plain
    return cast(text(json.dumps(made, sort_keys=True, separators=(",", ":"))), exp.DType.JSON)


# What a rule makes of values with offsets and formats, as a DEFAULT has it: without a lambda.
_PLAINLY: dict[object, Callable[[exp.Anonymous], exp.Expr | None]] = {
    "_sf.moment_of_": _instant,
    "struct_extract": _clock,
    "_sf.object_of_": _constant_object,
    "_sf.date_text_": lambda call: duck(
        "strftime", sf("fixed_timestamp_", call.expressions[0]), call.expressions[1]
    ),
}


@node(exp.DefaultColumnConstraint)
def _default(default: exp.DefaultColumnConstraint) -> None:
    """DuckDB's grammar has no operators in a DEFAULT but in brackets, and lambdas nowhere in one."""
    for call in list(default.find_all(exp.Anonymous))[::-1]:
        plain = _PLAINLY.get(call.this)
        made = plain(call) if plain is not None else None
        if made is not None:
            call.replace(made)
    if not isinstance(default.this, (exp.Literal, exp.Null, exp.Boolean, exp.Paren)):
        default.set("this", exp.Paren(this=default.this))


@node(exp.Create)
def _create(create: exp.Create) -> exp.Expr | None:
    kind = str(create.args.get("kind") or "").upper()
    if kind not in _CREATED:
        raise unsupported(f"CREATE {kind}", create)
    plain_index(create)
    _name_one_form(create.this)
    clone = create.args.get("clone")
    if clone is not None:
        if kind != "TABLE":
            raise unsupported(f"CREATE {kind} ... CLONE", create)
        create.set("clone", None)
        create.set("expression", exp.select("*").from_(clone.this))
    properties = create.args.get("properties")
    if properties is None:
        return None
    kept = []
    for one in properties.expressions:
        if isinstance(one, exp.TemporaryProperty):
            _without_schema(create, kind)
        if isinstance(one, _KEPT):
            kept.append(one)
        elif not isinstance(one, _LEFT_OUT) and one.name.lower() not in _LEFT_OUT_NAMES:
            name = one.name.upper() if type(one) is exp.Property else one.sql("snowflake")
            raise unsupported(f"CREATE {kind} with {name}", create)
    if len(kept) == 1 and isinstance(kept[0], exp.LikeProperty):
        source = exp.select("*").from_(kept[0].this).limit(0)
        create.set("expression", source)
        kept = []
    if kept:
        properties.set("expressions", kept)
    else:
        create.set("properties", None)
    return None


def _without_schema(create: exp.Create, kind: str) -> None:
    """Raises 0A000 for a temporary relation with a schema: the engine keeps them all in one place."""
    made = create.this.this if isinstance(create.this, exp.Schema) else create.this
    schema = made.args.get("db") if isinstance(made, exp.Table) else None
    if schema is not None and schema.name.lower() not in _OF_TEMPORARY:
        hint = "Name it without a schema: it is found from every schema, by this session alone."
        raise unsupported(f"CREATE TEMPORARY {kind} in a schema", create, hint)


_OF_TEMPORARY = frozenset({"temp", "pg_temp", "main"})


@node(exp.ColumnDef)
def _column(column: exp.ColumnDef) -> None:
    kind = column.args.get("kind")
    constraints = list(column.args.get("constraints") or ())
    kept = []
    for constraint in constraints:
        what = constraint.args.get("kind")
        if isinstance(what, _COUNTERS):
            raise unsupported("AUTOINCREMENT", column, "Use a sequence: DEFAULT s.NEXTVAL.")
        if isinstance(what, _LEFT_OUT_CONSTRAINTS):
            continue
        if (
            isinstance(what, exp.DefaultColumnConstraint)
            and isinstance(kind, exp.DataType)
            and isinstance(what.this, exp.Literal)
            and what.this.is_string
        ):
            what.set("this", typed(what.this, kind, lists_only=True))
        kept.append(constraint)
    if isinstance(kind, exp.DataType):
        if kind.this in TEXTS:
            length = length_of(kind)
            if length is not None and isinstance(column.parent, exp.Alter):
                raise added_length(column)
            if length is not None and isinstance(column.parent, exp.Schema):
                kept.append(at_most(column.this, length))
        other = carrier(kind)
        if other is not None:
            column.set("kind", other)
    if kept != constraints:
        column.set("constraints", kept)


_COUNTERS = (exp.GeneratedAsIdentityColumnConstraint, exp.AutoIncrementColumnConstraint)
# Foreign keys are not enforced; comments and collations of columns are not kept by this engine.
_LEFT_OUT_CONSTRAINTS = (
    exp.Reference,
    exp.CommentColumnConstraint,
    exp.MaskingPolicyColumnConstraint,
    exp.ProjectionPolicyColumnConstraint,
)


@node(exp.Schema)
def _schema(schema: exp.Schema) -> None:
    """FOREIGN KEY clauses are not enforced."""
    items = schema.expressions
    kept = [item for item in items if not _is_foreign_key(item)]
    if len(kept) != len(items):
        schema.set("expressions", kept)


def _is_foreign_key(item: exp.Expr) -> bool:
    if isinstance(item, exp.Constraint):
        return any(isinstance(part, exp.ForeignKey) for part in item.expressions)
    return isinstance(item, exp.ForeignKey)


@node(exp.Alter)
def _alter(alter: exp.Alter) -> exp.Expr | None:
    actions = alter.args.get("actions") or []
    for action in actions:
        _name_one_form(action)
    if len(actions) > 1:
        raise unsupported("several changes in one ALTER TABLE", alter)
    if actions and isinstance(actions[0], exp.AlterSet):
        comment = actions[0].find(exp.SchemaCommentProperty)
        if comment is None:
            raise unsupported("ALTER TABLE ... SET of this property", alter)
        kind = str(alter.args.get("kind") or "TABLE")
        return exp.Comment(this=alter.this, kind=kind, expression=text(comment.name))
    if actions and isinstance(actions[0], exp.AlterColumn):
        wanted = actions[0].args.get("dtype")
        if isinstance(wanted, exp.DataType):
            if wanted.this in TEXTS and length_of(wanted):
                raise added_length(actions[0])
            actions[0].set("dtype", carrier(wanted) or wanted)
        comment = actions[0].args.get("comment")
        if comment is not None:
            column = exp.Column(
                this=actions[0].this,
                table=alter.this.this,
                db=alter.this.args.get("db"),
                catalog=alter.this.args.get("catalog"),
            )
            return exp.Comment(this=column, kind="COLUMN", expression=comment)
    return None


@node(exp.Comment)
def _comment(comment: exp.Comment) -> None:
    """IF EXISTS is the session's to look after."""
    comment.set("exists", None)


@node(exp.TruncateTable)
def _truncate(truncate: exp.TruncateTable) -> None:
    if len(truncate.expressions) > 1:
        raise unsupported("TRUNCATE of several tables", truncate)
    truncate.set("exists", None)


@node(exp.Drop)
def _drop(drop: exp.Drop) -> None:
    if len(drop.args.get("tables") or ()) > 1:
        raise unsupported("DROP of several objects", drop)
    kind = str(drop.args.get("kind") or "").upper()
    if kind not in _DROPPED:
        raise unsupported(f"DROP {kind}", drop)
    drop.set("materialized", None)


@node(exp.Insert)
def _insert(insert: exp.Insert) -> None:
    if insert.args.get("overwrite"):
        raise unsupported("INSERT OVERWRITE", insert, "TRUNCATE and INSERT in one transaction.")


@node(exp.Describe)
def _describe(describe: exp.Describe) -> None:
    raise unsupported("DESCRIBE", describe, "Query information_schema.columns.")
