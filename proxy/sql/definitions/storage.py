"""What CREATE says of how Postgres is to store something, which changes nothing of what it holds.

Why it exists: tools write such words by habit (pgbench its fillfactor, dumps their access method).
DuckDB stores tables in its own way; so they are read, checked to be Postgres's, and left out. What is
none of Postgres's words stays, to be refused by whoever translates the statement.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.control_plane import name_set

_PARAMETERS = name_set(
    """
    fillfactor parallel_workers toast_tuple_target vacuum_index_cleanup vacuum_truncate
    vacuum_max_eager_freeze_failure_rate log_autovacuum_min_duration user_catalog_table
    autovacuum_enabled autovacuum_vacuum_threshold autovacuum_vacuum_max_threshold
    autovacuum_vacuum_scale_factor autovacuum_vacuum_insert_threshold
    autovacuum_vacuum_insert_scale_factor autovacuum_analyze_threshold
    autovacuum_analyze_scale_factor autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit
    autovacuum_freeze_min_age autovacuum_freeze_max_age autovacuum_freeze_table_age
    autovacuum_multixact_freeze_min_age autovacuum_multixact_freeze_max_age
    autovacuum_multixact_freeze_table_age deduplicate_items buffering fastupdate
    gin_pending_list_limit pages_per_range autosummarize
    """
)
_DEFAULT_SPACE = "pg_default"
_DEFAULT_METHOD = "heap"


def leave_out(create: exp.Create) -> None:
    """Takes Postgres's storage parameters, its own tablespace and access method out of a CREATE."""
    properties = create.args.get("properties")
    if properties is not None:
        kept = [one for one in properties.expressions if not _is_storage(one)]
        if len(kept) < len(properties.expressions):
            create.set("properties", exp.Properties(expressions=kept) if kept else None)
    index = create.this if isinstance(create.this, exp.Index) else None
    parameters = index.args.get("params") if index is not None else None
    if parameters is None:
        return
    if storage := parameters.args.get("with_storage"):
        kept = [one for one in storage if not _is_storage(one)]
        parameters.set("with_storage", kept or None)
    space = parameters.args.get("tablespace")
    if space is not None and space.name == _DEFAULT_SPACE:
        parameters.set("tablespace", None)


def _is_storage(one: exp.Expr) -> bool:
    if isinstance(one, exp.TableSpaceProperty):
        return one.name == _DEFAULT_SPACE
    if isinstance(one, exp.FileFormatProperty):
        return isinstance(one.this, exp.Var) and one.name.lower() == _DEFAULT_METHOD
    if type(one) is not exp.Property:
        return False
    named = one.this
    if isinstance(named, exp.Dot):  # of the table that holds its long values
        return named.this.name.lower() == "toast" and named.expression.name.lower() in _PARAMETERS
    if named.name.lower() == "oids":
        return isinstance(one.args.get("value"), exp.Boolean) and not one.args["value"].this
    return named.name.lower() in _PARAMETERS
