"""What may go wrong in a block: exceptions of its own, and what a handler may catch.

Why it exists: a handler catches errors of the data and exceptions of the script's own. What this server
refuses (0A000, 42501) is never caught: a script would otherwise go on with a wrong answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.sql.quoting import literal

if TYPE_CHECKING:
    from proxy.scripting.scope import Name

EXPRESSION, STATEMENT = "expression_error", "statement_error"
"""Snowflake's names of the two kinds of errors that are not a script's own."""

_CATCHABLE = ("22", "23", "P0")
_CATCHABLE_STATES = frozenset({"42P01", "42P07", "02000"})
_KNOWN: dict[str, dict[str, str]] = {
    "22012": {"sqlcode": "100051", "sqlstate": "'22012'", "sqlerrm": "'Division by zero'"},
    "42P01": {"sqlcode": "2003", "sqlstate": "'42S02'"},
}
"""SQLSTATE here -> what Snowflake says of such an error, where that is known, as literals."""


class ScriptError(SqlError):
    """An exception that a script raised; name folded; declared: what it stands for in its scope."""

    def __init__(self, name: str, declared: Name, line: int) -> None:
        message = declared.message
        shown = f"Uncaught exception of type '{name.upper()}' on line {line}"
        super().__init__("P0001", f"{shown} : {message}" if message else shown)
        self.declared = declared


def may_be_caught(error: SqlError) -> bool:
    return (
        isinstance(error, ScriptError)
        or error.sqlstate[:2] in _CATCHABLE
        or error.sqlstate in _CATCHABLE_STATES
    )


def kind_of(error: SqlError) -> str | None:
    """`EXPRESSION` or `STATEMENT`, None before it is known which of a block's statements failed."""
    return getattr(error, "script_kind", None)


def failed(error: SqlError, kind: str) -> None:
    """A statement of a block failed, of that kind; what was known before holds."""
    if kind_of(error) is None:
        error.script_kind = kind  # type: ignore[attr-defined]


def left_procedure(error: SqlError) -> None:
    """To the caller, whatever failed within a procedure is a statement of its own that failed."""
    error.script_kind = None  # type: ignore[attr-defined]
    error.from_procedure = True  # type: ignore[attr-defined]


def told(error: SqlError) -> dict[str, str]:
    """SQLCODE, SQLSTATE and SQLERRM as Snowflake has them, where that is known, as literals.

    What an error of a called procedure's says to its caller names a place in the procedure.
    """
    known = dict(_KNOWN.get(error.sqlstate, {}))
    if isinstance(error, ScriptError):
        declared = error.declared
        known = {"sqlcode": str(declared.number), "sqlerrm": literal(declared.message)}
        known["sqlstate"] = "'P0001'"
    if getattr(error, "from_procedure", False):
        known.pop("sqlerrm", None)
    return known
