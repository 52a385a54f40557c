"""A quiet week with the rhythm of days, nights and weekends: at most one false incident."""

from __future__ import annotations

import math
import random
from datetime import timedelta

from tests.alerts.episodes import Episodes
from tests.alerts.test_untold import USUAL

NIGHT_SHARE, WEEKEND_SHARE = 0.15, 0.3
CALLS_MAX = 20
"""A minute, of each agent, at noon."""


def busy(episodes: Episodes) -> float:
    """How much of noon's work there is."""
    hour = episodes.now.hour + episodes.now.minute / 60
    day = max(0.0, math.sin((hour - 6) / 24 * 2 * math.pi))
    weekend = WEEKEND_SHARE if episodes.now.weekday() >= 5 else 1.0
    return NIGHT_SHARE + (1 - NIGHT_SHARE) * day * weekend


def test_a_quiet_week_with_a_daily_rhythm_has_at_most_one_false_incident() -> None:
    episodes, chance = Episodes(look_every=timedelta(minutes=1)), random.Random(3)
    while episodes.now < episodes.start + timedelta(days=7):
        flows = {}
        for agent, flow in USUAL.items():
            calls = sum(chance.random() < 0.8 * busy(episodes) for _ in range(CALLS_MAX))
            sizes = sum(chance.lognormvariate(-0.08, 0.4) for _ in range(calls))
            flows[agent] = {**flow, "amount": f"{float(flow['amount']) * sizes / CALLS_MAX:.4f}"}
        episodes.pass_time(1, flows)
        episodes.forget()
    opened = [each for each in episodes.told if each[1] == "opened"]
    assert len(opened) <= 1, episodes.told
    assert len(episodes.told) <= 2, episodes.told
