"""Files into a stage and out of it: PUT and GET beside the server, COPY through the connection.

In Snowflake PUT and GET run in the client, where the files are. A server that read whatever path a
client names would be a hole, so here they touch only directories that the server was told to allow
(`--allow-directory`); a client elsewhere sends a file's bytes through its connection, as COPY does:
`COPY @stage/file FROM STDIN`, `COPY @stage/file TO STDOUT`, with psql `\\copy @stage/file from 'file'`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from proxy.errors import SqlError
from proxy.session.portal import Outcome
from proxy.sql.snowflake.stage_actions import Get, Put, Value
from proxy.staging.packing import ENDINGS, Packed, packing_of
from proxy.staging.places import Place, files_at
from proxy.staging.service import StageService
from proxy.wire import messages as m

if TYPE_CHECKING:
    from proxy.session.session import Session

_BLOCK = 1 << 20
_PIECE = 1 << 16  # bytes of a CopyData message
_PUT_OPTIONS = frozenset({"PARALLEL", "AUTO_COMPRESS", "SOURCE_COMPRESSION", "OVERWRITE"})
_GET_OPTIONS = frozenset({"PARALLEL", "PATTERN"})


def _known(given: Mapping[str, Value], known: frozenset[str], what: str) -> None:
    for name in given:
        if name not in known:
            raise SqlError("22023", f"{name} is no option of {what}")


def _flag(given: Mapping[str, Value], name: str, default: bool) -> bool:
    text = str(given.get(name, default)).upper()
    if text not in ("TRUE", "FALSE"):
        raise SqlError("22023", f"{name} must be TRUE or FALSE")
    return text == "TRUE"


def put(service: StageService, place: Place, action: Put) -> list[tuple[Any, ...]]:
    """Blocks. Brings files of the server's allowed directories into a stage; a row for each."""
    _known(action.options, _PUT_OPTIONS, "PUT")
    compress = _flag(action.options, "AUTO_COMPRESS", True)
    overwrite = _flag(action.options, "OVERWRITE", False)
    said = str(action.options.get("SOURCE_COMPRESSION", "AUTO_DETECT")).upper()
    if said not in (*ENDINGS, "AUTO", "AUTO_DETECT"):
        raise SqlError("22023", f"SOURCE_COMPRESSION {said} is not known")
    return [
        _put(service, place, path, compress, overwrite, said)
        for path in service.sources(action.source)
    ]


def _put(
    service: StageService, place: Place, path: Path, compress: bool, overwrite: bool, said: str
) -> tuple[Any, ...]:
    with service.opened(path) as source:
        packing = said if said in ENDINGS else packing_of(source, path.name)
        packs = compress and packing == "NONE"
        name = path.name + (ENDINGS["GZIP"] if packs else "")
        target_packing = "GZIP" if packs else packing
        directory = place.prefix.rstrip("/")
        target = f"{directory}/{name}" if directory else name
        size = path.stat().st_size
        there = service.files.about(place.directory, target)
        if there is not None and not overwrite:
            row = (path.name, name, size, 0, packing, target_packing, "SKIPPED")
            return (*row, "File with same destination name and size already exists: " + name)
        with (
            service.files.writing(place.directory, target) as file,
            Packed(file, "GZIP" if packs else "NONE") as packed,
        ):
            shutil.copyfileobj(source, packed, _BLOCK)
    made = service.files.about(place.directory, target)
    stored = made.size if made is not None else 0
    return (path.name, name, size, stored, packing, target_packing, "UPLOADED", "")


def get(service: StageService, place: Place, action: Get) -> list[tuple[Any, ...]]:
    """Blocks. Brings a stage's files into an allowed directory of the server's, as they are."""
    _known(action.options, _GET_OPTIONS, "GET")
    pattern = action.options.get("PATTERN")
    directory = service.target(action.target)
    rows: list[tuple[Any, ...]] = []
    for staged in files_at(service, place, None if pattern is None else str(pattern)):
        name = staged.path.rpartition("/")[2]
        with (
            service.files.read(place.directory, staged.path) as source,
            service.created(directory, name) as target,
        ):
            shutil.copyfileobj(source, target, _BLOCK)
        rows.append((name, staged.size, "DOWNLOADED", ""))
    return rows


# --- through the connection -----------------------------------------------------------------------


async def copy_file(session: Session, service: StageService, place: Place, into: bool) -> Outcome:
    """One file's bytes, from the client or to it."""
    if into:
        return await _receive(session, service, place)
    return await _send(session, service, place)


async def _receive(session: Session, service: StageService, place: Place) -> Outcome:
    link, duck = session.link, session.duck
    writing = service.files.writing(place.directory, place.prefix)
    file: IO[bytes] = await duck.compute(writing.__enter__)
    ended: BaseException | None = None
    try:
        # Binary, so that clients send the bytes as they are.
        link.write(m.copy_response(b"G", True, 1))
        link.protocol.copy_in()
        kept: list[bytes] = []
        size = 0
        while True:
            frame = link.protocol.next_frame() or await link.next_frame()
            if frame is None:
                raise ConnectionResetError("the client has gone")
            if session.compound.cancelled:
                raise SqlError("57014", "canceling statement due to user request")
            kind, body = frame
            if kind != b"d":
                break
            kept.append(body)
            size += len(body)
            if size >= _BLOCK:
                await duck.compute(file.write, b"".join(kept))
                kept, size = [], 0
        link.protocol.ready()
        if kind == b"f":
            message = m.decode(kind, body)
            raise SqlError("57014", f"COPY from stdin failed: {getattr(message, 'reason', '')}")
        if kind != b"c":
            raise m.protocol_violation("unexpected message during COPY", severity="FATAL")
        await duck.compute(file.write, b"".join(kept))
    except BaseException as error:
        ended = error
        link.protocol.ready()
        raise
    finally:
        await duck.compute(_leave, writing, ended)
    return Outcome("COPY 1")


def _leave(writing: Any, error: BaseException | None) -> None:
    """Blocks. Ends a file that is written: it is there, or, after an error, is not."""
    if error is None:
        writing.__exit__(None, None, None)
        return
    try:
        writing.__exit__(type(error), error, error.__traceback__)
    except BaseException as again:
        if again is not error:
            raise


async def _send(session: Session, service: StageService, place: Place) -> Outcome:
    link, duck = session.link, session.duck
    file = await duck.compute(service.files.read, place.directory, place.prefix)
    try:
        link.write(m.copy_response(b"H", True, 1))
        while block := await duck.compute(file.read, _BLOCK):
            if session.compound.cancelled:
                raise SqlError("57014", "canceling statement due to user request")
            for start in range(0, len(block), _PIECE):
                link.write(m.frame(b"d", block[start : start + _PIECE]))
            await link.drain()
        link.write(m.frame(b"c"))
    finally:
        await duck.compute(file.close)
    return Outcome("COPY 1")
