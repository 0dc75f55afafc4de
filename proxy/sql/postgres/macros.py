"""Functions of Postgres's dialect as DuckDB macros: their texts.

Why it exists: a macro puts the text of an argument in the place of its parameter, as often as that stands
there and wherever a column of that name is. So the arguments are evaluated once, before the body: in a
lambda around an expression, in a WITH around a query. The parameters themselves have names that no column
has, `$1`, `$2`; calls are put in their order (`proxy.sql.function_calls`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import control_plane
from proxy.sql.classify import split
from proxy.sql.functions.function_actions import DefineFunction
from proxy.sql.grammars import own_functions
from proxy.sql.parameters import parameter_places, with_texts
from proxy.sql.postgres.functions import FUNCTIONS
from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB, POSTGRES, position_of, write_duckdb

VALUE = "_value"
_ARGUMENTS = "_arguments"
_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
_CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
ONE_SELECT = "A function is one SELECT in SQL here."


@dataclass(frozen=True, slots=True)
class Body:
    """text: of the one query. alone: it is an expression over no rows."""

    text: str
    tree: exp.Expr
    alone: bool


def _refused(what: str) -> SqlError:
    return SqlError("0A000", f"{what} is not supported", hint=ONE_SELECT)


def body_of(action: DefineFunction) -> Body:
    """Raises SqlError 0A000 for a body that is no query, 42601 for one that cannot be read."""
    text = f"SELECT {action.body}" if action.standard == "RETURN" else action.body
    pieces = split(POSTGRES.tokenize(text), text, scripting=False)
    if not pieces:
        raise _refused("a function without a query")
    if len(pieces) > 1:
        raise _refused("a function of several statements")
    (piece,) = pieces
    first = piece.tokens[0].text.upper()
    if first in _CHANGING:
        raise _refused("a function that changes data")
    if first not in _QUERIES:
        raise _refused(f"a function that is a {first}")
    if first == "TABLE":
        text = text[: piece.tokens[0].start] + "SELECT * FROM" + text[piece.tokens[0].end + 1 :]
        return body_of(replace(action, body=text, standard=""))
    text = text[piece.start : piece.end]
    tree = read(text)
    if not isinstance(tree, (exp.Query, exp.Values)):
        raise _refused("a function that is no query")
    while isinstance(tree, exp.Subquery) and tree.alias == "" and not tree.args.get("with_"):
        tree = tree.this
    select = tree if isinstance(tree, exp.Select) else None
    given = select.expressions if select is not None else []
    stars = any(one.is_star for one in given)
    return Body(
        text,
        tree,
        select is not None and len(given) == 1 and not stars and _is_alone(select),
    )


_NOT_ALONE = (
    *(exp.Query, exp.AggFunc, exp.Window, exp.Anonymous, exp.Unnest, exp.Explode),
    *(exp.GenerateSeries, exp.ExplodingGenerateSeries),
)
"""What may read rows, or give several; who knows what a function does whose name says nothing."""


def _is_alone(select: exp.Select) -> bool:
    said = {key for key, value in select.args.items() if value and key != "expressions"}
    if said - {"kind"}:
        return False
    value = select.expressions[0]
    return value.find(*_NOT_ALONE) is None


def gives_one_row(body: Body) -> bool:
    """Whether a query gives one row whatever there is."""
    select = body.tree
    if not isinstance(select, exp.Select) or any(select.args.get(key) for key in _OF_ROWS):
        return False
    given = select.expressions
    if select.find(exp.Unnest, exp.Explode, exp.ExplodingGenerateSeries, exp.Anonymous) is not None:
        return False
    if select.args.get("from_") is None:
        return not select.args.get("where")
    return any(one.find(exp.AggFunc) and not one.find(exp.Window, exp.Query) for one in given)


_OF_ROWS = ("group", "having", "limit", "offset", "with_", "qualify")


def read(text: str) -> exp.Expr:
    return POSTGRES.parse(text, own_functions(POSTGRES.tokenize(text), POSTGRES))


# --- parameters -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a body may name a parameter: from start to end in its text. number: of the parameter, from 1."""

    start: int
    end: int
    number: int
    aliased: bool


def places(body: Body, action: DefineFunction) -> list[Place]:
    """Columns that have a parameter's name; which are columns, only the tables of the body say."""
    numbers = {one.name: n for n, one in enumerate(action.parameters, start=1) if one.name}
    found = []
    for column in body.tree.find_all(exp.Column):
        name = column.this
        if not isinstance(name, exp.Identifier) or column.args.get("db") is not None:
            continue
        number = numbers.get(_folded(name))
        table = column.args.get("table")
        if number is None or (table is not None and _folded(table) != action.name[-1]):
            continue
        start = position_of(table if table is not None else name)
        last = position_of(name)
        if start is None or last is None:
            raise _refused("a parameter in this place of a function")
        token = next(t for t in POSTGRES.tokenize(body.text) if t.start == last - 1)
        found.append(Place(start - 1, token.end + 1, number, _is_alias(column)))
    return found


def with_cast(text: str, kind: str) -> str:
    """`SELECT expression`, of that type."""
    start = next(t.end + 1 for t in POSTGRES.tokenize(text) if t.text.upper() == "SELECT")
    value = read(text).expressions[0]
    end = len(text)
    if isinstance(value, exp.Alias):
        place = position_of(value.args["alias"])
        tokens = [t for t in POSTGRES.tokenize(text) if place is None or t.start < place - 1]
        end = tokens[-1].start if tokens[-1].text.upper() == "AS" else tokens[-1].end + 1
    return f"SELECT CAST(({text[start:end]}\n) AS {kind}) AS v"


def check_name(name: str, arguments: int) -> None:
    """Raises SqlError 0A000 for a name that calls would not reach: one of the dialect's own functions."""
    given = ", ".join(["NULL"] * arguments)
    try:
        call = read(f"SELECT {name if name.isidentifier() else quoted(name)}({given})").expressions[
            0
        ]
        own = not isinstance(call, exp.Anonymous)
    except SqlError:
        own = True
    own = own or name in FUNCTIONS or name in control_plane.RUNTIME_FUNCTIONS
    if own or control_plane.is_system_function(name) or name in control_plane.SHARED_FUNCTIONS:
        message = (
            f"a function of the name {name}, which one of Postgres's own has, is not supported"
        )
        raise SqlError("0A000", message, hint="Give it another name.")


def _folded(name: exp.Expr) -> str:
    return name.this if name.args.get("quoted") else name.this.lower()


def _is_alias(column: exp.Column) -> bool:
    """Whether another output of the same SELECT is called so: DuckDB would take that."""
    select = column.find_ancestor(exp.Select)
    if select is None or column.args.get("table") is not None:
        return False
    return any(
        isinstance(one, exp.Alias) and one.alias.lower() == column.name.lower()
        for one in select.expressions
    )


def with_parameters(body: Body, taken: Sequence[Place]) -> str:
    """The body with `$n` in these places."""
    made, at = [], 0
    for place in sorted(taken, key=lambda one: one.start):
        made += body.text[at : place.start], f"${place.number}"
        at = place.end
    return "".join([*made, body.text[at:]])


# --- macros ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Given:
    """A parameter as DuckDB sees it. type: None for a number of any digits, which keeps its own."""

    type: str | None
    default: str | None

    def declared(self, number: int) -> str:
        said = f'"${number}"' if self.type is None else f'"${number}" {self.type}'
        return said if self.default is None else f"{said} := {self.default}"

    def value(self, number: int) -> str:
        if self.type is None:  # the wider of the two; a DECIMAL(1, 0) is the narrowest there is
            return f'coalesce("${number}", CAST(NULL AS DECIMAL(1, 0)))'
        return f'CAST("${number}" AS {self.type})'


def _head(given: Sequence[Given]) -> str:
    return f"({', '.join(one.declared(n) for n, one in enumerate(given, start=1))})"


def of_expression(sql: str, given: Sequence[Given], strict: bool) -> str:
    """A macro of an expression: `sql` is `SELECT expression`, with `$n` for the parameters."""
    tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
    value = write_duckdb(tree.expressions[0].unalias())
    numbers = [number for number, _ in parameter_places(value)]
    if strict and given:
        missing = " OR ".join(f"(${n}) IS NULL" for n in range(1, len(given) + 1))
        value = f"CASE WHEN {missing} THEN NULL ELSE {value} END"
        numbers = [number for number, _ in parameter_places(value)]
    if len(set(numbers)) == len(numbers):
        texts = {n: one.value(n) for n, one in enumerate(given, start=1)}
        return f"{_head(given)} AS ({with_texts(value, texts)})"
    members = ", ".join(f"a{n} := {one.value(n)}" for n, one in enumerate(given, start=1))
    texts = {n: f"{_ARGUMENTS}.a{n}" for n in range(1, len(given) + 1)}
    inner = with_texts(value, texts)
    lambda_ = f"list_transform([struct_pack({members})], lambda {_ARGUMENTS}: {inner})[1]"
    return f"{_head(given)} AS ({lambda_})"


def of_query(
    sql: str, given: Sequence[Given], strict: bool, *, name: str, table: bool = False
) -> str:
    """A macro of a query, with `$n` for the parameters. table: it gives rows, not one value."""
    own = quoted(f"{_ARGUMENTS} of {name}")
    texts = {n: f"(SELECT a{n} FROM {own})" for n in range(1, len(given) + 1)}
    inner = with_texts(sql, texts)
    if strict and given:
        missing = " OR ".join(f"{text} IS NULL" for text in texts.values())
        if table:
            inner = f"SELECT * FROM ({inner}) WHERE NOT ({missing})"
        else:
            inner = f"SELECT CASE WHEN {missing} THEN NULL ELSE ({inner}) END"
    if given:
        row = ", ".join(f"{one.value(n)} AS a{n}" for n, one in enumerate(given, start=1))
        inner = f"WITH {own} AS (SELECT {row}) {inner}"
    return f"{_head(given)} AS {'TABLE ' if table else ''}({inner})"


def names_called(sql: str, names: frozenset[str]) -> set[str]:
    """Which of these names stand in DuckDB's SQL before a bracket."""
    tokens: list[Token] = DUCKDB.tokenize(sql)
    return {
        one.text.lower()
        for one, after in pairwise(tokens)
        if after.token_type == TokenType.L_PAREN and one.text.lower() in names
    }
