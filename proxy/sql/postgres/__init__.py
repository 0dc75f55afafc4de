"""Postgres's dialect on DuckDB: what Postgres's SQL means, put as DuckDB takes it."""
