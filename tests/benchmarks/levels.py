"""How soon a lasting rise of days is found, and how often one that is none: `python -m tests.benchmarks.levels`.

Days of a scope are made: 100 on work days and 30 on others, times a noise (lognormal, each day 0.3 like the one before).
After eight weeks some cost twice or 1.5 times as much, others 2 % or 5 % more each day. The rule looks at them day
by day with its own gates, as one of 20 scopes of a tenant that spends 500 a day. caught: of 60, within four weeks; days:
after how many, the median. false_a_month: of a tenant with 20 scopes of noise alone, in 30 days. Seed 13; no number
was tuned on it.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from services.alerts.levels.changes import Gates, change_of
from services.alerts.levels.days import LevelDay, LevelDays
from spendmeter.contracts.alert_rules import default_rule

SCOPES = 20
TENANT_PER_DAY = Decimal(500)
KNOWN, WATCHED = 56, 28
RISES = {"x2": (2.0, 0.0), "x1.5": (1.5, 0.0), "2 % a day": (1.0, 0.02), "5 % a day": (1.0, 0.05)}
NOISES = (0.1, 0.2, 0.4, 0.8)
CASES = 60
TENANTS, NIGHTS = 10, 30
AGENT = ("agent", "a1")
GATES = Gates.of(default_rule("shift"), TENANT_PER_DAY)


def main() -> None:
    print(__doc__)
    draw = random.Random(13)
    found: dict[str, dict[str, object]] = {}
    for noise in NOISES:
        row: dict[str, object] = {}
        for name, (times, growth) in RISES.items():
            after = [_caught_after(_days(draw, noise, KNOWN + WATCHED, times, growth)) for _ in range(CASES)]
            caught = [each for each in after if each is not None]
            row[name] = {"caught": len(caught), "days": median(caught) if caught else None}
        alarms = sum(_alarms(_days(draw, noise, KNOWN + NIGHTS)) for _ in range(TENANTS * SCOPES))
        row["false_a_month"] = alarms / TENANTS
        print(f"noise {noise}: {row}")
        found[str(noise)] = row
    print(json.dumps(found))


def _days(
    draw: random.Random, noise: float, number: int, times: float = 1.0, growth: float = 0.0
) -> list[Decimal]:
    days, memory = [], 0.0
    for place in range(number):
        memory = 0.3 * memory + math.sqrt(0.91) * draw.gauss(0, noise)
        since = place - KNOWN + 1
        factor = times * (1 + growth) ** since if since > 0 else 1.0
        days.append(Decimal(f"{(100 if place % 7 < 5 else 30) * math.exp(memory) * factor:.2f}"))
    return days


def _caught_after(days: Sequence[Decimal]) -> int | None:
    return next((since for since in range(1, WATCHED + 1) if _is_news(days[since : KNOWN + since])), None)


def _alarms(days: Sequence[Decimal]) -> int:
    """Told once, a level is known: one a scope."""
    return any(_is_news(days[night : KNOWN + night]) for night in range(1, NIGHTS + 1))


def _is_news(amounts: Sequence[Decimal]) -> bool:
    by_place = {place: LevelDay(worth=amount) for place, amount in enumerate(amounts)}
    first = date(2026, 11, 23) - timedelta(days=KNOWN)
    days = LevelDays(first=first, number=len(amounts), by_scope={AGENT: by_place})
    return change_of(AGENT, days, GATES, None, 28 * TENANT_PER_DAY, SCOPES) is not None


if __name__ == "__main__":
    main()
