"""CREATE TABLE AS: what is declared of the columns that the table takes over, it declares too.

Why it exists: beside `made_tables`. DuckDB gives the columns the types of the query's, which know neither the length of
a varchar(n) nor the digits of a timestamp(p): CHECKs say these. Where a column of the query has them, the table is
made first, with its CHECKs, and the statement becomes an INSERT.

Promises: a table that is replaced may be read by the query: what that gives is put aside then.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.names import TEMPORARY
from proxy.session.parameter_types import columns_of
from proxy.sql import inference
from proxy.sql.changes.with_writes import relations
from proxy.sql.changes.written_columns import Path, path_of
from proxy.sql.digits import may_round
from proxy.sql.lengths import check_of, length_of, may_cut
from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB
from proxy.wire.types import spelled

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement
    from proxy.wire.types import DuckType


@dataclass(slots=True)
class _Head:
    """What a CREATE TABLE AS says before its query, and that. path: of the table, as DuckDB has its names."""

    replaces: bool = False
    temporary: bool = False
    path: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    query: str = ""

    @property
    def kind(self) -> str:
        return f"{'OR REPLACE ' if self.replaces else ''}{'TEMP ' if self.temporary else ''}TABLE"


_MARKS = frozenset((TokenType.DOT, TokenType.COMMA, TokenType.R_PAREN, TokenType.TABLE))
_TEMPORARY = frozenset(("TEMP", "TEMPORARY"))


def _head(sql: str) -> _Head:
    head, names, before = _Head(), list[str](), True
    for token in DUCKDB.own_tokens(sql):
        kind, word = token.token_type, token.text.upper()
        if before:
            head.replaces |= word == "REPLACE"
            head.temporary |= word in _TEMPORARY
            before = kind != TokenType.TABLE
            names = head.path
        elif kind == TokenType.EXISTS:
            names.clear()  # IF NOT EXISTS
        elif kind == TokenType.ALIAS:
            head.query = sql[token.end + 1 :]
            break
        elif kind == TokenType.L_PAREN:
            names = head.columns
        elif kind not in _MARKS:
            names.append(token.text)
    return head


@dataclass(slots=True)
class _Query:
    """columns: of the query; kinds: their types as DuckDB says them. there: whether the table is, too."""

    columns: list[tuple[str, DuckType]]
    kinds: list[str]
    there: bool


class TakenOver:
    """One session's part."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._aside = ""  # a table of ours, until the statement has run

    async def made(self, plan: Statement, sql: str, values: Sequence[tuple[int, Any]]) -> str:
        """A CREATE TABLE AS as it is to run, once the table is there. sql, values: as it would run."""
        self._aside = ""  # what one that failed has put aside went with its transaction
        if plan.federated:
            return sql
        session, duck, head = self._session, self._session.duck, _head(sql)
        reads = _relations(head)
        casts = may_cut(head.query) or may_round(head.query)
        try:
            if not casts and reads is not None and await session.on_duck(_are_plain, duck, reads):
                return sql
            query = await session.on_duck(self._looked_at, duck, head, values)
        except EngineError:
            return sql  # which will say so itself
        if query is None:
            return sql
        lengths = session.described.lengths(head.query, query.columns) or ()
        checks = list(map(check_of, head.columns, lengths))
        if not any(checks):
            return sql
        if plan.calls and query.there:
            reads = None  # a function may read what is replaced
        columns = map(" ".join, zip(map(quoted, head.columns), query.kinds, checks, strict=True))
        create = f"CREATE {head.kind} {quoted(*head.path)} ({', '.join(columns)})"
        if not await session.on_duck(self._make, duck, head, create, values, reads):
            return sql
        rows = f"SELECT * FROM {self._aside}" if self._aside else head.query
        return f"INSERT INTO {quoted(*head.path)} {rows}"

    def _looked_at(
        self, duck: DuckSession, head: _Head, values: Sequence[tuple[int, Any]]
    ) -> _Query | None:
        """Blocks. None where the statement stays what it is. `head` has the names of all columns then."""
        columns, described = columns_of(duck, head.query), self._session.described
        if not described.concerns(columns) or len(head.columns) > len(columns):
            return None
        described.look(columns)
        place = head.path
        if len(place) == 1:
            place = ["pg_temp" if head.temporary else duck.current_schema(), *place]
        there = duck.means(place) is not None
        if there and not head.replaces:
            return None
        head.columns += [name for name, _ in columns[len(head.columns) :]]
        if any(kind.children or kind.names for _, kind in columns):
            kinds = duck.start_once(f"DESCRIBE {head.query}", values).column_texts(1)
        else:
            kinds = [spelled(kind) for _, kind in columns]
        return _Query(columns, kinds, there)

    def _make(
        self,
        duck: DuckSession,
        head: _Head,
        create: str,
        values: Sequence[tuple[int, Any]],
        reads: tuple[Path, ...] | None,
    ) -> bool:
        """Blocks. Makes the table; False where it is not, since what is put aside would have no values.

        reads: the relations of the query, None where that is not known.
        """
        wrote = self._session.transaction.wrote
        if reads is None or not all(map(partial(_is_another, duck, head), reads)):
            if values:
                return False
            self._aside = quoted(TEMPORARY, "main", f"aside_{secrets.token_hex(4)}")
            aside = f"CREATE TEMP TABLE {self._aside} AS {head.query}"
            wrote(aside, (), duck.start_once(aside).run_out())
        wrote(create, (), duck.start_once(create).run_out(), settled=True)
        return True

    def finish(self) -> None:
        """Blocks. Once the statement has run."""
        if self._aside:
            aside, self._aside = self._aside, ""
            self._session.duck.run_privately(f"DROP TABLE {aside}")


def _relations(head: _Head) -> tuple[Path, ...] | None:
    """What the query reads; None where there may be more."""
    tree = inference.read(head.query)
    if tree is None:
        return None
    named = all(isinstance(one.this, exp.Identifier) for one in tree.find_all(exp.Table))
    return tuple(path_of(one) for one in relations(tree)) if named or not head.replaces else None


def _are_plain(duck: DuckSession, reads: tuple[Path, ...]) -> bool:
    """Blocks. Whether the relations are tables that declare no more of their columns than the types."""
    for path in reads:
        meant = duck.means(path)
        if meant is None or meant.kind != "r":
            return False
        for kind, _, columns, expression, *_ in duck.told(*meant[1:3], meant.database).constraints:
            if kind == "CHECK" and len(columns) == 1 and length_of(expression or "", columns[0]):
                return False
    return True


def _is_another(duck: DuckSession, head: _Head, path: Path) -> bool:
    """Blocks. Whether a name goes on meaning what it does: another one, of no view that may read what is replaced."""
    if path[-1].lower() == head.path[-1].lower():
        return False
    meant = duck.means(path) if head.replaces else None
    return meant is None or meant.kind == "r"
