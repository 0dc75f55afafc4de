"""REFERENCES in Postgres's dialect: which of a foreign key's actions DuckDB carries out.

DuckDB enforces foreign keys, and refuses to delete or change what is referred to. It changes no other
table for one that is written to, so a key that is to CASCADE or to SET NULL is refused when it is
made: nobody shall find out when rows that should be gone are still there. All constraints are checked at
once; one that says DEFERRABLE is made with a notice, and the catalog shows it as it is.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of

AT_ONCE = "constraints of analytical tables are checked at once: DEFERRABLE has no effect"
_DEFERRED = frozenset({"DEFERRABLE", "INITIALLY DEFERRED", "INITIALLY IMMEDIATE"})
_CHANGING = ("CASCADE", "SET NULL", "SET DEFAULT")


def checked_at_once(tree: exp.Expr) -> bool:
    """Forgets when a definition's constraints are to be checked, in place; whether one was to be later."""
    later = False
    for node in tree.walk():
        options = node.args.get("options") or ()
        said = [one for one in options if isinstance(one, str) and one.upper() in _DEFERRED]
        if said:
            node.set("options", [one for one in options if one not in said] or None)
            later = later or any(one.upper() != "INITIALLY IMMEDIATE" for one in said)
    return later


def reference(node: exp.Reference) -> None:
    """Refuses the actions that would write to the table that refers."""
    for option in node.args.get("options") or ():
        action = str(option).upper()
        if action.startswith("ON ") and action.endswith(_CHANGING):
            raise SqlError(
                "0A000",
                f"{action} is not supported in foreign keys of analytical tables",
                hint="Without it, a DELETE or UPDATE of a row that is referred to fails with 23503; "
                "change the rows that refer to it first.",
                position=position_of(node),
            )
