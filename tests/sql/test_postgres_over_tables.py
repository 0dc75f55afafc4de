"""The postgres dialect over analytical tables against Postgres over tables of its own.

`postgres_over_tables.txt` holds statements that read (or change) tables with a column of each type.
Both answers have the same columns - names, OIDs, modifiers - and the same bytes, as text and in binary.
Where there is no ORDER BY, rows are compared as sets.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from .test_postgres_answers import both

__all__ = ["both"]

Both = tuple[psycopg.Connection, psycopg.Connection]
Row = tuple[bytes | None, ...]

HERE = Path(__file__).parent
TABLES = (HERE / "postgres_tables.sql").read_text().split(";\n")


def statements() -> list[str]:
    lines = (HERE / "postgres_over_tables.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def tables(both: Both) -> Both:
    for connection in both:
        for statement in TABLES:
            if statement.strip():
                connection.execute(statement)
    return both


def answer(
    connection: psycopg.Connection, text: str, *, binary: bool
) -> tuple[list[tuple[bytes | None, int, int]], list[Row]] | str:
    """The columns and the rows of a statement, or its SQLSTATE; what it did is undone."""
    try:
        with connection.transaction(force_rollback=True):
            result = connection.execute(text, binary=binary).pgresult
            assert result is not None
            fields = range(result.nfields)
            columns = [(result.fname(n), result.ftype(n), result.fmod(n)) for n in fields]
            rows = [
                tuple(result.get_value(row, n) for n in fields) for row in range(result.ntuples)
            ]
            return columns, rows if "order by" in text.lower() else sorted(rows, key=str)
    except psycopg.Error as error:
        return error.sqlstate or "lost"


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_an_answer_over_tables_is_postgress_answer(tables: Both, binary: bool) -> None:
    own, ours = tables
    wrong = {}
    for text in statements():
        expected = answer(own, text, binary=binary)
        found = answer(ours, text, binary=binary)
        if found != expected:
            wrong[text] = (expected, found)
    assert not wrong


@pytest.mark.parametrize(
    "text",
    [
        "select d from jt intersect select d from ju",
        "select d from jt except select d from ju",
        "select array_agg(distinct d) from jt",
        "select id from jt where d = any(array['1']::jsonb[])",
        "select count(*) from jt a join jt b using (d)",
        "select greatest(d, '1') from jt",
        "select jsonb_path_query(d, '$.a ? (@ > 1)') from jt",
    ],
)
def test_what_would_compare_documents_as_texts_is_refused(tables: Both, text: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        tables[1].execute(text)


def test_a_subscript_is_a_place_whatever_it_is_computed_from(tables: Both) -> None:
    text = "select ai[array_length(ai, 1)], ai[id], ai[id - 5], ai[-1] from q order by id"
    rows = [answer(connection, text, binary=False) for connection in tables]
    assert rows[0] == rows[1]


def test_the_session_s_zone_is_that_of_a_text(tables: Both) -> None:
    for zone in ("Asia/Kolkata", "UTC"):
        found = []
        for connection in tables:
            connection.execute(f"set timezone = '{zone}'")
            text = "select tz::text, to_json(tz), concat(tz, '') from q order by id"
            found.append(answer(connection, text, binary=False))
        assert found[0] == found[1]
