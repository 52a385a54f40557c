"""How many names that are no registered unit a tenant may send in a day.

Such names are taken, so that a new unit or a slip is seen before it has a price. But each one is a further
key in rollups, whose lanes all tenants share, and who puts what varies into names makes them without end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

from spendmeter.contracts.events import EventError
from spendmeter.contracts.units import UNITS

NAMES_PER_DAY_MAX = 200
"""Of a tenant, in one process and UTC day. Generous, for units that the catalog alone registers are among
them: the door knows the shipped registry. In memory (about 30 kB a tenant): a restart begins anew."""

_REGISTERED = frozenset(UNITS)


class UnknownUnits:
    """The names that came today, by tenant; one a process."""

    def __init__(self) -> None:
        self._day = date.min
        self._names: defaultdict[str, set[str]] = defaultdict(set)

    def of(self, now: datetime) -> Admission:
        """For one request that was received at `now`, in UTC."""
        if now.date() != self._day:
            self._day = now.date()
            self._names = defaultdict(set)
        return Admission(self._names)


class Admission:
    """What one request adds: nothing, until it is accepted and `keep` is called."""

    def __init__(self, names: defaultdict[str, set[str]]) -> None:
        self._names = names
        self._new: defaultdict[str, set[str]] = defaultdict(set)

    def check(self, tenant: str, usage: Iterable[str]) -> None:
        """Raises EventError for the first name that is one too many; those that came already still pass."""
        if _REGISTERED.issuperset(usage):
            return
        came, new = self._names.get(tenant, set()), self._new[tenant]
        for name in usage:
            if name in _REGISTERED or name in came or name in new:
                continue
            if len(came) + len(new) >= NAMES_PER_DAY_MAX:
                raise EventError(
                    f"is no registered unit, and {NAMES_PER_DAY_MAX} other such names of this tenant came"
                    " today (UTC), the most in a day: send a registered unit; put what varies in a label",
                    f"data.usage.{name}",
                )
            new.add(name)

    def keep(self) -> None:
        """The request was accepted: its names came."""
        for tenant, new in self._new.items():
            self._names[tenant] |= new
