"""How the catalog in Postgres comes to know what sessions define in DuckDB."""
