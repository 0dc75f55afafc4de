"""Types that a value's tree shows, and the casts between them that need no look at the type.

Why it exists: a cast whose source may be anything is a macro with a branch for each type, in each of
which the value stands again. Casts within casts - dbt writes md5(coalesce(cast(now()::timestamp as
varchar), '')) - multiply: three deep, DuckDB binds a minute. What the inner one makes is known here,
so that the outer one is the one branch that will be taken.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.snowflake.registry import cast, duck, sf

_D = exp.DType

_CALLS = {
    **dict.fromkeys(("_sf.to_varchar_", "_sf.checked_length_", "strftime"), _D.VARCHAR),
    **dict.fromkeys(("json_extract_string", "chr", "md5"), _D.VARCHAR),
    "_sf.to_date_": _D.DATE,
    "_sf.to_timestamp_": _D.TIMESTAMP,
    **dict.fromkeys(("now", "NOW"), _D.TIMESTAMPTZ),
}
_NODES: dict[type, exp.DType] = {
    **dict.fromkeys((exp.DPipe, exp.Upper, exp.Lower, exp.MD5), _D.VARCHAR),
    exp.CurrentTimestamp: _D.TIMESTAMPTZ,
}
_CAST = {**dict.fromkeys((_D.TEXT, _D.VARCHAR), _D.VARCHAR), _D.DATE: _D.DATE} | {
    _D.TIMESTAMP: _D.TIMESTAMP
}


def known_type(value: exp.Expr) -> exp.DType | None:
    """VARCHAR, DATE, TIMESTAMP or TIMESTAMPTZ where a value, as DuckDB has it, is certainly that."""
    if isinstance(value, exp.Paren):
        return known_type(value.this)
    if isinstance(value, exp.Anonymous):
        return _CALLS.get(value.this) if isinstance(value.this, str) else None
    if isinstance(value, exp.Literal):
        return _D.VARCHAR if value.is_string else None
    if isinstance(value, exp.Cast) and type(value) in (exp.Cast, exp.TryCast):
        to = value.args["to"]
        return _CAST.get(to.this) if isinstance(to, exp.DataType) else None
    if isinstance(value, exp.Nullif):
        return known_type(value.this)
    if isinstance(value, exp.Coalesce):
        kinds = {
            known_type(one)
            for one in (value.this, *value.expressions)
            if not isinstance(one, exp.Null)
        }
        return kinds.pop() if len(kinds) == 1 else None
    return _NODES.get(type(value))


def _as(kind: exp.DType) -> Callable[[exp.Expr], exp.Expr]:
    return lambda value: cast(value, kind)


def _same(value: exp.Expr) -> exp.Expr:
    return value


_DIRECT: dict[tuple[str, exp.DType], Callable[[exp.Expr], exp.Expr]] = {
    ("to_varchar_", _D.VARCHAR): _same,
    ("to_varchar_", _D.DATE): _as(_D.VARCHAR),
    ("to_varchar_", _D.TIMESTAMP): lambda value: duck(
        "strftime", value, exp.Literal.string("%Y-%m-%d %H:%M:%S.%g")
    ),
    ("to_date_", _D.DATE): _same,
    ("to_date_", _D.TIMESTAMP): _as(_D.DATE),
    ("to_time_", _D.TIMESTAMP): _as(_D.TIME),
    ("to_timestamp_", _D.TIMESTAMP): _same,
    ("to_timestamp_", _D.DATE): _as(_D.TIMESTAMP),
    ("to_timestamp_", _D.TIMESTAMPTZ): _as(_D.TIMESTAMP),
}


def convert(name: str, value: exp.Expr) -> exp.Expr:
    """A call of the macro `name`, or what it comes to for a value of a known type."""
    kind = None if isinstance(value, exp.Literal) else known_type(value)
    direct = _DIRECT.get((name, kind)) if kind is not None else None
    return direct(value) if direct is not None else sf(name, value)
