"""Who a client is to Postgres: every client acts as a login role of its own, never a stronger one.

A relayed statement runs on a backend that was *authenticated* as the client's role, so there is
nothing to escape to with RESET ROLE. On the embedded Postgres, which only the proxy can reach, a
role is made for each user name that turns up, a member of `hd_agent`. On a server that is given by
a DSN nobody's roles are ours to make up: there, until clients are authenticated, all of them act as
`hatidata_client`, whose password lives in a table that only the DSN's role can read.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import psycopg
from psycopg import sql

SHARED_ROLE = "hatidata_client"
_MAX_NAME = 63  # bytes; Postgres would cut a longer name and so confuse two users

_STRONG = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"

_CREDENTIALS = """
CREATE SCHEMA IF NOT EXISTS hatidata_private;
REVOKE ALL ON SCHEMA hatidata_private FROM PUBLIC;
CREATE TABLE IF NOT EXISTS hatidata_private.credentials (
    role text PRIMARY KEY,
    password text NOT NULL
);
COMMENT ON TABLE hatidata_private.credentials IS
    'How the proxies log in as the role that clients act as; readable by its owner alone.';
"""


class RoleRefused(Exception):
    """This user name cannot be acted as; the text says why."""


class Login(NamedTuple):
    role: str
    password: str | None


def shared_login(conninfo: str) -> Login:
    """The login that all clients share on a server given by a DSN; made at the first start.

    Raises psycopg.Error, with InsufficientPrivilege where the DSN's role may not create roles.
    """
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('hatidata.credentials'))")
        connection.execute(_CREDENTIALS)
        row = connection.execute(
            "SELECT password FROM hatidata_private.credentials WHERE role = %s", [SHARED_ROLE]
        ).fetchone()
        password: str = row[0] if row else secrets.token_urlsafe(32)
        if row is None:
            connection.execute(
                "INSERT INTO hatidata_private.credentials VALUES (%s, %s)", [SHARED_ROLE, password]
            )
            _create(connection, SHARED_ROLE)
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(SHARED_ROLE), sql.Literal(password)
                )
            )
    return Login(SHARED_ROLE, password)


def login_for(conninfo: str, user: str) -> Login:
    """The login of one user on the embedded Postgres; made when it is not there yet.

    Raises `RoleRefused` for a role that is more than a client's, and for a name Postgres cannot hold.
    """
    if len(user.encode()) > _MAX_NAME:
        raise RoleRefused(f"user name is longer than {_MAX_NAME} bytes")
    if user.startswith("pg_"):
        raise RoleRefused(f'role name "{user}" is reserved')
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('hatidata.roles'))")
        row = connection.execute(
            f"SELECT rolcanlogin AND NOT ({_STRONG}) FROM pg_roles WHERE rolname = %s", [user]
        ).fetchone()
        if row is None:
            _create(connection, user)
        elif not row[0]:
            raise RoleRefused(f'clients may not act as role "{user}"')
    return Login(user, None)


def set_operator(conninfo: str, user: str, *, operator: bool, create: bool) -> None:
    """Makes a user a member of `hd_operator`, or an agent and no more again.

    create: a login role that is not there yet is made. Raises `RoleRefused` as `login_for`, or
    where there is no such role.
    """
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET client_min_messages = error")  # is one, or is none, already
        found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [user]).fetchone()
        if found is None and not create:
            raise RoleRefused(f'there is no role "{user}"; clients here act as "{SHARED_ROLE}"')
        login_for(conninfo, user)
        statement = "GRANT hd_operator TO {}" if operator else "REVOKE hd_operator FROM {}"
        connection.execute(sql.SQL(statement).format(sql.Identifier(user)))


def _create(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    if not exists:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN IN ROLE hd_agent").format(sql.Identifier(name))
        )
