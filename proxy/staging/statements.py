"""One session's statements about stages: definitions, listings, and which module does the rest.

What they change in DuckDB is the session's transaction's; files are not: a file that was put is there
at once, and one that was removed is gone, whatever the transaction comes to. A stage's directory goes
when its DROP is certain.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from proxy.errors import SqlError
from proxy.session.portal import Outcome
from proxy.session.transaction import Block
from proxy.sql.snowflake import file_formats
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.snowflake.one_database import check_database
from proxy.staging import catalog, places, unloading
from proxy.staging.following import After, ahead
from proxy.staging.inferring import template
from proxy.staging.loading import LOADED, Loading
from proxy.staging.querying import Querying
from proxy.staging.transfer import copy_file, get, put

if TYPE_CHECKING:
    from proxy.session.compound import Answer, Compound
    from proxy.sql.statement import Statement
    from proxy.wire.types import DuckType

Rows = Sequence[Sequence[Any]]

# Names and types, as DuckDB has them, of what each statement gives.
_STAGES = (
    *(("created_on", "TIMESTAMPTZ"), ("name", "VARCHAR"), ("database_name", "VARCHAR")),
    *(("schema_name", "VARCHAR"), ("url", "VARCHAR"), ("has_credentials", "VARCHAR")),
    *(("has_encryption_key", "VARCHAR"), ("owner", "VARCHAR"), ("comment", "VARCHAR")),
    *(("region", "VARCHAR"), ("type", "VARCHAR"), ("cloud", "VARCHAR")),
    *(("notification_channel", "VARCHAR"), ("storage_integration", "VARCHAR")),
    *(("endpoint", "VARCHAR"), ("owner_role_type", "VARCHAR"), ("directory_enabled", "VARCHAR")),
)
_FORMATS = (
    *(("created_on", "TIMESTAMPTZ"), ("name", "VARCHAR"), ("database_name", "VARCHAR")),
    *(("schema_name", "VARCHAR"), ("type", "VARCHAR"), ("owner", "VARCHAR")),
    *(("comment", "VARCHAR"), ("format_options", "VARCHAR"), ("owner_role_type", "VARCHAR")),
)
_PROPERTIES = tuple(
    (name, "VARCHAR")
    for name in ("property", "property_type", "property_value", "property_default")
)
_OF_STAGE = (("parent_property", "VARCHAR"), *_PROPERTIES)
_FILES = (("name", "VARCHAR"), ("size", "BIGINT"), ("md5", "VARCHAR"), ("last_modified", "VARCHAR"))
_REMOVED = (("name", "VARCHAR"), ("result", "VARCHAR"))
_PUT = (
    *(("source", "VARCHAR"), ("target", "VARCHAR"), ("source_size", "BIGINT")),
    *(("target_size", "BIGINT"), ("source_compression", "VARCHAR")),
    *(("target_compression", "VARCHAR"), ("status", "VARCHAR"), ("message", "VARCHAR")),
)
_GOT = (("file", "VARCHAR"), ("size", "BIGINT"), ("status", "VARCHAR"), ("message", "VARCHAR"))


class Stages:
    """Lives as long as its session."""

    def __init__(self, compound: Compound) -> None:
        self.compound = compound
        self.session = compound._session
        self.service = self.session.services.stages
        self.querying = Querying(self)
        self.loading = Loading(self)
        self._own: set[str] = set()  # directories of the session's temporary stages
        self._pending: list[Callable[[], None]] = []  # what COMMIT makes certain

    async def run(self, action: act.StageAction) -> Answer:
        for name in _named(action):
            if len(name) > 2:
                check_database(name[0], self.session.database)
        return await _STEPS[type(action)](self, action)

    async def ahead(self, plan: Statement, block: Block | None) -> After | None:
        """As `following.ahead`."""
        return await ahead(self, plan, block) if self.service.tables else None

    async def columns_of(self, action: act.StageAction) -> list[tuple[str, DuckType]] | None:
        """The columns of what an action gives, None for a tag alone. Raises 0A000."""
        if isinstance(action, act.StageQuery):
            return await self.querying.columns_of(action)
        if isinstance(action, act.Load) and "VALIDATION_MODE" in action.options:
            raise SqlError("0A000", "VALIDATION_MODE is not described before it runs", hint=_SIMPLE)
        shapes: dict[type, Any] = {
            act.ShowKept: _STAGES,
            act.Describe: _PROPERTIES,
            act.ListFiles: _FILES,
            act.Load: LOADED,
            act.RemoveFiles: _REMOVED,
            act.Put: _PUT,
            act.Get: _GOT,
        }
        shape = shapes.get(type(action))
        if isinstance(action, act.Unload):
            shape = unloading.columns_of(action)
        if shape is None:
            return None
        if isinstance(action, act.ShowKept) and action.kind == catalog.FORMAT:
            shape = _FORMATS
        if isinstance(action, act.Describe) and action.kind == catalog.STAGE:
            shape = _OF_STAGE
        from proxy.session.parameter_types import columns_of

        return await self.on_duck(columns_of, self.session.duck, table(shape, ()))

    async def on_duck(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await self.session.on_duck(function, *arguments)

    async def rows(self, shape: Sequence[tuple[str, str]], rows: Rows) -> Answer:
        """An answer of rows that are known."""
        return await self.compound.query(table(shape, rows))

    async def apart(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Runs what touches files alone, beside the engine."""
        return await self.session.duck.compute(function, *arguments)

    def check(self) -> None:
        """From any thread: raises 57014 once the client has asked to stop."""
        if self.compound.cancelled:
            raise SqlError("57014", "canceling statement due to user request")

    async def place(self, location: act.Location, *, make: bool = False) -> places.Place:
        def found() -> places.Place:
            duck, user = self.session.duck, self.session.user
            return places.place_of(duck, self.service, location, user, make=make)

        return await self.on_duck(found)

    async def format(self, *given: act.Format) -> file_formats.FileFormat:
        return await self.on_duck(places.format_of, self.session.duck, *given)

    async def once_certain(self, remove: Callable[[], None]) -> None:
        """Removes files once the transaction has committed; now, where there is none."""
        if self.session.transaction.block is Block.NONE:
            await self.apart(remove)
        else:
            self._pending.append(remove)

    async def ended(self, committed: bool) -> None:
        """The transaction is over."""
        pending, self._pending = self._pending, []
        for remove in pending if committed else ():
            await self.apart(remove)

    def forget_pending(self) -> None:
        """Some of the transaction was undone: what it leaves behind, the next start tidies up."""
        self._pending.clear()

    def close(self) -> None:
        """Blocks. The session is over."""
        for directory in self._own:
            self.service.files.clear(directory)

    # --- definitions ------------------------------------------------------------------------------

    async def _create_stage(self, action: act.CreateStage) -> Answer:
        if action.format.options:
            file_formats.resolve(action.format.options)
        document = {
            "id": catalog.new_id(),
            "format_name": list(action.format.name),
            "format": file_formats.as_documents(action.format.options),
            "directory": action.directory,
        }
        made, replaced = await self._create(catalog.STAGE, action, document)
        if made and action.temporary:
            self._own.add(document["id"])
        await self._gone(replaced)
        return Outcome("CREATE STAGE")

    async def _create_format(self, action: act.CreateFormat) -> Answer:
        file_formats.resolve(action.format.options)
        document = {"format": file_formats.as_documents(action.format.options)}
        await self._create(catalog.FORMAT, action, document)
        return Outcome("CREATE FILE FORMAT")

    async def _create(
        self, kind: str, action: act.CreateStage | act.CreateFormat, document: dict[str, Any]
    ) -> tuple[bool, catalog.Kept | None]:
        """Whether something was made, and what it has taken the place of."""
        document |= {
            "name": action.name[-1],
            "comment": action.comment or "",
            "owner": self.session.user,
            "created": time.time(),
        }

        def create() -> tuple[bool, catalog.Kept | None]:
            duck = self.session.duck
            place = catalog.place_for(duck, action.name, action.temporary)
            there = catalog.at(duck, kind, place, action.name[-1])
            if there is not None and not action.replace:
                if action.if_not_exists:
                    return False, None
                raise SqlError("42710", f'{kind.lower()} "{action.name[-1]}" already exists')
            catalog.put(duck, kind, place, action.name[-1], document)
            return True, there

        found = await self._define(create)
        if not found[0]:
            notice = f'{kind.lower()} "{action.name[-1]}" already exists, skipping'
            self.session.notice(SqlError("42710", notice), "NOTICE")
        return found

    async def _define(self, change: Callable[[], Any]) -> Any:
        self.session.transaction.wrote_once("a change of stages or file formats")
        return await self.on_duck(change)

    async def _gone(self, kept: catalog.Kept | None) -> None:
        """Removes the directory of a stage that is no more, once that is certain."""
        if kept is None:
            return
        try:
            directory = catalog.id_of(kept.document)
        except SqlError:
            return
        await self.once_certain(lambda: self.service.files.clear(directory))

    async def _drop(self, action: act.Drop) -> Answer:
        def drop() -> catalog.Kept | None:
            kept = catalog.find(self.session.duck, action.kind, action.name)
            if kept is not None:
                catalog.drop(self.session.duck, kept)
            elif not action.if_exists:
                raise catalog.absent(action.kind, action.name)
            return kept

        kept = await self._define(drop)
        if action.kind == catalog.STAGE:
            await self._gone(kept)
        return Outcome(f"DROP {action.kind}")

    async def _alter(self, action: act.Alter) -> Answer:
        def alter() -> None:
            duck = self.session.duck
            kept = catalog.find(duck, action.kind, action.name)
            if kept is None:
                if action.if_exists:
                    return
                raise catalog.absent(action.kind, action.name)
            document = dict(kept.document)
            place, name = (kept.database, kept.schema), kept.name or action.name[-1]
            if action.format is not None:
                document |= self._altered_format(action, document)
            if action.comment is not None:
                document["comment"] = action.comment
            if action.directory is not None:
                document["directory"] = action.directory
            if action.rename is not None:
                if len(action.rename) > 1:
                    place = catalog.place_for(duck, action.rename, kept.temporary)
                name = action.rename[-1]
                if catalog.at(duck, action.kind, place, name) is not None:
                    raise SqlError("42710", f'{action.kind.lower()} "{name}" already exists')
                catalog.drop(duck, kept)
                document["name"] = name
            catalog.put(duck, action.kind, place, name, document)

        await self._define(alter)
        return Outcome(action.tag or f"ALTER {action.kind}")

    def _altered_format(self, action: act.Alter, document: dict[str, Any]) -> dict[str, Any]:
        assert action.format is not None
        options = dict(action.format.options)
        if action.kind == catalog.FORMAT:
            before = places.options_of(document)
            if "TYPE" in options and options["TYPE"] != before.get("TYPE", "CSV"):
                raise SqlError("0A000", "the type of a file format cannot be altered")
            options = before | options
        if options:
            file_formats.resolve(options)
        return {
            "format": file_formats.as_documents(options),
            "format_name": list(action.format.name),
        }

    async def _describe(self, action: act.Describe) -> Answer:
        kept = await self.on_duck(catalog.find, self.session.duck, action.kind, action.name)
        if kept is None:
            raise catalog.absent(action.kind, action.name)
        if action.kind == catalog.FORMAT:
            given = places.options_of(kept.document)
            return await self.rows(_PROPERTIES, file_formats.shown(given))
        format_ = places.stage_format(kept.document)
        rows: list[tuple[str, ...]] = []
        if format_.name:
            rows.append(("STAGE_FILE_FORMAT", "FORMAT_NAME", "String", ".".join(format_.name), ""))
        else:
            shown = file_formats.shown(format_.options)
            rows.extend(("STAGE_FILE_FORMAT", *row) for row in shown)
        enabled = "true" if kept.document.get("directory") else "false"
        rows.append(("STAGE_LOCATION", "URL", "String", "", ""))
        rows.append(("DIRECTORY", "ENABLE", "Boolean", enabled, "false"))
        return await self.rows(_OF_STAGE, rows)

    async def _show(self, action: act.ShowKept) -> Answer:
        found = await self.on_duck(self._shown, action)
        shape = _STAGES if action.kind == catalog.STAGE else _FORMATS
        return await self.rows(shape, [self._show_row(action.kind, kept) for kept in found])

    def _shown(self, action: act.ShowKept) -> list[catalog.Kept]:
        """Blocks."""
        duck = self.session.duck
        found = [k for k in catalog.every(duck, action.kind) if k.name]
        if action.schema is not None:
            schema = "main" if action.schema.lower() == "public" else action.schema.lower()
            if not duck.has("SCHEMA", (schema,)):
                raise SqlError("3F000", f'schema "{action.schema}" does not exist')
            found = [k for k in found if k.schema.lower() == schema]
        elif not action.everywhere:
            current = duck.current_schema()
            found = [k for k in found if k.temporary or k.schema == current]
        if action.like is not None:
            pattern = _glob(action.like.lower())
            found = [k for k in found if fnmatchcase(k.name.lower(), pattern)]
        if action.starts is not None:
            found = [k for k in found if k.name.startswith(action.starts)]
        found.sort(key=lambda kept: (kept.schema, kept.name))
        return found[: action.limit]

    def _show_row(self, kind: str, kept: catalog.Kept) -> tuple[Any, ...]:
        document = kept.document
        created = document.get("created")
        moment = _Moment(created) if isinstance(created, int | float) else None
        made = (moment, kept.name, self.session.database)
        owner, comment = str(document.get("owner", "")), str(document.get("comment", ""))
        schema = kept.shown_schema
        if kind == catalog.FORMAT:
            given = places.options_of(document)
            options = {n: v for n, v in given.items() if n != "TYPE"}
            shown = file_formats.as_text({"TYPE": given.get("TYPE", "CSV"), **options})
            return (
                *made,
                schema,
                str(given.get("TYPE", "CSV")).upper(),
                owner,
                comment,
                shown,
                "ROLE",
            )
        type_ = "INTERNAL TEMPORARY" if kept.temporary else "INTERNAL"
        directory = "Y" if document.get("directory") else "N"
        return (
            *(*made, schema, "", "N", "N", owner, comment, None, type_),
            *(None, None, None, None, "ROLE", directory),
        )

    # --- files ------------------------------------------------------------------------------------

    async def _list(self, action: act.ListFiles) -> Answer:
        place = await self.place(action.location)

        def listed() -> list[tuple[Any, ...]]:
            files = self.service.files
            return [
                (
                    place.label + staged.path,
                    staged.size,
                    files.digest(place.directory, staged),
                    formatdate(staged.modified, usegmt=True),
                )
                for staged in places.files_at(self.service, place, action.pattern)
            ]

        return await self.rows(_FILES, await self.apart(listed))

    async def _remove(self, action: act.RemoveFiles) -> Answer:
        if self.session.transaction.read_only:
            raise SqlError("25006", "cannot execute REMOVE in a read-only transaction")
        place = await self.place(action.location)

        def removed() -> list[tuple[Any, ...]]:
            found = places.files_at(self.service, place, action.pattern)
            return [
                (place.label + staged.path, "removed")
                for staged in found
                if self.service.files.remove(place.directory, staged.path)
            ]

        return await self.rows(_REMOVED, await self.apart(removed))

    async def _put(self, action: act.Put) -> Answer:
        place = await self._writable(action.location)
        return await self.rows(_PUT, await self.apart(put, self.service, place, action))

    async def _get(self, action: act.Get) -> Answer:
        place = await self.place(action.location)
        return await self.rows(_GOT, await self.apart(get, self.service, place, action))

    async def _writable(self, location: act.Location) -> places.Place:
        """The place of files that are to come."""
        if self.session.transaction.read_only:
            raise SqlError("25006", "cannot store files in a read-only transaction")
        if location.kind == "table":
            self.session.transaction.wrote_once("a file for a table's stage")
        return await self.place(location, make=True)

    async def _copy_file(self, action: act.CopyFile) -> Answer:
        into = action.direction == "FROM"
        location = action.location
        place = await (self._writable(location) if into else self.place(location))
        return await copy_file(self.session, self.service, place, into)

    # --- the rest ---------------------------------------------------------------------------------

    async def _unload(self, action: act.Unload) -> Answer:
        place = await self._writable(action.target)
        return await unloading.unload(self, place, action)

    async def _query(self, action: act.StageQuery) -> Answer:
        return await self.querying.run(action)

    async def _load(self, action: act.Load) -> Answer:
        return await self.loading.run(action)


class _Moment(float):
    """Seconds since 1970, to be shown as a timestamp."""


def _named(action: act.StageAction) -> Iterator[act.Name]:
    """The names in an action."""
    for attribute in ("name", "rename", "table"):
        yield getattr(action, attribute, None) or ()
    formats = [getattr(action, "format", None)]
    locations = [getattr(action, a, None) for a in ("location", "source", "target")]
    query = action if isinstance(action, act.StageQuery) else getattr(action, "query", None)
    if isinstance(query, act.StageQuery):
        locations += [table.location for table in query.tables]
        formats += [table.format for table in query.tables]
    for one in (*formats, *locations):
        if isinstance(one, act.Location | act.Format):
            yield one.name


_SIMPLE = "Send it as a simple query, without parameters."


def _glob(like: str) -> str:
    """A pattern of LIKE as one of fnmatch's."""
    return "".join({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}.get(c, c) for c in like)


def table(shape: Sequence[tuple[str, str]], rows: Rows) -> str:
    """A query in DuckDB's SQL that gives these rows, cast to the columns' types."""
    casts = ", ".join(f'CAST(c{n} AS {kind}) AS "{name}"' for n, (name, kind) in enumerate(shape))
    names = ", ".join(f"c{n}" for n in range(len(shape)))
    listed = rows or [[None] * len(shape)]
    values = ", ".join("(" + ", ".join(map(_value, row)) + ")" for row in listed)
    where = "" if rows else " WHERE false"
    return f"SELECT {casts} FROM (VALUES {values}) AS t({names}){where}"


def _value(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, _Moment):
        return f"to_timestamp({float(value)!r})"
    if isinstance(value, bool | int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


_STEPS: dict[type, Callable[[Stages, Any], Awaitable[Answer]]] = {
    act.CreateStage: Stages._create_stage,
    act.CreateFormat: Stages._create_format,
    act.Alter: Stages._alter,
    act.Drop: Stages._drop,
    act.Describe: Stages._describe,
    act.ShowKept: Stages._show,
    act.ListFiles: Stages._list,
    act.RemoveFiles: Stages._remove,
    act.Put: Stages._put,
    act.Get: Stages._get,
    act.CopyFile: Stages._copy_file,
    act.StageQuery: Stages._query,
    act.Load: Stages._load,
    act.Unload: Stages._unload,
    act.Template: template,
}
