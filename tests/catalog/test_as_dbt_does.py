"""What dbt-postgres does between a model's BEGIN and COMMIT, from several threads at once: each of these is what
one of its own functional tests for adapters rests on, without dbt."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

_DIALECT = "-c hatidata.dialect=postgres -c search_path=scratch"


@pytest.fixture
def pg(server: Any, schema: str) -> Iterator[psycopg.Connection]:
    with server.connect(options=_DIALECT) as connection:
        yield connection


@pytest.fixture
def threads(server: Any, pg: psycopg.Connection) -> Iterator[list[psycopg.Connection]]:
    """Two, each in blocks of its own."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(server.connect(options=_DIALECT, autocommit=False)) for _ in "ab"
        ]


def rows(connection: psycopg.Connection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def begin_model(thread: psycopg.Connection, table: str) -> None:
    thread.execute(f'CREATE TABLE "hatidata"."scratch"."{table}__tmp" AS (SELECT 2 AS x)')


def swap(thread: psycopg.Connection, table: str) -> None:
    thread.execute(f"ALTER TABLE scratch.{table} RENAME TO {table}__backup")
    thread.execute(f"ALTER TABLE scratch.{table}__tmp RENAME TO {table}")


@pytest.mark.parametrize("later", ["still open", "committed meanwhile"])
def test_two_threads_replace_tables_that_one_view_reads(
    pg: psycopg.Connection, threads: list[psycopg.Connection], later: str
) -> None:
    one, other = threads
    for table in "ab":
        pg.execute(f"CREATE TABLE {table} AS SELECT 1 AS x")
    pg.execute("CREATE VIEW both_of_them AS SELECT x FROM a UNION ALL SELECT x FROM b")
    told: list[str] = []
    other.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    begin_model(one, "a")
    begin_model(other, "b")
    swap(one, "a")
    if later == "committed meanwhile":
        one.commit()
    swap(other, "b")
    one.commit()
    other.commit()
    assert told == ['view "both_of_them" does not follow: another transaction changes it']
    one.execute("DROP TABLE IF EXISTS scratch.a__backup CASCADE")
    one.commit()
    other.execute("DROP TABLE IF EXISTS scratch.b__backup CASCADE")
    other.commit()
    assert rows(pg, "SELECT x FROM a UNION ALL SELECT x FROM b") == [(2,), (2,)]
    # Nobody else is at the view now: it follows again.
    pg.execute("CREATE OR REPLACE VIEW both_of_them AS SELECT x FROM a UNION ALL SELECT x FROM b")
    begin_model(other, "b")
    swap(other, "b")
    other.commit()
    assert "b__backup" in rows(pg, "SELECT pg_get_viewdef('both_of_them'::regclass)")[0][0]


def test_a_drop_that_takes_a_view_along_waits_for_who_makes_it_follow(
    pg: psycopg.Connection, threads: list[psycopg.Connection]
) -> None:
    one, _ = threads
    pg.execute("CREATE TABLE a AS SELECT 1 AS x")
    pg.execute("CREATE TABLE b AS SELECT 1 AS x")
    pg.execute("CREATE VIEW both_of_them AS SELECT x FROM a UNION ALL SELECT x FROM b")
    begin_model(one, "a")
    swap(one, "a")
    with ThreadPoolExecutor(1) as pool:
        dropped = pool.submit(pg.execute, "DROP TABLE scratch.b CASCADE")
        one.commit()  # before or after the DROP has come: it finds the view free
        dropped.result()
    assert rows(pg, "SELECT count(*) FROM pg_views WHERE viewname = 'both_of_them'") == [(0,)]


def test_a_column_s_type_is_changed_by_way_of_another(pg: psycopg.Connection) -> None:
    pg.execute("CREATE TABLE t (id int, v int DEFAULT 7, kept text NOT NULL)")
    pg.execute("INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y')")
    with pg.transaction():
        pg.execute(
            'ALTER TABLE scratch.t ADD COLUMN "v__dbt_alter" text; '
            'UPDATE scratch.t SET "v__dbt_alter" = v; '
            "ALTER TABLE scratch.t DROP COLUMN v CASCADE; "
            'ALTER TABLE scratch.t RENAME COLUMN "v__dbt_alter" TO v'
        )
    assert rows(pg, "SELECT * FROM t ORDER BY id") == [(1, "x", "10"), (2, "y", "20")]
    for change in ("ADD COLUMN more int", "ALTER COLUMN id TYPE bigint", "ALTER id SET NOT NULL"):
        with pg.transaction():
            pg.execute("UPDATE t SET kept = upper(kept)")
            pg.execute(f"ALTER TABLE t {change}")
            pg.execute("DELETE FROM t WHERE kept = 'nobody'")
    assert rows(pg, "SELECT id, kept, more FROM t ORDER BY 1") == [(1, "X", None), (2, "Y", None)]
    with pytest.raises(psycopg.errors.NotNullViolation):
        pg.execute("INSERT INTO t VALUES (NULL, 'z', '', 1)")


def test_a_star_stands_for_the_columns_that_there_were(pg: psycopg.Connection) -> None:
    pg.execute("CREATE TABLE t (a int, b int)")
    pg.execute("CREATE TABLE u (a int, x int)")
    pg.execute("INSERT INTO t VALUES (1, 2)")
    pg.execute("INSERT INTO u VALUES (1, 9)")
    views = {
        "SELECT * FROM (SELECT * FROM t WHERE true LIMIT 9) q": [(1, 2)],
        "SELECT t.*, u.x FROM t JOIN u ON t.a = u.a": [(1, 2, 9)],
        "SELECT * FROM t CROSS JOIN (SELECT x FROM u) q": [(1, 2, 9)],
        "SELECT * FROM t UNION ALL SELECT * FROM u": [(1, 2), (1, 9)],
        "WITH c AS (SELECT * FROM t) SELECT c.*, 0 AS k FROM c": [(1, 2, 0)],
    }
    for number, query in enumerate(views):
        pg.execute(f"CREATE VIEW v{number} AS {query}")
    pg.execute("ALTER TABLE t ADD COLUMN c text, ADD COLUMN d int DEFAULT 4")
    for number, found in enumerate(views.values()):
        assert rows(pg, f"SELECT * FROM v{number} ORDER BY 1, 2") == found
    pg.execute("ALTER TABLE t DROP COLUMN c")
    assert rows(pg, "SELECT * FROM t") == [(1, 2, 4)]


def test_a_contract_s_keys_name_their_table_in_full(pg: psycopg.Connection) -> None:
    pg.execute("SET search_path = public")
    pg.execute('CREATE TABLE "hatidata"."scratch"."parent" (id int PRIMARY KEY)')
    pg.execute(
        'CREATE TABLE "hatidata"."scratch"."child__tmp" (id int NOT NULL PRIMARY KEY CHECK (id > 0), '
        'parent int REFERENCES "hatidata"."scratch"."parent" (id))'
    )
    pg.execute("INSERT INTO scratch.parent VALUES (1)")
    pg.execute('ALTER TABLE "hatidata"."scratch"."child__tmp" RENAME TO "child"')
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        pg.execute("INSERT INTO scratch.child VALUES (1, 2)")
    assert rows(
        pg,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' "
        "AND conrelid = 'scratch.child'::regclass",
    ) == [("FOREIGN KEY (parent) REFERENCES scratch.parent(id)",)]


def test_what_was_granted_is_found_among_what_one_has_granted_oneself(
    pg: psycopg.Connection,
) -> None:
    show = (
        "SELECT grantee, privilege_type FROM information_schema.role_table_grants "
        "WHERE grantor = current_role AND grantee != current_role "
        "AND table_schema = 'scratch' AND table_name = 't'"
    )
    pg.execute("CREATE TABLE t (a int)")
    assert rows(pg, show) == []
    pg.execute("GRANT SELECT ON t TO hd_agent")
    assert rows(pg, show) == [("hd_agent", "SELECT")]
    pg.execute("REVOKE SELECT ON t FROM hd_agent")
    assert rows(pg, show) == []
    owner = (
        "SELECT pg_get_userbyid(relowner), current_user FROM pg_class "
        "WHERE relname = 't' AND relnamespace = 'scratch'::regnamespace"
    )
    ((told, me),) = rows(pg, owner)
    assert told == me


def test_a_column_may_be_called_as_a_function(pg: psycopg.Connection) -> None:
    pg.execute("CREATE TABLE t (date_part text, day date)")
    pg.execute("INSERT INTO t VALUES ('month', '2018-01-02')")
    asked = pg.execute(
        "SELECT date_part, CASE WHEN date_part = 'month' THEN date_part('year', day) END AS y FROM t"
    )
    assert [column.name for column in asked.description or ()] == ["date_part", "y"]
    assert asked.fetchall() == [("month", 2018.0)]
