"""Functions and procedures of the client's, kept in DuckDB.

Why it exists: DuckDB has macros, which live in schemas, are found by the search path, and come and go
with transactions. A SQL function is a macro. A procedure is kept as a macro without parameters whose
value is its definition, under a name that no function has: `procedure p/2`, for two parameters.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from proxy.engines.duck_errors import EngineError
from proxy.errors import SqlError
from proxy.portal import Outcome
from proxy.scope import Name, with_parameters
from proxy.sql import compound as act
from proxy.sql import macros
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.script_reader import read_block

if TYPE_CHECKING:
    from proxy.compound import Answer
    from proxy.scripting import Script
    from proxy.session import Session

_FOUND = (
    "SELECT schema_name, function_name FROM duckdb_functions() WHERE NOT internal "
    "AND database_name = current_database() AND schema_name IN ({schemas}) "
    "AND starts_with(function_name, {name})"
)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _schema(name: tuple[str, ...]) -> tuple[str, ...]:
    """The schema that a name says, as DuckDB calls it."""
    return tuple("main" if part == "public" else part for part in name[:-1])[-1:]


class Routines:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def _execute(self, sql: str) -> int:
        self._session.transaction.wrote_once("a change of functions")
        return await self._session.compound.execute(sql)

    async def _rows(self, sql: str) -> list[tuple[str, ...]]:
        return await self._session.on_duck(self._session.duck.run, sql)

    async def _find(self, name: tuple[str, ...], start: str) -> list[tuple[str, ...]]:
        """(schema, name) of the macros that begin so, those of earlier schemas first."""
        schema = _schema(name)
        schemas = _text(schema[0]) if schema else "SELECT unnest(current_schemas(true))"
        return await self._rows(_FOUND.format(schemas=schemas, name=_text(start)))

    # --- functions ----------------------------------------------------------------------------

    async def create_function(self, action: act.CreateFunction) -> Answer:
        name = action.name[-1]
        body, colliding = macros.macro(action)
        builtin = "SELECT 1 FROM duckdb_functions() WHERE internal AND function_name = "
        if await self._rows(f"{builtin}{_text(name.lower())} LIMIT 1"):
            raise SqlError("0A000", f"a function of the name {name} is not supported")
        for query in colliding:
            try:
                await self._session.on_duck(self._session.duck.prepare, query)
            except EngineError:
                continue
            raise SqlError(
                "0A000",
                "a function whose argument has the name of a column that it reads is not supported",
                hint="Give the argument another name.",
            )
        there = await self._there(action.name)
        if there and action.if_not_exists:
            return Outcome("CREATE FUNCTION")
        if there and not action.replace:
            raise SqlError("42723", f'function "{name}" already exists')
        target = _quoted(*_schema(action.name), name)
        async with self._session.compound.one_transaction():
            if there:
                await self._drop(there)
            await self._execute(f"CREATE MACRO {target}{body}")
        return Outcome("CREATE FUNCTION")

    async def _there(self, name: tuple[str, ...]) -> tuple[str, str, str, int] | None:
        """Schema, name, type and number of parameters of a function."""
        schema = _schema(name)
        of = _text(schema[0]) if schema else "SELECT unnest(current_schemas(true))"
        rows = await self._rows(
            "SELECT schema_name, function_name, function_type, len(parameters) "
            "FROM duckdb_functions() WHERE NOT internal AND database_name = current_database() "
            f"AND schema_name IN ({of}) AND lower(function_name) = lower({_text(name[-1])})"
        )
        return rows[0] if rows else None  # type: ignore[return-value]

    async def _drop(self, there: tuple[str, str, str, int]) -> None:
        schema, name, kind, _ = there
        what = "MACRO TABLE" if kind == "table_macro" else "MACRO"
        await self._execute(f"DROP {what} {_quoted(schema, name)}")

    async def drop_function(self, action: act.DropFunction) -> Answer:
        there = await self._there(action.name)
        if there is None or there[3] != action.arity:
            if action.if_exists:
                return Outcome("DROP FUNCTION")
            raise SqlError("42883", f'function "{action.name[-1]}" does not exist')
        await self._drop(there)
        return Outcome("DROP FUNCTION")

    # --- procedures ---------------------------------------------------------------------------

    async def create_procedure(self, action: act.CreateProcedure) -> Answer:
        read_block(action.body, SNOWFLAKE.tokenize(action.body))
        for parameter in action.parameters:
            macros.type_of(parameter.type)
        if action.returns != "TABLE":
            macros.type_of(action.returns)
        for column in action.columns:
            macros.type_of(column.type)
        key = f"procedure {action.name[-1]}/{len(action.parameters)}"
        target = _quoted(*_schema(action.name), key)
        there = [row for row in await self._find(action.name, key) if row[1] == key]
        if there and action.if_not_exists:
            return Outcome("CREATE PROCEDURE")
        if there and not action.replace:
            raise SqlError("42723", f'procedure "{action.name[-1]}" already exists')
        definition = {
            "parameters": [asdict(parameter) for parameter in action.parameters],
            "returns": action.returns,
            "columns": [asdict(column) for column in action.columns],
            "body": action.body,
        }
        value = _text(json.dumps(definition))
        await self._execute(f"CREATE OR REPLACE MACRO {target}() AS {value}")
        return Outcome("CREATE PROCEDURE")

    async def drop_procedure(self, action: act.DropProcedure) -> Answer:
        key = f"procedure {action.name[-1]}/{action.arity}"
        there = [row for row in await self._find(action.name, key) if row[1] == key]
        if there:
            await self._execute(f"DROP MACRO {_quoted(*there[0])}")
        elif not action.if_exists:
            raise SqlError("42883", f'procedure "{action.name[-1]}" does not exist')
        return Outcome("DROP PROCEDURE")

    async def call(self, action: act.Call, caller: Script) -> Answer:
        """Runs a procedure. Its arguments are expressions of the caller's."""
        from proxy.scripting import Script

        definition = await self.definition(action)
        parameters = [act.Parameter(**fields) for fields in definition["parameters"]]
        script = Script(self._session.compound, caller.depth + 1)
        script.scope.enter()
        for parameter, value in self._arguments(action, parameters):
            value = with_parameters(value, caller.parameters)
            sql = caller._query(f"SELECT CAST(({value}) AS {parameter.type})")
            made = script.scope.declare(parameter.name, Name("value", type=parameter.type))
            await script.assign(made, sql)
        body = definition["body"]
        block, _ = read_block(body, SNOWFLAKE.tokenize(body))
        answer = await script.run(block, action.name[-1], definition["returns"])
        if definition["columns"] and script.table is not None:
            return await self._as_declared(script, definition["columns"])
        return answer

    async def _as_declared(self, script: Script, columns: list[dict]) -> Answer:
        """The rows of a procedure that RETURNS TABLE (name type, ...)."""
        width = len(await self._rows(f"DESCRIBE {script.table}"))
        if width != len(columns):
            raise SqlError("42804", f"the procedure returns {width} columns, not {len(columns)}")
        names = ", ".join(f"_c{i}" for i in range(width))
        casts = ", ".join(
            f"CAST(_c{i} AS {column['type']}) AS {_quoted(column['name'])}"
            for i, column in enumerate(columns)
        )
        text = f"SELECT {casts} FROM {script.table} AS _t({names})"
        return await self._session.compound.answer(self._session.compound.plan(text))

    async def definition(self, action: act.Call) -> dict:
        """What is kept of the procedure that a CALL means. Raises 42883."""
        name, given = action.name[-1], len(action.arguments)
        found = {}
        for schema, key in await self._find(action.name, f"procedure {name}/"):
            found[int(key.rpartition("/")[2])] = (schema, key)
        for arity in sorted(found):
            if arity < given:
                continue
            (value,) = (await self._rows(f"SELECT {_quoted(*found[arity])}()"))[0]
            definition = json.loads(value)
            needed = [p for p in definition["parameters"] if p["default"] is None]
            if len(needed) <= given:
                return definition
        raise SqlError("42883", f'procedure "{name}" with {given} arguments does not exist')

    def _arguments(
        self, action: act.Call, parameters: list[act.Parameter]
    ) -> list[tuple[act.Parameter, str]]:
        """Each parameter with the text of its value."""
        values: dict[str, str] = {}
        for index, (label, text) in enumerate(action.arguments):
            name = label or parameters[index].name
            if name in values or name not in {p.name for p in parameters}:
                raise SqlError("42883", f'procedure has no argument "{name}" left')
            values[name] = text
        given = []
        for parameter in parameters:
            value = values.get(parameter.name, parameter.default)
            if value is None:
                raise SqlError("42883", f'argument "{parameter.name}" is missing')
            given.append((parameter, value))
        return given
