"""Django: its own migrations and an application's, the mapper, `inspectdb`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("django")

_HERE = Path(__file__).parent


def test_an_application_of_djangos(server: Any, schema: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, _HERE / "django_run.py", server.host, str(server.port), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    inspected = found.pop("inspected")
    assert found == {
        "permissions": 12,
        "joined": [["T", "10.50"]],
        "counted": [1, 0, 0, 0],
        "there": False,
        "insensitive": 1,
        "twice": "IntegrityError",
        "negative": "IntegrityError",
        "user": True,
        "deleted": 3,
        "left": 0,
    }
    for line in (
        "id = models.BigAutoField(primary_key=True)",
        "author = models.ForeignKey('DjangoShopAuthor', models.DO_NOTHING)",
        "price = models.DecimalField(max_digits=8, decimal_places=2)",
        "name = models.CharField(unique=True, max_length=50)",
    ):
        assert line in inspected, inspected
