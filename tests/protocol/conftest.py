"""Every test of this directory runs on both servers: first the proof, then the subject."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import targets
from .run import Target


@pytest.fixture(scope="session")
def real_postgres() -> Iterator[Target]:
    with targets.postgres() as target:
        yield target


@pytest.fixture(params=targets.NAMES)
def target(request: pytest.FixtureRequest) -> Target:
    if request.param == "postgres":
        return request.getfixturevalue("real_postgres")
    return targets.hatidata(request.getfixturevalue("server").url)
