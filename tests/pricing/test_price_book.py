"""What is refused as a price book, with both entries named."""

from __future__ import annotations

import re

import pytest

from spendmeter.contracts.catalog import (
    CalendarEntry,
    CatalogEntry,
    Conditions,
    HoursWindow,
    UnitEntry,
    Withdrawal,
)
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, RECORDED, adjustment, model, price, terms

UTC_CALENDAR = identified(CalendarEntry(name="utc", time_zone="UTC", source="test", recorded_at=RECORDED))
SAID = {"source": "test", "recorded_at": RECORDED}


def hours(start: str, end: str, *days: int) -> Conditions:
    windows = (HoursWindow(start=start, end=end, days=days) if days else HoursWindow(start=start, end=end),)
    return Conditions(calendar="utc", windows=windows)


OVERLAPS = [
    (Conditions(), Conditions(effective_from=NOON)),
    (Conditions(effective_to=NOON), Conditions(effective_from=NOON.replace(hour=11))),
    (Conditions(context_max=100), Conditions(context_min=99)),
    (Conditions(tiers=("flex", "priority")), Conditions(tiers=("priority",))),
    (Conditions(regions=("eu",)), Conditions(regions=("us", "eu"))),
    (hours("08:00", "10:00"), hours("09:59", "12:00")),
    (hours("22:00", "02:00", 1), hours("01:00", "03:00", 2)),
    (hours("22:00", "02:00", 8), hours("01:00", "03:00", 4)),
]
APART = [
    (Conditions(), Conditions(batch=True)),
    (Conditions(effective_to=NOON), Conditions(effective_from=NOON)),
    (Conditions(context_max=100), Conditions(context_min=100)),
    (Conditions(tiers=("flex",)), Conditions(tiers=("priority",))),
    (Conditions(regions=("eu",)), Conditions()),
    (hours("08:00", "10:00"), hours("10:00", "12:00")),
    (hours("22:00", "02:00", 1), hours("01:00", "03:00", 3)),
    (Conditions(tiers=("flex",)), Conditions(regions=("eu",))),
]


@pytest.mark.parametrize(("one", "other"), OVERLAPS)
def test_two_prices_for_the_same_event_are_refused_and_both_are_named(
    one: Conditions, other: Conditions
) -> None:
    entries = [price("m", "input_tokens", "1", when=one), price("m", "input_tokens", "2", when=other)]
    with pytest.raises(CatalogError, match="overlap") as refused:
        PriceBook([UTC_CALENDAR, *entries])
    assert all(entry.id in str(refused.value) for entry in entries)


@pytest.mark.parametrize(("one", "other"), APART)
def test_prices_that_cannot_meet_or_of_which_one_says_more_are_accepted(
    one: Conditions, other: Conditions
) -> None:
    PriceBook(
        [
            UTC_CALENDAR,
            price("m", "input_tokens", "1", when=one),
            price("m", "input_tokens", "2", when=other),
        ]
    )


def test_layers_and_tenants_keep_prices_apart() -> None:
    PriceBook(
        [
            price("m", "input_tokens", "1"),
            price("m", "input_tokens", "2", layer="organisation"),
            price("m", "input_tokens", "3", layer="contract", tenant="acme"),
            price("m", "input_tokens", "4", layer="contract", tenant="globex"),
            price("m", "input_tokens", "5", kind="contracted", layer="contract", contract="deal"),
        ]
    )


REFUSED: list[tuple[list[CatalogEntry], str]] = [
    ([price("m", "wishes", "1")], "unknown unit 'wishes'"),
    ([price("m", "input_tokens", "1", tenant="acme")], "layer public names a tenant"),
    ([price("m", "input_tokens", "1", layer="contract")], "layer contract needs a tenant"),
    ([price("m", "input_tokens", "1", when=Conditions(tiers=("Flex",)))], "lower case"),
    ([price("m", "input_tokens", "1", when=hours("08:00", "09:00"))], "no.*named 'utc'"),
    ([price("m", "input_tokens", "1", when=Conditions(effective_from=NOON, effective_to=NOON))], "not after"),
    ([price("m", "input_tokens", "1", when=Conditions(context_min=9, context_max=9))], "lies between"),
    ([model("m", "x"), model("n", "x")], "both claim 'x'"),
    ([model("m", match=("*a*b*c*",))], "at most 3 stars"),
    ([model("m", match=("M-*",))], "lower case"),
    ([model("m"), model("m", "x")], "both the Model of"),
    ([terms("acme"), terms("acme", currency="EUR")], "both the TenantTerms of acme"),
    ([adjustment("off", "0.9"), adjustment("off", "0.8")], "both adjust 'off'"),
    ([adjustment("off", "0.9", units=("wishes",))], "unknown units"),
    ([identified(Withdrawal(entries=("nothing",), **SAID))], "not in the book"),
    ([identified(UnitEntry(unit="a", about="", parent="b", **SAID)), identified(UnitEntry(unit="b", about="", parent="a", **SAID))], "circle"),
    ([identified(UnitEntry(unit="input_tokens", about="", **SAID))], "redefines the unit"),
    ([identified(CalendarEntry(name="c", time_zone="Mars/Olympus", **SAID)), price("m", "input_tokens", "1", when=Conditions(calendar="c", windows=(HoursWindow(),)))], "Mars/Olympus"),
    ([price("m", "input_tokens", "1"), price("m", "input_tokens", "1")], "one that another has"),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "reason"), REFUSED)
def test_what_cannot_be_in_force_is_refused_with_the_rule(entries: list[CatalogEntry], reason: str) -> None:
    with pytest.raises(CatalogError) as refused:
        PriceBook(entries)
    assert re.search(reason, str(refused.value))
