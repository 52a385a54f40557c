"""Remarks: what of the way of serving no price mentions stands on every line that has one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendmeter.contracts.catalog import CalendarEntry, CatalogEntry, Conditions, HoursWindow, NameRule
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.terms import FOR_EVER, SINCE_EVER
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import explain, text
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.price_lists import by_region
from spendmeter.pricing.scope import Scope
from tests.pricing.entries import NOON, RECORDED, adjustment, price, rated, spelling, terms, used

MILLION = {"input_tokens": 1_000_000}
INPUT, OUTPUT = price("m", "input_tokens", "2"), price("m", "output_tokens", "8")
BATCH, FLEX, EU = Conditions(batch=True), Conditions(tiers=("flex",)), Conditions(regions=("eu",))
FLEX_INPUT = price("m", "input_tokens", "1", when=FLEX)
BATCH_INPUT = price("m", "input_tokens", "1", when=BATCH)
CACHED = price("m", "cache_read_tokens", "0.2")
HALF_INPUT = adjustment("batch", "0.5", when=BATCH, units=("input_tokens",))
ELSEWHERE = price("other", "input_tokens", "3", when=EU)
"""The provider charges by region, but not for this model."""


def remarks(*entries: CatalogEntry, usage: Any = MILLION, **said: Any) -> set[tuple[str, ...]]:
    return {line.remarks for line in rated([*entries], usage, **said).lines}


@pytest.mark.parametrize(
    ("entries", "context", "found"),
    [
        ([INPUT], {}, ()),
        ([INPUT], {"service_tier": ""}, ()),
        ([INPUT], {"service_tier": "turbo"}, ("tier",)),
        ([INPUT, FLEX_INPUT], {"service_tier": "turbo"}, ("tier",)),
        ([INPUT, FLEX_INPUT], {"service_tier": "fleex"}, ("tier",)),
        ([INPUT, FLEX_INPUT], {"service_tier": "Flex"}, ()),
        ([INPUT, FLEX_INPUT, spelling("tier", "", "default")], {"service_tier": "default"}, ()),
        ([INPUT], {"batch": True}, ("batch",)),
        ([INPUT], {"service_tier": "batch"}, ("batch",)),
        ([INPUT, BATCH_INPUT], {"batch": True}, ()),
        ([INPUT, adjustment("batch", "0.5", when=BATCH)], {"batch": True}, ()),
        ([INPUT, adjustment("batch", "0.5", when=BATCH, skus=("x*",))], {"batch": True}, ("batch",)),
        ([INPUT], {"region": "eu"}, ()),  # the provider does not charge by region
        ([INPUT, adjustment("batch", "0.5", when=BATCH, unless=("m",))], {"batch": True}, ("batch",)),
        ([INPUT, adjustment("tier", "2", when=FLEX, unless=("m",))], {"service_tier": "flex"}, ("tier",)),
        ([INPUT, ELSEWHERE], {"region": "eu"}, ("region",)),
        ([INPUT, ELSEWHERE], {"region": "mars"}, ("region",)),
        ([INPUT, ELSEWHERE], {"region": ""}, ()),
        ([INPUT, ELSEWHERE, spelling("region", "", "global")], {"region": "Global"}, ()),
        ([INPUT, adjustment("uplift", "1.1", when=EU)], {"region": "EU"}, ()),
        ([INPUT, adjustment("uplift", "1.1", when=EU)], {"region": "us"}, ("region",)),
        ([INPUT, adjustment("uplift", "1.1", when=EU, unless=("m",))], {"region": "eu"}, ()),
        ([INPUT, adjustment("uplift", "1.1", when=EU, unless=("m",))], {"region": "us"}, ("region",)),
        ([price("m", "input_tokens", "2", all_in=True), ELSEWHERE], {"region": "eu", "batch": True}, ()),
        ([INPUT, ELSEWHERE], {"region": "eu", "batch": True, "service_tier": "turbo"}, ("batch", "tier", "region")),
    ],
)  # fmt: skip
def test_what_no_price_mentions_is_remarked(
    entries: list[CatalogEntry], context: dict[str, Any], found: tuple[str, ...]
) -> None:
    assert remarks(*entries, **context) == {found}


@pytest.mark.parametrize(
    ("entries", "context", "found"),
    [
        # a cached token has a price of its own, which says nothing of a batch; what has none takes its parent's
        ([INPUT, BATCH_INPUT, CACHED], {"batch": True}, {"cache_read_tokens": ("batch",)}),
        ([INPUT, BATCH_INPUT], {"batch": True}, {}),
        ([INPUT, CACHED, HALF_INPUT], {"batch": True}, {"cache_read_tokens": ("batch",)}),
        ([INPUT, CACHED, adjustment("batch", "0.5", when=BATCH)], {"batch": True}, {}),
        ([INPUT, CACHED, adjustment("up", "1.1", when=EU, units=("input_tokens",))], {"region": "eu"},
         {"cache_read_tokens": ("region",)}),
        ([INPUT, CACHED, adjustment("up", "1.1", when=EU, units=("input_tokens",), unless=("m",))],
         {"region": "eu"}, {"cache_read_tokens": ("region",)}),
    ],
)  # fmt: skip
def test_a_line_remarks_what_its_own_price_and_factors_do_not_say(
    entries: list[CatalogEntry], context: dict[str, Any], found: dict[str, tuple[str, ...]]
) -> None:
    rating = rated(entries, {"input_tokens": 7, "cache_read_tokens": 5}, **context)
    assert {line.unit: line.remarks for line in rating.lines if line.remarks} == found


def test_a_fee_for_a_use_is_the_same_whatever_serves_the_request() -> None:
    fee = price("m", "searches", "10", per=1_000)
    (line,) = rated([INPUT, ELSEWHERE, fee], {"searches": 3}, batch=True, region="eu").lines
    assert (line.amount, line.remarks) == ("0.03", ())


def test_a_price_that_is_outranked_mentions_nothing() -> None:
    ours = price("m", "input_tokens", "3", layer="organisation")
    assert remarks(INPUT, BATCH_INPUT, ours, batch=True) == {("batch",)}
    assert remarks(INPUT, BATCH_INPUT, ours, adjustment("batch", "0.5", when=BATCH), batch=True) == {()}
    unstated = adjustment("uplift", "1.1", layer="organisation")
    eu = adjustment("uplift", "1.2", when=EU)
    assert remarks(INPUT, eu, region="eu") == {()}
    assert remarks(INPUT, eu, unstated, region="eu") == {("region",)}


def test_a_price_for_other_lengths_or_hours_mentions_nothing() -> None:
    short = price("m", "input_tokens", "1", when=Conditions(batch=True, context_max=1_000))
    assert remarks(INPUT, short, batch=True, usage={"input_tokens": 1_000}) == {()}
    assert remarks(INPUT, short, batch=True, usage={"input_tokens": 1_001}) == {("batch",)}


def test_where_a_contract_decides_what_is_owed_its_price_is_the_one_that_says_or_not() -> None:
    acme = terms("acme", contracts=("deal",))
    said = {"layer": "contract", "contract": "deal", "kind": "contracted"}
    assert remarks(INPUT, BATCH_INPUT, price("m", "input_tokens", "1.5", **said), acme, batch=True) == {
        ("batch",)
    }
    assert remarks(INPUT, price("m", "input_tokens", "0.9", when=BATCH, **said), acme, batch=True) == {()}
    assert remarks(INPUT, BATCH_INPUT, adjustment("deal", "0.9", **said), acme, batch=True) == {()}


def test_every_line_that_has_a_price_carries_it() -> None:
    usage = MILLION | {"output_tokens": 5, "cache_read_tokens": 7, "searches": 1}
    fee = price("m", "requests", "1", per=1, per_event=True)
    rating = rated([INPUT, OUTPUT, fee], usage, batch=True)
    assert {line.unit: line.remarks for line in rating.lines} == {
        "input_tokens": ("batch",), "output_tokens": ("batch",), "cache_read_tokens": ("batch",),
        "searches": (), "requests": ("batch",),
    }  # fmt: skip
    assert [line.status for line in rating.lines if not line.remarks] == ["unpriced"]


def test_a_bare_line_is_as_short_as_ever_and_one_with_a_remark_says_it_in_a_word() -> None:
    (plain,) = rated([INPUT], MILLION).lines
    assert msgspec.to_builtins(plain).keys() == {"unit", "entry", "price", "amount"}
    (line,) = rated([INPUT], MILLION, batch=True).lines
    assert msgspec.to_builtins(line) == msgspec.to_builtins(plain) | {"remarks": ("batch",)}


def test_a_mention_counts_while_it_is_in_force() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    began = price("m", "input_tokens", "1", when=Conditions(batch=True, effective_from=since))
    before = datetime(2026, 11, 19, 23, 59, 59, tzinfo=UTC)
    assert remarks(INPUT, began, batch=True, at=before) == {("batch",)}
    assert remarks(INPUT, began, batch=True, at=since) == {()}
    by_then = price("other", "input_tokens", "3", when=Conditions(regions=("eu",), effective_from=since))
    book = PriceBook([INPUT, by_then])
    for at, found in ((before, ()), (since, ("region",)), (before, ())):  # one plan, other stretches
        (line,) = rate(used("openai", "m", MILLION, at=at, region="us"), book).lines
        assert line.remarks == found


def test_where_hours_matter_the_remark_is_made_for_each_event() -> None:
    utc = identified(CalendarEntry(name="utc", time_zone="UTC", source="test", recorded_at=RECORDED))
    peak = Conditions(calendar="utc", windows=(HoursWindow(start="12:00", end="13:00"),))
    dear = price("m", "input_tokens", "4", when=peak)
    assert remarks(INPUT, dear, utc, batch=True, at=NOON) == {("batch",)}


def test_nobody_learns_from_a_remark_that_another_tenant_has_regional_prices() -> None:
    theirs = price("other", "input_tokens", "3", when=EU, tenant="globex", layer="organisation")
    assert remarks(INPUT, theirs, region="eu") == {()}
    assert remarks(INPUT, theirs, region="eu", tenant="globex") == {("region",)}
    deal = price("other", "input_tokens", "3", when=EU, contract="deal", layer="contract")
    acme = terms("acme", contracts=("deal",))
    assert remarks(INPUT, deal, acme, region="eu") == {("region",)}
    assert remarks(INPUT, deal, acme, region="eu", tenant="globex") == {()}


def test_an_unknown_model_has_a_bound_and_no_remark() -> None:
    rating = rated([INPUT], MILLION, sku="m-9", batch=True, service_tier="turbo")
    assert (rating.status, rating.lines[0].remarks) == ("provisional", ())


def test_the_words_are_made_where_it_is_shown() -> None:
    event = used("openai", "m", MILLION, region="Mars-1", service_tier="Turbo", batch=True)
    _, (line,) = explain(event, PriceBook([INPUT, ELSEWHERE]))
    assert line.remarks == (
        "no price is for a batch: this one is for any request",
        "no price is for tier Turbo: this one is for any",
        "no price is for region Mars-1: this one is for any",
    )
    assert line.reason == ""
    assert "  no price is for region Mars-1: this one is for any" in list(text(line))


def test_the_words_name_the_region_that_the_models_name_says() -> None:
    prefix = NameRule(
        name="region", match=("{region}/{name}",), becomes="{name}", costs="same", says="where it is served",
        source="test", recorded_at=RECORDED,
    )  # fmt: skip
    book = PriceBook([INPUT, ELSEWHERE, identified(prefix)])
    _, (line,) = explain(used("openai", "US-west-9/m", MILLION), book)
    assert line.remarks == ("no price is for region us-west-9: this one is for any",)
    _, (line,) = explain(
        used("openai", "eu/m", MILLION),
        PriceBook([INPUT, adjustment("up", "1.1", when=EU), identified(prefix)]),
    )
    assert line.remarks == ()


def test_a_remark_changes_no_amount_and_no_status() -> None:
    plain, odd = rated([INPUT], MILLION), rated([INPUT], MILLION, service_tier="turbo")
    assert (odd.list, odd.contracted, odd.status) == (plain.list, plain.contracted, plain.status)


moments = st.integers(0, 200).map(lambda hours: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
ends = st.none() | moments


@given(st.lists(st.tuples(ends, ends), max_size=6), moments)
def test_a_provider_charges_by_region_whenever_one_entry_says_so(
    spans: list[tuple[datetime | None, datetime | None]], at: datetime
) -> None:
    entries = [
        price("m", "input_tokens", "1", when=Conditions(regions=("eu",), effective_from=since, effective_to=until))
        for since, until in spans
        if (since or SINCE_EVER) < (until or FOR_EVER)
    ]  # fmt: skip
    joined = by_region(entries).spans(Scope())
    assert any(since <= at < until for since, until in joined) == any(e.when.in_force(at) for e in entries)
    assert all(one[1] < other[0] for one, other in pairwise(joined))


def test_no_remark_is_on_what_the_shipped_catalog_prices_as_it_was_served() -> None:
    book = PriceBook(load_snapshot("openai", "anthropic"))
    for sku, context in (
        ("gpt-5.4", {"service_tier": "flex"}),
        ("gpt-5.4", {"service_tier": "default"}),
        ("gpt-4o", {"batch": True}),
        ("gpt-5.4", {"service_tier": "auto", "region": "global"}),
    ):
        (line,) = rate(used("openai", sku, MILLION, **context), book).lines
        assert line.remarks == (), (sku, context)
    (line,) = rate(used("openai", "gpt-4o", MILLION, service_tier="fleex"), book).lines
    assert line.remarks == ("tier",)


def test_a_zone_of_azures_that_may_be_openais_residency_is_remarked_where_the_two_cost_differently() -> None:
    book = PriceBook(load_snapshot("azure", "openai", "anthropic", "deepseek", "x-ai", "moonshotai"))
    for sku, context, found in (
        ("gpt-4o", {"region": "eu"}, ("region",)),
        ("gpt-4o", {"region": "datazone-eu"}, ()),
        ("gpt-5.4", {"region": "eu"}, ()),
        ("gpt-4o", {"service_tier": "DataZoneBatch"}, ()),
        ("gpt-4o", {"service_tier": "regional"}, ("tier",)),
    ):
        (line,) = rate(used("azure", sku, MILLION, **context), book).lines
        assert line.remarks == found, (sku, context)
