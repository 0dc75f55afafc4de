"""A table made anew under its name, with another definition and the same rows.

DuckDB alters little of a table that has indexes or constraints. `Table` takes the edits (`edited_tables`) and
gives the statements that take the old table away and put the new one there, for one transaction: its rows,
indexes and comments stay, and so do the sequences that number it. Where DuckDB can do it alone, or can once the
indexes are aside, it does.

A table that others refer to cannot be made anew: DuckDB says so.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.changes.levels import MOST, OwnKey, depth_of, filled, with_levels
from proxy.definitions.edited_tables import EditedTable
from proxy.definitions.table_parts import (
    definition_of,
    own_references,
    refers,
    unable,
)
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    pass


class Table(EditedTable):
    """A table that is edited, and the statements that make it so."""

    def statements(self, *, directly: bool = False) -> list[str]:
        """directly: what is made anew has its name from the start.

        DuckDB lets nothing refer to a table that got its name in the same transaction. And a table
        that is referred to keeps the name under which its referrer was made, and could never be
        dropped: so one that refers to others has its name from the start, too.
        """
        place = quoted(self.database, self.new_schema)
        left = {index.name for index in self.indexes} if not self.anew else set()
        gone = [name for name in self.old_indexes if name not in left]
        if self.anew:
            made = self._made_anew(directly)  # indexes go with the old table
        else:
            made = [f"DROP INDEX {place}.{quoted(name)}" for name in gone]
        stays = {} if self.anew else self.old_indexes
        return [*made, *self.after, *self._indexed(stays)]

    def put_aside(self, where: str) -> list[str]:
        """What keeps its rows in a table of that name, and takes it away."""
        own = quoted(self.database, self.schema, self.name)
        kind = "TEMPORARY TABLE" if self.temporary else "TABLE"
        rows = with_levels(own, self._all_keys) if self._by_levels else f"SELECT * FROM {own}"
        return [f"CREATE {kind} {self._beside(where)} AS {rows}", f"DROP TABLE {own}"]

    @property
    def _by_levels(self) -> bool:
        return bool(self._new_keys or (self._old_keys and self.own_keys()))

    @property
    def _all_keys(self) -> list[OwnKey]:
        return [*self._old_keys, *self._new_keys]

    def _filled(self, where: str, into: str, values: str) -> list[str]:
        """What fills it with the rows that were put aside, which are dropped."""
        insert, beside = (
            f"INSERT INTO {self.target} ({into}) SELECT {values} FROM",
            self._beside(where),
        )
        made = [f"{insert} {beside}"]
        if self._by_levels:
            own = quoted(self.database, self.schema, self.name)
            ((depth,),) = self._duck.run(depth_of(own, self._all_keys))
            if depth > MOST:
                raise unable(
                    f"making a table again whose rows refer to each other over {MOST} levels"
                )
            made = filled(insert, beside, depth)
        return [*made, f"DROP TABLE {beside}"]

    def brought_back(self, where: str) -> list[str]:
        """What makes it again, as it is by now, with the rows of that table."""
        columns = ", ".join(quoted(column.name) for column in self.columns if not column.generated)
        return [
            f"CREATE TABLE {self.target} ({', '.join(self._parts())})",
            *self._filled(where, columns, columns),
            *self._comments(),
            *self._indexed({}),
        ]

    def made_empty(self) -> list[str]:
        """What makes it again as it is, without rows."""
        return [
            f"CREATE TABLE {self.target} ({', '.join(self._parts())})",
            *self._comments(),
            *self._indexed({}),
        ]

    def _beside(self, name: str) -> str:
        return quoted(self.database, self.schema, name)

    def _parts(self) -> list[str]:
        """The list of its CREATE TABLE."""
        if "COLLATE" in self.peculiar:
            raise unable("changing a table that has a collation")
        parts = [self._placed(one.sql) or definition_of(one) for one in self.columns]
        own = {"other": self.new, "schema": "" if self.temporary else self.new_schema}
        constraints = [
            replace(one, **own) if one.kind == "FOREIGN KEY" and one.other == self.name else one
            for one in self.constraints
        ]
        return parts + [self._placed(sql) for one in constraints for sql in one.statements()]

    def _placed(self, sql: str) -> str:
        """What refers to its own table by the name alone, which DuckDB looks up in `main`, with its schema."""
        schema = "" if self.temporary else f"{quoted(self.new_schema)}."
        for start in reversed(own_references(sql, self.name)):
            sql = sql[:start] + schema + sql[start:]
        return sql

    def _made_anew(self, directly: bool) -> list[str]:
        other = f"{self.name}_{secrets.token_hex(4)}"
        kept = [one for one in self.columns if not one.generated and (not one.sql or one.value)]
        into = ", ".join(quoted(column.name) for column in kept)
        values = ", ".join(column.value or quoted(column.name) for column in kept)
        temporary = "TEMPORARY " if self.temporary else ""
        before = quoted(self.database, self.schema, self.name)
        # Not the old table is renamed but the new one: DuckDB's list of indexes fails, in every
        # session, for as long as it sees a table with indexes that lost them and its name at once.
        places = [(self.new_schema, self.new.lower()), (self.schema, self.name.lower())]
        elsewhere = places[0] != places[1]
        parts = self._parts()
        if ((directly or any(map(refers, parts))) and not elsewhere) or self._by_levels:
            return [
                *self.put_aside(other),
                f"CREATE {temporary}TABLE {self.target} ({', '.join(parts)})",
                *self.counters,
                *self._filled(other, into, values),
                *self._comments(),
            ]
        fresh = quoted(self.database, self.new_schema, self.new if elsewhere else other)
        made = [
            f"CREATE {temporary}TABLE {fresh} ({', '.join(parts)})",
            *self.counters,
            f"INSERT INTO {fresh} ({into}) SELECT {values} FROM {before}",
            f"DROP TABLE {before}",
        ]
        if fresh != self.target:
            made.append(f"ALTER TABLE {fresh} RENAME TO {quoted(self.new)}")
        return made + self._comments()

    def _comments(self) -> list[str]:
        made = []
        if self.comment is not None:
            made.append(f"COMMENT ON TABLE {self.target} IS {literal(self.comment)}")
        for column in self.columns:
            if column.comment is not None:
                name = quoted(self.database, self.new_schema, self.new, column.name)
                made.append(f"COMMENT ON COLUMN {name} IS {literal(column.comment)}")
        return made

    def _indexed(self, stays: dict[str, str | None]) -> list[str]:
        """stays: the indexes that are there, and their comments."""
        place, made = quoted(self.database, self.new_schema), []
        for index in self.indexes:
            if index.name not in stays:
                unique = "UNIQUE " if index.unique else ""
                made.append(
                    f"CREATE {unique}INDEX {quoted(index.name)} ON {self.target} "
                    f"({', '.join(index.expressions)})"
                )
            if index.comment != stays.get(index.name):
                name = f"{place}.{quoted(index.name)}"
                made.append(f"COMMENT ON INDEX {name} IS {literal(index.comment)}")
        return made
