"""How prices are found and combined."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, Inexact

import msgspec
import pytest

from spendmeter.contracts.catalog import Conditions, FxRate, Provider, UnitEntry, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Amount
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, RECORDED, adjustment, model, price, rated, spelling, terms, used

INPUT = price("m", "input_tokens", "2")
OUTPUT = price("m", "output_tokens", "8")
MILLION = {"input_tokens": 1_000_000}


def fx(base: str, quote: str, rate: str, since: datetime) -> FxRate:
    return identified(
        FxRate(base=base, quote=quote, rate=rate, effective_from=since, source="test", recorded_at=RECORDED)
    )


def test_a_unit_without_a_price_takes_its_parents_and_the_line_says_so() -> None:
    (line,) = rated([INPUT], {"cache_write_1h_tokens": 1_000_000}).lines
    assert (line.amount, line.parent, line.entry) == ("2", "input_tokens", INPUT.id)


def test_a_unit_without_any_price_is_unpriced_and_never_zero() -> None:
    rating = rated([INPUT], MILLION | {"output_tokens": 5})
    assert (rating.status, rating.list) == ("unpriced", 2)
    assert rating.lines[1].amount is None
    assert "No price for output_tokens of openai/m on 2026-11-20" in rating.lines[1].reason


def test_an_unregistered_unit_is_an_unpriced_line() -> None:
    assert rated([INPUT], {"inpt_tokens": 5}).status == "unpriced"


def test_nothing_used_of_an_unknown_unit_costs_nothing() -> None:
    rating = rated([INPUT], MILLION | {"inpt_tokens": 0})
    assert (rating.status, rating.list) == ("priced", 2)


def test_only_an_explicit_zero_is_free() -> None:
    rating = rated([price("m", "input_tokens", "0")], MILLION)
    assert (rating.status, rating.list, rating.lines[0].amount) == ("free", 0, "0")


@pytest.mark.parametrize(
    ("tokens", "inclusive", "total"),
    [(100, False, "1"), (101, False, "2"), (99, True, "1"), (100, True, "2")],
)
def test_a_cliff_moves_the_whole_request(tokens: int, inclusive: bool, total: str) -> None:
    below = Conditions(context_max=100, context_max_inclusive=not inclusive)
    above = Conditions(context_min=100, context_min_inclusive=inclusive)
    entries = [
        price("m", "output_tokens", "1", when=below),
        price("m", "output_tokens", "2", when=above),
        price("m", "input_tokens", "0"),
    ]
    usage = {"cache_read_tokens": tokens, "output_tokens": 1_000_000}
    assert rated([*entries], usage).list == Decimal(total)


def test_what_served_decides_before_hours_and_length() -> None:
    entries = [
        INPUT,
        price("m", "input_tokens", "3", when=Conditions(regions=("eu",))),
        price("m", "input_tokens", "4", when=Conditions(tiers=("priority",))),
        price("m", "input_tokens", "1", when=Conditions(batch=True)),
        price("m", "input_tokens", "9", when=Conditions(context_min=10)),
    ]
    assert rated([*entries], MILLION).list == 9
    assert rated([*entries], MILLION, region="EU").list == 3
    assert rated([*entries], MILLION, region="eu", service_tier="priority").list == 4
    assert rated([*entries], MILLION, region="eu", service_tier="priority", batch=True).list == 1


def test_a_tier_without_a_price_of_its_own_pays_the_standard_price() -> None:
    assert rated([INPUT], MILLION, service_tier="turbo").list == 2


def test_later_layers_win_and_a_contract_only_for_its_tenants() -> None:
    entries = [
        INPUT,
        price("m", "input_tokens", "1.5", layer="organisation"),
        price("m", "input_tokens", "1.2", layer="contract", contract="deal", kind="contracted"),
        terms("acme", contracts=("deal",)),
    ]
    acme = rated([*entries], MILLION)
    assert (acme.list, acme.contracted, acme.effective) == (Decimal("1.5"), Decimal("1.2"), Decimal("1.2"))
    assert acme.lines[0].contracted_entry == entries[2].id
    other = rated([*entries], MILLION, tenant="globex")
    assert (other.list, other.contracted) == (Decimal("1.5"), Decimal("1.5"))


def test_a_tenants_own_price_is_for_nobody_else() -> None:
    entries = [INPUT, price("m", "input_tokens", "7", layer="contract", tenant="acme")]
    assert rated([*entries], MILLION).list == 7
    assert rated([*entries], MILLION, tenant="globex").list == 2


def test_a_contract_price_of_the_parent_does_not_displace_the_units_own_list_price() -> None:
    entries = [
        INPUT,
        price("m", "cache_read_tokens", "0.2"),
        price("m", "input_tokens", "1", layer="contract", tenant="acme", kind="contracted"),
    ]
    rating = rated([*entries], {"cache_read_tokens": 1_000_000, "input_tokens": 1_000_000})
    assert (rating.list, rating.contracted) == (Decimal("2.2"), Decimal("1.2"))


def test_a_private_offer_without_a_list_price_stands_for_both_and_says_so() -> None:
    entries = [price("m", "input_tokens", "4", layer="contract", tenant="acme", kind="contracted")]
    rating = rated([*entries], MILLION)
    assert (rating.list, rating.contracted, rating.status) == (4, 4, "priced")
    assert "no list price" in rating.lines[0].reason


def test_adjustments_multiply_and_a_discount_leaves_the_list_price_alone() -> None:
    entries = [
        INPUT,
        adjustment("eu residency", "1.1", when=Conditions(regions=("eu",))),
        adjustment("discount", "0.9", kind="contracted", layer="contract", tenant="acme"),
    ]
    rating = rated([*entries], MILLION, region="eu")
    assert (rating.list, rating.contracted) == (Decimal("2.2"), Decimal("1.98"))
    names = {(m.name, m.factor, m.kind) for m in rating.lines[0].multipliers}
    assert names == {("eu residency", "1.1", "list"), ("discount", "0.9", "contracted")}


def test_of_adjustments_of_one_name_the_most_specific_applies() -> None:
    entries = [INPUT, adjustment("discount", "0.9"), adjustment("discount", "0.5", skus=("m*",))]
    assert rated([*entries], MILLION).list == 1


def test_a_foreign_price_is_converted_at_the_rate_of_the_events_day() -> None:
    entries = [
        price("m", "input_tokens", "2", currency="CNY"),
        fx("CNY", "USD", "0.14", datetime(2026, 1, 1, tzinfo=UTC)),
        fx("CNY", "USD", "0.15", datetime(2026, 11, 21, tzinfo=UTC)),
    ]
    rating = rated([*entries], MILLION)
    (line,) = rating.lines
    assert (rating.list, rating.currency) == (Decimal("0.28"), "USD")
    assert (line.amount, line.currency, line.fx, line.book_list) == ("2", "CNY", entries[1].id, "0.28")


def test_without_a_rate_the_amount_is_unknown_not_zero() -> None:
    rating = rated([price("m", "input_tokens", "2", currency="CNY")], MILLION)
    assert rating.status == "unpriced"
    assert rating.lines[0].reason == "No rate from CNY to USD on 2026-11-20"


def test_what_is_free_or_was_not_used_costs_nothing_without_a_rate_too() -> None:
    foreign = (
        price("m", "input_tokens", "2", currency="CNY"),
        price("m", "output_tokens", "0", currency="CNY"),
    )
    rating = rated([*foreign], {"input_tokens": 0, "output_tokens": 500})
    assert (rating.status, rating.list) == ("free", 0)
    assert [line.status for line in rating.lines] == ["priced", "free"]
    assert [line.amount for line in rating.lines] == ["0", "0"]


def test_a_contract_in_another_currency_than_the_list_price() -> None:
    entries = [
        INPUT,
        price("m", "input_tokens", "1", currency="EUR", layer="contract", tenant="acme", kind="contracted"),
        fx("EUR", "USD", "1.2", datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    rating = rated([*entries], MILLION)
    (line,) = rating.lines
    assert (rating.list, rating.contracted) == (2, Decimal("1.2"))
    assert (line.contracted_currency, line.contracted_fx, line.book_contracted) == (
        "EUR",
        entries[2].id,
        "1.2",
    )


def test_the_book_is_kept_in_the_tenants_currency() -> None:
    entries = [
        INPUT,
        terms("acme", currency="EUR"),
        fx("USD", "EUR", "0.9", datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    rating = rated([*entries], MILLION)
    assert (rating.currency, rating.list) == ("EUR", Decimal("1.8"))
    reported = rated([*entries], MILLION, reported=Amount(amount="3", currency="EUR"), trusted=True)
    assert (reported.list, reported.status) == (3, "reported")


def test_an_hours_price_for_seconds_is_divided_once() -> None:
    rating = rated([price("m", "audio_seconds", "1", per=3600)], {"audio_seconds": 7})
    (line,) = rating.lines
    assert (line.price, line.per, line.amount) == ("1", 3600, "0.001944444444")


def test_at_least_the_minimum_is_billed_of_what_was_used_at_all() -> None:
    entry = price("m", "audio_seconds", "1", per=1, minimum="10")
    assert rated([entry], {"audio_seconds": Decimal("0.5")}).lines[0].quantity == 10
    assert rated([entry], {"audio_seconds": Decimal("0.5")}).list == 10
    assert rated([entry], {"audio_seconds": 0}).list == 0
    assert rated([entry], {"audio_seconds": 11}).list == 11


def test_an_unknown_model_is_bounded_by_its_family_then_its_provider_then_its_tenant() -> None:
    siblings = [price(f"gpt-{n}", "input_tokens", str(n)) for n in (3, 4, 5)]
    others = [price(f"other{chr(96 + n)}", "input_tokens", str(n)) for n in range(10, 27)]
    mine = terms("acme", fallback={"input_tokens": "0.0001"}, fallback_event="0.5")
    entries = [*siblings, *others, mine]
    family = rated([*entries], MILLION, sku="gpt-6")
    assert (family.list, family.status) == (Decimal("7.5"), "provisional")
    assert family.lines[0].reason == "unknown model: 1.5 times the nearest of the family gpt (gpt-5)"
    provider = rated([*entries], MILLION, sku="new")
    assert provider.list == 25  # nearest rank: the 19th of 20
    assert "95th percentile of 20 models of openai" in provider.lines[0].reason
    tenant = rate(used("nobody", "new", MILLION), PriceBook(entries))
    assert (tenant.list, tenant.lines[0].entry) == (100, mine.id)
    event = rate(used("nobody", "new", {"images": 4, "pages": 2}), PriceBook(entries))
    assert (event.list, event.status) == (Decimal("0.5"), "provisional")
    assert "for images, pages" in event.lines[0].reason
    nobody = rate(used("nobody", "new", MILLION, tenant="globex"), PriceBook(entries))
    assert (nobody.list, nobody.status) == (0, "unpriced")


def test_far_and_retired_siblings_do_not_bound() -> None:
    siblings = [price(f"gpt-{n}", "input_tokens", amount) for n, amount in ((1, "75"), (2, "2"), (3, "4"))]
    assert rated([*siblings], MILLION, sku="gpt-4").list == 6  # 1.5 times gpt-3
    retired = model("gpt-3", retired=True)
    assert rated([*siblings, retired], MILLION, sku="gpt-4").list == 3


def test_a_bound_is_that_of_the_events_own_length() -> None:
    long = Conditions(context_min=100)
    entries = [
        price("gpt-1", "input_tokens", "2", when=Conditions(context_max=100)),
        price("gpt-1", "input_tokens", "4", when=long),
    ]
    assert rated([*entries], {"input_tokens": 1}, sku="gpt-2").list == Decimal("0.000003")
    assert rated([*entries], {"input_tokens": 101}, sku="gpt-2").list == Decimal("0.000606")


def test_models_are_known_by_aliases_matches_and_resellers() -> None:
    entries = [
        model("m", "m-latest", match=("m-####-##-##", "ft:m*"), unless=("*-tts",)),
        INPUT,
        identified(Provider(provider="azure", resells=("openai",), source="test", recorded_at=RECORDED)),
        identified(Provider(provider="openai", match=("*openai*",), source="test", recorded_at=RECORDED)),
    ]
    book = PriceBook(entries)
    for name in ("M", "m-latest", "m-2026-01-01", "ft:m"):
        assert rate(used("openai", name, MILLION), book).status == "priced", name
    for name in ("ft:m-tts", "ft:m:acme"):  # what a star leaves open may be anything: no price, a bound
        assert rate(used("openai", name, MILLION), book).status == "provisional", name
    assert rate(used("my_openai_proxy", "m", MILLION), book).status == "priced"
    resold = rate(used("azure", "m", MILLION), book)
    assert (resold.status, resold.lines[0].reason) == ("priced", "price of openai, which azure resells")


def test_a_unit_that_the_catalog_adds_is_priced_like_any_other() -> None:
    entries = [
        identified(UnitEntry(unit="wishes", about="wishes granted", source="test", recorded_at=RECORDED)),
        price("lamp", "wishes", "3", provider="djinn", per=1),
    ]
    assert rate(used("djinn", "lamp", {"wishes": 3}), PriceBook(entries)).list == 9


def test_what_was_withdrawn_prices_nothing() -> None:
    gone = identified(Withdrawal(entries=(INPUT.id,), source="test", recorded_at=RECORDED))
    dearer = price("m", "input_tokens", "3")
    assert rated([INPUT, gone, dearer], MILLION).list == 3


def test_the_same_event_and_book_give_the_same_bytes() -> None:
    entries = [INPUT, OUTPUT, price("m", "cache_read_tokens", "1", when=Conditions(batch=True))]
    usage = {"output_tokens": 3, "cache_read_tokens": 5, "input_tokens": 7}
    one, other = rated([*entries], usage), rated([*reversed(entries)], usage)
    assert msgspec.json.encode(one) == msgspec.json.encode(other)


def test_amounts_with_more_digits_than_money_holds_raise() -> None:
    with pytest.raises(Inexact):
        rated(
            [price("m", "gb_months", f"123456789012345678.{'1' * 18}", per=1)],
            {"gb_months": Decimal("123456789012345678.123456789012")},
        )


def test_prices_are_plain_decimals_in_lines() -> None:
    (line,) = rated([price("m", "input_tokens", "0.0001")], {"input_tokens": 3}).lines
    assert (line.price, line.amount) == ("0.0000000001", "0.0000000003")


def test_rating_happens_at_the_events_own_time() -> None:
    entries = [
        price("m", "input_tokens", "1", when=Conditions(effective_to=NOON)),
        price("m", "input_tokens", "2", when=Conditions(effective_from=NOON)),
    ]
    assert rated([*entries], MILLION).list == 2
    assert rated([*entries], MILLION, at=NOON.replace(hour=11, minute=59)).list == 1


def test_a_single_model_of_somebody_elses_bounds_nothing_alone() -> None:
    """Whoever sells a cheap "mystery" elsewhere does not make a new one of OpenAI's cheap."""
    cheap = price("mystery-7", "input_tokens", "1", provider="nobody")
    own = [price(f"m-{n}", "input_tokens", "15") for n in range(3)]
    asked = used("openai", "mystery-99", MILLION)
    assert rate(asked, PriceBook([cheap, *own])).list == 15
    assert rate(asked, PriceBook([cheap, *own, price("mystery-6", "input_tokens", "3")])).list == Decimal(
        "4.5"
    )
    assert rate(used("nobody", "mystery-99", MILLION), PriceBook([cheap, *own])).list == Decimal("1.5")
    assert rate(asked, PriceBook([cheap, model("m")])).list == Decimal("1.5")


def test_a_tier_that_no_price_is_for_is_priced_as_any_and_the_line_says_so() -> None:
    flex = price("m", "input_tokens", "1", when=Conditions(tiers=("flex",)))
    spelled = spelling("tier", "", "default")
    for entries, tier, amount, remarks in (
        ([INPUT], "turbo", 2, ("tier",)),
        ([INPUT, flex], "turbo", 2, ("tier",)),
        ([INPUT, flex], "flex", 1, ()),
        ([INPUT, flex, spelled], "default", 2, ()),
        ([INPUT], "", 2, ()),
    ):
        rating = rated(entries, MILLION, service_tier=tier)
        assert (rating.list, rating.status, rating.lines[0].remarks) == (amount, "priced", remarks)


def test_an_estimated_quantity_is_priced_and_its_line_provisional() -> None:
    rating = rated(
        [INPUT, OUTPUT], {"input_tokens": 1_000_000, "output_tokens": 500_000}, estimated=("output_tokens",)
    )
    said, guessed = rating.lines
    assert (said.status, guessed.status, guessed.reason) == (
        "priced",
        "provisional",
        "the quantity is the sender's estimate",
    )
    assert (rating.status, rating.list) == ("provisional", 6)  # 1 M at 2, and half a million at 8 the million


def test_an_estimate_of_what_has_no_price_is_unpriced_still() -> None:
    rating = rated([INPUT], {"input_tokens": 1, "output_tokens": 5}, estimated=("output_tokens",))
    assert [line.status for line in rating.lines] == ["priced", "unpriced"]
