"""For dbt's own functional tests of adapters: the profile, and dbt's flags, which its fixtures ask for.

pytest is started here by `tests/tools/test_dbt_adapter.py`, in a process of its own.
"""

from __future__ import annotations

import os
from argparse import Namespace
from typing import Any

import pytest
from dbt.flags import set_from_args

set_from_args(Namespace(), None)
pytest_plugins = "dbt.tests.fixtures.project"


@pytest.fixture(scope="class")
def dbt_profile_target() -> dict[str, Any]:
    return {
        "type": "postgres",
        "host": os.environ["HATIDATA_HOST"],
        "port": int(os.environ["HATIDATA_PORT"]),
        "user": "analyst",
        "pass": "",
        "dbname": "hatidata",
        "threads": 4,
    }
