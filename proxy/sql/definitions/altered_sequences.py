"""ALTER SEQUENCE as Snowflake writes it. DuckDB alters no sequence: it is made anew where it has come to.

ALTER SEQUENCE s RENAME TO t; [SET] INCREMENT [BY] n; SET ORDER, NOORDER, COMMENT; UNSET COMMENT.
"""

from __future__ import annotations

from proxy.errors import SqlError
from proxy.sql.compound import AlterSequence, CompoundAction
from proxy.sql.words import Words


def alter_sequence(words: Words) -> tuple[str, CompoundAction] | None:
    """None for what is Postgres's own (OWNER TO). Raises 0A000 for other changes."""
    if [word.text.upper() for word in words.tokens[-3:-1]] == ["OWNER", "TO"]:
        return None
    words.expect("ALTER", "SEQUENCE")
    if_exists = words.accept("IF", "EXISTS")
    name = words.dotted()
    rename: tuple[str, ...] = ()
    increment: int | None = None
    comment: str | None = None
    known = True
    if words.accept("RENAME", "TO"):
        rename = words.dotted()
    elif words.accept("UNSET", "COMMENT"):
        comment = ""
    elif words.word in ("SET", "INCREMENT"):
        words.accept("SET")
        while words.token is not None and known:
            if words.accept("INCREMENT"):
                words.accept("BY")
                words.accept("=")
                increment = words.integer()
            elif words.accept("COMMENT"):
                words.expect("=")
                comment = words.string()
            elif not words.accept_any("ORDER", "NOORDER", ","):
                known = False
    if words.token is not None or not known:
        raise SqlError("0A000", "this form of ALTER SEQUENCE is not supported")
    return "ALTER SEQUENCE", AlterSequence(name, if_exists, rename, increment, comment)
