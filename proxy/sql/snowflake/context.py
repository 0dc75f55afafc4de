"""What a statement takes from its session: variables, IDENTIFIER, names, who and where one is.

It runs on the tree before the statement is routed, since it settles which relations are named:

- `$x` and GETVARIABLE('X') become the variable's value; a number after `$` is a parameter of the
  extended protocol, or a column of VALUES, and stays. IDENTIFIER('a.b') and IDENTIFIER($x) become
  the name. A plan that used variables `varies`: a prepared statement is planned anew when they
  change.
- CURRENT_ROLE() and its kin become reads of the engine connection's variables `hatidata_*`, which
  the session brings up to date before the statement runs (`Settled.needs` says which).
- `db.schema.table` loses the name that the client gave the one database there is.
- INFORMATION_SCHEMA is Snowflake's or Postgres's (`proxy.sql.snowflake.information_schema`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.dialects import Snowflake

from proxy.errors import SqlError
from proxy.sql.listing import Listing, look_at
from proxy.sql.reading import SNOWFLAKE, position_of
from proxy.sql.snowflake.get_ddl import view_ddl
from proxy.sql.snowflake.information_schema import is_snowflakes, use_snowflakes
from proxy.sql.snowflake.one_database import ENGINE_DATABASE, check_database
from proxy.sql.snowflake.registry import cast, sf, text, unsupported
from proxy.sql.statement import Dialect, Variable
from proxy.sql.words import Words


@dataclass(slots=True)
class Settled:
    """What becomes of one statement.

    source: its text. needs: what of the session must be fresh; varies: whether variables shaped the tree.

    named: whether the tree says what its text does not. changed: whether it is not as it was parsed.
    reworded: whether Postgres would not know what the text calls, but what the tree does.
    """

    dialect: Dialect
    source: str
    needs: set[str] = field(default_factory=set)
    schemas: list[exp.Table] = field(default_factory=list)  # tables of information_schema
    varies: bool = False
    named: bool = False
    changed: bool = False
    reworded: bool = False


def settle(nodes: Listing, dialect: Dialect, source: str) -> Settled:
    """Replaces in place. source: the statement's text, for CURRENT_STATEMENT().

    Raises SqlError 42704 for a variable that is not set, 0A000 for what has no counterpart.
    """
    settled = Settled(dialect, source)
    for kind, found in nodes.by_kind():
        visit = _VISITS.get(kind)
        if visit is not None:
            for node in found:
                visit(node, settled)
    if schemas := settled.schemas:
        every = list(nodes.every())
        if is_snowflakes(schemas, every):
            for table in schemas:
                if catalog := table.catalog:
                    check_database(catalog, dialect.database)
            settled.needs |= use_snowflakes(schemas, every)
            settled.changed = True
    return settled


def _replace(node: exp.Expr, by: exp.Expr, settled: Settled) -> None:
    node.replace(by)
    settled.changed = True


# --- variables ------------------------------------------------------------------------------------


def value_of(variable: Variable) -> exp.Expr:
    """The value of a session variable as an expression of its own type."""
    _, kind, value = variable
    if value is None:
        return exp.Null()
    if kind == "VARCHAR":
        return text(value)
    if kind == "BOOLEAN":
        return exp.Boolean(this=value == "true")
    if kind.startswith("DECIMAL") or kind.endswith("INT") or kind == "INTEGER":
        literal = exp.Literal.number(value.removeprefix("-"))
        return exp.Paren(this=exp.Neg(this=literal)) if value.startswith("-") else literal
    to = exp.DataType.build(kind, dialect="duckdb")
    made = exp.Cast(this=text(value), to=to)
    made.meta["plain"] = True
    return made


def _variable(name: str, dialect: Dialect) -> Variable | None:
    folded = name.lower()
    return next((one for one in dialect.variables if one[0] == folded), None)


def _required(node: exp.Expr, name: str, settled: Settled) -> Variable:
    settled.varies = settled.named = True
    found = _variable(name, settled.dialect)
    if found is None:
        message = f"session variable '${name.upper()}' does not exist"
        raise SqlError("42704", message, position=position_of(node))
    return found


def _parameter(node: exp.Parameter, settled: Settled) -> None:
    this = node.this
    if isinstance(this, exp.Literal) or isinstance(node.parent, exp.DynamicIdentifier):
        return
    if isinstance(node.parent, (exp.Table, exp.TableFromRows)):
        return
    found = _required(node, this.name, settled)
    _replace(node, value_of(found), settled)


def _getvariable(node: exp.Anonymous, settled: Settled) -> None:
    arguments = node.expressions
    if len(arguments) != 1 or not isinstance(arguments[0], exp.Literal):
        raise unsupported("GETVARIABLE of an expression", node)
    settled.varies = True
    name = arguments[0].name
    found = _variable(name, settled.dialect) if name == name.upper() else None
    # Its result is text, whatever the variable's type.
    value = cast(exp.Null(), exp.DType.TEXT)
    if found is not None and found[2] is not None:
        value = text(found[2])
    _replace(node, value, settled)


# --- names ----------------------------------------------------------------------------------------


def _name_in(argument: exp.Expr, settled: Settled) -> list[exp.Identifier]:
    """The parts of the name that IDENTIFIER's argument spells."""
    if isinstance(argument, exp.Parameter) and not isinstance(argument.this, exp.Literal):
        spelled = _required(argument, argument.this.name, settled)[2] or ""
    elif isinstance(argument, exp.Literal) and argument.is_string:
        spelled = argument.this
    else:
        raise unsupported("IDENTIFIER of an expression", argument, "Give it a string or $variable.")
    words = Words(spelled, SNOWFLAKE.tokenize(spelled))
    try:
        parts = words.dotted()
        words.end()
    except SqlError as error:
        message = f"IDENTIFIER: '{spelled}' is not a name"
        raise SqlError("42602", message, position=position_of(argument)) from error
    return [exp.Identifier(this=part, quoted=part != part.lower()) for part in parts]


def _identifier(node: exp.DynamicIdentifier, settled: Settled) -> None:
    parts = _name_in(node.this, settled)
    settled.named = True
    parent = node.parent
    if node.args.get("expressions") is not None and not isinstance(parent, exp.Table):
        if len(parts) > 1:
            raise unsupported("IDENTIFIER of a qualified function", node)
        call = exp.Anonymous(this=parts[0].this, expressions=node.expressions)
        _replace(node, call, settled)
    elif isinstance(parent, exp.Table) and parent.this is node:
        _name_table(parent, parts, settled)
    elif isinstance(parent, (exp.ColumnDef, exp.Use)) or len(parts) > 4:
        raise unsupported("IDENTIFIER here", node)
    else:
        if isinstance(parent, exp.Dot) and isinstance(parent.expression, exp.Identifier):
            parts.append(parent.expression)  # IDENTIFIER('s').NEXTVAL
            if parent.this is not node or isinstance(parent.parent, exp.Dot) or len(parts) > 4:
                raise unsupported("IDENTIFIER here", node)
            node = parent
        names = ("this", "table", "db", "catalog")
        column = exp.Column(**dict(zip(names, reversed(parts), strict=False)))
        if column.name.lower() == "nextval":
            _named(node, column, "nextval", settled)
        else:
            _replace(node, column, settled)


def _name_table(
    table: exp.Table,
    parts: list[exp.Identifier],
    settled: Settled,
) -> None:
    if len(parts) > 3:
        raise unsupported("a name of more than three parts", table)
    # CREATE SCHEMA and its kin keep the name one place to the left.
    keys = ("db", "catalog") if table.args.get("db") is table.this else ("this", "db", "catalog")
    for key, part in zip(keys, reversed(parts), strict=False):
        table.set(key, part)
    settled.changed = True
    _table(table, settled)


def _in_schema(node: exp.Expr, called: exp.Dot, settled: Settled) -> None:
    """`TABLE(s.f(1))` is `s.f(1)`, as DuckDB has it."""
    path, call = called.this, called.expression
    parts = [path.this, path.expression] if isinstance(path, exp.Dot) else [path]
    if not isinstance(call, exp.Anonymous) or not all(
        isinstance(part, exp.Identifier) for part in parts
    ):
        return
    names = dict(zip(("db", "catalog"), reversed(parts), strict=False))
    place = node.parent
    if isinstance(place, exp.Table) and place.this is node:
        node = place
    _replace(node, exp.Table(this=call, alias=node.args.get("alias"), **names), settled)


def _rows(node: exp.TableFromRows, settled: Settled) -> None:
    """TABLE($x) and TABLE('name') name a table; TABLE(RESULT_SCAN(...)) is the last listing."""
    argument = node.this
    if isinstance(argument, exp.Anonymous) and argument.name.upper() == "RESULT_SCAN":
        _result_scan(node, argument, settled)
        return
    if isinstance(argument, exp.Dot):
        _in_schema(node, argument, settled)
        return
    spelled = isinstance(argument, exp.Literal) and argument.is_string
    if not spelled and not (
        isinstance(argument, exp.Parameter) and not isinstance(argument.this, exp.Literal)
    ):
        return
    parts = _name_in(argument, settled)
    table = exp.Table(this=parts[-1], alias=node.args.get("alias"))
    place = node.parent
    if isinstance(place, exp.Table) and place.this is node:
        table.set("alias", place.args.get("alias"))
        node = place
    _replace(node, table, settled)
    _name_table(table, parts, settled)


def _result_scan(node: exp.Expr, call: exp.Anonymous, settled: Settled) -> None:
    asked = call.expressions
    if asked and isinstance(asked[0], exp.Anonymous) and asked[0].name.upper() == "LAST_QUERY_ID":
        asked = asked[0].expressions
    is_last = not asked or (isinstance(asked[0], exp.Neg) and asked[0].this.name == "1")
    if not is_last or not settled.dialect.last_listing:
        raise unsupported(
            "RESULT_SCAN of another statement than the SHOW or DESCRIBE just before",
            call,
            "Results are not kept; use a temporary table.",
        )
    settled.varies = settled.named = True
    settled.needs |= set(settled.dialect.last_listing[1])
    place = node.parent
    if isinstance(place, exp.Table) and place.this is node:
        node = place
    alias = node.args.get("alias") or exp.TableAlias(this=exp.Identifier(this="result_scan"))
    # The listing's own query, which no rule must touch.
    scanned = exp.Table(this=exp.Var(this=f"({settled.dialect.last_listing[0]})"), alias=alias)
    scanned.meta["own"] = True
    _replace(node, scanned, settled)


def _table(node: exp.Table, settled: Settled) -> None:
    args = node.args
    schema = args.get("db")
    if schema is None:
        return
    catalog = args.get("catalog")
    if isinstance(schema, exp.Identifier) and schema.this.lower() == "information_schema":
        settled.schemas.append(node)
    elif isinstance(catalog, exp.Identifier) and _is_ours(catalog, settled.dialect):
        node.set("catalog", exp.Identifier(this=ENGINE_DATABASE, quoted=False))
        settled.changed = True


def _column(node: exp.Column, settled: Settled) -> None:
    catalog = node.args.get("catalog")
    if isinstance(catalog, exp.Identifier) and _is_ours(catalog, settled.dialect):
        node.set("catalog", exp.Identifier(this=ENGINE_DATABASE, quoted=False))
        settled.changed = True
    elif not isinstance(node.this, exp.Identifier) or node.this.args.get("quoted"):
        return
    elif node.args.get("table") is not None:
        if node.this.this.lower() == "nextval" and _is_output(node):
            _named(node, node.copy(), "nextval", settled)
    elif (asked := _BARE.get(node.this.this.lower())) is not None:
        answer = _ANSWERS[asked](node, settled)
        _named(node, answer, node.this.this.lower(), settled)


def _is_output(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Select) and node.arg_key == "expressions"


def _named(node: exp.Expr, by: exp.Expr, name: str, settled: Settled) -> None:
    """Replaces what gives an output column its name."""
    if _is_output(node):
        by = exp.Alias(this=by, alias=exp.Identifier(this=name, quoted=True))
    _replace(node, by, settled)


# Postgres's words for some of it, which stand without brackets.
_BARE = {
    "session_user": "CURRENT_USER",
    "current_role": "CURRENT_ROLE",
    "current_catalog": "CURRENT_DATABASE",
    "current_schema": "CURRENT_SCHEMA",
}


look_at((*_BARE, "nextval"))


def _is_ours(catalog: exp.Identifier, dialect: Dialect) -> bool:
    return bool(dialect.database) and catalog.this.lower() == dialect.database.lower()


# --- who and where --------------------------------------------------------------------------------


def _held(name: str) -> exp.Expr:
    """A variable of the engine's connection, which the session keeps up to date."""
    read = exp.Anonymous(this="getvariable", expressions=[text(f"hatidata_{name}")])
    return cast(read, exp.DType.TEXT)


_Answer = Callable[[exp.Expr, Settled], exp.Expr]


def _asks(name: str) -> _Answer:
    def answer(node: exp.Expr, settled: Settled) -> exp.Expr:
        settled.needs.add(name)
        return _held(name)

    return answer


def _constant(value: str) -> _Answer:
    return lambda node, settled: text(value)


def _schema(node: exp.Expr, settled: Settled) -> exp.Expr:
    return sf("schema_name_", exp.Anonymous(this="current_schema", expressions=[]))


def _schemas(node: exp.Expr, settled: Settled) -> exp.Expr:
    settled.needs.add("database")
    path = exp.DPipe(this=_held("database"), expression=text("."))
    path = exp.DPipe(this=text('["'), expression=path)
    path = exp.DPipe(this=path, expression=_schema(node, settled))
    return exp.Paren(this=exp.DPipe(this=path, expression=text('"]')))


def _roles(node: exp.Expr, settled: Settled) -> exp.Expr:
    settled.needs.add("role")
    listed = exp.Array(expressions=[_held("role")])
    return cast(exp.Anonymous(this="to_json", expressions=[listed]), exp.DType.TEXT)


def _in_session(node: exp.Expr, settled: Settled) -> exp.Expr:
    settled.needs.add("role")
    name = node.expressions[0]
    return exp.EQ(this=exp.Lower(this=name), expression=exp.Lower(this=_held("role")))


def _statement(node: exp.Expr, settled: Settled) -> exp.Expr:
    return text(settled.source)


def _last_query(node: exp.Expr, settled: Settled) -> exp.Expr:
    settled.needs.add("query")
    number = node.expressions[0] if node.expressions else exp.Neg(this=exp.Literal.number(1))
    back = isinstance(number, exp.Neg)
    digits = number.this if back else number
    if not isinstance(digits, exp.Literal) or digits.is_string or not digits.this.isdigit():
        raise unsupported("LAST_QUERY_ID of an expression", node)
    return sf("query_id_", exp.Literal.number(("-" if back else "") + digits.this))


_ANSWERS: dict[str, _Answer] = {
    "CURRENT_ACCOUNT": _constant("hatidata"),
    "CURRENT_ACCOUNT_NAME": _constant("hatidata"),
    "CURRENT_AVAILABLE_ROLES": _roles,
    "CURRENT_CLIENT": _asks("client"),
    "CURRENT_DATABASE": _asks("database"),
    "CURRENT_IP_ADDRESS": _asks("ip"),
    "CURRENT_ORGANIZATION_NAME": _constant("hatidata"),
    "CURRENT_REGION": _constant("local"),
    "CURRENT_ROLE": _asks("role"),
    "CURRENT_ROLE_TYPE": _constant("ROLE"),
    "CURRENT_SCHEMA": _schema,
    "CURRENT_SCHEMAS": _schemas,
    "CURRENT_SECONDARY_ROLES": _constant('{"roles":"","value":"ALL"}'),
    "CURRENT_SESSION": _asks("session"),
    "CURRENT_STATEMENT": _statement,
    "CURRENT_TRANSACTION": _asks("transaction"),
    "CURRENT_USER": _asks("user"),
    "CURRENT_VERSION": _asks("version"),
    "CURRENT_WAREHOUSE": _asks("warehouse"),
    "INVOKER_ROLE": _asks("role"),
    "IS_ROLE_IN_SESSION": _in_session,
    "LAST_QUERY_ID": _last_query,
    "LAST_TRANSACTION": _asks("last_transaction"),
}

CONTEXT_FUNCTIONS: tuple[str, ...] = (*sorted(_ANSWERS), "GETVARIABLE")
"""Functions that are answered from the session."""

# The parser leaves these as calls, with what was written.
for _name in ("CURRENT_VERSION", "INVOKER_ROLE", "CURRENT_IP_ADDRESS"):
    Snowflake.Parser.FUNCTIONS.pop(_name, None)


def _answered(node: exp.Expr, settled: Settled) -> None:
    answer = _ANSWERS[_NAMES[node.__class__]]
    if node.args.get("this") is None:  # current_schemas(true) is Postgres's
        _replace(node, answer(node, settled), settled)


def _called(node: exp.Anonymous, settled: Settled) -> None:
    name = node.this.upper() if isinstance(node.this, str) else ""
    if name == "GETVARIABLE":
        _getvariable(node, settled)
        return
    if name == "GET_DDL":
        _ddl(node, settled)
        return
    answer = _ANSWERS.get(name)
    if answer is None:
        return
    least, most = _ARGUMENTS.get(name, (0, 0))
    if not least <= len(node.expressions) <= most:
        return
    if isinstance(node.parent, exp.Dot):
        return
    _replace(node, answer(node, settled), settled)


def _ddl(node: exp.Anonymous, settled: Settled) -> None:
    """A view's text is asked of Postgres; all else needs the database's name."""
    made = view_ddl(node)
    if made is None:
        settled.needs.add("database")
    else:
        _named(node, made, "get_ddl", settled)
        settled.reworded = True


_ARGUMENTS = {"IS_ROLE_IN_SESSION": (1, 1), "LAST_QUERY_ID": (0, 1)}

_NAMES: dict[type, str] = {
    kind: name for name in _ANSWERS if (kind := exp.FUNCTION_BY_NAME.get(name)) is not None
} | {exp.SessionUser: "CURRENT_USER"}

_Visit = Callable[[exp.Expr, Settled], None]
_VISITS: dict[type, _Visit] = {
    **dict.fromkeys(_NAMES, _answered),
    exp.Anonymous: _called,
    exp.Column: _column,
    exp.DynamicIdentifier: _identifier,
    exp.Parameter: _parameter,
    exp.Table: _table,
    exp.TableFromRows: _rows,
}
