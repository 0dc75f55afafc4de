"""What is remembered of tables is what DuckDB would list, whatever was defined by whomever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from proxy.engines.declarations import Declared, read_told
from proxy.engines.duck.c import DuckError
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.duck.names import DATABASE
from proxy.engines.duck.session import DuckSession
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


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE t",
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE t ADD PRIMARY KEY (a)",
        "ALTER TABLE t ADD COLUMN d INTEGER",
        "CREATE OR REPLACE TABLE t (a INTEGER CHECK (a > 9))",
        "COMMENT ON TABLE t IS 'other'",
    ],
)
def test_what_is_rolled_back_leaves_all_tables_known(sessions: list[DuckSession], sql: str) -> None:
    one, other = sessions
    define(one, "CREATE TABLE t (a INTEGER CHECK (a > 0), b INTEGER)")
    define(one, "CREATE TABLE others (a INTEGER)")
    define(one, "COMMENT ON TABLE t IS 'mine'")
    one.begin()
    one.all_told()
    one.rollback()
    one.begin()
    define(one, sql)
    define(one, "CREATE TABLE made (a INTEGER)")
    one.rollback()
    for session in sessions:
        session.begin()
        assert remembered(session, "t") == listed(session, "t") != Declared()
        # None: it would have to list all.
        known = session._watch.tables.referring("main", "t", lambda _: False)
        assert known == []
        session.rollback()
    assert remembered(other, "others") == Declared()


def test_what_was_dropped_is_not_looked_for(sessions: list[DuckSession]) -> None:
    one, other = sessions
    define(one, "CREATE TABLE t (a INTEGER PRIMARY KEY)")
    define(one, "CREATE SCHEMA s")
    define(one, "CREATE TABLE s.twice (a INTEGER)")
    one.begin()
    one.all_told()
    one.rollback()
    for number in range(3):
        define(one, f"CREATE TABLE d{number} (a INTEGER REFERENCES t (a))")
        define(other, f"DROP TABLE d{number}")
    define(one, "CREATE TABLE twice (a INTEGER REFERENCES t (a))")
    define(other, "DROP TABLE main.twice")
    define(other, "CREATE TABLE twice (a INTEGER REFERENCES t (a))")
    asked: list[str] = []
    for session in sessions:
        session.begin()
        known = session._watch.tables.referring("main", "t", lambda name: bool(asked.append(name)))
        assert known == ["twice"]
        session.rollback()
    assert asked == []


def test_what_another_has_changed_since_is_not_what_a_rollback_goes_back_to(
    sessions: list[DuckSession],
) -> None:
    one, other = sessions
    define(one, "CREATE TABLE t (a INTEGER)")
    one.begin()
    one.run("FROM t")
    define(other, "COMMENT ON TABLE t IS 'new'")
    with pytest.raises((DuckError, SqlError)):
        define(one, "DROP TABLE t")
    one.rollback()
    for session in sessions:
        session.begin()
        assert session.told("main", "t").comment == "new"
        assert remembered(session, "t") in (None, listed(session, "t"))
        session.rollback()


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t DROP COLUMN c",
        "ALTER TABLE t DROP c",
        'ALTER TABLE t DROP COLUMN IF EXISTS "c"',
        "ALTER TABLE t DROP COLUMN IF EXISTS nothing",
        "ALTER TABLE t ALTER COLUMN c TYPE BIGINT",
        "ALTER TABLE t ALTER c SET DATA TYPE VARCHAR",
        'ALTER TABLE t RENAME COLUMN c TO "New one"',
        "ALTER TABLE t RENAME c TO Other",
        "ALTER TABLE main.t ADD PRIMARY KEY (b)",
        'ALTER TABLE T ADD PRIMARY KEY ("c", "SELECT")',
    ],
)
def test_what_it_makes_of_constraints_is_read_from_an_alter_table(
    sessions: list[DuckSession], sql: str
) -> None:
    one, other = sessions
    define(one, 'CREATE TABLE t (a INTEGER CHECK (a > 0), B INTEGER, c INTEGER, "select" INTEGER)')
    define(one, "COMMENT ON COLUMN t.c IS 'x'")
    define(one, "COMMENT ON COLUMN t.b IS 'y'")
    define(one, sql)
    assert remembered(other, "t") == listed(one, "t") != Declared()


def test_views_and_schemas_are_listed_again_once_they_have_changed(
    sessions: list[DuckSession],
) -> None:
    one, other = sessions

    def views(session: DuckSession) -> list[str]:
        return [name for _, name, _ in session.views()]

    define(one, "CREATE VIEW v AS SELECT 1 AS a")
    assert views(one) == views(other) == ["v"]
    assert one.views() is other.views()
    define(one, "CREATE TABLE t (a INTEGER)")
    assert one.views() is other.views()  # tables are none
    one.begin()
    define(one, "CREATE VIEW w AS SELECT 2 AS b")
    define(one, "CREATE SCHEMA s")
    define(one, "CREATE VIEW s.x AS SELECT 2 AS b")
    assert views(one) == ["v", "w", "x"]
    assert set(one.schemas()) == {"main", "s"}
    assert views(other) == ["v"]
    assert set(other.schemas()) == {"main"}
    other.begin()
    other.run("FROM t")
    assert views(other) == ["v"]
    one.commit()
    assert views(other) == ["v"]
    assert set(other.schemas()) == {"main"}
    other.rollback()
    assert views(other) == views(one) == ["v", "w", "x"]
    one.begin()
    define(one, "DROP SCHEMA s CASCADE")
    assert views(one) == ["v", "w"]
    assert set(one.schemas()) == {"main"}
    one.rollback()
    assert views(one) == ["v", "w", "x"]
    define(other, "ALTER VIEW w RENAME TO y")
    assert sorted(views(one)) == ["v", "x", "y"]
    with pytest.raises(DuckError):
        define(other, "DROP VIEW nothing")
    define(other, "CREATE OR REPLACE VIEW v AS SELECT 3 AS c")
    assert "3 AS c" in next(sql for _, name, sql in one.views() if name == "v")
