"""What is remembered of tables is what DuckDB would list, whatever was defined by whomever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from proxy.engines.declarations import Declared, read_told
from proxy.engines.duck import DuckEngine, DuckSession
from proxy.engines.duck_names import DATABASE
from proxy.engines.duckdb_c import DuckError
from proxy.errors import SqlError


@pytest.fixture
def sessions(engine: DuckEngine) -> Iterator[list[DuckSession]]:
    opened = [engine.session(), engine.session()]
    yield opened
    for session in opened:
        session.close()


def define(session: DuckSession, sql: str) -> None:
    session.start_text(sql).finish()


def remembered(session: DuckSession, name: str, schema: str = "main") -> Declared | None:
    """Without a look at the catalog."""
    return session._watch.tables.of(schema, name)


def listed(session: DuckSession, name: str, schema: str = "main") -> Declared:
    return read_told(session.run, DATABASE).get((schema, name.lower()), Declared())


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b VARCHAR CHECK (length(b) <= 3), c INTEGER UNIQUE)",
        "CREATE TABLE t (a INTEGER, b INTEGER, PRIMARY KEY (a, b), CHECK (a > b AND b IN (1, 2)))",
        "CREATE TABLE t (a INTEGER DEFAULT nextval('s') NOT NULL CHECK (a BETWEEN 1 AND 9), b INT)",
        "CREATE TABLE t (a INTEGER DEFAULT (1 + (2)) UNIQUE, b DATE DEFAULT current_date, UNIQUE (b))",
        "CREATE TABLE t (a INTEGER, b INTEGER REFERENCES parents (id), FOREIGN KEY (a) REFERENCES parents)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER REFERENCES t (a))",
        'CREATE OR REPLACE TABLE main.t ("default" INTEGER DEFAULT NULL, "check" VARCHAR COLLATE NOCASE)',
        "CREATE TABLE t (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2))",
        "CREATE TABLE t AS SELECT 1 AS a",
        "CREATE TABLE IF NOT EXISTS t (a INTEGER CHECK (a > 0))",
    ],
)
def test_what_a_statement_makes_is_read_from_it(sessions: list[DuckSession], sql: str) -> None:
    one, other = sessions
    define(one, "CREATE SEQUENCE s")
    define(one, "CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    define(one, sql)
    define(one, "COMMENT ON COLUMN t.b IS 'x'") if " b " in sql else None
    define(one, "COMMENT ON TABLE main.t IS 'it''s'")
    assert remembered(one, "T") == listed(one, "t")
    assert remembered(other, "t") == listed(one, "t")


def test_a_type_of_one_s_own_is_not_understood_and_listed(sessions: list[DuckSession]) -> None:
    one, _ = sessions
    define(one, "CREATE TYPE mood AS ENUM ('good', 'bad')")
    define(one, "CREATE TABLE t (a mood CHECK (a <> 'bad'))")
    assert remembered(one, "t") is None
    one.begin()
    assert one.told("main", "t") == listed(one, "t")
    one.rollback()
    assert remembered(one, "t") == listed(one, "t")


def test_a_table_that_is_there_stays_what_it_is(sessions: list[DuckSession]) -> None:
    one, _ = sessions
    define(one, "CREATE TABLE t (a INTEGER CHECK (a > 0))")
    define(one, "CREATE TABLE IF NOT EXISTS t (b INTEGER)")
    assert remembered(one, "t") == listed(one, "t") != Declared()


def test_what_is_not_committed_is_its_author_s_alone(sessions: list[DuckSession]) -> None:
    one, other = sessions
    define(one, "CREATE TABLE t (a INTEGER)")
    other.begin()
    other.run("SELECT * FROM t")
    one.begin()
    define(one, "COMMENT ON TABLE t IS 'new'")
    assert (remembered(one, "t") or Declared()).comment == "new"
    assert remembered(other, "t") is None
    one.commit()
    assert remembered(other, "t") is None  # its snapshot is older
    assert other.told("main", "t").comment is None
    other.rollback()
    assert (remembered(other, "t") or Declared()).comment == "new"


def test_a_rollback_takes_it_back(sessions: list[DuckSession]) -> None:
    one, other = sessions
    define(one, "CREATE TABLE t (a INTEGER)")
    one.begin()
    define(one, "DROP TABLE t")
    define(one, "CREATE TABLE t (a INTEGER CHECK (a > 0))")
    assert remembered(one, "t") == listed(one, "t") != Declared()
    one.rollback()
    for session in (one, other):
        session.begin()
        assert session.told("main", "t") == Declared()
        session.rollback()


def test_what_fails_leaves_nothing(sessions: list[DuckSession]) -> None:
    one, other = sessions
    define(one, "CREATE TABLE t (a INTEGER CHECK (a > 0))")
    with pytest.raises(DuckError):
        define(one, "CREATE TABLE t (b INTEGER)")
    with pytest.raises(DuckError):
        define(one, "COMMENT ON COLUMN t.nothing IS 'x'")
    other.begin()
    assert other.told("main", "t") == listed(other, "t")
    other.rollback()


_DEFINITIONS = (
    "CREATE TABLE {t} (a INTEGER PRIMARY KEY, b VARCHAR CHECK (b <> '{n}'), c INTEGER)",
    "CREATE TABLE IF NOT EXISTS {t} (a INTEGER, b VARCHAR, c INTEGER CHECK (c > {n}))",
    "CREATE OR REPLACE TABLE {t} (a INTEGER UNIQUE, b VARCHAR, c INTEGER)",
    "CREATE TABLE {t} AS SELECT {n} AS a, 'x' AS b, 1 AS c",
    "CREATE TEMP TABLE {t} (a INTEGER CHECK (a > {n}), b VARCHAR)",
    "DROP TABLE {t}",
    "DROP TABLE IF EXISTS {t}",
    "COMMENT ON TABLE {t} IS 'no {n}'",
    "COMMENT ON COLUMN {t}.b IS 'no {n}'",
    "COMMENT ON COLUMN {t}.b IS NULL",
    "ALTER TABLE {t} ADD COLUMN d{n} INTEGER DEFAULT {n}",
    "ALTER TABLE {t} DROP COLUMN c",
    "ALTER TABLE {t} RENAME COLUMN b TO c{n}",
    "ALTER TABLE {t} RENAME TO u{n}",
    "ALTER TABLE {t} ALTER COLUMN c SET DEFAULT {n}",
    "ALTER TABLE {t} ALTER COLUMN c SET NOT NULL",
    "ALTER TABLE {t} ALTER c TYPE BIGINT",
    "ALTER TABLE {t} ADD PRIMARY KEY (a)",
    "CREATE INDEX i{n} ON {t} (a)",
    "CREATE OR REPLACE VIEW v AS SELECT {n} AS a",
    "CREATE SCHEMA IF NOT EXISTS other",
)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_so_after_anything(sessions: list[DuckSession], seed: int) -> None:
    """Two sessions, in and out of transactions; what is remembered is what is listed, or nothing."""
    chance = random.Random(seed)
    sure = 0
    open_ = dict.fromkeys(range(2), False)
    define(sessions[0], "CREATE SCHEMA other")
    for _ in range(150):
        number = chance.randrange(2)
        session = sessions[number]
        step = chance.random()
        if step < 0.08 and not open_[number]:
            session.begin()
            open_[number] = True
        elif step < 0.2 and open_[number]:
            with suppress(DuckError, SqlError):
                (session.commit if step < 0.14 else session.rollback)()
            open_[number] = False
        elif step < 0.25:
            with suppress(DuckError, SqlError):
                session.apply("search_path", chance.choice(("main", "other, main")))
        else:
            sql = chance.choice(_DEFINITIONS)
            name = chance.choice(("t1", "t2", "main.t1", "other.t2", "T1", "u1"))
            try:
                define(session, sql.format(t=name, n=chance.randrange(1, 4)))
            except (DuckError, SqlError) as error:
                if open_[number] and "aborted" in str(error):
                    session.rollback()
                    open_[number] = False
        for asking, other in enumerate(sessions):
            if not open_[asking]:
                other.begin()
            try:
                truth = read_told(other.run, DATABASE)
            except (DuckError, SqlError):
                truth = None
            if truth is not None:
                for schema in ("main", "other"):
                    for name in ("t1", "t2", "u1", "u2"):
                        known = remembered(other, name, schema)
                        if known is not None and (schema, name) in truth:
                            sure += 1
                            assert known == truth[schema, name], (schema, name)
                if chance.random() < 0.2:
                    other.all_told()
            if not open_[asking]:
                other.rollback()
            elif truth is None:
                other.rollback()
                open_[asking] = False
    assert sure > 50
