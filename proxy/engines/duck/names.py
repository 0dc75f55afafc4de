"""What names mean in DuckDB, as one session sees it: relations, their keys, their columns, their rows.

Why it exists: much has to be known of a relation before, or beside, the statement that names it, and
asking the engine's catalog costs more than most statements. What may be remembered is; each answer
says whether it asks (it blocks) or knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from proxy.engines.declarations import Declared as Told
from proxy.engines.declarations import Key, read_told, referring
from proxy.engines.definition_names import DATABASE, TEMPORARY
from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck.declared import read_declared
from proxy.engines.duck.texts import called_sequence, is_own
from proxy.engines.freshness import Stamp, Watch
from proxy.sql.lengths import Declared
from proxy.sql.quoting import literal, name_as_needed, names_listed, quoted

_RELATIONS = {"TABLE": "r", "VIEW": "v", "SEQUENCE": "S"}
_CATALOG = {
    "SCHEMA": ("duckdb_schemas", "schema_name"),
    "INDEX": ("duckdb_indexes", "index_name"),
    "TYPE": ("duckdb_types", "type_name"),
}
_TEMPORARY = (
    "SELECT 'VIEW', view_name FROM duckdb_views() WHERE temporary AND NOT internal "
    "UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary"
)
_TABLES = (
    "SELECT database_name, schema_name, table_name FROM duckdb_tables() "
    "WHERE NOT internal AND database_name NOT IN ('system', '_sf')"
)
_COUNTED_AT_ONCE = 100  # tables
_ROWS_OF = "SELECT {path}, count(*) FROM {name}"
_BLOCK_SIZE = f"SELECT block_size FROM pragma_database_size() WHERE database_name = '{DATABASE}'"
_SEGMENTS_OF = (
    "SELECT {path}, segment_type, persistent, block_id, additional_block_ids, count "
    "FROM pragma_storage_info({text})"
)
_WIDTHS = {
    **dict.fromkeys(("VALIDITY", "STRUCT", "ARRAY"), 0),
    **dict.fromkeys(("BOOLEAN", "TINYINT", "UTINYINT"), 1),
    **dict.fromkeys(("SMALLINT", "USMALLINT"), 2),
    **dict.fromkeys(("INTEGER", "UINTEGER", "FLOAT", "DATE"), 4),
    **dict.fromkeys(("VARCHAR", "BLOB", "HUGEINT", "UHUGEINT", "UUID", "INTERVAL", "LIST"), 16),
}
"""Of a value of a segment, in bytes, where that is not eight."""

_SCHEMAS = (
    f"SELECT schema_name FROM duckdb_schemas() WHERE database_name = '{DATABASE}' "
    "AND (NOT internal OR schema_name = 'main')"
)
_TYPES = (
    "SELECT schema_name FROM duckdb_types() "
    "WHERE database_name = $1 AND NOT internal AND lower(type_name) = lower($2)"
)
_VIEWS = (
    f"SELECT schema_name, view_name, sql FROM duckdb_views() WHERE database_name = '{DATABASE}' "
    "AND NOT internal ORDER BY view_oid"
)


def _as_map(numbers: Iterable[tuple[str, int]]) -> str:
    listed = ", ".join(f"{literal(name)}: {number}" for name, number in numbers)
    return f"CAST(MAP {{{listed}}} AS MAP(VARCHAR, BIGINT))"


class Entry(NamedTuple):
    """name: as stored. kind: 'r' table, 'v' view, 'S' sequence."""

    name: str
    kind: str


class Meant(NamedTuple):
    """A relation. name: as stored. kind: as `Entry`'s."""

    database: str
    schema: str
    name: str
    kind: str


class DuckNames:
    """A part of `DuckSession`: of one connection, whose `run` it asks."""

    _connection: duckdb_c.Connection
    _watch: Watch
    _declared: Declared | None = None
    _declared_at: Stamp
    _generated: tuple[Stamp, dict[tuple[str, ...], frozenset[str]]] | None = None

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def listed(self, sql: str, *names: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def _detach(self) -> None:
        raise NotImplementedError

    def schemas(self) -> dict[str, str]:
        """Blocks. Those of the database that is kept: as stored, by their folded names."""

        def read() -> dict[str, str]:
            return {name.lower(): name for (name,) in self.listed(_SCHEMAS)}

        return self._watch.listed("schemas", read)

    def views(self) -> list[tuple[str, str, str]]:
        """Blocks. Schema, name and DuckDB's text of those of the database that is kept, as they were made."""
        return self._watch.listed("views", lambda: self.listed(_VIEWS))

    @property
    def has_own_definitions(self) -> bool:
        """Whether the open transaction has defined what no other sees."""
        return self._watch.has_own_definitions

    def definitions(self) -> Stamp:
        """Names what is defined now, as this session sees it."""
        return self._watch.stamp()

    def same_definitions(self, stamp: Stamp) -> bool:
        """Whether nothing was defined since, and no setting changed."""
        return self._watch.holds(stamp, rows=False)

    @property
    def known_declared(self) -> Declared | None:
        """As `declared`, without asking; None where it may have changed."""
        if self._declared is None or not self._watch.holds(self._declared_at, rows=False):
            return None
        return self._declared

    @property
    def last_declared(self) -> Declared | None:
        """What `declared` gave last."""
        return self._declared

    def declared(self, numbers: bool = False) -> Declared:
        """Blocks. What the catalog declares, as this session sees it: the same object while it is so.

        numbers: whether the sizes of DECIMALs are wanted; once they were, they are always read.
        """
        known = self.known_declared
        if known is not None and (known.numbers is not None or not numbers):
            return known
        numbers = numbers or (self._declared is not None and self._declared.numbers is not None)
        self._declared_at = self._watch.stamp()
        found = read_declared(self.run, numbers)
        if found != self._declared:
            self._declared = found
        assert self._declared is not None
        return self._declared

    def told(self, schema: str, name: str, database: str = DATABASE) -> Told:
        """Blocks. The constraints and comments of a table; empty for one that is not there."""
        if database == DATABASE and (known := self._watch.tables.of(schema, name)) is not None:
            return known
        found = read_told(self.run, database)
        if database == DATABASE:
            self._watch.tables.listed(found)
        return found.get((schema.lower(), name.lower()), Told())

    def generated(self, name: tuple[str, ...]) -> frozenset[str]:
        """Blocks. The generated columns of a table, folded; none where there is no table."""
        if self._generated is None or not self.same_definitions(self._generated[0]):
            self._generated = self.definitions(), {}
        known = self._generated[1]
        if name not in known:
            meant = self.means(name)
            table = meant if meant is not None and meant.kind == "r" else None
            found = self.told(table.schema, table.name, table.database) if table else Told()
            known[name] = found.generated
        return known[name]

    def all_told(self) -> dict[Key, Told]:
        """Blocks. As `told`, of all tables, and by one look at the catalog. In a transaction only."""
        found = read_told(self.run, DATABASE)
        self._watch.tables.listed(found)
        return found

    def columns_of_table(self, name: Sequence[str]) -> dict[str, bool] | None:
        """Blocks. A table's columns, and whether its primary key has them; None for what is no table."""
        meant = self.means(name)
        if meant is None or meant.kind != "r":
            return None
        table = literal(quoted(*meant[:3]))
        return dict(self.run(f"SELECT name, pk FROM pragma_table_info({table})"))

    def counting_defaults(self, database: str, schema: str, table: str) -> list[str]:
        """Blocks. The defaults of a table's columns that call a sequence; none where there is no table."""
        meant = self.means((database, schema, table))
        return [default for _, default in self._counting(meant)] if meant is not None else []

    def own_sequences(self, table: Meant) -> list[tuple[str, ...]]:
        """Blocks. Those that were made for a table's columns, by the parts of the names that these call."""
        defaults_of = partial(self.counting_defaults, table.database, table.schema)
        called = [(column, called_sequence(text)) for column, text in self._counting(table)]
        return [
            sequence
            for column, sequence in called
            if sequence is not None and is_own(sequence[-1], table.name, column, defaults_of)
        ]

    def _counting(self, meant: Meant) -> list[tuple[str, str]]:
        """The columns of a table whose defaults call a sequence, and these."""
        if meant.kind != "r":
            return []
        return self.run(
            f"SELECT name, dflt_value FROM pragma_table_info({literal(quoted(*meant[:3]))}) "
            "WHERE starts_with(dflt_value, 'nextval(')"
        )

    def referring(self, schema: str, name: str) -> list[str]:
        """Blocks. The tables with foreign keys that refer to one of the database that is kept."""
        with self._in_transaction():
            found = self._watch.tables.referring(
                schema, name, lambda other: self.entry(schema, other) is not None
            )
        if found is None:
            told = read_told(self.run, DATABASE)
            self._watch.tables.listed(told)
            found = referring(told, schema, name)
        return [self.stored(schema, other) for other in found]

    def stored(self, schema: str, name: str) -> str:
        """Blocks. The name of a table of the database that is kept, as it is stored."""
        entry = self.entry(schema, name) if name else None
        return name if entry is None else entry.name

    def current_schema(self) -> str:
        """Blocks. The schema that what has no other is made in."""
        return str(self.run("SELECT current_schema()")[0][0])

    @property
    def in_block(self) -> bool:
        """Whether a transaction is open."""
        return self._watch.in_block

    def own_tables(self) -> list[Meant]:
        """Blocks. The tables that the open transaction may have defined."""
        found = [self.means(name) for name in self._watch.tables.own_names()]
        return [meant for meant in found if meant is not None and meant.kind == "r"]

    def means(self, name: Sequence[str]) -> Meant | None:
        """Blocks. The table, view or sequence that a name of one to three parts means; None for none.

        `public` is `main`, and `pg_temp` is `temp`.
        """
        *places, last = name
        schemas = ["main" if place == "public" else place for place in places[-1:]]
        database = places[-2] if len(places) > 1 else DATABASE
        if schemas in ([TEMPORARY], ["pg_temp"]):
            database, schemas = TEMPORARY, ["main"]
        wanted = [(database, schema) for schema in schemas]
        if not schemas:
            ((path,),) = self.run("SELECT current_schemas(false)")
            searched = dict.fromkeys([*path, "main"])  # where every search ends
            wanted = [(TEMPORARY, "main"), *((DATABASE, schema) for schema in searched)]
        elif database == DATABASE:
            there = self.schemas()
            wanted = [
                (DATABASE, there[schema.lower()]) for schema in schemas if schema.lower() in there
            ]
        with self._in_transaction():
            for base, schema in wanted:
                if (entry := self.entry(schema, last, base)) is not None:
                    return Meant(base, schema, entry.name, entry.kind)
            return None

    @contextmanager
    def _in_transaction(self, *, keeps: bool = False) -> Iterator[None]:
        """The session's, or one for as long as something is looked at. keeps: or done, of ours alone."""
        self._detach()
        if self._watch.in_block:
            yield
            return
        self._connection.transact("BEGIN TRANSACTION")
        end = "ROLLBACK"
        try:
            yield
            end = "COMMIT" if keeps else end
        finally:
            self._connection.transact(end)

    def has(self, kind: str, name: tuple[str, ...]) -> bool:
        """Blocks. Whether there is a table, view, schema... of this name, `public` being `main`."""
        if kind in _RELATIONS:
            found = self.means(name)
            return found is not None and found.kind == _RELATIONS[kind]
        table, column = _CATALOG[kind]
        schemas = ["main" if part == "public" else part for part in name[:-1][-1:]]
        where = [f"lower({column}) = lower({literal(name[-1])})"]
        if kind == "SCHEMA":
            where = [f"{column} = {literal('main' if name[-1] == 'public' else name[-1])}"]
        elif schemas:
            where.append(f"lower(schema_name) = lower({literal(schemas[0])})")
        else:
            where.append("schema_name IN (SELECT unnest(current_schemas(true)))")
        return bool(self.run(f"SELECT 1 FROM {table}() WHERE {' AND '.join(where)} LIMIT 1"))

    def type_schema(self, name: str) -> str | None:
        """Blocks. The schema of the type of the database that is kept which a name without one means."""
        ((path,),) = self.run("SELECT current_schemas(false)")
        there = {schema for (schema,) in self.listed(_TYPES, DATABASE, name)}
        return next((schema for schema in (*path, "main") if schema in there), None)

    def row_counts(self) -> str:
        """Blocks. The rows of every table, as DuckDB's text of a map from its full name.

        What the engine's own catalog says is not reduced by DELETE, nor by what is not committed.
        """
        return _as_map(self._of_tables(self.run(_TABLES), _ROWS_OF))

    def sizes(self) -> str:
        """Blocks. What every table takes in storage, in bytes, as `row_counts`; no row is read.

        That is the blocks in which it lies, and the widths of the values that no checkpoint has put into
        blocks yet.
        """
        ((block_size,),) = self.run(_BLOCK_SIZE)
        blocks: dict[str, set[int]] = {}
        loose: dict[str, int] = {}
        tables = self.run(f"{_TABLES} AND estimated_size > 0")
        tables = [name for name in tables if not any('"' in part for part in name)]
        segments = self._of_tables(tables, _SEGMENTS_OF)  # which knows no way to spell a quote
        for path, kind, persistent, block, more, count in segments:
            mine = blocks.setdefault(path, set())
            if persistent:
                mine.update(number for number in (block, *(more or ())) if number >= 0)
            else:
                loose[path] = loose.get(path, 0) + count * _WIDTHS.get(kind, 8)
        return _as_map(
            (path, len(mine) * block_size + loose.get(path, 0)) for path, mine in blocks.items()
        )

    def _of_tables(self, tables: Sequence[tuple[str, ...]], each: str) -> Iterator[tuple[Any, ...]]:
        """What is asked of each table, all together.

        A table that goes away meanwhile takes what is told of its neighbours with it.
        """
        for start in range(0, len(tables), _COUNTED_AT_ONCE):
            some = tables[start : start + _COUNTED_AT_ONCE]
            selects = " UNION ALL ".join(
                each.format(
                    path=literal(".".join(name)), name=quoted(*name), text=literal(quoted(*name))
                )
                for name in some
            )
            with suppress(duckdb_c.DuckError):
                yield from self.run(selects)

    def entry(self, schema: str, name: str, database: str = DATABASE) -> Entry | None:
        """Blocks. What is called so in a schema, None for nothing.

        database: the one that is kept, or `TEMPORARY`. In a transaction only.
        """
        self._detach()
        found = self._connection.entry(database, schema, name)
        return Entry(*found) if found is not None else None

    def has_index(self, schema: str, name: str) -> bool:
        """Blocks. Whether there is an index of that name. In a transaction only."""
        self._detach()
        return self._connection.entry_of_index(DATABASE, schema, name)

    def drop_temporary(self) -> None:
        """Blocks. Drops the session's temporary tables and views."""
        for kind, name in self.run(_TEMPORARY):
            self._watch.change(definitions=True)
            try:
                self.run(f"DROP {kind} IF EXISTS {quoted(TEMPORARY, name)}")
            finally:
                self._watch.over()

    def search_path_there(self, value: str) -> str:
        """The schemas of a Postgres search_path that DuckDB has; `public` is DuckDB's `main`."""
        there = set(self.schemas().values())
        names = ["main" if name == "public" else name for name in names_listed(value)]
        return ",".join(name_as_needed(name) for name in names if name in there) or "main"
