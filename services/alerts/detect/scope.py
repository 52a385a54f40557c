"""How unusual a scope's amount is, and what it teaches. Scores are floats in units of the scope's own range.

0 = within what the last week saw; 1 = as far above it as the week itself reached. Money's gates are not here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import isnan, log2, sqrt

from services.alerts.detect.seasons import SLOT_S, slot_of
from services.alerts.detect.state import AMOUNT, RESIDUAL, SMOOTH, TAIL_BINS, ScopeState

ALARM = 0.15
"""At this score busy scopes of the public trace have 0.10 episodes a day (`make bench-detection`)."""
SCORE_MAX = 10.0
RIPE_SLOTS = 24
"""Closed slots that must be known before anything is scored."""
RANGE_SHARE, LONG_SHARE, LEVEL_SHARE, ROOT_FACTOR = 0.25, 0.5, 0.5, 2.0
"""Floors of the scale: shares of the high hour, of four weeks' range and of the high level, a factor of the
root term."""
ROOT_LEAST = 0.05
"""Of the scale, added below a root: next to nothing is no less than that."""
SEASON_WEIGHT, SEASON_KNEE = 0.7, 0.2
"""What a distance of roots counts; beyond the knee its square does, as money, so that the level that follows
a burst is no worse than it."""
RHYTHM_SHARE = 0.25
"""A scope with something in fewer hours of a week has no rhythm that a silent hour could tell of."""
SMOOTH_BUCKETS, LEVEL_BUCKETS = 2, 4
"""Half-lives of the smoothed amount and of the level: an hour, or so many buckets (of an hour at most)."""
REFRACTORY_S, REFRACTORY_BUCKETS = 43_200, 24
LASTING_WEIGHT, LASTING_FLOOR = 0.1, 6.0
LASTING_KEEP, LASTING_SHARE, LASTING_ALLOWED = 0.99, 1.1, 0.03
"""Of the sum of lasting excess: what an hour keeps of it, what of a season is usual, what is taken off."""
TAIL_COUNT_MIN = 200
TAIL_MAX = 60_000
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """`score`: how unusual. `fresh`: the same, but 0 for a repeat of what was told a while ago."""

    score: float
    fresh: float
    lasting: bool
    """The second detector, of shifts and ramps, says more than the first."""

    @property
    def alarms(self) -> bool:
        return self.fresh >= ALARM


QUIET = Surprise(score=0.0, fresh=0.0, lasting=False)


def observe(
    state: ScopeState,
    at: datetime,
    amount: float,
    *,
    zone: tzinfo = UTC,
    unit: float = 0.0,
    both: bool = False,
    explained: bool = False,
    gaps: bool = False,
) -> Surprise:
    """Score a closed bucket that began at `at`, then learn from it.

    `unit`: what one event costs, for the root term. `both`: the series is no spend; what leaves the range of
    its week is unusual, upwards and downwards.
    `explained`: an incident has this amount, so it teaches nothing. `gaps`: a bucket that never came is
    unknown, not silence.
    """
    reach(state, at, zone=zone, gaps=gaps)
    if isnan(state.level):
        state.level = state.smooth = state.smooth_expected = amount
    verdict = _verdict(state, amount, share=1.0, unit=unit, both=both)
    if state.told_until < at.timestamp():
        state.told = 0.0
    if not explained:
        if verdict.fresh > 0:
            state.told = verdict.fresh
            state.told_until = at.timestamp() + max(REFRACTORY_S, REFRACTORY_BUCKETS * state.bucket_s)
        _learn(state, amount, verdict.score)
    return verdict


def score_open(
    state: ScopeState, at: datetime, amount: float, *, share: float, zone: tzinfo = UTC, unit: float = 0.0
) -> Surprise:
    """Score what an open bucket has so far; `share` (0 to 1] of it is over. Learns none of it, tells nothing.

    A part's high is its share's root of the bucket's: between an even flow and all of it at once.
    """
    reach(state, at, zone=zone)
    return _verdict(state, amount, share=share, unit=unit, both=False)


def rebuilt(
    hours: Sequence[tuple[datetime, float]], *, zone: tzinfo = UTC, explained: Collection[datetime] = ()
) -> ScopeState:
    """The state that observing these hours leaves: those with spend, oldest first; four weeks are enough.

    `explained`: hours that an incident has.
    """
    state = ScopeState()
    for at, amount in hours:
        observe(state, at, amount, zone=zone, explained=at in explained)
    return state


def reach(state: ScopeState, at: datetime, *, zone: tzinfo = UTC, gaps: bool = False) -> None:
    """Close the hours before `at`: those without a row were silent, or with `gaps` unknown."""
    slot, began = slot_of(at, zone, state.slot_s), at.timestamp() // state.slot_s
    if slot > state.slot:
        elapsed = int(began - state.last_slot) if state.slot >= 0 else 1
        _add_lasting(state)
        state.advance(slot, 0 if gaps else max(0, min(elapsed, slot - state.slot) - 1))
        for _ in range(0 if gaps else min(elapsed - 1, len(state.slots))):
            state.excess_sum *= LASTING_KEEP
    state.last_slot = max(state.last_slot, began)


def expected(state: ScopeState) -> float:
    """What the open slot's bucket is expected to bring; 0 where nothing is known."""
    level = 0.0 if isnan(state.level) else state.level
    return level if isnan(state.season) else max(state.season, level)


def settle(state: ScopeState) -> None:
    """Somebody has accepted the present level: what has lasted until now is no news."""
    state.excess_sum = 0.0


def tail_probability(state: ScopeState, score: float) -> float | None:
    """How often a score above 0 was as high as this in the scope's past; None = fewer than 200 were above."""
    count = sum(state.tail)
    return None if count < TAIL_COUNT_MIN else sum(state.tail[_bin(score) :]) / count


def _verdict(state: ScopeState, amount: float, *, share: float, unit: float, both: bool) -> Surprise:
    if state.known < RIPE_SLOTS:
        return QUIET
    burst, lasting = _burst(state, amount, share, unit, both), _lasting(state)
    score = min(max(burst, lasting, 0.0), SCORE_MAX)
    return Surprise(score=score, fresh=score if score > state.told else 0.0, lasting=lasting > burst)


def _burst(state: ScopeState, amount: float, share: float, unit: float, both: bool) -> float:
    """How far the level of an hour is over those of a week, or the bucket over its season, in its range.

    Of an open bucket the level is the least that it can become.
    """
    scale = _scale(state.bounds[AMOUNT], unit)
    high, low, _, _ = state.bounds[SMOOTH]
    smooth, usual = _smoothed(state, amount)
    score = (smooth - max(high, usual)) / max(scale, high - low, LEVEL_SHARE * abs(high))
    high, low, _, _ = state.bounds[RESIDUAL]
    if high >= low and state.active >= RHYTHM_SHARE:
        apart = (_residual(state, amount / sqrt(share)) - max(high, 0.0)) / sqrt(scale)
        score = max(score, SEASON_WEIGHT * apart * max(1.0, apart / SEASON_KNEE))
    if both:
        high, low, _, _ = state.bounds[AMOUNT]
        score = max(score, (amount - max(high, expected(state))) / scale, (low - amount) / scale)
    return score


def _residual(state: ScopeState, amount: float) -> float:
    """How far the roots of amount and expectation lie apart: a sum of events is as noisy as its root."""
    low = min(state.bounds[AMOUNT][1], 0.0)
    least = ROOT_LEAST * _scale(state.bounds[AMOUNT], 0.0)
    return sqrt(max(amount - low, 0.0) + least) - sqrt(max(expected(state) - low, 0.0) + least)


def _smoothed(state: ScopeState, amount: float) -> tuple[float, float]:
    """An hour's level (of hours: two) of amounts and of expectations, this bucket included."""
    weight = _weight(SMOOTH_BUCKETS, state.bucket_s)
    usual = state.smooth_expected + weight * (expected(state) - state.smooth_expected)
    return state.smooth + weight * (amount - state.smooth), usual


def _scale(bounds: tuple[float, float, float, float], unit: float) -> float:
    high, low, highest, lowest = bounds
    root_term = ROOT_FACTOR * sqrt(max(high, 0.0) * unit)
    floor = RANGE_SHARE * max(abs(high), abs(low))
    return max(high - low, floor, LONG_SHARE * (highest - lowest), root_term, _TINY)


def _lasting(state: ScopeState) -> float:
    """The sum of excess over the season, beyond any that a day of the last four weeks began or ended with."""
    if isnan(state.season):
        return 0.0
    today = state.slot // state.a_day % len(state.lasting)
    before = max(each for day, each in enumerate(state.lasting) if day != today)
    return LASTING_WEIGHT * (state.excess_sum - before) / max(LASTING_FLOOR, before)


def _add_lasting(state: ScopeState) -> None:
    """A slot ends: its excess over its season, in high hours of the scope and one at most, adds up."""
    if not state.rows or isnan(state.season):
        return
    high = max(abs(state.bounds[AMOUNT][0]), _TINY)
    excess = (state.total / state.rows - LASTING_SHARE * state.season) / high
    total = LASTING_KEEP * state.excess_sum + max(-1.0, min(1.0, excess)) - LASTING_ALLOWED
    state.excess_sum = max(0.0, total)
    day = state.slot // state.a_day % len(state.lasting)
    state.lasting[day] = max(state.lasting[day], state.excess_sum)


def _learn(state: ScopeState, amount: float, score: float) -> None:
    """An outlier moves the level by a range at most, and the second highest hour not at all."""
    measured = [amount, _smoothed(state, amount)[0]]
    state.total += amount
    state.rows += 1
    clipped = amount
    if state.known >= RIPE_SLOTS:
        if not isnan(state.season):
            measured.append(_residual(state, amount))
        high, low, _, _ = state.bounds[AMOUNT]
        scale = _scale(state.bounds[AMOUNT], 0.0)
        clipped = min(max(amount, low - scale), high + scale)
    state.smooth, state.smooth_expected = _smoothed(state, amount)
    state.level += _weight(LEVEL_BUCKETS, state.bucket_s) * (clipped - state.level)
    for measure, value in enumerate(measured):
        state.highs[measure] = max(state.highs[measure], value)
        state.lows[measure] = min(state.lows[measure], value)
    if score > 0:
        bin_ = _bin(score)
        state.tail[bin_] += state.tail[bin_] < TAIL_MAX


def _bin(score: float) -> int:
    """Powers of the root of two, from 1/16 of the scale on."""
    return 0 if score <= 0 else max(0, min(TAIL_BINS - 1, int(2 * log2(score)) + 8))


def _weight(buckets: int, bucket_s: int) -> float:
    half_life_s = max(SLOT_S, buckets * min(bucket_s, SLOT_S))
    return 1.0 - math.pow(0.5, bucket_s / half_life_s)
