"""What is in a database, and whether it is sound: read-only, for `hatidata runtime status|check`."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from runtime_sql import sources
from runtime_sql.migrate import (
    MigrationError,
    changed_definitions,
    check_bodies,
    pending_migrations,
    schema_exists,
)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file of this package. state: applied, pending, changed, or gone (applied once, not here)."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Status:
    """What is in the database of a connection string, held against this package.

    on_search_path: whether a session of this connection string finds the functions without the
    schema's name. problem: why it cannot be migrated (changed or newer migrations), else None.
    """

    database: str
    server_version: int
    installed: bool
    files: tuple[FileStatus, ...]
    search_path: str
    on_search_path: bool
    problem: str | None

    @property
    def up_to_date(self) -> bool:
        """Whether `migrate` would have nothing to apply."""
        return self.problem is None and all(file.state == "applied" for file in self.files)


def status(conninfo: str) -> Status:
    """Which migrations and definitions are applied. Writes nothing.

    Raises psycopg.OperationalError when there is no connection.
    """
    migrations, definitions = sources.migrations(), sources.definitions()
    with psycopg.connect(conninfo, autocommit=True) as conn:
        installed = schema_exists(conn)
        problem, files = None, []
        if installed:
            try:
                pending = {m.name for m in pending_migrations(conn, migrations)}
            except MigrationError as error:
                problem, pending = str(error), set()
            changed, gone = changed_definitions(conn, definitions)
            changed_names = {d.name for d in changed}
            known = {name for (name,) in conn.execute("SELECT name FROM hd_runtime.schema_files")}
            for migration in migrations:
                state = "pending" if migration.name in pending else "applied"
                files.append(FileStatus(f"migrations/{migration.name}", state))
            for definition in definitions:
                state = "applied"
                if definition.name in changed_names:
                    state = "changed" if definition.name in known else "pending"
                files.append(FileStatus(definition.name, state))
            files += [FileStatus(name, "gone") for name in gone]
        else:
            files = [FileStatus(f"migrations/{m.name}", "pending") for m in migrations]
            files += [FileStatus(d.name, "pending") for d in definitions]
        [(search_path, on_search_path)] = conn.execute(
            "SELECT current_setting('search_path'), 'hd_runtime' = ANY (current_schemas(false))"
        ).fetchall()
        return Status(
            database=conn.info.dbname,
            server_version=conn.info.server_version,
            installed=installed,
            files=tuple(files),
            search_path=search_path,
            on_search_path=on_search_path,
            problem=problem,
        )


# Each query gives a line for each thing that is wrong.
_CHECKS = (
    # What keeps the rules must be there and switched on.
    "SELECT format('trigger %s on %s is disabled', t.tgname, t.tgrelid::regclass)"
    " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " WHERE c.relnamespace = 'hd_runtime'::regnamespace AND t.tgenabled NOT IN ('O', 'A')",
    "SELECT format('trigger %s on hd_runtime.%s is missing', w.name, w.relation)"
    " FROM (VALUES ('record_creation', 'task_attempts'), ('record_transition', 'task_attempts'),"
    "   ('immutable', 'tasks'), ('immutable', 'task_attempts'), ('append_only', 'workflow_events'),"
    "   ('append_only_statement', 'workflow_events'), ('append_only', 'tasks'),"
    "   ('lanes_follow', 'task_classes'),"
    "   ('append_only', 'task_attempts'), ('append_only', 'release_decisions')) AS w (name, relation)"
    " WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = w.name"
    "   AND t.tgrelid = ('hd_runtime.' || w.relation)::regclass)",
    "SELECT format('partition %s can be truncated: its trigger is missing', i.inhrelid::regclass)"
    " FROM pg_inherits i WHERE i.inhparent = 'hd_runtime.workflow_events'::regclass"
    " AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = i.inhrelid"
    "   AND t.tgname = 'append_only_statement')",
    "SELECT format('index %s is invalid', i.indexrelid::regclass)"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
    " WHERE c.relnamespace = 'hd_runtime'::regnamespace AND NOT (i.indisvalid AND i.indisready)",
    "SELECT format('constraint %s on %s is not validated', c.conname, c.conrelid::regclass)"
    " FROM pg_constraint c WHERE c.connamespace = 'hd_runtime'::regnamespace AND NOT c.convalidated",
    "SELECT format('role %s is missing', w) FROM unnest(ARRAY['hd_agent', 'hd_operator']) AS w"
    " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = w)",
    # Agents must not be able to write, nor anybody else to call.
    "SELECT format('%s may %s %s', r.rolname, p, c.oid::regclass)"
    " FROM pg_class c CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p"
    " JOIN pg_roles r ON r.rolname IN ('hd_agent', 'hd_operator')"
    " WHERE c.relnamespace = 'hd_runtime'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
    " AND has_table_privilege(r.oid, c.oid, p)",
    "SELECT format('everybody may call %s', p.oid::regprocedure) FROM pg_proc p"
    " WHERE p.pronamespace = 'hd_runtime'::regnamespace"
    " AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a"
    "   WHERE a.grantee = 0)",
    "SELECT format('function %s runs as its owner without a pinned search_path', p.oid::regprocedure)"
    " FROM pg_proc p WHERE p.pronamespace = 'hd_runtime'::regnamespace AND p.prosecdef"
    " AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE starts_with(c, 'search_path='))"
    # In it every name says its schema; pinning would cost more than a twentieth of its rate.
    " AND p.oid <> 'hd_runtime.heartbeat(uuid, text)'::regprocedure",
    # What housekeep() would have put right, were it running.
    "SELECT format('%s events lie in the default partition: no partition was made in time for %s; hatidata runtime archive moves them',"
    " count(*), to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM'))"
    " FROM hd_runtime.workflow_events_default GROUP BY to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM')",
    "SELECT format('there is no event partition for %s', to_char(m, 'YYYY-MM'))"
    " FROM (VALUES (now() AT TIME ZONE 'UTC'), (now() AT TIME ZONE 'UTC' + interval '1 month')) AS v (m)"
    " WHERE to_regclass(to_char(m, '\"hd_runtime.workflow_events_\"YYYY_MM')) IS NULL",
    "SELECT format('attempt %s: its lease expired %s ago and was not reaped', id,"
    " date_trunc('second', now() - lease_expires))"
    " FROM hd_runtime.task_attempts WHERE lease_check_at IS NOT NULL"
    " AND lease_expires < now() - interval '5 minutes' ORDER BY lease_expires LIMIT 20",
    # Invariants that no constraint can express.
    "SELECT format('task %s is %s, but its last attempt is %s', t.id, t.status, a.status)"
    " FROM hd_runtime.tasks t"
    " LEFT JOIN LATERAL (SELECT x.status, s.leased FROM hd_runtime.task_attempts x"
    "   LEFT JOIN hd_runtime.attempt_states s ON s.status = x.status"
    "   WHERE x.task_id = t.id ORDER BY x.attempt_no DESC LIMIT 1) AS a ON true"
    " WHERE t.status <> CASE a.status WHEN 'preflight_blocked' THEN 'created'"
    "   WHEN 'queued' THEN 'queued' WHEN 'completed_verified' THEN 'done'"
    "   WHEN 'terminal_failed' THEN 'failed' WHEN 'repair_required' THEN 'running'"
    "   ELSE CASE WHEN a.leased THEN 'running' ELSE '' END END LIMIT 20",
    "SELECT format('attempt %s waits below the low-water mark of its lane', a.id)"
    " FROM hd_runtime.task_attempts a JOIN hd_runtime.queue_marks m ON m.lane_id = a.lane_id"
    " AND m.project_id IN ('00000000-0000-0000-0000-000000000000', a.project_id)"
    " AND m.position > a.available_at WHERE a.status = 'queued' LIMIT 20",
    "SELECT format('task %s waits for nothing: all that it needs is done', t.id)"
    " FROM hd_runtime.tasks t WHERE t.status = 'created' AND NOT EXISTS ("
    "   SELECT FROM hd_runtime.task_dependencies d JOIN hd_runtime.tasks n ON n.id = d.needs_task_id"
    "   WHERE d.task_id = t.id AND n.status <> 'done') LIMIT 20",
)


def check(conninfo: str) -> list[str]:
    """All that is wrong with hd_runtime in a database, a line each; empty when it is sound.

    Holds the files against what is applied, compiles every function, looks for rules that were
    switched off, rights that should not be, and rows that contradict each other. Does not verify
    hash chains (`verify_events` does, a task at a time). Writes nothing.
    """
    found = status(conninfo)
    problems = [found.problem] if found.problem else []
    problems += [f"{file.name} is {file.state}" for file in found.files if file.state != "applied"]
    if not found.installed:
        return ["hd_runtime is not installed"]
    if not found.on_search_path:
        problems.append(
            f"search_path is {found.search_path}: the functions need their schema's name there"
        )
    if any(file.state != "applied" for file in found.files):
        return problems
    with psycopg.connect(conninfo, autocommit=True) as conn, conn.transaction(force_rollback=True):
        try:
            check_bodies(conn)
        except MigrationError as error:
            return [*problems, str(error)]
        for query in _CHECKS:
            problems += [problem for (problem,) in conn.execute(query)]
    return problems
