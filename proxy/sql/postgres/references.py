"""REFERENCES in Postgres's dialect: which of a foreign key's actions DuckDB carries out.

DuckDB enforces foreign keys, and refuses to delete or change what is referred to. It changes no other
table for one that is written to: what a DELETE or an UPDATE is to set off is done for it
(`proxy.changes.references`, `proxy.changes.key_changes`). The catalog shows a key as it is, since tools compare what they
find there with what they wrote. What else would set an action off (an upsert, MERGE) is refused
(`proxy.session.constraints`), so that no row that should be gone is still there. All constraints are checked at
once; one that says DEFERRABLE is made with a notice.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError

AT_ONCE = "constraints of analytical tables are checked at once: DEFERRABLE has no effect"
_DATABASE = "hatidata"
ACTIONS = ("CASCADE", "SET NULL", "SET DEFAULT")
_DEFERRED = frozenset({"DEFERRABLE", "INITIALLY DEFERRED", "INITIALLY IMMEDIATE"})


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
    """Takes away what DuckDB does not know: actions that would write to the table that refers, and
    the name of the database, where that is the only one there is."""
    table = node.this.this if isinstance(node.this, exp.Schema) else node.this
    if isinstance(table, exp.Table) and table.catalog == _DATABASE:
        table.set("catalog", None)
    options = node.args.get("options") or ()
    key = node.parent
    several = isinstance(key, exp.ForeignKey) and len(key.expressions) > 1
    if several and any(str(option).upper() == "MATCH FULL" for option in options):
        raise SqlError(
            "0A000",
            "MATCH FULL of several columns is not supported on analytical tables",
            hint="Add a CHECK that all of them are NULL or none is.",
        )
    if any(map(_writes, options)):
        node.set("options", [one for one in options if not _writes(one)] or None)


def _writes(option: object) -> bool:
    action = str(option).upper()
    return action.startswith("ON ") and action.endswith(ACTIONS)
