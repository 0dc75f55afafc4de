"""SELECT ... FOR UPDATE and its kin: which tables a query over DuckDB's tables locks rows of.

DuckDB has no such clause, so it is taken off the query; `proxy.table_locks` keeps what it promises.
What would lock rows that are not a table's is refused as Postgres refuses it, and SKIP LOCKED, which
needs to know of each row whether it is locked.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.common import is_common
from proxy.sql.listing import Listing
from proxy.sql.reading import position_of

_SKIP = "Agents share work with claim_next_task() of the runtime."
_NOT_WITH = {"distinct": "DISTINCT clause", "group": "GROUP BY clause", "having": "HAVING clause"}


@dataclass(frozen=True, slots=True)
class Locks:
    """tables: their names, folded and without schemas. nowait: not to wait for others."""

    tables: tuple[str, ...]
    nowait: bool


def taken(tree: exp.Expr, nodes: Listing) -> Locks | None:
    """The locks of a statement's queries, which are taken off them. Raises SqlError 0A000, 42P01."""
    if exp.Lock not in nodes.kinds:
        return None
    queries = [one for one in nodes.of(exp.Select) if one.args.get("locks")]
    clauses = [clause for one in queries for clause in one.args["locks"]]
    if len(clauses) != len(list(nodes.of(exp.Lock))):
        raise _not_allowed("with UNION/INTERSECT/EXCEPT", next(iter(nodes.of(exp.Lock))))
    tables = dict.fromkeys(table for one in queries for table in _locked(one))
    nowait = any(clause.args.get("wait") is True for clause in clauses)
    for one in queries:
        one.set("locks", None)
    return Locks(tuple(tables), nowait)


def _locked(query: exp.Select) -> list[str]:
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
    named: list[str] = []
    for clause in clauses:
        if clause.args.get("wait") is False:
            message = f"{_words(clause)} SKIP LOCKED is not supported on analytical tables"
            raise SqlError("0A000", message, hint=_SKIP)
        for name in clause.expressions:
            if name.name.lower() not in sources:
                said = f'relation "{name.name}" in {_words(clause)} clause'
                message = f"{said} not found in FROM clause"
                raise SqlError("42P01", message, position=position_of(name))
        of = [name.name.lower() for name in clause.expressions]
        for source in [sources[name] for name in of or sources]:
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                named.append(source.name.lower())
            elif of or isinstance(source, (exp.Subquery, exp.Lateral)):
                raise _not_allowed("to anything but a table", clause, words, "cannot be applied")
    return named


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
