"""Definitions, as a client writes them: what they mean to DuckDB, and what the catalog is told of them."""
