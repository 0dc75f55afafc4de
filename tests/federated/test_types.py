"""A value of Postgres's is the same value when DuckDB has carried it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

# name, type, values as Postgres's SQL has them, and what the wire says of it (typname)
SAME: tuple[tuple[str, str, str], ...] = (
    ("bool", "true", "false"),
    ("int2", "-32768", "32767"),
    ("int4", "-2147483648", "2147483647"),
    ("int8", "-9223372036854775808", "9223372036854775807"),
    ("float4", "1.5", "'NaN'"),
    ("float8", "0.1", "'-Infinity'"),
    ("numeric(12, 6)", "123456.123456", "-0.000001"),
    ("numeric(38, 0)", "99999999999999999999999999999999999999", "0"),
    ("text", "''", "E'a\\\\b\\'c\\n\u20ac'"),
    ("varchar(9)", "'nine'", "' '"),
    ("bytea", "'\\x00ff'", "''"),
    ("uuid", "'00000000-0000-0000-0000-00000000000a'", "gen_random_uuid()"),
    ("date", "'2026-01-02'", "'0001-01-01'"),
    ("time", "'00:00'", "'23:59:59.999999'"),
    ("timestamp", "'2026-01-02 03:04:05.678901'", "'1900-01-01'"),
    ("timestamptz", "'2026-01-02 03:04:05.678901+05'", "'1900-01-01Z'"),
    ("interval", "'1 year 2 days 03:04:05.678901'", "'-1 month'"),
    ("int4[]", "'{1,NULL,3}'", "'{}'"),
    ("text[]", "'{a,NULL,\"b,c\"}'", "'{}'"),
    ("uuid[]", "'{00000000-0000-0000-0000-00000000000a}'", "'{}'"),
    ("timestamptz[]", "'{2026-01-02 03:04:05+00}'", "'{}'"),
    ("numeric(6, 2)[]", "'{1.50}'", "'{}'"),
)

AS_TEXT: tuple[tuple[str, str], ...] = (
    ("inet", "'10.0.0.1/8'"),
    ("cidr", "'10.0.0.0/8'"),
    ("macaddr", "'08:00:2b:01:02:03'"),
    ("int4range", "'[1,5)'"),
    ("tsvector", "'a b'"),
    ("regclass", "'pg_class'"),
    ("name", "'a name'"),
    ("hd_runtime.mood", "'glad'"),
    ("money", "12.5"),
    ("xid", "'7'"),
    ("point", "'(1,2)'"),
    ("bit(3)", "'101'"),
    ("hd_runtime.mood[]", "'{sad,glad}'"),
)


@pytest.fixture
def moods(admin: Any) -> Any:
    admin.execute("DROP TYPE IF EXISTS hd_runtime.mood CASCADE")
    admin.execute("CREATE TYPE hd_runtime.mood AS ENUM ('sad', 'glad')")
    admin.execute("CREATE DOMAIN hd_runtime.percent AS int CHECK (VALUE BETWEEN 0 AND 100)")
    yield
    admin.execute("DROP DOMAIN hd_runtime.percent CASCADE")
    admin.execute("DROP TYPE hd_runtime.mood CASCADE")


def _both(connection: Any, binary: bool) -> tuple[Any, Any]:
    relayed = connection.execute("SELECT v FROM hd_runtime.typed ORDER BY n", binary=binary)
    both = connection.execute(
        "SELECT v FROM hd_runtime.typed, agent_memories WHERE memory_key = 'style' ORDER BY n",
        binary=binary,
    )
    return relayed, both


@pytest.mark.parametrize(("kind", "one", "two"), SAME, ids=[kind for kind, _, _ in SAME])
def test_the_same_type_and_value(
    memories: Any, relation: Callable[..., str], kind: str, one: str, two: str
) -> None:
    relation(
        "typed",
        f"AS SELECT n, v::{kind} AS v FROM (VALUES (1, ({one})::{kind}), (2, ({two})::{kind}), "
        f"(3, NULL)) AS t (n, v)",
    )
    for binary in (False, True):
        if binary and kind == "interval":
            continue
        relayed, both = _both(memories, binary)
        assert str(both.fetchall()) == str(relayed.fetchall())
        expected = 25 if kind.startswith("varchar") else relayed.description[0].type_code
        assert both.description[0].type_code == expected


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_json(memories: Any, relation: Callable[..., str], kind: str) -> None:
    relation(
        "typed",
        f'AS SELECT 1 AS n, \'{{"a": [1, 2.50, "\\u20ac"], "b": null}}\'::{kind} AS v '
        "UNION ALL SELECT 2, NULL",
    )
    relayed, both = _both(memories, False)
    assert both.fetchall() == relayed.fetchall()
    found = memories.execute("SELECT v:a[1]::float FROM hd_runtime.typed, agent_memories LIMIT 1")
    assert found.fetchone() == (2.5,)


@pytest.mark.parametrize(("kind", "value"), AS_TEXT, ids=[kind for kind, _ in AS_TEXT])
def test_what_duckdb_lacks_is_postgress_text(
    memories: Any, moods: Any, relation: Callable[..., str], kind: str, value: str
) -> None:
    relation("typed", f"AS SELECT 1 AS n, ({value})::{kind} AS v UNION ALL SELECT 2, NULL")
    cast = "text[]" if kind.endswith("[]") else "text"
    expected = memories.execute(f"SELECT v::{cast} FROM hd_runtime.typed ORDER BY n").fetchall()
    _, both = _both(memories, False)
    assert both.fetchall() == expected
    if cast == "text":
        found = memories.execute(
            "SELECT n FROM hd_runtime.typed, agent_memories WHERE v = %s LIMIT 1", [expected[0][0]]
        )
        assert found.fetchall() == [(1,)]
        found = memories.execute(
            "SELECT n FROM hd_runtime.typed, agent_memories WHERE v = 'no such label' LIMIT 1"
        )
        assert found.fetchall() == []


def test_a_domain_is_its_type(memories: Any, moods: Any, relation: Callable[..., str]) -> None:
    relation("typed", "AS SELECT 1 AS n, 7::hd_runtime.percent AS v")
    _, both = _both(memories, False)
    assert both.description[0].type_code == 23
    assert both.fetchall() == [(7,)]


def test_the_runtimes_own_relations_all_can_be_read(memories: Any) -> None:
    names = memories.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'hd_runtime'::regnamespace "
        "AND relkind IN ('r', 'p', 'v') AND has_table_privilege(oid, 'SELECT')"
    ).fetchall()
    assert len(names) > 10
    for (name,) in names:
        found = memories.execute(
            f"SELECT t.* FROM hd_runtime.\"{name}\" t, agent_memories m WHERE m.memory_key = 'style'"
        )
        expected = memories.execute(f'SELECT count(*) FROM hd_runtime."{name}"').fetchone()
        assert (len(found.fetchall()),) == expected


def test_odd_names(memories: Any, relation: Callable[..., str]) -> None:
    relation('"odd ""table"', 'AS SELECT 1 AS "a ""b""", 2 AS "Mixed Case", 3 AS "select"')
    found = memories.execute(
        'SELECT t.*, t."Mixed Case" FROM hd_runtime."odd ""table" t, agent_memories LIMIT 1'
    )
    assert [column.name for column in found.description] == [
        'a "b"', "Mixed Case", "select", "Mixed Case"
    ]  # fmt: skip
    assert found.fetchall() == [(1, 2, 3, 2)]


def test_a_relation_without_columns_is_refused(memories: Any, relation: Callable[..., str]) -> None:
    relation("bare", "()")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="no columns"):
        memories.execute("SELECT count(*) FROM hd_runtime.bare, agent_memories")
