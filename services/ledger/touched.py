"""Which series are to be told of: bounded for each tenant, and taken in turns. Pure.

One tenant's hundred thousand series wait behind another tenant's single one, not before it.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from spendmeter.book.changed import TenantDay, day_of

TouchedKey = tuple[str, str, datetime]
"""(tenant, series id in hex, minute)."""

KEYS_MAX = 100_000
"""Of all tenants, in even shares: more touched at once are not told one by one."""
TENANT_KEYS_MIN = 100
"""A tenant's share at least, whatever others touch: new minutes beyond it are not remembered, either."""


class PassedOver(NamedTuple):
    """What is not told one by one, for its tenant is over its share."""

    series: int
    days: set[TenantDay]
    """Of minutes that no total will name."""


class Touched:
    """A set of keys. A tenant that is over its share adds a key only for a minute that has none: one total of
    a minute is enough for whoever watches and reads the rollups."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, dict[datetime, set[str]]] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def add(self, keys: Iterable[TouchedKey]) -> PassedOver:
        """Remember these; what was passed over."""
        series, days = 0, set()
        for tenant, series_id, minute in keys:
            minutes = self._by_tenant.setdefault(tenant, {})
            count = self._counts.setdefault(tenant, 0)
            share = max(TENANT_KEYS_MIN, KEYS_MAX // len(self._by_tenant))
            known = minutes.get(minute)
            if known is not None and series_id in known:
                continue
            if count >= share and (known is not None or len(minutes) >= share):
                series += 1
                if known is None:
                    days.add(day_of(tenant, minute))
                continue
            minutes.setdefault(minute, set()).add(series_id)
            self._counts[tenant] = count + 1
        return PassedOver(series, days)

    def take(self, number: int) -> list[TouchedKey]:
        """At most `number` keys, and forget them: tenants in turns, and each tenant's minutes in turns."""
        taken: list[TouchedKey] = []
        waiting = deque(self._by_tenant)
        while waiting and len(taken) < number:
            tenant = waiting.popleft()
            minutes = self._by_tenant[tenant]
            minute = next(iter(minutes))
            ids = minutes.pop(minute)
            taken.append((tenant, ids.pop(), minute))
            self._counts[tenant] -= 1
            if ids:
                minutes[minute] = ids  # behind the tenant's other minutes
            if minutes:
                waiting.append(tenant)
            else:
                del self._by_tenant[tenant], self._counts[tenant]
        self._by_tenant = {tenant: self._by_tenant[tenant] for tenant in waiting}
        return taken
