"""Tries a rule of lasting shifts or of drift, midnight by midnight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.levels import LevelReplay
from services.alerts.dry_runs.trial import RuleTrial
from services.alerts.levels.lasting import DAYS_MAX
from services.alerts.levels.level_reader import LevelReader
from services.alerts.watches.levels import SETTLING, news

LEVELS_TRIED_MAX = 500
_JUDGED = f"days are judged as they are known today, of the {LEVELS_TRIED_MAX} scopes with the most money now"
NOTES: Mapping[str, tuple[str, ...]] = {
    "shift": (_JUDGED, "plans, snoozes and acknowledgements are left out"),
    "drift": (_JUDGED, "what the rule of shifts would have told first is told here as well"),
}


async def try_levels(trial: RuleTrial) -> list[WouldHaveFired]:
    """What the rule would have told, as after each midnight; some scopes at a time, so that others have the
    processor."""
    trial.notes.extend(NOTES[trial.rule.of])
    zone, tried = trial.calendar.at(trial.until).zone, trial.days
    last = trial.until.astimezone(zone).date() - timedelta(days=1)
    weeks = math.ceil(tried / 7)
    reader = LevelReader(trial.pool, trial.tenant, trial.calendar, last, trial.turn, further=weeks)
    scopes = (await reader.scopes())[:LEVELS_TRIED_MAX]
    if len(trial.rule.filter) == 1:
        scopes = list(dict.fromkeys([*scopes, *trial.rule.filter.items()]))
    prices = await reader.prices()
    await trial.advance(Decimal("0.1"))
    days = await reader.days(scopes, prices)
    replay = LevelReplay(trial.rule, zone, trial.currency)
    for number in range(tried):
        view = days.until(last - timedelta(days=tried - 1 - number), DAYS_MAX)
        found = await news(replay.candidates(view))
        replay.look(view, found, reader.midnight(view.last + timedelta(days=1)) + SETTLING)
        await trial.advance(Decimal("0.2") + Decimal("0.8") * (number + 1) / tried)
    return replay.fired()
