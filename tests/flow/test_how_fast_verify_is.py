"""verify's speed can be measured, on a system whose prices nobody has withdrawn."""

from __future__ import annotations

import json

from tests.flow.system import System
from tests.hardship.verify_speed import measure


def test_its_speed_can_be_measured(second: System) -> None:
    """The measure of `make hardship`, on few events: what it says counts there, not here."""
    measured = measure(second, events_min=1_000)
    assert measured["verify_events"] >= 1_000
    assert measured["verify_events_per_s"] > 0
    assert json.dumps(measured)
