"""Snowflake Scripting: from the tokens of a block to its tree (`proxy.sql.scripting.script`).

A block is recognised by its first words; where it ends only reading it tells. What cannot be read is a
syntax error at the token where reading stopped (42601); forms that are Snowflake's and not ours yet are
refused by name (0A000).
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE, at_or_near
from proxy.sql.scripting.script import (
    Apart,
    Assign,
    Await,
    Block,
    Case,
    Close,
    Count,
    Cursor,
    Declaration,
    Exception_,
    FetchInto,
    For,
    Fragment,
    Handler,
    If,
    Immediate,
    Leave,
    Let,
    Loop,
    Null,
    Open,
    Procedure,
    Raise,
    ResultSet,
    Return,
    Sql,
    Statement,
    Variable,
)
from proxy.sql.words import Words

_NOT_YET = {"SYSTEM$LOG": "SYSTEM$LOG"}


def read_block(text: str, found: list[Token]) -> tuple[Block, int]:
    """The block that `found` begins with, and how many tokens it takes."""
    reader = BlockReader(text, found)
    block = reader.block()
    return block, reader.at


def routine_length(text: str, found: list[Token]) -> int:
    """How many tokens a CREATE PROCEDURE or FUNCTION takes whose body is a block without quotes; 0 for
    others.
    """
    words = [token.text.upper() for token in found[:6]]
    if words[0] != "CREATE" or not ("PROCEDURE" in words or "FUNCTION" in words):
        return 0
    for index, token in enumerate(found[:-1]):
        if token.token_type == TokenType.SEMICOLON:
            return 0
        opens = found[index + 1].text.upper() in ("BEGIN", "DECLARE")
        if token.text.upper() == "AS" and opens and token.token_type not in _QUOTED:
            return index + 1 + block_length(text, found[index + 1 :])
    return 0


_QUOTED = frozenset({TokenType.STRING, TokenType.RAW_STRING, TokenType.IDENTIFIER})


def block_length(text: str, found: list[Token]) -> int:
    """How many tokens the block takes that `found` begins with; all where it cannot be read."""
    try:
        return read_block(text, found)[1]
    except SqlError:
        return len(found)


class BlockReader(Words):
    """A cursor over a block's tokens, or over a part of one."""

    __slots__ = ("label",)

    @property
    def at(self) -> int:
        return self._at

    # --- blocks -------------------------------------------------------------------------------

    def block(self) -> Block:
        declarations: list[Declaration] = []
        if self.accept("DECLARE"):
            while self.word != "BEGIN":
                declarations.append(self._declaration())
                self.expect(";")
        self.expect("BEGIN")
        body = self._statements("END", "EXCEPTION")
        handlers: list[Handler] = []
        if self.accept("EXCEPTION"):
            while self.word == "WHEN":
                handlers.append(self._handler())
        self.expect("END")
        return Block(tuple(declarations), body, tuple(handlers), self.text)

    def _handler(self) -> Handler:
        self.expect("WHEN")
        names = [self.name()]
        while self.accept("OR"):
            names.append(self.name())
        goes_on = self.accept("CONTINUE")
        if not goes_on:
            self.accept("EXIT")
        self.expect("THEN")
        return Handler(tuple(names), self._statements("WHEN", "END"), goes_on)

    def _refuse(self, what: str) -> SqlError:
        token = self.token
        position = token.start + 1 if token is not None else None
        return SqlError("0A000", f"{what} is not supported", position=position)

    def _statements(self, *ends: str) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while True:
            if self.token is None:
                raise self.fail()
            if self.word in ends:
                return tuple(found)
            if self.accept(";"):
                continue
            found.append(self._statement())
            if self.word not in ends:
                self.expect(";")

    def _declaration(self, *, let: bool = False) -> Declaration:
        name = self.name()
        if self.accept("CURSOR", "FOR"):
            return Cursor(name, self._until(";"))
        if self.accept("RESULTSET"):
            if not (self.accept("DEFAULT") or self.accept(":=")):
                return ResultSet(name, None)
            apart = self.accept("ASYNC")
            return ResultSet(name, self._until(";"), apart)
        if self.accept("EXCEPTION"):
            return self._exception(name)
        if self.word == "PROCEDURE" and not let:
            return self._procedure(name)
        kind = self._until(":=", "DEFAULT", ";").source
        value = None
        if self.accept(":=") or self.accept("DEFAULT"):
            value = self._until(";")
        elif not kind:
            raise self.fail()
        return Variable(name, kind, value)

    def _exception(self, name: str) -> Exception_:
        number, message = -20000, ""
        if self.accept("("):
            number = self.integer()
            if self.accept(","):
                message = self.string()
            self.expect(")")
        return Exception_(name, number, message)

    def _procedure(self, name: str) -> Procedure:
        self.expect("PROCEDURE", "(")
        parameters = self._columns()
        self.expect("RETURNS")
        columns: tuple[tuple[str, str], ...] = ()
        if self.accept("TABLE", "("):
            returns, columns = "TABLE", self._columns()
        else:
            returns = self._until("AS").source
        self.expect("AS")
        return Procedure(name, parameters, returns, columns, self._body())

    def _body(self) -> Block:
        """A block, or a text that holds one."""
        if not self.is_string():
            return self.block()
        text = self.string()
        found = SNOWFLAKE.tokenize(text)
        block, length = read_block(text, found)
        if length < len(found) and found[length].token_type != TokenType.SEMICOLON:
            raise at_or_near(text, found[length])
        return block

    def _columns(self) -> tuple[tuple[str, str], ...]:
        """`name type, ...)`."""
        found: list[tuple[str, str]] = []
        if self.accept(")"):
            return ()
        while True:
            name = self.name()
            found.append((name, self._until(",", ")").source))
            if self.accept(")"):
                return tuple(found)
            self.expect(",")

    # --- fragments ----------------------------------------------------------------------------

    def _until(self, *ends: str) -> Fragment:
        """The tokens before one of `ends` outside brackets and CASE; raises at the end of the text."""
        start = self._at
        depth = cases = 0
        while True:
            token = self.token
            if token is None:
                raise self.fail()
            word = self.word
            if depth == 0 and cases == 0 and word in ends:
                return Fragment(self.text, tuple(self.tokens[start : self._at]))
            kind = token.token_type
            depth += kind in (TokenType.L_PAREN, TokenType.L_BRACKET)
            depth -= kind in (TokenType.R_PAREN, TokenType.R_BRACKET)
            if word == "CASE":
                cases += 1
            elif word == "END" and cases:
                cases -= 1
            elif word == ";" and depth == 0:
                raise self.fail()
            self._at += 1

    def _to_end(self) -> Fragment:
        """The rest of a statement: up to its semicolon, or to the END of a block without one."""
        start = self._at
        cases = 0
        while self.token is not None and self.word != ";":
            if self.word == "CASE":
                cases += 1
            elif self.word == "END":
                if not cases:
                    break
                cases -= 1
            self._at += 1
        if start == self._at:
            raise self.fail()
        return Fragment(self.text, tuple(self.tokens[start : self._at]))

    # --- statements ---------------------------------------------------------------------------

    def _statement(self) -> Statement:
        word = self.word
        if word in _NOT_YET:
            raise self._refuse(_NOT_YET[word])
        if word == "BEGIN" and self.word_at(1) in ("TRANSACTION", "WORK", ";"):
            return Sql(self._to_end(), ())
        if word in ("BEGIN", "DECLARE"):
            return self.block()
        if word == "EXECUTE" and self.word_at(1) == "IMMEDIATE":
            return self._immediate()
        if self.word_at(1) == ":=":
            name = self.name()
            self.expect(":=")
            apart = self.accept("ASYNC")
            return Assign(name, self._to_end(), apart)
        read = _STATEMENTS.get(word)
        if read is not None:
            return read(self)
        return self._sql()

    def _sql(self) -> Sql:
        fragment = self._to_end()
        tokens = list(fragment.tokens)
        if tokens[0].text.upper() not in ("SELECT", "WITH", "CALL"):
            return Sql(fragment, ())
        depth = 0
        for index, token in enumerate(tokens):
            kind = token.token_type
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            if depth == 0 and kind == TokenType.INTO:
                names, end = self._into(tokens, index + 1)
                # Blanks take the place of INTO: the offsets stay those of the text.
                start, stop = tokens[index].start, tokens[end - 1].end + 1
                text = self.text[:start] + " " * (stop - start) + self.text[stop:]
                return Sql(Fragment(text, tuple(tokens[:index] + tokens[end:])), names)
        return Sql(fragment, ())

    def _into(self, tokens: list[Token], at: int) -> tuple[tuple[str, ...], int]:
        names = []
        reader = Words(self.text, tokens[at:])
        while True:
            reader.accept(":")
            names.append(reader.name())
            if not reader.accept(","):
                return tuple(names), at + reader._at

    def _immediate(self) -> Immediate:
        self.expect("EXECUTE", "IMMEDIATE")
        start = self._at
        while self.token is not None and self.word not in (";", "USING", "END"):
            self._at += 1
        value = Fragment(self.text, tuple(self.tokens[start : self._at]))
        if not value.tokens:
            raise self.fail()
        return Immediate(value, self._using())

    def _using(self) -> tuple[Fragment, ...]:
        if not self.accept("USING"):
            return ()
        self.expect("(")
        found = []
        while True:
            found.append(self._until(",", ")"))
            if self.accept(")"):
                return tuple(found)
            self.expect(",")

    def _let(self) -> Statement:
        self.expect("LET")
        return Let(self._declaration_or_end())

    def _declaration_or_end(self) -> Declaration:
        """A declaration of LET, which the END of the block may follow without a semicolon."""
        return self._declaration(let=True)

    def _set(self) -> Statement:
        """`SET x := 1` assigns; any other SET is the session's."""
        if self.word_at(2) != ":=":
            return self._sql()
        self.expect("SET")
        name = self.name()
        self.expect(":=")
        return Assign(name, self._to_end())

    def _if(self) -> Statement:
        self.expect("IF")
        branches = [self._branch()]
        while True:
            if self.accept("ELSEIF") or self.accept("ELSIF"):
                branches.append(self._branch())
            elif self.accept("ELSE"):
                branches.append((None, self._statements("END")))
            else:
                self.expect("END", "IF")
                return If(tuple(branches))

    def _branch(self) -> tuple[Fragment | None, tuple[Statement, ...]]:
        condition = self._until("THEN")
        self.expect("THEN")
        return condition, self._statements("ELSEIF", "ELSIF", "ELSE", "WHEN", "END")

    def _case(self) -> Statement:
        self.expect("CASE")
        operand = None if self.word == "WHEN" else self._until("WHEN")
        branches: list[tuple[Fragment | None, tuple[Statement, ...]]] = []
        while self.accept("WHEN"):
            branches.append(self._branch())
        if self.accept("ELSE"):
            branches.append((None, self._statements("END")))
        self.expect("END")
        self.accept("CASE")
        return Case(operand, tuple(branches))

    def _for(self) -> Statement:
        self.expect("FOR")
        name = self.name()
        self.expect("IN")
        reverse = self.accept("REVERSE")
        first = self._until("TO", "DO", "LOOP")
        if self.accept("TO"):
            last = self._until("DO", "LOOP")
            body, label = self._loop_body("FOR")
            return Count(name, first, last, reverse, body, label)
        body, label = self._loop_body("FOR")
        if len(first.tokens) != 1 or reverse:
            raise at_or_near(self.text, first.tokens[0] if first.tokens else self.token)
        return For(name, Words(self.text, list(first.tokens)).name(), body, label)

    def _loop_body(self, kind: str) -> tuple[tuple[Statement, ...], str]:
        if not self.accept("DO"):
            self.expect("LOOP")
            kind = "LOOP"
        body = self._statements("END")
        self.expect("END", kind)
        return body, self._label()

    def _label(self) -> str:
        if self.token is None or self.word in (";", "END"):
            return ""
        return self.name()

    def _while(self) -> Statement:
        self.expect("WHILE")
        condition = self._until("DO", "LOOP")
        body, label = self._loop_body("WHILE")
        return Loop(condition, None, body, label)

    def _loop(self) -> Statement:
        self.expect("LOOP")
        body = self._statements("END")
        self.expect("END", "LOOP")
        return Loop(None, None, body, self._label())

    def _repeat(self) -> Statement:
        self.expect("REPEAT")
        body = self._statements("UNTIL")
        self.expect("UNTIL")
        start = self._at
        while self.word != "END":
            self.step()
        until = Fragment(self.text, tuple(self.tokens[start : self._at]))
        self.expect("END", "REPEAT")
        return Loop(None, until, body, self._label())

    def _leave(self) -> Statement:
        word = self.step().text.upper()
        return Leave(word in ("CONTINUE", "ITERATE"), self._label())

    def _open(self) -> Statement:
        self.expect("OPEN")
        return Open(self.name(), self._using())

    def _fetch(self) -> Statement:
        self.expect("FETCH")
        name = self.name()
        self.expect("INTO")
        names = []
        while True:
            self.accept(":")
            names.append(self.name())
            if not self.accept(","):
                return FetchInto(name, tuple(names))

    def _close(self) -> Statement:
        self.expect("CLOSE")
        return Close(self.name())

    def _return(self) -> Statement:
        self.expect("RETURN")
        if self.token is None or self.word in (";", "END"):
            return Return(None, None)
        if self.word == "TABLE" and self.word_at(1) == "(":
            self.expect("TABLE", "(")
            table = self._until(")")
            self.expect(")")
            return Return(None, table)
        return Return(self._to_end(), None)

    def _raise(self) -> Statement:
        token = self.step()
        if self.token is None or self.word in (";", "END"):
            return Raise("", token.line)
        return Raise(self.name(), token.line)

    def _async(self) -> Statement:
        self.expect("ASYNC")
        if self.word != "(":
            raise self.fail()
        tokens = self._to_end().tokens
        if len(tokens) < 3 or tokens[-1].text != ")":
            raise at_or_near(self.text, tokens[-1])
        return Apart(Fragment(self.text, tokens[1:-1]))

    def _await(self) -> Statement:
        cancel = self.step().text.upper() == "CANCEL"
        if not cancel and self.accept("ALL"):
            return Await("", cancel)
        return Await(self.name(), cancel)

    def _null(self) -> Statement:
        self.step()
        return Null()


_STATEMENTS: dict[str, Callable[[BlockReader], Statement]] = {
    "LET": BlockReader._let,
    "SET": BlockReader._set,
    "IF": BlockReader._if,
    "CASE": BlockReader._case,
    "FOR": BlockReader._for,
    "WHILE": BlockReader._while,
    "LOOP": BlockReader._loop,
    "REPEAT": BlockReader._repeat,
    "BREAK": BlockReader._leave,
    "EXIT": BlockReader._leave,
    "CONTINUE": BlockReader._leave,
    "ITERATE": BlockReader._leave,
    "OPEN": BlockReader._open,
    "FETCH": BlockReader._fetch,
    "CLOSE": BlockReader._close,
    "RETURN": BlockReader._return,
    "RAISE": BlockReader._raise,
    "NULL": BlockReader._null,
    "ASYNC": BlockReader._async,
    "AWAIT": BlockReader._await,
    "CANCEL": BlockReader._await,
}
