"""Statements that change or lock rows, as DuckDB takes them."""
