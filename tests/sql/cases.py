"""Runs the documented Snowflake cases of `tests/data/snowflake_cases.jsonl` on a DuckDB.

Each case gets a database of its own. Its statements go through the planner as a client's would; what
the session would do itself (transactions, USE) is done here in a line each. An outcome is

- `right`: the documented rows, or an error where an error is documented;
- `refused`: 0A000, said before anything ran;
- `error`: the engine raised where Snowflake gives a value;
- `wrong`: other rows than the documented ones. There must be none.

`python tests/sql/cases.py [area|id ...]` prints the counts by area and what is not right.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from proxy.engines import documents
from proxy.errors import SqlError
from proxy.sql import session_actions as act
from proxy.sql.plan import Dialect, PlanCache, Route
from proxy.sql.snowflake import macro_scripts
from proxy.sql.snowflake.parameters import PARAMETERS, check
from proxy.sql.snowflake.vectorised import VECTORISED

DATA = Path(__file__).parent.parent / "data"
CASES = DATA / "snowflake_cases.jsonl"

Case = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: its verdict and, where not right, what was seen."""

    verdict: str
    seen: str = ""


class NotPlanned(Exception):
    """A statement that this runner has no session for."""


def _of_chunks(body: Callable[..., pa.Array], count: int) -> Callable[..., pa.Array]:
    """A function of `count` columns, as DuckDB's DB-API wants to see it."""

    def function(*columns: pa.ChunkedArray) -> pa.Array:
        return body(*(column.combine_chunks() for column in columns))

    names = [Parameter(f"c{n}", Parameter.POSITIONAL_OR_KEYWORD) for n in range(count)]
    function.__signature__ = Signature(names)
    return function


# What the engine has in C or over any type; here they only have to be there.
_OF_THE_ENGINE = {
    "row_to_json_(kind, made)": "made",
    "text_of_(x, zone)": "CAST(x AS VARCHAR)",
    "json_of_(x, zone)": "CAST(to_json(x) AS VARCHAR)",
    "json_member_(x, k)": "json_extract(x, k)",
    "json_member_text_(x, k)": "json_extract_string(x, k)",
    "json_path_(x, steps)": "x",
    "json_path_text_(x, steps)": "x",
    "jsonb_key_(x)": "x",
    "json_elements_(x)": "CAST(json_extract(x, '$[*]') AS JSON[])",
    "variant_path_(x, p)": (
        "variant_steps_(x, CASE typeof(p) WHEN 'VARCHAR' THEN CAST(p AS VARCHAR)"
        " ELSE '[' || p || ']' END)"
    ),
    "json_element_texts_(x)": "CAST(x AS VARCHAR[])",
}


def _stand_in(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    for name, body in _OF_THE_ENGINE.items():
        connection.execute(f"CREATE MACRO {place}{name} AS {body}")


def _null_of_null(body: Callable[..., Any], count: int) -> Callable[..., Any]:
    def function(*given: Any) -> Any:
        return None if None in given else body(*given)

    names = [Parameter(f"c{n}", Parameter.POSITIONAL_OR_KEYWORD) for n in range(count)]
    function.__signature__ = Signature(names)
    return function


def _stand_in_for_documents(connection: duckdb.DuckDBPyConnection) -> None:
    """What the engine registers for VARIANTs (proxy.engines.duck.documents), and its names here."""
    for name, body, arguments, result in (
        ("variant_key_", documents.variant_key, ["JSON"], "BLOB"),
        ("variant_plain_", documents.variant_plain, ["JSON"], "JSON"),
        ("variant_steps_", documents.at_steps, ["JSON", "VARCHAR"], "JSON"),
        ("variant_text_", documents.text_at_steps, ["JSON", "VARCHAR"], "VARCHAR"),
        ("variant_list_", documents.of_list, ["JSON[]"], "JSON"),
        ("variant_object_", documents.of_members, ["VARCHAR[]", "JSON[]"], "JSON"),
    ):
        function = _null_of_null(body, len(arguments))
        connection.create_function(name, function, arguments, result, null_handling="special")


def connect() -> duckdb.DuckDBPyConnection:
    """A DuckDB as the engine sets it up."""
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS _sf")
    for name, arguments, result, body, volatile in VECTORISED:
        connection.create_function(
            name,
            _of_chunks(body, len(arguments)),
            list(arguments),
            result,
            type="arrow",
            side_effects=volatile,
            null_handling="special",
        )
    _stand_in_for_documents(connection)
    for place in ("", "_sf.main."):  # the engine has its own: proxy.engines.duck.jsonb
        connection.execute(f"CREATE TYPE {place}JSONB AS JSON")
    for place in ("", "_sf.main."):
        _stand_in(connection, place)
    for script in macro_scripts():
        connection.execute(script)
    connection.execute("SET GLOBAL default_null_order = 'nulls_last_on_asc_first_on_desc'")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET GLOBAL TimeZone = 'America/Los_Angeles'")
    return connection


def read_lines(name: str) -> Iterator[dict[str, Any]]:
    """What a file of `tests/data` has, a line each."""
    with (DATA / name).open() as lines:
        yield from map(json.loads, lines)


def read_cases() -> Iterator[Case]:
    """All cases, `{DATA}` replaced."""
    files = str(DATA / "files")
    with CASES.open() as lines:
        for line in lines:
            yield json.loads(line.replace("{DATA}", files))


class Runner:
    """Runs statements as a session of the Snowflake dialect would."""

    def __init__(self, dialect: str = "snowflake") -> None:
        self.connection = connect()
        self.cache = PlanCache()
        self.dialect = Dialect(dialect, numbered=dialect == "snowflake", database="cases")
        self._number = 0
        for name in _ASKED:
            self.connection.execute(f"SET VARIABLE hatidata_{name} = 'x'")

    def fresh(self) -> None:
        """A new, empty database; whatever transaction was open is gone."""
        with contextlib.suppress(duckdb.Error):
            self.connection.execute("ROLLBACK")
        self._number += 1
        self.dialect = replace(self.dialect, parameters=(), variables=(), last_listing=None)
        self.connection.execute("USE memory")
        if self._number > 1:
            self.connection.execute(f"DETACH case_{self._number - 1}")
        self.connection.execute(f"ATTACH ':memory:' AS case_{self._number}")
        self.connection.execute(f"USE case_{self._number}")
        _stand_in(self.connection, "")

    def run(self, text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of the last statement of `text`."""
        columns: list[str] = []
        rows: list[tuple[Any, ...]] = []
        for statement in self.cache.plan(text, self.dialect):
            if statement.refused is not None:
                raise statement.refused
            if statement.route is Route.SESSION:
                self._session(statement.action)
            elif statement.route is Route.DUCKDB:
                result = self.connection.execute(statement.sql)
                columns = [column[0] for column in result.description or ()]
                rows = _rows(result)
                for sql in statement.then:
                    self.connection.execute(sql)
                listing = statement.kind.startswith(("SHOW ", "DESCRIBE "))
                last = (statement.sql, statement.needs) if listing else None
                self.dialect = replace(self.dialect, last_listing=last)
            else:
                raise NotPlanned(f"{statement.route}: {text}")
        return columns, rows

    def _session(self, action: act.SessionAction | None) -> None:
        match action:
            case act.Begin():
                self.connection.execute("BEGIN")
            case act.Commit():
                self.connection.execute("COMMIT")
            case act.Rollback():
                self.connection.execute("ROLLBACK")
            case act.Use(kind="SCHEMA" | "", name=name):
                self.connection.execute(f"USE case_{self._number}.{name[-1]}")
            case act.AlterSession(set=pairs, unset=names):
                kept = dict(self.dialect.parameters)
                for name, value in (*pairs, *((name, None) for name in names)):
                    kept.pop(name, None)
                    if value is not None:
                        kept[name] = check(PARAMETERS[name], value)
                planned = [(n, v) for n, v in sorted(kept.items()) if PARAMETERS[n].planned]
                self.dialect = replace(self.dialect, parameters=tuple(planned))
            case act.SetVariables(names=names, query=query):
                _, [row] = self.run(query)
                made = tuple((n, _kind(v), str(v)) for n, v in zip(names, row, strict=True))
                self.dialect = replace(self.dialect, variables=made)
            case act.UnsetVariables():
                self.dialect = replace(self.dialect, variables=())
            case _:
                raise NotPlanned(f"session action {action}")


_ASKED = ("client", "database", "ip", "role", "session", "user", "version", "warehouse")


def _kind(value: Any) -> str:
    return "VARCHAR" if isinstance(value, str) else "BIGINT"


def _rows(result: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """All rows; times with a zone come through Arrow, which needs no pytz."""
    kinds = [str(column[1]) for column in result.description or ()]
    if not any("WITH TIME ZONE" in kind for kind in kinds):
        return result.fetchall()
    return [tuple(row.values()) for row in result.to_arrow_table().to_pylist()]


def run_case(runner: Runner, case: Case) -> Outcome:
    """The outcome of one case in a fresh database."""
    runner.fresh()
    try:
        for text in case["setup"]:
            runner.run(text)
        columns, rows = runner.run(case["sql"])
    except SqlError as error:
        if error.sqlstate == "0A000":
            return Outcome("refused", error.message)
        return Outcome("right" if "error" in case else "error", str(error))
    except NotPlanned as error:
        return Outcome("refused", str(error))
    except duckdb.Error as error:
        return Outcome("right" if "error" in case else "error", str(error).split("\n")[0])
    return judged(case, columns, rows)


def judged(case: Case, columns: list[str], rows: list[tuple[Any, ...]]) -> Outcome:
    """Whether a case's result is the documented one."""
    if "error" in case:
        return Outcome("wrong", f"no error, but {rows}")
    if "check" in case:
        return _checked(case["check"], columns, rows)
    if case.get("cols") and [c.lower() for c in case["cols"]] != [c.lower() for c in columns]:
        return Outcome("wrong", f"columns {columns}, not {case['cols']}")
    expected = case["expected"]
    tol = case.get("tol")
    if _same_rows(expected, rows, tol) or (
        not case.get("ordered") and _same_rows_unordered(expected, rows, tol)
    ):
        return Outcome("right")
    return Outcome("wrong", f"{rows}, not {expected}")


def _checked(check: dict[str, Any], columns: list[str], rows: list[tuple[Any, ...]]) -> Outcome:
    names = [column.lower() for column in columns]
    if not {column.lower() for column in check.get("cols", ())} <= set(names):
        return Outcome("wrong", f"columns {columns}")
    wanted = check.get("any_row")
    if wanted is None:
        return Outcome("right")
    for row in rows:
        found = dict(zip(names, row, strict=True))
        if all(str(found.get(k.lower())).lower() == str(v).lower() for k, v in wanted.items()):
            return Outcome("right")
    return Outcome("wrong", f"no row {wanted} in {rows[:5]}")


def _same_rows(expected: list[list[Any]], rows: list[tuple[Any, ...]], tol: float | None) -> bool:
    return len(expected) == len(rows) and all(
        len(want) == len(got) and all(same(w, g, tol) for w, g in zip(want, got, strict=True))
        for want, got in zip(expected, rows, strict=True)
    )


def _same_rows_unordered(
    expected: list[list[Any]], rows: list[tuple[Any, ...]], tol: float | None
) -> bool:
    left = list(rows)
    for want in expected:
        for index, got in enumerate(left):
            if _same_rows([want], [got], tol):
                del left[index]
                break
        else:
            return False
    return not left


def same(want: Any, got: Any, tol: float | None = None) -> bool:
    """Whether a value is the documented one; see tests/data for the notation."""
    if isinstance(want, dict):
        ((kind, value),) = want.items()
        return _TAGGED[kind](value, got, tol)
    if want is None or got is None:
        return want is got
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, (int, float)) and isinstance(got, (int, float, Decimal)):
        if tol is not None:
            return abs(float(want) - float(got)) <= tol
        return want == got or math.isclose(float(want), float(got), rel_tol=1e-12)
    return want == got


def _timestamp(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _json(want: Any, got: Any, tol: float | None) -> bool:
    if not isinstance(got, str):
        return False
    try:
        return same_json(want, json.loads(got), tol)
    except ValueError:
        return False


def same_json(want: Any, got: Any, tol: float | None) -> bool:
    """Whether two semi-structured values are equal, numbers by value."""
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(
            same_json(w, g, tol) for w, g in zip(want, got, strict=True)
        )
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(same_json(want[k], got[k], tol) for k in want)
    if isinstance(want, (list, dict)) or isinstance(got, (list, dict)):
        return False
    return same(want, got, tol)


_TAGGED = {
    "$v": _json,
    "$date": lambda want, got, tol: got == datetime.date.fromisoformat(want),
    "$ts": lambda want, got, tol: (
        isinstance(got, datetime.datetime) and got.tzinfo is None and got == _timestamp(want)
    ),
    "$tz": lambda want, got, tol: (
        isinstance(got, datetime.datetime) and got.tzinfo is not None and got == _timestamp(want)
    ),
    "$time": lambda want, got, tol: got == datetime.time.fromisoformat(want),
    "$bin": lambda want, got, tol: isinstance(got, bytes) and got.hex() == want.lower(),
}


def main(wanted: list[str]) -> None:
    """Print the counts by area, and each case that is not right."""
    runner = Runner()
    counts: dict[str, Counter[str]] = {}
    for case in read_cases():
        if wanted and case["area"] not in wanted and case["id"] not in wanted:
            continue
        outcome = run_case(runner, case)
        counts.setdefault(case["area"], Counter())[outcome.verdict] += 1
        if outcome.verdict != "right":
            sql = " ;; ".join([*case["setup"], case["sql"]])
            print(f"{outcome.verdict:8} {case['area']}/{case['id']}: {sql}\n    {outcome.seen}")
    total: Counter[str] = Counter()
    for area, found in sorted(counts.items()):
        total += found
        print(f"{area:14}", dict(found))
    print("all           ", dict(total))


if __name__ == "__main__":
    main(sys.argv[1:])
