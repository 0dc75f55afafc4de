"""What RowDescription says of a column beyond its DuckDB type: varchar(n), numeric(p,s), timestamp(p).

One object a session. What the columns of a statement are declared as is worked out once and kept while
nothing is declared anew; a result without a text or a number costs nothing here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from proxy.engines.duck.session import DuckSession
from proxy.sql.digits import MOMENTS, may_round
from proxy.sql.lengths import OWN, Declared, Lengths, may_cut
from proxy.wire.types import DuckType

_KEPT = 64
_Columns = Sequence[tuple[str, DuckType]]


class Described:
    """numbers: whether a numeric that is computed has no precision and scale, as in Postgres."""

    def __init__(self, duck: DuckSession, numbers: Callable[[], bool]) -> None:
        self._duck = duck
        self._numbers = numbers
        self._lengths = Lengths(Declared())
        self._kept: OrderedDict[tuple[str, bool], tuple[int, ...] | None] = OrderedDict()

    def concerns(self, columns: _Columns) -> bool:
        """Whether there is a column that may be declared with sizes."""
        return any(map(_may_be_sized, columns)) or self._has_numbers(columns)

    def _has_numbers(self, columns: _Columns) -> bool:
        return any(map(_is_number, columns)) and self._numbers()

    def look(self, columns: _Columns) -> bool:
        """Blocks. Before `lengths`, within the session's transaction; whether it had to ask."""
        if not self.concerns(columns) or self.is_current(columns):
            return False
        self._duck.declared(self._has_numbers(columns))
        return True

    def is_current(self, columns: _Columns) -> bool:
        """Whether `look` would find nothing new."""
        known = self._duck.known_declared
        if known is None:
            return False
        return known.numbers is not None or not self._has_numbers(columns)

    def lengths(self, sql: str, columns: _Columns, scalar: bool = False) -> tuple[int, ...] | None:
        """What each column of DuckDB's statement is declared as; None where all are as their types.

        n of varchar(n), `number_of` a numeric(p,s), `moment_of` a timestamp(p), 0 for none of them,
        OWN for what its type says.
        scalar: whether the statement reads no relation.
        """
        numbers = self._has_numbers(columns)
        casts = any(map(_is_moment, columns)) and may_round(sql)
        casts = casts or (any(map(_is_text, columns)) and may_cut(sql))
        if not numbers and not casts and (scalar or not any(map(_may_be_sized, columns))):
            return None
        declared = self._duck.last_declared or Declared()
        if declared is not self._lengths.declared:
            self._lengths = Lengths(declared)
            self._kept.clear()
        if not self._lengths and not numbers and not casts:
            return None
        key = sql, numbers
        if key not in self._kept:
            self._kept[key] = self._found(sql, columns, numbers)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def _found(self, sql: str, columns: _Columns, numbers: bool) -> tuple[int, ...] | None:
        found = self._lengths.of(sql, [name for name, _ in columns])
        if found is None and not numbers:
            return None
        made = []
        for column, length in zip(columns, found or (0,) * len(columns), strict=True):
            if _is_text(column):
                made.append(max(length, 0) or OWN)
            elif _is_moment(column):
                made.append(length or OWN)
            else:
                made.append(min(length, 0) if numbers and _is_number(column) else OWN)
        return tuple(made)


def _is_text(column: tuple[str, DuckType]) -> bool:
    return column[1].id == "VARCHAR" and column[1].alias is None


def _is_moment(column: tuple[str, DuckType]) -> bool:
    return column[1].id in MOMENTS


def _may_be_sized(column: tuple[str, DuckType]) -> bool:
    """Whether a CHECK may say more of what a column holds."""
    return _is_text(column) or _is_moment(column)


def _is_number(column: tuple[str, DuckType]) -> bool:
    kind = column[1]
    while kind.id == "LIST" and kind.children:
        kind = kind.children[0]
    return kind.id == "DECIMAL"
