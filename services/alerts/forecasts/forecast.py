"""What a budget's period will have come to at its end: a range, and whether it is early to say so. Pure.

From complete local days a pace (`paces.py`), over what is left of the period by weekday and hour
(`profile.py`); the range is how wrong the same method was over as many days of the same scope's past, and
where there is little past, what is usual of spend. Same input, same answer: nothing is drawn by chance. What
open incidents explain is in what was spent, and teaches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.forecasts.paces import LEARN_DAYS_MIN, Outlook, outlook
from services.alerts.forecasts.profile import (
    Profile,
    day_shares,
    hour_weights,
    instant_after,
    spread,
    weekday_weights,
)
from spendmeter.contracts.money import EXACT, ZERO, divided, quantised

HISTORY_DAYS_MIN = LEARN_DAYS_MIN
PERIOD_DAYS_MIN = 3
PERIOD_SHARE_MIN = 10
"""A forecast may alarm once so many complete days and this percentage of its period are over."""
Z90 = 1.2816
"""Standard deviations from the middle to P10 and P90 of a normal distribution."""
DRIFT = 0.1
"""What a week adds to how far a scope goes astray, as a share, where its own past says nothing."""
NOISE_MIN = 0.1
OWN_ERRORS_MIN = 3.0
"""So many errors that have nothing in common count as much as what is usual of spend."""
PLACES = 6
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class DaySpend:
    """A complete local day of a scope."""

    day: date
    amount: Decimal
    excess: Decimal = ZERO
    """The part of it that open incidents explain."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a period will have come to; None = there is too little to say."""

    p10: Decimal | None
    p50: Decimal | None
    p90: Decimal | None
    spent: Decimal
    run_rate: Decimal | None
    """What it would come to if the rest went as the time so far; None at the period's very start."""
    armed: bool
    """Whether a threshold may be held against it."""
    why_not: str
    """'' = it may."""
    profile: Profile


def forecast(
    days: Sequence[DaySpend],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    zone: ZoneInfo,
    spent: Decimal,
    hours: Sequence[tuple[datetime, Decimal]] = (),
) -> Forecast:
    """Of the period [start, end) at `now` in it.

    `days` are consecutive complete days up to yesterday, oldest first, from before the period on; `spent` is
    all that the period has come to so far, today included. `hours` are amounts of hours in some of those
    days: they say how much of today is to come.
    """
    amounts = [max(0.0, float(each.amount - each.excess)) for each in days]
    silent = next((place for place, amount in enumerate(amounts) if amount > 0), len(amounts))
    amounts, known = amounts[silent:], days[silent:]
    first = known[0].day.weekday() if known else 0
    profile = Profile(weekdays=weekday_weights(amounts, first), hours=hour_weights(hours, zone))
    why_not = too_early(len(known), start=start, end=end, now=now, zone=zone)
    range_: tuple[Decimal | None, Decimal | None, Decimal | None] = (None, None, None)
    if len(known) >= HISTORY_DAYS_MIN and now < end:
        left = [(day.weekday(), share) for day, share in day_shares(profile, zone, now, end)]
        low, middle, high = quantiles(outlook(amounts, first, left), sum(share for _, share in left))
        range_ = (_added(spent, low), _added(spent, middle), _added(spent, high))
    elif now >= end:
        range_ = (spent, spent, spent)
    return Forecast(
        p10=range_[0],
        p50=range_[1],
        p90=range_[2],
        spent=spent,
        run_rate=run_rate(spent, start=start, end=end, now=now),
        armed=not why_not,
        why_not=why_not,
        profile=profile,
    )


def quantiles(seen: Outlook, days: float) -> tuple[float, float, float]:
    """P10, P50 and P90 of what the coming `days` come to.

    The range's halves are apart, for spend leaps up more than down. Neighbouring errors share most of their
    days and count as one.
    """
    usual = Z90 * math.hypot(
        max(seen.noise * 1.25, NOISE_MIN) / math.sqrt(days), DRIFT * math.sqrt(1 + days / 7)
    )
    apart = len(seen.errors) * seen.apart / (days / 2 + 3)
    down = _between(_reach([-error for error in seen.errors]), apart, usual)
    up = _between(_reach(seen.errors), apart, usual)
    low, middle, high = (seen.middle - down, seen.middle, seen.middle + up)
    return (_unlogged(low, seen.floor), _unlogged(middle, seen.floor), _unlogged(high, seen.floor))


def too_early(known: int, *, start: datetime, end: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Why a forecast of [start, end) may not alarm at `now`, with `known` days of history; '' = it may."""
    if known < HISTORY_DAYS_MIN:
        return f"too early: {known} of {HISTORY_DAYS_MIN} days of history"
    complete = (now.astimezone(zone).date() - start.astimezone(zone).date()).days
    if complete < PERIOD_DAYS_MIN:
        return f"too early: {complete} of {PERIOD_DAYS_MIN} complete days of the period"
    if (now - start) * 100 < (end - start) * PERIOD_SHARE_MIN:
        return f"too early: less than {PERIOD_SHARE_MIN} % of the period is over"
    return ""


def run_rate(spent: Decimal, *, start: datetime, end: datetime, now: datetime) -> Decimal | None:
    """What [start, end) comes to if it all goes as the time until `now`; None before there is such time."""
    elapsed = min(now, end) - start
    if elapsed <= timedelta():
        return None
    seconds = Decimal(int((end - start).total_seconds()))
    return divided(EXACT.multiply(spent, seconds), quantised(Decimal(elapsed / timedelta(seconds=1))))


def exhausted_at(
    seen: Forecast, amount: Decimal, *, end: datetime, now: datetime, zone: ZoneInfo
) -> datetime | None:
    """When the middle of the range reaches `amount`; None = not in this period, or too little is known."""
    if seen.spent >= amount:
        return now
    if seen.p50 is None or seen.p50 < amount:
        return None
    share = float((amount - seen.spent) / (seen.p50 - seen.spent))
    return instant_after(seen.profile, zone, now, end, share * spread(seen.profile, zone, now, end))


def _reach(errors: Sequence[float]) -> float:
    """How far nine of ten errors go to this side: half by their rank, half by their size."""
    if not errors:
        return 0.0
    ranked = sorted(errors)
    rank = max(0.0, ranked[math.ceil(0.9 * len(ranked)) - 1])
    size = math.sqrt(2 * sum(max(0.0, error) ** 2 for error in errors) / len(errors))
    return (rank + 0.9 * Z90 * size) / 2


def _between(own: float, apart: float, usual: float) -> float:
    return math.sqrt((apart * own**2 + OWN_ERRORS_MIN * usual**2) / (apart + OWN_ERRORS_MIN))


def _unlogged(logarithm: float, floor: float) -> float:
    return max(0.0, math.exp(logarithm) - floor)


def _added(spent: Decimal, coming: float) -> Decimal:
    return EXACT.add(spent, Decimal(f"{coming:.{PLACES}f}"))
