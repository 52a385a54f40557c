"""What a call can cost at most: never below what it is booked at, and no more than it has to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendmeter.contracts.catalog import CatalogEntry, Conditions, FxRate
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.bound import Bound, BoundRefused, bound
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.output_limits import FILE, shipped_output_limits
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.review.output_limits import derive, encoded
from spendmeter.pricing.review.second_opinions import installed
from spendmeter.pricing.ways import AnyWay
from tests.pricing.entries import NOON, RECORDED, adjustment, price, terms, used

HOUR = timedelta(hours=1)
PLAIN = AnyWay(service_tier="standard", region="", batch=False)
SAID = {"source": "test", "recorded_at": RECORDED}
M = [price("m", "input_tokens", "2"), price("m", "output_tokens", "8")]


def bounded(entries: list[CatalogEntry], usage: dict[str, Any], **said: Any) -> Bound | BoundRefused:
    """Of 1,000 tokens of output at most, served in the plain way in the hour after noon, unless said."""
    asked = {"provider": "openai", "sku": "m", "max_output_tokens": 1000, "way": PLAIN, "tenant": "acme"}
    asked |= {"since": NOON, "until": NOON + HOUR} | said
    return bound(PriceBook(entries), quantities=usage, **asked)


def amount(entries: list[CatalogEntry], usage: dict[str, Any], **said: Any) -> Decimal:
    found = bounded(entries, usage, **said)
    assert isinstance(found, Bound), found
    return found.amount


def refused(entries: list[CatalogEntry], usage: dict[str, Any], **said: Any) -> tuple[str, str]:
    found = bounded(entries, usage, **said)
    assert isinstance(found, BoundRefused), found
    return found.reason, found.field


def test_a_plain_call_is_bounded_by_its_uncached_price_at_its_maximum() -> None:
    # 9,000 x 2 / 1,000,000 + 1,000 x 8 / 1,000,000 = 0.018 + 0.008
    assert amount(M, {"input_tokens": 9000}) == Decimal("0.026")


def test_input_is_counted_as_written_to_the_dearest_cache_unless_the_caller_says_that_none_is() -> None:
    written = [*M, price("m", "cache_write_5m_tokens", "2.5"), price("m", "cache_write_1h_tokens", "4")]
    read = [*written, price("m", "cache_read_tokens", "0.2")]
    assert amount(read, {"input_tokens": 9000}) == Decimal("0.044")  # 9,000 x 4 / 1e6 + 0.008
    assert amount(read, {"input_tokens": 9000, "cache_write_1h_tokens": 0}) == Decimal("0.026")
    # Only five-minute writes: 10,000 x 2.5 / 1e6 + 0.008. What is to be read from the cache may be missed.
    usage = {"input_tokens": 1000, "cache_read_tokens": 8000, "cache_write_5m_tokens": 1000}
    assert amount(read, usage) == Decimal("0.033")
    assert amount(read, {"cache_read_tokens": 9000, "cache_write_5m_tokens": 0}) == Decimal("0.026")


def test_output_is_counted_as_the_dearest_that_the_model_puts_out_unless_that_is_counted_apart() -> None:
    draws = [*M, price("m", "output_image_tokens", "30"), price("m", "reasoning_tokens", "9")]
    assert amount(draws, {"input_tokens": 0}) == Decimal("0.03")
    assert amount(draws, {"input_tokens": 0, "output_image_tokens": 0}) == Decimal("0.009")
    assert amount(draws, {"input_tokens": 0, "output_image_tokens": 100}) == Decimal("0.012")


def test_a_tenants_own_fallback_is_for_models_that_nobody_knows_and_makes_no_known_one_dearer() -> None:
    own = [*M, terms("acme", fallback={"input_tokens": "0.000015", "output_tokens": "0.000075"})]
    assert amount(own, {"input_tokens": 9000}) == Decimal("0.026")
    # 9,000 x 15 / 1e6 + 1,000 x 75 / 1e6 = 0.135 + 0.075: dearer than all that the provider sells
    assert amount(own, {"input_tokens": 9000}, sku="n") == Decimal("0.21")


def test_what_is_not_stated_of_how_it_is_served_is_the_dearest() -> None:
    fast = [*M, price("m", "output_tokens", "16", when=Conditions(tiers=("priority",)))]
    fast += [adjustment("residency", "1.1", when=Conditions(regions=("eu",)))]
    fast += [adjustment("batch", "0.5", when=Conditions(batch=True))]
    usage = {"input_tokens": 0}
    assert amount(fast, usage, way=AnyWay()) == Decimal("0.0176")  # 1,000 x 16 x 1.1
    assert amount(fast, usage, way=AnyWay(service_tier="standard")) == Decimal("0.0088")
    assert amount(fast, usage, way=AnyWay(region="us")) == Decimal("0.016")
    assert amount(fast, usage) == Decimal("0.008")
    assert amount(fast, usage, way=AnyWay(service_tier="", region="", batch=True)) == Decimal("0.008")


def test_a_contract_that_costs_less_does_not_lower_it_and_one_that_costs_more_raises_it() -> None:
    agreed = {"layer": "contract", "contract": "deal", "kind": "contracted"}
    acme = terms("acme", contracts=("deal",))
    usage = {"input_tokens": 0}
    assert amount([*M, acme, price("m", "output_tokens", "5", **agreed)], usage) == Decimal("0.008")
    assert amount([*M, acme, price("m", "output_tokens", "9", **agreed)], usage) == Decimal("0.009")
    assert amount([*M, acme, adjustment("deal", "0.5", **agreed)], usage) == Decimal("0.008")
    assert amount([*M, acme, adjustment("deal", "1.5", **agreed)], usage) == Decimal("0.012")


def test_the_dearest_price_of_the_span_counts_and_a_cheaper_hour_does_not() -> None:
    soon = NOON + timedelta(minutes=30)
    old = price("m", "output_tokens", "8", when=Conditions(effective_to=soon))
    new = price("m", "output_tokens", "12", when=Conditions(effective_from=soon))
    book = [M[0], old, new]
    assert amount(book, {"input_tokens": 0}) == Decimal("0.012")
    assert amount(book, {"input_tokens": 0}, until=NOON + timedelta(minutes=29)) == Decimal("0.008")
    assert amount(book, {"input_tokens": 0}, since=soon) == Decimal("0.012")


def test_a_longer_context_counts_only_as_far_as_the_input_can_reach_it() -> None:
    book = [*M, price("m", "output_tokens", "20", when=Conditions(context_min=200_000))]
    assert amount(book, {"input_tokens": 200_000}) == Decimal("0.408")  # 0.4 + 0.008
    assert amount(book, {"input_tokens": 200_001}) == Decimal("0.420002")


def test_a_fee_of_every_call_is_always_in_it_at_the_dearest_kind() -> None:
    fees = [price("m", "requests", "5000", per_event=True), price("m", "high_context_requests", "12000")]
    assert amount([*M, *fees], {"input_tokens": 0}) == Decimal("0.020")  # 0.008 + 0.012
    assert amount([*M, *fees], {"input_tokens": 0, "requests": 2}) == Decimal("0.032")


def test_without_a_maximum_of_the_output_the_models_own_counts_and_without_one_it_is_refused() -> None:
    said = {"max_output_tokens": None}
    known = amount(M, {"input_tokens": 0}, most_output={("openai", "m"): 128_000}, **said)
    assert known == Decimal("1.024")
    reason = "how much openai/m puts out at most is neither stated nor known"
    assert refused(M, {"input_tokens": 0}, **said) == (reason, "max_output_tokens")
    embeds = [price("m", "input_tokens", "2")]
    assert amount(embeds, {"input_tokens": 1000}, **said) == Decimal("0.002")  # it puts nothing out


def test_what_nobody_can_bound_is_refused_with_what_is_missing() -> None:
    assert refused(M, {}) == ("openai/m is charged by its input, and none is stated", "quantities")
    assert (
        refused(M, {"input_tokens": 1, "searches": 1})[0] == "No price for searches of openai/m on 2026-11-20"
    )
    assert refused(M, {"input_tokens": 1}, provider="nobody")[1] == "provider"
    gap = price("m", "output_tokens", "8", when=Conditions(effective_to=NOON + HOUR / 2))
    assert (
        refused([M[0], gap], {"input_tokens": 1})[0] == "No price for output_tokens of openai/m on 2026-11-20"
    )


def test_another_currency_counts_at_the_dearest_rate_of_the_span_and_a_missing_one_refuses() -> None:
    def fx(rate: str, since: datetime) -> FxRate:
        return identified(FxRate(base="USD", quote="EUR", rate=rate, effective_from=since, **SAID))

    euros = [*M, terms("acme", currency="EUR")]
    rates = [fx("0.9", NOON - HOUR), fx("0.95", NOON + HOUR / 2), fx("0.5", NOON + 2 * HOUR)]
    found = amount([*euros, *rates], {"input_tokens": 0})
    assert Decimal("0.0076") <= found <= Decimal("0.0076") + Decimal("1E-10")  # 0.008 x 0.95, rounded up
    assert refused([*euros, rates[1]], {"input_tokens": 0})[0] == "No rate from USD to EUR on 2026-11-20"
    moves = [*M, terms("acme"), terms("acme", currency="EUR", effective_from=NOON + HOUR / 2)]
    assert refused(moves, {"input_tokens": 0})[0] == "the book goes from USD to EUR on 2026-11-20"


def test_an_unknown_model_is_bounded_by_the_dearest_that_its_provider_sells() -> None:
    found = bounded([*M, price("cheap", "output_tokens", "1")], {"input_tokens": 0}, sku="new")
    assert isinstance(found, Bound)
    assert (found.amount, found.provisional) == (Decimal("0.008"), True)
    assert refused(M, {"input_tokens": 0}, sku="new", max_output_tokens=None)[1] == "max_output_tokens"


def test_the_shipped_limits_of_output_are_those_of_the_installed_list() -> None:
    assert encoded(derive(installed())) == FILE.read_bytes()
    assert shipped_output_limits()["openai", "gpt-5"] == 128_000


SHIPPED = load_snapshot()
AGREED = [
    terms("acme", contracts=("dear", "cheap")),
    adjustment(
        "enterprise", "1.25", layer="contract", contract="dear", kind="contracted", provider="anthropic"
    ),
    adjustment("enterprise", "0.8", layer="contract", contract="cheap", kind="contracted", provider="openai"),
    price("gpt-5", "output_tokens", "11", layer="contract", contract="dear", kind="contracted"),
    terms("euro", currency="EUR"),
    identified(
        FxRate(
            base="USD",
            quote="EUR",
            rate="0.87654321",
            effective_from=datetime(2020, 1, 1, tzinfo=UTC),
            **SAID,
        )
    ),
]
BOOK = PriceBook([*SHIPPED, *AGREED])
SKUS = sorted(BOOK.lists.prices)
FAMOUS = [
    ("openai", "gpt-5"),
    ("anthropic", "claude-opus-4-6"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash-image"),
    ("aws", "anthropic.claude-3-haiku-20240307-v1:0"),
    ("azure", "gpt-5-mini"),
    ("deepseek", "deepseek-v4-flash"),
    ("perplexity", "sonar-pro"),
    ("openai", "gpt-99-ultra"),
    ("anthropic", "claude-zeta-9"),
    ("openai", "text-embedding-9"),
    ("mistral", "gpt-5-turbo"),
]
TIERS = ["standard", "priority", "flex", "fast", "batch", "nobody-knows"]
REGIONS = ["", "eu", "us", "eu-west-2", "us-gov-west-1", "us-east5", "global", "moon-1"]
PROMPT = ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"]
PUT_OUT = ["output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens"]
counts = st.integers(0, 400_000)


@settings(max_examples=400, deadline=None)
@given(
    names=st.one_of(st.sampled_from(FAMOUS), st.sampled_from(SKUS)),
    prompt=st.tuples(*[counts] * 4),
    output=st.tuples(*[st.integers(0, 20_000)] * 4),
    fees=st.dictionaries(
        st.sampled_from(["searches", "requests", "images", "audio_seconds"]), counts, max_size=2
    ),
    stated=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    way=st.tuples(st.sampled_from(TIERS), st.sampled_from(REGIONS), st.booleans()),
    tenant=st.sampled_from(["acme", "euro", "other"]),
    minutes=st.integers(0, 1_355_000),
    later=st.integers(0, 3600),
)
def test_no_call_within_what_was_stated_is_booked_above_its_bound(
    names, prompt, output, fees, stated, way, tenant, minutes, later
) -> None:
    """Of the real catalog: any model, known or not, however the input and output turn out to be split."""
    (provider, sku), (tier, region, batch) = names, way
    since = datetime(2024, 6, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    usage = {unit: n for unit, n in zip([*PROMPT, *PUT_OUT], [*prompt, *output], strict=True) if n}
    event = used(
        provider,
        sku,
        usage | fees,
        at=since + timedelta(seconds=later),
        tenant=tenant,
        service_tier=tier,
        region=region,
        batch=batch,
    )
    found = bound(
        BOOK,
        tenant,
        provider=provider,
        sku=sku,
        quantities={"input_tokens": sum(prompt)} | fees,
        max_output_tokens=sum(output),
        way=AnyWay(
            service_tier=tier if stated[0] else None,
            region=region if stated[1] else None,
            batch=batch if stated[2] else None,
        ),
        since=since,
        until=since + HOUR,
    )
    if isinstance(found, Bound):
        rating = rate(event, BOOK)
        assert rating.effective <= found.amount and rating.currency == found.currency


@pytest.mark.parametrize(("provider", "sku"), [("openai", "gpt-5"), ("google", "gemini-2.5-flash")])
def test_of_a_real_model_a_plain_call_is_bounded_by_exactly_what_it_costs_without_a_cache(
    book: PriceBook, provider: str, sku: str
) -> None:
    usage = {"input_tokens": 9000, "output_tokens": 1000}
    cost = rate(used(provider, sku, usage), book).effective
    found = bound(
        book,
        "acme",
        provider=provider,
        sku=sku,
        quantities={"input_tokens": 9000},
        max_output_tokens=1000,
        way=PLAIN,
        since=NOON,
        until=NOON + HOUR,
    )
    assert isinstance(found, Bound)
    assert found.amount == cost
