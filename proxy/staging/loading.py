"""COPY INTO a table: each file into a table of text, judged there by one query, inserted by another.

All of a statement's files are one transaction, and with them what is remembered of them: a file that
was loaded into a table is skipped the next time unless it has changed or FORCE says so. What is
remembered goes with the table (DROP, CREATE OR REPLACE, TRUNCATE) and follows its name.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxy.errors import SqlError
from proxy.session.transaction import Block
from proxy.sql.quoting import literal, quoted
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.snowflake import stage_queries
from proxy.sql.snowflake.numbered import STAGED
from proxy.staging import catalog, filling, places
from proxy.staging.converting import Column, complaint, engine_value, snowflake_value
from proxy.staging.directory import Staged
from proxy.staging.load_options import (
    ABORT,
    CONTINUE,
    LoadOptions,
    first_rows,
    read_options,
)
from proxy.staging.load_reports import (
    Judged,
    Run,
    column_name,
    failed,
    key_of,
    member,
    remembered,
    report_row,
)

if TYPE_CHECKING:
    from proxy.session.compound import Answer
    from proxy.staging.statements import Stages

LOADED = (
    *(("file", "VARCHAR"), ("status", "VARCHAR"), ("rows_parsed", "BIGINT")),
    *(("rows_loaded", "BIGINT"), ("error_limit", "BIGINT"), ("errors_seen", "BIGINT")),
    *(("first_error", "VARCHAR"), ("first_error_line", "BIGINT")),
    *(("first_error_character", "BIGINT"), ("first_error_column_name", "VARCHAR")),
)
_ERRORS = (
    *(("ERROR", "VARCHAR"), ("FILE", "VARCHAR"), ("LINE", "BIGINT"), ("CHARACTER", "BIGINT")),
    *(("BYTE_OFFSET", "BIGINT"), ("CATEGORY", "VARCHAR"), ("CODE", "BIGINT")),
    *(("SQL_STATE", "VARCHAR"), ("COLUMN_NAME", "VARCHAR"), ("ROW_NUMBER", "BIGINT")),
    ("ROW_START_LINE", "BIGINT"),
)
_REMEMBERED = 64 * 86400  # seconds, as in Snowflake
_NONE_TO_LOAD = "Copy executed with 0 files processed."


class Loading:
    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def run(self, action: act.Load) -> Answer:
        stages = self._stages
        options = read_options(action)
        table = await stages.on_duck(places.table_of, stages.session.duck, action.table)
        if options.validate:
            return await self._validate(action, options, table)
        if stages.session.transaction.block is not Block.NONE:
            return await self._load(action, options, table)
        # Who comes second finds what the first has loaded.
        async with stages.service.lock(".".join(table).lower()):
            return await self._load(action, options, table)

    async def _load(
        self, action: act.Load, options: LoadOptions, table: tuple[str, str, str]
    ) -> Answer:
        stages = self._stages
        run = await self._prepared(action, options, table)
        stages.service.tables.add(table[2].lower())
        async with stages.compound.one_transaction():
            stages.session.transaction.wrote_once("COPY INTO")
            await stages.on_duck(lambda: None)  # the transaction and its snapshot begin
            loads = await stages.on_duck(
                catalog.at, stages.session.duck, catalog.LOADS, table[:2], table[2]
            )
            known = remembered(loads)
            files = await self._wanted(run, known)
            taken = 0
            loaded: list[Staged] = []
            for staged, digest in files:
                if options.size_limit is not None and loaded and taken >= options.size_limit:
                    break
                if await self._file(run, staged):
                    known[key_of(run, staged)] = [digest, int(time.time())]
                    loaded.append(staged)
                taken += staged.size
            if loaded:
                await stages.on_duck(self._remember, table, known)
        if "PURGE" in options.flags:
            await stages.once_certain(lambda: self._purge(run, loaded))
        rows = run.rows
        if "RETURN_FAILED_ONLY" in options.flags:
            rows = [row for row in rows if row[1] != "LOADED"]
        elif not rows:
            rows = [(None, _NONE_TO_LOAD, *[None] * 8)]
        return await stages.rows(LOADED, rows)

    async def _prepared(
        self, action: act.Load, options: LoadOptions, table: tuple[str, str, str]
    ) -> Run:
        stages = self._stages
        place = await stages.place(action.source)
        in_query = action.query.tables[0].format if action.query is not None else act.Format()
        format_ = await stages.format(action.format, in_query, place.format)
        columns = await stages.on_duck(self._columns, table, action.columns)
        run = Run(action, options, place, format_, table, columns)
        if action.query is None and not options.match:
            if format_.type != "CSV" and (len(columns) != 1 or not columns[0].duck.is_document):
                raise SqlError(
                    "42804",
                    f"{format_.type} file format can produce one and only one column of type"
                    " variant, object, or array",
                    hint="Load data into separate columns using the MATCH_BY_COLUMN_NAME copy"
                    " option or copy with transformation.",
                )
            if format_.type == "CSV" and format_["PARSE_HEADER"]:
                raise SqlError(
                    "0A000", "PARSE_HEADER without MATCH_BY_COLUMN_NAME is not supported"
                )
        if options.match:
            if action.query is not None:
                raise SqlError("42601", "MATCH_BY_COLUMN_NAME excludes a transformation")
            if format_.type == "CSV" and not format_["PARSE_HEADER"]:
                raise SqlError(
                    "22023", "MATCH_BY_COLUMN_NAME of CSV files needs PARSE_HEADER = TRUE"
                )
        return run

    def _columns(self, table: tuple[str, str, str], wanted: tuple[str, ...]) -> list[Column]:
        """Blocks. The columns to load, in order. Raises 42703."""
        session = self._stages.session
        duck = session.duck
        sql = f"SELECT * FROM {'.'.join(map(quoted, table))}"
        statement = duck.prepare(sql)
        found = tuple(statement.columns)
        statement.close()
        session.described.look(found)
        lengths = session.described.lengths(sql, found) or (0,) * len(found)
        about = {row[0]: row[2] for row in duck.run(f"DESCRIBE {'.'.join(map(quoted, table))}")}
        columns = [
            Column(name, kind, about.get(name) != "NO", max(length, 0))
            for (name, kind), length in zip(found, lengths, strict=True)
        ]
        if not wanted:
            return columns
        by_name = {column.name.lower(): column for column in columns}
        for name in wanted:
            if name.lower() not in by_name:
                raise SqlError("42703", f'column "{name}" of relation "{table[2]}" does not exist')
        if len({name.lower() for name in wanted}) < len(wanted):
            raise SqlError("42701", "a column is specified more than once")
        return [by_name[name.lower()] for name in wanted]

    async def _wanted(self, run: Run, known: dict[str, Any]) -> list[tuple[Staged, str]]:
        """The files to load, with the digests of their bytes."""
        service = self._stages.service
        action = run.action
        pattern = action.pattern
        if action.query is not None:
            pattern = pattern or action.query.tables[0].pattern
        force = "FORCE" in run.options.flags

        def found() -> list[tuple[Staged, str]]:
            listed = places.files_at(service, run.place, pattern, action.files)
            digests = [(s, service.files.digest(run.place.directory, s)) for s in listed]
            if force:
                return digests
            return [(s, d) for s, d in digests if (known.get(key_of(run, s)) or [""])[0] != d]

        return await self._stages.apart(found)

    def _remember(self, table: tuple[str, str, str], known: dict[str, Any]) -> None:
        """Blocks."""
        old = time.time() - _REMEMBERED
        files = {name: about for name, about in known.items() if about[1] > old}
        document = {"name": table[2], "files": files}
        catalog.put(self._stages.session.duck, catalog.LOADS, table[:2], table[2], document)

    def _purge(self, run: Run, loaded: list[Staged]) -> None:
        """Blocks."""
        for staged in loaded:
            self._stages.service.files.remove(run.place.directory, staged.path)

    # --- one file ---------------------------------------------------------------------------------

    async def _file(self, run: Run, staged: Staged) -> bool:
        """Whether anything of the file was loaded. Raises where ON_ERROR says so."""
        stages = self._stages
        querying = stages.querying
        raw = querying.new_name("_hd_raw_")
        width = max(run.action.query.columns if run.action.query else len(run.columns), 1)
        if run.options.match:
            width = 1 if run.format.type != "CSV" else await self._header_width(run, staged)
        try:
            header = await stages.on_duck(self._fill, run, staged, raw, width)
            if run.action.query is not None:
                return await self._transform(run, staged, raw, width)
            made = await self._converted(run, raw, header)
            judged = await stages.on_duck(self._judge, run, made)
            keep = self._decide(run, staged, judged)
            loaded = 0
            if keep:
                names = ", ".join(quoted(column.name) for column in run.columns)
                values = ", ".join(f"v{n}" for n in range(1, len(run.columns) + 1))
                where = " WHERE x IS NULL" if judged.wrong else ""
                loaded = await stages.compound.write(
                    f"INSERT INTO {run.target} ({names}) SELECT {values} FROM {made}{where}"
                )
            run.rows.append(report_row(run, staged, judged, loaded, keep))
            return keep
        finally:
            await self._discard(f"TABLE {raw}", f"TABLE {raw}_made")

    async def _converted(self, run: Run, raw: str, header: list[str] | None) -> str:
        """The name of a table of the values, which are worked out once."""
        source = self._source(run, raw, header)
        values = (f"v{n}" for n in range(1, len(run.columns) + 1))
        create = (
            f"CREATE TEMP TABLE {raw}_made AS SELECT {', '.join(['n', 'line', 'x', 'y', *values])}"
        )
        await self._stages.on_duck(
            self._stages.session.duck.run_privately, f"{create} FROM ({source})"
        )
        return f"{raw}_made"

    async def _discard(self, *names: str) -> None:
        """A transaction that has failed takes them along."""
        try:
            await self._stages.on_duck(self._stages.querying.drop_now, list(names))
        except SqlError:
            return

    def _fill(self, run: Run, staged: Staged, raw: str, width: int) -> list[str] | None:
        """Blocks. The names in the file's header, None where it has none."""
        stages = self._stages
        duck = stages.session.duck
        filling.make(duck, raw, width)
        into = filling.Filling(duck, raw, width, stages.service.parquet)
        try:
            with stages.service.files.read(run.place.directory, staged.path) as file:
                into.add(file, staged.path, 0, run.format, stages.check)
            if run.action.query is not None and run.options.on_error == ABORT:
                into.refuse_wrong(run.place.label + staged.path)
        finally:
            into.close()
        return into.header

    async def _header_width(self, run: Run, staged: Staged) -> int:
        stages = self._stages

        def width() -> int:
            with stages.service.files.read(run.place.directory, staged.path) as file:
                return filling.widest(file, staged.path, run.format)

        return await stages.apart(width)

    def _source(self, run: Run, raw: str, header: list[str] | None) -> str:
        """DuckDB's query over a file's records: the values (`v1`...), what is wrong (`x`), where."""
        truncate = "TRUNCATECOLUMNS" in run.options.flags
        texts = self._texts(run, header)
        inner = ", ".join(f"{text} AS t{n}" for n, text in enumerate(texts, start=1))
        query = f"SELECT f, n, line, fields, e, {inner} FROM {raw}"
        if run.options.match and run.format.type != "CSV":
            wrong = "CASE WHEN TRY_PARSE_JSON(c1) IS NULL THEN 'Error parsing JSON: ' || LEFT(c1, 100) END"
            query = self._planned(f"SELECT f, n, line, fields, {wrong} AS e, {inner} FROM {raw}")
        values = ", ".join(
            f"{snowflake_value(f't{n}', column, run.format)} AS s{n}"
            for n, column in enumerate(run.columns, start=1)
        )
        texts_too = ", ".join(f"t{n}" for n in range(1, len(run.columns) + 1))
        converted = self._planned(
            f"SELECT f, n, line, fields, e, {texts_too}, {values} FROM _hd_texts"
        )
        engine = ", ".join(
            f"{engine_value(f's{n}', f't{n}', column, truncate)} AS v{n}"
            for n, column in enumerate(run.columns, start=1)
        )
        cases = ["WHEN e IS NOT NULL THEN e"]
        places_ = ["WHEN e IS NOT NULL THEN 0"]
        if run.format.type == "CSV" and run.format["ERROR_ON_COLUMN_COUNT_MISMATCH"]:
            wanted = len(header) if header is not None else len(run.columns)
            message = (
                "'Number of columns in file (' || fields || ') does not match that of the"
                f" corresponding table ({wanted}), use file format option"
                " error_on_column_count_mismatch=false to ignore this error'"
            )
            cases.append(f"WHEN fields <> {wanted} THEN {message}")
            places_.append(f"WHEN fields <> {wanted} THEN least(fields, {wanted} + 1)")
        for n, column in enumerate(run.columns, start=1):
            wrong = complaint(f"v{n}", f"t{n}", column, truncate)
            if wrong:
                cases.append(wrong)
                places_.append(f"WHEN (CASE {wrong} END) IS NOT NULL THEN {n}")
        judged = f"CASE {' '.join(cases)} END AS x, CASE {' '.join(places_)} END AS y"
        return (
            f"WITH _hd_texts AS ({query}), _hd_values AS ({converted}), "
            f"_hd_made AS (SELECT *, {engine} FROM _hd_values) "
            f"SELECT *, {judged} FROM _hd_made"
        )

    def _planned(self, text: str) -> str:
        return self._stages.compound.plan(text).sql

    def _texts(self, run: Run, header: list[str] | None) -> list[str]:
        """Of each column of the table, the expression for its text."""
        if not run.options.match:
            return [f"c{n}" for n in range(1, len(run.columns) + 1)]
        if run.format.type != "CSV":
            return [member(column, "TRY_PARSE_JSON(c1)") for column in run.columns]
        there = {name.lower(): n for n, name in enumerate(header or (), start=1)}
        return [
            f"c{there[column.name.lower()]}" if column.name.lower() in there else "NULL::VARCHAR"
            for column in run.columns
        ]

    def _judge(self, run: Run, made: str) -> Judged:
        """Blocks. made: a table or a bracketed query, as `_converted` gives it."""
        duck = self._stages.session.duck
        parsed, wrong, first = duck.run(
            f"SELECT count(*), count(x), min(n) FILTER (x IS NOT NULL) FROM {made}"
        )[0]
        if not wrong:
            return Judged(parsed, 0)
        error, line, place = duck.run(f"SELECT x, line, y FROM {made} WHERE n = {first}")[0]
        return Judged(parsed, wrong, error, line, first, column_name(run, place))

    def _decide(self, run: Run, staged: Staged, judged: Judged) -> bool:
        """Whether the file's good records are to be loaded. Raises for ABORT_STATEMENT."""
        if not judged.wrong:
            return True
        if run.options.on_error == ABORT:
            raise failed(run, staged, judged)
        if run.options.on_error == CONTINUE:
            return judged.wrong < judged.parsed
        limit = run.options.limit
        if run.options.percent:
            return judged.wrong * 100 < limit * judged.parsed
        return judged.wrong < limit

    # --- with a transformation --------------------------------------------------------------------

    async def _transform(self, run: Run, staged: Staged, raw: str, width: int) -> bool:
        stages = self._stages
        query = run.action.query
        assert query is not None
        view = stages.querying.new_name(STAGED)

        def show() -> tuple[int, int, str | None, int | None]:
            duck = stages.session.duck
            made = stages.querying.view(view, raw, run.format, width, run.place, [staged])
            # There is one file, and its records are numbered 0.
            duck.run_privately(made)
            return duck.run(
                f"SELECT count(*), count(e), first(e ORDER BY n) FILTER (e IS NOT NULL), "
                f"min(line) FILTER (e IS NOT NULL) FROM {raw}"
            )[0]

        parsed, wrong, error, line = await stages.on_duck(show)
        judged = Judged(parsed, wrong, error, line)
        keep = self._decide(run, staged, judged)
        loaded = 0
        try:
            if keep:
                if wrong:
                    await stages.compound.execute(f"DELETE FROM {raw} WHERE e IS NOT NULL")
                loaded = await self._insert(run, staged, stage_queries.spliced(query, [view]))
            run.rows.append(report_row(run, staged, judged, loaded, keep))
            return keep
        finally:
            await self._discard(f"VIEW {view}")

    async def _insert(self, run: Run, staged: Staged, text: str) -> int:
        """Inserts what the transformation gives, its texts converted as a file's fields are."""
        stages = self._stages
        plan = stages.compound.plan(text)
        stages.session.admit(plan)
        if plan.kind != "SELECT" or plan.federated or plan.action is not None:
            raise SqlError("0A000", f"{plan.kind} as the transformation of COPY is not supported")
        stages.session.context.refresh(plan.needs)
        from proxy.session.parameter_types import columns_of

        found = await stages.on_duck(columns_of, stages.session.duck, plan.sql)
        if len(found) != len(run.columns):
            raise SqlError(
                "42601",
                f"the transformation has {len(found)} columns, the table takes {len(run.columns)}",
            )
        truncate = "TRUNCATECOLUMNS" in run.options.flags
        names = ", ".join(f"t{n}" for n in range(1, len(found) + 1))
        converted: list[str] = []
        cells: list[str] = []
        for n, (column, (_, kind)) in enumerate(zip(run.columns, found, strict=True), start=1):
            into_text = column.duck.id == "VARCHAR"
            if (kind.id != "VARCHAR" and not into_text) or (
                kind.is_document and column.duck.is_document
            ):
                cells.append(f"t{n}")  # DuckDB's INSERT casts it, or refuses to
                continue
            converted.append(f"t{n}::VARCHAR AS u{n}")
            if column.duck.alias is None and into_text:
                cells.append(engine_value(f"u{n}", f"u{n}", column, truncate))
                continue
            converted.append(f"{snowflake_value(f't{n}::VARCHAR', column, run.format)} AS s{n}")
            made = engine_value(f"s{n}", f"u{n}", column, truncate)
            wrong = f"CASE {complaint(made, f'u{n}', replace(column, nullable=True), truncate)} END"
            cells.append(f"CASE WHEN {wrong} IS NULL THEN {made} ELSE error({wrong}) END")
        values = self._planned(f"SELECT {', '.join([names, *converted])} FROM _hd_rows")
        target = ", ".join(quoted(column.name) for column in run.columns)
        sql = (
            f"INSERT INTO {run.target} ({target}) "
            f"WITH _hd_rows({names}) AS ({plan.sql}), _hd_values AS ({values}) "
            f"SELECT {', '.join(cells)} FROM _hd_values"
        )
        try:
            return await stages.compound.write(sql)
        except SqlError as error:
            error.detail = error.detail or f'File "{run.place.label}{staged.path}"'
            raise

    # --- VALIDATION_MODE --------------------------------------------------------------------------

    async def _validate(
        self, action: act.Load, options: LoadOptions, table: tuple[str, str, str]
    ) -> Answer:
        """What a load would meet, or its first rows, without loading anything."""
        stages = self._stages
        if action.query is not None:
            raise SqlError("0A000", "VALIDATION_MODE with a transformation is not supported")
        run = await self._prepared(action, options, table)
        await stages.querying.drop_left()
        rows = first_rows(options.validate)
        parts: list[str] = []
        for staged, _ in await self._wanted(run, {}):
            raw = stages.querying.new_name("_hd_raw_")
            stages.querying.keep(f"TABLE {raw}")
            width = len(run.columns)
            if options.match:
                width = 1 if run.format.type != "CSV" else await self._header_width(run, staged)
            header = await stages.on_duck(self._fill, run, staged, raw, width)
            made = await self._converted(run, raw, header)
            stages.querying.keep(f"TABLE {made}")
            if rows is not None:
                first = f"(SELECT * FROM {made} ORDER BY n LIMIT {rows})"
                judged = await stages.on_duck(self._judge, run, first)
                if judged.wrong:
                    raise failed(run, staged, judged)
                values = ", ".join(
                    f"v{n} AS {quoted(column.name)}" for n, column in enumerate(run.columns, 1)
                )
                parts.append(f"SELECT {values} FROM {made} ORDER BY n LIMIT {rows}")
                continue
            cases = " ".join(
                f"WHEN {n} THEN {literal(column_name(run, n) or '')}"
                for n in range(1, len(run.columns) + 2)
            )
            cells = (
                f"x, {literal(run.place.label + staged.path)}, line, NULL, NULL, "
                f"CASE y WHEN 0 THEN 'parsing' ELSE 'conversion' END, NULL, NULL, "
                f"CASE y {cases} END, n, line"
            )
            named = ", ".join(
                f'CAST({cell} AS {kind}) AS "{name}"'
                for cell, (name, kind) in zip(_ERROR_CELLS, _ERRORS, strict=True)
            )
            inner = ", ".join(f"_{n}" for n in range(len(_ERRORS)))
            parts.append(
                f"SELECT {named} FROM (SELECT {cells} FROM {made} WHERE x IS NOT NULL "
                f"ORDER BY n) AS t({inner})"
            )
        if not parts:
            return await stages.rows(_ERRORS, [])
        union = " UNION ALL ".join(f"({part})" for part in parts)
        limit = f" LIMIT {rows}" if rows is not None else ""
        return await stages.compound.query(f"SELECT * FROM ({union}){limit}")


_ERROR_CELLS = [f"_{n}" for n in range(len(_ERRORS))]
