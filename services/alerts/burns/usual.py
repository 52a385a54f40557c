"""When a budget's scope usually spends, of its last four weeks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from services.alerts.budgets.budgets import Budget
from services.alerts.forecasts.profile import Profile, hour_weights, weekday_weights
from services.alerts.scopes import NAMING_ORDER, TENANT, DetectorScope

DAY = timedelta(days=1)
HISTORY = 28 * DAY
HISTORY_DAYS_MIN = 14
"""With less an even spread is taken."""
EVEN = Profile()


def usual_scope(budget: Budget) -> DetectorScope:
    """Whose hours say it: of several values of its filter the most telling one's, of none the tenant's."""
    named = [(name, budget.filter[name]) for name in NAMING_ORDER if name in budget.filter]
    return named[0] if named else TENANT


def usual_profile(hours: Sequence[tuple[datetime, Decimal]], zone: ZoneInfo, today: date) -> Profile:
    """By what the scope came to in each hour of HISTORY, in order, until `today` began."""
    by_day = {
        day: float(sum(amount for _, amount in of_day))
        for day, of_day in groupby(hours, key=lambda hour: hour[0].astimezone(zone).date())
    }
    first = min(by_day, default=today)
    days = [by_day.get(first + number * DAY, 0.0) for number in range((today - first).days)]
    if len(days) < HISTORY_DAYS_MIN:
        return EVEN
    return Profile(weekdays=weekday_weights(days, first.weekday()), hours=hour_weights(hours, zone))
