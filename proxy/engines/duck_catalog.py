"""What DuckDB's catalog holds, as documents for the mirror (`catalog.mirror.Document`).

Two ways to look: at everything, with one query for each kind of object, and at a few names, where
the way by DuckDB's own catalog functions is too long (they list everything, with its SQL, before a
WHERE is looked at: 0.1 s with 5,000 tables). For those, C functions say what a name is and
`pragma_table_info` what columns it has; constraints, comments and indexes are listed only when a
statement may have touched them (`deep`).

Blocks, all of it: for a worker's thread. Types become Postgres's by `wire.types`, as on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import Dialect as Grammar
from sqlglot.tokens import TokenType

from catalog.mirror import Document, has_references, signed
from proxy.engines.duck import DATABASE, DuckSession
from proxy.wire.types import DuckType, wire_type


@dataclass(frozen=True, slots=True)
class Target:
    """A name that a statement may have changed, as the statement spells it.

    schema: DuckDB's. name: None for the schema itself. deep: its constraints, indexes or comments
    may have changed. renamed: it was given this name. source: the query of a view, as written.
    """

    schema: str
    name: str | None = None
    deep: bool = False
    renamed: str | None = None
    source: str | None = None


def mirrored_schema(name: str) -> str:
    """What Postgres calls one of DuckDB's schemas."""
    return "public" if name == "main" else name


def everything(duck: DuckSession) -> tuple[list[Document], list[str]]:
    """All tables, views and sequences, and the names of all schemas. Raises `SqlError`."""
    schemas = [mirrored_schema(name) for (name,) in duck.run(_SCHEMAS)]
    documents = _Reading(duck).documents(None)
    return documents, schemas


def rows(duck: DuckSession) -> list[Document]:
    """How many rows each table has, about."""
    return [
        {"kind": "rows", "schema": mirrored_schema(schema), "name": name, "rows": count}
        for schema, name, count in duck.run(_ROWS)
    ]


def changes(duck: DuckSession, targets: Iterable[Target]) -> list[Document]:
    """What the mirror must be told after statements that may have changed `targets`.

    In a transaction only: it reads what that transaction sees. Raises `SqlError`.
    """
    targets = list(dict.fromkeys(targets))
    schemas = {name.casefold(): name for (name,) in duck.run(_SCHEMAS)}
    documents: list[Document] = [
        {
            "kind": "schema",
            "name": mirrored_schema(schemas.get(t.schema.casefold(), t.schema)),
            "gone": t.schema.casefold() not in schemas,
        }
        for t in targets
        if t.name is None
    ]
    found: dict[tuple[str, str], Target] = {}
    for target in targets:
        if target.name is None or (schema := schemas.get(target.schema.casefold())) is None:
            continue
        if target.renamed is not None:
            # Whatever became of both names since: relation by relation, the rest sets that right.
            rename = {"kind": "rename", "name": target.name, "new": target.renamed}
            documents.append(rename | {"schema": mirrored_schema(schema)})
        for name in {target.name, target.renamed or target.name}:
            before = found.get((schema, name.casefold()))
            found[schema, name.casefold()] = Target(
                schema,
                name,
                target.deep or (before is not None and before.deep),
                source=target.source or (before.source if before else None),
            )
    wanted: list[tuple[Target, str, str]] = []
    for target in found.values():
        assert target.name is not None
        entry = duck.entry(target.schema, target.name)
        if entry is None:
            gone = {"kind": "gone", "schema": mirrored_schema(target.schema), "name": target.name}
            documents.append(gone)
        else:
            wanted.append((target, entry.name, entry.kind))
    if wanted:
        documents += _Reading(duck).documents(wanted)
    references = [d | {"kind": "references"} for d in documents if has_references(d)]
    return documents + references


class _Reading:
    """One look at the catalog."""

    def __init__(self, duck: DuckSession) -> None:
        self._duck = duck
        self._types: dict[str, tuple[int, int]] = {}
        self._grammar = Grammar.get_or_raise("duckdb")

    def documents(self, wanted: Sequence[tuple[Target, str, str]] | None) -> list[Document]:
        """wanted: (target, name as stored, kind); None: all there are."""
        found: dict[tuple[str, str], Document] = {}
        if wanted is None:
            self._all(found)
            deep: list[str] | None = None
        else:
            for target, name, kind in wanted:
                self._one(found, target, name, kind)
            deep = [name for target, name, kind in wanted if target.deep and kind != "S"]
        if deep is None or deep:
            self._constraints(found, deep)
            self._indexes(found, deep)
            self._comments(found, deep)
        self._set_types(found.values())
        documents = []
        sources = {(t.schema, n): t.source for t, n, _ in wanted or () if t.source is not None}
        for (schema, name), document in found.items():
            made = signed(document)
            if document["kind"] == "v" and (source := sources.get((schema, name))) is not None:
                made["source"] = source
            documents.append(made)
        return documents

    def _all(self, found: dict[tuple[str, str], Document]) -> None:
        for schema, name in self._duck.run(_TABLES):
            found[schema, name] = _table(schema, name)
        for schema, name, sql in self._duck.run(f"{_VIEWS} ORDER BY view_oid"):
            found[schema, name] = self._view(schema, name, sql)
        for row in self._duck.run(_SEQUENCES):
            found[row[0], row[1]] = _sequence(row)
        for schema, relation, name, kind, nullable, default in self._duck.run(_COLUMNS):
            if (document := found.get((schema, relation))) is not None:
                document["columns"].append(_column(name, kind, not nullable, default))

    def _one(
        self, found: dict[tuple[str, str], Document], target: Target, name: str, kind: str
    ) -> None:
        schema, where = target.schema, _where(target.schema, name)
        if kind == "S":
            sql = f"{_SEQUENCES} AND schema_name = {where[0]} AND sequence_name = {where[1]}"
            found[schema, name] = _sequence(self._duck.run(sql)[0])
            return
        if kind == "v":
            sql = f"{_VIEWS} AND schema_name = {where[0]} AND view_name = {where[1]}"
            document = self._view(schema, name, self._duck.run(sql)[0][2])
        else:
            document = _table(schema, name)
        qualified = f'{DATABASE}."{_double(schema)}"."{_double(name)}"'
        info = self._duck.run(
            'SELECT name, type, "notnull", dflt_value, pk '
            f"FROM pragma_table_info('{qualified.replace(chr(39), chr(39) * 2)}')"
        )
        key = [column for column, _, _, _, in_key in info if in_key]
        document["columns"] = [_column(*row[:4]) for row in info]
        if key and not target.deep:
            document["constraints"].append({"type": "PRIMARY KEY", "columns": key})
        found[schema, name] = document

    def _view(self, schema: str, name: str, sql: str) -> Document:
        return _relation("v", schema, name) | {"query": self._query(sql)}

    def _query(self, sql: str) -> str:
        """The query of `CREATE VIEW ... AS query;`, as DuckDB writes that."""
        depth = 0
        for token in self._grammar.tokenize(sql):
            kind = token.token_type
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            if kind == TokenType.ALIAS and not depth:
                return sql[token.end + 1 :].strip()
        return sql

    def _constraints(self, found: dict[tuple[str, str], Document], names: list[str] | None) -> None:
        for schema, table, kind, columns, expression, other, theirs in self._duck.run(
            _CONSTRAINTS + _named("table_name", names)
        ):
            document = found.get((schema, table))
            if document is None or kind == "NOT NULL":
                continue
            item: Document = {"type": kind, "columns": columns}
            if kind == "CHECK":
                item["expression"] = expression
            elif kind == "FOREIGN KEY":
                item |= {"table": other, "references": theirs}
            document["constraints"].append(item)

    def _indexes(self, found: dict[tuple[str, str], Document], names: list[str] | None) -> None:
        for schema, table, name, unique, expressions in self._duck.run(
            _INDEXES + _named("table_name", names)
        ):
            if (document := found.get((schema, table))) is not None:
                document["indexes"].append(
                    {"name": name, "unique": unique, "expressions": expressions}
                )

    def _comments(self, found: dict[tuple[str, str], Document], names: list[str] | None) -> None:
        for function, column in _COMMENTED:
            for schema, relation, comment in self._duck.run(
                f"SELECT schema_name, {column}, comment FROM {function}() "
                f"WHERE {_OURS} AND comment IS NOT NULL" + _named(column, names)
            ):
                if (document := found.get((schema, relation))) is not None:
                    document["comment"] = comment
        for schema, relation, name, comment in self._duck.run(
            "SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() "
            f"WHERE {_OURS} AND comment IS NOT NULL" + _named("table_name", names)
        ):
            for column in found.get((schema, relation), {}).get("columns", ()):
                if column["name"] == name:
                    column["comment"] = comment

    def _set_types(self, documents: Iterable[Document]) -> None:
        """DuckDB's names of types become Postgres's numbers; DuckDB itself reads its names."""
        documents = list(documents)
        texts = {c["oid"] for d in documents for c in d["columns"]} - self._types.keys()
        for text, kind in zip(texts, self._read_types(list(texts)), strict=True):
            wire = wire_type(kind)
            self._types[text] = (wire.oid, wire.modifier)
        for document in documents:
            for column in document["columns"]:
                column["oid"], column["modifier"] = self._types[column["oid"]]

    def _read_types(self, texts: list[str]) -> list[DuckType]:
        if not texts:
            return []
        casts = ", ".join(f"CAST(NULL AS {text})" for text in texts)
        statement = self._duck.prepare(f"SELECT {casts}")
        try:
            return [kind for _, kind in statement.columns]
        finally:
            statement.close()


def _relation(kind: str, schema: str, name: str) -> Document:
    return {
        "kind": kind,
        "schema": mirrored_schema(schema),
        "name": name,
        "columns": [],
        "comment": None,
    }


def _table(schema: str, name: str) -> Document:
    return _relation("r", schema, name) | {"constraints": [], "indexes": []}


def _sequence(row: Sequence[Any]) -> Document:
    schema, name, start, minimum, maximum, increment, cycle = row
    return _relation("S", schema, name) | {
        "start": start,
        "minimum": minimum,
        "maximum": maximum,
        "increment": increment,
        "cycle": cycle,
    }


def _column(name: str, kind: str, not_null: bool, default: str | None) -> Document:
    """Its type is DuckDB's name for it until `_set_types`."""
    column: Document = {"name": name, "oid": '"NULL"' if kind == "NULL" else kind}
    if not_null:
        column["not_null"] = True
    if default is not None and default != "NULL":
        column["default"] = default
    return column


def _double(name: str) -> str:
    return name.replace('"', '""')


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _where(schema: str, name: str) -> tuple[str, str]:
    return _literal(schema), _literal(name)


def _named(column: str, names: list[str] | None) -> str:
    if names is None:
        return ""
    return f" AND {column} IN ({', '.join(map(_literal, names))})"


_OURS = f"database_name = '{DATABASE}'"
_SCHEMAS = (
    "SELECT schema_name FROM duckdb_schemas() "
    f"WHERE {_OURS} AND (NOT internal OR schema_name = 'main')"
)
_TABLES = f"SELECT schema_name, table_name FROM duckdb_tables() WHERE {_OURS} ORDER BY table_oid"
_ROWS = f"SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE {_OURS}"
_VIEWS = f"SELECT schema_name, view_name, sql FROM duckdb_views() WHERE {_OURS} AND NOT internal"
_SEQUENCES = (
    "SELECT schema_name, sequence_name, start_value, min_value, max_value, increment_by, cycle "
    f"FROM duckdb_sequences() WHERE {_OURS}"
)
_COLUMNS = (
    "SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default "
    f"FROM duckdb_columns() WHERE {_OURS} AND NOT internal "
    "ORDER BY schema_name, table_name, column_index"
)
_CONSTRAINTS = (
    "SELECT schema_name, table_name, constraint_type, constraint_column_names, expression, "
    f"referenced_table, referenced_column_names FROM duckdb_constraints() WHERE {_OURS}"
)
_INDEXES = (
    "SELECT schema_name, table_name, index_name, is_unique, expressions::VARCHAR[] "
    f"FROM duckdb_indexes() WHERE {_OURS}"
)
_COMMENTED = (("duckdb_tables", "table_name"), ("duckdb_views", "view_name"))
