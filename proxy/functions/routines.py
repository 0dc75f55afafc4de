"""Functions and procedures of the client's, kept in DuckDB.

Why it exists: DuckDB has macros, which live in schemas, are found by the search path, and come and go
with transactions. A SQL function is a macro, with a form for each of the functions of its name. What
they were made of is the value of a macro without parameters, under a name that no function has:
`function f`, a JSON array. A procedure is such a macro alone: `procedure p/2`, for two parameters.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from proxy.engines.duck.errors import EngineError
from proxy.errors import SqlError
from proxy.scripting.scope import Name, with_parameters
from proxy.session.portal import Outcome
from proxy.sql import compound as act
from proxy.sql.functions import macros
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.scripting.reader import read_block
from proxy.sql.snowflake.signatures import kind_of, type_of

if TYPE_CHECKING:
    from proxy.scripting.blocks import Script
    from proxy.session.compound import Answer
    from proxy.session.session import Session

_FOUND = (
    "SELECT schema_name, function_name FROM duckdb_functions() WHERE NOT internal "
    "AND database_name = current_database() AND schema_name IN ({schemas}) "
    "AND starts_with(function_name, {name})"
)


def _schema(name: tuple[str, ...]) -> tuple[str, ...]:
    """The schema that a name says, as DuckDB calls it."""
    return tuple("main" if part == "public" else part for part in name[:-1])[-1:]


# DuckDB's own functions that nothing here calls: a client's of that name is found before them.
_FREE = frozenset(
    {
        *("add", "subtract", "multiply", "divide", "even", "prefix", "suffix", "bar", "mean"),
        *("product", "alias", "fdiv", "fmod", "entropy", "mad", "sem", "tokenize"),
    }
)


@dataclass(frozen=True, slots=True)
class Overloads:
    """The functions of one name in one schema. kept: whether there are any yet."""

    schema: tuple[str, ...]
    name: str
    forms: tuple[act.CreateFunction, ...]
    kept: bool


def _types(function: act.CreateFunction) -> tuple[str, ...]:
    return tuple(one.kind or kind_of(one.type) for one in function.parameters)


def _is_ambiguous(function: act.CreateFunction, among: list[act.CreateFunction]) -> bool:
    """Whether a call's number of arguments alone does not tell a function from others of its name."""

    def counts(one: act.CreateFunction) -> range:
        needed = sum(parameter.default is None for parameter in one.parameters)
        return range(needed, len(one.parameters) + 1)

    mine = counts(function)
    return any(one is not function and set(counts(one)) & set(mine) for one in among)


def _shown(parameters: tuple[act.Parameter, ...]) -> list[dict[str, str | None]]:
    return [asdict(p) | {"kind": p.kind or kind_of(p.type)} for p in parameters]


def _parameters(listed: list[dict[str, Any]], kinds: bool = False) -> tuple[act.Parameter, ...]:
    """kinds: whether they are a function's in Postgres's dialect."""
    return tuple(
        act.Parameter(
            one["name"],
            one["type"],
            one["default"],
            one.get("out", False),
            one["kind"] if kinds else None,
        )
        for one in listed
    )


def _written(function: act.CreateFunction) -> dict[str, Any]:
    """What is kept of a function: enough to make it again, and to show it."""
    made, now = asdict(function), time.time()
    made["created"], made["altered"] = function.created or now, function.altered or now
    for passing in ("name", "replace", "if_not_exists"):
        del made[passing]
    made["parameters"] = _shown(function.parameters)
    if function.columns is None:
        made["kind"] = function.said["kind"] if function.said else kind_of(function.returns)
    else:
        made["columns"] = _shown(function.columns)
    return made


def _read_function(name: tuple[str, ...], kept: dict[str, Any]) -> act.CreateFunction:
    rest = {
        key: value for key, value in kept.items() if key not in ("kind", "parameters", "columns")
    }
    columns = kept["columns"]
    return act.CreateFunction(
        name,
        _parameters(kept["parameters"], kinds="said" in kept and kept["said"] is not None),
        columns=None if columns is None else _parameters(columns),
        replace=True,
        if_not_exists=False,
        **rest,
    )


def _defined(action: act.CreateProcedure) -> dict[str, Any]:
    """What is kept of a procedure. Raises where its body or a type of it cannot be read."""
    read_block(action.body, SNOWFLAKE.tokenize(action.body))
    for parameter in action.parameters:
        type_of(parameter.type)
    if action.returns != "TABLE":
        type_of(action.returns)
    for column in action.columns:
        type_of(column.type)
    return {
        "parameters": _shown(action.parameters),
        "returns": action.returns,
        "kind": "TABLE" if action.returns == "TABLE" else kind_of(action.returns),
        "columns": _shown(action.columns),
        "body": action.body,
        "created": time.time(),
    }


class Routines:
    """A session's functions and procedures."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def _execute(self, sql: str) -> int:
        done = await self._session.compound.execute(sql)
        self._session.transaction.wrote(sql, (), 0, settled=True)
        return done

    async def _rows(self, sql: str) -> list[tuple[str, ...]]:
        return await self._session.on_duck(self._session.duck.run, sql)

    async def _find(self, name: tuple[str, ...], start: str) -> list[tuple[str, ...]]:
        """(schema, name) of the macros that begin so, those of earlier schemas first."""
        schema = _schema(name)
        schemas = literal(schema[0]) if schema else "SELECT unnest(current_schemas(true))"
        return await self._rows(_FOUND.format(schemas=schemas, name=literal(start)))

    # --- functions ----------------------------------------------------------------------------

    async def create_function(self, action: act.CreateFunction) -> Answer:
        name = action.name[-1]
        _, colliding = macros.macro(action)
        await self.check_name(name)
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
        there = await self.functions(action.name)
        if any(one.made for one in there.forms):
            raise SqlError(
                "0A000", f"a function of the name {name}, which is one of Postgres's dialect"
            )
        types = tuple(kind_of(p.type) for p in action.parameters)
        same = next((one for one in there.forms if _types(one) == types), None)
        if same is not None and action.if_not_exists:
            return Outcome("CREATE FUNCTION")
        if same is not None and not action.replace:
            raise SqlError(
                "42723", f'function "{name}" already exists with the same argument types'
            )
        forms = [action if one is same else one for one in there.forms]
        async with self._session.compound.one_transaction():
            await self.keep(there, forms if same is not None else [*forms, action])
        return Outcome("CREATE FUNCTION")

    async def check_name(self, name: str) -> None:
        """Raises SqlError 0A000 for the name of one of DuckDB's own functions."""
        builtin = "SELECT 1 FROM duckdb_functions() WHERE internal AND function_name = "
        taken = f"{builtin}{literal(name.lower())} LIMIT 1"
        if name.lower() not in _FREE and await self._rows(taken):
            raise SqlError("0A000", f"a function of the name {name} is not supported")

    async def functions(self, name: tuple[str, ...]) -> Overloads:
        """The functions of a name, in the first schema of the path that has any."""
        key = f"function {name[-1]}"
        found = [row for row in await self._find(name, key) if row[1].lower() == key.lower()]
        if not found:
            return Overloads(_schema(name), name[-1], (), kept=False)
        schema, key = found[0]
        (value,) = (await self._rows(f"SELECT {quoted(schema, key)}()"))[0]
        spelled = key.removeprefix("function ")
        forms = tuple(_read_function((schema, spelled), one) for one in json.loads(value))
        return Overloads((schema,), spelled, forms, kept=True)

    async def keep(self, there: Overloads, forms: list[act.CreateFunction]) -> None:
        """Makes the macros of a name's functions anew, and writes down what they were made of."""
        kinds = {form.columns is None for form in forms}
        if len(kinds) > 1:
            raise SqlError("0A000", "a function of a table function's name is not supported")
        macro = quoted(*there.schema, there.name)
        key = quoted(*there.schema, f"function {there.name}")
        if there.kept:
            what = "MACRO" if there.forms[0].columns is None else "MACRO TABLE"
            await self._execute(f"DROP {what} IF EXISTS {macro}")
        if not forms:
            await self._execute(f"DROP MACRO {key}")
            return
        written = [
            form.made or macros.macro(form, typed=_is_ambiguous(form, forms))[0] for form in forms
        ]
        await self._execute(f"CREATE MACRO {macro} {', '.join(written)}")
        value = literal(json.dumps([_written(form) for form in forms]))
        await self._execute(f"CREATE OR REPLACE MACRO {key}() AS {value}")

    async def _one(
        self, name: tuple[str, ...], types: tuple[str, ...]
    ) -> tuple[Overloads, act.CreateFunction | None]:
        there = await self.functions(name)
        wanted = tuple(map(kind_of, types))
        return there, next((one for one in there.forms if _types(one) == wanted), None)

    async def drop_function(self, action: act.DropFunction) -> Answer:
        there, dropped = await self._one(action.name, action.types)
        if dropped is None:
            if action.if_exists:
                return Outcome("DROP FUNCTION")
            raise SqlError("42883", f'function "{action.name[-1]}" does not exist')
        async with self._session.compound.one_transaction():
            await self.keep(there, [one for one in there.forms if one is not dropped])
        return Outcome("DROP FUNCTION")

    async def alter_function(self, action: act.AlterFunction) -> Answer:
        there, altered = await self._one(action.name, action.types)
        if altered is None:
            if action.if_exists:
                return Outcome("ALTER FUNCTION")
            raise SqlError("42883", f'function "{action.name[-1]}" does not exist')
        if not action.rename:
            made = replace(altered, altered=None, **dict(action.changes))
            forms = [made if one is altered else one for one in there.forms]
            async with self._session.compound.one_transaction():
                await self.keep(there, forms)
            return Outcome("ALTER FUNCTION")
        macros.check_name(action.rename[-1])
        target = await self.functions(
            (*(_schema(action.rename) or there.schema), action.rename[-1])
        )
        if any(_types(one) == _types(altered) for one in target.forms):
            raise SqlError("42723", f'function "{action.rename[-1]}" already exists')
        async with self._session.compound.one_transaction():
            await self.keep(there, [one for one in there.forms if one is not altered])
            await self.keep(target, [*target.forms, replace(altered, altered=None)])
        return Outcome("ALTER FUNCTION")

    # --- procedures ---------------------------------------------------------------------------

    async def create_procedure(self, action: act.CreateProcedure) -> Answer:
        definition = _defined(action)
        key = f"procedure {action.name[-1]}/{len(action.parameters)}"
        target = quoted(*_schema(action.name), key)
        there = [row for row in await self._find(action.name, key) if row[1] == key]
        if there and action.if_not_exists:
            return Outcome("CREATE PROCEDURE")
        if there and not action.replace:
            raise SqlError("42723", f'procedure "{action.name[-1]}" already exists')
        value = literal(json.dumps(definition))
        await self._execute(f"CREATE OR REPLACE MACRO {target}() AS {value}")
        return Outcome("CREATE PROCEDURE")

    async def drop_procedure(self, action: act.DropProcedure) -> Answer:
        key = f"procedure {action.name[-1]}/{action.arity}"
        there = [row for row in await self._find(action.name, key) if row[1] == key]
        if there:
            await self._execute(f"DROP MACRO {quoted(*there[0])}")
        elif not action.if_exists:
            raise SqlError("42883", f'procedure "{action.name[-1]}" does not exist')
        return Outcome("DROP PROCEDURE")

    async def alter_procedure(self, action: act.AlterProcedure) -> Answer:
        key = f"procedure {action.name[-1]}/{action.arity}"
        there = [row for row in await self._find(action.name, key) if row[1] == key]
        if not there and not action.if_exists:
            raise SqlError("42883", f'procedure "{action.name[-1]}" does not exist')
        if there and action.rename:
            schema = _schema(action.rename) or (there[0][0],)
            target = quoted(*schema, f"procedure {action.rename[-1]}/{action.arity}")
            async with self._session.compound.one_transaction():
                (value,) = (await self._rows(f"SELECT {quoted(*there[0])}()"))[0]
                value = json.dumps(json.loads(value) | {"altered": time.time()})
                await self._execute(f"CREATE MACRO {target}() AS {literal(value)}")
                await self._execute(f"DROP MACRO {quoted(*there[0])}")
        return Outcome("ALTER PROCEDURE")

    async def call(self, action: act.Call, caller: Script) -> Answer:
        """Runs a procedure. Its arguments are expressions of the caller's."""
        from proxy.scripting.blocks import Script

        if action.name[-1].upper().startswith("SYSTEM$"):  # Snowflake's functions can be called so
            given = ", ".join(text for _, text in action.arguments)
            compound = self._session.compound
            return await compound.answer(compound.plan(f"SELECT {action.name[-1]}({given})"))
        definition = await self.definition(action)
        parameters = list(_parameters(definition["parameters"]))
        script = Script(self._session.compound, caller.depth + 1)
        script.scope.enter()
        given_back: list[tuple[Name, Name]] = []
        for parameter, value in self._arguments(action, parameters):
            value = with_parameters(value, caller.parameters)
            target = caller.scope.of_value(value) if parameter.out else None
            if parameter.out and target is None:
                raise SqlError("42601", f'OUT argument "{parameter.name}" must be a variable')
            sql = await caller._query(f"SELECT CAST(({value}) AS {parameter.type})")
            made = script.scope.declare(parameter.name, Name("value", type=parameter.type))
            await script.assign(made, sql)
            if target is not None:
                given_back.append((target, made))
        body = definition["body"]
        block, _ = read_block(body, SNOWFLAKE.tokenize(body))
        answer = await script.run(block, action.name[-1], definition["returns"])
        for target, made in given_back:
            await caller._take(target, f"SELECT getvariable('{made.variable}')")
        if definition["columns"] and script.table is not None:
            return await self.as_declared(script.table, definition["columns"])
        return answer

    async def as_declared(self, table: str, columns: list[dict[str, str]]) -> Answer:
        """The rows of a procedure that RETURNS TABLE (name type, ...)."""
        width = len(await self._rows(f"DESCRIBE {table}"))
        if width != len(columns):
            raise SqlError("42804", f"the procedure returns {width} columns, not {len(columns)}")
        names = ", ".join(f"_c{i}" for i in range(width))
        casts = ", ".join(
            f"CAST(_c{i} AS {column['type']}) AS {quoted(column['name'])}"
            for i, column in enumerate(columns)
        )
        text = f"SELECT {casts} FROM {table} AS _t({names})"
        return await self._session.compound.answer(self._session.compound.plan(text))

    async def definition(self, action: act.Call) -> dict:
        """What is kept of the procedure that a CALL means. Raises 42883."""
        if action.procedure is not None:
            return _defined(action.procedure)
        name, given = action.name[-1], len(action.arguments)
        found = {}
        for schema, key in await self._find(action.name, f"procedure {name}/"):
            found[int(key.rpartition("/")[2])] = (schema, key)
        for arity in sorted(found):
            if arity < given:
                continue
            (value,) = (await self._rows(f"SELECT {quoted(*found[arity])}()"))[0]
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
