"""A tree as DuckDB's SQL, by the rules of the dialect and of the grammar that read it.

A definition may be several statements to DuckDB, or edits of a definition that it has: those are
written here too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp

from proxy.sql import snowflake
from proxy.sql.definitions.altering import alters, drops, makes_view, of_type
from proxy.sql.definitions.constraint_names import keep_names
from proxy.sql.definitions.edits import Rebuilds, nullability, rebuilds
from proxy.sql.definitions.identities import take_all
from proxy.sql.definitions.indexing import what_tunes
from proxy.sql.definitions.liking import likes
from proxy.sql.listing import Listing, listed
from proxy.sql.postgres import dialect as postgres
from proxy.sql.postgres import values as postgres_values
from proxy.sql.postgres.references import AT_ONCE, checked_at_once
from proxy.sql.reading import Reader, write_duckdb
from proxy.sql.snowflake import nesting
from proxy.sql.snowflake.definitions import Divided, divide
from proxy.sql.snowflake.registry import WEIGHTS
from proxy.sql.statement import Deferred, Dialect


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
    return write_duckdb(_lightened(tree, nodes))


def _lightened(tree: exp.Expr, nodes: Listing) -> exp.Expr:
    """A statement of Postgres's dialect for DuckDB; calls of macros within calls are bound once each."""
    made: list[exp.Anonymous] = []
    postgres_values.calls.made = made
    try:
        tree = postgres.rewrite(tree, nodes)
    finally:
        postgres_values.calls.made = None
    heavy = [call for call in made if call.this in WEIGHTS]
    return nesting.lightened(tree, heavy, in_casts=True) if len(heavy) > 1 else tree


@dataclass(slots=True)
class Definition:
    """What a definition is to DuckDB. nodes: of the tree that `sql` was written of.

    deep: whether more than the names that it says may change. The rest as in `Statement`.
    """

    sql: str
    nodes: Listing
    then: tuple[str, ...] = ()
    copies: Deferred | None = None
    tag: str = ""
    notice: str = ""
    deep: bool = False


def define(
    tree: exp.Expr, nodes: Listing, source: str, dialect: Dialect, grammar: Reader, *, changed: bool
) -> Definition:
    """CREATE, ALTER, DROP and COMMENT; as `write`."""
    divided: Divided | None = None
    then: tuple[str, ...] = ()
    rewritten = dialect.transpile and dialect.name != "duckdb"
    of_keys, counts = "", False
    if rewritten and not is_snowflake(dialect) and checked_at_once(tree):
        of_keys = AT_ONCE
    anew = rebuilding(tree, dialect, grammar) if rewritten else None
    tunes = what_tunes(tree) if rewritten and isinstance(tree, exp.Create) else None
    made_like = None
    if rewritten and not is_snowflake(dialect):
        counting: list[str] = []
        made_like = likes(tree, partial(_rewritten, counting))
        then = tuple(counting)
    if made_like is not None:
        sql = "SELECT 1 LIMIT 0"
    elif anew is not None and not anew.native:
        sql = "SELECT 1 LIMIT 0"  # what is done instead is known when it runs
    elif anew is not None and (native := nullability(anew)) is not None:
        sql = native
    elif is_snowflake(dialect):
        divided, then = divided_first(tree, dialect, grammar)
        tree = divided.first
        nodes = listed(tree)
        sql = write(tree, nodes, source, dialect, grammar, changed=True)
    else:
        if rewritten and (bool(then := tuple(take_all(tree))) | keep_names(tree)):
            nodes = listed(tree)
        counts = True  # what the columns of a new table count by is found with them
        sql = write(tree, nodes, source, dialect, grammar, changed=changed)
    if tunes is not None:
        then = (*then, tunes)
    copies = divided.copies if divided is not None else None
    of_postgres = rewritten and not is_snowflake(dialect)
    notice = divided.notice if divided is not None else ""
    return Definition(
        sql,
        nodes,
        then,
        copies
        or made_like
        or anew
        or (alters(tree, of_postgres) or drops(tree, of_postgres) if sql else None)
        or (makes_view(tree) if of_postgres else None)
        or of_type(tree, of_postgres),
        divided.tag if divided is not None else "",
        notice or of_keys,
        deep=bool(copies) or (bool(then) and not counts),
    )


def _rewritten(then: list[str], made: exp.Expr) -> exp.Expr:
    then += take_all(made)
    keep_names(made)
    return postgres.rewrite(made, listed(made))


def divided_first(
    tree: exp.Expr, dialect: Dialect, grammar: Reader
) -> tuple[Divided, tuple[str, ...]]:
    """A definition's first statement, and the others as DuckDB's SQL."""
    divided = divide(tree, dialect.database, keys=dialect.keys)
    keep_names(divided.first, unique=False)
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
        keep_names(made)
        return rewrite(made), list(then)

    records = is_snowflake(dialect) and not dialect.keys
    found = rebuilds(tree, rewrite, define, records=records)
    if found is not None and found.view and is_snowflake(dialect):
        return None
    if found is not None and not is_snowflake(dialect):
        # DuckDB takes one change at a time.
        native = found.native and len(found.edits) == 1
        found = replace(found, native=native, of_postgres=True)
    return found
