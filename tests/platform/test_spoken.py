"""Durations as people say them."""

from __future__ import annotations

import pytest

from spendmeter.platform.spoken import duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "under a second"), (12.4, "12 s"), (59, "59 s"), (60, "1 min"), (1683, "28 min"), (3600, "1 h"), (11_100, "3 h 5 min"),
     (90_000, "1 d 1 h"), (86_400 * 12 + 7200, "12 d")],
)  # fmt: skip
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said
