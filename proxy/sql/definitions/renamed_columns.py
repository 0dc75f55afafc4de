"""The text of a view after a column that it reads got another name.

Why it exists: in Postgres a view reads columns, not names: it follows, and its own columns keep their names.
DuckDB's views are texts. Here the text is made over: the column is called by its new name where it is
read, and where its name was seen outside of its SELECT it is given the old one there.

Promises: reads DuckDB's own writing of CREATE VIEW; what cannot be made over for certain is None: a join
USING the column, or a name that may be another relation's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from proxy.sql.definitions.view_reads import Parts, parts_of
from proxy.sql.reading import DUCKDB, write_duckdb


@dataclass(frozen=True, slots=True)
class Renaming:
    """is_it: whether a relation's name, as it is written, means the one whose column `old` is now `new`.

    columns_of: the columns of a relation, None where they are not known.
    """

    is_it: Callable[[Parts], bool]
    columns_of: Callable[[Parts], Sequence[str] | None]
    old: str
    new: str


class _UnsureError(Exception):
    pass


def with_columns(sql: str, names: Sequence[str]) -> str | None:
    """CREATE OR REPLACE VIEW of a CREATE VIEW in DuckDB's words, whose columns have these names.

    Its query gives them: of a view with a list of names DuckDB comments on none.
    """
    tree = _read(sql)
    if tree is None:
        return None
    places = [exp.to_identifier(f"c{number}", quoted=True) for number in range(len(names))]
    values = [
        exp.Alias(this=exp.Column(this=place.copy()), alias=exp.to_identifier(name, quoted=True))
        for place, name in zip(places, names, strict=True)
    ]
    alias = exp.TableAlias(this=exp.to_identifier("renamed", quoted=True), columns=places)
    inner = exp.Subquery(this=tree.expression, alias=alias)
    tree.set("expression", exp.Select(expressions=values, from_=exp.From(this=inner)))
    return _written(tree, names)


def with_new_column(sql: str, renaming: Renaming, names: Sequence[str]) -> str | None:
    """... after the renaming. names: of the view's columns, which they keep; None where it is not sure."""
    tree = _read(sql)
    if tree is None:
        return None
    try:
        for scope in traverse_scope(tree.expression):
            _rename(scope, renaming)
    except (SqlglotError, RecursionError, _UnsureError):
        return None
    return _written(tree, names)


def without_added_column(
    sql: str, is_it: Callable[[Parts], bool], before: Sequence[str], names: Sequence[str]
) -> str | None:
    """... where a relation is about to get a column: what `*` stands for there is written out.

    before: the relation's columns. None where there is no such star, or it is not sure what it stands for.
    """
    tree = _read(sql)
    if tree is None:
        return None
    try:
        found = [_spell_stars(scope, is_it, before) for scope in traverse_scope(tree.expression)]
    except (SqlglotError, RecursionError, _UnsureError):
        return None
    return _written(tree, names) if any(found) else None


def _spell_stars(scope: Scope, is_it: Callable[[Parts], bool], before: Sequence[str]) -> bool:
    """Whether there were any of the relation, in a SELECT's own list."""
    query = scope.expression
    if not isinstance(query, exp.Select):
        return False
    ours = {
        alias.lower()
        for alias, (_, source) in scope.selected_sources.items()
        if isinstance(source, exp.Table) and source.name and is_it(parts_of(source))
    }
    stars = [place for place in query.expressions if _of_star(place, ours)]
    if not ours or not stars:
        return False
    joins = query.args.get("joins") or ()
    if any(join.args.get("using") or join.args.get("method") == "NATURAL" for join in joins):
        raise _UnsureError
    first = query.args.get("from_")
    sources = [one.this.alias_or_name for one in (first, *joins) if one is not None]
    if {one.lower() for one in sources} != {one.lower() for one in scope.selected_sources}:
        raise _UnsureError
    for place in stars:
        wanted = [place.table] if isinstance(place, exp.Column) else sources
        spelled: list[exp.Expr] = []
        for name in wanted:
            if name.lower() in ours:
                spelled += [exp.column(one, name, quoted=True) for one in before]
            else:
                spelled.append(exp.Column(this=exp.Star(), table=exp.to_identifier(name, True)))
        at = query.expressions.index(place)
        query.set("expressions", [*query.expressions[:at], *spelled, *query.expressions[at + 1 :]])
    return True


def _of_star(place: exp.Expr, ours: set[str]) -> bool:
    """Whether this is `*`, or `t.*` of one of `ours`."""
    star = place.this if isinstance(place, exp.Column) else place
    if not isinstance(star, exp.Star):
        return False
    if isinstance(place, exp.Column) and place.table.lower() not in ours:
        return False
    if any(star.args.get(key) for key in ("except_", "replace", "rename")):
        raise _UnsureError
    return True


def _read(sql: str) -> exp.Create | None:
    try:
        tree = DUCKDB.dialect.parse(sql)[0]
    except (SqlglotError, RecursionError):
        return None
    known = isinstance(tree, exp.Create) and isinstance(tree.expression, exp.Query)
    return tree if known else None


def _written(tree: exp.Create, names: Sequence[str]) -> str:
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    columns = [exp.to_identifier(name, quoted=True) for name in names]
    tree.set("this", exp.Schema(this=table, expressions=columns))
    tree.set("replace", True)
    return write_duckdb(tree)


def _rename(scope: Scope, renaming: Renaming) -> None:
    query = scope.expression
    if not isinstance(query, exp.Select):
        return
    old = renaming.old.lower()
    columns = [
        column
        for column in scope.columns
        if column.name.lower() == old
        and not isinstance(column.this, exp.Star)
        and column.find_ancestor(exp.Select) is query
        and _is_read(scope, column, renaming)
    ]
    ours = _ours(scope, renaming)
    if ours:
        _check_joins(query, old)
        for place in list(query.expressions):
            _rename_star(place, ours, renaming)
    for column in columns:
        name = column.name
        column.this.replace(exp.to_identifier(renaming.new, quoted=True))
        if column.parent is query and column.arg_key == "expressions":
            alias = exp.to_identifier(name, quoted=True)
            column.replace(exp.Alias(this=column.copy(), alias=alias))


def _ours(scope: Scope, renaming: Renaming) -> set[str]:
    """What the relation is called in a SELECT's FROM, folded."""
    return {
        alias.lower()
        for alias, (_, source) in scope.selected_sources.items()
        if isinstance(source, exp.Table) and source.name and renaming.is_it(parts_of(source))
    }


def _check_joins(query: exp.Select, old: str) -> None:
    for join in query.args.get("joins") or ():
        using = [name.name.lower() for name in join.args.get("using") or ()]
        if old in using or join.args.get("method") == "NATURAL":
            raise _UnsureError


def _rename_star(place: exp.Expr, ours: set[str], renaming: Renaming) -> None:
    """`*` and `t.*` give the column under its old name."""
    star = place.this if isinstance(place, exp.Column) else place
    if not isinstance(star, exp.Star):
        return
    if isinstance(place, exp.Column) and place.table.lower() not in ours:
        return
    if star.args.get("except_") or star.args.get("replace"):
        raise _UnsureError
    renamed = list(star.args.get("rename") or ())
    for one in renamed:
        if one.this.name.lower() == renaming.old.lower():
            one.set("this", exp.column(renaming.new, quoted=True))
            return
    column = exp.column(renaming.new, quoted=True)
    alias = exp.to_identifier(renaming.old, quoted=True)
    star.set("rename", [*renamed, exp.Alias(this=column, alias=alias)])


def _is_read(scope: Scope, column: exp.Column, renaming: Renaming) -> bool:
    """Whether a column is the relation's. Raises `_UnsureError`."""
    old, qualifier = renaming.old.lower(), column.table.lower()
    around: Scope | None = scope
    while around is not None:
        has: list[object] = []
        for alias, (_, source) in around.selected_sources.items():
            if qualifier:
                has += [source] if alias.lower() == qualifier else []
                continue
            names: Sequence[str] | None
            if isinstance(source, Scope):
                names = source.expression.named_selects
                names = None if "*" in names else names
            else:
                names = renaming.columns_of(parts_of(source))
            if names is None:
                raise _UnsureError
            has += [source] if old in (name.lower() for name in names) else []
        if has:
            tables = [one for one in has if isinstance(one, exp.Table)]
            return any(renaming.is_it(parts_of(one)) for one in tables)
        around = around.parent
    return False
