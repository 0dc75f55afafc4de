"""The dbt project of examples/dbt, built by dbt-postgres itself in both dialects.

dbt is a test dependency, beside the driver that dbt-postgres uses.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "dbt"
Dbt = Callable[..., dict[str, str]]


@pytest.fixture(params=["postgres", "snowflake"])
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


# dbt's own way to be called from Python: a command takes a second less than a process of its own.
_RUNNER = """
import json, os, sys
from dbt.cli.main import dbtRunner
for line in sys.stdin:
    done = dbtRunner().invoke(json.loads(line))
    os.write(int(sys.argv[1]), b"+" if done.success else b"-")
"""
_PATIENCE = 120.0  # seconds for a command


@pytest.fixture
def dbt(server: Any, dialect: str, tmp_path: Path) -> Iterator[Dbt]:
    """Runs a command of dbt with four threads; gives each node's status by its name."""
    with server.connect(user="analyst") as reader:
        reader.execute("SELECT oid FROM pg_class LIMIT 1")  # a user is a role from then on
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    environment = {
        **os.environ,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_PROFILES_DIR": str(project),
        "HATIDATA_HOST": server.host,
        "HATIDATA_PORT": str(server.port),
        "HATIDATA_SCHEMA": f"shop_{dialect}",
        "PGOPTIONS": f"-c hatidata.dialect={dialect}",
    }
    answers, told = os.pipe()
    log = tmp_path / "dbt.log"
    with log.open("w") as printed:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUNNER, str(told)],
            cwd=project,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=printed,
            text=True,
            pass_fds=(told,),
        )
    os.close(told)
    assert process.stdin is not None

    def run(
        *command: str, fails: bool = False, results: str = "run_results.json"
    ) -> dict[str, str]:
        words = [*command, "--target", dialect, "--threads", "4"]
        process.stdin.write(json.dumps(words) + "\n")
        process.stdin.flush()
        answered, _, _ = select.select([answers], [], [], _PATIENCE)
        assert answered, log.read_text()
        assert os.read(answers, 1) == (b"-" if fails else b"+"), log.read_text()
        if not results:
            return {}
        found = json.loads((project / "target" / results).read_text())["results"]
        return {_name(one["unique_id"]): one["status"] for one in found}

    run.project = project  # type: ignore[attr-defined]
    yield run
    process.stdin.close()
    process.wait()
    os.close(answers)


def _name(unique_id: str) -> str:
    kind, _, *names = unique_id.split(".")
    return names[1] if kind == "unit_test" else names[0]


def test_the_project_is_built_again_and_again_and_documented(
    server: Any, dialect: str, dbt: Dbt
) -> None:
    pytest.importorskip("dbt.adapters.postgres")
    schema = f"shop_{dialect}"
    first = dbt("build")
    assert set(first.values()) == {"success", "pass"}
    assert {"customers", "stg_orders", "customer_totals", "orders_merged", "customers_by_time",
            "latest_orders", "totals_agree", "totals_are_summed"} <= set(first)  # fmt: skip
    with server.connect() as connection:
        connection.execute(f"SET search_path = {schema}")
        connection.execute("SET hatidata.dialect = 'postgres'")

        def rows(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()

        def columns(table: str) -> list[str]:
            listed = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
            found = connection.execute(f"{listed} ORDER BY ordinal_position", [schema, table])
            return [name for (name,) in found]

        incremental = (
            *("orders_merged", "orders_replaced", "orders_log", "orders_growing"),
            *("orders_following", "orders_fixed", "orders_by_year"),
        )
        for name in incremental:
            assert rows(f"SELECT order_id FROM {name} ORDER BY 1") == [
                (i,) for i in range(101, 105)
            ]
        assert rows("SELECT name FROM customer_totals WHERE customer_id = 4") == [("Zoë Ångström",)]
        assert columns("orders_growing") == ["order_id", "ordered_on"]
        unchanged = rows("SELECT * FROM orders_by_value ORDER BY 1")
        later = ("--vars", "{until: '2024-03-01', wider: true}")
        second = dbt("build", *later)
        assert set(second.values()) == {"success", "pass"}
        for name in incremental:
            assert rows(f"SELECT order_id FROM {name} ORDER BY 1") == [
                (i,) for i in range(101, 107)
            ]
        assert columns("orders_growing") == ["order_id", "ordered_on", "status", "Net amount"]
        assert set(columns("orders_following")) == {"order_id", "ordered_on", "amount", "tags"}
        assert rows("SELECT amount FROM orders_following WHERE order_id = 101") == [
            (Decimal("19.90"),)
        ]
        assert rows("SELECT * FROM orders_by_value WHERE order_id < 105 ORDER BY 1") == unchanged
        history = (
            "SELECT order_id, status, {now} IS NULL OR {now} = '9999-12-31' AS current "
            "FROM {table} WHERE order_id < 103 ORDER BY 1, dbt_valid_from, 3"
        ).replace("{now}", "dbt_valid_to")
        assert rows(history.replace("{table}", "states_by_time")) == [
            (101, "completed", False),
            (101, "returned", True),
            (102, "returned", False),
        ]
        by_value = (
            history.replace("{table}", "states_by_value")
            .replace("order_id, status,", "order_id, status, dbt_is_deleted,")
            .replace("dbt_valid_from, 3", "dbt_valid_from, 4")
        )
        changed = [
            (101, "completed", "False", False),
            (101, "returned", "False", True),
            (102, "returned", "False", False),
            (102, "returned", "True", True),
        ]
        assert rows(by_value) == changed
        third = dbt("build", *later)
        assert set(third.values()) == {"success", "pass"}
        assert rows(by_value) == changed
        assert rows("SELECT count(*) FROM orders_by_value") == [(6,)]
        assert rows("SELECT count(*) FROM customers_by_time") == [(4,)]
        assert rows("SELECT count(*) FROM runs WHERE command = 'build'") == [(3,)]
        indexes = (
            "SELECT tablename, count(*) FROM pg_indexes WHERE schemaname = %s GROUP BY 1 ORDER BY 1"
        )
        assert connection.execute(indexes, [schema]).fetchall() == [
            ("orders_following", 1),
            ("orders_growing", 2),
            ("spending", 1),
        ]
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO orders_growing (order_id) VALUES (101)")
        full = dbt("run", "--full-refresh", "--select", "orders_growing", *later)
        assert set(full.values()) == {"success"}
        assert connection.execute(indexes, [schema]).fetchall()[1] == ("orders_growing", 2)
        refused = dbt("run", "--select", "orders_fixed", "--vars", "{unexpected: true}", fails=True)
        assert refused["orders_fixed"] == "error"
        assert columns("orders_fixed") == ["order_id"]
        assert rows("SELECT has_table_privilege('analyst', 'customer_totals', 'select')") == [
            (True,)
        ]
        assert rows(f"SELECT has_schema_privilege('analyst', '{schema}', 'usage')") == [(True,)]
        assert rows("SELECT obj_description('stg_customers'::regclass)") == [
            ("People, named as the rest of the project names them; it's a view",)
        ]
        assert rows("SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                    "WHERE conrelid = 'spending'::regclass AND contype IN ('p', 'c') ORDER BY 1") == [
            ("CHECK ((customer_id > 0))",), ("CHECK ((total >= (0)::numeric))",), ("PRIMARY KEY (customer_id)",)
        ]  # fmt: skip
    dbt("docs", "generate")
    catalog = json.loads((dbt.project / "target" / "catalog.json").read_text())  # type: ignore[attr-defined]
    assert not catalog["errors"]
    totals = catalog["nodes"]["model.shop.customer_totals"]
    assert list(totals["columns"]) == ["customer_id", "name", "orders", "total", "last_ordered_on"]
    assert totals["metadata"]["comment"] == 'What each person spent: it\'s "net"'
    assert catalog["nodes"]["model.shop.stg_orders"]["metadata"]["type"] == "VIEW"
    assert "source.shop.web.visits" in catalog["sources"]
    if dialect == "snowflake":
        return  # what follows is the same in both
    fresh = dbt("source", "freshness", results="sources.json")
    assert fresh == {"web": "pass"}
    dbt("run-operation", "grant_usage", "--args", f"{{schemas: [{schema}]}}", results="")
    dbt("show", "--select", "customer_totals", "--limit", "2")
