"""What a statement for Postgres may leave behind on the connection that ran it.

Connections are lent from one client to the next, so somebody has to know which statements leave
something: a session's lock, a temporary table, LISTEN, a setting. A statement's text can show that it
leaves nothing; it cannot always show what it leaves, since a function may do anything. So there are
three answers, and the default is the careful one.
"""

from __future__ import annotations

from enum import IntEnum

from sqlglot import exp

from proxy.sql import control_plane
from proxy.sql import session_actions as act
from proxy.sql.control_plane import name_set
from proxy.sql.listing import Listing


class Trace(IntEnum):
    """NOTHING is left. KNOWN: only what Postgres can be asked for afterwards. ANYTHING: who knows."""

    NOTHING = 0
    KNOWN = 1
    ANYTHING = 2


_ASKABLE = name_set(
    """
    set_config pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock
    pg_try_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all
    """
)
"""Functions whose traces are in pg_locks and pg_settings."""

_RUNS_TEXT = name_set(
    """
    query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema
    table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema
    schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema
    database_to_xml_and_xmlschema ts_stat ts_rewrite
    nextval setval setseed pg_replication_origin_session_setup pg_replication_origin_session_reset
    """
)
"""Functions of Postgres's own that run a query given as text, or leave what cannot be asked for."""

BUILTIN: frozenset[str] = frozenset()
"""The names of pg_catalog's functions on the Postgres in use; none until they are declared."""


def declare_builtin_functions(names: frozenset[str]) -> None:
    """Tell which functions are Postgres's own: all others may leave anything."""
    global BUILTIN
    BUILTIN = names


def of_tree(nodes: Listing, runtime: list[str]) -> tuple[Trace, tuple[str | int, ...]]:
    """What a parsed statement leaves, and the settings that its set_config calls name.

    nodes: its tree's. runtime: the functions among them that are `hd_runtime`'s. A setting is
    named by its name, or by the number of the parameter that names it.
    """
    if not control_plane.RUNTIME_FUNCTIONS.issuperset(runtime):
        return Trace.ANYTHING, ()
    if nodes.kinds.isdisjoint(_TRACING):
        return Trace.NOTHING, ()
    trace, sets = Trace.NOTHING, []
    for node in nodes:
        kind = node.__class__
        if kind is exp.Create or kind is exp.Into:
            trace = Trace.KNOWN
        elif kind is exp.Anonymous:
            this = node.this
            name = this.lower() if isinstance(this, str) else this.name.lower()
            if name in _ASKABLE:
                trace = Trace.KNOWN
                if name == "set_config":
                    setting = _named(node)
                    if setting is None:
                        return Trace.ANYTHING, ()
                    sets.append(setting)
            elif name in _RUNS_TEXT or not (
                name in BUILTIN or name in control_plane.RUNTIME_FUNCTIONS
            ):
                return Trace.ANYTHING, ()
    return trace, tuple(sets)


_TRACING = (exp.Create, exp.Into, exp.Anonymous)


def _named(call: exp.Expr) -> str | int | None:
    """The setting that a set_config names, or its parameter's number; None where only running tells."""
    name = call.expressions[0] if call.expressions else None
    while isinstance(name, exp.Cast):
        name = name.this
    if isinstance(name, exp.Literal) and name.is_string:
        return name.this
    if isinstance(name, exp.Parameter) and name.name.isdecimal():
        return int(name.name)
    return None


_OF_ACTION: dict[type, Trace] = {
    act.Show: Trace.NOTHING,
    act.Fetch: Trace.NOTHING,
    act.Move: Trace.NOTHING,
    act.Set: Trace.KNOWN,
    act.Reset: Trace.KNOWN,
    act.Declare: Trace.KNOWN,
    act.CloseCursor: Trace.KNOWN,
    act.Deallocate: Trace.KNOWN,
    act.Prepare: Trace.KNOWN,
}
"""What EXECUTE runs was read long ago: it may leave anything."""

_OF_KIND = {
    "LISTEN": Trace.KNOWN,
    "UNLISTEN": Trace.KNOWN,
    **dict.fromkeys(
        (
            *("NOTIFY", "GRANT", "REVOKE", "COMMENT", "VACUUM", "ANALYZE", "LOCK TABLE"),
            *("CREATE", "ALTER", "DROP", "REASSIGN", "SECURITY"),
        ),
        Trace.NOTHING,
    ),
}


def of_kind(kind: str) -> Trace:
    """What a statement leaves of which only the leading words are known."""
    return _OF_KIND.get(kind, Trace.ANYTHING)


def of_action(action: object, inner: Trace) -> Trace:
    """What a statement leaves that the session passes on. inner: of the text it carries."""
    return max(_OF_ACTION.get(type(action), Trace.ANYTHING), inner)
