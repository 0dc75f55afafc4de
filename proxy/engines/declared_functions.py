"""What the mirror is told of a function in Postgres's dialect, from what is kept of it.

Why it exists: beside `engines.duck.catalog`, as texts of the client's that Postgres is to read as SQL (defaults, bodies
without quotes) are written anew here from their trees, one expression or query each, and never as they came.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from catalog.mirror import Document
from proxy.errors import SqlError
from proxy.sql.grammars import own_functions
from proxy.sql.reading import POSTGRES


def declared(name: str, kept: dict[str, Any]) -> Document:
    """One of the functions of a 'functions' document; kept: as `proxy.functions.routines` writes it down."""
    said = kept["said"]
    kinds = ", ".join(one["kind"] for one in kept["parameters"])
    found: Document = {
        "name": name,
        "signature": f"{name}({kinds})",
        "parameters": [_parameter(one) for one in kept["parameters"]],
        "returns": said["returns"],
        "rows": said["rows"],
        "traits": said["traits"],
        "body": kept["body"],
        "comment": kept["comment"],
    }
    if said["table"]:
        found["columns"] = [_parameter(one) for one in kept["columns"]]
    if standard := said["standard"]:
        text = f"SELECT {kept['body']}" if standard == "RETURN" else kept["body"]
        written = _written(text)
        if written is None:
            found["body"] = text
        else:
            found["body"] = written.removeprefix("SELECT ") if standard == "RETURN" else written
            found["standard"] = standard
    return found


def _parameter(one: dict[str, Any]) -> Document:
    made = {"name": one["name"], "type": one["type"]}
    if one["default"] is not None:
        written = _written(f"SELECT {one['default']}")
        made["default"] = "NULL" if written is None else written.removeprefix("SELECT ")
    return made


_ENDING = (";", "--", "/*")
"""What could end a statement, or hide the rest of it, to someone who reads it otherwise."""

_NOT_WRITTEN = (exp.ByteString, exp.RawString, exp.Heredoc, exp.Command)


def _written(text: str) -> str | None:
    """A query as its tree says it; None where that is not sure to be the same."""
    try:
        tree = POSTGRES.parse(
            text.rstrip("; \n"), own_functions(POSTGRES.tokenize(text.rstrip("; \n")), POSTGRES)
        )
    except SqlError:
        return None
    if not isinstance(tree, exp.Query) or tree.find(*_NOT_WRITTEN) is not None:
        return None
    written = tree.sql("postgres", comments=False)
    return None if any(mark in written for mark in _ENDING) else written
