"""What units came to on past days, out of the cells: kept, since a month of them takes a tenth of a second to
read."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from services.api.changes.uses import UnitWorth
from services.api.database.transactions import Onlooker, TenantConnection
from services.api.http.compared import FromTo
from spendmeter.contracts.money import EXACT, prorated
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("changes.sql"))

STRETCH_DAYS = 8
PRICES_MAX = 200_000
"""Kept in all: some 60 MB."""
OLD = timedelta(hours=1)
CHANGED = timedelta(minutes=1)
"""So long it is kept: what has changed is soon read again, for cells are folded some seconds after the
rollups."""
_MANY = Decimal(10**12)

_Unit = tuple[str, str, str, str]
"""(currency, provider, sku, unit)."""
_Sums = Mapping[_Unit, tuple[Decimal, Decimal]]
"""Quantity and amount."""


class PriceDays(NamedTuple):
    """Days of UTC, from `first` to before `beyond`."""

    first: date
    beyond: date

    def days(self) -> list[date]:
        """One by one."""
        return [self.first + timedelta(days=number) for number in range((self.beyond - self.first).days)]


@dataclass(frozen=True, slots=True)
class _KeptPrices:
    generation: int
    until: datetime
    sums: _Sums


class PastPrices:
    """One process's, of each onlooker their own; bounded, and what was not asked for longest goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Onlooker, PriceDays], _KeptPrices] = OrderedDict()
        self._size = 0

    def get(self, onlooker: Onlooker, days: PriceDays, generation: int, now: datetime) -> _Sums | None:
        """What was put there in the same generation, not long ago."""
        found = self._kept.get((onlooker, days))
        if found is None or found.generation != generation or found.until <= now:
            return None
        self._kept.move_to_end((onlooker, days))
        return found.sums

    def put(self, onlooker: Onlooker, days: PriceDays, generation: int, now: datetime, sums: _Sums) -> None:
        """Keep it."""
        old = self._kept.pop((onlooker, days), None)
        has_changed = old is not None and old.generation != generation
        until = now + (CHANGED if has_changed else OLD)
        self._kept[onlooker, days] = _KeptPrices(generation, until, sums)
        self._size += len(sums) + 1 - (len(old.sums) + 1 if old else 0)
        while self._size > PRICES_MAX:
            self._size -= len(self._kept.popitem(last=False)[1].sums) + 1


async def read_unit_worth(
    connection: TenantConnection, onlooker: Onlooker, span: FromTo, past: PastPrices, now: datetime
) -> UnitWorth:
    """What units of each model were worth on the days (UTC) that the span touches, on average of all that the
    onlooker sees."""
    first, last = span[0].astimezone(UTC).date(), (span[1] - timedelta(microseconds=1)).astimezone(UTC).date()
    days = list(stretches(first, last + timedelta(days=1)))
    rows = await connection.fetch(SQL["rolled"], onlooker.tenant, first, last)
    rolled = {row["day"]: row["generation"] for row in rows}
    generations = [sum(rolled.get(day, 0) for day in each.days()) for each in days]
    found: dict[PriceDays, _Sums] = {}
    for each, generation in zip(days, generations, strict=True):
        kept = past.get(onlooker, each, generation, now)
        if kept is not None:
            found[each] = kept
    missing = [each for each in days if each not in found]
    read = await _read(connection, onlooker.tenant, missing) if missing else {}
    for each, generation in zip(days, generations, strict=True):
        if each in read:
            found[each] = read[each]
            past.put(onlooker, each, generation, now, read[each])
    return worth_of(found.values())


def stretches(first: date, beyond: date) -> Iterator[PriceDays]:
    """The days one by one, but for those that are a whole stretch: these are the same for every period."""
    while first < beyond:
        days = STRETCH_DAYS if first.toordinal() % STRETCH_DAYS == 0 else 1
        until = first + timedelta(days=days)
        if until > beyond:
            until = first + timedelta(days=1)
        yield PriceDays(first, until)
        first = until


def worth_of(sums: Iterable[_Sums]) -> UnitWorth:
    """Of all stretches together. What was all taken back, or cost nothing, is worth nothing."""
    added: dict[_Unit, tuple[Decimal, Decimal]] = {}
    for each in sums:
        for unit, (quantity, amount) in each.items():
            if unit in added:
                before = added[unit]
                added[unit] = EXACT.add(before[0], quantity), EXACT.add(before[1], amount)
            else:
                added[unit] = quantity, amount
    worth: defaultdict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(dict)
    for (currency, provider, sku, name), (quantity, amount) in added.items():
        if quantity > 0 and amount > 0:
            worth[currency, provider, sku][name] = prorated(amount, _MANY, quantity)
    return worth


async def _read(
    connection: TenantConnection, tenant: str, days: Sequence[PriceDays]
) -> dict[PriceDays, dict[_Unit, tuple[Decimal, Decimal]]]:
    read: dict[PriceDays, dict[_Unit, tuple[Decimal, Decimal]]] = {each: {} for each in days}
    firsts, beyonds = [each.first for each in days], [each.beyond for each in days]
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(SQL["unit_prices"], tenant, firsts, beyonds)
    for row in rows:
        unit = row["currency"], row["provider"], row["sku"], row["unit"]
        read[days[row["place"] - 1]][unit] = row["quantity"], row["effective"]
    return read
