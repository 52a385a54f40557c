"""Hours on a vendor's calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendmeter.contracts.catalog import CalendarEntry, Conditions, HoursWindow
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.conditions import Week
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, price, used


def week(*windows: HoursWindow, zone: str = "Asia/Shanghai", holidays: tuple[str, ...] = ()) -> Week:
    return Week(
        windows,
        CalendarEntry(name="c", time_zone=zone, holidays=holidays, source="test", recorded_at=RECORDED),
    )


def test_every_hour_of_a_week_lies_in_its_window_or_not() -> None:
    peak = week(HoursWindow(days=(1, 2, 3, 4, 5), start="09:00", end="12:00"))
    monday = datetime(2026, 11, 23, tzinfo=UTC) - timedelta(hours=8)  # midnight in Shanghai
    hours = [hour for hour in range(168) if monday + timedelta(hours=hour) in peak]
    assert hours == [day * 24 + hour for day in range(5) for hour in (9, 10, 11)]


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    friday_night = week(HoursWindow(days=(5,), start="22:00", end="02:00"), zone="UTC")
    inside = [
        datetime(2026, 11, 27, 22, tzinfo=UTC),
        datetime(2026, 11, 28, 1, 59, 59, tzinfo=UTC),
    ]
    outside = [datetime(2026, 11, 27, 1, tzinfo=UTC), datetime(2026, 11, 28, 2, tzinfo=UTC)]
    assert all(instant in friday_night for instant in inside)
    assert not any(instant in friday_night for instant in outside)


def test_a_holiday_is_no_weekday() -> None:
    workdays = week(HoursWindow(days=(1, 2, 3, 4, 5)), holidays=("2026-10-01",))
    assert datetime(2026, 9, 30, 4, tzinfo=UTC) in workdays
    assert datetime(2026, 10, 1, 4, tzinfo=UTC) not in workdays
    assert datetime(2026, 10, 1, 4, tzinfo=UTC) in week(HoursWindow(days=(8,)), holidays=("2026-10-01",))


def test_hours_follow_the_vendors_clock_through_a_change_to_summer_time() -> None:
    nine = week(HoursWindow(start="09:00", end="10:00"), zone="America/New_York")
    assert datetime(2026, 3, 7, 14, 30, tzinfo=UTC) in nine  # UTC-5
    assert datetime(2026, 3, 9, 13, 30, tzinfo=UTC) in nine  # UTC-4
    assert datetime(2026, 3, 9, 14, 30, tzinfo=UTC) not in nine


def says_the_clock(
    instant: datetime, windows: tuple[HoursWindow, ...], zone: str, holidays: tuple[str, ...]
) -> bool:
    """By the wall clock alone: lay out every window of the days around, and look."""
    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    for window in windows:
        for day in (wall.date() + timedelta(days=moved) for moved in (-2, -1, 0, 1)):
            midnight = datetime.combine(day, time())
            start, end = (midnight + _into_day(clock) for clock in (window.start, window.end))
            if end <= start:
                end += timedelta(days=1)
            weekday = 8 if day.isoformat() in holidays else day.isoweekday()
            if weekday in window.days and start <= wall < end:
                return True
    return False


def _into_day(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


WORKDAYS = (1, 2, 3, 4, 5)
SCHEDULES = [
    (HoursWindow(start="00:30", end="16:30"),),
    (
        HoursWindow(days=WORKDAYS, start="09:00", end="12:00"),
        HoursWindow(days=WORKDAYS, start="14:00", end="18:00"),
    ),
    (HoursWindow(days=(6, 7)), HoursWindow(days=(8,), start="20:00", end="08:00")),
    (
        HoursWindow(days=(5, 6), start="22:00", end="02:00"),
        HoursWindow(days=(7,), start="02:00", end="03:00"),
    ),
    (
        HoursWindow(days=(1, 7), start="01:45", end="02:15"),
        HoursWindow(days=(3,), start="00:00", end="00:00"),
    ),
]
ZONES = {  # the Mondays of a plain week and of those in which the clocks change
    "UTC": ("2026-11-23",),
    "Asia/Shanghai": ("2026-11-23",),
    "Asia/Kathmandu": ("2026-11-23",),  # +05:45
    "America/New_York": ("2026-11-23", "2026-03-02", "2026-10-26"),
    "America/St_Johns": ("2026-11-23", "2026-03-02", "2026-10-26"),  # -03:30
    "Europe/Berlin": ("2026-11-23", "2026-03-23", "2026-10-19"),
    "Australia/Lord_Howe": ("2026-11-23", "2026-03-30", "2026-09-28"),  # by half an hour
    "Africa/Casablanca": ("2026-11-23", "2026-02-09", "2026-03-16"),  # off summer time for Ramadan
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("windows", SCHEDULES)
def test_every_hour_of_every_week_is_as_the_wall_clock_says(
    zone: str, windows: tuple[HoursWindow, ...]
) -> None:
    inside = 0
    for monday in ZONES[zone]:
        begin = datetime.fromisoformat(monday).replace(tzinfo=UTC)
        holidays = (str(begin.date() + timedelta(days=2)), str(begin.date() + timedelta(days=6)))
        compiled = week(*windows, zone=zone, holidays=holidays)
        for quarter in range(-4 * 24, 4 * 24 * 8):  # the 168 hours, and a day on each side for the zone
            for moved in (-1, 0, 1):
                instant = begin + timedelta(minutes=15 * quarter, seconds=moved)
                expected = says_the_clock(instant, windows, zone, holidays)
                assert (instant in compiled) == expected, (instant.astimezone(ZoneInfo(zone)), windows)
                inside += expected
    assert inside > 0


CLOCKS = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
WINDOWS = st.builds(
    HoursWindow,
    days=st.lists(st.integers(1, 8), min_size=1, max_size=8, unique=True).map(tuple),
    start=CLOCKS,
    end=CLOCKS | st.just("24:00"),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(WINDOWS, min_size=1, max_size=3).map(tuple),
    st.sampled_from([*ZONES, "Pacific/Apia", "America/Santiago", "Asia/Tehran"]),
    st.dates(date(2011, 12, 20), date(2027, 12, 31)),
    st.sets(st.integers(-2, 9), max_size=4),
    st.integers(-1, 1),
)
def test_the_168_hours_of_any_week_in_any_zone_with_any_holidays_are_as_the_wall_clock_says(
    windows: tuple[HoursWindow, ...], zone: str, monday: date, off: set[int], moved: int
) -> None:
    """Weeks of a clock change among them: the reckoning lays out every window on the wall and looks."""
    begin = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    holidays = tuple(str(monday + timedelta(days=day)) for day in sorted(off))
    compiled = week(*windows, zone=zone, holidays=holidays)
    for hour in range(168):
        instant = begin + timedelta(hours=hour, seconds=moved)
        assert (instant in compiled) == says_the_clock(instant, windows, zone, holidays), instant


@pytest.mark.parametrize(
    ("day", "start", "end", "minutes"),
    [
        ("2026-11-01", "01:00", "02:00", 120),  # 01:00 to 02:00 comes twice
        ("2026-11-01", "22:00", "02:00", 240),
        ("2026-10-31", "22:00", "02:00", 300),
        ("2026-03-08", "02:00", "03:00", 0),  # and 02:00 to 03:00 not at all
        ("2026-03-07", "22:00", "04:00", 300),
    ],
)
def test_a_window_lasts_as_long_as_the_vendors_clock_shows_it(
    day: str, start: str, end: str, minutes: int
) -> None:
    noon = datetime.fromisoformat(f"{day}T16:00:00Z")
    weekday = noon.isoweekday()
    compiled = week(HoursWindow(days=(weekday,), start=start, end=end), zone="America/New_York")
    begin = noon - timedelta(hours=24)
    assert sum(begin + timedelta(minutes=minute) in compiled for minute in range(48 * 60)) == minutes


@pytest.mark.parametrize(
    ("monday", "hours", "total"),
    [("2026-11-09", 168, 208), ("2026-03-02", 167, 207), ("2026-10-26", 169, 209)],
)
def test_a_week_of_hourly_requests_costs_twice_in_forty_hours(monday: str, hours: int, total: int) -> None:
    """Peak, at 2 instead of 1, is nine to five on workdays in New York: 40 hours, however long the week is."""
    zone = ZoneInfo("America/New_York")
    begin = datetime.fromisoformat(monday).replace(tzinfo=zone)
    end = begin + timedelta(days=7)
    new_york = identified(CalendarEntry(name="ny", time_zone=zone.key, source="test", recorded_at=RECORDED))
    peak = Conditions(calendar="ny", windows=(HoursWindow(days=WORKDAYS, start="09:00", end="17:00"),))
    book = PriceBook([price("m", "input_tokens", "1"), price("m", "input_tokens", "2", when=peak), new_york])
    instants = [begin.astimezone(UTC) + timedelta(hours=hour) for hour in range(hours)]
    assert instants[-1] + timedelta(hours=1) == end.astimezone(UTC)
    million = {"input_tokens": 1_000_000}
    assert sum(rate(used("openai", "m", million, at=at), book).list for at in instants) == total
