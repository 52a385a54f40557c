"""Tries a rule of hours on the scopes with the most money."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from services.alerts.bursts.seasons import DAY, HOUR
from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.hours import HourReplay
from services.alerts.dry_runs.trial import RuleTrial
from services.alerts.hours.hour_reader import HISTORY, HourReader
from services.alerts.hours.scoring import HourMoney
from services.alerts.scopes import TENANT, DetectorScope
from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.money import EXACT

HOURS_TRIED_MAX = 200
HOURS_READ_MAX = 5
"""Scopes at a time: to read some thousand hours takes some milliseconds of the processor."""
NOTES = (
    f"each hour is judged once, at its end, of the {HOURS_TRIED_MAX} scopes with the most money",
    "what bursts, loops and levels told of the same money is told here as well",
    "plans, snoozes and feedback are left out",
)


async def try_hours(trial: RuleTrial) -> list[WouldHaveFired]:
    """What the rule would have told, hour by hour; those of four weeks before teach first."""
    trial.notes.extend(NOTES)
    stretch = trial.calendar.stretch(trial.until)
    reader = HourReader(trial.pool, trial.tenant, trial.calendar, stretch, trial.turn)
    known_since = await reader.known_since()
    if known_since is None:
        trial.notes.append("no hours are added up yet: nothing was tried")
        return []
    if known_since > trial.since:
        trial.notes.append(f"hours are known since {known_since:%Y-%m-%d} alone")
    since, end = (bucket_at("hour", at, trial.calendar).start for at in (trial.since, trial.until))
    if not await reader.is_settled(end - HOUR):
        end = reader.starts(end - HOUR, end)[-1]
    spent = await _spent(trial, reader, since, end)
    replay = HourReplay(
        trial.rule,
        stretch.terms.zone,
        trial.currency,
        spent,
        known_since=known_since,
        counted_from=trial.since,
    )
    hours = reader.starts(since - HISTORY, end)
    for number, (hour, until) in enumerate(pairwise([*hours, end])):
        for _ in replay.hour(hour, until):
            await asyncio.sleep(0)
        if number % 24 == 0:
            await trial.advance(Decimal("0.5") + Decimal("0.5") * number / len(hours))
    return replay.fired()


async def _spent(
    trial: RuleTrial, reader: HourReader, since: datetime, end: datetime
) -> dict[DetectorScope, dict[datetime, HourMoney]]:
    """What the dearest scopes with an hour that the rule looks at came to in each hour."""
    least, dearest = trial.rule.number("amount_min"), defaultdict[DetectorScope, Decimal](Decimal)
    for day in range(trial.days):
        first = since + day * DAY
        found = await reader.dearest(first, min(first + DAY, end), least, HOURS_TRIED_MAX)
        for scope, amount in found.items():
            dearest[scope] = EXACT.add(dearest[scope], amount)
        await trial.advance(Decimal(0))
    largest = sorted(dearest, key=lambda scope: (-dearest[scope], scope))
    scopes = list(dict.fromkeys([TENANT, *largest]))[:HOURS_TRIED_MAX]
    spent: dict[DetectorScope, dict[datetime, HourMoney]] = {}
    for start in range(0, len(scopes), HOURS_READ_MAX):
        some = scopes[start : start + HOURS_READ_MAX]
        for first, until in ((since - HISTORY, since), (since, end)):
            for scope, hours in (await reader.hours(some, first, until)).items():
                of_scope = spent.setdefault(scope, {})  # less what is provisional: a third of the memory
                of_scope.update({at: HourMoney(of.amount, of.events) for at, of in hours.items()})
        await trial.advance(Decimal("0.5") * start / len(scopes))
    return spent
