"""Whether days lie lastingly above the weeks before them, at once or slowly, and how sure that is. Pure.

The last days, two to four weeks of them, are held against the mean of the same weekdays in up to four whole
weeks before. Amounts are Decimals; only how sure it is, is a float: a t value, of noise that is told from
week to week, so that neither a weekly rhythm nor a slow rise counts as noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from statistics import median

from spendmeter.contracts.money import EXACT, ZERO, divided, total

WEEK = 7
WEEKS, WEEKS_MIN = 4, 2
TRIED = (2, 3, 4, 5, 7, 10, 14, 20, 28)
"""So many last days are looked at, and then those around the best of them: neighbours say nearly the same."""
DAYS_MAX = WEEKS * WEEK + TRIED[-1]
"""All that is ever looked at of a scope."""
SPIKES, SPIKE_TIMES = 3, Decimal("1.5")
"""Of the weeks before, the three largest days count as half again the fourth at most: a runaway is no
habit."""
NOISE_MIN = 0.05
"""Of a usual day: nothing is steadier."""
FLOOR_SHARE = 0.03
"""Of a usual day, added to each before its logarithm is taken: a day off is no infinite fall."""
MEMORY_MAX = 0.7
"""A day is like the one before it, by so much at most; then days tell less than they are many."""
SLOW_DAYS_MIN, SLOW_GROWTH_MIN = 6, Decimal("1.15")
"""A rise is slow where the last third of its days lies so far above the first."""


@dataclass(frozen=True, kw_only=True)
class Lasting:
    """Days that are held against the weeks before them."""

    after: Sequence[Decimal]
    """The last ones, oldest first."""
    usual: Sequence[Decimal]
    """What each was expected to be."""
    week: Sequence[Decimal]
    """What the days of a usual week are."""
    chance: float
    """How often chance alone makes so much of one scope, whichever number of days is looked at."""

    @property
    def days(self) -> int:
        return len(self.after)

    @property
    def amount(self) -> Decimal:
        return total(self.after)

    @property
    def expected(self) -> Decimal:
        return total(self.usual)

    @property
    def usual_per_day(self) -> Decimal:
        """The mean of a usual week."""
        return divided(total(self.week), Decimal(WEEK))

    @property
    def per_day(self) -> Decimal:
        """What a day comes to as it goes now: over the mean of a usual week by as much as these days
        were over theirs, or as many times, whichever is less. Two days say little of a week, be they days off
        or of work."""
        over = EXACT.subtract(self.amount, self.expected)
        more = divided(over, Decimal(self.days))
        if self.expected > 0:
            more = min(more, divided(EXACT.multiply(self.usual_per_day, over), self.expected))
        return EXACT.add(self.usual_per_day, more)

    @property
    def goes_on(self) -> bool:
        """Whether the last day on which anything is usual is over that by half as many times as all are, at
        least."""
        known = [(amount, usual) for amount, usual in zip(self.after, self.usual, strict=True) if usual > 0]
        if not known:
            return False
        amount, usual = known[-1]
        over, whole = EXACT.subtract(amount, usual), EXACT.subtract(self.amount, self.expected)
        return over > 0 and 2 * EXACT.multiply(over, self.expected) >= EXACT.multiply(whole, usual)

    @property
    def slow(self) -> bool:
        """Whether it rises day by day, rather than once."""
        third = self.days // 3
        if self.days < SLOW_DAYS_MIN:
            return False
        early, late = (
            (total(self.after[part]), total(self.usual[part])) for part in (slice(third), slice(-third, None))
        )
        return late[0] * early[1] >= SLOW_GROWTH_MIN * early[0] * late[1] and early[1] > 0


def most_lasting(amounts: Sequence[Decimal]) -> Lasting | None:
    """The number of last days that is least like chance; None where less than WEEKS_MIN weeks are known
    before, or the scope did not spend in each of them. `amounts`: consecutive complete days, oldest first."""
    amounts = amounts[-DAYS_MAX:]
    tried = {lasts: held for lasts in TRIED if (held := held_against(amounts, lasts))}
    if not tried:
        return None
    nearest = min(tried, key=lambda lasts: tried[lasts].chance)
    between = range(_before(nearest) + 1, _after(nearest))
    near = [held for lasts in between if (held := held_against(amounts, lasts))]
    best = min([tried[nearest], *near], key=lambda held: held.chance)
    return replace(best, chance=min(1.0, best.chance * len(tried)))


def _before(lasts: int) -> int:
    return max((each for each in TRIED if each < lasts), default=lasts - 1)


def _after(lasts: int) -> int:
    return min((each for each in TRIED if each > lasts), default=lasts + 1)


def held_against(amounts: Sequence[Decimal], lasts: int) -> Lasting | None:
    """The last `lasts` days against the whole weeks before; None where these are too few, or silent."""
    weeks = min(WEEKS, (len(amounts) - lasts) // WEEK)
    if weeks < WEEKS_MIN or lasts < 1:
        return None
    before = _without_spikes(amounts[len(amounts) - lasts - weeks * WEEK : len(amounts) - lasts])
    if any(total(before[week * WEEK : (week + 1) * WEEK]) <= 0 for week in range(weeks)):
        return None
    means = [divided(total(before[weekday::WEEK]), Decimal(weeks)) for weekday in range(WEEK)]
    after = amounts[-lasts:]
    usual = [means[place % WEEK] for place in range(lasts)]
    freedom = WEEK * (weeks - 1)
    chance = max(_tail(_t_value(*seen), freedom) for seen in _both_ways(before, after, usual))
    return Lasting(after=after, usual=usual, week=means, chance=chance)


def _both_ways(
    before: Sequence[Decimal], after: Sequence[Decimal], usual: Sequence[Decimal]
) -> Iterator[tuple[list[float], list[float]]]:
    """What the days before are, and how far those after are over what is usual: in amounts, and in their
    logarithms, in which a scope that leaps by factors looks even. It has to be unlike chance in both."""
    days = [float(amount) for amount in before]
    mean = sum(days) / len(days)
    yield [day / mean for day in days], [float(a - u) / mean for a, u in zip(after, usual, strict=True)]
    floor = FLOOR_SHARE * mean
    logs = [math.log(max(day, 0.0) + floor) for day in days]
    usual_logs = [sum(logs[weekday::WEEK]) / (len(logs) // WEEK) for weekday in range(WEEK)]
    yield (
        logs,
        [
            math.log(max(float(amount), 0.0) + floor) - usual_logs[place % WEEK]
            for place, amount in enumerate(after)
        ],
    )


def _t_value(before: Sequence[float], over: Sequence[float]) -> float:
    """How far the mean of `over` lies above 0, in its own standard errors. One day that stands out counts as
    the second largest: alone it is no level."""
    ranked = sorted(over)
    ranked[-1] = ranked[-2] if len(ranked) > 1 else ranked[-1]
    weeks = len(before) // WEEK
    error = math.sqrt(1 / len(over) + 1 / (weeks * min(len(over), WEEK)))
    return sum(ranked) / len(ranked) / (_noise(before) * error)


def _noise(before: Sequence[float]) -> float:
    """How far a day is from what it should be, of differences to the same weekday a week before."""
    steps = [later - earlier for earlier, later in zip(before, before[WEEK:], strict=False)]
    usual = median(steps)
    steps = [step - usual for step in steps]
    squares = sum(step * step for step in steps)
    memory = sum(one * other for one, other in pairwise(steps)) / squares if squares else 0.0
    memory = max(0.0, min(MEMORY_MAX, memory))
    spread = math.sqrt(squares / len(steps) / 2 * (1 + memory) / (1 - memory))
    return max(spread, NOISE_MIN)


def _tail(t: float, freedom: int) -> float:
    """Of Student's distribution, above t (Wallace's approximation, 1959: within a few percent far out)."""
    if t <= 0:
        return 1.0
    z = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t * t / freedom))
    return math.erfc(z / math.sqrt(2)) / 2


def _without_spikes(before: Sequence[Decimal]) -> list[Decimal]:
    most = SPIKE_TIMES * sorted(before)[-SPIKES - 1]
    return [min(amount, most) for amount in before] if most > ZERO else list(before)
