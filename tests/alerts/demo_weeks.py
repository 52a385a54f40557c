"""Weeks of the demo's own workload, priced by the shipped catalog: drawn by the minute from what it sends.

Some 45 million events a week are too many to make: of a few minutes of real ones each kind of spend (one
combination of the dimensions) keeps its amounts, and a minute draws how many come and what they cost.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from deploy.demo.tenants import DATA
from deploy.demo.workload import Workload, day_shape
from services.alerts.scopes import NAMING_ORDER, TENANT, DetectorScope
from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.event_reading import read_event
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook

DRAWN_FROM = datetime(2026, 11, 23, 10, tzinfo=UTC)
"""An hour in which the demo's day has its mean shape."""
DRAWN_S = 400
MANY = 12
"""From so many calls on their sum is drawn at once, as a normal one."""
Amounts = list[tuple["Kind", float, int]]


@dataclass(frozen=True, eq=False)
class Kind:
    """Spend of one combination of dimensions: what its calls cost, and how many come in a mean minute."""

    dimensions: Mapping[str, str]
    scopes: Sequence[DetectorScope]
    costs: Sequence[float]
    a_minute: float
    mean: float
    deviation: float

    def draw(self, chance: random.Random, shape: float, minutes: int = 1) -> tuple[float, int]:
        """What so many minutes cost, and how many calls come in them."""
        expected = self.a_minute * shape * minutes
        calls = max(0, round(chance.gauss(expected, math.sqrt(expected)))) if expected > MANY else 0
        if expected <= MANY:  # Knuth's way to Poisson
            left, least = chance.random(), math.exp(-expected)
            while left > least:
                calls, left = calls + 1, left * chance.random()
        if calls < MANY:
            return sum(chance.choices(self.costs, k=calls)), calls
        return max(0.0, chance.gauss(calls * self.mean, math.sqrt(calls) * self.deviation)), calls


@cache
def kinds() -> dict[str, list[Kind]]:
    """By tenant, what the demo spends while nothing runs away."""
    terms = [
        TenantTerms(
            tenant=tenant, time_zone=zone, fallback=DATA.fallback, source="setup", recorded_at=DRAWN_FROM
        )
        for tenant, zone in DATA.tenants.items()
    ]
    book, workload = PriceBook([*load_snapshot(), *map(identified, terms)]), Workload(run="quiet")
    costs: defaultdict[tuple[str, tuple[tuple[str, str], ...]], list[float]] = defaultdict(list)
    for second in range(DRAWN_S):
        for tenant, sent in workload.take(DRAWN_FROM + timedelta(seconds=second), 0.0, 1.0):
            event = read_event(msgspec.json.encode(sent | {"tenant": tenant}))
            data = sent["data"]
            values = data["labels"] | {"key_id": f"{tenant}-demo"}
            values |= {"sku": data["sku"], "provider": data["provider"]}
            named = tuple((name, values[name]) for name in NAMING_ORDER if name in values)
            costs[tenant, named].append(float(rate(event, book).effective))
    found: dict[str, list[Kind]] = {tenant: [] for tenant in DATA.tenants}
    for (tenant, named), each in costs.items():
        mean = sum(each) / len(each)
        variance = sum((cost - mean) ** 2 for cost in each) / len(each)
        found[tenant].append(
            Kind(dict(named), [TENANT, *named], each, len(each) * 60 / DRAWN_S, mean, math.sqrt(variance))
        )
    return found


def a_minute(tenant: str, at: datetime, chance: random.Random) -> Amounts:
    """What the tenant spends in a minute."""
    shape = day_shape(at)
    return [(kind, *kind.draw(chance, shape)) for kind in kinds()[tenant]]


def an_hour(tenant: str, at: datetime, chance: random.Random) -> Amounts:
    """What the tenant spends in an hour, of which only the sum matters."""
    shape = day_shape(at + timedelta(minutes=30))
    return [(kind, *kind.draw(chance, shape, 60)) for kind in kinds()[tenant]]
