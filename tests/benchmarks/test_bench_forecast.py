"""The back-test of forecasts is fair: split by time, from what was known, and its sums are right."""

from __future__ import annotations

from datetime import date

import pytest

from tests.benchmarks.bench_forecast import Case, cases, measures, naive, ours, whole_months
from tests.benchmarks.forecast_series import DAY, synthetic_series

TEN_A_DAY = [(date(2026, 1, 1) + place * DAY, 10.0) for place in range(365)]


def test_months_that_are_published_lie_after_those_that_numbers_were_chosen_on() -> None:
    chosen, held_out = (list(cases({"even": TEN_A_DAY}, which)) for which in (False, True))
    # February to December have four weeks before them; 60 % of 11, rounded down, were chosen on
    assert len(list(whole_months(date(2026, 1, 1), date(2026, 12, 31)))) == 11
    assert (len(chosen), len(held_out)) == (6 * 3, 5 * 3)
    assert max(case.end for case in chosen) <= min(case.begin for case in held_out)


def test_a_forecast_does_not_know_what_comes_after_it() -> None:
    case = next(iter(cases({"even": TEN_A_DAY}, held_out=True)))
    later = [(day, amount if place < case.now else 999.0) for place, (day, amount) in enumerate(case.series)]
    assert ours(case) == ours(case._replace(series=later))
    assert naive(case) == naive(case._replace(series=later))


def test_errors_and_coverage_are_worked_out_as_they_are_said() -> None:
    # August, of 31 days: 310 are spent
    of_half = [case for case in cases({"even": TEN_A_DAY}, held_out=True) if case.part == 0.5][:1]
    case = of_half[0]
    assert (case.series[case.begin][0], case.actual) == (date(2026, 8, 1), 310)
    asked = [case._replace(part=part) for part in (0.25, 0.5, 0.75)]
    found = measures(asked, [(300, 341, 350), (300, 279, 305), (310, 310, 310)])
    assert found["coverage"] == pytest.approx(2 / 3, abs=1e-4)
    assert (found["mape_at_quarter"], found["mape_at_half"], found["mape_at_three_quarters"]) == (0.1, 0.1, 0)
    unsaid = measures([*asked, case], [(300, 341, 350), (300, 279, 305), (310, 310, 310), None])
    assert unsaid == found | {"unsaid": 1}


def test_made_up_months_are_forecast_better_than_by_their_first_half() -> None:
    some = {name: days for name, days in synthetic_series().items() if name < "synthetic/08"}
    asked: list[Case] = [case for case in cases(some, held_out=False) if case.part == 0.5]
    mine = measures_at_half(asked, [ours(case) for case in asked])
    theirs = measures_at_half(asked, [naive(case)["run_rate"] for case in asked])
    assert mine < theirs


def measures_at_half(asked: list[Case], said: list) -> float:
    wrong = [abs(range_[1] - case.actual) / case.actual for case, range_ in zip(asked, said, strict=True)]
    return sum(wrong) / len(wrong)
