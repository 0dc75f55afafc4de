"""CREATE, REFRESH, ALTER, DROP and COMMENT ON MATERIALIZED VIEW in Postgres's dialect, read from tokens.

Why it exists: DuckDB has no such relations. One is kept as a table of its rows, and beside it a view of
its query, whose name no client gives (`query_name`): so that DuckDB itself keeps both, transactions hold
for both, and what depends on what the query reads is found as for any view (`proxy.definitions.dependents`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from proxy.errors import SqlError
from proxy.sql.words import Words

Name = tuple[str, ...]

_PREFIX = "materialized view "


def query_name(name: str) -> str:
    """The name of the view that holds a materialized view's query."""
    return _PREFIX + name


def name_of_query(name: str) -> str | None:
    """The materialized view whose query a view of this name holds; None for any other view."""
    return name[len(_PREFIX) :] if name.startswith(_PREFIX) else None


@dataclass(frozen=True, slots=True)
class CreateMaterialized:
    """columns: the text of their names in brackets, ''. query: its text."""

    name: Name
    columns: str
    query: str
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class RefreshMaterialized:
    """concurrently: which needs a unique index."""

    name: Name
    concurrently: bool


@dataclass(frozen=True, slots=True)
class DropMaterialized:
    names: tuple[Name, ...]
    if_exists: bool
    cascades: bool


@dataclass(frozen=True, slots=True)
class AlterMaterialized:
    """change: the words after the name."""

    name: Name
    if_exists: bool
    change: str


@dataclass(frozen=True, slots=True)
class CommentMaterialized:
    """said: the words after IS."""

    name: Name
    said: str


MaterializedAction = (
    CreateMaterialized
    | RefreshMaterialized
    | DropMaterialized
    | AlterMaterialized
    | CommentMaterialized
)
Read = tuple[str, MaterializedAction] | None
"""The kind of the statement and what to do; None where another reader is to judge."""

_WHAT = ("MATERIALIZED", "VIEW")


def _unpopulated(words: Words) -> SqlError:
    what = "a materialized view WITH NO DATA"
    token = words.token
    position = None if token is None else token.start + 1
    return SqlError("0A000", f"{what} is not supported on analytical tables", position=position)


def _create(words: Words) -> Read:
    if not words.accept("CREATE", *_WHAT):
        return None
    if_not_exists = words.accept("IF", "NOT", "EXISTS")
    name = words.dotted()
    columns = ""
    if words.word == "(":
        start = words.token.start if words.token is not None else 0
        words.list_in_brackets()
        at = words.token
        if at is None:
            raise words.fail()
        columns = words.text[start : at.start].strip()
    if words.accept("USING"):
        words.name()
    if words.word == "WITH" and words.word_at(1) == "(":
        words.step()
        words.list_in_brackets()
    if words.accept("TABLESPACE"):
        words.name()
    words.expect("AS")
    query, _ = words.rest("WITH", "DATA")
    if [token.text.upper() for token in words.tokens[-3:]] == ["WITH", "NO", "DATA"]:
        raise _unpopulated(words)
    return "CREATE MATERIALIZED VIEW", CreateMaterialized(name, columns, query, if_not_exists)


def _refresh(words: Words) -> Read:
    words.expect("REFRESH", *_WHAT)
    concurrently = words.accept("CONCURRENTLY")
    name = words.dotted()
    if words.word == "WITH" and words.word_at(1) == "NO":
        raise _unpopulated(words)
    words.accept("WITH", "DATA")
    words.end()
    return "REFRESH MATERIALIZED VIEW", RefreshMaterialized(name, concurrently)


def _drop(words: Words) -> Read:
    if not words.accept("DROP", *_WHAT):
        return None
    if_exists = words.accept("IF", "EXISTS")
    names = [words.dotted()]
    while words.accept(","):
        names.append(words.dotted())
    cascades = words.accept_any("CASCADE", "RESTRICT") == "CASCADE"
    words.end()
    return "DROP MATERIALIZED VIEW", DropMaterialized(tuple(names), if_exists, cascades)


def _alter(words: Words) -> Read:
    spelled = [token.text.upper() for token in words.tokens]
    if not words.accept("ALTER", *_WHAT) or spelled[-3:-1] == ["OWNER", "TO"]:
        return None
    if_exists = words.accept("IF", "EXISTS")
    name = words.dotted()
    change, _ = words.rest()
    return "ALTER MATERIALIZED VIEW", AlterMaterialized(name, if_exists, change)


def _comment(words: Words) -> Read:
    if not words.accept("COMMENT", "ON", *_WHAT):
        return None
    name = words.dotted()
    words.expect("IS")
    said, _ = words.rest()
    return "COMMENT", CommentMaterialized(name, said)


READERS: dict[str, Callable[[Words], Read]] = {
    "CREATE MATERIALIZED": _create,
    "REFRESH": _refresh,
    "DROP MATERIALIZED": _drop,
    "ALTER MATERIALIZED": _alter,
    "COMMENT": _comment,
}
"""Leading word, or two -> reader; for Postgres's dialect."""
