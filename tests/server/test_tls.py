"""TLS: asked for in the old way, at once, not at all; and a renewed certificate."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.demo.server import ServerProcess
from tests.conftest import Running

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl to make keys with"
)


def _certificate(directory: Path, name: str) -> tuple[Path, Path]:
    certificate, key = directory / "server.crt", directory / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@dataclass(frozen=True)
class _Secured(Running):
    """directory: of the certificate and its key."""

    directory: Path


@pytest.fixture(scope="module")
def secured() -> Iterator[_Secured]:
    with tempfile.TemporaryDirectory(prefix="hd") as root:
        directory = Path(root)
        certificate, key = _certificate(directory, "first")
        options = ("--tls-cert", str(certificate), "--tls-key", str(key))
        with ServerProcess(directory, *options) as up:
            yield _Secured(up, directory)


def _name_served(port: int, direct: bool) -> str:
    """Connects like a client, and gives the common name of the certificate it is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql"])
    with socket.create_connection(("127.0.0.1", port)) as plain:
        if not direct:
            plain.sendall(bytes.fromhex("00000008 04d2162f"))
            assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(bytes.fromhex("00000015 00030000") + b"user\0tester\0\0")
            assert secure.recv(1) == b"R"
            shown = secure.getpeercert(binary_form=True)
            assert shown is not None
            text = ssl.DER_cert_to_PEM_cert(shown)
    subject = subprocess.run(
        ["openssl", "x509", "-noout", "-subject"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return subject.stdout.strip().rpartition("=")[2].strip()


def test_drivers_connect_with_tls_and_move_much_data(secured: _Secured) -> None:
    with secured.connect(sslmode="require") as connection:
        assert connection.pgconn.ssl_in_use
        rows = connection.execute("SELECT i, repeat('x', 100) FROM range(100000) t(i)").fetchall()
        assert len(rows) == 100_000
        assert rows[-1] == (99_999, "x" * 100)


def test_the_certificate_is_verified_by_those_who_ask(secured: _Secured) -> None:
    url = secured.url.replace("127.0.0.1", "localhost")
    options: dict[str, Any] = {
        "sslmode": "verify-full",
        "sslrootcert": str(secured.directory / "server.crt"),
    }
    with psycopg.connect(url, **options) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_clients_without_tls_are_still_served(secured: _Secured) -> None:
    with secured.connect(sslmode="disable") as connection:
        assert not connection.pgconn.ssl_in_use


def test_tls_from_the_first_byte(secured: _Secured) -> None:
    assert _name_served(secured.port, direct=True) == "first"


def test_sighup_takes_the_renewed_certificate_and_keeps_the_old_one_if_it_is_broken(
    secured: _Secured,
) -> None:
    kept = secured.connect(sslmode="require")
    _certificate(secured.directory, "second")
    os.kill(secured.pid, signal.SIGHUP)
    while _name_served(secured.port, direct=False) != "second":
        pass
    (secured.directory / "server.crt").write_text("no certificate")
    os.kill(secured.pid, signal.SIGHUP)
    while "not reloaded" not in secured.process.log():
        pass
    assert _name_served(secured.port, direct=False) == "second"
    assert kept.execute("SELECT 1").fetchone() == (1,)
    kept.close()
    _certificate(secured.directory, "first")
    os.kill(secured.pid, signal.SIGHUP)
    while _name_served(secured.port, direct=False) != "first":
        pass


def test_a_certificate_that_is_none_stops_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.crt"
    broken.write_text("nothing")
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "proxy.cli", "serve", "--port", "0"),
            *("--tls-cert", str(broken), "--data-dir", str(tmp_path / "data")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "cannot use the TLS certificate" in ended.stderr
