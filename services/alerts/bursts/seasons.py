"""What a scope usually brings at this hour of the day and week, from hours that were added up. Pure.

Minutes say how much is spent now; they do not know that a job begins every night at two. What the hour
usually brings beyond what is spent now is room: within one and a half times of it nothing is news, however
unevenly it comes within the hour. A burst on top of a rhythm is told once that is spent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from statistics import median_low

import msgspec

from services.alerts.bursts.expectations import Expectation, Learned
from services.alerts.detect.seasons import DAYS, WEEKS, expectation
from services.alerts.scopes import DetectorScope, Tally, minutes_of, scopes_of
from spendmeter.contracts.money import ZERO
from spendmeter.contracts.series import Series

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUARTER = timedelta(minutes=15)
EDGE = QUARTER
"""What usually comes in an hour may come so long before or after it."""
ROOM = Decimal("1.5")
"""A job takes half as much again now and then."""
ALWAYS_SHARE = Decimal("0.01")
"""Of what the tenant spends in four weeks: an excess of so much is a page, whatever chance says."""
YOUNG_DAYS = 14
"""Before that many days of history nobody knows a weekly rhythm: then an excess takes twice the money."""


class ScopeSeason(msgspec.Struct, frozen=True):
    """What a scope usually spends in the hour before this one, in this one, and in the next."""

    dimension: str
    value: str
    before: Decimal
    this: Decimal
    after: Decimal


class Season(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual in the hour that begins at `hour`."""

    hour: datetime
    history_days: int
    """So many days the tenant is known; past YOUNG_DAYS it does not matter how many."""
    waits: bool = False
    """More days are known to the book, and not added up yet."""
    scopes: list[ScopeSeason]
    month: Decimal = ZERO
    """What the tenant spent in the last four weeks."""


class Samples:
    """The hours that say what is usual in the one that begins at `at`: by the local clock, and by time that
    passed, for who keeps to another clock than the tenant's finds his job an hour off after a shift."""

    def __init__(self, at: datetime, zone: tzinfo) -> None:
        local = at.astimezone(zone)
        by_clock = [(local - number * DAY).astimezone(UTC) for number in range(WEEKS * 7 + 1)]
        by_time = [at - number * DAY for number in range(WEEKS * 7 + 1)]
        ways = [by_clock] if by_clock == by_time else [by_clock, by_time]
        self._ways = [(way[DAYS:0:-1], way[WEEKS * 7 : 0 : -7]) for way in ways]

    @property
    def hours(self) -> set[datetime]:
        return {hour for days, weeks in self._ways for hour in (*days, *weeks)}

    def usual(self, amounts: Mapping[datetime, Decimal], since: datetime) -> Decimal:
        """Of a scope with these amounts, of a tenant that is known since then: silence is 0, but not before
        the scope first spent. Half of what is known must have been as much: one bad day is no rhythm."""
        return max(
            expectation(_known(days, amounts, since), _known(weeks, amounts, since), ZERO, middle=median_low)
            for days, weeks in self._ways
        )


def in_hour(amounts: Mapping[datetime, Decimal], at: datetime) -> Decimal:
    """What the hour came to that holds `at`, of hours by their beginnings: these lie on another quarter where
    the tenant has moved since, or its clock has jumped by half an hour."""
    begins = (at - number * QUARTER for number in range(HOUR // QUARTER))
    return next((amounts[each] for each in begins if each in amounts), ZERO)


def _known(hours: Sequence[datetime], amounts: Mapping[datetime, Decimal], since: datetime) -> list[Decimal]:
    known = [in_hour(amounts, hour) for hour in hours if hour >= since]
    first = next((place for place, amount in enumerate(known) if amount > 0), len(known))
    return known[first:]


def in_season(
    learned: Learned,
    season: Season,
    minutes: Mapping[datetime, Sequence[tuple[Series, Tally]]],
    now: datetime,
) -> Learned:
    """Expectations of no less than is usual at this hour, and what room it leaves. `minutes`: closed ones."""
    spent: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
    for minute, rows in minutes.items():
        if season.hour <= minute < learned.until:
            for series, tally in rows:
                for scope in scopes_of(series):
                    spent[scope] += tally.amount
    passed = max(ZERO, minutes_of(learned.until - season.hour))
    scopes = dict(learned.scopes)
    for each in season.scopes:
        scope = (each.dimension, each.value)
        known = scopes.get(scope) or learned.of(scope)
        if known is not None:
            scopes[scope] = _in_season(known, each, now - season.hour, spent[scope], passed)
    young = season.history_days if season.history_days < YOUNG_DAYS else None
    always = ALWAYS_SHARE * season.month
    return replace(learned, scopes=scopes, young_days=young, waits=season.waits, always=always)


def _in_season(
    known: Expectation, season: ScopeSeason, gone: timedelta, spent: Decimal, passed: Decimal
) -> Expectation:
    """`spent`: by the scope, in the `passed` closed minutes of the hour of which `gone` is over."""
    usual = season.this
    if gone < EDGE:
        usual = max(usual, season.before)
    if gone >= HOUR - EDGE:
        usual = max(usual, season.after)
    # Over what is spent now, or over the hour before: who spends more today than usual has his job, too.
    rooms = (
        ROOM * (usual - 60 * steady) - max(ZERO, spent - steady * passed)
        for steady in (known.per_minute, season.before / 60)
    )
    return replace(known, per_minute=max(known.per_minute, usual / 60), room=max(ZERO, *rooms))
