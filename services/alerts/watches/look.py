"""What a tenant is looked at for: each subject at its own pace, with its own memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import asyncpg

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.learning import Learner
from services.alerts.cause.finding import CauseFinder
from services.alerts.complete import CompletenessReader
from services.alerts.incidents.store import Store
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass, Turns
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.telemetry import Meters


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all looks of a worker share."""

    pool: asyncpg.Pool[asyncpg.Record]
    store: Store
    turns: Turns
    learner: Learner
    meters: Meters
    portal_url: str
    complete: CompletenessReader
    bill_keys: BillKeys | None = None
    finder: CauseFinder = field(default_factory=CauseFinder)
    judging: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whose complete days are in memory: weeks of thousands of scopes, after everybody's midnight."""


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """How often something is looked at."""

    every_s: float = 3.0
    """Once in so long at least: a lost message must not miss a breach."""
    rest_s_max: float = 10.0
    """However dear a look is, the next one comes after so long: a large tenant, too, is told in seconds."""
    woken: bool = True
    """Whether totals make it look at once."""
    awaited: bool = True
    """Whether its worker is ready only once it has looked: not where that reads months."""


class Look(Protocol):
    """One subject of one tenant. What it remembers is rebuilt by its first look."""

    of: Pass
    rhythm: Rhythm

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""

    def changed(self, span: BucketSpan) -> None:
        """A message says that what was spent in this time has changed."""

    async def look(self, now: datetime) -> None:
        """Open what is news, renew what goes on, end what is over. Raises CONNECTION_ERRORS."""
