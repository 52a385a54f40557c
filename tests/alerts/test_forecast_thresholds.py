"""A budget that is expected to be overspent is told of before it is, once, and only where that is no noise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.budgets.budgets import Budget
from services.alerts.forecasts.forecast import DaySpend, Forecast
from services.alerts.forecasts.profile import Profile
from services.alerts.forecasts.thresholds import (
    Evaluated,
    Told,
    ending,
    excesses_in,
    renewed,
    to_open,
    without_excess,
)
from services.alerts.forecasts.words import ForecastWording
from services.alerts.incidents.incident import Incident
from services.alerts.watch import TenantWatch
from spendmeter.contracts.terms import Timeline
from tests.alerts.conftest import Book

JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 16, 12, tzinfo=UTC)
BUDGET = Budget(
    id="b1", tenant="acme", name="Research", filter={"team": "search"}, amount=Decimal(1000), currency="USD",
    period="month", thresholds_percent=(Decimal(100),), forecast_thresholds_percent=(Decimal(80), Decimal(100)),
    revision=1, updated_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def evaluated(p50: int, *, spent: int = 600, armed: bool = True, excess: int = 0, hour: int = 0) -> Evaluated:
    seen = Forecast(
        p10=Decimal(p50 - 100), p50=Decimal(p50), p90=Decimal(p50 + 200), spent=Decimal(spent),
        run_rate=Decimal(1161), armed=armed, why_not="" if armed else "too early", profile=Profile(),
    )  # fmt: skip
    return Evaluated(
        budget=BUDGET, bounds=(JUNE, JULY), at=NOW + timedelta(hours=hour), seen=seen, excess=Decimal(excess),
        exhausted_at=datetime(2026, 6, 26, 9, tzinfo=UTC),
    )  # fmt: skip


def after(*each: Evaluated) -> Evaluated:
    """The last of these evaluations, with what those before it said."""
    last = each[0].after({})
    for one in each[1:]:
        last = one.after(last.streaks)
    return last


def opened_by(*each: Evaluated) -> list[Incident]:
    return to_open([after(*each)], [])


def test_two_evaluations_open_one_incident_of_the_highest_threshold() -> None:
    assert opened_by(evaluated(1200)) == []
    incidents = opened_by(evaluated(1200), evaluated(1210, hour=1))
    assert [(each.kind, each.rule_id, each.threshold_percent) for each in incidents] == [
        ("forecast", "forecast:b1", Decimal(100))
    ]
    assert opened_by(evaluated(1200), evaluated(700), evaluated(1200)) == []


def test_what_was_told_of_a_period_is_not_told_again_nor_what_is_less() -> None:
    twice = after(evaluated(1200), evaluated(1200))
    told = Told("forecast:b1", 1, JUNE, Decimal(100))
    assert to_open([twice], [told]) == []
    assert to_open([after(evaluated(900), evaluated(900))], [told]) == []
    assert len(to_open([twice], [told._replace(threshold_percent=Decimal(80))])) == 1
    assert len(to_open([twice], [told._replace(period_start=JUNE - timedelta(days=31))])) == 1


@pytest.mark.parametrize(
    "each",
    [
        evaluated(1200, armed=False),  # too early
        evaluated(1200, excess=500),  # 700 without what open incidents explain
        evaluated(1200, spent=1000),  # it is no forecast any more
        evaluated(799),
    ],
)
def test_what_is_no_news_opens_nothing(each: Evaluated) -> None:
    assert opened_by(each, each) == []


def test_an_incident_ends_when_two_evaluations_expect_less_or_the_period_has_ended() -> None:
    high = after(evaluated(1200), evaluated(1200))
    (incident,) = to_open([high], [])
    low = evaluated(700)
    assert ending(incident, [BUDGET], high, NOW) == ""
    assert ending(incident, [BUDGET], low.after(high.streaks), NOW) == ""
    assert (
        ending(incident, [BUDGET], low.after(low.after(high.streaks).streaks), NOW) == "less is expected now"
    )
    assert ending(incident, [BUDGET], None, JULY) == "its period is over"
    assert ending(incident, [replace(BUDGET, revision=2)], None, NOW) == "the budget was changed or deleted"


def test_what_has_come_as_was_expected_is_not_over_and_says_so() -> None:
    """Nobody is to read "Over" when the money is spent."""
    (incident,) = opened_by(evaluated(1200), evaluated(1200))
    spent = evaluated(1200, spent=1001)
    spent = spent.after(spent.after({}).streaks)
    assert ending(incident, [BUDGET], spent, NOW) == ""
    told = ForecastWording(zone=ZoneInfo("UTC")).with_words(renewed(incident, spent))
    assert told.title == "budget Research has reached 100 %, as was expected: 1,001 of 1,000 USD spent"


def test_people_read_what_is_expected_and_how_sure_that_is() -> None:
    (incident,) = opened_by(evaluated(1200, excess=10), evaluated(1200, excess=10, hour=1))
    words = ForecastWording(zone=ZoneInfo("Europe/Berlin")).with_words(incident)
    assert words.title == (
        "budget Research is expected to reach 100 %: about 1,200 of 1,000 USD by 2026-07-01"
    )
    # 1200 / 1000 = 120 %; the period ends at two in the morning of the 1st in Berlin
    assert words.summary == (
        "acme: budget 'Research' (team=search) has spent 600.00 USD of 1,000.00 USD; by the end of 2026-07-01 it "
        "is expected to have spent 1,200.00 USD (120 %), eight times in ten between 1,100.00 USD and 1,400.00 "
        "USD. As it goes, the budget is used up on 2026-06-26 (Europe/Berlin). 10.00 USD of open incidents are "
        "not counted towards the threshold."
    )
    assert [figure["text"] for figure in words.figures][:3] == [
        "1,200.00 USD",
        "1,100.00 USD",
        "1,400.00 USD",
    ]
    assert renewed(incident, evaluated(1300, hour=2)).details["p50"] == "1300"


def test_an_open_bursts_excess_is_taken_from_its_days_where_it_lies_in_the_budget() -> None:
    (incident,) = opened_by(evaluated(1200), evaluated(1200))
    burst = replace(
        incident, kind="anomaly", scope={"agent": "a"}, amount=Decimal(100), expected=Decimal(40),
        top_contributor={"dimensions": {"team": "search"}, "amount": "100", "share": "1"},
        began_at=datetime(2026, 6, 14, 23, tzinfo=UTC), hot_at=datetime(2026, 6, 15, 1, tzinfo=UTC),
    )  # fmt: skip
    found = excesses_in({"team": "search"}, "USD", JUNE, [burst])
    assert [amount for _, _, amount in found] == [Decimal(60)]
    assert excesses_in({"team": "other"}, "USD", JUNE, [burst]) == []
    assert excesses_in({}, "USD", JUNE, [replace(burst, state="resolved")]) == []
    days = [DaySpend(day=date(2026, 6, day), amount=Decimal(50)) for day in (13, 14, 15)]
    assert [each.excess for each in without_excess(days, found, Timeline())] == [0, 30, 30]


async def spend_daily(book: Book, days: int, until: datetime) -> None:
    for day in range(1, days + 1):
        await book.spend("10", until - timedelta(days=day), team="search")


@pytest.fixture
def mid_month() -> datetime:
    """A time at which a month may alarm."""
    return datetime(2026, 11, 20, 12, tzinfo=UTC)


async def test_each_budget_is_forecast_once_an_hour_and_told_once_and_the_first_of_a_day_is_kept(
    book: Book, watch: Callable[[], Awaitable[TenantWatch]], mid_month: datetime
) -> None:
    await spend_daily(book, 40, mid_month)
    budget = await book.budget("250", percent=(100,), team="search")
    await book.owner.execute(
        "UPDATE budgets SET forecast_thresholds_percent = '{100}', updated_at = '2026-01-01'"
    )
    looks = (await watch())._looks
    forecasts = next(look for look in looks if look.of == "forecasts")
    for minutes in (0, 1, 61, 62, 122):
        await forecasts.look(mid_month + timedelta(minutes=minutes))
    kept = await book.owner.fetch("SELECT * FROM forecasts")
    assert [(row["budget_id"], row["day"], row["armed"]) for row in kept] == [
        (budget, date(2026, 11, 20), True)
    ]
    # 19 days of 10 are spent; 10.5 are to come
    assert (kept[0]["cut_off"], kept[0]["spent"]) == (mid_month, Decimal(190))
    assert kept[0]["p50"] == pytest.approx(Decimal(295), abs=Decimal(3))
    latest = await book.owner.fetchrow("SELECT * FROM latest_forecasts")
    assert latest["cut_off"] == mid_month + timedelta(minutes=122)
    incidents = await book.incidents("forecast")
    assert [(row["threshold_percent"], row["state"]) for row in incidents] == [(Decimal(100), "open")]
    assert incidents[0]["opened_at"] == mid_month + timedelta(minutes=61)


async def test_a_forecasts_incident_is_over_with_its_period(
    book: Book, watch: Callable[[], Awaitable[TenantWatch]], mid_month: datetime
) -> None:
    await spend_daily(book, 40, mid_month)
    await book.budget("250", percent=(1000,), team="search")
    await book.owner.execute(
        "UPDATE budgets SET forecast_thresholds_percent = '{100}', updated_at = '2026-01-01'"
    )
    forecasts = next(look for look in (await watch())._looks if look.of == "forecasts")
    for at in (mid_month, mid_month + timedelta(hours=1), datetime(2026, 12, 1, 0, 1, tzinfo=UTC)):
        await forecasts.look(at)
    (incident,) = await book.incidents("forecast")
    assert (incident["state"], incident["resolution"]) == ("resolved", "its period is over")
    assert incident["title"] == "Over: budget A budget was expected to reach 100 %"


async def test_alerts_can_neither_change_nor_remove_what_it_has_forecast(
    book: Book, pool: asyncpg.Pool
) -> None:
    for said in ("UPDATE forecasts SET p50 = 0", "DELETE FROM forecasts", "TRUNCATE forecasts"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(said)
