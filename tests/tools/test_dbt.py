"""The dbt project of examples/dbt, built by dbt-postgres itself in both dialects.

dbt is a test dependency, beside the driver that dbt-postgres uses; it is run as its users run it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "dbt"
Dbt = Callable[..., dict[str, str]]


@pytest.fixture(params=["postgres", "snowflake"])
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def dbt(server: Any, dialect: str, tmp_path: Path) -> Dbt:
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
    start = [sys.executable, "-m", "dbt.cli.main"]

    def run(*command: str) -> dict[str, str]:
        done = subprocess.run(
            [*start, *command, "--target", dialect, "--threads", "4"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results = json.loads((project / "target" / "run_results.json").read_text())["results"]
        return {one["unique_id"].split(".")[2]: one["status"] for one in results}

    run.project = project  # type: ignore[attr-defined]
    return run


def test_the_project_is_built_twice_and_documented(server: Any, dialect: str, dbt: Dbt) -> None:
    pytest.importorskip("dbt.adapters.postgres")
    schema = f"shop_{dialect}"
    first = dbt("build")
    assert set(first.values()) == {"success", "pass"}
    assert {"customers", "stg_orders", "customer_totals", "orders_merged", "customers_by_time",
            "latest_orders", "totals_agree"} <= set(first)  # fmt: skip
    with server.connect() as connection:
        connection.execute(f"SET search_path = {schema}")
        connection.execute("SET hatidata.dialect = 'postgres'")

        def rows(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()

        incremental = ("orders_merged", "orders_replaced", "orders_log")
        for name in incremental:
            assert rows(f"SELECT order_id FROM {name} ORDER BY 1") == [
                (i,) for i in range(101, 105)
            ]
        assert rows("SELECT name FROM customer_totals WHERE customer_id = 4") == [("Zoë Ångström",)]
        # A snapshot's second run asks Postgres's catalog for the columns of a temporary table, which
        # the mirror does not have.
        again = ("--exclude", "resource_type:snapshot", "--vars", "{until: '2024-03-01'}")
        second = dbt("build", *again)
        assert set(second.values()) == {"success", "pass"}
        for name in incremental:
            assert rows(f"SELECT order_id FROM {name} ORDER BY 1") == [
                (i,) for i in range(101, 107)
            ]
        assert rows("SELECT count(*) FROM orders_by_value") == [(4,)]
        assert rows("SELECT count(*) FROM customers_by_time") == [(4,)]
        assert rows("SELECT count(*) FROM runs WHERE command = 'build'") == [(2,)]
        assert rows("SELECT has_table_privilege('analyst', 'customer_totals', 'select')") == [
            (True,)
        ]
        assert rows(f"SELECT has_schema_privilege('analyst', '{schema}', 'usage')") == [(True,)]
        assert rows("SELECT obj_description('stg_customers'::regclass)") == [
            ("People, named as the rest of the project names them; it's a view",)
        ]
    dbt("docs", "generate")
    catalog = json.loads((dbt.project / "target" / "catalog.json").read_text())  # type: ignore[attr-defined]
    assert not catalog["errors"]
    totals = catalog["nodes"]["model.shop.customer_totals"]
    assert list(totals["columns"]) == ["customer_id", "name", "orders", "total", "last_ordered_on"]
    assert totals["metadata"]["comment"] == 'What each person spent: it\'s "net"'
    assert catalog["nodes"]["model.shop.stg_orders"]["metadata"]["type"] == "VIEW"
    assert "source.shop.web.visits" in catalog["sources"]
