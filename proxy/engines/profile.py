"""The settings that a session wants of a Postgres backend, as values that are compared by identity.

A backend is lent from one session to the next; it has to have the session's settings before it runs
anything for it. Sessions that want the same share one `Profile`, so the usual case costs one `is`.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakValueDictionary

from proxy.sql.quoting import escaped_literal

# What a statement's analysis cannot depend on: no reason to prepare it once more.
_IMMATERIAL = frozenset(("application_name", "statement_timeout", "lock_timeout"))


class Profile:
    """settings: by name, those that differ from a new backend's. Made by `Profiles.get` only."""

    __slots__ = ("__weakref__", "matter", "proven", "settings")

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.proven = False  # Postgres has accepted it once
        # What a prepared statement's meaning may hang on: literals are read when it is prepared.
        self.matter = frozenset(
            pair for pair in settings.items() if pair[0].lower() not in _IMMATERIAL
        )


class Profiles:
    def __init__(self) -> None:
        self._known: WeakValueDictionary[frozenset[tuple[str, str]], Profile] = (
            WeakValueDictionary()
        )
        self.base = self.get({})
        self.base.proven = True

    def get(self, settings: Mapping[str, str]) -> Profile:
        key = frozenset(settings.items())
        if (found := self._known.get(key)) is None:
            found = self._known[key] = Profile(dict(settings))
        return found


def change(before: Profile | None, after: Profile) -> str:
    """The statements that bring a backend from one profile to another; None: from whatever it has."""
    old = before.settings if before is not None else {}
    new = after.settings
    calls = [
        f"pg_catalog.set_config({escaped_literal(name)}, {escaped_literal(new[name]) if name in new else 'NULL'}, false)"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    reset = "" if before is not None else "RESET ALL"
    return "; ".join(
        part for part in (reset, f"SELECT {', '.join(calls)}" if calls else "") if part
    )
