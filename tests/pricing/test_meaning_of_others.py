"""What a name means depends on the event alone: on no other tenant's prices, and on no other event before it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spendmeter.contracts.catalog import CatalogEntry, NameRule, Price
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing import price_book
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import used

SHIPPED = load_snapshot()
EARLY, LATE = datetime(2025, 1, 15, 12, tzinfo=UTC), datetime(2026, 11, 20, 12, tzinfo=UTC)


def stated(tenant: str, provider: str, sku: str, price: str = "1") -> Price:
    """An organisation's price of a million input tokens, for one tenant alone."""
    return identified(
        Price(
            source="test", recorded_at=EARLY, layer="organisation", tenant=tenant, provider=provider, sku=sku,
            unit="input_tokens", price=price, per=1_000_000,
        )
    )  # fmt: skip


def rated(book: PriceBook, provider: str, sku: str, at: datetime = LATE) -> Rating:
    return rate(used(provider, sku, {"input_tokens": 1_000_000}, at=at, tenant="b"), book)


@pytest.mark.parametrize(
    ("provider", "sku", "theirs"),
    [
        ("google", "claude-opus-4-6-fast", "claude-opus-4-6"),
        ("google", "gemini-2.5-pro-myft", "gemini-2.5-pro"),
        ("openai", "codestral-embed-9", "codestral-embed-7"),
        ("openai", "zorblax-embed-9", "zorblax-embed-1"),
    ],
)
def test_a_tenants_own_price_changes_neither_what_others_names_mean_nor_their_bounds(
    provider: str, sku: str, theirs: str
) -> None:
    without = rated(PriceBook(SHIPPED), provider, sku)
    assert without.status == "provisional"
    assert rated(PriceBook([*SHIPPED, stated("a", provider, theirs)]), provider, sku) == without


@pytest.mark.parametrize("sku", ["deepseek/deepseek-reasoner", "google/gemini-flash-latest"])
def test_a_bound_is_that_of_the_events_time_whatever_was_rated_before(sku: str) -> None:
    alone = {at: rated(PriceBook(SHIPPED), "mygw", sku, at).list for at in (EARLY, LATE)}
    assert alone[EARLY] != alone[LATE]
    for first, second in ((EARLY, LATE), (LATE, EARLY)):
        book = PriceBook(SHIPPED)
        assert rated(book, "mygw", sku, first).list == alone[first]
        assert rated(book, "mygw", sku, second).list == alone[second]


def test_a_providers_name_is_read_by_the_rules_of_the_events_time_whatever_was_rated_before() -> None:
    since = datetime(2026, 6, 1, tzinfo=UTC)
    rule = NameRule(
        source="test", recorded_at=EARLY, of="provider", name="gw", match=("gw",), becomes="openai",
        says="ours since June", effective_from=since,
    )  # fmt: skip
    entries: list[CatalogEntry] = [*SHIPPED, identified(rule)]
    for first in (EARLY, LATE):
        book = PriceBook(entries)
        rated(book, "gw", "gpt-4o", first)
        assert rated(book, "gw", "gpt-4o", LATE).status == "priced"
        assert rated(book, "gw", "gpt-4o", EARLY).status == "provisional"


def test_plans_are_bounded_by_number_whatever_names_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_book, "PLANS_MAX", 50)
    book = PriceBook(SHIPPED)
    skus = sorted({sku for provider, sku in book.prices if provider == "openai"})
    assert len(skus) > 60
    for sku in skus:
        rated(book, "openai", sku)
    assert len(book._plans) <= 50


def test_made_up_names_that_contain_one_model_share_its_bound() -> None:
    book = PriceBook(SHIPPED)
    rated(book, "mygw", "openai/ft:gpt-4o-mini-2024-07-18:org::first")
    plans = len(book._plans)
    for number in range(20):
        rated(book, "mygw", f"openai/ft:gpt-4o-mini-2024-07-18:org::n{number}")
    assert len(book._plans) == plans
