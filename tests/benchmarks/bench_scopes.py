"""What do 100,000 watched scopes cost? All of them in one process, on one core.

Each scope gets a state that is rebuilt from hours with spend (one in ten has four weeks of all hours, the others two days of
them). Then totals come for scopes at random, as of a moment five minutes before an hour's end: the open hour of each is
scored, and one in sixty is taken as the hour's end, is observed, and its scope goes on in the next one.

score_us, observe_us: microseconds of a call (mean). totals_per_s: such totals in a second of processor time. mib: resident
memory that the states added. rebuild_ms: one scope from four weeks of all hours.
keeps_up: at least 1,000 totals a second, in less than 1 GiB.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from datetime import UTC, datetime, timedelta

import psutil

from services.alerts.detect.scope import observe, rebuilt, score_open
from services.alerts.detect.state import ScopeState

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
HISTORY = 24 * 28
NOW = BEGAN + HISTORY * HOUR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scopes", type=int, default=100_000)
    parser.add_argument("--totals", type=int, default=100_000)
    options = parser.parse_args()
    print(__doc__)
    draw = random.Random(13)
    memory = psutil.Process().memory_info().rss
    began = time.process_time()
    long = _history(draw, HISTORY)
    rebuilt(long)
    rebuild_s = time.process_time() - began
    models = [rebuilt(_history(draw, HISTORY if number % 10 == 0 else 48)).packed() for number in range(100)]
    scopes = [ScopeState.unpacked(models[number % len(models)]) for number in range(options.scopes)]
    mib = (psutil.Process().memory_info().rss - memory) / 2**20
    score_s, observe_s, observed = _totals(draw, scopes, options.totals)
    per_s = options.totals / (score_s + observe_s)
    print(
        json.dumps(
            {
                "scopes": options.scopes,
                "score_us": round(score_s / options.totals * 1e6, 1),
                "observe_us": round(observe_s / observed * 1e6, 1),
                "totals_per_s": round(per_s),
                "mib": round(mib),
                "rebuild_ms": round(rebuild_s * 1e3, 1),
                "keeps_up": per_s >= 1_000 and mib < 1_024,
            }
        )
    )


def _history(draw: random.Random, hours: int) -> list[tuple[datetime, float]]:
    first = HISTORY - hours
    return [(BEGAN + hour * HOUR, draw.lognormvariate(0, 1)) for hour in range(first, HISTORY)]


def _totals(draw: random.Random, scopes: list[ScopeState], totals: int) -> tuple[float, float, int]:
    """Seconds of scoring, seconds of observing, and how often was observed."""
    clock, hours = time.process_time, [NOW] * len(scopes)
    score_s = observe_s = 0.0
    observed = 0
    for number in range(totals):
        which = draw.randrange(len(scopes))
        state, hour, amount = scopes[which], hours[which], draw.lognormvariate(0, 1)
        began = clock()
        score_open(state, hour + 55 * HOUR / 60, amount, share=55 / 60)
        scored = clock()
        score_s += scored - began
        if number % 60 == 0:
            observe(state, hour, amount)
            observe_s += clock() - scored
            hours[which] = hour + HOUR
            observed += 1
    return score_s, observe_s, observed


if __name__ == "__main__":
    main()
