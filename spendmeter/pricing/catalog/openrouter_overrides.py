"""When a price of OpenRouter's is another one (`pricing.overrides`), as conditions that never hold at once.

An entry holds where all of its conditions do: more prompt tokens than `min_prompt_tokens`, a daily window of
UTC from `utc_start` to before `utc_end` (clock numbers: 1030 is 10:30; it may pass midnight), and `utc_days`,
the weekday of the instant. Of those that hold the last one wins, price by price; where none does, the base
price holds. (https://openrouter.ai/docs/client-sdks/typescript/models/pricingoverride.md)
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from spendmeter.pricing.catalog.files import clock

CALENDAR = "utc"
OVERRIDES_MAX = 100
"""Of one model; a list of models has a handful."""
_DAY = 24 * 60
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class _Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an entry states beside its prices."""

    min_prompt_tokens: Annotated[int, Meta(ge=0, lt=2**53)] | None = None
    utc_start: Annotated[int, Meta(ge=0, le=2400)] | None = None
    utc_end: Annotated[int, Meta(ge=0, le=2400)] | None = None
    utc_days: list[str] | None = None


class Override(NamedTuple):
    """More tokens than these, in these minutes of a week (Monday 00:00 UTC is the first)."""

    above: int
    minutes: frozenset[int]


EVERY_MINUTE = frozenset(range(7 * _DAY))


def override(stated: Mapping[str, Any]) -> Override:
    """The conditions of an entry. Raises ValueError or msgspec.ValidationError for what nobody reads."""
    condition = msgspec.convert(dict(stated), _Condition)
    days = range(7) if condition.utc_days is None else [_DAYS.index(day) for day in condition.utc_days]
    if (condition.utc_start is None) != (condition.utc_end is None):
        raise ValueError("a window with one end")
    start, end = _minute(condition.utc_start or 0), _minute(condition.utc_end or 0)
    clock = range(start, end) if start < end else [*range(start, _DAY), *range(end)]
    if condition.utc_start is None:
        clock = range(_DAY)
    above = -1 if condition.min_prompt_tokens is None else condition.min_prompt_tokens
    return Override(above, frozenset(day * _DAY + minute for day in days for minute in clock))


def conditions(overrides: Sequence[Override]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Which of them (its place) decides under which conditions of a price file, which exclude one another."""
    edges = sorted({-1, *(each.above for each in overrides)})
    by_signature: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for minute in EVERY_MINUTE:
        by_signature[tuple(n for n, each in enumerate(overrides) if minute in each.minutes)].add(minute)
    for active, minutes in sorted(by_signature.items()):
        hours = (
            {} if len(minutes) == len(EVERY_MINUTE) else {"calendar": CALENDAR, "windows": _windows(minutes)}
        )
        for above, end in zip(edges, [*edges[1:], None], strict=True):
            place = max((n for n in active if overrides[n].above <= above), default=None)
            if place is not None:
                yield place, hours | _lengths(above, end)


def _lengths(above: int, end: int | None) -> dict[str, int]:
    """More than the first and up to the second."""
    stated = {} if above < 0 else {"context_min": above}
    return stated if end is None else stated | {"context_max": end}


def _minute(clock: int) -> int:
    hours, minutes = divmod(clock, 100)
    if minutes >= 60:
        raise ValueError(f"the clock number {clock}")
    return hours * 60 + minutes


def _windows(minutes: set[int]) -> list[dict[str, Any]]:
    """Each stretch within a day, with the days that have it."""
    days: dict[tuple[int, int], list[int]] = defaultdict(list)
    for day in range(7):
        today = sorted(minute - day * _DAY for minute in minutes if minute // _DAY == day)
        for _, run in groupby(enumerate(today), key=lambda each: each[1] - each[0]):
            stretch = [minute for _, minute in run]
            days[stretch[0], stretch[-1] + 1].append(day + 1)
    return [
        {"days": on, "start": clock(start), "end": clock(end)} for (start, end), on in sorted(days.items())
    ]
