"""What statements about stages, files and file formats ask, as values for the session.

`stage_statements` makes them of tokens, `proxy.staging.statements` carries them out. Names are folded
as all names are; options are as they were written, judged by `file_formats` where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Name = tuple[str, ...]
Value = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """`@stage/path`. kind: 'named', 'user' (`@~`) or 'table' (`@%t`); name: () for a user's.

    path: what follows the first slash, '' for nothing; it is a prefix unless it names one file.
    """

    kind: str
    name: Name
    path: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """A file format as a statement gives it: a name, or options with TYPE among them, or neither."""

    name: Name = ()
    options: Mapping[str, Value] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.name or self.options)


@dataclass(frozen=True, slots=True)
class CreateStage:
    name: Name
    format: Format
    comment: str | None
    directory: bool
    temporary: bool
    replace: bool
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class CreateFormat:
    name: Name
    format: Format
    comment: str | None
    temporary: bool
    replace: bool
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class Alter:
    """ALTER STAGE and ALTER FILE FORMAT. kind: 'STAGE' or 'FILE FORMAT'; None: not said."""

    kind: str
    name: Name
    if_exists: bool
    rename: Name | None = None
    format: Format | None = None
    comment: str | None = None
    directory: bool | None = None
    tag: str = ""  # of the answer, where it is not ALTER


@dataclass(frozen=True, slots=True)
class Drop:
    kind: str
    name: Name
    if_exists: bool


@dataclass(frozen=True, slots=True)
class Describe:
    kind: str
    name: Name


@dataclass(frozen=True, slots=True)
class ShowKept:
    """SHOW STAGES and SHOW FILE FORMATS. like: a pattern of LIKE; schema: of IN, None without one."""

    kind: str
    like: str | None = None
    schema: str | None = None
    everywhere: bool = False
    starts: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ListFiles:
    location: Location
    pattern: str | None


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    location: Location
    pattern: str | None


@dataclass(frozen=True, slots=True)
class Put:
    """source: the path after `file://`."""

    source: str
    location: Location
    options: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Get:
    location: Location
    target: str
    options: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class CopyFile:
    """`COPY @stage/file FROM STDIN` and `TO STDOUT`: the file's own bytes."""

    location: Location
    direction: str


@dataclass(frozen=True, slots=True)
class StageTable:
    """A stage that a query reads: where it stands in the query's text, and its arguments.

    function: 'INFER_SCHEMA' or 'DIRECTORY' where it is read through one; '' for its files' records.
    """

    location: Location
    format: Format
    pattern: str | None
    start: int
    end: int
    function: str = ""
    files: tuple[str, ...] = ()
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class StageQuery:
    """A statement that reads stages. columns: the highest `$n` in it."""

    text: str
    tables: tuple[StageTable, ...]
    columns: int
    kind: str
    writes: bool


@dataclass(frozen=True, slots=True)
class Load:
    """COPY INTO a table. source: the stage; query: of a load that transforms, None for all else."""

    table: Name
    columns: Name
    source: Location
    query: StageQuery | None
    files: tuple[str, ...]
    pattern: str | None
    format: Format
    options: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Unload:
    """COPY INTO a stage. query: Snowflake's text; partition: of an expression, '' for none."""

    target: Location
    query: str
    partition: str
    format: Format
    options: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Template:
    """CREATE TABLE ... USING TEMPLATE (query). head: the words up to USING."""

    head: str
    query: str


StageAction = (
    CreateStage
    | CreateFormat
    | Alter
    | Drop
    | Describe
    | ShowKept
    | ListFiles
    | RemoveFiles
    | Put
    | Get
    | CopyFile
    | StageQuery
    | Load
    | Unload
    | Template
)

LISTED = (Describe, ShowKept, ListFiles, RemoveFiles, Put, Get, Load, Unload)
"""The actions whose rows are known once they have run, and can be asked for again."""
