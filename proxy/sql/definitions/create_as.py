"""CREATE TABLE AS in its other spellings: WITH NO DATA, EXECUTE, SELECT INTO, ON COMMIT.

DuckDB's grammar knows the first, sqlglot's writer does not; neither can make a table of a prepared
statement, which is the session's own. SELECT INTO is CREATE TABLE AS to everything that comes after.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.classify import Slice
from proxy.sql.reading import position_of
from proxy.sql.session_actions import CreateAsExecute, CreateUntilCommit, Execute
from proxy.sql.utility import PARSERS, Utility
from proxy.sql.words import Words


def of_select_into(tree: exp.Expr) -> exp.Expr:
    """`SELECT ... INTO [TEMP] t` as the CREATE TABLE AS that it is; every other tree as it was."""
    first = tree
    while isinstance(first, exp.SetOperation):  # the first query of a UNION says where
        first = first.this
    into = first.args.get("into") if isinstance(first, exp.Select) else None
    if into is None or not isinstance(into.this, exp.Table):
        return tree
    first.set("into", None)
    made = exp.Create(this=into.this, kind="TABLE", expression=tree)
    if into.args.get("temporary"):
        made.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
    return made


_TEMPORARY = frozenset(("TEMP", "TEMPORARY"))


def until_commit(text: str, piece: Slice) -> Utility | None:
    """`CREATE TEMP TABLE ... ON COMMIT DROP`, or DELETE ROWS; None for everything else."""
    tokens = piece.tokens
    words = [
        "" if token.token_type == TokenType.IDENTIFIER else token.text.upper() for token in tokens
    ]
    ends = [("ON", "COMMIT", "DROP"), ("ON", "COMMIT", "DELETE", "ROWS")]
    found = (
        (i, end) for i in range(len(words)) for end in ends if (*words[i : i + len(end)],) == end
    )
    at, end = next(found, (None, ()))
    if at is None or "TABLE" not in words[2:4] or _TEMPORARY.isdisjoint(words[1:3]):
        return None
    named = words.index("TABLE") + 1
    named += 3 if words[named : named + 3] == ["IF", "NOT", "EXISTS"] else 0
    while named + 2 < at and tokens[named + 1].token_type == TokenType.DOT:
        named += 2
    before, after = (
        text[piece.start : tokens[at].start],
        text[tokens[at + len(end) - 1].end + 1 : piece.end],
    )
    made = CreateUntilCommit(before + after, tokens[named].text, end[-1] == "DROP")
    return Utility("CREATE TABLE", action=made)


def keep_rows_on_commit(tree: exp.Create) -> None:
    """Takes ON COMMIT PRESERVE ROWS away, which is how temporary tables are here.

    Raises 0A000 for DELETE ROWS, of a table that is not temporary.
    """
    properties = tree.args.get("properties")
    found = properties.find(exp.OnCommitProperty) if properties is not None else None
    if found is None:
        return
    if found.args.get("delete"):
        raise SqlError(
            "0A000", "ON COMMIT DELETE ROWS is not supported", position=position_of(tree)
        )
    kept = [one for one in properties.expressions if one is not found]
    tree.set("properties", exp.Properties(expressions=kept) if kept else None)


def without_rows(tree: exp.Create) -> bool:
    """Takes WITH [NO] DATA away; True where the table is to be empty, and its query then is."""
    properties = tree.args.get("properties")
    found = properties.find(exp.WithDataProperty) if properties is not None else None
    query = tree.expression
    if found is None or not isinstance(query, exp.Query):
        return False
    found.pop()
    if not properties.expressions:
        tree.set("properties", None)
    if not found.args.get("no"):
        return False
    inner = query if isinstance(query, exp.Subquery) else exp.Subquery(this=query)
    none = exp.Limit(expression=exp.Literal.number(0))
    all_of_it = exp.Select(expressions=[exp.Star()], from_=exp.From(this=inner), limit=none)
    tree.set("expression", all_of_it)
    return True


def executed_in(text: str, piece: Slice, tree: exp.Create) -> Utility | None:
    """`CREATE TABLE ... AS EXECUTE ...`; None for everything else. Raises 42601."""
    properties = tree.args.get("properties")
    if properties is None or properties.find(exp.ExecuteAsProperty) is None:
        return None
    tokens = piece.tokens
    at = next(
        index
        for index, token in enumerate(tokens)
        if token.text.upper() == "EXECUTE" and tokens[index - 1].token_type == TokenType.ALIAS
    )
    executed = PARSERS["EXECUTE"](Words(text, tokens[at:]))
    assert isinstance(executed.action, Execute)
    head = text[piece.start : tokens[at].start]
    kind = "CREATE TABLE AS"
    return Utility(kind, "SELECT", CreateAsExecute(head, executed.action))
