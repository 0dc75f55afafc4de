"""Names and texts as SQL writes them, for statements of our own.

Why it exists: a name or a text that was not written so may become another one, or a part of the statement.
"""

from __future__ import annotations


def quoted(*names: str) -> str:
    """A name of one or several parts."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped_literal(text: str) -> str:
    """One that means the same to Postgres whatever `standard_conforming_strings` says."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
