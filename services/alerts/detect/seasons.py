"""What an hour is expected to bring: of floats for scores, of Decimals for what is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from statistics import median
from typing import TypeVar

Measured = TypeVar("Measured", float, Decimal)

DAYS, WEEKS = 7, 4
DAYS_KEPT = DAYS * WEEKS + 1
"""Four weeks, and today."""
DAYS_MIN, WEEKS_MIN = 2, 2
"""So many days make a daily rhythm, and so many weeks a weekly one."""
SLOT_S = 3_600
"""A slot is an hour of the local day, or one bucket where a series has longer ones."""


def expectation(
    days: Sequence[Measured],
    weeks: Sequence[Measured],
    level: Measured,
    *,
    middle: Callable[[Sequence[Measured]], Measured] = median,
) -> Measured:
    """The highest of the same hour's median over 7 days, over 4 weeks of the same weekday, and the level.

    `days`, `weeks`: what is known of these hours, in any order; too few of them say nothing. `middle`: which
    of two middle ones their median is.
    """
    expected = level
    if len(days) >= DAYS_MIN:
        expected = max(expected, middle(days))
    if len(weeks) >= WEEKS_MIN:
        expected = max(expected, middle(weeks))
    return expected


def slots_a_day(slot_s: int) -> int:
    return max(1, round(86_400 / slot_s))


def slot_of(at: datetime, zone: tzinfo, slot_s: int) -> int:
    """The number of the local slot of `at`: an hour that clocks repeat is one slot, a skipped one none."""
    local = at.astimezone(zone)
    seconds = local.hour * 3_600 + local.minute * 60 + local.second
    if slot_s >= 86_400:
        return (local.toordinal() * 86_400 + seconds) // slot_s
    a_day = slots_a_day(slot_s)
    return local.toordinal() * a_day + min(seconds // slot_s, a_day - 1)
