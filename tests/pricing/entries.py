"""Catalog entries and events, made short for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from spendmeter.contracts.catalog import (
    ANY,
    Adjustment,
    CatalogEntry,
    Conditions,
    Model,
    Price,
    Spelling,
    TenantTerms,
    UnitEntry,
)
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Amount, Context, UsageData, UsageEvent
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook

RECORDED = datetime(2026, 11, 23, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def price(sku: str, unit: str, amount: str, *, when: Conditions = ANY, **said: Any) -> Price:
    """What a million units cost at OpenAI, in US dollars, unless `said` otherwise."""
    said = {"provider": "openai", "per": 1_000_000, "source": "test", "recorded_at": RECORDED} | said
    return identified(Price(sku=sku, unit=unit, price=amount, when=when, **said))


def model(sku: str, *aliases: str, **said: Any) -> Model:
    """A model of OpenAI's, unless `said` otherwise."""
    said = {"provider": "openai", "source": "test", "recorded_at": RECORDED} | said
    return identified(Model(sku=sku, aliases=aliases, **said))


def adjustment(name: str, factor: str, *, when: Conditions = ANY, **said: Any) -> Adjustment:
    """A factor on OpenAI's prices, unless `said` otherwise."""
    said = {"provider": "openai", "source": "test", "recorded_at": RECORDED} | said
    return identified(Adjustment(name=name, factor=factor, when=when, **said))


def spelling(of: Literal["tier", "region"], name: str, *match: str, **said: Any) -> Spelling:
    """How everybody writes a tier or a region, unless `said` otherwise."""
    said = {"source": "test", "recorded_at": RECORDED} | said
    return identified(Spelling(of=of, name=name, match=match, **said))


def terms(tenant: str, **said: Any) -> TenantTerms:
    return identified(TenantTerms(tenant=tenant, source="test", recorded_at=RECORDED, **said))


def unit(name: str, **said: Any) -> UnitEntry:
    said = {"about": f"{name} of a test", "source": "test", "recorded_at": RECORDED} | said
    return identified(UnitEntry(unit=name, **said))


def used(
    provider: str,
    sku: str,
    usage: Mapping[str, int | Decimal],
    *,
    at: datetime = NOON,
    tenant: str = "acme",
    reported: Amount | None = None,
    trusted: bool = False,
    estimated: tuple[str, ...] = (),
    **context: Any,
) -> UsageEvent:
    """A usage event as `read_event` would have returned it."""
    return UsageEvent(
        specversion="1.0",
        type="spendmeter.usage.v1",
        id="1",
        source="tests",
        subject="tests",
        time=at,
        tenant=tenant,
        trustreportedcost=trusted,
        data=UsageData(
            provider=provider,
            sku=sku,
            usage=dict(usage),
            context=Context(**context),
            reported_cost=reported,
            estimated=estimated,
        ),
    )


def rated(entries: list[CatalogEntry], usage: Mapping[str, int | Decimal], **said: Any) -> Rating:
    """What usage of openai/m costs by these entries."""
    return rate(used("openai", said.pop("sku", "m"), usage, **said), PriceBook(entries))
