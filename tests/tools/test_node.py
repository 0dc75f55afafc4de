"""Drivers and mappers of node, from npm.

The packages are installed into a temporary directory, where there is `npm` and it reaches a registry;
`HATIDATA_TEST_NODE_MODULES` names a directory that has them already.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

_SCRIPTS = Path(__file__).with_name("node")
_MAPPERS = ("pg@8", "knex@3", "postgres@3", "typeorm@1", "sequelize@6")
_PRISMA = ("@prisma/adapter-pg@7.10.1", "@prisma/schema-engine-wasm@7.10.0-7.561d7b42579a2459cc8edf3788918b626c640023")  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the scripts, beside the packages that they use."""
    if shutil.which("node") is None:
        pytest.skip("no node")
    directory = tmp_path_factory.mktemp("node")
    for script in _SCRIPTS.iterdir():
        shutil.copy(script, directory)
    given = os.environ.get("HATIDATA_TEST_NODE_MODULES", "")
    if given:
        (directory / "node_modules").symlink_to(given)
        return directory
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm")
    (directory / "package.json").write_text("{}")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(
            [*install, "--fetch-retries=0", *_MAPPERS, *_PRISMA],
            cwd=directory,
            check=True,
            capture_output=True,
            text=True,
            timeout=180,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm does not install: {error.stderr!s:.200}")
    return directory


def ran(project: Path, script: str, url: str) -> Any:
    """What a script prints, as JSON."""
    done = subprocess.run(
        ["node", script, url],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pg(project: Path, server: Any, connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE sold (id INT, note TEXT)")
    connection.execute("INSERT INTO sold VALUES (1, 'x'), (2, NULL)")
    one, first, second, code, tables = ran(project, "pg.js", server.url)
    # node's pg leaves 64-bit integers as text, and `int` has 64 bits in Snowflake's dialect.
    assert one == [{"n": "42", "s": "x"}]
    assert (first, second) == ([{"id": "1", "note": "x"}], [{"id": "2", "note": None}])
    assert (code, tables) == ("42703", [{"table_name": "sold"}])


def test_postgres(project: Path, server: Any, schema: str) -> None:
    assert ran(project, "postgres.js", server.url) == {
        "inserted": [
            {"id": 1, "name": "a", "tags": ["x", "y"]},
            {"id": 2, "name": "b", "tags": []},
        ],
        "found": [{"name": "a"}, {"name": "b"}],
        "cursor": 1000,
        "code": "42703",
        "rolledBack": "no",
        "left": 2,
    }


def test_knex(project: Path, server: Any, schema: str) -> None:
    assert ran(project, "knex.js", server.url) == {
        "there": [True, False],
        "inserted": [{"id": 1}, {"id": 2}],
        "joined": [
            {"id": 1, "name": "x", "price": "0.00", "note": "n"},
            {"id": 2, "name": "y", "price": "0.00", "note": None},
        ],
        "merged": [{"id": 1, "price": "5.00"}],
        "counted": "2",
        "columns": [
            ["id", "integer", False],
            ["name", "text", False],
            ["price", "numeric", True],
            ["created_at", "timestamp with time zone", False],
            ["updated_at", "timestamp with time zone", False],
            ["color", "text", True],
        ],
    }


def test_typeorm(project: Path, server: Any, schema: str) -> None:
    found = ran(project, "typeorm.js", server.url)
    assert (found["name"], found["titles"]) == ("x", ["t"])


def test_sequelize(project: Path, server: Any, schema: str) -> None:
    assert ran(project, "sequelize.js", server.url) == {
        "nested": [[1], [], []],
        "changed": 2,
        "upserted": "a",
        "patterns": 2,
        "overlapping": 1,
        "locked": "9.00",
        "columns": [
            "id INTEGER",
            "name CHARACTER VARYING(40)",
            "role USER-DEFINED",
            "meta JSONB",
            "tags ARRAY",
            "score NUMERIC",
            "more INTEGER",
        ],
        "tables": ["PostTag", "Posts", "Tags", "Users"],
        "left": [0, 1],
    }


def test_prisma(project: Path, server: Any, connection: psycopg.Connection, schema: str) -> None:
    connection.execute(
        "CREATE TABLE makers (id SERIAL PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE, "
        "price DECIMAL(8,2) DEFAULT 0, at TIMESTAMPTZ DEFAULT now())"
    )
    connection.execute(
        "CREATE TABLE things (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "
        "maker_id INT4 REFERENCES makers (id), note TEXT)"
    )
    connection.execute("CREATE INDEX things_by_note ON things (note)")
    found = ran(project, "prisma.mjs", server.url)
    models = found.partition("model ")[2]
    assert [
        " ".join(line.split()) for line in ("model " + models).splitlines() if line.strip()
    ] == [
        "model makers {",
        "id Int @id @default(autoincrement())",
        "name String @unique @db.VarChar(20)",
        "price Decimal? @default(0) @db.Decimal(8, 2)",
        "at DateTime? @default(now()) @db.Timestamptz(6)",
        "things things[]",
        "}",
        "model things {",
        "id BigInt @id @default(autoincrement())",
        "maker_id Int?",
        "note String?",
        "makers makers? @relation(fields: [maker_id], references: [id], onDelete: NoAction, "
        "onUpdate: NoAction)",
        '@@index([note], map: "things_by_note")',
        "}",
    ]
