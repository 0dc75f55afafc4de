"""Queries that read stages: `SELECT $1, t.$2 FROM @stage/path (FILE_FORMAT => f, PATTERN => 'p') t`.

Which tokens are a stage's, and with which arguments; the session reads the files and puts a table in
their place. A stage stands where a table may: after FROM, JOIN, USING, INTO of nothing else, or after
a comma in FROM.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.words import Words

_BEFORE = frozenset({"FROM", "JOIN", "USING"})


def may_read(tokens: list[Token]) -> bool:
    """Whether `reads` is worth asking."""
    return any(_begins(token) or token.text.upper() == "INFER_SCHEMA" for token in tokens)


def reads(tree: exp.Expr) -> bool:
    """Whether a statement reads a stage."""
    return any(True for _ in _stages(tree))


def _stages(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The stages that a statement reads, as files or through a function."""
    for node in tree.find_all(exp.Table, exp.DirectoryStage, exp.Anonymous):
        if isinstance(node, exp.Table):
            if _is_stage(node):
                yield node
        elif isinstance(node, exp.DirectoryStage) or node.name.upper() == "INFER_SCHEMA":
            yield node


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
    there = sum(1 for _ in _stages(tree))
    if there and (query is None or len(query.tables) != there):
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
        function = _function(found, index) if stands else ""
        if stands and (function or _begins(token)):
            read_ = {"INFER_SCHEMA": _infer_schema, "DIRECTORY": _directory}.get(function, _table)
            table, length = read_(text, found[index:])
            tables.append(table)
            skip = index + length - 1
        elif token.token_type == TokenType.PARAMETER and index + 1 < len(found):
            number = found[index + 1]
            if number.token_type == TokenType.NUMBER and number.text.isdigit():
                columns = max(columns, int(number.text))
    if not tables:
        return None
    return act.StageQuery(text, tuple(tables), columns, kind, writes)


def _function(found: list[Token], index: int) -> str:
    """The function over a stage that begins here."""
    words = [token.text.upper() for token in found[index : index + 4]]
    if words[:2] == ["DIRECTORY", "("]:
        return "DIRECTORY"
    return "INFER_SCHEMA" if words == ["TABLE", "(", "INFER_SCHEMA", "("] else ""


def _infer_schema(text: str, tokens: list[Token]) -> tuple[act.StageTable, int]:
    """`TABLE(INFER_SCHEMA(LOCATION => '@stage', FILE_FORMAT => 'f', ...))`."""
    from proxy.sql.snowflake import stage_statements as statements

    words = Words(text, tokens)
    words.expect("TABLE", "(", "INFER_SCHEMA", "(")
    location, format_ = None, act.Format()
    files: tuple[str, ...] = ()
    ignore_case = False
    while not words.accept(")"):
        name = words.step().text.upper()
        words.expect("=>")
        if name == "LOCATION":
            location = statements.location_of(words.string())
        elif name == "FILE_FORMAT":
            named = statements.name_in(words.string()) if words.is_string() else words.dotted()
            format_ = act.Format(name=named)
        elif name == "FILES":
            files = _texts(words)
        elif name == "IGNORE_CASE":
            ignore_case = words.step().text.upper() == "TRUE"
        elif name in ("MAX_FILE_COUNT", "MAX_RECORDS_PER_FILE"):
            words.integer()  # all is looked at
        else:
            raise SqlError("0A000", f"{name} of INFER_SCHEMA is not supported")
        words.accept(",")
    words.expect(")")
    if location is None:
        raise SqlError("22023", "INFER_SCHEMA needs a LOCATION")
    taken = len(tokens) if words.token is None else tokens.index(words.token)
    end = tokens[taken - 1].end + 1
    table = act.StageTable(
        location, format_, None, tokens[0].start, end, "INFER_SCHEMA", files, ignore_case
    )
    return table, taken


def _texts(words: Words) -> tuple[str, ...]:
    if words.is_string():
        return (words.string(),)
    words.expect("(")
    found = [words.string()]
    while words.accept(","):
        found.append(words.string())
    words.expect(")")
    return tuple(found)


def _directory(text: str, tokens: list[Token]) -> tuple[act.StageTable, int]:
    """`DIRECTORY(@stage)`."""
    from proxy.sql.snowflake import stage_statements as statements

    words = Words(text, tokens)
    words.expect("DIRECTORY", "(")
    location = statements.location_of(statements.location_text(words))
    words.expect(")")
    taken = len(tokens) if words.token is None else tokens.index(words.token)
    end = tokens[taken - 1].end + 1
    return act.StageTable(location, act.Format(), None, tokens[0].start, end, "DIRECTORY"), taken


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
