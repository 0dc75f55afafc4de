"""Statements that read from both engines, as SQL: what stands in for Postgres's relations.

Such a statement runs in DuckDB. Each relation of the control plane that it reads becomes a relation
of the session's own temporary schema, `temp."postgres:hd_runtime.tasks"`, which is there while the
statement runs and no longer (`proxy.session.federation` fills it). A view keeps that name in its text: for
another reader it is another relation, of what that reader may see.

A call of a function of Postgres's with constants for arguments is asked there before the statement
runs; in its place stands a macro of that schema, which is the value.

Nothing is read or written here; what cannot run in both is refused by `proxy.sql.route`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.sql.control_plane import CONTROL_SCHEMAS
from proxy.sql.reading import POSTGRES

Relation = tuple[str, str]
"""Schema and name, as Postgres has them; or '' and the text of a call."""

_PREFIX = "postgres:"

EXPLAIN, ANALYZE = "EXPLAIN ", "EXPLAIN ANALYZE "
EXPLAIN_JSON, ANALYZE_JSON = "EXPLAIN (FORMAT JSON) ", "EXPLAIN (ANALYZE, FORMAT JSON) "
OPENINGS = (ANALYZE_JSON, EXPLAIN_JSON, ANALYZE, EXPLAIN)
"""How an EXPLAIN begins, as the planner writes it."""
AS_JSON = frozenset((EXPLAIN_JSON, ANALYZE_JSON))
ANALYZED = frozenset((ANALYZE, ANALYZE_JSON))


def stand_in(relation: Relation) -> str:
    """The name of what stands for a relation or a call, in the schema `temp.main`."""
    return f"{_PREFIX}{'.'.join(relation)}"


def stands_for(name: str) -> Relation | None:
    """The relation for which something of this name stands, if it does for one: never a call."""
    schema, dot, relation = name.removeprefix(_PREFIX).partition(".")
    there = name.startswith(_PREFIX) and dot and schema in CONTROL_SCHEMAS
    return (schema, relation) if there else None


def put_stand_ins(tables: Iterable[tuple[exp.Table, Relation]], nodes: Iterable[exp.Expr]) -> None:
    """Renames the control plane's relations in a tree whose nodes are `nodes`."""
    for table, relation in tables:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(relation[1], quoted=True)))
        table.set("this", exp.to_identifier(stand_in(relation), quoted=True))
        table.set("db", exp.to_identifier("main"))
        table.set("catalog", exp.to_identifier("temp"))
    for node in nodes:
        # `hd_runtime.tasks.id` is a column of what is called `tasks` now.
        if isinstance(node, exp.Column) and (schema := node.args.get("db")) is not None:
            name = schema.this if schema.args.get("quoted") else schema.this.lower()
            if name in CONTROL_SCHEMAS:
                node.set("db", None)
                node.set("catalog", None)


def call_text(node: exp.Expr) -> str | None:
    """A call of a function as Postgres's SQL; None where an argument is not a constant."""
    if not isinstance(node, exp.Anonymous) or isinstance(node.parent, exp.Table):
        return None
    arguments = [_constant(argument) for argument in node.expressions]
    known = [argument for argument in arguments if argument is not None]
    if len(known) < len(arguments):
        return None
    this = node.this
    is_quoted = isinstance(this, exp.Identifier) and this.args.get("quoted")
    name = f'"{node.name}"' if is_quoted else node.name.lower()
    return f"{_schema_of(node)}{name}({', '.join(known)})"


def _schema_of(node: exp.Expr) -> str:
    parent = node.parent
    if not isinstance(parent, exp.Dot) or parent.expression is not node:
        return ""
    return f"{parent.this.name.lower()}."


def _constant(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Literal):
        if not node.is_string:
            return node.this
        escaped = node.this.replace("\\", "\\\\").replace("'", "''")
        return f"E'{escaped}'"
    if isinstance(node, exp.Boolean):
        return str(node.this).lower()
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return None if node.this.is_string else f"(-{node.this.this})"
    return "NULL" if isinstance(node, exp.Null) else call_text(node)


def called(text: str) -> list[str]:
    """The names of the functions in what `call_text` gave."""
    tokens = POSTGRES.tokenize(text)
    return [
        token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()
        for token, after in pairwise(tokens)
        if after.token_type == TokenType.L_PAREN and token.token_type not in _NOT_NAMES
    ]


_NOT_NAMES = frozenset({TokenType.L_PAREN, TokenType.COMMA})


def outermost(calls: Iterable[exp.Expr]) -> list[exp.Expr]:
    """The calls that are not an argument of another one."""
    every = list(calls)
    inner = {id(argument) for call in every for argument in call.walk() if argument is not call}
    return [call for call in every if id(call) not in inner]


def put_calls(calls: Iterable[tuple[exp.Expr, str]]) -> None:
    """Puts what stands for a call's value in the place of each."""
    for node, text in calls:
        parent = node.parent
        whole = parent if isinstance(parent, exp.Dot) and parent.expression is node else node
        name = exp.to_identifier(stand_in(("", text)), quoted=True)
        schema = exp.Dot(this=exp.to_identifier("temp"), expression=exp.to_identifier("main"))
        whole.replace(exp.Dot(this=schema, expression=exp.Anonymous(this=name)))


def without_explain(sql: str) -> tuple[str, str]:
    """EXPLAIN as the planner writes it (or ''), and the statement that it explains."""
    for opening in OPENINGS:
        if sql.startswith(opening):
            return opening, sql.removeprefix(opening)
    return "", sql
