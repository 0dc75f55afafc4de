"""Drivers of other languages, of which Debian has packages, where they are installed.

`libdbd-pg-perl`, `php-pgsql`, `ruby-pg` with `ruby-sequel` and `ruby-activerecord`. Each script makes tables, writes, asks for
what there is, and prints what it found.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_SCRIPTS = Path(__file__).with_name("languages")
_BOTH_LOADED = "exit(!(extension_loaded('pdo_pgsql') && extension_loaded('pgsql')));"


def _has(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def _found(server: Any, dialect: str, *command: str) -> dict[str, Any]:
    done = subprocess.run(
        [*command, server.host, str(server.port), "scratch", dialect],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PGOPTIONS": f"-c hatidata.dialect={dialect}"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


pytestmark = pytest.mark.parametrize("dialect", ["snowflake", "postgres"])


@pytest.mark.skipif(not _has("perl", "-MDBD::Pg", "-e", "1"), reason="no DBD::Pg")
def test_perls_dbi(server: Any, schema: str, dialect: str) -> None:
    assert _found(server, dialect, "perl", str(_SCRIPTS / "dbi.pl")) == {
        "row": [1, "it's \\ 1", "1.50", ["a", "b c"]],
        "tables": ["goods"],
        "columns": [
            *("id integer", "name character varying", "price numeric", "image bytea"),
            "tags text[]",
        ],
        "key": ["id"],
        "left": [2, 9],
        "state": "42703",
        "quoted": "a'b\\c",
    }


@pytest.mark.skipif(not _has("php", "-r", _BOTH_LOADED), reason="no PDO for Postgres")
def test_phps_pdo(server: Any, schema: str, dialect: str) -> None:
    assert _found(server, dialect, "php", str(_SCRIPTS / "pdo.php")) == {
        "id": 1,
        "last": "1",
        "type": "varchar",
        "row": {"name": "it's", "price": "1.50", "sold": True},
        "rows": 2,
        "quoted": "a'b\\x",
        "state": "42703",
        "columns": ["id", "name", "price", "sold"],
        "selected": [{"name": "copied"}],
    }


@pytest.mark.skipif(not _has("ruby", "-e", "require 'pg'; require 'sequel'"), reason="no Sequel")
def test_rubys_sequel(server: Any, schema: str, dialect: str) -> None:
    whole = "bigint" if dialect == "snowflake" else "integer"
    assert _found(server, dialect, "ruby", str(_SCRIPTS / "sequel.rb")) == {
        "inserted": 1,
        "updated": 1,
        "sum": "3.5",
        "paged": 3,
        "upserted": 1,
        "deleted": [{"name": "c"}],
        "names": ["z", "b"],
        "tables": ["goods", "orders"],
        "columns": [["id", whole, True], ["name", "text", False], ["price", "numeric(8,2)", False]],
        "indexes": [["name"]],
        "references": [[["goods_id"], ["id"]]],
        "copied": "copied",
    }  # fmt: skip


@pytest.mark.skipif(
    not _has("ruby", "-e", "require 'pg'; require 'active_record'"), reason="no ActiveRecord"
)
def test_rails_active_record(server: Any, schema: str, dialect: str) -> None:
    found = _found(server, dialect, "ruby", "-W0", str(_SCRIPTS / "active_record.rb"))
    assert found == {
        "row": [1, "it's \\ Ann", {"k": {"n": 1}}, ["a", "b c"], "12.5", "PT1H30M", [0, 255]],
        "defaults": [0, {}, []],
        "posts": [["draft", 1], ["live", 1]],
        "joined": ["a@x"],
        "loaded": [2, 0],
        "created": ["Z", "Z"],
        "inserted": [["I"]],
        "upserted": [["a@x", "it's \\ Ann"], ["i@x", "I"], ["u@x", "U"], ["z@x", "Y"]],
        "twice": "ActiveRecord::RecordNotUnique",
        "batches": [2, 2, 1],
        "json": 1,
        "any": 1,
        "tables": ["authors", "posts"],
        "key": ["id", "id", "scratch.authors_id_seq"],
        "indexes": [["index_authors_on_email", ["email"], True]],
        "columns": [
            ["id", "bigint", False, None],
            ["author_id", "bigint", False, None],
            ["heading", "text", True, "none"],
            ["status", "integer", False, "0"],
            ["views", "bigint", False, "0"],
        ],
        "locked": [True, True],
        "back": ["id", "author_id", "title", "status"],
    }
