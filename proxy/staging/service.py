"""What all sessions share of stages: the directory, the reader of Parquet, and who may do what now.

`allowed` are the directories of the server's own file system that PUT reads from and GET writes to;
none unless the server was started with some.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary

from proxy.engines.duck.engine import DuckEngine
from proxy.errors import SqlError
from proxy.staging import catalog
from proxy.staging.columnar import ParquetFiles
from proxy.staging.directory import StageDirectory

_WILDCARDS = frozenset("*?")


class StageService:
    """Of the process. Blocks while it is made."""

    def __init__(self, root: Path, duck: DuckEngine, allowed: tuple[Path, ...] = ()) -> None:
        self.files = StageDirectory(root)
        self.parquet = ParquetFiles(root)
        self._allowed = tuple(directory.resolve() for directory in allowed)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Tables of which something is kept: a name too many costs a look when it is dropped.
        self.tables: set[str] = set()
        self._tidy(duck)

    def _tidy(self, duck: DuckEngine) -> None:
        """Removes the directories of stages that are not there any more."""
        session = duck.session()
        try:
            used: set[str] = set()
            for kind in (catalog.STAGE, catalog.TABLE_STAGE):
                for kept in catalog.every(session, kind):
                    try:
                        used.add(catalog.id_of(kept.document))
                    except SqlError:
                        continue
            for kind in (catalog.LOADS, catalog.TABLE_STAGE):
                prefix = len(kind) + 1
                self.tables.update(kept.key[prefix:] for kept in catalog.every(session, kind))
            for stage in self.files.stages():
                if not stage.startswith("user-") and stage not in used:
                    self.files.clear(stage)
        finally:
            session.close()

    def close(self) -> None:
        self.parquet.close()

    def lock(self, key: str) -> asyncio.Lock:
        """One at a time for whoever asks with the same key. On the loop."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    # --- the server's own files -------------------------------------------------------------------

    def _within(self, path: Path) -> bool:
        return any(path == root or root in path.parents for root in self._allowed)

    def sources(self, said: str) -> list[Path]:
        """Blocks. The files that PUT names, wildcards in the last part. Raises 42501, 58P01."""
        given = Path(_absolute(said))
        parent = self._permitted(given.parent, said)
        if _WILDCARDS.isdisjoint(given.name):
            found = [parent / given.name]
        else:
            pattern = given.name.replace("[", "[[]")  # * and ? alone mean something
            found = sorted(path for path in parent.iterdir() if fnmatchcase(path.name, pattern))
        files = [path for path in found if path.is_file() and self._within(path.resolve())]
        if not files:
            raise SqlError("58P01", f'there is no file "{said}"')
        return files

    def target(self, directory: str) -> Path:
        """Blocks. The directory that GET names. Raises 42501, 58P01."""
        found = self._permitted(Path(_absolute(directory)), directory)
        if not found.is_dir():
            raise SqlError("58P01", f'there is no directory "{directory}"')
        return found

    def _permitted(self, directory: Path, said: str) -> Path:
        resolved = directory.resolve()
        if not self._within(resolved):
            raise SqlError(
                "42501",
                f'the server may not touch "{said}"',
                detail="PUT and GET run in the server, not in the client.",
                hint="Send and fetch files through the connection: COPY @stage/file FROM STDIN and"
                " COPY @stage/file TO STDOUT (psql: \\copy @stage/file from 'local.csv'). Or start"
                " the server with --allow-directory.",
            )
        return resolved

    @contextmanager
    def opened(self, path: Path) -> Iterator[IO[bytes]]:
        """Blocks. A source for reading, in an allowed directory still once it is open."""
        with open(path, "rb", opener=_no_link) as file:
            if not self._within(Path(os.readlink(f"/proc/self/fd/{file.fileno()}"))):
                raise SqlError("42501", f'the server may not touch "{path}"')
            yield file

    def created(self, directory: Path, name: str) -> IO[bytes]:
        """Blocks. A file to be written anew in a directory of the server's own."""
        return open(directory / name, "wb", opener=_no_link)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise SqlError("22023", f'"{path}" is not an absolute path: file:///directory/file')
    if "\0" in path:
        raise SqlError("22023", "a path holds no zero byte")
    return path
