"""What the detector looks at: scopes, and the money and events of a series in a minute. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from spendmeter.contracts.money import ZERO
from spendmeter.contracts.series import WATCHED_DIMENSIONS, Series

DetectorScope = tuple[str, str]
"""(dimension, value)."""
TENANT: DetectorScope = ("tenant", "")
NAMING_ORDER = WATCHED_DIMENSIONS
"""The most telling first: an incident is named after the first that explains it."""
MINUTE = timedelta(minutes=1)
SERIES_REMEMBERED_MAX = 5_000


class Tally(NamedTuple):
    """Money and events of one scope or series in one minute."""

    amount: Decimal
    events: int


class Spent(NamedTuple):
    """Money of one series in a minute that is tested, and the part of it that is priced by an upper bound."""

    minute: datetime
    series: Series
    amount: Decimal
    provisional: Decimal = ZERO


@lru_cache(maxsize=SERIES_REMEMBERED_MAX)
def scopes_of(series: Series) -> tuple[DetectorScope, ...]:
    """Every scope that a series' money belongs to."""
    named = ((dimension, series.value(dimension)) for dimension in NAMING_ORDER)
    return (TENANT, *(scope for scope in named if scope[1]))


def within(series: Series, scope: DetectorScope) -> bool:
    """Whether a series' money belongs to the scope."""
    return scope == TENANT or series.value(scope[0]) == scope[1]


def minutes_of(duration: timedelta) -> Decimal:
    """How many minutes it is, exactly."""
    return Decimal(duration // timedelta(microseconds=1)) / 60_000_000
