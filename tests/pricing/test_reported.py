"""A trusted sender's cost beside what the catalog says: booked as it is, and told where it is too small."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from spendmeter.contracts.events import UsageEvent
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.reported import catalogs_amount, reported_in_words, reports_little
from tests.ingest.harness import event
from tests.ingest.test_accept import credential, taken

USAGE = {"input_tokens": 100, "output_tokens": 10}
"""Of gpt-4o: 100 x 2.50/M + 10 x 10/M = 0.00035 US dollars."""


def of(amount: str, *, trusted: bool = True, sku: str = "gpt-4o", usage: Any = USAGE) -> UsageEvent:
    data = {
        "provider": "openai",
        "sku": sku,
        "usage": usage,
        "reported_cost": {"amount": amount, "currency": "USD"},
    }
    (found,) = taken(event(data=data), by=credential(trust_reported_cost=trusted))
    assert isinstance(found, UsageEvent)
    return found


@pytest.mark.parametrize(
    ("amount", "little"),
    [("0", True), ("0.000174", True), ("0.000175", False), ("0.00035", False), ("7", False)],
)
def test_less_than_half_is_little_and_booked_as_it_is(book: PriceBook, amount: str, little: bool) -> None:
    sent = of(amount)
    rating = rate(sent, book)
    assert (rating.status, rating.effective) == ("reported", Decimal(amount))
    assert reports_little(sent, rating, book) is little
    said = reported_in_words(sent, rating.effective, "USD", book)
    assert said == (["less than half of what the catalog says: 0.00035 USD"] if little else [])


def test_who_is_not_trusted_is_charged_by_the_catalog_and_nothing_is_to_be_told(book: PriceBook) -> None:
    sent = of("0", trusted=False)
    assert rate(sent, book).effective == Decimal("0.00035")
    assert not reports_little(sent, rate(sent, book), book)
    assert catalogs_amount(sent, book) is None


def test_where_the_catalog_knows_no_price_nothing_is_little(book: PriceBook) -> None:
    for sent in (of("0", sku="unheard-of"), of("0", usage={**USAGE, "gpu_hours": 1})):
        assert catalogs_amount(sent, book) is None
        assert not reports_little(sent, rate(sent, book), book)
