"""Each mutation still names a place in the SQL; `mutate.py` shows that the torture notices it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runtime_sql import sources

from . import mutate


@pytest.mark.parametrize("name", mutate.MUTATIONS)
def test_the_place_is_there(name: str, tmp_path: Path):
    package = tmp_path / "runtime_sql"
    shutil.copytree(sources._root(), package)
    before = (package / mutate.MUTATIONS[name]["file"]).read_text()
    mutate.mutate(name, package)
    assert (package / mutate.MUTATIONS[name]["file"]).read_text() != before


def test_there_are_enough_of_them():
    assert len(mutate.MUTATIONS) >= 15
