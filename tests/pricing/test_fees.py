"""Fees: an event says which, what is taken for granted is said, and what no price is for is a guess and no price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.missing import missing
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import adjustment, price, rated, terms, unit, used

REQUESTS = price("m", "requests", "6", per=1_000, per_event=True, assumes="low search context")
FEES = [
    price("m", "output_tokens", "15"),
    REQUESTS,
    price("m", "low_context_requests", "6", per=1_000),
    price("m", "high_context_requests", "14", per=1_000),
]
ANSWER = {"output_tokens": 1_000}


@pytest.mark.parametrize(
    ("usage", "fee", "reason"),
    [
        ({}, "0.006", "default: low search context, the event says none"),
        ({"requests": 2}, "0.012", "default: low search context, the event says none"),
        ({"low_context_requests": 1}, "0.006", ""),
        ({"high_context_requests": 1}, "0.014", ""),
    ],
)
def test_a_fee_by_search_context_is_the_one_that_the_event_states_or_the_vendors_default_and_the_line_says_so(
    usage: dict[str, int], fee: str, reason: str
) -> None:
    rating = rated(FEES, ANSWER | usage)
    *_, line = rating.lines
    assert (rating.status, line.amount, line.reason) == ("priced", fee, reason)
    assert rating.list == Decimal("0.015") + Decimal(fee)


def test_a_fee_of_a_kind_without_a_price_takes_the_defaults_as_a_guess_and_asks_for_its_price() -> None:
    usage = ANSWER | {"medium_context_requests": 1}
    rating = rated(FEES, usage)
    *_, line = rating.lines
    assert (line.status, line.amount, line.parent) == ("provisional", "0.006", "requests")
    assert line.reason == "no price is for medium_context_requests: this one assumes low search context"
    [lack] = missing(used("openai", "m", usage), PriceBook(FEES))
    assert (lack.kind, lack.says) == ("price", "no price for medium_context_requests of openai/m")


def test_a_contracts_price_that_assumes_what_the_event_does_not_say_is_as_much_of_a_guess_as_a_list_price() -> (
    None
):
    acme = terms("acme", contracts=("deal",))
    deal = {"layer": "contract", "contract": "deal", "kind": "contracted"}
    agreed = price("m", "requests", "5", per=1_000, assumes="low search context", **deal)
    usage = {"medium_context_requests": 1}
    firm = price("m", "requests", "6", per=1_000)
    guess = "no price is for medium_context_requests: this one assumes low search context"
    for entries, reason in (
        ([firm, agreed], guess),
        ([REQUESTS, agreed], guess),
        ([REQUESTS, adjustment("deal", "0.5", **deal)], guess),
        ([agreed], f"no list price: the contracted one stands for it; {guess}"),
    ):
        line = rated([*entries, acme], usage).lines[0]
        assert (line.status, line.reason) == ("provisional", reason)
    line = rated([firm, price("m", "requests", "5", per=1_000, **deal), acme], usage).lines[0]
    assert (line.status, line.amount, line.contracted_amount, line.reason) == ("priced", "0.006", "0.005", "")


def test_a_guess_of_nothing_stays_a_guess_whatever_the_factor() -> None:
    nothing = price("m", "requests", "0", assumes="low search context")
    (line,) = rated([nothing, adjustment("uplift", "1.1")], {"medium_context_requests": 1}).lines
    assert (line.status, line.amount) == ("provisional", "0")
    (line,) = rated([REQUESTS, adjustment("gift", "0")], {"medium_context_requests": 1}).lines[:1]
    assert (line.status, line.amount) == ("free", "0")


def test_a_vendor_with_one_price_for_every_search_prices_searches_of_any_context_by_it() -> None:
    (line,) = rated([price("m", "searches", "10", per=1_000)], {"high_context_searches": 3}).lines
    assert (line.status, line.amount, line.parent, line.reason) == ("priced", "0.03", "searches", "")


@pytest.mark.parametrize(
    ("known", "amount"), [("cache_write_1h_tokens", "4"), ("cache_write_5m_tokens", "2.5")]
)
def test_twelve_hour_writes_without_a_price_are_bounded_from_below_and_never_priced_as_shorter_ones(
    known: str, amount: str
) -> None:
    rating = rated([price("m", known, amount)], {"cache_write_12h_tokens": 1_000_000})
    (line,) = rating.lines
    assert (rating.status, line.status, line.amount, line.parent) == (
        "provisional",
        "provisional",
        amount,
        known,
    )
    assert line.reason == f"no price is for cache_write_12h_tokens: {known} cost less"


def test_twelve_hour_writes_with_a_price_are_priced() -> None:
    fees = [price("m", "cache_write_5m_tokens", "2.5"), price("m", "cache_write_12h_tokens", "5")]
    assert [
        (line.status, line.amount) for line in rated(fees, {"cache_write_12h_tokens": 400_000}).lines
    ] == [("priced", "2")]


def test_none_used_of_a_unit_without_a_price_of_its_own_is_no_guess() -> None:
    usage = {"cache_write_5m_tokens": 1_000_000, "cache_write_12h_tokens": 0}
    rating = rated([price("m", "cache_write_5m_tokens", "2.5")], usage)
    assert (rating.status, rating.list, rating.lines[1].reason) == ("priced", Decimal("2.5"), "none used")


def test_an_installation_that_had_a_unit_before_the_registry_keeps_it_as_it_stated_it() -> None:
    own = unit("web_fetches", parent="requests")
    (line,) = rated([own, price("m", "requests", "5", per=1_000)], {"web_fetches": 3}).lines
    assert (line.amount, line.parent) == ("0.015", "requests")
    with pytest.raises(CatalogError, match="redefines the unit searches"):
        PriceBook([unit("searches")])
