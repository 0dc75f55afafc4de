"""SELECT from a stage: its files are read into a table, which the statement then reads.

In the statement's text a temporary view takes the stage's place, with the columns `$1`, `$2`... and
those of METADATA$. The same view without rows tells the statement's columns before it runs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from proxy.sql.snowflake import stage_actions as act
from proxy.sql.snowflake import stage_queries
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.sql.snowflake.numbered import STAGED
from proxy.staging import filling, places
from proxy.staging.directory import Staged
from proxy.staging.inferring import SCHEMA, infer

if TYPE_CHECKING:
    from proxy.session.compound import Answer
    from proxy.staging.statements import Stages
    from proxy.wire.types import DuckType

RAW = "_hd_raw_"
_DIRECTORY = (
    *(("relative_path", "VARCHAR"), ("size", "BIGINT"), ("last_modified", "TIMESTAMPTZ")),
    *(("md5", "VARCHAR"), ("etag", "VARCHAR"), ("file_url", "VARCHAR")),
)


class Querying:
    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._left: list[str] = []  # what an answer may still be read from

    async def run(self, query: act.StageQuery) -> Answer:
        stages = self._stages
        text = await self.read(query)
        if query.writes:
            stages.session.transaction.wrote_once("a statement that reads a stage")
        return await stages.compound.answer(stages.compound.plan(text))

    async def read(self, query: act.StageQuery) -> str:
        """The statement's text with tables in its stages' places, which hold what it reads."""
        await self.drop_left()
        found = [await self._read_table(query, table) for table in query.tables]
        return stage_queries.spliced(query, found)

    async def columns_of(self, query: act.StageQuery) -> list[tuple[str, DuckType]] | None:
        from proxy.scripting.describing import of_statement

        await self.drop_left()
        names: list[str] = []
        for table in query.tables:
            place = await self._stages.place(table.location)
            format_ = await self._stages.format(table.format, place.format)
            if table.function:
                names.append(await self._known(table.function, []))
                continue
            names.append(await self._view(format_, query.columns, place, []))
        plan = self._stages.compound.plan(stage_queries.spliced(query, names))
        return await of_statement(self._stages.compound, plan)

    async def _read_table(self, query: act.StageQuery, table: act.StageTable) -> str:
        stages = self._stages
        place = await stages.place(table.location)
        format_ = await stages.format(table.format, place.format)
        service = stages.service
        if table.function == "INFER_SCHEMA":
            return await self._known(table.function, await infer(stages, table, place, format_))
        if table.function:
            return await self._known(table.function, await stages.apart(self._files, place))
        found = await stages.apart(places.files_at, service, place, table.pattern)
        return await self._view(format_, query.columns, place, found)

    async def _view(
        self, format_: FileFormat, width: int, place: places.Place, files: list[Staged]
    ) -> str:
        """The name of a view over the files' records."""
        raw, view = self.new_name(RAW), self.new_name(STAGED)
        width = max(width, 1)
        stages = self._stages

        def fill() -> None:
            duck = stages.session.duck
            filling.make(duck, raw, width)
            if files:
                into = filling.Filling(duck, raw, width, stages.service.parquet)
                try:
                    for number, staged in enumerate(files):
                        with stages.service.files.read(place.directory, staged.path) as file:
                            into.add(file, staged.path, number, format_, stages.check)
                        into.refuse_wrong(staged.path)
                finally:
                    into.close()
            duck.run_privately(self.view(view, raw, format_, width, place, files))

        self.keep(f"VIEW {view}", f"TABLE {raw}")
        await stages.on_duck(fill)
        return view

    async def _known(self, function: str, rows: list[tuple[Any, ...]]) -> str:
        """The name of a view over rows that are known."""
        from proxy.staging.statements import table

        view = self.new_name(RAW)
        self.keep(f"VIEW {view}")
        sql = table(SCHEMA if function == "INFER_SCHEMA" else _DIRECTORY, rows)
        await self._stages.on_duck(
            self._stages.session.duck.run_privately, f"CREATE TEMP VIEW {view} AS {sql}"
        )
        return view

    def _files(self, place: places.Place) -> list[tuple[Any, ...]]:
        """Blocks. What DIRECTORY(@stage) tells of its files."""
        files = self._stages.service.files
        rows: list[tuple[Any, ...]] = []
        for staged in files.listing(place.directory):
            digest = files.digest(place.directory, staged)
            moment = datetime.fromtimestamp(staged.modified, UTC).isoformat(" ")
            rows.append((staged.path, staged.size, moment, digest, digest, None))
        return rows

    def keep(self, *names: str) -> None:
        """What the answer to come is read from: `TABLE name` or `VIEW name`."""
        self._left += names

    def new_name(self, word: str) -> str:
        self._stages.compound.tables += 1
        return f"temp.main.{word}{self._stages.compound.tables}"

    def view(
        self,
        view: str,
        raw: str,
        format_: FileFormat,
        width: int,
        place: places.Place,
        files: list[Staged],
    ) -> str:
        """Blocks: it may read the files' digests. The statement that makes the view."""
        cells = [_cell(number, format_) for number in range(1, width + 1)]
        files_ = self._stages.service.files
        # Looked up by the file's number: a join would lose the order of the records.
        names = [_text(staged.path) for staged in files]
        digests = [_text(files_.digest(place.directory, staged)) for staged in files]
        moments = [f"make_timestamp({int(staged.modified * 1_000_000)})" for staged in files]
        metadata = (
            f'{_of_file(names, "VARCHAR")} AS "metadata$filename", '
            f'r.n AS "metadata$file_row_number", '
            f'{_of_file(digests, "VARCHAR")} AS "metadata$file_content_key", '
            f'{_of_file(moments, "TIMESTAMP")} AS "metadata$file_last_modified", '
            'current_timestamp AS "metadata$start_scan_time"'
        )
        return f"CREATE TEMP VIEW {view} AS SELECT {', '.join(cells)}, {metadata} FROM {raw} AS r"

    async def drop_left(self) -> None:
        """Drops what the answer before was read from."""
        left, self._left = self._left, []
        if left:
            await self._stages.on_duck(self.drop_now, left)

    def drop_now(self, names: list[str]) -> None:
        """Blocks. What a rolled-back transaction has taken already is no error."""
        for name in names:
            kind, _, place = name.partition(" ")
            self._stages.session.duck.run_privately(f"DROP {kind} IF EXISTS {place}")


def _cell(number: int, format_: FileFormat) -> str:
    if format_.type == "CSV":
        return f'r.c{number} AS "${number}"'
    if number > 1:
        return f'CAST(NULL AS JSON) AS "${number}"'
    return '_sf.main.parse_json(r.c1) AS "$1"'


def _of_file(values: list[str], kind: str) -> str:
    """The value that belongs to a record's file."""
    if len(values) == 1:
        return values[0]
    return f"CAST([{', '.join(values)}] AS {kind}[])[r.f + 1]"


def _text(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
