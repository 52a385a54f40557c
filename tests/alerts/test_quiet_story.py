"""A week of the demo's story after its history: what was is no news, and what is goes on as it was."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache

import msgspec
import pytest

from deploy.demo.story import STORY, between
from deploy.demo.tenants import DATA
from services.alerts.scopes import NAMING_ORDER, TENANT
from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.outcomes import OUTCOME_TYPE
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.alerts import test_quiet_week as quiet
from tests.alerts.demo_weeks import Amounts, Kind
from tests.alerts.test_quiet_week import HOUR, START, WEEK, Weeks

HISTORY = timedelta(days=28)
"""As much as hours teach. Of sixty days nothing else would be known."""
Minutes = Mapping[datetime, Amounts]


@cache
def book() -> PriceBook:
    terms = [TenantTerms(tenant="acme", fallback=DATA.fallback, source="setup", recorded_at=START)]
    return PriceBook([*load_snapshot(), *map(identified, terms)])


def spent(first_day: date) -> Minutes:
    """What Acme spends in each minute that has any, by the story of a demo of that first day."""
    found: defaultdict[datetime, Amounts] = defaultdict(list)
    for at, tenant, event in between(START - HISTORY, START + WEEK, first_day):
        if tenant != "acme" or event["type"] == OUTCOME_TYPE:
            continue
        data = event["data"]
        values = data["labels"] | {"key_id": "acme-demo", "sku": data["sku"], "provider": data["provider"]}
        named = {name: values[name] for name in NAMING_ORDER if name in values}
        rated = rate(read_event(msgspec.json.encode(event | {"tenant": tenant})), book())
        kind = Kind(named, [TENANT, *named.items()], [], 0, 0, 0)
        found[at.replace(second=0, microsecond=0)].append((kind, float(rated.effective), 1))
    return found


def known(minutes: Minutes, until: datetime) -> Weeks:
    """What detectors know of the hours before."""
    weeks, hours = Weeks("acme", START - HISTORY), defaultdict[datetime, Amounts](list)
    for at, amounts in minutes.items():
        if at < until:
            hours[at.replace(minute=0)] += amounts
    for hour in sorted(hours):
        weeks.add(hour, hours[hour])
    return weeks


def test_a_week_after_the_history_tells_of_nothing_but_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = spent(START.date())
    monkeypatch.setattr(quiet, "a_minute", lambda _tenant, at, _chance: minutes.get(at, []))
    monkeypatch.setattr(quiet, "DATA", msgspec.structs.replace(DATA, budgets=STORY.budgets))
    weeks = known(minutes, START - HOUR)  # the last hour comes by the minute
    told = quiet.said(quiet.bursts(weeks, random.Random(3)))
    told += quiet.burns(weeks) + quiet.said(quiet.levels(weeks)) + quiet.said(quiet.firsts(weeks))
    assert told == []


def test_the_leak_would_have_been_told_if_somebody_had_looked() -> None:
    """It begins on START, which is twelve days before the first one of this demo."""
    weeks = known(spent(START.date() + timedelta(days=12)), START + WEEK)
    assert any("answer-ticket" in title for title in quiet.said(quiet.levels(weeks)))
