"""Types for the parameters of a statement that is already DuckDB's SQL.

Why it exists: DuckDB's C API has no way to say of what type a parameter is; it takes the type from
the statement's text, or plans anew for the value that comes. A client may name types at Parse, and
where it does not they are inferred once; either way the type is written into the text as a cast
around *each* place of the parameter. That is what makes a plan usable as it is - and safe: where
one place of a parameter has a type and another has none (`SELECT typeof($1), $1::INTEGER`), a value
of just that type makes DuckDB 1.5 run a plan that was never finished, which ends in an internal
error that invalidates the database.

Only tokens are looked at, so strings, comments, quoted identifiers and dollar-quoted strings stay
as they are. A parameter that the text casts already (`$1::INTEGER`) is cast twice, which is
harmless: the inner type is the one that the value has.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from sqlglot.tokens import TokenType

from proxy.sql.reading import DUCKDB

T = TypeVar("T")


def cast_parameters(sql: str, types: Mapping[int, str], hidden: Container[int] = ()) -> str:
    """`sql` with each `$n` in `types` written `CAST($n AS type)`; types are DuckDB's names.

    hidden: those whose value must not be seen while the statement is bound: some functions give
    another type for a constant NULL. Raises SyntaxFailure (42601) for a text that has no tokens.
    """
    texts = {n: f"CAST(${n} AS {kind})" for n, kind in types.items()}
    return _replaced(
        sql, {n: f"(SELECT {text})" if n in hidden else text for n, text in texts.items()}
    )


def sample_parameters(sql: str, types: Mapping[int, str]) -> str:
    """`sql` with a value of its type in place of each `$n` in `types`: for its result types alone.

    Functions that read a constant while they are bound (strftime's format, typeof) leave a
    statement with parameters without result types; with values in their place DuckDB knows them.
    """
    return _replaced(sql, samples(types))


def samples(types: Mapping[int, str]) -> dict[int, str]:
    """A value of each type, as SQL."""
    return {n: f"CAST('{_sample(kind)}' AS {kind})" for n, kind in types.items()}


def null_parameters(sql: str, types: Mapping[int, str]) -> str:
    """As `sample_parameters` with NULLs, which every function takes; but NULL || 'x' is an INTEGER."""
    return _replaced(sql, {n: f"CAST(NULL AS {kind})" for n, kind in types.items()})


# Texts of which DuckDB makes a value; other types' is that of a number.
_SAMPLES = {
    "VARCHAR": "day",  # as a text, a format or a part of dates
    "BLOB": "",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ"), "2000-01-01 00:00:00"),
    "DECIMAL": "0",
    "BOOLEAN": "true",
    **dict.fromkeys(("JSON", "JSONB"), "null"),
    "DATE": "2000-01-01",
    "TIME": "00:00:00",
    "TIMETZ": "00:00:00+00",
    "INTERVAL": "1 day",
    "UUID": "00000000-0000-0000-0000-000000000000",
}


def _sample(kind: str) -> str:
    return "[]" if kind.endswith("[]") else _SAMPLES.get(kind.partition("(")[0], "1")


def returned(sql: str) -> tuple[int, ...]:
    """The numbers of the parameters that stand behind RETURNING, where DuckDB takes none."""
    start = _returning(sql)
    if start is None:
        return ()
    return tuple(sorted({n for n, place, _ in _parameters(sql) if place > start}))


def with_returned(sql: str, texts: Mapping[int, str]) -> str:
    """`sql` with a text in place of each `$n` in `texts` that stands behind RETURNING."""
    start = _returning(sql)
    return sql if start is None else _replaced(sql, texts, start)


def _returning(sql: str) -> int | None:
    """The offset of a statement's own RETURNING."""
    depth, found = 0, None
    for token in DUCKDB.tokenize(sql):
        kind = token.token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if kind == TokenType.RETURNING and depth == 0:
            found = token.start
    return found


def renumber_parameters(sql: str, numbers: Sequence[int]) -> str:
    """`sql` with `$n` written `$k` for the k-th (from 1) of `numbers`: DuckDB counts without gaps."""
    return _replaced(sql, {n: f"${k}" for k, n in enumerate(numbers, start=1)})


def part_with(sql: str, values: Sequence[T]) -> tuple[str, list[T]]:
    """A part of a statement as one of its own, and the values of its parameters. values: the statement's."""
    numbers = sorted({n for n, _ in parameter_places(sql)})
    return renumber_parameters(sql, numbers), [values[n - 1] for n in numbers]


def with_texts(sql: str, texts: Mapping[int, str]) -> str:
    """`sql` with a text in place of each `$n` in `texts`."""
    return _replaced(sql, texts)


def parameter_places(sql: str) -> list[tuple[int, int]]:
    """(n, offset) of each `$n`, in the order of the text."""
    return [(number, start) for number, start, _ in _parameters(sql)]


def parameter_count(sql: str) -> int:
    """The highest n of `$n` in DuckDB's SQL, 0 if there is none."""
    return max((number for number, _, _ in _parameters(sql)), default=0)


def _replaced(sql: str, texts: Mapping[int, str], start: int = 0) -> str:
    """Those before `start` are left."""
    pieces: list[str] = []
    copied = 0
    for number, place, end in _parameters(sql):
        if number in texts and place >= start:
            pieces += sql[copied:place], texts[number]
            copied = end
    return "".join([*pieces, sql[copied:]])


def _parameters(sql: str) -> Iterator[tuple[int, int, int]]:
    """(n, offset, offset behind it) of each `$n`, in the order of the text."""
    if "$" not in sql:
        return
    tokens = DUCKDB.tokenize(sql)
    for dollar, number in pairwise(tokens):
        if dollar.token_type != TokenType.PARAMETER or number.start != dollar.end + 1:
            continue
        end = number.end + 1
        written = sql[number.start : end]
        # `$1e5` and `$1a` are no parameters of ours; whatever they are, DuckDB says so.
        followed = sql[end : end + 1]
        if (
            written.isascii()
            and written.isdecimal()
            and not (followed.isalnum() or followed == "_")
        ):
            yield int(written), dollar.start, end
