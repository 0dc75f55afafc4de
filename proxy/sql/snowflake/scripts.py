"""The dialect's macros and the views of its catalog, as statements: read from `macros/*.sql`, `catalog/*.sql`.

Why it exists: what a file says is not all that DuckDB has to be told. Macros of several forms have twins, the
variables of lambdas names of their own, and a view's query is a macro's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

from sqlglot.tokens import Token, TokenType

from proxy.sql.classify import Slice, split
from proxy.sql.reading import DUCKDB
from proxy.sql.words import CLOSING, OPENING

_NAME, _FORMS = 8, 9  # CREATE OR REPLACE MACRO _sf . main . name (...) AS ...


@dataclass(frozen=True, slots=True)
class Macro:
    """statements: those that create it, and its twin. overloaded: it has several forms.

    weight: how often DuckDB binds an argument of it, which it puts wherever the body names the parameter;
    0 for a macro that gives a table.
    """

    name: str
    statements: tuple[str, ...]
    overloaded: bool
    weight: int

    @property
    def has_twin(self) -> bool:
        return len(self.statements) > 1


@cache
def macros() -> tuple[Macro, ...]:
    """In the order in which they are to be created."""
    found = list(_statements("macros"))
    weigh = _weigher({_name(piece): _forms(piece.tokens[_FORMS:]) for _, piece in found})
    return tuple(_macro(*one, place, weigh) for place, one in enumerate(found))


def catalog() -> list[str]:
    """The statements that create the catalog's views, behind the macros."""
    return [part for text, piece in _statements("catalog") for part in _short(text, piece)]


def _statements(folder_name: str) -> Iterator[tuple[str, Slice]]:
    """Each with the text of its file, in which its tokens have their places."""
    folder = resources.files(__package__) / folder_name
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    for file in files:
        text = file.read_text("utf-8")
        for piece in split(DUCKDB.tokenize(text), text, scripting=False):
            yield text, piece


def _name(piece: Slice) -> str:
    return piece.tokens[_NAME].text


def _macro(text: str, piece: Slice, place: int, weigh: Callable[[str], int]) -> Macro:
    name, forms = _name(piece), _forms(piece.tokens[_FORMS:])
    renamed = _lambdas_variables(piece.tokens)

    def written(start: int, end: int) -> str:
        """A part of the text, in which these have names that hold the macro's place among all."""
        pieces = []
        for token in renamed:
            if start <= token.start < end:
                pieces += [text[start : token.start], f"_{place}_{token.text}"]
                start = token.end + 1
        return "".join([*pieces, text[start:end]])

    statements = [written(piece.start, piece.end)]
    if len(forms) > 1 and (plain := [form for form in forms if not _typed(form)]):
        # DuckDB chooses a form by types, which columns in a definition do not have yet: what is called
        # there is the twin, of the forms that look at no types, whose name ends in one _ more.
        parts = (written(form[0].start, form[-1].end + 1) for form in plain)
        statements.append(f"CREATE OR REPLACE MACRO _sf.main.{name}_ {', '.join(parts)}")
    return Macro(name, tuple(statements), len(forms) > 1, weigh(name))


def _weigher(forms_of: dict[str, list[list[Token]]]) -> Callable[[str], int]:
    """What gives the weight of a macro. forms_of: the forms of each."""

    @cache
    def weigh(name: str) -> int:
        forms = forms_of[name]
        if forms[0][_closing(forms[0]) + 2].text.upper() == "TABLE":
            return 0
        # To choose one of several forms, arguments are bound once more, for their types.
        return int(len(forms) > 1) + max(map(within, forms))

    def within(form: list[Token]) -> int:
        closing = _closing(form)
        parameters = _parameters(form[1:closing])
        weight, around = 0, [1]
        for at in range(closing + 1, len(form)):
            kind = form[at].token_type
            if kind == TokenType.L_PAREN:
                ours = form[at - 2].token_type == TokenType.DOT and form[at - 3].text == "main"
                around.append(around[-1] * (weigh(form[at - 1].text) if ours else 1))
            elif kind == TokenType.R_PAREN:
                around.pop()
            elif form[at].text in parameters and form[at - 1].token_type != TokenType.DOT:
                weight += around[-1]
        return weight

    return weigh


def _parameters(tokens: list[Token]) -> set[str]:
    """Their names: the first words between the commas."""
    starts = zip([None, *tokens], tokens, strict=False)
    return {
        one.text for before, one in starts if before is None or before.token_type == TokenType.COMMA
    }


def _short(text: str, piece: Slice) -> list[str]:
    """A view's query is a macro's, so that its text is short: to tell the text of one view of a client's,
    DuckDB writes those of all that there are."""
    tokens = piece.tokens
    if tokens[3].text.upper() != "VIEW":
        return [text[piece.start : piece.end]]
    at = next(i for i, token in enumerate(tokens) if token.token_type == TokenType.ALIAS)
    name, query = (
        text[tokens[4].start : tokens[at - 1].end + 1],
        text[tokens[at + 1].start : piece.end],
    )
    return [
        f"CREATE OR REPLACE MACRO {name}_of() AS TABLE {query}",
        f"CREATE OR REPLACE VIEW {name} AS FROM {name}_of()",
    ]


def _forms(tokens: list[Token]) -> list[list[Token]]:
    """The forms of a macro: what stands between them are the commas outside of brackets."""
    depth = 0
    forms: list[list[Token]] = [[]]
    for token in tokens:
        kind = token.token_type
        depth += (kind in OPENING) - (kind in CLOSING)
        if kind == TokenType.COMMA and depth == 0:
            forms.append([])
        else:
            forms[-1].append(token)
    return forms


def _lambdas_variables(tokens: list[Token]) -> list[Token]:
    """Where a macro names variables of its lambdas, which must be names that nobody else has.

    DuckDB puts arguments into a macro's body as they are written: a column `e` would be the variable of
    a `lambda e`, and `e.v` within one is a column of a table `e`.
    """
    found: set[int] = set()
    for start, token in enumerate(tokens):
        if token.token_type == TokenType.STRING or token.text.lower() != "lambda":
            continue
        body = next(i for i in range(start, len(tokens)) if tokens[i].token_type == TokenType.COLON)
        names = {one.text for one in tokens[start + 1 : body] if one.token_type == TokenType.VAR}
        for index in range(start + 1, _end_of(tokens, body + 1)):
            one, before = tokens[index], tokens[index - 1].token_type
            if one.token_type == TokenType.VAR and one.text in names and before != TokenType.DOT:
                found.add(index)
    return [tokens[index] for index in sorted(found)]


def _closing(form: list[Token]) -> int:
    """Where a form's parameters end."""
    depth = 0
    for index, token in enumerate(form):
        depth += (token.token_type in OPENING) - (token.token_type in CLOSING)
        if depth == 0:
            return index
    return len(form)


def _end_of(tokens: list[Token], start: int) -> int:
    """Where a lambda's body ends, which begins at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        kind = tokens[index].token_type
        depth += (kind in OPENING) - (kind in CLOSING)
        if depth < 0 or (depth == 0 and kind == TokenType.COMMA):
            return index
    return len(tokens)


def _typed(form: list[Token]) -> bool:
    """Whether a form's parameters have types: two words between its commas."""
    inner = form[1 : _closing(form)]
    return any(
        TokenType.COMMA not in (before.token_type, after.token_type)
        and ":=" not in (before.text, after.text)
        for before, after in pairwise(inner)
    )
