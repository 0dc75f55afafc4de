"""Snowflake's statements about its cloud, answered by decision.

Why it exists: scripts that make tables also make warehouses, tags and policies. Where leaving such a
statement out changes no answer, it is taken with a notice, so that the script runs; where it would
(a task that never runs, a stream that never fills), it is refused with what to do instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from proxy.errors import SqlError
from proxy.sql.words import Words

_VERBS = frozenset({"CREATE", "ALTER", "DROP"})
VERBS = _VERBS | {"GRANT", "REVOKE"}
"""How the statements begin that are decided about here."""

_MODIFIERS = frozenset({"OR", "REPLACE", "TEMP", "TEMPORARY", "TRANSIENT"})

TAKEN: dict[str, str] = {
    "WAREHOUSE": "there are no warehouses: the server itself computes",
    "RESOURCE MONITOR": "there are no credits to watch",
    "TAG": "tags are not kept",
    "MASKING POLICY": "policies are not kept, and cannot be set on anything",
    "ROW ACCESS POLICY": "policies are not kept, and cannot be set on anything",
    "PROJECTION POLICY": "policies are not kept, and cannot be set on anything",
    "AGGREGATION POLICY": "policies are not kept, and cannot be set on anything",
    "SESSION POLICY": "policies are not kept, and cannot be set on anything",
    "PASSWORD POLICY": "policies are not kept, and cannot be set on anything",
}
"""What CREATE, ALTER and DROP of these objects is answered with: a notice, and nothing done."""

REFUSED: dict[str, str] = {
    "STREAM": "Keep a column with the time of a change.",
    "TASK": "Let a scheduler outside send the statement.",
    "ALERT": "Let a scheduler outside send the statement.",
    "PIPE": "Send COPY INTO or COPY FROM STDIN.",
    "SHARE": "Give clients the address of this server.",
    "INTEGRATION": "The server reaches nothing outside.",
    "STORAGE INTEGRATION": "The server reaches nothing outside.",
    "API INTEGRATION": "The server reaches nothing outside.",
    "NOTIFICATION INTEGRATION": "The server reaches nothing outside.",
    "SECURITY INTEGRATION": "The server reaches nothing outside.",
    "EXTERNAL FUNCTION": "Write it in SQL.",
    "NETWORK POLICY": "The server listens on loopback only.",
    "ACCOUNT": "ALTER SESSION sets the session's own parameters.",
    "EVENT TABLE": "Make a table, and insert into it.",
    "EXTERNAL VOLUME": "Load the data with COPY INTO.",
    "CATALOG INTEGRATION": "Load the data with COPY INTO.",
    "GIT REPOSITORY": "PUT its files into a stage.",
    "IMAGE REPOSITORY": "No containers run here.",
    "COMPUTE POOL": "No containers run here.",
    "SERVICE": "No containers run here.",
    "NETWORK RULE": "The server listens on loopback only.",
    "AUTHENTICATION POLICY": "The server listens on loopback only.",
    "NOTEBOOK": "Open it where it runs, with this server's address.",
    "STREAMLIT": "Run it outside, with this server's address.",
    "APPLICATION PACKAGE": "Run it outside, with this server's address.",
    "APPLICATION": "Run it outside, with this server's address.",
    "MODEL": "No model is served here; store what it predicts.",
    "CORTEX SEARCH SERVICE": "Query the table: SEARCH, LIKE, CONTAINS.",
    "SEMANTIC VIEW": "Make a view.",
    "FAILOVER GROUP": "Copy the data directory while the server is stopped.",
    "REPLICATION GROUP": "Copy the data directory while the server is stopped.",
    "DATABASE ROLE": "CREATE ROLE.",
    "DATA METRIC FUNCTION": "Write the query that it runs.",
}
"""What to do in place of CREATE, ALTER and DROP of these objects, which are refused."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """kind: the statement's leading words, its command tag. One of notice and refused says the rest."""

    kind: str
    notice: str = ""
    refused: SqlError | None = None


def read(words: Words) -> Accepted | None:
    """What is decided about a statement; None for all that this table does not speak of."""
    verb = words.word
    if verb == "EXECUTE" and words.word_at(1) in ("TASK", "ALERT") and len(words.tokens) > 2:
        return _refused(f"EXECUTE {words.word_at(1)}", words.word_at(1), words)
    if verb not in _VERBS:
        return None
    ahead = 1
    while words.word_at(ahead) in _MODIFIERS:
        ahead += 1
    if words.word_at(ahead) == "SNOWFLAKE" and words.word_at(ahead + 1) == ".":
        return _of_class(verb, ahead, words)
    for length in (3, 2, 1):
        kind = " ".join(words.word_at(ahead + i) for i in range(length))
        if kind in TAKEN:
            if verb == "CREATE" and not words.word_at(ahead + length):
                return None
            return Accepted(f"{verb} {kind}", notice=TAKEN[kind])
        if kind in REFUSED:
            return _refused(f"{verb} {kind}", kind, words)
    leading = [words.word_at(i) for i in range(3)]
    if leading == ["ALTER", "DYNAMIC", "TABLE"]:
        return _of_dynamic_table(words)
    if leading == ["ALTER", "MATERIALIZED", "VIEW"]:
        return _of_materialized_view(words)
    if leading[:2] in (["ALTER", "TABLE"], ["CREATE", "USER"], ["ALTER", "USER"]):
        return _without_effect(words, f"{verb} {leading[1]}")
    if leading == ["CREATE", "OR", "REPLACE"] and words.word_at(3) == "USER":
        return Accepted("CREATE USER", notice=_NO_USERS)
    if leading == ["DROP", "USER", "IF"]:
        return Accepted("DROP USER", notice=_NO_USERS)
    return None


def _refused(what: str, kind: str, words: Words) -> Accepted:
    error = SqlError(
        "0A000",
        f"{what} is not supported",
        hint=REFUSED[kind],
        position=words.tokens[0].start + 1,
    )
    return Accepted(what, refused=error)


def _of_class(verb: str, ahead: int, words: Words) -> Accepted:
    """CREATE SNOWFLAKE.ML.FORECAST m(...): an instance of a class of Snowflake's cloud."""
    kind = f"{verb} {words.word_at(ahead)}"
    while words.word_at(ahead + 1) == "." and words.word_at(ahead + 2):
        kind += f".{words.word_at(ahead + 2)}"
        ahead += 2
    hint = "Instances of its classes live in Snowflake's cloud."
    at = words.tokens[0].start + 1
    error = SqlError("0A000", f"{kind} is not supported", hint=hint, position=at)
    return Accepted(kind, refused=error)


_KEPT_UP = ("SUSPEND", "RESUME", "RECLUSTER", "CLUSTER")


def _of_materialized_view(words: Words) -> Accepted | None:
    """ALTER MATERIALIZED VIEW v SUSPEND and its kin: how it is kept up, which nothing here needs."""
    ahead = 5 if words.word_at(3) == "IF" else 3
    while words.word_at(ahead + 1) == ".":
        ahead += 2
    if words.word_at(ahead + 1) not in _KEPT_UP:
        return None
    notice = "a materialized view is a view here: it is computed when it is read"
    return Accepted("ALTER MATERIALIZED VIEW", notice=notice)


_TUNING = (("SEARCH", "OPTIMIZATION"), ("SUSPEND", "RECLUSTER"), ("RESUME", "RECLUSTER"))


_NO_USERS = "users are not kept: whoever connects is one"


def _without_effect(words: Words, kind: str) -> Accepted | None:
    """What tunes a table in Snowflake's storage, and properties of users."""
    spelled = [words.word_at(i) for i in range(len(words.tokens))]
    if kind == "ALTER TABLE":
        pairs = set(pairwise(spelled))
        if any(pair in pairs for pair in _TUNING) and "COLUMN" not in spelled:
            return Accepted(kind, notice="how a table is searched and clustered is the engine's")
        return None
    properties = {after for before, after in pairwise(spelled[2:]) if after == "=" and before}
    if properties or "IF" in spelled[2:3]:
        return Accepted(kind, notice=_NO_USERS)
    return None


_REFRESHING = frozenset({"REFRESH", "SUSPEND", "RESUME"})


def _of_dynamic_table(words: Words) -> Accepted:
    """ALTER DYNAMIC TABLE t REFRESH: what is computed when it is read is fresh."""
    kind = "ALTER DYNAMIC TABLE"
    if words.tokens[-1].text.upper() in _REFRESHING:
        return Accepted(
            kind, notice="a dynamic table is a view here: it is computed when it is read"
        )
    hint = "A dynamic table is a view here; make it again with CREATE OR REPLACE."
    return Accepted(
        kind, refused=SqlError("0A000", f"this form of {kind} is not supported", hint=hint)
    )
