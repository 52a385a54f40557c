"""Days of a tenant that moves, and of clocks beside the full hour: each amount is of one day, and of the right one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.alerts.budgets.late import late_periods
from services.alerts.counting.counters import Counters, CounterSum, counter_key, edges
from services.alerts.forecasts.profile import Profile, spread
from services.alerts.forecasts.thresholds import days_before, without_excess
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.test_budget_kinds import BUDGET

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ALL = counter_key({}, "USD")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moves(old: str, new: str, on: str) -> Timeline:
    return Timeline([(None, Terms(zone=ZoneInfo(old))), (at(on), Terms(zone=ZoneInfo(new)))])


MOVES = {
    # Where and when the old clock begins 1 December, in UTC.
    "west": moves("Europe/Berlin", "America/New_York", "2026-11-30T23:00"),
    "far west": moves("Pacific/Kiritimati", "Pacific/Pago_Pago", "2026-11-30T10:00"),
    "east": moves("America/New_York", "Asia/Kathmandu", "2026-12-01T05:00"),
}


@pytest.mark.parametrize("move", MOVES)
def test_each_days_money_stays_of_its_day_when_the_tenant_has_moved(move: str) -> None:
    """As much as the day of the month says, on each of the days before and after the move. By the new clock each day
    before a move to the west began on the evening before, and 1 December never did."""
    calendar, today = MOVES[move], date(2026, 12, 5)
    counters = Counters()
    counters.lay_out(
        edges(calendar.midnight(date(2026, 11, 25)), calendar.midnight(today) + 6 * HOUR, calendar)
    )
    for day in (date(2026, 11, 25) + number * DAY for number in range(11)):
        inside = [
            part
            for part in counters.parts
            if calendar.midnight(day) <= part.start < calendar.midnight(day + DAY)
        ]
        for part, amount in zip(inside, [day.day] + [0] * len(inside), strict=False):
            counters.put(part, {ALL: CounterSum(Decimal(amount), Decimal(0))}, 0.0)
    days = days_before(counters, ALL, calendar, today)
    assert [(each.day.day, each.amount) for each in days] == [
        (number, Decimal(number)) for number in (25, 26, 27, 28, 29, 30, 1, 2, 3, 4)
    ]
    burst = (
        calendar.midnight(date(2026, 11, 30)) + HOUR,
        calendar.midnight(date(2026, 12, 1)) + HOUR,
        Decimal(2),
    )
    explained = {each.day.day: each.excess for each in without_excess(days, [burst], calendar) if each.excess}
    assert explained == {30: 1, 1: 1}


@pytest.mark.parametrize(
    ("zone", "nine"),
    [
        ("Asia/Kathmandu", "2026-11-23T03:15"),
        ("Pacific/Chatham", "2026-11-22T19:15"),
        ("Asia/Kolkata", "2026-11-23T03:30"),
    ],
)
def test_what_comes_at_nine_is_expected_from_nine_to_ten_by_the_tenants_clock(zone: str, nine: str) -> None:
    """All of a day's money comes in that hour: a quarter of an hour of it is a quarter of the day."""
    hours = [0.0] * 24
    hours[9] = 24.0
    profile, began, quarter = Profile(hours=hours), at(nine), timedelta(minutes=15)
    parts = [
        spread(profile, ZoneInfo(zone), began + number * quarter, began + (number + 1) * quarter)
        for number in range(-2, 6)
    ]
    assert parts == pytest.approx([0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0])


def test_stated_days_are_those_that_the_tenant_had_when_it_moved() -> None:
    """November in Auckland, 13 hours ahead, ends on 30 November at 11:00 UTC, and the tenant moves to Berlin then. What
    comes late is looked at as of that period, and no half of a day is another one."""
    calendar = moves("Pacific/Auckland", "Europe/Berlin", "2026-11-30T11:00")
    november = replace(BUDGET, period="custom", starts_on=date(2026, 11, 1), ends_on=date(2026, 12, 1))
    bounds = (at("2026-10-31T11:00"), at("2026-11-30T11:00"))
    assert november.bounds(at("2026-11-20T00:00"), calendar) == bounds
    assert november.bounds(at("2026-11-30T11:00"), calendar) is None
    assert late_periods(november, at("2026-12-05T00:00"), calendar) == [bounds]
    last_day = replace(november, starts_on=date(2026, 11, 30))
    assert last_day.bounds(at("2026-11-30T00:00"), calendar) == (
        at("2026-11-29T11:00"),
        at("2026-11-30T11:00"),
    )


def test_a_day_that_is_stated_is_as_long_as_the_day_of_a_budget_by_day() -> None:
    """Berlin's 1 December, after which the tenant counts in New York: six hours longer, and one period."""
    calendar = MOVES["west"]
    first = replace(BUDGET, period="custom", starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 2))
    day = replace(BUDGET, period="day")
    noon = at("2026-12-01T12:00")
    assert (
        first.bounds(noon, calendar)
        == day.bounds(noon, calendar)
        == (at("2026-11-30T23:00"), at("2026-12-02T05:00"))
    )
