"""CREATE, DROP, ALTER and COMMENT of functions in Postgres's dialect: read from tokens.

Why it exists: the grammar knows the heads of these statements and takes their bodies as texts; what
Postgres says of a function (how its parameters are called, what it gives, what it promises) has to be
kept, shown and followed. What would need another language, or a statement that writes, is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.classify import Slice
from proxy.sql.compound import Parameter
from proxy.sql.functions.function_actions import (
    AlterClientFunction,
    DefineFunction,
    DropClientFunctions,
    FunctionAction,
    Signature,
)
from proxy.sql.session_actions import SessionAction
from proxy.sql.words import CLOSING, OPENING, Words
from proxy.wire.types import PgType, pg_type_named

Traits = dict[str, str | bool]


@dataclass(frozen=True, slots=True)
class Read:
    kind: str
    action: SessionAction | FunctionAction


_ONE_QUERY = "A function is one SELECT in SQL here."


def _refused(words: Words, what: str, hint: str | None = _ONE_QUERY) -> SqlError:
    token = words.token or words.tokens[-1]
    return SqlError("0A000", f"{what} is not supported", hint=hint, position=token.start + 1)


# --- types ----------------------------------------------------------------------------------------

_GRAMMARS_OWN = frozenset(
    {
        *("int", "integer", "smallint", "bigint", "real", "float", "double precision", "decimal"),
        *("dec", "numeric", "boolean", "char", "character", "varchar", "character varying"),
        *("timestamp", "timestamp with time zone", "timestamp without time zone", "time"),
        *("time with time zone", "time without time zone", "interval", "bit", "bit varying"),
    }
)


def as_listed(name: str) -> str:
    """A type as a notice lists it, which knows the grammar's own types by their names in the catalog."""
    element = name.removesuffix("[]")
    found = pg_type_named(element) if element in _GRAMMARS_OWN else None
    return name if found is None else f"pg_catalog.{found.name}{name.removeprefix(element)}"


_OF_ANY_TYPE = frozenset(
    {
        *("anyelement", "anyarray", "anynonarray", "anyenum", "anyrange", "anymultirange"),
        *("anycompatible", "anycompatiblearray", "anycompatiblenonarray", "anycompatiblerange"),
        *("any", "record", "cstring", "internal", "trigger", "event_trigger", "void"),
    }
)


def type_name(tokens: list[Token]) -> str:
    """What a type is called, without the length or digits that a function does not keep."""
    said: list[str] = []
    arrays, depth = "", 0
    for token in tokens:
        kind = token.token_type
        depth += (kind in OPENING) - (kind in CLOSING)
        if kind == TokenType.L_BRACKET or token.text.upper() == "ARRAY":
            arrays = "[]"
        elif depth == 0 and kind not in CLOSING:
            said.append(token.text if kind == TokenType.IDENTIFIER else token.text.lower())
    if said[:2] == ["pg_catalog", "."]:
        del said[:2]
    return " ".join(" ".join(said).split()).replace(" . ", ".") + arrays


def type_of(name: str) -> PgType:
    """Raises SqlError 42704, or 0A000 for what is no value's type."""
    if name in _OF_ANY_TYPE:
        raise SqlError("0A000", f"a function of the type {name} is not supported", hint=_ONE_QUERY)
    found = pg_type_named(name)
    if found is None:
        raise SqlError("42704", f'type "{name}" does not exist')
    return found


# --- parameters -----------------------------------------------------------------------------------


def _text(words: Words, tokens: list[Token]) -> str:
    return words.text[tokens[0].start : tokens[-1].end + 1]


def _parameters(words: Words, *, named: bool = False) -> tuple[Parameter, ...]:
    """`([IN] [name] type [DEFAULT value], ...)`. named: a column, which must have a name."""
    words.expect("(")
    found: list[Parameter] = []
    if words.accept(")"):
        return ()
    while True:
        start = words.token
        one = _parameter(words, named)
        _check_parameter(one, found, start)
        found.append(one)
        if words.accept(")"):
            return tuple(found)
        words.expect(",")


def _parameter(words: Words, named: bool) -> Parameter:
    if words.word in ("OUT", "INOUT", "VARIADIC") and words.word_at(1) not in (",", ")"):
        hint = "Declare what it gives with RETURNS." if words.word != "VARIADIC" else _ONE_QUERY
        raise _refused(words, f"a function with {words.word} parameters", hint)
    if words.word == "IN" and words.word_at(1) not in (",", ")"):
        words.step()
    start = words.token
    tokens = words.until(",", ")", "DEFAULT", "=", ":=")
    if named or (len(tokens) > 1 and pg_type_named(type_name(tokens)) is None):
        name_token, tokens = tokens[0], tokens[1:]
        if not tokens:
            raise words.fail()
        name = _folded(name_token)
    else:
        name = ""
    default = None
    if words.accept("DEFAULT") or words.accept("=") or words.accept(":="):
        default = _text(words, words.until(",", ")"))
    kind = type_name(tokens)
    try:
        type_of(kind)
    except SqlError as error:
        error.position = start.start + 1 if start is not None else None
        raise
    return Parameter(name, kind, default)


def _check_parameter(one: Parameter, before: list[Parameter], start: Token | None) -> None:
    """Raises SqlError 42P13."""
    message = ""
    if one.name and one.name in {other.name for other in before}:
        message = f'parameter name "{one.name}" used more than once'
    elif one.default is None and any(other.default is not None for other in before):
        message = "input parameters after one with a default value must also have defaults"
    if message:
        raise SqlError("42P13", message, position=start.start + 1 if start is not None else None)


def _folded(token: Token) -> str:
    return token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()


# --- CREATE ---------------------------------------------------------------------------------------

_TRAITS: tuple[tuple[tuple[str, ...], str, str | bool], ...] = (
    (("IMMUTABLE",), "volatility", "IMMUTABLE"),
    (("STABLE",), "volatility", "STABLE"),
    (("VOLATILE",), "volatility", "VOLATILE"),
    (("STRICT",), "strict", True),
    (("RETURNS", "NULL", "ON", "NULL", "INPUT"), "strict", True),
    (("CALLED", "ON", "NULL", "INPUT"), "strict", False),
    (("NOT", "LEAKPROOF"), "leakproof", False),
    (("LEAKPROOF",), "leakproof", True),
    (("EXTERNAL", "SECURITY", "INVOKER"), "definer", False),
    (("EXTERNAL", "SECURITY", "DEFINER"), "definer", True),
    (("SECURITY", "INVOKER"), "definer", False),
    (("SECURITY", "DEFINER"), "definer", True),
    (("PARALLEL", "SAFE"), "parallel", "SAFE"),
    (("PARALLEL", "RESTRICTED"), "parallel", "RESTRICTED"),
    (("PARALLEL", "UNSAFE"), "parallel", "UNSAFE"),
)
_LANGUAGES = frozenset(
    {"plpgsql", "c", "internal", "plpython3u", "plperl", "plperlu", "pltcl", "plv8"}
)
_STARTS = (
    *("LANGUAGE", "IMMUTABLE", "STABLE", "VOLATILE", "STRICT", "RETURNS", "CALLED", "NOT"),
    *("LEAKPROOF", "EXTERNAL", "SECURITY", "PARALLEL", "COST", "ROWS", "AS", "RETURN", "BEGIN"),
    *("SUPPORT", "SET", "WINDOW", "TRANSFORM"),
)


def create_function(words: Words) -> Read:
    words.expect("CREATE")
    replace = words.accept("OR", "REPLACE")
    words.expect("FUNCTION")
    name = words.dotted()
    parameters = _parameters(words)
    returns, columns, rows = _returned(words)
    for column in columns or ():
        if column.name in {one.name for one in parameters}:
            raise SqlError("42P13", f'parameter name "{column.name}" used more than once')
    traits, language, body, standard = _clauses(words)
    if language == "" and not standard:
        raise SqlError("42P13", "no language specified")
    if language not in ("", "sql"):
        if language not in _LANGUAGES:
            raise SqlError("42704", f'language "{language}" does not exist')
        raise SqlError(
            "0A000", f"CREATE FUNCTION ... LANGUAGE {language} is not supported", hint=_ONE_QUERY
        )
    if body is None:
        raise SqlError("42P13", "no function body specified")
    if returns is None:
        raise SqlError("42P13", "function result type must be specified")
    if columns is None:
        type_of(returns) if not rows else None
    return Read(
        "CREATE FUNCTION",
        DefineFunction(
            name,
            parameters,
            returns,
            columns,
            rows,
            body,
            standard,
            replace,
            tuple(sorted(traits.items())),
        ),
    )


def _returned(words: Words) -> tuple[str | None, tuple[Parameter, ...] | None, bool]:
    """The type, the columns of RETURNS TABLE, and whether it is a set."""
    if words.word != "RETURNS" or words.word_at(1) == "NULL":
        return None, None, False
    words.step()
    if words.accept("TABLE"):
        return "record", _parameters(words, named=True), True
    rows = words.accept("SETOF")
    first = [words.step()]  # whatever it is called
    more = words.until(*_STARTS) if words.token and words.word not in _STARTS else []
    return type_name(first + more), None, rows


def _clauses(words: Words) -> tuple[Traits, str, str | None, str]:
    """Up to the end: what is said of it, its language, its body, and which of the standard's forms that has."""
    traits: Traits = {}
    language, standard = "", ""
    body: str | None = None
    while words.token is not None:
        trait = next((one for one in _TRAITS if words.accept(*one[0])), None)
        if trait is not None:
            traits[trait[1]] = trait[2]
        elif words.accept("LANGUAGE", "SQL SECURITY"):  # MySQL's words, to who cuts the text
            language, (_, trait, said) = "sql", _security(words)
            traits[trait] = said
        elif words.accept("LANGUAGE"):
            language = words.string() if words.is_string() else words.name()
            language = language.lower()
        elif word := words.accept_any("COST", "ROWS"):
            traits[word.lower()] = words.step().text
        elif words.accept("AS"):
            body = words.string()
            if words.accept(","):
                raise _refused(words, "a function in a library")
        elif words.word in ("SUPPORT", "SET", "WINDOW", "TRANSFORM"):
            raise _refused(words, f"CREATE FUNCTION ... {words.word}", None)
        elif words.accept("RETURN"):
            body, standard = _text(words, _rest(words)), "RETURN"
        elif words.accept("BEGIN", "ATOMIC"):
            tokens = _rest(words)
            if tokens[-1].text.upper() != "END" or len(tokens) < 2:
                raise words.fail()
            body, standard = _text(words, tokens[:-1]), "ATOMIC"
        else:
            raise words.fail()
    return traits, language, body, standard


def _security(words: Words) -> tuple[tuple[str, ...], str, str | bool]:
    """What follows SECURITY."""
    for one in _TRAITS:
        if one[0][0] == "SECURITY" and words.accept(one[0][1]):
            return one
    raise words.fail()


def _rest(words: Words) -> list[Token]:
    tokens = words.until()
    words.end()
    return tokens


# --- the others -----------------------------------------------------------------------------------


def _signature(words: Words) -> Signature:
    """`name [([mode] [name] type, ...)]`."""
    name = words.dotted()
    if words.word != "(":
        return Signature(name, None)
    return Signature(name, tuple(one.type for one in _parameters(words)))


def drop_function(words: Words) -> Read:
    words.expect("DROP", "FUNCTION")
    if_exists = words.accept("IF", "EXISTS")
    found = [_signature(words)]
    while words.accept(","):
        found.append(_signature(words))
    cascade = words.accept_any("CASCADE", "RESTRICT") == "CASCADE"
    words.end()
    return Read("DROP FUNCTION", DropClientFunctions(tuple(found), if_exists, cascade))


def alter_function(words: Words) -> Read | None:
    """RENAME TO, SET SCHEMA and what is said of it; None for OWNER TO, which is Postgres's."""
    words.expect("ALTER", "FUNCTION")
    signature = _signature(words)
    if words.accept("OWNER", "TO"):
        return None
    if words.accept("RENAME", "TO"):
        new = words.name()
        words.end()
        return Read("ALTER FUNCTION", AlterClientFunction(signature, rename=new))
    if words.accept("SET", "SCHEMA"):
        new = words.name()
        words.end()
        return Read("ALTER FUNCTION", AlterClientFunction(signature, schema=new))
    traits: Traits = {}
    while words.token is not None and not words.accept("RESTRICT"):
        trait = next((one for one in _TRAITS if words.accept(*one[0])), None)
        if trait is not None:
            traits[trait[1]] = trait[2]
        elif word := words.accept_any("COST", "ROWS"):
            traits[word.lower()] = words.step().text
        elif words.word in ("SET", "RESET", "SUPPORT", "DEPENDS", "NO"):
            raise _refused(words, f"ALTER FUNCTION ... {words.word}", None)
        else:
            raise words.fail()
    words.end()
    if not traits:
        raise words.fail()
    changed = AlterClientFunction(signature, traits=tuple(sorted(traits.items())))
    return Read("ALTER FUNCTION", changed)


def comment_on(words: Words) -> Read | None:
    if words.word_at(2) != "FUNCTION":
        return None
    words.expect("COMMENT", "ON", "FUNCTION")
    signature = _signature(words)
    words.expect("IS")
    said = None if words.accept("NULL") else words.string()
    words.end()
    return Read("COMMENT", AlterClientFunction(signature, commented=True, comment=said))


READERS: dict[str, Callable[[Words], Read | None]] = {
    "CREATE FUNCTION": create_function,
    "DROP FUNCTION": drop_function,
    "ALTER FUNCTION": alter_function,
    "COMMENT": comment_on,
}
"""Leading word, or two -> reader; for Postgres's dialect."""


def read(text: str, piece: Slice, phrase: str) -> Read | None:
    """What a statement that begins so does; None where other readers are to judge. Raises SqlError."""
    reader = READERS.get(phrase)
    return None if reader is None else reader(Words(text, piece.tokens))
