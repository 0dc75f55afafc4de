"""SELECT ... FOR UPDATE and its kin: of which tables a query over DuckDB's tables locks rows.

Why it exists: DuckDB has no such clause. It is taken off the query, in whose condition a call that is always
true remains in its place; `proxy.changes.row_locks` keeps what the clause promises, and finds by that call, in whatever
the statement has become meanwhile, which query it was. What would lock rows that are not a table's is refused
as Postgres refuses it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.changes.written_columns import Path, path_of
from proxy.sql.common import is_common
from proxy.sql.listing import Listing
from proxy.sql.reading import position_of, write_duckdb

_MARK = "row_locks_"
_ROW = "rowid"
_NOT_WITH = {"distinct": "DISTINCT clause", "group": "GROUP BY clause", "having": "HAVING clause"}


class Strength(IntEnum):
    """Of a lock. Two sessions cannot have locks of one row that make up CONFLICT together."""

    KEY_SHARE = 0
    SHARE = 1
    NO_KEY_UPDATE = 2
    UPDATE = 3


CONFLICT = 3


class Wait(Enum):
    """What becomes of a query that meets a row which another session has locked."""

    WAITS = "waits"
    FAILS = "fails"
    SKIPS = "skips"


@dataclass(frozen=True, slots=True)
class Lock:
    """Of rows of one table that a query reads. alias: the table's name in it."""

    alias: str
    table: Path
    strength: Strength
    wait: Wait


@dataclass(frozen=True, slots=True)
class Locks:
    """Of each query of a statement that locks rows."""

    queries: tuple[tuple[Lock, ...], ...]

    def __iter__(self) -> Iterator[Lock]:
        return (lock for query in self.queries for lock in query)


def taken(tree: exp.Expr, nodes: Listing) -> Locks | None:
    """The locks of a statement's queries, which are taken off them. Raises SqlError 0A000, 42P01."""
    if exp.Lock not in nodes.kinds:
        return None
    queries = [one for one in nodes.of(exp.Select) if one.args.get("locks")]
    clauses = [clause for one in queries for clause in one.args["locks"]]
    if len(clauses) != len(list(nodes.of(exp.Lock))):
        raise _not_allowed("with UNION/INTERSECT/EXCEPT", next(iter(nodes.of(exp.Lock))))
    found = tuple(tuple(_locked(one)) for one in queries)
    for number, one in enumerate(queries):
        one.set("locks", None)
        one.where(_call(number), copy=False)
    return Locks(found)


def _call(number: int) -> exp.Anonymous:
    return exp.Anonymous(this=f"_sf.{_MARK}", expressions=[exp.Literal.number(number)])


def _locked(query: exp.Select) -> Iterator[Lock]:
    """The tables of which one query locks rows."""
    clauses = query.args["locks"]
    words = _words(clauses[0])
    if isinstance(query.parent, exp.SetOperation):
        raise _not_allowed("with UNION/INTERSECT/EXCEPT", clauses[0], words)
    for key, what in _NOT_WITH.items():
        if query.args.get(key):
            raise _not_allowed(f"with {what}", clauses[0], words)
    if any(one.find(exp.AggFunc) for one in query.expressions):
        raise _not_allowed("with aggregate functions", clauses[0], words)
    sources = _sources(query)
    for clause in clauses:
        for name in clause.expressions:
            if name.name.lower() not in sources:
                said = f'relation "{name.name}" in {_words(clause)} clause'
                message = f"{said} not found in FROM clause"
                raise SqlError("42P01", message, position=position_of(name))
        of = [name.name.lower() for name in clause.expressions]
        for source in [sources[name] for name in of or sources]:
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                yield Lock(
                    source.alias_or_name, path_of(source), _STRENGTHS[_words(clause)], _wait(clause)
                )
            elif of or isinstance(source, (exp.Subquery, exp.Lateral)):
                raise _not_allowed("to anything but a table", clause, words, "cannot be applied")


def _wait(clause: exp.Lock) -> Wait:
    return {True: Wait.FAILS, False: Wait.SKIPS}.get(clause.args.get("wait"), Wait.WAITS)


def _sources(query: exp.Select) -> dict[str, exp.Expr]:
    """What a query reads from, by the names that it gives them; a common table expression is none."""
    first = query.args.get("from_")
    places = [first.this] if first is not None else []
    places += [join.this for join in query.args.get("joins") or ()]
    found: dict[str, exp.Expr] = {}
    for place in places:
        of_common = isinstance(place, exp.Table) and is_common(place)
        found[place.alias_or_name.lower()] = exp.Null() if of_common else place
    return found


_STRENGTHS = {
    "FOR UPDATE": Strength.UPDATE,
    "FOR NO KEY UPDATE": Strength.NO_KEY_UPDATE,
    "FOR SHARE": Strength.SHARE,
    "FOR KEY SHARE": Strength.KEY_SHARE,
}


def _words(clause: exp.Lock) -> str:
    key = clause.args.get("key")
    if clause.args.get("update"):
        return "FOR NO KEY UPDATE" if key else "FOR UPDATE"
    return "FOR KEY SHARE" if key else "FOR SHARE"


def _not_allowed(
    what: str, clause: exp.Lock, words: str = "", verb: str = "is not allowed"
) -> SqlError:
    message = f"{words or _words(clause)} {verb} {what}"
    return SqlError("0A000", message, position=position_of(clause))


# --- the statement as DuckDB is to run it ---------------------------------------------------------


def locking_queries(tree: exp.Expr) -> list[tuple[int, exp.Select]]:
    """The queries of a statement of DuckDB's that lock rows, by their numbers: what one reads before it."""
    calls = [call for call in tree.find_all(exp.Anonymous) if call.name.lower() == _MARK]
    marked = {id(call.find_ancestor(exp.Select)): call for call in calls}

    def below(node: exp.Expr) -> Iterator[tuple[int, exp.Select]]:
        named = node.args.get("with_")
        if named is not None:
            yield from below(named)
        for child in node.iter_expressions():
            if child is not named:
                yield from below(child)
        if isinstance(node, exp.Select) and (call := marked.get(id(node))) is not None:
            yield int(call.expressions[0].name), node

    return list(below(tree))


def rows_asked(
    query: exp.Select, aliases: Sequence[str], skipped: Mapping[str, Collection[int]]
) -> str:
    """DuckDB's query of the numbers of the rows that a query would lock, of each table in turn.

    skipped: those of the rows that it may not have. As in Postgres, OFFSET leaves out rows that are locked.
    Raises SqlError 0A000.
    """
    inner = query.copy()
    _put(inner, [_among(inner, alias, rows, negated=True) for alias, rows in skipped.items()])
    numbers = [exp.column(f"_row{place}", quoted=True) for place in range(len(aliases))]
    for alias, number in zip(aliases, numbers, strict=True):
        inner.append("expressions", exp.alias_(_row(alias), number.this.copy()))
    limit, offset = inner.args.get("limit"), inner.args.get("offset")
    if limit is not None and offset is not None:
        both = exp.Add(this=exp.paren(limit.expression), expression=exp.paren(offset.expression))
        inner.set("limit", exp.Limit(expression=both))
    inner.set("offset", None)
    asked = exp.select(*numbers, copy=False).from_(inner.subquery("locked", copy=False), copy=False)
    if names := _named_around(query):
        recursive = any(one.parent.args.get("recursive") for one in names)
        named = [one.copy() for one in names]
        asked.set("with_", exp.With(expressions=named, recursive=recursive))
    return write_duckdb(asked)


def only_locked(
    query: exp.Select,
    locked: Mapping[str, Collection[int]],
    skipped: Mapping[str, Collection[int]],
) -> bool:
    """Leaves a query only the rows that it has locked, where it might have others. Whether that changes it."""
    limited = query.args.get("limit") is not None or query.args.get("offset") is not None
    if limited:
        _put(query, [_among(query, alias, rows) for alias, rows in locked.items()])
    else:
        _put(query, [_among(query, alias, rows, negated=True) for alias, rows in skipped.items()])
    return limited or any(skipped.values())


def _named_around(query: exp.Select) -> list[exp.CTE]:
    """What WITHs around a query name that it may read."""
    found: dict[str, exp.CTE] = {}
    below, node = query, query.parent
    while node is not None:
        if isinstance(node, exp.With):
            visible = node.expressions
            if node.args.get("recursive"):
                raise SqlError("0A000", "locking rows within WITH RECURSIVE is not supported")
            visible = visible[: next(n for n, one in enumerate(visible) if one is below)]
        else:
            around = node.args.get("with_")
            visible = around.expressions if around is not None and around is not below else ()
        for one in visible:
            if one.alias.lower() in found:
                message = f'locking rows where two WITHs name "{one.alias}" is not supported'
                raise SqlError("0A000", message)
        found = {one.alias.lower(): one for one in visible} | found
        below, node = node, node.parent
    return list(found.values())


def _put(query: exp.Select, conditions: Sequence[exp.Expr]) -> None:
    """Puts what a query's rows have to be into its condition, in place of the call."""
    calls = query.args["where"].find_all(exp.Anonymous)
    call = next(one for one in calls if one.name.lower() == _MARK)
    whole = call.parent if isinstance(call.parent, exp.Dot) else call
    whole.replace(exp.and_(*conditions, copy=False) if conditions else exp.true())


def _among(
    query: exp.Select, alias: str, rows: Collection[int], *, negated: bool = False
) -> exp.Expr:
    """... of these numbers, or of none of them. What an outer join adds is no row of the table."""
    if negated and not rows:
        return exp.true()
    among: exp.Expr = exp.false()
    if rows:
        among = exp.In(this=_row(alias), expressions=[exp.Literal.number(row) for row in rows])
    if negated:
        among = exp.not_(among, copy=False)
    if any(join.side for join in query.args.get("joins") or ()):
        absent = exp.Is(this=_row(alias), expression=exp.Null())
        among = exp.paren(exp.or_(absent, among, copy=False), copy=False)
    return among


def _row(alias: str) -> exp.Column:
    name = exp.to_identifier(alias, quoted=True)
    return exp.Column(this=exp.Identifier(this=_ROW), table=name)
