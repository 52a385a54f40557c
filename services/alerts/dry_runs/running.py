"""Carries dry runs of rules out, one at a time, in slices between which everybody else has a turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import asyncpg

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.dry_runs.burn_trial import try_burns
from services.alerts.dry_runs.burst_trial import try_bursts
from services.alerts.dry_runs.fired import WouldHaveFired, dry_run_result
from services.alerts.dry_runs.first_trial import try_firsts
from services.alerts.dry_runs.hour_trial import try_hours
from services.alerts.dry_runs.level_trial import try_levels
from services.alerts.dry_runs.loop_trial import try_loops
from services.alerts.dry_runs.replaying import ReplayError
from services.alerts.dry_runs.silence_trial import try_silence
from services.alerts.dry_runs.trial import CLAIM, SQL, RuleTrial, trial_of
from services.alerts.dry_runs.unbooked_trial import try_unbooked
from services.alerts.dry_runs.unreserved_trial import try_unreserved
from services.alerts.rules import TenantRules
from services.alerts.turns import Turns
from spendmeter.book.cover import MinutesDropped
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import log

POLL_S = 1.0
ATTEMPTS_MAX = 3
TRIES: Mapping[str, Callable[[RuleTrial], Awaitable[list[WouldHaveFired]]]] = {
    "burst": try_bursts,
    "hour": try_hours,
    "shift": try_levels,
    "drift": try_levels,
    "loop": try_loops,
    "first": try_firsts,
    "burn": try_burns,
    "silence": try_silence,
    "unbooked": try_unbooked,
    "unreserved": try_unreserved,
}
"""By the kind of the rule."""
_ENDED: Mapping[type[Exception], str] = {
    ReplayError: "it took more than it may",
    MinutesDropped: "minutes of these days are kept no more: try fewer",
}


@dataclass(eq=False)
class DryRunWorker:
    """`run` looks for one that is due, for as long as the worker lives. `rules`: of each of its tenants."""

    pool: asyncpg.Pool[asyncpg.Record]
    turns: Turns
    bill_keys: BillKeys
    rules: Callable[[], Mapping[str, TenantRules]]

    async def run(self) -> None:
        """Until cancelled."""
        await keep_doing(self.once, "dry runs wait", every_s=POLL_S, away=CONNECTION_ERRORS)

    async def once(self) -> None:
        """Carry out one that is due, if there is one. Raises CONNECTION_ERRORS; then it is tried again."""
        rules = self.rules()
        row = await self.pool.fetchrow(SQL["claim"], CLAIM, list(rules))
        if row is None:
            return
        key = (row["tenant"], row["id"])
        if row["attempts"] > ATTEMPTS_MAX:
            await self.pool.execute(SQL["give_up"], *key, "it could not be carried out", row["attempts"])
            return
        trial = trial_of(dict(row), rules[row["tenant"]], self.pool, self.turns, self.bill_keys)
        try:
            fired = await TRIES[trial.rule.of](trial)
        except (ReplayError, MinutesDropped) as error:
            log().warning("a dry run ended early", tenant=trial.tenant, error=str(error))
            reason = _ENDED[type(error)]
            await self.pool.execute(SQL["give_up"], *key, reason, trial.attempt)
            return
        result = dry_run_result(fired, trial.since, trial.until, trial.unit, trial.notes)
        await self.pool.execute(SQL["finish"], *key, result, trial.attempt)
