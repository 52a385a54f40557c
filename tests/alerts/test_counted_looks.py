"""What a look at counters does when a tenant's calendar changes."""

from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.alerts.rules import TenantRules
from services.alerts.watches.budgets import BudgetWatch, RollingBudgetWatch
from services.alerts.watches.burns import BurnWatch
from services.alerts.watches.forecasts import ForecastWatch
from services.alerts.watches.late_budgets import LateBudgetWatch
from spendmeter.contracts.terms import Terms, Timeline

LIMA = Timeline([(None, Terms(zone=ZoneInfo("America/Lima")))])
SHARED: Any = SimpleNamespace(pool=None)


def rules(calendar: Timeline) -> TenantRules:
    return TenantRules(calendar=calendar, budgets=(), rules=())


@pytest.mark.parametrize("kind", [BudgetWatch, RollingBudgetWatch, LateBudgetWatch, ForecastWatch, BurnWatch])
def test_who_moves_to_another_zone_is_counted_by_its_midnights_at_once(kind: Any) -> None:
    look = kind(tenant="acme", rules=rules(Timeline()), shared=SHARED)
    before = look.counters
    look.apply_rules(rules(Timeline()))
    assert look.counters is before

    look.apply_rules(rules(LIMA))

    assert look.counters is not before
    assert look.counters.calendar == LIMA
