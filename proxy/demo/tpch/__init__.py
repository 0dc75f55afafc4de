"""The 22 TPC-H queries, written the way somebody who works in Snowflake would write them.

They are the demonstration's proof that Snowflake SQL gives right answers here, so each uses
constructs that DuckDB refuses as they stand (the second line of each file names them), and each
keeps the column names, the row order and the parameters of the official validation run, which is
what DuckDB's `tpch_answers()` holds.

One file per query: the first line is `-- Q<n>: <title>`.
"""

from dataclasses import dataclass
from importlib import resources

__all__ = ["QUERIES", "Query"]


@dataclass(frozen=True, slots=True)
class Query:
    """One query: its number in TPC-H (1 to 22), its title there, and its text."""

    number: int
    title: str
    sql: str


def _read(number: int) -> Query:
    sql = (resources.files(__name__) / f"q{number:02}.sql").read_text(encoding="utf-8")
    prefix, title = sql.split("\n", 1)[0].split(": ", 1)
    if prefix != f"-- Q{number}":
        raise ValueError(f"q{number:02}.sql does not begin with '-- Q{number}: <title>'")
    return Query(number, title, sql)


QUERIES = tuple(_read(number) for number in range(1, 23))
"""All 22, in order."""
