"""The golden cases: amounts worked out by hand from the vendors' prices, in US dollars."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from spendmeter.contracts.events import Amount
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, price, rated, used

CASES = [
    # 2,000 x 2.50 + 8,000 x 1.25 + 1,000 x 10
    ("openai/gpt-4o", {"input_tokens": 2_000, "cache_read_tokens": 8_000, "output_tokens": 1_000}, {}, "0.025"),
    # 5 x 3 + 1,000 x 3.75 + 253 x 6 + 128,955 x 0.30 + 10 x 15; the context of 130,213 is under the cliff
    (
        "anthropic/claude-sonnet-4-5",
        {
            "input_tokens": 5,
            "cache_write_5m_tokens": 1_000,
            "cache_write_1h_tokens": 253,
            "cache_read_tokens": 128_955,
            "output_tokens": 10,
        },
        {},
        "0.0441195",
    ),
    ("google/gemini-2.5-pro", {"input_tokens": 200_000, "output_tokens": 1_000}, {}, "0.26"),
    ("google/gemini-2.5-pro", {"input_tokens": 200_001, "output_tokens": 1_000}, {}, "0.5150025"),
    ("openai/gpt-5.4", {"input_tokens": 272_000, "output_tokens": 1_000}, {}, "0.695"),
    ("openai/gpt-5.4", {"input_tokens": 272_001, "output_tokens": 1_000}, {}, "1.382505"),
    # flex at half of both sides of the cliff; priority excludes what is beyond it: the standard price, with a remark
    ("openai/gpt-5.4", {"input_tokens": 272_001, "output_tokens": 1_000}, {"service_tier": "flex"}, "0.6912525"),
    ("openai/gpt-5.4", {"input_tokens": 272_001, "output_tokens": 1_000}, {"service_tier": "priority"}, "1.382505"),
    # served default although priority was asked for: what served decides
    ("openai/gpt-5.4", {"input_tokens": 1_000_000}, {"service_tier": "default"}, "5"),
    ("openai/gpt-4o", {"input_tokens": 1_000_000, "output_tokens": 1_000_000}, {"batch": True}, "6.25"),
    ("openai/gpt-4o", {"input_tokens": 1_000_000, "output_tokens": 1_000_000}, {"service_tier": "batch"}, "6.25"),
    # the cached part counts toward the length: 5,005 x 2.50 + 257,955 x 0.25 + 1,744 x 15
    (
        "google/gemini-2.5-pro",
        {"input_tokens": 5_005, "cache_read_tokens": 257_955, "output_tokens": 1_744},
        {},
        "0.10316125",
    ),
    # 3 x 3 + 12,304 x 3.75 + 550 x 15; a tool that got 0.091311 counted the written tokens twice
    (
        "anthropic/claude-sonnet-4-5",
        {"input_tokens": 3, "cache_write_5m_tokens": 12_304, "cache_read_tokens": 0, "output_tokens": 550},
        {},
        "0.054399",
    ),
    # 1,000 transcriptions of 3 s are 1,000 x 10 s at 0.111 an hour
    ("groq/whisper-large-v3", {"audio_seconds": 3}, {}, "0.000308333333"),
    ("aws/aurora-standard", {"io_requests": 2_500_000}, {"region": "us-east-1"}, "0.5"),
    ("aws/aurora-io-optimized", {"io_requests": 2_500_000}, {}, "0"),
    # a fee of 5 per 1,000 requests, of the low search context, that the usage does not mention, + 1,000 tokens at 1
    ("perplexity/sonar", {"input_tokens": 1_000}, {}, "0.006"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "usage", "context", "total"), CASES)
def test_costs_what_the_vendor_charges(
    book: PriceBook, model: str, usage: dict[str, int], context: dict[str, object], total: str
) -> None:
    provider, _, sku = model.partition("/")
    assert rate(used(provider, sku, usage, **context), book).list == Decimal(total)


def test_a_price_cut_counts_from_its_day(book: PriceBook) -> None:
    usage = {"input_tokens": 1_000_000}
    before = used("openai", "o3", usage, at=datetime(2025, 6, 1, tzinfo=UTC))
    after = used("openai", "o3", usage, at=datetime(2025, 6, 10, tzinfo=UTC))
    assert (rate(before, book).list, rate(after, book).list) == (10, 2)


@pytest.mark.parametrize(
    ("at", "total"),
    [
        ("2025-08-01T16:29:59Z", "0.300"),  # 0.6 x 0.27 + 0.4 x 0.07 + 0.1 x 1.10
        ("2025-08-01T16:30:00Z", "0.150"),  # 0.6 x 0.135 + 0.4 x 0.035 + 0.1 x 0.55
        ("2025-08-02T00:29:59Z", "0.150"),
        ("2025-08-02T00:30:00Z", "0.300"),
        ("2025-08-02T08:30:00+08:00", "0.300"),
    ],
)
def test_the_off_peak_window_begins_and_ends_on_the_second(book: PriceBook, at: str, total: str) -> None:
    usage = {"input_tokens": 600_000, "cache_read_tokens": 400_000, "output_tokens": 100_000}
    event = used("deepseek", "deepseek-chat", usage, at=datetime.fromisoformat(at))
    assert rate(event, book).list == Decimal(total)


CACHED = [
    price("m", "input_tokens", "3"),
    price("m", "cache_write_5m_tokens", "3.75"),
    price("m", "cache_write_1h_tokens", "6"),
    price("m", "cache_read_tokens", "0.3"),
]


def test_cached_input_is_charged_once_at_the_cached_rate() -> None:
    usage = {"input_tokens": 100, "cache_write_5m_tokens": 700, "cache_read_tokens": 200}
    assert rated([*CACHED], usage).list == Decimal("0.002985")  # 0.0003 + 0.002625 + 0.00006


@pytest.mark.parametrize(
    ("writes", "reads", "unit", "total"),
    [
        (0, 0, "input_tokens", "30.30"),  # 100 x 101,000 x 3
        (4, 96, "cache_write_5m_tokens", "4.68"),  # 0.30 + 4 x 0.375 + 96 x 0.03
        (1, 99, "cache_write_1h_tokens", "3.87"),  # 0.30 + 0.60 + 99 x 0.03
    ],
)
def test_cache_economics(writes: int, reads: int, unit: str, total: str) -> None:
    book = PriceBook([*CACHED])
    fresh = {"input_tokens": 1_000}
    calls = [fresh | {unit: 100_000}] * writes + [fresh | {"cache_read_tokens": 100_000}] * reads
    if not calls:
        calls = [{"input_tokens": 101_000}] * 100
    assert sum(rate(used("openai", "m", usage), book).list for usage in calls) == Decimal(total)


def test_a_huge_cache_read_never_makes_a_negative_line(book: PriceBook) -> None:
    usage = {
        "input_tokens": 1, "cache_write_5m_tokens": 225, "cache_read_tokens": 965_602, "output_tokens": 82,
    }  # fmt: skip
    rating = rate(used("google", "claude-sonnet-4-5", usage), book)
    assert all(Decimal(line.amount or 0) > 0 for line in rating.lines)


def test_explicit_zero_usage_costs_nothing_and_is_priced(book: PriceBook) -> None:
    rating = rate(used("openai", "gpt-4o", {"input_tokens": 0, "output_tokens": 0}), book)
    assert (rating.list, rating.status) == (0, "priced")


def test_an_unknown_model_costs_an_upper_bound_at_once(book: PriceBook) -> None:
    rating = rate(used("anthropic", "claude-opus-9", {"input_tokens": 10_000_000}), book)
    assert rating.status == "provisional"
    assert rating.list == 60  # Opus 5.5, the nearest by its version, costs 4 per million: 1.5 times that
    assert "1.5 times the nearest of the family claude-opus" in rating.lines[0].reason


def test_a_reported_cost_counts_only_from_a_trusted_sender(book: PriceBook) -> None:
    cost = Amount(amount="0.0360795", currency="USD")
    usage = {"input_tokens": 1_000_000}
    trusted = rate(used("openai", "gpt-4o", usage, reported=cost, trusted=True), book)
    assert (trusted.list, trusted.status, len(trusted.lines)) == (Decimal("0.0360795"), "reported", 1)
    compared = rate(used("openai", "gpt-4o", usage, reported=cost), book)
    assert (compared.list, compared.status) == (Decimal("2.5"), "priced")


def test_the_sender_of_an_event_may_write_its_time_in_any_zone(book: PriceBook) -> None:
    there = NOON.astimezone(datetime.fromisoformat("2026-11-20T00:00:00-09:30").tzinfo)
    usage = {"input_tokens": 7}
    assert (
        rate(used("openai", "gpt-4o", usage, at=there), book).lines
        == rate(used("openai", "gpt-4o", usage), book).lines
    )
