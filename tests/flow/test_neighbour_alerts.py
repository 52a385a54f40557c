"""What one tenant does, and what another feels of it."""

from __future__ import annotations

from pathlib import Path

from tests.flow.system import System
from tests.hardship.neighbour import ENVIRONMENT, measure

ALERT_S_MAX = 5.0


def test_another_tenants_thousands_of_series_delay_nobodys_budget_alert(tmp_path: Path) -> None:
    with System(tmp_path / "home", environment=ENVIRONMENT) as system:
        measured = measure(system, series=5_000, rounds=3)
    print(measured)
    assert measured["other_tenant_alert_median_s"] < ALERT_S_MAX
