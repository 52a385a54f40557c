"""Watches one tenant: looks when a message wakes it and every few seconds anyway.

Its subjects are looked at apart, each statement in its turn: dear anomalies delay no budget.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from services.alerts.rules import TenantRules
from services.alerts.turns import Pass
from services.alerts.watches.budgets import BudgetWatch, RollingBudgetWatch
from services.alerts.watches.burns import BurnWatch
from services.alerts.watches.bursts import BurstWatch
from services.alerts.watches.channels import ChannelWatch
from services.alerts.watches.firsts import FirstWatch
from services.alerts.watches.forecasts import ForecastWatch
from services.alerts.watches.hours import HourWatch
from services.alerts.watches.late_budgets import LateBudgetWatch
from services.alerts.watches.levels import LevelWatch
from services.alerts.watches.look import Look, Shared
from services.alerts.watches.loops import LoopWatch
from services.alerts.watches.proof import ProofWatch
from services.alerts.watches.silence import SilenceWatch
from services.alerts.watches.templates import TemplateWatch
from services.alerts.watches.unbooked import UnbookedWatch
from services.alerts.watches.unreserved import UnreservedWatch
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing

SUBJECTS: Sequence[Callable[..., Look]] = (
    BudgetWatch,
    RollingBudgetWatch,
    TemplateWatch,
    LateBudgetWatch,
    BurstWatch,
    HourWatch,
    LoopWatch,
    FirstWatch,
    UnbookedWatch,
    UnreservedWatch,
    ForecastWatch,
    BurnWatch,
    LevelWatch,
    ChannelWatch,
    ProofWatch,
    SilenceWatch,
)
"""What every tenant is looked at for; made with `tenant`, `rules` and `shared`."""
LOOK_INTERVAL_S = 1.0
"""However many messages arrive, a tenant is looked at once in so long."""
CHEAP_LOOK_S = 0.25
LOOK_SHARE = 0.25
"""Of one connection's time that each subject of a tenant takes: where a look takes long, for its series are
many, the next one comes later, and the processors stay free for others. A look of CHEAP_LOOK_S is free: it is
a small tenant's on a busy machine."""


class TenantWatch:
    """`run` watches until cancelled."""

    def __init__(self, *, tenant: str, rules: TenantRules, shared: Shared) -> None:
        self._tenant = tenant
        self._rules = rules
        self._shared = shared
        self._looks = [subject(tenant=tenant, rules=rules, shared=shared) for subject in SUBJECTS]
        self._woken = {look.of: asyncio.Event() for look in self._looks}
        self._seen: dict[Pass, bool] = dict.fromkeys(self._woken, False)

    @property
    def looked(self) -> bool:
        """Whether the last look at each of its subjects succeeded."""
        return all(self._seen[look.of] for look in self._looks if look.rhythm.awaited)

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        if rules == self._rules:
            return
        self._rules = rules
        for look in self._looks:
            look.apply_rules(rules)
        self._wake()

    def wake(self, span: BucketSpan) -> None:
        """A message says that what was spent in this time has changed."""
        for look in self._looks:
            look.changed(span)
        self._wake()

    async def look(self, of: Pass) -> None:
        """Look at one of its subjects once."""
        await next(look for look in self._looks if look.of == of).look(datetime.now(UTC))

    async def run(self) -> None:
        """Watch all of it, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for look in self._looks:
                group.create_task(self._keep_looking(look))

    async def _keep_looking(self, look: Look) -> None:
        await keep_doing(
            partial(self._look_and_rest, look),
            "a look failed",
            away=partial(self._fails, look.of),
            tenant=self._tenant,
        )

    async def _look_and_rest(self, look: Look) -> None:
        turns, woken, rhythm = self._shared.turns, self._woken[look.of], look.rhythm
        began, served = time.monotonic(), turns.used_s(self._tenant, look.of)
        woken.clear()
        await look.look(datetime.now(UTC))
        self._seen[look.of] = True
        took, used = time.monotonic() - began, turns.used_s(self._tenant, look.of) - served
        rest = min(rhythm.rest_s_max, (used - CHEAP_LOOK_S) / LOOK_SHARE - took)
        await asyncio.sleep(max(0.0, LOOK_INTERVAL_S - took, rest))
        with suppress(TimeoutError):
            async with asyncio.timeout(rhythm.every_s - LOOK_INTERVAL_S):
                await woken.wait()

    def _fails(self, of: Pass, error: Exception) -> bool:
        """Whether a look may fail so; the next one may succeed."""
        if not isinstance(error, CONNECTION_ERRORS):
            return False
        self._seen[of] = False
        self._shared.meters.add("spendmeter.database.retries")
        return True

    def _wake(self) -> None:
        for look in self._looks:
            if look.rhythm.woken:
                self._woken[look.of].set()
