"""Amounts in tables are for people; exact ones are in --json."""

from __future__ import annotations

import pytest

from cli._rounded import rounded, rounded_percent


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        ("57.598357395686", "57.60"),
        ("12755", "12,755.00"),
        ("0", "0.00"),
        ("0.57598357", "0.5760"),
        ("0.000012344", "0.000012"),
        ("-3.456", "-3.46"),
        ("0.999999", "1.0000"),
        ("1E+2", "100.00"),
    ],
)
def test_an_amount_has_cents_and_a_small_one_two_digits_that_count(exact: str, shown: str) -> None:
    assert rounded(exact) == shown


def test_a_percentage_has_one_place_at_most() -> None:
    assert [rounded_percent(each) for each in ("2869.828415", "24.01", "0", "99.96")] == [
        "2,869.8 %", "24 %", "0 %", "100 %",
    ]  # fmt: skip
