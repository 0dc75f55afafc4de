"""The options of COPY INTO a table: what they may be, and which are followed."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.errors import SqlError
from proxy.sql.snowflake import stage_actions as act

_FLAGS = frozenset({"FORCE", "PURGE", "TRUNCATECOLUMNS", "ENFORCE_LENGTH", "RETURN_FAILED_ONLY"})
_OPTIONS = _FLAGS | {
    *("ON_ERROR", "SIZE_LIMIT", "MATCH_BY_COLUMN_NAME", "VALIDATION_MODE"),
    "LOAD_UNCERTAIN_FILES",
}
_NOT_FOLLOWED = frozenset(
    {"INCLUDE_METADATA", "LOAD_MODE", "FILE_PROCESSOR", "CLUSTER_AT_INGEST_TIME", "COPY_OPTIONS"}
)
CONTINUE, ABORT, SKIP = "CONTINUE", "ABORT_STATEMENT", "SKIP_FILE"


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """limit: errors after which ON_ERROR = SKIP_FILE skips a file, or their percentage."""

    on_error: str
    limit: int  # errors after which a file is skipped
    percent: bool  # ... of a hundred of its records
    flags: frozenset[str]
    size_limit: int | None
    match: bool  # columns by their names
    validate: str


def first_rows(mode: str) -> int | None:
    """n of RETURN_n_ROWS; None for the modes that return errors. Raises 22023."""
    if mode in ("RETURN_ERRORS", "RETURN_ALL_ERRORS"):
        return None
    number = mode.removeprefix("RETURN_").removesuffix("_ROWS")
    if not number.isdigit():
        raise SqlError("22023", f"VALIDATION_MODE {mode} is not known")
    return int(number)


def read_options(action: act.Load) -> LoadOptions:
    """Raises 22023 for an option that COPY does not have, 0A000 for one that is not followed."""
    given = {name: str(value).upper() for name, value in action.options.items()}
    for name in given:
        if name in _NOT_FOLLOWED:
            raise SqlError("0A000", f"{name} of COPY INTO is not supported")
        if name not in _OPTIONS:
            raise SqlError("22023", f"{name} is no option of COPY INTO a table")
    flags = frozenset(name for name in _FLAGS if _flag(given, name))
    if "ENFORCE_LENGTH" in given and "ENFORCE_LENGTH" not in flags:
        flags |= {"TRUNCATECOLUMNS"}
    on_error = given.get("ON_ERROR", ABORT)
    limit, percent = 1, False
    if on_error.startswith(SKIP + "_"):
        number = on_error.removeprefix(SKIP + "_")
        percent = number.endswith("%")
        number = number.removesuffix("%")
        if not number.isdigit():
            raise SqlError("22023", f"ON_ERROR {on_error} is not known")
        on_error, limit = SKIP, int(number)
    if on_error not in (CONTINUE, ABORT, SKIP):
        raise SqlError("22023", f"ON_ERROR {on_error} is not known")
    size = given.get("SIZE_LIMIT")
    if size is not None and not size.isdigit():
        raise SqlError("22023", "SIZE_LIMIT must be a number of bytes")
    match = given.get("MATCH_BY_COLUMN_NAME", "NONE")
    if match == "CASE_SENSITIVE":
        raise SqlError(
            "0A000",
            "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE is not supported",
            detail="Unquoted names are lower case here, and upper case in Snowflake.",
            hint="Use CASE_INSENSITIVE.",
        )
    if match not in ("NONE", "CASE_INSENSITIVE"):
        raise SqlError("22023", f"MATCH_BY_COLUMN_NAME {match} is not known")
    return LoadOptions(
        on_error,
        limit,
        percent,
        flags,
        int(size) if size is not None else None,
        match != "NONE",
        given.get("VALIDATION_MODE", ""),
    )


def _flag(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "FALSE")
    if text not in ("TRUE", "FALSE"):
        raise SqlError("22023", f"{name} must be TRUE or FALSE")
    return text == "TRUE"
