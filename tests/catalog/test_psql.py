"""psql's own commands about what there is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ..drivers.test_psql import PSQL

_SCHEMA = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id INTEGER PRIMARY KEY, placed DATE NOT NULL, total DECIMAL(12,2) DEFAULT 0);
CREATE TABLE shop.lines (order_id INTEGER REFERENCES shop.orders (id), n INTEGER, UNIQUE (order_id, n));
CREATE VIEW shop.big AS SELECT id, total FROM shop.orders WHERE total > 1000;
CREATE SEQUENCE shop.numbers;
COMMENT ON TABLE shop.orders IS 'what was ordered';
COMMENT ON COLUMN shop.orders.total IS 'in euros';
GRANT SELECT ON shop.orders TO hd_agent;
"""


@pytest.fixture(scope="module")
def shop(server: Any) -> Iterator[None]:
    with server.connect() as connection:
        connection.execute("SET hatidata.dialect = 'duckdb'")
        for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
            connection.execute(statement)
        yield
        connection.execute("DROP TABLE shop.lines")
        connection.execute("DROP SCHEMA shop CASCADE")


def psql(server: Any, *commands: str) -> str:
    """What psql prints, unaligned, of commands that it reads from a file; it must not complain."""
    done = subprocess.run(
        [PSQL, "-X", "-A", "-q", "-d", server.url, "-f", "-"],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PGCLIENTENCODING": "UTF8"},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.usefixtures("shop")
class TestCommands:
    def test_d_lists_relations_beside_the_runtime(self, server: Any) -> None:
        printed = psql(server, "SET search_path = shop, hd_runtime;", r"\d").splitlines()
        for line in (
            "shop|big|view|tester",
            "shop|lines|table|tester",
            "shop|numbers|sequence|tester",
            "shop|orders|table|tester",
            "hd_runtime|tasks|table|postgres",
        ):
            assert line in printed

    def test_dt_and_dv_list_by_pattern(self, server: Any) -> None:
        everything = psql(server, r"\dt *.*").splitlines()
        assert "shop|orders|table|tester" in everything
        assert "hd_runtime|tasks|table|postgres" in everything
        assert psql(server, r"\dv shop.*").splitlines()[2:] == [
            "shop|big|view|tester",
            "(1 row)",
        ]
        assert "what was ordered" in psql(server, r"\dt+ shop.o*")

    def test_d_describes_a_table(self, server: Any) -> None:
        assert psql(server, r"\d shop.orders").splitlines() == [
            'Table "shop.orders"',
            "Column|Type|Collation|Nullable|Default",
            "id|integer||not null|",
            "placed|date||not null|",
            "total|numeric(12,2)|||0",
            "Indexes:",
            '    "orders_pkey" PRIMARY KEY, btree (id)',
            "Referenced by:",
            '    TABLE "shop.lines" CONSTRAINT "lines_order_id_fkey" FOREIGN KEY (order_id) '
            "REFERENCES shop.orders(id)",
        ]
        assert "in euros" in psql(server, r"\d+ shop.orders")

    def test_views_show_their_query(self, server: Any) -> None:
        query = "SELECT id, total FROM shop.orders WHERE total > 1000"
        assert query in psql(server, r"\d+ shop.big")
        assert psql(server, r"\sv shop.big").splitlines() == [
            "CREATE OR REPLACE VIEW shop.big AS",
            query,
        ]

    def test_dn_dp_and_l(self, server: Any) -> None:
        assert "shop|tester" in psql(server, r"\dn+")
        assert "hd_agent=r/hatidata_users" in psql(server, r"\dp shop.orders")
        assert psql(server, r"\l hatidata").splitlines()[2].startswith("hatidata|postgres|UTF8")
        assert "tester" in psql(server, r"\du")
        assert "claim_next_task" in psql(server, r"\df hd_runtime.*")

    def test_gdesc_says_what_d_says(self, server: Any) -> None:
        printed = psql(server, r"SELECT * FROM shop.orders \gdesc").splitlines()
        assert printed[1:4] == ["id|integer", "placed|date", "total|numeric(12,2)"]

    @pytest.mark.parametrize(
        "command",
        [r"\di shop.*", r"\ds shop.*", r"\dT", r"\dO", r"\db", r"\dx", r"\ddp", r"\drds", r"\dL",
         r"\dC", r"\dD", r"\dF", r"\des", r"\dew", r"\dP", r"\dX", r"\dy", r"\da sum", r"\do =",
         r"\dc", r"\dd", r"\dg", r"\z shop.orders", r"\sf hd_runtime.claim_task", r"\dconfig"],
    )  # fmt: skip
    def test_other_commands_are_answered(self, server: Any, command: str) -> None:
        psql(server, command)

    def test_tab_completion_finds_the_tables(self, server: Any) -> None:
        """The question that psql 15 asks for `SELECT * FROM shop.or<TAB>`."""
        with server.connect() as connection:
            rows = connection.execute(
                "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) "
                "FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid "
                "AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND pg_catalog.quote_ident(n.nspname) || '.' || "
                "pg_catalog.quote_ident(c.relname) LIKE 'shop.or%' LIMIT 1000"
            ).fetchall()
        assert rows == [("shop.orders",)]


def test_a_catalog_question_with_an_error_has_its_place(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
        connection.execute("SELECT d.daticulocale, d.nothing FROM pg_catalog.pg_database d")
    assert caught.value.diag.statement_position == "24"
