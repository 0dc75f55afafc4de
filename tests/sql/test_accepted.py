"""Statements about Snowflake's cloud: each kind of object is taken with a notice or refused by name."""

from __future__ import annotations

import pytest

from proxy.sql.plan import Dialect, plan_message
from proxy.sql.snowflake.accepted import REFUSED, TAKEN
from proxy.sql.statement import Statement

_FORMS = (
    "CREATE {} x ENABLED = TRUE TYPE = 'a' OBJ = (a = 'b')",
    "CREATE OR REPLACE {} x COMMENT = 'c'",
    "ALTER {} IF EXISTS x SET COMMENT = 'c'",
    "ALTER {} x SUSPEND",
    "DROP {} IF EXISTS x",
    "COMMENT ON {} x IS 'c'",
)


def _planned(text: str) -> Statement:
    (statement,) = plan_message(text, Dialect())
    return statement


@pytest.mark.parametrize("kind", sorted(TAKEN))
def test_what_changes_no_answer_is_taken_with_a_notice(kind: str) -> None:
    for form in _FORMS:
        statement = _planned(form.format(kind))
        assert statement.notice, form
        assert statement.refused is None, form


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_would_do_something_is_refused_by_name(kind: str) -> None:
    for form in _FORMS:
        refused = _planned(form.format(kind)).refused
        assert refused is not None, form
        assert refused.sqlstate == "0A000"
        assert kind in refused.message
        assert refused.hint


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("SHOW PASSWORD POLICIES", "SHOW PASSWORD POLICIES"),
        ("SHOW GRANTS TO SHARE s", "SHOW GRANTS TO SHARE"),
        ("SHOW DATABASE ROLES", "SHOW DATABASE ROLES"),
        ("DESCRIBE MASKING POLICY p", "DESCRIBE MASKING POLICY"),
        ("DESCRIBE DATABASE ROLE r", "DESCRIBE DATABASE ROLE"),
        ("EXECUTE MANAGED TASK t", "EXECUTE TASK"),
        ("COPY FILES INTO @a FROM @b", "COPY FILES"),
        ("ALTER DATABASE d ENABLE REPLICATION TO ACCOUNTS a.b", "ALTER DATABASE ... ENABLE"),
        ("ALTER SCHEMA s SWAP WITH t", "ALTER SCHEMA ... SWAP WITH"),
        ("ALTER USER u ABORT ALL QUERIES", "ABORT ALL QUERIES"),
        ("GRANT SELECT ON TABLE t TO DATABASE ROLE d.r", "GRANT TO DATABASE ROLE"),
        (
            "CREATE TABLE t (a INT, CONSTRAINT c CHECK (a > 0) NOT ENFORCED)",
            "CHECK ... NOT ENFORCED",
        ),
        ("ALTER FUNCTION f(INT) SET SECRETS = ('a' = b)", "ALTER FUNCTION ... SET SECRETS"),
    ],
)
def test_other_forms_are_refused_by_name(statement: str, named: str) -> None:
    refused = _planned(statement).refused
    assert refused is not None
    assert refused.sqlstate == "0A000"
    assert named in refused.message


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SCHEMA s SET DATA_RETENTION_TIME_IN_DAYS = 3, COMMENT = 'c'",
        "ALTER SCHEMA IF EXISTS s ENABLE MANAGED ACCESS",
        "ALTER DATABASE d UNSET TAG a, b",
        "ALTER STAGE s SET TAG a = 'b'",
        "ALTER USER u UNSET DEFAULT_ROLE",
        "COMMENT ON USER u IS 'c'",
        "GRANT USAGE ON FILE FORMAT f TO ROLE r",
        "GRANT CREATE MATERIALIZED VIEW ON SCHEMA d.s TO ROLE r",
    ],
)
def test_properties_that_change_no_answer_are_taken(statement: str) -> None:
    planned = _planned(statement)
    assert planned.refused is None
    assert planned.notice
