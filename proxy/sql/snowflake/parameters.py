"""Snowflake's session parameters: what ALTER SESSION takes and SHOW PARAMETERS lists.

Four kinds. A parameter that is one of the session's own settings sets it (`setting`). One that
changes what statements mean is carried out by the rules (`planned`, `proxy.sql.snowflake.in_force`).
One that would change answers and is not carried out here keeps its default, and any other value is
refused by name, never taken and ignored (`fixed`). The rest concern Snowflake's service and clients:
they are remembered and shown, and change no answer here either way.

Names, types and, but for these two settings, defaults are those of docs.snowflake.com/en/sql-reference/parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.errors import SqlError


@dataclass(frozen=True, slots=True)
class Parameter:
    """type: STRING, NUMBER or BOOLEAN. setting: the session's setting that it is, '' for none.

    planned: plans depend on it; of the values in `allowed`, in capitals, if there are any.
    """

    name: str
    default: str
    type: str = "STRING"
    fixed: bool = False
    setting: str = ""
    unit: str = ""
    planned: bool = False
    allowed: frozenset[str] = frozenset()


def _all(kind: str, text: str, *, fixed: bool = False) -> list[Parameter]:
    """`NAME=default` a line."""
    found = []
    for line in text.strip().splitlines():
        name, _, default = line.strip().partition("=")
        found.append(Parameter(name.lower(), default, kind, fixed))
    return found


def _planned(name: str, default: str, allowed: str = "", kind: str = "STRING") -> Parameter:
    return Parameter(name, default, kind, planned=True, allowed=frozenset(allowed.split()))


_PARAMETERS = (
    _planned("binary_input_format", "HEX", "HEX BASE64 UTF8 UTF-8"),
    _planned("binary_output_format", "HEX", "HEX BASE64"),
    _planned("date_input_format", "AUTO"),
    _planned("date_output_format", "YYYY-MM-DD"),
    _planned("time_input_format", "AUTO"),
    _planned("time_output_format", "HH24:MI:SS"),
    _planned("timestamp_input_format", "AUTO"),
    _planned("timestamp_output_format", "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"),
    _planned("timestamp_ntz_output_format", "YYYY-MM-DD HH24:MI:SS.FF3"),
    _planned("timestamp_ltz_output_format", ""),
    _planned("timestamp_tz_output_format", ""),
    _planned("timestamp_type_mapping", "TIMESTAMP_NTZ", "TIMESTAMP_NTZ TIMESTAMP_LTZ TIMESTAMP_TZ"),
    _planned("two_digit_century_start", "1970", " ".join(map(str, range(1900, 2101))), "NUMBER"),
    _planned("week_of_year_policy", "0", "0 1", "NUMBER"),
    _planned("week_start", "0", "0 1 2 3 4 5 6 7", "NUMBER"),
    Parameter("timezone", "UTC", setting="timezone"),
    Parameter("statement_timeout_in_seconds", "0", "NUMBER", setting="statement_timeout", unit="s"),
    *_all(
        "STRING",
        """
        DEFAULT_DDL_COLLATION=
        DEFAULT_NULL_ORDERING=LAST
        GEOGRAPHY_OUTPUT_FORMAT=GeoJSON
        GEOMETRY_OUTPUT_FORMAT=GeoJSON
        SEARCH_PATH=$current, $public
        TRANSACTION_DEFAULT_ISOLATION_LEVEL=READ COMMITTED
        UNSUPPORTED_DDL_ACTION=ignore
        """,
        fixed=True,
    ),
    *_all(
        "NUMBER",
        """
        ROWS_PER_RESULTSET=0
        """,
        fixed=True,
    ),
    Parameter(  # a client formats what it shows; here documents come without blanks
        "json_indent", "2", "NUMBER", allowed=frozenset(map(str, range(17)))
    ),
    *_all(
        "BOOLEAN",
        """
        AUTOCOMMIT=true
        ERROR_ON_NONDETERMINISTIC_MERGE=true
        ERROR_ON_NONDETERMINISTIC_UPDATE=false
        NOORDER_SEQUENCE_AS_DEFAULT=true
        QUOTED_IDENTIFIERS_IGNORE_CASE=false
        STRICT_JSON_OUTPUT=false
        TIMESTAMP_DAY_IS_ALWAYS_24H=false
        """,
        fixed=True,
    ),
    *_all(
        "STRING",
        """
        CLIENT_TIMESTAMP_TYPE_MAPPING=TIMESTAMP_LTZ
        LOG_LEVEL=OFF
        METRIC_LEVEL=NONE
        QUERY_TAG=
        TRACE_LEVEL=OFF
        """,
    ),
    *_all(
        "NUMBER",
        """
        CLIENT_MEMORY_LIMIT=1536
        CLIENT_PREFETCH_THREADS=4
        CLIENT_RESULT_CHUNK_SIZE=160
        CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY=3600
        HYBRID_TABLE_LOCK_TIMEOUT=3600
        LOCK_TIMEOUT=43200
        MULTI_STATEMENT_COUNT=1
        STATEMENT_QUEUED_TIMEOUT_IN_SECONDS=0
        """,
    ),
    *_all(
        "BOOLEAN",
        """
        ABORT_DETACHED_QUERY=false
        CLIENT_METADATA_REQUEST_USE_CONNECTION_CTX=false
        CLIENT_METADATA_USE_SESSION_DATABASE=false
        CLIENT_RESULT_COLUMN_CASE_INSENSITIVE=false
        CLIENT_SESSION_KEEP_ALIVE=false
        ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION=true
        JDBC_TREAT_DECIMAL_AS_INT=true
        JDBC_TREAT_TIMESTAMP_NTZ_AS_UTC=false
        JDBC_USE_SESSION_TIMEZONE=true
        JS_TREAT_INTEGER_AS_BIGINT=false
        ODBC_TREAT_DECIMAL_AS_INT=false
        TRANSACTION_ABORT_ON_ERROR=false
        USE_CACHED_RESULT=true
        """,
    ),
)

PARAMETERS: dict[str, Parameter] = {one.name: one for one in _PARAMETERS}
"""By name, in lower case."""


def check(parameter: Parameter, value: str) -> str:
    """The value as it is kept. Raises 22023 for another type's, 0A000 for what is `fixed`."""
    if parameter.type == "BOOLEAN":
        if value.lower() not in ("true", "false"):
            raise _invalid(parameter, value)
        value = value.lower()
    elif parameter.type == "NUMBER" and not value.lstrip("-").isdigit():
        raise _invalid(parameter, value)
    if parameter.allowed and value.upper() not in parameter.allowed:
        raise _invalid(parameter, value)
    if parameter.planned:
        return value.upper() if parameter.allowed else value
    if parameter.fixed and value.upper() != parameter.default.upper():
        name = parameter.name.upper()
        raise SqlError(
            "0A000",
            f"ALTER SESSION SET {name} is not supported yet",
            detail=f"It is {parameter.default or 'unset'} here.",
        )
    return value


def _invalid(parameter: Parameter, value: str) -> SqlError:
    message = f'invalid value for parameter "{parameter.name.upper()}": "{value}"'
    return SqlError("22023", message)
