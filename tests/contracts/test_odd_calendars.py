"""Periods of odd zones and of tenants that move, against an oracle that walks through time by the quarter hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from spendmeter.contracts.periods import PERIODS, Period, period_bounds
from spendmeter.contracts.terms import SINCE_EVER, Terms, Timeline

QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
ODD = (
    "Asia/Kathmandu",  # 5:45 ahead
    "Pacific/Chatham",  # 12:45 and 13:45 ahead; the clock jumps at 02:45
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # had no 30 December in 2011
    "America/Santiago",  # jumps at midnight: that day begins at one
    "America/Havana",  # goes back at one to midnight: that day has two
    "Africa/Cairo",  # goes back at midnight to eleven
    "Antarctica/Troll",  # two hours of summer time
)
DECEMBER = {
    "Pacific/Auckland": "2026-11-30T11:00", "Pacific/Kiritimati": "2026-11-30T10:00",
    "Pacific/Pago_Pago": "2026-12-01T11:00", "Asia/Kathmandu": "2026-11-30T18:15",
    "Europe/Berlin": "2026-11-30T23:00", "UTC": "2026-12-01T00:00",
}  # fmt: skip
"""When it begins there, in UTC, worked out by hand from how far each zone is ahead: 13, 14, -11, 5:45, 1 and 0."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moves() -> Iterator[tuple[str, str, Timeline]]:
    for old, begins in DECEMBER.items():
        for new in DECEMBER:
            terms = [
                (None, Terms(zone=ZoneInfo(old))),
                (at(begins), Terms(zone=ZoneInfo(new), currency="EUR")),
            ]
            yield old, new, Timeline(terms)


def walked_to(day: date, zone: ZoneInfo) -> datetime:
    """The first quarter hour whose clock shows this day, or a later one."""
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=27)
    while instant.astimezone(zone).date() < day:
        instant += QUARTER
    return instant


def named(period: Period, day: date, first_month: int, first_weekday: int) -> object:
    """What all days of one period have in common."""
    if period == "day":
        return day
    if period == "week":
        return day - (day.isoweekday() - first_weekday) % 7 * DAY
    months = day.year * 12 + day.month - (1 if period == "month" else first_month)
    return months // {"month": 1, "quarter": 3, "year": 12}[period]


@pytest.mark.parametrize("zone", map(ZoneInfo, ODD), ids=str)
@pytest.mark.parametrize("period", PERIODS)
def test_a_period_begins_and_ends_where_the_zones_clock_says_so(zone: ZoneInfo, period: Period) -> None:
    """On days around each change of these clocks, around a leap day, and with weeks from Saturday or Sunday on."""
    days = [date(2026, month, day) for month in (3, 4, 9, 10, 11) for day in (1, 5, 8, 25, 29, 30)]
    for place, day in enumerate([*days, date(2028, 2, 29), date(2028, 3, 1), date(2026, 12, 31)]):
        first_month, first_weekday = place % 12 + 1, 6 + place % 2
        first = beyond = day
        name = named(period, day, first_month, first_weekday)
        while named(period, first - DAY, first_month, first_weekday) == name:
            first -= DAY
        while named(period, beyond, first_month, first_weekday) == name:
            beyond += DAY
        expected = walked_to(first, zone), walked_to(beyond, zone)
        for instant in (walked_to(day, zone), walked_to(day + DAY, zone) - timedelta(microseconds=1)):
            assert period_bounds(period, instant, zone, first_month, first_weekday) == expected, (
                day,
                instant,
            )


@pytest.mark.parametrize(
    ("old", "new", "timeline"), moves(), ids=lambda value: value if isinstance(value, str) else "moves"
)
def test_each_instant_is_of_the_day_that_began_last_wherever_the_tenant_moves(
    old: str, new: str, timeline: Timeline
) -> None:
    days = [date(2026, 11, 28) + number * DAY for number in range(7)]
    begins = {day: timeline.midnight(day) for day in days}
    assert begins[date(2026, 12, 1)] == at(DECEMBER[old]), "December begins with the old clock"
    assert sorted(begins.values()) == list(begins.values())
    instant = begins[days[0]]
    while instant < begins[days[-1]]:
        day = timeline.day(instant)
        assert day == max(each for each in days if begins[each] <= instant)
        assert timeline.bounds("day", instant) == (begins[day], timeline.midnight(day + DAY))
        instant += QUARTER


def test_money_of_the_currency_of_now_is_there_since_the_tenant_counts_in_it() -> None:
    """A move alone changes nothing of that."""
    euros, moved, back = at("2026-10-01T00:00"), at("2026-11-01T00:00"), at("2026-12-01T00:00")
    timeline = Timeline(
        [
            (euros, Terms(currency="EUR")),
            (moved, Terms(currency="EUR", zone=ZoneInfo("Asia/Kathmandu"))),
            (back, Terms()),
        ]
    )
    asked = [euros - QUARTER, euros, moved - QUARTER, moved, back - QUARTER, back]
    since = [timeline.currency_since(each) for each in asked]
    assert since == [SINCE_EVER, euros, euros, euros, euros, back]
