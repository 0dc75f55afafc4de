"""Functions of Postgres's dialect: made, changed and dropped.

Why it exists: a function is kept as a DuckDB macro (`proxy.functions.routines`), whose text is the body as any
statement of the session's dialect is translated: with the parameters as `$n`, of the types that it
declares. What Postgres shows of it is kept beside, and mirrored (`proxy.engines.declared_functions`).

Promises: raises SqlError as Postgres does; a body that cannot be given Postgres's meaning is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proxy.engines.duck.names import DATABASE
from proxy.engines.duck.wording_parts import pg_name
from proxy.errors import SqlError
from proxy.functions.routines import Overloads
from proxy.session.parameter_types import planned_as, relation_columns
from proxy.session.portal import Outcome
from proxy.session.savepoints import using
from proxy.sql import compound as act
from proxy.sql.definitions.touched import Touched
from proxy.sql.functions import function_actions as fa
from proxy.sql.functions.client_functions import as_listed, type_of
from proxy.sql.parameters import cast_parameters
from proxy.sql.postgres import macros
from proxy.sql.postgres.macros import Body, Given, Place
from proxy.sql.reading import DUCKDB
from proxy.sql.snowflake.signatures import kind_of
from proxy.sql.spelled_aliases import VOLATILE
from proxy.sql.statement import Route, Statement
from proxy.wire.types import DuckType, pg_type, pg_type_named

if TYPE_CHECKING:
    from proxy.session.session import Session

_NUMERIC = 1700
_MISSING = frozenset({"42703", "42P01"})
_TRAITS: dict[str, str | bool] = {"volatility": "VOLATILE", "strict": False}

_OURS = f"WHERE NOT internal AND database_name = '{DATABASE}' AND sql IS NOT NULL"
_TABLES = f"SELECT table_name, sql FROM duckdb_tables() {_OURS}"
_INDEXES = (
    "SELECT index_name, sql FROM duckdb_indexes() "
    f"WHERE database_name = '{DATABASE}' AND sql IS NOT NULL"
)

_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
_ASSIGNED: dict[str, frozenset[str]] = {
    **dict.fromkeys(_NUMBERS, _NUMBERS),
    "date": frozenset({"timestamp", "timestamptz"}),
    "timestamp": frozenset({"date", "time", "timestamptz"}),
    "timestamptz": frozenset({"date", "time", "timetz", "timestamp"}),
    "time": frozenset({"timetz", "interval"}),
    "timetz": frozenset({"time"}),
    "interval": frozenset({"time"}),
    "json": frozenset({"jsonb"}),
    "jsonb": frozenset({"json"}),
}
"""Type -> those to which a value of it is cast unasked where it is assigned; any is to a text."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """DuckDB's SQL of a query with `$n` in it, and what it gives."""

    sql: str
    columns: list[tuple[str, DuckType]]


def _shown(kind: str) -> str:
    """A type as messages have it."""
    return pg_name(planned_as(type_of(kind).oid)) if type_of(kind).oid != _NUMERIC else "numeric"


def _signature(name: str, kinds: tuple[str, ...]) -> str:
    return f"{name}({','.join(map(_shown, kinds))})"


def _kind(name: str) -> str:
    return type_of(name).name


def _kinds(function: act.CreateFunction) -> tuple[str, ...]:
    return tuple(one.kind or one.type for one in function.parameters)


def _snowflakes(function: act.CreateFunction) -> tuple[str, ...]:
    """Of a function in Snowflake's dialect."""
    return tuple(kind_of(one.type) for one in function.parameters)


class ClientFunctions:
    """A session's statements about functions in Postgres's dialect."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def run(self, action: fa.FunctionAction) -> Outcome:
        """Carries one out, in one transaction. Raises SqlError."""
        session = self._session
        async with session.compound.one_transaction():
            if isinstance(action, fa.DefineFunction):
                return await self._create(action)
            if isinstance(action, fa.DropClientFunctions):
                for signature in action.functions:
                    await self._drop(signature, action)
                return Outcome("DROP FUNCTION")
            return await self._alter(action)

    # --- CREATE ---------------------------------------------------------------------------------

    async def _create(self, action: fa.DefineFunction) -> Outcome:
        session, routines = self._session, self._session.compound.routines
        name = action.name[-1]
        macros.check_name(name, len(action.parameters))
        await routines.check_name(name)
        schema = await session.on_duck(self._schema, action.name)
        there = await routines.functions((schema, name))
        if any(one.made is None for one in there.forms):
            message = f"a function of the name {name}, which is one of Snowflake's dialect"
            raise SqlError("0A000", f"{message}, is not supported")
        made = await self._made(replace(action, name=(schema, name)))
        same = next((one for one in there.forms if _kinds(one) == _kinds(made)), None)
        if same is not None:
            if not action.replace:
                message = f'function "{name}" already exists with same argument types'
                raise SqlError("42723", message)
            _check_replaced(same, made)
            made = replace(made, comment=same.comment)
        forms = [made if one is same else one for one in there.forms]
        await self._keep(there, forms if same is not None else [*forms, made])
        return Outcome("CREATE FUNCTION")

    def _schema(self, name: tuple[str, ...]) -> str:
        """Blocks. Where a function of that name is made. Raises SqlError 3F000."""
        duck = self._session.duck
        if len(name) == 1:
            return duck.current_schema()
        schema = "main" if name[-2] == "public" else name[-2]
        if schema == "pg_temp":
            raise SqlError("0A000", "a temporary function is not supported")
        if schema.lower() not in duck.schemas():
            raise SqlError("3F000", f'schema "{name[-2]}" does not exist')
        return schema

    async def _keep(self, there: Overloads, forms: list[act.CreateFunction]) -> None:
        session = self._session
        touched = (Touched(there.schema[-1], types=True),)
        await session.mirror.changing(touched)
        await session.compound.routines.keep(there, forms)
        session.services.functions.add(there.name)
        await session.mirror.changed(touched)

    async def _made(self, action: fa.DefineFunction) -> act.CreateFunction:
        """The function with its macro."""
        traits = {**_TRAITS, **dict(action.traits)}
        if traits.get("leakproof"):
            raise SqlError("42501", "only superuser can define a leakproof function")
        strict = bool(traits["strict"])
        given = [await self._given(one) for one in action.parameters]
        oids = {n: type_of(one.type).oid for n, one in enumerate(action.parameters, start=1)}
        body = macros.body_of(action)
        text = macros.with_parameters(body, await self._parameters_in(body, action, oids))
        columns = await self._columns(action)
        found = await self._bound(text, oids)
        volatile = macros.names_called(found.sql, using(VOLATILE))
        reads = not body.alone
        if columns is None:
            result = [(action.name[-1], action.returns)]
        else:
            result = [(one.name, one.type) for one in columns]
        self._check_result(action, found, result)
        kinds = [pg_type(kind).name for _, kind in found.columns]
        casts = [
            None if _kind(want) == has else want
            for (_, want), has in zip(result, kinds, strict=True)
        ]
        if columns is not None:
            names = [f"_c{n}" for n in range(len(result))]
            outputs = ", ".join(
                f'{_cast(f"_rows.{own}", want)} AS "{_doubled(name)}"'
                for own, want, (name, _) in zip(names, casts, result, strict=True)
            )
            text = f"SELECT {outputs} FROM ({text}\n) AS _rows({', '.join(names)})"
            bound = await self._bound(text, oids)
            macro = macros.of_query(bound.sql, given, strict, name=action.name[-1], table=True)
        elif body.alone:
            if casts[0] is not None:
                text = macros.with_cast(text, casts[0])
            macro = macros.of_expression((await self._bound(text, oids)).sql, given, strict)
        else:
            if volatile:
                named = ", ".join(sorted(volatile))
                message = f"a function whose query calls {named} is not supported"
                raise SqlError("0A000", message, hint="Declare it to return a set.")
            if not macros.gives_one_row(body):
                text = f"SELECT * FROM ({text}\n) AS _rows LIMIT 1"
            value = _cast(f"({text}\n)", casts[0])
            bound = await self._bound(f"SELECT {value} AS v", oids)
            macro = macros.of_query(bound.sql, given, strict, name=action.name[-1])
        said = {
            "kind": action.returns if action.rows else _kind(action.returns),
            "rows": action.rows,
            "table": action.columns is not None,
            "named": columns is not None and not _is_one(action, columns),
            "returns": action.returns,
            "standard": action.standard,
            "traits": traits,
            "reads": reads,
            "defaults": [one.default for one in given],
            "types": [one.type for one in given],
        }
        return act.CreateFunction(
            action.name,
            tuple(replace(one, kind=_kind(one.type)) for one in action.parameters),
            action.returns,
            None
            if columns is None
            else tuple(replace(one, kind=_kind(one.type)) for one in columns),
            action.body,
            replace=True,
            if_not_exists=False,
            strict=strict,
            volatility=str(traits["volatility"]),
            made=macro,
            said=said,
        )

    async def _given(self, parameter: act.Parameter) -> Given:
        oid = type_of(parameter.type).oid
        default = None
        if parameter.default is not None:
            text = f"SELECT CAST(({parameter.default}\n) AS {parameter.type}) AS v"
            bound = await self._bound(text, {})
            tree = DUCKDB.parse(bound.sql, DUCKDB.tokenize(bound.sql))
            default = macros.write_duckdb(tree.expressions[0].unalias())
        return Given(None if oid == _NUMERIC else planned_as(oid), default)

    async def _bound(self, text: str, oids: Mapping[int, int]) -> _Bound:
        """A query in the session's dialect as DuckDB's. Raises SqlError for what cannot be a function's."""
        session = self._session
        plan = session.own.named.one(text)
        session.admit(plan)
        _check_plan(plan)
        plan = await session.calls.of(plan, dict(oids))
        plan = await session.typed.of(plan, dict(oids))
        types = {n: planned_as(oid) for n, oid in oids.items()}
        sql = cast_parameters(plan.sql, types)
        try:
            statement = await session.on_duck(session.duck.prepare, sql)
        except SqlError as error:
            error.position = None
            raise
        columns = list(statement.columns)
        statement.close()
        if any(kind.id == "INVALID" for _, kind in columns):  # they hang on the parameters' values
            known = [oids.get(n, 25) for n in range(1, max(oids, default=0) + 1)]
            columns = await session.preparation.columns_with(plan, known)
        return _Bound(plan.sql, columns)

    async def _parameters_in(
        self, body: Body, action: fa.DefineFunction, oids: Mapping[int, int]
    ) -> list[Place]:
        """Where the body means its parameters: a column of that name comes first."""
        there = macros.places(body, action)
        taken = []
        for place in there:
            others = [one for one in there if one is not place]
            try:
                await self._bound(macros.with_parameters(body, others), oids)
            except SqlError as error:
                if error.sqlstate in _MISSING:
                    taken.append(place)
                continue
            if place.aliased:
                name = action.parameters[place.number - 1].name
                message = f'an output of the name "{name}", which a parameter has'
                hint = "Call the parameter by its number."
                raise SqlError("0A000", f"{message}, is not supported", hint=hint)
        return taken

    async def _columns(self, action: fa.DefineFunction) -> tuple[act.Parameter, ...] | None:
        """The columns of what gives a set."""
        if not action.rows:
            type_of(action.returns)
            return None
        if action.columns is not None:
            return action.columns
        try:
            type_of(action.returns)
        except SqlError as error:
            if error.sqlstate != "42704":
                raise
            path = tuple(action.returns.split("."))
            meant = await self._session.on_duck(self._session.duck.means, path)
            if meant is None:
                raise
            duck = self._session.duck
            columns = await self._session.on_duck(relation_columns, duck, path) or ()
            return tuple(act.Parameter(name, pg_type(kind).name) for name, kind in columns)
        return (act.Parameter(action.name[-1], action.returns),)

    def _check_result(
        self,
        action: fa.DefineFunction,
        found: _Bound,
        result: list[tuple[str, str]],
    ) -> None:
        declared = _shown_name(action.returns) if action.columns is None else "record"
        message = f"return type mismatch in function declared to return {declared}"
        if len(found.columns) != len(result):
            if action.columns is None:
                detail = "Final statement must return exactly one column."
            else:
                few = "few" if len(found.columns) < len(result) else "many"
                detail = f"Final statement returns too {few} columns."
            raise SqlError("42P13", message, detail=detail)
        for n, ((_, want), (_, kind)) in enumerate(zip(result, found.columns, strict=True)):
            has, wanted = pg_type(kind).name, _kind(want)
            if has == wanted or wanted in _TEXTS or wanted in _ASSIGNED.get(has, ()):
                continue
            actual = _shown_name(has)
            if action.columns is None:
                detail = f"Actual return type is {actual}."
            else:
                expected = _shown_name(wanted)
                detail = (
                    f"Final statement returns {actual} instead of {expected} at column {n + 1}."
                )
            raise SqlError("42P13", message, detail=detail)

    # --- DROP and ALTER -------------------------------------------------------------------------

    async def _one(self, signature: fa.Signature) -> tuple[Overloads, act.CreateFunction]:
        """The function that a signature means. Raises SqlError 42883, 42725."""
        there = await self._session.compound.routines.functions(signature.name)
        name = signature.name[-1]
        if signature.types is None:
            if not there.forms:
                raise SqlError("42883", f'could not find a function named "{name}"')
            if len(there.forms) > 1:
                hint = "Specify the argument list to select the function unambiguously."
                raise SqlError("42725", f'function name "{name}" is not unique', hint=hint)
            return there, there.forms[0]
        kinds = tuple(map(_kind, signature.types))
        for one in there.forms:
            of_snowflake = one.made is None
            if of_snowflake and _snowflakes(one) == tuple(map(kind_of, signature.types)):
                return there, one
            if not of_snowflake and _kinds(one) == kinds:
                return there, one
        shown = ", ".join(map(_shown, kinds))
        written = ".".join(signature.name)
        raise SqlError("42883", f"function {written}({shown}) does not exist")

    async def _drop(self, signature: fa.Signature, action: fa.DropClientFunctions) -> None:
        session = self._session
        try:
            there, dropped = await self._one(signature)
        except SqlError as error:
            if not action.if_exists or error.sqlstate not in ("42883", "42704"):
                raise
            written = ".".join(signature.name)
            shown = ",".join(map(as_listed, signature.types or ()))
            message = f"function {written}({shown}) does not exist, skipping"
            session.notice(SqlError("00000", message), "NOTICE")
            return
        users = await session.on_duck(self._users, there)
        if users:
            called = _signature(there.name, _kinds(dropped))
            detail = "\n".join(f"{one} depends on function {called}" for one in users)
            if action.cascade:
                message = "DROP FUNCTION ... CASCADE of a function in use is not supported"
                raise SqlError("0A000", message, detail=detail, hint="Drop what uses it first.")
            raise SqlError(
                "2BP01",
                f"cannot drop function {called} because other objects depend on it",
                detail=detail,
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )
        await self._keep(there, [one for one in there.forms if one is not dropped])

    def _users(self, there: Overloads) -> list[str]:
        """Blocks. The views that call it, and the tables by their defaults, checks and indexes."""
        duck, wanted = self._session.duck, frozenset({there.name.lower()})
        defined = [(f"view {name}", sql) for _, name, sql in duck.views()]
        defined += [(f"table {name}", sql) for name, sql in duck.run(_TABLES)]
        defined += [(f"index {name}", sql) for name, sql in duck.run(_INDEXES)]
        return [
            name
            for name, sql in defined
            if there.name.lower() in sql.lower() and macros.names_called(sql, wanted)
        ]

    async def _alter(self, action: fa.AlterClientFunction) -> Outcome:
        session = self._session
        there, altered = await self._one(action.function)
        if altered.made is None:
            message = "ALTER FUNCTION of one in Snowflake's dialect is not supported"
            raise SqlError("0A000", message, hint="Change it in that dialect.")
        others = [one for one in there.forms if one is not altered]
        tag = Outcome("COMMENT" if action.commented else "ALTER FUNCTION")
        if not (action.rename or action.schema):
            made = altered
            if action.traits:
                said: dict[str, Any] = altered.said or {}
                again = fa.DefineFunction(
                    (there.schema[-1], there.name),
                    altered.parameters,
                    altered.returns,
                    altered.columns if said["table"] else None,
                    said["rows"],
                    altered.body,
                    said["standard"],
                    True,
                    tuple({**said["traits"], **dict(action.traits)}.items()),
                )
                created = altered.created
                made = replace(await self._made(again), comment=altered.comment, created=created)
            if action.commented:
                made = replace(made, comment=action.comment)
            made = replace(made, altered=None)
            await self._keep(there, [made if one is altered else one for one in there.forms])
            return tag
        name = action.rename or there.name
        place = (action.schema, name) if action.schema else (there.schema[-1], name)
        if action.rename:
            macros.check_name(name, len(altered.parameters))
            await session.compound.routines.check_name(name)
        schema = await session.on_duck(self._schema, place)
        if await session.on_duck(self._users, there):
            message = "ALTER FUNCTION of one in use is not supported"
            raise SqlError("0A000", message, hint="Drop what uses it first.")
        target = await session.compound.routines.functions((schema, name))
        if (target.schema, target.name) == (there.schema, there.name):
            return tag
        if any(_kinds(one) == _kinds(altered) for one in target.forms):
            shown = "public" if schema == "main" else schema
            message = f"function {_signature(name, _kinds(altered))} already exists in schema"
            raise SqlError("42723", f'{message} "{shown}"')
        await self._keep(there, others)
        await self._keep(target, [*target.forms, replace(altered, altered=None)])
        return tag


def _is_one(action: fa.DefineFunction, columns: tuple[act.Parameter, ...]) -> bool:
    """Whether a set is of values of one type, which has no columns of its own."""
    return action.columns is None and columns == (act.Parameter(action.name[-1], action.returns),)


def _check_plan(plan: Statement) -> None:
    if plan.route is not Route.DUCKDB or plan.federated:
        raise SqlError("0A000", "a function over the control plane is not supported")
    if plan.writes or plan.numbers or plan.locks is not None:
        raise SqlError("0A000", "a function that changes data is not supported")
    if plan.needs or plan.varies:
        raise SqlError("0A000", "a function that asks about its session is not supported")


def _check_replaced(old: act.CreateFunction, new: act.CreateFunction) -> None:
    """What CREATE OR REPLACE must leave. Raises SqlError 42P13."""
    hint = f"Use DROP FUNCTION {_signature(old.name[-1], _kinds(old))} first."

    def result(one: act.CreateFunction) -> tuple[Any, ...]:
        said: dict[str, Any] = one.said or {}
        columns = [(c.name, c.kind) for c in one.columns or ()]
        return said.get("kind"), columns if said.get("table") else len(columns), said.get("rows")

    if result(old) != result(new):
        raise SqlError("42P13", "cannot change return type of existing function", hint=hint)
    for before, after in zip(old.parameters, new.parameters, strict=True):
        if before.name and before.name != after.name:
            message = f'cannot change name of input parameter "{before.name}"'
            raise SqlError("42P13", message, hint=hint)
        if before.default is not None and after.default is None:
            message = "cannot remove parameter defaults from existing function"
            raise SqlError("42P13", message, hint=hint)


def _cast(value: str, kind: str | None) -> str:
    return value if kind is None else f"CAST({value} AS {kind})"


def _doubled(name: str) -> str:
    return name.replace('"', '""')


def _shown_name(name: str) -> str:
    """As `_shown`, of what may be no type."""
    return _shown(name) if pg_type_named(name) is not None else name
