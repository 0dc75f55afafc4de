"""SQL functions as DuckDB macros.

Why it exists: a macro puts the text of an argument in the place of its parameter, so that a column
named in the argument would be looked up among the tables of the body. Where the body reads tables,
the arguments are therefore evaluated first, in a subquery of their own, and the body sees that row.
Arguments and results are cast to the types that the function declares.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql import snowflake
from proxy.sql.compound import CreateFunction, Parameter
from proxy.sql.functions.block_functions import expression_of
from proxy.sql.listing import listed
from proxy.sql.quoting import quoted
from proxy.sql.reading import SNOWFLAKE, write_duckdb
from proxy.sql.route import collect, decide
from proxy.sql.snowflake import registry
from proxy.sql.snowflake.context import settle
from proxy.sql.snowflake.ddl import ONE_FORM
from proxy.sql.snowflake.signatures import kind_of, parsed, type_of
from proxy.sql.snowflake.spelling import respelled
from proxy.sql.snowflake.types import INTEGERS
from proxy.sql.statement import Dialect

_ARGUMENTS = "_arguments"


def _refused(what: str, hint: str | None = None) -> SqlError:
    return SqlError("0A000", f"{what} is not supported", hint=hint)


def check_name(name: str) -> None:
    """Raises 0A000 for a name that calls would not reach: one of the dialect's own functions."""
    try:
        call = parsed(f'SELECT "{name}"()' if not name.isidentifier() else f"SELECT {name}()")
        own = not isinstance(call.expressions[0], exp.Anonymous)
    except SqlError:  # a function that must have arguments
        own = True
    if own or name.upper() in registry.FUNCTIONS:
        raise _refused(f"a function of the name {name}, which Snowflake's own has")


def _is_parameter(column: exp.Column, names: dict[str, exp.DataType]) -> bool:
    name = column.this
    if column.table or not isinstance(name, exp.Identifier):
        return False
    return (name.this if name.args.get("quoted") else name.this.lower()) in names


def _translated(select: exp.Expr) -> exp.Expr:
    """A query of Snowflake's as DuckDB's. Raises what the planner would refuse it with."""
    settled = settle(listed(select), Dialect(), "")
    if settled.needs or settled.varies:
        raise _refused("a function that asks about its session")
    nodes = listed(select)
    facts = collect(nodes)
    engine, refused = decide(facts)
    if refused is not None:
        raise refused
    if engine != "duckdb":
        raise _refused("a function over the control plane")
    if facts.writes:
        raise _refused("a function that changes data")
    made = snowflake.rewrite(select, nodes)
    for call in made.find_all(exp.Anonymous):
        # Parameters have no types when a macro is made: no form could be chosen for them.
        first = call.expressions[0] if call.expressions else None
        if call.this in ONE_FORM and isinstance(first, exp.Column) and _is_argument(first):
            call.set("this", ONE_FORM[call.this])
    return made


def _is_argument(column: exp.Column) -> bool:
    """Whether a column is a parameter itself, not one of a table that the body reads."""
    return bool(column.meta.get(_ARGUMENT))


_ARGUMENT = "argument"


def _arguments_row(action: CreateFunction, types: dict[str, exp.DataType]) -> exp.Subquery:
    row = exp.Select(
        expressions=[
            exp.alias_(
                exp.Cast(this=_argument(p.name), to=types[p.name].copy()), p.name, quoted=True
            )
            for p in action.parameters
        ]
    )
    alias = exp.TableAlias(this=exp.to_identifier(_ARGUMENTS))
    return exp.Subquery(this=row, alias=alias)


def _argument(name: str) -> exp.Column:
    made = exp.Column(this=exp.Identifier(this=name, quoted=True))
    made.meta[_ARGUMENT] = True
    return made


def body_of(action: CreateFunction) -> exp.Expr:
    """The parsed body: an expression, or a query."""
    text = expression_of(action.body).strip().removesuffix(";")
    tokens = SNOWFLAKE.tokenize(text)
    if tokens and tokens[0].text.upper() in ("SELECT", "WITH"):
        return SNOWFLAKE.parse(text, respelled(tokens, text.upper()))
    if action.columns is not None:
        raise SqlError("42601", "the body of a table function is a query")
    value = f"SELECT ({text}) AS _value"
    tokens = respelled(SNOWFLAKE.tokenize(value), value.upper())
    return SNOWFLAKE.parse(value, tokens).expressions[0].this


def macro(action: CreateFunction, *, typed: bool = False) -> tuple[str, list[str]]:
    """A form of CREATE MACRO: the parameters and the body of a function.

    typed: whether the parameters have types, which tell it from other forms of as many. Also the
    queries that must not bind: each has one parameter left as a column of the body, where a table of
    the body would be asked for it first. Raises 0A000 for what has no faithful form.
    """
    check_name(action.name[-1])
    types = {p.name: type_of(p.type) for p in action.parameters}
    if len(types) != len(action.parameters):
        raise SqlError("42P13", "a parameter name is used twice")
    body = body_of(action)
    reads = body.find(exp.Query) is not None
    queries = _collisions(body, action.parameters, types) if reads else []
    holder = exp.Paren(this=body)
    for column in list(holder.find_all(exp.Column)):
        if not _is_parameter(column, types):
            continue
        name = column.this.this if column.this.args.get("quoted") else column.this.this.lower()
        if reads:
            column.set("table", exp.to_identifier(_ARGUMENTS))
        else:
            column.replace(exp.Cast(this=_argument(name), to=types[name].copy()))
    body = holder.this
    if action.columns is not None:
        made = _table_query(action, body, types)
    else:
        value: exp.Expr = exp.Subquery(this=body) if isinstance(body, exp.Query) else body
        if action.strict and action.parameters:
            value = _unless_null(value, action.parameters, reads)
        cast = exp.Cast(this=exp.Paren(this=value), to=type_of(action.returns))
        select = exp.Select(expressions=[exp.alias_(cast, "_value")])
        if reads and action.parameters:
            select.set("from_", exp.From(this=_arguments_row(action, types)))
        made = _translated(select)
        if not reads:
            made = made.expressions[0].this
    written = write_duckdb(made)
    head = "AS TABLE" if action.columns is not None else "AS"
    text = written if action.columns is not None else f"({written})"
    given = ", ".join(_written_parameter(p, typed) for p in action.parameters)
    return f"({given}) {head} {text}", queries


def _unless_null(value: exp.Expr, parameters: tuple[Parameter, ...], reads: bool) -> exp.Expr:
    """RETURNS NULL ON NULL INPUT: the body is not looked at where an argument is NULL."""
    row = exp.to_identifier(_ARGUMENTS) if reads else None
    missing: exp.Expr | None = None
    for parameter in parameters:
        column = _argument(parameter.name)
        column.set("table", row.copy() if row is not None else None)
        one = exp.Is(this=column, expression=exp.Null())
        missing = one if missing is None else exp.Or(this=missing, expression=one)
    assert missing is not None
    return exp.Case(ifs=[exp.If(this=missing, true=exp.Null())], default=exp.Paren(this=value))


def _engine_type(text: str) -> str:
    made = _translated(parsed(f"SELECT CAST(NULL AS {text}) AS _value")).expressions[0].this
    if kind_of(text) == "NUMBER" and isinstance(made, exp.Cast) and made.to.this in INTEGERS:
        return "BIGINT"
    return made.to.sql("duckdb") if isinstance(made, exp.Cast) else "VARCHAR"


def _written_parameter(parameter: Parameter, typed: bool) -> str:
    name = quoted(parameter.name)
    if typed:
        name = f"{name} {_engine_type(parameter.type)}"
    if parameter.default is None:
        return name
    value = _translated(parsed(f"SELECT ({parameter.default}) AS _value")).expressions[0].this
    if isinstance(value.unnest(), exp.Null):  # of no type, it would fit every form of a macro
        value = exp.maybe_parse(_engine_type(parameter.type), into=exp.DataType, dialect="duckdb")
        value = exp.Cast(this=exp.Null(), to=value)
    return f"{name} := {write_duckdb(value)}"


def _table_query(
    action: CreateFunction, body: exp.Expr, types: dict[str, exp.DataType]
) -> exp.Expr:
    assert action.columns is not None
    rows = exp.TableAlias(
        this=exp.to_identifier("_rows"),
        columns=[exp.to_identifier(f"_c{i}") for i in range(len(action.columns))],
    )
    select = exp.Select(
        expressions=[
            exp.alias_(
                exp.Cast(
                    this=exp.Column(
                        this=exp.to_identifier(f"_c{i}"), table=exp.to_identifier("_rows")
                    ),
                    to=type_of(column.type),
                ),
                column.name,
                quoted=True,
            )
            for i, column in enumerate(action.columns)
        ]
    )
    if action.parameters:
        select.set("from_", exp.From(this=_arguments_row(action, types)))
        lateral = exp.Lateral(this=exp.Subquery(this=body), alias=rows)
        select.append("joins", exp.Join(this=lateral, kind="CROSS"))
    else:
        select.set("from_", exp.From(this=exp.Subquery(this=body, alias=rows)))
    return _translated(select)


def _collisions(
    body: exp.Expr, parameters: tuple[Parameter, ...], types: dict[str, exp.DataType]
) -> list[str]:
    """For each parameter, the body with all others made NULL: it binds if a table has such a column."""
    found = []
    for parameter in parameters:
        used = False
        holder = exp.Paren(this=body.copy())
        for column in list(holder.find_all(exp.Column)):
            if not _is_parameter(column, types):
                continue
            name = column.this.this if column.this.args.get("quoted") else column.this.this.lower()
            if name == parameter.name:
                used = True
            else:
                column.replace(exp.Cast(this=exp.Null(), to=types[name].copy()))
        if used:
            value = holder.this
            query = value if isinstance(value, exp.Query) else exp.Select(expressions=[value])
            found.append(write_duckdb(_translated(query)))
    return found
