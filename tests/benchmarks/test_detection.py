"""The scorers of the benchmark of detectors, held to what can be worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.benchmarks import servegen
from tests.benchmarks.detect_baselines import BASELINES, cooled
from tests.benchmarks.nab import Labelled, sigmoid, standard_score

BEGAN = datetime(2026, 3, 2)  # noqa: DTZ001
ROWS = 1_000


def labelled(*windows: tuple[int, int]) -> Labelled:
    points = [(BEGAN + row * timedelta(minutes=5), 0.0) for row in range(ROWS)]
    return Labelled(name="series", points=points, windows=list(windows))


def scored(series: Labelled, alarms: dict[int, float]) -> float:
    return standard_score([series], {"series": [alarms.get(row, 0.0) for row in range(ROWS)]})[0]


def test_the_first_row_of_every_window_and_none_else_is_perfect() -> None:
    assert scored(labelled((300, 399), (600, 699)), {300: 1.0, 600: 1.0}) == pytest.approx(100)


def test_silence_is_nothing() -> None:
    assert standard_score([labelled((300, 399))], {"series": [0.0] * ROWS})[0] == 0


def test_an_alarm_before_any_window_costs_the_whole_of_a_false_one() -> None:
    # 1 earned and 0.11 paid, of what lies between -1 and 1: (0.89 + 1) / 2
    assert scored(labelled((300, 399)), {200: 1.0, 300: 1.0}) == pytest.approx(94.5)


def test_the_threshold_is_the_best_of_the_corpus() -> None:
    assert scored(labelled((300, 399)), {200: 1.0, 300: 2.0}) == pytest.approx(100)


def test_an_alarm_in_the_first_part_of_a_series_counts_for_nothing() -> None:
    assert scored(labelled((300, 399)), {149: 1.0, 300: 1.0}) == pytest.approx(100)


def test_a_late_alarm_earns_less_and_only_the_earliest_counts() -> None:
    late = scored(labelled((300, 399)), {350: 1.0, 380: 1.0})
    assert late == pytest.approx(100 * (sigmoid(-0.5) / sigmoid(-1) + 1) / 2)


def test_alarms_less_than_two_hours_apart_are_one_episode() -> None:
    scores = [0.0] * (servegen.A_DAY * servegen.DAYS)
    for row in (0, 1_100, 1_112, 1_130):
        scores[row] = 1.0
    assert servegen.episodes(scores, 0.5) == 2  # the first lies in the days that only teach
    assert servegen.episodes(scores, 1.5) == 0


def test_the_threshold_lets_no_more_episodes_through_than_agreed() -> None:
    scores = [[0.0] * (servegen.A_DAY * servegen.DAYS) for _ in range(10)]
    for number, each in enumerate(scores):
        each[1_500] = number + 1.0
    # 0.10 x 10 scopes x 7 days = 7 episodes: those of 4 to 10
    assert servegen.calibrated(scores, 0.10) == 4.0


def test_incidents_begin_where_they_can_still_be_found_and_are_the_same_for_a_seed() -> None:
    series = {name: [1.0] * (servegen.A_DAY * servegen.DAYS) for name in "abc"}
    found = servegen.injections(series, servegen.KINDS, 6, seed=1)
    assert [(each.kind, each.scope, each.begin) for each in found] == [
        (each.kind, each.scope, each.begin) for each in servegen.injections(series, servegen.KINDS, 6, seed=1)
    ]
    assert all(servegen.WARM_UP <= each.begin < each.end <= len(each.amounts) for each in found)
    burst = next(each for each in found if each.kind == "x10_30min")
    assert sum(burst.amounts) == len(burst.amounts) + 3 * 9
    assert burst.extra_hours == pytest.approx(27 / 6)
    shift = next(each for each in found if each.kind == "shift_x2")
    assert set(shift.amounts[: shift.begin]) == {1.0} and set(shift.amounts[shift.begin :]) == {2.0}


def test_a_repeat_is_silent_until_its_time_is_over() -> None:
    assert cooled([1.0, 1.0, 2.0, 1.0, 0.0, 1.0], 2) == [1.0, 0.0, 2.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_baseline_scores_each_row_from_those_before_it(name: str) -> None:
    times = [BEGAN + row * timedelta(minutes=10) for row in range(600)]
    values = [float((row * 7919) % 101) for row in range(600)]
    whole = BASELINES[name](times, values)
    assert len(whole) == 600
    assert BASELINES[name](times[:450], values[:450]) == whole[:450]
    assert BASELINES[name]([], []) == []
