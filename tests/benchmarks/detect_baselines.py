"""Well-known detectors beside ours: each a score of every row, online. Written here, for their papers are short."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from math import erfc, log10, sqrt
from statistics import median

Scorer = Callable[[Sequence[datetime], Sequence[float]], list[float]]
EPSILON = 1e-9
COOL_DOWN_ROWS = 200


def cooled(scores: Sequence[float], rows: int = COOL_DOWN_ROWS) -> list[float]:
    """What is no higher than a score of the last `rows` rows is a repeat, and 0."""
    told, until, found = 0.0, -1, []
    for row, score in enumerate(scores):
        fresh = score > told or row > until
        found.append(score if fresh else 0.0)
        if fresh and score > 0:
            told, until = score, row + rows
    return found


def global_z(_: Sequence[datetime], values: Sequence[float]) -> list[float]:
    """Distance from the mean of all before, in mean absolute deviations, with a cool-down."""
    total = spread = 0.0
    scores = []
    for count, value in enumerate(values):
        mean = total / count if count else value
        distance = abs(value - mean)
        scores.append(distance / (spread / count) if count and spread else 0.0)
        total, spread = total + value, spread + distance
    return cooled(scores)


def ewma(_: Sequence[datetime], values: Sequence[float]) -> list[float]:
    """Distance from a moving level in moving deviations, with a cool-down."""
    level, spread, scores = values[0] if values else 0.0, 0.0, []
    for value in values:
        distance = abs(value - level)
        scores.append(distance / spread if spread > EPSILON else 0.0)
        level, spread = level + 0.01 * (value - level), spread + 0.01 * (distance - spread)
    return cooled(scores)


def hour_of_day_mad(times: Sequence[datetime], values: Sequence[float]) -> list[float]:
    """Distance from the median of the same hour of 14 days, in median absolute deviations. Their floor is a
    tenth of that median and of all that came: without one, hours of nothing alarm at anything."""
    hours: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=14 * 12))
    known: dict[int, tuple[float, float]] = {}
    scores, last, size = [], None, 0.0
    for row, (at, value) in enumerate(zip(times, values, strict=True), start=1):
        size += abs(value)
        hour = at.hour
        if hour != last and len(hours[hour]) >= 12:
            middle = median(hours[hour])
            known[hour] = (middle, median(abs(each - middle) for each in hours[hour]))
        last = hour
        middle, spread = known.get(hour, (value, 1.0))
        scores.append(abs(value - middle) / max(spread, 0.1 * abs(middle), 0.1 * size / row, EPSILON))
        hours[hour].append(value)
    return cooled(scores)


def windowed_gaussian(_: Sequence[datetime], values: Sequence[float]) -> list[float]:
    """The benchmark's own: tail probability of a Gaussian of the last 6,400 rows, renewed every 100."""
    window: deque[float] = deque(maxlen=6_400)
    mean, deviation, scores = 0.0, 1.0, []
    for row, value in enumerate(values):
        if row and (row % 100 == 0 or row < 100):
            mean = sum(window) / len(window)
            deviation = sqrt(sum((each - mean) ** 2 for each in window) / len(window)) or EPSILON
        scores.append(1 - 0.5 * erfc(abs(value - mean) / deviation / sqrt(2)) if row else 0.0)
        window.append(value)
    return [-log10(max(1 - score, 1e-300)) if score else 0.0 for score in scores]


def three_sigma(_: Sequence[datetime], values: Sequence[float]) -> list[float]:
    """As textbooks have it, over the last 1,000 rows: standard deviations, every row above 3 an alarm."""
    window: deque[float] = deque(maxlen=1_000)
    total = squares = 0.0
    scores = []
    for value in values:
        count = len(window)
        mean = total / count if count else value
        deviation = sqrt(max(squares / count - mean * mean, 0.0)) if count else 0.0
        scores.append(abs(value - mean) / deviation if deviation > EPSILON else 0.0)
        if count == window.maxlen:
            total, squares = total - window[0], squares - window[0] ** 2
        window.append(value)
        total, squares = total + value, squares + value * value
    return scores


def mad_z(_: Sequence[datetime], values: Sequence[float]) -> list[float]:
    """As textbooks have it, over the last 288 rows: 0.6745 distances from the median per median distance."""
    window: deque[float] = deque(maxlen=288)
    ordered: list[float] = []
    scores = []
    for value in values:
        scores.append(_robust_z(ordered, value))
        if len(window) == window.maxlen:
            ordered.remove(window[0])
        window.append(value)
        insort(ordered, value)
    return scores


def _robust_z(ordered: Sequence[float], value: float) -> float:
    if len(ordered) < 12:
        return 0.0
    middle = ordered[len(ordered) // 2]
    spread = sorted(abs(each - middle) for each in ordered)[len(ordered) // 2]
    return 0.6745 * abs(value - middle) / spread if spread > EPSILON else 0.0


def season_or_level(times: Sequence[datetime], values: Sequence[float]) -> list[float]:
    """Excess over the higher of the same time of day's median of 7 days and a level of four hours, in units of the 99th
    percentile of these days: what finds bursts best of what alerts.md lists."""
    day = _rows_a_day(times)
    weight = 1 - 0.5 ** (6 / day)
    level, usual, scores = values[0] if values else 0.0, 0.0, []
    for row, value in enumerate(values):
        if row >= day and row % max(1, day // 24) == 0:
            usual = sorted(values[max(0, row - 7 * day) : row])[-max(1, min(row, 7 * day) // 100)]
        same = [values[row - back * day] for back in range(1, 8) if row >= back * day]
        above = value - max(median(same or [value]), level)
        scores.append(above / usual if usual > EPSILON else 0.0)
        level += weight * (value - level)
    return cooled(scores)


def _rows_a_day(times: Sequence[datetime]) -> int:
    """By the median of the first steps, as all detectors here may know it."""
    steps = [(later - at).total_seconds() for at, later in pairwise(times[:25])]
    return max(1, round(86_400 / max(1.0, median(steps)))) if steps else 1


BASELINES: dict[str, Scorer] = {
    "global_z": global_z,
    "ewma": ewma,
    "hour_of_day_mad": hour_of_day_mad,
    "windowed_gaussian": windowed_gaussian,
    "three_sigma": three_sigma,
    "mad_z": mad_z,
    "season_or_level": season_or_level,
}
