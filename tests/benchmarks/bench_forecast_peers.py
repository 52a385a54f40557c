"""The same forecasts by `statsforecast`, for bench_forecast. Run by the Python of .venv/bench: reads JSON [[daily
amounts, days ahead], ...] and prints {model: [[p10, p50, p90] of the days' sum, ...], "version": ...}.

The middle is the sum of the model's own means, as its users take it; the range is from sums of its simulated paths, for
quantiles of days do not add up. A model that cannot be fitted to a series answers null there, and so does a range that
cannot be simulated.
"""

from __future__ import annotations

import json
import math
import sys
import warnings

PATHS = 400
SEASON = 7


def main() -> None:
    import numpy as np
    import statsforecast
    from statsforecast.models import AutoARIMA, AutoCES, AutoETS, DynamicOptimizedTheta

    warnings.filterwarnings("ignore")
    cases = [(np.array(amounts), days) for amounts, days in json.load(sys.stdin)]
    answers = {"version": statsforecast.__version__}
    for model in (
        AutoETS(season_length=SEASON),
        AutoARIMA(season_length=SEASON, approximation=True),
        AutoCES(season_length=SEASON),
        DynamicOptimizedTheta(season_length=SEASON),
    ):
        answers[type(model).__name__] = [answer(model, amounts, days) for amounts, days in cases]
    json.dump(answers, sys.stdout)


def answer(model, amounts, days):
    try:
        model = model.new().fit(amounts)
        middle = float(model.predict(h=days)["mean"].clip(0).sum())
        if not math.isfinite(middle):
            return None
    except Exception as error:  # noqa: BLE001 - a library's fault on one series is counted
        print(type(model).__name__, error, file=sys.stderr)
        return None
    try:
        sums = model.simulate(h=days, n_paths=PATHS, seed=1).clip(0).sum(axis=1)
        low, high = sorted(sums)[PATHS // 10], sorted(sums)[PATHS - PATHS // 10]
    except Exception as error:  # noqa: BLE001
        print(type(model).__name__, error, file=sys.stderr)
        low = high = None
    return [None if end is None else float(end) for end in (low, middle, high)]


if __name__ == "__main__":
    main()
