"""docs/snowflake.md is the page that the code writes."""

from __future__ import annotations

from pathlib import Path

from proxy.sql.snowflake.document import page


def test_the_page_is_current() -> None:
    checkout = Path(__file__).parents[2]
    written = checkout / "docs" / "snowflake.md"
    assert written.read_text() == page(checkout / "tests"), (
        "run python -m proxy.sql.snowflake.document"
    )
