"""Snowflake's SHOW and DESCRIBE: read from tokens, written as queries over `catalog/*.sql`.

Each is a query like any other once it is read, so its columns are known without running it, its rows
stream, and it sees the transaction's own changes. What Snowflake lists and this server cannot have is
refused by name. Names are compared without case, as everywhere here; LIKE ignores case, STARTS WITH
and FROM do not.

The grammar is that of docs.snowflake.com/en/sql-reference/sql/show-tables and its neighbours.
`SHOW search_path`, `SHOW ALL` and the like are Postgres's, and are not read here.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.errors import SqlError
from proxy.sql.classify import Slice
from proxy.sql.control_plane import name_set
from proxy.sql.quoting import literal
from proxy.sql.snowflake.one_database import ENGINE_DATABASE, check_database, engine_schema
from proxy.sql.snowflake.show_grants import future_grants, grants
from proxy.sql.snowflake.signatures import kind_of
from proxy.sql.statement import Route, Statement
from proxy.sql.words import Words


@dataclass(frozen=True, slots=True)
class Asked:
    """kind: 'SHOW TABLES', 'DESCRIBE TABLE'... sql: for DuckDB, or `by_postgres`.

    needs: see `Statement.needs`.
    """

    kind: str
    sql: str
    needs: frozenset[str] = frozenset()
    by_postgres: bool = False
    refused: SqlError | None = None


@dataclass(frozen=True, slots=True)
class _Listing:
    """name: the column that LIKE is about. terse: the columns of SHOW TERSE, None where it has none.

    schema, table: the columns that IN is about, '' where the listing has no such scope.
    within: what a bare `IN x` names. order: the listing's order. source: Postgres's query, for what
    is Postgres's to list.
    """

    view: str
    name: str = "name"
    terse: tuple[str, ...] | None = None
    schema: str = "schema_name"
    table: str = ""
    within: str = "SCHEMA"
    order: str = "database_name, schema_name, name"
    hidden: str = ""
    source: str = ""
    needs: frozenset[str] = frozenset({"database"})


_TERSE = ("created_on", "name", "kind", "database_name", "schema_name")
_TOLD = frozenset({"database", "told"})
_PLACES = frozenset({"database", "places"})
_MEASURED = _TOLD | {"rows", "bytes"}
_KEYS = _Listing(
    "",
    name="column_name",
    table="table_name",
    within="TABLE",
    order="database_name, schema_name, table_name, key_sequence",
)


def _keys(view: str) -> _Listing:
    return _Listing(view, _KEYS.name, None, _KEYS.schema, _KEYS.table, _KEYS.within, _KEYS.order)


def _foreign(side: str) -> _Listing:
    return _Listing(
        "show_imported_keys",
        name=f"{side}_column_name",
        schema=f"{side}_schema_name",
        table=f"{side}_table_name",
        within="TABLE",
        order="pk_database_name, pk_schema_name, pk_table_name, fk_name, key_sequence",
    )


_ROLES = """
SELECT CAST(NULL AS timestamptz) AS created_on, rolname AS name, 'N' AS is_default,
       CASE WHEN rolname = current_user THEN 'Y' ELSE 'N' END AS is_current,
       CASE WHEN rolname <> current_user AND pg_has_role(oid, 'USAGE') THEN 'Y' ELSE 'N' END
         AS is_inherited,
       (SELECT count(*) FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member
        WHERE m.roleid = r.oid AND u.rolcanlogin) AS assigned_to_users,
       (SELECT count(*) FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member
        WHERE m.roleid = r.oid AND NOT u.rolcanlogin) AS granted_to_roles,
       (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid) AS granted_roles,
       CAST(NULL AS text) AS owner,
       coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), '') AS comment
FROM pg_catalog.pg_roles r WHERE NOT starts_with(rolname, 'pg_')
"""
_USERS = """
SELECT rolname AS name, CAST(NULL AS timestamptz) AS created_on, rolname AS login_name,
       rolname AS display_name, CAST(NULL AS text) AS first_name, CAST(NULL AS text) AS last_name,
       CAST(NULL AS text) AS email, CAST(NULL AS text) AS mins_to_unlock,
       CAST(NULL AS text) AS days_to_expiry,
       coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), '') AS comment,
       'false' AS disabled, 'false' AS must_change_password, 'false' AS snowflake_lock,
       CAST(NULL AS text) AS default_warehouse, CAST(NULL AS text) AS default_namespace,
       rolname AS default_role, '["ALL"]' AS default_secondary_roles, 'false' AS ext_authn_duo,
       CAST(NULL AS text) AS ext_authn_uid, CAST(NULL AS text) AS mins_to_bypass_mfa,
       CAST(NULL AS text) AS owner, CAST(NULL AS timestamptz) AS last_success_login,
       rolvaliduntil AS expires_at_time, CAST(NULL AS timestamptz) AS locked_until_time,
       CAST(NULL AS text) AS has_password, 'false' AS has_rsa_public_key
FROM pg_catalog.pg_roles WHERE rolcanlogin
"""


def _postgres(source: str) -> _Listing:
    return _Listing(
        "", schema="", within="", order="name", source=f"({source}) listed", needs=frozenset()
    )


_FUNCTIONS = _Listing("show_functions", order="catalog_name, schema_name, name")
_LISTINGS: dict[tuple[str, ...], _Listing] = {
    ("TABLES",): _Listing("show_tables", terse=_TERSE, needs=_MEASURED),
    ("VIEWS",): _Listing("show_views", terse=_TERSE, needs=_TOLD | {"texts"}),
    ("OBJECTS",): _Listing("show_objects", terse=_TERSE, needs=_MEASURED),
    ("SCHEMAS",): _Listing(
        "show_schemas",
        terse=_TERSE,
        schema="",
        within="DATABASE",
        order="database_name, name",
        needs=_PLACES,
    ),
    ("DATABASES",): _Listing(
        "show_databases", terse=_TERSE, schema="", within="ACCOUNT", order="name", needs=_PLACES
    ),
    ("COLUMNS",): _Listing(
        "show_columns",
        name="column_name",
        table="table_name",
        within="TABLE",
        order="database_name, schema_name, table_name, position_",
        hidden="position_",
    ),
    ("SEQUENCES",): _Listing("show_sequences", terse=_TERSE, needs=_TOLD),
    ("PRIMARY", "KEYS"): _keys("show_primary_keys"),
    ("UNIQUE", "KEYS"): _keys("show_unique_keys"),
    ("IMPORTED", "KEYS"): _foreign("fk"),
    ("EXPORTED", "KEYS"): _foreign("pk"),
    ("USER", "FUNCTIONS"): _FUNCTIONS,
    ("FUNCTIONS",): _FUNCTIONS,
    ("PROCEDURES",): _Listing("show_procedures", order="catalog_name, schema_name, name"),
    ("USER", "PROCEDURES"): _Listing("show_procedures", order="catalog_name, schema_name, name"),
    ("PARAMETERS",): _Listing(
        "show_parameters",
        name="key",
        schema="",
        within="SESSION",
        order="key",
        needs=frozenset({"parameters"}),
    ),
    ("ROLES",): _postgres(_ROLES),
    ("USERS",): _postgres(_USERS),
    ("VARIABLES",): _Listing(
        "show_variables", schema="", within="", order="name", needs=frozenset({"variables"})
    ),
    # There can be none of these: CREATE is refused.
    ("STREAMS",): _Listing("show_streams"),
    ("TASKS",): _Listing("show_tasks"),
    ("PIPES",): _Listing("show_pipes"),
    ("WAREHOUSES",): _Listing(
        "show_warehouses", schema="", within="", order="name", needs=frozenset({"warehouse"})
    ),
}

# SHOW TERSE has a column that the whole listing does not.
_TERSE_COLUMNS: dict[tuple[str, str], str] = {
    ("show_views", "kind"): "'VIEW' AS kind",
    ("show_sequences", "kind"): "'SEQUENCE' AS kind",
    ("show_schemas", "kind"): "CAST(NULL AS VARCHAR) AS kind",
    ("show_schemas", "schema_name"): "CAST(NULL AS VARCHAR) AS schema_name",
    ("show_databases", "database_name"): "CAST(NULL AS VARCHAR) AS database_name",
    ("show_databases", "schema_name"): "CAST(NULL AS VARCHAR) AS schema_name",
}

_REFUSED = name_set(
    """
    TRANSACTIONS LOCKS REGIONS SHARES TAGS EXTERNAL
    MATERIALIZED DYNAMIC MASKING NETWORK INTEGRATIONS ORGANIZATION RESOURCE ICEBERG EVENT ALERTS
    SECRETS CONNECTIONS BUILTIN HYBRID ROW SESSION PASSWORD API STORAGE NOTIFICATION
    SECURITY COMPUTE SERVICES IMAGE CLASSES MODELS NOTEBOOKS STREAMLITS CORTEX GIT APPLICATION
    APPLICATIONS REPLICATION FAILOVER MANAGED DELEGATED GLOBAL LISTINGS DATASETS SEMANTIC
    ACCOUNTS AGENTS AGGREGATION AUTHENTICATION AVAILABLE BACKUP BACKUPS CALLER CATALOG CHANNELS CONTACTS
    DATA DATABASE DBT ENDPOINTS ENTITIES EXPERIMENTS FEATURE GATEWAYS INTERACTIVE JOIN MCP MODEL
    NOTEBOOK ONLINE OPENFLOW PACKAGES PRIVACY PRIVILEGES PROJECTION PROVISIONED RELEASE SERVICE
    SNAPSHOT SNAPSHOTS TELEMETRY TYPES VERSIONS WORKSPACES
    """
)
_HINTS = {
    "BUILTIN": "Query duckdb_functions().",
    "TRANSACTIONS": "Query pg_stat_activity.",
}


def statement(text: str, piece: Slice, asked: Asked, tag: str) -> Statement:
    """The plan of what was asked."""
    return Statement(
        Route.POSTGRES if asked.by_postgres else Route.DUCKDB,
        asked.kind,
        text[piece.start : piece.end],
        piece.start,
        sql="" if asked.by_postgres else asked.sql,
        relayed=asked.sql if asked.by_postgres else None,
        tag=tag,
        refused=asked.refused,
        needs=asked.needs,
    )


def is_show(words: Words) -> bool:
    """Whether SHOW, which comes next, is Snowflake's: `SHOW tables.x` is a setting."""
    ahead = 2 if words.word_at(1) == "TERSE" else 1
    word = words.word_at(ahead)
    if word == "SNOWFLAKE" and words.word_at(ahead + 3) == ".":
        return True
    grants = word == "GRANTS" or (word == "FUTURE" and words.word_at(ahead + 1) == "GRANTS")
    known = grants or word in _REFUSED or any(spelled[0] == word for spelled in _LISTINGS)
    return known and words.word_at(ahead + 1) != "."


def read_show(words: Words, database: str) -> Asked:
    """SHOW as a query. database: the name that the client asked for. Raises 42601."""
    words.step()
    if words.word == "GRANTS" or (words.word == "FUTURE" and words.word_at(1) == "GRANTS"):
        return _grants(words, database)
    terse = words.accept("TERSE")
    for spelled, listing in _LISTINGS.items():
        if words.accept(*spelled):
            return _listing(words, f"SHOW {' '.join(spelled)}", listing, terse, database)
    word = words.word
    kind = f"SHOW {_kind_of(words)}"
    error = SqlError("0A000", f"{kind} is not supported", hint=_HINTS.get(word))
    return Asked(kind, "", refused=error)


_AFTER_KIND = frozenset(
    {"", "LIKE", "IN", "STARTS", "LIMIT", "WITH", "ON", "TO", "OF", "HISTORY", "FROM", "FOR"}
)


def _kind_of(words: Words) -> str:
    """The words of what is to be listed; the cursor goes to the end."""
    kind = ""
    while (word := words.word) not in _AFTER_KIND:
        kind += word if word == "." or not kind or kind.endswith(".") else f" {word}"
        words.step()
    words.rest() if words.token is not None else None
    return kind


def _listing(words: Words, kind: str, listing: _Listing, terse: bool, database: str) -> Asked:
    if terse and listing.terse is None and not kind.endswith(("KEYS", "USERS")):
        raise words.fail()
    terse = terse and listing.terse is not None  # keys and users have but one form
    if words.accept("HISTORY"):
        words.rest() if words.token is not None else None
        hint = "What is dropped here is gone."
        error = SqlError("0A000", f"{kind} HISTORY is not supported", hint=hint)
        return Asked(kind, "", refused=error)
    where: list[str] = []
    if words.accept("LIKE"):
        where.append(f"{listing.name} ILIKE {literal(words.string())} ESCAPE '\\'")
    try:
        where.extend(_scope(words, listing, database))
    except SqlError as error:
        if error.sqlstate == "42601":
            raise
        words.rest() if words.token is not None else None
        return Asked(kind, "", refused=error)
    if words.accept("STARTS", "WITH"):
        where.append(f"starts_with({listing.name}, {literal(words.string())})")
    limit = ""
    if words.accept("LIMIT"):
        rows = words.integer()
        limit = f" LIMIT {rows}"
        if words.accept("FROM"):
            where.append(f"{listing.name} > {literal(words.string())}")
    if words.accept("WITH", "PRIVILEGES"):  # every client has all of them
        words.rest()
    words.end()
    columns = "*"
    if terse:
        assert listing.terse is not None
        columns = ", ".join(
            _TERSE_COLUMNS.get((listing.view, column), column) for column in listing.terse
        )
    elif listing.hidden:
        columns = f"* EXCLUDE ({listing.hidden})"
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    source = listing.source or f"_sf.main.{listing.view}"
    sql = f"SELECT {columns} FROM {source}{condition} ORDER BY {listing.order}{limit}"
    needs = listing.needs & (_TOLD | _PLACES) if terse else listing.needs
    return Asked(kind, sql, needs, by_postgres=bool(listing.source))


def _scope(words: Words, listing: _Listing, database: str) -> list[str]:
    """What IN asks for, as conditions."""
    if not words.accept_any("IN", "FOR"):
        return []
    kind = words.accept_any("ACCOUNT", "DATABASE", "SCHEMA", "TABLE", "VIEW", "SESSION")
    named = words.token is not None and words.word not in ("STARTS", "LIMIT")
    if words.accept_any(*_OTHER_SCOPES):
        raise SqlError("0A000", "this scope of SHOW is not supported")
    name = words.dotted() if named else ()
    kind = kind or listing.within
    if kind in ("TABLE", "VIEW"):
        if not listing.table:
            raise words.fail()
        if not name:
            return [_of_schema((), listing, database)]
        return _of_table(name, listing, database)
    if kind == "SCHEMA":
        if not listing.schema:
            raise words.fail()
        return [_of_schema(name, listing, database)]
    if kind == "DATABASE" and name:
        if len(name) > 1:
            return [_of_schema(name, listing, database)]
        check_database(name[0], database)
    elif name:
        raise words.fail()
    return []


_OTHER_SCOPES = name_set(
    "CLASS APPLICATION FAILOVER REPLICATION WAREHOUSE USER SERVICE MODEL SHARE TASK PIPE STREAM"
)


def _grants(words: Words, database: str) -> Asked:
    """SHOW [FUTURE] GRANTS in its forms, as questions to Postgres's catalog.

    docs.snowflake.com/en/sql-reference/sql/show-grants
    """
    future = words.accept("FUTURE")
    words.expect("GRANTS")
    what = "SHOW FUTURE GRANTS" if future else "SHOW GRANTS"
    try:
        sql = future_grants(words, database) if future else grants(words, database)
    except SqlError as error:
        if error.sqlstate == "42601":
            raise
        words.rest() if words.token is not None else None
        return Asked(what, "", refused=error)
    if words.accept("LIMIT"):
        sql += f" LIMIT {words.integer()}"
    words.end()
    return Asked(what, sql, by_postgres=True)


def _of_schema(name: tuple[str, ...], listing: _Listing, database: str) -> str:
    if not name:
        return f"{listing.schema} = _sf.main.schema_name_(current_schema())"
    if len(name) > 2:
        raise SqlError("42601", f'improper schema name "{".".join(name)}"')
    if len(name) == 2:
        check_database(name[0], database)
    there = f"_sf.main.schema_there_({literal(engine_schema(name[-1]))})"
    shown = "public" if name[-1].lower() == "main" else name[-1]
    return f"{there} AND lower({listing.schema}) = lower({literal(shown)})"


def _place(name: tuple[str, ...], database: str) -> str:
    """`database.schema` of a relation as DuckDB has it, as a literal; NULL where it is not said."""
    if len(name) > 3:
        raise SqlError("42601", f'improper relation name "{".".join(name)}"')
    if len(name) == 3:
        check_database(name[0], database)
    if len(name) == 1:
        return "NULL"
    return literal(f"{ENGINE_DATABASE}.{engine_schema(name[-2])}")


def _of_table(name: tuple[str, ...], listing: _Listing, database: str) -> list[str]:
    table = literal(name[-1])
    place = f"coalesce({_place(name, database)}, _sf.main.schema_of_({table}))"
    return [
        f"_sf.main.relation_there_({place}, {table})",
        f"lower({listing.schema}) = lower(_sf.main.schema_name_(split_part({place}, '.', 2)))",
        f"lower({listing.table}) = lower({table})",
    ]


def read_describe(words: Words, database: str) -> Asked | None:
    """DESCRIBE of an object as a query; None for what is no object's name (a query)."""
    words.step()
    if words.word in ("SELECT", "WITH", "VALUES", "(", "FROM"):
        return None
    kind = ""
    if words.word_at(1) not in ("", ".", "TYPE"):
        kind = words.step().text.upper()
    elif words.word_at(1) == "" and words.token is not words.tokens[-1]:
        kind = words.step().text.upper()  # a quoted name follows
    if kind in _OF_RELATIONS and words.word in ("TABLE", "VIEW"):
        kind = words.step().text.upper()
    elif kind == "DATABASE" and words.word == "ROLE":
        words.step()
        kind = "DATABASE ROLE"
    if kind not in _DESCRIBED:
        while words.word in _KIND_WORDS and words.word_at(1) != ".":
            kind += f" {words.step().text.upper()}"
        words.rest() if words.token is not None else None
        error = SqlError("0A000", f"DESCRIBE {kind} is not supported")
        return Asked(f"DESCRIBE {kind}", "", refused=error)
    name = words.dotted()
    if kind in ("FUNCTION", "PROCEDURE"):
        types = words.list_in_brackets()
        words.end()
        sql = _describe_routine(kind, name, types)
        return Asked(f"DESCRIBE {kind}", sql, frozenset({"database"}))
    if words.accept("TYPE"):
        words.expect("=")
        if words.accept("STAGE"):
            error = SqlError("0A000", "DESCRIBE TABLE TYPE = STAGE is not supported")
            return Asked("DESCRIBE TABLE", "", refused=error)
        words.expect("COLUMNS")
    words.end()
    what = f"DESCRIBE {kind or 'TABLE'}"
    try:
        return Asked(
            what, _DESCRIBED[kind](name, database), _TOLD if kind in _DATED else _TOLD - {"told"}
        )
    except SqlError as error:
        return Asked(what, "", refused=error)


def _describe_relation(name: tuple[str, ...], database: str) -> str:
    return f"SELECT * FROM _sf.describe_({_place(name, database)}, {literal(name[-1])})"


def _describe_schema(name: tuple[str, ...], database: str) -> str:
    if len(name) == 2:
        check_database(name[0], database)
    return f"SELECT * FROM _sf.describe_schema_({literal(engine_schema(name[-1]))})"


def _describe_database(name: tuple[str, ...], database: str) -> str:
    check_database(name[0], database)
    return "SELECT * FROM _sf.main.describe_database"


def _describe_sequence(name: tuple[str, ...], database: str) -> str:
    schema = "NULL"
    if len(name) == 3:
        check_database(name[0], database)
    if len(name) > 1:
        schema = literal("public" if name[-2].lower() == "main" else name[-2])
    sequence = literal(name[-1])
    there = f"schema_name = _sf.main.sequence_there_({schema}, {sequence})"
    return (
        f"SELECT * FROM _sf.main.show_sequences WHERE lower(name) = lower({sequence}) AND {there}"
    )


def _describe_routine(kind: str, name: tuple[str, ...], types: tuple[str, ...]) -> str:
    place = literal(f"{ENGINE_DATABASE}.{engine_schema(name[-2])}") if name[1:] else "NULL"
    kinds = literal(", ".join(map(kind_of, types))) if types else "NULL"
    return f"SELECT * FROM _sf.describe_routine_({literal(kind)}, {place}, {literal(name[-1])}, {kinds})"


_OF_RELATIONS = frozenset({"DYNAMIC", "MATERIALIZED", "HYBRID", "TRANSIENT", "SECURE", "TEMPORARY"})
_KIND_WORDS = name_set(
    """
    TABLE VIEW POLICY INTEGRATION VOLUME POOL RULE PACKAGE ACCESS MONITOR ROLE SERVICE SEARCH FORMAT
    REPOSITORY LIFECYCLE FUNCTION METRIC ACCOUNT PROFILE LISTING PROJECT SET SERVER GROUP RESULT
    """
)
_DATED = frozenset({"SCHEMA", "DATABASE", "SEQUENCE"})
_DESCRIBED = {
    "": _describe_relation,
    "TABLE": _describe_relation,
    "VIEW": _describe_relation,
    "SCHEMA": _describe_schema,
    "DATABASE": _describe_database,
    "SEQUENCE": _describe_sequence,
    "FUNCTION": _describe_sequence,
    "PROCEDURE": _describe_sequence,
}

LISTED: tuple[str, ...] = tuple(sorted(" ".join(spelled) for spelled in _LISTINGS))
"""What SHOW lists."""
NOT_LISTED: tuple[str, ...] = tuple(sorted(_REFUSED))
"""First words of what SHOW refuses."""
