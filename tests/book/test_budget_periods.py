"""For what time a budget is: fiscal years, stated days, the last hours; across changes of the clock and of
terms."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from spendmeter.book.budget_periods import BudgetPeriod, period_trouble, rolling_refusal
from spendmeter.contracts.terms import Terms, Timeline

BERLIN = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin"), fiscal_start_month=4, first_weekday=7))])
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        # The fiscal year begins in April: Berlin's summer time, two hours ahead, at both ends.
        ("year", "2026-11-23T12:00Z", "2026-03-31T22:00Z", "2027-03-31T22:00Z"),
        ("year", "2026-03-31T21:59Z", "2025-03-31T22:00Z", "2026-03-31T22:00Z"),
        ("year", "2026-03-31T22:00Z", "2026-03-31T22:00Z", "2027-03-31T22:00Z"),
        # One that holds the 29th of February has 366 days.
        ("year", "2028-02-29T12:00Z", "2027-03-31T22:00Z", "2028-03-31T22:00Z"),
        # Weeks begin on Sundays; this one has the hour that the clocks repeat.
        ("week", "2026-10-25T12:00Z", "2026-10-24T22:00Z", "2026-10-31T23:00Z"),
        ("week", "2026-10-24T21:59Z", "2026-10-17T22:00Z", "2026-10-24T22:00Z"),
    ],
)
def test_a_period_is_of_the_tenants_own_year_and_week(period: str, now: str, start: str, end: str) -> None:
    assert BudgetPeriod(period).bounds(at(now), BERLIN) == (at(start), at(end))  # type: ignore[arg-type]


def test_a_year_with_a_leap_day_is_a_day_longer() -> None:
    (start, end), (begun, ended) = (
        BudgetPeriod("year").shown(day, Timeline()) for day in (at("2028-06-01T00:00Z"), NOON)
    )
    assert ((end - start).days, (ended - begun).days) == (366, 365)


def test_a_year_is_cut_where_the_tenants_currency_changes() -> None:
    change = at("2026-07-01T00:00Z")
    calendar = Timeline([(None, Terms()), (change, Terms(currency="EUR"))])
    year = BudgetPeriod("year")
    assert year.bounds(at("2026-06-30T23:59Z"), calendar) == (at("2026-01-01T00:00Z"), change)
    assert year.bounds(change, calendar) == (change, at("2027-01-01T00:00Z"))


def test_stated_days_are_one_period_and_nothing_before_or_after() -> None:
    # From the 24th to the 26th of October in Berlin: 73 hours, for the clocks go back on the 25th.
    days = BudgetPeriod("custom", date(2026, 10, 24), date(2026, 10, 27))
    start, end = at("2026-10-23T22:00Z"), at("2026-10-26T23:00Z")
    assert end - start == timedelta(hours=73)
    assert days.bounds(start, BERLIN) == days.bounds(end - timedelta(microseconds=1), BERLIN) == (start, end)
    assert days.bounds(start - timedelta(microseconds=1), BERLIN) is None
    assert days.bounds(end, BERLIN) is None
    assert days.shown(NOON, BERLIN) == (start, end)
    assert days.says() == "from 2026-10-24 to 2026-10-26"


def test_the_last_hours_are_the_one_that_runs_and_those_before_it() -> None:
    day = BudgetPeriod("rolling", last_hours=24)
    assert day.bounds(at("2026-11-23T12:34Z"), BERLIN) == (at("2026-11-22T13:00Z"), at("2026-11-23T13:00Z"))
    assert day.says() == "in any 24 hours"
    assert BudgetPeriod("rolling", last_hours=168).says() == "in any 7 days"


def test_the_last_hours_are_hours_that_pass_whatever_the_clocks_do() -> None:
    day = BudgetPeriod("rolling", last_hours=24)
    start, end = day.shown(at("2026-10-25T12:30Z"), BERLIN)
    assert end - start == timedelta(hours=24)


def test_the_last_hours_begin_with_an_hour_of_the_tenants_clock() -> None:
    nepal = Timeline([(None, Terms(zone=ZoneInfo("Asia/Kathmandu")))])  # 5:45 ahead
    assert BudgetPeriod("rolling", last_hours=2).bounds(at("2026-11-23T12:20Z"), nepal) == (
        at("2026-11-23T11:15Z"),
        at("2026-11-23T13:15Z"),
    )


def test_the_last_hours_hold_no_money_of_another_currency() -> None:
    change = at("2026-11-01T00:00Z")
    calendar = Timeline([(None, Terms()), (change, Terms(currency="EUR"))])
    assert BudgetPeriod("rolling", last_hours=24).shown(change + timedelta(hours=3), calendar)[0] == change


@pytest.mark.parametrize(
    ("period", "field", "why"),
    [
        (BudgetPeriod("month"), "", ""),
        (BudgetPeriod("custom", date(2026, 1, 1), date(2026, 1, 2)), "", ""),
        (BudgetPeriod("rolling", last_hours=2), "", ""),
        (BudgetPeriod("month", last_hours=3), "last_hours", "is for the period rolling"),
        (BudgetPeriod("rolling", date(2026, 1, 1), None, 3), "starts_on", "is for the period custom"),
        (BudgetPeriod("custom", date(2026, 1, 1)), "ends_on", "is needed"),
        (BudgetPeriod("custom", date(2026, 1, 2), date(2026, 1, 2)), "ends_on", "the day after"),
        (BudgetPeriod("custom", date(2026, 1, 1), date(2029, 2, 1)), "ends_on", "1 to 1,098 days"),
        (BudgetPeriod("rolling"), "last_hours", "is needed: 2 to 744"),
        (BudgetPeriod("rolling", last_hours=1), "last_hours", "2 to 744"),
        (BudgetPeriod("rolling", last_hours=745), "last_hours", "2 to 744"),
    ],
)
def test_what_is_no_period_says_which_field_and_why(period: BudgetPeriod, field: str, why: str) -> None:
    found = period_trouble(period) or ("", "")
    assert found[0] == field
    assert why in found[1]


def test_what_rolls_can_neither_refuse_nor_be_forecast_and_says_why() -> None:
    assert rolling_refusal(hard=False, forecast=False) is None
    field, why = rolling_refusal(hard=True, forecast=True) or ("", "")
    assert (field, "room comes back" in why) == ("hard", True)
    field, why = rolling_refusal(hard=False, forecast=True) or ("", "")
    assert (field, "no end" in why) == ("forecast_thresholds_percent", True)
