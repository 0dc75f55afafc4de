"""DuckDB in this process: its C API, connections, statements, values and errors."""
