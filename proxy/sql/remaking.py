"""A table's definition with other constraints, or with other lengths of its texts.

Why it exists: DuckDB adds no constraint to a table that is there, and a length is one there. What its
catalog gives as a table's definition is changed by its tokens; nothing else in it is touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import DUCKDB
from proxy.sql.statement import Remakes

_CONSTRAINTS = frozenset(("CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "CONSTRAINT"))
_BEHIND_A_TYPE = frozenset(("DEFAULT", "NOT", "NULL", "PRIMARY", "UNIQUE", "CHECK", "COLLATE"))


@dataclass(slots=True)
class Definition:
    """body: the brackets and what is in them. columns: those that were there; values: of each."""

    body: str
    columns: list[str]
    values: list[str]


def definition(body: str, remakes: Remakes) -> Definition | None:
    """The definition as it is to be; None where DuckDB's own ALTER TABLE will do.

    body: the brackets of the definition that there is. Raises 42703 for a column that it has not,
    0A000 for generated columns.
    """
    tokens = DUCKDB.own_tokens(body)
    texts = {name.casefold(): (limit, value) for name, limit, value in remakes.texts}
    changed = frozenset(texts)
    kept: list[str] = []
    columns: list[str] = []
    values: list[str] = []
    limited = False
    for element in _elements(tokens):
        written = body[element[0].start : element[-1].end + 1]
        if _is_constraint(element):
            if (name := _limits(element)) is not None and name.casefold() in changed:
                limited = True
            else:
                kept.append(written)
            continue
        if any(token.text.upper() == "GENERATED" for token in element[1:]):
            raise SqlError(
                "0A000", "this change of a table with generated columns is not supported"
            )
        name = element[0].text
        change = texts.pop(name.casefold(), None)
        columns.append(name)
        quoted = _quoted(name)
        if change is None:
            kept.append(written)
            values.append(quoted)
            continue
        limit, value = change
        kept.append(_as_text(body, element))
        values.append(f"CAST({value or quoted} AS VARCHAR)")
        if limit:
            kept.append(f"CHECK ((length({quoted}) <= {limit}))")
    if texts:
        missing = next(name for name, _, _ in remakes.texts if name.casefold() in texts)
        raise SqlError(
            "42703", f'column "{missing}" of relation "{remakes.table[-1]}" does not exist'
        )
    if not (remakes.always or limited):
        return None
    return Definition(f"({', '.join([*kept, *remakes.elements])})", columns, values)


def _elements(tokens: list[Token]) -> list[list[Token]]:
    """The columns and constraints between the outermost brackets."""
    depth = 0
    found: list[list[Token]] = [[]]
    for token in tokens:
        kind = token.token_type
        if kind == TokenType.R_PAREN:
            depth -= 1
        if kind == TokenType.COMMA and depth == 1:
            found.append([])
        elif depth:
            found[-1].append(token)
        if kind == TokenType.L_PAREN:
            depth += 1
    return [element for element in found if element]


def _is_constraint(element: list[Token]) -> bool:
    first = element[0]
    return first.token_type != TokenType.IDENTIFIER and _word(first) in _CONSTRAINTS


def _word(token: Token) -> str:
    """A keyword; some are of two words."""
    return (token.text.upper().split() or [""])[0]


def _limits(element: list[Token]) -> str | None:
    """The column of CHECK((length(column) <= n)), None for other constraints."""
    words = [token.text for token in element]
    spelled = [word.lower() for word in words]
    start, end = ["check", "(", "(", "length", "("], [")", "<="]
    if len(words) == 11 and spelled[:5] == start and spelled[6:8] == end and words[8].isdigit():
        return words[5]
    return None


def _as_text(body: str, element: list[Token]) -> str:
    """A column's definition with VARCHAR for its type."""
    depth = 0
    behind = len(element)
    for index, token in enumerate(element[1:], start=1):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and index > 1 and _word(token) in _BEHIND_A_TYPE:
            behind = index
            break
    rest = body[element[behind].start : element[-1].end + 1] if behind < len(element) else ""
    return f"{_quoted(element[0].text)} VARCHAR {rest}".rstrip()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
