"""Hours on a vendor's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from spendmeter.contracts.catalog import Calendar, Window
from spendmeter.pricing.conditions import Week
from tests.pricing.entries import RECORDED


def week(*windows: Window, zone: str = "Asia/Shanghai", holidays: tuple[str, ...] = ()) -> Week:
    return Week(
        windows,
        Calendar(name="c", time_zone=zone, holidays=holidays, source="test", recorded_at=RECORDED),
    )


def test_every_hour_of_a_week_lies_in_its_window_or_not() -> None:
    peak = week(Window(days=(1, 2, 3, 4, 5), start="09:00", end="12:00"))
    monday = datetime(2026, 11, 23, tzinfo=UTC) - timedelta(hours=8)  # midnight in Shanghai
    hours = [hour for hour in range(168) if monday + timedelta(hours=hour) in peak]
    assert hours == [day * 24 + hour for day in range(5) for hour in (9, 10, 11)]


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    friday_night = week(Window(days=(5,), start="22:00", end="02:00"), zone="UTC")
    inside = [
        datetime(2026, 11, 27, 22, tzinfo=UTC),
        datetime(2026, 11, 28, 1, 59, 59, tzinfo=UTC),
    ]
    outside = [datetime(2026, 11, 27, 1, tzinfo=UTC), datetime(2026, 11, 28, 2, tzinfo=UTC)]
    assert all(instant in friday_night for instant in inside)
    assert not any(instant in friday_night for instant in outside)


def test_a_holiday_is_no_weekday() -> None:
    workdays = week(Window(days=(1, 2, 3, 4, 5)), holidays=("2026-10-01",))
    assert datetime(2026, 9, 30, 4, tzinfo=UTC) in workdays
    assert datetime(2026, 10, 1, 4, tzinfo=UTC) not in workdays
    assert datetime(2026, 10, 1, 4, tzinfo=UTC) in week(Window(days=(8,)), holidays=("2026-10-01",))


def test_hours_follow_the_vendors_clock_through_a_change_to_summer_time() -> None:
    nine = week(Window(start="09:00", end="10:00"), zone="America/New_York")
    assert datetime(2026, 3, 7, 14, 30, tzinfo=UTC) in nine  # UTC-5
    assert datetime(2026, 3, 9, 13, 30, tzinfo=UTC) in nine  # UTC-4
    assert datetime(2026, 3, 9, 14, 30, tzinfo=UTC) not in nine
