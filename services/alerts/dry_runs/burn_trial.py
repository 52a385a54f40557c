"""Tries a rule of burns on a tenant's budgets: five minutes after five minutes, read in slices between which
everybody else has a turn."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from services.alerts.budgets.budgets import Budget
from services.alerts.burns.burns import rule_of
from services.alerts.burns.usual import DAY, HISTORY, usual_profile, usual_scope
from services.alerts.dry_runs.burns import STEP, BurnReplay
from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.trial import SQL, RuleTrial
from services.alerts.forecasts.profile import Profile
from services.alerts.scopes import DetectorScope
from spendmeter.book.reading import one_instant, spent_in
from spendmeter.book.sizes import five_minutes_of
from spendmeter.contracts.money import ZERO, total
from spendmeter.platform.sql import load_sql

_ROOM = Path(__file__).parents[1]
HOURS = load_sql(_ROOM / "burns" / "burns.sql")["hours"]
WARM_UP = DAY
"""Before the days that are asked for: the longest window."""
BUDGETS_TRIED_MAX = 200
BUDGETS_AT_ONCE = 20
"""Before others have the processor: where each may burn, each takes a millisecond."""
STEPS_AT_FIRST, STEPS_AT_ONCE_MAX = 12, 288
SLICE_S = 0.3
"""A statement covers as many steps as are added up in about so long."""
NOTES = (
    "each budget, as it stands now, is judged at the end of each five minutes",
    "money is in the minutes in which it is known to have been spent, and without what corrections added",
    "snoozes are left out",
)


class _Spent(NamedTuple):
    whole: Decimal
    live: Decimal


_NOTHING = _Spent(ZERO, ZERO)


async def try_burns(trial: RuleTrial) -> list[WouldHaveFired]:
    """What the rule would have told of the budgets that obey it."""
    trial.notes.extend(NOTES)
    budgets = _budgets(trial)
    start = five_minutes_of(trial.since - WARM_UP)
    before = await _before(trial, budgets, start)
    profiles = await _profiles(trial, budgets, start)
    replays = [
        BurnReplay(
            budget,
            trial.rule,
            trial.calendar,
            before=before[place],
            profiles=profiles[usual_scope(budget)],
            counted_from=trial.since,
        )
        for place, budget in enumerate(budgets)
    ]
    async for end, spent in _steps(trial, budgets, start):
        for place, replay in enumerate(replays):
            replay.step(end, *spent.get(place, _NOTHING))
            if place % BUDGETS_AT_ONCE == BUDGETS_AT_ONCE - 1:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    return [fired for replay in replays for fired in replay.fired()]


def _budgets(trial: RuleTrial) -> list[Budget]:
    """Those that would obey the rule, beside the others that are on."""
    rules = trial.rules_beside()
    ours = [
        budget
        for budget in trial.rules.budgets
        if budget.currency == trial.currency
        and not (budget.rolls or budget.each)
        and rule_of(rules, budget) is trial.rule
    ]
    if len(ours) > BUDGETS_TRIED_MAX:
        trial.notes.append(f"of {len(ours):,} budgets the {BUDGETS_TRIED_MAX} largest were tried")
    return sorted(ours, key=lambda each: (-each.amount, each.id))[:BUDGETS_TRIED_MAX]


async def _before(trial: RuleTrial, budgets: Sequence[Budget], start: datetime) -> list[Decimal]:
    """What each budget's period had come to when the first step begins."""
    periods = [budget.bounds(start, trial.calendar) for budget in budgets]
    since = [bounds[0] if bounds else start for bounds in periods]
    edges = {*since, start}
    at = min(edges)
    while (at := trial.calendar.bounds("month", at)[1]) < start:
        edges.add(at)  # a statement reads a month at most
    parts: dict[datetime, dict[int, _Spent]] = {}
    for edge, until in pairwise(sorted(edges)):
        parts |= await _read(trial, budgets, [edge, until])
    return [
        total(spent[place].whole for at, spent in parts.items() if at >= since[place] and place in spent)
        for place in range(len(budgets))
    ]


async def _steps(
    trial: RuleTrial, budgets: Sequence[Budget], start: datetime
) -> AsyncIterator[tuple[datetime, Mapping[int, _Spent]]]:
    """The end of each step, with what was spent in it by the place of each budget; between slices as long a
    rest as one took, with what was done with it."""
    at, at_once = start, STEPS_AT_FIRST
    while budgets and at + STEP <= trial.until:
        number = min(at_once, (trial.until - at) // STEP)
        edges = [at + place * STEP for place in range(number + 1)]
        began_s = time.monotonic()
        found = await _read(trial, budgets, edges)
        took_s = time.monotonic() - began_s
        for edge in edges[:-1]:
            yield edge + STEP, found.get(edge, {})
        at = edges[-1]
        at_once = min(STEPS_AT_ONCE_MAX, at_once * 2) if took_s < SLICE_S else max(1, at_once // 2)
        await trial.advance(Decimal((at - start) // STEP) / ((trial.until - start) // STEP))
        await asyncio.sleep(time.monotonic() - began_s)


async def _read(
    trial: RuleTrial, budgets: Sequence[Budget], edges: Sequence[datetime]
) -> dict[datetime, dict[int, _Spent]]:
    """By the beginning of each part between two edges, and by the place of each budget."""
    bills = await trial.bills()
    async with trial.turn(), one_instant(trial.pool) as connection:
        read = await spent_in(connection, trial.tenant, edges, trial.calendar)
        filters = [dict(budget.filter) for budget in budgets]
        rows = await connection.fetch(SQL["budget_parts"], *read, list(edges), trial.currency, filters, bills)
    found: defaultdict[datetime, dict[int, _Spent]] = defaultdict(dict)
    for row in rows:
        found[row["at"]][row["place"] - 1] = _Spent(row["whole"], row["live"])
    return found


async def _profiles(
    trial: RuleTrial, budgets: Sequence[Budget], start: datetime
) -> dict[DetectorScope, Mapping[date, Profile]]:
    """When each budget's scope usually spent, as of each of the days."""
    midnights = [trial.calendar.bounds("day", start)[0]]
    while (end := trial.calendar.bounds("day", midnights[-1])[1]) < trial.until:
        midnights.append(end)
    found: dict[DetectorScope, Mapping[date, Profile]] = {}
    for scope in dict.fromkeys(map(usual_scope, budgets)):
        async with trial.turn():
            rows = await trial.pool.fetch(
                HOURS, trial.tenant, *scope, trial.currency, midnights[0] - HISTORY, midnights[-1]
            )
        hours = [(row["bucket"], row["effective"]) for row in rows]
        by_day: dict[date, Profile] = {}
        for midnight in midnights:
            zone = trial.calendar.at(midnight).zone
            today = midnight.astimezone(zone).date()
            known = [hour for hour in hours if midnight - HISTORY <= hour[0] < midnight]
            by_day[today] = usual_profile(known, zone, today)
            await asyncio.sleep(0)
        found[scope] = by_day
        await trial.advance(Decimal(0))
    return found
