"""What the server lends to each of its sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy.changes.row_locks import RowLocks
from proxy.definitions.following import Claims
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.pool import Login, Pools
from proxy.functions.function_calls import FunctionNames
from proxy.mirror.mirroring import Mirror
from proxy.session.long_texts import LongTexts
from proxy.session.shortcut import KnownTexts
from proxy.sql.plan import PlanCache
from proxy.sql.statement import Dialect
from proxy.staging.service import StageService

if TYPE_CHECKING:
    from proxy.session.session import Session


@dataclass(frozen=True, slots=True)
class Services:
    """One for all sessions."""

    duck: DuckEngine
    pools: Pools
    plans: PlanCache
    long_texts: LongTexts
    login: Callable[[str], Awaitable[Login]]
    server_parameters: dict[str, str]  # what Postgres itself reports at start-up
    register: Callable[[Session], tuple[int, bytes]]  # gives pid and cancel key
    unregister: Callable[[Session], None]
    cancel: Callable[[int, bytes], Awaitable[None]]  # what a CancelRequest asks for
    known_texts: dict[Dialect, KnownTexts]
    sessions: Callable[[], Collection[Session]]  # all that are there now
    mirror: Mirror | None
    shared_role: str  # what all clients are in Postgres; '' where each is itself
    stages: StageService
    dialect: str  # that sessions begin with
    claims: Claims = field(default_factory=Claims)
    row_locks: RowLocks = field(default_factory=RowLocks)
    functions: FunctionNames = field(default_factory=FunctionNames)
