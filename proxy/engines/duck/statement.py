"""Prepared statements of DuckDB's, which know when their plan may run again.

Why it exists: DuckDB keeps a plan for ever, made with the statistics and definitions of its moment;
run later it may give another answer. A statement here runs the plan while that is safe, and prepares
itself anew where it is not, also when what changes does so between the check and the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from proxy.engines import small
from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck.errors import sql_error
from proxy.engines.duck.portal import DuckPortal, Encoders, Piece
from proxy.engines.duck.vectors import few_rows
from proxy.engines.freshness import Stamp, Watch
from proxy.engines.row_changes import AS_IT_IS, RowChange, Way, cannot_go, change_of, way_of
from proxy.sql.changes.touching import touching
from proxy.sql.parameters import part_with
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import NO_COLUMNS, DuckType

Columns = list[tuple[str, DuckType]]
Accept = Callable[[Columns], None]
Look = Callable[[Columns], bool]
"""Is told a statement's columns; returns whether it has asked the engine anything."""

_NO_COLUMNS = [(NO_COLUMNS, DuckType("INTEGER"))]
_ENCODERS = 4  # of one statement, for other formats and styles


class DuckStatement:
    """A prepared statement and what is known of it without running it.

    It may be run any number of times: where its plan may have gone stale it is prepared anew, and
    `columns` may then be others.
    """

    def __init__(
        self, connection: duckdb_c.Connection, sql: str, watch: Watch, scalar: bool = False
    ) -> None:
        self._connection, self._watch = connection, watch
        self._scalar = scalar
        self._encoders: dict[tuple[Any, ...], Encoders] = {}
        self.sql = sql
        self._prepared: duckdb_c.Prepared | None = None
        self._prepare()

    def _prepare(self) -> None:
        self.close()
        self._stamp = self._watch.stamp()
        self._prepared = prepared = self._connection.prepare(self.sql)
        self.changes = prepared.changes
        self.columns: Columns = prepared.columns if prepared.columns != _NO_COLUMNS else []
        self.parameters: list[DuckType] = prepared.parameters
        self.unsure = any(kind.id == "INVALID" for _, kind in self.columns)

    def refreshed(self) -> DuckStatement:
        """Blocks. Itself, prepared anew where its plan may have gone stale."""
        if not self._fresh():
            self._renew(None)
        return self

    def start(
        self, values: Sequence[Any] = (), just_made: bool = False, accept: Accept | None = None
    ) -> DuckPortal:
        """Blocks. See `DuckSession.start`, the way to call it. just_made: in the same breath."""
        if not self.changes:
            return self._start(values, just_made, accept)
        if self.changes != "definitions":
            return self._start_change(values, just_made, accept)
        if self._watch.define(self.sql, self._connection.run):
            # DuckDB would tell the tables that it refers to of keys that are not made.
            return DuckPortal(None, self)
        try:
            return self._start(values, just_made, accept)
        except BaseException:
            self._watch.failed()
            self._watch.over()
            raise

    @cached_property
    def _change(self) -> RowChange | None:
        return change_of(self.sql)

    def _start_change(
        self, values: Sequence[Any], just_made: bool, accept: Accept | None
    ) -> DuckPortal:
        if self._change is None:
            return self._start(values, just_made, accept)
        try:
            way = way_of(self._change, self._watch.row_changes, self._connection)
            if way == AS_IT_IS:
                return self._start(values, just_made, accept)
            if not way.touched or self._watch.in_block:
                return self._start_beside(way, values, accept)
            return self._start_beside_alone(way, values, accept)
        except BaseException:
            self._watch.over()
            raise

    def _start_beside_alone(
        self, way: Way, values: Sequence[Any], accept: Accept | None
    ) -> DuckPortal:
        """As `_start_beside`, in a transaction of its own."""
        self._watch.begin()
        self._connection.transact("BEGIN TRANSACTION")
        try:
            running = self._start_beside(way, values, accept)
            running.detach()
        except BaseException:
            self._watch.rollback()
            self._connection.transact("ROLLBACK")
            raise
        self._watch.commit()
        self._connection.transact("COMMIT")
        self._watch.over()
        return running

    def _start_beside(self, way: Way, values: Sequence[Any], accept: Accept | None) -> DuckPortal:
        """As `_start`, the way that others' changes ask for."""
        assert self._change is not None
        try:
            if way.touched:
                self._touch(way, values)
            if self._change.whole:
                return self._start(values, False, accept)
            returning = DuckStatement(self._connection, f"{self.sql}\nRETURNING true", self._watch)
            try:
                changed = returning._start(values, True, None).run_out()
            finally:
                returning.close()
        except duckdb_c.DuckFailure as error:
            if sql_error(error).sqlstate != "23503":
                raise
            raise cannot_go(self._change) from error  # what others refer to is not added anew
        return DuckPortal(None, self, changed)

    def _touch(self, way: Way, values: Sequence[Any]) -> None:
        assert self._change is not None
        sql = touching(self.sql, way.touched, way.columns)
        if sql is None:
            raise cannot_go(self._change)
        sql, own = part_with(sql, values)
        self._watch.change(definitions=False)
        self._connection.take_snapshot()
        try:
            touching_them = self._connection.prepare(sql)
        except duckdb_c.DuckFailure as error:
            raise cannot_go(self._change) from error
        try:
            touching_them.bind(own)
            touching_them.rows()
        finally:
            touching_them.close()

    def _start(self, values: Sequence[Any], just_made: bool, accept: Accept | None) -> DuckPortal:
        changes_block = self.changes and self._watch.in_block
        if changes_block:
            # What is readied may be run by another thread at once, and its changes stay in the
            # transaction: so it is never dropped, but looked at once there is a snapshot.
            self._connection.take_snapshot()
        if not just_made and not self._fresh():
            self._renew(accept)
            just_made = True
        pending = self._pend(values)
        looked = just_made or changes_block
        if not looked and not self._fresh():  # now that it has its snapshot
            pending.close()
            self._renew(accept)
            pending = self._pend(values)
        if self.changes:
            self._watch.change(self.changes == "definitions")
        try:
            result = pending.execute()
        except BaseException:
            if self.changes == "definitions":
                self._watch.failed()
            self._watch.over()
            raise
        return DuckPortal(result, self)

    def answer(
        self,
        values: Sequence[Any],
        accept: Accept | None,
        formats: tuple[int, ...],
        style: TextStyle,
    ) -> tuple[DuckPortal, Piece | None]:
        """Blocks. See `DuckSession.answer`, the way to call it."""
        known = self._encoders.get((formats, style))
        if known is None or known.layout is None or not self._fresh():
            return self.start(values, accept=accept), None
        assert self._prepared is not None
        pending = self._prepared.pend_small(values)
        if pending is None:
            return self.start(values, accept=accept), None
        if not self._fresh():  # now that it has its snapshot
            self._prepared.drop_small(pending)
            return self.start(values, accept=accept), None
        found = self._prepared.answer_small(pending, known.layout)
        if isinstance(found, duckdb_c.Result):
            return DuckPortal(found, self), None
        data, rows = found
        return DuckPortal(None, self), (data, rows, False)

    def scalar_answer(self, values: Sequence[Any], layout: bytes) -> tuple[bytes, int] | None:
        """On the loop: the rows of a scalar query that `runs_at_once`, and their number.

        None where it is for `answer`; then nothing has happened.
        """
        assert self._prepared is not None
        pending = self._prepared.pend_small(values)
        if pending is None:
            return None
        try:
            found = self._prepared.answer_small(pending, layout)
        except duckdb_c.DuckError:
            return None
        if isinstance(found, duckdb_c.Result):
            found.close()
            return None
        return found

    def layout(self, formats: tuple[int, ...], style: TextStyle) -> bytes | None:
        """Of the columns, where `small` can write them: known once it has answered."""
        known = self._encoders.get((formats, style))
        return None if known is None else known.layout

    def _fresh(self) -> bool:
        if self._prepared is None:
            return False
        if self._scalar:
            return self._watch.same_settings(self._stamp)
        # With parameters, DuckDB plans whatever reads a table anew.
        return self._watch.holds(self._stamp, rows=not self.parameters)

    def still_has(self, columns: Columns) -> bool:
        """Whether preparing it now would say the same as when it had these very columns."""
        return (
            self._prepared is not None
            and self.columns is columns
            and self._watch.holds(self._stamp, rows=False)
        )

    @property
    def moment(self) -> Stamp:
        """The state of the database that it was planned on, and, once it runs, that it runs on."""
        return self._stamp

    @property
    def is_prepared(self) -> bool:
        return self._prepared is not None and self._watch.same_settings(self._stamp)

    @property
    def outdated(self) -> bool:
        """Whether a definition that it rests on may have changed, or is gone."""
        if self._prepared is None or self._scalar:
            return self._prepared is None
        return not self._watch.holds(self._stamp, rows=False)

    def renew(self, accept: Accept | None) -> None:
        """Blocks. Prepares it anew. accept: as `DuckSession.start` takes it."""
        self._renew(accept)

    def _renew(self, accept: Accept | None) -> None:
        self._prepare()
        if accept is not None:
            accept(self.columns)

    def _pend(self, values: Sequence[Any]) -> duckdb_c.Pending:
        assert self._prepared is not None
        if values:
            self._prepared.bind(values)
        return self._prepared.pend()

    def encoders(
        self, result: duckdb_c.Result, formats: tuple[int, ...], style: TextStyle
    ) -> Encoders:
        """What encodes the rows of this result: the same the next time that they are of its types."""
        schema = result.schema
        found = self._encoders.get((formats, style))
        if found is None or found.schema is not schema:
            if len(self._encoders) >= _ENCODERS:
                self._encoders.clear()
            types = [kind for _, kind in self.columns]
            few = layout = None
            if types == [kind for _, kind in result.columns]:
                few = few_rows(types, formats, style)
                if not self.changes and not self.unsure:
                    layout = small.layout(types, formats, style)
            found = Encoders(schema, RowEncoder(types, formats, style), few, layout)
            self._encoders[formats, style] = found
        return found

    def ended(self) -> None:
        """Blocks. What a run of it has changed without a transaction is there for all."""
        if self.changes:
            self._watch.over()

    def close(self) -> None:
        """Blocks briefly. Run again, it is prepared again."""
        if self._prepared is not None:
            self._prepared.close()
            self._prepared = None
