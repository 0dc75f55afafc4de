"""A tree as DuckDB's SQL, by the rules of the dialect and of the grammar that read it.

A definition may be several statements to DuckDB, or edits of a definition that it has: those are
written here too.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from proxy.sql import postgres, snowflake
from proxy.sql.identities import take_all
from proxy.sql.listing import Listing, listed
from proxy.sql.reading import Reader, write_duckdb
from proxy.sql.rebuilding import Rebuilds, rebuilds
from proxy.sql.snowflake.definitions import Divided, divide
from proxy.sql.statement import Dialect


def is_snowflake(dialect: Dialect) -> bool:
    """Whether a session's SQL is Snowflake's."""
    return dialect.transpile and dialect.name == "snowflake"


def write(
    tree: exp.Expr,
    nodes: Listing,
    source: str,
    dialect: Dialect,
    grammar: Reader,
    *,
    changed: bool,
) -> str:
    """The tree as DuckDB's SQL; the tree is spent.

    nodes: its nodes. source: the statement's text. changed: the tree is not that of
    `source` any more.
    """
    if not dialect.transpile or dialect.name == "duckdb":
        if grammar.name == "duckdb" and not changed and not postgres.names_public(nodes):
            return source
        return write_duckdb(postgres.rewrite_public(tree, nodes))
    if grammar.name == "snowflake":
        return write_duckdb(snowflake.rewrite(tree, nodes))
    if dialect.name == "snowflake":
        return write_duckdb(snowflake.rewrite_postgres(tree, nodes))
    return write_duckdb(postgres.rewrite(tree, nodes))


def divided_first(
    tree: exp.Expr, dialect: Dialect, grammar: Reader
) -> tuple[Divided, tuple[str, ...]]:
    """A definition's first statement, and the others as DuckDB's SQL."""
    divided = divide(tree, dialect.database, keys=dialect.keys)
    rewrite = snowflake.rewrite if grammar.name == "snowflake" else snowflake.rewrite_postgres
    then = [
        part if isinstance(part, str) else write_duckdb(rewrite(part, listed(part)))
        for part in divided.then
    ]
    return divided, tuple(then)


def rebuilding(tree: exp.Expr, dialect: Dialect, grammar: Reader) -> Rebuilds | None:
    """An ALTER TABLE as edits of the table's definition; None for all other statements."""
    if not isinstance(tree, exp.Alter):
        return None
    rules = postgres.rewrite
    if is_snowflake(dialect):
        known = grammar.name == "snowflake"
        rules = snowflake.rewrite if known else snowflake.rewrite_postgres

    def rewrite(part: exp.Expr) -> exp.Expr:
        return rules(part, listed(part))

    def define(made: exp.Create) -> tuple[exp.Expr, list[str]]:
        if is_snowflake(dialect):
            divided, then = divided_first(made, dialect, grammar)
            return rewrite(divided.first), list(then)
        then = tuple(take_all(made))
        return rewrite(made), list(then)

    found = rebuilds(tree, rewrite, define)
    if found is not None and len(found.edits) > 1 and not is_snowflake(dialect):
        found = replace(found, native=False)  # DuckDB takes one change at a time
    return found
