"""The difference that a re-rate made to an event, by cause, on its receipt."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from services.api.events.difference import difference_by_cause
from spendmeter.contracts.rated import Line
from spendmeter.pricing.causes import EntryFacts


def row(entry: str, price: str, amount: str, version: int, currency: str = "USD") -> dict[str, Any]:
    line = Line(unit="input_tokens", entry=entry, price=price, amount=amount)
    return {
        "status": "priced", "currency": currency, "accounting_period": date(2026, 11, 1), "list": Decimal(amount),
        "contracted": Decimal(amount), "effective": Decimal(amount), "catalog_version": version,
        "lines": msgspec.json.encode([line]).decode(),
    }  # fmt: skip


def test_a_price_that_was_restated_is_the_cause_of_all_of_it() -> None:
    """1,000 tokens: 10 USD each was stated in publication 2, and 0.00001 in publication 3, which withdrew it."""
    facts = {"wrong": EntryFacts(2, 3), "right": EntryFacts(3, None)}
    [found] = difference_by_cause(row("wrong", "10", "10000", 2), row("right", "0.00001", "0.01", 3), facts)
    assert (found.cause, found.currency) == ("price", "USD")
    assert (found.before, found.after, found.difference) == (
        Decimal(10_000), Decimal("0.01"), Decimal("-9999.99"),
    )  # fmt: skip


def test_what_was_withdrawn_since_is_no_cause_of_it() -> None:
    """Both entries stood in version 3: the words meant another model then. That they were withdrawn in 9 is later."""
    facts = {"one": EntryFacts(1, 9), "other": EntryFacts(1, 9)}
    [found] = difference_by_cause(row("one", "2", "2000", 2), row("other", "3", "3000", 3), facts)
    assert (found.cause, found.difference) == ("name", Decimal(1000))


def test_another_currency_is_a_step_down_and_one_up() -> None:
    found = difference_by_cause(row("a", "2", "2000", 2), row("a", "2", "1800", 3, "EUR"), {})
    assert [(each.cause, each.currency, each.difference) for each in found] == [
        ("terms", "USD", Decimal(-2000)), ("terms", "EUR", Decimal(1800)),
    ]  # fmt: skip
