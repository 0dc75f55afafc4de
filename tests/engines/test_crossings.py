"""CREATE INDEX and ALTER TABLE that meet: DuckDB would lose that the index is the table's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from proxy.engines.duck.engine import DuckEngine
from proxy.engines.duck.session import DuckSession
from proxy.errors import SqlError

INDEX = "CREATE INDEX i ON main.t (id)"
ALTERING = ("ALTER TABLE t RENAME TO u", "ALTER TABLE main.t ADD PRIMARY KEY (id)")


@pytest.fixture
def session(engine: DuckEngine) -> Iterator[Callable[[], DuckSession]]:
    made: list[DuckSession] = []

    def start() -> DuckSession:
        made.append(engine.session())
        return made[-1]

    first = start()
    define(first, "CREATE TABLE t (id INTEGER)")
    yield start
    for one in made:
        one.close()


def define(duck: DuckSession, sql: str) -> None:
    duck.start_text(sql).finish()


def refused(duck: DuckSession, sql: str) -> None:
    with pytest.raises(SqlError) as error:
        define(duck, sql)
    assert error.value.sqlstate == "40001"


@pytest.mark.parametrize("altering", ALTERING)
@pytest.mark.parametrize("index_first", [True, False])
@pytest.mark.parametrize("end", [DuckSession.rollback, DuckSession.close])
def test_the_later_one_is_refused_while_the_other_is_open(
    session: Callable[[], DuckSession],
    altering: str,
    index_first: bool,
    end: Callable[[DuckSession], None],
) -> None:
    first, later = (INDEX, altering) if index_first else (altering, INDEX)
    one, other = session(), session()
    one.begin()
    define(one, first)
    refused(other, later)
    end(one)
    define(other, later)


@pytest.mark.parametrize("altering", ALTERING)
@pytest.mark.parametrize("index_first", [True, False])
def test_so_is_one_whose_snapshot_is_older(
    session: Callable[[], DuckSession], altering: str, index_first: bool
) -> None:
    first, later = (INDEX, altering) if index_first else (altering, INDEX)
    one, other = session(), session()
    other.begin()
    other.run("SELECT 1 FROM t")
    define(one, first)
    refused(other, later)
    other.rollback()


def test_one_transaction_may_do_both_and_so_may_one_after_the_other(
    session: Callable[[], DuckSession],
) -> None:
    one, other = session(), session()
    one.begin()
    define(one, "CREATE TABLE made (id INTEGER)")
    define(one, "CREATE INDEX of_made ON made (id)")
    define(one, "DROP INDEX of_made")
    define(one, "ALTER TABLE made RENAME TO kept")
    one.commit()
    define(other, "CREATE INDEX again ON kept (id)")
    define(one, "DROP INDEX again")
    define(other, "ALTER TABLE kept RENAME TO last")


def test_tables_of_one_name_in_two_schemas_do_not_meet(session: Callable[[], DuckSession]) -> None:
    one, other = session(), session()
    define(one, "CREATE SCHEMA s")
    define(one, "CREATE TABLE s.t (id INTEGER)")
    one.begin()
    define(one, "ALTER TABLE s.t RENAME TO u")
    define(other, INDEX)
    one.commit()
