"""What terms of whole periods make of a tenant's uses: the cases that are no figures of every day. Pure."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.corrector.true_ups.due import Reckoning, TermStanding, UsedOnDay
from spendmeter.contracts.catalog import CatalogEntry, Conditions, FxRate, NameRule, PeriodTerm, Step
from spendmeter.contracts.entry_ids import identified
from spendmeter.pricing.period_terms import TenantPeriodTerms
from spendmeter.pricing.price_book import PriceBook
from tests.corrector.true_up_world import NOVEMBER, STARTED, term
from tests.pricing.entries import model, price, terms

MILLION = 1_000_000
DECEMBER = date(2026, 12, 1)


def used(tokens: int | str = MILLION, amount: str = "2.5", **said: Any) -> UsedOnDay:
    """Input tokens of gpt-4o on the 20th."""
    values: dict[str, Any] = {
        "day": date(2026, 11, 20), "provider": "openai", "sku": "gpt-4o", "cost_class": "model",
        "tier": "standard", "region": "", "batch": False, "unit": "input_tokens", "currency": "USD",
        "status": "priced", "quantity": Decimal(tokens), "amount": Decimal(amount),
    } | said  # fmt: skip
    return UsedOnDay(**values)


def november(by: PeriodTerm, *uses: UsedOnDay, entries: tuple[CatalogEntry, ...] = ()) -> TermStanding:
    """How the term's first month stands, once it is over."""
    book = PriceBook([by, *entries], 1)
    agreed = TenantPeriodTerms(book.period_terms, book.agreement("acme"))
    reckoning = Reckoning(tenant="acme", book=book, terms=agreed, horizon=DECEMBER, uses=uses, earlier=())
    (found,) = reckoning.standings([(by.id, (NOVEMBER, DECEMBER))])
    return found


def test_what_has_more_digits_than_money_holds_is_refused_and_nobody_else_waits() -> None:
    # 31 digits, 12 of them places, times as many: no exact product has room for them
    most = f"{'9' * 18}.{'9' * 12}"
    found = november(term("allowance", quantity="0.000000000001"), used(most, most), used(most, most))
    assert found.refused == "what it comes to has more digits than money holds"
    assert (found.amount, found.due) == (0, 0)


def test_what_a_sender_reports_the_cost_of_is_not_priced_by_steps_as_well() -> None:
    by_steps = term("graduated", steps=(Step(price="2"),), per=MILLION)
    reported = {"status": "reported", "amount": "0"}
    # a million at 2.5 costs 2 by the step; the other million its sender says cost 1.5, under a line of its own
    whole = used(1, "1.5", unit="reported_cost", status="reported")
    found = november(by_steps, used(), used(**reported), whole)
    assert (found.quantity, found.booked, found.due, found.amount) == (
        MILLION,
        Decimal("2.5"),
        2,
        Decimal("-0.5"),
    )


def test_what_a_sender_reports_the_cost_of_counts_toward_money_that_is_committed() -> None:
    money = term("spend_commitment", quantity="4", amount="3", units=())
    whole = used(1, "1.5", unit="reported_cost", status="reported")
    found = november(money, used(), used(status="reported", amount="0"), whole)
    assert (found.booked, found.used, found.unused, found.due) == (4, 3, 0, 3)


@pytest.mark.parametrize(
    "zone, at",
    [
        ("Pacific/Auckland", "2026-11-30T10:59"),  # 13 hours ahead: noon of UTC is tomorrow there
        ("Pacific/Kiritimati", "2026-11-30T09:59"),
        ("Asia/Tokyo", "2026-11-30T14:59"),
        ("UTC", "2026-11-30T23:59"),
        ("America/Los_Angeles", "2026-11-30T23:59"),
    ],
)
def test_a_months_true_up_is_in_that_month_whatever_the_tenants_zone(zone: str, at: str) -> None:
    allowance = term("allowance", quantity="400000")
    found = november(allowance, used(), entries=(terms("acme", time_zone=zone),))
    assert f"{found.at:%Y-%m-%dT%H:%M}" == at


def test_what_was_booked_in_the_currency_of_before_is_exchanged_and_said_once() -> None:
    half = FxRate(
        base="USD", quote="EUR", rate="0.5", effective_from=STARTED, source="t", recorded_at=STARTED
    )
    uses = [used(amount=amount) for amount in ("1", "2", "3")]
    euros = (terms("acme", currency="EUR"), identified(half))
    found = november(term("allowance", quantity=str(2 * MILLION)), *uses, entries=euros)
    assert (found.quantity, found.booked, found.due) == (3 * MILLION, 3, 1)
    assert list(found.explanation) == [
        "6 USD x 0.5 = 3 EUR",
        "beyond 2000000 free: 3 booked x 1000000 / 3000000 input_tokens = 1 EUR",
        "1 due - 3 booked = -2 EUR",
    ]


def test_how_a_name_says_that_it_was_served_counts_as_if_the_event_had_said_it() -> None:
    rule = NameRule(
        name="batched", match=("{name}:batch",), becomes="{name}", costs="same", batch=True, says="a batch",
        source="test", recorded_at=STARTED,
    )  # fmt: skip
    names = (model("gpt-4o"), price("gpt-4o", "input_tokens", "2.5"), identified(rule))
    batches = Conditions(effective_from=STARTED, batch=True)
    found = november(
        term("allowance", quantity="1", when=batches, skus=("gpt-4o",)),
        used(),
        used(sku="gpt-4o:batch"),
        entries=names,
    )
    assert found.quantity == MILLION
