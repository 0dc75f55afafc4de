"""Queries that read stages: `SELECT $1, t.$2 FROM @stage/path (FILE_FORMAT => f, PATTERN => 'p') t`.

Which tokens are a stage's, and with which arguments; the session reads the files and puts a table in
their place. A stage stands where a table may: after FROM, JOIN, USING, INTO of nothing else, or after
a comma in FROM.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.words import Words

_BEFORE = frozenset({"FROM", "JOIN", "USING"})


def reads(tree: exp.Expr) -> bool:
    """Whether a statement reads a stage."""
    return any(map(_is_stage, tree.find_all(exp.Table)))


def _is_stage(table: exp.Table) -> bool:
    this = table.this
    if isinstance(this, exp.Var):
        return this.name.startswith("@")
    return isinstance(this, exp.Literal) and this.is_string and this.name.startswith("@")


def read(text: str, tree: exp.Expr, kind: str, *, writes: bool) -> act.StageQuery | None:
    """The stages that a statement, of which `tree` was made, reads; None where it reads none.

    Raises 0A000 where it cannot be told which they are, and for what has no columns to give.
    """
    _refuse_star(tree)
    query = _read(text, SNOWFLAKE.tokenize(text), kind, writes=writes)
    there = sum(map(_is_stage, tree.find_all(exp.Table)))
    if query is not None and len(query.tables) != there:
        raise SqlError("0A000", "a stage in this place of a statement is not supported")
    return query


def _read(text: str, found: list[Token], kind: str, *, writes: bool) -> act.StageQuery | None:
    tables: list[act.StageTable] = []
    columns = 0
    in_from: list[bool] = [False]
    skip = -1
    for index, token in enumerate(found):
        if index <= skip:
            continue
        word = token.text.upper()
        if token.token_type == TokenType.L_PAREN:
            in_from.append(False)
        elif token.token_type == TokenType.R_PAREN and len(in_from) > 1:
            in_from.pop()
        elif token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            word = ""
        if word in _BEFORE:
            in_from[-1] = True
        elif word in _AFTER:
            in_from[-1] = False
        before = found[index - 1].text.upper() if index else ""
        stands = before in _BEFORE or (before == "," and in_from[-1])
        if stands and _begins(token):
            table, length = _table(text, found[index:])
            tables.append(table)
            skip = index + length - 1
        elif token.token_type == TokenType.PARAMETER and index + 1 < len(found):
            number = found[index + 1]
            if number.token_type == TokenType.NUMBER and number.text.isdigit():
                columns = max(columns, int(number.text))
    if not tables:
        return None
    return act.StageQuery(text, tuple(tables), columns, kind, writes)


_AFTER = frozenset(
    {"WHERE", "GROUP", "ORDER", "HAVING", "QUALIFY", "SELECT", "LIMIT", "UNION", "SET", "ON"}
)


def _begins(token: Token) -> bool:
    if token.token_type == TokenType.STRING:
        return token.text.startswith("@")
    return token.token_type == TokenType.PARAMETER and token.text == "@"


def _table(text: str, tokens: list[Token]) -> tuple[act.StageTable, int]:
    """The stage at the beginning of `tokens`, and how many of them are its."""
    from proxy.sql.snowflake import stage_statements as statements

    words = Words(text, tokens)
    first = tokens[0]
    if words.is_string():
        location = statements.location_of(words.string())
    else:
        location = statements.location_of(statements.location_text(words))
    format_, pattern = act.Format(), None
    if words.word == "(" and words.word_at(1) in ("FILE_FORMAT", "PATTERN"):
        words.expect("(")
        while not words.accept(")"):
            if words.accept("PATTERN"):
                words.expect("=>")
                pattern = words.string()
            else:
                words.expect("FILE_FORMAT")
                words.expect("=>")
                name = statements.name_in(words.string()) if words.is_string() else words.dotted()
                format_ = act.Format(name=name)
            words.accept(",")
    taken = len(tokens) if words.token is None else tokens.index(words.token)
    return act.StageTable(location, format_, pattern, first.start, tokens[taken - 1].end + 1), taken


def spliced(query: act.StageQuery, names: list[str]) -> str:
    """The statement with a table's name in the place of each stage."""
    text, at = "", 0
    for table, name in zip(query.tables, names, strict=True):
        text += query.text[at : table.start] + name
        at = table.end
    return text + query.text[at:]


def _refuse_star(tree: exp.Expr) -> None:
    """Raises 0A000 for `SELECT *` over a stage: its rows have no columns of their own."""
    for select in tree.find_all(exp.Select):
        from_ = select.args.get("from_")
        stars = any(isinstance(e, exp.Star) for e in select.expressions)
        source = from_.this if from_ is not None else None
        if stars and isinstance(source, exp.Table) and _is_stage(source):
            raise SqlError(
                "0A000",
                "SELECT * from a stage is not supported",
                hint="Name the columns: SELECT $1, $2 FROM @stage.",
            )
