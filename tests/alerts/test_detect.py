"""The detector of one scope: what is usual, what is not, and what it costs to know."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.alerts.detect.scope import (
    ALARM,
    RIPE_SLOTS,
    Surprise,
    expected,
    observe,
    reach,
    rebuilt,
    score_open,
    settle,
    tail_probability,
)
from services.alerts.detect.seasons import expectation, slot_of
from services.alerts.detect.state import ScopeState

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def hours(count: int, amount: Callable[[datetime], float]) -> list[tuple[datetime, float]]:
    return [(MONDAY + number * HOUR, amount(MONDAY + number * HOUR)) for number in range(count)]


def alarms(rows: Iterable[tuple[datetime, float]], **options) -> list[datetime]:
    state = ScopeState()
    return [at for at, amount in rows if observe(state, at, amount, **options).alarms]


def rhythm(at: datetime) -> float:
    """Ten an hour at night, a hundred by day."""
    return 100.0 if 8 <= at.hour < 18 else 10.0


@pytest.mark.parametrize("level", [0.0, 1e-12, 5.0, 1e12])
def test_a_constant_scope_never_alarms(level: float) -> None:
    assert alarms(hours(24 * 60, lambda _: level), both=True) == []


def test_a_scope_at_its_ceiling_never_alarms() -> None:
    assert alarms(hours(24 * 40, lambda at: 100.0 if at.hour % 3 else 90.0)) == []


def test_a_daily_rhythm_never_alarms_from_its_second_day_on() -> None:
    assert alarms(hours(24 * 40, rhythm)) == []


def test_noise_seldom_alarms() -> None:
    draw = random.Random(1)
    rows = hours(24 * 100, lambda at: rhythm(at) * draw.lognormvariate(0, 0.3))
    assert len(alarms(rows)) <= 10  # a hundred days: a tenth of an episode a day


def test_three_times_the_peak_alarms_at_once() -> None:
    burst = MONDAY + 10 * DAY + 10 * HOUR
    assert alarms(hours(24 * 11, lambda at: 300.0 if at == burst else rhythm(at))) == [burst]


def test_a_night_as_dear_as_a_day_alarms_though_days_reach_it() -> None:
    night = MONDAY + 10 * DAY + 2 * HOUR
    assert alarms(hours(24 * 11, lambda at: 100.0 if at == night else rhythm(at))) == [night]


def test_a_nights_hour_at_some_times_its_usual_alarms_though_days_are_dearer() -> None:
    night = MONDAY + 10 * DAY + 5 * HOUR
    assert alarms(hours(24 * 11, lambda at: 60.0 if at == night else rhythm(at))) == [night]


def test_a_nights_hour_alarms_where_nights_are_silent_and_not_where_most_hours_are() -> None:
    night = MONDAY + 10 * DAY + 2 * HOUR
    at_work = hours(24 * 11, lambda at: 100.0 if 8 <= at.hour < 18 or at == night else 0.0)
    assert alarms(at_work) == [night]
    now_and_then = hours(24 * 11, lambda at: 100.0 if at.hour in (9, 15) or at == night else 0.0)
    assert alarms(now_and_then) == []


def test_an_open_hour_of_a_scope_that_is_mostly_silent_alarms_by_what_it_has_so_far() -> None:
    state = rebuilt(hours(24 * 14, lambda at: 100.0 if at.hour == 9 else 0.0))
    at = MONDAY + 14 * DAY + 2 * HOUR
    assert not score_open(state, at, 100.0, share=0.5).alarms
    assert score_open(state, at, 300.0, share=0.5).alarms


def test_an_incident_at_one_pace_alarms_once_though_the_level_climbs() -> None:
    burst = MONDAY + 10 * DAY + 2 * HOUR
    rows = hours(24 * 11, lambda at: 400.0 if burst <= at < burst + 5 * HOUR else rhythm(at))
    assert alarms(rows) == [burst]


def test_a_batch_every_saturday_is_known_from_the_third_week_on() -> None:
    def batch(at: datetime) -> float:
        return 2_000.0 if at.weekday() == 5 and at.hour == 3 else 100.0

    told = alarms(hours(24 * 70, batch))
    assert told[0] == MONDAY + 5 * DAY + 3 * HOUR
    assert [at for at in told if at >= MONDAY + 14 * DAY] == []


def test_a_rhythm_of_local_days_outlives_the_change_of_clocks() -> None:
    rows = hours(24 * 60, lambda at: rhythm(at.astimezone(BERLIN)))  # the clocks change on 29 March
    assert alarms(rows, zone=BERLIN) == []


def test_an_hour_that_clocks_repeat_is_one_slot_and_one_that_they_skip_is_none() -> None:
    def slot(*when: int) -> int:
        return slot_of(datetime(*when, tzinfo=UTC), BERLIN, 3_600)

    assert slot(2026, 10, 25, 0) == slot(2026, 10, 25, 1)  # 02:00 twice
    assert slot(2026, 3, 29, 1) - slot(2026, 3, 29, 0) == 2  # 01:00, then 03:00


def test_a_lasting_rise_below_the_peaks_alarms_at_once_and_by_the_second_detector_within_a_day() -> None:
    began = MONDAY + 20 * DAY

    def level(at: datetime) -> float:
        peak = 300.0 if at.hour in (9, 15) else 100.0
        return peak if at < began or at.hour in (9, 15) else 290.0

    state = ScopeState()
    verdicts = {at: observe(state, at, amount) for at, amount in hours(24 * 24, level)}
    assert [at for at, verdict in verdicts.items() if verdict.alarms] == [began]  # later hours are repeats
    lasts = [at for at, verdict in verdicts.items() if verdict.lasting and verdict.score >= ALARM]
    assert lasts and began < lasts[0] <= began + DAY


def test_a_level_that_somebody_accepted_is_no_news() -> None:
    state = rebuilt(
        hours(24 * 20, lambda _: 100.0) + [(MONDAY + 20 * DAY + n * HOUR, 200.0) for n in range(48)]
    )
    assert state.excess_sum > 0
    settle(state)
    assert state.excess_sum == 0


def test_what_an_incident_explains_teaches_nothing() -> None:
    calm = hours(24 * 14, rhythm)
    leak = [(MONDAY + 14 * DAY + n * HOUR, 5_000.0) for n in range(6)]
    known = rebuilt(calm + leak, explained={at for at, _ in leak})
    reach(known, MONDAY + 15 * DAY)
    assert expected(known) <= 100.0
    assert score_open(known, MONDAY + 15 * DAY, 300.0, share=1.0).alarms
    taught = rebuilt(calm + leak)
    assert not score_open(taught, MONDAY + 15 * DAY, 300.0, share=1.0).alarms


def test_one_outlier_teaches_nothing_that_blinds() -> None:
    spike = MONDAY + 10 * DAY + 10 * HOUR
    state = rebuilt(hours(24 * 12, lambda at: 100_000.0 if at == spike else rhythm(at)))
    assert score_open(state, MONDAY + 12 * DAY, 300.0, share=1.0).alarms or state.bounds[0][0] == 100.0
    assert state.level < 1_000.0


def test_a_repeat_is_suppressed_and_what_is_worse_is_not() -> None:
    state = rebuilt(hours(24 * 14, rhythm))
    at = MONDAY + 14 * DAY

    def fresh(hour: int, amount: float) -> bool:
        return observe(state, at + hour * HOUR, amount, explained=hour > 0).alarms

    assert fresh(0, 400.0)
    assert not fresh(1, 300.0)
    assert not fresh(2, 390.0)
    assert observe(state, at + 3 * HOUR, 900.0).alarms


def test_an_open_bucket_alarms_before_it_ends_and_an_even_flow_does_not() -> None:
    state = rebuilt(hours(24 * 14, rhythm))
    at = MONDAY + 14 * DAY + 10 * HOUR
    assert not score_open(state, at, 100.0 / 60, share=1 / 60).alarms  # its share of the usual hour
    assert not score_open(state, at, 10.0, share=1 / 60).alarms
    assert score_open(state, at, 60.0, share=1 / 60).alarms
    assert not score_open(state, at, 100.0, share=1.0).alarms


def test_scoring_an_open_bucket_teaches_nothing() -> None:
    state = rebuilt(hours(24 * 14, rhythm))
    at = MONDAY + 14 * DAY
    reach(state, at)
    before = state.packed()
    score_open(state, at, 1e9, share=0.5)
    assert state.packed() == before


@pytest.mark.parametrize("seed", range(5))
def test_a_state_rebuilt_from_hours_is_the_one_observed(seed: int) -> None:
    draw = random.Random(seed)
    rows = [row for row in hours(24 * 28, lambda at: rhythm(at) * draw.random()) if draw.random() < 0.5]
    online = ScopeState()
    for at, amount in rows:
        observe(online, at, amount, zone=BERLIN)
    assert rebuilt(rows, zone=BERLIN).packed() == online.packed()


def test_four_weeks_of_hours_say_what_ten_say_of_seasons_and_bounds() -> None:
    draw = random.Random(3)
    rows = hours(24 * 70, lambda at: rhythm(at) * draw.uniform(0.9, 1.1))
    long, short = rebuilt(rows), rebuilt(rows[-24 * 29 :])
    assert long.season == short.season
    assert long.bounds[0] == short.bounds[0]
    assert long.level == pytest.approx(short.level)


def test_a_state_has_one_size_and_survives_being_packed() -> None:
    draw = random.Random(5)
    young, old = ScopeState(), rebuilt(hours(24 * 60, lambda at: rhythm(at) * draw.random()))
    assert len(young.packed()) == len(old.packed()) < 6_000
    copy = ScopeState.unpacked(old.packed())
    assert copy.packed() == old.packed()
    later = MONDAY + 60 * DAY
    assert observe(copy, later, 500.0) == observe(old, later, 500.0)
    assert copy.packed() == old.packed()


def test_bytes_that_are_no_state_are_refused() -> None:
    with pytest.raises(ValueError, match="no state of a scope"):
        ScopeState.unpacked(b"short")
    with pytest.raises(ValueError, match="no state of a scope"):
        ScopeState.unpacked(ScopeState().packed() + b"x")


def test_silence_is_learned_when_the_scope_spends_again_and_not_before() -> None:
    active = hours(24 * 7, lambda _: 100.0)
    state, spelled = (
        rebuilt(active),
        rebuilt(active + [(MONDAY + n * HOUR, 0.0) for n in range(168, 24 * 40)]),
    )
    again = MONDAY + 40 * DAY
    reach(state, again)
    reach(spelled, again)
    assert state.slots == spelled.slots or state.season == spelled.season == 0.0
    assert state.bounds[0][0] == spelled.bounds[0][0] == 0.0


def test_a_young_scope_is_not_judged() -> None:
    state = ScopeState()
    for at, amount in hours(RIPE_SLOTS, lambda _: 1.0):
        assert observe(state, at, amount) == Surprise(score=0.0, fresh=0.0, lasting=False)
    assert observe(state, MONDAY + RIPE_SLOTS * HOUR, 1_000.0).alarms


def test_few_scores_have_no_likelihood_and_many_have_one() -> None:
    draw = random.Random(7)
    state = ScopeState()
    assert tail_probability(state, 1.0) is None
    for at, amount in hours(24 * 365, lambda _: draw.paretovariate(1.1)):
        observe(state, at, amount)
    often, seldom = tail_probability(state, 0.1), tail_probability(state, 9.0)
    assert often is not None and seldom is not None and seldom < often <= 1


def test_the_root_term_keeps_a_scope_of_few_dear_events_quiet() -> None:
    state = rebuilt(hours(24 * 14, lambda _: 10.0))
    at = MONDAY + 14 * DAY
    assert score_open(state, at, 20.0, share=1.0).alarms
    assert not score_open(state, at, 20.0, share=1.0, unit=5.0).score >= 1.0


def test_an_expectation_of_decimals_is_a_decimal() -> None:
    days = [Decimal("1.10"), Decimal("1.30"), Decimal("1.20")]
    assert expectation(days, [Decimal(9)], Decimal("0.5")) == Decimal("1.20")  # one week is no weekly rhythm
    assert expectation(days, [Decimal(9), Decimal(7)], Decimal("0.5")) == Decimal(8)
    assert expectation([], [], Decimal("0.5")) == Decimal("0.5")


@pytest.mark.parametrize("bucket", [60, 300, 3_600, 86_400, 7 * 86_400])
def test_any_bucket_does(bucket: int) -> None:
    state = ScopeState(bucket)
    step, scores = timedelta(seconds=bucket), []
    for number in range(40 * max(1, 3_600 // bucket)):
        scores.append(observe(state, MONDAY + number * step, 10.0 + math.sin(number)).score)
    assert max(scores) < ALARM
    after = MONDAY + 40 * max(1, 3_600 // bucket) * step
    assert observe(state, after, 100.0).alarms
