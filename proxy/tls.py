"""TLS between a client's socket and the protocol, as a filter on bytes.

A connection may begin in the clear and be secured after an SSLRequest, or begin with TLS at once as
Postgres 17's clients can; in both cases some bytes may have been read already. So the layer is a
pair of memory BIOs around the library's own state machine, fed by the link, whatever came first.
"""

from __future__ import annotations

import ssl
from pathlib import Path

_CHUNK = 1 << 16

CLIENT_HELLO = 0x16  # the first byte of a TLS handshake; no startup packet begins with it


class ServerTls:
    """The server's certificate; `reload` takes a renewed one for connections to come."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """Raises OSError or ssl.SSLError for files that are no certificate and its key."""
        self._certificate, self._key = certificate, key
        self.reload()

    def reload(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["postgresql"])
        context.load_cert_chain(self._certificate, self._key)
        self.context = context


class TlsLayer:
    """One connection's TLS. `receive` and `send` return what the other side is to be given."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._established = False
        self._waiting = bytearray()  # what was to be sent before the handshake was over

    def receive(self, data: bytes) -> bytes:
        """Ciphertext in, plaintext out. Raises ssl.SSLError; answers wait in `pending`."""
        self._incoming.write(data)
        if not self._established:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self._established = True
            if self._waiting:
                self._tls.write(bytes(self._waiting))
                self._waiting.clear()
        pieces: list[bytes] = []
        while True:
            try:
                piece = self._tls.read(_CHUNK)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                break
            if not piece:
                break
            pieces.append(piece)
        return b"".join(pieces)

    def send(self, data: bytes | memoryview) -> bytes:
        """Plaintext in, ciphertext out."""
        if not self._established:
            self._waiting += data
            return b""
        self._tls.write(data)
        return self._outgoing.read()

    def pending(self) -> bytes:
        """What the handshake has to say."""
        return self._outgoing.read()
