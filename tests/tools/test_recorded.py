"""What tools that are not on the machine ask (`recorded/`), beside a real Postgres with the same tables.

Each statement goes to both servers with its parameters, as the tools send them, to ours in both
dialects. Columns, types and rows must be the same, but for what `comparing` says.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .comparing import Recorded, ask, differences, read
from .conftest import DIALECTS, Side

_ASKED = [
    pytest.param(statement, dialect, id=f"{path.stem}: {statement.name}, {dialect}")
    for path in sorted(Path(__file__).with_name("recorded").glob("*.sql"))
    for dialect in DIALECTS
    for statement in read(path)
    if dialect == "postgres" or not statement.postgres
]


@pytest.mark.parametrize(("statement", "dialect"), _ASKED)
def test_it_answers_as_postgres_does(
    sides: dict[str, tuple[Side, Side]], statement: Recorded, dialect: str
) -> None:
    (ours, here), (real, there) = sides[dialect]
    wrong = differences(
        ask(ours, statement, here),
        ask(real, statement, there),
        statement,
        names_are_texts=dialect == "snowflake",
    )
    assert wrong == []
