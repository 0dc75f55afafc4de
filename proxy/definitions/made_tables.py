"""Names in a table's definition, in Postgres's dialect: they are what its author means.

Why it exists: beside `made_views`. DuckDB looks the name of a sequence in a default up when a row gets it,
in the table's schema and then in the writer's search_path, and that of a table that refers to itself in
`main`; in Postgres both mean for ever what they meant to whoever made the table. So they get their schema.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot.tokens import TokenType

from proxy.definitions.table_parts import own_references
from proxy.engines.duck.names import DATABASE
from proxy.mirror.session_mirror import schemas_named
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_KINDS = frozenset({"CREATE TABLE", "ALTER TABLE"})


async def bound(session: Session, plan: Statement) -> Statement:
    """The plan of a CREATE TABLE or ALTER TABLE, with schemas where names without would mean others."""
    if plan.kind not in _KINDS or session.dialect.name != "postgres" or not plan.touched:
        return plan
    schema = plan.touched[0].schema
    if schema is None and set(schemas_named(session.settings.get("search_path"))) == {"main"}:
        return plan
    parts = (plan.sql, *plan.then)
    own = plan.touched[0].name or ""
    if not any(_called(sql) or own_references(sql, own) for sql in parts):
        return plan
    sql, *then = await session.on_duck(_bound, session.duck, plan, parts)
    return replace(plan, sql=sql, then=tuple(then))


def _bound(duck: DuckSession, plan: Statement, parts: tuple[str, ...]) -> list[str]:
    """Blocks."""
    table = plan.touched[0]
    schema = table.schema
    if schema is None:
        meant = duck.means((table.name or "",)) if plan.kind == "ALTER TABLE" else None
        schema = meant.schema if meant is not None else duck.current_schema()
    own = "main" if schema == "public" else schema
    made = []
    for sql in parts:
        edits = [(at, at, f"{quoted(own)}.") for at in own_references(sql, table.name or "")]
        for start, end, name in _called(sql):
            meant = duck.means((name,))
            if meant is not None and meant.database == DATABASE and meant.schema != own:
                edits.append((start, end, literal(quoted(meant.schema, meant.name))))
        for start, end, text in sorted(edits, reverse=True):
            sql = sql[:start] + text + sql[end:]
        made.append(sql)
    return made


def _called(sql: str) -> list[tuple[int, int, str]]:
    """Where nextval is called with a name that has no schema: from, to, and which."""
    tokens = DUCKDB.own_tokens(sql)
    found = []
    for call, bracket, given in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (
            call.text.lower() == "nextval"
            and bracket.token_type == TokenType.L_PAREN
            and given.token_type == TokenType.STRING
        ):
            name = DUCKDB.own_tokens(given.text)
            if len(name) == 1:
                kept = name[0].token_type == TokenType.IDENTIFIER
                written = name[0].text if kept else name[0].text.lower()
                found.append((given.start, given.end + 1, written))
    return found
