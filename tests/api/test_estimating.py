"""What traffic that is to come would cost, worked out by hand, in US dollars."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.api.choice.estimating import StatedTraffic, estimated
from spendmeter.pricing.choice.reprice import Pricing
from spendmeter.pricing.choice.traffic import CandidateModel
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, price

BOOK = PriceBook(
    [
        price("fee", "input_tokens", "1"),
        price("fee", "output_tokens", "1"),
        price("fee", "requests", "5000", per_event=True),
    ]
)


@pytest.mark.parametrize(
    ("calls", "attempts", "day"),
    [("1", "1", "0.007"), ("0.4", "1", "0.0028"), ("10", "1.25", "0.0875")],
)
def test_a_fee_is_paid_for_each_attempt_also_where_that_is_no_whole_number_a_day(
    calls: str, attempts: str, day: str
) -> None:
    """An attempt is 0.005, and 2,000 tokens at 1 a million: 0.007, times 1, 0.4 and 12.5 a day."""
    shape = StatedTraffic(
        calls_per_day=Decimal(calls), input_tokens=Decimal(1000), output_tokens=Decimal(1000),
        cache_share=Decimal(0), attempts=Decimal(attempts),
    )  # fmt: skip
    pricing = Pricing(book=BOOK, tenant="acme", currency="USD", at=NOON)
    [found] = estimated(shape, [CandidateModel(provider="openai", sku="fee")], pricing, {})
    assert (found.per_day, found.per_30_days) == (Decimal(day), 30 * Decimal(day))
    assert found.per_call == Decimal("0.007") * Decimal(attempts)
