"""Which conflict is the sender's later word of the same use: values in, an amend or nothing out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.corrector.decide import decide
from services.corrector.in_force import CorrectedState, EntryInForce, EventState
from services.corrector.raising import RAISE_REVISION, raise_id, raised
from spendmeter.contracts.events import Amount, Context, Labels, Performance, UsageEvent, encode_event
from spendmeter.contracts.gate import HOW_IT_CAME_FROM
from tests.ledger_records import NOON, usage_event

RECEIVED = HOW_IT_CAME_FROM + timedelta(hours=1)
LABELS = Labels(team="search", run="run-81")


def said(**data: Any) -> UsageEvent:
    usage = {"input_tokens": 1000, "output_tokens": 100}
    event = usage_event("e1", **{"labels": LABELS, "usage": usage, **data})
    return replace(event, receivedat=RECEIVED)


def state(
    event: UsageEvent, *, retracted: bool = False, corrected: CorrectedState | None = None
) -> EventState:
    text = encode_event(event).decode()
    entry = EntryInForce(
        occurred_at=NOON, identity=b"i", seq=0, origin_partition=0, origin_offset=0, correction_id=None,
        tenant="acme", series_id=b"s", catalog_version=1, accounting_period=NOON.date(), status="priced",
        currency="USD", list=Decimal(1), contracted=Decimal(1), effective=Decimal(1), event=text, lines="[]",
        recorded_at=NOON, first_recorded_at=NOON,
    )  # fmt: skip
    return EventState(
        entry=None if retracted else entry,
        tenant="acme",
        first_event=text,
        first_hash=b"h",
        corrected=corrected or CorrectedState(),
    )


def patch_of(booked: UsageEvent, later: UsageEvent, **more: Any) -> dict[str, Any] | None:
    amend = raised(state(booked, **more), encode_event(later).decode(), "raise-1")
    if amend is None:
        return None
    found: dict[str, Any] = msgspec.json.decode(amend.patch)
    return found


def test_a_later_message_that_says_more_is_an_amend_below_every_persons() -> None:
    later = replace(
        said(usage={"input_tokens": 1000, "output_tokens": 700}), receivedat=RECEIVED + timedelta(hours=2)
    )
    amend = raised(state(said()), encode_event(later).decode(), "raise-topic-3-17")
    assert amend is not None
    assert (amend.id, amend.kind, amend.revision, amend.at) == (
        "raise-topic-3-17",
        "amend",
        RAISE_REVISION,
        later.receivedat,
    )
    assert (amend.tenant, amend.source, amend.event_id, amend.by) == (
        "acme",
        "bot",
        "e1",
        "key k7f3a00000000",
    )
    assert RAISE_REVISION < 0
    assert msgspec.json.decode(amend.patch) == {
        "usage": {"input_tokens": 1000, "output_tokens": 700},
        "estimated": None,
    }


@pytest.mark.parametrize(
    ("usage", "raises"),
    [
        ({"input_tokens": 1000, "output_tokens": 101}, True),
        ({"input_tokens": 1001, "output_tokens": 100}, True),
        ({"input_tokens": 1000, "output_tokens": 100, "searches": 1}, True),
        ({"input_tokens": 1000, "output_tokens": 100}, False),
        ({"input_tokens": 999, "output_tokens": 900}, False),
        ({"output_tokens": 900}, False),
        ({"input_tokens": 500, "cache_read_tokens": 500, "output_tokens": 900}, False),
    ],
)
def test_every_quantity_is_as_many_at_least_and_one_is_more(usage: dict[str, int], raises: bool) -> None:
    assert (patch_of(said(), said(usage=usage)) is not None) is raises


def test_of_an_estimate_the_later_message_may_say_less_and_the_mark_goes() -> None:
    """Booked at a maximum of 4,096 output tokens; 120 it were. The input was counted, and must not be less."""
    booked = said(usage={"input_tokens": 1000, "output_tokens": 4096}, estimated=("output_tokens",))
    assert patch_of(booked, said(usage={"input_tokens": 1000, "output_tokens": 120})) == {
        "usage": {"input_tokens": 1000, "output_tokens": 120},
        "estimated": None,
    }
    assert patch_of(booked, said(usage={"input_tokens": 1000})) == {
        "usage": {"input_tokens": 1000, "output_tokens": None},
        "estimated": None,
    }
    assert patch_of(booked, said(usage={"input_tokens": 999, "output_tokens": 120})) is None
    same = said(usage={"input_tokens": 1000, "output_tokens": 4096})
    assert patch_of(booked, same) == {
        "usage": {"input_tokens": 1000, "output_tokens": 4096},
        "estimated": None,
    }


def test_an_estimate_after_what_was_counted_is_nothing() -> None:
    later = said(usage={"input_tokens": 1000, "output_tokens": 4096}, estimated=("output_tokens",))
    assert patch_of(said(), later) is None
    both = said(
        usage={"input_tokens": 1000, "output_tokens": 300}, estimated=("input_tokens", "output_tokens")
    )
    assert (
        patch_of(
            replace(later, data=replace(later.data, usage={"input_tokens": 1000, "output_tokens": 100})), both
        )
        is None
    )


MORE = {"input_tokens": 1000, "output_tokens": 700}


@pytest.mark.parametrize(
    "other",
    [
        replace(said(usage=MORE), keyid="another"),
        replace(said(usage=MORE), receivedat=RECEIVED + timedelta(hours=24, seconds=1)),
        replace(said(usage=MORE), trustreportedcost=True),
        replace(said(usage=MORE), data=replace(said(usage=MORE).data, sku="gpt-4o-mini")),
        replace(said(usage=MORE), data=replace(said(usage=MORE).data, provider="azure")),
        said(usage=MORE, cost_class="tool"),
        said(usage=MORE, context=Context(batch=True)),
        said(usage=MORE, labels=Labels(team="ads", run="run-81")),
        said(usage=MORE, cadence="accrual"),
    ],
    ids=["key", "24 h", "trust", "sku", "provider", "class", "tier", "label", "cadence"],
)
def test_what_is_of_another_key_time_or_use_stays_a_conflict(other: UsageEvent) -> None:
    assert patch_of(said(), said(usage=MORE)) is not None
    assert patch_of(said(), other) is None


def test_a_retracted_event_and_one_that_was_told_again_before_are_left_alone() -> None:
    more = said(usage=MORE)
    assert patch_of(said(), more, retracted=True) is None
    assert raised(replace(state(said()), raised_by="{}"), encode_event(more).decode(), "r") is None
    by_a_person = CorrectedState(revision=0, amend_at=NOON, amend_id="c", amended_hash=b"h")
    assert patch_of(said(), more, corrected=by_a_person) is not None, "it lies below that"
    assert patch_of(said(), more, corrected=CorrectedState(catalog_version=7)) is not None, "it was re-rated"


def test_a_stated_cost_is_never_lowered_but_that_of_an_estimate() -> None:
    def costing(amount: str, **data: Any) -> UsageEvent:
        return said(reported_cost=Amount(amount=amount, currency="USD"), **data)

    assert patch_of(costing("2"), costing("1", usage=MORE)) is None
    assert patch_of(costing("2"), said(usage=MORE)) is None
    found = patch_of(costing("2"), costing("2.5", usage=MORE))
    assert found is not None and found["reported_cost"] == {"amount": "2.5", "currency": "USD"}
    assert patch_of(costing("2", estimated=("output_tokens",)), costing("1", usage=MORE)) is not None


def test_what_prices_made_is_not_brought_down_by_a_trusted_cost_that_is_stated_later() -> None:
    """A key that may state costs could take back by it what is booked, without the scope `correct`."""

    def of(trusted: bool, **data: Any) -> UsageEvent:
        return replace(said(**data), trustreportedcost=trusted)

    free = {"usage": MORE, "reported_cost": Amount(amount="0", currency="USD")}
    assert patch_of(of(True), of(True, **free)) is None
    assert patch_of(of(True), of(True, usage=MORE)) is not None
    assert patch_of(of(True, estimated=("output_tokens",)), of(True, **free)) is not None
    assert patch_of(of(False), of(False, **free)) is not None, "a cost that is not trusted is in no sum"


def test_how_it_went_and_where_it_was_served_are_taken_from_the_message_that_knows() -> None:
    booked = said(estimated=("output_tokens",), performance=Performance(latency_ms=90, status="interrupted"))
    later = said(
        usage=MORE, performance=Performance(latency_ms=830, status="ok"), context=Context(service_tier="flex")
    )
    found = patch_of(booked, later)
    assert found is not None
    assert found["performance"] == {"latency_ms": 830, "status": "ok"}
    assert found["context"] == {"service_tier": "flex", "region": "", "batch": False}


def test_the_users_pseudonym_may_be_another_months() -> None:
    other = said(usage=MORE, labels=replace(LABELS, user="hmac:2"))
    assert patch_of(said(labels=replace(LABELS, user="hmac:1")), other) is not None


def test_what_an_event_of_before_had_in_the_place_of_the_mark_says_nothing() -> None:
    early = replace(said(estimated=("output_tokens",)), receivedat=HOW_IT_CAME_FROM - timedelta(hours=1))
    fewer = replace(said(usage={"input_tokens": 1000, "output_tokens": 7}), receivedat=early.receivedat)
    assert patch_of(early, fewer) is None
    assert patch_of(replace(early, data=replace(early.data, estimated=7)), fewer) is None


@pytest.mark.parametrize("year", [1, 1999, 2200, 9999])
def test_a_receipt_outside_the_books_years_stays_a_conflict(year: int) -> None:
    booked, more = (
        replace(each, receivedat=RECEIVED.replace(year=year)) for each in (said(), said(usage=MORE))
    )
    assert patch_of(booked, more) is None


def test_what_cannot_be_read_stays_a_conflict_and_an_amend_without_a_catalog_is_refused() -> None:
    assert raised(state(said()), "{", "r") is None
    amend = raised(state(said()), encode_event(said(usage=MORE)).decode(), "r")
    assert amend is not None
    assert decide(amend, state(said()), None).outcome == "refused"


def test_an_id_has_room_in_the_contract_whatever_the_place() -> None:
    assert len(raise_id("x" * 32, 99_999, 2**62)) <= 64
