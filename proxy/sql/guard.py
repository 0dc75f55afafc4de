"""What SQL must not reach: files, the network, secrets, and SQL hidden in strings.

The engine is locked down by its own settings too; this guard says so early, in plain words, and
covers what those settings leave open: functions that run text as SQL would slip past routing, and
DuckDB reads a quoted table name such as "x.parquet" as a file.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.control_plane import name_set

_FILES = name_set(
    """
    read_csv read_csv_auto sniff_csv read_parquet parquet_scan parquet_metadata parquet_schema
    parquet_file_metadata parquet_kv_metadata parquet_bloom_probe parquet_full_metadata read_json
    read_json_auto read_json_objects read_json_objects_auto read_ndjson read_ndjson_auto
    read_ndjson_objects read_text read_blob read_xlsx read_duckdb read_avro glob st_read
    st_read_meta iceberg_scan iceberg_metadata iceberg_snapshots delta_scan
    """
)
_DATABASES = name_set(
    """
    postgres_scan postgres_scan_pushdown postgres_query postgres_execute postgres_attach mysql_scan
    mysql_query mysql_execute sqlite_scan sqlite_attach sqlite_query arrow_scan arrow_scan_dumb
    pandas_scan python_map_function seq_scan from_substrait from_substrait_json hatidata_postgres
    """
)
_HIDDEN_SQL = frozenset({"query", "query_table", "json_execute_serialized_sql"})
_SECRETS = frozenset({"getenv", "duckdb_secrets", "which_secret", "load_aws_credentials"})
_INSIDES = name_set(
    "pragma_table_info pragma_storage_info pragma_rtree_index_info pragma_hnsw_index_info "
    "duckdb_table_sample"
)
_SWITCHES = name_set("enable_logging disable_logging truncate_duckdb_logs enable_profiling")

_REASONS: tuple[tuple[frozenset[str], str], ...] = (
    (_FILES, "the server's files are out of a client's reach; use COPY FROM STDIN"),
    (_DATABASES, "other databases are out of a client's reach"),
    (_HIDDEN_SQL, "send the statement itself, so that it can be routed and checked"),
    (_SECRETS, "the server's environment and secrets are out of a client's reach"),
    # Their plans hold on to a table without saying so: DuckDB would run them when it is gone.
    (_INSIDES, "DESCRIBE and information_schema.columns say what a table has"),
    (_SWITCHES, "the engine's switches belong to the server"),
)

FUNCTIONS: frozenset[str] = frozenset().union(*(names for names, _ in _REASONS))
"""Names of all guarded functions, lower case."""

_FILE_ENDINGS = (
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".json",
    ".jsonl",
    ".ndjson",
    ".gz",
    ".zst",
    ".xlsx",
    ".arrow",
    ".db",
    ".duckdb",
    ".avro",
)


def function(name: str, position: int | None) -> SqlError:
    """The refusal of one of `FUNCTIONS`."""
    reason = next(reason for names, reason in _REASONS if name in names)
    return SqlError("42501", f"function {name} is not allowed", hint=reason, position=position)


def file(name: str, position: int | None) -> SqlError:
    """The refusal of a file where a table should stand."""
    return SqlError(
        "42501",
        f'reading the file "{name}" is not allowed',
        hint="The server's files are out of a client's reach; use COPY FROM STDIN.",
        position=position,
    )


def is_file(name: str, identifier: exp.Identifier) -> bool:
    """Whether DuckDB would open an unqualified name as a file, if there is no such table."""
    if not identifier.args.get("quoted"):
        return False
    return name.lower().endswith(_FILE_ENDINGS) or any(mark in name for mark in "/\\*")
