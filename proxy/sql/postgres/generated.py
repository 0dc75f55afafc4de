"""GENERATED ALWAYS AS (...) STORED in Postgres's dialect: DuckDB's generated column.

DuckDB computes such a column when it is read, and once when a row is written, to see that it can. An
expression that gives the same for the same row, as Postgres asks for, makes no difference between
that and a column that is stored. What DuckDB has not of them - keys, checks, NOT NULL - is refused.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.control_plane import name_set
from proxy.sql.reading import DUCKDB, position_of, write_duckdb

_VOLATILE = name_set(
    """
    random rand setseed uuid uuidv4 uuidv7 gen_random_uuid nextval currval lastval now today age timeofday
    transaction_timestamp statement_timestamp clock_timestamp get_current_timestamp get_current_time
    txid_current current_setting getvariable
    """
)
_NOW = name_set(
    """
    current_date current_time current_timestamp localtime localtimestamp current_user session_user
    current_role user
    """
)


def generated(node: exp.ComputedColumnConstraint) -> None:
    """Writes the expression as DuckDB reads it. Raises SqlError 42P17, 0A000."""
    column = node.find_ancestor(exp.ColumnDef)
    assert column is not None
    if node.this.find(exp.Query) is not None:
        raise SqlError("0A000", "cannot use subquery in column generation expression")
    tokens = DUCKDB.own_tokens(write_duckdb(node.this))
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        called = after is not None and after.token_type == TokenType.L_PAREN
        name = token.text.lower()
        if name in _NOW or (called and name in _VOLATILE):
            raise SqlError("42P17", "generation expression is not immutable")
    others = [one.args.get("kind") for one in column.args.get("constraints") or ()]
    if any(other is not node and other is not None for other in others):
        raise _unable("a constraint on a generated column", column)
    kind = column.args.get("kind")
    if isinstance(kind, exp.DataType) and kind.expressions and kind.this in exp.DataType.TEXT_TYPES:
        raise _unable("a length of a generated column", column)
    if not isinstance(node.this, exp.Paren):
        node.set("this", exp.Paren(this=node.this))


def _unable(what: str, column: exp.ColumnDef) -> SqlError:
    message = f"{what} is not supported on analytical tables"
    return SqlError("0A000", message, position=position_of(column.this))
