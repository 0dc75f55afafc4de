"""The SQL files of this package, read from wherever it is installed (a checkout or a wheel).

There are two kinds. A *migration* has a number, is applied once and never changes afterwards. A
*definition* (a function, a view, the grants) is applied again whenever its text changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of `migrations/`: `0001_work.sql` is number 1."""

    number: int
    name: str
    sql: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Definition:
    """One file of `functions/` or `views/`, which defines what it is named after; or the grants.

    kind: `function`, `view` or `grants`. object: name of the function or view in hd_runtime.
    """

    kind: str
    object: str
    name: str
    sql: str
    checksum: str


def bootstrap_sql() -> str:
    """What makes the schema and the tables that record what was applied; idempotent."""
    return _text(_root() / "bootstrap.sql")


def migrations() -> list[Migration]:
    """All migrations in order; ValueError when a number is missing, twice there or not a number."""
    found = []
    for entry in _sql_files(_root() / "migrations"):
        number, _, rest = entry.name.partition("_")
        if not (number.isdecimal() and rest):
            raise ValueError(f"migrations/{entry.name} has no number")
        text = _text(entry)
        found.append(Migration(int(number), entry.name, text, _checksum(text)))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are not numbered 1, 2, 3...: {[m.name for m in found]}")
    return found


def definitions() -> list[Definition]:
    """Functions, then views (in order of name, which none may depend on), then the grants."""
    found = []
    for kind, folder in (("function", "functions"), ("view", "views")):
        for entry in _sql_files(_root() / folder):
            text = _text(entry)
            stem = entry.name.removesuffix(".sql")
            found.append(Definition(kind, stem, f"{folder}/{entry.name}", text, _checksum(text)))
    text = _text(_root() / "grants.sql")
    found.append(Definition("grants", "grants", "grants.sql", text, _checksum(text)))
    return found


def _root() -> Traversable:
    return files("runtime_sql")


def _sql_files(folder: Traversable) -> Iterable[Traversable]:
    return sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )


def _text(entry: Traversable) -> str:
    return entry.read_text(encoding="utf-8")


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
