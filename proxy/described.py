"""What RowDescription says of a column beyond its DuckDB type: the n of varchar(n).

One object a session. The lengths of a statement's columns are worked out once and kept while nothing
is declared anew; a result without a text costs nothing here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from proxy.engines.duck import DuckSession
from proxy.sql.lengths import Declared, Lengths
from proxy.wire.types import DuckType

_KEPT = 64


class Described:
    def __init__(self, duck: DuckSession) -> None:
        self._duck = duck
        self._lengths = Lengths(Declared())
        self._kept: OrderedDict[str, tuple[int, ...] | None] = OrderedDict()

    @staticmethod
    def concerns(columns: Sequence[tuple[str, DuckType]]) -> bool:
        """Whether there is a column that may have a length."""
        return any(kind.id == "VARCHAR" and kind.alias is None for _, kind in columns)

    def look(self, columns: Sequence[tuple[str, DuckType]]) -> bool:
        """Blocks. Before `lengths`, within the session's transaction; whether it had to ask."""
        if self.is_current or not self.concerns(columns):
            return False
        self._duck.declared()
        return True

    @property
    def is_current(self) -> bool:
        """Whether `look` would find nothing new."""
        return self._duck.known_declared is not None

    def lengths(self, sql: str, columns: Sequence[tuple[str, DuckType]]) -> tuple[int, ...] | None:
        """n of each column of DuckDB's statement, 0 for none; None where no column has one."""
        if not self.concerns(columns) or (declared := self._duck.last_declared) is None:
            return None
        if declared is not self._lengths.declared:
            self._lengths = Lengths(declared)
            self._kept.clear()
        if not self._lengths:
            return None
        if sql not in self._kept:
            found = self._lengths.of(sql, [name for name, _ in columns])
            if found is not None:
                texts = [kind.id == "VARCHAR" for _, kind in columns]
                found = tuple(n if text else 0 for n, text in zip(found, texts, strict=True))
            self._kept[sql] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[sql]
