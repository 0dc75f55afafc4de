"""What the place of a parameter says about its type.

`tests/engines/test_parameters_live.py` compares the same with Postgres itself; here are the rules
one by one, and what only DuckDB's SQL has.
"""

from __future__ import annotations

import pytest

from proxy.sql.inference import Columns, Relation, infer, read
from proxy.sql.parameters import parameter_count
from proxy.wire.types import BY_OID, DuckType, pg_type_named

TABLES: dict[Relation, Columns] = {
    ("t",): [
        ("Id", DuckType("INTEGER")),
        ("big", DuckType("BIGINT")),
        ("name", DuckType("VARCHAR")),
        ("price", DuckType("DECIMAL", width=10, scale=2)),
        ("d", DuckType("DATE")),
        ("made", DuckType("TIMESTAMP")),
        ("ids", DuckType("LIST", children=(DuckType("INTEGER"),))),
        ("doc", DuckType("STRUCT", children=(DuckType("INTEGER"),), names=("a",))),
        ("odd", DuckType("LIST")),  # a list of nobody knows what
    ],
    ("s", "t"): [("id", DuckType("UUID")), ("ok", DuckType("BOOLEAN"))],
    ("o",): [("id", DuckType("BIGINT")), ("label", DuckType("VARCHAR"))],
}


def inferred(sql: str, given: dict[int, str] | None = None, integer: str = "int4") -> str:
    """The types of $1..$n by name, `-` where nothing decides."""
    tree = read(sql)
    assert tree is not None
    told = {n: pg_type_named(name).oid for n, name in (given or {}).items()}
    numbers = range(1, parameter_count(sql) + 1)
    wanted = [n for n in numbers if n not in told]
    found = infer(tree, wanted, told, TABLES.get, integer=integer)
    assert found.keys() <= set(wanted)
    return " ".join(BY_OID[found[n]].name if n in found else "-" for n in numbers)


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        # a cast
        ("SELECT $1::INT, CAST($2 AS DATE), TRY_CAST($3 AS DOUBLE)", "int4 date text"),
        ("SELECT ($1)::BIGINT, $2::DECIMAL(10,2), $3::HUGEINT", "int8 numeric numeric"),
        ("SELECT $1::INT[], $2::VARCHAR[][], [$3, $4]::DATE[]", "_int4 _text date date"),
        ("SELECT $1::STRUCT(a INT), $2::INT", "- int4"),
        # the other side
        ("SELECT 1 FROM t WHERE ID = $1 AND $2 < big AND name <> ($3)", "int4 int8 text"),
        ("SELECT 1 FROM t WHERE (id, name) = ($1, $2)", "int4 text"),
        ("SELECT 1 FROM t WHERE d BETWEEN $1 AND $2 OR $3 BETWEEN id AND big", "date date int4"),
        ("SELECT 1 FROM t WHERE id IN ($1, $2) AND price IN ($3, 1)", "int4 int4 numeric"),
        ("SELECT 1 FROM t WHERE id IN ($1, 2.5) AND $2 IN (big, 7)", "numeric int8"),
        ("SELECT 1 FROM t WHERE (id, d) IN (($1, $2), ($3, $4))", "int4 date int4 date"),
        ("SELECT 1 FROM t WHERE name LIKE $1 OR $2 ILIKE name OR name GLOB $3", "text text text"),
        ("SELECT 1 FROM t WHERE id IS NOT DISTINCT FROM $1", "int4"),
        ("SELECT $1 = $2, $3 = 'a', NULL = $4", "text text text text"),
        # arrays
        ("SELECT 1 FROM t WHERE id = ANY($1) AND name <> ALL($2)", "_int4 _text"),
        ("SELECT 1 FROM t WHERE id = ANY(COALESCE($1, [NULL]))", "_int4"),
        ("SELECT 1 FROM t WHERE $1 = ANY(ids) AND ids = $2 AND ids[$3] = $4", "int4 _int4 int4 int4"),
        ("SELECT 1 FROM t WHERE list_contains($1, big)", "_int8"),
        ("SELECT $1 = ANY($2), [$3, 2], ['x', $4]", "text _text int4 text"),
        # arithmetic
        ("SELECT $1 + 1, $2 * 2.5, 3000000000 - $3, big % $4 FROM t", "int4 numeric int8 int8"),
        ("SELECT made + $1, made - $2, d - $3, d + $4 FROM t", "interval timestamp date int4"),
        ("SELECT INTERVAL '1' DAY * $1, $2 + INTERVAL '1' DAY", "float8 interval"),
        ("SELECT _SF.PG_DIV_(id, $1), _SF.DIV_($2, big), id / $3 FROM t", "int4 int8 int4"),
        ("SELECT name || $1, $2 || 'x', ids || $3 FROM t", "text text _int4"),
        ("SELECT -id = $1, id + big = $2, made - made = $3 FROM t", "int4 int8 interval"),
        ("SELECT $1 + $2", "- -"),
        # boolean places
        ("SELECT CASE WHEN $1 THEN 1 END FROM t WHERE $2 AND NOT $3", "bool bool bool"),
        ("SELECT sum(id) FILTER (WHERE $1) FROM t HAVING $2", "bool bool"),
        ("SELECT $1 IS TRUE FROM t JOIN o ON $2", "bool bool"),
        ("SELECT 1 FROM t QUALIFY row_number() OVER () = $1", "int8"),
        # alternatives
        ("SELECT CASE WHEN id = $1 THEN $2 ELSE price END FROM t", "int4 numeric"),
        ("SELECT CASE name WHEN $1 THEN $2 WHEN $3 THEN 'x' END FROM t", "text text text"),
        ("SELECT COALESCE($1, 5), COALESCE($2, id, price), NULLIF($3, d) FROM t", "int4 numeric date"),
        ("SELECT greatest($1, 1.5), least(big, $2), IF($3, $4, name) FROM t", "numeric int8 bool text"),
        # functions
        ("SELECT upper($1), length($2), substring(name, $3, $4) FROM t", "text text int4 int4"),
        ("SELECT round($1, 2), round($2), sqrt($3), strpos(name, $4) FROM t", "numeric float8 float8 text"),
        ("SELECT lower(name) = $1, length(name) = $2, abs(price) = $3 FROM t", "text int4 numeric"),
        ("SELECT count(*) = $1, sum(id) = $2, max(d) = $3, avg(id) = $4 FROM t", "int8 int8 date numeric"),
        ("SELECT date_trunc('day', made) = $1, now() > $2 FROM t", "timestamp timestamptz"),
        ("SELECT array_agg(id) = $1, string_agg(name, $2) FROM t", "_int4 text"),
        ("SELECT no_such_function($1) = $2", "- -"),
        # LIMIT
        ("SELECT 1 FROM t LIMIT $1 OFFSET $2", "int8 int8"),
        ("(SELECT 1 LIMIT $1) UNION ALL SELECT 2 LIMIT $2", "int8 int8"),
        # the select list
        ("SELECT $1, $2 AS x", "text text"),
        ("SELECT $1 AS x FROM t WHERE id = $1", "int4"),
    ],
)  # fmt: skip
def test_a_place_says_the_type(sql: str, types: str) -> None:
    assert inferred(sql) == types


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("SELECT 1 FROM t AS a JOIN o AS b ON a.id = b.id WHERE b.id = $1 AND a.id = $2", "int8 int4"),
        ("SELECT 1 FROM s.t WHERE t.id = $1 AND ok = $2", "uuid bool"),
        ("SELECT 1 FROM t JOIN o USING (id) WHERE id = $1 AND label = $2", "int8 text"),
        ("SELECT 1 FROM t NATURAL JOIN o WHERE id = $1", "int8"),
        ("SELECT 1 FROM (t JOIN o ON true) WHERE label = $1 AND name = $2", "text text"),
        ("SELECT 1 FROM (SELECT id + 1 AS n, d FROM t) AS q WHERE q.n = $1 AND d = $2", "int4 date"),
        ("SELECT 1 FROM (SELECT * FROM t) AS q WHERE price = $1", "numeric"),
        ("SELECT 1 FROM (SELECT * EXCLUDE (name) FROM t) AS q WHERE price = $1", "-"),
        ("SELECT 1 FROM t AS a(x, y) WHERE x = $1 AND y = $2 AND a.name = $3", "int4 int8 text"),
        ("SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM o WHERE o.id = t.id AND label = $1 AND name = $2)", "text text"),
        ("SELECT 1 FROM t, LATERAL (SELECT label FROM o WHERE o.id = t.big) AS x WHERE x.label = $1", "text"),
        ("SELECT 1 FROM (VALUES (1, 'a'), ($1, $2)) AS v(k, w) WHERE k = $3 AND w = $4", "int4 text int4 text"),
        ("SELECT 1 FROM UNNEST($1::INT[]) AS u(n) WHERE n = $2", "_int4 int4"),
        ("SELECT 1 FROM generate_series(1, $1) AS g(n) WHERE n = $2", "int4 int4"),
        ("SELECT 1 FROM no_such_table WHERE id = $1", "-"),
        ("SELECT 1 FROM t, no_such_table WHERE id = $1 AND other = $2", "int4 -"),
        ("SELECT 1 FROM a_function($1) AS f WHERE f.id = $2", "- -"),
        ("SELECT id AS n, big * 2 AS m FROM t WHERE n = $1 AND m = $2", "int4 int8"),
        ("SELECT 1 FROM t PIVOT (sum(id) FOR name IN ('a')) WHERE a = $1", "-"),
        ("SELECT (SELECT max(d) FROM t) = $1, (SELECT $2) = $3", "date text text"),
        ("SELECT 1 FROM t WHERE $1 IN (SELECT label FROM o) AND id IN (SELECT id FROM o WHERE id = $2)", "text int8"),
        ("SELECT 1 FROM t WHERE doc = $1 AND odd = $2", "jsonb -"),
    ],
)  # fmt: skip
def test_names_lead_to_columns(sql: str, types: str) -> None:
    assert inferred(sql) == types


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("WITH w AS (SELECT id, d FROM t WHERE id = $1) SELECT d FROM w WHERE d = $2", "int4 date"),
        ("WITH w(a) AS (SELECT $1::BIGINT) SELECT 1 FROM w WHERE a = $2", "int8 int8"),
        ("WITH t AS (SELECT 'x' AS id) SELECT 1 FROM t WHERE id = $1", "text"),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + $1 FROM r WHERE n < $2) SELECT n FROM r WHERE n > $3", "int4 int4 int4"),
        ("SELECT $1 UNION SELECT 2", "int4"),
        ("SELECT id, name FROM t UNION ALL SELECT $1, $2 UNION ALL SELECT 3, $3", "int4 text text"),
        ("SELECT $1 UNION SELECT $2", "text text"),
        ("VALUES ($1, 2), (3, $2)", "int4 int4"),
        ("SELECT 1 AS a UNION ALL BY NAME SELECT $1 AS a", "text"),
    ],
)  # fmt: skip
def test_queries_within_queries(sql: str, types: str) -> None:
    assert inferred(sql) == types


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("INSERT INTO t VALUES ($1, $2, $3, $4, $5)", "int4 int8 text numeric date"),
        ("INSERT INTO t (name, big) VALUES ($1, $2), (upper($3), $4 + 1)", "text int8 text int4"),
        ("INSERT INTO t (d, id) SELECT $1, $2", "date int4"),
        ("INSERT INTO t (id, name) SELECT id, $1 FROM o WHERE label = $2", "text text"),
        ("INSERT INTO t (id, price) SELECT 1, $1 UNION ALL SELECT $2, 2.5", "numeric int4"),
        ("INSERT INTO t BY NAME SELECT $1 AS price, $2 AS id", "numeric int4"),
        ("INSERT INTO t (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET name = $2, big = excluded.big + $3 WHERE t.d = $4", "int4 text int8 date"),
        ("WITH w AS (SELECT $1::DATE AS x) INSERT INTO t (d, name) SELECT x, $2 FROM w", "date text"),
        ("INSERT INTO t (id) VALUES ($1) RETURNING name = $2, $3", "int4 text text"),
        ("INSERT INTO no_such_table VALUES ($1)", "-"),
        ("UPDATE t SET name = $1, price = price + $2 WHERE id = $3", "text numeric int4"),
        ("UPDATE t SET (name, d) = ($1, $2)", "text date"),
        ("UPDATE t AS x SET big = $1 FROM o WHERE o.id = x.big AND label = $2 AND x.d = $3", "int8 text date"),
        ("UPDATE t SET big = $1 WHERE id = $1", "int4"),
        ("DELETE FROM t USING o WHERE o.id = t.id AND label = $1 AND price < $2", "text numeric"),
        ("MERGE INTO t USING o ON t.id = o.id AND label = $1 WHEN MATCHED AND name = $2 THEN UPDATE SET price = $3 "
         "WHEN NOT MATCHED THEN INSERT (id, d) VALUES ($4, $5)", "text text numeric int4 date"),
        ("CREATE TABLE n AS SELECT $1 AS a, id = $2 AS b FROM t", "text int4"),
    ],
)  # fmt: skip
def test_statements_that_write(sql: str, types: str) -> None:
    assert inferred(sql) == types


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("SELECT $1::INT, $1::VARCHAR", "int4"),
        ("SELECT 1 FROM t WHERE $1 IS NULL OR big = $1", "int8"),
        ("SELECT 1 FROM t WHERE id = $1 OR name = $1", "int4"),
        ("SELECT name = $1 FROM t WHERE id = $1 LIMIT $1", "text"),
    ],
)
def test_the_first_place_that_says_anything_decides(sql: str, types: str) -> None:
    assert inferred(sql) == types


def test_types_that_the_client_gave_are_told_on() -> None:
    assert inferred("SELECT $1 = $2, $3 = ANY($1)", {1: "int8"}) == "- int8 -"
    assert inferred("SELECT $3 = ANY($1)", {1: "date[]", 2: "text"}) == "- - date"


def test_an_unknown_oid_decides_nothing() -> None:
    tree = read("SELECT $1 = $2")
    assert tree is not None
    assert infer(tree, [2], {1: 987654}, TABLES.get) == {}


def test_the_dialect_says_what_a_whole_number_is() -> None:
    assert inferred("SELECT $1 + 1, $2 + 1.5", integer="int8") == "int8 numeric"


def test_what_the_parser_cannot_read_is_left_to_duckdb() -> None:
    assert read("EXPLAIN SELECT $1") is None


def test_chains_and_rows_of_any_length() -> None:
    count = 3000
    chain = " OR ".join(f"id = ${n}" for n in range(1, count + 1))
    assert inferred(f"SELECT 1 FROM t WHERE {chain}") == " ".join(["int4"] * count)
    rows = ", ".join(f"(${2 * n + 1}, ${2 * n + 2})" for n in range(count))
    assert inferred(f"INSERT INTO t (id, name) VALUES {rows}") == " ".join(["int4 text"] * count)


def test_too_deep_to_follow_is_no_error() -> None:
    sql = "SELECT $1::INT, " + " + ".join(["1"] * 3000) + " = $2"
    assert inferred(sql).split()[0] == "int4"
