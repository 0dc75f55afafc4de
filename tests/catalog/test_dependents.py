"""DROP ... CASCADE takes along what Postgres would: views over what is dropped, keys that refer to it.
Without CASCADE, they are in the way."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def told(connection: psycopg.Connection, schema: str) -> list[tuple[str, str]]:
    """What notices say, and their details."""
    notices: list[tuple[str, str]] = []
    connection.add_notice_handler(
        lambda notice: notices.append((notice.message_primary or "", notice.message_detail or ""))
    )
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
    connection.execute("CREATE VIEW over_t AS SELECT id FROM t WHERE n > 0")
    connection.execute('CREATE VIEW "Over that" AS SELECT count(*) AS c FROM over_t')
    connection.execute("CREATE VIEW none AS WITH t AS (SELECT 1 AS id) SELECT id FROM t")
    connection.execute("CREATE VIEW words AS SELECT 't' AS t, 'over_t' AS over_t")
    return notices


def relations(connection: psycopg.Connection) -> list[str]:
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'scratch'::regnamespace "
        "AND relkind IN ('r', 'v') ORDER BY 1"
    )
    return [name for (name,) in found]


@pytest.mark.parametrize("prepare", [False, True])
def test_views_go_with_a_table(
    connection: psycopg.Connection, told: list[tuple[str, str]], prepare: bool
) -> None:
    connection.execute("DROP TABLE t CASCADE", prepare=prepare)
    assert told == [
        (
            "drop cascades to 2 other objects",
            'drop cascades to view over_t\ndrop cascades to view "Over that"',
        )
    ]
    assert relations(connection) == ["none", "words"]
    assert connection.execute("SELECT * FROM none").fetchall() == [(1,)]
    with pytest.raises(errors.UndefinedTable):
        connection.execute("SELECT * FROM over_t")


def test_views_go_with_a_view(connection: psycopg.Connection, told: list[tuple[str, str]]) -> None:
    connection.execute("DROP VIEW IF EXISTS over_t CASCADE")
    assert told == [('drop cascades to view "Over that"', "")]
    assert relations(connection) == ["none", "t", "words"]
    connection.execute("DROP VIEW words CASCADE")
    connection.execute("DROP VIEW IF EXISTS words CASCADE")
    assert [message for message, _ in told[1:]] == ['view "words" does not exist, skipping']


def test_a_rollback_brings_them_back(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    before = relations(connection)
    with connection.transaction(force_rollback=True):
        connection.execute("DROP TABLE t CASCADE")
        assert relations(connection) == ["none", "words"]
    assert relations(connection) == before
    assert connection.execute('SELECT * FROM "Over that"').fetchall() == [(0,)]


def test_keys_that_refer_go_with_a_table(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    connection.execute("DROP VIEW over_t CASCADE")
    connection.execute("CREATE TABLE c (t int CONSTRAINT of_t REFERENCES t (id))")
    connection.execute("INSERT INTO t VALUES (1, 1)")
    connection.execute("INSERT INTO c VALUES (1)")
    del told[:]
    connection.execute("DROP TABLE t CASCADE")
    assert told == [("drop cascades to constraint of_t on table c", "")]
    assert connection.execute("SELECT * FROM c").fetchall() == [(1,)]


def test_equal_keys_of_two_tables_are_named_each(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    connection.execute("DROP VIEW over_t CASCADE")
    for name in ("c", "d"):
        connection.execute(f"CREATE TABLE {name} (t int CONSTRAINT of_t REFERENCES t (id))")
    connection.execute("INSERT INTO t VALUES (1, 1)")
    connection.execute("INSERT INTO c VALUES (1)")
    del told[:]
    connection.execute("DROP TABLE t CASCADE")
    [(message, detail)] = told
    assert message == "drop cascades to 2 other objects"
    assert sorted(detail.splitlines()) == [
        "drop cascades to constraint of_t on table c",
        "drop cascades to constraint of_t on table d",
    ]
    connection.execute("INSERT INTO c VALUES (2)")
    connection.execute("INSERT INTO d VALUES (3)")


def test_a_view_of_another_schemas_table_stays(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    connection.execute("CREATE SCHEMA scratch_2")
    try:
        connection.execute("CREATE TABLE scratch_2.t (id int)")
        connection.execute("CREATE VIEW scratch_2.over_own AS SELECT id FROM scratch_2.t")
        connection.execute("DROP TABLE t CASCADE")
        assert connection.execute("SELECT * FROM scratch_2.over_own").fetchall() == []
    finally:
        connection.execute("DROP SCHEMA scratch_2 CASCADE")


REFUSED = (
    (
        "DROP TABLE t",
        "cannot drop table t because other objects depend on it",
        'view over_t depends on table t\nview "Over that" depends on view over_t',
    ),
    (
        "DROP VIEW over_t",
        "cannot drop view over_t because other objects depend on it",
        'view "Over that" depends on view over_t',
    ),
    (
        "ALTER TABLE t DROP COLUMN n",
        "cannot drop column n of table t because other objects depend on it",
        'view over_t depends on column n of table t\nview "Over that" depends on view over_t',
    ),
    (
        "DROP TABLE t, c",
        "cannot drop desired object(s) because other objects depend on them",
        'view over_t depends on table t\nview "Over that" depends on view over_t',
    ),
)


def test_without_cascade_what_is_depended_on_stays(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    before = relations(connection)
    connection.execute("CREATE TABLE c (t int)")
    for statement, message, detail in REFUSED:
        with pytest.raises(errors.DependentObjectsStillExist) as refused:
            connection.execute(statement)
        assert refused.value.diag.message_primary == message
        assert refused.value.diag.message_detail == detail
        assert refused.value.diag.message_hint == (
            "Use DROP ... CASCADE to drop the dependent objects too."
        )
    connection.execute("DROP TABLE c")
    with pytest.raises(errors.FeatureNotSupported, match="type of a column used by a view") as no:
        connection.execute("ALTER TABLE t ALTER COLUMN n TYPE bigint")
    assert no.value.diag.message_detail == 'rule _RETURN on view over_t depends on column "n"'
    assert relations(connection) == before
    connection.execute("ALTER TABLE t DROP COLUMN n CASCADE")
    assert told == [
        (
            "drop cascades to 2 other objects",
            'drop cascades to view over_t\ndrop cascades to view "Over that"',
        )
    ]


def test_keys_are_in_the_way_and_what_goes_together_is_not(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    connection.execute("CREATE TABLE c (t int CONSTRAINT of_t REFERENCES t (id))")
    with pytest.raises(errors.DependentObjectsStillExist) as refused:
        connection.execute("DROP TABLE t")
    assert (refused.value.diag.message_detail or "").startswith(
        "constraint of_t on table c depends on table t\nview over_t"
    )
    connection.execute('DROP VIEW over_t, "Over that"')
    connection.execute("DROP TABLE t, c")
    assert relations(connection) == ["none", "words"]


def test_a_schema_is_in_the_way_of_nothing_but_itself(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    connection.execute("CREATE SCHEMA scratch_2")
    connection.execute("CREATE TABLE scratch_2.p (id serial PRIMARY KEY)")
    connection.execute("CREATE TABLE scratch_2.c (id int REFERENCES scratch_2.p)")
    connection.execute("CREATE SEQUENCE scratch_2.s")
    connection.execute("CREATE VIEW elsewhere AS SELECT id FROM scratch_2.p")
    with pytest.raises(
        errors.DependentObjectsStillExist, match="cannot drop schema scratch_2"
    ) as no:
        connection.execute("DROP SCHEMA scratch_2")
    contents = ["table scratch_2.p", "table scratch_2.c", "sequence scratch_2.s"]
    lines = [f"{one} depends on schema scratch_2" for one in contents]
    lines.append("view elsewhere depends on table scratch_2.p")
    assert sorted((no.value.diag.message_detail or "").splitlines()) == sorted(lines)
    with pytest.raises(errors.DependentObjectsStillExist, match="cannot drop column id of table"):
        connection.execute("ALTER TABLE scratch_2.p DROP COLUMN id")
    connection.execute("DROP SCHEMA scratch_2 CASCADE")
    ((message, detail),) = told
    assert message == "drop cascades to 4 other objects"
    gone = sorted(f"drop cascades to {one}" for one in [*contents, "view elsewhere"])
    assert sorted(detail.splitlines()) == gone
    assert "elsewhere" not in relations(connection)


def test_views_depend_on_what_they_read_in_the_catalog(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    asked = (
        "SELECT view_name, table_name, string_agg(column_name, ' ' ORDER BY column_name) "
        "FROM information_schema.view_column_usage WHERE view_schema = 'scratch' GROUP BY 1, 2 ORDER BY 1"
    )
    assert connection.execute(asked).fetchall() == [("over_t", "t", "id n")]
    connection.execute("SET hatidata.dialect = 'snowflake'")
    connection.execute("DROP TABLE t")  # the view stays, as it does in Snowflake
    assert connection.execute(asked).fetchall() == []
    assert "over_t" in relations(connection)
    connection.execute("CREATE TABLE t (id INT, n INT, m INT)")
    assert connection.execute(asked).fetchall() == [("over_t", "t", "id n")]
    connection.execute("ALTER TABLE t RENAME TO other")
    assert connection.execute(asked).fetchall() == []
    connection.execute("ALTER TABLE other RENAME TO t")
    connection.execute("ALTER TABLE t DROP COLUMN m")
    assert connection.execute(asked).fetchall() == [("over_t", "t", "id n")]


def test_views_follow_what_is_renamed(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    connection.execute("COMMENT ON VIEW over_t IS 'kept'")
    connection.execute("INSERT INTO t VALUES (1, 1)")
    with connection.transaction():  # as dbt puts a new table in the place of an old one
        connection.execute("ALTER TABLE t RENAME TO t_old")
        connection.execute("CREATE TABLE t (id int, n int)")
        asked = (
            "SELECT table_name FROM information_schema.view_table_usage WHERE view_name = 'over_t'"
        )
        assert connection.execute(asked).fetchall() == [("t_old",)]
    assert connection.execute("SELECT * FROM over_t").fetchall() == [(1,)]
    connection.execute("ALTER VIEW over_t RENAME TO over_old")
    assert connection.execute('SELECT * FROM "Over that"').fetchall() == [(1,)]
    assert connection.execute("SELECT obj_description('over_old'::regclass)").fetchone() == (
        "kept",
    )
    connection.execute("DROP TABLE t_old CASCADE")
    assert relations(connection) == ["none", "t", "words"]


def test_snowflakes_views_do_not(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (id INT)")
    connection.execute("CREATE VIEW v AS SELECT id FROM t")
    connection.execute("ALTER TABLE t RENAME TO other")
    connection.execute("CREATE TABLE t AS SELECT 2 AS id")
    assert connection.execute("SELECT * FROM v").fetchall() == [(2,)]
    asked = "SELECT count(*) FROM information_schema.view_table_usage WHERE view_name = 'v'"
    assert connection.execute(asked).fetchone() == (0,)


def test_snowflakes_cascade_is_about_keys(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (id INT)")
    connection.execute("CREATE VIEW v AS SELECT id FROM t")
    connection.execute("DROP TABLE t CASCADE")
    assert relations(connection) == ["v"]


def test_a_column_keeps_its_collation_while_what_it_reads_goes(
    connection: psycopg.Connection, told: list[tuple[str, str]]
) -> None:
    connection.execute("CREATE TABLE texts (a text)")
    connection.execute('CREATE VIEW sorted AS SELECT a COLLATE "C" AS x, a FROM texts')
    connection.execute("CREATE VIEW longest AS SELECT max(x) AS y FROM sorted")
    connection.execute("DROP TABLE texts CASCADE")
    connection.execute("CREATE TABLE texts (id int PRIMARY KEY)")
    keys = "SELECT conname FROM pg_constraint WHERE conrelid = 'texts'::regclass AND contype = 'p'"
    assert connection.execute(keys).fetchall() == [("texts_pkey",)]
    assert {"sorted", "longest"}.isdisjoint(relations(connection))
