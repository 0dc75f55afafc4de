"""WITH of statements that change data, in Postgres's dialect, taken apart into statements of their own.

Why it exists: DuckDB's WITH names queries alone. Each part that changes data, and each query that more than
one statement reads, becomes a *step* with a text of its own: the client's, in which what others have
to say is blank, so that places in it are places in the message. In place of what an earlier step gave
stands a table of its rows (`stand_in`), which `proxy.changes.with_writes` fills.

Promises: reads Postgres's dialect, from tokens. What Postgres refuses is refused in its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import inference
from proxy.sql.changes.joined_returning import as_one
from proxy.sql.changes.written_columns import path_of, target_of
from proxy.sql.classify import Slice, highest_parameter
from proxy.sql.common import is_common
from proxy.sql.compound import Path, Step, WithWrites
from proxy.sql.reading import write_duckdb
from proxy.sql.statement import Route, Statement

_T = TokenType
_WRITING = frozenset({_T.INSERT, _T.UPDATE, _T.DELETE, _T.MERGE})
_MAIN = _WRITING | {_T.SELECT, _T.VALUES, _T.L_PAREN, _T.TABLE}
_OPENING, _CLOSING = frozenset({_T.L_PAREN, _T.L_BRACKET}), frozenset({_T.R_PAREN, _T.R_BRACKET})
_TEXTS = frozenset({_T.STRING, _T.RAW_STRING, _T.HEREDOC_STRING, _T.BYTE_STRING, _T.NUMBER})
_SAYS_IT = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_WRITTEN = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def stand_in(number: int) -> str:
    """The name of the table that has the rows which a step gave."""
    return f"_hd_w{number}"


@dataclass(frozen=True, slots=True)
class _Item:
    """What WITH gives a name. first, opening, closing: the places of its name and brackets among the tokens.

    verb: the place of the word that says what is done in it.
    """

    name: str
    first: int
    opening: int
    closing: int
    verb: int


def _name(token: Token) -> str:
    return token.text if token.token_type == _T.IDENTIFIER else token.text.lower()


def _closing(tokens: Sequence[Token], opening: int) -> int | None:
    depth = 0
    for place in range(opening, len(tokens)):
        kind = tokens[place].token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if not depth:
            return place
    return None


def _items(tokens: Sequence[Token], at: int) -> tuple[list[_Item], int] | None:
    """What the WITH at this place names, and the place of what follows; None where it cannot be read."""
    at += 1
    if at < len(tokens) and tokens[at].token_type == _T.RECURSIVE:
        at += 1
    found = []
    while at + 3 < len(tokens):
        first, at = at, at + 1
        if tokens[at].token_type == _T.L_PAREN:
            columns = _closing(tokens, at)
            if columns is None:
                return None
            at = columns + 1
        while at < len(tokens) and tokens[at].token_type != _T.L_PAREN:
            at += 1
        closing = _closing(tokens, at)
        if closing is None or closing <= at + 1:
            return None
        verb = at + 1
        if tokens[verb].token_type == _T.WITH:
            inner = _items(tokens[:closing], verb)
            if inner is None:
                return None
            verb = inner[1]
        found.append(_Item(_name(tokens[first]), first, at, closing, verb))
        at = closing + 1
        if at >= len(tokens):
            return None
        if tokens[at].token_type != _T.COMMA:
            return (found, at) if tokens[at].token_type in _MAIN else None
        at += 1
    return None


def plan(text: str, piece: Slice, planned: Callable[[str], Statement]) -> Statement | None:
    """The plan of a WITH of which a part changes analytical tables; None for any other statement.

    planned: what plans one statement of the dialect. Raises SqlError as it does.
    """
    tokens = piece.tokens
    if not any(token.token_type in _WRITING for token in tokens):
        return None
    read = _items(tokens, 0)
    if read is None or not any(tokens[one.verb].token_type in _WRITING for one in read[0]):
        return None
    parts = _Parts(text, piece, *read)
    steps: list[Step] = []
    refused: SqlError | None = None
    try:
        for number, written in parts.steps():
            made = as_one(planned(written))
            steps.append(_step(made, number))
            refused = refused or made.refused or _refusal(made)
            if made.route is Route.POSTGRES and made.kind in _SAYS_IT:
                return None  # Postgres's own tables
    except SqlError as error:
        if error.sqlstate == "42601":
            raise
        refused = error
    main = tokens[read[1]].text.upper()
    kind = main if main in _SAYS_IT else "SELECT"
    return Statement(
        Route.SESSION,
        kind,
        text[piece.start : piece.end],
        piece.start,
        action=WithWrites(tuple(steps)),
        tag="INSERT 0" if kind == "INSERT" else kind,
        writes=True,
        parameters=highest_parameter(tokens),
        refused=refused,
        needs=frozenset().union(*(step.plan.needs for step in steps)),
    )


def _refusal(made: Statement) -> SqlError | None:
    if made.route is Route.DUCKDB and made.action is None and not made.federated:
        return None
    if isinstance(made.action, WithWrites):
        what = "RETURNING of what a part of WITH joins"
        return SqlError("0A000", f"{what} is not supported", hint="Join in another part.")
    what = "WITH that changes analytical tables, over relations of the control plane,"
    hint = "Read what is needed of them first."
    return SqlError("0A000", f"{what} is not supported", hint=hint)


def _step(made: Statement, number: int) -> Step:
    tree = inference.read(made.sql) if made.sql else None
    if tree is None:
        return Step(made, number)
    target = tree.this if isinstance(tree, exp.Delete) else target_of(tree)
    upserts = isinstance(tree, exp.Insert) and bool(_updates(tree))
    reads = dict.fromkeys(path_of(one) for one in relations(tree))
    into = path_of(target) if isinstance(target, exp.Table) else ()
    calls = frozenset(one.name.lower() for one in tree.find_all(exp.Anonymous))
    return Step(made, number, into, tuple(reads), upserts, calls)


def _updates(tree: exp.Insert) -> bool:
    conflict = tree.args.get("conflict")
    return conflict is not None and bool(conflict.expressions)


def relations(tree: exp.Expr) -> Iterator[exp.Table]:
    """The relations that a statement of DuckDB's reads, but the one that it writes into."""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    for table in tree.find_all(exp.Table):
        if table is target and isinstance(tree, _WRITTEN):
            continue
        if isinstance(table.this, exp.Identifier) and not is_common(table):
            yield table


class _Parts:
    """The steps of one statement, as texts. main: the place of the main statement among the tokens."""

    def __init__(self, text: str, piece: Slice, items: list[_Item], main: int) -> None:
        self._text, self._tokens, self._items, self._main = text, piece.tokens, items, main
        self._end = piece.end
        self._recursive = self._tokens[1].token_type == _T.RECURSIVE
        self._places = {one.name: n for n, one in enumerate(items)}
        self._said = [
            self._mentions(one.opening + 1, one.closing, n) for n, one in enumerate(items)
        ]
        self._said.append(self._mentions(main, len(self._tokens), None))
        read_by = [sum(n in said for said in self._said) for n in range(len(items))]
        self._apart = [self._changes(one) or read_by[n] > 1 for n, one in enumerate(items)]
        self._read = [count > 0 for count in read_by]

    def _changes(self, item: _Item) -> bool:
        return self._tokens[item.verb].token_type in _WRITING

    def _mentions(self, start: int, end: int, own: int | None) -> frozenset[int]:
        """Which of the names before it may be read by these tokens."""
        found = set()
        for token in self._tokens[start:end]:
            if token.token_type not in _TEXTS:
                place = self._places.get(_name(token))
                if place is not None and (own is None or place < own):
                    found.add(place)
        return frozenset(found)

    def steps(self) -> Iterator[tuple[int, str]]:
        """Each step: the number of the table that its rows go to, 0 for none, and its text."""
        for n, item in enumerate(self._items):
            if not self._changes(item):
                if self._apart[n]:
                    yield n + 1, self._query(n)
                continue
            self._check(item)
            returns = self._returns(item)
            if self._read[n] and not returns:
                self._check_unread(n)
            yield (n + 1 if self._read[n] and returns else 0), self._part(n)
        yield 0, self._written(len(self._items), self._tokens[self._main].start, self._end)

    def _returns(self, item: _Item) -> bool:
        depth = 0
        for token in self._tokens[item.verb : item.closing]:
            depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
            if not depth and token.token_type == _T.RETURNING:
                return True
        return False

    def _check(self, item: _Item) -> None:
        """Raises SqlError 0A000 for a WITH within a part that changes data in turn."""
        first = self._tokens[item.opening + 1]
        inner = _items(self._tokens, item.opening + 1) if first.token_type == _T.WITH else None
        if inner is not None and any(self._changes(one) for one in inner[0]):
            message = "WITH clause containing a data-modifying statement must be at the top level"
            raise SqlError("0A000", message, position=first.start + 1)

    def _check_unread(self, n: int) -> None:
        """Raises SqlError 0A000 where a part that gives no rows is read."""
        for before, token in zip(self._tokens, self._tokens[1:], strict=False):
            is_read = (
                before.text.upper() in ("FROM", "JOIN") and _name(token) == self._items[n].name
            )
            if is_read and token.start > self._tokens[self._items[n].closing].start:
                message = f'WITH query "{token.text}" does not have a RETURNING clause'
                raise SqlError("0A000", message, position=token.start + 1)

    def _needed(self, n: int) -> list[int]:
        """The names that the text of a step has to have, in their order."""
        found: set[int] = set()
        left = list(self._said[n])
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += () if self._apart[one] else self._said[one]
        if n < len(self._items) and not self._changes(self._items[n]):
            found.add(n)
        return sorted(found)

    def _part(self, n: int) -> str:
        item = self._items[n]
        start, end = self._tokens[item.opening].end + 1, self._tokens[item.closing].start
        first = self._tokens[item.opening + 1]
        if first.token_type != _T.WITH or not self._needed(n):
            return self._written(n, start, end)
        # One WITH for what is named around it and in it.
        recursive = self._tokens[item.opening + 2].token_type == _T.RECURSIVE
        start = self._tokens[item.opening + 1 + recursive].end + 1
        return self._written(n, start, end, joined=True)

    def _query(self, n: int) -> str:
        """All rows of a query that several steps read."""
        end = self._tokens[self._items[n].closing].end + 1
        name = self._tokens[self._items[n].first]
        written = self._text[name.start : name.end + 1]
        return f"{self._written(n, end, end)} SELECT * FROM {written}"

    def _written(self, n: int, start: int, end: int, *, joined: bool = False) -> str:
        text, tokens = self._text, self._tokens
        needed = [one for one in self._needed(n) if one < len(self._items)]
        made = ""

        def put(words: str, at: int) -> None:
            nonlocal made
            made += " " * (at - len(made)) + words

        for place, one in enumerate(needed):
            item = self._items[one]
            if not place:
                last = tokens[1] if self._recursive else tokens[0]
                put(text[tokens[0].start : last.end + 1], tokens[0].start)
            closing = tokens[item.closing]
            if self._apart[one] and one != n:
                opening = tokens[item.opening]
                put(text[tokens[item.first].start : opening.end + 1], tokens[item.first].start)
                put(f"FROM {stand_in(one + 1)}", opening.end + 1)
                put(")", closing.start)
            else:
                put(text[tokens[item.first].start : closing.end + 1], tokens[item.first].start)
            if place + 1 < len(needed) or joined:
                put(",", closing.end + 1)
        put(text[start:end], start)
        return made


def with_others(plan: Statement, others: dict[Path, str]) -> Statement:
    """A plan with other tables in place of relations that it reads."""
    tree = inference.read(plan.sql)
    assert tree is not None
    for table in list(relations(tree)):
        other = others.get(path_of(table))
        if other is not None:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=table.this.copy()))
            table.set("this", exp.to_identifier(other, quoted=True))
            table.set("db", None)
            table.set("catalog", None)
    return replace(plan, sql=write_duckdb(tree))
