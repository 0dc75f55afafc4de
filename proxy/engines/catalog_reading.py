"""What one look at DuckDB's catalog finds of tables, views and sequences, as documents for the mirror.

Why it exists: beside `engines.duck.catalog`, which says what is to be looked at, as what a relation is takes
several questions: columns, constraints, indexes, comments, the sequences that its columns count by.

Promises: a `Reading` is one look, in one transaction; what all relations have in common is asked once.
Blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlglot import Dialect as Grammar
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from catalog.mirror import Document, signed
from proxy.engines.declarations import Declared, Key, Row
from proxy.engines.duck.c import DuckError
from proxy.engines.duck.names import DATABASE
from proxy.engines.duck.session import DuckSession
from proxy.engines.duck.texts import (
    CONSTRAINT,
    called_sequence,
    constant,
    held_key,
    in_postgres,
    is_own,
    next_value,
    plain_name,
)
from proxy.sql.definitions.constraint_names import given_names, given_rules, name_of_check
from proxy.sql.definitions.enumerated import with_names
from proxy.sql.definitions.identities import kind_of, start_of
from proxy.sql.definitions.indexing import partial_index, told_of
from proxy.sql.definitions.materialized import name_of_query, query_name
from proxy.sql.definitions.view_reads import reads_of
from proxy.sql.lengths import checked_length, modifier_of
from proxy.sql.quoting import literal, name_as_needed
from proxy.wire.enumerations import number_of
from proxy.wire.types import BY_NAME, DuckType, element_type, plain_type, wire_type


@dataclass(slots=True)
class State:
    """What several statements together mean for one name: what of it is to be looked at, and what
    is as it was; without either it has none. said: comments made since; only_said: nothing else."""

    name: str
    deep: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    source: str | None = None
    native: bool = False
    said: tuple[tuple[str | None, str | None], ...] = ()
    only_said: bool = False


ASPECTS = frozenset({"constraints", "indexes", "comments"})


def mirrored_schema(name: str) -> str:
    """What Postgres calls one of DuckDB's schemas."""
    return "public" if name == "main" else name


def own_schema(mirrored: str) -> str:
    """What DuckDB calls a schema of the mirror."""
    return "main" if mirrored == "public" else mirrored


class Reading:
    """One look at the catalog."""

    def __init__(self, duck: DuckSession, database: str = DATABASE) -> None:
        self._duck = duck
        self._database = database
        self._types: dict[str, tuple[int, int, str]] = {}
        self._grammar = Grammar.get_or_raise("duckdb")
        self._views: list[tuple[str, str, str]] | None = None
        self._identities: dict[tuple[str, str], Document] = {}

    def views(self) -> list[tuple[str, str, str]]:
        """Schema, name and text of all. DuckDB writes the texts of all to tell one."""
        if self._database == DATABASE:
            return self._duck.views()
        if self._views is None:
            self._views = self._run(_VIEWS, " ORDER BY view_oid")
        return self._views

    def _run(self, query: str, condition: str = "") -> list[tuple[Any, ...]]:
        """One of the queries below, about the database that this look is at."""
        return self._duck.run(query.format(database=literal(self._database)) + condition)

    def _new(self, kind: str, schema: str, name: str) -> Document:
        document = _relation(kind, schema, name)
        return document if self._database == DATABASE else document | {"schema": "pg_temp"}

    def documents(self, wanted: Sequence[tuple[str, str, str, State]] | None) -> list[Document]:
        """wanted: (schema, name as stored, kind, state); None: all there are."""
        found: dict[tuple[str, str], Document] = {}
        if wanted is None:
            self._all(found)
            self._tell(found, self._duck.all_told(), ASPECTS)
            self._indexes(found, None)
            self._comments(found, None)
        else:
            for schema, name, kind, state in wanted:
                self._one(found, schema, name, kind, "constraints" in state.deep)
                asks = state.deep & {"constraints", "comments"}
                if kind == "r" and (asks or _may_compute(found[schema, name])):
                    key = schema.lower(), name.lower()
                    told = {key: self._duck.told(schema, name, self._database)}
                    self._tell(found, told, state.deep)
            if names := [
                name for _, name, kind, s in wanted if "indexes" in s.deep and kind == "r"
            ]:
                self._indexes(found, list(dict.fromkeys(names)))
            if names := [
                name for _, name, kind, s in wanted if "comments" in s.deep and kind == "v"
            ]:
                self._comments(found, names)
        self._set_types(found.values())
        documents = []
        states = {(schema, name): state for schema, name, _, state in wanted or ()}
        for key, document in found.items():
            made, state = signed(document), states.get(key)
            if state is not None and document["kind"] in "vm" and state.source is not None:
                made["source"] = state.source
                made["native"] = state.native
            if state is not None and state.kept:
                made["kept"] = sorted(state.kept)
            documents.append(made)
        return documents

    def _all(self, found: dict[tuple[str, str], Document]) -> None:
        for row in self._run(_SEQUENCES):  # before the tables whose defaults call them
            self._note_sequence(found, row)
        for schema, name in self._run(_TABLES):
            found[schema, name] = self._table(schema, name)
        queries = {}
        for schema, name, sql in self.views():
            if (materialized := name_of_query(name)) is not None:
                queries[schema, materialized] = sql
            else:
                found[schema, name] = self._view(schema, name, sql)
        for key, sql in queries.items():
            if key in found:
                found[key] |= {"kind": "m", "query": self._query(sql)}
        for schema, relation, name, kind, nullable, default in self._run(_COLUMNS):
            if (document := found.get((schema, relation))) is not None:
                document["columns"].append(_column(name, kind, not nullable, default))
        for document in list(found.values()):
            self._counters(document)
            self._identify(found, document)
        columns = {
            (schema.lower(), name.lower()): (schema, name, [c["name"] for c in document["columns"]])
            for (schema, name), document in found.items()
            if document["kind"] in "rvm"
        }
        for schema, name, sql in self.views():
            relation = name_of_query(name) or name
            if (schema, relation) in found:
                found[schema, relation]["reads"] = _reads(sql, schema, relation, columns.get)

    def _one(
        self, found: dict[tuple[str, str], Document], schema: str, name: str, kind: str, deep: bool
    ) -> None:
        if kind == "S":
            for row in self._duck.listed(_SEQUENCES_CALLED, self._database, name):
                if row[0] == schema:
                    self._note_sequence(found, row)
            return
        if kind == "v":
            texts = (sql for its, own, sql in self.views() if (its, own) == (schema, name))
            sql = next(texts)
            document = self._view(schema, name, sql)
            if self._database == DATABASE:
                document["reads"] = _reads(sql, schema, name, self._columns_of)
        else:
            document = self._table(schema, name)
            if self._database == DATABASE:
                self._materialize(document, schema, name)
        qualified = f'{self._database}."{double(schema)}"."{double(name)}"'
        try:
            info = self._duck.listed(_INFO, qualified)
        except DuckError:
            if kind == "v":  # what it was about is gone: it stays as it was last seen
                return
            raise
        key = [column for column, _, _, _, in_key in info if in_key]
        document["columns"] = [_column(*row[:4]) for row in info]
        if called := self._counters(document):  # made with it, by the same statement
            for sequence in dict.fromkeys(called):
                for row in self._duck.listed(_SEQUENCES_CALLED, self._database, sequence):
                    self._note_sequence(found, row)
            self._identify(found, document)
        if key and not deep:
            document["constraints"].append({"type": "PRIMARY KEY", "columns": key})
        found[schema, name] = document

    def _counters(self, document: Document) -> list[str]:
        """Defaults that call a sequence, as Postgres knows it; the sequences' names."""
        schema, table = own_schema(document["schema"]), document["name"]
        called = []
        for column in document["columns"]:
            default = column.get("default", "")
            if "(" in default:
                written = constant(default)
                column["default"] = in_postgres(default) if written is None else written
            sequence = called_sequence(default) if default.startswith("nextval(") else None
            if sequence is None:
                continue
            called.append(sequence[-1])
            column["default"] = next_value(sequence)
            place = "main" if self._database != DATABASE else schema
            defaults_of = partial(self._duck.counting_defaults, self._database, place)
            if is_own(sequence[-1], table, column["name"], defaults_of):
                column["owns"] = sequence[-1]
        return called

    def _note_sequence(self, found: dict[tuple[str, str], Document], row: Sequence[Any]) -> None:
        """One of the mirror's own, or a part of the column that it makes an identity."""
        document = self._sequence(row)
        kind = kind_of(document["comment"])
        if kind is None:
            found.setdefault((row[0], row[1]), document)
        else:
            numbering = {key: document[key] for key in _NUMBERING}
            self._identities[row[0], row[1]] = {"kind": kind, **numbering}

    def _identify(self, found: dict[tuple[str, str], Document], document: Document) -> None:
        """Columns whose own sequences make them identities, as Postgres declares these."""
        schema = own_schema(document["schema"]) if self._database == DATABASE else "main"
        for column in document["columns"]:
            name = column.get("owns", "")
            if (counted := self._identities.get((schema, name))) is None:
                continue
            if column.get("not_null"):
                del column["default"], column["owns"]
                column["identity"] = counted | {"sequence": name}
            else:  # Postgres has none that may be NULL
                numbering = {key: counted[key] for key in _NUMBERING}
                found[schema, name] = self._new("S", schema, name) | numbering

    def _view(self, schema: str, name: str, sql: str) -> Document:
        return self._new("v", schema, name) | {"query": self._query(sql)}

    def _materialize(self, document: Document, schema: str, name: str) -> None:
        """A table that a view of its query stands beside is a materialized view."""
        own = self._duck.entry(schema, query_name(name))
        if own is None or own.kind != "v":
            return
        sql = next(sql for its, view, sql in self.views() if (its, view) == (schema, own.name))
        reads = _reads(sql, schema, name, self._columns_of)
        document |= {"kind": "m", "query": self._query(sql), "reads": reads}

    def _columns_of(self, place: Key) -> Relation | None:
        schema, name = place
        entry = self._duck.entry(schema, name)
        if entry is None or entry.kind not in "rv":
            return None
        qualified = f'{self._database}."{double(schema)}"."{double(entry.name)}"'
        if entry.kind == "r":  # nothing of a table is planned to say that
            return schema, entry.name, [name for name, _ in self._given(f"FROM {qualified}")]
        try:
            info = self._duck.listed(_INFO, qualified)
        except DuckError:
            return None  # a view that reads what is gone
        return schema, entry.name, [column for column, *_ in info]

    def _table(self, schema: str, name: str) -> Document:
        return self._new("r", schema, name) | {"constraints": [], "indexes": []}

    def _sequence(self, row: Sequence[Any]) -> Document:
        schema, name, began, drawn, minimum, maximum, increment, cycle, comment = row
        start = None if drawn in (True, "true") else began
        if kind_of(comment) is not None:  # what is made anew begins where it goes on
            start = start_of(comment, (int(minimum), int(maximum), int(increment)))
        return self._new("S", schema, name) | {
            "comment": comment,
            "start": start,
            "began": began,
            "minimum": minimum,
            "maximum": maximum,
            "increment": increment,
            "cycle": cycle,
        }

    def _query(self, sql: str) -> str:
        """The query of `CREATE VIEW ... AS query;`, as DuckDB writes that."""
        depth = 0
        for token in self._grammar.tokenize(sql):
            kind = token.token_type
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            if kind == TokenType.ALIAS and not depth:
                return with_names(sql[token.end + 1 :].strip())
        return sql

    def _tell(
        self,
        found: dict[tuple[str, str], Document],
        told: Mapping[Key, Declared],
        aspects: frozenset[str],
    ) -> None:
        """Constraints and comments of those of the tables that are told of."""
        for (schema, name), document in found.items():
            of_it = told.get((schema.lower(), name.lower()))
            if of_it is None or document["kind"] not in "rm":
                continue
            for column in document["columns"]:
                if column["name"].lower() in of_it.generated and "default" in column:
                    column["generated"] = column.pop("default")
            if "constraints" in aspects:
                rows = of_it.constraints
                names, rules = given_names(rows), given_rules(rows)
                for place, row in enumerate(rows):
                    if names.get(place) != "":
                        ruled = dict(rules.get(place, ()))
                        self._constraint(document, schema, row, names.get(place), ruled)
            if "comments" in aspects:
                document["comment"] = of_it.comment
                for column in document["columns"]:
                    if (said := of_it.comments.get(column["name"].lower())) is not None:
                        column["comment"] = said

    def _constraint(
        self, document: Document, schema: str, row: Row, name: str | None, rules: dict[str, str]
    ) -> None:
        kind, _, columns, expression, other, theirs = row
        item: Document = {"type": kind, "columns": list(columns)}
        if name is not None:
            item["name"] = name
        if kind == "CHECK":
            assert expression is not None
            if self._is_length(document, columns, expression):
                return
            kept = held_key(expression)
            if kept is not None and "key" in kept:
                item = {"type": kept["key"], "columns": kept["columns"]}
                item |= {"name": kept["name"]} if kept["name"] else {}
            elif kept is not None:
                item |= {"type": "FOREIGN KEY", **kept}
                item["schema"] = mirrored_schema(kept["schema"] or schema)
            else:
                item["expression"] = (name_of_check(expression) or ("", expression))[1]
        elif kind == "FOREIGN KEY":
            item |= {"table": other, "references": list(theirs), **rules}
        document["constraints"].append(item)

    def _is_length(self, document: Document, columns: Sequence[str], expression: str) -> bool:
        """Whether a CHECK is what a varchar's length or a timestamp's digits are to DuckDB; notes which."""
        if len(columns) != 1:
            return False
        try:
            (check,) = self._grammar.parse(expression)
        except (SqlglotError, RecursionError):
            return False
        length = checked_length(check, columns[0]) if check is not None else 0
        for column in document["columns"]:
            if column["name"] == columns[0] and (
                length < 0 or (length > 0 and column["oid"] == "VARCHAR")
            ):
                column["length"] = length
                return True
        return False

    def _indexes(self, found: dict[tuple[str, str], Document], names: list[str] | None) -> None:
        if names is None:
            rows = self._run(_INDEXES)
        else:
            of_each = (self._duck.listed(_INDEXES_ON, self._database, name) for name in names)
            rows = [row for found_on_it in of_each for row in found_on_it]
        for schema, table, name, unique, expressions, comment in rows:
            document = found.get((schema, table))
            if document is not None and comment == CONSTRAINT:
                columns = [plain_name(one) for one in expressions]
                unique_key = {"type": "UNIQUE", "name": name, "columns": columns}
                document["constraints"].append(unique_key)
            elif document is not None:
                index = {"name": name, "unique": unique, "expressions": expressions}
                if unique and (partial := partial_index(expressions)) is not None:
                    index["expressions"], index["where"] = partial
                names = [column["name"] for column in document["columns"]]
                index["expressions"] = [self._quoted(one, names) for one in index["expressions"]]
                if "where" in index:
                    index["where"] = self._quoted(index["where"], names)
                document["indexes"].append(index | told_of(comment))

    def _quoted(self, expression: str, names: list[str]) -> str:
        """An index's expression of columns of these names, which DuckDB writes without quotes."""
        if all(name_as_needed(name) == name for name in names):
            return expression
        try:
            (tree,) = self._grammar.parse(expression)
        except (SqlglotError, RecursionError):
            return expression
        columns = list(tree.find_all(exp.Column)) if tree is not None else []
        for column in columns:
            column.this.set(
                "quoted", column.name in names and name_as_needed(column.name) != column.name
            )
        return tree.sql(self._grammar) if tree is not None else expression

    def _comments(self, found: dict[tuple[str, str], Document], names: list[str] | None) -> None:
        """Of views."""
        for schema, relation, comment in self._run(_VIEW_COMMENTS, _named("view_name", names)):
            if (document := found.get((schema, relation))) is not None:
                document["comment"] = comment
        for schema, relation, name, comment in self._run(
            _COLUMN_COMMENTS, _named("table_name", names)
        ):
            document = found.get((schema, relation), {})
            if document.get("kind") == "v":
                for column in document["columns"]:
                    if column["name"] == name:
                        column["comment"] = comment

    def _set_types(self, documents: Iterable[Document]) -> None:
        """DuckDB's names of types become Postgres's numbers; DuckDB itself reads its names."""
        documents = list(documents)
        texts = {c["oid"] for d in documents for c in d["columns"]} - self._types.keys()
        kinds = {text: plain_type(text) for text in texts}
        asked = [text for text, kind in kinds.items() if kind is None]
        kinds.update(zip(asked, self._read_types(asked), strict=True))
        for text, kind in kinds.items():
            assert kind is not None
            wire = wire_type(kind)
            self._types[text] = (wire.oid, wire.modifier, number_of(element_type(kind).names))
        for document in documents:
            for column in document["columns"]:
                column["oid"], column["modifier"], number = self._types[column["oid"]]
                if number:
                    column["enumeration"] = number
                length = column.pop("length", 0)
                if length > 0:
                    column["oid"], column["modifier"] = BY_NAME["varchar"].oid, length + 4
                elif length:
                    column["modifier"] = modifier_of(length)

    def _read_types(self, texts: list[str]) -> list[DuckType]:
        if not texts:
            return []
        casts = ", ".join(f"CAST(NULL AS {text})" for text in texts)
        return [kind for _, kind in self._given(f"SELECT {casts}")]

    def _given(self, query: str) -> list[tuple[str, DuckType]]:
        """The columns that a query gives."""
        statement = self._duck.prepare(query)
        try:
            return statement.columns
        finally:
            statement.close()


Relation = tuple[str, str, list[str]]
"""Schema, name and columns, as stored."""


def _reads(
    sql: str, schema: str, name: str, find: Callable[[Key], Relation | None]
) -> list[Document]:
    """Of a view's text: each relation that it reads, and which columns. find: a relation, by its folded
    schema and name."""
    found: dict[tuple[str, ...], Relation] = {}

    def columns_of(parts: tuple[str, ...]) -> list[str] | None:
        *places, last = parts
        if len(places) > 1 and places[-2].lower() != DATABASE:
            return None
        schemas = [places[-1]] if places else list(dict.fromkeys([schema, "main"]))
        for place in schemas:
            relation = find((place.lower(), last.lower()))
            if relation is not None:
                found[parts] = relation
                return relation[2]
        return None

    made = []
    for parts, columns in reads_of(sql).resolved(columns_of).items():
        its_schema, its_name, _ = found[parts]
        if (its_schema.lower(), its_name.lower()) != (schema.lower(), name.lower()):
            place = mirrored_schema(its_schema)
            made.append({"schema": place, "name": its_name, "columns": columns})
    return made


def _may_compute(document: Document) -> bool:
    """Whether what DuckDB gives as a default may be what a generated column is: it always has a cast."""
    return any("(" in column.get("default", "") for column in document["columns"])


_NUMBERING = ("start", "minimum", "maximum", "increment", "cycle")


def _relation(kind: str, schema: str, name: str) -> Document:
    return {
        "kind": kind,
        "schema": mirrored_schema(schema),
        "name": name,
        "columns": [],
        "comment": None,
    }


def _column(name: str, kind: str, not_null: bool, default: str | None) -> Document:
    """Its type is DuckDB's name for it until `_set_types`."""
    column: Document = {"name": name, "oid": '"NULL"' if kind == "NULL" else kind}
    if not_null:
        column["not_null"] = True
    if default is not None and default != "NULL":
        column["default"] = default
    return column


def double(name: str) -> str:
    return name.replace('"', '""')


def _named(column: str, names: list[str] | None) -> str:
    if names is None:
        return ""
    return f" AND {column} IN ({', '.join(map(literal, names))})"


_OURS = "database_name = {database}"
_TABLES = f"SELECT schema_name, table_name FROM duckdb_tables() WHERE {_OURS} ORDER BY table_oid"
_INFO = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info($1)'
_VIEWS = f"SELECT schema_name, view_name, sql FROM duckdb_views() WHERE {_OURS} AND NOT internal"
_SEQUENCES = (
    "SELECT schema_name, sequence_name, start_value, last_value IS NOT NULL, "
    "min_value, max_value, increment_by, cycle, comment "
    f"FROM duckdb_sequences() WHERE {_OURS}"
)
_COLUMNS = (
    "SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default "
    f"FROM duckdb_columns() WHERE {_OURS} AND NOT internal "
    "ORDER BY schema_name, table_name, column_index"
)
_INDEXES = (
    "SELECT schema_name, table_name, index_name, is_unique, expressions::VARCHAR[], comment "
    f"FROM duckdb_indexes() WHERE {_OURS}"
)
_SEQUENCES_CALLED = _SEQUENCES.format(database="$1") + " AND sequence_name = $2"
_INDEXES_ON = _INDEXES.format(database="$1") + " AND table_name = $2"
_COLUMN_COMMENTS = (
    "SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() "
    f"WHERE {_OURS} AND comment IS NOT NULL"
)
_VIEW_COMMENTS = (
    "SELECT schema_name, view_name, comment FROM duckdb_views() "
    f"WHERE {_OURS} AND comment IS NOT NULL"
)
