"""Catalog entries, made short for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from spendmeter.contracts.catalog import ANY, Conditions, Model, Price, identified

RECORDED = datetime(2026, 11, 23, tzinfo=UTC)


def price(sku: str, unit: str, amount: str, *, when: Conditions = ANY, **said: Any) -> Price:
    """What a million units cost at OpenAI, in US dollars, unless `said` otherwise."""
    said = {"provider": "openai", "per": 1_000_000, "source": "test", "recorded_at": RECORDED} | said
    return identified(Price(sku=sku, unit=unit, price=amount, when=when, **said))


def model(sku: str, *aliases: str, **said: Any) -> Model:
    """A model of OpenAI's, unless `said` otherwise."""
    said = {"provider": "openai", "source": "test", "recorded_at": RECORDED} | said
    return identified(Model(sku=sku, aliases=aliases, **said))
