"""What check answers from: every counter of every tenant as it was last seen. Advisory: it holds nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from services.reservations.read import SQL
from services.reservations.rows import budget_of, counter_of
from services.reservations.turns import AWAY, Pool
from services.reservations.values import BudgetCounter, HardBudget, HoldPlace
from spendmeter.platform.retry import keep_doing

REFRESH_S = 1.0


class CounterMemory:
    """Run `keep_fresh` beside the server; turns of this process say at once what they changed."""

    def __init__(self, pool: Pool) -> None:
        self.as_of: datetime | None = None
        self._pool = pool
        self._of: dict[str, dict[HoldPlace, BudgetCounter]] = {}
        self._uncounted: dict[str, list[tuple[HardBudget, str]]] = {}

    def tenants(self) -> list[str]:
        """Who has any."""
        return list(self._of)

    def counters(self, tenant: str) -> Iterable[BudgetCounter]:
        """All of the tenant's, in any order."""
        return self._of.get(tenant, {}).values()

    def covering(self, tenant: str, dimensions: Mapping[str, str], now: datetime) -> list[BudgetCounter]:
        """Of the periods that run, those whose budgets cover these dimensions."""
        return [
            each
            for each in self.counters(tenant)
            if each.period_start <= now < each.period_end and each.budget.covers(dimensions)
        ]

    def elsewhere(self, tenant: str, dimensions: Mapping[str, str], currency: str) -> list[str]:
        """Names of the hard budgets that cover these dimensions in another currency than the book's."""
        return [
            budget.name
            for budget, stated in self._uncounted.get(tenant, ())
            if stated != currency and budget.covers(dimensions)
        ]

    def missing(self, tenant: str, dimensions: Mapping[str, str]) -> list[str]:
        """What hard budgets filter by and these do not state."""
        return sorted(
            {name for each in self.counters(tenant) for name in each.budget.filter} - dimensions.keys()
        )

    def note(self, tenant: str, counters: Iterable[BudgetCounter]) -> None:
        """These are what was just committed."""
        self._of.setdefault(tenant, {}).update({each.place: each for each in counters})

    async def keep_fresh(self) -> None:
        """For ever; while Postgres is away the last state stays, and `as_of` says how old it is."""
        await keep_doing(self.refresh, "counters not read", every_s=REFRESH_S, away=AWAY)

    async def refresh(self) -> None:
        """Read them all."""
        as_of = datetime.now(UTC)
        found: defaultdict[str, dict[HoldPlace, BudgetCounter]] = defaultdict(dict)
        for row in await self._pool.fetch(SQL["standing"]):
            counter = counter_of(row, budget_of(row))
            found[row["tenant"]][counter.place] = counter
        uncounted: defaultdict[str, list[tuple[HardBudget, str]]] = defaultdict(list)
        for row in await self._pool.fetch(SQL["uncounted"]):
            uncounted[row["tenant"]].append((budget_of(row), row["currency"]))
        self._of, self._uncounted, self.as_of = dict(found), dict(uncounted), as_of
