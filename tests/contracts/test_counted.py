"""Which quantities of an event are added up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from spendmeter.contracts.counted import UNKNOWN_UNITS_FROM, select_counted

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
