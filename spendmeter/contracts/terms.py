"""A tenant's currency and calendar through time: one reading for rating, ledger, api and alerts. Pure.

Terms begin at an instant and hold until the next ones begin. Where currency or calendar change, every period
that runs is cut: money of one period is in one currency, and no hour is in two periods or in none. They
change at the start of a month alone (`changes_at`), so that months and days are whole on both sides; a week
or a quarter that runs then is cut into two.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.periods import Period, add_months, day_start, period_bounds, period_of_day

SINCE_EVER = datetime.min.replace(tzinfo=UTC)
FOR_EVER = datetime.max.replace(tzinfo=UTC)
NOTICE = timedelta(hours=1)
"""A change for a tenant with bookings lies at least so far ahead: every rater knows it before it begins."""
NO_TERMS = TenantTerms(source="default", recorded_at=datetime(1970, 1, 1, tzinfo=UTC))
"""Of a tenant that has stated none: US dollars, UTC, no contract, no fallback."""


class Terms(Struct, frozen=True, kw_only=True):
    """In what a tenant's amounts, days, weeks and fiscal years are."""

    currency: str = NO_TERMS.currency
    zone: ZoneInfo = ZoneInfo(NO_TERMS.time_zone)
    first_weekday: int = NO_TERMS.first_weekday
    fiscal_start_month: int = NO_TERMS.fiscal_start_month


class Stretch(Struct, frozen=True, kw_only=True):
    """Terms, and the instants [start, end) in which they hold."""

    start: datetime
    end: datetime
    terms: Terms


class Timeline:
    """`Timeline([(effective_from, terms), ...])`, None = from the beginning; before it hold the defaults.

    Neighbours that say the same are one stretch, so that a new contract cuts no period."""

    __slots__ = ("_month", "_starts", "stretches")

    def __init__(self, dated: Iterable[tuple[datetime | None, Terms]] = ()) -> None:
        by_start = {since or SINCE_EVER: terms for since, terms in dated}
        begun = sorted(({SINCE_EVER: Terms()} | by_start).items(), key=lambda item: item[0])
        changes = [begun[0]]
        for start, terms in begun[1:]:
            if terms != changes[-1][1]:
                changes.append((start, terms))
        self._starts = [start for start, _ in changes]
        ends = [*self._starts[1:], FOR_EVER]
        self.stretches = tuple(
            Stretch(start=start, end=end, terms=terms)
            for (start, terms), end in zip(changes, ends, strict=True)
        )
        self._month = (FOR_EVER, SINCE_EVER, date.min)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeline) and self.stretches == other.stretches

    def __hash__(self) -> int:
        return hash(self.stretches)

    def stretch(self, at: datetime) -> Stretch:
        """The one that holds at an instant."""
        return self.stretches[bisect_right(self._starts, at) - 1]

    def at(self, at: datetime) -> Terms:
        """The terms that hold at an instant."""
        return self.stretch(at).terms

    def next_currency(self, after: datetime) -> tuple[datetime, str] | None:
        """When the currency changes next, and into which; None = it stays."""
        now = self.at(after).currency
        for stretch in self.stretches:
            if stretch.start > after and stretch.terms.currency != now:
                return stretch.start, stretch.terms.currency
        return None

    def currency_since(self, at: datetime) -> datetime:
        """From when on the tenant counts in the currency that holds at an instant: before it there is no
        money that could be held against money of now."""
        place = bisect_right(self._starts, at) - 1
        now = self.stretches[place].terms.currency
        while place and self.stretches[place - 1].terms.currency == now:
            place -= 1
        return self.stretches[place].start

    def day(self, at: datetime) -> date:
        """The tenant's day that holds an instant. After a move to the west its day may have begun while the
        new clock still showed the day before."""
        stretch = self.stretch(at)
        day = at.astimezone(stretch.terms.zone).date()
        return day if stretch.start == SINCE_EVER else max(day, self._day_of_change(stretch))

    def midnight(self, day: date) -> datetime:
        """With which instant the tenant's day begins, in UTC."""
        for stretch in reversed(self.stretches[1:]):
            first = self._day_of_change(stretch)
            if day >= first:
                later = day_start(day, stretch.terms.zone)
                return stretch.start if day == first else max(stretch.start, later)
        return day_start(day, self.stretches[0].terms.zone)

    def bounds(self, period: Period, at: datetime) -> tuple[datetime, datetime]:
        """[start, end) in UTC of the tenant's period that holds `at`, cut where terms begin and end.

        The first period of new terms is the one of the local day that the old terms ended before: a move to
        the west makes it longer by the hours between the zones, a move to the east shorter.
        """
        stretch = self.stretch(at)
        terms = stretch.terms
        calendar = (terms.zone, terms.fiscal_start_month, terms.first_weekday)
        if stretch.start > SINCE_EVER:
            _, first_end = period_of_day(period, self._day_of_change(stretch), *calendar)
            if at < first_end:
                return stretch.start, min(first_end, stretch.end)
        start, end = period_bounds(period, at, *calendar)
        return max(start, stretch.start), min(end, stretch.end)

    def month(self, at: datetime) -> date:
        """The accounting period of usage at an instant, as its month's first day; the last one is remembered,
        for nearly all events are of the month that runs."""
        start, end, first = self._month
        if not start <= at < end:
            start, end = self.bounds("month", at)
            first = add_months(self.day(start), 0)
            self._month = (start, end, first)
        return first

    def _day_of_change(self, stretch: Stretch) -> date:
        """The local day, by the terms before, with which a stretch begins."""
        before = self.stretches[self.stretches.index(stretch) - 1]
        return stretch.start.astimezone(before.terms.zone).date()


def timeline_of(rows: Iterable[Mapping[str, Any]]) -> Timeline:
    """The timeline that rows of `tenant_terms` make. Those without a currency are of a tenant that has stated
    none. Raises ZoneInfoNotFoundError."""
    return Timeline(
        (
            row["effective_from"],
            Terms(
                currency=row["currency"],
                zone=ZoneInfo(row["zone"]),
                first_weekday=row["first_weekday"],
                fiscal_start_month=row["fiscal_start_month"],
            ),
        )
        for row in rows
        if row["currency"] is not None
    )


def terms_of(entry: TenantTerms) -> Terms:
    """The part of a catalog entry that says in what a tenant counts. Raises ZoneInfoNotFoundError."""
    return Terms(
        currency=entry.currency,
        zone=ZoneInfo(entry.time_zone),
        first_weekday=entry.first_weekday,
        fiscal_start_month=entry.fiscal_start_month,
    )


def changes_at(timeline: Timeline, after: datetime, number: int = 3) -> list[datetime]:
    """The next instants after `after` at which a tenant's terms may change: starts of its months. Its
    own, not those of its zone's calendar: after a move west its month began hours before the new zone's."""
    found, at = [], after
    for _ in range(number):
        at = timeline.bounds("month", at)[1]
        found.append(at)
    return found
