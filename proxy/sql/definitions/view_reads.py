"""Which columns of which relations the query of a view reads, by its text.

Why it exists: DuckDB's views know what they read by its text alone. What may be dropped or altered, and
what the catalog says of a view's dependencies, follows from the columns that the text names.

A view follows what is renamed in Postgres, too: there its text gets the new name (`with_new_name`).

Promises: reads DuckDB's own writing of CREATE VIEW. A name that a WITH or a subquery gives is no relation. An
unqualified column is looked for in its own SELECT first and then in those around it, as SQL does. A text
that cannot be read reads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokens import Token, TokenType

from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB, POSTGRES, write_duckdb

Parts = tuple[str, ...]
"""A relation's name, as it is written."""


@dataclass(frozen=True, slots=True)
class Reads:
    """relations: each once. columns: a column's name, folded, None for all, and in which of the
    relations it is looked for: those of the same group at once, group after group."""

    relations: tuple[Parts, ...] = ()
    columns: tuple[tuple[str | None, tuple[tuple[int, ...], ...]], ...] = ()

    def resolved(self, columns_of: Callable[[Parts], list[str] | None]) -> dict[Parts, list[str]]:
        """The columns that are read of each relation, as they are stored.

        columns_of: those that a relation has, None for one that is not there, which is left out.
        """
        there = [columns_of(parts) for parts in self.relations]
        folded = [{name.lower() for name in names or ()} for names in there]
        read: list[set[str]] = [set() for _ in there]
        for name, groups in self.columns:
            for group in groups:
                has = [one for one in group if name is None or name in folded[one]]
                for one in has:
                    read[one] |= folded[one] if name is None else {name}
                if has:
                    break
        return {
            parts: [name for name in names if name.lower() in found]
            for parts, names, found in zip(self.relations, there, read, strict=True)
            if names is not None
        }


@lru_cache(maxsize=4096)
def reads_of(sql: str) -> Reads:
    """Of a CREATE VIEW in DuckDB's words."""
    try:
        tree = DUCKDB.dialect.parse(sql)[0]
        query = tree.expression if isinstance(tree, exp.Create) else None
        scopes = _scopes(query)
    except (SqlglotError, RecursionError):
        return Reads()
    relations: dict[Parts, int] = {}
    columns: dict[tuple[str | None, tuple[tuple[int, ...], ...]], None] = {}
    for source in _read(scopes):
        relations.setdefault(parts_of(source), len(relations))
    for scope in scopes:
        for name, groups in _named(scope):
            places = tuple(tuple(relations[parts_of(one)] for one in group) for group in groups)
            if any(places):
                columns[name, places] = None
    return Reads(tuple(relations), tuple(columns))


def _scopes(query: exp.Expr | None) -> list[Scope]:
    """Of a query that is only looked at: subqueries without a name get one, since two have not the same."""
    if query is None:
        return []
    for number, one in enumerate(list(query.find_all(exp.Subquery))):
        if isinstance(one.parent, exp.From | exp.Join) and not one.alias:
            one.set("alias", exp.TableAlias(this=exp.to_identifier(f" {number}", quoted=True)))
    return traverse_scope(query)


def with_new_name(
    sql: str, is_it: Callable[[Parts], bool], new: str, schema: str | None = None
) -> str | None:
    """A CREATE VIEW in DuckDB's words, after a relation that it reads got another name.

    is_it: whether a name means that relation. schema: in which it is now, where that is another one. None
    for a text that cannot be made over.
    """
    tree = DUCKDB.dialect.parse(sql)[0]
    query = tree.expression if isinstance(tree, exp.Create) else None
    if query is None or any(column.args.get("db") for column in query.find_all(exp.Column)):
        return None  # a column that is named with its schema has no alias to stay with
    found: dict[int, tuple[int, str]] = {}
    for source in _read(_scopes(query)):
        if is_it(parts_of(source)):
            first = source.this if schema is None else source.parts[0]
            if "start" not in first.meta or "end" not in source.this.meta:
                return None
            written = quoted(new) if schema is None else quoted(schema, new)
            written += "" if source.alias else f" AS {quoted(source.name)}"
            found[first.meta["start"]] = (source.this.meta["end"] + 1, written)
    return edited(sql, found)


def with_new_place(sql: str, *place: str) -> str | None:
    """A CREATE VIEW in DuckDB's words, of another name; None for a text that cannot be made over."""
    tree = DUCKDB.dialect.parse(sql)[0]
    made = tree.this if isinstance(tree, exp.Create) else None
    made = made.this if isinstance(made, exp.Schema) else made
    if not isinstance(made, exp.Table) or "start" not in made.parts[0].meta:
        return None
    start, end = made.parts[0].meta["start"], made.this.meta["end"] + 1
    return edited(sql, {start: (end, quoted(*place))})


def query_of_view(sql: str) -> str | None:
    """The query of a CREATE VIEW of DuckDB's; None where it cannot be read."""
    try:
        tree = DUCKDB.dialect.parse(sql)[0]
    except (SqlglotError, RecursionError):
        return None
    query = tree.expression if isinstance(tree, exp.Create) else None
    return write_duckdb(query) if isinstance(query, exp.Query) else None


def with_schemas(sql: str, schema_of: Callable[[str], str | None]) -> str | None:
    """A CREATE VIEW in DuckDB's words with schemas before relations that are named without.

    schema_of: of such a name, None where it is to stay alone. None where all do.
    """
    tree = DUCKDB.dialect.parse(sql)[0]
    return _with_schemas(sql, tree.expression if isinstance(tree, exp.Create) else None, schema_of)


def as_written_with_schemas(query: str, schema_of: Callable[[str], str | None]) -> str | None:
    """As `with_schemas`, of a view's query as its author wrote it in Postgres's dialect."""
    return _with_schemas(query, POSTGRES.dialect.parse(query)[0], schema_of)


def _with_schemas(
    sql: str, query: exp.Expr | None, schema_of: Callable[[str], str | None]
) -> str | None:
    found: dict[int, tuple[int, str]] = {}
    for source in _read(_scopes(query)):
        if len(source.parts) == 1 and (schema := schema_of(source.name)) is not None:
            start = source.this.meta["start"]
            found[start] = (start, f"{quoted(schema)}.")
    return edited(sql, found) if found else None


def with_types(sql: str, schema_of: Callable[[str], str | None]) -> str | None:
    """As `with_schemas`, of the types that casts name without one."""
    tokens = DUCKDB.own_tokens(sql)
    found: dict[int, tuple[int, str]] = {}
    for at in in_types(tokens):
        token, alone = tokens[at], tokens[at + 1].token_type != TokenType.DOT
        if alone and (schema := schema_of(token.text)) is not None:
            found[token.start] = (token.start, f"{quoted(schema)}.")
    return edited(sql, found) if found else None


def in_types(tokens: Sequence[Token]) -> Iterator[int]:
    """Where in DuckDB's words the first part of a type's name may stand: in a cast, behind AS."""
    brackets: list[str] = []  # that are open: 'cast', then 'type' once that comes, '' for others
    for at, token in enumerate(tokens):
        kind, before = token.token_type, tokens[at - 1]
        if kind == TokenType.L_PAREN:
            inner = "cast" if before.text.upper() in _CASTS else ""
            brackets.append("type" if brackets[-1:] == ["type"] else inner)
        elif kind == TokenType.R_PAREN:
            brackets.pop()
        elif kind == TokenType.ALIAS and brackets[-1:] == ["cast"]:
            brackets[-1] = "type"
        elif brackets[-1:] == ["type"] and before.token_type not in _NO_TYPE_AFTER:
            yield at


_CASTS = frozenset({"CAST", "TRY_CAST"})
# A schema's name goes before; after a bracket or a comma stands what a member is called, or a number.
_NO_TYPE_AFTER = frozenset({TokenType.DOT, TokenType.L_PAREN, TokenType.COMMA})


def _read(scopes: Iterable[Scope]) -> Iterator[exp.Table]:
    """The relations that a query reads anywhere in it, without what has a name by WITH."""
    for scope in scopes:
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and source.name:
                yield source


def edited(sql: str, edits: dict[int, tuple[int, str]]) -> str:
    """edits: by where each begins, where it ends and what is put there."""
    for start in sorted(edits, reverse=True):
        end, written = edits[start]
        sql = sql[:start] + written + sql[end:]
    return sql


def parts_of(table: exp.Table) -> Parts:
    """A relation's name."""
    return tuple(part.name for part in table.parts)


Named = tuple[str | None, list[list[exp.Table]]]


def _named(scope: Scope) -> Iterator[Named]:
    """The columns that one SELECT names, and the tables that each may be of."""
    own = _tables(scope)
    query = scope.expression
    if isinstance(query, exp.Select):
        if any(isinstance(one, exp.Star) for one in query.expressions):
            yield None, [own]
        for one in query.expressions:
            if isinstance(one, exp.Column) and isinstance(one.this, exp.Star):
                yield None, _sources(scope, one.table)
        for join in query.args.get("joins") or ():
            for name in join.args.get("using") or ():
                yield name.name.lower(), [own]
            if join.args.get("method") == "NATURAL":
                yield None, [own]
    for column in scope.columns:
        if column.find_ancestor(exp.Select) is not query and isinstance(query, exp.Select):
            continue  # a subquery's, which is a scope of its own
        if not isinstance(column.this, exp.Star):
            yield column.name.lower(), _sources(scope, column.table)


def _sources(scope: Scope, qualifier: str) -> list[list[exp.Table]]:
    groups = []
    around: Scope | None = scope
    while around is not None:
        if qualifier:
            for alias, source in around.sources.items():
                if alias.lower() == qualifier.lower():
                    return [[source]] if isinstance(source, exp.Table) else []
        else:
            groups.append(_tables(around))
        around = around.parent
    return groups


def _tables(scope: Scope) -> list[exp.Table]:
    """What stands in its FROM, without what has a name by WITH."""
    found = (source for _, source in scope.selected_sources.values())
    return [one for one in found if isinstance(one, exp.Table) and one.name]
