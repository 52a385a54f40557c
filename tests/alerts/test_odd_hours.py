"""Hours of clocks that jump by half an hour, and of a tenant that moves or counts in other money: none twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.alerts.bursts.seasons import HOUR, Samples, in_hour
from services.alerts.hours.scoring import usual_in
from spendmeter.book.sizes import hours_between
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.hourly import Spending, Tenant, hourly

__all__ = ["hourly"]
Make = Callable[..., Tenant]
DAY, HALF = timedelta(days=1), timedelta(minutes=30)
LORD_HOWE, KATHMANDU = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
MOVES = Timeline([(DECEMBER, Terms(zone=KATHMANDU))])
"""From UTC, whose hours begin on the hour, to Kathmandu, where they begin a quarter past."""
EUROS = Timeline([(DECEMBER, Terms(currency="EUR"))])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def in_day(day: str, zone: ZoneInfo) -> list[str]:
    calendar = Timeline([(None, Terms(zone=zone))])
    start, end = calendar.bounds("day", at(day))
    return [f"{hour:%H:%M}" for hour in hours_between(start, end, calendar)]


def test_an_hour_that_a_clock_cuts_short_is_half_an_hour_and_none_is_twice() -> None:
    """3 October 2026, 15:30 UTC: half past one became half past two, so 24 hours begin in 23.5. On 3 April 2027
    two became half past one at 15:00 UTC: 25 begin in 24.5, of which two are "one o'clock"."""
    spring = in_day("2026-10-03T14:00", LORD_HOWE)
    assert (len(spring), spring[:5]) == (24, ["13:30", "14:30", "15:30", "16:00", "17:00"])
    autumn = in_day("2027-04-03T14:00", LORD_HOWE)
    assert (len(autumn), autumn[:5]) == (25, ["13:00", "14:00", "15:00", "15:30", "16:30"])


@pytest.mark.parametrize("quarters", range(4))
def test_what_an_hour_brings_is_found_by_whichever_quarter_it_began_on(quarters: int) -> None:
    began = at("2026-11-20T02:00")
    amounts = {began: Decimal(60), began + HOUR: Decimal(4)}
    assert in_hour(amounts, began + quarters * timedelta(minutes=15)) == 60
    assert in_hour(amounts, began - timedelta(minutes=15)) == 0


def test_what_was_usual_before_a_move_is_usual_after_it() -> None:
    """60 each night at two UTC. On 1 December, 02:15 UTC is eight in Kathmandu; the same hour of the days before
    was added up from 02:00 on. The hour before it brings 4, as the 24 hours before do in their middle."""
    hours = hours_between(DECEMBER - 28 * DAY, DECEMBER + 2 * HOUR, MOVES)
    history = {hour: Decimal(60 if hour.hour == 2 else 4) for hour in hours}
    usual = usual_in(history, at("2026-12-01T02:15"), KATHMANDU, at("2026-10-01T00:00"))
    assert (usual.rhythm, usual.level) == (60, 4)
    assert Samples(at("2026-12-01T01:15"), KATHMANDU).usual(history, at("2026-10-01T00:00")) == 4


def nightly(hour: datetime) -> float:
    """Of a quarter of an hour a quarter of the money."""
    return 60.0 if hour.hour == 2 else 1.0 if hour == DECEMBER else 4.0


async def test_a_move_is_no_news(hourly: Make) -> None:
    tenant = hourly({"job": nightly, "rest": lambda hour: 20.0}, calendar=MOVES, since=DECEMBER - 35 * DAY)
    tenant.now = DECEMBER - DAY
    await tenant.watch(72)
    assert tenant.told == []


def spends_more(first: datetime, last: datetime) -> Spending:
    """12 an hour, five times as much from `first` until `last`; 6 and 30 in the half hour at half past three."""

    def spent(hour: datetime) -> float:
        amount = 60.0 if first <= hour < last else 12.0
        return amount / 2 if hour == at("2026-10-03T15:30") else amount

    return spent


async def test_money_of_a_half_hour_is_counted_once(hourly: Make) -> None:
    """Five times 12 an hour from 14:30 to 18:00 UTC, 3.5 hours: 60 + 30 + 60 + 60 = 210, where 42 were usual.
    The half hour is held against a whole one, so its 30 are less than half of the excess: it is known by those
    around it, and counts."""
    first, last = at("2026-10-03T14:30"), at("2026-10-03T18:00")
    tenant = hourly({"a": spends_more(first, last)}, zone="Australia/Lord_Howe", since=first - 40 * DAY)
    tenant.now = first - 8 * HOUR
    await tenant.watch(16)
    assert [(each[1], each[2]) for each in tenant.told if each[1] != "grew"] == [
        ("opened", "a"),
        ("resolved", "a"),
    ]
    [incident] = tenant.incidents
    assert [incident.began_at, incident.hot_at] == [first, last]
    assert [incident.amount, incident.expected] == [210, 42]


async def test_what_is_open_in_dollars_is_over_with_them_and_keeps_its_figures(hourly: Make) -> None:
    """Five times 12 an hour from 21:00 on and through midnight, when the tenant begins to count in euros. At the
    last look before, at 23:55, 2 hours and 55 minutes have come to 60 an hour, 175, and 35 were usual: no euro is
    added to them. Of euros nothing is usual for a day, and nothing is told."""
    first = DECEMBER - 3 * HOUR
    agents: dict[str, Spending] = {"a": lambda hour: 60.0 if first <= hour < DECEMBER + 3 * HOUR else 12.0}
    tenant = hourly(agents, calendar=EUROS, since=DECEMBER - 35 * DAY)
    tenant.now = DECEMBER - DAY
    await tenant.watch(24 + 20)
    [incident] = tenant.incidents
    assert (incident.currency, incident.state) == ("USD", "resolved")
    assert incident.resolution == "the tenant counts in EUR now, no more in USD"
    assert [round(incident.amount, 2), round(incident.expected, 2)] == [175, 35]
