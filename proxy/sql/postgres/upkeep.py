"""What Postgres's dialect says of how a table is kept, and DROP of what no table here can have.

Why it exists: programs and dumps set storage parameters, statistics, triggers' states, and drop triggers
and policies that may be there. Nothing of it changes what an analytical table holds, so Postgres answers,
for what it shows of the table: what is not there, or wrong, is so in its words. What would change something, and
what other statements would have to obey, is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import for_postgres
from proxy.sql.administration import Judgement
from proxy.sql.control_plane import name_set
from proxy.sql.reading import POSTGRES
from proxy.sql.words import Words

_ANY, _BRACKETS = "%", "()"

_STORAGE = """
SET () / RESET () / SET TABLESPACE % / SET TABLESPACE % NOWAIT
"""
_OF_COLUMNS = """
SET STATISTICS % / SET STATISTICS - % / SET STORAGE % / SET COMPRESSION % / SET () / RESET ()
"""
_OF_TABLES = f"""
{_STORAGE} / SET LOGGED / SET UNLOGGED / SET WITHOUT CLUSTER / SET WITHOUT OIDS / SET ACCESS METHOD % /
CLUSTER ON % / ENABLE TRIGGER % / ENABLE REPLICA TRIGGER % / ENABLE ALWAYS TRIGGER % / DISABLE TRIGGER % /
ENABLE RULE % / ENABLE REPLICA RULE % / ENABLE ALWAYS RULE % / DISABLE RULE % /
DISABLE ROW LEVEL SECURITY / NO FORCE ROW LEVEL SECURITY / REPLICA IDENTITY FULL /
REPLICA IDENTITY DEFAULT / REPLICA IDENTITY NOTHING / REPLICA IDENTITY USING INDEX % / NOT OF / NO INHERIT %
"""
_REFUSED = """
ENABLE ROW LEVEL SECURITY / FORCE ROW LEVEL SECURITY / INHERIT % / OF % / ATTACH PARTITION / DETACH PARTITION /
ALTER CONSTRAINT % / ADD EXCLUDE / ADD CONSTRAINT % EXCLUDE
"""
_PERSISTENCE = (("SET", "LOGGED"), ("SET", "UNLOGGED"))
_WITHOUT_EFFECT = "RESET (fillfactor)"

Form = tuple[str, ...]


def _forms(text: str) -> tuple[Form, ...]:
    return tuple(tuple(form.split()) for form in text.split("/") if form.strip())


def _of_column(forms: tuple[Form, ...]) -> tuple[Form, ...]:
    return tuple(
        (*opening, _ANY, *form) for form in forms for opening in (("ALTER", "COLUMN"), ("ALTER",))
    )


_TAKEN = {
    "TABLE": (*_forms(_OF_TABLES), *_of_column(_forms(_OF_COLUMNS))),
    "INDEX": (*_forms(_STORAGE), *_of_column(_forms("SET STATISTICS %"))),
    "VIEW": _forms("SET () / RESET ()"),
}
_NOT_TAKEN = {
    "TABLE": _forms(_REFUSED),
    "INDEX": _forms("ATTACH PARTITION / DEPENDS ON / NO DEPENDS ON"),
    "VIEW": _of_column(_forms("SET DEFAULT / DROP DEFAULT")),
}


@dataclass(frozen=True, slots=True)
class _Action:
    """What an ALTER says between two commas. said: its words, with brackets as one."""

    tokens: list[Token]
    said: Form


def _fits(said: Form, form: Form, *, whole: bool) -> bool:
    if len(said) < len(form) or (whole and len(said) > len(form)):
        return False
    return all(want in (_ANY, word) for word, want in zip(said, form, strict=False))


def _words(token: Token) -> list[str]:
    """What it says: several words where the tokenizer reads them as one."""
    quoted = token.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
    return [token.text] if quoted else token.text.upper().split()


def _actions(tokens: list[Token]) -> list[_Action]:
    found: list[_Action] = []
    taken: list[Token] = []
    said: list[str] = []
    depth = 0
    for token in tokens:
        kind = token.token_type
        if kind == TokenType.COMMA and not depth:
            found.append(_Action(taken, tuple(said)))
            taken, said = [], []
            continue
        taken.append(token)
        if not depth:
            said += [_BRACKETS] if kind == TokenType.L_PAREN else _words(token)
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
    return [*found, _Action(taken, tuple(said))]


def _altered(words: Words) -> Judgement | None:
    """ALTER TABLE, INDEX and VIEW, of which nothing but how it is kept changes."""
    tokens, text = words.tokens, words.text
    words.step()
    kind = words.step().text.upper()
    words.accept("IF", "EXISTS")
    words.accept("ONLY")
    try:
        words.dotted()
    except SqlError:
        return None
    words.accept("*")
    if words.token is None:
        return None
    start = words.token.start
    actions = _actions([token for token in tokens if token.start >= start])
    for action in actions:
        form = next((one for one in _NOT_TAKEN[kind] if _fits(action.said, one, whole=False)), None)
        if form is not None:
            return _refused(f"ALTER {kind}", form)
    taken = [any(_fits(one.said, form, whole=True) for form in _TAKEN[kind]) for one in actions]
    if not any(taken):
        return None
    if not all(taken):
        form = actions[taken.index(True)].said
        hint = "Send it as a statement of its own, which changes nothing here."
        return _refused(f"ALTER {kind}", form, " beside other changes", hint)
    words.rest()
    made = "".join(
        [text[tokens[0].start : start], ", ".join(_written(one, text) for one in actions)]
    )
    relayed = for_postgres.named_main(POSTGRES.tokenize(made), made) or made
    return Judgement(f"ALTER {kind}", "postgres", relayed=relayed)


def _written(action: _Action, text: str) -> str:
    if action.said in _PERSISTENCE:
        return _WITHOUT_EFFECT
    return text[action.tokens[0].start : action.tokens[-1].end + 1]


def _refused(kind: str, form: Form, beside: str = "", hint: str | None = None) -> Judgement:
    what = " ".join(word for word in form if word != _ANY)
    message = f"{kind} ... {what}{beside} is not supported on analytical tables"
    return Judgement(kind, refused=SqlError("0A000", message, hint=hint))


def _dropped(words: Words) -> Judgement:
    """DROP of what only Postgres can have, and a client has not made."""
    tokens = words.tokens
    kind = " ".join(token.text.upper() for token in tokens[: _length(tokens)])
    words.rest()
    relayed = for_postgres.named_main(tokens, words.text)
    return Judgement(kind, "postgres", relayed=relayed)


_LONG = name_set("ACCESS EVENT FOREIGN OPERATOR TEXT USER")
_AFTER = name_set("METHOD TRIGGER DATA TABLE WRAPPER CLASS FAMILY SEARCH CONFIGURATION DICTIONARY "
                  "PARSER TEMPLATE MAPPING")  # fmt: skip


def _length(tokens: list[Token]) -> int:
    """How many words say what is dropped."""
    at = 2
    while (
        tokens[1].text.upper() in _LONG and at < len(tokens) and tokens[at].text.upper() in _AFTER
    ):
        at += 1
    return at


_ONLY_POSTGRES = [
    "TRIGGER",
    "POLICY",
    "RULE",
    "AGGREGATE",
    "CAST",
    "COLLATION",
    "CONVERSION",
    "DOMAIN",
    "EVENT",
    "EXTENSION",
    "FOREIGN",
    "LANGUAGE",
    "OPERATOR",
    "PUBLICATION",
    "SERVER",
    "STATISTICS",
    "SUBSCRIPTION",
    "TABLESPACE",
    "TEXT",
    "TRANSFORM",
    "ACCESS",
    "DATABASE",
]

READERS: dict[str, Callable[[Words], Judgement | None]] = {
    **dict.fromkeys(("ALTER TABLE", "ALTER INDEX", "ALTER VIEW"), _altered),
    **{f"DROP {kind}": _dropped for kind in _ONLY_POSTGRES},
}
"""The first two words of a statement -> reader; None where another is to judge."""


_NAMED = {
    "WHERE CURRENT OF": ("CURRENT", "OF", _ANY),
    "EXCLUDE": ("EXCLUDE", "USING"),
    "UNIQUE NULLS NOT DISTINCT": ("NULLS", "NOT", "DISTINCT"),
    "SEARCH DEPTH FIRST": ("SEARCH", "DEPTH", "FIRST"),
    "SEARCH BREADTH FIRST": ("SEARCH", "BREADTH", "FIRST"),
    "CYCLE in WITH RECURSIVE": ("CYCLE", _ANY, "SET"),
    "GROUP BY DISTINCT": ("GROUP", "BY", "DISTINCT"),
    "CREATE TABLE without columns": ("TABLE", _ANY, "(", ")"),
    "CREATE TABLE, in a schema, without columns": ("TABLE", _ANY, ".", _ANY, "(", ")"),
    "CREATE TABLE IF NOT EXISTS without columns": ("EXISTS", _ANY, "(", ")"),
    "CREATE TABLE IF NOT EXISTS, in a schema, without columns": (
        "EXISTS",
        _ANY,
        ".",
        _ANY,
        "(",
        ")",
    ),
    "WITH CHECK OPTION": ("CHECK", "OPTION"),
    "COMMENT ON PROCEDURE": ("COMMENT", "ON", "PROCEDURE"),
    "COMMENT ON TRIGGER": ("COMMENT", "ON", "TRIGGER"),
    "CREATE OPERATOR": ("CREATE", "OPERATOR"),
    "CREATE TRANSFORM": ("CREATE", "TRANSFORM"),
    "CREATE TYPE ... AS (...)": ("CREATE", "TYPE", _ANY, "AS", "("),
    "CREATE TYPE, in a schema, AS (...)": ("CREATE", "TYPE", _ANY, ".", _ANY, "AS", "("),
    "XML OPTION": ("SET", "XML", "OPTION"),
}


def named(tokens: list[Token]) -> str | None:
    """What of Postgres's grammar a statement has that nobody here can read."""
    said = [word for token in tokens for word in _words(token)]
    for what, form in _NAMED.items():
        for start in range(len(said) - len(form) + 1):
            if _fits(tuple(said[start : start + len(form)]), form, whole=True):
                return what
    return None
