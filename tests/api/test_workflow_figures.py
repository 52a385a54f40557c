"""Figures of workflows, by hand; and how often a known effect lies in its interval."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from math import exp
from typing import Any

import pytest

from services.api.workflows.bootstrap import Interval, interval_of
from services.api.workflows.differences import BY_HASH, OBSERVED, ComparedVersion, difference_of
from services.api.workflows.figures import MeasuredVersion, entered_values
from services.api.workflows.models import Baseline, StatedAmount
from services.api.workflows.sums import sums_of, top_sums

FIRST = date(2026, 9, 1)
ZERO = Decimal(0)


def cost(day: int, ai: str | Decimal, **said: Any) -> dict[str, Any]:
    names = (
        "events unpriced_events calls failed_calls human adjacent without_run of_which_provisional human_minutes "
        "cycle_runs cycle_s"
    ).split()
    given = {
        "version": "v2",
        "day": FIRST + timedelta(days=day),
        "team": "web",
        "currency": "USD",
        "runs": 10,
        "ai": Decimal(ai),
        **dict.fromkeys(names, ZERO),
        "cycle_runs": Decimal(10),
    }
    return {**given, **said}


def outcome(day: int, accepted: int = 8, **said: Any) -> dict[str, Any]:
    given = {
        "version": "v2", "day": FIRST + timedelta(days=day), "team": "web", "currency": "", "outcomes": 10,
        "accepted": accepted, "refused": 1, "reversed": 1, "reversed_later": 0, "accepted_later": 0, "value": 0,
        "successes": accepted,
    }  # fmt: skip
    return {name: Decimal(one) if type(one) is int else one for name, one in {**given, **said}.items()}


def version(
    costs: Iterable[dict[str, Any]],
    outcomes: Iterable[dict[str, Any]],
    worth: StatedAmount | None = None,
    outcome: str | None = "done",
) -> MeasuredVersion:
    costs, outcomes = list(costs), list(outcomes)
    by_team = [{**row, "cost": row["ai"], "accepted": ZERO} for row in costs]
    by_team += [{**row, "cost": ZERO} for row in outcomes]
    [sums] = sums_of(costs, outcomes, by_team).values()
    return MeasuredVersion(sums=sums, outcome=outcome, outcome_names=["done", "sent"], worth=worth)


def ten_days(ai: str = "2", **said: Any) -> MeasuredVersion:
    return version([cost(day, ai) for day in range(10)], [outcome(day) for day in range(10)], **said)


def test_failed_and_reversed_work_stays_above_the_line() -> None:
    """Ten days of 2 USD for ten runs and ten outcomes, eight of them accepted, one reversed: 20/100, 20/90, 20/80."""
    measured = ten_days()
    assert measured.value("cost_per_run") == Decimal("0.2")
    assert measured.value("cost_per_outcome") == Decimal("0.222222222222")
    assert measured.value("cost_per_accepted") == Decimal("0.25")
    assert measured.value("success_share") == Decimal("0.8")


def test_days_that_are_all_alike_leave_no_doubt() -> None:
    found = ten_days().figure("cost_per_accepted")
    assert (found.value, found.low, found.high) == (Decimal("0.25"),) * 3


@pytest.mark.parametrize(
    ("days", "each", "why"),
    [
        (3, 20, "insufficient data: 3 days, 5 are needed"),
        (10, 2, "insufficient data: 20 accepted outcomes, 30 are needed"),
    ],
)
def test_below_n_it_says_so_and_no_figure(days: int, each: int, why: str) -> None:
    measured = version([cost(day, "2") for day in range(days)], [outcome(day, each) for day in range(days)])
    found = measured.figure("cost_per_accepted")
    assert (found.value, found.low, found.missing) == (None, None, [why])


def test_currencies_are_never_added() -> None:
    costs = [cost(day, "2", currency="EUR" if day > 4 else "USD") for day in range(10)]
    found = version(costs, [outcome(day) for day in range(10)]).figure("cost_per_accepted")
    assert found.value is None
    assert found.missing == ["cost is in EUR and USD, which are never added: ask for days of one currency"]


def test_a_cost_that_lacks_amounts_is_a_lower_bound() -> None:
    costs = [cost(day, "2", events=Decimal(10), unpriced_events=Decimal(day == 3)) for day in range(10)]
    measured = version(costs, [outcome(day) for day in range(10)])
    assert measured.figure("cost_per_accepted").lower_bound
    assert not measured.figure("success_share").lower_bound
    one = ComparedVersion(version="v2", currency="USD", measured=measured)
    other = ComparedVersion(version="v1", currency="USD", measured=ten_days("3"))
    found = difference_of(
        one, other, until=FIRST + timedelta(days=10), change_cost=None, by_hash=False
    ).figures[0]
    assert found.value is not None
    assert found.missing == ["v2: 1 events have no price, so it costs more"]


def test_which_outcome_counts_is_asked_where_there_are_several() -> None:
    found = ten_days(outcome=None).figure("cost_per_accepted")
    assert "which outcome counts: done, sent" in found.missing[0]


def test_worth_is_what_events_state_and_the_rest_by_the_settings() -> None:
    """80 accepted: 40 of them state 3 USD each, 40 are worth 1: 160 over a cost of 20 is 8."""
    outcomes = [outcome(day, 4, outcomes=5) for day in range(10)]
    outcomes += [outcome(day, 4, outcomes=5, currency="USD", value=Decimal(12)) for day in range(10)]
    costs = [cost(day, "2") for day in range(10)]
    measured = version(costs, outcomes, StatedAmount(amount=Decimal(1), currency="USD"))
    assert measured.value("value_per_accepted") == 2
    assert measured.value("roi_multiple") == 8
    unstated = version(costs, outcomes).figure("roi_multiple")
    assert unstated.missing == ["40 accepted outcomes state no value, and the workflow's settings neither"]
    elsewhere = version(costs, outcomes, StatedAmount(amount=Decimal(1), currency="EUR")).figure(
        "roi_multiple"
    )
    assert elsewhere.missing == ["worth is in EUR and USD, cost in USD"]


def test_without_the_dearest_runs_both_sides_lack_them() -> None:
    """Of 20 USD and 80 accepted one run is 10 USD and accepted: 10 / 79."""
    measured = ten_days()
    measured.top = top_sums({"runs": 1, "cost": Decimal(10), "accepted": Decimal(1)})
    assert measured.figure("cost_per_accepted").without_top == Decimal("0.126582278481")


def test_before_ai_is_as_entered_and_what_was_done_wrong_weighs_on_the_rest() -> None:
    """18 min at 42 USD an hour are 12.60, with 0.40 more 13.00; a fifth was done wrong: 16.25."""
    entered = {
        "currency": "USD", "roles": [{"role": "agent", "minutes": "18", "hourly_rate": "42"}],
        "other_cost_per_case": "0.40", "failed_share": "0.2", "cases_per_month": "100",
    }  # fmt: skip
    values = entered_values(Baseline(**entered), StatedAmount(amount=Decimal("32.5"), currency="USD"))
    assert values["cost_per_accepted"] == Decimal("16.25")
    assert values["human_minutes_per_accepted"] == Decimal("22.5")
    assert values["roi_multiple"] == 2
    other = ComparedVersion(version="by hand", currency="USD", entered=values)
    one = ComparedVersion(version="v2", currency="USD", measured=ten_days())
    price = StatedAmount(amount=Decimal(10_000), currency="USD")
    found = difference_of(one, other, until=FIRST + timedelta(days=10), change_cost=price, by_hash=True)
    assert "as entered" in found.claim
    # 16 saved of each of 80 in 10 days: 80 x 3.04375 x 16 = 3,896 a month
    assert found.figures[0].value == -16
    assert found.monthly_saving == 3896
    assert found.payback_months == Decimal("2.566735112936")


def test_easy_cases_make_no_version_better_where_teams_are_held_against_themselves() -> None:
    """Web costs 1 and core 3 with both versions; v2 has mostly web: 1.5 against 2.5, and by team 0."""

    def of(name: str, web: int, core: int) -> ComparedVersion:
        costs = [cost(day, Decimal(web), version=name) for day in range(10)]
        costs += [cost(day, Decimal(3 * core), version=name, team="core") for day in range(10)]
        outcomes = [outcome(day, web, version=name) for day in range(10)]
        outcomes += [outcome(day, core, version=name, team="core") for day in range(10)]
        return ComparedVersion(version=name, currency="USD", measured=version(costs, outcomes))

    found = difference_of(
        of("v2", 12, 4), of("v1", 4, 12), until=FIRST + timedelta(days=10), change_cost=None, by_hash=False
    )
    assert found.figures[0].value == -1
    assert found.claim == OBSERVED
    assert found.by_team.value == 0
    assert found.by_team.covered == 1


def simulated(seed: int, *, name: str, accept: float, price: float, days: int) -> ComparedVersion:
    """Runs of a version: good days and bad days, dear runs and cheap ones."""
    chance = random.Random(f"{seed}/{name}")
    costs, outcomes = [], []
    for number in range(days):
        weather = chance.lognormvariate(0, 0.2)
        runs = max(5, int(chance.gauss(40, 12)))
        spent = sum(price * weather * chance.lognormvariate(0, 0.8) for _ in range(runs))
        costs.append(cost(number, Decimal(f"{spent:.6f}"), version=name, runs=runs, cycle_runs=runs))
        accepted = sum(chance.random() < accept for _ in range(runs))
        outcomes.append(outcome(number, accepted, version=name, outcomes=runs))
    return ComparedVersion(version=name, currency="USD", measured=version(costs, outcomes))


@pytest.mark.parametrize(("days", "least"), [(5, 0.90), (14, 0.90), (30, 0.91)])
def test_a_known_effect_lies_in_its_interval_as_often_as_is_said(days: int, least: float) -> None:
    """Before: 0.50 x e^0.32 x e^0.02 a run, 70 % accepted; after 0.30, 85 %: so much an accepted outcome."""
    truth = exp(0.8**2 / 2 + 0.2**2 / 2) * (0.30 / 0.85 - 0.50 / 0.70)
    seeds = 150
    inside = 0
    for seed in range(seeds):
        before = simulated(seed, name="v1", accept=0.70, price=0.50, days=days)
        after = simulated(seed, name="v2", accept=0.85, price=0.30, days=days)
        found = difference_of(
            after, before, until=FIRST + timedelta(days=days), change_cost=None, by_hash=True
        )
        effect = found.figures[0]
        assert found.claim == BY_HASH
        assert effect.low is not None
        assert effect.high is not None
        inside += float(effect.low) <= truth <= float(effect.high)
    print(f"{days} days: the true effect lies inside in {inside} of {seeds} ({100 * inside / seeds:.1f} %)")
    assert inside / seeds >= least


def test_a_draw_that_has_nothing_below_on_both_sides_is_no_reason_for_an_interval() -> None:
    """All that was accepted was on one day of five: a third of the draws leaves it out, of each side; so no bound of the
    difference is known, in either direction."""

    def of(name: str, ai: str) -> ComparedVersion:
        outcomes = [outcome(0, 40, outcomes=50, version=name)]
        costs = [cost(day, ai, version=name) for day in range(5)]
        return ComparedVersion(version=name, currency="USD", measured=version(costs, outcomes))

    found = difference_of(
        of("v2", "2"), of("v1", "4"), until=FIRST + timedelta(days=5), change_cost=None, by_hash=True
    )
    assert found.figures[0].value == Decimal("-0.25")  # 10 / 40 less 20 / 40
    assert (found.figures[0].low, found.figures[0].high) == (None, None)
    assert (found.by_team.low, found.by_team.high) == (None, None)
    assert (found.monthly_saving_low, found.monthly_saving_high) == (None, None)
    assert interval_of([float("nan")] * 400 + [1.0] * 600, 30) == Interval(low=None, high=None)


def test_of_a_cost_below_nothing_there_is_no_multiple() -> None:
    """Credits of 2 USD a day were more than what was paid: 80 x 3 over -20 is no return of -12."""
    measured = version(
        [cost(day, "-2") for day in range(10)],
        [outcome(day, currency="USD", value=Decimal(24)) for day in range(10)],
    )
    found = measured.figure("roi_multiple")
    assert (found.value, found.low, found.missing) == (None, None, ["there is no cost"])
    assert measured.value("value_per_accepted") == 3


def test_a_month_of_a_version_is_as_many_days_as_it_was_there_for() -> None:
    """v2 came ten days before the end of 80: 8 accepted a day, and 0.05 less for each: 8 x 30.4375 x 0.05 = 12.175 a month,
    and not an eighth of it. v1 was left for it then: 8 a day as well."""
    v1 = [cost(day, "2.4", version="v1") for day in range(70)]
    sides = [
        ComparedVersion(version=name, currency="USD", measured=version(costs, outcomes))
        for name, costs, outcomes in (
            ("v2", [cost(day, "2") for day in range(70, 80)], [outcome(day) for day in range(70, 80)]),
            ("v1", v1, [outcome(day, version="v1") for day in range(70)]),
        )
    ]
    change = StatedAmount(amount=Decimal("24.35"), currency="USD")
    until = FIRST + timedelta(days=80)
    found = difference_of(*sides, until=until, change_cost=change, by_hash=True)
    assert (found.monthly_saving, found.payback_months) == (Decimal("12.175"), 2)
    back = difference_of(*reversed(sides), until=until, change_cost=None, by_hash=True)
    assert back.monthly_saving == Decimal("-12.175")


def test_a_version_that_rests_at_weekends_is_still_there() -> None:
    """8 accepted on each of ten days in two weeks are 80 in 14, up to the Sunday of the second."""
    days = [day for day in range(14) if day % 7 < 5]
    other = ComparedVersion(version="v1", currency="USD", measured=ten_days("2.4"))
    rests = version([cost(day, "2") for day in days], [outcome(day) for day in days])
    one = ComparedVersion(version="v2", currency="USD", measured=rests)
    found = difference_of(one, other, until=FIRST + timedelta(days=14), change_cost=None, by_hash=True)
    assert found.monthly_saving == Decimal("173.928571428571") * Decimal("0.05")  # 80 x 30.4375 / 14


def test_successes_of_runs_that_nobody_knows_are_no_share_of_those_that_are_known() -> None:
    """100 runs, of which 20 have an outcome; 80 accepted ones: 60 at least name no run."""
    measured = version(
        [cost(day, "2", cycle_runs=2) for day in range(10)], [outcome(day) for day in range(10)]
    )
    found = measured.figure("success_share")
    assert (found.value, found.low) == (None, None)
    assert found.missing == [
        "at least 60 accepted outcomes name no run that is known: of runs no share can be told"
    ]
    assert measured.value("cost_per_accepted") == Decimal("0.25")


def test_the_same_days_always_give_the_same_interval_and_one_day_gives_none() -> None:
    one, other = (simulated(3, name="v1", accept=0.7, price=0.5, days=9) for _ in range(2))
    assert one.measured is not None
    assert other.measured is not None
    assert one.measured.figures() == other.measured.figures()
    assert interval_of([1.0, 2.0], 1) is None
