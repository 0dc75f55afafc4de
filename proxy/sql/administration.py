"""Statements about rights, files, extensions and upkeep: who may answer them, and who may not.

They have no syntax tree worth the name, so they are judged by their tokens: by the leading words
and by the names of objects in them. What concerns only the control plane goes to Postgres as it
is, which then speaks for itself; what opens the file system, loads code or reaches another
database from SQL is refused whatever the dialect; upkeep goes to the engine whose tables it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import control_plane, do_blocks, for_postgres
from proxy.sql.control_plane import name_set
from proxy.sql.definitions.touched import EVERYTHING, Touched
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import POSTGRES
from proxy.sql.session_actions import RunDo
from proxy.sql.words import Words


@dataclass(slots=True)
class Judgement:
    """Where a statement goes: `engine` is 'duckdb' or 'postgres'; `sql` is for DuckDB.

    touched: whose definitions it may change. relayed: what Postgres is given in place of the text. action:
    what the session does.
    """

    kind: str
    engine: str = "duckdb"
    sql: str = ""
    refused: SqlError | None = None
    writes: bool = True
    ddl: bool = False
    touched: tuple[Touched, ...] = ()
    relayed: str | None = None
    action: RunDo | None = None


def _names(tokens: list[Token]) -> Iterator[tuple[str, ...]]:
    """Dotted names of two parts and more, folded."""
    parts: list[str] = []
    expecting = True
    for token in tokens:
        kind = token.token_type
        if kind == TokenType.DOT and parts and not expecting:
            expecting = True
            continue
        is_name = kind == TokenType.IDENTIFIER or token.text[:1].isalpha() or token.text[:1] == "_"
        if is_name and expecting and parts:
            parts.append(token.text if kind == TokenType.IDENTIFIER else token.text.lower())
            expecting = False
            continue
        if len(parts) > 1:
            yield tuple(parts)
        parts = []
        expecting = False
        if is_name:
            parts = [token.text if kind == TokenType.IDENTIFIER else token.text.lower()]
    if len(parts) > 1:
        yield tuple(parts)


_BEFORE_NAME = name_set("FROM JOIN INTO UPDATE TABLE ON ONLY SCHEMA VIEW INDEX SEQUENCE")


def concerns_only_control_plane(tokens: list[Token]) -> bool:
    """Whether every object that the tokens name is in a schema of the control plane, one at least.

    For statements that no parser here understands. Unqualified names where a relation may stand
    count as analytical, unless they are a system relation's or a control-plane schema's own.
    """
    bound = _bound_names(tokens)
    found = False
    for parts in _names(tokens):
        if parts[0] in control_plane.CONTROL_SCHEMAS:
            found = True
    for index in range(1, len(tokens)):
        if tokens[index - 1].text.upper() not in _BEFORE_NAME:
            continue
        token = tokens[index]
        name = token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()
        after = tokens[index + 1].token_type if index + 1 < len(tokens) else None
        system = name in control_plane.SYSTEM_RELATIONS and after != TokenType.DOT
        if system or name in control_plane.CONTROL_SCHEMAS:
            found = True
        elif token.text.upper() in _BEFORE_NAME or token.token_type not in _NAME_TOKENS:
            continue
        elif name not in bound and after != TokenType.L_PAREN:
            return False
    return found


def _bound_names(tokens: list[Token]) -> set[str]:
    """Names of common table expressions: `name [(columns)] AS [[NOT] MATERIALIZED] (`."""
    bound = set()
    for index in range(1, len(tokens) - 1):
        if tokens[index].token_type != TokenType.ALIAS:
            continue
        after = tokens[index + 1]
        if after.token_type != TokenType.L_PAREN and after.text.upper() not in _MATERIALIZED:
            continue
        before = index - 1
        if tokens[before].token_type == TokenType.R_PAREN:
            depth = 0
            while before > 0:
                kind = tokens[before].token_type
                depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
                before -= 1
                if depth == 0:
                    break
        name = tokens[before]
        quoted = name.token_type == TokenType.IDENTIFIER
        bound.add(name.text if quoted else name.text.lower())
    return bound


_MATERIALIZED = frozenset({"NOT", "MATERIALIZED"})


_NAME_TOKENS = frozenset({TokenType.IDENTIFIER, TokenType.VAR})


def _to_postgres(words: Words) -> Judgement:
    kind = words.step().text.upper()
    words.rest()
    return Judgement(kind, "postgres")


def _role(words: Words) -> Judgement:
    """ALTER ROLE. Sessions keep their settings themselves and ask no role for what to begin with."""
    kind = words.step().text.upper()
    if any(token.token_type == TokenType.SET for token in words.tokens[2:]):
        words.rest()
        hint = "Give settings with the connection: options=-c name=value."
        return Judgement(
            kind, refused=SqlError("0A000", "ALTER ROLE ... SET is not supported", hint=hint)
        )
    words.rest()
    return Judgement(kind, "postgres")


def _notification(words: Words) -> Judgement:
    kind = words.step().text.upper()
    words.rest()
    return Judgement(kind, "postgres", writes=False)


def _forbidden(sqlstate: str, what: str, hint: str) -> Callable[[Words], Judgement]:
    def read(words: Words) -> Judgement:
        words.rest()
        return Judgement(what, refused=SqlError(sqlstate, f"{what} is not allowed", hint=hint))

    return read


_FILES_HINT = "The server's file system and network are out of a client's reach."
_EXTENSIONS_HINT = "The server loads the extensions it ships with."
_SETTINGS_HINT = "DuckDB's settings belong to the server; SET changes the session's own."


def _unsupported(what: str, hint: str | None = None) -> Callable[[Words], Judgement]:
    def read(words: Words) -> Judgement:
        words.rest()
        return Judgement(what, refused=SqlError("0A000", f"{what} is not supported", hint=hint))

    return read


def _grant(words: Words) -> Judgement:
    kind = words.word
    tokens = words.tokens
    words.rest()
    # On analytical relations they act on what stands for them in Postgres's catalog.
    try:
        return Judgement(kind, "postgres", relayed=for_postgres.rights(tokens, words.text))
    except SqlError as refused:
        return Judgement(kind, refused=refused)


def _owner(words: Words) -> Judgement | None:
    """ALTER ... OWNER TO: a matter of Postgres's catalog, whatever is owned."""
    tokens = words.tokens
    spelled = [token.text.upper() for token in tokens]
    if spelled[-3:-1] != ["OWNER", "TO"]:
        return None
    kind = " ".join(spelled[:2])
    words.rest()
    return Judgement(kind, "postgres", relayed=for_postgres.named_main(tokens, words.text))


def _default_rights(words: Words) -> Judgement | None:
    tokens = words.tokens
    if words.word_at(2) != "PRIVILEGES" or len(tokens) < 4:
        return None
    words.rest()
    kind = "ALTER DEFAULT PRIVILEGES"
    return Judgement(kind, "postgres", relayed=for_postgres.default_rights(tokens, words.text))


def _do(words: Words) -> Judgement:
    tokens = words.tokens
    words.rest()
    bodies = [token for token in tokens if token.token_type in _BODIES]
    if len(bodies) == 1 and _is_postgres_s_alone(bodies[0].text):
        return Judgement("DO", "postgres")
    if len(bodies) == 1 and (block := do_blocks.read(bodies[0].text)) is not None:
        return Judgement("DO", "session", action=block)
    hint = "Its body could touch both engines; send its statements one by one."
    return Judgement("DO", refused=SqlError("0A000", "DO is not supported", hint=hint))


_BODIES = frozenset(
    {TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING, TokenType.NATIONAL_STRING}
)
_ROLES = frozenset({"ROLE", "USER", "GROUP"})


def _is_postgres_s_alone(body: str) -> bool:
    """Whether a block names no relation but the control plane's, and defines nothing but roles."""
    tokens = POSTGRES.own_tokens(body)
    spelled = [token.text.upper() for token in tokens]
    for index, word in enumerate(spelled):
        after = spelled[index + 1] if index + 1 < len(spelled) else ""
        if word in ("CREATE", "ALTER", "DROP") and after not in _ROLES:
            return False
        if word in _UNSEEN:  # what it does is not to be read here
            return False
        if word in ("INTO", "FROM", "JOIN", "USING") and not _is_followed_by_its_own(tokens, index):
            return False
    # With a name that is one of them, the answer is no for the others alone.
    return concerns_only_control_plane(tokens + POSTGRES.own_tokens("; SELECT FROM pg_class"))


def _is_followed_by_its_own(tokens: list[Token], index: int) -> bool:
    """Whether a name with a bracket behind it, which could be a call, is the control plane's."""
    name = tokens[index + 1] if index + 1 < len(tokens) else None
    if name is None or name.token_type not in _NAME_TOKENS:
        return True
    after = tokens[index + 2].token_type if index + 2 < len(tokens) else None
    folded = name.text if name.token_type == TokenType.IDENTIFIER else name.text.lower()
    return after != TokenType.L_PAREN or folded in control_plane.SYSTEM_RELATIONS


_UNSEEN = name_set("EXECUTE COPY TRUNCATE GRANT REVOKE LOCK REFRESH")


def _upkeep_target(words: Words) -> tuple[str, ...] | None:
    """The one table of VACUUM and ANALYZE, after their options; None where none is named."""
    if words.word == "(":
        words.list_in_brackets()
    while words.accept_any("FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"):
        pass
    if words.token is None:
        return None
    table = words.dotted()
    if words.word == "(":
        words.list_in_brackets()
    words.end()
    return table


def _upkeep(words: Words) -> Judgement:
    kind = words.step().text.upper()
    kind = "ANALYZE" if kind == "ANALYSE" else kind
    analyze = kind == "ANALYZE" or words.word in ("ANALYZE", "ANALYSE", "FULL")
    table = _upkeep_target(words)
    if table is None:
        return Judgement(kind, sql=kind, writes=False, touched=EVERYTHING if analyze else ())
    if is_control_relation(table):
        return Judgement(kind, "postgres")
    schema = table[-2] if len(table) > 1 else None
    counted = (Touched(schema, table[-1], kept=True, rows=True),) if analyze else ()
    parts = tuple("main" if part == "public" else part for part in table[:-1]) + table[-1:]
    command = "VACUUM ANALYZE" if kind == "VACUUM" and analyze else kind
    sql = f"{command} {quoted(*parts)}"
    return Judgement(kind, sql=sql, writes=False, touched=counted)


def _order(words: Words) -> Judgement:
    """REINDEX and CLUSTER: DuckDB keeps its indexes and its order itself; what is there is checked."""
    kind = words.word
    tokens = words.tokens
    words.rest()
    relayed = for_postgres.named_main(tokens, words.text)
    return Judgement(kind, "postgres", relayed=relayed)


def is_control_relation(parts: tuple[str, ...]) -> bool:
    """Whether a relation's (folded) name is one of the control plane's."""
    if len(parts) > 1:
        return parts[-2] in control_plane.CONTROL_SCHEMAS
    return parts[0] in control_plane.SYSTEM_RELATIONS


def _checkpoint(words: Words) -> Judgement:
    words.step()
    words.end()
    return Judgement("CHECKPOINT", sql="CHECKPOINT", writes=False)


def _extension(words: Words) -> Judgement | None:
    """CREATE EXTENSION of one whose functions are here anyway; other ones are refused."""
    words.step()
    words.step()
    if words.accept("IF"):
        words.accept("NOT")
        words.accept("EXISTS")
    name = words.name().lower()
    if name not in _THERE_ANYWAY:
        message = f'extension "{name}" is not available'
        return Judgement(_CREATE_EXTENSION, refused=SqlError("0A000", message))
    return Judgement(_CREATE_EXTENSION, sql="SELECT 1 LIMIT 0", writes=False, ddl=True)


_CREATE_EXTENSION = "CREATE EXTENSION"
_THERE_ANYWAY = frozenset({"plpgsql", "uuid-ossp", "pgcrypto"})


def _lock(words: Words) -> Judgement:
    tokens = words.tokens
    words.step()
    words.accept("TABLE")
    words.accept("ONLY")
    table = words.dotted()
    words.rest() if words.token is not None else None
    if is_control_relation(table):
        return Judgement("LOCK TABLE", "postgres", writes=False)
    if [token.text.upper() for token in tokens[-4:]] == ["IN", "ACCESS", "SHARE", "MODE"]:
        # No more than that the table stays while it is read, which a snapshot promises anyway: what
        # is left is to keep its picture in the catalog, which pg_dump is about to read.
        relayed = for_postgres.named_main(tokens, words.text)
        return Judgement("LOCK TABLE", "postgres", writes=False, relayed=relayed)
    hint = "DuckDB runs transactions optimistically: a conflicting one fails with 40001."
    refused = SqlError("0A000", "LOCK TABLE is not supported on analytical tables", hint=hint)
    return Judgement("LOCK TABLE", refused=refused)


_GENERATORS = frozenset({"dbgen", "dsdgen"})


def _call(words: Words) -> Judgement:
    words.step()
    name = words.dotted()
    arguments = words.list_in_brackets() if words.word == "(" else ()
    words.end()
    if name[-1] in control_plane.RUNTIME_FUNCTIONS or name[0] == control_plane.RUNTIME_SCHEMA:
        return Judgement("CALL", "postgres")
    if len(name) == 1 and name[0] in _GENERATORS:
        return Judgement("CALL", sql=f"CALL {name[0]}({', '.join(arguments)})", touched=EVERYTHING)
    refused = SqlError("0A000", "stored procedures are not supported yet")
    return Judgement("CALL", refused=refused)


def _comment(words: Words) -> Judgement | None:
    tokens = words.tokens
    what = words.word_at(2)
    if concerns_only_control_plane(tokens) or what in ("ROLE", "DATABASE", *_SAID_OF_THE_MIRROR):
        words.rest()
        named = what in _SAID_OF_THE_MIRROR
        relayed = for_postgres.named_main(tokens, words.text) if named else None
        return Judgement("COMMENT", "postgres", relayed=relayed)
    ends_in_null = [token.text.upper() for token in tokens[-2:]] == ["IS", "NULL"]
    if what in _COMMENTED and (ends_in_null or tokens[-1].token_type == TokenType.BYTE_STRING):
        return _comment_on_relation(words)
    return None


# Of what Postgres alone can tell about.
_SAID_OF_THE_MIRROR = ("SCHEMA", "CONSTRAINT", "INDEX", "TYPE")
_COMMENTED = frozenset({"TABLE", "VIEW", "COLUMN", "SEQUENCE"})


def _comment_on_relation(words: Words) -> Judgement:
    """COMMENT ON ... IS NULL or E'...', which the grammars do not know."""
    words.expect("COMMENT", "ON")
    kind = words.step().text.upper()
    name = words.dotted()
    words.expect("IS")
    said = "NULL" if words.accept("NULL") else literal(words.string())
    words.end()
    relation = name[:-1] if kind == "COLUMN" else name
    if not relation:
        raise SqlError("42601", "column name must be qualified")
    schema = relation[-2] if len(relation) > 1 else None
    column = name[-1:] if kind == "COLUMN" else ()
    parts = ("main" if schema == "public" else schema,) if schema is not None else ()
    return Judgement(
        "COMMENT",
        sql=f"COMMENT ON {kind} {quoted(*parts, relation[-1], *column)} IS {said}",
        touched=(Touched(schema, relation[-1], deep=True),),
    )


READERS: dict[str, Callable[[Words], Judgement | None]] = {
    "LISTEN": _notification,
    "UNLISTEN": _notification,
    "NOTIFY": _notification,
    "GRANT": _grant,
    "REVOKE": _grant,
    "REASSIGN": _to_postgres,
    "SECURITY": _to_postgres,
    "COMMENT": _comment,
    "CALL": _call,
    "DO": _do,
    "LOCK": _lock,
    "VACUUM": _upkeep,
    "ANALYZE": _upkeep,
    "ANALYSE": _upkeep,
    "CHECKPOINT": _checkpoint,
    "REINDEX": _order,
    "CLUSTER": _order,
    "REFRESH": _unsupported("REFRESH MATERIALIZED VIEW"),
    "IMPORT": _forbidden("42501", "IMPORT DATABASE", _FILES_HINT),
    "EXPORT": _forbidden("42501", "EXPORT DATABASE", _FILES_HINT),
    "ATTACH": _forbidden("42501", "ATTACH", _FILES_HINT),
    "DETACH": _forbidden("42501", "DETACH", _FILES_HINT),
    "INSTALL": _forbidden("42501", "INSTALL", _EXTENSIONS_HINT),
    "LOAD": _forbidden("42501", "LOAD", _EXTENSIONS_HINT),
    "UPDATE EXTENSIONS": _forbidden("42501", "UPDATE EXTENSIONS", _EXTENSIONS_HINT),
    "PRAGMA": _forbidden("42501", "PRAGMA", _SETTINGS_HINT),
    "CREATE SECRET": _forbidden("42501", "CREATE SECRET", _FILES_HINT),
    "DROP SECRET": _forbidden("42501", "DROP SECRET", _FILES_HINT),
    "ALTER DEFAULT": _default_rights,
    "ALTER TABLE": _owner,
    "ALTER VIEW": _owner,
    "ALTER MATERIALIZED": _owner,
    "ALTER FUNCTION": _owner,
    "ALTER SCHEMA": _owner,
    "ALTER SEQUENCE": _owner,
    "ALTER TYPE": _owner,
    "CREATE EXTENSION": _extension,
    "CREATE ROLE": _to_postgres,
    "ALTER ROLE": _role,
    "DROP ROLE": _to_postgres,
    "CREATE USER": _to_postgres,
    "ALTER USER": _role,
    "DROP USER": _to_postgres,
    "CREATE GROUP": _to_postgres,
    "DROP GROUP": _to_postgres,
    "PUT": _unsupported("PUT"),
    "GET": _unsupported("GET"),
    "LIST": _unsupported("LIST"),
    "LS": _unsupported("LS"),
    "REMOVE": _unsupported("REMOVE"),
    "RM": _unsupported("RM"),
    "UNDROP": _unsupported("UNDROP", "What is dropped is gone; there is no time travel."),
    "KILL": _unsupported("KILL"),
    "CACHE": _unsupported("CACHE"),
    "UNCACHE": _unsupported("UNCACHE"),
}
"""Leading word (or two, modifiers such as OR REPLACE left out) -> reader.

A reader may return None: the statement is then parsed like any other.
"""

_MODIFIERS = name_set(
    "OR REPLACE ALTER TEMP TEMPORARY PERSISTENT SECURE TRANSIENT LOCAL GLOBAL VOLATILE"
)


def leading_words(words: Words) -> tuple[str, str]:
    """The first word of a statement, and the first with its object, as in `CREATE SECRET`."""
    first = words.word
    if first not in ("CREATE", "ALTER", "DROP", "UPDATE", "INSERT"):
        return first, first
    ahead = 1
    while words.word_at(ahead) in _MODIFIERS:
        ahead += 1
    return first, f"{first} {words.word_at(ahead)}"
