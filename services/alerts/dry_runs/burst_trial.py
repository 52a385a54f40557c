"""Tries a rule of bursts: minutes are read in slices, and replayed by another process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from services.alerts.bursts.minutes import COMBINATIONS_MAX, VALUES_MAX
from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.replaying import Replaying, ReplayRequest
from services.alerts.dry_runs.trial import CLAIM, RuleTrial
from services.alerts.scopes import MINUTE
from spendmeter.platform.sql import load_sql

FOLD = load_sql(Path(__file__).parents[1] / "bursts" / "minutes.sql")["fold"]
WARM_UP = timedelta(hours=3)
"""Before the days that are asked for: what is usual is learned from it."""
MINUTES_AT_ONCE_MAX = 60
SLICE_S = 0.3
"""A statement covers as many minutes as are folded in about so long."""
NOTES = (
    "each minute is judged once, at its end",
    "plans, snoozes and feedback are left out",
)


async def try_bursts(trial: RuleTrial) -> list[WouldHaveFired]:
    """What the rule would have told, minute by minute; WARM_UP teaches."""
    trial.notes.extend(NOTES)
    start = trial.since - WARM_UP
    request = ReplayRequest(
        rule_id=trial.rule.id, filter=trial.rule.filter, settings=trial.rule.changed, currency=trial.currency,
        counted_from=trial.since, minutes=(trial.until - start) // MINUTE,
    )  # fmt: skip
    async with Replaying(request) as replaying:
        async for at, folded in _minutes(trial, start):
            await replaying.feed(at, folded)
            await trial.advance(Decimal((at - start) // MINUTE) / request.minutes)
        finishing = asyncio.create_task(replaying.fired())
        while not (await asyncio.wait([finishing], timeout=CLAIM.total_seconds() / 3))[0]:
            await trial.advance(Decimal(0))
        answer = await finishing
    if answer.learned_every > 1:
        trial.notes.append(f"what is usual was learned again every {answer.learned_every} minutes")
    return answer.fired


async def _minutes(trial: RuleTrial, start: datetime) -> AsyncIterator[tuple[datetime, str]]:
    """Those with spend, in their order, read a slice at a time; between slices as long a rest."""
    bill_keys = await trial.bills()
    at_once, at = 4, start
    while at < trial.until:
        asked = [at + number * MINUTE for number in range(at_once) if at + number * MINUTE < trial.until]
        async with trial.turn():
            began_s = time.monotonic()
            rows = await trial.pool.fetch(
                FOLD, trial.tenant, trial.currency, asked, COMBINATIONS_MAX, VALUES_MAX, trial.until, False,
                bill_keys,
            )  # fmt: skip
            took_s = time.monotonic() - began_s
        for row in sorted(rows, key=lambda row: row["bucket"]):
            yield row["bucket"], row["spent"]
        at = asked[-1] + MINUTE
        at_once = min(MINUTES_AT_ONCE_MAX, at_once * 2) if took_s < SLICE_S else max(1, at_once // 2)
        await trial.advance(Decimal(0))
        await asyncio.sleep(took_s)
