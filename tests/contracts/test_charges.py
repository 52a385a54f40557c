"""A row of a bill: signed, in one form, and nobody takes it for usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from spendmeter.contracts.charges import CHARGE_AGE_MAX, age_max_of, charge_of
from spendmeter.contracts.event_identity import content_hash
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError
from spendmeter.contracts.gate import CHARGES_FROM, check_rules
from tests.charges import RECEIVED, charge, charge_body


def refusal(**changed: Any) -> EventError:
    body = charge_body()
    body["data"] |= changed
    with pytest.raises(EventError) as caught:
        read_event(msgspec.json.encode(body))
    return caught.value


def test_a_credit_is_negative_and_is_read_digit_by_digit() -> None:
    said = charge_of(charge("-0.000000000000000000000700", quantity="-44.0", billed=""))
    assert said is not None
    assert (said.list, said.quantity, said.billed) == ("-0.0000000000000000000007", "-44", "")


def test_the_same_charge_written_otherwise_has_the_same_hash_and_another_amount_another() -> None:
    assert content_hash(charge("-2.50")) == content_hash(charge("-2.5"))
    assert content_hash(charge("-2.5")) != content_hash(charge("2.5"))
    assert content_hash(charge("2.5")) != content_hash(charge("2.5", effective="0"))


@pytest.mark.parametrize(
    "amount", ["", "1e3", "NaN", "--1", "+1", "1_000", "\uff11", "1234567890123456789", "0." + "1" * 25]
)
def test_an_amount_that_is_no_plain_signed_decimal_is_refused(amount: str) -> None:
    assert refusal(charge=charge_body()["data"]["charge"] | {"list": amount}).field == "data.charge.list"


def test_an_amount_is_no_json_number_and_every_field_of_a_charge_is_known() -> None:
    as_sent = charge_body()["data"]["charge"]
    assert refusal(charge=as_sent | {"list": 3}).field == "data.charge.list"
    assert "colour" in refusal(charge=as_sent | {"colour": "red"}).reason
    assert refusal(charge=None).field == "data.charge"


def test_a_charge_states_no_usage_and_is_of_a_bill() -> None:
    assert refusal(usage={"requests": 3}).field == "data.usage"
    assert refusal(cadence="live").field == "data.cadence"
    assert refusal(reported_cost={"amount": "3", "currency": "USD"}).field == "data.reported_cost"


def test_usage_has_no_charge_but_what_came_before_there_were_any_is_read_over() -> None:
    body = charge_body() | {"type": "spendmeter.usage.v1"}
    body["data"] |= {"usage": {"requests": 3}, "charge": "whatever it was", "cadence": "live"}
    event = read_event(msgspec.json.encode(body))
    with pytest.raises(EventError, match=r"data\.charge"):
        check_rules(event, plain=True)
    check_rules(event, plain=True, received_at=CHARGES_FROM - timedelta(seconds=1))
    assert event.data.charge is None


def test_a_charge_of_before_there_were_any_is_of_an_unknown_type_as_it_was_then() -> None:
    check_rules(charge(), plain=True, received_at=RECEIVED)
    with pytest.raises(EventError, match="unknown type"):
        check_rules(charge(), plain=True, received_at=CHARGES_FROM - timedelta(seconds=1))


def test_a_text_of_a_bill_that_nobody_can_see_is_refused() -> None:
    with pytest.raises(EventError, match=r"data\.charge"):
        check_rules(charge(description="free\u200b"), plain=False)


def test_a_bill_may_be_older_than_usage_may() -> None:
    assert age_max_of(charge(), timedelta(days=400)) == CHARGE_AGE_MAX
    assert datetime(2026, 11, 26, tzinfo=UTC) - CHARGE_AGE_MAX < datetime(2024, 9, 1, tzinfo=UTC)
