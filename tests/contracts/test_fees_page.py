"""docs/fees.md names units, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from spendmeter.contracts.units import LATER_UNITS, UNITS

PAGE = Path(__file__).parents[2] / "docs" / "fees.md"


def test_what_the_page_says_to_send_are_units_and_no_fee_that_joined_later_is_left_out() -> None:
    rows = [line.split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    named = {unit for row in rows for unit in re.findall(r"`(\w+)`", row[3])}
    assert named <= UNITS.keys()
    unsaid = {"session_seconds", "seat_hours", "active_seconds"}  # of agents, and of licences
    assert LATER_UNITS.keys() - named == unsaid
