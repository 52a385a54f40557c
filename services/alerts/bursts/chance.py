"""How large an excess chance alone makes seldom enough to page for, among all scopes of a tenant. Pure.

The last hour of every scope says how far its minutes lie over what was usual, in its own high minutes: a
few thousand scores. The highest tenth of them is taken for the tail of a generalised Pareto's, fitted by its
moments: light where spend is steady, heavy where single calls are dear. What it lets by once a week, of all
scopes together, is where a page begins. Scores are floats; what they become is a Decimal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

FALSE_PAGES_A_DAY = 1 / 7
"""Of a tenant, all its scopes together."""
SCORES_MIN = 200
"""With fewer scores above 0 nothing is known of chance: then the plain gates alone say what is news."""
TAIL_SHARE = 0.1
SHAPE_MAX = 0.45
"""Heavier tails have no moments to fit by."""
MINUTES_A_DAY = 1_440


def scores_of(amounts: Sequence[Decimal], per_minute: Decimal, scale: Decimal) -> list[float]:
    """A scope's minutes, each alone or with the one before it, whichever is more unusual; those above 0."""
    if scale <= 0:
        return []
    over = [float(amount - per_minute) / float(scale) for amount in amounts]
    pairs = (each + max(0.0, before) for each, before in zip(over, [0.0, *over], strict=False))
    return [score for score in pairs if score > 0]


def page_score(scopes: Iterable[Sequence[float]], minutes: int) -> Decimal | None:
    """From which score on an excess is a page; None = too little is known. `scopes`: of each its scores, of
    so many minutes of all of them together."""
    active = [scores for scores in scopes if scores]
    scores = sorted((score for each in active for score in each), reverse=True)
    if len(scores) < SCORES_MIN:
        return None
    kept = int(len(scores) * TAIL_SHARE)
    edge = scores[kept]
    beyond = [score - edge for score in scores[:kept]]
    mean = sum(beyond) / kept
    variance = sum((each - mean) ** 2 for each in beyond) / kept
    if variance <= 0:
        return None
    form = mean * mean / variance
    shape = max(0.0, min(SHAPE_MAX, (1 - form) / 2))  # no tail is taken to end
    width = mean * (1 - shape)
    rarer = max(1.0, len(active) * MINUTES_A_DAY * kept / minutes / FALSE_PAGES_A_DAY)
    steps = math.log(rarer) if shape < 0.01 else (rarer**shape - 1) / shape
    return Decimal(str(round(edge + width * steps, 6)))
