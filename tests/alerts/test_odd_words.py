"""Amounts at the ends of what currencies have: none that is spent reads as nothing, and none as minus nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.alerts.incidents.phrases import about, places, rounded


@pytest.mark.parametrize(
    ("amount", "in_a_text", "in_a_title"),
    [
        ("0.000000001", "0.0000000010", "0.000000001"),
        ("0.0000004", "0.00000040", "0.0000004"),  # a call of an embedding
        ("0.00005", "0.000050", "0.00005"),  # half of the fourth place, which rounds to its even neighbour, 0
        ("0.00006", "0.0001", "0.0001"),
        ("-0.00001", "-0.000010", "-0.00001"),
        ("0", "0.00", "0"),
        ("999999999999.123", "999,999,999,999.12", "999,999,999,999"),  # won and yen, as the portal has them
    ],
)
def test_an_amount_is_read_as_what_it_is(amount: str, in_a_text: str, in_a_title: str) -> None:
    value = Decimal(amount)
    assert (places(value), rounded(value), about(value)) == (in_a_text, in_a_title, in_a_title)
