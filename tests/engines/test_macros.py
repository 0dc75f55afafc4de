"""The macros that an engine has are kept in a file, which is made again where it does not serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.engines.duck.engine import DuckEngine

TWICE = "CREATE MACRO _sf.twice(x) AS 2 * x"
THRICE = "CREATE MACRO _sf.thrice(x) AS 3 * x"


def _asked(directory: Path, macros: list[str], sql: str) -> object:
    engine = DuckEngine(directory / "hatidata.duckdb", macros=macros)
    session = engine.session()
    try:
        return session.run(sql)[0][0]
    finally:
        session.close()
        engine.close()


def _kept(directory: Path) -> list[Path]:
    return list(directory.glob("macros.*"))


def test_they_are_made_once(tmp_path: Path) -> None:
    assert _asked(tmp_path, [TWICE], "SELECT _sf.twice(4)") == 8
    [kept] = _kept(tmp_path)
    made = kept.stat().st_mtime_ns, kept.read_bytes()
    assert _asked(tmp_path, [TWICE], "SELECT _sf.twice(5)") == 10
    assert _kept(tmp_path) == [kept]
    assert (kept.stat().st_mtime_ns, kept.read_bytes()) == made


@pytest.mark.parametrize("damage", [b"", b"no database", b"\0" * 100_000])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: bytes) -> None:
    _asked(tmp_path, [TWICE], "SELECT _sf.twice(4)")
    [kept] = _kept(tmp_path)
    kept.write_bytes(damage)
    assert _asked(tmp_path, [TWICE], "SELECT _sf.twice(5)") == 10
    assert _kept(tmp_path) == [kept]


def test_others_have_another_file(tmp_path: Path) -> None:
    _asked(tmp_path, [TWICE], "SELECT 1")
    before = _kept(tmp_path)
    assert _asked(tmp_path, [TWICE, THRICE], "SELECT _sf.thrice(_sf.twice(1))") == 6
    assert len(_kept(tmp_path)) == 1
    assert _kept(tmp_path) != before


def test_what_was_left_half_made_is_in_nobodys_way(tmp_path: Path) -> None:
    _asked(tmp_path, [TWICE], "SELECT 1")
    [kept] = _kept(tmp_path)
    kept.rename(kept.with_suffix(".duckdb.new"))
    assert _asked(tmp_path, [TWICE], "SELECT _sf.twice(4)") == 8
    assert _kept(tmp_path) == [kept]
