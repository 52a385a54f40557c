"""Tries a rule of what is not booked: in minutes with enough of it, and until that was over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.trial import SQL, RuleTrial
from services.alerts.dry_runs.unbooked import UnbookedReplay
from services.alerts.scopes import MINUTE
from services.alerts.unbooked.unbooked import KeyCount, UnbookedLook, least_counted
from services.alerts.unbooked.words import MINUTES, WINDOW, UnbookedWording
from services.alerts.watches.unbooked import COUNTED_MAX, KEYS_MAX
from services.alerts.watches.unbooked import SQL as COUNTS
from spendmeter.contracts.alert_rules import AlertRule

DAY = timedelta(days=1)
WARM_UP = timedelta(hours=1)
LOOKS_MAX = 20_000
"""Each takes some milliseconds of Postgres: a fortnight in which all minutes have much."""
NOTES = (
    "each minute is judged once, at its end",
    f"amounts are events: the most that were not booked within {MINUTES} minutes",
    "what was booked beside them is counted as it is known today",
    "snoozes are left out",
)


async def try_unbooked(trial: RuleTrial) -> list[WouldHaveFired]:
    """What the rule would have told, of the keys that obey it."""
    trial.notes.extend(NOTES)
    replay, rules = UnbookedReplay(trial.rule.id, trial.since), trial.rules_beside()
    now, looks = trial.since - WARM_UP, 0
    async for end in _ends(trial, rules):
        now = max(now, end)
        while now <= trial.until and looks < LOOKS_MAX and (now <= end or replay.is_open):
            began_s = time.monotonic()
            replay.look(await _look(trial, rules, now))
            await trial.advance(_progress(trial, now))
            now, looks = now + MINUTE, looks + 1
            await asyncio.sleep(time.monotonic() - began_s)
    if looks == LOOKS_MAX:
        trial.notes.append(f"there was so much that it was tried until {now:%Y-%m-%d %H:%MZ} alone")
    return replay.fired()


async def _ends(trial: RuleTrial, rules: Sequence[AlertRule]) -> AsyncIterator[datetime]:
    """The ends of minutes with which enough was not booked of a key, in their order; read day by day."""
    events_min = min(int(rule.number("events_min")) for rule in rules)
    start = trial.since - WARM_UP
    while start < trial.until:
        until = min(start + DAY, trial.until)
        async with trial.turn():
            rows = await trial.pool.fetch(
                SQL["unbooked_ends"], trial.tenant, start, until, events_min, MINUTES
            )
        for row in rows:
            yield row["end"]
        start = until
        await trial.advance(_progress(trial, start))


async def _look(trial: RuleTrial, rules: Sequence[AlertRule], now: datetime) -> UnbookedLook:
    async with trial.turn():
        rows = await trial.pool.fetch(
            COUNTS["unbooked"], trial.tenant, now - WINDOW, least_counted(rules), COUNTED_MAX, KEYS_MAX, now
        )
    return UnbookedLook(
        tenant="", now=now, counts=[KeyCount(**row) for row in rows], rules=rules,
        wording=UnbookedWording(zone=trial.calendar.at(now).zone),
    )  # fmt: skip


def _progress(trial: RuleTrial, at: datetime) -> Decimal:
    return Decimal(max(0, (at - trial.since) // MINUTE)) / ((trial.until - trial.since) // MINUTE)
