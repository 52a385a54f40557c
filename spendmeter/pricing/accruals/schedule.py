"""How much of an asset has accrued by any instant, exact to 12 places. Pure.

What is bought wears off evenly from its first instant to its last, a seat costs its price in a month of the
calendar however long that is, and hours of work are spread over their week. Only what has accrued in all is
rounded: an hour's amount is the difference of two such figures, so hours add up to the whole, to the last
digit. Whole hours are counted between instants, so an hour that a clock skips or repeats is none too many.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from msgspec import Struct

from spendmeter.contracts.money import EXACT, ZERO, divided, total
from spendmeter.contracts.periods import add_months, day_start, period_bounds
from spendmeter.pricing.accruals.asset import HOUR, PURCHASES, Asset, AssetStanding, AssetTerms

IDLE = "idle"
"""The part of seats that nobody has."""


class ScheduleError(ValueError):
    """More has accrued than there is to accrue, or less, and there is no time left."""


class AccrualStretch(Struct, frozen=True, kw_only=True):
    """From `start` to `end` accrues `whole` for each `span` of time."""

    start: datetime
    end: datetime
    before: Decimal
    """What had accrued at its start."""
    whole: Decimal
    span: timedelta

    def by(self, at: datetime) -> Decimal:
        """What has accrued by `at`."""
        elapsed = min(max(at, self.start), self.end) - self.start
        part = EXACT.multiply(self.whole, Decimal(_seconds(elapsed)))
        return EXACT.add(self.before, divided(part, Decimal(_seconds(self.span))))


class AccrualSchedule:
    """What has accrued by when."""

    def __init__(self, stretches: Sequence[AccrualStretch]) -> None:
        self._stretches = stretches
        self._starts = [each.start for each in stretches]

    def by(self, at: datetime) -> Decimal:
        """In all, by `at`."""
        place = bisect_right(self._starts, at) - 1
        return self._stretches[place].by(at) if place >= 0 else ZERO

    def within(self, since: datetime, until: datetime) -> Decimal:
        """From `since` to `until`."""
        return EXACT.subtract(self.by(until), self.by(since))


class AccrualSum(AccrualSchedule):
    """What several schedules come to together."""

    def __init__(self, schedules: Iterable[AccrualSchedule]) -> None:
        self._schedules = list(schedules)

    def by(self, at: datetime) -> Decimal:
        """In all, by `at`."""
        return total(each.by(at) for each in self._schedules)


def last_day_after(day: date, months: int) -> date:
    """The day so many months later; of a shorter month its last."""
    first, beyond = add_months(day, months), add_months(day, months + 1)
    return min(first + timedelta(days=day.day - 1), beyond - timedelta(days=1))


def end_of(asset: Asset, terms: AssetTerms) -> datetime | None:
    """When its life is over by these terms; None = nobody has said."""
    if terms.ends_on is not None:
        return day_start(terms.ends_on, asset.zone)
    if terms.months is not None:
        return day_start(last_day_after(asset.starts_on, terms.months), asset.zone)
    return None


def over_at(asset: Asset, said: Sequence[AssetStanding]) -> datetime | None:
    """When nothing more will accrue; None = it goes on."""
    retired = next((each.since for each in said if each.terms.retired), None)
    end = end_of(asset, said[-1].terms)
    if retired is not None:
        gone = retired + HOUR if asset.kind in PURCHASES else retired
        return gone if end is None or retired < end else end
    return end


def purchase_schedule(asset: Asset, said: Sequence[AssetStanding]) -> AccrualSchedule:
    """The amounts of what was bought. Raises ScheduleError."""
    return AccrualSchedule(list(_worn_off(asset, said)))


def seat_schedules(
    asset: Asset, said: Sequence[AssetStanding], until: datetime
) -> dict[str, AccrualSchedule]:
    """The amounts of a licence up to `until`: of each share of its seats by its place, and of idle ones. Each
    is exact for itself: four seats cost four times the price in every month that they have whole."""
    places = range(max(len(each.terms.assigned) for each in said))
    slots: dict[str, Callable[[AssetTerms], int]] = {
        str(place): partial(_seats_of, place) for place in places
    } | {IDLE: idle_seats}

    def schedule(seats: Callable[[AssetTerms], int]) -> AccrualSchedule:
        return AccrualSchedule(list(_by_window(asset, said, until, _month, partial(_seats_price, seats))))

    return {slot: schedule(seats) for slot, seats in slots.items()}


def wage_schedule(asset: Asset, said: Sequence[AssetStanding], until: datetime) -> AccrualSchedule:
    """The amounts of a person's work up to `until`."""
    return AccrualSchedule(list(_by_window(asset, said, until, _week, _week_price)))


def idle_seats(terms: AssetTerms) -> int:
    """Seats that nobody has."""
    assert terms.seats is not None, "a licence has seats"
    return terms.seats - sum(share.weight for share in terms.assigned)


def work_schedule(asset: Asset, said: Sequence[AssetStanding], until: datetime) -> AccrualSchedule:
    """Hours of a person's work."""
    return AccrualSchedule(list(_by_window(asset, said, until, _week, lambda terms: terms.hours_per_week)))


def to_accrue(terms: AssetTerms) -> Decimal:
    """All that what was bought will have cost."""
    assert terms.cost is not None, "what is bought has a cost"
    left = terms.salvage
    if terms.retired and terms.proceeds is not None:
        left = terms.proceeds
    return EXACT.subtract(terms.cost, left)


def _worn_off(asset: Asset, said: Sequence[AssetStanding]) -> Iterator[AccrualStretch]:
    """What is left is spread over what is left of its life; whoever retires it writes the rest off."""
    before = ZERO
    for place, standing in enumerate(said):
        terms, start = standing.terms, standing.since
        end = end_of(asset, terms)
        assert end is not None, "what is bought has an end"
        rest = EXACT.subtract(to_accrue(terms), before)
        if start >= end and rest > 0:
            raise ScheduleError("its life is over by then, and not all of it has accrued")
        if rest < 0:
            raise ScheduleError("more has accrued by then than it is to cost in all")
        if start >= end:
            return
        if terms.retired:
            yield AccrualStretch(start=start, end=start + HOUR, before=before, whole=rest, span=HOUR)
            return
        until = min(end, said[place + 1].since) if place + 1 < len(said) else end
        stretch = AccrualStretch(start=start, end=until, before=before, whole=rest, span=end - start)
        yield stretch
        before = stretch.by(until)


def _by_window(
    asset: Asset,
    said: Sequence[AssetStanding],
    until: datetime,
    window: Callable[[datetime, ZoneInfo], tuple[datetime, datetime]],
    price: Callable[[AssetTerms], Decimal],
) -> Iterator[AccrualStretch]:
    """So much a month or a week, by the share of it that has passed."""
    before = ZERO
    for place, standing in enumerate(said):
        terms, start = standing.terms, standing.since
        if terms.retired:
            return
        beyond = said[place + 1].since if place + 1 < len(said) else until
        end = min(beyond, end_of(asset, terms) or beyond)
        while start < end:
            opens, closes = window(start, asset.zone)
            stretch = AccrualStretch(
                start=start,
                end=min(end, closes),
                before=before,
                whole=price(terms),
                span=closes - opens,
            )
            yield stretch
            start, before = stretch.end, stretch.by(stretch.end)


def _month(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return period_bounds("month", at, zone)


def _week(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return period_bounds("week", at, zone)


def _seats_of(place: int, terms: AssetTerms) -> int:
    return terms.assigned[place].weight if place < len(terms.assigned) else 0


def _seats_price(seats: Callable[[AssetTerms], int], terms: AssetTerms) -> Decimal:
    assert terms.price_per_seat_month is not None, "seats have a price"
    return EXACT.multiply(terms.price_per_seat_month, Decimal(seats(terms)))


def _week_price(terms: AssetTerms) -> Decimal:
    assert terms.rate_per_hour is not None, "work has a rate"
    return EXACT.multiply(terms.rate_per_hour, terms.hours_per_week)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)
