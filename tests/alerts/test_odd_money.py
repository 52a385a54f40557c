"""A tenant counts in other money: what is open in the old is over, with its figures, and says nothing of the new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.alerts.firsts.firsts import FirstLook, Past, ValueSpend
from services.alerts.firsts.words import FirstWording
from services.alerts.loops.loops import LoopLook
from services.alerts.loops.words import LoopWording
from services.alerts.scopes import TENANT
from spendmeter.contracts.alert_rules import default_rule
from tests.alerts import test_drifts, test_levels, test_loops, test_unreserved
from tests.alerts.episodes import Episodes
from tests.alerts.test_levels import AGENT, amounts

NOW = datetime(2026, 11, 30, 23, tzinfo=UTC)
ZONE = ZoneInfo("UTC")


def first_look() -> Any:
    """12 of a model that is an hour old."""
    spent = ValueSpend(
        dimension="sku", value="gpt-9", provider="openai", effective=Decimal(12), provisional=Decimal(0),
        events=40, unpriced_events=0, leader=b"", leader_amount=Decimal(0),
    )  # fmt: skip
    return FirstLook(
        tenant="acme", now=NOW, currency="USD", known_since=NOW - timedelta(days=90), rules=[default_rule("first")],
        spent=[spent], past={("sku", "gpt-9"): Past(first_seen=NOW - timedelta(hours=1), last_at=None)},
        series={}, wording=FirstWording(zone=ZONE),
    )  # fmt: skip


def loop_look() -> Any:
    """24 calls in 45 seconds, for 0.60."""
    looping, now = test_loops.run((15, 8, "0.20"), (30, 16, "0.40"), (45, 24, "0.60"))
    return LoopLook(
        tenant="acme", now=now, currency="USD", rules=[test_loops.RULE], usual={"refund": test_loops.USUAL},
        runs={("refund", looping.run): looping}, with_outcome={looping.run}, folded_through=now,
        wording=LoopWording(zone=ZONE),
    )  # fmt: skip


def shift_look() -> Any:
    """100 a day, and 250 for five days."""
    return test_levels.look_at({TENANT: amounts((35, 900)), AGENT: amounts((30, 100), (5, 250))})


def drift_look() -> Any:
    """A call for 0.0135 where it was 0.01."""
    return test_drifts.look_at(test_drifts.calls(30, 500, "0.01"), test_drifts.calls(4, 500, "0.0135", 1350))


LOOKS = (first_look, shift_look, drift_look, lambda: test_unreserved.look(test_unreserved.PART))


@pytest.mark.parametrize("make", LOOKS, ids=["first", "shift", "drift", "unreserved"])
def test_figures_of_dollars_are_not_made_of_euros(make: Callable[[], Any]) -> None:
    """The same look once more, a while later and in euros: its amounts are none of the incident's."""
    look = make()
    [incident] = look.proposals([])
    later = incident.updated_at + timedelta(minutes=5)
    dollars, euros = replace(look, now=later), replace(look, now=later, currency="EUR")
    assert dollars.ending(incident) == ""
    assert euros.ending(incident) == "the tenant counts in EUR now, no more in USD"
    assert euros.renewed(replace(incident, amount=Decimal(7))) == replace(
        incident, amount=Decimal(7), updated_at=later
    )
    assert all(each.currency == "EUR" and each.number == 0 for each in euros.proposals([incident]))


def test_a_run_that_goes_on_in_euros_is_open_until_it_stops_with_the_dollars_that_it_had() -> None:
    look = replace(loop_look(), currency="EUR")
    [incident] = loop_look().proposals([])
    renewed = look.renewed(replace(incident, amount=Decimal(7)))
    assert [renewed.amount, renewed.rate_per_hour, renewed.currency] == [7, 0, "USD"]
    assert (look.ending(incident), look.proposals([incident])) == ("", [])


def test_a_burst_that_goes_on_in_yen_is_over_in_dollars_and_has_no_yen() -> None:
    """0.50 a minute are usual, and five minutes of 12 are told; then the tenant counts in yen, 150 for a dollar. All of
    them are far over what was usual in dollars: they keep nothing going, and a burst of yen is one of its own."""
    book, steady, burst = Episodes(), {"amount": "0.5"}, {"amount": "12"}
    book.pass_time(60, {"a": steady})
    book.pass_time(5, {"a": burst})
    [dollars] = book.incidents
    assert (dollars.state, dollars.currency, 40 < dollars.amount <= 60) == ("open", "USD", True)
    book.count_in("JPY")
    book.pass_time(10, {"a": {"amount": "75"}})
    [over] = book.incidents
    assert (over.state, over.resolution) == ("resolved", "the tenant counts in JPY now, no more in USD")
    assert [over.amount, over.expected] == [dollars.amount, dollars.expected]
    book.pass_time(60, {"a": {"amount": "75"}})
    book.pass_time(3, {"a": {"amount": "1800"}})
    [_, yen] = book.incidents
    assert (yen.currency, yen.repeats, "earlier" in yen.details) == ("JPY", 0, False)
