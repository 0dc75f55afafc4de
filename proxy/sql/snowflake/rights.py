"""Roles and rights as Snowflake writes them, said as Postgres does, which keeps both.

Roles without a login are made and dropped by `catalog/sql/7_roles.sql`, since a client may not do so
itself; GRANT ROLE is Postgres's GRANT. Rights on relations, schemas and sequences are those of what
stands for them in Postgres's catalog (`for_postgres.rights`). Rights that nothing here could have
(on warehouses and functions, on what is yet to be made) are taken with a notice, so that a script
runs: nothing enforces any of them on analytical tables.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlglot.tokens import Token

from proxy.errors import SqlError
from proxy.sql.quoting import literal
from proxy.sql.words import Words


class Decided(NamedTuple):
    """kind: the command tag. One of the others: a notice, a refusal, or what Postgres is given."""

    kind: str
    notice: str = ""
    refused: SqlError | None = None
    relayed: str | None = None


_ABSENT = frozenset(
    {
        *("WAREHOUSE", "RESOURCE", "INTEGRATION", "ACCOUNT", "STAGE", "TASK", "PIPE", "STREAM"),
        *(
            "FUNCTION",
            "PROCEDURE",
            "USER",
            "FILE",
            "FILE FORMAT",
            "TAG",
            "MASKING",
            "ROW",
            "FAILOVER",
        ),
        *("REPLICATION", "SHARE", "MODEL", "NOTEBOOK", "SECRET", "EXTERNAL"),
    }
)
_LISTS_ABSENT = frozenset(
    {"FUNCTIONS", "PROCEDURES", "STAGES", "TASKS", "PIPES", "STREAMS", "FILE", "EXTERNAL"}
)
_SNOWFLAKES = frozenset({"USAGE", "OWNERSHIP", "MONITOR", "OPERATE", "MODIFY", "APPLY", "READ"})
_OF_TABLES = frozenset(
    {
        *("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"),
        *("ALL", "ALL PRIVILEGES"),
    }
)
_KEPT_NOWHERE = frozenset(
    {
        *("MONITOR", "MODIFY", "OPERATE", "REBUILD", "APPLYBUDGET", "EVOLVE SCHEMA", "APPLY"),
        *("IMPORTED PRIVILEGES", "ADD SEARCH OPTIMIZATION", "MANAGE GRANTS", "READ", "WRITE"),
    }
)


def read(words: Words) -> Decided | None:
    """What becomes of a statement about roles and rights; None for what is Postgres's as it stands.

    Raises 42601 for a role's statement that is neither's.
    """
    verb = words.word
    if verb in ("GRANT", "REVOKE"):
        return _rights(words, verb)
    if verb in ("CREATE", "DROP"):
        return _role(words)
    return None


def read_postgres(words: Words) -> Decided | None:
    """As `read`, of what Postgres's dialect says about roles that hold rights and do not log in."""
    verb, what = words.word, words.word_at(1)
    if verb == "DROP" and what == "OWNED":
        return _drop_owned(Words(words.text, words.tokens[2:]))
    if verb not in ("CREATE", "DROP") or what not in ("ROLE", "GROUP"):
        return None
    asked = Words(words.text, words.tokens[2:])
    if verb == "CREATE":
        name = asked.name()
        asked.accept("WITH")
        while asked.accept_any(*_WITHOUT_POWER):
            pass
        arguments = f"{literal(name)}, false, false, NULL"
        call = f"CALL hatidata_catalog.create_role({arguments})"
        return None if asked.token is not None else Decided("CREATE ROLE", relayed=call)
    there = asked.accept("IF", "EXISTS")
    call = f"CALL hatidata_catalog.drop_roles({_names(asked)}, {there})"
    asked.end()
    return Decided("DROP ROLE", relayed=call)


def _drop_owned(words: Words) -> Decided | None:
    if not words.accept("BY"):
        return None
    call = f"CALL hatidata_catalog.drop_owned({_names(words)})"
    return Decided("DROP OWNED", relayed=call) if words.token is None else None


def _names(words: Words) -> str:
    names = [words.name()]
    while words.accept(","):
        names.append(words.name())
    return f"ARRAY[{', '.join(map(literal, names))}]"


_WITHOUT_POWER = frozenset(
    {
        *("NOLOGIN", "INHERIT", "NOSUPERUSER", "NOCREATEDB", "NOCREATEROLE", "NOREPLICATION"),
        "NOBYPASSRLS",
    }
)
"""What a role is that clients may make; with anything else it is Postgres's to refuse."""


# --- roles ----------------------------------------------------------------------------------------


def _role(words: Words) -> Decided | None:
    replacing = [words.word_at(i) for i in (1, 2)] == ["OR", "REPLACE"]
    ahead = 3 if replacing else 1
    if words.word_at(ahead) != "ROLE":
        return None
    asked = Words(words.text, words.tokens[ahead + 1 :])
    if words.word == "DROP":
        there = asked.accept("IF", "EXISTS")
        name = asked.name()
        if asked.token is not None:
            return None
        call = f"CALL hatidata_catalog.drop_role({literal(name)}, {there})"
        return Decided("DROP ROLE", relayed=call)
    missing = asked.accept("IF", "NOT", "EXISTS")
    name, comment = asked.name(), "NULL"
    if asked.accept("COMMENT"):
        asked.accept("=")
        comment = literal(asked.string())
    if asked.token is not None:
        if replacing or missing:
            raise asked.fail()
        return None
    arguments = f"{literal(name)}, {missing}, {replacing}, {comment}"
    return Decided("CREATE ROLE", relayed=f"CALL hatidata_catalog.create_role({arguments})")


# --- rights ---------------------------------------------------------------------------------------


def _rights(words: Words, verb: str) -> Decided | None:
    tokens, text = words.tokens, words.text
    spelled = [words.word_at(i) for i in range(len(tokens))]
    if spelled[1:2] == ["ROLE"]:
        return _membership(tokens, spelled, text, verb)
    if spelled[1:3] in (["DATABASE", "ROLE"], ["APPLICATION", "ROLE"]):
        what = f"{verb} {' '.join(spelled[1:3])}"
        return Decided(verb, refused=SqlError("0A000", f"{what} is not supported"))
    if "CALLER" in spelled[1:3] or spelled[1:3] == ["SERVICE", "ROLE"]:
        what = f"{verb} {spelled[1]} {spelled[2] if spelled[1] != 'CALLER' else 'rights'}"
        return Decided(verb, refused=SqlError("0A000", f"{what} is not supported"))
    if "ON" not in spelled:
        return None
    if "SHARE" in spelled[spelled.index("ON") :] and spelled[1] == "PRIVILEGES":
        return Decided(verb, refused=SqlError("0A000", f"{verb} ... TO SHARE is not supported"))
    on = spelled.index("ON")
    after = spelled[on + 1 :]
    for ahead, word in enumerate(spelled[on:-1]):
        if word in ("DATABASE", "APPLICATION") and spelled[on + ahead + 1] == "ROLE":
            what = f"{verb} {spelled[on + ahead - 1]} {word} ROLE"
            hint = "GRANT it to a role: TO ROLE r."
            return Decided(verb, refused=SqlError("0A000", f"{what} is not supported", hint=hint))
    if spelled[1:on] == ["OWNERSHIP"] and after[:1] in (["ROLE"], ["USER"], ["DATABASE"]):
        hint = "GRANT OWNERSHIP ON {TABLE | VIEW | SCHEMA | SEQUENCE} name TO ROLE r."
        what = f"{verb} OWNERSHIP ON {after[0]}"
        return Decided(verb, refused=SqlError("0A000", f"{what} is not supported", hint=hint))
    asked = _privileges(spelled[1:on])
    if asked == {"OWNERSHIP"} and after[:1] == ["ALL"]:
        return Decided(verb, notice="who owns many relations at once is not kept; name each")
    if "FUTURE" in after[:1]:
        return Decided(verb, notice="rights on what is yet to be made are not kept")
    listed = after[:1] == ["ALL"]
    kind = after[1:2] if listed else after[:1]
    named = len(after) > 2 and after[1] not in ("TO", "FROM", ".", ",", "(")
    if kind and named and (kind[0] in (_LISTS_ABSENT if listed else _ABSENT)):
        if kind[0] not in ("FUNCTION", "FUNCTIONS", "PROCEDURE", "PROCEDURES") or (
            asked & _SNOWFLAKES or "ROLE" in after
        ):
            return Decided(
                verb, notice=f"there are no rights on {kind[0].lower().rstrip('s')}s here"
            )
        return None
    if kind == ["ACCOUNT"] and not asked & _OF_TABLES:
        return Decided(verb, notice="there are no rights on accounts here")
    if kind == ["DATABASE"] and named and not asked & {"CONNECT", "TEMP", "TEMPORARY"}:
        return Decided(verb, notice="there is one database, which is every client's")
    if listed and "IN" in after and after[after.index("IN") + 1 :][:1] == ["DATABASE"]:
        hint = "Name the schemas: ON ALL TABLES IN SCHEMA."
        refused = SqlError("0A000", f"{verb} ON ALL ... IN DATABASE is not supported", hint=hint)
        return Decided(verb, refused=refused)
    if after[:1] == ["SCHEMA"] and asked and all(one.startswith("CREATE ") for one in asked):
        made = {one.removeprefix("CREATE ") for one in asked}
        if made.isdisjoint(("TABLE", "VIEW", "SEQUENCE")):
            what = ", ".join(sorted(asked))
            return Decided(verb, notice=f"there is no right {what} here")
    if asked and asked <= _KEPT_NOWHERE:
        return Decided(verb, notice=f"there is no right {', '.join(sorted(asked))} here")
    return None


def _privileges(spelled: list[str]) -> set[str]:
    """What stands between the verb and ON, a privilege each; columns left out."""
    made: list[list[str]] = [[]]
    depth = 0
    for word in spelled:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            made.append([])
        elif depth == 0 and word != ")":
            made[-1].append(word)
    return {" ".join(one) for one in made if one}


def _membership(tokens: list[Token], spelled: list[str], text: str, verb: str) -> Decided:
    """GRANT ROLE a TO ROLE b, or TO USER b."""
    words = Words(text, tokens[2:])
    role = words.token
    words.name()
    preposition = "TO" if verb == "GRANT" else "FROM"
    words.expect(preposition)
    if not words.accept_any("ROLE", "USER"):
        raise words.fail()
    grantee = words.token
    words.name()
    words.end()
    assert role is not None
    assert grantee is not None
    names = [text[token.start : token.end + 1] for token in (role, grantee)]
    return Decided(f"{verb} ROLE", relayed=f"{verb} {names[0]} {preposition} {names[1]}")
