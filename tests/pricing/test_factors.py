"""Factors on prices: what they leave as it is, and how they meet batch, tier, region and contract prices."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from spendmeter.contracts.catalog import CatalogEntry, Conditions, Price, Provider
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.arithmetic import arithmetic
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.explain import contests, explain
from spendmeter.pricing.patterns import may_meet, within
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.words import entry_in_words
from spendmeter.verify.lines import add_up
from tests.pricing.entries import NOON, adjustment, model, price, rated, terms, unit, used

MILLION = {"input_tokens": 1_000_000}
INPUT = price("m", "input_tokens", "2")
BATCH, FLEX, EU = Conditions(batch=True), Conditions(tiers=("flex",)), Conditions(regions=("eu",))
HALF = adjustment("batch", "0.5", when=BATCH, unless_stated=True)
RESIDENCY = adjustment("residency", "1.1", when=EU, unless_stated=True)


def listed(*entries: CatalogEntry, usage: Any = MILLION, **said: Any) -> Decimal:
    return rated([*entries], usage, **said).list


def test_a_factor_leaves_alone_the_price_that_says_itself_what_a_batch_costs() -> None:
    assert listed(INPUT, HALF, batch=True) == 1
    assert listed(INPUT, HALF) == 2
    stated = price("m", "input_tokens", "1.3", when=BATCH)
    assert listed(INPUT, stated, HALF, batch=True) == Decimal("1.3")


def test_a_price_that_states_another_dimension_still_gets_the_factor() -> None:
    flex = price("m", "input_tokens", "1.2", when=FLEX)
    assert listed(INPUT, flex, RESIDENCY, service_tier="flex", region="eu") == Decimal("1.32")  # 1.2 x 1.1
    both = price("m", "input_tokens", "1.25", when=Conditions(tiers=("flex",), regions=("eu",)))
    assert listed(INPUT, flex, both, RESIDENCY, service_tier="flex", region="eu") == Decimal("1.25")
    assert listed(INPUT, flex, HALF, service_tier="flex", batch=True) == Decimal("0.6")  # 1.2 x 0.5


def test_batch_and_residency_multiply() -> None:
    assert listed(INPUT, HALF, RESIDENCY, batch=True, region="eu") == Decimal("1.1")  # 2 x 0.5 x 1.1


def test_what_decides_a_unit_of_a_batch_gets_the_factor_unless_its_own_price_or_parent_states_a_batch() -> (
    None
):
    read = {"cache_read_tokens": 1_000_000}
    cached = price("m", "cache_read_tokens", "0.2")
    stated = price("m", "input_tokens", "1.3", when=BATCH)
    assert listed(INPUT, stated, cached, HALF, usage=read, batch=True) == Decimal("0.1")
    assert listed(INPUT, stated, HALF, usage=read, batch=True) == Decimal("1.3")
    assert listed(INPUT, HALF, usage=read, batch=True) == 1


def test_of_one_name_the_next_factor_applies_where_the_first_leaves_a_price_alone() -> None:
    flex = price("m", "input_tokens", "1.2", when=FLEX)
    quarter = adjustment("batch", "0.25", when=Conditions(batch=True, tiers=("flex",)), unless_stated=True)
    assert listed(flex, quarter, HALF, service_tier="flex", batch=True) == Decimal("0.6")
    assert listed(INPUT, quarter, HALF, service_tier="flex", batch=True) == Decimal("0.5")


def test_a_price_that_is_all_in_gets_no_factor_on_list_prices_and_every_discount() -> None:
    all_in = price("m", "input_tokens", "2", all_in=True)
    discount = adjustment("deal", "0.9", kind="contracted")
    rating = rated([all_in, RESIDENCY, HALF, discount], MILLION, batch=True, region="eu")
    assert (rating.list, rating.contracted) == (2, Decimal("1.8"))


def test_each_of_list_and_contracted_price_gets_the_factors_that_are_not_in_it() -> None:
    acme = terms("acme", contracts=("deal",))
    deal = {"layer": "contract", "contract": "deal", "kind": "contracted"}
    for said, contracted in (
        ({}, "1.65"),
        ({"all_in": True}, "1.5"),
        ({"when": EU}, "1.5"),
    ):
        agreed = price("m", "input_tokens", "1.5", **deal, **said)
        rating = rated([INPUT, agreed, acme, RESIDENCY], MILLION, region="eu")
        assert (rating.list, rating.contracted) == (Decimal("2.2"), Decimal(contracted))
        (line,) = rating.lines
        assert [each.kind for each in line.multipliers] == ["list" if contracted == "1.65" else "list_alone"]
    regional = price("m", "input_tokens", "2.3", when=EU)
    agreed = price("m", "input_tokens", "1.5", **deal)
    rating = rated([INPUT, regional, agreed, acme, RESIDENCY], MILLION, region="eu")
    assert (rating.list, rating.contracted) == (Decimal("2.3"), Decimal("1.65"))
    assert [each.kind for each in rating.lines[0].multipliers] == ["contracted"]


def test_the_arithmetic_names_the_factors_of_each_price_alone() -> None:
    acme = terms("acme", contracts=("deal",))
    agreed = price(
        "m", "input_tokens", "1.5", layer="contract", contract="deal", kind="contracted", all_in=True
    )
    rating = rated([INPUT, agreed, acme, RESIDENCY], MILLION, region="eu")
    catalog = {INPUT.id: INPUT, agreed.id: agreed}
    steps = list(arithmetic(rating.lines[0], 1_000_000, "USD", catalog))
    assert "price: 2 USD for 1000000 x 1.1 (residency) = 0.0000022 USD each" in steps
    assert "contracted price: 1.5 USD for 1000000 = 0.0000015 USD each" in steps


def test_a_factor_leaves_out_the_skus_that_it_excepts() -> None:
    uplift = adjustment("residency", "1.1", when=EU, unless=("gpt-4*", "o3"))
    for sku, cost in (("gpt-4o", 2), ("gpt-5", Decimal("2.2")), ("o3", 2), ("o3-pro", Decimal("2.2"))):
        entries = [price(sku, "input_tokens", "2"), model(sku), uplift]
        assert rated(entries, MILLION, sku=sku, region="eu").list == cost


def test_factors_of_one_name_may_divide_the_models_among_them() -> None:
    new = adjustment("residency", "1.1", when=EU, skus=("gpt-*",), unless=("gpt-4*",))
    old = adjustment("residency", "1.05", when=EU, skus=("gpt-4*",))
    other = adjustment("residency", "1.2", when=EU, skus=("o*",))
    PriceBook([new, old, other])
    with pytest.raises(CatalogError, match="both adjust 'residency' of openai"):
        PriceBook([new, adjustment("residency", "1.05", when=EU, skus=("*-5",))])


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4", False),
        ("gpt-*", "*-mini", True),
        ("gpt-*", "claude-*", False),
        ("gpt-#", "gpt-5", True),
        ("gpt-#", "gpt-x", False),
        ("gpt-#", "*#", True),
        ("a*b*c", "*x*", True),
        ("a*b", "a*c", False),
        ("*", "", True),
        ("a", "", False),
    ],
)
def test_two_matches_meet_where_a_name_is_like_both(one: str, other: str, meet: bool) -> None:
    assert may_meet(one, other) == may_meet(other, one) == meet


@pytest.mark.parametrize(
    ("inner", "outer", "is_within"),
    [
        ("gpt-4o", "gpt-4*", True),
        ("gpt-4*", "gpt-*", True),
        ("gpt-*", "gpt-4*", False),
        ("gpt-#", "gpt-0", False),
        ("gpt-0", "gpt-#", True),
        ("gpt-#", "gpt-#", True),
        ("*", "gpt-#", False),
    ],
)
def test_a_match_lies_within_another_where_that_is_like_all_its_names(
    inner: str, outer: str, is_within: bool
) -> None:
    assert within(inner, outer) == is_within


def test_a_maximum_is_the_most_of_an_event_that_is_billed() -> None:
    grounded = price("m", "searches", "0.035", per=1, maximum="1")
    for searches, cost in ((0, "0"), (1, "0.035"), (3, "0.035")):
        rating = rated([INPUT, grounded], {"searches": searches})
        assert rating.list == Decimal(cost)
    (line,) = rated([INPUT, grounded], {"searches": 3}).lines
    assert line.quantity == 1
    steps = list(arithmetic(line, 3, "USD", {grounded.id: grounded}))
    assert steps[0] == "3 searches used, and 1 billed: the price's maximum"


def test_a_contract_bills_by_its_own_limits_and_where_it_states_none_by_the_lists() -> None:
    acme = terms("acme", contracts=("deal",))
    deal = {"layer": "contract", "contract": "deal", "kind": "contracted", "per": 1}
    for list_most, deal_most, listed_cost, contracted_cost, quantities in (
        ("1", None, "0.035", "0.03", (1, None)),
        ("1", "2", "0.035", "0.06", (1, 2)),
        (None, "1", "0.105", "0.03", (None, 1)),
        (None, None, "0.105", "0.09", (None, None)),
    ):
        grounded = price("m", "searches", "0.035", per=1, maximum=list_most)
        agreed = price("m", "searches", "0.03", maximum=deal_most, **deal)
        rating = rated([INPUT, grounded, agreed, acme], {"searches": 3})
        assert (rating.list, rating.contracted) == (Decimal(listed_cost), Decimal(contracted_cost))
        (line,) = rating.lines
        assert (line.quantity, line.contracted_quantity) == quantities
        row = msgspec.json.decode(msgspec.json.encode(line))
        bill = add_up([row], {"searches": Decimal(3)}, currency="USD", time=NOON, rates={})
        assert (bill.contracted, bill.faults) == (rating.contracted, [])
        last = list(arithmetic(line, 3, "USD", {}))[-1]
        assert last.startswith(f"contracted: {quantities[1] or quantities[0] or 3} searches x 0.03 = ")


@pytest.mark.parametrize(("least", "most"), [("2", "1"), ("0", "0"), ("0.5", "0")])
def test_a_maximum_that_bills_nothing_or_less_than_the_minimum_is_refused(least: str, most: str) -> None:
    with pytest.raises(CatalogError, match="a maximum of"):
        PriceBook([price("m", "searches", "1", minimum=least, maximum=most)])


def test_a_fee_of_each_event_is_not_charged_beside_one_of_its_kinds() -> None:
    """A fee per call of 6 for 1,000, or of 14 where the event says that its search took much context."""
    fees = [
        unit("deep_requests", parent="requests"),
        unit("deepest_requests", parent="deep_requests"),
        price("m", "requests", "6", per=1000, per_event=True),
        price("m", "deep_requests", "14", per=1000),
        INPUT,
    ]
    for usage, cost in (
        ({}, "0.006"),
        ({"requests": 2}, "0.012"),
        ({"deep_requests": 1}, "0.014"),
        ({"deepest_requests": 1}, "0.014"),
    ):
        assert rated(fees, MILLION | usage).list == 2 + Decimal(cost)


def test_the_bound_of_an_unknown_model_has_the_factors_in_it() -> None:
    siblings = [
        price("gpt-9-mini", "input_tokens", "2"),
        price("gpt-9-maxi", "input_tokens", "2.1", all_in=True),
        RESIDENCY,
    ]
    asked = used("openai", "gpt-10-mini", MILLION, region="eu")
    assert rate(asked, PriceBook(siblings)).list == Decimal("3.3")  # 1.5 x 2 x 1.1
    bound = rate(used("openai", "unheard-of", MILLION, region="eu"), PriceBook(siblings))
    assert bound.list == Decimal("2.2")  # 2 x 1.1 is more than 2.1


def test_it_is_explained_why_a_factor_does_not_apply() -> None:
    stated = price("m", "input_tokens", "1.3", when=BATCH)
    event = used("openai", "m", MILLION, batch=True)
    found = {each.of: each for each in contests(event, PriceBook([INPUT, stated, HALF]), "input_tokens")}
    spared = found["batch (list)"]
    assert (spared.entry, spared.why) == ("", "none of these may apply to the price")
    says = f"entry {stated.id} says itself what serving like that costs (in a batch)"
    assert [loser.reason for loser in spared.losers] == [says]
    all_in = price("m", "input_tokens", "2", all_in=True)
    _, (line,) = explain(event, PriceBook([all_in, HALF]))
    (loser,) = line.contests[1].losers
    assert loser.reason == f"entry {all_in.id} has it in its price: no factor on list prices applies to it"


def test_a_factor_of_one_keeps_others_of_its_name_away_and_leaves_no_trace_on_the_line() -> None:
    old = adjustment("residency", "1", when=EU, skus=("m",))
    entries = [INPUT, RESIDENCY, old]
    rating = rated(entries, MILLION, region="eu")
    (line,) = rating.lines
    assert (rating.list, line.multipliers, line.remarks) == (2, (), ())
    (bare,) = rated([INPUT], MILLION).lines
    assert line == bare
    _, found = contests(used("openai", "m", MILLION, region="eu"), PriceBook(entries), "input_tokens")
    assert (found.entry, found.why) == ("", "none of these may apply to the price")
    assert {loser.entry: loser.reason for loser in found.losers} == {
        old.id: "it ranks first, and x 1 leaves the price as it is",
        RESIDENCY.id: "less specific: it says nothing of the model",
    }


def test_what_a_factor_leaves_alone_is_in_the_entry_for_people() -> None:
    uplift = adjustment("residency", "1.1", when=EU, unless=("gpt-4*",), unless_stated=True)
    assert entry_in_words(uplift) == (
        "x 1.1 on every unit of openai/every model (region eu; but for gpt-4*; "
        "not on a price that states as much itself)"
    )
    most: Price = price("m", "searches", "35", maximum="1", all_in=True)
    assert entry_in_words(most).endswith("(at most 1; no factor on list prices)")


def test_a_contract_of_its_own_dates_gets_the_factor_from_the_day_on_which_it_begins() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    begins = adjustment("residency", "1.1", when=Conditions(regions=("eu",), effective_from=since))
    assert listed(INPUT, begins, region="eu", at=since) == Decimal("2.2")
    assert listed(INPUT, begins, region="eu", at=datetime(2026, 11, 19, 23, 59, 59, tzinfo=UTC)) == 2


AZURE = identified(Provider(provider="azure", resells=("openai",), source="test", recorded_at=NOON))


def resold(*entries: CatalogEntry, sku: str = "m", **context: Any) -> Rating:
    return rate(used("azure", sku, MILLION, **context), PriceBook([INPUT, AZURE, *entries]))


def test_a_resellers_own_factors_are_on_what_it_resells_and_on_nothing_that_its_maker_sells() -> None:
    fee = adjustment("fee", "1.055", provider="azure")
    assert resold(fee).list == Decimal("2.11")
    assert resold(fee, HALF, batch=True).list == Decimal("1.055")  # 2 x 0.5 x 1.055
    assert rated([INPUT, AZURE, fee], MILLION).list == 2
    assert resold(adjustment("fee", "1.055", provider="azure", skus=("n*",))).list == 2
    ours = adjustment("deal", "0.9", provider="azure", kind="contracted", layer="contract", tenant="acme")
    assert (resold(ours).list, resold(ours).contracted) == (2, Decimal("1.8"))


def test_of_two_factors_of_one_name_that_say_as_much_the_one_of_who_sells_it_applies() -> None:
    theirs = adjustment("residency", "1.2", when=EU, provider="azure")
    entries = [RESIDENCY, theirs]
    assert resold(*entries, region="eu").list == Decimal("2.4")
    assert rated([INPUT, AZURE, *entries], MILLION, region="eu").list == Decimal("2.2")
    _, (line,) = explain(used("azure", "m", MILLION, region="eu"), PriceBook([INPUT, AZURE, *entries]))
    (contest,) = [each for each in line.contests if each.of == "residency (list)"]
    assert (contest.entry, [each.reason for each in contest.losers]) == (
        theirs.id,
        ["of openai, and azure sells it here"],
    )


def test_a_reseller_that_charges_by_region_is_asked_where_and_bounds_what_is_like_what_it_resells() -> None:
    elsewhere = adjustment("up", "1.1", when=EU, provider="azure", skus=("n*",))
    assert resold(elsewhere, region="us").lines[0].remarks == ("region",)
    assert rated([INPUT, AZURE, elsewhere], MILLION, region="us").lines[0].remarks == ()
    known = price("gpt-4o", "input_tokens", "4")
    fee = adjustment("fee", "1.5", provider="azure")
    assert resold(known, fee, sku="my-gpt-4o-prod").list == 6
