"""ALTER TABLE about keys, in words that sqlglot does not know, as edits of the table.

Why it exists: Snowflake names a key by its kind and columns as well as by its name: DROP PRIMARY KEY, DROP
UNIQUE (a), MODIFY FOREIGN KEY (a) RELY. What may be said of a key afterwards (RELY, NOT ENFORCED,
NOVALIDATE) changes nothing here, so it only has to be there; ENFORCED and VALIDATE, which Snowflake
cannot set either, are refused.
"""

from __future__ import annotations

from sqlglot.tokens import Token

from proxy.errors import SqlError
from proxy.sql.classify import Slice
from proxy.sql.definitions.alter_forms import Reading, of_edits
from proxy.sql.definitions.edits import DropKey, Edit, FindKey, ValidateConstraint
from proxy.sql.statement import Statement

_KINDS = (("PRIMARY", "KEY"), ("UNIQUE",), ("FOREIGN", "KEY"))
_WITHOUT_EFFECT = (("NOT", "ENFORCED"), ("NOVALIDATE",), ("NORELY",), ("RELY",))
_NOT_SET = (("ENFORCED",), ("VALIDATE",))


def read(text: str, piece: Slice) -> Statement | None:
    """The plan of such a statement; None for all others. Raises SqlError 0A000 for what cannot be set."""
    reading = Reading(piece.tokens)
    if not reading.words("ALTER", "TABLE"):
        return None
    exists = reading.words("IF", "EXISTS")
    name = reading.names()
    if name is None:
        return None
    edit = None
    if reading.words("DROP"):
        edit = _dropped(reading)
    elif reading.words("ALTER") or reading.words("MODIFY"):
        edit = _modified(reading, piece.tokens)
    if edit is None or not reading.ended:
        return None
    return of_edits(text, piece, name, (edit,), exists)


def _key(reading: Reading) -> tuple[str, tuple[str, ...]] | None:
    kind = next((words for words in _KINDS if reading.words(*words)), None)
    if kind is None:
        return None
    columns = reading.columns()
    if columns is None or (not columns and kind != _KINDS[0]):
        return None
    return " ".join(kind), columns


def _dropped(reading: Reading) -> Edit | None:
    key = _key(reading)
    if key is None:
        return None
    reading.words("CASCADE") or reading.words("RESTRICT")
    return DropKey(*key)


def _modified(reading: Reading, tokens: list[Token]) -> Edit | None:
    edit: Edit | None = None
    if reading.words("CONSTRAINT"):
        name = reading.name()
        edit = ValidateConstraint(name) if name else None
    elif (key := _key(reading)) is not None:
        edit = FindKey(*key)
    if edit is None:
        return None
    while not reading.ended:
        if any(reading.words(*words) for words in _NOT_SET):
            hint = "Keys are enforced as they were when the table was made: hatidata.enforce_keys."
            message = "setting ENFORCED or VALIDATE of a key is not supported"
            raise SqlError("0A000", message, hint=hint, position=tokens[0].start + 1)
        if not any(reading.words(*words) for words in _WITHOUT_EFFECT):
            return None
    return edit
