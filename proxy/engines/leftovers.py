"""What a client's statements have left on a backend: asked before anybody else is lent it.

What only this backend has - a lock, a LISTEN, a cursor, a statement that SQL prepared, a temporary
object - keeps it with its client. Settings can be made again on any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from proxy.engines.backend import Backend
from proxy.sql.quoting import escaped_literal


@dataclass(frozen=True, slots=True)
class Leftovers:
    """kept: something that cannot be made again elsewhere. mirrored: the mirrors of temporary
    relations, which can. prepared: names of statements. settings: what is set in the session. own:
    the settings asked for by name; None: not set.
    """

    kept: bool
    mirrored: bool
    prepared: frozenset[bytes]
    settings: dict[str, str]
    own: dict[str, str | None]


async def left_on(backend: Backend, names: Iterable[str]) -> Leftovers:
    """names: of settings of a client's own making, which no catalog lists. Raises `SqlError`."""
    question = _QUESTION.replace("'{}'", escaped_literal(json.dumps(sorted(names))))
    ((answer,),) = await backend.ask(question)
    assert answer is not None
    left = json.loads(answer)
    return Leftovers(
        left["kept"],
        left["mirrored"],
        frozenset(name.encode() for name in left["prepared"] or ()),
        left["settings"] or {},
        left["own"] or {},
    )


# '{}' stands for the names.
_QUESTION = """
SELECT pg_catalog.json_build_object(
    'kept',
    EXISTS (SELECT FROM pg_catalog.pg_locks AS l
            WHERE l.locktype = 'advisory' AND l.pid = pg_catalog.pg_backend_pid())
    OR EXISTS (SELECT FROM pg_catalog.pg_listening_channels())
    OR EXISTS (SELECT FROM pg_catalog.pg_cursors AS c WHERE c.is_holdable)
    OR EXISTS (SELECT FROM pg_catalog.pg_prepared_statements AS p WHERE p.from_sql)
    OR (pg_catalog.pg_my_temp_schema() <> 0 AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = pg_catalog.pg_my_temp_schema()
        AND c.relowner <> 'hatidata_users'::pg_catalog.regrole
        UNION ALL
        SELECT FROM pg_catalog.pg_proc AS f WHERE f.pronamespace = pg_catalog.pg_my_temp_schema()
        UNION ALL
        SELECT FROM pg_catalog.pg_type AS t WHERE t.typnamespace = pg_catalog.pg_my_temp_schema()
        AND t.typowner <> 'hatidata_users'::pg_catalog.regrole)),
    'mirrored', pg_catalog.pg_my_temp_schema() <> 0 AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = pg_catalog.pg_my_temp_schema()
        AND c.relowner = 'hatidata_users'::pg_catalog.regrole),
    'prepared', (SELECT pg_catalog.json_agg(p.name) FROM pg_catalog.pg_prepared_statements AS p),
    'settings', (SELECT pg_catalog.json_object_agg(s.name, s.setting)
                 FROM pg_catalog.pg_settings AS s WHERE s.source = 'session'),
    'own', (SELECT pg_catalog.json_object_agg(n.name, pg_catalog.current_setting(n.name, true))
            FROM pg_catalog.json_array_elements_text('{}') AS n (name))
)
"""
