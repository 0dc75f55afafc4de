"""Definitions that are more to DuckDB than the statement that they are to the client."""
