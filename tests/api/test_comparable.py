"""Which models can take traffic, where nobody names any."""

from __future__ import annotations

from decimal import Decimal

from services.api.choice.comparing import all_comparable
from spendmeter.pricing.choice.reprice import Pricing
from spendmeter.pricing.choice.traffic import Portion, Use
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, price

BOOK = PriceBook(
    [
        price("fee", "input_tokens", "2"),
        price("fee", "requests", "5000", per_event=True),
        price("plain", "input_tokens", "1"),
        price("out-only", "output_tokens", "1"),
    ]
)


def test_a_fee_of_ones_own_model_is_nothing_that_another_must_have_a_price_for() -> None:
    """1 M input at 1; that the own model takes 0.05 for ten calls beside 2 is its own affair."""
    portions = [
        Portion(unit="input_tokens", quantity=Decimal(1_000_000), events=10),
        Portion(unit="requests", quantity=Decimal(10), events=10),
    ]
    uses = [Use(provider="openai", sku="fee", calls=10, portions=tuple(portions))]
    pricing = Pricing(book=BOOK, tenant="acme", currency="USD", at=NOON)
    found, more, lacking = all_comparable(uses, {"openai"}, pricing, 10)
    assert ([model.sku for model in found], more, lacking) == (["plain", "fee"], 0, 1)
