"""The data directory belongs to one process at a time.

Why it exists: the server and the commands that look after the runtime both may start the embedded
Postgres, and must never both believe that it is theirs. Whoever holds the lock owns the directory;
the lock goes with the process, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

DATABASE = "hatidata"
"""Name of the database in the embedded Postgres, and of DuckDB's file."""


class DirectoryInUse(Exception):
    """Another process holds the directory. holder: its process id as text, empty if unknown."""

    def __init__(self, directory: Path, holder: str) -> None:
        self.holder = holder
        super().__init__(
            f"the data directory {directory} is in use by another server (pid {holder or 'unknown'})"
        )


def hold(directory: Path) -> IO[str]:
    """Make the directory if need be and hold it until the file is closed.

    Raises `DirectoryInUse`, or OSError where the directory cannot be used.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / "hatidata.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise DirectoryInUse(directory, holder) from None
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
