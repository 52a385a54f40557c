"""The same usage under another scenario."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendmeter.contracts.catalog import Conditions
from spendmeter.contracts.events import Amount, Labels, UsageEvent
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.what_if import Scenario, ScenarioSums, cached, reprice
from tests.pricing.entries import NOON, adjustment, price, rated, terms, used

CACHED = [
    price("m", "input_tokens", "3"),
    price("m", "cache_write_5m_tokens", "3.75"),
    price("m", "cache_write_1h_tokens", "6"),
    price("m", "cache_read_tokens", "0.3"),
    price("m", "output_tokens", "15"),
]
MILLION = {"input_tokens": 1_000_000}


def at(minutes: float, usage: dict[str, int | Decimal], **said: Any) -> UsageEvent:
    return used("openai", "m", usage, at=NOON + timedelta(minutes=minutes), **said)


def summed(events: list[UsageEvent], scenario: Scenario, entries: list[Any]) -> ScenarioSums:
    [sums] = reprice(events, scenario, PriceBook(entries)).sums
    return sums


# Golden case 17: 100 calls of a 100,000-token prefix and 1,000 fresh tokens, one a minute, in four groups that
# lie ten minutes apart: the 5 minute cache is cold four times, the 1 hour cache once.
TIMES = [group * 34 + call for group in range(4) for call in range(25)]
COLD = {"5m": {0, 34, 68, 102}, "1h": {0}}


def sent_with(policy: str) -> list[UsageEvent]:
    """The case as a sender with that cache reports it."""
    if policy == "none":
        return [at(minute, {"input_tokens": 101_000}) for minute in TIMES]
    units = {True: f"cache_write_{policy}_tokens", False: "cache_read_tokens"}
    return [at(minute, {"input_tokens": 1_000, units[minute in COLD[policy]]: 100_000}) for minute in TIMES]


GOLDEN = {"none": "30.30", "5m": "4.68", "1h": "3.87"}


@pytest.mark.parametrize("sent", GOLDEN)
@pytest.mark.parametrize("policy", GOLDEN)
def test_cache_policies_turn_into_one_another(sent: str, policy: Any) -> None:
    prefix = 100_000 if sent == "none" else None  # events without a cache do not tell what repeats
    sums = summed(sent_with(sent), Scenario(cache=policy, prefix_tokens=prefix), CACHED)
    assert sums.before.list == Decimal(GOLDEN[sent])
    assert sums.after.list == Decimal(GOLDEN[policy])


@pytest.mark.parametrize(("minutes", "read"), [(4.99, 100), (5, 0), (5.01, 0)])
def test_a_cache_is_cold_when_its_life_is_over(minutes: float, read: int) -> None:
    events = [at(0, {"cache_write_5m_tokens": 100}), at(minutes, {"cache_read_tokens": 100})]
    assert cached(events, "5m")[1].get("cache_read_tokens", 0) == read


def test_a_longer_prefix_writes_what_is_new_and_a_shorter_one_reads_itself() -> None:
    events = [
        at(n, {"cache_read_tokens": tokens, "input_tokens": 7}) for n, tokens in enumerate((50, 80, 30))
    ]
    assert cached(events, "1h") == [
        {"input_tokens": 7, "cache_write_1h_tokens": 50},
        {"input_tokens": 7, "cache_read_tokens": 50, "cache_write_1h_tokens": 30},
        {"input_tokens": 7, "cache_read_tokens": 30},
    ]


def test_only_requests_of_one_series_share_a_cache() -> None:
    one, other = (
        at(n, {"cache_read_tokens": 9}, tenant=tenant) for n, tenant in enumerate(("acme", "globex"))
    )
    third = msgspec.structs.replace(one, data=msgspec.structs.replace(one.data, labels=Labels(agent="b")))
    assert cached([one, other, third], "5m") == [{"cache_write_5m_tokens": 9}] * 3


def test_audio_is_uncached_too_and_stays_as_it_was_under_a_cache() -> None:
    events = [at(0, {"cache_read_audio_tokens": 5, "input_audio_tokens": 1, "output_tokens": 3})]
    assert cached(events, "none") == [{"input_audio_tokens": 6, "output_tokens": 3}]
    assert cached(events, "5m") == [events[0].data.usage]


def test_another_model_tier_and_region() -> None:
    entries = [
        price("m", "input_tokens", "2"),
        price("n", "input_tokens", "1", provider="labs"),
        price("m", "input_tokens", "0.5", when=Conditions(tiers=("flex",))),
        price("m", "input_tokens", "0.7", when=Conditions(batch=True)),
        adjustment("residency", "1.1", when=Conditions(regions=("eu",))),
    ]
    events = [at(0, MILLION), at(1, MILLION)]
    for scenario, after in [
        (Scenario(provider="labs", sku="n"), "2"),
        (Scenario(service_tier="flex"), "1"),
        (Scenario(batch=True), "1.4"),
        (Scenario(region="eu"), "4.4"),
        (Scenario(service_tier="flex", region="eu"), "1.1"),
        (Scenario(), "4"),
    ]:
        sums = summed(events, scenario, entries)
        assert (sums.before.effective, sums.after.effective) == (4, Decimal(after)), scenario


def test_another_contract() -> None:
    entries = [
        price("m", "input_tokens", "2"),
        price("m", "input_tokens", "1.8", layer="contract", contract="old", kind="contracted"),
        price("m", "input_tokens", "1.5", layer="contract", contract="new", kind="contracted"),
        terms("acme", contracts=("old",)),
    ]
    book = PriceBook(entries)
    event = at(0, MILLION)
    [sums] = reprice([event], Scenario(contracts=("new",)), book).sums
    assert (sums.before.effective, sums.after.effective) == (Decimal("1.8"), Decimal("1.5"))
    assert (sums.before.list, sums.after.list) == (2, 2)
    [none] = reprice([event], Scenario(contracts=()), book).sums
    assert none.after.effective == 2
    assert rate(event, book).effective == Decimal("1.8")  # the book itself is as it was
    with pytest.raises(CatalogError, match="newest"):
        reprice([event], Scenario(contracts=("newest",)), book)


def test_what_becomes_unpriced_is_named_and_not_taken_for_a_saving() -> None:
    entries = [
        price("m", "input_tokens", "2"),
        price("m", "output_tokens", "8"),
        price("n", "input_tokens", "1"),
    ]
    events = [at(n, MILLION | {"output_tokens": 500_000}) for n in range(2)]
    comparison = reprice(events, Scenario(sku="n"), PriceBook(entries))
    [sums] = comparison.sums
    assert (sums.before.list, sums.after.list) == (12, 2)
    assert sums.became_unpriced == {"output_tokens": 1_000_000}
    assert (sums.before.unpriced_events, sums.after.unpriced_events) == (0, 2)
    [line] = comparison.events[0].became_unpriced
    assert line.reason == "No price for output_tokens of openai/n on 2026-11-20"


def test_what_was_unpriced_before_did_not_become_so_and_a_bound_is_no_price() -> None:
    entries = [price("gpt-1", "input_tokens", "2")]
    event = used("openai", "gpt-1", MILLION | {"pages": 3})
    [sums] = reprice([event], Scenario(sku="gpt-2"), PriceBook(entries)).sums
    assert sums.became_unpriced == {}
    [bounded] = reprice([used("openai", "gpt-1", MILLION)], Scenario(sku="gpt-2"), PriceBook(entries)).sums
    assert (bounded.after.of_which_provisional, bounded.before.of_which_provisional) == (3, 0)


def test_a_reported_cost_stands_where_nothing_changes() -> None:
    entries = [price("m", "input_tokens", "2"), price("n", "input_tokens", "1")]
    event = at(0, MILLION, reported=Amount(amount="9", currency="USD"), trusted=True)
    assert summed([event], Scenario(), entries).after.list == 9
    assert summed([event], Scenario(sku="n"), entries).after.list == 1


def test_currencies_are_never_added() -> None:
    entries = [price("m", "input_tokens", "2"), price("m", "input_tokens", "1", layer="contract", tenant="globex", currency="EUR"),
               terms("globex", currency="EUR")]  # fmt: skip
    comparison = reprice([at(0, MILLION), at(0, MILLION, tenant="globex")], Scenario(), PriceBook(entries))
    assert [(sums.currency, sums.before.list) for sums in comparison.sums] == [("EUR", 1), ("USD", 2)]


prompts = st.dictionaries(
    st.sampled_from(["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
                     "output_tokens"]),
    st.integers(0, 10_000), min_size=1,
)  # fmt: skip
policies = st.sampled_from(["none", "5m", "1h"])
calls = st.lists(st.tuples(st.integers(0, 200), prompts), min_size=1, max_size=8)


def events_of(said: list[tuple[int, dict[str, int]]]) -> list[UsageEvent]:
    return [msgspec.structs.replace(at(minute, usage), id=str(n)) for n, (minute, usage) in enumerate(said)]


@settings(max_examples=200, deadline=None)
@given(calls, policies, st.none() | st.integers(0, 5000), st.randoms(use_true_random=False))
def test_no_token_is_lost_or_won_and_order_does_not_matter(said, policy, prefix, random) -> None:
    events = events_of(said)
    usages = cached(events, policy, prefix)
    for event, usage in zip(events, usages, strict=True):
        assert sum(usage.values()) == sum(event.data.usage.values())
        assert usage.get("output_tokens") == event.data.usage.get("output_tokens")
        assert all(quantity >= 0 for quantity in usage.values())
    shuffled = list(range(len(events)))
    random.shuffle(shuffled)
    again = cached([events[n] for n in shuffled], policy, prefix)
    assert again == [usages[n] for n in shuffled]


@settings(max_examples=100, deadline=None)
@given(calls)
def test_nothing_changed_changes_nothing(said) -> None:
    events = events_of(said)
    comparison = reprice(events, Scenario(), PriceBook(CACHED))
    assert all(each.before == each.after for each in comparison.events)
    [sums] = comparison.sums
    expected = sum(rated(CACHED, event.data.usage, at=_time(event)).list for event in events)
    assert sums.before == sums.after
    assert sums.before.list == expected


def _time(event: UsageEvent) -> datetime:
    assert isinstance(event.time, datetime)
    return event.time
