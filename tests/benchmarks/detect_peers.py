"""Detectors of pysad and river, for bench_detection to measure: a JSON list of series in, their scores out.

Run by the Python of .venv/bench: `python -m tests.benchmarks.detect_peers pysad_mad < series.json`. Each has its library's
defaults unless a window is said here; each row is scored before it teaches.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

WINDOW = 1_000
LEARN_FIRST = 50
"""Rows that river's models only learn."""


def _pysad(model: Any) -> Callable[[float], float]:
    import numpy

    def score(value: float) -> float:
        return float(numpy.ravel(model.fit_score_partial(numpy.array([value])))[0])

    return score


def _pysad_sd() -> Callable[[float], float]:
    from pysad.models import StandardAbsoluteDeviation

    return _pysad(StandardAbsoluteDeviation(absolute=True))


def _pysad_mad() -> Callable[[float], float]:
    from pysad.models import MedianAbsoluteDeviation

    return _pysad(MedianAbsoluteDeviation(absolute=True))


def _pysad_storm() -> Callable[[float], float]:
    from pysad.models import ExactStorm

    return _pysad(ExactStorm(window_size=WINDOW))


def _pysad_knncad() -> Callable[[float], float]:
    from pysad.models import KNNCAD

    return _pysad(KNNCAD(probationary_period=200))


def _river(
    model: Any, learns: Callable[[Any, float], None], scores: Callable[[Any, float], float]
) -> Callable[[float], float]:
    learned = 0

    def score(value: float) -> float:
        nonlocal learned
        found = scores(model, value) if learned >= LEARN_FIRST else 0.0
        learns(model, value)
        learned += 1
        return float(found)

    return score


def _river_gaussian() -> Callable[[float], float]:
    from river.anomaly import GaussianScorer

    return _river(
        GaussianScorer(window_size=None),
        lambda model, value: model.learn_one(None, value),
        lambda model, value: model.score_one(None, value),
    )


def _river_sd() -> Callable[[float], float]:
    from river.anomaly import StandardAbsoluteDeviation

    return _river(
        StandardAbsoluteDeviation(),
        lambda model, value: model.learn_one(None, value),
        lambda model, value: model.score_one(None, value),
    )


def _river_trees() -> Callable[[float], float]:
    from river import compose, preprocessing
    from river.anomaly import HalfSpaceTrees

    return _river(
        compose.Pipeline(preprocessing.MinMaxScaler(), HalfSpaceTrees(seed=1)),
        lambda model, value: model.learn_one({"x": value}),
        lambda model, value: model.score_one({"x": value}),
    )


def _river_holt_winters() -> Callable[[float], float]:
    from river.anomaly import PredictiveAnomalyDetection
    from river.time_series import HoltWinters

    return _river(
        PredictiveAnomalyDetection(HoltWinters(alpha=0.3, beta=0.1), horizon=1),
        lambda model, value: model.learn_one(None, value),
        lambda model, value: model.score_one(None, value),
    )


PEERS: dict[str, Callable[[], Callable[[float], float]]] = {
    "pysad_sd": _pysad_sd,
    "pysad_mad": _pysad_mad,
    "pysad_storm": _pysad_storm,
    "pysad_knncad": _pysad_knncad,
    "river_gaussian": _river_gaussian,
    "river_sd": _river_sd,
    "river_trees": _river_trees,
    "river_holt_winters": _river_holt_winters,
}


def main() -> None:
    begin = PEERS[sys.argv[1]]
    answers = []
    for values in json.load(sys.stdin):
        with redirect_stdout(StringIO()):  # the answer alone goes there; some print what they meet
            score = begin()
            found = [score(value) for value in values]
        answers.append([each if math.isfinite(each) else 0.0 for each in found])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
