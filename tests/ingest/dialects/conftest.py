"""The shipped prices, for dialects whose events are priced."""

from __future__ import annotations

import pytest

from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.price_book import PriceBook


@pytest.fixture(scope="session")
def book() -> PriceBook:
    """The book of the shipped catalog."""
    return PriceBook(load_snapshot(), version=1)
