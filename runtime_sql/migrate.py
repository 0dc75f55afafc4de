"""Brings hd_runtime into a database, and up to date.

Promises: forward only; each migration in one transaction of its own; an applied migration that was
changed since is an error and not a guess; definitions (functions, views, grants) are all replaced in
one transaction, so that nobody ever sees half of a new version; any number of processes may start at
once (an advisory lock lets one work and the others find it done); nothing is written when there is
nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from runtime_sql import sources
from runtime_sql.sources import Definition, Migration

MINIMUM_SERVER_VERSION = 150000
SEARCH_PATH = '"$user", public, hd_runtime'
# Two int4: 'HD' and a number of our own, apart from the keys that the SQL functions use.
_LOCK = (0x4844, 0x6D696772)


class MigrationError(Exception):
    """The database cannot be brought up to date; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What `migrate` did.

    migrations: names of the migrations applied. definitions: names of the definitions applied.
    search_path: the database's search_path when it was set by this call, else None.
    """

    database: str
    server_version: int
    migrations: tuple[str, ...]
    definitions: tuple[str, ...]
    search_path: str | None

    @property
    def changed(self) -> bool:
        """Whether anything at all was written."""
        return bool(self.migrations or self.definitions or self.search_path)

    def __str__(self) -> str:
        if not self.changed:
            return f"hd_runtime in database {self.database} is up to date"
        done = [f"{len(self.migrations)} migrations", f"{len(self.definitions)} definitions"]
        if self.search_path:
            done.append(f"search_path set to {self.search_path}")
        return f"hd_runtime in database {self.database}: {', '.join(done)}"


def migrate(conninfo: str, *, set_search_path: bool = True) -> MigrationReport:
    """Bring hd_runtime in the database of `conninfo` up to date.

    set_search_path: also `ALTER DATABASE ... SET search_path`, so that the functions can be called
    without the schema's name by every session that begins afterwards (a role's or client's own
    setting still wins). Needs the database's owner.

    Raises MigrationError (older server than 15, changed or newer migrations, an error in SQL with
    the file it is in, missing rights) or psycopg.OperationalError (no connection).
    """
    migrations, definitions = sources.migrations(), sources.definitions()
    with psycopg.connect(conninfo, autocommit=True, application_name="hatidata migrate") as conn:
        version = conn.info.server_version
        if version < MINIMUM_SERVER_VERSION:
            raise MigrationError(f"Postgres 15 or newer is needed, this is {version // 10000}")
        conn.execute("SET client_min_messages = warning")
        conn.execute("SET lock_timeout = 0")
        conn.execute("SET statement_timeout = 0")
        conn.execute("SELECT pg_advisory_lock(%s, %s)", _LOCK)
        if not schema_exists(conn):
            _run(conn, "bootstrap.sql", sources.bootstrap_sql())
        applied_migrations = _apply_migrations(conn, migrations)
        applied_definitions = _apply_definitions(conn, definitions)
        search_path = _set_search_path(conn) if set_search_path else None
        return MigrationReport(
            database=conn.info.dbname,
            server_version=version,
            migrations=tuple(applied_migrations),
            definitions=tuple(applied_definitions),
            search_path=search_path,
        )


def schema_exists(conn: psycopg.Connection) -> bool:
    """Whether the tables that record what was applied are there."""
    row = conn.execute(
        "SELECT to_regclass('hd_runtime.schema_migrations') IS NOT NULL"
        " AND to_regclass('hd_runtime.schema_files') IS NOT NULL"
    ).fetchone()
    return bool(row and row[0])


def pending_migrations(conn: psycopg.Connection, migrations: list[Migration]) -> list[Migration]:
    """Those not applied yet. MigrationError when the applied ones are not these."""
    rows = conn.execute("SELECT number, name, checksum FROM hd_runtime.schema_migrations")
    applied = {number: (name, checksum) for number, name, checksum in rows}
    unknown = sorted(applied.keys() - {m.number for m in migrations})
    if unknown:
        names = ", ".join(applied[number][0] for number in unknown)
        raise MigrationError(
            f"database {conn.info.dbname} was migrated by a newer version of hatidata"
            f" (unknown here: {names}); use that version"
        )
    for migration in migrations:
        name, checksum = applied.get(migration.number, (migration.name, migration.checksum))
        if (name, checksum) != (migration.name, migration.checksum):
            raise MigrationError(
                f"migration {migration.name} was changed after it was applied to database"
                f" {conn.info.dbname} (as {name}, checksum {checksum[:12]}, now"
                f" {migration.checksum[:12]}); restore the file and put the change into a new one"
            )
    return [m for m in migrations if m.number not in applied]


def changed_definitions(
    conn: psycopg.Connection, definitions: list[Definition]
) -> tuple[list[Definition], list[str]]:
    """Those that are new or changed since they were applied, and the names of those that are gone."""
    rows = conn.execute("SELECT name, checksum FROM hd_runtime.schema_files")
    applied: dict[str, str] = dict(rows.fetchall())
    changed = [d for d in definitions if applied.get(d.name) != d.checksum]
    gone = sorted(applied.keys() - {d.name for d in definitions})
    return changed, gone


def _apply_migrations(conn: psycopg.Connection, migrations: list[Migration]) -> list[str]:
    applied = []
    for migration in pending_migrations(conn, migrations):
        with conn.transaction():
            _run(conn, f"migrations/{migration.name}", migration.sql)
            conn.execute(
                "INSERT INTO hd_runtime.schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
        applied.append(migration.name)
    return applied


def _apply_definitions(conn: psycopg.Connection, definitions: list[Definition]) -> list[str]:
    changed, gone = changed_definitions(conn, definitions)
    if not (changed or gone):
        return []
    # A replaced view or function may have lost its grants with its old self.
    changed = [d for d in changed if d.kind != "grants"] + [
        d for d in definitions if d.kind == "grants"
    ]
    with conn.transaction():
        # Bodies are checked at the end, when all that they call is there.
        conn.execute("SET LOCAL check_function_bodies = off")
        for name in gone:
            folder, _, stem = name.removesuffix(".sql").partition("/")
            _drop(conn, "function" if folder == "functions" else "view", stem)
            conn.execute("DELETE FROM hd_runtime.schema_files WHERE name = %s", (name,))
        for definition in changed:
            _replace(conn, definition)
            conn.execute(
                "INSERT INTO hd_runtime.schema_files (name, checksum) VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum,"
                " applied_at = excluded.applied_at, applied_by = excluded.applied_by",
                (definition.name, definition.checksum),
            )
        conn.execute("SET LOCAL check_function_bodies = on")
        check_bodies(conn)
        conn.execute("SELECT hd_runtime.ensure_event_partitions()")
    return [d.name for d in changed] + [f"{name} (dropped)" for name in gone]


def check_bodies(conn: psycopg.Connection) -> None:
    """Let Postgres compile every function of hd_runtime; MigrationError names the one that fails.

    Each under the search_path that it will run with: its own, or none.
    """
    rows = conn.execute(
        "SELECT p.oid, p.oid::regprocedure::text, l.lanname, coalesce("
        "   (SELECT substring(c FROM 13) FROM unnest(p.proconfig) AS c"
        "    WHERE starts_with(c, 'search_path=')), '')"
        " FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
        " WHERE p.pronamespace = 'hd_runtime'::regnamespace AND l.lanname IN ('sql', 'plpgsql')"
        " ORDER BY 2"
    ).fetchall()
    validators = {"sql": "fmgr_sql_validator", "plpgsql": "plpgsql_validator"}
    with conn.transaction(force_rollback=True):
        for oid, signature, language, search_path in rows:
            check = sql.SQL("SELECT {}(%s)").format(
                sql.Identifier("pg_catalog", validators[language])
            )
            try:
                conn.execute("SELECT set_config('search_path', %s, true)", (search_path,))
                conn.execute(check, (oid,))
            except psycopg.Error as error:
                raise MigrationError(
                    f"function {signature} does not compile: {error.diag.message_primary}"
                ) from error


def _replace(conn: psycopg.Connection, definition: Definition) -> None:
    """Apply a definition; where its signature, result or columns changed, drop the old one first."""
    before = _signatures(conn, definition)
    replaced = True
    if before:
        # What cannot be replaced in place: another result or other argument names
        # (invalid_function_definition), other columns (invalid_table_definition), other
        # arguments, where the file then speaks of the function without naming them.
        try:
            with conn.transaction():
                conn.execute(definition.sql.encode())
        except (
            psycopg.errors.InvalidFunctionDefinition,
            psycopg.errors.InvalidTableDefinition,
            psycopg.errors.AmbiguousFunction,
        ):
            _drop(conn, definition.kind, definition.object)
            before, replaced = set(), False
        except psycopg.Error as error:
            raise _located(definition.name, definition.sql, error) from error
    if not (before and replaced):
        _run(conn, definition.name, definition.sql)
    if definition.kind == "function":
        # One function per name: with a new signature, the old one would stay beside it.
        after = _signatures(conn, definition)
        for signature in before if after - before else ():
            conn.execute(sql.SQL("DROP FUNCTION {}").format(sql.SQL(signature)))
        if not after:
            raise MigrationError(f"{definition.name} does not define {definition.object}")


def _signatures(conn: psycopg.Connection, definition: Definition) -> set[str]:
    """The function's signatures, or the view's name; each fit to stand in a DROP."""
    if definition.kind == "grants":
        return set()
    query = {
        "function": "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'hd_runtime'::regnamespace AND proname = %s",
        "view": "SELECT oid::regclass::text FROM pg_class"
        " WHERE relnamespace = 'hd_runtime'::regnamespace AND relname = %s AND relkind = 'v'",
    }[definition.kind]
    return {signature for (signature,) in conn.execute(query, (definition.object,))}


def _drop(conn: psycopg.Connection, kind: str, name: str) -> None:
    """Drop a function or view; MigrationError when somebody's own objects depend on it."""
    gone = Definition(kind, name, name, "", "")
    for signature in _signatures(conn, gone):
        # The signature is Postgres's own rendering, quoted where it must be.
        statement = sql.SQL("DROP {} {}").format(sql.SQL(kind.upper()), sql.SQL(signature))
        try:
            conn.execute(statement)
        except psycopg.errors.DependentObjectsStillExist as error:
            detail = error.diag.message_detail
            raise MigrationError(
                f"{kind} {signature} must be replaced, but something depends on it: {detail};"
                " drop that, migrate, and make it again"
            ) from error


def _run(conn: psycopg.Connection, name: str, text: str) -> None:
    try:
        conn.execute(text.encode())
    except psycopg.Error as error:
        raise _located(name, text, error) from error


def _located(name: str, text: str, error: psycopg.Error) -> MigrationError:
    """The error with the file and line that it points at."""
    position = error.diag.statement_position
    line = text.count("\n", 0, int(position)) + 1 if position else None
    where = f"{name}, line {line}" if line else name
    detail = "; ".join(
        part for part in (error.diag.message_detail, error.diag.message_hint) if part
    )
    message = f"{where}: {error.diag.message_primary or error}"
    return MigrationError(f"{message} ({detail})" if detail else message)


def _set_search_path(conn: psycopg.Connection) -> str | None:
    """Set the database's search_path; the path if it was not so already."""
    # As the server prints it back, compared in its own form.
    current = conn.execute(
        "SELECT substring(c FROM 13) FROM pg_db_role_setting s, unnest(s.setconfig) AS c"
        " WHERE s.setrole = 0 AND starts_with(c, 'search_path=')"
        " AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).fetchone()
    if current and current[0] == SEARCH_PATH:
        return None
    statement = sql.SQL("ALTER DATABASE {} SET search_path = {}").format(
        sql.Identifier(conn.info.dbname), sql.SQL(SEARCH_PATH)
    )
    try:
        conn.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"only the owner of database {conn.info.dbname} may set its search_path: have them run"
            f" {statement.as_string(conn)}; or migrate without setting it"
        ) from error
    return SEARCH_PATH
