"""What one tenant does, and what another feels of it."""

from __future__ import annotations

import pytest

from tests.flow.system import System
from tests.hardship.neighbour import measure

ALERT_S_MAX = 5.0


@pytest.mark.alone
def test_another_tenants_thousands_of_series_delay_nobodys_budget_alert(second: System) -> None:
    measured = measure(second, series=5_000, rounds=3)
    print(measured)
    assert measured["other_tenant_alert_median_s"] < ALERT_S_MAX
