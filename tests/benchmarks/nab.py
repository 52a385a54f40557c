"""The standard profile of the Numenta Anomaly Benchmark, from its published definition (Lavin and Ahmad, 2015).

A detector earns at most 1 for each labelled window, by the earliest row of it that reaches the threshold: more the
earlier. A row that reaches it outside costs up to 0.11, less just behind a window; a window without any costs 1. The first 15 %
of a series (750 rows at most) count for nothing. One threshold serves the whole corpus, the best one; the
sum is scaled so that silence is 0 and perfection 100.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import exp
from pathlib import Path

FALSE_ALARM, MISSED = 0.11, 1.0
PROBATION_SHARE, PROBATION_ROWS_MAX = 0.15, 750

Point = tuple[datetime, float]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A series and where (first and last row) its anomalies are."""

    name: str
    points: list[Point]
    windows: list[tuple[int, int]]


def corpus(folder: Path) -> list[Labelled]:
    """Every labelled series whose data is there."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text())
    found = []
    for name, windows in sorted(labels.items()):
        path = folder / "data" / name
        if path.exists():
            with path.open(newline="") as lines:
                rows = [
                    (datetime.fromisoformat(at), float(value)) for at, value in list(csv.reader(lines))[1:]
                ]
            bounds = [tuple(datetime.fromisoformat(end) for end in window) for window in windows]
            found.append(Labelled(name=name, points=rows, windows=[_rows(rows, *each) for each in bounds]))
    return found


def _rows(points: Sequence[Point], begin: datetime, end: datetime) -> tuple[int, int]:
    inside = [row for row, (at, _) in enumerate(points) if begin <= at <= end]
    return inside[0], inside[-1]


def standard_score(series: Sequence[Labelled], scores: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """The score of the best threshold, and that threshold. `scores`: one of each row, by the series' name."""
    windows = sum(len(each.windows) for each in series)
    gains = [gain for each in series for gain in _gains(each, scores[each.name])]
    gains.sort(key=lambda gain: -gain[0])
    best: dict[tuple[str, int], float] = {}
    outside, top, threshold = 0.0, -windows * MISSED, float("inf")
    earned = -windows * MISSED
    for score, together in groupby(gains, key=lambda gain: gain[0]):
        for _, window, worth in together:
            if window is None:
                outside += worth
                continue
            before = best.get(window, -MISSED)
            if worth > before:
                best[window] = worth
                earned += worth - before
        if earned + outside > top:
            top, threshold = earned + outside, score
    perfect, null = float(windows), -windows * MISSED
    return 100 * (top - null) / (perfect - null), threshold


def _gains(each: Labelled, scores: Sequence[float]) -> Iterator[tuple[float, tuple[str, int] | None, float]]:
    """Of every row that counts: its score, the window that it is in, and what an alarm there is worth."""
    if len(scores) != len(each.points):
        raise ValueError(f"{each.name} has {len(each.points)} rows, and {len(scores)} scores")
    probation = min(int(PROBATION_SHARE * len(scores)), int(PROBATION_SHARE * 5_000), PROBATION_ROWS_MAX)
    number, before = 0, None
    for row, score in enumerate(scores):
        while number < len(each.windows) and row > each.windows[number][1]:
            before, number = each.windows[number], number + 1
        if row < probation:
            continue
        if number < len(each.windows) and row >= each.windows[number][0]:
            first, last = each.windows[number]
            place = -(last - row + 1) / (last - first + 1)
            yield score, (each.name, number), sigmoid(place) / sigmoid(-1.0)
        elif before is None:
            yield score, None, -FALSE_ALARM
        else:
            yield score, None, FALSE_ALARM * sigmoid((row - before[1]) / (before[1] - before[0]))


def sigmoid(place: float) -> float:
    """From +1 well before a window's end to -1 well behind it; 0 at its end. `place` in widths of the window."""
    return -1.0 if place > 3 else 2 / (1 + exp(5 * place)) - 1
