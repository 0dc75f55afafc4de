"""Lengths of varchar(n): given where a column of the result surely is the table's, and only there."""

from __future__ import annotations

import pytest

from proxy.sql.lengths import Declared, Lengths, Path

PEOPLE: Path = ("db", "main", "people")
CITIES: Path = ("db", "main", "cities")
OTHER: Path = ("db", "other", "people")
VIEW: Path = ("db", "main", "named")

DECLARED = Declared(
    "db",
    ("main",),
    (
        (PEOPLE, "name", "(length(name) <= 20)"),
        (CITIES, "name", "(length(name) <= 7)"),
        (CITIES, "code", "(length(code) <= 20)"),
        (CITIES, "id", "(id > 0)"),
        (OTHER, "name", "(length(name) <= 5)"),
    ),
    {
        PEOPLE: ("id", "name", "city"),
        CITIES: ("id", "name", "code"),
        OTHER: ("name",),
        VIEW: ("who", "city"),
    },
    {VIEW: 'CREATE VIEW named (who, city) AS SELECT p."name", p.city FROM db.main.people AS p;'},
)


def lengths(sql: str, *names: str) -> tuple[int, ...] | None:
    return Lengths(DECLARED).of(sql, names)


@pytest.mark.parametrize(
    ("sql", "names", "expected"),
    [
        ("SELECT name FROM people", "name", (20,)),
        ("SELECT * FROM people", "id name city", (0, 20, 0)),
        ('SELECT "NAME" AS n FROM PEOPLE', "n", (20,)),
        ("SELECT (name) FROM people", "name", (20,)),
        ("SELECT name FROM other.people", "name", (5,)),
        ("SELECT name FROM db.other.people", "name", (5,)),
        ("SELECT p.*, c.code FROM people p, cities c", "id name city code", (0, 20, 0, 20)),
        ("SELECT p.name, c.name FROM people p JOIN cities c USING (id)", "name name", (20, 7)),
        ("SELECT x.k FROM (SELECT name FROM people) AS x(k)", "k", (20,)),
        ("WITH w AS (SELECT name FROM people) SELECT * FROM w", "name", (20,)),
        ("SELECT name FROM people UNION ALL SELECT code FROM cities", "name", (20,)),
        ("SELECT * FROM named", "who city", (20, 0)),
        ("INSERT INTO people VALUES (1, 'x', 'y') RETURNING name", "name", (20,)),
        ("DELETE FROM cities RETURNING *", "id name code", (0, 7, 20)),
        ("SELECT (SELECT name FROM people LIMIT 1) AS name", "name", (20,)),
        ("SELECT coalesce(name, (name)) AS n FROM people", "n", (20,)),
    ],
)
def test_a_column_of_a_table_has_its_length(
    sql: str, names: str, expected: tuple[int, ...]
) -> None:
    assert lengths(sql, *names.split()) == expected


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT upper(name) AS name FROM people", "name"),
        ("SELECT name || '' AS name FROM people", "name"),
        ("SELECT city FROM people", "city"),
        ("SELECT name FROM people, cities", "name"),  # of which table?
        ("SELECT name FROM people, unnest([1]) AS u(name)", "name"),
        ("SELECT name FROM people, nowhere", "name"),
        ("SELECT * FROM people JOIN cities USING (id)", "id name city name code"),
        ("SELECT * EXCLUDE (id) FROM people", "name city"),
        ("SELECT name FROM people UNION ALL SELECT name FROM cities", "name"),
        ("SELECT name FROM people UNION ALL SELECT 'a longer text than that'", "name"),
        ("WITH people AS (SELECT 'a longer text' AS name) SELECT name FROM people", "name"),
        ("SELECT name FROM nowhere.people", "name"),
        ("SELECT name AS other FROM people", "name"),  # the engine calls it otherwise
        ("UPDATE people SET name = c.name FROM cities AS c RETURNING c.name", "name"),
    ],
)
def test_what_is_not_surely_that_column_has_none(sql: str, names: str) -> None:
    assert lengths(sql, *names.split()) is None
