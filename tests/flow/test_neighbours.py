"""What one tenant asks does not delay what another asks."""

from __future__ import annotations

import pytest

from tests.flow.system import System
from tests.hardship import fairness


@pytest.mark.alone
def test_twelve_dear_questions_of_one_key_leave_another_tenants_small_ones_quick(system: System) -> None:
    figures = fairness.measure(system, series=300, minutes=1_440, seconds=8)
    assert figures["other_tenant_p50_ms"] < 200
    assert figures["dear_told_to_come_back"] > 0, "twelve at once are more than a tenant's share"
