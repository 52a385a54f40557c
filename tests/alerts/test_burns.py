"""Budgets that run out early are told within minutes of two windows that say so; office hours are no fire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.alerts.budgets.breaches import budget_incident
from services.alerts.budgets.budgets import Budget
from services.alerts.burns.burns import (
    PAIRS,
    BudgetPace,
    BurnEnd,
    Burning,
    burning,
    ending,
    renewed,
    rule_of,
    to_open,
)
from services.alerts.burns.words import BurnWording
from services.alerts.counting.counters import CounterSum
from services.alerts.forecasts.profile import Profile
from services.alerts.incidents.incident import Incident, IncidentFigures, resolved
from spendmeter.contracts.alert_rules import default_rule
from spendmeter.contracts.incidents import TopContributor

UTC_ZONE = ZoneInfo("UTC")
JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
NOON = datetime(2026, 6, 16, 12, tzinfo=UTC)
"""A Tuesday; 348 of June's 720 hours are left."""
FAST, SLOW, DAY = PAIRS
RULE = default_rule("burn")
BUDGET = Budget(
    id="b1", tenant="acme", name="Research", filter={"team": "search"}, amount=Decimal(1000), currency="USD",
    period="month", thresholds_percent=(Decimal(100),), revision=1, updated_at=JUNE,
)  # fmt: skip
OFFICE = Profile(hours=[2.4 if 8 <= hour < 18 else 0.0 for hour in range(24)])


def pace(spent: object = 304, now: datetime = NOON, profile: Profile | None = None) -> BudgetPace:
    return BudgetPace(
        budget=BUDGET, bounds=(JUNE, JULY), now=now, zone=UTC_ZONE, profile=profile or Profile(),
        spent=CounterSum(Decimal(str(spent)), Decimal(0)),
    )  # fmt: skip


def burns(of: BudgetPace, long: object, short: object, number: int = 0) -> Burning | None:
    pair = PAIRS[number]
    spent = {pair.long: Decimal(str(long)), pair.short: Decimal(str(short))}
    return burning(of, pair, spent, RULE.number(pair.setting))


def test_a_burn_is_the_pace_over_what_the_rest_can_bear() -> None:
    """696 are left for 348 hours: 2 an hour can be borne; 30 in an hour are 15 times that, and 2.50 in its last
    five minutes are 15 times 1/6. 696 / 30 = 23.2 hours."""
    found = burns(pace(), 30, "2.5")
    assert found is not None
    assert found.times == pytest.approx(Decimal(15))
    assert found.rate_per_hour == 30
    assert found.runs_out == NOON + timedelta(hours=23, minutes=12)


def test_both_windows_must_burn() -> None:
    assert burns(pace(), 30, "0.5") is None  # it has stopped
    assert burns(pace(), 20, "2.5") is None  # it has just begun
    assert burns(pace(), 28, "2.4") is None  # 14 times


def test_slower_burns_are_seen_in_longer_windows() -> None:
    """6 times 2 an hour are 72 in six hours and 6 in half an hour; twice are 96 in a day and 8 in two hours."""
    assert burns(pace(), 73, "6.1", 1) is not None
    assert burns(pace(), 71, "6.1", 1) is None
    found = burns(pace(), 97, "8.1", 2)
    assert found is not None
    assert found.pair.severity == "warning"


def test_office_hours_do_not_burn() -> None:
    """All is spent from 8 to 18. On the 16th at 12 there are 14 days and 6 hours of such left, 146 hours for 696: 4.77
    an hour. 12 an hour for a day's window are twice as much by the clock, and no fire by the season."""
    day = pace(profile=OFFICE)
    assert day.bearable(timedelta(hours=1)) == pytest.approx(Decimal(696) / 146, rel=Decimal("0.001"))
    assert burns(day, 60, 12, 1) is None  # 10 an hour: five times by the clock, twice by the season


def test_a_small_job_at_night_is_held_against_an_even_spread() -> None:
    """Nothing is usual at three: 1.50 in the hour are less than the 2 of an even spread."""
    night = pace(now=datetime(2026, 6, 17, 3, tzinfo=UTC), profile=OFFICE)
    assert burns(night, "1.5", "1.5") is None


def test_nothing_burns_at_a_periods_end_or_beyond_its_budget() -> None:
    """The last 5 % of June are 36 hours."""
    assert pace(now=JULY - timedelta(hours=37)).judged
    assert not pace(now=JULY - timedelta(hours=36)).judged
    assert not pace(spent=1000).judged
    assert not pace(spent=1200).judged


def test_windows_longer_than_the_period_so_far_are_not_looked_at() -> None:
    assert pace(now=JUNE + timedelta(minutes=59)).pairs() == []
    assert pace(now=JUNE + timedelta(hours=7)).pairs() == [FAST, SLOW]
    assert pace(now=JUNE + timedelta(hours=24)).pairs() == [FAST, SLOW, DAY]


def told(
    current: list[Incident] | None = None, ended: list[BurnEnd] | None = None, number: int = 0
) -> list[Incident]:
    spent = [(30, "2.5"), (73, "6.1"), (97, "8.1")][number]
    found = burns(pace(), *spent, number)
    assert found is not None
    return to_open([(RULE, pace(), found)], current or [], ended or [])


def test_a_burn_is_told_once_and_again_when_it_gets_worse() -> None:
    [incident] = told()
    assert (incident.kind, incident.rule_id, incident.severity) == ("burn", "burn:b1", "critical")
    assert told([incident]) == []
    [warning] = told(number=2)
    [worse] = told([warning])
    assert (worse.id, worse.severity, worse.number) == (warning.id, "critical", 1)


def test_a_budget_whose_threshold_was_just_told_does_not_burn_as_well() -> None:
    figures = IncidentFigures(
        amount=Decimal(304), expected=Decimal(1000), rate_per_hour=Decimal(30), expected_per_hour=Decimal(2),
        of_which_provisional=Decimal(0), top_contributor=TopContributor(),
    )  # fmt: skip
    breach = budget_incident(BUDGET, (JUNE, JULY), Decimal(30), figures, NOON - timedelta(minutes=10))
    assert told([breach]) == []
    assert len(told([replace(breach, opened_at=NOON - timedelta(hours=2))])) == 1


def test_what_was_over_rests_unless_it_is_worse() -> None:
    over = BurnEnd("burn:b1", JUNE, NOON - timedelta(hours=2), "warning")
    assert told(ended=[over], number=2) == []
    assert len(told(ended=[over])) == 1
    assert len(told(ended=[over._replace(resolved_at=NOON - timedelta(hours=7))], number=2)) == 1


def test_people_read_when_the_budget_runs_out() -> None:
    [incident] = told()
    words = BurnWording(zone=ZoneInfo("Europe/Berlin")).with_words(incident)
    assert words.title == (
        "budget Research burns 15 times too fast: 696 USD left, used up by 2026-06-17 13:12"
    )
    assert words.summary == (
        "acme: budget 'Research' (team=search) has spent 304.00 USD of 1,000.00 USD (30 %). In the last hour it "
        "spent 30.00 USD an hour, 15 times what the rest can bear until 2026-07-01 02:00 (Europe/Berlin) as it "
        "usually spends. At this pace nothing is left by 2026-06-17 13:12."
    )
    over = BurnWording(zone=UTC_ZONE).with_words(
        resolved(incident, "it goes no faster than its period lasts", NOON)
    )
    assert over.title == "Over: budget Research burned too fast"


def test_a_budget_that_is_used_up_as_was_foretold_is_not_over_and_says_so() -> None:
    """Nobody is to read "Over" when the last of the money is gone."""
    [incident] = told()
    used_up = BurnWording(zone=UTC_ZONE).with_words(renewed(incident, pace(spent=1001), None))
    assert used_up.title == "budget Research is used up: 1,001 of 1,000 USD spent"
    over = BurnWording(zone=UTC_ZONE).with_words(resolved(used_up, "its period is over", JULY))
    assert over.title == "Over: budget Research was used up: 1,001 of 1,000 USD spent"
    assert used_up.summary == (
        "acme: budget 'Research' (team=search) has spent 1,001.00 USD of 1,000.00 USD (100 %): it burned 15 "
        "times too fast, and is used up."
    )


def test_it_ends_with_its_period_its_budget_and_its_rule() -> None:
    [incident] = told()
    assert ending(incident, {("b1", 1): pace()}, NOON) == ""
    assert ending(incident, {("b1", 1): pace(spent=1001)}, NOON) == ""
    assert ending(incident, {("b1", 2): pace()}, NOON) == "the budget or the rule was changed or deleted"
    assert ending(incident, {}, JULY) == "its period is over"
    calmer = renewed(incident, pace(spent=310), None)
    assert [calmer.amount, calmer.rate_per_hour, calmer.peak_per_hour] == [310, 0, 30]


def test_a_budget_obeys_the_most_particular_rule_of_its_filter() -> None:
    ours = replace(RULE, id="r1", filter={"team": "search"})
    other = replace(RULE, id="r2", filter={"team": "ads"})
    assert rule_of([RULE, ours, other], BUDGET) is ours
    assert rule_of([other], BUDGET) is None
