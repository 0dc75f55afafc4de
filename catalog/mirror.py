"""The mirror: DuckDB's schemas, tables and views as relations of Postgres, so that Postgres answers.

Why it exists: a tool asks `pg_catalog` what there is, in a thousand ways. The relations here are
empty and nobody reads their rows; they are what a real Postgres answers from. What they have to be
is said in documents (`Document`), by whoever has looked at DuckDB; `catalog/sql/` makes them so with
as little change as will do, so that grants and comments stay where they are.

Promises: a document that cannot be mirrored changes nothing and is reported; the others are. Applied
twice, a document changes nothing the second time. Knows nothing of DuckDB's engine or of sessions.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b, sha256
from importlib.resources import files
from secrets import token_hex
from typing import Any

import psycopg

Document = dict[str, Any]
"""What is to be, one of (`schema` is Postgres's name of it, `public` for DuckDB's `main`, `pg_temp`
for what is temporary and so the asking session's alone):

- kind 'schema': name; gone: true when it is no more; types: its enumerated types by their names, each
  with labels and number ('' for none), where those are to be told.
- kind 'r', 'v', 'm', 'S' (table, view, materialized view, sequence): schema, name, comment; columns, each with name, oid,
  modifier and, where there is one, not_null, default, comment, owns (the sequence of the default,
  where that goes with the table), identity (kind as pg_attribute's, sequence and its numbering in
  place of a default), enumeration (the number of its type, or of its elements', in place of the oid). A table's constraints and indexes; a
  view's query, reads (schema, name and columns of what it reads) and, where known, source (its
  author's text) and native (that is Postgres's SQL); a sequence's start (null: as it was; DuckDB forgets it), began
  (its guess of that), minimum, maximum, increment, cycle. kept: what of 'comments', 'constraints' and 'indexes' is as it was.
- kind 'references': a table's foreign keys, once all tables are there; its own document again.
- kind 'rows': schema, name, rows.
- kind 'position': schema and name of a sequence, last (number) and called (whether it has given that).
- kind 'rename': schema, name, new.
- kind 'gone': schema, name.
- kind 'comment': schema, name, column (null: of the relation), comment (null: none any more).
- kind 'functions': name of a schema, functions: all of it, each with name, signature (what tells it from others),
  parameters (name, type, default), returns or columns, rows (it gives a set), traits, body, standard (the form
  of a body without quotes), comment.
- kind 'moment': schema, name, at and event (what was done to it), as proxy/mirror/moments.py says it.
- kind 'unindexed': schema, name of an index that is no more.
"""

APPLY = "SELECT hatidata_catalog.apply($1, $2, $3::text::boolean)"
"""In a client's transaction: what cannot be done is there for `unsettled` once it is committed, if
the last parameter is 'true'."""

_KEYS = 8  # of the last starts: one that is being replaced goes on until it ends
_BATCH = 200  # relations in one transaction: each takes several places in the table of locks
_OWN = "hatidata_catalog"


def install(conninfo: str, *, own_server: bool) -> str:
    """Makes or renews what keeps the mirror; returns the secret that `apply` asks for.

    own_server: Postgres is ours alone, and its system functions may be replaced.
    Raises psycopg.Error, with InsufficientPrivilege where the role may not do that.
    """
    secret = token_hex(32)
    scripts = sorted(files("catalog").joinpath("sql").iterdir(), key=lambda file: file.name)
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('hatidata.mirror'))")
        for script in scripts:
            if own_server or script.name != "embedded.sql":
                connection.execute(script.read_text("utf-8").encode())
        digest = sha256(secret.encode()).digest()
        connection.execute(f"INSERT INTO {_OWN}.keys (digest) VALUES (%s)", [digest])
        connection.execute(
            f"DELETE FROM {_OWN}.keys WHERE digest NOT IN "
            f"(SELECT digest FROM {_OWN}.keys ORDER BY made DESC LIMIT {_KEYS})"
        )
    return secret


def signed(document: Document) -> Document:
    """The document with a digest of what it says, by which it is known when it comes again."""
    said = {key: value for key, value in document.items() if key != "began"}
    text = json.dumps(said, sort_keys=True).encode()
    return document | {"digest": blake2b(text, digest_size=16).hexdigest()}


class MirrorConnection:
    """The proxy's own connection for what concerns all sessions. Blocks; one thread at a time."""

    def __init__(self, conninfo: str, secret: str) -> None:
        self._conninfo, self._secret = conninfo, secret
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=5,
                application_name="hatidata mirror",
            )
            # What a crash of Postgres loses of the mirror, the next start makes good.
            self._connection.execute("SET synchronous_commit = off")
            self._connection.execute("SET statement_timeout = 0")
        return self._connection

    def apply(self, documents: Sequence[Document]) -> list[dict[str, str]]:
        """Makes the mirror so. Returns what could not be done: sqlstate, message, schema, name.

        Raises psycopg.Error when Postgres cannot be asked.
        """
        failures: list[dict[str, str]] = []
        # A default cannot be a value that its type was given in the same transaction.
        types = [one for one in documents if "types" in one]
        rest = [one for one in documents if "types" not in one]
        batches = [rest[start : start + _BATCH] for start in range(0, len(rest), _BATCH)]
        for batch in filter(None, [types, *batches]):
            text = json.dumps(batch)
            cursor = self._connected().execute(
                f"SELECT {_OWN}.apply(%s, %s, false)", [self._secret, text], prepare=True
            )
            failures += cursor.fetchall()[0][0]
        return failures

    def unsettled(self) -> list[tuple[str, str | None]]:
        """Takes what clients' transactions could not mirror: schema and name, None for the schema."""
        rows = self._connected().execute(f"DELETE FROM {_OWN}.unsettled RETURNING schema, name")
        return [(schema, name) for schema, name in rows]

    def differences(self, documents: Iterable[Document], schemas: Iterable[str]) -> list[Document]:
        """Of the whole of DuckDB, what the mirror does not show yet, and what it shows no more.

        documents: of all tables, views and sequences, signed. schemas: all there are.
        """
        connection = self._connected()
        mirrored = connection.execute(_MIRRORED).fetchall()
        digests = {(schema, name): digest for schema, name, digest in mirrored}
        made = {name for (name,) in connection.execute(f"SELECT name FROM {_OWN}.schemas")}
        there = set(schemas)
        documents = list(documents)
        names = {(document["schema"], document["name"]) for document in documents}
        changed = [d for d in documents if digests.get((d["schema"], d["name"])) != d["digest"]]
        return [
            *({"kind": "schema", "name": name, "gone": True} for name in sorted(made - there)),
            *({"kind": "schema", "name": name} for name in sorted(there - made - {"public"})),
            *(
                {"kind": "gone", "schema": schema, "name": name}
                for schema, name in sorted(digests.keys() - names)
                if schema in there or schema not in made
            ),
            *changed,
            *(d | {"kind": "references"} for d in changed if has_references(d)),
        ]

    def miscounted(self, counts: Sequence[Document]) -> list[Document]:
        """Of documents of kind 'rows', those of which the mirror says something else."""
        listed = self._connected().execute(_COUNTS, prepare=True).fetchall()
        told = {(schema, name): rows for schema, name, rows in listed}
        return [d for d in counts if told.get((d["schema"], d["name"])) != _real(d["rows"])]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _real(rows: int) -> float:
    """A number of rows as `pg_class.reltuples` has it: with single precision."""
    return float(struct.unpack("f", struct.pack("f", rows))[0])


_COUNTS = f"""
SELECT r.schema, r.name, c.reltuples::float8
FROM {_OWN}.relations r JOIN pg_class c ON c.oid = r.relid
WHERE r.kind = 'r' AND c.relpages = 0
"""
_MIRRORED = f"""
SELECT r.schema, r.name,
       CASE WHEN c.oid IS NOT NULL AND n.nspname = r.schema AND c.relname = r.name THEN r.digest ELSE '' END
FROM {_OWN}.relations r
LEFT JOIN pg_class c ON c.oid = r.relid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
"""


def has_references(document: Document) -> bool:
    return any(item["type"] == "FOREIGN KEY" for item in document.get("constraints", ()))
