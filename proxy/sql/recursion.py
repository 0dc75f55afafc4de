"""SEARCH and CYCLE of WITH RECURSIVE, in Postgres's dialect, as what they stand for.

Why it exists: DuckDB has neither, and the grammar knows them in part. Both are columns that the query carries
along: the rows that it came by, or how deep it is. To the outside these are rows as values, which have no type
here: they can be sorted by and compared, and giving them to the client is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.classify import Slice
from proxy.sql.reading import position_of
from proxy.sql.words import Words


@dataclass(frozen=True, slots=True)
class Clause:
    """Of the query `name`. kind: DEPTH, BREADTH or CYCLE; by: its columns, folded; at: its position; column: what is SET, or the
    path; mark: the column that says whether it is a cycle; to, default: the tokens' texts of what that is."""

    name: str
    kind: str
    by: tuple[str, ...]
    at: int
    column: str
    mark: str = ""
    to: str = ""
    default: str = ""


def may_have(piece: Slice) -> bool:
    """Whether a statement has the words for it."""
    said = piece.said
    return "RECURSIVE" in said and ("SEARCH" in said or "CYCLE" in said)


def taken_out(text: str, piece: Slice) -> tuple[Slice, list[Clause]]:
    """The statement without its clauses, and these. Raises SqlError 42601."""
    tokens, kept, found = piece.tokens, list[Token](), list[Clause]()
    at, depth = 0, 0
    names: list[tuple[int, str]] = []  # of the queries that are open, by how deep they are
    while at < len(tokens):
        token = tokens[at]
        if token.token_type == TokenType.L_PAREN:
            names.append((depth, _query_name(tokens, at)))
            depth += 1
        elif token.token_type == TokenType.R_PAREN and names:
            depth, name = names.pop()
            kept.append(token)
            at += 1
            while name and (length := _clause(text, tokens, at, name, found)):
                at += length
            continue
        kept.append(token)
        at += 1
    return (replace(piece, tokens=kept) if found else piece), found


def _query_name(tokens: list[Token], bracket: int) -> str:
    """The name of the query that a bracket opens: `name [(columns)] AS [[NOT] MATERIALIZED] (`."""
    at = bracket - 1
    if at > 0 and tokens[at].text.upper() == "MATERIALIZED":
        at -= 1 + (tokens[at - 1].text.upper() == "NOT")
    if at < 1 or tokens[at].token_type != TokenType.ALIAS:
        return ""
    at -= 1
    if tokens[at].token_type == TokenType.R_PAREN:
        while at > 0 and tokens[at].token_type != TokenType.L_PAREN:
            at -= 1
        at -= 1
    token = tokens[at]
    return token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()


def _clause(text: str, tokens: list[Token], at: int, name: str, found: list[Clause]) -> int:
    """How many tokens a clause there has, 0 where there is none."""
    words = Words(text, tokens[at:])
    before, place = len(words.tokens), tokens[at].start + 1 if at < len(tokens) else 0
    if words.word == "SEARCH" and words.word_at(1) in ("DEPTH", "BREADTH"):
        words.step()
        kind = words.step().text.upper()
        words.expect("FIRST", "BY")
        by = _names(words)
        words.expect("SET")
        found.append(Clause(name, kind, by, place, words.name()))
    elif words.word == "CYCLE" and words.word_at(1) not in ("", ")", ","):
        words.step()
        by = _names(words)
        words.expect("SET")
        mark = words.name()
        to, default = "TRUE", "FALSE"
        if words.accept("TO"):
            to = _constant(words)
            words.expect("DEFAULT")
            default = _constant(words)
        words.expect("USING")
        found.append(Clause(name, "CYCLE", by, place, words.name(), mark, to, default))
    else:
        return 0
    left = words.token
    rest = before if left is None else next(n for n, one in enumerate(words.tokens) if one is left)
    return rest


def _names(words: Words) -> tuple[str, ...]:
    found = [words.name()]
    while words.accept(","):
        found.append(words.name())
    return tuple(found)


def _constant(words: Words) -> str:
    token = words.step()
    return words.text[token.start : token.end + 1]


# --- in the tree ----------------------------------------------------------------------------------


def put_in(tree: exp.Expr, clauses: list[Clause]) -> None:
    """The columns that the clauses stand for. Raises SqlError 42601, 0A000."""
    for clause in clauses:
        cte = next(
            (
                one
                for one in tree.find_all(exp.CTE)
                if _folded(one.args["alias"].this) == clause.name
            ),
            None,
        )
        if cte is None:
            raise _refused(clause, tree)
        _carry(cte, clause)
        _check_outputs(tree, cte, clause.column)


def _what(clause: Clause) -> str:
    return "CYCLE" if clause.kind == "CYCLE" else f"SEARCH {clause.kind} FIRST"


def _refused(clause: Clause, at: exp.Expr) -> SqlError:
    message = f"{_what(clause)} of such a query is not supported on analytical tables"
    return SqlError("0A000", message, position=position_of(at))


def _folded(name: exp.Expr) -> str:
    return name.this if name.args.get("quoted") else name.this.lower()


def _carry(cte: exp.CTE, clause: Clause) -> None:
    union, alias = cte.this, cte.args["alias"]
    first = union.this if isinstance(union, exp.Union) else None
    again = union.expression if isinstance(union, exp.Union) else None
    if not isinstance(first, exp.Select) or not isinstance(again, exp.Select):
        raise _refused(clause, cte)
    if any(one.is_star for one in (*first.expressions, *again.expressions)):
        raise _refused(clause, cte)
    if len(first.expressions) != len(again.expressions) or _groups(again):
        raise _refused(clause, cte)
    names = [_folded(one) for one in alias.columns] or [
        one.alias_or_name.lower() for one in first.expressions
    ]
    places = []
    for name in clause.by:
        if name not in names:
            what = "cycle" if clause.kind == "CYCLE" else "search"
            message = f'{what} column "{name}" not in WITH query column list'
            raise SqlError("42601", message, position=clause.at)
        places.append(names.index(name))
    own = [one for one in again.find_all(exp.Table) if _is_named(one, cte)]
    if len(own) != 1 or own[0].parent_select is not again:
        raise _refused(clause, cte)
    source = own[0].args["alias"].this if own[0].alias else own[0].this
    added = _columns(clause, first, again, places, source)
    for name, value, following in added:
        first.append("expressions", exp.alias_(value, name, quoted=True))
        again.append("expressions", exp.alias_(following, name, quoted=True))
        if alias.columns:
            alias.append("columns", exp.to_identifier(name, quoted=True))
    if clause.kind == "CYCLE":
        mark = exp.Column(this=exp.to_identifier(clause.mark, quoted=True), table=source.copy())
        again.where(exp.NEQ(this=mark, expression=_value(clause.to)), copy=False)


def _groups(select: exp.Select) -> bool:
    return any(select.args.get(key) for key in ("group", "having", "distinct", "limit", "offset"))


def _value(text: str) -> exp.Expr:
    return exp.maybe_parse(text, dialect="postgres")


def _columns(
    clause: Clause, first: exp.Select, again: exp.Select, places: list[int], source: exp.Expr
) -> list[tuple[str, exp.Expr, exp.Expr]]:
    """(name, its value at first, and again) of each."""

    def row(select: exp.Select, *before: exp.Expr) -> exp.Expr:
        values = [select.expressions[place].unalias().copy() for place in places]
        return _called("row", *before, *values)

    carried = exp.Column(this=exp.to_identifier(clause.column, quoted=True), table=source.copy())
    if clause.kind == "BREADTH":
        depth = exp.Add(
            this=_called("struct_extract", carried, exp.Literal.number(1)),
            expression=exp.Literal.number(1),
        )
        start = exp.cast(exp.Literal.number(0), exp.DType.BIGINT)
        return [(clause.column, row(first, start), row(again, depth))]
    path = (
        clause.column,
        _called("list_value", row(first)),
        _called("list_append", carried, row(again)),
    )
    if clause.kind == "DEPTH":
        return [path]
    seen = exp.If(this=_called("list_contains", carried.copy(), row(again)), true=_value(clause.to))
    marked = exp.Case(ifs=[seen], default=_value(clause.default))
    return [(clause.mark, _value(clause.default), marked), path]


def _called(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _is_named(table: exp.Table, cte: exp.CTE) -> bool:
    name = table.this
    plain = isinstance(name, exp.Identifier) and table.args.get("db") is None
    return plain and _folded(name) == _folded(cte.args["alias"].this)


def _check_outputs(tree: exp.Expr, cte: exp.CTE, column: str) -> None:
    """Raises 0A000 where rows as values would be given to the client."""
    for select in tree.find_all(exp.Select):
        sources = [select.args.get("from_"), *(select.args.get("joins") or ())]
        tables = [one.this for one in sources if one is not None]
        own = [one for one in tables if isinstance(one, exp.Table) and _is_named(one, cte)]
        if not own or select.find_ancestor(exp.CTE) is cte:
            continue
        for one in select.expressions:
            named = any(
                _folded(c.this) == column for c in one.find_all(exp.Column) if not c.is_star
            )
            if one.is_star or named:
                message = f'giving the column "{column}" of SEARCH or CYCLE is not supported on analytical tables'
                hint = "Name the columns that are wanted; it may be sorted by."
                raise SqlError("0A000", message, hint=hint, position=position_of(one))
