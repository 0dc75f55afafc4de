"""Names and rights: what the control-plane Postgres knows of roles, and later of DuckDB's tables.

Knows nothing of `proxy`: plain functions over a Postgres connection string.
"""
