"""Which of several functions of one name a call means, as Postgres chooses.

Why it exists: DuckDB counts the costs of casts of its own. Postgres takes the function that most arguments fit
exactly; of several, that of the preferred types; and an argument of no type is a text where that can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxy.engines.duck.wording_parts import pg_name
from proxy.sql.compound import CreateFunction
from proxy.wire.types import BY_NAME, duck_type_name

_NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")
_IMPLICIT: dict[str, frozenset[str]] = {
    **{kind: frozenset(_NUMBERS[n + 1 :]) for n, kind in enumerate(_NUMBERS)},
    "date": frozenset({"timestamp", "timestamptz"}),
    "timestamp": frozenset({"timestamptz"}),
    "time": frozenset({"interval", "timetz"}),
    "varchar": frozenset({"text", "bpchar"}),
    "text": frozenset({"varchar", "bpchar"}),
    "bpchar": frozenset({"text", "varchar"}),
}
_PREFERRED = frozenset({"float8", "text", "timestamptz", "interval", "bool"})
_TEXTS = frozenset({"text", "varchar", "bpchar"})
_CATEGORIES = (
    frozenset(_NUMBERS),
    frozenset({"date", "time", "timetz", "timestamp", "timestamptz"}),
    _TEXTS,
)

Pairs = list[tuple[str | None, str]]


def _pairs(
    form: CreateFunction, given: Sequence[str | None], named: Mapping[str, str | None]
) -> Pairs:
    """Each argument's type with its parameter's."""
    kinds = [one.kind or "" for one in form.parameters]
    by_name = {one.name: one.kind or "" for one in form.parameters}
    return [
        *zip(given, kinds, strict=False),
        *((kind, by_name[name]) for name, kind in named.items()),
    ]


def chosen(
    forms: Sequence[CreateFunction],
    given: Sequence[str | None],
    named: Mapping[str, str | None],
) -> list[CreateFunction]:
    """Those that are left: one, none where the arguments fit none, several where it cannot be told."""
    left: list[tuple[CreateFunction, Pairs]] = []
    for form in forms:
        pairs = _pairs(form, given, named)
        if all(has in (None, want) or want in _IMPLICIT.get(has or "", ()) for has, want in pairs):
            left.append((form, pairs))
    for rank in (_exact, _preferred, _of_texts):
        if len(left) > 1:
            best = max(rank(pairs) for _, pairs in left)
            left = [one for one in left if rank(one[1]) == best]
    if len(left) > 1:
        left = _by_categories(left)
    fewest = min((len(form.parameters) for form, _ in left), default=0)
    return [form for form, _ in left if len(form.parameters) == fewest]


def _by_categories(left: list[tuple[CreateFunction, Pairs]]) -> list[tuple[CreateFunction, Pairs]]:
    """Where all that is left is of one category for an argument of no type, the preferred type of that."""
    for place, (has, _) in enumerate(left[0][1]):
        wanted = {pairs[place][1] for _, pairs in left}
        if has is None and any(wanted <= category for category in _CATEGORIES):
            best = [one for one in left if one[1][place][1] in _PREFERRED]
            left = best or left
    return left


def _exact(pairs: Pairs) -> int:
    return sum(has == want for has, want in pairs)


def _preferred(pairs: Pairs) -> int:
    return sum(has is not None and (has == want or want in _PREFERRED) for has, want in pairs)


def _of_texts(pairs: Pairs) -> int:
    return sum(has is None and want in _TEXTS for has, want in pairs)


def spelled(kind: str) -> str:
    """A type as Postgres's messages have it."""
    found = BY_NAME[kind]
    return pg_name(duck_type_name(found.oid) or kind) if kind != "numeric" else "numeric"
