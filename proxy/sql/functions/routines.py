"""CREATE and DROP of functions and procedures, CALL, EXECUTE IMMEDIATE: read from tokens.

Why it exists: sqlglot reads the heads of these statements differently from dialect to dialect, and
their bodies are texts. Each reader takes the cursor of one statement and gives what to do, or why
not: languages other than SQL, and properties that would change what a function does, are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as replace_of

from sqlglot.tokens import Token

from proxy.errors import SqlError
from proxy.sql import control_plane
from proxy.sql.compound import (
    AlterFunction,
    AlterProcedure,
    Call,
    CompoundAction,
    CreateFunction,
    CreateProcedure,
    DropFunction,
    DropProcedure,
    ExecuteImmediate,
    Parameter,
)
from proxy.sql.words import Words

Read = tuple[str, CompoundAction] | None
"""The kind of the statement and what to do; None where another reader is to judge."""


def _until(words: Words, *ends: str) -> str:
    """The text before one of `ends` outside brackets, or before the end."""
    tokens = words.until(*ends)
    return words.text[tokens[0].start : tokens[-1].end + 1]


_DIRECTIONS = ("IN", "INPUT", "OUT", "OUTPUT")


def _parameters(words: Words, directed: bool = False) -> tuple[Parameter, ...]:
    """`(name type [DEFAULT value], ...)`. directed: whether a name may be followed by IN or OUT."""
    words.expect("(")
    found: list[Parameter] = []
    if words.accept(")"):
        return ()
    while True:
        if words.word in ("OUT", "INOUT") and words.word_at(1) not in (",", ")"):
            raise _refuse(words, f"{words.word} parameters")
        if words.word == "IN" and words.word_at(1) not in (",", ")"):
            words.step()
        name = words.name()
        out = directed and words.accept_any(*_DIRECTIONS).startswith("OUT")
        kind = _until(words, ",", ")", "DEFAULT", ":=")
        default = None
        if not out and (words.accept("DEFAULT") or words.accept(":=")):
            default = _until(words, ",", ")")
        found.append(Parameter(name, kind, default, out))
        if words.accept(")"):
            return tuple(found)
        words.expect(",")


def _refuse(words: Words, what: str, hint: str | None = None) -> SqlError:
    token = words.token
    position = token.start + 1 if token is not None else None
    return SqlError("0A000", f"{what} is not supported", hint=hint, position=position)


def _head(words: Words, what: str) -> tuple[bool, bool, tuple[str, ...]]:
    """CREATE [OR REPLACE] [modifiers] <what> [IF NOT EXISTS] name."""
    words.expect("CREATE")
    replace = words.accept("OR", "REPLACE")
    while word := words.accept_any("SECURE", "TEMP", "TEMPORARY", "AGGREGATE"):
        if word != "SECURE":
            raise _refuse(words, f"CREATE {word} {what}")
    words.expect(what)
    if_not_exists = words.accept("IF", "NOT", "EXISTS")
    return replace, if_not_exists, words.dotted()


# What may stand between RETURNS and AS, and says nothing that the engine would do otherwise.
_SAID: tuple[tuple[str, ...], ...] = (
    ("LANGUAGE", "SQL"),
    ("CALLED", "ON", "NULL", "INPUT"),
    ("VOLATILE",),
    ("IMMUTABLE",),
    ("MEMOIZABLE",),
    ("NOT", "NULL"),
    ("SECURE",),
    ("PARALLEL", "SAFE"),
    ("STABLE",),
)
_FUNCTION = "FUNCTION"
_ENDS = (
    *("LANGUAGE", "CALLED", "VOLATILE", "IMMUTABLE", "MEMOIZABLE", "NOT", "STRICT", "RETURNS"),
    *("COMMENT", "EXECUTE", "AS", "SECURE", "RUNTIME_VERSION", "HANDLER", "PACKAGES", "IMPORTS"),
    *("COPY", "NULL", "PARALLEL", "STABLE", "EXTERNAL_ACCESS_INTEGRATIONS", "ARTIFACT_REPOSITORY"),
)


Traits = dict[str, str | bool | None]
"""What is said of a function between its types and its body, as `CreateFunction` names it."""

_TRAITS: tuple[tuple[tuple[str, ...], str, str | bool], ...] = (
    (("SECURE",), "secure", True),
    (("MEMOIZABLE",), "memoizable", True),
    (("IMMUTABLE",), "volatility", "IMMUTABLE"),
    (("VOLATILE",), "volatility", "VOLATILE"),
)


def _properties(words: Words, what: str) -> Traits:
    """Up to AS. Who a procedure runs as makes no difference: a session has one role."""
    traits: Traits = {}
    while not words.accept("AS"):
        trait = next((one for one in _TRAITS if words.accept(*one[0])), None)
        if trait is not None:
            traits[trait[1]] = trait[2]
            continue
        if any(words.accept(*said) for said in _SAID):
            continue
        if words.accept("LANGUAGE"):
            raise _refuse(words, f"CREATE {what} ... LANGUAGE {words.word}", "Write it in SQL.")
        if words.accept("STRICT") or words.accept("RETURNS", "NULL", "ON", "NULL", "INPUT"):
            if what != _FUNCTION:
                raise _refuse(words, f"CREATE {what} ... RETURNS NULL ON NULL INPUT")
            traits["strict"] = True
        elif words.accept("COMMENT"):
            words.accept("=")
            traits["comment"] = words.string()
        elif words.accept("EXECUTE", "AS"):
            words.accept("RESTRICTED")
            words.accept_any("CALLER", "OWNER")
        elif words.accept("COPY", "GRANTS"):
            continue
        elif words.word in ("RUNTIME_VERSION", "HANDLER", "PACKAGES", "IMPORTS"):
            raise _refuse(words, f"CREATE {what} with {words.word}", "Write it in SQL.")
        else:
            raise words.fail()
    return traits


def _body(words: Words, what: str) -> str:
    """The text of the body; a block may also stand there without quotes."""
    if words.is_string():
        return words.string()
    if words.word in ("BEGIN", "DECLARE"):
        text, _ = words.rest()
        return text
    raise words.fail()


def create_function(words: Words) -> Read:
    replace, if_not_exists, name = _head(words, _FUNCTION)
    parameters = _parameters(words)
    words.expect("RETURNS")
    columns: tuple[Parameter, ...] | None = None
    returns = "TABLE"
    if words.word == "TABLE" and words.word_at(1) == "(":
        words.step()
        columns = _parameters(words)
    else:
        returns = _until(words, *_ENDS)
    traits = _properties(words, _FUNCTION)
    if words.tokens[1].text.upper() == "SECURE" or words.tokens[3].text.upper() == "SECURE":
        traits["secure"] = True
    if columns is not None and traits.get("strict"):
        raise _refuse(words, "RETURNS NULL ON NULL INPUT of a table function")
    body = _body(words, _FUNCTION)
    _trailing(words, _FUNCTION)
    action = CreateFunction(
        name, parameters, returns, columns, body, replace, if_not_exists, **traits
    )
    return "CREATE FUNCTION", action


def _trailing(words: Words, what: str) -> None:
    """Postgres writes LANGUAGE after the body."""
    while words.token is not None:
        if any(words.accept(*said) for said in _SAID):
            continue
        if words.accept("LANGUAGE"):
            raise _refuse(words, f"CREATE {what} ... LANGUAGE {words.word}", "Write it in SQL.")
        raise words.fail()


def _procedure(words: Words, name: tuple[str, ...], replace: bool, lax: bool) -> CreateProcedure:
    """What stands after the name, its body included."""
    parameters = _parameters(words, directed=True)
    words.expect("RETURNS")
    columns: tuple[Parameter, ...] = ()
    if words.word == "TABLE" and words.word_at(1) == "(":
        words.step()
        columns = _parameters(words)
        returns = "TABLE"
    else:
        returns = _until(words, *_ENDS)
    _properties(words, "PROCEDURE")
    body = _body(words, "PROCEDURE")
    return CreateProcedure(name, parameters, returns, columns, body, replace, lax)


def create_procedure(words: Words) -> Read:
    replace, if_not_exists, name = _head(words, "PROCEDURE")
    action = _procedure(words, name, replace, if_not_exists)
    _trailing(words, "PROCEDURE")
    return "CREATE PROCEDURE", action


def is_call_with(tokens: list[Token]) -> bool:
    """Whether a statement that begins with WITH defines a procedure for one CALL."""
    words = [token.text.upper() for token in tokens[:4]]
    return words[0] == "WITH" and words[2:] == ["AS", "PROCEDURE"]


def call_with(words: Words) -> Read:
    """WITH name AS PROCEDURE (...) RETURNS ... AS 'body' CALL name(arguments) [INTO :variable]."""
    words.expect("WITH")
    name = words.name()
    words.expect("AS", "PROCEDURE")
    procedure = _procedure(words, (name,), False, False)
    if words.accept(","):
        raise _refuse(words, "WITH ... AS PROCEDURE beside other names")
    read = call(words)
    if read is None or not isinstance(read[1], Call) or read[1].name != (name,):
        raise _refuse(words, "CALL of another procedure than WITH defines")
    return "CALL", replace_of(read[1], procedure=procedure)


def _signature(words: Words, verb: str, what: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Name, types of the parameters, and whether IF EXISTS."""
    words.expect(verb, what)
    if_exists = words.accept("IF", "EXISTS")
    name = words.dotted()
    if words.word != "(":
        raise words.fail()
    return name, words.list_in_brackets(), if_exists


def drop_function(words: Words) -> Read:
    action = DropFunction(*_signature(words, "DROP", _FUNCTION))
    words.end()
    return "DROP FUNCTION", action


def drop_procedure(words: Words) -> Read:
    name, types, if_exists = _signature(words, "DROP", "PROCEDURE")
    words.end()
    return "DROP PROCEDURE", DropProcedure(name, len(types), if_exists)


_Changes = tuple[tuple[str, str | bool | None], ...]

_SHOWN_ONLY = frozenset(
    {"LOG_LEVEL", "TRACE_LEVEL", "METRIC_LEVEL", "AUTO_EVENT_LOGGING", "TAG", "CONTACT"}
)
"""Properties that are not kept, and change no answer."""


def _changed(words: Words, what: str) -> tuple[tuple[str, ...], _Changes]:
    """What an ALTER changes: the new name, and what is only shown."""
    refusal = _refuse(words, f"this form of ALTER {what}")
    if words.accept("RENAME", "TO"):
        return words.dotted(), ()
    if what == "PROCEDURE" and words.accept("EXECUTE", "AS"):
        if words.accept_any("CALLER", "OWNER"):
            return (), ()  # a session has one role
        raise refusal
    verb = words.accept_any("SET", "UNSET")
    if not verb:
        raise refusal
    changes: list[tuple[str, str | bool | None]] = []
    tags = False
    while words.token is not None:
        if words.accept("SECURE"):
            changes.append(("secure", verb == "SET"))
        elif words.accept("COMMENT"):
            if verb == "SET":
                words.expect("=")
            changes.append(("comment", words.string() if verb == "SET" else None))
        elif words.word in _OUTSIDE or not (tags or words.word in _SHOWN_ONLY):
            raise _refuse(words, f"ALTER {what} ... {verb} {words.word}")
        else:
            tags = bool(words.accept_any("TAG", "CONTACT")) or tags
            words.dotted()
            if words.accept("="):
                words.step()
        words.accept(",")
    return (), tuple(changes)


_OUTSIDE = frozenset({"EXTERNAL_ACCESS_INTEGRATIONS", "SECRETS", "API_INTEGRATION", "HEADERS"})


def alter_function(words: Words) -> Read:
    """ALTER FUNCTION f(types) RENAME TO g, or SET and UNSET of what is only shown."""
    signature = _signature(words, "ALTER", _FUNCTION)
    rename, changes = _changed(words, _FUNCTION)
    words.end()
    return "ALTER FUNCTION", AlterFunction(*signature, rename, changes)


def alter_procedure(words: Words) -> Read:
    """ALTER PROCEDURE p(types) RENAME TO q, EXECUTE AS, or SET and UNSET of what is not kept."""
    name, types, if_exists = _signature(words, "ALTER", "PROCEDURE")
    rename, _ = _changed(words, "PROCEDURE")
    words.end()
    return "ALTER PROCEDURE", AlterProcedure(name, len(types), if_exists, rename)


def comment_on(words: Words) -> Read:
    """COMMENT [IF EXISTS] ON FUNCTION f(types) IS 'x', or PROCEDURE; None for other objects."""
    lax = words.word_at(1) == "IF"
    what = words.word_at(4 if lax else 2)
    if what not in (_FUNCTION, "PROCEDURE") or words.word_at(3 if lax else 1) != "ON":
        return None
    words.expect("COMMENT")
    lax = words.accept("IF", "EXISTS")
    words.expect("ON", what)
    name = words.dotted()
    types = words.list_in_brackets() if words.word == "(" else ()
    words.expect("IS")
    said = words.string()
    words.end()
    if what == "PROCEDURE":
        return "COMMENT", AlterProcedure(name, len(types), lax)
    return "COMMENT", AlterFunction(name, types, lax, (), (("comment", said),))


def _arguments(words: Words) -> list[tuple[str, str]]:
    words.expect("(")
    found: list[tuple[str, str]] = []
    if words.accept(")"):
        return found
    while True:
        label = ""
        if words.word_at(1) == "=>":
            label = words.name()
            words.expect("=>")
        found.append((label, _until(words, ",", ")")))
        if words.accept(")"):
            return found
        words.expect(",")


_GENERATORS = (("dbgen",), ("dsdgen",))


def call(words: Words) -> Read:
    """CALL name(arguments) [INTO :variable]; None for what is not a procedure's."""
    words.expect("CALL")
    name = words.dotted()
    if words.word == "!":
        raise _refuse(words, "CALL of an instance's method")
    control = len(name) > 1 and name[0] in control_plane.CONTROL_SCHEMAS
    if control or name[-1] in control_plane.RUNTIME_FUNCTIONS or name in _GENERATORS:
        return None
    arguments = _arguments(words)
    into = ""
    if words.accept("INTO"):
        words.accept(":")
        into = words.name()
    words.end()
    return "CALL", Call(name, tuple(arguments), into)


def execute_immediate(words: Words) -> Read:
    if not (words.word == "EXECUTE" and words.word_at(1) == "IMMEDIATE"):
        return None
    words.expect("EXECUTE", "IMMEDIATE")
    if words.word == "FROM":
        raise _refuse(words, "EXECUTE IMMEDIATE FROM a file")
    literal = None
    if words.is_string() and words.word_at(1) == "":
        literal = words.token.text if words.token is not None else None
    start = words.token.start if words.token is not None else 0
    end = start
    while words.token is not None and words.word != "USING":
        end = words.step().end + 1
    using: tuple[str, ...] = ()
    if words.accept("USING"):
        using = words.list_in_brackets()
    words.end()
    if literal is not None and end != start and words.tokens[2].end + 1 != end:
        literal = None  # an expression that begins with a string
    return "EXECUTE", ExecuteImmediate(literal, words.text[start:end], using)


READERS: dict[str, Callable[[Words], Read]] = {
    "CREATE FUNCTION": create_function,
    "CREATE PROCEDURE": create_procedure,
    "DROP FUNCTION": drop_function,
    "ALTER FUNCTION": alter_function,
    "ALTER PROCEDURE": alter_procedure,
    "COMMENT": comment_on,
    "DROP PROCEDURE": drop_procedure,
    "CALL": call,
    "EXECUTE": execute_immediate,
}
"""Leading word, or two -> reader; for Snowflake's dialect."""
