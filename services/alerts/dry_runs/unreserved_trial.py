"""Tries a rule on what was spent past reservations: hour after hour, as it was counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.trial import SQL, RuleTrial
from services.alerts.dry_runs.unreserved import UnreservedReplay
from services.alerts.rates import HOUR
from services.alerts.unreserved.unreserved import (
    COUNTED_FOR,
    PastPart,
    UnreservedLook,
    counted_since,
    hour_of,
)
from services.alerts.unreserved.words import UnreservedWording
from spendmeter.platform.sql import load_sql

PARTS = load_sql(Path(__file__).parents[1] / "unreserved" / "unreserved.sql")["unreserved"]
HOURS_MAX = 50_000
"""Of keys: the newest."""
NOTES = (
    "each hour is judged once, when the last of it had been counted",
    "agents may do other than they did once they hear of it",
    "snoozes are left out",
)


async def try_unreserved(trial: RuleTrial) -> list[WouldHaveFired]:
    """What the rule would have told, of the keys that obey it; the day before teaches."""
    trial.notes.extend(NOTES)
    replay, unlike = UnreservedReplay(trial.rule.id, trial.since), await trial.keys_not_live()
    since = hour_of(trial.since - COUNTED_FOR)
    async with trial.turn():
        rows = await trial.pool.fetch(
            SQL["past_hours"], trial.tenant, since, trial.until, trial.currency, unlike, HOURS_MAX
        )
    if len(rows) == HOURS_MAX:
        trial.notes.append(f"of more hours of keys the newest {HOURS_MAX:,} were tried")
    for hour, found in groupby(rows, key=lambda row: row["hour"]):
        begun = {row["key_id"]: (row["first_at"], row["counted_at"]) for row in found}
        await _hour(trial, replay, hour, begun, unlike)
        await trial.advance(Decimal((hour - since) // HOUR) / ((trial.until - since) // HOUR + 1))
    return replay.fired()


async def _hour(
    trial: RuleTrial,
    replay: UnreservedReplay,
    hour: datetime,
    begun: Mapping[str, tuple[datetime, datetime]],
    unlike: list[str],
) -> None:
    """`begun`: by key, when the first of the hour happened, and the last was counted."""
    firsts = {max(hour, first_at) for key, (first_at, _) in begun.items() if key in replay.open_keys}
    for now in sorted({hour, *firsts}):
        if replay.open_keys:
            replay.end(await _look(trial, replay, now, hour, unlike))
    now = max(counted_at for _, counted_at in begun.values())
    replay.look(await _look(trial, replay, now, hour + HOUR, unlike))


async def _look(
    trial: RuleTrial, replay: UnreservedReplay, now: datetime, before: datetime, unlike: list[str]
) -> UnreservedLook:
    """With the hours before `before`."""
    oldest = hour_of(now - COUNTED_FOR)
    since = counted_since(replay.told, oldest)
    asked = (before, oldest, list(since), list(since.values()))
    async with trial.turn():
        rows = await trial.pool.fetch(PARTS, trial.tenant, trial.currency, unlike, *asked)
    await asyncio.sleep(0)
    return UnreservedLook(
        tenant="", now=now, currency=trial.currency, parts=[PastPart(**row) for row in rows], booked_by=now,
        rules=trial.rules_beside(), wording=UnreservedWording(zone=trial.calendar.at(now).zone),
    )  # fmt: skip
