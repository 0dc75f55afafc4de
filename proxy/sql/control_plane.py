"""Names that belong to the control plane, in one place.

Routing asks one question of every name in a statement: is it Postgres's or DuckDB's? The answer is
here as sets, so that the runtime's own list of functions can be fed in at start-up
(`declare_runtime`) and a newer Postgres's catalog needs one more word, not more code.

Names are in lower case; a caller folds before it asks.
"""

from __future__ import annotations

from collections.abc import Iterable


def name_set(text: str) -> frozenset[str]:
    """The words of `text`: how the long lists of names here and elsewhere are written."""
    return frozenset(text.split())


RUNTIME_SCHEMA = "hd_runtime"
"""The schema of the agent runtime."""

CONTROL_SCHEMAS = frozenset({RUNTIME_SCHEMA, "pg_catalog", "information_schema", "pg_toast"})
"""Relations in these schemas live in Postgres and nowhere else."""

MIRROR_SCHEMA = "hatidata_catalog"
"""Where the proxy keeps how DuckDB's relations are shown in Postgres."""

SYSTEM_RELATIONS = name_set(
    """
    pg_aggregate pg_aios pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members
    pg_authid pg_available_extension_versions pg_available_extensions pg_backend_memory_contexts
    pg_cast pg_class pg_collation pg_config pg_constraint pg_conversion pg_cursors pg_database
    pg_db_role_setting pg_default_acl pg_depend pg_description pg_enum pg_event_trigger
    pg_extension pg_file_settings pg_foreign_data_wrapper pg_foreign_server pg_foreign_table
    pg_group pg_hba_file_rules pg_ident_file_mappings pg_index pg_indexes pg_inherits
    pg_init_privs pg_language pg_largeobject pg_largeobject_metadata pg_locks pg_matviews
    pg_namespace pg_opclass pg_operator pg_opfamily pg_parameter_acl pg_partitioned_table
    pg_policies pg_policy pg_prepared_statements pg_prepared_xacts pg_proc pg_publication
    pg_publication_namespace pg_publication_rel pg_publication_tables pg_range
    pg_replication_origin pg_replication_origin_status pg_replication_slots pg_rewrite pg_roles
    pg_rules pg_seclabel pg_seclabels pg_sequence pg_sequences pg_settings pg_shadow pg_shdepend
    pg_shdescription pg_shmem_allocations pg_shmem_allocations_numa pg_shseclabel
    pg_stat_activity pg_stat_all_indexes pg_stat_all_tables pg_stat_archiver pg_stat_bgwriter
    pg_stat_checkpointer pg_stat_database pg_stat_database_conflicts pg_stat_gssapi pg_stat_io
    pg_stat_progress_analyze pg_stat_progress_basebackup pg_stat_progress_cluster
    pg_stat_progress_copy pg_stat_progress_create_index pg_stat_progress_vacuum
    pg_stat_recovery_prefetch pg_stat_replication pg_stat_replication_slots pg_stat_slru
    pg_stat_ssl pg_stat_subscription pg_stat_subscription_stats pg_stat_sys_indexes
    pg_stat_sys_tables pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables
    pg_stat_wal pg_stat_wal_receiver pg_stat_xact_all_tables pg_stat_xact_sys_tables
    pg_stat_xact_user_functions pg_stat_xact_user_tables pg_statio_all_indexes
    pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_indexes pg_statio_sys_sequences
    pg_statio_sys_tables pg_statio_user_indexes pg_statio_user_sequences pg_statio_user_tables
    pg_statistic pg_statistic_ext pg_statistic_ext_data pg_stats pg_stats_ext pg_stats_ext_exprs
    pg_subscription pg_subscription_rel pg_tables pg_tablespace pg_timezone_abbrevs
    pg_timezone_names pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict
    pg_ts_parser pg_ts_template pg_type pg_user pg_user_mapping pg_user_mappings pg_views
    pg_wait_events
    """
)
"""Relations of pg_catalog (Postgres 18), which Postgres finds without their schema's name.

A list, not the prefix `pg_`: a user's table may be called `pg_orders`.
"""

SIDE_EFFECTS = name_set(
    """
    create_task claim_next_task claim_task heartbeat advance_attempt complete_attempt fail_attempt
    release_attempt recover_attempt cancel_task reap_expired_leases record_model_decision
    record_llm_invocation publish_artifact record_validation request_review decide_review
    evaluate_gate decide_release
    """
)
"""Runtime functions that change something: never a part of a statement over analytical tables."""

RUNTIME_FUNCTIONS: frozenset[str] = SIDE_EFFECTS | {"explain", "verify_events"}
"""Functions of `hd_runtime`, callable with and without the schema's name."""

RUNTIME_RELATIONS: frozenset[str] = frozenset({"tasks", "task_attempts"})
"""Tables and views of `hd_runtime`, which need the schema's name."""

SYSTEM_PREFIXES = ("pg_", "has_", "txid_", "lo_")

SYSTEM_FUNCTIONS = name_set(
    """
    col_description obj_description shobj_description format_type current_setting set_config
    inet_client_addr inet_client_port inet_server_addr inet_server_port to_regclass to_regcollation
    to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
    to_regtypemod row_security_active aclexplode acldefault makeaclitem current_query version
    """
)

SHARED_FUNCTIONS = name_set(
    """
    current_database current_catalog current_schema current_schemas current_user session_user user
    current_role pg_typeof quote_ident quote_literal quote_nullable
    """
)
"""Functions that both engines answer: Postgres's answer counts where no table is named."""

CATALOG_FUNCTIONS = name_set("current_schema current_schemas pg_typeof")
"""Those of them whose answer depends on what schemas and types there are."""

POSITIONS = name_set("pg_sequences pg_sequence_last_value pg_get_sequence_data")
"""Relations and functions that tell where sequences stand."""

HARMLESS = name_set(
    """
    abs array_length array_to_string cardinality ceil chr coalesce concat concat_ws count exists
    floor greatest initcap least left length lower ltrim max min nullif quote_ident quote_literal
    repeat replace reverse right round row_number rtrim split_part string_agg strpos substr
    substring trim trunc unnest upper
    """
)

PARAMETERLESS = frozenset({"session_user", "user", "current_role", "current_catalog"})
"""Functions called without parentheses that a Snowflake parser takes for columns."""

OBJECT_ID_TYPES = name_set(
    """
    regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc
    regprocedure regrole regtype oid
    """
)
"""Types whose input function reads Postgres's catalog."""

SETTINGS = name_set(
    """
    allow_in_place_tablespaces allow_system_table_mods application_name array_nulls autocommit
    backend_flush_after backslash_quote backtrace_functions bytea_output check_function_bodies
    client_connection_check_interval client_encoding client_min_messages commit_delay
    commit_siblings compute_query_id constraint_exclusion cpu_index_tuple_cost cpu_operator_cost
    cpu_tuple_cost createrole_self_grant cursor_tuple_fraction datestyle deadlock_timeout
    debug_discard_caches debug_logical_replication_streaming debug_parallel_query
    debug_pretty_print debug_print_parse debug_print_plan debug_print_rewritten
    default_statistics_target default_table_access_method default_tablespace
    default_text_search_config default_toast_compression default_transaction_deferrable
    default_transaction_isolation default_transaction_read_only dynamic_library_path
    effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan
    enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg
    enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan
    enable_material enable_memoize enable_mergejoin enable_nestloop enable_parallel_append
    enable_parallel_hash enable_partition_pruning enable_partitionwise_aggregate
    enable_partitionwise_join enable_presorted_aggregate enable_self_join_elimination
    enable_seqscan enable_sort enable_tidscan escape_string_warning event_triggers exit_on_error
    extension_control_path extra_float_digits file_copy_method from_collapse_limit geqo
    geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold
    gin_fuzzy_search_limit gin_pending_list_limit hash_mem_multiplier icu_validation_level
    idle_in_transaction_session_timeout idle_session_timeout ignore_checksum_failure
    intervalstyle io_combine_limit is_superuser jit jit_above_cost jit_dump_bitcode
    jit_expressions jit_inline_above_cost jit_optimize_above_cost jit_tuple_deforming
    join_collapse_limit lc_collate lc_ctype lc_messages lc_monetary lc_numeric lc_time
    lo_compat_privileges local_preload_libraries lock_timeout log_duration log_error_verbosity
    log_executor_stats log_lock_failures log_lock_waits log_min_duration_sample
    log_min_duration_statement log_min_error_statement log_min_messages log_parameter_max_length
    log_parameter_max_length_on_error log_parser_stats log_planner_stats
    log_replication_commands log_statement log_statement_sample_rate log_statement_stats
    log_temp_files log_transaction_sample_rate logical_decoding_work_mem
    maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers
    max_parallel_workers max_parallel_workers_per_gather max_stack_depth md5_password_warnings
    min_parallel_index_scan_size min_parallel_table_scan_size names
    parallel_leader_participation parallel_setup_cost parallel_tuple_cost password_encryption
    plan_cache_mode quote_all_identifiers random_page_cost recursive_worktable_factor
    restrict_nonsystem_relation_kind role row_security scram_iterations search_path seed
    seq_page_cost server_encoding server_version server_version_num session_authorization
    session_preload_libraries session_replication_role standard_conforming_strings
    statement_timeout stats_fetch_consistency synchronize_seqscans synchronous_commit
    tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout
    temp_buffers temp_file_limit temp_tablespaces timezone timezone_abbreviations trace_notify
    trace_sort track_activities track_cost_delay_timing track_counts track_functions
    track_io_timing track_wal_io_timing transaction_deferrable transaction_isolation
    transaction_read_only transaction_timeout transform_null_equals update_process_title
    vacuum_buffer_usage_limit vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty
    vacuum_cost_page_hit vacuum_cost_page_miss vacuum_failsafe_age vacuum_freeze_min_age
    vacuum_freeze_table_age vacuum_max_eager_freeze_failure_rate vacuum_multixact_failsafe_age
    vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age vacuum_truncate
    wal_compression wal_consistency_checking wal_init_zero wal_recycle wal_sender_timeout
    wal_skip_threshold work_mem xmlbinary xmloption zero_damaged_pages
    """
)
"""Names that `SET name = value` takes for a setting; in Snowflake's dialect any other plain name is
a session variable."""


def declare_runtime(
    functions: Iterable[str], side_effects: Iterable[str], relations: Iterable[str]
) -> None:
    """Replace what is known of the runtime by what the installed `hd_runtime` has.

    side_effects: those of `functions` that change something.
    """
    global RUNTIME_FUNCTIONS, SIDE_EFFECTS, RUNTIME_RELATIONS
    RUNTIME_FUNCTIONS = frozenset(functions)
    SIDE_EFFECTS = frozenset(side_effects)
    RUNTIME_RELATIONS = frozenset(relations)


def hint_for_missing(message: str) -> str | None:
    """Help for who forgot the schema's name of a runtime relation; message: of the 42P01 error."""
    for name in RUNTIME_RELATIONS:
        if f'"{name}"' in message:
            return f"The agent runtime has one: {RUNTIME_SCHEMA}.{name}."
    return None


def is_system_function(name: str) -> bool:
    """Whether only Postgres has this function."""
    return name not in SHARED_FUNCTIONS and (
        name in SYSTEM_FUNCTIONS or name.startswith(SYSTEM_PREFIXES)
    )


def is_common_function(name: str) -> bool:
    """Whether a statement that calls it can be left to Postgres without a change of meaning."""
    return name in HARMLESS


def is_setting(name: str) -> bool:
    """Whether `SET name = ...` is about a setting of the session, not a Snowflake variable."""
    return name in SETTINGS or "." in name or name.startswith("hatidata")
