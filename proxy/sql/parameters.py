"""Types for the parameters of a statement that is already DuckDB's SQL.

A client may say at Parse what type a parameter has, and DuckDB cannot infer a type everywhere; in
both cases the type is written into the SQL as a cast around the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot.tokens import TokenType

from proxy.sql.reading import DUCKDB


def cast_parameters(sql: str, types: Mapping[int, str]) -> str:
    """`sql` with each `$n` in `types` written `CAST($n AS type)`; types are DuckDB's names."""
    tokens = DUCKDB.tokenize(sql)
    pieces: list[str] = []
    copied = 0
    for dollar, number in zip(tokens, tokens[1:], strict=False):
        if dollar.token_type != TokenType.PARAMETER or number.token_type != TokenType.NUMBER:
            continue
        kind = types.get(int(number.text))
        if kind is None or number.start != dollar.end + 1:
            continue
        pieces.append(sql[copied : dollar.start])
        pieces.append(f"CAST(${number.text} AS {kind})")
        copied = number.end + 1
    pieces.append(sql[copied:])
    return "".join(pieces)
