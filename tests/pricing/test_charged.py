"""What a bill's row comes to: its own amounts, in the tenant's currency."""

from __future__ import annotations

from decimal import Decimal

from spendmeter.pricing.causes import EntryFacts, steps
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import explain
from spendmeter.pricing.missing import missing
from spendmeter.pricing.price_book import PriceBook
from tests.charges import charge
from tests.pricing.entries import NOON, price, terms
from tests.pricing.test_engine import fx

EUROS = terms("acme", currency="EUR")


def test_a_charge_costs_what_its_bill_says_whatever_prices_there_are() -> None:
    book = PriceBook([price("Amazon DynamoDB", "requests", "9", provider="aws")])
    rating = rate(charge("-3.10", contracted="-2.5", effective="0", quantity="44", unit="requests"), book)
    assert (rating.status, rating.list, rating.contracted, rating.effective) == (
        "reported", Decimal("-3.1"), Decimal("-2.5"), Decimal(0),
    )  # fmt: skip
    (line,) = rating.lines
    assert (line.unit, line.quantity, line.amount, line.contracted_amount, line.effective_amount) == (
        "charge", 1, "-3.1", "-2.5", "0",
    )  # fmt: skip


def test_where_the_three_are_one_amount_its_line_says_it_once() -> None:
    (line,) = rate(charge("3"), PriceBook([])).lines
    assert (line.amount, line.contracted_amount, line.effective_amount) == ("3", None, None)


def test_each_amount_is_converted_at_the_rate_of_the_day_that_it_is_for() -> None:
    book = PriceBook([EUROS, fx("USD", "EUR", "0.8", NOON)])
    rating = rate(charge("-3", contracted="-2", effective="-1.0000000000001"), book)
    # -3 x 0.8, -2 x 0.8, and -1.0000000000001 x 0.8 = -0.80000000000008, to 12 places half-even
    assert (rating.list, rating.contracted, rating.effective) == (
        Decimal("-2.4"), Decimal("-1.6"), Decimal("-0.800000000000"),
    )  # fmt: skip
    (line,) = rating.lines
    assert (line.book_list, line.book_contracted, line.book_effective) == ("-2.4", "-1.6", "-0.8")


def test_without_a_rate_it_is_unpriced_and_the_rate_is_what_is_missing() -> None:
    book = PriceBook([EUROS])
    rating = rate(charge("-3"), book)
    assert (rating.status, rating.list, rating.effective) == ("unpriced", 0, 0)
    assert rating.lines[0].amount == "-3"
    assert [(lack.kind, lack.base, lack.quote) for lack in missing(charge("-3"), book)] == [
        ("rate", "USD", "EUR")
    ]
    assert rate(charge("0"), book).status == "reported", "nothing is nothing in every currency"


def test_a_charge_is_explained_without_a_contest_of_prices() -> None:
    book = PriceBook([EUROS, fx("USD", "EUR", "0.8", NOON)])
    _, (line,) = explain(charge("-3", effective="-1"), book)
    assert line.contests == ()
    assert line.arithmetic[0] == "list: 1 charge x -3 = -3 USD"
    assert "effective: -1 USD, with what was paid in advance spread over its use" in line.arithmetic


def test_another_rate_changes_a_charge_by_the_rate_alone() -> None:
    old, new = [
        rate(charge("-3", contracted="-2", effective="-1"), PriceBook([EUROS, each], version=n))
        for n, each in enumerate((fx("USD", "EUR", "0.8", NOON), fx("USD", "EUR", "0.5", NOON)), 1)
    ]
    facts = {rating.lines[0].fx: EntryFacts(version=n) for n, rating in enumerate((old, new), 1)}
    (step,) = steps(old, new, facts)
    # -1 x 0.8 before, -1 x 0.5 after
    assert (step.cause, step.before.effective, step.after.effective) == (
        "fx",
        Decimal("-0.8"),
        Decimal("-0.5"),
    )
