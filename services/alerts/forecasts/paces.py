"""What a scope may spend in its next days: simple views of its past, each weighed by how near it would
have been before. Pure; scores are floats.

Every view is a pace, the spend of a usual day. Means are over whole weeks, so that no weekday counts more
than another; some follow the last week, some the last eight, and some go on as they grew, ever less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from services.alerts.forecasts.profile import WEEK, weekday_weights

HISTORY_DAYS_MAX = 182
"""Half a year: what is older tells of another product."""
SPIKES = 3
SPIKE_TIMES = 1.5
"""The three largest days teach no more than half again the fourth: a runaway is spent, and is no habit."""
LEARN_DAYS_MIN = 2 * WEEK
"""From so much of the past a pace is taken."""
MEANS_WEEKS = (1, 2, 4, 8)
GROWTH_MAX = 0.25
"""A week's growth or fall (natural logarithm) that is believed."""
GROWTH_KEPT = 0.85
"""So much of a week's growth is left in the next one: nothing grows for ever."""
FLOOR_SHARE = 0.03
"""Of the usual spend, added to both sides of a ratio: none is infinite where a scope was silent."""
ERROR_AT_FIRST = 0.2
ERRORS_AT_FIRST = 3.0
"""Before it has a past, each view is taken to have been wrong by so much, so often."""
ERROR_MIN = 0.01
TRUST = 3.0
"""How much more the views count that would have been nearer."""
ORIGINS_DAILY_MAX = 100
"""Of a longer past every second day is forecast from: that tells as much, in half the time."""


class Outlook(NamedTuple):
    """What the coming days may come to, and how wrong the same would have been before."""

    middle: float
    """Logarithm of the sum and `floor`."""
    floor: float
    errors: list[float]
    """Logarithms of what came / what would have been said, one for each day of the past."""
    apart: int
    """Days between two of them."""
    noise: float
    """How far a day is usually from what its weekday would be, as a share."""


def outlook(amounts: Sequence[float], first: int, shares: Sequence[tuple[int, float]]) -> Outlook:
    """Of complete days, oldest first, the first of weekday `first`; `shares` are the coming days: each one's
    weekday, and which share of it is to come. Needs LEARN_DAYS_MIN days.
    """
    first = (first + max(0, len(amounts) - HISTORY_DAYS_MAX)) % WEEK
    amounts = without_spikes(amounts[-HISTORY_DAYS_MAX:])
    known = len(amounts)
    sums = [0.0, *accumulate(amounts)]
    length = sum(share for _, share in shares)
    days = max(1, round(length))
    floor = FLOOR_SHARE * sums[-1] / known * length + 1e-9
    weights = weekday_weights(amounts, first)
    season = sum(weights[weekday] * share for weekday, share in shares)
    coming = [math.log(season * pace + floor) for pace in paces(amounts, sums, known, weights, first, length)]
    apart = 1 if known < ORIGINS_DAILY_MAX else 2
    said, came = [], []
    for origin in range(known - days, LEARN_DAYS_MIN - 1, -apart):
        then = weekday_weights(amounts[:origin], first)
        usual = sum(then[(first + day) % WEEK] for day in range(origin, origin + days))
        views = paces(amounts, sums, origin, then, first, days)
        said.append([math.log(usual * pace + floor) for pace in views])
        came.append(math.log(max(0.0, sums[origin + days] - sums[origin]) + floor))
    trust = _trust(said, came, len(coming))
    errors = [after - _mix(views, trust) for views, after in zip(said, came, strict=True)]
    return Outlook(_mix(coming, trust), floor, errors, apart, _noise(amounts, sums, weights, first))


def without_spikes(amounts: Sequence[float]) -> Sequence[float]:
    """The same with its largest days cut, where they stand alone."""
    usual = sorted(amounts)[-SPIKES - 1]
    return [min(amount, SPIKE_TIMES * usual) for amount in amounts] if usual > 0 else amounts


def paces(
    amounts: Sequence[float],
    sums: Sequence[float],
    at: int,
    weights: Sequence[float],
    first: int,
    days: float,
) -> list[float]:
    """What each view takes for a usual day of the next `days`, seen from before day `at`."""
    means = []
    for weeks in MEANS_WEEKS:
        since = at - WEEK * weeks if at >= WEEK * weeks else at % WEEK
        means.append(max(0.0, sums[at] - sums[since]) / (at - since))
    recent = sorted(
        amounts[day] / weights[(first + day) % WEEK]
        for day in range(at - LEARN_DAYS_MIN, at)
        if weights[(first + day) % WEEK] > 0.2
    )
    ahead = days / (2 * WEEK)
    quick, slow = _growth(sums, at, 2), _growth(sums, at, 4)
    return [
        *means,
        recent[len(recent) // 2] if recent else 0.0,
        means[0] * _grown(slow, ahead + 0.5),
        means[1] * _grown(quick, ahead + 1),
        means[2] * _grown(slow, ahead + 2),
    ]


def _growth(sums: Sequence[float], at: int, weeks: int) -> float:
    """By how much a week's spend grew (natural logarithm) between the last `weeks` and those before."""
    if at < 2 * WEEK * weeks:
        return _growth(sums, at, weeks // 2) if weeks > 1 else 0.0
    after = sums[at] - sums[at - WEEK * weeks]
    before = sums[at - WEEK * weeks] - sums[at - 2 * WEEK * weeks]
    little = 0.05 * (after + before) + 1e-9
    if after < 0 or before < 0:
        return 0.0
    growth = math.log((after + little) / (before + little)) / weeks
    return max(-GROWTH_MAX, min(GROWTH_MAX, growth))


def _grown(growth: float, weeks: float) -> float:
    return math.exp(growth * (1.0 - GROWTH_KEPT**weeks) / (1.0 - GROWTH_KEPT))


def _trust(said: Sequence[Sequence[float]], came: Sequence[float], views: int) -> list[float]:
    """How much each view counts; of sum 1."""
    trust = []
    for view in range(views):
        wrong = ERRORS_AT_FIRST * ERROR_AT_FIRST
        wrong += sum(abs(after - each[view]) for each, after in zip(said, came, strict=True))
        trust.append((wrong / (ERRORS_AT_FIRST + len(said)) + ERROR_MIN) ** -TRUST)
    whole = sum(trust)
    return [each / whole for each in trust]


def _mix(views: Sequence[float], trust: Sequence[float]) -> float:
    return sum(view * share for view, share in zip(views, trust, strict=True))


def _noise(amounts: Sequence[float], sums: Sequence[float], weights: Sequence[float], first: int) -> float:
    known = len(amounts)
    since = max(0, known - 8 * WEEK)
    spent = sums[known] - sums[since]
    if spent <= 0:
        return 1.0
    usual = spent / (known - since)
    apart = sum(abs(amounts[day] - usual * weights[(first + day) % WEEK]) for day in range(since, known))
    return apart / spent
