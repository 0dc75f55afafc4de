"""Functions of Postgres's dialect, made here and on a real Postgres: dumps and the catalogs say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from ..protocol.targets import Target
from .comparing import Recorded, ask, differences
from .conftest import Side, defined_on
from .test_dump_and_shells import _dump, _dumped, _without_keys, dumped

_DEFINED = """
CREATE SCHEMA called;
SET search_path = called;
CREATE TABLE sold (id int PRIMARY KEY, price numeric(10,2), what text);
CREATE FUNCTION called.plus(a integer, b integer DEFAULT 1) RETURNS integer LANGUAGE sql IMMUTABLE STRICT
    PARALLEL SAFE AS $$ SELECT a + b $$;
CREATE FUNCTION called.plus(a text) RETURNS text LANGUAGE sql AS 'SELECT a || ''+''';
CREATE FUNCTION called.dear(lowest numeric) RETURNS TABLE(id integer, what text) LANGUAGE sql STABLE ROWS 5
    AS $$ SELECT s.id, s.what FROM called.sold s WHERE s.price >= lowest $$;
CREATE FUNCTION called.all_sold() RETURNS SETOF called.sold LANGUAGE sql AS 'SELECT * FROM called.sold';
CREATE FUNCTION called.standard(a integer, w text DEFAULT 'it''s') RETURNS text RETURN w || a::text;
CREATE FUNCTION called.atomic(a integer) RETURNS bigint
    BEGIN ATOMIC SELECT count(*) FROM called.sold WHERE sold.id < a; END;
COMMENT ON FUNCTION called.plus(integer, integer) IS 'Adds.';
GRANT EXECUTE ON FUNCTION called.standard(integer, text) TO PUBLIC
"""
_ASKED = (
    "SELECT oid::regprocedure::text, pg_get_functiondef(oid), obj_description(oid, 'pg_proc'), "
    "pg_get_function_result(oid), pg_get_function_arguments(oid), prosrc, provolatile, proisstrict, proretset, "
    "proparallel, procost, prorows FROM pg_proc WHERE pronamespace = 'called'::regnamespace ORDER BY 1",
    "SELECT routine_name, routine_type, data_type, routine_body, routine_definition, external_language, "
    "is_deterministic, security_type FROM information_schema.routines WHERE routine_schema = 'called' ORDER BY 1, 3",
    "SELECT parameter_name, ordinal_position, parameter_mode, data_type, parameter_default "
    "FROM information_schema.parameters WHERE specific_schema = 'called' ORDER BY 1, 2, 4",
)


@pytest.fixture(scope="module")
def called(
    sides: dict[str, tuple[Side, Side]],
) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    with defined_on(sides, "called", _DEFINED) as both:
        yield both


@pytest.mark.parametrize("question", _ASKED)
def test_the_catalogs_say_the_same(
    called: tuple[psycopg.Connection, psycopg.Connection], question: str
) -> None:
    ours, real = called
    asked = Recorded("functions", question)
    answers = ask(ours, asked, {}), ask(real, asked, {})
    assert answers[1].rows
    assert differences(*answers, asked, names_are_texts=False) == []


@dumped
@pytest.mark.usefixtures("called")
def test_a_dump_is_the_one_of_a_postgres(server: Any, real_postgres: Target) -> None:
    there = real_postgres
    place = f"host={there.host} port={there.port} user={there.user} dbname={there.database}"
    options = ("--no-owner", "-n", "called")
    ours = _dump(server, *options, PGOPTIONS="-c hatidata.dialect=postgres")
    assert _without_keys(ours) == _without_keys(_dumped(place, *options))


def test_postgres_is_given_no_call_of_them(
    called: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    """It has none of the rows that they read."""
    ours, _ = called
    ours.execute("INSERT INTO called.sold VALUES (1, 5, 'a')")
    assert ours.execute("SELECT called.atomic(7)").fetchone() == (1,)
    with pytest.raises(errors.FeatureNotSupported, match="the function atomic over relations"):
        ours.execute("SELECT atomic(7) FROM pg_class")
    with pytest.raises(errors.FeatureNotSupported, match="the function atomic over relations"):
        ours.execute("SELECT atomic(7) FROM pg_class", prepare=True)
    with pytest.raises(errors.UndefinedFunction, match=r"function atomic\(text\) does not exist"):
        ours.execute("SELECT atomic('7'::text)")
