"""When a tenant's terms may change, and what that means for its budgets, decided from two timelines."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.terms_change import describe_budget, describe_change, terms_change

BERLIN, NEW_YORK, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")
DOLLARS, EUROS = Terms(zone=BERLIN), Terms(currency="EUR", zone=BERLIN)
NOW = datetime(2026, 11, 10, tzinfo=UTC)
DECEMBER, JANUARY = datetime(2026, 11, 30, 23, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)
PENDING = Timeline([(None, DOLLARS), (JANUARY, EUROS)])


def test_a_decided_change_that_comes_at_once_instead_is_not_taken_back_and_its_budgets_need_an_answer() -> (
    None
):
    change = terms_change("newco", PENDING, Timeline([(None, EUROS)]), booked=False, now=NOW)
    assert change is not None
    assert (change.taken_back, change.currency_at, change.currency) == (False, NOW, "EUR")


def test_a_decided_change_that_comes_later_instead_needs_answers_for_its_new_date() -> None:
    later = datetime(2027, 1, 31, 23, tzinfo=UTC)
    moved = Timeline([(None, DOLLARS), (later, EUROS)])
    change = terms_change("acme", PENDING, moved, booked=True, now=NOW)
    assert change is not None
    assert (change.taken_back, change.currency_at) == (False, later)


def test_a_zone_that_begins_before_a_decided_change_must_leave_it_at_the_start_of_a_month() -> None:
    # Berlin's January begins in the fifth hour of Kolkata's: that month would be half in dollars, half in euros.
    moved = Timeline(
        [(None, DOLLARS), (DECEMBER, Terms(zone=KOLKATA)), (JANUARY, Terms(currency="EUR", zone=KOLKATA))]
    )
    with pytest.raises(CatalogError) as refused:
        terms_change("acme", PENDING, moved, booked=True, now=NOW)
    assert "of the zone that holds until then (Asia/Kolkata), not on 2026-12-31T23:00:00Z" in str(
        refused.value
    )
    assert "effective_from = 2026-12-31T18:30:00Z" in str(refused.value)


def test_a_move_west_and_a_change_at_the_new_zones_midnight_make_no_month_of_six_hours() -> None:
    west = datetime(2026, 12, 1, 5, tzinfo=UTC)
    twice = Timeline(
        [(None, DOLLARS), (DECEMBER, Terms(zone=NEW_YORK)), (west, Terms(currency="EUR", zone=NEW_YORK))]
    )
    with pytest.raises(CatalogError) as refused:
        terms_change("acme", Timeline([(None, DOLLARS)]), twice, booked=True, now=NOW)
    assert "state effective_from = 2026-11-30T23:00:00Z, or 2027-01-01T05:00:00Z" in str(refused.value)


def test_a_decided_change_that_comes_later_says_what_it_will_be_from_when_and_what_holds_until_then() -> None:
    moved = Timeline([(None, DOLLARS), (datetime(2027, 1, 31, 23, tzinfo=UTC), EUROS)])
    change = terms_change("acme", PENDING, moved, booked=True, now=NOW)
    assert change is not None
    assert next(describe_change(change)) == (
        "from 2027-01-31T23:00:00Z on acme counts in EUR, with days of Europe/Berlin; "
        "until then in USD, with days of Europe/Berlin"
    )
    # The quarter runs from Berlin's January; nothing is cut where the change was to be.
    assert describe_budget(change, "quarter", "9", "USD", NOW) == (
        "9 USD a quarter: the period from 2026-12-31T23:00:00Z ends on 2027-01-31T23:00:00Z in USD, "
        "the next one runs until 2027-03-31T22:00:00Z"
    )


def test_a_decided_change_that_is_taken_back_says_that_nothing_changes() -> None:
    change = terms_change("acme", PENDING, Timeline([(None, DOLLARS)]), booked=True, now=NOW)
    assert change is not None
    assert (change.old, change.new) == (DOLLARS, DOLLARS)
    assert list(describe_change(change)) == [
        "acme counts in USD, with days of Europe/Berlin, beyond 2026-12-31T23:00:00Z too: nothing changes then",
        "the change of currency that was decided is taken back, and budgets stay as they are",
    ]
    assert describe_budget(change, "month", "9", "USD", NOW) == "9 USD a month: stays as it is"
