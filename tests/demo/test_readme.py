"""What the README shows is what happens."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from proxy.config import Settings
from proxy.demo.server import ServerProcess

_README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _README, re.DOTALL | re.MULTILINE)


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_the_tour_prints_what_it_says() -> None:
    statements, printed = _blocks("sql"), _blocks("text")
    with (
        tempfile.TemporaryDirectory(prefix="hd-") as directory,
        ServerProcess(Path(directory)) as server,
    ):
        psql = subprocess.run(
            ["psql", "-X", "-U", "ana", server.url],
            # A marker between the blocks, so that each is compared by itself.
            input="\\echo -- next\n".join(statements),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
    assert psql.stdout.split("-- next\n") == printed


def test_the_table_of_settings_is_complete() -> None:
    rows = [line for line in _README.splitlines() if line.startswith("| `--")]
    flags = {line.split("`")[1] for line in rows}
    assert flags == {f"--{name.replace('_', '-')}" for name in Settings.model_fields} | {"--config"}
    for name, field in Settings.model_fields.items():
        (row,) = (line for line in rows if f"| `{name}` |" in line)
        assert f"`HATIDATA_{name.upper()}`" in row
        if field.default not in (None, ()):
            assert f"| `{field.default}` |" in row
