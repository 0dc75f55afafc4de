"""hd_runtime, the governed agent runtime: SQL that a DBA can read, and what applies it.

The runtime *is* its SQL: `migrations/` (tables, numbered, forward only), `functions/` and `views/`
(one file each, replaced when changed) and `grants.sql`. This package only brings it into a database
(`migrate`), says what is there (`status`) and whether it is sound (`check`), moves old months of the
audit trail out of it (`archive`) and recomputes that trail (`trail`). It knows nothing of the proxy.
"""

from runtime_sql.archive import ArchivedMonth, ArchiveError, archive
from runtime_sql.migrate import MigrationError, MigrationReport, migrate
from runtime_sql.status import FileStatus, Status, check, status
from runtime_sql.surface import FUNCTIONS, RELATIONS
from runtime_sql.trail import verify_archives, verify_trail

__all__ = [
    "FUNCTIONS",
    "RELATIONS",
    "ArchiveError",
    "ArchivedMonth",
    "FileStatus",
    "MigrationError",
    "MigrationReport",
    "Status",
    "archive",
    "check",
    "migrate",
    "status",
    "verify_archives",
    "verify_trail",
]
