"""Definitions are mirrored while their author goes on: who asks the catalog waits, nobody else does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.relay.pooled import Pooled, stopped, wait_until

MIRROR = "SELECT pid FROM pg_stat_activity WHERE application_name = 'hatidata mirror'"
TABLES = "SELECT relname FROM pg_class WHERE relname LIKE 'behind%' AND relkind IN ('r', 'v')"


def test_only_a_catalog_question_waits_for_the_mirror(pool: Pooled) -> None:
    with pool.connect() as author, pool.connect() as other, ThreadPoolExecutor() as threads:
        author.execute("CREATE TABLE first_of_all (n int)")  # the mirror has its connection
        assert author.execute(TABLES).fetchall() == []  # ... and nothing to do
        ((mirror,),) = wait_until(lambda: pool.as_admin(MIRROR), "the mirror's backend")
        with stopped(mirror):
            author.execute("CREATE TABLE behind (n int PRIMARY KEY)")
            author.execute("CREATE TABLE behind_it (n int REFERENCES behind)")
            author.execute("CREATE VIEW behind_both AS SELECT count(*) AS how_many FROM behind")
            author.execute("INSERT INTO behind VALUES (1)")
            author.execute("INSERT INTO behind_it VALUES (1)")
            assert author.execute("SELECT * FROM behind_both").fetchall() == [(1,)]
            assert other.execute("SELECT note FROM hd_runtime.notes WHERE id = 1").fetchone()
            assert pool.as_admin(TABLES) == []
            asked = threads.submit(lambda: other.execute(TABLES).fetchall())
        assert sorted(asked.result()) == [("behind",), ("behind_both",), ("behind_it",)]
        keys = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass"
        assert author.execute(keys + " AND contype = 'f'", ["behind_it"]).fetchall() == [
            ("FOREIGN KEY (n) REFERENCES behind(n)",)
        ]
        author.execute("DROP VIEW behind_both; DROP TABLE behind_it; DROP TABLE behind")
        assert other.execute(TABLES).fetchall() == []
        author.execute("DROP TABLE first_of_all")


@pytest.mark.parametrize(
    ("definition", "question", "answer"),
    [
        ("SCHEMA behind", "SELECT current_schema", "behind"),
        ("SCHEMA behind", "SELECT current_schemas(false)", ["behind", "public"]),
        ("SCHEMA behind", "SELECT has_schema_privilege('behind', 'USAGE')", True),
        ("TABLE behind (n int)", "SELECT 'behind'::regclass::text", "behind"),
        ("TABLE behind (n int)", "SELECT to_regclass('behind')::text", "behind"),
        ("TYPE behind AS ENUM ('a')", "SELECT to_regtype('behind')::text", "behind"),
    ],
)
def test_functions_that_tell_of_the_catalog_wait(
    pool: Pooled, definition: str, question: str, answer: Any
) -> None:
    with pool.connect(options="-c hatidata.dialect=postgres") as author, ThreadPoolExecutor() as on:
        author.execute("SET search_path = behind, public")
        author.execute("CREATE TABLE first_of_all (n int); DROP TABLE first_of_all")
        assert author.execute(TABLES).fetchall() == []  # the mirror has nothing to do
        ((mirror,),) = wait_until(lambda: pool.as_admin(MIRROR), "the mirror's backend")
        with stopped(mirror):
            author.execute(f"CREATE {definition}")
            asked = on.submit(lambda: author.execute(question).fetchall())
            with pytest.raises(TimeoutError):
                asked.result(0.2)
        assert asked.result() == [(answer,)]
        author.execute(f"DROP {' '.join(definition.split()[:2])}")


def test_a_block_sees_what_was_defined_before_it(pool: Pooled) -> None:
    """What the block defines is mirrored by its own backend, over what another is about to mirror."""
    with pool.connect() as author:
        for round_ in range(20):
            author.execute(f"CREATE TABLE behind_{round_} (n int PRIMARY KEY)")
            with author.transaction():
                author.execute(f"CREATE TABLE behind_it (n int REFERENCES behind_{round_})")
                found = author.execute(
                    "SELECT confrelid::regclass::text FROM pg_constraint"
                    " WHERE conrelid = 'behind_it'::regclass AND contype = 'f'"
                ).fetchall()
                assert found == [(f"behind_{round_}",)]
                raise psycopg.Rollback
        for round_ in range(20):
            author.execute(f"DROP TABLE behind_{round_}")
        assert author.execute(TABLES).fetchall() == []


def test_views_made_in_one_go_are_shown_as_their_author_wrote_them(pool: Pooled) -> None:
    """Also amid definitions that concern the views of a table."""
    names = [f"behind_{word}" for word in ("one", "two", "three", "four", "five", "six")]
    with pool.connect(options="-c hatidata.dialect=postgres") as author:
        author.execute("CREATE TABLE behind (n int PRIMARY KEY)")
        for turn in range(3):
            for name in names:
                query = f"SELECT n + {turn}   AS {name} FROM behind"
                author.execute(f"CREATE OR REPLACE VIEW {name} AS {query}".encode())
            author.execute(f"ALTER TABLE behind ADD COLUMN c{turn} int".encode())
            author.execute("COMMENT ON VIEW behind_two IS 'the second'")
        found = author.execute(
            "SELECT c.relname, pg_get_viewdef(c.oid), obj_description(c.oid) FROM pg_class c"
            " WHERE c.relname LIKE 'behind%' AND c.relkind = 'v'"
        ).fetchall()
        assert {name: text for name, text, _ in found} == {
            name: f" SELECT (n + 2) AS {name}\n   FROM behind;" for name in names
        }
        assert [said for name, _, said in found if name == "behind_two"] == ["the second"]
        columns = (
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'behind'::regclass AND attnum > 0"
        )
        assert author.execute(columns).fetchone() == (4,)
        author.execute(f"DROP VIEW {', '.join(names)}".encode())
        author.execute("DROP TABLE behind")
