"""What decisions have saved, worked out by hand from rows of cells, in US dollars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.api.choice.decision_models import RealisedSaving
from services.api.choice.realised import Move, forecast_of, realised_of
from services.api.choice.traffic import Row, traffic_of
from spendmeter.pricing.charged import CHARGE_UNIT
from spendmeter.pricing.choice.growth import TokenGrowth
from spendmeter.pricing.choice.reprice import Pricing
from spendmeter.pricing.choice.traffic import CandidateModel
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import price

BOOK = PriceBook([price("m", "input_tokens", "2"), price("n", "input_tokens", "1")])
DAY = date(2026, 11, 10)
MOVE = Move(
    old=CandidateModel(provider="openai", sku="m"),
    new=CandidateModel(provider="openai", sku="n"),
    growth=TokenGrowth(low=Decimal(1), high=Decimal(1), basis="tenant", source="counted"),
)


def used(sku: str, calls: int, day: date, **said: Any) -> list[Row]:
    """So many calls of 1,000 tokens: the events, and their input at 2 or 1 a million."""
    place = {"day": day, "currency": "USD", "provider": "openai", "sku": sku, "tier": "standard", "region": "",
             "batch": False, "entry": "", "unpriced": 0, "provisional": Decimal(0), "beside_bills": Decimal(0)}  # fmt: skip
    paid = Decimal(calls) * (2 if sku == "m" else 1) / 1000
    return [
        {**place, "unit": "", "events": calls, "quantity": Decimal(0), "effective": Decimal(0)},
        {
            **place,
            "unit": "input_tokens",
            "events": calls,
            "quantity": Decimal(1000 * calls),
            "effective": paid,
        }
        | said,
    ]


def realised(before: list[Row], since: list[Row]) -> RealisedSaving:
    """Of eight days from DAY on."""
    at = datetime(2026, 11, 10, tzinfo=UTC)
    pricing = Pricing(book=BOOK, tenant="acme", currency="USD", at=at)
    forecast = forecast_of(MOVE, before, {}, pricing, (DAY - timedelta(days=30), DAY))
    days = DAY, DAY + timedelta(days=8)
    return realised_of(MOVE, since, {}, book=BOOK, tenant="acme", forecast=forecast, days=days)


def test_calls_that_moved_saved_what_the_old_model_would_have_taken() -> None:
    """200 calls at 0.001 instead of 0.002."""
    found = realised(used("m", 50, DAY - timedelta(days=3)), used("n", 200, DAY))
    assert (found.says, found.booked, found.saving_low, found.saving_high) == (
        "", Decimal("0.2"), Decimal("0.2"), Decimal("0.2"),
    )  # fmt: skip


def test_who_never_called_the_old_model_moved_nothing_and_saved_nothing() -> None:
    """However dear the model is that somebody names as the one before."""
    found = realised([], used("n", 200, DAY))
    assert (found.saving_low, found.saving_high, found.booked) == (None, None, None)
    assert (
        found.says == "no call of openai/m is booked in this slice in the 30 days before: nothing was moved"
    )


def test_what_is_booked_at_a_bound_may_have_cost_less_so_that_more_was_saved() -> None:
    """0.2 are booked, of which 0.05 are at most so much: saved were 0.2 to 0.25."""
    found = realised(used("m", 50, DAY - timedelta(days=3)), used("n", 200, DAY, provisional=Decimal("0.05")))
    assert (found.saving_low, found.saving_high) == (Decimal("0.2"), Decimal("0.25"))


def test_what_senders_reported_is_no_proof_that_the_old_model_would_have_had_no_discount() -> None:
    """200 calls are 0.2 by the catalog, 0.1 as reported, and 0.4 on the old model by the catalog: 0.2 to 0.3 were saved."""
    events, tokens = used("n", 200, DAY)
    reported = {**events, "unit": "reported_cost", "quantity": Decimal(200), "effective": Decimal("0.1")}
    found = realised(
        used("m", 50, DAY - timedelta(days=3)), [events, {**tokens, "effective": Decimal(0)}, reported]
    )
    assert (found.booked, found.saving_low, found.saving_high) == (
        Decimal("0.1"), Decimal("0.2"), Decimal("0.3"),
    )  # fmt: skip
    assert any("as its sender reported it" in note for note in found.notes)


def test_what_was_paid_beforehand_is_in_what_bills_say_and_not_less_in_what_was_booked() -> None:
    """A row of a bill: 80 as agreed, of which nothing is effective, for it was paid before. Its line says 80, and the
    cell without a unit -80."""
    bill = [
        {**row, "unit": unit, "events": 1, "quantity": Decimal(1), "effective": Decimal(effective),
         "beside_bills": Decimal(beside)}
        for row, unit, effective, beside in zip(
            used("m", 1, DAY), ("", CHARGE_UNIT), (-80, 80), (-80, 0), strict=True)
    ]  # fmt: skip
    traffic = traffic_of([*bill, *used("m", 50, DAY)], {})["USD"]
    assert (traffic.calls, traffic.booked, traffic.billed) == (50, Decimal("0.1"), 0)
