"""Folded minutes: what a tenant spent in a minute, by the dimensions that the detector names. Pure.

A minute has at most COMBINATIONS_MAX + 1 rows, whatever labels a sender invents: `fold` in sql/reader.sql.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

import msgspec

from services.alerts.budgets.budgets import matches
from services.alerts.counting.counters import BURST_SPAN, BURST_SPAN_MIN
from services.alerts.rates import per_hour
from services.alerts.scopes import (
    MINUTE,
    NAMING_ORDER,
    SERIES_REMEMBERED_MAX,
    Spent,
    Tally,
)
from spendmeter.contracts.money import EXACT, ZERO, total
from spendmeter.contracts.series import Series

COMBINATIONS_MAX = 500
VALUES_MAX = 100
"""Of each dimension, of a tenant with more than COMBINATIONS_MAX: the largest by money."""
LOOKS_MAX = 6
LOOKS_APART = timedelta(seconds=1.5)
"""Readings kept for the rate of the last BURST_SPAN."""

_decode = msgspec.json.Decoder(list[tuple[tuple[str, ...], str, str, int]]).decode


def spent_in(minute: datetime, folded: str) -> list[Spent]:
    """The rows of one minute, as the detector takes them."""
    return [
        Spent(minute, _series(names), Decimal(amount), Decimal(provisional))
        for names, amount, provisional, _ in _decode(folded)
    ]


def tallies_in(folded: str) -> list[tuple[Series, Tally]]:
    """The rows of one minute, as `learn` takes them."""
    return [(_series(names), Tally(Decimal(amount), events)) for names, amount, _, events in _decode(folded)]


@lru_cache(maxsize=SERIES_REMEMBERED_MAX)
def _series(names: tuple[str, ...]) -> Series:
    return Series.of(dict(zip(NAMING_ORDER, names, strict=True)))


class Recent:
    """The minutes under test, and how they came to be in the last seconds."""

    def __init__(self) -> None:
        self.spent: list[Spent] = []
        self._looks: deque[tuple[datetime, dict[tuple[datetime, Series], Decimal]]] = deque(maxlen=LOOKS_MAX)

    def look(self, spent: list[Spent], now: datetime) -> None:
        """Take over what was read at `now`."""
        self.spent = spent
        if not self._looks or not timedelta() <= now - self._looks[-1][0] < LOOKS_APART:
            self._looks.append((now, {(row.minute, row.series): row.amount for row in spent}))

    def of(self, scope: Mapping[str, str], since: datetime, until: datetime) -> list[Spent]:
        """A scope's rows in the minutes from `since` to `until`."""
        return [row for row in self.spent if since <= row.minute <= until and matches(row.series, scope)]

    def rate_per_hour(self, scope: Mapping[str, str], now: datetime) -> Decimal:
        """How fast it goes now: over the last ten seconds, or the last two minutes where that is more."""
        since = now.replace(second=0, microsecond=0) - MINUTE
        rows = self.of(scope, since, now)
        steady = per_hour(total(row.amount for row in rows), now - since)
        earlier = [look for look in self._looks if BURST_SPAN_MIN <= now - look[0] <= BURST_SPAN]
        if not earlier:
            return steady
        at, before = earlier[0]
        gained = total(EXACT.subtract(row.amount, before.get((row.minute, row.series), ZERO)) for row in rows)
        return max(steady, per_hour(gained, now - at))


def by_series(rows: Iterable[Spent]) -> dict[Series, Decimal]:
    """Amounts of a few minutes' rows together."""
    sums: dict[Series, Decimal] = {}
    for row in rows:
        sums[row.series] = EXACT.add(sums.get(row.series, ZERO), row.amount)
    return sums
