"""Plans of statements that are read by their words, without a syntax tree.

What the session does itself, what concerns Snowflake's cloud, stages, blocks of Snowflake Scripting
and routines: each has a reader of its own, whose finding becomes a `Statement` here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from proxy.errors import SqlError
from proxy.sql import traces
from proxy.sql.classify import Slice, highest_parameter
from proxy.sql.compound import RunBlock
from proxy.sql.definitions.touched import Touched
from proxy.sql.functions import client_functions, routines
from proxy.sql.reading import at_or_near
from proxy.sql.scripting.reader import read_block
from proxy.sql.snowflake import accepted, rights, stage_statements
from proxy.sql.statement import Route, Statement
from proxy.sql.utility import Utility
from proxy.sql.words import Words


def in_session(text: str, piece: Slice, utility: Utility) -> Statement:
    """A statement that the session itself answers."""
    return Statement(
        Route.SESSION,
        utility.kind,
        text[piece.start : piece.end],
        piece.start,
        action=utility.action,
        tag=utility.tag,
        refused=utility.refused,
    )


def of_accepted(text: str, piece: Slice, decided: accepted.Accepted) -> Statement:
    """A statement about Snowflake's cloud, for which nothing is done but to keep a comment."""
    return Statement(
        Route.DUCKDB,
        decided.kind,
        text[piece.start : piece.end],
        piece.start,
        sql=decided.sql,
        tag=decided.kind,
        ddl=True,
        touched=()
        if decided.said is None
        else (Touched(decided.said[0], schema_comment=decided.said[1]),),
        refused=decided.refused,
        notice=decided.notice,
    )


def of_rights(text: str, piece: Slice, decided: rights.Decided) -> Statement:
    """A statement about roles and rights: Postgres's in other words, or one that is kept nowhere."""
    if decided.relayed is None:
        return of_accepted(text, piece, accepted.Accepted(*decided[:3]))
    return Statement(
        Route.POSTGRES,
        decided.kind,
        text[piece.start : piece.end],
        piece.start,
        tag=decided.kind,
        writes=True,
        trace=traces.of_kind(decided.kind),
        relayed=decided.relayed,
    )


def of_block(text: str, piece: Slice) -> Statement:
    """A block of Snowflake Scripting."""
    try:
        block, length = read_block(text, piece.tokens)
    except SqlError as error:
        if error.sqlstate != "0A000":
            raise
        return in_session(text, piece, Utility(piece.block, refused=error))
    if length < len(piece.tokens):
        raise at_or_near(text, piece.tokens[length])
    return in_session(text, piece, Utility("CALL", action=RunBlock(block)))


def of_stage(
    text: str, piece: Slice, read: Callable[[Words], stage_statements.Read], words: Words
) -> Statement:
    """A statement about stages or file formats."""
    try:
        found = read(words)
    except SqlError as error:
        if error.sqlstate == "42601":
            raise
        return in_session(text, piece, Utility(piece.tokens[0].text.upper(), refused=error))
    statement = in_session(text, piece, Utility(found.kind, found.tag, found.action))
    return replace(statement, writes=found.writes)


def of_function(text: str, piece: Slice, phrase: str) -> Statement | None:
    """A statement about functions in Postgres's dialect; None where other readers are to judge."""
    try:
        found = client_functions.read(text, piece, phrase)
    except SqlError as error:
        if error.sqlstate == "42601":
            raise
        return in_session(text, piece, Utility(phrase, refused=error))
    if found is None:
        return None
    statement = in_session(text, piece, Utility(found.kind, action=found.action))
    return replace(statement, writes=True)


def of_routine(
    text: str, piece: Slice, read: Callable[[Words], routines.Read], words: Words
) -> Statement | None:
    """CREATE FUNCTION and its kin; None where other readers are to judge."""
    try:
        found = read(words)
    except SqlError as error:
        if error.sqlstate != "0A000":
            if piece.tokens[0].text.upper() == "CREATE":
                return None  # another grammar's CREATE FUNCTION, which sqlglot may read
            raise
        return in_session(text, piece, Utility(words.text[piece.start :].split()[0], refused=error))
    if found is None:
        return None
    kind, action = found
    statement = in_session(text, piece, Utility(kind, action=action))
    parameters = highest_parameter(piece.tokens) if kind == "CALL" else 0
    return replace(statement, writes=True, parameters=parameters)
