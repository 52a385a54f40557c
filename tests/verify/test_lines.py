"""verify's own arithmetic of lines, against amounts worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from spendmeter.verify.lines import Bill, ExchangeRate, add_up, charge_faults

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RATES = {
    "fx1": ExchangeRate("USD", "EUR", Decimal("0.9"), NOON),
    "fx2": ExchangeRate("GBP", "EUR", Decimal("1.2"), NOON),
}


def bill(*lines: dict[str, Any], currency: str = "EUR", **usage: int) -> Bill:
    return add_up(lines, usage, currency=currency, time=NOON, rates=RATES)


def sums(of: Bill) -> tuple[str, str, str, str]:
    assert of.faults == []
    return (str(of.list), str(of.contracted), str(of.effective), of.status)


def test_a_bare_line_counts_its_amount_three_times() -> None:
    found = bill({"unit": "calls", "entry": "e", "price": "0.5", "amount": "1.5"}, calls=3)
    assert sums(found) == ("1.5", "1.5", "1.5", "priced")
    assert found.priced == {"EUR": Decimal("1.5")}


def test_a_price_for_many_units_is_divided_and_rounded_half_even() -> None:
    """2 x 1 / 3,600 s = 0.000555555555555..., to 12 places."""
    found = bill({"unit": "seconds", "price": "1", "per": 3600, "amount": "0.000555555556"}, seconds=2)
    assert sums(found)[0] == "0.000555555556"


def test_a_least_quantity_is_what_is_billed() -> None:
    found = bill({"unit": "seconds", "price": "0.1", "quantity": 10, "amount": "1"}, seconds=2)
    assert sums(found)[0] == "1"


def test_list_and_contract_may_each_be_in_a_currency_of_their_own() -> None:
    """2 USD at list = 1.8 EUR; agreed are 1 GBP = 1.2 EUR."""
    line = {"unit": "calls", "price": "2", "amount": "2", "currency": "USD", "fx": "fx1", "book_list": "1.8"}
    line |= {"contracted_price": "1", "contracted_amount": "1", "contracted_currency": "GBP"}
    line |= {"contracted_fx": "fx2", "book_contracted": "1.2"}
    assert sums(bill(line, calls=1)) == ("1.8", "1.2", "1.2", "priced")


def test_nothing_used_of_a_foreign_price_counts_nothing_and_needs_no_rate() -> None:
    line = {"unit": "calls", "entry": "p", "price": "2", "amount": "0", "currency": "CHF"}
    assert sums(bill(line, calls=0)) == ("0", "0", "0", "priced")


def test_a_contract_in_book_currency_needs_no_rate_where_the_list_price_has_none() -> None:
    line = {"unit": "calls", "price": "2", "amount": "2", "currency": "CHF", "status": "unpriced"}
    line |= {"contracted_price": "1", "contracted_amount": "1", "contracted_currency": "EUR"}
    assert sums(bill(line, calls=1)) == ("0", "1", "1", "unpriced")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"unit": "calls", "price": "1", "amount": "2"}, "calls: 1 x 1 is 1, not 2"),
        ({"unit": "calls"}, "calls has no amount, and is not unpriced"),
        ({"unit": "calls", "amount": "2"}, "calls costs 2, and has no price"),
        (
            {"unit": "calls", "price": "1", "amount": "1", "currency": "USD"},
            "calls: 1 USD is not in EUR, and not unpriced",
        ),
        (
            {
                "unit": "calls",
                "price": "1",
                "amount": "1",
                "currency": "CHF",
                "fx": "fx1",
                "book_list": "0.9",
            },
            "calls: rate fx1 is USD to EUR, not CHF to EUR",
        ),
        (
            {
                "unit": "calls",
                "price": "1",
                "amount": "1",
                "currency": "USD",
                "fx": "fx9",
                "book_list": "0.9",
            },
            "calls: the catalog has no exchange rate fx9",
        ),
    ],
)
def test_a_line_that_does_not_follow_from_its_own_figures_is_said(line: dict[str, Any], fault: str) -> None:
    assert bill(line, calls=1).faults == [fault]


def test_a_unit_that_has_no_line_is_said_unless_one_stands_for_the_whole_event() -> None:
    line = {"unit": "calls", "entry": "e", "price": "1", "amount": "1"}
    assert bill(line, calls=1, tokens=2).faults == ["there is no line for tokens"]
    whole = {"unit": "reported_cost", "quantity": 1, "price": "3", "amount": "3", "status": "reported"}
    assert sums(bill(whole, calls=1, tokens=2)) == ("3", "3", "3", "reported")


BILLED = {"list": "-3.10", "contracted": "-2", "effective": "0", "currency": "USD"}


def charge_line(**said: Any) -> dict[str, Any]:
    line = {
        "unit": "charge", "quantity": 1, "price": "-3.1", "amount": "-3.1", "contracted_price": "-2",
        "contracted_amount": "-2", "effective_amount": "0", "status": "reported",
    }  # fmt: skip
    return line | said


def test_a_charges_line_may_have_an_effective_amount_of_its_own_and_signs() -> None:
    assert bill(charge_line(), currency="USD")[:4] == (Decimal("-3.1"), Decimal(-2), Decimal(0), "reported")


def test_a_charges_line_says_what_its_bill_says() -> None:
    assert charge_faults(BILLED, [charge_line()], "USD") == []
    assert charge_faults(BILLED, [charge_line(effective_amount="-2")], "USD") == [
        "its line says effective -2, and its bill 0"
    ]
    assert charge_faults(BILLED, [charge_line()], "EUR") == ["its line is not in USD, as its bill is"]
    assert charge_faults(BILLED, [], "USD") == ["a charge has one line, of its own"]
