"""Up to when the book is complete, also where it is far behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.alerts.complete import READINGS_MAX, Completeness, LogReading

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_book_that_stays_hours_behind_is_known_to_be_so_long_behind_and_no_longer() -> None:
    """It is read for three hours, and always 40 minutes behind: 2,400 s."""
    known = Completeness()
    for second in range(0, 3 * 3600, 5):
        booked = max(0, second - 2400)
        known.observe(LogReading(NOON + timedelta(seconds=second), {0: second}), {0: booked}, {0: booked})
    assert known.booked is not None
    behind = NOON + timedelta(seconds=3 * 3600 - 5) - known.booked
    assert timedelta(seconds=2400) <= behind <= timedelta(seconds=2500)
    assert len(known._readings) <= READINGS_MAX
