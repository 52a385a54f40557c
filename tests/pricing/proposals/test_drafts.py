"""What is near to what has no price, and the file to begin with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from spendmeter.contracts.catalog import Conditions, Model, Price, Provider
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.draft import Draft, draft
from spendmeter.pricing.proposals.nearest import Neighbour, UnpricedSku, nearest
from spendmeter.pricing.visibility import EVERYBODY
from tests.pricing.entries import NOON, RECORDED, model, price

MINI, MINI_OUT = price("gpt-5-mini", "input_tokens", "0.25"), price("gpt-5-mini", "output_tokens", "2")
BOOK = PriceBook([MINI, MINI_OUT, price("gpt-5", "input_tokens", "1.25"), model("gpt-5", "gpt-5-latest")])


def unknown(sent: str, *units: str, **known: Any) -> UnpricedSku:
    fields = {"provider": "openai", "sku": sent, "is_known": False} | known
    return UnpricedSku(sent=sent, units=frozenset(units or ("input_tokens",)), **fields)


def drafted(book: PriceBook, unpriced: UnpricedSku, as_tenant: str = EVERYBODY) -> Draft | None:
    return draft(book, unpriced, nearest(book, unpriced), as_tenant, NOON)


def read(found: Draft | None) -> list[Any]:
    assert found is not None
    return read_prices(found.name, found.text.encode(), recorded_at=NOON, units=BOOK.parents.keys())


def test_the_nearest_is_of_its_family_then_of_its_provider_then_of_any() -> None:
    reason = "same family (gpt-mini) of openai, names 90% alike"
    assert nearest(BOOK, unknown("gpt-6-mini")) == [
        Neighbour(provider="openai", sku="gpt-5-mini", reason=reason)
    ]
    assert [each.sku for each in nearest(BOOK, unknown("gpt-5-max"))] == ["gpt-5-mini", "gpt-5"]
    [elsewhere] = nearest(BOOK, unknown("gpt-5", provider="reseller"))[:1]
    assert (elsewhere.sku, elsewhere.reason) == ("gpt-5", "another provider, names 100% alike")
    assert nearest(BOOK, unknown("whisper")) == []


def test_what_has_no_price_of_the_unit_or_a_negotiated_one_alone_is_not_near() -> None:
    assert [each.sku for each in nearest(BOOK, unknown("gpt-6-mini", "output_tokens"))] == ["gpt-5-mini"]
    theirs = price("gpt-6-micro", "output_tokens", "1", layer="organisation", tenant="globex")
    agreed = price("gpt-6-nano", "output_tokens", "1", layer="contract", contract="deal")
    assert nearest(PriceBook([MINI, theirs, agreed]), unknown("gpt-6", "output_tokens")) == []


def test_a_known_model_is_not_near_itself_whatever_name_was_sent() -> None:
    batch = price("gpt-7-mini", "input_tokens", "1", when=Conditions(batch=True))
    known = unknown("gpt-7-mini-latest", sku="gpt-7-mini", is_known=True)
    assert [each.sku for each in nearest(PriceBook([MINI, batch]), known)] == ["gpt-5-mini"]


def test_a_draft_is_the_nearests_prices_of_now_for_the_sku_since_ever() -> None:
    over = price("gpt-5-mini", "cache_read_tokens", "9", when=Conditions(effective_to=NOON - timedelta(1)))
    batch = price("gpt-5-mini", "input_tokens", "0.125", when=Conditions(batch=True))
    dated = price("gpt-5-mini", "output_tokens", "2", when=Conditions(effective_from=NOON - timedelta(9)))
    found = drafted(PriceBook([MINI, dated, batch, over]), unknown("gpt-6-mini"))
    prices = read(found)
    assert {(each.unit, each.price, each.when.batch, each.when.effective_from) for each in prices} == {
        ("input_tokens", "0.25", None, None),
        ("output_tokens", "2", None, None),
        ("input_tokens", "0.125", True, None),
    }
    assert {(each.sku, each.source, each.tenant) for each in prices} == {
        ("gpt-6-mini", "inferred from openai/gpt-5-mini, test", "")
    }
    assert found and (found.kind, found.name, found.replace) == ("price", "openai-gpt-6-mini.yaml", False)


def test_of_a_known_model_the_missing_units_alone_are_drafted_and_a_tenants_draft_is_its_own() -> None:
    known = unknown("gpt-5", "output_tokens", is_known=True)
    [only] = read(drafted(BOOK, known, as_tenant="acme"))
    assert isinstance(only, Price)
    assert (only.sku, only.unit, only.price, only.tenant) == ("gpt-5", "output_tokens", "2", "acme")


def test_another_spelling_is_one_more_name_of_the_model_that_keeps_those_that_it_has() -> None:
    found = drafted(BOOK, unknown("gpt_5-2027-01-31"))
    assert found is not None
    assert (found.kind, found.replace) == ("alias", True)
    assert found.says == "gpt_5-2027-01-31 is another name of openai/gpt-5"
    [entry] = read(found)
    assert isinstance(entry, Model)
    assert (entry.sku, entry.aliases) == ("gpt-5", ("gpt-5-latest", "gpt_5-2027-01-31"))
    ours = drafted(BOOK, unknown("gpt_5-2027-01-31"), as_tenant="acme")
    assert ours and ours.kind == "price", "a tenant gives no model another name"


def test_a_name_that_may_be_two_models_is_no_alias_and_one_without_a_date_stands_for_both() -> None:
    dated = [price(f"gpt-6-2026-0{month}-01", "input_tokens", "1") for month in (1, 2)]
    found = drafted(PriceBook(dated), unknown("gpt6"))
    assert found and found.kind == "price"
    found = drafted(PriceBook([*dated, price("gpt-6", "input_tokens", "1")]), unknown("gpt6"))
    assert found and found.says == "gpt6 is another name of openai/gpt-6"


def test_a_spelling_is_looked_for_at_those_whom_the_provider_resells() -> None:
    azure = identified(Provider(provider="azure", resells=("openai",), source="test", recorded_at=RECORDED))
    found = drafted(PriceBook([MINI, azure]), unknown("gpt5mini", provider="azure"))
    assert found and found.says == "gpt5mini is another name of openai/gpt-5-mini"


@pytest.mark.parametrize(
    "sku", ["gpt-6-mini\u0085x", "gpt-6-mini\u2029 9", "gpt-6-mini\x7f", 'gpt-6-mini"\\: [x]']
)
def test_a_draft_is_of_the_very_name_that_was_used(sku: str) -> None:
    assert {each.sku for each in read(drafted(BOOK, unknown(sku)))} == {sku}
