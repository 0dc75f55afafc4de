"""Snowflake's SQL on DuckDB.

sqlglot's compiled parser reads a statement, one walk over the tree applies the rules of the family
files (`registry`), and sqlglot's compiled generator writes it. Functions that need a body are
DuckDB macros in `macros/*.sql`, which the engine installs once per process in an attached
in-memory database called `_sf`, so that every cursor sees them whatever its schema. SHOW, DESCRIBE
and INFORMATION_SCHEMA are views beside them, in `catalog/*.sql`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from itertools import pairwise

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.sql import postgres
from proxy.sql.classify import split
from proxy.sql.listing import Listing, listed
from proxy.sql.postgres import apply
from proxy.sql.reading import DUCKDB
from proxy.sql.snowflake import (
    aggregate,
    collation,
    comparing,
    conversion,
    core,
    datetime,
    ddl,
    flattening,
    get_ddl,
    getnextval,
    hierarchy,
    higher_order,
    intervals,
    match_recognize,
    overloads,
    pivoting,
    recursion,
    regex,
    registry,
    select,
    semistructured,
    stars,
    strings,
    structured,
    types,
)

core.STEPPED.append(intervals.stepped)

MACRO_DATABASE = "_sf"
"""The attached in-memory database that holds the macros."""

_FAMILIES = (
    aggregate,
    collation,
    comparing,
    conversion,
    core,
    datetime,
    ddl,
    get_ddl,
    higher_order,
    pivoting,
    regex,
    select,
    semistructured,
    strings,
    structured,
    types,
)


def macro_scripts() -> list[str]:
    """The statements that create the macros and the catalog's views, one each, to be run in order.

    They name the database `_sf`: `ATTACH ':memory:' AS _sf` must come first.
    """
    made = []
    for place, written in enumerate(_scripts("macros")):
        statement = _with_own_variables(written, place)
        made.append(statement)
        if (twin := _twin(statement)) is not None:
            made.append(twin)
    return [*made, *(part for view in _scripts("catalog") for part in _short(view))]


def _short(statement: str) -> list[str]:
    """A view's query is a macro's, so that its text is short: to tell the text of one view of a client's,
    DuckDB writes those of all that there are."""
    tokens = DUCKDB.tokenize(statement)
    if tokens[3].text.upper() != "VIEW":
        return [statement]
    at = next(i for i, token in enumerate(tokens) if token.token_type == TokenType.ALIAS)
    name, query = (
        statement[tokens[4].start : tokens[at - 1].end + 1],
        statement[tokens[at + 1].start :],
    )
    return [
        f"CREATE OR REPLACE MACRO {name}_of() AS TABLE {query}",
        f"CREATE OR REPLACE VIEW {name} AS FROM {name}_of()",
    ]


def _scripts(folder_name: str) -> list[str]:
    folder = resources.files(__package__) / folder_name
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    statements: list[str] = []
    for file in files:
        text = file.read_text("utf-8")
        pieces = split(DUCKDB.tokenize(text), text, scripting=False)
        statements.extend(text[piece.start : piece.end] for piece in pieces)
    return statements


def _forms(tokens: list[Token]) -> list[list[Token]]:
    """The forms of a macro: what stands between them are the commas outside of brackets."""
    depth = 0
    forms: list[list[Token]] = [[]]
    for token in tokens:
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if kind == TokenType.COMMA and depth == 0:
            forms.append([])
        else:
            forms[-1].append(token)
    return forms


def _twin(statement: str) -> str | None:
    """The macro of the forms of another one that look at no types; None where there is no need.

    DuckDB chooses a form by types, which columns in a definition do not have yet: what is called
    there is the twin, whose name ends in one _ more.
    """
    tokens = DUCKDB.tokenize(statement)
    forms = _forms(tokens[9:])
    if len(forms) == 1:
        return None
    plain = [form for form in forms if not _typed(form)]
    if not plain:
        return None
    texts = (statement[form[0].start : form[-1].end + 1] for form in plain)
    return f"CREATE OR REPLACE MACRO _sf.main.{tokens[8].text}_ {', '.join(texts)}"


def _with_own_variables(statement: str, place: int) -> str:
    """A macro whose lambdas have variables that nobody else names.

    DuckDB puts arguments into a macro's body as they are written: a column `e` would be the variable of
    a `lambda e`, and `e.v` within one is a column of a table `e`. place: the macro's, among all.
    """
    tokens = DUCKDB.tokenize(statement)
    renamed: set[int] = set()
    for start, token in enumerate(tokens):
        if token.token_type == TokenType.STRING or token.text.lower() != "lambda":
            continue
        body = next(i for i in range(start, len(tokens)) if tokens[i].token_type == TokenType.COLON)
        names = {one.text for one in tokens[start + 1 : body] if one.token_type == TokenType.VAR}
        for index in range(start + 1, _end_of(tokens, body + 1)):
            one, before = tokens[index], tokens[index - 1].token_type
            if one.token_type == TokenType.VAR and one.text in names and before != TokenType.DOT:
                renamed.add(index)
    pieces, end = [], 0
    for index in sorted(renamed):
        token = tokens[index]
        pieces += [statement[end : token.start], f"_{place}_{token.text}"]
        end = token.end + 1
    return "".join([*pieces, statement[end:]])


def _end_of(tokens: list[Token], start: int) -> int:
    """Where a lambda's body ends, which begins at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        kind = tokens[index].token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if depth < 0 or (depth == 0 and kind == TokenType.COMMA):
            return index
    return len(tokens)


def _typed(form: list[Token]) -> bool:
    """Whether a form's parameters have types: two words between its commas."""
    closing = next(i for i, token in enumerate(form) if token.token_type == TokenType.R_PAREN)
    inner = form[1:closing]
    return any(
        TokenType.COMMA not in (before.token_type, after.token_type)
        and ":=" not in (before.text, after.text)
        for before, after in pairwise(inner)
    )


_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)


def _register_macros() -> None:
    """Every macro whose name does not end in _ is the Snowflake function of its name."""
    names = set()
    for statement in _scripts("macros"):
        # CREATE OR REPLACE MACRO _sf . main . name
        tokens = DUCKDB.tokenize(statement)
        names.add(tokens[8].text)
        forms = _forms(tokens[9:])
        if len(forms) > 1:
            registry.OVERLOADED.add(f"_sf.{tokens[8].text}")
            if not all(map(_typed, forms)):
                ddl.TWINS[f"_sf.{tokens[8].text}"] = f"_sf.{tokens[8].text}_"
    for name in names:
        if not name.endswith("_") and name.upper() not in registry.FUNCTIONS:
            registry.renamed({name.upper(): f"_sf.{name}"})


_register_macros()
registry.renamed(
    {f"QUOTE_{of.upper()}": f"_sf.pg_quote_{of}_" for of in ("ident", "literal", "nullable")}
)
registry.renamed({"UUID_GENERATE_V4": "uuid"})  # what mappers for Postgres write in a default


def rewrite(tree: exp.Expr, nodes: list[exp.Expr]) -> exp.Expr:
    """The tree for DuckDB, changed in place; nodes: its `Listing`, made anew where it is none.

    Raises SqlError 0A000 for what has no faithful form.
    """
    if nodes.__class__ is not Listing:
        nodes = listed(tree)
    kinds = nodes.kinds
    if exp.Column in kinds and any("join_mark" in one.args for one in nodes.of(exp.Column)):
        tree = select.without_join_marks(tree)
        nodes = listed(tree)
        kinds = nodes.kinds
    if not _RESHAPED_KINDS.isdisjoint(kinds) and _reshape(nodes):
        nodes = listed(tree)
    if exp.Explode in kinds:
        nodes.extend(select.mark_flattened(nodes))
    if exp.With in kinds:
        select.mark_recursive(nodes)
        for query in nodes.of(exp.CTE):
            if query.parent.args.get("recursive"):
                recursion.fit(query)
    calls = registry.overloaded_calls
    calls.clear()
    made = apply(tree, nodes, registry.NODES)
    if exp.Anonymous in kinds and tree.__class__ is exp.Select:
        semistructured.show_markup(made)
    if calls and overloads.bind_too_late(calls, nodes):
        return overloads.bind_late(made, registry.OVERLOADED)
    return made


def bound_late(tree: exp.Expr, *, every: bool = False) -> exp.Expr:
    """A tree of DuckDB's, changed in place: macros of several forms over what DuckDB binds late.

    every: over every column.
    """
    return overloads.bind_late(tree, registry.OVERLOADED, every=every)


LATE = overloads.LATE


def _reshape(nodes: Listing) -> bool:
    """Whether it changed anything."""
    changed = False
    for kind, reshape in _RESHAPED:
        for node in nodes.of(kind):
            if reshape(node) is not False:
                changed = True
    return changed


def _around(reshape: Callable[[exp.Select], None]) -> Callable[[exp.Expr], None]:
    """`reshape` for the query that a node belongs to, once."""

    def visit(node: exp.Expr) -> None:
        query = node.find_ancestor(exp.Select)
        if query is not None and reshape.__name__ not in query.meta:
            query.meta[reshape.__name__] = True
            reshape(query)

    return visit


# What changes the shape of a query is done before the rules look at its nodes. What returns False has
# changed nothing.
_RESHAPED: tuple[tuple[type, Callable[[exp.Expr], bool | None]], ...] = (
    (exp.Connect, _around(hierarchy.connect)),
    *((kind, _around(flattening.number_split_rows)) for kind in flattening.SPLITTING),
    (exp.Join, select.spell_out_using),
    (exp.Pivot, pivoting.reshape),
    (exp.Star, stars.reshape),
    (exp.MatchRecognize, match_recognize.reshape),
    (exp.TableFromRows, _around(getnextval.number_rows)),
)

_RESHAPED_KINDS = frozenset(kind for kind, _ in _RESHAPED)


def _column_of_postgres(column: exp.Expr) -> exp.Expr | None:
    """`s.nextval` is Snowflake's, whichever grammar read it."""
    if isinstance(column, exp.Column) and column.name.lower() == "nextval" and column.table:
        return core.next_value(column)
    rule = postgres.RULES.get(exp.Column)
    return rule(column) if rule is not None else None


_OVER_POSTGRES = {
    **postgres.RULES,
    exp.Div: registry.NODES[exp.Div],
    exp.Column: _column_of_postgres,
}


def rewrite_postgres(tree: exp.Expr, nodes: Listing) -> exp.Expr:
    """As `rewrite`, of a tree that only Postgres's grammar could read: 7 / 2 is 3.5 here too."""
    return apply(tree, nodes, _OVER_POSTGRES)
