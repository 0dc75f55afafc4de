"""nextval and currval are DuckDB's, however a sequence is named.

A sequence's numbers are DuckDB's alone: the one in the mirror never counts, so Postgres must not be
asked for its next value. `nextval('s'::regclass)`, which casts as only Postgres can, is therefore
`nextval('s')`; a name that starts with `public` is one of `main`'s, also where the name is the
answer of `pg_get_serial_sequence`. What DuckDB cannot do with a sequence is refused by its name.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.listing import Listing
from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB, position_of

NUMBERS = frozenset({"nextval", "currval"})
"""The functions of sequences that DuckDB has."""

REFUSED = {
    "setval": "ALTER TABLE ... ALTER COLUMN ... SET DEFAULT nextval(...) of a new sequence.",
    "lastval": "INSERT ... RETURNING gives the number that a row was given.",
}


def refusal(name: str, node: exp.Expr) -> SqlError | None:
    """Why a function of sequences cannot be called; None for all others. name: in lower case."""
    hint = REFUSED.get(name)
    if hint is None:
        return None
    return SqlError("0A000", f"{name} is not supported", hint=hint, position=position_of(node))


def name_for_duckdb(nodes: Listing) -> bool:
    """Puts the names of sequences as DuckDB has them, in place; whether any was changed."""
    changed = False
    for node in nodes.of(exp.Anonymous):
        this = node.args["this"]
        if not isinstance(this, str) or this.lower() not in NUMBERS or len(node.expressions) != 1:
            continue
        (given,) = node.expressions
        plain = given
        while isinstance(plain, (exp.Cast, exp.Paren)):
            plain = plain.this
        if isinstance(plain, exp.Literal) and plain.is_string:
            plain = exp.Literal.string(_in_duckdb(plain.this))
        elif isinstance(plain, exp.Anonymous):
            prefix, other = (exp.Literal.string(text) for text in (r'^"?public"?\.', "main."))
            plain = exp.Anonymous(this="regexp_replace", expressions=[plain, prefix, other])
        if plain != given:
            node.set("expressions", [plain])
            changed = True
    return changed


def _in_duckdb(name: str) -> str:
    tokens = DUCKDB.tokenize(name)
    parts = [
        token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()
        for token in tokens
        if token.token_type != TokenType.DOT
    ]
    if len(parts) < 2 or parts[-2] != "public":
        return name
    return quoted("main", parts[-1])
