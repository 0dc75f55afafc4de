"""ENCRYPT and DECRYPT, and their RAW forms: AES over columns, by OpenSSL as `cryptography` binds it.

A passphrase's key is derived with PBKDF2 from a salt that lies in front of what it encrypts; one salt
serves a passphrase for a chunk of rows, since deriving a key is slow on purpose, and each row has an
initialization vector of its own. Snowflake does not document its own layout, so what is encrypted
there cannot be decrypted here, nor the other way round. The RAW forms have no layout of ours: key,
vector, ciphertext and tag are AES's own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

_SALT, _TAG, _KEY, _ROUNDS = 16, 16, 32, 100_000
_FAILED = "Decryption failed. Check encrypted data, key, AAD, or AEAD tag."

_VECTORS = {"GCM": 12, "CCM": 7, "CBC": 16, "CTR": 16, "OFB": 16, "ECB": 0}
_AUTHENTICATED: dict[str, type[AESGCM] | type[AESCCM]] = {"GCM": AESGCM, "CCM": AESCCM}
_PADDED = frozenset({"CBC", "ECB"})


def _output_feedback(vector: bytes) -> Any:
    from cryptography.hazmat.decrepit.ciphers.modes import OFB

    return OFB(vector)


_MODES: dict[str, Callable[[bytes], Any]] = {
    "CBC": modes.CBC,
    "CTR": modes.CTR,
    "ECB": lambda vector: modes.ECB(),
    "OFB": _output_feedback,
}


@dataclass(frozen=True, slots=True)
class _Method:
    """A cipher mode of AES; padded: whether PKCS fills the last block."""

    mode: str
    padded: bool

    @property
    def vector(self) -> int:
        """How many bytes the initialization vector has."""
        return _VECTORS[self.mode]

    @property
    def tag(self) -> int:
        """How many bytes authenticate the rest; 0 where nothing does."""
        return _TAG if self.mode in _AUTHENTICATED else 0


def _method(spelled: str) -> _Method:
    """AES-GCM, AES-CBC/pad:NONE: algorithm, mode and padding. Raises ValueError for others."""
    name, _, padding = spelled.upper().replace(" ", "").partition("/")
    algorithm, _, mode = name.partition("-")
    mode = mode or "GCM"
    known = {"": mode in _PADDED, "PAD:PKCS": True, "PAD:NONE": False}
    if algorithm != "AES" or mode not in _VECTORS or padding not in known:
        raise ValueError(f"'{spelled}' is not a supported encryption method.")
    return _Method(mode, known[padding] and mode in _PADDED)


def _encrypted(how: _Method, key: bytes, vector: bytes, value: bytes, aad: bytes) -> bytes:
    """The ciphertext, with the tag behind it where the mode has one."""
    if how.mode in _AUTHENTICATED:
        return _AUTHENTICATED[how.mode](key).encrypt(vector, value, aad)
    if aad:
        raise ValueError(f"AAD is not supported by encryption mode {how.mode}.")
    if how.padded:
        padder = PKCS7(128).padder()
        value = padder.update(value) + padder.finalize()
    work = Cipher(algorithms.AES(key), _MODES[how.mode](vector)).encryptor()
    return work.update(value) + work.finalize()


def _decrypted(how: _Method, key: bytes, vector: bytes, value: bytes, aad: bytes) -> bytes:
    """Raises ValueError where key, vector, additional data or tag are not those of the value."""
    try:
        if how.mode in _AUTHENTICATED:
            return _AUTHENTICATED[how.mode](key).decrypt(vector, value, aad)
        work = Cipher(algorithms.AES(key), _MODES[how.mode](vector)).decryptor()
        plain = work.update(value) + work.finalize()
        if how.padded:
            remover = PKCS7(128).unpadder()
            plain = remover.update(plain) + remover.finalize()
    except (InvalidTag, ValueError) as error:
        raise ValueError(_FAILED) from error
    return plain


class _Keys:
    """Keys derived for one chunk of rows; nothing is kept after it."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, bytes], bytes] = {}
        self._salts: dict[str, bytes] = {}

    def salt(self, passphrase: str) -> bytes:
        return self._salts.setdefault(passphrase, os.urandom(_SALT))

    def key(self, passphrase: str, salt: bytes) -> bytes:
        known = self._keys.get((passphrase, salt))
        if known is None:
            known = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, _KEY)
            self._keys[passphrase, salt] = known
        return known


Row = tuple[Any, ...]


def _each(
    arrays: Iterable[pa.Array], kind: pa.DataType, of: Callable[..., Any], *, strict: bool = True
) -> pa.Array:
    """`of` each row; NULL where an argument is, or, unless strict, where a ValueError is raised."""

    def answer(row: Row) -> Any:
        if None in row:
            return None
        try:
            return of(*row)
        except ValueError:
            if strict:
                raise
            return None

    columns = [array.to_pylist() for array in arrays]
    return pa.array(map(answer, zip(*columns, strict=True)), kind)


def sealed(values: pa.Array, passphrases: pa.Array, aads: pa.Array, methods: pa.Array) -> pa.Array:
    """ENCRYPT: salt, initialization vector and ciphertext of each row."""
    keys = _Keys()

    def one(value: bytes, passphrase: str, aad: bytes, method: str) -> bytes:
        how = _method(method)
        salt, vector = keys.salt(passphrase), os.urandom(how.vector)
        return salt + vector + _encrypted(how, keys.key(passphrase, salt), vector, value, aad)

    return _each((values, passphrases, aads, methods), pa.binary(), one)


def _opened(arrays: tuple[pa.Array, ...], *, strict: bool) -> pa.Array:
    keys = _Keys()

    def one(value: bytes, passphrase: str, aad: bytes, method: str) -> bytes:
        how = _method(method)
        salt, vector = value[:_SALT], value[_SALT : _SALT + how.vector]
        if len(value) < _SALT + how.vector + how.tag:
            raise ValueError(_FAILED)
        key = keys.key(passphrase, salt)
        return _decrypted(how, key, vector, value[_SALT + how.vector :], aad)

    return _each(arrays, pa.binary(), one, strict=strict)


def opened(*arrays: pa.Array) -> pa.Array:
    """DECRYPT of values, passphrases, additional data and methods."""
    return _opened(arrays, strict=True)


def try_opened(*arrays: pa.Array) -> pa.Array:
    """TRY_DECRYPT: NULL for what cannot be decrypted."""
    return _opened(arrays, strict=False)


def _checked(how: _Method, key: bytes, vector: bytes) -> None:
    if len(key) not in (16, 24, 32):
        raise ValueError(f"Invalid key size of {len(key) * 8} bits: AES takes 128, 192 or 256.")
    if len(vector) != how.vector:
        expected = how.vector * 8
        raise ValueError(
            f"Invalid initialization vector size of {len(vector) * 8} bits: "
            f"{how.mode} takes {expected}."
        )


def sealed_raw(*arrays: pa.Array) -> pa.Array:
    """ENCRYPT_RAW of values, keys, vectors (none: one is made), additional data and methods.

    Gives JSON texts with ciphertext, iv and, where the mode has one, tag, in hexadecimal.
    """

    def one(value: bytes, key: bytes, vector: bytes, aad: bytes, method: str) -> str:
        how = _method(method)
        vector = (vector or os.urandom(how.vector)) if how.vector else b""
        _checked(how, key, vector)
        made = _encrypted(how, key, vector, value, aad)
        cut = len(made) - how.tag
        parts = {"ciphertext": made[:cut], "iv": vector, "tag": made[cut:]}
        if not how.tag:
            del parts["tag"]
        return json.dumps({name: part.hex().upper() for name, part in parts.items()})

    return _each(arrays, pa.string(), one)


def _opened_raw(arrays: tuple[pa.Array, ...], *, strict: bool) -> pa.Array:
    def one(value: bytes, key: bytes, iv: bytes, aad: bytes, method: str, tag: bytes) -> bytes:
        how = _method(method)
        _checked(how, key, iv if how.vector else b"")
        if len(tag) != how.tag:
            raise ValueError(_FAILED)
        return _decrypted(how, key, iv, value + tag, aad)

    return _each(arrays, pa.binary(), one, strict=strict)


def opened_raw(*arrays: pa.Array) -> pa.Array:
    """DECRYPT_RAW of values, keys, vectors, additional data, methods and tags."""
    return _opened_raw(arrays, strict=True)


def try_opened_raw(*arrays: pa.Array) -> pa.Array:
    """TRY_DECRYPT_RAW: NULL for what cannot be decrypted."""
    return _opened_raw(arrays, strict=False)
