"""Forms of ALTER TABLE, and of ALTER SEQUENCE, that sqlglot cannot read, from their tokens, as edits of the table.

Promises: what is not one of the forms below in full is None, and is refused elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.sql.classify import Slice
from proxy.sql.definitions.edits import (
    AddIdentity,
    DropIdentity,
    Edit,
    Rebuilds,
    RenameConstraint,
    SetSchema,
    UseIndex,
    ValidateConstraint,
    folded,
)
from proxy.sql.definitions.identity_options import numbering
from proxy.sql.definitions.touched import EVERYTHING, Touched
from proxy.sql.statement import (
    AddsValue,
    AltersEnumeration,
    Owns,
    RenamesIndex,
    RenamesValue,
    Restarts,
    Route,
    Statement,
)
from proxy.sql.words import STRINGS

_NOT_ANALYTICAL = frozenset({"hd_runtime", "hatidata_catalog", "pg_catalog", "information_schema"})


class Reading:
    """Tokens, read one by one."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at = tokens, 0

    def words(self, *words: str) -> bool:
        """Whether these come next; they are read then. A token may be of two words."""
        at = self._at
        left = list(words)
        while left and at < len(self._tokens):
            token = self._tokens[at]
            said = [] if token.token_type == TokenType.IDENTIFIER else token.text.upper().split()
            if not said or said != left[: len(said)]:
                return False
            left = left[len(said) :]
            at += 1
        if left:
            return False
        self._at = at
        return True

    def name(self) -> str | None:
        if self._at >= len(self._tokens):
            return None
        token = self._tokens[self._at]
        self._at += 1
        if token.token_type == TokenType.IDENTIFIER:
            return token.text
        return token.text.lower() if token.text[:1].isalpha() or token.text[:1] == "_" else None

    def names(self) -> tuple[str, ...] | None:
        found = [self.name()]
        while self._at < len(self._tokens) and self._tokens[self._at].token_type == TokenType.DOT:
            self._at += 1
            found.append(self.name())
        return tuple(part for part in found if part) if all(found) else None

    def columns(self) -> tuple[str, ...] | None:
        """Names in brackets; () where there are no brackets, None for all else."""
        if not self._sign(TokenType.L_PAREN):
            return ()
        found = [self.name()]
        while self._sign(TokenType.COMMA):
            found.append(self.name())
        if not self._sign(TokenType.R_PAREN) or not all(found):
            return None
        return tuple(part for part in found if part)

    def _sign(self, kind: TokenType) -> bool:
        if self.ended or self._tokens[self._at].token_type != kind:
            return False
        self._at += 1
        return True

    def numbering(self) -> dict[str, int] | None:
        """The options of a sequence in brackets; empty where there are none, None for others."""
        if self.ended or self._tokens[self._at].token_type != TokenType.L_PAREN:
            return {}
        found = numbering(self._tokens, self._at)
        if found is None:
            return None
        options, self._at = found
        return options

    def text(self) -> str | None:
        """What a string says."""
        if self.ended or self._tokens[self._at].token_type not in STRINGS:
            return None
        self._at += 1
        return self._tokens[self._at - 1].text

    def integer(self) -> int | None:
        sign = -1 if self.words("-") else 1
        if self.ended or not self._tokens[self._at].text.isdecimal():
            return None
        self._at += 1
        return sign * int(self._tokens[self._at - 1].text)

    @property
    def ended(self) -> bool:
        return self._at >= len(self._tokens)


def edited_by_words(text: str, piece: Slice) -> Statement | None:
    """The plan of a statement of one of the forms; None for all others."""
    edited = _altered(piece.tokens)
    if edited is None:
        return _restarted(text, piece) or _owned(text, piece) or _enumeration_altered(text, piece)
    return _planned(text, piece, edited)


def of_edits(
    text: str, piece: Slice, name: tuple[str, ...], edits: tuple[Edit, ...], exists: bool
) -> Statement | None:
    """The plan of edits of a table; None for one that is not analytical. name: as it was written."""
    if len(name) > 1 and name[-2] in _NOT_ANALYTICAL:
        return None
    where = tuple("main" if part == "public" else part for part in name[:-1])
    return _planned(text, piece, Rebuilds((*where, name[-1]), edits, exists, native=False))


def _planned(text: str, piece: Slice, edited: Rebuilds) -> Statement:
    *places, name = edited.table
    schemas: list[str | None] = [*places[-1:]] or [None]
    schemas += [edit.schema for edit in edited.edits if isinstance(edit, SetSchema)]
    becomes = (schemas[-1], name) if len(schemas) > 1 else None
    own, *others = (Touched(schema, name, deep=True, views=True) for schema in schemas)
    touched = (replace(own, becomes=becomes), *(replace(other, event="") for other in others))
    kind = "ALTER VIEW" if edited.view else "ALTER TABLE"
    return _read_when_it_runs(kind, text, piece, edited, touched)


def _read_when_it_runs(
    kind: str,
    text: str,
    piece: Slice,
    copies: Rebuilds | Restarts | Owns | RenamesIndex | AltersEnumeration,
    touched: tuple[Touched, ...] = (),
) -> Statement:
    """The plan of a statement that becomes others once it runs."""
    return Statement(
        Route.DUCKDB,
        kind,
        text[piece.start : piece.end],
        piece.start,
        sql="SELECT 1 LIMIT 0",
        tag=kind,
        writes=True,
        ddl=True,
        touched=touched,
        copies=copies,
    )


def _restarted(text: str, piece: Slice) -> Statement | None:
    """ALTER SEQUENCE, or ALTER TABLE ... ALTER COLUMN of an identity, with options of how it counts."""
    reading, column = Reading(piece.tokens), ""
    sequence = reading.words("ALTER", "SEQUENCE")
    if not sequence and not reading.words("ALTER", "TABLE"):
        return None
    exists = reading.words("IF", "EXISTS")
    if not sequence:
        reading.words("ONLY")
    name = reading.names()
    if name is None or (len(name) > 1 and name[-2] in _NOT_ANALYTICAL):
        return None
    if not sequence:
        if not reading.words("ALTER"):
            return None
        reading.words("COLUMN")
        column = reading.name() or ""
    options = _options(reading, of_column=not sequence)
    if not options or not reading.ended or (not sequence and not column):
        return None
    what = Restarts(name, exists, tuple(options.items()), column)
    kind = "ALTER SEQUENCE" if sequence else "ALTER TABLE"
    schema = name[-2] if len(name) > 1 else None
    only_restarts = options.keys() == {"RESTART"}
    touched = () if only_restarts else (Touched(schema, name[-1], deep=True),)
    return _read_when_it_runs(kind, text, piece, what, touched)


def _options(reading: Reading, *, of_column: bool) -> dict[str, int | None] | None:
    """The options of a sequence, each behind SET where they are a column's; None for others."""
    found: dict[str, int | None] = {}
    while not reading.ended:
        if reading.words("RESTART"):
            reading.words("WITH")
            found["RESTART"] = reading.integer()
            continue
        if of_column and not reading.words("SET"):
            return None
        no = reading.words("NO")
        word = next((one for one in _COUNTING if reading.words(one)), None)
        if word is None or word in found:
            return None
        reading.words(*_COUNTING[word])
        if word == "CYCLE" or (no and word in _BOUNDS):
            found[word] = (not no) + 0 if word == "CYCLE" else None
        elif no or (number := reading.integer()) is None:
            return None
        else:
            found[word] = number
    return found


_COUNTING = {
    "INCREMENT": ("BY",),
    "START": ("WITH",),
    **dict.fromkeys(("MINVALUE", "MAXVALUE", "CACHE", "CYCLE"), ()),
}
"""Options, and the words that may follow them."""
_BOUNDS = ("MINVALUE", "MAXVALUE")


def _owned(text: str, piece: Slice) -> Statement | None:
    """ALTER SEQUENCE ... OWNED BY the column for which it has the name of a SERIAL's, or NONE."""
    reading = Reading(piece.tokens)
    sequence = reading.names() if reading.words("ALTER", "SEQUENCE") else None
    if sequence is None or not reading.words("OWNED", "BY"):
        return None
    if reading.words("NONE"):
        return _read_when_it_runs("ALTER SEQUENCE", text, piece, Owns(sequence, ()))
    column = reading.names()
    if column is None or len(column) < 2 or not reading.ended:
        return None
    *table, name = (
        "main" if part == "public" and at == 0 else part for at, part in enumerate(column)
    )
    if sequence[-1].rstrip("0123456789") != f"{table[-1]}_{name}_seq":
        return None
    return _read_when_it_runs("ALTER SEQUENCE", text, piece, Owns(sequence, tuple(table)))


def _enumeration_altered(text: str, piece: Slice) -> Statement | None:
    """ALTER TYPE ... ADD VALUE, RENAME VALUE, RENAME TO and SET SCHEMA."""
    reading = Reading(piece.tokens)
    name = reading.names() if reading.words("ALTER", "TYPE") else None
    if name is None or (len(name) > 1 and name[-2] in _NOT_ANALYTICAL):
        return None
    change = _change_of_type(reading)
    if change is None or not reading.ended:
        return None
    where = tuple("main" if part == "public" else part for part in name[:-1])
    schemas: list[str | None] = [where[-1] if where else None]
    schemas += change if isinstance(change, tuple) else ()
    touched = tuple(Touched(schema, types=True) for schema in schemas)
    alters = AltersEnumeration((*where, name[-1]), change)
    return _read_when_it_runs("ALTER TYPE", text, piece, alters, touched)


def _change_of_type(reading: Reading) -> AddsValue | RenamesValue | str | tuple[str] | None:
    if reading.words("RENAME", "TO"):
        return reading.name()
    if reading.words("SET", "SCHEMA"):
        name = reading.name()
        return ("main" if name == "public" else name,) if name else None
    if reading.words("RENAME", "VALUE"):
        old = reading.text()
        new = reading.text() if reading.words("TO") else None
        return None if old is None or new is None else RenamesValue(old, new)
    if not reading.words("ADD", "VALUE"):
        return None
    exists = reading.words("IF", "NOT", "EXISTS")
    label = reading.text()
    if label is None or reading.ended:
        return None if label is None else AddsValue(label, exists)
    before = reading.words("BEFORE")
    neighbour = reading.text() if before or reading.words("AFTER") else None
    return None if neighbour is None else AddsValue(label, exists, neighbour, before)


def renamed_index(text: str, piece: Slice, tree: exp.Alter) -> Statement | None:
    """The plan of ALTER INDEX ... RENAME TO; None for every other ALTER."""
    actions = tree.args.get("actions") or ()
    if str(tree.args.get("kind")).upper() != "INDEX" or len(actions) != 1:
        return None
    (action,) = actions
    if not isinstance(action, exp.AlterRename) or not isinstance(tree.this, exp.Table):
        return None
    *places, name = (folded(part) for part in tree.this.parts)
    if places and places[-1] in _NOT_ANALYTICAL:
        return None
    index = (*("main" if place == "public" else place for place in places), name)
    renames = RenamesIndex(index, bool(tree.args.get("exists")), folded(action.this.this))
    return _read_when_it_runs("ALTER INDEX", text, piece, renames, EVERYTHING)


def _altered(tokens: list[Token]) -> Rebuilds | None:
    reading = Reading(tokens)
    view = reading.words("ALTER", "VIEW")
    if not view and not reading.words("ALTER", "TABLE"):
        return None
    exists = reading.words("IF", "EXISTS")
    reading.words("ONLY")
    name = reading.names()
    if name is None or (len(name) > 1 and name[-2] in _NOT_ANALYTICAL):
        return None
    for words, read in _OF_VIEWS if view else _FORMS:
        if reading.words(*words):
            edit = read(reading)
            if edit is None or not reading.ended:
                return None
            where = tuple("main" if part == "public" else part for part in name[:-1])
            return Rebuilds((*where, name[-1]), (edit,), exists, native=False, view=view)
    return None


_UNNAMED = "hatidata_unnamed"


def with_named_check(tokens: list[Token], source: str) -> str | None:
    """`ALTER TABLE ... ADD CHECK (...)` as sqlglot can read it; None for all others."""
    words = [token.text.upper() for token in tokens]
    for at in range(3, len(tokens) - 1):
        if words[at] == "CHECK" and words[at - 1] == "ADD" and words[:2] == ["ALTER", "TABLE"]:
            place = tokens[at].start - tokens[0].start
            return f"{source[:place]}CONSTRAINT {_UNNAMED} {source[place:]}"
    return None


def without_its_name(tree: exp.Expr) -> exp.Expr:
    """What was read of that, in place."""
    for constraint in list(tree.find_all(exp.Constraint)):
        if constraint.name == _UNNAMED:
            constraint.replace(constraint.expressions[0])
    return tree


def _rename(reading: Reading) -> Edit | None:
    old = reading.name()
    new = reading.name() if reading.words("TO") else None
    return RenameConstraint(old, new) if old and new else None


def _validate(reading: Reading) -> Edit | None:
    name = reading.name()
    return ValidateConstraint(name) if name else None


def _schema(reading: Reading) -> Edit | None:
    name = reading.name()
    return SetSchema("main" if name == "public" else name) if name else None


def _named_index(reading: Reading) -> Edit | None:
    name = reading.name()
    return _index(reading, name) if name else None


def _unnamed_index(reading: Reading) -> Edit | None:
    return _index(reading, "")


def _index(reading: Reading, name: str) -> Edit | None:
    primary = reading.words("PRIMARY", "KEY")
    if not primary and not reading.words("UNIQUE"):
        return None
    index = reading.name() if reading.words("USING", "INDEX") else None
    return UseIndex(name, index, primary) if index else None


def _column(reading: Reading) -> Edit | None:
    reading.words("COLUMN")
    name = reading.name()
    if not name:
        return None
    if reading.words("DROP", "IDENTITY"):
        return DropIdentity(name, reading.words("IF", "EXISTS"))
    if not reading.words("ADD", "GENERATED"):
        return None
    always = reading.words("ALWAYS")
    if not always and not reading.words("BY", "DEFAULT"):
        return None
    if not reading.words("AS", "IDENTITY"):
        return None
    options = reading.numbering()
    return None if options is None else AddIdentity(name, always, tuple(options.items()))


_FORMS: tuple[tuple[tuple[str, ...], Callable[[Reading], Edit | None]], ...] = (
    (("RENAME", "CONSTRAINT"), _rename),
    (("VALIDATE", "CONSTRAINT"), _validate),
    (("SET", "SCHEMA"), _schema),
    (("ALTER",), _column),
    (("ADD", "CONSTRAINT"), _named_index),
    (("ADD",), _unnamed_index),
)
_OF_VIEWS = tuple(form for form in _FORMS if form[0] == ("SET", "SCHEMA"))
