"""Functions whose body is a block of Snowflake Scripting, as the expression that they compute.

Why it exists: a function is a macro here, and a macro is one expression. Snowflake lets such a block
neither read nor write: it declares, assigns, chooses and returns. That is an expression, as long as
nothing loops or catches: what a variable holds stands in its place, and what comes behind an IF stands
in each of its branches. Loops, exceptions and queries in such a block are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.scripting import script
from proxy.sql.scripting.reader import read_block

_LONGEST = 100_000
"""Characters of an expression: each IF doubles what comes behind it."""

_REFUSED: dict[type, str] = {
    script.For: "FOR",
    script.Count: "FOR",
    script.Loop: "a loop",
    script.Leave: "a loop",
    script.Sql: "a statement",
    script.Immediate: "EXECUTE IMMEDIATE",
    script.Apart: "ASYNC",
    script.Await: "AWAIT",
    script.Raise: "RAISE",
    script.Open: "a cursor",
    script.FetchInto: "a cursor",
    script.Close: "a cursor",
}
_Held = Mapping[str, tuple[str, str]]  # name -> type, '' where not said, and the expression


def expression_of(body: str) -> str:
    """The body of a function without its block; as it is where it has none.

    Raises SqlError 42601 where the block cannot be read, 0A000 for what no expression does.
    """
    found = SNOWFLAKE.tokenize(body)
    if not found or found[0].text.upper() not in ("BEGIN", "DECLARE"):
        return body
    block, _ = read_block(body, found)
    return _value((block,), {})


def _refused(what: str) -> SqlError:
    return SqlError(
        "0A000",
        f"{what} in the block of a function is not supported",
        hint="Write an expression, or a procedure.",
    )


def _value(statements: tuple[script.Statement, ...], held: _Held) -> str:
    """What statements return, as an expression; NULL where they return nothing."""
    if not statements:
        return "NULL"
    first, rest = statements[0], statements[1:]
    match first:
        case script.Null():
            return _value(rest, held)
        case script.Return(value=None, table=None):
            return "NULL"
        case script.Return(value=script.Fragment() as value):
            return _written(value, held)
        case script.Let(declaration=declaration):
            return _value(rest, _declared(declaration, held))
        case script.Assign(name=name, value=value):
            kind, _ = held.get(name.lower(), ("", ""))
            return _value(rest, {**held, name.lower(): _of_type(kind, _written(value, held))})
        case script.Block(declarations=declarations, body=inner, handlers=handlers):
            if handlers:
                raise _refused("EXCEPTION")
            for declaration in declarations:
                if declaration.name.lower() in held:
                    raise _refused("a variable that hides another one")
                held = _declared(declaration, held)
            return _value((*inner, *rest), held)
        case script.If(branches=branches):
            return _chosen("", branches, rest, held)
        case script.Case(operand=operand, branches=branches):
            compared = "" if operand is None else f"({_written(operand, held)}) = "
            return _chosen(compared, branches, rest, held)
    raise _refused(_REFUSED.get(type(first), "such a statement"))


def _chosen(
    compared: str,
    branches: tuple[tuple[script.Fragment | None, tuple[script.Statement, ...]], ...],
    rest: tuple[script.Statement, ...],
    held: _Held,
) -> str:
    made = ["CASE"]
    otherwise = rest
    for condition, statements in branches:
        if condition is None:
            otherwise = (*statements, *rest)
            continue
        value = _value((*statements, *rest), held)
        made.append(f"WHEN {compared}({_written(condition, held)}) THEN ({value})")
    made.append(f"ELSE ({_value(otherwise, held)}) END")
    expression = " ".join(made)
    if len(expression) > _LONGEST:
        raise _refused("so many branches")
    return expression


def _declared(declaration: script.Declaration, held: _Held) -> _Held:
    if not isinstance(declaration, script.Variable):
        raise _refused("a cursor, RESULTSET, exception or procedure")
    value = "NULL" if declaration.value is None else _written(declaration.value, held)
    return {**held, declaration.name.lower(): _of_type(declaration.type, value)}


def _of_type(kind: str, value: str) -> tuple[str, str]:
    return kind, f"CAST(({value}) AS {kind})" if kind else f"({value})"


def _written(fragment: script.Fragment, held: _Held) -> str:
    """An expression with what its variables hold in their places."""
    tokens, made = fragment.tokens, []
    for at, token in enumerate(tokens):
        if token.token_type == TokenType.SELECT:
            raise _refused("a query")
        before = tokens[at - 1].token_type if at else None
        after = tokens[at + 1].token_type if at + 1 < len(tokens) else None
        if token.token_type == TokenType.COLON and before not in _PATHS:
            continue  # :name, a variable or an argument
        plain = before != TokenType.DOT and after not in (TokenType.DOT, TokenType.L_PAREN)
        if plain and _holds(tokens, at, held):
            made.append(held[tokens[at].text.lower()][1])
        else:
            made.append(fragment.text[token.start : token.end + 1])
    return " ".join(made)


# What a path into a VARIANT may begin behind.
_PATHS = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET)


def _holds(tokens: tuple[Token, ...], at: int, held: _Held) -> bool:
    quoted = (TokenType.STRING, TokenType.IDENTIFIER)
    return (
        at < len(tokens) and tokens[at].token_type not in quoted and tokens[at].text.lower() in held
    )
