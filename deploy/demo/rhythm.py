"""When work is done: shares of a full weekday's work by the hour of the day. Pure."""

import math
from datetime import datetime
from typing import Literal

Hours = Literal["office", "shop", "always"]
"""office: by day, from Monday to Friday. shop: when customers are awake, on any day. always: machines."""
SATURDAY = 6
_WEEKENDS: dict[Hours, float] = {"office": 0.06, "shop": 0.65, "always": 0.85}
_PEAKS: dict[Hours, tuple[float, float, float]] = {
    "office": (13.0, 3.0, 0.01),
    "shop": (15.5, 4.5, 0.08),
    "always": (14.0, 8.0, 0.6),
}
"""The hour of the most work, how wide the day is, and what is left of it at night."""


def share_of_day(hours: Hours, local: datetime) -> float:
    """Which share of a full weekday's work the hour of `local` has, by the clock of those who do it."""
    weekend = _WEEKENDS[hours] if local.isoweekday() >= SATURDAY else 1.0
    return weekend * _HOURLY[hours][local.hour]


def _hourly(hours: Hours) -> list[float]:
    peak, width, night = _PEAKS[hours]
    heights = [night + math.exp(-(((hour + 0.5 - peak) / width) ** 2)) for hour in range(24)]
    return [height / sum(heights) for height in heights]


_HOURLY: dict[Hours, list[float]] = {hours: _hourly(hours) for hours in _PEAKS}
