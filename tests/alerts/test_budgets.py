"""Budgets: periods in the tenant's calendar, thresholds of actual spend, one highest breach at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.alerts.budgets.breaches import BudgetLook, budget_incident
from services.alerts.budgets.budgets import Budget, highest_breach, trouble
from services.alerts.counting.counters import Counters, CounterSum, counter_key, edges
from services.alerts.incidents.incident import Incident, IncidentFigures
from services.alerts.incidents.words import Wording
from spendmeter.contracts.incidents import TopContributor
from spendmeter.contracts.terms import Terms, Timeline

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday
BERLIN = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin")))])
BUDGET = Budget(
    id="b1", tenant="acme", name="Research", filter={"team": "search"}, amount=Decimal(50), currency="USD",
    period="month", thresholds_percent=(Decimal(50), Decimal(80), Decimal(100)), revision=1,
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip
FIGURES = IncidentFigures(
    amount=Decimal(51), expected=Decimal(50), rate_per_hour=Decimal(3), expected_per_hour=Decimal("0.07"),
    of_which_provisional=Decimal(0), top_contributor=TopContributor(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("day", "2026-11-22T23:00Z", "2026-11-23T23:00Z"),
        ("week", "2026-11-22T23:00Z", "2026-11-29T23:00Z"),
        ("month", "2026-10-31T23:00Z", "2026-11-30T23:00Z"),
        ("quarter", "2026-09-30T22:00Z", "2026-12-31T23:00Z"),
    ],
)
def test_a_period_begins_at_the_tenants_own_midnight(period: str, start: str, end: str) -> None:
    bounds = replace(BUDGET, period=period).bounds(NOW, BERLIN)
    assert bounds == (datetime.fromisoformat(start), datetime.fromisoformat(end))


def test_the_day_the_clocks_go_back_is_a_budget_of_25_hours() -> None:
    start, end = replace(BUDGET, period="day").bounds(datetime(2026, 10, 25, 12, tzinfo=UTC), BERLIN)
    assert end - start == timedelta(hours=25)


def test_a_quarter_follows_the_fiscal_year() -> None:
    fiscal = Timeline([(None, Terms(fiscal_start_month=2))])
    assert replace(BUDGET, period="quarter").bounds(NOW, fiscal) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2027, 2, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("spent", "seen", "breach"),
    [
        ("24.999999999999", [], None),
        ("25", [], 50),  # 50 % of 50, to the last digit
        ("39.99", [50], None),
        ("40", [50], 80),
        ("500", [], 100),  # one jump over all three: the highest says it
        ("500", [80], 100),
        ("500", [100], None),
        ("45", [100], None),  # a lower one after a higher one says nothing new
    ],
)
def test_a_threshold_is_crossed_when_the_amount_reaches_it(
    spent: str, seen: list[int], breach: int | None
) -> None:
    assert highest_breach(Decimal(spent), BUDGET, [Decimal(each) for each in seen]) == breach


def test_a_budget_that_cannot_be_watched_says_why() -> None:
    assert trouble(BUDGET, "USD") == ""
    assert "EUR" in trouble(replace(BUDGET, currency="EUR"), "USD")
    assert "teem: not a dimension" in trouble(replace(BUDGET, filter={"teem": "search"}), "USD")


def test_an_incident_is_new_for_another_period_revision_or_threshold_and_for_nothing_else() -> None:
    november = BUDGET.bounds(NOW, BERLIN)
    december = BUDGET.bounds(NOW + timedelta(days=10), BERLIN)

    def opened(budget=BUDGET, bounds=november, threshold=100, figures=FIGURES, now=NOW, episode=None):
        return budget_incident(budget, bounds, Decimal(threshold), figures, now, episode=episode).id

    first = opened()
    assert str(first) == "de643090-e03f-3c2b-db48-0d8534997406"  # as before there were episodes
    assert first == opened(figures=replace(FIGURES, amount=Decimal(99)), now=NOW + timedelta(days=1))
    assert first == opened(threshold="100.0")
    others = {opened(bounds=december), opened(budget=replace(BUDGET, revision=2)), opened(threshold=80)}
    assert len(others | {first, opened(episode=1), opened(episode=2)}) == 6


@pytest.mark.parametrize(("after_s", "periods"), [(1, [("b1", 22)]), (299, [("b1", 22)]), (301, [])])
def test_what_breaks_a_budget_in_its_last_second_is_told_after_its_period(after_s, periods) -> None:
    midnight = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)  # in Berlin
    now = midnight + timedelta(seconds=after_s)
    counters = Counters()
    counters.lay_out(edges(midnight - timedelta(days=1), now, BERLIN))
    spent = {counter_key(BUDGET.filter, "USD"): CounterSum(Decimal(60), Decimal(0))}
    counters.put(next(part for part in counters.parts if part.end == midnight), spent, 0.0)
    counters.take_open({}, now)
    look = BudgetLook(
        now=now, calendar=BERLIN, budgets=[replace(BUDGET, period="day")], counters=counters,
        wording=Wording(zone=BERLIN.at(now).zone),
    )  # fmt: skip
    opened = look.proposals([])
    assert [(incident.rule_id, incident.period_end.day) for incident in opened] == periods
    assert [incident.amount for incident in opened] == [Decimal(60)] * len(periods)
    assert look.proposals(opened) == []
    assert [look.ending(incident) for incident in opened] == [""] * len(periods)


def test_above_its_highest_threshold_a_budget_is_told_of_each_doubling_once() -> None:
    """50 USD: told at 100 %, then from 100 USD (200 %) on, from 200 (400 %), and of one jump to 2,851 once."""
    incidents: list[Incident] = []
    told: list[tuple[int, str]] = []
    for spent in ("52", "99.99", "100", "150", "199", "201", "390", "2851", "2900"):
        for incident in _look(spent).proposals(incidents):
            incidents = [incident]
            told.append((incident.number, incident.title.split(": ", 1)[0]))
    assert told == [
        (0, "budget Research passed 100 %"),
        (1, "budget Research passed 200 %"),
        (2, "budget Research passed 400 %"),
        (3, "budget Research passed 3200 %"),
    ]
    assert incidents[0].amount == 2851


def test_what_a_first_jump_has_passed_is_told_with_it() -> None:
    (incident,) = _look("2851").proposals([])
    assert incident.details == {"doublings": 5}
    assert _look("3100").proposals([incident]) == []
    (grown,) = _look("3200").proposals([incident])
    assert grown.id == incident.id


def _look(spent: str) -> BudgetLook:
    counters, key = Counters(), counter_key(BUDGET.filter, "USD")
    counters.lay_out(edges(BUDGET.bounds(NOW, BERLIN)[0], NOW, BERLIN))
    counters.take_open({NOW: {key: CounterSum(Decimal(spent), Decimal(0))}}, NOW)
    wording = Wording(zone=ZoneInfo("Europe/Berlin"))
    return BudgetLook(now=NOW, calendar=BERLIN, budgets=[BUDGET], counters=counters, wording=wording)
