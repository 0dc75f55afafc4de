"""dbt's own functional tests for adapters (`dbt-tests-adapter`), in Postgres's dialect, by four threads.

Why a process of its own: its fixtures set dbt's global flags and change the working directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_SUITE = Path(__file__).parent / "dbt_adapter"
_USERS = ("dbt_reader", "dbt_writer", "dbt_auditor")


@pytest.mark.long
def test_dbt_s_own_suite_passes(server: Any, tmp_path: Path) -> None:
    pytest.importorskip("dbt.tests.adapter.basic")
    for user in _USERS:
        with server.connect(user=user) as connection:
            connection.execute("SELECT oid FROM pg_class LIMIT 1")  # a user is a role from then on
    environment = {
        **os.environ,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "HATIDATA_HOST": server.host,
        "HATIDATA_PORT": str(server.port),
        "PGOPTIONS": "-c hatidata.dialect=postgres",
        **{f"DBT_TEST_USER_{number}": user for number, user in enumerate(_USERS, start=1)},
    }
    suite = (
        tmp_path / "suite"
    )  # away from the conftest files here, which it has one of its own beside
    suite.mkdir()
    shutil.copy(_SUITE / "suite.py", suite)
    shutil.copy(_SUITE / "profile.py", suite / "conftest.py")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path),
         "-c", os.devnull, "--tb=short", str(suite / "suite.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
