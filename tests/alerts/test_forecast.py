"""What a period will have come to: the range, when it may alarm, and when a budget runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.alerts.forecasts.forecast import DaySpend, Forecast, exhausted_at, forecast
from services.alerts.forecasts.profile import Profile, remaining_share

UTC_ZONE = ZoneInfo("UTC")
JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
NOON_16TH = datetime(2026, 6, 16, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def days(first: date, amounts: Sequence[Decimal | int | str]) -> list[DaySpend]:
    return [DaySpend(day=first + place * DAY, amount=Decimal(each)) for place, each in enumerate(amounts)]


def until(beyond: date, number: int, amount: Callable[[date], Decimal | int | str]) -> list[DaySpend]:
    first = beyond - number * DAY
    return days(first, [amount(first + place * DAY) for place in range(number)])


def of_june(
    known: Sequence[DaySpend], now: datetime = NOON_16TH, spent: str | Decimal | None = None
) -> Forecast:
    so_far = sum((each.amount for each in known if each.day >= JUNE.date()), Decimal(0))
    return forecast(
        known, start=JUNE, end=JULY, now=now, zone=UTC_ZONE, spent=so_far if spent is None else Decimal(spent)
    )


def test_what_is_even_goes_on_evenly() -> None:
    # 15 days of 10, and half of the 16th: 155; half a day and 14 days are left: 145
    seen = of_june(until(date(2026, 6, 16), 60, lambda _: 10), spent="155")
    assert seen.p50 == pytest.approx(Decimal(300), abs=Decimal("0.5"))
    assert seen.p10 is not None and seen.p90 is not None
    assert Decimal(155) < seen.p10 < Decimal(300) < seen.p90 < Decimal(345)
    assert seen.armed and seen.why_not == ""


def test_weekends_off_are_no_days_to_come() -> None:
    # June 2026 has 22 working days; 11 of them, 1st to 15th, are over at noon of Tuesday the 16th
    seen = of_june(until(date(2026, 6, 16), 84, lambda day: 10 if day.weekday() < 5 else 0), spent="115")
    assert seen.p50 == pytest.approx(Decimal(220), rel=Decimal("0.05"))
    # the even run-rate counts four weekends in 15.5 days: 115 / 15.5 * 30
    assert seen.run_rate == pytest.approx(Decimal("222.58"), abs=Decimal("0.01"))


def test_the_range_begins_with_what_is_spent_and_is_in_order() -> None:
    wild = until(date(2026, 6, 16), 90, lambda day: (day.toordinal() * 7919 % 13) ** 3 * (day.day % 3 == 0))
    seen = of_june(wild)
    assert seen.p10 is not None and seen.p50 is not None and seen.p90 is not None
    assert seen.spent <= seen.p10 <= seen.p50 <= seen.p90


def test_what_grew_is_expected_to_go_on_growing_a_little() -> None:
    # 5 % a week for twelve weeks: the rest of the month lies above the last week's pace, and below twice of it
    first = date(2026, 6, 16) - 84 * DAY
    known = days(first, [Decimal(str(round(100 * 1.05 ** (place / 7), 2))) for place in range(84)])
    seen = of_june(known)
    last_week = sum(each.amount for each in known[-7:]) / 7
    assert seen.p50 is not None
    assert last_week * Decimal("14.5") < seen.p50 - seen.spent < last_week * Decimal("14.5") * 2


def test_one_runaway_day_is_spent_but_is_no_habit() -> None:
    known = until(date(2026, 6, 16), 60, lambda day: 1_000 if day == date(2026, 6, 10) else 10)
    seen = of_june(known)
    # spent 1,140 of it, and 145 are to come: a mean over June would say 1,102 more
    assert seen.p50 is not None and seen.p50 - seen.spent < 400


def test_what_an_open_incident_explains_is_spent_and_teaches_nothing() -> None:
    known = [
        DaySpend(day=each.day, amount=Decimal(200), excess=Decimal(190))
        if each.day >= date(2026, 6, 12)
        else each
        for each in until(date(2026, 6, 16), 60, lambda _: 10)
    ]
    seen = of_june(known)
    # 11 days of 10 and 4 of 200 are spent; 14.5 days of 10 are to come
    assert seen.spent == Decimal(910)
    assert seen.p50 == pytest.approx(Decimal(1055), abs=Decimal(2))


def test_a_scope_that_is_silent_all_along_stays_at_nothing() -> None:
    seen = of_june(until(date(2026, 6, 16), 60, lambda _: 0))
    assert (seen.p10, seen.p50, seen.p90) == (None, None, None)
    assert seen.spent == Decimal(0) and not seen.armed


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (datetime(2026, 6, 3, 23, tzinfo=UTC), "too early: 2 of 3 complete days of the period"),
        (datetime(2026, 6, 4, 1, tzinfo=UTC), ""),  # 3 days are 10 % of June
    ],
)
def test_a_month_arms_after_three_complete_days(now: datetime, why: str) -> None:
    seen = of_june(until(now.date(), 60, lambda _: 10), now=now)
    assert (seen.why_not, seen.armed) == (why, not why)


def test_a_quarter_arms_after_a_tenth_of_it() -> None:
    april = datetime(2026, 4, 1, tzinfo=UTC)  # 91 days: a tenth is 9.1
    for now, armed in [(april + 9 * DAY, False), (april + 10 * DAY, True)]:
        known = until(now.date(), 60, lambda _: 10)
        seen = forecast(known, start=april, end=JULY, now=now, zone=UTC_ZONE, spent=Decimal(90))
        assert seen.armed is armed
        assert seen.why_not == ("" if armed else "too early: less than 10 % of the period is over")


def test_a_young_scope_shows_its_run_rate_and_no_range() -> None:
    # silent until the 3rd of June: 13 days of history at the 16th
    seen = of_june(
        until(date(2026, 6, 16), 60, lambda day: 10 if day >= date(2026, 6, 3) else 0), spent="135"
    )
    assert seen.why_not == "too early: 13 of 14 days of history"
    assert (seen.p50, seen.armed) == (None, False)
    assert seen.run_rate == pytest.approx(Decimal("261.29"), abs=Decimal("0.01"))  # 135 / 15.5 * 30


def test_the_same_past_gives_the_same_forecast() -> None:
    known = until(date(2026, 6, 16), 100, lambda day: day.toordinal() * 7919 % 101)
    assert of_june(known) == of_june(known)


def test_hours_say_how_much_of_today_is_to_come() -> None:
    known = until(date(2026, 6, 16), 60, lambda _: 8)
    # all of a day's 8 lie between 8 and 16 o'clock: at noon half of them are to come, at 18 none
    hours = [
        (datetime(2026, 6, day, hour, tzinfo=UTC), Decimal(1))
        for day in range(2, 16)
        for hour in range(8, 16)
    ]
    left = {}
    for hour in (12, 18):
        now = NOON_16TH.replace(hour=hour)
        seen = forecast(known, start=JUNE, end=JULY, now=now, zone=UTC_ZONE, spent=Decimal(128), hours=hours)
        assert seen.p50 is not None
        left[hour] = seen.p50 - seen.spent
    assert left[12] - left[18] == pytest.approx(Decimal("3.5"), abs=Decimal("0.3"))
    assert left[18] == pytest.approx(Decimal(14 * 8), abs=Decimal(1))


def test_the_remaining_share_of_office_hours_is_small_on_a_friday_night() -> None:
    office = Profile(weekdays=(1.4,) * 5 + (0.0, 0.0))
    week = (datetime(2026, 6, 8, tzinfo=UTC), datetime(2026, 6, 15, tzinfo=UTC))  # Monday to Monday
    share = lambda now: remaining_share(office, UTC_ZONE, *week, now)  # noqa: E731
    assert share(week[0]) == pytest.approx(1.0)
    assert share(datetime(2026, 6, 12, 12, tzinfo=UTC)) == pytest.approx(0.1)  # half of one of five days
    assert share(datetime(2026, 6, 13, tzinfo=UTC)) == 0.0
    assert share(week[1]) == 0.0


def test_a_day_of_23_hours_is_one_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # 29 March 2026 in Berlin goes from 23:00 of the 28th UTC to 22:00 of the 29th: after 11.5 hours half is left
    start, end = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    half = start + timedelta(hours=11, minutes=30)
    assert remaining_share(Profile(), berlin, start, end, half) == pytest.approx(0.5)


def test_a_budget_runs_out_when_the_middle_reaches_it() -> None:
    seen = of_june(until(date(2026, 6, 16), 60, lambda _: 24), now=datetime(2026, 6, 16, tzinfo=UTC))
    runs_out = lambda amount: exhausted_at(  # noqa: E731
        seen, Decimal(amount), end=JULY, now=datetime(2026, 6, 16, tzinfo=UTC), zone=UTC_ZONE
    )
    # 360 are spent by the 16th; 480 are five days of 24 later: in the night to the 21st
    at = runs_out(480)
    assert at is not None and abs(at - datetime(2026, 6, 21, tzinfo=UTC)) <= timedelta(hours=2)
    assert runs_out(360) == datetime(2026, 6, 16, tzinfo=UTC)
    assert runs_out(800) is None


def test_half_a_year_is_forecast_in_milliseconds() -> None:
    known = until(date(2026, 6, 16), 200, lambda day: day.toordinal() * 7919 % 101)
    of_june(known)
    began = time.process_time()
    for _ in range(5):
        of_june(known)
    assert (time.process_time() - began) / 5 < 0.05
