"""How a plan is made: split, read, route, rewrite.

`plan_message` splits; `_plan` tries the readers of statements that need no tree (`by_words`,
`administration`, `utility`) by the leading words; what is left is parsed (`grammars`), and
`parsed` makes its plan. The further stages have files of their own: `several` for what takes more than
one step, `route` for who answers, `writing` for DuckDB's SQL.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql import administration, by_words, parsed, traces
from proxy.sql.by_words import in_session
from proxy.sql.changes import with_writes
from proxy.sql.changes.joined_returning import as_one
from proxy.sql.classify import Slice, split
from proxy.sql.compound import Chain, WithWrites
from proxy.sql.control_plane import name_set
from proxy.sql.copying import read_copy
from proxy.sql.definitions import altered_sequences, creating_or_altering, materialized
from proxy.sql.definitions.create_as import until_commit
from proxy.sql.definitions.dropping import each_dropped
from proxy.sql.federated import ANALYZE, ANALYZE_JSON, EXPLAIN, EXPLAIN_JSON
from proxy.sql.functions import client_functions, routines
from proxy.sql.long_names import long_names
from proxy.sql.postgres import upkeep as postgres_upkeep
from proxy.sql.reading import (
    PLAIN_SNOWFLAKE,
    POSTGRES,
    READERS,
    SNOWFLAKE,
    Reader,
    SyntaxFailure,
    at_or_near,
)
from proxy.sql.session_actions import CopyStatement
from proxy.sql.snowflake import accepted, altered_keys, flow, rights, stage_statements
from proxy.sql.snowflake.show import is_show, read_describe, read_show, statement
from proxy.sql.snowflake.spelling import is_named_by_variable, respelled, written
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.utility import PARSERS, Utility
from proxy.sql.words import Words
from proxy.sql.writing import is_snowflake


def plan_message(text: str, dialect: Dialect) -> tuple[Statement, ...]:
    """The statements of a message, in order; () if it holds none.

    Raises SqlError 42601 for what cannot be read, 54001 for what is nested too deep.
    """
    reader = READERS[dialect.name if dialect.transpile else "duckdb"]
    if reader is SNOWFLAKE and not dialect.backslashes:
        reader = PLAIN_SNOWFLAKE
    if reader is POSTGRES:
        tokens = reader.tokenize(text)
        if (cut := long_names(text, tokens)) is not None:
            made = _plan_all(cut.text, dialect, reader)
            told = {"notice": cut.notice, "notice_code": "42622"}
            return tuple([one if one.notice else replace(one, **told) for one in made])
        return _plan_all(text, dialect, reader, tokens)
    try:
        return _plan_all(text, dialect, reader, reader.tokenize(text))
    except SyntaxFailure as failure:
        # Postgres's comments nest and its backslashes are plain: where that moves the ends of
        # statements, the message may still be good Postgres.
        again = _tokens_as_postgres(text)
        if again is None:
            raise
        try:
            return _plan_all(text, dialect, POSTGRES, again)
        except SyntaxFailure:
            raise failure from None


def _tokens_as_postgres(text: str) -> list[Token] | None:
    try:
        return POSTGRES.tokenize(text)
    except SyntaxFailure:
        return None


def _plan_all(
    text: str, dialect: Dialect, reader: Reader, tokens: list[Token] | None = None
) -> tuple[Statement, ...]:
    tokens = reader.tokenize(text) if tokens is None else tokens
    slices = split(tokens, text, scripting=is_snowflake(dialect))
    if len(slices) == 1:
        return (_plan(text, slices[0], dialect, reader),)
    return tuple([_plan(text, piece, dialect, reader) for piece in slices])


def _plan(text: str, piece: Slice, dialect: Dialect, reader: Reader) -> Statement:
    if is_snowflake(dialect) and "IDENTIFIER" in piece.said and is_named_by_variable(piece.tokens):
        return replace(_plan_of(text, piece, dialect, reader), varies=True)
    return _plan_of(text, piece, dialect, reader)


def _plan_of(text: str, piece: Slice, dialect: Dialect, reader: Reader) -> Statement:
    if is_snowflake(dialect) and not piece.block:  # a block's statements are planned by themselves
        if "->>" in piece.said and (chain := flow.links(text, piece.tokens)):
            return in_session(text, piece, Utility("CALL", action=Chain(chain)))
        given = piece.tokens
        try:
            piece.tokens = respelled(given, piece.said, dialect.variables)
        except SqlError as error:
            return in_session(text, piece, Utility(piece.tokens[0].text.upper(), refused=error))
        if given is not piece.tokens and given[0].text.upper() in ("GRANT", "REVOKE"):
            # Postgres is given words of the text: those that IDENTIFIER(...) stands for.
            [made] = _plan_all(written(piece.tokens), dialect, reader)
            return replace(made, text=text[piece.start : piece.end], start=piece.start)
        if "PROCEDURE" in piece.said and routines.is_call_with(piece.tokens):
            words = Words(text, piece.tokens)
            called = by_words.of_routine(text, piece, routines.call_with, words)
            if called is not None:
                return called
    if piece.block:
        return by_words.of_block(text, piece)
    of_postgres = dialect.name == "postgres"
    if reader is POSTGRES and of_postgres and piece.tokens[0].text.upper() == "WITH":
        parts = with_writes.plan(text, piece, lambda one: _plan_all(one, dialect, reader)[0])
        if parts is not None:
            return parts
    if piece.tokens[0].text.upper() not in _READ_BY_WORDS:
        return parsed.plan(text, piece, dialect, reader)
    words = Words(text, piece.tokens, session_variables=is_snowflake(dialect))
    first, phrase = administration.leading_words(words)
    defines = of_postgres and phrase in client_functions.READERS
    if defines and (function := by_words.of_function(text, piece, phrase)) is not None:
        return function
    if is_snowflake(dialect):
        if (decided := accepted.read(words)) is not None:
            return by_words.of_accepted(text, piece, decided)
        staged = stage_statements.reader(words, phrase)
        if staged is not None:
            return by_words.of_stage(text, piece, staged, words)
        if (granted := rights.read(words)) is not None:
            return by_words.of_rights(text, piece, granted)
        if phrase == "ALTER TABLE":
            try:
                edited = altered_keys.read(text, piece)
            except SqlError as error:
                return in_session(text, piece, Utility(phrase, refused=error))
            if edited is not None:
                return edited
    elif of_postgres and (granted := rights.read_postgres(words)) is not None:
        return by_words.of_rights(text, piece, granted)
    elif of_postgres and (kept := postgres_upkeep.READERS.get(phrase)) is not None:
        if (judgement := kept(words)) is not None:
            return _judged(text, piece, judgement)
        words = Words(text, piece.tokens)
    elif of_postgres and (known := materialized.READERS.get(phrase)) is not None:
        statement = by_words.of_routine(text, piece, known, words)
        if statement is not None:
            return statement
        words = Words(text, piece.tokens)
    if of_postgres and phrase in _ONE_BY_ONE and _names_several(piece):
        return in_session(text, piece, each_dropped(text, piece, phrase))
    drops = of_postgres and phrase == "DROP PROCEDURE" and "(" in piece.said
    if of_postgres and first == "CREATE" and "COMMIT" in piece.said:
        until = until_commit(text, piece)
        if until is not None:
            return in_session(text, piece, until)
    routine = _ROUTINES.get(phrase) if is_snowflake(dialect) or drops else None
    if routine is not None:
        statement = by_words.of_routine(text, piece, routine, words)
        if statement is not None:
            return statement
        words = Words(text, piece.tokens, session_variables=is_snowflake(dialect))
    special = _SPECIAL.get(first)
    if special is not None:
        return special(text, piece, dialect, reader, words)
    parser = PARSERS.get(phrase) or PARSERS.get(first)
    if parser is not None:
        return in_session(text, piece, parser(words))
    read = administration.READERS.get(phrase) or administration.READERS.get(first)
    if read is not None:
        judgement = read(words)
        if judgement is not None:
            return _judged(text, piece, judgement)
    return parsed.plan(text, piece, dialect, reader)


def _names_several(piece: Slice) -> bool:
    return any(token.token_type == TokenType.COMMA for token in piece.tokens)


def _judged(text: str, piece: Slice, judgement: administration.Judgement) -> Statement:
    return Statement(
        Route(judgement.engine),
        judgement.kind,
        text[piece.start : piece.end],
        piece.start,
        sql=judgement.sql,
        tag=judgement.kind,
        writes=judgement.writes,
        ddl=judgement.ddl,
        refused=judgement.refused,
        trace=traces.of_kind(judgement.kind),
        touched=judgement.touched,
        relayed=judgement.relayed,
        action=judgement.action,
    )


_ONE_BY_ONE = frozenset({"DROP SCHEMA", "DROP INDEX", "DROP TYPE"})
_ROUTINES = {
    **routines.READERS,
    "ALTER SEQUENCE": altered_sequences.alter_sequence,
    "CREATE TABLE": creating_or_altering.create_or_alter_table,
}


def _copy(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    utility = read_copy(words)
    statement = in_session(text, piece, utility)
    action = utility.action
    if not isinstance(action, CopyStatement):
        return statement
    writes = action.direction == "FROM"
    if action.table is not None:
        if administration.is_control_relation(action.table):
            return replace(
                statement,
                route=Route.POSTGRES,
                action=None,
                writes=writes,
                trace=traces.Trace.NOTHING,
            )
        *schema, table = action.table
        if schema and schema[-1] == "public":
            action = replace(action, table=(*schema[:-1], "main", table))
        return replace(statement, route=Route.DUCKDB, action=action, writes=writes)
    bracketed = _bracketed(piece)
    if is_snowflake(dialect):
        bracketed.tokens = respelled(bracketed.tokens, piece.said, dialect.variables)
    first = bracketed.tokens[0] if bracketed.tokens else None
    if first is not None and first.text.upper() == "TABLE":
        inner = _table(text, bracketed, dialect, reader, words)
    else:
        inner = as_one(parsed.plan(text, bracketed, dialect, reader))
    if inner.route is Route.POSTGRES:
        return replace(
            statement,
            route=Route.POSTGRES,
            action=None,
            writes=inner.writes,
            trace=inner.trace,
            sets=inner.sets,
        )
    if inner.kind not in _COPIED:
        raise at_or_near(text, first)
    refused = inner.refused
    if inner.route is Route.SESSION and refused is None:
        refused = SqlError("0A000", "COPY of a statement that takes several steps")
    if inner.locks is not None and refused is None:
        refused = SqlError("0A000", "COPY of a query that locks rows")
    if inner.parameters and refused is None:
        refused = SqlError("42P02", f"there is no parameter ${inner.parameters}")
    action = replace(action, query=inner.sql)
    return replace(
        statement,
        route=Route.DUCKDB,
        action=action,
        sql=inner.sql,
        writes=inner.writes,
        refused=statement.refused or refused,
        federated=inner.federated,
        needs=inner.needs,
        varies=inner.varies,
        typed=inner.typed,
        typed_over=inner.typed_over,
        typed_by=inner.typed_by,
    )


_COPIED = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})


def _bracketed(piece: Slice) -> Slice:
    """The statement within the first brackets of `piece`."""
    tokens = piece.tokens
    start = next(i for i, token in enumerate(tokens) if token.token_type == TokenType.L_PAREN)
    depth = 0
    for index in range(start, len(tokens)):
        kind = tokens[index].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            inner = tokens[start + 1 : index]
            return replace(
                piece, tokens=inner, start=tokens[start].end + 1, end=tokens[index].start
            )
    raise AssertionError("brackets were matched when COPY was read")


_EXPLAIN_OPTIONS = name_set(
    "analyze verbose costs settings generic_plan buffers serialize wal timing summary memory"
)


def _explain(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    words.step()
    analyze, layout = False, ""
    if words.word == "(" and words.word_at(1) not in ("SELECT", "WITH", "(", "VALUES"):
        for option in words.list_in_brackets():
            name, _, value = option.partition(" ")
            on = value.strip().lower() not in ("off", "false", "0")
            if name.lower() == "format":
                layout = value.strip().lower()
            elif name.lower() == "analyze":
                analyze = on
            elif name.lower() not in _EXPLAIN_OPTIONS:
                raise SqlError("42601", f'unrecognized EXPLAIN option "{name}"')
    elif words.accept("USING"):
        layout = words.name()
    else:
        analyze = bool(words.accept_any("ANALYZE", "ANALYSE"))
        words.accept("VERBOSE")
    if words.token is None:
        raise words.fail()
    rest = [token for token in piece.tokens if token.start >= words.token.start]
    inner = as_one(_plan(text, replace(piece, tokens=rest, start=rest[0].start), dialect, reader))
    if isinstance(inner.action, WithWrites):
        joins = f"{inner.kind} whose RETURNING names what it joins"
        what = "WITH that changes analytical tables" if inner.action.steps else joins
        message = f"EXPLAIN of {what} is not supported"
        inner = replace(inner, refused=SqlError("0A000", message))
    whole = replace(
        inner,
        kind="EXPLAIN",
        text=text[piece.start : piece.end],
        start=piece.start,
        tag="EXPLAIN",
        action=None,
        writes=analyze and inner.writes,
        ddl=False,
        touched=inner.touched if analyze else (),
    )
    if inner.route not in (Route.DUCKDB, Route.FEDERATED):
        return whole
    if inner.sql == "" and inner.refused is None:
        raise at_or_near(text, rest[0])
    plainly, as_json = (ANALYZE, ANALYZE_JSON) if analyze else (EXPLAIN, EXPLAIN_JSON)
    return replace(whole, sql=f"{as_json if layout == 'json' else plainly}{inner.sql}")


def _table(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    """`TABLE t` is `SELECT * FROM t`."""
    at = piece.tokens[0]
    spelled = [(TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM")]
    tokens = [Token(kind, word, at.line, at.col, at.start, at.end) for kind, word in spelled]
    return parsed.plan(text, replace(piece, tokens=tokens + piece.tokens[1:]), dialect, reader)


def _show(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    if is_snowflake(dialect) and is_show(words):
        return statement(text, piece, read_show(words, dialect.database), "SHOW")
    return in_session(text, piece, PARSERS["SHOW"](words))


def _describe(text: str, piece: Slice, dialect: Dialect, reader: Reader, words: Words) -> Statement:
    asked = read_describe(words, dialect.database) if is_snowflake(dialect) else None
    if asked is None:
        return parsed.plan(text, piece, dialect, reader)
    return statement(text, piece, asked, "DESCRIBE")


_SPECIAL = {
    "COPY": _copy,
    "EXPLAIN": _explain,
    "TABLE": _table,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
}

_READ_BY_WORDS = frozenset(
    phrase.partition(" ")[0]
    for phrases in (
        _SPECIAL,
        PARSERS,
        accepted.VERBS,
        administration.READERS,
        routines.READERS,
        materialized.READERS,
        stage_statements.VERBS,
    )
    for phrase in phrases
)
"""How the statements begin that one of these readers may know. All others have a tree."""
