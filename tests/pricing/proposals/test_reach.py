"""Whose usage of what a change concerns, and what booked events cost by the books before and after."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendmeter.contracts.catalog import CalendarEntry, CatalogEntry, FxRate, Provider, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.reach import Reach, concerned, costs, rate_all, reach_of
from tests.pricing.entries import RECORDED, adjustment, model, price, terms, unit, used

SAID = {"source": "test", "recorded_at": RECORDED}
IN = price("m", "input_tokens", "1")
RATE = identified(FxRate(base="USD", quote="EUR", rate="0.9", effective_from=RECORDED, **SAID))
CALENDAR = identified(CalendarEntry(name="x", time_zone="UTC", **SAID))
NAMES = identified(Provider(provider="openai", match=("open-ai",), **SAID))
BOOK = PriceBook([IN, model("m", "m-latest"), terms("globex", currency="EUR")])


@pytest.mark.parametrize(
    ("entry", "reach"),
    [
        (price("M", "input_tokens", "2"), {Reach("openai", "m")}),
        (adjustment("uplift", "1.1"), {Reach("openai")}),
        (RATE, {Reach(currency="EUR")}),
        (terms("acme"), {Reach(tenant="acme")}),
        (unit("winks"), set()),
        (unit("winks", parent="input_tokens"), {Reach()}),
        (CALENDAR, set()),
        (NAMES, {Reach()}),
    ],
    ids=["a price", "a factor", "a rate", "terms", "a unit", "a unit with a parent", "a calendar", "names"],
)  # fmt: skip
def test_a_change_concerns_what_its_entry_is_about(entry: CatalogEntry, reach: set[Reach]) -> None:
    assert reach_of({}, [entry]) == reach


def test_a_withdrawal_concerns_what_it_withdraws_and_a_calendars_concerns_all() -> None:
    for entry, reach in ((IN, Reach("openai", "m")), (RATE, Reach(currency="EUR")), (CALENDAR, Reach())):
        gone = identified(Withdrawal(entries=(entry.id,), **SAID))
        assert reach_of({entry.id: entry}, [gone]) == {reach}


@pytest.mark.parametrize(
    ("tenant", "sku", "reach", "how"),
    [
        ("acme", "M-latest", Reach("openai", "m"), "named"),
        ("acme", "m", Reach("openai"), "named"),
        ("acme", "m", Reach("openai", "n"), None),
        ("acme", "n", Reach("openai", "m"), "sibling"),
        ("acme", "m", Reach(tenant="acme"), "named"),
        ("acme", "m", Reach(tenant="globex"), None),
        ("globex", "m", Reach(currency="EUR"), "named"),
        ("acme", "m", Reach(currency="EUR"), None),
        ("acme", "m", Reach(), "named"),
    ],
)
def test_usage_is_concerned_by_name_or_where_a_sibling_bounds_it(
    tenant: str, sku: str, reach: Reach, how: str | None
) -> None:
    assert concerned(tenant, "openai", sku, {reach}, [BOOK]) == how


def test_what_somebody_resells_is_concerned_by_a_factor_of_its_own() -> None:
    azure = identified(Provider(provider="azure", resells=("openai",), **SAID))
    book = PriceBook([price("m", "input_tokens", "2"), azure])
    assert concerned("acme", "azure", "m", {Reach("azure")}, [book]) == "named"
    assert concerned("acme", "openai", "m", {Reach("azure")}, [book]) is None


def test_what_events_cost_is_summed_by_currency() -> None:
    events = [used("openai", "m", {"input_tokens": tokens}) for tokens in (1_000_000, 500_000)]
    dearer = PriceBook([price("m", "input_tokens", "3")])
    assert costs(rate_all(events, BOOK)) == {"USD": Decimal("1.5")}
    assert costs(rate_all(events, dearer)) == {"USD": Decimal("4.5")}


def test_an_amount_of_more_digits_than_money_refuses_the_change() -> None:
    events = [used("openai", "m", {"input_tokens": Decimal("1234567890123456789.123456789012345678")})]
    long = PriceBook([price("m", "input_tokens", "123456789012345678.123456789012345678", per=1)])
    with pytest.raises(CatalogError, match="what openai/m costs would have more digits than money"):
        rate_all(events, long)
