"""A server with a pool of two backends, and objects of an operator's making behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.relay.pooled import OBJECTS, OPTIONS, Pooled, pooled


@pytest.fixture(scope="package")
def pool() -> Iterator[Pooled]:
    with pooled(*OPTIONS) as running:
        running.as_admin(OBJECTS)
        yield running
