"""What vendors' rules mean for all their models and hours, beside the amounts that the corrections work out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import pytest

from spendmeter.contracts.catalog import Conditions
from spendmeter.pricing.catalog import load_public, load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import model, price, used

MILLION = 1_000_000
OF_RESIDENCY = {
    "gpt-5.4", "gpt-5.4-image-2", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.4-pro", "gpt-5.5", "gpt-5.5-cyber", "gpt-5.5-pro",
    "gpt-5.6-cyber", "gpt-5.6-luna", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-6-astra", "gpt-6-cyber", "gpt-6-luna",
    "gpt-6-rosalind", "gpt-6-sol", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-chat-latest", "gpt-image-2", "gpt-image-2.5-flare",
    "gpt-image-2.5-sunburst", "gpt-realtime-2", "gpt-rosalind-discovery", "gpt-rosalind-research",
}  # fmt: skip
"""Skus of the public catalog that OpenAI released on or after 2026-03-05 and that are priced by the token."""


@cache
def shipped() -> PriceBook:
    return PriceBook(load_snapshot("openai", "deepseek"))


def test_residency_is_charged_of_openais_models_since_march_2026_and_of_no_other() -> None:
    public = {sku for provider, sku in PriceBook(load_public("openai")).prices if provider == "openai"}
    skus = {sku for sku in public if ("openai", sku) in shipped().prices}
    at = datetime(2026, 11, 20, tzinfo=UTC)
    dearer = {
        sku
        for sku in skus
        if rate(used("openai", sku, {"input_tokens": MILLION}, region="eu", at=at), shipped()).list
        != rate(used("openai", sku, {"input_tokens": MILLION}, at=at), shipped()).list
    }
    assert dearer == OF_RESIDENCY


@pytest.mark.parametrize(
    ("context", "total"),
    [
        ({}, "3"),
        ({"batch": True}, "1.5"),
        ({"region": "eu"}, "3.3"),
        ({"batch": True, "region": "us"}, "1.65"),
    ],
)
def test_a_model_that_openai_releases_tomorrow_has_its_batch_and_its_residency_without_us(
    context: dict[str, object], total: str
) -> None:
    new = [model("gpt-7-sol"), price("gpt-7-sol", "input_tokens", "3")]
    book = PriceBook([*load_snapshot("openai"), *new])
    assert rate(used("openai", "gpt-7-sol", {"input_tokens": MILLION}, **context), book).list == Decimal(
        total
    )


def test_a_price_that_states_its_batch_is_not_halved_again() -> None:
    stated = price("gpt-7-sol", "input_tokens", "1.2", when=Conditions(batch=True))
    book = PriceBook(
        [*load_snapshot("openai"), model("gpt-7-sol"), price("gpt-7-sol", "input_tokens", "3"), stated]
    )
    event = used("openai", "gpt-7-sol", {"input_tokens": MILLION}, batch=True)
    assert rate(event, book).list == Decimal("1.2")


@pytest.mark.parametrize(
    ("monday", "peak_hours"),
    [
        (datetime(2026, 11, 16, tzinfo=UTC), 35),  # five days of seven hours
        (datetime(2026, 9, 28, tzinfo=UTC), 21),  # Thursday and Friday are National Day
        (datetime(2026, 10, 5, tzinfo=UTC), 14),  # Monday to Wednesday still are
        (datetime(2026, 8, 10, tzinfo=UTC), 0),  # the week before there were peak hours
    ],
)
def test_deepseeks_peak_hours_of_a_week(monday: datetime, peak_hours: int) -> None:
    def costs(hour: int) -> Decimal:
        event = used(
            "deepseek", "deepseek-v4-pro", {"output_tokens": MILLION}, at=monday + timedelta(hours=hour)
        )
        return rate(event, shipped()).list

    peak = [hour for hour in range(168) if costs(hour) == Decimal("3.96")]
    assert len(peak) == peak_hours
    assert all(hour % 24 in {1, 2, 3, 6, 7, 8, 9} for hour in peak)
