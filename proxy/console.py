"""SHOW hatidata.pools, clients, stats, plans: what an operator asks a running server.

In the manner of PgBouncer's console, but on any connection: the session answers from what the server
knows, so that it answers when Postgres does not. Counts are since the server started. Texts of
statements are not shown, since they belong to those who sent them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from proxy.engines.pool import Pools

if TYPE_CHECKING:
    from proxy.session.services import Services
    from proxy.session.session import Session

Row = tuple[str | None, ...]

_POOLS = (
    *("role", "clients_active", "clients_waiting", "backends_active", "backends_idle"),
    *("backends_opening", "backends_pinned", "max_wait_ms", "pool_size"),
)
_CLIENTS = (
    *("pid", "user", "database", "application_name", "address", "state", "backend_pid"),
    *("pinned", "connected_s", "prepared_statements", "tls"),
)
_STATS = (
    *("role", "exchanges", "lent", "waits", "wait_ms", "backends_opened", "connect_failures"),
    "prepared_statements",
)
_PLANS = ("entries", "hits", "misses", "hit_ratio", "shared_statements")


def _pools(services: Services) -> list[Row]:
    now = asyncio.get_running_loop().time()
    rows = []
    for role, pool in sorted(services.pools.by_role.items()):
        sessions = [each for each in services.sessions() if each.relay.pool is pool]
        longest = max((now - each.since for each in pool.waiting), default=0.0)
        numbers = (
            sum(each.relay.connected for each in sessions),
            len(pool.waiting),
            len(pool.lent),
            len(pool.idle),
            pool.opening,
            sum(each.relay.pinned for each in sessions),
            round(1000 * longest),
            services.pools.limits.size,
        )
        rows.append((role, *map(str, numbers)))
    return rows


def _state(session: Session) -> str:
    if session.relay.waiting or session.shortcut.waiting:
        return "waiting"
    if session.busy:
        return "active"
    if session.transaction.status == "I":
        return "idle"
    failed = session.transaction.status == "E"
    return "idle in transaction" + (" (aborted)" if failed else "")


def _clients(services: Services) -> list[Row]:
    now = time.monotonic()
    return [
        (
            str(each.pid),
            each.user,
            each.database,
            each.settings.get("application_name"),
            each.link.peer,
            _state(each),
            str(each.relay.backend_pid) if each.relay.connected else None,
            "yes" if each.relay.pinned else "no",
            str(round(now - each.since)),
            str(len(each.extended.statements)),
            "yes" if each.link.secured else "no",
        )
        for each in sorted(services.sessions(), key=lambda session: session.pid)
        if each.pid
    ]


def _stats(services: Services) -> list[Row]:
    rows: list[Row] = []
    for role, pool in sorted(services.pools.by_role.items()):
        counters = pool.counters
        prepared = sum(len(backend.prepared) for backend in (*pool.idle, *pool.lent))
        numbers = (
            counters.exchanges,
            counters.lent,
            counters.waits,
            round(1000 * counters.waited),
            counters.opened,
            counters.failed,
            prepared,
        )
        rows.append((role, *map(str, numbers)))
    return rows


def _plans(services: Services) -> list[Row]:
    plans, pools = services.plans, services.pools
    asked = plans.hits + plans.misses
    ratio = plans.hits / asked if asked else 0.0
    return [
        (
            str(len(plans)),
            str(plans.hits),
            str(plans.misses),
            f"{ratio:.3f}",
            str(_shared(pools)),
        )
    ]


def _shared(pools: Pools) -> int:
    return len(pools.texts)


_VIEWS: dict[str, tuple[tuple[str, ...], Callable[[Services], list[Row]]]] = {
    "hatidata.pools": (_POOLS, _pools),
    "hatidata.clients": (_CLIENTS, _clients),
    "hatidata.stats": (_STATS, _stats),
    "hatidata.plans": (_PLANS, _plans),
}


def columns(name: str) -> tuple[str, ...] | None:
    """The columns of `SHOW name`, all of them texts; None when it is no view of the console's."""
    found = _VIEWS.get(name)
    return found[0] if found is not None else None


def rows(name: str, services: Services) -> list[Row]:
    for session in services.sessions():
        session.shortcut.unfold()
    return _VIEWS[name][1](services)
