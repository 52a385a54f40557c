"""No test begins where `today` or `this hour`, said twice, may be two of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.striking import seconds_until_it_has_struck


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("2026-11-27T10:59:54", 0.0),
        ("2026-11-27T10:59:56", 4.0),
        ("2026-11-27T11:00:00", 0.0),
        ("2026-12-31T23:59:29", 0.0),
        ("2026-12-31T23:59:31.5", 28.5),
        ("2027-01-01T00:00:00", 0.0),
    ],
)
def test_a_test_waits_until_the_hour_or_the_day_has_struck(at: str, seconds: float) -> None:
    assert seconds_until_it_has_struck(datetime.fromisoformat(at).replace(tzinfo=UTC)) == seconds
