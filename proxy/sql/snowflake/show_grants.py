"""SHOW GRANTS in its forms, as questions to Postgres, which keeps the rights (catalog/sql/8_privileges.sql).

Each reads what stands behind the word GRANTS, up to LIMIT.
"""

from __future__ import annotations

from proxy.errors import SqlError
from proxy.sql.quoting import literal, quoted
from proxy.sql.snowflake.one_database import check_database
from proxy.sql.words import Words

_GRANTED = """
SELECT CAST(NULL AS timestamptz) AS created_on, privilege, kind AS granted_on, {name} AS name,
       hatidata_catalog._role_kind(grantee) AS granted_to,
       hatidata_catalog.told_name(grantee) AS grantee_name,
       CASE WHEN grantable THEN 'true' ELSE 'false' END AS grant_option,
       hatidata_catalog.told_name(grantor) AS granted_by
FROM {source} g WHERE {condition} ORDER BY granted_on, name, privilege, grantee_name
"""
_NAMED = "concat_ws('.', {database}, CASE WHEN kind NOT IN ('SCHEMA', 'DATABASE') THEN schema END, CASE WHEN kind <> 'DATABASE' THEN name END)"
_WITH_ROLES = """
(SELECT kind, {name} AS name, privilege, grantee, grantor, grantable FROM hatidata_catalog.privileges
 UNION ALL
 SELECT 'ROLE', role, 'USAGE', grantee, grantor, grantable FROM hatidata_catalog.role_grants)
"""
_OF_ROLE = """
(SELECT 'ROLE' AS kind, role AS name, 'OWNERSHIP' AS privilege, grantee, grantor, true AS grantable
 FROM hatidata_catalog.role_grants WHERE grantable AND role = {role})
"""
_ROLES_GRANTED = """
SELECT CAST(NULL AS timestamptz) AS created_on, role, hatidata_catalog._role_kind(grantee) AS granted_to,
       hatidata_catalog.told_name(grantee) AS grantee_name, hatidata_catalog.told_name(grantor) AS granted_by
FROM hatidata_catalog.role_grants WHERE {condition} ORDER BY role, grantee_name
"""
_FUTURE = """
SELECT CAST(NULL AS timestamptz) AS created_on, privilege, kind AS grant_on,
       concat_ws('.', {database}, nullif(schema, ''), '<' || kind || '>') AS name,
       hatidata_catalog._role_kind(grantee) AS grant_to,
       hatidata_catalog.told_name(grantee) AS grantee_name,
       CASE WHEN grantable THEN 'true' ELSE 'false' END AS grant_option
FROM hatidata_catalog.future_privileges WHERE {condition} ORDER BY name, privilege, grantee_name
"""


def grants(words: Words, database: str) -> str:
    """Raises SqlError 42601, 3D000, and 0A000 for what has no rights here. database: the client's name of it."""
    if words.accept("ON"):
        return _granted_on(words, database)
    if words.accept("OF"):
        if not words.accept("ROLE"):
            raise SqlError("0A000", f"SHOW GRANTS OF {words.word} is not supported")
        return _ROLES_GRANTED.format(condition=f"role = {literal(words.name())}")
    if not words.accept("TO"):
        return _ROLES_GRANTED.format(condition="grantee = CAST(current_user AS regrole)")
    kind = words.word if words.word_at(1) not in ("", "LIMIT") else ""
    if kind not in ("", "ROLE", "USER"):
        raise SqlError("0A000", f"SHOW GRANTS TO {kind} is not supported")
    words.accept_any("ROLE", "USER")
    role = _role(words.name())
    if kind == "USER":
        return _ROLES_GRANTED.format(condition=f"grantee = {role}")
    name = _NAMED.format(database=literal(database))
    source = _WITH_ROLES.format(name=name)
    return _GRANTED.format(name="name", source=source, condition=f"grantee = {role}")


def _role(name: str) -> str:
    """The number of a role, as Postgres's SQL; PUBLIC has none."""
    return "0" if name.lower() == "public" else f"CAST({literal(quoted(name))} AS regrole)"


def _granted_on(words: Words, database: str) -> str:
    source, named = "hatidata_catalog.privileges", _NAMED.format(database=literal(database))
    if words.accept("ACCOUNT"):  # there are no rights on it
        return _GRANTED.format(name=named, source=source, condition="false")
    kind = words.accept_any("TABLE", "VIEW", "SCHEMA", "SEQUENCE", "DATABASE", "ROLE")
    if not kind:
        message = f"SHOW GRANTS ON {words.word} is not supported"
        raise SqlError(
            "0A000", message, hint="Relations, schemas, roles and the database have some."
        )
    name = words.dotted()
    if kind == "ROLE":
        source, named = _OF_ROLE.format(role=literal(name[-1])), "name"
        condition = f"grantee <> CAST({literal(quoted(name[-1]))} AS regrole)"
        return _GRANTED.format(name=named, source=source, condition=condition)
    if len(name) == {"DATABASE": 1, "SCHEMA": 2}.get(kind, 3):
        check_database(name[0], database)
        name = name[1:]
    path = quoted(
        *("public" if n < len(name) - 1 and p == "main" else p for n, p in enumerate(name))
    )
    if kind == "DATABASE":
        condition = "kind = 'DATABASE'"
    elif kind == "SCHEMA":
        schema = literal(quoted("public" if name[-1] == "main" else name[-1]))
        condition = f"kind = 'SCHEMA' AND schema_id = CAST({schema} AS regnamespace)"
    else:
        condition = f"relation = CAST({literal(path)} AS regclass)"
    return _GRANTED.format(name=named, source=source, condition=condition)


def future_grants(words: Words, database: str) -> str:
    """As `grants`, of what is yet to be made."""
    if words.accept("TO"):
        if not words.accept("ROLE"):
            raise SqlError("0A000", f"SHOW FUTURE GRANTS TO {words.word} is not supported")
        condition = f"grantee = {_role(words.name())}"
    else:
        words.expect("IN")
        kind = words.accept_any("SCHEMA", "DATABASE")
        if not kind:
            raise words.fail()
        name = words.dotted()
        if len(name) == (2 if kind == "SCHEMA" else 1):
            check_database(name[0], database)
        schema = "public" if name[-1] == "main" else name[-1]
        condition = f"schema = {literal(schema)}" if kind == "SCHEMA" else "schema = ''"
    return _FUTURE.format(database=literal(database), condition=condition)
