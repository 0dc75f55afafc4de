"""The files of all stages: directories below `<data-dir>/stages`, which nothing here ever leaves.

Why it exists: a path is a client's own text, so how it becomes a file is decided in one place. Every
part of it is opened from the directory before it and no symbolic link is followed, so neither `..`,
nor an absolute path, nor a link that somebody laid there, leads out; what is no regular file is not
opened at all. A file appears whole or not at all: it is written aside and renamed.

All of it blocks; any thread may call anything. Errors are `SqlError`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from proxy.errors import SqlError

_INCOMING = "incoming"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONGEST = 255  # bytes of a part of a path
_DEEPEST = 64  # parts
_BLOCK = 1 << 20
_KNOWN = 100_000  # digests remembered


@dataclass(frozen=True, slots=True)
class Staged:
    """A file: its path within its stage, bytes, and when it was last changed (seconds, UTC)."""

    path: str
    size: int
    modified: float
    key: tuple[int, int, int]  # inode, size and moment of change: the same for the same content


def parts_of(path: str) -> tuple[str, ...]:
    """The parts of a path within a stage; () for ''. Raises 22023 for what is none."""
    if not path:
        return ()
    parts = tuple(path.split("/"))
    for part in parts:
        wrong = part in ("", ".", "..") or "\0" in part
        if wrong or len(part.encode("utf-8", "surrogatepass")) > _LONGEST:
            raise SqlError("22023", f'"{path}" is not a path within a stage')
    if len(parts) > _DEEPEST:
        raise SqlError("22023", "the path has too many directories")
    return parts


def encoded(kind: str, *names: str) -> str:
    """The name of a directory for a user's or a table's stage: one part of a path, whatever they hold."""
    return "-".join((kind, *(quote(name, safe="") for name in names)))


class StageDirectory:
    """`root`: made where it is not there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming = root / _INCOMING
        incoming.mkdir(mode=0o700, exist_ok=True)
        for left in incoming.iterdir():  # of a process that died
            left.unlink()
        self._lock = threading.Lock()  # directories come and go one at a time
        self._digests: dict[tuple[int, int, int], str] = {}

    # --- ways -------------------------------------------------------------------------------------

    @contextmanager
    def _open(self, stack_parts: Iterable[str], *, make: bool = False) -> Iterator[int]:
        """The descriptor of a directory below the root. Raises FileNotFoundError, NotADirectoryError."""
        with ExitStack() as opened:
            at = os.open(self._root, _DIRECTORY)
            opened.callback(os.close, at)
            for part in stack_parts:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=at)
                at = os.open(part, _DIRECTORY, dir_fd=at)
                opened.callback(os.close, at)
            yield at

    def read(self, stage: str, path: str) -> IO[bytes]:
        """Opens a file. Raises 58P01 where there is none."""
        *parents, name = (stage, *parts_of(path))
        try:
            with self._open(parents) as at:
                descriptor = os.open(name, _READ, dir_fd=at)
        except OSError as error:
            raise _missing(path) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _missing(path)
        return os.fdopen(descriptor, "rb", buffering=_BLOCK)

    def about(self, stage: str, path: str) -> Staged | None:
        """The file of exactly this path."""
        *parents, name = (stage, *parts_of(path))
        try:
            with self._open(parents) as at:
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
        except OSError:
            return None
        return _staged(path, found)

    def listing(self, stage: str, prefix: str = "") -> list[Staged]:
        """The files whose paths start so, in the order of their paths."""
        found: list[Staged] = []
        try:
            with self._open((stage,)) as at:
                for place, _, names, inside in os.fwalk(".", dir_fd=at, follow_symlinks=False):
                    within = "" if place == "." else place.removeprefix("./") + "/"
                    for name in names:
                        path = within + name
                        if not path.startswith(prefix):
                            continue
                        with suppress(FileNotFoundError):
                            about = os.stat(name, dir_fd=inside, follow_symlinks=False)
                            if (staged := _staged(path, about)) is not None:
                                found.append(staged)
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda staged: staged.path)

    def digest(self, stage: str, staged: Staged) -> str:
        """The MD5 of a file's bytes, in hexadecimal digits."""
        known = self._digests.get(staged.key)
        if known is None:
            with self.read(stage, staged.path) as file:
                known = hashlib.file_digest(
                    file, lambda: hashlib.md5(usedforsecurity=False)
                ).hexdigest()
            if len(self._digests) >= _KNOWN:
                self._digests.clear()
            self._digests[staged.key] = known
        return known

    # --- changes ----------------------------------------------------------------------------------

    @contextmanager
    def writing(self, stage: str, path: str, *, replace: bool = True) -> Iterator[IO[bytes]]:
        """A file that is there once the block ends without an error.

        Raises 58P02 where there is one already and it is not to be replaced.
        """
        parts = parts_of(path)
        if not parts:
            raise SqlError("22023", "a file in a stage needs a name")
        own = secrets.token_hex(16)
        with self._open((_INCOMING,)) as incoming:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(own, flags, 0o600, dir_fd=incoming)
            try:
                with os.fdopen(descriptor, "wb", buffering=_BLOCK) as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                self._place(incoming, own, (stage, *parts), path, replace)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(own, dir_fd=incoming)
                raise

    def _place(
        self, incoming: int, own: str, parts: tuple[str, ...], path: str, replace: bool
    ) -> None:
        *parents, name = parts
        try:
            with self._lock, self._open(parents, make=True) as at:
                if replace:
                    os.rename(own, name, src_dir_fd=incoming, dst_dir_fd=at)
                else:
                    os.link(own, name, src_dir_fd=incoming, dst_dir_fd=at, follow_symlinks=False)
                    os.unlink(own, dir_fd=incoming)
        except FileExistsError as error:
            raise SqlError("58P02", f'there is a file "{path}" already') from error
        except OSError as error:
            raise SqlError(
                "58030", f'the file "{path}" cannot be stored: {error.strerror}'
            ) from error

    def remove(self, stage: str, path: str) -> bool:
        """Whether there was such a file. Directories that this leaves empty go with it."""
        *parents, name = (stage, *parts_of(path))
        with self._lock:
            try:
                with self._open(parents) as at:
                    os.unlink(name, dir_fd=at)
            except (FileNotFoundError, NotADirectoryError):
                return False
            while len(parents) > 1:
                *above, empty = parents
                try:
                    with self._open(above) as at:
                        os.rmdir(empty, dir_fd=at)
                except OSError:
                    break
                parents = above
        return True

    def clear(self, stage: str) -> None:
        """Removes all that a stage holds, and its directory."""
        with self._lock, suppress(FileNotFoundError), self._open((stage,)) as at:
            walk = os.fwalk(".", topdown=False, dir_fd=at, follow_symlinks=False)
            for _, directories, names, inside in walk:
                for name in names:
                    os.unlink(name, dir_fd=inside)
                for name in directories:
                    try:
                        os.rmdir(name, dir_fd=inside)
                    except NotADirectoryError:  # a link to one
                        os.unlink(name, dir_fd=inside)
            with self._open(()) as root:
                os.rmdir(stage, dir_fd=root)

    def stages(self) -> list[str]:
        """The directories that are there."""
        return [entry.name for entry in os.scandir(self._root) if entry.name != _INCOMING]


def _staged(path: str, found: os.stat_result) -> Staged | None:
    if not stat.S_ISREG(found.st_mode):
        return None
    key = (found.st_ino, found.st_size, found.st_mtime_ns)
    return Staged(path, found.st_size, found.st_mtime, key)


def _missing(path: str) -> SqlError:
    return SqlError("58P01", f'there is no file "{path}" in the stage')
