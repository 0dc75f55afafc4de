"""Snowflake's statements about its cloud, answered by decision.

Why it exists: scripts that make tables also make warehouses, tags and policies. Where leaving such a
statement out changes no answer, it is taken with a notice, so that the script runs; where it would
(a task that never runs, a stream that never fills), it is refused with what to do instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from proxy.errors import SqlError
from proxy.sql.quoting import literal
from proxy.sql.words import Words

_VERBS = frozenset({"CREATE", "ALTER", "DROP"})
VERBS = _VERBS | {"GRANT", "REVOKE", "COMMENT", "EXECUTE"}
"""How the statements begin that are decided about here."""

_NO_POLICIES = "policies are not kept, and cannot be set on anything"
_NOTHING_OUTSIDE = "The server reaches nothing outside."
_NO_CONTAINERS = "No containers run here."
_OUTSIDE = "Run it outside, with this server's address."
_MODIFIERS = frozenset({"OR", "REPLACE", "TEMP", "TEMPORARY", "TRANSIENT"})

TAKEN: dict[str, str] = {
    "WAREHOUSE": "there are no warehouses: the server itself computes",
    "RESOURCE MONITOR": "there are no credits to watch",
    "TAG": "tags are not kept",
    "MASKING POLICY": _NO_POLICIES,
    "ROW ACCESS POLICY": _NO_POLICIES,
    "PROJECTION POLICY": _NO_POLICIES,
    "AGGREGATION POLICY": _NO_POLICIES,
    "SESSION POLICY": _NO_POLICIES,
    "PASSWORD POLICY": _NO_POLICIES,
    "JOIN POLICY": _NO_POLICIES,
    "PRIVACY POLICY": _NO_POLICIES,
    "PACKAGES POLICY": _NO_POLICIES,
    "FEATURE POLICY": _NO_POLICIES,
    "STORAGE LIFECYCLE POLICY": _NO_POLICIES,
    "BACKUP POLICY": _NO_POLICIES,
    "SNAPSHOT POLICY": _NO_POLICIES,
    "INTERACTIVE WAREHOUSE": "there are no warehouses: the server itself computes",
    "ADAPTIVE WAREHOUSE": "there are no warehouses: the server itself computes",
    "CONTACT": "contacts are not kept",
}
"""What CREATE, ALTER and DROP of these objects is answered with: a notice, and nothing done."""

REFUSED: dict[str, str] = {
    "STREAM": "Keep a column with the time of a change.",
    "TASK": "Let a scheduler outside send the statement.",
    "ALERT": "Let a scheduler outside send the statement.",
    "PIPE": "Send COPY INTO or COPY FROM STDIN.",
    "SHARE": "Give clients the address of this server.",
    "INTEGRATION": _NOTHING_OUTSIDE,
    "STORAGE INTEGRATION": _NOTHING_OUTSIDE,
    "API INTEGRATION": _NOTHING_OUTSIDE,
    "NOTIFICATION INTEGRATION": _NOTHING_OUTSIDE,
    "SECURITY INTEGRATION": _NOTHING_OUTSIDE,
    "EXTERNAL FUNCTION": "Write it in SQL.",
    "NETWORK POLICY": "The server listens on loopback only.",
    "ACCOUNT": "ALTER SESSION sets the session's own parameters.",
    "EVENT TABLE": "Make a table, and insert into it.",
    "EXTERNAL VOLUME": "Load the data with COPY INTO.",
    "CATALOG INTEGRATION": "Load the data with COPY INTO.",
    "GIT REPOSITORY": "PUT its files into a stage.",
    "IMAGE REPOSITORY": _NO_CONTAINERS,
    "COMPUTE POOL": _NO_CONTAINERS,
    "SERVICE": _NO_CONTAINERS,
    "NETWORK RULE": "The server listens on loopback only.",
    "AUTHENTICATION POLICY": "The server listens on loopback only.",
    "NOTEBOOK": "Open it where it runs, with this server's address.",
    "STREAMLIT": _OUTSIDE,
    "APPLICATION PACKAGE": _OUTSIDE,
    "APPLICATION": _OUTSIDE,
    "MODEL": "No model is served here; store what it predicts.",
    "CORTEX SEARCH SERVICE": "Query the table: SEARCH, LIKE, CONTAINS.",
    "SEMANTIC VIEW": "Make a view.",
    "FAILOVER GROUP": "Copy the data directory while the server is stopped.",
    "REPLICATION GROUP": "Copy the data directory while the server is stopped.",
    "DATABASE ROLE": "CREATE ROLE.",
    "DATA METRIC FUNCTION": "Write the query that it runs.",
    "EXTERNAL TABLE": "Load the data with COPY INTO.",
    "ICEBERG TABLE": "Load the data with COPY INTO.",
    "INTERACTIVE TABLE": "CREATE TABLE: every table answers at once.",
    "ONLINE FEATURE TABLE": "CREATE TABLE, and insert into it.",
    "EXTERNAL ACCESS INTEGRATION": _NOTHING_OUTSIDE,
    "SECRET": _NOTHING_OUTSIDE,
    "CONNECTION": "Give clients the address of this server.",
    "LISTING": "Give clients the address of this server.",
    "ORGANIZATION LISTING": "Give clients the address of this server.",
    "EXTERNAL LISTING": "Give clients the address of this server.",
    "MANAGED ACCOUNT": "Give clients the address of this server.",
    "ORGANIZATION ACCOUNT": "There is one server, and no account.",
    "ORGANIZATION PROFILE": "There is one server, and no account.",
    "ORGANIZATION USER": "CREATE ROLE.",
    "APPLICATION ROLE": "CREATE ROLE.",
    "BACKUP SET": "Copy the data directory while the server is stopped.",
    "SNAPSHOT SET": "Copy the data directory while the server is stopped.",
    "SNAPSHOT": "Copy the data directory while the server is stopped.",
    "DATASET": "Make a table, and insert into it.",
    "AGENT": _OUTSIDE,
    "MCP SERVER": _OUTSIDE,
    "DBT PROJECT": _OUTSIDE,
    "NOTEBOOK PROJECT": _OUTSIDE,
    "WORKSPACE": _OUTSIDE,
    "EXPERIMENT": _OUTSIDE,
    "GATEWAY": _NO_CONTAINERS,
    "JOB SERVICE": _NO_CONTAINERS,
    "PROVISIONED THROUGHPUT": "No model is served here; store what it predicts.",
    "MODEL MONITOR": "No model is served here; store what it predicts.",
}
"""What to do in place of CREATE, ALTER and DROP of these objects, which are refused."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """kind: the statement's leading words, its command tag. One of notice and refused says the rest.

    sql: DuckDB's query that raises where what is spoken of is not there. said: of a schema, '' for the
    database: its new comment, '' for none.
    """

    kind: str
    notice: str = ""
    refused: SqlError | None = None
    sql: str = "SELECT 1 LIMIT 0"
    said: tuple[str, str] | None = None


def read(words: Words) -> Accepted | None:
    """What is decided about a statement; None for all that this table does not speak of."""
    verb = words.word
    if verb == "EXECUTE" and len(words.tokens) > 2:
        kind = _kind_at(words, 2 if words.word_at(1) == "MANAGED" else 1)
        return _refused(f"EXECUTE {kind}", kind, words) if kind in REFUSED else None
    if verb == "ALTER" and words.word_at(1) in _TAGGED and (tagged := _tagging(words)):
        return tagged
    if verb == "COPY" and words.word_at(1) == "FILES" and words.word_at(2) == "INTO":
        hint = "GET the files, and PUT them there."
        refusal = SqlError("0A000", "COPY FILES is not supported", hint=hint)
        return Accepted("COPY FILES", refused=refusal)
    if verb == "COMMENT":
        ahead = 3 if words.word_at(1) == "IF" else 1
        kind = _kind_at(words, ahead + 1) if words.word_at(ahead) == "ON" else ""
        if words.word_at(ahead + 1) == "USER":
            return Accepted("COMMENT ON USER", notice=_NO_USERS)
        if not kind and words.word_at(ahead + 1) in ("SCHEMA", "DATABASE"):
            return _comment_on_namespace(words)
    elif verb in _VERBS:
        ahead = 1
        while words.word_at(ahead) in _MODIFIERS:
            ahead += 1
        if words.word_at(ahead) == "SNOWFLAKE" and words.word_at(ahead + 1) == ".":
            return _of_class(verb, ahead, words)
        kind = _kind_at(words, ahead)
        if kind in TAKEN and verb == "CREATE" and len(words.tokens) <= ahead + kind.count(" ") + 1:
            return None
    else:
        return None
    what = f"{verb} {kind}" if verb != "COMMENT" else f"COMMENT ON {kind}"
    if kind in TAKEN:
        return Accepted(what, notice=TAKEN[kind])
    if kind in REFUSED:
        return _refused(what, kind, words)
    if verb == "ALTER" and words.word_at(1) in ("SCHEMA", "DATABASE"):
        return _of_namespace(words)
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


def _kind_at(words: Words, ahead: int) -> str:
    """The kind of object that is decided about here whose words come there; '' for others."""
    for length in (3, 2, 1):
        kind = " ".join(words.word_at(ahead + i) for i in range(length))
        if kind in TAKEN or kind in REFUSED:
            return kind
    return ""


_TAGGED = frozenset({"STAGE", "FILE FORMAT", "ROLE", "USER", "SEQUENCE"})
_OF_USERS = frozenset({"UNSET", "ADD", "REMOVE", "ENROLL", "MODIFY", "DISABLE", "ENABLE"})


def _tagging(words: Words) -> Accepted | None:
    """ALTER ... SET TAG, and what says no more of a role or user; None for other forms."""
    kind = words.word_at(1)  # a token may be of two words
    at = 4 if words.word_at(2) == "IF" else 2
    while words.word_at(at + 1) == ".":
        at += 2
    verb, what = words.word_at(at + 1), words.word_at(at + 2)
    if verb in ("SET", "UNSET") and what in ("TAG", "CONTACT"):
        return Accepted(f"ALTER {kind}", notice=TAKEN["TAG"])
    if kind == "USER" and verb == "ABORT":
        hint = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity."
        refusal = SqlError("0A000", "ALTER USER ... ABORT ALL QUERIES is not supported", hint=hint)
        return Accepted("ALTER USER", refused=refusal)
    if (kind == "USER" and verb in _OF_USERS) or (kind == "ROLE" and verb == "UNSET"):
        return Accepted(f"ALTER {kind}", notice=_NO_USERS)
    return None


_NO_USERS = "users are not kept: whoever connects is one"
_NAMESPACE = frozenset(
    {
        *("DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "COMMENT", "LOG_LEVEL"),
        *("TRACE_LEVEL", "METRIC_LEVEL", "OBJECT_VISIBILITY", "REPLACE_INVALID_CHARACTERS"),
        *("STORAGE_SERIALIZATION_POLICY", "ENABLE_DATA_COMPACTION", "CLASSIFICATION_PROFILE"),
        *(
            "DATA_QUALITY_MONITORING_SETTINGS",
            "DEFAULT_NOTEBOOK_COMPUTE_POOL_CPU",
            "TAG",
            "CONTACT",
        ),
        *("DEFAULT_NOTEBOOK_COMPUTE_POOL_GPU", "DEFAULT_STREAMLIT_NOTEBOOK_WAREHOUSE", "CATALOG"),
        *("EXTERNAL_VOLUME", "CATALOG_SYNC", "EVENT_TABLE", "BASE_LOCATION_PREFIX"),
        *("REPLICABLE_WITH_FAILOVER_GROUPS", "PIPE_EXECUTION_PAUSED"),
    }
)
"""Properties of schemas and databases that change no answer."""
_IN_WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "RENAME": (("RENAME", "TO"), "CREATE it, and its tables in it with CLONE."),
    "SWAP": (("SWAP", "WITH"), "Swap its tables one by one: ALTER TABLE ... SWAP WITH."),
    "REFRESH": (("REFRESH",), "There is one server, and nothing to copy from."),
    "PRIMARY": (("PRIMARY",), "There is one server, and nothing to copy from."),
}


def _of_namespace(words: Words) -> Accepted | None:
    """ALTER SCHEMA and ALTER DATABASE: their properties are not kept; None for other forms."""
    what = f"ALTER {words.word_at(1)}"
    asked = Words(words.text, words.tokens[2:])
    lax = asked.accept("IF", "EXISTS")
    name = asked.dotted()
    if (form := _IN_WORDS.get(asked.word)) is not None:
        spelled, hint = form
        refusal = SqlError("0A000", f"{what} ... {' '.join(spelled)} is not supported", hint=hint)
        return Accepted(what, refused=refusal)
    place = asked.word_at(1)
    verb = asked.accept_any("SET", "UNSET", "ENABLE", "DISABLE")
    if not verb or (verb in ("ENABLE", "DISABLE") and place != "MANAGED"):
        return None
    spelled = [asked.word_at(at) for at in range(len(words.tokens))]
    named = {before for before, after in pairwise(spelled) if after == "=" and before in _NAMESPACE}
    if verb in ("SET", "UNSET") and place not in _NAMESPACE:
        return None
    if verb == "SET" and place not in ("TAG", "CONTACT") and not named:
        return None
    said = None
    if "COMMENT" in named or place == "COMMENT":
        said = "" if verb == "UNSET" else _comment_in(asked)
    notice = f"properties of a {words.word_at(1).lower()} are not kept: they change no answer"
    if said is not None and named <= {"COMMENT"}:
        notice = ""
    return _of_namespace_named(what, name, lax, notice, said)


def _comment_in(words: Words) -> str:
    """What `COMMENT = 'text'` says, further on."""
    while not words.accept("COMMENT", "="):
        words.step()
    return words.string()


def _comment_on_namespace(words: Words) -> Accepted:
    """COMMENT [IF EXISTS] ON {SCHEMA | DATABASE} name IS 'text'"""
    words.expect("COMMENT")
    lax = words.accept("IF", "EXISTS")
    words.expect("ON")
    kind = words.step().text.upper()
    name = words.dotted()
    words.expect("IS")
    said = "" if words.accept("NULL") else words.string()
    words.end()
    made = _of_namespace_named(kind, name, lax, "", said)
    return replace(made, kind="COMMENT")


def _of_namespace_named(
    what: str, name: tuple[str, ...], lax: bool, notice: str, said: str | None
) -> Accepted:
    """said: its new comment, None where that stays."""
    schema, there = "", "SELECT 1 LIMIT 0"
    if what.endswith("SCHEMA"):
        schema = "main" if name[-1].lower() == "public" else name[-1]
        if not lax:
            there = f"SELECT 1 FROM (SELECT 1) WHERE NOT _sf.main.schema_there_({literal(schema)})"
    of = None if said is None else ("public" if schema == "main" else schema, said)
    return Accepted(what, notice=notice, sql=there, said=of)


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
