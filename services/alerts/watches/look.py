"""What a tenant is looked at for: each subject at its own pace, with its own memory."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import asyncpg

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.learning import Learner
from services.alerts.cause.finding import CauseFinder
from services.alerts.complete import CompletenessReader
from services.alerts.incidents.following import AnyWording, KindLook, follow, tell
from services.alerts.incidents.incident import Incident
from services.alerts.incidents.store import Store
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass, Turns
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.service_keys import ACCRUALS, key_id
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


@dataclass(eq=False, kw_only=True)
class Look(ABC):
    """One subject of one tenant. What it remembers is rebuilt by its first look."""

    of: ClassVar[Pass]
    rhythm: ClassVar[Rhythm]
    tenant: str
    rules: TenantRules
    shared: Shared

    @abstractmethod
    async def look(self, now: datetime) -> None:
        """Open what is news, renew what goes on, end what is over. Raises CONNECTION_ERRORS."""

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        self.rules = rules

    def changed(self, span: BucketSpan) -> None:
        """A message says that what was spent in this time has changed."""
        return  # news for who remembers sums

    # What the subjects look with.

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Around a statement that may be dear."""
        return self.shared.turns.turn(self.tenant, self.of)

    async def rows(self, statement: str, *asked: Any) -> list[asyncpg.Record]:
        """What a statement about the tenant says, asked in its turn."""
        async with self.turn():
            return await self.shared.pool.fetch(statement, self.tenant, *asked)

    async def bill_keys(self) -> list[str]:
        """The keys by which the tenant's bills come."""
        keys = self.shared.bill_keys
        return [] if keys is None else sorted(await keys.keys_of(self.tenant))

    async def keys_not_live(self) -> list[str]:
        """The keys of what was not seen as it was spent: accruals and bills."""
        return [key_id(ACCRUALS), *await self.bill_keys()]

    def words(self, wording: type[AnyWording], now: datetime) -> AnyWording:
        """The wording for people of this tenant."""
        return wording(zone=self.rules.calendar.at(now).zone, portal_url=self.shared.portal_url)

    async def act(self, look: KindLook, current: Sequence[Incident], ours: Iterable[Incident]) -> None:
        """Tell what is news among what is known, and follow those that are open."""
        await tell(self.shared.store, self.tenant, look, current)
        for incident in ours:
            await follow(self.shared.store, look, incident)

    def evaluated(self, kind: str, number: int = 1) -> None:
        """Count so many evaluations."""
        self.shared.meters.add("spendmeter.alerts.evaluations", number, kind=kind)
