"""Which quantities of an event are added up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from spendmeter.contracts.counted import UNKNOWN_UNITS_FROM, select_counted
from spendmeter.contracts.units import LATER_UNITS

KNOWN = {"input_tokens": None, "output_tokens": None}


def test_quantities_of_registered_units_are_all_added() -> None:
    usage = {"output_tokens": 1, "input_tokens": Decimal("2.5")}
    assert select_counted(usage, KNOWN, UNKNOWN_UNITS_FROM) == usage


def test_of_names_that_nobody_registered_the_first_eight_are_added_whatever_order_they_came_in() -> None:
    usage = {f"n{number}": number for number in range(9, 0, -1)} | {"input_tokens": 7}
    expected = {f"n{number}": number for number in range(1, 9)} | {"input_tokens": 7}
    assert select_counted(usage, KNOWN, UNKNOWN_UNITS_FROM) == expected


def test_a_rebuild_adds_of_an_older_event_what_was_added_when_it_was_booked() -> None:
    before = UNKNOWN_UNITS_FROM - timedelta(microseconds=1)
    assert select_counted({"sparks": 3, "input_tokens": 7}, KNOWN, before) == {"input_tokens": 7}


def test_a_unit_that_joined_the_registry_later_counts_before_as_a_name_that_nobody_registered() -> None:
    since = LATER_UNITS["web_fetches"]
    known = KNOWN | {"web_fetches": None}
    eight = {f"n{number}": number for number in range(1, 9)}
    usage = {"web_fetches": 5, "input_tokens": 7, **eight}
    assert select_counted(usage, known, since) == usage
    assert select_counted(usage, known, since - timedelta(microseconds=1)) == {"input_tokens": 7, **eight}
    assert select_counted({"web_fetches": 5}, known, UNKNOWN_UNITS_FROM) == {"web_fetches": 5}
    assert select_counted({"web_fetches": 5}, known, UNKNOWN_UNITS_FROM - timedelta(microseconds=1)) == {}
