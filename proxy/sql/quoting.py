"""Names and texts as SQL writes them, for statements of our own.

Why it exists: a name or a text that was not written so may become another one, or a part of the statement.
"""

from __future__ import annotations

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_$")
_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default
    deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int
    integer intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning
    right row select session_user setof similar smallint some substring symmetric
    system_user table tablesample then time timestamp to trailing treat trim true union
    unique user using values varchar variadic verbose when where window with xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
"""
_KEYWORDS = frozenset(_WORDS.split())
"""Postgres's that are no names without quotes."""


def quoted(*names: str) -> str:
    """A name of one or several parts."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped_literal(text: str) -> str:
    """One that means the same to Postgres whatever `standard_conforming_strings` says."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def name_as_needed(name: str) -> str:
    """A name of one part in quotes only where it needs them, as Postgres's messages have it."""
    plain = bool(name) and _PLAIN.issuperset(name) and name[0] not in "0123456789$"
    return name if plain and name not in _KEYWORDS else quoted(name)


def names_listed(names: str) -> list[str]:
    """The names of a list such as search_path's, each in quotes or not."""
    found, rest = list[str](), names.strip()
    while rest:
        if rest[0] == '"':
            end = rest.find('"', 1)
            while end >= 0 and rest[end + 1 : end + 2] == '"':
                end = rest.find('"', end + 2)
            end = len(rest) if end < 0 else end
            name, rest = rest[1:end].replace('""', '"'), rest[end + 1 :]
            rest = rest.partition(",")[2].strip()
        else:
            name, _, rest = (part.strip() for part in rest.partition(","))
        found.append(name)
    return found
