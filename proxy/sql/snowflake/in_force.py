"""The session parameters that a plan is made under.

Why it exists: rules are functions of a node alone, while WEEK_START or DATE_OUTPUT_FORMAT change
what a node becomes. Planning is one uninterrupted call on one thread, so `planned_under` says for
its length what is in force, and rules ask `value`. A plan's cache key holds the same pairs
(`Dialect.parameters`), so plans never mix.
"""

from __future__ import annotations

from proxy.sql.snowflake.parameters import PARAMETERS

Pairs = tuple[tuple[str, str], ...]

_changed: dict[str, str] = {}


class planned_under:  # a context manager by hand: one made of a generator costs as much as a pass
    """parameters: names in lower case with those values that are not the defaults."""

    __slots__ = ("_before", "_parameters")

    def __init__(self, parameters: Pairs) -> None:
        self._parameters = parameters

    def __enter__(self) -> None:
        self._before = _changed.copy()
        _put(self._parameters)

    def __exit__(self, *_: object) -> None:
        _put(self._before)


def _put(parameters: Pairs | dict[str, str]) -> None:
    _changed.clear()
    if parameters:
        _changed.update(parameters)


def value(name: str) -> str:
    """A parameter's value, by its name in lower case."""
    return _changed.get(name, PARAMETERS[name].default)


def changed(*names: str) -> bool:
    """Whether one of these parameters has another value than its default."""
    return bool(_changed) and any(name in _changed for name in names)
